/* An issuer of tokens: a key of each kind, its JWK, and tokens with any header and claims, signed well. Tests alone. */
#pragma once

#include "factor/jwk.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

/* Made when first asked for. RS256 and PS256 have the same. */
EVP_PKEY *issuer_key(enum sk_jwk_algorithm algorithm);

/* Text that lasts as long as the process, every ' in it made ". */
const char *issuer_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *issuer_base64url(struct sk_slice bytes);

/* The public key as a JWK object, with more members behind it: "'kid':'a'", or "". */
const char *issuer_jwk(EVP_PKEY *pkey, const char *more);
/* A set of five keys; the id of each is the name of its algorithm in small letters. */
const char *issuer_set(void);

/* JOSE's form of a signature. `out` holds 512. Its length. */
size_t issuer_sign(enum sk_jwk_algorithm algorithm, struct sk_slice input, uint8_t *out);
/* Of a header and claims as they are written, ' for ". */
const char *issuer_token(enum sk_jwk_algorithm algorithm, const char *header, const char *claims);
const char *issuer_token_of(enum sk_jwk_algorithm algorithm, struct sk_slice header, struct sk_slice claims);
