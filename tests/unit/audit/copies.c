/* gateway/audit/retention.c, of contracts that are over: what is left for a recovery key, for how long, and what is certified then. */
#include "keeping.h"

#include "base/text.h"
#include "rsa.h"

#include <criterion/criterion.h>
#include <sched.h>

static struct rsa pem;

static void begin_with_key(const char *date)
{
    begin(date);
    rsa_make(&pem, 3072);
    cr_assert_eq(tenure_recovery(&w.retention.tenure, sk_slice_str(pem.public)), 0);
}

/* Of tenant 2, whose contract is over; and what is due is done. */
static void tell_over(bool hold, uint64_t recoverable)
{
    tell_terms(2, "two@dns", (struct tenure_terms){hold, 1, recoverable});
}

static void pass(uint64_t time)
{
    sk_clock_advance((int64_t)time);
    keep();
}

static bool is_copied(void)
{
    uint8_t id[SK_ID_SIZE];
    struct sk_keys *keys = trail_keys(&w.trail);
    id_of(2, id);
    bool copied = sk_keys_copied(keys, id);
    (void)sk_keys_free(keys);
    return copied;
}

/* Are the tenant's first `count` records all there, or none of them? */
static bool are_there(unsigned tenant, uint64_t count)
{
    uint64_t there = 0;
    (void)look();
    for (uint64_t seq = 0; seq < count; seq++) {
        there += w.there[tenant][seq];
    }
    cr_assert(there == 0 || there == count, "%lu of %lu records of tenant %u", (unsigned long)there, (unsigned long)count, tenant);
    return there == count;
}

/* And with the private key, as somebody reads it who has that and the journal? */
static bool are_there_for_recovery(unsigned tenant, uint64_t count)
{
    w.private = sk_wrap_private(sk_slice_str(pem.private));
    cr_assert_not_null(w.private);
    bool there = are_there(tenant, count);
    w.private = sk_wrap_free(w.private);
    return there;
}

#define BEFORE ((uint64_t)5 * A_DAY) /* records of each when the contract ends */

/* Five days, then the contract is over. When its copy is due. */
static uint64_t end_contract(uint64_t after)
{
    char until[32], detail[120];
    live(5, 3);
    uint64_t due = sk_clock_wall() / SK_SECOND * SK_SECOND + after;
    sk_time_text(due, until);
    tell_over(false, due);
    pass(60 * SK_SECOND);
    cr_assert_not(are_there(2, BEFORE), "they can be read");
    (void)snprintf(detail, sizeof(detail), "contract over: two@dns, recoverable until=%s", until);
    cr_assert_str_eq(w.detail, detail);
    return due;
}

static void pass_until(uint64_t wall)
{
    cr_assert_gt(wall, sk_clock_wall());
    pass(wall - sk_clock_wall());
}

Test(audit_copies, a_contract_that_is_over_leaves_a_copy_with_which_its_records_are_read_until_that_is_due)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(10 * SK_DAY);
    for (unsigned day = 0; day < 9; day++) {
        cr_assert(is_copied());
        cr_assert(are_there_for_recovery(2, BEFORE), "day %u", day);
        cr_assert(are_there(1, BEFORE) && are_there_for_recovery(1, BEFORE), "of others nothing is gone");
        cr_assert_not(are_there(2, BEFORE), "without the key they can be read");
        pass(SK_DAY);
    }
    pass_until(due - 600 * SK_SECOND);
    cr_assert(is_copied());
    cr_assert_eq(w.certified, 0, "it is certified while it can be read");
    pass_until(due);
    cr_assert_not(is_copied());
    cr_assert_eq(w.certified, 1);
    cr_assert_not(are_there(2, BEFORE));
    cr_assert_str_eq(w.detail, "no longer recoverable: two@dns");
    cr_assert(are_there(1, BEFORE));
    pass(SK_WRITER_DOUBT / 2);
    cr_assert_eq(w.certified, 1, "once");
    pass(SK_WRITER_DOUBT);
    cr_assert_eq(w.certified, 2, "and again each hour, for who could not write it");
    cr_assert_eq(w.failures + w.doubts, 0);
    end();
}

/* Each start tells all that there is to be told. */
Test(audit_copies, a_copy_outlives_starts_and_is_certified_after_each)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(3 * SK_DAY);
    for (int turn = 0; turn < 2; turn++) {
        retention_free(&w.retention);
        trail_kill(&w.trail);
        open_it();
        cr_assert_eq(tenure_recovery(&w.retention.tenure, sk_slice_str(pem.public)), 0);
        tell_over(false, due);
        pass(60 * SK_SECOND);
        cr_assert_eq(is_copied(), turn == 0);
        cr_assert_eq(w.certified, turn == 0 ? 0 : 2);
        if (turn == 0) {
            cr_assert(are_there_for_recovery(2, BEFORE));
            pass_until(due);
            cr_assert_eq(w.certified, 1);
        }
    }
    end();
}

Test(audit_copies, a_copy_is_kept_while_its_tenant_is_on_hold)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(2 * SK_DAY);
    tell_over(true, due);
    pass_until(due + 3 * SK_DAY);
    cr_assert(is_copied());
    cr_assert(are_there_for_recovery(2, BEFORE));
    cr_assert_eq(w.certified, 0);
    tell_over(false, due);
    pass(SK_SECOND);
    cr_assert_not(is_copied());
    cr_assert_eq(w.certified, 1);
    end();
}

Test(audit_copies, a_copy_of_a_tenant_that_is_not_told_any_more_is_erased_when_it_is_due)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(2 * SK_DAY);
    retention_free(&w.retention);
    trail_kill(&w.trail);
    open_it();
    pass_until(due - 60 * SK_SECOND);
    cr_assert(is_copied());
    cr_assert(are_there_for_recovery(2, BEFORE));
    pass_until(due);
    cr_assert_not(is_copied());
    (void)look();
    cr_assert_str_eq(w.detail, "no longer recoverable: a tenant that is gone");
    cr_assert_eq(w.certified, 0, "nobody knows of whom");
    end();
}

Test(audit_copies, without_a_recovery_key_or_time_nothing_is_left)
{
    static const char *const none[] = {"", "no key"};
    for (size_t i = 0; i < 4; i++) {
        begin_with_key("2027-11-20");
        if (i < SK_COUNT(none)) {
            cr_assert_eq(tenure_recovery(&w.retention.tenure, sk_slice_str(none[i])), none[i][0] ? 1 : 0);
        }
        live(5, 3);
        tell_over(false, i == 2 ? 0 : i == 3 ? sk_clock_wall() + 60 * SK_SECOND : sk_clock_wall() + 10 * SK_DAY);
        pass(60 * SK_SECOND);
        cr_assert_not(is_copied(), "%zu", i);
        cr_assert_eq(w.certified, 1, "%zu", i);
        cr_assert_not(are_there(2, BEFORE), "%zu", i);
        cr_assert_str_eq(w.detail, "contract over: two@dns");
        end();
    }
}

Test(audit_copies, what_is_recorded_late_leaves_nothing_behind_when_all_copies_are_due)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(2 * SK_DAY);
    record(2);
    commit();
    pass(60 * SK_SECOND);
    cr_assert_not(are_there(2, BEFORE + 1), "what was recorded late can be read");
    cr_assert_eq(w.certified, 0);
    uint64_t words = w.words[0][SK_AUDIT_TRAIL_ERASED - SK_AUDIT_TRAIL_READ];
    pass_until(due);
    (void)look();
    cr_assert_eq(w.words[0][SK_AUDIT_TRAIL_ERASED - SK_AUDIT_TRAIL_READ], words + 1, "both at once");
    cr_assert_not(is_copied());
    cr_assert_eq(w.certified, 1);
    end();
}

Test(audit_copies, no_key_is_erased_before_its_copy_is_on_disk)
{
    begin_with_key("2027-11-20");
    live(5, 3);
    w.copies_full = true;
    tell_over(false, sk_clock_wall() + 10 * SK_DAY);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    for (int i = 0; i < 100; i++) {
        retention_step(&w.retention);
        (void)!sk_writer_commit(w.trail.writer);
        (void)sched_yield();
    }
    cr_assert_gt(w.failures, 0);
    cr_assert(are_there(2, BEFORE), "it is erased, and no copy left");
    cr_assert_not(is_copied());
    w.copies_full = false;
    pass(11 * SK_SECOND);
    cr_assert_not(are_there(2, BEFORE));
    cr_assert(are_there_for_recovery(2, BEFORE));
    end();
}

Test(audit_copies, a_copy_that_cannot_be_erased_is_certified_when_it_is)
{
    begin_with_key("2027-11-20");
    uint64_t due = end_contract(SK_DAY);
    w.full = true;
    sk_clock_advance((int64_t)(due - sk_clock_wall()));
    for (int i = 0; w.failures < 5; i++) {
        cr_assert_lt(i, 100000);
        retention_step(&w.retention);
        sk_clock_advance(w.retention.state == RETENTION_ERASES ? (int64_t)(11 * SK_SECOND) : 0);
        commit();
        (void)sched_yield();
    }
    cr_assert_eq(w.certified, 0);
    cr_assert(is_copied());
    w.full = false;
    keep();
    cr_assert_not(is_copied());
    cr_assert_eq(w.certified, 1);
    end();
}

/* It is sealed with a key of its own, of which a copy is left in turn: the oldest one is what is asked for. */
Test(audit_copies, what_is_recorded_late_takes_nothing_of_the_first_copy)
{
    begin_with_key("2027-11-20");
    (void)end_contract(2 * SK_DAY);
    record(2);
    commit();
    pass(60 * SK_SECOND);
    cr_assert(are_there_for_recovery(2, BEFORE));
    cr_assert_not(w.there[2][w.sizes[2] - 1], "of the second key");
    end();
}

/* A contract that is renewed before what was recorded late is erased. */
Test(audit_copies, what_is_recorded_late_takes_no_tenant_from_its_service)
{
    uint8_t id[SK_ID_SIZE], service[SK_SHA256_SIZE];
    begin_with_key("2027-11-20");
    (void)end_contract(2 * SK_DAY);
    record(2);
    commit();
    id_of(2, id);
    service_of(2, service);
    cr_assert_eq(sk_writer_tenant(w.trail.writer, id, service, UINT64_MAX), 0);
    tell_tenant(2, "two@dns", false, false);
    record(2);
    commit();
    struct sk_keys *keys = trail_keys(&w.trail);
    cr_expect_arr_eq(sk_keys_service(keys, id), service, SK_ID_SIZE, "its records are kept as the operator's own are");
    (void)sk_keys_free(keys);
    end();
}

Test(audit_copies, a_copy_that_cannot_be_written_is_one_all_the_same_and_said_once)
{
    begin_with_key("2027-11-20");
    live(5, 3);
    (void)look();
    uint64_t words = w.words[0][SK_AUDIT_TRAIL_ERASED - SK_AUDIT_TRAIL_READ];
    w.copies_full = true;
    tell_over(false, sk_clock_wall() + 10 * SK_DAY);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    for (int i = 0; i < 100; i++) {
        retention_step(&w.retention);
        (void)!sk_writer_commit(w.trail.writer);
        (void)sched_yield();
    }
    w.copies_full = false;
    sk_clock_advance((int64_t)(11 * SK_SECOND));
    keep();
    struct sk_keys *keys = trail_keys(&w.trail);
    struct sk_keys_write write;
    uint8_t id[SK_ID_SIZE];
    id_of(2, id);
    cr_expect_eq(sk_keys_erase_copy(keys, id, (struct sk_keys_time){UINT64_MAX, 0}, &write), 0);
    cr_expect_eq(sk_keys_erase_copy(keys, id, (struct sk_keys_time){UINT64_MAX, 0}, &write), 1, "there are two of them");
    (void)sk_keys_free(keys);
    (void)look();
    cr_expect_eq(w.words[0][SK_AUDIT_TRAIL_ERASED - SK_AUDIT_TRAIL_READ], words + 1);
    end();
}
