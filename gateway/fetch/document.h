/*
 * What a fetched document must be before it counts: a judge for each kind of source (ipc/fetch.h). Pure: bytes in, the form that is
 * handed on out. A bad document never takes the place of a good one. Runs in fetch.
 */
#pragma once

#include "base/buf.h"
#include "ipc/fetch.h"

#define DOCUMENT_WHY 256

/* 0; 1 with `why`, NUL-terminated. */
int document_keys(struct sk_slice body, char why[DOCUMENT_WHY]) sk_nodiscard;
/*
 * A revocation list that one of the `authorities` (PEM) signed, and that is not older than `before`, the one that counts until now
 * (PEM, or empty): who sits between cannot bring an old one back. Puts it as PEM.
 */
int document_list(struct sk_slice body, struct sk_slice authorities, struct sk_slice before, struct sk_buf *out, char why[DOCUMENT_WHY]) sk_nodiscard;
/*
 * Metadata of exactly this issuer (OpenID Connect Discovery 1.0 section 4.3), all its addresses https. `jwks_uri` and the others are
 * NUL-terminated; end_session may be empty.
 */
struct document_provider {
    bool iss; /* its answers to browsers always name it */
    char authorization[SK_FETCH_URL_MAX + 1], token[SK_FETCH_URL_MAX + 1], end_session[SK_FETCH_URL_MAX + 1], jwks[SK_FETCH_URL_MAX + 1];
};
int document_provider(struct sk_slice body, struct sk_slice issuer, struct document_provider *out, char why[DOCUMENT_WHY]) sk_nodiscard;
