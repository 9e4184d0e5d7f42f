/* gateway/factor/jwk.c: what of a key set is used, and published signatures. */
#include "factor/jwk.h"

#include "base/text.h"
#include "issuer.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <stdlib.h>

static struct sk_jwk_set *parse(const char *json)
{
    struct sk_jwk_set *set = NULL;
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(json), &set), 0, "%s", json);
    cr_assert_not_null(set);
    return set;
}

/* Keys of a set with one entry that can be used: 1 or 0. */
static size_t used(const char *jwk)
{
    struct sk_jwk_set *set = parse(issuer_text("{'keys':[%s]}", jwk));
    size_t count = set->count;
    cr_assert_null(sk_jwk_set_free(set));
    return count;
}

static bool refused(const char *json, size_t len)
{
    struct sk_jwk_set *set = NULL;
    int r = sk_jwk_set_parse(sk_slice(json, len), &set);
    cr_assert(r == 1 ? set == NULL : r == 0);
    (void)sk_jwk_set_free(set);
    return r == 1;
}

static const char *with(enum sk_jwk_algorithm kind, const char *more)
{
    return issuer_jwk(issuer_key(kind), more);
}

Test(factor_jwk, each_kind_of_key_has_its_algorithm)
{
    static const struct {
        enum sk_jwk_algorithm kind;
        const char *more;
        enum sk_jwk_algorithm algorithm;
    } cases[] = {{SK_JWK_RS256, "", SK_JWK_RS256}, {SK_JWK_RS256, "'alg':'RS256'", SK_JWK_RS256}, {SK_JWK_RS256, "'alg':'PS256'", SK_JWK_PS256},
            {SK_JWK_ES256, "", SK_JWK_ES256}, {SK_JWK_ES256, "'alg':'ES256'", SK_JWK_ES256}, {SK_JWK_ES384, "", SK_JWK_ES384},
            {SK_JWK_ES384, "'alg':'ES384'", SK_JWK_ES384}, {SK_JWK_EDDSA, "", SK_JWK_EDDSA}, {SK_JWK_EDDSA, "'alg':'EdDSA'", SK_JWK_EDDSA},
            {SK_JWK_RS256, "'use':'sig','key_ops':['verify'],'kid':'a','x5c':['AAAA'],'x5t':'AA','more':{'a':[1]}", SK_JWK_RS256},
            {SK_JWK_RS256, "'key_ops':['sign','verify']", SK_JWK_RS256}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_jwk_set *set = parse(issuer_text("{'keys':[%s]}", with(cases[i].kind, cases[i].more)));
        cr_assert_eq(set->count, 1, "%zu", i);
        cr_expect_eq(set->keys[0].algorithm, cases[i].algorithm, "%zu", i);
        cr_expect_eq(EVP_PKEY_eq(set->keys[0].pkey, issuer_key(cases[i].kind)), 1, "%zu", i);
        sk_jwk_set_free(set);
    }
}

Test(factor_jwk, a_key_for_something_else_is_left_out)
{
    static const struct {
        enum sk_jwk_algorithm kind;
        const char *more;
    } cases[] = {{SK_JWK_RS256, "'use':'enc'"}, {SK_JWK_RS256, "'use':''"}, {SK_JWK_RS256, "'use':['sig']"}, {SK_JWK_RS256, "'use':null"},
            {SK_JWK_RS256, "'key_ops':[]"}, {SK_JWK_RS256, "'key_ops':['sign']"}, {SK_JWK_RS256, "'key_ops':'verify'"},
            {SK_JWK_RS256, "'key_ops':[7]"}, {SK_JWK_RS256, "'alg':'RS512'"}, {SK_JWK_RS256, "'alg':'rs256'"},
            {SK_JWK_RS256, "'alg':'RSA-OAEP'"}, {SK_JWK_RS256, "'alg':'HS256'"}, {SK_JWK_RS256, "'alg':'none'"}, {SK_JWK_RS256, "'alg':''"},
            {SK_JWK_RS256, "'alg':7"}, {SK_JWK_RS256, "'alg':'ES256'"}, {SK_JWK_ES256, "'alg':'ES384'"}, {SK_JWK_ES384, "'alg':'ES256'"},
            {SK_JWK_ES256, "'alg':'RS256'"}, {SK_JWK_ES256, "'alg':'ECDH-ES'"}, {SK_JWK_EDDSA, "'alg':'ES256'"},
            {SK_JWK_EDDSA, "'d':'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'"}, {SK_JWK_RS256, "'d':'AQ','p':'AQ'"}, {SK_JWK_ES256, "'d':''"},
            {SK_JWK_RS256, "'kid':7"}, {SK_JWK_RS256, "'kid':null"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_expect_eq(used(with(cases[i].kind, cases[i].more)), 0, "%s", cases[i].more);
    }
}

Test(factor_jwk, a_key_of_another_kind_or_not_sound_is_left_out)
{
    static const char *const cases[] = {"{}", "{'kty':'oct','k':'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T'}", "{'kty':7}", "{'kty':'rsa'}",
            "{'kty':'RSA'}", "{'kty':'RSA','n':'','e':'AQAB'}", "{'kty':'RSA','n':7,'e':'AQAB'}", "{'kty':'EC','crv':'P-256'}", "{'kty':'EC'}",
            "{'kty':'EC','crv':'P-256','x':'','y':''}", "{'kty':'OKP','crv':'Ed25519'}", "{'kty':'OKP','crv':'Ed25519','x':''}",
            "{'kty':'OKP','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}",
            "{'kty':'OKP','crv':'X25519','x':'3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08'}",
            "{'kty':'OKP','crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ'}",
            "{'kty':'OKP','crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo='}",
            "{'kty':'OKP','crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURoA'}",
            "{'kty':'OKP','crv':'Ed448','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}",
            /* RFC 7515 A.3's point with one digit changed, its halves changed about, without its last byte, the point at infinity */
            "{'kty':'EC','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4'}",
            "{'kty':'EC','crv':'P-256','y':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','x':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'}",
            "{'kty':'EC','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q'}",
            "{'kty':'EC','crv':'P-256','x':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA','y':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}",
            "{'kty':'EC','crv':'P-384','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'}",
            "{'kty':'EC','crv':'secp256k1','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'}",
            "{'kty':'OKP','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'}"};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_expect_eq(used(cases[i]), 0, "%s", cases[i]);
    }
    cr_expect_eq(used(issuer_jwk(EVP_EC_gen("P-521"), "")), 0);
}

/* One in 256 ends in a zero: without it the number would still be read as the same. */
Test(factor_jwk, a_coordinate_has_all_its_bytes)
{
    for (int turn = 0; turn < 10000; turn++) {
        EVP_PKEY *pkey = EVP_EC_gen("P-256");
        uint8_t point[65];
        size_t len;
        cr_assert_gt(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len), 0);
        EVP_PKEY_free(pkey);
        if (point[64] == 0) {
            const char *x = issuer_base64url(sk_slice(point + 1, 32));
            cr_expect_eq(used(issuer_text("{'kty':'EC','crv':'P-256','x':'%s','y':'%s'}", x, issuer_base64url(sk_slice(point + 33, 32)))), 1);
            cr_expect_eq(used(issuer_text("{'kty':'EC','crv':'P-256','x':'%s','y':'%s'}", x, issuer_base64url(sk_slice(point + 33, 31)))), 0);
            return;
        }
    }
    cr_assert_fail("no such point in 10000");
}

/* A modulus of so many bits, odd unless `even`; nobody checks that it is a product of two primes. */
static size_t used_rsa(size_t bits, bool even, const char *exponent)
{
    uint8_t n[1100] = {0};
    size_t len = (bits + 7) / 8;
    n[0] = (uint8_t)(1U << ((bits - 1) % 8));
    n[len - 1] |= even ? 2 : 1;
    return used(issuer_text("{'kty':'RSA','n':'%s','e':'%s'}", issuer_base64url(sk_slice(n, len)), exponent));
}

Test(factor_jwk, rsa_keys_are_neither_too_small_nor_too_large)
{
    cr_expect_eq(used_rsa(2048, false, "AQAB"), 1);
    cr_expect_eq(used_rsa(2047, false, "AQAB"), 0);
    cr_expect_eq(used_rsa(1024, false, "AQAB"), 0);
    cr_expect_eq(used_rsa(3072, false, "AQAB"), 1);
    cr_expect_eq(used_rsa(4096, false, "AQAB"), 1);
    cr_expect_eq(used_rsa(4097, false, "AQAB"), 0);
    cr_expect_eq(used_rsa(8192, false, "AQAB"), 0);
    cr_expect_eq(used_rsa(2048, true, "AQAB"), 0);
    cr_expect_eq(used_rsa(2048, false, ""), 0);
    cr_expect_eq(used_rsa(2048, false, "AQ"), 0, "1");
    cr_expect_eq(used_rsa(2048, false, "Aw"), 0, "3");
    cr_expect_eq(used_rsa(2048, false, "EQ"), 0, "17");
    cr_expect_eq(used_rsa(2048, false, "__8"), 0, "65535");
    cr_expect_eq(used_rsa(2048, false, "AQAA"), 0, "65536");
    cr_expect_eq(used_rsa(2048, false, "AQAC"), 0, "65538");
    cr_expect_eq(used_rsa(2048, false, "AQAD"), 1, "65539");
    cr_expect_eq(used_rsa(2048, false, "__________8"), 1, "64 bits");
    cr_expect_eq(used_rsa(2048, false, "Af________8B"), 0, "more");
    uint8_t zero[513] = {0, 0x80};
    zero[512] = 1;
    cr_expect_eq(used(issuer_text("{'kty':'RSA','n':'%s','e':'AAEAAQ'}", issuer_base64url(sk_slice(zero, sizeof(zero))))), 1, "zeros in front");
}

Test(factor_jwk, others_in_the_set_are_used_when_one_is_left_out)
{
    struct sk_jwk_set *set = parse(issuer_text("{'keys':[{'kty':'oct','k':'AA','kid':'a'},%s,{'kty':'new'},%s],'more':7}",
            with(SK_JWK_ES256, "'kid':'a'"), with(SK_JWK_EDDSA, "")));
    cr_assert_eq(set->count, 2);
    cr_expect(sk_slice_eq(set->keys[0].id, SK_LIT("a")));
    cr_expect_null(set->keys[1].id.data);
    sk_jwk_set_free(set);
    set = parse(issuer_set());
    cr_expect_eq(set->count, 5);
    sk_jwk_set_free(set);
    set = parse("{\"keys\":[]}");
    cr_expect_eq(set->count, 0);
    sk_jwk_set_free(set);
    cr_expect_null(sk_jwk_set_free(NULL));
}

Test(factor_jwk, one_id_names_one_key)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    const char *one = with(SK_JWK_ES256, "'kid':'a'"), *again = with(SK_JWK_ES256, "'alg':'ES256','kid':'a'");
    const char *json = issuer_text("{'keys':[%s,%s]}", one, issuer_jwk(other, "'kid':'a'"));
    cr_expect(refused(json, strlen(json)), "two keys");
    json = issuer_text("{'keys':[%s,%s]}", one, with(SK_JWK_RS256, "'kid':'a'"));
    cr_expect(refused(json, strlen(json)), "two kinds");
    json = issuer_text("{'keys':[%s,%s]}", with(SK_JWK_RS256, "'kid':'a'"), with(SK_JWK_PS256, "'kid':'a','alg':'PS256'"));
    cr_expect(refused(json, strlen(json)), "one key for two algorithms");
    struct sk_jwk_set *set = parse(issuer_text("{'keys':[%s,%s,%s,%s]}", one, again, issuer_jwk(other, ""), issuer_jwk(other, "")));
    cr_expect_eq(set->count, 3, "the same key again, and two without an id");
    sk_jwk_set_free(set);
    EVP_PKEY_free(other);
}

Test(factor_jwk, what_is_no_set_is_refused)
{
    static const char *const bad[] = {"", " ", "{}", "[]", "null", "7", "{'keys':{}}", "{'keys':null}", "{'keys':[7]}", "{'keys':['a']}",
            "{'keys':[[]]}", "{'keys':[{}]", "{'keys':[{}],}", "{'keys':[],'keys':[]}", "{'keys':[{'kty':'a','kty':'a'}]}", "{'keys':[]}x",
            "{'keys':[]}{}", "{'keys':[{'kid':'\\u0000'}]}", "{'keys':[{'kid':'\\ud800'}]}", "{'keys':[{'kid':'\xff'}]}", "\xef\xbb\xbf{'keys':[]}",
            "{'keys':[{'a':[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}]}", "{'keys':[{'a':1e999}]}"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        const char *json = issuer_text("%s", bad[i]);
        cr_expect(refused(json, strlen(json)), "%s", json);
    }
    cr_expect(refused("{\"keys\":[]}\0", 12), "a NUL behind it");
    cr_expect_not(refused(" {\"keys\":[]}\r\n", 14));
}

Test(factor_jwk, a_set_has_its_limits)
{
    char *json = malloc(SK_JWK_SET_MAX + 1);
    cr_assert_not_null(json);
    for (size_t count = SK_JWK_KEYS_MAX; count <= SK_JWK_KEYS_MAX + 1; count++) {
        size_t len = 9;
        memcpy(json, "{\"keys\":[", len);
        for (size_t i = 0; i < count; i++) {
            memcpy(json + len, "{},", 3);
            len += 3;
        }
        memcpy(json + len - 1, "]}", 2);
        cr_expect_eq(refused(json, len + 1), count > SK_JWK_KEYS_MAX, "%zu", count);
    }
    for (size_t len = SK_JWK_SET_MAX; len <= SK_JWK_SET_MAX + 1; len++) {
        memset(json, ' ', len);
        memcpy(json, "{\"keys\":[]}", 11);
        cr_expect_eq(refused(json, len), len > SK_JWK_SET_MAX, "%zu", len);
    }
    free(json);
}

Test(factor_jwk, every_beginning_of_a_set_is_refused)
{
    const char *json = issuer_set();
    for (size_t len = 0; len < strlen(json); len++) {
        cr_assert(refused(json, len), "%zu", len);
    }
}

/*
 * The examples of RFC 7515 A.2 and A.3, RFC 7520 4.1 and RFC 8037 A.4; for PS256 and ES384, of which the RFCs have none, those that
 * jwt.io shows.
 */
static const struct example {
    const char *jwk, *input, *signature;
} examples[] = {
        {"{'kty':'RSA','n':'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCg"
         "NMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv"
         "b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ','e':'AQAB'}",
                "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4"
                "BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
                "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
        {"{'kty':'RSA','n':'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU"
         "_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrt"
         "IQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw','e':'AQAB'}",
                "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmc"
                "gb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2h"
                "lcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4",
                "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmD"
                "LJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2"
                "aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
        {"{'kty':'EC','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'}",
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
        {"{'kty':'OKP','crv':'Ed25519','x':'11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}",
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
        {"{'kty':'RSA','alg':'PS256','n':'u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bM"
         "Y2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264"
         "Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw','e':'AQAB'}",
                "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWUsImlhdCI6MTUxNjIzOTAyMn0",
                "iOeNU4dAFFeBwNj6qdhdvm-IvDQrTa6R22lQVJVuWJxorJfeQww5Nwsra0PjaOYhAMj9jNMO5YLmud8U7iQ5gJK2zYyepeSuXhfSi8yjFZfRiSkelqSkU19I-Ja8aQBD"
                "bqXf2SAWA8mHF8VS3F08rgEaLCyv98fLLH4vSvsJGf6ueZSLKDVXz24rZRXGWtYYk_OYYTVgR1cg0BLCsuCvqZvHleImJKiWmtS0-CymMO4MMjCy_FIl6I56NqLE9C87"
                "tUVpo1mT-kbg5cHDD8I7MjCW5Iii5dethB4Vid3mZ6emKjVYgXrtkOQ-JyGMh6fnQxEFN1ft33GX2eRHluK9eg"},
        {"{'kty':'EC','crv':'P-384','x':'C1uWSXj2czCDwMTLWV5BFmwxdM6PX9p-Pk9Yf9rIf374m5XP1U8q79dBhLSIuaoj','y':'svOT39UUcPJROSD1FqYLued0rXiooI"
         "ii1D3jaW6pmGVJFhodzC31cy5sfOYotrzF'}",
                "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiYWRtaW4iOnRydWUsImlhdCI6MTUxNjIzOTAyMn0",
                "VUPWQZuClnkFbaEKCsPy7CZVMh5wxbCSpaAWFLpnTe9J0--PzHNeTFNXCrVHysAa3eFbuzD8_bLSsgTKC8SzHxRVSj5eN86vBPo_1fNfE7SHTYhWowjY4E_wuiC13yoj"}};

Test(factor_jwk, published_signatures_are_right_and_no_other_of_their_bits)
{
    for (size_t i = 0; i < SK_COUNT(examples); i++) {
        struct sk_jwk_set *set = parse(issuer_text("{'keys':[%s]}", examples[i].jwk));
        struct sk_slice input = sk_slice_str(examples[i].input);
        uint8_t signature[513];
        size_t len;
        cr_assert_eq(set->count, 1, "%zu", i);
        cr_assert_eq(sk_base64url_decode(sk_slice_str(examples[i].signature), signature, sizeof(signature), &len), 0);
        cr_expect_eq(sk_jwk_verify(&set->keys[0], input, sk_slice(signature, len)), 0, "%zu", i);
        cr_expect_eq(sk_jwk_verify(&set->keys[0], sk_slice_from(input, 1), sk_slice(signature, len)), 1, "%zu", i);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            cr_assert_eq(sk_jwk_verify(&set->keys[0], input, sk_slice(signature, len)), 1, "%zu, bit %zu", i, bit);
            signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
        for (size_t part = 0; part < len; part++) {
            cr_assert_eq(sk_jwk_verify(&set->keys[0], input, sk_slice(signature, part)), 1, "%zu, %zu bytes", i, part);
        }
        signature[len] = 0;
        cr_expect_eq(sk_jwk_verify(&set->keys[0], input, sk_slice(signature, len + 1)), 1, "%zu", i);
        cr_expect_eq(sk_jwk_verify(&set->keys[0], input, SK_SLICE_NULL), 1, "%zu", i);
        sk_jwk_set_free(set);
    }
}

Test(factor_jwk, names_of_algorithms_are_exact)
{
    static const char *const bad[] = {"", "none", "None", "HS256", "HS512", "RS384", "RS512", "PS384", "PS512", "ES512", "ES256K", "es256", "Es256",
            "rs256", "EDDSA", "eddsa", "Ed25519", "Ed448", "RS256 ", " RS256", "RS2567", "RS25", "A128KW", "dir"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(sk_jwk_algorithm(sk_slice_str(bad[i])), SK_JWK_NONE, "%s", bad[i]);
    }
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("ES256\0")), SK_JWK_NONE);
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("RS256")), SK_JWK_RS256);
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("PS256")), SK_JWK_PS256);
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("ES256")), SK_JWK_ES256);
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("ES384")), SK_JWK_ES384);
    cr_expect_eq(sk_jwk_algorithm(SK_LIT("EdDSA")), SK_JWK_EDDSA);
}
