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
#define SK_FETCH_PROVIDER_FIELDS(U, I, T)                                                                    \
    T(authorization, SK_FETCH_URL_MAX) T(token, SK_FETCH_URL_MAX) T(end_session, SK_FETCH_URL_MAX) T(jwks, SK_FETCH_KEYS_MAX)

#define SK_FETCH_MESSAGES(M)                                                                                 \
    M(FETCH_REFRESH, fetch_refresh, 1, SK_FETCH_FROM_AUTH, 0, SK_FETCH_REFRESH_FIELDS)                       \
    M(FETCH_PROVIDER, fetch_provider, 10, SK_FETCH_IN_DOCUMENT, 0, SK_FETCH_PROVIDER_FIELDS)

SK_IPC_DECLARE(fetch, SK_FETCH_MESSAGES)
