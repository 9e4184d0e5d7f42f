/* gateway/witness/witness.c where tests/e2e/witness.test.mjs does not reach: what it says when nothing can be kept, and names of logs. */
#include "witness/witness.h"

#include "base/text.h"
#include "journal/tree.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG "log.example.test/one"

static char path[64];
static struct sk_note_key *log_key;
static char vkey[512];
static const char *const logs[] = {vkey};
static struct witness witness;

static void setup(void)
{
    static const uint8_t secret[SK_NOTE_KEY] = {1}, own[SK_NOTE_KEY] = {2};
    struct sk_buf out = SK_BUF_INIT(sizeof(vkey));
    (void)snprintf(path, sizeof(path), "/tmp/sekisho-witness-XXXXXX");
    cr_assert_neq(mkdtemp(path), NULL);
    log_key = sk_note_key_new(secret);
    cr_assert(log_key && sk_note_vkey(log_key, SK_LIT(LOG), &out) == 0);
    (void)snprintf(vkey, sizeof(vkey), "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
    sk_buf_free(&out);
    witness = (struct witness){.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .key = sk_note_key_new(own), .name = "witness.test", .logs = logs, .logs_count = 1};
    cr_assert(witness.folder >= 0 && witness.key);
}

static void teardown(void)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    (void)rmdir(path);
    if (witness.folder >= 0) {
        (void)close(witness.folder);
    }
    (void)sk_note_key_free(witness.key);
    (void)sk_note_key_free(log_key);
}

TestSuite(witness, .init = setup, .fini = teardown);

/* A checkpoint of a log of so many leaves, all alike. */
static void put_request(struct sk_buf *out, uint64_t old, uint64_t size, const char *origin, const char *proof)
{
    struct sk_tree tree = {.size = 0};
    uint8_t leaf[SK_TREE_HASH] = {9}, root[SK_TREE_HASH];
    char text[400], base64[SK_BASE64_SIZE(SK_TREE_HASH)];
    while (tree.size < size) {
        sk_tree_append(&tree, leaf);
    }
    sk_tree_root(&tree, root);
    (void)sk_base64_encode(sk_slice(root, sizeof(root)), base64);
    (void)snprintf(text, sizeof(text), "%s\n%llu\n%s\n", origin, (unsigned long long)size, base64);
    cr_assert_eq(sk_buf_printf(out, "old %llu\n%s\n", (unsigned long long)old, proof), 0);
    cr_assert_eq(sk_note_sign(log_key, sk_slice_str(origin), sk_slice_str(text), out), 0);
}

static unsigned add(uint64_t old, uint64_t size, const char *origin, char said[1024])
{
    struct sk_buf body = SK_BUF_INIT(WITNESS_REQUEST), out = SK_BUF_INIT(1000);
    put_request(&body, old, size, origin, "");
    unsigned status = witness_add(&witness, sk_buf_peek(&body), &out);
    (void)snprintf(said, 1024, "%.*s", (int)sk_buf_len(&out), sk_buf_len(&out) ? sk_buf_peek(&out).data : "");
    sk_buf_free(&body);
    sk_buf_free(&out);
    return status;
}

Test(witness, cosigns_nothing_that_it_could_not_keep)
{
    char said[1024];
    int folder = witness.folder;
    cr_expect_eq(add(0, 1, LOG, said), 200);
    witness.folder = -1;
    cr_expect_eq(add(0, 1, LOG, said), 500, "what it had cannot be read");
    cr_expect_eq(strstr(said, "\xe2\x80\x94"), NULL, "%s", said);
    witness.folder = folder;
    cr_assert_eq(mkdirat(folder, "writing", 0700), 0);
    cr_expect_eq(add(1, 1, LOG, said), 500, "what it is to have cannot be written");
    cr_expect_eq(strstr(said, "\xe2\x80\x94"), NULL, "%s", said);
    cr_assert_eq(unlinkat(folder, "writing", AT_REMOVEDIR), 0);
    cr_expect_eq(add(1, 1, LOG, said), 200);
    cr_expect_eq(add(0, 1, LOG, said), 409);
    cr_expect_str_eq(said, "1\n");
}

Test(witness, an_empty_log_is_cosigned_as_the_empty_tree_alone)
{
    char said[1024];
    struct sk_buf body = SK_BUF_INIT(WITNESS_REQUEST), out = SK_BUF_INIT(1000);
    cr_assert_eq(sk_buf_put(&body, SK_LIT("old 0\n\n")), 0);
    cr_assert_eq(sk_note_sign(log_key, SK_LIT(LOG), SK_LIT(LOG "\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), &body), 0);
    cr_expect_eq(witness_add(&witness, sk_buf_peek(&body), &out), 409, "it has another root");
    sk_buf_free(&body);
    sk_buf_free(&out);
    cr_expect_eq(add(0, 0, LOG, said), 200);
    cr_expect_eq(add(0, 3, LOG, said), 200, "%s", said);
    cr_expect_eq(add(0, 0, LOG, said), 409);
    cr_expect_str_eq(said, "3\n");
}

Test(witness, a_log_is_known_by_its_name_or_what_stands_behind_it_and_a_slash)
{
    char said[1024];
    cr_expect_eq(add(0, 1, LOG "/epoch", said), 200);
    cr_expect_eq(add(0, 1, LOG "x", said), 404);
    cr_expect_eq(add(0, 1, "log.example.test", said), 404);
    cr_expect_eq(add(0, 1, LOG, said), 200, "another log than the first");
}

Test(witness, keys_are_made_once_and_read_by_their_owner_alone)
{
    char file[128];
    uint8_t key[SK_NOTE_KEY] = {0}, again[SK_NOTE_KEY], none[SK_NOTE_KEY] = {0};
    (void)snprintf(file, sizeof(file), "%s/key", path);
    cr_assert_eq(witness_make_key(file), 0);
    cr_assert_lt(witness_make_key(file), 0);
    cr_assert_eq(witness_read_key(file, key), 0);
    cr_assert_eq(witness_read_key(file, again), 0);
    cr_expect(memcmp(key, again, sizeof(key)) == 0 && memcmp(key, none, sizeof(key)) != 0);
    cr_assert_eq(chmod(file, 0640), 0);
    cr_expect_lt(witness_read_key(file, key), 0);
    cr_assert_eq(chmod(file, 0600), 0);
    cr_assert_eq(truncate(file, 31), 0);
    cr_expect_lt(witness_read_key(file, key), 0);
}
