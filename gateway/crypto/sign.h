/* ES256 (ECDSA on P-256 with SHA-256) in JOSE's form: RFC 7518 section 3.4, keys as RFC 7517, compact JWS of RFC 7515. */
#pragma once

#include "base/buf.h"

struct sk_sign_key; /* private key */

struct sk_sign_key *sk_sign_generate(void);
/* DER of RFC 5915 in and out; NULL or negative when it cannot be. */
struct sk_sign_key *sk_sign_load(struct sk_slice der);
int sk_sign_store(const struct sk_sign_key *key, struct sk_buf *der) sk_nodiscard;
struct sk_sign_key *sk_sign_free(struct sk_sign_key *key);

/* The key's id: base64url of the RFC 7638 thumbprint. NUL-terminated, lives as long as the key. */
const char *sk_sign_id(const struct sk_sign_key *key);
/* Puts the public key as a JWK object. */
int sk_sign_jwk(const struct sk_sign_key *key, struct sk_buf *out) sk_nodiscard;

enum sk_sign_type { SK_SIGN_JWT, SK_SIGN_ACCESS, SK_SIGN_TYPES }; /* `typ`: JWT, at+jwt */

/* What every JWS of that type begins with, up to its first dot, and with it: no other signer's does. */
struct sk_slice sk_sign_header(const struct sk_sign_key *key, enum sk_sign_type type);
/* Puts a compact JWS over the JSON `claims`, header {"alg":"ES256","kid":…,"typ":…}. */
int sk_sign_jws(const struct sk_sign_key *key, enum sk_sign_type type, struct sk_slice claims, struct sk_buf *out) sk_nodiscard;
