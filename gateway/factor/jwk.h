/*
 * Sets of public keys of a foreign issuer (RFC 7517), and signatures by them (RFC 7518, RFC 8037). Each key has exactly one
 * algorithm, which nothing in a token can change. Pure: no file, no network, no clock, no secret.
 */
#pragma once

#include "ipc/factor.h"
#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_JWK_SET_MAX SK_FACTOR_JWKS_MAX /* bytes of JSON */
#define SK_JWK_KEYS_MAX 64

enum sk_jwk_algorithm { SK_JWK_NONE = 0, SK_JWK_RS256, SK_JWK_PS256, SK_JWK_ES256, SK_JWK_ES384, SK_JWK_EDDSA };

struct sk_jwk {
    enum sk_jwk_algorithm algorithm;
    struct sk_slice id; /* `kid`; its data is NULL when there is none */
    struct evp_pkey_st *pkey;
    struct json_t *id_json; /* holds the id's bytes */
};

struct sk_jwk_set {
    size_t count;
    struct sk_jwk keys[SK_JWK_KEYS_MAX];
};

/* The algorithm of a JOSE name, letter by letter; SK_JWK_NONE for every name that is not one of the five. */
enum sk_jwk_algorithm sk_jwk_algorithm(struct sk_slice name);

/*
 * What is no public signing key of a kind named here is left out, as RFC 7517 section 5 wants it, and no token finds it:
 * other types, curves and algorithms, secrets (`oct`), private keys, which whoever read them can sign with, `use` other
 * than "sig", `key_ops` without "verify", points off their curve, RSA below 2048 or above 4096 bits, an even modulus, an
 * exponent that is even, below 65537 or above 64 bits. `alg` says whether RSA means RS256 or PS256 (without: RS256).
 * 0; 1 it is no set: malformed, too large, or one `kid` names two keys. The set may then not be used. -ENOMEM.
 */
int sk_jwk_set_parse(struct sk_slice json, struct sk_jwk_set **set) sk_nodiscard;
struct sk_jwk_set *sk_jwk_set_free(struct sk_jwk_set *set);

/* `signature` in JOSE's form, of `bytes`, with the key's own algorithm. 0 right; 1 wrong, or it could not be checked. */
int sk_jwk_verify(const struct sk_jwk *key, struct sk_slice bytes, struct sk_slice signature) sk_nodiscard;

/* libcrypto reads its configuration, and jansson its hash seed from /dev/urandom, when first used: in the sandbox there are no
 * files any more. 0 or negative. */
int sk_jwk_warm(void) sk_nodiscard;
