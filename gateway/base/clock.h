/*
 * Time and randomness, through one door so that tests can set the clock. Wall time is UTC nanoseconds since 1970;
 * boot time is CLOCK_BOOTTIME nanoseconds and never steps: limits and time-outs count in it.
 */
#pragma once

#include "sekisho/error.h"

#include <stddef.h>
#include <stdint.h>

#define SK_SECOND UINT64_C(1000000000)
#define SK_DAY (86400 * SK_SECOND)
#define SK_MILLISECOND UINT64_C(1000000)

uint64_t sk_clock_wall(void);
uint64_t sk_clock_boot(void);
/* Adds to both clocks from now on; to the wall clock alone, as who sets it. Tests only: no program calls them. */
void sk_clock_advance(int64_t nanoseconds);
void sk_clock_step(int64_t nanoseconds);

/* Fills `out` from the kernel's generator. A process must not fork and go on with it in both: ours exec. Any thread may. Ends the process when the kernel has none: there is no going on without. */
void sk_random(void *out, size_t len);

/* Overwrites in a way that the compiler keeps. */
void sk_wipe(void *data, size_t len);
