/* gateway/crypto/password.c: the normal form, which passwords may be chosen, and why others may not. */
#include "crypto/password.h"

#include <criterion/criterion.h>

static void check(const char *password, size_t least, const char *context, const char *reason)
{
    enum sk_password_fault fault = sk_password_check(sk_slice_str(password), least, sk_slice_str(context));
    cr_expect_str_eq(sk_password_reason(fault), reason, "'%s'", password);
}

Test(crypto_password, what_is_the_same_text_is_the_same_password)
{
    static const struct {
        const char *typed, *normal;
    } same[] = {
            {"cafe\xcc\x81", "caf\xc3\xa9"},                                         /* an accent of its own */
            {"caf\xc3\xa9", "caf\xc3\xa9"},
            {"\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c"},                           /* か and its mark: が */
            {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"},               /* Hangul in three parts */
            {"\xe2\x84\xab", "\xc3\x85"},                                           /* the ångström is a letter */
            {"q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87"},                             /* marks have an order */
            {"\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc"},                         /* some are never put together */
            {"\xef\xac\x81\xef\xbd\x81\xc2\xb2", "\xef\xac\x81\xef\xbd\x81\xc2\xb2"}, /* a ligature, a wide letter, a small digit: another text */
            {"Plain ASCII ~1", "Plain ASCII ~1"},
            {"", ""},
    };
    char out[SK_PASSWORD_MAX];
    size_t len;
    for (size_t i = 0; i < SK_COUNT(same); i++) {
        cr_assert_eq(sk_password_normal(sk_slice_str(same[i].typed), out, &len), 0);
        cr_expect(sk_slice_eq(sk_slice(out, len), sk_slice_str(same[i].normal)), "%zu", i);
    }
    cr_expect_eq(sk_password_normal(sk_slice("a\0b", 3), out, &len), 0);
    cr_expect(sk_slice_eq(sk_slice(out, len), sk_slice("a\0b", 3)));
}

Test(crypto_password, what_is_no_text_or_too_long_has_no_normal_form)
{
    static const char *const bad[] = {"\xff", "a\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abc\xe3\x81"};
    static char twice[SK_PASSWORD_MAX + 2];
    char out[SK_PASSWORD_MAX];
    size_t len;
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(sk_password_normal(sk_slice_str(bad[i]), out, &len), 1, "%zu", i);
        cr_expect_eq(len, 0);
    }
    memset(twice, 'a', SK_PASSWORD_MAX + 1);
    cr_expect_eq(sk_password_normal(sk_slice_str(twice), out, &len), 2);
    /* Three bytes each that become six: the most code points of a byte, and the most bytes of one, are bounded. */
    for (size_t i = 0; i + 3 <= SK_PASSWORD_MAX; i += 3) {
        memcpy(twice + i, "\xe0\xa5\x98", 3);
    }
    cr_expect_eq(sk_password_normal(sk_slice(twice, SK_PASSWORD_MAX / 3 * 3), out, &len), 2);
    for (size_t i = 0; i + 2 <= SK_PASSWORD_MAX; i += 2) {
        memcpy(twice + i, "\xce\x90", 2); /* comes apart in three, and together again */
    }
    cr_expect_eq(sk_password_normal(sk_slice(twice, SK_PASSWORD_MAX), out, &len), 0);
    cr_expect(sk_slice_eq(sk_slice(out, len), sk_slice(twice, SK_PASSWORD_MAX)));
}

Test(crypto_password, length_is_counted_in_characters)
{
    check("zq9#vmw", 8, "", "password-too-short");
    check("zq9#vmwx", 8, "", "");
    check("zq9#vmwx zq9v7", 15, "", "password-too-short");
    check("zq9#vmwx zq9v7r", 15, "", "");
    check("関所を越えて進むひとの影", 15, "", "password-too-short");
    check("関所を越えて進むひとの影ふたつみつ", 15, "", "");
    check("", 8, "", "password-too-short");
    check("zq9#vme\xcc\x81", 8, "", "password-too-short"); /* seven letters, one with an accent */
    check("zq9#vmwe\xcc\x81", 8, "", "");
}

Test(crypto_password, it_is_text_of_a_bounded_size)
{
    static char long_one[SK_PASSWORD_MAX + 2];
    for (size_t i = 0; i < SK_PASSWORD_MAX + 1; i++) {
        long_one[i] = (char)('a' + (i * 7 + i / 26 * 3) % 26);
    }
    check(long_one, 15, "", "password-too-long");
    long_one[SK_PASSWORD_MAX] = '\0';
    check(long_one, 15, "", "");
    check("tsurezure\tnaru mama", 15, "", "password-not-text");
    check("tsurezure\x7fnaru mama", 15, "", "password-not-text");
    check("tsurezure\xc0\xafnaru mama", 15, "", "password-not-text");
    check("tsurezure\xffnaru mama", 15, "", "password-not-text");
    check("tsurezure\xc2\x85naru mama", 15, "", "password-not-text");     /* the other control characters */
    check("tsurezure\xcd\xb8naru mama", 15, "", "password-not-text");     /* no character yet */
    check("tsurezure\xef\xbf\xbfnaru mama", 15, "", "password-not-text"); /* never one */
    check("tsurezure \xf0\x9f\x90\x88 naru mama", 15, "", "");
}

Test(crypto_password, what_is_tried_first_is_refused_whatever_its_case_and_what_stands_around_it)
{
    static const char *const bad[] = {"password", "PassWord", "password1234567", "12password!!", "iloveyou", "sunshine2024", "administrator", "christopher99",
            "12345678", "123456789012345", "abcdefghijklmnop", "zyxwvutsrqponm", "aaaaaaaaaaaaaaaa", "abababababababab", "abcabcabcabcabc",
            "monkeymonkeymonkey", "qwertyuiop12345"};
    static const char *const good[] = {"correct horse battery staple", "tsurezurenaru mama ni", "password and something else", "kp3x-99vq-t7"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check(bad[i], 8, "", "password-common");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        check(good[i], 8, "", "");
    }
}

Test(crypto_password, a_name_with_little_beside_it_is_refused)
{
    check("Hanako-Acme-2026", 8, "acme\nhanako", "password-context");
    check("acmeACMEacme!!2", 8, "acme", "password-context");
    check("acme2026xyz", 8, "acme\nab", "password-context");
    check("ren\xc3\xa9""e-12345", 8, "rene\xcc\x81""e", "password-context"); /* the file was written on another keyboard */
    check("acme winter garden", 8, "acme\nhanako", "");
    check("ab12ab12cd34", 8, "ab", "");
    check("1 2 3 4 5 6 7 8 9 10 11", 8, "acme", "");
}
