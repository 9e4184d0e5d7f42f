/* The life that is kept, and what is left of it. Tests alone. */
#include "keeping.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

const struct kept kept[TENANTS] = {{"", 30}, {"dns", 90}, {"dns", 90}, {"mail", 7}};
struct keeping w;

void on_doubt(struct retention *r sk_unused)
{
    w.doubts++;
}

void on_failure(struct retention *r sk_unused, int error sk_unused)
{
    w.failures++;
}

void on_erased(struct retention *r sk_unused, const uint8_t tenant[SK_ID_SIZE], const char *contract)
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

void id_of(unsigned tenant, uint8_t id[SK_ID_SIZE])
{
    memset(id, (int)tenant, SK_ID_SIZE);
}

void service_of(unsigned tenant, uint8_t id[SK_SHA256_SIZE])
{
    memset(id, 0, SK_SHA256_SIZE);
    if (tenant) {
        sk_digest_sha256(sk_slice_str(kept[tenant].service), id);
    }
}

void open_it(void)
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

void begin(const char *date)
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

void end(void)
{
    retention_free(&w.retention);
    trail_free(&w.trail);
    w.private = sk_wrap_free(w.private);
}

void tell_terms(unsigned number, const char *name, struct tenure_terms terms)
{
    uint8_t id[SK_ID_SIZE];
    id_of(number, id);
    cr_assert_eq(tenure_tenant(&w.retention.tenure, id, sk_slice_str(name), &terms), 0);
}

void tell_tenant(unsigned number, const char *name, bool hold, bool over)
{
    tell_terms(number, name, (struct tenure_terms){hold, over ? sk_clock_wall() : UINT64_MAX, 0});
}

void commit(void)
{
    if (sk_writer_added(w.trail.writer)) {
        cr_assert_eq(sk_writer_commit(w.trail.writer), 0);
    }
    trail_spare(&w.trail);
}

void record(unsigned tenant)
{
    struct sk_audit_record r = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    id_of(tenant, r.tenant);
    cr_assert_eq(sk_writer_add(w.trail.writer, &r, 0), 0);
}

/* Every other file, so that both forms are kept and erased. */
static void pack(void)
{
    const struct sk_writer_place place = sk_writer_place(w.trail.writer);
    if (w.erased != sk_writer_erased(w.trail.writer)) {
        w.erased = sk_writer_erased(w.trail.writer);
        w.packed = 0;
    }
    for (w.packed = w.packed < place.first ? place.first : w.packed; w.packed < place.last; w.packed++) {
        int r = w.packed % 2 ? trail_pack(&w.trail, w.packed) : 0;
        cr_assert(r >= 0 || w.no_room, "file %lu: %d", (unsigned long)w.packed, r);
    }
}

/* Until it has nothing to do, or waits. */
void keep(void)
{
    int idle = 0;
    pack();
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
size_t look(void)
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
            cr_assert_eq(sk_journal_get_file(sk_slice(behind, next_len), &next), 0);
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
void check_kept(const char *when)
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

void live(unsigned days, unsigned tenants)
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

void reopen(void)
{
    retention_free(&w.retention);
    trail_kill(&w.trail);
    open_it();
}
