/* A journal that is kept by a clock that goes a day at a time, for the tests of keeping and erasing. Tests alone. */
#pragma once

#include "audit/retention.h"
#include "crypto/digest.h"
#include "trail.h"

#define TENANTS 4
#define MOST 2048
#define A_DAY 4 /* records of each tenant */

/* Tenants 1 and 2 are of the service whose records are kept for 90 days, 3 of one of 7; 0 is the operator's own trail. */
extern const struct kept {
    const char *service;
    uint32_t days;
} kept[TENANTS];

extern struct keeping {
    struct trail trail;
    struct retention retention;
    uint64_t packed; /* files before this one are, */
    uint64_t erased; /* since so many keys were erased */
    uint64_t walls[TENANTS][MOST];   /* when each was recorded; */
    bool there[TENANTS][MOST];       /* what can be read, */
    uint64_t pruned[TENANTS];        /* and from where on, as the last word of it says; */
    uint64_t sizes[TENANTS], words[TENANTS][64]; /* records, and those by op - 40 */
    bool full, no_room, copies_full;
    struct sk_wrap_key *private; /* with which it is looked, too */
    int doubts, failures, certified;
    char detail[400];
} w;

void id_of(unsigned tenant, uint8_t id[SK_ID_SIZE]);
void service_of(unsigned tenant, uint8_t id[SK_SHA256_SIZE]);
void open_it(void);
void begin(const char *date);
void end(void);
void tell_terms(unsigned number, const char *name, struct tenure_terms terms);
void tell_tenant(unsigned number, const char *name, bool hold, bool over);
void commit(void);
void record(unsigned tenant);
void keep(void);
size_t look(void);
void check_kept(const char *when);
void live(unsigned days, unsigned tenants);
void reopen(void);
void on_doubt(struct retention *r);
void on_failure(struct retention *r, int error);
void on_erased(struct retention *r, const uint8_t tenant[SK_ID_SIZE], const char *contract);
