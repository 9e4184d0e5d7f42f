/* HTTP/1.1 for a witness: one path, small requests, few connections. No TLS: what is said is signed, and nothing of it is secret. */
#pragma once

#include "event/loop.h"
#include "witness/witness.h"

#define SERVING_MOST 64U /* connections: one more, and the oldest is closed */

struct serving_conn;

struct serving {
    struct sk_loop *loop;
    const struct witness *witness;
    struct sk_io listener;
    struct serving_conn *conns;
    unsigned count;
};

/* Accepts on this socket, which listens and does not block. */
void serving_begin(struct serving *serving, struct sk_loop *loop, const struct witness *witness, int listener);
void serving_end(struct serving *serving);
