/* gateway/crypto/password.c: which passwords may be chosen, and why others may not. */
#include "crypto/password.h"

#include <criterion/criterion.h>

static void check(const char *password, size_t least, const char *context, const char *reason)
{
    enum sk_password_fault fault = sk_password_check(sk_slice_str(password), least, sk_slice_str(context));
    cr_expect_str_eq(sk_password_reason(fault), reason, "'%s'", password);
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
    check("acme winter garden", 8, "acme\nhanako", "");
    check("ab12ab12cd34", 8, "ab", "");
    check("1 2 3 4 5 6 7 8 9 10 11", 8, "acme", "");
}
