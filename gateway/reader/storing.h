/* Storing an index: a thread of its own writes what is in memory to a file (stored.h), while it is searched on there. */
#pragma once

#include "reader/live.h"
#include "reader/stored.h"

struct storing;

/* What the file says of the journal's file. `seals`: of all of it. */
struct storing_of {
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE], hash[SK_FRAME_HASH];
    const struct stored_seal *seals;
    size_t seals_count;
};

/*
 * Begins. `live` is only read from now on, and stays until storing_end; `ready` becomes readable when it is done. 0; 1 it does not fit into a stored
 * index: too long a time, or too large a file; negative.
 */
int storing_begin(const struct shelf *shelf, const struct live *live, const struct storing_of *of, int ready, struct storing **storing) sk_nodiscard;
/* Waits until it is done: 0, and the file has its name; or negative. Frees it. */
int storing_end(struct storing *storing) sk_nodiscard;
