/* gateway/base/clock.c: clocks that tests can move, randomness that no signal ends, wiping that happens. */
#include "base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int interruptions;
static size_t most_at_once = SIZE_MAX;

/* Stands before libc's: a kernel that is interrupted by a signal and gives less than was asked. */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    if (interruptions > 0) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_getrandom, out, len < most_at_once ? len : most_at_once, flags);
}

Test(base_clock, wall_time_is_utc_nanoseconds)
{
    time_t now = time(NULL);
    uint64_t wall = sk_clock_wall();
    cr_assert_leq((uint64_t)now - 1, wall / SK_SECOND);
    cr_assert_leq(wall / SK_SECOND, (uint64_t)now + 5);
}

Test(base_clock, boot_time_never_goes_back)
{
    uint64_t before = sk_clock_boot();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = sk_clock_boot();
        cr_assert_leq(before, now);
        before = now;
    }
}

Test(base_clock, advancing_moves_both_clocks)
{
    uint64_t wall = sk_clock_wall(), boot = sk_clock_boot();
    sk_clock_advance((int64_t)(3600 * SK_SECOND));
    cr_assert_geq(sk_clock_wall(), wall + 3600 * SK_SECOND);
    cr_assert_geq(sk_clock_boot(), boot + 3600 * SK_SECOND);
    cr_assert_lt(sk_clock_boot(), boot + 3700 * SK_SECOND);
    sk_clock_advance(-(int64_t)(3600 * SK_SECOND));
    cr_assert_lt(sk_clock_boot(), boot + 100 * SK_SECOND);
}

Test(base_clock, random_fills_every_byte_when_the_kernel_gives_few_at_once)
{
    uint8_t bytes[1000], seen[1000] = {0};
    most_at_once = 7;
    for (int turn = 0; turn < 20; turn++) {
        memset(bytes, 0, sizeof(bytes));
        sk_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seen[i] |= bytes[i];
        }
    }
    for (size_t i = 0; i < sizeof(seen); i++) {
        cr_assert_neq(seen[i], 0, "byte %zu", i);
    }
}

/* Early in the boot the kernel waits for its generator, and any signal ends that wait. */
Test(base_clock, a_signal_does_not_end_the_process_that_wants_randomness)
{
    uint8_t bytes[32];
    interruptions = 3;
    sk_random(bytes, sizeof(bytes));
    cr_assert_eq(interruptions, 0);
}

Test(base_clock, random_of_no_bytes_is_allowed)
{
    sk_random(NULL, 0);
}

Test(base_clock, wiping_leaves_zeros_and_nothing_else_is_touched)
{
    uint8_t bytes[10];
    memset(bytes, 0xff, sizeof(bytes));
    sk_wipe(bytes + 1, 8);
    cr_assert_eq(bytes[0], 0xff);
    cr_assert_eq(bytes[9], 0xff);
    for (int i = 1; i < 9; i++) {
        cr_assert_eq(bytes[i], 0);
    }
    sk_wipe(NULL, 0);
}

#define DRAWN 500000U

static void *draw(void *to)
{
    for (size_t i = 0; i < DRAWN; i++) {
        sk_random((uint64_t *)to + i, sizeof(uint64_t));
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(base_clock, threads_that_draw_at_once_never_get_the_same)
{
    static uint64_t drawn[4 * DRAWN];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, draw, drawn + i * DRAWN), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    }
    qsort(drawn, SK_COUNT(drawn), sizeof(*drawn), compare);
    for (size_t i = 1; i < SK_COUNT(drawn); i++) {
        cr_assert_neq(drawn[i], drawn[i - 1]);
    }
}
