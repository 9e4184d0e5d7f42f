/* The journal's writer. Runs in audit alone. */
#include "audit/writer.h"

#include "base/clock.h"
#include "journal/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_FULL ((size_t)1 << 20)
#define SPARE "spare"

struct sk_writer {
    struct sk_writer_settings set;
    struct sk_journal_state state;
    int fd;
    size_t at;   /* where the next group goes */
    size_t room; /* the file's end; a long snapshot makes it longer, or nothing else would have room in it */
    struct sk_buf body;
    uint32_t count;
    uint8_t *block; /* header and body as they are written: aligned, for the disk takes them from here */
    size_t block_size;
    bool broken;         /* the current file failed: never write to it again */
    uint64_t noted;      /* the next group's number when `head` was last written */
    /* The spare, made by another thread: 0 none, 1 being made, 2 ready. */
    atomic_int spare_state;
    int spare;
    uint32_t id_count;
};

/* Time-ordered: 48 bits of milliseconds, then a count, then chance. */
static void make_id(struct sk_writer *w, uint64_t wall, uint8_t id[SK_ID_SIZE])
{
    uint64_t ms = wall / SK_MILLISECOND;
    static uint8_t chance[6];
    if (w->id_count++ % 65536 == 0) {
        sk_random(chance, sizeof(chance));
    }
    for (int i = 0; i < 6; i++) {
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    for (int i = 0; i < 4; i++) {
        id[6 + i] = (uint8_t)(w->id_count >> (24 - 8 * i));
    }
    memcpy(id + 10, chance, sizeof(chance));
}

int sk_writer_tenant(struct sk_writer *w, const uint8_t id[SK_ID_SIZE], uint64_t until)
{
    struct sk_journal_tenant *tenant = sk_journal_tenant(&w->state, id);
    if (tenant) {
        tenant->until = until;
    }
    return tenant ? 0 : -ENOMEM;
}

/* What an owner may not add: what a process says is not believed, and may cost no more than so much. */
static int check_owner(const struct sk_writer *w, const struct sk_audit_record *record, unsigned owner)
{
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&w->state, record->tenant);
    bool opens = record->stage == SK_AUDIT_STAGE_INTENT || record->stage == SK_AUDIT_STAGE_START;
    if (!tenant || tenant->until < sk_clock_boot()) {
        return 2;
    }
    return opens && w->state.owned[owner] >= SK_WRITER_OPENS_MAX ? 3 : 0;
}

int sk_writer_add(struct sk_writer *w, struct sk_audit_record *record, unsigned owner)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX] sk_uninitialized;
    int refused = owner ? check_owner(w, record, owner) : 0;
    if (refused) {
        return refused;
    }
    struct sk_journal_tenant *tenant = sk_journal_tenant(&w->state, record->tenant);
    if (!tenant) {
        return -ENOMEM;
    }
    record->wall = sk_clock_wall();
    record->boot = sk_clock_boot();
    record->seq = tenant->tree.size;
    make_id(w, record->wall, record->id);
    size_t len = sk_record_encode(record, cbor);
    if (len == 0) {
        return 1;
    }
    char *to = sk_buf_reserve(&w->body, SK_FRAME_RECORD_HEADER + len);
    if (!to || sk_journal_follow(&w->state, record, owner)) {
        return -ENOMEM;
    }
    struct sk_frame_record frame = {.len = (uint32_t)len, .kind = SK_FRAME_PLAIN, .seq = tenant->tree.size};
    uint8_t leaf[SK_TREE_HASH];
    memcpy(frame.tenant, record->tenant, SK_ID_SIZE);
    sk_tree_leaf(sk_slice(cbor, len), leaf);
    sk_tree_append(&tenant->tree, leaf);
    sk_frame_put_record(&frame, (uint8_t *)to);
    memcpy(to + SK_FRAME_RECORD_HEADER, cbor, len);
    sk_buf_commit(&w->body, SK_FRAME_RECORD_HEADER + len);
    w->count++;
    return 0;
}

static bool group_full(const struct sk_writer *w, const struct sk_buf *body)
{
    return sk_buf_len(body) >= GROUP_FULL || sk_buf_len(body) >= w->set.file_size / 4;
}

bool sk_writer_full(const struct sk_writer *w)
{
    return group_full(w, &w->body);
}

/* Whole blocks of memory for a group. The old bytes are not kept. */
static int reserve_block(struct sk_writer *w, size_t size)
{
    if (size > w->block_size) {
        free(w->block);
        w->block = aligned_alloc(SK_FRAME_BLOCK, size);
        w->block_size = w->block ? size : 0;
    }
    return w->block ? 0 : -ENOMEM;
}

/* Writes one group at `at` of `fd`. On success the chain goes on from it. */
static int write_group(struct sk_writer *w, int fd, uint64_t file, size_t at, enum sk_frame_group_kind kind, uint32_t count, struct sk_slice body)
{
    struct sk_frame_group group = {.file = file,
            .number = w->state.group,
            .kind = kind,
            .body = (uint32_t)body.len,
            .count = count,
            .wall = sk_clock_wall(),
            .boot = sk_clock_boot()};
    size_t size = sk_frame_group_size(body.len);
    int r = reserve_block(w, size);
    if (r) {
        return r;
    }
    memcpy(group.previous, w->state.hash, SK_FRAME_HASH);
    sk_frame_put_group(&group, (const uint8_t *)body.data, w->block);
    if (body.len) {
        memcpy(w->block + SK_FRAME_GROUP_HEADER, body.data, body.len);
    }
    memset(w->block + SK_FRAME_GROUP_HEADER + body.len, 0, size - SK_FRAME_GROUP_HEADER - body.len);
    r = w->set.disk->write(fd, sk_slice(w->block, size), (off_t)at);
    if (r == 0) {
        memcpy(w->state.hash, group.hash, SK_FRAME_HASH);
        w->state.group++;
        w->state.wall = group.wall;
    }
    return r;
}

/* A snapshot on its way to the disk. */
struct snapshot {
    struct sk_writer *writer;
    int fd;
    uint64_t file;
    size_t at; /* where its next group goes */
    struct sk_buf body;
    uint32_t count;
};

static int write_part(struct snapshot *s, enum sk_frame_group_kind kind)
{
    struct sk_slice body = sk_buf_peek(&s->body);
    int r = write_group(s->writer, s->fd, s->file, s->at, kind, s->count, body);
    s->at += r ? 0 : sk_frame_group_size(body.len);
    s->count = 0;
    sk_buf_take(&s->body, body.len);
    return r;
}

static int put_entry(struct snapshot *s, const struct sk_frame_entry *entry)
{
    uint8_t bytes[SK_FRAME_ENTRY];
    int r = group_full(s->writer, &s->body) ? write_part(s, SK_FRAME_PART) : 0;
    sk_frame_put_entry(entry, bytes);
    r = r ? r : sk_buf_put(&s->body, sk_slice(bytes, sizeof(bytes)));
    s->count++;
    return r;
}

static int put_tenant(struct snapshot *s, const struct sk_journal_tenant *tenant)
{
    struct sk_frame_entry entry = {.kind = SK_FRAME_TENANT, .seq = tenant->tree.size};
    memcpy(entry.tenant, tenant->id, SK_ID_SIZE);
    sk_tree_root(&tenant->tree, entry.hash);
    int r = put_entry(s, &entry);
    for (unsigned i = 0; r == 0 && i < sk_tree_peaks(tenant->tree.size); i++) {
        entry.kind = SK_FRAME_PEAK;
        entry.seq = i;
        memcpy(entry.hash, tenant->tree.peaks[i], SK_TREE_HASH);
        r = put_entry(s, &entry);
    }
    return r;
}

/* Where every sequence stands, in as many groups as it takes. Only right when nothing is added but not committed. */
static int write_snapshot(struct sk_writer *w, int fd, uint64_t file, size_t *at)
{
    struct snapshot s = {.writer = w, .fd = fd, .file = file, .at = *at, .body = SK_BUF_INIT(GROUP_FULL * 2)};
    int r = 0;
    for (struct sk_table_node *n = sk_table_walk(&w->state.tenants, NULL); r == 0 && n; n = sk_table_walk(&w->state.tenants, n)) {
        const struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        r = put_tenant(&s, tenant);
    }
    for (struct sk_table_node *n = sk_table_walk(&w->state.opens, NULL); r == 0 && n; n = sk_table_walk(&w->state.opens, n)) {
        const struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        struct sk_frame_entry entry = {.kind = SK_FRAME_INTENT, .seq = open->seq};
        memcpy(entry.tenant, open->tenant, SK_ID_SIZE);
        memcpy(entry.hash, open->request, SK_ID_SIZE);
        r = put_entry(&s, &entry);
    }
    r = r ? r : write_part(&s, SK_FRAME_SNAPSHOT);
    sk_buf_free(&s.body);
    *at = s.at;
    return r;
}

/* A file of zeros under the spare's name: the one made ahead, or made now. Its descriptor, or negative. */
static int take_spare(struct sk_writer *w)
{
    int ready = 2;
    if (atomic_compare_exchange_strong(&w->spare_state, &ready, 0)) {
        int fd = w->spare;
        w->spare = -1;
        return fd;
    }
    return ready == 1 ? -EAGAIN : w->set.disk->create(w->set.folder, SPARE, w->set.file_size);
}

static int open_head(const struct sk_writer *w)
{
    return openat(w->set.folder, SK_JOURNAL_HEAD, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int write_head(struct sk_writer *w)
{
    char text[SK_JOURNAL_HEAD_SIZE + 1];
    int fd = open_head(w);
    if (fd < 0) {
        return -errno;
    }
    sk_journal_put_head(&w->state, text);
    int r = w->set.disk->write(fd, sk_slice(text, SK_JOURNAL_HEAD_SIZE), 0);
    w->noted = r ? w->noted : w->state.group;
    (void)close(fd);
    return r;
}

int sk_writer_note(struct sk_writer *w)
{
    char text[SK_JOURNAL_HEAD_SIZE + 1];
    if (w->noted == w->state.group || !w->state.begun) {
        return 0;
    }
    int fd = open_head(w);
    if (fd < 0) {
        return -errno;
    }
    sk_journal_put_head(&w->state, text);
    int r = pwrite(fd, text, SK_JOURNAL_HEAD_SIZE, 0) == SK_JOURNAL_HEAD_SIZE ? 0 : -EIO;
    w->noted = r ? w->noted : w->state.group;
    (void)close(fd);
    return r;
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

/* Everything that must be on disk before a file has its name: header, and snapshot or records. */
static int begin_file(struct sk_writer *w, int fd, uint64_t number, bool snapshot, size_t *at)
{
    _Alignas(SK_FRAME_BLOCK) uint8_t header[SK_FRAME_BLOCK];
    struct sk_frame_file file = {.number = number};
    struct sk_slice body = sk_buf_peek(&w->body);
    memcpy(file.node, w->set.node, SK_ID_SIZE);
    memcpy(file.previous, w->state.hash, SK_FRAME_HASH);
    sk_frame_put_file(&file, header);
    *at = SK_FRAME_BLOCK;
    int r = w->set.disk->write(fd, sk_slice(header, sizeof(header)), 0);
    if (r == 0 && snapshot) {
        return write_snapshot(w, fd, number, at);
    }
    r = r ? r : write_group(w, fd, number, *at, SK_FRAME_RECORDS, w->count, body);
    *at += r ? 0 : sk_frame_group_size(body.len);
    return r;
}

/*
 * Goes on in a new file that begins with a snapshot, or with the records that were added. The file gets its name only
 * when that is on disk, so a named file always has a valid beginning.
 */
static int next_file(struct sk_writer *w, bool snapshot)
{
    char name[40];
    uint64_t number = w->state.file + 1;
    size_t at = 0;
    struct sk_journal_state before = w->state;
    int fd = take_spare(w);
    if (fd < 0) {
        return fd;
    }
    sk_journal_file_name(number, name);
    int r = begin_file(w, fd, number, snapshot, &at);
    r = r ? r : w->set.disk->rename(w->set.folder, SPARE, name);
    if (r) {
        w->state = before;
        (void)close(fd);
        return r;
    }
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    w->fd = fd;
    w->state.file = number;
    w->state.begun = true;
    w->at = at;
    w->room = w->set.file_size > 2 * at ? w->set.file_size : 2 * at;
    w->broken = write_head(w) != 0; /* the group is durable; only this file is not gone on with */
    return 0;
}

static bool file_full(const struct sk_writer *w)
{
    return w->room < w->at || w->room - w->at < sk_frame_group_size(w->set.file_size / 4 + 2UL * SK_AUDIT_RECORD_MAX);
}

bool sk_writer_added(const struct sk_writer *w)
{
    return w->count > 0;
}

int sk_writer_commit(struct sk_writer *w)
{
    struct sk_slice body = sk_buf_peek(&w->body);
    int r = 0;
    if (w->count == 0) {
        return 0;
    }
    if (w->fd >= 0 && !w->broken) {
        r = write_group(w, w->fd, w->state.file, w->at, SK_FRAME_RECORDS, w->count, body);
        w->broken = r != 0;
        w->at += r ? 0 : sk_frame_group_size(body.len);
    }
    if (w->fd < 0 || w->broken) {
        /* What of a failed write is on disk nobody can tell: the file is never written again, the group goes elsewhere. */
        r = next_file(w, false);
    }
    if (r) {
        return r;
    }
    w->state.records += w->count;
    w->count = 0;
    sk_buf_take(&w->body, body.len);
    r = file_full(w) ? next_file(w, true) : 0;
    if (r && r != -EAGAIN) {
        w->broken = true;
    } /* while the spare is being made this file goes on: it is sound, and may grow */
    return 0;
}

bool sk_writer_claim_prepare(struct sk_writer *w)
{
    int none = 0;
    return w->at > w->set.file_size / 4 && atomic_compare_exchange_strong(&w->spare_state, &none, 1);
}

void sk_writer_prepare(struct sk_writer *w)
{
    int fd = w->set.disk->create(w->set.folder, SPARE, w->set.file_size);
    w->spare = fd;
    atomic_store(&w->spare_state, fd < 0 ? 0 : 2);
}

int sk_writer_check(const struct sk_writer *w)
{
    char name[40];
    struct stat by_fd, by_name;
    sk_journal_file_name(w->state.file, name);
    if (w->fd < 0) {
        return -EBADF;
    }
    if (fstat(w->fd, &by_fd) || fstatat(w->set.folder, name, &by_name, AT_SYMLINK_NOFOLLOW)) {
        return -errno;
    }
    bool same = by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev && by_fd.st_nlink == 1;
    return same ? 0 : -ESTALE;
}

/* ---- opening ---- */

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int list_files(int folder, uint64_t **numbers, size_t *count)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    *numbers = NULL;
    *count = 0;
    if (!dir) {
        int r = -errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return r;
    }
    int r = 0;
    errno = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL; errno = 0) {
        uint64_t number = sk_journal_file_number(entry->d_name);
        if (number) {
            uint64_t *more = reallocarray(*numbers, *count + 1, sizeof(*more));
            if (more) {
                *numbers = more;
                more[(*count)++] = number;
            }
            r = more ? 0 : -ENOMEM;
        }
    }
    r = r ? r : -errno;
    (void)closedir(dir);
    if (*count) {
        qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    }
    return r;
}

/* Maps a file whole, read-only; the null slice when it cannot be. */
static struct sk_slice map_file(int folder, uint64_t number)
{
    char name[40];
    struct stat info;
    sk_journal_file_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t size = fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size : 0;
    void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        (void)close(fd);
    }
    return bytes == MAP_FAILED ? SK_SLICE_NULL : sk_slice(bytes, size);
}

static void unmap(struct sk_slice bytes)
{
    if (bytes.data) {
        (void)munmap((void *)(uintptr_t)bytes.data, bytes.len);
    }
}

static int read_file(struct sk_writer *w, uint64_t number, uint64_t next, struct sk_writer_found *found)
{
    struct sk_slice bytes = map_file(w->set.folder, number);
    struct sk_slice behind = next ? map_file(w->set.folder, next) : SK_SLICE_NULL;
    struct sk_frame_file header;
    const uint8_t *until = NULL;
    uint64_t end = 0;
    if (behind.len >= SK_FRAME_BLOCK && sk_frame_get_file((const uint8_t *)behind.data, &header) == 0) {
        until = header.previous;
    }
    sk_journal_file_name(number, found->file);
    int r = bytes.data ? sk_journal_read(&w->state, bytes, until, NULL, NULL, &end, &found->torn, &found->error) : -EIO;
    unmap(bytes);
    unmap(behind);
    w->at = end;
    return r;
}

/* From the newest file that a reading can begin with. */
static int read_files(struct sk_writer *w, const uint64_t *numbers, size_t count, struct sk_writer_found *found)
{
    size_t first = count;
    bool begins = false;
    while (first > 0 && !begins) {
        struct sk_slice bytes = map_file(w->set.folder, numbers[--first]);
        begins = sk_journal_begins(bytes);
        unmap(bytes);
    }
    int r = 0;
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
    return r;
}

/*
 * The last group may be in the page cache alone: its write failed, and then the program ended. Nothing is built upon
 * it before its bytes are written again. A group that records made is no longer than GROUP_FULL * 4.
 */
static int write_end_again(struct sk_writer *w)
{
    struct sk_slice bytes = map_file(w->set.folder, w->state.file);
    size_t most = GROUP_FULL * 4 + SK_FRAME_BLOCK;
    size_t from = w->at > most + SK_FRAME_BLOCK ? w->at - most : SK_FRAME_BLOCK;
    int r = bytes.len < w->at ? -EIO : w->set.disk->write(w->fd, sk_slice(bytes.data + from, w->at - from), (off_t)from);
    unmap(bytes);
    if (r == 0) {
        (void)fcntl(w->fd, F_SETFL, O_DIRECT); /* as in a file that was just made */
    }
    return r;
}

/* A torn end must not look like a group later: the file it stands in is left as it is, and a new one begun. */
static int resume(struct sk_writer *w, size_t files, const struct sk_writer_found *found)
{
    char name[40];
    int r = 0;
    (void)unlinkat(w->set.folder, SPARE, 0);
    if (files) {
        sk_journal_file_name(w->state.file, name);
        w->fd = openat(w->set.folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        r = w->fd < 0 ? -errno : write_end_again(w);
    }
    return r ? r : files == 0 || found->torn || file_full(w) ? next_file(w, true) : 0;
}

/* One more outcome that nobody knows. */
static int add_unknown(struct sk_writer *w, const struct sk_journal_open *open, struct sk_slice reason)
{
    uint8_t request[SK_ID_SIZE];
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = SK_AUDIT_STAGE_UNKNOWN,
            .decision = SK_AUDIT_DECISION_ERROR,
            .reason = reason,
            .request = sk_slice(request, SK_ID_SIZE)};
    memcpy(request, open->request, SK_ID_SIZE);
    memcpy(record.tenant, open->tenant, SK_ID_SIZE);
    return sk_writer_add(w, &record, 0);
}

static int record_unknown(struct sk_writer *w, struct sk_writer_found *found)
{
    int r = 0;
    while (r == 0 && w->state.opens.count) {
        r = add_unknown(w, SK_CONTAINER(sk_table_walk(&w->state.opens, NULL), struct sk_journal_open, node), SK_LIT("gateway-restarted"));
        r = r == 0 && sk_writer_full(w) ? sk_writer_commit(w) : r;
        found->unknown++;
    }
    return r;
}

int sk_writer_abandon(struct sk_writer *w, unsigned owner)
{
    int r = 0;
    for (struct sk_table_node *n = sk_table_walk(&w->state.opens, NULL); r == 0 && n && w->state.owned[owner];) {
        struct sk_table_node *next = sk_table_walk(&w->state.opens, n);
        const struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        if (open->owner == owner) {
            r = sk_writer_full(w) ? 1 : add_unknown(w, open, SK_LIT("worker-died"));
        }
        n = next;
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
    w->fd = w->spare = -1;
    w->room = settings->file_size;
    w->body = SK_BUF_INIT(GROUP_FULL * 4);
    int r = list_files(settings->folder, &numbers, &count);
    r = r ? r : read_files(w, numbers, count, found);
    r = r ? r : resume(w, count, found);
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

struct sk_writer *sk_writer_free(struct sk_writer *w)
{
    if (w) {
        if (w->fd >= 0) {
            (void)close(w->fd);
        }
        if (w->spare >= 0) {
            (void)close(w->spare);
        }
        sk_buf_free(&w->body);
        free(w->block);
        sk_journal_state_free(&w->state);
        free(w);
    }
    return NULL;
}
