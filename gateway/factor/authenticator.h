/* Authenticator data (WebAuthn Level 3, section 6.1), and the credential's public key in it as COSE writes it (RFC 9053). */
#pragma once

#include "factor/webauthn.h"

#include <openssl/evp.h>

#define SK_AAGUID_SIZE 16
#define SK_RSA_BITS_MIN 2048
#define SK_RSA_BITS_MAX 4096

/* COSE's numbers. */
enum sk_cose_algorithm { SK_COSE_ES256 = -7, SK_COSE_EDDSA = -8, SK_COSE_ES384 = -35, SK_COSE_RS256 = -257 };

enum { SK_FLAG_PRESENT = 1, SK_FLAG_CREDENTIAL = 64, SK_FLAG_EXTENSIONS = 128 };

/* Texts point into `raw`. */
struct sk_authenticator {
    struct sk_slice raw;
    struct sk_slice rp_hash;
    uint8_t flags;
    uint32_t counter;
    struct sk_slice aaguid, id, key; /* of a registration */
    int extensions;                  /* those that libfido2 wants to be told of: FIDO_EXT_… */
    uint8_t protection, pin_length;  /* what credProtect and minPinLength say */
};

/* `registers`: there is to be a credential in it; else there is to be none. */
enum sk_webauthn_outcome sk_authenticator_parse(struct sk_slice raw, bool registers, struct sk_authenticator *authenticator) sk_nodiscard;

struct sk_cose_key {
    int64_t algorithm;
    EVP_PKEY *pkey;
};

/* Of an algorithm in the list above, on its curve or of a right size, and without any other entry. */
enum sk_webauthn_outcome sk_cose_key_load(struct sk_slice raw, struct sk_cose_key *key) sk_nodiscard;
void sk_cose_key_free(struct sk_cose_key *key);
/* Whether signatures of this algorithm are made by such keys. */
bool sk_cose_fits(int64_t algorithm, const EVP_PKEY *pkey);
