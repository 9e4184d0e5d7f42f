/* gateway/auth/attempts.c: a password is counted before it is verified, once for all who send it at one time. */
#include "rig.h"

#include "conf/conf.h"

#include <criterion/criterion.h>

static struct rig rig;

static void begin(void)
{
    rig_start(&rig);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_attempts, .init = begin, .fini = end, .timeout = 60);

static uint64_t basic_to_verify(unsigned worker, uint64_t ticket, const char *user)
{
    rig_login(&rig, worker, SK_AUTH_BASIC, ticket, 1, user);
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), user, "all");
    return rig_verify(&rig);
}

static void tried(enum sk_tried verdict)
{
    const struct sk_store_tried *m = rig_at_store(&rig, SK_STORE_TRIED);
    cr_assert_eq(m->verdict, (uint64_t)verdict);
    rig_result(&rig, m->ticket, 0, 0);
}

/* The same name and password as rig_login says, from somewhere else. */
static void basic_from(unsigned worker, uint64_t ticket, struct sk_slice address)
{
    struct sk_auth_basic m = {.ticket = ticket, .host = SK_LIT("one.test"), .address = address, .user = SK_LIT("hanako"), .password = SK_LIT("a password")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_BASIC, &m);
}

/* Auth has read what this worker asked before. */
static void has_read(unsigned worker)
{
    rig_check(&rig, worker, 90 + worker, 1);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), 1, 0);
    rig_refused(&rig, worker, 90 + worker, "login-required");
}

Test(auth_attempts, the_store_is_told_who_tries_from_where_under_which_rules)
{
    uint8_t id[SK_ID_SIZE];
    rig_tenant(1, id);
    rig_login(&rig, 0, SK_AUTH_LOGIN, 1, 1, "hanako");
    const struct sk_store_try *m = rig_at_store(&rig, SK_STORE_TRY);
    cr_assert(sk_slice_eq(m->name, SK_LIT("hanako")) && sk_slice_eq(m->network, RIG_ADDRESS));
    cr_assert_arr_eq(m->tenant, id, SK_ID_SIZE);
    cr_assert(m->max_retries == 5 && m->find_time == UINT64_C(120000000000) && m->ban_time == UINT64_C(300000000000));
}

Test(auth_attempts, who_may_not_try_is_refused_without_verification_with_a_record_and_the_time_to_wait)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "hanako");
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRY), 3, 42);
    rig_records(&rig, 1);
    rig_durable(&rig);
    const struct sk_auth_refused *m = rig_at_worker(&rig, 0, SK_AUTH_REFUSED);
    cr_assert(sk_slice_eq(m->reason, SK_LIT("too-many-attempts")));
    cr_assert_eq(m->retry_after, 42);
    cr_assert_eq(basic_to_verify(0, 2, "jiro") > 0, 1, "nothing was verified for the one before");
}

Test(auth_attempts, an_attempt_that_cannot_be_counted_is_refused)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "hanako");
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRY), 2, 0);
    rig_refused(&rig, 0, 1, "store-unavailable");
}

Test(auth_attempts, a_right_password_is_not_granted_before_the_store_knows)
{
    rig_verdict(&rig, basic_to_verify(0, 1, "hanako"), 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 2, 0);
    rig_refused(&rig, 0, 1, "store-unavailable");
}

Test(auth_attempts, one_password_in_two_workers_is_one_attempt_that_grants_both)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_verdict(&rig, id, 0);
    tried(SK_TRIED_RIGHT);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    rig_records(&rig, 2);
    rig_durable(&rig);
    (void)rig_granted(&rig, 0, 1, "hanako");
    (void)rig_granted(&rig, 1, 7, "hanako");
}

Test(auth_attempts, who_follows_on_the_login_page_gets_a_session_of_its_own)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_LOGIN, 7, 1, "hanako");
    has_read(1);
    rig_verdict(&rig, id, 0);
    tried(SK_TRIED_RIGHT);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    rig_result(&rig, rig_asked(&rig, SK_STORE_PUT_SESSION), 0, 0);
    rig_records(&rig, 2);
    rig_durable(&rig);
    (void)rig_granted(&rig, 0, 1, "hanako");
    cr_assert_eq(rig_granted(&rig, 1, 7, "hanako")->token.len, 43);
}

Test(auth_attempts, who_follows_and_is_disabled_meanwhile_is_refused)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_verdict(&rig, id, 0);
    tried(SK_TRIED_RIGHT);
    struct sk_store_got_user off = {.ticket = rig_asked(&rig, SK_STORE_GET_USER), .known = 1, .name = SK_LIT("hanako"), .disabled = 1};
    rig_from_store(&rig, SK_STORE_GOT_USER, &off);
    rig_refused(&rig, 1, 7, "account-changed");
}

Test(auth_attempts, one_wrong_password_in_two_workers_is_one_attempt_refused_and_recorded_twice)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_verdict(&rig, id, 1);
    tried(SK_TRIED_WRONG);
    rig_records(&rig, 2);
    rig_durable(&rig);
    rig_refused(&rig, 1, 7, "login-failed");
    rig_refused(&rig, 0, 1, "login-failed");
    (void)basic_to_verify(0, 2, "hanako"); /* the next is an attempt of its own */
}

Test(auth_attempts, who_follows_a_worker_that_died_is_answered)
{
    (void)basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_new_worker(&rig, 0);
    rig_refused(&rig, 1, 7, "login-expired");
}

Test(auth_attempts, who_follows_and_dies_is_forgotten)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_new_worker(&rig, 1);
    has_read(0);
    rig_verdict(&rig, id, 1);
    tried(SK_TRIED_WRONG);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "login-failed");
}

Test(auth_attempts, other_passwords_and_other_tenants_are_attempts_of_their_own)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "hanako");
    (void)rig_asked(&rig, SK_STORE_TRY);
    rig_login(&rig, 1, SK_AUTH_BASIC, 2, 2, "hanako");
    (void)rig_asked(&rig, SK_STORE_TRY);
    rig_login(&rig, 1, SK_AUTH_LOGIN, 3, 1, "jiro");
    (void)rig_asked(&rig, SK_STORE_TRY);
}

Test(auth_attempts, the_same_password_from_another_network_is_an_attempt_of_its_own_while_it_is_verified_and_while_it_is_remembered)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    basic_from(1, 7, SK_LIT("\x7f\0\0\2"));
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRY), 3, 42);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 1, 7, "too-many-attempts");
    rig_verdict(&rig, id, 0);
    tried(SK_TRIED_RIGHT);
    rig_records(&rig, 1);
    rig_durable(&rig);
    (void)rig_granted(&rig, 0, 1, "hanako");
    basic_from(1, 8, SK_LIT("\x7f\0\0\2"));
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRY), 3, 42);
    basic_from(1, 9, RIG_ADDRESS);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    (void)rig_granted(&rig, 1, 9, "hanako");
}

Test(auth_attempts, an_ipv6_network_is_its_first_64_bits)
{
    basic_from(0, 1, SK_LIT("\x20\x01\x0d\xb8\0\0\0\1\0\0\0\0\0\0\0\1"));
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "hanako", "all");
    uint64_t id = rig_verify(&rig);
    basic_from(1, 7, SK_LIT("\x20\x01\x0d\xb8\0\0\0\1\0\0\0\0\0\0\0\2"));
    has_read(1);
    rig_verdict(&rig, id, 1);
    tried(SK_TRIED_WRONG);
    rig_records(&rig, 2);
    rig_durable(&rig);
    rig_refused(&rig, 1, 7, "login-failed");
    rig_refused(&rig, 0, 1, "login-failed");
}

Test(auth_attempts, a_password_that_is_changed_while_the_store_is_told_is_not_remembered)
{
    rig_verdict(&rig, basic_to_verify(0, 1, "hanako"), 0);
    uint64_t id = rig_asked(&rig, SK_STORE_TRIED);
    rig_changed(&rig, 1, "hanako");
    rig_result(&rig, id, 0, 0);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_refused(&rig, 0, 1, "account-changed");
    (void)basic_to_verify(0, 2, "hanako");
}

Test(auth_attempts, nor_does_it_admit_who_came_after_the_change)
{
    rig_verdict(&rig, basic_to_verify(0, 1, "hanako"), 0);
    uint64_t id = rig_asked(&rig, SK_STORE_TRIED);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_result(&rig, id, 0, 0);
    rig_refused(&rig, 0, 1, "account-changed");
    rig_refused(&rig, 1, 7, "login-expired");
    (void)basic_to_verify(1, 8, "hanako");
}

Test(auth_attempts, nor_is_it_for_who_follows)
{
    uint64_t id = basic_to_verify(0, 1, "hanako");
    rig_login(&rig, 1, SK_AUTH_BASIC, 7, 1, "hanako");
    has_read(1);
    rig_verdict(&rig, id, 0);
    tried(SK_TRIED_RIGHT);
    id = rig_asked(&rig, SK_STORE_GET_USER);
    rig_changed(&rig, 1, "hanako");
    rig_user(&rig, id, "hanako", "all");
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    rig_refused(&rig, 1, 7, "account-changed");
    (void)basic_to_verify(1, 8, "hanako");
}

Test(auth_attempts, who_follows_one_that_may_not_try_hears_the_same)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "hanako");
    uint64_t id = rig_asked(&rig, SK_STORE_TRY);
    rig_login(&rig, 1, SK_AUTH_LOGIN, 7, 1, "hanako");
    has_read(1);
    rig_result(&rig, id, 3, 42);
    rig_records(&rig, 2);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "too-many-attempts");
    const struct sk_auth_refused *m = rig_at_worker(&rig, 1, SK_AUTH_REFUSED);
    cr_assert(m->ticket == 7 && sk_slice_eq(m->reason, SK_LIT("too-many-attempts")));
    cr_assert_eq(m->retry_after, 42);
}

Test(auth_attempts, a_conversation_that_breaks_off_is_not_given_back)
{
    int pam = rig_peer(&rig, SK_PEER_PAM, 0);
    char state[65] = "";
    rig_login(&rig, 0, SK_AUTH_LOGIN, 1, 1, "hanako");
    uint64_t id = rig_asked(&rig, SK_STORE_TRY);
    struct sk_store_got_user user = {.ticket = id, .known = 1, .name = SK_LIT("hanako"), .backend = SK_BACKEND_PAM};
    rig_from_store(&rig, SK_STORE_GOT_USER, &user);
    (void)rig_hear(pam, &sk_pam_interface, SK_PAM_START);
    struct sk_pam_ask question = {.ticket = id, .prompts = SK_LIT("hCode\n")};
    rig_tell(pam, &sk_pam_interface, SK_PAM_ASK, &question);
    const struct sk_auth_prompt *prompt = rig_at_worker(&rig, 0, SK_AUTH_PROMPT);
    memcpy(state, prompt->state.data, prompt->state.len);
    struct sk_auth_answer answer = {.ticket = 2, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .state = sk_slice_str(state), .answers = SK_LIT("\n")};
    rig_tenant(1, answer.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_ANSWER, &answer);
    (void)rig_hear(pam, &sk_pam_interface, SK_PAM_TELL);
    struct sk_pam_end broken = {.ticket = id, .result = SK_PAM_BROKEN};
    rig_tell(pam, &sk_pam_interface, SK_PAM_END, &broken);
    tried(SK_TRIED_WRONG);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, 2, "verification-failed");
}
