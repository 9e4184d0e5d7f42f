/* Auth ↔ a factor helper: one verification at a time. The helper holds nothing secret between two. */
#pragma once

#include "ipc/interface.h"

enum { SK_FACTOR_FROM_AUTH = 1, SK_FACTOR_FROM_HELPER = 2 };

/* No hash may cost more: memory in KiB. */
#define SK_FACTOR_MEMORY_MAX 262144U
#define SK_FACTOR_PASSES_MAX 16U
#define SK_FACTOR_LANES_MAX 4U

/* `hash`: an encoded Argon2id string. */
#define SK_FACTOR_VERIFY_FIELDS(U, I, T) U(ticket) T(hash, 512) T(password, 1024)
/* `result`: 0 right, 1 wrong, 2 the hash is not one. `cheap` 1: it costs less than new ones do. */
#define SK_FACTOR_VERDICT_FIELDS(U, I, T) U(ticket) U(result) U(cheap)
/* A new password: judged by crypto/password.h, unless `least` is 0, and hashed. `context`: words, one a line. */
#define SK_FACTOR_HASH_FIELDS(U, I, T) U(ticket) T(password, 1024) U(least) T(context, 1024)
/* `reason`: empty when `hash` is there. */
#define SK_FACTOR_HASHED_FIELDS(U, I, T) U(ticket) T(reason, 64) T(hash, 512)

/* A token, and what it must be: factor/token.h says of each. With 48 KiB of keys a message is full. */
#define SK_FACTOR_TOKEN_MAX 8192U
#define SK_FACTOR_JWKS_MAX 49152U
#define SK_FACTOR_SUBJECT_MAX 255U
#define SK_FACTOR_ROLE_MAX 256U
#define SK_FACTOR_TOKEN_ID_MAX 256U
#define SK_FACTOR_THUMBPRINT 43U /* base64url of a SHA-256 */

/* Of somebody who wants to do something by it; of who signed in at an identity provider (`nonce`, `user_claim`: see factor/oidc.h); of who logged out there. */
enum sk_token_use { SK_TOKEN_USE_ACCESS, SK_TOKEN_USE_SIGN_IN, SK_TOKEN_USE_LOGOUT };

/* `roles`: where the claims name roles, member names from the outside inward, one a line; empty: nowhere. Times in seconds. */
#define SK_FACTOR_TOKEN_FIELDS(U, I, T)                                                                      \
    U(ticket) T(token, SK_FACTOR_TOKEN_MAX) T(jwks, SK_FACTOR_JWKS_MAX) T(issuer, 512) T(audience, 1024)     \
    T(types, 256) T(roles, 512) U(now) U(leeway) U(max_age) U(use) T(nonce, 64) T(user_claim, 64)
/*
 * `reason`: empty when the token is right; the rest has a meaning then alone. `roles`: names, comma between; one that is longer
 * than SK_FACTOR_ROLE_MAX or has a comma or a control character in it is left out. All others are here: they are shorter
 * than the token that they were in. `id`: `jti`, empty when it is longer than SK_FACTOR_TOKEN_ID_MAX.
 * Of an identity provider's: `user`, who it is by `user_claim`; `methods`, its amr and acr, comma between; `authenticated`, when it saw that, or 0;
 * `sid`, its session.
 * `thumbprint`: of the key that the token is bound to, `cnf` with `jkt`; empty: of none. `certificate`: of the one it is bound to, `x5t#S256`.
 */
#define SK_FACTOR_CLAIMS_FIELDS(U, I, T)                                                                     \
    U(ticket) T(reason, 64) T(subject, SK_FACTOR_SUBJECT_MAX) T(roles, SK_FACTOR_TOKEN_MAX) U(expires) \
    T(id, SK_FACTOR_TOKEN_ID_MAX) T(scope, SK_FACTOR_TOKEN_MAX) T(thumbprint, 64) T(certificate, 64) \
    T(user, SK_FACTOR_SUBJECT_MAX) T(methods, 1024) U(authenticated) T(sid, SK_FACTOR_SUBJECT_MAX)
/*
 * A DPoP proof (factor/proof.h): of a request with this `method` and `uri`, which is https://HOST[:PORT]/PATH, and, where that brings a token, with this
 * `hash` of it, base64url of its SHA-256. Made `back` seconds before `now` at the earliest, and `ahead` behind it at the latest.
 */
#define SK_FACTOR_PROOF_MAX 4096U
#define SK_FACTOR_PROOF_FIELDS(U, I, T)                                                                      \
    U(ticket) T(proof, SK_FACTOR_PROOF_MAX) T(method, 64) T(uri, 8500) T(hash, 64) U(now) U(back) U(ahead)
/* `reason`: empty when the proof is right; the rest has a meaning then alone. `issued`: Unix seconds. */
#define SK_FACTOR_PROVED_FIELDS(U, I, T) U(ticket) T(reason, 64) T(thumbprint, 64) T(id, SK_FACTOR_TOKEN_ID_MAX) U(issued)
/*
 * WebAuthn: gateway/factor/webauthn.h says what is checked. What is asked with:
 *   rp_id      the relying party's domain
 *   origins    those allowed, one a line, each exactly as a browser says it: scheme, host, and port when it is no default
 *   challenge  the bytes that were sent out; whether they still live, and were not used before, is auth's to know
 *   policy     bits of enum sk_factor_policy
 */
#define SK_FACTOR_CREDENTIAL_MAX 1023U
#define SK_FACTOR_KEY_MAX 1024U /* a COSE key */
#define SK_FACTOR_CEREMONY_FIELDS(U, I, T) U(ticket) T(rp_id, 253) T(origins, 4096) T(challenge, 128) U(policy)

enum sk_factor_policy {
    SK_FACTOR_USER_VERIFIED = 1, /* a PIN or a finger, not only a touch */
    SK_FACTOR_ATTESTED = 2,      /* a statement that leads to one of the roots */
    SK_FACTOR_NOT_SYNCED = 4,    /* no credential that may leave its authenticator */
};

/* The bits of the authenticator's flags that are told: as WebAuthn numbers them. */
enum sk_factor_flag { SK_FACTOR_UV = 4, SK_FACTOR_BE = 8, SK_FACTOR_BS = 16 };

/* `now`: Unix seconds, for the certificates. `roots`: certificates one after the other, all PEM or all DER. `allow` and
 * `deny`: AAGUIDs, sixteen bytes each; when one of them is not empty, only an attested authenticator passes. One without
 * an AAGUID (zeros; all of fido-u2f) passes a `deny` only when `allow` has the zeros. */
#define SK_FACTOR_REGISTER_FIELDS(U, I, T)                                                                   \
    SK_FACTOR_CEREMONY_FIELDS(U, I, T)                                                                       \
    U(now) T(roots, 24576) T(allow, 4096) T(deny, 4096) T(client_data, 4096) T(attestation, 16384)
/* `key`: as it was stored, COSE. `eligible`: 1 when the credential was backup eligible at registration. */
#define SK_FACTOR_ASSERT_FIELDS(U, I, T)                                                                     \
    SK_FACTOR_CEREMONY_FIELDS(U, I, T)                                                                       \
    T(key, SK_FACTOR_KEY_MAX) U(counter) U(eligible) T(client_data, 4096) T(authenticator, 1024) T(signature, 512)
/* `reason`: empty when it is good, and only then the rest says something. `algorithm`: COSE's number, an int64_t.
 * `aaguid`: as the authenticator says it; `attested` 1: the maker of the root vouches for it. */
#define SK_FACTOR_REGISTERED_FIELDS(U, I, T)                                                                 \
    U(ticket) T(reason, 64) T(credential, SK_FACTOR_CREDENTIAL_MAX) T(key, SK_FACTOR_KEY_MAX) U(algorithm)   \
    U(counter) I(aaguid) U(flags) U(attested) T(format, 32)
#define SK_FACTOR_ASSERTED_FIELDS(U, I, T) U(ticket) T(reason, 64) U(counter) U(flags)

#define SK_FACTOR_MESSAGES(M)                                                                                \
    M(FACTOR_VERIFY, factor_verify, 1, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_VERIFY_FIELDS)                      \
    M(FACTOR_VERDICT, factor_verdict, 2, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_VERDICT_FIELDS)                 \
    M(FACTOR_REGISTER, factor_register, 3, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_REGISTER_FIELDS)                \
    M(FACTOR_ASSERT, factor_assert, 4, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_ASSERT_FIELDS)                      \
    M(FACTOR_REGISTERED, factor_registered, 5, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_REGISTERED_FIELDS)        \
    M(FACTOR_ASSERTED, factor_asserted, 6, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_ASSERTED_FIELDS)              \
    M(FACTOR_HASH, factor_hash, 7, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_HASH_FIELDS)                            \
    M(FACTOR_HASHED, factor_hashed, 8, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_HASHED_FIELDS)                    \
    M(FACTOR_TOKEN, factor_token, 10, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_TOKEN_FIELDS)                        \
    M(FACTOR_CLAIMS, factor_claims, 11, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_CLAIMS_FIELDS)                      \
    M(FACTOR_PROOF, factor_proof, 20, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_PROOF_FIELDS)                        \
    M(FACTOR_PROVED, factor_proved, 21, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_PROVED_FIELDS)

SK_IPC_DECLARE(factor, SK_FACTOR_MESSAGES)
