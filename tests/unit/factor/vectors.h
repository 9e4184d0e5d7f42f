/* The published test vectors (vectors_data.c), and questions made of them. */
#pragma once

#include "factor/webauthn.h"

/* A registration and an assertion with the same key; hex. */
struct vector {
    const char *name;
    const char *challenge, *client_data, *attestation;
    const char *get_challenge, *get_client_data, *authenticator, *signature;
};

extern const struct vector vectors[];
extern const size_t vectors_count;
extern const char vectors_root[]; /* DER */

#define VECTORS_NOW UINT64_C(1800000000) /* all their certificates are good then */

const struct vector *vector_named(const char *name);
/* The bytes, never freed. */
struct sk_slice vector_bytes(const char *hex);
/* As its authenticator answered, with the root; the policy asks for nothing. */
struct sk_factor_register vector_registration(const struct vector *vector);
/* `key`, `flags`: of the registration. */
struct sk_factor_assert vector_assertion(const struct vector *vector, struct sk_slice key, uint64_t flags);
/* Registers, which must be good, and makes its assertion. */
struct sk_factor_assert vector_assertion_of(const struct vector *vector);
