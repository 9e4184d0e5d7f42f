/* HTTP/2 towards the client, driven by nghttp2's own client session in this process. */
#include "conversation.h"

Test(http_h2_server, one_request_is_answered)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/%61?q"), NV("x", "y"));
    talk(&c);
    expect_log(&c, "request GET a.example /a?q x=y\nend\ngone clean\n");
    cr_expect_eq(seen(&c, id)->status, 200);
    cr_expect_eq(seen(&c, id)->body, 2);
    cr_expect(seen(&c, id)->ended);
    cr_expect_str_eq(seen(&c, id)->fields, "content-length=2 ");
    cr_expect_eq(sk_server_streams(c.r.server), 0);
    cr_expect_not(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h2_server, bodies_and_trailers_are_given)
{
    static const nghttp2_nv trailers[] = {NV("x-sum", "1")};
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload plain = {.bytes = "hello", .len = 5},
                  with = {.bytes = "hello", .len = 5, .trailers = trailers, .trailers_count = 1},
                  none = {.len = 0};
    (void)REQUEST(&c, &plain, HEAD("POST", "/1"), NV("content-length", "5"));
    talk(&c);
    expect_log(&c, "request POST a.example /1\nbody hello\nend\ngone clean\n");
    (void)REQUEST(&c, &with, HEAD("POST", "/2"), NV("te", "trailers"));
    talk(&c);
    expect_log(&c, "request POST a.example /2\nbody hello\nend x-sum=1\ngone clean\n");
    (void)REQUEST(&c, &none, HEAD("POST", "/3"), NV("content-length", "0"));
    talk(&c);
    expect_log(&c, "request POST a.example /3\nend\ngone clean\n");
    talk_close(&c);
}

/* The same bytes, cut in two everywhere and byte by byte. */
Test(http_h2_server, a_conversation_is_the_same_however_it_is_cut)
{
    static const nghttp2_nv trailers[] = {NV("x-sum", "1")};
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload up = {.bytes = "hello", .len = 5, .trailers = trailers, .trailers_count = 1};
    (void)REQUEST(&c, NULL, HEAD("GET", "/1"), NV("cookie", "a=b"), NV("cookie", "c=d"));
    (void)REQUEST(&c, &up, HEAD("POST", "/2"));
    (void)REQUEST(&c, NULL, HEAD("GET", "/a%2fb"));
    talk(&c);
    struct sk_slice bytes = sk_buf_peek(&c.sent), log = recorder_log(&c.r);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct conversation d;
        talk_open(&d, ANSWER_AT_END);
        d.piece = cut == bytes.len ? 1 : SIZE_MAX;
        feed(&d, sk_slice_cut(bytes, cut));
        feed(&d, sk_slice_from(bytes, cut));
        cr_assert_eq(d.feed_result, 0);
        while (sk_server_output(d.r.server).len) {
            sk_server_sent(d.r.server, sk_server_output(d.r.server).len);
        }
        cr_assert_eq(d.r.requests, c.r.requests);
        cr_assert_eq(d.r.refused, c.r.refused);
        cr_assert_eq(d.r.ends, c.r.ends);
        cr_assert_eq(d.r.gone, c.r.gone, "cut at %zu: %u gone of %u", cut, d.r.gone, c.r.gone);
        cr_assert_eq(recorder_log(&d.r).len, log.len, "cut at %zu\n%.*s\ninstead of\n%.*s", cut,
                (int)recorder_log(&d.r).len, recorder_log(&d.r).data, (int)log.len, log.data);
        talk_close(&d);
    }
    talk_close(&c);
}

struct refusal_case {
    const char *name, *value; /* one field more, or a pseudo field instead */
    enum sk_refusal refusal;
};

static enum sk_refusal refused_with(const struct refusal_case *rc, unsigned *status)
{
    struct conversation c;
    nghttp2_nv nv[] = {HEAD("GET", "/"), NV("", "")};
    size_t count = 4;
    size_t at = 4;
    for (size_t i = 0; i < 4; i++) {
        at = strcmp((const char *)nv[i].name, rc->name) == 0 ? i : at;
    }
    nv[at] = (nghttp2_nv){(uint8_t *)(uintptr_t)rc->name, (uint8_t *)(uintptr_t)rc->value, strlen(rc->name),
            strlen(rc->value), NGHTTP2_NV_FLAG_NO_COPY_NAME}; /* else the client's library lowers its case */
    count += at == 4;
    talk_open(&c, ANSWER_AT_END);
    int32_t id = request(&c, nv, count, NULL);
    talk(&c);
    enum sk_refusal refusal = c.r.refused ? c.r.refusal : SK_REFUSAL_NONE;
    cr_expect_eq(c.r.requests + c.r.refused, 1, "%s: %s: %u requests, %u refused", rc->name, rc->value,
            c.r.requests, c.r.refused);
    cr_expect_eq(c.r.gone, 1, "%s: %s", rc->name, rc->value);
    *status = seen(&c, id)->status;
    talk_close(&c);
    return refusal;
}

Test(http_h2_server, a_bad_request_is_refused_with_its_status)
{
    static const struct refusal_case cases[] = {
            {":path", "/a%2fb", SK_REFUSAL_PATH_SLASH},
            {":path", "/a/../b", SK_REFUSAL_PATH_DOTS},
            {":path", "/a//b", SK_REFUSAL_PATH_EMPTY},
            {":path", "/a;b", SK_REFUSAL_PATH_BYTE},
            {":path", "/a\\b", SK_REFUSAL_PATH_BYTE},
            {":path", "/a%00", SK_REFUSAL_PATH_BYTE},
            {":path", "/a%", SK_REFUSAL_PATH_ENCODING},
            {":method", "TRACE", SK_REFUSAL_METHOD},
            {":scheme", "http", SK_REFUSAL_TARGET_BAD},
            {":authority", "u@a.example", SK_REFUSAL_HOST_BAD},
            {"host", "b.example", SK_REFUSAL_HOST_MISMATCH},
            {"expect", "x", SK_REFUSAL_EXPECT},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        unsigned status = 0;
        enum sk_refusal refusal = refused_with(&cases[i], &status);
        cr_expect_eq(refusal, cases[i].refusal, "%s: %s: %s", cases[i].name, cases[i].value,
                sk_refusal_text(refusal).data);
        cr_expect_eq(status, sk_refusal_status(cases[i].refusal), "%s: %s: %u", cases[i].name, cases[i].value,
                status);
    }
}

/* nghttp2 resets these itself; the answerer is told, for the record. */
Test(http_h2_server, a_malformed_request_is_refused_and_told)
{
    static const struct refusal_case cases[] = {
            {":path", "", 0},
            {":path", "a", 0},
            {":method", "G T", 0},
            {":method", "", 0},
            {":unknown", "x", 0},
            {"X-Upper", "y", 0},
            {"connection", "close", 0},
            {"transfer-encoding", "chunked", 0},
            {"upgrade", "websocket", 0},
            {"keep-alive", "x", 0},
            {"proxy-connection", "x", 0},
            {"te", "gzip", 0},
            {"content-length", "x", 0},
            {"content-length", "-1", 0},
            {"content-length", "1, 1", 0},
            {":protocol", "websocket", 0},
            {"", "x", 0},
            {"a b", "x", 0},
            {"a:b", "x", 0},
            {"x", "a\rb", 0},
            {"x", "a\nb", 0},
            {"x", "a\x01", 0},
            {"x", "a\x7f", 0},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        unsigned status = 0;
        cr_expect_neq(
                refused_with(&cases[i], &status), SK_REFUSAL_NONE, "%s: %s", cases[i].name, cases[i].value);
    }
}

Test(http_h2_server, a_method_in_lower_case_is_refused)
{
    unsigned status = 0;
    cr_expect_neq(refused_with(&(struct refusal_case){":method", "delete", 0}, &status), SK_REFUSAL_NONE);
}

Test(http_h2_server, missing_and_repeated_pseudo_fields_are_refused)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    (void)REQUEST(&c, NULL, NV(":method", "GET"), NV(":scheme", "https"), NV(":authority", "a.example"));
    (void)REQUEST(&c, NULL, NV(":method", "GET"), NV(":path", "/"), NV(":authority", "a.example"));
    (void)REQUEST(&c, NULL, NV(":scheme", "https"), NV(":path", "/"), NV(":authority", "a.example"));
    (void)REQUEST(&c, NULL, NV(":method", "GET"), NV(":scheme", "https"), NV(":path", "/"));
    (void)REQUEST(&c, NULL, HEAD("GET", "/"), NV(":path", "/b"));
    (void)REQUEST(&c, NULL, HEAD("GET", "/"), NV(":authority", "b.example"));
    (void)REQUEST(&c, NULL, HEAD("GET", "/"), NV("host", "a.example"), NV("host", "a.example"));
    talk(&c);
    cr_expect_eq(c.r.requests, 0);
    cr_expect_eq(c.r.refused, 7);
    cr_expect_eq(c.r.gone, 7);
    talk_close(&c);
}

Test(http_h2_server, cookie_crumbs_are_one_field_again)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    (void)REQUEST(&c, NULL, HEAD("GET", "/"), NV("cookie", "a=b"), NV("x", "y"), NV("cookie", "c=d"),
            NV("cookie", "e=f; g=h"));
    talk(&c);
    expect_log(&c, "request GET a.example / cookie=a=b; c=d; e=f; g=h x=y\nend\ngone clean\n");
    talk_close(&c);
}

/* Browsers send each cookie as a crumb of its own. */
Test(http_h2_server, many_cookie_crumbs_are_no_reason_to_refuse)
{
    static char values[150][100];
    struct conversation c;
    nghttp2_nv nv[154] = {HEAD("GET", "/")};
    for (size_t i = 0; i < 150; i++) {
        (void)snprintf(values[i], sizeof(values[i]), "cookie-%03zu=%060zu", i, i);
        nv[4 + i] =
                (nghttp2_nv){(uint8_t *)(uintptr_t) "cookie", (uint8_t *)values[i], 6, strlen(values[i]), 0};
    }
    talk_open(&c, ANSWER_AT_END);
    (void)request(&c, nv, SK_COUNT(nv), NULL);
    talk(&c);
    cr_expect_eq(c.r.requests, 1, "%s", sk_refusal_text(c.r.refusal).data);
    talk_close(&c);
}

Test(http_h2_server, a_body_of_another_length_than_said_resets_the_stream)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload shorter = {.bytes = "abc", .len = 3}, longer = {.bytes = "abcdef", .len = 6};
    int32_t a = REQUEST(&c, &shorter, HEAD("POST", "/"), NV("content-length", "5"));
    int32_t b = REQUEST(&c, &longer, HEAD("POST", "/"), NV("content-length", "5"));
    int32_t d = REQUEST(&c, NULL, HEAD("POST", "/"), NV("content-length", "5"));
    talk(&c);
    cr_expect_eq(c.r.ends, 0, "%.*s", (int)recorder_log(&c.r).len, recorder_log(&c.r).data);
    cr_expect_eq(c.r.gone, 3);
    cr_expect_eq(seen(&c, a)->error, NGHTTP2_PROTOCOL_ERROR);
    cr_expect_eq(seen(&c, b)->error, NGHTTP2_PROTOCOL_ERROR);
    cr_expect_eq(seen(&c, d)->error, NGHTTP2_PROTOCOL_ERROR);
    cr_expect_eq(seen(&c, a)->status, 0);
    talk_close(&c);
}

/* Trailers reach the upstream behind the last chunk: no name may come in there that is refused in the head.
 */
Test(http_h2_server, trailers_with_reserved_or_framing_names_are_refused)
{
    static const struct {
        const char *name, *value;
    } cases[] = {{"x-sekisho-user", "root"}, {"x_sekisho_user", "root"}, {"remote-user", "root"},
            {"x-forwarded-for", "::1"}, {"authorization", "Basic x"}, {"cookie", "a=b"},
            {"content-length", "5"}, {"host", "b.example"}, {"content-type", "x"}, {"x", "a\nb"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct conversation c;
        const nghttp2_nv trailers[] = {{(uint8_t *)(uintptr_t)cases[i].name,
                (uint8_t *)(uintptr_t)cases[i].value, strlen(cases[i].name), strlen(cases[i].value), 0}};
        struct upload up = {.bytes = "x", .len = 1, .trailers = trailers, .trailers_count = 1};
        talk_open(&c, ANSWER_NEVER);
        int32_t id = REQUEST(&c, &up, HEAD("POST", "/"));
        talk(&c);
        cr_expect_eq(
                c.r.ends, 0, "%s: %.*s", cases[i].name, (int)recorder_log(&c.r).len, recorder_log(&c.r).data);
        cr_expect(seen(&c, id)->closed || c.r.refused, "%s", cases[i].name);
        talk_close(&c);
    }
}

Test(http_h2_server, too_many_trailers_are_refused_and_not_cut)
{
    static char names[SK_FIELDS_MAX + 1][16];
    nghttp2_nv trailers[SK_FIELDS_MAX + 1];
    for (size_t i = 0; i <= SK_FIELDS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "x-%zu", i);
        trailers[i] =
                (nghttp2_nv){(uint8_t *)names[i], (uint8_t *)names[i], strlen(names[i]), strlen(names[i]), 0};
    }
    struct conversation c;
    struct upload up = {.bytes = "x", .len = 1, .trailers = trailers, .trailers_count = SK_FIELDS_MAX + 1};
    talk_open(&c, ANSWER_NEVER);
    (void)REQUEST(&c, &up, HEAD("POST", "/"));
    talk(&c);
    cr_expect_eq(c.r.ends, 0);
    talk_close(&c);
}

Test(http_h2_server, a_head_beyond_the_limits_is_refused)
{
    static char value[8000], names[SK_FIELDS_MAX + 1][16];
    struct conversation c;
    nghttp2_nv big[9] = {HEAD("GET", "/")}, many[SK_FIELDS_MAX + 5] = {HEAD("GET", "/")};
    memset(value, 'a', sizeof(value));
    for (size_t i = 0; i < 5; i++) {
        big[4 + i] = (nghttp2_nv){(uint8_t *)(uintptr_t) "x", (uint8_t *)value, 1, sizeof(value), 0};
    }
    for (size_t i = 0; i <= SK_FIELDS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "x-%zu", i);
        many[4 + i] =
                (nghttp2_nv){(uint8_t *)names[i], (uint8_t *)names[i], strlen(names[i]), strlen(names[i]), 0};
    }
    talk_open(&c, ANSWER_AT_END);
    int32_t a = request(&c, big, SK_COUNT(big), NULL);
    talk(&c);
    expect_log(&c, "refused head-too-large\nend\ngone clean\n");
    cr_expect_eq(seen(&c, a)->status, 431);
    int32_t b = request(&c, many, SK_COUNT(many), NULL);
    talk(&c);
    expect_log(&c, "refused too-many-headers\nend\ngone clean\n");
    cr_expect_eq(seen(&c, b)->status, 431);
    c.r.refused = 0;
    (void)REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    expect_log(&c, "request GET a.example /\nend\ngone clean\n");
    talk_close(&c);
}

/* RFC 8441. */
Test(http_h2_server, a_websocket_is_a_tunnel_both_ways)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload up = {.bytes = "ping", .len = 4, .open = true};
    talk(&c);
    int32_t id = REQUEST(&c, &up, NV(":method", "CONNECT"), NV(":protocol", "websocket"),
            NV(":scheme", "https"), NV(":authority", "a.example"), NV(":path", "/ws"),
            NV("sec-websocket-version", "13"), NV("origin", "https://a.example"));
    talk(&c);
    expect_log(&c, "request GET a.example /ws websocket sec-websocket-version=13 "
                   "origin=https://a.example\nbody ping");
    cr_expect_eq(seen(&c, id)->status, 200);
    cr_expect_eq(seen(&c, id)->body, 4);
    cr_expect_str_eq(seen(&c, id)->fields, "");
    up = (struct upload){.bytes = "pong", .len = 4};
    cr_assert_eq(nghttp2_session_resume_data(c.client, id), 0);
    talk(&c);
    cr_expect_eq(seen(&c, id)->body, 8);
    cr_expect(seen(&c, id)->ended);
    expect_log(&c, "body pong\nend\ngone clean\n");
    talk_close(&c);
}

Test(http_h2_server, what_is_no_websocket_connect_is_refused)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    talk(&c);
    (void)REQUEST(&c, NULL, NV(":method", "CONNECT"), NV(":authority", "a.example:443"));
    (void)REQUEST(&c, NULL, NV(":method", "CONNECT"), NV(":protocol", "connect-udp"), NV(":scheme", "https"),
            NV(":authority", "a.example"), NV(":path", "/"));
    (void)REQUEST(&c, NULL, NV(":method", "GET"), NV(":protocol", "websocket"), NV(":scheme", "https"),
            NV(":authority", "a.example"), NV(":path", "/"));
    (void)REQUEST(&c, NULL, NV(":method", "CONNECT"), NV(":protocol", "websocket"), NV(":scheme", "https"),
            NV(":authority", "a.example"), NV(":path", "/"));
    (void)REQUEST(&c, NULL, NV(":method", "CONNECT"), NV(":protocol", "websocket"), NV(":scheme", "https"),
            NV(":authority", "a.example"), NV(":path", "/"), NV("sec-websocket-version", "8"));
    talk(&c);
    cr_expect_eq(c.r.requests, 0);
    cr_expect_eq(c.r.refused, 5);
    cr_expect_eq(c.r.gone, 5);
    talk_close(&c);
}

static void stream_response(struct sk_stream *stream, size_t total)
{
    const struct sk_response response = {.status = 200, .body = SK_BODY_STREAM, .content_length = UINT64_MAX};
    static const char bytes[16384];
    cr_assert_eq(sk_stream_respond(stream, &response), 0);
    while (total) {
        size_t room = sk_stream_room(stream);
        size_t n = total < room ? total : room;
        n = n < sizeof(bytes) ? n : sizeof(bytes);
        if (n == 0) {
            return;
        }
        cr_assert_eq(sk_stream_write(stream, sk_slice(bytes, n)), 0);
        total -= n;
    }
}

/* A client with the default window of 64 KiB sends thousands of WINDOW_UPDATE frames for one large response.
 */
Test(http_h2_server, a_large_response_is_delivered_whole)
{
    static const char bytes[16384];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    struct sk_stream *stream = c.r.last;
    stream_response(stream, 0);
    size_t total = (size_t)64 << 20, written = 0;
    for (int turn = 0; written < total && turn < 100000 && c.feed_result == 0; turn++) {
        for (size_t room = sk_stream_room(stream); room && written < total; room = sk_stream_room(stream)) {
            size_t n = room < sizeof(bytes) ? room : sizeof(bytes);
            cr_assert_eq(sk_stream_write(stream, sk_slice(bytes, n)), 0);
            written += n;
        }
        talk(&c);
    }
    cr_expect_eq(c.feed_result, 0, "after %zu bytes", seen(&c, id)->body);
    if (c.feed_result == 0) {
        cr_assert_eq(sk_stream_finish(stream, NULL, 0), 0);
        talk(&c);
        cr_expect_eq(seen(&c, id)->body, written);
        cr_expect(seen(&c, id)->ended);
    }
    talk_close(&c);
}

Test(http_h2_server, a_large_body_is_taken_while_it_is_consumed)
{
    static char bytes[(size_t)8 << 20];
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload up = {.bytes = bytes, .len = sizeof(bytes)};
    (void)REQUEST(&c, &up, HEAD("POST", "/"));
    talk(&c);
    cr_expect_eq(c.r.body_bytes, sizeof(bytes));
    cr_expect_eq(c.r.gone, 1);
    talk_close(&c);
}

Test(http_h2_server, a_body_nobody_consumes_stops_at_the_window)
{
    static char bytes[(size_t)1 << 20];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    c.r.hold = true;
    struct upload up = {.bytes = bytes, .len = sizeof(bytes)};
    (void)REQUEST(&c, &up, HEAD("POST", "/"));
    talk(&c);
    cr_expect_leq(c.r.body_bytes, SK_STREAM_WINDOW);
    for (size_t given = c.r.body_bytes, back = 0; back < sizeof(bytes); given = c.r.body_bytes) {
        sk_stream_consumed(c.r.last, given - back);
        back = given;
        talk(&c);
        cr_assert_leq(c.r.body_bytes - back, SK_STREAM_WINDOW);
        cr_assert(c.r.body_bytes > back || back == sizeof(bytes), "stuck at %zu", back);
    }
    cr_expect_eq(c.r.ends, 1);
    talk_close(&c);
}

/* The connection's window is shared: what dies unconsumed must come back to it, or all other uploads starve.
 */
Test(http_h2_server, streams_that_die_unconsumed_give_the_connection_window_back)
{
    static char bytes[60000];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    c.r.hold = true;
    for (int i = 0; i < 200; i++) {
        struct upload up = {.bytes = bytes, .len = sizeof(bytes), .open = true};
        size_t before = c.r.body_bytes;
        int32_t id = REQUEST(&c, &up, HEAD("POST", "/"));
        talk(&c);
        cr_assert_eq(c.r.body_bytes - before, sizeof(bytes), "upload %d is stuck", i);
        if (i % 2) {
            sk_stream_abort(c.r.last);
        } else {
            cr_assert_eq(nghttp2_submit_rst_stream(c.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL), 0);
        }
        talk(&c);
        cr_assert_eq(c.r.gone, (unsigned)i + 1);
    }
    talk_close(&c);
}

/* RFC 9113 section 8.1: a complete response to an incomplete request is followed by a reset without error. */
Test(http_h2_server, an_answer_before_the_end_of_the_body_ends_the_stream)
{
    static char bytes[(size_t)1 << 20];
    for (int kind = 0; kind < 2; kind++) {
        struct conversation c;
        talk_open(&c, ANSWER_NEVER);
        c.r.hold = true;
        struct upload up = {.bytes = bytes, .len = sizeof(bytes)};
        int32_t id = REQUEST(&c, &up, HEAD("POST", "/"));
        talk(&c);
        if (kind) {
            answer_status(c.r.last, 413);
        } else {
            answer_ok(c.r.last);
        }
        talk(&c);
        cr_expect_eq(seen(&c, id)->status, kind ? 413 : 200);
        cr_expect(seen(&c, id)->ended);
        cr_expect(seen(&c, id)->closed, "the client still uploads into a closed window");
        cr_expect_eq(seen(&c, id)->error, NGHTTP2_NO_ERROR);
        cr_expect_eq(c.r.gone, 1);
        cr_expect_eq(sk_server_streams(c.r.server), 0);
        talk_close(&c);
    }
}

Test(http_h2_server, a_response_has_interim_head_body_and_trailers)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    const struct sk_response interim = {.status = 103, .content_length = UINT64_MAX};
    const struct sk_response final = {.status = 206, .body = SK_BODY_STREAM, .content_length = UINT64_MAX};
    const struct sk_field trailer = {SK_LIT("x-sum"), SK_LIT("1")};
    cr_assert_eq(sk_stream_respond(c.r.last, &interim), 0);
    cr_assert_eq(sk_stream_respond(c.r.last, &final), 0);
    cr_expect_lt(sk_stream_respond(c.r.last, &final), 0, "one final response");
    cr_assert_eq(sk_stream_write(c.r.last, SK_LIT("abc")), 0);
    talk(&c);
    cr_assert_eq(sk_stream_finish(c.r.last, &trailer, 1), 0);
    talk(&c);
    cr_expect_eq(seen(&c, id)->interim, 1);
    cr_expect_eq(seen(&c, id)->status, 206);
    cr_expect_eq(seen(&c, id)->body, 3);
    cr_expect_str_eq(seen(&c, id)->trailers, "x-sum=1 ");
    cr_expect(seen(&c, id)->ended);
    talk_close(&c);
}

/* The caller's array may be gone when nghttp2 comes to send it: HTTP/1 writes trailers at once, so must this.
 */
Test(http_h2_server, trailers_are_copied)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    const struct sk_response response = {.status = 200, .body = SK_BODY_STREAM, .content_length = UINT64_MAX};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    char name[] = "x-sum", value[] = "1";
    struct sk_field trailer = {sk_slice_str(name), sk_slice_str(value)};
    cr_assert_eq(sk_stream_finish(c.r.last, &trailer, 1), 0);
    memset(name, 'z', sizeof(name) - 1);
    value[0] = '2';
    trailer = (struct sk_field){SK_LIT("y"), SK_LIT("3")};
    talk(&c);
    cr_expect_str_eq(seen(&c, id)->trailers, "x-sum=1 ");
    talk_close(&c);
}

Test(http_h2_server, head_is_answered_without_a_body)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("HEAD", "/"));
    talk(&c);
    const struct sk_response response = {.status = 200, .body = SK_BODY_NONE, .content_length = 1234};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    talk(&c);
    cr_expect_str_eq(seen(&c, id)->fields, "content-length=1234 ");
    cr_expect(seen(&c, id)->ended);
    cr_expect_eq(seen(&c, id)->body, 0);
    expect_log(&c, "request HEAD a.example /\nend\ngone clean\n");
    talk_close(&c);
}

Test(http_h2_server, an_aborted_stream_is_reset_and_silent)
{
    static char bytes[1000];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    struct upload up = {.bytes = bytes, .len = sizeof(bytes), .open = true};
    int32_t id = REQUEST(&c, &up, HEAD("POST", "/"));
    talk(&c);
    recorder_forget(&c.r);
    struct sk_stream *stream = c.r.last;
    stream_response(stream, SK_STREAM_WINDOW * 2);
    cr_expect_eq(sk_stream_room(stream), 0);
    sk_stream_abort(stream);
    sk_server_sent(c.r.server, 0);
    cr_expect_eq(c.r.writable, 0, "an aborted stream has nothing to write");
    up = (struct upload){.bytes = bytes, .len = sizeof(bytes)};
    cr_assert_eq(nghttp2_session_resume_data(c.client, id), 0);
    talk(&c);
    expect_log(&c, "gone unclean\n");
    cr_expect_neq(seen(&c, id)->error, NGHTTP2_NO_ERROR);
    cr_expect_not(seen(&c, id)->ended);
    talk_close(&c);
}

/* What the client threw away before it was sent was not delivered, whatever the answerer had finished. */
Test(http_h2_server, a_response_the_client_gave_up_is_not_clean)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    recorder_forget(&c.r);
    stream_response(c.r.last, SK_STREAM_WINDOW);
    cr_assert_eq(sk_stream_finish(c.r.last, NULL, 0), 0);
    cr_assert_eq(nghttp2_submit_rst_stream(c.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL), 0);
    talk(&c);
    expect_log(&c, "gone unclean\n");
    talk_close(&c);
}

Test(http_h2_server, a_writer_that_met_a_full_queue_is_told_when_there_is_room)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    (void)REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    stream_response(c.r.last, SK_STREAM_WINDOW * 2);
    cr_expect_eq(sk_stream_room(c.r.last), 0);
    cr_expect_eq(c.r.writable, 0);
    talk(&c);
    cr_expect_eq(c.r.writable, 1);
    cr_expect_gt(sk_stream_room(c.r.last), 0);
    talk_close(&c);
}

/* server.h: "or any number when nothing is queued". */
Test(http_h2_server, a_large_page_can_be_written_at_once)
{
    static char bytes[(size_t)1 << 20];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    stream_response(c.r.last, 0);
    cr_expect_eq(sk_stream_write(c.r.last, sk_slice(bytes, sizeof(bytes))), 0);
    cr_assert_eq(sk_stream_finish(c.r.last, NULL, 0), 0);
    talk(&c);
    cr_expect_eq(seen(&c, id)->body, sizeof(bytes));
    talk_close(&c);
}

Test(http_h2_server, a_client_that_reads_nothing_is_bounded)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    talk(&c);
    c.mute = true;
    for (int i = 0; i < 60000 && sk_server_wants_input(c.r.server) && c.feed_result == 0; i++) {
        cr_assert_eq(nghttp2_submit_ping(c.client, NGHTTP2_FLAG_NONE, NULL), 0);
        talk(&c);
    }
    cr_expect_lt(sk_server_output(c.r.server).len, (size_t)256 << 10);
    cr_expect(c.feed_result < 0 || !sk_server_wants_input(c.r.server));
    talk_close(&c);
}

Test(http_h2_server, a_rapid_reset_ends_the_connection)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    talk(&c);
    int turns = 0;
    while (turns < 5000 && c.feed_result == 0 && !c.goaway) {
        int32_t id = (int32_t)nghttp2_session_get_next_stream_id(c.client);
        if (id / 2 >= STREAMS) {
            break;
        }
        (void)REQUEST(&c, NULL, HEAD("GET", "/"));
        talk(&c);
        cr_assert_eq(nghttp2_submit_rst_stream(c.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL), 0);
        talk(&c);
        turns++;
    }
    cr_expect(c.goaway || c.feed_result, "%d resets", turns);
    cr_expect_eq(c.r.gone, c.r.requests);
    talk_close(&c);
}

/* Frames written by hand: what a well-behaved client session would not send. */
static void put_frame(struct sk_buf *buf, uint8_t type, uint8_t flags, uint32_t id, struct sk_slice payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16), (uint8_t)(payload.len >> 8), (uint8_t)payload.len,
            type, flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    cr_assert_eq(sk_buf_put(buf, sk_slice(head, 9)), 0);
    cr_assert_eq(sk_buf_put(buf, payload), 0);
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
/* :method GET, :scheme https, :path /, :authority a */
#define HPACK_GET                                                                                            \
    "\x82\x87\x84\x41\x01"                                                                                   \
    "a"

static void flood(uint8_t type, uint8_t flags, uint32_t id, struct sk_slice payload, const char *name)
{
    struct recorder r;
    struct sk_buf bytes = SK_BUF_INIT((size_t)1 << 24);
    recorder_open(&r, SK_HTTP2, ANSWER_NEVER);
    cr_assert_eq(sk_buf_put(&bytes, SK_LIT(PREFACE)), 0);
    put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, SK_SLICE_NULL);
    put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, SK_LIT(HPACK_GET));
    cr_assert_eq(sk_server_feed(r.server, sk_buf_peek(&bytes)), 0);
    cr_assert_eq(r.requests, 1);
    int result = 0;
    for (int i = 0; i < 20000 && result == 0 && !sk_server_done(r.server); i++) {
        struct sk_buf one = SK_BUF_INIT(4096);
        put_frame(&one, type, flags, id, payload);
        result = sk_server_feed(r.server, sk_buf_peek(&one));
        sk_buf_free(&one);
        while (sk_server_output(r.server).len) {
            sk_server_sent(r.server, sk_server_output(r.server).len);
        }
    }
    cr_expect(result != 0 || sk_server_done(r.server), "%s", name);
    recorder_close(&r);
    cr_expect_eq(r.gone, 1);
    sk_buf_free(&bytes);
}

Test(http_h2_server, floods_of_frames_that_say_nothing_end_the_connection)
{
    flood(NGHTTP2_DATA, 0, 1, SK_SLICE_NULL, "empty data");
    flood(NGHTTP2_PING, 0, 0, SK_LIT("12345678"), "ping");
    flood(NGHTTP2_SETTINGS, 0, 0, SK_SLICE_NULL, "settings");
    flood(NGHTTP2_PRIORITY, 0, 1, SK_LIT("\0\0\0\3\1"), "priority");
    flood(NGHTTP2_WINDOW_UPDATE, 0, 1, SK_LIT("\0\0\0\1"), "window update");
    flood(NGHTTP2_CONTINUATION, 0, 1, SK_SLICE_NULL, "continuation");
}

/* CVE-2025-8671: the client breaks each of its streams, so that the server resets it and its work is for
 * nothing. */
Test(http_h2_server, a_client_that_makes_the_server_reset_is_ended)
{
    struct recorder r;
    struct sk_buf bytes = SK_BUF_INIT((size_t)1 << 24);
    recorder_open(&r, SK_HTTP2, ANSWER_NEVER);
    cr_assert_eq(sk_buf_put(&bytes, SK_LIT(PREFACE)), 0);
    put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, SK_SLICE_NULL);
    int result = sk_server_feed(r.server, sk_buf_peek(&bytes));
    for (uint32_t id = 1; id < 10000 && result == 0 && !sk_server_done(r.server); id += 2) {
        sk_buf_take(&bytes, sk_buf_len(&bytes));
        put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
                SK_LIT(HPACK_GET));
        put_frame(&bytes, NGHTTP2_WINDOW_UPDATE, 0, id, SK_LIT("\x7f\xff\xff\xff"));
        result = sk_server_feed(r.server, sk_buf_peek(&bytes));
        while (sk_server_output(r.server).len) {
            sk_server_sent(r.server, sk_server_output(r.server).len);
        }
    }
    cr_expect(result || sk_server_done(r.server), "%u requests were begun and thrown away", r.requests);
    recorder_close(&r);
    cr_expect_eq(r.gone, r.requests);
    sk_buf_free(&bytes);
}

Test(http_h2_server, endless_continuation_frames_end_the_connection)
{
    struct recorder r;
    struct sk_buf bytes = SK_BUF_INIT((size_t)1 << 24);
    recorder_open(&r, SK_HTTP2, ANSWER_NEVER);
    cr_assert_eq(sk_buf_put(&bytes, SK_LIT(PREFACE)), 0);
    put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, SK_SLICE_NULL);
    put_frame(&bytes, NGHTTP2_HEADERS, 0, 1, SK_LIT(HPACK_GET));
    for (int i = 0; i < 5000; i++) {
        put_frame(&bytes, NGHTTP2_CONTINUATION, 0, 1, SK_LIT("\x40\x01x\x01y"));
    }
    int result = sk_server_feed(r.server, sk_buf_peek(&bytes));
    (void)sk_server_output(r.server);
    cr_expect(result < 0 || sk_server_done(r.server) || !sk_server_wants_input(r.server));
    cr_expect(!sk_server_in_head(r.server) || result < 0);
    recorder_close(&r);
    sk_buf_free(&bytes);
}

Test(http_h2_server, what_is_not_http_2_is_an_error)
{
    static const char *const texts[] = {
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "\x16\x03\x01\x02"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct recorder r;
        recorder_open(&r, SK_HTTP2, ANSWER_NEVER);
        cr_expect_lt(sk_server_feed(r.server, sk_slice_str(texts[i])), 0, "%s", texts[i]);
        cr_expect(sk_server_done(r.server));
        cr_expect_not(sk_server_wants_input(r.server));
        recorder_close(&r);
    }
}

Test(http_h2_server, the_head_timer_runs_only_within_a_head)
{
    struct recorder r;
    struct sk_buf bytes = SK_BUF_INIT(4096);
    recorder_open(&r, SK_HTTP2, ANSWER_NEVER);
    cr_assert_eq(sk_buf_put(&bytes, SK_LIT(PREFACE)), 0);
    put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, SK_SLICE_NULL);
    put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, SK_LIT(HPACK_GET));
    cr_assert_eq(sk_server_feed(r.server, sk_buf_peek(&bytes)), 0);
    cr_expect(sk_server_in_head(r.server));
    sk_buf_take(&bytes, sk_buf_len(&bytes));
    put_frame(&bytes, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, SK_SLICE_NULL);
    cr_assert_eq(sk_server_feed(r.server, sk_buf_peek(&bytes)), 0);
    cr_expect_not(sk_server_in_head(r.server));
    cr_expect_eq(r.requests, 1);
    recorder_close(&r);
    sk_buf_free(&bytes);
}

Test(http_h2_server, no_more_streams_than_the_limit_are_open)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    for (int i = 0; i < SK_STREAMS_MAX + 50; i++) {
        (void)REQUEST(&c, NULL, HEAD("GET", "/"));
    }
    talk(&c);
    cr_expect_leq(sk_server_streams(c.r.server), SK_STREAMS_MAX);
    talk_close(&c);
    cr_expect_eq(c.r.gone, c.r.requests);
}

Test(http_h2_server, drain_finishes_what_is_open_and_takes_nothing_new)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    int32_t id = REQUEST(&c, NULL, HEAD("GET", "/"));
    talk(&c);
    sk_server_drain(c.r.server);
    talk(&c);
    cr_expect(c.goaway);
    cr_expect_eq(c.goaway_error, NGHTTP2_NO_ERROR);
    cr_expect_not(sk_server_done(c.r.server));
    answer_ok(c.r.last);
    talk(&c);
    cr_expect(seen(&c, id)->ended);
    cr_expect(sk_server_done(c.r.server));
    cr_expect_eq(c.r.requests, 1);
    talk_close(&c);
}

Test(http_h2_server, gone_comes_once_for_each_stream_when_the_server_is_freed)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    c.r.hold = true;
    struct upload up = {.bytes = "abc", .len = 3, .open = true};
    (void)REQUEST(&c, NULL, HEAD("GET", "/1"));
    (void)REQUEST(&c, &up, HEAD("POST", "/2"));
    talk(&c);
    cr_expect_eq(sk_server_streams(c.r.server), 2);
    talk_close(&c);
    cr_expect_eq(c.r.gone, 2);
}

/* Random damage to a valid conversation: nothing crashes, gone comes once for each stream. */
Test(http_h2_server, damaged_conversations_leave_no_stream_behind)
{
    static const nghttp2_nv trailers[] = {NV("x-sum", "1")};
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct upload up = {.bytes = "hello", .len = 5, .trailers = trailers, .trailers_count = 1},
                  ws = {.bytes = "ping", .len = 4};
    talk(&c);
    (void)REQUEST(&c, NULL, HEAD("GET", "/1"), NV("cookie", "a=b"), NV("cookie", "c=d"));
    (void)REQUEST(&c, &up, HEAD("POST", "/2"), NV("content-length", "5"));
    (void)REQUEST(&c, &ws, NV(":method", "CONNECT"), NV(":protocol", "websocket"), NV(":scheme", "https"),
            NV(":authority", "a.example"), NV(":path", "/ws"), NV("sec-websocket-version", "13"));
    talk(&c);
    struct sk_slice bytes = sk_buf_peek(&c.sent);
    char *copy = malloc(bytes.len);
    uint32_t seed = 11;
    for (int turn = 0; turn < 3000; turn++) {
        struct conversation d;
        memcpy(copy, bytes.data, bytes.len);
        for (int i = 0; i < 1 + turn % 3; i++) {
            seed = seed * 1664525U + 1013904223U;
            copy[24 + (seed >> 8) % (bytes.len - 24)] = (char)(seed >> 24);
        }
        talk_open(&d, ANSWER_AT_END);
        d.piece = 1 + (seed >> 12) % 50;
        feed(&d, sk_slice(copy, bytes.len));
        for (int i = 0; i < 1000 && sk_server_output(d.r.server).len; i++) {
            sk_server_sent(d.r.server, sk_server_output(d.r.server).len);
        }
        talk_close(&d);
        cr_assert_leq(d.r.ends, d.r.requests + d.r.refused);
        cr_assert_eq(d.r.gone, d.r.requests + d.r.refused);
    }
    free(copy);
    talk_close(&c);
}
