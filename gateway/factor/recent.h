/*
 * The last few key sets that were used, parsed: reading a set's keys costs more than to verify a signature by one of them.
 * By digest of their JSON, so that a set that changed is another set. Public keys alone, no secret.
 */
#pragma once

#include "factor/jwk.h"

#define SK_RECENT_SETS 16

struct sk_recent {
    struct sk_recent_set {
        uint8_t digest[32];
        struct sk_jwk_set *set; /* NULL: free */
        uint64_t used;          /* the greater, the later */
    } sets[SK_RECENT_SETS];
    uint64_t uses;
};

/* Good until the next call, which may take the place of the set that was not used for the longest time. NULL when the JSON is
 * no set (sk_jwk_set_parse), or without memory. */
const struct sk_jwk_set *sk_recent_keys(struct sk_recent *recent, struct sk_slice json);
void sk_recent_free(struct sk_recent *recent);
