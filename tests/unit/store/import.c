/* gateway/store/import.c: what an unknown user's password is compared with costs as much as a known one's. */
#include "shop.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct shop shop;
static char changed[256];

static void begin(void)
{
    shop_init(&shop);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_import, .init = begin, .fini = end, .timeout = 60);

/* The hash for somebody whom tenant 1 does not know. */
static const char *decoy(void)
{
    static char hash[600];
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_user get = {.ticket = 3, .name = SK_LIT("nobody")};
    struct sk_store_got_user got;
    shop_tenant(1, get.tenant);
    cr_assert_eq(sk_engine_get_user(shop.engine, &get, &buf, &got), 1);
    cr_assert(got.ticket == 3 && !got.known && got.roles.len == 0);
    (void)snprintf(hash, sizeof(hash), "%.*s", (int)got.hash.len, got.hash.data ? got.hash.data : "");
    return hash;
}

static void costs(const char *parameters)
{
    char begins[128];
    (void)snprintf(begins, sizeof(begins), "$argon2id$v=19$%s$", parameters);
    cr_assert_eq(strncmp(decoy(), begins, strlen(begins)), 0, "%s, not %s", decoy(), parameters);
}

#define CHEAP "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
#define SLOW "$argon2id$v=19$m=19456,t=9,p=2$c2FsdHNhbHQ$aGFzaGhhc2g"
#define LARGE "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"
#define OVER "$argon2id$v=19$m=999999,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"

static void import(const char *digest, const char *first, const char *second)
{
    cr_assert_eq(shop_begin(&shop, 1, digest), 0);
    cr_assert_eq(shop_user(&shop, 1, "anna", first), 0);
    cr_assert_eq(shop_user(&shop, 1, "ben", second), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
}

Test(store_import, the_most_costly_hash_of_the_tenant_is_what_nobody_costs)
{
    import("d1", CHEAP, SLOW);
    costs("m=19456,t=9,p=2");
    import("d2", LARGE, SLOW);
    costs("m=65536,t=3,p=4");
    cr_assert_eq(shop_reopen(&shop), 0);
    costs("m=65536,t=3,p=4");
    cr_assert_null(strstr(decoy(), "aGFzaGhhc2g"), "nobody has somebody's hash");
    import("d3", CHEAP, CHEAP);
    costs("m=19456,t=2,p=1");
}

Test(store_import, what_no_helper_computes_does_not_count)
{
    import("d1", OVER, CHEAP);
    costs("m=19456,t=2,p=1");
    import("d2", OVER, "no hash at all");
    cr_assert_str_empty(decoy());
}

Test(store_import, the_decoy_is_sealed_as_all_else)
{
    import("d1", LARGE, SLOW);
    cr_assert_eq(shop_grep(&shop, "argon2id"), 0);
    cr_assert_eq(shop_grep(&shop, "65536"), 0);
}
