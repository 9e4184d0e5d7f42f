/* What workers ask, step by step: look the user up, verify, record, answer. Each job ends with exactly one answer. */
#include "auth/auth.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/conf.h"
#include "journal/record.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a job's life ---- */

static void user_free(struct user *user)
{
    free(user->texts);
    *user = (struct user){.texts = NULL};
}

static void job_free(struct job *job)
{
    auth_verify_cancel(job);
    sk_recorder_forget(&job->auth->recorder, &job->wait);
    sk_timer_stop(&job->timer);
    *job->link = job->next;
    if (job->next) {
        job->next->link = job->link;
    }
    job->auth->jobs_count--;
    user_free(&job->user);
    sk_wipe(job, sizeof(*job));
    free(job);
}

static void wipe_password(struct job *job)
{
    sk_wipe(job->password, sizeof(job->password));
    job->password_len = 0;
}

static void refuse(struct job *job, const char *reason)
{
    struct sk_auth_refused m = {.ticket = job->ticket, .reason = sk_slice_str(reason)};
    auth_answer(job->auth, job->worker, SK_AUTH_REFUSED, &m);
    job_free(job);
}

static void done(struct job *job, uint64_t count)
{
    struct sk_auth_done m = {.ticket = job->ticket, .count = count};
    auth_answer(job->auth, job->worker, SK_AUTH_DONE, &m);
    job_free(job);
}

static void job_expired(struct sk_timer *timer)
{
    struct job *job = SK_CONTAINER(timer, struct job, timer);
    refuse(job, job->store_done ? "store-unavailable" : "login-expired");
}

static void copy(char *to, size_t size, struct sk_slice from)
{
    size_t len = from.len < size ? from.len : size - 1;
    if (len) {
        memcpy(to, from.data, len);
    }
    to[len] = '\0';
}

static struct job *job_new(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE])
{
    struct sk_auth_refused m = {.ticket = ticket, .reason = SK_LIT("busy")};
    struct job *job = auth->jobs_count < JOBS_MAX ? calloc(1, sizeof(*job)) : NULL;
    if (!job) {
        auth_answer(auth, worker, SK_AUTH_REFUSED, &m);
        return NULL;
    }
    *job = (struct job){.auth = auth, .id = ++auth->next_id, .kind = kind, .worker = worker, .ticket = ticket};
    memcpy(job->tenant, tenant, SK_ID_SIZE);
    sk_timer_init(&job->timer, auth->child.loop, job_expired);
    sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
    job->next = auth->jobs;
    job->link = &auth->jobs;
    if (job->next) {
        job->next->link = &job->next;
    }
    auth->jobs = job;
    auth->jobs_count++;
    return job;
}

static struct job *job_find(struct auth *auth, uint64_t id)
{
    for (struct job *job = auth->jobs; job; job = job->next) {
        if (job->id == id) {
            return job;
        }
    }
    return NULL;
}

static void ask_store(struct job *job, uint16_t code, const void *message, void (*then)(struct job *job, uint16_t code, const void *message))
{
    job->store_done = then;
    sk_timer_set(&job->timer, STORE_DEADLINE);
    if (!job->auth->store || sk_channel_send(job->auth->store, code, message, NULL) < 0) {
        refuse(job, "store-unavailable");
    }
}

/* ---- tenants ---- */

struct tenant *auth_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(id, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&auth->tenants, hash); n; n = sk_table_next(n)) {
        struct tenant *tenant = SK_CONTAINER(n, struct tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

void auth_drop_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE])
{
    struct tenant *tenant = auth_tenant(auth, id);
    if (tenant) {
        auth_revoke(auth, id, SK_SLICE_NULL, SK_SLICE_NULL);
        sk_table_remove(&auth->tenants, &tenant->node);
        free(tenant);
    }
}

void auth_revoke(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice subject)
{
    struct sk_auth_revoked m = {.session = session, .subject = subject};
    memcpy(m.tenant, tenant, SK_ID_SIZE);
    for (struct job *job = session.len ? NULL : auth->jobs; job; job = job->next) {
        /* A login under way was begun with facts that no longer hold. */
        if (memcmp(job->tenant, tenant, SK_ID_SIZE) == 0 && (!subject.len || sk_slice_eq(subject, sk_slice_str(job->name)))) {
            job->stale = true;
        }
    }
    auth_forget(auth, tenant, session, subject);
    auth_broadcast(auth, SK_AUTH_REVOKED, &m);
}

/* ---- records ---- */

static void record(struct job *job, enum sk_audit_op op, enum sk_audit_decision decision, const char *reason,
        void (*then)(struct sk_record_wait *wait, bool durable))
{
    struct sk_audit_record r = {.op = op,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = decision,
            .reason = sk_slice_str(reason),
            .subject = job->user.known ? job->user.name : sk_slice_str(job->name),
            .session = sk_slice_str(job->session),
            .factors = sk_slice_str(job->factors),
            .address = sk_slice(job->address, job->address_len),
            .port = job->port,
            .request = sk_slice(job->request, SK_ID_SIZE),
            .host = sk_slice_str(job->host),
            .agent = sk_slice_str(job->agent),
            .detail = sk_slice_str(job->target)};
    uint8_t cbor[SK_AUDIT_RECORD_MAX] sk_uninitialized;
    memcpy(r.tenant, job->tenant, SK_ID_SIZE);
    job->wait.done = then;
    if (sk_recorder_put(&job->auth->recorder, sk_slice(cbor, sk_record_encode(&r, cbor)), &job->wait)) {
        refuse(job, "audit-unavailable");
    }
}

static void refused_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    refuse(job, durable ? job->reason : "audit-unavailable");
}

/* ---- grants ---- */

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
                       (unsigned long long)now, (unsigned long long)now, (unsigned long long)now + 2 * GRANT_LIFETIME / SK_SECOND);
}

static void grant(struct job *job, uint64_t lifetime)
{
    struct sk_buf claims SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    struct sk_buf jws SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(32768);
    if (put_claims(job, &claims) || sk_sign_jws(job->auth->key, sk_buf_peek(&claims), &jws)) {
        refuse(job, "internal-error");
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
    auth_answer(job->auth, job->worker, SK_AUTH_GRANT, &m);
    job_free(job);
}

static int take_user(struct job *job, const struct sk_store_got_user *got)
{
    const struct sk_slice from[] = {got->name, got->hash, got->roles, got->networks};
    struct sk_slice *to[] = {&job->user.name, &job->user.hash, &job->user.roles, &job->user.networks};
    size_t size = 1;
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        size += from[i].len;
    }
    user_free(&job->user);
    char *at = job->user.texts = malloc(size);
    if (!at) {
        return -1;
    }
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        if (from[i].len) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = sk_slice(at, from[i].len);
        at += from[i].len;
    }
    job->user.backend = got->backend;
    job->user.restricted = got->restricted;
    job->user.disabled = got->disabled;
    job->user.known = true;
    return 0;
}

/* ---- login and basic ---- */

static void login_user(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code == SK_STORE_RESULT && result->status != 1) {
        refuse(job, "store-unavailable");
        return;
    }
    if (code == SK_STORE_GOT_USER && take_user(job, message)) {
        refuse(job, "internal-error");
        return;
    }
    auth_verify(job);
}

static void basic_grant(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        refuse(job, "audit-unavailable");
        return;
    }
    grant(job, GRANT_LIFETIME);
}

static void login_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        refuse(job, "audit-unavailable");
        return;
    }
    const struct tenant *tenant = auth_tenant(job->auth, job->tenant);
    grant(job, tenant && tenant->inactivity < GRANT_LIFETIME ? tenant->inactivity : GRANT_LIFETIME);
}

static void session_stored(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status != 0) {
        refuse(job, "store-unavailable");
        return;
    }
    record(job, SK_AUDIT_LOGIN, SK_AUDIT_DECISION_ALLOW, "login", login_recorded);
}

/* The session's id is a keyed hash of its token: who reads a record or the store cannot make the token of it. */
static void session_id(const struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice token, char out[65])
{
    uint8_t inner[SK_SHA256_SIZE], hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {SK_LIT("session"), sk_slice(tenant, SK_ID_SIZE), token};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(auth->secret, sizeof(auth->secret)), sk_slice(inner, sizeof(inner)), hash);
    sk_hex_encode(hash, 16, out);
}

static void new_session(struct job *job)
{
    uint8_t random[32];
    sk_random(random, sizeof(random));
    (void)sk_base64url_encode(sk_slice(random, sizeof(random)), job->token);
    sk_wipe(random, sizeof(random));
    session_id(job->auth, job->tenant, sk_slice_str(job->token), job->session);
    uint64_t now = sk_clock_wall();
    struct sk_store_put_session put = {.ticket = job->id,
            .key = sk_slice_str(job->session),
            .subject = job->user.name,
            .started = now,
            .used = now,
            .address = sk_slice(job->address, job->address_len),
            .factors = sk_slice_str(job->factors)};
    memcpy(put.tenant, job->tenant, SK_ID_SIZE);
    ask_store(job, SK_STORE_PUT_SESSION, &put, session_stored);
}

void auth_verified(struct job *job, enum verdict verdict)
{
    static const char *const reasons[] = {"login", "wrong-password", "account-disabled", "password-expired", "verification-failed"};
    const char *reason = reasons[verdict];
    bool known = job->user.known;
    if (known && verdict == VERDICT_RIGHT && job->user.disabled) {
        verdict = VERDICT_DISABLED;
        reason = reasons[VERDICT_DISABLED];
    }
    if (!known && verdict != VERDICT_BROKEN) {
        reason = "unknown-user";
    }
    if (verdict == VERDICT_RIGHT && job->stale) {
        verdict = VERDICT_BROKEN;
        reason = "account-changed";
    }
    if (verdict != VERDICT_RIGHT) {
        job->reason = verdict == VERDICT_BROKEN ? "verification-failed" : "login-failed";
        wipe_password(job);
        record(job, SK_AUDIT_LOGIN, verdict == VERDICT_BROKEN ? SK_AUDIT_DECISION_ERROR : SK_AUDIT_DECISION_DENY, reason, refused_recorded);
        return;
    }
    copy(job->factors, sizeof(job->factors), SK_LIT("pwd"));
    if (job->kind == SK_AUTH_BASIC) {
        uint8_t key[SK_SHA256_SIZE];
        auth_remember_key(job->auth, job->tenant, sk_slice_str(job->name), sk_slice(job->password, job->password_len), key);
        wipe_password(job);
        struct remembered *r = auth_remember(job->auth, job->tenant, sk_slice_str(job->name), key);
        if (!r) {
            refuse(job, "busy");
            return;
        }
        copy(job->session, sizeof(job->session), sk_slice_str(r->session));
        record(job, SK_AUDIT_LOGIN, SK_AUDIT_DECISION_ALLOW, "login", basic_grant);
        return;
    }
    wipe_password(job);
    new_session(job);
}

/* PAM asks more. A panel's user is asked on a page; a program with Basic cannot answer. */
void auth_prompt(struct job *job, struct sk_slice prompts)
{
    if (job->kind == SK_AUTH_BASIC) {
        auth_verify_cancel(job);
        auth_verified(job, VERDICT_WRONG);
        return;
    }
    uint8_t id[16];
    sk_random(id, sizeof(id));
    sk_hex_encode(id, sizeof(id), job->state);
    struct sk_auth_prompt m = {.ticket = job->ticket, .state = sk_slice_str(job->state), .prompts = prompts};
    auth_answer(job->auth, job->worker, SK_AUTH_PROMPT, &m);
    job->ticket = 0;
    sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
}

#define TAKE_ORIGIN(job, m)                                                                                  \
    do {                                                                                                     \
        memcpy((job)->request, (m)->request, SK_ID_SIZE);                                                    \
        (job)->address_len = (uint8_t)((m)->address.len);                                                    \
        memcpy((job)->address, (m)->address.data, (m)->address.len);                                         \
        (job)->port = (uint16_t)(m)->port;                                                                   \
        copy((job)->host, sizeof((job)->host), (m)->host);                                                   \
        copy((job)->agent, sizeof((job)->agent), (m)->agent);                                                \
    } while (0)

static void ask_user(struct job *job, struct sk_slice name, void (*then)(struct job *job, uint16_t code, const void *message))
{
    struct sk_store_get_user get = {.ticket = job->id, .name = name};
    memcpy(get.tenant, job->tenant, SK_ID_SIZE);
    ask_store(job, SK_STORE_GET_USER, &get, then);
}

static void begin_login(struct auth *auth, uint64_t worker, const struct sk_auth_login *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_LOGIN, m->tenant);
    if (job) {
        TAKE_ORIGIN(job, m);
        copy(job->name, sizeof(job->name), m->user);
        memcpy(job->password, m->password.data, m->password.len);
        job->password_len = m->password.len;
        ask_user(job, m->user, login_user);
    }
}

static void begin_answer(struct auth *auth, uint64_t worker, const struct sk_auth_answer *m)
{
    struct sk_auth_refused refused = {.ticket = m->ticket, .reason = SK_LIT("login-expired")};
    for (struct job *job = auth->jobs; job && m->state.len; job = job->next) {
        bool same = job->helper && memcmp(job->tenant, m->tenant, SK_ID_SIZE) == 0 && job->ticket == 0 &&
                    sk_digest_equal(sk_slice_str(job->state), m->state);
        if (same) {
            job->worker = worker;
            job->ticket = m->ticket;
            TAKE_ORIGIN(job, m);
            auth_continue(job, m->answers);
            return;
        }
    }
    auth_answer(auth, worker, SK_AUTH_REFUSED, &refused);
}

/* ---- remembered and renewed ---- */

static void renewed_user(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code == SK_STORE_RESULT) {
        refuse(job, result->status == 1 ? "login-required" : "store-unavailable");
        return;
    }
    if (take_user(job, message)) {
        refuse(job, "internal-error");
        return;
    }
    const struct tenant *tenant = auth_tenant(job->auth, job->tenant);
    if (job->user.disabled || !tenant) {
        refuse(job, "login-required");
        return;
    }
    if (job->basic_hit) {
        grant(job, GRANT_LIFETIME);
        return;
    }
    uint64_t now = sk_clock_wall(), age = now > job->started ? now - job->started : 0;
    uint64_t left = tenant->expiration > age ? tenant->expiration - age : 0;
    grant(job, left < tenant->inactivity ? left : tenant->inactivity);
}

static void begin_remembered(struct job *job, const struct remembered *r)
{
    job->basic_hit = true;
    copy(job->session, sizeof(job->session), sk_slice_str(r->session));
    copy(job->factors, sizeof(job->factors), SK_LIT("pwd"));
    ask_user(job, sk_slice_str(r->name), renewed_user);
}

static void begin_basic(struct auth *auth, uint64_t worker, const struct sk_auth_basic *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_BASIC, m->tenant);
    uint8_t key[SK_SHA256_SIZE];
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    copy(job->name, sizeof(job->name), m->user);
    auth_remember_key(auth, m->tenant, m->user, m->password, key);
    struct remembered *r = auth_remembered(auth, key);
    if (r) {
        begin_remembered(job, r);
        return;
    }
    memcpy(job->password, m->password.data, m->password.len);
    job->password_len = m->password.len;
    ask_user(job, m->user, login_user);
}

/* ---- sessions ---- */

static void dropped_expired(struct job *job, uint16_t code sk_unused, const void *message sk_unused)
{
    refuse(job, "login-required");
}

static void drop_session(struct job *job, struct sk_slice key, void (*then)(struct job *job, uint16_t code, const void *message))
{
    struct sk_store_drop_session drop = {.ticket = job->id, .key = key};
    memcpy(drop.tenant, job->tenant, SK_ID_SIZE);
    ask_store(job, SK_STORE_DROP_SESSION, &drop, then);
}

static void checked_session(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_got_session *got = message;
    const struct tenant *tenant = auth_tenant(job->auth, job->tenant);
    if (code == SK_STORE_RESULT || !tenant) {
        const struct sk_store_result *result = message;
        refuse(job, code == SK_STORE_RESULT && result->status == 1 ? "login-required" : "store-unavailable");
        return;
    }
    uint64_t now = sk_clock_wall(), boot = sk_clock_boot();
    uint64_t used = got->used;
    if (job->used && job->used <= boot && now - (boot - job->used) > used) {
        used = now - (boot - job->used);
    }
    bool alive = now < got->started + tenant->expiration && now < used + tenant->inactivity;
    job->started = got->started;
    copy(job->factors, sizeof(job->factors), got->factors);
    copy(job->name, sizeof(job->name), got->subject);
    if (!alive) {
        drop_session(job, sk_slice_str(job->session), dropped_expired);
        return;
    }
    struct sk_store_touch_session touch = {.key = sk_slice_str(job->session), .used = now};
    memcpy(touch.tenant, job->tenant, SK_ID_SIZE);
    (void)!sk_channel_send(job->auth->store, SK_STORE_TOUCH_SESSION, &touch, NULL);
    ask_user(job, sk_slice_str(job->name), renewed_user);
}

static void check(struct job *job)
{
    struct sk_store_get_session get = {.ticket = job->id, .key = sk_slice_str(job->session)};
    memcpy(get.tenant, job->tenant, SK_ID_SIZE);
    ask_store(job, SK_STORE_GET_SESSION, &get, checked_session);
}

static void begin_check(struct auth *auth, uint64_t worker, const struct sk_auth_check *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_CHECK, m->tenant);
    if (job) {
        copy(job->host, sizeof(job->host), m->host);
        job->used = m->used;
        session_id(auth, m->tenant, m->token, job->session);
        check(job);
    }
}

static void begin_renew(struct auth *auth, uint64_t worker, const struct sk_auth_renew *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_RENEW, m->tenant);
    if (!job) {
        return;
    }
    copy(job->host, sizeof(job->host), m->host);
    job->used = m->used;
    copy(job->session, sizeof(job->session), m->session);
    if (sk_slice_starts(m->session, SK_LIT("basic-"))) {
        struct remembered *r = auth_remembered_session(auth, m->tenant, m->session);
        if (r) {
            r->until = sk_clock_boot() + REMEMBER_LIFETIME;
            begin_remembered(job, r);
        } else {
            refuse(job, "login-required");
        }
        return;
    }
    check(job);
}

static void logged_out(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 2) {
        refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant, sk_slice_str(job->session), SK_SLICE_NULL);
    done(job, 1);
}

static void logout_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        refuse(job, "audit-unavailable");
    } else if (sk_slice_starts(sk_slice_str(job->session), SK_LIT("basic-"))) {
        auth_revoke(job->auth, job->tenant, sk_slice_str(job->session), SK_SLICE_NULL);
        done(job, 1);
    } else {
        drop_session(job, sk_slice_str(job->session), logged_out);
    }
}

static void logout_session(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SESSION) {
        copy(job->name, sizeof(job->name), ((const struct sk_store_got_session *)message)->subject);
    }
    record(job, SK_AUDIT_LOGOUT, SK_AUDIT_DECISION_ALLOW, "logout", logout_recorded);
}

static void begin_logout(struct auth *auth, uint64_t worker, const struct sk_auth_logout *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_LOGOUT, m->tenant);
    if (job) {
        struct sk_store_get_session get = {.ticket = job->id, .key = m->session};
        TAKE_ORIGIN(job, m);
        copy(job->session, sizeof(job->session), m->session);
        memcpy(get.tenant, job->tenant, SK_ID_SIZE);
        ask_store(job, SK_STORE_GET_SESSION, &get, logout_session);
    }
}

/* ---- listing and revoking ---- */

static void list_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_RESULT) {
        const struct sk_store_result *result = message;
        if (result->status == 2) {
            refuse(job, "store-unavailable");
        } else {
            done(job, result->count);
        }
        return;
    }
    const struct sk_store_got_session *got = message;
    const struct tenant *tenant = auth_tenant(job->auth, job->tenant);
    uint64_t now = sk_clock_wall();
    bool alive = tenant && now < got->started + tenant->expiration && now < got->used + tenant->inactivity;
    if (alive && (job->name[0] == '\0' || sk_slice_eq(got->subject, sk_slice_str(job->name)))) {
        struct sk_auth_session m = {.ticket = job->ticket, .session = got->key, .subject = got->subject, .started = got->started,
                .used = got->used, .address = got->address};
        auth_answer(job->auth, job->worker, SK_AUTH_SESSION, &m);
    }
}

static void begin_list(struct auth *auth, uint64_t worker, const struct sk_auth_list *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_LIST, m->tenant);
    if (job) {
        struct sk_store_list_sessions list = {.ticket = job->id};
        copy(job->name, sizeof(job->name), m->user);
        memcpy(list.tenant, job->tenant, SK_ID_SIZE);
        ask_store(job, SK_STORE_LIST_SESSIONS, &list, list_row);
    }
}

static void revoked_one(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 2) {
        refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant, sk_slice_str(job->target), SK_SLICE_NULL);
    done(job, result->status == 0);
}

/* Sessions of one user: each is dropped as it is listed; grants of the subject go at the end. */
static void revoke_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SESSION) {
        const struct sk_store_got_session *got = message;
        if (sk_slice_eq(got->subject, sk_slice(job->name, strlen(job->name)))) {
            struct sk_store_drop_session drop = {.ticket = 0, .key = got->key};
            memcpy(drop.tenant, job->tenant, SK_ID_SIZE);
            (void)!sk_channel_send(job->auth->store, SK_STORE_DROP_SESSION, &drop, NULL);
            job->used++;
        }
        return;
    }
    const struct sk_store_result *result = message;
    if (result->status == 2) {
        refuse(job, "store-unavailable");
        return;
    }
    auth_revoke(job->auth, job->tenant, SK_SLICE_NULL, sk_slice_str(job->name));
    done(job, job->used);
}

static void revoke_recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (!durable) {
        refuse(job, "audit-unavailable");
    } else if (job->target[0]) {
        drop_session(job, sk_slice_str(job->target), revoked_one);
    } else {
        struct sk_store_list_sessions list = {.ticket = job->id};
        memcpy(list.tenant, job->tenant, SK_ID_SIZE);
        ask_store(job, SK_STORE_LIST_SESSIONS, &list, revoke_row);
    }
}

static void begin_revoke(struct auth *auth, uint64_t worker, const struct sk_auth_revoke *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_REVOKE, m->tenant);
    if (job) {
        TAKE_ORIGIN(job, m);
        copy(job->session, sizeof(job->session), m->session);
        copy(job->target, sizeof(job->target), m->target);
        copy(job->name, sizeof(job->name), m->user);
        record(job, SK_AUDIT_SESSION_ENDED, SK_AUDIT_DECISION_ALLOW, "revoked", revoke_recorded);
    }
}

static void secret_row(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_SECRET) {
        const struct sk_store_got_secret *got = message;
        struct sk_auth_secret m = {.ticket = job->ticket, .header = got->header, .value = got->value};
        auth_answer(job->auth, job->worker, SK_AUTH_SECRET, &m);
        return;
    }
    const struct sk_store_result *result = message;
    if (result->status == 2) {
        refuse(job, "store-unavailable");
    } else {
        done(job, result->count);
    }
}

static void begin_secrets(struct auth *auth, uint64_t worker, const struct sk_auth_secrets *m)
{
    struct job *job = job_new(auth, worker, m->ticket, SK_AUTH_SECRETS, m->tenant);
    if (job) {
        struct sk_store_get_secrets get = {.ticket = job->id, .app = m->app};
        memcpy(get.tenant, job->tenant, SK_ID_SIZE);
        ask_store(job, SK_STORE_GET_SECRETS, &get, secret_row);
    }
}

static void note_used(struct auth *auth, const struct sk_auth_used *m)
{
    uint64_t now = sk_clock_wall(), boot = sk_clock_boot();
    struct sk_store_touch_session touch = {.key = m->session, .used = m->used < boot ? now - (boot - m->used) : now};
    memcpy(touch.tenant, m->tenant, SK_ID_SIZE);
    if (auth->store) {
        (void)!sk_channel_send(auth->store, SK_STORE_TOUCH_SESSION, &touch, NULL);
    }
}

/* ---- doors ---- */

void auth_from_worker(struct auth *auth, uint64_t worker, uint16_t code, const void *message)
{
    switch (code) {
    case SK_AUTH_LOGIN:
        begin_login(auth, worker, message);
        break;
    case SK_AUTH_ANSWER:
        begin_answer(auth, worker, message);
        break;
    case SK_AUTH_BASIC:
        begin_basic(auth, worker, message);
        break;
    case SK_AUTH_CHECK:
        begin_check(auth, worker, message);
        break;
    case SK_AUTH_RENEW:
        begin_renew(auth, worker, message);
        break;
    case SK_AUTH_LOGOUT:
        begin_logout(auth, worker, message);
        break;
    case SK_AUTH_LIST:
        begin_list(auth, worker, message);
        break;
    case SK_AUTH_REVOKE:
        begin_revoke(auth, worker, message);
        break;
    case SK_AUTH_USED:
        note_used(auth, message);
        break;
    case SK_AUTH_SECRETS:
        begin_secrets(auth, worker, message);
        break;
    default:
        break;
    }
}

void auth_from_store(struct auth *auth, uint16_t code, const void *message)
{
    if (code == SK_STORE_CHANGED) {
        const struct sk_store_changed *m = message;
        struct sk_slice names = m->names;
        while (names.len) {
            auth_revoke(auth, m->tenant, SK_SLICE_NULL, sk_slice_split(&names, ','));
        }
        return;
    }
    /* Every other message of the store begins with the ticket of what was asked. */
    struct job *job = job_find(auth, *(const uint64_t *)message);
    bool more = code == SK_STORE_GOT_SECRET || (code == SK_STORE_GOT_SESSION && job && (job->kind == SK_AUTH_LIST || job->kind == SK_AUTH_REVOKE));
    if (job && job->store_done) {
        void (*then)(struct job *of, uint16_t what, const void *said) = job->store_done;
        if (!more) {
            job->store_done = NULL;
            sk_timer_set(&job->timer, CONVERSATION_LIFETIME);
        }
        then(job, code, message);
    }
}

void auth_store_lost(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        refuse(job, "store-unavailable");
    }
}

void auth_worker_lost(struct auth *auth, uint64_t worker)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (job->worker == worker && job->ticket) {
            job_free(job);
        }
    }
}
