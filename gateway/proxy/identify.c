/* The credential of a request: a panel's session cookie; of an API a password, a key, somebody else's token, or the connection's certificate. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/clock.h"
#include "base/text.h"

#define KEY_PREFIX "sekisho_"
#define TOKEN_MAX 8192
#define PROOF_MAX 4096
#define SECRET_SIZE 43 /* base64url of 32 bytes */

struct sk_slice sk_exchange_cookie(const struct sk_request *r, struct sk_slice name)
{
    const struct sk_slice *value = sk_field_find(r->fields, r->fields_count, SK_LIT("cookie"));
    struct sk_slice rest = value ? *value : SK_SLICE_NULL;
    while (rest.len) {
        struct sk_slice pair = sk_slice_trim(sk_slice_split(&rest, ';'));
        struct sk_slice key = sk_slice_split(&pair, '=');
        if (sk_slice_eq(key, name)) {
            return pair;
        }
    }
    return SK_SLICE_NULL;
}

/* RFC 7617. The grant is found by the header as it stands; only a new one is taken apart. */
static struct sk_grant *identify_basic(struct sk_exchange *x, struct sk_slice header)
{
    uint8_t plain[1400] sk_uninitialized;
    size_t len;
    struct sk_slice scheme = SK_LIT("basic ");
    if (header.len > 1800 || !sk_slice_eq_nocase(sk_slice_cut(header, scheme.len), scheme)) {
        return NULL;
    }
    struct sk_slice encoded = sk_slice_trim(sk_slice_from(header, scheme.len));
    struct sk_grant *grant = sk_grant_basic(x, encoded, SK_SLICE_NULL, SK_SLICE_NULL);
    if (grant || sk_base64_decode(encoded, plain, sizeof(plain), &len)) {
        return grant;
    }
    struct sk_slice password = sk_slice(plain, len);
    struct sk_slice user = sk_slice_split(&password, ':');
    bool whole = user.len > 0 && user.len <= 256 && user.len < len && password.len > 0 && password.len <= 1024;
    grant = whole ? sk_grant_basic(x, encoded, user, password) : NULL;
    sk_wipe(plain, sizeof(plain));
    return grant;
}

/* What stands behind the scheme; the null slice when it is another. */
static struct sk_slice behind(struct sk_slice authorization, struct sk_slice scheme)
{
    bool same = sk_slice_eq_nocase(sk_slice_cut(authorization, scheme.len), scheme);
    return same ? sk_slice_trim(sk_slice_from(authorization, scheme.len)) : SK_SLICE_NULL;
}

static struct sk_slice bearer_of(struct sk_slice authorization)
{
    return behind(authorization, SK_LIT("bearer "));
}

struct sk_slice sk_identify_proof(const struct sk_request *r)
{
    struct sk_slice proof = SK_SLICE_NULL;
    size_t count = 0;
    for (size_t i = 0; i < r->fields_count; i++) {
        if (sk_slice_eq(r->fields[i].name, SK_LIT("dpop"))) {
            proof = r->fields[i].value;
            count++;
        }
    }
    return count == 1 && proof.len <= PROOF_MAX ? proof : SK_SLICE_NULL;
}

bool sk_identify_is_api_key(const struct sk_field *field)
{
    return sk_slice_eq(field->name, SK_LIT("x-api-key")) && sk_slice_starts(field->value, SK_LIT(KEY_PREFIX));
}

bool sk_identify_is_key(const struct sk_field *field)
{
    return sk_identify_is_api_key(field) ||
           (sk_slice_eq(field->name, SK_LIT("authorization")) && sk_slice_starts(bearer_of(field->value), SK_LIT(KEY_PREFIX)));
}

/* sekisho_NAME_SECRET: the secret's length is known, and a name may have no underscore but is not asked for it. */
static void identify_key(struct sk_exchange *x, struct sk_slice token)
{
    size_t prefix = sizeof(KEY_PREFIX) - 1;
    if (token.len < prefix + 1 + 1 + SECRET_SIZE || token.len > prefix + 64 + 1 + SECRET_SIZE || token.data[token.len - SECRET_SIZE - 1] != '_') {
        return;
    }
    struct sk_slice user = sk_slice(token.data + prefix, token.len - prefix - SECRET_SIZE - 1);
    (void)sk_grant_key(x, token, user, sk_slice_from(token, token.len - SECRET_SIZE));
}

static void identify_panel(struct sk_exchange *x)
{
    struct sk_slice token = sk_exchange_cookie(&x->stream->request, SK_LIT(SK_COOKIE));
    if (token.len >= 40 && token.len <= 64) {
        (void)sk_grant_cookie(x, token);
    }
}

int sk_identify(struct sk_exchange *x, bool panel)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *authorization = sk_field_find(r->fields, r->fields_count, SK_LIT("authorization"));
    struct sk_slice key = SK_SLICE_NULL, bearer = authorization ? bearer_of(*authorization) : SK_SLICE_NULL;
    struct sk_slice bound = authorization ? behind(*authorization, SK_LIT("dpop ")) : SK_SLICE_NULL;
    if (panel) {
        identify_panel(x);
        return 0;
    }
    for (size_t i = 0; i < r->fields_count; i++) {
        if (sk_identify_is_api_key(&r->fields[i])) {
            if (key.len || authorization) {
                return 1;
            }
            key = r->fields[i].value;
        }
    }
    if (x->app < 0) {
        return 0;
    }
    x->bearer = bearer.len > 0;
    if (key.len) {
        identify_key(x, key);
    } else if (sk_slice_starts(bearer, SK_LIT(KEY_PREFIX))) {
        identify_key(x, bearer);
    } else if (bearer.len) {
        if (bearer.len <= TOKEN_MAX) {
            (void)sk_grant_token(x, bearer);
        }
    } else if (bound.len) {
        x->bound = true;
        if (bound.len <= TOKEN_MAX) {
            (void)sk_grant_bound(x, bound, sk_identify_proof(r));
        }
    } else if (authorization) {
        (void)identify_basic(x, *authorization);
    } else if (x->conn->holder) {
        (void)sk_certificate_grant(x);
    }
    return 0;
}
