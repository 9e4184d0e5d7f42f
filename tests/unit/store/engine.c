/* gateway/store/engine.c: imports are whole or not at all, values are sealed in their place, sessions come
 * and go. */
#include "shop.h"

#include "crypto/digest.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

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

TestSuite(store_engine, .init = begin, .fini = end, .timeout = 60);

Test(store_engine, what_was_imported_is_there_after_a_start)
{
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1 ben:h2", changed), 0);
    cr_assert_str_eq(changed, "", "nothing was remembered of new users");
    for (int i = 0; i < 2; i++) {
        cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h1");
        cr_assert_str_eq(shop_hash(&shop, 1, "ben"), "h2");
        cr_assert_str_eq(shop_hash(&shop, 1, "carl"), "-");
        cr_assert_str_eq(shop_hash(&shop, 1, "Anna"), "-");
        cr_assert_eq(shop_reopen(&shop), 0);
    }
}

Test(store_engine, the_same_digest_needs_no_import)
{
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 1);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 1);
    cr_assert_eq(shop_begin(&shop, 2, "d1"), 0, "another tenant's is another");
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    sk_engine_cancel(shop.engine);
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 1, "a cancelled import changes nothing");
}

Test(store_engine, changed_and_gone_users_are_named)
{
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1 ben:h2 carl:h3", changed), 0);
    cr_assert_eq(shop_import(&shop, 1, "d2", "anna:h1 ben:other dora:h4", changed), 0);
    cr_assert_str_eq(changed, "ben,carl");
    cr_assert_str_eq(shop_hash(&shop, 1, "carl"), "-");
    cr_assert_str_eq(shop_hash(&shop, 1, "ben"), "other");
    cr_assert_str_eq(shop_hash(&shop, 1, "dora"), "h4");
    cr_assert_eq(shop_import(&shop, 1, "d3", "anna:h1 ben:other dora:h4", changed), 0);
    cr_assert_str_eq(changed, "");
}

Test(store_engine, every_field_of_a_user_counts_as_a_change)
{
    struct sk_store_user base = {.name = SK_LIT("anna"),
            .hash = SK_LIT("h"),
            .roles = SK_LIT("viewer"),
            .networks = SK_LIT("office")};
    shop_tenant(1, base.tenant);
    struct sk_store_user users[6] = {base, base, base, base, base, base};
    users[0].hash = SK_LIT("x");
    users[1].roles = SK_LIT("x");
    users[2].networks = SK_SLICE_NULL;
    users[3].backend = 1;
    users[4].restricted = 1;
    users[5].disabled = 1;
    for (size_t i = 0; i < SK_COUNT(users); i++) {
        char digest[16];
        for (int j = 0; j < 2; j++) {
            (void)snprintf(digest, sizeof(digest), "d%zu-%d", i, j);
            cr_assert_eq(shop_begin(&shop, 1, digest), 0);
            cr_assert_eq(sk_engine_put_user(shop.engine, j ? &users[i] : &base), 0);
            cr_assert_eq(shop_end(&shop, 1, changed), 0);
        }
        cr_assert_str_eq(changed, "anna", "%zu", i);
    }
}

Test(store_engine, a_cancelled_import_never_was)
{
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1", changed), 0);
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "anna", "h2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "mallory", "h3"), 0);
    sk_engine_cancel(shop.engine);
    cr_assert_lt(shop_end(&shop, 1, changed), 0);
    cr_assert_lt(shop_user(&shop, 1, "anna", "h9"), 0);
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h1");
    cr_assert_str_eq(shop_hash(&shop, 1, "mallory"), "-");
    sk_engine_cancel(shop.engine);
}

Test(store_engine, a_new_import_takes_the_place_of_one_that_did_not_end)
{
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 0);
    cr_assert_eq(shop_user(&shop, 1, "mallory", "h"), 0);
    cr_assert_eq(shop_import(&shop, 2, "d1", "anna:h1", changed), 0);
    cr_assert_str_eq(shop_hash(&shop, 1, "mallory"), "-");
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 0, "nothing was taken of it");
}

/* A user of the new file is nobody before all of the file is taken. */
Test(store_engine, nobody_sees_half_an_import)
{
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1", changed), 0);
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "anna", "h2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "mallory", "h3"), 0);
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h1");
    cr_assert_str_eq(shop_hash(&shop, 1, "mallory"), "-");
    sk_engine_cancel(shop.engine);
}

/* auth logs somebody out while the supervisor's import of the same tenant is under way, which then comes to
 * nothing. */
Test(store_engine, a_session_dropped_during_an_import_stays_dropped)
{
    uint64_t used;
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1", changed), 0);
    cr_assert_eq(shop_put_session(&shop, 1, "old", "anna", 10), 0);
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "anna", "h2"), 0);
    cr_assert_eq(shop_drop_session(&shop, 1, "old"), 0);
    cr_assert_eq(shop_put_session(&shop, 1, "new", "anna", 10), 0);
    sk_engine_cancel(shop.engine);
    cr_assert_eq(shop_get_session(&shop, 1, "old", &used), 1, "a logout was taken back");
    cr_assert_eq(shop_get_session(&shop, 1, "new", &used), 0, "a login was taken back");
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "h1");
}

Test(store_engine, an_import_names_its_own_tenant_alone)
{
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 0);
    cr_assert_lt(shop_user(&shop, 2, "mallory", "h"), 0);
    cr_assert_lt(shop_secret(&shop, 2, "app", "x-key", "v"), 0);
    cr_assert_lt(shop_end(&shop, 2, changed), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
    cr_assert_str_eq(shop_hash(&shop, 2, "mallory"), "-");
}

Test(store_engine, nothing_is_imported_without_a_beginning)
{
    cr_assert_lt(shop_user(&shop, 1, "anna", "h"), 0);
    cr_assert_lt(shop_secret(&shop, 1, "app", "x-key", "v"), 0);
    cr_assert_lt(shop_end(&shop, 1, changed), 0);
    sk_engine_cancel(shop.engine);
}

/* A role that many hold is changed: each of them is named, however many. */
Test(store_engine, a_change_of_every_user_of_a_large_tenant_is_taken)
{
    char name[64];
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(shop_begin(&shop, 1, round ? "d2" : "d1"), 0);
        for (int i = 0; i < 3000; i++) {
            (void)snprintf(name, sizeof(name), "somebody.%04d@customer.example", i);
            cr_assert_eq(shop_user(&shop, 1, name, round ? "h2" : "h1"), 0, "user %d", i);
        }
        cr_assert_eq(shop_end(&shop, 1, changed), 0);
    }
    cr_assert_str_eq(shop_hash(&shop, 1, "somebody.2999@customer.example"), "h2");
}

/* ---- secrets ---- */

static char secrets[256];

static void each_secret(void *context sk_unused, struct sk_slice header, struct sk_slice value)
{
    size_t len = strlen(secrets);
    (void)snprintf(secrets + len, sizeof(secrets) - len, "%.*s=%.*s;", (int)header.len, header.data,
            (int)value.len, value.data);
}

static int get_secrets(unsigned tenant, const char *app)
{
    struct sk_store_get_secrets get = {.app = sk_slice_str(app)};
    shop_tenant(tenant, get.tenant);
    secrets[0] = '\0';
    return sk_engine_get_secrets(shop.engine, &get, each_secret, NULL);
}

Test(store_engine, secrets_come_back_for_their_app_alone)
{
    cr_assert_eq(shop_begin(&shop, 1, "d1"), 0);
    cr_assert_eq(shop_secret(&shop, 1, "api", "x-api-key", "s3cret"), 0);
    cr_assert_eq(shop_secret(&shop, 1, "panel", "authorization", "Basic x"), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
    cr_assert_eq(get_secrets(1, "api"), 0);
    cr_assert_str_eq(secrets, "x-api-key=s3cret;");
    cr_assert_eq(get_secrets(1, "none"), 0);
    cr_assert_str_eq(secrets, "");
    cr_assert_eq(get_secrets(2, "api"), 1);
    cr_assert_eq(shop_begin(&shop, 1, "d2"), 0);
    cr_assert_eq(shop_secret(&shop, 1, "api", "x-api-key", "other"), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
    cr_assert_eq(get_secrets(1, "api"), 0);
    cr_assert_str_eq(secrets, "x-api-key=other;");
    cr_assert_eq(get_secrets(1, "panel"), 0);
    cr_assert_str_eq(secrets, "", "it is no longer in the file");
}

/* ---- what stands in the files ---- */

static void fill(unsigned tenant)
{
    cr_assert_eq(shop_begin(&shop, tenant, "d1"), 0);
    cr_assert_eq(shop_user(&shop, tenant, "hanako.yamada", "$argon2id$v=19$plain"), 0);
    cr_assert_eq(shop_user(&shop, tenant, "jiro", "$argon2id$v=19$jiro"), 0);
    cr_assert_eq(shop_secret(&shop, tenant, "application", "x-injected-header", "the-upstream-secret"), 0);
    cr_assert_eq(shop_secret(&shop, tenant, "second", "x-injected-header", "second-secret"), 0);
    cr_assert_eq(shop_end(&shop, tenant, changed), 0);
    cr_assert_eq(shop_put_session(&shop, tenant, "session-key", "hanako.yamada", 10), 0);
    cr_assert_eq(shop_put_session(&shop, tenant, "other-key", "jiro", 20), 0);
}

Test(store_engine, names_and_values_never_stand_in_a_file_as_they_are)
{
    static const char *const texts[] = {"hanako", "argon2id", "viewer", "x-injected-header",
            "the-upstream-secret", "application", "pwd", "MY SIGNING KEY"};
    fill(1);
    cr_assert_eq(sk_engine_put_key(shop.engine, SK_LIT("MY SIGNING KEY")), 0);
    for (int i = 0; i < 2; i++) {
        for (size_t t = 0; t < SK_COUNT(texts); t++) {
            cr_assert_eq(shop_grep(&shop, texts[t]), 0, "'%s'", texts[t]);
        }
        char root[33] = {0};
        memset(root, 0x5a, 32);
        cr_assert_eq(shop_grep(&shop, root), 0);
        cr_assert_eq(shop_reopen(&shop), 0);
    }
    cr_assert_gt(shop_grep(&shop, "acme"), 0, "the search would find something");
}

Test(store_engine, two_tenants_rows_of_the_same_user_have_nothing_in_common)
{
    char sql[400], path[160];
    fill(1);
    fill(2);
    shop_file(&shop, 1, path);
    (void)snprintf(sql, sizeof(sql),
            "ATTACH '%s' AS a; CREATE TEMP TABLE t (x CHECK (x = 0)); "
            "INSERT INTO t SELECT count(*) FROM main.users u, a.users v WHERE u.name_hash = v.name_hash OR "
            "u.sealed = v.sealed",
            path);
    shop_sql(&shop, 2, sql);
}

static void copy_row(unsigned from, unsigned to, const char *sql)
{
    char text[700], path[160];
    shop_file(&shop, from, path);
    (void)snprintf(text, sizeof(text), "ATTACH '%s' AS a; %s", path, sql);
    shop_sql(&shop, to, text);
}

Test(store_engine, rows_of_another_tenant_do_not_count)
{
    uint64_t used;
    fill(1);
    cr_assert_eq(shop_import(&shop, 2, "d1", "ben:h", changed), 0);
    copy_row(1, 2,
            "INSERT INTO main.users SELECT * FROM a.users; INSERT INTO main.sessions SELECT * FROM "
            "a.sessions; INSERT INTO main.secrets SELECT * FROM a.secrets");
    cr_assert_str_eq(shop_hash(&shop, 2, "hanako.yamada"), "-", "its name is not found");
    cr_assert_lt(shop_get_session(&shop, 2, "session-key", &used), 0, "its key is found and does not unseal");
    cr_assert_eq(get_secrets(2, "application"), 0);
    cr_assert_str_eq(secrets, "");
    copy_row(1, 2, "UPDATE main.users SET sealed = (SELECT sealed FROM a.users LIMIT 1)");
    cr_assert_str_eq(shop_hash(&shop, 2, "ben"), "!");
}

Test(store_engine, a_value_in_another_column_does_not_unseal)
{
    uint64_t used;
    fill(1);
    shop_sql(&shop, 1, "UPDATE users SET sealed = (SELECT sealed FROM secrets LIMIT 1)");
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "!");
    shop_sql(&shop, 1, "UPDATE secrets SET sealed = (SELECT sealed FROM sessions LIMIT 1)");
    cr_assert_lt(get_secrets(1, "application"), 0);
    cr_assert_str_eq(secrets, "");
    shop_sql(&shop, 1, "UPDATE sessions SET sealed = (SELECT sealed FROM users LIMIT 1)");
    cr_assert_lt(shop_get_session(&shop, 1, "session-key", &used), 0);
}

Test(store_engine, a_value_in_another_row_is_refused)
{
    uint64_t used;
    fill(1);
    shop_sql(&shop, 1,
            "UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE key = cast('other-key' AS "
            "blob))");
    cr_assert_lt(shop_get_session(&shop, 1, "session-key", &used), 0);
    cr_assert_eq(shop_get_session(&shop, 1, "other-key", &used), 0);
    shop_sql(&shop, 1, "UPDATE users SET sealed = (SELECT sealed FROM users LIMIT 1)");
    int refused = (shop_hash(&shop, 1, "jiro")[0] == '!') + (shop_hash(&shop, 1, "hanako.yamada")[0] == '!');
    cr_assert_eq(refused, 1, "one of the two has the other's row");
    shop_sql(&shop, 1, "UPDATE secrets SET sealed = (SELECT sealed FROM secrets LIMIT 1)");
    refused = (get_secrets(1, "application") < 0) + (get_secrets(1, "second") < 0);
    cr_assert_eq(refused, 1, "an app got the other app's secret");
}

Test(store_engine, any_changed_byte_of_a_sealed_value_is_refused)
{
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1", changed), 0);
    for (int i = 1; i < 60; i++) {
        char sql[300];
        (void)snprintf(sql, sizeof(sql),
                "UPDATE users SET sealed = cast(substr(sealed, 1, %d) || x'00' || substr(sealed, %d) AS "
                "blob)",
                i - 1, i + 1);
        shop_sql(&shop, 1, "CREATE TABLE IF NOT EXISTS kept AS SELECT sealed FROM users");
        shop_sql(&shop, 1, sql);
        const char *hash = shop_hash(&shop, 1, "anna");
        cr_assert(strcmp(hash, "!") == 0 || strcmp(hash, "h1") == 0, "byte %d: %s", i, hash);
        shop_sql(&shop, 1, "UPDATE users SET sealed = (SELECT sealed FROM kept)");
    }
    shop_sql(&shop, 1, "UPDATE users SET sealed = x''");
    cr_assert_str_eq(shop_hash(&shop, 1, "anna"), "!");
}

Test(store_engine, under_another_root_key_nothing_is_read)
{
    uint64_t used;
    struct sk_buf der SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    fill(1);
    cr_assert_eq(sk_engine_put_key(shop.engine, SK_LIT("DER")), 0);
    shop.key[31] ^= 1;
    int r = shop_reopen(&shop);
    if (r == 0) {
        cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "!");
        cr_assert_lt(shop_get_session(&shop, 1, "session-key", &used), 0);
        cr_assert_lt(shop_put_session(&shop, 1, "another", "jiro", 1), 0);
        cr_assert_lt(get_secrets(1, "application"), 0);
        cr_assert_lt(shop_begin(&shop, 1, "d2"), 0);
        cr_assert_lt(sk_engine_get_key(shop.engine, &der), 0);
    }
    shop.key[31] ^= 1;
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "$argon2id$v=19$jiro");
}

Test(store_engine, a_tenants_key_moved_to_another_tenant_does_not_unwrap)
{
    fill(1);
    fill(2);
    cr_assert_eq(shop_reopen(&shop), 0);
    shop_sql(&shop, 0,
            "UPDATE tenants SET wrapped_key = (SELECT wrapped_key FROM tenants ORDER BY id LIMIT 1)");
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "$argon2id$v=19$jiro");
    cr_assert_str_eq(shop_hash(&shop, 2, "jiro"), "!");
}

Test(store_engine, the_signing_key_comes_back_and_is_sealed)
{
    struct sk_buf der SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    cr_assert_eq(sk_engine_get_key(shop.engine, &der), 1);
    cr_assert_eq(sk_engine_put_key(shop.engine, SK_LIT("ONE")), 0);
    cr_assert_eq(sk_engine_put_key(shop.engine, SK_LIT("TWO")), 0);
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_assert_eq(sk_engine_get_key(shop.engine, &der), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&der), SK_LIT("TWO")));
}

Test(store_engine, a_newer_schema_is_refused)
{
    uint64_t used;
    fill(1);
    cr_assert_eq(shop_reopen(&shop), 0);
    shop_sql(&shop, 1, "PRAGMA user_version = 99");
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "!", "a file of a newer version is no absence of the user");
    cr_assert_lt(shop_get_session(&shop, 1, "session-key", &used), 0);
    cr_assert_lt(shop_begin(&shop, 1, "d2"), 0);
    shop_sql(&shop, 1, "PRAGMA user_version = 7");
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "$argon2id$v=19$jiro", "nothing was done to it");
    shop_sql(&shop, 0, "PRAGMA user_version = 99");
    cr_assert_eq(shop_reopen(&shop), 1);
    shop_sql(&shop, 0, "PRAGMA user_version = 1");
    cr_assert_eq(shop_reopen(&shop), 0);
}

Test(store_engine, a_file_that_is_no_database_is_refused)
{
    char path[160];
    fill(1);
    cr_assert_eq(shop_reopen(&shop), 0);
    shop_file(&shop, 1, path);
    FILE *file = fopen(path, "w");
    cr_assert(file &&
              fputs("this is no database, whatever its name says; it is long enough to be looked at, though",
                      file) >= 0);
    cr_assert_eq(fclose(file), 0);
    cr_assert_str_eq(shop_hash(&shop, 1, "jiro"), "!");
}

/* ---- sessions ---- */

Test(store_engine, sessions_are_put_touched_and_dropped)
{
    uint64_t used = 0;
    fill(1);
    cr_assert_eq(shop_get_session(&shop, 1, "session-key", &used), 0);
    cr_assert_eq(used, 10);
    struct sk_store_touch_session touch = {.key = SK_LIT("session-key"), .used = 50};
    shop_tenant(1, touch.tenant);
    cr_assert_eq(sk_engine_touch_session(shop.engine, &touch), 0);
    touch.used = 40;
    (void)!sk_engine_touch_session(shop.engine, &touch);
    cr_assert_eq(shop_get_session(&shop, 1, "session-key", &used), 0);
    cr_assert_eq(used, 50, "time does not go back");
    cr_assert_eq(shop_drop_session(&shop, 1, "session-key"), 0);
    cr_assert_eq(shop_get_session(&shop, 1, "session-key", &used), 1);
    cr_assert_geq(sk_engine_touch_session(shop.engine, &touch), 0);
    cr_assert_eq(shop_get_session(&shop, 1, "session-key", &used), 1, "a touch revives nothing");
    cr_assert_eq(shop_drop_session(&shop, 1, "session-key"), 1);
    cr_assert_eq(shop_get_session(&shop, 1, "other-key", &used), 0);
    cr_assert_eq(shop_get_session(&shop, 2, "other-key", &used), 1, "a tenant nobody knows");
    cr_assert_lt(shop_put_session(&shop, 1, "other-key", "mallory", 1), 0, "a key is not used twice");
}

static char listed[256];

static void each_session(void *context sk_unused, const struct sk_store_got_session *session)
{
    size_t len = strlen(listed);
    cr_assert_eq(session->ticket, 8);
    (void)snprintf(listed + len, sizeof(listed) - len, "%.*s@%lu ", (int)session->subject.len,
            session->subject.data, (unsigned long)session->used);
}

static int list(unsigned tenant)
{
    struct sk_store_list_sessions m = {.ticket = 8, .most = 100};
    shop_tenant(tenant, m.tenant);
    listed[0] = '\0';
    uint64_t count;
    return sk_engine_list_sessions(shop.engine, &m, each_session, NULL, &count);
}

Test(store_engine, sessions_are_listed_newest_use_first_for_their_tenant)
{
    fill(1);
    cr_assert_eq(shop_import(&shop, 2, "d1", "ben:h", changed), 0);
    cr_assert_eq(shop_put_session(&shop, 2, "third", "ben", 15), 0);
    cr_assert_eq(list(1), 0);
    cr_assert_str_eq(listed, "jiro@20 hanako.yamada@10 ");
    cr_assert_eq(list(2), 0);
    cr_assert_str_eq(listed, "ben@15 ");
    cr_assert_eq(list(3), 1);
}

/* ---- many tenants ---- */

static unsigned open_files(void)
{
    unsigned count = 0;
    char path[64], target[256];
    for (int fd = 0; fd < 4096; fd++) {
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        count += strstr(target, "/tenants/") && n > 3 && strcmp(target + n - 3, ".db") == 0;
    }
    return count;
}

Test(store_engine, three_hundred_tenants_are_served_with_256_open_files)
{
    uint64_t used;
    for (unsigned n = 1; n <= 300; n++) {
        char user[32];
        (void)snprintf(user, sizeof(user), "u%u:h%u", n, n);
        cr_assert_eq(shop_import(&shop, n, "d", user, changed), 0);
        cr_assert_eq(shop_put_session(&shop, n, "k", "anna", n), 0);
    }
    cr_assert_leq(open_files(), 256);
    for (unsigned i = 0; i < 900; i++) {
        unsigned n = 1 + i * 7 % 300;
        char name[16], hash[16];
        (void)snprintf(name, sizeof(name), "u%u", n);
        (void)snprintf(hash, sizeof(hash), "h%u", n);
        cr_assert_str_eq(shop_hash(&shop, n, name), hash);
        cr_assert(shop_get_session(&shop, n, "k", &used) == 0 && used == n);
    }
    cr_assert_leq(open_files(), 256);
}

Test(store_engine, an_import_lasts_while_other_tenants_come_and_go)
{
    for (unsigned n = 1; n <= 300; n++) {
        cr_assert_eq(shop_import(&shop, n, "d", "anna:h", changed), 0);
    }
    cr_assert_eq(shop_begin(&shop, 7, "d2"), 0);
    cr_assert_eq(shop_user(&shop, 7, "anna", "new"), 0);
    for (unsigned n = 1; n <= 300; n++) {
        cr_assert_str_eq(shop_hash(&shop, n, "anna"), "h", "%u", n);
    }
    cr_assert_leq(open_files(), 257);
    cr_assert_eq(shop_user(&shop, 7, "ben", "new"), 0);
    cr_assert_eq(shop_end(&shop, 7, changed), 0);
    cr_assert_str_eq(changed, "anna");
    cr_assert_str_eq(shop_hash(&shop, 7, "ben"), "new");
}
