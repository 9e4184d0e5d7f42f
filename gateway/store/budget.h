/*
 * How many passwords may be tried: pure arithmetic over counters, without rows and clocks of its own. An attempt counts
 * for its account before it is verified, so that attempts at one time cannot share one count; for its network when it
 * was wrong, so that an office that begins work is no attack. Five counters hold it:
 *
 *   pair       this account from this network: `max_retries` within `find_time`, with a growing delay before the last
 *              two of them; then a ban of `ban_time`, twice as long each time, up to SK_BUDGET_LONGEST times as long
 *   place      this network over all accounts of the tenant: SK_BUDGET_PLACE times as many, then a ban; where the account
 *              is at home it is neither counted nor asked
 *   site       the networks around this one, over all accounts: SK_BUDGET_SITE wrong ones within SK_BUDGET_DAY, then a ban of as long;
 *              where the account is at home as for `place`. Whoever has a site fills no file with counters of made-up names.
 *   elsewhere  this account from networks it was never logged in from: SK_BUDGET_TOTAL in a row, then none any more
 *   home       this account from networks it was logged in from within SK_BUDGET_HOME: SK_BUDGET_TOTAL in a row
 *
 * So guesses from elsewhere never close an account to its owner at home, and both together stay within the 100 in a row
 * that SP 800-63B-4 section 3.2.2 allows. Times are wall ns; a clock that was set back lengthens no ban beyond its longest.
 */
#pragma once

#include "sekisho/error.h"

#include <stdbool.h>
#include <stdint.h>

#define SK_BUDGET_TOTAL 50U
#define SK_BUDGET_PLACE 10U
#define SK_BUDGET_SITE 500U
#define SK_BUDGET_DAY (UINT64_C(24) * 3600 * 1000000000)
#define SK_BUDGET_LONGEST 64U
#define SK_BUDGET_HOME (UINT64_C(90) * 24 * 3600 * 1000000000)
#define SK_BUDGET_MEMORY (UINT64_C(30) * 24 * 3600 * 1000000000) /* a counter nobody touched for so long is forgotten */

/* A counter; all zero: nothing counted yet. */
struct sk_budget_count {
    uint64_t failures;
    uint64_t since;   /* when the first of them was */
    uint64_t until;   /* nothing is tried before */
    uint64_t strikes; /* bans so far */
};

struct sk_budget {
    uint64_t max_retries; /* 1 to SK_BUDGET_TOTAL */
    uint64_t find_time, ban_time; /* ns */
    uint64_t now;
    struct sk_budget_count pair, place, site, elsewhere, home;
    struct sk_budget_count known; /* `since`: when a password of the account was right from this network last; 0: never */
};

/* Is the account at home in this network? */
bool sk_budget_at_home(const struct sk_budget *budget);
/* 0: it may be tried. Else ns to wait; UINT64_MAX: until a password is right from home, or the count is revoked. */
uint64_t sk_budget_wait(const struct sk_budget *budget);
/* Counts an attempt that sk_budget_wait let through. */
void sk_budget_spend(struct sk_budget *budget);
/* What came of that attempt. Right: the account's counters begin anew. Undecided: they get it back. */
void sk_budget_right(struct sk_budget *budget);
void sk_budget_wrong(struct sk_budget *budget);
void sk_budget_undecided(struct sk_budget *budget);
/* When the counter says nothing any more. */
uint64_t sk_budget_ends(const struct sk_budget *budget, const struct sk_budget_count *count);
