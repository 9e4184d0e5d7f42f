/*
 * Access tokens of the gateway's own: JWTs (RFC 9068) for programs, asked for with their key or certificate (RFC 6749 section 4.4). A token is good
 * at the host that it was asked for at, and no longer than the program, its scope and what it was asked for with. Its `jti` ties it to that;
 * nothing of it is kept.
 */
#include "auth/programs.h"
#include "auth/remember.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFETIME 300U /* s */
#define RANDOM_SIZE 16U
#define ID_SIZE (RANDOM_SIZE + 8)
#define CLAIMS_MAX 5900 /* as a JWS they fit in ISSUED */
#define SCOPE_MAX 4096
#define SESSION_PREFIX "basic-"

/* ---- what a token is tied to ---- */

/* A token's id: random, and behind it what ties that to its tenant and to the credential it was asked for with. */
static void make_id(const struct job *job, const uint8_t random[RANDOM_SIZE], const uint8_t credential[SK_SHA256_SIZE], char id[2 * ID_SIZE + 1])
{
    uint8_t inner[SK_SHA256_SIZE], mac[SK_SHA256_SIZE], bytes[ID_SIZE];
    const struct sk_slice parts[] = {SK_LIT("access"), sk_slice(job->tenant->id, SK_ID_SIZE), sk_slice(random, RANDOM_SIZE), sk_slice(credential, SK_SHA256_SIZE)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(job->auth->secret, sizeof(job->auth->secret)), sk_slice(inner, sizeof(inner)), mac);
    memcpy(bytes, random, RANDOM_SIZE);
    memcpy(bytes + RANDOM_SIZE, mac, ID_SIZE - RANDOM_SIZE);
    sk_hex_encode(bytes, sizeof(bytes), id);
}

/* Has the program the credential still that the token was asked for with? The token ends with it. */
static bool is_tied(struct job *job, struct sk_slice id)
{
    uint8_t bytes[ID_SIZE], credential[SK_SHA256_SIZE];
    char own[2 * ID_SIZE + 1];
    struct sk_slice bound;
    uint64_t until;
    if (sk_hex_decode(id, bytes, sizeof(bytes))) {
        return false;
    }
    for (struct sk_slice keys = job->user.hash; auth_next_key(&keys, credential, &until, &bound) == 0;) {
        make_id(job, bytes, credential, own);
        /* A key that is good with a certificate alone gives no token that is good without. */
        bool with = bound.len == 0 || auth_certificate_is(job->binding.certificate, bound);
        if (with && until > sk_clock_wall() && sk_digest_equal(sk_slice_str(own), id)) {
            job->expires = until < job->expires ? until : job->expires;
            return true;
        }
    }
    const struct issuer *client = auth_client_entry(job->tenant, job->user.name);
    if (client && client->jwks.len) {
        auth_client_credential(client, credential);
        make_id(job, bytes, credential, own);
        if (sk_digest_equal(sk_slice_str(own), id)) {
            return true;
        }
    }
    auth_certificate_credential(job->binding.certificate, credential);
    make_id(job, bytes, credential, own);
    job->binding.held = job->tenant->certificates && sk_digest_equal(sk_slice_str(own), id);
    return job->binding.held;
}

static bool is_program(const struct job *job)
{
    return job->user.known && job->user.backend == SK_BACKEND_KEY && !job->user.disabled;
}

/* ---- issued ---- */

static void issuer_of(const struct job *job, char out[sizeof(job->authority) + 8])
{
    (void)snprintf(out, sizeof(job->authority) + 8, "https://%s", job->authority);
}

bool auth_take_authority(struct job *job, struct sk_slice authority)
{
    struct sk_slice port = authority, host = sk_slice_split(&port, ':');
    bool ok = sk_slice_eq(host, sk_slice_str(job->host)) && port.len <= 5;
    for (size_t i = 0; i < port.len; i++) {
        ok = ok && port.data[i] >= '0' && port.data[i] <= '9';
    }
    auth_copy(job->authority, sizeof(job->authority), authority);
    if (!ok) {
        auth_refuse(job, "host-unknown");
    }
    return ok;
}

/* RFC 7800: what the token is bound to. */
static int put_confirmation(const struct job *job, struct sk_buf *claims)
{
    struct sk_slice key = auth_proof_thumbprint(job);
    const char *certificate = job->binding.certificate;
    int r = 0;
    if (key.len || certificate[0]) {
        r = sk_buf_put(claims, SK_LIT(",\"cnf\":{"));
        r = r || !key.len ? r : sk_buf_printf(claims, "\"jkt\":\"%.*s\"%s", (int)key.len, key.data, certificate[0] ? "," : "");
        r = r || !certificate[0] ? r : sk_buf_printf(claims, "\"x5t#S256\":\"%s\"", certificate);
        r = r ? r : sk_buf_put(claims, SK_LIT("}"));
    }
    return r;
}

/* The claims; `scope` in OAuth's spelling. */
static int put_claims(const struct job *job, struct sk_slice scope, uint64_t now, uint64_t expires, struct sk_buf *claims)
{
    char issuer[sizeof(job->authority) + 8];
    issuer_of(job, issuer);
    int r = sk_buf_put(claims, SK_LIT("{\"iss\":"));
    r = r ? r : sk_json_put_string(claims, sk_slice_str(issuer));
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"aud\":"));
    r = r ? r : sk_json_put_string(claims, sk_slice_str(job->tenant->name));
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"sub\":"));
    r = r ? r : sk_json_put_string(claims, job->user.name);
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"client_id\":"));
    r = r ? r : sk_json_put_string(claims, job->user.name);
    if (scope.len) {
        r = r ? r : sk_buf_put(claims, SK_LIT(",\"scope\":"));
        r = r ? r : sk_json_put_string(claims, scope);
    }
    r = r ? r : put_confirmation(job, claims);
    return r ? r
             : sk_buf_printf(claims, ",\"jti\":\"%s\",\"iat\":%llu,\"exp\":%llu}", job->session + sizeof(SESSION_PREFIX) - 1,
                       (unsigned long long)now, (unsigned long long)expires);
}

static void issue_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    struct sk_buf claims SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(CLAIMS_MAX), jws SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    uint64_t now = sk_clock_wall() / SK_SECOND, until = job->expires / SK_SECOND, lifetime = until > now ? until - now : 0;
    lifetime = job->expires && lifetime < LIFETIME ? lifetime : LIFETIME;
    int r = auth_scope_write(sk_slice_str(job->scope), &scope);
    r = r ? r : put_claims(job, sk_buf_peek(&scope), now, now + lifetime, &claims);
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
    } else if (job->stale) {
        auth_refuse(job, "account-changed");
    } else if (r == -ENOBUFS) {
        auth_refuse(job, "invalid_scope"); /* it has no room in a token */
    } else if (r || sk_sign_jws(job->auth->key, SK_SIGN_ACCESS, sk_buf_peek(&claims), &jws)) {
        auth_refuse(job, "internal-error");
    } else {
        struct sk_auth_issued m = {.ticket = job->ticket, .token = sk_buf_peek(&jws), .scope = sk_buf_peek(&scope), .lifetime = lifetime, .bound = job->dpop != NULL};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_ISSUED, &m);
        auth_job_free(job);
    }
    sk_wipe(jws.data, jws.size);
}

static void deny_issue(struct job *job, const char *error, const char *detail)
{
    job->denied_op = SK_AUDIT_TOKEN_ISSUED;
    auth_deny(job, error, detail);
}

/* The certificate that the key is good with alone which the token is asked for with; empty: it is good without, or it was no key. */
static struct sk_slice certificate_of_key(const struct job *job)
{
    uint8_t key[SK_SHA256_SIZE];
    struct sk_slice bound;
    uint64_t until;
    for (struct sk_slice keys = job->user.hash; auth_next_key(&keys, key, &until, &bound) == 0;) {
        if (sk_digest_equal(sk_slice(key, sizeof(key)), sk_slice(job->credential, sizeof(job->credential)))) {
            return bound;
        }
    }
    return SK_SLICE_NULL;
}

/* Binds the token to the connection's certificate, where the program or what it proved itself with wants that. Why it cannot be; NULL. */
static const char *bind_certificate(struct job *job)
{
    const struct issuer *entry = auth_client_entry(job->tenant, job->user.name);
    struct sk_slice bound = certificate_of_key(job);
    bool alone = job->proven[SK_POLICY_FACTOR_CERTIFICATE]; /* else its token would outlive the certificate */
    uint8_t credential[SK_SHA256_SIZE];
    if (!alone && !bound.len && !(entry && entry->bound)) {
        return NULL;
    }
    if (!job->certificate[0]) {
        return "certificate-missing";
    }
    auth_certificate_credential(job->certificate, credential);
    if ((alone && memcmp(credential, job->credential, sizeof(credential)) != 0) || (bound.len && !auth_certificate_is(job->certificate, bound))) {
        return "certificate-of-another";
    }
    memcpy(job->binding.certificate, job->certificate, sizeof(job->binding.certificate));
    return NULL;
}

/* What the token is for: as it was asked, if the program may all of that. */
static void issue_user(struct job *job, uint16_t code, const void *message)
{
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    uint8_t random[RANDOM_SIZE];
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    if (auth_take_user(job, message) || !job->auth->key) {
        auth_refuse(job, job->auth->key ? "internal-error" : "store-unavailable");
        return;
    }
    if (!is_program(job)) {
        deny_issue(job, "invalid_client", "no-program");
        return;
    }
    const char *fault = bind_certificate(job);
    if (fault) {
        deny_issue(job, "invalid_request", fault);
        return;
    }
    int r = auth_scope_within(sk_slice_str(job->scope), job->user.scope, &scope);
    if (r == 1 || r == -ENOBUFS) {
        deny_issue(job, "invalid_scope", "scope-not-granted");
        return;
    }
    if (r || auth_set_scope(job, sk_buf_peek(&scope))) {
        auth_refuse(job, "internal-error");
        return;
    }
    sk_random(random, sizeof(random));
    memcpy(job->session, SESSION_PREFIX, sizeof(SESSION_PREFIX));
    make_id(job, random, job->credential, job->session + sizeof(SESSION_PREFIX) - 1);
    auth_record(job, SK_AUDIT_TOKEN_ISSUED, SK_AUDIT_DECISION_ALLOW, "issued", issue_recorded);
}

bool auth_take_program(struct job *job)
{
    const struct remembered *r = auth_remembered_session(job->auth, job->tenant->id, sk_slice_str(job->session));
    if (!r || (r->factor != SK_POLICY_FACTOR_KEY && r->factor != SK_POLICY_FACTOR_CERTIFICATE)) {
        auth_refuse(job, "login-required");
        return false;
    }
    auth_copy(job->name, sizeof(job->name), sk_slice_str(r->name));
    memcpy(job->credential, r->credential, sizeof(job->credential));
    job->proven[r->factor] = SK_POLICY_PROVEN_NOW;
    job->expires = r->expires;
    return true;
}

/* The token is to be bound to the proof's key. */
static void issue_proved(struct job *job, const char *fault)
{
    fault = fault ? fault : auth_proof_fault(job, auth_proof_thumbprint(job));
    if (fault) {
        deny_issue(job, "invalid_dpop_proof", fault);
    } else {
        auth_ask_user(job, sk_slice_str(job->name), issue_user);
    }
}

void auth_issue(struct auth *auth, uint64_t worker, const struct sk_auth_issue *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_ISSUE, m->tenant, m->host, m->session, m->proof);
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_take_certificate(job, m->fingerprint);
    if (!auth_take_authority(job, m->authority) || !auth_take_program(job)) {
        return;
    }
    int r = auth_scope_read(m->scope, &scope);
    if (r || auth_set_scope(job, sk_buf_peek(&scope))) {
        deny_issue(job, "invalid_scope", "scope-malformed");
        return;
    }
    if (m->dpop.len) {
        auth_prove(job, m->dpop, SK_LIT("POST"), SK_LIT("/.sekisho/oauth/token"), SK_SLICE_NULL, issue_proved);
    } else {
        auth_ask_user(job, sk_slice_str(job->name), issue_user);
    }
}

/* ---- accepted ---- */

int auth_set_scope(struct job *job, struct sk_slice scope)
{
    char *text = strndup(scope.len ? scope.data : "", scope.len);
    if (!text) {
        return -ENOMEM;
    }
    free(job->scope);
    job->scope = text;
    return 0;
}

int auth_take_narrowed(struct job *job, const struct sk_store_got_user *got)
{
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    struct sk_store_got_user narrowed = *got;
    int r = job->scope ? auth_scope_within(sk_slice_str(job->scope), got->scope, &scope) : 0;
    if (r < 0) {
        return r;
    }
    if (job->scope) {
        narrowed.scope = sk_buf_peek(&scope);
    }
    r = auth_take_user(job, &narrowed);
    return r || !job->scope || !job->scope[0] || sk_buf_len(&scope) ? r : 1;
}

bool auth_is_own_token(const struct auth *auth, struct sk_slice bearer)
{
    return auth->key && sk_slice_starts(bearer, sk_sign_header(auth->key, SK_SIGN_ACCESS));
}

int auth_own_token_ask(const struct job *job, struct sk_channel *helper)
{
    struct sk_buf jwks SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    char issuer[sizeof(job->authority) + 8];
    issuer_of(job, issuer);
    int r = sk_buf_put(&jwks, SK_LIT("{\"keys\":["));
    r = r ? r : sk_sign_jwk(job->auth->key, &jwks);
    r = r ? r : sk_buf_put(&jwks, SK_LIT("]}"));
    struct sk_factor_token m = {.ticket = job->id, .token = sk_slice(job->bearer, job->bearer_len), .jwks = sk_buf_peek(&jwks),
            .issuer = sk_slice_str(issuer), .audience = sk_slice_str(job->tenant->name), .types = SK_LIT("at+jwt"), .now = sk_clock_wall() / SK_SECOND};
    return r ? r : sk_channel_send(helper, SK_FACTOR_TOKEN, &m, NULL);
}

struct sk_slice auth_token_id(const struct job *job)
{
    return sk_slice_str(job->session + sizeof(SESSION_PREFIX) - 1);
}

static void spent_told(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || (result->status != 0 && result->status != 4)) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    job->token_then(job, result->status == 4 ? "token-revoked" : NULL);
}

static void token_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    int r = auth_take_narrowed(job, message);
    if (r < 0) {
        auth_refuse(job, "internal-error");
    } else if (!is_program(job) || !is_tied(job, auth_token_id(job))) {
        job->token_then(job, "token-ended");
    } else if (r) {
        job->token_then(job, "token-scope");
    } else {
        struct sk_store_is_spent ask = {.ticket = job->id, .id = auth_token_id(job)};
        memcpy(ask.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_IS_SPENT, &ask, spent_told);
    }
}

void auth_token_holds(struct job *job, void (*then)(struct job *job, const char *fault))
{
    job->token_then = then;
    auth_ask_user(job, sk_slice_str(job->name), token_user);
}

int auth_take_claims(struct job *job, const struct sk_factor_claims *m)
{
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCOPE_MAX);
    if (m->id.len != (size_t)2 * ID_SIZE || auth_scope_read(m->scope, &scope) || auth_set_scope(job, sk_buf_peek(&scope))) {
        return 1;
    }
    auth_copy(job->name, sizeof(job->name), m->subject);
    (void)snprintf(job->session, sizeof(job->session), SESSION_PREFIX "%.*s", (int)m->id.len, m->id.data);
    auth_take_binding(job, m);
    job->expires = m->expires * SK_SECOND;
    return 0;
}

static void own_holds(struct job *job, const char *fault)
{
    const struct issuer *entry = auth_client_entry(job->tenant, job->user.name);
    bool must = entry && entry->bound; /* it was perhaps issued before */
    fault = fault ? fault : must && !job->binding.certificate[0] ? "certificate-not-bound" : auth_binding_fault(job, &job->binding, job->name);
    if (fault) {
        auth_deny_token(job, fault);
    } else {
        auth_admit_program(job, SK_POLICY_FACTOR_TOKEN);
    }
}

void auth_own_claims(struct job *job, const struct sk_factor_claims *m)
{
    if (m->reason.len) {
        auth_copy(job->why, sizeof(job->why), m->reason);
        auth_deny(job, "login-failed", job->why);
    } else if (auth_take_claims(job, m)) {
        auth_refuse(job, "internal-error"); /* what auth has signed is whole */
    } else {
        auth_token_holds(job, own_holds);
    }
}
