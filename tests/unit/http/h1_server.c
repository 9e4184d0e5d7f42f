/* HTTP/1.1 towards the client: every conversation whole, cut in two everywhere, and byte by byte, with one
 * result. */
#include "recorder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define OK "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
#define OK_CLOSE "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"

/* For a call that may be refused or not: what counts is what reaches the wire. */
static void ignore(int result sk_unused)
{
}

struct conversation {
    struct recorder r;
    struct sk_buf out;
    bool done;
};

static void talk_open(struct conversation *c, enum answer answer)
{
    *c = (struct conversation){.out = SK_BUF_INIT((size_t)1 << 22)};
    recorder_open(&c->r, SK_HTTP1, answer);
}

static void talk_close(struct conversation *c)
{
    recorder_close(&c->r);
    sk_buf_free(&c->out);
}

/* Feeds from a copy of the exact size, so that the sanitizer sees a read behind the end. */
static void say(struct conversation *c, struct sk_slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    if (bytes.len) {
        memcpy(copy, bytes.data, bytes.len);
    }
    int r = sk_server_feed(c->r.server, sk_slice(copy, bytes.len));
    cr_assert_geq(r, 0);
    free(copy);
    take_output(c->r.server, &c->out);
    c->done = sk_server_done(c->r.server);
}

static void expect_said(struct conversation *c, const char *expected)
{
    struct sk_slice text = sk_buf_peek(&c->out);
    cr_expect(sk_slice_eq(text, sk_slice_str(expected)), "\n%.*s\ninstead of\n%s", (int)text.len, text.data,
            expected);
    sk_buf_take(&c->out, text.len);
}

static void expect_log(struct conversation *c, const char *expected)
{
    struct sk_slice log = recorder_log(&c->r);
    cr_expect(sk_slice_eq(log, sk_slice_str(expected)), "\n%.*s\ninstead of\n%s", (int)log.len, log.data,
            expected);
    recorder_forget(&c->r);
}

static void compare(
        const struct conversation *whole, const struct conversation *c, struct sk_slice input, long cut)
{
    struct sk_slice a = recorder_log(&whole->r), b = recorder_log(&c->r);
    cr_assert(sk_slice_eq(a, b), "cut at %ld of\n%.*s\n%.*s\ninstead of\n%.*s", cut, (int)input.len,
            input.data, (int)b.len, b.data, (int)a.len, a.data);
    a = sk_buf_peek(&whole->out);
    b = sk_buf_peek(&c->out);
    cr_assert(sk_slice_eq(a, b), "cut at %ld of\n%.*s\n%.*s\ninstead of\n%.*s", cut, (int)input.len,
            input.data, (int)b.len, b.data, (int)a.len, a.data);
    cr_assert_eq(whole->done, c->done);
}

/* Leaves in `whole` what came of the input, having proved that it comes of it however it is cut. */
static void converse(struct conversation *whole, enum answer answer, struct sk_slice input)
{
    talk_open(whole, answer);
    say(whole, input);
    for (size_t cut = 0; cut <= input.len; cut++) {
        struct conversation c;
        talk_open(&c, answer);
        say(&c, sk_slice_cut(input, cut));
        say(&c, sk_slice_from(input, cut));
        compare(whole, &c, input, (long)cut);
        talk_close(&c);
    }
    struct conversation c;
    talk_open(&c, answer);
    for (size_t i = 0; i < input.len; i++) {
        say(&c, sk_slice(input.data + i, 1));
    }
    compare(whole, &c, input, -1);
    talk_close(&c);
}

static void check(enum answer answer, const char *input, const char *log, const char *output, bool done)
{
    struct conversation c;
    converse(&c, answer, sk_slice_str(input));
    expect_log(&c, log);
    expect_said(&c, output);
    cr_expect_eq(c.done, done, "%s", input);
    talk_close(&c);
}

Test(http_h1_server, one_request_is_answered)
{
    check(ANSWER_AT_END, GET, "request GET a /\nend\ngone clean\n", OK, false);
}

Test(http_h1_server, bodies_are_given_and_the_connection_goes_on)
{
    check(ANSWER_AT_END, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET,
            "request POST a /a\nbody hello\nend\ngone clean\nrequest GET a /\nend\ngone clean\n", OK OK,
            false);
    check(ANSWER_AT_END, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" GET,
            "request POST a /a\nend\ngone clean\nrequest GET a /\nend\ngone clean\n", OK OK, false);
    check(ANSWER_AT_END,
            "POST /a HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" GET,
            "request POST a /a\nbody hello world\nend\ngone clean\nrequest GET a /\nend\ngone clean\n", OK OK,
            false);
    check(ANSWER_AT_END, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET,
            "request POST a /a\nend\ngone clean\nrequest GET a /\nend\ngone clean\n", OK OK, false);
    check(ANSWER_AT_END,
            "POST /a HTTP/1.1\r\n" HOST "Content-Length: 23\r\n\r\nGET / HTTP/1.1\r\nHost: b" GET,
            "request POST a /a\nbody GET / HTTP/1.1\r\nHost: b\nend\ngone clean\nrequest GET a /\nend\ngone "
            "clean\n",
            OK OK, false);
}

Test(http_h1_server, trailers_are_given_at_the_end)
{
    check(ANSWER_AT_END,
            "POST /a HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 5\r\nY: z\r\n\r\n" GET,
            "request POST a /a\nbody x\nend x-sum=5 y=z\ngone clean\nrequest GET a /\nend\ngone clean\n",
            OK OK, false);
}

Test(http_h1_server, bad_trailers_and_chunks_end_the_connection)
{
    static const char *const bodies[] = {"0\r\nX-Sekisho-User: root\r\n\r\n",
            "0\r\nContent-Length: 5\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX: y\r\n z\r\n\r\n"};
    for (size_t i = 0; i < SK_COUNT(bodies); i++) {
        char input[256];
        (void)snprintf(input, sizeof(input),
                "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%s" GET, bodies[i]);
        check(ANSWER_AT_END, input, "request POST a /a\nrefused bad-trailer\ngone clean\n",
                "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", true);
    }
    static const char *const chunks[] = {
            "5;a=b\r\nhello\r\n", "x\r\n", "5\nhello\r\n", "0\n\r\n", "\r\n", "-1\r\n"};
    for (size_t i = 0; i < SK_COUNT(chunks); i++) {
        char input[256];
        (void)snprintf(input, sizeof(input),
                "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%s" GET, chunks[i]);
        check(ANSWER_AT_END, input, "request POST a /a\nrefused bad-chunk\ngone clean\n",
                "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", true);
    }
}

/* Whatever follows a refused message could be anything: it is never read as a request. */
Test(http_h1_server, a_refused_request_is_the_last_of_its_connection)
{
    static const struct {
        const char *head, *log, *status;
    } cases[] = {
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    "content-length-and-transfer-encoding", "400 Bad Request"},
            {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
                    "content-length-twice", "400 Bad Request"},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", "bad-transfer-encoding",
                    "400 Bad Request"},
            {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "bad-transfer-encoding", "400 Bad Request"},
            {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", "folded-header", "400 Bad Request"},
            {"GET / HTTP/1.1\n" HOST "\r\n", "bare-line-feed", "400 Bad Request"},
            {"GET / HTTP/1.1\r\n\r\n", "host-missing", "400 Bad Request"},
            {"GET / HTTP/1.1\r\n" HOST "Host: b\r\n\r\n", "host-twice", "400 Bad Request"},
            {"GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", "encoded-slash", "400 Bad Request"},
            {"TRACE / HTTP/1.1\r\n" HOST "\r\n", "method-not-allowed", "405 Method Not Allowed"},
            {"POST / HTTP/1.1\r\n" HOST "Expect: x\r\nContent-Length: 1\r\n\r\n", "expectation-not-met",
                    "417 Expectation Failed"},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        char input[512], log[128], output[256];
        (void)snprintf(input, sizeof(input), "%s" GET, cases[i].head);
        (void)snprintf(log, sizeof(log), "refused %s\ngone clean\n", cases[i].log);
        (void)snprintf(output, sizeof(output),
                "HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", cases[i].status);
        check(ANSWER_AT_END, input, log, output, true);
    }
}

Test(http_h1_server, a_http2_preface_is_refused)
{
    struct conversation c;
    converse(&c, ANSWER_AT_END, SK_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    cr_expect_eq(c.r.refused, 1);
    cr_expect_eq(c.r.requests, 0);
    cr_expect(c.done);
    talk_close(&c);
}

Test(http_h1_server, an_endless_head_is_refused_however_it_comes)
{
    static char text[SK_HEAD_MAX + 100];
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    static const size_t pieces[] = {1, 7, 1000, SK_HEAD_MAX, SK_HEAD_MAX + 100};
    for (size_t i = 0; i < SK_COUNT(pieces); i++) {
        struct conversation c;
        talk_open(&c, ANSWER_AT_END);
        for (size_t at = 0; at < sizeof(text); at += pieces[i]) {
            say(&c, sk_slice_cut(sk_slice_from(sk_slice(text, sizeof(text)), at), pieces[i]));
        }
        expect_log(&c, "refused head-too-large\ngone clean\n");
        cr_expect(c.done);
        talk_close(&c);
    }
}

Test(http_h1_server, pipelined_requests_are_answered_in_order_one_at_a_time)
{
    check(ANSWER_AT_END,
            "GET /1 HTTP/1.1\r\n" HOST "\r\nPOST /2 HTTP/1.1\r\n" HOST
            "Content-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\n" HOST "\r\n",
            "request GET a /1\nend\ngone clean\nrequest POST a /2\nbody x\nend\ngone clean\nrequest GET a "
            "/3\nend\ngone clean\n",
            OK OK OK, false);
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET GET GET));
    for (int i = 0; i < 3; i++) {
        expect_log(&c, "request GET a /\nend\n");
        say(&c, SK_SLICE_NULL);
        expect_log(&c, "");
        answer_ok(c.r.last);
        expect_log(&c, "gone clean\n");
        take_output(c.r.server, &c.out);
        expect_said(&c, OK);
    }
    expect_log(&c, "");
    cr_expect_eq(sk_server_streams(c.r.server), 0);
    talk_close(&c);
}

/* More answers than the output queue holds must wait for the client to read, not break the connection. */
Test(http_h1_server, a_burst_of_pipelined_requests_is_answered_whole)
{
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    struct sk_buf input = SK_BUF_INIT((size_t)1 << 20);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(sk_buf_put(&input, SK_LIT(GET)), 0);
    }
    for (struct sk_slice rest = sk_buf_peek(&input); rest.len; rest = sk_slice_from(rest, 16384)) {
        say(&c, sk_slice_cut(rest, 16384));
    }
    cr_expect_eq(c.r.gone, 1000);
    cr_expect_eq(sk_buf_len(&c.out), 1000 * strlen(OK));
    sk_buf_free(&input);
    talk_close(&c);
}

static struct sk_slice page;

static void big_request(struct sk_stream *stream)
{
    const struct sk_response response = {.status = 403, .body = SK_BODY_LENGTH, .content_length = page.len};
    struct recorder *r = sk_server_context(stream->server);
    r->requests++;
    if (sk_stream_respond(stream, &response) || sk_stream_write(stream, page) ||
            sk_stream_finish(stream, NULL, 0)) {
        sk_stream_abort(stream);
    }
}

static void nothing_body(struct sk_stream *stream, struct sk_slice bytes)
{
    sk_stream_consumed(stream, bytes.len);
}

static void nothing_end(
        struct sk_stream *stream sk_unused, const struct sk_field *trailers sk_unused, size_t count sk_unused)
{
}

static void nothing_writable(struct sk_stream *stream sk_unused)
{
}

static void count_gone(struct sk_stream *stream, bool clean)
{
    struct recorder *r = sk_server_context(stream->server);
    r->gone += clean;
}

Test(http_h1_server, answers_that_fill_the_output_hold_back_the_next_request)
{
    static const struct sk_server_handler handler = {
            big_request, NULL, nothing_body, nothing_end, nothing_writable, count_gone};
    static char bytes[2000];
    struct recorder r = {.answer = ANSWER_NEVER};
    struct sk_buf input = SK_BUF_INIT((size_t)1 << 20), out = SK_BUF_INIT((size_t)1 << 22);
    memset(bytes, 'x', sizeof(bytes));
    page = sk_slice(bytes, sizeof(bytes));
    r.server = sk_server_new(SK_HTTP1, &handler, &r);
    for (int i = 0; i < 600; i++) {
        cr_assert_eq(sk_buf_put(&input, SK_LIT(GET)), 0);
    }
    cr_assert_eq(sk_server_feed(r.server, sk_buf_peek(&input)), 0, "600 requests in one read");
    take_output(r.server, &out);
    cr_expect_eq(r.gone, 600, "%u were answered", r.gone);
    (void)sk_server_free(r.server);
    sk_buf_free(&input);
    sk_buf_free(&out);
}

Test(http_h1_server, any_read_of_64_kib_is_taken)
{
    static char body[65536];
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    say(&c, SK_LIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 65500"));
    memcpy(body, "\r\n\r\n", 4);
    say(&c, sk_slice(body, 65504));
    cr_expect_eq(c.r.body_bytes, 65500);
    cr_expect_eq(c.r.ends, 1);
    talk_close(&c);
}

Test(http_h1_server, connection_close_is_kept)
{
    check(ANSWER_AT_END, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET,
            "request GET a /\nend\ngone clean\n", OK_CLOSE, true);
    check(ANSWER_AT_END, "GET / HTTP/1.0\r\n" HOST "\r\n" GET, "request GET a /\nend\ngone clean\n", OK_CLOSE,
            true);
}

/* An HTTP/1.0 client takes silence for the end of the connection: it is told to keep it, or it is closed. */
Test(http_h1_server, http_1_0_is_told_when_its_connection_stays)
{
    struct conversation c;
    converse(&c, ANSWER_AT_END, SK_LIT("GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n"));
    struct sk_slice text = sk_buf_peek(&c.out);
    bool told = memmem(text.data, text.len, "connection: keep-alive", 22) != NULL;
    bool closed = memmem(text.data, text.len, "connection: close", 17) != NULL;
    cr_expect_eq(told, !c.done);
    cr_expect_eq(closed, c.done);
    talk_close(&c);
}

Test(http_h1_server, an_answer_before_the_end_of_the_body_closes)
{
    check(ANSWER_AT_REQUEST, "POST / HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n",
            "request POST a /\ngone clean\n", OK_CLOSE, true);
    check(ANSWER_AT_REQUEST, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
            "request POST a /\ngone clean\n", OK_CLOSE, true);
    check(ANSWER_AT_REQUEST, GET GET, "request GET a /\nend\ngone clean\nrequest GET a /\nend\ngone clean\n",
            OK OK, false);
}

Test(http_h1_server, expect_is_told_and_answered_before_the_final_response)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
    expect_log(&c, "request POST a / expect\n");
    const struct sk_response interim = {.status = 100, .content_length = UINT64_MAX};
    cr_assert_eq(sk_stream_respond(c.r.last, &interim), 0);
    take_output(c.r.server, &c.out);
    expect_said(&c, "HTTP/1.1 100 \r\n\r\n");
    say(&c, SK_LIT("hi"));
    expect_log(&c, "body hi\nend\n");
    answer_ok(c.r.last);
    take_output(c.r.server, &c.out);
    expect_said(&c, OK);
    cr_expect_not(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, a_http_1_0_client_gets_no_interim_response)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("POST / HTTP/1.0\r\n" HOST "Content-Length: 2\r\n\r\n"));
    const struct sk_response interim = {.status = 100, .content_length = UINT64_MAX};
    ignore(sk_stream_respond(c.r.last, &interim));
    take_output(c.r.server, &c.out);
    expect_said(&c, "");
    talk_close(&c);
}

Test(http_h1_server, head_is_answered_without_a_body)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("HEAD / HTTP/1.1\r\n" HOST "\r\n"));
    const struct sk_response response = {.status = 200, .body = SK_BODY_NONE, .content_length = 1234};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    take_output(c.r.server, &c.out);
    expect_said(&c, "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n");
    expect_log(&c, "request HEAD a /\nend\ngone clean\n");
    cr_expect_not(sk_server_done(c.r.server));
    talk_close(&c);
}

/* An answerer that forgets about HEAD must not put the connection out of step. */
Test(http_h1_server, a_body_for_head_never_reaches_the_wire)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("HEAD / HTTP/1.1\r\n" HOST "\r\n"));
    const struct sk_response response = {.status = 200, .body = SK_BODY_LENGTH, .content_length = 2};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    if (c.r.last) {
        ignore(sk_stream_write(c.r.last, SK_LIT("ok")));
        ignore(sk_stream_finish(c.r.last, NULL, 0));
    }
    take_output(c.r.server, &c.out);
    expect_said(&c, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    talk_close(&c);
}

Test(http_h1_server, a_streamed_response_is_chunked_with_trailers)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    const struct sk_response response = {.status = 200, .body = SK_BODY_STREAM, .content_length = UINT64_MAX};
    const struct sk_field trailer = {SK_LIT("x"), SK_LIT("y")};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    cr_assert_eq(sk_stream_write(c.r.last, SK_LIT("hello")), 0);
    cr_assert_eq(sk_stream_write(c.r.last, SK_SLICE_NULL), 0);
    cr_assert_eq(sk_stream_finish(c.r.last, &trailer, 1), 0);
    take_output(c.r.server, &c.out);
    expect_said(&c, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n");
    talk_close(&c);
}

Test(http_h1_server, a_response_that_ends_with_its_connection_is_chunked_for_1_1_and_closed_for_1_0)
{
    static const struct {
        const char *input, *output;
        bool done;
    } cases[] = {
            {GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false},
            {"GET / HTTP/1.0\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi", true},
            {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi", true},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        for (int kind = 0; kind < 2; kind++) {
            struct conversation c;
            talk_open(&c, ANSWER_NEVER);
            say(&c, sk_slice_str(cases[i].input));
            const struct sk_response response = {.status = 200,
                    .body = kind ? SK_BODY_CLOSE : SK_BODY_STREAM,
                    .content_length = UINT64_MAX};
            cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
            cr_assert_eq(sk_stream_write(c.r.last, SK_LIT("hi")), 0);
            cr_assert_eq(sk_stream_finish(c.r.last, NULL, 0), 0);
            take_output(c.r.server, &c.out);
            expect_said(&c, cases[i].output);
            cr_expect_eq(sk_server_done(c.r.server), cases[i].done);
            talk_close(&c);
        }
    }
}

Test(http_h1_server, a_body_of_another_length_than_said_is_refused)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    const struct sk_response response = {.status = 200, .body = SK_BODY_LENGTH, .content_length = 3};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    cr_expect_lt(sk_stream_write(c.r.last, SK_LIT("four")), 0);
    cr_assert_eq(sk_stream_write(c.r.last, SK_LIT("ab")), 0);
    cr_expect_lt(sk_stream_finish(c.r.last, NULL, 0), 0);
    cr_expect_lt(sk_stream_respond(c.r.last, &response), 0, "one final response");
    sk_stream_abort(c.r.last);
    expect_log(&c, "request GET a /\nend\ngone unclean\n");
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, nothing_is_written_before_the_head_or_behind_the_end)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    cr_expect_lt(sk_stream_write(c.r.last, SK_LIT("x")), 0);
    cr_expect_lt(sk_stream_finish(c.r.last, NULL, 0), 0);
    take_output(c.r.server, &c.out);
    expect_said(&c, "");
    talk_close(&c);
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello" GET));
    answer_ok(c.r.last);
    take_output(c.r.server, &c.out);
    expect_said(&c, OK);
    cr_expect_lt(sk_stream_write(c.r.last, SK_LIT("stray")), 0, "the next request is not answered yet");
    cr_expect_lt(sk_stream_finish(c.r.last, NULL, 0), 0);
    take_output(c.r.server, &c.out);
    expect_said(&c, "");
    talk_close(&c);
}

#define WS_HEAD                                                                                              \
    "GET /ws HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define WS_LOG                                                                                               \
    "request GET a /ws websocket sec-websocket-version=13 sec-websocket-key=dGhlIHNhbXBsZSBub25jZQ==\n"
#define WS_101 "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"

Test(http_h1_server, a_websocket_is_a_tunnel_both_ways)
{
    check(ANSWER_AT_END, WS_HEAD "\x81\x02hi" GET, WS_LOG "body \x81\x02hi" GET, WS_101 "\x81\x02hi" GET,
            false);
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    say(&c, SK_LIT(WS_HEAD));
    say(&c, SK_LIT("ping"));
    expect_said(&c, WS_101 "ping");
    cr_assert_eq(sk_stream_finish(c.r.last, NULL, 0), 0);
    expect_log(&c, WS_LOG "body ping\ngone clean\n");
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
}

/* The client may send its first frame with the handshake; the upstream's 101 comes later. */
Test(http_h1_server, bytes_behind_a_websocket_handshake_wait_for_the_upgrade)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(WS_HEAD "early"));
    expect_log(&c, WS_LOG);
    const struct sk_response response = {.status = 101, .upgraded = true, .content_length = UINT64_MAX};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    take_output(c.r.server, &c.out);
    expect_log(&c, "body early");
    talk_close(&c);
}

Test(http_h1_server, a_refused_websocket_ends_the_connection)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(WS_HEAD GET));
    answer_status(c.r.last, 403);
    take_output(c.r.server, &c.out);
    expect_log(&c, WS_LOG "gone clean\n");
    expect_said(&c, "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, a_body_nobody_consumes_stops_the_reading)
{
    static char bytes[SK_STREAM_WINDOW];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    c.r.hold = true;
    say(&c, SK_LIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n"));
    cr_expect(sk_server_wants_input(c.r.server));
    say(&c, sk_slice(bytes, sizeof(bytes)));
    cr_expect_not(sk_server_wants_input(c.r.server));
    sk_stream_consumed(c.r.last, 10);
    cr_expect(sk_server_wants_input(c.r.server));
    sk_stream_consumed(c.r.last, (size_t)1 << 40);
    cr_expect(sk_server_wants_input(c.r.server));
    talk_close(&c);
}

/* What nobody consumed before the stream was gone can be given back by nobody. */
Test(http_h1_server, an_unconsumed_body_does_not_stop_the_next_request)
{
    static char bytes[SK_STREAM_WINDOW + 10];
    struct conversation c;
    talk_open(&c, ANSWER_AT_END);
    c.r.hold = true;
    char head[128];
    (void)snprintf(
            head, sizeof(head), "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", sizeof(bytes));
    say(&c, sk_slice_str(head));
    say(&c, sk_slice(bytes, sizeof(bytes)));
    cr_expect_eq(c.r.gone, 1);
    cr_expect_not(c.done);
    cr_expect(sk_server_wants_input(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, pipelined_input_is_bounded)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    size_t fed = 0;
    while (sk_server_wants_input(c.r.server) && fed < (size_t)1 << 20) {
        say(&c, SK_LIT(GET));
        fed += strlen(GET);
    }
    cr_expect_lt(fed, 40000);
    for (unsigned i = 0; c.r.last; i++) {
        answer_ok(c.r.last);
        take_output(c.r.server, &c.out);
    }
    cr_expect_eq(c.r.gone, fed / strlen(GET));
    cr_expect(sk_server_wants_input(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, a_writer_that_met_a_full_queue_is_told_when_there_is_room)
{
    static char bytes[SK_STREAM_WINDOW * 2];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    const struct sk_response response = {
            .status = 200, .body = SK_BODY_LENGTH, .content_length = sizeof(bytes) * 2};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    while (sk_stream_room(c.r.last)) {
        cr_assert_eq(sk_stream_write(c.r.last, sk_slice(bytes, sk_stream_room(c.r.last))), 0);
    }
    cr_expect_eq(c.r.writable, 0);
    struct sk_slice out = sk_server_output(c.r.server);
    cr_expect_leq(out.len, SK_STREAM_WINDOW);
    sk_server_sent(c.r.server, 10);
    cr_expect_eq(c.r.writable, 0, "not for ten bytes");
    sk_server_sent(c.r.server, out.len - 10);
    cr_expect_eq(c.r.writable, 1);
    sk_server_sent(c.r.server, 0);
    cr_expect_eq(c.r.writable, 1);
    talk_close(&c);
}

/* server.h: "or any number when nothing is queued". */
Test(http_h1_server, a_large_page_can_be_written_at_once)
{
    static char bytes[(size_t)1 << 20];
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    const struct sk_response response = {
            .status = 200, .body = SK_BODY_LENGTH, .content_length = sizeof(bytes)};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    take_output(c.r.server, &c.out);
    cr_expect_eq(sk_stream_write(c.r.last, sk_slice(bytes, sizeof(bytes))), 0);
    talk_close(&c);
}

Test(http_h1_server, drain_finishes_what_is_open_and_takes_nothing_new)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    sk_server_drain(c.r.server);
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET GET));
    sk_server_drain(c.r.server);
    cr_expect_not(sk_server_done(c.r.server));
    answer_ok(c.r.last);
    take_output(c.r.server, &c.out);
    expect_said(&c, OK_CLOSE);
    expect_log(&c, "request GET a /\nend\ngone clean\n");
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, an_aborted_response_can_be_told_from_a_whole_one)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT(GET));
    const struct sk_response response = {.status = 200, .body = SK_BODY_STREAM, .content_length = UINT64_MAX};
    cr_assert_eq(sk_stream_respond(c.r.last, &response), 0);
    cr_assert_eq(sk_stream_write(c.r.last, SK_LIT("half")), 0);
    sk_stream_abort(c.r.last);
    take_output(c.r.server, &c.out);
    expect_said(&c, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    expect_log(&c, "request GET a /\nend\ngone unclean\n");
    cr_expect(sk_server_done(c.r.server));
    talk_close(&c);
}

Test(http_h1_server, gone_comes_once_when_the_server_is_freed)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    say(&c, SK_LIT("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhe"));
    cr_expect_eq(sk_server_streams(c.r.server), 1);
    c.r.server = sk_server_free(c.r.server);
    expect_log(&c, "request POST a /\nbody he\ngone unclean\n");
    sk_buf_free(&c.r.log);
    sk_buf_free(&c.out);
    cr_expect_null(sk_server_free(NULL));
}

Test(http_h1_server, the_head_timer_runs_only_within_a_head)
{
    struct conversation c;
    talk_open(&c, ANSWER_NEVER);
    cr_expect_not(sk_server_in_head(c.r.server));
    say(&c, SK_LIT("G"));
    cr_expect(sk_server_in_head(c.r.server));
    say(&c, SK_LIT("ET / HTTP/1.1\r\n" HOST "\r\nGET"));
    cr_expect_not(sk_server_in_head(c.r.server));
    answer_ok(c.r.last);
    take_output(c.r.server, &c.out);
    cr_expect(sk_server_in_head(c.r.server));
    talk_close(&c);
}

/* Random bytes and random cuts of valid conversations: nothing crashes, gone comes once for each stream. */
Test(http_h1_server, damaged_conversations_leave_no_stream_behind)
{
    static const char text[] =
            "POST /a HTTP/1.1\r\n" HOST
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n" GET WS_HEAD "abc";
    uint32_t seed = 7;
    for (int turn = 0; turn < 3000; turn++) {
        char copy[sizeof(text)];
        memcpy(copy, text, sizeof(text));
        for (int i = 0; i < turn % 4; i++) {
            seed = seed * 1664525U + 1013904223U;
            copy[(seed >> 8) % (sizeof(copy) - 1)] = (char)(seed >> 24);
        }
        struct conversation c;
        talk_open(&c, ANSWER_AT_END);
        for (size_t at = 0; at < sizeof(copy) - 1;) {
            seed = seed * 1664525U + 1013904223U;
            size_t len = 1 + (seed >> 16) % 40;
            say(&c, sk_slice_cut(sk_slice(copy + at, sizeof(copy) - 1 - at), len));
            at += len;
        }
        c.r.server = sk_server_free(c.r.server);
        cr_assert_leq(c.r.ends, c.r.requests);
        cr_assert_geq(c.r.gone, c.r.requests);
        cr_assert_leq(c.r.gone, c.r.requests + c.r.refused);
        sk_buf_free(&c.r.log);
        sk_buf_free(&c.out);
    }
}
