/* gateway/journal/tree.c: the trees and proofs of RFC 9162, against the roots that logs agree on, against its definitions, and against whatever is not one. */
#include "journal/tree.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* The test tree of Certificate Transparency's implementations. */
static const char *const records[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
static const char *const roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

#define MOST 70

static uint8_t leaves[MOST][SK_TREE_HASH];

static struct sk_slice first(uint64_t count)
{
    return sk_slice(leaves, count * SK_TREE_HASH);
}

static void root(uint64_t count, uint8_t out[SK_TREE_HASH])
{
    struct sk_tree tree = {.size = 0};
    for (uint64_t i = 0; i < count; i++) {
        sk_tree_append(&tree, leaves[i]);
    }
    sk_tree_root(&tree, out);
}

static void begin(void)
{
    for (uint64_t i = 0; i < MOST; i++) {
        sk_tree_leaf(SK_SLICE_NULL, sk_slice(&i, sizeof(i)), leaves[i]);
    }
}

TestSuite(journal_tree, .init = begin);

Test(journal_tree, has_the_roots_that_logs_agree_on)
{
    struct sk_tree tree = {.size = 0};
    for (size_t i = 0; i < SK_COUNT(roots); i++) {
        uint8_t hash[SK_TREE_HASH], record[16], leaf[SK_TREE_HASH];
        char digits[2 * SK_TREE_HASH + 1];
        sk_tree_root(&tree, hash);
        sk_hex_encode(hash, sizeof(hash), digits);
        cr_expect_str_eq(digits, roots[i], "%zu leaves", i);
        if (i < SK_COUNT(records)) {
            size_t len = strlen(records[i]) / 2;
            cr_assert_eq(sk_hex_decode(sk_slice_str(records[i]), record, len), 0);
            sk_tree_leaf(SK_SLICE_NULL, sk_slice(record, len), leaf);
            sk_tree_append(&tree, leaf);
        }
    }
    cr_expect_eq(sk_tree_peaks(tree.size), 1);
}

/* RFC 9162 section 2.1.1, word for word. */
static void defined(struct sk_slice list, uint8_t out[SK_TREE_HASH])
{
    uint64_t n = list.len / SK_TREE_HASH, k = 1;
    uint8_t sides[2][SK_TREE_HASH];
    if (n == 1) {
        memcpy(out, list.data, SK_TREE_HASH);
        return;
    }
    while (2 * k < n) {
        k *= 2;
    }
    defined(sk_slice(list.data, k * SK_TREE_HASH), sides[0]);
    defined(sk_slice_from(list, k * SK_TREE_HASH), sides[1]);
    const struct sk_slice parts[] = {SK_LIT("\1"), sk_slice(sides, sizeof(sides))};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), out);
}

Test(journal_tree, of_any_size_is_as_it_is_defined)
{
    for (uint64_t n = 1; n <= MOST; n++) {
        uint8_t made[SK_TREE_HASH], wanted[SK_TREE_HASH];
        root(n, made);
        defined(first(n), wanted);
        cr_assert_arr_eq(made, wanted, SK_TREE_HASH, "%llu leaves", (unsigned long long)n);
    }
}

Test(journal_tree, each_leaf_s_proof_holds_for_it_and_its_place_alone)
{
    uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH], of[SK_TREE_HASH];
    for (uint64_t n = 1; n <= MOST; n++) {
        root(n, of);
        for (uint64_t i = 0; i < n; i++) {
            size_t count = sk_tree_inclusion(first(n), i, proof);
            struct sk_slice hashes = sk_slice(proof, count * SK_TREE_HASH);
            cr_assert_eq(sk_tree_check_inclusion(leaves[i], i, n, hashes, of), 0, "%llu of %llu", (unsigned long long)i, (unsigned long long)n);
            cr_assert_eq(sk_tree_check_inclusion(leaves[(i + 1) % MOST], i, n, hashes, of), 1);
            cr_assert_eq(n > 1 && sk_tree_check_inclusion(leaves[i], (i + 1) % n, n, hashes, of) == 0, 0);
            cr_assert_eq(sk_tree_check_inclusion(leaves[i], n, n, hashes, of), 1);
            cr_assert_eq(count && sk_tree_check_inclusion(leaves[i], i, n, sk_slice_cut(hashes, hashes.len - SK_TREE_HASH), of) == 0, 0);
            memset(proof[count], 0, SK_TREE_HASH);
            cr_assert_eq(sk_tree_check_inclusion(leaves[i], i, n, sk_slice(proof, (count + 1) * SK_TREE_HASH), of), 1);
        }
    }
    cr_assert_eq(sk_tree_check_inclusion(leaves[0], 0, 0, SK_SLICE_NULL, of), 1);
}

Test(journal_tree, goes_on_from_each_that_it_was_and_from_no_other)
{
    uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH], now[SK_TREE_HASH], then[SK_TREE_HASH], other[SK_TREE_HASH];
    for (uint64_t n = 1; n <= MOST; n++) {
        root(n, now);
        for (uint64_t m = 1; m <= n; m++) {
            root(m, then);
            memcpy(other, then, sizeof(other));
            other[31] ^= 1;
            size_t count = sk_tree_consistency(first(n), m, proof);
            struct sk_slice hashes = sk_slice(proof, count * SK_TREE_HASH);
            cr_assert_eq(sk_tree_check_consistency(m, then, n, now, hashes), 0, "%llu to %llu", (unsigned long long)m, (unsigned long long)n);
            cr_assert_eq(sk_tree_check_consistency(m, other, n, now, hashes), 1);
            cr_assert_eq(sk_tree_check_consistency(m, then, n, other, hashes), 1);
            cr_assert_eq(m < n && sk_tree_check_consistency(m + 1, then, n, now, hashes) == 0, 0);
            for (size_t i = 0; i < count; i++) {
                proof[i][7] ^= 0x20;
                cr_assert_eq(sk_tree_check_consistency(m, then, n, now, hashes), 1, "%llu to %llu, hash %zu", (unsigned long long)m, (unsigned long long)n, i);
                proof[i][7] ^= 0x20;
            }
            memset(proof[count], 0, SK_TREE_HASH);
            cr_assert_eq(sk_tree_check_consistency(m, then, n, now, sk_slice(proof, (count + 1) * SK_TREE_HASH)), 1);
        }
    }
    cr_assert_eq(sk_tree_check_consistency(0, other, 5, now, SK_SLICE_NULL), 0);
    cr_assert_eq(sk_tree_check_consistency(6, now, 5, now, SK_SLICE_NULL), 1);
}

/* No size that a proof says may make the checking read or turn without end. */
Test(journal_tree, proofs_of_absurd_sizes_prove_nothing)
{
    uint8_t proof[SK_TREE_PROOF][SK_TREE_HASH] = {{0}}, of[SK_TREE_HASH];
    root(3, of);
    const uint64_t sizes[] = {0, 1, 2, 3, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        for (size_t k = 0; k < SK_COUNT(sizes); k++) {
            for (size_t count = 0; count <= SK_TREE_PROOF; count++) {
                struct sk_slice hashes = sk_slice(proof, count * SK_TREE_HASH);
                cr_assert_eq(sk_tree_check_inclusion(leaves[0], sizes[i], sizes[k], hashes, of), 1);
                bool trivial = sizes[i] <= sizes[k] && count == 0 && (sizes[i] == 0 || sizes[i] == sizes[k]);
                cr_assert_eq(sk_tree_check_consistency(sizes[i], of, sizes[k], of, hashes), trivial ? 0 : 1);
            }
        }
    }
}
