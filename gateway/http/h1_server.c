/* HTTP/1.1 towards the client. Pure; runs in the workers. One stream at a time, used again for the next request. */
#include "http/chunked.h"
#include "http/head.h"
#include "http/server_impl.h"

#include <errno.h>
#include <stdlib.h>

/* What the bytes that come next are. */
enum phase { PHASE_HEAD, PHASE_LENGTH, PHASE_CHUNKED, PHASE_TUNNEL, PHASE_OVER };

struct h1_server {
    struct sk_server base;
    struct sk_stream stream;
    struct sk_buf in; /* bytes not yet parsed */
    enum phase phase;
    size_t scanned;
    struct sk_chunked chunked;
    uint64_t left;
    size_t unconsumed;
    enum sk_body response_body;
    uint64_t response_left;
    bool open;      /* a stream is being served */
    bool responded; /* its final head is written */
    bool finished;  /* its response is complete */
    bool received;  /* its request is complete */
    bool close;     /* the connection ends after this response */
    bool done;
    bool feeding;
    bool blocked; /* room was 0 when asked */
    bool silent;  /* the response to a HEAD request: its body is swallowed */
};

static struct h1_server *h1(const struct sk_server *server)
{
    return SK_CONTAINER(server, struct h1_server, base);
}

static void stream_open(struct h1_server *s)
{
    s->open = true;
    s->responded = s->finished = s->received = s->blocked = false;
    s->unconsumed = 0;
    s->base.streams = 1;
    s->stream.server = &s->base;
    s->stream.user = NULL;
    s->stream.request = (struct sk_request){0};
}

static void stream_gone(struct h1_server *s, bool clean)
{
    s->open = false;
    s->unconsumed = 0; /* nobody is left to give it back */
    s->base.streams = 0;
    s->base.handler->gone(&s->stream, clean);
    sk_arena_reset(&s->stream.arena);
    s->phase = PHASE_HEAD;
    s->scanned = 0;
    if (s->close || !clean) {
        s->done = true;
        s->phase = PHASE_OVER;
    }
}

/* Both directions over: on to the next request. */
static void settle(struct h1_server *s)
{
    if (s->open && s->finished && (s->received || s->close)) {
        stream_gone(s, true);
    }
}

static void refuse(struct h1_server *s, enum sk_refusal refusal)
{
    s->close = true;
    s->received = true;
    s->phase = PHASE_OVER;
    if (!s->responded) {
        s->base.handler->refused(&s->stream, refusal);
    } else {
        sk_stream_abort(&s->stream);
    }
}

static void request_over(struct h1_server *s, const struct sk_field *trailers, size_t count)
{
    s->received = true;
    s->phase = PHASE_OVER;
    s->base.handler->end(&s->stream, trailers, count);
    settle(s);
}

static void begin_body(struct h1_server *s)
{
    const struct sk_request *r = &s->stream.request;
    s->chunked = SK_CHUNKED_INIT;
    s->left = r->content_length;
    s->close = s->close || !r->keep_alive;
    if (r->body == SK_BODY_STREAM) {
        s->phase = PHASE_CHUNKED;
    } else if (r->body == SK_BODY_LENGTH && s->left) {
        s->phase = PHASE_LENGTH;
    } else {
        s->phase = PHASE_OVER;
        s->received = !r->websocket;
    }
    s->base.handler->request(&s->stream);
    if (s->open && s->phase == PHASE_OVER && s->received) {
        request_over(s, NULL, 0);
    }
}

/* Bytes used; 0 when more are needed. */
static size_t feed_head(struct h1_server *s, struct sk_slice bytes)
{
    long len = sk_head_find(bytes, &s->scanned);
    if (len == 0) {
        return 0;
    }
    stream_open(s);
    if (len < 0) {
        refuse(s, (enum sk_refusal)-len);
        return bytes.len;
    }
    s->scanned = 0;
    struct sk_slice head = sk_arena_copy(&s->stream.arena, sk_slice_cut(bytes, (size_t)len));
    enum sk_refusal refusal = head.data && head.len <= SK_HEAD_MAX
                                      ? sk_head_request((char *)(uintptr_t)head.data, head.len, &s->stream.arena, &s->stream.request)
                                      : SK_REFUSAL_HEAD_TOO_LARGE;
    if (refusal) {
        refuse(s, refusal);
        return (size_t)len;
    }
    begin_body(s);
    return (size_t)len;
}

static void give_body(struct h1_server *s, struct sk_slice bytes)
{
    s->unconsumed += bytes.len;
    s->base.handler->body(&s->stream, bytes);
}

static size_t feed_length(struct h1_server *s, struct sk_slice bytes)
{
    struct sk_slice body = sk_slice_cut(bytes, s->left < bytes.len ? (size_t)s->left : bytes.len);
    s->left -= body.len;
    give_body(s, body);
    if (s->left == 0 && s->phase == PHASE_LENGTH) {
        request_over(s, NULL, 0);
    }
    return body.len;
}

static size_t feed_chunked(struct h1_server *s, struct sk_slice bytes)
{
    struct sk_slice data;
    size_t used, count = 0;
    struct sk_field *trailers = NULL;
    switch (sk_chunked_next(&s->chunked, bytes, &data, &used)) {
    case SK_CHUNKED_DATA:
        give_body(s, data);
        break;
    case SK_CHUNKED_TRAILERS: {
        struct sk_slice copy = sk_arena_copy(&s->stream.arena, data);
        enum sk_refusal refusal = copy.data ? sk_head_trailers((char *)(uintptr_t)copy.data, copy.len, &s->stream.arena, &trailers, &count)
                                            : SK_REFUSAL_TOO_BIG_FOR_ARENA;
        if (refusal) {
            refuse(s, refusal);
        } else {
            request_over(s, trailers, count);
        }
        break;
    }
    case SK_CHUNKED_BAD:
        refuse(s, SK_REFUSAL_CHUNK);
        return bytes.len;
    case SK_CHUNKED_MORE:
        break;
    }
    return used;
}

static size_t feed_some(struct h1_server *s, struct sk_slice bytes)
{
    switch (s->phase) {
    case PHASE_HEAD:
        if (s->done || s->close) {
            return bytes.len;
        }
        /* A client that pipelines and does not read waits with its next request. */
        return sk_buf_len(&s->base.out) < SK_STREAM_WINDOW ? feed_head(s, bytes) : 0;
    case PHASE_LENGTH:
        return feed_length(s, bytes);
    case PHASE_CHUNKED:
        return feed_chunked(s, bytes);
    case PHASE_TUNNEL:
        give_body(s, bytes);
        return bytes.len;
    case PHASE_OVER:
        break;
    }
    return s->done || s->close ? bytes.len : 0;
}

/* Parses until bytes run out or the next request must wait for this one's response. */
static struct sk_slice parse(struct h1_server *s, struct sk_slice bytes)
{
    while (bytes.len) {
        size_t used = feed_some(s, bytes);
        if (used == 0) {
            break;
        }
        bytes = sk_slice_from(bytes, used);
    }
    return bytes;
}

static int h1_feed(struct sk_server *server, struct sk_slice bytes)
{
    struct h1_server *s = h1(server);
    struct sk_slice rest = bytes;
    s->feeding = true;
    if (sk_buf_len(&s->in)) {
        if (sk_buf_put(&s->in, bytes)) {
            return -ENOBUFS;
        }
        rest = sk_buf_peek(&s->in);
        size_t before = rest.len;
        rest = parse(s, rest);
        sk_buf_take(&s->in, before - rest.len);
    } else {
        rest = parse(s, rest);
        if (sk_buf_put(&s->in, rest)) {
            return -ENOBUFS;
        }
    }
    s->feeding = false;
    settle(s);
    return s->done;
}

/* A request that came while another was served waits in the input; it is parsed when that one is over. */
static void h1_sent(struct sk_server *server)
{
    struct h1_server *s = h1(server);
    if (s->open && s->blocked && sk_stream_room(&s->stream) >= SK_STREAM_WINDOW / 2) {
        s->blocked = false;
        server->handler->writable(&s->stream);
    }
}

static void h1_fill(struct sk_server *server)
{
    struct h1_server *s = h1(server);
    if (!s->feeding && (!s->open || s->phase == PHASE_TUNNEL) && sk_buf_len(&s->in) && !s->done) {
        (void)h1_feed(server, SK_SLICE_NULL);
    }
}

static bool h1_wants_input(const struct sk_server *server)
{
    const struct h1_server *s = h1(server);
    if (s->done) {
        return false;
    }
    return s->unconsumed < SK_STREAM_WINDOW && sk_buf_len(&s->in) < SK_HEAD_MAX + 4;
}

static bool h1_done(const struct sk_server *server)
{
    return h1(server)->done;
}

static bool h1_in_head(const struct sk_server *server)
{
    const struct h1_server *s = h1(server);
    return !s->open && sk_buf_len(&s->in) > 0;
}

static void h1_drain(struct sk_server *server)
{
    struct h1_server *s = h1(server);
    s->close = true;
    if (!s->open) {
        s->done = true;
    }
}

static int h1_respond(struct sk_stream *stream, const struct sk_response *response)
{
    struct h1_server *s = h1(stream->server);
    struct sk_response r = *response;
    bool final = r.status >= 200 || r.upgraded;
    if (s->responded || !s->open) {
        return -EINVAL;
    }
    if (!final && stream->request.version == 10) {
        return 0; /* its client knows no interim responses */
    }
    if (!final) {
        r.body = SK_BODY_NONE;
        r.content_length = UINT64_MAX;
        return sk_head_put_response(&s->base.out, &r, true);
    }
    /* An unread request body cannot be told from the next request: the connection ends. */
    s->close = s->close || (!s->received && !r.upgraded);
    if ((r.body == SK_BODY_STREAM || r.body == SK_BODY_CLOSE) && stream->request.version == 10) {
        r.body = SK_BODY_CLOSE;
        s->close = true;
    } else if (r.body == SK_BODY_CLOSE) {
        r.body = SK_BODY_STREAM;
    }
    s->responded = true;
    s->silent = sk_slice_eq(stream->request.method, SK_LIT("HEAD"));
    s->response_body = r.body;
    s->response_left = r.content_length;
    if (r.upgraded) {
        s->phase = PHASE_TUNNEL;
        s->response_body = SK_BODY_CLOSE;
        s->close = true;
        s->received = false;
    }
    int result = sk_head_put_response(&s->base.out, &r, !s->close);
    if (result == 0 && r.body == SK_BODY_NONE && !r.upgraded) {
        s->finished = true;
        if (!s->feeding) {
            settle(s);
        }
    }
    return result;
}

static size_t h1_room(const struct sk_stream *stream)
{
    struct h1_server *s = h1(stream->server);
    size_t queued = sk_buf_len(&s->base.out);
    size_t room = queued < SK_STREAM_WINDOW ? SK_STREAM_WINDOW - queued : 0;
    s->blocked = s->blocked || room == 0;
    return room;
}

static int h1_write(struct sk_stream *stream, struct sk_slice bytes)
{
    struct h1_server *s = h1(stream->server);
    if (!s->open || !s->responded || s->finished) {
        return -EINVAL;
    }
    if (s->silent) {
        return 0;
    }
    if (s->response_body == SK_BODY_STREAM) {
        return sk_chunked_put(&s->base.out, bytes);
    }
    if (s->response_body == SK_BODY_LENGTH) {
        if (bytes.len > s->response_left) {
            return -EMSGSIZE;
        }
        s->response_left -= bytes.len;
    }
    return sk_buf_put(&s->base.out, bytes);
}

static int h1_finish(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    struct h1_server *s = h1(stream->server);
    int r = 0;
    if (!s->open || !s->responded) {
        return -EINVAL;
    }
    if (s->finished) {
        return 0;
    }
    if (s->response_body == SK_BODY_LENGTH && s->response_left && !s->silent) {
        return -EMSGSIZE;
    }
    if (s->response_body == SK_BODY_STREAM && !s->silent) {
        r = sk_chunked_put_end(&s->base.out, trailers, count);
    }
    s->finished = true;
    if (r == 0 && !s->feeding) {
        settle(s);
    }
    return r;
}

static void h1_consumed(struct sk_stream *stream, size_t len)
{
    struct h1_server *s = h1(stream->server);
    s->unconsumed -= len < s->unconsumed ? len : s->unconsumed;
}

/* Ending the connection without the end of the body is how HTTP/1 tells that a response is not whole. */
static void h1_abort(struct sk_stream *stream)
{
    struct h1_server *s = h1(stream->server);
    if (s->open) {
        s->close = true;
        stream_gone(s, false);
    }
}

static void h1_free(struct sk_server *server)
{
    struct h1_server *s = h1(server);
    if (s->open) {
        stream_gone(s, s->finished);
    }
    sk_arena_free(&s->stream.arena);
    sk_buf_free(&s->in);
    free(s);
}

struct sk_server *sk_h1_server_new(void)
{
    static const struct sk_server_ops ops = {h1_free, h1_feed, h1_wants_input, h1_fill, h1_sent, h1_done, h1_in_head, h1_drain,
            h1_respond, h1_room, h1_write, h1_finish, h1_consumed, h1_abort};
    struct h1_server *s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->base.ops = &ops;
    s->in = SK_BUF_INIT(SK_HEAD_MAX + 4 + SK_FEED_MAX);
    sk_arena_init(&s->stream.arena, SK_STREAM_ARENA);
    return &s->base;
}
