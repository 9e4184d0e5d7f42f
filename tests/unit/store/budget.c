/* gateway/store/budget.c: how many guesses anybody gets, however they are spread, and that the owner at home loses nothing by it. */
#include "store/budget.h"

#include <criterion/criterion.h>

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define START (UINT64_C(1000000000) * SECOND)

static struct sk_budget b;

static void begin(void)
{
    b = (struct sk_budget){.max_retries = 5, .find_time = 2 * MINUTE, .ban_time = 5 * MINUTE, .now = START};
}

TestSuite(store_budget, .init = begin);

/* One attempt as soon as it may be; how long it had to wait. */
static uint64_t attempt(void)
{
    uint64_t wait = sk_budget_wait(&b);
    cr_assert_neq(wait, UINT64_MAX);
    b.now += wait;
    cr_assert_eq(sk_budget_wait(&b), 0);
    sk_budget_spend(&b);
    return wait;
}

Test(store_budget, delays_grow_then_bans_double)
{
    static const uint64_t waits[] = {0, 0, 0, SECOND, 2 * SECOND, 5 * MINUTE, 0, 0, SECOND, 2 * SECOND, 10 * MINUTE};
    for (size_t i = 0; i < SK_COUNT(waits); i++) {
        cr_assert_eq(attempt(), waits[i], "attempt %zu", i);
    }
}

Test(store_budget, no_ban_is_longer_than_sixty_four_times)
{
    for (int strikes = 0; strikes < 200; strikes++) {
        b.pair.strikes = (uint64_t)strikes;
        b.pair.failures = 4;
        b.pair.since = b.now;
        b.elsewhere.failures = 0;
        b.place = (struct sk_budget_count){.failures = 0};
        b.pair.until = 0;
        sk_budget_spend(&b);
        uint64_t longest = 64 * 5 * MINUTE;
        cr_assert_eq(sk_budget_wait(&b), strikes >= 6 ? longest : 5 * MINUTE << strikes);
        b.now += longest;
    }
}

Test(store_budget, slow_failures_bring_no_ban_but_count_for_the_account)
{
    for (unsigned i = 0; i < SK_BUDGET_TOTAL; i++) {
        cr_assert_eq(attempt(), 0);
        b.now += 3 * MINUTE;
    }
    cr_assert_eq(sk_budget_wait(&b), UINT64_MAX);
    b.now += 10 * SK_BUDGET_HOME;
    cr_assert_eq(sk_budget_wait(&b), UINT64_MAX, "time alone gives no new guesses");
}

/* Each from a network of its own: the pair's counters see one attempt each. */
Test(store_budget, guesses_from_many_networks_get_no_more_than_the_accounts_budget_and_leave_the_owner_in)
{
    struct sk_budget owner = b;
    sk_budget_spend(&owner);
    sk_budget_right(&owner);
    unsigned guesses = 0;
    for (int i = 0; i < 10000; i++) {
        b.pair = b.place = b.known = (struct sk_budget_count){.failures = 0};
        b.now += SECOND;
        if (sk_budget_wait(&b) == 0) {
            sk_budget_spend(&b);
            guesses++;
        }
    }
    cr_assert_eq(guesses, SK_BUDGET_TOTAL);
    owner.elsewhere = b.elsewhere;
    owner.now = b.now;
    cr_assert_eq(sk_budget_wait(&owner), 0, "the owner's own network is a way in");
    sk_budget_spend(&owner);
    sk_budget_right(&owner);
    cr_assert_eq(owner.elsewhere.failures, 0, "and begins the count anew");
}

Test(store_budget, an_account_gets_at_most_a_hundred_in_a_row_from_everywhere)
{
    b.known.since = b.now;
    unsigned home = 0, elsewhere = 0;
    for (int i = 0; i < 1000; i++) {
        b.now += 3 * MINUTE;
        home += sk_budget_wait(&b) == 0 && (sk_budget_spend(&b), true);
    }
    b.known.since = 0;
    b.pair = (struct sk_budget_count){.failures = 0};
    for (int i = 0; i < 1000; i++) {
        b.now += 3 * MINUTE;
        elsewhere += sk_budget_wait(&b) == 0 && (sk_budget_spend(&b), true);
    }
    cr_assert_eq(home + elsewhere, 100);
}

Test(store_budget, a_network_that_tries_many_accounts_is_banned_but_not_for_who_is_at_home_there)
{
    for (unsigned i = 0; i < 5 * SK_BUDGET_PLACE; i++) {
        b.pair = b.elsewhere = (struct sk_budget_count){.failures = 0};
        cr_assert_eq(sk_budget_wait(&b), 0, "%u", i);
        sk_budget_spend(&b);
        sk_budget_wrong(&b);
    }
    b.pair = b.elsewhere = (struct sk_budget_count){.failures = 0};
    cr_assert_eq(sk_budget_wait(&b), 5 * MINUTE);
    b.known.since = b.now - SK_BUDGET_HOME + SECOND;
    cr_assert_eq(sk_budget_wait(&b), 0);
    b.known.since = b.now - SK_BUDGET_HOME;
    cr_assert_eq(sk_budget_wait(&b), 5 * MINUTE, "home is where one was within ninety days");
}

/* Each from a network of its own within the site, at a name of its own. */
Test(store_budget, networks_of_one_site_together_get_so_many_a_day_but_for_who_is_at_home_there)
{
    for (unsigned i = 0; i < SK_BUDGET_SITE; i++) {
        b.pair = b.elsewhere = b.place = (struct sk_budget_count){.failures = 0};
        cr_assert_eq(sk_budget_wait(&b), 0, "%u", i);
        sk_budget_spend(&b);
        sk_budget_wrong(&b);
        b.now += 2 * MINUTE;
    }
    b.pair = b.elsewhere = b.place = (struct sk_budget_count){.failures = 0};
    cr_assert_eq(sk_budget_wait(&b), SK_BUDGET_DAY - 2 * MINUTE);
    b.now -= SK_BUDGET_DAY;
    cr_assert_eq(sk_budget_wait(&b), SK_BUDGET_DAY, "a clock that was set back lengthens it by nothing");
    b.known.since = b.now;
    cr_assert_eq(sk_budget_wait(&b), 0);
    b.known.since = 0;
    b.now += 2 * SK_BUDGET_DAY;
    cr_assert_eq(sk_budget_wait(&b), 0);
}

Test(store_budget, as_many_in_more_than_a_day_are_no_attack_of_a_site)
{
    for (unsigned i = 0; i < 2 * SK_BUDGET_SITE; i++) {
        b.pair = b.elsewhere = b.place = (struct sk_budget_count){.failures = 0};
        cr_assert_eq(sk_budget_wait(&b), 0, "%u", i);
        sk_budget_spend(&b);
        sk_budget_wrong(&b);
        b.now += SK_BUDGET_DAY / (SK_BUDGET_SITE - 2);
    }
}

/* All at one moment, before any of them is verified. */
Test(store_budget, an_office_that_begins_work_is_no_attack)
{
    for (int i = 0; i < 1000; i++) {
        b.pair = b.elsewhere = b.home = b.known = (struct sk_budget_count){.failures = 0};
        cr_assert_eq(sk_budget_wait(&b), 0, "%d", i);
        sk_budget_spend(&b);
    }
    for (int i = 0; i < 1000; i++) {
        sk_budget_right(&b);
    }
    cr_assert_eq(b.place.failures, 0);
}

Test(store_budget, what_was_not_decided_is_given_back)
{
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(sk_budget_wait(&b), 0, "%d", i);
        sk_budget_spend(&b);
        sk_budget_undecided(&b);
    }
    for (int i = 0; i < 4; i++) {
        (void)attempt();
    }
    (void)attempt();
    sk_budget_undecided(&b);
    cr_assert_eq(sk_budget_wait(&b), 0, "the ban that the last one brought is gone");
    (void)attempt();
    cr_assert_eq(sk_budget_wait(&b), 5 * MINUTE, "and comes with the next, no longer than at first");
}

Test(store_budget, a_clock_that_was_set_back_lengthens_no_ban_beyond_the_longest)
{
    for (int i = 0; i < 5; i++) {
        (void)attempt();
    }
    b.now = START / 2;
    cr_assert_eq(sk_budget_wait(&b), 64 * 5 * MINUTE);
    b.pair.until = 0;
    b.pair.failures = 4;
    b.pair.since = START;
    sk_budget_spend(&b);
    cr_assert_eq(b.pair.failures, 1, "a window that begins in the future is none");
}

Test(store_budget, a_counter_that_says_nothing_ends_at_once)
{
    cr_assert_eq(sk_budget_ends(&b, &b.pair), b.now);
    cr_assert_eq(sk_budget_ends(&b, &b.known), b.now);
    (void)attempt();
    uint64_t begun = b.now;
    b.now += SECOND;
    cr_assert_eq(sk_budget_ends(&b, &b.pair), begun + b.find_time + 1, "without a ban it counts within its window");
    cr_assert_eq(sk_budget_ends(&b, &b.elsewhere), b.now + SK_BUDGET_MEMORY, "and the account's until it is right");
    sk_budget_wrong(&b);
    cr_assert_eq(sk_budget_ends(&b, &b.place), b.now + b.find_time + 1);
    cr_assert_eq(sk_budget_ends(&b, &b.site), b.now + SK_BUDGET_DAY + 1);
    for (int i = 0; i < 4; i++) {
        (void)attempt();
    }
    cr_assert_eq(sk_budget_ends(&b, &b.pair), b.now + 5 * MINUTE + SK_BUDGET_MEMORY, "a ban is remembered: the next is longer");
    b.find_time = UINT64_MAX;
    b.pair.strikes = 0;
    b.pair.until = 0;
    b.pair.failures = 1;
    cr_assert_eq(sk_budget_ends(&b, &b.pair), b.now + SK_BUDGET_MEMORY);
    sk_budget_right(&b);
    cr_assert_eq(sk_budget_ends(&b, &b.pair), b.now);
    cr_assert_eq(sk_budget_ends(&b, &b.known), b.now + SK_BUDGET_HOME);
}
