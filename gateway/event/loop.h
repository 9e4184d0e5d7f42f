/*
 * The event loop: readiness of descriptors, timers, signals, over libev. Each watcher is embedded in the struct it
 * serves and must be stopped before that struct dies. Callbacks run one at a time on the loop's thread.
 */
#pragma once

#include "sekisho/error.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct sk_loop;

#define SK_READ EV_READ
#define SK_WRITE EV_WRITE

struct sk_io {
    ev_io ev;
    struct sk_loop *loop;
    void (*ready)(struct sk_io *io, int events);
};

/* A deadline that is cheap to move later: the kernel and the heap are touched only when it fires or moves earlier. */
struct sk_timer {
    ev_timer ev;
    struct sk_loop *loop;
    void (*expired)(struct sk_timer *timer);
    uint64_t deadline; /* boot time */
};

struct sk_signal {
    ev_signal ev;
    void (*raised)(struct sk_signal *signal);
};

/* Runs once before each time the loop would sleep: the place to send what callbacks have gathered. */
struct sk_idle {
    ev_prepare ev;
    void (*before_sleep)(struct sk_idle *idle);
};

/* NULL without memory or epoll. */
struct sk_loop *sk_loop_new(void);
struct sk_loop *sk_loop_free(struct sk_loop *loop);
/* Runs until sk_loop_stop. */
void sk_loop_run(struct sk_loop *loop);
void sk_loop_stop(struct sk_loop *loop);

void sk_io_init(struct sk_io *io, struct sk_loop *loop, int fd, void (*ready)(struct sk_io *io, int events));
/* Of descriptors that are ready in one turn, this one comes before all that are not first. Before sk_io_want. */
void sk_io_first(struct sk_io *io);
/* Waits for exactly these events from now on; 0 stops. */
void sk_io_want(struct sk_io *io, int events);
int sk_io_wanted(const struct sk_io *io);

void sk_timer_init(struct sk_timer *timer, struct sk_loop *loop, void (*expired)(struct sk_timer *timer));
/* Fires once, `nanoseconds` from the loop's current time; replaces an earlier deadline. */
void sk_timer_set(struct sk_timer *timer, uint64_t nanoseconds);
void sk_timer_stop(struct sk_timer *timer);
bool sk_timer_pending(const struct sk_timer *timer);

void sk_signal_start(struct sk_signal *signal, struct sk_loop *loop, int number, void (*raised)(struct sk_signal *signal));
void sk_idle_start(struct sk_idle *idle, struct sk_loop *loop, void (*before_sleep)(struct sk_idle *idle));
