/* What clients' certificates are for. */
#pragma once

#include "proxy/exchange.h"

/* The handshake is done: whose is it? 0 or negative. */
int sk_certificate_read(struct sk_conn *conn, struct sk_site *site) sk_nodiscard;
/* Does the connection still have what the rules ask of it, and whose it was? False: its client must make another. */
bool sk_certificate_agrees(struct sk_conn *conn, struct sk_site *site);
/* Once a second: streams whose certificate ended meanwhile are cut. */
void sk_certificates_tick(struct sk_gate *gate);
/* Is the connection's certificate one of this subject, or of nobody in particular? */
bool sk_certificate_is_of(const struct sk_conn *conn, struct sk_slice subject);
/* The certificate's SHA-256 into `digest`; the null slice when the connection has none. */
struct sk_slice sk_certificate_fingerprint(const struct sk_conn *conn, uint8_t digest[32]);
/* Whose it is by the tenant's map; the null slice: nobody's in particular, or there is none. Lives as long as the connection. */
struct sk_slice sk_certificate_holder(const struct sk_conn *conn);
/* The grant of its holder; NULL: it names none, or another site's page sent the request. */
struct sk_grant *sk_certificate_grant(struct sk_exchange *x);
/* The value of Client-Cert, or with `chain` of Client-Cert-Chain (RFC 9440 sections 2.2, 2.3); the null slice when there is nothing to say. */
struct sk_slice sk_certificate_field(struct sk_exchange *x, bool chain);
