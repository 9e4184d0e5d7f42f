/* gateway/store/spent.c: what is spent stays so until it ends, over a restart, at its own tenant alone, and there is an end of them. */
#include "shop.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define MOST 20000

static struct shop shop;

static void begin(void)
{
    char changed[256];
    shop_init(&shop);
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1", changed), 0);
    cr_assert_eq(shop_import(&shop, 2, "d1", "anna:h1", changed), 0);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_spent, .init = begin, .fini = end, .timeout = 120);

static int spend(unsigned tenant, const char *id, uint64_t ends, uint64_t now)
{
    struct sk_store_spend m = {.id = sk_slice_str(id), .ends = ends, .now = now};
    shop_tenant(tenant, m.tenant);
    return sk_engine_spend(shop.engine, &m);
}

static int is_spent(unsigned tenant, const char *id)
{
    struct sk_store_is_spent m = {.id = sk_slice_str(id)};
    shop_tenant(tenant, m.tenant);
    return sk_engine_is_spent(shop.engine, &m);
}

Test(store_spent, once_and_for_its_tenant_over_a_restart)
{
    cr_expect_eq(is_spent(1, "one"), 0);
    cr_expect_eq(spend(1, "one", 1000, 10), 0);
    cr_expect_eq(spend(1, "one", 2000, 10), 4);
    cr_expect_eq(is_spent(1, "one"), 4);
    cr_expect_eq(is_spent(2, "one"), 0);
    cr_expect_eq(spend(2, "one", 1000, 10), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_expect_eq(is_spent(1, "one"), 4);
    cr_expect_eq(spend(1, "one", 1000, 999), 4);
    cr_expect_eq(is_spent(3, "one"), 1, "no such tenant");
    cr_expect_eq(shop_grep(&shop, "one"), 0, "an id stands nowhere");
}

Test(store_spent, what_has_ended_makes_room)
{
    cr_expect_eq(spend(1, "one", 1000, 10), 0);
    cr_expect_eq(spend(1, "two", 3000, 1000), 0);
    cr_expect_eq(is_spent(1, "one"), 0);
    cr_expect_eq(is_spent(1, "two"), 4);
}

Test(store_spent, a_tenant_has_so_many_and_no_more)
{
    char sql[256];
    (void)snprintf(sql, sizeof(sql),
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO spent SELECT randomblob(16), 5000 FROM n", MOST - 1);
    shop_sql(&shop, 1, sql);
    cr_expect_eq(spend(1, "last", 9000, 10), 0);
    cr_expect_eq(spend(1, "more", 9000, 10), 3);
    cr_expect_eq(is_spent(1, "more"), 0);
    cr_expect_eq(spend(1, "last", 9000, 10), 4);
    cr_expect_eq(spend(2, "more", 9000, 10), 0);
    cr_expect_eq(spend(1, "more", 9000, 5000), 0, "64 of them have ended and are gone");
}
