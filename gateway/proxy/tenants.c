/* Tenants and their images. Runs in the workers. */
#include "proxy/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sk_tenant *tenant_find(struct sk_gate *gate, const uint8_t id[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(id, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&gate->tenants, hash); n; n = sk_table_next(n)) {
        struct sk_tenant *tenant = SK_CONTAINER(n, struct sk_tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

struct sk_tenant *sk_tenant_unref(struct sk_tenant *tenant)
{
    if (tenant && --tenant->refs == 0) {
        sk_table_remove(&tenant->gate->tenants, &tenant->node);
        free(tenant);
    }
    return NULL;
}

static struct sk_tenant *tenant_make(struct sk_gate *gate, const uint8_t id[SK_ID_SIZE])
{
    struct sk_tenant *tenant = tenant_find(gate, id);
    if (tenant) {
        tenant->refs++;
        return tenant;
    }
    tenant = calloc(1, sizeof(*tenant));
    if (!tenant) {
        return NULL;
    }
    tenant->gate = gate;
    tenant->refs = 1;
    memcpy(tenant->id, id, SK_ID_SIZE);
    if (sk_table_add(&gate->tenants, &tenant->node, sk_table_hash(sk_slice(id, SK_ID_SIZE)))) {
        free(tenant);
        return NULL;
    }
    return tenant;
}

struct sk_usage *sk_tenant_usage(struct sk_tenant *tenant)
{
    return &tenant->gate->shared->tenants[tenant->slot % SK_SHARED_TENANTS];
}

uint64_t sk_tenant_connections(struct sk_tenant *tenant, int more)
{
    struct sk_gate *gate = tenant->gate;
    struct sk_usage *usage = sk_tenant_usage(tenant);
    _Atomic uint64_t *own = &usage->connections[gate->index % SK_SHARED_WORKERS];
    uint64_t generation = atomic_load(&gate->counters->generation) << 32, value = atomic_load(own), total = 0;
    value = value >> 32 == generation >> 32 ? value & UINT32_MAX : 0;
    value = more > 0 ? value + 1 : value - (value > 0);
    atomic_store(own, generation | value);
    for (uint64_t w = 0; w < gate->workers && w < SK_SHARED_WORKERS; w++) {
        uint64_t there = atomic_load(&usage->connections[w]);
        total += there >> 32 == (atomic_load(&gate->shared->workers[w].generation) & UINT32_MAX) ? there & UINT32_MAX : 0;
    }
    return total;
}

struct sk_site *sk_site_of_host(struct sk_gate *gate, struct sk_slice host)
{
    for (struct sk_table_node *n = sk_table_first(&gate->hosts, sk_table_hash(host)); n; n = sk_table_next(n)) {
        struct sk_host *h = SK_CONTAINER(n, struct sk_host, node);
        if (sk_slice_eq(h->name, host)) {
            return h->site;
        }
    }
    return NULL;
}

struct sk_site *sk_site_ref(struct sk_site *site)
{
    site->refs++;
    return site;
}

/* ---- a site's end ---- */

static void take_hosts_out(struct sk_site *site)
{
    while (site->hosts) {
        struct sk_host *host = site->hosts;
        site->hosts = host->next;
        sk_table_remove(&site->tenant->gate->hosts, &host->node);
        free(host);
    }
}

void sk_app_forget_secrets(struct sk_app *app)
{
    while (app->secrets) {
        struct sk_secret *secret = app->secrets;
        app->secrets = secret->next;
        explicit_bzero((void *)(uintptr_t)secret->value.data, secret->value.len);
        free(secret);
    }
}

static void app_free(struct sk_app *app)
{
    while (app->upstreams) {
        struct sk_upstream *upstream = app->upstreams;
        app->upstreams = upstream->next;
        sk_upstream_stop_probe(upstream);
        sk_upstream_close_idle(upstream);
        free(upstream);
    }
    sk_app_forget_secrets(app);
    app->tls = sk_tls_client_free(app->tls);
}

static void apps_free(struct sk_site *site)
{
    for (unsigned i = 0; i < site->apps_count; i++) {
        app_free(&site->apps[i]);
    }
    free(site->apps);
    site->apps = NULL;
    site->apps_count = 0;
}

struct sk_site *sk_site_unref(struct sk_site *site)
{
    if (!site || --site->refs > 0) {
        return NULL;
    }
    take_hosts_out(site);
    apps_free(site);
    while (site->identities) {
        struct sk_site_identity *entry = site->identities;
        site->identities = entry->next;
        (void)sk_tls_identity_free(entry->identity);
        free(entry);
    }
    (void)sk_tls_trust_unref(site->trust);
    (void)munmap(site->map, site->map_size);
    (void)sk_tenant_unref(site->tenant);
    free(site);
    return NULL;
}

/* ---- a site's beginning ---- */

static struct sk_site *site_map(const struct sk_control_image *m, int fd)
{
    long page = sysconf(_SC_PAGESIZE);
    uint64_t into = m->offset % (uint64_t)page;
    struct sk_site *site = calloc(1, sizeof(*site));
    if (!site) {
        return NULL;
    }
    site->map_size = (size_t)(m->size + into);
    site->map = mmap(NULL, site->map_size, PROT_READ, MAP_SHARED, fd, (off_t)(m->offset - into));
    if (site->map == MAP_FAILED || sk_image_open(&site->image, sk_slice((const char *)site->map + into, (size_t)m->size))) {
        if (site->map != MAP_FAILED) {
            (void)munmap(site->map, site->map_size);
        }
        free(site);
        return NULL;
    }
    site->refs = 1;
    return site;
}

/* Settings and hosts are read at once; certificates and apps when somebody comes. */
static int site_read(struct sk_site *site, struct sk_gate *gate)
{
    union sk_ipc_any message;
    uint16_t code;
    int r = 0;
    for (struct sk_slice rest = site->image.rest; r == 0 && sk_image_next(&rest, &message, &code) == 0;) {
        if (code == SK_TENANT_SETTINGS) {
            memcpy(&site->set, &message, sizeof(site->set));
        } else if (code == SK_TENANT_HOST) {
            struct sk_host *host = calloc(1, sizeof(*host));
            if (!host) {
                return -ENOMEM;
            }
            memcpy(&host->name, &((const struct sk_tenant_host *)(const void *)&message)->name, sizeof(host->name));
            host->site = site;
            r = sk_table_add(&gate->hosts, &host->node, sk_table_hash(host->name));
            if (r) {
                free(host);
                break;
            }
            host->next = site->hosts;
            site->hosts = host;
        } else {
            break; /* hosts come first */
        }
    }
    return r;
}

/* Open streams of the tenant are judged anew under the new rules. */
static void judge_open_streams(struct sk_tenant *tenant)
{
    struct sk_gate *gate = tenant->gate;
    for (struct sk_exchange *x = gate->exchanges, *next; x; x = next) {
        next = x->next;
        bool judged = x->step > SK_STEP_DECIDE && x->step != SK_STEP_ANSWERED;
        if (!judged || !x->site || x->site->tenant != tenant || !x->grant) {
            continue;
        }
        /* What was proven freshly enough when it began has not become too old by a reload. */
        bool allowed = tenant->site && sk_certificate_agrees(x->conn, tenant->site) &&
                       sk_exchange_judge(x, tenant->site, x->stream->request.path, sk_grant_subject(x->grant, tenant->site), 0).decision == SK_POLICY_ALLOW;
        if (!allowed) {
            sk_exchange_cut(x, "policy-changed");
        }
    }
}

int sk_tenant_update(struct sk_gate *gate, const struct sk_control_image *m, int fd)
{
    struct sk_site *site = site_map(m, fd);
    (void)close(fd);
    if (!site) {
        return -EINVAL;
    }
    struct sk_tenant *tenant = site->tenant = tenant_make(gate, m->tenant);
    if (!tenant) {
        (void)munmap(site->map, site->map_size);
        free(site);
        return -ENOMEM;
    }
    tenant->slot = m->slot;
    site->serial = ++gate->next_serial;
    struct sk_site *old = tenant->site;
    if (old) {
        take_hosts_out(old);
    }
    int r = site_read(site, gate);
    if (r) {
        /* Without memory for its hosts a tenant is unreachable: closed, not half open. */
        tenant->site = NULL;
        (void)sk_site_unref(old);
        (void)sk_site_unref(site);
        return r;
    }
    tenant->site = site;
    if (site->set.checked) {
        (void)!sk_site_prepare(site); /* its first request would find out too */
    }
    judge_open_streams(tenant);
    (void)sk_site_unref(old);
    return 0;
}

void sk_tenant_gone(struct sk_gate *gate, const uint8_t id[SK_ID_SIZE])
{
    struct sk_tenant *tenant = tenant_find(gate, id);
    if (tenant && tenant->site) {
        struct sk_site *old = tenant->site;
        take_hosts_out(old);
        tenant->site = NULL;
        tenant->refs++;
        judge_open_streams(tenant);
        (void)sk_site_unref(old);
        (void)sk_tenant_unref(tenant);
    }
}

/* ---- when somebody comes ---- */

static void parse_identities(struct sk_site *site)
{
    union sk_ipc_any message;
    uint16_t code;
    struct sk_site_identity **last = &site->identities;
    site->identities_parsed = true;
    for (struct sk_slice rest = site->image.rest; sk_image_next(&rest, &message, &code) == 0;) {
        const struct sk_tenant_certificate *m = (const void *)&message;
        const char *why;
        if (code == SK_TENANT_CLIENTS) {
            memcpy(&site->clients, &message, sizeof(site->clients));
        }
        struct sk_tls_identity *identity = code == SK_TENANT_CERTIFICATE ? sk_tls_identity_new(m->chain, m->key, &why) : NULL;
        struct sk_site_identity *entry = identity ? calloc(1, sizeof(*entry)) : NULL;
        if (entry) {
            entry->identity = identity;
            *last = entry;
            last = &entry->next;
        } else {
            (void)sk_tls_identity_free(identity);
        }
    }
}

/* The first that names the host; else the first of all, for its client to refuse. */
struct sk_tls_identity *sk_site_identity(struct sk_site *site, struct sk_slice host)
{
    if (!site->identities_parsed) {
        parse_identities(site);
    }
    const struct sk_site_identity *first = site->identities;
    bool one = first && !first->next;
    for (const struct sk_site_identity *entry = one ? NULL : first; entry; entry = entry->next) {
        if (sk_tls_identity_covers(entry->identity, host)) {
            return entry->identity;
        }
    }
    return first ? first->identity : NULL;
}

static struct sk_tls_trust *make_trust(const struct sk_tenant_clients *m)
{
    struct sk_buf lists SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(m->crls.len + m->fetched.len);
    unsigned rules = (m->crls.len || m->sources.len ? SK_TLS_LISTS : 0U) | (m->stale_crl ? SK_TLS_STALE : 0U);
    char why[SK_TLS_WHY];
    if (sk_buf_put(&lists, m->crls) || sk_buf_put(&lists, m->fetched)) {
        return NULL;
    }
    return sk_tls_trust_new(m->ca, sk_buf_peek(&lists), rules, why);
}

bool sk_site_clients(struct sk_site *site)
{
    if (!site->identities_parsed) {
        parse_identities(site);
    }
    if (site->clients.ca.len && !site->trust) {
        site->trust = make_trust(&site->clients);
    }
    return !site->clients.ca.len || site->trust;
}

static int add_upstream(struct sk_app *app, const struct sk_tenant_upstream *m)
{
    struct sk_upstream *upstream = calloc(1, sizeof(*upstream));
    if (!upstream || sk_addr_parse_port(m->address, &upstream->address)) {
        free(upstream);
        return -EINVAL;
    }
    upstream->app = app;
    upstream->tls = m->tls;
    upstream->name = m->name;
    struct sk_upstream **at = &app->upstreams;
    while (*at) {
        at = &(*at)->next;
    }
    *at = upstream;
    if (app->set.health.len) {
        sk_upstream_start_probe(upstream);
    }
    return 0;
}

static int read_app(struct sk_site *site, const struct sk_tenant_app *m)
{
    struct sk_app *app = &site->apps[site->apps_count++];
    app->site = site;
    app->set = *m;
    app->secrets_known = m->inject.len == 0;
    app->tls = m->ca.len ? sk_tls_client_new(m->ca) : NULL;
    return m->ca.len && !app->tls ? -EINVAL : 0;
}

int sk_site_prepare(struct sk_site *site)
{
    union sk_ipc_any message;
    uint16_t code;
    int r = 0;
    if (site->apps) {
        return 0;
    }
    site->apps = calloc(SK_POLICY_APPS, sizeof(*site->apps));
    if (!site->apps) {
        return -ENOMEM;
    }
    site->apps_count = 1;
    site->providers_count = 0;
    site->apps[0].site = site;
    for (struct sk_slice rest = site->image.rest; r == 0 && sk_image_next(&rest, &message, &code) == 0;) {
        if (code == SK_TENANT_APP && site->apps_count < SK_POLICY_APPS) {
            r = read_app(site, (const void *)&message);
        } else if (code == SK_TENANT_UPSTREAM) {
            r = add_upstream(&site->apps[site->apps_count - 1], (const void *)&message);
        } else if (code == SK_TENANT_PROVIDER && site->providers_count < SK_CONF_ISSUERS_MAX) {
            site->providers[site->providers_count++] = ((const struct sk_tenant_provider *)(const void *)&message)->name;
        }
    }
    if (r) {
        apps_free(site);
    }
    return r;
}
