/* The hash table. Any process. */
#include "base/table.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[2] = ROTATE(v[2], 32);
}

uint64_t sk_table_hash(struct sk_slice bytes)
{
    static uint64_t key[2];
    if ((key[0] | key[1]) == 0) {
        sk_random(key, sizeof(key));
    }
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU, key[0] ^ 0x6c7967656e657261U,
            key[1] ^ 0x7465646279746573U};
    size_t i = 0;
    for (; i + 8 <= bytes.len; i += 8) {
        uint64_t m;
        memcpy(&m, bytes.data + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)bytes.len << 56;
    for (size_t shift = 0; i < bytes.len; i++, shift += 8) {
        last |= (uint64_t)(uint8_t)bytes.data[i] << shift;
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static int grow(struct sk_table *table)
{
    size_t size = table->buckets ? (table->mask + 1) * 2 : 16;
    struct sk_table_node **buckets = calloc(size, sizeof(struct sk_table_node *));
    if (!buckets) {
        return -ENOMEM;
    }
    for (size_t i = 0; table->buckets && i <= table->mask; i++) {
        for (struct sk_table_node *node = table->buckets[i]; node;) {
            struct sk_table_node *next = node->next;
            node->next = buckets[node->hash & (size - 1)];
            buckets[node->hash & (size - 1)] = node;
            node = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->mask = size - 1;
    return 0;
}

int sk_table_add(struct sk_table *table, struct sk_table_node *node, uint64_t hash)
{
    if (!table->buckets || table->count > table->mask) {
        int r = grow(table);
        if (r < 0) {
            return r;
        }
    }
    node->hash = hash;
    node->next = table->buckets[hash & table->mask];
    table->buckets[hash & table->mask] = node;
    table->count++;
    return 0;
}

void sk_table_remove(struct sk_table *table, struct sk_table_node *node)
{
    struct sk_table_node **link = &table->buckets[node->hash & table->mask];
    while (*link != node) {
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    table->count--;
}

struct sk_table_node *sk_table_first(const struct sk_table *table, uint64_t hash)
{
    struct sk_table_node *node = table->buckets ? table->buckets[hash & table->mask] : NULL;
    while (node && node->hash != hash) {
        node = node->next;
    }
    return node;
}

struct sk_table_node *sk_table_next(const struct sk_table_node *node)
{
    uint64_t hash = node->hash;
    struct sk_table_node *next = node->next;
    while (next && next->hash != hash) {
        next = next->next;
    }
    return next;
}

struct sk_table_node *sk_table_walk(const struct sk_table *table, const struct sk_table_node *after)
{
    if (!table->buckets) {
        return NULL;
    }
    if (after && after->next) {
        return after->next;
    }
    for (size_t i = after ? (after->hash & table->mask) + 1 : 0; i <= table->mask; i++) {
        if (table->buckets[i]) {
            return table->buckets[i];
        }
    }
    return NULL;
}

void sk_table_free(struct sk_table *table)
{
    free(table->buckets);
    *table = SK_TABLE_INIT;
}
