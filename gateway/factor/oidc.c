/* Identity providers' tokens. Runs in the factor helpers. */
#include "factor/oidc.h"

#include "factor/json.h"
#include "factor/jws.h"

#include <jansson.h>

#define LOGOUT_EVENT "http://schemas.openid.net/event/backchannel-logout"

/* The party that it was issued to must be this client, wherever it is said; where there are more audiences, it must be. */
static bool is_party(const json_t *claims, struct sk_slice client)
{
    struct sk_slice party;
    int r = sk_json_member(claims, "azp", &party);
    return r == 0 ? sk_slice_eq(party, client) : r == 1 && json_array_size(json_object_get(claims, "aud")) <= 1;
}

static enum sk_token_refusal check_id_token(const json_t *claims, const struct sk_token_expected *expected)
{
    struct sk_slice nonce;
    if (sk_json_member(claims, "nonce", &nonce) || !nonce.len || !sk_slice_eq(nonce, expected->nonce)) {
        return SK_TOKEN_NONCE;
    }
    return is_party(claims, expected->audience) ? SK_TOKEN_NONE : SK_TOKEN_PARTY;
}

/* An ID token is none, though the same key signed it: it has no such event, and a nonce. */
static enum sk_token_refusal check_logout_token(const json_t *claims, struct sk_slice subject)
{
    const json_t *event = json_object_get(json_object_get(claims, "events"), LOGOUT_EVENT);
    struct sk_slice session;
    int r = sk_json_member(claims, "sid", &session);
    if (!json_is_object(event) || json_object_get(claims, "nonce")) {
        return SK_TOKEN_EVENT;
    }
    return r == 2 || session.len > SK_TOKEN_SUBJECT_MAX ? SK_TOKEN_CLAIM : subject.len || session.len ? SK_TOKEN_NONE : SK_TOKEN_NO_SUBJECT;
}

enum sk_token_refusal sk_oidc_check(const struct sk_token_claims *claims, const struct sk_token_expected *expected)
{
    switch (expected->use) {
    case SK_TOKEN_USE_SIGN_IN:
        return check_id_token(claims->json, expected);
    case SK_TOKEN_USE_LOGOUT:
        return check_logout_token(claims->json, claims->subject);
    default:
        return SK_TOKEN_NONE;
    }
}

struct sk_slice sk_oidc_user(const struct sk_token_claims *claims, struct sk_slice name)
{
    struct sk_slice user = sk_json_string(json_object_getn(claims->json, name.data, name.len));
    bool verified = !sk_slice_eq(name, SK_LIT("email")) || json_is_true(json_object_get(claims->json, "email_verified"));
    return verified && sk_token_is_subject(user) ? user : SK_SLICE_NULL;
}

uint64_t sk_oidc_authenticated(const struct sk_token_claims *claims)
{
    double when;
    return sk_jws_time(claims->json, "auth_time", &when) == 0 ? (uint64_t)when : 0;
}

struct sk_slice sk_oidc_session(const struct sk_token_claims *claims)
{
    struct sk_slice session = sk_json_string(json_object_get(claims->json, "sid"));
    return session.len <= SK_TOKEN_SUBJECT_MAX ? session : SK_SLICE_NULL;
}
