/*
 * Checkpoints: what a tenant's tree was at a time, signed. The text is C2SP's tlog-checkpoint, the signature a signed note's (crypto/note.h)
 * by a key of the origin's name. The file of them holds each tenant's newest: the signer writes it, whoever verifies reads it. FORMAT.md
 * is the text of record.
 */
#pragma once

#include "base/buf.h"
#include "journal/tree.h"
#include "sekisho/audit.h"

#define SK_CHECKPOINT_ORIGIN 128U /* bytes of an origin, with its NUL */
#define SK_CHECKPOINT_TEXT 400U   /* most of a text */

struct sk_checkpoint {
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE], tenant[SK_ID_SIZE];
    uint64_t size;
    uint8_t root[SK_TREE_HASH];
    uint64_t wall; /* ns; the text has milliseconds */
    /* What the kernel knew of its clock: kept right by somebody, and how far it may be off at most. */
    bool clock_set;
    uint64_t clock_error; /* us; UINT64_MAX: it does not say */
};

/* "sekisho/NODE": the name of a gateway's public key. Its length. */
size_t sk_checkpoint_node(const uint8_t node[SK_ID_SIZE], char out[SK_CHECKPOINT_ORIGIN]);
/* "sekisho/NODE/EPOCH/TENANT": what a checkpoint's signature is named by. Its length. */
size_t sk_checkpoint_origin(const struct sk_checkpoint *checkpoint, char out[SK_CHECKPOINT_ORIGIN]);
/* 0 or negative. */
int sk_checkpoint_put(const struct sk_checkpoint *checkpoint, struct sk_buf *out) sk_nodiscard;
/* 0; 1 anything that sk_checkpoint_put does not write. */
int sk_checkpoint_get(struct sk_slice text, struct sk_checkpoint *checkpoint) sk_nodiscard;

/* ---- the file: a header, then one block for each tenant, of two halves, of which the one of the higher turn counts ---- */

#define SK_CHECKPOINTS_FILE "checkpoints"
#define SK_CHECKPOINTS_HEADER ((size_t)4096)
#define SK_CHECKPOINTS_HALF ((size_t)4096) /* no less than what a disk writes at once: it may break what else is in it */
#define SK_CHECKPOINTS_BLOCK (2 * SK_CHECKPOINTS_HALF)
#define SK_CHECKPOINTS_NOTE ((size_t)712) /* most bytes of a note */
#define SK_CHECKPOINTS_PEAKS 40U          /* most: trees of less than 2^40 records */

struct sk_checkpoint_half {
    uint64_t turn; /* from 1 */
    struct sk_slice note;
    struct sk_slice peaks; /* of the tree, so that whoever signs can go on with it */
};

/* `epoch`: of the journal whose trees these are, by chance. */
void sk_checkpoints_put_header(const uint8_t node[SK_ID_SIZE], const uint8_t epoch[SK_ID_SIZE], uint8_t out[SK_CHECKPOINTS_HEADER]);
/* 0; 1 no such header. */
int sk_checkpoints_get_header(const uint8_t in[SK_CHECKPOINTS_HEADER], uint8_t node[SK_ID_SIZE], uint8_t epoch[SK_ID_SIZE]) sk_nodiscard;
/* `note` and `peaks` are as long as they may be at most. */
void sk_checkpoints_put(const struct sk_checkpoint_half *half, uint8_t out[SK_CHECKPOINTS_HALF]);
/*
 * The half of a tenant's block that counts; it borrows. 0; 1 the block is damaged; 2 nothing stands in it, or what was on its way there for
 * the first time when the machine ended.
 */
int sk_checkpoints_get(const uint8_t in[SK_CHECKPOINTS_BLOCK], struct sk_checkpoint_half *half) sk_nodiscard;
