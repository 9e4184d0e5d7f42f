/* gateway/auth/sessions.c, grants.c, tenants.c, used.c: what a worker may ask about sessions, and for which hosts it gets
 * assertions. */
#include "rig.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;
static struct rig_grant own;

static void begin(void)
{
    rig_start(&rig);
    rig_admit(&rig, 0, 24, 1, "hanako", &own);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_sessions, .init = begin, .fini = end, .timeout = 60);

static void renew(unsigned worker, uint64_t ticket, unsigned tenant, const char *host, const struct rig_grant *grant)
{
    struct sk_auth_renew m = {.ticket = ticket, .host = sk_slice_str(host), .session = grant->session_text, .proof = grant->proof_text};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_RENEW, &m);
}

static void list(unsigned worker, uint64_t ticket, unsigned tenant, const struct rig_grant *grant)
{
    struct sk_auth_list m = {.ticket = ticket, .session = grant->session_text, .proof = grant->proof_text};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_LIST, &m);
}

static void revoke(unsigned worker, uint64_t ticket, unsigned tenant, const struct rig_grant *grant)
{
    struct sk_auth_revoke m = {.ticket = ticket, .host = tenant == 1 ? SK_LIT("one.test") : SK_LIT("two.test"), .address = RIG_ADDRESS,
            .session = grant->session_text, .proof = grant->proof_text, .user = SK_LIT("hanako")};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_REVOKE, &m);
}

static void logout(unsigned worker, uint64_t ticket, unsigned tenant, const struct rig_grant *grant)
{
    struct sk_auth_logout m = {.ticket = ticket, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test:8443"), .address = RIG_ADDRESS, .session = grant->session_text,
            .proof = grant->proof_text};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_LOGOUT, &m);
}

/* None of them reaches the store: what it is asked next is of somebody else. */
static void is_asked_in_vain(unsigned worker, unsigned tenant, const struct rig_grant *grant)
{
    renew(worker, 1, tenant, tenant == 1 ? "one.test" : "two.test", grant);
    rig_refused(&rig, worker, 1, "not-granted");
    list(worker, 2, tenant, grant);
    rig_refused(&rig, worker, 2, "not-granted");
    revoke(worker, 3, tenant, grant);
    rig_refused(&rig, worker, 3, "not-granted");
    logout(worker, 4, tenant, grant);
    rig_refused(&rig, worker, 4, "not-granted");
    struct sk_auth_used used = {.session = grant->session_text, .proof = grant->proof_text, .used = 1};
    rig_tenant(tenant, used.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_USED, &used);
    rig_login(&rig, worker, SK_AUTH_BASIC, 5, 1, "jiro");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "jiro", "all");
}

Test(auth_sessions, a_worker_asks_by_the_grant_that_it_has)
{
    renew(0, 1, 1, "one.test", &own);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "key", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    (void)rig_granted(&rig, 0, 1, "hanako");
    list(0, 2, 1, &own);
    rig_result(&rig, rig_asked(&rig, SK_STORE_LIST_SESSIONS), 0, 7);
    cr_assert_eq(((const struct sk_auth_done *)rig_at_worker(&rig, 0, SK_AUTH_DONE))->count, 7);
    logout(0, 3, 1, &own);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), 1, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_result(&rig, rig_asked(&rig, SK_STORE_DROP_SESSIONS), 0, 1);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    (void)rig_at_worker(&rig, 0, SK_AUTH_DONE);
}

Test(auth_sessions, a_session_that_nobody_granted_is_asked_for_in_vain)
{
    const struct rig_grant none = {.session_text = SK_LIT("ffeeddccbbaa99887766554433221100")};
    is_asked_in_vain(0, 1, &none);
}

Test(auth_sessions, another_workers_grant_is_none)
{
    is_asked_in_vain(1, 1, &own);
}

Test(auth_sessions, another_tenants_grant_is_none)
{
    is_asked_in_vain(0, 2, &own);
}

Test(auth_sessions, a_proof_is_of_one_session_and_of_one_time)
{
    struct rig_grant other = own;
    other.session_text = SK_LIT("ffeeddccbbaa99887766554433221100");
    other.proof_text = own.proof_text;
    is_asked_in_vain(0, 1, &other);
    for (size_t i = 0; i < own.proof_text.len; i++) {
        other = own;
        other.proof[i] ^= 1;
        other.session_text = own.session_text;
        other.proof_text = sk_slice(other.proof, own.proof_text.len);
        list(0, 10 + i, 1, &other);
        rig_refused(&rig, 0, 10 + i, "not-granted");
    }
}

Test(auth_sessions, an_assertion_is_for_the_tenants_own_hosts)
{
    static const char *const others[] = {"two.test", "any.host.example", "one.test\",\"aud\":\"two.test", "One.test", "one.test."};
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        renew(0, i + 1, 1, others[i], &own);
        rig_refused(&rig, 0, i + 1, "host-unknown");
    }
    struct sk_auth_check check = {.ticket = 8, .host = SK_LIT("two.test"), .token = SK_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")};
    rig_tenant(1, check.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_CHECK, &check);
    rig_refused(&rig, 0, 8, "host-unknown");
    struct sk_auth_basic basic = {.ticket = 9, .host = SK_LIT("two.test"), .address = RIG_ADDRESS, .user = SK_LIT("u"), .password = SK_LIT("p")};
    rig_tenant(1, basic.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_BASIC, &basic);
    rig_refused(&rig, 0, 9, "host-unknown");
}

Test(auth_sessions, an_assertion_names_host_and_tenant)
{
    renew(0, 1, 1, "also.test", &own);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "key", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    const char *claims = rig_claims(rig_granted(&rig, 0, 1, "hanako")->assertion);
    static const char begins[] = "{\"iss\":\"https://also.test\",\"aud\":\"also.test\",\"tenant\":\"one@dns\",\"sub\":\"hanako\",\"groups\":[\"all\"],";
    cr_assert_eq(strncmp(claims, begins, sizeof(begins) - 1), 0, "%s", claims);
}

/* As many roles as the store can say. */
Test(auth_sessions, a_user_with_very_many_roles_is_answered)
{
    static char roles[8193];
    for (size_t i = 0; i < 8192; i++) {
        roles[i] = i % 2 ? ',' : 'r';
    }
    roles[8191] = '\0';
    renew(0, 1, 1, "one.test", &own);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "key", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", roles);
    cr_assert_eq(rig_granted(&rig, 0, 1, "hanako")->roles.len, 8191);
}

Test(auth_sessions, what_fits_in_no_answer_is_refused)
{
    static char roles[8193];
    memset(roles, '\1', 8192);
    renew(0, 1, 1, "one.test", &own);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "key", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", roles);
    rig_refused(&rig, 0, 1, "answer-too-large");
}

/* A reload takes a host from the tenant and gives it another. */
Test(auth_sessions, hosts_follow_the_tenants_file)
{
    struct sk_control_tenant m = {.name = SK_LIT("one"), .service = SK_LIT("dns"), .inactivity = 900 * SK_SECOND, .expiration = 900 * SK_SECOND,
            .hosts = SK_LIT("new.test,")};
    rig_tenant(1, m.tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_TENANT, &m);
    m.part = 1;
    m.hosts = SK_LIT("more.test");
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_TENANT, &m);
    struct sk_control_ping ping = {.number = 5};
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_PING, &ping);
    (void)rig_hear(rig.control, &sk_control_interface, SK_CONTROL_PING);
    renew(0, 1, 1, "one.test", &own);
    rig_refused(&rig, 0, 1, "host-unknown");
    renew(0, 2, 1, "new.test", &own);
    (void)rig_asked(&rig, SK_STORE_GET_SESSION);
    renew(0, 3, 1, "more.test", &own);
    (void)rig_asked(&rig, SK_STORE_GET_SESSION);
}

/* ---- what is written of use ---- */

Test(auth_sessions, a_session_that_is_used_without_end_is_written_once_in_a_while)
{
    struct sk_auth_used used = {.session = own.session_text, .proof = own.proof_text};
    rig_tenant(1, used.tenant);
    for (int i = 0; i < 1000; i++) {
        used.used = sk_clock_boot();
        rig_from_worker(&rig, 0, SK_AUTH_USED, &used);
    }
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "jiro");
    (void)rig_asked(&rig, SK_STORE_TRY); /* and no write before it: one was when the session was granted */
    const struct sk_store_touch_session *touch = rig_at_store(&rig, SK_STORE_TOUCH_SESSION);
    cr_assert(sk_slice_eq(touch->key, own.session_text));
    uint64_t now = sk_clock_wall();
    cr_assert(now - touch->used > SK_SECOND && now - touch->used < 10 * SK_SECOND, "the last use is written, some seconds later");
}

/* The store does not know yet what memory does: the session is alive. */
Test(auth_sessions, use_that_is_not_yet_written_counts)
{
    rig_check(&rig, 1, 24, 1);
    uint64_t now = sk_clock_wall(), ticket = rig_asked(&rig, SK_STORE_GET_SESSION);
    struct sk_store_got_session idle = {.ticket = ticket, .key = own.session_text, .subject = SK_LIT("hanako"), .started = now - 1000 * SK_SECOND,
            .used = now - 950 * SK_SECOND, .address = RIG_ADDRESS, .proofs = SK_LIT("password@1700000000")};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &idle);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    (void)rig_granted(&rig, 1, 24, "hanako");
}

Test(auth_sessions, a_session_of_a_disabled_user_is_not_touched)
{
    rig_check(&rig, 0, 1, 1);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "key", "jiro");
    struct sk_store_got_user user = {.ticket = rig_asked(&rig, SK_STORE_GET_USER), .known = 1, .name = SK_LIT("jiro"), .disabled = 1};
    rig_from_store(&rig, SK_STORE_GOT_USER, &user);
    rig_refused(&rig, 0, 1, "login-required");
    rig_check(&rig, 0, 2, 1);
    (void)rig_asked(&rig, SK_STORE_GET_SESSION);
}
