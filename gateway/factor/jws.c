/* Taking signed tokens apart. Runs in the factor helpers. */
#include "factor/jws.h"

#include "base/text.h"

#include <jansson.h>

static int decode_part(struct sk_slice text, struct sk_jws *parts, size_t *used, struct sk_slice *out)
{
    size_t len;
    if (sk_base64url_decode(text, parts->bytes + *used, sizeof(parts->bytes) - *used, &len)) {
        return 1;
    }
    *out = sk_slice(parts->bytes + *used, len);
    *used += len;
    return 0;
}

enum sk_token_refusal sk_jws_take_apart(struct sk_slice token, struct sk_jws *parts)
{
    size_t dots = 0, used = 0;
    if (token.len > SK_TOKEN_MAX) {
        return SK_TOKEN_TOO_LARGE;
    }
    for (size_t i = 0; i < token.len; i++) {
        dots += token.data[i] == '.';
    }
    if (dots == 4) {
        return SK_TOKEN_NESTED;
    }
    struct sk_slice rest = token;
    struct sk_slice header = sk_slice_split(&rest, '.'), claims = sk_slice_split(&rest, '.');
    parts->input = sk_slice_cut(token, header.len + 1 + claims.len);
    return dots != 2 || decode_part(header, parts, &used, &parts->header) || decode_part(claims, parts, &used, &parts->claims) ||
                           decode_part(rest, parts, &used, &parts->signature)
                   ? SK_TOKEN_MALFORMED
                   : SK_TOKEN_NONE;
}

bool sk_jws_is_type(const json_t *header, struct sk_slice types)
{
    static const struct sk_slice prefix = SK_LIT("application/");
    struct sk_slice type;
    int r = sk_json_member(header, "typ", &type);
    if (r == 1) {
        type = SK_LIT("JWT");
    } else if (sk_slice_eq_nocase(sk_slice_cut(type, prefix.len), prefix)) {
        type = sk_slice_from(type, prefix.len);
    }
    while (type.len && types.len) {
        if (sk_slice_eq_nocase(type, sk_slice_split(&types, ','))) {
            return true;
        }
    }
    return false;
}

int sk_jws_time(const json_t *claims, const char *name, double *seconds)
{
    const json_t *member = json_object_get(claims, name);
    *seconds = json_number_value(member);
    return !member ? 1 : json_is_number(member) && *seconds >= 0 && *seconds <= SK_TOKEN_TIME_MAX ? 0 : 2;
}
