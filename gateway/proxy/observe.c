/* /healthz, /readyz and /metrics on the observe listener. Plain HTTP, meant for loopback. Runs in the workers. */
#include "proxy/exchange.h"

#include "base/clock.h"

static const struct {
    const char *name, *help;
} counters[] = {
#define X(name, help) {#name, help},
        SK_COUNTERS(X)
#undef X
};

/* The n-th counter of all workers together; the struct begins with them in the table's order. */
static uint64_t sum(const struct sk_shared *shared, uint64_t workers, size_t n)
{
    uint64_t total = 0;
    for (uint64_t w = 0; w < workers && w < SK_SHARED_WORKERS; w++) {
        const _Atomic uint64_t *first = (const void *)&shared->workers[w];
        total += atomic_load_explicit(first + n, memory_order_relaxed);
    }
    return total;
}

static int gauge(struct sk_buf *out, const char *name, const char *help, uint64_t value)
{
    return sk_buf_printf(out, "# HELP sekisho_%s %s\n# TYPE sekisho_%s gauge\nsekisho_%s %llu\n", name, help, name, name, (unsigned long long)value);
}

static int put_metrics(struct sk_gate *gate, struct sk_buf *out)
{
    const struct sk_shared *s = gate->shared;
    int r = 0;
    for (size_t i = 0; r == 0 && i < SK_COUNT(counters); i++) {
        r = sk_buf_printf(out, "# HELP sekisho_%s_total %s\n# TYPE sekisho_%s_total counter\nsekisho_%s_total %llu\n", counters[i].name,
                counters[i].help, counters[i].name, counters[i].name, (unsigned long long)sum(s, gate->workers, i));
    }
    r = r ? r : gauge(out, "open_connections", "Client connections open now", sum(s, gate->workers, SK_COUNT(counters)));
    r = r ? r : gauge(out, "open_requests", "Requests being served now", sum(s, gate->workers, SK_COUNT(counters) + 1));
    r = r ? r : gauge(out, "open", "1 while the gate admits", sk_gate_open(gate));
    r = r ? r : gauge(out, "tenants", "Tenants known", gate->tenants.count);
    r = r ? r : gauge(out, "config_last_reload_success", "1 when the last reload was taken", atomic_load(&s->reload_success));
    return r ? r : gauge(out, "config_last_reload_success_timestamp_seconds", "When the configuration last changed", atomic_load(&s->reload_time));
}

void sk_observe(struct sk_exchange *x)
{
    static struct sk_field plain[] = {{{"content-type", 12}, {"text/plain; charset=utf-8", 25}}};
    static struct sk_field prometheus[] = {{{"content-type", 12}, {"text/plain; version=0.0.4; charset=utf-8", 40}}};
    const struct sk_request *r = &x->stream->request;
    bool get = sk_slice_eq(r->method, SK_LIT("GET")) || sk_slice_eq(r->method, SK_LIT("HEAD"));
    bool open = sk_gate_open(x->gate) && !x->gate->draining;
    if (get && sk_slice_eq(r->path, SK_LIT("/healthz"))) {
        sk_exchange_answer(x, 200, SK_AUDIT_DECISION_ALLOW, SK_SLICE_NULL, plain, 1, SK_LIT("ok\n"));
    } else if (get && sk_slice_eq(r->path, SK_LIT("/readyz"))) {
        sk_exchange_answer(x, open ? 200 : 503, SK_AUDIT_DECISION_ALLOW, SK_SLICE_NULL, plain, 1, open ? SK_LIT("ready\n") : SK_LIT("shut\n"));
    } else if (get && sk_slice_eq(r->path, SK_LIT("/metrics"))) {
        struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 10);
        int failed = put_metrics(x->gate, &out);
        struct sk_slice body = failed ? SK_SLICE_NULL : sk_arena_copy(x->arena, sk_buf_peek(&out));
        sk_exchange_answer(x, body.data ? 200 : 500, SK_AUDIT_DECISION_ALLOW, SK_SLICE_NULL, prometheus, 1, body);
    } else {
        sk_exchange_answer(x, 404, SK_AUDIT_DECISION_DENY, SK_SLICE_NULL, plain, 1, SK_LIT("no such page; there are /healthz /readyz /metrics\n"));
    }
}
