/* gateway/store/sessions.c: sessions end all at once or not at all, are counted truly, and none outlives its password. */
#include "shop.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct shop shop;
static char changed[256];

static void begin(void)
{
    shop_init(&shop);
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1 ben:h2 carl:h3", changed), 0);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_sessions, .init = begin, .fini = end, .timeout = 60);

static bool there(const char *key)
{
    uint64_t used;
    int r = shop_get_session(&shop, 1, key, &used);
    cr_assert_geq(r, 0);
    return r == 0;
}

static int drop_all(unsigned tenant, const char *subject, uint64_t started, uint64_t used, uint64_t *count)
{
    struct sk_store_drop_sessions drop = {.subject = sk_slice_str(subject), .started = started, .used = used};
    shop_tenant(tenant, drop.tenant);
    return sk_engine_drop_sessions(shop.engine, &drop, count);
}

static void put_many(const char *prefix, const char *subject, int count, uint64_t used)
{
    char key[64];
    for (int i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "%s%d", prefix, i);
        cr_assert_eq(shop_put_session(&shop, 1, key, subject, used), 0);
    }
}

Test(store_sessions, all_of_a_subject_end_and_those_that_lived_are_counted)
{
    uint64_t count;
    put_many("live", "anna", 3, 100);
    put_many("idle", "anna", 2, 10);
    put_many("other", "ben", 2, 100);
    cr_assert_eq(drop_all(1, "anna", 0, 50, &count), 0);
    cr_assert_eq(count, 3);
    cr_assert(!there("live0") && !there("live2") && !there("idle0") && !there("idle1"));
    cr_assert(there("other0") && there("other1"));
    cr_assert_eq(drop_all(1, "anna", 0, 0, &count), 0);
    cr_assert_eq(count, 0);
    cr_assert_eq(drop_all(1, "ben", 6, 0, &count), 0);
    cr_assert_eq(count, 0, "they were started at 5");
    cr_assert(!there("other0"));
    cr_assert_eq(drop_all(3, "anna", 0, 0, &count), 1, "a tenant nobody knows");
}

/* The disk fails at its n-th use: then none has ended, and nobody is told that some have. */
Test(store_sessions, what_cannot_be_dropped_is_not_said_to_be)
{
    uint64_t count;
    bool reached = true;
    for (long n = 0; reached; n++) {
        put_many("a", "anna", 5, 100);
        shop_fail_files(n, 1);
        int r = drop_all(1, "anna", 0, 0, &count);
        reached = shop_failed() > 0;
        shop_fail_none();
        int left = 0;
        char key[8];
        for (int i = 0; i < 5; i++) {
            (void)snprintf(key, sizeof(key), "a%d", i);
            left += there(key);
        }
        cr_assert(r < 0 ? count == 0 && left == 5 : count == 5 && left == 0, "use %ld: %d, %lu, %d left", n, r, (unsigned long)count, left);
        cr_assert_eq(drop_all(1, "anna", 0, 0, &count), 0);
    }
}

Test(store_sessions, a_new_session_sweeps_old_ones_some_at_a_time)
{
    struct sk_store_put_session put = {.key = SK_LIT("new"), .subject = SK_LIT("ben"), .started = 5, .used = 500, .sweep = 100};
    shop_tenant(1, put.tenant);
    put_many("old", "anna", 100, 99);
    put_many("live", "anna", 2, 100);
    cr_assert_eq(sk_engine_put_session(shop.engine, &put), 0);
    int left = 0;
    char key[16];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "old%d", i);
        left += there(key);
    }
    cr_assert_eq(left, 36, "%d left", left);
    cr_assert(there("live0") && there("live1") && there("new"));
    put.key = SK_LIT("newer");
    cr_assert_eq(sk_engine_put_session(shop.engine, &put), 0);
    cr_assert(!there("old0") && !there("old99") && there("live0") && there("new"));
}

Test(store_sessions, a_session_that_cannot_be_put_sweeps_nothing)
{
    struct sk_store_put_session put = {.key = SK_LIT("old0"), .subject = SK_LIT("ben"), .used = 500, .sweep = 100};
    shop_tenant(1, put.tenant);
    put_many("old", "anna", 2, 99);
    cr_assert_lt(sk_engine_put_session(shop.engine, &put), 0, "a key is not used twice");
    cr_assert(there("old0") && there("old1"));
}

static char listed[256];

static void each(void *context sk_unused, const struct sk_store_got_session *session)
{
    size_t len = strlen(listed);
    (void)snprintf(listed + len, sizeof(listed) - len, "%.*s ", (int)session->key.len, session->key.data);
}

Test(store_sessions, a_list_is_bounded_filtered_and_counted)
{
    struct sk_store_list_sessions list = {.subject = SK_LIT("anna"), .used = 12, .most = 2};
    uint64_t count;
    shop_tenant(1, list.tenant);
    for (int i = 0; i < 5; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "s%d", i);
        cr_assert_eq(shop_put_session(&shop, 1, key, i == 3 ? "ben" : "anna", 10 + (uint64_t)i), 0);
    }
    cr_assert_eq(sk_engine_list_sessions(shop.engine, &list, each, NULL, &count), 0);
    cr_assert_str_eq(listed, "s4 s2 ");
    cr_assert_eq(count, 2);
    list.used = 0;
    list.most = 1;
    listed[0] = '\0';
    cr_assert_eq(sk_engine_list_sessions(shop.engine, &list, each, NULL, &count), 0);
    cr_assert_str_eq(listed, "s4 ");
    cr_assert_eq(count, 4);
}

/* ---- imports ---- */

static void one_session_each(void)
{
    cr_assert_eq(shop_put_session(&shop, 1, "of-anna", "anna", 10), 0);
    cr_assert_eq(shop_put_session(&shop, 1, "of-ben", "ben", 10), 0);
    cr_assert_eq(shop_put_session(&shop, 1, "of-carl", "carl", 10), 0);
}

Test(store_sessions, another_password_ends_a_users_sessions)
{
    one_session_each();
    cr_assert_eq(shop_import(&shop, 1, "d2", "anna:other ben:h2 carl:h3", changed), 0);
    cr_assert(!there("of-anna") && there("of-ben") && there("of-carl"));
}

Test(store_sessions, a_user_made_again_does_not_get_the_old_ones_sessions)
{
    one_session_each();
    cr_assert_eq(shop_import(&shop, 1, "d2", "ben:h2 carl:h3", changed), 0);
    cr_assert(!there("of-anna"));
    cr_assert_eq(shop_put_session(&shop, 1, "late", "anna", 10), 0, "a login that was under way");
    cr_assert_eq(shop_import(&shop, 1, "d3", "anna:h1 ben:h2 carl:h3", changed), 0);
    cr_assert(!there("of-anna") && !there("late") && there("of-ben"));
}

static void import_anna(const char *digest, struct sk_store_user user)
{
    user.name = SK_LIT("anna");
    shop_tenant(1, user.tenant);
    cr_assert_eq(shop_begin(&shop, 1, digest), 0);
    cr_assert_eq(sk_engine_put_user(shop.engine, &user), 0);
    cr_assert_eq(shop_user(&shop, 1, "ben", "h2"), 0);
    cr_assert_eq(shop_user(&shop, 1, "carl", "h3"), 0);
    cr_assert_eq(shop_end(&shop, 1, changed), 0);
}

Test(store_sessions, a_disabled_user_has_no_sessions_and_another_backend_is_another_password)
{
    one_session_each();
    import_anna("d2", (struct sk_store_user){.hash = SK_LIT("h1"), .roles = SK_LIT("other")});
    cr_assert(there("of-anna"), "other roles are no other password");
    import_anna("d3", (struct sk_store_user){.hash = SK_LIT("h1"), .disabled = 1});
    cr_assert(!there("of-anna") && there("of-ben"));
    cr_assert_eq(shop_put_session(&shop, 1, "late", "anna", 10), 0);
    import_anna("d4", (struct sk_store_user){.hash = SK_LIT("h1"), .roles = SK_LIT("viewer"), .disabled = 1});
    cr_assert(!there("late"));
    import_anna("d5", (struct sk_store_user){.hash = SK_LIT("h1")});
    cr_assert_eq(shop_put_session(&shop, 1, "new", "anna", 10), 0);
    import_anna("d6", (struct sk_store_user){.backend = 1});
    cr_assert(!there("new") && there("of-carl"));
}

/* The users and their sessions change together. */
Test(store_sessions, an_import_that_fails_ends_no_session)
{
    bool reached = true;
    for (long n = 0; reached; n++) {
        char digest[32];
        cr_assert_geq(shop_put_session(&shop, 1, "of-anna", "anna", 10), 0);
        (void)snprintf(digest, sizeof(digest), "x%ld", n);
        shop_fail_files(n, 1);
        int r = shop_import(&shop, 1, digest, "anna:other ben:h2", changed);
        reached = shop_failed() > 0;
        shop_fail_none();
        bool taken = strcmp(shop_hash(&shop, 1, "anna"), "other") == 0;
        cr_assert_eq(taken, !there("of-anna"), "use %ld: %d", n, r);
        (void)snprintf(digest, sizeof(digest), "y%ld", n);
        cr_assert_geq(shop_import(&shop, 1, digest, "anna:h1 ben:h2 carl:h3", changed), 0);
        uint64_t count;
        cr_assert_eq(drop_all(1, "anna", 0, 0, &count), 0);
    }
}

/* ---- of who signed in at an identity provider ---- */

static void put_signed_in(unsigned tenant, const char *key, const char *provider, const char *sub, const char *sid)
{
    struct sk_store_put_session put = {.key = sk_slice_str(key), .subject = SK_LIT("corp:someone"), .started = 5, .used = 100, .proofs = SK_LIT("oidc@1700000000"),
            .provider = sk_slice_str(provider), .sub = sk_slice_str(sub), .sid = sk_slice_str(sid), .claims = SK_LIT("ops,dev")};
    shop_tenant(tenant, put.tenant);
    cr_assert_eq(sk_engine_put_session(shop.engine, &put), 0);
}

static char gone[256];

static void note_gone(void *context, const struct sk_store_got_session *session)
{
    size_t len = strlen(gone);
    if (len > sizeof(gone) - 80) {
        return;
    }
    cr_expect_eq(session->ticket, *(const uint64_t *)context);
    cr_expect(sk_slice_eq(session->subject, SK_LIT("corp:someone")));
    (void)snprintf(gone + len, sizeof(gone) - len, "%.*s ", (int)session->key.len, session->key.data);
}

static uint64_t drop_signed_in(unsigned tenant, const char *provider, const char *sub, const char *sid)
{
    uint64_t ticket = 77, count;
    struct sk_store_drop_signed_in drop = {.ticket = ticket, .provider = sk_slice_str(provider), .sub = sk_slice_str(sub), .sid = sk_slice_str(sid)};
    shop_tenant(tenant, drop.tenant);
    gone[0] = '\0';
    cr_assert_eq(sk_engine_drop_signed_in(shop.engine, &drop, note_gone, &ticket, &count), 0);
    return count;
}

Test(store_sessions, a_provider_s_logout_ends_those_of_its_session_or_user_and_each_is_told)
{
    cr_assert_eq(shop_import(&shop, 2, "d2", "anna:h1", changed), 0);
    put_signed_in(1, "a1", "corp", "anna", "s1");
    put_signed_in(1, "a2", "corp", "anna", "s2");
    put_signed_in(1, "a3", "corp", "anna", "");
    put_signed_in(1, "b1", "corp", "ben", "s3");
    put_signed_in(1, "x1", "other", "anna", "s1");
    put_signed_in(2, "z1", "corp", "anna", "s1");
    cr_assert_eq(shop_put_session(&shop, 1, "local", "corp:anna", 100), 0);
    cr_assert_eq(drop_signed_in(1, "corp", "anna", "s1"), 2);
    cr_expect_str_eq(gone, "a1 a3 ", "that session, and one of hers of which the provider said no name");
    cr_assert_eq(drop_signed_in(1, "corp", "anna", "s1"), 0);
    cr_expect_str_empty(gone);
    cr_assert_eq(drop_signed_in(1, "corp", "", "s3"), 1);
    cr_expect_str_eq(gone, "b1 ");
    cr_assert_eq(drop_signed_in(1, "corp", "anna", ""), 1);
    cr_expect_str_eq(gone, "a2 ");
    cr_expect(there("x1") && there("local"));
    uint64_t used;
    cr_expect_eq(shop_get_session(&shop, 2, "z1", &used), 0);
}

/* Others are served between two parts. */
Test(store_sessions, so_many_of_a_provider_s_end_at_a_time)
{
    char key[64];
    gone[0] = '\0';
    for (int i = 0; i < SK_STORE_SIGNED_IN_PART + 10; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        put_signed_in(1, key, "corp", "anna", "");
    }
    cr_assert_eq(drop_signed_in(1, "corp", "anna", ""), SK_STORE_SIGNED_IN_PART);
    cr_assert_eq(drop_signed_in(1, "corp", "anna", ""), 10);
    cr_assert_eq(drop_signed_in(1, "corp", "anna", ""), 0);
}

Test(store_sessions, what_a_provider_s_claims_said_comes_back_with_the_session)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_session got;
    struct sk_store_get_session get = {.key = SK_LIT("a1")};
    shop_tenant(1, get.tenant);
    put_signed_in(1, "a1", "corp", "anna", "s1");
    cr_assert_eq(sk_engine_get_session(shop.engine, &get, &buf, &got), 0);
    cr_expect(sk_slice_eq(got.provider, SK_LIT("corp")) && sk_slice_eq(got.sub, SK_LIT("anna")) && sk_slice_eq(got.sid, SK_LIT("s1")));
    cr_expect(sk_slice_eq(got.claims, SK_LIT("ops,dev")));
}
