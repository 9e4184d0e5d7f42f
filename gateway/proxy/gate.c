/* The gate as a whole. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK SK_SECOND
#define ACCEPTS_PER_TURN 16
#define FORSAKEN_MAX 3U
#define OWN_FILES 64U /* listeners, channels, rings and the like, at most */

struct sk_listener {
    struct sk_listener *next;
    struct sk_gate *gate;
    struct sk_io io;
    bool observe;
};

bool sk_gate_open(const struct sk_gate *gate)
{
    return gate->loaded && gate->auth && gate->auth_open && sk_recorder_works(&gate->recorder);
}

static int choose_host(void *context, struct sk_slice host, struct sk_tls_choice *choice)
{
    struct sk_site *site = sk_site_of_host(context, host);
    choice->identity = site ? sk_site_identity(site, host) : NULL;
    if (!choice->identity || !sk_site_clients(site)) {
        return 1;
    }
    choice->trust = sk_tls_trust_ref(site->trust);
    choice->certificate_required = site->clients.required;
    memcpy(choice->tenant, site->tenant->id, SK_ID_SIZE);
    choice->owner = sk_site_ref(site); /* until the handshake is over: conn.c gives it back */
    return 0;
}

static void before_sleep(struct sk_idle *idle)
{
    struct sk_gate *gate = SK_CONTAINER(idle, struct sk_gate, idle);
    sk_conns_flush(gate);
    sk_recorder_flush(&gate->recorder);
}

void sk_gate_rest(struct sk_gate *gate, int fd)
{
    for (struct sk_listener *listener = gate->listeners; listener; listener = listener->next) {
        if (listener->io.ev.fd == fd) {
            sk_io_want(&listener->io, 0);
        }
    }
}

static void on_tick(struct sk_timer *timer)
{
    struct sk_gate *gate = SK_CONTAINER(timer, struct sk_gate, tick);
    for (struct sk_listener *listener = gate->listeners; listener; listener = listener->next) {
        sk_io_want(&listener->io, SK_READ);
    }
    sk_grants_tick(gate);
    sk_certificates_tick(gate);
    if (gate->forsaken && gate->forsaken++ == FORSAKEN_MAX && gate->abandoned) {
        gate->abandoned(gate);
    }
    sk_timer_set(&gate->tick, TICK);
}

/* Descriptors for clients: one each, and as many again for the upstreams that serve them. */
static size_t conns_most(void)
{
    struct rlimit files = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur > 2UL * OWN_FILES ? (size_t)files.rlim_cur / 2 - OWN_FILES / 2 : OWN_FILES / 2;
}

int sk_gate_init(struct sk_gate *gate, struct sk_loop *loop, const uint8_t secret[32], uint64_t index)
{
    *gate = (struct sk_gate){.loop = loop, .index = index, .workers = 1, .jwks = SK_BUF_INIT(8192), .conns_most = conns_most()};
    gate->young_last = &gate->young;
    memcpy(gate->secret, secret, sizeof(gate->secret));
    sk_recorder_init(&gate->recorder, loop);
    sk_idle_start(&gate->idle, loop, before_sleep);
    sk_timer_init(&gate->tick, loop, on_tick);
    sk_timer_set(&gate->tick, TICK);
    gate->tls = sk_tls_server_new(secret, choose_host, gate);
    return gate->tls ? 0 : -EIO;
}

static void listener_ready(struct sk_io *io, int events sk_unused)
{
    struct sk_listener *listener = SK_CONTAINER(io, struct sk_listener, io);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        if (!sk_conn_accept(listener->gate, io->ev.fd, listener->observe)) {
            break;
        }
    }
}

int sk_gate_listen(struct sk_gate *gate, int fd, bool observe)
{
    struct sk_listener *listener = calloc(1, sizeof(*listener));
    if (!listener) {
        (void)close(fd);
        return -ENOMEM;
    }
    int on = 1, seconds = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    /* A connection comes with its first bytes; who stays silent comes a little later, and has its time-out then. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    listener->gate = gate;
    listener->observe = observe;
    listener->next = gate->listeners;
    gate->listeners = listener;
    sk_io_init(&listener->io, gate->loop, fd, listener_ready);
    sk_io_want(&listener->io, SK_READ);
    return 0;
}

int sk_gate_share(struct sk_gate *gate, int fd)
{
    void *memory = mmap(NULL, sizeof(struct sk_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    gate->shared = memory;
    gate->counters = &gate->shared->workers[gate->index % SK_SHARED_WORKERS];
    /* What the worker before this one held open died with it. */
    atomic_store(&gate->counters->open_connections, 0);
    atomic_store(&gate->counters->open_requests, 0);
    atomic_fetch_add(&gate->counters->generation, 1);
    return 0;
}

void sk_gate_balancers(struct sk_gate *gate, struct sk_slice cidrs)
{
    gate->balancers_count = 0;
    while (cidrs.len && gate->balancers_count < SK_COUNT(gate->balancers)) {
        if (sk_cidr_parse(sk_slice_split(&cidrs, ','), &gate->balancers[gate->balancers_count]) == 0) {
            gate->balancers_count++;
        }
    }
}

void sk_gate_drain(struct sk_gate *gate)
{
    gate->draining = true;
    while (gate->listeners) {
        struct sk_listener *listener = gate->listeners;
        gate->listeners = listener->next;
        sk_io_want(&listener->io, 0);
        (void)close(listener->io.ev.fd);
        free(listener);
    }
    for (struct sk_conn *conn = gate->conns, *next; conn; conn = next) {
        next = conn->next;
        if (conn->server) {
            sk_server_drain(conn->server);
            sk_conn_touch(conn);
        } else {
            sk_conn_free(conn);
        }
    }
    if (!gate->conns && gate->drained) {
        gate->drained(gate);
    }
}
