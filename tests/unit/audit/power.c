/*
 * gateway/audit/writer.c when the power goes: every call to the disk is noted, and for each moment the folder
 * is built again as the disk may then hold it. Of a write that had not returned, or failed, any blocks may be
 * there or not.
 */
#include "trail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS 2000
#define FILES 64

enum what { CREATE, WRITE, WRITTEN, WRITE_FAILED, RENAME, TOLD };

static struct event {
    enum what what;
    int file; /* an index of its own for each creation */
    off_t at;
    size_t len;
    char *bytes;
    char name[40];
    uint32_t told; /* records up to this one were acknowledged */
} events[EVENTS];

static size_t events_count;
static int files_count;
static ino_t inodes[FILES];
static long writes_until_failure, creates_until_failure;

static struct event *note(enum what what, int fd)
{
    cr_assert_lt(events_count, EVENTS);
    struct event *event = &events[events_count++];
    *event = (struct event){.what = what, .file = -1};
    if (fd >= 0) {
        struct stat info;
        cr_assert_eq(fstat(fd, &info), 0);
        for (int i = files_count - 1; i >= 0 && event->file < 0; i--) {
            event->file = inodes[i] == info.st_ino ? i : -1;
        }
        if (event->file < 0) { /* `head` or `keys`: the writer makes it itself */
            char link[40], path[200] = "";
            (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
            cr_assert_gt(readlink(link, path, sizeof(path) - 1), 0);
            cr_assert_lt(files_count, FILES);
            inodes[files_count] = info.st_ino;
            *event = (struct event){.what = CREATE, .file = files_count++};
            (void)snprintf(event->name, sizeof(event->name), "%s", strrchr(path, '/') + 1);
            return note(what, fd);
        }
    }
    return event;
}

static int noting_create(int folder, const char *name, size_t size)
{
    if (creates_until_failure-- == 0) {
        return -ENOSPC;
    }
    int fd = trail_quick.create(folder, name, size);
    struct stat info;
    cr_assert(fd >= 0 && fstat(fd, &info) == 0 && files_count < FILES);
    inodes[files_count++] = info.st_ino;
    struct event *event = note(CREATE, fd);
    event->len = size;
    (void)snprintf(event->name, sizeof(event->name), "%s", name);
    return fd;
}

static int noting_write(int fd, struct sk_slice bytes, off_t at)
{
    struct event *event = note(WRITE, fd);
    event->at = at;
    event->len = bytes.len;
    event->bytes = malloc(bytes.len);
    cr_assert_neq(event->bytes, NULL);
    memcpy(event->bytes, bytes.data, bytes.len);
    int r = trail_quick.write(fd, bytes, at);
    bool fails = writes_until_failure-- == 0;
    (void)note(fails ? WRITE_FAILED : WRITTEN, fd);
    return fails ? -EIO : r;
}

static int noting_rename(int folder, const char *from, const char *to)
{
    struct stat info;
    int fd = openat(folder, from, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &info) == 0);
    struct event *event = note(RENAME, fd);
    (void)snprintf(event->name, sizeof(event->name), "%s", to);
    (void)close(fd);
    return trail_quick.rename(folder, from, to);
}

static const struct sk_disk noting = {noting_create, noting_write, noting_rename};

/* ---- what the disk may hold ---- */

static uint64_t chance = 88172645463325252U;

static uint64_t next_chance(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

/* Which sectors in doubt are there: whole blocks by a bit each, a prefix, all but a prefix, or by chance. */
enum { BY_BLOCK, PREFIX, SUFFIX, BY_CHANCE };
struct choice {
    int kind;
    uint64_t value;
};

static bool there(const struct choice *choice, size_t sector)
{
    switch (choice->kind) {
    case BY_BLOCK:
        return choice->value >> (sector / 8 % 64) & 1;
    case PREFIX:
        return sector < choice->value;
    case SUFFIX:
        return sector >= choice->value;
    default:
        return next_chance() & 1;
    }
}

/* Is write `i` sure to be on disk at the moment `end`? Its return makes it so, unless it failed. */
static bool is_durable(size_t i, size_t end)
{
    for (size_t j = i + 1; j < end; j++) {
        if (events[j].file == events[i].file && (events[j].what == WRITTEN || events[j].what == WRITE_FAILED)) {
            return events[j].what == WRITTEN;
        }
    }
    return false;
}

static const char *name_of(int file, size_t end, bool *named)
{
    const char *name = NULL;
    for (size_t i = 0; i < end; i++) {
        if (events[i].file == file && (events[i].what == RENAME || events[i].what == CREATE)) {
            name = events[i].name;
            *named = events[i].what == RENAME || strcmp(name, SK_KEYS_FILE) == 0;
        }
    }
    return name;
}

/* Builds the file as of the first `end` events. Returns how many sectors were in doubt. */
static size_t build(struct trail *t, int file, size_t end, const struct choice *choice)
{
    static char bytes[4 * TRAIL_FILE];
    size_t len = 0, doubt = 0;
    bool named = false;
    const char *name = name_of(file, end, &named);
    if (!name) {
        return 0;
    }
    for (size_t i = 0; i < end; i++) {
        const struct event *e = &events[i];
        if (e->file != file || (e->what != CREATE && e->what != WRITE)) {
            continue;
        }
        if (e->what == CREATE) {
            len = e->len;
            memset(bytes, 0, sizeof(bytes));
            continue;
        }
        cr_assert_leq((size_t)e->at + e->len, sizeof(bytes));
        bool sure = is_durable(i, end);
        for (size_t at = 0; at < e->len; at += 512) {
            size_t part = e->len - at < 512 ? e->len - at : 512;
            if (sure || there(choice, doubt)) {
                memcpy(bytes + e->at + at, e->bytes + at, part);
            }
            doubt += !sure;
        }
        len = len > (size_t)e->at + e->len ? len : (size_t)e->at + e->len;
    }
    int fd = openat(t->set.folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
    return named ? doubt : 0;
}

static size_t try_one(const struct trail *before, size_t end, const struct choice *choice)
{
    static struct trail t;
    size_t doubt = 0;
    uint32_t told = 0;
    trail_init(&t, &trail_quick, before->set.file_size);
    for (int file = 0; file < files_count; file++) {
        doubt += build(&t, file, end, choice);
    }
    for (size_t i = 0; i < end; i++) {
        told = events[i].what == TOLD ? events[i].told : told;
    }
    t.count = before->count;
    for (uint32_t i = 1; i <= told; i++) {
        t.acked[i] = true;
    }
    memcpy(t.intent, before->intent, sizeof(t.intent));
    memcpy(t.outcome, before->outcome, sizeof(t.outcome));
    cr_assert_eq(trail_open(&t), 0, "after event %zu of %zu, choice %d %lx: %s, offset %lu: %s", end,
            events_count, choice->kind, (unsigned long)choice->value, t.found.file,
            (unsigned long)t.found.error.offset, t.found.error.text);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check_closed(&t, "after event", (long)end);
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0, "after event %zu, the second start: %s", end, t.found.error.text);
    cr_assert_eq(t.found.torn + t.found.unknown, 0);
    trail_free(&t);
    return doubt;
}

static size_t try_all(const struct trail *t)
{
    size_t tried = 0;
    for (size_t end = 1; end <= events_count; end++) {
        size_t doubt = try_one(t, end, &(struct choice){PREFIX, 0});
        tried++;
        if (doubt == 0) {
            continue;
        }
        size_t blocks = (doubt + 7) / 8;
        for (uint64_t bits = 1; blocks <= 5 && bits < UINT64_C(1) << blocks; bits++, tried++) {
            (void)try_one(t, end, &(struct choice){BY_BLOCK, bits});
        }
        size_t step = doubt / 12 + 1;
        for (size_t cut = 1; cut <= doubt; cut += step, tried += 2) {
            (void)try_one(t, end, &(struct choice){PREFIX, cut});
            (void)try_one(t, end, &(struct choice){SUFFIX, cut});
        }
        for (int i = 0; i < 6; i++, tried++) {
            (void)try_one(t, end, &(struct choice){BY_CHANCE, 0});
        }
    }
    return tried;
}

/* ---- what is recorded ---- */

static void begin(struct trail *t)
{
    events_count = 0;
    files_count = 0;
    writes_until_failure = creates_until_failure = INT32_MAX;
    trail_init(t, &noting, TRAIL_FILE);
}

static void end(struct trail *t)
{
    for (size_t i = 0; i < events_count; i++) {
        free(events[i].bytes);
    }
    trail_free(t);
}

static int commit(struct trail *t)
{
    int r = trail_commit(t);
    if (r == 0) {
        note(TOLD, -1)->told = t->count;
    }
    return r;
}

static void rounds(struct trail *t, int count, int records)
{
    uint32_t intent = 0;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < records; j++) {
            cr_assert_eq(trail_add_long(t, 450), 0);
        }
        if (i % 2 == 0) {
            cr_assert_eq(trail_add(t, SK_AUDIT_STAGE_INTENT, 0), 0);
            intent = t->count;
        } else if (i % 4 == 1) {
            cr_assert_eq(trail_add(t, SK_AUDIT_STAGE_OUTCOME, intent), 0);
        }
        (void)commit(t);
        trail_spare(t);
    }
}

static void again(struct trail *t)
{
    trail_kill(t);
    int r = trail_open(t);
    r = r == -EIO ? trail_open(t) : r; /* the one write that fails may be this one's */
    cr_assert_eq(r, 0, "%s", t->found.error.text);
    (void)commit(t);
}

Test(audit_power, at_any_moment_what_was_acknowledged_is_there, .timeout = 280)
{
    static struct trail t;
    begin(&t);
    cr_assert_eq(trail_open(&t), 0);
    rounds(&t, 8, 10);
    again(&t);
    rounds(&t, 3, 2);
    size_t tried = try_all(&t);
    cr_assert_gt(tried, 300);
    cr_assert_geq(trail_last(&t), 3);
    end(&t);
}

Test(audit_power, after_a_write_that_failed_too, .timeout = 280)
{
    for (long n = 2; n < 9; n += 2) {
        static struct trail t;
        begin(&t);
        cr_assert_eq(trail_open(&t), 0);
        writes_until_failure = n;
        rounds(&t, 7, 10);
        again(&t);
        rounds(&t, 1, 2);
        (void)try_all(&t);
        end(&t);
    }
}

/*
 * A write fails, no other file can be had, and the program ends. The next start sees the group in the page
 * cache, but the disk may not hold it: before the program goes on from it, it must be written again.
 */
Test(audit_power, a_group_whose_write_failed_before_a_start_is_not_built_upon, .timeout = 280)
{
    static struct trail t;
    begin(&t);
    cr_assert_eq(trail_open(&t), 0);
    rounds(&t, 2, 1);
    writes_until_failure = 0;
    creates_until_failure = 0;
    cr_assert_eq(trail_add_long(&t, 450), 0);
    cr_assert_lt(commit(&t), 0);
    again(&t);
    rounds(&t, 1, 1);
    (void)try_all(&t);
    end(&t);
}

/* The same for a key: what is sealed with one that is in the page cache alone could not be read after the power went. */
Test(audit_power, a_key_whose_write_failed_before_a_start_is_not_sealed_with_before_it_is_written_again, .timeout = 280)
{
    static struct trail t;
    begin(&t);
    cr_assert_eq(trail_open(&t), 0);
    writes_until_failure = 0;
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_lt(commit(&t), 0);
    t.count = 0; /* nobody was told of it */
    again(&t);
    rounds(&t, 1, 1);
    (void)try_all(&t);
    end(&t);
}
