/* SHA-256, HMAC and key derivation over OpenSSL. Any thread may call it: each has one hashing context of its own, until it ends. */
#pragma once

#include "sekisho/slice.h"

#define SK_SHA256_SIZE 32

/* None of these fails: without a working libcrypto the process ends. */
void sk_digest_sha256(struct sk_slice bytes, uint8_t out[SK_SHA256_SIZE]);
void sk_digest_sha256_parts(const struct sk_slice *parts, size_t count, uint8_t out[SK_SHA256_SIZE]);
void sk_digest_hmac(struct sk_slice key, struct sk_slice bytes, uint8_t out[SK_SHA256_SIZE]);
/* HKDF-Expand of RFC 5869 for one block: HMAC(key, label || 0x00 || context || 0x01). Distinct labels give independent keys. */
void sk_digest_derive(struct sk_slice key, const char *label, struct sk_slice context, uint8_t out[SK_SHA256_SIZE]);
/* RFC 6455 section 4.2.2: the Sec-WebSocket-Accept for a key. `out` holds 29, NUL-terminated. SHA-1 is the RFC's. */
void sk_digest_websocket_accept(struct sk_slice key, char out[29]);
/* Constant time for equal lengths. */
bool sk_digest_equal(struct sk_slice a, struct sk_slice b);
