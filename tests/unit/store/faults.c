/* gateway/store/engine.c when the n-th write, sync or allocation fails, for every n: whole or not at all, and
 * told. */
#include "shop.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct shop shop;
static char changed[256], told[512];

static void keep_told(void)
{
    size_t len = strlen(told);
    (void)snprintf(told + len, sizeof(told) - len, "%s,", changed);
}

static bool is_old(void)
{
    return strcmp(shop_hash(&shop, 1, "anna"), "h1") == 0 && strcmp(shop_hash(&shop, 1, "ben"), "h2") == 0 &&
           strcmp(shop_hash(&shop, 1, "dora"), "-") == 0;
}

static bool is_new(void)
{
    return strcmp(shop_hash(&shop, 1, "anna"), "h9") == 0 && strcmp(shop_hash(&shop, 1, "ben"), "-") == 0 &&
           strcmp(shop_hash(&shop, 1, "dora"), "h4") == 0;
}

static const char new_users[] = "anna:h9 dora:h4";

/* One import that fails somewhere, and its repetition. False when the fault was not reached. */
static bool import_fails(void (*fail)(long n, long more), long n, long more)
{
    shop_init(&shop);
    cr_assert_eq(shop_import(&shop, 1, "old", "anna:h1 ben:h2", changed), 0);
    told[0] = '\0';
    fail(n, more);
    int r = shop_import(&shop, 1, "new", new_users, changed);
    bool reached = shop_failed() > 0;
    shop_fail_none();
    if (r == 0) {
        keep_told();
        cr_assert(is_new(), "use %ld: it said done", n);
    } else {
        cr_assert_lt(r, 0, "use %ld: %d", n, r);
        cr_assert(is_old(), "use %ld: it said that nothing was changed", n);
    }
    /* The supervisor tries again, at once or after the store was killed; or takes its change back. */
    if (n % 3) {
        cr_assert(n % 3 == 1 || shop_reopen(&shop) == 0);
        int again = shop_import(&shop, 1, "new", new_users, changed);
        cr_assert(again == 0 || (again == 1 && r == 0), "use %ld: the fault is over: %d", n, again);
        keep_told();
        cr_assert(is_new(), "use %ld: again", n);
        cr_assert(strstr(told, "anna") && strstr(told, "ben"),
                "use %ld: users were changed and only '%s' was told", n, told);
    } else {
        r = shop_import(&shop, 1, "old", "anna:h1 ben:h2", changed);
        cr_assert(r == 0 || r == 1, "use %ld: the fault is over: %d", n, r);
        cr_assert(is_old(), "use %ld: the change was taken back", n);
    }
    bool same = n % 3 ? is_new() : is_old();
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert(same && (n % 3 ? is_new() : is_old()), "use %ld: after a start", n);
    shop_free(&shop);
    return reached;
}

static void every_import(void (*fail)(long n, long more), long more)
{
    long n = 0;
    while (import_fails(fail, n, more)) {
        n++;
    }
    cr_assert_gt(n, 5);
}

Test(store_faults, an_import_on_a_failing_disk_is_whole_or_not_at_all, .timeout = 280)
{
    every_import(shop_fail_files, 1);
    every_import(shop_fail_files, 4);
    every_import(shop_fail_files, 1000);
}

Test(store_faults, an_import_without_memory_is_whole_or_not_at_all, .timeout = 280)
{
    every_import(shop_fail_memory, 1);
    every_import(shop_fail_memory, 3);
    every_import(shop_fail_memory, 1000);
}

/* A session that was put is there, one that was dropped is gone, whatever failed between. */
static bool sessions_fail(void (*fail)(long n, long more), long n, long more)
{
    uint64_t used;
    bool put[12], dropped[12];
    char key[16];
    shop_init(&shop);
    cr_assert_eq(shop_import(&shop, 1, "d", "anna:h", changed), 0);
    fail(n, more);
    for (int i = 0; i < 12; i++) {
        (void)snprintf(key, sizeof(key), "key%d", i);
        put[i] = shop_put_session(&shop, 1, key, "anna", 7) == 0;
        dropped[i] = i % 2 && shop_drop_session(&shop, 1, key) == 0;
        (void)shop_get_session(&shop, 1, key, &used);
        (void)shop_hash(&shop, 1, "anna");
    }
    bool reached = shop_failed() > 0;
    shop_fail_none();
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 12; i++) {
            (void)snprintf(key, sizeof(key), "key%d", i);
            int r = shop_get_session(&shop, 1, key, &used);
            cr_assert_geq(r, 0, "use %ld: the fault is over", n);
            cr_assert(!dropped[i] || r == 1, "use %ld: a dropped session is back", n);
            cr_assert(!put[i] || i % 2 || r == 0, "use %ld: a session is lost", n);
        }
        cr_assert_eq(shop_reopen(&shop), 0);
    }
    shop_free(&shop);
    return reached;
}

Test(store_faults, sessions_on_a_failing_disk, .timeout = 280)
{
    for (long n = 0; sessions_fail(shop_fail_files, n, 1); n++) {
    }
    for (long n = 0; sessions_fail(shop_fail_files, n, 1000); n++) {
    }
}

Test(store_faults, sessions_without_memory, .timeout = 280)
{
    for (long n = 0; sessions_fail(shop_fail_memory, n, 1); n++) {
    }
    for (long n = 0; sessions_fail(shop_fail_memory, n, 5); n++) {
    }
}

/* A first start on a failing disk leaves nothing that a later start could not go on from. */
static bool first_start_fails(void (*fail)(long n, long more), long n)
{
    shop_init(&shop);
    shop.engine = sk_engine_free(shop.engine);
    char path[160];
    shop_file(&shop, 0, path);
    (void)remove(path);
    fail(n, 1000);
    int r = shop_reopen(&shop);
    r = r ? r : shop_import(&shop, 1, "d", "anna:h", changed);
    bool reached = shop_failed() > 0;
    shop_fail_none();
    cr_assert(!reached || r <= 0);
    if (!shop.engine) {
        cr_assert_eq(shop_reopen(&shop), 0, "use %ld", n);
    }
    int again = shop_import(&shop, 1, "d", "anna:h", changed);
    cr_assert(again == 0 || again == 1, "use %ld: %d", n, again);
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h", "use %ld", n);
    shop_free(&shop);
    return reached;
}

Test(store_faults, a_first_start_that_failed_can_be_repeated, .timeout = 280)
{
    for (long n = 0; first_start_fails(shop_fail_files, n); n++) {
    }
    for (long n = 0; first_start_fails(shop_fail_memory, n); n++) {
    }
}
