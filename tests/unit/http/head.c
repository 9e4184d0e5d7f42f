/* Message heads of HTTP/1: what is understood, what is refused and why, what is written. */
#include "http/head.h"

#include <criterion/criterion.h>

#define ARENA ((size_t)256 << 10)
#define HOST "Host: a.example\r\n"

static struct sk_arena arena;

static void set_up(void)
{
    sk_arena_init(&arena, ARENA);
}

static void tear_down(void)
{
    sk_arena_free(&arena);
}

TestSuite(http_head, .init = set_up, .fini = tear_down);

/* The end of the head must be found at one place, however the bytes come. */
static long find(struct sk_slice text)
{
    size_t scanned = 0;
    long whole = sk_head_find(text, &scanned);
    for (size_t cut = 0; cut <= text.len; cut++) {
        scanned = 0;
        long r = sk_head_find(sk_slice_cut(text, cut), &scanned);
        r = r ? r : sk_head_find(text, &scanned);
        cr_assert_eq(r, whole, "cut at %zu: %ld, not %ld: %.*s", cut, r, whole, (int)text.len, text.data);
    }
    scanned = 0;
    long slow = 0;
    for (size_t len = 1; len <= text.len && slow == 0; len++) {
        slow = sk_head_find(sk_slice_cut(text, len), &scanned);
    }
    cr_assert_eq(slow, whole, "byte by byte: %.*s", (int)text.len, text.data);
    return whole;
}

static enum sk_refusal judge(struct sk_slice text, struct sk_request *request)
{
    sk_arena_reset(&arena);
    *request = (struct sk_request){0};
    long len = find(text);
    if (len <= 0) {
        return len ? (enum sk_refusal) - len : SK_REFUSAL_NONE;
    }
    struct sk_slice head = sk_arena_copy(&arena, sk_slice_cut(text, (size_t)len));
    return sk_head_request((char *)(uintptr_t)head.data, head.len, &arena, request);
}

struct refusal_case {
    const char *text;
    enum sk_refusal refusal;
};

static void check(const struct refusal_case *cases, size_t count)
{
    struct sk_request request;
    for (size_t i = 0; i < count; i++) {
        enum sk_refusal refusal = judge(sk_slice_str(cases[i].text), &request);
        cr_expect_eq(refusal, cases[i].refusal, "\"%s\": %s, not %s", cases[i].text,
                sk_refusal_text(refusal).data, sk_refusal_text(cases[i].refusal).data);
        cr_expect(refusal || request.host.len, "%s", cases[i].text);
    }
}

/* For inputs where being refused counts and the reason may differ between versions of llhttp. */
static void check_refused(const char *const *texts, size_t count)
{
    struct sk_request request;
    for (size_t i = 0; i < count; i++) {
        cr_expect_neq(judge(sk_slice_str(texts[i]), &request), SK_REFUSAL_NONE, "\"%s\"", texts[i]);
    }
}

static const struct sk_slice *field(const struct sk_request *request, const char *name)
{
    return sk_field_find(request->fields, request->fields_count, sk_slice_str(name));
}

Test(http_head, a_plain_request_is_understood)
{
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("GET /a%41?q=1 HTTP/1.1\r\nHOST:  A.Example:8443 \r\nX-Empty:\r\nX-Two: \t b c "
                              "\t\r\n\r\n"),
                         &r),
            0);
    cr_expect(sk_slice_eq(r.method, SK_LIT("GET")));
    cr_expect(sk_slice_eq(r.host, SK_LIT("a.example")));
    cr_expect(sk_slice_eq(r.authority, SK_LIT("a.example:8443")));
    cr_expect(sk_slice_eq(r.path, SK_LIT("/aA")));
    cr_expect(sk_slice_eq(r.query, SK_LIT("?q=1")));
    cr_expect_eq(r.fields_count, 2);
    cr_expect(sk_slice_eq(r.fields[0].name, SK_LIT("x-empty")));
    cr_expect_eq(r.fields[0].value.len, 0);
    cr_expect(sk_slice_eq(r.fields[1].name, SK_LIT("x-two")));
    cr_expect(sk_slice_eq(r.fields[1].value, SK_LIT("b c")));
    cr_expect_eq(r.body, SK_BODY_NONE);
    cr_expect_eq(r.version, 11);
    cr_expect(r.keep_alive);
    cr_expect_not(r.websocket);
    cr_expect_not(r.expect_continue);
}

Test(http_head, every_method_but_connect_and_trace_is_understood)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS",
            "PROPFIND", "MKCOL", "REPORT", "SEARCH"};
    struct sk_request r;
    for (size_t i = 0; i < SK_COUNT(methods); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\n" HOST "\r\n", methods[i]);
        cr_expect_eq(judge(sk_slice_str(text), &r), 0, "%s", methods[i]);
        cr_expect(sk_slice_eq(r.method, sk_slice_str(methods[i])));
    }
    static const struct refusal_case cases[] = {
            {"TRACE / HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_METHOD},
    };
    check(cases, SK_COUNT(cases));
    static const char *const refused[] = {"CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n",
            "CONNECT / HTTP/1.1\r\n" HOST "\r\n", "get / HTTP/1.1\r\n" HOST "\r\n",
            "Get / HTTP/1.1\r\n" HOST "\r\n", " / HTTP/1.1\r\n" HOST "\r\n", "G@T / HTTP/1.1\r\n" HOST "\r\n",
            "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
            " GET / HTTP/1.1\r\n" HOST "\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

/* The rule "deny DELETE" must not be passed by "delete" before an upstream that ignores the case of methods.
 */
Test(http_head, a_method_in_lower_case_is_refused_in_every_version)
{
    static const char *const methods[] = {"delete", "Delete", "dELETE", "get", "x"};
    for (size_t i = 0; i < SK_COUNT(methods); i++) {
        struct sk_request r = {0};
        const struct sk_head_parts parts = {.method = sk_slice_str(methods[i]),
                .target = SK_LIT("/"),
                .authority = SK_LIT("a.example"),
                .version = 20};
        cr_expect_neq(sk_head_finish(&parts, &arena, &r), SK_REFUSAL_NONE, "%s", methods[i]);
    }
}

Test(http_head, only_http_1_0_and_1_1_are_spoken)
{
    static const char *const refused[] = {"GET / HTTP/0.9\r\n" HOST "\r\n", "GET / HTTP/1.2\r\n" HOST "\r\n",
            "GET / HTTP/1.9\r\n" HOST "\r\n", "GET / HTTP/2.0\r\n" HOST "\r\n",
            "GET / HTTP/3.0\r\n" HOST "\r\n", "GET / HTTP/11\r\n" HOST "\r\n",
            "GET / HTTP/1.10\r\n" HOST "\r\n", "GET / HTTP/01.1\r\n" HOST "\r\n",
            "GET / HTTP/1.1x\r\n" HOST "\r\n", "GET / HTTP/1\r\n" HOST "\r\n",
            "GET / http/1.1\r\n" HOST "\r\n", "GET / HTTPS/1.1\r\n" HOST "\r\n", "GET / \r\n" HOST "\r\n",
            "GET /\r\n" HOST "\r\n", "GET /\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PRI / HTTP/1.1\r\n" HOST "\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

/* llhttp is a parser of RTSP and ICE too. */
Test(http_head, other_protocols_of_the_same_shape_are_refused)
{
    static const char *const refused[] = {"GET / RTSP/1.0\r\n" HOST "\r\n",
            "OPTIONS / RTSP/1.0\r\n" HOST "\r\n", "DESCRIBE / RTSP/1.0\r\n" HOST "\r\n",
            "SOURCE / ICE/1.0\r\n" HOST "\r\n", "GET / ICE/1.0\r\n" HOST "\r\n",
            "POST / RTSP/1.1\r\n" HOST "\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

/* RFC 9112 section 3: a lenient reading of the request line is what smuggling is made from. */
Test(http_head, one_space_parts_the_request_line)
{
    static const char *const refused[] = {"GET  / HTTP/1.1\r\n" HOST "\r\n",
            "GET /  HTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1 \r\n" HOST "\r\n",
            "GET /\tHTTP/1.1\r\n" HOST "\r\n", "GET / HTTP/1.1\t\r\n" HOST "\r\n",
            "GET / HTTP/ 1.1\r\n" HOST "\r\n", "GET /a b HTTP/1.1\r\n" HOST "\r\n",
            "GET / HTTP/1.1\r\n HTTP/1.1\r\n" HOST "\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

Test(http_head, a_line_ends_with_cr_lf_and_nothing_else)
{
    static const struct refusal_case cases[] = {
            {"GET / HTTP/1.1\n" HOST "\r\n", SK_REFUSAL_BARE_LF},
            {"GET / HTTP/1.1\r\nHost: a\n\r\n", SK_REFUSAL_BARE_LF},
            {"GET / HTTP/1.1\r\nHost: a\n\n", SK_REFUSAL_BARE_LF},
            {"GET / HTTP/1.1\r\n" HOST "\n", SK_REFUSAL_BARE_LF},
            {"\nGET / HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_BARE_LF},
            {"GET / HTTP/1.1\r\nX: a\rb\r\n" HOST "\r\n", SK_REFUSAL_CONTROL_BYTE},
            {"GET / HTTP/1.1\r\r\n" HOST "\r\n", SK_REFUSAL_CONTROL_BYTE},
            {"GET / HTTP/1.1\r\nX: a\r\r\n" HOST "\r\n", SK_REFUSAL_CONTROL_BYTE},
            {"GET /\rHTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_CONTROL_BYTE},
            {"GET / HTTP/1.1\rHost: a\r\n\r\n", SK_REFUSAL_CONTROL_BYTE},
    };
    check(cases, SK_COUNT(cases));
}

Test(http_head, folded_lines_are_refused)
{
    static const struct refusal_case cases[] = {
            {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", SK_REFUSAL_OBS_FOLD},
            {"GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", SK_REFUSAL_OBS_FOLD},
            {"GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", SK_REFUSAL_OBS_FOLD},
            {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n", SK_REFUSAL_OBS_FOLD},
            {"GET / HTTP/1.1\r\n" HOST "X: a\r\n \r\n\r\n", SK_REFUSAL_OBS_FOLD},
            {"GET / HTTP/1.1\r\n" HOST " \r\n\r\n", SK_REFUSAL_OBS_FOLD},
    };
    check(cases, SK_COUNT(cases));
}

Test(http_head, control_bytes_are_refused_wherever_they_stand)
{
    for (unsigned byte = 0; byte < 0x20; byte++) {
        char in_value[] = "GET / HTTP/1.1\r\nHost: a.example\r\nX: a?b\r\n\r\n";
        char in_name[] = "GET / HTTP/1.1\r\nHost: a.example\r\nX?y: a\r\n\r\n";
        char in_path[] = "GET /a?b HTTP/1.1\r\nHost: a.example\r\n\r\n";
        char *const all[] = {in_value, in_name, in_path};
        for (size_t i = 0; i < 3; i++) {
            struct sk_request r;
            size_t len = strlen(all[i]);
            *strchr(all[i], '?') = (char)byte;
            bool tab_in_value = i == 0 && byte == '\t';
            cr_expect_eq(
                    judge(sk_slice(all[i], len), &r) != SK_REFUSAL_NONE, !tab_in_value, "%u in %zu", byte, i);
        }
    }
    static const char *const refused[] = {"GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n",
            "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "GET /\xe3\x81\x82 HTTP/1.1\r\n" HOST "\r\n",
            "GET / HTTP/1.1\r\n" HOST "X\xc3: a\r\n\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

Test(http_head, a_value_may_hold_bytes_above_ascii)
{
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\xff\r\n\r\n"), &r), 0);
    cr_expect(sk_slice_eq(*field(&r, "x"), SK_LIT("\xc3\xa9\xff")));
}

Test(http_head, a_field_line_is_a_token_a_colon_and_a_value)
{
    static const char *const refused[] = {"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "a\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "a,b: c\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "a@b: c\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "(a): c\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "\"a\": c\r\n\r\n", "GET / HTTP/1.1\r\n" HOST "a[]: c\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "a{}: c\r\n\r\n"};
    check_refused(refused, SK_COUNT(refused));
}

Test(http_head, there_is_one_way_to_tell_the_length_of_a_body)
{
    static const struct refusal_case cases[] = {
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
                    SK_REFUSAL_LENGTH_TWICE},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
                    SK_REFUSAL_LENGTH_TWICE},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5 6\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1e3\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\n",
                    SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999999\r\n\r\n",
                    SK_REFUSAL_LENGTH_BAD},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                    SK_REFUSAL_LENGTH_AND_ENCODING},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                    SK_REFUSAL_LENGTH_AND_ENCODING},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
                    SK_REFUSAL_LENGTH_AND_ENCODING},
    };
    static const char *const refused[] = {"POST / HTTP/1.1\r\n" HOST
                                          "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\n" HOST "Content-Length: abc\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"};
    check(cases, SK_COUNT(cases));
    check_refused(refused, SK_COUNT(refused));
}

Test(http_head, transfer_encoding_is_chunked_once_or_refused)
{
    static const char *const values[] = {"identity", "gzip", "gzip, chunked", "chunked, gzip",
            "chunked, identity", "chunked, chunked", "chunked,chunked", "chunked,", ",chunked", "xchunked",
            "chunkedx", "chun ked", "\"chunked\"", "chunked;q=1", "chunked; a=b", "", "chunked\tx",
            "x chunked", "deflate", "compress, chunked", "'chunked'", "chunke", "cow", "chunked\xa0"};
    struct sk_request r;
    for (size_t i = 0; i < SK_COUNT(values); i++) {
        char text[256];
        (void)snprintf(
                text, sizeof(text), "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: %s\r\n\r\n", values[i]);
        cr_expect_eq(judge(sk_slice_str(text), &r), SK_REFUSAL_ENCODING, "%s", values[i]);
    }
    static const struct refusal_case cases[] = {
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                    SK_REFUSAL_ENCODING},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
                    SK_REFUSAL_ENCODING},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
                    SK_REFUSAL_ENCODING},
            {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", SK_REFUSAL_ENCODING},
    };
    check(cases, SK_COUNT(cases));
}

Test(http_head, the_body_of_a_good_request_is_known)
{
    static const struct {
        const char *text;
        enum sk_body body;
        uint64_t length;
    } cases[] = {
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", SK_BODY_STREAM, 0},
            {"POST / HTTP/1.1\r\n" HOST "TRANSFER-ENCODING:CHUNKED\r\n\r\n", SK_BODY_STREAM, 0},
            {"POST / HTTP/1.1\r\n" HOST "transfer-encoding: \t Chunked \t \r\n\r\n", SK_BODY_STREAM, 0},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", SK_BODY_LENGTH, 0},
            {"POST / HTTP/1.1\r\n" HOST "content-length:5\r\n\r\n", SK_BODY_LENGTH, 5},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0005\r\n\r\n", SK_BODY_LENGTH, 5},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", SK_BODY_LENGTH,
                    INT64_MAX},
            {"GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", SK_BODY_LENGTH, 5},
            {"POST / HTTP/1.1\r\n" HOST "\r\n", SK_BODY_NONE, 0},
            {"POST / HTTP/1.0\r\n" HOST "Content-Length: 5\r\n\r\n", SK_BODY_LENGTH, 5},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_request r;
        cr_expect_eq(judge(sk_slice_str(cases[i].text), &r), 0, "%s", cases[i].text);
        cr_expect_eq(r.body, cases[i].body, "%s", cases[i].text);
        cr_expect_eq(r.content_length, cases[i].length, "%s", cases[i].text);
        cr_expect_null(field(&r, "transfer-encoding"));
        cr_expect_null(field(&r, "content-length"));
    }
}

Test(http_head, there_is_one_host_and_it_is_well_formed)
{
    static const struct refusal_case cases[] = {
            {"GET / HTTP/1.1\r\n\r\n", SK_REFUSAL_HOST_MISSING},
            {"GET / HTTP/1.0\r\n\r\n", SK_REFUSAL_HOST_MISSING},
            {"GET / HTTP/1.1\r\nX: y\r\n\r\n", SK_REFUSAL_HOST_MISSING},
            {"GET https://a.example/ HTTP/1.1\r\n\r\n", SK_REFUSAL_HOST_MISSING},
            {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", SK_REFUSAL_HOST_TWICE},
            {"GET / HTTP/1.1\r\n" HOST "X: y\r\nhost: b\r\n\r\n", SK_REFUSAL_HOST_TWICE},
            {"GET / HTTP/1.1\r\nHost:\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: u:p@a.example\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a.example:99999\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: https://a.example\r\n\r\n", SK_REFUSAL_HOST_BAD},
            {"GET / HTTP/1.1\r\nHost: a.example\xc3\xa9\r\n\r\n", SK_REFUSAL_HOST_BAD},
    };
    check(cases, SK_COUNT(cases));
}

Test(http_head, the_absolute_form_must_say_the_same_host)
{
    static const struct refusal_case cases[] = {
            {"GET https://a.example/x HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_NONE},
            {"GET HTTPS://A.EXAMPLE/x?y HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_NONE},
            {"GET https://b.example/ HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_HOST_MISMATCH},
            {"GET https://a.example:443/ HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_HOST_MISMATCH},
            {"GET https://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_HOST_MISMATCH},
            {"GET https://a.example HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_TARGET_BAD},
            {"GET http://a.example/ HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_TARGET_BAD},
            {"GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_TARGET_BAD},
            {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_TARGET_BAD},
            {"GET https://a.example/../b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_DOTS},
            {"GET https://a.example//b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_EMPTY},
    };
    static const char *const refused[] = {"GET https:///x HTTP/1.1\r\n" HOST "\r\n",
            "GET https:/x HTTP/1.1\r\n" HOST "\r\n", "GET a.example/x HTTP/1.1\r\n" HOST "\r\n",
            "GET https://a.example?x HTTP/1.1\r\n" HOST "\r\n",
            "GET https://a.example#/x HTTP/1.1\r\n" HOST "\r\n",
            "GET https://a.example\\x/ HTTP/1.1\r\n" HOST "\r\n",
            "GET //a.example/x HTTP/1.1\r\n" HOST "\r\n"};
    check(cases, SK_COUNT(cases));
    check_refused(refused, SK_COUNT(refused));
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("GET https://A.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n"), &r), 0);
    cr_expect(sk_slice_eq(r.path, SK_LIT("/x")));
    cr_expect(sk_slice_eq(r.query, SK_LIT("?y")));
    cr_expect(sk_slice_eq(r.authority, SK_LIT("a.example")));
}

Test(http_head, path_tricks_are_refused)
{
    static const struct refusal_case cases[] = {
            {"GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_SLASH},
            {"GET /a%5cb HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_SLASH},
            {"GET /a/%2e%2e/b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_DOTS},
            {"GET /a/../b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_DOTS},
            {"GET /a%00 HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_BYTE},
            {"GET /a//b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_EMPTY},
            {"GET /a;b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_BYTE},
            {"GET /a%252e HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_BYTE},
            {"GET /a%2 HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_ENCODING},
            {"GET /a\\b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_BYTE},
            {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", SK_REFUSAL_PATH_BYTE},
    };
    check(cases, SK_COUNT(cases));
}

Test(http_head, a_refused_request_still_says_who_and_what)
{
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("PUT /a%2fb HTTP/1.1\r\n" HOST "\r\n"), &r), SK_REFUSAL_PATH_SLASH);
    cr_expect(sk_slice_eq(r.method, SK_LIT("PUT")));
    cr_expect(sk_slice_eq(r.host, SK_LIT("a.example")));
    cr_assert_eq(
            judge(SK_LIT("PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
                    &r),
            SK_REFUSAL_LENGTH_AND_ENCODING);
    cr_expect(sk_slice_eq(r.method, SK_LIT("PUT")), "the record of a smuggling attempt wants its method");
}

Test(http_head, persistence_follows_version_and_connection)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
            {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
            {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n", true},
            {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
            {"GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n", false},
            {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, close\r\n\r\n", false},
            {"GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
            {"GET / HTTP/1.0\r\n" HOST "\r\n", false},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_request r;
        cr_assert_eq(judge(sk_slice_str(cases[i].text), &r), 0);
        cr_expect_eq(r.keep_alive, cases[i].keep_alive, "%s", cases[i].text);
        cr_expect_null(field(&r, "connection"));
    }
}

Test(http_head, what_connection_names_goes_no_further)
{
    static const char *const texts[] = {
            "GET / HTTP/1.1\r\n" HOST "Connection: close, X-Hop\r\nX-Hop: 1\r\nX-Stays: 2\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "X-Hop: 1\r\nX-Stays: 2\r\nConnection: x-hop\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "X-Hop: 1\r\nConnection: x-hop\r\nX-Stays: 2\r\nX-Hop: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: x-hop\r\n" HOST "X-Stays: 2\r\nX-Other: 4\r\nX-Hop: 1\r\n\r\n",
            "GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: x-hop\r\nX-Stays: 2\r\nKeep-Alive: "
                                      "5\r\nX-More: 1\r\nX-Hop: 1\r\n\r\n",
    };
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct sk_request r;
        cr_assert_eq(judge(sk_slice_str(texts[i]), &r), 0);
        cr_expect_null(field(&r, "x-hop"), "%s", texts[i]);
        cr_expect_not_null(field(&r, "x-stays"), "%s", texts[i]);
    }
}

/* Each of 90 fields would be looked for in 16000 members: milliseconds for one request of a stranger. */
Test(http_head, a_connection_field_is_no_long_list)
{
    static char text[SK_HEAD_MAX];
    struct sk_request r;
    size_t len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "Connection: a");
    for (int i = 0; i < 8000; i++) {
        memcpy(text + len, ",a", 2);
        len += 2;
    }
    memcpy(text + len, "\r\n\r\n", 4);
    struct sk_slice head = sk_arena_copy(&arena, sk_slice(text, len + 4));
    cr_expect_neq(sk_head_request((char *)(uintptr_t)head.data, head.len, &arena, &r), SK_REFUSAL_NONE);
}

Test(http_head, hop_by_hop_fields_are_taken_out)
{
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("GET / HTTP/1.1\r\n" HOST "TE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: "
                                                        "x\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\n"
                              "HTTP2-Settings: z\r\nTrailer: X\r\nAccept: *\r\nExpect: 100-continue\r\n\r\n"),
                         &r),
            0);
    cr_expect_eq(r.fields_count, 1);
    cr_expect_not_null(field(&r, "accept"));
}

Test(http_head, expectations)
{
    static const struct {
        const char *text;
        enum sk_refusal refusal;
        bool expects;
    } cases[] = {
            {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 0, true},
            {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n", 0,
                    true},
            {"GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", 0, false},
            {"POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n", SK_REFUSAL_EXPECT,
                    false},
            {"POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\n",
                    SK_REFUSAL_EXPECT, false},
            /* RFC 9110 section 10.1.1: ignored in HTTP/1.0, whose clients know no interim responses. */
            {"POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 0, false},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_request r;
        cr_expect_eq(judge(sk_slice_str(cases[i].text), &r), cases[i].refusal, "%s", cases[i].text);
        cr_expect_eq(r.expect_continue, cases[i].expects, "%s", cases[i].text);
    }
}

#define WS                                                                                                   \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "          \
    "dGhlIHNhbXBsZSBub25jZQ==\r\n"

Test(http_head, a_websocket_handshake_is_whole_or_refused)
{
    static const struct {
        const char *text;
        enum sk_refusal refusal;
        bool websocket;
    } cases[] = {
            {"GET /ws HTTP/1.1\r\n" HOST WS "\r\n", 0, true},
            {"GET /ws HTTP/1.1\r\n" HOST
             "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\nsec-websocket-version: 13\r\n"
             "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                    0, true},
            {"POST /ws HTTP/1.1\r\n" HOST WS "\r\n", SK_REFUSAL_UPGRADE, false},
            {"GET /ws HTTP/1.1\r\n" HOST WS "Content-Length: 5\r\n\r\n", SK_REFUSAL_UPGRADE, false},
            {"GET /ws HTTP/1.1\r\n" HOST WS "Transfer-Encoding: chunked\r\n\r\n", SK_REFUSAL_UPGRADE, false},
            {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Key: "
                                       "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                    SK_REFUSAL_UPGRADE, false},
            {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: "
                                       "8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                    SK_REFUSAL_UPGRADE, false},
            {"GET / HTTP/1.1\r\n" HOST
             "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
                    SK_REFUSAL_UPGRADE, false},
            {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: "
                                       "13\r\nSec-WebSocket-Key: short\r\n\r\n",
                    SK_REFUSAL_UPGRADE, false},
            {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n", 0, false},
            {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", 0, false},
            {"GET / HTTP/1.0\r\n" HOST WS "\r\n", 0, false},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_request r;
        cr_expect_eq(judge(sk_slice_str(cases[i].text), &r), cases[i].refusal, "%s", cases[i].text);
        cr_expect_eq(r.websocket, cases[i].websocket, "%s", cases[i].text);
        cr_expect_null(field(&r, "upgrade"));
    }
}

static size_t long_head(char *text, size_t size, size_t total)
{
    size_t len = (size_t)snprintf(text, size, "GET / HTTP/1.1\r\n" HOST "X: ");
    memset(text + len, 'a', total - 4 - len);
    memcpy(text + total - 4, "\r\n\r\n", 4);
    return total;
}

Test(http_head, an_endless_head_is_refused)
{
    static char text[SK_HEAD_MAX + 64];
    size_t scanned = 0;
    (void)long_head(text, sizeof(text), SK_HEAD_MAX + 32);
    cr_expect_eq(sk_head_find(sk_slice(text, SK_HEAD_MAX), &scanned), 0);
    cr_expect_eq(sk_head_find(sk_slice(text, SK_HEAD_MAX + 1), &scanned), -SK_REFUSAL_HEAD_TOO_LARGE);
    scanned = 0;
    size_t len = long_head(text, sizeof(text), SK_HEAD_MAX);
    cr_expect_eq(sk_head_find(sk_slice(text, len), &scanned), (long)len);
}

Test(http_head, more_fields_than_the_limit_are_refused)
{
    static char text[8192];
    struct sk_request r;
    for (int extra = 0; extra < 2; extra++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
        for (int i = 0; i < SK_FIELDS_MAX - 1 + extra; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "X-%d: y\r\n", i);
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
        cr_expect_eq(judge(sk_slice(text, len), &r), extra ? SK_REFUSAL_TOO_MANY_FIELDS : SK_REFUSAL_NONE);
        cr_expect(extra || r.fields_count == SK_FIELDS_MAX - 1);
    }
}

Test(http_head, a_small_arena_refuses_and_does_not_crash)
{
    static const char text[] = "GET /a HTTP/1.1\r\n" HOST "\r\n";
    for (size_t limit = 0; limit < 4096; limit += 16) {
        char head[sizeof(text)];
        struct sk_arena small;
        struct sk_request r;
        memcpy(head, text, sizeof(text));
        sk_arena_init(&small, limit);
        enum sk_refusal refusal = sk_head_request(head, sizeof(text) - 1, &small, &r);
        cr_expect(refusal == SK_REFUSAL_NONE || refusal == SK_REFUSAL_TOO_BIG_FOR_ARENA);
        sk_arena_free(&small);
    }
}

/* ---- responses ---- */

static enum sk_refusal read_response(
        const char *text, bool to_head, bool websocket, struct sk_response *response)
{
    sk_arena_reset(&arena);
    long len = find(sk_slice_str(text));
    cr_assert_eq(len, (long)strlen(text), "%s", text);
    struct sk_slice head = sk_arena_copy(&arena, sk_slice_str(text));
    return sk_head_response((char *)(uintptr_t)head.data, head.len, to_head, websocket, &arena, response);
}

Test(http_head, the_body_of_a_response_is_known)
{
    static const struct {
        const char *text;
        bool to_head;
        enum sk_body body;
        uint64_t length;
        bool keep_alive;
    } cases[] = {
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, SK_BODY_LENGTH, 5, true},
            {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, SK_BODY_LENGTH, 0, true},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, SK_BODY_STREAM, UINT64_MAX,
                    true},
            {"HTTP/1.1 200 OK\r\n\r\n", false, SK_BODY_CLOSE, UINT64_MAX, false},
            {"HTTP/1.1 200\r\n\r\n", false, SK_BODY_CLOSE, UINT64_MAX, false},
            {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, SK_BODY_LENGTH, 5, false},
            {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, SK_BODY_LENGTH,
                    5, true},
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", false, SK_BODY_LENGTH, 5,
                    false},
            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, SK_BODY_NONE, 5, true},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, SK_BODY_NONE, UINT64_MAX, true},
            {"HTTP/1.1 200 OK\r\n\r\n", true, SK_BODY_NONE, UINT64_MAX, true},
            {"HTTP/1.1 204 No Content\r\n\r\n", false, SK_BODY_NONE, UINT64_MAX, true},
            {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, SK_BODY_NONE, 5, true},
            {"HTTP/1.1 304 Not Modified\r\n\r\n", false, SK_BODY_NONE, UINT64_MAX, true},
            {"HTTP/1.1 100 Continue\r\n\r\n", false, SK_BODY_NONE, UINT64_MAX, true},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_response r;
        cr_assert_eq(read_response(cases[i].text, cases[i].to_head, false, &r), 0, "%s", cases[i].text);
        cr_expect_eq(r.body, cases[i].body, "%s", cases[i].text);
        cr_expect_eq(r.content_length, cases[i].length, "%s", cases[i].text);
        cr_expect_eq(r.keep_alive, cases[i].keep_alive, "%s", cases[i].text);
    }
}

Test(http_head, a_response_that_can_be_read_two_ways_is_refused)
{
    static const char *const texts[] = {
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : a\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\x01\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: a\r\n\r\n", "HTTP/1.1 99 X\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n",
            "HTTP/1.1 1000 X\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/0.9 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "garbage\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            "RTSP/1.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n"};
    struct sk_response r;
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        cr_expect_neq(read_response(texts[i], false, false, &r), SK_REFUSAL_NONE, "%s", texts[i]);
    }
}

Test(http_head, an_upgrade_that_was_asked_for_is_taken)
{
    struct sk_response r;
    cr_assert_eq(read_response("HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: "
                               "Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
                         false, true, &r),
            0);
    cr_expect(r.upgraded);
    cr_expect_eq(r.fields_count, 1);
    cr_expect_neq(
            read_response("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", false, true, &r),
            0);
    cr_expect_neq(read_response("HTTP/1.1 101 X\r\n\r\n", false, true, &r), 0);
}

Test(http_head, hop_by_hop_fields_of_a_response_are_taken_out)
{
    struct sk_response r;
    cr_assert_eq(read_response("HTTP/1.1 200 OK\r\nConnection: x-hop\r\nServer: s\r\nX-Hop: 1\r\nKeep-Alive: "
                               "5\r\nContent-Length: 1\r\n\r\n",
                         false, false, &r),
            0);
    cr_expect_eq(r.fields_count, 1);
    cr_expect(sk_slice_eq(r.fields[0].name, SK_LIT("server")));
}

/* ---- trailers ---- */

static enum sk_refusal read_trailers(const char *text, struct sk_field **fields, size_t *count)
{
    sk_arena_reset(&arena);
    struct sk_slice copy = sk_arena_copy(&arena, sk_slice_str(text));
    return sk_head_trailers((char *)(uintptr_t)copy.data, copy.len, &arena, fields, count);
}

Test(http_head, trailers_are_understood)
{
    struct sk_field *fields;
    size_t count;
    cr_assert_eq(read_trailers("\r\n", &fields, &count), 0);
    cr_expect_eq(count, 0);
    cr_assert_eq(read_trailers("Grpc-Status: 0\r\nX:\r\n\r\n", &fields, &count), 0);
    cr_expect_eq(count, 2);
    cr_expect(sk_slice_eq(fields[0].name, SK_LIT("grpc-status")));
    cr_expect(sk_slice_eq(fields[0].value, SK_LIT("0")));
    cr_expect_eq(fields[1].value.len, 0);
}

Test(http_head, trailers_that_may_not_stand_there_are_refused)
{
    static const char *const texts[] = {"", "X: y\r\n", "X\r\n\r\n", ": y\r\n\r\n", "X : y\r\n\r\n",
            "X: y\r\n z\r\n\r\n", " X: y\r\n\r\n", "X: \x01\r\n\r\n", "X: y\n\r\n", "X: a\rb\r\n\r\n",
            "Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Host: b\r\n\r\n",
            "Authorization: x\r\n\r\n", "Cookie: x\r\n\r\n", "X-Sekisho-User: root\r\n\r\n",
            "X_Sekisho_User: root\r\n\r\n", "X-Forwarded-For: ::1\r\n\r\n", "Connection: x\r\n\r\n",
            "\r\nX: y\r\n\r\n", "X: y\r\n\r\nZ: y\r\n\r\n"};
    struct sk_field *fields;
    size_t count;
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        cr_expect_eq(read_trailers(texts[i], &fields, &count), SK_REFUSAL_TRAILER, "\"%s\"", texts[i]);
    }
}

/* ---- writing ---- */

static void expect_written(struct sk_buf *buf, const char *expected)
{
    struct sk_slice text = sk_buf_peek(buf);
    cr_expect(sk_slice_eq(text, sk_slice_str(expected)), "%.*s", (int)text.len, text.data);
    sk_buf_take(buf, text.len);
}

Test(http_head, a_request_is_written_anew)
{
    struct sk_buf buf = SK_BUF_INIT(4096);
    struct sk_request r;
    cr_assert_eq(judge(SK_LIT("POST https://A.example/%61?q HTTP/1.1\r\nHOST:a.EXAMPLE\r\nX-A:  b "
                              "\r\nContent-Length: 007\r\nConnection: close\r\n\r\n"),
                         &r),
            0);
    cr_assert_eq(sk_head_put_request(&buf, &r), 0);
    expect_written(&buf, "POST /a?q HTTP/1.1\r\nhost: a.example\r\nx-a: b\r\ncontent-length: 7\r\n\r\n");
    cr_assert_eq(judge(SK_LIT("PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n"), &r), 0);
    cr_assert_eq(sk_head_put_request(&buf, &r), 0);
    expect_written(&buf, "PUT / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n");
    cr_assert_eq(judge(SK_LIT("GET /ws HTTP/1.1\r\n" HOST WS "\r\n"), &r), 0);
    cr_assert_eq(sk_head_put_request(&buf, &r), 0);
    expect_written(&buf, "GET /ws HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: "
                         "websocket\r\nsec-websocket-version: 13\r\n"
                         "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    sk_buf_free(&buf);
}

/* Whatever is accepted: what is written must be read again as the same request. */
Test(http_head, what_is_written_is_read_as_the_same_request)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\n" HOST "\r\n",
            "POST /a%20b?c HTTP/1.0\r\n" HOST "Content-Length: 3\r\nX: y\r\n\r\n",
            "PUT https://a.example/x HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\nConnection: x\r\nX: y\r\n\r\n",
            "GET /ws HTTP/1.1\r\n" HOST WS "\r\n"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct sk_buf once = SK_BUF_INIT(4096), twice = SK_BUF_INIT(4096);
        struct sk_request r;
        cr_assert_eq(judge(sk_slice_str(texts[i]), &r), 0);
        cr_assert_eq(sk_head_put_request(&once, &r), 0);
        cr_assert_eq(judge(sk_buf_peek(&once), &r), 0);
        cr_assert_eq(sk_head_put_request(&twice, &r), 0);
        cr_expect(sk_slice_eq(sk_buf_peek(&once), sk_buf_peek(&twice)));
        sk_buf_free(&once);
        sk_buf_free(&twice);
    }
}

Test(http_head, a_response_is_written_with_its_framing)
{
    static const struct {
        struct sk_response response;
        bool keep_alive;
        const char *text;
    } cases[] = {
            {{.status = 200, .body = SK_BODY_LENGTH, .content_length = 5}, true,
                    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"},
            {{.status = 200, .body = SK_BODY_STREAM}, true,
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"},
            {{.status = 200, .body = SK_BODY_CLOSE}, false, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"},
            {{.status = 200, .body = SK_BODY_NONE, .content_length = 5}, true,
                    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"},
            {{.status = 403, .body = SK_BODY_NONE}, false,
                    "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"},
            {{.status = 204, .body = SK_BODY_NONE}, true, "HTTP/1.1 204 No Content\r\n\r\n"},
            {{.status = 304, .body = SK_BODY_NONE, .content_length = UINT64_MAX}, true,
                    "HTTP/1.1 304 Not Modified\r\n\r\n"},
            {{.status = 100, .body = SK_BODY_NONE, .content_length = UINT64_MAX}, true,
                    "HTTP/1.1 100 \r\n\r\n"},
            {{.status = 101, .upgraded = true, .content_length = UINT64_MAX}, false,
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"},
            {{.status = 599, .body = SK_BODY_LENGTH, .content_length = UINT64_MAX - 1}, true,
                    "HTTP/1.1 599 \r\ncontent-length: 18446744073709551614\r\n\r\n"},
    };
    struct sk_buf buf = SK_BUF_INIT(4096);
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_assert_eq(sk_head_put_response(&buf, &cases[i].response, cases[i].keep_alive), 0);
        expect_written(&buf, cases[i].text);
    }
    sk_buf_free(&buf);
}

Test(http_head, a_full_buffer_takes_no_part_of_a_head)
{
    struct sk_buf buf = SK_BUF_INIT(64);
    const struct sk_response response = {.status = 200};
    const struct sk_request request = {
            .method = SK_LIT("GET"), .path = SK_LIT("/"), .authority = SK_LIT("a")};
    cr_expect_lt(sk_head_put_response(&buf, &response, true), 0);
    cr_expect_lt(sk_head_put_request(&buf, &request), 0);
    cr_expect_eq(sk_buf_len(&buf), 0);
    sk_buf_free(&buf);
}
