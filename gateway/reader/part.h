/*
 * What is known of one tenant's records in one file of the journal, without reading them: which have which value of a field, when each was made,
 * and where it stands. A record is named by its row, 0 for the tenant's first one in the file. Rows follow one another as numbers in the tenant's
 * trail do. While the file is written its parts are in memory (live.h), then in a file of their own (stored.h).
 */
#pragma once

#include "journal/terms.h"
#include "journal/tree.h"

#include <roaring/roaring.h>

struct part {
    const struct part_kind *kind;
    const void *index, *tenant; /* the kind's own: the file's index, and what it has of the tenant */
    uint64_t file;   /* number */
    uint64_t seq;    /* of row 0 */
    uint32_t rows;
    uint32_t day; /* since 1970: of row 0, and of the key of what is known of it */
    uint64_t first, last; /* the earliest and the latest, ms since 1970 */
    bool ordered;         /* rows stand in the order of their times: no clock was set back */
};

/* What an index has of a field's value: of a request's id, of which there are as many as records, its beginning. The record decides. */
#define PART_REQUEST 4U
static inline struct sk_slice part_value(enum sk_term_field field, struct sk_slice value)
{
    return sk_slice_cut(value, field == SK_TERM_REQUEST ? PART_REQUEST : SK_TERM_VALUE + 1);
}

/* A row that stands for more than one: an aggregate. As on disk. */
struct part_many {
    uint32_t row;
    uint32_t more;     /* than one; UINT32_MAX: or more than that */
    uint32_t decision; /* enum sk_audit_decision */
};

struct part_kind {
    /* Adds to `rows` those whose value lies between these, which are meant, too. 0 or negative. */
    int (*select)(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows);
    /* ms since 1970. 0 or negative. */
    int (*time)(const struct part *part, uint32_t row, uint64_t *time);
    /* Where its frame begins in the file; nowhere, once that is packed. 0 or negative. */
    int (*place)(const struct part *part, uint32_t row, uint64_t *place);
    /* The n-th of the rows that stand for many, in their order; when there are not so many, one of no more. 0 or negative. */
    int (*many)(const struct part *part, uint64_t n, struct part_many *many);
    /* The root of the n-th of its whole tiles. 0 or negative. */
    int (*tile)(const struct part *part, uint64_t n, uint8_t root[SK_TREE_HASH]);
};

/* A tile is a subtree of the tenant's tree, of so many records; of one whose records are all in the part the root is kept. */
#define PART_TILE_LEVEL 8U
#define PART_TILE (UINT64_C(1) << PART_TILE_LEVEL)

/* The number of the first record of its first whole tile, and how many whole ones there are. */
static inline uint64_t part_tiles_from(const struct part *part)
{
    return (part->seq + PART_TILE - 1) / PART_TILE * PART_TILE;
}

static inline uint64_t part_tiles(const struct part *part)
{
    uint64_t end = part->seq + part->rows, from = part_tiles_from(part);
    return end > from ? (end - from) / PART_TILE : 0;
}
