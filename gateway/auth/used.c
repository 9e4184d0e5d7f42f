/* When sessions were last used. Memory knows it to the moment; the store, where each time is a write to the disk, hears of
 * one session once in a while. */
#include "auth/jobs.h"

#include "base/clock.h"

#include <stdlib.h>

#define WRITE_EVERY (5 * SK_SECOND)
#define TOUCHED_MAX 100000

/* A session that the store heard of a short time ago. */
struct touched {
    struct sk_table_node node;
    struct touched *newer, *older; /* by `written` */
    uint8_t tenant[SK_ID_SIZE];
    char session[65];
    uint64_t used;    /* wall ns */
    uint64_t written; /* boot ns */
    bool dirty;       /* used since then */
};

static void unlink_order(struct auth *auth, struct touched *t)
{
    *(t->newer ? &t->newer->older : &auth->touched_newest) = t->older;
    *(t->older ? &t->older->newer : &auth->touched_oldest) = t->newer;
}

static void link_newest(struct auth *auth, struct touched *t)
{
    t->newer = NULL;
    t->older = auth->touched_newest;
    *(t->older ? &t->older->newer : &auth->touched_oldest) = t;
    auth->touched_newest = t;
}

static void write_used(struct auth *auth, struct touched *t)
{
    struct sk_store_touch_session m = {.key = sk_slice_str(t->session), .used = t->used};
    memcpy(m.tenant, t->tenant, SK_ID_SIZE);
    if (auth->store) {
        (void)!sk_channel_send(auth->store, SK_STORE_TOUCH_SESSION, &m, NULL);
    }
    t->dirty = false;
    t->written = sk_clock_boot();
}

static void drop(struct auth *auth, struct touched *t)
{
    unlink_order(auth, t);
    sk_table_remove(&auth->touched, &t->node);
    free(t);
}

/* The oldest is written if it was used since, else forgotten. */
static void settle_oldest(struct auth *auth)
{
    struct touched *t = auth->touched_oldest;
    if (t->dirty) {
        write_used(auth, t);
        unlink_order(auth, t);
        link_newest(auth, t);
    } else {
        drop(auth, t);
    }
}

void auth_used_due(struct auth *auth)
{
    uint64_t now = sk_clock_boot();
    while (auth->touched_oldest && auth->touched_oldest->written + WRITE_EVERY <= now) {
        settle_oldest(auth);
    }
    if (auth->touched_oldest) {
        sk_timer_set(&auth->touched_due, auth->touched_oldest->written + WRITE_EVERY - now);
    }
}

static struct touched *find(struct auth *auth, const struct tenant *tenant, struct sk_slice session)
{
    for (struct sk_table_node *n = sk_table_first(&auth->touched, sk_table_hash(session)); n; n = sk_table_next(n)) {
        struct touched *t = SK_CONTAINER(n, struct touched, node);
        if (memcmp(t->tenant, tenant->id, SK_ID_SIZE) == 0 && sk_slice_eq(sk_slice_str(t->session), session)) {
            return t;
        }
    }
    return NULL;
}

uint64_t auth_used_last(struct auth *auth, const struct tenant *tenant, struct sk_slice session)
{
    const struct touched *t = find(auth, tenant, session);
    return t ? t->used : 0;
}

void auth_used_now(struct auth *auth, const struct tenant *tenant, struct sk_slice session, uint64_t used)
{
    struct touched *t = find(auth, tenant, session);
    if (t) {
        t->dirty |= used > t->used;
        t->used = used > t->used ? used : t->used;
        return;
    }
    if (auth->touched.count >= TOUCHED_MAX) {
        if (auth->touched_oldest->dirty) {
            write_used(auth, auth->touched_oldest);
        }
        drop(auth, auth->touched_oldest);
    }
    t = calloc(1, sizeof(*t));
    if (!t || sk_table_add(&auth->touched, &t->node, sk_table_hash(session))) {
        free(t);
        return;
    }
    memcpy(t->tenant, tenant->id, SK_ID_SIZE);
    auth_copy(t->session, sizeof(t->session), session);
    t->used = used;
    write_used(auth, t);
    link_newest(auth, t);
    if (!sk_timer_pending(&auth->touched_due)) {
        sk_timer_set(&auth->touched_due, WRITE_EVERY);
    }
}
