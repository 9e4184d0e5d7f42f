/*
 * Tokens of programs that somebody else signed: JWTs of the issuers that a tenant's file names. A factor helper verifies
 * them; one that was right is remembered, with who it says it is, no longer than it holds.
 */
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/remember.h"
#include "auth/verify.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- issuers ---- */

#define TEXTS 10
#define JWKS 9 /* the last of them */

static void texts_of(struct issuer *i, struct sk_slice *out[TEXTS])
{
    struct sk_slice *const all[TEXTS] = {&i->name, &i->issuer, &i->audience, &i->types, &i->roles_claim, &i->map, &i->roles, &i->networks, &i->scope, &i->jwks};
    memcpy(out, all, sizeof(all));
}

void auth_set_issuer(struct auth *auth, const struct sk_control_issuer *m)
{
    struct tenant *tenant = auth_tenant(auth, m->tenant);
    const struct sk_slice from[TEXTS] = {m->name, m->issuer, m->audience, m->types, m->roles_claim, m->map, m->roles, m->networks, m->scope, m->jwks};
    struct sk_slice *to[TEXTS];
    for (struct issuer *i = tenant ? tenant->issuers : NULL; i; i = i->next) {
        bool same = i->restricted == (m->restricted != 0) && i->kind == m->kind && memcmp(i->source, m->source, SK_ID_SIZE) == 0 &&
                    i->bound == (m->bound != 0);
        texts_of(i, to);
        bool provider = i->kind == SK_ISSUER_PROVIDER;
        for (size_t n = 0; same && n < (provider ? JWKS : TEXTS); n++) {
            same = sk_slice_eq(*to[n], from[n]);
        }
        if (same && (!provider || sk_slice_eq(i->jwks, m->jwks) || auth_provider_keys(i, m->jwks))) {
            i->seen = true;
            return;
        }
    }
    struct issuer *issuer = tenant ? calloc(1, sizeof(*issuer) + auth_texts_size(from, TEXTS)) : NULL;
    if (!issuer) {
        return; /* its tokens are nobody's */
    }
    texts_of(issuer, to);
    auth_texts_copy((char *)(issuer + 1), from, to, TEXTS);
    issuer->seen = true;
    issuer->restricted = m->restricted;
    issuer->kind = (enum sk_issuer_kind)m->kind;
    memcpy(issuer->source, m->source, SK_ID_SIZE);
    issuer->bound = m->bound;
    struct issuer **last = &tenant->issuers;
    while (*last) {
        last = &(*last)->next;
    }
    *last = issuer;
    if (issuer->bound) {
        auth_revoke(auth, tenant->id, SK_SLICE_NULL, issuer->name); /* what tokens it has may not be */
    }
}

void auth_begin_issuers(struct tenant *tenant)
{
    for (struct issuer *i = tenant->issuers; i; i = i->next) {
        i->seen = false;
    }
}

static void drop_unseen(struct auth *auth, struct tenant *tenant)
{
    for (struct issuer **at = &tenant->issuers; *at;) {
        struct issuer *issuer = *at;
        if (issuer->seen) {
            at = &issuer->next;
            continue;
        }
        *at = issuer->next;
        if (issuer->kind == SK_ISSUER_CLIENT) {
            auth_revoke(auth, tenant->id, SK_SLICE_NULL, issuer->name);
        } else if (issuer->kind == SK_ISSUER_PROVIDER) {
            auth_revoke(auth, tenant->id, SK_SLICE_NULL, SK_SLICE_NULL); /* what those who signed in there may is asked for anew */
        } else {
            auth_forget_issuer(auth, tenant, issuer);
        }
        for (struct job *job = auth->jobs, *next; job; job = next) {
            next = job->next;
            if (job->issuer == issuer) {
                auth_refuse(job, "account-changed");
            }
        }
        free(issuer->provider);
        free(issuer->keys);
        free(issuer);
    }
}

void auth_drop_issuers(struct auth *auth, struct tenant *tenant)
{
    if (tenant) {
        drop_unseen(auth, tenant);
        return;
    }
    for (struct sk_table_node *n = sk_table_walk(&auth->tenants, NULL); n; n = sk_table_walk(&auth->tenants, n)) {
        drop_unseen(auth, SK_CONTAINER(n, struct tenant, node));
    }
}

/* ---- tokens ---- */

int auth_take_bearer(struct job *job, struct sk_slice bearer)
{
    job->bearer = malloc(bearer.len + 1);
    if (!job->bearer) {
        auth_refuse(job, "internal-error");
        return 1;
    }
    if (bearer.data) {
        memcpy(job->bearer, bearer.data, bearer.len);
    }
    job->bearer_len = bearer.len;
    return 0;
}

int auth_token_ask(const struct job *job, struct sk_channel *helper)
{
    const struct issuer *i = job->issuer;
    if (!i || i->kind == SK_ISSUER_CLIENT) {
        return (i ? auth_client_ask : auth_own_token_ask)(job, helper);
    }
    if (i->kind == SK_ISSUER_PROVIDER) {
        return (job->sign_in ? auth_sign_in_ask : auth_provider_logout_ask)(job, helper);
    }
    struct sk_factor_token m = {.ticket = job->id, .token = sk_slice(job->bearer, job->bearer_len), .jwks = i->jwks, .issuer = i->issuer,
            .audience = i->audience, .types = i->types, .roles = i->roles_claim, .now = sk_clock_wall() / SK_SECOND, .leeway = AUTH_TOKEN_LEEWAY};
    return sk_channel_send(helper, SK_FACTOR_TOKEN, &m, NULL);
}

int auth_map_roles(const struct issuer *issuer, struct sk_slice values, struct sk_buf *roles)
{
    int r = sk_buf_put(roles, issuer->roles);
    while (r == 0 && values.len) {
        struct sk_slice value = sk_slice_split(&values, ',');
        for (struct sk_slice map = issuer->map; r == 0 && map.len;) {
            struct sk_slice role = sk_slice_split(&map, '\n'), of = sk_slice_split(&role, ',');
            if (sk_slice_eq(of, value)) {
                r = sk_buf_len(roles) ? sk_buf_put(roles, SK_LIT(",")) : 0;
                r = r ? r : sk_buf_put(roles, role);
            }
        }
    }
    return r;
}

bool auth_name_of(const struct issuer *issuer, struct sk_slice subject, char name[AUTH_NAME])
{
    return snprintf(name, AUTH_NAME, "%.*s:%.*s", (int)issuer->name.len, issuer->name.data, (int)subject.len, subject.data) < AUTH_NAME;
}

static void admit(struct job *job, const struct sk_factor_claims *m)
{
    const struct issuer *issuer = job->issuer;
    struct sk_buf roles SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    if (!auth_name_of(issuer, m->subject, job->name)) {
        auth_deny(job, "login-failed", "token-subject-too-long");
        return;
    }
    if (auth_map_roles(issuer, m->roles, &roles)) {
        auth_deny(job, "login-failed", "token-too-many-roles");
        return;
    }
    const struct sk_store_got_user user = {.known = 1, .name = sk_slice_str(job->name), .roles = sk_buf_peek(&roles), .networks = issuer->networks,
            .scope = issuer->scope, .restricted = issuer->restricted};
    if (auth_take_user(job, &user)) {
        auth_refuse(job, "internal-error");
        return;
    }
    auth_take_binding(job, m);
    const char *fault = auth_binding_fault(job, &job->binding, job->name);
    if (fault) {
        auth_deny_token(job, fault);
        return;
    }
    job->expires = (m->expires + AUTH_TOKEN_LEEWAY) * SK_SECOND;
    auth_admit_program(job, SK_POLICY_FACTOR_TOKEN);
}

void auth_fetch_newer(struct auth *auth, const struct issuer *issuer)
{
    static const uint8_t none[SK_ID_SIZE];
    struct sk_fetch_refresh m;
    if (auth->fetch && memcmp(issuer->source, none, SK_ID_SIZE) != 0) {
        memcpy(m.source, issuer->source, SK_ID_SIZE);
        (void)!sk_channel_send(auth->fetch, SK_FETCH_REFRESH, &m, NULL);
    }
}

/* How far the token came with an issuer: up to the last of these another may have signed it, or for another audience. */
static size_t how_far(const char *reason)
{
    static const char *const reasons[] = {"", "token-keys-malformed", "token-key-unknown", "token-signature", "token-issuer", "token-audience"};
    size_t i = 0;
    while (i < SK_COUNT(reasons) && strcmp(reasons[i], reason) != 0) {
        i++;
    }
    return i;
}

#define ANOTHERS 5U

/* The first from here on who signs for others than itself. */
static const struct issuer *from(const struct issuer *i)
{
    while (i && i->kind != SK_ISSUER_FOREIGN) {
        i = i->next;
    }
    return i;
}

void auth_claims(struct job *job, const struct sk_factor_claims *m)
{
    if (!m) {
        job->undecided = true;
        auth_deny(job, "verification-failed", "verification-failed");
        return;
    }
    if (job->issuer && job->issuer->kind == SK_ISSUER_PROVIDER) {
        (job->sign_in ? auth_sign_in_claims : auth_provider_logout_claims)(job, m);
        return;
    }
    if (!job->issuer || job->issuer->kind == SK_ISSUER_CLIENT) {
        (job->issuer ? auth_client_claims : job->kind == SK_AUTH_TOKEN ? auth_own_claims : auth_inspect_claims)(job, m);
        return;
    }
    if (m->reason.len == 0) {
        admit(job, m);
        return;
    }
    char reason[sizeof(job->why)];
    auth_copy(reason, sizeof(reason), m->reason);
    if (strcmp(reason, "token-key-unknown") == 0) {
        auth_fetch_newer(job->auth, job->issuer);
    }
    if (how_far(reason) > how_far(job->why)) {
        memcpy(job->why, reason, sizeof(reason));
    }
    const struct issuer *next = from(job->issuer->next);
    if (how_far(reason) <= ANOTHERS && next) {
        job->issuer = next;
        auth_verify(job);
        return;
    }
    auth_deny(job, "login-failed", job->why);
}

/* It was right before, or is to be verified. */
static void look_up(struct job *job, struct sk_slice bearer)
{
    struct remembered *r = auth_remembered(job->auth, job->key);
    const char *fault = r ? auth_binding_fault(job, &r->binding, r->name) : NULL;
    bool own = auth_is_own_token(job->auth, bearer);
    if (fault) {
        auth_copy(job->name, sizeof(job->name), sk_slice_str(r->name));
        auth_deny_token(job, fault);
        return;
    }
    if (r) {
        auth_renew_remembered(job, r);
        return;
    }
    job->issuer = own ? NULL : from(job->tenant->issuers);
    if (!own && !job->issuer) {
        auth_deny(job, "login-failed", "no-issuer");
    } else if (job->bearer || auth_take_bearer(job, bearer) == 0) {
        auth_verify(job);
    }
}

static void proved(struct job *job, const char *fault)
{
    if (fault) {
        auth_deny_token(job, fault);
    } else {
        look_up(job, sk_slice(job->bearer, job->bearer_len));
    }
}

void auth_token(struct auth *auth, uint64_t worker, const struct sk_auth_token *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_TOKEN, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_take_certificate(job, m->fingerprint);
    auth_copy(job->holder, sizeof(job->holder), m->holder);
    if (!auth_take_authority(job, m->authority)) {
        return;
    }
    /* One of auth's own is good at its host alone. */
    auth_remember_key(auth, m->tenant, auth_is_own_token(auth, m->bearer) ? m->authority : SK_SLICE_NULL, SK_LIT("\n"), m->bearer, job->key);
    if (!m->bound) {
        look_up(job, m->bearer);
    } else if (m->proof.len == 0) {
        auth_deny(job, "login-failed", "proof-missing");
    } else if (auth_take_bearer(job, m->bearer) == 0) {
        auth_prove(job, m->proof, m->method, m->path, m->bearer, proved);
    }
}
