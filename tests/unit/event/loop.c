/* gateway/event/loop.c: timers fire once and not early, however they are moved; readiness, signals, and
 * before sleep. */
#include "event/loop.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

#define MS SK_MILLISECOND

static struct sk_loop *loop;
static struct sk_timer timer, guard;
static int fired;
static uint64_t fired_at;

static void on_timer(struct sk_timer *t sk_unused)
{
    fired++;
    fired_at = sk_clock_boot();
}

static void stop_loop(struct sk_timer *t sk_unused)
{
    sk_loop_stop(loop);
}

static void fired_and_stop(struct sk_timer *t)
{
    on_timer(t);
    sk_loop_stop(loop);
}

static void run(uint64_t time)
{
    sk_timer_set(&guard, time);
    sk_loop_run(loop);
    sk_timer_stop(&guard);
}

static void begin(void)
{
    loop = sk_loop_new();
    cr_assert_neq(loop, NULL);
    sk_timer_init(&timer, loop, on_timer);
    sk_timer_init(&guard, loop, stop_loop);
}

static void end(void)
{
    sk_timer_stop(&timer);
    sk_timer_stop(&guard);
    loop = sk_loop_free(loop);
    cr_assert_eq(loop, NULL);
}

TestSuite(event_loop, .init = begin, .fini = end, .timeout = 60);

/* A timer is never early by more than its own coarseness. */
static void fires_after(uint64_t start, uint64_t time)
{
    timer.expired = fired_and_stop;
    run(20 * SK_SECOND);
    cr_assert_eq(fired, 1);
    cr_assert(fired_at + MS >= start + time, "%ld us early", (long)((start + time - fired_at) / 1000));
    cr_assert_not(sk_timer_pending(&timer));
    timer.expired = on_timer;
    run(5 * MS);
    cr_assert_eq(fired, 1, "once");
}

Test(event_loop, a_timer_fires_once_and_not_early)
{
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 20 * MS);
    cr_assert(sk_timer_pending(&timer));
    fires_after(start, 20 * MS);
}

Test(event_loop, a_timer_moved_later_fires_later)
{
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 5 * MS);
    sk_timer_set(&timer, 60 * MS);
    fires_after(start, 60 * MS);
}

Test(event_loop, a_timer_moved_later_again_and_again_fires_after_the_last)
{
    uint64_t start = 0;
    for (int i = 0; i < 20; i++) {
        start = sk_clock_boot();
        sk_timer_set(&timer, 15 * MS);
        run(4 * MS);
        cr_assert_eq(fired, 0);
    }
    fires_after(start, 15 * MS);
}

Test(event_loop, a_timer_moved_earlier_fires_earlier)
{
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 30 * SK_SECOND);
    sk_timer_set(&timer, 10 * MS);
    fires_after(start, 10 * MS);
    cr_assert_lt(fired_at - start, 5 * SK_SECOND);
}

Test(event_loop, a_timer_moved_later_and_then_earlier_fires_earlier)
{
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 20 * MS);
    sk_timer_set(&timer, 30 * SK_SECOND);
    sk_timer_set(&timer, 50 * MS);
    fires_after(start, 50 * MS);
    cr_assert_lt(fired_at - start, 5 * SK_SECOND);
}

Test(event_loop, a_timer_moved_later_and_then_earlier_than_at_first_fires_earliest)
{
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 10 * SK_SECOND);
    sk_timer_set(&timer, 30 * SK_SECOND);
    sk_timer_set(&timer, 10 * MS);
    fires_after(start, 10 * MS);
    cr_assert_lt(fired_at - start, 5 * SK_SECOND);
}

Test(event_loop, a_stopped_timer_does_not_fire_and_can_be_set_again)
{
    sk_timer_set(&timer, 5 * MS);
    sk_timer_set(&timer, 10 * MS);
    sk_timer_stop(&timer);
    sk_timer_stop(&timer);
    cr_assert_not(sk_timer_pending(&timer));
    run(25 * MS);
    cr_assert_eq(fired, 0);
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 10 * MS);
    fires_after(start, 10 * MS);
}

Test(event_loop, a_timer_never_initialised_may_be_stopped)
{
    struct sk_timer none = {.loop = NULL};
    sk_timer_stop(&none);
}

static void set_again(struct sk_timer *t)
{
    on_timer(t);
    if (fired < 4) {
        sk_timer_set(t, 3 * MS);
    } else {
        sk_loop_stop(loop);
    }
}

Test(event_loop, a_callback_may_set_its_own_timer)
{
    timer.expired = set_again;
    uint64_t start = sk_clock_boot();
    sk_timer_set(&timer, 3 * MS);
    run(20 * SK_SECOND);
    cr_assert_eq(fired, 4);
    cr_assert_geq(fired_at - start, 8 * MS);
}

Test(event_loop, no_time_at_all_fires_at_once)
{
    timer.expired = fired_and_stop;
    sk_timer_set(&timer, 0);
    run(20 * SK_SECOND);
    cr_assert_eq(fired, 1);
}

/* The loop's own time stands while callbacks work: a deadline counts from the call all the same. */
static void work_long(struct sk_timer *t sk_unused)
{
    uint64_t until = sk_clock_boot() + 60 * MS;
    while (sk_clock_boot() < until) {
    }
    fired_at = sk_clock_boot();
    sk_timer_set(&timer, 40 * MS);
}

Test(event_loop, a_deadline_counts_from_the_call_however_late_the_loop_is)
{
    struct sk_timer busy;
    sk_timer_init(&busy, loop, work_long);
    sk_timer_set(&busy, 0);
    timer.expired = on_timer;
    while (fired_at == 0) {
        run(1 * MS);
    }
    uint64_t start = fired_at;
    fires_after(start, 40 * MS);
}

/* A suspended machine: boot time went on. What is over by then fires at its next look, what is not does not.
 */
Test(event_loop, time_that_passed_in_a_suspension_counts)
{
    struct sk_timer later;
    sk_timer_init(&later, loop, stop_loop);
    sk_timer_set(&timer, 10 * MS);
    sk_timer_set(&timer, 3600 * SK_SECOND);
    sk_clock_advance((int64_t)(3599 * SK_SECOND));
    sk_timer_set(&later, 30 * MS);
    sk_loop_run(loop);
    cr_assert_eq(fired, 0);
    cr_assert(sk_timer_pending(&timer));
    sk_timer_set(&timer, 3600 * SK_SECOND);
    sk_timer_set(&timer, 20 * MS);
    sk_clock_advance((int64_t)(7200 * SK_SECOND));
    timer.expired = fired_and_stop;
    run(20 * SK_SECOND);
    cr_assert_eq(fired, 1);
}

Test(event_loop, many_timers_fire_in_the_order_of_their_deadlines)
{
    static struct sk_timer many[200];
    for (int i = 0; i < 200; i++) {
        sk_timer_init(&many[i], loop, on_timer);
        sk_timer_set(&many[i], (uint64_t)(1 + i * 37 % 50) * MS);
        if (i % 3 == 0) {
            sk_timer_set(&many[i], (uint64_t)(1 + i * 53 % 50) * MS);
        }
    }
    run(150 * MS);
    cr_assert_eq(fired, 200);
}

/* ---- descriptors ---- */

static int events_seen, times;

static void on_ready(struct sk_io *io sk_unused, int events)
{
    events_seen |= events;
    times++;
    sk_loop_stop(loop);
}

Test(event_loop, exactly_the_wanted_events_are_told)
{
    int fds[2];
    struct sk_io in, out;
    cr_assert_eq(pipe(fds), 0);
    sk_io_init(&in, loop, fds[0], on_ready);
    sk_io_init(&out, loop, fds[1], on_ready);
    cr_assert_eq(sk_io_wanted(&in), 0);
    sk_io_want(&in, SK_READ);
    cr_assert_eq(sk_io_wanted(&in), SK_READ);
    run(5 * MS);
    cr_assert_eq(times, 0);
    sk_io_want(&out, SK_WRITE);
    run(20 * SK_SECOND);
    cr_assert(times == 1 && events_seen == SK_WRITE);
    sk_io_want(&out, 0);
    sk_io_want(&out, 0);
    cr_assert_eq(sk_io_wanted(&out), 0);
    run(5 * MS);
    cr_assert_eq(times, 1);
    cr_assert_eq(write(fds[1], "x", 1), 1);
    events_seen = 0;
    run(20 * SK_SECOND);
    cr_assert(times == 2 && events_seen == SK_READ);
    sk_io_want(&in, 0);
    run(5 * MS);
    cr_assert_eq(times, 2, "nobody wants it");
    sk_io_want(&in, SK_READ);
    run(20 * SK_SECOND);
    cr_assert_eq(times, 3, "it is still there to be read");
    sk_io_want(&in, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void no_more(struct sk_io *io, int events)
{
    on_ready(io, events);
    sk_io_want(io, 0);
}

static struct sk_io *order[2];
static unsigned told;

static void on_order(struct sk_io *io, int events sk_unused)
{
    order[told++] = io;
    sk_io_want(io, 0);
    if (told == SK_COUNT(order)) {
        sk_loop_stop(loop);
    }
}

Test(event_loop, what_is_first_is_told_before_others_that_are_ready_in_the_same_turn)
{
    for (int which = 0; which < 2; which++) {
        struct sk_io io[2];
        int pipes[2][2];
        told = 0;
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(pipe(pipes[i]), 0);
            cr_assert_eq(write(pipes[i][1], "x", 1), 1);
            sk_io_init(&io[i], loop, pipes[i][0], on_order);
        }
        sk_io_first(&io[which]);
        sk_io_want(&io[0], SK_READ);
        sk_io_want(&io[1], SK_READ);
        run(1000 * MS);
        cr_expect_eq(told, 2);
        cr_expect_eq(order[0], &io[which]);
        for (int i = 0; i < 4; i++) {
            (void)close(pipes[i / 2][i % 2]);
        }
    }
}

Test(event_loop, a_callback_may_stop_its_own_watcher)
{
    int fds[2];
    struct sk_io in;
    cr_assert(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
    sk_io_init(&in, loop, fds[0], no_more);
    sk_io_want(&in, SK_READ);
    run(20 * SK_SECOND);
    run(10 * MS);
    cr_assert_eq(times, 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* ---- before sleep ---- */

static int sleeps;

static void before_sleep(struct sk_idle *idle sk_unused)
{
    sleeps++;
}

Test(event_loop, what_callbacks_gathered_is_sent_before_the_loop_sleeps)
{
    static struct sk_idle idle;
    sk_idle_start(&idle, loop, before_sleep);
    run(10 * MS);
    cr_assert_geq(sleeps, 1);
    cr_assert_leq(sleeps, 5, "it sleeps and does not spin");
}

/* ---- signals ---- */

static int raised;

static void on_signal(struct sk_signal *s sk_unused)
{
    raised++;
    sk_loop_stop(loop);
}

Test(event_loop, signals_are_told_in_the_loop)
{
    static struct sk_signal hangup;
    sk_signal_start(&hangup, loop, SIGHUP, on_signal);
    cr_assert_eq(raise(SIGHUP), 0);
    cr_assert_eq(raised, 0);
    run(20 * SK_SECOND);
    cr_assert_eq(raised, 1);
}
