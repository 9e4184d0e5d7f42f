/* Made-up traffic. */
#include "records.h"

#include <stdio.h>

static uint64_t next(struct records *r)
{
    r->chance ^= r->chance << 13;
    r->chance ^= r->chance >> 7;
    r->chance ^= r->chance << 17;
    return r->chance;
}

/* Less than `count`; the first are much more frequent, about as Zipf's law has it. */
static unsigned skewed(struct records *r, unsigned count)
{
    uint64_t bits = next(r);
    unsigned width = 0;
    while ((count >> width) > 1) {
        width++;
    }
    unsigned below = 1U << (bits % (width + 1)); /* each power of two as often as the next */
    return (unsigned)((bits >> 8) % below) % count;
}

void records_init(struct records *r, unsigned tenants)
{
    *r = (struct records){.chance = UINT64_C(88172645463325252), .tenants = tenants};
}

void records_tenant(unsigned tenant, uint8_t id[SK_ID_SIZE])
{
    memset(id, 0x5a, SK_ID_SIZE);
    memcpy(id, &tenant, sizeof(tenant));
    id[4] = 1;
}

static void who_and_where(struct records *r, unsigned tenant)
{
    unsigned user = skewed(r, 1000);
    (void)snprintf(r->subject, sizeof(r->subject), "user%03u@example.test", user);
    (void)snprintf(r->session, sizeof(r->session), "%08x%08x%08x%08x", user, tenant, user * 77, tenant * 99);
    (void)snprintf(r->host, sizeof(r->host), "tenant%u.example.test", tenant);
    (void)snprintf(r->path, sizeof(r->path), "/api/v1/servers/localhost/zones/zone%u.example./records/%u", skewed(r, 5000), skewed(r, 200));
    (void)snprintf(r->rule, sizeof(r->rule), "role editor: allow api %s /api/v1/servers/*/zones/**", r->record.method.data);
    (void)snprintf(r->upstream, sizeof(r->upstream), "127.0.0.1:%u", 8081 + tenant % 4);
    (void)snprintf(r->agent, sizeof(r->agent), "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1%02u.0.0.0 Safari/537.36", skewed(r, 40));
    r->address[0] = 10;
    r->address[1] = (uint8_t)tenant;
    r->address[2] = (uint8_t)(user >> 4);
    r->address[3] = (uint8_t)(1 + user % 200);
}

const struct sk_audit_record *records_next(struct records *r)
{
    static const struct sk_slice methods[] = {SK_LIT("GET"), SK_LIT("GET"), SK_LIT("GET"), SK_LIT("HEAD"), SK_LIT("POST"), SK_LIT("PATCH"), SK_LIT("DELETE"), SK_LIT("PUT")};
    unsigned tenant = skewed(r, r->tenants);
    bool refused = next(r) % 50 == 0;
    for (size_t i = 0; i < sizeof(r->request); i += 8) {
        uint64_t bits = next(r);
        memcpy(r->request + i, &bits, sizeof(bits));
    }
    r->record = (struct sk_audit_record){.op = SK_AUDIT_REQUEST, .stage = SK_AUDIT_STAGE_SINGLE, .decision = refused ? SK_AUDIT_DECISION_DENY : SK_AUDIT_DECISION_ALLOW,
            .method = methods[next(r) % SK_COUNT(methods)]};
    who_and_where(r, tenant);
    records_tenant(tenant, r->record.tenant);
    r->record.reason = refused ? SK_LIT("not-permitted") : SK_LIT("allowed");
    r->record.rule = refused ? SK_SLICE_NULL : sk_slice_str(r->rule);
    r->record.subject = sk_slice_str(r->subject);
    r->record.session = sk_slice_str(r->session);
    r->record.factors = SK_LIT("pwd,hwk");
    r->record.address = sk_slice(r->address, sizeof(r->address));
    r->record.port = (uint16_t)(1024 + next(r) % 60000);
    r->record.tls = SK_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384");
    r->record.request = sk_slice(r->request, sizeof(r->request));
    r->record.host = sk_slice_str(r->host);
    r->record.path = sk_slice_str(r->path);
    r->record.app = SK_LIT("api");
    r->record.agent = sk_slice_str(r->agent);
    r->record.upstream = refused ? SK_SLICE_NULL : sk_slice_str(r->upstream);
    r->record.status = refused ? 403 : 200;
    r->record.bytes_in = next(r) % 300;
    r->record.bytes_out = refused ? 120 : 200 + next(r) % 5000;
    r->record.duration = 300000 + next(r) % 4000000;
    return &r->record;
}
