/*
 * Signing in at the tenant's own identity provider: the browser is sent there, comes back, and the provider says when somebody logged out.
 * What a browser must bring back stands in a cookie of its own for each time it is sent away. Runs in the workers; auth decides.
 */
#include "proxy/page.h"
#include "proxy/reserved.h"

#include "base/text.h"

#define PREFIX "/.sekisho/sign-in/"
#define CALLBACK "callback"
#define LOGOUT "logout"
#define FORM_MAX ((size_t)16 << 10)
#define COOKIE "__Host-sekisho-sign-in-"
#define COOKIE_STATE 8 /* of `state` in the cookie's name */
#define COOKIE_SECONDS "600"
#define RETURN_MAX 512 /* bytes of a path to come back to; a longer one leads to the front page */

bool sk_sign_in_path(struct sk_slice path)
{
    return sk_slice_starts(path, SK_LIT(PREFIX));
}

/* The provider's name, and what is behind it. */
static struct sk_slice provider(const struct sk_exchange *x, struct sk_slice *rest)
{
    *rest = sk_slice_from(x->stream->request.path, sizeof(PREFIX) - 1);
    return sk_slice_cut(sk_slice_split(rest, '/'), 64);
}

static bool is(const struct sk_exchange *x, const char *what)
{
    struct sk_slice rest;
    (void)provider(x, &rest);
    return sk_slice_eq(rest, sk_slice_str(what));
}

bool sk_sign_in_is_page(struct sk_slice path)
{
    struct sk_slice end = SK_LIT("/" LOGOUT);
    return sk_sign_in_path(path) && !(path.len > end.len && sk_slice_eq(sk_slice_from(path, path.len - end.len), end));
}

bool sk_sign_in_from_provider(const struct sk_exchange *x)
{
    struct sk_slice rest;
    bool asks = sk_sign_in_path(x->stream->request.path) && is(x, LOGOUT) && sk_slice_eq(x->stream->request.method, SK_LIT("POST"));
    unsigned i = 0;
    while (asks && i < x->site->providers_count && !sk_slice_eq(provider(x, &rest), x->site->providers[i])) {
        i++;
    }
    return asks && i < x->site->providers_count;
}

/* What is longer than it can be is nothing: part of it would be something else. */
static struct sk_slice query(struct sk_exchange *x, const char *name, size_t most)
{
    struct sk_slice value = sk_form_value(x->arena, sk_slice_from(x->stream->request.query, 1), name, 0);
    return value.len <= most ? value : SK_SLICE_NULL;
}

/* ---- away ---- */

/* False: auth is asked about the browser's session first, or it is away. */
static bool take_session(struct sk_exchange *x, struct sk_slice *session, struct sk_slice *proof)
{
    enum sk_session found = sk_reserved_session(x);
    if (found == SK_SESSION_UNKNOWN) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("auth-unavailable"));
    }
    if (found == SK_SESSION_GOOD) {
        *session = x->grant->session;
        *proof = x->grant->proof;
    }
    return found == SK_SESSION_GOOD || found == SK_SESSION_NONE;
}

static void go(struct sk_exchange *x)
{
    struct sk_slice rest;
    struct sk_auth_sign_in m = {.authority = x->stream->request.authority, .provider = provider(x, &rest)};
    if (take_session(x, &m.session, &m.proof)) {
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_SIGN_IN, &m);
    }
}

static struct sk_slice cookie_name(struct sk_exchange *x, struct sk_slice state)
{
    return sk_arena_printf(x->arena, COOKIE "%.*s", COOKIE_STATE, state.data);
}

static void told_redirect(struct sk_exchange *x, const struct sk_auth_redirect *m)
{
    struct sk_buf back SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(RETURN_MAX);
    struct sk_slice name = m->state.len > COOKIE_STATE ? cookie_name(x, m->state) : SK_SLICE_NULL;
    if (sk_percent_put(&back, sk_reserved_return(x, query(x, "return", RETURN_MAX)))) {
        sk_buf_take(&back, sk_buf_len(&back)); /* longer than a cookie can be: to the front page then */
    }
    struct sk_slice to = sk_buf_peek(&back);
    struct sk_slice cookie = sk_arena_printf(x->arena, "%.*s=%.*s.%.*s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=" COOKIE_SECONDS, (int)name.len,
            name.data ? name.data : "", (int)m->begun.len, m->begun.data, (int)to.len, to.data ? to.data : "");
    if (name.data && cookie.data) {
        sk_reserved_redirect(x, sk_arena_copy(x->arena, m->url), SK_LIT("sign-in-begun"), cookie);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

/* ---- back ---- */

/* What the browser kept: its beginning, and `back` where it wanted to go. */
static struct sk_slice kept(struct sk_exchange *x, struct sk_slice *back)
{
    struct sk_slice state = query(x, "state", 64);
    struct sk_slice name = state.len > COOKIE_STATE ? cookie_name(x, state) : SK_SLICE_NULL;
    struct sk_slice rest = name.data ? sk_exchange_cookie(&x->stream->request, name) : SK_SLICE_NULL;
    struct sk_slice begun = sk_slice_cut(sk_slice_split(&rest, '.'), 64);
    struct sk_slice form = sk_arena_printf(x->arena, "return=%.*s", (int)rest.len, rest.data ? rest.data : "");
    *back = sk_reserved_return(x, sk_form_value(x->arena, form, "return", 0));
    return begun;
}

/* Signed in: where the browser wanted to go, with its session, and without what it kept. */
static void arrive(struct sk_exchange *x, const struct sk_auth_grant *m)
{
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 3);
    struct sk_slice back, name = cookie_name(x, query(x, "state", 64));
    (void)kept(x, &back);
    if (!fields || !name.data) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
        return;
    }
    fields[0] = (struct sk_field){SK_LIT("location"), back};
    fields[1] = (struct sk_field){SK_LIT("set-cookie"), sk_reserved_session_cookie(x, m)};
    fields[2] = (struct sk_field){SK_LIT("set-cookie"), sk_arena_printf(x->arena, "%.*s=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", (int)name.len, name.data)};
    sk_exchange_answer(x, 303, SK_AUDIT_DECISION_ALLOW, SK_LIT("login"), fields, 3, SK_SLICE_NULL);
}

static void come_back(struct sk_exchange *x)
{
    struct sk_slice rest, back;
    struct sk_auth_signed_in m = {.authority = x->stream->request.authority, .provider = provider(x, &rest), .begun = kept(x, &back),
            .state = query(x, "state", 64), .code = query(x, "code", 4096), .iss = query(x, "iss", 512), .error = query(x, "error", 64)};
    if (take_session(x, &m.session, &m.proof)) {
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_SIGNED_IN, &m);
    }
}

/* ---- logged out there ---- */

/* Section 2.8: 200, or 400; nobody may keep either. */
static void answer_logout(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason)
{
    static struct sk_field type[] = {{{"content-type", 12}, {"application/json", 16}}};
    sk_exchange_answer(x, status, decision, reason, type, 1, status == 200 ? SK_LIT("{}\n") : SK_LIT("{\"error\":\"invalid_request\"}\n"));
}

void sk_sign_in_form(struct sk_exchange *x)
{
    struct sk_slice rest;
    struct sk_auth_provider_logout m = {.provider = provider(x, &rest), .bearer = sk_form_value(x->arena, sk_buf_peek(&x->form), "logout_token", 0)};
    if (m.bearer.len == 0 || m.bearer.len > 8192) {
        answer_logout(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("logout-refused"));
        return;
    }
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_PROVIDER_LOGOUT, &m);
}

/* ---- */

enum sk_go sk_sign_in_serve(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    bool get = sk_slice_eq(r->method, SK_LIT("GET"));
    struct sk_slice rest;
    if (sk_sign_in_from_provider(x)) {
        return sk_reserved_wait_for_form(x, FORM_MAX);
    }
    if (!provider(x, &rest).len || !(rest.len == 0 || is(x, CALLBACK) || is(x, LOGOUT))) {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-page"));
    } else if (!get || is(x, LOGOUT)) {
        sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
    } else if (is(x, CALLBACK)) {
        come_back(x);
    } else {
        go(x);
    }
    return SK_GO_WAIT;
}

static void told_refused(struct sk_exchange *x, const struct sk_auth_refused *m)
{
    struct sk_slice reason = sk_arena_copy(x->arena, m->reason), back;
    bool known = !sk_slice_eq(reason, SK_LIT("no-such-page"));
    if (!known) {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, reason);
    } else if (sk_slice_eq(reason, SK_LIT("logout-refused"))) {
        answer_logout(x, 400, SK_AUDIT_DECISION_DENY, reason);
    } else if (is(x, LOGOUT)) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, reason);
    } else {
        (void)kept(x, &back);
        sk_reserved_login_page(x, sk_page_status(reason), reason, is(x, CALLBACK) ? back : sk_reserved_return(x, query(x, "return", RETURN_MAX)));
    }
}

void sk_sign_in_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    switch (code) {
    case SK_AUTH_REDIRECT:
        told_redirect(x, message);
        break;
    case SK_AUTH_GRANT:
        arrive(x, message);
        break;
    case SK_AUTH_DONE:
        answer_logout(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("provider-logout"));
        break;
    case SK_AUTH_REFUSED:
        told_refused(x, message);
        break;
    default:
        break;
    }
}
