/* The tenants that auth decides for, as the supervisor names them: for no other is anything done. */
#include "auth/factors.h"
#include "auth/programs.h"

#include <stdio.h>
#include <stdlib.h>

struct tenant *auth_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(id, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&auth->tenants, hash); n; n = sk_table_next(n)) {
        struct tenant *tenant = SK_CONTAINER(n, struct tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

bool auth_tenant_has(struct auth *auth, const struct tenant *tenant, struct sk_slice host)
{
    for (struct sk_table_node *n = sk_table_first(&auth->hosts, sk_table_hash(host)); n; n = sk_table_next(n)) {
        const struct host *h = SK_CONTAINER(n, struct host, node);
        if (h->tenant == tenant && sk_slice_eq(h->name, host)) {
            return true;
        }
    }
    return false;
}

static void drop_hosts(struct auth *auth, struct tenant *tenant)
{
    while (tenant->hosts) {
        struct host *host = tenant->hosts;
        tenant->hosts = host->next;
        sk_table_remove(&auth->hosts, &host->node);
        free(host);
    }
}

/* Without memory the tenant lacks some: nobody is logged in there. */
static void add_hosts(struct auth *auth, struct tenant *tenant, struct sk_slice names)
{
    while (names.len) {
        struct sk_slice name = sk_slice_split(&names, ',');
        struct host *host = calloc(1, sizeof(*host) + name.len);
        if (!host || sk_table_add(&auth->hosts, &host->node, sk_table_hash(name))) {
            free(host);
            return;
        }
        memcpy(host + 1, name.data, name.len);
        host->name = sk_slice(host + 1, name.len);
        host->tenant = tenant;
        host->next = tenant->hosts;
        tenant->hosts = host;
    }
}

void auth_set_tenant(struct auth *auth, const struct sk_control_tenant *m)
{
    struct tenant *tenant = auth_tenant(auth, m->tenant);
    if (!tenant) {
        tenant = calloc(1, sizeof(*tenant));
        if (!tenant || sk_table_add(&auth->tenants, &tenant->node, sk_table_hash(sk_slice(m->tenant, SK_ID_SIZE)))) {
            free(tenant);
            return;
        }
        memcpy(tenant->id, m->tenant, SK_ID_SIZE);
    }
    (void)snprintf(tenant->name, sizeof(tenant->name), "%.*s@%.*s", (int)m->name.len, m->name.data, (int)m->service.len, m->service.data);
    tenant->inactivity = m->inactivity;
    tenant->expiration = m->expiration;
    tenant->max_retries = m->max_retries;
    tenant->find_time = m->find_time;
    tenant->ban_time = m->ban_time;
    tenant->password_least = m->password_least;
    free(tenant->managers);
    free(tenant->auditors);
    tenant->managers = strndup(m->managers.data ? m->managers.data : "", m->managers.len);
    tenant->auditors = strndup(m->auditors.data ? m->auditors.data : "", m->auditors.len);
    tenant->certificates = m->certificates;
    if (m->part == 0) {
        auth_begin_issuers(tenant);
        drop_hosts(auth, tenant);
    }
    add_hosts(auth, tenant, m->hosts);
}

void auth_set_fido2(struct auth *auth, const struct sk_control_fido2 *m)
{
    struct tenant *tenant = auth_tenant(auth, m->tenant);
    const struct sk_slice from[] = {m->rp_id, m->roots, m->allow, m->deny};
    size_t size = sizeof(struct fido2) + auth_texts_size(from, SK_COUNT(from));
    struct fido2 *fido2 = tenant ? malloc(size) : NULL;
    if (!fido2) {
        return;
    }
    struct sk_slice *const to[] = {&fido2->rp_id, &fido2->roots, &fido2->allow, &fido2->deny};
    auth_texts_copy((char *)(fido2 + 1), from, to, SK_COUNT(from));
    fido2->policy = m->policy;
    fido2->verification = m->verification;
    fido2->most = m->most;
    free(tenant->fido2);
    tenant->fido2 = fido2;
}

void auth_drop_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE])
{
    struct tenant *tenant = auth_tenant(auth, id);
    if (!tenant) {
        return;
    }
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (job->tenant == tenant) {
            auth_refuse(job, "tenant-unknown");
        }
    }
    auth_revoke(auth, id, SK_SLICE_NULL, SK_SLICE_NULL);
    drop_hosts(auth, tenant);
    auth_begin_issuers(tenant);
    auth_drop_issuers(auth, tenant);
    auth_proofs_drop_tenant(auth, tenant);
    auth_spent_drop_tenant(auth, tenant);
    sk_table_remove(&auth->tenants, &tenant->node);
    free(tenant->fido2);
    free(tenant->managers);
    free(tenant->auditors);
    free(tenant);
}
