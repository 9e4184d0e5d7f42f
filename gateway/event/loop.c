/* The event loop. Every long-running program. */
#include "event/loop.h"

#include "base/clock.h"

#include <stdlib.h>

struct sk_loop {
    struct ev_loop *ev;
};

struct sk_loop *sk_loop_new(void)
{
    struct sk_loop *loop = malloc(sizeof(*loop));
    if (!loop) {
        return NULL;
    }
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!loop->ev) {
        free(loop);
        return NULL;
    }
    return loop;
}

struct sk_loop *sk_loop_free(struct sk_loop *loop)
{
    if (loop) {
        ev_loop_destroy(loop->ev);
        free(loop);
    }
    return NULL;
}

void sk_loop_run(struct sk_loop *loop)
{
    ev_run(loop->ev, 0);
}

void sk_loop_stop(struct sk_loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

static void io_event(struct ev_loop *ev sk_unused, ev_io *watcher, int events)
{
    struct sk_io *io = SK_CONTAINER(watcher, struct sk_io, ev);
    io->ready(io, events);
}

void sk_io_init(struct sk_io *io, struct sk_loop *loop, int fd, void (*ready)(struct sk_io *io, int events))
{
    io->loop = loop;
    io->ready = ready;
    ev_io_init(&io->ev, io_event, fd, 0);
}

void sk_io_first(struct sk_io *io)
{
    ev_set_priority(&io->ev, EV_MAXPRI);
}

void sk_io_want(struct sk_io *io, int events)
{
    if (sk_io_wanted(io) == events) {
        return;
    }
    ev_io_stop(io->loop->ev, &io->ev);
    if (events) {
        ev_io_set(&io->ev, io->ev.fd, events);
        ev_io_start(io->loop->ev, &io->ev);
    }
}

int sk_io_wanted(const struct sk_io *io)
{
    return ev_is_active(&io->ev) ? io->ev.events & (EV_READ | EV_WRITE) : 0;
}

static void timer_event(struct ev_loop *ev, ev_timer *watcher, int events sk_unused)
{
    struct sk_timer *timer = SK_CONTAINER(watcher, struct sk_timer, ev);
    /* Not ev_now: that is wall time, and a step of the clock would hold every timer back. */
    uint64_t now = sk_clock_boot();
    if (timer->deadline > now + SK_MILLISECOND) {
        ev_timer_set(&timer->ev, (double)(timer->deadline - now) / 1e9, 0);
        ev_timer_start(ev, &timer->ev);
        return;
    }
    timer->expired(timer);
}

void sk_timer_init(struct sk_timer *timer, struct sk_loop *loop, void (*expired)(struct sk_timer *timer))
{
    timer->loop = loop;
    timer->expired = expired;
    timer->deadline = 0;
    ev_timer_init(&timer->ev, timer_event, 0, 0);
}

void sk_timer_set(struct sk_timer *timer, uint64_t nanoseconds)
{
    struct ev_loop *ev = timer->loop->ev;
    uint64_t deadline = sk_clock_boot() + nanoseconds;
    bool later = ev_is_active(&timer->ev) && deadline >= timer->deadline;
    timer->deadline = deadline;
    if (later) {
        return;
    }
    ev_timer_stop(ev, &timer->ev);
    ev_timer_set(&timer->ev, (double)nanoseconds / 1e9, 0);
    ev_timer_start(ev, &timer->ev);
}

void sk_timer_stop(struct sk_timer *timer)
{
    if (timer->loop) {
        ev_timer_stop(timer->loop->ev, &timer->ev);
    }
}

bool sk_timer_pending(const struct sk_timer *timer)
{
    return ev_is_active(&timer->ev);
}

static void signal_event(struct ev_loop *ev sk_unused, ev_signal *watcher, int events sk_unused)
{
    struct sk_signal *signal = SK_CONTAINER(watcher, struct sk_signal, ev);
    signal->raised(signal);
}

void sk_signal_start(struct sk_signal *signal, struct sk_loop *loop, int number, void (*raised)(struct sk_signal *signal))
{
    signal->raised = raised;
    ev_signal_init(&signal->ev, signal_event, number);
    ev_signal_start(loop->ev, &signal->ev);
}

static void idle_event(struct ev_loop *ev sk_unused, ev_prepare *watcher, int events sk_unused)
{
    struct sk_idle *idle = SK_CONTAINER(watcher, struct sk_idle, ev);
    idle->before_sleep(idle);
}

void sk_idle_start(struct sk_idle *idle, struct sk_loop *loop, void (*before_sleep)(struct sk_idle *idle))
{
    idle->before_sleep = before_sleep;
    ev_prepare_init(&idle->ev, idle_event);
    ev_prepare_start(loop->ev, &idle->ev);
}
