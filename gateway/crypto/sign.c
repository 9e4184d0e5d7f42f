/* Signing assertions and access tokens. Runs in auth. */
#include "crypto/sign.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

struct sk_sign_key {
    EVP_PKEY *pkey;
    char id[SK_BASE64_SIZE(SK_SHA256_SIZE)];
    char x[SK_BASE64_SIZE(32)], y[SK_BASE64_SIZE(32)];
    char headers[SK_SIGN_TYPES][256]; /* base64url, and the dot behind it */
};

static int coordinate(EVP_PKEY *pkey, const char *name, char *out)
{
    BIGNUM *number = NULL;
    uint8_t bytes[32];
    if (EVP_PKEY_get_bn_param(pkey, name, &number) <= 0) {
        return -EIO;
    }
    int len = BN_bn2binpad(number, bytes, sizeof(bytes));
    BN_free(number);
    if (len != (int)sizeof(bytes)) {
        return -EIO;
    }
    (void)sk_base64url_encode(sk_slice(bytes, sizeof(bytes)), out);
    return 0;
}

static bool is_p256(EVP_PKEY *pkey)
{
    char group[32];
    return EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) > 0 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* Takes the key over. */
static struct sk_sign_key *wrap(EVP_PKEY *pkey)
{
    static const char *const types[SK_SIGN_TYPES] = {[SK_SIGN_JWT] = "JWT", [SK_SIGN_ACCESS] = "at+jwt"};
    struct sk_sign_key *key = calloc(1, sizeof(*key));
    char json[160];
    uint8_t hash[SK_SHA256_SIZE];
    if (!key || !pkey || !is_p256(pkey) ||
            coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, key->x) || coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, key->y)) {
        EVP_PKEY_free(pkey);
        free(key);
        return NULL;
    }
    int len = snprintf(json, sizeof(json), "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x, key->y);
    sk_digest_sha256(sk_slice(json, (size_t)len), hash);
    (void)sk_base64url_encode(sk_slice(hash, sizeof(hash)), key->id);
    for (size_t i = 0; i < SK_SIGN_TYPES; i++) {
        len = snprintf(json, sizeof(json), "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"%s\"}", key->id, types[i]);
        size_t end = sk_base64url_encode(sk_slice(json, (size_t)len), key->headers[i]);
        memcpy(key->headers[i] + end, ".", 2);
    }
    key->pkey = pkey;
    return key;
}

struct sk_sign_key *sk_sign_generate(void)
{
    return wrap(EVP_EC_gen("P-256"));
}

struct sk_sign_key *sk_sign_load(struct sk_slice der)
{
    const uint8_t *p = (const uint8_t *)der.data;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, (long)der.len);
    if (pkey && (const char *)p != der.data + der.len) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey ? wrap(pkey) : NULL;
}

int sk_sign_store(const struct sk_sign_key *key, struct sk_buf *der)
{
    uint8_t *bytes = NULL;
    int len = i2d_PrivateKey(key->pkey, &bytes);
    if (len <= 0) {
        return -EIO;
    }
    int r = sk_buf_put(der, sk_slice(bytes, (size_t)len));
    OPENSSL_clear_free(bytes, (size_t)len);
    return r;
}

struct sk_sign_key *sk_sign_free(struct sk_sign_key *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
    return NULL;
}

const char *sk_sign_id(const struct sk_sign_key *key)
{
    return key->id;
}

int sk_sign_jwk(const struct sk_sign_key *key, struct sk_buf *out)
{
    return sk_buf_printf(out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\",\"alg\":\"ES256\"}",
            key->x, key->y, key->id);
}

/* The raw r || s from the DER that OpenSSL makes. */
static int raw_signature(const uint8_t *der, size_t len, uint8_t raw[64])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (!sig) {
        return -EIO;
    }
    bool ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok ? 0 : -EIO;
}

static int put_base64url(struct sk_buf *out, struct sk_slice bytes)
{
    char *to = sk_buf_reserve(out, SK_BASE64_SIZE(bytes.len));
    if (!to) {
        return -ENOBUFS;
    }
    sk_buf_commit(out, sk_base64url_encode(bytes, to));
    return 0;
}

struct sk_slice sk_sign_header(const struct sk_sign_key *key, enum sk_sign_type type)
{
    return sk_slice_str(key->headers[type]);
}

int sk_sign_jws(const struct sk_sign_key *key, enum sk_sign_type type, struct sk_slice claims, struct sk_buf *out)
{
    size_t start = sk_buf_len(out);
    uint8_t der[80], raw[64];
    size_t len = sizeof(der);
    int r = sk_buf_put(out, sk_sign_header(key, type));
    r = r ? r : put_base64url(out, claims);
    if (r) {
        return r;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct sk_slice input = sk_slice_from(sk_buf_peek(out), start);
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key->pkey, NULL) > 0 &&
              EVP_DigestSign(ctx, der, &len, (const uint8_t *)input.data, input.len) > 0;
    EVP_MD_CTX_free(ctx);
    r = ok ? raw_signature(der, len, raw) : -EIO;
    r = r ? r : sk_buf_put(out, SK_LIT("."));
    return r ? r : put_base64url(out, sk_slice(raw, sizeof(raw)));
}
