/*
 * Supervisor ↔ every process it starts. The supervisor alone reads configuration; a process is told what it needs,
 * gets its peers as descriptors, says READY, and serves.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_CONTROL_FROM_SUPERVISOR = 1, SK_CONTROL_FROM_CHILD = 2 };

enum sk_peer { SK_PEER_AUTH = 1, SK_PEER_STORE, SK_PEER_FACTOR, SK_PEER_PAM, SK_PEER_WORKER, SK_PEER_AUDIT, SK_PEER_SUPERVISOR, SK_PEER_FETCH,
    SK_PEER_SIGNER, SK_PEER_READER, SK_PEER_FEED };

/* First message. `folder`: store's, audit's, signer's, reader's, feed's or fetch's own. `secret`: 32 bytes, the key this kind of process derives from. */
#define SK_CONTROL_HELLO_FIELDS(U, I, T) U(index) U(uid) U(gid) T(folder, 4096) T(secret, 64) I(node)
#define SK_CONTROL_LIMITS_FIELDS(U, I, T)                                                                    \
    U(handshake) U(header) U(idle) U(request) U(drain) U(flush_deadline) U(file_size) U(workers) T(ports, 128)
/* A channel to a peer. A new one of the same kind and index replaces the old. */
#define SK_CONTROL_PEER_FIELDS(U, I, T) U(peer) U(index)
/* A ring to or from audit: its memory and this side's socket. */
#define SK_CONTROL_RING_FIELDS(U, I, T) U(peer) U(index)
/* Shared counters of all workers (gateway/proxy/shared.h). */
#define SK_CONTROL_SHARED_FIELDS(U, I, T) U(size)
/* A listening socket. */
#define SK_CONTROL_LISTENER_FIELDS(U, I, T) U(observe)
/* Sources that speak PROXY protocol v2, as CIDR texts, comma between. */
#define SK_CONTROL_BALANCERS_FIELDS(U, I, T) T(cidrs, 8192)
/* A tenant's image (conf/image.h) at `offset` of the memory. For auth and audit, without descriptors: TENANT, with `hosts`, comma
 * between, in as many messages as they need; `part` 0 begins anew. `certificates`: its map says whose client certificates are. `hold`: its records are
 * kept, however old. */
#define SK_CONTROL_IMAGE_FIELDS(U, I, T) I(tenant) U(slot) U(offset) U(size)
#define SK_CONTROL_TENANT_FIELDS(U, I, T)                                                                    \
    I(tenant) T(name, 64) T(service, 64) U(inactivity) U(expiration) U(max_retries) U(find_time) U(ban_time) U(password_least) U(certificates) U(hold) U(part) T(hosts, 32768) T(managers, 8192) T(auditors, 8192)
/* Behind its tenant's: as the image has it (ipc/tenant.h). */
#define SK_CONTROL_ISSUER_FIELDS(U, I, T)                                                                    \
    I(tenant) T(name, 64) T(issuer, 512) T(audience, 1024) T(types, 256) T(roles_claim, 512) T(map, 4096)    \
    T(roles, 2048) T(networks, 2048) T(scope, 1024) U(restricted) U(kind) U(bound) I(source) T(jwks, 49152)
#define SK_CONTROL_PROVIDER_FIELDS(U, I, T)                                                                  \
    I(tenant) T(name, 64) T(user_claim, 64) T(scopes, 520) T(acr_values, 512) T(factors, 1024) T(authorization, 2048) T(end_session, 2048) U(iss)
#define SK_CONTROL_FIDO2_FIELDS(U, I, T)                                                                     \
    I(tenant) T(rp_id, 253) U(policy) U(verification) T(roots, 24576) T(allow, 4096) T(deny, 4096) U(most)
/* To feed: what it is. `form`: enum sk_conf_form; `host`: this machine's name; `tenants`: ids, of 16
 * bytes each; none: all, and the operator. */
#define SK_CONTROL_FEED_FIELDS(U, I, T) T(name, 64) U(form) T(to, 380) T(ca, 24576) T(host, 255) T(authorization, 4000) T(certificate, 16384) T(key, 8192) T(tenants, 4096)
/* To fetch: a document to have at hand and keep new (ipc/fetch.h, ipc/tenant.h); and one that nobody wants any more. */
#define SK_CONTROL_SOURCE_FIELDS(U, I, T) I(id) I(tenant) U(kind) T(url, 2048) T(ca, 32768)
#define SK_CONTROL_UNSOURCE_FIELDS(U, I, T) I(id)
/* From fetch: there is a new one, in the file of its folder that the id in hexadecimal digits names. */
#define SK_CONTROL_DOCUMENT_FIELDS(U, I, T) I(id)
#define SK_CONTROL_GONE_FIELDS(U, I, T) I(tenant)
/* To audit: a service's records are kept for so many days; the operator's own, without a name, and with the public key, in PEM, that copies are left
 * for. And: a tenant's contract is over, since `ends` (wall ns), so that its records are erased, once they are not on hold, but for such a copy, which is until `recoverable` (wall
 * ns). */
#define SK_CONTROL_KEEPS_FIELDS(U, I, T) T(service, 64) U(days) T(recovery, 4096)
#define SK_CONTROL_OVER_FIELDS(U, I, T) I(tenant) T(name, 130) U(hold) U(ends) U(recoverable)
/* A peer's process died; a new channel or ring follows when it is back. */
#define SK_CONTROL_LOST_FIELDS(U, I, T) U(peer) U(index)
/* Every tenant of a start or reload has been sent. */
#define SK_CONTROL_LOADED_FIELDS(U, I, T) U(generation)
/* Finish and end, as by SIGTERM: a supervisor without CAP_KILL may not send that to another account's process. */
#define SK_CONTROL_STOP_FIELDS(U, I, T)
/* A record of the supervisor's own, for the operator's trail: CBOR. */
#define SK_CONTROL_RECORD_FIELDS(U, I, T) T(cbor, 4096)
#define SK_CONTROL_READY_FIELDS(U, I, T) U(generation)
/* From audit alone: this process broke the rules of its ring. It is ended, and started again. */
#define SK_CONTROL_BREACH_FIELDS(U, I, T) U(peer) U(index)
/* Sent back as it came, by the process's event loop: who does not is hanging. */
#define SK_CONTROL_PING_FIELDS(U, I, T) U(number)

#define SK_CONTROL_MESSAGES(M)                                                                               \
    M(CONTROL_HELLO, control_hello, 1, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_HELLO_FIELDS)               \
    M(CONTROL_LIMITS, control_limits, 2, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_LIMITS_FIELDS)            \
    M(CONTROL_PEER, control_peer, 3, SK_CONTROL_FROM_SUPERVISOR, 1, SK_CONTROL_PEER_FIELDS)                  \
    M(CONTROL_RING, control_ring, 4, SK_CONTROL_FROM_SUPERVISOR, 2, SK_CONTROL_RING_FIELDS)                  \
    M(CONTROL_SHARED, control_shared, 5, SK_CONTROL_FROM_SUPERVISOR, 1, SK_CONTROL_SHARED_FIELDS)            \
    M(CONTROL_LISTENER, control_listener, 6, SK_CONTROL_FROM_SUPERVISOR, 1, SK_CONTROL_LISTENER_FIELDS)      \
    M(CONTROL_BALANCERS, control_balancers, 7, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_BALANCERS_FIELDS)   \
    M(CONTROL_IMAGE, control_image, 8, SK_CONTROL_FROM_SUPERVISOR, 1, SK_CONTROL_IMAGE_FIELDS)               \
    M(CONTROL_TENANT, control_tenant, 9, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_TENANT_FIELDS)            \
    M(CONTROL_GONE, control_gone, 10, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_GONE_FIELDS)                 \
    M(CONTROL_KEEPS, control_keeps, 25, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_KEEPS_FIELDS)              \
    M(CONTROL_OVER, control_over, 26, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_OVER_FIELDS)                 \
    M(CONTROL_LOADED, control_loaded, 11, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_LOADED_FIELDS)           \
    M(CONTROL_STOP, control_stop, 12, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_STOP_FIELDS)                 \
    M(CONTROL_RECORD, control_record, 13, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_RECORD_FIELDS)           \
    M(CONTROL_LOST, control_lost, 14, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_LOST_FIELDS)                 \
    M(CONTROL_ISSUER, control_issuer, 15, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_ISSUER_FIELDS)           \
    M(CONTROL_FIDO2, control_fido2, 16, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_FIDO2_FIELDS)              \
    M(CONTROL_PROVIDER, control_provider, 19, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_PROVIDER_FIELDS)     \
    M(CONTROL_FEED, control_feed, 24, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_FEED_FIELDS)                 \
    M(CONTROL_SOURCE, control_source, 17, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_SOURCE_FIELDS)           \
    M(CONTROL_UNSOURCE, control_unsource, 18, SK_CONTROL_FROM_SUPERVISOR, 0, SK_CONTROL_UNSOURCE_FIELDS)     \
    M(CONTROL_DOCUMENT, control_document, 23, SK_CONTROL_FROM_CHILD, 0, SK_CONTROL_DOCUMENT_FIELDS)          \
    M(CONTROL_READY, control_ready, 20, SK_CONTROL_FROM_CHILD, 0, SK_CONTROL_READY_FIELDS)                   \
    M(CONTROL_PING, control_ping, 21, SK_CONTROL_FROM_SUPERVISOR | SK_CONTROL_FROM_CHILD, 0, SK_CONTROL_PING_FIELDS) \
    M(CONTROL_BREACH, control_breach, 22, SK_CONTROL_FROM_CHILD, 0, SK_CONTROL_BREACH_FIELDS)

SK_IPC_DECLARE(control, SK_CONTROL_MESSAGES)
