/*
 * The pages and bodies the gateway itself shows, in Japanese and English. No script; the style is in the page, so that one
 * who is let in nowhere can read why, and is allowed by its hash. Runs in the workers.
 */
#include "proxy/exchange.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>

static const char style[] =
        ":root{color-scheme:light dark;--ink:#1d2430;--paper:#f4f5f7;--card:#fff;--line:#c9ced8;--accent:#0b57a4;--bad:#a4260b}"
        "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--paper:#14171c;--card:#1e232b;--line:#3a4250;--accent:#7db7f5;--bad:#ff9d85}}"
        "*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);"
        "font:16px/1.6 system-ui,'Noto Sans JP','Hiragino Sans','Yu Gothic UI',sans-serif}"
        "main{width:min(26rem,calc(100vw - 2rem));margin:1rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}"
        "h1{margin:0 0 1rem;font-size:1.35rem}p{margin:.5rem 0}label{display:block;margin:1rem 0 .25rem;font-weight:600}"
        "input{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--line);border-radius:.4rem}"
        "input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}"
        "button{width:100%;margin-top:1.5rem;padding:.7rem;font:inherit;font-weight:600;color:#fff;background:#0b57a4;border:0;border-radius:.4rem;cursor:pointer}"
        ".message{padding:.6rem .8rem;border-left:4px solid var(--bad);background:color-mix(in srgb,var(--bad) 10%,transparent)}"
        "code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}a{color:var(--accent)}footer{margin-top:1.5rem;font-size:.85rem}";

struct sk_slice sk_page_policy(void)
{
    static char policy[192];
    if (policy[0] == '\0') {
        uint8_t hash[SK_SHA256_SIZE];
        char text[48];
        sk_digest_sha256(sk_slice_str(style), hash);
        (void)sk_base64_encode(sk_slice(hash, sizeof(hash)), text);
        (void)snprintf(policy, sizeof(policy), "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", text);
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

struct writer {
    struct sk_buf buf;
    bool japanese;
    int failed;
};

static void raw(struct writer *w, const char *text)
{
    w->failed |= sk_buf_put(&w->buf, sk_slice_str(text));
}

static void text(struct writer *w, struct sk_slice s)
{
    w->failed |= sk_html_put(&w->buf, s);
}

static void say(struct writer *w, const char *ja, const char *en)
{
    raw(w, w->japanese ? ja : en);
}

static void open_page(struct writer *w, const char *ja, const char *en)
{
    raw(w, w->japanese ? "<!doctype html><html lang=\"ja\">" : "<!doctype html><html lang=\"en\">");
    raw(w, "<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    say(w, ja, en);
    raw(w, "</title><style>");
    raw(w, style);
    raw(w, "</style></head><body><main><h1>");
    say(w, ja, en);
    raw(w, "</h1>");
}

static struct sk_slice close_page(struct writer *w, struct sk_arena *arena)
{
    raw(w, "</main></body></html>");
    struct sk_slice page = w->failed ? SK_SLICE_NULL : sk_arena_copy(arena, sk_buf_peek(&w->buf));
    sk_buf_free(&w->buf);
    return page;
}

static void hidden(struct writer *w, const char *name, struct sk_slice value)
{
    raw(w, "<input type=\"hidden\" name=\"");
    raw(w, name);
    raw(w, "\" value=\"");
    text(w, value);
    raw(w, "\">");
}

static void message_for(struct writer *w, struct sk_slice reason)
{
    if (reason.len == 0) {
        return;
    }
    raw(w, "<p class=\"message\" role=\"alert\">");
    if (sk_slice_eq(reason, SK_LIT("login-failed"))) {
        say(w, "IDまたはパスワードが正しくありません。",
                "The ID or the password is not right.");
    } else if (sk_slice_eq(reason, SK_LIT(SK_TOO_MANY_ATTEMPTS))) {
        say(w, "ログインの試行回数が多すぎます。しばらくしてからもう一度お試しください。続く場合は管理者にお知らせください。",
                "There were too many attempts. Please try again later; if it goes on, tell your administrator.");
    } else if (sk_slice_eq(reason, SK_LIT("login-expired"))) {
        say(w, "時間が過ぎました。もう一度ログインしてください。", "That took too long. Please log in again.");
    } else if (sk_slice_eq(reason, SK_LIT("form-expired"))) {
        say(w, "フォームの有効期限が切れました。もう一度送信してください。", "The form had expired. Please send it again.");
    } else {
        say(w, "現在ログインできません。しばらくしてからもう一度お試しください。", "Logging in is not possible at the moment. Please try again shortly.");
    }
    raw(w, "</p>");
}

/* One field for each 'h' or 'v' line; 'i' and 'e' lines are shown. */
static void prompt_fields(struct writer *w, struct sk_slice prompts)
{
    int n = 0;
    for (bool first = true; prompts.len; first = false) {
        struct sk_slice line = sk_slice_split(&prompts, '\n');
        char kind = line.len ? line.data[0] : 'i';
        line = sk_slice_from(line, 1);
        if (kind != 'h' && kind != 'v') {
            raw(w, "<p>");
            text(w, line);
            raw(w, "</p>");
            continue;
        }
        char id[8] = {'a', (char)('0' + n % 10), 0};
        raw(w, "<label for=\"");
        raw(w, id);
        raw(w, "\">");
        text(w, line);
        raw(w, "</label><input name=\"answer\" required autocomplete=\"one-time-code\" id=\"");
        raw(w, id);
        raw(w, kind == 'h' ? "\" type=\"password\"" : "\" type=\"text\"");
        raw(w, first ? " autofocus>" : ">");
        n++;
    }
}

struct sk_slice sk_page_login(struct sk_arena *arena, bool japanese, struct sk_slice form_token, struct sk_slice back, struct sk_slice message,
        struct sk_slice state, struct sk_slice prompts)
{
    struct writer w = {.buf = SK_BUF_INIT((size_t)64 << 10), .japanese = japanese};
    open_page(&w, "ログイン", "Log in");
    message_for(&w, message);
    raw(&w, "<form method=\"post\" action=\"/.sekisho/login\">");
    hidden(&w, "form", form_token);
    hidden(&w, "return", back);
    if (state.len) {
        hidden(&w, "state", state);
        prompt_fields(&w, prompts);
    } else {
        raw(&w, "<label for=\"user\">ID</label><input id=\"user\" name=\"user\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" "
                "spellcheck=\"false\" maxlength=\"256\" required autofocus><label for=\"password\">");
        say(&w, "パスワード", "Password");
        raw(&w, "</label><input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" maxlength=\"1024\" required>");
    }
    raw(&w, "<button type=\"submit\">");
    say(&w, "ログイン", "Log in");
    raw(&w, "</button></form>");
    return close_page(&w, arena);
}

struct sk_slice sk_page_denied(struct sk_arena *arena, bool japanese, struct sk_slice reason, struct sk_slice id, struct sk_slice subject)
{
    struct writer w = {.buf = SK_BUF_INIT((size_t)64 << 10), .japanese = japanese};
    open_page(&w, "アクセスできません", "Access denied");
    raw(&w, "<p>");
    say(&w, "この操作は許可されていません。必要な場合は、下の理由と番号を管理者にお知らせください。",
            "You may not do this. If you need to, tell your administrator the reason and the number below.");
    raw(&w, "</p><p>");
    say(&w, "理由: ", "Reason: ");
    raw(&w, "<code>");
    text(&w, reason);
    raw(&w, "</code></p><p>");
    say(&w, "番号: ", "Number: ");
    raw(&w, "<code>");
    text(&w, id);
    raw(&w, "</code></p>");
    if (subject.len) {
        raw(&w, "<footer>");
        text(&w, subject);
        raw(&w, " · <a href=\"/.sekisho/logout\">");
        say(&w, "ログアウト", "Log out");
        raw(&w, "</a></footer>");
    }
    return close_page(&w, arena);
}

struct sk_slice sk_page_logout(struct sk_arena *arena, bool japanese, struct sk_slice form_token, bool done)
{
    struct writer w = {.buf = SK_BUF_INIT((size_t)64 << 10), .japanese = japanese};
    if (done) {
        open_page(&w, "ログアウトしました", "You are logged out");
        raw(&w, "<p><a href=\"/.sekisho/login\">");
        say(&w, "もう一度ログインする", "Log in again");
        raw(&w, "</a></p>");
        return close_page(&w, arena);
    }
    open_page(&w, "ログアウト", "Log out");
    raw(&w, "<form method=\"post\" action=\"/.sekisho/logout\">");
    hidden(&w, "form", form_token);
    raw(&w, "<button type=\"submit\">");
    say(&w, "ログアウトする", "Log out");
    raw(&w, "</button></form>");
    return close_page(&w, arena);
}

/* RFC 9457. */
struct sk_slice sk_page_problem(struct sk_arena *arena, uint16_t status, struct sk_slice reason, struct sk_slice id)
{
    return sk_arena_printf(arena, "{\"type\":\"about:blank\",\"status\":%u,\"reason\":\"%.*s\",\"id\":\"%.*s\"}\n", status, (int)reason.len,
            reason.data, (int)id.len, id.data);
}
