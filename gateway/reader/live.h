/* The index of a file that is still written: in memory, and searched there. */
#pragma once

#include "base/table.h"
#include "journal/reader.h"
#include "reader/part.h"

#define LIVE_ROWS 2U /* of a value, that are kept without a bitmap: a request has an intent and an outcome */

/* One value of a field, and the rows that have it. */
struct live_value {
    struct sk_table_node node;
    uint32_t count;
    union {
        uint32_t few[LIVE_ROWS];
        roaring_bitmap_t *many; /* when there are more */
    } rows;
    uint16_t len;
    uint8_t bytes[];
};

struct live_row {
    uint64_t time, place; /* as a part's */
};

struct live_tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    struct part part;
    uint32_t room;
    struct live_row *rows;
    struct part_many *many;
    size_t many_count;
    uint8_t (*tiles)[SK_TREE_HASH]; /* part_tiles of them */
    struct sk_table values[SK_TERM_COUNT]; /* of struct live_value */
};

/* Of one file. */
struct live {
    uint64_t file;
    struct sk_table tenants; /* of struct live_tenant */
};

struct live *live_new(uint64_t file);
struct live *live_free(struct live *live);
/* One more record; of one whose keys were erased there is nothing to find, but its place. Each tenant's come in order. 0 or negative. */
int live_add(struct live *live, const struct sk_journal_read *read) sk_nodiscard;
/* Of tenants whose keys are erased nothing can be found any more. */
void live_forget(struct live *live, const struct sk_keys *keys);
/* The root of the tile whose last record was added just now. 0 or negative. */
int live_add_tile(struct live *live, const uint8_t tenant[SK_ID_SIZE], const uint8_t root[SK_TREE_HASH]) sk_nodiscard;
/* The tenant's part. False: it has none. */
bool live_part(const struct live *live, const uint8_t tenant[SK_ID_SIZE], struct part *part);
