/* Following a journal under test. Tests alone. */
#include "level.h"

#include "ipc/serving.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

bool level_packs;
static uint64_t packed[64];
static size_t packed_count; /* since they were told */

struct follow_goal level_goal(const struct trail *t)
{
    struct sk_writer_place place = sk_writer_place(t->writer);
    struct follow_goal goal = {.first = place.first, .last = place.last, .end = place.end};
    for (uint64_t file = place.first; level_packs && file < place.last; file++) {
        int r = trail_pack(t, file);
        cr_assert_geq(r, 0);
        if (r == 0 && packed_count < SK_COUNT(packed)) {
            packed[packed_count++] = file;
        }
    }
    return goal;
}

int level_open(const struct trail *t, uint64_t file)
{
    char name[40] = SK_KEYS_FILE;
    if (file != SK_SERVING_KEYS) {
        sk_journal_file_name(file, name);
    }
    int fd = openat(t->set.folder, name, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", name);
    return fd;
}

int level_find(const struct follow *f, const struct sk_keys *keys, const struct question *question, find_each each, void *context)
{
    struct sk_sealing sealing = {.day = 0};
    bool enough = false;
    int r = 0;
    for (size_t i = f->segments.count; r == 0 && !enough && i--;) {
        r = find_in(&f->segments.all[i], keys, question, &sealing, each, context, &enough);
    }
    sk_sealing_free(&sealing);
    return r;
}

int level_count(const struct follow *f, const struct question *question, uint64_t step, struct find_count *counts)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < f->segments.count; i++) {
        r = find_counts_in(&f->segments.all[i], f->keys, question, step, counts);
    }
    return r;
}

enum follow_step level(const struct trail *t, struct follow *f, const struct follow_goal *goal)
{
    uint64_t needed[2] = {UINT64_MAX, UINT64_MAX};
    while (packed_count) {
        follow_anew(f, packed[--packed_count]);
    }
    for (int steps = 0; steps < 100000; steps++) {
        enum follow_step step = follow_step(f, goal);
        if (step == FOLLOW_NEED) {
            cr_assert(f->need != needed[0] || f->need != needed[1], "file %lu is asked for again", (unsigned long)f->need);
            needed[0] = needed[1];
            needed[1] = f->need;
            cr_assert_eq(follow_bring(f, f->need, level_open(t, f->need)), 0);
        } else if (step != FOLLOW_MORE) {
            return step;
        }
    }
    cr_assert_fail("it goes on for ever");
    return FOLLOW_BROKEN;
}

const struct part *level_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE])
{
    static struct part parts[4];
    static unsigned next;
    struct part *part = &parts[next++ % SK_COUNT(parts)];
    return segment_part(segment, tenant, part) ? part : NULL;
}

void level_begin(const struct trail *t, struct follow *f, const uint8_t secret[SK_KEYS_SECRET], bool stored)
{
    int folder = -1;
    if (stored) {
        cr_assert(mkdirat(t->set.folder, "index", 0700) == 0 || errno == EEXIST);
        folder = openat(t->set.folder, "index", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        cr_assert_geq(folder, 0);
    }
    cr_assert_eq(follow_init(f, secret, folder), 0);
}

void level_store(struct follow *f)
{
    for (follow_store(f); f->storing; follow_store(f)) {
        cr_assert_eq(follow_stored(f), 0);
    }
}

void level_with(const struct trail *t, struct follow *f)
{
    struct follow_goal goal = level_goal(t);
    cr_assert_eq(level(t, f, &goal), FOLLOW_LEVEL, "%s at %lu", f->error.text, (unsigned long)f->error.offset);
    cr_assert_eq(f->state.file, goal.last);
    cr_assert_eq(f->at, goal.end);
}
