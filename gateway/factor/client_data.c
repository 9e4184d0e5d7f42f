/* clientDataJSON by jansson. Runs in the factor helpers. */
#include "factor/client_data.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <jansson.h>

#define BRACKETS 16 /* jansson goes down by recursion: more than any client data has, fewer than hurt */
#define CHALLENGE_MAX 128

static void free_json(json_t **json)
{
    json_decref(*json);
}

static json_t *parse(struct sk_slice text)
{
    size_t brackets = 0;
    for (size_t i = 0; i < text.len; i++) {
        brackets += text.data[i] == '[' || text.data[i] == '{';
    }
    json_error_t error;
    return brackets > BRACKETS || text.len == 0 ? NULL : json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
}

/* A member that is a string; 0 or 1. */
static int text_of(const json_t *json, const char *name, struct sk_slice *text)
{
    const json_t *member = json_object_get(json, name);
    if (!json_is_string(member)) {
        return 1;
    }
    *text = sk_slice(json_string_value(member), json_string_length(member));
    return 0;
}

static bool is_challenge(struct sk_slice expected, struct sk_slice said)
{
    char text[SK_BASE64_SIZE(CHALLENGE_MAX)];
    return expected.len <= CHALLENGE_MAX && sk_digest_equal(sk_slice(text, sk_base64url_encode(expected, text)), said);
}

static bool is_listed(struct sk_slice origins, struct sk_slice said)
{
    while (said.len > 0 && origins.len > 0) {
        if (sk_slice_eq(sk_slice_split(&origins, '\n'), said)) {
            return true;
        }
    }
    return false;
}

enum sk_webauthn_outcome sk_client_data_check(const struct sk_client_data *expected, struct sk_slice json)
{
    SK_CLEANUP(free_json) json_t *data = parse(json);
    struct sk_slice type, challenge, origin;
    if (!json_is_object(data) || text_of(data, "type", &type) || text_of(data, "challenge", &challenge) ||
            text_of(data, "origin", &origin)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    const json_t *cross = json_object_get(data, "crossOrigin");
    if (cross && !json_is_boolean(cross)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (!sk_slice_eq(type, expected->type)) {
        return SK_WEBAUTHN_TYPE;
    }
    if (!is_challenge(expected->challenge, challenge)) {
        return SK_WEBAUTHN_CHALLENGE;
    }
    if (!is_listed(expected->origins, origin)) {
        return SK_WEBAUTHN_ORIGIN;
    }
    return json_is_true(cross) || json_object_get(data, "topOrigin") ? SK_WEBAUTHN_CROSS_ORIGIN : SK_WEBAUTHN_GOOD;
}
