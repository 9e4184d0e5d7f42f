/*
 * Passwords are verified by helpers: Argon2id in the factor pool, PAM in its own. auth itself never waits. Tenants take
 * turns at the helpers, and one with too many who wait is refused alone.
 */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/conf.h"

#include <stdio.h>
#include <unistd.h>

#define LINE_MAX 256

/* What an unknown user's password is compared with where the store knows nothing that costs as much as a known one's. Its
 * password is nobody's. */
#define NOBODY_HASH                                                                                          \
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$R3wk2YQ0bmoMv7s4cXkm6cw0W1Ww0z6kD3yTsd6aLmE"

static struct pool *pool_of(struct job *job)
{
    bool pam = job->user.known && job->user.backend == SK_BACKEND_PAM && !job->hashes;
    return pam ? &job->auth->pam : &job->auth->factor;
}

static int start(struct helper *helper, struct job *job, bool pam)
{
    int r;
    if (pam) {
        struct sk_addr address = {.family = job->address_len == 4 ? SK_FAMILY_V4 : SK_FAMILY_V6};
        char text[SK_ADDR_TEXT];
        memcpy(address.bytes, job->address, job->address_len);
        (void)sk_addr_text(&address, text);
        struct sk_pam_start m = {.ticket = job->id, .user = job->user.name, .address = sk_slice_str(text),
                .answer = sk_slice(job->password, job->password_len)};
        r = sk_channel_send(helper->channel, SK_PAM_START, &m, NULL);
    } else if (job->hashes) {
        char context[600];
        size_t tenant = sk_slice_find(sk_slice_str(job->tenant->name), '@');
        (void)snprintf(context, sizeof(context), "%s\n%.*s\n%s", job->name, (int)tenant, job->tenant->name, job->host);
        struct sk_factor_hash m = {.ticket = job->id, .password = sk_slice(job->chosen, job->chosen_len),
                .least = job->cheap ? 0 : job->tenant->password_least, .context = sk_slice_str(context)};
        r = sk_channel_send(helper->channel, SK_FACTOR_HASH, &m, NULL);
    } else if (job->ceremony) {
        r = auth_ceremony_ask(job, helper->channel);
    } else if (job->proving) {
        r = auth_proof_ask(job, helper->channel);
    } else if (job->bearer) {
        r = auth_token_ask(job, helper->channel);
    } else {
        struct sk_factor_verify m = {.ticket = job->id, .hash = job->user.hash.len ? job->user.hash : SK_LIT(NOBODY_HASH),
                .password = sk_slice(job->password, job->password_len)};
        r = sk_channel_send(helper->channel, SK_FACTOR_VERIFY, &m, NULL);
    }
    helper->job = job;
    helper->busy = true;
    job->helper = helper;
    return r;
}

static void take_turn(struct pool *pool, struct line *line)
{
    line->next = NULL;
    *pool->last = line;
    pool->last = &line->next;
}

static void take_out(struct pool *pool, struct line *line)
{
    struct line **at = &pool->first;
    while (*at != line) {
        at = &(*at)->next;
    }
    *at = line->next;
    if (!*at) {
        pool->last = at;
    }
}

/* The first of the tenant whose turn it is; that tenant goes behind all others. */
static struct job *whose_turn(struct pool *pool)
{
    struct line *line = pool->first;
    struct job *job = line->first;
    take_out(pool, line);
    line->first = job->line_next;
    line->count--;
    job->line = NULL;
    if (line->first) {
        take_turn(pool, line);
    }
    return job;
}

static void next_in_queue(struct pool *pool)
{
    for (size_t i = 0; i < HELPERS_MAX && pool->first; i++) {
        struct helper *helper = &pool->helpers[i];
        if (!helper->channel || helper->busy) {
            continue;
        }
        struct job *job = whose_turn(pool);
        if (start(helper, job, pool->pam) < 0) {
            *helper = (struct helper){.channel = helper->channel};
            job->helper = NULL;
            auth_verified(job, VERDICT_BROKEN);
        }
    }
}

void auth_verify(struct job *job)
{
    struct pool *pool = pool_of(job);
    struct line *line = &job->tenant->lines[pool->pam];
    if (line->count >= LINE_MAX) {
        auth_verified(job, VERDICT_BROKEN);
        return;
    }
    if (!line->first) {
        line->last = &line->first;
        take_turn(pool, line);
    }
    job->line = line;
    job->line_next = NULL;
    *line->last = job;
    line->last = &job->line_next;
    line->count++;
    next_in_queue(pool);
}

static void release(struct helper *helper, struct job *job)
{
    helper->job = NULL;
    job->helper = NULL;
}

static void leave_line(struct job *job)
{
    struct line *line = job->line;
    struct job **at = &line->first;
    while (*at != job) {
        at = &(*at)->line_next;
    }
    *at = job->line_next;
    if (!*at) {
        line->last = at;
    }
    line->count--;
    job->line = NULL;
    if (!line->first) {
        take_out(pool_of(job), line);
    }
}

void auth_verify_cancel(struct job *job)
{
    if (job->line) {
        leave_line(job);
    } else if (job->helper) {
        struct sk_pam_cancel cancel = {.ticket = job->id};
        bool pam = job->user.known && job->user.backend == SK_BACKEND_PAM;
        if (pam && job->helper->channel) {
            (void)!sk_channel_send(job->helper->channel, SK_PAM_CANCEL, &cancel, NULL);
        }
        job->helper->job = NULL;
        job->helper = NULL;
    }
}

static struct helper *helper_of(struct pool *pool, const struct sk_channel *channel)
{
    for (size_t i = 0; i < HELPERS_MAX; i++) {
        if (pool->helpers[i].channel == channel) {
            return &pool->helpers[i];
        }
    }
    return NULL;
}

static uint16_t answer_to(const struct job *job)
{
    if (job->hashes) {
        return SK_FACTOR_HASHED;
    }
    switch (job->kind) {
    case SK_AUTH_ASSERT:
        return SK_FACTOR_ASSERTED;
    case SK_AUTH_REGISTER:
        return SK_FACTOR_REGISTERED;
    default:
        return job->proving ? SK_FACTOR_PROVED : job->bearer ? SK_FACTOR_CLAIMS : SK_FACTOR_VERDICT;
    }
}

static void from_factor(struct sk_channel *channel, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct pool *pool = context;
    struct helper *helper = helper_of(pool, channel);
    struct job *job = helper ? helper->job : NULL;
    if (helper) {
        helper->busy = false;
    }
    /* Every message of a helper begins with the ticket of what was asked. */
    bool own = job && job->id == *(const uint64_t *)message && code == answer_to(job);
    if (own && job->hashes) {
        release(helper, job);
        auth_hashed(job, message);
    } else if (own && job->ceremony) {
        release(helper, job);
        auth_ceremony_told(job, message);
    } else if (own && code == SK_FACTOR_PROVED) {
        release(helper, job);
        auth_proof_told(job, message);
    } else if (own && code == SK_FACTOR_CLAIMS) {
        release(helper, job);
        auth_claims(job, message);
    } else if (own) {
        const struct sk_factor_verdict *m = message;
        bool real = job->user.known;
        release(helper, job);
        job->cheap = m->cheap && real;
        auth_verified(job, m->result == 0 && real ? VERDICT_RIGHT : m->result <= 1 || !real ? VERDICT_WRONG : VERDICT_BROKEN);
    }
    next_in_queue(pool);
}

static void from_pam(struct sk_channel *channel, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    static const enum verdict verdicts[] = {[SK_PAM_RIGHT] = VERDICT_RIGHT, [SK_PAM_WRONG] = VERDICT_WRONG, [SK_PAM_UNKNOWN] = VERDICT_WRONG,
            [SK_PAM_EXPIRED] = VERDICT_EXPIRED, [SK_PAM_DISABLED] = VERDICT_DISABLED, [SK_PAM_BROKEN] = VERDICT_BROKEN};
    struct pool *pool = context;
    struct helper *helper = helper_of(pool, channel);
    struct job *job = helper ? helper->job : NULL;
    if (code == SK_PAM_ASK) {
        const struct sk_pam_ask *m = message;
        if (job && job->id == m->ticket) {
            auth_prompt(job, m->prompts);
        }
        return;
    }
    const struct sk_pam_end *m = message;
    if (helper) {
        helper->busy = false;
    }
    if (job && job->id == m->ticket) {
        release(helper, job);
        auth_verified(job, m->result < SK_COUNT(verdicts) ? verdicts[m->result] : VERDICT_BROKEN);
    }
    next_in_queue(pool);
}

void auth_continue(struct job *job, struct sk_slice answers)
{
    struct sk_pam_tell m = {.ticket = job->id, .answers = answers};
    if (!job->helper || sk_channel_send(job->helper->channel, SK_PAM_TELL, &m, NULL) < 0) {
        auth_verified(job, VERDICT_BROKEN);
    }
}

static void helper_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct pool *pool = context;
    struct helper *helper = helper_of(pool, channel);
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", pool->pam ? "pam" : "factor"));
    }
    (void)sk_channel_free(channel);
    if (helper) {
        struct job *job = helper->job;
        *helper = (struct helper){.channel = NULL};
        if (job) {
            job->helper = NULL;
            /* A helper that was being recycled may never have read it: once more, elsewhere. */
            if (!job->retried && !job->state[0] && (job->password_len || job->bearer || job->ceremony || job->hashes || job->proving)) {
                job->retried = true;
                auth_verify(job);
            } else {
                auth_verified(job, VERDICT_BROKEN);
            }
        }
    }
}

void auth_helper_add(struct auth *auth, bool pam, uint64_t index, int fd)
{
    static const struct sk_channel_handler factor = {&sk_factor_interface, SK_FACTOR_FROM_AUTH, SK_FACTOR_FROM_HELPER, from_factor, helper_ended};
    static const struct sk_channel_handler pam_handler = {&sk_pam_interface, SK_PAM_FROM_AUTH, SK_PAM_FROM_HELPER, from_pam, helper_ended};
    struct pool *pool = pam ? &auth->pam : &auth->factor;
    if (index >= HELPERS_MAX) {
        (void)close(fd);
        return;
    }
    struct helper *helper = &pool->helpers[index];
    if (helper->channel) {
        helper_ended(helper->channel, false, pool);
    }
    helper->channel = sk_channel_new(auth->child.loop, fd, pam ? &pam_handler : &factor, pool);
    next_in_queue(pool);
}
