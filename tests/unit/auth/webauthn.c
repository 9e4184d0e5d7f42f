/* gateway/auth/webauthn.c and authenticators.c: a challenge is good once and for what it was made for; a counter moves once; what is
 * changed needs a fresh proof. */
#include "rig.h"

#include "base/clock.h"
#include "conf/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static void begin(void)
{
    rig_start(&rig);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_webauthn, .init = begin, .fini = end, .timeout = 60);

struct challenge {
    uint8_t bytes[SK_AUTH_CHALLENGE_SIZE];
};

/* What a worker is offered for a login. */
static struct challenge offered(unsigned tenant)
{
    struct challenge c;
    struct sk_auth_begin m = {.ticket = 77, .host = tenant == 1 ? SK_LIT("one.test") : SK_LIT("two.test"), .purpose = SK_WEBAUTHN_PROVE};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_BEGIN, &m);
    const struct sk_auth_offer *offer = rig_at_worker(&rig, 0, SK_AUTH_OFFER);
    cr_assert_eq(offer->ticket, 77);
    cr_assert_eq(offer->challenge.len, sizeof(c.bytes));
    cr_assert_eq(offer->handle.len, 0, "who it will be is not known");
    memcpy(c.bytes, offer->challenge.data, sizeof(c.bytes));
    return c;
}

static void assert_with(uint64_t ticket, unsigned tenant, const struct challenge *c, const struct rig_grant *grant)
{
    struct sk_auth_assert m = {.ticket = ticket, .host = tenant == 1 ? SK_LIT("one.test") : SK_LIT("two.test"), .address = RIG_ADDRESS,
            .challenge = sk_slice(c->bytes, sizeof(c->bytes)), .credential = SK_LIT("credential"), .client_data = SK_LIT("{}"),
            .authenticator = SK_LIT("data"), .signature = SK_LIT("signature")};
    rig_tenant(tenant, m.tenant);
    if (grant) {
        m.session = grant->session_text;
        m.proof = grant->proof_text;
    }
    rig_from_worker(&rig, 0, SK_AUTH_ASSERT, &m);
}

/* The store has the authenticator, of this user. */
static void found(const char *user)
{
    struct sk_store_got_authenticator got = {.ticket = rig_asked(&rig, SK_STORE_GET_AUTHENTICATOR), .credential = SK_LIT("credential"),
            .user = sk_slice_str(user), .key = SK_LIT("COSE"), .counter = 5};
    rig_from_store(&rig, SK_STORE_GOT_AUTHENTICATOR, &got);
}

/* The factor helper is asked, and says that the assertion is right. The ticket it was asked with. */
static void right(uint64_t flags)
{
    const struct sk_factor_assert *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERT);
    struct sk_factor_asserted said = {.ticket = m->ticket, .counter = 6, .flags = flags};
    cr_expect(sk_slice_eq(m->rp_id, SK_LIT("one.test")));
    cr_expect(sk_slice_eq(m->origins, SK_LIT("https://one.test\nhttps://one.test:8443")));
    cr_expect(sk_slice_eq(m->key, SK_LIT("COSE")));
    cr_expect_eq(m->counter, 5);
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERTED, &said);
}

/* The use is counted, and the user is there; the session is stored with these proofs. */
static void admitted(uint64_t ticket, const char *user, const char *proofs)
{
    const struct sk_store_use_authenticator *use = rig_at_store(&rig, SK_STORE_USE_AUTHENTICATOR);
    cr_expect_eq(use->before, 5);
    cr_expect_eq(use->counter, 6);
    rig_result(&rig, use->ticket, 0, 0);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), user, "owner");
    const struct sk_store_put_session *put = rig_at_store(&rig, SK_STORE_PUT_SESSION);
    char text[400];
    (void)snprintf(text, sizeof(text), "%.*s", (int)put->proofs.len, put->proofs.data);
    for (char word[32]; sscanf(proofs, "%31s", word) == 1; proofs += strcspn(proofs, " "), proofs += *proofs == ' ') {
        cr_expect(strstr(text, word) != NULL, "'%s' is not in '%s'", word, text);
    }
    rig_result(&rig, put->ticket, 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    (void)rig_granted(&rig, 0, ticket, user);
}

static void failed(uint64_t ticket, const char *reason)
{
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, ticket, reason);
}

Test(auth_webauthn, a_challenge_is_good_once)
{
    struct challenge c = offered(1);
    assert_with(1, 1, &c, NULL);
    found("hanako");
    right(SK_FACTOR_UV);
    admitted(1, "hanako", "fido2@ passkey@ hardware@");
    assert_with(2, 1, &c, NULL);
    failed(2, "passkey-failed");
}

/* One whose right answer the store then refuses: that uses up a challenge too. */
static void use_up(unsigned tenant)
{
    struct challenge c = offered(tenant);
    assert_with(1, tenant, &c, NULL);
    found("hanako");
    const struct sk_factor_assert *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERT);
    struct sk_factor_asserted said = {.ticket = m->ticket, .counter = 6, .flags = SK_FACTOR_UV};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERTED, &said);
    rig_result(&rig, rig_asked(&rig, SK_STORE_USE_AUTHENTICATOR), 1, 0);
    failed(1, "passkey-failed");
}

Test(auth_webauthn, a_tenant_that_used_too_many_challenges_is_refused_alone)
{
    for (unsigned i = 0; i < 10000; i++) {
        use_up(1);
    }
    struct challenge c = offered(1);
    assert_with(1, 1, &c, NULL);
    found("hanako");
    right(SK_FACTOR_UV);
    failed(1, "passkey-failed");
    use_up(2);
}

Test(auth_webauthn, of_two_answers_to_one_challenge_at_one_time_one_is_right)
{
    struct challenge c = offered(1);
    assert_with(1, 1, &c, NULL);
    found("hanako");
    assert_with(2, 1, &c, NULL);
    found("hanako");
    right(SK_FACTOR_BE);
    admitted(1, "hanako", "fido2@");
    right(SK_FACTOR_BE);
    failed(2, "passkey-failed");
}

Test(auth_webauthn, a_challenge_is_for_one_tenant_one_session_and_one_purpose)
{
    struct challenge c = offered(1), other = offered(2), broken = c;
    struct rig_grant grant;
    broken.bytes[30] ^= 1;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    assert_with(1, 1, &other, NULL);
    failed(1, "passkey-failed");
    assert_with(2, 1, &broken, NULL);
    failed(2, "passkey-failed");
    assert_with(3, 1, &c, &grant);
    failed(3, "passkey-failed");
    struct sk_auth_register m = {.ticket = 4, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .challenge = sk_slice(c.bytes, sizeof(c.bytes)),
            .link = SK_LIT("link"), .client_data = SK_LIT("{}"), .attestation = SK_LIT("cbor")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_REGISTER, &m);
    failed(4, "registration-failed");
}

Test(auth_webauthn, what_the_helper_refuses_and_what_was_used_elsewhere_admits_nobody)
{
    struct challenge c = offered(1);
    assert_with(1, 1, &c, NULL);
    found("hanako");
    const struct sk_factor_assert *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERT);
    struct sk_factor_asserted said = {.ticket = m->ticket, .reason = SK_LIT("wrong-origin")};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERTED, &said);
    failed(1, "passkey-failed");
    assert_with(2, 1, &c, NULL);
    found("hanako");
    right(SK_FACTOR_UV);
    rig_result(&rig, rig_asked(&rig, SK_STORE_USE_AUTHENTICATOR), 1, 0);
    failed(2, "passkey-failed");
}

Test(auth_webauthn, a_session_is_raised_by_its_own_users_authenticator_alone)
{
    struct rig_grant grant;
    struct challenge c;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    struct sk_auth_begin m = {.ticket = 6, .host = SK_LIT("one.test"), .session = grant.session_text, .proof = grant.proof_text, .purpose = SK_WEBAUTHN_PROVE};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_BEGIN, &m);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant.session, "hanako");
    rig_result(&rig, rig_asked(&rig, SK_STORE_LIST_AUTHENTICATORS), 0, 0);
    const struct sk_auth_offer *offer = rig_at_worker(&rig, 0, SK_AUTH_OFFER);
    memcpy(c.bytes, offer->challenge.data, sizeof(c.bytes));
    cr_expect_eq(offer->handle.len, SK_AUTH_HANDLE_SIZE);
    assert_with(7, 1, &c, &grant);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant.session, "hanako");
    found("jiro");
    failed(7, "passkey-failed");
    assert_with(8, 1, &c, &grant);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant.session, "hanako");
    found("hanako");
    right(SK_FACTOR_UV);
    admitted(8, "hanako", "password@ fido2@ passkey@");
    const struct sk_store_drop_sessions *drop = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_expect(sk_slice_eq(drop->key, grant.session_text), "the former session ends");
}

/* The store is asked for the session, which proved an authenticator just now. */
static void fresh_session(const struct rig_grant *grant)
{
    char proofs[64];
    (void)snprintf(proofs, sizeof(proofs), "fido2@%llu", (unsigned long long)(sk_clock_wall() / SK_SECOND));
    struct sk_store_got_session got = {.ticket = rig_asked(&rig, SK_STORE_GET_SESSION), .key = grant->session_text, .subject = SK_LIT("hanako"),
            .started = sk_clock_wall(), .used = sk_clock_wall(), .address = RIG_ADDRESS, .proofs = sk_slice_str(proofs)};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &got);
}

/* A registration, and codes, with what the session has proven. */
static void asked_to_change(uint64_t ticket, const struct rig_grant *grant, const char *proofs)
{
    struct sk_auth_make_codes m = {.ticket = ticket, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant->session_text, .proof = grant->proof_text};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_MAKE_CODES, &m);
    struct sk_store_got_session got = {.ticket = rig_asked(&rig, SK_STORE_GET_SESSION), .key = grant->session_text, .subject = SK_LIT("hanako"),
            .started = sk_clock_wall(), .used = sk_clock_wall(), .address = RIG_ADDRESS, .proofs = sk_slice_str(proofs)};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &got);
}

Test(auth_webauthn, codes_need_a_fresh_proof_by_an_authenticator)
{
    struct rig_grant grant;
    char old[128], fresh[128];
    unsigned long long now = sk_clock_wall() / SK_SECOND;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    (void)snprintf(old, sizeof(old), "password@%llu,fido2@%llu", now, now - 301);
    (void)snprintf(fresh, sizeof(fresh), "fido2@%llu", now - 290);
    asked_to_change(1, &grant, "password@1700000000");
    rig_refused(&rig, 0, 1, "factor-required");
    asked_to_change(2, &grant, old);
    rig_refused(&rig, 0, 2, "factor-required");
    asked_to_change(3, &grant, fresh);
    rig_records(&rig, 1);
    rig_durable(&rig);
    const struct sk_store_put_vouchers *put = rig_at_store(&rig, SK_STORE_PUT_VOUCHERS);
    cr_expect_eq(put->kind, SK_VOUCHER_CODE);
    cr_expect_eq(put->secrets.len, 200);
    rig_result(&rig, put->ticket, 0, 0);
    const struct sk_auth_told *told = rig_at_worker(&rig, 0, SK_AUTH_TOLD);
    cr_expect_eq(told->text.len, 200);
}

Test(auth_webauthn, a_code_is_taken_as_it_may_be_typed_and_raises_the_session)
{
    struct rig_grant grant;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    for (int i = 0; i < 2; i++) {
        struct sk_auth_recover m = {.ticket = 1, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant.session_text, .proof = grant.proof_text,
                .code = i ? SK_LIT("ABCD efgh-2345 wxyz and much more behind it") : SK_LIT("abcdefgh2345wxyz")};
        rig_tenant(1, m.tenant);
        rig_from_worker(&rig, 0, SK_AUTH_RECOVER, &m);
        rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant.session, "hanako");
        const struct sk_store_take_voucher *take = rig_at_store(&rig, SK_STORE_TAKE_VOUCHER);
        cr_expect(sk_slice_eq(take->secret, SK_LIT("abcd-efgh-2345-wxyz")), "%.*s", (int)take->secret.len, take->secret.data);
        rig_result(&rig, take->ticket, 1, 0);
        failed(1, "code-failed");
    }
}

/* A fresh registration under the session, up to where the helper is asked; the ticket it was asked with. */
static uint64_t registering(uint64_t ticket, const struct rig_grant *grant)
{
    struct challenge c;
    struct sk_auth_begin begin = {.ticket = ticket, .host = SK_LIT("one.test"), .session = grant->session_text, .proof = grant->proof_text, .purpose = SK_WEBAUTHN_REGISTER};
    rig_tenant(1, begin.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_BEGIN, &begin);
    fresh_session(grant);
    rig_result(&rig, rig_asked(&rig, SK_STORE_LIST_AUTHENTICATORS), 0, 0);
    const struct sk_auth_offer *offer = rig_at_worker(&rig, 0, SK_AUTH_OFFER);
    memcpy(c.bytes, offer->challenge.data, sizeof(c.bytes));
    struct sk_auth_register m = {.ticket = ticket, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant->session_text, .proof = grant->proof_text,
            .challenge = sk_slice(c.bytes, sizeof(c.bytes)), .client_data = SK_LIT("{}"), .attestation = SK_LIT("cbor"), .label = SK_LIT("mine")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_REGISTER, &m);
    fresh_session(grant);
    return ((const struct sk_factor_register *)rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_REGISTER))->ticket;
}

static void registration_is_good(uint64_t ticket)
{
    struct sk_factor_registered said = {.ticket = ticket, .credential = SK_LIT("credential"), .key = SK_LIT("COSE"), .format = SK_LIT("none"), .flags = SK_FACTOR_UV};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_REGISTERED, &said);
}

Test(auth_webauthn, nothing_is_registered_nor_made_for_who_was_revoked_meanwhile)
{
    struct rig_grant grant;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    uint64_t helper = registering(6, &grant);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    registration_is_good(helper);
    failed(6, "registration-failed");
    helper = registering(7, &grant);
    registration_is_good(helper);
    rig_records(&rig, 1);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    failed(7, "registration-failed");
    struct sk_auth_make_codes m = {.ticket = 8, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant.session_text, .proof = grant.proof_text};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_MAKE_CODES, &m);
    fresh_session(&grant);
    rig_records(&rig, 1);
    rig_changed(&rig, 1, "hanako");
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_durable(&rig);
    rig_refused(&rig, 0, 8, "account-changed");
}

/* Else a registration that is under way would come after the removal. */
Test(auth_webauthn, who_loses_authenticators_loses_the_sessions_first)
{
    struct rig_grant administrator, grant;
    rig_admit(&rig, 1, 4, 1, "ops", &administrator);
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    uint64_t helper = registering(6, &grant);
    struct sk_auth_drop_authenticators m = {.ticket = 7, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = administrator.session_text,
            .proof = administrator.proof_text, .user = SK_LIT("hanako")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 1, SK_AUTH_DROP_AUTHENTICATORS, &m);
    rig_records(&rig, 1);
    rig_durable(&rig);
    const struct sk_store_drop_sessions *sessions = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_expect(sk_slice_eq(sessions->subject, SK_LIT("hanako")) && sessions->key.len == 0);
    rig_result(&rig, sessions->ticket, 0, 5);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    uint64_t drop = rig_asked(&rig, SK_STORE_DROP_AUTHENTICATORS);
    registration_is_good(helper);
    failed(6, "registration-failed");
    rig_result(&rig, drop, 0, 2);
    cr_expect_eq(((const struct sk_auth_done *)rig_at_worker(&rig, 1, SK_AUTH_DONE))->count, 2, "of authenticators, not of sessions");
}

/* What takes the place of a session ends with it. */
Test(auth_webauthn, a_session_revoked_while_it_is_raised_leaves_no_other)
{
    struct rig_grant administrator, grant;
    char key[65];
    rig_admit(&rig, 1, 4, 1, "ops", &administrator);
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    struct sk_auth_recover m = {.ticket = 6, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant.session_text, .proof = grant.proof_text,
            .code = SK_LIT("abcdefgh2345wxyz")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_RECOVER, &m);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant.session, "hanako");
    rig_result(&rig, rig_asked(&rig, SK_STORE_TAKE_VOUCHER), 0, 9);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "owner");
    const struct sk_store_put_session *put = rig_at_store(&rig, SK_STORE_PUT_SESSION);
    uint64_t put_ticket = put->ticket;
    (void)snprintf(key, sizeof(key), "%.*s", (int)put->key.len, put->key.data);
    struct sk_auth_revoke revoke = {.ticket = 7, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = administrator.session_text,
            .proof = administrator.proof_text, .target = grant.session_text};
    rig_tenant(1, revoke.tenant);
    rig_from_worker(&rig, 1, SK_AUTH_REVOKE, &revoke);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_result(&rig, rig_asked(&rig, SK_STORE_DROP_SESSIONS), 0, 1);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    rig_result(&rig, put_ticket, 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, 6, "account-changed");
    const struct sk_store_drop_sessions *drop = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_expect(sk_slice_eq(drop->key, sk_slice_str(key)), "the new one is not kept");
}

/* A name that was a person's and is a program's now: what the person registered is no way in. */
Test(auth_webauthn, a_program_has_no_passkey)
{
    struct challenge c = offered(1);
    assert_with(1, 1, &c, NULL);
    found("deploy");
    right(SK_FACTOR_UV);
    rig_result(&rig, rig_asked(&rig, SK_STORE_USE_AUTHENTICATOR), 0, 0);
    struct sk_store_got_user user = {.ticket = rig_asked(&rig, SK_STORE_GET_USER), .known = 1, .name = SK_LIT("deploy"), .backend = SK_BACKEND_KEY};
    rig_from_store(&rig, SK_STORE_GOT_USER, &user);
    failed(1, "passkey-failed");
}

/* As many and as long as the configuration allows, which is more than fits: an origin that was cut would be another's. */
Test(auth_webauthn, of_many_ports_of_a_long_host_each_origin_is_whole_or_none)
{
    struct challenge c;
    char host[254];
    memset(host, 'a', sizeof(host) - 1);
    host[60] = host[120] = host[180] = host[240] = '.';
    host[253] = '\0';
    struct sk_control_limits limits = {.flush_deadline = 20 * SK_SECOND,
            .ports = SK_LIT("40001,40002,40003,40004,40005,40006,40007,40008,40009,40010,40011,40012,40013,40014,40015,40016")};
    struct sk_control_tenant tenant = {.name = SK_LIT("one"), .service = SK_LIT("dns"), .hosts = sk_slice_str(host), .inactivity = 900 * SK_SECOND,
            .expiration = 43200 * SK_SECOND, .max_retries = 5};
    struct sk_control_ping ping = {.number = 1};
    rig_tenant(1, tenant.tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_LIMITS, &limits);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_TENANT, &tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_PING, &ping);
    (void)rig_hear(rig.control, &sk_control_interface, SK_CONTROL_PING);
    struct sk_auth_begin begin = {.ticket = 1, .host = sk_slice_str(host), .purpose = SK_WEBAUTHN_PROVE};
    rig_tenant(1, begin.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_BEGIN, &begin);
    memcpy(c.bytes, ((const struct sk_auth_offer *)rig_at_worker(&rig, 0, SK_AUTH_OFFER))->challenge.data, sizeof(c.bytes));
    struct sk_auth_assert m = {.ticket = 2, .host = sk_slice_str(host), .address = RIG_ADDRESS, .challenge = sk_slice(c.bytes, sizeof(c.bytes)),
            .credential = SK_LIT("credential")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_ASSERT, &m);
    found("hanako");
    struct sk_slice origins = ((const struct sk_factor_assert *)rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_ASSERT))->origins;
    cr_expect_eq(sk_slice_split(&origins, '\n').len, 8 + 253);
    for (unsigned n = 1; origins.len; n++) {
        cr_expect_eq(sk_slice_split(&origins, '\n').len, 8 + 253 + 6, "port %u", n);
    }
}

/* That it was added is on record before it is; so is what came between. */
Test(auth_webauthn, what_the_store_does_not_take_is_on_record)
{
    static const struct {
        uint64_t status;
        const char *reason;
    } cases[] = {{3, "too-many-authenticators"}, {4, "registered-already"}, {2, "store-unavailable"}};
    struct rig_grant grant;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        registration_is_good(registering(6 + i, &grant));
        rig_records(&rig, 1);
        rig_durable(&rig);
        rig_result(&rig, rig_asked(&rig, SK_STORE_PUT_AUTHENTICATOR), cases[i].status, 0);
        failed(6 + i, cases[i].reason);
    }
}

/* Asks for a link for ops in the name of whoever has the grant. */
static void ask_link(uint64_t ticket, const struct rig_grant *grant, const char *asker, const char *roles)
{
    struct sk_auth_make_link m = {.ticket = ticket, .host = SK_LIT("one.test"), .address = RIG_ADDRESS, .session = grant->session_text,
            .proof = grant->proof_text, .user = SK_LIT("ops"), .kind = SK_VOUCHER_LINK};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_MAKE_LINK, &m);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), grant->session, asker);
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), asker, roles);
}

/* Else a worker that somebody has taken over could be anybody by a link of its own. */
Test(auth_webauthn, a_link_is_made_for_who_may_by_role_whatever_the_worker_says)
{
    struct rig_grant grant;
    rig_admit(&rig, 0, 5, 1, "hanako", &grant);
    ask_link(6, &grant, "hanako", "reader,bos,boss2");
    failed(6, "not-permitted");
    ask_link(7, &grant, "hanako", "reader,boss");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "ops", "all");
    rig_records(&rig, 1);
    rig_durable(&rig);
    const struct sk_store_put_vouchers *put = rig_at_store(&rig, SK_STORE_PUT_VOUCHERS);
    cr_expect(sk_slice_eq(put->user, SK_LIT("ops")));
    cr_expect_eq(put->kind, SK_VOUCHER_LINK);
    rig_result(&rig, put->ticket, 0, 0);
    cr_expect_eq(((const struct sk_auth_told *)rig_at_worker(&rig, 0, SK_AUTH_TOLD))->text.len, 43);
}
