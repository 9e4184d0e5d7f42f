/*
 * One HTTP exchange with a server that the configuration names, over libcurl and the event loop. HTTPS with TLS 1.2 or newer, its
 * certificate verified by the system's authorities, or by `ca` alone; plain HTTP where the caller lets it, for what is signed
 * anyway. No redirect is followed, no proxy is used, nothing but the answer of the named URL counts. Runs in fetch and feed.
 */
#pragma once

#include "base/buf.h"
#include "event/loop.h"

struct transfers; /* all that are under way */
struct transfer;

struct transfer_request {
    const char *url;
    struct sk_slice ca; /* PEM; empty: the system's */
    bool plain;         /* http:// is good enough */
    size_t most;        /* bytes of an answer */
    uint64_t since;     /* Unix seconds: an answer that did not change since then need not come; 0: any */
    struct sk_slice body; /* to POST; empty: GET */
    const char *type;   /* of the body; NULL: application/x-www-form-urlencoded */
    const char *login;  /* "ID:SECRET" for HTTP Basic; NULL: none */
    const char *authorization; /* that header's value; NULL: none */
    struct sk_slice certificate, key; /* of the client, PEM; empty: none */
};

struct transfer_answer {
    const char *why;  /* there is none, or it is too long; NULL: here it is */
    long status;      /* of HTTP */
    bool unchanged;   /* `since` then */
    struct sk_slice body; /* lives until the callback returns */
};

/* NULL without memory. */
struct transfers *transfers_new(struct sk_loop *loop);
void transfers_free(struct transfers *transfers);

/* `done` is called once, later, unless it is cancelled before. Texts are copied. NULL without memory. */
struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
        void (*done)(void *context, const struct transfer_answer *answer), void *context) sk_nodiscard;
/* Takes NULL and returns NULL. */
struct transfer *transfer_cancel(struct transfer *transfer);
