/* Passwords that are tried: each is counted by the store before it is verified, and bans are listed and ended. */
#include "auth/jobs.h"

#include "base/clock.h"

#include <errno.h>

#define LIST_MOST 200 /* bans in one answer */

/* ---- one attempt for several jobs ---- */

static uint64_t hash_key(const struct job *job)
{
    uint64_t hash;
    memcpy(&hash, job->key, sizeof(hash));
    return hash;
}

bool auth_follow(struct job *job)
{
    struct sk_table *leaders = &job->auth->leaders;
    for (struct sk_table_node *n = sk_table_first(leaders, hash_key(job)); n; n = sk_table_next(n)) {
        struct job *leader = SK_CONTAINER(n, struct job, by_key);
        if (sk_digest_equal(sk_slice(leader->key, sizeof(leader->key)), sk_slice(job->key, sizeof(job->key)))) {
            job->leader = leader;
            job->next_follower = leader->followers;
            leader->followers = job;
            return true;
        }
    }
    job->leads = sk_table_add(leaders, &job->by_key, hash_key(job)) == 0; /* without memory nobody follows it */
    return false;
}

struct job *auth_followers(struct job *job)
{
    struct job *followers = job->followers;
    if (job->leads) {
        sk_table_remove(&job->auth->leaders, &job->by_key);
        job->leads = false;
    }
    for (struct job *f = followers; f; f = f->next_follower) {
        f->leader = NULL;
    }
    job->followers = NULL;
    return followers;
}

void auth_leave(struct job *job)
{
    /* They end in a turn of their own: whoever frees jobs now may hold one of them. */
    for (struct job *f = auth_followers(job); f; f = f->next_follower) {
        sk_timer_set(&f->timer, 1);
    }
    if (job->leader) {
        struct job **at = &job->leader->followers;
        while (*at != job) {
            at = &(*at)->next_follower;
        }
        *at = job->next_follower;
    }
}

/* ---- attempts ---- */

void auth_attempt(struct job *job, struct sk_slice user, struct sk_slice password)
{
    /* What counts as one network: an IPv4 address, or the 64 bits of IPv6 that a customer is given at least. */
    job->network_len = job->address_len == 16 ? 8 : job->address_len;
    memcpy(job->network, job->address, job->network_len);
    auth_copy(job->name, sizeof(job->name), user);
    auth_remember_key(job->auth, job->tenant->id, sk_slice(job->network, job->network_len), user, password, job->key);
}

static void bar(struct job *job, uint64_t retry_after)
{
    sk_wipe(job->password, sizeof(job->password));
    job->password_len = 0;
    job->retry_after = retry_after;
    auth_deny(job, "too-many-attempts", "too-many-attempts");
}

static void counted(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code == SK_STORE_GOT_USER) {
        job->user_then(job, code, message);
    } else if (code == SK_STORE_RESULT && result->status == 3) {
        for (struct job *f = auth_followers(job), *next; f; f = next) {
            next = f->next_follower;
            bar(f, result->count);
        }
        bar(job, result->count);
    } else {
        auth_refuse(job, "store-unavailable");
    }
}

void auth_try(struct job *job, auth_then *then)
{
    const struct tenant *tenant = job->tenant;
    struct sk_store_try m = {.ticket = job->id, .name = sk_slice_str(job->name), .network = sk_slice(job->network, job->network_len),
            .now = sk_clock_wall(), .max_retries = tenant->max_retries, .find_time = tenant->find_time, .ban_time = tenant->ban_time};
    memcpy(m.tenant, tenant->id, SK_ID_SIZE);
    job->user_then = then;
    auth_ask_store(job, SK_STORE_TRY, &m, counted);
}

void auth_tried(struct job *job, enum sk_tried verdict, auth_then *then)
{
    const struct tenant *tenant = job->tenant;
    struct sk_store_tried m = {.ticket = job->id, .name = sk_slice_str(job->name), .network = sk_slice(job->network, job->network_len),
            .now = sk_clock_wall(), .max_retries = tenant->max_retries, .find_time = tenant->find_time, .ban_time = tenant->ban_time, .verdict = verdict};
    memcpy(m.tenant, tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_TRIED, &m, then);
}

/* ---- bans ---- */

/* The store looks at a part of all counters at a time, so that others are served between. `ask`: for the next. */
static bool go_on(struct job *job, uint16_t code, const void *message, void (*ask)(struct job *job, uint64_t ends, struct sk_slice key))
{
    const struct sk_store_more_bans *more = message;
    if (code == SK_STORE_MORE_BANS) {
        job->bans += more->count;
        ask(job, more->ends, more->key);
        return true;
    }
    return false;
}

static void done_bans(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 2) {
        auth_refuse(job, "store-unavailable");
    } else {
        auth_done(job, job->bans + result->count);
    }
}

static void ask_list(struct job *job, uint64_t ends, struct sk_slice key);

static void ban_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_BAN) {
        const struct sk_store_got_ban *got = message;
        struct sk_auth_ban m = {.ticket = job->ticket, .scope = got->scope, .user = got->user, .network = got->network, .until = got->until};
        if (auth_answer(job->auth, job->worker, SK_AUTH_BAN, &m) == -EMSGSIZE) {
            auth_refuse(job, "answer-too-large");
        }
    } else if (!go_on(job, code, message, ask_list)) {
        done_bans(job, code, message);
    }
}

static void ask_list(struct job *job, uint64_t ends, struct sk_slice key)
{
    struct sk_store_list_bans list = {.ticket = job->id, .user = sk_slice_str(job->name), .now = sk_clock_wall(),
            .most = job->bans < LIST_MOST ? LIST_MOST - job->bans : 0, .ends = ends, .key = key};
    memcpy(list.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_LIST_BANS, &list, ban_row);
}

void auth_list_bans(struct auth *auth, uint64_t worker, const struct sk_auth_list_bans *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_LIST_BANS, m->tenant, SK_SLICE_NULL, m->session, m->proof);
    if (job) {
        auth_copy(job->name, sizeof(job->name), m->user);
        ask_list(job, 0, SK_SLICE_NULL);
    }
}

static void ask_drop(struct job *job, uint64_t ends, struct sk_slice key);

static void bans_dropped(struct job *job, uint16_t code, const void *message)
{
    if (!go_on(job, code, message, ask_drop)) {
        done_bans(job, code, message);
    }
}

static void ask_drop(struct job *job, uint64_t ends, struct sk_slice key)
{
    struct sk_store_drop_bans drop = {.ticket = job->id, .user = sk_slice_str(job->name), .network = sk_slice(job->network, job->network_len),
            .now = sk_clock_wall(), .ends = ends, .key = key};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_DROP_BANS, &drop, bans_dropped);
}

static void end_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (durable) {
        ask_drop(job, 0, SK_SLICE_NULL);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

void auth_end_bans(struct auth *auth, uint64_t worker, const struct sk_auth_end_bans *m)
{
    struct sk_auth_refused refused = {.ticket = m->ticket, .reason = SK_LIT("internal-error")};
    if (m->user.len == 0 && m->network.len == 0) {
        (void)auth_answer(auth, worker, SK_AUTH_REFUSED, &refused);
        return;
    }
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_END_BANS, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        auth_copy(job->name, sizeof(job->name), m->user);
        job->network_len = (uint8_t)m->network.len;
        memcpy(job->network, m->network.data ? m->network.data : "", m->network.len);
        auth_record(job, SK_AUDIT_BANS_ENDED, SK_AUDIT_DECISION_ALLOW, "revoked", end_recorded);
    }
}
