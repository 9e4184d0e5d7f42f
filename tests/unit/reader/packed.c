/* The reader over packed files: what is proved, fed and opened of them, also while somebody writes in them. */
#include "level.h"
#include "reader/feeding.h"
#include "reader/proof.h"

#include "journal/record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

static const uint8_t second[SK_ID_SIZE] = {2}, service[SK_ID_SIZE];
static struct trail trail;
static struct follow follow;
static struct sk_disk disk;

static void setup(void)
{
    disk = trail_quick;
    level_packs = false;
    trail_init(&trail, &disk, TRAIL_FILE * 4);
    trail.set.secret[5] = 5;
    cr_assert_eq(trail_open(&trail), 0);
    level_begin(&trail, &follow, trail.set.secret, false);
}

static void teardown(void)
{
    follow_free(&follow);
    trail_free(&trail);
}

TestSuite(reader_packed, .init = setup, .fini = teardown, .timeout = 200);

static void add(int records)
{
    for (int i = 0; i < records; i++) {
        cr_assert_eq(trail_add_long(&trail, 100), 0);
    }
    cr_assert_eq(trail_commit(&trail), 0);
}

static void add_files(uint64_t files)
{
    for (uint64_t last = trail_last(&trail) + files; trail_last(&trail) < last;) {
        add(9);
    }
}

static void bring(void)
{
    struct follow_goal goal = level_goal(&trail);
    goal.erased = sk_writer_erased(trail.writer);
    cr_assert_eq(level(&trail, &follow, &goal), FOLLOW_LEVEL, "%s", follow.error.text);
}

static void bring_packed(void)
{
    level_packs = true;
    bring();
    bring();
    cr_assert(follow.segments.all[0].header.packed);
}

Test(reader_packed, what_stands_before_a_renewed_tenants_records_is_proved_as_before)
{
    static uint8_t was[PROOF_MOST][SK_TREE_HASH], is[PROOF_MOST][SK_TREE_HASH];
    size_t was_count[70], count = 0;
    static uint8_t all[70][PROOF_MOST][SK_TREE_HASH];
    add(90); /* 30 of each tenant */
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    cr_assert_eq(sk_writer_tenant(trail.writer, second, service, UINT64_MAX), 0);
    add(120);
    add_files(3);
    bring();
    for (size_t to = 30; to < 70; to++) { /* before these nothing can be exported */
        cr_assert_eq(proof_left(&follow.segments, second, to, was, &was_count[to]), 0);
        memcpy(all[to], was, sizeof(was));
    }
    bring_packed();
    for (size_t to = 30; to < 70; to++) {
        cr_assert_eq(proof_left(&follow.segments, second, to, is, &count), 0, "%zu", to);
        cr_expect(count == was_count[to] && memcmp(is, all[to], count * SK_TREE_HASH) == 0, "%zu", to);
    }
}

static void take(void *context, struct sk_slice cbor sk_unused)
{
    ++*(unsigned *)context;
}

Test(reader_packed, a_feed_gets_nothing_of_a_file_before_it_was_read_and_proven)
{
    unsigned fed = 0;
    bool lost = false;
    struct feed_place place = {1, 1, 0};
    add_files(4);
    level_packs = true;
    struct follow_goal goal = level_goal(&trail);
    while (!follow.begun || follow.segments.count < 5) {
        if (follow_step(&follow, &goal) == FOLLOW_NEED) {
            cr_assert_eq(follow_bring(&follow, follow.need, level_open(&trail, follow.need)), 0);
        }
    }
    cr_assert_eq(follow.reading, 0);
    cr_assert_eq(feeding_next(&follow, &place, 100000, &lost, take, &fed), 0);
    cr_expect_eq(fed, 0);
    bring();
    cr_assert_eq(feeding_next(&follow, &place, 100000, &lost, take, &fed), 0);
    cr_expect_eq(fed, trail.count);
}

/* The row of the second tenant's part in the first file. As segment_open. */
static int open_row(const struct sk_keys *keys, uint32_t row)
{
    static struct sk_sealing sealing;
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record;
    struct part part;
    size_t len;
    cr_assert(segment_part(&follow.segments.all[0], second, &part) && part.rows > 131);
    int r = segment_open(&follow.segments.all[0], keys, second, &part, row, &sealing, cbor, &len, &record);
    sk_sealing_free(&sealing);
    return r;
}

Test(reader_packed, a_chunk_that_was_opened_is_not_given_out_with_keys_that_are_gone)
{
    add_files(3);
    bring_packed();
    cr_assert_eq(open_row(follow.keys, 0), 0);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    struct sk_keys *keys = trail_keys(&trail);
    cr_expect_eq(open_row(keys, 0), 2);
    (void)sk_keys_free(keys);
}

/* Changed in place, while it is mapped. */
static void overwrite(uint32_t n, const struct sk_packed_chunk *chunk)
{
    uint8_t entry[SK_PACKED_ENTRY];
    char name[40];
    sk_journal_file_name(1, name);
    int fd = openat(trail.set.folder, name, O_RDWR | O_CLOEXEC);
    sk_packed_put_chunk(chunk, entry);
    cr_assert_eq(pwrite(fd, entry, sizeof(entry), (off_t)(follow.segments.all[0].packed.header.directory + n * SK_PACKED_ENTRY)), (ssize_t)SK_PACKED_ENTRY);
    (void)close(fd);
}

Test(reader_packed, a_directory_that_is_changed_while_it_is_mapped_harms_nobody)
{
    add_files(3);
    bring_packed();
    const struct sk_packed *packed = &follow.segments.all[0].packed;
    const uint32_t n = sk_packed_find(packed, second, 0);
    const struct sk_packed_chunk first = sk_packed_chunk(packed, n), next = sk_packed_chunk(packed, n + 1);
    struct sk_packed_chunk longer = first, elsewhere = first, later = next, larger = first;
    longer.count = 1000;
    later.seq = 1000;
    elsewhere.at = UINT64_C(1) << 40;
    larger.len = UINT32_MAX;
    const struct sk_packed_chunk *const changes[][2] = {{&longer, &later}, {&elsewhere, &next}, {&larger, &next}, {&first, &later}};
    for (size_t i = 0; i < SK_COUNT(changes); i++) {
        cr_assert(open_row(follow.keys, 0) == 0 && open_row(follow.keys, 131) == 0);
        overwrite(n, changes[i][0]);
        overwrite(n + 1, changes[i][1]);
        cr_expect(open_row(follow.keys, 131) != 0 || open_row(follow.keys, 0) != 0, "change %zu", i);
        overwrite(n, &first);
        overwrite(n + 1, &next);
    }
}
