/* The answerer of the server fuzzers: checks the promises of server.h while it answers by what the input
 * says. */
#include "server.h"

#include <stdlib.h>

struct state {
    uint32_t choice;
    size_t open, announced;
};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static unsigned pick(struct sk_stream *stream, unsigned n)
{
    struct state *s = sk_server_context(stream->server);
    s->choice = s->choice * 1664525U + 1013904223U;
    return (s->choice >> 16) % n;
}

static void answer(struct sk_stream *stream)
{
    static const struct sk_field fields[] = {{SK_LIT("x"), SK_LIT("y")}};
    static const char page[3000];
    const bool websocket = stream->request.websocket && pick(stream, 2);
    struct sk_response r = {.status = websocket ? 101 : 200,
            .fields = (struct sk_field *)(uintptr_t)fields,
            .fields_count = 1,
            .content_length = UINT64_MAX};
    r.upgraded = websocket;
    r.body = websocket ? SK_BODY_NONE : pick(stream, 2) ? SK_BODY_STREAM : SK_BODY_LENGTH;
    r.content_length = r.body == SK_BODY_LENGTH ? sizeof(page) : UINT64_MAX;
    if (pick(stream, 8) == 0) {
        sk_stream_abort(stream);
    } else if (pick(stream, 4) == 0) {
        r = (struct sk_response){.status = 403};
        if (sk_stream_respond(stream, &r)) {
            sk_stream_abort(stream);
        }
    } else if (sk_stream_respond(stream, &r) || sk_stream_write(stream, sk_slice(page, sizeof(page)))) {
        sk_stream_abort(stream);
    } else if (!websocket && sk_stream_finish(stream, fields, pick(stream, 2))) {
        sk_stream_abort(stream);
    }
}

static void on_request(struct sk_stream *stream)
{
    struct state *s = sk_server_context(stream->server);
    s->open++;
    s->announced++;
    require(stream->user == NULL && stream->request.host.len && stream->request.path.data[0] == '/' &&
            stream->request.method.len);
    stream->user = s;
    for (size_t i = 0; i < stream->request.fields_count; i++) {
        require(stream->request.fields[i].name.len > 0 &&
                !memchr(stream->request.fields[i].name.data, '\n', stream->request.fields[i].name.len));
    }
    if (pick(stream, 3) == 0) {
        answer(stream);
    }
}

static void on_refused(struct sk_stream *stream, enum sk_refusal refusal)
{
    struct state *s = sk_server_context(stream->server);
    const struct sk_response r = {.status = sk_refusal_status(refusal)};
    s->open += stream->user == NULL;
    stream->user = s;
    if (sk_stream_respond(stream, &r)) {
        sk_stream_abort(stream);
    }
}

static void on_body(struct sk_stream *stream, struct sk_slice bytes)
{
    require(stream->user && bytes.len);
    if (pick(stream, 4)) {
        sk_stream_consumed(stream, bytes.len);
    }
    if (pick(stream, 30) == 0) {
        sk_stream_abort(stream);
    }
}

static void on_end(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    require(stream->user && (count == 0 || trailers[count - 1].name.len));
    if (pick(stream, 3)) {
        answer(stream);
    }
}

static void on_writable(struct sk_stream *stream)
{
    require(stream->user && sk_stream_room(stream));
}

static void on_gone(struct sk_stream *stream, bool clean sk_unused)
{
    struct state *s = sk_server_context(stream->server);
    require(stream->user && s->open);
    stream->user = NULL;
    s->open--;
}

void fuzz_server(enum sk_protocol protocol, const uint8_t *data, size_t size)
{
    static const struct sk_server_handler handler = {
            on_request, on_refused, on_body, on_end, on_writable, on_gone};
    struct state state = {.choice = size ? data[0] : 0};
    size_t step = size > 1 && data[1] % 4 ? data[1] : 16384;
    struct sk_server *server = sk_server_new(protocol, &handler, &state);
    int r = 0;
    for (size_t at = 2; at < size && r == 0; at += step) {
        r = sk_server_feed(server, sk_slice(data + at, size - at < step ? size - at : step));
        for (struct sk_slice out = sk_server_output(server); out.len && data[0] % 7;
                out = sk_server_output(server)) {
            sk_server_sent(server, out.len);
        }
        require(sk_server_streams(server) <= SK_STREAMS_MAX && sk_server_output(server).len <= (size_t)300
                                                                                                       << 10);
        if (data[0] % 16 == 3 && at > size / 2) {
            sk_server_drain(server);
        }
    }
    (void)sk_server_free(server);
    require(state.open == 0);
}
