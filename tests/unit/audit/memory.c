/* gateway/audit/writer.c and the reader when the n-th allocation fails, for every n. The allocator is
 * wrapped. */
#include "trail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static long countdown = INT32_MAX, more, fired;
static bool armed;

static bool fails(void)
{
    bool now = armed && countdown-- <= 0 && fired <= more;
    fired += now;
    return now;
}

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

static void life(struct trail *t, long n)
{
    int r = -1;
    for (int tries = 0; tries < 2 + more && r; tries++) {
        armed = true;
        r = trail_open(t);
        armed = false;
        cr_assert(r == 0 || r == -ENOMEM, "allocation %ld: opening says %d", n, r);
    }
    cr_assert_eq(r, 0, "allocation %ld: the shortage is over, opening must go", n);
    for (int round = 0; round < 10; round++) {
        armed = true;
        for (int i = 0; i < 7; i++) {
            r = trail_add(t, i % 3 ? SK_AUDIT_STAGE_SINGLE : SK_AUDIT_STAGE_INTENT, 0);
            r = r ? r : trail_add_long(t, 450);
        }
        (void)trail_commit(t);
        armed = false;
        if (round > 5) {
            trail_spare(t);
        }
    }
    for (int tries = 0; tries < 2 + more; tries++) {
        r = trail_commit(t);
    }
    cr_assert_eq(r, 0, "allocation %ld: the shortage is over, a commit must go", n);
    trail_kill(t);
}

static void every_allocation(long others)
{
    long n = 0;
    more = others;
    for (bool did = true; did; n++) {
        static struct trail t;
        trail_init(&t, &trail_quick, TRAIL_FILE);
        countdown = n;
        fired = 0;
        life(&t, n);
        life(&t, n);
        did = fired > 0;
        cr_assert_eq(trail_open(&t), 0, "allocation %ld: %s", n, t.found.error.text);
        cr_assert_eq(trail_commit(&t), 0);
        trail_check_closed(&t, "allocation", n);
        trail_free(&t);
    }
    cr_assert_gt(n, 50);
}

Test(audit_memory, one_allocation_that_fails_loses_nothing, .timeout = 280)
{
    every_allocation(0);
}

Test(audit_memory, a_shortage_for_a_while_loses_nothing, .timeout = 280)
{
    every_allocation(6);
}
