/* Searching stored indexes. Runs in the reader. */
#include "reader/stored.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "index-"

struct stored {
    struct shelf *shelf;
    struct sk_slice bytes; /* the whole file, mapped */
    const struct stored_header *header;
    const struct stored_seal *seals;
    const struct stored_tenant *tenants;
    const uint64_t *ends; /* of pages */
    const struct stored_tenant *head_of; /* the tenant asked for last, whose section's head is */
    struct stored_head head;
};

void stored_name(uint64_t file, char out[40])
{
    (void)snprintf(out, 40, PREFIX "%016llx.ski", (unsigned long long)file);
}

void stored_key(const uint8_t secret[SK_KEYS_SECRET], const uint8_t salt[SK_ID_SIZE], uint8_t key[SK_KEYS_SECRET])
{
    sk_digest_derive(sk_slice(secret, SK_KEYS_SECRET), "index file", sk_slice(salt, SK_ID_SIZE), key);
}

/* ---- opening ---- */

struct stored *stored_free(struct stored *stored)
{
    if (stored && stored->bytes.data) {
        (void)munmap((void *)(uintptr_t)stored->bytes.data, stored->bytes.len);
    }
    free(stored);
    return NULL;
}

static int map(struct stored *stored, uint64_t file)
{
    char name[40];
    struct stat info = {0};
    stored_name(file, name);
    int fd = openat(stored->shelf->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool whole = fd >= 0 && fstat(fd, &info) == 0 && info.st_size >= (off_t)SK_FRAME_BLOCK;
    void *at = whole ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        (void)close(fd);
    }
    stored->bytes = at == MAP_FAILED ? SK_SLICE_NULL : sk_slice(at, (size_t)info.st_size);
    return at == MAP_FAILED;
}

/* The header is what was stored under the file's own key. */
static int check_tag(const struct stored *stored)
{
    uint8_t key[SK_KEYS_SECRET], nothing[1];
    static const uint8_t nonce[SK_SEAL_NONCE];
    stored_key(stored->shelf->secret, stored->header->salt, key);
    struct sk_sealer *sealer = sk_sealer_new(key);
    sk_wipe(key, sizeof(key));
    int r = sealer ? sk_sealer_open(sealer, nonce, sk_slice_cut(stored->bytes, SK_FRAME_BLOCK), sk_slice_cut(sk_slice_from(stored->bytes, SK_FRAME_BLOCK), STORED_TAG), nothing) : -ENOMEM;
    (void)sk_sealer_free(sealer);
    return r;
}

/* They are where the header says, and what it has the hash of. */
static int check_rows(struct stored *stored)
{
    const struct stored_header *h = stored->header;
    const uint64_t seals = h->seals * sizeof(struct stored_seal), tenants = h->tenants * sizeof(struct stored_tenant);
    uint8_t hash[SK_SHA256_SIZE];
    const struct sk_slice rows = sk_slice_from(stored->bytes, h->rows);
    if (h->rows < STORED_SECTIONS || h->rows % 8 || h->pages > rows.len / sizeof(*stored->ends) || rows.len != seals + tenants + h->pages * sizeof(*stored->ends)) {
        return 1;
    }
    stored->seals = (const void *)rows.data;
    stored->tenants = (const void *)(rows.data + seals);
    stored->ends = (const void *)(rows.data + seals + tenants);
    sk_digest_sha256(rows, hash);
    return memcmp(hash, h->rows_hash, sizeof(hash)) != 0;
}

static int check(struct stored *stored, const struct sk_frame_file *journal)
{
    const struct stored_header *h = (const void *)stored->bytes.data;
    if (memcmp(h->magic, "SKINDEX1", 8) != 0 || h->version != STORED_VERSION || h->file != journal->number ||
            memcmp(h->node, journal->node, SK_ID_SIZE) != 0 || memcmp(h->epoch, journal->epoch, SK_ID_SIZE) != 0) {
        return 1;
    }
    stored->header = h;
    int r = stored->bytes.len < STORED_SECTIONS ? 1 : check_tag(stored);
    return r ? r : check_rows(stored);
}

int stored_open(struct shelf *shelf, const struct sk_frame_file *journal, struct stored **out)
{
    struct stored *stored = shelf->folder >= 0 ? calloc(1, sizeof(*stored)) : NULL;
    *out = NULL;
    if (!stored) {
        return shelf->folder >= 0 ? -ENOMEM : 1;
    }
    stored->shelf = shelf;
    int r = map(stored, journal->number);
    r = r ? r : check(stored, journal);
    *out = r ? stored_free(stored) : stored;
    return r;
}

void stored_remove(const struct shelf *shelf, uint64_t file)
{
    char name[40];
    stored_name(file, name);
    (void)unlinkat(shelf->folder, name, 0);
}

void stored_sweep(const struct shelf *shelf, uint64_t first)
{
    int fd = openat(shelf->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char name[40];
        uint64_t file = strtoull(sk_slice_starts(sk_slice_str(entry->d_name), SK_LIT(PREFIX)) ? entry->d_name + sizeof(PREFIX) - 1 : "", NULL, 16);
        stored_name(file, name);
        if (file && file < first && strcmp(entry->d_name, name) == 0) {
            stored_remove(shelf, file);
        }
    }
    if (folder) {
        (void)closedir(folder);
    } else if (fd >= 0) {
        (void)close(fd);
    }
}

const uint8_t *stored_hash(const struct stored *stored)
{
    return stored->header->hash;
}

const struct stored_seal *stored_seal(const struct stored *stored, uint64_t place)
{
    size_t i = stored->header->seals;
    while (i && stored->seals[i - 1].at > place) {
        i--; /* a file has few: one to each start of its writer */
    }
    return i ? &stored->seals[i - 1] : NULL;
}

/* ---- a section's bytes ---- */

static const struct stored_tenant *tenant_of(const struct part *part)
{
    return part->tenant;
}

static const struct stored *stored_of(const struct part *part)
{
    return part->index;
}

/* The n-th of all. */
static struct sk_slice sealed_page(const struct stored *stored, uint64_t n)
{
    uint64_t end = n < stored->header->pages ? stored->ends[n] : 0, begin = end && n ? stored->ends[n - 1] : STORED_SECTIONS;
    return begin <= end && end <= stored->header->rows ? sk_slice(stored->bytes.data + begin, end - begin) : SK_SLICE_NULL;
}

/* Opens a page into `out`. 0; 1 it is not what was stored, or its keys are gone; negative. */
static int open_page(const struct part *part, uint64_t number, uint8_t out[PAGE_SIZE])
{
    const struct stored *stored = stored_of(part);
    const struct stored_tenant *t = tenant_of(part);
    uint8_t key[SK_KEYS_SECRET], nonce[SK_SEAL_NONCE] = {0}, compressed[2 * PAGE_SIZE];
    uint64_t begins = number * PAGE_SIZE, len = t->len - begins < PAGE_SIZE ? t->len - begins : PAGE_SIZE;
    struct sk_slice sealed = sealed_page(stored, t->page + number), plain = SK_SLICE_NULL;
    memcpy(nonce, &number, sizeof(number));
    stored->shelf->compressor = stored->shelf->compressor ? stored->shelf->compressor : sk_compressor_new();
    if (!stored->shelf->compressor) {
        return -ENOMEM;
    }
    if (sealed.len < STORED_TAG || sealed.len > sizeof(compressed) || sk_keys_derive(stored->shelf->keys, t->id, t->day, "index", sk_slice(stored->header->salt, SK_ID_SIZE), key)) {
        return 1;
    }
    struct sk_sealer *sealer = sk_sealer_new(key);
    sk_wipe(key, sizeof(key));
    int r = sealer ? sk_sealer_open(sealer, nonce, SK_SLICE_NULL, sealed, compressed) : -ENOMEM;
    (void)sk_sealer_free(sealer);
    r = r ? r : sk_expand(stored->shelf->compressor, sk_slice(compressed, sealed.len - STORED_TAG), PAGE_SIZE, &plain);
    r = r ? r : plain.len != len;
    if (r == 0) {
        memcpy(out, plain.data, plain.len);
    }
    sk_wipe(compressed, sizeof(compressed));
    return r;
}

static const uint8_t *page(const struct part *part, uint64_t number, int *r)
{
    struct pages *pages = &stored_of(part)->shelf->pages;
    const struct page_name name = {part->file, tenant_of(part)->page, number};
    const uint8_t *bytes = pages_find(pages, &name);
    uint8_t *made = bytes ? NULL : pages_add(pages, &name);
    if (!bytes && !made) {
        *r = -ENOMEM;
        return NULL;
    }
    *r = bytes ? 0 : open_page(part, number, made);
    if (*r) {
        pages_drop(pages, &name);
    }
    return *r ? NULL : bytes ? bytes : made;
}

/* Copies `len` bytes from `at` of the section. 0; 1; negative. */
static int read_bytes(const struct part *part, uint64_t at, size_t len, void *out)
{
    if (at > tenant_of(part)->len || len > tenant_of(part)->len - at) {
        return 1;
    }
    for (uint8_t *to = out; len;) {
        int r;
        const uint8_t *from = page(part, at / PAGE_SIZE, &r);
        size_t in = at % PAGE_SIZE, n = PAGE_SIZE - in < len ? PAGE_SIZE - in : len;
        if (!from) {
            return r;
        }
        memcpy(to, from + in, n);
        to += n;
        at += n;
        len -= n;
    }
    return 0;
}

static int read_head(const struct part *part, const struct stored_head **head)
{
    struct stored *stored = (struct stored *)(uintptr_t)stored_of(part);
    uint64_t len = tenant_of(part)->len;
    int r = stored->head_of == tenant_of(part)      ? 0
            : len < sizeof(stored->head) ? 1
                                         : read_bytes(part, len - sizeof(stored->head), sizeof(stored->head), &stored->head);
    stored->head_of = r ? NULL : tenant_of(part);
    *head = &stored->head;
    return r;
}

/* ---- searching ---- */

/* An entry of a field, with its value. */
static int read_entry(const struct part *part, uint64_t entries, uint64_t i, struct stored_entry *entry, uint8_t value[SK_TERM_VALUE])
{
    int r = read_bytes(part, entries + i * sizeof(*entry), sizeof(*entry), entry);
    if (r || entry->len > SK_TERM_VALUE) {
        return r ? r : 1;
    }
    if (entry->len <= sizeof(entry->value)) {
        memcpy(value, entry->value.bytes, entry->len);
        return 0;
    }
    return read_bytes(part, entry->value.at, entry->len, value);
}

static int put_rows(const struct part *part, const struct stored_entry *entry, roaring_bitmap_t *rows)
{
    uint32_t len;
    if (entry->count <= SK_COUNT(entry->rows.rows)) {
        roaring_bitmap_add_many(rows, entry->count, entry->rows.rows);
        return 0;
    }
    int r = read_bytes(part, entry->rows.at, sizeof(len), &len);
    char *bytes = r ? NULL : len <= tenant_of(part)->len ? malloc(len) : NULL;
    r = r ? r : bytes ? read_bytes(part, entry->rows.at + sizeof(len), len, bytes) : -ENOMEM;
    roaring_bitmap_t *some = r ? NULL : roaring_bitmap_portable_deserialize_safe(bytes, len);
    free(bytes);
    if (some) {
        roaring_bitmap_or_inplace(rows, some);
        roaring_bitmap_free(some);
    }
    return r ? r : some ? 0 : 1;
}

/* Requests of one beginning. */
static int select_pairs(const struct part *part, const struct stored_head *head, struct sk_slice value, roaring_bitmap_t *rows)
{
    uint64_t from = 0, count = head->fields[SK_TERM_REQUEST].count, to = count, at = head->fields[SK_TERM_REQUEST].at;
    struct stored_pair pair;
    int r = value.len == sizeof(pair.value) ? 0 : 1;
    while (r == 0 && from < to) {
        uint64_t middle = from + (to - from) / 2;
        r = read_bytes(part, at + middle * sizeof(pair), sizeof(pair), &pair);
        if (r) {
            break;
        }
        if (memcmp(pair.value, value.data, sizeof(pair.value)) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    for (; r == 0 && from < count; from++) {
        r = read_bytes(part, at + from * sizeof(pair), sizeof(pair), &pair);
        if (r || memcmp(pair.value, value.data, sizeof(pair.value)) != 0) {
            break;
        }
        roaring_bitmap_add(rows, pair.row);
    }
    return r;
}

static int select_stored(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows)
{
    const struct stored_head *head;
    struct stored_entry entry;
    uint8_t value[SK_TERM_VALUE];
    int r = read_head(part, &head);
    low = part_value(field, low);
    high = part_value(field, high);
    if (r || field == SK_TERM_REQUEST) {
        return r ? r : select_pairs(part, head, low, rows);
    }
    uint64_t from = 0, to = head->fields[field].count, count = to, at = head->fields[field].at;
    while (r == 0 && from < to) {
        uint64_t middle = from + (to - from) / 2;
        r = read_entry(part, at, middle, &entry, value);
        if (r) {
            break;
        }
        if (sk_term_compare(sk_slice(value, entry.len), low) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    for (; r == 0 && from < count; from++) {
        r = read_entry(part, at, from, &entry, value);
        if (r == 0 && sk_term_compare(sk_slice(value, entry.len), high) > 0) {
            break;
        }
        r = r ? r : put_rows(part, &entry, rows);
    }
    return r;
}

static int read_column(const struct part *part, bool places, uint32_t row, uint32_t *number)
{
    const struct stored_head *head;
    int r = read_head(part, &head);
    return r ? r : read_bytes(part, (places ? head->places : head->times) + (uint64_t)row * sizeof(*number), sizeof(*number), number);
}

static int time_stored(const struct part *part, uint32_t row, uint64_t *time)
{
    uint32_t since = 0;
    int r = read_column(part, false, row, &since);
    *time = part->first + since;
    return r;
}

static int place_stored(const struct part *part, uint32_t row, uint64_t *place)
{
    uint32_t at = 0;
    int r = read_column(part, true, row, &at);
    *place = at;
    return r;
}

static int many_stored(const struct part *part, uint64_t n, struct part_many *many)
{
    const struct stored_head *head;
    int r = read_head(part, &head);
    *many = (struct part_many){.more = 0};
    return r || n >= head->many_count ? r : read_bytes(part, head->many + n * sizeof(*many), sizeof(*many), many);
}

static int tile_stored(const struct part *part, uint64_t n, uint8_t root[SK_TREE_HASH])
{
    const struct stored_head *head;
    int r = read_head(part, &head);
    return r ? r : read_bytes(part, head->tiles + n * SK_TREE_HASH, SK_TREE_HASH, root);
}

static int compare_tenants(const void *id, const void *tenant)
{
    return memcmp(id, ((const struct stored_tenant *)tenant)->id, SK_ID_SIZE);
}

bool stored_part(const struct stored *stored, const uint8_t id[SK_ID_SIZE], struct part *part)
{
    static const struct part_kind kind = {select_stored, time_stored, place_stored, many_stored, tile_stored};
    const struct stored_tenant *t = bsearch(id, stored->tenants, stored->header->tenants, sizeof(*stored->tenants), compare_tenants);
    if (t) {
        *part = (struct part){.kind = &kind, .index = stored, .tenant = t, .file = stored->header->file, .seq = t->seq, .rows = t->rows, .day = t->day, .first = t->first,
                .last = t->last, .ordered = t->ordered};
    }
    return t != NULL;
}
