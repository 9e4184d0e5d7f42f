/*
 * What somebody asks of the audit trail, as a query string (application/x-www-form-urlencoded) says it: terms, bounds, and how the answer is to be. Read by the
 * worker, to say what is wrong, and by auth, which records the same text that it has answered. Pure.
 */
#pragma once

#include "journal/terms.h"

#define SK_QUERY_TEXT 512U    /* bytes: all of it stands in the record of the asking */
#define SK_QUERY_TERMS 32U    /* most terms */
#define SK_QUERY_RANGES 4U    /* of those, with more than one value */
#define SK_QUERY_LIMIT 200U   /* most records of an answer */
#define SK_QUERY_STEPS 1000U  /* most counts of one */
#define SK_QUERY_WAIT_SECONDS 30U

/* What it is asked for. */
enum sk_query_use { SK_QUERY_RECORDS = 1, SK_QUERY_COUNTS = 2, SK_QUERY_PROOF = 4 }; /* bits */

struct sk_query {
    uint64_t from, to;      /* wall ns; 0: no bound. Of counts both are set, to whole steps where the query leaves `from` open */
    uint64_t before, after; /* numbers below, and from this one on; before_given: `before` may be 0 */
    bool before_given;
    uint64_t limit, wait, step; /* wait and step: ns */
    bool raw;
};

/* `now`: wall ns. Terms are put into `terms` (journal/terms.h). 0; 1, and `wrong` is the parameter that is; negative. */
int sk_query_read(struct sk_slice text, enum sk_query_use use, uint64_t now, struct sk_query *query, struct sk_buf *terms, struct sk_slice *wrong) sk_nodiscard;
