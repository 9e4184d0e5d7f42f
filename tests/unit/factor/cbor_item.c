/* gateway/factor/cbor_item.c: one form for each value, and where it ends. */
#include "factor/cbor_item.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static enum sk_webauthn_outcome take(struct sk_slice bytes, size_t *used)
{
    char *copy = malloc(bytes.len); /* of this length: what is read behind it is seen by the sanitizers */
    if (bytes.len) {
        memcpy(copy, bytes.data, bytes.len);
    }
    struct sk_slice rest = sk_slice(copy, bytes.len), item = SK_SLICE_NULL;
    enum sk_webauthn_outcome r = sk_cbor_take(&rest, &item);
    cr_expect(r != SK_WEBAUTHN_GOOD || (item.data == copy && item.len + rest.len == bytes.len));
    *used = item.len;
    free(copy);
    return r;
}

static const struct sk_slice good[] = {SK_LIT("\x00"), SK_LIT("\x17"), SK_LIT("\x18\x18"), SK_LIT("\x18\xff"), SK_LIT("\x19\x01\x00"),
        SK_LIT("\x1a\x00\x01\x00\x00"), SK_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x00"), SK_LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
        SK_LIT("\x20"), SK_LIT("\x38\x18"), SK_LIT("\x39\xff\xff"), SK_LIT("\x40"), SK_LIT("\x43xyz"), SK_LIT("\x60"), SK_LIT("\x62\xc3\xa4"),
        SK_LIT("\x80"), SK_LIT("\x82\x01\x80"), SK_LIT("\xa0"), SK_LIT("\xf4"), SK_LIT("\xf5"), SK_LIT("\xf6"), SK_LIT("\xa1\x01\xa0"),
        SK_LIT("\x81\x81\x81\x81\x01"), SK_LIT("\xa3\x01\x01\x20\x01\x60\x01"), SK_LIT("\xa2\x17\x01\x18\x18\x01"), SK_LIT("\xa2\x61z\x01\x62" "aa\x01"),
        SK_LIT("\xa2\x61" "a\x81\x01\x61" "b\xa1\x01\x02"), SK_LIT("\xa4\x01\x01\x20\x01\x41x\x01\x60\x01")};

static const struct sk_slice broken[] = {SK_LIT(""), SK_LIT("\x18"), SK_LIT("\x19\x01"), SK_LIT("\x1c"), SK_LIT("\x1d"), SK_LIT("\x1e"), SK_LIT("\x41"),
        SK_LIT("\x61"), SK_LIT("\x61\xff"), SK_LIT("\x62\xc3"), SK_LIT("\x81"), SK_LIT("\xa1\x01"), SK_LIT("\xa1"),
        SK_LIT("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"), SK_LIT("\xbb\x80\x00\x00\x00\x00\x00\x00\x00\x01\x01"), SK_LIT("\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        SK_LIT("\x81\x81\x81\x81\x81\x01"), SK_LIT("\xa1\x80\x01"), SK_LIT("\xa1\xa0\x01"), SK_LIT("\xa1\xf5\x01")};

static const struct sk_slice loose[] = {SK_LIT("\x18\x17"), SK_LIT("\x18\x00"), SK_LIT("\x19\x00\xff"), SK_LIT("\x1a\x00\x00\xff\xff"),
        SK_LIT("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), SK_LIT("\x38\x00"), SK_LIT("\x58\x01x"), SK_LIT("\x78\x01x"), SK_LIT("\x98\x01\x01"),
        SK_LIT("\xb8\x01\x01\x01"), SK_LIT("\x5f\x41x\xff"), SK_LIT("\x7f\x61x\xff"), SK_LIT("\x9f\x01\xff"), SK_LIT("\xbf\x01\x01\xff"), SK_LIT("\xff"),
        SK_LIT("\xc0\x01"), SK_LIT("\xd8\x20\x61x"), SK_LIT("\xf7"), SK_LIT("\xf0"), SK_LIT("\xf8\xff"), SK_LIT("\xf9\x00\x00"),
        SK_LIT("\xfa\x00\x00\x00\x00"), SK_LIT("\xfb\x00\x00\x00\x00\x00\x00\x00\x00"), SK_LIT("\xa2\x01\x01\x01\x01"), SK_LIT("\xa2\x02\x01\x01\x01"),
        SK_LIT("\xa2\x20\x01\x01\x01"), SK_LIT("\xa2\x62" "aa\x01\x61z\x01"), SK_LIT("\xa2\x61z\x01\x61" "a\x01"), SK_LIT("\xa2\x60\x01\x40\x01"),
        SK_LIT("\x81\xa2\x02\x01\x01\x01"), SK_LIT("\xa2\x61" "a\xa1\x01\x02\x61" "a\x01")};

Test(cbor_item, the_canonical_form_is_taken_and_ends_where_it_ends)
{
    char longer[64];
    size_t used;
    for (size_t i = 0; i < SK_COUNT(good); i++) {
        cr_expect_eq(take(good[i], &used), SK_WEBAUTHN_GOOD, "%zu", i);
        cr_expect_eq(used, good[i].len, "%zu", i);
        memset(longer, '\xff', sizeof(longer));
        memcpy(longer, good[i].data, good[i].len);
        cr_expect_eq(take(sk_slice(longer, sizeof(longer)), &used), SK_WEBAUTHN_GOOD, "%zu", i);
        cr_expect_eq(used, good[i].len, "%zu", i);
        for (size_t len = 0; len < good[i].len; len++) {
            cr_expect_eq(take(sk_slice_cut(good[i], len), &used), SK_WEBAUTHN_MALFORMED, "%zu of %zu", len, i);
        }
    }
}

Test(cbor_item, what_does_not_end_or_is_none_is_malformed)
{
    size_t used;
    for (size_t i = 0; i < SK_COUNT(broken); i++) {
        cr_expect_eq(take(broken[i], &used), SK_WEBAUTHN_MALFORMED, "%zu", i);
    }
}

Test(cbor_item, what_could_be_written_otherwise_is_not_canonical)
{
    size_t used;
    for (size_t i = 0; i < SK_COUNT(loose); i++) {
        cr_expect_eq(take(loose[i], &used), SK_WEBAUTHN_CBOR, "%zu", i);
    }
}

/* All of two bytes, and what libcbor makes of those that are good. */
Test(cbor_item, what_is_good_libcbor_reads_to_the_same_end)
{
    for (unsigned i = 0; i < 0x1000000; i += 7) {
        const uint8_t bytes[] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct sk_slice rest = sk_slice(bytes, sizeof(bytes)), item;
        if (sk_cbor_take(&rest, &item) == SK_WEBAUTHN_GOOD) {
            struct cbor_load_result result;
            cbor_item_t *loaded = cbor_load(bytes, sizeof(bytes), &result);
            cr_assert_not_null(loaded);
            cr_assert_eq(result.read, item.len, "%06x", i);
            cbor_decref(&loaded);
        }
    }
}

Test(cbor_item, values_are_given_for_what_they_are_and_for_nothing_else)
{
    SK_CBOR_ITEM map = sk_cbor_load(SK_LIT("\xa4\x01\x38\x63\x3b\x7f\xff\xff\xff\xff\xff\xff\xff\x1b\x80\x00\x00\x00\x00\x00\x00\x00\x61" "b\x42xy\x61t\x62uv"));
    int64_t number = 5;
    cr_assert_not_null(map);
    cr_expect_eq(sk_cbor_map_size(map), 4);
    cr_expect(sk_cbor_int(sk_cbor_numbered(map, 1), &number) == 0 && number == -100);
    cr_expect_eq(sk_cbor_int(sk_cbor_numbered(map, INT64_MIN), &number), 1, "out of range");
    cr_expect(sk_slice_eq(sk_cbor_bytes(sk_cbor_named(map, SK_LIT("b"))), SK_LIT("xy")));
    cr_expect(sk_slice_eq(sk_cbor_text(sk_cbor_named(map, SK_LIT("t"))), SK_LIT("uv")));
    cr_expect_null(sk_cbor_text(sk_cbor_named(map, SK_LIT("b"))).data);
    cr_expect_null(sk_cbor_bytes(sk_cbor_named(map, SK_LIT("t"))).data);
    cr_expect_null(sk_cbor_named(map, SK_LIT("x")));
    cr_expect_null(sk_cbor_numbered(map, 2));
    cr_expect_null(sk_cbor_named(sk_cbor_named(map, SK_LIT("b")), SK_LIT("b")));
    cr_expect_eq(sk_cbor_int(NULL, &number), 1);
    cr_expect_eq(sk_cbor_int(map, &number), 1);
    cr_expect_eq(sk_cbor_array_size(map), SIZE_MAX);
    cr_expect_eq(sk_cbor_map_size(NULL), SIZE_MAX);
}
