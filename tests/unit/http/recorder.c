/* The recording answerer. */
#include "recorder.h"

#include <criterion/criterion.h>

static struct recorder *of(struct sk_stream *stream)
{
    return sk_server_context(stream->server);
}

static void put(struct recorder *r, struct sk_slice text)
{
    cr_assert_eq(sk_buf_put(&r->log, text), 0);
}

static void line(struct recorder *r)
{
    if (r->body) {
        put(r, SK_LIT("\n"));
        r->body = NULL;
    }
}

static void put_fields(struct recorder *r, const struct sk_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(r, SK_LIT(" "));
        put(r, fields[i].name);
        put(r, SK_LIT("="));
        put(r, fields[i].value);
    }
    put(r, SK_LIT("\n"));
}

void answer_status(struct sk_stream *stream, uint16_t status)
{
    const struct sk_response response = {.status = status, .body = SK_BODY_NONE};
    cr_assert_eq(sk_stream_respond(stream, &response), 0);
}

void answer_ok(struct sk_stream *stream)
{
    const struct sk_response response = {.status = 200, .body = SK_BODY_LENGTH, .content_length = 2};
    cr_assert_eq(sk_stream_respond(stream, &response), 0);
    cr_assert_eq(sk_stream_write(stream, SK_LIT("ok")), 0);
    cr_assert_eq(sk_stream_finish(stream, NULL, 0), 0);
}

static void on_request(struct sk_stream *stream)
{
    struct recorder *r = of(stream);
    const struct sk_request *q = &stream->request;
    line(r);
    r->requests++;
    r->last = stream;
    cr_assert_eq(sk_buf_printf(&r->log, "request %.*s %.*s %.*s%.*s", (int)q->method.len, q->method.data,
                         (int)q->authority.len, q->authority.data, (int)q->path.len, q->path.data,
                         (int)q->query.len, q->query.data),
            0);
    put(r, q->websocket ? SK_LIT(" websocket") : q->expect_continue ? SK_LIT(" expect") : SK_SLICE_NULL);
    put_fields(r, q->fields, q->fields_count);
    if (r->answer == ANSWER_AT_REQUEST) {
        answer_ok(stream);
    } else if (r->answer == ANSWER_AT_END && q->websocket) {
        const struct sk_response response = {.status = 101, .upgraded = true, .content_length = UINT64_MAX};
        cr_assert_eq(sk_stream_respond(stream, &response), 0);
    }
}

static void on_refused(struct sk_stream *stream, enum sk_refusal refusal)
{
    struct recorder *r = of(stream);
    line(r);
    r->refused++;
    r->last = stream;
    r->refusal = refusal;
    put(r, SK_LIT("refused "));
    put(r, sk_refusal_text(refusal));
    put(r, SK_LIT("\n"));
    if (r->answer != ANSWER_NEVER) {
        answer_status(stream, sk_refusal_status(refusal));
    }
}

static void on_body(struct sk_stream *stream, struct sk_slice bytes)
{
    struct recorder *r = of(stream);
    cr_assert_gt(bytes.len, 0);
    r->body_bytes += bytes.len;
    if (r->body != stream) {
        line(r);
        put(r, SK_LIT("body "));
        r->body = stream;
    }
    if (r->body_bytes < 100000) {
        put(r, bytes);
    }
    if (!r->hold) {
        sk_stream_consumed(stream, bytes.len);
    }
    if (stream->request.websocket && r->answer == ANSWER_AT_END) {
        cr_assert_eq(sk_stream_write(stream, bytes), 0);
    }
}

static void on_end(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    struct recorder *r = of(stream);
    line(r);
    r->ends++;
    put(r, SK_LIT("end"));
    put_fields(r, trailers, count);
    if (r->answer == ANSWER_AT_END && stream->request.websocket) {
        cr_assert_eq(sk_stream_finish(stream, NULL, 0), 0);
    } else if (r->answer == ANSWER_AT_END && !r->refused) {
        answer_ok(stream);
    }
}

static void on_writable(struct sk_stream *stream)
{
    of(stream)->writable++;
}

static void on_gone(struct sk_stream *stream, bool clean)
{
    struct recorder *r = of(stream);
    line(r);
    r->gone++;
    put(r, clean ? SK_LIT("gone clean\n") : SK_LIT("gone unclean\n"));
    r->last = r->last == stream ? NULL : r->last;
}

void recorder_open(struct recorder *r, enum sk_protocol protocol, enum answer answer)
{
    static const struct sk_server_handler handler = {
            on_request, on_refused, on_body, on_end, on_writable, on_gone};
    *r = (struct recorder){.answer = answer, .log = SK_BUF_INIT((size_t)1 << 22)};
    r->server = sk_server_new(protocol, &handler, r);
    cr_assert_not_null(r->server);
}

void recorder_close(struct recorder *r)
{
    r->server = sk_server_free(r->server);
    sk_buf_free(&r->log);
}

struct sk_slice recorder_log(const struct recorder *r)
{
    return sk_buf_peek(&r->log);
}

void recorder_forget(struct recorder *r)
{
    sk_buf_take(&r->log, sk_buf_len(&r->log));
    r->body = NULL;
}

void take_output(struct sk_server *server, struct sk_buf *out)
{
    for (struct sk_slice bytes = sk_server_output(server); bytes.len; bytes = sk_server_output(server)) {
        cr_assert_eq(sk_buf_put(out, bytes), 0);
        sk_server_sent(server, bytes.len);
    }
}
