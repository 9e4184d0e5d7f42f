/*
 * The journal's files as the reader has them: each mapped, with its index, and with what opens its records. In order, the newest last.
 */
#pragma once

#include "reader/live.h"

/* From this place of the file on its records are sealed for that day, by that run. */
struct seal {
    uint64_t at;
    uint32_t day;
    uint8_t run[SK_ID_SIZE];
};

struct segment {
    uint64_t file;
    struct sk_slice bytes; /* the whole file, mapped for reading */
    struct live *live;
    struct seal *seals;
    size_t seals_count;
};

struct segments {
    struct segment *all;
    size_t count;
};

/* Adds the next file; takes the descriptor over. The segment, until the next is added; NULL: errno says why. */
struct segment *segments_add(struct segments *segments, uint64_t file, int fd) sk_nodiscard;
/* Maps it anew, as long as it is now; takes the descriptor over. 0 or negative. */
int segment_map(struct segment *segment, int fd) sk_nodiscard;
void segments_free(struct segments *segments);

/* Indexes a record of the segment's file. 0 or negative. */
int segment_add(struct segment *segment, const struct sk_journal_read *read) sk_nodiscard;
/* The tenant's part, or NULL: it has no record there. */
const struct part *segment_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE]);
/*
 * Opens the record of that row of the tenant's part; its CBOR comes into `cbor`, and `record` borrows from there. `sealing` is the tenant's, kept
 * from one record to the next. 0; 1 it is not there, or another, or its keys are gone; negative.
 */
int segment_open(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        struct sk_sealing *sealing, uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len, struct sk_audit_record *record) sk_nodiscard;
