/* What all pages of the gateway's own are made of: style, language, script, messages. Runs in the workers. */
#include "proxy/page.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>

extern const char sk_passkey_script[]; /* passkey.js, embedded at build */

static const char style[] =
        ":root{color-scheme:light dark;--ink:#1d2430;--paper:#f4f5f7;--card:#fff;--line:#c9ced8;--edge:#7d8796;--accent:#0b57a4;--bad:#a4260b}"
        "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--paper:#14171c;--card:#1e232b;--line:#3a4250;--edge:#7a8495;--accent:#7db7f5;--bad:#ff9d85}}"
        "*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);"
        "font:16px/1.6 system-ui,'Noto Sans JP','Hiragino Sans','Yu Gothic UI',sans-serif}"
        "main{width:min(26rem,calc(100vw - 2rem));margin:1rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}"
        "h1{margin:0 0 1rem;font-size:1.35rem}p{margin:.5rem 0}label{display:block;margin:1rem 0 .25rem;font-weight:600}"
        "input{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--edge);border-radius:.4rem}"
        "input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
        "button{width:100%;margin-top:1.5rem;padding:.7rem;font:inherit;font-weight:600;color:#fff;background:#0b57a4;border:0;border-radius:.4rem;cursor:pointer}"
        ".button{display:block;margin-top:1rem;padding:.7rem;font-weight:600;text-align:center;text-decoration:none;border-radius:.4rem}"
        ".plain{color:var(--accent);background:transparent;border:1px solid var(--edge)}time{white-space:nowrap}table{width:100%;border-collapse:collapse}"
        "td{padding:.5rem .25rem;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}td button{margin:0;padding:.3rem .6rem;width:auto;white-space:nowrap}"
        "hr{margin:1.75rem 0 .5rem;border:0;border-top:1px solid var(--line)}h2{margin:1.75rem 0 .25rem;font-size:1.05rem}"
        "pre{padding:.75rem;border:1px solid var(--line);border-radius:.4rem;font:1rem/1.8 ui-monospace,monospace}small{opacity:.75}"
        "summary{margin-top:1.25rem;cursor:pointer}details[open]{margin-bottom:1.25rem}[hidden]{display:none}"
        ".message{padding:.6rem .8rem;border-left:4px solid var(--bad);background:color-mix(in srgb,var(--bad) 10%,transparent)}"
        "code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}a{display:inline-block;padding:.25rem 0;color:var(--accent)}footer{margin-top:1.5rem;font-size:.85rem}"
        "p,h1,summary,small{text-wrap:pretty;overflow-wrap:anywhere}:lang(ja){word-break:auto-phrase}";

static void hash_of(const char *text, char out[48])
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(sk_slice_str(text), hash);
    (void)sk_base64_encode(sk_slice(hash, sizeof(hash)), out);
}

struct sk_slice sk_page_policy(void)
{
    static char policy[320];
    if (policy[0] == '\0') {
        char styles[48], scripts[48];
        hash_of(style, styles);
        hash_of(sk_passkey_script, scripts);
        /* Browsers apply form-action to where a form's answer leads as well: a panel may send who has logged in elsewhere. */
        (void)snprintf(policy, sizeof(policy),
                "default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; form-action 'self' https:; "
                "frame-ancestors 'none'; base-uri 'none'",
                styles, scripts);
    }
    return sk_slice_str(policy);
}

/* The language with the higher weight; English when neither is named. */
bool sk_page_japanese(const struct sk_request *request)
{
    const struct sk_slice *value = sk_field_find(request->fields, request->fields_count, SK_LIT("accept-language"));
    struct sk_slice rest = value ? *value : SK_SLICE_NULL;
    double ja = 0, en = 0, weight;
    while (rest.len) {
        struct sk_slice item = sk_slice_trim(sk_slice_split(&rest, ','));
        struct sk_slice q = item;
        struct sk_slice tag = sk_slice_trim(sk_slice_split(&q, ';'));
        q = sk_slice_trim(q);
        weight = 1;
        if (q.len > 2 && q.len < 8 && sk_slice_starts(q, SK_LIT("q="))) {
            char text[8] = {0};
            memcpy(text, q.data + 2, q.len - 2);
            weight = strtod(text, NULL);
        }
        struct sk_slice primary = sk_slice_cut(tag, 2);
        if (sk_slice_eq_nocase(primary, SK_LIT("ja")) && weight > ja) {
            ja = weight;
        } else if (sk_slice_eq_nocase(primary, SK_LIT("en")) && weight > en) {
            en = weight;
        }
    }
    return ja > en;
}

bool sk_page_is_wanted(const struct sk_request *request)
{
    const struct sk_slice *value = sk_field_find(request->fields, request->fields_count, SK_LIT("accept"));
    struct sk_slice rest = value ? *value : SK_SLICE_NULL;
    while (rest.len) {
        struct sk_slice item = sk_slice_split(&rest, ',');
        if (sk_slice_eq_nocase(sk_slice_trim(sk_slice_split(&item, ';')), SK_LIT("text/html"))) {
            return true;
        }
    }
    return false;
}

void sk_page_raw(struct sk_page *w, const char *html)
{
    w->failed |= sk_buf_put(&w->buf, sk_slice_str(html));
}

void sk_page_text(struct sk_page *w, struct sk_slice text)
{
    w->failed |= sk_html_put(&w->buf, text);
}

void sk_page_say(struct sk_page *w, const char *ja, const char *en)
{
    sk_page_raw(w, w->japanese ? ja : en);
}

void sk_page_open(struct sk_page *w, bool japanese, const char *ja, const char *en)
{
    *w = (struct sk_page){.buf = SK_BUF_INIT((size_t)64 << 10), .japanese = japanese};
    sk_page_raw(w, w->japanese ? "<!doctype html><html lang=\"ja\">" : "<!doctype html><html lang=\"en\">");
    sk_page_raw(w, "<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    sk_page_say(w, ja, en);
    sk_page_raw(w, "</title><style>");
    sk_page_raw(w, style);
    sk_page_raw(w, "</style></head><body><main><h1>");
    sk_page_say(w, ja, en);
    sk_page_raw(w, "</h1>");
}

struct sk_slice sk_page_close(struct sk_page *w, struct sk_arena *arena)
{
    sk_page_raw(w, "</main></body></html>");
    struct sk_slice page = w->failed ? SK_SLICE_NULL : sk_arena_copy(arena, sk_buf_peek(&w->buf));
    sk_buf_free(&w->buf);
    return page;
}

void sk_page_hidden(struct sk_page *w, const char *name, struct sk_slice value)
{
    sk_page_raw(w, "<input type=\"hidden\" name=\"");
    sk_page_raw(w, name);
    sk_page_raw(w, "\" value=\"");
    sk_page_text(w, value);
    sk_page_raw(w, "\">");
}

static const struct {
    const char *reason, *ja, *en;
} messages[] = {
        {"login-failed", "IDまたはパスワードが正しくありません。", "The ID or the password is not right."},
        {SK_TOO_MANY_ATTEMPTS, "ログインの試行回数が多すぎます。しばらくしてからもう一度お試しください。続く場合は管理者にお知らせください。",
                "There were too many attempts. Please try again later; if it goes on, tell your administrator."},
        {"login-expired", "時間が過ぎました。もう一度ログインしてください。", "That took too long. Please log in again."},
        {"form-expired", "フォームの有効期限が切れました。もう一度送信してください。", "The form had expired. Please send it again."},
        {"factor-required", "この操作には、もう一度本人確認が必要です。", "This needs another proof that it is you."},
        {"passkey-failed", "パスキーを確認できませんでした。もう一度お試しください。", "The passkey could not be verified. Please try again."},
        {"code-failed", "回復コードが正しくないか、使用済みです。", "The recovery code is not right, or was used already."},
        {"registration-failed", "登録できませんでした。別のパスキーをお試しください。", "It could not be registered. Please try another passkey."},
        {"registered-already", "このパスキーはすでに登録されています。", "This passkey is registered already."},
        {"too-many-authenticators", "登録できる数を超えています。不要なものを削除してください。", "You have as many as you may. Please remove one first."},
        {"link-expired", "このリンクは使用済みか、期限が切れています。管理者に新しいリンクを依頼してください。",
                "This link was used already, or is too old. Please ask your administrator for a new one."},
        {"passwords-differ", "新しいパスワードが一致しません。", "The two new passwords are not the same."},
        {"password-too-short", "パスワードが短すぎます。15文字以上にしてください(二要素認証が必須の場合は8文字以上)。",
                "The password is too short: at least 15 characters, or 8 where a second factor is always asked for."},
        {"password-too-long", "パスワードが長すぎます。", "The password is too long."},
        {"password-not-text", "パスワードに使えない文字があります。", "The password has a character in it that cannot be used."},
        {"password-common", "よく使われる、推測されやすいパスワードです。関係のない単語をいくつか並べると強くなります。",
                "That password is one of those that are tried first. Several words that do not belong together make a good one."},
        {"password-context", "IDや契約名に近いパスワードは使えません。", "That password is little more than your name or the service's."},
        {"password-not-here", "このパスワードは、ここでは変更できません。管理者にお問い合わせください。", "This password is not changed here. Please ask your administrator."},
        {"password-changed", "パスワードは別の場所で変更されました。", "The password was changed elsewhere meanwhile."},
        {"sign-in-failed", "ログインできませんでした。もう一度お試しください。続く場合は管理者にお知らせください。",
                "You could not be signed in. Please try again; if it goes on, tell your administrator."},
        {"sign-in-expired", "時間が過ぎたか、別のブラウザで開かれました。もう一度お試しください。", "That took too long, or began in another browser. Please try again."},
        {"login-required", "ログインしてください。", "Please log in."},
};

static size_t message_of(struct sk_slice reason)
{
    size_t i = 0;
    while (i < SK_COUNT(messages) && !sk_slice_eq(reason, sk_slice_str(messages[i].reason))) {
        i++;
    }
    return i;
}

uint16_t sk_page_status(struct sk_slice reason)
{
    return message_of(reason) == SK_COUNT(messages) ? 503 : sk_slice_eq(reason, SK_LIT(SK_TOO_MANY_ATTEMPTS)) ? 429 : 403;
}

void sk_page_message(struct sk_page *w, struct sk_slice reason)
{
    size_t i = message_of(reason);
    if (reason.len == 0) {
        return;
    }
    sk_page_raw(w, "<p id=\"message\" class=\"message\" role=\"alert\">");
    w->said = true;
    if (i < SK_COUNT(messages)) {
        sk_page_say(w, messages[i].ja, messages[i].en);
    } else {
        sk_page_say(w, "現在この操作はできません。しばらくしてからもう一度お試しください。", "That is not possible at the moment. Please try again shortly.");
    }
    sk_page_raw(w, "</p>");
}

/* What is in a page from its beginning is not always read aloud: the focus is where it is. */
void sk_page_focus(struct sk_page *w)
{
    sk_page_raw(w, w->said ? " autofocus aria-describedby=\"message\"" : " autofocus");
}

void sk_page_ceremony(struct sk_page *w, const char *purpose, bool session, const char *action, struct sk_slice form_token)
{
    static const char *const fields[] = {"challenge", "credential", "handle", "client_data", "object", "signature"};
    sk_page_raw(w, "<form hidden method=\"post\" data-passkey=\"");
    sk_page_raw(w, purpose);
    sk_page_raw(w, "\" action=\"");
    sk_page_raw(w, action);
    sk_page_raw(w, "\">");
    sk_page_hidden(w, "form", form_token);
    if (session) {
        sk_page_hidden(w, "session", SK_LIT("1"));
    }
    for (size_t i = 0; i < SK_COUNT(fields); i++) {
        sk_page_hidden(w, fields[i], SK_SLICE_NULL);
    }
    sk_page_raw(w, "<p class=\"message\" role=\"alert\" hidden>");
    sk_page_say(w, "パスキーを使用できませんでした。もう一度お試しください。", "The passkey was not used. Please try again.");
    sk_page_raw(w, "</p>");
}

void sk_page_providers(struct sk_page *w, const struct sk_site *site, struct sk_slice back)
{
    for (unsigned i = 0; i < site->providers_count; i++) {
        sk_page_raw(w, "<a class=\"button plain\" href=\"/.sekisho/sign-in/");
        sk_page_text(w, site->providers[i]);
        sk_page_raw(w, "?return=");
        w->failed |= sk_percent_put(&w->buf, back);
        sk_page_raw(w, "\">");
        sk_page_text(w, w->japanese ? site->providers[i] : SK_SLICE_NULL);
        sk_page_say(w, " でログイン", "Log in with ");
        sk_page_text(w, w->japanese ? SK_SLICE_NULL : site->providers[i]);
        sk_page_raw(w, "</a>");
    }
}

void sk_page_script(struct sk_page *w)
{
    sk_page_raw(w, "<script>");
    sk_page_raw(w, sk_passkey_script);
    sk_page_raw(w, "</script>");
}
