/*
 * What a user has to prove himself with beside a password: authenticators listed and removed, recovery codes made and used, links
 * made by which a first authenticator is registered. Secrets are random, told once, and kept as keyed hashes by the store.
 */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/trail.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"

#include <errno.h>

#define CODES 10
#define CODE_LIFETIME (UINT64_C(366) * 24 * 3600 * SK_SECOND)
#define LINK_LIFETIME (UINT64_C(24) * 3600 * SK_SECOND)
#define CODE_TEXT 20 /* four groups of four, with '-' between, and a line feed */

/* ---- listed ---- */

static void row(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_AUTHENTICATOR) {
        auth_done_rows(job, code, message);
        return;
    }
    const struct sk_store_got_authenticator *got = message;
    struct sk_auth_authenticator m = {.ticket = job->ticket, .label = got->label, .format = got->format, .synced = got->eligible,
            .attested = got->attested, .created = got->created, .used = got->used};
    memcpy(m.id, got->id, SK_ID_SIZE);
    memcpy(m.aaguid, got->aaguid, SK_ID_SIZE);
    if (auth_answer(job->auth, job->worker, SK_AUTH_AUTHENTICATOR, &m) == -EMSGSIZE) {
        auth_refuse(job, "answer-too-large");
    }
}

void auth_list_authenticators(struct auth *auth, uint64_t worker, const struct sk_auth_list_authenticators *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_LIST_AUTHENTICATORS, m->tenant, SK_SLICE_NULL, m->session, m->proof);
    if (job) {
        struct sk_store_list_authenticators list = {.ticket = job->id, .user = m->user};
        memcpy(list.tenant, job->tenant->id, SK_ID_SIZE);
        auth_ask_store(job, SK_STORE_LIST_AUTHENTICATORS, &list, row);
    }
}

/* ---- removed ---- */

static void drop(struct job *job)
{
    struct sk_store_drop_authenticators drop = {.ticket = job->id, .user = sk_slice_str(job->name), .id = sk_slice(job->row, job->row_len)};
    memcpy(drop.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_DROP_AUTHENTICATORS, &drop, auth_done_rows);
}

/* From here on nobody registers another with a session that ended: what is under way is marked. */
static void sessions_dropped(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status > 1) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant->id, SK_SLICE_NULL, sk_slice_str(job->name));
    drop(job);
}

static void drop_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    bool own = job->started != 0; /* by its user, who has just proven another, or this one */
    struct sk_store_drop_sessions sessions = {.ticket = job->id, .subject = sk_slice_str(job->name)};
    memcpy(sessions.tenant, job->tenant->id, SK_ID_SIZE);
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
    } else if (own && job->stale) {
        auth_refuse(job, "account-changed");
    } else if (own) {
        drop(job);
    } else {
        auth_ask_store(job, SK_STORE_DROP_SESSIONS, &sessions, sessions_dropped);
    }
}

static void drop_own(struct job *job)
{
    if (auth_fresh(job)) {
        auth_record(job, SK_AUDIT_AUTHENTICATOR_REMOVED, SK_AUDIT_DECISION_ALLOW, "by-user", drop_recorded);
    } else {
        auth_refuse(job, "factor-required");
    }
}

void auth_drop_authenticators(struct auth *auth, uint64_t worker, const struct sk_auth_drop_authenticators *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_DROP_AUTHENTICATORS, m->tenant, m->host, m->session, m->proof);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    job->row_len = m->id.len == SK_ID_SIZE ? SK_ID_SIZE : 0;
    memcpy(job->row, m->id.data ? m->id.data : "", job->row_len);
    auth_copy(job->target, sizeof(job->target), SK_LIT("all"));
    if (job->row_len) {
        sk_hex_encode(job->row, job->row_len, job->target);
    }
    if (m->user.len == 0 && job->row_len) {
        auth_ask_session(job, drop_own);
    } else if (m->user.len) {
        auth_copy(job->name, sizeof(job->name), m->user);
        auth_record(job, SK_AUDIT_AUTHENTICATOR_REMOVED, SK_AUDIT_DECISION_ALLOW, "revoked", drop_recorded);
    } else {
        auth_refuse(job, "internal-error");
    }
}

/* ---- recovery codes ---- */

/* 80 random bits as 16 letters and digits that are not taken for one another (RFC 4648's, in lower case). */
static void make_code(char out[CODE_TEXT])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[16];
    size_t len = 0;
    sk_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i && i % 4 == 0) {
            out[len++] = '-';
        }
        out[len++] = digits[random[i] % 32];
    }
    out[len] = '\n';
    sk_wipe(random, sizeof(random));
}

static void codes_kept(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status) {
        auth_refuse(job, "store-unavailable");
        return;
    }
    struct sk_auth_told m = {.ticket = job->ticket, .text = sk_slice(job->password, job->password_len)};
    (void)auth_answer(job->auth, job->worker, SK_AUTH_TOLD, &m);
    auth_job_free(job);
}

/* What stands in job->password, one secret a line, becomes the user's vouchers of that kind. */
static void keep(struct job *job, enum sk_voucher kind, uint64_t lifetime)
{
    uint64_t now = sk_clock_wall();
    if (job->stale) {
        auth_refuse(job, "account-changed");
        return;
    }
    struct sk_store_put_vouchers put = {.ticket = job->id, .user = sk_slice_str(job->name), .kind = kind, .ends = now + lifetime, .now = now,
            .secrets = sk_slice(job->password, job->password_len)};
    memcpy(put.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_PUT_VOUCHERS, &put, codes_kept);
}

static void codes_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
        return;
    }
    for (int i = 0; i < CODES; i++) {
        make_code(job->password + job->password_len);
        job->password_len += CODE_TEXT;
    }
    keep(job, SK_VOUCHER_CODE, CODE_LIFETIME);
}

static void make_codes(struct job *job)
{
    if (auth_fresh(job)) {
        auth_record(job, SK_AUDIT_CODES_MADE, SK_AUDIT_DECISION_ALLOW, "by-user", codes_recorded);
    } else {
        auth_refuse(job, "factor-required");
    }
}

void auth_make_codes(struct auth *auth, uint64_t worker, const struct sk_auth_make_codes *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_MAKE_CODES, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        auth_ask_session(job, make_codes);
    }
}

static void recovered_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.disabled || job->stale) {
        auth_deny(job, "code-failed", "account-disabled");
    } else {
        job->proven[SK_POLICY_FACTOR_RECOVERY] = sk_clock_wall() / SK_SECOND;
        auth_copy(job->replaces, sizeof(job->replaces), sk_slice_str(job->session));
        auth_new_session(job, "recovery-code");
    }
}

static void taken(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status > 1) {
        auth_refuse(job, "store-unavailable");
    } else if (result->status == 1) {
        auth_deny(job, "code-failed", "wrong-code");
    } else {
        auth_ask_user(job, sk_slice_str(job->name), recovered_user);
    }
}

/* As it may be typed: with blanks or '-' or without, in either case. */
static size_t read_code(struct sk_slice text, char out[CODE_TEXT])
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < CODE_TEXT - 1; i++) {
        if (text.data[i] == '-' || text.data[i] == ' ') {
            continue;
        }
        if (len && len % 5 == 4) {
            out[len++] = '-';
        }
        out[len++] = sk_ascii_lower(text.data[i]);
    }
    return len;
}

static void recover(struct job *job)
{
    struct sk_store_take_voucher take = {.ticket = job->id, .user = sk_slice_str(job->name), .kind = SK_VOUCHER_CODE, .now = sk_clock_wall(),
            .secret = sk_slice(job->password, job->password_len)};
    memcpy(take.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_TAKE_VOUCHER, &take, taken);
}

void auth_recover(struct auth *auth, uint64_t worker, const struct sk_auth_recover *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_RECOVER, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        job->password_len = read_code(m->code, job->password);
        auth_ask_session(job, recover);
    }
}

/* ---- links ---- */

static void link_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    uint8_t random[32];
    if (!durable) {
        auth_refuse(job, "audit-unavailable");
        return;
    }
    sk_random(random, sizeof(random));
    job->password_len = sk_base64url_encode(sk_slice(random, sizeof(random)), job->password);
    sk_wipe(random, sizeof(random));
    keep(job, job->voucher, LINK_LIFETIME);
}

static void link_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.disabled || job->user.backend == SK_BACKEND_KEY ||
               (job->voucher == SK_VOUCHER_PASSWORD && job->user.backend == SK_BACKEND_PAM)) {
        auth_refuse(job, "unknown-user");
    } else {
        auth_record(job, SK_AUDIT_LINK_MADE, SK_AUDIT_DECISION_ALLOW, job->voucher == SK_VOUCHER_PASSWORD ? "password" : "authenticator", link_recorded);
    }
}

/* A worker says that the policy lets the asker do this, and is not believed: whoever makes a link can become the one it is for. */
static void make_link(struct job *job)
{
    if (!job->user.known || job->user.disabled || job->stale || !auth_asker_has(job, sk_slice_str(job->tenant->managers)) ||
            !auth_scope_allows(job->user.scope, SK_LIT(SK_POLICY_BUILTIN_NAME), SK_LIT("POST"))) {
        auth_deny(job, "not-permitted", "not-permitted");
        return;
    }
    auth_copy(job->name, sizeof(job->name), sk_slice_str(job->whom));
    auth_ask_user(job, sk_slice_str(job->whom), link_user);
}

void auth_make_link(struct auth *auth, uint64_t worker, const struct sk_auth_make_link *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_MAKE_LINK, m->tenant, m->host, m->session, m->proof);
    if (job) {
        TAKE_ORIGIN(job, m);
        auth_copy(job->whom, sizeof(job->whom), m->user);
        job->voucher = m->kind == SK_VOUCHER_PASSWORD ? SK_VOUCHER_PASSWORD : SK_VOUCHER_LINK;
        auth_find_asker(job, make_link);
    }
}
