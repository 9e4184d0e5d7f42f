/* Following the journal. Runs in the reader. */
#include "reader/follow.h"

#include "base/clock.h"
#include "ipc/serving.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((uint64_t)4 << 20)
#define KEYS_MOST ((uint64_t)1 << 30)

void follow_init(struct follow *f, const uint8_t secret[SK_KEYS_SECRET])
{
    *f = (struct follow){.state = SK_JOURNAL_STATE_INIT, .keys_fd = -1};
    memcpy(f->secret, secret, SK_KEYS_SECRET);
}

void follow_free(struct follow *f)
{
    sk_journal_state_free(&f->state);
    segments_free(&f->segments);
    f->keys = sk_keys_free(f->keys);
    if (f->keys_fd >= 0) {
        (void)close(f->keys_fd);
    }
    sk_wipe(f->secret, sizeof(f->secret));
}

int follow_bring(struct follow *f, uint64_t file, int fd)
{
    if (file == SK_SERVING_KEYS) {
        if (f->keys_fd >= 0) {
            (void)close(f->keys_fd);
        }
        f->keys_fd = fd;
        return 0;
    }
    struct segment *newest = f->segments.count ? &f->segments.all[f->segments.count - 1] : NULL;
    if (newest && newest->file == file) {
        return segment_map(newest, fd);
    }
    return segments_add(&f->segments, file, fd) ? 0 : -errno;
}

static enum follow_step broken(struct follow *f, const char *text)
{
    (void)snprintf(f->error.text, sizeof(f->error.text), "%s", text);
    return FOLLOW_BROKEN;
}

static enum follow_step need(struct follow *f, uint64_t file)
{
    f->need = file;
    return FOLLOW_NEED;
}

/* Reads a file whole, as far as it goes now. 0 or negative. */
static int read_whole(int fd, uint64_t size, char *bytes)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(fd, bytes + at, size - at, (off_t)at);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        at += (uint64_t)n;
    }
    return 0;
}

/* Slots are only added, and a record's keys are there before it is: they are all there when the file has not grown. */
static int renew_keys(struct follow *f)
{
    struct stat info = {0};
    if (fstat(f->keys_fd, &info) || (uint64_t)info.st_size > KEYS_MOST) {
        return -EIO;
    }
    uint64_t size = (uint64_t)info.st_size - (uint64_t)info.st_size % SK_KEYS_SLOT;
    if (f->keys && size == f->keys_size) {
        return 0;
    }
    char why[160] = "", *bytes = malloc(size ? size : 1);
    struct sk_keys *keys = NULL;
    int r = bytes ? read_whole(f->keys_fd, size, bytes) : -ENOMEM;
    r = r ? r : sk_keys_new(f->secret, sk_slice(bytes, size), &keys, why);
    free(bytes);
    if (r) {
        (void)snprintf(f->error.text, sizeof(f->error.text), "the keys: %s", why[0] ? why : strerror(-r));
        return r;
    }
    f->keys = sk_keys_free(f->keys);
    f->keys = keys;
    f->state.keys = keys;
    f->keys_size = size;
    return 0;
}

static void on_record(void *context, const struct sk_journal_read *read)
{
    struct follow *f = context;
    f->failed = f->failed || segment_add(&f->segments.all[f->reading], read) != 0;
}

/* The hash of the last group that counts in the file before this one. NULL: it is no journal file. */
static const uint8_t *previous_of(const struct segment *segment, struct sk_frame_file *header)
{
    bool whole = segment->bytes.len >= SK_FRAME_BLOCK && sk_frame_get_file((const uint8_t *)segment->bytes.data, header) == 0;
    return whole ? header->previous : NULL;
}

/* Reads on in the file that is being read, up to `end`, or to the group of that hash. */
static enum follow_step read_on(struct follow *f, uint64_t end, const uint8_t *until)
{
    const struct segment *segment = &f->segments.all[f->reading];
    uint64_t piece = end > STEP && f->at < end - STEP ? f->at + STEP : end;
    int r = sk_journal_read_on(&f->state, segment->bytes, &f->at, piece, until, on_record, f, &f->error);
    if (r) {
        return r < 0 ? broken(f, strerror(-r)) : FOLLOW_BROKEN;
    }
    if (f->failed) {
        return broken(f, strerror(ENOMEM));
    }
    if (until && memcmp(f->state.hash, until, SK_FRAME_HASH) == 0) {
        f->reading++;
        f->at = 0;
        return FOLLOW_MORE;
    }
    if (f->at < end) {
        return FOLLOW_MORE;
    }
    return until ? broken(f, "the next file goes on from a group that is missing here") : FOLLOW_LEVEL;
}

enum follow_step follow_step(struct follow *f, const struct follow_goal *goal)
{
    struct sk_frame_file next;
    if (f->keys_fd < 0) {
        return need(f, SK_SERVING_KEYS);
    }
    if (renew_keys(f)) {
        return FOLLOW_BROKEN;
    }
    if (f->segments.count == 0) {
        return need(f, goal->first);
    }
    const struct segment *segment = &f->segments.all[f->reading];
    if (f->reading + 1 < f->segments.count) {
        const uint8_t *until = previous_of(segment + 1, &next);
        return until ? read_on(f, segment->bytes.len, until) : broken(f, "not a journal file, or its header was changed");
    }
    if (segment->file < goal->last) {
        return need(f, segment->file + 1);
    }
    if (segment->file > goal->last || f->at > goal->end) {
        return broken(f, "the journal is behind what was read of it");
    }
    return goal->end > segment->bytes.len ? need(f, segment->file) : read_on(f, goal->end, NULL);
}
