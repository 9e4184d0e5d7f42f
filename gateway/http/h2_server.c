/* HTTP/2 towards the client, over nghttp2. Pure; runs in the workers. */
#include "http/fields.h"
#include "http/head.h"
#include "http/server_impl.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECTION_WINDOW (1 << 20)
#define DISCARD_MAX ((size_t)8 << 20)
#define OUTPUT_ENOUGH ((size_t)64 << 10)
/* Frames that make the peer work for nothing (empty DATA, PRIORITY, resets of its own): more than this without a
 * finished request ends the connection. */
#define IDLE_FRAMES_MAX 2000U
/* Streams that the peer may break so that they must be reset. */
#define FAULTS_MAX 100U
#define OWN_FIELDS 4 /* of a response: status, length, and what the gateway adds to the upstream's */

struct h2_server {
    struct sk_server base;
    nghttp2_session *session;
    struct h2_stream *streams; /* all open */
    struct h2_stream *spare;
    unsigned idle_frames;
    unsigned faults;
    bool broken;
};

struct h2_stream {
    struct sk_stream stream;
    struct h2_stream *next, **link;
    int32_t id;
    struct sk_field *fields;
    size_t fields_count;
    size_t head_size;
    size_t cookie_room; /* bytes behind the joined cookie's start */
    struct sk_slice method, scheme, authority, path, protocol;
    struct sk_field *trailers;
    size_t trailers_count;
    const struct sk_field *out_trailers;
    size_t out_trailers_count;
    struct sk_buf out;
    size_t discarded;  /* body that came after the response was out */
    size_t unconsumed; /* given to the answerer, not yet back: returned to the connection's window at the end */
    enum sk_refusal refusal;
    bool announced, refused, received, responded, finished, ended, blocked, deferred, in_trailers, aborted, silent;
};

static struct h2_server *h2(const struct sk_server *server)
{
    return SK_CONTAINER(server, struct h2_server, base);
}

static struct h2_stream *h2s(const struct sk_stream *stream)
{
    return SK_CONTAINER(stream, struct h2_stream, stream);
}

static struct h2_stream *stream_new(struct h2_server *s, int32_t id)
{
    struct h2_stream *st = s->spare;
    if (st) {
        s->spare = st->next;
        struct sk_arena arena = st->stream.arena;
        *st = (struct h2_stream){.stream.arena = arena};
    } else {
        st = calloc(1, sizeof(*st));
        if (!st) {
            return NULL;
        }
        sk_arena_init(&st->stream.arena, SK_STREAM_ARENA);
    }
    st->id = id;
    st->stream.server = &s->base;
    st->out = SK_BUF_INIT(SK_PAGE_MAX);
    st->next = s->streams;
    st->link = &s->streams;
    if (st->next) {
        st->next->link = &st->next;
    }
    s->streams = st;
    s->base.streams++;
    return st;
}

static void stream_delete(struct h2_server *s, struct h2_stream *st)
{
    *st->link = st->next;
    if (st->next) {
        st->next->link = st->link;
    }
    s->base.streams--;
    if (st->announced) {
        s->base.handler->gone(&st->stream, st->ended && !st->aborted);
    }
    if (st->unconsumed) {
        (void)nghttp2_session_consume_connection(s->session, st->unconsumed);
    }
    sk_buf_free(&st->out);
    sk_arena_reset(&st->stream.arena);
    st->next = s->spare;
    s->spare = st;
}

static struct h2_stream *find(struct h2_server *s, int32_t id)
{
    return nghttp2_session_get_stream_user_data(s->session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_server *s = context;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *st = stream_new(s, frame->hd.stream_id);
        if (!st) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        st->fields = sk_arena_alloc(&st->stream.arena, sizeof(struct sk_field) * SK_FIELDS_MAX);
        (void)nghttp2_session_set_stream_user_data(session, st->id, st);
        return st->fields ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct h2_stream *st = find(s, frame->hd.stream_id);
    if (st) {
        st->in_trailers = true;
        st->trailers = st->trailers ? st->trailers : sk_arena_alloc(&st->stream.arena, sizeof(struct sk_field) * SK_FIELDS_MAX);
    }
    return 0;
}

/* Room grows by doubling: browsers send dozens of crumbs. */
static void append_crumb(struct h2_stream *st, struct sk_field *field, struct sk_slice crumb)
{
    size_t len = field->value.len + 2 + crumb.len;
    char *to = (char *)(uintptr_t)field->value.data;
    if (len > st->cookie_room) {
        st->cookie_room = len * 2;
        to = sk_arena_alloc(&st->stream.arena, st->cookie_room);
        if (!to) {
            st->refusal = SK_REFUSAL_TOO_BIG_FOR_ARENA;
            return;
        }
        memcpy(to, field->value.data, field->value.len);
    }
    memcpy(to + field->value.len, "; ", 2);
    memcpy(to + field->value.len + 2, crumb.data, crumb.len);
    field->value = sk_slice(to, len);
}

/* Cookie crumbs (RFC 9113 section 8.2.3) become one field again, as every HTTP/1 upstream expects. */
static bool join_cookie(struct h2_stream *st, struct sk_slice name, struct sk_slice value)
{
    if (!sk_slice_eq(name, SK_LIT("cookie"))) {
        return false;
    }
    for (size_t i = 0; i < st->fields_count; i++) {
        struct sk_field *field = &st->fields[i];
        if (sk_slice_eq(field->name, name)) {
            append_crumb(st, field, value);
            return true;
        }
    }
    return false;
}

static struct sk_slice *pseudo(struct h2_stream *st, struct sk_slice name)
{
    struct sk_slice known[] = {SK_LIT(":method"), SK_LIT(":scheme"), SK_LIT(":authority"), SK_LIT(":path"), SK_LIT(":protocol")};
    struct sk_slice *to[] = {&st->method, &st->scheme, &st->authority, &st->path, &st->protocol};
    for (size_t i = 0; i < SK_COUNT(known); i++) {
        if (sk_slice_eq(name, known[i])) {
            return to[i];
        }
    }
    return NULL;
}

static int on_header(nghttp2_session *session sk_unused, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
        const uint8_t *value, size_t value_len, uint8_t flags sk_unused, void *context)
{
    struct h2_server *s = context;
    struct h2_stream *st = find(s, frame->hd.stream_id);
    if (!st || st->refusal) {
        return 0;
    }
    st->head_size += name_len + value_len + 32;
    if (st->head_size > SK_HEAD_MAX) {
        st->refusal = SK_REFUSAL_HEAD_TOO_LARGE;
        return 0;
    }
    struct sk_slice n = sk_arena_copy(&st->stream.arena, sk_slice(name, name_len));
    struct sk_slice v = sk_arena_copy(&st->stream.arena, sk_slice(value, value_len));
    if (!n.data || !v.data) {
        st->refusal = SK_REFUSAL_TOO_BIG_FOR_ARENA;
        return 0;
    }
    if (n.len && n.data[0] == ':') {
        struct sk_slice *to = pseudo(st, n);
        if (to) {
            *to = v;
        }
        return 0;
    }
    struct sk_field *fields = st->in_trailers ? st->trailers : st->fields;
    size_t *count = st->in_trailers ? &st->trailers_count : &st->fields_count;
    if (!st->in_trailers && join_cookie(st, n, v)) {
        return 0;
    }
    if (!fields || *count == SK_FIELDS_MAX) {
        st->refusal = SK_REFUSAL_TOO_MANY_FIELDS;
        return 0;
    }
    fields[(*count)++] = (struct sk_field){n, sk_slice_trim(v)};
    return 0;
}

static enum sk_refusal body_kind(struct h2_stream *st, bool end)
{
    struct sk_request *r = &st->stream.request;
    const struct sk_slice *length = sk_field_find(st->fields, st->fields_count, SK_LIT("content-length"));
    r->body = end ? SK_BODY_NONE : SK_BODY_STREAM;
    if (length) {
        if (sk_slice_u64(*length, INT64_MAX, &r->content_length)) {
            return SK_REFUSAL_LENGTH_BAD;
        }
        r->body = end ? SK_BODY_NONE : SK_BODY_LENGTH;
    }
    return SK_REFUSAL_NONE;
}

static void announce(struct h2_server *s, struct h2_stream *st, bool end)
{
    struct sk_head_parts parts = {.method = st->method,
            .target = st->path,
            .authority = st->authority,
            .fields = st->fields,
            .fields_count = st->fields_count,
            .version = 20,
            .protocol_websocket = sk_slice_eq(st->protocol, SK_LIT("websocket"))};
    enum sk_refusal refusal = st->refusal;
    st->stream.request.keep_alive = true;
    if (!refusal && !sk_slice_eq(st->scheme, SK_LIT("https"))) {
        refusal = SK_REFUSAL_TARGET_BAD;
    }
    if (!refusal && st->protocol.len && (!parts.protocol_websocket || !sk_slice_eq(st->method, SK_LIT("CONNECT")))) {
        refusal = SK_REFUSAL_UPGRADE;
    }
    refusal = refusal ? refusal : body_kind(st, end);
    if (parts.protocol_websocket) {
        st->stream.request.body = SK_BODY_NONE;
    }
    refusal = refusal ? refusal : sk_head_finish(&parts, &st->stream.arena, &st->stream.request);
    st->announced = true;
    s->idle_frames = 0;
    if (refusal) {
        st->refused = true;
        s->base.handler->refused(&st->stream, refusal);
    } else {
        s->base.handler->request(&st->stream);
    }
}

/* As strict as in HTTP/1: what comes behind the body must not say what the head may not. */
static enum sk_refusal check_trailers(const struct h2_stream *st)
{
    enum sk_refusal refusal = st->refused ? SK_REFUSAL_NONE : st->refusal;
    for (size_t i = 0; !refusal && i < st->trailers_count; i++) {
        if (!sk_field_trailer_ok(st->trailers[i].name) || !sk_field_value_ok(st->trailers[i].value)) {
            refusal = SK_REFUSAL_TRAILER;
        }
    }
    return refusal;
}

static void received_end(struct h2_server *s, struct h2_stream *st)
{
    if (st->received || !st->announced || st->aborted) {
        return;
    }
    enum sk_refusal refusal = check_trailers(st);
    st->received = true;
    if (!refusal) {
        s->base.handler->end(&st->stream, st->trailers, st->trailers_count);
    } else if (st->responded) {
        sk_stream_abort(&st->stream);
    } else {
        st->refused = true;
        s->base.handler->refused(&st->stream, refusal);
    }
}

static int on_frame(nghttp2_session *session sk_unused, const nghttp2_frame *frame, void *context)
{
    struct h2_server *s = context;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct h2_stream *st = frame->hd.stream_id ? find(s, frame->hd.stream_id) : NULL;
    if (++s->idle_frames > IDLE_FRAMES_MAX) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (!st || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        announce(s, st, end);
    }
    if (end) {
        received_end(s, st);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags sk_unused, int32_t id, const uint8_t *data, size_t len, void *context)
{
    struct h2_server *s = context;
    struct h2_stream *st = find(s, id);
    if (!st || !st->announced || st->aborted || st->refused || st->ended) {
        (void)nghttp2_session_consume(session, id, len);
        if (st && (st->discarded += len) > DISCARD_MAX && !st->aborted) {
            st->aborted = true;
            (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
        }
        return 0;
    }
    if (len) {
        s->idle_frames = 0;
        st->unconsumed += len;
        s->base.handler->body(&st->stream, sk_slice(data, len));
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct h2_server *s = context;
    struct h2_stream *st = find(s, id);
    if (st) {
        (void)nghttp2_session_set_stream_user_data(session, id, NULL);
        stream_delete(s, st);
    }
    bool fault = error == NGHTTP2_PROTOCOL_ERROR || error == NGHTTP2_FLOW_CONTROL_ERROR || error == NGHTTP2_STREAM_CLOSED;
    return fault && ++s->faults > FAULTS_MAX ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* nghttp2 has found the message malformed and resets the stream itself. The answerer still learns of it, for the record. */
static int on_invalid(nghttp2_session *session sk_unused, const nghttp2_frame *frame, int error sk_unused, void *context)
{
    struct h2_server *s = context;
    struct h2_stream *st = frame->hd.stream_id ? find(s, frame->hd.stream_id) : NULL;
    if (st && !st->announced) {
        st->announced = true;
        st->refused = true;
        st->refusal = SK_REFUSAL_MALFORMED;
        st->stream.request.method = st->method;
        st->stream.request.host = st->authority;
        s->base.handler->refused(&st->stream, SK_REFUSAL_MALFORMED);
    }
    return 0;
}

/* The response is out while the client still uploads. Resetting the stream at once would be right (RFC 9113 section
 * 8.1), but common clients then throw the response away: what comes is dropped, up to a bound. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    struct h2_stream *st = ends ? find(context, frame->hd.stream_id) : NULL;
    if (st) {
        st->ended = true;
        if (!st->received && !st->aborted && st->unconsumed) {
            (void)nghttp2_session_consume(session, st->id, st->unconsumed);
            st->unconsumed = 0;
        }
    }
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t len, uint32_t *flags,
        nghttp2_data_source *source, void *context)
{
    struct h2_stream *st = source->ptr;
    struct sk_slice have = sk_slice_cut(sk_buf_peek(&st->out), len);
    if (have.len == 0 && !st->finished) {
        st->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (have.len) {
        /* The client's window updates for this are no idle frames. */
        ((struct h2_server *)context)->idle_frames = 0;
        memcpy(to, have.data, have.len);
        sk_buf_take(&st->out, have.len);
    }
    if (st->finished && sk_buf_len(&st->out) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (st->out_trailers_count) {
            nghttp2_nv nv[SK_FIELDS_MAX] sk_uninitialized;
            for (size_t i = 0; i < st->out_trailers_count; i++) {
                const struct sk_field *f = &st->out_trailers[i];
                nv[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)f->name.data, (uint8_t *)(uintptr_t)f->value.data, f->name.len, f->value.len, 0};
            }
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            (void)nghttp2_submit_trailer(session, id, nv, st->out_trailers_count);
        }
    }
    return (ssize_t)have.len;
}

static void h2_fill(struct sk_server *server)
{
    struct h2_server *s = h2(server);
    while (!s->broken && sk_buf_len(&server->out) < OUTPUT_ENOUGH) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(s->session, &bytes);
        if (n <= 0) {
            s->broken = n < 0;
            break;
        }
        if (sk_buf_put(&server->out, sk_slice(bytes, (size_t)n))) {
            s->broken = true;
        }
    }
}

static int h2_feed(struct sk_server *server, struct sk_slice bytes)
{
    struct h2_server *s = h2(server);
    ssize_t n = nghttp2_session_mem_recv(s->session, (const uint8_t *)bytes.data, bytes.len);
    if (n < 0 || (size_t)n != bytes.len) {
        s->broken = true;
        return -EPROTO;
    }
    return 0;
}

static bool h2_wants_input(const struct sk_server *server)
{
    const struct h2_server *s = h2(server);
    return !s->broken && nghttp2_session_want_read(s->session) && sk_buf_len(&server->out) < SK_SERVER_OUTPUT / 2;
}

static void h2_sent(struct sk_server *server)
{
    struct h2_server *s = h2(server);
    for (struct h2_stream *st = s->streams, *next; st; st = next) {
        next = st->next;
        if (st->blocked && !st->aborted && sk_buf_len(&st->out) < SK_STREAM_WINDOW / 2) {
            st->blocked = false;
            server->handler->writable(&st->stream);
        }
    }
}

static bool h2_done(const struct sk_server *server)
{
    const struct h2_server *s = h2(server);
    return s->broken || (!nghttp2_session_want_read(s->session) && !nghttp2_session_want_write(s->session));
}

static bool h2_in_head(const struct sk_server *server)
{
    for (const struct h2_stream *st = h2(server)->streams; st; st = st->next) {
        if (!st->announced) {
            return true;
        }
    }
    return false;
}

static void h2_drain(struct sk_server *server)
{
    struct h2_server *s = h2(server);
    (void)nghttp2_submit_goaway(s->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->session),
            NGHTTP2_NO_ERROR, NULL, 0);
}

static int h2_respond(struct sk_stream *stream, const struct sk_response *response)
{
    struct h2_stream *st = h2s(stream);
    struct h2_server *s = h2(stream->server);
    nghttp2_nv nv[SK_FIELDS_MAX + OWN_FIELDS] sk_uninitialized;
    char status[4], length[24];
    size_t n = 0;
    bool final = response->status >= 200 || response->upgraded;
    if (st->responded || st->aborted || response->fields_count > SK_FIELDS_MAX + OWN_FIELDS - 2) {
        return -EINVAL;
    }
    (void)snprintf(status, sizeof(status), "%03u", response->upgraded ? 200U : response->status % 1000U);
    nv[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t) ":status", (uint8_t *)status, 7, 3, 0};
    for (size_t i = 0; i < response->fields_count; i++) {
        const struct sk_field *f = &response->fields[i];
        if (response->upgraded && sk_slice_eq(f->name, SK_LIT("sec-websocket-accept"))) {
            continue;
        }
        nv[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t)f->name.data, (uint8_t *)(uintptr_t)f->value.data, f->name.len, f->value.len, 0};
    }
    if (!final) {
        return nghttp2_submit_headers(s->session, NGHTTP2_FLAG_NONE, st->id, NULL, nv, n, NULL) < 0 ? -EIO : 0;
    }
    bool told = response->content_length != UINT64_MAX && response->status != 204 && !response->upgraded &&
                (response->body == SK_BODY_NONE || response->body == SK_BODY_LENGTH);
    if (told) {
        int len = snprintf(length, sizeof(length), "%llu", (unsigned long long)response->content_length);
        nv[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t) "content-length", (uint8_t *)length, 14, (size_t)len, 0};
    }
    st->responded = true;
    st->finished = response->body == SK_BODY_NONE && !response->upgraded;
    st->silent = sk_slice_eq(stream->request.method, SK_LIT("HEAD"));
    nghttp2_data_provider provider = {.source = {.ptr = st}, .read_callback = read_body};
    return nghttp2_submit_response(s->session, st->id, nv, n, st->finished ? NULL : &provider) < 0 ? -EIO : 0;
}

static size_t h2_room(const struct sk_stream *stream)
{
    struct h2_stream *st = h2s(stream);
    size_t queued = sk_buf_len(&st->out);
    size_t room = queued < SK_STREAM_WINDOW ? SK_STREAM_WINDOW - queued : 0;
    st->blocked = st->blocked || room == 0;
    return room;
}

static void resume(struct h2_stream *st)
{
    if (st->deferred) {
        st->deferred = false;
        (void)nghttp2_session_resume_data(h2(st->stream.server)->session, st->id);
    }
}

static int h2_write(struct sk_stream *stream, struct sk_slice bytes)
{
    struct h2_stream *st = h2s(stream);
    if (!st->responded || st->finished || st->aborted) {
        return -EINVAL;
    }
    int r = st->silent ? 0 : sk_buf_put(&st->out, bytes);
    resume(st);
    return r;
}

static int h2_finish(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    struct h2_stream *st = h2s(stream);
    if (!st->responded || count > SK_FIELDS_MAX) {
        return -EINVAL;
    }
    if (!st->finished) {
        struct sk_field *copy = sk_arena_alloc(&stream->arena, (count + 1) * sizeof(*copy));
        for (size_t i = 0; copy && i < count; i++) {
            copy[i] = (struct sk_field){sk_arena_copy(&stream->arena, trailers[i].name), sk_arena_copy(&stream->arena, trailers[i].value)};
        }
        if (stream->arena.failed) {
            return -ENOBUFS;
        }
        st->finished = true;
        st->out_trailers = copy;
        st->out_trailers_count = st->silent ? 0 : count;
        resume(st);
    }
    return 0;
}

static void h2_consumed(struct sk_stream *stream, size_t len)
{
    struct h2_stream *st = h2s(stream);
    len = len < st->unconsumed ? len : st->unconsumed;
    st->unconsumed -= len;
    (void)nghttp2_session_consume(h2(stream->server)->session, st->id, len);
}

static void h2_abort(struct sk_stream *stream)
{
    struct h2_stream *st = h2s(stream);
    if (!st->aborted) {
        st->aborted = true;
        (void)nghttp2_submit_rst_stream(h2(stream->server)->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_INTERNAL_ERROR);
    }
}

static void h2_free(struct sk_server *server)
{
    struct h2_server *s = h2(server);
    while (s->streams) {
        stream_delete(s, s->streams);
    }
    while (s->spare) {
        struct h2_stream *st = s->spare;
        s->spare = st->next;
        sk_arena_free(&st->stream.arena);
        free(st);
    }
    nghttp2_session_del(s->session);
    free(s);
}

static int session_start(struct h2_server *s)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, SK_STREAMS_MAX},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, SK_STREAM_WINDOW},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, SK_HEAD_MAX},
            {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}};
    if (nghttp2_submit_settings(s->session, NGHTTP2_FLAG_NONE, settings, SK_COUNT(settings))) {
        return -EIO;
    }
    return nghttp2_session_set_local_window_size(s->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) ? -EIO : 0;
}

struct sk_server *sk_h2_server_new(void)
{
    static const struct sk_server_ops ops = {h2_free, h2_feed, h2_wants_input, h2_fill, h2_sent, h2_done, h2_in_head, h2_drain,
            h2_respond, h2_room, h2_write, h2_finish, h2_consumed, h2_abort};
    static nghttp2_session_callbacks *callbacks;
    static nghttp2_option *option;
    if (!callbacks) {
        if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option)) {
            abort();
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_max_reserved_remote_streams(option, 0);
        nghttp2_option_set_max_send_header_block_length(option, SK_HEAD_MAX * 2);
        nghttp2_option_set_stream_reset_rate_limit(option, 200, 33);
    }
    struct h2_server *s = calloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->base.ops = &ops;
    if (nghttp2_session_server_new2(&s->session, callbacks, s, option) || session_start(s)) {
        nghttp2_session_del(s->session);
        free(s);
        return NULL;
    }
    return &s->base;
}
