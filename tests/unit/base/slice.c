/* gateway/base/slice.c and include/sekisho/slice.h: text by its length alone. */
#include "sekisho/slice.h"

#include <criterion/criterion.h>

Test(base_slice, equality_goes_by_length_and_bytes)
{
    cr_expect(sk_slice_eq(SK_LIT("ab"), SK_LIT("ab")));
    cr_expect_not(sk_slice_eq(SK_LIT("ab"), SK_LIT("a")));
    cr_expect_not(sk_slice_eq(SK_LIT("a\0b"), SK_LIT("a\0c")));
    cr_expect(sk_slice_eq(SK_SLICE_NULL, SK_LIT("")));
    cr_expect(sk_slice_eq(SK_SLICE_NULL, SK_SLICE_NULL));
}

Test(base_slice, case_is_folded_for_ascii_letters_only)
{
    cr_expect(sk_slice_eq_nocase(SK_LIT("Host"), SK_LIT("hOST")));
    cr_expect_not(sk_slice_eq_nocase(SK_LIT("@["), SK_LIT("`{")));
    cr_expect_not(sk_slice_eq_nocase(SK_LIT("\xc4"), SK_LIT("\xe4")));
    cr_expect_not(sk_slice_eq_nocase(SK_LIT("Host"), SK_LIT("Hos")));
    cr_expect(sk_slice_eq_nocase(SK_SLICE_NULL, SK_LIT("")));
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool letter = c >= 'A' && c <= 'Z';
        cr_expect_eq((uint8_t)sk_ascii_lower(byte), letter ? c + 32 : c);
    }
}

Test(base_slice, from_and_cut_never_leave_the_slice)
{
    struct sk_slice s = SK_LIT("abc");
    cr_expect(sk_slice_eq(sk_slice_from(s, 1), SK_LIT("bc")));
    cr_expect_null(sk_slice_from(s, 3).data);
    cr_expect_null(sk_slice_from(s, SIZE_MAX).data);
    cr_expect_eq(sk_slice_cut(s, SIZE_MAX).len, 3);
    cr_expect_eq(sk_slice_cut(s, 0).len, 0);
    cr_expect_eq(sk_slice_from(SK_SLICE_NULL, 0).len, 0);
}

Test(base_slice, a_prefix_is_not_longer_than_what_it_begins)
{
    cr_expect(sk_slice_starts(SK_LIT("abc"), SK_LIT("ab")));
    cr_expect(sk_slice_starts(SK_LIT("abc"), SK_SLICE_NULL));
    cr_expect(sk_slice_starts(SK_SLICE_NULL, SK_SLICE_NULL));
    cr_expect_not(sk_slice_starts(SK_LIT("ab"), SK_LIT("abc")));
}

Test(base_slice, find_gives_the_length_when_there_is_none)
{
    cr_expect_eq(sk_slice_find(SK_LIT("abcb"), 'b'), 1);
    cr_expect_eq(sk_slice_find(SK_LIT("abc"), 'x'), 3);
    cr_expect_eq(sk_slice_find(SK_LIT("abc"), '\0'), 3);
    cr_expect_eq(sk_slice_find(SK_LIT("a\0c"), '\0'), 1);
    cr_expect_eq(sk_slice_find(SK_SLICE_NULL, 'x'), 0);
}

Test(base_slice, split_takes_the_parts_in_order)
{
    struct sk_slice rest = SK_LIT("a,,bc");
    cr_expect(sk_slice_eq(sk_slice_split(&rest, ','), SK_LIT("a")));
    cr_expect(sk_slice_eq(sk_slice_split(&rest, ','), SK_LIT("")));
    cr_expect(sk_slice_eq(sk_slice_split(&rest, ','), SK_LIT("bc")));
    cr_expect_eq(rest.len, 0);
    cr_expect_eq(sk_slice_split(&rest, ',').len, 0);
}

Test(base_slice, trim_takes_spaces_and_tabs_only)
{
    cr_expect(sk_slice_eq(sk_slice_trim(SK_LIT(" \t a b\t ")), SK_LIT("a b")));
    cr_expect(sk_slice_eq(sk_slice_trim(SK_LIT("\na\r")), SK_LIT("\na\r")));
    cr_expect_eq(sk_slice_trim(SK_LIT(" \t ")).len, 0);
    cr_expect_eq(sk_slice_trim(SK_SLICE_NULL).len, 0);
}

Test(base_slice, a_number_is_digits_within_its_bound)
{
    uint64_t value = 77;
    cr_expect_eq(sk_slice_u64(SK_LIT("0"), 0, &value), 0);
    cr_expect_eq(value, 0);
    cr_expect_eq(sk_slice_u64(SK_LIT("18446744073709551615"), UINT64_MAX, &value), 0);
    cr_expect_eq(value, UINT64_MAX);
    cr_expect_eq(sk_slice_u64(sk_slice("12345", 2), 99, &value), 0);
    cr_expect_eq(value, 12);
}

Test(base_slice, what_is_no_number_leaves_the_value_alone)
{
    static const struct {
        struct sk_slice text;
        uint64_t max;
    } bad[] = {{{"", 0}, 9}, {{"-1", 2}, 9}, {{"+1", 2}, 9}, {{" 1", 2}, 9}, {{"1 ", 2}, 9}, {{"0x1", 3}, 9}, {{"1\0", 2}, 9},
            {{"10", 2}, 9}, {{"18446744073709551616", 20}, UINT64_MAX}, {{"99999999999999999999", 20}, UINT64_MAX},
            {{"184467440737095516150", 21}, UINT64_MAX}, {{"\xd9\xa1", 2}, 9}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value = 77;
        cr_expect_eq(sk_slice_u64(bad[i].text, bad[i].max, &value), 1, "%zu", i);
        cr_expect_eq(value, 77, "%zu", i);
    }
}

Test(base_slice, a_missing_text_is_the_null_slice)
{
    cr_expect_null(sk_slice_str(NULL).data);
    cr_expect_eq(sk_slice_str(NULL).len, 0);
    cr_expect_eq(sk_slice_str("ab").len, 2);
}
