/* gateway/signer/trees.c: what was signed stays signed, over restarts, torn writes and whatever it is told; and what it signs is what it was told. */
#include "signer/trees.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/note.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/sk-trees-XXXXXX";
static uint8_t secret[32] = {5}, node[SK_ID_SIZE] = {1};
static struct sk_trees *trees;
static char why[200];

static void setup(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void path_of(char out[64])
{
    (void)snprintf(out, 64, "%s/%s", folder, SK_CHECKPOINTS_FILE);
}

static void teardown(void)
{
    trees = sk_trees_free(trees);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(folder);
}

TestSuite(signer_trees, .init = setup, .fini = teardown);

/* As after kill -9: nothing is told. */
static int again(void)
{
    trees = sk_trees_free(trees);
    why[0] = '\0';
    return sk_trees_open(folder, node, secret, &trees, why);
}

static void begin(void)
{
    cr_assert_eq(again(), 0);
    cr_assert(sk_trees_fresh(trees));
    cr_assert_eq(sk_trees_begin(trees), 0);
}

static void make_leaf(uint64_t seq, uint8_t leaf[SK_TREE_HASH])
{
    sk_tree_leaf(SK_SLICE_NULL, sk_slice(&seq, sizeof(seq)), leaf);
}

/* Leaves `from` to `to` of a tenant, as audit tells them. */
static int grow(uint8_t tenant, uint64_t from, uint64_t to)
{
    int r = 0;
    for (uint64_t seq = from; r == 0 && seq < to; seq++) {
        uint8_t leaf[SK_SIGNER_LEAF] = {tenant};
        uint64_t le = htole64(seq);
        memcpy(leaf + SK_ID_SIZE, &le, sizeof(le));
        make_leaf(seq, leaf + SK_ID_SIZE + sizeof(le));
        r = sk_trees_add(trees, sk_slice(leaf, sizeof(leaf)));
    }
    return r;
}

struct stands {
    uint64_t of[8];
    unsigned count;
    uint8_t roots[8][SK_TREE_HASH];
};

static void on_stand(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    struct stands *stands = context;
    memcpy(stands->roots[tenant[0]], root, SK_TREE_HASH);
    stands->of[tenant[0]] = size;
    stands->count++;
}

static struct stands stands(void)
{
    struct stands all = {.count = 0};
    sk_trees_each(trees, on_stand, &all);
    return all;
}

static void read_block(unsigned block, uint8_t out[SK_CHECKPOINTS_BLOCK])
{
    char path[64];
    path_of(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(out, 0, SK_CHECKPOINTS_BLOCK);
    cr_assert_gt(pread(fd, out, SK_CHECKPOINTS_BLOCK, (off_t)(SK_CHECKPOINTS_HEADER + (block - 1) * SK_CHECKPOINTS_BLOCK)), 0);
    (void)close(fd);
}

static void write_at(size_t at, const void *bytes, size_t len)
{
    char path[64];
    path_of(path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, bytes, len, (off_t)at), (ssize_t)len);
    (void)close(fd);
}

/* The newest checkpoint in a block: it is of the tenant's first `size` leaves, and signed by the key under its origin's name. */
static void expect_block(unsigned block, uint8_t tenant, uint64_t size)
{
    uint8_t bytes[SK_CHECKPOINTS_BLOCK], root[SK_TREE_HASH], leaf[SK_TREE_HASH], id[SK_ID_SIZE] = {tenant};
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_checkpoint_half half;
    struct sk_checkpoint c;
    struct sk_tree tree = {.size = 0};
    struct sk_slice text;
    char origin[SK_CHECKPOINT_ORIGIN];
    read_block(block, bytes);
    cr_assert_eq(sk_checkpoints_get(bytes, &half), 0);
    cr_assert_eq(sk_checkpoint_get(sk_note_text(half.note), &c), 0);
    struct sk_note_key *key = sk_note_key_new(secret);
    cr_assert_eq(sk_note_vkey(key, sk_slice(origin, sk_checkpoint_origin(&c, origin)), &vkey), 0);
    (void)sk_note_key_free(key);
    cr_assert_eq(sk_note_verify(sk_buf_peek(&vkey), half.note, &text), 0);
    cr_expect_arr_eq(c.epoch, sk_trees_epoch(trees), SK_ID_SIZE);
    cr_expect_arr_eq(c.tenant, id, SK_ID_SIZE);
    cr_expect_eq(c.size, size);
    for (uint64_t seq = 0; seq < size; seq++) {
        make_leaf(seq, leaf);
        sk_tree_append(&tree, leaf);
    }
    sk_tree_root(&tree, root);
    cr_expect_arr_eq(c.root, root, SK_TREE_HASH);
    cr_expect_leq(c.wall, sk_clock_wall());
    cr_expect_gt(c.wall, sk_clock_wall() - 60 * SK_SECOND);
}

Test(signer_trees, it_signs_what_it_was_told_and_goes_on_from_there)
{
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(grow(4, 0, 1), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_not(sk_trees_fresh(trees));
    cr_expect_eq(stands().count, 2);
    cr_expect_eq(stands().of[3], 5);
    cr_expect_eq(stands().of[4], 1);
    cr_assert_eq(grow(3, 5, 300), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_eq(stands().of[3], 300);
    uint8_t leaf[SK_TREE_HASH];
    make_leaf(0, leaf);
    struct stands all = stands();
    cr_expect_eq(all.of[4], 1);
    cr_expect_arr_eq(all.roots[4], leaf, sizeof(leaf), "the root of one leaf");
    unsigned three = 1;
    uint8_t block[SK_CHECKPOINTS_BLOCK];
    read_block(1, block);
    three += block[16 + 74] != '0' || block[16 + 75] != '3';
    expect_block(three, 3, 300);
    expect_block(3 - three, 4, 1);
}

Test(signer_trees, what_was_not_signed_is_told_again_and_what_was_does_not_count_twice)
{
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(grow(3, 5, 9), 0);
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_eq(stands().of[3], 5);
    cr_assert_eq(grow(3, 2, 9), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    expect_block(1, 3, 9);
}

Test(signer_trees, a_leaf_that_does_not_follow_is_refused)
{
    begin();
    cr_expect_eq(grow(3, 1, 2), 1);
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_expect_eq(grow(3, 6, 7), 1);
    uint8_t half[SK_SIGNER_LEAF / 2] = {3};
    cr_expect_eq(sk_trees_add(trees, sk_slice(half, sizeof(half))), 1);
}

/* What stands in the file is what it says of the past, whatever is told later. */
Test(signer_trees, no_leaf_is_taken_back)
{
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    uint8_t other[SK_SIGNER_LEAF] = {3};
    memset(other + SK_ID_SIZE + 8, 0xee, SK_TREE_HASH); /* another leaf 0 */
    cr_assert_eq(sk_trees_add(trees, sk_slice(other, sizeof(other))), 0);
    cr_assert_eq(grow(3, 5, 6), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    expect_block(1, 3, 6);
}

Test(signer_trees, nothing_is_signed_before_the_file_is_made)
{
    cr_assert_eq(again(), 0);
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_expect_lt(sk_trees_sign(trees), 0);
    cr_assert_eq(again(), 0);
    cr_expect(sk_trees_fresh(trees));
}

Test(signer_trees, a_tree_that_stands_still_is_signed_again_after_a_start)
{
    uint8_t before[SK_CHECKPOINTS_BLOCK], after[SK_CHECKPOINTS_BLOCK];
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    read_block(1, before);
    cr_assert_eq(sk_trees_sign(trees), 0);
    read_block(1, after);
    cr_expect_arr_eq(before, after, sizeof(before), "it was signed just now");
    cr_assert_eq(again(), 0, "%s", why);
    cr_assert_eq(sk_trees_sign(trees), 0);
    read_block(1, after);
    cr_expect_arr_neq(before, after, sizeof(before));
    expect_block(1, 3, 5);
}

Test(signer_trees, a_first_write_that_was_torn_is_nothing_and_a_later_one_leaves_what_was_before)
{
    static const uint8_t rubbish[700] = {1, 2, 3};
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(grow(3, 5, 8), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    write_at(SK_CHECKPOINTS_HEADER + SK_CHECKPOINTS_HALF, rubbish, sizeof(rubbish));
    write_at(SK_CHECKPOINTS_HEADER + SK_CHECKPOINTS_BLOCK, rubbish, sizeof(rubbish));
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_eq(stands().of[3], 5);
    cr_expect_eq(stands().count, 1);
    cr_assert_eq(grow(3, 5, 9), 0);
    cr_assert_eq(grow(4, 0, 1), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_eq(stands().of[3], 9);
    cr_expect_eq(stands().of[4], 1);
}

static void expect_damaged(const char *what)
{
    cr_expect_eq(again(), 1);
    cr_expect_not_null(strstr(why, what), "%s", why);
    cr_expect_null(trees);
}

Test(signer_trees, a_damaged_file_is_refused_and_its_block_named)
{
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(grow(3, 5, 8), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    write_at(SK_CHECKPOINTS_HEADER + 100, "x", 1);
    write_at(SK_CHECKPOINTS_HEADER + SK_CHECKPOINTS_HALF + 100, "x", 1);
    expect_damaged("block 1 is damaged");
    write_at(100, "x", 1);
    expect_damaged("its header is damaged");
}

Test(signer_trees, another_gateways_file_or_another_keys_is_refused)
{
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    secret[0]++;
    expect_damaged("block 1 is not signed by this gateway's key");
    secret[0]--;
    node[0]++;
    expect_damaged("another gateway's");
    node[0]--;
    cr_expect_eq(again(), 0);
}

/* A whole block of the file's own, at another place or of other peaks. */
Test(signer_trees, a_block_that_is_there_twice_or_whose_peaks_are_not_the_roots_is_refused)
{
    uint8_t block[SK_CHECKPOINTS_BLOCK], copy[SK_CHECKPOINTS_BLOCK];
    struct sk_checkpoint_half half;
    begin();
    cr_assert_eq(grow(3, 0, 4), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    read_block(1, block);
    write_at(SK_CHECKPOINTS_HEADER + SK_CHECKPOINTS_BLOCK, block, sizeof(block));
    expect_damaged("block 2 is damaged");
    cr_assert_eq(sk_checkpoints_get(block, &half), 0);
    char peaks[SK_TREE_HASH] = "other";
    half.peaks = sk_slice(peaks, sizeof(peaks));
    sk_checkpoints_put(&half, copy);
    write_at(SK_CHECKPOINTS_HEADER, copy, SK_CHECKPOINTS_HALF);
    expect_damaged("block 1 is damaged");
}

Test(signer_trees, many_trees_that_stand_still_are_signed_some_at_a_time)
{
    struct stat info;
    uint8_t leaf[SK_SIGNER_LEAF] = {0};
    char path[64];
    begin();
    for (unsigned i = 0; i < 2 * SK_SIGNER_IDLE_MOST; i++) {
        leaf[0] = (uint8_t)(i >> 8);
        leaf[1] = (uint8_t)i;
        cr_assert_eq(sk_trees_add(trees, sk_slice(leaf, sizeof(leaf))), 0);
    }
    cr_assert_eq(sk_trees_sign(trees), 0);
    path_of(path);
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_eq((size_t)info.st_size, SK_CHECKPOINTS_HEADER + 2 * SK_SIGNER_IDLE_MOST * SK_CHECKPOINTS_BLOCK - SK_CHECKPOINTS_HALF);
    cr_assert_eq(again(), 0, "%s", why);
    for (unsigned turn = 1; turn <= 3; turn++) {
        unsigned second = 0;
        cr_assert_eq(sk_trees_sign(trees), 0);
        for (unsigned i = 1; i <= 2 * SK_SIGNER_IDLE_MOST; i++) {
            uint8_t block[SK_CHECKPOINTS_BLOCK];
            struct sk_checkpoint_half half;
            read_block(i, block);
            cr_assert_eq(sk_checkpoints_get(block, &half), 0);
            second += half.turn == 2;
        }
        cr_expect_eq(second, turn == 1 ? SK_SIGNER_IDLE_MOST : 2 * SK_SIGNER_IDLE_MOST, "%u in turn %u", second, turn);
    }
}

Test(signer_trees, what_cannot_be_written_is_written_when_it_can)
{
    char path[64], away[70];
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    path_of(path);
    (void)snprintf(away, sizeof(away), "%s.away", path);
    cr_assert_eq(rename(path, away), 0);
    cr_expect_eq(sk_trees_sign(trees), -ESTALE, "it is signed where nobody finds it");
    cr_expect_eq(stands().count, 0);
    cr_assert_eq(rename(away, path), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_expect_eq(stands().of[3], 5);
    expect_block(1, 3, 5);
}

Test(signer_trees, a_file_that_was_replaced_is_not_written)
{
    char path[64], other[70];
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    path_of(path);
    (void)snprintf(other, sizeof(other), "%s.other", path);
    int fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && rename(other, path) == 0);
    (void)close(fd);
    cr_expect_eq(sk_trees_sign(trees), -ESTALE);
}

Test(signer_trees, one_that_came_back_meanwhile_is_not_written_over)
{
    char path[64];
    cr_assert_eq(again(), 0);
    cr_assert(sk_trees_fresh(trees));
    path_of(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, "mine", 4) == 4);
    (void)close(fd);
    cr_expect_eq(sk_trees_begin(trees), -EEXIST);
    char made[64];
    (void)snprintf(made, sizeof(made), "%s/new", folder);
    (void)unlink(made);
}

Test(signer_trees, each_file_has_an_epoch_of_its_own_and_keeps_it)
{
    uint8_t first[SK_ID_SIZE];
    char path[64];
    begin();
    memcpy(first, sk_trees_epoch(trees), SK_ID_SIZE);
    cr_assert_eq(again(), 0);
    cr_expect_arr_eq(first, sk_trees_epoch(trees), SK_ID_SIZE);
    path_of(path);
    cr_assert_eq(unlink(path), 0);
    begin();
    cr_expect_arr_neq(first, sk_trees_epoch(trees), SK_ID_SIZE);
}

/* ---- erasures ---- */

static int certify(uint8_t tenant, const char *contract)
{
    uint8_t id[SK_ID_SIZE] = {tenant};
    return sk_trees_certify(trees, id, sk_slice_str(contract));
}

/* How many files there are beside the checkpoints, in all and of this name. */
static size_t others(const char *name, size_t *of_name)
{
    size_t all = 0;
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir);
    *of_name = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        all += entry->d_name[0] != '.' && strcmp(entry->d_name, SK_CHECKPOINTS_FILE) != 0;
        *of_name += strcmp(entry->d_name, name) == 0;
    }
    (void)closedir(dir);
    return all;
}

/* Leaves 0 to `size` of the tenant; its text into `note`. */
static void expect_certificate(uint8_t tenant, uint64_t size, const char *contract, struct sk_buf *note)
{
    uint8_t root[SK_TREE_HASH], leaf[SK_TREE_HASH], id[SK_ID_SIZE] = {tenant};
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_tree tree = {.size = 0};
    struct sk_erasure e;
    struct sk_slice text;
    char path[128], origin[SK_CHECKPOINT_ORIGIN], bytes[SK_ERASURE_NOTE + 1];
    (void)snprintf(path, sizeof(path), "%s/erasure-%02x000000000000000000000000000000-%lu", folder, tenant, (unsigned long)size);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    ssize_t len = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    cr_assert(len > 0 && (size_t)len <= SK_ERASURE_NOTE);
    sk_buf_take(note, sk_buf_len(note));
    cr_assert_eq(sk_buf_put(note, sk_slice(bytes, (size_t)len)), 0);
    cr_assert_eq(sk_erasure_get(sk_note_text(sk_buf_peek(note)), &e), 0);
    struct sk_note_key *key = sk_note_key_new(secret);
    cr_assert_eq(sk_note_vkey(key, sk_slice(origin, sk_checkpoint_origin(&e.was, origin)), &vkey), 0);
    (void)sk_note_key_free(key);
    cr_assert_eq(sk_note_verify(sk_buf_peek(&vkey), sk_buf_peek(note), &text), 0);
    for (uint64_t seq = 0; seq < size; seq++) {
        make_leaf(seq, leaf);
        sk_tree_append(&tree, leaf);
    }
    sk_tree_root(&tree, root);
    cr_expect_arr_eq(e.was.node, node, SK_ID_SIZE);
    cr_expect_arr_eq(e.was.epoch, sk_trees_epoch(trees), SK_ID_SIZE);
    cr_expect_arr_eq(e.was.tenant, id, SK_ID_SIZE);
    cr_expect_eq(e.was.size, size);
    cr_expect_arr_eq(e.was.root, root, SK_TREE_HASH);
    cr_expect_str_eq(e.contract, contract);
    cr_expect(e.was.wall <= sk_clock_wall() && e.was.wall > sk_clock_wall() - 60 * SK_SECOND);
}

Test(signer_trees, a_certificate_of_erasure_is_signed_and_says_how_far_the_tree_went)
{
    struct sk_buf note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    size_t of_name;
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(grow(4, 0, 300), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 5, "acme@dns", &note);
    cr_assert_eq(certify(4, "b@c"), 0);
    expect_certificate(4, 300, "b@c", &note);
    cr_expect_eq(others("new-erasure", &of_name), 2);
    cr_expect_eq(of_name, 0);
    cr_assert_eq(again(), 0, "certificates beside the checkpoints: %s", why);
    cr_expect_eq(stands().of[3], 5);
}

Test(signer_trees, a_certificate_is_written_once_and_one_more_when_something_came_after)
{
    struct sk_buf first SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE), note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    size_t of_name;
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_assert_eq(sk_trees_sign(trees), 0);
    cr_assert_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 5, "acme@dns", &first);
    cr_expect_eq(certify(3, "beta@dns"), 0);
    cr_assert_eq(again(), 0, "%s", why);
    cr_expect_eq(certify(3, "acme@dns"), 0, "audit says it again after a start");
    expect_certificate(3, 5, "acme@dns", &note);
    cr_expect(sk_slice_eq(sk_buf_peek(&first), sk_buf_peek(&note)));
    cr_expect_eq(others("", &of_name), 1);
    cr_assert_eq(grow(3, 5, 7), 0);
    cr_assert_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 7, "acme@dns", &note);
    expect_certificate(3, 5, "acme@dns", &note);
    cr_expect(sk_slice_eq(sk_buf_peek(&first), sk_buf_peek(&note)));
    cr_expect_eq(others("", &of_name), 2);
}

Test(signer_trees, nobody_is_certified_who_is_not_known_or_has_no_name)
{
    char name[SK_ERASURE_NAME + 1];
    struct sk_buf note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    size_t of_name;
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    cr_expect_eq(certify(4, "acme@dns"), 1);
    cr_expect_eq(certify(3, ""), 1);
    cr_expect_eq(certify(3, NULL), 1);
    memset(name, 'n', sizeof(name));
    name[SK_ERASURE_NAME] = '\0';
    cr_expect_eq(certify(3, name), 1);
    cr_expect_eq(others("", &of_name), 0);
    name[SK_ERASURE_NAME - 1] = '\0';
    cr_expect_eq(certify(3, name), 0);
    expect_certificate(3, 5, name, &note);
}

static void leave(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

/* Of a machine that ended before it was whole; or of whoever would have the signer write elsewhere. */
Test(signer_trees, what_was_left_of_another_certificate_is_not_in_the_next)
{
    static char old[4000];
    struct sk_buf note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    struct stat info;
    char path[128], elsewhere[128];
    size_t of_name;
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    memset(old, 'o', sizeof(old) - 1);
    leave("new-erasure", old);
    cr_assert_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 5, "acme@dns", &note);
    cr_expect_eq(others("new-erasure", &of_name), 1);
    cr_assert_eq(grow(3, 5, 6), 0);
    leave("elsewhere", "mine");
    (void)snprintf(path, sizeof(path), "%s/new-erasure", folder);
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", folder);
    cr_assert_eq(symlink(elsewhere, path), 0);
    cr_expect_lt(certify(3, "acme@dns"), 0);
    cr_assert_eq(stat(elsewhere, &info), 0);
    cr_expect_eq(info.st_size, 4);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 6, "acme@dns", &note);
}

Test(signer_trees, a_certificate_that_cannot_be_written_is_none_and_may_be_tried_again)
{
    struct sk_buf note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    char away[64];
    begin();
    cr_assert_eq(grow(3, 0, 5), 0);
    (void)snprintf(away, sizeof(away), "%s.away", folder);
    cr_assert_eq(rename(folder, away), 0);
    cr_expect_lt(certify(3, "acme@dns"), 0);
    cr_assert_eq(rename(away, folder), 0);
    cr_expect_eq(certify(3, "acme@dns"), 0);
    expect_certificate(3, 5, "acme@dns", &note);
}
