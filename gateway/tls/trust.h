/*
 * Whose client certificates a tenant takes, over OpenSSL: authorities, revocation lists, and the chains that were verified
 * before. A chain that was right is remembered until a certificate in it or a list that it stands on ends, an hour at most; that the
 * client has the key is verified in each handshake.
 *
 * A certificate is right when it leads to one of the authorities, itself and all between valid now, with basic constraints, path
 * length and name constraints kept (RFC 5280 section 6); it is no authority itself and is for clientAuth by name; RSA keys have 2048 bits at
 * least, others are P-256, P-384, P-521 or Ed25519; no signature is by SHA-1. With revocation lists, each authority in the chain needs a
 * current one, nothing in the chain is on one, and delta lists (tls/lists.h) are looked into where there are any.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_TLS_WHY 256 /* bytes of a text that says what is wrong, and of whom */

struct sk_tls_trust;

enum sk_tls_trust_rule {
    SK_TLS_LISTS = 1, /* each authority needs a list */
    SK_TLS_STALE = 2, /* one that is past its time counts still */
};

/* PEM texts; `crls` may be empty. `rules`: bits. NULL with `why` set. */
struct sk_tls_trust *sk_tls_trust_new(struct sk_slice authorities, struct sk_slice crls, unsigned rules, char why[SK_TLS_WHY]);
struct sk_tls_trust *sk_tls_trust_ref(struct sk_tls_trust *trust);
struct sk_tls_trust *sk_tls_trust_unref(struct sk_tls_trust *trust);
/* Are these lists well made, and signed by an authority of the trust as far as they are of one? `why` says why not. */
bool sk_tls_trust_takes(const struct sk_tls_trust *trust, struct sk_slice crls, char why[SK_TLS_WHY]);
/* Do both take the same certificates? Either may be NULL: none. */
bool sk_tls_trust_same(const struct sk_tls_trust *a, const struct sk_tls_trust *b);
