/*
 * AES-256-GCM for values at rest. A sealed value is nonce (12) || ciphertext || tag (16); nonces are random, so one
 * key seals at most 2^32 values. The associated data binds a value to its place: tenant, table, column.
 */
#pragma once

#include "base/buf.h"

#define SK_SEAL_KEY 32
#define SK_SEAL_NONCE 12
#define SK_SEAL_TAG 16
#define SK_SEAL_OVERHEAD ((size_t)28)

/* Puts the sealed form. 0 or negative. */
int sk_seal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice plain, struct sk_buf *out) sk_nodiscard;
/* Puts the plain form. 0; 1 when it was not sealed with this key for this place, or was changed; negative. */
int sk_unseal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice sealed, struct sk_buf *out) sk_nodiscard;

/* AES-256 of one block: a function of it that nobody tells from chance without the key. Not for several threads. */
#define SK_BLOCK 16
struct sk_block;
/* NULL without memory. */
struct sk_block *sk_block_new(const uint8_t key[SK_SEAL_KEY]);
struct sk_block *sk_block_free(struct sk_block *block);
/* 0 or negative. */
int sk_block_of(struct sk_block *block, const uint8_t in[SK_BLOCK], uint8_t out[SK_BLOCK]) sk_nodiscard;

/*
 * One key at work, for many small values whose nonces the caller counts: a sealed value is ciphertext || tag (16). The same nonce twice for two
 * values gives both away. Not for several threads.
 */
struct sk_sealer;
/* NULL without memory. */
struct sk_sealer *sk_sealer_new(const uint8_t key[SK_SEAL_KEY]);
struct sk_sealer *sk_sealer_free(struct sk_sealer *sealer);
/* `out` has room for plain and tag. 0 or negative. */
int sk_sealer_seal(struct sk_sealer *sealer, const uint8_t nonce[SK_SEAL_NONCE], struct sk_slice place, struct sk_slice plain, uint8_t *out) sk_nodiscard;
/* `out` has room for all but the tag. 0; 1 when it was not sealed so, or was changed; negative. */
int sk_sealer_open(struct sk_sealer *sealer, const uint8_t nonce[SK_SEAL_NONCE], struct sk_slice place, struct sk_slice sealed, uint8_t *out) sk_nodiscard;
