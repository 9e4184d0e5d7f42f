/* gateway/factor/proof.c: what a proof is of, what it must not be, and that any other byte makes it another. */
#include "factor/proof.h"

#include "issuer.h"

#include <criterion/criterion.h>

#define NOW 1000000
#define URI "https://acme.test/api/x"
#define HASH "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"

static const struct sk_factor_proof usual = {
        .method = {"GET", 3}, .uri = {URI, sizeof(URI) - 1}, .hash = {HASH, sizeof(HASH) - 1}, .now = NOW, .back = 60, .ahead = 10};

static const char *reason_with(const struct sk_factor_proof *ask, const char *text)
{
    struct sk_factor_proof m = *ask;
    struct sk_proof proof;
    m.proof = sk_slice_str(text);
    return sk_proof_reason(sk_proof_verify(&m, &proof));
}

static const char *header(enum sk_jwk_algorithm algorithm, const char *name, const char *more)
{
    return issuer_text("{'typ':'dpop+jwt','alg':'%s','jwk':%s}", name, issuer_jwk(issuer_key(algorithm), more));
}

#define CLAIMS(more) "{'jti':'one','htm':'GET','htu':'" URI "','iat':1000000,'ath':'" HASH "'" more "}"
#define ES256 header(SK_JWK_ES256, "ES256", "")

static const char *reason(const char *claims)
{
    return reason_with(&usual, issuer_token(SK_JWK_ES256, ES256, claims));
}

TestSuite(factor_proof, .timeout = 60);

Test(factor_proof, of_each_algorithm_is_right)
{
    static const char *const names[] = {[SK_JWK_RS256] = "RS256", [SK_JWK_PS256] = "PS256", [SK_JWK_ES256] = "ES256", [SK_JWK_ES384] = "ES384", [SK_JWK_EDDSA] = "EdDSA"};
    for (enum sk_jwk_algorithm a = SK_JWK_RS256; a <= SK_JWK_EDDSA; a++) {
        struct sk_factor_proof m = usual;
        struct sk_proof proof;
        m.proof = sk_slice_str(issuer_token(a, header(a, names[a], ""), CLAIMS("")));
        cr_expect_str_eq(sk_proof_reason(sk_proof_verify(&m, &proof)), "", "%s", names[a]);
        cr_expect_str_eq(proof.id, "one");
        cr_expect_eq(proof.issued, NOW);
        cr_expect_eq(strlen(proof.thumbprint), SK_FACTOR_THUMBPRINT);
    }
}

/* RFC 9449 section 7.1: the proof, and the thumbprint of its key in the token's example. */
Test(factor_proof, of_the_rfc_has_the_published_thumbprint)
{
    struct sk_proof proof;
    const struct sk_factor_proof m = {.method = SK_LIT("GET"), .uri = SK_LIT("https://resource.example.org/protectedresource"), .hash = SK_LIT(HASH),
            .now = 1562262618, .back = 60, .ahead = 10,
            .proof = SK_LIT("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
                            "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
                            "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
                            "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA")};
    cr_assert_str_eq(sk_proof_reason(sk_proof_verify(&m, &proof)), "");
    cr_expect_str_eq(proof.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

Test(factor_proof, a_header_that_says_anything_else_is_refused)
{
    const char *jwk = issuer_jwk(issuer_key(SK_JWK_ES256), "");
    const struct {
        const char *header, *reason;
    } rows[] = {{issuer_text("{'typ':'JWT','alg':'ES256','jwk':%s}", jwk), "proof-type"}, {issuer_text("{'alg':'ES256','jwk':%s}", jwk), "proof-type"},
            {issuer_text("{'typ':'application/dpop+jwt','alg':'ES256','jwk':%s}", jwk), ""},
            {issuer_text("{'typ':'dpop+jwt','alg':'none','jwk':%s}", jwk), "proof-algorithm"},
            {issuer_text("{'typ':'dpop+jwt','alg':'HS256','jwk':%s}", jwk), "proof-algorithm"},
            {issuer_text("{'typ':'dpop+jwt','jwk':%s}", jwk), "proof-algorithm"},
            {issuer_text("{'typ':'dpop+jwt','alg':'ES384','jwk':%s}", jwk), "proof-key"},
            {issuer_text("{'typ':'dpop+jwt','alg':'EdDSA','jwk':%s}", issuer_jwk(issuer_key(SK_JWK_ES256), "'alg':'ES256'")), "proof-algorithm"},
            {issuer_text("{'typ':'dpop+jwt','alg':'ES256','crit':['exp'],'jwk':%s}", jwk), "proof-critical"},
            {"{'typ':'dpop+jwt','alg':'ES256'}", "proof-key"}, {"{'typ':'dpop+jwt','alg':'ES256','jwk':'x'}", "proof-key"},
            {"{'typ':'dpop+jwt','alg':'ES256','jwk':{}}", "proof-key"}, {"{'typ':'dpop+jwt','alg':'ES256','jwk':{'kty':'oct','k':'AAAA'}}", "proof-key"},
            {issuer_text("{'typ':'dpop+jwt','alg':'ES256','jwk':%s}", issuer_jwk(issuer_key(SK_JWK_ES256), "'d':'AAAA'")), "proof-key"},
            {issuer_text("{'typ':'dpop+jwt','alg':'ES256','jwk':%s}", issuer_jwk(issuer_key(SK_JWK_ES256), "'use':'enc'")), "proof-key"},
            {issuer_text("{'typ':'dpop+jwt','alg':'EdDSA','jwk':%s}", issuer_jwk(issuer_key(SK_JWK_EDDSA), "")), "proof-signature"},
            {"[]", "proof-malformed"}, {"", "proof-malformed"}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_str_eq(reason_with(&usual, issuer_token(SK_JWK_ES256, rows[i].header, CLAIMS(""))), rows[i].reason, "%s", rows[i].header);
    }
}

Test(factor_proof, is_of_one_request_at_one_time)
{
#define WITH(jti, htm, htu, iat, ath) "{" jti "," htm "," htu "," iat "," ath "}"
#define JTI "'jti':'one'"
#define HTM "'htm':'GET'"
#define HTU(uri) "'htu':'" uri "'"
#define IAT "'iat':1000000"
#define ATH "'ath':'" HASH "'"
    static const struct {
        const char *claims, *reason;
    } rows[] = {{WITH(JTI, HTM, HTU(URI), IAT, ATH), ""}, {WITH(JTI, "'htm':'get'", HTU(URI), IAT, ATH), "proof-method"},
            {WITH(JTI, "'htm':'GET '", HTU(URI), IAT, ATH), "proof-method"}, {WITH(JTI, "'x':1", HTU(URI), IAT, ATH), "proof-claim-malformed"},
            {WITH(JTI, HTM, "'htu':7", IAT, ATH), "proof-claim-malformed"}, {WITH(JTI, HTM, HTU(URI "?q=1"), IAT, ATH), ""},
            {WITH(JTI, HTM, HTU(URI "#f"), IAT, ATH), ""}, {WITH(JTI, HTM, HTU("HTTPS://ACME.test/api/x"), IAT, ATH), ""},
            {WITH(JTI, HTM, HTU("https://acme.test/API/x"), IAT, ATH), "proof-uri"}, {WITH(JTI, HTM, HTU("http://acme.test/api/x"), IAT, ATH), "proof-uri"},
            {WITH(JTI, HTM, HTU("https://acme.test/api/x/"), IAT, ATH), "proof-uri"}, {WITH(JTI, HTM, HTU("https://acme.test/api"), IAT, ATH), "proof-uri"},
            {WITH(JTI, HTM, HTU("https://acme.test"), IAT, ATH), "proof-uri"}, {WITH(JTI, HTM, HTU(""), IAT, ATH), "proof-uri"},
            {WITH(JTI, HTM, HTU("https://acme.test:443/api/x"), IAT, ATH), "proof-uri"}, {WITH(JTI, HTM, HTU("https://beta.test/api/x"), IAT, ATH), "proof-uri"},
            {WITH(JTI, HTM, HTU(URI), IAT, "'ath':'x'"), "proof-token"}, {WITH(JTI, HTM, HTU(URI), IAT, "'y':1"), "proof-token"},
            {WITH(JTI, HTM, HTU(URI), "'iat':999940", ATH), ""}, {WITH(JTI, HTM, HTU(URI), "'iat':999939", ATH), "proof-too-old"},
            {WITH(JTI, HTM, HTU(URI), "'iat':1000010", ATH), ""}, {WITH(JTI, HTM, HTU(URI), "'iat':1000011", ATH), "proof-not-yet"},
            {WITH(JTI, HTM, HTU(URI), "'iat':'1000000'", ATH), "proof-claim-malformed"}, {WITH(JTI, HTM, HTU(URI), "'z':1", ATH), "proof-claim-malformed"},
            {WITH("'jti':''", HTM, HTU(URI), IAT, ATH), "proof-no-id"}, {WITH("'w':1", HTM, HTU(URI), IAT, ATH), "proof-no-id"},
            {WITH("'jti':7", HTM, HTU(URI), IAT, ATH), "proof-claim-malformed"}, {"[]", "proof-malformed"}, {"{", "proof-malformed"}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        cr_expect_str_eq(reason(rows[i].claims), rows[i].reason, "%s: %s", rows[i].claims, reason(rows[i].claims));
    }
    char jti[300];
    memset(jti, 'x', sizeof(jti));
    jti[256] = '\0';
    cr_expect_str_empty(reason(issuer_text("{'jti':'%s'," HTM "," HTU(URI) "," IAT "," ATH "}", jti)));
    cr_expect_str_eq(reason(issuer_text("{'jti':'%sx'," HTM "," HTU(URI) "," IAT "," ATH "}", jti)), "proof-no-id");
}

Test(factor_proof, at_the_token_endpoint_is_of_no_token)
{
    struct sk_factor_proof m = usual;
    m.hash = SK_SLICE_NULL;
    cr_expect_str_empty(reason_with(&m, issuer_token(SK_JWK_ES256, ES256, WITH(JTI, HTM, HTU(URI), IAT, "'y':1"))));
    cr_expect_str_empty(reason_with(&m, issuer_token(SK_JWK_ES256, ES256, CLAIMS(""))));
}

Test(factor_proof, every_beginning_and_every_changed_byte_is_refused)
{
    const char *good = issuer_token(SK_JWK_ES256, ES256, CLAIMS(""));
    size_t len = strlen(good);
    struct sk_factor_proof m = usual;
    struct sk_proof proof;
    char copy[2048];
    cr_assert_lt(len, sizeof(copy));
    for (size_t part = 0; part < len; part++) {
        m.proof = sk_slice(good, part);
        cr_assert_neq(sk_proof_verify(&m, &proof), SK_PROOF_NONE, "%zu bytes", part);
    }
    memcpy(copy, good, len);
    for (size_t at = 0; at < len; at++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            copy[at] = (char)((unsigned char)good[at] ^ flip);
            m.proof = sk_slice(copy, len);
            cr_assert_neq(sk_proof_verify(&m, &proof), SK_PROOF_NONE, "byte %zu", at);
        }
        copy[at] = good[at];
    }
}

Test(factor_proof, longer_than_it_may_be_is_malformed)
{
    static char text[SK_PROOF_MAX + 2];
    memset(text, 'A', SK_PROOF_MAX + 1);
    cr_expect_str_eq(reason_with(&usual, text), "proof-malformed");
}
