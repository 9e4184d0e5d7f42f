/*
 * What a program asks about its own access tokens: to have one revoked (RFC 7009), and whether one is good (RFC 7662). Of another's tokens it learns
 * nothing. A revocation is on record, then in the store until the token ends, then with every worker.
 */
#include "auth/programs.h"
#include "auth/verify.h"

#include "base/clock.h"

#include <errno.h>

#define SCOPE_MAX 4096

/* It is no token, or no more, or another's. */
static void answer_inactive(struct job *job)
{
    struct sk_auth_introspected m = {.ticket = job->ticket, .active = 0};
    if (job->kind == SK_AUTH_REVOKE_TOKEN) {
        auth_done(job, 0);
        return;
    }
    (void)auth_answer(job->auth, job->worker, SK_AUTH_INTROSPECTED, &m);
    auth_job_free(job);
}

/* ---- revoked ---- */

static void revoked(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 1 || result->status == 2) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    if (result->status == 3) {
        auth_refuse(job, "busy");
        return;
    }
    auth_revoke(job->auth, job->tenant->id, sk_slice_str(job->session), SK_SLICE_NULL);
    auth_done(job, 1);
}

static void revoke_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    struct sk_store_spend spend = {.ticket = job->id, .id = auth_token_id(job), .ends = job->expires, .now = sk_clock_wall()};
    memcpy(spend.tenant, job->tenant->id, SK_ID_SIZE);
    if (durable) {
        auth_ask_store(job, SK_STORE_SPEND, &spend, revoked);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

/* ---- introspected ---- */

static void answer_active(struct job *job)
{
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    if (auth_scope_write(job->user.scope, &scope)) {
        auth_refuse(job, "internal-error");
        return;
    }
    struct sk_auth_introspected m = {.ticket = job->ticket, .active = 1, .subject = job->user.name, .scope = sk_buf_peek(&scope),
            .id = auth_token_id(job), .expires = job->expires / SK_SECOND, .thumbprint = sk_slice_str(job->binding.key),
            .certificate = sk_slice_str(job->binding.certificate)};
    (void)auth_answer(job->auth, job->worker, SK_AUTH_INTROSPECTED, &m);
    auth_job_free(job);
}

static void looked_up(struct job *job, const char *fault)
{
    if (fault) {
        answer_inactive(job);
    } else {
        answer_active(job);
    }
}

void auth_inspect_claims(struct job *job, const struct sk_factor_claims *m)
{
    bool own = m->reason.len == 0 && sk_slice_eq(m->subject, sk_slice_str(job->name));
    if (m->reason.len == 0 && !own && job->kind == SK_AUTH_REVOKE_TOKEN) {
        auth_deny(job, "not_its_token", "token-of-another");
    } else if (!own || auth_take_claims(job, m)) {
        answer_inactive(job);
    } else if (job->kind == SK_AUTH_REVOKE_TOKEN) {
        auth_record(job, SK_AUDIT_TOKEN_REVOKED, SK_AUDIT_DECISION_ALLOW, "revoked", revoke_recorded);
    } else {
        auth_token_holds(job, looked_up);
    }
}

static void begin(struct job *job, struct sk_slice authority, struct sk_slice bearer)
{
    if (!auth_take_authority(job, authority) || !auth_take_program(job)) {
        return;
    }
    if (!auth_is_own_token(job->auth, bearer)) {
        answer_inactive(job);
    } else if (auth_take_bearer(job, bearer) == 0) {
        auth_verify(job);
    }
}

void auth_revoke_token(struct auth *auth, uint64_t worker, const struct sk_auth_revoke_token *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_REVOKE_TOKEN, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        job->denied_op = SK_AUDIT_TOKEN_REVOKED;
        begin(job, m->authority, m->bearer);
    }
}

void auth_introspect(struct auth *auth, uint64_t worker, const struct sk_auth_introspect *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_INTROSPECT, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        begin(job, m->authority, m->bearer);
    }
}
