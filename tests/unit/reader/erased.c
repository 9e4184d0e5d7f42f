/* gateway/reader/follow.c and segments.c, of records whose keys were erased: they are found no more, whatever became of audit, and nothing is left of them. */
#include "audit/survey.h"
#include "level.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const uint8_t one[SK_ID_SIZE] = {1}, operators[SK_ID_SIZE];
static struct trail trail;
static struct follow follow;
static struct sk_disk disk;
static bool failing;
static unsigned found;

static int failing_write(int fd, struct sk_slice bytes, off_t at)
{
    return failing ? -EIO : trail_quick.write(fd, bytes, at);
}

static void setup(void)
{
    disk = trail_quick;
    disk.write = failing_write;
    trail_init(&trail, &disk, TRAIL_FILE);
    cr_assert_eq(trail_open(&trail), 0);
    level_begin(&trail, &follow, trail.set.secret, true);
}

static void teardown(void)
{
    follow_free(&follow);
    trail_free(&trail);
}

TestSuite(reader_erased, .init = setup, .fini = teardown);

static void record(void)
{
    struct sk_audit_record r = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW, .subject = SK_LIT("hanako")};
    memcpy(r.tenant, one, SK_ID_SIZE);
    cr_assert_eq(sk_writer_add(trail.writer, &r, 0), 0);
    cr_assert_eq(sk_writer_commit(trail.writer), 0);
}

static bool count_one(void *context sk_unused, const struct sk_audit_record *record sk_unused, struct sk_slice cbor sk_unused, struct sk_sealing *sealing sk_unused)
{
    found++;
    return true;
}

static unsigned find_all(void)
{
    struct question q = {.terms = SK_SLICE_NULL};
    memcpy(q.tenant, one, SK_ID_SIZE);
    found = 0;
    cr_assert_eq(level_find(&follow, follow.keys, &q, count_one, NULL), 0);
    return found;
}

static void bring(void)
{
    struct follow_goal goal = level_goal(&trail);
    goal.erased = sk_writer_erased(trail.writer);
    enum follow_step step = level(&trail, &follow, &goal);
    for (; step == FOLLOW_WAIT; step = level(&trail, &follow, &goal)) {
        level_store(&follow);
    }
    cr_assert_eq(step, FOLLOW_LEVEL, "%s", follow.error.text);
}

static uint32_t today(void)
{
    return (uint32_t)(sk_clock_wall() / SK_DAY);
}

Test(reader_erased, is_found_no_more)
{
    record();
    record();
    bring();
    cr_assert_eq(find_all(), 2);
    cr_assert_eq(sk_writer_erase_day(trail.writer, operators, today()), 0);
    bring();
    cr_expect_eq(find_all(), 0);
    record();
    bring();
    cr_expect_eq(find_all(), 1, "what came behind it, and has another key");
}

Test(reader_erased, is_found_no_more_also_when_audit_began_again_before_it_said_so)
{
    record();
    bring();
    cr_assert_eq(sk_writer_erase_day(trail.writer, operators, today()), 0);
    trail_kill(&trail);
    cr_assert_eq(trail_open(&trail), 0);
    bring();
    cr_expect_eq(find_all(), 0);
}

Test(reader_erased, is_found_no_more_also_when_it_was_overwritten_at_the_second_try)
{
    record();
    bring();
    failing = true;
    cr_assert_lt(sk_writer_erase_day(trail.writer, operators, today()), 0);
    bring();
    failing = false;
    cr_assert_eq(sk_writer_erase_again(trail.writer), 0);
    bring();
    cr_expect_eq(find_all(), 0);
}

static unsigned count_indexes(void)
{
    int fd = openat(trail.set.folder, "index", O_RDONLY | O_DIRECTORY);
    DIR *folder = fdopendir(fd);
    unsigned count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

static void store_all(void)
{
    bring();
    level_store(&follow);
}

Test(reader_erased, leaves_no_index_of_a_file_that_was_removed_while_there_was_no_reader)
{
    sk_clock_advance((int64_t)(SK_DAY - sk_clock_wall() % SK_DAY + SK_SECOND));
    uint32_t first_day = today();
    for (int i = 0; i < 6; i++) {
        record();
        sk_clock_advance((int64_t)(SK_DAY - 300 * SK_SECOND));
        trail_spare(&trail);
        sk_clock_advance((int64_t)(300 * SK_SECOND));
    }
    record();
    store_all();
    unsigned before = count_indexes();
    follow_free(&follow);
    for (uint32_t day = first_day; day < first_day + 4; day++) {
        cr_assert_eq(sk_writer_erase_day(trail.writer, operators, day), 0);
    }
    struct sk_writer_place place = sk_writer_place(trail.writer);
    struct survey survey = {trail.set.folder, place.last, place.end};
    uint64_t first = 0;
    cr_assert_eq(survey_sweep(&survey, first_day + 4, &first), 0);
    cr_assert_eq(first, 5);
    sk_writer_set_first(trail.writer, first);
    level_begin(&trail, &follow, trail.set.secret, true);
    store_all();
    cr_expect_eq(before, 6);
    cr_expect_eq(count_indexes(), 2);
}
