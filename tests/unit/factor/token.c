/* gateway/factor/token.c: a good token passes, and every other gets the reason that is written beside it. */
#include "factor/token.h"

#include "base/text.h"
#include "issuer.h"

#include <criterion/criterion.h>
#include <openssl/ecdsa.h>
#include <openssl/x509.h>
#include <stdio.h>

#define NOW 1000000

/* What is expected of every token here, unless a test says otherwise. */
static const struct sk_token_expected usual = {
        .issuer = {"https://id.test/a", 17}, .audience = {"api", 3}, .types = {"JWT,at+jwt", 10}, .now = NOW, .leeway = 60};

#define HEADER "{'alg':'ES256','kid':'es256','typ':'JWT'}"
#define CLAIMS "'iss':'https://id.test/a','aud':'api','sub':'taro'"
#define GOOD "{" CLAIMS ",'exp':1000300}"

static struct sk_jwk_set *keys;

static void begin(void)
{
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(issuer_set()), &keys), 0);
    cr_assert_eq(keys->count, 5);
}

static void end(void)
{
    keys = sk_jwk_set_free(keys);
}

TestSuite(factor_token, .init = begin, .fini = end);

static const char *reason_of(struct sk_slice token, const struct sk_token_expected *expected)
{
    struct sk_token_claims claims = {.expires = 7};
    enum sk_token_refusal refusal = sk_token_verify(token, keys, expected, &claims);
    cr_assert(refusal == SK_TOKEN_NONE ? claims.json != NULL : claims.json == NULL && claims.subject.len == 0 && claims.expires == 0);
    sk_token_claims_free(&claims);
    return sk_token_reason(refusal);
}

static const char *reason(const char *token)
{
    return reason_of(sk_slice_str(token), &usual);
}

Test(factor_token, a_good_token_of_each_algorithm_passes)
{
    static const char *const names[] = {
            [SK_JWK_RS256] = "RS256", [SK_JWK_PS256] = "PS256", [SK_JWK_ES256] = "ES256", [SK_JWK_ES384] = "ES384", [SK_JWK_EDDSA] = "EdDSA"};
    static const char *const ids[] = {
            [SK_JWK_RS256] = "rs256", [SK_JWK_PS256] = "ps256", [SK_JWK_ES256] = "es256", [SK_JWK_ES384] = "es384", [SK_JWK_EDDSA] = "eddsa"};
    for (enum sk_jwk_algorithm a = SK_JWK_RS256; a <= SK_JWK_EDDSA; a++) {
        struct sk_token_claims claims;
        const char *token = issuer_token(a, issuer_text("{'alg':'%s','kid':'%s','typ':'JWT'}", names[a], ids[a]), GOOD);
        cr_assert_eq(sk_token_verify(sk_slice_str(token), keys, &usual, &claims), SK_TOKEN_NONE, "%s", names[a]);
        cr_expect(sk_slice_eq(claims.subject, SK_LIT("taro")));
        cr_expect_eq(claims.expires, 1000300);
        sk_token_claims_free(&claims);
        sk_token_claims_free(&claims);
        cr_expect_str_empty(reason(issuer_token(a, issuer_text("{'alg':'%s'}", names[a]), GOOD)), "%s without an id", names[a]);
    }
}

/* A header and claims that the issuer itself signed, and what is said to them. */
struct row {
    const char *header, *claims, *reason;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = reason(issuer_token(SK_JWK_ES256, rows[i].header, rows[i].claims));
        cr_expect_str_eq(got, rows[i].reason, "%s, not %s: %s %s", got, rows[i].reason, rows[i].header, rows[i].claims);
    }
}

#define WITH(more) "{'alg':'ES256','kid':'es256'" more "}"
#define KID(id) "{'alg':'ES256','typ':'JWT','kid':" id "}"

Test(factor_token, an_algorithm_that_is_not_the_key_s_is_refused)
{
    static const char *const names[] = {"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "es256", "Es256", "ES256 ", "ES256K", "ES512", "ES384",
            "RS256", "PS256", "EdDSA", "RSA-OAEP", "dir"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        const char *header = issuer_text("{'alg':'%s','kid':'es256'}", names[i]);
        cr_expect_str_eq(reason(issuer_token(SK_JWK_ES256, header, GOOD)), "token-algorithm", "%s", header);
    }
}

Test(factor_token, headers)
{
    static const struct row rows[] = {
            {HEADER, GOOD, ""},
            {WITH(""), GOOD, ""},
            {"{'alg':'ES256'}", GOOD, ""},
            {" {\r\n 'alg' : 'ES256' }\n", GOOD, ""},
            {WITH(",'x5t':'AAAA','x5t#S256':'AAAA','more':{'a':[1,2]}"), GOOD, ""},
            /* algorithms: by the key, never by the token */
            {"{'kid':'es256'}", GOOD, "token-algorithm"},
            {"{'alg':['ES256'],'kid':'es256'}", GOOD, "token-algorithm"},
            {"{'alg':7,'kid':'es256'}", GOOD, "token-algorithm"},
            {"{'alg':null,'kid':'es256'}", GOOD, "token-algorithm"},
            {"{'alg':'none'}", GOOD, "token-algorithm"},
            {"{}", GOOD, "token-algorithm"},
            /* what must be understood, and keys that the token brings or points to */
            {WITH(",'crit':['exp']"), GOOD, "token-critical"},
            {WITH(",'crit':['b64'],'b64':false"), GOOD, "token-critical"},
            {WITH(",'crit':[]"), GOOD, "token-critical"},
            {WITH(",'crit':null"), GOOD, "token-critical"},
            {WITH(",'jku':'https://evil.test/jwks.json'"), GOOD, "token-key-embedded"},
            {WITH(",'x5u':'https://evil.test/a.pem'"), GOOD, "token-key-embedded"},
            {WITH(",'x5c':['AAAA']"), GOOD, "token-key-embedded"},
            {WITH(",'jwk':{'kty':'oct','k':'AA'}"), GOOD, "token-key-embedded"},
            {WITH(",'jwk':null"), GOOD, "token-key-embedded"},
            /* types */
            {WITH(",'typ':'jwt'"), GOOD, ""},
            {WITH(",'typ':'at+jwt'"), GOOD, ""},
            {WITH(",'typ':'AT+JWT'"), GOOD, ""},
            {WITH(",'typ':'application/at+jwt'"), GOOD, ""},
            {WITH(",'typ':'APPLICATION/jwt'"), GOOD, ""},
            {WITH(",'typ':'dpop+jwt'"), GOOD, "token-type"},
            {WITH(",'typ':'logout+jwt'"), GOOD, "token-type"},
            {WITH(",'typ':'secevent+jwt'"), GOOD, "token-type"},
            {WITH(",'typ':'JOSE'"), GOOD, "token-type"},
            {WITH(",'typ':''"), GOOD, "token-type"},
            {WITH(",'typ':'application/'"), GOOD, "token-type"},
            {WITH(",'typ':'text/jwt'"), GOOD, "token-type"},
            {WITH(",'typ':'JWT,at+jwt'"), GOOD, "token-type"},
            {WITH(",'typ':'JWT '"), GOOD, "token-type"},
            {WITH(",'typ':['JWT']"), GOOD, "token-type"},
            {WITH(",'typ':null"), GOOD, "token-type"},
            {WITH(",'cty':'JWT'"), GOOD, "token-nested"},
            {WITH(",'cty':'json'"), GOOD, "token-nested"},
            {WITH(",'cty':7"), GOOD, "token-nested"},
            /* ids */
            {KID("'rs256'"), GOOD, "token-algorithm"},
            {KID("'eddsa'"), GOOD, "token-algorithm"},
            {KID("'ES256'"), GOOD, "token-key-unknown"},
            {KID("'es256 '"), GOOD, "token-key-unknown"},
            {KID("''"), GOOD, "token-key-unknown"},
            {KID("'../../../etc/passwd'"), GOOD, "token-key-unknown"},
            {KID("'/dev/null'"), GOOD, "token-key-unknown"},
            {KID("'es256\\u0000'"), GOOD, "token-malformed"},
            {KID("'es256\\u0000/../x'"), GOOD, "token-malformed"},
            {KID("'es256%00'"), GOOD, "token-key-unknown"},
            {KID("\"' OR 1=1\""), GOOD, "token-malformed"},
            {KID("'\\u0065s256'"), GOOD, ""},
            {KID("7"), GOOD, "token-key-unknown"},
            {KID("null"), GOOD, "token-key-unknown"},
            {KID("['es256']"), GOOD, "token-key-unknown"},
            /* JSON that two readers could read differently, or not at all */
            {"{'alg':'ES256','alg':'none'}", GOOD, "token-malformed"},
            {"{'alg':'ES256','alg':'ES256'}", GOOD, "token-malformed"},
            {WITH(",'\\u0061lg':'none'"), GOOD, "token-malformed"},
            {WITH(",'kid':'rs256'"), GOOD, "token-malformed"},
            {WITH(",'a':{'b':1,'b':2}"), GOOD, "token-malformed"},
            {WITH(",'a':'\xff'"), GOOD, "token-malformed"},
            {WITH(",'a':'\xc0\xaf'"), GOOD, "token-malformed"},
            {WITH(",'a':'\xed\xa0\x80'"), GOOD, "token-malformed"},
            {WITH(",'a':'\\ud800'"), GOOD, "token-malformed"},
            {WITH(",'a':1e400"), GOOD, "token-malformed"},
            {WITH(",'a':99999999999999999999"), GOOD, "token-malformed"},
            {WITH(",'a':NaN"), GOOD, "token-malformed"},
            {WITH(",'a':01"), GOOD, "token-malformed"},
            {WITH(",'a':[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]"), GOOD, ""},
            {WITH(",'a':[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), GOOD, "token-malformed"},
            {WITH(",'a':'[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{{{{{{{{{{{'"), GOOD, ""},
            {WITH(","), GOOD, "token-malformed"},
            {WITH("} {"), GOOD, "token-malformed"},
            {"\xef\xbb\xbf" HEADER, GOOD, "token-malformed"},
            {"/* a */" HEADER, GOOD, "token-malformed"},
            {HEADER "x", GOOD, "token-malformed"},
            {HEADER HEADER, GOOD, "token-malformed"},
            {"", GOOD, "token-malformed"},
            {"[]", GOOD, "token-malformed"},
            {"null", GOOD, "token-malformed"},
            {"'ES256'", GOOD, "token-malformed"},
            {"[" HEADER "]", GOOD, "token-malformed"},
    };
    check(rows, SK_COUNT(rows));
}

#define EXP(value) "{" CLAIMS ",'exp':" value "}"
#define TIMES(more) "{" CLAIMS ",'exp':1000300," more "}"
#define ISS(value) "{'iss':" value ",'aud':'api','sub':'taro','exp':1000300}"
#define AUD(value) "{'iss':'https://id.test/a','aud':" value ",'sub':'taro','exp':1000300}"
#define SUB(value) "{'iss':'https://id.test/a','aud':'api','sub':" value ",'exp':1000300}"

Test(factor_token, claims)
{
    static const struct row rows[] = {
            {HEADER, "", "token-malformed"},
            {HEADER, "[]", "token-malformed"},
            {HEADER, "[" GOOD "]", "token-malformed"},
            {HEADER, GOOD "x", "token-malformed"},
            {HEADER, "{}", "token-issuer"},
            {HEADER, "{" CLAIMS ",'exp':1,'exp':1000300}", "token-malformed"},
            {HEADER, "{" CLAIMS ",'exp':1000300,'\\u0065xp':1}", "token-malformed"},
            {HEADER, TIMES("'a':'\xff'"), "token-malformed"},
            {HEADER, TIMES("'a':'\\u0000'"), "token-malformed"},
            {HEADER, TIMES("'a':[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), "token-malformed"},
            {HEADER, TIMES("'a':1e400"), "token-malformed"},
            /* who says it */
            {HEADER, ISS("'https://id.test/a'"), ""},
            {HEADER, ISS("'https:\\/\\/id.test\\/a'"), ""},
            {HEADER, ISS("'https://id.test/a/'"), "token-issuer"},
            {HEADER, ISS("'https://id.test/A'"), "token-issuer"},
            {HEADER, ISS("'https://id.test/'"), "token-issuer"},
            {HEADER, ISS("''"), "token-issuer"},
            {HEADER, ISS("null"), "token-issuer"},
            {HEADER, ISS("7"), "token-issuer"},
            {HEADER, ISS("['https://id.test/a']"), "token-issuer"},
            {HEADER, "{'aud':'api','sub':'taro','exp':1000300}", "token-issuer"},
            /* to whom */
            {HEADER, AUD("['api']"), ""},
            {HEADER, AUD("['other','api']"), ""},
            {HEADER, AUD("[]"), "token-audience"},
            {HEADER, AUD("['other']"), "token-audience"},
            {HEADER, AUD("['api',7]"), "token-audience"},
            {HEADER, AUD("[null,'api']"), "token-audience"},
            {HEADER, AUD("['api',['api']]"), "token-audience"},
            {HEADER, AUD("[['api']]"), "token-audience"},
            {HEADER, AUD("{'api':'api'}"), "token-audience"},
            {HEADER, AUD("'API'"), "token-audience"},
            {HEADER, AUD("'api '"), "token-audience"},
            {HEADER, AUD("'ap'"), "token-audience"},
            {HEADER, AUD("'apis'"), "token-audience"},
            {HEADER, AUD("'other,api'"), "token-audience"},
            {HEADER, AUD("''"), "token-audience"},
            {HEADER, AUD("null"), "token-audience"},
            {HEADER, AUD("7"), "token-audience"},
            {HEADER, "{'iss':'https://id.test/a','sub':'taro','exp':1000300}", "token-audience"},
            /* until when: 60 s of leeway */
            {HEADER, EXP("1000001"), ""},
            {HEADER, EXP("999941"), ""},
            {HEADER, EXP("999940.5"), ""},
            {HEADER, EXP("999940"), "token-expired"},
            {HEADER, EXP("1000300.75"), ""},
            {HEADER, EXP("1.0003e6"), ""},
            {HEADER, EXP("253402300799"), ""},
            {HEADER, EXP("0"), "token-expired"},
            {HEADER, EXP("-0"), "token-expired"},
            {HEADER, EXP("1e-300"), "token-expired"},
            {HEADER, EXP("253402300800"), "token-claim-malformed"},
            {HEADER, EXP("1000300000000"), "token-claim-malformed"},
            {HEADER, EXP("9223372036854775807"), "token-claim-malformed"},
            {HEADER, EXP("9223372036854775808"), "token-malformed"},
            {HEADER, EXP("18446744073709551616"), "token-malformed"},
            {HEADER, EXP("1e300"), "token-claim-malformed"},
            {HEADER, EXP("1e400"), "token-malformed"},
            {HEADER, EXP("-1e400"), "token-malformed"},
            {HEADER, EXP("-1"), "token-claim-malformed"},
            {HEADER, EXP("-1000300"), "token-claim-malformed"},
            {HEADER, EXP("-9223372036854775808"), "token-claim-malformed"},
            {HEADER, EXP("-0.5"), "token-claim-malformed"},
            {HEADER, EXP("Infinity"), "token-malformed"},
            {HEADER, EXP("NaN"), "token-malformed"},
            {HEADER, EXP("0x7fffffff"), "token-malformed"},
            {HEADER, EXP("'1000300'"), "token-claim-malformed"},
            {HEADER, EXP("'2033-05-18T03:33:20Z'"), "token-claim-malformed"},
            {HEADER, EXP("[1000300]"), "token-claim-malformed"},
            {HEADER, EXP("true"), "token-claim-malformed"},
            {HEADER, EXP("null"), "token-claim-malformed"},
            {HEADER, "{" CLAIMS "}", "token-no-expiry"},
            {HEADER, "{" CLAIMS ",'nbf':1,'iat':1}", "token-no-expiry"},
            /* since when */
            {HEADER, TIMES("'nbf':1000060"), ""},
            {HEADER, TIMES("'nbf':1000060.5"), "token-not-yet"},
            {HEADER, TIMES("'nbf':1000061"), "token-not-yet"},
            {HEADER, TIMES("'nbf':253402300799"), "token-not-yet"},
            {HEADER, TIMES("'nbf':'1'"), "token-claim-malformed"},
            {HEADER, TIMES("'nbf':null"), "token-claim-malformed"},
            {HEADER, TIMES("'nbf':-1"), "token-claim-malformed"},
            {HEADER, TIMES("'iat':1000060"), ""},
            {HEADER, TIMES("'iat':1"), ""},
            {HEADER, TIMES("'iat':1000061"), "token-not-yet"},
            {HEADER, TIMES("'iat':'1'"), "token-claim-malformed"},
            {HEADER, TIMES("'iat':{}"), "token-claim-malformed"},
            {HEADER, "{" CLAIMS ",'exp':1,'nbf':1000061}", "token-expired"},
            /* of whom */
            {HEADER, SUB("'\\u592a\\u90ce'"), ""},
            {HEADER, SUB("''"), "token-no-subject"},
            {HEADER, SUB("7"), "token-claim-malformed"},
            {HEADER, SUB("null"), "token-claim-malformed"},
            {HEADER, SUB("['taro']"), "token-claim-malformed"},
            {HEADER, SUB("'ta\\nro'"), "token-claim-malformed"},
            {HEADER, SUB("'taro\\u007f'"), "token-claim-malformed"},
            {HEADER, SUB("'taro\\u0000'"), "token-malformed"},
            {HEADER, "{'iss':'https://id.test/a','aud':'api','exp':1000300}", "token-no-subject"},
    };
    check(rows, SK_COUNT(rows));
}

Test(factor_token, a_subject_has_its_limit)
{
    char name[SK_TOKEN_SUBJECT_MAX + 2] = {0};
    memset(name, 'a', SK_TOKEN_SUBJECT_MAX);
    cr_expect_str_empty(reason(issuer_token(SK_JWK_ES256, HEADER, issuer_text(SUB("'%s'"), name))));
    name[SK_TOKEN_SUBJECT_MAX] = 'a';
    cr_expect_str_eq(reason(issuer_token(SK_JWK_ES256, HEADER, issuer_text(SUB("'%s'"), name))), "token-claim-malformed");
}

Test(factor_token, forms)
{
    const char *good = issuer_token(SK_JWK_ES256, HEADER, GOOD);
    const char *header = issuer_base64url(sk_slice_str(issuer_text("%s", HEADER))), *claims = issuer_base64url(sk_slice_str(issuer_text("%s", GOOD)));
    const char *none = issuer_base64url(sk_slice_str(issuer_text("{'alg':'none'}")));
    const struct {
        const char *token, *reason;
    } rows[] = {
            {good, ""},
            {"", "token-malformed"},
            {".", "token-malformed"},
            {"..", "token-malformed"},
            {"...", "token-malformed"},
            {"....", "token-nested"},
            {".....", "token-malformed"},
            {"a.b.c", "token-malformed"},
            {"token", "token-malformed"},
            {issuer_text(" %s", good), "token-malformed"},
            {issuer_text("%s ", good), "token-malformed"},
            {issuer_text("%s\n", good), "token-malformed"},
            {issuer_text("\t%s", good), "token-malformed"},
            {issuer_text("%s.", good), "token-malformed"},
            {issuer_text(".%s", good), "token-malformed"},
            {issuer_text("%s=", good), "token-malformed"},
            {issuer_text("%s==", good), "token-malformed"},
            {issuer_text("Bearer %s", good), "token-malformed"},
            {issuer_text("%s,%s", good, good), "token-nested"},
            {issuer_text("%s.%s", good, good), "token-malformed"},
            {issuer_text("%s.%s", header, claims), "token-malformed"},
            {issuer_text("%s.%s.", header, claims), "token-signature"},
            {issuer_text("%s.%s.", none, claims), "token-algorithm"},
            {issuer_text("%s.%s.AA", none, claims), "token-algorithm"},
            {issuer_text("%s.%s.AB", none, claims), "token-malformed"},
            {issuer_text("%s..", header), "token-signature"},
            {issuer_text("%s.%s.====", header, claims), "token-malformed"},
            {issuer_text("%s.%s.AA+A", header, claims), "token-malformed"},
            {issuer_text("%s.%s.AA/A", header, claims), "token-malformed"},
            {issuer_text("%s.%s.AA%%3D", header, claims), "token-malformed"},
            {issuer_text("%s.%s.\xc3\xa9", header, claims), "token-malformed"},
            /* RFC 7516 A.1 in its beginning: a JWE */
            {"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7L.48V1_ALb6US04U3b.5eym8TW_c8SuK0lt.XFBoMYUZodetZdvT", "token-nested"},
            {issuer_text("{'payload':'%s','protected':'%s','signature':'AA'}", claims, header), "token-malformed"},
            {issuer_text("{'payload':'%s','signatures':[{'protected':'%s','signature':'AA'}]}", claims, header), "token-malformed"},
    };
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_str_eq(reason(rows[i].token), rows[i].reason, "%s: %s", reason(rows[i].token), rows[i].token);
    }
    cr_expect_str_eq(reason_of(SK_SLICE_NULL, &usual), "token-malformed");
    cr_expect_str_eq(reason_of(sk_slice(good, strlen(good) + 1), &usual), "token-malformed", "a NUL behind it");
}

Test(factor_token, a_token_has_its_limit)
{
    char more[SK_TOKEN_MAX] = {0};
    size_t bare = strlen(issuer_token(SK_JWK_ES256, HEADER, TIMES("'a':''")));
    size_t room = (SK_TOKEN_MAX - bare) / 4 * 3;
    memset(more, 'a', room + 3);
    const char *large = issuer_token(SK_JWK_ES256, HEADER, issuer_text(TIMES("'a':'%s'"), more));
    cr_expect_gt(strlen(large), SK_TOKEN_MAX);
    cr_expect_str_eq(reason(large), "token-too-large");
    more[room - 1] = '\0';
    large = issuer_token(SK_JWK_ES256, HEADER, issuer_text(TIMES("'a':'%s'"), more));
    cr_expect(strlen(large) > SK_TOKEN_MAX - 8 && strlen(large) <= SK_TOKEN_MAX, "%zu", strlen(large));
    cr_expect_str_empty(reason(large));
    memset(more, '[', room - 1);
    large = issuer_token(SK_JWK_ES256, HEADER, issuer_text(TIMES("'a':%s"), more));
    cr_expect_str_eq(reason(large), "token-malformed", "deep");
}

/* What is signed: the header and good claims. */
static const char *input_of(const char *header)
{
    return issuer_text("%s.%s", issuer_base64url(sk_slice_str(issuer_text("%s", header))), issuer_base64url(sk_slice_str(issuer_text("%s", GOOD))));
}

static const char *signed_with(const char *header, const uint8_t *bytes, size_t len)
{
    return issuer_text("%s.%s", input_of(header), issuer_base64url(sk_slice(bytes, len)));
}

Test(factor_token, signatures_of_ecdsa)
{
    uint8_t raw[512], der[80], *p = der;
    size_t len = issuer_sign(SK_JWK_ES256, sk_slice_str(input_of(HEADER)), raw);
    cr_assert_eq(len, 64);
    cr_expect_str_empty(reason(signed_with(HEADER, raw, 64)));
    ECDSA_SIG *sig = ECDSA_SIG_new();
    cr_assert_eq(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)), 1);
    int der_len = i2d_ECDSA_SIG(sig, &p);
    ECDSA_SIG_free(sig);
    cr_expect_str_eq(reason(signed_with(HEADER, der, (size_t)der_len)), "token-signature", "DER");

    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
            0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    const struct {
        const uint8_t *r, *s;
        const char *what;
    } rows[] = {{NULL, NULL, "both zero"}, {NULL, raw + 32, "r zero"}, {raw, NULL, "s zero"}, {order, raw + 32, "r the order"}, {raw, order, "s the order"},
            {order, order, "both the order"}, {raw + 32, raw, "changed about"}, {raw, raw, "r twice"}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        uint8_t bad[64] = {0};
        memcpy(bad, rows[i].r ? rows[i].r : bad, rows[i].r ? 32 : 0);
        memcpy(bad + 32, rows[i].s ? rows[i].s : bad, rows[i].s ? 32 : 0);
        cr_expect_str_eq(reason(signed_with(HEADER, bad, 64)), "token-signature", "%s", rows[i].what);
    }
    for (size_t part = 0; part < 64; part++) {
        cr_expect_str_eq(reason(signed_with(HEADER, raw, part)), "token-signature", "%zu bytes", part);
    }
    /* 33 bytes for each, as whoever forgets that numbers have no sign would write them */
    uint8_t wide[66] = {0};
    memcpy(wide + 1, raw, 32);
    memcpy(wide + 34, raw + 32, 32);
    cr_expect_str_eq(reason(signed_with(HEADER, wide, 66)), "token-signature", "wide");
    len = issuer_sign(SK_JWK_ES384, sk_slice_str(input_of(HEADER)), raw);
    cr_expect_str_eq(reason(signed_with(HEADER, raw, len)), "token-signature", "by the other curve");
}

Test(factor_token, a_number_that_begins_with_a_high_bit_or_with_zeros_is_one)
{
    bool high = false, zero = false;
    for (int turn = 0; turn < 3000 && !(high && zero); turn++) {
        uint8_t raw[512];
        (void)issuer_sign(SK_JWK_ES256, sk_slice_str(input_of(HEADER)), raw);
        bool is_high = (raw[0] & 0x80) && (raw[32] & 0x80), is_zero = raw[0] == 0 || raw[32] == 0;
        if (is_high || is_zero) {
            cr_assert_str_empty(reason(signed_with(HEADER, raw, 64)));
        }
        high |= is_high;
        zero |= is_zero;
    }
    cr_expect(high && zero);
}

Test(factor_token, one_algorithm_does_not_pass_for_another)
{
    static const struct {
        enum sk_jwk_algorithm by;
        const char *header, *reason;
    } rows[] = {{SK_JWK_PS256, "{'alg':'RS256','kid':'rs256'}", "token-signature"}, {SK_JWK_RS256, "{'alg':'PS256','kid':'ps256'}", "token-signature"},
            {SK_JWK_PS256, "{'alg':'PS256','kid':'rs256'}", "token-algorithm"}, {SK_JWK_RS256, "{'alg':'RS256','kid':'ps256'}", "token-algorithm"},
            {SK_JWK_RS256, "{'alg':'ES256','kid':'rs256'}", "token-algorithm"}, {SK_JWK_EDDSA, "{'alg':'EdDSA','kid':'es256'}", "token-algorithm"},
            {SK_JWK_EDDSA, "{'alg':'ES256','kid':'es256'}", "token-signature"}, {SK_JWK_ES256, "{'alg':'EdDSA','kid':'eddsa'}", "token-signature"},
            {SK_JWK_ES256, "{'alg':'RS256','kid':'rs256'}", "token-signature"}, {SK_JWK_ES384, "{'alg':'ES384'}", ""}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        const char *got = reason(issuer_token(rows[i].by, rows[i].header, GOOD));
        cr_expect_str_eq(got, rows[i].reason, "%s: %s", rows[i].header, got);
    }
}

/* The attack of old: the public key, which everybody has, taken for the secret of an HMAC. */
Test(factor_token, a_public_key_is_no_secret)
{
    uint8_t *der = NULL, mac[32];
    size_t mac_len = sizeof(mac);
    int len = i2d_PUBKEY(issuer_key(SK_JWK_RS256), &der);
    const char *header = "{'alg':'HS256','kid':'rs256'}";
    struct sk_slice input = sk_slice_str(input_of(header));
    cr_assert_not_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, der, (size_t)len, (const uint8_t *)input.data, input.len, mac, sizeof(mac), &mac_len));
    OPENSSL_free(der);
    cr_expect_str_eq(reason(signed_with(header, mac, 32)), "token-algorithm");
}

Test(factor_token, the_key_of_another_issuer_does_not_pass)
{
    struct sk_jwk_set *own = keys;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    const char *token = issuer_token(SK_JWK_ES256, HEADER, GOOD);
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(issuer_text("{'keys':[%s]}", issuer_jwk(other, "'kid':'es256'"))), &keys), 0);
    cr_expect_str_eq(reason(token), "token-signature");
    sk_jwk_set_free(keys);
    cr_assert_eq(sk_jwk_set_parse(SK_LIT("{\"keys\":[]}"), &keys), 0);
    cr_expect_str_eq(reason(token), "token-key-unknown");
    sk_jwk_set_free(keys);
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(issuer_text("{'keys':[%s]}", issuer_jwk(issuer_key(SK_JWK_ES256), ""))), &keys), 0);
    cr_expect_str_eq(reason(token), "token-key-unknown", "the key has no id");
    cr_expect_str_eq(reason(issuer_token(SK_JWK_ES256, "{'alg':'ES256','kid':''}", GOOD)), "token-key-unknown", "nor has it an empty one");
    cr_expect_str_empty(reason(issuer_token(SK_JWK_ES256, "{'alg':'ES256'}", GOOD)));
    sk_jwk_set_free(keys);
    EVP_PKEY_free(other);
    keys = own;
}

Test(factor_token, without_an_id_one_key_alone_must_fit)
{
    struct sk_jwk_set *own = keys;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    const char *set = issuer_text("{'keys':[%s,%s,%s]}", issuer_jwk(issuer_key(SK_JWK_ES256), "'kid':'a'"), issuer_jwk(other, "'kid':'b'"),
            issuer_jwk(issuer_key(SK_JWK_EDDSA), "'kid':'c'"));
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(set), &keys), 0);
    cr_expect_str_eq(reason(issuer_token(SK_JWK_ES256, "{'alg':'ES256'}", GOOD)), "token-key-unknown");
    cr_expect_str_empty(reason(issuer_token(SK_JWK_ES256, "{'alg':'ES256','kid':'a'}", GOOD)));
    cr_expect_str_eq(reason(issuer_token(SK_JWK_ES256, "{'alg':'ES256','kid':'b'}", GOOD)), "token-signature");
    cr_expect_str_empty(reason(issuer_token(SK_JWK_EDDSA, "{'alg':'EdDSA'}", GOOD)));
    sk_jwk_set_free(keys);
    EVP_PKEY_free(other);
    keys = own;
}

Test(factor_token, what_is_expected_is_exact_and_nothing_means_nobody)
{
    const char *token = issuer_token(SK_JWK_ES256, HEADER, GOOD), *bare = issuer_token(SK_JWK_ES256, "{'alg':'ES256'}", GOOD);
    struct sk_token_expected e = usual;
    e.issuer = SK_SLICE_NULL;
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-issuer");
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, ISS("''"))), &e), "token-issuer");
    e = usual;
    e.audience = SK_SLICE_NULL;
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-audience");
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, AUD("''"))), &e), "token-audience");
    e.audience = SK_LIT("one\n\napi\nother");
    cr_expect_str_empty(reason_of(sk_slice_str(token), &e), "one of several");
    cr_expect_str_empty(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, AUD("['x','other']"))), &e));
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, AUD("'one\\napi'"))), &e), "token-audience");
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, AUD("''"))), &e), "token-audience");
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, AUD("['']"))), &e), "token-audience");
    e = usual;
    e.types = SK_SLICE_NULL;
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-type");
    cr_expect_str_eq(reason_of(sk_slice_str(bare), &e), "token-type");
    e.types = SK_LIT(",");
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, WITH(",'typ':''"), GOOD)), &e), "token-type");
    e.types = SK_LIT("at+jwt");
    cr_expect_str_eq(reason_of(sk_slice_str(bare), &e), "token-type", "without a type it is no access token of RFC 9068");
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-type");
    cr_expect_str_empty(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, WITH(",'typ':'at+jwt'"), GOOD)), &e));
}

Test(factor_token, age_counts_from_iat)
{
    struct sk_token_expected e = usual;
    e.max_age = 600;
    static const struct {
        const char *claims, *reason;
    } rows[] = {{TIMES("'iat':1000000"), ""}, {TIMES("'iat':999340"), ""}, {TIMES("'iat':999339"), "token-too-old"}, {TIMES("'iat':0"), "token-too-old"},
            {GOOD, "token-too-old"}, {TIMES("'nbf':999999"), "token-too-old"}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, rows[i].claims)), &e), rows[i].reason, "%s", rows[i].claims);
    }
    e.now = 1; /* what is not there is not taken for 1970 */
    cr_expect_str_eq(reason_of(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, GOOD)), &e), "token-too-old");
}

Test(factor_token, every_beginning_and_every_changed_byte_is_refused)
{
    const char *good = issuer_token(SK_JWK_ES256, HEADER, GOOD);
    size_t len = strlen(good);
    char copy[1024];
    cr_assert_lt(len, sizeof(copy));
    for (size_t part = 0; part < len; part++) {
        cr_assert_str_not_empty(reason_of(sk_slice(good, part), &usual), "%zu bytes", part);
        cr_assert_str_not_empty(reason_of(sk_slice(good + part + 1, len - part - 1), &usual), "from %zu", part);
    }
    memcpy(copy, good, len);
    for (size_t at = 0; at < len; at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            copy[at] = (char)((unsigned char)good[at] ^ flip);
            cr_assert_str_not_empty(reason_of(sk_slice(copy, len), &usual), "byte %zu", at);
        }
        copy[at] = good[at];
    }
}

/* "KEY CERTIFICATE" */
static const char *bound_to(const char *claims_text)
{
    static char out[128];
    struct sk_token_claims claims;
    const char *token = issuer_token(SK_JWK_ES256, HEADER, claims_text);
    cr_assert_eq(sk_token_verify(sk_slice_str(token), keys, &usual, &claims), SK_TOKEN_NONE);
    struct sk_slice key = sk_token_thumbprint(&claims), certificate = sk_token_certificate(&claims);
    (void)snprintf(out, sizeof(out), "%.*s %.*s", (int)key.len, key.data ? key.data : "", (int)certificate.len, certificate.data ? certificate.data : "");
    sk_token_claims_free(&claims);
    return out;
}

#define KEY "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
#define CERTIFICATE "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"

Test(factor_token, what_it_is_bound_to_is_a_key_or_a_certificate_or_nobodys)
{
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'jkt':'" KEY "'}")), KEY " ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':'" CERTIFICATE "'}")), " " CERTIFICATE);
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':'" CERTIFICATE "','jkt':'" KEY "'}")), KEY " " CERTIFICATE);
    cr_expect_str_eq(bound_to(TIMES("'jkt':'x','x5t#S256':'x'")), " ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{}")), " ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'jkt':7}")), "- ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'jkt':''}")), "- ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'jkt':'" KEY "A'}")), "- ");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':7}")), " -");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':null}")), " -");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':['" CERTIFICATE "']}")), " -");
    cr_expect_str_eq(bound_to(TIMES("'cnf':{'x5t#S256':'" CERTIFICATE "='}")), " -");
    cr_expect_str_eq(bound_to(TIMES("'cnf':'" CERTIFICATE "'")), "- -");
    cr_expect_str_eq(bound_to(TIMES("'cnf':[]")), "- -");
}

/* What stands at `path`, with | behind each. */
static const char *texts(const struct sk_token_claims *claims, const char *path)
{
    static char out[8192];
    struct sk_slice text;
    size_t len = 0;
    for (size_t i = 0; sk_token_text(claims, sk_slice_str(path), i, &text) == 0; i++) {
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%.*s|", (int)text.len, text.data);
    }
    out[len] = '\0';
    cr_assert_null(text.data);
    return out;
}

Test(factor_token, texts_are_found_by_their_path)
{
    static const struct {
        const char *path, *texts;
    } rows[] = {{"groups", "one|two|"}, {"realm_access\nroles", "admin|viewer|"}, {"scope", "read write|"}, {"https://a.test/roles,x", "a,b||"},
            {"mixed", "a|||||b|"}, {"empty", ""}, {"none", "|"}, {"number", ""}, {"object", ""}, {"absent", ""}, {"realm_access", ""},
            {"realm_access\nabsent", ""}, {"realm_access\nroles\nadmin", ""}, {"groups\n0", ""}, {"groups\n", "one|two|"}, {"\ngroups", ""}, {"", ""}, {"\n", ""},
            {"realm_access.roles", "dotted|"}, {"sub", "taro|"}};
    struct sk_token_claims claims;
    const char *token = issuer_token(SK_JWK_ES256, HEADER,
            TIMES("'groups':['one','two'],'realm_access':{'roles':['admin','viewer']},'scope':'read write','https://a.test/roles,x':['a,b',''],"
                  "'mixed':['a',7,null,['c'],{'d':'e'},'b'],'empty':[],'none':'','number':7,'object':{},'realm_access.roles':'dotted'"));
    cr_assert_eq(sk_token_verify(sk_slice_str(token), keys, &usual, &claims), SK_TOKEN_NONE);
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_str_eq(texts(&claims, rows[i].path), rows[i].texts, "%s: %s", rows[i].path, texts(&claims, rows[i].path));
    }
    sk_token_claims_free(&claims);
    cr_expect_str_empty(texts(&claims, "groups"), "nothing when there are no claims");
}

Test(factor_token, a_token_of_rfc_7515_is_read_as_far_as_it_goes)
{
    struct sk_jwk_set *own = keys;
    const char *token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
                        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const char *set = issuer_text("{'keys':[{'kty':'EC','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU','y':'x_FEzRu9m36HLN_tue659LNpX"
                                  "W6pCyStikYjKIWI5a0'}]}");
    struct sk_token_expected e = {.issuer = SK_LIT("jane"), .audience = SK_LIT("api"), .types = SK_LIT("JWT"), .now = 1300819379};
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(set), &keys), 0);
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-issuer");
    e.issuer = SK_LIT("joe");
    cr_expect_str_eq(reason_of(sk_slice_str(token), &e), "token-audience", "it is for nobody");
    sk_jwk_set_free(keys);
    keys = own;
}
