/* Key sets and signatures over OpenSSL. Runs in the factor helpers. */
#include "factor/jwk.h"

#include "base/text.h"
#include "factor/json.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define RSA_EXPONENT_MIN 65537
#define COORDINATE_MAX 48 /* P-384 */

static const struct algorithm {
    const char *name, *digest;
    const char *type, *curve; /* of the keys that it is for */
    size_t coordinate;        /* bytes; a signature has two */
} algorithms[] = {
        [SK_JWK_RS256] = {"RS256", "SHA256", "RSA", NULL, 0},
        [SK_JWK_PS256] = {"PS256", "SHA256", "RSA", NULL, 0},
        [SK_JWK_ES256] = {"ES256", "SHA256", "EC", "P-256", 32},
        [SK_JWK_ES384] = {"ES384", "SHA384", "EC", "P-384", 48},
        [SK_JWK_EDDSA] = {"EdDSA", NULL, "OKP", "Ed25519", 0},
};

enum sk_jwk_algorithm sk_jwk_algorithm(struct sk_slice name)
{
    for (enum sk_jwk_algorithm a = SK_JWK_RS256; a <= SK_JWK_EDDSA; a++) {
        if (sk_slice_eq(name, sk_slice_str(algorithms[a].name))) {
            return a;
        }
    }
    return SK_JWK_NONE;
}

/* ---- keys ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* A member's bytes; 0 or 1. */
static int take_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t size, size_t *len)
{
    struct sk_slice text;
    return sk_json_member(jwk, name, &text) || sk_base64url_decode(text, out, size, len);
}

static bool is_sound_rsa(const BIGNUM *n, const BIGNUM *e)
{
    int bits = BN_num_bits(n);
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && BN_is_odd(n) && BN_is_odd(e) && BN_get_word(e) >= RSA_EXPONENT_MIN;
}

static EVP_PKEY *make_rsa(const json_t *jwk)
{
    uint8_t n_bytes[1 + RSA_BITS_MAX / 8], e_bytes[sizeof(BN_ULONG)]; /* some write a zero before the modulus */
    size_t n_len, e_len;
    if (take_bytes(jwk, "n", n_bytes, sizeof(n_bytes), &n_len) || take_bytes(jwk, "e", e_bytes, sizeof(e_bytes), &e_len)) {
        return NULL;
    }
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_len, NULL), *e = BN_bin2bn(e_bytes, (int)e_len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (n && e && build && is_sound_rsa(n, e) && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e)) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
        pkey = from_params("RSA", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

/* libcrypto itself refuses a point that is not on the curve. */
static EVP_PKEY *make_ec(const json_t *jwk, const struct algorithm *algorithm)
{
    uint8_t point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t size = algorithm->coordinate, x_len, y_len;
    if (take_bytes(jwk, "x", point + 1, size, &x_len) || take_bytes(jwk, "y", point + 1 + size, size, &y_len) || x_len != size ||
            y_len != size) {
        return NULL;
    }
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)algorithm->curve, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size), OSSL_PARAM_construct_end()};
    return from_params("EC", params);
}

static EVP_PKEY *make_ed25519(const json_t *jwk)
{
    uint8_t x[32];
    size_t len;
    if (take_bytes(jwk, "x", x, sizeof(x), &len)) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, len);
}

/* Whether it says that it may verify signatures, or does not say what for it is. */
static bool may_verify(const json_t *jwk)
{
    struct sk_slice use;
    const json_t *operations = json_object_get(jwk, "key_ops"), *operation;
    int r = sk_json_member(jwk, "use", &use);
    bool found = !operations;
    size_t i;
    json_array_foreach (operations, i, operation) {
        found = found || sk_slice_eq(sk_json_string(operation), SK_LIT("verify"));
    }
    return found && (r == 1 || (r == 0 && sk_slice_eq(use, SK_LIT("sig"))));
}

/* What `alg` says, when it fits the key's type and curve; without it, what they imply. */
static enum sk_jwk_algorithm algorithm_of(const json_t *jwk)
{
    struct sk_slice type, curve, name;
    bool named = sk_json_member(jwk, "alg", &name) != 1;
    bool curved = sk_json_member(jwk, "crv", &curve) != 1;
    if (sk_json_member(jwk, "kty", &type)) {
        return SK_JWK_NONE;
    }
    for (enum sk_jwk_algorithm a = SK_JWK_RS256; a <= SK_JWK_EDDSA; a++) {
        const struct algorithm *at = &algorithms[a];
        if (sk_slice_eq(type, sk_slice_str(at->type)) && (!at->curve || (curved && sk_slice_eq(curve, sk_slice_str(at->curve)))) &&
                (!named || sk_slice_eq(name, sk_slice_str(at->name)))) {
            return a;
        }
    }
    return SK_JWK_NONE;
}

static void parse_key(json_t *jwk, struct sk_jwk *key)
{
    json_t *id = json_object_get(jwk, "kid");
    *key = (struct sk_jwk){.algorithm = algorithm_of(jwk)};
    if (!may_verify(jwk) || json_object_get(jwk, "d") || (id && !json_is_string(id))) {
        return;
    }
    switch (key->algorithm) {
    case SK_JWK_RS256:
    case SK_JWK_PS256:
        key->pkey = make_rsa(jwk);
        break;
    case SK_JWK_ES256:
    case SK_JWK_ES384:
        key->pkey = make_ec(jwk, &algorithms[key->algorithm]);
        break;
    case SK_JWK_EDDSA:
        key->pkey = make_ed25519(jwk);
        break;
    case SK_JWK_NONE:
        break;
    }
    if (key->pkey && id) {
        key->id_json = json_incref(id);
        key->id = sk_json_string(id);
    }
}

/* ---- sets ---- */

static void drop_key(struct sk_jwk *key)
{
    EVP_PKEY_free(key->pkey);
    json_decref(key->id_json);
}

static const struct sk_jwk *find(const struct sk_jwk_set *set, struct sk_slice id)
{
    for (size_t i = 0; id.data && i < set->count; i++) {
        if (set->keys[i].id.data && sk_slice_eq(set->keys[i].id, id)) {
            return &set->keys[i];
        }
    }
    return NULL;
}

/* 0; 1 when its id is another key's. The same key again changes nothing. */
static int add(struct sk_jwk_set *set, json_t *jwk)
{
    struct sk_jwk *key = &set->keys[set->count];
    parse_key(jwk, key);
    const struct sk_jwk *other = find(set, key->id);
    if (!key->pkey || other) {
        bool same = !other || (other->algorithm == key->algorithm && EVP_PKEY_eq(other->pkey, key->pkey) == 1);
        drop_key(key);
        return same ? 0 : 1;
    }
    set->count++;
    return 0;
}

int sk_jwk_set_parse(struct sk_slice text, struct sk_jwk_set **out)
{
    json_t *json = text.len <= SK_JWK_SET_MAX ? sk_json_object(text) : NULL;
    const json_t *keys = json_object_get(json, "keys");
    struct sk_jwk_set *set = calloc(1, sizeof(*set));
    int r = !set ? -ENOMEM : !json_is_array(keys) || json_array_size(keys) > SK_JWK_KEYS_MAX;
    for (size_t i = 0; r == 0 && i < json_array_size(keys); i++) {
        json_t *jwk = json_array_get(keys, i);
        r = json_is_object(jwk) ? add(set, jwk) : 1;
    }
    json_decref(json);
    ERR_clear_error(); /* of keys that were left out */
    *out = r ? sk_jwk_set_free(set) : set;
    return r;
}

struct sk_jwk_set *sk_jwk_set_free(struct sk_jwk_set *set)
{
    for (size_t i = 0; set && i < set->count; i++) {
        drop_key(&set->keys[i]);
    }
    free(set);
    return NULL;
}

/* ---- signatures ---- */

/* The DER that OpenSSL wants, from JOSE's r || s. `der` holds 128. Its length; 0 when the signature is not of that size. */
static size_t der_of(struct sk_slice raw, size_t coordinate, uint8_t *der)
{
    const uint8_t *bytes = (const uint8_t *)raw.data;
    ECDSA_SIG *sig = raw.len == 2 * coordinate ? ECDSA_SIG_new() : NULL;
    if (!sig) {
        return 0;
    }
    int len = 0;
    BIGNUM *r = BN_bin2bn(bytes, (int)coordinate, NULL), *s = BN_bin2bn(bytes + coordinate, (int)coordinate, NULL);
    if (r && s && ECDSA_SIG_set0(sig, r, s)) {
        len = i2d_ECDSA_SIG(sig, &der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

int sk_jwk_verify(const struct sk_jwk *key, struct sk_slice bytes, struct sk_slice signature)
{
    const struct algorithm *algorithm = &algorithms[key->algorithm];
    uint8_t der[128];
    if (algorithm->coordinate) {
        signature = sk_slice(der, der_of(signature, algorithm->coordinate, der));
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL; /* the context's own */
    bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, &options, algorithm->digest, NULL, NULL, key->pkey, NULL) > 0;
    if (ok && key->algorithm == SK_JWK_PS256) {
        ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) > 0 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) > 0;
    }
    ok = ok && EVP_DigestVerify(ctx, (const uint8_t *)signature.data, signature.len, (const uint8_t *)bytes.data, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : 1;
}

int sk_jwk_warm(void)
{
    json_object_seed(0);
    return OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) ? 0 : -EIO;
}
