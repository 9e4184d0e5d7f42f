/*
 * A record as it stands in the journal: sealed for its tenant and day, behind its leaf of the tenant's tree (journal/tree.h). The leaf is the hash of
 * the record with a salt that only the same keys give, so that without them neither says anything about the record. FORMAT.md is the text of record.
 */
#pragma once

#include "crypto/seal.h"
#include "journal/frame.h"
#include "journal/keys.h"
#include "journal/tree.h"

#define SK_SEALED_OVERHEAD ((size_t)(SK_TREE_HASH + SK_SEAL_TAG))

/* What one tenant's records are sealed with, for a day and one run of the writer; made once for many records. */
struct sk_sealing {
    uint8_t run[SK_ID_SIZE];
    uint32_t day;
    struct sk_sealer *sealer; /* NULL: none yet */
    struct sk_block *salt;
};

void sk_sealing_free(struct sk_sealing *sealing);
/* Makes it that of this tenant, day and run, if it is not. 0; 1 its keys are not there; negative. */
int sk_sealing_set(struct sk_sealing *sealing, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const uint8_t run[SK_ID_SIZE]) sk_nodiscard;

/*
 * Writes the frame and behind it what it holds: SK_FRAME_RECORD_HEADER + SK_SEALED_OVERHEAD + cbor.len bytes at `out`. Sets frame->len and frame->kind,
 * and the leaf. No two records of a place are sealed alike. 0 or negative.
 */
int sk_sealing_seal(struct sk_sealing *sealing, struct sk_frame_record *frame, struct sk_slice cbor, uint8_t leaf[SK_TREE_HASH], uint8_t *out) sk_nodiscard;
/* `sealed`: what the frame holds. The CBOR comes into `out`, `len` bytes. 0; 1 it was sealed otherwise, or its leaf is another's; negative. */
int sk_sealing_open(struct sk_sealing *sealing, const struct sk_frame_record *frame, struct sk_slice sealed, uint8_t out[SK_AUDIT_RECORD_MAX], size_t *len) sk_nodiscard;
/* What the leaf of that place is salted with: who has it and the record needs no key to make the leaf. 0 or negative. */
int sk_sealing_salt(struct sk_sealing *sealing, uint64_t seq, uint8_t salt[SK_BLOCK]) sk_nodiscard;
/* The same of the block function that gives the tenant's salts of the day. 0 or negative. */
int sk_sealed_salt(struct sk_block *block, uint64_t seq, uint8_t salt[SK_BLOCK]) sk_nodiscard;
/* The leaf of what a frame holds. */
static inline const uint8_t *sk_sealed_leaf(struct sk_slice sealed)
{
    return (const uint8_t *)sealed.data;
}
