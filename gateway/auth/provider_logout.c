/* An identity provider says that somebody logged out there: OpenID Connect Back-Channel Logout 1.0. His sessions here end. */
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/verify.h"

#include "base/clock.h"

#define LOGOUT_AGE 300U /* s: an older token does nothing any more, whoever kept it */

static void gone(struct job *job, uint16_t code, const void *message);

static void drop_some(struct job *job)
{
    struct sk_store_drop_signed_in drop = {.ticket = job->id, .provider = sk_slice_str(job->issuer->id), .sub = sk_slice_str(job->whom), .sid = sk_slice_str(job->holder)};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_DROP_SIGNED_IN, &drop, gone);
}

static void gone(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code == SK_STORE_GOT_SESSION) {
        const struct sk_store_got_session *got = message;
        auth_note_ended(job, "provider-logout", got->subject, got->key);
        auth_revoke(job->auth, job->tenant->id, got->key, SK_SLICE_NULL);
    } else if (code == SK_STORE_RESULT && result->status == 0 && result->count == SK_STORE_SIGNED_IN_PART) {
        drop_some(job);
    } else {
        auth_done_rows(job, code, message);
    }
}

static void recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (durable) {
        drop_some(job);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

int auth_provider_logout_ask(const struct job *job, struct sk_channel *helper)
{
    const struct issuer *i = job->issuer;
    struct sk_factor_token m = {.ticket = job->id, .token = sk_slice(job->bearer, job->bearer_len), .jwks = i->jwks, .issuer = i->issuer,
            .audience = i->audience, .types = SK_LIT("logout+jwt,JWT"), .now = sk_clock_wall() / SK_SECOND, .leeway = AUTH_TOKEN_LEEWAY,
            .max_age = LOGOUT_AGE, .use = SK_TOKEN_USE_LOGOUT};
    return sk_channel_send(helper, SK_FACTOR_TOKEN, &m, NULL);
}

void auth_provider_logout_claims(struct job *job, const struct sk_factor_claims *m)
{
    if (m->reason.len) {
        auth_copy(job->why, sizeof(job->why), m->reason);
        if (strcmp(job->why, "token-key-unknown") == 0) {
            auth_fetch_newer(job->auth, job->issuer);
        }
        job->denied_op = SK_AUDIT_SESSION_ENDED;
        auth_deny(job, "logout-refused", job->why);
        return;
    }
    auth_copy(job->whom, sizeof(job->whom), m->subject);
    auth_copy(job->holder, sizeof(job->holder), m->sid);
    if (m->subject.len && !auth_name_of(job->issuer, m->subject, job->name)) {
        job->name[0] = '\0'; /* its sessions end all the same: they may be known by another claim */
    }
    auth_copy(job->target, sizeof(job->target), m->sid);
    auth_record(job, SK_AUDIT_SESSION_ENDED, SK_AUDIT_DECISION_ALLOW, "provider-logout", recorded);
}

void auth_provider_logout(struct auth *auth, uint64_t worker, const struct sk_auth_provider_logout *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_PROVIDER_LOGOUT, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    job->issuer = auth_provider(job->tenant, m->provider);
    if (!job->issuer) {
        auth_refuse(job, "no-such-page");
    } else if (auth_take_bearer(job, m->bearer) == 0) {
        auth_verify(job);
    }
}
