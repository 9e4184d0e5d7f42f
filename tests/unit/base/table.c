/* gateway/base/table.c: members are found until they are removed, whatever their hashes. */
#include "base/table.h"

#include "sekisho/error.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct member {
    unsigned key;
    struct sk_table_node node;
    bool seen;
};

static struct member *find(const struct sk_table *table, unsigned key, uint64_t hash)
{
    for (struct sk_table_node *node = sk_table_first(table, hash); node; node = sk_table_next(node)) {
        struct member *member = SK_CONTAINER(node, struct member, node);
        if (member->key == key) {
            return member;
        }
    }
    return NULL;
}

static void check_many(uint64_t (*hash)(unsigned key))
{
    enum { COUNT = 1000 };
    static struct member members[COUNT];
    struct sk_table table = SK_TABLE_INIT;
    for (unsigned i = 0; i < COUNT; i++) {
        members[i].key = i;
        cr_assert_eq(sk_table_add(&table, &members[i].node, hash(i)), 0);
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        sk_table_remove(&table, &members[i].node);
    }
    cr_assert_eq(table.count, COUNT / 2);
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert_eq(find(&table, i, hash(i)), i % 2 ? &members[i] : NULL);
    }
    size_t walked = 0;
    for (struct sk_table_node *node = NULL; (node = sk_table_walk(&table, node));) {
        struct member *member = SK_CONTAINER(node, struct member, node);
        cr_assert_not(member->seen);
        member->seen = true;
        walked++;
    }
    cr_assert_eq(walked, COUNT / 2);
    sk_table_free(&table);
}

static uint64_t keyed(unsigned key)
{
    return sk_table_hash(sk_slice(&key, sizeof(key)));
}

static uint64_t all_the_same(unsigned key sk_unused)
{
    return 7;
}

static uint64_t high_bits_only(unsigned key)
{
    return (uint64_t)key << 32;
}

Test(base_table, members_are_found_until_removed)
{
    check_many(keyed);
}

Test(base_table, equal_hashes_keep_members_apart)
{
    check_many(all_the_same);
}

Test(base_table, one_bucket_for_different_hashes_is_no_mix_up)
{
    check_many(high_bits_only);
}

Test(base_table, an_empty_table_finds_nothing)
{
    struct sk_table table = SK_TABLE_INIT;
    cr_expect_null(sk_table_first(&table, 1));
    cr_expect_null(sk_table_walk(&table, NULL));
    sk_table_free(&table);
    sk_table_free(&table);
}

Test(base_table, next_gives_members_of_the_same_hash_only)
{
    struct sk_table table = SK_TABLE_INIT;
    struct member members[40] = {0};
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(sk_table_add(&table, &members[i].node, (uint64_t)(i % 2) << 40), 0);
    }
    size_t count = 0;
    for (struct sk_table_node *node = sk_table_first(&table, 0); node; node = sk_table_next(node)) {
        cr_assert_eq(node->hash, 0);
        count++;
    }
    cr_assert_eq(count, 20);
    sk_table_free(&table);
}

Test(base_table, the_whole_table_can_be_emptied_while_walking)
{
    struct sk_table table = SK_TABLE_INIT;
    struct member members[100] = {0};
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(sk_table_add(&table, &members[i].node, keyed(i)), 0);
    }
    for (struct sk_table_node *node = sk_table_walk(&table, NULL), *next; node; node = next) {
        next = sk_table_walk(&table, node);
        sk_table_remove(&table, node);
    }
    cr_assert_eq(table.count, 0);
    sk_table_free(&table);
}

Test(base_table, the_hash_sees_every_byte_and_the_length)
{
    static const uint8_t zeros[40];
    uint64_t seen[41];
    for (size_t len = 0; len <= 40; len++) {
        uint8_t bytes[40] = {0};
        seen[len] = sk_table_hash(sk_slice(zeros, len));
        for (size_t i = 0; i < len; i++) {
            cr_assert_neq(seen[i], seen[len], "%zu and %zu zeros", i, len);
            bytes[i] = 1;
            cr_assert_neq(sk_table_hash(sk_slice(bytes, len)), seen[len], "byte %zu of %zu", i, len);
            bytes[i] = 0;
        }
        cr_assert_eq(sk_table_hash(sk_slice(bytes, len)), seen[len]);
    }
}
