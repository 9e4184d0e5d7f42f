/*
 * What a TPM says of a key (WebAuthn Level 3, section 8.3; structures: TPM 2.0 Library, part 2). libfido2 1.12 verifies
 * such statements only with SHA-1 and keys of RSA, so this reads them itself: with SHA-256, of RSA and EC keys.
 */
#pragma once

#include "factor/signature.h"

struct sk_tpm_statement {
    struct sk_slice signature, cert_info, pub_area;
    int64_t algorithm;
    EVP_PKEY *pkey; /* of its certificate */
};

/* GOOD, MALFORMED, ALGORITHM, BROKEN, or SIGNATURE when it is not signed so, or not of this registration. */
enum sk_webauthn_outcome sk_tpm_check(const struct sk_signed *what, const struct sk_tpm_statement *statement) sk_nodiscard;
