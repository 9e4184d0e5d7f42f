/* gateway/journal/compress.c: what comes out is what went in, and of hostile bytes nothing, or no more than was wanted. */
#include "journal/compress.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct sk_compressor *compressor;

static void setup(void)
{
    compressor = sk_compressor_new();
    cr_assert_neq(compressor, NULL);
}

static void teardown(void)
{
    compressor = sk_compressor_free(compressor);
}

TestSuite(journal_compress, .init = setup, .fini = teardown);

/* A copy, of its length alone, for the sanitizers. */
static struct sk_slice copy_of(struct sk_slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    cr_assert_neq(copy, NULL);
    memcpy(copy, bytes.data, bytes.len);
    return sk_slice(copy, bytes.len);
}

static void free_copy(struct sk_slice copy)
{
    free((void *)(uintptr_t)copy.data);
}

Test(journal_compress, what_comes_out_is_what_went_in_whatever_its_length)
{
    static char bytes[70000];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i % 97 ? i / 97 : i);
    }
    for (size_t len = 0; len < sizeof(bytes); len = 3 * len + 1) {
        struct sk_slice out;
        cr_assert_eq(sk_compress(compressor, sk_slice(bytes, len), &out), 0);
        cr_expect(len < 1000 || out.len < len / 4, "%zu bytes of %zu", out.len, len);
        struct sk_slice copy = copy_of(out);
        cr_assert_eq(sk_expand(compressor, copy, len, &out), 0, "%zu", len);
        cr_expect(sk_slice_eq(out, sk_slice(bytes, len)), "%zu", len);
        cr_expect(len == 0 || sk_expand(compressor, copy, len - 1, &out) == 1, "no more than is wanted");
        free_copy(copy);
    }
}

Test(journal_compress, of_changed_or_cut_bytes_comes_nothing_or_as_much_as_they_say)
{
    static char bytes[2000];
    struct sk_slice out;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes + 500, "something else", 14);
    cr_assert_eq(sk_compress(compressor, sk_slice(bytes, sizeof(bytes)), &out), 0);
    struct sk_slice good = copy_of(out);
    for (size_t cut = 1; cut <= good.len; cut++) {
        struct sk_slice copy = copy_of(sk_slice_cut(good, good.len - cut));
        cr_expect_eq(sk_expand(compressor, copy, sizeof(bytes), &out), 1, "without %zu", cut);
        free_copy(copy);
    }
    for (size_t bit = 0; bit < 8 * good.len; bit++) {
        struct sk_slice copy = copy_of(good);
        ((char *)(uintptr_t)copy.data)[bit / 8] = (char)(copy.data[bit / 8] ^ (1 << bit % 8));
        int r = sk_expand(compressor, copy, sizeof(bytes), &out);
        cr_expect(r == 1 || (r == 0 && out.len <= sizeof(bytes)), "bit %zu: %d", bit, r);
        free_copy(copy);
    }
}
