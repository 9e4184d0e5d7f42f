/* Packed files. Runs in audit and reader, and in the tools that read a journal. */
#include "journal/packed.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "journal/record.h"

#include <endian.h>
#include <errno.h>

#define FORMAT 1U
#define HASHED (SK_FRAME_BLOCK - SK_FRAME_HASH)

static const char magic[8] = {'S', 'K', 'J', 'P', 'A', 'C', 'K', '1'};

/* As on disk: little-endian. */
struct stored_header {
    char magic[8];
    uint32_t format, zero;
    uint64_t number;
    uint8_t node[SK_ID_SIZE], previous[SK_FRAME_HASH], epoch[SK_ID_SIZE], last[SK_FRAME_HASH], salt[SK_ID_SIZE];
    uint64_t group, wall, boot;
    uint32_t day, count;
    uint64_t chunks, directory;
    uint8_t hash[SK_FRAME_HASH];
};
_Static_assert(sizeof(struct stored_header) == 216, "no byte between its fields");

struct stored_chunk {
    uint8_t tenant[SK_ID_SIZE];
    uint64_t seq, at, group;
    uint32_t count, len;
    uint8_t hash[SK_FRAME_HASH];
};
_Static_assert(sizeof(struct stored_chunk) == SK_PACKED_ENTRY, "no byte between its fields");

void sk_packed_put_header(const struct sk_packed_header *h, uint8_t out[SK_FRAME_BLOCK])
{
    struct stored_header s = {.format = htole32(FORMAT), .number = htole64(h->file.number), .group = htole64(h->group), .wall = htole64(h->wall), .boot = htole64(h->boot),
            .day = htole32(h->day), .count = htole32(h->count), .chunks = htole64(h->chunks), .directory = htole64(h->directory)};
    memcpy(s.magic, magic, sizeof(magic));
    memcpy(s.node, h->file.node, SK_ID_SIZE);
    memcpy(s.previous, h->file.previous, SK_FRAME_HASH);
    memcpy(s.epoch, h->file.epoch, SK_ID_SIZE);
    memcpy(s.last, h->last, SK_FRAME_HASH);
    memcpy(s.salt, h->salt, SK_ID_SIZE);
    memcpy(s.hash, h->hash, SK_FRAME_HASH);
    memset(out, 0, SK_FRAME_BLOCK);
    memcpy(out, &s, sizeof(s));
    sk_digest_sha256(sk_slice(out, HASHED), out + HASHED);
}

int sk_packed_get_header(const uint8_t in[SK_FRAME_BLOCK], struct sk_packed_header *h)
{
    struct stored_header s;
    uint8_t hash[SK_FRAME_HASH];
    memcpy(&s, in, sizeof(s));
    if (memcmp(s.magic, magic, sizeof(magic)) != 0 || le32toh(s.format) != FORMAT) {
        return 1;
    }
    sk_digest_sha256(sk_slice(in, HASHED), hash);
    *h = (struct sk_packed_header){.file = {.number = le64toh(s.number), .packed = true}, .group = le64toh(s.group), .wall = le64toh(s.wall), .boot = le64toh(s.boot),
            .day = le32toh(s.day), .count = le32toh(s.count), .chunks = le64toh(s.chunks), .directory = le64toh(s.directory)};
    memcpy(h->file.node, s.node, SK_ID_SIZE);
    memcpy(h->file.previous, s.previous, SK_FRAME_HASH);
    memcpy(h->file.epoch, s.epoch, SK_ID_SIZE);
    memcpy(h->last, s.last, SK_FRAME_HASH);
    memcpy(h->salt, s.salt, SK_ID_SIZE);
    memcpy(h->hash, s.hash, SK_FRAME_HASH);
    return memcmp(hash, in + HASHED, SK_FRAME_HASH) != 0;
}

void sk_packed_put_chunk(const struct sk_packed_chunk *c, uint8_t out[SK_PACKED_ENTRY])
{
    struct stored_chunk s = {.seq = htole64(c->seq), .at = htole64(c->at), .group = htole64(c->group), .count = htole32(c->count), .len = htole32(c->len)};
    memcpy(s.tenant, c->tenant, SK_ID_SIZE);
    memcpy(s.hash, c->hash, SK_FRAME_HASH);
    memcpy(out, &s, sizeof(s));
}

void sk_packed_get_chunk(const uint8_t in[SK_PACKED_ENTRY], struct sk_packed_chunk *c)
{
    struct stored_chunk s;
    memcpy(&s, in, sizeof(s));
    *c = (struct sk_packed_chunk){.seq = le64toh(s.seq), .at = le64toh(s.at), .group = le64toh(s.group), .count = le32toh(s.count), .len = le32toh(s.len)};
    memcpy(c->tenant, s.tenant, SK_ID_SIZE);
    memcpy(c->hash, s.hash, SK_FRAME_HASH);
}

/* The file is mapped: whoever writes in the folder changes it also after it was opened. */
static bool is_within(const struct sk_packed *p, const struct sk_packed_chunk *c)
{
    return c->count && c->count <= SK_PACKED_RECORDS - c->seq % SK_PACKED_RECORDS && c->seq <= UINT64_MAX - SK_PACKED_RECORDS && c->at >= p->header.chunks &&
           c->at <= p->header.directory && sk_packed_roots(c) * SK_TREE_HASH + c->len <= p->header.directory - c->at;
}

struct sk_packed_chunk sk_packed_chunk(const struct sk_packed *p, uint32_t n)
{
    struct sk_packed_chunk chunk;
    sk_packed_get_chunk((const uint8_t *)p->file.data + p->header.directory + n * SK_PACKED_ENTRY, &chunk);
    return is_within(p, &chunk) ? chunk : (struct sk_packed_chunk){.at = p->header.chunks};
}

/* ---- opening ---- */

/* Negative: x comes first. */
static int compare(const struct sk_packed_chunk *x, const uint8_t tenant[SK_ID_SIZE], uint64_t seq)
{
    int order = memcmp(x->tenant, tenant, SK_ID_SIZE);
    return order ? order : (x->seq > seq) - (x->seq < seq);
}

/* Each begins where the one before it ends, and is of records that no other has. */
static bool check_directory(const struct sk_packed *p)
{
    struct sk_packed_chunk before = {.count = 0};
    uint64_t at = p->header.chunks;
    for (uint32_t i = 0; i < p->header.count; i++) {
        struct sk_packed_chunk chunk = sk_packed_chunk(p, i);
        bool same = i && memcmp(chunk.tenant, before.tenant, SK_ID_SIZE) == 0;
        if (chunk.at != at || chunk.count == 0 || chunk.count > SK_PACKED_RECORDS - chunk.seq % SK_PACKED_RECORDS || chunk.seq > UINT64_MAX - SK_PACKED_RECORDS ||
                (same ? chunk.seq != before.seq + before.count : i && compare(&before, chunk.tenant, chunk.seq) >= 0)) {
            return false;
        }
        at += sk_packed_roots(&chunk) * SK_TREE_HASH + chunk.len;
        before = chunk;
    }
    return at == p->header.directory;
}

int sk_packed_open(struct sk_slice file, struct sk_packed *p)
{
    uint8_t hash[SK_FRAME_HASH];
    *p = (struct sk_packed){.file = file};
    if (file.len < SK_FRAME_BLOCK || sk_packed_get_header((const uint8_t *)file.data, &p->header)) {
        return 1;
    }
    const struct sk_packed_header *h = &p->header;
    if (h->chunks < SK_FRAME_BLOCK || h->chunks % SK_FRAME_BLOCK || h->chunks > h->directory || h->directory > file.len ||
            (file.len - h->directory) % SK_PACKED_ENTRY || (file.len - h->directory) / SK_PACKED_ENTRY != h->count) {
        return 1;
    }
    sk_digest_sha256(sk_slice_from(file, h->directory), hash);
    return memcmp(hash, h->hash, SK_FRAME_HASH) != 0 || !check_directory(p);
}

uint32_t sk_packed_find(const struct sk_packed *p, const uint8_t tenant[SK_ID_SIZE], uint64_t seq)
{
    uint32_t from = 0, to = p->header.count; /* the first that comes behind it is in [from, to] */
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        struct sk_packed_chunk chunk = sk_packed_chunk(p, middle);
        if (compare(&chunk, tenant, seq) <= 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    if (from == 0) {
        return p->header.count;
    }
    struct sk_packed_chunk chunk = sk_packed_chunk(p, from - 1);
    bool has = memcmp(chunk.tenant, tenant, SK_ID_SIZE) == 0 && seq - chunk.seq < chunk.count;
    return has ? from - 1 : p->header.count;
}

uint32_t sk_packed_at(const struct sk_packed *p, uint64_t at)
{
    uint32_t from = 0, to = p->header.count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (sk_packed_chunk(p, middle).at < at) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

/* ---- trees ---- */

size_t sk_packed_roots(const struct sk_packed_chunk *chunk)
{
    size_t count = 0;
    for (uint64_t from = chunk->seq, end = from + chunk->count; from < end; count++) {
        from += UINT64_C(1) << sk_tree_subtree(from, end);
    }
    return count;
}

struct sk_slice sk_packed_roots_of(const struct sk_packed *p, const struct sk_packed_chunk *chunk)
{
    return sk_slice(p->file.data + chunk->at, sk_packed_roots(chunk) * SK_TREE_HASH);
}

static struct sk_slice sealed_of(const struct sk_packed *p, const struct sk_packed_chunk *chunk)
{
    return sk_slice(p->file.data + chunk->at + sk_packed_roots(chunk) * SK_TREE_HASH, chunk->len);
}

bool sk_packed_check(const struct sk_packed *p, const struct sk_packed_chunk *chunk)
{
    uint8_t hash[SK_FRAME_HASH];
    sk_digest_sha256(sk_slice(p->file.data + chunk->at, sk_packed_roots(chunk) * SK_TREE_HASH + chunk->len), hash);
    return memcmp(hash, chunk->hash, SK_FRAME_HASH) == 0;
}

void sk_packed_append(const struct sk_packed *p, const struct sk_packed_chunk *chunk, struct sk_tree *tree)
{
    const uint8_t *root = (const uint8_t *)sk_packed_roots_of(p, chunk).data;
    for (uint64_t end = chunk->seq + chunk->count; tree->size < end; root += SK_TREE_HASH) {
        sk_tree_append_subtree(tree, sk_tree_subtree(tree->size, end), root);
    }
}

/* ---- what is in them ---- */

int sk_packed_sealer(const struct sk_packed_header *header, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_sealer **sealer)
{
    uint8_t key[SK_KEYS_SECRET];
    *sealer = NULL;
    if (sk_keys_derive(keys, tenant, header->day, "packed", sk_slice(header->salt, SK_ID_SIZE), key)) {
        return 1;
    }
    *sealer = sk_sealer_new(key);
    sk_wipe(key, sizeof(key));
    return *sealer ? 0 : -ENOMEM;
}

/* Its place in the file is its nonce: the key is the file's own. What it says of its records is bound to it. */
static void place_of(const struct sk_packed_chunk *chunk, uint32_t n, uint8_t nonce[SK_SEAL_NONCE], uint8_t place[SK_ID_SIZE + 12])
{
    uint64_t seq = htole64(chunk->seq);
    uint32_t count = htole32(chunk->count);
    n = htole32(n);
    memset(nonce, 0, SK_SEAL_NONCE);
    memcpy(nonce, &n, sizeof(n));
    memcpy(place, chunk->tenant, SK_ID_SIZE);
    memcpy(place + SK_ID_SIZE, &seq, sizeof(seq));
    memcpy(place + SK_ID_SIZE + sizeof(seq), &count, sizeof(count));
}

int sk_packed_seal(struct sk_compressor *compressor, struct sk_sealer *sealer, uint32_t n, struct sk_packed_chunk *chunk, struct sk_slice records, struct sk_buf *out)
{
    uint8_t nonce[SK_SEAL_NONCE], place[SK_ID_SIZE + 12];
    struct sk_slice compressed;
    int r = sk_compress(compressor, records, &compressed);
    char *to = r ? NULL : sk_buf_reserve(out, compressed.len + SK_SEAL_TAG);
    if (!to) {
        return r ? r : -ENOMEM;
    }
    place_of(chunk, n, nonce, place);
    r = sk_sealer_seal(sealer, nonce, sk_slice(place, sizeof(place)), compressed, (uint8_t *)to);
    if (r == 0) {
        chunk->len = (uint32_t)(compressed.len + SK_SEAL_TAG);
        sk_buf_commit(out, chunk->len);
    }
    return r;
}

void sk_unpacked_free(struct sk_unpacked *u)
{
    u->compressor = sk_compressor_free(u->compressor);
    sk_wipe(u->compressed.data, u->compressed.size);
    sk_buf_free(&u->compressed);
    *u = SK_UNPACKED_INIT;
}

/* Are the bytes so many records? */
static int find_ends(struct sk_unpacked *u, uint32_t count)
{
    struct sk_slice rest = u->bytes;
    for (u->count = 0; u->count < count; u->count++) {
        size_t len = rest.len ? sk_record_length(rest) : 0;
        if (len == 0 || len > SK_AUDIT_RECORD_MAX) {
            return 1;
        }
        rest = sk_slice_from(rest, len);
        u->ends[u->count] = (uint32_t)(u->bytes.len - rest.len);
    }
    return rest.len != 0;
}

int sk_unpacked_open(struct sk_unpacked *u, struct sk_sealer *sealer, const struct sk_packed *packed, uint32_t n)
{
    struct sk_packed_chunk chunk = sk_packed_chunk(packed, n);
    uint8_t nonce[SK_SEAL_NONCE], place[SK_ID_SIZE + 12];
    u->count = 0;
    if (chunk.len < SK_SEAL_TAG || chunk.len > 2 * SK_PACKED_BYTES) {
        return 1;
    }
    u->compressor = u->compressor ? u->compressor : sk_compressor_new();
    if (u->compressed.size < chunk.len) {
        sk_wipe(u->compressed.data, u->compressed.size); /* growing would leave it there */
        sk_buf_free(&u->compressed);
    }
    char *compressed = u->compressor ? sk_buf_reserve(&u->compressed, chunk.len) : NULL;
    if (!compressed) {
        return -ENOMEM;
    }
    place_of(&chunk, n, nonce, place);
    int r = sk_sealer_open(sealer, nonce, sk_slice(place, sizeof(place)), sealed_of(packed, &chunk), (uint8_t *)compressed);
    r = r ? r : sk_expand(u->compressor, sk_slice(compressed, chunk.len - SK_SEAL_TAG), SK_PACKED_BYTES, &u->bytes);
    r = r ? r : find_ends(u, chunk.count);
    u->count = r ? 0 : u->count;
    return r;
}
