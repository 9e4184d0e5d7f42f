/*
 * What the journal's files say of days: which records of each tenant were sealed for some, which files hold nothing that can still be read, and whether
 * the clock jumped. It reads what it takes of the files, so it runs in a thread of its own, beside the writer.
 *
 * All records of one file are sealed for one day (writer.c).
 */
#pragma once

#include "base/table.h"
#include "sekisho/audit.h"
#include "sekisho/error.h"

/* Some of a tenant's records: `count` of those with numbers from `first` to below `end`. */
struct survey_tenant {
    struct sk_table_node node; /* by the tenant's id */
    uint8_t tenant[SK_ID_SIZE];
    uint64_t first, end, count;
};

struct survey_tenants {
    struct sk_table table;
};
/* These, too. 0 or -ENOMEM. */
int survey_add(struct survey_tenants *tenants, const uint8_t tenant[SK_ID_SIZE], uint64_t first, uint64_t end) sk_nodiscard;
void survey_free(struct survey_tenants *tenants);

/* The folder, and how much of it is looked at: up to so many bytes of file `last`. */
struct survey {
    int folder;
    uint64_t last, end;
};

/*
 * Adds to `found` what was sealed for the days from `from` to `to`; of a damaged file what can be read. `last`: when the last of it was recorded (wall ns), for
 * a day's file is gone on with while there is no room for another. 0 or negative.
 */
int survey_days(const struct survey *survey, uint32_t from, uint32_t to, struct survey_tenants *found, uint64_t *last) sk_nodiscard;

/*
 * Removes the oldest files as long as all that they hold is sealed for days before `day`, they are whole, and the next one can be begun with. `first`: the
 * oldest that is left, when some were removed, also when not all could be. 0 or negative.
 */
int survey_sweep(const struct survey *survey, uint32_t day, uint64_t *first) sk_nodiscard;

/*
 * When the clock last jumped ahead by more than `most` (ns) between two groups of the newest files, by the clock as it was then; 0: it did not. Time in
 * which the machine ran is no jump.
 */
uint64_t survey_jumped(const struct survey *survey, uint64_t most);
