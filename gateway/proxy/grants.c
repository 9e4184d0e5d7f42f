/* Grants: what auth said of a credential, remembered for as long as it said. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/clock.h"
#include "crypto/digest.h"

#include <errno.h>
#include <stdlib.h>

#define GRANTS_MAX 200000
#define WITHOUT_AUTH (30 * SK_SECOND) /* how long a stream may go on while auth is away */

/* A question to auth, by its ticket. For a grant, an exchange, or an app's secrets. */
struct sk_ask {
    struct sk_ask *next, **link;
    uint64_t ticket;
    struct sk_grant *grant;
    struct sk_exchange *x;
    struct sk_app *app; /* with a reference to its site */
};

static struct sk_ask *ask_new(struct sk_gate *gate)
{
    struct sk_ask *ask = calloc(1, sizeof(*ask));
    if (ask) {
        ask->ticket = ++gate->next_ticket;
        ask->next = gate->asks;
        ask->link = &gate->asks;
        if (ask->next) {
            ask->next->link = &ask->next;
        }
        gate->asks = ask;
    }
    return ask;
}

static void ask_free(struct sk_ask *ask)
{
    *ask->link = ask->next;
    if (ask->next) {
        ask->next->link = ask->link;
    }
    free(ask);
}

static struct sk_ask *ask_find(struct sk_gate *gate, uint64_t ticket)
{
    struct sk_ask *ask = gate->asks;
    while (ask && ask->ticket != ticket) {
        ask = ask->next;
    }
    return ask;
}

/* Sends; the first field of every question is its ticket. 0 or negative, and then the question is gone. */
static int ask_send(struct sk_gate *gate, struct sk_ask *ask, uint16_t code, void *message)
{
    *(uint64_t *)message = ask->ticket;
    int r = gate->auth ? sk_channel_send(gate->auth, code, message, NULL) : -EPIPE;
    if (r < 0) {
        ask_free(ask);
    } else {
        SK_COUNT_UP(gate, grants_asked, 1);
    }
    return r;
}

/* ---- grants ---- */

static void grant_uncache(struct sk_grant *grant)
{
    if (grant->cached) {
        grant->cached = false;
        sk_table_remove(&grant->gate->grants, &grant->node);
    }
}

static void grant_free_if_unused(struct sk_grant *grant)
{
    if (grant->refs || grant->cached || grant->asking) {
        return;
    }
    (void)sk_tenant_unref(grant->tenant);
    sk_wipe(grant->texts, grant->texts_size);
    free(grant->texts);
    sk_wipe(grant->key, sizeof(grant->key));
    free(grant);
}

static void wake_waiting(struct sk_grant *grant)
{
    grant->refs++;
    while (grant->waiting) {
        struct sk_exchange *x = grant->waiting;
        grant->waiting = x->waiting_next;
        x->waiting_grant = false;
        sk_exchange_resume(x);
    }
    grant->refs--;
}

/* The grant is no more: streams under it are cut, those who wait are refused. */
static void grant_end(struct sk_grant *grant, const char *reason)
{
    grant->refs++;
    grant->state = SK_GRANT_DEAD;
    grant->reason = reason;
    grant_uncache(grant);
    wake_waiting(grant);
    for (struct sk_exchange *x = grant->users, *next; x; x = next) {
        next = x->grant_next;
        sk_exchange_cut(x, reason);
    }
    grant->refs--;
    grant_free_if_unused(grant);
}

const struct sk_policy_subject *sk_grant_subject(struct sk_grant *grant, struct sk_site *site)
{
    if (grant->state != SK_GRANT_GOOD) {
        return NULL;
    }
    if (grant->resolved != site->serial) {
        struct sk_policy_subject s = {.restricted = grant->restricted};
        memcpy(s.proven, grant->proven, sizeof(s.proven));
        struct sk_slice roles = grant->roles, networks = grant->networks;
        while (roles.len) {
            int32_t role = sk_policy_find_role(&site->image.policy, sk_slice_split(&roles, ','));
            if (role < 0) {
                /* Of another version of the tenant. What it would deny cannot be known: it has no role at all until
                 * auth says what it has now. */
                s.roles = (struct sk_policy_set){0};
                break;
            }
            sk_policy_set_add(&s.roles, (unsigned)role);
        }
        while (networks.len) {
            int32_t network = sk_policy_find_network(&site->image.policy, sk_slice_split(&networks, ','));
            if (network >= 0) {
                sk_policy_set_add(&s.networks, (unsigned)network);
            }
        }
        for (struct sk_slice scope = grant->scope; scope.len;) {
            (void)!sk_policy_scope_add(&site->image.policy, sk_slice_split(&scope, ';'), &s);
        }
        grant->subject_sets = s;
        grant->resolved = site->serial;
    }
    return &grant->subject_sets;
}

static void hold(struct sk_grant *grant, struct sk_exchange *x)
{
    x->grant = grant;
    grant->refs++;
    x->grant_next = grant->users;
    x->grant_link = &grant->users;
    if (x->grant_next) {
        x->grant_next->grant_link = &x->grant_next;
    }
    grant->users = x;
    if (grant->state == SK_GRANT_ASKING) {
        x->waiting_grant = true;
        x->waiting_next = grant->waiting;
        grant->waiting = x;
    }
}

void sk_grant_release(struct sk_exchange *x)
{
    struct sk_grant *grant = x->grant;
    if (!grant) {
        return;
    }
    if (x->waiting_grant) {
        struct sk_exchange **at = &grant->waiting;
        while (*at != x) {
            at = &(*at)->waiting_next;
        }
        *at = x->waiting_next;
        x->waiting_grant = false;
    }
    *x->grant_link = x->grant_next;
    if (x->grant_next) {
        x->grant_next->grant_link = x->grant_link;
    }
    x->grant = NULL;
    grant->refs--;
    grant_free_if_unused(grant);
}

/* A password's grant is for the network it came from: from another, a guess that hits is an attempt like any other. */
static void grant_key(struct sk_exchange *x, const char *kind, struct sk_slice credential, uint8_t key[32])
{
    bool password = strcmp(kind, "basic") == 0;
    uint8_t len = !password ? 0 : x->conn->address_bytes_len == 16 ? 8 : x->conn->address_bytes_len;
    const struct sk_slice parts[] = {sk_slice(x->gate->secret, sizeof(x->gate->secret)), sk_slice(x->site->tenant->id, SK_ID_SIZE), sk_slice(&len, 1),
            sk_slice(x->conn->address.bytes, len), sk_slice_str(kind), x->stream->request.host, SK_LIT("\n"), credential};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), key);
}

/* Of a credential that may be good with one certificate alone, and as long as that is the same holder's: with another, and without, it is asked for anew. */
static void grant_key_here(struct sk_exchange *x, const char *kind, struct sk_slice credential, struct sk_slice fingerprint, uint8_t key[32])
{
    uint8_t plain[32];
    grant_key(x, kind, credential, plain);
    const struct sk_slice parts[] = {sk_slice(plain, sizeof(plain)), fingerprint, sk_certificate_holder(x->conn)};
    memcpy(key, plain, sizeof(plain));
    if (fingerprint.len) {
        sk_digest_sha256_parts(parts, SK_COUNT(parts), key);
    }
}

static struct sk_grant *find(struct sk_gate *gate, const uint8_t key[32])
{
    uint64_t hash;
    memcpy(&hash, key, sizeof(hash));
    for (struct sk_table_node *n = sk_table_first(&gate->grants, hash); n; n = sk_table_next(n)) {
        struct sk_grant *grant = SK_CONTAINER(n, struct sk_grant, node);
        if (sk_digest_equal(sk_slice(grant->key, 32), sk_slice(key, 32))) {
            return grant;
        }
    }
    return NULL;
}

/* `key` NULL: it is found by nobody else. */
static struct sk_grant *grant_new(struct sk_exchange *x, const uint8_t key[32])
{
    struct sk_gate *gate = x->gate;
    uint64_t hash;
    struct sk_grant *grant = gate->grants.count < GRANTS_MAX ? calloc(1, sizeof(*grant)) : NULL;
    if (!grant) {
        return NULL;
    }
    grant->gate = gate;
    grant->tenant = x->site->tenant;
    grant->tenant->refs++;
    struct sk_slice host = sk_slice_cut(x->stream->request.host, sizeof(grant->host) - 1);
    memcpy(grant->host, host.data, host.len);
    if (key) {
        memcpy(grant->key, key, 32);
        memcpy(&hash, key, sizeof(hash));
        grant->cached = sk_table_add(&gate->grants, &grant->node, hash) == 0;
    }
    return grant;
}

/* A grant that is still good, or NULL; one past its time is asked for anew under the same credential. */
static struct sk_grant *good(struct sk_exchange *x, const uint8_t key[32], uint64_t *used)
{
    struct sk_grant *grant = find(x->gate, key);
    uint64_t now = sk_clock_boot();
    *used = 0;
    if (grant && grant->state == SK_GRANT_ASKING) {
        hold(grant, x);
        return grant;
    }
    if (grant && now < grant->until) {
        grant->used = now;
        hold(grant, x);
        return grant;
    }
    if (grant) {
        *used = grant->used;
        grant_uncache(grant);
        grant_free_if_unused(grant);
    }
    return NULL;
}

/* Asks for a new grant with a message of that code. NULL when it cannot be asked. */
static struct sk_grant *ask_grant(struct sk_exchange *x, const uint8_t key[32], uint16_t code, void *message)
{
    struct sk_grant *grant = grant_new(x, key);
    struct sk_ask *ask = grant ? ask_new(x->gate) : NULL;
    if (grant && ask) {
        ask->grant = grant;
        grant->asking = true;
        if (ask_send(x->gate, ask, code, message) == 0) {
            hold(grant, x);
            return grant;
        }
        grant->asking = false;
    }
    if (grant) {
        grant_uncache(grant);
        grant_free_if_unused(grant);
    }
    return NULL;
}

struct sk_grant *sk_grant_basic(struct sk_exchange *x, struct sk_slice credentials, struct sk_slice user, struct sk_slice password)
{
    uint8_t key[32];
    uint64_t used;
    grant_key(x, "basic", credentials, key);
    struct sk_grant *grant = good(x, key, &used);
    if (grant || !user.data) {
        return grant;
    }
    struct sk_auth_basic m = {.user = user, .password = password};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, key, SK_AUTH_BASIC, &m);
}

struct sk_grant *sk_grant_key(struct sk_exchange *x, struct sk_slice token, struct sk_slice user, struct sk_slice secret)
{
    uint8_t key[32], digest[32];
    uint64_t used;
    struct sk_slice fingerprint = sk_certificate_fingerprint(x->conn, digest);
    grant_key_here(x, "key", token, fingerprint, key);
    struct sk_grant *grant = good(x, key, &used);
    if (grant) {
        return grant;
    }
    struct sk_auth_key m = {.user = user, .secret = secret, .fingerprint = fingerprint};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, key, SK_AUTH_KEY, &m);
}

struct sk_grant *sk_grant_token(struct sk_exchange *x, struct sk_slice token)
{
    uint8_t key[32], digest[32];
    uint64_t used;
    struct sk_slice fingerprint = sk_certificate_fingerprint(x->conn, digest);
    grant_key_here(x, "token", token, fingerprint, key);
    struct sk_grant *grant = good(x, key, &used);
    if (grant) {
        return grant;
    }
    struct sk_auth_token m = {.authority = x->stream->request.authority, .bearer = token, .fingerprint = fingerprint,
            .holder = sk_certificate_holder(x->conn)};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, key, SK_AUTH_TOKEN, &m);
}

struct sk_grant *sk_grant_certificate(struct sk_exchange *x, struct sk_slice user, struct sk_slice fingerprint)
{
    uint8_t key[32];
    uint64_t used;
    const struct sk_slice parts[] = {fingerprint, user};
    grant_key(x, "certificate", sk_arena_join(x->arena, parts, SK_COUNT(parts)), key);
    struct sk_grant *grant = good(x, key, &used);
    if (grant) {
        return grant;
    }
    struct sk_auth_certificate m = {.user = user, .fingerprint = fingerprint};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, key, SK_AUTH_CERTIFICATE, &m);
}

struct sk_grant *sk_grant_bound(struct sk_exchange *x, struct sk_slice token, struct sk_slice proof)
{
    const struct sk_request *r = &x->stream->request;
    uint8_t digest[32];
    struct sk_auth_token m = {.authority = r->authority, .bearer = token, .bound = 1, .proof = proof, .method = r->method, .path = r->path,
            .fingerprint = sk_certificate_fingerprint(x->conn, digest), .holder = sk_certificate_holder(x->conn)};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, NULL, SK_AUTH_TOKEN, &m);
}

struct sk_grant *sk_grant_client(struct sk_exchange *x, struct sk_slice user, struct sk_slice assertion)
{
    struct sk_auth_client m = {.authority = x->stream->request.authority, .user = user, .bearer = assertion};
    SK_FILL_ORIGIN(&m, x);
    return ask_grant(x, NULL, SK_AUTH_CLIENT, &m);
}

struct sk_grant *sk_grant_cookie(struct sk_exchange *x, struct sk_slice token)
{
    uint8_t key[32];
    uint64_t used;
    grant_key(x, "cookie", token, key);
    struct sk_grant *grant = good(x, key, &used);
    if (grant) {
        return grant;
    }
    struct sk_auth_check m = {.host = x->stream->request.host, .token = token, .used = used};
    memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
    return ask_grant(x, key, SK_AUTH_CHECK, &m);
}

static int take_texts(struct sk_grant *grant, const struct sk_auth_grant *m)
{
    const struct sk_slice from[] = {m->session, m->proof, m->subject, m->roles, m->networks, m->scope, m->factors, m->assertion};
    struct sk_slice *to[] = {
            &grant->session, &grant->proof, &grant->subject, &grant->roles, &grant->networks, &grant->scope, &grant->factors, &grant->assertion};
    size_t size = 1;
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        size += from[i].len;
    }
    char *texts = malloc(size), *at = texts;
    if (!texts) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        if (from[i].len) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = sk_slice(at, from[i].len);
        at += from[i].len;
    }
    sk_wipe(grant->texts, grant->texts_size);
    free(grant->texts);
    grant->texts = texts;
    grant->texts_size = size;
    return 0;
}

static void told_grant(struct sk_grant *grant, uint16_t code, const void *message)
{
    grant->asking = false;
    if (code == SK_AUTH_GRANT && grant->state != SK_GRANT_DEAD) {
        const struct sk_auth_grant *m = message;
        if (take_texts(grant, m) == 0) {
            grant->state = SK_GRANT_GOOD;
            grant->restricted = m->restricted;
            sk_policy_proofs_read(m->proofs, grant->proven);
            grant->resolved = 0;
            grant->used = grant->used ? grant->used : sk_clock_boot();
            grant->reported = grant->used;
            grant->until = sk_clock_boot() + m->lifetime;
            wake_waiting(grant);
            grant_free_if_unused(grant);
            return;
        }
    }
    static const char *const reasons[] = {"login-failed", "login-required", SK_TOO_MANY_ATTEMPTS};
    const struct sk_auth_refused *refused = code == SK_AUTH_REFUSED ? message : NULL;
    const char *reason = "auth-unavailable";
    for (size_t i = 0; refused && i < SK_COUNT(reasons); i++) {
        reason = sk_slice_eq(refused->reason, sk_slice_str(reasons[i])) ? reasons[i] : reason;
    }
    grant->retry_after = refused ? refused->retry_after : 0;
    grant_end(grant, reason);
}

/* Streams outlive their grant's time: it is renewed by its session, without the credential. */
static void renew(struct sk_grant *grant)
{
    struct sk_auth_renew m = {.host = sk_slice_str(grant->host), .session = grant->session, .proof = grant->proof, .used = grant->used};
    struct sk_ask *ask = ask_new(grant->gate);
    memcpy(m.tenant, grant->tenant->id, SK_ID_SIZE);
    if (ask) {
        ask->grant = grant;
        grant->asking = true;
        if (ask_send(grant->gate, ask, SK_AUTH_RENEW, &m) == 0) {
            return;
        }
        grant->asking = false;
    }
    grant_end(grant, "auth-unavailable");
}

/* What this worker saw of a session counts at the others too: auth hears of it, now and then. */
static void report_used(struct sk_grant *grant)
{
    struct sk_site *site = grant->tenant->site;
    struct sk_auth_used m = {.session = grant->session, .proof = grant->proof, .used = grant->used};
    if (grant->state == SK_GRANT_GOOD && site && grant->used > grant->reported + site->set.inactivity / 10 && grant->gate->auth &&
            !sk_slice_starts(grant->session, SK_LIT("basic-"))) {
        memcpy(m.tenant, grant->tenant->id, SK_ID_SIZE);
        grant->reported = grant->used;
        (void)!sk_channel_send(grant->gate->auth, SK_AUTH_USED, &m, NULL);
    }
}

void sk_grants_tick(struct sk_gate *gate)
{
    uint64_t now = sk_clock_boot();
    for (struct sk_exchange *x = gate->exchanges, *next; x; x = next) {
        next = x->next;
        struct sk_grant *grant = x->step == SK_STEP_RELAY ? x->grant : NULL;
        bool due = grant && grant->state == SK_GRANT_GOOD && !grant->asking && grant->until <= now;
        if (due && (gate->auth_open || grant->until + WITHOUT_AUTH < now)) {
            renew(grant);
            next = gate->exchanges; /* cutting streams may have changed the list */
        }
    }
    for (struct sk_table_node *n = sk_table_walk(&gate->grants, NULL); n;) {
        struct sk_table_node *after = sk_table_walk(&gate->grants, n);
        struct sk_grant *grant = SK_CONTAINER(n, struct sk_grant, node);
        report_used(grant);
        if (grant->refs == 0 && !grant->asking && grant->until + 600 * SK_SECOND < now) {
            grant_uncache(grant);
            grant_free_if_unused(grant);
        }
        n = after;
    }
}

static void revoked(struct sk_gate *gate, const struct sk_auth_revoked *m)
{
    for (struct sk_table_node *n = sk_table_walk(&gate->grants, NULL); n;) {
        struct sk_table_node *after = sk_table_walk(&gate->grants, n);
        struct sk_grant *grant = SK_CONTAINER(n, struct sk_grant, node);
        bool same = memcmp(grant->tenant->id, m->tenant, SK_ID_SIZE) == 0 && grant->state == SK_GRANT_GOOD &&
                    (!m->session.len || sk_slice_eq(m->session, grant->session)) &&
                    (!m->subject.len || sk_slice_eq(m->subject, grant->subject));
        if (same) {
            grant_uncache(grant);
            grant_end(grant, "session-ended");
        }
        n = after;
    }
    /* Grants no longer in the cache, because a newer one took their place, may still carry streams. */
    for (struct sk_exchange *x = gate->exchanges, *next; x; x = next) {
        next = x->next;
        struct sk_grant *grant = x->grant;
        bool same = grant && grant->state == SK_GRANT_GOOD && memcmp(grant->tenant->id, m->tenant, SK_ID_SIZE) == 0 &&
                    (!m->session.len || sk_slice_eq(m->session, grant->session)) &&
                    (!m->subject.len || sk_slice_eq(m->subject, grant->subject));
        if (same) {
            grant_end(grant, "session-ended");
            next = gate->exchanges;
        }
    }
}

/* ---- exchanges' own questions and secrets ---- */

int sk_auth_ask(struct sk_exchange *x, uint16_t code, void *message)
{
    struct sk_ask *ask = ask_new(x->gate);
    if (!ask) {
        return -ENOMEM;
    }
    ask->x = x;
    x->ask = ask->ticket;
    int r = ask_send(x->gate, ask, code, message);
    x->ask = r ? 0 : x->ask;
    return r;
}

void sk_auth_forget(struct sk_exchange *x)
{
    for (struct sk_ask *ask = x->gate->asks; ask && x->waiting_secrets; ask = ask->next) {
        for (struct sk_exchange **at = ask->app ? &ask->app->secrets_waiting : NULL; at && *at; at = &(*at)->waiting_next) {
            if (*at == x) {
                *at = x->waiting_next;
                x->waiting_secrets = false;
                break;
            }
        }
    }
    struct sk_ask *own = x->ask ? ask_find(x->gate, x->ask) : NULL;
    struct sk_auth_cancel cancel = {.ticket = x->ask};
    if (own && x->trail && x->gate->auth) {
        (void)!sk_channel_send(x->gate->auth, SK_AUTH_CANCEL, &cancel, NULL); /* it would go on searching for nobody */
    }
    if (own) {
        ask_free(own);
    }
    x->ask = 0;
}

static void told_secret(struct sk_app *app, const struct sk_auth_secret *m)
{
    struct sk_secret *secret = calloc(1, sizeof(*secret) + m->header.len + m->value.len);
    if (secret) {
        char *texts = (char *)(secret + 1);
        memcpy(texts, m->header.data, m->header.len);
        memcpy(texts + m->header.len, m->value.data, m->value.len);
        secret->header = sk_slice(texts, m->header.len);
        secret->value = sk_slice(texts + m->header.len, m->value.len);
        secret->next = app->secrets;
        app->secrets = secret;
    }
}

/* One for each name that the app injects: without one of them a request would go out without its key. */
static bool secrets_complete(const struct sk_app *app)
{
    size_t names = 0, secrets = 0;
    for (struct sk_slice list = app->set.inject; list.len; names++) {
        (void)sk_slice_split(&list, ',');
    }
    for (const struct sk_secret *s = app->secrets; s; s = s->next) {
        secrets++;
    }
    return secrets == names;
}

static void secrets_done(struct sk_app *app, bool known)
{
    struct sk_site *site = app->site;
    app->secrets_known = known && secrets_complete(app);
    app->secrets_asked = false;
    if (!app->secrets_known) {
        sk_app_forget_secrets(app);
    }
    while (app->secrets_waiting) {
        struct sk_exchange *x = app->secrets_waiting;
        app->secrets_waiting = x->waiting_next;
        x->waiting_secrets = false;
        if (app->secrets_known) {
            sk_exchange_resume(x);
        } else {
            /* Not resumed: it would only ask again. */
            sk_conn_touch(x->conn);
            sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("secrets-unavailable"));
        }
    }
    (void)sk_site_unref(site);
}

int sk_secrets_need(struct sk_exchange *x, struct sk_app *app)
{
    if (app->secrets_known) {
        return 0;
    }
    if (!app->secrets_asked) {
        struct sk_auth_secrets m = {.app = sk_policy_app_name(&app->site->image.policy, (int32_t)(app - app->site->apps))};
        struct sk_ask *ask = ask_new(x->gate);
        memcpy(m.tenant, app->site->tenant->id, SK_ID_SIZE);
        if (!ask) {
            return -ENOMEM;
        }
        ask->app = app;
        int r = ask_send(x->gate, ask, SK_AUTH_SECRETS, &m);
        if (r < 0) {
            return r;
        }
        app->secrets_asked = true;
        (void)sk_site_ref(app->site);
    }
    x->waiting_secrets = true;
    x->waiting_next = app->secrets_waiting;
    app->secrets_waiting = x;
    return 1;
}

/* ---- the channel ---- */

/* Is it a grant of the tenant that was asked for? Nothing crosses tenants, whatever went wrong before it came here. */
static bool is_own(const struct sk_ask *ask, const struct sk_auth_grant *m)
{
    const struct sk_tenant *tenant = ask->grant ? ask->grant->tenant : ask->x ? ask->x->site->tenant : NULL;
    return tenant && memcmp(tenant->id, m->tenant, SK_ID_SIZE) == 0;
}

static void told(struct sk_gate *gate, uint16_t code, const void *message)
{
    uint64_t ticket = *(const uint64_t *)message;
    struct sk_ask *ask = ask_find(gate, ticket);
    struct sk_auth_refused refused = {.ticket = ticket, .reason = SK_LIT("internal-error")};
    if (!ask) {
        return;
    }
    if (code == SK_AUTH_GRANT && !is_own(ask, message)) {
        code = SK_AUTH_REFUSED;
        message = &refused;
    }
    bool more = code == SK_AUTH_SECRET || code == SK_AUTH_SESSION || code == SK_AUTH_BAN || code == SK_AUTH_AUTHENTICATOR || code == SK_AUTH_API_KEY ||
                code == SK_AUTH_RECORD || code == SK_AUTH_COUNT || code == SK_AUTH_PROOF;
    struct sk_grant *grant = ask->grant;
    struct sk_exchange *x = ask->x;
    struct sk_app *app = ask->app;
    if (!more) {
        ask_free(ask);
    }
    if (grant) {
        told_grant(grant, code, message);
    } else if (app && code == SK_AUTH_SECRET) {
        told_secret(app, message);
    } else if (app) {
        secrets_done(app, code == SK_AUTH_DONE);
    } else if (x) {
        x->ask = more ? x->ask : 0;
        sk_exchange_told(x, code, message);
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct sk_gate *gate = context;
    switch (code) {
    case SK_AUTH_STATE:
        gate->auth_open = ((const struct sk_auth_state *)message)->open;
        break;
    case SK_AUTH_KEYS:
        sk_buf_take(&gate->jwks, sk_buf_len(&gate->jwks));
        (void)!sk_buf_put(&gate->jwks, ((const struct sk_auth_keys *)message)->jwks);
        break;
    case SK_AUTH_REVOKED:
        revoked(gate, message);
        break;
    default:
        told(gate, code, message);
    }
}

void sk_auth_lost(struct sk_gate *gate)
{
    gate->auth_open = false;
    gate->auth = sk_channel_free(gate->auth);
    /* What was revoked while auth was away was said to nobody: every grant must be asked for again. */
    uint64_t now = sk_clock_boot();
    for (struct sk_table_node *n = sk_table_walk(&gate->grants, NULL); n; n = sk_table_walk(&gate->grants, n)) {
        struct sk_grant *grant = SK_CONTAINER(n, struct sk_grant, node);
        grant->until = grant->until < now ? grant->until : now;
    }
    for (struct sk_exchange *x = gate->exchanges; x; x = x->next) {
        if (x->grant && x->grant->until > now) {
            x->grant->until = now;
        }
    }
    while (gate->asks) {
        struct sk_ask *ask = gate->asks;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is no longer in the list */
        struct sk_auth_refused refused = {.ticket = ask->ticket, .reason = SK_LIT("auth-unavailable")};
        told(gate, SK_AUTH_REFUSED, &refused);
    }
}

static void ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    struct sk_gate *gate = context;
    sk_auth_lost(gate);
    gate->forsaken = 1;
    (void)bad;
}

int sk_auth_connect(struct sk_gate *gate, int fd)
{
    static const struct sk_channel_handler handler = {&sk_auth_interface, SK_AUTH_FROM_WORKER, SK_AUTH_FROM_AUTH, received, ended};
    if (gate->auth) {
        sk_auth_lost(gate);
    }
    gate->auth = sk_channel_new(gate->loop, fd, &handler, gate);
    gate->forsaken = 0;
    return gate->auth ? 0 : -ENOMEM;
}
