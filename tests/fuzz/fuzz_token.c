/*
 * Any token is refused, or says who, until when, within bounds. The input is 'T' and a token, or 'S', a header, a NUL and claims,
 * which are signed here: else no change would get past the signature. The key is that of RFC 8037 A.1.
 */
#include "factor/token.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define NOW UINT64_C(1700000000)
#define LEEWAY UINT64_C(60)

static const uint8_t secret[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};

static struct sk_jwk_set *keys(void)
{
    static struct sk_jwk_set *set;
    if (!set && sk_jwk_set_parse(SK_LIT("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwI"
                                        "aaPcHURo\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"es\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"),
                        &set)) {
        abort();
    }
    return set;
}

/* The token's length. `out` holds twice what a header and claims of `size` bytes need. */
static size_t sign(struct sk_slice header, struct sk_slice claims, char *out)
{
    static EVP_PKEY *pkey;
    uint8_t signature[64];
    size_t len = sk_base64url_encode(header, out), signature_len = sizeof(signature);
    out[len++] = '.';
    len += sk_base64url_encode(claims, out + len);
    pkey = pkey ? pkey : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!pkey || !ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) <= 0 ||
            EVP_DigestSign(ctx, signature, &signature_len, (const uint8_t *)out, len) <= 0) {
        abort();
    }
    EVP_MD_CTX_free(ctx);
    out[len++] = '.';
    return len + sk_base64url_encode(sk_slice(signature, sizeof(signature)), out + len);
}

static void check(const struct sk_token_claims *claims)
{
    static const char *const paths[] = {"roles", "realm_access\nroles", "sub", "aud", "", "\n"};
    struct sk_slice text;
    size_t bytes = 0;
    if (claims->subject.len == 0 || claims->subject.len > SK_TOKEN_SUBJECT_MAX || claims->expires + LEEWAY < NOW ||
            claims->expires > UINT64_C(253402300799)) {
        abort();
    }
    for (size_t i = 0; i < claims->subject.len; i++) {
        if ((uint8_t)claims->subject.data[i] < 0x20 || claims->subject.data[i] == 0x7f) {
            abort();
        }
    }
    for (size_t p = 0; p < SK_COUNT(paths); p++, bytes = 0) {
        for (size_t i = 0; sk_token_text(claims, sk_slice_str(paths[p]), i, &text) == 0; i++) {
            bytes += text.len + 1;
        }
        if (bytes > SK_TOKEN_MAX) {
            abort();
        }
    }
}

static void verify(struct sk_slice token, uint64_t max_age)
{
    const struct sk_token_expected expected = {
            .issuer = SK_LIT("i"), .audience = SK_LIT("a"), .types = SK_LIT("JWT,at+jwt"), .now = NOW, .leeway = LEEWAY, .max_age = max_age};
    struct sk_token_claims claims;
    enum sk_token_refusal refusal = sk_token_verify(token, keys(), &expected, &claims);
    if (refusal == SK_TOKEN_NONE) {
        check(&claims);
    } else if (claims.json || claims.subject.len || !sk_token_reason(refusal)[0]) {
        abort();
    }
    sk_token_claims_free(&claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rest = sk_slice_from(sk_slice(data, size), 1);
    if (size && data[0] == 'T') {
        verify(rest, 0);
    } else if (size && data[0] == 'S') {
        struct sk_slice header = sk_slice_split(&rest, '\0');
        char *token = malloc(2 * size + 256);
        if (!token) {
            abort();
        }
        size_t len = sign(header, rest, token);
        verify(sk_slice(token, len), 0);
        verify(sk_slice(token, len), 600);
        free(token);
    }
    return 0;
}
