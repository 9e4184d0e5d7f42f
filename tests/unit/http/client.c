/* HTTP/1.1 towards an upstream: every response whole, cut in two everywhere, and byte by byte, with one
 * result. */
#include "http/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

struct exchange {
    struct sk_client client;
    struct sk_arena arena;
    struct sk_buf log;
    bool in_body, reusable;
    int result, eof;
    unsigned ends;
    bool free_at_response, free_at_body, free_at_end, again_at_end;
};

static void put(struct exchange *x, struct sk_slice text)
{
    cr_assert_eq(sk_buf_put(&x->log, text), 0);
}

static void line(struct exchange *x)
{
    if (x->in_body) {
        put(x, SK_LIT("\n"));
        x->in_body = false;
    }
}

static void put_fields(struct exchange *x, const struct sk_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(sk_buf_printf(&x->log, " %.*s=%.*s", (int)fields[i].name.len, fields[i].name.data,
                             (int)fields[i].value.len, fields[i].value.data),
                0);
    }
    put(x, SK_LIT("\n"));
}

static void on_response(struct sk_client *client, const struct sk_response *response)
{
    struct exchange *x = client->user;
    line(x);
    cr_assert_eq(
            sk_buf_printf(&x->log, "response %u%s", response->status, response->upgraded ? " upgraded" : ""),
            0);
    put_fields(x, response->fields, response->fields_count);
    if (x->free_at_response) {
        sk_client_free(client);
    }
}

static void on_body(struct sk_client *client, struct sk_slice bytes)
{
    struct exchange *x = client->user;
    cr_assert_gt(bytes.len, 0);
    if (!x->in_body) {
        put(x, SK_LIT("body "));
        x->in_body = true;
    }
    put(x, bytes);
    if (x->free_at_body) {
        sk_client_free(client);
    }
}

static void on_end(struct sk_client *client, const struct sk_field *trailers, size_t count)
{
    struct exchange *x = client->user;
    line(x);
    put(x, SK_LIT("end"));
    put_fields(x, trailers, count);
    x->ends++;
    x->reusable = client->reusable;
    if (x->free_at_end) {
        sk_client_free(client);
    } else if (x->again_at_end && client->reusable) {
        sk_client_expect(client, &x->arena, false, false);
    }
}

static void exchange_open(struct exchange *x, bool to_head, bool websocket)
{
    static const struct sk_client_handler handler = {on_response, on_body, on_end};
    *x = (struct exchange){.log = SK_BUF_INIT((size_t)1 << 20)};
    sk_arena_init(&x->arena, (size_t)192 << 10);
    sk_client_init(&x->client, &handler, x);
    sk_client_expect(&x->client, &x->arena, to_head, websocket);
}

static void exchange_close(struct exchange *x)
{
    sk_client_free(&x->client);
    sk_arena_free(&x->arena);
    sk_buf_free(&x->log);
}

/* As a connection does: not fed again once the result said so. */
static void hear(struct exchange *x, struct sk_slice bytes)
{
    if (x->result == 0 && bytes.len) {
        char *copy = malloc(bytes.len);
        memcpy(copy, bytes.data, bytes.len);
        x->result = sk_client_feed(&x->client, sk_slice(copy, bytes.len));
        free(copy);
    }
}

static void hear_end(struct exchange *x)
{
    x->eof = x->result == 0 ? sk_client_eof(&x->client) : -1;
}

static void compare(const struct exchange *whole, const struct exchange *x, struct sk_slice input, long cut)
{
    struct sk_slice a = sk_buf_peek(&whole->log), b = sk_buf_peek(&x->log);
    cr_assert(sk_slice_eq(a, b), "cut at %ld of\n%.*s\n%.*s\ninstead of\n%.*s", cut, (int)input.len,
            input.data, (int)b.len, b.data, (int)a.len, a.data);
    cr_assert_eq(whole->result, x->result, "cut at %ld of\n%.*s", cut, (int)input.len, input.data);
    cr_assert_eq(whole->eof, x->eof, "cut at %ld of\n%.*s", cut, (int)input.len, input.data);
}

/* `result` of feeding, then the upstream closes. */
static void check_for(bool to_head, bool websocket, const char *text, const char *log, int result, int eof)
{
    struct sk_slice input = sk_slice_str(text);
    struct exchange whole, x;
    exchange_open(&whole, to_head, websocket);
    hear(&whole, input);
    hear_end(&whole);
    for (size_t cut = 1; cut < input.len; cut++) {
        exchange_open(&x, to_head, websocket);
        hear(&x, sk_slice_cut(input, cut));
        hear(&x, sk_slice_from(input, cut));
        hear_end(&x);
        compare(&whole, &x, input, (long)cut);
        exchange_close(&x);
    }
    exchange_open(&x, to_head, websocket);
    for (size_t i = 0; i < input.len; i++) {
        hear(&x, sk_slice(input.data + i, 1));
    }
    hear_end(&x);
    compare(&whole, &x, input, -1);
    exchange_close(&x);
    struct sk_slice got = sk_buf_peek(&whole.log);
    cr_expect(sk_slice_eq(got, sk_slice_str(log)), "%s\n%.*s\ninstead of\n%s", text, (int)got.len, got.data,
            log);
    cr_expect_eq(whole.result, result, "%s: %d", text, whole.result);
    cr_expect_eq(whole.eof, result ? -1 : eof, "%s: %d", text, whole.eof);
    exchange_close(&whole);
}

static void check(const char *text, const char *log, int result, int eof)
{
    check_for(false, false, text, log, result, eof);
}

Test(http_client, responses_are_parsed_by_their_framing)
{
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", "response 200 x=y\nbody hello\nend\n",
            0, 0);
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "response 200\nend\n", 0, 0);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            "response 200\nbody hello!\nend\n", 0, 0);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
            "response 200\nend x-sum=1\n", 0, 0);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0 ;z\r\n\r\n",
            "response 200\nbody hello\nend\n", 0, 0);
    check("HTTP/1.1 200 OK\r\n\r\nuntil the end", "response 200\nbody until the end\nend\n", 0, 0);
    check("HTTP/1.0 200 OK\r\n\r\n", "response 200\nend\n", 0, 0);
    check("HTTP/1.1 204 No Content\r\n\r\n", "response 204\nend\n", 0, 0);
    check("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "response 304\nend\n", 0, 0);
}

Test(http_client, interim_responses_are_swallowed)
{
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
          "OK\r\nContent-Length: 0\r\n\r\n",
            "response 200\nend\n", 0, 0);
}

Test(http_client, endless_interim_responses_are_refused)
{
    struct exchange x;
    exchange_open(&x, false, false);
    for (int i = 0; i < 20; i++) {
        hear(&x, SK_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    cr_expect_eq(x.result, -EPROTO);
    exchange_close(&x);
}

Test(http_client, a_response_to_head_has_no_body)
{
    check_for(true, false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "response 200\nend\n", 0, 0);
    check_for(true, false, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "response 200\nend\n", 0,
            0);
    check_for(true, false, "HTTP/1.1 200 OK\r\n\r\n", "response 200\nend\n", 0, 0);
    check_for(true, false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "response 200\nend\n",
            -EPROTO, -1);
}

Test(http_client, a_cut_response_is_told_from_a_whole_one)
{
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "response 200\nbody hell", 0, -EPROTO);
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "response 200\n", 0, -EPROTO);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "response 200\nbody hello",
            0, -EPROTO);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "response 200\n", 0, -EPROTO);
    check("HTTP/1.1 200 OK\r\nContent-", "", 0, -EPROTO);
    check("", "", 0, -EPROTO);
}

Test(http_client, what_can_be_read_two_ways_is_refused)
{
    static const char *const texts[] = {
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n", "\r\n\r\n", "x\r\n\r\n"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        check(texts[i], "", -EPROTO, -1);
    }
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\nhello\r\n", "response 200\n",
            -EPROTO, -1);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
            "response 200\n", -EPROTO, -1);
}

Test(http_client, an_upgrade_makes_a_tunnel)
{
    check_for(false, true,
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            "a\r\n\r\n\x81\x02hi",
            "response 101 upgraded sec-websocket-accept=a\nbody \x81\x02hi\nend\n", 0, 0);
    check_for(false, true, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            "response 403\nbody no\nend\n", 0, 0);
}

Test(http_client, bytes_nobody_asked_for_are_refused)
{
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokX", "response 200\nbody ok\nend\n", -EPROTO, -1);
    struct exchange x;
    exchange_open(&x, false, false);
    hear(&x, SK_LIT("HTTP/1.1 204 X\r\n\r\n"));
    cr_expect_eq(x.result, 0);
    hear(&x, SK_LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    cr_expect_eq(x.result, -EPROTO);
    exchange_close(&x);
}

/*
 * A response with a second one glued behind it: were the connection reused from within `end`, the second
 * would be taken for the answer to the next request, which may be somebody else's.
 */
Test(http_client, a_connection_with_bytes_left_over_is_not_reusable)
{
    static const char *const texts[] = {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 "
                                        "OK\r\nContent-Length: 6\r\n\r\npoison",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 "
            "OK\r\nContent-Length: 6\r\n\r\npoison",
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct exchange x;
        exchange_open(&x, false, false);
        x.again_at_end = true;
        hear(&x, sk_slice_str(texts[i]));
        cr_expect_eq(x.ends, 1, "%.*s", (int)sk_buf_len(&x.log), sk_buf_peek(&x.log).data);
        cr_expect_not(x.reusable);
        cr_expect_eq(x.result, -EPROTO);
        exchange_close(&x);
    }
}

Test(http_client, reuse_follows_what_the_response_says)
{
    static const struct {
        const char *text;
        bool reusable;
    } cases[] = {
            {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
            {"HTTP/1.1 204 X\r\n\r\n", true},
            {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
            {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
            {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
            /* RFC 9112 section 6.1: the framing of such a message is not to be trusted. */
            {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    false},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct exchange x;
        exchange_open(&x, false, false);
        hear(&x, sk_slice_str(cases[i].text));
        cr_expect_eq(x.ends == 1 && x.reusable, cases[i].reusable, "%s", cases[i].text);
        exchange_close(&x);
    }
}

Test(http_client, a_connection_serves_one_exchange_after_the_other)
{
    struct exchange x;
    exchange_open(&x, false, false);
    for (int i = 0; i < 3; i++) {
        hear(&x, SK_LIT("HTTP/1.1 200 OK\r\nContent-Le"));
        hear(&x, SK_LIT("ngth: 2\r\n\r\nok"));
        cr_expect_eq(x.result, 0);
        cr_expect(x.reusable);
        sk_arena_reset(&x.arena);
        sk_client_expect(&x.client, &x.arena, false, false);
    }
    cr_expect_eq(x.ends, 3);
    exchange_close(&x);
}

Test(http_client, bytes_before_any_request_are_refused)
{
    static const struct sk_client_handler handler = {on_response, on_body, on_end};
    struct sk_client client;
    sk_client_init(&client, &handler, NULL);
    cr_expect_eq(sk_client_feed(&client, SK_LIT("HTTP/1.1 200 OK\r\n\r\n")), -EPROTO);
    sk_client_free(&client);
}

Test(http_client, a_client_may_be_freed_by_each_callback)
{
    static const char text[] =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n";
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        for (int which = 0; which < 3; which++) {
            struct exchange x;
            exchange_open(&x, false, false);
            x.free_at_response = which == 0;
            x.free_at_body = which == 1;
            x.free_at_end = which == 2;
            hear(&x, sk_slice_cut(sk_slice_str(text), cut));
            hear(&x, sk_slice_from(sk_slice_str(text), cut));
            cr_expect_eq(x.result, 1);
            exchange_close(&x);
        }
    }
}

Test(http_client, any_read_of_64_kib_is_taken)
{
    static char body[65536];
    struct exchange x;
    exchange_open(&x, false, false);
    hear(&x, SK_LIT("HTTP/1.1 200 OK\r\nContent-Length: 65532"));
    memcpy(body, "\r\n\r\n", 4);
    hear(&x, sk_slice(body, sizeof(body)));
    cr_expect_eq(x.result, 0);
    cr_expect_eq(x.ends, 1);
    exchange_close(&x);
}

Test(http_client, an_endless_head_is_refused)
{
    static char line_of[1000];
    struct exchange x;
    exchange_open(&x, false, false);
    memset(line_of, 'a', sizeof(line_of));
    hear(&x, SK_LIT("HTTP/1.1 200 OK\r\nX: "));
    for (int i = 0; i < 100; i++) {
        hear(&x, sk_slice(line_of, sizeof(line_of)));
    }
    cr_expect_eq(x.result, -EPROTO);
    exchange_close(&x);
}

Test(http_client, an_arena_that_runs_out_fails_the_exchange_alone)
{
    struct exchange x;
    exchange_open(&x, false, false);
    x.arena.limit = 64;
    hear(&x, SK_LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    cr_expect_eq(x.result, -EPROTO);
    exchange_close(&x);
}
