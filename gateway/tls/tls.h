/*
 * TLS towards clients and upstreams, over OpenSSL. TLS 1.2 and 1.3 only, AES-256-GCM and ChaCha20-Poly1305 only.
 *
 * Towards clients the server name picks the tenant before anything else happens; certificate, session tickets and
 * resumption then belong to that tenant alone: ticket keys are derived from the tenant's id, so another tenant's
 * ticket does not even decrypt. A client that names no host, or an unknown one, gets no further.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/audit.h"
#include "tls/trust.h"

struct sk_tls_identity; /* a certificate chain and its key */
struct sk_tls_server;   /* what all client connections of a process share */
struct sk_tls_client;   /* what all connections to one app's upstreams share */
struct sk_tls;          /* one connection */

/* PEM texts. NULL with `why` set when they do not parse or do not belong together. */
struct sk_tls_identity *sk_tls_identity_new(struct sk_slice chain, struct sk_slice key, const char **why);
struct sk_tls_identity *sk_tls_identity_free(struct sk_tls_identity *identity);
/* Does the leaf's subject alternative name cover the host? */
bool sk_tls_identity_covers(const struct sk_tls_identity *identity, struct sk_slice host);

/* Who a host belongs to. `tenant` is copied; `owner` is for sk_tls_owner. `trust`: whose certificate the client is asked for, NULL for none; a reference. */
struct sk_tls_choice {
    struct sk_tls_identity *identity;
    uint8_t tenant[SK_ID_SIZE];
    void *owner;
    struct sk_tls_trust *trust;
    bool certificate_required; /* a client without one gets no further */
};

/* `choose` is called once in each handshake with the server name in lower case: 0, or 1 for a host that is nobody's. */
struct sk_tls_server *sk_tls_server_new(
        const uint8_t ticket_secret[32], int (*choose)(void *context, struct sk_slice host, struct sk_tls_choice *choice), void *context);
struct sk_tls_server *sk_tls_server_free(struct sk_tls_server *server);

/* `ca`: PEM of the authorities to trust, and no others. NULL when it does not parse. */
struct sk_tls_client *sk_tls_client_new(struct sk_slice ca);
struct sk_tls_client *sk_tls_client_free(struct sk_tls_client *client);

/* The descriptor stays the caller's, non-blocking. */
struct sk_tls *sk_tls_accept(struct sk_tls_server *server, int fd);
/* `name`: what the certificate must say. */
struct sk_tls *sk_tls_connect(struct sk_tls_client *client, int fd, struct sk_slice name);
struct sk_tls *sk_tls_free(struct sk_tls *tls);

/*
 * Each call: positive: bytes (handshake: 1, it is done); 0: the other side ended properly; -EAGAIN: call again when the
 * descriptor is ready for what sk_tls_wants says; other negative: the connection is dead.
 */
int sk_tls_handshake(struct sk_tls *tls) sk_nodiscard;
int sk_tls_read(struct sk_tls *tls, void *to, size_t size) sk_nodiscard;
/* At most a record goes at once. `more`: other bytes, or the end, follow without delay, and may share a segment with these. */
int sk_tls_write(struct sk_tls *tls, struct sk_slice bytes, bool more) sk_nodiscard;
/* Sends close_notify without waiting for the other's; the caller then closes the descriptor, or shuts its sending side. */
void sk_tls_close(struct sk_tls *tls);

/* After -EAGAIN: must it wait to write? (else: to read) */
bool sk_tls_wants_write(const struct sk_tls *tls);
/* Bytes have been taken from the descriptor that no read has given yet, so it may not become ready for them: read on. */
bool sk_tls_pending(const struct sk_tls *tls);

/* Of an accepted connection whose handshake is done. */
void *sk_tls_owner(const struct sk_tls *tls);
bool sk_tls_is_h2(const struct sk_tls *tls);
/* The server name, lower case; of a failed handshake too, as far as it was understood. */
struct sk_slice sk_tls_host(const struct sk_tls *tls);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", then "resumed", or "certificate" and its fingerprint; lives as long as the connection. */
struct sk_slice sk_tls_text(struct sk_tls *tls);
/* Why the handshake failed, in OpenSSL's words, or "unknown-host", "no-host", or "certificate-…", "revocation-list-…": tls/trust.c has them. */
const char *sk_tls_error(const struct sk_tls *tls);
