/* gateway/journal/reader.c over a file that is still written: read piece by piece, up to what is said to be there, and no less. */
#include "crafted.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(journal_read_on, .init = setup, .fini = teardown);

static struct sk_journal_error error;
static uint64_t end, torn;

static void refused(int r, const char *why)
{
    cr_assert_eq(r, 1);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
}

static int read_piece(struct sk_journal_state *state, const struct file *f, uint64_t *at, uint64_t to, const uint8_t *until, uint64_t *sum)
{
    memset(&error, 0, sizeof(error));
    return sk_journal_read_on(state, sk_slice(f->bytes, SIZE), at, to, until, each, sum, &error);
}

static void same_state(const struct sk_journal_state *a, const struct sk_journal_state *b)
{
    cr_expect(a->file == b->file && a->group == b->group && a->records == b->records && a->opens.count == b->opens.count &&
              a->tenants.count == b->tenants.count && memcmp(a->hash, b->hash, SK_FRAME_HASH) == 0);
    for (struct sk_table_node *n = sk_table_walk(&a->tenants, NULL); n; n = sk_table_walk(&a->tenants, n)) {
        const struct sk_journal_tenant *one = SK_CONTAINER(n, struct sk_journal_tenant, node), *other = sk_journal_find_tenant(b, one->id);
        uint8_t root[SK_TREE_HASH], root_other[SK_TREE_HASH];
        cr_assert_neq(other, NULL);
        sk_tree_root(&one->tree, root);
        sk_tree_root(&other->tree, root_other);
        cr_expect(one->tree.size == other->tree.size && memcmp(root, root_other, sizeof(root)) == 0);
    }
}

Test(journal_read_on, what_is_read_piece_by_piece_is_what_is_read_whole)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b);
    struct sk_journal_state whole = begun();
    uint64_t whole_sum = 0;
    cr_assert_eq(sk_journal_read(&whole, sk_slice(one->bytes, SIZE), two->header.previous, each, &whole_sum, &end, &torn, &error), 0);
    cr_assert_eq(sk_journal_read(&whole, sk_slice(two->bytes, SIZE), NULL, each, &whole_sum, &end, &torn, &error), 0);
    static const uint64_t steps[] = {1, SK_FRAME_BLOCK - 1, SK_FRAME_BLOCK, SK_FRAME_BLOCK + 1, 3 * SK_FRAME_BLOCK, SIZE};
    for (size_t i = 0; i < SK_COUNT(steps); i++) {
        struct sk_journal_state state = begun();
        uint64_t sum = 0, at = 0;
        const struct file *files[] = {one, two};
        for (size_t j = 0; j < SK_COUNT(files); j++) {
            at = 0;
            for (uint64_t to = steps[i]; at < files[j]->at; to += steps[i]) {
                uint64_t limit = to < files[j]->at ? to : files[j]->at;
                cr_assert_eq(read_piece(&state, files[j], &at, limit, NULL, &sum), 0, "%s", error.text);
                cr_assert(at >= limit && at < limit + SK_FRAME_BLOCK + (limit < SK_FRAME_BLOCK ? SK_FRAME_BLOCK : 0), "no more than was asked for");
            }
            cr_expect_eq(at, files[j]->at);
        }
        cr_expect_eq(sum, whole_sum);
        same_state(&whole, &state);
        sk_journal_state_free(&state);
    }
    sk_journal_state_free(&whole);
    free(one);
    free(two);
}

Test(journal_read_on, a_piece_ends_at_its_end_though_groups_stand_behind_it)
{
    struct tenant a, b;
    struct file *one = first(&a, &b);
    struct sk_journal_state state = begun();
    uint64_t sum = 0, at = 0;
    cr_assert_eq(read_piece(&state, one, &at, SK_FRAME_BLOCK, NULL, &sum), 0);
    cr_expect(at == SK_FRAME_BLOCK && state.group == 0 && sum == 0, "the file's header alone");
    cr_assert_eq(read_piece(&state, one, &at, 3 * SK_FRAME_BLOCK, NULL, &sum), 0, "%s", error.text);
    cr_expect(at == 3 * SK_FRAME_BLOCK && state.group == 2 && state.records == 2 && sum == 36);
    cr_assert_eq(read_piece(&state, one, &at, 3 * SK_FRAME_BLOCK, NULL, &sum), 0);
    cr_expect(at == 3 * SK_FRAME_BLOCK && sum == 36, "nothing is read twice");
    cr_assert_eq(read_piece(&state, one, &at, one->at, NULL, &sum), 0);
    cr_expect(at == one->at && sum == 3647);
    sk_journal_state_free(&state);
    free(one);
}

Test(journal_read_on, an_end_within_a_snapshot_waits_for_the_whole_of_it)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = begin(2, one);
    entry(two, &a, a.next);
    close_group(two, SK_FRAME_PART);
    uint64_t part = two->at;
    entry(two, &b, b.next);
    intent(two, &a, 9, 1);
    close_group(two, SK_FRAME_SNAPSHOT);
    struct sk_journal_state state = begun();
    uint64_t sum = 0, at = 0;
    cr_assert_eq(read_piece(&state, one, &at, one->at, NULL, &sum), 0);
    at = 0;
    cr_assert_eq(read_piece(&state, two, &at, part, NULL, &sum), 0, "%s", error.text);
    cr_expect(at == two->at && state.group == 5);
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

Test(journal_read_on, a_piece_ends_with_the_group_that_the_next_file_goes_on_from)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *two = second(one, &a, &b);
    struct tenant lost = a;
    record(one, &lost); /* its flush failed: the next file goes on from the group before it */
    close_group(one, SK_FRAME_RECORDS);
    struct sk_journal_state state = begun();
    uint64_t sum = 0, at = 0;
    cr_assert_eq(read_piece(&state, one, &at, SIZE, two->header.previous, &sum), 0, "%s", error.text);
    cr_expect(at == one->at - SK_FRAME_BLOCK && sum == 3647 && memcmp(state.hash, two->header.previous, SK_FRAME_HASH) == 0);
    cr_assert_eq(read_piece(&state, one, &at, SIZE, two->header.previous, &sum), 0);
    cr_expect(at == one->at - SK_FRAME_BLOCK && sum == 3647, "it was there before");
    at = 0;
    cr_assert_eq(read_piece(&state, two, &at, two->at, NULL, &sum), 0, "%s", error.text);
    cr_expect_eq(sum, 364758);
    sk_journal_state_free(&state);
    free(one);
    free(two);
}

Test(journal_read_on, a_file_that_was_given_up_before_its_first_group_is_left_at_once)
{
    struct tenant a, b;
    struct file *one = first(&a, &b), *empty = begin(2, one), *three = begin(3, one);
    snapshot(three, &a, &b);
    struct sk_journal_state state = begun();
    uint64_t sum = 0, at = 0;
    cr_assert_eq(read_piece(&state, one, &at, SIZE, empty->header.previous, &sum), 0);
    at = 0;
    cr_assert_eq(read_piece(&state, empty, &at, SIZE, three->header.previous, &sum), 0, "%s", error.text);
    cr_expect_eq(at, SK_FRAME_BLOCK);
    at = 0;
    cr_assert_eq(read_piece(&state, three, &at, three->at, NULL, &sum), 0, "%s", error.text);
    cr_expect_eq(state.file, 3);
    sk_journal_state_free(&state);
    free(one);
    free(empty);
    free(three);
}

Test(journal_read_on, a_group_that_should_be_there_and_is_not_is_damage)
{
    static const char *const why[] = {"missing or damaged", "missing or damaged", "missing or damaged", "behind the group's end"};
    for (int kind = 0; kind < 4; kind++) {
        struct tenant a, b;
        struct file *one = first(&a, &b);
        uint64_t last = one->at - SK_FRAME_BLOCK;
        if (kind == 0) {
            memset(one->bytes + last, 0, SK_FRAME_BLOCK);
        } else if (kind == 1) {
            one->bytes[last + 200] ^= 1;
        } else if (kind == 2) {
            one->bytes[last + 9] ^= 1;
        } else {
            one->bytes[one->at - 1] ^= 1;
        }
        struct sk_journal_state state = begun();
        uint64_t sum = 0, at = 0;
        cr_assert_eq(read_piece(&state, one, &at, last, NULL, &sum), 0, "what stands before it is sound: %s", error.text);
        refused(read_piece(&state, one, &at, one->at, NULL, &sum), why[kind]);
        cr_expect(error.offset == last && error.group == 2 && at == last && state.group == 2);
        cr_expect_eq(sum, 36, "nothing of it is given out");
        sk_journal_state_free(&state);
        free(one);
    }
}

Test(journal_read_on, a_file_that_ends_before_its_end_is_damage)
{
    struct tenant a, b;
    struct file *one = first(&a, &b);
    for (size_t len = 0; len < one->at; len += 509) {
        uint8_t *exact = malloc(len + 1);
        cr_assert_neq(exact, NULL);
        memcpy(exact, one->bytes, len);
        struct sk_journal_state state = begun();
        uint64_t at = 0;
        cr_expect_eq(sk_journal_read_on(&state, sk_slice(exact, len), &at, one->at, NULL, NULL, NULL, &error), 1, "%zu bytes", len);
        sk_journal_state_free(&state);
        free(exact);
    }
    struct file *other = first(&a, &b);
    struct sk_journal_state state = begun();
    uint64_t sum = 0, at = 0;
    other->hash[0] ^= 1;
    struct file *two = second(other, &a, &b);
    refused(read_piece(&state, one, &at, SIZE, two->header.previous, &sum), "missing or damaged");
    cr_expect(error.offset == one->at && sum == 3647, "all of it was read, and the group was not among it");
    at = 0;
    refused(read_piece(&state, two, &at, two->at, NULL, &sum), "");
    sk_journal_state_free(&state);
    free(one);
    free(two);
    free(other);
}
