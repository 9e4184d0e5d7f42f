/* gateway/base/text.c: encodings that are exact in both directions. */
#include "base/text.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>

/* RFC 4648 section 10. */
static const char *const rfc4648[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

Test(base_text, base64_is_that_of_rfc_4648)
{
    for (size_t i = 0; i < SK_COUNT(rfc4648); i++) {
        char out[SK_BASE64_SIZE(6)];
        uint8_t back[6];
        size_t len;
        cr_expect_eq(sk_base64_encode(sk_slice_str(rfc4648[i][0]), out), strlen(rfc4648[i][1]));
        cr_expect_str_eq(out, rfc4648[i][1]);
        cr_expect_eq(sk_base64_decode(sk_slice_str(rfc4648[i][1]), back, sizeof(back), &len), 0);
        cr_expect(sk_slice_eq(sk_slice(back, len), sk_slice_str(rfc4648[i][0])));
    }
}

Test(base_text, base64url_has_no_padding_and_its_own_two_digits)
{
    char out[SK_BASE64_SIZE(5)];
    cr_expect_eq(sk_base64url_encode(SK_LIT("\xfb\xff\xfe"), out), 4);
    cr_expect_str_eq(out, "-__-");
    cr_expect_eq(sk_base64url_encode(SK_LIT("\xfb"), out), 2);
    cr_expect_str_eq(out, "-w");
    cr_expect_eq(sk_base64url_encode(SK_SLICE_NULL, out), 0);
}

Test(base_text, every_length_of_base64_makes_the_round_trip_and_fills_no_more_than_its_size)
{
    uint8_t bytes[100], back[100];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37 + 200);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        char out[SK_BASE64_SIZE(100) + 1];
        size_t got;
        memset(out, '#', sizeof(out));
        size_t written = sk_base64_encode(sk_slice(bytes, len), out);
        cr_assert_eq(written + 1, SK_BASE64_SIZE(len));
        cr_assert_eq(out[written + 1], '#');
        cr_assert_eq(sk_base64_decode(sk_slice(out, written), back, len, &got), 0);
        cr_assert_eq(got, len);
        cr_assert_eq(memcmp(back, bytes, len), 0);
        cr_assert(len == 0 || sk_base64_decode(sk_slice(out, written), back, len - 1, &got) == 1);
    }
}

Test(base_text, base64_that_two_readers_could_read_differently_is_refused)
{
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "====", "=", "A===", "Zh==", "Zm9=", "Zg==Zg==", "Zg=a", "Z===", "Zm9v ",
            " Zm9v", "Zm\n9", "Zm-_", "Zm9v====", "Zg=\xff", "\xc3\xa9\xc3\xa9", "Zm9vZg=", "=Zm9"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        uint8_t out[16];
        size_t len;
        cr_expect_eq(sk_base64_decode(sk_slice_str(bad[i]), out, sizeof(out), &len), 1, "%s", bad[i]);
    }
    uint8_t out[16];
    size_t len;
    cr_expect_eq(sk_base64_decode(SK_LIT("Zm9\0"), out, sizeof(out), &len), 1);
}

Test(base_text, base64url_is_read_back_in_the_one_form_that_it_is_written_in)
{
    static const char *const bad[] = {"A", "AAAAA", "Zg==", "Zm8=", "Zh", "Zm9", "Zm9v ", " Zm9v", "Zm9v\n", "-__+", "-//-", "Zg.", "\xc3\xa9", "="};
    uint8_t bytes[100], back[100];
    size_t got;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37 + 200);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        char out[SK_BASE64_SIZE(100)];
        size_t written = sk_base64url_encode(sk_slice(bytes, len), out);
        cr_assert_eq(sk_base64url_decode(sk_slice(out, written), back, len, &got), 0);
        cr_assert_eq(got, len);
        cr_assert_eq(memcmp(back, bytes, len), 0);
        cr_assert(len == 0 || sk_base64url_decode(sk_slice(out, written), back, len - 1, &got) == 1);
    }
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(sk_base64url_decode(sk_slice_str(bad[i]), back, sizeof(back), &got), 1, "%s", bad[i]);
    }
    cr_expect_eq(sk_base64url_decode(SK_LIT("Zm9v\0"), back, sizeof(back), &got), 1);
}

Test(base_text, hex_is_lower_case_and_exact)
{
    char out[9];
    uint8_t back[4];
    sk_hex_encode("\x00\x7f\x80\xff", 4, out);
    cr_expect_str_eq(out, "007f80ff");
    cr_expect_eq(sk_hex_decode(SK_LIT("007f80ff"), back, 4), 0);
    cr_expect_eq(memcmp(back, "\x00\x7f\x80\xff", 4), 0);
    static const char *const bad[] = {"", "007f80f", "007f80ff0", "007F80FF", "007f80fg", " 07f80ff", "0x7f80ff"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(sk_hex_decode(sk_slice_str(bad[i]), back, 4), 1, "%s", bad[i]);
    }
    sk_hex_encode(NULL, 0, out);
    cr_expect_str_eq(out, "");
}

Test(base_text, utf8_knows_the_edges_of_rfc_3629)
{
    static const struct {
        const char *text;
        size_t len;
    } cases[] = {{"a", 1}, {"\x7f", 1}, {"\xc2\x80", 2}, {"\xdf\xbf", 2}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xee\x80\x80", 3},
            {"\xef\xbf\xbf", 3}, {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4}, {"\x80", 0}, {"\xbf", 0}, {"\xc0\x80", 0},
            {"\xc1\xbf", 0}, {"\xe0\x9f\xbf", 0}, {"\xed\xa0\x80", 0}, {"\xed\xbf\xbf", 0}, {"\xf0\x8f\xbf\xbf", 0},
            {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xff", 0}, {"\xfe", 0}, {"\xc2", 0}, {"\xc2\x41", 0}, {"\xe1\x80", 0},
            {"\xe1\x80\xc0", 0}, {"\xf1\x80\x80", 0}, {"\xf1\x80\x80\x41", 0}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_expect_eq(sk_utf8_len(sk_slice_str(cases[i].text)), cases[i].len, "case %zu", i);
    }
    cr_expect_eq(sk_utf8_len(SK_SLICE_NULL), 0);
    cr_expect_eq(sk_utf8_len(SK_LIT("\0")), 1);
}

static bool json_is(struct sk_slice text, const char *want)
{
    struct sk_buf buf = SK_BUF_INIT(1000);
    cr_assert_eq(sk_json_put_string(&buf, text), 0);
    bool same = sk_slice_eq(sk_buf_peek(&buf), sk_slice_str(want));
    sk_buf_free(&buf);
    return same;
}

Test(base_text, a_json_string_escapes_what_json_demands)
{
    cr_expect(json_is(SK_LIT("a\"b\\c/"), "\"a\\\"b\\\\c/\""));
    cr_expect(json_is(SK_LIT("\0\x1f\n\x7f"), "\"\\u0000\\u001f\\u000a\\u007f\""));
    cr_expect(json_is(SK_LIT("\xe9\x96\xa2"), "\"\xe9\x96\xa2\""));
    cr_expect(json_is(SK_SLICE_NULL, "\"\""));
}

Test(base_text, bytes_that_are_not_utf8_become_the_replacement_character)
{
    cr_expect(json_is(SK_LIT("\xff" "a\xe9\x96"), "\"\xef\xbf\xbd" "a\xef\xbf\xbd\xef\xbf\xbd\""));
    cr_expect(json_is(SK_LIT("\xc0\""), "\"\xef\xbf\xbd\\\"\""));
    cr_expect(json_is(SK_LIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

Test(base_text, a_json_string_that_does_not_fit_is_an_error)
{
    for (size_t limit = 0; limit < 12; limit++) {
        struct sk_buf buf = SK_BUF_INIT(limit);
        cr_expect_eq(sk_json_put_string(&buf, SK_LIT("ab\"\\\xff" "cde")), -ENOBUFS, "%zu", limit);
        sk_buf_free(&buf);
    }
}

Test(base_text, html_escapes_its_five_characters)
{
    struct sk_buf buf = SK_BUF_INIT(100);
    cr_assert_eq(sk_html_put(&buf, SK_LIT("<a href='x\">&amp;")), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&buf), SK_LIT("&lt;a href=&#39;x&quot;&gt;&amp;amp;")));
    sk_buf_free(&buf);
}

Test(base_text, durations_and_sizes_have_one_unit_each)
{
    static const struct {
        const char *text;
        uint64_t value;
    } times[] = {{"0", 0}, {"7", 7 * SK_SECOND}, {"500ms", 500 * SK_MILLISECOND}, {"30s", 30 * SK_SECOND}, {"5m", 300 * SK_SECOND},
            {"12h", 43200 * SK_SECOND}, {"90d", 7776000 * SK_SECOND}},
      sizes[] = {{"0", 0}, {"7", 7}, {"64k", 65536}, {"1M", 1 << 20}, {"2G", UINT64_C(2) << 30}, {"17179869183G", UINT64_C(17179869183) << 30}};
    uint64_t value;
    for (size_t i = 0; i < SK_COUNT(times); i++) {
        cr_expect_eq(sk_duration_parse(sk_slice_str(times[i].text), &value), 0, "%s", times[i].text);
        cr_expect_eq(value, times[i].value, "%s", times[i].text);
    }
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        cr_expect_eq(sk_size_parse(sk_slice_str(sizes[i].text), &value), 0, "%s", sizes[i].text);
        cr_expect_eq(value, sizes[i].value, "%s", sizes[i].text);
    }
}

Test(base_text, a_duration_or_size_that_is_none_or_too_large_is_refused)
{
    static const char *const bad[] = {"", "s", "k", "-1s", "1 s", "1S", "1K", "1kB", "1.5m", "5mm", "m5", "0x5", "213504d", "18446744073709551616",
            "18446744073709551615d", "17179869184G", "18446744073709551615k"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        uint64_t value;
        bool time_ok = sk_duration_parse(sk_slice_str(bad[i]), &value) == 0;
        bool size_ok = sk_size_parse(sk_slice_str(bad[i]), &value) == 0;
        cr_expect_not(time_ok, "%s", bad[i]);
        cr_expect_not(size_ok, "%s", bad[i]);
    }
}

Test(base_text, a_time_is_rfc_3339_in_utc)
{
    char out[32];
    sk_time_text(0, out);
    cr_expect_str_eq(out, "1970-01-01T00:00:00.000Z");
    sk_time_text(UINT64_C(1795230245678999999), out);
    cr_expect_str_eq(out, "2026-11-21T03:04:05.678Z");
    sk_time_text(UINT64_C(1709164800000000000), out);
    cr_expect_str_eq(out, "2024-02-29T00:00:00.000Z");
    sk_time_text(UINT64_MAX, out);
    cr_expect_str_eq(out, "2554-07-21T23:34:33.709Z");
}

Test(base_text, a_time_is_read_back_from_its_day_or_second_and_from_nothing_else)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"2024-02-29", 1709164800}, {"2026-11-21T03:04:05Z", 1795230245}, {"1970-01-02", 86400}, {"2099-12-31T23:59:59Z", UINT64_C(4102444799)}};
    for (size_t i = 0; i < SK_COUNT(good); i++) {
        uint64_t wall;
        cr_expect_eq(sk_time_parse(sk_slice_str(good[i].text), &wall), 0, "%s", good[i].text);
        cr_expect_eq(wall, good[i].seconds * SK_SECOND, "%s", good[i].text);
    }
    static const char *const bad[] = {"", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-1-01", "2024/01/01", "2024-01-01T", "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00+09:00", "2024-01-01 00:00:00Z", "1970-01-01", "0000-01-01",
            "9999-01-01", "soon", "2024-01-0a", "+024-01-01"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        uint64_t wall;
        cr_expect_neq(sk_time_parse(sk_slice_str(bad[i]), &wall), 0, "%s", bad[i]);
    }
}
