/*
 * Finds the process that lives and does nothing: each is sent a PING once a second and answers from its event loop. Who
 * is silent for too long is killed, and replaced like any that died. Runs in sekishod.
 */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"

#define TURN SK_SECOND

/* Turns that a process may be silent: longer than the longest work its kind does outside its event loop. */
static const unsigned patience[KIND_COUNT] = {
        [KIND_WORKER] = 10, [KIND_AUTH] = 10,  /* never wait */
        [KIND_AUDIT] = 60, [KIND_STORE] = 60, [KIND_SIGNER] = 60,  /* wait for a disk */
        [KIND_FACTOR] = 60,                    /* a password of the highest cost */
        [KIND_READER] = 60,                    /* a journal that it reads for the first time */
        [KIND_FEED] = 60,                      /* a connection that is made */
        [KIND_FETCH] = 60,                     /* a name that is being looked up */
        [KIND_PAM] = 120};                     /* a module, and after 90 s the process ends by itself */

static void look_at(struct process *p, uint64_t number)
{
    struct sk_control_ping ping = {.number = number};
    if (!p->asked) {
        p->asked = true;
        p->silent = 0;
        process_send(p, SK_CONTROL_PING, &ping, NULL);
    } else if (++p->silent >= patience[p->kind]) {
        sk_log(SK_EVENT_CHILD_HUNG, SK_TEXT("process", process_name(p)), SK_NUMBER("index", p->index), SK_NUMBER("seconds", p->silent));
        p->silent = 0;
        process_kill(p);
    }
}

/* Turns are counted, not time, so that a machine's sleep is one at most; and none of a time when this process itself was
 * held up, because the others then were too. */
static void on_turn(struct sk_timer *timer)
{
    struct supervisor *s = SK_CONTAINER(timer, struct supervisor, watch);
    uint64_t now = sk_clock_boot();
    bool late = now > timer->deadline + TURN;
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        if (late) {
            p->silent = 0;
        } else if (p->pid > 0 && p->control) {
            look_at(p, now);
        }
    }
    sk_timer_set(timer, TURN);
}

void watch_start(struct supervisor *s)
{
    sk_timer_init(&s->watch, s->loop, on_turn);
    sk_timer_set(&s->watch, TURN);
}
