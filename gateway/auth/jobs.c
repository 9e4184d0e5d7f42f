/* What workers ask: a question is a job, from its arrival to its answer. Each job ends with exactly one answer, or
 * with none when its asker is gone. */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/remember.h"
#include "auth/trail.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal/record.h"

#include <errno.h>
#include <stdlib.h>

/* ---- a job's life ---- */

/* A session that the store was given for a grant that then was not: nobody has its token. */
static void drop_stored(struct job *job)
{
    struct sk_store_drop_sessions drop = {.ticket = 0, .key = sk_slice_str(job->session)};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    if (job->auth->store) {
        (void)!sk_channel_send(job->auth->store, SK_STORE_DROP_SESSIONS, &drop, NULL);
    }
}

void auth_job_free(struct job *job)
{
    auth_verify_cancel(job);
    auth_leave(job);
    sk_recorder_forget(&job->auth->recorder, &job->wait);
    sk_timer_stop(&job->timer);
    if (job->stored) {
        drop_stored(job);
    }
    *job->link = job->next;
    if (job->next) {
        job->next->link = job->link;
    }
    sk_table_remove(&job->auth->jobs_by_id, &job->by_id);
    job->tenant->jobs_count--;
    free(job->user.texts);
    free(job->scope);
    auth_ceremony_free(job);
    auth_sign_in_free(job);
    auth_proof_free(job);
    auth_search_free(job);
    if (job->bearer) {
        sk_wipe(job->bearer, job->bearer_len);
        free(job->bearer);
    }
    sk_wipe(job, sizeof(*job));
    free(job);
}

void auth_refuse(struct job *job, const char *reason)
{
    struct sk_auth_refused m = {.ticket = job->ticket, .reason = sk_slice_str(reason), .retry_after = job->retry_after};
    (void)auth_answer(job->auth, job->worker, SK_AUTH_REFUSED, &m);
    auth_job_free(job);
}

void auth_done(struct job *job, uint64_t count)
{
    struct sk_auth_done m = {.ticket = job->ticket, .count = count};
    (void)auth_answer(job->auth, job->worker, SK_AUTH_DONE, &m);
    auth_job_free(job);
}

void auth_done_rows(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 2) {
        auth_refuse(job, "store-unavailable");
    } else {
        auth_done(job, result->count);
    }
}

static void job_expired(struct sk_timer *timer)
{
    struct job *job = SK_CONTAINER(timer, struct job, timer);
    auth_refuse(job, job->store_done ? "store-unavailable" : auth_is_reading(job) ? "reader-unavailable" : "login-expired");
}

void auth_copy(char *to, size_t size, struct sk_slice from)
{
    size_t len = from.len < size ? from.len : size - 1;
    if (len) {
        memcpy(to, from.data, len);
    }
    to[len] = '\0';
}

static uint64_t hash_id(uint64_t id)
{
    return sk_table_hash(sk_slice(&id, sizeof(id)));
}

static struct job *not_begun(struct auth *auth, uint64_t worker, uint64_t ticket, const char *reason)
{
    struct sk_auth_refused m = {.ticket = ticket, .reason = sk_slice_str(reason)};
    (void)auth_answer(auth, worker, SK_AUTH_REFUSED, &m);
    return NULL;
}

struct job *auth_job(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant_id[SK_ID_SIZE], struct sk_slice host)
{
    struct tenant *tenant = auth_tenant(auth, tenant_id);
    if (!tenant) {
        return not_begun(auth, worker, ticket, "tenant-unknown");
    }
    if (host.len && !auth_tenant_has(auth, tenant, host)) {
        return not_begun(auth, worker, ticket, "host-unknown");
    }
    size_t most = auth->jobs_by_id.count < JOBS_MAX ? JOBS_OF_TENANT : JOBS_ALWAYS;
    bool room = tenant->jobs_count < most;
    struct job *job = room ? calloc(1, sizeof(*job)) : NULL;
    if (!job || sk_table_add(&auth->jobs_by_id, &job->by_id, hash_id(auth->next_id + 1))) {
        free(job);
        return not_begun(auth, worker, ticket, "busy");
    }
    job->auth = auth;
    job->tenant = tenant;
    job->id = ++auth->next_id;
    job->kind = kind;
    job->worker = worker;
    job->ticket = ticket;
    sk_timer_init(&job->timer, auth->child.loop, job_expired);
    sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
    job->next = auth->jobs;
    job->link = &auth->jobs;
    if (job->next) {
        job->next->link = &job->next;
    }
    auth->jobs = job;
    tenant->jobs_count++;
    return job;
}

struct job *auth_job_under(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE],
        struct sk_slice host, struct sk_slice session, struct sk_slice proof)
{
    if (!auth_proven(auth, worker, tenant, session, proof)) {
        return not_begun(auth, worker, ticket, "not-granted");
    }
    struct job *job = auth_job(auth, worker, ticket, kind, tenant, host);
    if (job) {
        auth_copy(job->host, sizeof(job->host), host);
        auth_copy(job->session, sizeof(job->session), session);
    }
    return job;
}

struct job *auth_job_of(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE],
        struct sk_slice host, struct sk_slice session, struct sk_slice proof)
{
    return session.len ? auth_job_under(auth, worker, ticket, kind, tenant, host, session, proof) : auth_job(auth, worker, ticket, kind, tenant, host);
}

static struct job *job_find(struct auth *auth, uint64_t id)
{
    for (struct sk_table_node *n = sk_table_first(&auth->jobs_by_id, hash_id(id)); n; n = sk_table_next(n)) {
        struct job *job = SK_CONTAINER(n, struct job, by_id);
        if (job->id == id) {
            return job;
        }
    }
    return NULL;
}

void auth_ask_store(struct job *job, uint16_t code, const void *message, auth_then *then)
{
    job->store_done = then;
    sk_timer_set(&job->timer, STORE_DEADLINE);
    if (!job->auth->store || sk_channel_send(job->auth->store, code, message, NULL) < 0) {
        auth_refuse(job, "store-unavailable");
    }
}

void auth_ask_user(struct job *job, struct sk_slice name, auth_then *then)
{
    struct sk_store_get_user get = {.ticket = job->id, .name = name};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_USER, &get, then);
}

static int put_record(struct job *job, enum sk_audit_op op, enum sk_audit_decision decision, const char *reason, struct sk_slice subject,
        struct sk_slice session, struct sk_record_wait *wait)
{
    struct sk_audit_record r = {.op = op,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = decision,
            .reason = sk_slice_str(reason),
            .subject = subject,
            .session = session,
            .address = sk_slice(job->address, job->address_len),
            .port = job->port,
            .request = sk_slice(job->request, SK_ID_SIZE),
            .host = sk_slice_str(job->host),
            .agent = sk_slice_str(job->agent),
            .detail = job->search ? auth_search_question(job) : sk_slice_str(job->target)};
    uint8_t cbor[SK_AUDIT_RECORD_MAX] sk_uninitialized;
    char amr[AUTH_AMR_TEXT];
    r.factors = auth_amr(job, amr);
    memcpy(r.tenant, job->tenant->id, SK_ID_SIZE);
    return sk_recorder_put(&job->auth->recorder, sk_slice(cbor, sk_record_encode(&r, cbor)), wait);
}

void auth_record(struct job *job, enum sk_audit_op op, enum sk_audit_decision decision, const char *reason,
        void (*then)(struct sk_record_wait *wait, bool durable))
{
    struct sk_slice subject = job->user.known ? job->user.name : sk_slice_str(job->name);
    job->wait.done = then;
    if (put_record(job, op, decision, reason, subject, sk_slice_str(job->session), &job->wait)) {
        auth_refuse(job, "audit-unavailable");
    }
}

void auth_note_ended(struct job *job, const char *reason, struct sk_slice subject, struct sk_slice session)
{
    (void)!put_record(job, SK_AUDIT_SESSION_ENDED, SK_AUDIT_DECISION_ALLOW, reason, subject, session, NULL);
}

/* ---- revocation ---- */

void auth_revoke(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice subject)
{
    struct sk_auth_revoked m = {.session = session, .subject = subject};
    memcpy(m.tenant, tenant, SK_ID_SIZE);
    /* The store answers in order: a job that it answered before the revocation knows its user and session by now. */
    for (struct job *job = auth->jobs; job; job = job->next) {
        bool its = !session.len || sk_slice_eq(session, sk_slice_str(job->session)) || sk_slice_eq(session, sk_slice_str(job->replaces));
        bool same = memcmp(job->tenant->id, tenant, SK_ID_SIZE) == 0 && its && (!subject.len || sk_slice_eq(subject, sk_slice_str(job->name)));
        job->stale |= same;
    }
    struct tenant *its = auth_tenant(auth, tenant);
    if (its) {
        auth_forget(auth, its, session, subject);
    }
    auth_broadcast(auth, SK_AUTH_REVOKED, &m);
    sk_timer_set(&auth->reap, 0); /* who reads the trail reads no further */
}

/* ---- secrets ---- */

static void secret_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SECRET) {
        const struct sk_store_got_secret *got = message;
        struct sk_auth_secret m = {.ticket = job->ticket, .header = got->header, .value = got->value};
        if (auth_answer(job->auth, job->worker, SK_AUTH_SECRET, &m) == -EMSGSIZE) {
            auth_refuse(job, "answer-too-large");
        }
        return;
    }
    auth_done_rows(job, code, message);
}

static void begin_secrets(struct auth *auth, uint64_t worker, const struct sk_auth_secrets *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_SECRETS, m->tenant, SK_SLICE_NULL);
    if (job && sk_slice_eq(m->app, SK_LIT(SK_STORE_PROVIDERS))) {
        auth_refuse(job, "not-granted"); /* those are no worker's business */
    } else if (job) {
        struct sk_store_get_secrets get = {.ticket = job->id, .app = m->app};
        memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_GET_SECRETS, &get, secret_row);
    }
}

/* ---- doors ---- */

void auth_from_worker(struct auth *auth, uint64_t worker, uint16_t code, const void *message)
{
    switch (code) {
    case SK_AUTH_LOGIN:
        auth_login(auth, worker, message);
        break;
    case SK_AUTH_ANSWER:
        auth_login_answer(auth, worker, message);
        break;
    case SK_AUTH_BASIC:
        auth_basic(auth, worker, message);
        break;
    case SK_AUTH_KEY:
        auth_key(auth, worker, message);
        break;
    case SK_AUTH_TOKEN:
        auth_token(auth, worker, message);
        break;
    case SK_AUTH_PASSWORD:
        auth_password(auth, worker, message);
        break;
    case SK_AUTH_CERTIFICATE:
        auth_certificate(auth, worker, message);
        break;
    case SK_AUTH_CLIENT:
        auth_client(auth, worker, message);
        break;
    case SK_AUTH_ISSUE:
        auth_issue(auth, worker, message);
        break;
    case SK_AUTH_REVOKE_TOKEN:
        auth_revoke_token(auth, worker, message);
        break;
    case SK_AUTH_INTROSPECT:
        auth_introspect(auth, worker, message);
        break;
    case SK_AUTH_CHECK:
        auth_check(auth, worker, message);
        break;
    case SK_AUTH_RENEW:
        auth_renew(auth, worker, message);
        break;
    case SK_AUTH_LOGOUT:
        auth_logout(auth, worker, message);
        break;
    case SK_AUTH_LIST:
        auth_list(auth, worker, message);
        break;
    case SK_AUTH_REVOKE:
        auth_revoke_sessions(auth, worker, message);
        break;
    case SK_AUTH_USED:
        auth_used(auth, worker, message);
        break;
    case SK_AUTH_SIGN_IN:
        auth_sign_in(auth, worker, message);
        break;
    case SK_AUTH_SIGNED_IN:
        auth_signed_in(auth, worker, message);
        break;
    case SK_AUTH_PROVIDER_LOGOUT:
        auth_provider_logout(auth, worker, message);
        break;
    case SK_AUTH_LIST_BANS:
        auth_list_bans(auth, worker, message);
        break;
    case SK_AUTH_END_BANS:
        auth_end_bans(auth, worker, message);
        break;
    case SK_AUTH_SECRETS:
        begin_secrets(auth, worker, message);
        break;
    case SK_AUTH_BEGIN:
        auth_begin(auth, worker, message);
        break;
    case SK_AUTH_ASSERT:
        auth_assert(auth, worker, message);
        break;
    case SK_AUTH_REGISTER:
        auth_register(auth, worker, message);
        break;
    case SK_AUTH_LIST_AUTHENTICATORS:
        auth_list_authenticators(auth, worker, message);
        break;
    case SK_AUTH_LIST_API_KEYS:
        auth_list_api_keys(auth, worker, message);
        break;
    case SK_AUTH_DROP_AUTHENTICATORS:
        auth_drop_authenticators(auth, worker, message);
        break;
    case SK_AUTH_MAKE_CODES:
        auth_make_codes(auth, worker, message);
        break;
    case SK_AUTH_RECOVER:
        auth_recover(auth, worker, message);
        break;
    case SK_AUTH_SEARCH:
        auth_search(auth, worker, message);
        break;
    case SK_AUTH_TAKEN:
        auth_search_over(auth, worker, ((const struct sk_auth_taken *)message)->ticket);
        break;
    case SK_AUTH_CANCEL:
        auth_search_over(auth, worker, ((const struct sk_auth_cancel *)message)->ticket);
        break;
    case SK_AUTH_MAKE_LINK:
        auth_make_link(auth, worker, message);
        break;
    default:
        break;
    }
}

void auth_from_store(struct auth *auth, uint16_t code, const void *message)
{
    if (code == SK_STORE_CHANGED) {
        const struct sk_store_changed *m = message;
        struct sk_slice names = m->names;
        while (names.len) {
            auth_revoke(auth, m->tenant, SK_SLICE_NULL, sk_slice_split(&names, ','));
        }
        return;
    }
    /* Every other message of the store begins with the ticket of what was asked. */
    struct job *job = job_find(auth, *(const uint64_t *)message);
    bool more = code == SK_STORE_GOT_SECRET || code == SK_STORE_GOT_BAN || code == SK_STORE_GOT_API_KEY ||
                (code == SK_STORE_GOT_SESSION && job && (job->kind == SK_AUTH_LIST || job->kind == SK_AUTH_PROVIDER_LOGOUT)) ||
                (code == SK_STORE_GOT_AUTHENTICATOR && job && job->kind != SK_AUTH_ASSERT);
    if (job && job->store_done) {
        auth_then *then = job->store_done;
        if (!more) {
            job->store_done = NULL;
            sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
        }
        then(job, code, message);
    }
}

void auth_reader_told(struct auth *auth, uint16_t code, const void *message)
{
    struct job *job = job_find(auth, *(const uint64_t *)message);
    if (job && auth_is_reading(job)) {
        auth_from_reader(job, code, message);
    }
}

void auth_from_fetch(struct auth *auth, const struct sk_fetch_exchanged *m)
{
    struct job *job = job_find(auth, m->ticket);
    if (job && job->sign_in) {
        auth_exchanged(job, m);
    }
}

void auth_fetch_lost(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (auth_is_exchanging(job)) {
            auth_exchanged(job, NULL);
        }
    }
}

void auth_store_lost(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        auth_refuse(job, "store-unavailable");
    }
}

void auth_reap(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (job->ticket && !auth_worker(auth, job->worker)) {
            auth_job_free(job);
        }
    }
}
