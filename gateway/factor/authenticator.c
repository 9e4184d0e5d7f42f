/* Authenticator data and COSE keys. Runs in the factor helpers. */
#include "factor/authenticator.h"

#include "factor/cbor_item.h"

#include <fido.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define HEADER 37           /* hash, flags, counter */
#define CREDENTIAL_HEADER 18 /* AAGUID, length of the id */

static uint8_t byte_at(struct sk_slice s, size_t at)
{
    return (uint8_t)s.data[at];
}

static enum sk_webauthn_outcome take_credential(struct sk_slice *rest, struct sk_authenticator *a)
{
    if (rest->len < CREDENTIAL_HEADER) {
        return SK_WEBAUTHN_MALFORMED;
    }
    size_t len = (size_t)byte_at(*rest, 16) << 8 | byte_at(*rest, 17);
    a->aaguid = sk_slice_cut(*rest, SK_AAGUID_SIZE);
    *rest = sk_slice_from(*rest, CREDENTIAL_HEADER);
    if (len == 0 || len > SK_FACTOR_CREDENTIAL_MAX || len > rest->len) {
        return SK_WEBAUTHN_MALFORMED;
    }
    a->id = sk_slice_cut(*rest, len);
    *rest = sk_slice_from(*rest, len);
    enum sk_webauthn_outcome r = sk_cbor_take(rest, &a->key);
    return r == SK_WEBAUTHN_GOOD && a->key.len > SK_FACTOR_KEY_MAX ? SK_WEBAUTHN_MALFORMED : r;
}

/* A registration's outputs that libfido2 compares with what it was told. 0, or 1 when one has not its form. */
static int registered_extensions(const cbor_item_t *map, struct sk_authenticator *a)
{
    const cbor_item_t *secret = sk_cbor_named(map, SK_LIT("hmac-secret")), *blob = sk_cbor_named(map, SK_LIT("credBlob"));
    const cbor_item_t *protection = sk_cbor_named(map, SK_LIT("credProtect")), *pin = sk_cbor_named(map, SK_LIT("minPinLength"));
    int64_t protect = 0, length = 0;
    if ((secret && !cbor_is_bool(secret)) || (blob && !cbor_is_bool(blob)) ||
            (protection && (sk_cbor_int(protection, &protect) || protect < 1 || protect > 3)) ||
            (pin && (sk_cbor_int(pin, &length) || length < 1 || length > UINT8_MAX))) {
        return 1;
    }
    a->extensions = (secret && cbor_get_bool(secret) ? FIDO_EXT_HMAC_SECRET : 0) |
                    (blob && cbor_get_bool(blob) ? FIDO_EXT_CRED_BLOB : 0) | (protection ? FIDO_EXT_CRED_PROTECT : 0) |
                    (pin ? FIDO_EXT_MINPINLEN : 0);
    a->protection = (uint8_t)protect;
    a->pin_length = (uint8_t)length;
    return 0;
}

/* An assertion's: both are bytes. */
static int asserted_extensions(const cbor_item_t *map, struct sk_authenticator *a)
{
    const cbor_item_t *secret = sk_cbor_named(map, SK_LIT("hmac-secret")), *blob = sk_cbor_named(map, SK_LIT("credBlob"));
    if ((secret && sk_cbor_bytes(secret).len == 0) || (blob && sk_cbor_bytes(blob).len == 0)) {
        return 1;
    }
    a->extensions = (secret ? FIDO_EXT_HMAC_SECRET : 0) | (blob ? FIDO_EXT_CRED_BLOB : 0);
    return 0;
}

static enum sk_webauthn_outcome take_extensions(struct sk_slice *rest, bool registers, struct sk_authenticator *a)
{
    struct sk_slice raw;
    enum sk_webauthn_outcome r = sk_cbor_take(rest, &raw);
    if (r != SK_WEBAUTHN_GOOD) {
        return r;
    }
    SK_CBOR_ITEM map = sk_cbor_load(raw);
    if (!map) {
        return SK_WEBAUTHN_BROKEN;
    }
    if (sk_cbor_map_size(map) == SIZE_MAX) {
        return SK_WEBAUTHN_MALFORMED;
    }
    return (registers ? registered_extensions(map, a) : asserted_extensions(map, a)) ? SK_WEBAUTHN_MALFORMED : SK_WEBAUTHN_GOOD;
}

enum sk_webauthn_outcome sk_authenticator_parse(struct sk_slice raw, bool registers, struct sk_authenticator *authenticator)
{
    enum sk_webauthn_outcome r = SK_WEBAUTHN_GOOD;
    if (raw.len < HEADER) {
        return SK_WEBAUTHN_MALFORMED;
    }
    struct sk_authenticator a = {.raw = raw, .rp_hash = sk_slice_cut(raw, 32), .flags = byte_at(raw, 32)};
    for (size_t i = 33; i < HEADER; i++) {
        a.counter = a.counter << 8 | byte_at(raw, i);
    }
    if (!(a.flags & SK_FLAG_CREDENTIAL) == registers || ((a.flags & SK_FACTOR_BS) && !(a.flags & SK_FACTOR_BE))) {
        return SK_WEBAUTHN_MALFORMED;
    }
    struct sk_slice rest = sk_slice_from(raw, HEADER);
    if (registers) {
        r = take_credential(&rest, &a);
    }
    if (r == SK_WEBAUTHN_GOOD && (a.flags & SK_FLAG_EXTENSIONS)) {
        r = take_extensions(&rest, registers, &a);
    }
    *authenticator = a;
    return r == SK_WEBAUTHN_GOOD && rest.len > 0 ? SK_WEBAUTHN_MALFORMED : r;
}

static EVP_PKEY *make_pkey(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return pkey;
}

/* OpenSSL takes a point only when it is on the curve. */
static EVP_PKEY *load_ec(const cbor_item_t *map, char *group, size_t size)
{
    uint8_t point[1 + 2 * 48] = {POINT_CONVERSION_UNCOMPRESSED};
    struct sk_slice x = sk_cbor_bytes(sk_cbor_numbered(map, -2)), y = sk_cbor_bytes(sk_cbor_numbered(map, -3));
    if (x.len != size || y.len != size || sk_cbor_map_size(map) != 5) {
        return NULL;
    }
    memcpy(point + 1, x.data, size);
    memcpy(point + 1 + size, y.data, size);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size), OSSL_PARAM_construct_end()};
    return make_pkey("EC", params);
}

static EVP_PKEY *load_eddsa(const cbor_item_t *map)
{
    struct sk_slice x = sk_cbor_bytes(sk_cbor_numbered(map, -2));
    if (x.len != 32 || sk_cbor_map_size(map) != 4) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data, x.len);
}

static EVP_PKEY *load_rsa(const cbor_item_t *map)
{
    struct sk_slice n = sk_cbor_bytes(sk_cbor_numbered(map, -1)), e = sk_cbor_bytes(sk_cbor_numbered(map, -2));
    if (sk_cbor_map_size(map) != 4 || !sk_slice_eq(e, SK_LIT("\x01\x00\x01")) || n.len == 0 || n.len > SK_FACTOR_KEY_MAX ||
            n.data[0] == 0 || byte_at(n, n.len - 1) % 2 == 0) {
        return NULL;
    }
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;
    if (modulus && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
            OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, RSA_F4) == 1 && (params = OSSL_PARAM_BLD_to_param(build)) != NULL) {
        pkey = make_pkey("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    return pkey;
}

/* The key by type, algorithm and curve together. */
static EVP_PKEY *load(const cbor_item_t *map, int64_t algorithm)
{
    int64_t type, curve = 0;
    if (sk_cbor_int(sk_cbor_numbered(map, 1), &type) ||
            (algorithm != SK_COSE_RS256 && sk_cbor_int(sk_cbor_numbered(map, -1), &curve))) {
        return NULL;
    }
    if (algorithm == SK_COSE_ES256 && type == COSE_KTY_EC2 && curve == COSE_P256) {
        return load_ec(map, (char[]){"P-256"}, 32);
    }
    if (algorithm == SK_COSE_ES384 && type == COSE_KTY_EC2 && curve == COSE_P384) {
        return load_ec(map, (char[]){"P-384"}, 48);
    }
    if (algorithm == SK_COSE_EDDSA && type == COSE_KTY_OKP && curve == COSE_ED25519) {
        return load_eddsa(map);
    }
    return algorithm == SK_COSE_RS256 && type == COSE_KTY_RSA ? load_rsa(map) : NULL;
}

enum sk_webauthn_outcome sk_cose_key_load(struct sk_slice raw, struct sk_cose_key *key)
{
    *key = (struct sk_cose_key){.algorithm = 0};
    SK_CBOR_ITEM map = sk_cbor_load(raw);
    if (!map) {
        return SK_WEBAUTHN_BROKEN;
    }
    if (sk_cbor_int(sk_cbor_numbered(map, 3), &key->algorithm)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (key->algorithm != SK_COSE_ES256 && key->algorithm != SK_COSE_ES384 && key->algorithm != SK_COSE_EDDSA &&
            key->algorithm != SK_COSE_RS256) {
        return SK_WEBAUTHN_ALGORITHM;
    }
    key->pkey = load(map, key->algorithm);
    if (!key->pkey) {
        return SK_WEBAUTHN_MALFORMED;
    }
    return sk_cose_fits(key->algorithm, key->pkey) ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_ALGORITHM;
}

void sk_cose_key_free(struct sk_cose_key *key)
{
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
}

bool sk_cose_fits(int64_t algorithm, const EVP_PKEY *pkey)
{
    char group[32] = "";
    int bits = EVP_PKEY_get_bits(pkey);
    if (algorithm == SK_COSE_EDDSA) {
        return EVP_PKEY_is_a(pkey, "ED25519");
    }
    if (algorithm == SK_COSE_RS256) {
        return EVP_PKEY_is_a(pkey, "RSA") && bits >= SK_RSA_BITS_MIN && bits <= SK_RSA_BITS_MAX;
    }
    if (!EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1) {
        return false;
    }
    return (algorithm == SK_COSE_ES256 && strcmp(group, SN_X9_62_prime256v1) == 0) ||
           (algorithm == SK_COSE_ES384 && strcmp(group, SN_secp384r1) == 0);
}
