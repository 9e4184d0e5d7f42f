/* Checkpoints that a journal is held to. Runs in the tools. */
#include "tools/checkpoints.h"

#include "crypto/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY 300

static int refuse(char *why, const char *what, uint64_t block)
{
    if (block) {
        (void)snprintf(why, WHY, "block %llu %s", (unsigned long long)block, what);
    } else {
        (void)snprintf(why, WHY, "%s", what);
    }
    return 1;
}

bool sk_checkpoints_is_signed(const char *vkey, const struct sk_checkpoint *checkpoint, struct sk_slice note)
{
    struct sk_buf named SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    char node[SK_CHECKPOINT_ORIGIN], origin[SK_CHECKPOINT_ORIGIN];
    struct sk_slice key = sk_slice_str(vkey), text;
    size_t len = sk_checkpoint_node(checkpoint->node, node);
    return sk_slice_starts(key, sk_slice(node, len)) && key.data[len] == '+' &&
           sk_note_vkey_as(key, sk_slice(origin, sk_checkpoint_origin(checkpoint, origin)), &named) == 0 &&
           sk_note_verify(sk_buf_peek(&named), note, &text) == 0;
}

static int add_note(struct sk_checkpoints *all, const char *path, struct sk_slice note, uint64_t block, char *why)
{
    struct sk_checkpoints_entry *entry = calloc(1, sizeof(*entry));
    if (!entry) {
        return refuse(why, strerror(ENOMEM), 0);
    }
    entry->path = path;
    entry->note = strndup(note.data, note.len);
    int r = !entry->note ? refuse(why, strerror(ENOMEM), 0) : sk_checkpoint_get(sk_note_text(note), &entry->is) ? refuse(why, "is no checkpoint", block) : 0;
    if (r == 0 && all->vkey && !sk_checkpoints_is_signed(all->vkey, &entry->is, note)) {
        r = refuse(why, "is not signed by the key that was given", block);
    }
    if (r == 0 && sk_table_add(&all->table, &entry->node, sk_table_hash(sk_slice(entry->is.tenant, SK_ID_SIZE)))) {
        r = refuse(why, strerror(ENOMEM), 0);
    }
    if (r) {
        free(entry->note);
        free(entry);
        return r;
    }
    all->newest = entry->is.wall > all->newest ? entry->is.wall : all->newest;
    return 0;
}

static int add_blocks(struct sk_checkpoints *all, const char *path, struct sk_slice blocks, char *why)
{
    int r = 0;
    for (uint64_t block = 1; r == 0 && blocks.len; block++) {
        uint8_t bytes[SK_CHECKPOINTS_BLOCK] = {0}; /* the last may be short */
        struct sk_checkpoint_half half;
        struct sk_slice one = sk_slice_cut(blocks, sizeof(bytes));
        memcpy(bytes, one.data, one.len);
        int state = sk_checkpoints_get(bytes, &half);
        r = state == 1 ? refuse(why, "is damaged", block) : state == 0 ? add_note(all, path, half.note, block, why) : 0;
        blocks = sk_slice_from(blocks, one.len);
    }
    return r;
}

int sk_checkpoints_add(struct sk_checkpoints *all, const char *path, char *why)
{
    struct stat info = {0};
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode) || info.st_size == 0) {
        int error = fd < 0 ? errno : 0;
        if (fd >= 0) {
            (void)close(fd);
        }
        return refuse(why, error ? strerror(error) : "no file of checkpoints", 0);
    }
    void *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (at == MAP_FAILED) {
        return refuse(why, strerror(errno), 0);
    }
    struct sk_slice file = sk_slice(at, (size_t)info.st_size);
    bool signers = file.len >= SK_CHECKPOINTS_HEADER && sk_checkpoints_get_header((const uint8_t *)file.data, node, epoch) == 0;
    size_t before = all->table.count;
    int r = signers ? add_blocks(all, path, sk_slice_from(file, SK_CHECKPOINTS_HEADER), why) : add_note(all, path, file, 0, why);
    (void)munmap(at, (size_t)info.st_size);
    return r || all->table.count > before ? r : refuse(why, "holds no checkpoint", 0);
}

void sk_checkpoints_free(struct sk_checkpoints *all)
{
    for (struct sk_table_node *node = sk_table_walk(&all->table, NULL); node;) {
        struct sk_table_node *next = sk_table_walk(&all->table, node);
        struct sk_checkpoints_entry *entry = SK_CONTAINER(node, struct sk_checkpoints_entry, node);
        free(entry->note);
        free(entry);
        node = next;
    }
    sk_table_free(&all->table);
}

static struct sk_table_node *first_of(const struct sk_checkpoints *all, const uint8_t tenant[SK_ID_SIZE])
{
    return sk_table_first(&all->table, sk_table_hash(sk_slice(tenant, SK_ID_SIZE)));
}

static bool is_of(const struct sk_checkpoints_entry *entry, const uint8_t tenant[SK_ID_SIZE], uint64_t size)
{
    return entry->is.size == size && memcmp(entry->is.tenant, tenant, SK_ID_SIZE) == 0;
}

const struct sk_checkpoints_entry *sk_checkpoints_foreign(const struct sk_checkpoints *all, const struct sk_frame_file *file)
{
    for (struct sk_table_node *n = sk_table_walk(&all->table, NULL); n; n = sk_table_walk(&all->table, n)) {
        const struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        if (memcmp(entry->is.node, file->node, SK_ID_SIZE) != 0 || memcmp(entry->is.epoch, file->epoch, SK_ID_SIZE) != 0) {
            return entry;
        }
    }
    return NULL;
}

bool sk_checkpoints_any(const struct sk_checkpoints *all, const uint8_t tenant[SK_ID_SIZE], uint64_t size)
{
    struct sk_table_node *n = first_of(all, tenant);
    while (n && !is_of(SK_CONTAINER(n, struct sk_checkpoints_entry, node), tenant, size)) {
        n = sk_table_next(n);
    }
    return n != NULL;
}

const struct sk_checkpoints_entry *sk_checkpoints_follow(struct sk_checkpoints *all, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    for (struct sk_table_node *n = first_of(all, tenant); n; n = sk_table_next(n)) {
        struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        if (is_of(entry, tenant, size)) {
            entry->reached = memcmp(root, entry->is.root, SK_TREE_HASH) == 0;
            if (!entry->reached) {
                return entry;
            }
        }
    }
    return NULL;
}

void sk_checkpoints_pass(struct sk_checkpoints *all, const uint8_t tenant[SK_ID_SIZE], uint64_t size)
{
    for (struct sk_table_node *n = first_of(all, tenant); n; n = sk_table_next(n)) {
        struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        entry->within = entry->within || is_of(entry, tenant, size);
    }
}

/* The tenant's newest. */
static const struct sk_checkpoints_entry *newest(const struct sk_checkpoints *all, const uint8_t tenant[SK_ID_SIZE])
{
    const struct sk_checkpoints_entry *most = NULL;
    for (struct sk_table_node *n = first_of(all, tenant); n; n = sk_table_next(n)) {
        const struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        bool more = memcmp(entry->is.tenant, tenant, SK_ID_SIZE) == 0 && (!most || entry->is.size > most->is.size);
        most = more ? entry : most;
    }
    return most;
}

struct sk_checkpoints_result sk_checkpoints_end(const struct sk_checkpoints *all, const struct sk_journal_state *state)
{
    struct sk_checkpoints_result result = {.unmet = NULL};
    for (struct sk_table_node *n = sk_table_walk(&state->tenants, NULL); n; n = sk_table_walk(&state->tenants, n)) {
        const struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        const struct sk_checkpoints_entry *entry = newest(all, tenant->id);
        result.unsigned_records += tenant->tree.size - (entry && entry->reached ? entry->is.size : 0);
    }
    for (struct sk_table_node *n = sk_table_walk(&all->table, NULL); n; n = sk_table_walk(&all->table, n)) {
        const struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        result.reached += entry->reached;
        result.unmet = !entry->reached && entry == newest(all, entry->is.tenant) ? entry : result.unmet;
    }
    return result;
}
