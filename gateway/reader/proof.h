/*
 * Subtrees of a tenant's tree, from the leaves that stand in the journal's files and the tiles of their indexes: what is beside a range of records in a
 * proof that they are in a tree.
 */
#pragma once

#include "reader/find.h"

#define PROOF_MOST ((size_t)2 * SK_TREE_PEAKS) /* whole subtrees of any range */

/* The roots of the largest whole subtrees that make up [from, to), in order: `count` of them. 0; 1 some of its records are not there; negative. */
int proof_subtrees(const struct segments *segments, const uint8_t tenant[SK_ID_SIZE], uint64_t from, uint64_t to, uint8_t roots[PROOF_MOST][SK_TREE_HASH],
        size_t *count) sk_nodiscard;
/*
 * The same for [0, to), from where the tree stood when the file was begun that has that record: what is before it may be gone. 0; 1; negative.
 */
int proof_left(const struct segments *segments, const uint8_t tenant[SK_ID_SIZE], uint64_t to, uint8_t roots[PROOF_MOST][SK_TREE_HASH], size_t *count) sk_nodiscard;
/*
 * The least range of records that has all of the question's times and numbers in it, its terms aside: [first, end), both 0 when there are none. 0; 1 the
 * index of `file` cannot be opened; negative.
 */
int proof_range(const struct segments *segments, const struct question *question, uint64_t *first, uint64_t *end, uint64_t *file) sk_nodiscard;
