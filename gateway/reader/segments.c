/* Mapped files and their indexes. Runs in the reader. */
#include "reader/segments.h"

#include "base/clock.h"
#include "journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES_BYTES ((size_t)256 << 20)

static void unmap(struct segment *segment)
{
    if (segment->bytes.data) {
        (void)munmap((void *)(uintptr_t)segment->bytes.data, segment->bytes.len);
    }
    segment->bytes = SK_SLICE_NULL;
}

static void segment_free(struct segment *segment)
{
    unmap(segment);
    segment->live = live_free(segment->live);
    segment->stored = stored_free(segment->stored);
    free(segment->seals);
}

int segments_init(struct segments *segments, const uint8_t secret[SK_KEYS_SECRET], int folder)
{
    *segments = (struct segments){.opened = malloc(sizeof(*segments->opened)), .shelf = {.pages = PAGES_INIT(PAGES_BYTES), .folder = folder}};
    memcpy(segments->shelf.secret, secret, SK_KEYS_SECRET);
    if (!segments->opened) {
        return -ENOMEM;
    }
    *segments->opened = (struct opened){.unpacked = SK_UNPACKED_INIT};
    return 0;
}

void segments_free(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        segment_free(&segments->all[i]);
    }
    free(segments->all);
    if (segments->opened) {
        sk_unpacked_free(&segments->opened->unpacked);
    }
    free(segments->opened);
    segments->shelf.compressor = sk_compressor_free(segments->shelf.compressor);
    pages_free(&segments->shelf.pages);
    sk_wipe(segments->shelf.secret, sizeof(segments->shelf.secret));
    if (segments->shelf.folder >= 0) {
        (void)close(segments->shelf.folder);
    }
    *segments = (struct segments){.shelf = {.folder = -1}};
}

void segments_drop_first(struct segments *segments)
{
    struct segment *first = segments->all;
    if (segments->shelf.folder >= 0) {
        stored_remove(&segments->shelf, first->header.number);
    }
    segment_free(first);
    segments->count--;
    memmove(first, first + 1, segments->count * sizeof(*first));
}

void segments_forget(struct segments *segments, size_t stored)
{
    pages_free(&segments->shelf.pages);
    sk_unpacked_free(&segments->opened->unpacked);
    segments->shelf.compressor = sk_compressor_free(segments->shelf.compressor);
    for (size_t i = 0; i < segments->count; i++) {
        if (segments->all[i].live && i != stored) {
            live_forget(segments->all[i].live, segments->shelf.keys);
        }
    }
}

/* Takes the mapping over, in place of the one that there is. 0; 1 it is another file, or none. */
static int take_map(struct segment *segment, struct sk_slice bytes, bool halfway)
{
    struct sk_frame_file header;
    struct sk_packed packed = {.file = bytes};
    bool another = sk_journal_get_file(bytes, &header) || (segment->header.number && segment->header.number != header.number) ||
                   (header.packed && sk_packed_open(bytes, &packed));
    if (another || (halfway && header.packed)) {
        (void)munmap((void *)(uintptr_t)bytes.data, bytes.len);
        return another;
    }
    unmap(segment);
    segment->bytes = bytes;
    segment->header = header;
    segment->packed = packed;
    return 0;
}

int segment_map(struct segment *segment, int fd, bool halfway)
{
    struct stat info = {0};
    int r = fstat(fd, &info) ? -errno : S_ISREG(info.st_mode) && info.st_size > 0 ? 0 : -EINVAL;
    /* Shared: what is written from now on is seen, too. */
    void *at = r ? MAP_FAILED : mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    r = r ? r : at == MAP_FAILED ? -errno : 0;
    (void)close(fd);
    return r ? r : take_map(segment, sk_slice(at, (size_t)info.st_size), halfway);
}

/* For one more. 0 or negative. */
static int make_room(struct segments *segments)
{
    struct segment *more = reallocarray(segments->all, segments->count + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    segments->all = more;
    return 0;
}

int segments_add(struct segments *segments, uint64_t file, int fd)
{
    struct segment segment = {.header = {.number = file}, .opened = segments->opened};
    int r = segment_map(&segment, fd, false);
    r = r ? r : make_room(segments);
    segment.live = r ? NULL : live_new(file);
    r = r ? r : segment.live ? 0 : -ENOMEM;
    if (r) {
        segment_free(&segment);
        return r;
    }
    segments->all[segments->count++] = segment;
    return 0;
}

void segment_take_stored(struct segments *segments, struct segment *segment, const uint8_t hash[SK_FRAME_HASH])
{
    struct stored *stored;
    if (stored_open(&segments->shelf, &segment->header, &stored)) {
        return; /* it is made anew */
    }
    if (memcmp(stored_hash(stored), hash, SK_FRAME_HASH) != 0) {
        (void)stored_free(stored);
        return;
    }
    segment->stored = stored;
    segment->live = live_free(segment->live);
    free(segment->seals);
    segment->seals = NULL;
    segment->seals_count = 0;
}

int segment_store(const struct segments *segments, const struct segment *segment, const uint8_t hash[SK_FRAME_HASH], int ready, struct storing **storing)
{
    struct storing_of of = {.seals = segment->seals, .seals_count = segment->seals_count};
    memcpy(of.node, segment->header.node, SK_ID_SIZE);
    memcpy(of.epoch, segment->header.epoch, SK_ID_SIZE);
    memcpy(of.hash, hash, SK_FRAME_HASH);
    return storing_begin(&segments->shelf, segment->live, &of, ready, storing);
}

/* ---- records ---- */

static int note_seal(struct segment *segment, const struct sk_journal_read *read)
{
    const struct stored_seal *last = segment->seals_count ? &segment->seals[segment->seals_count - 1] : NULL;
    if (last && last->day == read->group->day && memcmp(last->run, read->group->run, SK_ID_SIZE) == 0) {
        return 0;
    }
    struct stored_seal *more = reallocarray(segment->seals, segment->seals_count + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    segment->seals = more;
    more[segment->seals_count] = (struct stored_seal){.at = read->at, .group = read->group->number, .day = read->group->day};
    memcpy(more[segment->seals_count++].run, read->group->run, SK_ID_SIZE);
    return 0;
}

static int leaf_written(const struct segment *segment, const struct part *part, uint32_t row, uint8_t leaf[SK_TREE_HASH])
{
    uint64_t place;
    int r = part->kind->place(part, row, &place);
    struct sk_slice at = r ? SK_SLICE_NULL : sk_slice_cut(sk_slice_from(segment->bytes, place + SK_FRAME_RECORD_HEADER), SK_TREE_HASH);
    if (r || at.len != SK_TREE_HASH) {
        return r ? r : 1;
    }
    memcpy(leaf, at.data, SK_TREE_HASH);
    return 0;
}

int segment_unpack(const struct segment *segment, const struct sk_keys *keys, uint32_t n)
{
    struct opened *opened = segment->opened;
    const struct sk_packed_chunk chunk = sk_packed_chunk(&segment->packed, n);
    struct sk_sealer *sealer = NULL;
    if (opened->file == segment->header.number && opened->chunk == n && opened->unpacked.count) {
        return 0;
    }
    opened->file = segment->header.number;
    opened->chunk = n;
    opened->unpacked.count = 0;
    int r = chunk.len ? sk_packed_sealer(&segment->packed.header, keys, chunk.tenant, &sealer) : 1;
    r = r ? r : sk_unpacked_open(&opened->unpacked, sealer, &segment->packed, n);
    (void)sk_sealer_free(sealer);
    return r == 1 && sk_keys_lost(keys, chunk.tenant, segment->packed.header.day, chunk.group) ? 2 : r;
}

/* The CBOR of that number's record in a packed file, until another chunk is opened. 0; 1; 2; negative. */
static int unpack(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint64_t seq, struct sk_slice *cbor)
{
    uint32_t n = sk_packed_find(&segment->packed, tenant, seq);
    uint64_t i = n == segment->packed.header.count ? 0 : seq - sk_packed_chunk(&segment->packed, n).seq;
    int r = n == segment->packed.header.count ? 1 : sk_keys_gone(keys, tenant, segment->packed.header.day) ? 2 : segment_unpack(segment, keys, n);
    r = r == 0 && i >= segment->opened->unpacked.count ? 1 : r;
    *cbor = r ? SK_SLICE_NULL : sk_unpacked_record(&segment->opened->unpacked, (uint32_t)i);
    return r;
}

static const uint8_t no_run[SK_ID_SIZE]; /* a salt is the same in all */

static int leaf_packed(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint64_t seq, uint8_t leaf[SK_TREE_HASH])
{
    struct sk_sealing sealing = {.sealer = NULL};
    struct sk_slice cbor;
    uint8_t salt[SK_BLOCK];
    int r = unpack(segment, keys, tenant, seq, &cbor);
    r = r ? r : sk_sealing_set(&sealing, keys, tenant, segment->packed.header.day, no_run);
    r = r ? r : sk_sealing_salt(&sealing, seq, salt);
    if (r == 0) {
        sk_tree_leaf(sk_slice(salt, sizeof(salt)), cbor, leaf);
    }
    sk_sealing_free(&sealing);
    return r < 0 ? r : r != 0;
}

int segment_leaf(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        uint8_t leaf[SK_TREE_HASH])
{
    return segment->header.packed ? leaf_packed(segment, keys, tenant, part->seq + row, leaf) : leaf_written(segment, part, row, leaf);
}

int segment_subtree(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE], uint64_t from, uint64_t end, unsigned *level, uint8_t root[SK_TREE_HASH])
{
    uint32_t n = segment->header.packed ? sk_packed_find(&segment->packed, tenant, from) : UINT32_MAX;
    if (!segment->header.packed || n == segment->packed.header.count) {
        return 1;
    }
    const struct sk_packed_chunk chunk = sk_packed_chunk(&segment->packed, n);
    struct sk_slice roots = sk_packed_roots_of(&segment->packed, &chunk);
    uint64_t at = chunk.seq, last = chunk.seq + chunk.count;
    for (; at < from && at < last; roots = sk_slice_from(roots, SK_TREE_HASH)) {
        at += UINT64_C(1) << sk_tree_subtree(at, last);
    }
    *level = at == from && at < last ? sk_tree_subtree(at, last) : 0;
    if (at != from || roots.len < SK_TREE_HASH || end - at < UINT64_C(1) << *level) {
        return 1;
    }
    memcpy(root, roots.data, SK_TREE_HASH);
    return 0;
}

/* The chunks that it is of say it. */
static int tile_packed(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE], struct sk_tree *tile, uint64_t from)
{
    while (tile->size < PART_TILE) {
        uint32_t n = sk_packed_find(&segment->packed, tenant, from + tile->size);
        if (n == segment->packed.header.count) {
            return 1;
        }
        struct sk_packed_chunk chunk = sk_packed_chunk(&segment->packed, n);
        chunk.seq -= from; /* it begins the tile, or is behind its beginning */
        sk_packed_append(&segment->packed, &chunk, tile);
    }
    return 0;
}

/* Its last record was added: if all are in this file, so is its root. */
static int add_tile(const struct segment *segment, const struct sk_journal_read *read)
{
    struct part part;
    struct sk_tree tile = {.size = 0};
    uint8_t leaf[SK_TREE_HASH];
    uint64_t from = read->frame->seq + 1 - PART_TILE;
    if (!live_part(segment->live, read->frame->tenant, &part) || part.seq > from) {
        return 0;
    }
    int r = segment->header.packed ? tile_packed(segment, read->frame->tenant, &tile, from) : 0;
    for (uint32_t row = (uint32_t)(from - part.seq); !segment->header.packed && r == 0 && row < part.rows; row++) {
        r = leaf_written(segment, &part, row, leaf);
        sk_tree_append(&tile, leaf);
    }
    return r ? r : live_add_tile(segment->live, read->frame->tenant, tile.peaks[0]);
}

int segment_add(struct segment *segment, const struct sk_journal_read *read)
{
    if (segment->stored) {
        return 0; /* it is read again for what stands behind it */
    }
    int r = note_seal(segment, read);
    r = r ? r : live_add(segment->live, read);
    return r || (read->frame->seq + 1) % PART_TILE ? r : add_tile(segment, read);
}

bool segment_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE], struct part *part)
{
    return segment->stored ? stored_part(segment->stored, tenant, part) : live_part(segment->live, tenant, part);
}

bool segment_known(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct part *part)
{
    uint64_t time;
    if (!segment_part(segment, tenant, part) || sk_keys_gone(keys, tenant, part->day)) {
        return false;
    }
    return !sk_keys_lost(keys, tenant, part->day, 0) || part->kind->time(part, 0, &time) != 1; /* else it is of the key that was erased */
}

static const struct stored_seal *seal_at(const struct segment *segment, uint64_t place)
{
    size_t i = segment->seals_count;
    if (segment->stored) {
        return stored_seal(segment->stored, place);
    }
    while (i && segment->seals[i - 1].at > place) {
        i--;
    }
    return i ? &segment->seals[i - 1] : NULL;
}

static int open_packed(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint64_t seq, struct sk_sealing *sealing,
        uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len)
{
    struct sk_slice packed;
    int r = unpack(segment, keys, tenant, seq, &packed);
    r = r ? r : sk_sealing_set(sealing, keys, tenant, segment->packed.header.day, no_run); /* who is given the record may want its salt */
    if (r == 0 && packed.data) {
        memcpy(cbor, packed.data, packed.len);
        *len = packed.len;
    }
    return r;
}

static int open_written(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        struct sk_sealing *sealing, uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len)
{
    struct sk_frame_record frame;
    struct sk_slice sealed;
    uint64_t place;
    int r = part->kind->place(part, row, &place);
    const struct stored_seal *seal = r ? NULL : seal_at(segment, place);
    if (r || !seal) {
        return r ? r : 1;
    }
    struct sk_slice rest = sk_slice_from(segment->bytes, place);
    if (sk_frame_next_record(&rest, &frame, &sealed) || memcmp(frame.tenant, tenant, SK_ID_SIZE) != 0 || frame.seq != part->seq + row) {
        return 1;
    }
    if (sk_keys_gone(keys, tenant, seal->day)) {
        return 2; /* whatever `sealing` was made of before */
    }
    r = sk_sealing_set(sealing, keys, tenant, seal->day, seal->run);
    r = r ? r : sk_sealing_open(sealing, &frame, sealed, cbor, len);
    return r == 1 && sk_keys_lost(keys, tenant, seal->day, seal->group) ? 2 : r;
}

int segment_open(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        struct sk_sealing *sealing, uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len, struct sk_audit_record *record)
{
    int r = segment->header.packed ? open_packed(segment, keys, tenant, part->seq + row, sealing, cbor, len)
                                   : open_written(segment, keys, tenant, part, row, sealing, cbor, len);
    return r ? r : sk_record_decode(sk_slice(cbor, *len), record);
}
