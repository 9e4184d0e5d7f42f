/*
 * Auth ↔ fetch, and what fetch finds. Fetch alone speaks to servers that are no upstreams; where to, tenant files say. It is asked
 * for a document by the id that the supervisor gave its source (SK_CONTROL_SOURCE).
 */
#pragma once

#include "ipc/interface.h"

enum { SK_FETCH_FROM_AUTH = 1, SK_FETCH_FROM_FETCH = 2, SK_FETCH_IN_DOCUMENT = 4 };

/* What a source is. */
enum sk_source {
    SK_SOURCE_KEYS,     /* a JWK Set (RFC 7517 section 5): as it was fetched */
    SK_SOURCE_LIST,     /* a revocation list (RFC 5280 section 5), PEM or DER: as PEM */
    SK_SOURCE_PROVIDER, /* an identity provider's metadata (OpenID Connect Discovery 1.0): FETCH_PROVIDER, encoded */
    SK_SOURCES
};

#define SK_FETCH_KEYS_MAX 49152U /* bytes of a key set */
#define SK_FETCH_LIST_MAX (1024U << 10)
#define SK_FETCH_URL_MAX 2048U
#define SK_FETCH_CA_MAX 32768U

/* A token came whose key is not in this set: it may be newer. Fetched at once, but not again and again. */
#define SK_FETCH_REFRESH_FIELDS(U, I, T) I(source)
/* `iss` 1: its answers to browsers always name it (RFC 9207). */
#define SK_FETCH_PROVIDER_FIELDS(U, I, T)                                                                    \
    T(authorization, SK_FETCH_URL_MAX) T(token, SK_FETCH_URL_MAX) T(end_session, SK_FETCH_URL_MAX) T(jwks, SK_FETCH_KEYS_MAX) U(iss)
/*
 * The code that somebody came back with from the provider is exchanged for an ID token (RFC 6749 section 4.1.3; RFC 7636). `source`: the provider's.
 * `reason`: empty when there is one.
 */
#define SK_FETCH_CODE_MAX 4096U
#define SK_FETCH_EXCHANGE_FIELDS(U, I, T)                                                                    \
    U(ticket) I(source) T(client_id, 1024) T(secret, 1024) T(code, SK_FETCH_CODE_MAX) T(redirect_uri, 512) T(verifier, 64)
#define SK_FETCH_EXCHANGED_FIELDS(U, I, T) U(ticket) T(reason, 64) T(id_token, 8192)

#define SK_FETCH_MESSAGES(M)                                                                                 \
    M(FETCH_REFRESH, fetch_refresh, 1, SK_FETCH_FROM_AUTH, 0, SK_FETCH_REFRESH_FIELDS)                       \
    M(FETCH_EXCHANGE, fetch_exchange, 2, SK_FETCH_FROM_AUTH, 0, SK_FETCH_EXCHANGE_FIELDS)                    \
    M(FETCH_EXCHANGED, fetch_exchanged, 3, SK_FETCH_FROM_FETCH, 0, SK_FETCH_EXCHANGED_FIELDS)                \
    M(FETCH_PROVIDER, fetch_provider, 10, SK_FETCH_IN_DOCUMENT, 0, SK_FETCH_PROVIDER_FIELDS)

SK_IPC_DECLARE(fetch, SK_FETCH_MESSAGES)
