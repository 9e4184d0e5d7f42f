/*
 * Grants: what auth says of a subject, signed, and for how long. With each goes a proof, by which its worker may ask
 * about the session later: a keyed hash that outlives a restart of auth, names tenant, session and worker, and is void
 * soon after the grant is.
 */
#include "auth/jobs.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CLAIMS_MAX 24000 /* as a JWS they fit in GRANT */
#define PROOF_SIZE (8 + SK_SHA256_SIZE)
#define PROOF_SLACK (60 * SK_SECOND) /* a worker renews late where auth was away */

/* The texts of `to`, from these. */
static int set_texts(struct user *to, const struct sk_slice from[5])
{
    struct sk_slice *const slices[] = {&to->name, &to->hash, &to->roles, &to->networks, &to->scope};
    size_t size = auth_texts_size(from, SK_COUNT(slices)) + 1;
    char *texts = malloc(size);
    if (!texts) {
        return -ENOMEM;
    }
    auth_texts_copy(texts, from, slices, SK_COUNT(slices));
    free(to->texts);
    to->texts = texts;
    return 0;
}

int auth_take_user(struct job *job, const struct sk_store_got_user *got)
{
    const struct sk_slice texts[] = {got->name, got->hash, got->roles, got->networks, got->scope};
    int r = set_texts(&job->user, texts);
    job->user.backend = got->backend;
    job->user.restricted = got->restricted;
    job->user.disabled = got->disabled;
    job->user.known = r == 0 && got->known;
    return r;
}

int auth_user_copy(struct user *to, const struct user *from)
{
    const struct sk_slice texts[] = {from->name, from->hash, from->roles, from->networks, from->scope};
    int r = set_texts(to, texts);
    to->backend = from->backend;
    to->restricted = from->restricted;
    to->disabled = from->disabled;
    to->known = r == 0 && from->known;
    return r;
}

static void make_proof(struct auth *auth, const struct worker *worker, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, uint64_t until,
        uint8_t proof[PROOF_SIZE])
{
    uint8_t inner[SK_SHA256_SIZE], numbers[16];
    for (int i = 0; i < 8; i++) {
        numbers[i] = (uint8_t)(until >> (8 * i));
        numbers[8 + i] = (uint8_t)((uint64_t)(worker - auth->workers) >> (8 * i));
    }
    const struct sk_slice parts[] = {SK_LIT("grant"), sk_slice(tenant, SK_ID_SIZE), sk_slice(numbers, sizeof(numbers)), session};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    memcpy(proof, numbers, 8);
    sk_digest_hmac(sk_slice(auth->secret, sizeof(auth->secret)), sk_slice(inner, sizeof(inner)), proof + 8);
}

bool auth_proven(struct auth *auth, uint64_t number, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice proof)
{
    const struct worker *worker = auth_worker(auth, number);
    uint8_t right[PROOF_SIZE];
    uint64_t until = 0;
    if (!worker || proof.len != PROOF_SIZE) {
        return false;
    }
    for (int i = 0; i < 8; i++) {
        until |= (uint64_t)(uint8_t)proof.data[i] << (8 * i);
    }
    make_proof(auth, worker, tenant, session, until, right);
    return sk_digest_equal(sk_slice(right, sizeof(right)), proof) && sk_clock_boot() < until;
}

struct sk_slice auth_amr(const struct job *job, char out[AUTH_AMR_TEXT])
{
    const uint64_t *proven = job->proven;
    const struct {
        bool holds;
        const char *name;
    } names[] = {{proven[SK_POLICY_FACTOR_PASSWORD], "pwd"}, {proven[SK_POLICY_FACTOR_FIDO2] && proven[SK_POLICY_FACTOR_HARDWARE], "hwk"},
            {proven[SK_POLICY_FACTOR_FIDO2] && !proven[SK_POLICY_FACTOR_HARDWARE], "swk"}, {proven[SK_POLICY_FACTOR_CERTIFICATE], "x5c"},
            {proven[SK_POLICY_FACTOR_RECOVERY], "otp"}, {proven[SK_POLICY_FACTOR_KEY], "key"}, {proven[SK_POLICY_FACTOR_TOKEN], "jwt"},
            {proven[SK_POLICY_FACTOR_OIDC], "fed"},
            {proven[SK_POLICY_FACTOR_PASSKEY] || (proven[SK_POLICY_FACTOR_PASSWORD] &&
                    (proven[SK_POLICY_FACTOR_FIDO2] || proven[SK_POLICY_FACTOR_CERTIFICATE])), "mfa"}};
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        int n = names[i].holds ? snprintf(out + len, AUTH_AMR_TEXT - len, "%s%s", len ? "," : "", names[i].name) : 0;
        len += (size_t)n;
    }
    return sk_slice(out, len);
}

static int put_claims(struct job *job, struct sk_buf *claims)
{
    uint64_t now = sk_clock_wall() / SK_SECOND;
    char issuer[sizeof(job->host) + 8], amr[AUTH_AMR_TEXT];
    struct sk_slice host = sk_slice_str(job->host), roles = job->user.roles, factors = auth_amr(job, amr);
    (void)snprintf(issuer, sizeof(issuer), "https://%s", job->host);
    int r = sk_buf_put(claims, SK_LIT("{\"iss\":"));
    r = r ? r : sk_json_put_string(claims, sk_slice_str(issuer));
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"aud\":"));
    r = r ? r : sk_json_put_string(claims, host);
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"tenant\":"));
    r = r ? r : sk_json_put_string(claims, sk_slice_str(job->tenant->name));
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"sub\":"));
    r = r ? r : sk_json_put_string(claims, job->user.name);
    r = r ? r : sk_buf_put(claims, SK_LIT(",\"groups\":["));
    for (bool first = true; r == 0 && roles.len; first = false) {
        struct sk_slice role = sk_slice_split(&roles, ',');
        r = first ? 0 : sk_buf_put(claims, SK_LIT(","));
        r = r ? r : sk_json_put_string(claims, role);
    }
    r = r ? r : sk_buf_put(claims, SK_LIT("],\"amr\":["));
    for (bool first = true; r == 0 && factors.len; first = false) {
        struct sk_slice factor = sk_slice_split(&factors, ',');
        r = sk_buf_printf(claims, "%s\"%.*s\"", first ? "" : ",", (int)factor.len, factor.data);
    }
    return r ? r
             : sk_buf_printf(claims, "],\"sid\":\"%s\",\"iat\":%llu,\"nbf\":%llu,\"exp\":%llu}", job->session,
                       (unsigned long long)now, (unsigned long long)now, (unsigned long long)now + 2 * GRANT_LIFETIME / SK_SECOND);
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
    struct sk_buf claims SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(CLAIMS_MAX);
    struct sk_buf jws SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(32768);
    uint8_t proof[PROOF_SIZE];
    char amr[AUTH_AMR_TEXT], proofs[SK_POLICY_PROOFS_TEXT];
    if (job->stale) {
        begin_again(job);
        return;
    }
    const struct worker *worker = auth_worker(job->auth, job->worker);
    if (!worker) {
        auth_job_free(job);
        return;
    }
    if (!job->auth->key) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    int r = put_claims(job, &claims);
    if (r == -ENOBUFS) {
        auth_refuse(job, "answer-too-large");
        return;
    }
    if (r || sk_sign_jws(job->auth->key, SK_SIGN_JWT, sk_buf_peek(&claims), &jws)) {
        auth_refuse(job, "internal-error");
        return;
    }
    lifetime = lifetime < GRANT_LIFETIME ? lifetime : GRANT_LIFETIME;
    if (job->expires) {
        uint64_t now = sk_clock_wall(), left = job->expires > now ? job->expires - now : 0;
        lifetime = lifetime < left ? lifetime : left;
    }
    make_proof(job->auth, worker, job->tenant->id, sk_slice_str(job->session), sk_clock_boot() + lifetime + PROOF_SLACK, proof);
    struct sk_auth_grant m = {.ticket = job->ticket,
            .token = sk_slice_str(job->token),
            .session = sk_slice_str(job->session),
            .proof = sk_slice(proof, sizeof(proof)),
            .subject = job->user.name,
            .roles = job->user.roles,
            .networks = job->user.networks,
            .scope = job->user.scope,
            .restricted = job->user.restricted,
            .lifetime = lifetime,
            .factors = auth_amr(job, amr),
            .proofs = sk_slice(proofs, sk_policy_proofs_text(job->proven, proofs)),
            .assertion = sk_buf_peek(&jws)};
    memcpy(m.tenant, job->tenant->id, SK_ID_SIZE);
    r = auth_answer(job->auth, job->worker, SK_AUTH_GRANT, &m);
    job->stored = job->stored && r < 0;
    if (r == -EMSGSIZE) {
        auth_refuse(job, "answer-too-large");
    } else {
        auth_job_free(job);
    }
}
