/* gateway/auth/jobs.c and grants.c: a revocation holds for what is under way while it comes. */
#include "rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static struct rig_grant administrator;

static void begin(void)
{
    rig_start(&rig);
    rig_admit(&rig, 1, 25, 1, "ops", &administrator);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_revoke, .init = begin, .fini = end, .timeout = 60);

static void revoke(uint64_t ticket, const char *target, const char *user)
{
    struct sk_auth_revoke m = {.ticket = ticket, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = administrator.session_text,
            .proof = administrator.proof_text, .target = sk_slice_str(target), .user = sk_slice_str(user)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 1, SK_AUTH_REVOKE, &m);
    rig_records(&rig, 1);
    rig_durable(&rig);
}

/* The check's session was there when the store was asked, and is dropped before its user is known. */
Test(auth_revoke, a_session_revoked_while_it_is_checked_is_not_granted)
{
    char key[65];
    rig_check(&rig, 0, 1, 1);
    const struct sk_store_get_session *get = rig_at_store(&rig, SK_STORE_GET_SESSION);
    uint64_t check = get->ticket;
    (void)snprintf(key, sizeof(key), "%.*s", (int)get->key.len, get->key.data);
    revoke(2, key, "");
    uint64_t drop = rig_asked(&rig, SK_STORE_DROP_SESSIONS);
    rig_session(&rig, check, key, "mallory");
    uint64_t user = rig_asked(&rig, SK_STORE_GET_USER);
    rig_result(&rig, drop, 0, 1);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_user(&rig, user, "mallory", "owner");
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), 1, 0);
    rig_refused(&rig, 0, 1, "login-required");
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    cr_assert_eq(((const struct sk_auth_done *)rig_at_worker(&rig, 1, SK_AUTH_DONE))->count, 1);
}

/* A role was taken away: the session holds, with what the user has now. */
Test(auth_revoke, a_user_changed_while_a_session_is_checked_is_looked_up_again)
{
    rig_check(&rig, 0, 1, 1);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "k", "hanako");
    uint64_t user = rig_asked(&rig, SK_STORE_GET_USER);
    rig_changed(&rig, 1, "jiro,hanako");
    rig_user(&rig, user, "hanako", "owner");
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "k", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "reader");
    (void)rig_at_store(&rig, SK_STORE_TOUCH_SESSION);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    const struct sk_auth_grant *grant = rig_granted(&rig, 0, 1, "hanako");
    cr_assert(sk_slice_eq(grant->roles, SK_LIT("reader")));
}

/* Takes a login of `user` to where the store has its session; the session's key. */
static uint64_t login_to_session(const char *user, char key[65])
{
    rig_login(&rig, 0, SK_AUTH_LOGIN, 1, 1, user);
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), user, "owner");
    rig_verdict(&rig, rig_verify(&rig), 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    const struct sk_store_put_session *put = rig_at_store(&rig, SK_STORE_PUT_SESSION);
    (void)snprintf(key, 65, "%.*s", (int)put->key.len, put->key.data);
    return put->ticket;
}

static void is_dropped(const char *key)
{
    const struct sk_store_drop_sessions *drop = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_assert(sk_slice_eq(drop->key, sk_slice_str(key)));
    uint8_t id[SK_ID_SIZE];
    rig_tenant(1, id);
    cr_assert_arr_eq(drop->tenant, id, SK_ID_SIZE);
}

Test(auth_revoke, a_login_under_way_while_all_of_its_user_is_revoked_is_refused_and_leaves_no_session)
{
    char key[65];
    uint64_t put = login_to_session("mallory", key);
    revoke(2, "", "mallory");
    const struct sk_store_drop_sessions *all = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_assert(sk_slice_eq(all->subject, SK_LIT("mallory")) && all->key.len == 0);
    uint64_t drop = all->ticket;
    rig_result(&rig, put, 0, 0);
    rig_records(&rig, 1);
    rig_result(&rig, drop, 0, 3);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "account-changed");
    is_dropped(key);
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    cr_assert_eq(((const struct sk_auth_done *)rig_at_worker(&rig, 1, SK_AUTH_DONE))->count, 3);
}

Test(auth_revoke, a_user_changed_while_the_logins_record_waits_is_not_granted)
{
    char key[65];
    rig_result(&rig, login_to_session("hanako", key), 0, 0);
    rig_records(&rig, 1);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "account-changed");
    is_dropped(key);
}

Test(auth_revoke, a_user_changed_while_the_record_of_basic_waits_is_not_granted_nor_remembered)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "hanako", "owner");
    rig_verdict(&rig, rig_verify(&rig), 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    rig_records(&rig, 1);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "account-changed");
    rig_login(&rig, 0, SK_AUTH_BASIC, 2, 1, "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "hanako", "owner");
    (void)rig_verify(&rig); /* the password is asked for anew */
}

Test(auth_revoke, another_users_change_is_no_concern_of_a_login)
{
    char key[65];
    rig_result(&rig, login_to_session("hanako", key), 0, 0);
    rig_records(&rig, 1);
    rig_changed(&rig, 1, "jiro");
    rig_changed(&rig, 2, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    cr_assert(sk_slice_eq(rig_granted(&rig, 0, 1, "hanako")->session, sk_slice_str(key)));
}

Test(auth_revoke, what_the_store_refuses_to_drop_is_not_said_to_be_ended)
{
    revoke(2, "", "mallory");
    rig_result(&rig, rig_asked(&rig, SK_STORE_DROP_SESSIONS), 2, 0);
    rig_refused(&rig, 1, 2, "store-unavailable");
}
