/*
 * JSON Web Tokens (RFC 7519) that somebody else signed: compact JWS alone, checked as RFC 8725 wants it. The key is chosen from
 * the caller's set and decides the algorithm; nothing that the token says about keys or algorithms can do more than to be
 * refused. No claim is read before the signature is right. Pure: the clock is an argument, nothing is kept.
 */
#pragma once

#include "factor/jwk.h"

#define SK_TOKEN_MAX SK_FACTOR_TOKEN_MAX     /* bytes */
#define SK_TOKEN_SUBJECT_MAX SK_FACTOR_SUBJECT_MAX
#define SK_TOKEN_TIME_MAX 253402300799.0 /* seconds since 1970: the last of year 9999 */

/* X(name, reason): why a token is refused; the reasons are stable. */
#define SK_TOKEN_REFUSALS(X)                                                                                 \
    X(NONE, "")                                                                                              \
    X(KEYS, "token-keys-malformed")    /* said by who parses the set: sk_jwk_set_parse */                    \
    X(TOO_LARGE, "token-too-large")                                                                          \
    X(NESTED, "token-nested")          /* encrypted, in five parts, or with `cty` */                         \
    X(MALFORMED, "token-malformed")    /* parts, base64url or JSON: not the one form that there is */        \
    X(ALGORITHM, "token-algorithm")    /* none, unknown, or not the key's */                                 \
    X(CRITICAL, "token-critical")                                                                            \
    X(KEY_EMBEDDED, "token-key-embedded") /* `jwk`, `jku`, `x5c` or `x5u` */                                 \
    X(TYPE, "token-type")                                                                                    \
    X(KEY_UNKNOWN, "token-key-unknown") /* no key has its `kid`; or it has none, and not exactly one key fits */ \
    X(SIGNATURE, "token-signature")                                                                          \
    X(CLAIM, "token-claim-malformed")  /* a claim that is read here is of the wrong kind or out of range */  \
    X(ISSUER, "token-issuer")                                                                                \
    X(AUDIENCE, "token-audience")                                                                            \
    X(NO_EXPIRY, "token-no-expiry")                                                                          \
    X(EXPIRED, "token-expired")                                                                              \
    X(NOT_YET, "token-not-yet")        /* `nbf` or `iat` lies ahead */                                       \
    X(TOO_OLD, "token-too-old")        /* `iat` lies too far back, or is missed */                           \
    X(NO_SUBJECT, "token-no-subject")                                                                        \
    X(NONCE, "token-nonce")            /* the sign-in is not the one that was begun */                       \
    X(PARTY, "token-authorized-party") /* `azp`: it was issued to somebody else */                           \
    X(EVENT, "token-event")            /* it is no logout token */

#define SK_TOKEN_ENUM(name, reason) SK_TOKEN_##name,
enum sk_token_refusal { SK_TOKEN_REFUSALS(SK_TOKEN_ENUM) SK_TOKEN_COUNT };
#undef SK_TOKEN_ENUM

struct sk_token_expected {
    struct sk_slice issuer;   /* exactly; the empty text is nobody's */
    struct sk_slice audience; /* these, one a line: exactly one of the token's is one of them; the empty text is nobody's */
    /* Comma between. As in RFC 7515 section 4.1.9 without "application/", in any case; a token that does not say is a "JWT". */
    struct sk_slice types;
    uint64_t now;     /* seconds since 1970 */
    uint64_t leeway;  /* seconds by which the other clock may be wrong */
    uint64_t max_age; /* seconds since `iat`, which must be there then; 0: any age */
    enum sk_token_use use; /* what it is for (ipc/factor.h): a logout token may be about a session alone */
    struct sk_slice nonce; /* of a sign-in */
};

struct sk_token_claims {
    struct json_t *json;
    struct sk_slice subject; /* 1 to SK_TOKEN_SUBJECT_MAX bytes of UTF-8 without control characters */
    uint64_t expires;        /* seconds since 1970: up to `leeway` back at most */
};

#define SK_TOKEN_CLAIMS_INIT ((struct sk_token_claims){NULL})

/* SK_TOKEN_NONE: the token is right, and `claims` are the caller's to free. Else why it is refused; `claims` are empty then. */
enum sk_token_refusal sk_token_verify(struct sk_slice token, const struct sk_jwk_set *keys, const struct sk_token_expected *expected,
        struct sk_token_claims *claims) sk_nodiscard;
void sk_token_claims_free(struct sk_token_claims *claims);
/* Can it be somebody's name: 1 to SK_TOKEN_SUBJECT_MAX bytes, none of them a control character? */
bool sk_token_is_subject(struct sk_slice text);
/* Of the key that the token is bound to (RFC 9449 section 6.1); empty: of none. What is malformed is no key's. */
struct sk_slice sk_token_thumbprint(const struct sk_token_claims *claims);
/* The same of the certificate that it is bound to (RFC 8705 section 3.1). */
struct sk_slice sk_token_certificate(const struct sk_token_claims *claims);
const char *sk_token_reason(enum sk_token_refusal refusal);

/*
 * The text number `index` at `path`: member names, one a line, each within the one before. What is there may be one string,
 * or an array; of an array, what is no string is the empty text. The text lives as long as the claims. 0; 1 there are no more.
 */
int sk_token_text(const struct sk_token_claims *claims, struct sk_slice path, size_t index, struct sk_slice *text) sk_nodiscard;
