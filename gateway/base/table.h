/*
 * A hash table that links its members: a struct embeds sk_table_node, the table owns nothing but its buckets.
 * The caller hashes; hashes of hostile bytes must be keyed (sk_table_hash is SipHash-1-3 under a key of this process).
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

struct sk_table_node {
    struct sk_table_node *next;
    uint64_t hash;
};

struct sk_table {
    struct sk_table_node **buckets;
    size_t count;
    size_t mask; /* buckets - 1, or 0 when there are none */
};

#define SK_TABLE_INIT ((struct sk_table){NULL, 0, 0})

uint64_t sk_table_hash(struct sk_slice bytes);
/* 0 or -ENOMEM, and then the node is not in. Does not look for an equal member. */
int sk_table_add(struct sk_table *table, struct sk_table_node *node, uint64_t hash) sk_nodiscard;
/* The node must be in. */
void sk_table_remove(struct sk_table *table, struct sk_table_node *node);
/* First node with this hash, then the next one: the caller compares keys. NULL at the end. */
struct sk_table_node *sk_table_first(const struct sk_table *table, uint64_t hash);
struct sk_table_node *sk_table_next(const struct sk_table_node *node);
/* Walks all: start with NULL. The node given may be removed before the next call only when `next` was taken first. */
struct sk_table_node *sk_table_walk(const struct sk_table *table, const struct sk_table_node *after);
/* Frees the buckets; the members are the caller's. */
void sk_table_free(struct sk_table *table);
