/* Following a journal under test. Tests alone. */
#include "level.h"

#include "ipc/serving.h"

#include <criterion/criterion.h>
#include <fcntl.h>

struct follow_goal level_goal(const struct trail *t)
{
    struct sk_writer_place place = sk_writer_place(t->writer);
    return (struct follow_goal){place.first, place.last, place.end};
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

enum follow_step level(const struct trail *t, struct follow *f, const struct follow_goal *goal)
{
    uint64_t needed = UINT64_MAX;
    for (int steps = 0; steps < 100000; steps++) {
        enum follow_step step = follow_step(f, goal);
        if (step == FOLLOW_NEED) {
            cr_assert_neq(f->need, needed, "file %lu is asked for again", (unsigned long)needed);
            needed = f->need;
            cr_assert_eq(follow_bring(f, needed, level_open(t, needed)), 0);
        } else if (step != FOLLOW_MORE) {
            return step;
        }
    }
    cr_assert_fail("it goes on for ever");
    return FOLLOW_BROKEN;
}

void level_with(const struct trail *t, struct follow *f)
{
    struct follow_goal goal = level_goal(t);
    cr_assert_eq(level(t, f, &goal), FOLLOW_LEVEL, "%s at %lu", f->error.text, (unsigned long)f->error.offset);
    cr_assert_eq(f->state.file, goal.last);
    cr_assert_eq(f->at, goal.end);
}
