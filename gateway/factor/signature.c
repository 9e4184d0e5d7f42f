/* Signatures by libfido2, and by OpenSSL where that ends. Runs in the factor helpers. */
#include "factor/signature.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>

#define MESSAGE_MAX 8192
#define FIDO_RSA_BITS 2048     /* rs256_pk_t has room for no other */
#define FIDO_EDDSA_MESSAGE 1024 /* libfido2 copies what EdDSA signs there */

enum sk_webauthn_outcome sk_signature_check(int64_t algorithm, EVP_PKEY *pkey, const struct sk_slice *message, size_t parts,
        struct sk_slice signature)
{
    unsigned char whole[MESSAGE_MAX];
    size_t len = 0;
    for (size_t i = 0; i < parts; i++) {
        if (message[i].len > sizeof(whole) - len) {
            return SK_WEBAUTHN_SIGNATURE;
        }
        memcpy(whole + len, message[i].data, message[i].len);
        len += message[i].len;
    }
    const EVP_MD *digest = algorithm == SK_COSE_EDDSA ? NULL : algorithm == SK_COSE_ES384 ? EVP_sha384() : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestVerifyInit(context, NULL, digest, NULL, pkey) != 1) {
        EVP_MD_CTX_free(context);
        return SK_WEBAUTHN_BROKEN;
    }
    int r = EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len, whole, len);
    EVP_MD_CTX_free(context);
    return r == 1 ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_SIGNATURE;
}

static bool fido_knows(const struct sk_signed *what, int64_t algorithm)
{
    bool rsa = what->key->algorithm == SK_COSE_RS256;
    return (!rsa || EVP_PKEY_get_bits(what->key->pkey) == FIDO_RSA_BITS) &&
           (algorithm != SK_COSE_EDDSA || what->authenticator->raw.len + what->client_hash.len <= FIDO_EDDSA_MESSAGE);
}

static enum sk_webauthn_outcome check_alone(const struct sk_signed *what, int64_t algorithm, EVP_PKEY *pkey, struct sk_slice signature)
{
    const struct sk_slice message[] = {what->authenticator->raw, what->client_hash};
    return sk_signature_check(algorithm, pkey, message, SK_COUNT(message), signature);
}

/* libfido2's texts end in NUL. The ids come bounded over ipc. */
static const char *text(struct sk_slice from, char *out, size_t size)
{
    size_t len = from.len < size ? from.len : size - 1;
    memcpy(out, from.data, len);
    out[len] = '\0';
    return out;
}

static int verify_with(const fido_assert_t *assert, const struct sk_cose_key *key)
{
    int r = FIDO_ERR_INTERNAL;
    es256_pk_t *es256 = NULL;
    es384_pk_t *es384 = NULL;
    eddsa_pk_t *eddsa = NULL;
    rs256_pk_t *rs256 = NULL;
    const void *pk = NULL;
    if (key->algorithm == SK_COSE_ES256 && (pk = es256 = es256_pk_new()) != NULL) {
        r = es256_pk_from_EVP_PKEY(es256, key->pkey);
    } else if (key->algorithm == SK_COSE_ES384 && (pk = es384 = es384_pk_new()) != NULL) {
        r = es384_pk_from_EVP_PKEY(es384, key->pkey);
    } else if (key->algorithm == SK_COSE_EDDSA && (pk = eddsa = eddsa_pk_new()) != NULL) {
        r = eddsa_pk_from_EVP_PKEY(eddsa, key->pkey);
    } else if (key->algorithm == SK_COSE_RS256 && (pk = rs256 = rs256_pk_new()) != NULL) {
        r = rs256_pk_from_EVP_PKEY(rs256, key->pkey);
    }
    if (r == FIDO_OK) {
        r = fido_assert_verify(assert, 0, (int)key->algorithm, pk);
    }
    es256_pk_free(&es256);
    es384_pk_free(&es384);
    eddsa_pk_free(&eddsa);
    rs256_pk_free(&rs256);
    return r;
}

enum sk_webauthn_outcome sk_signature_of_assertion(const struct sk_signed *what, struct sk_slice signature)
{
    char rp_id[256];
    const struct sk_authenticator *a = what->authenticator;
    if (!fido_knows(what, what->key->algorithm)) {
        return check_alone(what, what->key->algorithm, what->key->pkey, signature);
    }
    fido_assert_t *assert = fido_assert_new();
    if (!assert) {
        return SK_WEBAUTHN_BROKEN;
    }
    int r = fido_assert_set_clientdata_hash(assert, (const unsigned char *)what->client_hash.data, what->client_hash.len);
    r = r ? r : fido_assert_set_rp(assert, text(what->rp_id, rp_id, sizeof(rp_id)));
    r = r ? r : fido_assert_set_extensions(assert, a->extensions);
    r = r ? r : fido_assert_set_count(assert, 1);
    r = r ? r : fido_assert_set_authdata_raw(assert, 0, (const unsigned char *)a->raw.data, a->raw.len);
    r = r ? r : fido_assert_set_sig(assert, 0, (const unsigned char *)signature.data, signature.len);
    r = r ? r : verify_with(assert, what->key);
    fido_assert_free(&assert);
    return r == FIDO_OK ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_SIGNATURE;
}

static int tell_extensions(fido_cred_t *cred, const struct sk_authenticator *a)
{
    int r = a->extensions ? fido_cred_set_extensions(cred, a->extensions) : FIDO_OK;
    r = r || a->protection == 0 ? r : fido_cred_set_prot(cred, a->protection);
    return r || a->pin_length == 0 ? r : fido_cred_set_pin_minlen(cred, a->pin_length);
}

enum sk_webauthn_outcome sk_signature_of_statement(const struct sk_signed *what, const struct sk_statement *statement)
{
    char rp_id[256], format[32];
    const struct sk_authenticator *a = what->authenticator;
    if (!fido_knows(what, statement->algorithm)) {
        return check_alone(what, statement->algorithm, statement->pkey ? statement->pkey : what->key->pkey, statement->signature);
    }
    fido_cred_t *cred = fido_cred_new();
    if (!cred) {
        return SK_WEBAUTHN_BROKEN;
    }
    int r = fido_cred_set_type(cred, (int)what->key->algorithm);
    r = r ? r : fido_cred_set_clientdata_hash(cred, (const unsigned char *)what->client_hash.data, what->client_hash.len);
    r = r ? r : fido_cred_set_rp(cred, text(what->rp_id, rp_id, sizeof(rp_id)), NULL);
    r = r ? r : tell_extensions(cred, a);
    r = r ? r : fido_cred_set_fmt(cred, text(statement->format, format, sizeof(format)));
    r = r ? r : fido_cred_set_authdata_raw(cred, (const unsigned char *)a->raw.data, a->raw.len);
    r = r ? r : fido_cred_set_attstmt(cred, (const unsigned char *)statement->raw.data, statement->raw.len);
    r = r ? r : statement->pkey ? fido_cred_verify(cred) : fido_cred_verify_self(cred);
    fido_cred_free(&cred);
    return r == FIDO_OK ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_SIGNATURE;
}
