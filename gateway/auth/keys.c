/*
 * Keys of programs: sekisho_NAME_SECRET. The secret has 256 bits, so its SHA-256 is all that is kept of it, and nobody
 * guesses: attempts are not counted. A key that was right is remembered like a password, no longer than it holds; when it was last used, the store
 * hears once in a while.
 */
#include "auth/programs.h"
#include "auth/remember.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"

#define NOTE_EVERY (300 * SK_SECOND) /* each time is a write to the disk */
#define LIST_MOST 200 /* keys in one answer */

enum found { RIGHT, WRONG, EXPIRED, UNBOUND };

int auth_next_key(struct sk_slice *keys, uint8_t hash[SK_SHA256_SIZE], uint64_t *until, struct sk_slice *bound)
{
    *bound = sk_slice_split(keys, ',');
    struct sk_slice key = sk_slice_split(bound, ':'), expires = sk_slice_split(bound, ':');
    return sk_hex_decode(key, hash, SK_SHA256_SIZE) || sk_slice_u64(expires, UINT64_MAX, until) ? 1 : 0;
}

/* All keys are looked at, whichever fits. */
static enum found find_key(struct job *job)
{
    uint8_t key[SK_SHA256_SIZE];
    struct sk_slice bound;
    enum found found = WRONG;
    uint64_t now = sk_clock_wall(), until;
    sk_digest_sha256(sk_slice(job->password, job->password_len), job->credential);
    for (struct sk_slice keys = job->user.hash; auth_next_key(&keys, key, &until, &bound) == 0;) {
        if (sk_digest_equal(sk_slice(key, sizeof(key)), sk_slice(job->credential, sizeof(job->credential)))) {
            bool with = bound.len == 0 || auth_certificate_is(job->certificate, bound);
            found = until <= now ? EXPIRED : with ? RIGHT : UNBOUND;
            job->expires = until;
        }
    }
    sk_wipe(job->password, sizeof(job->password));
    job->password_len = 0;
    return found;
}

static void key_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
        return;
    }
    bool program = job->user.known && job->user.backend == SK_BACKEND_KEY;
    enum found found = program ? find_key(job) : WRONG;
    if (!program) {
        auth_deny(job, "login-failed", job->user.known ? "no-program" : "unknown-user");
    } else if (found != RIGHT) {
        auth_deny(job, "login-failed", found == EXPIRED ? "key-expired" : found == UNBOUND ? "key-without-certificate" : "wrong-key");
    } else if (job->user.disabled) {
        auth_deny(job, "login-failed", "account-disabled");
    } else {
        auth_admit_program(job, SK_POLICY_FACTOR_KEY);
    }
}

/* ---- last used ---- */

void auth_key_used(struct auth *auth, struct remembered *r)
{
    uint64_t now = sk_clock_boot();
    struct sk_store_use_api_key m = {.user = sk_slice_str(r->name), .sha256 = sk_slice(r->credential, sizeof(r->credential)), .used = sk_clock_wall()};
    if (r->noted && now < r->noted + NOTE_EVERY) {
        return;
    }
    r->noted = now;
    memcpy(m.tenant, r->tenant->id, SK_ID_SIZE);
    if (auth->store) {
        (void)!sk_channel_send(auth->store, SK_STORE_USE_API_KEY, &m, NULL);
    }
}

static void row(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_got_api_key *got = message;
    if (code != SK_STORE_GOT_API_KEY) {
        auth_done_rows(job, code, message);
        return;
    }
    struct sk_auth_api_key m = {.ticket = job->ticket, .user = got->user, .sha256 = got->sha256, .expires = got->expires,
            .certificate = got->certificate, .used = got->used};
    (void)auth_answer(job->auth, job->worker, SK_AUTH_API_KEY, &m);
}

void auth_list_api_keys(struct auth *auth, uint64_t worker, const struct sk_auth_list_api_keys *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_LIST_API_KEYS, m->tenant, SK_SLICE_NULL, m->session, m->proof);
    if (job) {
        struct sk_store_list_api_keys list = {.ticket = job->id, .user = m->user, .most = LIST_MOST};
        memcpy(list.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_LIST_API_KEYS, &list, row);
    }
}

/* ---- verified ---- */

void auth_key(struct auth *auth, uint64_t worker, const struct sk_auth_key *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_KEY, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_copy(job->name, sizeof(job->name), m->user);
    /* Under a name that no password has: one is not the other. */
    char name[1 + 64];
    name[0] = '\n';
    memcpy(name + 1, m->user.data, m->user.len);
    auth_remember_key(auth, m->tenant, m->fingerprint, sk_slice(name, 1 + m->user.len), m->secret, job->key);
    struct remembered *r = auth_remembered(auth, job->key);
    if (r) {
        auth_renew_remembered(job, r);
        return;
    }
    auth_take_certificate(job, m->fingerprint);
    memcpy(job->password, m->secret.data, m->secret.len);
    job->password_len = m->secret.len;
    auth_ask_user(job, m->user, key_user);
}
