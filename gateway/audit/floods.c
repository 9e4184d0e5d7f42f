/* Counting what there is too much of. Runs in audit alone. */
#include "audit/floods.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define REASON 64 /* as a record has it at most */
#define HOST 255

/* Those that are alike. */
struct kind {
    enum sk_audit_op op;
    enum sk_audit_decision decision;
    uint16_t status;
    uint8_t reason_len, address_len, host_len; /* no address, or host: of several */
    char reason[REASON], host[HOST];
    uint8_t address[16];
    uint64_t count;
};

struct flood {
    struct sk_table_node node;
    uint8_t tenant[SK_ID_SIZE];
    uint64_t second; /* boot time */
    uint32_t whole;  /* recorded as they are, in it */
    unsigned used;   /* kinds */
    struct kind *kinds; /* FLOODS_KINDS; NULL: there never was a flood */
};

static struct flood *find(struct floods *floods, const uint8_t tenant[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(tenant, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&floods->tenants, hash); n; n = sk_table_next(n)) {
        struct flood *flood = SK_CONTAINER(n, struct flood, node);
        if (memcmp(flood->tenant, tenant, SK_ID_SIZE) == 0) {
            return flood;
        }
    }
    struct flood *flood = calloc(1, sizeof(*flood));
    if (!flood || sk_table_add(&floods->tenants, &flood->node, hash)) {
        free(flood);
        return NULL;
    }
    memcpy(flood->tenant, tenant, SK_ID_SIZE);
    return flood;
}

bool floods_may(const struct sk_audit_record *r)
{
    bool refused = r->decision == SK_AUDIT_DECISION_DENY || r->decision == SK_AUDIT_DECISION_CHALLENGE;
    bool known = r->factors.len || r->session.len;
    return refused && !known && r->stage == SK_AUDIT_STAGE_SINGLE &&
           (r->op == SK_AUDIT_REQUEST || r->op == SK_AUDIT_LOGIN || r->op == SK_AUDIT_CONNECTION_REFUSED || r->op == SK_AUDIT_MESSAGE_REFUSED);
}

static bool is_kind(const struct kind *kind, const struct sk_audit_record *r)
{
    return kind->op == r->op && kind->decision == r->decision && kind->status == r->status && kind->reason_len == r->reason.len &&
           memcmp(kind->reason, r->reason.data ? r->reason.data : "", r->reason.len) == 0;
}

static uint8_t copy(struct sk_slice from, void *to, size_t most)
{
    size_t len = from.len <= most ? from.len : 0;
    memcpy(to, len ? from.data : "", len);
    return (uint8_t)len;
}

static bool is_same(struct sk_slice a, const void *b, size_t len)
{
    return sk_slice_eq(a, sk_slice(b, len));
}

/* NULL: there are too many. */
static struct kind *kind_of(struct flood *flood, const struct sk_audit_record *r)
{
    for (unsigned i = 0; i < flood->used; i++) {
        if (is_kind(&flood->kinds[i], r)) {
            return &flood->kinds[i];
        }
    }
    if (flood->used == FLOODS_KINDS || r->reason.len > REASON) {
        return NULL;
    }
    struct kind *kind = &flood->kinds[flood->used++];
    kind->op = r->op;
    kind->decision = r->decision;
    kind->status = r->status;
    kind->count = 0;
    kind->reason_len = copy(r->reason, kind->reason, REASON);
    kind->address_len = copy(r->address, kind->address, sizeof(kind->address));
    kind->host_len = copy(r->host, kind->host, HOST);
    return kind;
}

bool floods_take(struct floods *floods, const struct sk_audit_record *r)
{
    uint64_t second = sk_clock_boot() / SK_SECOND;
    struct flood *flood = find(floods, r->tenant);
    if (!flood) {
        return false;
    }
    flood->whole = flood->second == second ? flood->whole : 0;
    flood->second = second;
    if (flood->whole < FLOODS_WHOLE) {
        flood->whole++;
        return false;
    }
    flood->kinds = flood->kinds ? flood->kinds : calloc(FLOODS_KINDS, sizeof(*flood->kinds));
    bool first = flood->used == 0;
    struct kind *kind = flood->kinds ? kind_of(flood, r) : NULL;
    if (!kind) {
        return false;
    }
    kind->count++;
    kind->address_len = is_same(r->address, kind->address, kind->address_len) ? kind->address_len : 0;
    kind->host_len = is_same(r->host, kind->host, kind->host_len) ? kind->host_len : 0;
    floods->open += first;
    return true;
}

/* The last kind first: what is recorded is counted no more, whatever becomes of the others. */
static int flush(struct flood *flood, struct sk_writer *writer)
{
    int r = 0;
    while (r == 0 && flood->used) {
        const struct kind *kind = &flood->kinds[flood->used - 1];
        struct sk_audit_record record = {.op = kind->op, .stage = SK_AUDIT_STAGE_AGGREGATE, .decision = kind->decision, .status = kind->status, .count = kind->count,
                .reason = sk_slice(kind->reason, kind->reason_len), .address = sk_slice(kind->address, kind->address_len), .host = sk_slice(kind->host, kind->host_len)};
        memcpy(record.tenant, flood->tenant, SK_ID_SIZE);
        r = sk_writer_add(writer, &record, 0);
        flood->used -= r == 0;
    }
    return r;
}

int floods_flush(struct floods *floods, struct sk_writer *writer)
{
    int r = 0;
    for (struct sk_table_node *n = floods->open ? sk_table_walk(&floods->tenants, NULL) : NULL; r == 0 && n; n = sk_table_walk(&floods->tenants, n)) {
        struct flood *flood = SK_CONTAINER(n, struct flood, node);
        bool open = flood->used > 0;
        r = flush(flood, writer);
        floods->open -= open && flood->used == 0;
    }
    return r > 0 ? -EINVAL : r;
}

void floods_free(struct floods *floods)
{
    for (struct sk_table_node *n = sk_table_walk(&floods->tenants, NULL); n;) {
        struct sk_table_node *next = sk_table_walk(&floods->tenants, n);
        struct flood *flood = SK_CONTAINER(n, struct flood, node);
        free(flood->kinds);
        free(flood);
        n = next;
    }
    sk_table_free(&floods->tenants);
}
