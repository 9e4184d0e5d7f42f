/*
 * The signer's own trees, one for each tenant, and the file of checkpoints in which they stand. A tree only grows: what was signed is signed
 * for ever: a leaf that is told for a place that has one is passed over, whatever it is.
 */
#pragma once

#include "base/table.h"
#include "ipc/signer.h"
#include "journal/erasure.h"

#include <stdbool.h>

#define SK_SIGNER_IDLE (60 * SK_SECOND) /* a tree that stands still is signed again then: silence is evidence too */
#define SK_SIGNER_IDLE_MOST 500U        /* of those at a time */

struct sk_trees;

/*
 * Reads the file in the folder, if there is one. Every checkpoint in it must be signed by this key (32 bytes, of which nothing is kept but the key
 * they make). 0; 1 it is damaged, or another node's: `why` says more; negative.
 */
int sk_trees_open(const char *folder, const uint8_t node[SK_ID_SIZE], const uint8_t secret[32], struct sk_trees **trees, char why[200]) sk_nodiscard;
struct sk_trees *sk_trees_free(struct sk_trees *trees);
/* Is there no file yet? Nothing is signed before there is. */
bool sk_trees_fresh(const struct sk_trees *trees);
/* Makes it, on stable storage, with an epoch by chance. 0 or negative: it may be tried again. */
int sk_trees_begin(struct sk_trees *trees) sk_nodiscard;
const uint8_t *sk_trees_epoch(const struct sk_trees *trees);
/* Each tree as it stands in the file. */
void sk_trees_each(const struct sk_trees *trees, void (*each)(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH]), void *context);

/* Puts the tenant's newest checkpoint, as the file has it; nothing when there is none. 0; 1 its block is damaged; negative. */
int sk_trees_note(const struct sk_trees *trees, const uint8_t tenant[SK_ID_SIZE], struct sk_buf *note) sk_nodiscard;

/* Leaves as in ipc/signer.h. 0; 1 malformed, or one is missing before them; -ENOMEM. */
int sk_trees_add(struct sk_trees *trees, struct sk_slice leaves) sk_nodiscard;
/*
 * Signs what grew, and what stood still for SK_SIGNER_IDLE; on stable storage when it returns 0. Negative: nothing is signed, and it may be tried again;
 * -ESTALE: the file is no longer the one in the folder.
 */
int sk_trees_sign(struct sk_trees *trees) sk_nodiscard;
/*
 * Signs that the tenant's trail, as far as its tree goes, was erased, in a file of its own in the folder, unless that is there. On stable storage when it
 * returns 0. 1: nothing is known of the tenant; negative.
 */
int sk_trees_certify(const struct sk_trees *trees, const uint8_t tenant[SK_ID_SIZE], struct sk_slice contract) sk_nodiscard;
