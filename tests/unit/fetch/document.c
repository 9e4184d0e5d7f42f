/* What a fetched document must be, and each way in which it is not. */
#include "fetch/document.h"

#include "tests/unit/tls/made.h"

#include <criterion/criterion.h>
#include <openssl/ui.h>
#include <stdio.h>

#define ISSUER "https://idp.test"

static char why[DOCUMENT_WHY];

Test(fetch_document, takes_a_key_set_as_it_is)
{
    cr_expect_eq(document_keys(SK_LIT("{\"keys\":[]}"), why), 0);
    cr_expect_eq(document_keys(SK_LIT(" {\"keys\":[{\"kty\":\"EC\"}],\"more\":1}\n"), why), 0);
}

Test(fetch_document, refuses_what_is_no_key_set)
{
    static char large[SK_FETCH_KEYS_MAX + 1];
    const struct {
        struct sk_slice body;
        const char *why;
    } rows[] = {{SK_SLICE_NULL, "not a JSON object"}, {SK_LIT("<html>"), "not a JSON object"}, {SK_LIT("[]"), "something else"},
            {SK_LIT("{\"keys\":{}}"), "no array"}, {SK_LIT("{}"), "no array"}, {SK_LIT("{\"keys\":[],\"keys\":[]}"), "duplicate"},
            {SK_LIT("{\"keys\":[]} x"), "not a JSON object"}, {SK_LIT("{\"keys\":[\0]}"), "not a JSON object"}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_eq(document_keys(rows[i].body, why), 1, "%zu", i);
        cr_expect_not_null(strstr(why, rows[i].why), "%zu: %s", i, why);
    }
    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"keys\":[]}", 11);
    cr_expect_eq(document_keys(sk_slice(large, SK_FETCH_KEYS_MAX), why), 0);
    cr_expect_eq(document_keys(sk_slice(large, sizeof(large)), why), 1);
}

#define METADATA(issuer, authorization, token, jwks)                                                         \
    SK_LIT("{\"issuer\":\"" issuer "\",\"authorization_endpoint\":\"" authorization "\",\"token_endpoint\":\"" token "\",\"jwks_uri\":\"" jwks "\"}")

Test(fetch_document, takes_the_metadata_of_its_issuer)
{
    struct document_provider p;
    cr_assert_eq(document_provider(METADATA(ISSUER, "https://idp.test/auth?x=y", "https://idp.test/token", "https://keys.test/jwks"), SK_LIT(ISSUER), &p, why), 0, "%s", why);
    cr_expect_str_eq(p.authorization, "https://idp.test/auth?x=y");
    cr_expect_str_eq(p.token, "https://idp.test/token");
    cr_expect_str_eq(p.jwks, "https://keys.test/jwks");
    cr_expect_str_eq(p.end_session, "");
}

Test(fetch_document, refuses_metadata_of_others_and_what_leads_elsewhere)
{
    struct document_provider p;
    const struct sk_slice rows[] = {METADATA("https://idp.test/", "https://a.test", "https://b.test", "https://c.test"),
            METADATA("https://evil.test", "https://a.test", "https://b.test", "https://c.test"), METADATA("", "https://a.test", "https://b.test", "https://c.test"),
            METADATA(ISSUER, "http://a.test", "https://b.test", "https://c.test"), METADATA(ISSUER, "https://a.test", "file:///etc/passwd", "https://c.test"),
            METADATA(ISSUER, "https://a.test", "https://b.test", ""), METADATA(ISSUER, "https://a.test#x", "https://b.test", "https://c.test"),
            METADATA(ISSUER, "https://a.test\\r\\nX: y", "https://b.test", "https://c.test"), METADATA(ISSUER, "https://a.test\\u0000x", "https://b.test", "https://c.test"),
            SK_LIT("{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://a.test\",\"token_endpoint\":\"https://b.test\"}"),
            SK_LIT("{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":[\"https://a.test\"],\"token_endpoint\":\"https://b.test\",\"jwks_uri\":\"https://c.test\"}"), SK_LIT("[]")};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_eq(document_provider(rows[i], SK_LIT(ISSUER), &p, why), 1, "%zu", i);
    }
}

Test(fetch_document, takes_a_list_of_the_authority_that_goes_on_from_the_one_before)
{
    static struct made root, other;
    static char newer[16384], older[16384], others[16384], bad[16384];
    struct made liar;
    made_certificate(&root, &(struct made_spec){.common = "root", .authority = true});
    made_certificate(&other, &(struct made_spec){.common = "other", .authority = true});
    made_certificate(&liar, &(struct made_spec){.common = "root", .authority = true});
    made_list(newer, sizeof(newer), &(struct made_list){.issuer = &root, .number = 2});
    made_list(older, sizeof(older), &(struct made_list){.issuer = &root, .number = 1, .from = -2 * MADE_HOUR, .to = MADE_HOUR});
    made_list(others, sizeof(others), &(struct made_list){.issuer = &other, .number = 3});
    made_list(bad, sizeof(bad), &(struct made_list){.issuer = &liar, .number = 4});
    struct sk_slice authorities = sk_slice_str(root.cert_pem);
    const struct {
        const char *list, *before;
        int expected;
    } rows[] = {{newer, "", 0}, {newer, older, 0}, {newer, newer, 0}, {older, newer, 1}, {others, newer, 1}, {bad, "", 1}, {bad, older, 1}, {"", "", 1}, {"x", "", 1}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
        cr_expect_eq(document_list(sk_slice_str(rows[i].list), authorities, sk_slice_str(rows[i].before), &out, why), rows[i].expected, "%zu: %s", i, why);
        cr_expect(rows[i].expected || sk_slice_eq(sk_buf_peek(&out), sk_slice_str(rows[i].list)), "%zu: the same PEM", i);
    }
    made_free(&root);
    made_free(&other);
    made_free(&liar);
}

static bool asked;

static int ask(UI *ui sk_unused)
{
    asked = true;
    return 0;
}

Test(fetch_document, has_nobody_asked_for_the_password_of_a_list)
{
    static const char list[] = "-----BEGIN X509 CRL-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                               "AAAAAAAAAAAAAAAAAAAAAA==\n-----END X509 CRL-----\n";
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    UI_METHOD *method = UI_create_method("test");
    cr_assert_eq(UI_method_set_opener(method, ask), 0);
    UI_set_default_method(method);
    cr_expect_eq(document_list(sk_slice_str(list), SK_SLICE_NULL, SK_SLICE_NULL, &out, why), 1);
    cr_expect_not(asked);
    UI_destroy_method(method);
}
