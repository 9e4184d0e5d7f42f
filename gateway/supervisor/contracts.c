/* The end of contracts. Runs in the supervisor. */
#include "supervisor/contracts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY SK_SECOND
#define AGAIN (60 * SK_SECOND)

bool contract_over(const struct tenant *t)
{
    return sk_clock_wall() >= t->over;
}

static void tell(struct supervisor *s, const struct over *over)
{
    struct sk_control_over m = {.name = sk_slice_str(over->name), .hold = over->hold, .ends = over->ends, .recoverable = over->recoverable};
    struct process *audit = process_of(s, KIND_AUDIT, 0);
    memcpy(m.tenant, over->id, SK_ID_SIZE);
    if (audit) {
        process_send(audit, SK_CONTROL_OVER, &m, NULL);
    }
}

static void over_free(struct over *over)
{
    free(over->file);
    free(over);
}

void contract_goes_on(struct supervisor *s, const uint8_t id[SK_ID_SIZE])
{
    struct over **at = &s->over;
    while (*at && memcmp((*at)->id, id, SK_ID_SIZE) != 0) {
        at = &(*at)->next;
    }
    struct over *over = *at;
    if (over) {
        *at = over->next;
        over_free(over);
    }
}

const char *contract_loaded(const struct supervisor *s, const uint8_t id[SK_ID_SIZE])
{
    const struct over *over = s->over_fresh;
    while (over && memcmp(over->id, id, SK_ID_SIZE) != 0) {
        over = over->next;
    }
    return over ? over->file : NULL;
}

int contract_load(struct supervisor *s, const struct tenant *t)
{
    struct over *over = calloc(1, sizeof(*over));
    char *file = strdup(t->file);
    if (!over || !file) {
        free(over);
        free(file);
        return -ENOMEM;
    }
    over->file = file;
    memcpy(over->id, t->id, SK_ID_SIZE);
    (void)snprintf(over->name, sizeof(over->name), "%s@%s", t->name, t->service);
    over->hold = t->hold;
    over->ends = t->over;
    over->recoverable = t->recoverable;
    over->next = s->over_fresh;
    s->over_fresh = over;
    return 0;
}

void contracts_commit(struct supervisor *s)
{
    while (s->over_fresh) {
        struct over *over = s->over_fresh;
        s->over_fresh = over->next;
        contract_goes_on(s, over->id); /* as it was told before */
        over->next = s->over;
        s->over = over;
        tell(s, over);
    }
}

void contracts_rollback(struct supervisor *s)
{
    while (s->over_fresh) {
        struct over *over = s->over_fresh;
        s->over_fresh = over->next;
        over_free(over);
    }
}

void contracts_announce(struct supervisor *s, struct process *audit)
{
    for (const struct over *over = s->over; over; over = over->next) {
        tell(s, over);
    }
    for (unsigned i = 0; i < s->conf->services_count; i++) {
        const struct sk_conf_service *service = &s->conf->services[i];
        struct sk_control_keeps m = {.service = sk_slice_str(service->name), .days = service->log_days ? service->log_days : SK_CONF_LOG_DAYS};
        process_send(audit, SK_CONTROL_KEEPS, &m, NULL);
    }
    /* The last one: audit erases nothing before it was told all. */
    struct sk_control_keeps own = {.days = s->conf->journal.operator_days ? s->conf->journal.operator_days : SK_CONF_LOG_DAYS,
            .recovery = sk_slice_str(s->conf->is.recovery_key)};
    process_send(audit, SK_CONTROL_KEEPS, &own, NULL);
}

static void on_turn(struct sk_timer *timer)
{
    struct supervisor *s = SK_CONTAINER(timer, struct supervisor, contracts);
    bool synced = s->syncing != NULL, back = false;
    for (struct tenant *t = s->list, *next; t; t = next) {
        next = t->next;
        if (contract_over(t) && contract_load(s, t) == 0) {
            contracts_commit(s);
            tenant_end(s, t, "the contract is over");
        }
    }
    if (synced && !s->syncing) {
        sync_start(s);
    }
    for (struct over *over = s->over; over; over = over->next) {
        bool due = sk_clock_wall() < over->ends && sk_clock_boot() >= over->again;
        back = back || due;
        over->again = due ? sk_clock_boot() + AGAIN : over->again;
    }
    sk_timer_set(timer, EVERY);
    if (back) {
        supervisor_reload(s); /* the clock was wrong: the tenant's file is as it was */
    }
}

void contracts_start(struct supervisor *s)
{
    sk_timer_init(&s->contracts, s->loop, on_turn);
    sk_timer_set(&s->contracts, EVERY);
}
