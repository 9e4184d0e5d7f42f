/* The signer's trees. Runs in the signer alone. */
#include "signer/trees.h"

#include "base/clock.h"
#include "crypto/note.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#define MADE "new" /* the file, before it is whole */

struct grown {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    struct sk_tree tree;
    uint64_t signed_size, signed_at; /* boot time; 0: not since the start */
    uint8_t signed_root[SK_TREE_HASH];
    uint64_t block, turn; /* where in the file, and its newest half */
    bool waits;           /* is among those to be signed */
    struct grown *next;
};

struct sk_trees {
    char folder[4097];
    int fd; /* -1: no file yet */
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE];
    struct sk_note_key *key;
    struct sk_table table;
    struct grown *waiting;
    struct sk_table_node *idle; /* which was looked at last */
    uint64_t blocks;            /* of the file, each a tenant's */
};

static struct grown *find(const struct sk_trees *trees, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&trees->table, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct grown *g = SK_CONTAINER(n, struct grown, node);
        if (memcmp(g->id, id, SK_ID_SIZE) == 0) {
            return g;
        }
    }
    return NULL;
}

static struct grown *add(struct sk_trees *trees, const uint8_t id[SK_ID_SIZE])
{
    struct grown *g = calloc(1, sizeof(*g));
    if (!g) {
        return NULL;
    }
    memcpy(g->id, id, SK_ID_SIZE);
    g->block = UINT64_MAX; /* none yet */
    if (sk_table_add(&trees->table, &g->node, sk_table_hash(sk_slice(id, SK_ID_SIZE)))) {
        free(g);
        return NULL;
    }
    return g;
}

static void wait_for_it(struct sk_trees *trees, struct grown *g)
{
    if (!g->waits) {
        g->waits = true;
        g->next = trees->waiting;
        trees->waiting = g;
    }
}

/* ---- the file ---- */

static int write_all(int fd, const uint8_t *bytes, size_t len, uint64_t at)
{
    while (len) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        bytes += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

static uint64_t place_of(const struct grown *g, uint64_t turn)
{
    return SK_CHECKPOINTS_HEADER + g->block * SK_CHECKPOINTS_BLOCK + (turn + 1) % 2 * SK_CHECKPOINTS_HALF;
}

bool sk_trees_fresh(const struct sk_trees *trees)
{
    return trees->fd < 0;
}

const uint8_t *sk_trees_epoch(const struct sk_trees *trees)
{
    return trees->epoch;
}

/* A header, in a file that has its name when it is whole, and takes nobody's place. */
static int make_file(struct sk_trees *trees, int folder)
{
    uint8_t header[SK_CHECKPOINTS_HEADER];
    sk_checkpoints_put_header(trees->node, trees->epoch, header);
    int fd = openat(folder, MADE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : write_all(fd, header, sizeof(header), 0);
    if (r == 0 && (fsync(fd) || renameat2(folder, MADE, folder, SK_CHECKPOINTS_FILE, RENAME_NOREPLACE) || fsync(folder))) {
        r = -errno;
    }
    if (r && fd >= 0) {
        (void)close(fd);
    }
    return r ? r : fd;
}

int sk_trees_begin(struct sk_trees *trees)
{
    int folder = open(trees->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -errno;
    }
    sk_random(trees->epoch, sizeof(trees->epoch));
    int fd = make_file(trees, folder);
    (void)close(folder);
    trees->fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

/* The text names the tenant, and by it the key that must have signed it. */
static bool is_signed(const struct sk_trees *trees, const struct sk_checkpoint *checkpoint, struct sk_slice note)
{
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_slice text;
    char origin[SK_CHECKPOINT_ORIGIN];
    return sk_note_vkey(trees->key, sk_slice(origin, sk_checkpoint_origin(checkpoint, origin)), &vkey) == 0 && sk_note_verify(sk_buf_peek(&vkey), note, &text) == 0;
}

/* The tree that the checkpoint was of. */
static bool take_tree(struct grown *g, const struct sk_checkpoint *checkpoint, struct sk_slice peaks)
{
    if (peaks.len != sk_tree_peaks(checkpoint->size) * (size_t)SK_TREE_HASH) {
        return false;
    }
    g->tree.size = g->signed_size = checkpoint->size;
    if (peaks.len) {
        memcpy(g->tree.peaks, peaks.data, peaks.len);
    }
    sk_tree_root(&g->tree, g->signed_root);
    return memcmp(g->signed_root, checkpoint->root, SK_TREE_HASH) == 0;
}

/* One block of the file. 0; 1 with `why`; negative. */
static int take_block(struct sk_trees *trees, const uint8_t block[SK_CHECKPOINTS_BLOCK], uint64_t at, char why[200])
{
    struct sk_checkpoint_half half;
    struct sk_checkpoint checkpoint;
    int r = sk_checkpoints_get(block, &half);
    if (r == 2) {
        return 0;
    }
    (void)snprintf(why, 200, "block %llu is damaged", (unsigned long long)at + 1);
    if (r || sk_checkpoint_get(sk_note_text(half.note), &checkpoint) || memcmp(checkpoint.node, trees->node, SK_ID_SIZE) != 0 ||
            memcmp(checkpoint.epoch, trees->epoch, SK_ID_SIZE) != 0 || find(trees, checkpoint.tenant)) {
        return 1;
    }
    if (!is_signed(trees, &checkpoint, half.note)) {
        (void)snprintf(why, 200, "block %llu is not signed by this gateway's key", (unsigned long long)at + 1);
        return 1;
    }
    struct grown *g = add(trees, checkpoint.tenant);
    if (!g) {
        return -ENOMEM;
    }
    g->block = at;
    g->turn = half.turn;
    return !take_tree(g, &checkpoint, half.peaks);
}

static int read_file(struct sk_trees *trees, uint64_t size, char why[200])
{
    uint8_t header[SK_CHECKPOINTS_HEADER] = {0}, node[SK_ID_SIZE], block[SK_CHECKPOINTS_BLOCK];
    ssize_t n = pread(trees->fd, header, sizeof(header), 0);
    int r = n < 0 ? -errno : 0;
    if (r == 0 && (sk_checkpoints_get_header(header, node, trees->epoch) || memcmp(node, trees->node, SK_ID_SIZE) != 0)) {
        (void)snprintf(why, 200, "its header is damaged, or another gateway's: it is not of this root key");
        return 1;
    }
    uint64_t rest = size > SK_CHECKPOINTS_HEADER ? size - SK_CHECKPOINTS_HEADER : 0;
    trees->blocks = (rest + SK_CHECKPOINTS_BLOCK - 1) / SK_CHECKPOINTS_BLOCK;
    for (uint64_t at = 0; r == 0 && at < trees->blocks; at++) {
        memset(block, 0, sizeof(block)); /* the last one may be short: a write that grew the file ended in its midst */
        n = pread(trees->fd, block, sizeof(block), (off_t)(SK_CHECKPOINTS_HEADER + at * SK_CHECKPOINTS_BLOCK));
        r = n < 0 ? -errno : take_block(trees, block, at, why);
    }
    return r;
}

int sk_trees_open(const char *folder, const uint8_t node[SK_ID_SIZE], const uint8_t secret[32], struct sk_trees **out, char why[200])
{
    struct stat info;
    char path[4200];
    struct sk_trees *trees = calloc(1, sizeof(*trees));
    if (!trees) {
        return -ENOMEM;
    }
    memcpy(trees->node, node, SK_ID_SIZE);
    (void)snprintf(trees->folder, sizeof(trees->folder), "%s", folder);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, SK_CHECKPOINTS_FILE);
    trees->key = sk_note_key_new(secret);
    trees->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int r = trees->key ? 0 : -ENOMEM;
    if (r == 0 && trees->fd < 0) {
        r = errno == ENOENT ? 0 : -errno;
    } else if (r == 0) {
        r = fstat(trees->fd, &info) ? -errno : read_file(trees, (uint64_t)info.st_size, why);
    }
    *out = r ? sk_trees_free(trees) : trees;
    return r;
}

struct sk_trees *sk_trees_free(struct sk_trees *trees)
{
    if (!trees) {
        return NULL;
    }
    for (struct sk_table_node *node = sk_table_walk(&trees->table, NULL); node;) {
        struct sk_table_node *next = sk_table_walk(&trees->table, node);
        free(SK_CONTAINER(node, struct grown, node));
        node = next;
    }
    sk_table_free(&trees->table);
    if (trees->fd >= 0) {
        (void)close(trees->fd);
    }
    (void)sk_note_key_free(trees->key);
    free(trees);
    return NULL;
}

void sk_trees_each(const struct sk_trees *trees, void (*each)(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH]), void *context)
{
    for (struct sk_table_node *n = sk_table_walk(&trees->table, NULL); n; n = sk_table_walk(&trees->table, n)) {
        const struct grown *g = SK_CONTAINER(n, struct grown, node);
        if (g->signed_size) {
            each(context, g->id, g->signed_size, g->signed_root);
        }
    }
}

int sk_trees_note(const struct sk_trees *trees, const uint8_t tenant[SK_ID_SIZE], struct sk_buf *note)
{
    const struct grown *g = find(trees, tenant);
    uint8_t block[SK_CHECKPOINTS_BLOCK] = {0};
    struct sk_checkpoint_half half;
    if (!g || !g->signed_size) {
        return 0;
    }
    if (pread(trees->fd, block, sizeof(block), (off_t)(SK_CHECKPOINTS_HEADER + g->block * SK_CHECKPOINTS_BLOCK)) < 0) {
        return -errno;
    }
    int r = sk_checkpoints_get(block, &half);
    return r ? r : sk_buf_put(note, half.note);
}

/* ---- growing ---- */

int sk_trees_add(struct sk_trees *trees, struct sk_slice leaves)
{
    for (; leaves.len >= SK_SIGNER_LEAF; leaves = sk_slice_from(leaves, SK_SIGNER_LEAF)) {
        const uint8_t *leaf = (const uint8_t *)leaves.data;
        uint64_t seq;
        memcpy(&seq, leaf + SK_ID_SIZE, sizeof(seq));
        seq = le64toh(seq);
        struct grown *g = find(trees, leaf);
        g = g ? g : add(trees, leaf);
        if (!g) {
            return -ENOMEM;
        }
        if (seq > g->tree.size) {
            return 1;
        }
        if (seq == g->tree.size) {
            sk_tree_append(&g->tree, leaf + SK_ID_SIZE + sizeof(seq));
            wait_for_it(trees, g);
        }
    }
    return leaves.len != 0;
}

/* ---- signing ---- */

/* What the kernel says of its clock. */
static void look_at_clock(struct sk_checkpoint *checkpoint)
{
    struct timex state = {.modes = 0};
    int r = adjtimex(&state);
    checkpoint->wall = sk_clock_wall() / SK_MILLISECOND * SK_MILLISECOND;
    checkpoint->clock_set = r >= 0 && r != TIME_ERROR;
    checkpoint->clock_error = r >= 0 && state.maxerror >= 0 ? (uint64_t)state.maxerror : UINT64_MAX;
}

/* In place of the older half: the newer one counts until this is on stable storage. */
static int write_checkpoint(struct sk_trees *trees, struct grown *g, struct sk_checkpoint *checkpoint)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINT_TEXT), note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINTS_NOTE);
    uint8_t bytes[SK_CHECKPOINTS_HALF];
    char origin[SK_CHECKPOINT_ORIGIN];
    memcpy(checkpoint->tenant, g->id, SK_ID_SIZE);
    checkpoint->size = g->tree.size;
    sk_tree_root(&g->tree, checkpoint->root);
    unsigned peaks = sk_tree_peaks(g->tree.size);
    int r = peaks > SK_CHECKPOINTS_PEAKS ? -EFBIG : sk_checkpoint_put(checkpoint, &text);
    r = r ? r : sk_note_sign(trees->key, sk_slice(origin, sk_checkpoint_origin(checkpoint, origin)), sk_buf_peek(&text), &note);
    if (r) {
        return r < 0 ? r : -EINVAL;
    }
    g->block = g->block == UINT64_MAX ? trees->blocks++ : g->block;
    struct sk_checkpoint_half half = {.turn = g->turn + 1, .note = sk_buf_peek(&note), .peaks = sk_slice(g->tree.peaks, peaks * (size_t)SK_TREE_HASH)};
    sk_checkpoints_put(&half, bytes);
    return write_all(trees->fd, bytes, sizeof(bytes), place_of(g, half.turn));
}

/* Some of those that stood still, going round. */
static void take_idle(struct sk_trees *trees)
{
    uint64_t now = sk_clock_boot();
    unsigned count = 0;
    for (size_t i = 0; i < trees->table.count && count < SK_SIGNER_IDLE_MOST; i++) {
        trees->idle = sk_table_walk(&trees->table, trees->idle);
        trees->idle = trees->idle ? trees->idle : sk_table_walk(&trees->table, NULL);
        struct grown *g = SK_CONTAINER(trees->idle, struct grown, node);
        if (!g->waits && (g->signed_at == 0 || now - g->signed_at >= SK_SIGNER_IDLE)) {
            wait_for_it(trees, g);
            count++;
        }
    }
}

static void all_signed(struct sk_trees *trees)
{
    for (struct grown *g = trees->waiting; g; g = g->next) {
        g->turn++;
        g->signed_size = g->tree.size;
        g->signed_at = sk_clock_boot();
        g->waits = false;
        sk_tree_root(&g->tree, g->signed_root);
    }
    trees->waiting = NULL;
}

/* What is written into a file that nobody finds is signed for nobody. */
static int check_place(const struct sk_trees *trees)
{
    struct stat by_fd, by_name;
    char path[4200];
    (void)snprintf(path, sizeof(path), "%s/%s", trees->folder, SK_CHECKPOINTS_FILE);
    if (fstat(trees->fd, &by_fd) || stat(path, &by_name)) {
        return errno == ENOENT ? -ESTALE : -errno;
    }
    return by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev ? 0 : -ESTALE;
}

int sk_trees_sign(struct sk_trees *trees)
{
    struct sk_checkpoint checkpoint = {.size = 0};
    int r = trees->fd < 0 ? -EBADF : check_place(trees);
    memcpy(checkpoint.node, trees->node, SK_ID_SIZE);
    memcpy(checkpoint.epoch, trees->epoch, SK_ID_SIZE);
    look_at_clock(&checkpoint);
    take_idle(trees);
    for (struct grown *g = trees->waiting; r == 0 && g; g = g->next) {
        r = write_checkpoint(trees, g, &checkpoint);
    }
    if (r == 0 && trees->waiting && fdatasync(trees->fd)) {
        r = -errno; /* all are written again: what was flushed nobody can tell */
    }
    if (r == 0) {
        all_signed(trees);
    }
    return r;
}

/* ---- erasures ---- */

#define CERTIFICATE "new-erasure" /* before it is whole */

/* Under its name, when it is whole. 0 or negative. */
static int write_certificate(const struct sk_trees *trees, const char *name, struct sk_slice note)
{
    int folder = open(trees->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : openat(folder, CERTIFICATE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    int r = fd < 0 ? -errno : write_all(fd, (const uint8_t *)note.data, note.len, 0);
    if (r == 0 && (fsync(fd) || renameat(folder, CERTIFICATE, folder, name) || fsync(folder))) {
        r = -errno;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    return r;
}

static bool is_there(const struct sk_trees *trees, const char *name)
{
    struct stat info;
    char path[4200];
    (void)snprintf(path, sizeof(path), "%s/%s", trees->folder, name);
    return stat(path, &info) == 0;
}

int sk_trees_certify(const struct sk_trees *trees, const uint8_t tenant[SK_ID_SIZE], struct sk_slice contract)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_TEXT), note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_NOTE);
    const struct grown *g = find(trees, tenant);
    struct sk_erasure e = {.was = {.size = 0}};
    char origin[SK_CHECKPOINT_ORIGIN], name[80];
    if (!g || contract.len == 0 || contract.len >= sizeof(e.contract)) {
        return 1;
    }
    memcpy(e.was.node, trees->node, SK_ID_SIZE);
    memcpy(e.was.epoch, trees->epoch, SK_ID_SIZE);
    memcpy(e.was.tenant, tenant, SK_ID_SIZE);
    e.was.size = g->tree.size;
    sk_tree_root(&g->tree, e.was.root);
    look_at_clock(&e.was);
    memcpy(e.contract, contract.data, contract.len);
    sk_erasure_file(&e, name);
    if (is_there(trees, name)) {
        return 0;
    }
    int r = sk_erasure_put(&e, &text);
    r = r ? r : sk_note_sign(trees->key, sk_slice(origin, sk_checkpoint_origin(&e.was, origin)), sk_buf_peek(&text), &note);
    return r ? r : write_certificate(trees, name, sk_buf_peek(&note));
}
