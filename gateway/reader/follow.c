/* Following the journal. Runs in the reader. */
#include "reader/follow.h"

#include "base/clock.h"
#include "ipc/serving.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((uint64_t)4 << 20)
#define STORE_AGAIN (60 * SK_SECOND)
#define UNSTORED_MOST 3U /* files whose index waits to be written, before reading waits for it */
#define KEYS_MOST ((uint64_t)1 << 30)

int follow_init(struct follow *f, const uint8_t secret[SK_KEYS_SECRET], int folder)
{
    *f = (struct follow){.state = SK_JOURNAL_STATE_INIT, .keys_fd = -1, .ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    memcpy(f->secret, secret, SK_KEYS_SECRET);
    int r = f->ready < 0 ? -errno : 0;
    int room = segments_init(&f->segments, secret, folder);
    return r ? r : room;
}

void follow_free(struct follow *f)
{
    (void)(f->storing && storing_end(f->storing));
    sk_journal_state_free(&f->state);
    segments_free(&f->segments);
    f->keys = sk_keys_free(f->keys);
    if (f->keys_fd >= 0) {
        (void)close(f->keys_fd);
    }
    if (f->ready >= 0) {
        (void)close(f->ready);
    }
    sk_wipe(f->secret, sizeof(f->secret));
}

/* A file that it has. One that is being read is read to its end as it was: where that stands would be nowhere in a packed one. */
static int bring_again(struct follow *f, size_t i, int fd)
{
    const bool halfway = i == f->reading && f->at;
    f->mapped_again = f->mapped_again || (i == f->reading && i + 1 < f->segments.count);
    f->segments.all[i].anew = f->segments.all[i].anew && halfway;
    int r = segment_map(&f->segments.all[i], fd, halfway);
    return r > 0 ? -EINVAL : r;
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
    for (size_t i = 0; i < f->segments.count; i++) {
        if (f->segments.all[i].header.number == file) {
            return bring_again(f, i, fd);
        }
    }
    int r = segments_add(&f->segments, file, fd);
    return r > 0 ? -EINVAL : r;
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

/* What was derived from keys that are no more. */
static void forget(struct follow *f)
{
    segments_forget(&f->segments, f->storing ? f->stores : SIZE_MAX);
    for (struct sk_table_node *n = sk_table_walk(&f->state.tenants, NULL); n; n = sk_table_walk(&f->state.tenants, n)) {
        sk_sealing_free(&SK_CONTAINER(n, struct sk_journal_tenant, node)->sealing);
    }
}

/*
 * Slots are only added, and a record's keys are there before it is: they are all there when the file has not grown. But for those that are erased, which
 * audit says.
 */
static int renew_keys(struct follow *f, uint64_t erased)
{
    struct stat info = {0};
    if (fstat(f->keys_fd, &info) || (uint64_t)info.st_size > KEYS_MOST) {
        (void)snprintf(f->error.text, sizeof(f->error.text), "the keys: %s", strerror(EIO));
        return -EIO;
    }
    uint64_t size = (uint64_t)info.st_size - (uint64_t)info.st_size % SK_KEYS_SLOT;
    if (f->keys && size == f->keys_size && erased == f->erased) {
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
    f->state.keys = f->segments.shelf.keys = keys;
    f->keys_size = size;
    if (erased != f->erased) {
        forget(f);
    }
    f->erased = erased;
    return 0;
}

static void on_record(void *context, const struct sk_journal_read *read)
{
    struct follow *f = context;
    f->failed = f->failed || segment_add(&f->segments.all[f->reading], read) != 0;
}

/* The hash of the last group that counts in this file, which is not the newest. */
static const uint8_t *last_hash(const struct follow *f, size_t i)
{
    return f->segments.all[i + 1].header.previous;
}

/* All files are there: stored indexes are used as far as they go, and reading begins where the first is missing. */
static void begin(struct follow *f)
{
    size_t i = 0;
    if (f->segments.shelf.folder >= 0) {
        stored_sweep(&f->segments.shelf, f->segments.all[0].header.number);
    }
    while (i + 1 < f->segments.count) {
        segment_take_stored(&f->segments, &f->segments.all[i], last_hash(f, i));
        if (!f->segments.all[i].stored) {
            break;
        }
        i++;
    }
    while (i && !sk_journal_begins(f->segments.all[i].bytes, NULL, NULL)) {
        i--; /* it goes on from the one before without saying where all stands */
    }
    f->reading = i;
    f->begun = true;
}

/* ---- indexes are written ---- */

static bool is_to_store(const struct follow *f, size_t i)
{
    const struct segment *segment = &f->segments.all[i];
    return segment->live && !segment->stored && !segment->unfit;
}

/* Files that are read to their end and whose index is in memory alone. */
static size_t unstored(const struct follow *f)
{
    size_t count = 0;
    for (size_t i = f->reading; i--;) {
        count += is_to_store(f, i);
    }
    return count;
}

void follow_store(struct follow *f)
{
    size_t i = 0;
    if (f->storing || f->segments.shelf.folder < 0 || sk_clock_boot() < f->store_at) {
        return;
    }
    while (i < f->reading && !is_to_store(f, i)) {
        i++;
    }
    if (i == f->reading) {
        return;
    }
    int r = segment_store(&f->segments, &f->segments.all[i], last_hash(f, i), f->ready, &f->storing);
    f->segments.all[i].unfit = r == 1;
    f->stores = i;
    f->store_at = r < 0 ? sk_clock_boot() + STORE_AGAIN : f->store_at;
}

int follow_stored(struct follow *f)
{
    int r = storing_end(f->storing);
    f->storing = NULL;
    if (r) {
        segments_forget(&f->segments, SIZE_MAX); /* of this one, too, what was erased meanwhile */
    }
    f->store_at = r ? sk_clock_boot() + STORE_AGAIN : f->store_at;
    if (r == 0) {
        segment_take_stored(&f->segments, &f->segments.all[f->stores], last_hash(f, f->stores));
        r = f->segments.all[f->stores].stored ? 0 : -EIO;
        f->store_at = r ? sk_clock_boot() + STORE_AGAIN : f->store_at;
    }
    return r;
}

/* ---- reading ---- */

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
        f->mapped_again = false;
        return FOLLOW_MORE;
    }
    if (f->at < end) {
        return FOLLOW_MORE;
    }
    return until ? broken(f, "the next file goes on from a group that is missing here") : FOLLOW_LEVEL;
}

size_t follow_drop(struct follow *f, const struct follow_goal *goal)
{
    size_t dropped = 0;
    while (!f->storing && f->begun && f->reading && f->segments.all[0].header.number < goal->first) {
        segments_drop_first(&f->segments);
        f->reading--;
        dropped++;
    }
    return dropped;
}

void follow_anew(struct follow *f, uint64_t file)
{
    for (size_t i = 0; i < f->segments.count; i++) {
        f->segments.all[i].anew |= f->segments.all[i].header.number == file;
    }
}

/* A file that was read, and written anew since. SIZE_MAX: none. */
static size_t find_anew(const struct follow *f)
{
    size_t i = 0;
    while (i < f->reading && !f->segments.all[i].anew) {
        i++;
    }
    return f->begun && i < f->reading ? i : SIZE_MAX;
}

enum follow_step follow_step(struct follow *f, const struct follow_goal *goal)
{
    if (f->keys_fd < 0) {
        return need(f, SK_SERVING_KEYS);
    }
    if (renew_keys(f, goal->erased)) {
        return FOLLOW_BROKEN;
    }
    if (f->segments.count == 0) {
        return need(f, goal->first);
    }
    uint64_t newest = f->segments.all[f->segments.count - 1].header.number;
    if (newest + 1 < goal->first) {
        return broken(f, "files were erased before they were read");
    }
    if (newest < goal->last) {
        return need(f, newest + 1);
    }
    if (!f->begun) {
        begin(f);
    }
    size_t anew = find_anew(f);
    if (anew != SIZE_MAX) {
        return need(f, f->segments.all[anew].header.number);
    }
    if (f->segments.shelf.folder >= 0 && unstored(f) > UNSTORED_MOST) {
        return FOLLOW_WAIT;
    }
    const struct segment *segment = &f->segments.all[f->reading];
    if (f->reading + 1 < f->segments.count && !f->mapped_again) {
        return need(f, segment->header.number); /* it may have grown since it was opened, and grows no more */
    }
    if (f->reading + 1 < f->segments.count) {
        return read_on(f, segment->bytes.len, last_hash(f, f->reading));
    }
    if (newest > goal->last || f->at > goal->end) {
        return broken(f, "the journal is behind what was read of it");
    }
    return goal->end > segment->bytes.len ? need(f, newest) : read_on(f, goal->end, NULL);
}
