/*
 * New passwords: a user's own, in place of the one that the session's user still knows, or set by a link; and new hashes for old passwords, when a
 * login was right by a hash that costs less than new ones. The store takes a hash only in place of the one that was in force.
 */
#include "auth/factors.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "conf/conf.h"

static void wipe_chosen(struct job *job)
{
    sk_wipe(job->chosen, sizeof(job->chosen));
    job->chosen_len = 0;
    job->hashes = false;
}

/* ---- a new password ---- */

static void sessions_ended(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status > 1) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant->id, SK_SLICE_NULL, sk_slice_str(job->name));
    job->stale = false; /* by its own change */
    if (!job->session[0]) {
        auth_done(job, 1);
        return;
    }
    job->proven[SK_POLICY_FACTOR_PASSWORD] = sk_clock_wall() / SK_SECOND;
    auth_new_session(job, "password-changed");
}

static void password_put(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code == SK_STORE_RESULT && result->status == 1) {
        auth_deny(job, job->session[0] ? "password-changed" : "link-expired", "changed-meanwhile");
        return;
    }
    if (code != SK_STORE_RESULT || result->status) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    struct sk_store_drop_sessions drop = {.ticket = job->id, .subject = sk_slice_str(job->name)};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_DROP_SESSIONS, &drop, sessions_ended);
}

static void put(struct job *job, struct sk_slice before, struct sk_slice hash, struct sk_slice link, auth_then *then)
{
    struct sk_store_put_password m = {.ticket = job->id, .user = sk_slice_str(job->name), .before = before, .hash = hash, .now = sk_clock_wall(), .link = link};
    memcpy(m.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_PUT_PASSWORD, &m, then);
}

static void change_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    bool by_link = !job->session[0];
    if (durable) {
        put(job, by_link ? SK_SLICE_NULL : job->user.hash, sk_slice_str(job->chosen), sk_slice(job->bearer, job->bearer_len), password_put);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

void auth_change_password(struct job *job)
{
    job->hashes = true;
    job->cheap = false;
    auth_verify(job);
}

/* ---- a new hash ---- */

static void hash_put(struct job *job, uint16_t code sk_unused, const void *message sk_unused)
{
    auth_admit(job); /* without it the next login tries again */
}

void auth_renew_hash(struct job *job)
{
    job->hashes = true;
    auth_verify(job);
}

/* ---- told by the factor helper ---- */

void auth_hashed(struct job *job, const struct sk_factor_hashed *m)
{
    bool renews = job->kind != SK_AUTH_PASSWORD;
    struct sk_slice reason = m ? m->reason : SK_LIT("verification-failed");
    if (renews) {
        wipe_chosen(job);
        if (reason.len) {
            auth_admit(job);
        } else {
            put(job, job->user.hash, m->hash, SK_SLICE_NULL, hash_put);
        }
        return;
    }
    if (reason.len) {
        auth_copy(job->why, sizeof(job->why), reason);
        auth_refuse(job, job->why);
        return;
    }
    wipe_chosen(job);
    auth_copy(job->chosen, sizeof(job->chosen), m->hash); /* now the hash */
    auth_record(job, SK_AUDIT_PASSWORD_CHANGED, SK_AUDIT_DECISION_ALLOW, job->session[0] ? "by-user" : "by-link", change_recorded);
}

/* ---- asked ---- */

/* Only a user whose password is kept here has one to change. */
static bool take_local_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.disabled || job->user.backend != SK_BACKEND_LOCAL) {
        auth_refuse(job, "password-not-here");
    } else {
        return true;
    }
    return false;
}

static void user_of_session(struct job *job, uint16_t code, const void *message)
{
    if (take_local_user(job, code, message)) {
        auth_attempt(job, sk_slice_str(job->name), sk_slice(job->password, job->password_len));
        auth_try_login(job);
    }
}

static void session_known(struct job *job)
{
    auth_ask_user(job, sk_slice_str(job->name), user_of_session);
}

static void user_of_link(struct job *job, uint16_t code, const void *message)
{
    if (take_local_user(job, code, message)) {
        auth_change_password(job);
    }
}

static void link_known(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_GOT_VOUCHER) {
        auth_refuse(job, code == SK_STORE_RESULT && result->status == 1 ? "link-expired" : "store-unavailable");
        return;
    }
    auth_copy(job->name, sizeof(job->name), ((const struct sk_store_got_voucher *)message)->user);
    auth_ask_user(job, sk_slice_str(job->name), user_of_link);
}

void auth_password(struct auth *auth, uint64_t worker, const struct sk_auth_password *m)
{
    struct job *job = auth_job_of(auth, worker, m->ticket, SK_AUTH_PASSWORD, m->tenant, m->host, m->session, m->proof);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    memcpy(job->chosen, m->chosen.data ? m->chosen.data : "", m->chosen.len);
    job->chosen_len = m->chosen.len;
    if (m->session.len) {
        memcpy(job->password, m->password.data ? m->password.data : "", m->password.len);
        job->password_len = m->password.len;
        auth_ask_session(job, session_known);
        return;
    }
    job->bearer = strndup(m->link.data ? m->link.data : "", m->link.len);
    job->bearer_len = job->bearer ? m->link.len : 0;
    struct sk_store_get_voucher get = {.ticket = job->id, .kind = SK_VOUCHER_PASSWORD, .now = sk_clock_wall(), .secret = m->link};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_VOUCHER, &get, link_known);
}
