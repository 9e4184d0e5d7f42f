/*
 * WebAuthn Level 3, sections 7.1 and 7.2: is this a registration, an assertion, of this relying party, by an authenticator
 * that the policy takes? Bytes in, verdict out: no clock, no file, no network, no state, no key kept.
 *
 * Algorithms: ES256, ES384, EdDSA (Ed25519), RS256 (2048 to 4096 bits, exponent 65537). Statement formats: none, packed,
 * fido-u2f, tpm. A statement is verified in each case, also where the policy does not ask for one. CBOR is CTAP2's
 * canonical form, or it is refused.
 *
 * What no signature covers in a registration, so that it is only as true as the TLS connection it came over: everything
 * with the format none; with fido-u2f the flags, the counter and the AAGUID, of which the first two must be what
 * such a key has, and the third is told as zeros.
 *
 * Challenges (life, single use), duplicate credentials and whose credential it is are the asker's.
 */
#pragma once

#include "ipc/factor.h"
#include "sekisho/error.h"

/* The reasons: a name here, and what is told. They are an interface: new ones may come, none changes. */
#define SK_WEBAUTHN_REASONS(R)                                                                                                 \
    R(QUESTION, "bad-question")                  /* the asker's own part is not usable: rp id, origins, challenge (16 bytes at \
                                                    least), lists, roots, or the stored key */                                 \
    R(MALFORMED, "malformed")                    /* not JSON, CBOR, flags, a key, a certificate or a statement of its form */  \
    R(CBOR, "cbor-not-canonical")                /* or bytes behind its end */                                                 \
    R(TYPE, "wrong-type")                        /* a registration for an assertion, or the other way round */                 \
    R(CHALLENGE, "wrong-challenge")                                                                                            \
    R(ORIGIN, "wrong-origin")                    /* none of the allowed, byte for byte */                                      \
    R(CROSS_ORIGIN, "cross-origin")              /* crossOrigin true, or a topOrigin */                                        \
    R(RP, "wrong-rp")                            /* the hash is not the rp id's */                                             \
    R(ABSENT, "user-not-present")                                                                                              \
    R(UNVERIFIED, "user-not-verified")           /* and the policy wants it */                                                 \
    R(SYNCED, "synced-passkey")                  /* backup eligible, and the policy refuses that */                            \
    R(BACKUP, "backup-flags-changed")            /* backup eligible now and not then, or the other way round */                \
    R(ALGORITHM, "algorithm-not-allowed")        /* the key's, the statement's or a certificate's; also an RSA key's size */   \
    R(FORMAT, "attestation-format-not-allowed")                                                                                \
    R(SIGNATURE, "bad-signature")                /* or what is signed is not this registration */                              \
    R(UNATTESTED, "attestation-required")        /* none, or by the credential's own key; lists of AAGUIDs require it too */   \
    R(UNTRUSTED, "attestation-untrusted")        /* the certificate is not fit for its format, or no root is above it */       \
    R(AUTHENTICATOR, "authenticator-not-allowed") /* its AAGUID is on the deny list, or not on the allow list */               \
    R(COUNTER, "counter-went-back")              /* it did not grow: there may be a copy of the key */                         \
    R(BROKEN, "not-checked")                     /* no memory */

#define SK_WEBAUTHN_NAME(NAME, text) SK_WEBAUTHN_##NAME,
enum sk_webauthn_outcome { SK_WEBAUTHN_GOOD = 0, SK_WEBAUTHN_REASONS(SK_WEBAUTHN_NAME) };

/* What must have been done before files are gone: the libraries read their settings, the hash tables get their seed. 0 or negative. */
int sk_webauthn_warm(void) sk_nodiscard;

/* Both fill `said`, whose texts point into `ask`, and return what `said->reason` says. Nothing of `ask` is believed. */
enum sk_webauthn_outcome sk_webauthn_register(const struct sk_factor_register *ask, struct sk_factor_registered *said);
enum sk_webauthn_outcome sk_webauthn_assert(const struct sk_factor_assert *ask, struct sk_factor_asserted *said);
