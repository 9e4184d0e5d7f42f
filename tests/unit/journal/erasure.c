/* gateway/journal/erasure.c: a certificate of erasure is read as it is written, has one form, and is no checkpoint. */
#include "journal/erasure.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define IDS "00112233445566778899aabbccddeeff/0e000000000000000000000000000000/01000000000000000000000000000000\n"
#define REST "18446744073709551615\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\ntime 2026-11-27T08:24:18.928Z\nclock set 1500 us\n"

static const char example[] = "sekisho-erasure/" IDS REST "contract acme@dns\n";

static int get(struct sk_slice text)
{
    struct sk_erasure e;
    return sk_erasure_get(text, &e);
}

/* The example with the first `from` in it changed. */
static struct sk_slice with(const char *from, const char *to)
{
    static char text[1024];
    const char *at = strstr(example, from);
    cr_assert_not_null(at, "%s", from);
    int len = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - example), example, to, at + strlen(from));
    return sk_slice(text, (size_t)len);
}

Test(journal_erasure, is_read_as_it_is_written)
{
    struct sk_erasure e;
    struct sk_buf out = SK_BUF_INIT(SK_ERASURE_TEXT);
    cr_assert_eq(sk_erasure_get(sk_slice_str(example), &e), 0);
    cr_expect(e.was.node[1] == 0x11 && e.was.epoch[0] == 14 && e.was.tenant[0] == 1);
    cr_expect_eq(e.was.size, UINT64_MAX);
    cr_expect_eq(e.was.root[31], 31);
    cr_expect_eq(e.was.wall, 1795767858 * SK_SECOND + 928 * SK_MILLISECOND);
    cr_expect(e.was.clock_set && e.was.clock_error == 1500);
    cr_expect_str_eq(e.contract, "acme@dns");
    cr_assert_eq(sk_erasure_put(&e, &out), 0);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), sk_slice_str(example)));
    sk_buf_free(&out);
}

Test(journal_erasure, the_longest_fits)
{
    struct sk_erasure e = {.was = {.size = UINT64_MAX, .wall = 4102444800 * SK_SECOND, .clock_error = UINT64_MAX - 1}}, back;
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_TEXT), small SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(300);
    memset(e.contract, 'c', SK_ERASURE_NAME - 1);
    cr_assert_eq(sk_erasure_put(&e, &out), 0);
    cr_assert_eq(sk_erasure_get(sk_buf_peek(&out), &back), 0);
    cr_expect_eq(strlen(back.contract), SK_ERASURE_NAME - 1);
    cr_expect_eq(back.was.clock_error, UINT64_MAX - 1);
    cr_expect_lt(sk_erasure_put(&e, &small), 0);
    cr_expect_eq(sk_buf_len(&small), 0);
}

/* Whatever is taken is what would be written, and says something else than before. */
Test(journal_erasure, no_byte_may_be_another_and_say_the_same)
{
    char text[sizeof(example)];
    const char *name = strstr(example, "acme@dns"), *root = strstr(example, "AAEC"), *at = strstr(example, "time ");
    memcpy(text, example, sizeof(text));
    for (size_t i = 0; i < sizeof(example) - 1; i++) {
        for (int value = 0; value < 256; value++) {
            struct sk_erasure e;
            text[i] = (char)value;
            if (text[i] == example[i] || sk_erasure_get(sk_slice(text, sizeof(text) - 1), &e) != 0) {
                continue;
            }
            struct sk_buf again = SK_BUF_INIT(SK_ERASURE_TEXT);
            bool in_name = example + i >= name && example[i] != '\n', in_root = example + i >= root && example + i < at;
            bool digit = strchr("0123456789", example[i]) && strchr("0123456789", text[i]), hex = i < 16 + sizeof(IDS) && strchr("0123456789abcdef", text[i]);
            cr_assert(value && (in_name || in_root || digit || hex), "byte %zu ('%c'): %d", i, example[i], value);
            cr_assert_eq(sk_erasure_put(&e, &again), 0);
            cr_assert(sk_slice_eq(sk_buf_peek(&again), sk_slice(text, sizeof(text) - 1)), "byte %zu: %d", i, value);
            sk_buf_free(&again);
        }
        text[i] = example[i];
    }
}

Test(journal_erasure, has_no_other_form)
{
    static const char *const others[][2] = {{"sekisho-erasure/", "Sekisho-erasure/"}, {"sekisho-erasure/", "sekisho-erasures/"},
            {"sekisho-erasure/", "sekisho-erasure//"}, {"sekisho-erasure/", "sekisho-erasure"},
            {"sekisho-erasure/", "sekisho-erasure/sekisho/"}, {"sekisho-erasure/", "\nsekisho-erasure/"}, {"aabb", "AABB"},
            {"\n18446744073709551615\n", "\n18446744073709551616\n"}, {"\n18446744073709551615\n", "\n01\n"},
            {"18.928Z", "18Z"}, {"clock set 1500 us\n", ""}, {"1500 us", "01500 us"}, {"clock set", "clock sets"}, {"contract acme@dns\n", ""},
            {"contract ", "contract"}, {"contract ", "Contract "}, {"contract ", "contracts "},
            {"contract ", " contract "}, {"acme@dns", ""}, {"contract acme@dns\n", "contract \n"}, {"acme@dns\n", "acme@dns"}, {"acme@dns\n", "acme@dns\n\n"},
            {"acme@dns\n", "acme@dns\ncontract beta@dns\n"},
            {"acme@dns\n", "acme@dns\nmore\n"}, {"acme@dns", "acme\n@dns"},
            {"clock set 1500 us\ncontract acme@dns\n", "contract acme@dns\nclock set 1500 us\n"}, {"contract", "\ncontract"}};
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        struct sk_slice text = with(others[i][0], others[i][1]);
        cr_expect_eq(get(text), 1, "'%.*s'", (int)text.len, text.data);
    }
    for (size_t len = 0; len < sizeof(example) - 1; len++) {
        cr_expect_eq(get(sk_slice(example, len)), 1, "cut at %zu", len);
        cr_expect_eq(get(sk_slice(example + len + 1, sizeof(example) - 2 - len)), 1, "from %zu on", len + 1);
    }
    cr_expect_eq(get(SK_SLICE_NULL), 1);
    cr_expect_eq(get(sk_slice(example, sizeof(example))), 1, "with its NUL");
    cr_expect_eq(get(with("clock set 1500 us", "clock unknown")), 0, "as a checkpoint may have it");
}

Test(journal_erasure, a_contracts_name_has_1_to_129_bytes_and_no_nul)
{
    char name[160], nul[sizeof(example)];
    for (size_t len = 0; len < 150; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        cr_expect_eq(get(with("acme@dns", name)), len < 1 || len > 129, "%zu", len);
    }
    memcpy(nul, example, sizeof(nul));
    *(strstr(nul, "@dns")) = '\0';
    cr_expect_eq(get(sk_slice(nul, sizeof(nul) - 1)), 1);
}

Test(journal_erasure, is_no_checkpoint_nor_one_a_certificate)
{
    struct sk_checkpoint c;
    cr_expect_eq(sk_checkpoint_get(sk_slice_str("sekisho/" IDS REST), &c), 0);
    cr_expect_eq(sk_checkpoint_get(sk_slice_str(example), &c), 1);
    cr_expect_eq(sk_checkpoint_get(sk_slice_str("sekisho/" IDS REST "contract acme@dns\n"), &c), 1);
    cr_expect_eq(get(sk_slice_str("sekisho/" IDS REST)), 1);
    cr_expect_eq(get(sk_slice_str("sekisho/" IDS REST "contract acme@dns\n")), 1);
}

Test(journal_erasure, a_file_is_named_by_its_tenant_and_how_far_that_went)
{
    struct sk_erasure e = {.was = {.node = {1}, .tenant = {0xab, 0xcd}, .size = UINT64_MAX}};
    char name[80];
    sk_erasure_file(&e, name);
    cr_expect_str_eq(name, "erasure-abcd0000000000000000000000000000-18446744073709551615");
    e.was.size = 0;
    sk_erasure_file(&e, name);
    cr_expect_str_eq(name, "erasure-abcd0000000000000000000000000000-0");
}
