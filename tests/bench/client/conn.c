/*
 * One connection of the benchmark's client: TLS 1.3 handshake, one GET after another, the ticket for the next
 * one. Everything here runs in the thread of the connection's worker.
 */
#include "conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

enum { READ_SIZE = 16384 };

enum drive { DRIVE_WAIT, DRIVE_REOPEN, DRIVE_FAILED };

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fail(struct shared *shared, const char *format, ...)
{
    if (atomic_exchange(&shared->failed, true))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(shared->error, sizeof shared->error, format, arguments);
    va_end(arguments);
}

static bool one_shot(enum mode mode)
{
    return mode == MODE_FULL || mode == MODE_RESUMED;
}

/* ---- connections ---- */

/* Ownership of `session` passes to the connection (OpenSSL's meaning of 1). */
static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct conn *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->session);
    c->session = session;
    return 1;
}

int conn_open(struct conn *c)
{
    struct shared *shared = c->worker->shared;
    c->started_ns = now_ns();
    c->state = STATE_HANDSHAKE;
    c->served = 0;
    c->head_length = 0;
    c->head_done = false;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->ssl = SSL_new(shared->tls);
    if (c->fd < 0 || !c->ssl) {
        fail(shared, "cannot make a connection: %s", c->fd < 0 ? strerror(errno) : "SSL_new");
        return -1;
    }
    int one = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    SSL_set_app_data(c->ssl, c);
    if (connect(c->fd, (const struct sockaddr *)&shared->options.address, sizeof shared->options.address) <
                    0 &&
            errno != EINPROGRESS) {
        fail(shared, "connect: %s", strerror(errno));
        return -1;
    }
    if (SSL_set_tlsext_host_name(c->ssl, c->host) != 1 || SSL_set_fd(c->ssl, c->fd) != 1 ||
            (c->session && SSL_set_session(c->ssl, c->session) != 1)) {
        fail(shared, "cannot prepare TLS for %s", c->host);
        return -1;
    }
    SSL_set_connect_state(c->ssl);
    /* Edge-triggered with both directions from the start: every turn ends at "would block", so no event is
     * lost and no further epoll_ctl is needed. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(c->worker->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        fail(shared, "epoll_ctl: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/* Says close_notify first: OpenSSL refuses to resume a session whose connection was cut. */
static void conn_close(struct conn *c)
{
    if (c->ssl && c->state != STATE_HANDSHAKE)
        (void)SSL_shutdown(c->ssl);
    ERR_clear_error();
    SSL_free(c->ssl);
    c->ssl = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void conn_free(struct conn *c)
{
    conn_close(c);
    SSL_SESSION_free(c->session);
    free(c->request);
}

int conn_init(struct conn *c, struct worker *worker, const char *host)
{
    const struct options *options = &worker->shared->options;
    c->worker = worker;
    c->host = host;
    c->fd = -1;
    int length = asprintf(&c->request,
            "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nUser-Agent: bench\r\n\r\n", options->path,
            host, options->authorization);
    if (length < 0) {
        c->request = NULL;
        return -1;
    }
    c->request_length = (size_t)length;
    return 0;
}

/* ---- one answer ---- */

/* The value of a header field in the NUL-terminated head, or NULL. `name` as in "\r\ncontent-length:". */
static const char *header_value(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    if (!at)
        return NULL;
    at += strlen(name);
    return at + strspn(at, " \t");
}

static int head_parse(struct conn *c)
{
    struct shared *shared = c->worker->shared;
    if (strncmp(c->head, "HTTP/1.1 ", 9) != 0) {
        fail(shared, "%s answered something else than HTTP/1.1", c->host);
        return -1;
    }
    if (strncmp(c->head + 9, "200", 3) != 0) {
        fail(shared, "%s answered %.3s instead of 200", c->host, c->head + 9);
        return -1;
    }
    const char *length = header_value(c->head, "\r\ncontent-length:");
    char *end = NULL;
    if (length)
        c->body_left = strtoull(length, &end, 10);
    if (!length || end == length) {
        fail(shared, "%s answered without a Content-Length", c->host);
        return -1;
    }
    const char *connection = header_value(c->head, "\r\nconnection:");
    c->close_after = connection && strncasecmp(connection, "close", 5) == 0;
    c->head_done = true;
    return 0;
}

/* Takes `length` received bytes. 1: the answer is complete; 0: more is needed; -1: it is not as expected. */
static int feed(struct conn *c, const char *data, size_t length)
{
    struct worker *w = c->worker;
    if (!c->head_done) {
        size_t room = HEAD_MAX - 1 - c->head_length;
        size_t take = length < room ? length : room;
        memcpy(c->head + c->head_length, data, take);
        size_t before = c->head_length;
        c->head_length += take;
        c->head[c->head_length] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        if (!end && c->head_length == HEAD_MAX - 1) {
            fail(w->shared, "%s answered with a head over %d bytes", c->host, HEAD_MAX);
            return -1;
        }
        if (!end)
            return 0;
        size_t used = (size_t)(end - c->head) + 4 - before;
        c->head[c->head_length - take + used] = '\0';
        if (head_parse(c) < 0)
            return -1;
        data += used;
        length -= used;
    }
    if (length > c->body_left) {
        fail(w->shared, "%s sent more than its Content-Length", c->host);
        return -1;
    }
    c->body_left -= length;
    if (atomic_load_explicit(&w->shared->phase, memory_order_relaxed) == PHASE_MEASURING)
        w->body_bytes += length;
    return c->body_left == 0;
}

static int record(struct worker *w, uint64_t ns)
{
    if (w->sample_count == w->sample_room) {
        size_t room = w->sample_room ? w->sample_room * 2 : 65536;
        uint32_t *grown = reallocarray(w->samples, room, sizeof *grown);
        if (!grown) {
            fail(w->shared, "out of memory for samples");
            return -1;
        }
        w->samples = grown;
        w->sample_room = room;
    }
    uint64_t us = ns / 1000;
    w->samples[w->sample_count++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    return 0;
}

static enum drive answered(struct conn *c)
{
    struct worker *w = c->worker;
    enum mode mode = w->shared->options.mode;
    int phase = atomic_load(&w->shared->phase);
    if (phase == PHASE_MEASURING) {
        if (record(w, now_ns() - c->started_ns) < 0)
            return DRIVE_FAILED;
        w->resumed += SSL_session_reused(c->ssl) == 1;
    }
    if (!c->counted) {
        c->counted = true;
        atomic_fetch_add(&w->shared->ready, 1);
    }
    c->served++;
    c->head_length = 0;
    c->head_done = false;
    c->started_ns = now_ns();
    c->state = mode == MODE_IDLE || phase == PHASE_STOPPED ? STATE_HELD : STATE_WRITING;
    if (c->state == STATE_HELD)
        return DRIVE_WAIT;
    if (one_shot(mode))
        return DRIVE_REOPEN;
    if (c->close_after)
        w->reconnects++;
    return c->close_after ? DRIVE_REOPEN : DRIVE_WAIT;
}

/* ---- the state machine ---- */

/* What an unsuccessful OpenSSL call means. */
static enum drive judge(struct conn *c, int result)
{
    struct worker *w = c->worker;
    int saved = errno;
    int error = SSL_get_error(c->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return DRIVE_WAIT;
    /* A server may end a kept connection between two requests; that costs a handshake, so it is counted. */
    if (w->shared->options.mode == MODE_KEEPALIVE && c->served > 0 && c->head_length == 0 && !c->head_done) {
        w->reconnects++;
        return DRIVE_REOPEN;
    }
    static const char *const doing[] = {"in the handshake", "while sending", "while receiving", "while idle"};
    unsigned long reason = ERR_peek_error();
    const char *text = reason ? ERR_reason_error_string(reason) : NULL;
    if (!text)
        text = error == SSL_ERROR_SYSCALL && saved ? strerror(saved) : "closed";
    fail(w->shared, "%s, connection lost %s: %s", c->host, doing[c->state], text);
    return DRIVE_FAILED;
}

static enum drive read_answer(struct conn *c, bool *progress)
{
    char buffer[READ_SIZE];
    int got = SSL_read(c->ssl, buffer, sizeof buffer);
    if (got <= 0)
        return judge(c, got);
    if (c->state == STATE_HELD) {
        fail(c->worker->shared, "%s sent data nobody asked for", c->host);
        return DRIVE_FAILED;
    }
    *progress = true;
    int fed = feed(c, buffer, (size_t)got);
    if (fed < 0)
        return DRIVE_FAILED;
    return fed > 0 ? answered(c) : DRIVE_WAIT;
}

/* One step; `progress` is set when another may be possible at once. */
static enum drive step(struct conn *c, bool *progress)
{
    ERR_clear_error();
    errno = 0;
    *progress = false;
    if (c->state == STATE_READING || c->state == STATE_HELD)
        return read_answer(c, progress);
    int done = c->state == STATE_HANDSHAKE ? SSL_do_handshake(c->ssl)
                                           : SSL_write(c->ssl, c->request, (int)c->request_length);
    if (done <= 0)
        return judge(c, done);
    *progress = true;
    c->state = c->state == STATE_HANDSHAKE ? STATE_WRITING : STATE_READING;
    return DRIVE_WAIT;
}

int conn_drive(struct conn *c)
{
    struct shared *shared = c->worker->shared;
    for (;;) {
        bool progress = false;
        enum drive outcome = step(c, &progress);
        if (outcome == DRIVE_FAILED)
            return -1;
        if (outcome == DRIVE_REOPEN) {
            conn_close(c);
            return conn_open(c);
        }
        if (!progress || atomic_load(&shared->phase) == PHASE_STOPPED)
            return 0;
    }
}

SSL_CTX *conn_tls(const struct options *options)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    const char *own = options->certificate;
    if (!tls || (own && (SSL_CTX_use_certificate_chain_file(tls, own) != 1 || SSL_CTX_use_PrivateKey_file(tls, own, SSL_FILETYPE_PEM) != 1)) ||
            SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
            SSL_CTX_set_alpn_protos(tls, alpn, sizeof alpn - 1) != 0) {
        SSL_CTX_free(tls);
        return NULL;
    }
    /* The certificate's chain is not judged: that is the client's cost alone, and the caller checks it
     * beforehand. */
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (options->mode == MODE_RESUMED) {
        SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls, keep_ticket);
    }
    return tls;
}
