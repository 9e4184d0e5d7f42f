/* Auth ↔ a factor helper: one verification at a time. The helper holds nothing between two. */
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

#define SK_FACTOR_MESSAGES(M)                                                                                \
    M(FACTOR_VERIFY, factor_verify, 1, SK_FACTOR_FROM_AUTH, 0, SK_FACTOR_VERIFY_FIELDS)                      \
    M(FACTOR_VERDICT, factor_verdict, 2, SK_FACTOR_FROM_HELPER, 0, SK_FACTOR_VERDICT_FIELDS)

SK_IPC_DECLARE(factor, SK_FACTOR_MESSAGES)
