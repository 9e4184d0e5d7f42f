/*
 * Verifies a password against an encoded Argon2id string, and makes one; of the password's normal form (crypto/password.h) both. The string comes from the store, which an administrator
 * fills: its costs are bounded here, so that no string makes the helper take the machine's memory or an hour.
 */
#pragma once

#include "ipc/factor.h"
#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_HASH_TEXT 512           /* longest encoded string */
#define SK_HASH_MEMORY_MAX SK_FACTOR_MEMORY_MAX /* KiB */
#define SK_HASH_PASSES_MAX SK_FACTOR_PASSES_MAX
#define SK_HASH_LANES_MAX SK_FACTOR_LANES_MAX

struct sk_hash_costs {
    uint64_t memory; /* KiB */
    uint64_t passes;
    uint64_t lanes;
};

/* "$argon2id$v=19$m=…,t=…,p=…$salt$hash", costs within the bounds above. 0; 1 when it is not one. */
int sk_hash_parse(struct sk_slice text, struct sk_hash_costs *costs) sk_nodiscard;

/* A new hash, NUL-terminated: 19 MiB, two passes, one lane (RFC 9106's second choice is dearer than a login may be). 0;
 * -EINVAL when the password has no normal form; other negative. */
int sk_hash_make(struct sk_slice password, char out[SK_HASH_TEXT]) sk_nodiscard;
/* Does it cost less to try than new ones? */
bool sk_hash_is_cheap(struct sk_slice text);

/*
 * Computes one small hash in two lanes. For them libargon2 starts threads, whose end makes libc open libgcc_s at its
 * first time: in the sandbox there are no files any more, and libc would abort. 0 or negative.
 */
int sk_hash_warm(void) sk_nodiscard;

/* 0 right; 1 wrong, and as dearly found out when it has no normal form; 2 the string is not one, or there is no memory for its costs. */
int sk_hash_verify(struct sk_slice text, struct sk_slice password) sk_nodiscard;
