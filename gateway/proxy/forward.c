/* Towards the upstream: choosing, connecting, writing the message anew, pooling, retrying. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/fields.h"
#include "http/head.h"
#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536
#define TRIES_MAX 3
#define CONNECT_TIME (3 * SK_SECOND) /* of one address, with its TLS handshake */

static void up_ready(struct sk_io *io, int events);
static void up_expired(struct sk_timer *timer);
static void up_failed(struct sk_upstream_conn *up, const char *reason);
static const struct sk_client_handler client_handler;

/* ---- connections ---- */

static void up_free(struct sk_upstream_conn *up)
{
    up->dead = true;
    up->gate->ups_count--;
    sk_io_want(&up->io, 0);
    sk_timer_stop(&up->timer);
    up->tls = sk_tls_free(up->tls);
    (void)close(up->io.ev.fd);
    sk_client_free(&up->client);
    sk_buf_free(&up->out);
    if (!up->in_callback) {
        free(up);
    }
}

static void idle_remove(struct sk_upstream_conn *up)
{
    *up->idle_link = up->idle_next;
    if (up->idle_next) {
        up->idle_next->idle_link = up->idle_link;
    }
    up->idle_link = NULL;
    up->upstream->idle_count--;
}

void sk_upstream_close_idle(struct sk_upstream *upstream)
{
    for (struct sk_upstream_conn *up = upstream->idle, *next; up; up = next) {
        next = up->idle_next;
        idle_remove(up);
        up_free(up);
    }
}

/* Newest first: the longest unused run into their time-out and are closed. */
static void idle_add(struct sk_upstream_conn *up)
{
    struct sk_upstream *upstream = up->upstream;
    if (upstream->idle_count >= SK_UPSTREAM_IDLE_MAX) {
        up_free(up);
        return;
    }
    up->idle_next = upstream->idle;
    up->idle_link = &upstream->idle;
    if (up->idle_next) {
        up->idle_next->idle_link = &up->idle_next;
    }
    upstream->idle = up;
    upstream->idle_count++;
    up->reused = true;
    sk_io_want(&up->io, SK_READ);
    sk_timer_set(&up->timer, SK_UPSTREAM_IDLE_TIME);
}

/* One on which nothing has come since: what an upstream says unasked would answer the next request. NULL when none is left. */
static struct sk_upstream_conn *idle_take(struct sk_upstream *upstream)
{
    while (upstream->idle) {
        struct sk_upstream_conn *up = upstream->idle;
        char byte;
        idle_remove(up);
        if (recv(up->io.ev.fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN) {
            return up;
        }
        up_free(up);
    }
    return NULL;
}

static struct sk_upstream_conn *up_connect(struct sk_gate *gate, struct sk_upstream *upstream)
{
    struct sockaddr_storage to;
    socklen_t to_len = sk_addr_to_sockaddr(&upstream->address, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) {
        return NULL;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&to, to_len) && errno != EINPROGRESS) {
        (void)close(fd);
        return NULL;
    }
    struct sk_upstream_conn *up = calloc(1, sizeof(*up));
    if (!up) {
        (void)close(fd);
        return NULL;
    }
    up->gate = gate;
    up->upstream = upstream;
    up->connecting = true;
    up->out = SK_BUF_INIT((size_t)512 << 10);
    sk_client_init(&up->client, &client_handler, up);
    sk_io_init(&up->io, gate->loop, fd, up_ready);
    sk_timer_init(&up->timer, gate->loop, up_expired);
    sk_io_want(&up->io, SK_WRITE);
    gate->ups_count++;
    SK_COUNT_UP(gate, upstream_connections, 1);
    return up;
}

static bool in_service(const struct sk_upstream *upstream, uint64_t now)
{
    return !upstream->unhealthy && upstream->down_until <= now;
}

/* In turn among the addresses in service; when none is, the one next in turn, so that a wrong belief heals. */
static struct sk_upstream *choose(struct sk_app *app, const struct sk_upstream *not_this)
{
    uint64_t now = sk_clock_boot();
    struct sk_upstream *first = app->turn && app->turn->next ? app->turn->next : app->upstreams;
    struct sk_upstream *at = first, *spare = first;
    do {
        if (in_service(at, now) && (at != not_this || !app->upstreams->next)) {
            app->turn = at;
            return at;
        }
        at = at->next ? at->next : app->upstreams;
    } while (at != first);
    app->turn = spare;
    return spare;
}

/* ---- the message, written anew ---- */

#define OWN_FIELDS 16 /* at most so many are the gateway's own, besides the app's secrets */

struct outgoing {
    struct sk_exchange *x;
    struct sk_field *fields;
    size_t count, room;
};

static void add(struct outgoing *o, struct sk_slice name, struct sk_slice value)
{
    if (value.data && o->count < o->room) {
        o->fields[o->count++] = (struct sk_field){name, value};
    }
}

/* The cookie without the gateway's own. */
static struct sk_slice strip_cookies(struct sk_exchange *x, struct sk_slice value)
{
    char *out = sk_arena_alloc(x->arena, value.len + 1);
    size_t len = 0;
    if (!out) {
        return SK_SLICE_NULL;
    }
    while (value.len) {
        struct sk_slice pair = sk_slice_trim(sk_slice_split(&value, ';'));
        if (pair.len == 0 || sk_slice_starts(pair, SK_LIT(SK_COOKIE))) {
            continue;
        }
        if (len) {
            memcpy(out + len, "; ", 2);
            len += 2;
        }
        memcpy(out + len, pair.data, pair.len);
        len += pair.len;
    }
    return len ? sk_slice(out, len) : SK_SLICE_NULL;
}

static void add_client_fields(struct outgoing *o)
{
    const struct sk_request *r = &o->x->stream->request;
    bool api = sk_policy_app_kind(&o->x->site->image.policy, o->x->app) == SK_APP_API;
    for (size_t i = 0; i < r->fields_count; i++) {
        struct sk_slice name = r->fields[i].name, value = r->fields[i].value;
        bool credential = (api && (sk_slice_eq(name, SK_LIT("authorization")) || sk_slice_eq(name, SK_LIT("dpop")))) || sk_identify_is_key(&r->fields[i]);
        if (sk_field_reserved(name) != SK_RESERVED_NO || credential) {
            continue;
        }
        if (sk_slice_eq(name, SK_LIT("cookie"))) {
            value = strip_cookies(o->x, value);
        } else if (r->websocket && sk_slice_eq(name, SK_LIT("sec-websocket-key"))) {
            continue;
        }
        add(o, name, value);
    }
}

static void add_forwarding(struct outgoing *o)
{
    struct sk_conn *conn = o->x->conn;
    bool v6 = conn->address.family == SK_FAMILY_V6;
    if (conn->address_text[0] == '\0') {
        (void)sk_addr_text(&conn->address, conn->address_text);
    }
    struct sk_slice address = sk_slice_str(conn->address_text), authority = o->x->stream->request.authority;
    const struct sk_slice forwarded[] = {v6 ? SK_LIT("for=\"[") : SK_LIT("for="), address,
            v6 ? SK_LIT("]\";proto=https;host=\"") : SK_LIT(";proto=https;host=\""), authority, SK_LIT("\"")};
    add(o, SK_LIT("x-forwarded-for"), address);
    add(o, SK_LIT("x-forwarded-proto"), SK_LIT("https"));
    add(o, SK_LIT("x-forwarded-host"), authority);
    add(o, SK_LIT("forwarded"), sk_arena_join(o->x->arena, forwarded, SK_COUNT(forwarded)));
}

static void add_identity(struct outgoing *o)
{
    const struct sk_grant *grant = o->x->grant;
    uint64_t identity = o->x->site->apps[o->x->app].set.identity;
    if (!grant) {
        return;
    }
    if (identity & SK_IDENTITY_ASSERTION) {
        add(o, SK_LIT("x-sekisho-jwt-assertion"), grant->assertion);
    }
    if (identity & SK_IDENTITY_FORWARDED_USER) {
        add(o, SK_LIT("x-forwarded-user"), grant->subject);
        add(o, SK_LIT("x-forwarded-groups"), grant->roles);
    }
    if (identity & SK_IDENTITY_AUTH_REQUEST) {
        add(o, SK_LIT("x-auth-request-user"), grant->subject);
        add(o, SK_LIT("x-auth-request-groups"), grant->roles);
    }
    if (identity & SK_IDENTITY_CLIENT_CERT) {
        add(o, SK_LIT("client-cert"), sk_certificate_field(o->x, false));
    }
    if (identity & SK_IDENTITY_CLIENT_CERT_CHAIN) {
        add(o, SK_LIT("client-cert-chain"), sk_certificate_field(o->x, true));
    }
    if (identity & SK_IDENTITY_REMOTE) {
        add(o, SK_LIT("remote-user"), grant->subject);
        add(o, SK_LIT("remote-groups"), grant->roles);
    }
}

static void add_websocket_key(struct outgoing *o, struct sk_upstream_conn *up)
{
    uint8_t nonce[16];
    sk_random(nonce, sizeof(nonce));
    (void)sk_base64_encode(sk_slice(nonce, sizeof(nonce)), up->websocket_key);
    add(o, SK_LIT("sec-websocket-key"), sk_slice_str(up->websocket_key));
}

static int write_request(struct sk_exchange *x, struct sk_upstream_conn *up)
{
    struct sk_request r = x->stream->request;
    struct outgoing o = {.x = x, .room = r.fields_count + OWN_FIELDS};
    for (const struct sk_secret *s = x->site->apps[x->app].secrets; s; s = s->next) {
        o.room++;
    }
    o.fields = sk_arena_alloc(x->arena, sizeof(struct sk_field) * o.room);
    if (!o.fields) {
        return -ENOMEM;
    }
    add_client_fields(&o);
    add_forwarding(&o);
    add_identity(&o);
    for (const struct sk_secret *s = x->site->apps[x->app].secrets; s; s = s->next) {
        add(&o, s->header, s->value);
    }
    if (r.websocket) {
        add_websocket_key(&o, up);
        r.body = SK_BODY_NONE;
    }
    r.fields = o.fields;
    r.fields_count = o.count;
    up->chunked = r.body == SK_BODY_STREAM;
    return x->arena->failed ? -ENOMEM : sk_head_put_request(&up->out, &r);
}

/* ---- sending ---- */

/* What will not go is not tried again; whether that ends the exchange is for reading to find out. */
static void up_flush(struct sk_upstream_conn *up)
{
    while (sk_buf_len(&up->out)) {
        struct sk_slice out = sk_buf_peek(&up->out);
        ssize_t n = up->tls ? sk_tls_write(up->tls, out, up->half_close) : send(up->io.ev.fd, out.data, out.len, MSG_NOSIGNAL);
        if (n <= 0 && ((up->tls && n == -EAGAIN) || (!up->tls && errno == EAGAIN))) {
            break;
        }
        if (n <= 0) {
            /* It may have answered before it stopped reading: what is there to read decides, not the write. */
            up->deaf = true;
            sk_buf_free(&up->out);
            break;
        }
        sk_buf_take(&up->out, (size_t)n);
    }
    struct sk_exchange *x = up->x;
    if (up->half_close && sk_buf_len(&up->out) == 0) {
        up->half_close = false;
        if (up->tls) {
            sk_tls_close(up->tls);
        }
        (void)shutdown(up->io.ev.fd, SHUT_WR);
    }
    if (x && x->unconsumed && sk_buf_len(&up->out) < SK_STREAM_WINDOW / 2) {
        size_t done = x->unconsumed;
        x->unconsumed = 0;
        sk_stream_consumed(x->stream, done);
        sk_conn_touch(x->conn);
    }
    int read = up->paused ? 0 : SK_READ;
    sk_io_want(&up->io, sk_buf_len(&up->out) ? read | SK_WRITE : read);
}

/* NOLINTBEGIN(misc-no-recursion): an upstream that fails at once leads to the next, TRIES_MAX of them at most */

/* False when the upstream failed of it and is gone. */
static bool put_body(struct sk_upstream_conn *up, struct sk_slice bytes)
{
    int r = up->deaf ? 0 : up->chunked ? sk_chunked_put(&up->out, bytes) : sk_buf_put(&up->out, bytes);
    if (r) {
        up_failed(up, "upstream-buffer");
    }
    return r == 0;
}

/*
 * Until there is a connection the body waits, so that another address can still have it whole. What follows the opening
 * of a WebSocket waits until the upstream has agreed and the client has been told: an upstream that does not agree would
 * read it as a request of its own, one that nobody judged.
 */
static bool body_waits(const struct sk_exchange *x)
{
    return x->up->connecting || (x->stream->request.websocket && !(x->responded && x->response.upgraded));
}

void sk_forward_body(struct sk_exchange *x, struct sk_slice bytes)
{
    struct sk_upstream_conn *up = x->up;
    if (body_waits(x)) {
        if (sk_buf_put(&x->early, bytes)) {
            up_failed(up, "upstream-buffer");
        }
        return;
    }
    x->unconsumed += bytes.len;
    if (put_body(up, bytes)) {
        up_flush(up);
    }
}

void sk_forward_end(struct sk_exchange *x, const struct sk_field *trailers, size_t count)
{
    struct sk_upstream_conn *up = x->up;
    if (body_waits(x)) {
        x->early_trailers = trailers;
        x->early_trailers_count = count;
        return;
    }
    if (up->chunked && !up->deaf && sk_chunked_put_end(&up->out, trailers, count)) {
        up_failed(up, "upstream-buffer");
        return;
    }
    up->sent_all = true;
    up->half_close = x->stream->request.websocket;
    up_flush(up);
}

/* What came before the upstream could take it. */
static void send_early(struct sk_exchange *x)
{
    struct sk_upstream_conn *up = x->up;
    if (body_waits(x)) {
        return;
    }
    struct sk_slice early = sk_buf_peek(&x->early);
    if (early.len) {
        x->unconsumed += early.len;
        if (!put_body(up, early)) {
            return;
        }
        sk_buf_free(&x->early);
    }
    if (x->body_ended) {
        sk_forward_end(x, x->early_trailers, x->early_trailers_count);
    }
}

/* 100 Continue is said when there is somewhere to send the body. Its record is the intent (exchange.c, step_decide). */
static void invite_body(struct sk_exchange *x)
{
    static const struct sk_response go_on = {.status = 100, .body = SK_BODY_NONE, .content_length = UINT64_MAX};
    if (x->stream->request.expect_continue && !x->body_ended) {
        x->stream->request.expect_continue = false;
        (void)!sk_stream_respond(x->stream, &go_on);
        sk_conn_touch(x->conn);
    }
}

/* There is a connection: head, body so far, and an invitation for the rest. */
static void begin_sending(struct sk_exchange *x)
{
    struct sk_upstream_conn *up = x->up;
    invite_body(x);
    send_early(x);
    if (x->up == up) {
        up_flush(up);
    }
}

static enum sk_go no_upstream(struct sk_exchange *x, uint16_t status, const char *reason)
{
    SK_COUNT_UP(x->gate, upstream_failures, 1);
    sk_exchange_deny(x, status, SK_AUDIT_DECISION_ERROR, sk_slice_str(reason));
    return SK_GO_WAIT;
}

/* Until an answer must have begun; of that, no address may take all by being unreachable. */
static uint64_t patience(const struct sk_exchange *x, const struct sk_upstream_conn *up)
{
    uint64_t now = sk_clock_boot(), left = x->give_up > now ? x->give_up - now : 1;
    uint64_t most = up->connecting ? CONNECT_TIME : x->body_ended ? left : x->gate->limits.idle; /* a body may stop */
    return left < most ? left : most;
}

static void attach(struct sk_exchange *x, struct sk_upstream_conn *up)
{
    const struct sk_request *r = &x->stream->request;
    x->up = up;
    x->upstream = up->upstream;
    up->x = x;
    up->paused = false;
    up->answered = up->heard = up->sent_all = up->half_close = false;
    sk_timer_set(&up->timer, patience(x, up));
    sk_client_expect(&up->client, x->arena, sk_slice_eq(r->method, SK_LIT("HEAD")), r->websocket);
}

enum sk_go sk_forward(struct sk_exchange *x)
{
    struct sk_app *app = &x->site->apps[x->app];
    if (!app->upstreams || x->tries >= TRIES_MAX) {
        return no_upstream(x, 502, "upstream-unavailable");
    }
    x->give_up = x->tries ? x->give_up : sk_clock_boot() + x->gate->limits.request;
    struct sk_upstream *upstream = choose(app, x->tries ? x->upstream : NULL);
    struct sk_upstream_conn *up = x->tries ? NULL : idle_take(upstream);
    if (!up && x->gate->ups_count >= x->gate->conns_most) {
        return no_upstream(x, 503, "upstream-unavailable"); /* that is not the address's fault */
    }
    up = up ? up : up_connect(x->gate, upstream);
    x->tries++;
    x->upstream = upstream;
    if (!up) {
        sk_upstream_note(upstream, false);
        return sk_forward(x);
    }
    attach(x, up);
    x->step = SK_STEP_RELAY;
    if (write_request(x, up)) {
        x->step = SK_STEP_FORWARD;
        return no_upstream(x, 502, "request-too-large");
    }
    if (!up->connecting) {
        begin_sending(x);
    }
    return SK_GO_WAIT;
}

void sk_forward_more(struct sk_exchange *x)
{
    struct sk_upstream_conn *up = x->up;
    if (up && x->responded && x->response.upgraded && !up->sent_all) {
        send_early(x);
    }
    if (up && x->up == up && up->paused && x->responded) {
        up->paused = false;
        int write = sk_buf_len(&up->out) ? SK_WRITE : 0;
        sk_io_want(&up->io, SK_READ | write);
        if (up->tls && sk_tls_pending(up->tls)) {
            up_ready(&up->io, SK_READ);
        }
    }
}

/* Parts the two. What the upstream will not take any more is owed to the client's window all the same. */
static void detach(struct sk_exchange *x, struct sk_upstream_conn *up)
{
    size_t owed = x->unconsumed;
    x->unconsumed = 0;
    x->up = NULL;
    up->x = NULL;
    if (owed) {
        sk_stream_consumed(x->stream, owed);
    }
}

void sk_forward_drop(struct sk_exchange *x)
{
    struct sk_upstream_conn *up = x->up;
    if (up) {
        detach(x, up);
        up_free(up);
    }
}

/* ---- an end, good or bad ---- */

/* The response is complete: the connection goes back to the pool if both sides would have it. */
static void up_done(struct sk_upstream_conn *up)
{
    struct sk_exchange *x = up->x;
    /* What came behind the response answers no request: on this connection it would answer the next one. */
    bool surplus = up->tls && sk_tls_pending(up->tls);
    bool keep = up->client.reusable && !up->deaf && up->sent_all && sk_buf_len(&up->out) == 0 && !surplus;
    detach(x, up);
    if (keep) {
        idle_add(up);
    } else {
        up_free(up);
    }
}

static bool idempotent(struct sk_slice method)
{
    static const struct sk_slice methods[] = {{"GET", 3}, {"HEAD", 4}, {"OPTIONS", 7}, {"PUT", 3}, {"DELETE", 6}};
    for (size_t i = 0; i < SK_COUNT(methods); i++) {
        if (sk_slice_eq(method, methods[i])) {
            return true;
        }
    }
    return false;
}

/* Nothing of a response was seen and the request can be sent again as it was. */
static bool may_retry(const struct sk_exchange *x, const struct sk_upstream_conn *up)
{
    const struct sk_request *r = &x->stream->request;
    bool nothing_sent = up->connecting;
    bool again = idempotent(r->method) && r->body == SK_BODY_NONE && !r->websocket;
    bool time_left = sk_clock_boot() < x->give_up, heard = up->answered || up->heard;
    /* Who was silent for the whole time is not asked again: the client has waited as long as it was to wait. */
    return !heard && time_left && x->tries < TRIES_MAX && (nothing_sent || (again && !up->timed_out));
}

static void up_failed(struct sk_upstream_conn *up, const char *reason)
{
    struct sk_exchange *x = up->x;
    if (!x) {
        return;
    }
    bool reused = up->reused, retry = may_retry(x, up), answered = up->answered, timeout = up->timed_out;
    if (!reused || answered) {
        sk_upstream_note(up->upstream, false);
    }
    detach(x, up);
    up_free(up);
    if (retry) {
        SK_COUNT_UP(x->gate, upstream_retries, 1);
        x->step = SK_STEP_FORWARD;
        (void)sk_forward(x);
        return;
    }
    if (answered || x->responded) {
        SK_COUNT_UP(x->gate, upstream_failures, 1);
        x->detail = sk_slice_str(reason);
        if (!x->finished) {
            sk_conn_touch(x->conn);
            sk_stream_abort(x->stream); /* its head is out: only a break tells the client that the rest is missing */
        }
        return;
    }
    x->step = SK_STEP_FORWARD;
    (void)no_upstream(x, timeout ? 504 : 502, timeout ? "upstream-timeout" : reason);
}

/* NOLINTEND(misc-no-recursion) */

/* ---- the response ---- */

static bool keep_response_field(struct sk_slice name)
{
    static const struct sk_slice dropped[] = {{"strict-transport-security", 25}, {"server", 6}, {"x-powered-by", 12}, {"alt-svc", 7}};
    for (size_t i = 0; i < SK_COUNT(dropped); i++) {
        if (sk_slice_eq(name, dropped[i])) {
            return false;
        }
    }
    return true;
}

static bool upgrade_ok(struct sk_upstream_conn *up, const struct sk_response *response)
{
    char accept[29];
    const struct sk_slice *said = sk_field_find(response->fields, response->fields_count, SK_LIT("sec-websocket-accept"));
    sk_digest_websocket_accept(sk_slice_str(up->websocket_key), accept);
    return said && sk_slice_eq(*said, sk_slice_str(accept));
}

/* The client's fields: the upstream's without what is the gateway's to say. */
static int client_fields(struct sk_exchange *x, struct sk_response *response)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_field *fields = sk_arena_alloc(x->arena, sizeof(*fields) * (response->fields_count + 2));
    size_t n = 0;
    if (!fields) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < response->fields_count; i++) {
        struct sk_field f = response->fields[i];
        bool own_cookie = sk_slice_eq(f.name, SK_LIT("set-cookie")) && sk_slice_starts(f.value, SK_LIT(SK_COOKIE));
        if (keep_response_field(f.name) && !own_cookie && !(response->upgraded && sk_slice_eq(f.name, SK_LIT("sec-websocket-accept")))) {
            fields[n++] = f;
        }
    }
    fields[n++] = (struct sk_field){SK_LIT("strict-transport-security"), SK_LIT("max-age=31536000; includeSubDomains")};
    if (response->upgraded && r->websocket_key.len) {
        char accept[29];
        sk_digest_websocket_accept(r->websocket_key, accept);
        fields[n++] = (struct sk_field){SK_LIT("sec-websocket-accept"), sk_arena_copy(x->arena, sk_slice_str(accept))};
    }
    response->fields = fields;
    response->fields_count = n;
    return x->arena->failed ? -ENOMEM : 0;
}

static void on_response(struct sk_client *client, const struct sk_response *from)
{
    struct sk_upstream_conn *up = client->user;
    struct sk_exchange *x = up->x;
    struct sk_response response = *from;
    up->answered = true;
    sk_upstream_note(up->upstream, true);
    /* RFC 8441 section 4: over HTTP/2 any 2xx says that the WebSocket is open. */
    bool misunderstood = x->stream->request.websocket && x->stream->request.version == 20 && !response.upgraded && response.status / 100 == 2;
    if (misunderstood || (response.upgraded && !upgrade_ok(up, from)) || client_fields(x, &response)) {
        up->answered = false;
        up->broken = true;
        return;
    }
    if (response.body == SK_BODY_CLOSE && !response.upgraded) {
        response.body = SK_BODY_STREAM;
    }
    up->paused = true; /* until the record is durable */
    sk_timer_set(&up->timer, x->gate->limits.idle);
    sk_exchange_respond(x, &response);
}

static void on_body(struct sk_client *client, struct sk_slice bytes)
{
    struct sk_upstream_conn *up = client->user;
    if (up->x) {
        sk_exchange_relay(up->x, bytes);
    }
}

static void on_end(struct sk_client *client, const struct sk_field *trailers, size_t count)
{
    struct sk_upstream_conn *up = client->user;
    struct sk_exchange *x = up->x;
    if (x && !up->broken) {
        up_done(up); /* first: the exchange may be over when its end is said */
        sk_exchange_relay_end(x, trailers, count);
    }
}

static const struct sk_client_handler client_handler = {on_response, on_body, on_end};

/* ---- events ---- */

static int up_read(struct sk_upstream_conn *up, char *to, size_t size)
{
    if (up->tls) {
        return sk_tls_read(up->tls, to, size);
    }
    ssize_t n = recv(up->io.ev.fd, to, size, 0);
    return n < 0 ? -errno : (int)n;
}

static void read_response(struct sk_upstream_conn *up)
{
    static char bytes[READ_SIZE];
    do {
        int n = up_read(up, bytes, sizeof(bytes));
        if (n == -EAGAIN) {
            return;
        }
        up->heard = up->heard || n > 0;
        int r = n > 0 ? sk_client_feed(&up->client, sk_slice(bytes, (size_t)n)) : n == 0 ? sk_client_eof(&up->client) : -EIO;
        if (up->dead || !up->x) {
            return;
        }
        if (r < 0 || up->broken || n <= 0) {
            up_failed(up, n <= 0 ? "upstream-closed" : "upstream-malformed");
            return;
        }
        sk_timer_set(&up->timer, up->gate->limits.idle);
        if (up->x->responded && sk_stream_room(up->x->stream) == 0) {
            up->paused = true;
        }
        if (n < (int)sizeof(bytes) && !(up->tls && sk_tls_pending(up->tls))) {
            break;
        }
    } while (!up->paused);
    int write = sk_buf_len(&up->out) ? SK_WRITE : 0;
    sk_io_want(&up->io, up->paused ? write : SK_READ | write);
}

/* Connected, or not; then the handshake, if any. True when the message may go. */
static bool establish(struct sk_upstream_conn *up)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (up->connecting && !up->tls) {
        if (getsockopt(up->io.ev.fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
            up_failed(up, "upstream-connect");
            return false;
        }
        if (up->upstream->tls) {
            up->tls = sk_tls_connect(up->upstream->app->tls, up->io.ev.fd, up->upstream->name);
            if (!up->tls) {
                up_failed(up, "upstream-tls");
                return false;
            }
        }
    }
    if (up->tls && up->connecting) {
        int r = sk_tls_handshake(up->tls);
        if (r == -EAGAIN) {
            sk_io_want(&up->io, sk_tls_wants_write(up->tls) ? SK_WRITE : SK_READ);
            return false;
        }
        if (r < 0) {
            up_failed(up, "upstream-tls");
            return false;
        }
    }
    up->connecting = false;
    sk_timer_set(&up->timer, patience(up->x, up));
    begin_sending(up->x);
    return !up->dead;
}

static void up_ready(struct sk_io *io, int events)
{
    struct sk_upstream_conn *up = SK_CONTAINER(io, struct sk_upstream_conn, io);
    bool was_nested = up->in_callback;
    up->in_callback = true;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): up_free leaves it, in_callback being set, to the last line */
    if (!up->x) {
        idle_remove(up); /* closed by the upstream, or bytes nobody asked for: useless either way */
        up_free(up);
    } else if (!up->connecting || establish(up)) {
        if ((events & SK_READ) && up->x) {
            read_response(up);
        }
        if (!up->dead && up->x) {
            up_flush(up);
        }
    }
    up->in_callback = was_nested;
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
    if (up->dead && !was_nested) {
        free(up);
    }
}

static void up_expired(struct sk_timer *timer)
{
    struct sk_upstream_conn *up = SK_CONTAINER(timer, struct sk_upstream_conn, timer);
    struct sk_exchange *x = up->x;
    if (!x) {
        idle_remove(up);
        up_free(up);
        return;
    }
    /*
     * A stream may be silent for a while, and a client may be slow to send or to take: each may stand still for the idle
     * time. An answer has its time from the last byte of the request.
     */
    bool websocket = x->stream->request.websocket, sending = !up->answered && !x->body_ended && !websocket;
    const struct sk_control_limits *limits = &up->gate->limits;
    uint64_t quiet = sk_clock_boot() - x->progress, limit = x->responded || sending ? limits->idle : limits->request;
    if (!up->connecting && (x->responded || !websocket) && quiet < limit) {
        sk_timer_set(timer, limit - quiet);
        return;
    }
    if (!up->connecting && sending && x->unconsumed == 0) { /* else it is the upstream that does not take */
        x->timed_out = true;
        sk_conn_touch(x->conn);
        sk_exchange_deny(x, 408, SK_AUDIT_DECISION_ERROR, sk_refusal_text(SK_REFUSAL_TIMEOUT));
        return;
    }
    if (x->responded && up->paused) {
        sk_exchange_cut(x, "client-timeout");
        return;
    }
    up->timed_out = true;
    up_failed(up, "upstream-timeout");
}
