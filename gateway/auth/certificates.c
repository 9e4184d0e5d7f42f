/*
 * Programs that prove who they are by a client certificate. The worker alone saw the handshake, so whose it is, is its word: it is taken for
 * tenants alone whose file says whose certificates are. Whether there is such a user, and what it may, is looked up here. And tokens that are bound
 * to a certificate (RFC 8705): whoever brings one shows that very certificate on the same connection.
 */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/remember.h"

#include "base/text.h"
#include "conf/conf.h"

/* ---- what tokens are bound to ---- */

static void make_thumbprint(const void *fingerprint, char thumbprint[SK_FACTOR_THUMBPRINT + 1])
{
    char text[SK_BASE64_SIZE(SK_SHA256_SIZE)];
    size_t len = sk_base64url_encode(sk_slice(fingerprint, SK_SHA256_SIZE), text);
    auth_copy(thumbprint, SK_FACTOR_THUMBPRINT + 1, sk_slice(text, len));
}

void auth_take_certificate(struct job *job, struct sk_slice fingerprint)
{
    if (fingerprint.len == SK_SHA256_SIZE) {
        make_thumbprint(fingerprint.data, job->certificate);
    }
}

bool auth_certificate_is(const char thumbprint[SK_FACTOR_THUMBPRINT + 1], struct sk_slice digits)
{
    uint8_t fingerprint[SK_SHA256_SIZE];
    char wanted[SK_FACTOR_THUMBPRINT + 1];
    if (sk_hex_decode(digits, fingerprint, sizeof(fingerprint))) {
        return false;
    }
    make_thumbprint(fingerprint, wanted);
    return strcmp(thumbprint, wanted) == 0;
}

void auth_take_binding(struct job *job, const struct sk_factor_claims *m)
{
    auth_copy(job->binding.key, sizeof(job->binding.key), m->thumbprint);
    auth_copy(job->binding.certificate, sizeof(job->binding.certificate), m->certificate);
}

void auth_certificate_credential(const char thumbprint[SK_FACTOR_THUMBPRINT + 1], uint8_t credential[SK_SHA256_SIZE])
{
    const struct sk_slice parts[] = {SK_LIT("certificate\n"), sk_slice_str(thumbprint)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), credential);
}

const char *auth_binding_fault(struct job *job, const struct binding *binding, const char *name)
{
    if (binding->certificate[0] && !job->certificate[0]) {
        return "certificate-missing";
    }
    if (binding->certificate[0] && strcmp(binding->certificate, job->certificate) != 0) {
        return "certificate-of-another";
    }
    if (binding->held && strcmp(job->holder, name) != 0) {
        return "certificate-of-another"; /* the map names somebody else meanwhile, or nobody */
    }
    return auth_proof_fault(job, sk_slice_str(binding->key));
}

/* ---- programs ---- */

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
        auth_certificate_credential(job->certificate, job->credential);
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
    auth_take_certificate(job, m->fingerprint);
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
