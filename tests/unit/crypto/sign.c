/* gateway/crypto/sign.c: whoever has only the JWK can check the signature, with OpenSSL alone. */
#include "crypto/sign.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdio.h>

/* Base64url by way of the strict base64 decoder: its alphabet and padding put back. */
static size_t decode_url(struct sk_slice text, uint8_t *out, size_t size)
{
    char copy[1024];
    size_t len, padded = (text.len + 3) / 4 * 4;
    cr_assert_lt(padded, sizeof(copy));
    for (size_t i = 0; i < padded; i++) {
        char c = i < text.len ? text.data[i] : '=';
        copy[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    cr_assert_eq(sk_base64_decode(sk_slice(copy, padded), out, size, &len), 0);
    return len;
}

static struct sk_slice member(struct sk_slice json, const char *name)
{
    char start[32];
    (void)snprintf(start, sizeof(start), "\"%s\":\"", name);
    for (; json.len; json = sk_slice_from(json, 1)) {
        if (sk_slice_starts(json, sk_slice_str(start))) {
            json = sk_slice_from(json, strlen(start));
            return sk_slice_cut(json, sk_slice_find(json, '"'));
        }
    }
    return SK_SLICE_NULL;
}

static EVP_PKEY *public_key(struct sk_slice jwk)
{
    uint8_t point[65] = {4};
    cr_assert_eq(decode_url(member(jwk, "x"), point + 1, 32), 32);
    cr_assert_eq(decode_url(member(jwk, "y"), point + 33, 32), 32);
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"P-256"}, 0),
            OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)), OSSL_PARAM_END};
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pkey = NULL;
    cr_assert_gt(EVP_PKEY_fromdata_init(ctx), 0);
    cr_assert_gt(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 0);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static bool verified(EVP_PKEY *pkey, struct sk_slice jws)
{
    struct sk_slice rest = jws;
    uint8_t raw[64], der[80], *p = der;
    struct sk_slice header = sk_slice_split(&rest, '.');
    struct sk_slice claims = sk_slice_split(&rest, '.');
    struct sk_slice input = sk_slice_cut(jws, header.len + 1 + claims.len);
    cr_assert_eq(rest.len, 86);
    cr_assert_eq(decode_url(rest, raw, sizeof(raw)), 64);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    cr_assert_eq(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)), 1);
    int len = i2d_ECDSA_SIG(sig, &p);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_gt(EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, pkey, NULL), 0);
    int r = EVP_DigestVerify(ctx, der, (size_t)len, (const uint8_t *)input.data, input.len);
    EVP_MD_CTX_free(ctx);
    return r == 1;
}

/* The key of RFC 7515 appendix A.3, in the form of RFC 5915 without its public half. */
static const uint8_t rfc7515_der[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 142, 155, 16, 158, 113, 144, 152, 191, 152, 4, 135, 223, 31,
        93, 119, 233, 203, 41, 96, 110, 190, 210, 38, 59, 95, 87, 194, 19, 223, 132, 244, 178, 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07};

Test(crypto_sign, a_signature_verifies_with_the_jwk_alone)
{
    for (int turn = 0; turn < 200; turn++) {
        struct sk_sign_key *key = sk_sign_generate();
        struct sk_buf jwk = SK_BUF_INIT(1000), jws = SK_BUF_INIT(1000);
        cr_assert_not_null(key);
        cr_assert_eq(sk_sign_jwk(key, &jwk), 0);
        cr_assert_eq(sk_sign_jws(key, SK_SIGN_JWT, SK_LIT("{\"sub\":\"taro\"}"), &jws), 0);
        EVP_PKEY *pkey = public_key(sk_buf_peek(&jwk));
        cr_assert(verified(pkey, sk_buf_peek(&jws)));
        jws.data[jws.start + 5] ^= 1;
        cr_assert_not(verified(pkey, sk_buf_peek(&jws)));
        EVP_PKEY_free(pkey);
        sk_sign_free(key);
        sk_buf_free(&jwk);
        sk_buf_free(&jws);
    }
}

Test(crypto_sign, the_parts_of_the_jws_say_what_they_should)
{
    struct sk_sign_key *key = sk_sign_generate();
    struct sk_buf jws = SK_BUF_INIT(1000);
    uint8_t out[256];
    char want[128];
    cr_assert_eq(sk_buf_put(&jws, SK_LIT("before ")), 0);
    cr_assert_eq(sk_sign_jws(key, SK_SIGN_JWT, SK_LIT("{\"a\":1}"), &jws), 0);
    struct sk_slice rest = sk_slice_from(sk_buf_peek(&jws), 7);
    size_t len = decode_url(sk_slice_split(&rest, '.'), out, sizeof(out));
    (void)snprintf(want, sizeof(want), "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", sk_sign_id(key));
    cr_assert(sk_slice_eq(sk_slice(out, len), sk_slice_str(want)));
    len = decode_url(sk_slice_split(&rest, '.'), out, sizeof(out));
    cr_assert(sk_slice_eq(sk_slice(out, len), SK_LIT("{\"a\":1}")));
    cr_assert_eq(sk_slice_find(rest, '.'), rest.len);
    sk_sign_free(key);
    sk_buf_free(&jws);
}

Test(crypto_sign, an_access_token_says_so_in_a_header_of_its_own)
{
    struct sk_sign_key *key = sk_sign_generate();
    struct sk_buf jws = SK_BUF_INIT(1000);
    uint8_t out[256];
    char want[128];
    cr_assert_eq(sk_sign_jws(key, SK_SIGN_ACCESS, SK_LIT("{}"), &jws), 0);
    struct sk_slice rest = sk_buf_peek(&jws), header = sk_sign_header(key, SK_SIGN_ACCESS);
    cr_assert(sk_slice_starts(rest, header));
    cr_assert_not(sk_slice_starts(rest, sk_sign_header(key, SK_SIGN_JWT)));
    struct sk_slice first = sk_slice_split(&rest, '.');
    cr_assert_eq(header.len, first.len + 1);
    size_t len = decode_url(first, out, sizeof(out));
    (void)snprintf(want, sizeof(want), "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", sk_sign_id(key));
    cr_assert(sk_slice_eq(sk_slice(out, len), sk_slice_str(want)));
    sk_sign_free(key);
    sk_buf_free(&jws);
}

Test(crypto_sign, the_key_of_rfc_7515_has_its_published_coordinates)
{
    struct sk_sign_key *key = sk_sign_load(sk_slice(rfc7515_der, sizeof(rfc7515_der)));
    struct sk_buf jwk = SK_BUF_INIT(1000);
    cr_assert_not_null(key);
    cr_assert_eq(sk_sign_jwk(key, &jwk), 0);
    struct sk_slice json = sk_buf_peek(&jwk);
    cr_expect(sk_slice_eq(member(json, "x"), SK_LIT("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")));
    cr_expect(sk_slice_eq(member(json, "y"), SK_LIT("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")));
    cr_expect(sk_slice_eq(member(json, "kid"), sk_slice_str(sk_sign_id(key))));
    cr_expect(sk_slice_eq(member(json, "alg"), SK_LIT("ES256")));
    cr_expect(sk_slice_eq(member(json, "use"), SK_LIT("sig")));
    cr_expect_eq(member(json, "d").len, 0);
    sk_sign_free(key);
    sk_buf_free(&jwk);
}

/* RFC 7638 section 3: SHA-256 over the required members in lexical order. */
Test(crypto_sign, the_id_is_the_thumbprint_of_rfc_7638)
{
    struct sk_sign_key *key = sk_sign_load(sk_slice(rfc7515_der, sizeof(rfc7515_der)));
    static const char json[] = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                               "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";
    uint8_t hash[32];
    char id[SK_BASE64_SIZE(32)];
    cr_assert_eq(EVP_Digest(json, sizeof(json) - 1, hash, NULL, EVP_sha256(), NULL), 1);
    (void)sk_base64url_encode(sk_slice(hash, sizeof(hash)), id);
    cr_assert_str_eq(sk_sign_id(key), id);
    sk_sign_free(key);
}

Test(crypto_sign, a_stored_key_is_the_same_key_when_loaded)
{
    struct sk_sign_key *key = sk_sign_generate();
    struct sk_buf der = SK_BUF_INIT(1000), again = SK_BUF_INIT(1000);
    cr_assert_eq(sk_sign_store(key, &der), 0);
    struct sk_sign_key *back = sk_sign_load(sk_buf_peek(&der));
    cr_assert_not_null(back);
    cr_assert_str_eq(sk_sign_id(key), sk_sign_id(back));
    cr_assert_eq(sk_sign_store(back, &again), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&der), sk_buf_peek(&again)));
    sk_sign_free(key);
    sk_sign_free(back);
    sk_buf_free(&der);
    sk_buf_free(&again);
}

static bool loads(EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    int len = i2d_PrivateKey(pkey, &der);
    cr_assert_gt(len, 0);
    struct sk_sign_key *key = sk_sign_load(sk_slice(der, (size_t)len));
    bool loaded = key != NULL;
    sk_sign_free(key);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    return loaded;
}

/* Their coordinates would be published as those of P-256, and nobody could check a signature. */
Test(crypto_sign, a_key_of_another_curve_or_kind_is_refused)
{
    cr_expect_not(loads(EVP_EC_gen("P-384")));
    cr_expect_not(loads(EVP_EC_gen("P-224")));
    cr_expect_not(loads(EVP_EC_gen("secp256k1")));
    cr_expect_not(loads(EVP_EC_gen("brainpoolP256r1")));
    cr_expect_not(loads(EVP_RSA_gen(2048)));
    cr_expect(loads(EVP_EC_gen("P-256")));
}

Test(crypto_sign, a_damaged_key_is_refused)
{
    struct sk_sign_key *key = sk_sign_generate();
    struct sk_buf der = SK_BUF_INIT(1000);
    cr_assert_eq(sk_sign_store(key, &der), 0);
    for (size_t len = 0; len < sk_buf_len(&der); len++) {
        cr_assert_null(sk_sign_load(sk_slice_cut(sk_buf_peek(&der), len)), "%zu", len);
    }
    cr_assert_null(sk_sign_load(SK_LIT("no key at all")));
    cr_assert_eq(sk_buf_put(&der, SK_LIT("x")), 0);
    cr_expect_null(sk_sign_load(sk_buf_peek(&der)), "bytes behind the key");
    sk_sign_free(key);
    sk_buf_free(&der);
}

Test(crypto_sign, a_buffer_that_is_too_small_is_an_error)
{
    struct sk_sign_key *key = sk_sign_generate();
    for (size_t limit = 0; limit < 200; limit += 10) {
        struct sk_buf out = SK_BUF_INIT(limit);
        cr_expect_lt(sk_sign_jws(key, SK_SIGN_JWT, SK_LIT("{}"), &out), 0);
        sk_buf_free(&out);
    }
    sk_sign_free(key);
    cr_assert_null(sk_sign_free(NULL));
}
