/* gateway/proxy/pages.c: the language that was asked for, and nothing of a request or a module that could be markup. */
#include "proxy/page.h"

#include <criterion/criterion.h>

static struct sk_arena arena;
static const struct sk_site site = {.providers = {{"Example.Corp", 12}}, .providers_count = 1};

static void begin(void)
{
    sk_arena_init(&arena, (size_t)1 << 20);
}

static void end(void)
{
    sk_arena_free(&arena);
}

TestSuite(proxy_pages, .init = begin, .fini = end);

static bool japanese(const char *accept)
{
    struct sk_field field = {SK_LIT("accept-language"), sk_slice_str(accept)};
    struct sk_request request = {.fields = &field, .fields_count = accept ? 1 : 0};
    return sk_page_japanese(&request);
}

static bool holds(struct sk_slice page, const char *text)
{
    cr_assert_not_null(page.data);
    return memmem(page.data, page.len, text, strlen(text)) != NULL;
}

static size_t count(struct sk_slice page, const char *text)
{
    size_t n = 0;
    for (const char *at = page.data; (at = memmem(at, (size_t)(page.data + page.len - at), text, strlen(text))) != NULL; at++) {
        n++;
    }
    return n;
}

Test(proxy_pages, the_language_of_the_higher_weight_wins_and_english_when_neither_is_named)
{
    static const char *const ja[] = {"ja", "JA", "ja-JP", "ja;q=0.5,en;q=0.4", "en;q=0.1, ja", "fr,ja;q=0.1", "en;q=0.9,ja;q=1.0", " ja ; q=0.8 , en;q=0.7"};
    static const char *const en[] = {"en", "", "fr", "ja;q=0", "ja;q=0.3,en;q=0.4", "en-US,ja;q=0.9", "ja,en", ",,,", ";q=1", "ja;q=x", "ja;q=-1", "*"};
    for (size_t i = 0; i < SK_COUNT(ja); i++) {
        cr_expect(japanese(ja[i]), "%s", ja[i]);
    }
    for (size_t i = 0; i < SK_COUNT(en); i++) {
        cr_expect_not(japanese(en[i]), "%s", en[i]);
    }
    cr_expect_not(japanese(NULL));
}

Test(proxy_pages, what_comes_from_outside_is_escaped_wherever_it_stands)
{
    struct sk_slice evil = SK_LIT("\"'><script>&amp;"), none = SK_SLICE_NULL;
    struct sk_slice pages[] = {
            sk_page_login(&arena, true, &site, evil, evil, none, evil, none, none),
            sk_page_login(&arena, false, &site, evil, evil, evil, evil, evil, SK_LIT("h\"'><script>&amp;\ni\"'><script>&amp;\ne\"'><script>&amp;\nv\"'><script>&amp;")),
            sk_page_denied(&arena, true, 403, evil, evil, evil, evil), sk_page_denied(&arena, true, 404, evil, evil, evil, evil),
            sk_page_logout(&arena, false, evil, false),
    };
    for (size_t i = 0; i < SK_COUNT(pages); i++) {
        cr_expect_not(holds(pages[i], "<script>&"), "page %zu", i);
        cr_expect_not(holds(pages[i], "'>"), "page %zu", i);
        cr_expect_not(holds(pages[i], "\"'"), "page %zu", i);
        cr_expect(holds(pages[i], "&lt;script&gt;&amp;amp;"), "page %zu", i);
    }
}

Test(proxy_pages, each_question_has_a_labelled_field_of_its_kind_and_what_is_said_has_none)
{
    struct sk_slice page = sk_page_login(&arena, false, &site, SK_LIT("f"), SK_LIT("/"), SK_SLICE_NULL, SK_SLICE_NULL, SK_LIT("s"), SK_LIT("iWelcome\nhFirst:\nvSecond:\neBeware\nhThird:"));
    cr_expect_eq(count(page, "name=\"answer\""), 3);
    cr_expect_eq(count(page, "type=\"password\""), 2);
    cr_expect_eq(count(page, "type=\"text\""), 1);
    cr_expect(holds(page, "<label for=\"a0\">First:</label>") && holds(page, "<label for=\"a1\">Second:</label>") && holds(page, "<label for=\"a2\">Third:</label>"));
    cr_expect(holds(page, "<p>Welcome</p>") && holds(page, "<p>Beware</p>"));
    cr_expect_not(holds(page, "id=\"user\""), "the name is not asked for again");
}

Test(proxy_pages, the_first_question_has_the_focus_whatever_is_said_before_it_and_each_field_a_name_of_its_own)
{
    struct sk_slice page = sk_page_login(&arena, false, &site, SK_LIT("f"), SK_LIT("/"), SK_SLICE_NULL, SK_SLICE_NULL, SK_LIT("s"),
            SK_LIT("iWelcome\nh0\nh1\nh2\nh3\nh4\nh5\nh6\nh7\nh8\nh9\nh10"));
    cr_expect_eq(count(page, "autofocus"), 1);
    cr_expect(holds(page, "id=\"a0\" type=\"password\" autofocus>"));
    cr_expect_eq(count(page, "id=\"a0\""), 1);
    cr_expect(holds(page, "<label for=\"a10\">10</label>") && holds(page, "id=\"a10\""));
}

Test(proxy_pages, every_page_is_one_document_in_one_language)
{
    struct sk_slice x = SK_LIT("x");
    for (int language = 0; language < 2; language++) {
        bool ja = language == 1;
        struct sk_slice pages[] = {sk_page_login(&arena, ja, &site, x, x, SK_LIT("login-failed"), SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL), sk_page_login(&arena, ja, &site, x, x, SK_LIT("login-expired"), SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL),
                sk_page_login(&arena, ja, &site, x, x, SK_LIT("form-expired"), SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL), sk_page_login(&arena, ja, &site, x, x, SK_LIT("auth-unavailable"), SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL),
                sk_page_denied(&arena, ja, 403, x, x, SK_SLICE_NULL, x), sk_page_denied(&arena, ja, 503, x, x, SK_SLICE_NULL, x), sk_page_logout(&arena, ja, x, false), sk_page_logout(&arena, ja, SK_SLICE_NULL, true)};
        for (size_t i = 0; i < SK_COUNT(pages); i++) {
            cr_expect(holds(pages[i], ja ? "<html lang=\"ja\">" : "<html lang=\"en\">"));
            cr_expect_eq(count(pages[i], "<!doctype html>"), 1);
            cr_expect_eq(count(pages[i], "</html>"), 1);
            size_t high = 0;
            for (size_t at = 0; at < pages[i].len; at++) {
                high += (unsigned char)pages[i].data[at] >= 0x80;
            }
            cr_expect(ja ? high > 30 : high <= 2, "page %zu: %zu bytes beyond ASCII", i, high); /* English: the dot before "Log out" */
        }
    }
}

Test(proxy_pages, what_the_reader_can_do_nothing_about_is_no_403)
{
    cr_expect_eq(sk_page_status(SK_LIT("login-failed")), 403);
    cr_expect_eq(sk_page_status(SK_LIT("link-expired")), 403);
    cr_expect_eq(sk_page_status(SK_LIT("too-many-attempts")), 429);
    cr_expect_eq(sk_page_status(SK_LIT("store-unavailable")), 503);
    cr_expect_eq(sk_page_status(SK_LIT("busy")), 503);
    cr_expect(holds(sk_page_denied(&arena, false, 503, SK_LIT("busy"), SK_LIT("1"), SK_SLICE_NULL, SK_SLICE_NULL), "Not available at the moment"));
    cr_expect(holds(sk_page_denied(&arena, false, 403, SK_LIT("busy"), SK_LIT("1"), SK_SLICE_NULL, SK_SLICE_NULL), "Access denied"));
}

Test(proxy_pages, a_page_without_memory_is_none)
{
    struct sk_arena small;
    sk_arena_init(&small, 64);
    cr_expect_null(sk_page_login(&small, false, &site, SK_LIT("f"), SK_LIT("/"), SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL, SK_SLICE_NULL).data);
    sk_arena_free(&small);
}

Test(proxy_pages, a_problem_is_json_with_its_reason_and_id)
{
    struct sk_slice body = sk_page_problem(&arena, 403, SK_LIT("not-permitted"), SK_LIT("00ff"), SK_LIT("acme.test/x"));
    cr_expect(sk_slice_eq(body, SK_LIT("{\"type\":\"about:blank\",\"status\":403,\"reason\":\"not-permitted\",\"id\":\"00ff\"}\n")));
}

Test(proxy_pages, the_id_that_was_typed_is_kept_and_the_password_asked_for)
{
    struct sk_slice none = SK_SLICE_NULL, page = sk_page_login(&arena, false, &site, SK_LIT("f"), SK_LIT("/"), SK_LIT("login-failed"), SK_LIT("hana\"ko"), none, none);
    cr_expect(holds(page, "value=\"hana&quot;ko\"><label for=\"password\">"));
    cr_expect(holds(page, "maxlength=\"1024\" required autofocus aria-describedby=\"message\">"), "so that what was wrong is read aloud");
    cr_expect(holds(page, "<p id=\"message\""));
    page = sk_page_login(&arena, false, &site, SK_LIT("f"), SK_LIT("/"), none, none, none, none);
    cr_expect(holds(page, "value=\"\" autofocus>") && !holds(page, "maxlength=\"1024\" required autofocus>"));
    cr_expect_not(holds(page, "aria-describedby"), "there is nothing to read");
    page = sk_page_login(&arena, false, &site, SK_LIT("f"), SK_LIT("/"), none, SK_LIT("hanako"), SK_LIT("s"), SK_LIT("hFirst:\nhSecond:"));
    cr_expect(holds(page, "<input type=\"hidden\" name=\"user\" value=\"hanako\">"), "with the answers, if one of them should be wrong");
    cr_expect_eq(count(page, "autofocus"), 1);
}

Test(proxy_pages, a_program_is_told_what_is_not_there_and_what_to_do)
{
    struct sk_slice body = sk_page_problem(&arena, 404, SK_LIT("no-app"), SK_LIT("00ff"), SK_LIT("acme.test/a\"b"));
    cr_expect(sk_slice_eq(body, SK_LIT("{\"type\":\"about:blank\",\"status\":404,\"reason\":\"no-app\",\"id\":\"00ff\","
                                       "\"detail\":\"no app is at acme.test/a\\\"b: check the host and the path\"}\n")));
    static const char *const reasons[] = {"no-such-page", "misdirected-request", "certificate-changed"};
    for (size_t i = 0; i < SK_COUNT(reasons); i++) {
        body = sk_page_problem(&arena, 404, sk_slice_str(reasons[i]), SK_LIT("00ff"), SK_LIT("acme.test/x"));
        cr_expect(holds(body, "\"detail\":\"") && holds(body, " acme.test/x"), "%s", reasons[i]);
    }
}

Test(proxy_pages, a_person_is_told_what_is_wrong_and_what_to_do)
{
    static const struct {
        uint16_t status;
        const char *reason, *ja, *en;
        bool where;
    } cases[] = {{404, "why", "<h1>ページが見つかりません</h1>", "<h1>Page not found</h1>", true}, {405, "why", "<h1>ページが見つかりません</h1>", "<h1>Page not found</h1>", true},
            {421, "why", "<h1>この接続では表示できません</h1>", "<h1>Not on this connection</h1>", true}, {502, "why", "<h1>現在利用できません</h1>", "<h1>Not available at the moment</h1>", false},
            {413, "why", "<h1>送信できませんでした</h1>", "<h1>It was not sent</h1>", false}, {429, "why", "<h1>混み合っています</h1>", "<h1>Too many requests</h1>", false},
            {403, "form-expired", "<h1>送信できませんでした</h1>", "<h1>It was not sent</h1>", false}, {403, "login-required", "<h1>ログインしてください</h1>", "<h1>Please log in</h1>", false},
            {403, "factor-required", "<h1>本人確認が必要です</h1>", "<h1>More proof is needed</h1>", false}, {503, "login-required", "<h1>現在利用できません</h1>", "<h1>Not available at the moment</h1>", false},
            {403, "why", "<h1>アクセスできません</h1>", "<h1>Access denied</h1>", false}, {400, "why", "<h1>アクセスできません</h1>", "<h1>Access denied</h1>", false}};
    for (size_t i = 0; i < 2 * SK_COUNT(cases); i++) {
        bool ja = i % 2;
        struct sk_slice page = sk_page_denied(&arena, ja, cases[i / 2].status, sk_slice_str(cases[i / 2].reason), SK_LIT("00ff"), SK_LIT("acme.test/x?"), SK_SLICE_NULL);
        cr_expect(holds(page, ja ? cases[i / 2].ja : cases[i / 2].en), "%u %s", cases[i / 2].status, cases[i / 2].reason);
        cr_expect_eq(holds(page, "<code>acme.test/x?</code>"), cases[i / 2].where, "%u", cases[i / 2].status);
        cr_expect(holds(page, cases[i / 2].reason) && holds(page, "<code>00ff</code>"));
    }
}

Test(proxy_pages, html_is_wanted_by_who_says_so)
{
    static const struct {
        const char *accept;
        bool wanted;
    } cases[] = {{"text/html,application/xhtml+xml,*/*;q=0.8", true}, {"application/json , TEXT/HTML;q=0.1", true}, {"*/*", false}, {"text/*", false}, {"", false}, {"x;y=text/html", false}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_field field = {SK_LIT("accept"), sk_slice_str(cases[i].accept)};
        cr_expect_eq(sk_page_is_wanted(&(struct sk_request){.fields = &field, .fields_count = 1}), cases[i].wanted, "%s", cases[i].accept);
    }
    cr_expect_not(sk_page_is_wanted(&(struct sk_request){.fields_count = 0}));
}
