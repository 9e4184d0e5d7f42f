/*
 * A process's way to the audit trail: records go in, and each caller hears when its own is durable, or that it is
 * not within the deadline and must be refused. One ring, callers served in order. Used by worker and auth.
 */
#pragma once

#include "event/loop.h"
#include "ipc/ring.h"

/* Embedded in what waits. */
struct sk_record_wait {
    struct sk_record_wait *next, **link; /* NULL link: not waiting */
    uint64_t ticket;
    uint64_t deadline; /* boot ns */
    /* `durable` false: not written in time, or the audit program is away. The wait is over either way. */
    void (*done)(struct sk_record_wait *wait, bool durable);
};

struct sk_recorder {
    struct sk_loop *loop;
    struct sk_ring ring;
    struct sk_io wake;
    struct sk_timer timer;
    struct sk_idle idle;
    struct sk_record_wait *first, **last;
    uint64_t flush_deadline; /* ns */
    bool open;
    bool put; /* something audit has not been woken for */
};

void sk_recorder_init(struct sk_recorder *recorder, struct sk_loop *loop);
/* A ring to audit; replaces one that was lost. Takes the descriptors over. 0 or negative. */
int sk_recorder_open(struct sk_recorder *recorder, const int fds[2], uint64_t flush_deadline) sk_nodiscard;
/* audit is away: everyone who waits is told. */
void sk_recorder_lost(struct sk_recorder *recorder);
/* Records can be taken at present. */
bool sk_recorder_works(const struct sk_recorder *recorder);

/*
 * Hands an encoded record over (journal/record.h); with `wait` (its `done` set), done is called once, never from within this call.
 * 0; 1 when it cannot be taken: audit is away or behind. Then the caller refuses, and done is not called.
 */
int sk_recorder_put(struct sk_recorder *recorder, struct sk_slice cbor, struct sk_record_wait *wait) sk_nodiscard;
/* Wakes audit for what was put, if it sleeps. Happens by itself before the loop sleeps; again costs nothing. */
void sk_recorder_flush(struct sk_recorder *recorder);
/* The waiting thing dies. */
void sk_recorder_forget(struct sk_recorder *recorder, struct sk_record_wait *wait);
