/* A compact JWS (RFC 7515) and what every kind of it is asked. Between the verifiers of tokens (token.h) and of proofs (proof.h). */
#pragma once

#include "factor/json.h"
#include "factor/token.h"

struct sk_jws {
    struct sk_slice header, claims, signature; /* decoded, in `bytes` */
    struct sk_slice input;                     /* what is signed */
    uint8_t bytes[SK_TOKEN_MAX];
};

/* SK_TOKEN_NONE, or TOO_LARGE, NESTED or MALFORMED. */
enum sk_token_refusal sk_jws_take_apart(struct sk_slice token, struct sk_jws *parts) sk_nodiscard;
/* `types`: as struct sk_token_expected has them. */
bool sk_jws_is_type(const struct json_t *header, struct sk_slice types);
/* A NumericDate, whole or not. 0; 1 it is not there; 2 it is none, or out of range. */
int sk_jws_time(const struct json_t *claims, const char *name, double *seconds) sk_nodiscard;
