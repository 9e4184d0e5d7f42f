/* gateway/auth/sign_in.c, providers.c and provider_logout.c: what a browser must come back with, what a provider's word is worth, and what ends. */
#include "rig.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "ipc/fetch.h"
#include "ipc/tenant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct rig rig;
static int fetch;
static char id[33]; /* of the provider */
static struct sk_slice keys = {"{}", 2}, factors = {"otp,fido2\nmfa,passkey", 21};
static char begun[65], state[65], url[8193];

static void set_provider(uint64_t generation, struct sk_slice map)
{
    struct sk_control_tenant tenant = {.name = SK_LIT("one"), .service = SK_LIT("dns"), .inactivity = 900 * SK_SECOND, .expiration = 43200 * SK_SECOND,
            .max_retries = 5, .find_time = SK_SECOND, .ban_time = SK_SECOND, .hosts = SK_LIT("one.test,also.test,")};
    struct sk_control_issuer issuer = {.name = SK_LIT("corp"), .kind = SK_ISSUER_PROVIDER, .issuer = SK_LIT("https://id.test"), .audience = SK_LIT("pa nel"),
            .types = SK_LIT("JWT"), .map = map, .roles = SK_LIT("guest"), .source = {7}, .jwks = keys};
    struct sk_control_provider provider = {.name = issuer.name, .user_claim = SK_LIT("sub"), .scopes = SK_LIT("openid email"), .acr_values = SK_LIT("mfa"),
            .factors = factors, .authorization = SK_LIT("https://id.test/auth?x=1"), .end_session = SK_LIT("https://id.test/end"), .iss = 1};
    struct sk_control_loaded loaded = {.generation = generation};
    rig_tenant(1, tenant.tenant);
    rig_tenant(1, issuer.tenant);
    rig_tenant(1, provider.tenant);
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_TENANT, &tenant);
    if (map.len) {
        rig_tell(rig.control, &sk_control_interface, SK_CONTROL_ISSUER, &issuer);
        rig_tell(rig.control, &sk_control_interface, SK_CONTROL_PROVIDER, &provider);
    }
    rig_tell(rig.control, &sk_control_interface, SK_CONTROL_LOADED, &loaded);
    (void)rig_hear(rig.control, &sk_control_interface, SK_CONTROL_READY);
}

static void begin(void)
{
    rig_start(&rig);
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(SK_LIT("corp\nhttps://id.test\npa nel\nsub"), hash);
    sk_hex_encode(hash, 16, id);
    fetch = rig_peer(&rig, SK_PEER_FETCH, 0);
    set_provider(2, SK_LIT("ops,all"));
}

static void end(void)
{
    (void)close(fetch);
    rig_stop(&rig);
}

TestSuite(auth_sign_in, .init = begin, .fini = end, .timeout = 60);

static void durable(void)
{
    rig_records(&rig, 1);
    rig_durable(&rig);
}

/* Somebody is sent away, and what the browser keeps is kept. */
static void go(uint64_t ticket, const struct rig_grant *grant)
{
    struct sk_auth_sign_in m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test:8443"), .provider = SK_LIT("corp")};
    rig_tenant(1, m.tenant);
    if (grant) {
        m.session = grant->session_text;
        m.proof = grant->proof_text;
    }
    rig_from_worker(&rig, 0, SK_AUTH_SIGN_IN, &m);
    const struct sk_auth_redirect *to = rig_at_worker(&rig, 0, SK_AUTH_REDIRECT);
    cr_assert_eq(to->ticket, ticket);
    (void)snprintf(begun, sizeof(begun), "%.*s", (int)to->begun.len, to->begun.data);
    (void)snprintf(state, sizeof(state), "%.*s", (int)to->state.len, to->state.data);
    (void)snprintf(url, sizeof(url), "%.*s", (int)to->url.len, to->url.data);
}

static struct sk_auth_signed_in coming(uint64_t ticket)
{
    struct sk_auth_signed_in m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test:8443"),
            .provider = SK_LIT("corp"), .begun = sk_slice_str(begun), .state = sk_slice_str(state), .code = SK_LIT("c0de"), .iss = SK_LIT("https://id.test")};
    rig_tenant(1, m.tenant);
    return m;
}

static void come(const struct sk_auth_signed_in *m)
{
    rig_from_worker(&rig, 0, SK_AUTH_SIGNED_IN, m);
}

static void refused(const struct sk_auth_signed_in *m, const char *reason)
{
    come(m);
    durable();
    rig_refused(&rig, 0, m->ticket, reason);
}

/* The store has the secret; fetch is asked: its ticket. */
static uint64_t exchanging(void)
{
    struct sk_store_got_secret secret = {.ticket = rig_asked(&rig, SK_STORE_GET_SECRETS), .header = SK_LIT("other"), .value = SK_LIT("another's")};
    rig_from_store(&rig, SK_STORE_GOT_SECRET, &secret);
    secret.header = SK_LIT("corp");
    secret.value = SK_LIT("s3cret");
    rig_from_store(&rig, SK_STORE_GOT_SECRET, &secret);
    rig_result(&rig, secret.ticket, 0, 2);
    const struct sk_fetch_exchange *m = rig_hear(fetch, &sk_fetch_interface, SK_FETCH_EXCHANGE);
    cr_expect(sk_slice_eq(m->secret, SK_LIT("s3cret")) && sk_slice_eq(m->code, SK_LIT("c0de")) && sk_slice_eq(m->client_id, SK_LIT("pa nel")) && m->source[0] == 7);
    cr_expect(sk_slice_eq(m->redirect_uri, SK_LIT("https://one.test:8443/.sekisho/sign-in/corp/callback")));
    cr_expect_eq(m->verifier.len, 43);
    return m->ticket;
}

static void exchanged(uint64_t ticket, const char *reason)
{
    struct sk_fetch_exchanged m = {.ticket = ticket, .reason = sk_slice_str(reason), .id_token = reason[0] ? SK_SLICE_NULL : SK_LIT("a.b.c")};
    rig_tell(fetch, &sk_fetch_interface, SK_FETCH_EXCHANGED, &m);
}

/* The helper finds the token right, and that it says this. */
static void right(const char *sub, const char *roles, const char *methods, uint64_t when)
{
    const struct sk_factor_token *asked = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_TOKEN);
    char nonce[64];
    cr_expect_eq(asked->use, SK_TOKEN_USE_SIGN_IN);
    cr_expect(sk_slice_eq(asked->user_claim, SK_LIT("sub")) && sk_slice_eq(asked->audience, SK_LIT("pa nel")));
    (void)snprintf(nonce, sizeof(nonce), "nonce=%.*s&", (int)asked->nonce.len, asked->nonce.data);
    cr_expect(asked->nonce.len == 43 && strstr(url, nonce), "the nonce is the one of the request");
    struct sk_factor_claims m = {.ticket = asked->ticket, .subject = sk_slice_str(sub), .user = sk_slice_str(sub), .roles = sk_slice_str(roles),
            .methods = sk_slice_str(methods), .authenticated = when, .sid = SK_LIT("sid1"), .expires = UINT32_MAX};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_CLAIMS, &m);
}

/* Its session is put; what of it is asked for. */
static const struct sk_store_put_session *put(void)
{
    const struct sk_store_put_session *m = rig_at_store(&rig, SK_STORE_PUT_SESSION);
    cr_expect(sk_slice_eq(m->provider, sk_slice_str(id)) && sk_slice_eq(m->sid, SK_LIT("sid1")));
    return m;
}

static bool has(const char *text)
{
    return strstr(url, text) != NULL;
}

Test(auth_sign_in, the_request_has_all_that_must_come_back)
{
    go(1, NULL);
    cr_expect(has("https://id.test/auth?x=1&response_type=code&client_id=pa%20nel&"), "%s", url);
    cr_expect(has("&redirect_uri=https%3A//one.test%3A8443/.sekisho/sign-in/corp/callback&") && has("&scope=openid%20email&") && has("&acr_values=mfa"));
    cr_expect(has("&code_challenge_method=S256") && has("&max_age=43200") && !has("prompt"));
    char text[80];
    (void)snprintf(text, sizeof(text), "&state=%s&", state);
    cr_expect(has(text) && strlen(state) == 43 && strcmp(state, begun) != 0);
    char before[65];
    memcpy(before, state, sizeof(before));
    go(2, NULL);
    cr_expect_str_neq(state, before);
}

Test(auth_sign_in, a_code_makes_a_session_of_what_the_provider_says)
{
    const uint64_t when = sk_clock_wall() / SK_SECOND - 100;
    char proofs[80];
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    exchanged(exchanging(), "");
    right("taro", "ops,other", "pwd,otp", when);
    const struct sk_store_put_session *session = put();
    cr_expect(sk_slice_eq(session->subject, SK_LIT("corp:taro")) && sk_slice_eq(session->sub, SK_LIT("taro")) && sk_slice_eq(session->claims, SK_LIT("ops,other")));
    (void)snprintf(proofs, sizeof(proofs), "fido2@%llu,oidc@%llu", (unsigned long long)when, (unsigned long long)when);
    cr_expect(sk_slice_eq(session->proofs, sk_slice_str(proofs)), "%.*s", (int)session->proofs.len, session->proofs.data);
    rig_result(&rig, session->ticket, 0, 0);
    durable();
    const struct sk_auth_grant *grant = rig_granted(&rig, 0, 2, "corp:taro");
    cr_expect(sk_slice_eq(grant->roles, SK_LIT("guest,all")), "%.*s", (int)grant->roles.len, grant->roles.data);
    cr_expect(grant->token.len == 43);
    refused(&m, "sign-in-expired"); /* once */
}

/* The user may have taken max_age out of the request. */
Test(auth_sign_in, what_was_proven_before_a_session_could_have_begun_makes_none)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    exchanged(exchanging(), "");
    right("taro", "", "mfa", sk_clock_wall() / SK_SECOND - 43200 - 100);
    durable();
    rig_refused(&rig, 0, 2, "sign-in-failed");
}

Test(auth_sign_in, what_nobody_says_when_it_was_proven_is_never_fresh)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    exchanged(exchanging(), "");
    right("taro", "", "mfa", 0);
    cr_expect(sk_slice_eq(put()->proofs, SK_LIT("passkey@1,oidc@1")));
}

Test(auth_sign_in, what_does_not_fit_together_is_refused_before_the_provider_is_asked)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    m.begun = SK_SLICE_NULL;
    refused(&m, "sign-in-expired");
    m = coming(3);
    m.begun = sk_slice_cut(m.begun, 53);
    refused(&m, "sign-in-expired");
    m = coming(4);
    m.state = SK_SLICE_NULL;
    refused(&m, "sign-in-expired");
    m = coming(5);
    state[0] = state[0] == 'A' ? 'B' : 'A';
    refused(&m, "sign-in-expired");
    go(6, NULL);
    m = coming(7);
    m.iss = SK_LIT("https://evil.test");
    refused(&m, "sign-in-failed");
    go(8, NULL);
    m = coming(9);
    m.iss = SK_SLICE_NULL;
    refused(&m, "sign-in-failed"); /* its metadata says that it always names itself */
    go(10, NULL);
    m = coming(11);
    m.error = SK_LIT("access_denied");
    refused(&m, "sign-in-failed");
    go(12, NULL);
    m = coming(13);
    m.code = SK_SLICE_NULL;
    refused(&m, "sign-in-failed");
    rig_login(&rig, 0, SK_AUTH_BASIC, 14, 1, "jiro");
    (void)rig_asked(&rig, SK_STORE_TRY); /* nothing was asked of the store before it */
}

Test(auth_sign_in, a_sign_in_of_one_tenant_or_host_ends_at_no_other)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    m.host = SK_LIT("two.test");
    m.authority = SK_LIT("two.test");
    rig_tenant(2, m.tenant);
    come(&m);
    rig_refused(&rig, 0, 2, "no-such-page");
    m = coming(3);
    m.host = SK_LIT("two.test");
    come(&m);
    rig_refused(&rig, 0, 3, "host-unknown");
    m = coming(4);
    m.authority = SK_LIT("evil.test");
    come(&m);
    rig_refused(&rig, 0, 4, "host-unknown");
}

Test(auth_sign_in, a_provider_or_fetch_that_is_away_is_no_verdict)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    exchanged(exchanging(), "provider-unavailable");
    durable();
    rig_refused(&rig, 0, 2, "provider-unavailable");
    go(3, NULL);
    m = coming(4);
    come(&m);
    exchanged(exchanging(), "code-refused");
    durable();
    rig_refused(&rig, 0, 4, "sign-in-failed");
    go(5, NULL);
    m = coming(6);
    come(&m);
    (void)exchanging();
    (void)close(fetch); /* while it has the code */
    durable();
    rig_refused(&rig, 0, 6, "provider-unavailable");
    go(7, NULL);
    m = coming(8);
    come(&m);
    struct sk_store_got_secret secret = {.ticket = rig_asked(&rig, SK_STORE_GET_SECRETS), .header = SK_LIT("corp"), .value = SK_LIT("s3cret")};
    rig_from_store(&rig, SK_STORE_GOT_SECRET, &secret);
    rig_result(&rig, secret.ticket, 0, 1);
    durable();
    rig_refused(&rig, 0, 8, "provider-unavailable");
    fetch = rig_peer(&rig, SK_PEER_FETCH, 0);
}

Test(auth_sign_in, an_answer_that_nobody_waits_for_is_none)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    uint64_t ticket = exchanging();
    exchanged(ticket + 5, "");
    exchanged(ticket, "");
    exchanged(ticket, "code-refused"); /* again */
    right("taro", "", "", sk_clock_wall() / SK_SECOND);
    rig_result(&rig, put()->ticket, 0, 0);
    durable();
    (void)rig_granted(&rig, 0, 2, "corp:taro");
}

Test(auth_sign_in, a_new_key_is_fetched_and_the_sign_in_begins_again)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    exchanged(exchanging(), "");
    struct sk_factor_claims claims = {.ticket = ((const struct sk_factor_token *)rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_TOKEN))->ticket,
            .reason = SK_LIT("token-key-unknown")};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_CLAIMS, &claims);
    cr_expect_eq(((const struct sk_fetch_refresh *)rig_hear(fetch, &sk_fetch_interface, SK_FETCH_REFRESH))->source[0], 7);
    durable();
    rig_refused(&rig, 0, 2, "sign-in-failed");
}

/* Signed in as taro with a session that is there: of whom, and what was proven. */
static const struct sk_store_put_session *step_up(const char *subject)
{
    struct rig_grant own;
    rig_admit(&rig, 0, 20, 1, "hanako", &own);
    go(21, &own);
    cr_expect(has("&prompt=login"));
    struct sk_auth_signed_in m = coming(22);
    m.session = own.session_text;
    m.proof = own.proof_text;
    come(&m);
    exchanged(exchanging(), "");
    right("taro", "", "mfa", 1800000000);
    struct sk_store_got_session session = {.ticket = rig_asked(&rig, SK_STORE_GET_SESSION), .key = own.session_text, .subject = sk_slice_str(subject),
            .started = 77, .used = sk_clock_wall(), .proofs = SK_LIT("oidc@1700000000,fido2@1700000001")};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &session);
    return put();
}

Test(auth_sign_in, who_proves_it_again_keeps_what_was_proven_and_the_session_s_beginning)
{
    const struct sk_store_put_session *session = step_up("corp:taro");
    uint64_t now = sk_clock_wall() / SK_SECOND;
    char proofs[80];
    (void)snprintf(proofs, sizeof(proofs), "fido2@1700000001,passkey@%llu,oidc@%llu", (unsigned long long)now, (unsigned long long)now);
    cr_expect(session->started == 77 && sk_slice_starts(session->proofs, SK_LIT("fido2@1700000001,passkey@")), "%.*s", (int)session->proofs.len, session->proofs.data);
    rig_result(&rig, session->ticket, 0, 0);
    durable();
    (void)rig_granted(&rig, 0, 22, "corp:taro");
    (void)rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
}

Test(auth_sign_in, somebody_else_s_session_ends_and_gives_nothing)
{
    const struct sk_store_put_session *session = step_up("hanako");
    cr_expect(session->started != 77 && sk_slice_starts(session->proofs, SK_LIT("passkey@")), "%.*s", (int)session->proofs.len, session->proofs.data);
    rig_result(&rig, session->ticket, 0, 0);
    durable();
    rig_records(&rig, 1); /* whose session ended */
    (void)rig_granted(&rig, 0, 22, "corp:taro");
    (void)rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
}

static void check_session(uint64_t ticket)
{
    uint64_t now = sk_clock_wall();
    rig_check(&rig, 0, ticket, 1);
    struct sk_store_got_session session = {.ticket = rig_asked(&rig, SK_STORE_GET_SESSION), .key = SK_LIT("key"), .subject = SK_LIT("corp:taro"), .started = now,
            .used = now, .address = RIG_ADDRESS, .proofs = SK_LIT("fido2@1700000000,oidc@1700000000"), .provider = sk_slice_str(id), .sub = SK_LIT("taro"), .claims = SK_LIT("ops")};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &session);
}

Test(auth_sign_in, what_a_session_s_claims_mean_says_the_file_as_it_is_now)
{
    check_session(1);
    cr_expect(sk_slice_eq(rig_granted(&rig, 0, 1, "corp:taro")->roles, SK_LIT("guest,all")));
    (void)rig_at_store(&rig, SK_STORE_TOUCH_SESSION);
    set_provider(3, SK_LIT("dev,all"));
    cr_expect(((const struct sk_auth_revoked *)rig_at_worker(&rig, 0, SK_AUTH_REVOKED))->subject.len == 0, "all of the tenant's are asked for anew");
    check_session(2);
    cr_expect(sk_slice_eq(rig_granted(&rig, 0, 2, "corp:taro")->roles, SK_LIT("guest")));
    (void)rig_at_store(&rig, SK_STORE_TOUCH_SESSION);
    set_provider(4, SK_SLICE_NULL);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    check_session(3);
    rig_refused(&rig, 0, 3, "login-required");
}

Test(auth_sign_in, what_the_file_lets_a_provider_vouch_for_no_more_counts_no_more)
{
    check_session(1);
    cr_expect(sk_slice_eq(rig_granted(&rig, 0, 1, "corp:taro")->proofs, SK_LIT("fido2@1700000000,oidc@1700000000")));
    (void)rig_at_store(&rig, SK_STORE_TOUCH_SESSION);
    factors = SK_LIT("mfa,passkey");
    set_provider(3, SK_LIT("ops,all"));
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    check_session(2);
    cr_expect(sk_slice_eq(rig_granted(&rig, 0, 2, "corp:taro")->proofs, SK_LIT("oidc@1700000000")));
}

/* Keys come and go at a provider: nobody's session ends for it, nor who is on his way. */
Test(auth_sign_in, new_keys_of_a_provider_cut_nobody)
{
    go(1, NULL);
    struct sk_auth_signed_in m = coming(2);
    come(&m);
    uint64_t ticket = exchanging();
    keys = SK_LIT("{\"keys\":[]}");
    set_provider(3, SK_LIT("ops,all"));
    exchanged(ticket, "");
    right("taro", "", "", sk_clock_wall() / SK_SECOND);
    rig_result(&rig, put()->ticket, 0, 0);
    durable();
    (void)rig_granted(&rig, 0, 2, "corp:taro"); /* and no REVOKED before it */
}

/* Whoever takes a provider's name over takes none of its people over. */
Test(auth_sign_in, another_provider_of_the_same_name_has_none_of_its_sessions)
{
    id[0] = id[0] == '0' ? '1' : '0';
    check_session(1);
    rig_refused(&rig, 0, 1, "login-required");
}

static void say_logout(uint64_t ticket, const char *sub, const char *sid, const char *reason)
{
    struct sk_auth_provider_logout m = {.ticket = ticket, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .provider = SK_LIT("corp"), .bearer = SK_LIT("a.b.c")};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_PROVIDER_LOGOUT, &m);
    const struct sk_factor_token *asked = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_TOKEN);
    cr_expect(asked->use == SK_TOKEN_USE_LOGOUT && asked->max_age == 300 && asked->nonce.len == 0);
    struct sk_factor_claims claims = {.ticket = asked->ticket, .subject = sk_slice_str(sub), .sid = sk_slice_str(sid), .reason = sk_slice_str(reason)};
    rig_tell(rig.factor, &sk_factor_interface, SK_FACTOR_CLAIMS, &claims);
    durable();
}

Test(auth_sign_in, a_provider_s_logout_ends_the_sessions_it_names_everywhere)
{
    say_logout(1, "taro", "sid1", "");
    const struct sk_store_drop_signed_in *drop = rig_at_store(&rig, SK_STORE_DROP_SIGNED_IN);
    cr_expect(sk_slice_eq(drop->provider, sk_slice_str(id)) && sk_slice_eq(drop->sub, SK_LIT("taro")) && sk_slice_eq(drop->sid, SK_LIT("sid1")));
    struct sk_store_got_session gone = {.ticket = drop->ticket, .key = SK_LIT("k1")};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &gone);
    gone.key = SK_LIT("k2");
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &gone);
    rig_result(&rig, gone.ticket, 0, 2);
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        cr_expect(sk_slice_eq(((const struct sk_auth_revoked *)rig_at_worker(&rig, i, SK_AUTH_REVOKED))->session, SK_LIT("k1")));
        cr_expect(sk_slice_eq(((const struct sk_auth_revoked *)rig_at_worker(&rig, i, SK_AUTH_REVOKED))->session, SK_LIT("k2")));
    }
    cr_expect_eq(((const struct sk_auth_done *)rig_at_worker(&rig, 0, SK_AUTH_DONE))->count, 2);
    rig_records(&rig, 2); /* of each that ended */
}

Test(auth_sign_in, a_logout_token_that_is_none_ends_nothing)
{
    say_logout(1, "", "", "token-event");
    rig_refused(&rig, 0, 1, "logout-refused");
    rig_login(&rig, 0, SK_AUTH_BASIC, 2, 1, "jiro");
    (void)rig_asked(&rig, SK_STORE_TRY);
}

Test(auth_sign_in, who_logs_out_here_is_sent_to_do_so_there)
{
    struct rig_grant own;
    rig_admit(&rig, 0, 1, 1, "corp:taro", &own);
    struct sk_auth_logout m = {.ticket = 2, .address = RIG_ADDRESS, .host = SK_LIT("one.test"), .authority = SK_LIT("one.test:8443"), .session = own.session_text,
            .proof = own.proof_text};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_LOGOUT, &m);
    struct sk_store_got_session session = {.ticket = rig_asked(&rig, SK_STORE_GET_SESSION), .key = own.session_text, .subject = SK_LIT("corp:taro"),
            .provider = sk_slice_str(id)};
    rig_from_store(&rig, SK_STORE_GOT_SESSION, &session);
    durable();
    rig_result(&rig, rig_asked(&rig, SK_STORE_DROP_SESSIONS), 0, 1);
    (void)rig_at_worker(&rig, 0, SK_AUTH_REVOKED);
    const struct sk_auth_redirect *to = rig_at_worker(&rig, 0, SK_AUTH_REDIRECT);
    cr_expect(sk_slice_eq(to->url, SK_LIT("https://id.test/end?client_id=pa%20nel&post_logout_redirect_uri=https%3A//one.test%3A8443/.sekisho/logout")),
            "%.*s", (int)to->url.len, to->url.data);
}

Test(auth_sign_in, no_worker_gets_the_client_secret)
{
    struct sk_auth_secrets m = {.ticket = 1, .app = SK_LIT(SK_STORE_PROVIDERS)};
    rig_tenant(1, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_SECRETS, &m);
    rig_refused(&rig, 0, 1, "not-granted");
}
