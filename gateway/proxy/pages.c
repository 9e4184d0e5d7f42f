/* The pages and bodies that anybody may be shown: login, logout, denial. Runs in the workers. */
#include "proxy/page.h"

#include "base/text.h"

#include <stdio.h>

/* One field for each 'h' or 'v' line; 'i' and 'e' lines are shown. */
static void prompt_fields(struct sk_page *w, struct sk_slice prompts)
{
    unsigned n = 0;
    while (prompts.len) {
        struct sk_slice line = sk_slice_split(&prompts, '\n');
        char kind = line.len ? line.data[0] : 'i';
        line = sk_slice_from(line, 1);
        if (kind != 'h' && kind != 'v') {
            sk_page_raw(w, "<p>");
            sk_page_text(w, line);
            sk_page_raw(w, "</p>");
            continue;
        }
        char id[16];
        (void)snprintf(id, sizeof(id), "a%u", n);
        sk_page_raw(w, "<label for=\"");
        sk_page_raw(w, id);
        sk_page_raw(w, "\">");
        sk_page_text(w, line);
        sk_page_raw(w, "</label><input name=\"answer\" required autocomplete=\"one-time-code\" id=\"");
        sk_page_raw(w, id);
        sk_page_raw(w, kind == 'h' ? "\" type=\"password\"" : "\" type=\"text\"");
        if (n++ == 0) {
            sk_page_focus(w);
        }
        sk_page_raw(w, ">");
    }
}

struct sk_slice sk_page_login(struct sk_arena *arena, bool japanese, const struct sk_site *site, struct sk_slice form_token, struct sk_slice back, struct sk_slice message,
        struct sk_slice user, struct sk_slice state, struct sk_slice prompts)
{
    struct sk_page w;
    sk_page_open(&w, japanese, "ログイン", "Log in");
    sk_page_message(&w, message);
    sk_page_raw(&w, "<form method=\"post\" action=\"/.sekisho/login\">");
    sk_page_hidden(&w, "form", form_token);
    sk_page_hidden(&w, "return", back);
    if (state.len) {
        sk_page_hidden(&w, "state", state);
        sk_page_hidden(&w, "user", user); /* for when an answer is not right */
        prompt_fields(&w, prompts);
    } else {
        sk_page_raw(&w, "<label for=\"user\">ID</label><input id=\"user\" name=\"user\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" "
                "spellcheck=\"false\" maxlength=\"256\" required value=\"");
        sk_page_text(&w, user);
        sk_page_raw(&w, "\"");
        if (user.len == 0) {
            sk_page_focus(&w);
        }
        sk_page_raw(&w, "><label for=\"password\">");
        sk_page_say(&w, "パスワード", "Password");
        sk_page_raw(&w, "</label><input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" maxlength=\"1024\" required");
        if (user.len) {
            sk_page_focus(&w);
        }
        sk_page_raw(&w, ">");
    }
    sk_page_raw(&w, "<button type=\"submit\">");
    sk_page_say(&w, "ログイン", "Log in");
    sk_page_raw(&w, "</button></form>");
    if (state.len == 0) {
        sk_page_ceremony(&w, "prove", false, "/.sekisho/passkey", form_token);
        sk_page_hidden(&w, "return", back);
        sk_page_raw(&w, "<hr><button class=\"plain\" type=\"submit\">");
        sk_page_say(&w, "パスキーでログイン", "Log in with a passkey");
        sk_page_raw(&w, "</button></form>");
        sk_page_providers(&w, site, back);
        sk_page_script(&w);
    }
    return sk_page_close(&w, arena);
}

/* What a refusal is to who reads it, by its reason, else by its status; the last is for all others. */
static const struct refusal {
    const char *reason;
    uint16_t statuses[2];
    bool where; /* says what was asked for */
    const char *heading[2], *text[2]; /* Japanese, English */
} refusals[] = {
        {"form-expired", {403, 403}, false, {"送信できませんでした", "It was not sent"},
                {"フォームの有効期限が切れました。前のページに戻り、再読み込みしてからもう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "The form had expired. Go back, reload the page, and send it again. If it goes on, tell your administrator the reason and the number below."}},
        {"login-required", {403, 403}, false, {"ログインしてください", "Please log in"},
                {"ログインしていないか、時間が過ぎました。ページを開き直してログインし、もう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "You are not logged in, or were so too long ago. Open the page anew, log in and try again. If it goes on, tell your administrator the reason and the number below."}},
        {"factor-required", {403, 403}, false, {"本人確認が必要です", "More proof is needed"},
                {"この操作には、さらに本人確認が必要です。ページを開き直して、もう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "This needs more proof that it is you. Open the page anew and try again. If it goes on, tell your administrator the reason and the number below."}},
        {NULL, {404, 405}, true, {"ページが見つかりません", "Page not found"},
                {"次のアドレスには、表示できるものがありません。アドレスをご確認ください。リンクから来た場合は、下の理由と番号を管理者にお知らせください。",
                        "There is nothing to show at the address below. Please check it. If a link led you here, tell your administrator the reason and the number."}},
        {NULL, {413, 413}, false, {"送信できませんでした", "It was not sent"},
                {"送信する内容が大きすぎます。小さくしてもう一度お試しください。必要な場合は、下の理由と番号を管理者にお知らせください。",
                        "It is larger than may be sent here. If you need to send it, tell your administrator the reason and the number below."}},
        {NULL, {421, 421}, true, {"この接続では表示できません", "Not on this connection"},
                {"次のアドレスは、ブラウザの今の接続では表示できません。アドレスを確認し、ブラウザを開き直してもう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "The address below is not served on the connection that your browser has. Please check it, close the browser and try again. If it goes on, tell your "
                        "administrator the reason and the number."}},
        {NULL, {429, 429}, false, {"混み合っています", "Too many requests"},
                {"しばらくしてからもう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "Please try again shortly. If it goes on, tell your administrator the reason and the number below."}},
        {NULL, {500, 599}, false, {"現在利用できません", "Not available at the moment"},
                {"しばらくしてからもう一度お試しください。続く場合は、下の理由と番号を管理者にお知らせください。",
                        "Please try again shortly. If it goes on, tell your administrator the reason and the number below."}},
        {NULL, {0, UINT16_MAX}, false, {"アクセスできません", "Access denied"},
                {"この操作は許可されていません。必要な場合は、下の理由と番号を管理者にお知らせください。",
                        "You may not do this. If you need to, tell your administrator the reason and the number below."}},
};

static void put_code(struct sk_page *w, const char *ja, const char *en, struct sk_slice text)
{
    sk_page_raw(w, "<p>");
    sk_page_say(w, ja, en);
    sk_page_raw(w, "<code>");
    sk_page_text(w, text);
    sk_page_raw(w, "</code></p>");
}

struct sk_slice sk_page_denied(struct sk_arena *arena, bool japanese, uint16_t status, struct sk_slice reason, struct sk_slice id, struct sk_slice where, struct sk_slice subject)
{
    struct sk_page w;
    const struct refusal *r = refusals;
    while (status < r->statuses[0] || status > r->statuses[1] || (r->reason && !sk_slice_eq(reason, sk_slice_str(r->reason)))) {
        r++;
    }
    sk_page_open(&w, japanese, r->heading[0], r->heading[1]);
    sk_page_raw(&w, "<p>");
    sk_page_say(&w, r->text[0], r->text[1]);
    sk_page_raw(&w, "</p>");
    if (r->where) {
        put_code(&w, "アドレス: ", "Address: ", where);
    }
    put_code(&w, "理由: ", "Reason: ", reason);
    put_code(&w, "番号: ", "Number: ", id);
    if (subject.len) {
        sk_page_raw(&w, "<footer>");
        sk_page_text(&w, subject);
        sk_page_raw(&w, " · <a href=\"/.sekisho/logout\">");
        sk_page_say(&w, "ログアウト", "Log out");
        sk_page_raw(&w, "</a></footer>");
    }
    return sk_page_close(&w, arena);
}

struct sk_slice sk_page_logout(struct sk_arena *arena, bool japanese, struct sk_slice form_token, bool done)
{
    struct sk_page w;
    if (done) {
        sk_page_open(&w, japanese, "ログアウトしました", "You are logged out");
        sk_page_raw(&w, "<p><a href=\"/.sekisho/login\">");
        sk_page_say(&w, "もう一度ログインする", "Log in again");
        sk_page_raw(&w, "</a></p>");
        return sk_page_close(&w, arena);
    }
    sk_page_open(&w, japanese, "ログアウト", "Log out");
    sk_page_raw(&w, "<form method=\"post\" action=\"/.sekisho/logout\">");
    sk_page_hidden(&w, "form", form_token);
    sk_page_raw(&w, "<button type=\"submit\">");
    sk_page_say(&w, "ログアウトする", "Log out");
    sk_page_raw(&w, "</button></form>");
    return sk_page_close(&w, arena);
}

/* For who writes a program: what is wrong, and what to do. */
static const struct {
    const char *reason, *before, *after;
} details[] = {
        {"no-app", "no app is at ", ": check the host and the path"},
        {"no-such-page", "the gateway has no page at ", ": check the path"},
        {"misdirected-request", "the connection's server name is not of the tenant of ", ": check the host, and connect by its own name"},
        {"bad-query", "the query's parameter \"", "\" is unknown here, is given twice or too often, or has no such value: sekisho(1) has them all, under audit search"},
        {"certificate-changed", "the client certificate that the connection began with does not hold for ", " any more: connect again"},
};

/* RFC 9457. */
struct sk_slice sk_page_problem(struct sk_arena *arena, uint16_t status, struct sk_slice reason, struct sk_slice id, struct sk_slice where)
{
    struct sk_buf body SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 10);
    int r = sk_buf_printf(&body, "{\"type\":\"about:blank\",\"status\":%u,\"reason\":\"%.*s\",\"id\":\"%.*s\"", status, (int)reason.len, reason.data, (int)id.len, id.data);
    for (size_t i = 0; i < SK_COUNT(details); i++) {
        if (sk_slice_eq(reason, sk_slice_str(details[i].reason))) {
            struct sk_slice detail = sk_arena_printf(arena, "%s%.*s%s", details[i].before, (int)where.len, where.data, details[i].after);
            r = r ? r : sk_buf_put(&body, SK_LIT(",\"detail\":"));
            r = r ? r : sk_json_put_string(&body, detail);
        }
    }
    r = r ? r : sk_buf_put(&body, SK_LIT("}\n"));
    return r ? SK_SLICE_NULL : sk_arena_copy(arena, sk_buf_peek(&body));
}
