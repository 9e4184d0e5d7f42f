/* An app of a tenant's at one worker: its upstreams, what they are believed to be, and what is injected for them. */
#pragma once

#include "base/addr.h"
#include "ipc/tenant.h"
#include "tls/tls.h"

struct sk_exchange;
struct sk_probe;
struct sk_site;
struct sk_upstream_conn;

struct sk_upstream {
    struct sk_upstream *next; /* of the app */
    struct sk_app *app;
    struct sk_addr address;
    bool tls;
    struct sk_slice name; /* its certificate's */
    struct sk_upstream_conn *idle;
    unsigned idle_count;
    unsigned failures; /* in a row */
    uint64_t down_until; /* boot ns; passive */
    bool unhealthy;      /* active check says so */
    struct sk_probe *probe;
};

struct sk_secret {
    struct sk_secret *next;
    struct sk_slice header, value; /* owned with the struct */
};

struct sk_app {
    struct sk_site *site;
    struct sk_tenant_app set; /* texts in the image */
    struct sk_upstream *upstreams, *turn;
    struct sk_tls_client *tls;
    struct sk_secret *secrets;
    bool secrets_known, secrets_asked;
    struct sk_exchange *secrets_waiting; /* through waiting_next */
};
