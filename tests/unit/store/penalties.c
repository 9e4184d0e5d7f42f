/* gateway/store/penalties.c: an attempt is counted before anybody learns what the password is compared with, or not at all. */
#include "shop.h"

#include "conf/conf.h"
#include "store/budget.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000000)
#define START (UINT64_C(1000000000) * SECOND)

static struct shop shop;
static char changed[256];
static uint64_t now;

static void begin(void)
{
    shop_init(&shop);
    now = START;
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1 ben:h2", changed), 0);
    cr_assert_eq(shop_import(&shop, 2, "d1", "anna:h1", changed), 0);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_penalties, .init = begin, .fini = end, .timeout = 60);

/* As sk_engine_try; `waits` s, when it has to. */
static int try_from(unsigned tenant, const char *name, const char *network, uint64_t *waits)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_try t = {.name = sk_slice_str(name), .network = sk_slice_str(network), .now = now, .max_retries = 3,
            .find_time = 120 * SECOND, .ban_time = 300 * SECOND};
    struct sk_store_got_user got;
    uint64_t wait = 0;
    shop_tenant(tenant, t.tenant);
    int r = sk_engine_try(shop.engine, &t, &buf, &got, &wait);
    cr_assert(r != 0 || sk_slice_eq(got.name, sk_slice_str(name)));
    now += r == 2 ? 0 : 2 * SECOND; /* beyond the delay between two attempts */
    if (waits) {
        *waits = wait == UINT64_MAX ? wait : wait / SECOND;
    }
    return r;
}

static int tried_from(unsigned tenant, const char *name, const char *network, enum sk_tried verdict)
{
    struct sk_store_tried t = {.name = sk_slice_str(name), .network = sk_slice_str(network), .now = now, .max_retries = 3,
            .find_time = 120 * SECOND, .ban_time = 300 * SECOND, .verdict = verdict};
    shop_tenant(tenant, t.tenant);
    return sk_engine_tried(shop.engine, &t);
}

static void told(void *context, const struct sk_store_got_ban *ban)
{
    char *text = context;
    size_t len = strlen(text);
    (void)snprintf(text + len, 1024 - len, "%llu %.*s %.*s %llu\n", (unsigned long long)ban->scope, (int)ban->user.len, ban->user.data,
            (int)ban->network.len, ban->network.data, (unsigned long long)(ban->until ? (ban->until - START) / SECOND : 0));
}

static unsigned parts; /* in which the last list came */

static const char *bans(unsigned tenant, const char *user)
{
    static char text[1024];
    struct sk_store_list_bans list = {.user = sk_slice_str(user), .now = now, .most = 10};
    struct sk_store_more_bans more;
    int r;
    text[0] = '\0';
    parts = 0;
    shop_tenant(tenant, list.tenant);
    do {
        r = sk_engine_list_bans(shop.engine, &list, told, text, &more);
        list.ends = more.ends;
        list.key = more.key;
        parts++;
    } while (r == 2);
    cr_assert_eq(r, 0);
    return text;
}

static uint64_t drop(unsigned tenant, const char *user, const char *network)
{
    struct sk_store_drop_bans m = {.user = sk_slice_str(user), .network = sk_slice_str(network), .now = now};
    struct sk_store_more_bans more;
    uint64_t count = 0;
    int r;
    shop_tenant(tenant, m.tenant);
    do {
        r = sk_engine_drop_bans(shop.engine, &m, &more);
        m.ends = more.ends;
        m.key = more.key;
        count += more.count;
    } while (r == 2);
    cr_assert_eq(r, 0);
    return count;
}

static void ban(const char *name, const char *network)
{
    for (int i = 0; i < 3; i++) {
        int r = try_from(1, name, network, NULL);
        cr_assert(r == 0 || r == 1);
    }
}

Test(store_penalties, a_ban_holds_for_one_user_from_one_network_of_one_tenant)
{
    uint64_t wait;
    ban("anna", "net1");
    cr_assert_eq(try_from(1, "anna", "net1", &wait), 2);
    cr_assert_eq(wait, 298);
    cr_assert_eq(try_from(1, "ben", "net1", NULL), 0);
    cr_assert_eq(try_from(1, "anna", "net2", NULL), 0);
    cr_assert_eq(try_from(2, "anna", "net1", NULL), 0);
    now += 300 * SECOND;
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
}

Test(store_penalties, a_name_that_nobody_has_is_counted_like_others)
{
    ban("nobody", "net1");
    cr_assert_eq(try_from(1, "nobody", "net1", NULL), 2);
    cr_assert_eq(try_from(1, "nobody", "net2", NULL), 1, "and known to be nobody's to the caller alone");
}

Test(store_penalties, counts_outlive_the_process)
{
    uint64_t wait;
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(try_from(1, "anna", "net1", &wait), 2);
    cr_assert_eq(wait, 298);
}

Test(store_penalties, names_and_networks_are_sealed)
{
    ban("zzz-nobody-zzz", "network-of-tests");
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(shop_grep(&shop, "zzz-nobody-zzz"), 0);
    cr_assert_eq(shop_grep(&shop, "rk-of-tests"), 0);
}

Test(store_penalties, the_right_password_begins_the_account_anew)
{
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(tried_from(1, "anna", "net1", SK_TRIED_RIGHT), 0);
    cr_assert_str_eq(bans(1, ""), "");
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
}

/* From elsewhere the account is closed after its budget; at home it is open, and a login there opens it everywhere. */
Test(store_penalties, the_owner_at_home_is_not_closed_out)
{
    char network[32];
    uint64_t wait;
    cr_assert_eq(try_from(1, "anna", "home", NULL), 0);
    cr_assert_eq(tried_from(1, "anna", "home", SK_TRIED_RIGHT), 0);
    unsigned guesses = 0;
    for (int i = 0; i < 200; i++) {
        (void)snprintf(network, sizeof(network), "n%d", i);
        guesses += try_from(1, "anna", network, &wait) == 0;
    }
    cr_assert_eq(guesses, SK_BUDGET_TOTAL);
    cr_assert_eq(wait, UINT64_MAX);
    cr_assert_str_eq(bans(1, ""), "2 anna  0\n");
    cr_assert_eq(try_from(1, "anna", "home", NULL), 0);
    cr_assert_eq(tried_from(1, "anna", "home", SK_TRIED_RIGHT), 0);
    cr_assert_eq(try_from(1, "anna", "n0", NULL), 0);
}

Test(store_penalties, bans_are_listed_and_ended_by_user_by_network_and_by_both)
{
    ban("anna", "net1");
    ban("anna", "net2");
    ban("ben", "net1");
    cr_assert_neq(strstr(bans(1, ""), "0 ben net1 "), NULL);
    cr_assert_eq(strstr(bans(1, "anna"), "ben"), NULL);
    cr_assert_str_eq(bans(2, ""), "");
    cr_assert_eq(drop(1, "anna", "net1"), 1);
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
    cr_assert_eq(try_from(1, "anna", "net2", NULL), 2);
    cr_assert_eq(drop(1, "", "net1"), 1);
    cr_assert_eq(try_from(1, "ben", "net1", NULL), 0);
    cr_assert_eq(drop(1, "anna", ""), 1);
    cr_assert_str_eq(bans(1, ""), "");
    cr_assert_eq(drop(1, "anna", ""), 0);
}

/* Whoever has an IPv6 /48 has 65,536 networks, and as many names as he makes up. */
Test(store_penalties, one_site_neither_fills_the_file_nor_bans_others)
{
    char name[32], network[9] = "2a00::xy";
    uint64_t wait = 0;
    unsigned guesses = 0;
    for (unsigned i = 0; i < 3 * SK_BUDGET_SITE; i++) {
        (void)snprintf(name, sizeof(name), "made up %u", i);
        network[6] = (char)('0' + i / 64);
        network[7] = (char)('0' + i % 64);
        if (try_from(1, name, network, &wait) != 2) {
            cr_assert_eq(tried_from(1, name, network, SK_TRIED_WRONG), 0);
            guesses++;
        }
    }
    cr_assert_eq(guesses, SK_BUDGET_SITE);
    cr_assert(wait > 80000 && wait <= 86400, "%llu", (unsigned long long)wait);
    cr_assert_neq(strstr(bans(1, ""), "5  2a00:: "), NULL, "%s", bans(1, ""));
    cr_assert_eq(try_from(1, "anna", "2a01::xy", NULL), 0);
    cr_assert_eq(try_from(2, "anna", "2a00::xy", NULL), 0);
    now += 200 * SECOND;
    (void)!try_from(1, "anna", "2a01::xy", NULL);
    for (unsigned i = 0; i < 100; i++) {
        (void)!try_from(1, "anna", "2a02::xy", NULL); /* some are swept each time */
        now += 300 * SECOND;
    }
    shop_sql(&shop, 1, "CREATE TABLE few (n CHECK (n < 520)); INSERT INTO few SELECT count(*) FROM penalties; DROP TABLE few");
    cr_assert_eq(drop(1, "", "2a00::xz"), 1);
    cr_assert_eq(try_from(1, "ben", "2a00::xy", NULL), 0);
}

Test(store_penalties, networks_around_are_ended_with_the_network_and_as_a_whole)
{
    cr_assert_eq(try_from(1, "anna", "abcd", NULL), 0);
    ban("ben", "abcd");
    ban("ben", "abce");
    ban("ben", "xyzd");
    cr_assert_eq(drop(1, "", "abc"), 2);
    cr_assert_eq(try_from(1, "ben", "abcd", NULL), 0);
    cr_assert_eq(try_from(1, "ben", "xyzd", NULL), 2);
}

Test(store_penalties, ending_bans_does_not_make_the_owner_a_stranger_at_home)
{
    cr_assert_eq(try_from(1, "anna", "home", NULL), 0);
    cr_assert_eq(tried_from(1, "anna", "home", SK_TRIED_RIGHT), 0);
    (void)drop(1, "anna", "");
    for (int i = 0; i < 200; i++) {
        char network[32];
        (void)snprintf(network, sizeof(network), "n%d", i);
        (void)!try_from(1, "anna", network, NULL);
    }
    cr_assert_eq(try_from(1, "anna", "home", NULL), 0);
}

/* The n-th write, sync or allocation fails: the attempt is refused; what was counted before holds. */
Test(store_penalties, an_attempt_that_cannot_be_counted_is_refused)
{
    for (int memory = 0; memory < 2; memory++) {
        int done = 0;
        for (long n = 0; n < 400 && !done; n++) {
            (memory ? shop_fail_memory : shop_fail_files)(n, 1000);
            int r = try_from(1, "ben", "net9", NULL);
            long failed = shop_failed();
            shop_fail_none();
            done = failed == 0;
            cr_assert(failed ? r < 0 : r == 0 || r == 2, "%ld: %d", n, r);
            (void)drop(1, "ben", "");
        }
        cr_assert(done);
    }
}

Test(store_penalties, a_file_of_the_version_before_is_brought_to_this_one)
{
    cr_assert_eq(shop_put_session(&shop, 1, "k", "anna", 5), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    shop_sql(&shop, 1, "DROP TABLE penalties; DROP TABLE authenticators; DROP TABLE vouchers; DROP TABLE passwords; DROP TABLE spent; DROP TABLE api_keys; DROP INDEX sessions_sub; DROP INDEX sessions_sid; ALTER TABLE sessions DROP COLUMN sub; ALTER TABLE sessions DROP COLUMN sid; PRAGMA user_version = 1");
    ban("anna", "net1");
    cr_assert_eq(try_from(1, "anna", "net1", NULL), 2);
    uint64_t used;
    cr_assert_eq(shop_get_session(&shop, 1, "k", &used), 1, "rows of sessions say more since: who had one logs in again");
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h1");
}

Test(store_penalties, what_says_nothing_any_more_is_swept)
{
    for (int i = 0; i < 50; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)!try_from(1, name, "net1", NULL);
    }
    now += SK_BUDGET_MEMORY + 600 * SECOND;
    for (int i = 0; i < 10; i++) {
        (void)!try_from(1, "anna", "net2", NULL);
    }
    shop_sql(&shop, 1, "CREATE TABLE few (n CHECK (n < 20)); INSERT INTO few SELECT count(*) FROM penalties; DROP TABLE few");
}

Test(store_penalties, a_program_has_no_password_is_counted_like_others_and_costs_as_much_as_they)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_user program = {.name = SK_LIT("backup"), .hash = SK_LIT("00:1"), .roles = SK_LIT("viewer"), .backend = SK_BACKEND_KEY};
    struct sk_store_try t = {.name = program.name, .network = SK_LIT("net1"), .now = now, .max_retries = 1, .find_time = SECOND, .ban_time = SECOND};
    struct sk_store_got_user got;
    uint64_t wait;
    shop_tenant(1, program.tenant);
    shop_tenant(1, t.tenant);
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "anna", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"), 0);
    cr_assert_eq(sk_engine_put_user(shop.engine, &program), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
    cr_assert_eq(sk_engine_try(shop.engine, &t, &buf, &got, &wait), 1);
    cr_assert(!got.known && got.name.len == 0 && got.roles.len == 0);
    cr_assert(sk_slice_starts(got.hash, SK_LIT("$argon2id$v=19$m=65536,t=3,p=4$")), "%.*s", (int)got.hash.len, got.hash.data);
    cr_assert_eq(sk_engine_try(shop.engine, &t, &buf, &got, &wait), 2);
}

Test(store_penalties, a_file_full_of_counters_takes_none_of_strangers_but_those_at_home_whatever_came_first)
{
    uint64_t wait;
    cr_assert_eq(tried_from(1, "anna", "net1", SK_TRIED_RIGHT), 0);
    shop_sql(&shop, 1, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
                       "INSERT INTO penalties SELECT randomblob(16), 9000000000000000000, x'00' FROM n");
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(tried_from(1, "ben", "net1", SK_TRIED_WRONG), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(try_from(1, "ben", "net2", &wait), 2);
        cr_assert_eq(wait, 60);
        cr_assert_eq(try_from(1, "anna", "net1", NULL), 0);
        cr_assert_eq(tried_from(1, "anna", "net1", SK_TRIED_RIGHT), 0);
    }
    shop_sql(&shop, 1, "UPDATE penalties SET ends = 1 WHERE key IN (SELECT key FROM penalties WHERE ends > 8000000000000000000 LIMIT 100)");
    cr_assert_eq(try_from(1, "ben", "net2", NULL), 0, "what says nothing makes room");
}

/* No message holds up the store for longer than a part takes. */
Test(store_penalties, a_long_list_is_walked_in_parts_and_nothing_is_left_out)
{
    ban("anna", "net1");
    shop_sql(&shop, 1, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                       "INSERT INTO penalties SELECT randomblob(16), 2000000000000000000 + i / 3000, x'00' FROM n");
    ban("ben", "net2");
    shop_sql(&shop, 1, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                       "INSERT INTO penalties SELECT randomblob(16), 1, x'00' FROM n");
    const char *text = bans(1, "");
    cr_assert(strstr(text, "0 anna net1 ") && strstr(text, "0 ben net2 "), "%s", text);
    cr_assert(parts >= 8, "%u", parts);
    cr_assert_eq(drop(1, "", "net2"), 1);
    cr_assert_eq(drop(1, "anna", ""), 1);
    cr_assert_str_eq(bans(1, ""), "");
}
