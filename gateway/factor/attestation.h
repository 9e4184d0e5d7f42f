/* Attestation statements (WebAuthn Level 3, section 8): what they are of, whether they hold, and what the policy says to that. */
#pragma once

#include "factor/signature.h"

/* What an attestation object is made of. `authenticator_data` lies in the object, the others too. */
struct sk_attestation_parts {
    struct sk_slice format;
    struct sk_slice statement; /* CBOR */
    struct sk_slice authenticator_data;
};

struct sk_attestation {
    struct sk_slice format; /* a text of its own */
    struct sk_slice aaguid; /* zeros for fido-u2f, whose signature does not cover it */
    bool attested;          /* a root vouches for it */
};

enum sk_webauthn_outcome sk_attestation_split(struct sk_slice object, struct sk_attestation_parts *parts) sk_nodiscard;
enum sk_webauthn_outcome sk_attestation_check(const struct sk_factor_register *ask, const struct sk_signed *what,
        const struct sk_attestation_parts *parts, struct sk_attestation *attestation) sk_nodiscard;
