/* How the writer goes on from what is there. Runs in audit alone. */
#include "audit/files.h"
#include "audit/writing.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sk_writer_stand *stand_of(const struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(w->set.stands, sk_table_hash(sk_slice(tenant, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct sk_writer_stand *stand = SK_CONTAINER(n, struct sk_writer_stand, node);
        if (memcmp(stand->tenant, tenant, SK_ID_SIZE) == 0) {
            return stand;
        }
    }
    return NULL;
}

struct reading {
    struct sk_writer *writer;
    bool failed; /* no memory */
    bool unknown; /* a leaf that is to be signed: it is in a packed file, and its keys are erased */
    bool ahead;  /* a snapshot knows more of a tenant than is signed */
};

/* What is not signed is told to the signer again; what is must be the same. */
static void on_record(void *context, const struct sk_journal_read *read)
{
    struct reading *reading = context;
    const struct sk_frame_record *frame = read->frame;
    struct sk_writer_stand *stand = stand_of(reading->writer, frame->tenant);
    if (!read->leaf && (!stand || frame->seq >= stand->size)) {
        reading->unknown = true;
    } else if (!stand || frame->seq >= stand->size) {
        reading->failed |= writer_put_leaf(reading->writer, frame->tenant, frame->seq, read->leaf) != 0;
    } else if (frame->seq + 1 == stand->size && sk_journal_find_tenant(&reading->writer->state, frame->tenant)->tree.size == stand->size) {
        uint8_t root[SK_TREE_HASH];
        sk_tree_root(&sk_journal_find_tenant(&reading->writer->state, frame->tenant)->tree, root);
        stand->met = memcmp(root, stand->root, SK_TREE_HASH) == 0;
    }
}

static void on_stand(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    struct reading *reading = context;
    struct sk_writer_stand *stand = stand_of(reading->writer, tenant);
    reading->ahead |= size > (stand ? stand->size : 0);
    if (stand && stand->size == size) {
        stand->met = memcmp(root, stand->root, SK_TREE_HASH) == 0;
    }
}

static int refuse(const struct sk_writer *w, struct sk_writer_found *found, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int read_file(struct sk_writer *w, uint64_t number, uint64_t next, struct sk_writer_found *found)
{
    struct reading reading = {.writer = w};
    struct sk_slice bytes, behind = SK_SLICE_NULL;
    struct sk_frame_file header;
    const uint8_t *until = NULL;
    uint64_t end = 0;
    int r = files_map(w->set.folder, number, &bytes);
    r = r || !next ? r : files_map(w->set.folder, next, &behind);
    if (sk_journal_get_file(behind, &header) == 0) {
        until = header.previous;
    }
    sk_journal_file_name(number, found->file);
    r = r ? r : sk_journal_read(&w->state, bytes, until, w->set.stands ? on_record : NULL, &reading, &end, &found->torn, &found->error);
    files_unmap(bytes);
    files_unmap(behind);
    w->at = end;
    if (r == 0 && reading.unknown) {
        return refuse(w, found, "records whose keys are erased are not signed, and packed: newer checkpoints are missing");
    }
    return r == 0 && reading.failed ? -ENOMEM : r;
}

static int refuse(const struct sk_writer *w, struct sk_writer_found *found, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(const struct sk_writer *w, struct sk_writer_found *found, const char *format, ...)
{
    va_list args;
    found->error = (struct sk_journal_error){.offset = w->at, .group = w->state.group};
    va_start(args, format);
    (void)vsnprintf(found->error.text, sizeof(found->error.text), format, args);
    va_end(args);
    return 1;
}

/* Whoever cut off the journal's end, brought an older one back, or wrote another finds that the signer knows. */
static int check_stands(const struct sk_writer *w, struct sk_writer_found *found)
{
    for (struct sk_table_node *n = sk_table_walk(w->set.stands, NULL); n; n = sk_table_walk(w->set.stands, n)) {
        const struct sk_writer_stand *stand = SK_CONTAINER(n, struct sk_writer_stand, node);
        const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&w->state, stand->tenant);
        uint64_t size = tenant ? tenant->tree.size : 0;
        char hex[2 * SK_ID_SIZE + 1];
        sk_hex_encode(stand->tenant, SK_ID_SIZE, hex);
        if (size < stand->size) {
            return refuse(w, found, "the journal ends too early: tenant %s has %llu records, and %llu are signed", hex, (unsigned long long)size, (unsigned long long)stand->size);
        }
        if (!stand->met) {
            return refuse(w, found, "the first %llu records of tenant %s are not those that are signed", (unsigned long long)stand->size, hex);
        }
    }
    return 0;
}

static int open_keys(struct sk_writer *w, struct sk_writer_found *found)
{
    struct stat info;
    w->keys_fd = openat(w->set.folder, SK_KEYS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->keys_fd < 0 || fstat(w->keys_fd, &info)) {
        return -errno;
    }
    (void)snprintf(found->file, sizeof(found->file), "%s", SK_KEYS_FILE);
    size_t size = (size_t)info.st_size / SK_KEYS_SLOT * SK_KEYS_SLOT; /* what is behind was on its way when the machine ended */
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, w->keys_fd, 0) : NULL;
    if (bytes == MAP_FAILED) {
        return -errno;
    }
    int r = sk_keys_new(w->set.secret, sk_slice(bytes, size), &w->keys, found->error.text);
    /* One may be in the page cache alone: its write failed, and then the program ended. Nothing is sealed with it before it is written again. */
    r = r || !size ? r : w->set.disk->write(w->keys_fd, sk_slice(bytes, size), 0);
    files_unmap(sk_slice(bytes, size));
    w->keys_at = size;
    w->state.keys = w->keys;
    return r;
}

/* A tenant's records that were read have theirs; of those in files before, nothing would tell. */
static int check_keys(const struct sk_writer *w, struct sk_writer_found *found)
{
    for (struct sk_table_node *n = sk_table_walk(&w->state.tenants, NULL); n; n = sk_table_walk(&w->state.tenants, n)) {
        const struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        if (tenant->tree.size && !sk_keys_has(w->keys, tenant->id)) {
            char hex[2 * SK_ID_SIZE + 1];
            sk_hex_encode(tenant->id, SK_ID_SIZE, hex);
            (void)snprintf(found->file, sizeof(found->file), "%s", SK_KEYS_FILE);
            return refuse(w, found, "the key of tenant %s is missing: what it recorded cannot be read", hex);
        }
    }
    return 0;
}

static struct sk_journal_head read_head(const struct sk_writer *w)
{
    char text[SK_JOURNAL_HEAD_SIZE];
    int fd = openat(w->set.folder, SK_JOURNAL_HEAD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof(text), 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return sk_journal_get_head(sk_slice(text, n > 0 ? (size_t)n : 0));
}

/* From the newest file that a reading can begin with, and which is before all that is not signed. */
static int read_files(struct sk_writer *w, const uint64_t *numbers, size_t count, struct sk_writer_found *found)
{
    size_t first = count;
    bool begins = false, ahead = false;
    while (first > 0 && !begins) {
        struct sk_slice bytes;
        (void)!files_map(w->set.folder, numbers[--first], &bytes); /* what cannot be read is said when it is */
        struct reading reading = {.writer = w};
        begins = sk_journal_begins(bytes, w->set.stands ? on_stand : NULL, &reading) && !reading.ahead;
        ahead = reading.ahead;
        files_unmap(bytes);
    }
    int r = 0;
    if (ahead) {
        sk_journal_file_name(numbers[first], found->file);
        (void)snprintf(found->error.text, sizeof(found->error.text), "the oldest file begins behind what is signed: files before it, or newer checkpoints, are missing");
        return 1;
    }
    for (size_t i = first; r == 0 && i < count; i++) {
        r = read_file(w, numbers[i], i + 1 < count ? numbers[i + 1] : 0, found);
    }
    found->records = w->state.records;
    struct sk_journal_head head = read_head(w);
    int lacks = r ? 0 : sk_journal_check_head(&w->state, &head, w->at, &found->error);
    if (lacks == 2) {
        sk_journal_file_name(head.file, found->file);
    }
    r = lacks ? 1 : r;
    if (r == 0 && w->set.stands && count && memcmp(w->state.epoch, w->set.epoch, SK_ID_SIZE) != 0) {
        return refuse(w, found, "the journal is not the one whose checkpoints DATA/signer has");
    }
    r = r || !w->set.stands ? r : check_stands(w, found);
    return r ? r : check_keys(w, found);
}

/*
 * The last group may be in the page cache alone: its write failed, and then the program ended. Nothing is built upon
 * it before its bytes are written again. A group that records made is no longer than WRITER_GROUP_FULL * 4.
 */
static int write_end_again(struct sk_writer *w)
{
    struct sk_slice bytes;
    int r = files_map(w->set.folder, w->state.file, &bytes);
    size_t most = WRITER_GROUP_FULL * 4 + SK_FRAME_BLOCK;
    size_t from = w->at > most + SK_FRAME_BLOCK ? w->at - most : SK_FRAME_BLOCK;
    r = r || bytes.len < w->at ? -EIO : w->set.disk->write(w->fd, sk_slice(bytes.data + from, w->at - from), (off_t)from);
    files_unmap(bytes);
    if (r == 0) {
        (void)fcntl(w->fd, F_SETFL, O_DIRECT); /* as in a file that was just made */
    }
    return r;
}

/* A torn end must not look like a group later: the file it stands in is left as it is, and a new one begun. */
static int resume(struct sk_writer *w, size_t files, const struct sk_writer_found *found)
{
    char name[40];
    struct sk_slice newest = SK_SLICE_NULL;
    struct sk_frame_file header;
    int r = files ? files_map(w->set.folder, w->state.file, &newest) : 0;
    const bool packed = sk_journal_get_file(newest, &header) == 0 && header.packed;
    files_unmap(newest);
    (void)unlinkat(w->set.folder, WRITER_SPARE, 0);
    if (r == 0 && files && !packed) {
        sk_journal_file_name(w->state.file, name);
        w->fd = openat(w->set.folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        r = w->fd < 0 ? -errno : write_end_again(w);
    }
    w->broken = found->torn > 0 || packed; /* and stays as it was found */
    if (r || files == 0 || w->broken || writer_file_full(w)) {
        return r ? r : writer_next_file(w, true);
    }
    writer_begin_day(w, true);
    return 0;
}

static int record_unknown(struct sk_writer *w, struct sk_writer_found *found)
{
    int r = 0;
    while (r == 0 && w->state.opens.count) {
        r = writer_add_unknown(w, SK_CONTAINER(sk_table_walk(&w->state.opens, NULL), struct sk_journal_open, node), SK_LIT("gateway-restarted"));
        r = r == 0 && sk_writer_full(w) ? sk_writer_commit(w) : r;
        found->unknown++;
    }
    return r;
}

/* Whose tenant is gone since may still say what it did for it. */
static void trust_known_tenants(struct sk_writer *w)
{
    uint64_t until = sk_clock_boot() + SK_WRITER_GONE;
    for (struct sk_table_node *n = sk_table_walk(&w->state.tenants, NULL); n; n = sk_table_walk(&w->state.tenants, n)) {
        SK_CONTAINER(n, struct sk_journal_tenant, node)->until = until;
    }
}

int sk_writer_any(int folder)
{
    uint64_t *numbers = NULL;
    size_t count = 0;
    int r = files_list(folder, &numbers, &count);
    free(numbers);
    return r ? r : count > 0;
}

int sk_writer_open(const struct sk_writer_settings *settings, struct sk_writer **out, struct sk_writer_found *found)
{
    struct sk_writer *w = calloc(1, sizeof(*w));
    uint64_t *numbers = NULL;
    size_t count = 0;
    *found = (struct sk_writer_found){.records = 0};
    if (!w) {
        return -ENOMEM;
    }
    w->set = *settings;
    w->state = SK_JOURNAL_STATE_INIT;
    w->fd = w->spare = w->keys_fd = -1;
    w->room = settings->file_size;
    w->body = SK_BUF_INIT(WRITER_GROUP_FULL * 4);
    w->leaves = SK_BUF_INIT(SIZE_MAX / 2); /* however far the checkpoints are behind */
    w->slots = SK_BUF_INIT(WRITER_SLOTS_MAX);
    sk_random(w->run, sizeof(w->run));
    int r = files_list(settings->folder, &numbers, &count);
    r = r ? r : open_keys(w, found);
    r = r ? r : read_files(w, numbers, count, found);
    w->first = count ? numbers[0] : 1;
    w->day = w->state.day;
    bool goes_on = w->state.wall && sk_clock_boot() >= w->state.boot; /* else the machine was started since: nobody knows */
    w->clock.wall = goes_on || sk_clock_wall() < w->state.wall ? w->state.wall : sk_clock_wall();
    w->clock.boot = goes_on ? w->state.boot : sk_clock_boot();
    w->records_in_file = count > 0; /* or a snapshot alone: then the day begins another for nothing */
    r = r ? r : resume(w, count, found);
    w->leaves_durable = sk_buf_len(&w->leaves);
    w->leaves.limit = WRITER_LEAVES_MAX + w->leaves_durable;
    r = r ? r : record_unknown(w, found);
    trust_known_tenants(w);
    free(numbers);
    if (r) {
        (void)sk_writer_free(w);
        return r;
    }
    *out = w;
    return 0;
}
