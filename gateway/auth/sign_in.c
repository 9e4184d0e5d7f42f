/*
 * Signing in at an identity provider: OpenID Connect's authorization code flow with PKCE, state and nonce. Nothing is kept while somebody
 * is away: the browser's cookie has a challenge, and all else that must fit together when it comes back is derived from that.
 */
#include "auth/factors.h"
#include "auth/programs.h"
#include "auth/providers.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define DERIVED (SK_BASE64_SIZE(SK_SHA256_SIZE))
#define FROM_ADDRESS 8 /* who come back, under way */
#define LONG_AGO 1U /* s: of a proof whose time nobody knows; it is there, and never fresh */

/* What the steps of one who came back share. */
struct sign_in {
    uint8_t begun[SK_AUTH_CHALLENGE_SIZE]; /* the challenge */
    bool exchanging; /* fetch is asked */
    bool again;      /* he has a session here, and proves it anew */
    char former[257]; /* whose session ends for this one, when it is somebody else's; empty: nobody's */
    char nonce[DERIVED];
    char secret[1025]; /* of the tenant's client, wiped when it was used */
    size_t secret_len;
    char sub[SK_FACTOR_SUBJECT_MAX + 1], sid[SK_FACTOR_SUBJECT_MAX + 1], name[257];
    uint64_t proven[SK_POLICY_FACTORS];
    char *code, *claims;
};

void auth_sign_in_free(struct job *job)
{
    struct sign_in *s = job->sign_in;
    if (s) {
        free(s->code);
        free(s->claims);
        sk_wipe(s, sizeof(*s));
        free(s);
        job->sign_in = NULL;
    }
}

/* What only who has the challenge and the secret knows: each for one use. */
static void derive(const struct job *job, const char *use, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE], char out[DERIVED])
{
    uint8_t inner[SK_SHA256_SIZE], hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {SK_LIT("sign-in "), sk_slice_str(use), SK_LIT("\n"), sk_slice(job->tenant->id, SK_ID_SIZE), job->issuer->name,
            SK_LIT("\n"), sk_slice(challenge, SK_AUTH_CHALLENGE_SIZE)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(job->auth->secret, sizeof(job->auth->secret)), sk_slice(inner, sizeof(inner)), hash);
    (void)sk_base64url_encode(sk_slice(hash, sizeof(hash)), out);
}

static int put_redirect_uri(const struct job *job, struct sk_buf *out)
{
    return sk_buf_printf(out, "https://%s/.sekisho/sign-in/%.*s/callback", job->authority, (int)job->issuer->name.len, job->issuer->name.data);
}

/* ---- away ---- */

static int put_parameter(struct sk_buf *url, const char *name, struct sk_slice value)
{
    int r = sk_buf_printf(url, "&%s=", name);
    return r ? r : sk_percent_put(url, value);
}

/* OpenID Connect Core 1.0 section 3.1.2.1. With max_age the provider must say when it saw its user prove who it is; and somebody who
 * is here already is to prove it anew. */
static int put_request(const struct job *job, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE], struct sk_slice state, struct sk_buf *url)
{
    struct sk_buf back SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    const struct provider *p = job->issuer->provider;
    uint8_t hash[SK_SHA256_SIZE];
    char nonce[DERIVED], verifier[DERIVED], pkce[DERIVED];
    derive(job, "nonce", challenge, nonce);
    derive(job, "verifier", challenge, verifier);
    sk_digest_sha256(sk_slice_str(verifier), hash);
    (void)sk_base64url_encode(sk_slice(hash, sizeof(hash)), pkce);
    int r = sk_buf_put(url, p->authorization);
    r = r ? r : sk_buf_put(url, sk_slice_find(p->authorization, '?') < p->authorization.len ? SK_LIT("&") : SK_LIT("?"));
    r = r ? r : sk_buf_put(url, SK_LIT("response_type=code"));
    r = r ? r : put_parameter(url, "client_id", job->issuer->audience);
    r = r ? r : put_redirect_uri(job, &back);
    r = r ? r : put_parameter(url, "redirect_uri", sk_buf_peek(&back));
    r = r ? r : put_parameter(url, "scope", p->scopes);
    r = r ? r : put_parameter(url, "state", state);
    r = r ? r : put_parameter(url, "nonce", sk_slice_str(nonce));
    r = r ? r : put_parameter(url, "code_challenge", sk_slice_str(pkce));
    r = r ? r : sk_buf_put(url, SK_LIT("&code_challenge_method=S256"));
    r = r ? r : sk_buf_printf(url, "&max_age=%llu", (unsigned long long)(job->tenant->expiration / SK_SECOND));
    r = r || !p->acr_values.len ? r : put_parameter(url, "acr_values", p->acr_values);
    return r || !job->session[0] ? r : sk_buf_put(url, SK_LIT("&prompt=login"));
}

void auth_sign_in(struct auth *auth, uint64_t worker, const struct sk_auth_sign_in *m)
{
    struct job *job = auth_job_of(auth, worker, m->ticket, SK_AUTH_SIGN_IN, m->tenant, m->host, m->session, m->proof);
    struct sk_buf url SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    uint8_t challenge[SK_AUTH_CHALLENGE_SIZE];
    char state[DERIVED], begun[SK_BASE64_SIZE(sizeof(challenge))];
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    if (!auth_take_authority(job, m->authority)) {
        return;
    }
    job->issuer = auth_provider(job->tenant, m->provider);
    if (!job->issuer || !job->issuer->provider->authorization.len) {
        auth_refuse(job, job->issuer ? "provider-unavailable" : "no-such-page");
        return;
    }
    auth_challenge_make(job, CHALLENGE_SIGN_IN, SK_SLICE_NULL, job->issuer->name, AUTH_CHALLENGE_LONGEST, challenge);
    derive(job, "state", challenge, state);
    if (put_request(job, challenge, sk_slice_str(state), &url)) {
        auth_refuse(job, "internal-error");
        return;
    }
    (void)sk_base64url_encode(sk_slice(challenge, sizeof(challenge)), begun);
    struct sk_auth_redirect to = {.ticket = m->ticket, .url = sk_buf_peek(&url), .begun = sk_slice_str(begun), .state = sk_slice_str(state)};
    (void)auth_answer(auth, worker, SK_AUTH_REDIRECT, &to);
    auth_job_free(job);
}

/* ---- back ---- */

static void fail(struct job *job, const char *detail)
{
    auth_deny(job, "sign-in-failed", detail);
}

static void exchange(struct job *job, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE])
{
    struct sk_buf back SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sign_in *s = job->sign_in;
    char verifier[DERIVED];
    derive(job, "verifier", challenge, verifier);
    struct sk_fetch_exchange m = {.ticket = job->id, .client_id = job->issuer->audience, .secret = sk_slice(s->secret, s->secret_len),
            .code = sk_slice_str(s->code), .verifier = sk_slice_str(verifier)};
    int r = put_redirect_uri(job, &back);
    m.redirect_uri = sk_buf_peek(&back);
    memcpy(m.source, job->issuer->source, SK_ID_SIZE);
    s->exchanging = r == 0 && job->auth->fetch && sk_channel_send(job->auth->fetch, SK_FETCH_EXCHANGE, &m, NULL) == 0;
    sk_wipe(s->secret, sizeof(s->secret));
    if (!s->exchanging) {
        auth_exchanged(job, NULL);
    }
}

static void secret_row(struct job *job, uint16_t code, const void *message)
{
    struct sign_in *s = job->sign_in;
    if (code == SK_STORE_GOT_SECRET) {
        const struct sk_store_got_secret *got = message;
        if (sk_slice_eq(got->header, job->issuer->name) && got->value.len < sizeof(s->secret)) {
            memcpy(s->secret, got->value.data, got->value.len);
            s->secret_len = got->value.len;
        }
    } else if (code != SK_STORE_RESULT || ((const struct sk_store_result *)message)->status == 2 || s->secret_len == 0) {
        auth_refuse(job, "store-unavailable");
    } else {
        exchange(job, job->sign_in->begun);
    }
}

/* Why this is not the end of a sign-in that this browser began here; NULL: it is. */
static const char *fault(struct job *job, const struct sk_auth_signed_in *m)
{
    size_t len;
    char state[DERIVED];
    if (sk_base64url_decode(m->begun, job->sign_in->begun, sizeof(job->sign_in->begun), &len)) {
        return "challenge-expired";
    }
    const char *why = auth_challenge_fault(job, CHALLENGE_SIGN_IN, SK_SLICE_NULL, job->issuer->name, sk_slice(job->sign_in->begun, len));
    if (why) {
        return why;
    }
    derive(job, "state", job->sign_in->begun, state);
    return sk_digest_equal(sk_slice_str(state), m->state) ? NULL : "state-mismatch";
}

/* Why there is no code in it that is to be exchanged; NULL: there is. RFC 9207: who mixes two providers up would send one's code to the other. */
static const char *no_code(const struct job *job, const struct sk_auth_signed_in *m)
{
    bool its = m->iss.len ? sk_slice_eq(m->iss, job->issuer->issuer) : !job->issuer->provider->iss;
    return !its ? "provider-issuer" : m->error.len ? "provider-refused" : m->code.len == 0 ? "code-missing" : NULL;
}

/* Codes cost the provider something, and anybody can make them up: so many at once from one address. */
static bool is_crowded(const struct job *job)
{
    size_t count = 0;
    for (const struct job *other = job->auth->jobs; other && count <= FROM_ADDRESS; other = other->next) {
        count += other->sign_in && other->tenant == job->tenant && other->address_len == job->address_len &&
                 memcmp(other->address, job->address, job->address_len) == 0;
    }
    return count > FROM_ADDRESS;
}

void auth_signed_in(struct auth *auth, uint64_t worker, const struct sk_auth_signed_in *m)
{
    struct job *job = auth_job_of(auth, worker, m->ticket, SK_AUTH_SIGNED_IN, m->tenant, m->host, m->session, m->proof);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    if (!auth_take_authority(job, m->authority)) {
        return;
    }
    job->issuer = auth_provider(job->tenant, m->provider);
    if (!job->issuer) {
        auth_refuse(job, "no-such-page");
        return;
    }
    struct sign_in *s = job->sign_in = calloc(1, sizeof(*s));
    const char *why = s ? fault(job, m) : NULL;
    if (!s || is_crowded(job) || !(s->code = strndup(m->code.data ? m->code.data : "", m->code.len))) {
        auth_refuse(job, "busy");
        return;
    }
    if (why) {
        auth_deny(job, "sign-in-expired", why);
        return;
    }
    why = no_code(job, m);
    if (why) {
        auth_copy(job->target, sizeof(job->target), m->error);
        fail(job, why);
        return;
    }
    derive(job, "nonce", job->sign_in->begun, s->nonce);
    struct sk_store_get_secrets get = {.ticket = job->id, .app = SK_LIT(SK_STORE_PROVIDERS)};
    memcpy(get.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_GET_SECRETS, &get, secret_row);
}

/* ---- the token ---- */

bool auth_is_exchanging(const struct job *job)
{
    return job->sign_in && job->sign_in->exchanging;
}

void auth_exchanged(struct job *job, const struct sk_fetch_exchanged *m)
{
    if (m && !job->sign_in->exchanging) {
        return;
    }
    job->sign_in->exchanging = false;
    if (m && m->reason.len == 0) {
        if (auth_take_bearer(job, m->id_token) == 0) {
            auth_verify(job);
        }
    } else if (m && sk_slice_eq(m->reason, SK_LIT("code-refused"))) {
        fail(job, "code-refused");
    } else {
        job->undecided = true;
        auth_deny(job, "provider-unavailable", "provider-unavailable");
    }
}

int auth_sign_in_ask(const struct job *job, struct sk_channel *helper)
{
    const struct issuer *i = job->issuer;
    struct sk_factor_token m = {.ticket = job->id, .token = sk_slice(job->bearer, job->bearer_len), .jwks = i->jwks, .issuer = i->issuer,
            .audience = i->audience, .types = i->types, .roles = i->roles_claim, .now = sk_clock_wall() / SK_SECOND, .leeway = AUTH_TOKEN_LEEWAY,
            .use = SK_TOKEN_USE_SIGN_IN, .nonce = sk_slice_str(job->sign_in->nonce), .user_claim = i->provider->user_claim};
    return sk_channel_send(helper, SK_FACTOR_TOKEN, &m, NULL);
}

/* What the provider proved, and what of it counts as what; when it saw that. */
static void prove(const struct job *job, const struct sk_factor_claims *m, uint64_t proven[SK_POLICY_FACTORS])
{
    uint64_t now = sk_clock_wall() / SK_SECOND, when = m->authenticated && m->authenticated < now ? m->authenticated : m->authenticated ? now : LONG_AGO;
    proven[SK_POLICY_FACTOR_OIDC] = when;
    for (struct sk_slice methods = m->methods; methods.len;) {
        struct sk_slice method = sk_slice_split(&methods, ',');
        for (struct sk_slice rest = job->issuer->provider->factors; rest.len;) {
            struct sk_slice name = sk_slice_split(&rest, '\n'), value = sk_slice_split(&name, ',');
            int factor = sk_slice_eq(value, method) ? sk_policy_find_factor(name) : -1;
            if (factor >= 0) {
                proven[factor] = when;
            }
        }
    }
}

static void admit(struct job *job)
{
    struct sign_in *s = job->sign_in;
    auth_copy(job->name, sizeof(job->name), sk_slice_str(s->name));
    if (auth_provider_user(job, job->issuer, sk_slice_str(s->claims))) {
        fail(job, "token-too-many-roles");
        return;
    }
    auth_copy(job->replaces, sizeof(job->replaces), sk_slice_str(job->session));
    auth_new_session(job, s->again ? "step-up" : "sign-in");
}

/* Somebody has a session here. When it is the same, what was proven before counts still; else it is no more than the session that ends. */
static void session_known(struct job *job)
{
    const struct sign_in *s = job->sign_in;
    bool same = strcmp(job->name, s->name) == 0;
    for (size_t i = 0; i < SK_POLICY_FACTORS; i++) {
        job->proven[i] = s->proven[i] || !same ? s->proven[i] : job->proven[i];
    }
    job->started = same ? job->started : 0;
    job->sign_in->again = same;
    if (!same) {
        auth_copy(job->sign_in->former, sizeof(job->sign_in->former), sk_slice_str(job->name));
    }
    admit(job);
}

void auth_sign_in_claims(struct job *job, const struct sk_factor_claims *m)
{
    struct sign_in *s = job->sign_in;
    const struct issuer *i = job->issuer;
    if (m->reason.len) {
        auth_copy(job->why, sizeof(job->why), m->reason);
        if (strcmp(job->why, "token-key-unknown") == 0) {
            auth_fetch_newer(job->auth, i);
        }
        fail(job, job->why);
        return;
    }
    if (m->user.len == 0) {
        fail(job, "user-claim-missing");
        return;
    }
    if (!auth_name_of(i, m->user, s->name)) {
        fail(job, "token-subject-too-long");
        return;
    }
    /* The user may have taken max_age out of the request. */
    if (m->authenticated && sk_clock_wall() / SK_SECOND > m->authenticated + job->tenant->expiration / SK_SECOND + AUTH_TOKEN_LEEWAY) {
        fail(job, "token-too-old");
        return;
    }
    int spent = auth_challenge_spend(job, s->begun);
    if (spent) {
        auth_deny(job, spent > 0 ? "sign-in-expired" : "busy", spent > 0 ? "challenge-used" : "busy");
        return;
    }
    auth_copy(s->sub, sizeof(s->sub), m->subject);
    auth_copy(s->sid, sizeof(s->sid), m->sid);
    s->claims = strndup(m->roles.data ? m->roles.data : "", m->roles.len);
    if (!s->claims) {
        auth_refuse(job, "busy");
        return;
    }
    prove(job, m, s->proven);
    if (job->session[0]) {
        auth_ask_session(job, session_known);
        return;
    }
    memcpy(job->proven, s->proven, sizeof(job->proven));
    admit(job);
}

void auth_sign_in_took_over(struct job *job)
{
    if (job->sign_in && job->sign_in->former[0]) {
        auth_note_ended(job, "signed-in-as-another", sk_slice_str(job->sign_in->former), sk_slice_str(job->replaces));
    }
}

void auth_sign_in_row(const struct job *job, struct sk_store_put_session *put)
{
    const struct sign_in *s = job->sign_in;
    if (s) {
        put->provider = sk_slice_str(job->issuer->id);
        put->sub = sk_slice_str(s->sub);
        put->sid = sk_slice_str(s->sid);
        put->claims = sk_slice_str(s->claims);
    }
}
