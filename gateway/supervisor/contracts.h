/* The end of contracts: tenants end on their day, whatever becomes of a reload, and audit is told how long records are kept. */
#pragma once

#include "supervisor/supervisor.h"

/* A tenant whose file says that its contract is over: it is not in force, and its records are erased. */
struct over {
    struct over *next;
    uint8_t id[SK_ID_SIZE];
    char *file;    /* that says so */
    uint64_t ends; /* wall time */
    uint64_t again; /* boot time of the next reload, when it is not over after all: the clock was wrong */
    char name[130]; /* NAME@SERVICE */
    bool hold;
    uint64_t recoverable; /* as of a tenant */
};

bool contract_over(const struct tenant *t);
/* The file that was loaded and says that this tenant's contract is over, or NULL. */
const char *contract_loaded(const struct supervisor *s, const uint8_t id[SK_ID_SIZE]);
/* A tenant was loaded whose contract is over: known, and told to audit, with the commit. 0 or -ENOMEM. */
int contract_load(struct supervisor *s, const struct tenant *t) sk_nodiscard;
void contracts_commit(struct supervisor *s);
void contracts_rollback(struct supervisor *s);
/* It is not over any more. */
void contract_goes_on(struct supervisor *s, const uint8_t id[SK_ID_SIZE]);
void contracts_announce(struct supervisor *s, struct process *audit);
void contracts_start(struct supervisor *s);
