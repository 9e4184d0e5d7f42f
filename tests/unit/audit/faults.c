/* gateway/audit/writer.c on a disk whose n-th call fails, for every n: what was acknowledged is there, once.
 */
#include "trail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum how {
    NOTHING, /* the call fails and has done nothing */
    PART,    /* a write leaves a part of its bytes */
    WHOLE,   /* a write left all of its bytes */
};

static struct {
    long countdown; /* fires at 0 */
    long more;      /* how many calls after it fail too */
    int error;
    enum how how;
    long fired;
} fault;

static bool fires(void)
{
    bool now = fault.countdown-- <= 0 && fault.fired <= fault.more;
    fault.fired += now;
    return now;
}

static int faulty_create(int folder, const char *name, size_t size)
{
    return fires() ? fault.error : sk_disk_real.create(folder, name, size);
}

static int faulty_write(int fd, struct sk_slice bytes, off_t at)
{
    if (!fires()) {
        return sk_disk_real.write(fd, bytes, at);
    }
    size_t len = fault.how == NOTHING ? 0 : fault.how == WHOLE ? bytes.len : bytes.len / 2 + 77;
    (void)fcntl(fd, F_SETFL, 0); /* a part is no whole block */
    (void)!sk_disk_real.write(fd, sk_slice_cut(bytes, len), at);
    return fault.error;
}

static int faulty_rename(int folder, const char *from, const char *to)
{
    return fires() ? fault.error : sk_disk_real.rename(folder, from, to);
}

static const struct sk_disk faulty = {faulty_create, faulty_write, faulty_rename};

static void arm(long n, long more, int error, enum how how)
{
    fault.countdown = n;
    fault.more = more;
    fault.error = error;
    fault.how = how;
    fault.fired = 0;
}

static void disarm(void)
{
    fault.countdown = INT32_MAX;
}

/* One start of the audit program: three tenants, intents, outcomes, an intent that stays open, groups of many
 * blocks. */
static void live(struct trail *t)
{
    for (long tries = 0; trail_open(t); tries++) {
        cr_assert_leq(tries, fault.more, "opening again must go once the fault is over");
    }
    uint32_t intent = 0;
    for (int round = 0; round < 21; round++) {
        (void)trail_add(t, SK_AUDIT_STAGE_SINGLE, 0);
        for (int i = 0; i < 6; i++) {
            (void)trail_add_long(t, 450);
        }
        if (round % 3 == 0) {
            intent = trail_add(t, SK_AUDIT_STAGE_INTENT, 0) ? 0 : t->count;
        } else if (round % 3 == 2 && round < 20 && intent) {
            (void)trail_add(t, SK_AUDIT_STAGE_OUTCOME, intent);
        }
        (void)trail_commit(t);
        if (round > 3) {
            trail_spare(t);
        }
    }
}

static bool one_fault(long n, long more, int error, enum how how)
{
    struct trail t;
    trail_init(&t, &faulty, TRAIL_FILE);
    arm(n, more, error, how);
    for (int lives = 0; lives < 3; lives++) {
        live(&t);
        if (fault.fired > more) {
            (void)trail_commit(&t);
            cr_assert_eq(trail_commit(&t), 0, "call %ld: the fault is over, a commit must go", n);
        }
        trail_kill(&t);
    }
    bool fired = fault.fired > 0;
    disarm();
    t.set.disk = &sk_disk_real;
    cr_assert_eq(trail_open(&t), 0, "call %ld: %s %s", n, t.found.file, t.found.error.text);
    trail_check(&t, "before the unknown are committed, call", n);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check_closed(&t, "call", n);
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0);
    cr_assert_eq(t.found.unknown, 0, "call %ld: what is unknown is said once", n);
    trail_free(&t);
    return fired;
}

static void every_call(long more, int error, enum how how)
{
    long n = 0;
    while (one_fault(n, more, error, how)) {
        n++;
    }
    cr_assert_gt(n, 100, "%ld calls are too few for what is meant to be tried", n);
}

Test(audit_faults, one_call_that_does_nothing_loses_nothing, .timeout = 120)
{
    every_call(0, -ENOSPC, NOTHING);
}

Test(audit_faults, one_call_that_leaves_a_part_loses_nothing, .timeout = 120)
{
    every_call(0, -EIO, PART);
}

Test(audit_faults, one_call_that_did_all_and_says_no_loses_nothing, .timeout = 120)
{
    every_call(0, -EIO, WHOLE);
}

Test(audit_faults, calls_that_fail_for_a_while_lose_nothing, .timeout = 120)
{
    every_call(2, -ENOSPC, PART);
    every_call(9, -EIO, WHOLE);
}

Test(audit_faults, a_dead_disk_acknowledges_nothing, .timeout = 120)
{
    for (long n = 0; n < 100; n += 7) {
        struct trail t;
        trail_init(&t, &faulty, TRAIL_FILE);
        disarm();
        cr_assert_eq(trail_open(&t), 0);
        arm(n, INT32_MAX, -EIO, PART);
        for (int i = 0; i < 80; i++) {
            (void)trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0);
            bool dead = fault.fired > 0;
            int r = trail_commit(&t);
            cr_assert(!dead || r < 0, "call %ld: acknowledged on a dead disk", n);
        }
        trail_kill(&t);
        disarm();
        cr_assert_eq(trail_open(&t), 0, "call %ld: %s", n, t.found.error.text);
        cr_assert_eq(trail_commit(&t), 0);
        trail_check(&t, "dead from call", n);
        trail_free(&t);
    }
}

/* While it cannot write, the gate is shut; the records of that time stand in the trail when the disk is back.
 */
Test(audit_faults, what_could_not_be_written_is_written_when_the_disk_is_back)
{
    struct trail t;
    trail_init(&t, &faulty, TRAIL_FILE);
    disarm();
    cr_assert_eq(trail_open(&t), 0);
    arm(0, INT32_MAX, -ENOSPC, NOTHING);
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        cr_assert_lt(trail_commit(&t), 0);
    }
    disarm();
    cr_assert_eq(trail_commit(&t), 0);
    trail_check(&t, "back", 0);
    cr_assert(t.acked[1] && t.acked[20] && t.seen[20] == 1);
    trail_free(&t);
}

/* What of a failed write is on disk nobody can tell: the group goes to a new file. */
Test(audit_faults, a_file_to_which_a_write_failed_is_never_written_again)
{
    struct trail t;
    size_t before_len, after_len;
    trail_init(&t, &faulty, TRAIL_FILE);
    disarm();
    cr_assert_eq(trail_open(&t), 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    (void)trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0); /* the third tenant, which has no key yet */
    cr_assert_eq(trail_commit(&t), 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    arm(0, 0, -EIO, WHOLE);
    cr_assert_eq(trail_commit(&t), 0, "the second file takes it");
    cr_assert_eq(fault.fired, 1);
    cr_assert_eq(trail_last(&t), 2);
    uint8_t *before = trail_load(&t, 1, &before_len);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    uint8_t *after = trail_load(&t, 1, &after_len);
    cr_assert(before_len == after_len && memcmp(before, after, after_len) == 0);
    free(before);
    free(after);
    trail_check(&t, "after", 0);
    trail_free(&t);
}
