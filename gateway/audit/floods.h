/*
 * Floods of refusals. Of each tenant's refusals of nobody known the first FLOODS_WHOLE of a second are recorded as they are; of the others those of one group of
 * the journal that are alike are one record, of stage aggregate, with their number. So each is counted, each answer waits until it is on record, and what a
 * flood takes grows with the groups that are written, not with its requests.
 */
#pragma once

#include "audit/writer.h"
#include "base/table.h"

#define FLOODS_WHOLE 100U
#define FLOODS_KINDS 16U /* that a tenant's refusals in one group are of; what is of another is recorded as it is */

struct floods {
    struct sk_table tenants;
    unsigned open; /* tenants of which something is counted, and not recorded yet */
};

void floods_free(struct floods *floods);
/* Is the record one that may be counted with others? */
bool floods_may(const struct sk_audit_record *record);
/* Counts it, if there are too many: true. Else it is to be recorded. */
bool floods_take(struct floods *floods, const struct sk_audit_record *record);
/* Gives the writer what is counted, for the group that it writes next. 0, or negative: again before that is committed. */
int floods_flush(struct floods *floods, struct sk_writer *writer) sk_nodiscard;
