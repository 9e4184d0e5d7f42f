/* Merkle trees. Runs in audit, and in whatever verifies what it wrote. */
#include "journal/tree.h"

#include "crypto/digest.h"

static void hash_node(const uint8_t left[SK_TREE_HASH], const uint8_t right[SK_TREE_HASH], uint8_t out[SK_TREE_HASH])
{
    const struct sk_slice parts[] = {SK_LIT("\1"), sk_slice(left, SK_TREE_HASH), sk_slice(right, SK_TREE_HASH)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), out);
}

void sk_tree_leaf(struct sk_slice salt, struct sk_slice record, uint8_t leaf[SK_TREE_HASH])
{
    const struct sk_slice parts[] = {SK_LIT("\0"), salt, record};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), leaf);
}

/* Like adding one to a number: each bit that is carried over makes one subtree of two. */
void sk_tree_append_subtree(struct sk_tree *tree, unsigned level, const uint8_t root[SK_TREE_HASH])
{
    unsigned at = sk_tree_peaks(tree->size);
    uint8_t carried[SK_TREE_HASH];
    memcpy(carried, root, SK_TREE_HASH);
    for (uint64_t rest = tree->size >> level; rest & 1; rest >>= 1) {
        hash_node(tree->peaks[--at], carried, carried);
    }
    memcpy(tree->peaks[at], carried, SK_TREE_HASH);
    tree->size += UINT64_C(1) << level;
}

void sk_tree_append(struct sk_tree *tree, const uint8_t leaf[SK_TREE_HASH])
{
    sk_tree_append_subtree(tree, 0, leaf);
}

void sk_tree_root(const struct sk_tree *tree, uint8_t root[SK_TREE_HASH])
{
    unsigned at = sk_tree_peaks(tree->size);
    if (at == 0) {
        sk_digest_sha256(SK_SLICE_NULL, root);
        return;
    }
    memcpy(root, tree->peaks[--at], SK_TREE_HASH);
    while (at) {
        hash_node(tree->peaks[--at], root, root);
    }
}

/* ---- proofs made ---- */

/* The largest power of two that is smaller than this, which is 2 at least. */
static uint64_t split(uint64_t size)
{
    return UINT64_C(1) << (63 - __builtin_clzll(size - 1));
}

static uint64_t count_of(struct sk_slice leaves)
{
    return leaves.len / SK_TREE_HASH;
}

static struct sk_slice some(struct sk_slice leaves, uint64_t from, uint64_t count)
{
    return sk_slice(leaves.data + from * SK_TREE_HASH, count * SK_TREE_HASH);
}

static void root_of(struct sk_slice leaves, uint8_t root[SK_TREE_HASH])
{
    struct sk_tree tree = {.size = 0};
    for (uint64_t i = 0; i < count_of(leaves); i++) {
        sk_tree_append(&tree, (const uint8_t *)some(leaves, i, 1).data);
    }
    sk_tree_root(&tree, root);
}

size_t sk_tree_inclusion(struct sk_slice leaves, uint64_t index, uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH])
{
    size_t depth = 0;
    struct sk_slice aside[SK_TREE_PROOF];
    while (count_of(leaves) > 1) {
        uint64_t all = count_of(leaves), left = split(all);
        bool right = index >= left;
        aside[depth++] = right ? some(leaves, 0, left) : some(leaves, left, all - left);
        leaves = right ? some(leaves, left, all - left) : some(leaves, 0, left);
        index -= right ? left : 0;
    }
    for (size_t i = 0; i < depth; i++) {
        root_of(aside[depth - 1 - i], proof[i]);
    }
    return depth;
}

size_t sk_tree_consistency(struct sk_slice leaves, uint64_t size, uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH])
{
    size_t depth = 0, made = 0;
    struct sk_slice aside[SK_TREE_PROOF];
    bool whole = true; /* what is left of the former tree is all of it, and known */
    while (size != count_of(leaves)) {
        uint64_t all = count_of(leaves), left = split(all);
        bool right = size > left;
        aside[depth++] = right ? some(leaves, 0, left) : some(leaves, left, all - left);
        leaves = right ? some(leaves, left, all - left) : some(leaves, 0, left);
        whole = whole && !right;
        size -= right ? left : 0;
    }
    if (!whole) {
        root_of(leaves, proof[made++]);
    }
    while (depth) {
        root_of(aside[--depth], proof[made++]);
    }
    return made;
}

/* ---- proofs checked ---- */

/* The next hash of it; NULL: there is none. */
static const uint8_t *take(struct sk_slice *proof)
{
    const uint8_t *hash = (const uint8_t *)proof->data;
    if (proof->len < SK_TREE_HASH) {
        return NULL;
    }
    *proof = sk_slice_from(*proof, SK_TREE_HASH);
    return hash;
}

int sk_tree_check_inclusion(const uint8_t leaf[SK_TREE_HASH], uint64_t index, uint64_t size, struct sk_slice proof, const uint8_t root[SK_TREE_HASH])
{
    uint8_t hash[SK_TREE_HASH];
    uint64_t at = index, last = size - 1;
    memcpy(hash, leaf, SK_TREE_HASH);
    if (index >= size || proof.len % SK_TREE_HASH) {
        return 1;
    }
    for (const uint8_t *p; (p = take(&proof)) != NULL;) {
        if (last == 0) {
            return 1;
        }
        if ((at & 1) || at == last) {
            hash_node(p, hash, hash);
            while (!(at & 1) && at) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash_node(hash, p, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    return last != 0 || memcmp(hash, root, SK_TREE_HASH) != 0;
}

int sk_tree_check_consistency(uint64_t before, const uint8_t root_before[SK_TREE_HASH], uint64_t size, const uint8_t root[SK_TREE_HASH], struct sk_slice proof)
{
    uint8_t old[SK_TREE_HASH], new[SK_TREE_HASH];
    uint64_t at = before - 1, last = size - 1;
    if (before > size || proof.len % SK_TREE_HASH) {
        return 1;
    }
    if (before == 0 || before == size) {
        return proof.len != 0 || (before && memcmp(root_before, root, SK_TREE_HASH) != 0);
    }
    for (; at & 1; at >>= 1) {
        last >>= 1;
    }
    /* A former tree that is one whole subtree is known, and not in the proof. */
    const uint8_t *first = at ? take(&proof) : root_before;
    if (!first) {
        return 1;
    }
    memcpy(old, first, SK_TREE_HASH);
    memcpy(new, first, SK_TREE_HASH);
    for (const uint8_t *p; (p = take(&proof)) != NULL;) {
        if (last == 0) {
            return 1;
        }
        if ((at & 1) || at == last) {
            hash_node(p, old, old);
            hash_node(p, new, new);
            while (!(at & 1) && at) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash_node(new, p, new);
        }
        at >>= 1;
        last >>= 1;
    }
    return last != 0 || memcmp(old, root_before, SK_TREE_HASH) != 0 || memcmp(new, root, SK_TREE_HASH) != 0;
}
