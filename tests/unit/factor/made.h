/* An authenticator of any kind, with its maker's certificates; what it answers, right or spoilt. Made for one test; nothing is freed. */
#pragma once

#include "factor/webauthn.h"

#include <openssl/x509.h>

#define MADE_NOW UINT64_C(1800000000)

struct made_cert {
    EVP_PKEY *key;
    X509 *cert;
};

/* What is not said is as it should be. */
struct made_cert_spec {
    int64_t algorithm; /* of its key; 0: ES256 */
    int bits;          /* of an RSA key; 0: 2048 */
    const struct made_cert *issuer; /* NULL: itself */
    int version;       /* 0: the third */
    const char *country, *organization, *unit, *common; /* "": none */
    int authority;     /* 0: basicConstraints says no; 1: it says yes; -1: it is not there */
    struct sk_slice aaguid; /* the extension's value, DER */
    bool aaguid_critical, aaguid_twice;
    bool expired;
    bool tpm;          /* empty subject, alternative name, purpose */
    const char *tpm_name, *purpose; /* instead of the right ones */
    bool name_not_critical;
};

void made_cert(struct made_cert *out, const struct made_cert_spec *spec);
struct sk_slice made_der(const struct made_cert *cert);
struct sk_slice made_pem(const struct made_cert *cert);

struct made {
    int64_t algorithm; /* of the credential */
    int bits;          /* 0: 2048 */
    EVP_PKEY *key;
    const char *format;
    const struct made_cert *chain[6]; /* the statement's own first; none: self attestation */
    size_t chain_count;
    struct sk_slice chain_tail; /* behind each certificate */
    int64_t statement_algorithm;
    uint8_t flags;
    uint32_t counter;
    uint8_t aaguid[16];
    size_t id_len;
    struct sk_slice key_cbor;      /* instead of the key's own */
    struct sk_slice extensions;    /* CBOR; they need the flag 0x80 */
    const char *members;           /* more of the client data, a comma before each */
    struct sk_slice client_data;   /* instead of the right ones */
    struct sk_slice statement;     /* instead of the right one, CBOR */
    struct sk_slice trailing;      /* behind the authenticator data */
    struct sk_slice pub_area;      /* of a TPM: instead of the right one */
    struct sk_slice cert_info;     /* the same */
};

/* ES256, format none, UP, no extensions. */
void made_init(struct made *made);
/* Of the bytes that a test changes. */
struct sk_slice made_copy(struct sk_slice bytes);
struct sk_slice made_join(struct sk_slice a, struct sk_slice b);
struct sk_factor_register made_registration(struct made *made);
/* Signed with the key of the last registration. */
struct sk_factor_assert made_assertion(struct made *made);
/* CBOR of one's own. */
struct sk_slice made_cbor_key(struct made *made);
