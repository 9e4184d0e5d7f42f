/* Handing records to audit. Runs in the workers and in auth. */
#include "ipc/recorder.h"

#include "base/clock.h"

static void unlink_wait(struct sk_recorder *r, struct sk_record_wait *wait)
{
    *wait->link = wait->next;
    if (wait->next) {
        wait->next->link = wait->link;
    } else {
        r->last = wait->link;
    }
    wait->link = NULL;
}

static void finish(struct sk_recorder *r, struct sk_record_wait *wait, bool durable)
{
    unlink_wait(r, wait);
    wait->done(wait, durable);
}

static void settle(struct sk_recorder *r)
{
    /* Asked anew each time: a callback may have put the ring away, or another in its place. */
    while (r->first && r->open && r->first->ticket <= sk_ring_durable(&r->ring)) {
        finish(r, r->first, true);
    }
}

static void on_wake(struct sk_io *io, int events sk_unused)
{
    struct sk_recorder *r = SK_CONTAINER(io, struct sk_recorder, wake);
    if (!sk_ring_woken(&r->ring)) {
        sk_io_want(io, 0); /* the supervisor will say so too */
    }
    settle(r);
}

void sk_recorder_flush(struct sk_recorder *r)
{
    if (r->open && r->put) {
        sk_ring_ring(&r->ring);
    }
    r->put = false;
}

static void before_sleep(struct sk_idle *idle)
{
    sk_recorder_flush(SK_CONTAINER(idle, struct sk_recorder, idle));
}

static void on_deadline(struct sk_timer *timer)
{
    struct sk_recorder *r = SK_CONTAINER(timer, struct sk_recorder, timer);
    uint64_t now = sk_clock_boot();
    settle(r);
    while (r->first && r->first->deadline <= now) {
        finish(r, r->first, false);
    }
    if (r->first) {
        sk_timer_set(&r->timer, r->first->deadline > now ? r->first->deadline - now : 1);
    }
}

void sk_recorder_init(struct sk_recorder *r, struct sk_loop *loop)
{
    *r = (struct sk_recorder){.loop = loop, .ring = SK_RING_NULL};
    r->last = &r->first;
    sk_timer_init(&r->timer, loop, on_deadline);
    sk_idle_start(&r->idle, loop, before_sleep);
}

int sk_recorder_open(struct sk_recorder *r, const int fds[2], uint64_t flush_deadline)
{
    sk_recorder_lost(r);
    int result = sk_ring_open(&r->ring, fds);
    if (result == 0) {
        r->open = true;
        r->flush_deadline = flush_deadline;
        sk_io_init(&r->wake, r->loop, r->ring.wake, on_wake);
        sk_io_want(&r->wake, SK_READ);
    }
    return result;
}

void sk_recorder_lost(struct sk_recorder *r)
{
    if (!r->open) {
        return;
    }
    settle(r); /* what was durable before the end counts */
    sk_io_want(&r->wake, 0);
    sk_timer_stop(&r->timer);
    sk_ring_close(&r->ring);
    r->open = false;
    while (r->first) {
        finish(r, r->first, false);
    }
}

bool sk_recorder_works(const struct sk_recorder *r)
{
    return r->open && !sk_ring_failed(&r->ring);
}

int sk_recorder_put(struct sk_recorder *r, struct sk_slice cbor, struct sk_record_wait *wait)
{
    if (!r->open || sk_ring_put(&r->ring, cbor)) {
        return 1;
    }
    r->put = true;
    if (wait) {
        wait->ticket = r->ring.count;
        wait->deadline = sk_clock_boot() + r->flush_deadline;
        wait->next = NULL;
        wait->link = r->last;
        *r->last = wait;
        r->last = &wait->next;
        if (!sk_timer_pending(&r->timer)) {
            sk_timer_set(&r->timer, r->flush_deadline);
        }
    }
    return 0;
}

void sk_recorder_forget(struct sk_recorder *r, struct sk_record_wait *wait)
{
    if (wait->link) {
        unlink_wait(r, wait);
    }
}
