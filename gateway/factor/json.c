/* Reading JSON with jansson. Runs in the factor helpers. */
#include "factor/json.h"

#include <jansson.h>

/* jansson descends by recursion, 2048 deep: what it may descend into is counted before. Brackets alone, not whether they match. */
static bool is_shallow(struct sk_slice text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            if (++depth > SK_JSON_DEPTH) {
                return false;
            }
        } else if (!quoted && (c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return true;
}

json_t *sk_json_object(struct sk_slice text)
{
    json_t *json = text.len && is_shallow(text) ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

struct sk_slice sk_json_string(const json_t *string)
{
    return json_is_string(string) ? sk_slice(json_string_value(string), json_string_length(string)) : SK_SLICE_NULL;
}

int sk_json_member(const json_t *object, const char *name, struct sk_slice *text)
{
    const json_t *member = json_object_get(object, name);
    *text = sk_json_string(member);
    return !member ? 1 : json_is_string(member) ? 0 : 2;
}
