/* Walking through the journal for feeds. Runs in the reader. */
#include "reader/feeding.h"

#include <errno.h>

/* A group that was read, or would have been: a file with a stored index is not read again. */
static int group_at(const struct segment *segment, uint64_t at, struct sk_frame_group *group, struct sk_slice *body)
{
    struct sk_slice rest = sk_slice_from(segment->bytes, at);
    const uint8_t *p = (const uint8_t *)rest.data;
    if (rest.len < SK_FRAME_GROUP_HEADER || sk_frame_get_group(p, group) || group->body > rest.len - SK_FRAME_GROUP_HEADER ||
            !sk_frame_check_group(p, p + SK_FRAME_GROUP_HEADER, group->body)) {
        return 1;
    }
    *body = sk_slice(p + SK_FRAME_GROUP_HEADER, group->body);
    return 0;
}

static int give(struct follow *f, const struct sk_frame_group *group, const struct sk_frame_record *frame, struct sk_slice sealed, feeding_each each, void *context)
{
    struct sk_journal_tenant *tenant = sk_journal_find_tenant(&f->state, frame->tenant);
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    size_t len = 0;
    int r = tenant ? sk_sealing_set(&tenant->sealing, f->keys, frame->tenant, group->day, group->run) : 1;
    r = r ? r : sk_sealing_open(&tenant->sealing, frame, sealed, cbor, &len);
    if (r == 1 && sk_keys_lost(f->keys, frame->tenant, group->day, group->number)) {
        return 0; /* erased */
    }
    if (r == 0) {
        each(context, sk_slice(cbor, len));
    }
    return r;
}

/* Records of one group, from place->skip on. `left`: how many more may be given. */
static int give_group(struct follow *f, const struct sk_frame_group *group, struct sk_slice body, struct feed_place *place, unsigned *left, feeding_each each,
        void *context)
{
    struct sk_frame_record frame;
    struct sk_slice sealed;
    int r = 0;
    uint32_t count = group->kind == SK_FRAME_RECORDS ? group->count : 0;
    for (uint32_t i = 0; r == 0 && i < count && *left; i++) {
        r = sk_frame_next_record(&body, &frame, &sealed);
        if (r == 0 && i >= place->skip) {
            r = give(f, group, &frame, sealed, each, context);
            place->skip++;
            --*left;
        }
    }
    if (r == 0 && place->skip >= count) {
        place->at += sk_frame_group_size(group->body);
        place->skip = 0;
    }
    return r;
}

/*
 * In a packed file a place is a chunk, `at` its number twice and one: no place of the file as it was written. From such a one it begins anew: some
 * records come twice.
 */
static int give_chunk(struct follow *f, const struct segment *segment, struct feed_place *place, unsigned *left, feeding_each each, void *context)
{
    uint32_t n = (uint32_t)(place->at / 2);
    int r = n < segment->packed.header.count ? segment_unpack(segment, f->keys, n) : 2;
    const struct sk_unpacked *unpacked = &segment->opened->unpacked;
    const uint32_t count = r == 0 ? unpacked->count : 0;
    for (; place->skip < count && *left; place->skip++, --*left) {
        each(context, sk_unpacked_record(unpacked, (uint32_t)place->skip));
    }
    if ((r == 0 || r == 2) && place->skip >= count) {
        *place = (struct feed_place){place->file, place->at + 2, 0};
    }
    return r == 2 ? 0 : r;
}

/* The records of one group or chunk, or some of them; `last`: it was the file's last one. */
static int give_some(struct follow *f, size_t i, struct feed_place *place, unsigned *left, bool *last, feeding_each each, void *context)
{
    const struct segment *segment = &f->segments.all[i];
    struct sk_frame_group group;
    struct sk_slice body;
    bool packed = segment->header.packed;
    if (packed != (place->at % 2 != 0)) {
        *place = (struct feed_place){place->file, packed ? 1 : SK_FRAME_BLOCK, 0};
    }
    if (packed) {
        int r = give_chunk(f, segment, place, left, each, context);
        *last = r == 0 && place->at / 2 >= segment->packed.header.count;
        return r;
    }
    int r = group_at(segment, place->at, &group, &body);
    r = r ? r : give_group(f, &group, body, place, left, each, context);
    *last = r == 0 && place->skip == 0 && i < f->reading && memcmp(group.hash, f->segments.all[i + 1].header.previous, SK_FRAME_HASH) == 0;
    return r;
}

/* The file of that number, or SIZE_MAX. */
static size_t find_file(const struct follow *f, uint64_t file)
{
    uint64_t first = f->segments.count ? f->segments.all[0].header.number : 0;
    return first && file >= first && file - first < f->segments.count ? (size_t)(file - first) : SIZE_MAX;
}

int feeding_next(struct follow *f, struct feed_place *place, unsigned most, bool *lost, feeding_each each, void *context)
{
    size_t i = find_file(f, place->file);
    int r = 0;
    if (f->segments.count == 0 || !f->begun) {
        return 0; /* nothing is known yet */
    }
    *lost = place->file && i == SIZE_MAX;
    if (i == SIZE_MAX) {
        i = 0;
        *place = (struct feed_place){f->segments.all[0].header.number, SK_FRAME_BLOCK, 0};
    }
    while (r == 0 && most) {
        bool last = false;
        if (i > f->reading || (i == f->reading && f->segments.all[i].header.packed) || (i == f->reading && place->at >= (f->at ? f->at : SK_FRAME_BLOCK))) {
            break; /* it was not followed further */
        }
        r = give_some(f, i, place, &most, &last, each, context);
        if (last && i + 1 == f->segments.count) {
            break;
        }
        if (last) {
            *place = (struct feed_place){f->segments.all[++i].header.number, SK_FRAME_BLOCK, 0};
        }
    }
    return r;
}
