/* Authenticators, links and recovery codes: whose they are, that each is good once, and that they go with their user. */
#include "shop.h"

#include <criterion/criterion.h>

static struct shop shop;

static void begin(void)
{
    char changed[256];
    shop_init(&shop);
    cr_assert_eq(shop_import(&shop, 1, "d1", "anna:h1 ben:h2", changed), 0);
    cr_assert_eq(shop_import(&shop, 2, "d1", "anna:h1", changed), 0);
}

static void end(void)
{
    shop_free(&shop);
}

TestSuite(store_authenticators, .init = begin, .fini = end, .timeout = 60);

static int put(unsigned tenant, const char *user, const char *credential, const char *link)
{
    struct sk_store_put_authenticator m = {.credential = sk_slice_str(credential), .user = sk_slice_str(user), .label = SK_LIT("my key"),
            .key = SK_LIT("COSE"), .format = SK_LIT("none"), .created = 100, .counter = 5, .most = 2, .link = sk_slice_str(link)};
    shop_tenant(tenant, m.tenant);
    return sk_engine_put_authenticator(shop.engine, &m);
}

/* "user counter used" of the credential, or its result. */
static const char *get(unsigned tenant, const char *credential)
{
    static char text[128];
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_authenticator m = {.credential = sk_slice_str(credential)};
    struct sk_store_got_authenticator got;
    shop_tenant(tenant, m.tenant);
    int r = sk_engine_get_authenticator(shop.engine, &m, &buf, &got);
    (void)snprintf(text, sizeof(text), "%d", r);
    if (r == 0) {
        (void)snprintf(text, sizeof(text), "%.*s %llu %llu", (int)got.user.len, got.user.data, (unsigned long long)got.counter, (unsigned long long)got.used);
    }
    return text;
}

static int use(unsigned tenant, const char *credential, uint64_t before, uint64_t counter)
{
    struct sk_store_use_authenticator m = {.credential = sk_slice_str(credential), .before = before, .counter = counter, .used = 200};
    shop_tenant(tenant, m.tenant);
    return sk_engine_use_authenticator(shop.engine, &m);
}

static int vouch(unsigned tenant, const char *user, enum sk_voucher kind, const char *secrets)
{
    struct sk_store_put_vouchers m = {.user = sk_slice_str(user), .kind = kind, .ends = 1000, .now = 10, .secrets = sk_slice_str(secrets)};
    shop_tenant(tenant, m.tenant);
    return sk_engine_put_vouchers(shop.engine, &m);
}

/* How many are left, or minus the result less one. */
static int take(unsigned tenant, const char *user, enum sk_voucher kind, const char *secret, uint64_t now)
{
    struct sk_store_take_voucher m = {.user = sk_slice_str(user), .kind = kind, .now = now, .secret = sk_slice_str(secret)};
    uint64_t left;
    shop_tenant(tenant, m.tenant);
    int r = sk_engine_take_voucher(shop.engine, &m, &left);
    return r ? -r : (int)left;
}

static void count_row(void *context, const struct sk_store_got_authenticator *got)
{
    struct sk_slice user = *(struct sk_slice *)context;
    cr_expect(sk_slice_eq(got->user, user));
}

static uint64_t listed(unsigned tenant, const char *user)
{
    struct sk_slice name = sk_slice_str(user);
    struct sk_store_list_authenticators m = {.user = name};
    uint64_t count;
    shop_tenant(tenant, m.tenant);
    cr_assert_eq(sk_engine_list_authenticators(shop.engine, &m, count_row, &name, &count), 0);
    return count;
}

static uint64_t drop(unsigned tenant, const char *user, struct sk_slice id)
{
    struct sk_store_drop_authenticators m = {.user = sk_slice_str(user), .id = id};
    uint64_t count;
    shop_tenant(tenant, m.tenant);
    cr_assert_geq(sk_engine_drop_authenticators(shop.engine, &m, &count), 0);
    return count;
}

Test(store_authenticators, a_credential_is_one_users_of_one_tenant_and_stays_over_a_restart)
{
    cr_assert_eq(put(1, "anna", "c1", ""), 0);
    cr_expect_eq(put(1, "ben", "c1", ""), 4, "somebody has it");
    cr_expect_eq(put(2, "anna", "c1", ""), 0, "another tenant's is another");
    cr_assert_eq(put(1, "anna", "c2", ""), 0);
    cr_expect_eq(put(1, "anna", "c3", ""), 3, "two are the most");
    cr_assert_eq(shop_reopen(&shop), 0);
    cr_expect_str_eq(get(1, "c1"), "anna 5 0");
    cr_expect_str_eq(get(1, "c9"), "1");
    cr_expect_eq(listed(1, "anna"), 2);
    cr_expect_eq(listed(1, "ben"), 0);
}

Test(store_authenticators, a_counter_moves_from_what_was_read_alone)
{
    cr_assert_eq(put(1, "anna", "c1", ""), 0);
    cr_expect_eq(use(1, "c1", 5, 6), 0);
    cr_expect_eq(use(1, "c1", 5, 6), 1, "another use came between");
    cr_expect_eq(use(2, "c1", 6, 7), 1);
    cr_expect_str_eq(get(1, "c1"), "anna 6 200");
}

Test(store_authenticators, one_is_dropped_by_its_user_and_id_or_all_of_a_user)
{
    cr_assert_eq(put(1, "anna", "c1", ""), 0);
    cr_assert_eq(put(1, "anna", "c2", ""), 0);
    cr_assert_eq(put(1, "ben", "c3", ""), 0);
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_authenticator m = {.credential = SK_LIT("c1")};
    struct sk_store_got_authenticator got;
    shop_tenant(1, m.tenant);
    cr_assert_eq(sk_engine_get_authenticator(shop.engine, &m, &buf, &got), 0);
    struct sk_slice id = sk_slice(got.id, sizeof(got.id));
    cr_expect_eq(drop(1, "ben", id), 0, "it is not his");
    cr_expect_eq(drop(1, "anna", id), 1);
    cr_expect_str_eq(get(1, "c1"), "1");
    cr_expect_eq(drop(1, "anna", SK_SLICE_NULL), 1);
    cr_expect_str_eq(get(1, "c3"), "ben 5 0");
}

Test(store_authenticators, a_voucher_is_good_once_for_its_user_and_kind_and_not_too_late)
{
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_CODE, "one\ntwo\nthree"), 0);
    cr_expect_eq(take(1, "ben", SK_VOUCHER_CODE, "one", 20), -1);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_LINK, "one", 20), -1);
    cr_expect_eq(take(2, "anna", SK_VOUCHER_CODE, "one", 20), -1);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "one", 1000), -1);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "one", 999), 2);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "one", 999), -1);
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_CODE, "four"), 0);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "two", 20), -1, "new ones take the place of the old");
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "four", 20), 0);
}

Test(store_authenticators, codes_and_links_go_with_all_authenticators_and_stay_when_one_goes)
{
    cr_assert_eq(put(1, "anna", "c1", ""), 0);
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_CODE, "one\ntwo"), 0);
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_LINK, "link"), 0);
    cr_assert_eq(vouch(1, "ben", SK_VOUCHER_CODE, "three"), 0);
    cr_expect_eq(drop(1, "anna", SK_LIT("of no authentica")), 0);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "one", 20), 1);
    cr_expect_eq(drop(1, "anna", SK_SLICE_NULL), 1);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "two", 20), -1);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_LINK, "link", 20), -1);
    cr_expect_eq(take(1, "ben", SK_VOUCHER_CODE, "three", 20), 0);
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_CODE, "four"), 0);
    cr_expect_eq(drop(1, "anna", SK_SLICE_NULL), 0);
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "four", 20), -1, "also of who has no authenticator any more");
}

Test(store_authenticators, a_registration_uses_its_link_up_or_does_nothing)
{
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_LINK, "link"), 0);
    cr_expect_eq(put(1, "ben", "c1", "link"), 1, "it is not his");
    cr_expect_str_eq(get(1, "c1"), "1");
    cr_expect_eq(put(1, "anna", "c1", "link"), 0);
    cr_expect_eq(put(1, "anna", "c2", "link"), 1);
    cr_expect_str_eq(get(1, "c2"), "1");
}

Test(store_authenticators, who_comes_back_under_the_name_of_somebody_who_went_has_nothing)
{
    char changed[256];
    cr_assert_eq(put(1, "anna", "c1", ""), 0);
    cr_assert_eq(put(1, "ben", "c2", ""), 0);
    cr_assert_eq(vouch(1, "anna", SK_VOUCHER_CODE, "one"), 0);
    cr_assert_eq(shop_import(&shop, 1, "d2", "ben:other", changed), 0);
    cr_assert_eq(shop_import(&shop, 1, "d3", "anna:h1 ben:other", changed), 0);
    cr_expect_str_eq(get(1, "c1"), "1");
    cr_expect_eq(take(1, "anna", SK_VOUCHER_CODE, "one", 20), -1);
    cr_expect_str_eq(get(1, "c2"), "ben 5 0", "a new password takes nothing away");
}
