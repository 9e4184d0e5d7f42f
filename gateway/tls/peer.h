/* A client's certificate, after its handshake. */
#pragma once

#include "tls/names.h"
#include "tls/tls.h"

/* Is there one? It was right in the handshake; whether it still is, sk_tls_certificate_holds says. */
bool sk_tls_has_certificate(const struct sk_tls *tls);
/* Is it right now, by this trust? Until what it was found right by ends, or another trust comes, that costs no more than a look at the clock. */
bool sk_tls_certificate_holds(struct sk_tls *tls, struct sk_tls_trust *trust);
/* 32 bytes: SHA-256 of the certificate. */
void sk_tls_certificate_fingerprint(const struct sk_tls *tls, uint8_t out[32]);
/* In DER, the client's own first; with `chain`, instead the authorities between it and the root, each below the next, as they were verified.
 * `each` gives 0 or negative, which ends it. 0 or negative. */
int sk_tls_certificate_each(const struct sk_tls *tls, bool chain, int (*each)(void *context, struct sk_slice der), void *context) sk_nodiscard;
/* As sk_tls_name_of. */
int sk_tls_certificate_name(const struct sk_tls *tls, enum sk_tls_name which, struct sk_buf *out) sk_nodiscard;
