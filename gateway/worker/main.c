/*
 * A worker: one event loop that serves client connections. It holds TLS keys in use, policy images mapped read-only,
 * and grants; it can open no file, start no program, and reach the store only by asking auth. Own uid.
 */
#include "proxy/gate.h"

#include "base/log.h"
#include "ipc/child.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

struct worker {
    struct sk_child child;
    struct sk_gate gate;
    struct sk_timer drain;
};

static void drained(struct sk_gate *gate)
{
    sk_loop_stop(gate->loop);
}

static void drain_over(struct sk_timer *timer)
{
    sk_loop_stop(timer->loop);
}

static void drain(struct worker *worker)
{
    if (!worker->gate.draining) {
        worker->gate.drained = drained;
        sk_timer_init(&worker->drain, worker->child.loop, drain_over);
        sk_timer_set(&worker->drain, worker->gate.limits.drain ? worker->gate.limits.drain : 1);
        sk_gate_drain(&worker->gate);
    }
}

static void upstream_changed(struct sk_gate *gate sk_unused, const struct sk_upstream *upstream, bool up)
{
    char text[SK_ADDR_TEXT];
    (void)sk_addr_text_port(&upstream->address, text);
    sk_log(up ? SK_EVENT_UPSTREAM_UP : SK_EVENT_UPSTREAM_DOWN, SK_TEXT("address", text), SK_SLICE("tenant", upstream->app->site->set.name));
}

/* Auth lives and does not talk to this process: a message could not be brought, and what it said is unknown. */
static void abandoned(struct sk_gate *gate)
{
    sk_log(SK_EVENT_FATAL, SK_TEXT("what", "auth ended its channel"));
    sk_loop_stop(gate->loop);
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct worker *worker = child->context;
    if (hello->secret.len != sizeof(worker->gate.secret)) {
        return -EINVAL;
    }
    int r = sk_gate_init(&worker->gate, child->loop, (const uint8_t *)hello->secret.data, hello->index);
    worker->gate.upstream_changed = upstream_changed;
    worker->gate.abandoned = abandoned;
    return r;
}

static void add_image(struct sk_gate *gate, const struct sk_control_image *m, int fd)
{
    int r = sk_tenant_update(gate, m, fd);
    if (r < 0) {
        sk_log(SK_EVENT_FATAL, SK_TEXT("what", "a tenant's image was not taken"), SK_TEXT("error", strerror(-r)));
        sk_loop_stop(gate->loop); /* serving an old policy under a new name would be worse than a fresh start */
    }
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct worker *worker = child->context;
    struct sk_gate *gate = &worker->gate;
    int r = 0;
    switch (code) {
    case SK_CONTROL_LIMITS:
        gate->limits = *(const struct sk_control_limits *)message;
        gate->workers = gate->limits.workers;
        break;
    case SK_CONTROL_PEER:
        r = sk_auth_connect(gate, fds[0]);
        break;
    case SK_CONTROL_RING:
        r = sk_recorder_open(&gate->recorder, fds, gate->limits.flush_deadline);
        break;
    case SK_CONTROL_LOST:
        if (((const struct sk_control_lost *)message)->peer == SK_PEER_AUDIT) {
            sk_recorder_lost(&gate->recorder);
        } else {
            gate->forsaken = 0; /* auth itself is gone, and will be back */
            if (gate->auth) {
                sk_auth_lost(gate);
            }
        }
        break;
    case SK_CONTROL_SHARED:
        r = sk_gate_share(gate, fds[0]);
        break;
    case SK_CONTROL_LISTENER:
        r = sk_gate_listen(gate, fds[0], ((const struct sk_control_listener *)message)->observe);
        break;
    case SK_CONTROL_BALANCERS:
        sk_gate_balancers(gate, ((const struct sk_control_balancers *)message)->cidrs);
        break;
    case SK_CONTROL_IMAGE:
        add_image(gate, message, fds[0]);
        break;
    case SK_CONTROL_GONE:
        sk_tenant_gone(gate, ((const struct sk_control_gone *)message)->tenant);
        break;
    case SK_CONTROL_LOADED:
        gate->loaded = true;
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
        break;
    default:
        break;
    }
    if (r < 0) {
        sk_log(SK_EVENT_FATAL, SK_NUMBER("message", code), SK_TEXT("error", strerror(-r)));
        sk_loop_stop(child->loop);
    }
}

static void on_stop(struct sk_child *child)
{
    drain(child->context);
}

int main(void)
{
    static const struct sk_child_program program = {.name = "worker", .network = true, .hello = on_hello, .told = on_told, .stop = on_stop};
    static struct worker worker;
    sk_log_init("sekisho-worker");
    /* Buffers come and go with every body and handshake: some memory stays at hand, instead of being faulted in again. */
    (void)mallopt(M_TRIM_THRESHOLD, 2 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    return sk_child_run(&worker.child, &program, &worker);
}
