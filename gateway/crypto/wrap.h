/*
 * A secret that only the holder of a private RSA key gets back: RSAES-OAEP with SHA-256 (RFC 8017 section 7.1). The private half is kept where no
 * gateway is.
 */
#pragma once

#include "base/buf.h"

#define SK_WRAP_BITS 3072
#define SK_WRAP_SIZE ((size_t)SK_WRAP_BITS / 8) /* bytes of a wrapped secret */

struct sk_wrap_key;

/* Of PEM, with RSA of SK_WRAP_BITS; NULL when it is none. A private one may be encrypted: its passphrase is asked for at the terminal. */
struct sk_wrap_key *sk_wrap_public(struct sk_slice pem);
struct sk_wrap_key *sk_wrap_private(struct sk_slice pem);
struct sk_wrap_key *sk_wrap_free(struct sk_wrap_key *key);

/* Puts the wrapped secret, which is for the use that `label` names alone. 0 or negative. */
int sk_wrap(const struct sk_wrap_key *key, const char *label, struct sk_slice secret, struct sk_buf *out) sk_nodiscard;
/* Puts the secret. 0; 1 when it was not wrapped for this key and use; negative. */
int sk_unwrap(const struct sk_wrap_key *key, const char *label, struct sk_slice wrapped, struct sk_buf *out) sk_nodiscard;
