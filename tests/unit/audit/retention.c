/* gateway/audit/retention.c, survey.c and erasing.c, by a clock that goes a day at a time: what is kept, and that nothing is for longer. */
#include "keeping.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

Test(audit_retention, each_record_is_kept_for_its_days_and_no_longer_over_a_leap_day)
{
    begin("2027-11-20");
    sk_clock_advance((int64_t)SK_SECOND);
    size_t most = 0;
    for (unsigned day = 0; day < 130; day++) {
        char when[32];
        live(1, 3);
        keep();
        sk_time_text(sk_clock_wall(), when);
        size_t files = look();
        most = files > most ? files : most;
        check_kept(when);
    }
    cr_assert_eq(w.failures + w.doubts, 0);
    cr_assert_lt(most, 100, "%lu files: those that hold nothing are not removed", (unsigned long)most);
    cr_assert_gt(w.pruned[1], 100);
    cr_assert_gt(w.words[0][SK_AUDIT_TRAIL_ERASED - SK_AUDIT_TRAIL_READ], 10, "the operator does not see it");
    end();
}

Test(audit_retention, who_comes_back_with_a_clock_that_is_ahead_erases_nothing_for_an_hour_whoever_begins_again_in_it)
{
    begin("2027-11-20");
    live(3, 3);
    sk_clock_step((int64_t)(200 * SK_DAY));
    for (int i = 0; i < 3; i++) {
        reopen();
        keep();
        cr_assert_eq(w.doubts, i + 1);
        (void)look();
        cr_assert(w.there[1][0], "erased by a clock that jumped");
        sk_clock_advance((int64_t)(SK_WRITER_DOUBT / 3 - 60 * SK_SECOND));
    }
    sk_clock_advance((int64_t)(240 * SK_SECOND));
    keep();
    cr_assert_eq(look(), 1, "files that hold nothing are left");
    check_kept("later");
    cr_assert(!w.there[1][0]);
    end();
}

Test(audit_retention, who_was_away_for_as_long_as_the_machine_ran_erases_at_once)
{
    begin("2027-11-20");
    live(3, 3);
    sk_clock_advance((int64_t)(200 * SK_DAY));
    reopen();
    keep();
    cr_assert_eq(w.doubts, 0);
    (void)look();
    check_kept("at once");
    cr_assert(!w.there[1][0]);
    end();
}

Test(audit_retention, nothing_is_erased_before_all_is_told)
{
    begin("2027-11-20");
    live(10, 3);
    w.retention.tenure.told = false;
    sk_clock_advance((int64_t)(20 * SK_DAY));
    keep();
    (void)look();
    cr_assert(w.there[3][4 * 9], "erased by nobody's word");
    end();
}

Test(audit_retention, what_is_on_hold_is_kept_alone_and_erased_when_that_is_lifted)
{
    begin("2027-11-20");
    tell_tenant(1, "one@dns", true, false);
    live(100, 3);
    (void)look();
    for (uint64_t seq = 0; seq < 20; seq++) {
        cr_assert(w.there[1][seq], "record %lu of the tenant on hold is gone", (unsigned long)seq);
        cr_assert(!w.there[2][seq], "and another's is kept with it");
    }
    cr_assert_eq(w.words[1][SK_AUDIT_TRAIL_PRUNED - SK_AUDIT_TRAIL_READ], 0);
    cr_assert_gt(w.words[1][SK_AUDIT_TRAIL_HELD - SK_AUDIT_TRAIL_READ], 5);
    tell_tenant(1, "one@dns", false, false);
    keep();
    keep();
    (void)look();
    check_kept("when it is lifted");
    cr_assert_gt(w.words[1][SK_AUDIT_TRAIL_PRUNED - SK_AUDIT_TRAIL_READ], 0);
    end();
}

Test(audit_retention, when_a_contract_is_over_all_of_the_tenant_is_unreadable_and_nothing_of_others)
{
    begin("2027-11-20");
    live(5, 3);
    tell_tenant(2, "two@dns", true, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    (void)look();
    cr_assert(w.there[2][0], "erased though it is on hold");
    cr_assert_eq(w.certified, 0);
    tell_tenant(2, "two@dns", false, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    (void)look();
    for (uint64_t seq = 0; seq < w.sizes[2]; seq++) {
        cr_assert(!w.there[2][seq], "record %lu can be read", (unsigned long)seq);
    }
    cr_assert(w.there[1][0]);
    cr_assert_str_eq(w.detail, "contract over: two@dns");
    cr_assert_eq(w.certified, 1);
    record(2); /* somebody says something of it late */
    commit();
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    (void)look();
    cr_assert(!w.there[2][w.sizes[2] - 1], "what was recorded late can be read");
    end();
}

Test(audit_retention, a_key_that_cannot_be_overwritten_is_tried_until_it_can)
{
    begin("2027-11-20");
    live(10, 3);
    w.full = true;
    uint64_t before = sk_writer_erased(w.trail.writer);
    sk_clock_advance((int64_t)(2 * SK_DAY));
    for (int i = 0; w.failures < 5; i++) {
        cr_assert_lt(i, 100000);
        retention_step(&w.retention);
        sk_clock_advance(w.retention.state == RETENTION_ERASES ? (int64_t)(10 * SK_SECOND) : 0);
        commit();
        (void)sched_yield();
    }
    uint64_t erased = sk_writer_erased(w.trail.writer);
    cr_assert_eq(erased, before, "it is not on disk");
    cr_assert_eq(sk_keys_count_erased(sk_writer_keys(w.trail.writer)), before + 1, "it goes on to the next key before this one is overwritten");
    w.full = false;
    keep();
    cr_assert_gt(sk_writer_erased(w.trail.writer), erased);
    (void)look();
    check_kept("with room again");
    end();
}

Test(audit_retention, a_clock_that_jumps_ahead_while_it_runs_erases_nothing_for_an_hour)
{
    begin("2027-11-20");
    live(4, 3);
    sk_clock_step((int64_t)(10 * SK_DAY));
    keep();
    cr_assert_eq(w.doubts, 1);
    sk_clock_advance((int64_t)(SK_WRITER_DOUBT - 60 * SK_SECOND));
    keep();
    (void)look();
    cr_assert(w.there[3][0]);
    sk_clock_advance((int64_t)(61 * SK_SECOND));
    keep();
    (void)look();
    cr_assert(!w.there[3][0]);
    end();
}

Test(audit_retention, a_record_that_a_wrong_clock_made_costs_no_other_and_no_hold)
{
    begin("2027-11-20");
    tell_tenant(1, "one@dns", true, false);
    live(2, 3);
    sk_clock_step((int64_t)(40 * SK_DAY));
    trail_spare(&w.trail);
    record(2);
    commit();
    record(2);
    commit();
    sk_clock_step(-(int64_t)(40 * SK_DAY));
    live(100, 3);
    (void)look();
    for (uint64_t seq = 0; seq < 20; seq++) {
        cr_assert(w.there[1][seq], "record %lu of the tenant on hold is gone", (unsigned long)seq);
        /* Those of the wrong clock, and the one behind them that came before it was believed to be back, are kept for its day. */
        cr_assert_eq(w.there[2][seq], (seq >= 8 && seq <= 10) || w.walls[2][seq] / SK_DAY + 90 >= sk_clock_wall() / SK_DAY, "record %lu", (unsigned long)seq);
    }
    cr_assert_gt(w.words[1][SK_AUDIT_TRAIL_HELD - SK_AUDIT_TRAIL_READ], 5);
    cr_assert_gt(w.words[2][SK_AUDIT_TRAIL_PRUNED - SK_AUDIT_TRAIL_READ], 5);
    cr_assert_gt(w.words[3][SK_AUDIT_TRAIL_PRUNED - SK_AUDIT_TRAIL_READ], 5);
    end();
}

Test(audit_retention, what_is_recorded_while_the_clock_is_back_for_a_moment_is_kept_as_what_was_before)
{
    begin("2027-11-20");
    live(3, 3);
    sk_clock_step(-(int64_t)(200 * SK_DAY));
    for (int i = 0; i < 4; i++) {
        record(1);
        commit();
    }
    keep();
    sk_clock_step((int64_t)(200 * SK_DAY));
    sk_clock_advance((int64_t)(2 * SK_WRITER_DOUBT));
    keep();
    (void)look();
    for (uint64_t seq = 0; seq < w.sizes[1]; seq++) {
        cr_assert(w.there[1][seq], "record %lu", (unsigned long)seq);
    }
    end();
}

/* Up to where the job waits for a signature. */
static void go_to_signing(void)
{
    for (int i = 0; w.retention.state != RETENTION_SIGNS; i++) {
        cr_assert_lt(i, 1000000);
        retention_step(&w.retention);
        if (w.retention.state != RETENTION_SIGNS) {
            commit();
        }
        (void)sched_yield();
    }
}

Test(audit_retention, a_hold_that_comes_while_it_is_being_erased_holds)
{
    begin("2027-11-20");
    live(2, 3);
    sk_clock_advance((int64_t)(100 * SK_DAY));
    go_to_signing();
    tell_tenant(1, "one@dns", true, false);
    keep();
    (void)look();
    cr_assert(w.there[1][0]);
    cr_assert(!w.there[2][0]);
    end();
}

Test(audit_retention, a_contract_that_is_renewed_while_it_is_being_erased_stays)
{
    begin("2027-11-20");
    live(2, 3);
    tell_tenant(2, "two@dns", false, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    go_to_signing();
    tell_tenant(2, "two@dns", false, false);
    keep();
    (void)look();
    cr_assert(w.there[2][0]);
    end();
}

Test(audit_retention, a_contract_ends_by_a_clock_that_is_believed_alone)
{
    begin("2027-11-20");
    uint64_t ends = sk_clock_wall() + 12 * SK_DAY;
    live(2, 3);
    sk_clock_step((int64_t)(40 * SK_DAY));
    tell_terms(2, "two@dns", (struct tenure_terms){false, ends, 0});
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    sk_clock_step(-(int64_t)(40 * SK_DAY));
    sk_clock_advance((int64_t)(2 * SK_WRITER_DOUBT));
    keep();
    (void)look();
    cr_assert(w.there[2][0]);
    sk_clock_advance((int64_t)(10 * SK_DAY));
    keep();
    (void)look();
    cr_assert(!w.there[2][0]);
    end();
}

Test(audit_retention, what_was_said_of_holds_and_days_holds_when_nobody_says_it_any_more)
{
    begin("2027-11-20");
    tell_tenant(1, "one@dns", true, false);
    live(2, 3);
    sk_clock_advance((int64_t)(30 * SK_DAY));
    retention_free(&w.retention);
    trail_kill(&w.trail);
    open_it();
    retention_free(&w.retention); /* nothing but the operator's own is told to this one: no service, no tenant */
    w.retention = (struct retention){.doubted = on_doubt, .erased = on_erased, .failed = on_failure};
    retention_init(&w.retention, w.trail.writer, w.trail.set.folder);
    cr_assert_eq(tenure_service(&w.retention.tenure, SK_LIT(""), 30), 0);
    keep();
    (void)look();
    cr_assert(!w.there[3][0], "the service's seven days are forgotten");
    cr_assert(w.there[2][0], "the other's ninety");
    sk_clock_advance((int64_t)(70 * SK_DAY));
    keep();
    (void)look();
    cr_assert(!w.there[2][0]);
    cr_assert(w.there[1][0], "the hold is forgotten");
    end();
}

Test(audit_retention, another_number_of_days_is_on_record_in_each_trail_of_the_service)
{
    begin("2027-11-20");
    live(3, 3);
    keep();
    cr_assert_eq(tenure_service(&w.retention.tenure, SK_LIT("dns"), 30), 0);
    keep();
    (void)look();
    cr_assert_eq(w.words[1][SK_AUDIT_TRAIL_KEPT - SK_AUDIT_TRAIL_READ], 1);
    cr_assert_eq(w.words[2][SK_AUDIT_TRAIL_KEPT - SK_AUDIT_TRAIL_READ], 1);
    cr_assert_eq(w.words[3][SK_AUDIT_TRAIL_KEPT - SK_AUDIT_TRAIL_READ], 0);
    cr_assert_str_eq(w.detail, "days=30");
    reopen();
    cr_assert_eq(tenure_service(&w.retention.tenure, SK_LIT("dns"), 30), 0);
    keep();
    (void)look();
    cr_assert_eq(w.words[1][SK_AUDIT_TRAIL_KEPT - SK_AUDIT_TRAIL_READ], 1, "it is said once");
    end();
}

Test(audit_retention, what_is_recorded_while_there_is_no_room_for_the_days_file_is_kept_for_its_days)
{
    begin("2027-11-20");
    live(2, 3);
    uint64_t last = sk_clock_wall() + 6 * 3600 * SK_SECOND;
    w.no_room = true;
    sk_clock_advance((int64_t)(6 * 3600 * SK_SECOND));
    for (unsigned tenant = 1; tenant < TENANTS; tenant++) {
        record(tenant);
    }
    cr_assert_eq(sk_writer_commit(w.trail.writer), 0);
    w.no_room = false;
    trail_spare(&w.trail);
    for (unsigned day = 0; day < 10; day++) {
        live(1, 3);
        (void)look();
        cr_assert(w.there[3][2 * A_DAY] || sk_clock_wall() >= last + 7 * SK_DAY, "erased early, after %u days", day);
    }
    cr_assert(!w.there[3][2 * A_DAY]);
    end();
}

Test(audit_retention, a_damaged_file_stays)
{
    char name[40];
    begin("2027-11-20");
    live(2, 3);
    sk_journal_file_name(1, name);
    int fd = openat(w.trail.set.folder, name, O_RDWR);
    cr_assert(fd >= 0 && pwrite(fd, "\1", 1, SK_FRAME_BLOCK) == 1);
    (void)close(fd);
    live(100, 3);
    cr_assert(trail_has(&w.trail, name));
    end();
}

Test(audit_retention, a_contract_that_is_renewed_behind_a_late_word_leaves_a_sound_journal)
{
    uint8_t id[SK_ID_SIZE], service[SK_SHA256_SIZE];
    begin("2027-11-20");
    id_of(2, id);
    service_of(2, service);
    live(2, 3);
    tell_tenant(2, "two@dns", false, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    record(2); /* late: for a key that is no more */
    commit();
    tell_tenant(2, "two@dns", false, false);
    cr_assert_eq(sk_writer_tenant(w.trail.writer, id, service, UINT64_MAX), 0);
    (void)look();
    cr_assert(!w.there[2][0]);
    cr_assert(w.there[2][w.sizes[2] - 1]);
    cr_assert_eq(memcmp(sk_keys_service(sk_writer_keys(w.trail.writer), id), service, SK_ID_SIZE), 0, "it is another service's");
    end();
}

/* One bit of the newest record's sealed content, in a group that is otherwise right. */
static void change_newest(void)
{
    size_t len, start, group_end;
    struct sk_frame_group group;
    uint64_t last = trail_last(&w.trail);
    uint8_t *bytes = trail_load(&w.trail, last, &len);
    trail_last_group(bytes, len, &start, &group_end);
    cr_assert_eq(sk_frame_get_group(bytes + start, &group), 0);
    bytes[start + SK_FRAME_GROUP_HEADER + SK_FRAME_RECORD_HEADER + SK_TREE_HASH + 5] ^= 1;
    sk_frame_put_group(&group, bytes + start + SK_FRAME_GROUP_HEADER, bytes + start);
    trail_store(&w.trail, last, bytes, len);
    free(bytes);
}

Test(audit_retention, what_was_changed_passes_for_nothing_that_was_erased_before_it_was_recorded)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_journal_error error;
    uint8_t id[SK_ID_SIZE], service[SK_SHA256_SIZE];
    uint64_t end_at, torn;
    size_t len;
    begin("2027-11-20");
    id_of(2, id);
    service_of(2, service);
    record(2);
    commit();
    tell_tenant(2, "two@dns", false, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    keep();
    tell_tenant(2, "two@dns", false, false);
    cr_assert_eq(sk_writer_tenant(w.trail.writer, id, service, UINT64_MAX), 0);
    record(2);
    commit();
    (void)look();
    change_newest();
    struct sk_keys *keys = trail_keys(&w.trail);
    uint8_t *bytes = trail_load(&w.trail, trail_last(&w.trail), &len);
    state.keys = keys;
    cr_assert_eq(sk_journal_read(&state, sk_slice(bytes, len), NULL, NULL, NULL, &end_at, &torn, &error), 1);
    cr_assert_not_null(strstr(error.text, "is not sealed by its tenant's keys"), "%s", error.text);
    free(bytes);
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    end();
}

/* Its record stands at the end of the right day's file: there is no other at hand. */
Test(audit_retention, a_clock_that_was_ahead_for_a_moment_holds_nothing_up)
{
    begin("2027-11-20");
    live(2, 3);
    record(3);
    commit(); /* the day's file takes the one that was at hand */
    sk_clock_step((int64_t)(400 * SK_DAY));
    record(3);
    cr_assert_eq(sk_writer_commit(w.trail.writer), 0);
    sk_clock_step(-(int64_t)(400 * SK_DAY));
    sk_clock_advance((int64_t)(SK_DAY - 300 * SK_SECOND));
    trail_spare(&w.trail);
    sk_clock_advance((int64_t)(300 * SK_SECOND));
    live(30, 3);
    (void)look();
    for (uint64_t seq = 0; seq < 2 * A_DAY + 2; seq++) {
        cr_assert(!w.there[3][seq], "record %lu is due and there", (unsigned long)seq);
    }
    cr_assert(w.there[3][w.sizes[3] - 1] && w.there[2][0]);
    cr_assert_eq(w.failures, 0);
    end();
}

Test(audit_retention, what_is_recorded_behind_a_moment_of_a_wrong_clock_is_sealed_for_its_own_day)
{
    begin("2027-11-20");
    live(2, 3);
    sk_clock_step((int64_t)(40 * SK_DAY));
    trail_spare(&w.trail);
    record(2);
    commit();
    trail_spare(&w.trail);
    record(2);
    commit(); /* in a file of that day */
    sk_clock_step(-(int64_t)(40 * SK_DAY));
    record(3);
    commit();
    trail_spare(&w.trail);
    record(3);
    commit();
    (void)look();
    uint64_t seq = w.sizes[3] - 1;
    live(20, 3);
    (void)look();
    cr_assert(!w.there[3][seq], "it is kept for the wrong clock's day");
    end();
}

Test(audit_retention, a_key_that_is_not_overwritten_yet_is_not_certified_and_overwritten_though_something_else_is_said)
{
    uint8_t id[SK_ID_SIZE];
    begin("2027-11-20");
    live(2, 3);
    tell_tenant(2, "two@dns", false, true);
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    w.full = true;
    for (int i = 0; w.failures < 2; i++) {
        cr_assert_lt(i, 100000);
        retention_step(&w.retention);
        sk_clock_advance(w.retention.state == RETENTION_ERASES ? (int64_t)(11 * SK_SECOND) : 0);
        commit();
        (void)sched_yield();
    }
    tell_tenant(1, "one@dns", true, false);
    for (int i = 0; i < 5; i++) {
        sk_clock_advance((int64_t)(11 * SK_SECOND));
        retention_step(&w.retention);
        commit();
    }
    cr_assert_eq(w.certified, 0, "it is on disk");
    w.full = false;
    sk_clock_advance((int64_t)(11 * SK_SECOND));
    keep();
    cr_assert_eq(w.certified, 1);
    struct sk_keys *keys = trail_keys(&w.trail);
    id_of(2, id);
    cr_assert(sk_keys_erased(keys, id));
    (void)sk_keys_free(keys);
    end();
}
