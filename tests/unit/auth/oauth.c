/* gateway/auth/oauth.c, inspect.c, clients.c and proofs.c: what meets in the middle of an answer. */
#include "rig.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"
#include "crypto/digest.h"
#include "ipc/tenant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define SECRET "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct rig rig;
static struct rig_grant grant;
static char token[8193], id[65];

static struct sk_slice token_text(void)
{
    return sk_slice_str(token);
}

/* The store has the program, with this key. */
static void program(const char *secret)
{
    uint8_t hash[SK_SHA256_SIZE];
    char hex[2 * SK_SHA256_SIZE + 1], keys[128];
    sk_digest_sha256(sk_slice_str(secret), hash);
    sk_hex_encode(hash, sizeof(hash), hex);
    (void)snprintf(keys, sizeof(keys), "%s:9000000000000000000", hex);
    struct sk_store_got_user m = {.ticket = rig_asked(&rig, SK_STORE_GET_USER), .known = 1, .name = SK_LIT("bot"), .backend = SK_BACKEND_KEY,
            .hash = sk_slice_str(keys), .roles = SK_LIT("all")};
    rig_from_store(&rig, SK_STORE_GOT_USER, &m);
}

static void keep(const struct sk_auth_grant *m)
{
    memcpy(grant.session, m->session.data, m->session.len);
    memcpy(grant.proof, m->proof.data, m->proof.len);
    grant.session_text = sk_slice(grant.session, m->session.len);
    grant.proof_text = sk_slice(grant.proof, m->proof.len);
}

static void durable(void)
{
    rig_records(&rig, 1);
    rig_durable(&rig);
}

/* A certificate's SHA-256 that begins so, and its thumbprint. */
static struct sk_slice fingerprint(char first)
{
    static char bytes[SK_SHA256_SIZE];
    bytes[0] = first;
    return sk_slice(bytes, first ? sizeof(bytes) : 0);
}

static const char *thumbprint(char first)
{
    static char text[SK_BASE64_SIZE(SK_SHA256_SIZE)];
    text[sk_base64url_encode(fingerprint(first), text)] = '\0';
    return text;
}

static void ask_token_with(uint64_t ticket, const char *authority, struct sk_slice dpop, char certificate)
{
    struct sk_auth_issue m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = sk_slice_str(authority),
            .session = grant.session_text, .proof = grant.proof_text, .dpop = dpop, .fingerprint = fingerprint(certificate)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_ISSUE, &m);
}

static void ask_token(uint64_t ticket, const char *authority, struct sk_slice dpop)
{
    ask_token_with(ticket, authority, dpop, 0);
}

static void issued(uint64_t ticket)
{
    const struct sk_auth_issued *m = rig_at_worker(&rig, 0, SK_AUTH_ISSUED);
    cr_assert_eq(m->ticket, ticket);
    cr_assert_lt(m->token.len, sizeof(token));
    memcpy(token, m->token.data, m->token.len);
    token[m->token.len] = '\0';
    const char *jti = strstr(rig_claims(m->token), "\"jti\":\"");
    cr_assert_not_null(jti);
    (void)snprintf(id, sizeof(id), "%.48s", jti + 7);
}

static void bring_key(unsigned worker, uint64_t ticket)
{
    struct sk_auth_key m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .user = SK_LIT("bot"), .secret = SK_LIT(SECRET)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_KEY, &m);
    program(SECRET);
}

/* The store hears of this use of the key. */
static void noted(void)
{
    uint8_t hash[SK_SHA256_SIZE], tenant[SK_ID_SIZE];
    const struct sk_store_use_api_key *m = rig_at_store(&rig, SK_STORE_USE_API_KEY);
    sk_digest_sha256(SK_LIT(SECRET), hash);
    rig_tenant(1, tenant);
    cr_expect(sk_slice_eq(m->user, SK_LIT("bot")) && sk_slice_eq(m->sha256, sk_slice(hash, sizeof(hash))));
    cr_expect_arr_eq(m->tenant, tenant, SK_ID_SIZE);
    cr_expect(m->used <= sk_clock_wall() && m->used + 60 * SK_SECOND > sk_clock_wall());
}

static void log_in(void)
{
    bring_key(0, 1);
    noted();
    durable();
    keep(rig_granted(&rig, 0, 1, "bot"));
}

/* A program has logged in at worker 0, and has a token. */
static void begin(void)
{
    rig_start(&rig);
    log_in();
    ask_token(2, "one.test", SK_SLICE_NULL);
    program(SECRET);
    durable();
    issued(2);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_oauth, .init = begin, .fini = end, .timeout = 60);

static void use_on(unsigned worker, uint64_t ticket, struct sk_slice dpop, char certificate, const char *holder)
{
    struct sk_auth_token m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test"), .bearer = token_text(),
            .bound = dpop.len > 0, .proof = dpop, .method = SK_LIT("GET"), .path = SK_LIT("/api"), .fingerprint = fingerprint(certificate),
            .holder = sk_slice_str(holder)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, worker, SK_AUTH_TOKEN, &m);
}

static void use(unsigned worker, uint64_t ticket, struct sk_slice dpop)
{
    use_on(worker, ticket, dpop, 0, "");
}

/* The helper finds that the token is right, and bound to that key and certificate. */
static void right_with(const char *subject, const char *key, const char *certificate)
{
    const struct sk_factor_token *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_TOKEN);
    struct sk_factor_claims said = {.ticket = m->ticket, .subject = sk_slice_str(subject), .expires = sk_clock_wall() / SK_SECOND + 300,
            .id = sk_slice_str(id), .thumbprint = sk_slice_str(key), .certificate = sk_slice_str(certificate)};
    cr_expect(sk_slice_eq(m->token, token_text()));
    cr_expect(sk_slice_eq(m->issuer, SK_LIT("https://one.test")));
    cr_expect(sk_slice_eq(m->types, SK_LIT("at+jwt")));
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_CLAIMS, &said);
}

static void right(const char *subject, const char *key)
{
    right_with(subject, key, "");
}

static void proved(const char *key, const char *jti, uint64_t issued_at)
{
    const struct sk_factor_proof *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_PROOF);
    struct sk_factor_proved said = {.ticket = m->ticket, .thumbprint = sk_slice_str(key), .id = sk_slice_str(jti), .issued = issued_at};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_PROVED, &said);
}

static void not_spent(void)
{
    const struct sk_store_is_spent *m = rig_at_store(&rig, SK_STORE_IS_SPENT);
    cr_expect(sk_slice_eq(m->id, sk_slice_str(id)));
    rig_result(&rig, m->ticket, 0, 0);
}

static void accepted(unsigned worker, uint64_t ticket, const char *key)
{
    right("bot", key);
    program(SECRET);
    not_spent();
    durable();
    (void)rig_granted(&rig, worker, ticket, "bot");
}

static void ask_revocation(uint64_t ticket)
{
    struct sk_auth_revoke_token m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test"),
            .session = grant.session_text, .proof = grant.proof_text, .bearer = token_text()};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_REVOKE_TOKEN, &m);
}

/* In the store, then at every worker. */
static void revoked(uint64_t ticket)
{
    right("bot", "");
    durable();
    const struct sk_store_spend *spend = rig_at_store(&rig, SK_STORE_SPEND);
    cr_expect(sk_slice_eq(spend->id, sk_slice_str(id)));
    rig_result(&rig, spend->ticket, 0, 0);
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        const struct sk_auth_revoked *m = rig_at_worker(&rig, i, SK_AUTH_REVOKED);
        cr_expect(sk_slice_starts(m->session, SK_LIT("basic-")) && sk_slice_eq(sk_slice_from(m->session, 6), sk_slice_str(id)));
        cr_expect_eq(m->subject.len, 0);
    }
    const struct sk_auth_done *done = rig_at_worker(&rig, 0, SK_AUTH_DONE);
    cr_expect(done->ticket == ticket && done->count == 1);
}

Test(auth_oauth, a_token_is_verified_once_and_then_its_program_is_looked_up)
{
    use(0, 10, SK_SLICE_NULL);
    accepted(0, 10, "");
    use(1, 11, SK_SLICE_NULL);
    program(SECRET);
    (void)rig_granted(&rig, 1, 11, "bot");
}

Test(auth_oauth, a_token_ends_with_the_key_it_was_asked_for_with)
{
    use(0, 10, SK_SLICE_NULL);
    right("bot", "");
    program("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    durable();
    rig_refused(&rig, 0, 10, "login-failed");
}

Test(auth_oauth, a_token_that_is_revoked_while_it_is_verified_lets_nobody_in)
{
    use(1, 10, SK_SLICE_NULL);
    right("bot", "");
    program(SECRET);
    uint64_t asked = rig_asked(&rig, SK_STORE_IS_SPENT);
    ask_revocation(11);
    revoked(11);
    rig_result(&rig, asked, 0, 0); /* what it was before */
    rig_refused(&rig, 1, 10, "account-changed");
    use(1, 12, SK_SLICE_NULL);
    right("bot", "");
    program(SECRET);
    rig_result(&rig, rig_asked(&rig, SK_STORE_IS_SPENT), 4, 0);
    durable();
    rig_refused(&rig, 1, 12, "login-failed");
}

Test(auth_oauth, a_revocation_that_the_store_does_not_keep_is_none)
{
    ask_revocation(10);
    right("bot", "");
    durable();
    rig_result(&rig, rig_asked(&rig, SK_STORE_SPEND), 2, 0);
    rig_refused(&rig, 0, 10, "store-unavailable");
    ask_revocation(11);
    right("bot", "");
    durable();
    rig_result(&rig, rig_asked(&rig, SK_STORE_SPEND), 3, 0);
    rig_refused(&rig, 0, 11, "busy");
}

Test(auth_oauth, only_a_key_s_session_gets_a_token_and_at_its_own_host)
{
    ask_token(10, "two.test", SK_SLICE_NULL);
    rig_refused(&rig, 0, 10, "host-unknown");
    ask_token(11, "one.test:8443x", SK_SLICE_NULL);
    rig_refused(&rig, 0, 11, "host-unknown");
    use(0, 12, SK_SLICE_NULL);
    right("bot", "");
    program(SECRET);
    not_spent();
    durable();
    keep(rig_granted(&rig, 0, 12, "bot"));
    ask_token(13, "one.test", SK_SLICE_NULL);
    rig_refused(&rig, 0, 13, "login-required");
    grant.proof[5] ^= 1;
    ask_token(14, "one.test", SK_SLICE_NULL);
    rig_refused(&rig, 0, 14, "not-granted");
}

Test(auth_oauth, a_proof_that_two_workers_bring_is_good_at_one)
{
    uint64_t later = sk_clock_wall() / SK_SECOND + 100; /* behind what could have been used before auth began */
    use(0, 10, SK_LIT("proof"));
    proved("key", "jti", later);
    accepted(0, 10, "key");
    use(0, 11, SK_LIT("proof"));
    proved("key", "jti2", later);
    program(SECRET);
    (void)rig_granted(&rig, 0, 11, "bot");
    use(1, 12, SK_LIT("proof"));
    proved("key", "jti2", later);
    durable();
    rig_refused(&rig, 1, 12, "login-failed");
    use(1, 13, SK_LIT("proof"));
    proved("key", "jti3", sk_clock_wall() / SK_SECOND);
    durable();
    rig_refused(&rig, 1, 13, "login-failed");
    use(1, 14, SK_LIT("proof"));
    proved("other", "jti4", later);
    durable();
    rig_refused(&rig, 1, 14, "login-failed");
    use(1, 15, SK_SLICE_NULL);
    durable();
    rig_refused(&rig, 1, 15, "login-failed");
}

Test(auth_oauth, a_helper_that_ends_over_a_proof_is_no_verdict)
{
    use(0, 10, SK_LIT("proof"));
    (void)rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_PROOF);
    (void)close(rig.factor);
    rig.factor = rig_peer(&rig, SK_PEER_FACTOR, 0);
    (void)rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_PROOF);
    (void)close(rig.factor);
    rig.factor = rig_peer(&rig, SK_PEER_FACTOR, 0);
    durable();
    rig_refused(&rig, 0, 10, "verification-failed");
}

/* Remembered or not, at whichever worker. */
Test(auth_oauth, a_token_that_is_bound_to_a_certificate_is_good_with_that_alone)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        use_on(turn, 10, SK_SLICE_NULL, 'a', "");
        if (turn == 0) {
            right_with("bot", "", thumbprint('a'));
        }
        program(SECRET);
        if (turn == 0) {
            not_spent();
            durable();
        }
        (void)rig_granted(&rig, turn, 10, "bot");
        use_on(turn, 11, SK_SLICE_NULL, 'b', "");
        durable();
        rig_refused(&rig, turn, 11, "login-failed");
        use_on(turn, 12, SK_SLICE_NULL, 0, "");
        durable();
        rig_refused(&rig, turn, 12, "login-failed");
    }
}

Test(auth_oauth, a_token_that_is_bound_to_a_certificate_is_refused_when_it_is_first_seen_with_another)
{
    for (uint64_t ticket = 10; ticket < 12; ticket++) {
        use_on(0, ticket, SK_SLICE_NULL, ticket == 10 ? 'b' : 0, "");
        right_with("bot", "", thumbprint('a'));
        program(SECRET);
        not_spent();
        durable();
        rig_refused(&rig, 0, ticket, "login-failed");
    }
}

Test(auth_oauth, a_token_that_is_bound_to_key_and_certificate_needs_both)
{
    uint64_t later = sk_clock_wall() / SK_SECOND + 100;
    use_on(0, 10, SK_LIT("proof"), 'a', "");
    proved("key", "jti", later);
    right_with("bot", "key", thumbprint('a'));
    program(SECRET);
    not_spent();
    durable();
    (void)rig_granted(&rig, 0, 10, "bot");
    use_on(0, 11, SK_SLICE_NULL, 'a', "");
    durable();
    rig_refused(&rig, 0, 11, "login-failed");
    use_on(0, 12, SK_LIT("proof"), 0, "");
    proved("key", "jti2", later);
    durable();
    rig_refused(&rig, 0, 12, "login-failed");
}

/* What the tenant's file says of the program. */
static void set_bound(void)
{
    struct sk_control_tenant tenant = {.name = SK_LIT("one"), .service = SK_LIT("svc"), .inactivity = 60 * SK_SECOND, .expiration = 600 * SK_SECOND,
            .max_retries = 5, .find_time = SK_SECOND, .ban_time = SK_SECOND, .certificates = 1, .hosts = SK_LIT("one.test,")};
    struct sk_control_issuer m = {.name = SK_LIT("bot"), .kind = SK_ISSUER_CLIENT, .bound = 1};
    struct sk_control_loaded loaded = {.generation = 2};
    rig_tenant(1, tenant.tenant);
    rig_tenant(1, m.tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_TENANT, &tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_ISSUER, &m);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_LOADED, &loaded);
    (void)rig_hear(rig.control, &sk_control_interface, SK_CONTROL_READY);
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        cr_expect(sk_slice_eq(((const struct sk_auth_revoked *)rig_at_worker(&rig, i, SK_AUTH_REVOKED))->subject, SK_LIT("bot")));
    }
}

Test(auth_oauth, a_program_whose_tokens_are_bound_gets_and_brings_no_other)
{
    set_bound();
    log_in();
    ask_token(10, "one.test", SK_SLICE_NULL);
    program(SECRET);
    durable();
    rig_refused(&rig, 0, 10, "invalid_request");
    ask_token_with(11, "one.test", SK_SLICE_NULL, 'a');
    program(SECRET);
    durable();
    issued(11);
    cr_expect_not_null(strstr(rig_claims(token_text()), thumbprint('a')));
    use_on(0, 12, SK_SLICE_NULL, 'a', "");
    right_with("bot", "", ""); /* one from before */
    program(SECRET);
    not_spent();
    durable();
    rig_refused(&rig, 0, 12, "login-failed");
}

Test(auth_oauth, a_token_of_before_is_asked_for_anew_when_its_program_s_are_bound)
{
    use(0, 10, SK_SLICE_NULL);
    accepted(0, 10, "");
    set_bound();
    use(0, 11, SK_SLICE_NULL);
    right("bot", "");
    program(SECRET);
    not_spent();
    durable();
    rig_refused(&rig, 0, 11, "login-failed");
}

/* A program has logged in with a certificate alone, at a tenant whose map says whose it is. */
static void show(uint64_t ticket, char certificate)
{
    struct sk_auth_certificate m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .user = SK_LIT("bot"), .fingerprint = fingerprint(certificate)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_CERTIFICATE, &m);
    program(SECRET);
    durable();
    keep(rig_granted(&rig, 0, ticket, "bot"));
}

Test(auth_oauth, a_token_for_a_certificate_is_bound_to_it_and_good_while_it_is_the_program_s)
{
    show(10, 'a');
    ask_token_with(11, "one.test", SK_SLICE_NULL, 'a');
    program("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"); /* the keys are others meanwhile */
    durable();
    issued(11);
    cr_expect_not_null(strstr(rig_claims(token_text()), thumbprint('a')));
    use_on(0, 12, SK_SLICE_NULL, 'a', "bot");
    right_with("bot", "", thumbprint('a'));
    program(SECRET);
    not_spent();
    durable();
    (void)rig_granted(&rig, 0, 12, "bot");
    static const char *const holders[] = {"", "other"};
    for (uint64_t i = 0; i < SK_COUNT(holders); i++) {
        use_on(1, 13 + i, SK_SLICE_NULL, 'a', holders[i]);
        durable();
        rig_refused(&rig, 1, 13 + i, "login-failed");
    }
    use_on(1, 15, SK_SLICE_NULL, 'a', "bot");
    program(SECRET);
    (void)rig_granted(&rig, 1, 15, "bot");
}

Test(auth_oauth, a_token_for_a_certificate_is_refused_when_it_is_first_seen_with_another_s)
{
    show(10, 'a');
    ask_token_with(11, "one.test", SK_SLICE_NULL, 'a');
    program(SECRET);
    durable();
    issued(11);
    use_on(0, 12, SK_SLICE_NULL, 'a', "other");
    right_with("bot", "", thumbprint('a'));
    program(SECRET);
    not_spent();
    durable();
    rig_refused(&rig, 0, 12, "login-failed");
    use_on(0, 13, SK_SLICE_NULL, 'b', "bot"); /* nor is it tied to this one, whatever it said */
    right_with("bot", "", thumbprint('b'));
    program(SECRET);
    durable();
    rig_refused(&rig, 0, 13, "login-failed");
}

Test(auth_oauth, a_grant_for_a_certificate_gives_no_token_with_another_or_none)
{
    show(10, 'a');
    ask_token_with(11, "one.test", SK_SLICE_NULL, 'b');
    program(SECRET);
    durable();
    rig_refused(&rig, 0, 11, "invalid_request");
    ask_token_with(12, "one.test", SK_SLICE_NULL, 0);
    program(SECRET);
    durable();
    rig_refused(&rig, 0, 12, "invalid_request");
}

Test(auth_oauth, a_person_gets_no_token_for_a_certificate)
{
    show(10, 'a');
    ask_token_with(11, "one.test", SK_SLICE_NULL, 'a');
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "bot", "all");
    durable();
    rig_refused(&rig, 0, 11, "invalid_client");
}

Test(auth_oauth, a_key_s_use_is_a_write_once_in_a_while_and_a_token_s_is_none)
{
    for (unsigned i = 0; i < 4; i++) {
        bring_key(i % 2, 10 + i);
        (void)rig_granted(&rig, i % 2, 10 + i, "bot");
    }
    use(0, 20, SK_SLICE_NULL);
    accepted(0, 20, "");
    show(21, 'a');
    rig_changed(&rig, 1, "bot"); /* what was remembered of it is void */
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        (void)rig_at_worker(&rig, i, SK_AUTH_REVOKED);
    }
    log_in();
}

Test(auth_oauth, a_key_that_is_wrong_is_not_used)
{
    struct sk_auth_key m = {.ticket = 10, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .user = SK_LIT("bot"), .secret = SK_LIT("no")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_KEY, &m);
    program(SECRET);
    durable();
    rig_refused(&rig, 0, 10, "login-failed");
    bring_key(0, 11); /* the store's next message */
    (void)rig_granted(&rig, 0, 11, "bot");
}
