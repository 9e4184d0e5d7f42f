/* A client of HTTP/2 in this process: nghttp2's own, with what it has seen. Included by h2_server.c alone. */
#pragma once

#include "recorder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#define STREAMS 512
/* What the client has seen of each stream, by (id - 1) / 2. */
struct seen {
    unsigned status, interim;
    size_t body;
    char fields[256];
    char trailers[128];
    bool ended, closed;
    uint32_t error;
};
struct conversation {
    struct recorder r;
    nghttp2_session *client;
    struct sk_buf sent; /* all the client's bytes, for replay */
    struct seen streams[STREAMS];
    bool goaway;
    uint32_t goaway_error;
    int feed_result; /* first that is not 0 */
    size_t piece;    /* the server is fed at most as many bytes at once */
    bool mute;       /* the client reads nothing */
};
static struct seen *seen(struct conversation *c, int32_t id)
{
    cr_assert(id > 0 && id / 2 < STREAMS);
    return &c->streams[id / 2];
}
static int client_header(nghttp2_session *session sk_unused, const nghttp2_frame *frame, const uint8_t *name,
        size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags sk_unused, void *context)
{
    struct seen *s = seen(context, frame->hd.stream_id);
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        unsigned status = 0;
        for (size_t i = 0; i < value_len; i++) {
            status = status * 10 + (unsigned)(value[i] - '0');
        }
        s->interim += status < 200;
        s->status = status < 200 ? s->status : status;
        return 0;
    }
    char *to = frame->headers.cat == NGHTTP2_HCAT_HEADERS && s->status ? s->trailers : s->fields;
    size_t size = to == s->trailers ? sizeof(s->trailers) : sizeof(s->fields), len = strlen(to);
    (void)snprintf(to + len, size - len, "%.*s=%.*s ", (int)name_len, (const char *)name, (int)value_len,
            (const char *)value);
    return 0;
}
static int client_data(nghttp2_session *session sk_unused, uint8_t flags sk_unused, int32_t id,
        const uint8_t *data sk_unused, size_t len, void *context)
{
    seen(context, id)->body += len;
    return 0;
}
static int client_frame(nghttp2_session *session sk_unused, const nghttp2_frame *frame, void *context)
{
    struct conversation *c = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = true;
        c->goaway_error = frame->goaway.error_code;
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        seen(c, frame->hd.stream_id)->ended = true;
    }
    return 0;
}
static int client_close(nghttp2_session *session sk_unused, int32_t id, uint32_t error, void *context)
{
    struct seen *s = seen(context, id);
    s->closed = true;
    s->error = error;
    return 0;
}
static void talk_open(struct conversation *c, enum answer answer)
{
    *c = (struct conversation){.sent = SK_BUF_INIT((size_t)1 << 24), .piece = SIZE_MAX};
    recorder_open(&c->r, SK_HTTP2, answer);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    cr_assert_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    cr_assert_eq(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_close);
    nghttp2_option_set_no_http_messaging(option, 1); /* the client may say what it wants */
    cr_assert_eq(nghttp2_session_client_new2(&c->client, callbacks, c, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    cr_assert_eq(nghttp2_submit_settings(c->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static void talk_close(struct conversation *c)
{
    recorder_close(&c->r);
    nghttp2_session_del(c->client);
    sk_buf_free(&c->sent);
}

/* The server is fed copies of the exact size, so that the sanitizer sees a read behind the end. */
static void feed(struct conversation *c, struct sk_slice bytes)
{
    while (bytes.len && c->feed_result == 0) {
        struct sk_slice part = sk_slice_cut(bytes, c->piece);
        char *copy = malloc(part.len);
        memcpy(copy, part.data, part.len);
        c->feed_result = sk_server_feed(c->r.server, sk_slice(copy, part.len));
        free(copy);
        bytes = sk_slice_from(bytes, part.len);
    }
}

/* What both sides have to say, until both are silent. */
static void talk(struct conversation *c)
{
    for (bool busy = true; busy;) {
        busy = false;
        const uint8_t *bytes;
        for (ssize_t n = nghttp2_session_mem_send(c->client, &bytes); n > 0;
                n = nghttp2_session_mem_send(c->client, &bytes)) {
            cr_assert_eq(sk_buf_put(&c->sent, sk_slice(bytes, (size_t)n)), 0);
            feed(c, sk_slice(bytes, (size_t)n));
            busy = true;
        }
        for (struct sk_slice out = sk_server_output(c->r.server); out.len && !c->mute;
                out = sk_server_output(c->r.server)) {
            cr_assert_eq(nghttp2_session_mem_recv(c->client, (const uint8_t *)out.data, out.len),
                    (ssize_t)out.len);
            sk_server_sent(c->r.server, out.len);
            busy = true;
        }
    }
}

#define NV(name, value)                                                                                      \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1, sizeof(value) - 1, 0  \
    }
#define HEAD(method, path)                                                                                   \
    NV(":method", method), NV(":scheme", "https"), NV(":authority", "a.example"), NV(":path", path)

struct upload {
    const char *bytes;
    size_t len;
    bool open; /* more may come: the end is not said */
    const nghttp2_nv *trailers;
    size_t trailers_count;
};

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *to, size_t len, uint32_t *flags,
        nghttp2_data_source *source, void *context sk_unused)
{
    struct upload *u = source->ptr;
    size_t n = u->len < len ? u->len : len;
    if (n == 0 && u->open) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n) {
        memcpy(to, u->bytes, n);
        u->bytes += n;
        u->len -= n;
    }
    if (u->len == 0 && !u->open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (u->trailers) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            cr_assert_eq(nghttp2_submit_trailer(session, id, u->trailers, u->trailers_count), 0);
        }
    }
    return (ssize_t)n;
}

static int32_t request(struct conversation *c, const nghttp2_nv *nv, size_t count, struct upload *upload)
{
    nghttp2_data_provider provider = {.source = {.ptr = upload}, .read_callback = read_upload};
    int32_t id = nghttp2_submit_request(c->client, NULL, nv, count, upload ? &provider : NULL, NULL);
    cr_assert_gt(id, 0);
    return id;
}

#define REQUEST(c, upload, ...)                                                                              \
    request(c, (const nghttp2_nv[]){__VA_ARGS__}, SK_COUNT(((const nghttp2_nv[]){__VA_ARGS__})), upload)

static void expect_log(struct conversation *c, const char *expected)
{
    struct sk_slice log = recorder_log(&c->r);
    cr_expect(sk_slice_eq(log, sk_slice_str(expected)), "\n%.*s\ninstead of\n%s", (int)log.len, log.data,
            expected);
    recorder_forget(&c->r);
}
