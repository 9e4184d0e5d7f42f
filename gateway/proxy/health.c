/* Upstream health: passive, from attempts; active, by asking a path. Runs in the workers. */
#include "proxy/exchange.h"
#include "proxy/upstream.h"

#include "base/clock.h"
#include "http/head.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAILURES_MAX 3U
#define DOWN_TIME (10 * SK_SECOND)
#define PROBE_TIMEOUT (3 * SK_SECOND)
#define PROBE_APART SK_MILLISECOND /* the first ones of all addresses; those after them stay apart by that */

/* One address, asked again and again over connections of its own. */
struct sk_probe {
    struct sk_upstream *upstream;
    struct sk_io io;
    struct sk_timer timer;
    struct sk_tls *tls;
    struct sk_client client;
    struct sk_arena arena;
    uint16_t status;
    bool asking, connected, sent;
};

static void tell_change(const struct sk_upstream *upstream, bool up)
{
    struct sk_gate *gate = upstream->app->site->tenant->gate;
    if (gate->upstream_changed) {
        gate->upstream_changed(gate, upstream, up);
    }
}

void sk_upstream_note(struct sk_upstream *upstream, bool good)
{
    if (good) {
        if (upstream->down_until) {
            tell_change(upstream, true);
        }
        upstream->failures = 0;
        upstream->down_until = 0;
    } else if (++upstream->failures >= FAILURES_MAX) {
        if (!upstream->down_until) {
            tell_change(upstream, false);
        }
        upstream->down_until = sk_clock_boot() + DOWN_TIME;
    }
}

static void probe_close(struct sk_probe *p)
{
    if (p->asking) {
        sk_io_want(&p->io, 0);
        p->tls = sk_tls_free(p->tls);
        (void)close(p->io.ev.fd);
        sk_client_free(&p->client);
        sk_arena_reset(&p->arena);
        p->asking = false;
    }
}

static void verdict(struct sk_probe *p, bool healthy)
{
    struct sk_upstream *upstream = p->upstream;
    probe_close(p);
    if (upstream->unhealthy == healthy) {
        upstream->unhealthy = !healthy;
        tell_change(upstream, healthy);
    }
    sk_timer_set(&p->timer, upstream->app->set.interval);
}

static void on_response(struct sk_client *client, const struct sk_response *response)
{
    ((struct sk_probe *)client->user)->status = response->status;
}

static void on_body(struct sk_client *client sk_unused, struct sk_slice bytes sk_unused)
{
}

static void on_end(struct sk_client *client sk_unused, const struct sk_field *trailers sk_unused, size_t count sk_unused)
{
}

static int probe_send(struct sk_probe *p)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    struct sk_field fields[] = {{SK_LIT("connection"), SK_LIT("close")}, {SK_LIT("user-agent"), SK_LIT("sekisho-health")}};
    struct sk_site *site = p->upstream->app->site;
    struct sk_request request = {.method = SK_LIT("GET"),
            .path = p->upstream->app->set.health,
            .authority = p->upstream->name.len ? p->upstream->name : site->hosts ? site->hosts->name : SK_LIT("health"),
            .fields = fields,
            .fields_count = SK_COUNT(fields)};
    int r = sk_head_put_request(&out, &request);
    struct sk_slice bytes = sk_buf_peek(&out);
    if (r) {
        return r;
    }
    ssize_t n = p->tls ? sk_tls_write(p->tls, bytes, false) : send(p->io.ev.fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    p->sent = true;
    return n == (ssize_t)bytes.len ? 0 : -EIO;
}

/* 0 established; 1 wait; negative failed. */
static int establish(struct sk_probe *p)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (!p->connected && (getsockopt(p->io.ev.fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)) {
        return -EIO;
    }
    p->connected = true;
    if (p->upstream->tls && !p->tls) {
        p->tls = sk_tls_connect(p->upstream->app->tls, p->io.ev.fd, p->upstream->name);
        if (!p->tls) {
            return -EIO;
        }
    }
    if (p->tls && !p->sent) {
        int r = sk_tls_handshake(p->tls);
        if (r == -EAGAIN) {
            sk_io_want(&p->io, sk_tls_wants_write(p->tls) ? SK_WRITE : SK_READ);
            return 1;
        }
        return r < 0 ? r : 0;
    }
    return 0;
}

static void probe_ready(struct sk_io *io, int events sk_unused)
{
    static char bytes[4096];
    struct sk_probe *p = SK_CONTAINER(io, struct sk_probe, io);
    if (!p->sent) {
        int r = establish(p);
        if (r == 0) {
            r = probe_send(p);
            sk_io_want(&p->io, SK_READ);
        }
        if (r < 0) {
            verdict(p, false);
        }
        return;
    }
    ssize_t n = p->tls ? sk_tls_read(p->tls, bytes, sizeof(bytes)) : recv(io->ev.fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (n == -EAGAIN || errno == EAGAIN)) {
        return;
    }
    if (n > 0 && sk_client_feed(&p->client, sk_slice(bytes, (size_t)n)) == 0 && p->status == 0) {
        return;
    }
    verdict(p, p->status >= 200 && p->status < 400);
}

static void probe_begin(struct sk_probe *p)
{
    static const struct sk_client_handler handler = {on_response, on_body, on_end};
    struct sockaddr_storage to;
    socklen_t len = sk_addr_to_sockaddr(&p->upstream->address, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        sk_timer_set(&p->timer, p->upstream->app->set.interval);
        return;
    }
    p->asking = true;
    p->connected = p->sent = false;
    p->status = 0;
    sk_io_init(&p->io, p->timer.loop, fd, probe_ready);
    sk_client_init(&p->client, &handler, p);
    sk_client_expect(&p->client, &p->arena, false, false);
    if (connect(fd, (struct sockaddr *)&to, len) && errno != EINPROGRESS) {
        verdict(p, false);
        return;
    }
    sk_io_want(&p->io, SK_WRITE);
    sk_timer_set(&p->timer, PROBE_TIMEOUT);
}

static void probe_timer(struct sk_timer *timer)
{
    struct sk_probe *p = SK_CONTAINER(timer, struct sk_probe, timer);
    if (p->asking) {
        verdict(p, false);
    } else {
        probe_begin(p);
    }
}

void sk_upstream_start_probe(struct sk_upstream *upstream)
{
    struct sk_gate *gate = upstream->app->site->tenant->gate;
    struct sk_probe *p = calloc(1, sizeof(*p));
    if (p) {
        uint64_t now = sk_clock_boot(), at = (gate->next_probe > now ? gate->next_probe : now) + PROBE_APART;
        gate->next_probe = at;
        p->upstream = upstream;
        upstream->probe = p;
        sk_arena_init(&p->arena, (size_t)128 << 10);
        sk_timer_init(&p->timer, gate->loop, probe_timer);
        sk_timer_set(&p->timer, at - now);
    }
}

void sk_upstream_stop_probe(struct sk_upstream *upstream)
{
    struct sk_probe *p = upstream->probe;
    if (p) {
        probe_close(p);
        sk_timer_stop(&p->timer);
        sk_arena_free(&p->arena);
        free(p);
        upstream->probe = NULL;
    }
}
