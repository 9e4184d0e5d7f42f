/* WebAuthn ceremonies: what a browser is offered, and what its answer proves. */
#include "auth/factors.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CHALLENGE_LIFETIME (300 * SK_SECOND)
#define FRESH_SECONDS 300U
#define CREDENTIALS_MAX 16500

/* What a ceremony's steps share. Texts are owned, in one allocation. */
struct ceremony {
    char *texts;
    struct sk_slice credential, handle, client_data, object, signature, label, link;
    uint8_t challenge[SK_AUTH_CHALLENGE_SIZE];
    char origins[4096];
    struct sk_buf credentials; /* to be offered */
    uint64_t purpose;
    /* The authenticator, as the store has it or the helper found it. */
    uint8_t id[SK_FACTOR_CREDENTIAL_MAX], key[SK_FACTOR_KEY_MAX], aaguid[SK_ID_SIZE];
    size_t id_len, key_len;
    uint64_t counter, eligible, attested;
    char format[33];
};

void auth_ceremony_free(struct job *job)
{
    if (job->ceremony) {
        sk_buf_free(&job->ceremony->credentials);
        free(job->ceremony->texts);
        free(job->ceremony);
        job->ceremony = NULL;
    }
}

bool auth_fresh(const struct job *job)
{
    uint64_t now = sk_clock_wall() / SK_SECOND, by_key = job->proven[SK_POLICY_FACTOR_FIDO2], by_code = job->proven[SK_POLICY_FACTOR_RECOVERY];
    uint64_t last = by_key > by_code ? by_key : by_code;
    return last && now < last + FRESH_SECONDS && !job->foreign;
}

/* ---- a job ---- */

/* Says nothing of the name to who has the authenticator, and is the same at each registration. */
static void user_handle(const struct job *job, uint8_t handle[SK_AUTH_HANDLE_SIZE])
{
    uint8_t inner[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {SK_LIT("user handle"), sk_slice(job->tenant->id, SK_ID_SIZE), sk_slice_str(job->name)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(job->auth->secret, sizeof(job->auth->secret)), sk_slice(inner, sizeof(inner)), handle);
}

/* What does not fit is left out: part of an origin would be another. */
static void put_origins(const struct job *job, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "https://%s", job->host);
    for (struct sk_slice ports = sk_slice_str(job->auth->ports); ports.len;) {
        struct sk_slice port = sk_slice_split(&ports, ',');
        size_t more = (size_t)snprintf(out + len, size - len, "\nhttps://%s:%.*s", job->host, (int)port.len, port.data);
        if (more >= size - len) {
            out[len] = '\0';
            return;
        }
        len += more;
    }
}

/* A job with a ceremony in it, with these texts. NULL: it was refused. */
static struct job *new_ceremony(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE],
        struct sk_slice host, struct sk_slice session, struct sk_slice proof, const struct sk_slice texts[7])
{
    struct job *job = auth_job_of(auth, worker, ticket, kind, tenant, host, session, proof);
    if (!job) {
        return NULL;
    }
    job->ceremony = calloc(1, sizeof(*job->ceremony));
    char *at = job->ceremony ? malloc(auth_texts_size(texts, 7) + 1) : NULL;
    if (!at || !job->tenant->fido2) {
        free(at);
        auth_refuse(job, "busy");
        return NULL;
    }
    struct ceremony *c = job->ceremony;
    struct sk_slice *const to[] = {&c->credential, &c->handle, &c->client_data, &c->object, &c->signature, &c->label, &c->link};
    c->texts = at;
    c->credentials = SK_BUF_INIT(CREDENTIALS_MAX);
    auth_texts_copy(at, texts, to, 7);
    auth_copy(job->host, sizeof(job->host), host);
    put_origins(job, c->origins, sizeof(c->origins));
    return job;
}

/* ---- begun ---- */

static void offer(struct job *job)
{
    struct ceremony *c = job->ceremony;
    const struct fido2 *f = job->tenant->fido2;
    uint8_t challenge[SK_AUTH_CHALLENGE_SIZE], handle[SK_AUTH_HANDLE_SIZE];
    auth_challenge_make(job, c->purpose, sk_slice_str(job->session), c->link, CHALLENGE_LIFETIME, challenge);
    user_handle(job, handle);
    struct sk_auth_offer m = {.ticket = job->ticket, .challenge = sk_slice(challenge, sizeof(challenge)), .rp_id = f->rp_id,
            .handle = sk_slice(handle, job->name[0] ? sizeof(handle) : 0), .user = sk_slice_str(job->name),
            .credentials = sk_buf_peek(&c->credentials), .verification = f->verification, .attestation = (f->policy & SK_FACTOR_ATTESTED) != 0 || f->allow.len || f->deny.len};
    if (auth_answer(job->auth, job->worker, SK_AUTH_OFFER, &m) == -EMSGSIZE) {
        auth_refuse(job, "answer-too-large");
        return;
    }
    auth_job_free(job);
}

static void offered_row(struct job *job, uint16_t code, const void *message)
{
    struct sk_buf *to = &job->ceremony->credentials;
    if (code == SK_STORE_GOT_AUTHENTICATOR) {
        struct sk_slice id = ((const struct sk_store_got_authenticator *)message)->credential;
        const uint8_t len[2] = {(uint8_t)id.len, (uint8_t)(id.len >> 8)};
        if (sk_buf_put(to, sk_slice(len, 2)) == 0) {
            (void)!sk_buf_put(to, id);
        }
    } else if (code == SK_STORE_RESULT && ((const struct sk_store_result *)message)->status == 0) {
        offer(job);
    } else {
        auth_refuse(job, "store-unavailable");
    }
}

static void offer_known(struct job *job)
{
    struct sk_store_list_authenticators list = {.ticket = job->id, .user = sk_slice_str(job->name)};
    memcpy(list.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_LIST_AUTHENTICATORS, &list, offered_row);
}

static void begin_session(struct job *job)
{
    if (job->ceremony->purpose == SK_WEBAUTHN_REGISTER && !auth_fresh(job)) {
        auth_refuse(job, "factor-required");
    } else {
        offer_known(job);
    }
}

/* The link's user: job->name, or the job is refused. */
static bool take_link(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_GOT_VOUCHER) {
        auth_refuse(job, code == SK_STORE_RESULT && result->status == 1 ? "link-expired" : "store-unavailable");
        return false;
    }
    auth_copy(job->name, sizeof(job->name), ((const struct sk_store_got_voucher *)message)->user);
    return true;
}

static void begin_link(struct job *job, uint16_t code, const void *message)
{
    if (take_link(job, code, message)) {
        offer_known(job);
    }
}

static void ask_link(struct job *job, auth_then *then)
{
    struct sk_store_get_voucher get = {.ticket = job->id, .kind = SK_VOUCHER_LINK, .now = sk_clock_wall(), .secret = job->ceremony->link};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_VOUCHER, &get, then);
}

void auth_begin(struct auth *auth, uint64_t worker, const struct sk_auth_begin *m)
{
    const struct sk_slice texts[7] = {[6] = m->link};
    struct job *job = new_ceremony(auth, worker, m->ticket, SK_AUTH_BEGIN, m->tenant, m->host, m->session, m->proof, texts);
    if (!job) {
        return;
    }
    job->ceremony->purpose = m->purpose;
    if (m->session.len) {
        auth_ask_session(job, begin_session);
    } else if (m->purpose == SK_WEBAUTHN_PROVE) {
        offer(job);
    } else {
        ask_link(job, begin_link);
    }
}

/* ---- asked of the factor helper ---- */

int auth_ceremony_ask(const struct job *job, struct sk_channel *helper)
{
    const struct ceremony *c = job->ceremony;
    const struct fido2 *f = job->tenant->fido2;
    struct sk_slice challenge = sk_slice(c->challenge, sizeof(c->challenge)), origins = sk_slice_str(c->origins);
    if (job->kind == SK_AUTH_REGISTER) {
        struct sk_factor_register m = {.ticket = job->id, .rp_id = f->rp_id, .origins = origins, .challenge = challenge, .policy = f->policy,
                .now = sk_clock_wall() / SK_SECOND, .roots = f->roots, .allow = f->allow, .deny = f->deny, .client_data = c->client_data,
                .attestation = c->object};
        return sk_channel_send(helper, SK_FACTOR_REGISTER, &m, NULL);
    }
    struct sk_factor_assert m = {.ticket = job->id, .rp_id = f->rp_id, .origins = origins, .challenge = challenge,
            .policy = f->policy & (SK_FACTOR_USER_VERIFIED | SK_FACTOR_NOT_SYNCED), .key = sk_slice(c->key, c->key_len), .counter = c->counter,
            .eligible = c->eligible, .client_data = c->client_data, .authenticator = c->object, .signature = c->signature};
    return sk_channel_send(helper, SK_FACTOR_ASSERT, &m, NULL);
}

/* Who asks hears no more than that; the record says why. */
static void fail(struct job *job, const char *detail)
{
    auth_deny(job, job->kind == SK_AUTH_REGISTER ? "registration-failed" : "passkey-failed", detail);
}

static void prove(struct job *job, uint64_t flags)
{
    uint64_t now = sk_clock_wall() / SK_SECOND;
    job->proven[SK_POLICY_FACTOR_FIDO2] = now;
    job->proven[SK_POLICY_FACTOR_PASSKEY] = flags & SK_FACTOR_UV ? now : job->proven[SK_POLICY_FACTOR_PASSKEY];
    job->proven[SK_POLICY_FACTOR_HARDWARE] = flags & SK_FACTOR_BE ? job->proven[SK_POLICY_FACTOR_HARDWARE] : now;
}

/* The user whose authenticator it is gets a session, in place of the one that asked. */
static void user_found(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.disabled || job->user.backend == SK_BACKEND_KEY) {
        fail(job, "account-disabled"); /* a program has no passkey, though its name may have been a person's */
    } else if (job->stale) {
        fail(job, "account-changed");
    } else if (job->user.backend == SK_BACKEND_PAM && !job->session[0]) {
        /* Whether the account still holds is PAM's to say, and PAM is asked with a password. */
        if (job->kind == SK_AUTH_REGISTER) {
            auth_done(job, 1);
        } else {
            fail(job, "password-needed");
        }
    } else {
        bool again = job->session[0] != '\0';
        auth_copy(job->replaces, sizeof(job->replaces), sk_slice_str(job->session));
        auth_new_session(job, again ? "step-up" : job->kind == SK_AUTH_REGISTER ? "registered" : "login");
    }
}

/* ---- an assertion ---- */

static void use_counted(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status > 1) {
        auth_refuse(job, "store-unavailable");
    } else if (result->status == 1) {
        fail(job, "used-elsewhere");
    } else {
        auth_ask_user(job, sk_slice_str(job->name), user_found);
    }
}

static void asserted(struct job *job, const struct sk_factor_asserted *m)
{
    struct ceremony *c = job->ceremony;
    int spent = auth_challenge_spend(job, c->challenge);
    if (spent) {
        fail(job, spent > 0 ? "challenge-used" : "busy");
        return;
    }
    prove(job, m->flags);
    struct sk_store_use_authenticator use = {
            .ticket = job->id, .credential = c->credential, .before = c->counter, .counter = m->counter, .used = sk_clock_wall()};
    memcpy(use.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_USE_AUTHENTICATOR, &use, use_counted);
}

static void authenticator_found(struct job *job, uint16_t code, const void *message)
{
    struct ceremony *c = job->ceremony;
    const struct sk_store_got_authenticator *got = message;
    uint8_t handle[SK_AUTH_HANDLE_SIZE];
    if (code == SK_STORE_RESULT && ((const struct sk_store_result *)message)->status == 1) {
        fail(job, "unknown-authenticator");
        return;
    }
    if (code != SK_STORE_GOT_AUTHENTICATOR) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    if (job->name[0] && !sk_slice_eq(got->user, sk_slice_str(job->name))) {
        fail(job, "another-user's");
        return;
    }
    auth_copy(job->name, sizeof(job->name), got->user);
    user_handle(job, handle);
    if (c->handle.len && !sk_slice_eq(c->handle, sk_slice(handle, sizeof(handle)))) {
        fail(job, "wrong-user-handle");
        return;
    }
    memcpy(c->key, got->key.data, got->key.len);
    c->key_len = got->key.len;
    c->counter = got->counter;
    c->eligible = got->eligible;
    auth_verify(job);
}

static void find_authenticator(struct job *job)
{
    struct sk_store_get_authenticator get = {.ticket = job->id, .credential = job->ceremony->credential};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_AUTHENTICATOR, &get, authenticator_found);
}

void auth_assert(struct auth *auth, uint64_t worker, const struct sk_auth_assert *m)
{
    const struct sk_slice texts[7] = {m->credential, m->handle, m->client_data, m->authenticator, m->signature, SK_SLICE_NULL, m->link};
    struct job *job = new_ceremony(auth, worker, m->ticket, SK_AUTH_ASSERT, m->tenant, m->host, m->session, m->proof, texts);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    const char *fault = auth_challenge_fault(job, SK_WEBAUTHN_PROVE, sk_slice_str(job->session), job->ceremony->link, m->challenge);
    if (fault) {
        fail(job, fault);
        return;
    }
    memcpy(job->ceremony->challenge, m->challenge.data, m->challenge.len);
    if (m->session.len) {
        auth_ask_session(job, find_authenticator);
    } else {
        find_authenticator(job);
    }
}

/* ---- a registration ---- */

static void registered_stored(struct job *job, uint16_t code, const void *message)
{
    static const char *const reasons[] = {"", "link-expired", "store-unavailable", "too-many-authenticators", "registered-already"};
    const struct sk_store_result *result = message;
    uint64_t status = code == SK_STORE_RESULT && result->status < SK_COUNT(reasons) ? result->status : 2;
    if (status) {
        job->undecided = status == 2;
        auth_deny(job, reasons[status], reasons[status]); /* the record says that it was added */
    } else if (job->session[0]) {
        auth_done(job, 1);
    } else {
        auth_ask_user(job, sk_slice_str(job->name), user_found);
    }
}

static void registered_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    const struct ceremony *c = job->ceremony;
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
        return;
    }
    if (job->stale) {
        fail(job, "account-changed");
        return;
    }
    struct sk_store_put_authenticator put = {.ticket = job->id, .credential = sk_slice(c->id, c->id_len), .user = sk_slice_str(job->name),
            .label = c->label, .key = sk_slice(c->key, c->key_len), .format = sk_slice_str(c->format), .eligible = c->eligible,
            .attested = c->attested, .created = sk_clock_wall(), .counter = c->counter, .most = job->tenant->fido2->most, .link = c->link};
    memcpy(put.tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(put.aaguid, c->aaguid, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_PUT_AUTHENTICATOR, &put, registered_stored);
}

static void registered(struct job *job, const struct sk_factor_registered *m)
{
    struct ceremony *c = job->ceremony;
    int spent = auth_challenge_spend(job, c->challenge);
    if (spent || job->stale) {
        fail(job, spent > 0 ? "challenge-used" : spent ? "busy" : "account-changed");
        return;
    }
    memcpy(c->id, m->credential.data, m->credential.len);
    memcpy(c->key, m->key.data, m->key.len);
    memcpy(c->aaguid, m->aaguid, SK_ID_SIZE);
    c->id_len = m->credential.len;
    c->key_len = m->key.len;
    c->counter = m->counter;
    c->eligible = (m->flags & SK_FACTOR_BE) != 0;
    c->attested = m->attested;
    auth_copy(c->format, sizeof(c->format), m->format);
    auth_copy(job->target, sizeof(job->target), c->label);
    if (!job->session[0]) {
        prove(job, m->flags); /* a link lets its user in with what was registered by it */
    }
    auth_record(job, SK_AUDIT_AUTHENTICATOR_ADDED, SK_AUDIT_DECISION_ALLOW, c->format, registered_recorded);
}

static void register_session(struct job *job)
{
    if (auth_fresh(job)) {
        auth_verify(job);
    } else {
        auth_refuse(job, "factor-required");
    }
}

static void register_link(struct job *job, uint16_t code, const void *message)
{
    if (take_link(job, code, message)) {
        auth_verify(job);
    }
}

void auth_register(struct auth *auth, uint64_t worker, const struct sk_auth_register *m)
{
    const struct sk_slice texts[7] = {[2] = m->client_data, [3] = m->attestation, [5] = m->label, [6] = m->link};
    struct job *job = new_ceremony(auth, worker, m->ticket, SK_AUTH_REGISTER, m->tenant, m->host, m->session, m->proof, texts);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    const char *fault = auth_challenge_fault(job, SK_WEBAUTHN_REGISTER, sk_slice_str(job->session), job->ceremony->link, m->challenge);
    if (fault) {
        fail(job, fault);
        return;
    }
    memcpy(job->ceremony->challenge, m->challenge.data, m->challenge.len);
    if (m->session.len) {
        auth_ask_session(job, register_session);
    } else {
        ask_link(job, register_link);
    }
}

/* ---- told by the factor helper ---- */

void auth_ceremony_told(struct job *job, const void *message)
{
    /* Both answers begin with ticket and reason. */
    const struct sk_factor_asserted *m = message;
    if (!m) {
        job->undecided = true;
        fail(job, "verification-failed");
    } else if (m->reason.len) {
        auth_copy(job->why, sizeof(job->why), m->reason);
        fail(job, job->why);
    } else if (job->kind == SK_AUTH_ASSERT) {
        asserted(job, m);
    } else {
        registered(job, message);
    }
}
