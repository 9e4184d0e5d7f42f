/* What is said of keeping. Runs in audit alone. */
#include "audit/tenure.h"

#include "base/clock.h"
#include "crypto/digest.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t hash_of(const uint8_t id[SK_ID_SIZE])
{
    return sk_table_hash(sk_slice(id, SK_ID_SIZE));
}

struct tenure_service *tenure_find_service(const struct tenure *t, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&t->services, hash_of(id)); n; n = sk_table_next(n)) {
        struct tenure_service *service = SK_CONTAINER(n, struct tenure_service, node);
        if (memcmp(service->id, id, SK_ID_SIZE) == 0) {
            return service;
        }
    }
    return NULL;
}

struct tenure_tenant *tenure_find_tenant(const struct tenure *t, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&t->tenants, hash_of(id)); n; n = sk_table_next(n)) {
        struct tenure_tenant *tenant = SK_CONTAINER(n, struct tenure_tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

static void copy_name(struct sk_slice name, char out[TENURE_NAME])
{
    name = sk_slice_cut(name, TENURE_NAME - 1);
    memcpy(out, name.len ? name.data : "", name.len);
    out[name.len] = '\0';
}

int tenure_service(struct tenure *t, struct sk_slice name, uint32_t days)
{
    uint8_t id[SK_SHA256_SIZE] = {0};
    if (name.len) {
        sk_digest_sha256(name, id);
    }
    struct tenure_service *service = tenure_find_service(t, id);
    if (!service) {
        service = calloc(1, sizeof(*service));
        if (!service || sk_table_add(&t->services, &service->node, hash_of(id))) {
            free(service);
            return -ENOMEM;
        }
        memcpy(service->id, id, SK_ID_SIZE);
        copy_name(name, service->name);
    }
    t->changes += service->days != days;
    t->unsaid = true;
    t->told = t->told || !name.len;
    service->days = days;
    return 0;
}

int tenure_tenant(struct tenure *t, const uint8_t id[SK_ID_SIZE], struct sk_slice name, const struct tenure_terms *terms)
{
    struct tenure_tenant *tenant = tenure_find_tenant(t, id);
    if (!tenant) {
        tenant = calloc(1, sizeof(*tenant));
        if (!tenant || sk_table_add(&t->tenants, &tenant->node, hash_of(id))) {
            free(tenant);
            return -ENOMEM;
        }
        memcpy(tenant->id, id, SK_ID_SIZE);
        tenant->terms.ends = UINT64_MAX;
    }
    const struct tenure_terms before = tenant->terms;
    t->changes += before.hold != terms->hold || before.ends != terms->ends || before.recoverable != terms->recoverable;
    t->unsaid = true;
    copy_name(name, tenant->name);
    tenant->since = before.ends != terms->ends ? sk_clock_boot() : tenant->since;
    tenant->terms = *terms;
    return 0;
}

int tenure_recovery(struct tenure *t, struct sk_slice pem)
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(pem, hash);
    if (memcmp(hash, t->recovery_hash, sizeof(hash)) != 0) {
        memcpy(t->recovery_hash, hash, sizeof(hash));
        t->recovery = sk_wrap_free(t->recovery);
        t->recovery = pem.len ? sk_wrap_public(pem) : NULL;
        t->changes++;
    }
    return pem.len && !t->recovery;
}

int tenure_say(struct tenure *t, struct sk_writer *writer)
{
    int result = 0;
    for (struct sk_table_node *n = t->unsaid ? sk_table_walk(&t->services, NULL) : NULL; result == 0 && n; n = sk_table_walk(&t->services, n)) {
        const struct tenure_service *service = SK_CONTAINER(n, struct tenure_service, node);
        bool first = sk_keys_said(sk_writer_keys(writer), SK_KEYS_DAYS, service->id) == 0;
        result = first ? sk_writer_say(writer, SK_KEYS_DAYS, service->id, service->days) : 0;
    }
    for (struct sk_table_node *n = t->unsaid ? sk_table_walk(&t->tenants, NULL) : NULL; result == 0 && n; n = sk_table_walk(&t->tenants, n)) {
        const struct tenure_tenant *tenant = SK_CONTAINER(n, struct tenure_tenant, node);
        result = sk_writer_say(writer, SK_KEYS_HOLD, tenant->id, tenant->terms.hold);
    }
    t->unsaid = t->unsaid && result;
    return result;
}

uint32_t tenure_days(const struct tenure *t, const struct sk_keys *keys, const uint8_t service[SK_ID_SIZE])
{
    const struct tenure_service *told = tenure_find_service(t, service);
    return told ? told->days : sk_keys_said(keys, SK_KEYS_DAYS, service);
}

bool tenure_is_held(const struct tenure *t, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    const struct tenure_tenant *told = tenure_find_tenant(t, tenant);
    return told ? told->terms.hold : sk_keys_said(keys, SK_KEYS_HOLD, tenant) != 0;
}

static void free_all(struct sk_table *table, size_t offset)
{
    for (struct sk_table_node *n = sk_table_walk(table, NULL); n;) {
        struct sk_table_node *next = sk_table_walk(table, n);
        free((char *)n - offset);
        n = next;
    }
    sk_table_free(table);
}

void tenure_free(struct tenure *t)
{
    t->recovery = sk_wrap_free(t->recovery);
    free_all(&t->services, offsetof(struct tenure_service, node));
    free_all(&t->tenants, offsetof(struct tenure_tenant, node));
}
