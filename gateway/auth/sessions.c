/* Sessions: checked, renewed, used, ended and listed. */
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/remember.h"

#include "base/clock.h"
#include "base/text.h"

#define LIST_MOST 200 /* sessions in one answer */

void auth_session_id(const struct auth *auth, const struct tenant *tenant, struct sk_slice token, char out[65])
{
    uint8_t inner[SK_SHA256_SIZE], hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {SK_LIT("session"), sk_slice(tenant->id, SK_ID_SIZE), token};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(auth->secret, sizeof(auth->secret)), sk_slice(inner, sizeof(inner)), hash);
    sk_hex_encode(hash, 16, out);
}

/* ---- checked and renewed ---- */

/* The user is known, or is not: `r` 0, else. */
static void renewed(struct job *job, int r)
{
    const struct tenant *tenant = job->tenant;
    if (r < 0) {
        auth_refuse(job, "internal-error");
        return;
    }
    if (r || !job->user.known || job->user.disabled) {
        auth_refuse(job, "login-required");
        return;
    }
    if (job->basic_hit) {
        auth_grant(job, GRANT_LIFETIME);
        return;
    }
    uint64_t now = sk_clock_wall(), age = now > job->started ? now - job->started : 0;
    uint64_t left = tenant->expiration > age ? tenant->expiration - age : 0;
    if (!job->stale) {
        auth_used_now(job->auth, tenant, sk_slice_str(job->session), now);
    }
    auth_grant(job, left < tenant->inactivity ? left : tenant->inactivity);
}

static void renewed_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else {
        renewed(job, auth_take_narrowed(job, message));
    }
}

void auth_renew_remembered(struct job *job, struct remembered *r)
{
    job->basic_hit = true;
    if (r->noted) {
        auth_key_used(job->auth, r);
    }
    auth_copy(job->session, sizeof(job->session), sk_slice_str(r->session));
    auth_copy(job->name, sizeof(job->name), sk_slice_str(r->name));
    job->proven[r->factor] = SK_POLICY_PROVEN_NOW;
    job->expires = r->expires;
    if (r->issuer) {
        if (auth_user_copy(&job->user, &r->user)) {
            auth_refuse(job, "internal-error");
        } else {
            auth_grant(job, GRANT_LIFETIME);
        }
        return;
    }
    if (r->scope && auth_set_scope(job, sk_slice_str(r->scope))) {
        auth_refuse(job, "internal-error");
        return;
    }
    auth_ask_user(job, sk_slice_str(job->name), renewed_user);
}

static void renew_by_remembered(struct job *job)
{
    struct remembered *r = auth_remembered_session(job->auth, job->tenant->id, sk_slice_str(job->session));
    if (r) {
        r->until = sk_clock_boot() + REMEMBER_LIFETIME;
        auth_renew_remembered(job, r);
    } else {
        auth_refuse(job, "login-required");
    }
}

static void dropped_expired(struct job *job, uint16_t code sk_unused, const void *message sk_unused)
{
    auth_refuse(job, "login-required");
}

static void drop_session(struct job *job, struct sk_slice key, auth_then *then)
{
    struct sk_store_drop_sessions drop = {.ticket = job->id, .key = key};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_DROP_SESSIONS, &drop, then);
}

/* The wall time that a boot time was; now for one that is still to come. */
static uint64_t wall_of(uint64_t boot)
{
    uint64_t now = sk_clock_boot();
    return sk_clock_wall() - (boot < now ? now - boot : 0);
}

static void checked_session(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_got_session *got = message;
    const struct tenant *tenant = job->tenant;
    if (code == SK_STORE_RESULT) {
        const struct sk_store_result *result = message;
        auth_refuse(job, result->status == 1 ? "login-required" : "store-unavailable");
        return;
    }
    uint64_t now = sk_clock_wall(), used = got->used;
    const uint64_t others[] = {auth_used_last(job->auth, tenant, sk_slice_str(job->session)), job->used ? wall_of(job->used) : 0};
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        used = others[i] > used ? others[i] : used;
    }
    bool alive = now < got->started + tenant->expiration && now < used + tenant->inactivity;
    job->started = got->started;
    sk_policy_proofs_read(got->proofs, job->proven);
    auth_copy(job->name, sizeof(job->name), got->subject);
    if (!alive) {
        drop_session(job, sk_slice_str(job->session), dropped_expired);
        return;
    }
    if (got->provider.len) {
        renewed(job, auth_provider_user(job, auth_provider_with(job->tenant, got->provider), got->claims)); /* whom the store does not have */
        return;
    }
    auth_ask_user(job, sk_slice_str(job->name), renewed_user);
}

static void check(struct job *job)
{
    struct sk_store_get_session get = {.ticket = job->id, .key = sk_slice_str(job->session)};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_SESSION, &get, checked_session);
}

void auth_check(struct auth *auth, uint64_t worker, const struct sk_auth_check *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_CHECK, m->tenant, m->host);
    if (job) {
        auth_copy(job->host, sizeof(job->host), m->host);
        job->used = m->used;
        auth_session_id(auth, job->tenant, m->token, job->session);
        job->again = check;
        check(job);
    }
}

void auth_renew(struct auth *auth, uint64_t worker, const struct sk_auth_renew *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_RENEW, m->tenant, m->host, m->session, m->proof);
    if (job) {
        job->used = m->used;
        job->again = sk_slice_starts(m->session, SK_LIT("basic-")) ? renew_by_remembered : check;
        job->again(job);
    }
}

void auth_used(struct auth *auth, uint64_t worker, const struct sk_auth_used *m)
{
    const struct tenant *tenant = auth_tenant(auth, m->tenant);
    if (tenant && auth_proven(auth, worker, m->tenant, m->session, m->proof)) {
        auth_used_now(auth, tenant, m->session, wall_of(m->used));
    }
}

/* ---- read ---- */

static void session_read(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_SESSION) {
        const struct sk_store_result *result = message;
        auth_refuse(job, code == SK_STORE_RESULT && result->status == 1 ? "login-required" : "store-unavailable");
        return;
    }
    const struct sk_store_got_session *got = message;
    job->started = got->started;
    job->foreign = got->provider.len > 0;
    sk_policy_proofs_read(got->proofs, job->proven);
    auth_copy(job->name, sizeof(job->name), got->subject);
    if (job->foreign && job->asker_then && auth_provider_user(job, auth_provider_with(job->tenant, got->provider), got->claims)) {
        auth_refuse(job, "not-granted");
        return;
    }
    job->session_then(job);
}

void auth_ask_session(struct job *job, void (*then)(struct job *job))
{
    struct sk_store_get_session get = {.ticket = job->id, .key = sk_slice_str(job->session)};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    job->session_then = then;
    auth_ask_store(job, SK_STORE_GET_SESSION, &get, session_read);
}

/* ---- ended ---- */

static void logged_out(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 2) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant->id, sk_slice_str(job->session), SK_SLICE_NULL);
    struct sk_buf url SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    if (auth_provider_end(job, &url) && sk_buf_len(&url)) {
        struct sk_auth_redirect m = {.ticket = job->ticket, .url = sk_buf_peek(&url)};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_REDIRECT, &m);
        auth_job_free(job);
    } else {
        auth_done(job, 1);
    }
}

static void logout_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
    } else if (sk_slice_starts(sk_slice_str(job->session), SK_LIT("basic-"))) {
        auth_revoke(job->auth, job->tenant->id, sk_slice_str(job->session), SK_SLICE_NULL);
        auth_done(job, 1);
    } else {
        drop_session(job, sk_slice_str(job->session), logged_out);
    }
}

static void logout_session(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SESSION) {
        const struct sk_store_got_session *got = message;
        auth_copy(job->name, sizeof(job->name), got->subject);
        job->issuer = got->provider.len ? auth_provider_with(job->tenant, got->provider) : NULL;
    }
    auth_record(job, SK_AUDIT_LOGOUT, SK_AUDIT_DECISION_ALLOW, "logout", logout_recorded);
}

void auth_logout(struct auth *auth, uint64_t worker, const struct sk_auth_logout *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_LOGOUT, m->tenant, m->host, m->session, m->proof);
    if (job) {
        struct sk_store_get_session get = {.ticket = job->id, .key = m->session};
        TAKE_ORIGIN(job, m);
        if (!auth_take_authority(job, m->authority)) {
            return;
        }
        memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_GET_SESSION, &get, logout_session);
    }
}

/* ---- listed and revoked ---- */

/* Sessions that began or were used before these, in wall ns, have ended. */
static uint64_t since(uint64_t limit)
{
    uint64_t now = sk_clock_wall();
    return now > limit ? now - limit : 0;
}

static void list_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SESSION) {
        const struct sk_store_got_session *got = message;
        struct sk_auth_session m = {.ticket = job->ticket, .session = got->key, .subject = got->subject, .started = got->started,
                .used = got->used, .address = got->address};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_SESSION, &m);
        return;
    }
    auth_done_rows(job, code, message);
}

void auth_list(struct auth *auth, uint64_t worker, const struct sk_auth_list *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_LIST, m->tenant, SK_SLICE_NULL, m->session, m->proof);
    if (job) {
        struct sk_store_list_sessions list = {.ticket = job->id, .subject = m->user, .started = since(job->tenant->expiration),
                .used = since(job->tenant->inactivity), .most = LIST_MOST};
        memcpy(list.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_LIST_SESSIONS, &list, list_row);
    }
}

static void revoked(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    struct sk_slice target = sk_slice_str(job->target);
    if (code != SK_STORE_RESULT || result->status == 2) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant->id, target, target.len ? SK_SLICE_NULL : sk_slice_str(job->name));
    auth_done(job, result->count);
}

static void revoke_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    struct sk_store_drop_sessions drop = {.ticket = job->id, .key = sk_slice_str(job->target), .subject = sk_slice_str(job->name),
            .started = since(job->tenant->expiration), .used = since(job->tenant->inactivity)};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    if (durable) {
        auth_ask_store(job, SK_STORE_DROP_SESSIONS, &drop, revoked);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

void auth_revoke_sessions(struct auth *auth, uint64_t worker, const struct sk_auth_revoke *m)
{
    struct sk_auth_refused refused = {.ticket = m->ticket, .reason = SK_LIT("internal-error")};
    if (m->target.len == 0 && m->user.len == 0) {
        (void)auth_answer(auth, worker, SK_AUTH_REFUSED, &refused);
        return;
    }
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_REVOKE, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        auth_copy(job->target, sizeof(job->target), m->target);
        auth_copy(job->name, sizeof(job->name), m->user);
        auth_record(job, SK_AUDIT_SESSION_ENDED, SK_AUDIT_DECISION_ALLOW, "revoked", revoke_recorded);
    }
}
