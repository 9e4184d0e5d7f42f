/*
 * Where a feed sends to: a file of its folder, a syslog server over TLS (RFC 5425), or a collector over HTTPS. What was put is taken when the receiver has it
 * for sure: a file, when it is on stable storage; a syslog server, which says nothing, when its machine has acknowledged every byte and the connection has
 * lived on for a while; a collector, when it has answered so.
 */
#pragma once

#include "base/buf.h"
#include "event/loop.h"
#include "sekisho/audit.h"

struct receiver;

struct receiver_settings {
    const char *name;  /* of the feed: its file is NAME.log */
    const char *to;    /* as sekisho.yaml says it: "file", "syslog+tls://…", "https://…" and the like */
    const char *authorization; /* of HTTPS: that header's value; empty: none */
    struct sk_slice ca;        /* PEM of the authorities to trust; empty: the system's */
    struct sk_slice certificate, key; /* that it shows, PEM; empty: none */
    int folder;
};

/* A syslog server has taken what its machine acknowledged, when the connection has lived on for so long (ns). */
#define RECEIVER_SETTLES (5 * SK_SECOND)

/* `changed`: it has room again, has taken something, or is lost. `refused`: a collector takes so many records of a batch in no case, and why: they are passed over. NULL
 * without memory, or when `to` is nothing known. */
struct receiver *receiver_new(struct sk_loop *loop, const struct receiver_settings *settings, void (*changed)(void *context),
        void (*refused)(void *context, uint64_t records, const char *why), void *context) sk_nodiscard;
struct receiver *receiver_free(struct receiver *receiver);

/* Connects, or opens the file, if it is not; may take up to ten seconds. 0; 1, with `why`: also why it was lost before, if nobody heard that yet. */
int receiver_open(struct receiver *receiver, char why[256]) sk_nodiscard;
bool receiver_is_open(const struct receiver *receiver);
/* `message`, of that record, is framed as the receiver wants it. 0; 1: no room, or it is lost. */
int receiver_put(struct receiver *receiver, const struct sk_audit_record *record, struct sk_slice message) sk_nodiscard;
/* Everything put so far is one batch: a mark, which receiver_taken reaches when that is taken. */
uint64_t receiver_mark(struct receiver *receiver);
/* The mark up to which all is taken; sends and looks again. When the receiver is lost, what is above it must be put again after the next receiver_open. */
uint64_t receiver_taken(struct receiver *receiver);
/* Bytes that wait to be sent. */
size_t receiver_waiting(const struct receiver *receiver);
