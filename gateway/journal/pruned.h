/* What a record of op trail-pruned or trail-held says in its detail (FORMAT.md, "Keeping and erasing"). Pure. */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_PRUNED_TEXT 128
#define SK_PRUNED_DAYS 36600U

/* The records with numbers [first, end), sealed for days before `until`, kept for `days`. */
struct sk_pruned {
    uint64_t first, end;
    uint64_t until; /* wall ns, the beginning of a day of the years 1971 to 2399 */
    uint32_t days;
};

void sk_pruned_put(const struct sk_pruned *pruned, char out[SK_PRUNED_TEXT]);
/* 0; 1 it is not in that form. */
int sk_pruned_get(struct sk_slice detail, struct sk_pruned *pruned) sk_nodiscard;
