/* gateway/journal/reader.c over crafted files: whatever is missing, moved, repeated or made up is refused
 * with its place. */
#include "crafted.h"

#include "journal/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(journal_reader, .init = setup, .fini = teardown);

static struct sk_journal_error error;
static uint64_t end, torn;

static int read_to(struct sk_journal_state *state, const struct file *f, const uint8_t *until)
{
    memset(&error, 0, sizeof(error));
    return sk_journal_read(state, sk_slice(f->bytes, SIZE), until, NULL, NULL, &end, &torn, &error);
}

/* Reads the files as one journal; frees them. */
static int read_all(struct file **files, size_t count)
{
    struct sk_journal_state state = begun();
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = read_to(&state, files[i], i + 1 < count ? files[i + 1]->header.previous : NULL);
    }
    sk_journal_state_free(&state);
    for (size_t i = 0; i < count; i++) {
        free(files[i]);
    }
    return r;
}

static void refused(int r, const char *why)
{
    cr_assert_eq(r, 1);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
}

Test(journal_reader, a_sound_journal_is_read_in_order)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b);
    struct sk_journal_state state = begun();
    uint64_t sum = 0;
    cr_assert_eq(sk_journal_read(&state, sk_slice(one->bytes, SIZE), two->header.previous, each, &sum, &end,
                         &torn, &error),
            0);
    cr_assert(end == one->at && torn == 0 && sum == 3647, "%lu", (unsigned long)sum);
    cr_assert_eq(state.opens.count, 1);
    cr_assert_eq(
            sk_journal_read(&state, sk_slice(two->bytes, SIZE), NULL, each, &sum, &end, &torn, &error), 0);
    cr_assert(end == two->at && torn == 0 && sum == 364758, "%lu", (unsigned long)sum);
    cr_assert(state.records == 6 && state.file == 2 && state.group == 5 && state.tenants.count == 2 &&
              state.opens.count == 0);
    cr_assert_eq(memcmp(state.hash, two->hash, SK_FRAME_HASH), 0);
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

static void each_tenant(void *context, const uint8_t tenant[SK_ID_SIZE] sk_unused, uint64_t size, const uint8_t root[SK_TREE_HASH] sk_unused)
{
    uint64_t *sum = context;
    *sum = *sum * 10 + size;
}

Test(journal_reader, a_reading_may_begin_with_a_snapshot)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b);
    struct sk_journal_state state = begun();
    uint64_t sum = 0;
    cr_assert(sk_journal_begins(sk_slice(two->bytes, SIZE), each_tenant, &sum));
    cr_assert_eq(sum, 22, "both tenants, with the two records that each had");
    cr_assert_eq(read_to(&state, two, NULL), 0);
    cr_assert(state.records == 2 && state.group == 5 && state.opens.count == 0);
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

/* A flush that failed: the group went on in the next file, which then has no snapshot. */
static struct file *without_snapshot(struct file *one, struct tenant *a, struct tenant *b)
{
    struct file *f = begin(2, one);
    record(f, a);
    record(f, b);
    close_group(f, SK_FRAME_RECORDS);
    return f;
}

Test(journal_reader, a_reading_goes_on_in_a_file_without_a_snapshot_but_does_not_begin_there)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = without_snapshot(one, &a, &b);
    cr_assert_not(sk_journal_begins(sk_slice(two->bytes, SIZE), NULL, NULL));
    cr_assert_eq(read_all((struct file *[]){one, two}, 2), 0, "%s", error.text);
    one = first(&a, &b);
    two = without_snapshot(one, &a, &b);
    free(one);
    refused(read_all((struct file *[]){two}, 1), "no snapshot");
}

Test(journal_reader, what_a_reading_can_begin_with)
{
    struct tenant a, b;
    struct file *one = first(&a, &b);
    cr_expect(sk_journal_begins(sk_slice(one->bytes, SIZE), NULL, NULL));
    cr_expect(sk_journal_begins(sk_slice(one->bytes, 2 * SK_FRAME_BLOCK), NULL, NULL));
    cr_expect_not(sk_journal_begins(sk_slice(one->bytes, 2 * SK_FRAME_BLOCK - 1), NULL, NULL));
    cr_expect_not(sk_journal_begins(SK_SLICE_NULL, NULL, NULL));
    one->bytes[100] ^= 1;
    cr_expect_not(sk_journal_begins(sk_slice(one->bytes, SIZE), NULL, NULL));
    free(one);
}

Test(journal_reader, a_missing_file_is_noticed)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b), *three = begin(3, two);
    entry(three, &a, a.next);
    entry(three, &b, b.next);
    close_group(three, SK_FRAME_SNAPSHOT);
    free(two);
    struct sk_journal_state state = begun();
    cr_assert_eq(read_to(&state, one, NULL), 0);
    refused(read_to(&state, three, NULL), "a file is missing");
    cr_assert_eq(error.offset, 0);
    sk_journal_state_free(&state);
    free(one);
    free(three);
}

Test(journal_reader, files_in_another_order_are_refused)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b);
    refused(read_all((struct file *[]){two, one}, 2), "");
    one = first(&a, &b);
    two = second(one, &a, &b);
    struct sk_journal_state state = begun();
    cr_assert_eq(read_to(&state, one, NULL), 0);
    refused(read_to(&state, one, NULL), "a file is missing");
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

Test(journal_reader, a_file_of_another_journal_does_not_go_on)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *other = first(&a, &b);
    record(other, &a);
    close_group(other, SK_FRAME_RECORDS);
    struct file *two = second(other, &a, &b);
    free(other);
    struct sk_journal_state state = begun();
    cr_assert_eq(read_to(&state, one, NULL), 0);
    refused(read_to(&state, two, NULL), "does not go on");
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

Test(journal_reader, a_file_of_another_gateway_or_epoch_does_not_go_on)
{
    for (int kind = 0; kind < 2; kind++) {
        struct tenant a, b;
        struct file *one = first(&a, &b), *two = second(one, &a, &b);
        *(kind ? two->header.epoch : two->header.node) = 1;
        sk_frame_put_file(&two->header, two->bytes);
        refused(read_all((struct file *[]){one, two}, 2), "of another gateway, or of another journal of it");
    }
}

Test(journal_reader, the_first_file_has_no_predecessor)
{
    struct file *f = begin(1, NULL);
    f->header.previous[31] = 1;
    f->hash[31] = 1;
    sk_frame_put_file(&f->header, f->bytes);
    close_group(f, SK_FRAME_SNAPSHOT);
    refused(read_all(&f, 1), "predecessor");
}

/* Or the records before could be taken away, and nobody would know. */
Test(journal_reader, the_first_files_snapshot_can_name_nothing)
{
    struct tenant a = tenant(1);
    struct file *f = begin(1, NULL);
    a.next = 100;
    a.tree.size = 100;
    entry(f, &a, 100);
    close_group(f, SK_FRAME_SNAPSHOT);
    record(f, &a);
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "snapshot");
}

Test(journal_reader, a_file_with_a_header_alone_is_damaged)
{
    struct file *f = begin(1, NULL);
    refused(read_all(&f, 1), "first group");
    f = begin(1, NULL);
    f->bytes[9000] = 1;
    refused(read_all(&f, 1), "first group");
}

Test(journal_reader, a_short_or_foreign_file_is_no_journal)
{
    static struct file none;
    struct sk_journal_state state = begun();
    cr_assert_eq(
            sk_journal_read(&state, sk_slice(none.bytes, 4095), NULL, NULL, NULL, &end, &torn, &error), 1);
    cr_assert_eq(sk_journal_read(&state, SK_SLICE_NULL, NULL, NULL, NULL, &end, &torn, &error), 1);
    refused(read_to(&state, &none, NULL), "not a journal file");
    struct file *f = begin(1, NULL);
    f->bytes[8]++;
    refused(read_to(&state, f, NULL), "another than");
    sk_journal_state_free(&state);
    free(f);
}

Test(journal_reader, a_record_under_another_tenants_name_is_refused)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    put(f, &a, SK_AUDIT_STAGE_SINGLE, 0, b.next, b.id, b.next);
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "another tenant");
    cr_assert(error.group == 3 && error.record == 1 && error.offset == 4 * SK_FRAME_BLOCK);
}

Test(journal_reader, a_repeated_or_skipped_number_is_refused)
{
    static const struct {
        int64_t content, frame;
    } off[] = {{-1, -1}, {1, 1}, {0, 1}, {1, 0}, {0, -1}, {-1, 0}, {1000, 1000}};
    for (size_t i = 0; i < SK_COUNT(off); i++) {
        struct tenant a, b;
        struct file *f = first(&a, &b);
        record(f, &b);
        put(f, &a, SK_AUDIT_STAGE_SINGLE, 0, a.next + (uint64_t)off[i].content, a.id,
                a.next + (uint64_t)off[i].frame);
        close_group(f, SK_FRAME_RECORDS);
        refused(read_all(&f, 1), off[i].frame ? "sequence number" : "another tenant or place");
        cr_assert(error.group == 3 && error.record == 2);
    }
}

/* Whoever changes one and makes its group anew must do so with all that follow, and every snapshot has another tree. */
Test(journal_reader, a_record_that_was_changed_makes_another_tree)
{
    struct tenant a, b, honest;
    struct file *one = first(&a, &b);
    honest = a;
    staged(one, &honest, SK_AUDIT_STAGE_PROGRESS, 3);
    staged(one, &a, SK_AUDIT_STAGE_PROGRESS, 4);
    one->body_len /= 2;
    one->count--;
    close_group(one, SK_FRAME_RECORDS);
    struct file *two = begin(2, one);
    snapshot(two, &a, &b);
    refused(read_all((struct file *[]){one, two}, 2), "does not agree");
}

Test(journal_reader, a_group_holds_as_many_records_as_it_says)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    record(f, &a);
    record(f, &a);
    f->count = 1;
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "behind the last record");
    f = first(&a, &b);
    record(f, &a);
    f->count = 2;
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "malformed");
}

Test(journal_reader, bytes_between_groups_are_refused)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    f->bytes[f->at - 1] = 1;
    refused(read_all(&f, 1), "behind the group's end");
}

Test(journal_reader, a_group_with_another_number_or_predecessor_is_refused)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    f->group++;
    record(f, &a);
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "must follow");
    f = first(&a, &b);
    f->hash[0] ^= 1;
    record(f, &a);
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "does not go on");
}

Test(journal_reader, a_snapshot_stands_first_in_a_file)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    snapshot(f, &a, &b);
    refused(read_all(&f, 1), "stands first");
}

enum lie {
    NO_LIE,
    LEFT_OUT,
    TWICE,
    WRONG_SEQ,
    WRONG_PEAK,
    WRONG_ROOT,
    NO_PEAK,
    PEAK_TOO_MANY,
    PEAK_OUT_OF_PLACE,
    MADE_UP,
    NO_INTENT,
    INTENT_TWICE,
    INTENT_SEQ,
    INTENT_MADE_UP,
    INTENT_OF_ANOTHER,
    TOO_FEW,
    TOO_MANY,
    LIES
};

static struct file *lying(struct file *one, const struct tenant *a, const struct tenant *b, enum lie lie)
{
    struct tenant changed = *a, more = tenant(3);
    struct file *f = begin(2, one);
    changed.tree.peaks[0][5] ^= lie == WRONG_PEAK;
    entry_of(f, &changed, a->next + (lie == WRONG_SEQ), sk_tree_peaks(a->tree.size) - (lie == NO_PEAK) + (lie == PEAK_TOO_MANY));
    f->body[SK_FRAME_ENTRY - 1] ^= lie == WRONG_ROOT;
    f->body[SK_FRAME_ENTRY + 24] ^= lie == PEAK_OUT_OF_PLACE;
    if (lie != LEFT_OUT) {
        entry(f, lie == TWICE ? a : b, lie == TWICE ? a->next : b->next);
    }
    if (lie == MADE_UP) {
        entry(f, &more, 4);
    }
    if (lie != NO_INTENT) {
        intent(f, lie == INTENT_OF_ANOTHER ? b : a, lie == INTENT_MADE_UP ? 10 : 9,
                lie == INTENT_SEQ ? 0 : 1);
    }
    if (lie == INTENT_TWICE) {
        intent(f, a, 9, 1);
    }
    f->count += lie == TOO_MANY;
    f->count -= lie == TOO_FEW;
    close_group(f, SK_FRAME_SNAPSHOT);
    return f;
}

Test(journal_reader, a_snapshot_must_say_what_was_read)
{
    for (enum lie lie = NO_LIE; lie < LIES; lie++) {
        struct tenant a, b;
        struct file *one = first(&a, &b), *two = lying(one, &a, &b, lie);
        int r = read_all((struct file *[]){one, two}, 2);
        cr_assert_eq(r, lie != NO_LIE, "lie %d", (int)lie);
        cr_assert(r == 0 || (error.offset == SK_FRAME_BLOCK && error.group == 3), "lie %d", (int)lie);
    }
}

Test(journal_reader, a_snapshot_that_ends_before_a_tree_is_whole_is_refused)
{
    struct tenant a = tenant(1);
    struct file *one = begin(1, NULL), *two;
    close_group(one, SK_FRAME_SNAPSHOT);
    record(one, &a);
    record(one, &a);
    record(one, &a);
    close_group(one, SK_FRAME_RECORDS);
    two = begin(2, one);
    entry_of(two, &a, a.next, 1);
    close_group(two, SK_FRAME_SNAPSHOT);
    refused(read_all((struct file *[]){one, two}, 2), "leaves out");
}

/* Where a reading begins there is nothing to compare with, but a snapshot cannot contradict itself. */
Test(journal_reader, a_snapshot_on_trust_names_nothing_twice)
{
    static const enum lie lies[] = {TWICE, INTENT_TWICE, TOO_FEW, TOO_MANY, WRONG_ROOT, NO_PEAK, PEAK_TOO_MANY};
    for (size_t i = 0; i < SK_COUNT(lies); i++) {
        struct tenant a, b;
        struct file *one = first(&a, &b), *two = lying(one, &a, &b, lies[i]);
        free(one);
        cr_assert_eq(read_all(&two, 1), 1, "lie %d", (int)lies[i]);
    }
}

Test(journal_reader, a_lie_on_trust_is_found_by_the_records_after_it)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = lying(one, &a, &b, WRONG_SEQ);
    free(one);
    record(two, &a);
    close_group(two, SK_FRAME_RECORDS);
    cr_assert_eq(read_all(&two, 1), 1);
}

/* The last group's flush failed, so the next file goes on from the group before it. */
Test(journal_reader, reading_stops_where_the_next_file_goes_on)
{
    struct tenant a, b, a_before, b_before;
    struct file *one = first(&a, &b), before;
    a_before = a;
    b_before = b;
    before = *one;
    record(one, &a);
    close_group(one, SK_FRAME_RECORDS);
    memset(one->bytes + one->at, 0x55, 3000);
    struct file *two = without_snapshot(&before, &a_before, &b_before);
    struct sk_journal_state state = begun();
    cr_assert_eq(read_to(&state, one, two->header.previous), 0, "%s", error.text);
    cr_assert(end == before.at && state.records == 4 && state.group == 3);
    cr_assert_gt(torn, 0);
    cr_assert_eq(read_to(&state, two, NULL), 0, "%s", error.text);
    cr_assert_eq(state.records, 6);
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

Test(journal_reader, a_file_that_does_not_reach_the_next_one_is_damaged)
{
    struct tenant a, b;
    struct file *one = first(&a, &b);
    record(one, &a);
    close_group(one, SK_FRAME_RECORDS);
    struct file *two = without_snapshot(one, &a, &b);
    for (int kind = 0; kind < 3; kind++) {
        struct sk_journal_state state = begun();
        struct file *changed = malloc(sizeof(*changed));
        cr_assert_neq(changed, NULL);
        *changed = *one;
        if (kind == 0) {
            memset(changed->bytes + one->at - SK_FRAME_BLOCK, 0, SK_FRAME_BLOCK);
        } else if (kind == 1) {
            changed->bytes[one->at - SK_FRAME_BLOCK + 200] ^= 1;
        } else {
            changed->bytes[one->at - 2 * SK_FRAME_BLOCK + 200] ^= 1;
        }
        refused(read_to(&state, changed, two->header.previous), "missing or damaged");
        cr_assert_eq(error.offset, one->at - (kind == 2 ? 2 : 1) * SK_FRAME_BLOCK);
        sk_journal_state_free(&state);
        free(changed);
    }
    free(one);
    free(two);
}

Test(journal_reader, a_torn_end_is_told_and_a_hole_is_damage)
{
    struct tenant a, b;
    struct file *f = first(&a, &b), *torn_one = malloc(sizeof(*f));
    cr_assert_neq(torn_one, NULL);
    *torn_one = *f;
    torn_one->bytes[f->at - SK_FRAME_BLOCK + 200] ^= 1;
    cr_assert_eq(read_all(&torn_one, 1), 0);
    cr_assert_eq(end, f->at - SK_FRAME_BLOCK);
    cr_assert(torn > 200 && torn <= SK_FRAME_BLOCK, "the group's bytes, not the file's: %lu", (unsigned long)torn);
    f->bytes[f->at - 2 * SK_FRAME_BLOCK + 200] ^= 1;
    refused(read_all(&f, 1), "groups follow");
    cr_assert_eq(error.offset, 2 * SK_FRAME_BLOCK);
}

Test(journal_reader, groups_of_another_file_number_are_nothing)
{
    struct tenant a, b;
    struct file *f = first(&a, &b), *old = first(&a, &b);
    old->header.number = 7;
    record(old, &a);
    close_group(old, SK_FRAME_RECORDS);
    memcpy(f->bytes + f->at + SK_FRAME_BLOCK, old->bytes + old->at - SK_FRAME_BLOCK, SK_FRAME_BLOCK);
    free(old);
    size_t at = f->at;
    cr_assert_eq(read_all(&f, 1), 0, "%s", error.text);
    cr_assert_eq(end, at);
    cr_assert(torn > SK_FRAME_BLOCK && torn <= 2 * SK_FRAME_BLOCK, "with the hole before it: %lu", (unsigned long)torn);
}

Test(journal_reader, intents_close_by_their_own_tenant_alone)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    staged(f, &b, SK_AUDIT_STAGE_OUTCOME, 9);
    staged(f, &a, SK_AUDIT_STAGE_START, 4);
    staged(f, &a, SK_AUDIT_STAGE_PROGRESS, 4);
    staged(f, &b, SK_AUDIT_STAGE_INTENT, 5);
    staged(f, &b, SK_AUDIT_STAGE_UNKNOWN, 5);
    close_group(f, SK_FRAME_RECORDS);
    struct sk_journal_state state = begun();
    cr_assert_eq(read_to(&state, f, NULL), 0);
    cr_assert_eq(state.opens.count, 2, "the first one of tenant 1, and its stream");
    sk_journal_state_free(&state);
    free(f);
}

Test(journal_reader, no_length_of_a_file_reads_behind_it)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    for (size_t len = 0; len <= f->at + 10; len += 61) {
        struct sk_journal_state state = begun();
        uint8_t *exact = malloc(len + 1);
        cr_assert_neq(exact, NULL);
        memcpy(exact, f->bytes, len);
        (void)!sk_journal_read(&state, sk_slice(exact, len), NULL, NULL, NULL, &end, &torn, &error);
        (void)sk_journal_begins(sk_slice(exact, len), NULL, NULL);
        sk_journal_state_free(&state);
        free(exact);
    }
    free(f);
}

/* Whoever can write the file can also make hashes: then sizes and counts alone stand between him and the
 * memory. */
Test(journal_reader, sizes_that_lie_under_a_right_hash_are_refused)
{
    static const uint32_t sizes[] = {
            0, 1, 63, 64, 65, 1U << 24, (1U << 24) + 1, UINT32_MAX, UINT32_MAX - 135};
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        for (int counts = 0; counts < 2; counts++) {
            struct tenant a, b;
            struct file *f = first(&a, &b);
            struct sk_frame_group group = {.file = 1,
                    .number = f->group,
                    .kind = SK_FRAME_RECORDS,
                    .count = counts ? UINT32_MAX : 1};
            memcpy(group.previous, f->hash, SK_FRAME_HASH);
            group.body = sizes[i] < SIZE - f->at - SK_FRAME_GROUP_HEADER ? sizes[i] : 0;
            sk_frame_put_group(&group, f->bytes + f->at + SK_FRAME_GROUP_HEADER, f->bytes + f->at);
            for (int j = 0; j < 4; j++) {
                f->bytes[f->at + 24 + (size_t)j] = (uint8_t)(sizes[i] >> (8 * j));
            }
            (void)!read_all(&f, 1);
        }
    }
}

/* Who has no keys proves the same of the trees, and takes which intents are open from the snapshots. */
Test(journal_reader, without_keys_all_is_read_but_what_the_records_say)
{
    struct tenant a, b;
    struct file *one = first(&a, &b);
    staged(one, &a, SK_AUDIT_STAGE_INTENT, 5);
    close_group(one, SK_FRAME_RECORDS);
    struct file *two = begin(2, one);
    entry(two, &a, a.next);
    entry(two, &b, b.next);
    intent(two, &a, 9, 1);
    intent(two, &a, 5, 2);
    close_group(two, SK_FRAME_SNAPSHOT);
    staged(two, &a, SK_AUDIT_STAGE_OUTCOME, 9);
    close_group(two, SK_FRAME_RECORDS);
    struct file *three = begin(3, two);
    entry(three, &a, a.next);
    entry(three, &b, b.next);
    intent(three, &a, 5, 2);
    close_group(three, SK_FRAME_SNAPSHOT);
    struct file *files[] = {one, two, three};
    static const size_t opens[] = {0, 2, 1};
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    for (size_t i = 0; i < SK_COUNT(files); i++) {
        cr_assert_eq(read_to(&state, files[i], i < 2 ? files[i + 1]->header.previous : NULL), 0, "%s", error.text);
        cr_expect_eq(state.opens.count, opens[i]);
    }
    cr_expect_eq(state.records, 6);
    uint8_t root[SK_TREE_HASH], own[SK_TREE_HASH];
    sk_tree_root(&a.tree, own);
    sk_tree_root(&sk_journal_find_tenant(&state, a.id)->tree, root);
    cr_expect_arr_eq(own, root, sizeof(root));
    sk_journal_state_free(&state);
    cr_assert_eq(read_all(files, SK_COUNT(files)), 0, "%s", error.text);
}

Test(journal_reader, a_snapshot_without_keys_still_names_every_tree)
{
    struct tenant a, b;
    static const enum lie lies[] = {LEFT_OUT, WRONG_SEQ, WRONG_PEAK, WRONG_ROOT, NO_PEAK, PEAK_TOO_MANY, TOO_FEW, TOO_MANY, INTENT_TWICE};
    for (size_t i = 0; i < SK_COUNT(lies); i++) {
        struct file *one = first(&a, &b), *two = lying(one, &a, &b, lies[i]);
        struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
        cr_assert_eq(read_to(&state, one, two->header.previous), 0);
        cr_expect_eq(read_to(&state, two, NULL), 1, "lie %d", (int)lies[i]);
        sk_journal_state_free(&state);
        free(one);
        free(two);
    }
}

/* Whoever makes group, tree and all anew, but has no keys. */
Test(journal_reader, a_record_that_is_not_sealed_by_its_keys_is_refused)
{
    static const size_t places[] = {SK_FRAME_RECORD_HEADER, SK_FRAME_RECORD_HEADER + SK_TREE_HASH, SK_FRAME_RECORD_HEADER + SK_TREE_HASH + 10};
    for (size_t i = 0; i < SK_COUNT(places); i++) {
        struct tenant a, b;
        struct file *f = first(&a, &b);
        record(f, &a);
        f->body[places[i]] ^= 1;
        close_group(f, SK_FRAME_RECORDS);
        refused(read_all(&f, 1), "not sealed by its tenant's keys");
        cr_assert(error.group == 3 && error.record == 1);
    }
    struct tenant a, b, stranger = tenant(1);
    struct file *f = first(&a, &b);
    stranger.id[0] = 1;
    put(f, &b, SK_AUDIT_STAGE_SINGLE, 0, b.next, stranger.id, a.next);
    memcpy(f->body + 8, b.id, SK_ID_SIZE); /* sealed for another tenant */
    f->body[24] = (uint8_t)b.next;
    close_group(f, SK_FRAME_RECORDS);
    refused(read_all(&f, 1), "not sealed by its tenant's keys");
}

Test(journal_reader, a_record_whose_key_is_not_there_is_refused_and_named)
{
    struct tenant a, b;
    struct file *f = first(&a, &b);
    teardown();
    static const uint8_t secret[SK_KEYS_SECRET] = {3};
    char why[160];
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &crafted_keys, why), 0);
    refused(read_all(&f, 1), "the keys have none for the record's tenant and day");
    cr_assert(error.group == 1 && error.record == 1);
}

Test(journal_reader, names_and_numbers_go_both_ways)
{
    char name[40];
    static const uint64_t numbers[] = {1, 9, 10, 0xabcdef, UINT64_MAX};
    for (size_t i = 0; i < SK_COUNT(numbers); i++) {
        sk_journal_file_name(numbers[i], name);
        cr_expect_eq(sk_journal_file_number(name), numbers[i]);
    }
    static const char *const none[] = {"", "spare", "journal-1.skj", "journal-0000000000000000.skj",
            "journal-000000000000000A.skj", "journal-0000000000000001.skj2", "journal-0000000000000001.skk",
            "Journal-0000000000000001.skj", "journal-00000000000000001.skj"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_eq(sk_journal_file_number(none[i]), 0, "%s", none[i]);
    }
}
