/* Client connections: PROXY header, TLS, bytes to and from the protocol. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/clock.h"
#include "journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384
#define READS_PER_TURN 8
#define LINGER_TIME (5 * SK_SECOND)

static void conn_ready(struct sk_io *io, int events);
static void conn_expired(struct sk_timer *timer);

static void record_refused(struct sk_conn *conn, const char *reason, struct sk_slice detail)
{
    struct sk_audit_record record = {.op = SK_AUDIT_CONNECTION_REFUSED,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_DENY,
            .reason = sk_slice_str(reason),
            .detail = detail,
            .address = sk_slice(conn->address.bytes, conn->address_bytes_len),
            .port = conn->address.port,
            .host = conn->tls ? sk_tls_host(conn->tls) : SK_SLICE_NULL};
    if (conn->tenant) {
        memcpy(record.tenant, conn->tenant->id, SK_ID_SIZE);
    }
    /* Nothing is answered, so nothing has to wait. */
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    if (sk_recorder_put(&conn->gate->recorder, sk_slice(cbor, sk_record_encode(&record, cbor)), NULL) == 0) {
        SK_COUNT_UP(conn->gate, records, 1);
    }
}

/* Its handshake is done, or it ends. */
static void grown(struct sk_conn *conn)
{
    if (conn->young_link) {
        *conn->young_link = conn->young_next;
        if (conn->young_next) {
            conn->young_next->young_link = conn->young_link;
        } else {
            conn->gate->young_last = conn->young_link;
        }
        conn->young_link = NULL;
    }
}

void sk_conn_free(struct sk_conn *conn)
{
    struct sk_gate *gate = conn->gate;
    if (conn->freed) {
        return;
    }
    conn->freed = true;
    gate->conns_count--;
    grown(conn);
    conn->server = sk_server_free(conn->server);
    if (conn->counted) {
        (void)sk_tenant_connections(conn->tenant, -1);
        conn->counted = false;
    }
    sk_io_want(&conn->io, 0);
    sk_timer_stop(&conn->timer);
    if (conn->tls) {
        sk_tls_close(conn->tls);
        struct sk_site *site = conn->handshaken ? NULL : sk_tls_owner(conn->tls);
        conn->tls = sk_tls_free(conn->tls);
        (void)sk_site_unref(site);
    }
    (void)sk_tenant_unref(conn->tenant);
    conn->tenant = NULL;
    free(conn->holder);
    conn->holder = NULL;
    (void)close(conn->io.ev.fd);
    *conn->link = conn->next;
    if (conn->next) {
        conn->next->link = conn->link;
    }
    atomic_fetch_sub_explicit(&gate->counters->open_connections, 1, memory_order_relaxed);
    /* Who is on the dirty list or in a callback is freed by whoever holds it. */
    if (!conn->dirty && !conn->in_callback) {
        free(conn);
    }
    if (gate->draining && !gate->conns && gate->drained) {
        gate->drained(gate);
    }
}

void sk_conn_touch(struct sk_conn *conn)
{
    if (!conn->dirty && !conn->freed) {
        conn->dirty = true;
        conn->dirty_next = conn->gate->dirty;
        conn->gate->dirty = conn;
    }
}

/* Which time-out counts now: a head that has begun must be completed; else somebody must move. */
static void set_timer(struct sk_conn *conn)
{
    const struct sk_control_limits *limits = &conn->gate->limits;
    uint64_t now = sk_clock_boot(), limit = limits->idle;
    enum sk_conn_phase phase = !conn->server ? SK_CONN_HANDSHAKE : sk_server_in_head(conn->server) ? SK_CONN_HEAD : SK_CONN_OPEN;
    if (phase != conn->phase || conn->phase_began == 0) {
        conn->phase = phase;
        conn->phase_began = now;
    }
    if (phase != SK_CONN_OPEN) {
        /* However slowly the bytes drip, the whole of it has this long. */
        limit = phase == SK_CONN_HEAD ? limits->header : limits->handshake;
        uint64_t spent = now - conn->phase_began;
        limit = spent < limit ? limit - spent : 1;
    }
    sk_timer_set(&conn->timer, limit);
}

static int raw_write(struct sk_conn *conn, struct sk_slice bytes)
{
    if (conn->tls) {
        return sk_tls_write(conn->tls, bytes, sk_server_done(conn->server));
    }
    ssize_t n = send(conn->io.ev.fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    return n < 0 ? -errno : (int)n;
}

/*
 * The last answer is sent, but the client may still be sending a body nobody wants. Closing now would make the kernel
 * reset the connection and take the answer from the client's hands: what comes is read and dropped for a while.
 */
static bool linger(struct sk_conn *conn)
{
    if (!conn->unread) {
        return false;
    }
    if (conn->tls) {
        sk_tls_close(conn->tls);
    }
    if (shutdown(conn->io.ev.fd, SHUT_WR)) {
        return false;
    }
    conn->closing = true;
    sk_io_want(&conn->io, SK_READ);
    sk_timer_set(&conn->timer, LINGER_TIME);
    return true;
}

static bool drop_input(struct sk_conn *conn)
{
    static char bytes[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = recv(conn->io.ev.fd, bytes, sizeof(bytes), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n <= 0) {
            return false;
        }
    }
    return true;
}

/* Writes what there is. False when the connection is over. */
static bool flush(struct sk_conn *conn)
{
    bool wait = false;
    for (;;) {
        struct sk_slice out = sk_server_output(conn->server);
        if (out.len == 0) {
            break;
        }
        int n = raw_write(conn, out);
        if (n == -EAGAIN) {
            wait = true;
            break;
        }
        if (n <= 0) {
            return false;
        }
        conn->activity = sk_clock_boot();
        sk_server_sent(conn->server, (size_t)n);
    }
    if (!wait && sk_server_done(conn->server)) {
        return linger(conn);
    }
    int events = sk_server_wants_input(conn->server) ? SK_READ : 0;
    sk_io_want(&conn->io, wait ? events | SK_WRITE : events);
    return true;
}

void sk_conns_flush(struct sk_gate *gate)
{
    while (gate->dirty) {
        struct sk_conn *conn = gate->dirty;
        gate->dirty = conn->dirty_next;
        conn->dirty = false;
        if (conn->freed) {
            free(conn);
        } else if (conn->server && !conn->closing && !flush(conn)) {
            sk_conn_free(conn);
        } else if (!conn->freed && !conn->closing && conn->tls && sk_tls_pending(conn->tls) && sk_server_wants_input(conn->server)) {
            conn_ready(&conn->io, SK_READ); /* decrypted bytes waited while the client was held back */
        }
    }
}

static int raw_read(struct sk_conn *conn, char *to, size_t size)
{
    if (conn->tls) {
        return sk_tls_read(conn->tls, to, size);
    }
    ssize_t n = recv(conn->io.ev.fd, to, size, 0);
    return n < 0 ? -errno : (int)n;
}

/* Reads and feeds. False when the connection is over. */
static bool read_some(struct sk_conn *conn)
{
    static char bytes[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN && sk_server_wants_input(conn->server); i++) {
        int n = raw_read(conn, bytes, sizeof(bytes));
        if (n == -EAGAIN) {
            return true;
        }
        if (n <= 0) {
            return false;
        }
        conn->activity = sk_clock_boot();
        if (sk_server_feed(conn->server, sk_slice(bytes, (size_t)n)) < 0) {
            /* What the protocol has to say before it ends (GOAWAY) is still sent. */
            conn->why = "protocol-error";
            record_refused(conn, conn->why, SK_SLICE_NULL);
            (void)flush(conn);
            return false;
        }
        if (n < (int)sizeof(bytes) && !(conn->tls && sk_tls_pending(conn->tls))) {
            return true;
        }
    }
    return true;
}

static bool count_connection(struct sk_conn *conn)
{
    struct sk_site *site = conn->tenant->site;
    uint64_t open = sk_tenant_connections(conn->tenant, 1);
    conn->counted = true;
    return !site || !site->set.connections || open <= site->set.connections;
}

/* The handshake is done: the protocol begins. */
static bool begin_protocol(struct sk_conn *conn)
{
    struct sk_site *site = conn->tls ? sk_tls_owner(conn->tls) : NULL;
    conn->handshaken = true;
    grown(conn);
    if (site) {
        conn->tenant = site->tenant;
        conn->tenant->refs++;
        bool read = sk_certificate_read(conn, site) == 0;
        (void)sk_site_unref(site);
        if (!read) {
            return false;
        }
        if (!count_connection(conn)) {
            record_refused(conn, "too-many-connections", SK_SLICE_NULL);
            SK_COUNT_UP(conn->gate, limited, 1);
            return false;
        }
    }
    bool h2 = conn->tls && sk_tls_is_h2(conn->tls);
    conn->server = sk_server_new(h2 ? SK_HTTP2 : SK_HTTP1, &sk_exchange_handler, conn);
    if (conn->server && conn->gate->draining) {
        sk_server_drain(conn->server);
    }
    return conn->server != NULL;
}

static bool handshake(struct sk_conn *conn)
{
    int r = sk_tls_handshake(conn->tls);
    if (r == -EAGAIN) {
        sk_io_want(&conn->io, sk_tls_wants_write(conn->tls) ? SK_WRITE : SK_READ);
        return true;
    }
    if (r < 0) {
        SK_COUNT_UP(conn->gate, handshake_failures, 1);
        struct sk_site *site = sk_tls_owner(conn->tls);
        if (site) {
            conn->tenant = site->tenant;
            conn->tenant->refs++;
        }
        record_refused(conn, "handshake-failed", sk_slice_str(sk_tls_error(conn->tls)));
        return false;
    }
    return begin_protocol(conn);
}

/* ---- PROXY protocol v2 (from listed balancers alone, and from them always) ---- */

/* Exactly the header is read from the socket, not a byte of what follows. */
static bool read_proxy(struct sk_conn *conn)
{
    for (;;) {
        struct sk_slice header = sk_slice(conn->prefix, conn->prefix_len);
        struct sk_addr address = conn->address;
        size_t want = sk_prefix_size(header);
        bool whole = conn->prefix_len == want;
        if (want > sizeof(conn->prefix) || (whole && sk_prefix_read(header, &address))) {
            record_refused(conn, "bad-proxy-header", SK_SLICE_NULL);
            return false;
        }
        if (whole) {
            conn->proxied = false;
            conn->address = address;
            conn->address_bytes_len = address.family == SK_FAMILY_V4 ? 4 : 16;
            return handshake(conn);
        }
        ssize_t n = recv(conn->io.ev.fd, conn->prefix + conn->prefix_len, want - conn->prefix_len, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n <= 0) {
            return false;
        }
        conn->prefix_len += (size_t)n;
    }
}

/* ---- events ---- */

static void conn_ready(struct sk_io *io, int events)
{
    struct sk_conn *conn = SK_CONTAINER(io, struct sk_conn, io);
    bool alive;
    conn->in_callback = true;
    if (conn->closing) {
        alive = drop_input(conn);
    } else if (conn->proxied) {
        alive = read_proxy(conn);
    } else if (!conn->server) {
        alive = handshake(conn);
    } else {
        alive = !(events & SK_READ) || read_some(conn);
    }
    if (alive && !conn->freed && !conn->closing && conn->server) {
        sk_conn_touch(conn);
    }
    if (alive && !conn->freed && !conn->closing) {
        set_timer(conn);
    }
    conn->in_callback = false;
    if (conn->freed) {
        if (!conn->dirty) {
            free(conn);
        }
    } else if (!alive) {
        sk_conn_free(conn);
    }
}

/*
 * Nobody has moved on this connection for the idle time. A request whose body has stopped coming is refused; true when
 * some other exchange is the upstream's to move, whose own time-outs then count.
 */
static bool judge_silence(struct sk_conn *conn)
{
    bool served = false;
    for (struct sk_exchange *x = conn->gate->exchanges, *next; x; x = next) {
        next = x->next;
        if (x->conn != conn || x->stream->request.websocket) {
            served = served || x->conn == conn;
            continue;
        }
        bool taken = x->unconsumed == 0 && sk_buf_len(&x->early) == 0;
        if (!x->body_ended && !x->recorded && taken) {
            x->timed_out = true;
            sk_conn_touch(conn);
            sk_exchange_deny(x, 408, SK_AUDIT_DECISION_ERROR, sk_refusal_text(SK_REFUSAL_TIMEOUT));
            served = true; /* the answer is to be sent */
        } else {
            /* What was answered and not taken is the client's to move. */
            served = served || !x->responded || (x->up && sk_stream_room(x->stream) == SK_STREAM_WINDOW);
        }
    }
    return served;
}

static void conn_expired(struct sk_timer *timer)
{
    struct sk_conn *conn = SK_CONTAINER(timer, struct sk_conn, timer);
    const struct sk_control_limits *limits = &conn->gate->limits;
    uint64_t now = sk_clock_boot(), quiet = now - conn->activity;
    if (conn->closing) {
        sk_conn_free(conn);
        return;
    }
    if (!conn->server) {
        record_refused(conn, "handshake-timeout", SK_SLICE_NULL);
        sk_conn_free(conn);
    } else if (sk_server_in_head(conn->server)) {
        record_refused(conn, "header-timeout", SK_SLICE_NULL);
        sk_conn_free(conn);
    } else if (quiet < limits->idle) {
        sk_timer_set(timer, limits->idle - quiet);
    } else if (judge_silence(conn)) {
        sk_timer_set(timer, limits->idle);
    } else {
        sk_conn_free(conn);
    }
}

static bool is_balancer(const struct sk_gate *gate, const struct sk_addr *address)
{
    for (size_t i = 0; i < gate->balancers_count; i++) {
        if (sk_cidr_covers(&gate->balancers[i], address)) {
            return true;
        }
    }
    return false;
}

/*
 * Who has not finished a handshake is nobody's yet, and could hold every descriptor: when there are no more, the one
 * that has been at it longest makes room. Else the next second is waited for, by this listener alone.
 */
static bool make_room(struct sk_gate *gate, int listener)
{
    if (!gate->young) {
        sk_gate_rest(gate, listener);
        return false;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): who is freed is no longer in the list */
    record_refused(gate->young, "too-many-connections", SK_SLICE_NULL);
    SK_COUNT_UP(gate, limited, 1);
    sk_conn_free(gate->young);
    return true;
}

static void enlist(struct sk_gate *gate, struct sk_conn *conn)
{
    conn->next = gate->conns;
    conn->link = &gate->conns;
    if (conn->next) {
        conn->next->link = &conn->next;
    }
    gate->conns = conn;
    gate->conns_count++;
    if (!conn->observe) {
        conn->young_link = gate->young_last;
        *gate->young_last = conn;
        gate->young_last = &conn->young_next;
    }
    SK_COUNT_UP(gate, connections, 1);
    atomic_fetch_add_explicit(&gate->counters->open_connections, 1, memory_order_relaxed);
}

bool sk_conn_accept(struct sk_gate *gate, int listener, bool observe)
{
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    bool full = gate->conns_count >= gate->conns_most && !observe;
    if (full && !gate->young) {
        sk_gate_rest(gate, listener);
        return false;
    }
    int fd = accept4(listener, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        full = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return full && make_room(gate, listener);
    }
    if (full) {
        (void)make_room(gate, listener); /* not before: whoever comes is there now */
    }
    struct sk_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        (void)close(fd);
        return true;
    }
    conn->gate = gate;
    conn->observe = observe;
    conn->activity = sk_clock_boot();
    sk_addr_from_sockaddr(&conn->address, &from);
    conn->address_bytes_len = conn->address.family == SK_FAMILY_V4 ? 4 : conn->address.family == SK_FAMILY_V6 ? 16 : 0;
    conn->proxied = !observe && is_balancer(gate, &conn->address);
    enlist(gate, conn);
    sk_io_init(&conn->io, gate->loop, fd, conn_ready);
    sk_timer_init(&conn->timer, gate->loop, conn_expired);
    if (observe) {
        conn->server = sk_server_new(SK_HTTP1, &sk_exchange_handler, conn);
    } else {
        conn->tls = sk_tls_accept(gate->tls, fd);
    }
    if (!conn->tls && !conn->server) {
        sk_conn_free(conn);
        return true;
    }
    sk_io_want(&conn->io, SK_READ);
    conn_ready(&conn->io, SK_READ);
    return true;
}
