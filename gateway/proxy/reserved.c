/* The gateway's own pages: login, logout, keys. Runs in the workers. */
#include "proxy/page.h"
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/target.h"

#include <stdio.h>

#define PREFIX "/.sekisho"
#define FORM_MAX ((size_t)8192)
#define JWKS "/.well-known/sekisho/jwks.json"

static const struct sk_slice path_login = {PREFIX "/login", sizeof(PREFIX "/login") - 1};
static const struct sk_slice path_logout = {PREFIX "/logout", sizeof(PREFIX "/logout") - 1};

static bool under(struct sk_slice path, struct sk_slice prefix)
{
    return sk_slice_starts(path, prefix) && (path.len == prefix.len || path.data[prefix.len] == '/');
}

/* The API is not among them: it is an app of its own, judged by the policy like any other. */
bool sk_reserved_path(struct sk_slice path)
{
    return sk_slice_eq(path, SK_LIT(JWKS)) || (under(path, SK_LIT(PREFIX)) && !under(path, SK_LIT(SK_POLICY_BUILTIN_PATH)));
}

/* ---- forms ---- */

bool sk_reserved_own_page(const struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *origin = sk_field_find(r->fields, r->fields_count, SK_LIT("origin"));
    const struct sk_slice *site = sk_field_find(r->fields, r->fields_count, SK_LIT("sec-fetch-site"));
    struct sk_slice https = SK_LIT("https://");
    bool own = !origin || (sk_slice_starts(*origin, https) && sk_slice_eq_nocase(sk_slice_from(*origin, https.len), r->authority));
    return own && (!site || sk_slice_eq(*site, SK_LIT("same-origin")));
}

/* The form's token must be the one in the browser's cookie, and the request from a page of this very host. */
static bool form_is_own(struct sk_exchange *x)
{
    struct sk_slice token = sk_exchange_cookie(&x->stream->request, SK_LIT(SK_FORM_COOKIE));
    struct sk_slice given = sk_form_value(x->arena, sk_buf_peek(&x->form), "form", 0);
    return sk_reserved_own_page(x) && token.len >= 40 && sk_digest_equal(token, given);
}

struct sk_slice sk_reserved_return(struct sk_exchange *x, struct sk_slice back)
{
    struct sk_slice path, query;
    if (back.len == 0 || sk_target_parse(back, x->arena, &path, &query) || (sk_reserved_path(path) && !sk_slice_eq(path, SK_LIT(SK_ACCOUNT_PAGE)))) {
        return SK_LIT("/");
    }
    return sk_arena_printf(x->arena, "%.*s%.*s", (int)path.len, path.data, (int)query.len, query.data);
}

bool sk_reserved_is_page(struct sk_slice path)
{
    return sk_account_is_page(path) || sk_sign_in_is_page(path) || sk_slice_eq(path, path_login) || sk_slice_eq(path, path_logout);
}

/* ---- answers ---- */

void sk_reserved_page(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason, struct sk_slice page, struct sk_slice set_cookie)
{
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 3);
    size_t count = 0;
    if (!fields || !page.data) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
        return;
    }
    fields[count++] = (struct sk_field){SK_LIT("content-type"), SK_LIT("text/html; charset=utf-8")};
    if (set_cookie.len) {
        fields[count++] = (struct sk_field){SK_LIT("set-cookie"), set_cookie};
    }
    count += sk_exchange_retry_after(x, status, &fields[count]);
    sk_exchange_answer(x, status, decision, reason, fields, count, page);
}

void sk_reserved_redirect(struct sk_exchange *x, struct sk_slice to, struct sk_slice reason, struct sk_slice set_cookie)
{
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 2);
    size_t count = 0;
    if (!fields) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
        return;
    }
    fields[count++] = (struct sk_field){SK_LIT("location"), to};
    if (set_cookie.len) {
        fields[count++] = (struct sk_field){SK_LIT("set-cookie"), set_cookie};
    }
    sk_exchange_answer(x, 303, SK_AUDIT_DECISION_ALLOW, reason, fields, count, SK_SLICE_NULL);
}

void sk_reserved_json(struct sk_exchange *x, struct sk_slice json)
{
    static struct sk_field type[] = {{{"content-type", 12}, {"application/json", 16}}};
    sk_exchange_answer(x, 200, SK_AUDIT_DECISION_ALLOW, x->reason, type, 1, json);
}

enum sk_session sk_reserved_session(struct sk_exchange *x)
{
    if (!x->grant) {
        struct sk_slice token = sk_exchange_cookie(&x->stream->request, SK_LIT(SK_COOKIE));
        if (token.len < 40 || token.len > 64 || !sk_grant_cookie(x, token)) {
            return SK_SESSION_NONE;
        }
    }
    if (x->grant->state == SK_GRANT_ASKING) {
        return SK_SESSION_ASKED;
    }
    if (x->grant->state == SK_GRANT_GOOD) {
        return SK_SESSION_GOOD;
    }
    bool away = sk_reserved_away(x->grant);
    sk_grant_release(x);
    return away ? SK_SESSION_UNKNOWN : SK_SESSION_NONE;
}

bool sk_reserved_away(const struct sk_grant *grant)
{
    return sk_slice_eq(sk_slice_str(grant->reason), SK_LIT("auth-unavailable"));
}

void sk_reserved_ask(struct sk_exchange *x, uint16_t code, void *message)
{
    if (sk_auth_ask(x, code, message) < 0) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("auth-unavailable"));
    }
}

struct sk_slice sk_reserved_form_token(struct sk_exchange *x, struct sk_slice *set_cookie)
{
    struct sk_slice token = sk_exchange_cookie(&x->stream->request, SK_LIT(SK_FORM_COOKIE));
    *set_cookie = SK_SLICE_NULL;
    if (token.len != 43) {
        char fresh[SK_BASE64_SIZE(32)];
        uint8_t random[32];
        sk_random(random, sizeof(random));
        token = sk_arena_copy(x->arena, sk_slice(fresh, sk_base64url_encode(sk_slice(random, sizeof(random)), fresh)));
        *set_cookie = sk_arena_printf(x->arena, SK_FORM_COOKIE "=%.*s; Path=/; Secure; HttpOnly; SameSite=Strict", (int)token.len, token.data);
    }
    return token;
}

static void show_login(struct sk_exchange *x, uint16_t status, struct sk_slice reason, struct sk_slice message, struct sk_slice back, struct sk_slice state, struct sk_slice prompts)
{
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    /* What another site's page sent was typed by nobody. */
    struct sk_slice user = sk_reserved_own_page(x) ? sk_form_value(x->arena, sk_buf_peek(&x->form), "user", 0) : SK_SLICE_NULL;
    struct sk_slice page = sk_page_login(x->arena, sk_page_japanese(&x->stream->request), x->site, token, back, message, user.len <= 256 ? user : SK_SLICE_NULL, state, prompts);
    sk_reserved_page(x, status, SK_AUDIT_DECISION_CHALLENGE, reason, page, set);
}

static void show_logout(struct sk_exchange *x)
{
    if (!sk_exchange_cookie(&x->stream->request, SK_LIT(SK_COOKIE)).len) {
        struct sk_slice done = sk_page_logout(x->arena, sk_page_japanese(&x->stream->request), SK_SLICE_NULL, true);
        sk_reserved_page(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("logout-page"), done, SK_SLICE_NULL); /* back from the identity provider */
        return;
    }
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    struct sk_slice page = sk_page_logout(x->arena, sk_page_japanese(&x->stream->request), token, false);
    sk_reserved_page(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("logout-page"), page, set);
}

void sk_reserved_login_page(struct sk_exchange *x, uint16_t status, struct sk_slice reason, struct sk_slice back)
{
    show_login(x, status, reason, reason, back, SK_SLICE_NULL, SK_SLICE_NULL);
}

struct sk_slice sk_reserved_session_cookie(struct sk_exchange *x, const struct sk_auth_grant *m)
{
    return sk_arena_printf(x->arena, SK_COOKIE "=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax", (int)m->token.len, m->token.data);
}

/* What a person can prove on a page. */
#define BY_AUTHENTICATOR (1U << SK_POLICY_FACTOR_FIDO2 | 1U << SK_POLICY_FACTOR_PASSKEY | 1U << SK_POLICY_FACTOR_HARDWARE | 1U << SK_POLICY_FACTOR_RECOVERY)
#define BY_PERSON (BY_AUTHENTICATOR | 1U << SK_POLICY_FACTOR_PASSWORD | 1U << SK_POLICY_FACTOR_OIDC)

void sk_reserved_challenge(struct sk_exchange *x)
{
    struct sk_slice reason = sk_policy_reason_text(x->verdict.reason);
    const char *page = x->verdict.missing && !(x->verdict.missing & ~BY_AUTHENTICATOR) ? SK_VERIFY_PAGE : PREFIX "/login";
    const struct sk_request *r = &x->stream->request;
    bool navigates = sk_slice_eq(r->method, SK_LIT("GET")) && !r->websocket;
    if (!navigates || (x->verdict.missing & ~BY_PERSON)) {
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_CHALLENGE, reason);
        return;
    }
    struct sk_slice back = sk_arena_printf(x->arena, "%.*s%.*s", (int)r->path.len, r->path.data, (int)r->query.len, r->query.data);
    struct sk_buf to SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_TARGET_MAX * 4);
    int failed = sk_buf_printf(&to, "%s?return=", page);
    failed = failed ? failed : sk_percent_put(&to, back);
    struct sk_slice location = failed ? sk_slice_str(page) : sk_arena_copy(x->arena, sk_buf_peek(&to));
    struct sk_field *field = sk_arena_zalloc(x->arena, sizeof(*field));
    if (field) {
        *field = (struct sk_field){SK_LIT("location"), location};
        sk_exchange_answer(x, 303, SK_AUDIT_DECISION_CHALLENGE, reason, field, 1, SK_SLICE_NULL);
    }
}

/* ---- serving ---- */

enum sk_go sk_reserved_wait_for_form(struct sk_exchange *x, size_t most)
{
    x->form_most = most;
    x->wants_form = true;
    if (x->body_ended) {
        x->wants_form = false;
        sk_reserved_form(x);
    }
    return SK_GO_WAIT;
}

enum sk_go sk_reserved_serve(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    bool get = sk_slice_eq(r->method, SK_LIT("GET")) || sk_slice_eq(r->method, SK_LIT("HEAD"));
    bool post = sk_slice_eq(r->method, SK_LIT("POST"));
    struct sk_slice query = sk_slice_from(r->query, 1);
    if (sk_account_path(r->path)) {
        return sk_account_serve(x);
    }
    if (sk_oauth_path(r->path)) {
        return sk_oauth_serve(x);
    }
    if (sk_sign_in_path(r->path)) {
        return sk_sign_in_serve(x);
    }
    if (sk_slice_eq(r->path, path_login) && get) {
        show_login(x, 200, SK_LIT("login-page"), SK_SLICE_NULL, sk_reserved_return(x, sk_form_value(x->arena, query, "return", 0)), SK_SLICE_NULL, SK_SLICE_NULL);
    } else if ((sk_slice_eq(r->path, path_login) || sk_slice_eq(r->path, path_logout)) && post) {
        return sk_reserved_wait_for_form(x, FORM_MAX);
    } else if (sk_slice_eq(r->path, path_logout) && get) {
        show_logout(x);
    } else if (sk_slice_eq(r->path, SK_LIT(JWKS)) && get) {
        x->reason = SK_LIT("keys");
        sk_reserved_json(x, sk_arena_copy(x->arena, sk_buf_peek(&x->gate->jwks)));
    } else {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-page"));
    }
    return SK_GO_WAIT;
}

static void submit_login(struct sk_exchange *x)
{
    struct sk_slice form = sk_buf_peek(&x->form);
    struct sk_slice state = sk_form_value(x->arena, form, "state", 0);
    if (state.len) {
        struct sk_auth_answer m = {.state = sk_slice_cut(state, 64)};
        struct sk_buf answers SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
        for (unsigned i = 0; i < 16; i++) {
            struct sk_slice answer = sk_form_value(x->arena, form, "answer", i);
            if (!answer.data || sk_slice_find(answer, '\n') < answer.len || sk_buf_put(&answers, answer) || sk_buf_put(&answers, SK_LIT("\n"))) {
                break;
            }
        }
        SK_FILL_ORIGIN(&m, x);
        m.answers = sk_buf_peek(&answers);
        sk_reserved_ask(x, SK_AUTH_ANSWER, &m);
        sk_wipe(answers.data, answers.size);
        return;
    }
    struct sk_auth_login m = {.user = sk_form_value(x->arena, form, "user", 0), .password = sk_form_value(x->arena, form, "password", 0)};
    if (m.user.len == 0 || m.user.len > 256 || m.password.len == 0 || m.password.len > 1024) {
        show_login(x, 403, SK_LIT("login-failed"), SK_LIT("login-failed"), sk_reserved_return(x, sk_form_value(x->arena, form, "return", 0)), SK_SLICE_NULL, SK_SLICE_NULL);
        return;
    }
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_LOGIN, &m);
    sk_wipe((void *)(uintptr_t)m.password.data, m.password.len);
}

/* `url`: where the browser ends its session at the identity provider, too; empty: it has none there. */
static void logged_out(struct sk_exchange *x, struct sk_slice url)
{
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 3);
    struct sk_slice page = url.len ? url : sk_page_logout(x->arena, sk_page_japanese(&x->stream->request), SK_SLICE_NULL, true);
    if (fields && page.data) {
        fields[0] = (struct sk_field){SK_LIT("content-type"), SK_LIT("text/html; charset=utf-8")};
        fields[1] = (struct sk_field){SK_LIT("set-cookie"), SK_LIT(SK_COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")};
        fields[2] = (struct sk_field){SK_LIT("clear-site-data"), SK_LIT("\"cache\", \"cookies\", \"storage\"")};
        if (url.len) {
            fields[0] = (struct sk_field){SK_LIT("location"), url};
        }
        sk_exchange_answer(x, url.len ? 303 : 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("logout"), fields, 3, url.len ? SK_SLICE_NULL : page);
    }
}

static void submit_logout(struct sk_exchange *x)
{
    enum sk_session session = sk_reserved_session(x); /* when it is asked for, the reserved step finds the form read */
    if (session == SK_SESSION_NONE) {
        logged_out(x, SK_SLICE_NULL);
    } else if (session == SK_SESSION_UNKNOWN) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("auth-unavailable")); /* whoever is not logged out must not believe it */
    }
    if (session != SK_SESSION_GOOD) {
        return;
    }
    struct sk_auth_logout m = {.authority = x->stream->request.authority, .session = x->grant->session, .proof = x->grant->proof};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_LOGOUT, &m);
}

void sk_reserved_form(struct sk_exchange *x)
{
    struct sk_slice form = sk_buf_peek(&x->form);
    bool login = sk_slice_eq(x->stream->request.path, path_login);
    if (sk_oauth_path(x->stream->request.path)) {
        sk_oauth_form(x);
    } else if (sk_sign_in_path(x->stream->request.path)) {
        sk_sign_in_form(x);
    } else if (!form_is_own(x)) {
        struct sk_slice back = sk_reserved_return(x, sk_form_value(x->arena, form, "return", 0));
        if (login) {
            show_login(x, 403, SK_LIT("form-expired"), SK_LIT("form-expired"), back, SK_SLICE_NULL, SK_SLICE_NULL);
        } else {
            sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, SK_LIT("form-expired"));
        }
    } else if (sk_account_path(x->stream->request.path)) {
        sk_account_form(x);
    } else if (login) {
        submit_login(x);
    } else {
        submit_logout(x);
    }
}

/* ---- what auth said ---- */

static void told_refused(struct sk_exchange *x, const struct sk_auth_refused *m)
{
    struct sk_slice code = sk_arena_copy(x->arena, m->reason);
    if (!sk_slice_eq(x->stream->request.path, path_login)) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, code);
        return;
    }
    uint16_t status = sk_page_status(code);
    struct sk_slice back = sk_reserved_return(x, sk_form_value(x->arena, sk_buf_peek(&x->form), "return", 0));
    x->retry_after = status == 429 ? m->retry_after : x->retry_after;
    show_login(x, status, code, code, back, SK_SLICE_NULL, SK_SLICE_NULL);
}

void sk_reserved_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    struct sk_slice back;
    if (sk_account_path(x->stream->request.path)) {
        sk_account_told(x, code, message);
        return;
    }
    if (sk_oauth_path(x->stream->request.path)) {
        sk_oauth_told(x, code, message);
        return;
    }
    if (sk_sign_in_path(x->stream->request.path)) {
        sk_sign_in_told(x, code, message);
        return;
    }
    switch (code) {
    case SK_AUTH_GRANT: {
        const struct sk_auth_grant *m = message;
        back = sk_reserved_return(x, sk_form_value(x->arena, sk_buf_peek(&x->form), "return", 0));
        sk_reserved_redirect(x, back, SK_LIT("login"), sk_reserved_session_cookie(x, m));
        break;
    }
    case SK_AUTH_PROMPT: {
        const struct sk_auth_prompt *m = message;
        back = sk_reserved_return(x, sk_form_value(x->arena, sk_buf_peek(&x->form), "return", 0));
        show_login(x, 200, SK_LIT("more-asked"), SK_SLICE_NULL, back, m->state, m->prompts);
        break;
    }
    case SK_AUTH_REFUSED:
        told_refused(x, message);
        break;
    case SK_AUTH_DONE:
        logged_out(x, SK_SLICE_NULL);
        break;
    case SK_AUTH_REDIRECT:
        logged_out(x, sk_arena_copy(x->arena, ((const struct sk_auth_redirect *)message)->url));
        break;
    default:
        break;
    }
}
