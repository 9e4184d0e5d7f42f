/*
 * DPoP proofs (RFC 9449): who makes a request has the private key whose public one the proof brings along. What the proof is of, and when it was made,
 * is checked here; that it is used once, and that its key is a token's, is the caller's to check. Pure: the clock is an argument, nothing is kept.
 */
#pragma once

#include "ipc/factor.h"
#include "sekisho/error.h"

#define SK_PROOF_MAX SK_FACTOR_PROOF_MAX /* bytes */

/* X(NAME, reason): why a proof is refused; the reasons are stable. */
#define SK_PROOF_REFUSALS(X)                                                                                 \
    X(NONE, "")                                                                                              \
    X(MALFORMED, "proof-malformed")                                                                          \
    X(TYPE, "proof-type")                                                                                    \
    X(ALGORITHM, "proof-algorithm") /* none, unknown, or not the key's */                                    \
    X(CRITICAL, "proof-critical")                                                                            \
    X(KEY, "proof-key")             /* none, a private or secret one, or of no kind that is taken */         \
    X(SIGNATURE, "proof-signature")                                                                          \
    X(CLAIM, "proof-claim-malformed")                                                                        \
    X(METHOD, "proof-method")                                                                                \
    X(URI, "proof-uri")                                                                                      \
    X(TOKEN, "proof-token")         /* `ath` is another token's, or missed */                                \
    X(NOT_YET, "proof-not-yet")                                                                              \
    X(TOO_OLD, "proof-too-old")                                                                              \
    X(NO_ID, "proof-no-id")

#define SK_PROOF_ENUM(name, reason) SK_PROOF_##name,
enum sk_proof_refusal { SK_PROOF_REFUSALS(SK_PROOF_ENUM) SK_PROOF_COUNT };
#undef SK_PROOF_ENUM

struct sk_proof {
    char thumbprint[SK_FACTOR_THUMBPRINT + 1]; /* of its key: RFC 7638 */
    char id[SK_FACTOR_TOKEN_ID_MAX + 1];      /* `jti` */
    uint64_t issued;                          /* Unix seconds */
};

/* The fields of the question: see ipc/factor.h. SK_PROOF_NONE, and `proof` is set; else why not. */
enum sk_proof_refusal sk_proof_verify(const struct sk_factor_proof *ask, struct sk_proof *proof) sk_nodiscard;
const char *sk_proof_reason(enum sk_proof_refusal refusal);
