/*
 * Programs that prove who they are by a client certificate. The worker alone saw the handshake, so whose it is, is its word: it is taken for
 * tenants alone whose file says whose certificates are. Whether there is such a user, and what it may, is looked up here.
 */
#include "auth/factors.h"
#include "auth/remember.h"

#include "conf/conf.h"

static void holder(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known) {
        auth_deny(job, "login-failed", "unknown-user");
    } else if (job->user.disabled) {
        auth_deny(job, "login-failed", "account-disabled");
    } else if (job->user.backend == SK_BACKEND_PAM) {
        auth_deny(job, "login-failed", "password-needed"); /* whether the account still holds is PAM's to say */
    } else {
        auth_admit_program(job, SK_POLICY_FACTOR_CERTIFICATE);
    }
}

void auth_certificate(struct auth *auth, uint64_t worker, const struct sk_auth_certificate *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_CERTIFICATE, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_copy(job->name, sizeof(job->name), m->user);
    if (!job->tenant->certificates) {
        auth_deny(job, "login-failed", "no-certificate-map");
        return;
    }
    /* In place of a network a text that is as long as none: no password is remembered as this. */
    auth_remember_key(auth, m->tenant, SK_LIT("client certificate"), m->user, m->fingerprint, job->key);
    struct remembered *r = auth_remembered(auth, job->key);
    if (r) {
        auth_renew_remembered(job, r);
    } else {
        auth_ask_user(job, m->user, holder);
    }
}
