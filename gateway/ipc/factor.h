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
/* `result`: 0 right, 1 wrong, 2 the hash is not one. */
#define SK_FACTOR_VERDICT_FIELDS(U, I, T) U(ticket) U(result)

/* A token of a foreign issuer, and what it must be: factor/token.h says of each. With 48 KiB of keys a message is full. */
#define SK_FACTOR_TOKEN_MAX 8192U
#define SK_FACTOR_JWKS_MAX 49152U
#define SK_FACTOR_SUBJECT_MAX 255U
#define SK_FACTOR_ROLE_MAX 256U

/* `roles`: where the claims name roles, member names from the outside inward, one a line; empty: nowhere. Times in seconds. */
#define SK_FACTOR_TOKEN_FIELDS(U, I, T)                                                                      \
    U(ticket) T(token, SK_FACTOR_TOKEN_MAX) T(jwks, SK_FACTOR_JWKS_MAX) T(issuer, 512) T(audience, 1024)     \
    T(types, 256) T(roles, 512) U(now) U(leeway) U(max_age)
/*
 * `reason`: empty when the token is right; the rest has a meaning then alone. `roles`: names, comma between; one that is longer
 * than SK_FACTOR_ROLE_MAX or has a comma or a control character in it is left out. All others are here: they are shorter
 * than the token that they were in.
 */
#define SK_FACTOR_CLAIMS_FIELDS(U, I, T)                                                                     \
    U(ticket) T(reason, 64) T(subject, SK_FACTOR_SUBJECT_MAX) T(roles, SK_FACTOR_TOKEN_MAX) U(expires)

#define SK_FACTOR_MESSAGES(M)                                                                                \
    M(FACTOR_VERIFY, factor_verify, 1, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_VERIFY_FIELDS)                      \
    M(FACTOR_VERDICT, factor_verdict, 2, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_VERDICT_FIELDS)                 \
    M(FACTOR_TOKEN, factor_token, 10, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_TOKEN_FIELDS)                        \
    M(FACTOR_CLAIMS, factor_claims, 11, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_CLAIMS_FIELDS)

SK_IPC_DECLARE(factor, SK_FACTOR_MESSAGES)
