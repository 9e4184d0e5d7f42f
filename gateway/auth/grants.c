/* Grants: what auth says of a subject, signed, and for how long. */
#include "auth/jobs.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

int auth_take_user(struct job *job, const struct sk_store_got_user *got)
{
    const struct sk_slice from[] = {got->name, got->hash, got->roles, got->networks};
    struct sk_slice *to[] = {&job->user.name, &job->user.hash, &job->user.roles, &job->user.networks};
    size_t size = 1;
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        size += from[i].len;
    }
    free(job->user.texts);
    job->user = (struct user){.backend = got->backend, .restricted = got->restricted, .disabled = got->disabled, .texts = malloc(size)};
    char *at = job->user.texts;
    if (!at) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        if (from[i].len) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = sk_slice(at, from[i].len);
        at += from[i].len;
    }
    job->user.known = true;
    return 0;
}

static int put_claims(struct job *job, struct sk_buf *claims)
{
    uint64_t now = sk_clock_wall() / SK_SECOND;
    struct sk_slice host = sk_slice_str(job->host), roles = job->user.roles;
    int r = sk_buf_put(claims, SK_LIT("{\"iss\":\"https://"));
    r = r ? r : sk_buf_put(claims, host);
    r = r ? r : sk_buf_put(claims, SK_LIT("\",\"aud\":"));
    r = r ? r : sk_json_put_string(claims, host);
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"sub\":"));
    r = r ? r : sk_json_put_string(claims, job->user.name);
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"groups\":["));
    for (bool first = true; r == 0 && roles.len; first = false) {
        struct sk_slice role = sk_slice_split(&roles, ',');
        r = first ? 0 : sk_buf_put(claims, SK_LIT(","));
        r = r ? r : sk_json_put_string(claims, role);
    }
    return r ? r
             : sk_buf_printf(claims, "],\"amr\":[\"%s\"],\"sid\":\"%s\",\"iat\":%llu,\"nbf\":%llu,\"exp\":%llu}", job->factors, job->session,
                       (unsigned long long)now, (unsigned long long)now, (unsigned long long)(now + 2 * GRANT_LIFETIME / SK_SECOND));
}

/* What the job was told of the user is old. A login is refused: who revoked meant it too. */
static void begin_again(struct job *job)
{
    job->stale = false;
    if (job->again) {
        job->again(job);
    } else {
        auth_refuse(job, "account-changed");
    }
}

void auth_grant(struct job *job, uint64_t lifetime)
{
    struct sk_buf claims SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    struct sk_buf jws SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(32768);
    if (job->stale) {
        begin_again(job);
        return;
    }
    if (put_claims(job, &claims) || sk_sign_jws(job->auth->key, sk_buf_peek(&claims), &jws)) {
        auth_refuse(job, "internal-error");
        return;
    }
    struct sk_auth_grant m = {.ticket = job->ticket,
            .token = sk_slice_str(job->token),
            .session = sk_slice_str(job->session),
            .subject = job->user.name,
            .roles = job->user.roles,
            .networks = job->user.networks,
            .restricted = job->user.restricted,
            .lifetime = lifetime < GRANT_LIFETIME ? lifetime : GRANT_LIFETIME,
            .factors = sk_slice_str(job->factors),
            .assertion = sk_buf_peek(&jws)};
    memcpy(m.tenant, job->tenant->id, SK_ID_SIZE);
    int r = auth_answer(job->auth, job->worker, SK_AUTH_GRANT, &m);
    job->stored = job->stored && r < 0;
    if (r == -EMSGSIZE) {
        auth_refuse(job, "answer-too-large");
    } else {
        auth_job_free(job);
    }
}
