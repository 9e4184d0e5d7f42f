/* Serving a witness. Runs in sekisho-witness. */
#include "witness/serving.h"

#include "base/clock.h"
#include "base/log.h"
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE (30 * SK_SECOND) /* for a request, and between two */

struct serving_conn {
    struct serving_conn *next, **link;
    struct serving *serving;
    struct sk_io io;
    struct sk_timer timer;
    struct sk_server *server;
    struct sk_buf body;
    bool too_long, over;
    bool under_way; /* a request is */
};

static struct serving_conn *conn_of(const struct sk_stream *stream)
{
    return sk_server_context(stream->server);
}

/* ---- answers ---- */

static void answer(struct sk_stream *stream, unsigned status, const char *type, struct sk_slice text)
{
    struct sk_field fields[] = {{SK_LIT("content-type"), sk_slice_str(type)}, {SK_LIT("allow"), SK_LIT("POST")}};
    struct sk_response response = {.status = (uint16_t)status, .fields = fields, .fields_count = status == 405 ? 2 : 1, .body = SK_BODY_LENGTH, .content_length = text.len};
    int r = sk_stream_respond(stream, &response);
    r = r ? r : sk_stream_write(stream, text);
    r = r ? r : sk_stream_finish(stream, NULL, 0);
    if (r) {
        sk_stream_abort(stream);
    }
}

static void on_request(struct sk_stream *stream)
{
    struct serving_conn *conn = conn_of(stream);
    sk_buf_take(&conn->body, sk_buf_len(&conn->body));
    conn->too_long = false;
}

static void on_refused(struct sk_stream *stream, enum sk_refusal refusal)
{
    struct sk_slice text = sk_refusal_text(refusal);
    answer(stream, sk_refusal_status(refusal), "text/plain; charset=utf-8", text);
    conn_of(stream)->over = true;
}

static void on_body(struct sk_stream *stream, struct sk_slice bytes)
{
    struct serving_conn *conn = conn_of(stream);
    conn->too_long = conn->too_long || sk_buf_put(&conn->body, bytes);
    sk_stream_consumed(stream, bytes.len);
}

static void on_end(struct sk_stream *stream, const struct sk_field *trailers sk_unused, size_t count sk_unused)
{
    struct serving_conn *conn = conn_of(stream);
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    const char *type = "text/plain; charset=utf-8";
    if (!sk_slice_eq(stream->request.path, SK_LIT("/add-checkpoint"))) {
        answer(stream, 404, type, SK_LIT("there is nothing but /add-checkpoint\n"));
    } else if (!sk_slice_eq(stream->request.method, SK_LIT("POST"))) {
        answer(stream, 405, type, SK_LIT("a checkpoint is added with POST\n"));
    } else if (conn->too_long) {
        answer(stream, 413, type, SK_LIT("a request has 128 KiB at most\n"));
    } else {
        unsigned status = witness_add(conn->serving->witness, sk_buf_peek(&conn->body), &out);
        if (status >= 500) {
            struct sk_slice text = sk_buf_peek(&out);
            sk_log(SK_EVENT_WITNESS_FAILED, SK_SLICE("why", sk_slice_split(&text, '\n')));
        }
        answer(stream, status, status == 409 ? "text/x.tlog.size" : type, sk_buf_peek(&out));
    }
}

static void on_writable(struct sk_stream *stream sk_unused)
{
}

static void on_gone(struct sk_stream *stream sk_unused, bool clean sk_unused)
{
}

static const struct sk_server_handler handler = {on_request, on_refused, on_body, on_end, on_writable, on_gone};

/* ---- connections ---- */

static void conn_free(struct serving_conn *conn)
{
    struct serving *serving = conn->serving;
    *conn->link = conn->next;
    if (conn->next) {
        conn->next->link = conn->link;
    }
    sk_io_want(&conn->io, 0);
    sk_timer_stop(&conn->timer);
    conn->server = sk_server_free(conn->server);
    (void)close(conn->io.ev.fd);
    sk_buf_free(&conn->body);
    free(conn);
    serving->count--;
}

/* False: the connection is over. */
static bool send_output(struct serving_conn *conn)
{
    for (struct sk_slice out = sk_server_output(conn->server); out.len; out = sk_server_output(conn->server)) {
        ssize_t n = send(conn->io.ev.fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        sk_server_sent(conn->server, (size_t)n);
    }
    return !sk_server_done(conn->server) && !conn->over;
}

static bool take_input(struct serving_conn *conn)
{
    static char bytes[16384];
    ssize_t n = recv(conn->io.ev.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    int r = sk_server_feed(conn->server, sk_slice(bytes, (size_t)n));
    conn->over = conn->over || r == 1;
    return r >= 0;
}

static void conn_ready(struct sk_io *io, int events)
{
    struct serving_conn *conn = SK_CONTAINER(io, struct serving_conn, io);
    bool on = !(events & SK_READ) || take_input(conn);
    on = on && send_output(conn);
    if (!on) {
        conn_free(conn);
        return;
    }
    bool idle = sk_server_streams(conn->server) == 0 && !sk_server_in_head(conn->server);
    if (idle || !conn->under_way) {
        sk_timer_set(&conn->timer, PATIENCE); /* a byte now and then does not lengthen it */
    }
    conn->under_way = !idle;
    sk_io_want(io, sk_server_output(conn->server).len ? SK_WRITE : SK_READ);
}

static void conn_expired(struct sk_timer *timer)
{
    conn_free(SK_CONTAINER(timer, struct serving_conn, timer));
}

static void accept_one(struct sk_io *io, int events sk_unused)
{
    struct serving *serving = SK_CONTAINER(io, struct serving, listener);
    int fd = accept4(io->ev.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct serving_conn *conn = fd < 0 ? NULL : calloc(1, sizeof(*conn));
    if (!conn) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    conn->serving = serving;
    conn->body = SK_BUF_INIT(WITNESS_REQUEST);
    conn->next = serving->conns;
    conn->link = &serving->conns;
    if (conn->next) {
        conn->next->link = &conn->next;
    }
    serving->conns = conn;
    serving->count++;
    sk_io_init(&conn->io, serving->loop, fd, conn_ready);
    sk_timer_init(&conn->timer, serving->loop, conn_expired);
    conn->server = sk_server_new(SK_HTTP1, &handler, conn);
    if (!conn->server) {
        conn_free(conn);
        return;
    }
    sk_timer_set(&conn->timer, PATIENCE);
    sk_io_want(&conn->io, SK_READ);
    if (serving->count > SERVING_MOST) {
        while (conn->next) {
            conn = conn->next;
        }
        conn_free(conn);
    }
}

void serving_begin(struct serving *serving, struct sk_loop *loop, const struct witness *witness, int listener)
{
    *serving = (struct serving){.loop = loop, .witness = witness};
    sk_io_init(&serving->listener, loop, listener, accept_one);
    sk_io_want(&serving->listener, SK_READ);
}

void serving_end(struct serving *serving)
{
    for (struct serving_conn *conn = serving->conns, *next; conn; conn = next) {
        next = conn->next;
        conn_free(conn);
    }
    sk_io_want(&serving->listener, 0);
}
