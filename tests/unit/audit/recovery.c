/*
 * gateway/audit/recovery.c beside a signer: what is durable and not signed is told once more, in order; a journal that is less than what was
 * signed is no journal.
 */
#include "trail.h"

#include "base/clock.h"
#include "ipc/signer.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The wall clock, in days since then; 0: as it is. */
static uint64_t today;

uint64_t __wrap_sk_clock_wall(void);
uint64_t __real_sk_clock_wall(void);

uint64_t __wrap_sk_clock_wall(void)
{
    return today ? today * SK_DAY + 1 : __real_sk_clock_wall();
}

/* What the signer knows: for tenants 1 to 3, of the first byte of their id, how many and the last leaf it was told. */
static struct sk_writer_stand stands[4];
static struct sk_table table;
static struct sk_tree trees[4];

static void stands_clear(void)
{
    sk_table_free(&table);
    table = (struct sk_table){NULL, 0, 0};
}

/* Leaves of the tenants in order, as the journal has them. */
static uint8_t known[4][200][SK_TREE_HASH];
static uint64_t known_count[4];

static void on_leaf(void *context sk_unused, const struct sk_journal_read *read)
{
    uint8_t i = read->frame->tenant[0];
    if (known_count[i] < SK_COUNT(known[i])) {
        memcpy(known[i][known_count[i]++], read->leaf, SK_TREE_HASH);
    }
}

static void root_of(uint8_t tenant, uint64_t size, uint8_t root[SK_TREE_HASH])
{
    struct sk_tree tree = {.size = 0};
    for (uint64_t i = 0; i < size && i < known_count[tenant]; i++) {
        sk_tree_append(&tree, known[tenant][i]);
    }
    sk_tree_root(&tree, root);
}

/* The signer signed so many of what is in the journal, and knows no more. */
static void stands_are(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t sizes[] = {0, a, b, c};
    stands_clear();
    for (uint8_t i = 1; i < 4; i++) {
        stands[i] = (struct sk_writer_stand){.tenant = {i}, .size = sizes[i]};
        root_of(i, sizes[i], stands[i].root);
        if (sizes[i] == 0) {
            continue; /* none is told of */
        }
        cr_assert_eq(sk_table_add(&table, &stands[i].node, sk_table_hash(sk_slice(stands[i].tenant, SK_ID_SIZE))), 0);
    }
}

/* As the signer reads it: nothing twice that changes, nothing left out. Bytes. */
static size_t take(const struct trail *t)
{
    struct sk_slice leaves = sk_writer_unsigned(t->writer);
    size_t bytes = leaves.len;
    cr_assert_eq(bytes % SK_SIGNER_LEAF, 0);
    for (; leaves.len; leaves = sk_slice_from(leaves, SK_SIGNER_LEAF)) {
        const uint8_t *leaf = (const uint8_t *)leaves.data;
        uint64_t seq;
        memcpy(&seq, leaf + SK_ID_SIZE, sizeof(seq));
        struct sk_tree *tree = &trees[leaf[0] % 4];
        cr_assert_leq(le64toh(seq), tree->size, "tenant %d: %d is missing", leaf[0], (int)tree->size);
        if (le64toh(seq) == tree->size) {
            sk_tree_append(tree, leaf + SK_ID_SIZE + 8);
        }
    }
    return bytes;
}

/* The signer's trees are those of the journal's records. */
static void expect_same_trees(struct trail *t)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    uint8_t root[SK_TREE_HASH], own[SK_TREE_HASH];
    for (uint64_t n = 1; n <= trail_last(t); n++) {
        size_t len;
        uint64_t end, torn;
        struct sk_journal_error error;
        uint8_t *bytes = trail_load(t, n, &len);
        cr_assert_eq(sk_journal_read(&state, sk_slice(bytes, len), NULL, NULL, NULL, &end, &torn, &error), 0, "%s", error.text);
        free(bytes);
    }
    for (uint8_t i = 1; i < 4; i++) {
        uint8_t id[SK_ID_SIZE] = {i};
        const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&state, id);
        cr_assert_not_null(tenant);
        cr_expect_eq(tenant->tree.size, trees[i].size);
        sk_tree_root(&tenant->tree, root);
        sk_tree_root(&trees[i], own);
        cr_expect_arr_eq(root, own, sizeof(root), "tenant %d", i);
    }
    sk_journal_state_free(&state);
}

static void begin(struct trail *t)
{
    memset(trees, 0, sizeof(trees));
    stands_clear();
    trail_init(t, &trail_quick, TRAIL_FILE);
    t->set.stands = &table;
    cr_assert_eq(trail_open(t), 0);
}

/* What is in the journal now is what the signer has seen. */
static void learn(const struct trail *t)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    memset(known_count, 0, sizeof(known_count));
    for (uint64_t n = 1; n <= trail_last(t); n++) {
        size_t len;
        uint64_t end, torn;
        struct sk_journal_error error;
        uint8_t *bytes = trail_load(t, n, &len);
        cr_assert_eq(sk_journal_read(&state, sk_slice(bytes, len), NULL, on_leaf, NULL, &end, &torn, &error), 0, "%s", error.text);
        free(bytes);
    }
    sk_journal_state_free(&state);
}

static void add_groups(struct trail *t, int groups)
{
    for (int i = 0; i < groups * 6; i++) {
        cr_assert_eq(trail_add_long(t, 450), 0);
        cr_assert_eq(i % 6 == 5 ? trail_commit(t) : 0, 0);
    }
}

static void end(struct trail *t)
{
    trail_free(t);
    stands_clear();
}

Test(audit_recovery, only_what_is_durable_is_told)
{
    struct trail t;
    begin(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
    cr_assert_eq(trail_commit(&t), 0);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, SK_SIGNER_LEAF);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_expect_eq(take(&t), SK_SIGNER_LEAF);
    sk_writer_signed(t.writer, SK_SIGNER_LEAF);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
    cr_assert_eq(trail_commit(&t), 0);
    cr_expect_eq(take(&t), SK_SIGNER_LEAF);
    end(&t);
}

Test(audit_recovery, what_is_not_signed_is_told_again_after_a_start)
{
    struct trail t;
    begin(&t);
    add_groups(&t, 5);
    size_t bytes = take(&t);
    cr_expect_eq(bytes, 30 * SK_SIGNER_LEAF);
    trail_kill(&t);
    learn(&t);
    stands_are(10, 4, 0);
    cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
    cr_expect_eq(take(&t), (30 - 14) * SK_SIGNER_LEAF);
    add_groups(&t, 2);
    (void)take(&t);
    trail_kill(&t);
    expect_same_trees(&t);
    end(&t);
}

/* The newest file's snapshot is ahead of what is signed: its leaves stand in a file before it. */
Test(audit_recovery, it_reads_from_the_newest_file_that_is_not_ahead_of_what_is_signed)
{
    struct trail t;
    begin(&t);
    add_groups(&t, 60);
    cr_assert_gt(trail_last(&t), 3);
    trail_kill(&t);
    learn(&t);
    for (uint64_t size = 0; size <= 120; size += 30) {
        stands_are(size, size, size);
        memset(trees, 0, sizeof(trees));
        for (uint8_t i = 1; i < 4; i++) {
            trees[i].size = size; /* their hashes are of no interest here */
        }
        cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
        cr_expect_eq(take(&t), 3 * (120 - size) * SK_SIGNER_LEAF, "%d", (int)size);
        cr_expect_eq(trees[2].size, 120);
        cr_expect(size ? t.found.records < 360 : t.found.records == 360);
        trail_kill(&t);
    }
    end(&t);
}

Test(audit_recovery, a_journal_that_is_less_than_what_is_signed_is_refused)
{
    struct trail t;
    begin(&t);
    add_groups(&t, 5);
    trail_kill(&t);
    learn(&t);
    stands_are(10, 10, 10);
    cr_assert_eq(trail_open(&t), 0);
    trail_kill(&t);
    learn(&t);
    stands_are(10, 11, 10);
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_str_eq(t.found.error.text, "the journal ends too early: tenant 02000000000000000000000000000000 has 10 records, and 11 are signed");
    /* One of whom the journal knows nothing. */
    stands_are(10, 10, 10);
    struct sk_writer_stand nobody = {.tenant = {9}, .size = 1};
    cr_assert_eq(sk_table_add(&table, &nobody.node, sk_table_hash(sk_slice(nobody.tenant, SK_ID_SIZE))), 0);
    cr_expect_eq(trail_open(&t), 1);
    end(&t);
}

Test(audit_recovery, an_older_journal_brought_back_is_refused)
{
    struct trail t;
    size_t len;
    begin(&t);
    add_groups(&t, 5);
    trail_kill(&t);
    uint8_t *older = trail_load(&t, 1, &len);
    cr_assert_eq(trail_open(&t), 0);
    add_groups(&t, 1);
    trail_kill(&t);
    learn(&t);
    trail_store(&t, 1, older, len);
    (void)unlinkat(t.set.folder, SK_JOURNAL_HEAD, 0); /* brought back too */
    stands_are(12, 12, 12);
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_not_null(strstr(t.found.error.text, "ends too early"), "%s", t.found.error.text);
    free(older);
    end(&t);
}

/* As long, whole in itself, with keys and all: by who has the root key, or by chance of a backup. */
Test(audit_recovery, another_journal_of_the_same_length_is_refused)
{
    struct trail t;
    for (unsigned at = 0; at < 2; at++) {
        begin(&t);
        add_groups(&t, at ? 60 : 5);
        trail_kill(&t);
        learn(&t);
        if (at == 0) {
            stands_are(10, 10, 10);
        } else {
            stands_are(120, 120, 120);
        }
        cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
        trail_kill(&t);
        for (uint8_t i = 1; i < 4; i++) {
            stands[i].met = false;
        }
        stands[2].root[0] ^= 1;
        cr_expect_eq(trail_open(&t), 1);
        cr_expect_str_eq(t.found.error.text, at ? "the first 120 records of tenant 02000000000000000000000000000000 are not those that are signed"
                                                : "the first 10 records of tenant 02000000000000000000000000000000 are not those that are signed");
        end(&t);
    }
}

Test(audit_recovery, a_journal_of_another_epoch_is_refused)
{
    struct trail t;
    begin(&t);
    t.writer = sk_writer_free(t.writer);
    t.set.epoch[0] = 7;
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_str_eq(t.found.error.text, "the journal is not the one whose checkpoints DATA/signer has");
    end(&t);
}

/* However far the checkpoints are behind: an older copy may have been brought back. */
Test(audit_recovery, more_unsigned_records_than_are_kept_at_work_are_told_after_a_start)
{
    struct trail t;
    memset(trees, 0, sizeof(trees));
    stands_clear();
    trail_init(&t, &trail_quick, (size_t)64 << 20);
    t.set.stands = &table;
    cr_assert_eq(trail_open(&t), 0);
    size_t count = 0;
    static struct sk_audit_record record = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    for (; count < ((size_t)64 << 20) / SK_SIGNER_LEAF + 1000; count++) {
        if (sk_writer_full(t.writer)) {
            cr_assert_eq(sk_writer_commit(t.writer), 0);
            sk_writer_signed(t.writer, sk_writer_unsigned(t.writer).len);
        }
        cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
    }
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, count * SK_SIGNER_LEAF);
    end(&t);
}

/* The leaf has no room: the record is tried again, and then opens what it opens. */
Test(audit_recovery, a_record_that_was_held_opens_its_intent_once_and_in_its_place)
{
    struct trail t;
    begin(&t);
    struct sk_audit_record record = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW, .tenant = {1}};
    int r = 0;
    while ((r = sk_writer_add(t.writer, &record, 0)) == 0) {
        cr_assert_eq(sk_writer_full(t.writer) ? sk_writer_commit(t.writer) : 0, 0);
        trail_spare(&t);
    }
    cr_assert_eq(r, -ENOMEM, "64 MiB of leaves");
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_INTENT, 0), -ENOMEM);
    cr_assert_eq(sk_writer_commit(t.writer), 0);
    sk_writer_signed(t.writer, sk_writer_unsigned(t.writer).len);
    cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_INTENT, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    add_groups(&t, 40);
    trail_kill(&t);
    t.set.stands = NULL;
    cr_expect_eq(trail_open(&t), 0, "%s", t.found.error.text);
    cr_expect_eq(t.found.unknown, 1);
    end(&t);
}

/* What a write failed to bring to the disk is not told before it is there. */
static bool disk_fails;

static int failing_write(int fd, struct sk_slice bytes, off_t at)
{
    return disk_fails ? -EIO : trail_quick.write(fd, bytes, at);
}

static int failing_create(int folder, const char *name, size_t size)
{
    return disk_fails ? -EIO : trail_quick.create(folder, name, size);
}

Test(audit_recovery, what_could_not_be_written_is_not_told)
{
    static struct sk_disk failing;
    struct trail t;
    failing = (struct sk_disk){failing_create, failing_write, trail_quick.rename};
    begin(&t);
    trail_kill(&t);
    t.set.disk = &failing;
    cr_assert_eq(trail_open(&t), 0);
    add_groups(&t, 1);
    (void)take(&t);
    sk_writer_signed(t.writer, sk_writer_unsigned(t.writer).len);
    disk_fails = true;
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_neq(trail_commit(&t), 0);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
    disk_fails = false;
    cr_assert_eq(trail_commit(&t), 0);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, SK_SIGNER_LEAF);
    end(&t);
}

Test(audit_recovery, files_that_begin_behind_what_is_signed_are_refused)
{
    struct trail t;
    begin(&t);
    add_groups(&t, 60);
    trail_kill(&t);
    learn(&t);
    for (uint64_t n = 1; n < trail_last(&t); n++) {
        char name[40];
        sk_journal_file_name(n, name);
        cr_assert_eq(unlinkat(t.set.folder, name, 0), 0);
    }
    stands_are(1, 1, 1);
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_not_null(strstr(t.found.error.text, "the oldest file begins behind what is signed"), "%s", t.found.error.text);
    stands_are(120, 120, 120);
    cr_expect_eq(trail_open(&t), 0, "%s", t.found.error.text);
    end(&t);
}

/* ---- keys ---- */

static void replace_keys(const struct trail *t, const void *bytes, size_t len)
{
    int fd = openat(t->set.folder, SK_KEYS_FILE, O_WRONLY | O_TRUNC | O_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
}

static char *load_keys(const struct trail *t, size_t *len)
{
    static char bytes[64 * SK_KEYS_SLOT];
    int fd = openat(t->set.folder, SK_KEYS_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof(bytes));
    cr_assert(fd >= 0 && n > 0);
    (void)close(fd);
    *len = (size_t)n;
    return bytes;
}

Test(audit_recovery, a_key_is_on_disk_once_for_each_tenant_and_day)
{
    struct trail t;
    size_t len;
    begin(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    (void)load_keys(&t, &len);
    cr_expect_eq(len, 2 * SK_KEYS_SLOT, "a tenant's, and a day's");
    add_groups(&t, 2);
    (void)load_keys(&t, &len);
    cr_expect_eq(len, 4 * SK_KEYS_SLOT, "and two tenants' more");
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0);
    add_groups(&t, 2);
    (void)load_keys(&t, &len);
    cr_expect_eq(len, 4 * SK_KEYS_SLOT);
    trail_check(&t, "sealed", 0);
    end(&t);
}

Test(audit_recovery, keys_that_are_gone_or_changed_are_refused)
{
    struct trail t;
    size_t len;
    begin(&t);
    add_groups(&t, 2);
    trail_kill(&t);
    char *bytes = load_keys(&t, &len), *copy = malloc(len);
    memcpy(copy, bytes, len);
    replace_keys(&t, "", 0);
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_not_null(strstr(t.found.error.text, "the keys have none for the record's tenant and day"), "%s", t.found.error.text);
    bytes[2 * SK_KEYS_SLOT + 60] ^= 1;
    replace_keys(&t, bytes, len);
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_str_eq(t.found.file, "keys");
    cr_expect_str_eq(t.found.error.text, "key 3 was changed, or is of another root key");
    replace_keys(&t, copy, len);
    cr_expect_eq(trail_open(&t), 0, "%s", t.found.error.text);
    free(copy);
    end(&t);
}

/* The newest file has a snapshot alone: nothing in it is sealed. */
Test(audit_recovery, a_tenant_that_recorded_before_must_have_its_key)
{
    struct trail t;
    begin(&t);
    uint64_t last = trail_last(&t);
    while (trail_last(&t) == last) {
        add_groups(&t, 1);
    }
    trail_kill(&t);
    replace_keys(&t, "", 0);
    t.set.stands = NULL;
    cr_expect_eq(trail_open(&t), 1);
    cr_expect_str_eq(t.found.file, "keys");
    cr_expect_not_null(strstr(t.found.error.text, "is missing: what it recorded cannot be read"), "%s", t.found.error.text);
    end(&t);
}

/* What is recorded on a day is erased with it: by the clock, when there is a file for the day, and when one that was set back has stayed so for an hour; one that was ahead
 * and is right again is believed at once. */
Test(audit_recovery, records_are_sealed_for_the_day_that_the_clock_says)
{
    static const struct {
        uint64_t today;
        uint32_t sealed_for;
        bool later;                  /* by more than an hour */
        size_t keys;
    } days[] = {{20000, 20000, false, 1}, {20001, 20001, false, 2}, {47000, 47000, false, 3}, {20001, 20001, false, 3}, {19990, 20001, false, 3}, {19990, 19990, true, 4},
            {20002, 20002, false, 5}};
    struct sk_frame_group group;
    struct trail t;
    size_t len, start, group_end;
    begin(&t);
    for (size_t i = 0; i < SK_COUNT(days); i++) {
        today = days[i].today;
        sk_clock_advance(days[i].later ? (int64_t)SK_WRITER_DOUBT : 0);
        for (int j = 0; j < 6; j++) {
            cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
            today += i == 0 && j == 5; /* midnight comes before the commit */
            cr_assert_eq(trail_commit(&t), 0);
            uint8_t *bytes = trail_load(&t, trail_last(&t), &len);
            trail_last_group(bytes, len, &start, &group_end);
            cr_assert_eq(sk_frame_get_group(bytes + start, &group), 0);
            cr_expect(j < 5 || group.day == days[i].sealed_for, "%zu: %u", i, group.day);
            free(bytes);
            if (j == 2) {
                trail_spare(&t);
            }
        }
        (void)load_keys(&t, &len);
        cr_expect_eq(len, (3 + days[i].keys) * SK_KEYS_SLOT, "%zu", len / SK_KEYS_SLOT);
        if (i == 1) { /* a start keeps to it */
            trail_kill(&t);
            cr_assert_eq(trail_open(&t), 0);
        }
    }
    trail_check(&t, "by days", 0);
    end(&t);
    today = 0;
}

Test(audit_recovery, a_day_begins_a_file_when_one_is_ready_and_waits_for_none)
{
    struct trail t;
    today = 30000;
    begin(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0) || trail_commit(&t), 0);
    today++;
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0) || trail_commit(&t), 0);
    cr_expect_eq(trail_last(&t), 1, "none was ready");
    trail_spare(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0) || trail_commit(&t), 0);
    cr_expect_eq(trail_last(&t), 2);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0) || trail_commit(&t), 0);
    trail_spare(&t);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0) || trail_commit(&t), 0);
    cr_expect_eq(trail_last(&t), 2, "once for a day");
    trail_check(&t, "turned", 0);
    end(&t);
    today = 0;
}

Test(audit_recovery, a_days_file_takes_no_more_room_than_its_records)
{
    struct trail t;
    struct stat info;
    begin(&t);
    trail_kill(&t);
    t.set.disk = &sk_disk_real;
    t.set.file_size = (size_t)8 << 20;
    for (today = 30000; today < 30002; today++) {
        cr_assert_eq(t.writer ? 0 : trail_open(&t), 0);
        for (int i = 0; i < 2; i++) { /* the day's second finds its file ready */
            cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
            cr_assert_eq(trail_commit(&t), 0);
            trail_spare(&t);
        }
    }
    today = 0;
    uint64_t last = trail_last(&t);
    for (uint64_t n = last - 1; n <= last; n++) {
        char name[40];
        sk_journal_file_name(n, name);
        cr_assert_eq(fstatat(t.set.folder, name, &info, 0), 0);
        cr_expect_eq(info.st_blocks * 512 < (n < last ? 1 << 20 : info.st_size), n < last, "file %d: %d blocks", (int)n, (int)info.st_blocks);
    }
    trail_check(&t, "holes", 0);
    end(&t);
}

Test(audit_recovery, each_run_seals_with_keys_of_its_own)
{
    struct trail t;
    struct sk_frame_group group;
    uint8_t runs[2][SK_ID_SIZE];
    size_t len, start, group_end;
    begin(&t);
    for (int i = 0; i < 2; i++) {
        add_groups(&t, 1);
        trail_kill(&t);
        uint8_t *bytes = trail_load(&t, trail_last(&t), &len);
        trail_last_group(bytes, len, &start, &group_end);
        cr_assert_eq(sk_frame_get_group(bytes + start, &group), 0);
        memcpy(runs[i], group.run, SK_ID_SIZE);
        cr_expect_geq(group.day, 20000);
        free(bytes);
        cr_assert_eq(trail_open(&t), 0);
    }
    cr_expect_arr_neq(runs[0], runs[1], SK_ID_SIZE);
    end(&t);
}
