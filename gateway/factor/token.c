/*
 * Verifying tokens. Runs in the factor helpers. libjwt is not used: 1.10 knows neither PS256 nor EdDSA, takes keys as PEM
 * alone, and reads the claims before the key is chosen; what is left of it is less than what stands here.
 */
#include "factor/token.h"

#include "base/clock.h"
#include "factor/jws.h"

#include <jansson.h>

/* ---- header ---- */

static enum sk_token_refusal check_header(const json_t *header, struct sk_slice types)
{
    static const char *const embedded[] = {"jwk", "jku", "x5c", "x5u"};
    struct sk_slice name;
    if (sk_json_member(header, "alg", &name) || sk_jwk_algorithm(name) == SK_JWK_NONE) {
        return SK_TOKEN_ALGORITHM;
    }
    if (json_object_get(header, "crit")) {
        return SK_TOKEN_CRITICAL;
    }
    for (size_t i = 0; i < SK_COUNT(embedded); i++) {
        if (json_object_get(header, embedded[i])) {
            return SK_TOKEN_KEY_EMBEDDED;
        }
    }
    if (json_object_get(header, "cty")) {
        return SK_TOKEN_NESTED;
    }
    return sk_jws_is_type(header, types) ? SK_TOKEN_NONE : SK_TOKEN_TYPE;
}

/* By its id; a header without one: the only key of that algorithm. */
static const struct sk_jwk *choose_key(const struct sk_jwk_set *keys, const json_t *header, enum sk_jwk_algorithm algorithm)
{
    const struct sk_jwk *found = NULL;
    struct sk_slice id;
    int r = sk_json_member(header, "kid", &id);
    for (size_t i = 0; r != 2 && i < keys->count; i++) {
        const struct sk_jwk *key = &keys->keys[i];
        if (r == 0 ? key->id.data && sk_slice_eq(key->id, id) : key->algorithm == algorithm) {
            if (found) {
                return NULL;
            }
            found = key;
        }
    }
    return found;
}

static enum sk_token_refusal check_signature(const struct sk_jws *parts, const struct sk_jwk_set *keys, struct sk_slice types)
{
    json_t *header = sk_json_object(parts->header);
    if (!header) {
        return SK_TOKEN_MALFORMED;
    }
    enum sk_token_refusal refusal = check_header(header, types);
    if (refusal == SK_TOKEN_NONE) {
        enum sk_jwk_algorithm algorithm = sk_jwk_algorithm(sk_json_string(json_object_get(header, "alg")));
        const struct sk_jwk *key = choose_key(keys, header, algorithm);
        refusal = !key                                                 ? SK_TOKEN_KEY_UNKNOWN
                  : key->algorithm != algorithm                        ? SK_TOKEN_ALGORITHM
                  : sk_jwk_verify(key, parts->input, parts->signature) ? SK_TOKEN_SIGNATURE
                                                                       : SK_TOKEN_NONE;
    }
    json_decref(header);
    return refusal;
}

/* ---- claims ---- */

static bool is_one_of(struct sk_slice text, struct sk_slice lines)
{
    bool found = false;
    while (text.len && lines.len && !found) {
        found = sk_slice_eq(text, sk_slice_split(&lines, '\n'));
    }
    return found;
}

static bool is_audience(const json_t *claims, struct sk_slice audience)
{
    const json_t *member = json_object_get(claims, "aud"), *element;
    bool found = is_one_of(sk_json_string(member), audience);
    size_t i;
    json_array_foreach (member, i, element) {
        if (!json_is_string(element)) {
            return false;
        }
        found = found || is_one_of(sk_json_string(element), audience);
    }
    return found;
}

static enum sk_token_refusal check_times(const json_t *claims, const struct sk_token_expected *expected, uint64_t *expires)
{
    double exp, nbf, iat, now = (double)expected->now, leeway = (double)expected->leeway;
    int has_exp = sk_jws_time(claims, "exp", &exp), has_nbf = sk_jws_time(claims, "nbf", &nbf), has_iat = sk_jws_time(claims, "iat", &iat);
    if (has_exp == 2 || has_nbf == 2 || has_iat == 2) {
        return SK_TOKEN_CLAIM;
    }
    if (has_exp == 1) {
        return SK_TOKEN_NO_EXPIRY;
    }
    if (now >= exp + leeway) {
        return SK_TOKEN_EXPIRED;
    }
    if ((has_nbf == 0 && nbf > now + leeway) || (has_iat == 0 && iat > now + leeway)) {
        return SK_TOKEN_NOT_YET;
    }
    if (expected->max_age && (has_iat == 1 || now - iat > (double)expected->max_age + leeway)) {
        return SK_TOKEN_TOO_OLD;
    }
    *expires = (uint64_t)exp;
    return SK_TOKEN_NONE;
}

bool sk_token_is_subject(struct sk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((uint8_t)text.data[i] < 0x20 || text.data[i] == 0x7f) {
            return false;
        }
    }
    return text.len && text.len <= SK_TOKEN_SUBJECT_MAX;
}

static enum sk_token_refusal check_subject(const json_t *claims, enum sk_token_use use, struct sk_slice *subject)
{
    int r = sk_json_member(claims, "sub", subject);
    if (r == 2 || (subject->len && !sk_token_is_subject(*subject))) {
        return SK_TOKEN_CLAIM;
    }
    return subject->len || use == SK_TOKEN_USE_LOGOUT ? SK_TOKEN_NONE : SK_TOKEN_NO_SUBJECT;
}

static enum sk_token_refusal check_claims(const struct sk_token_expected *expected, struct sk_token_claims *claims)
{
    struct sk_slice issuer;
    if (!claims->json) {
        return SK_TOKEN_MALFORMED;
    }
    if (sk_json_member(claims->json, "iss", &issuer) || !issuer.len || !sk_slice_eq(issuer, expected->issuer)) {
        return SK_TOKEN_ISSUER;
    }
    if (!is_audience(claims->json, expected->audience)) {
        return SK_TOKEN_AUDIENCE;
    }
    enum sk_token_refusal refusal = check_times(claims->json, expected, &claims->expires);
    return refusal ? refusal : check_subject(claims->json, expected->use, &claims->subject);
}

enum sk_token_refusal sk_token_verify(struct sk_slice token, const struct sk_jwk_set *keys, const struct sk_token_expected *expected,
        struct sk_token_claims *claims)
{
    struct sk_jws parts sk_uninitialized;
    *claims = SK_TOKEN_CLAIMS_INIT;
    enum sk_token_refusal refusal = sk_jws_take_apart(token, &parts);
    refusal = refusal ? refusal : check_signature(&parts, keys, expected->types);
    if (refusal == SK_TOKEN_NONE) {
        claims->json = sk_json_object(parts.claims);
        refusal = check_claims(expected, claims);
    }
    sk_wipe(&parts, sizeof(parts)); /* whoever has it can log in with it */
    if (refusal != SK_TOKEN_NONE) {
        sk_token_claims_free(claims);
    }
    return refusal;
}

void sk_token_claims_free(struct sk_token_claims *claims)
{
    json_decref(claims->json);
    *claims = SK_TOKEN_CLAIMS_INIT;
}

/* What `cnf` (RFC 7800) says by that name. A claim of that name that is no object could mean anything. */
static struct sk_slice confirmed(const struct sk_token_claims *claims, const char *name)
{
    const json_t *cnf = json_object_get(claims->json, "cnf"), *member = json_object_get(cnf, name);
    struct sk_slice text = sk_json_string(member);
    bool malformed = (cnf && !json_is_object(cnf)) || (member && text.len != SK_FACTOR_THUMBPRINT);
    return malformed ? SK_LIT("-") : text;
}

struct sk_slice sk_token_thumbprint(const struct sk_token_claims *claims)
{
    return confirmed(claims, "jkt");
}

struct sk_slice sk_token_certificate(const struct sk_token_claims *claims)
{
    return confirmed(claims, "x5t#S256");
}

const char *sk_token_reason(enum sk_token_refusal refusal)
{
#define REASON(name, reason) [SK_TOKEN_##name] = (reason),
    static const char *const reasons[] = {SK_TOKEN_REFUSALS(REASON)};
#undef REASON
    return reasons[refusal];
}

int sk_token_text(const struct sk_token_claims *claims, struct sk_slice path, size_t index, struct sk_slice *text)
{
    const json_t *at = path.len ? claims->json : NULL;
    while (path.len && at) {
        struct sk_slice name = sk_slice_split(&path, '\n');
        at = json_object_getn(at, name.data, name.len);
    }
    bool one = json_is_string(at) && index == 0;
    *text = sk_json_string(one ? at : json_array_get(at, index));
    return one || index < json_array_size(at) ? 0 : 1;
}
