/* Verifying DPoP proofs. Runs in the factor helpers. */
#include "factor/proof.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "factor/jws.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- the key ---- */

static int put_member(struct sk_buf *out, const json_t *jwk, const char *name)
{
    struct sk_slice text;
    int r = sk_json_member(jwk, name, &text) ? -1 : sk_buf_printf(out, "%s\"%s\":", sk_buf_len(out) ? "," : "{", name);
    return r ? r : sk_json_put_string(out, text);
}

/* RFC 7638: of the members that make the key, in this order. Which there are, its type says: it was read before. */
static int thumbprint(const json_t *jwk, char out[SK_FACTOR_THUMBPRINT + 1])
{
    static const char *const names[] = {"crv", "e", "kty", "n", "x", "y"};
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)2 * SK_PROOF_MAX);
    struct sk_slice type = sk_json_string(json_object_get(jwk, "kty"));
    bool rsa = sk_slice_eq(type, SK_LIT("RSA")), ec = sk_slice_eq(type, SK_LIT("EC"));
    const bool wanted[SK_COUNT(names)] = {!rsa, rsa, true, rsa, !rsa, ec};
    uint8_t hash[SK_SHA256_SIZE];
    int r = 0;
    for (size_t i = 0; r == 0 && i < SK_COUNT(names); i++) {
        r = wanted[i] ? put_member(&text, jwk, names[i]) : 0;
    }
    r = r ? r : sk_buf_put(&text, SK_LIT("}"));
    sk_digest_sha256(sk_buf_peek(&text), hash);
    (void)sk_base64url_encode(sk_slice(hash, sizeof(hash)), out);
    return r;
}

/* As any key of a set is read; one that does not say for which algorithm is for the proof's. NULL: it is none. */
static struct sk_jwk_set *read_key(json_t *jwk, struct sk_slice algorithm)
{
    struct sk_jwk_set *set = NULL;
    int failed = json_object_get(jwk, "alg") ? 0 : json_object_set_new(jwk, "alg", json_stringn(algorithm.data, algorithm.len));
    json_t *keys = failed ? NULL : json_pack("{s:[O]}", "keys", jwk);
    char *text = keys ? json_dumps(keys, JSON_COMPACT) : NULL;
    if (text && (sk_jwk_set_parse(sk_slice_str(text), &set) || set->count != 1)) {
        set = sk_jwk_set_free(set);
    }
    free(text);
    json_decref(keys);
    return set;
}

/* ---- header and signature ---- */

static enum sk_proof_refusal check_signature(const struct sk_jws *parts, json_t *jwk, struct sk_slice name, struct sk_proof *proof)
{
    struct sk_jwk_set *set = json_is_object(jwk) ? read_key(jwk, name) : NULL;
    enum sk_proof_refusal refusal = !set                                                                        ? SK_PROOF_KEY
                                    : set->keys[0].algorithm != sk_jwk_algorithm(name)                          ? SK_PROOF_ALGORITHM
                                    : sk_jwk_verify(&set->keys[0], parts->input, parts->signature)              ? SK_PROOF_SIGNATURE
                                    : thumbprint(jwk, proof->thumbprint)                                        ? SK_PROOF_KEY
                                                                                                                : SK_PROOF_NONE;
    (void)sk_jwk_set_free(set);
    return refusal;
}

static enum sk_proof_refusal check_header(const struct sk_jws *parts, json_t *header, struct sk_proof *proof)
{
    struct sk_slice name;
    if (!header) {
        return SK_PROOF_MALFORMED;
    }
    if (!sk_jws_is_type(header, SK_LIT("dpop+jwt"))) {
        return SK_PROOF_TYPE;
    }
    if (sk_json_member(header, "alg", &name) || sk_jwk_algorithm(name) == SK_JWK_NONE) {
        return SK_PROOF_ALGORITHM;
    }
    if (json_object_get(header, "crit")) {
        return SK_PROOF_CRITICAL;
    }
    return check_signature(parts, json_object_get(header, "jwk"), name, proof);
}

/* ---- claims ---- */

/* The request's, but for what stands behind its path. Scheme and host in any case. */
static bool is_uri(struct sk_slice given, struct sk_slice uri)
{
    size_t scheme = sizeof("https://") - 1, path = scheme + sk_slice_find(sk_slice_from(uri, scheme), '/');
    given = sk_slice_cut(given, sk_slice_find(given, '#'));
    given = sk_slice_cut(given, sk_slice_find(given, '?'));
    return sk_slice_eq_nocase(sk_slice_cut(given, path), sk_slice_cut(uri, path)) && sk_slice_eq(sk_slice_from(given, path), sk_slice_from(uri, path));
}

/* 0; 1 it is not there, or longer; 2 no text, or none that can be written again. */
static int take_id(const json_t *claims, char id[SK_FACTOR_TOKEN_ID_MAX + 1])
{
    struct sk_slice text;
    int r = sk_json_member(claims, "jti", &text);
    if (r || text.len == 0 || text.len > SK_FACTOR_TOKEN_ID_MAX) {
        return r == 2 ? 2 : 1;
    }
    memcpy(id, text.data, text.len);
    id[text.len] = '\0';
    return 0;
}

static enum sk_proof_refusal check_time(const json_t *claims, const struct sk_factor_proof *ask, struct sk_proof *proof)
{
    double issued, now = (double)ask->now;
    if (sk_jws_time(claims, "iat", &issued)) {
        return SK_PROOF_CLAIM;
    }
    proof->issued = (uint64_t)issued;
    return issued > now + (double)ask->ahead ? SK_PROOF_NOT_YET : issued + (double)ask->back < now ? SK_PROOF_TOO_OLD : SK_PROOF_NONE;
}

static enum sk_proof_refusal check_claims(const json_t *claims, const struct sk_factor_proof *ask, struct sk_proof *proof)
{
    struct sk_slice method, uri, hash;
    if (!claims) {
        return SK_PROOF_MALFORMED;
    }
    if (sk_json_member(claims, "htm", &method) || sk_json_member(claims, "htu", &uri)) {
        return SK_PROOF_CLAIM;
    }
    if (!sk_slice_eq(method, ask->method)) {
        return SK_PROOF_METHOD;
    }
    if (!is_uri(uri, ask->uri)) {
        return SK_PROOF_URI;
    }
    if (ask->hash.len && (sk_json_member(claims, "ath", &hash) || !sk_slice_eq(hash, ask->hash))) {
        return SK_PROOF_TOKEN;
    }
    int r = take_id(claims, proof->id);
    return r == 2 ? SK_PROOF_CLAIM : r ? SK_PROOF_NO_ID : check_time(claims, ask, proof);
}

enum sk_proof_refusal sk_proof_verify(const struct sk_factor_proof *ask, struct sk_proof *proof)
{
    struct sk_jws parts sk_uninitialized;
    memset(proof, 0, sizeof(*proof));
    if (ask->proof.len > SK_PROOF_MAX || sk_jws_take_apart(ask->proof, &parts)) {
        return SK_PROOF_MALFORMED;
    }
    json_t *header = sk_json_object(parts.header), *claims = sk_json_object(parts.claims);
    enum sk_proof_refusal refusal = check_header(&parts, header, proof);
    refusal = refusal ? refusal : check_claims(claims, ask, proof);
    json_decref(header);
    json_decref(claims);
    return refusal;
}

const char *sk_proof_reason(enum sk_proof_refusal refusal)
{
#define REASON(name, reason) [SK_PROOF_##name] = (reason),
    static const char *const reasons[] = {SK_PROOF_REFUSALS(REASON)};
#undef REASON
    return reasons[refusal];
}
