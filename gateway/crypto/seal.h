/*
 * AES-256-GCM for values at rest. A sealed value is nonce (12) || ciphertext || tag (16); nonces are random, so one
 * key seals at most 2^32 values. The associated data binds a value to its place: tenant, table, column.
 */
#pragma once

#include "base/buf.h"

#define SK_SEAL_KEY 32
#define SK_SEAL_OVERHEAD ((size_t)28)

/* Puts the sealed form. 0 or negative. */
int sk_seal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice plain, struct sk_buf *out) sk_nodiscard;
/* Puts the plain form. 0; 1 when it was not sealed with this key for this place, or was changed; negative. */
int sk_unseal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice sealed, struct sk_buf *out) sk_nodiscard;
