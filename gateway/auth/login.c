/* Logins, on the page and with HTTP Basic: look the user up, verify, record, grant. */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/remember.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_SLACK (60 * SK_SECOND) /* the store hears late of what a session is used for */

static void wipe_password(struct job *job)
{
    sk_wipe(job->password, sizeof(job->password));
    job->password_len = 0;
}

static void refused_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    auth_refuse(job, durable ? job->reason : "audit-unavailable");
}

static void login_user(struct job *job, uint16_t code sk_unused, const void *message)
{
    if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
        return;
    }
    auth_verify(job);
}

/* Whoever had the old session's token has nothing by it any more. */
static void end_replaced(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session)
{
    struct sk_store_drop_sessions drop = {.ticket = 0, .key = session};
    memcpy(drop.tenant, tenant, SK_ID_SIZE);
    if (auth->store) {
        (void)!sk_channel_send(auth->store, SK_STORE_DROP_SESSIONS, &drop, NULL);
    }
    auth_revoke(auth, tenant, session, SK_SLICE_NULL);
}

static void login_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    struct auth *auth = job->auth;
    uint8_t tenant[SK_ID_SIZE];
    char replaces[sizeof(job->replaces)];
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
        return;
    }
    memcpy(tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(replaces, job->replaces, sizeof(replaces));
    auth_sign_in_took_over(job);
    auth_grant(job, job->stored ? job->tenant->inactivity : GRANT_LIFETIME);
    if (replaces[0]) {
        end_replaced(auth, tenant, sk_slice_str(replaces));
    }
}

static void session_stored(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status != 0) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    auth_record(job, SK_AUDIT_LOGIN, SK_AUDIT_DECISION_ALLOW, job->detail, login_recorded);
}

void auth_new_session(struct job *job, const char *reason)
{
    uint8_t random[32];
    sk_random(random, sizeof(random));
    (void)sk_base64url_encode(sk_slice(random, sizeof(random)), job->token);
    sk_wipe(random, sizeof(random));
    auth_session_id(job->auth, job->tenant, sk_slice_str(job->token), job->session);
    const struct tenant *tenant = job->tenant;
    char proofs[SK_POLICY_PROOFS_TEXT];
    uint64_t now = sk_clock_wall(), limit = tenant->inactivity < tenant->expiration ? tenant->inactivity : tenant->expiration;
    struct sk_store_put_session put = {.ticket = job->id,
            .key = sk_slice_str(job->session),
            .subject = job->user.name,
            .started = job->started ? job->started : now,
            .used = now,
            .address = sk_slice(job->address, job->address_len),
            .proofs = sk_slice(proofs, sk_policy_proofs_text(job->proven, proofs)),
            .sweep = now > 2 * limit + SWEEP_SLACK ? now - 2 * limit - SWEEP_SLACK : 0};
    memcpy(put.tenant, job->tenant->id, SK_ID_SIZE);
    auth_sign_in_row(job, &put);
    job->stored = true;
    job->detail = reason;
    auth_ask_store(job, SK_STORE_PUT_SESSION, &put, session_stored);
}

void auth_admit_program(struct job *job, enum sk_policy_factor factor)
{
    if (job->stale) {
        auth_refuse(job, "account-changed"); /* a password that was changed meanwhile is not remembered */
        return;
    }
    struct remembered *r = auth_remember(job->auth, job->tenant, sk_slice_str(job->name), job->key, factor, job->expires, sk_slice_str(job->session));
    char *scope = r && job->scope && !r->scope ? strdup(job->scope) : NULL;
    if (!r || (job->scope && !r->scope && !scope) || (job->issuer && !r->issuer && auth_user_copy(&r->user, &job->user))) {
        free(scope);
        auth_refuse(job, "busy");
        return;
    }
    r->issuer = job->issuer;
    r->scope = scope ? scope : r->scope;
    memcpy(r->credential, job->credential, sizeof(r->credential));
    r->binding = job->binding;
    if (job->kind == SK_AUTH_KEY) {
        auth_key_used(job->auth, r);
    }
    auth_copy(job->session, sizeof(job->session), sk_slice_str(r->session));
    job->proven[factor] = SK_POLICY_PROVEN_NOW;
    auth_record(job, SK_AUDIT_LOGIN, SK_AUDIT_DECISION_ALLOW, "login", login_recorded);
}

/* The password is right; `user` is as the store has it now. */
void auth_admit(struct job *job)
{
    if (job->kind == SK_AUTH_PASSWORD) {
        auth_change_password(job);
    } else if (job->kind == SK_AUTH_BASIC) {
        auth_admit_program(job, SK_POLICY_FACTOR_PASSWORD);
    } else {
        job->proven[SK_POLICY_FACTOR_PASSWORD] = sk_clock_wall() / SK_SECOND;
        auth_new_session(job, "login");
    }
}

static void follower_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.disabled) {
        auth_refuse(job, "account-changed");
    } else {
        auth_admit(job);
    }
}

static void right_told(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status != 0) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    if (job->stale) {
        auth_refuse(job, "account-changed"); /* who followed it came perhaps later than the change, and is not marked */
        return;
    }
    for (struct job *f = auth_followers(job), *next; f; f = next) {
        next = f->next_follower;
        wipe_password(f);
        auth_ask_user(f, sk_slice_str(f->name), follower_user);
    }
    if (job->cheap && job->kind != SK_AUTH_PASSWORD) {
        auth_renew_hash(job);
    } else {
        auth_admit(job);
    }
}

static void record_denied(struct job *job)
{
    auth_record(job, job->denied_op ? job->denied_op : SK_AUDIT_LOGIN, job->undecided ? SK_AUDIT_DECISION_ERROR : SK_AUDIT_DECISION_DENY, job->detail, refused_recorded);
}

void auth_deny(struct job *job, const char *reason, const char *detail)
{
    job->reason = reason;
    job->detail = detail;
    record_denied(job);
}

static void denied_told(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status != 0) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    record_denied(job);
}

/* `detail` is for the record alone: who asks hears the same of a wrong password, an unknown user and a disabled one. */
static void set_denied(struct job *job, enum verdict verdict, const char *detail)
{
    job->undecided = verdict == VERDICT_BROKEN;
    job->detail = detail;
    job->reason = job->undecided ? "verification-failed" : "login-failed";
}

void auth_verified(struct job *job, enum verdict verdict)
{
    static const char *const details[] = {"login", "wrong-password", "account-disabled", "password-expired", "verification-failed"};
    const char *detail = details[verdict];
    bool known = job->user.known;
    if (job->proving) {
        auth_proof_told(job, NULL);
        return;
    }
    if (job->bearer) {
        auth_claims(job, NULL);
        return;
    }
    if (job->ceremony) {
        auth_ceremony_told(job, NULL);
        return;
    }
    if (job->hashes) {
        auth_hashed(job, NULL);
        return;
    }
    if (verdict == VERDICT_RIGHT && job->cheap && job->kind != SK_AUTH_PASSWORD) {
        memcpy(job->chosen, job->password, job->password_len); /* for a hash that costs more */
        job->chosen_len = job->password_len;
    }
    wipe_password(job);
    if (known && verdict == VERDICT_RIGHT && job->user.disabled) {
        verdict = VERDICT_DISABLED;
        detail = details[VERDICT_DISABLED];
    }
    if (!known && verdict != VERDICT_BROKEN) {
        detail = "unknown-user";
    }
    if (verdict == VERDICT_RIGHT && job->stale) {
        verdict = VERDICT_BROKEN;
        detail = "account-changed";
    }
    if (verdict == VERDICT_RIGHT) {
        auth_tried(job, SK_TRIED_RIGHT, right_told);
        return;
    }
    for (struct job *f = auth_followers(job), *next; f; f = next) {
        next = f->next_follower;
        wipe_password(f);
        set_denied(f, verdict, detail);
        record_denied(f);
    }
    set_denied(job, verdict, detail);
    /* Who broke a conversation off may have learnt in it what was wrong: that attempt is not given back. */
    auth_tried(job, job->undecided && !job->state[0] ? SK_TRIED_UNDECIDED : SK_TRIED_WRONG, denied_told);
}

/* PAM asks more. A panel's user is asked on a page; a program with Basic cannot answer. */
void auth_prompt(struct job *job, struct sk_slice prompts)
{
    if (job->kind == SK_AUTH_BASIC) {
        auth_verify_cancel(job);
        auth_verified(job, VERDICT_WRONG);
        return;
    }
    for (struct job *f = auth_followers(job), *next; f; f = next) {
        next = f->next_follower;
        auth_try(f, login_user); /* a conversation is with one alone */
    }
    uint8_t id[16];
    sk_random(id, sizeof(id));
    sk_hex_encode(id, sizeof(id), job->state);
    struct sk_auth_prompt m = {.ticket = job->ticket, .state = sk_slice_str(job->state), .prompts = prompts};
    if (auth_answer(job->auth, job->worker, SK_AUTH_PROMPT, &m) == -EMSGSIZE) {
        auth_refuse(job, "answer-too-large");
        return;
    }
    job->ticket = 0;
    sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
}

void auth_try_login(struct job *job)
{
    auth_try(job, login_user);
}

static void begin(struct job *job, struct sk_slice password)
{
    memcpy(job->password, password.data, password.len);
    job->password_len = password.len;
    if (!auth_follow(job)) {
        auth_try(job, login_user);
    }
}

void auth_login(struct auth *auth, uint64_t worker, const struct sk_auth_login *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_LOGIN, m->tenant, m->host);
    if (job) {
        TAKE_ORIGIN(job, m);
        auth_attempt(job, m->user, m->password);
        begin(job, m->password);
    }
}

void auth_login_answer(struct auth *auth, uint64_t worker, const struct sk_auth_answer *m)
{
    struct sk_auth_refused refused = {.ticket = m->ticket, .reason = SK_LIT("login-expired")};
    for (struct job *job = auth->jobs; job && m->state.len; job = job->next) {
        bool same = job->helper && memcmp(job->tenant->id, m->tenant, SK_ID_SIZE) == 0 && job->ticket == 0 &&
                    auth_tenant_has(auth, job->tenant, m->host) && sk_digest_equal(sk_slice_str(job->state), m->state);
        if (same) {
            job->worker = worker;
            job->ticket = m->ticket;
            TAKE_ORIGIN(job, m);
            auth_continue(job, m->answers);
            return;
        }
    }
    (void)auth_answer(auth, worker, SK_AUTH_REFUSED, &refused);
}

void auth_basic(struct auth *auth, uint64_t worker, const struct sk_auth_basic *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_BASIC, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_attempt(job, m->user, m->password);
    struct remembered *r = auth_remembered(auth, job->key);
    if (r) {
        auth_renew_remembered(job, r);
    } else {
        begin(job, m->password);
    }
}
