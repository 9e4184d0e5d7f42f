/*
 * Signatures. libfido2 verifies; what its types cannot hold (RSA keys of other than 2048 bits, EdDSA over more than a
 * kilobyte, TPM statements but SHA-1's) OpenSSL does alone.
 */
#pragma once

#include "factor/authenticator.h"

/* What was signed, and with which key: the credential's. */
struct sk_signed {
    struct sk_slice rp_id;
    const struct sk_authenticator *authenticator;
    struct sk_slice client_hash; /* SHA-256 of the client data */
    const struct sk_cose_key *key;
};

/* What a statement is verified with, as it came and taken apart. */
struct sk_statement {
    struct sk_slice format;
    struct sk_slice raw;
    struct sk_slice signature;
    int64_t algorithm;
    EVP_PKEY *pkey; /* of its certificate; NULL: the credential's own */
};

/* GOOD, SIGNATURE, BROKEN. */
enum sk_webauthn_outcome sk_signature_of_assertion(const struct sk_signed *what, struct sk_slice signature) sk_nodiscard;
/* Of the formats packed and fido-u2f. */
enum sk_webauthn_outcome sk_signature_of_statement(const struct sk_signed *what, const struct sk_statement *statement) sk_nodiscard;
/* By OpenSSL alone: `message` is one behind the other. */
enum sk_webauthn_outcome sk_signature_check(int64_t algorithm, EVP_PKEY *pkey, const struct sk_slice *message, size_t parts,
        struct sk_slice signature) sk_nodiscard;
