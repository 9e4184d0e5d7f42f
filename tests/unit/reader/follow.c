/* gateway/reader/follow.c beside a writer: the index has what is durable and no more, and a journal that does not go on as it must is not followed. */
#include "level.h"
#include "reader/feeding.h"

#include "ipc/serving.h"
#include "journal/record.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct trail trail;
static struct follow follow;
static bool write_fails; /* the journal's next one */

static int faulty_write(int fd, struct sk_slice bytes, off_t at)
{
    if (write_fails) {
        write_fails = false;
        (void)trail_quick.write(fd, sk_slice_cut(bytes, bytes.len / 2), at);
        return -EIO;
    }
    return trail_quick.write(fd, bytes, at);
}

static struct sk_disk disk;

static void setup(void)
{
    disk = trail_quick;
    disk.write = faulty_write;
    trail_init(&trail, &disk, TRAIL_FILE);
    trail.set.secret[5] = 5;
    cr_assert_eq(trail_open(&trail), 0);
    level_begin(&trail, &follow, trail.set.secret, false);
}

static void teardown(void)
{
    follow_free(&follow);
    trail_free(&trail);
}

TestSuite(reader_follow, .init = setup, .fini = teardown);

static void add(int records)
{
    for (int i = 0; i < records; i++) {
        cr_assert_eq(trail_add_long(&trail, 450), 0);
    }
    cr_assert_eq(trail_commit(&trail), 0);
}

/* Over several files. */
static void add_files(uint64_t files)
{
    for (uint64_t last = trail_last(&trail) + files; trail_last(&trail) < last;) {
        add(9);
    }
}

/* Every row is where its record's frame is. */
static void check_places(const struct segment *segment, const struct part *part, uint8_t tenant)
{
    for (uint32_t row = 0; row < part->rows; row++) {
        uint64_t place = 0;
        struct sk_frame_record frame;
        struct sk_slice held;
        cr_assert_eq(part->kind->place(part, row, &place), 0);
        struct sk_slice rest = sk_slice_from(segment->bytes, place);
        cr_assert(sk_frame_next_record(&rest, &frame, &held) == 0 && frame.tenant[0] == tenant && frame.seq == part->seq + row, "tenant %u, row %u of file %lu", tenant, row,
                (unsigned long)part->file);
    }
}

/* How many records of all tenants are indexed, each once. */
static uint64_t indexed(const struct follow *f)
{
    uint64_t all = 0;
    for (uint8_t tenant = 1; tenant <= 3; tenant++) {
        uint64_t next = 0;
        for (size_t i = 0; i < f->segments.count; i++) {
            const struct part *part = level_part(&f->segments.all[i], (const uint8_t[SK_ID_SIZE]){tenant});
            if (part) {
                cr_assert(part->file == f->segments.all[i].header.number && part->seq == next, "tenant %u, file %lu", tenant, (unsigned long)part->file);
                check_places(&f->segments.all[i], part, tenant);
                next += part->rows;
            }
        }
        all += next;
    }
    return all;
}

static void broken(const struct follow_goal *goal, const char *why)
{
    cr_assert_eq(level(&trail, &follow, goal), FOLLOW_BROKEN);
    cr_expect(strstr(follow.error.text, why) != NULL, "'%s' says nothing of '%s'", follow.error.text, why);
}

/* ---- what it does ---- */

Test(reader_follow, it_asks_for_the_keys_then_for_each_file_in_order)
{
    add_files(2);
    /* Each file but the last once more when it is read: by then it grows no more. */
    uint64_t expected[] = {SK_SERVING_KEYS, 1, 2, 3, 1, 2};
    struct follow_goal goal = level_goal(&trail);
    size_t asked = 0;
    enum follow_step step;
    while ((step = follow_step(&follow, &goal)) != FOLLOW_LEVEL) {
        cr_assert(step == FOLLOW_NEED || step == FOLLOW_MORE, "%s", follow.error.text);
        if (step == FOLLOW_NEED) {
            cr_assert(asked < SK_COUNT(expected) && follow.need == expected[asked], "%lu", (unsigned long)follow.need);
            cr_assert_eq(follow_step(&follow, &goal), FOLLOW_NEED, "until it has it");
            cr_assert_eq(follow_bring(&follow, follow.need, level_open(&trail, follow.need)), 0);
            asked++;
        }
    }
    cr_expect_eq(asked, SK_COUNT(expected));
    cr_expect_eq(indexed(&follow), trail.count);
}

Test(reader_follow, it_is_level_with_a_journal_of_many_files)
{
    add_files(5);
    level_with(&trail, &follow);
    cr_expect_eq(follow.segments.count, 6);
    cr_expect_eq(indexed(&follow), trail.count);
}

Test(reader_follow, it_goes_on_with_what_is_written_and_reads_nothing_twice)
{
    for (int i = 0; i < 120; i++) {
        add(1 + i % 5);
        level_with(&trail, &follow);
        cr_assert_eq(indexed(&follow), trail.count);
    }
    cr_expect_gt(follow.segments.count, 2);
    level_with(&trail, &follow);
    cr_expect_eq(indexed(&follow), trail.count);
}

Test(reader_follow, a_large_file_is_read_in_pieces_between_which_it_looks_up)
{
    trail_kill(&trail);
    trail.set.file_size = (size_t)16 << 20;
    cr_assert_eq(trail_open(&trail), 0);
    for (int i = 0; i < 1200; i++) {
        add(1);
    }
    struct follow_goal goal = level_goal(&trail);
    cr_assert_gt(goal.end, (uint64_t)9 << 19);
    uint64_t pieces = 0;
    enum follow_step step;
    while ((step = follow_step(&follow, &goal)) != FOLLOW_LEVEL) {
        cr_assert(step == FOLLOW_MORE || follow_bring(&follow, follow.need, level_open(&trail, follow.need)) == 0);
        pieces += step == FOLLOW_MORE && follow.at > 0 && follow.at < goal.end;
    }
    cr_expect_eq(pieces, 1);
    cr_expect_eq(indexed(&follow), trail.count);
}

Test(reader_follow, what_is_written_and_not_said_to_be_durable_is_not_indexed)
{
    add(10);
    struct follow_goal before = level_goal(&trail);
    uint64_t count = trail.count;
    add(10);
    cr_assert_eq(level(&trail, &follow, &before), FOLLOW_LEVEL, "%s", follow.error.text);
    cr_expect_eq(indexed(&follow), count);
    level_with(&trail, &follow);
    cr_expect_eq(indexed(&follow), trail.count);
}

/* A reader that is there while it happens, and one that comes later. */
Test(reader_follow, a_group_whose_flush_failed_counts_once_in_the_file_that_took_it)
{
    add(10);
    level_with(&trail, &follow);
    uint64_t file = trail_last(&trail);
    write_fails = true;
    add(10);
    cr_assert_eq(trail_last(&trail), file + 1);
    add(3);
    level_with(&trail, &follow);
    cr_expect_eq(indexed(&follow), trail.count);
    struct follow late;
    level_begin(&trail, &late, trail.set.secret, false);
    level_with(&trail, &late);
    cr_expect_eq(indexed(&late), trail.count);
    follow_free(&late);
}

Test(reader_follow, it_goes_on_with_the_next_writer)
{
    add_files(1);
    level_with(&trail, &follow);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(trail_add(&trail, SK_AUDIT_STAGE_SINGLE, 0), 0);
        trail_kill(&trail);
        trail.count--; /* it was not committed */
        cr_assert_eq(trail_open(&trail), 0, "%s", trail.found.error.text);
        add(7);
        level_with(&trail, &follow);
        cr_expect_eq(indexed(&follow), trail.count);
    }
}

Test(reader_follow, a_tenant_that_is_new_is_read_with_keys_that_are_new)
{
    add(5);
    level_with(&trail, &follow);
    uint64_t size = follow.keys_size;
    struct sk_audit_record record = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW, .tenant = {77}};
    cr_assert_eq(sk_writer_add(trail.writer, &record, 0), 0);
    cr_assert_eq(trail_commit(&trail), 0);
    level_with(&trail, &follow);
    cr_expect_gt(follow.keys_size, size);
    const struct part *part = level_part(&follow.segments.all[follow.reading], record.tenant);
    cr_expect(part && part->rows == 1);
}

/* The first `len` bytes of a journal file, in a file that may be shorter than what is to be read. */
static int part_of(uint64_t file, size_t len)
{
    size_t whole;
    uint8_t *bytes = trail_load(&trail, file, &whole);
    int fd = memfd_create("part", MFD_CLOEXEC);
    cr_assert(fd >= 0 && len <= whole && write(fd, bytes, len) == (ssize_t)len);
    free(bytes);
    return fd;
}

Test(reader_follow, a_file_that_has_grown_since_it_was_brought_is_asked_for_again)
{
    add(10);
    struct follow_goal before = level_goal(&trail), goal;
    uint64_t count = trail.count;
    add(10);
    goal = level_goal(&trail);
    cr_assert_eq(follow_step(&follow, &before), FOLLOW_NEED);
    cr_assert_eq(follow_bring(&follow, SK_SERVING_KEYS, level_open(&trail, SK_SERVING_KEYS)), 0);
    cr_assert_eq(follow_step(&follow, &before), FOLLOW_NEED);
    cr_assert_eq(follow_bring(&follow, 1, part_of(1, before.end)), 0);
    cr_assert_eq(level(&trail, &follow, &before), FOLLOW_LEVEL, "%s", follow.error.text);
    cr_expect_eq(indexed(&follow), count);
    cr_assert_eq(follow_step(&follow, &goal), FOLLOW_NEED);
    cr_expect(follow.need == 1 && indexed(&follow) == count);
    level_with(&trail, &follow);
    cr_expect(follow.segments.count == 1 && indexed(&follow) == trail.count);
}

/* ---- what it does not follow ---- */

Test(reader_follow, a_record_that_was_changed_breaks_it_and_says_where)
{
    add_files(2);
    size_t len;
    uint8_t *bytes = trail_load(&trail, 2, &len);
    bytes[2 * SK_FRAME_BLOCK + 600] ^= 1;
    trail_store(&trail, 2, bytes, len);
    free(bytes);
    struct follow_goal goal = level_goal(&trail);
    broken(&goal, "missing or damaged");
    cr_expect(follow.segments.all[follow.reading].header.number == 2 && follow.error.offset >= SK_FRAME_BLOCK && follow.error.offset <= 2 * SK_FRAME_BLOCK, "file %lu, %lu",
            (unsigned long)follow.segments.all[follow.reading].header.number, (unsigned long)follow.error.offset);
}

Test(reader_follow, a_file_that_is_no_journal_file_is_not_taken)
{
    add_files(1);
    static const uint8_t zeros[SK_FRAME_BLOCK];
    cr_assert_eq(follow_bring(&follow, 1, level_open(&trail, 1)), 0);
    trail_store(&trail, 2, zeros, sizeof(zeros));
    cr_expect_eq(follow_bring(&follow, 2, level_open(&trail, 2)), -EINVAL);
    trail_store(&trail, 2, "no block", 8);
    cr_expect_eq(follow_bring(&follow, 2, level_open(&trail, 2)), -EINVAL);
    cr_expect_eq(follow_bring(&follow, 2, level_open(&trail, 1)), -EINVAL, "nor one of another number");
    cr_expect_eq(follow.segments.count, 1);
}

Test(reader_follow, a_file_of_another_journal_breaks_it)
{
    struct trail other;
    trail_init(&other, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&other), 0);
    while (trail_last(&other) < 2) {
        cr_assert_eq(trail_add_long(&other, 450) || trail_commit(&other), 0);
    }
    size_t len;
    uint8_t *bytes = trail_load(&other, 2, &len);
    trail_free(&other);
    add_files(1);
    trail_store(&trail, 2, bytes, len);
    free(bytes);
    struct follow_goal goal = level_goal(&trail);
    broken(&goal, "missing or damaged");
    size_t start, end;
    bytes = trail_load(&trail, 1, &len);
    trail_last_group(bytes, len, &start, &end);
    trail_store(&trail, 1, bytes, end);
    free(bytes);
    follow_free(&follow);
    level_begin(&trail, &follow, trail.set.secret, false);
    broken(&goal, "the next file goes on from a group that is missing here");
}

Test(reader_follow, with_another_root_key_nothing_is_read)
{
    add(5);
    follow_free(&follow);
    level_begin(&trail, &follow, (const uint8_t[SK_KEYS_SECRET]){6}, false);
    struct follow_goal goal = level_goal(&trail);
    broken(&goal, "the keys: ");
    cr_expect_eq(follow.segments.count, 0);
}

Test(reader_follow, a_journal_that_is_behind_what_was_read_breaks_it)
{
    add_files(1);
    add(5);
    level_with(&trail, &follow);
    struct follow_goal goal = level_goal(&trail), earlier = goal;
    earlier.end -= SK_FRAME_BLOCK;
    broken(&earlier, "behind");
    earlier = goal;
    earlier.last--;
    broken(&earlier, "behind");
}

Test(reader_follow, what_cannot_be_mapped_is_not_taken)
{
    int ends[2];
    cr_assert_eq(follow_bring(&follow, 1, memfd_create("empty", MFD_CLOEXEC)), -EINVAL);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(follow_bring(&follow, 1, ends[0]), -EINVAL);
    cr_expect(fcntl(ends[0], F_GETFD) < 0 && errno == EBADF, "it was closed");
    (void)close(ends[1]);
    cr_expect_eq(follow.segments.count, 0);
    add(5);
    level_with(&trail, &follow);
    cr_assert_eq(follow_bring(&follow, 1, memfd_create("empty", MFD_CLOEXEC)), -EINVAL);
    add(5);
    level_with(&trail, &follow);
    cr_expect_eq(indexed(&follow), trail.count);
}

/* Its map is as long as it was when it was opened, to a group's end or into its midst. */
Test(reader_follow, a_file_that_has_grown_and_was_then_followed_by_another_is_read_to_its_end)
{
    add(10);
    struct follow_goal before = level_goal(&trail);
    cr_assert_eq(follow_step(&follow, &before), FOLLOW_NEED);
    cr_assert_eq(follow_bring(&follow, SK_SERVING_KEYS, level_open(&trail, SK_SERVING_KEYS)), 0);
    cr_assert_eq(follow_step(&follow, &before), FOLLOW_NEED);
    cr_assert_eq(follow_bring(&follow, 1, part_of(1, before.end)), 0);
    cr_assert_eq(level(&trail, &follow, &before), FOLLOW_LEVEL, "%s", follow.error.text);
    add_files(1);
    add(3);
    level_with(&trail, &follow);
    cr_expect_eq(indexed(&follow), trail.count);
}

Test(reader_follow, while_no_index_can_be_written_few_of_them_are_in_memory)
{
    follow_free(&follow);
    level_begin(&trail, &follow, trail.set.secret, true);
    cr_assert_eq(unlinkat(trail.set.folder, "index", AT_REMOVEDIR), 0);
    enum follow_step step = FOLLOW_LEVEL;
    size_t live = 0;
    for (int i = 0; i < 10; i++) {
        add_files(1);
        struct follow_goal goal = level_goal(&trail);
        step = level(&trail, &follow, &goal);
        follow_store(&follow);
        if (follow.storing) {
            cr_assert_neq(follow_stored(&follow), 0);
        }
    }
    for (size_t i = 0; i < follow.reading; i++) {
        live += follow.segments.all[i].live != NULL;
    }
    cr_expect_eq(step, FOLLOW_WAIT);
    cr_expect_leq(live, 4, "%zu of %zu files have their index in memory", live, follow.segments.count);
}

/* ---- what feeds get of it ---- */

struct fed {
    uint64_t count, next[4]; /* of each tenant: the number that must follow */
};

static void take_row(void *context, struct sk_slice cbor)
{
    struct fed *fed = context;
    struct sk_audit_record record;
    cr_assert_eq(sk_record_decode(cbor, &record), 0);
    unsigned tenant = record.tenant[0] % 4;
    cr_expect_eq(record.seq, fed->next[tenant], "tenant %u", tenant);
    fed->next[tenant] = record.seq + 1;
    fed->count++;
}

Test(reader_follow, a_feed_gets_every_record_in_order_however_many_at_a_time)
{
    struct feed_place place = {0, 0, 0};
    struct fed fed = {0};
    bool lost = false;
    for (unsigned round = 0; round < 4; round++) {
        add_files(1);
        add(7);
        level_with(&trail, &follow);
        for (uint64_t before = UINT64_MAX; before != fed.count;) {
            before = fed.count;
            cr_assert_eq(feeding_next(&follow, &place, 1 + round * 30, &lost, take_row, &fed), 0);
            cr_expect(fed.count - before <= 1 + round * 30 && !lost);
        }
        cr_expect_eq(fed.count, trail.count, "round %u", round);
    }
    place.file = 99;
    cr_assert_eq(feeding_next(&follow, &place, 1, &lost, take_row, &(struct fed){0}), 0);
    cr_expect(lost && place.file == 1, "a place that is none is the beginning");
    place = (struct feed_place){1, SK_FRAME_BLOCK + 8, 0};
    cr_expect_eq(feeding_next(&follow, &place, 1, &lost, take_row, &fed), 1, "a place in the midst of a group");
}

/* What a feed got, each at least once. */
struct got {
    bool each[4][TRAIL_RECORDS];
    uint64_t count, again;
};

static void take_again(void *context, struct sk_slice cbor)
{
    struct got *got = context;
    struct sk_audit_record record;
    cr_assert_eq(sk_record_decode(cbor, &record), 0);
    bool *one = &got->each[record.tenant[0] % 4][record.seq];
    got->again += *one;
    got->count += !*one;
    *one = true;
}

static void feed(struct feed_place *place, struct got *got, unsigned most)
{
    bool lost = false;
    cr_assert_eq(feeding_next(&follow, place, most, &lost, take_again, got), 0);
    cr_expect(!lost);
}

Test(reader_follow, a_feed_loses_nothing_when_the_file_that_it_reads_is_packed)
{
    static struct got got;
    struct feed_place place = {0, 0, 0};
    add_files(3);
    level_with(&trail, &follow);
    feed(&place, &got, 20); /* halfway in the first file */
    cr_assert(place.file == 1 && got.count == 20 && place.at > SK_FRAME_BLOCK);
    level_packs = true;
    level_with(&trail, &follow);
    cr_assert(follow.segments.all[0].header.packed);
    for (uint64_t before = UINT64_MAX; before != got.count + got.again;) {
        before = got.count + got.again;
        feed(&place, &got, 7);
    }
    cr_expect_eq(got.count, trail.count);
    cr_expect_eq(got.again, 20, "what it had of that file comes once more: %lu", (unsigned long)got.again);
    add_files(2);
    level_with(&trail, &follow);
    feed(&place, &got, 100000);
    cr_expect_eq(got.count, trail.count);
    cr_expect_eq(got.again, 20);
}

Test(reader_follow, a_file_that_is_packed_while_it_is_read_is_read_to_its_end_as_it_was)
{
    add(9);
    level_with(&trail, &follow); /* halfway in file 1 */
    add_files(3);
    level_packs = true;
    level_with(&trail, &follow);
    level_with(&trail, &follow);
    cr_expect(follow.segments.all[0].header.packed, "and then asked for");
    uint64_t rows = 0;
    for (size_t i = 0; i < follow.segments.count; i++) {
        for (uint8_t tenant = 1; tenant <= 3; tenant++) {
            const struct part *part = level_part(&follow.segments.all[i], (const uint8_t[SK_ID_SIZE]){tenant});
            rows += part ? part->rows : 0;
        }
    }
    cr_expect_eq(rows, trail.count);
}
