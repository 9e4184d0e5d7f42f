/* One connection to an upstream, and an upstream's health. Between proxy's own files. */
#pragma once

#include "proxy/gate.h"

#define SK_UPSTREAM_IDLE_MAX 256U
#define SK_UPSTREAM_IDLE_TIME (UINT64_C(30) * 1000000000)

struct sk_upstream_conn {
    struct sk_gate *gate;
    struct sk_upstream *upstream;
    struct sk_upstream_conn *idle_next, **idle_link;
    struct sk_exchange *x; /* NULL: idle, in the pool */
    struct sk_io io;
    struct sk_timer timer;
    struct sk_tls *tls;
    struct sk_client client;
    struct sk_buf out;
    char websocket_key[25];
    bool connecting, reused, chunked, sent_all, half_close, heard, answered, paused, broken, deaf, dead, in_callback, timed_out;
};

/* An attempt went well or badly: three bad ones in a row put the address out of service for a while. */
void sk_upstream_note(struct sk_upstream *upstream, bool good);
