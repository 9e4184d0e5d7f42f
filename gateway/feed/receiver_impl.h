/* What the kinds of receivers share. */
#pragma once

#include "feed/receiver.h"

#define RECEIVER_ROOM ((size_t)3 << 20) /* what waits, and an answer of SK_FEED_ROWS of the longest */
#define RECEIVER_MARKS 256U /* batches that are put and not taken */

/* A batch. */
struct receiver_batch {
    uint64_t end;   /* byte behind it, of what was put since it was opened */
    uint64_t since; /* boot time at which all of it was acknowledged; 0: not yet */
};

struct receiver_kind {
    /* 0; 1 with `why`. */
    int (*open)(struct receiver *receiver, char why[256]);
    void (*close)(struct receiver *receiver);
    /* What is in `own`; NULL: nothing but itself. */
    void (*free)(struct receiver *receiver);
    /* Frames a message into `out`. 0; 1 no memory. */
    int (*put)(struct receiver *receiver, const struct sk_audit_record *record, struct sk_slice message);
    /* Sends what there is, and moves `taken`. */
    void (*look)(struct receiver *receiver);
};

struct receiver {
    const struct receiver_kind *kind;
    void *own; /* the kind's */
    struct sk_loop *loop;
    int folder;
    char name[80], to[400], authorization[4096]; /* the file's name; as in the settings */
    struct sk_buf ca, certificate, key, out;
    void (*changed)(void *context);
    void (*refused)(void *context, uint64_t records, const char *why);
    void *context;
    bool open;
    uint64_t put, sent; /* bytes, since it was opened */
    struct receiver_batch batches[RECEIVER_MARKS];
    uint64_t marked, taken; /* numbers of batches, from 1 */
};

extern const struct receiver_kind receiver_file, receiver_syslog, receiver_https;

/* It is lost: what is above `taken` is put again. */
void receiver_close(struct receiver *receiver);
/* Each batch whose bytes were sent is taken. */
void receiver_take_sent(struct receiver *receiver);
/* What `to` says behind its scheme, when it is this one; else NULL. */
const char *receiver_after(const struct receiver *receiver, const char *scheme);
