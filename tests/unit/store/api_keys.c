/* gateway/store/api_keys.c: when a key was last used is its own, outlives the store, and goes with the key. */
#include "shop.h"

#include "base/text.h"
#include "conf/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct shop shop;

/* Keys are named by a digit: a SHA-256 of that digit alone. */
static struct sk_slice sha256(char digit)
{
    static char bytes[32];
    memset(bytes, (digit - '0') * 0x11, sizeof(bytes));
    return sk_slice(bytes, sizeof(bytes));
}

static void put(unsigned tenant, const char *name, const char *digits, uint64_t backend)
{
    char keys[1024] = "";
    for (size_t i = 0; digits[i]; i++) {
        size_t len = strlen(keys);
        (void)snprintf(keys + len, sizeof(keys) - len, "%s%064d:%c00%s", i ? "," : "", 0, digits[i], digits[i] == '9' ? ":abcd" : "");
        memset(keys + len + (i > 0), digits[i], 64);
    }
    struct sk_store_user user = {.name = sk_slice_str(name), .backend = backend, .hash = sk_slice_str(keys), .roles = SK_LIT("viewer")};
    shop_tenant(tenant, user.tenant);
    cr_assert_eq(sk_engine_put_user(shop.engine, &user), 0);
}

/* A tenant's file: "bot" with these keys, "cat" with those, and a person. */
static void import(unsigned tenant, const char *digest, const char *bot, const char *cat)
{
    char changed[256];
    cr_assert_eq(shop_begin(&shop, tenant, digest), 0);
    put(tenant, "bot", bot, SK_BACKEND_KEY);
    if (cat) {
        put(tenant, "cat", cat, SK_BACKEND_KEY);
    }
    cr_assert_eq(shop_user(&shop, tenant, "anna", "h1"), 0);
    cr_assert_eq(shop_end(&shop, tenant, changed), 0);
}

static void begin(void)
{
    shop_init(&shop);
    import(1, "d1", "12", "13");
    import(2, "d1", "12", NULL);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_api_keys, .init = begin, .fini = end, .timeout = 60);

static int use(unsigned tenant, const char *user, char digit, uint64_t used)
{
    struct sk_store_use_api_key m = {.user = sk_slice_str(user), .sha256 = sha256(digit), .used = used};
    shop_tenant(tenant, m.tenant);
    return sk_engine_use_api_key(shop.engine, &m);
}

static char text[512];

static void add_row(void *context sk_unused, const struct sk_store_got_api_key *got)
{
    size_t len = strlen(text);
    cr_assert_eq(got->sha256.len, 32);
    cr_expect_eq(got->ticket, 7);
    (void)snprintf(text + len, sizeof(text) - len, "%.*s %x %llu%s%.*s %llu;", (int)got->user.len, got->user.data, (unsigned)got->sha256.data[0] & 0xf,
            (unsigned long long)got->expires, got->certificate.len ? " " : "", (int)got->certificate.len, got->certificate.data ? got->certificate.data : "",
            (unsigned long long)got->used);
}

/* "USER KEY EXPIRES[ CERTIFICATE] USED;" for each, and how many there are. */
static const char *listed(unsigned tenant, const char *user, uint64_t most)
{
    struct sk_store_list_api_keys m = {.ticket = 7, .user = sk_slice_str(user), .most = most};
    uint64_t count;
    text[0] = '\0';
    shop_tenant(tenant, m.tenant);
    cr_assert_eq(sk_engine_list_api_keys(shop.engine, &m, add_row, NULL, &count), 0);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " %llu", (unsigned long long)count);
    return text;
}

Test(store_api_keys, each_key_of_each_program_of_each_tenant_has_its_own_and_it_stays_over_a_restart)
{
    cr_expect_str_eq(listed(1, "bot", 9), "bot 1 100 0;bot 2 200 0; 2");
    cr_assert_eq(use(1, "bot", '1', 50), 0);
    cr_assert_eq(use(1, "cat", '3', 70), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_expect_str_eq(listed(1, "bot", 9), "bot 1 100 50;bot 2 200 0; 2");
    cr_expect_str_eq(listed(1, "cat", 9), "cat 1 100 0;cat 3 300 70; 2", "the same key is another's");
    cr_expect_str_eq(listed(2, "bot", 9), "bot 1 100 0;bot 2 200 0; 2", "nor is it another tenant's");
    cr_expect_str_eq(listed(1, "anna", 9), " 0");
    cr_expect_str_eq(listed(1, "nobody", 9), " 0");
    cr_expect_not_null(strstr(listed(1, "", 9), "bot 1 100 50;"));
    cr_expect_not_null(strstr(listed(1, "", 9), "cat 3 300 70;"));
    cr_expect_not_null(strstr(listed(1, "", 9), " 4"));
    cr_expect_str_eq(listed(1, "bot", 1), "bot 1 100 50; 2", "some, and how many there are");
}

Test(store_api_keys, the_last_use_is_the_latest)
{
    cr_assert_eq(use(1, "bot", '1', 50), 0);
    cr_assert_eq(use(1, "bot", '1', 40), 0);
    cr_expect_str_eq(listed(1, "bot", 1), "bot 1 100 50; 2");
    cr_assert_eq(use(1, "bot", '1', 60), 0);
    cr_expect_str_eq(listed(1, "bot", 1), "bot 1 100 60; 2");
}

Test(store_api_keys, what_is_no_key_of_the_program_is_not_kept)
{
    cr_expect_eq(use(1, "bot", '3', 50), 1);
    cr_expect_eq(use(1, "nobody", '1', 50), 1);
    cr_expect_eq(use(1, "anna", '1', 50), 1);
    cr_expect_eq(use(3, "bot", '1', 50), 1);
    struct sk_store_use_api_key m = {.user = SK_LIT("bot"), .sha256 = SK_LIT("short"), .used = 50};
    shop_tenant(1, m.tenant);
    cr_expect_eq(sk_engine_use_api_key(shop.engine, &m), 1);
    cr_expect_str_eq(listed(1, "bot", 9), "bot 1 100 0;bot 2 200 0; 2");
}

Test(store_api_keys, goes_with_its_key_and_does_not_come_back_with_it)
{
    cr_assert_eq(use(1, "bot", '1', 50), 0);
    cr_assert_eq(use(1, "bot", '2', 60), 0);
    cr_assert_eq(use(1, "cat", '1', 70), 0);
    import(1, "d2", "29", "13");
    cr_expect_str_eq(listed(1, "bot", 9), "bot 2 200 60;bot 9 900 abcd 0; 2");
    import(1, "d3", "12", NULL);
    cr_expect_str_eq(listed(1, "bot", 9), "bot 1 100 0;bot 2 200 60; 2");
    import(1, "d4", "12", "13");
    cr_expect_str_eq(listed(1, "cat", 9), "cat 1 100 0;cat 3 300 0; 2");
}

Test(store_api_keys, another_programs_row_under_a_name_says_nothing)
{
    cr_assert_eq(use(1, "bot", '1', 50), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    shop_sql(&shop, 1, "UPDATE users SET sealed = (SELECT sealed FROM users LIMIT 1)");
    cr_expect_null(strstr(listed(1, "cat", 9), "bot"));
    cr_expect_null(strstr(listed(1, "bot", 9), "cat"));
    cr_expect_str_eq(listed(1, "anna", 9), " 0");
    shop_sql(&shop, 1, "UPDATE users SET sealed = x'00'");
    cr_expect_str_eq(listed(1, "", 9), " 0");
}
