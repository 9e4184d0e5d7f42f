/* Time and randomness. Any process. */
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>

static int64_t offset, step;

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (uint64_t)((int64_t)now.tv_sec * (int64_t)SK_SECOND + now.tv_nsec + offset + (id == CLOCK_REALTIME ? step : 0));
}

uint64_t sk_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t sk_clock_boot(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

void sk_clock_advance(int64_t nanoseconds)
{
    offset += nanoseconds;
}

void sk_clock_step(int64_t nanoseconds)
{
    step += nanoseconds;
}

static void from_kernel(void *out, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = getrandom((char *)out + got, len - got, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            abort();
        }
        got += (size_t)n;
    }
}

void sk_random(void *out, size_t len)
{
    /* Identifiers are made for every request: the kernel is asked once for many. What was given is wiped. No two threads get the same. */
    static _Thread_local uint8_t pool[1024];
    static _Thread_local size_t left;
    if (len == 0 || len > sizeof(pool) / 4) {
        from_kernel(out, len);
        return;
    }
    if (left < len) {
        from_kernel(pool, sizeof(pool));
        left = sizeof(pool);
    }
    memcpy(out, pool + left - len, len);
    sk_wipe(pool + left - len, len);
    left -= len;
}

void sk_wipe(void *data, size_t len)
{
    if (len) {
        explicit_bzero(data, len);
    }
}
