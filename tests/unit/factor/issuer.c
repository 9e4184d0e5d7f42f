/* See issuer.h. */
#include "issuer.h"

#include "base/text.h"
#include "sekisho/arena.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <stdarg.h>

static struct sk_arena arena = {.limit = (size_t)64 << 20};

EVP_PKEY *issuer_key(enum sk_jwk_algorithm algorithm)
{
    static EVP_PKEY *keys[SK_JWK_EDDSA + 1];
    if (algorithm == SK_JWK_PS256) {
        algorithm = SK_JWK_RS256;
    }
    if (!keys[algorithm]) {
        keys[algorithm] = algorithm == SK_JWK_RS256   ? EVP_RSA_gen(2048)
                          : algorithm == SK_JWK_ES256 ? EVP_EC_gen("P-256")
                          : algorithm == SK_JWK_ES384 ? EVP_EC_gen("P-384")
                                                      : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    cr_assert_not_null(keys[algorithm]);
    return keys[algorithm];
}

const char *issuer_text(const char *format, ...)
{
    char bytes[100000];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(bytes, sizeof(bytes), format, args);
    va_end(args);
    cr_assert(len >= 0 && len < (int)sizeof(bytes));
    for (int i = 0; i < len; i++) {
        bytes[i] = bytes[i] == '\'' ? '"' : bytes[i];
    }
    return sk_arena_copy(&arena, sk_slice(bytes, (size_t)len)).data;
}

const char *issuer_base64url(struct sk_slice bytes)
{
    char *out = sk_arena_alloc(&arena, SK_BASE64_SIZE(bytes.len));
    cr_assert_not_null(out);
    (void)sk_base64url_encode(bytes, out);
    return out;
}

static const char *number(EVP_PKEY *pkey, const char *name, int size)
{
    BIGNUM *value = NULL;
    uint8_t bytes[512];
    cr_assert_gt(EVP_PKEY_get_bn_param(pkey, name, &value), 0);
    int len = size ? BN_bn2binpad(value, bytes, size) : BN_bn2bin(value, bytes);
    BN_free(value);
    cr_assert_gt(len, 0);
    return issuer_base64url(sk_slice(bytes, (size_t)len));
}

const char *issuer_jwk(EVP_PKEY *pkey, const char *more)
{
    const char *comma = *more ? "," : "";
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        return issuer_text("{'kty':'RSA','n':'%s','e':'%s'%s%s}", number(pkey, OSSL_PKEY_PARAM_RSA_N, 0),
                number(pkey, OSSL_PKEY_PARAM_RSA_E, 0), comma, more);
    }
    if (EVP_PKEY_is_a(pkey, "EC")) {
        int size = (EVP_PKEY_get_bits(pkey) + 7) / 8;
        return issuer_text("{'kty':'EC','crv':'%s','x':'%s','y':'%s'%s%s}", size == 32 ? "P-256" : size == 48 ? "P-384" : "P-521",
                number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, size), number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size), comma, more);
    }
    uint8_t x[32];
    size_t len = sizeof(x);
    cr_assert_gt(EVP_PKEY_get_raw_public_key(pkey, x, &len), 0);
    return issuer_text("{'kty':'OKP','crv':'Ed25519','x':'%s'%s%s}", issuer_base64url(sk_slice(x, len)), comma, more);
}

const char *issuer_set(void)
{
    return issuer_text("{'keys':[%s,%s,%s,%s,%s]}", issuer_jwk(issuer_key(SK_JWK_RS256), "'kid':'rs256','use':'sig'"),
            issuer_jwk(issuer_key(SK_JWK_PS256), "'kid':'ps256','alg':'PS256'"),
            issuer_jwk(issuer_key(SK_JWK_ES256), "'kid':'es256','key_ops':['verify']"),
            issuer_jwk(issuer_key(SK_JWK_ES384), "'kid':'es384','alg':'ES384'"), issuer_jwk(issuer_key(SK_JWK_EDDSA), "'kid':'eddsa'"));
}

static size_t raw(const uint8_t *der, size_t len, int coordinate, uint8_t *out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    cr_assert_not_null(sig);
    cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, coordinate), coordinate);
    cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + coordinate, coordinate), coordinate);
    ECDSA_SIG_free(sig);
    return 2 * (size_t)coordinate;
}

size_t issuer_sign(enum sk_jwk_algorithm algorithm, struct sk_slice input, uint8_t *out)
{
    const char *digest = algorithm == SK_JWK_EDDSA ? NULL : algorithm == SK_JWK_ES384 ? "SHA384" : "SHA256";
    uint8_t bytes[512];
    size_t len = sizeof(bytes);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    cr_assert_gt(EVP_DigestSignInit_ex(ctx, &options, digest, NULL, NULL, issuer_key(algorithm), NULL), 0);
    if (algorithm == SK_JWK_PS256) {
        cr_assert_gt(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 0);
        cr_assert_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 32), 0);
    }
    cr_assert_gt(EVP_DigestSign(ctx, bytes, &len, (const uint8_t *)input.data, input.len), 0);
    EVP_MD_CTX_free(ctx);
    if (algorithm == SK_JWK_ES256 || algorithm == SK_JWK_ES384) {
        return raw(bytes, len, algorithm == SK_JWK_ES256 ? 32 : 48, out);
    }
    memcpy(out, bytes, len);
    return len;
}

const char *issuer_token_of(enum sk_jwk_algorithm algorithm, struct sk_slice header, struct sk_slice claims)
{
    uint8_t signature[512];
    const char *input = issuer_text("%s.%s", issuer_base64url(header), issuer_base64url(claims));
    size_t len = issuer_sign(algorithm, sk_slice_str(input), signature);
    return issuer_text("%s.%s", input, issuer_base64url(sk_slice(signature, len)));
}

const char *issuer_token(enum sk_jwk_algorithm algorithm, const char *header, const char *claims)
{
    return issuer_token_of(algorithm, sk_slice_str(issuer_text("%s", header)), sk_slice_str(issuer_text("%s", claims)));
}
