/*
 * Counters that all workers share: what /metrics shows, and what a tenant has used of its limits. One memfd, made by
 * the supervisor, mapped by every worker; single atomic adds, no locks. A worker that lies here harms figures and
 * limits, never a decision.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define SK_SHARED_WORKERS 64
#define SK_SHARED_TENANTS 65536

/* X(name, help): counters of each worker, shown as sekisho_NAME_total. */
#define SK_COUNTERS(X)                                                                                       \
    X(connections, "Client connections accepted")                                                            \
    X(handshake_failures, "TLS handshakes that failed")                                                      \
    X(requests, "Requests received")                                                                         \
    X(allowed, "Requests allowed")                                                                           \
    X(denied, "Requests denied")                                                                             \
    X(challenged, "Requests answered with a login page or 401")                                              \
    X(refused, "Messages refused as malformed")                                                              \
    X(limited, "Requests refused by a limit")                                                                \
    X(shut, "Requests answered 503 because the gate was shut")                                               \
    X(upstream_failures, "Requests an upstream failed to answer")                                            \
    X(upstream_connections, "Connections made to upstreams")                                                 \
    X(upstream_retries, "Requests sent again to an upstream")                                                \
    X(grants_asked, "Grants asked of auth")                                                                  \
    X(streams_cut, "Streams cut because their grant ended")                                                  \
    X(records, "Records handed to audit")                                                                    \
    X(bytes_in, "Body bytes received from clients")                                                          \
    X(bytes_out, "Body bytes sent to clients")

struct sk_counters {
#define X(name, help) _Atomic uint64_t name;
    SK_COUNTERS(X)
#undef X
    _Atomic uint64_t open_connections; /* a gauge */
    _Atomic uint64_t open_requests;
    _Atomic uint64_t generation; /* of this worker: raised at each start */
    char pad[64];
};

struct sk_usage {
    _Atomic uint64_t next_request; /* boot ns: when a request of an empty bucket would be allowed (GCRA) */
    /* Open connections at each worker, which alone writes its own: generation << 32 | count. A count of an earlier
     * generation belongs to a worker that died. */
    _Atomic uint64_t connections[SK_SHARED_WORKERS];
};

struct sk_shared {
    struct sk_counters workers[SK_SHARED_WORKERS];
    _Atomic uint64_t reload_time; /* wall seconds */
    _Atomic uint64_t reload_success;
    struct sk_usage tenants[SK_SHARED_TENANTS];
};

#define SK_COUNT_UP(gate, name, n)                                                                           \
    atomic_fetch_add_explicit(&(gate)->counters->name, (uint64_t)(n), memory_order_relaxed)
