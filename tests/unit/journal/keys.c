/* gateway/journal/keys.c: what two keys derive depends on both, survives in the file, and on nothing that was changed there. */
#include "journal/keys.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static const uint8_t secret[SK_KEYS_SECRET] = {1}, dns[SK_ID_SIZE] = {0xd1}, web[SK_ID_SIZE] = {0xd2}, acme[SK_ID_SIZE] = {1}, beta[SK_ID_SIZE] = {2}, other[SK_ID_SIZE] = {3};
static struct sk_buf file;
static struct sk_keys *keys;
static char why[160];

static void setup(void)
{
    file = SK_BUF_INIT(64 * SK_KEYS_SLOT);
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &keys, why), 0);
}

static void teardown(void)
{
    keys = sk_keys_free(keys);
    sk_buf_free(&file);
}

TestSuite(journal_keys, .init = setup, .fini = teardown);

static int reread(void)
{
    keys = sk_keys_free(keys);
    return sk_keys_new(secret, sk_buf_peek(&file), &keys, why);
}

/* acme and beta of one service, other of another, each on days 7 and 8. */
static void fill(void)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, beta, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, other, web, &file), 0);
    for (uint32_t day = 7; day < 9; day++) {
        cr_assert_eq(sk_keys_need_day(keys, acme, day, &file), 0);
        cr_assert_eq(sk_keys_need_day(keys, beta, day, &file), 0);
        cr_assert_eq(sk_keys_need_day(keys, other, day, &file), 0);
    }
}

static void derive(const uint8_t *tenant, uint32_t day, const char *label, const char *context, uint8_t out[SK_KEYS_SECRET])
{
    cr_assert_eq(sk_keys_derive(keys, tenant, day, label, sk_slice_str(context), out), 0);
}

Test(journal_keys, there_is_one_for_each_tenant_and_one_for_each_day_of_a_service)
{
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT);
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT, "they are made once");
    cr_assert_eq(reread(), 0, "%s", why);
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT);
}

Test(journal_keys, what_they_derive_is_the_same_after_a_start_and_another_for_each_tenant_day_and_purpose)
{
    static const struct {
        const uint8_t *tenant;
        uint32_t day;
        const char *label, *context;
    } of[] = {{acme, 7, "record", ""}, {acme, 8, "record", ""}, {beta, 7, "record", ""}, {other, 7, "record", ""}, {acme, 7, "salt", ""}, {acme, 7, "record", "x"}};
    uint8_t before[SK_COUNT(of)][SK_KEYS_SECRET], after[SK_KEYS_SECRET];
    fill();
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        derive(of[i].tenant, of[i].day, of[i].label, of[i].context, before[i]);
        for (size_t j = 0; j < i; j++) {
            cr_expect_arr_neq(before[i], before[j], SK_KEYS_SECRET, "%zu and %zu", i, j);
        }
    }
    cr_assert_eq(reread(), 0, "%s", why);
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        derive(of[i].tenant, of[i].day, of[i].label, of[i].context, after);
        cr_expect_arr_eq(before[i], after, SK_KEYS_SECRET, "%zu", i);
    }
}

Test(journal_keys, without_one_of_both_nothing_is_derived)
{
    uint8_t out[SK_KEYS_SECRET];
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 1);
    cr_expect_eq(sk_keys_need_day(keys, acme, 7, &file), -ENOENT, "whose day?");
    cr_expect_not(sk_keys_has(keys, acme));
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_expect(sk_keys_has(keys, acme));
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 1);
    cr_assert_eq(sk_keys_need_day(keys, acme, 7, &file), 0);
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 0);
    cr_expect_eq(sk_keys_derive(keys, acme, 6, "record", SK_SLICE_NULL, out), 1);
}

Test(journal_keys, a_tenant_stays_with_its_service)
{
    uint8_t before[SK_KEYS_SECRET], after[SK_KEYS_SECRET];
    fill();
    derive(acme, 7, "record", "", before);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, web, &file), 0);
    derive(acme, 7, "record", "", after);
    cr_expect_arr_eq(before, after, SK_KEYS_SECRET);
}

Test(journal_keys, no_bit_of_a_slot_may_be_changed)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    for (size_t bit = 0; bit < 8 * SK_KEYS_SLOT; bit += bit < 1200 ? 1 : 61) {
        struct sk_keys *changed = NULL;
        char *byte = file.data + file.start + bit / 8;
        *byte ^= (char)(1 << bit % 8);
        cr_assert_eq(sk_keys_new(secret, sk_buf_peek(&file), &changed, why), 1, "bit %zu", bit);
        cr_assert_str_eq(why, "key 1 was changed, or is of another root key");
        *byte ^= (char)(1 << bit % 8);
    }
    cr_assert_eq(reread(), 0);
}

Test(journal_keys, another_secret_opens_nothing)
{
    static const uint8_t wrong[SK_KEYS_SECRET] = {2};
    struct sk_keys *none = NULL;
    fill();
    cr_expect_eq(sk_keys_new(wrong, sk_buf_peek(&file), &none, why), 1);
    cr_expect_null(none);
}

Test(journal_keys, one_that_stands_there_twice_is_refused)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    struct sk_slice slot = sk_buf_peek(&file);
    char *copy = malloc(slot.len);
    memcpy(copy, slot.data, slot.len);
    cr_assert_eq(sk_buf_put(&file, sk_slice(copy, slot.len)), 0);
    free(copy);
    cr_expect_eq(reread(), 1);
    cr_expect_str_eq(why, "key 2 was changed, or is of another root key");
}

/* What a machine leaves that ended while slots were written: they are whole, zeros, or cut short at the end. */
Test(journal_keys, a_slot_that_was_on_its_way_is_none)
{
    static const char zeros[SK_KEYS_SLOT];
    cr_assert_eq(sk_buf_put(&file, sk_slice(zeros, sizeof(zeros))), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, beta, dns, &file), 0);
    for (size_t cut = 0; cut <= SK_KEYS_SLOT; cut += 16) {
        struct sk_keys *read = NULL;
        struct sk_slice bytes = sk_slice_cut(sk_buf_peek(&file), sk_buf_len(&file) - cut);
        cr_assert_eq(sk_keys_new(secret, bytes, &read, why), 0);
        cr_expect(sk_keys_has(read, acme));
        cr_expect_eq(sk_keys_has(read, beta), cut == 0);
        (void)sk_keys_free(read);
    }
}
