/*
 * Revocation lists of a tenant's authorities. Full lists are OpenSSL's to look into; delta lists are looked into here: OpenSSL 3.0 passes
 * over those that nothing points to (freshestCRL), finds none stale, takes the first that fits and not the newest, and a newer one for a
 * full list. What a delta list takes back (removeFromCRL) counts with the next full list.
 */
#pragma once

#include "tls/trust.h"

#include <openssl/x509.h>

struct sk_tls_lists; /* NULL: none */

/* PEM: each is well made and, as far as its authority is in `authorities`, signed by that. NULL with `why` set: one is not, or there is none. */
struct sk_tls_lists *sk_tls_lists_read(struct sk_slice pem, const STACK_OF(X509) *authorities, char why[SK_TLS_WHY]);
/* The same to be looked into. Full lists go into the store. NULL with `why` set. */
struct sk_tls_lists *sk_tls_lists_new(struct sk_slice pem, X509_STORE *store, const STACK_OF(X509) *authorities, char why[SK_TLS_WHY]);
struct sk_tls_lists *sk_tls_lists_free(struct sk_tls_lists *lists);

/* A chain that OpenSSL found right, its client first: X509_V_OK, or X509_V_ERR_... by a delta list. `stale`: one that is past its time counts. */
int sk_tls_lists_judge(const struct sk_tls_lists *lists, const STACK_OF(X509) *chain, bool stale, uint64_t now);
/* Unix seconds: when the first of the lists that the chain stands on ends. */
uint64_t sk_tls_lists_until(const struct sk_tls_lists *lists, const STACK_OF(X509) *chain);
