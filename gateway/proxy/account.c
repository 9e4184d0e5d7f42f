/*
 * What people prove themselves with: login and step-up by passkey, the first registration by a link, and everybody's own page of
 * authenticators and recovery codes. Runs in the workers; auth decides.
 */
#include "proxy/page.h"
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"

#define FORM_MAX ((size_t)48 << 10) /* an attestation of 16 KiB, and what goes with it */
#define OPTIONS "/.sekisho/passkey/options"
#define PASSKEY "/.sekisho/passkey"
#define ENROLL "/.sekisho/enroll"
#define RECOVER "/.sekisho/recover"
#define ADD SK_ACCOUNT_PAGE "/add"
#define REMOVE SK_ACCOUNT_PAGE "/remove"
#define CODES SK_ACCOUNT_PAGE "/codes"
#define CHANGE SK_ACCOUNT_PAGE "/password"
#define RESET "/.sekisho/password"
#define VERIFY_FOR_ACCOUNT SK_VERIFY_PAGE "?return=" SK_ACCOUNT_PAGE

static bool is(const struct sk_exchange *x, const char *path)
{
    return sk_slice_eq(x->stream->request.path, sk_slice_str(path));
}

bool sk_account_path(struct sk_slice path)
{
    static const char *const paths[] = {OPTIONS, PASSKEY, ENROLL, RECOVER, ADD, REMOVE, CODES, CHANGE, RESET, SK_ACCOUNT_PAGE, SK_VERIFY_PAGE};
    size_t i = 0;
    while (i < SK_COUNT(paths) && !sk_slice_eq(path, sk_slice_str(paths[i]))) {
        i++;
    }
    return i < SK_COUNT(paths);
}

bool sk_account_is_page(struct sk_slice path)
{
    return sk_account_path(path) && !sk_slice_eq(path, SK_LIT(OPTIONS));
}

/* ---- the session ---- */

/* Goes on with a good session from where its user may be. Whoever has none is sent to log in. */
static bool has_session(struct sk_exchange *x)
{
    enum sk_session found = sk_reserved_session(x);
    if (found == SK_SESSION_NONE) {
        sk_reserved_redirect(x, SK_LIT("/.sekisho/login?return=" SK_ACCOUNT_PAGE), SK_LIT("login-required"), SK_SLICE_NULL);
        return false;
    }
    if (found == SK_SESSION_UNKNOWN) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("auth-unavailable"));
    }
    if (found != SK_SESSION_GOOD) {
        return false;
    }
    x->verdict = sk_exchange_decide(x, SK_LIT(SK_POLICY_BUILTIN_PATH), sk_grant_subject(x->grant, x->site));
    if (x->verdict.reason == SK_POLICY_USER_NETWORK_NOT_ALLOWED) {
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, sk_policy_reason_text(x->verdict.reason));
        return false;
    }
    return true;
}

/* ---- forms ---- */

static struct sk_slice value(struct sk_exchange *x, const char *name)
{
    return sk_form_value(x->arena, sk_buf_peek(&x->form), name, 0);
}

static struct sk_slice query(struct sk_exchange *x, const char *name)
{
    return sk_form_value(x->arena, sk_slice_from(x->stream->request.query, 1), name, 0);
}

/* base64url, as the script writes it. What is none, or longer than `most`, is nothing. */
static struct sk_slice bytes(struct sk_exchange *x, const char *name, size_t most)
{
    struct sk_slice text = value(x, name);
    uint8_t *out = sk_arena_alloc(x->arena, text.len + 1);
    size_t len;
    if (!out || sk_base64url_decode(text, out, text.len, &len) || len > most) {
        return SK_SLICE_NULL;
    }
    return sk_slice(out, len);
}

static void refuse_password(struct sk_exchange *x, struct sk_slice reason);

static void begin(struct sk_exchange *x, struct sk_slice link, uint64_t purpose)
{
    struct sk_auth_begin m = {.host = x->stream->request.host, .link = link, .purpose = purpose};
    memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
    if (x->grant) {
        m.session = x->grant->session;
        m.proof = x->grant->proof;
    }
    sk_reserved_ask(x, SK_AUTH_BEGIN, &m);
}

static void submit_options(struct sk_exchange *x)
{
    bool registers = sk_slice_eq(value(x, "purpose"), SK_LIT("register"));
    if (!value(x, "session").len || has_session(x)) {
        begin(x, sk_slice_cut(value(x, "link"), 64), registers ? SK_WEBAUTHN_REGISTER : SK_WEBAUTHN_PROVE);
    }
}

static void submit_assertion(struct sk_exchange *x)
{
    struct sk_auth_assert m = {.challenge = bytes(x, "challenge", 64), .credential = bytes(x, "credential", 1023),
            .handle = bytes(x, "handle", 64), .client_data = bytes(x, "client_data", 4096), .authenticator = bytes(x, "object", 1024),
            .signature = bytes(x, "signature", 512)};
    if (value(x, "session").len) {
        if (!has_session(x)) {
            return;
        }
        m.session = x->grant->session;
        m.proof = x->grant->proof;
    }
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_ASSERT, &m);
}

static void submit_registration(struct sk_exchange *x, struct sk_slice link)
{
    struct sk_auth_register m = {.link = link, .challenge = bytes(x, "challenge", 64), .client_data = bytes(x, "client_data", 4096),
            .attestation = bytes(x, "object", 16384), .label = sk_slice_cut(sk_slice_trim(value(x, "label")), 64)};
    if (x->grant) {
        m.session = x->grant->session;
        m.proof = x->grant->proof;
    }
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_REGISTER, &m);
}

static void submit_removal(struct sk_exchange *x)
{
    uint8_t id[SK_ID_SIZE];
    struct sk_slice text = value(x, "id");
    if (text.len != sizeof(id) * 2 || sk_hex_decode(text, id, sizeof(id))) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-form"));
        return;
    }
    struct sk_auth_drop_authenticators m = {.session = x->grant->session, .proof = x->grant->proof, .id = sk_slice(id, sizeof(id))};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_DROP_AUTHENTICATORS, &m);
}

/* A new password, by the one that is known or by a link. */
static void submit_password(struct sk_exchange *x, struct sk_slice link)
{
    struct sk_auth_password m = {.link = link, .password = value(x, "password"), .chosen = value(x, "chosen")};
    if (m.password.len > 1024 || m.chosen.len > 1024) {
        refuse_password(x, SK_LIT("password-too-long"));
    } else if (!sk_slice_eq(m.chosen, value(x, "again"))) {
        refuse_password(x, SK_LIT("passwords-differ"));
    } else {
        if (x->grant) {
            m.session = x->grant->session;
            m.proof = x->grant->proof;
        }
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_PASSWORD, &m);
    }
    sk_wipe((void *)(uintptr_t)m.password.data, m.password.len);
    sk_wipe((void *)(uintptr_t)m.chosen.data, m.chosen.len);
}

static void submit_code(struct sk_exchange *x)
{
    struct sk_auth_recover m = {.session = x->grant->session, .proof = x->grant->proof, .code = sk_slice_cut(value(x, "code"), 64)};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_RECOVER, &m);
}

static void submit_codes(struct sk_exchange *x)
{
    struct sk_auth_make_codes m = {.session = x->grant->session, .proof = x->grant->proof};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_MAKE_CODES, &m);
}

void sk_account_form(struct sk_exchange *x)
{
    if (is(x, OPTIONS)) {
        submit_options(x);
    } else if (is(x, PASSKEY)) {
        submit_assertion(x);
    } else if (is(x, ENROLL)) {
        submit_registration(x, sk_slice_cut(value(x, "link"), 64));
    } else if (is(x, RESET)) {
        submit_password(x, sk_slice_cut(value(x, "link"), 64));
    } else if (!has_session(x)) {
        return; /* sent elsewhere, or back here soon */
    } else if (is(x, CHANGE)) {
        submit_password(x, SK_SLICE_NULL);
    } else if (is(x, ADD)) {
        submit_registration(x, SK_SLICE_NULL);
    } else if (is(x, REMOVE)) {
        submit_removal(x);
    } else if (is(x, CODES)) {
        submit_codes(x);
    } else {
        submit_code(x);
    }
}

/* ---- pages ---- */

static bool japanese(const struct sk_exchange *x)
{
    return sk_page_japanese(&x->stream->request);
}

/* The identity provider that the session's user comes from, who has nothing to prove himself with here; empty: none. */
static struct sk_slice provider_of(const struct sk_exchange *x)
{
    for (unsigned i = 0; i < x->site->providers_count; i++) {
        struct sk_slice name = x->site->providers[i], rest = sk_slice_from(x->grant->subject, name.len);
        if (sk_slice_starts(x->grant->subject, name) && rest.len && rest.data[0] == ':') {
            return name;
        }
    }
    return SK_SLICE_NULL;
}

/* By an authenticator, or a recovery code. */
static void put_proofs(struct sk_page *p, struct sk_slice token, struct sk_slice back, bool by_code)
{
    sk_page_raw(p, "<noscript><p>");
    sk_page_say(p, "パスキーを使うには、JavaScriptを有効にしてください。", "Passkeys need JavaScript.");
    sk_page_raw(p, "</p></noscript>");
    sk_page_ceremony(p, "prove", true, PASSKEY, token);
    sk_page_hidden(p, "return", back);
    sk_page_raw(p, "<button type=\"submit\"");
    if (!by_code) {
        sk_page_focus(p);
    }
    sk_page_raw(p, ">");
    sk_page_say(p, "パスキーで確認する", "Use your passkey or security key");
    sk_page_raw(p, by_code ? "</button></form><details open><summary>" : "</button></form><details><summary>");
    sk_page_say(p, "使えない場合は、回復コードで", "You do not have it? Use a recovery code");
    sk_page_raw(p, "</summary><form method=\"post\" action=\"" RECOVER "\">");
    sk_page_hidden(p, "form", token);
    sk_page_raw(p, "<label for=\"code\">");
    sk_page_say(p, "回復コード", "Recovery code");
    sk_page_raw(p, "</label><input id=\"code\" name=\"code\" type=\"text\" autocomplete=\"one-time-code\" autocapitalize=\"none\" spellcheck=\"false\" "
                   "maxlength=\"64\" required");
    if (by_code) {
        sk_page_focus(p);
    }
    sk_page_raw(p, "><button type=\"submit\">");
    sk_page_say(p, "確認する", "Confirm");
    sk_page_raw(p, "</button></form></details><p>");
    sk_page_say(p, "まだ登録していない場合は、管理者にリンクを依頼してください。", "You have never registered one? Ask your administrator for a link.");
    sk_page_raw(p, "</p>");
    sk_page_script(p);
}

static void show_verify(struct sk_exchange *x, uint16_t status, struct sk_slice reason, struct sk_slice back)
{
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    struct sk_page p;
    sk_page_open(&p, japanese(x), "本人確認", "Confirm that it is you");
    sk_page_message(&p, reason);
    if (!x->grant || !provider_of(x).len) {
        put_proofs(&p, token, back, sk_slice_eq(reason, SK_LIT("code-failed")));
    }
    sk_page_providers(&p, x->site, back);
    sk_page_raw(&p, "<footer><a href=\"/.sekisho/logout\">");
    sk_page_say(&p, "ログアウト", "Log out");
    sk_page_raw(&p, "</a></footer>");
    sk_reserved_page(x, status, SK_AUDIT_DECISION_CHALLENGE, reason.len ? reason : SK_LIT("verify-page"), sk_page_close(&p, x->arena), set);
}

static void label_field(struct sk_page *p)
{
    sk_page_raw(p, "<label for=\"label\">");
    sk_page_say(p, "名前(任意)", "Name (optional)");
    sk_page_raw(p, "</label><input id=\"label\" name=\"label\" type=\"text\" maxlength=\"20\" autocomplete=\"off\">");
}

/* The first registration. `reason` empty: the link holds. */
static void show_enroll(struct sk_exchange *x, struct sk_slice reason, struct sk_slice link, struct sk_slice user)
{
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    struct sk_page p;
    bool holds = !sk_slice_eq(reason, SK_LIT("link-expired"));
    sk_page_open(&p, japanese(x), "パスキーの登録", "Register a passkey");
    sk_page_message(&p, reason);
    if (holds) {
        sk_page_raw(&p, "<p>ID: ");
        sk_page_text(&p, user);
        sk_page_raw(&p, "</p><noscript><p>");
        sk_page_say(&p, "登録には、JavaScriptを有効にしてください。", "Registering needs JavaScript.");
        sk_page_raw(&p, "</p></noscript>");
        sk_page_ceremony(&p, "register", false, ENROLL, token);
        sk_page_hidden(&p, "link", link);
        label_field(&p);
        sk_page_raw(&p, "<button type=\"submit\">");
        sk_page_say(&p, "登録する", "Register");
        sk_page_raw(&p, "</button></form>");
        sk_page_script(&p);
    }
    sk_reserved_page(x, reason.len ? sk_page_status(reason) : 200, reason.len ? SK_AUDIT_DECISION_DENY : SK_AUDIT_DECISION_CHALLENGE, reason.len ? reason : SK_LIT("enroll-page"),
            sk_page_close(&p, x->arena), set);
}

/* The fields of a new password. */
static void password_fields(struct sk_page *p, bool focus)
{
    sk_page_raw(p, "<label for=\"chosen\">");
    sk_page_say(p, "新しいパスワード", "New password");
    sk_page_raw(p, "</label><input id=\"chosen\" name=\"chosen\" type=\"password\" autocomplete=\"new-password\" maxlength=\"1024\" required");
    if (focus) {
        sk_page_focus(p);
    }
    sk_page_raw(p, "><label for=\"again\">");
    sk_page_say(p, "新しいパスワード(確認)", "New password, again");
    sk_page_raw(p, "</label><input id=\"again\" name=\"again\" type=\"password\" autocomplete=\"new-password\" maxlength=\"1024\" required><button type=\"submit\">");
    sk_page_say(p, "パスワードを変更する", "Change the password");
    sk_page_raw(p, "</button></form>");
}

/* A password by a link. */
static void show_reset(struct sk_exchange *x, struct sk_slice reason, struct sk_slice link)
{
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    struct sk_page p;
    sk_page_open(&p, japanese(x), "パスワードの設定", "Set a password");
    sk_page_message(&p, reason);
    if (!sk_slice_eq(reason, SK_LIT("link-expired"))) {
        sk_page_raw(&p, "<form method=\"post\" action=\"" RESET "\">");
        sk_page_hidden(&p, "form", token);
        sk_page_hidden(&p, "link", link);
        password_fields(&p, true);
    }
    sk_reserved_page(x, reason.len ? sk_page_status(reason) : 200, reason.len ? SK_AUDIT_DECISION_DENY : SK_AUDIT_DECISION_CHALLENGE,
            reason.len ? reason : SK_LIT("password-page"), sk_page_close(&p, x->arena), set);
}

/* Of who has nothing here. */
static void show_provider(struct sk_exchange *x, struct sk_slice name)
{
    struct sk_page p;
    sk_page_open(&p, japanese(x), "本人確認の方法", "How you prove that it is you");
    sk_page_raw(&p, "<p>ID: ");
    sk_page_text(&p, x->grant->subject);
    sk_page_raw(&p, "</p><p>");
    sk_page_text(&p, name);
    sk_page_say(&p, " でログインしています。パスワードやパスキーは、そちらで管理してください。", " is where you sign in: passwords and passkeys are managed there.");
    sk_page_raw(&p, "</p><footer><a href=\"/.sekisho/logout\">");
    sk_page_say(&p, "ログアウト", "Log out");
    sk_page_raw(&p, "</a></footer>");
    sk_reserved_page(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("account-page"), sk_page_close(&p, x->arena), SK_SLICE_NULL);
}

static void show_account(struct sk_exchange *x)
{
    struct sk_slice set, token = sk_reserved_form_token(x, &set);
    struct sk_page p;
    sk_page_open(&p, japanese(x), "本人確認の方法", "How you prove that it is you");
    sk_page_raw(&p, "<p>ID: ");
    sk_page_text(&p, x->grant->subject);
    sk_page_raw(&p, "</p><h2>");
    sk_page_say(&p, "パスキーとセキュリティキー", "Passkeys and security keys");
    sk_page_raw(&p, "</h2>");
    if (sk_buf_len(&x->told)) {
        sk_page_raw(&p, "<form method=\"post\" action=\"" REMOVE "\">");
        sk_page_hidden(&p, "form", token);
        sk_page_raw(&p, "<table>");
        p.failed |= sk_buf_put(&p.buf, sk_buf_peek(&x->told));
        sk_page_raw(&p, "</table></form>");
    } else {
        sk_page_raw(&p, "<p>");
        sk_page_say(&p, "登録されていません。最初の登録には、管理者からのリンクが必要です。", "There is none. To register the first, ask your administrator for a link.");
        sk_page_raw(&p, "</p>");
    }
    sk_page_ceremony(&p, "register", true, ADD, token);
    label_field(&p);
    sk_page_raw(&p, "<button type=\"submit\">");
    sk_page_say(&p, "追加する", "Add one");
    sk_page_raw(&p, "</button></form><h2>");
    sk_page_say(&p, "回復コード", "Recovery codes");
    sk_page_raw(&p, "</h2><p>");
    sk_page_say(&p, "パスキーを失くしたときに、1回ずつ使えます。作り直すと、前のコードは使えなくなります。",
            "For when you have lost your passkey; each is good once. New ones take the place of the old.");
    sk_page_raw(&p, "</p><form method=\"post\" action=\"" CODES "\">");
    sk_page_hidden(&p, "form", token);
    sk_page_raw(&p, "<button class=\"plain\" type=\"submit\">");
    sk_page_say(&p, "新しい回復コードを作る", "Make new recovery codes");
    sk_page_raw(&p, "</button></form><h2>");
    sk_page_say(&p, "パスワード", "Password");
    sk_page_raw(&p, "</h2><details><summary>");
    sk_page_say(&p, "変更する", "Change it");
    sk_page_raw(&p, "</summary><form method=\"post\" action=\"" CHANGE "\">");
    sk_page_hidden(&p, "form", token);
    sk_page_raw(&p, "<label for=\"password\">");
    sk_page_say(&p, "現在のパスワード", "Current password");
    sk_page_raw(&p, "</label><input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" maxlength=\"1024\" required>");
    password_fields(&p, false);
    sk_page_raw(&p, "</details><footer><a href=\"/.sekisho/logout\">");
    sk_page_say(&p, "ログアウト", "Log out");
    sk_page_raw(&p, "</a></footer>");
    sk_page_script(&p);
    sk_reserved_page(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("account-page"), sk_page_close(&p, x->arena), set);
}

static void put_date(struct sk_page *p, const char *time)
{
    sk_page_raw(p, "<time>");
    sk_page_text(p, sk_slice(time, 10));
    sk_page_raw(p, "</time>");
}

/* One authenticator of the account page. */
static void gather(struct sk_exchange *x, const struct sk_auth_authenticator *m)
{
    struct sk_page p = {.buf = SK_BUF_INIT(8192), .japanese = japanese(x)};
    char created[32], used[32], id[2 * SK_ID_SIZE + 1];
    sk_time_text(m->created, created);
    sk_time_text(m->used, used);
    sk_hex_encode(m->id, SK_ID_SIZE, id);
    sk_page_raw(&p, "<tr><td><span id=\"a");
    sk_page_raw(&p, id);
    sk_page_raw(&p, "\">");
    if (m->label.len) {
        sk_page_text(&p, m->label);
    } else {
        sk_page_say(&p, "(名前なし)", "(no name)");
    }
    sk_page_raw(&p, "</span><br><small>");
    sk_page_say(&p, m->synced ? "同期されるパスキー" : "この機器のみ", m->synced ? "synced passkey" : "this device only");
    sk_page_raw(&p, " · ");
    sk_page_say(&p, "登録 ", "added ");
    put_date(&p, created);
    sk_page_raw(&p, " · ");
    sk_page_say(&p, "最後の使用 ", "last used ");
    if (m->used) {
        put_date(&p, used);
    } else {
        sk_page_say(&p, "なし", "never");
    }
    sk_page_raw(&p, "</small></td><td><button class=\"plain\" type=\"submit\" name=\"id\" value=\"");
    sk_page_raw(&p, id);
    sk_page_raw(&p, "\" aria-describedby=\"a");
    sk_page_raw(&p, id);
    sk_page_raw(&p, "\">");
    sk_page_say(&p, "削除", "Remove");
    sk_page_raw(&p, "</button></td></tr>");
    if (!p.failed) {
        (void)!sk_buf_put(&x->told, sk_buf_peek(&p.buf));
    }
    sk_buf_free(&p.buf);
}

static void show_codes(struct sk_exchange *x, struct sk_slice codes)
{
    struct sk_page p;
    sk_page_open(&p, japanese(x), "回復コード", "Recovery codes");
    sk_page_raw(&p, "<p>");
    sk_page_say(&p, "このページは一度だけ表示されます。印刷するか、安全な場所に保管してください。", "They are shown this once. Print them, or keep them in a safe place.");
    sk_page_raw(&p, "</p><pre>");
    sk_page_text(&p, codes);
    sk_page_raw(&p, "</pre><p><a href=\"" SK_ACCOUNT_PAGE "\">");
    sk_page_say(&p, "戻る", "Back");
    sk_page_raw(&p, "</a></p>");
    sk_reserved_page(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("codes-made"), sk_page_close(&p, x->arena), SK_SLICE_NULL);
}

/* What could not be done with the account, and the way back. */
static void show_failed(struct sk_exchange *x, struct sk_slice reason)
{
    struct sk_page p;
    sk_page_open(&p, japanese(x), "変更できませんでした", "Nothing was changed");
    sk_page_message(&p, reason);
    sk_page_raw(&p, "<p><a href=\"" SK_ACCOUNT_PAGE "\">");
    sk_page_say(&p, "戻る", "Back");
    sk_page_raw(&p, "</a></p>");
    sk_reserved_page(x, sk_page_status(reason), SK_AUDIT_DECISION_DENY, reason, sk_page_close(&p, x->arena), SK_SLICE_NULL);
}

static void refuse_password(struct sk_exchange *x, struct sk_slice reason)
{
    if (is(x, RESET)) {
        show_reset(x, reason, sk_slice_cut(value(x, "link"), 64));
    } else {
        show_failed(x, reason);
    }
}

enum sk_go sk_account_serve(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    bool get = sk_slice_eq(r->method, SK_LIT("GET")) || sk_slice_eq(r->method, SK_LIT("HEAD"));
    bool page = is(x, SK_ACCOUNT_PAGE) || is(x, SK_VERIFY_PAGE);
    if (sk_slice_eq(r->method, SK_LIT("POST")) && !page) {
        return sk_reserved_wait_for_form(x, FORM_MAX);
    }
    if (get && is(x, RESET)) {
        show_reset(x, SK_SLICE_NULL, sk_slice_cut(query(x, "link"), 64));
    } else if (get && is(x, ENROLL)) {
        begin(x, sk_slice_cut(query(x, "link"), 64), SK_WEBAUTHN_REGISTER);
    } else if (!get || !page) {
        sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
    } else if (!has_session(x)) {
        return SK_GO_WAIT;
    } else if (is(x, SK_VERIFY_PAGE)) {
        show_verify(x, 200, SK_SLICE_NULL, sk_reserved_return(x, query(x, "return")));
    } else if (provider_of(x).len) {
        show_provider(x, provider_of(x));
    } else {
        struct sk_auth_list_authenticators m = {.session = x->grant->session, .proof = x->grant->proof, .user = x->grant->subject};
        memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
        sk_reserved_ask(x, SK_AUTH_LIST_AUTHENTICATORS, &m);
    }
    return SK_GO_WAIT;
}

/* ---- what auth said ---- */

static int put_base64(struct sk_buf *out, const char *before, struct sk_slice raw, const char *after)
{
    char text[SK_BASE64_SIZE(1023)];
    return sk_buf_printf(out, "%s\"%.*s\"%s", before, (int)sk_base64url_encode(raw, text), text, after);
}

/* The offer, for the script. */
static void told_offer(struct sk_exchange *x, const struct sk_auth_offer *m)
{
    static const char *const verifications[] = {"preferred", "required", "discouraged"};
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)48 << 10);
    struct sk_slice credentials = m->credentials;
    if (is(x, ENROLL)) {
        show_enroll(x, SK_SLICE_NULL, sk_slice_cut(query(x, "link"), 64), m->user);
        return;
    }
    int r = put_base64(&out, "{\"challenge\":", m->challenge, ",\"rp\":");
    r = r ? r : sk_json_put_string(&out, m->rp_id);
    r = r ? r : put_base64(&out, ",\"handle\":", m->handle, ",\"user\":");
    r = r ? r : sk_json_put_string(&out, m->user);
    r = r ? r : sk_buf_printf(&out, ",\"verification\":\"%s\",\"attestation\":\"%s\",\"credentials\":[", verifications[m->verification % SK_COUNT(verifications)],
                        m->attestation ? "direct" : "none");
    for (bool first = true; r == 0 && credentials.len > 2; first = false) {
        size_t len = (size_t)(uint8_t)credentials.data[0] | (size_t)(uint8_t)credentials.data[1] << 8;
        r = put_base64(&out, first ? "" : ",", sk_slice_cut(sk_slice_from(credentials, 2), len), "");
        credentials = sk_slice_from(credentials, 2 + len);
    }
    r = r ? r : sk_buf_put(&out, SK_LIT("]}\n"));
    if (r) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
        return;
    }
    x->reason = SK_LIT("passkey-offered");
    sk_reserved_json(x, sk_arena_copy(x->arena, sk_buf_peek(&out)));
}

/* For the script: a status of its own would be one more error of the page's, beside the one that the script shows. */
static void options_refused(struct sk_exchange *x, struct sk_slice reason)
{
    static struct sk_field type[] = {{{"content-type", 12}, {"application/json", 16}}};
    bool more = sk_slice_eq(reason, SK_LIT("factor-required"));
    struct sk_slice json = more ? SK_LIT("{\"go\":\"" VERIFY_FOR_ACCOUNT "\"}\n") : sk_arena_printf(x->arena, "{\"reason\":\"%.*s\"}\n", (int)reason.len, reason.data);
    sk_exchange_answer(x, 200, more ? SK_AUDIT_DECISION_CHALLENGE : SK_AUDIT_DECISION_DENY, reason, type, 1, json);
}

static void told_refused(struct sk_exchange *x, const struct sk_auth_refused *m)
{
    struct sk_slice reason = sk_arena_copy(x->arena, m->reason), back = sk_reserved_return(x, value(x, "return"));
    uint16_t status = sk_page_status(reason);
    x->retry_after = status == 429 ? m->retry_after : x->retry_after;
    if (is(x, OPTIONS)) {
        options_refused(x, reason);
    } else if (is(x, PASSKEY) && !x->grant) {
        sk_reserved_login_page(x, status, reason, back);
    } else if (status == 503) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, reason);
    } else if (is(x, ENROLL)) {
        struct sk_slice link = value(x, "link");
        show_enroll(x, reason, sk_slice_cut(link.len ? link : query(x, "link"), 64), SK_SLICE_NULL);
    } else if (is(x, RESET) || is(x, CHANGE)) {
        refuse_password(x, reason);
    } else if (is(x, PASSKEY) || is(x, RECOVER)) {
        show_verify(x, status, reason, back);
    } else if (sk_slice_eq(reason, SK_LIT("factor-required"))) {
        sk_reserved_redirect(x, SK_LIT(VERIFY_FOR_ACCOUNT), reason, SK_SLICE_NULL);
    } else {
        show_failed(x, reason);
    }
}

void sk_account_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    struct sk_slice account = SK_LIT(SK_ACCOUNT_PAGE);
    switch (code) {
    case SK_AUTH_OFFER:
        told_offer(x, message);
        break;
    case SK_AUTH_GRANT:
        sk_reserved_redirect(x, is(x, PASSKEY) ? sk_reserved_return(x, value(x, "return")) : account, SK_LIT("login"), sk_reserved_session_cookie(x, message));
        break;
    case SK_AUTH_AUTHENTICATOR:
        gather(x, message);
        break;
    case SK_AUTH_TOLD:
        show_codes(x, ((const struct sk_auth_told *)message)->text);
        break;
    case SK_AUTH_DONE:
        if (is(x, SK_ACCOUNT_PAGE)) {
            show_account(x);
        } else if (is(x, RESET)) {
            sk_reserved_redirect(x, SK_LIT("/.sekisho/login"), SK_LIT("password-changed"), SK_SLICE_NULL);
        } else {
            sk_reserved_redirect(x, account, SK_LIT("account-changed"), SK_SLICE_NULL);
        }
        break;
    case SK_AUTH_REFUSED:
        told_refused(x, message);
        break;
    default:
        break;
    }
}
