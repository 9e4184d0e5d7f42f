/*
 * One entry of the audit trail, as the processes that make it hand it to the audit program and as readers get it
 * back. The stored form is deterministic CBOR (gateway/journal/FORMAT.md); this struct is its view in memory.
 * All slices borrow. What is never in a record: passwords, tokens, cookies, challenge bytes, bodies.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_AUDIT_VERSION 1
#define SK_AUDIT_RECORD_MAX 4096 /* bytes of CBOR; longer fields are cut and `redacted` says so */
#define SK_ID_SIZE 16

/* X(name, code, text): what was done. A code is never used again for something else. */
#define SK_AUDIT_OPS(X)                                                                                      \
    X(REQUEST, 1, "request")                                                                                 \
    X(STREAM, 2, "stream")                                                                                   \
    X(CONNECTION_REFUSED, 3, "connection-refused")                                                           \
    X(MESSAGE_REFUSED, 4, "message-refused")                                                                 \
    X(LOGIN, 10, "login")                                                                                    \
    X(LOGOUT, 11, "logout")                                                                                  \
    X(SESSION_ENDED, 12, "session-ended")                                                                    \
    X(BANS_ENDED, 13, "bans-ended")                                                                          \
    X(AUTHENTICATOR_ADDED, 14, "authenticator-added")                                                        \
    X(AUTHENTICATOR_REMOVED, 15, "authenticator-removed")                                                    \
    X(CODES_MADE, 16, "codes-made")                                                                          \
    X(LINK_MADE, 17, "link-made")                                                                            \
    X(PASSWORD_CHANGED, 18, "password-changed")                                                              \
    X(TOKEN_ISSUED, 20, "token-issued")                                                                      \
    X(TOKEN_REVOKED, 21, "token-revoked")                                                                    \
    X(GATEWAY_STARTED, 30, "gateway-started")                                                                \
    X(GATEWAY_STOPPED, 31, "gateway-stopped")                                                                \
    X(PROCESS_DIED, 32, "process-died")                                                                      \
    X(CONFIG_CHANGED, 33, "config-changed")                                                                  \
    X(JOURNAL_RECOVERED, 34, "journal-recovered")                                                            \
    X(TRAIL_READ, 40, "trail-read")                                                                          \
    X(TRAIL_PRUNED, 41, "trail-pruned")                                                                      \
    X(TRAIL_HELD, 42, "trail-held")                                                                          \
    X(TRAIL_ERASED, 43, "trail-erased")                                                                      \
    X(TRAIL_KEPT, 44, "trail-kept")

enum sk_audit_op {
#define X(name, code, text) SK_AUDIT_##name = (code),
    SK_AUDIT_OPS(X)
#undef X
};

#define SK_AUDIT_STAGES(X)                                                                                   \
    X(INTENT, 1, "intent")                                                                                   \
    X(OUTCOME, 2, "outcome")                                                                                 \
    X(SINGLE, 3, "single")                                                                                   \
    X(START, 4, "start")                                                                                     \
    X(PROGRESS, 5, "progress")                                                                               \
    X(END, 6, "end")                                                                                         \
    X(UNKNOWN, 7, "unknown")                                                                                 \
    X(AGGREGATE, 8, "aggregate")

enum sk_audit_stage {
#define X(name, code, text) SK_AUDIT_STAGE_##name = (code),
    SK_AUDIT_STAGES(X)
#undef X
};

#define SK_AUDIT_DECISIONS(X)                                                                                \
    X(ALLOW, 1, "allow")                                                                                     \
    X(DENY, 2, "deny")                                                                                       \
    X(CHALLENGE, 3, "challenge")                                                                             \
    X(ERROR, 4, "error")

enum sk_audit_decision {
#define X(name, code, text) SK_AUDIT_DECISION_##name = (code),
    SK_AUDIT_DECISIONS(X)
#undef X
};

struct sk_audit_record {
    /* Set by the audit program alone, whatever the sender says. */
    uint64_t seq;
    uint8_t id[SK_ID_SIZE]; /* time-ordered */
    uint64_t wall;          /* UTC, ns */
    uint64_t boot;          /* boot time, ns */

    /*
     * Set by the sender. A worker may be wrong in all of it, but the tenant is one that the supervisor named to audit:
     * in force, or gone a few minutes ago. Zero, the operator's own trail, is the supervisor's; a worker's alone for a
     * refused connection that belongs to no tenant.
     */
    uint8_t tenant[SK_ID_SIZE];
    enum sk_audit_op op;
    enum sk_audit_stage stage;
    enum sk_audit_decision decision;
    struct sk_slice reason; /* stable kebab-case code */
    struct sk_slice rule;   /* the rule that decided, as written */
    struct sk_slice subject;
    struct sk_slice session; /* keyed hash of the session, hex */
    struct sk_slice factors; /* RFC 8176 names, comma between */
    struct sk_slice address; /* 4 or 16 bytes */
    uint16_t port;
    struct sk_slice tls;     /* "TLSv1.3 TLS_AES_256_GCM_SHA384 resumed" */
    struct sk_slice request; /* the request id, 16 bytes: joins intent and outcome, and is the user's opaque id */
    struct sk_slice method, host, path;
    struct sk_slice app;
    struct sk_slice agent; /* user agent, cut at 256 */
    struct sk_slice upstream;
    uint16_t status;
    uint64_t bytes_in, bytes_out;
    uint64_t duration; /* ns; 0: not measured */
    struct sk_slice detail;
    uint64_t count;          /* of an aggregate; 0: one */
    struct sk_slice redacted; /* names of fields that were cut */
};

struct sk_slice sk_audit_op_text(enum sk_audit_op op);
struct sk_slice sk_audit_stage_text(enum sk_audit_stage stage);
struct sk_slice sk_audit_decision_text(enum sk_audit_decision decision);
