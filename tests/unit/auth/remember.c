/* gateway/auth/remember.c: a verified password is remembered for its tenant, user and time, and never as itself. */
#include "auth/remember.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define PASSWORD "correct horse battery staple"

static struct auth auth;
static struct tenant tenants[2] = {{.id = {1}}, {.id = {2}}}, *const one = &tenants[0], *const two = &tenants[1];

static void begin(void)
{
    memset(auth.secret, 7, sizeof(auth.secret));
}

static void end(void)
{
    auth_forget(&auth, one, SK_SLICE_NULL, SK_SLICE_NULL);
    auth_forget(&auth, two, SK_SLICE_NULL, SK_SLICE_NULL);
    cr_assert(!one->newest && !one->oldest && !two->newest && !two->oldest && one->remembered_count + two->remembered_count == 0);
    cr_assert(auth.remembered_by_key.count == 0 && auth.remembered_by_session.count == 0);
    sk_table_free(&auth.remembered_by_key);
    sk_table_free(&auth.remembered_by_session);
}

TestSuite(auth_remember, .init = begin, .fini = end);

/* main.c's: who forgets an issuer tells the workers. */
void auth_broadcast(struct auth *to sk_unused, uint16_t code sk_unused, const void *message sk_unused)
{
}

static void key_of(struct tenant *tenant, const char *name, const char *password, uint8_t key[SK_SHA256_SIZE])
{
    auth_remember_key(&auth, tenant->id, SK_SLICE_NULL, sk_slice_str(name), sk_slice_str(password), key);
}

static struct remembered *remember(struct tenant *tenant, const char *name)
{
    uint8_t key[SK_SHA256_SIZE];
    key_of(tenant, name, PASSWORD, key);
    return auth_remember(&auth, tenant, sk_slice_str(name), key, SK_POLICY_FACTOR_PASSWORD, 0, SK_SLICE_NULL);
}

static bool known(struct tenant *tenant, const char *name)
{
    uint8_t key[SK_SHA256_SIZE];
    key_of(tenant, name, PASSWORD, key);
    return auth_remembered(&auth, key) != NULL;
}

Test(auth_remember, a_password_is_remembered_for_a_short_time_that_no_question_prolongs)
{
    cr_assert_not(known(one, "hanako"));
    cr_assert_not_null(remember(one, "hanako"));
    for (int i = 0; i < 3; i++) {
        cr_assert(known(one, "hanako"));
        sk_clock_advance((int64_t)(REMEMBER_LIFETIME / 4));
    }
    cr_assert(known(one, "hanako"));
    sk_clock_advance((int64_t)(REMEMBER_LIFETIME / 4 + SK_SECOND));
    cr_assert_not(known(one, "hanako"));
    cr_assert_eq(auth.remembered_by_key.count, 0, "what is over is gone");
}

Test(auth_remember, a_password_verified_again_is_remembered_anew_under_the_same_session)
{
    struct remembered *first = remember(one, "hanako");
    char session[65];
    (void)snprintf(session, sizeof(session), "%s", first->session);
    sk_clock_advance((int64_t)(REMEMBER_LIFETIME - SK_SECOND));
    cr_assert_str_eq(remember(one, "hanako")->session, session);
    sk_clock_advance((int64_t)(REMEMBER_LIFETIME - SK_SECOND));
    cr_assert(known(one, "hanako"));
    cr_assert_eq(auth.remembered_by_key.count, 1);
}

Test(auth_remember, tenant_name_password_and_the_process_own_key_all_count)
{
    uint8_t key[SK_SHA256_SIZE], other[SK_SHA256_SIZE];
    key_of(one, "hanako", PASSWORD, key);
    key_of(one, "hanako", PASSWORD, other);
    cr_assert_arr_eq(key, other, sizeof(key));
    key_of(two, "hanako", PASSWORD, other);
    cr_assert_arr_neq(key, other, sizeof(key), "another tenant");
    key_of(one, "hanak", PASSWORD, other);
    cr_assert_arr_neq(key, other, sizeof(key), "another name");
    key_of(one, "hanako", PASSWORD "x", other);
    cr_assert_arr_neq(key, other, sizeof(key), "another password");
    key_of(one, "hana", "ko" PASSWORD, other);
    cr_assert_arr_neq(key, other, sizeof(key), "the same bytes, parted elsewhere");
    auth.secret[31] ^= 1;
    key_of(one, "hanako", PASSWORD, other);
    cr_assert_arr_neq(key, other, sizeof(key), "another process' key");
}

Test(auth_remember, the_password_stands_nowhere)
{
    const struct remembered *r = remember(one, "hanako");
    const char *bytes = (const char *)r;
    for (size_t at = 0; at + 4 <= sizeof(*r); at++) {
        cr_assert(memcmp(bytes + at, PASSWORD, 4) != 0, "byte %zu", at);
    }
}

Test(auth_remember, a_session_is_found_at_its_own_tenant_alone)
{
    struct remembered *r = remember(one, "hanako");
    cr_assert_eq(strncmp(r->session, "basic-", 6), 0);
    cr_assert_eq(auth_remembered_session(&auth, one->id, sk_slice_str(r->session)), r);
    cr_assert_null(auth_remembered_session(&auth, two->id, sk_slice_str(r->session)));
    cr_assert_str_neq(remember(one, "jiro")->session, r->session);
    sk_clock_advance((int64_t)(REMEMBER_LIFETIME + SK_SECOND));
    cr_assert_null(auth_remembered_session(&auth, one->id, SK_LIT("basic-")));
    cr_assert_null(auth_remembered_session(&auth, one->id, sk_slice_str(remember(two, "hanako")->session)));
}

Test(auth_remember, what_is_to_be_forgotten_goes_and_nothing_else)
{
    (void)remember(one, "jiro");
    (void)remember(two, "hanako");
    struct remembered *hanako = remember(one, "hanako");
    auth_forget(&auth, one, sk_slice_str(hanako->session), SK_SLICE_NULL);
    cr_assert(!known(one, "hanako") && known(one, "jiro") && known(two, "hanako"), "by session");
    auth_forget(&auth, one, SK_SLICE_NULL, SK_LIT("hanako"));
    cr_assert(known(one, "jiro") && known(two, "hanako"), "another tenant's user of the name");
    auth_forget(&auth, two, SK_SLICE_NULL, SK_LIT("hanako"));
    cr_assert(known(one, "jiro") && !known(two, "hanako"), "by name");
    (void)remember(one, "hanako");
    auth_forget(&auth, one, SK_SLICE_NULL, SK_SLICE_NULL);
    cr_assert(!known(one, "jiro") && !known(one, "hanako"), "all of a tenant");
}

Test(auth_remember, the_first_of_a_tenant_makes_room_when_it_has_too_many_and_no_other_tenants, .timeout = 60)
{
    char name[32], last[32];
    (void)remember(two, "hanako");
    for (int i = 0; i <= REMEMBERED_OF_TENANT; i++) {
        (void)snprintf(name, sizeof(name), "user%d", i);
        cr_assert_not_null(remember(one, name));
    }
    (void)snprintf(last, sizeof(last), "user%d", REMEMBERED_OF_TENANT);
    cr_assert_eq(auth.remembered_by_key.count, REMEMBERED_OF_TENANT + 1);
    cr_assert_eq(auth.remembered_by_session.count, REMEMBERED_OF_TENANT + 1);
    cr_assert(!known(one, "user0") && known(one, "user1") && known(one, last));
    cr_assert(known(two, "hanako"));
}
