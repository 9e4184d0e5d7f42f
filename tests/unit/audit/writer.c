/* gateway/audit/writer.c on a sound disk: places, times, sequences, rotation, starts, and the file under
 * watch. */
#include "trail.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int readdir_left = -1;

/* Meson makes off_t 64 bits wide, so this is what readdir is called. */
struct dirent *__wrap_readdir64(DIR *dir);
struct dirent *__real_readdir64(DIR *dir);

struct dirent *__wrap_readdir64(DIR *dir)
{
    if (readdir_left >= 0 && readdir_left-- == 0) {
        errno = EIO;
        return NULL;
    }
    return __real_readdir64(dir);
}

static int no_write(int fd sk_unused, struct sk_slice bytes sk_unused, off_t at sk_unused)
{
    return -ENOSPC;
}

static void add_many(struct trail *t, int groups, int records)
{
    for (int i = 0; i < groups; i++) {
        for (int j = 0; j < records; j++) {
            cr_assert_eq(trail_add_long(t, 450), 0);
        }
        cr_assert_eq(trail_commit(t), 0);
    }
}

static void opened(struct trail *t)
{
    cr_assert_eq(trail_open(t), 0, "%s: %s", t->found.file, t->found.error.text);
}

Test(audit_writer, each_tenant_has_its_own_sequence_from_zero)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (uint64_t i = 0; i < 9; i++) {
        struct sk_audit_record record = {.op = SK_AUDIT_LOGIN,
                .stage = SK_AUDIT_STAGE_SINGLE,
                .decision = SK_AUDIT_DECISION_ALLOW,
                .seq = 77};
        record.tenant[0] = (uint8_t)(i % 3);
        cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
        cr_assert_eq(record.seq, i / 3);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    cr_assert_eq(trail_read(&t), 0);
    cr_assert_eq(t.read, 9);
    trail_free(&t);
}

Test(audit_writer, place_and_time_are_the_writers_whatever_the_sender_says)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    uint8_t last[SK_ID_SIZE] = {0};
    for (int i = 0; i < 5; i++) {
        struct sk_audit_record record = {.op = SK_AUDIT_LOGIN,
                .stage = SK_AUDIT_STAGE_SINGLE,
                .decision = SK_AUDIT_DECISION_ALLOW,
                .seq = 9,
                .wall = 1,
                .boot = 1};
        memset(record.id, 0xee, sizeof(record.id));
        uint64_t wall = sk_clock_wall(), boot = sk_clock_boot();
        cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
        cr_assert(record.wall >= wall && record.boot >= boot && record.seq == (uint64_t)i);
        cr_assert_gt(memcmp(record.id, last, SK_ID_SIZE), 0, "identifiers follow the time");
        memcpy(last, record.id, SK_ID_SIZE);
    }
    trail_free(&t);
}

Test(audit_writer, what_is_no_record_takes_no_place)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    struct sk_audit_record bad = {.op = (enum sk_audit_op)9999,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_ALLOW};
    cr_assert_eq(sk_writer_add(t.writer, &bad, 0), 1);
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    bad.op = SK_AUDIT_LOGIN;
    cr_assert_eq(sk_writer_add(t.writer, &bad, 0), 0);
    cr_assert_eq(bad.seq, 0);
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.records, 1);
    trail_check(&t, "no record", 0);
    trail_free(&t);
}

Test(audit_writer, a_tenant_without_records_is_no_damage_after_rotations_and_starts)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    struct sk_audit_record bad = {.op = (enum sk_audit_op)9999, .tenant = {0xaa}};
    cr_assert_eq(sk_writer_add(t.writer, &bad, 0), 1);
    add_many(&t, 30, 6);
    cr_assert_gt(trail_last(&t), 2);
    trail_check(&t, "rotated", 0);
    trail_kill(&t);
    opened(&t);
    add_many(&t, 2, 2);
    trail_check(&t, "started", 0);
    trail_free(&t);
}

Test(audit_writer, an_empty_commit_writes_nothing)
{
    struct trail t;
    size_t len, start, end;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(sk_writer_commit(t.writer), 0);
    }
    uint8_t *bytes = trail_load(&t, 1, &len);
    trail_last_group(bytes, len, &start, &end);
    cr_assert_eq(start, SK_FRAME_BLOCK, "the first snapshot stands alone");
    free(bytes);
    trail_free(&t);
}

Test(audit_writer, it_goes_on_over_many_files_and_starts)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    for (int life = 0; life < 6; life++) {
        opened(&t);
        add_many(&t, 9, life);
        add_many(&t, 3, 12);
        trail_check(&t, "life", life);
        cr_assert_eq(t.torn, 0);
        trail_kill(&t);
    }
    cr_assert_gt(t.files, 4);
    trail_free(&t);
}

Test(audit_writer, a_group_is_full_before_it_outgrows_the_file)
{
    struct trail t;
    size_t len;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 30; i++) {
        for (int j = 0; j < 10000 && !sk_writer_full(t.writer); j++) {
            cr_assert_eq(trail_add_long(&t, 512), 0);
        }
        cr_assert(sk_writer_full(t.writer));
        cr_assert_eq(trail_commit(&t), 0);
        cr_assert_not(sk_writer_full(t.writer));
    }
    trail_check(&t, "full", 0);
    for (uint64_t i = 1; i <= trail_last(&t); i++) {
        free(trail_load(&t, i, &len));
        cr_assert_eq(len, TRAIL_FILE, "file %lu grew to %zu", (unsigned long)i, len);
    }
    trail_free(&t);
}

Test(audit_writer, open_intents_become_unknown_once)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(trail_add(&t, i % 2 ? SK_AUDIT_STAGE_START : SK_AUDIT_STAGE_INTENT, 0), 0);
    }
    for (uint32_t i = 1; i <= 4; i++) {
        cr_assert_eq(trail_add(&t, i % 2 ? SK_AUDIT_STAGE_OUTCOME : SK_AUDIT_STAGE_END, i), 0);
    }
    cr_assert_eq(trail_commit(&t), 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 6);
    trail_kill(&t); /* before they were committed */
    opened(&t);
    cr_assert_eq(t.found.unknown, 6);
    cr_assert_eq(trail_commit(&t), 0);
    for (int i = 0; i < 2; i++) {
        trail_kill(&t);
        opened(&t);
        cr_assert_eq(t.found.unknown, 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_check_closed(&t, "unknown", 0);
    for (uint32_t i = 1; i <= 10; i++) {
        cr_assert_eq(t.unknown[i], i > 4, "intent %u", i);
    }
    trail_free(&t);
}

Test(audit_writer, an_intent_stays_open_over_rotations)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_INTENT, 0), 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_INTENT, 0), 0);
    add_many(&t, 30, 6);
    cr_assert_gt(trail_last(&t), 2);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_OUTCOME, 1), 0);
    cr_assert_eq(trail_commit(&t), 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 1);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check_closed(&t, "over rotations", 0);
    cr_assert_eq(t.unknown[2], 1);
    trail_free(&t);
}

Test(audit_writer, many_open_intents_become_unknown_in_several_groups)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 400; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_INTENT, 0), 0);
        cr_assert_eq(i % 8 == 7 ? trail_commit(&t) : 0, 0);
    }
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 400);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check_closed(&t, "many", 0);
    trail_free(&t);
}

Test(audit_writer, the_same_request_id_of_two_tenants_is_two_intents)
{
    struct trail t;
    static const uint8_t id[SK_ID_SIZE] = {5};
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 3; i++) {
        struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
                .stage = i < 2 ? SK_AUDIT_STAGE_INTENT : SK_AUDIT_STAGE_OUTCOME,
                .decision = SK_AUDIT_DECISION_ALLOW,
                .request = sk_slice(id, sizeof(id)),
                .tenant = {(uint8_t)(1 + i % 2)}};
        cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 1);
    trail_free(&t);
}

static void check_after(const char *what, void (*harm)(struct trail *t, const char *name))
{
    struct trail t;
    char name[40];
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    add_many(&t, 12, 6);
    sk_journal_file_name(trail_last(&t), name);
    cr_assert_eq(sk_writer_check(t.writer), 0);
    harm(&t, name);
    cr_assert_lt(sk_writer_check(t.writer), 0, "%s", what);
    (void)unlinkat(t.set.folder, "other", 0);
    trail_free(&t);
}

static void remove_it(struct trail *t, const char *name)
{
    cr_assert_eq(unlinkat(t->set.folder, name, 0), 0);
}

static void rename_it(struct trail *t, const char *name)
{
    cr_assert_eq(renameat(t->set.folder, name, t->set.folder, "other"), 0);
}

static void replace_it(struct trail *t, const char *name)
{
    rename_it(t, name);
    (void)close(trail_quick.create(t->set.folder, name, TRAIL_FILE));
}

static void link_it(struct trail *t, const char *name)
{
    cr_assert_eq(linkat(t->set.folder, name, t->set.folder, "other", 0), 0);
}

static void symlink_it(struct trail *t, const char *name)
{
    rename_it(t, name);
    cr_assert_eq(symlinkat("other", t->set.folder, name), 0);
}

Test(audit_writer, a_file_that_is_no_longer_the_folders_is_noticed)
{
    check_after("removed", remove_it);
    check_after("renamed", rename_it);
    check_after("replaced", replace_it);
    check_after("linked", link_it);
    check_after("a symbolic link", symlink_it);
}

Test(audit_writer, the_file_is_the_folders_through_rotations_and_starts)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    for (int life = 0; life < 3; life++) {
        opened(&t);
        for (int i = 0; i < 20; i++) {
            cr_assert_eq(sk_writer_check(t.writer), 0);
            add_many(&t, 1, 6);
        }
        trail_kill(&t);
    }
    trail_free(&t);
}

Test(audit_writer, a_missing_file_is_refused_and_named)
{
    struct trail t;
    char name[40];
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    add_many(&t, 40, 6);
    trail_kill(&t);
    uint64_t last = trail_last(&t);
    cr_assert_gt(last, 3);
    sk_journal_file_name(last - 1, name);
    cr_assert_eq(unlinkat(t.set.folder, name, 0), 0);
    cr_assert_eq(trail_read(&t), 1);
    cr_assert(strstr(t.error.text, "missing") != NULL, "%s", t.error.text);
    trail_free(&t);
}

Test(audit_writer, a_newest_file_that_was_taken_away_is_missed)
{
    struct trail t;
    char name[40];
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    add_many(&t, 40, 6);
    trail_kill(&t);
    for (uint64_t last = trail_last(&t); last > 0; last = trail_last(&t)) {
        sk_journal_file_name(last, name);
        cr_assert_eq(unlinkat(t.set.folder, name, 0), 0);
        cr_assert_eq(trail_open(&t), 1, "file %lu", (unsigned long)last);
        cr_assert(strstr(t.found.error.text, "missing") != NULL, "%s", t.found.error.text);
    }
    trail_free(&t);
}

static void add_owned(struct trail *t, uint8_t request, enum sk_audit_stage stage, unsigned owner)
{
    uint8_t id[SK_ID_SIZE] = {0x77, [4] = request};
    struct sk_audit_record record = {.op = SK_AUDIT_STREAM,
            .stage = stage,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .request = sk_slice(id, sizeof(id)),
            .tenant = {request}};
    cr_assert_eq(sk_writer_tenant(t->writer, record.tenant, record.tenant, UINT64_MAX), 0);
    cr_assert_eq(sk_writer_add(t->writer, &record, owner), 0);
}

Test(audit_writer, what_a_dead_process_left_open_becomes_unknown_and_nothing_else)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (uint8_t i = 1; i <= 90; i++) {
        add_owned(&t, i, i % 2 ? SK_AUDIT_STAGE_INTENT : SK_AUDIT_STAGE_START, i % 3);
    }
    for (uint8_t i = 1; i <= 30; i++) {
        add_owned(&t, i, SK_AUDIT_STAGE_OUTCOME, 0);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    cr_assert_eq(sk_writer_abandon(t.writer, 2), 0);
    cr_assert_eq(sk_writer_abandon(t.writer, 2), 0, "again is nothing");
    cr_assert_eq(sk_writer_abandon(t.writer, 77), 0);
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_check(&t, "abandoned", 0);
    for (uint8_t i = 1; i <= 90; i++) {
        cr_assert_eq(t.unknown[i], i > 30 && i % 3 == 2, "%u", i);
    }
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 40, "the other owners' are unknown from the start on");
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_check(&t, "started", 0);
    trail_free(&t);
}

/* The disk is full just then: what stays open for ever would be neither done nor unknown. */
Test(audit_writer, all_that_a_dead_process_left_open_becomes_unknown_on_a_broken_disk_too)
{
    struct trail t;
    struct sk_disk disk = trail_quick;
    trail_init(&t, &disk, TRAIL_FILE);
    opened(&t);
    for (int i = 0; i < 240; i++) {
        add_owned(&t, (uint8_t)(1 + i), SK_AUDIT_STAGE_INTENT, 5);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    disk.write = no_write;
    cr_assert_eq(sk_writer_abandon(t.writer, 5), 1, "more than a group");
    cr_assert_lt(sk_writer_commit(t.writer), 0);
    cr_assert_eq(sk_writer_abandon(t.writer, 5), 1, "the group is still full");
    disk.write = trail_quick.write;
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    for (int more = 1; more;) {
        more = sk_writer_abandon(t.writer, 5);
        cr_assert_geq(more, 0);
        cr_assert_eq(sk_writer_commit(t.writer), 0);
    }
    trail_check(&t, "abandoned", 0);
    for (int i = 1; i <= 240; i++) {
        cr_assert_eq(t.unknown[i], 1, "%d", i);
    }
    trail_free(&t);
}

static int add_for(struct trail *t, const uint8_t tenant[SK_ID_SIZE], enum sk_audit_stage stage, uint32_t request, unsigned owner)
{
    uint8_t id[SK_ID_SIZE] = {0x78};
    memcpy(id + 4, &request, sizeof(request));
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST, .stage = stage, .decision = SK_AUDIT_DECISION_ALLOW, .request = sk_slice(id, sizeof(id))};
    memcpy(record.tenant, tenant, SK_ID_SIZE);
    int r = sk_writer_add(t->writer, &record, owner);
    return r || !sk_writer_full(t->writer) ? r : sk_writer_commit(t->writer);
}

Test(audit_writer, who_is_an_owner_records_for_tenants_in_force_alone)
{
    struct trail t;
    static const uint8_t known[SK_ID_SIZE] = {1}, other[SK_ID_SIZE] = {2};
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    cr_assert_eq(add_for(&t, known, SK_AUDIT_STAGE_SINGLE, 1, 3), 2);
    cr_assert_eq(sk_writer_tenant(t.writer, known, known, UINT64_MAX), 0);
    cr_assert_eq(add_for(&t, known, SK_AUDIT_STAGE_SINGLE, 1, 3), 0);
    cr_assert_eq(add_for(&t, other, SK_AUDIT_STAGE_SINGLE, 1, 3), 2);
    cr_assert_eq(sk_writer_tenant(t.writer, known, known, sk_clock_boot() + SK_WRITER_GONE), 0);
    cr_assert_eq(add_for(&t, known, SK_AUDIT_STAGE_SINGLE, 2, 3), 0, "gone, but not for long");
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(add_for(&t, known, SK_AUDIT_STAGE_SINGLE, 3, 3), 0, "it may have been in force until just now");
    sk_clock_advance((int64_t)SK_WRITER_GONE + 1);
    cr_assert_eq(add_for(&t, known, SK_AUDIT_STAGE_SINGLE, 4, 3), 2);
    cr_assert_eq(add_for(&t, other, SK_AUDIT_STAGE_SINGLE, 4, 0), 0, "who owns nothing is this process itself");
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_check(&t, "in force", 0);
    cr_assert_eq(t.read, 4, "what was refused left nothing behind");
    trail_free(&t);
}

Test(audit_writer, an_owner_has_so_many_intents_open_and_no_more, .timeout = 60)
{
    struct trail t;
    static const uint8_t tenant[SK_ID_SIZE] = {1};
    trail_init(&t, &trail_quick, (size_t)64 << 20);
    opened(&t);
    cr_assert_eq(sk_writer_tenant(t.writer, tenant, tenant, UINT64_MAX), 0);
    for (uint32_t i = 1; i <= SK_WRITER_OPENS_MAX; i++) {
        cr_assert_eq(add_for(&t, tenant, i % 2 ? SK_AUDIT_STAGE_INTENT : SK_AUDIT_STAGE_START, i, 3), 0);
    }
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_INTENT, 0, 3), 3);
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_SINGLE, 0, 3), 0);
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_INTENT, 1 << 20, 4), 0, "another's are its own");
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_OUTCOME, 7, 3), 0);
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_INTENT, 0, 3), 0);
    cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_START, 7, 3), 3);
    int more = 1;
    for (int groups = 0; more; groups++) {
        cr_assert_lt(groups, 100);
        more = sk_writer_abandon(t.writer, 3);
        cr_assert_eq(sk_writer_commit(t.writer), 0);
    }
    cr_assert_eq(more, 0);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 1, "the other one's");
    trail_free(&t);
}

/* No number of tenants and intents makes a journal that cannot be gone on with. */
Test(audit_writer, a_snapshot_longer_than_a_group_and_than_a_file_is_whole)
{
    struct trail t;
    uint8_t tenant[SK_ID_SIZE] = {9};
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (uint32_t i = 1; i <= 3000; i++) {
        memcpy(tenant + 4, &i, sizeof(i));
        cr_assert_eq(add_for(&t, tenant, i % 3 ? SK_AUDIT_STAGE_SINGLE : SK_AUDIT_STAGE_INTENT, i, 0), 0);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    uint64_t before = trail_last(&t);
    add_many(&t, 60, 6);
    cr_assert_lt(trail_last(&t) - before, 6, "a file has room for more than its snapshot");
    trail_check(&t, "long", 0);
    cr_assert_eq(t.read, 3000 + 360);
    trail_kill(&t);
    opened(&t);
    cr_assert_eq(t.found.unknown, 1000);
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_check(&t, "started", 0);
    trail_free(&t);
}

Test(audit_writer, each_part_of_a_snapshot_counts)
{
    struct trail t;
    struct sk_frame_group group;
    uint8_t tenant[SK_ID_SIZE] = {9};
    size_t len, parts = 0;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    for (uint32_t i = 1; i <= 500; i++) { /* an entry and a peak each */
        memcpy(tenant + 4, &i, sizeof(i));
        cr_assert_eq(add_for(&t, tenant, SK_AUDIT_STAGE_SINGLE, i, 0), 0);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    add_many(&t, 30, 6);
    trail_kill(&t);
    uint64_t last = trail_last(&t);
    uint8_t *bytes = trail_load(&t, last, &len), *changed = malloc(len);
    cr_assert_not_null(changed);
    for (size_t at = SK_FRAME_BLOCK; at < len && sk_frame_get_group(bytes + at, &group) == 0 && group.kind != SK_FRAME_RECORDS; parts++) {
        size_t size = sk_frame_group_size(group.body);
        cr_assert_eq(group.kind == SK_FRAME_PART, parts < 3);
        memcpy(changed, bytes, len);
        memset(changed + at, 0, len - at); /* all from here on */
        trail_store(&t, last, changed, len);
        cr_assert_eq(trail_read(&t), 1);
        cr_assert_eq(trail_open(&t), 1, "part %zu and what follows is missing", parts);
        memcpy(changed, bytes, len);
        memmove(changed + at, changed + at + size, len - at - size);
        trail_store(&t, last, changed, len);
        cr_assert_eq(trail_open(&t), 1, "part %zu is missing", parts);
        at += size;
    }
    cr_assert_eq(parts, 4);
    trail_store(&t, last, bytes, len);
    opened(&t);
    free(changed);
    free(bytes);
    trail_free(&t);
}

/* Older files are the sealer's to check: a start reads from the newest snapshot on, however long the journal
 * is. */
Test(audit_writer, a_start_reads_no_more_than_from_the_newest_snapshot)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    add_many(&t, 60, 6);
    trail_kill(&t);
    opened(&t);
    cr_assert_lt(t.found.records, 100);
    trail_free(&t);
}

Test(audit_writer, a_folder_that_cannot_be_listed_whole_is_not_taken_for_empty)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    opened(&t);
    add_many(&t, 40, 6);
    uint64_t last = trail_last(&t);
    trail_kill(&t);
    for (int n = 0; n < (int)last + 3; n++) {
        readdir_left = n;
        int r = trail_open(&t);
        readdir_left = -1;
        cr_assert_eq(r, -EIO, "entry %d: %d", n, r);
        cr_assert_eq(trail_last(&t), last);
    }
    opened(&t);
    add_many(&t, 2, 2);
    trail_check(&t, "listed", 0);
    trail_free(&t);
}

Test(audit_writer, other_files_in_the_folder_do_not_matter)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    static const char *const names[] = {"journal-0000000000000000.skj", "journal-00000000000000AB.skj",
            "journal-1.skj", ".hidden", "journal-0000000000000007.skj~"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        (void)close(trail_quick.create(t.set.folder, names[i], 100));
    }
    for (int i = 0; i < 2; i++) {
        opened(&t);
        add_many(&t, 3, 3);
        trail_kill(&t);
    }
    trail_check(&t, "others", 0);
    cr_assert_eq(t.files, 1);
    trail_free(&t);
}
