/*
 * make-journal FOLDER RECORDS [SIGNER]: under a root key of 32 times 'k', a journal of two tenants by the real writer, in files of 1 MiB; one intent stays open. SIGNER: a folder for the
 * checkpoints of the first half, by the real trees, and the key is printed; or one that has some: then the journal is of their epoch.
 */
#include "audit/writer.h"
#include "crypto/digest.h"
#include "crypto/note.h"
#include "signer/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int add(struct sk_writer *writer, unsigned i)
{
    uint8_t request[SK_ID_SIZE] = {(uint8_t)(i >> 8), (uint8_t)i, 1};
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = i == 0 ? SK_AUDIT_STAGE_INTENT : SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .subject = SK_LIT("hanako"),
            .method = SK_LIT("GET"),
            .path = SK_LIT("/a/path/of/some/length/to/fill/the/file"),
            .request = sk_slice(request, sizeof(request)),
            .status = 200};
    record.tenant[0] = (uint8_t)(1 + i % 2);
    return sk_writer_add(writer, &record, 0);
}

static int print_key(const uint8_t node[SK_ID_SIZE], const uint8_t secret[SK_NOTE_KEY])
{
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    char name[SK_CHECKPOINT_ORIGIN];
    struct sk_note_key *key = sk_note_key_new(secret);
    int r = key ? sk_note_vkey(key, sk_slice(name, sk_checkpoint_node(node, name)), &vkey) : -ENOMEM;
    (void)printf("%.*s\n", (int)sk_buf_len(&vkey), sk_buf_peek(&vkey).data);
    (void)sk_note_key_free(key);
    return r;
}

/* In two goes, so that both halves of a block are written. */
static int sign(const struct sk_writer *writer, struct sk_trees *trees, uint64_t count)
{
    struct sk_slice leaves = sk_writer_unsigned(writer), rest = sk_slice_from(leaves, count / 4 * SK_SIGNER_LEAF);
    int r = sk_trees_add(trees, sk_slice_cut(leaves, leaves.len - rest.len));
    r = r ? r : sk_trees_sign(trees);
    r = r ? r : sk_trees_add(trees, rest);
    return r ? r : sk_trees_sign(trees);
}

/* The key differs with the folder's name. 0, with trees to sign with or none; negative. */
static int begin(const char *folder, struct sk_writer_settings *set, struct sk_trees **trees)
{
    uint8_t secret[SK_NOTE_KEY] = {(uint8_t)folder[0]};
    char why[200];
    int r = sk_trees_open(folder, set->node, secret, trees, why);
    bool fresh = r == 0 && sk_trees_fresh(*trees);
    r = r || !fresh ? r : sk_trees_begin(*trees);
    if (r == 0) {
        memcpy(set->epoch, sk_trees_epoch(*trees), SK_ID_SIZE);
    }
    if (r || !fresh) {
        *trees = sk_trees_free(*trees);
        return r;
    }
    return print_key(set->node, secret);
}

int main(int argc, char **argv)
{
    static struct sk_table stands;
    struct sk_writer_settings set = {.disk = &sk_disk_real, .file_size = 1U << 20, .stands = &stands};
    struct sk_writer_found found;
    struct sk_writer *writer = NULL;
    struct sk_trees *trees = NULL;
    uint64_t count = 0;
    if (argc < 3 || argc > 4 || sk_slice_u64(sk_slice_str(argv[2]), 1000000, &count)) {
        return 2;
    }
    char root_key[SK_KEYS_SECRET];
    memset(root_key, 'k', sizeof(root_key));
    sk_digest_derive(sk_slice(root_key, sizeof(root_key)), "audit", SK_SLICE_NULL, set.secret);
    set.folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = set.folder < 0 ? -errno : argc > 3 ? begin(argv[3], &set, &trees) : 0;
    r = r ? r : sk_writer_open(&set, &writer, &found);
    for (unsigned i = 0; r == 0 && i < count; i++) {
        r = add(writer, i);
        r = r ? r : i % 16 == 15 ? sk_writer_commit(writer) : 0;
        r = r || !trees || i + 1 != count / 2 ? r : sign(writer, trees, count);
    }
    r = r ? r : sk_writer_commit(writer);
    (void)sk_writer_free(writer);
    (void)sk_trees_free(trees);
    if (r) {
        (void)fprintf(stderr, "make-journal: %d\n", r);
    }
    return r != 0;
}
