/* How many passwords may be tried. Runs in store alone. */
#include "store/budget.h"

#define SECOND UINT64_C(1000000000)
#define DELAYS 2U /* before the attempts that come last */

static uint64_t ban_length(const struct sk_budget *b, uint64_t strikes)
{
    uint64_t times = SK_BUDGET_LONGEST;
    for (uint64_t t = 1, i = 0; t < SK_BUDGET_LONGEST; t *= 2, i++) {
        if (i == strikes) {
            times = t;
            break;
        }
    }
    return b->ban_time > UINT64_MAX / 4 / SK_BUDGET_LONGEST ? UINT64_MAX / 4 : b->ban_time * times;
}

bool sk_budget_at_home(const struct sk_budget *b)
{
    return b->known.since && (b->now < b->known.since || b->now - b->known.since < SK_BUDGET_HOME);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t left(const struct sk_budget *b, const struct sk_budget_count *c)
{
    uint64_t wait = c->until > b->now ? c->until - b->now : 0;
    uint64_t longest = c == &b->site ? SK_BUDGET_DAY : ban_length(b, SK_BUDGET_LONGEST);
    return wait < longest ? wait : longest;
}

uint64_t sk_budget_wait(const struct sk_budget *b)
{
    bool home = sk_budget_at_home(b);
    uint64_t around = home ? 0 : larger(left(b, &b->place), left(b, &b->site));
    if ((home ? b->home.failures : b->elsewhere.failures) >= SK_BUDGET_TOTAL) {
        return UINT64_MAX;
    }
    return larger(left(b, &b->pair), around);
}

static uint64_t window_of(const struct sk_budget *b, const struct sk_budget_count *c)
{
    return c == &b->site ? SK_BUDGET_DAY : b->find_time;
}

/* Within a window; the last one it has room for brings the ban. */
static void spend_in_window(const struct sk_budget *b, struct sk_budget_count *c, uint64_t most)
{
    bool over = b->now < c->since || b->now - c->since > window_of(b, c);
    if (c->failures == 0 || over) {
        c->failures = 0;
        c->since = b->now;
    }
    c->failures++;
    if (c->failures >= most) {
        c->until = b->now + (c == &b->site ? SK_BUDGET_DAY : ban_length(b, c->strikes));
        c->strikes++;
        c->failures = 0;
    }
}

void sk_budget_spend(struct sk_budget *b)
{
    struct sk_budget_count *row = sk_budget_at_home(b) ? &b->home : &b->elsewhere;
    spend_in_window(b, &b->pair, b->max_retries);
    if (b->pair.failures && b->pair.failures + DELAYS >= b->max_retries) {
        b->pair.until = b->now + (SECOND << (b->pair.failures + DELAYS - b->max_retries));
    }
    row->failures++;
    row->since = b->now;
}

void sk_budget_right(struct sk_budget *b)
{
    b->pair = b->elsewhere = b->home = (struct sk_budget_count){.failures = 0};
    b->known.since = b->now;
}

void sk_budget_wrong(struct sk_budget *b)
{
    if (!sk_budget_at_home(b)) {
        spend_in_window(b, &b->place, b->max_retries * SK_BUDGET_PLACE);
        spend_in_window(b, &b->site, SK_BUDGET_SITE);
    }
}

void sk_budget_undecided(struct sk_budget *b)
{
    struct sk_budget_count *pair = &b->pair, *row = sk_budget_at_home(b) ? &b->home : &b->elsewhere;
    if (pair->failures) {
        pair->failures--;
    } else if (pair->strikes && pair->until > b->now) {
        pair->strikes--;
        pair->failures = b->max_retries - 1;
    }
    pair->until = 0;
    row->failures -= row->failures > 0;
}

uint64_t sk_budget_ends(const struct sk_budget *b, const struct sk_budget_count *c)
{
    if (c == &b->known) {
        return c->since ? c->since + SK_BUDGET_HOME : b->now;
    }
    if (c->failures == 0 && c->strikes == 0) {
        return b->now;
    }
    uint64_t held = larger(c->until, b->now), window = window_of(b, c);
    bool in_a_row = c == &b->elsewhere || c == &b->home;
    if (in_a_row || c->strikes || window >= SK_BUDGET_MEMORY) {
        return held + SK_BUDGET_MEMORY;
    }
    return larger(held, c->since + window + 1); /* without a ban it counts within its window alone */
}
