/* gateway/ipc/recorder.c: each who waits is told once, in order, and never that his record is durable when it
 * is not. */
#include "ipc/recorder.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE (50 * SK_MILLISECOND)
#define WAITS 64

struct waiter {
    struct sk_record_wait wait;
    int order; /* 0: not told yet */
    bool durable;
    int told;
    void (*then)(struct waiter *waiter);
};

static struct sk_loop *loop;
static struct sk_recorder recorder;
static struct sk_ring audit; /* the other side */
static struct waiter waiters[WAITS];
static int told;
static struct sk_timer guard;

static void done(struct sk_record_wait *wait, bool durable)
{
    struct waiter *waiter = SK_CONTAINER(wait, struct waiter, wait);
    waiter->order = ++told;
    waiter->durable = durable;
    waiter->told++;
    if (waiter->then) {
        waiter->then(waiter);
    }
}

static void too_long(struct sk_timer *timer sk_unused)
{
    cr_assert(false, "nothing happened for too long, %d were told", told);
}

static void connect_audit(uint64_t deadline)
{
    int fds[3];
    cr_assert_eq(sk_ring_make(fds), 0);
    const int consumer[] = {dup(fds[0]), fds[1]}, producer[] = {fds[0], fds[2]};
    sk_ring_close(&audit);
    cr_assert_eq(sk_ring_open(&audit, consumer), 0);
    cr_assert_eq(sk_recorder_open(&recorder, producer, deadline), 0);
    cr_assert_not(sk_recorder_works(&recorder), "nobody serves it yet");
    sk_ring_acknowledge(&audit, 0, false);
}

static void begin(void)
{
    loop = sk_loop_new();
    cr_assert_neq(loop, NULL);
    audit = SK_RING_NULL;
    sk_recorder_init(&recorder, loop);
    sk_timer_init(&guard, loop, too_long);
    for (int i = 0; i < WAITS; i++) {
        waiters[i].wait.done = done;
    }
    connect_audit(DEADLINE);
}

static int put(int i)
{
    return sk_recorder_put(&recorder, SK_LIT("record"), &waiters[i].wait);
}

static void put_many(int from, int to)
{
    for (int i = from; i < to; i++) {
        cr_assert_eq(put(i), 0);
    }
}

static void stop(struct waiter *waiter sk_unused)
{
    sk_loop_stop(loop);
}

static void stop_timer(struct sk_timer *timer sk_unused)
{
    sk_loop_stop(loop);
}

/* Runs for some time, or until a waiter stops it. */
static void run(uint64_t time)
{
    struct sk_timer timer;
    sk_timer_init(&timer, loop, stop_timer);
    sk_timer_set(&timer, time);
    sk_timer_set(&guard, 20 * SK_SECOND);
    sk_loop_run(loop);
    sk_timer_stop(&timer);
    sk_timer_stop(&guard);
}

TestSuite(ipc_recorder, .init = begin, .timeout = 60);

Test(ipc_recorder, each_hears_when_his_own_record_is_durable)
{
    put_many(0, 10);
    cr_assert_eq(told, 0, "never from within the call");
    sk_ring_acknowledge(&audit, 4, false);
    run(5 * SK_MILLISECOND);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(waiters[i].order, i < 4 ? i + 1 : 0);
        cr_assert_eq(waiters[i].durable, i < 4);
    }
    sk_ring_acknowledge(&audit, 10, false);
    run(5 * SK_MILLISECOND);
    for (int i = 0; i < 10; i++) {
        cr_assert(waiters[i].order == i + 1 && waiters[i].durable && waiters[i].told == 1);
    }
}

Test(ipc_recorder, records_without_a_waiter_count_too)
{
    cr_assert_eq(sk_recorder_put(&recorder, SK_LIT("record"), NULL), 0);
    cr_assert_eq(put(0), 0);
    cr_assert_eq(sk_recorder_put(&recorder, SK_LIT("record"), NULL), 0);
    sk_ring_acknowledge(&audit, 1, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 0);
    sk_ring_acknowledge(&audit, 2, false);
    run(5 * SK_MILLISECOND);
    cr_assert(told == 1 && waiters[0].durable);
}

Test(ipc_recorder, the_sleeping_audit_program_is_woken_before_the_loop_sleeps)
{
    cr_assert_not(sk_ring_sleep(&audit));
    put_many(0, 3);
    run(SK_MILLISECOND);
    uint8_t bytes[8];
    cr_assert_eq(read(audit.wake, bytes, sizeof(bytes)), 1, "once for all three");
}

Test(ipc_recorder, who_is_not_answered_in_time_is_refused)
{
    put_many(0, 3);
    waiters[2].then = stop;
    uint64_t start = sk_clock_boot();
    run(10 * SK_SECOND);
    uint64_t took = sk_clock_boot() - start;
    cr_assert(took + SK_MILLISECOND >= DEADLINE && took < 40 * DEADLINE, "%lu ms",
            (unsigned long)(took / SK_MILLISECOND));
    for (int i = 0; i < 3; i++) {
        cr_assert(waiters[i].order == i + 1 && !waiters[i].durable);
    }
    /* The record was written after all: nobody is told a second time. */
    sk_ring_acknowledge(&audit, 3, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 3);
}

Test(ipc_recorder, each_has_his_own_deadline)
{
    put_many(0, 1);
    run(DEADLINE / 2);
    put_many(1, 2);
    waiters[0].then = stop;
    run(10 * SK_SECOND);
    cr_assert(told == 1 && waiters[1].told == 0);
    waiters[1].then = stop;
    run(10 * SK_SECOND);
    cr_assert(told == 2 && !waiters[1].durable);
}

/* The answer stands in the ring, the wake-up was not seen yet: durable counts. */
Test(ipc_recorder, what_became_durable_before_the_deadline_was_looked_at_is_durable)
{
    put_many(0, 1);
    sk_clock_advance((int64_t)(10 * DEADLINE));
    sk_ring_acknowledge(&audit, 1, false);
    run(5 * DEADLINE);
    cr_assert(told == 1 && waiters[0].durable);
}

Test(ipc_recorder, a_lost_audit_program_refuses_all_who_wait)
{
    put_many(0, 5);
    sk_ring_acknowledge(&audit, 2, false);
    sk_recorder_lost(&recorder);
    for (int i = 0; i < 5; i++) {
        cr_assert(waiters[i].order == i + 1 && waiters[i].durable == (i < 2),
                "what was durable before the end counts");
    }
    cr_assert_not(sk_recorder_works(&recorder));
    cr_assert_eq(put(6), 1);
    sk_recorder_lost(&recorder);
    sk_recorder_flush(&recorder);
    run(2 * DEADLINE);
    cr_assert_eq(told, 5);
}

Test(ipc_recorder, a_new_ring_begins_anew)
{
    put_many(0, 5);
    sk_ring_acknowledge(&audit, 5, false);
    connect_audit(DEADLINE);
    cr_assert_eq(told, 5);
    cr_assert(sk_recorder_works(&recorder));
    put_many(10, 12);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 5, "the old ring's numbers say nothing here");
    sk_ring_acknowledge(&audit, 2, false);
    run(5 * SK_MILLISECOND);
    cr_assert(waiters[10].durable && waiters[11].durable);
}

/* flush_deadline may be another in the new configuration. */
Test(ipc_recorder, a_new_rings_deadline_holds_from_the_first_record)
{
    connect_audit(30 * SK_SECOND);
    put_many(0, 1);
    connect_audit(DEADLINE);
    cr_assert(told == 1 && !waiters[0].durable);
    put_many(1, 2);
    waiters[1].then = stop;
    uint64_t start = sk_clock_boot();
    run(5 * SK_SECOND);
    cr_assert(told == 2 && !waiters[1].durable);
    cr_assert_lt(sk_clock_boot() - start, 3 * SK_SECOND);
}

static bool audit_woken(void)
{
    char byte;
    return recv(audit.wake, &byte, 1, MSG_DONTWAIT) == 1;
}

Test(ipc_recorder, a_sleeping_audit_program_is_woken_for_records_alone)
{
    cr_assert_not(sk_ring_sleep(&audit));
    run(5 * SK_MILLISECOND);
    sk_recorder_flush(&recorder);
    cr_assert_not(audit_woken(), "there is nothing for it");
    put_many(0, 3);
    run(5 * SK_MILLISECOND);
    cr_assert(audit_woken());
    cr_assert_not(audit_woken(), "once for all of them");
    sk_ring_acknowledge(&audit, 3, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 3);
}

Test(ipc_recorder, a_failing_audit_program_is_known)
{
    cr_assert(sk_recorder_works(&recorder));
    sk_ring_acknowledge(&audit, 0, true);
    cr_assert_not(sk_recorder_works(&recorder));
    sk_ring_acknowledge(&audit, 0, false);
    cr_assert(sk_recorder_works(&recorder));
}

Test(ipc_recorder, who_is_forgotten_is_not_told)
{
    put_many(0, 6);
    sk_recorder_forget(&recorder, &waiters[0].wait);
    sk_recorder_forget(&recorder, &waiters[3].wait);
    sk_recorder_forget(&recorder, &waiters[5].wait);
    sk_recorder_forget(&recorder, &waiters[5].wait);
    put_many(6, 7);
    sk_ring_acknowledge(&audit, 7, false);
    run(5 * SK_MILLISECOND);
    static const int order[] = {0, 1, 2, 0, 3, 0, 4};
    for (int i = 0; i < 7; i++) {
        cr_assert_eq(waiters[i].order, order[i], "%d", i);
    }
    sk_recorder_forget(&recorder, &waiters[1].wait);
    put_many(1, 2);
    sk_ring_acknowledge(&audit, 8, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(waiters[1].told, 2, "a wait can be used again when it is over");
}

Test(ipc_recorder, when_all_are_forgotten_nobody_is_told_at_the_deadline)
{
    put_many(0, 4);
    for (int i = 3; i >= 0; i--) {
        sk_recorder_forget(&recorder, &waiters[i].wait);
    }
    run(3 * DEADLINE);
    cr_assert_eq(told, 0);
    put_many(0, 1);
    sk_ring_acknowledge(&audit, 5, false);
    run(5 * SK_MILLISECOND);
    cr_assert(told == 1 && waiters[0].durable);
}

static void put_again(struct waiter *waiter)
{
    int i = (int)(waiter - waiters);
    if (i + 20 < WAITS) {
        (void)!put(i + 20);
    }
}

static void forget_next(struct waiter *waiter)
{
    sk_recorder_forget(&recorder, &waiter[1].wait);
    sk_recorder_forget(&recorder, &waiter->wait);
}

static void lose(struct waiter *waiter sk_unused)
{
    sk_recorder_lost(&recorder);
}

Test(ipc_recorder, a_callback_may_put_another_record)
{
    put_many(0, 3);
    for (int i = 0; i < 3; i++) {
        waiters[i].then = put_again;
    }
    sk_ring_acknowledge(&audit, 3, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 3);
    sk_ring_acknowledge(&audit, 6, false);
    run(5 * SK_MILLISECOND);
    cr_assert(told == 6 && waiters[20].order == 4 && waiters[22].order == 6 && waiters[22].durable);
}

Test(ipc_recorder, a_callback_may_put_another_record_at_the_deadline)
{
    put_many(0, 2);
    waiters[0].then = waiters[1].then = put_again;
    waiters[21].then = stop;
    run(10 * SK_SECOND);
    cr_assert_eq(told, 4);
    cr_assert(!waiters[20].durable && !waiters[21].durable);
}

Test(ipc_recorder, a_callback_may_forget_the_next_who_waits)
{
    put_many(0, 6);
    waiters[0].then = waiters[2].then = waiters[4].then = forget_next;
    sk_ring_acknowledge(&audit, 4, false);
    run(3 * DEADLINE);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(waiters[i].told, i % 2 == 0, "%d", i);
        cr_assert_eq(waiters[i].durable, i % 2 == 0 && i < 4, "%d", i);
    }
}

Test(ipc_recorder, a_callback_may_forget_and_put_while_audit_is_lost)
{
    put_many(0, 6);
    waiters[0].then = waiters[3].then = forget_next;
    waiters[2].then = put_again;
    sk_recorder_lost(&recorder);
    cr_assert_eq(told, 4);
    cr_assert(waiters[1].told == 0 && waiters[4].told == 0 && waiters[22].told == 0);
}

Test(ipc_recorder, a_callback_may_lose_audit_itself)
{
    put_many(0, 6);
    waiters[1].then = lose;
    sk_ring_acknowledge(&audit, 4, false);
    run(5 * SK_MILLISECOND);
    cr_assert_eq(told, 6);
    for (int i = 0; i < 6; i++) {
        cr_assert(waiters[i].told == 1 && waiters[i].durable == (i < 4), "%d", i);
    }
}

static void new_ring(struct waiter *waiter sk_unused)
{
    connect_audit(DEADLINE);
    put_many(30, 32);
}

/* The old ring had come to 4: that says nothing of the new ring's first records. */
Test(ipc_recorder, a_callback_that_takes_a_new_ring_is_not_judged_by_the_old_one)
{
    put_many(0, 4);
    waiters[0].then = new_ring;
    sk_ring_acknowledge(&audit, 4, false);
    run(5 * SK_MILLISECOND);
    cr_assert(waiters[3].told == 1 && waiters[30].told == 0 && waiters[31].told == 0);
    sk_ring_acknowledge(&audit, 2, false);
    run(5 * SK_MILLISECOND);
    cr_assert(waiters[30].durable && waiters[31].durable);
}

Test(ipc_recorder, a_full_ring_and_a_bad_record_are_refused_at_once)
{
    static uint8_t most[SK_RING_ENTRY_MAX + 1];
    cr_assert_eq(sk_recorder_put(&recorder, sk_slice(most, sizeof(most)), &waiters[0].wait), 1);
    cr_assert_eq(sk_recorder_put(&recorder, SK_SLICE_NULL, &waiters[0].wait), 1);
    uint64_t count = 0;
    while (sk_recorder_put(&recorder, sk_slice(most, SK_RING_ENTRY_MAX), NULL) == 0) {
        count++;
    }
    cr_assert_gt(count, 500);
    cr_assert_eq(sk_recorder_put(&recorder, sk_slice(most, SK_RING_ENTRY_MAX), &waiters[0].wait), 1);
    run(2 * DEADLINE);
    cr_assert_eq(told, 0);
}
