/* gateway/journal/sealed.c: a record opens in its place alone, with its tenant's keys of that day, and is what its leaf says. */
#include "journal/sealed.h"

#include <criterion/criterion.h>

static const uint8_t service[SK_ID_SIZE] = {9}, acme[SK_ID_SIZE] = {1}, beta[SK_ID_SIZE] = {2}, run[SK_ID_SIZE] = {3}, next_run[SK_ID_SIZE] = {4};
static const struct sk_slice cbor = SK_LIT("a record, as far as this is concerned");
static struct sk_keys *keys;
static struct sk_sealing sealing;

static void setup(void)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {1};
    struct sk_buf slots SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16 * SK_KEYS_SLOT);
    char why[160];
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &keys, why), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, service, &slots) || sk_keys_need_tenant(keys, beta, service, &slots), 0);
    cr_assert_eq(sk_keys_need_day(keys, acme, 7, &slots) || sk_keys_need_day(keys, acme, 8, &slots), 0);
    sealing = (struct sk_sealing){.day = 0};
}

static void teardown(void)
{
    sk_sealing_free(&sealing);
    keys = sk_keys_free(keys);
}

TestSuite(journal_sealed, .init = setup, .fini = teardown);

struct sealed {
    struct sk_frame_record frame;
    uint8_t bytes[256], leaf[SK_TREE_HASH];
    struct sk_slice held;
};

static struct sealed *seal(const uint8_t *tenant, uint64_t seq)
{
    static struct sealed s;
    s = (struct sealed){.frame = {.seq = seq}};
    memcpy(s.frame.tenant, tenant, SK_ID_SIZE);
    cr_assert_eq(sk_sealing_seal(&sealing, &s.frame, cbor, s.leaf, s.bytes), 0);
    struct sk_slice body = sk_slice(s.bytes, SK_FRAME_RECORD_HEADER + SK_SEALED_OVERHEAD + cbor.len);
    cr_assert_eq(sk_frame_next_record(&body, &s.frame, &s.held), 0);
    cr_assert_eq(body.len, 0);
    return &s;
}

static int open_it(const struct sealed *s)
{
    uint8_t out[SK_AUDIT_RECORD_MAX];
    size_t len = 0;
    int r = sk_sealing_open(&sealing, &s->frame, s->held, out, &len);
    cr_assert(r || sk_slice_eq(sk_slice(out, len), cbor));
    return r;
}

Test(journal_sealed, a_record_is_opened_as_it_was_sealed)
{
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    struct sealed *s = seal(acme, 5);
    cr_expect_eq(open_it(s), 0);
    cr_expect_arr_eq(sk_sealed_leaf(s->held), s->leaf, SK_TREE_HASH);
    cr_expect_null(memmem(s->bytes, sizeof(s->bytes), "record", 6), "it can be read without a key");
}

Test(journal_sealed, no_bit_of_it_may_be_changed)
{
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    struct sealed *s = seal(acme, 5);
    for (size_t bit = 0; bit < 8 * s->held.len; bit++) {
        uint8_t *byte = s->bytes + SK_FRAME_RECORD_HEADER + bit / 8;
        *byte ^= (uint8_t)(1U << bit % 8);
        cr_assert_eq(open_it(s), 1, "bit %zu", bit);
        *byte ^= (uint8_t)(1U << bit % 8);
    }
    s->held = sk_slice_cut(s->held, SK_SEALED_OVERHEAD);
    cr_expect_eq(open_it(s), 1);
}

/* As on a machine that was set back, or copied, and goes on: one place, one run, two records. */
Test(journal_sealed, two_records_in_one_place_share_no_key_stream)
{
    static const char *const texts[] = {"one record that is to be there", "and another that is there, too"};
    uint8_t bytes[2][256], leaf[SK_TREE_HASH];
    size_t same = 0, len = strlen(texts[0]);
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    for (int i = 0; i < 2; i++) {
        struct sk_frame_record frame = {.seq = 5};
        memcpy(frame.tenant, acme, SK_ID_SIZE);
        cr_assert_eq(sk_sealing_seal(&sealing, &frame, sk_slice_str(texts[i]), leaf, bytes[i]), 0);
    }
    for (size_t i = 0; i < len; i++) {
        size_t at = SK_FRAME_RECORD_HEADER + SK_TREE_HASH + i;
        same += (bytes[0][at] ^ bytes[1][at]) == (texts[0][i] ^ texts[1][i]);
    }
    cr_expect_lt(same, len / 2);
}

Test(journal_sealed, it_opens_in_its_place_alone)
{
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    struct sealed *s = seal(acme, 5);
    s->frame.seq = 6;
    cr_expect_eq(open_it(s), 1);
    s->frame.seq = 5;
    memcpy(s->frame.tenant, beta, SK_ID_SIZE);
    cr_expect_eq(open_it(s), 1);
    memcpy(s->frame.tenant, acme, SK_ID_SIZE);
    static const struct {
        const uint8_t *tenant, *run;
        uint32_t day;
    } others[] = {{beta, run, 7}, {acme, next_run, 7}, {acme, run, 8}};
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        sk_sealing_free(&sealing);
        cr_assert_eq(sk_sealing_set(&sealing, keys, others[i].tenant, others[i].day, others[i].run), 0);
        cr_expect_eq(open_it(s), 1, "%zu", i);
    }
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    cr_expect_eq(open_it(s), 0);
}

/* Or who guesses what a record says could see it by its leaf. */
Test(journal_sealed, the_same_record_has_another_leaf_in_another_place_tenant_and_day_and_the_same_in_another_run)
{
    uint8_t leaf[SK_TREE_HASH];
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    memcpy(leaf, seal(acme, 5)->leaf, SK_TREE_HASH);
    cr_expect_arr_neq(seal(acme, 6)->leaf, leaf, SK_TREE_HASH);
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 8, run), 0);
    cr_expect_arr_neq(seal(acme, 5)->leaf, leaf, SK_TREE_HASH);
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, next_run), 0);
    cr_expect_arr_eq(seal(acme, 5)->leaf, leaf, SK_TREE_HASH);
    sk_sealing_free(&sealing);
    cr_assert_eq(sk_sealing_set(&sealing, keys, beta, 7, run), 0);
    cr_expect_arr_neq(seal(beta, 5)->leaf, leaf, SK_TREE_HASH);
    sk_tree_leaf(SK_SLICE_NULL, cbor, leaf);
    cr_expect_arr_neq(seal(beta, 5)->leaf, leaf, SK_TREE_HASH);
}

Test(journal_sealed, without_keys_there_is_none)
{
    cr_expect_eq(sk_sealing_set(&sealing, keys, service, 7, run), 1);
    cr_expect_eq(sk_sealing_set(&sealing, keys, acme, 9, run), 1);
    cr_expect_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
}

/* Or who sees two records sealed sees where they differ. */
Test(journal_sealed, the_same_record_is_sealed_to_something_else_in_another_place_and_run)
{
    uint8_t first[256];
    size_t from = SK_FRAME_RECORD_HEADER + SK_TREE_HASH;
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, run), 0);
    memcpy(first, seal(acme, 5)->bytes, sizeof(first));
    cr_expect_arr_neq(seal(acme, 6)->bytes + from, first + from, cbor.len);
    cr_expect_arr_eq(seal(acme, 5)->bytes + from, first + from, cbor.len);
    cr_assert_eq(sk_sealing_set(&sealing, keys, acme, 7, next_run), 0);
    cr_expect_arr_neq(seal(acme, 5)->bytes + from, first + from, cbor.len);
}
