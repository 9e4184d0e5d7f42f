/*
 * Records as a gateway makes them, by a generator that gives the same ones each time: skewed, as people and programs are. A few tenants, users and
 * paths make most of the traffic; most requests read, few are refused.
 */
#pragma once

#include "sekisho/audit.h"

struct records {
    uint64_t chance;
    unsigned tenants;
    struct sk_audit_record record; /* the last one; its texts are below */
    uint8_t address[4], request[SK_ID_SIZE];
    char subject[32], session[40], host[40], path[160], rule[96], upstream[32], agent[128];
};

void records_init(struct records *records, unsigned tenants);
/* The id of a tenant, from 0 on. */
void records_tenant(unsigned tenant, uint8_t id[SK_ID_SIZE]);
/* The next one, as a worker sends it: without place and time. Lives until the one after it. */
const struct sk_audit_record *records_next(struct records *records);
