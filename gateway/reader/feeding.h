/* Giving feeds what was recorded: each tenant's records in order, and of a file that is not packed all in the order of the journal. Runs in the reader. */
#pragma once

#include "reader/follow.h"

/* As in ipc/feed.h. */
struct feed_place {
    uint64_t file, at, skip;
};

typedef void (*feeding_each)(void *context, struct sk_slice cbor);

/*
 * Gives records from the place on, at most so many, of what was followed so far, and moves it behind the last one. 0; 1 a record cannot be opened, or the
 * place is none: the journal's beginning is to be taken in its stead (`lost`), or it is damaged; negative.
 */
int feeding_next(struct follow *follow, struct feed_place *place, unsigned most, bool *lost, feeding_each each, void *context) sk_nodiscard;
