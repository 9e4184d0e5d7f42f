/* gateway/audit/retention.c, survey.c and erasing.c, by a clock that goes a day at a time: what is kept, and that nothing is for longer. */
#include "audit/retention.h"
#include "trail.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "rsa.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TENANTS 4
#define MOST 2048
#define A_DAY 4 /* records of each tenant */

/* Tenants 1 and 2 are of the service whose records are kept for 90 days, 3 of one of 7; 0 is the operator's own trail. */
static const struct {
    const char *service;
    uint32_t days;
} kept[TENANTS] = {{"", 30}, {"dns", 90}, {"dns", 90}, {"mail", 7}};

static struct {
    struct trail trail;
    struct retention retention;
    uint64_t walls[TENANTS][MOST];   /* when each was recorded; */
    bool there[TENANTS][MOST];       /* what can be read, */
    uint64_t pruned[TENANTS];        /* and from where on, as the last word of it says; */
    uint64_t sizes[TENANTS], words[TENANTS][64]; /* records, and those by op - 40 */
    bool full, no_room, copies_full;
    struct sk_wrap_key *private; /* with which it is looked, too */
    int doubts, failures, certified;
    char detail[400];
} w;

static void on_doubt(struct retention *r sk_unused)
{
    w.doubts++;
}

static void on_failure(struct retention *r sk_unused, int error sk_unused)
{
    w.failures++;
}

static void on_erased(struct retention *r sk_unused, const uint8_t tenant[SK_ID_SIZE], const char *contract)
{
    cr_assert_eq(tenant[0], 2);
    cr_assert_str_eq(contract, "two@dns");
    w.certified++;
}

static int full_write(int fd, struct sk_slice bytes, off_t at)
{
    bool erases = sk_slice_starts(bytes, SK_LIT("SKKEYSL0")), copies = sk_slice_starts(bytes, SK_LIT("SKKEYSL1\4"));
    return (w.full && erases) || (w.copies_full && copies) ? -ENOSPC : trail_quick.write(fd, bytes, at);
}

static int full_create(int folder, const char *name, size_t size)
{
    return w.no_room ? -ENOSPC : trail_quick.create(folder, name, size);
}

static void id_of(unsigned tenant, uint8_t id[SK_ID_SIZE])
{
    memset(id, (int)tenant, SK_ID_SIZE);
}

static void service_of(unsigned tenant, uint8_t id[SK_SHA256_SIZE])
{
    memset(id, 0, SK_SHA256_SIZE);
    if (tenant) {
        sk_digest_sha256(sk_slice_str(kept[tenant].service), id);
    }
}

static void open_it(void)
{
    uint8_t id[SK_ID_SIZE], service[SK_SHA256_SIZE];
    cr_assert_eq(trail_open(&w.trail), 0, "%s: %s", w.trail.found.file, w.trail.found.error.text);
    w.retention = (struct retention){.doubted = on_doubt, .erased = on_erased, .failed = on_failure};
    retention_init(&w.retention, w.trail.writer, w.trail.set.folder);
    for (unsigned i = 0; i < TENANTS; i++) {
        id_of(i, id);
        service_of(i, service);
        cr_assert_eq(sk_writer_tenant(w.trail.writer, id, service, UINT64_MAX), 0);
        cr_assert_eq(tenure_service(&w.retention.tenure, sk_slice_str(kept[TENANTS - 1 - i].service), kept[TENANTS - 1 - i].days), 0);
    }
}

static void begin(const char *date)
{
    static struct sk_disk disk;
    uint64_t wall;
    memset(&w, 0, sizeof(w));
    disk = trail_quick;
    disk.write = full_write;
    disk.create = full_create;
    cr_assert_eq(sk_time_parse(sk_slice_str(date), &wall), 0);
    sk_clock_advance((int64_t)(wall - sk_clock_wall()));
    trail_init(&w.trail, &disk, TRAIL_FILE);
    open_it();
}

static void end(void)
{
    retention_free(&w.retention);
    trail_free(&w.trail);
    w.private = sk_wrap_free(w.private);
}

static void tell_terms(unsigned number, const char *name, struct tenure_terms terms)
{
    uint8_t id[SK_ID_SIZE];
    id_of(number, id);
    cr_assert_eq(tenure_tenant(&w.retention.tenure, id, sk_slice_str(name), &terms), 0);
}

static void tell_tenant(unsigned number, const char *name, bool hold, bool over)
{
    tell_terms(number, name, (struct tenure_terms){hold, over ? sk_clock_wall() : UINT64_MAX, 0});
}

static void commit(void)
{
    if (sk_writer_added(w.trail.writer)) {
        cr_assert_eq(sk_writer_commit(w.trail.writer), 0);
    }
    trail_spare(&w.trail);
}

static void record(unsigned tenant)
{
    struct sk_audit_record r = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    id_of(tenant, r.tenant);
    cr_assert_eq(sk_writer_add(w.trail.writer, &r, 0), 0);
}

/* Until it has nothing to do, or waits. */
static void keep(void)
{
    int idle = 0;
    for (int i = 0; idle < 3; i++) {
        retention_step(&w.retention);
        idle = w.retention.state == RETENTION_IDLE ? idle + 1 : 0;
        if (w.retention.state == RETENTION_SURVEYS || w.retention.state == RETENTION_SWEEPS) {
            (void)sched_yield();
            i--;
        }
        commit();
        if (i > 10000) {
            return;
        }
    }
}

static void on_read(void *context sk_unused, const struct sk_journal_read *read)
{
    unsigned tenant = read->frame->tenant[0];
    cr_assert(tenant < TENANTS && read->frame->seq < MOST);
    w.sizes[tenant] = read->frame->seq + 1;
    w.there[tenant][read->frame->seq] = read->record != NULL;
    if (!read->record) {
        return;
    }
    w.walls[tenant][read->frame->seq] = read->record->wall;
    if (read->record->op >= SK_AUDIT_TRAIL_READ) {
        w.words[tenant][read->record->op - SK_AUDIT_TRAIL_READ]++;
        (void)snprintf(w.detail, sizeof(w.detail), "%.*s", (int)read->record->detail.len, read->record->detail.data);
    }
    if (read->record->op == SK_AUDIT_TRAIL_PRUNED) {
        unsigned long long first, after;
        cr_assert_eq(sscanf(w.detail, "first=%llu end=%llu", &first, &after), 2, "%s", w.detail);
        cr_assert(first < after && after <= read->frame->seq, "%s", w.detail);
        w.pruned[tenant] = after;
    }
}

/* Reads all that there is. The files. */
static size_t look(void)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_journal_error error;
    struct sk_keys *keys = trail_keys(&w.trail);
    uint64_t last = trail_last(&w.trail), end_at, torn;
    size_t files = 0;
    memset(w.there, 0, sizeof(w.there));
    memset(w.words, 0, sizeof(w.words));
    state.keys = keys;
    cr_assert(!w.private || sk_keys_recover(keys, w.private) == 0, "nothing can be recovered");
    for (uint64_t number = 1; number <= last; number++) {
        char name[40];
        size_t len;
        uint8_t previous[SK_FRAME_HASH];
        sk_journal_file_name(number, name);
        if (!trail_has(&w.trail, name)) {
            cr_assert_eq(files, 0, "file %lu is missing in the midst", (unsigned long)number);
            continue;
        }
        uint8_t *bytes = trail_load(&w.trail, number, &len);
        if (number < last) {
            struct sk_frame_file next;
            size_t next_len;
            uint8_t *behind = trail_load(&w.trail, number + 1, &next_len);
            cr_assert_eq(sk_frame_get_file(behind, &next), 0);
            memcpy(previous, next.previous, sizeof(previous));
            free(behind);
        }
        cr_assert_eq(sk_journal_read(&state, sk_slice(bytes, len), number < last ? previous : NULL, on_read, NULL, &end_at, &torn, &error), 0, "%s", error.text);
        free(bytes);
        files++;
    }
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    return files;
}

/* Each is there for so many days from its own day's end on, and then no longer. */
static void check_kept(const char *when)
{
    uint64_t today = sk_clock_wall() / SK_DAY;
    for (unsigned tenant = 0; tenant < TENANTS; tenant++) {
        for (uint64_t seq = 0; seq < w.sizes[tenant]; seq++) {
            uint64_t day = w.walls[tenant][seq] / SK_DAY, age = sk_clock_wall() - w.walls[tenant][seq];
            bool expected = day + kept[tenant].days >= today;
            cr_assert_eq(w.there[tenant][seq], expected, "%s: record %lu of tenant %u, %lu hours old", when, (unsigned long)seq, tenant,
                    (unsigned long)(age / (3600 * SK_SECOND)));
            cr_assert(w.there[tenant][seq] || age >= kept[tenant].days * SK_DAY, "%s: erased early", when);
            cr_assert(!w.there[tenant][seq] || age <= (kept[tenant].days + 1) * SK_DAY, "%s: kept too long", when);
            cr_assert(w.there[tenant][seq] || seq < w.pruned[tenant], "%s: record %lu of tenant %u is gone, and no word of it", when, (unsigned long)seq, tenant);
        }
    }
}

static void live(unsigned days, unsigned tenants)
{
    for (unsigned day = 0; day < days; day++) {
        for (unsigned i = 0; i < A_DAY; i++) {
            for (unsigned tenant = TENANTS - tenants; tenant < TENANTS; tenant++) {
                record(tenant);
            }
            commit();
            keep();
            sk_clock_advance((int64_t)(SK_DAY / A_DAY - 300 * SK_SECOND));
            trail_spare(&w.trail); /* the next day's file is made before it begins */
            sk_clock_advance((int64_t)(300 * SK_SECOND));
        }
    }
}

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

static void reopen(void)
{
    retention_free(&w.retention);
    trail_kill(&w.trail);
    open_it();
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

/* ---- what is left for a recovery key ---- */

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

Test(audit_retention, a_contract_that_is_over_leaves_a_copy_with_which_its_records_are_read_until_that_is_due)
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
Test(audit_retention, a_copy_outlives_starts_and_is_certified_after_each)
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

Test(audit_retention, a_copy_is_kept_while_its_tenant_is_on_hold)
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

Test(audit_retention, a_copy_of_a_tenant_that_is_not_told_any_more_is_erased_when_it_is_due)
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

Test(audit_retention, without_a_recovery_key_or_time_nothing_is_left)
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

Test(audit_retention, what_is_recorded_late_leaves_nothing_behind_when_all_copies_are_due)
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

Test(audit_retention, no_key_is_erased_before_its_copy_is_on_disk)
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

Test(audit_retention, a_copy_that_cannot_be_erased_is_certified_when_it_is)
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
Test(audit_retention, what_is_recorded_late_takes_nothing_of_the_first_copy)
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
Test(audit_retention, what_is_recorded_late_takes_no_tenant_from_its_service)
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

Test(audit_retention, a_copy_that_cannot_be_written_is_one_all_the_same_and_said_once)
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
