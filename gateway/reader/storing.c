/* Writing indexes. Runs in the reader, for the most part in a thread of its own. */
#include "reader/storing.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "journal/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAKING "making"
#define BUFFER ((size_t)1 << 20)

/* A tenant's section to be written. Its key was derived before the thread began: keys may be erased meanwhile. */
struct section {
    const struct live_tenant *tenant;
    uint8_t key[SK_KEYS_SECRET];
};

struct storing {
    pthread_t thread;
    int folder, ready, result;
    uint64_t file;
    uint8_t key[SK_KEYS_SECRET];
    struct stored_header header; /* as it is written at last */
    struct sk_buf rows;          /* of seals and tenants, then of pages */
    struct section *sections;
    size_t count;
};

/* What is written, page after page. */
struct writing {
    int fd;
    uint64_t at;       /* where in the file the next page goes, behind what waits in `out` */
    struct sk_buf out; /* sealed pages */
    struct sk_buf *ends; /* of each */
    uint64_t pages;    /* so far */
    struct sk_compressor *compressor;
    struct sk_sealer *sealer;
    uint8_t page[PAGE_SIZE];
    size_t used;
    uint64_t len; /* of the section, so far */
};

/* ---- bytes ---- */

static int flush(struct writing *w)
{
    while (sk_buf_len(&w->out)) {
        struct sk_slice bytes = sk_buf_peek(&w->out);
        ssize_t n = pwrite(w->fd, bytes.data, bytes.len, (off_t)w->at);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        sk_buf_take(&w->out, (size_t)n);
        w->at += (uint64_t)n;
    }
    return 0;
}

static int seal_page(struct writing *w)
{
    uint8_t nonce[SK_SEAL_NONCE] = {0};
    uint64_t number = (w->len - 1) / PAGE_SIZE;
    struct sk_slice page;
    memcpy(nonce, &number, sizeof(number));
    int r = sk_compress(w->compressor, sk_slice(w->page, w->used), &page);
    r = r || sk_buf_len(&w->out) + page.len + STORED_TAG <= BUFFER ? r : flush(w);
    char *to = r ? NULL : sk_buf_reserve(&w->out, page.len + STORED_TAG);
    r = r ? r : to ? sk_sealer_seal(w->sealer, nonce, SK_SLICE_NULL, page, (uint8_t *)to) : -ENOMEM;
    if (r == 0) {
        sk_buf_commit(&w->out, page.len + STORED_TAG);
        w->used = 0;
        w->pages++;
        uint64_t end = w->at + sk_buf_len(&w->out);
        r = sk_buf_put(w->ends, sk_slice(&end, sizeof(end)));
    }
    return r;
}

static int put(struct writing *w, const void *bytes, size_t len)
{
    int r = 0;
    for (const uint8_t *from = bytes; r == 0 && len;) {
        size_t n = PAGE_SIZE - w->used < len ? PAGE_SIZE - w->used : len;
        memcpy(w->page + w->used, from, n);
        w->used += n;
        w->len += n;
        from += n;
        len -= n;
        r = w->used == PAGE_SIZE ? seal_page(w) : 0;
    }
    return r;
}

/* ---- a section ---- */

struct sorted {
    const struct live_value *value;
};

static int compare_values(const void *a, const void *b)
{
    const struct live_value *x = ((const struct sorted *)a)->value, *y = ((const struct sorted *)b)->value;
    return sk_term_compare(sk_slice(x->bytes, x->len), sk_slice(y->bytes, y->len));
}

/* The live one is searched meanwhile, and stays as it is. */
static int put_bitmap(struct writing *w, const roaring_bitmap_t *rows)
{
    roaring_bitmap_t *copy = roaring_bitmap_copy(rows);
    (void)(copy && roaring_bitmap_run_optimize(copy));
    size_t size = copy ? roaring_bitmap_portable_size_in_bytes(copy) : 0;
    char *bytes = size ? malloc(size) : NULL;
    uint32_t len = (uint32_t)size;
    int r = bytes ? 0 : -ENOMEM;
    if (bytes) {
        (void)roaring_bitmap_portable_serialize(copy, bytes);
        r = put(w, &len, sizeof(len));
        r = r ? r : put(w, bytes, size);
    }
    free(bytes);
    if (copy) {
        roaring_bitmap_free(copy);
    }
    return r;
}

static int put_value(struct writing *w, const struct live_value *value, struct stored_entry *entry)
{
    int r = 0;
    *entry = (struct stored_entry){.count = value->count, .len = value->len};
    if (value->len <= sizeof(entry->value)) {
        memcpy(entry->value.bytes, value->bytes, value->len);
    } else {
        entry->value.at = w->len;
        r = put(w, value->bytes, value->len);
    }
    if (value->count <= LIVE_ROWS) {
        memcpy(entry->rows.rows, value->rows.few, sizeof(entry->rows.rows));
        return r;
    }
    entry->rows.at = w->len;
    return r ? r : put_bitmap(w, value->rows.many);
}

static int compare_pairs(const void *a, const void *b)
{
    const struct stored_pair *x = a, *y = b;
    int order = memcmp(x->value, y->value, sizeof(x->value));
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* Its rows, each with the value. 0 or -ENOMEM. */
static int take_pairs(const struct live_value *value, struct stored_pair *pairs)
{
    uint32_t rows[LIVE_ROWS], *all = value->count > LIVE_ROWS ? malloc(value->count * sizeof(*all)) : rows;
    if (!all) {
        return -ENOMEM;
    }
    if (value->count > LIVE_ROWS) {
        roaring_bitmap_to_uint32_array(value->rows.many, all);
    } else {
        memcpy(rows, value->rows.few, sizeof(rows));
    }
    for (uint32_t i = 0; i < value->count; i++) {
        pairs[i].row = all[i];
        memcpy(pairs[i].value, value->bytes, sizeof(pairs[i].value));
    }
    if (all != rows) {
        free(all);
    }
    return 0;
}

static int put_requests(struct writing *w, const struct live_tenant *tenant, struct stored_head *head)
{
    const struct sk_table *values = &tenant->values[SK_TERM_REQUEST];
    struct stored_pair *pairs = calloc(tenant->part.rows, sizeof(*pairs)); /* a record has one id at most */
    size_t count = 0;
    int r = pairs ? 0 : -ENOMEM;
    for (struct sk_table_node *n = r ? NULL : sk_table_walk(values, NULL); r == 0 && n; n = sk_table_walk(values, n)) {
        const struct live_value *value = SK_CONTAINER(n, struct live_value, node);
        r = value->len == PART_REQUEST ? take_pairs(value, pairs + count) : 0;
        count += r || value->len != PART_REQUEST ? 0 : value->count;
    }
    if (pairs && count) {
        qsort(pairs, count, sizeof(*pairs), compare_pairs);
    }
    head->fields[SK_TERM_REQUEST].at = w->len;
    head->fields[SK_TERM_REQUEST].count = count;
    r = r ? r : put(w, pairs, count * sizeof(*pairs));
    free(pairs);
    return r;
}

static int put_field(struct writing *w, const struct sk_table *values, uint64_t *at)
{
    struct sorted *sorted = calloc(values->count + 1, sizeof(*sorted));
    struct stored_entry *entries = calloc(values->count + 1, sizeof(*entries));
    size_t count = 0;
    int r = sorted && entries ? 0 : -ENOMEM;
    for (struct sk_table_node *n = r ? NULL : sk_table_walk(values, NULL); n; n = sk_table_walk(values, n)) {
        sorted[count++].value = SK_CONTAINER(n, struct live_value, node);
    }
    if (count) {
        qsort(sorted, count, sizeof(*sorted), compare_values);
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = put_value(w, sorted[i].value, &entries[i]);
    }
    *at = w->len;
    r = r ? r : put(w, entries, count * sizeof(*entries));
    free(sorted);
    free(entries);
    return r;
}

static int put_columns(struct writing *w, const struct live_tenant *tenant, struct stored_head *head)
{
    int r = 0;
    head->times = w->len;
    for (uint32_t i = 0; r == 0 && i < tenant->part.rows; i++) {
        uint32_t since = (uint32_t)(tenant->rows[i].time - tenant->part.first);
        r = put(w, &since, sizeof(since));
    }
    head->places = w->len;
    for (uint32_t i = 0; r == 0 && i < tenant->part.rows; i++) {
        uint32_t at = (uint32_t)tenant->rows[i].place;
        r = put(w, &at, sizeof(at));
    }
    head->many = w->len;
    head->many_count = tenant->many_count;
    r = r ? r : put(w, tenant->many, tenant->many_count * sizeof(*tenant->many));
    head->tiles = w->len;
    return r ? r : put(w, tenant->tiles, part_tiles(&tenant->part) * SK_TREE_HASH);
}

static int put_section(struct writing *w, const struct section *section, struct stored_tenant *row)
{
    const struct live_tenant *tenant = section->tenant;
    const struct part *part = &tenant->part;
    struct stored_head head = {.times = 0};
    int r = 0;
    *row = (struct stored_tenant){.page = w->pages, .seq = part->seq, .first = part->first, .last = part->last, .rows = part->rows, .ordered = part->ordered,
            .day = tenant->part.day};
    memcpy(row->id, tenant->id, SK_ID_SIZE);
    w->len = 0;
    w->sealer = sk_sealer_new(section->key);
    r = r ? r : w->sealer ? 0 : -ENOMEM;
    for (unsigned field = 1; r == 0 && field < SK_TERM_COUNT; field++) {
        head.fields[field].count = tenant->values[field].count;
        r = field == SK_TERM_REQUEST ? put_requests(w, tenant, &head) : put_field(w, &tenant->values[field], &head.fields[field].at);
    }
    r = r ? r : put_columns(w, tenant, &head);
    r = r ? r : put(w, &head, sizeof(head));
    r = r || w->used == 0 ? r : seal_page(w);
    w->sealer = sk_sealer_free(w->sealer);
    row->len = w->len;
    return r;
}

/* ---- the file ---- */

static int put_header(struct storing *s, int fd)
{
    static const uint8_t nonce[SK_SEAL_NONCE];
    uint8_t block[STORED_SECTIONS] = {0};
    memcpy(block, &s->header, sizeof(s->header));
    struct sk_sealer *sealer = sk_sealer_new(s->key);
    int r = sealer ? sk_sealer_seal(sealer, nonce, sk_slice(block, SK_FRAME_BLOCK), SK_SLICE_NULL, block + SK_FRAME_BLOCK) : -ENOMEM;
    (void)sk_sealer_free(sealer);
    return r ? r : pwrite(fd, block, sizeof(block), 0) == (ssize_t)sizeof(block) ? 0 : -EIO;
}

/* Behind the sections. */
static int put_rows(struct storing *s, struct writing *w)
{
    static const char zeros[8];
    int r = sk_buf_put(&w->out, sk_slice(zeros, (8 - w->at % 8) % 8));
    r = r ? r : flush(w);
    s->header.rows = w->at;
    s->header.pages = w->pages;
    sk_digest_sha256(sk_buf_peek(&s->rows), s->header.rows_hash);
    r = r ? r : sk_buf_put(&w->out, sk_buf_peek(&s->rows));
    return r ? r : flush(w);
}

static int write_file(struct storing *s, int fd)
{
    struct sk_buf ends = SK_BUF_INIT(SIZE_MAX / 2);
    struct writing w = {.fd = fd, .at = STORED_SECTIONS, .out = SK_BUF_INIT(SIZE_MAX / 2), .ends = &ends, .compressor = sk_compressor_new()};
    struct stored_tenant *rows = (void *)(s->rows.data + s->rows.start + sk_buf_len(&s->rows) - s->count * sizeof(*rows));
    int r = w.compressor ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < s->count; i++) {
        r = put_section(&w, &s->sections[i], &rows[i]);
    }
    r = r ? r : flush(&w);
    r = r ? r : sk_buf_put(&s->rows, sk_buf_peek(&ends));
    r = r ? r : put_rows(s, &w);
    r = r ? r : put_header(s, fd);
    (void)sk_compressor_free(w.compressor);
    sk_buf_free(&ends);
    sk_buf_free(&w.out);
    sk_wipe(w.page, sizeof(w.page));
    return r ? r : fsync(fd) ? -errno : 0;
}

static void *run(void *context)
{
    struct storing *s = context;
    char name[40];
    const uint64_t done = 1;
    stored_name(s->file, name);
    (void)unlinkat(s->folder, MAKING, 0);
    int fd = openat(s->folder, MAKING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : write_file(s, fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    s->result = r ? r : renameat(s->folder, MAKING, s->folder, name) ? -errno : 0;
    if (s->result) {
        (void)unlinkat(s->folder, MAKING, 0);
    }
    (void)!write(s->ready, &done, sizeof(done));
    return NULL;
}

/* ---- beginning ---- */

static int compare_sections(const void *a, const void *b)
{
    return memcmp(((const struct section *)a)->tenant->id, ((const struct section *)b)->tenant->id, SK_ID_SIZE);
}

/* Columns are of 32 bits. */
static bool fits(const struct live_tenant *tenant)
{
    return tenant->part.last - tenant->part.first <= UINT32_MAX && tenant->rows[tenant->part.rows - 1].place <= UINT32_MAX;
}

static int list_sections(struct storing *s, const struct shelf *shelf, const struct live *live, const uint8_t salt[SK_ID_SIZE])
{
    int r = 0;
    s->sections = calloc(live->tenants.count + 1, sizeof(*s->sections));
    for (struct sk_table_node *n = s->sections ? sk_table_walk(&live->tenants, NULL) : NULL; r == 0 && n; n = sk_table_walk(&live->tenants, n)) {
        struct section *section = &s->sections[s->count];
        section->tenant = SK_CONTAINER(n, struct live_tenant, node);
        uint32_t day = section->tenant->part.day;
        if (sk_keys_gone(shelf->keys, section->tenant->id, day)) {
            continue; /* nothing is known of it any more */
        }
        s->count++;
        r = fits(section->tenant) ? sk_keys_derive(shelf->keys, section->tenant->id, day, "index", sk_slice(salt, SK_ID_SIZE), section->key) : 1;
    }
    if (s->sections && s->count) {
        qsort(s->sections, s->count, sizeof(*s->sections), compare_sections);
    }
    return s->sections ? r : -ENOMEM;
}

static int make_rows(struct storing *s, const struct storing_of *of, const uint8_t salt[SK_ID_SIZE])
{
    const struct stored_tenant none = {.page = 0};
    s->header = (struct stored_header){.magic = {'S', 'K', 'I', 'N', 'D', 'E', 'X', '1'}, .version = STORED_VERSION, .file = s->file, .seals = (uint32_t)of->seals_count,
            .tenants = (uint32_t)s->count};
    memcpy(s->header.node, of->node, SK_ID_SIZE);
    memcpy(s->header.epoch, of->epoch, SK_ID_SIZE);
    memcpy(s->header.hash, of->hash, SK_FRAME_HASH);
    memcpy(s->header.salt, salt, SK_ID_SIZE);
    s->rows = SK_BUF_INIT(SIZE_MAX / 2);
    int r = sk_buf_put(&s->rows, sk_slice(of->seals, of->seals_count * sizeof(*of->seals)));
    for (size_t i = 0; r == 0 && i < s->count; i++) {
        r = sk_buf_put(&s->rows, sk_slice(&none, sizeof(none)));
    }
    return r;
}

static void storing_free(struct storing *s)
{
    for (size_t i = 0; i < s->count; i++) {
        sk_wipe(s->sections[i].key, sizeof(s->sections[i].key));
    }
    free(s->sections);
    sk_buf_free(&s->rows);
    sk_wipe(s->key, sizeof(s->key));
    free(s);
}

int storing_begin(const struct shelf *shelf, const struct live *live, const struct storing_of *of, int ready, struct storing **storing)
{
    uint8_t salt[SK_ID_SIZE];
    struct storing *s = calloc(1, sizeof(*s));
    if (!s) {
        return -ENOMEM;
    }
    sk_random(salt, sizeof(salt));
    stored_key(shelf->secret, salt, s->key);
    s->folder = shelf->folder;
    s->ready = ready;
    s->file = live->file;
    int r = list_sections(s, shelf, live, salt);
    r = r ? r : make_rows(s, of, salt);
    r = r ? r : -pthread_create(&s->thread, NULL, run, s);
    if (r) {
        storing_free(s);
        return r;
    }
    *storing = s;
    return 0;
}

int storing_end(struct storing *s)
{
    uint64_t done;
    (void)pthread_join(s->thread, NULL);
    (void)!read(s->ready, &done, sizeof(done));
    int r = s->result;
    storing_free(s);
    return r;
}
