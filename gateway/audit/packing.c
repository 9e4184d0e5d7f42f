/* Packing full files. Runs in audit, for the most part in a thread of its own. */
#include "audit/packing.h"

#include "audit/files.h"
#include "crypto/digest.h"
#include "journal/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAKING "packing"
#define PIECE ((size_t)1 << 20) /* that is flushed by itself, or the flush of all would hold up the writer's */
#define REST_MOST (100 * SK_MILLISECOND)
#define AGAIN (60 * SK_SECOND)

/* ---- what is in the file ---- */

struct run {
    uint8_t id[SK_ID_SIZE];
};

/* A record of it. */
struct row {
    uint8_t tenant[SK_ID_SIZE];
    uint64_t seq, at, group;
    uint32_t run;
    bool gone; /* its keys are */
};

struct rows {
    struct row *all;
    size_t count, room;
    struct run *runs; /* of the writer, of which there are few */
    size_t runs_count;
    bool failed;
};

static void rows_free(struct rows *rows)
{
    free(rows->all);
    free(rows->runs);
}

/* Its number, or -ENOMEM. */
static int64_t note_run(struct rows *rows, const uint8_t run[SK_ID_SIZE])
{
    if (rows->runs_count && memcmp(rows->runs[rows->runs_count - 1].id, run, SK_ID_SIZE) == 0) {
        return (int64_t)rows->runs_count - 1;
    }
    struct run *more = reallocarray(rows->runs, rows->runs_count + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    rows->runs = more;
    memcpy(more[rows->runs_count].id, run, SK_ID_SIZE);
    return (int64_t)rows->runs_count++;
}

/* For one more. 0 or -ENOMEM. */
static int make_room(struct rows *rows)
{
    if (rows->count < rows->room) {
        return 0;
    }
    size_t room = rows->room ? 2 * rows->room : 1024;
    struct row *more = reallocarray(rows->all, room, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    rows->all = more;
    rows->room = room;
    return 0;
}

static void note_record(void *context, const struct sk_journal_read *read)
{
    struct rows *rows = context;
    int64_t run = note_run(rows, read->group->run);
    rows->failed = rows->failed || run < 0 || make_room(rows);
    if (!rows->failed) {
        struct row *row = &rows->all[rows->count++];
        *row = (struct row){.seq = read->frame->seq, .at = read->at, .group = read->group->number, .run = (uint32_t)run, .gone = !read->record};
        memcpy(row->tenant, read->frame->tenant, SK_ID_SIZE);
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = memcmp(x->tenant, y->tenant, SK_ID_SIZE);
    return order ? order : (x->seq > y->seq) - (x->seq < y->seq);
}

/* ---- writing ---- */

struct making {
    struct packing_job *job;
    struct sk_slice file; /* as it is */
    const struct sk_packed *packed; /* the same, when it is packed; or NULL */
    const struct sk_keys *keys;
    struct rows rows;
    struct sk_packed_header header;
    int fd;
    uint64_t began;    /* boot time, after the last rest */
    uint64_t at;       /* where the next bytes go, with those in `out` */
    struct sk_buf out, directory;
    struct sk_compressor *compressor;
    struct sk_buf records;     /* of a chunk */
    struct sk_sealing opening; /* of one tenant's records */
    struct sk_sealer *sealer;
    uint8_t of[SK_ID_SIZE];    /* whose `sealer` is */
};

static int flush(struct making *m)
{
    struct sk_slice bytes = sk_buf_peek(&m->out);
    int r = bytes.len ? m->job->disk->write(m->fd, bytes, (off_t)(m->at - bytes.len)) : 0;
    sk_buf_take(&m->out, bytes.len);
    return r;
}

/* It rests for as long as it worked: the writer may need the processor. */
static void rest(struct making *m)
{
    uint64_t worked = sk_clock_boot() - m->began;
    worked = worked < REST_MOST ? worked : REST_MOST;
    (void)nanosleep(&(struct timespec){.tv_nsec = (long)worked}, NULL);
    m->began = sk_clock_boot();
}

static int put(struct making *m, struct sk_slice bytes)
{
    const bool stopped = m->job->stop && atomic_load(m->job->stop);
    int r = stopped ? -ECANCELED : sk_buf_put(&m->out, bytes);
    m->at += bytes.len;
    if (r == 0 && sk_buf_len(&m->out) >= PIECE) {
        r = flush(m);
        rest(m);
    }
    return r;
}

/* The record's CBOR, behind the others. */
static int open_row(struct making *m, const struct row *row)
{
    struct sk_frame_record frame;
    struct sk_slice sealed, rest = sk_slice_from(m->file, row->at);
    size_t len = 0;
    uint8_t *to = (uint8_t *)sk_buf_reserve(&m->records, SK_AUDIT_RECORD_MAX);
    int r = to ? sk_frame_next_record(&rest, &frame, &sealed) : -ENOMEM;
    r = r ? r : sk_sealing_set(&m->opening, m->keys, row->tenant, m->header.day, m->rows.runs[row->run].id);
    r = r ? r : sk_sealing_open(&m->opening, &frame, sealed, to, &len);
    sk_buf_commit(&m->records, r ? 0 : len);
    return r > 0 ? -EIO : r; /* it was read before */
}

/* The roots of the subtrees that rows make up. */
static int put_roots(struct making *m, const struct row *rows, uint32_t count, struct sk_buf *out)
{
    int r = 0;
    for (uint64_t from = rows->seq, end = from + count; r == 0 && from < end;) {
        struct sk_tree tree = {.size = 0};
        uint64_t leaves = UINT64_C(1) << sk_tree_subtree(from, end);
        for (uint64_t i = 0; i < leaves; i++) {
            sk_tree_append(&tree, (const uint8_t *)m->file.data + rows[from - rows->seq + i].at + SK_FRAME_RECORD_HEADER);
        }
        r = sk_buf_put(out, sk_slice(tree.peaks[0], SK_TREE_HASH));
        from += leaves;
    }
    return r;
}

/* One tenant's chunks are sealed with its key of the file; its records were with those of the day. */
static int set_tenant(struct making *m, const uint8_t tenant[SK_ID_SIZE])
{
    if (m->sealer && memcmp(m->of, tenant, SK_ID_SIZE) == 0) {
        return 0;
    }
    m->sealer = sk_sealer_free(m->sealer);
    sk_sealing_free(&m->opening);
    m->opening = (struct sk_sealing){.sealer = NULL};
    memcpy(m->of, tenant, SK_ID_SIZE);
    int r = sk_packed_sealer(&m->header, m->keys, tenant, &m->sealer);
    return r > 0 ? -EIO : r;
}

/* The chunk that comes next, of these bytes. */
static int put_entry(struct making *m, struct sk_packed_chunk *chunk, struct sk_slice bytes)
{
    uint8_t entry[SK_PACKED_ENTRY];
    chunk->at = m->at;
    sk_digest_sha256(bytes, chunk->hash);
    sk_packed_put_chunk(chunk, entry);
    m->header.count++;
    int r = sk_buf_put(&m->directory, sk_slice(entry, sizeof(entry)));
    return r ? r : put(m, bytes);
}

static int put_chunk(struct making *m, const struct row *rows, uint32_t count)
{
    struct sk_packed_chunk chunk = {.seq = rows->seq, .group = rows[count - 1].group, .count = count};
    struct sk_buf bytes SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4 * SK_PACKED_BYTES);
    memcpy(chunk.tenant, rows->tenant, SK_ID_SIZE);
    int r = put_roots(m, rows, count, &bytes);
    r = r || rows->gone ? r : set_tenant(m, rows->tenant);
    for (uint32_t i = 0; r == 0 && !rows->gone && i < count; i++) {
        r = open_row(m, &rows[i]);
    }
    r = r || rows->gone ? r : sk_packed_seal(m->compressor, m->sealer, m->header.count, &chunk, sk_buf_peek(&m->records), &bytes);
    sk_buf_take(&m->records, sk_buf_len(&m->records));
    return r ? r : put_entry(m, &chunk, sk_buf_peek(&bytes));
}

/* How many of these rows, from the first on, are one chunk: of one tenant and one subtree, and all of them can be opened, or none. */
static uint32_t chunk_of(const struct row *rows, size_t count)
{
    const uint32_t most = SK_PACKED_RECORDS - (uint32_t)(rows->seq % SK_PACKED_RECORDS);
    uint32_t n = 1;
    while (n < most && n < count && memcmp(rows[n].tenant, rows->tenant, SK_ID_SIZE) == 0 && rows[n].gone == rows->gone) {
        n++;
    }
    return n;
}

static int put_chunks(struct making *m)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->rows.count;) {
        uint32_t count = chunk_of(&m->rows.all[i], m->rows.count - i);
        r = put_chunk(m, &m->rows.all[i], count);
        i += count;
    }
    return r;
}

/* Nobody can open it: its key is erased, and there is no copy of that for recovery. */
static bool is_gone(const struct sk_packed *packed, const struct sk_keys *keys, const struct sk_packed_chunk *chunk)
{
    return chunk->len && sk_keys_gone(keys, chunk->tenant, packed->header.day) && !sk_keys_copied(keys, chunk->tenant);
}

/* Each chunk keeps its number, with which it is sealed. */
static int put_what_is_left(struct making *m)
{
    int r = 0;
    for (uint32_t n = 0; r == 0 && n < m->packed->header.count; n++) {
        struct sk_packed_chunk chunk = sk_packed_chunk(m->packed, n);
        const size_t roots = sk_packed_roots(&chunk) * SK_TREE_HASH;
        const char *from = m->file.data + chunk.at;
        chunk.len = is_gone(m->packed, m->keys, &chunk) ? 0 : chunk.len;
        r = put_entry(m, &chunk, sk_slice(from, roots + chunk.len));
    }
    return r;
}

static int write_all(struct making *m)
{
    uint8_t block[SK_FRAME_BLOCK] = {0};
    int r = put(m, sk_slice(block, sizeof(block))); /* the header, when all is known that it says */
    r = r ? r : put(m, sk_slice(m->file.data + SK_FRAME_BLOCK, m->header.chunks - SK_FRAME_BLOCK));
    r = r ? r : m->packed ? put_what_is_left(m) : put_chunks(m);
    m->header.directory = m->at;
    sk_digest_sha256(sk_buf_peek(&m->directory), m->header.hash);
    r = r ? r : put(m, sk_buf_peek(&m->directory));
    r = r ? r : flush(m);
    sk_packed_put_header(&m->header, block);
    r = r ? r : m->job->disk->write(m->fd, sk_slice(block, sizeof(block)), 0);
    return r || fsync(m->fd) == 0 ? r : -errno;
}

/* ---- proving ---- */

/* As it is on disk, read with the keys: all of it is there, and makes the trees that the file made. 0; 1 it does not; negative. */
static int prove(const struct making *m, const struct sk_journal_state *was)
{
    struct sk_journal_state is = SK_JOURNAL_STATE_INIT;
    struct sk_journal_error error;
    struct stat info = {0};
    uint64_t end, torn;
    (void)posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED);
    int r = files_read_through(m->fd, 0, UINT64_MAX);
    r = r || fstat(m->fd, &info) == 0 ? r : -errno;
    void *at = r ? MAP_FAILED : mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, m->fd, 0);
    if (at == MAP_FAILED) {
        return r ? r : -errno;
    }
    is.keys = m->keys;
    r = sk_journal_read(&is, sk_slice(at, (size_t)info.st_size), m->header.last, NULL, NULL, &end, &torn, &error);
    bool same = r == 0 && is.records == was->records && is.erased == was->erased && is.group == was->group && is.tenants.count == was->tenants.count &&
                is.opens.count == was->opens.count;
    for (struct sk_table_node *n = same ? sk_table_walk(&is.tenants, NULL) : NULL; same && n; n = sk_table_walk(&is.tenants, n)) {
        const struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node), *before = sk_journal_find_tenant(was, tenant->id);
        same = before && before->tree.size == tenant->tree.size &&
               memcmp(before->tree.peaks, tenant->tree.peaks, (size_t)sk_tree_peaks(tenant->tree.size) * SK_TREE_HASH) == 0;
    }
    sk_journal_state_free(&is);
    (void)munmap(at, (size_t)info.st_size);
    return r ? r : !same;
}

static int take_place(const struct packing_job *job)
{
    char name[40];
    sk_journal_file_name(job->file, name);
    return renameat(job->folder, MAKING, job->folder, name) || fsync(job->folder) ? -errno : 0;
}

static int make(struct making *m, const struct sk_journal_state *was)
{
    m->began = sk_clock_boot();
    m->out = SK_BUF_INIT(PIECE + 4 * SK_PACKED_BYTES);
    m->directory = SK_BUF_INIT(SIZE_MAX / 2);
    m->records = SK_BUF_INIT(SK_PACKED_BYTES + SK_AUDIT_RECORD_MAX);
    m->compressor = sk_compressor_new();
    (void)unlinkat(m->job->folder, MAKING, 0);
    m->fd = m->compressor ? openat(m->job->folder, MAKING, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    int r = m->compressor ? m->fd < 0 ? -errno : 0 : -ENOMEM;
    r = r ? r : write_all(m);
    r = r ? r : prove(m, was) ? -EIO : 0;
    r = r ? r : take_place(m->job);
    if (m->fd >= 0) {
        (void)close(m->fd);
        (void)unlinkat(m->job->folder, MAKING, 0);
    }
    m->compressor = sk_compressor_free(m->compressor);
    m->sealer = sk_sealer_free(m->sealer);
    sk_sealing_free(&m->opening);
    sk_wipe(m->records.data, m->records.size);
    sk_buf_free(&m->records);
    sk_buf_free(&m->directory);
    sk_buf_free(&m->out);
    return r;
}

/* ---- a file ---- */

static int read_keys(const struct packing_job *job, struct sk_keys **keys)
{
    char why[160];
    struct stat info = {0};
    int fd = openat(job->folder, SK_KEYS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -errno;
    }
    int r = fstat(fd, &info) ? -errno : 0;
    void *at = r || info.st_size == 0 ? MAP_FAILED : mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (at == MAP_FAILED) {
        return r ? r : -EIO;
    }
    r = sk_keys_new(job->secret, sk_slice(at, (size_t)info.st_size), keys, why);
    (void)munmap(at, (size_t)info.st_size);
    return r > 0 ? -EIO : r;
}

/* Where the groups of its snapshot end. */
static uint64_t end_of_snapshot(struct sk_slice file)
{
    struct sk_frame_group group;
    uint64_t at = SK_FRAME_BLOCK;
    while (file.len - at >= SK_FRAME_BLOCK && sk_frame_get_group((const uint8_t *)file.data + at, &group) == 0 && group.kind != SK_FRAME_RECORDS &&
            sk_frame_group_size(group.body) <= file.len - at) {
        at += sk_frame_group_size(group.body);
    }
    return at;
}

/* Some of it cannot be opened here, and is to be with the recovery key, sealed as it is. */
static bool is_left_for_recovery(const struct making *m)
{
    bool left = false;
    for (size_t i = 0; !left && i < m->rows.count; i++) {
        left = m->rows.all[i].gone && sk_keys_copied(m->keys, m->rows.all[i].tenant);
    }
    return left;
}

static int pack(struct packing_job *job, struct sk_slice file, const struct sk_frame_file *next)
{
    struct making m = {.job = job, .file = file, .fd = -1};
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_keys *keys = NULL;
    uint64_t end, torn;
    int r = read_keys(job, &keys);
    m.keys = state.keys = keys;
    r = r ? r : sk_journal_read(&state, file, next->previous, note_record, &m.rows, &end, &torn, &job->error);
    r = r == 0 && m.rows.failed ? -ENOMEM : r;
    r = r ? r : is_left_for_recovery(&m);
    if (r == 0) {
        m.header = (struct sk_packed_header){.group = state.group - 1, .wall = state.wall, .boot = state.boot, .day = state.day, .chunks = end_of_snapshot(file)};
        (void)!sk_journal_get_file(file, &m.header.file);
        memcpy(m.header.last, next->previous, SK_FRAME_HASH);
        sk_random(m.header.salt, SK_ID_SIZE);
        if (m.rows.count) {
            qsort(m.rows.all, m.rows.count, sizeof(*m.rows.all), compare_rows);
        }
        r = make(&m, &state);
    }
    rows_free(&m.rows);
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    return r;
}

/* 0; 1 the disk does not give what is there. */
static int check_sectors(struct packing_job *job, uint64_t from, uint64_t to)
{
    char name[40];
    sk_journal_file_name(job->file, name);
    int fd = openat(job->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int r = fd < 0 ? -errno : files_read_through(fd, from, to);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (r) {
        (void)snprintf(job->error.text, sizeof(job->error.text), "%s", strerror(-r));
    }
    return r != 0;
}

static bool any_gone(const struct sk_packed *packed, const struct sk_keys *keys)
{
    bool any = false;
    for (uint32_t n = 0; !any && n < packed->header.count; n++) {
        const struct sk_packed_chunk chunk = sk_packed_chunk(packed, n);
        any = is_gone(packed, keys, &chunk);
    }
    return any;
}

/* 0; 1 there is nothing to take out, or the file is damaged; negative. */
static int take_out(struct packing_job *job, struct sk_slice file)
{
    struct sk_packed packed;
    struct making m = {.job = job, .file = file, .packed = &packed, .fd = -1};
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_keys *keys = NULL;
    uint64_t end, torn;
    if (sk_packed_open(file, &packed)) {
        return 1;
    }
    int r = read_keys(job, &keys);
    m.keys = state.keys = keys;
    m.header = packed.header;
    m.header.count = 0;
    r = r ? r : !any_gone(&packed, keys);
    r = r ? r : check_sectors(job, 0, UINT64_MAX);
    r = r ? r : sk_journal_read(&state, file, packed.header.last, NULL, NULL, &end, &torn, &job->error);
    r = r ? r : make(&m, &state);
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    return r;
}

/* What the header of one of the files says; it is read, not mapped. 0; 1 it is none; negative. */
static int read_header(int folder, uint64_t number, struct sk_packed_header *header)
{
    uint8_t block[SK_FRAME_BLOCK];
    char name[40];
    *header = (struct sk_packed_header){.count = 0};
    sk_journal_file_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -errno;
    }
    ssize_t n = pread(fd, block, sizeof(block), 0);
    (void)close(fd);
    if (n != (ssize_t)sizeof(block)) {
        return 1;
    }
    return sk_packed_get_header(block, header) == 0 ? 0 : sk_frame_get_file(block, &header->file);
}

/* Of a packed file what is looked at first: snapshot and directory. */
static int check_first(struct packing_job *job, const struct sk_packed_header *header)
{
    int r = check_sectors(job, 0, header->file.packed ? header->chunks : UINT64_MAX);
    return r || !header->file.packed ? r : check_sectors(job, header->directory, UINT64_MAX);
}

int packing_file(struct packing_job *job)
{
    struct sk_slice file = SK_SLICE_NULL;
    struct sk_packed_header header, next;
    job->error.text[0] = '\0';
    int r = read_header(job->folder, job->file, &header);
    r = r ? r : read_header(job->folder, job->file + 1, &next);
    r = r ? r : check_first(job, &header);
    r = r ? r : files_map(job->folder, job->file, &file);
    r = r ? r : !sk_journal_begins(file, NULL, NULL); /* or it is damaged */
    r = r ? r : header.file.packed ? take_out(job, file) : pack(job, file, &next.file);
    files_unmap(file);
    return r > 0 ? 1 : r;
}

/* ---- one after the other ---- */

static void *run(void *context)
{
    struct packing *p = context;
    p->result = packing_file(&p->job);
    atomic_store(&p->done, 1);
    return NULL;
}

void packing_init(struct packing *p, struct sk_writer *writer, const struct sk_writer_settings *settings)
{
    p->writer = writer;
    p->job.stop = &p->stop;
    p->job.disk = settings->disk;
    p->job.folder = settings->folder;
    memcpy(p->job.secret, settings->secret, sizeof(p->job.secret));
}

void packing_free(struct packing *p)
{
    if (p->busy) {
        atomic_store(&p->stop, 1);
        (void)pthread_join(p->thread, NULL);
        p->busy = false;
    }
    sk_wipe(p->job.secret, sizeof(p->job.secret));
}

static void thread_over(struct packing *p)
{
    (void)pthread_join(p->thread, NULL);
    p->busy = false;
    if (p->result >= 0) {
        p->next = p->job.file + 1;
    } else {
        p->again = sk_clock_boot() + AGAIN;
    }
    p->told(p, p->job.file, p->result);
}

bool packing_step(struct packing *p, bool may)
{
    const struct sk_writer_place place = sk_writer_place(p->writer);
    const uint64_t now = sk_clock_boot();
    if (place.last != p->last) {
        p->last = place.last;
        p->since = now;
        p->mark = sk_writer_mark(p->writer);
    }
    if (p->busy && atomic_load(&p->done)) {
        thread_over(p);
        return true; /* what is due is erased before the next one */
    }
    if (p->erased != sk_writer_erased(p->writer)) {
        p->erased = sk_writer_erased(p->writer);
        p->next = 0; /* all are looked at again */
    }
    p->next = p->next < place.first ? place.first : p->next;
    const uint64_t left = now - p->since >= SK_WRITER_DOUBT ? 1 : PACKING_NEWEST;
    if (p->busy || !may || now < p->again || p->next + left > place.last || !sk_writer_is_signed(p->writer, p->mark)) {
        return p->busy;
    }
    p->job.file = p->next;
    atomic_store(&p->done, 0);
    p->busy = pthread_create(&p->thread, NULL, run, p) == 0;
    p->again = p->busy ? 0 : now + AGAIN;
    return p->busy;
}
