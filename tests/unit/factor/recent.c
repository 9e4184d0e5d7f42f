/* gateway/factor/recent.c: a set is read once while it is in use, and a changed one is another. */
#include "factor/recent.h"

#include "issuer.h"

#include <criterion/criterion.h>

/* Set number `n`: one key, whose id says which. */
static struct sk_slice set(int n)
{
    return sk_slice_str(issuer_text("{'keys':[%s]}", issuer_jwk(issuer_key(SK_JWK_EDDSA), issuer_text("'kid':'%d'", n))));
}

static const struct sk_jwk_set *get(struct sk_recent *recent, int n)
{
    const struct sk_jwk_set *keys = sk_recent_keys(recent, set(n));
    cr_assert_not_null(keys);
    cr_assert_eq(keys->count, 1);
    cr_assert(sk_slice_eq(keys->keys[0].id, sk_slice_str(issuer_text("%d", n))));
    return keys;
}

Test(factor_recent, the_set_that_was_not_used_for_the_longest_time_makes_room)
{
    struct sk_recent recent = {.uses = 0};
    const struct sk_jwk_set *first[SK_RECENT_SETS];
    for (int i = 0; i < SK_RECENT_SETS; i++) {
        first[i] = get(&recent, i);
    }
    for (int i = 0; i < SK_RECENT_SETS; i++) {
        cr_expect_eq(get(&recent, i), first[i], "%d", i);
    }
    cr_expect_eq(get(&recent, 0), first[0]);
    (void)get(&recent, SK_RECENT_SETS);
    cr_expect_eq(recent.sets[1].used, recent.uses, "1 was the oldest");
    for (int i = 2; i < SK_RECENT_SETS; i++) {
        cr_expect_eq(get(&recent, i), first[i], "%d", i);
    }
    cr_expect_eq(get(&recent, 0), first[0]);
    (void)get(&recent, 1);
    sk_recent_free(&recent);
}

Test(factor_recent, what_is_no_set_takes_no_room)
{
    struct sk_recent recent = {.uses = 0};
    const struct sk_jwk_set *one = get(&recent, 1);
    for (int i = 0; i < 2 * SK_RECENT_SETS; i++) {
        cr_expect_null(sk_recent_keys(&recent, sk_slice_str(issuer_text("{'keys':%d}", i))));
    }
    cr_expect_eq(get(&recent, 1), one);
    sk_recent_free(&recent);
    sk_recent_free(&recent);
}
