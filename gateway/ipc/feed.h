/*
 * Feed → reader: what was recorded, of all tenants, in the order of the journal, from a place on. A feed has no keys and reads no file: what it is to
 * send, it is given.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_FEED_FROM_FEED = 1, SK_FEED_FROM_READER = 2 };

#define SK_FEED_ROWS 100U /* most of one answer */

/* A place in the journal: `skip` records behind the group that begins at byte `at` of that file. File 0: the oldest that there is. */
#define SK_FEED_PLACE(U, I, T) U(file) U(at) U(skip)
/* What stands there: ROW for each record, then PLACE, where the next one will be; the same place when there is none yet. */
#define SK_FEED_NEXT_FIELDS(U, I, T) U(ticket) SK_FEED_PLACE(U, I, T)
/* Deterministic CBOR (journal/record.h). */
#define SK_FEED_ROW_FIELDS(U, I, T) U(ticket) T(cbor, 4096)
/* `lost` 1: the place is no more, and the rows are from the oldest file on. */
#define SK_FEED_AT_FIELDS(U, I, T) U(ticket) SK_FEED_PLACE(U, I, T) U(lost)

#define SK_FEED_MESSAGES(M)                                                                                  \
    M(FEED_NEXT, feed_next, 1, SK_FEED_FROM_FEED, 0, SK_FEED_NEXT_FIELDS)                                    \
    M(FEED_ROW, feed_row, 2, SK_FEED_FROM_READER, 0, SK_FEED_ROW_FIELDS)                                     \
    M(FEED_AT, feed_at, 3, SK_FEED_FROM_READER, 0, SK_FEED_AT_FIELDS)

SK_IPC_DECLARE(feed, SK_FEED_MESSAGES)
