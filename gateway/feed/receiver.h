/*
 * Where a feed sends to: a file of its folder, or a syslog server over TLS (RFC 5425). What was put is taken when the receiver has it for sure: a file, when it
 * is on stable storage; a server, which says nothing, when its machine has acknowledged every byte and the connection has lived on for a while.
 */
#pragma once

#include "base/buf.h"
#include "event/loop.h"

struct receiver;

struct receiver_settings {
    const char *name;  /* of the feed: its file is NAME.log */
    const char *to;    /* "file", or "syslog+tls://HOST:PORT" */
    struct sk_slice ca; /* PEM of the authorities to trust; empty: the system's */
    int folder;
};

/* A server has taken what its machine acknowledged, when the connection has lived on for so long (ns). */
#define RECEIVER_SETTLES (5 * SK_SECOND)

/* `changed`: it has room again, has taken something, or is lost. NULL without memory, or when `to` is neither. */
struct receiver *receiver_new(struct sk_loop *loop, const struct receiver_settings *settings, void (*changed)(void *context), void *context) sk_nodiscard;
struct receiver *receiver_free(struct receiver *receiver);

/* Connects, or opens the file, if it is not; may take up to ten seconds. 0; 1, with `why`. */
int receiver_open(struct receiver *receiver, char why[256]) sk_nodiscard;
bool receiver_is_open(const struct receiver *receiver);
/* Messages are framed by it: octets counted, or a line each. 0; 1: no room, or it is lost. */
int receiver_put(struct receiver *receiver, struct sk_slice message) sk_nodiscard;
/* Everything put so far is one batch: a mark, which receiver_taken reaches when that is taken. */
uint64_t receiver_mark(struct receiver *receiver);
/* The mark up to which all is taken; sends and looks again. When the receiver is lost, what is above it must be put again after the next receiver_open. */
uint64_t receiver_taken(struct receiver *receiver);
/* Bytes that wait to be sent. */
size_t receiver_waiting(const struct receiver *receiver);
