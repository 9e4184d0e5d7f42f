/*
 * A tenant's Merkle tree (RFC 9162 section 2.1, SHA-256): its leaves are the tenant's records in the order of their sequence. Only what
 * the next leaf needs is kept, one hash for each whole subtree on its right edge. Pure apart from hashing.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_TREE_HASH 32
#define SK_TREE_PEAKS 64 /* most: one for each bit of a size */

/* `peaks`: the roots of the whole subtrees, the largest and leftmost first: one for each bit of `size` that is set. */
struct sk_tree {
    uint64_t size; /* leaves */
    uint8_t peaks[SK_TREE_PEAKS][SK_TREE_HASH];
};

/* How many peaks a tree of that size has. */
static inline unsigned sk_tree_peaks(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

/* SHA-256(0x00 || salt || record): section 2.1.1, of a leaf that has its salt in front. */
void sk_tree_leaf(struct sk_slice salt, struct sk_slice record, uint8_t leaf[SK_TREE_HASH]);
void sk_tree_append(struct sk_tree *tree, const uint8_t leaf[SK_TREE_HASH]);
/* A whole subtree of 2^level leaves; `size` is a multiple of that. */
void sk_tree_append_subtree(struct sk_tree *tree, unsigned level, const uint8_t root[SK_TREE_HASH]);
/* The level of the largest whole subtree of any tree that begins with leaf `from` and ends no later than before leaf `to`, which is behind it. */
static inline unsigned sk_tree_subtree(uint64_t from, uint64_t to)
{
    unsigned fits = 63U - (unsigned)__builtin_clzll(to - from), begins = from ? (unsigned)__builtin_ctzll(from) : 63U;
    return fits < begins ? fits : begins;
}
/* Of no leaves it is the hash of nothing. */
void sk_tree_root(const struct sk_tree *tree, uint8_t root[SK_TREE_HASH]);

/*
 * Proofs are hashes one behind the other, SK_TREE_HASH bytes each, SK_TREE_PROOF at most. Making one takes the leaves' hashes, `leaves` of them,
 * in the same form; checking takes nothing but the proof.
 */
#define SK_TREE_PROOF 64

/* That leaf `index` is in the tree of these (section 2.1.3.1). How many hashes. `index` is less than the number of leaves. */
size_t sk_tree_inclusion(struct sk_slice leaves, uint64_t index, uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH]);
/* That the tree of these goes on from the one of the first `size` of them (section 2.1.4.1). `size` is 1 to the number of leaves. */
size_t sk_tree_consistency(struct sk_slice leaves, uint64_t size, uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH]);

/* Section 2.1.3.2. 0; 1 it proves nothing. */
int sk_tree_check_inclusion(const uint8_t leaf[SK_TREE_HASH], uint64_t index, uint64_t size, struct sk_slice proof,
        const uint8_t root[SK_TREE_HASH]) sk_nodiscard;
/* Section 2.1.4.2: the tree of `size` leaves with `root` goes on from that of `before` leaves with `root_before`. 0; 1 it proves nothing. Whatever it
 * is, goes on from a tree without leaves, with an empty proof. */
int sk_tree_check_consistency(uint64_t before, const uint8_t root_before[SK_TREE_HASH], uint64_t size, const uint8_t root[SK_TREE_HASH],
        struct sk_slice proof) sk_nodiscard;
