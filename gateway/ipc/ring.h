/*
 * Records on their way to the audit program: a ring in shared memory with one producer and one consumer, and a way
 * back that says how many records are durable. Neither side trusts the other's numbers: the consumer copies each
 * entry out before it looks at it, and any number out of range ends the ring. They wake each other over a socket pair, of
 * which each has one end: what a descriptor shares with its copies, such as O_NONBLOCK, is nobody else's to change.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#include <stdatomic.h>

#define SK_RING_SIZE ((size_t)4 << 20)
#define SK_RING_ENTRY_MAX ((size_t)4096)

struct sk_ring_shared;

struct sk_ring {
    struct sk_ring_shared *shared;
    int wake;       /* this side's end: readable when the other side woke it */
    uint64_t at;    /* this side's own position */
    uint64_t count; /* producer: entries put */
};

#define SK_RING_NULL ((struct sk_ring){NULL, -1, 0, 0})

/* Makes the shared memory and a socket for each side, for the supervisor to pass on: memory, consumer's, producer's. */
int sk_ring_make(int fds[3]) sk_nodiscard;
/* Maps an end; takes the memory and that side's socket over in any case. 0 or negative. */
int sk_ring_open(struct sk_ring *ring, const int fds[2]) sk_nodiscard;
void sk_ring_close(struct sk_ring *ring);

/* Producer. Puts one entry of 1 to SK_RING_ENTRY_MAX bytes. 0; 1 when the ring is full; -EMSGSIZE. */
int sk_ring_put(struct sk_ring *ring, struct sk_slice entry) sk_nodiscard;
/* Producer. Wakes the consumer if it sleeps; once for any number of puts. */
void sk_ring_ring(struct sk_ring *ring);
/* Producer. How many of its entries are durable. */
uint64_t sk_ring_durable(const struct sk_ring *ring);
/* Producer: the consumer can write nothing at present, or does not serve this ring yet. */
bool sk_ring_failed(const struct sk_ring *ring);

/* Consumer. Copies the next entry to `out` (SK_RING_ENTRY_MAX). Length; 0: none; negative: the producer broke the ring. */
int sk_ring_get(struct sk_ring *ring, uint8_t *out) sk_nodiscard;
/* Consumer. Says it will sleep; true when there is something after all, and then it must not. */
bool sk_ring_sleep(struct sk_ring *ring);
/* Consumer. States that `count` entries in all are durable, and whether writing works, and wakes the producer. */
void sk_ring_acknowledge(struct sk_ring *ring, uint64_t count, bool failed);
/* Either. Empties the socket that woke this side. False: the other side closed its end, and wakes nobody any more. */
bool sk_ring_woken(const struct sk_ring *ring);
