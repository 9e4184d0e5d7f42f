/*
 * Answers questions from the indexes: which of a tenant's records, and how many. What an index says is looked at again in the record itself before
 * it is given out.
 */
#pragma once

#include "reader/segments.h"

struct question {
    uint8_t tenant[SK_ID_SIZE];
    struct sk_slice terms; /* journal/terms.h */
    uint64_t from, to;     /* ms since 1970, `to` not meant itself; 0: no bound */
    uint64_t before, after; /* numbers: below `before`, from `after` on; `before` 0: no bound */
};

/*
 * The rows of a part that the question may mean, by terms and numbers, and by times where rows stand in their order; owned by the caller, NULL: none. 0;
 * 1 its index cannot be opened; negative.
 */
int find_rows(const struct part *part, const struct question *question, roaring_bitmap_t **rows) sk_nodiscard;

/* A record of the answer, and what it was opened with; false: no more. */
typedef bool (*find_each)(void *context, const struct sk_audit_record *record, struct sk_slice cbor, struct sk_sealing *sealing);

/*
 * Those of one file, the newest first, until `each` has `enough`. `sealing`: the tenant's, kept from one file to the next. 0; 1 a record is not what its
 * index says, or one of both cannot be opened; negative.
 */
int find_in(const struct segment *segment, const struct sk_keys *keys, const struct question *question, struct sk_sealing *sealing, find_each each,
        void *context, bool *enough) sk_nodiscard;

#define FIND_DECISIONS 5 /* enum sk_audit_decision, from 1 */
struct find_count {
    uint64_t by[FIND_DECISIONS];
};

/*
 * How many there are, an aggregate being as many as it stands for, in one file in each step of `step` ms from question->from on, up to its `to`, which must both be there: the last may be shorter. Adds
 * to `counts`, which has one for each. 0; 1 the index cannot be opened; negative.
 */
int find_counts_in(const struct segment *segment, const struct sk_keys *keys, const struct question *question, uint64_t step, struct find_count *counts) sk_nodiscard;
