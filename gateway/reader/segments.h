/*
 * The journal's files as the reader has them: each mapped, with its index, and with what opens its records. In order, the newest last.
 */
#pragma once

#include "journal/packed.h"
#include "reader/live.h"
#include "reader/stored.h"
#include "reader/storing.h"

/* The chunk of a packed file that was opened last. */
struct opened {
    uint64_t file;
    uint32_t chunk;
    struct sk_unpacked unpacked; /* none of it, when its count is 0 */
};

struct segment {
    struct sk_frame_file header;
    struct sk_slice bytes; /* the whole file, mapped for reading */
    struct sk_packed packed; /* header.packed: the same */
    struct opened *opened;   /* one for all segments */
    bool anew;             /* it was written anew since it was opened */
    struct live *live;     /* its index, while it is read and until it is stored */
    struct stored *stored; /* and from then on */
    struct stored_seal *seals; /* of `live` */
    size_t seals_count;
    bool unfit; /* it fits into no stored index */
};

struct segments {
    struct segment *all;
    size_t count;
    struct opened *opened;
    struct shelf shelf;
};

/* `folder`: for stored indexes; negative: none are kept. 0 or -ENOMEM. */
int segments_init(struct segments *segments, const uint8_t secret[SK_KEYS_SECRET], int folder) sk_nodiscard;
void segments_free(struct segments *segments);
/* Adds the next file; takes the descriptor over. 0; 1 it is no journal file, or not the next one; negative. */
int segments_add(struct segments *segments, uint64_t file, int fd) sk_nodiscard;
/* Maps it anew, as long as it is now, or packed, which is not taken when it is `halfway` read; takes the descriptor over. 0; 1 it is another file; negative. */
int segment_map(struct segment *segment, int fd, bool halfway) sk_nodiscard;

/* Uses the stored index, when there is one that goes on to the group of that hash. */
void segment_take_stored(struct segments *segments, struct segment *segment, const uint8_t hash[SK_FRAME_HASH]);
/* Begins to store its index, which is whole: up to the group of that hash. As storing_begin. */
int segment_store(const struct segments *segments, const struct segment *segment, const uint8_t hash[SK_FRAME_HASH], int ready, struct storing **storing) sk_nodiscard;

/* Indexes a record of the segment's file. 0 or negative. */
int segment_add(struct segment *segment, const struct sk_journal_read *read) sk_nodiscard;
/* The first file is no longer there: nor is its index. */
void segments_drop_first(struct segments *segments);
/* What was opened with keys that may be no more is forgotten, but of the file whose index is just being stored, and dropped then; SIZE_MAX: none is. */
void segments_forget(struct segments *segments, size_t stored);
/* The tenant's part, when something can be known of it: its keys are not erased. False: it has none. */
bool segment_known(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct part *part);
/* The tenant's part. False: it has no record there. */
bool segment_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE], struct part *part);
/* The leaf of that row's record. 0; 1 it is not there, or not known without keys that are erased; negative. */
int segment_leaf(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        uint8_t leaf[SK_TREE_HASH]) sk_nodiscard;
/* In a packed file, which needs no keys for it: the whole subtree that begins there and ends no later than before `end`, if a chunk says its root. 0; 1 none does. */
int segment_subtree(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE], uint64_t from, uint64_t end, unsigned *level, uint8_t root[SK_TREE_HASH]) sk_nodiscard;
/* Opens the n-th chunk of a packed file, which then is segment->opened. 0; 1 it is damaged; 2 its keys are erased; negative. */
int segment_unpack(const struct segment *segment, const struct sk_keys *keys, uint32_t n) sk_nodiscard;
/*
 * Opens the record of that row of the tenant's part; its CBOR comes into `cbor`, and `record` borrows from there. `sealing` is the tenant's, kept
 * from one record to the next. 0; 1 it is not there, or another; 2 its keys are erased; negative.
 */
int segment_open(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        struct sk_sealing *sealing, uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len, struct sk_audit_record *record) sk_nodiscard;
