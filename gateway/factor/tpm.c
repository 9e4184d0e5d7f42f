/* TPM statements. Runs in the factor helpers. */
#include "factor/tpm.h"

#include "crypto/digest.h"

#include <openssl/core_names.h>

enum { ALG_RSA = 0x0001, ALG_SHA256 = 0x000b, ALG_NULL = 0x0010, ALG_ECC = 0x0023, CURVE_P256 = 0x0003, CURVE_P384 = 0x0004 };

#define CLOCK_AND_FIRMWARE (17 + 8)

struct reader {
    struct sk_slice rest;
    bool short_of; /* it was asked for more than there is */
};

static struct sk_slice take(struct reader *reader, size_t len)
{
    struct sk_slice part = sk_slice_cut(reader->rest, len);
    reader->short_of |= part.len < len;
    reader->rest = sk_slice_from(reader->rest, len);
    return reader->short_of ? SK_SLICE_NULL : part;
}

static uint32_t take_number(struct reader *reader, size_t bytes)
{
    struct sk_slice part = take(reader, bytes);
    uint32_t value = 0;
    for (size_t i = 0; i < part.len; i++) {
        value = value << 8 | (uint8_t)part.data[i];
    }
    return value;
}

static struct sk_slice take_sized(struct reader *reader)
{
    return take(reader, take_number(reader, 2));
}

/* A number of the credential's key, as many bytes as are said. */
static bool is_number(const EVP_PKEY *pkey, const char *name, struct sk_slice said)
{
    BIGNUM *number = NULL;
    uint8_t bytes[SK_RSA_BITS_MAX / 8];
    bool same = said.len > 0 && said.len <= sizeof(bytes) && EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
                BN_bn2binpad(number, bytes, (int)said.len) >= 0 && memcmp(bytes, said.data, said.len) == 0;
    BN_free(number);
    return same;
}

/* A scheme with its hash, or none. */
static void skip_scheme(struct reader *reader)
{
    if (take_number(reader, 2) != ALG_NULL) {
        (void)take(reader, 2);
    }
}

static bool is_rsa_key(struct reader *area, const struct sk_cose_key *key)
{
    uint32_t symmetric = take_number(area, 2);
    skip_scheme(area);
    uint32_t bits = take_number(area, 2), exponent = take_number(area, 4);
    struct sk_slice modulus = take_sized(area);
    return key->algorithm == SK_COSE_RS256 && symmetric == ALG_NULL && bits == (uint32_t)EVP_PKEY_get_bits(key->pkey) &&
           (exponent == 0 || exponent == 65537) && is_number(key->pkey, OSSL_PKEY_PARAM_RSA_N, modulus);
}

static bool is_ec_key(struct reader *area, const struct sk_cose_key *key)
{
    uint32_t symmetric = take_number(area, 2);
    skip_scheme(area);
    uint32_t curve = take_number(area, 2);
    skip_scheme(area); /* of key derivation */
    struct sk_slice x = take_sized(area), y = take_sized(area);
    bool fits = (key->algorithm == SK_COSE_ES256 && curve == CURVE_P256) || (key->algorithm == SK_COSE_ES384 && curve == CURVE_P384);
    return fits && symmetric == ALG_NULL && is_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_X, x) &&
           is_number(key->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y);
}

/* pubArea: the credential's key, named by SHA-256. */
static enum sk_webauthn_outcome check_area(struct sk_slice bytes, const struct sk_cose_key *key)
{
    struct reader area = {.rest = bytes};
    uint32_t type = take_number(&area, 2), hash = take_number(&area, 2);
    (void)take_number(&area, 4); /* attributes */
    (void)take_sized(&area);     /* policy */
    bool same = type == ALG_RSA ? is_rsa_key(&area, key) : type == ALG_ECC && is_ec_key(&area, key);
    if (area.short_of || area.rest.len > 0) {
        return SK_WEBAUTHN_MALFORMED;
    }
    return hash != ALG_SHA256 ? SK_WEBAUTHN_ALGORITHM : same ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_SIGNATURE;
}

/* certInfo: made in a TPM, to certify this key for this registration. */
static enum sk_webauthn_outcome check_info(const struct sk_signed *what, const struct sk_tpm_statement *statement)
{
    struct reader info = {.rest = statement->cert_info};
    const struct sk_slice attested[] = {what->authenticator->raw, what->client_hash};
    uint8_t data[SK_SHA256_SIZE], name[2 + SK_SHA256_SIZE] = {ALG_SHA256 >> 8, ALG_SHA256 & 0xff};
    bool head = sk_slice_eq(take(&info, 6), SK_LIT("\xff\x54\x43\x47\x80\x17")); /* TPM_GENERATED_VALUE, TPM_ST_ATTEST_CERTIFY */
    (void)take_sized(&info);                                                     /* signer */
    struct sk_slice said_data = take_sized(&info);
    (void)take(&info, CLOCK_AND_FIRMWARE);
    struct sk_slice said_name = take_sized(&info);
    (void)take_sized(&info); /* qualified name */
    if (info.short_of || info.rest.len > 0 || !head) {
        return SK_WEBAUTHN_MALFORMED;
    }
    sk_digest_sha256(statement->pub_area, name + 2);
    sk_digest_sha256_parts(attested, SK_COUNT(attested), data);
    return sk_slice_eq(said_data, sk_slice(data, sizeof(data))) && sk_slice_eq(said_name, sk_slice(name, sizeof(name)))
                   ? SK_WEBAUTHN_GOOD
                   : SK_WEBAUTHN_SIGNATURE;
}

enum sk_webauthn_outcome sk_tpm_check(const struct sk_signed *what, const struct sk_tpm_statement *statement)
{
    if (statement->algorithm != SK_COSE_ES256 && statement->algorithm != SK_COSE_RS256) {
        return SK_WEBAUTHN_ALGORITHM;
    }
    enum sk_webauthn_outcome r = check_area(statement->pub_area, what->key);
    if (r == SK_WEBAUTHN_GOOD) {
        r = check_info(what, statement);
    }
    if (r == SK_WEBAUTHN_GOOD) {
        r = sk_signature_check(statement->algorithm, statement->pkey, &statement->cert_info, 1, statement->signature);
    }
    return r;
}
