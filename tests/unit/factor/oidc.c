/* gateway/factor/oidc.c: an identity provider's tokens are what they are for, and of this sign-in; and what they say of their user. */
#include "factor/oidc.h"

#include "issuer.h"

#include <criterion/criterion.h>
#include <string.h>

#define HEADER "{'alg':'ES256','kid':'es256'}"
#define WHO "'iss':'https://id.test/a','sub':'taro','exp':1000300,'iat':999990"
#define EVENTS "'events':{'http://schemas.openid.net/event/backchannel-logout':{}}"

static struct sk_jwk_set *keys;
static struct sk_token_claims claims;

static void begin(void)
{
    cr_assert_eq(sk_jwk_set_parse(sk_slice_str(issuer_set()), &keys), 0);
}

static void end(void)
{
    sk_token_claims_free(&claims);
    keys = sk_jwk_set_free(keys);
}

TestSuite(factor_oidc, .init = begin, .fini = end);

static const char *reason(enum sk_token_use use, const char *text)
{
    const struct sk_token_expected expected = {.issuer = SK_LIT("https://id.test/a"), .audience = SK_LIT("panel"), .types = SK_LIT("JWT,logout+jwt"),
            .now = 1000000, .leeway = 60, .use = use, .nonce = use == SK_TOKEN_USE_SIGN_IN ? SK_LIT("n-0S6_WzA2Mj") : SK_SLICE_NULL};
    sk_token_claims_free(&claims);
    enum sk_token_refusal refusal = sk_token_verify(sk_slice_str(issuer_token(SK_JWK_ES256, HEADER, text)), keys, &expected, &claims);
    return sk_token_reason(refusal ? refusal : sk_oidc_check(&claims, &expected));
}

#define ID(more) reason(SK_TOKEN_USE_SIGN_IN, "{" WHO more "}")
#define OUT(more) reason(SK_TOKEN_USE_LOGOUT, "{'iss':'https://id.test/a','aud':'panel','exp':1000300,'iat':999990" more "}")

Test(factor_oidc, an_id_token_is_of_the_sign_in_that_was_begun)
{
    cr_expect_str_empty(ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj'"));
    cr_expect_str_eq(ID(",'aud':'panel'"), "token-nonce");
    cr_expect_str_eq(ID(",'aud':'panel','nonce':''"), "token-nonce");
    cr_expect_str_eq(ID(",'aud':'panel','nonce':['n-0S6_WzA2Mj']"), "token-nonce");
    cr_expect_str_eq(ID(",'aud':'panel','nonce':'n-0S6_WzA2Mk'"), "token-nonce");
    cr_expect_str_eq(ID(",'aud':'panel','nonce':'n-0S6_WzA2M'"), "token-nonce");
}

Test(factor_oidc, an_id_token_was_issued_to_this_client)
{
    cr_expect_str_empty(ID(",'aud':['panel'],'nonce':'n-0S6_WzA2Mj'"));
    cr_expect_str_empty(ID(",'aud':['panel','api'],'azp':'panel','nonce':'n-0S6_WzA2Mj'"));
    cr_expect_str_eq(ID(",'aud':['panel','api'],'nonce':'n-0S6_WzA2Mj'"), "token-authorized-party");
    cr_expect_str_eq(ID(",'aud':['panel','api'],'azp':'api','nonce':'n-0S6_WzA2Mj'"), "token-authorized-party");
    cr_expect_str_eq(ID(",'aud':'panel','azp':'api','nonce':'n-0S6_WzA2Mj'"), "token-authorized-party");
    cr_expect_str_eq(ID(",'aud':'panel','azp':1,'nonce':'n-0S6_WzA2Mj'"), "token-authorized-party");
    cr_expect_str_eq(ID(",'aud':'api','azp':'panel','nonce':'n-0S6_WzA2Mj'"), "token-audience");
}

Test(factor_oidc, a_logout_token_is_nothing_else_and_says_of_whom)
{
    cr_expect_str_empty(OUT(",'sub':'taro'," EVENTS));
    cr_expect_str_empty(OUT(",'sid':'s1'," EVENTS));
    cr_expect_str_empty(OUT(",'sub':'taro','sid':'s1'," EVENTS));
    cr_expect_str_eq(OUT("," EVENTS), "token-no-subject");
    cr_expect_str_eq(OUT(",'sub':'taro'"), "token-event");
    cr_expect_str_eq(OUT(",'sub':'taro','events':{}"), "token-event");
    cr_expect_str_eq(OUT(",'sub':'taro','events':['http://schemas.openid.net/event/backchannel-logout']"), "token-event");
    cr_expect_str_eq(OUT(",'sub':'taro','events':{'http://schemas.openid.net/event/backchannel-logout':true}"), "token-event");
    cr_expect_str_eq(OUT(",'sub':'taro','nonce':'n'," EVENTS), "token-event", "an ID token with such an event is none");
    cr_expect_str_eq(OUT(",'sid':1," EVENTS), "token-claim-malformed");
    cr_expect_str_eq(ID(",'aud':'panel'," EVENTS), "token-nonce", "and it is no ID token");
    cr_expect_str_eq(reason(SK_TOKEN_USE_SIGN_IN, "{'iss':'https://id.test/a','exp':1000300,'aud':'panel','nonce':'n-0S6_WzA2Mj'}"), "token-no-subject");
}

static bool user_is(const char *name, const char *user)
{
    return sk_slice_eq(sk_oidc_user(&claims, sk_slice_str(name)), sk_slice_str(user));
}

Test(factor_oidc, who_it_is_says_the_claim_that_was_named_and_an_address_that_is_verified)
{
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','email':'taro@corp.test','email_verified':true,'upn':'t','empty':'','list':['taro'],'odd':'a\\u0007b'");
    cr_expect(user_is("sub", "taro") && user_is("email", "taro@corp.test") && user_is("upn", "t"));
    cr_expect(user_is("empty", "") && user_is("list", "") && user_is("odd", "") && user_is("none", ""));
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','email':'taro@corp.test','email_verified':'true'");
    cr_expect(user_is("email", ""));
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','email':'taro@corp.test'");
    cr_expect(user_is("email", ""));
}

Test(factor_oidc, when_the_provider_saw_it_is_what_it_says)
{
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','auth_time':999000,'sid':'s1'");
    cr_expect_eq(sk_oidc_authenticated(&claims), 999000);
    cr_expect(sk_slice_eq(sk_oidc_session(&claims), SK_LIT("s1")));
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','auth_time':'999000'");
    cr_expect_eq(sk_oidc_authenticated(&claims), 0);
    (void)ID(",'aud':'panel','nonce':'n-0S6_WzA2Mj','auth_time':-5");
    cr_expect_eq(sk_oidc_authenticated(&claims), 0);
    cr_expect_eq(sk_oidc_session(&claims).len, 0);
}
