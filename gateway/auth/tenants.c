/* The tenants that auth decides for, as the supervisor names them: for no other is anything done. */
#include "auth/jobs.h"

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
    tenant->inactivity = m->inactivity;
    tenant->expiration = m->expiration;
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
    sk_table_remove(&auth->tenants, &tenant->node);
    free(tenant);
}
