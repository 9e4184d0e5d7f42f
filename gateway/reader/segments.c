/* Mapped files and their indexes. Runs in the reader. */
#include "reader/segments.h"

#include "journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
    free(segment->seals);
}

void segments_free(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        segment_free(&segments->all[i]);
    }
    free(segments->all);
    *segments = (struct segments){NULL, 0};
}

int segment_map(struct segment *segment, int fd)
{
    struct stat info = {0};
    int r = fstat(fd, &info) ? -errno : S_ISREG(info.st_mode) && info.st_size > 0 ? 0 : -EINVAL;
    /* Shared: what is written from now on is seen, too. */
    void *at = r ? MAP_FAILED : mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    r = r ? r : at == MAP_FAILED ? -errno : 0;
    (void)close(fd);
    if (r == 0) {
        unmap(segment);
        segment->bytes = sk_slice(at, (size_t)info.st_size);
    }
    return r;
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

struct segment *segments_add(struct segments *segments, uint64_t file, int fd)
{
    struct segment segment = {.file = file};
    int r = segment_map(&segment, fd);
    r = r ? r : make_room(segments);
    segment.live = r ? NULL : live_new(file);
    r = r ? r : segment.live ? 0 : -ENOMEM;
    if (r) {
        segment_free(&segment);
        errno = -r;
        return NULL;
    }
    segments->all[segments->count] = segment;
    return &segments->all[segments->count++];
}

/* ---- records ---- */

static int note_seal(struct segment *segment, const struct sk_journal_read *read)
{
    const struct seal *last = segment->seals_count ? &segment->seals[segment->seals_count - 1] : NULL;
    if (last && last->day == read->group->day && memcmp(last->run, read->group->run, SK_ID_SIZE) == 0) {
        return 0;
    }
    struct seal *more = reallocarray(segment->seals, segment->seals_count + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    segment->seals = more;
    more[segment->seals_count] = (struct seal){.at = read->at, .day = read->group->day};
    memcpy(more[segment->seals_count++].run, read->group->run, SK_ID_SIZE);
    return 0;
}

int segment_add(struct segment *segment, const struct sk_journal_read *read)
{
    int r = note_seal(segment, read);
    return r ? r : live_add(segment->live, read);
}

const struct part *segment_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE])
{
    return live_part(segment->live, tenant);
}

static const struct seal *seal_at(const struct segment *segment, uint64_t place)
{
    size_t i = segment->seals_count;
    while (i && segment->seals[i - 1].at > place) {
        i--; /* a file has few: one to each start of its writer */
    }
    return i ? &segment->seals[i - 1] : NULL;
}

int segment_open(const struct segment *segment, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct part *part, uint32_t row,
        struct sk_sealing *sealing, uint8_t cbor[SK_AUDIT_RECORD_MAX], size_t *len, struct sk_audit_record *record)
{
    struct sk_frame_record frame;
    struct sk_slice sealed;
    uint64_t place;
    int r = part->kind->place(part, row, &place);
    const struct seal *seal = r ? NULL : seal_at(segment, place);
    if (r || !seal) {
        return r ? r : 1;
    }
    struct sk_slice rest = sk_slice_from(segment->bytes, place);
    if (sk_frame_next_record(&rest, &frame, &sealed) || memcmp(frame.tenant, tenant, SK_ID_SIZE) != 0 || frame.seq != part->seq + row) {
        return 1;
    }
    r = sk_sealing_set(sealing, keys, tenant, seal->day, seal->run);
    r = r ? r : sk_sealing_open(sealing, &frame, sealed, cbor, len);
    return r ? r : sk_record_decode(sk_slice(cbor, *len), record);
}
