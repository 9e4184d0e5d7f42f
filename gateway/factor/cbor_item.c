/* The canonical form over the raw bytes, without recursion; and libcbor's values in our types. Runs in the factor helpers. */
#include "factor/cbor_item.h"

#include "base/text.h"

enum { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6, SIMPLE = 7 };

struct head {
    uint8_t major;
    uint64_t value;
};

struct level {
    uint64_t left; /* items still to come; of a map, an even number stands before a key */
    bool map;
    struct sk_slice key; /* the last one */
};

/* The first byte and its number. */
static enum sk_webauthn_outcome take_head(struct sk_slice *rest, struct head *head)
{
    if (rest->len == 0) {
        return SK_WEBAUTHN_MALFORMED;
    }
    uint8_t first = (uint8_t)rest->data[0], more = first & 31;
    *rest = sk_slice_from(*rest, 1);
    *head = (struct head){.major = first >> 5, .value = more};
    if (head->major == TAG || (head->major == SIMPLE && (more < 20 || more > 22)) || more == 31) {
        return SK_WEBAUTHN_CBOR;
    }
    if (more < 24) {
        return SK_WEBAUTHN_GOOD;
    }
    size_t size = (size_t)1 << (more - 24);
    if (more > 27 || rest->len < size) {
        return SK_WEBAUTHN_MALFORMED;
    }
    head->value = 0;
    for (size_t i = 0; i < size; i++) {
        head->value = head->value << 8 | (uint8_t)rest->data[i];
    }
    *rest = sk_slice_from(*rest, size);
    return head->value < 24 || (size > 1 && head->value >> (4 * size) == 0) ? SK_WEBAUTHN_CBOR : SK_WEBAUTHN_GOOD;
}

static bool is_utf8(struct sk_slice text)
{
    while (text.len > 0) {
        size_t len = sk_utf8_len(text);
        if (len == 0) {
            return false;
        }
        text = sk_slice_from(text, len);
    }
    return true;
}

/* Lower types first, then the shorter, then by bytes. */
static bool is_after(struct sk_slice a, struct sk_slice b)
{
    uint8_t major_a = (uint8_t)a.data[0] >> 5, major_b = (uint8_t)b.data[0] >> 5;
    if (major_a != major_b) {
        return major_a > major_b;
    }
    return a.len != b.len ? a.len > b.len : memcmp(a.data, b.data, a.len) > 0;
}

/* What stands behind the head of anything but an array or a map. */
static enum sk_webauthn_outcome take_content(struct sk_slice *rest, const struct head *head)
{
    if (head->major != BYTES && head->major != TEXT) {
        return SK_WEBAUTHN_GOOD;
    }
    if (head->value > rest->len || (head->major == TEXT && !is_utf8(sk_slice_cut(*rest, head->value)))) {
        return SK_WEBAUTHN_MALFORMED;
    }
    *rest = sk_slice_from(*rest, head->value);
    return SK_WEBAUTHN_GOOD;
}

/* One head with its content, on its level; an array or a map opens the next. */
static enum sk_webauthn_outcome take_step(struct sk_slice *rest, struct level *levels, size_t *depth)
{
    struct level *level = &levels[*depth];
    bool key = level->map && level->left % 2 == 0;
    struct sk_slice start = *rest;
    struct head head;
    enum sk_webauthn_outcome r = take_head(rest, &head);
    level->left--;
    if (r == SK_WEBAUTHN_GOOD && head.major != ARRAY && head.major != MAP) {
        r = take_content(rest, &head);
        struct sk_slice item = sk_slice_cut(start, start.len - rest->len);
        if (r == SK_WEBAUTHN_GOOD && key) {
            r = head.major == SIMPLE                              ? SK_WEBAUTHN_MALFORMED
                : level->key.len == 0 || is_after(item, level->key) ? SK_WEBAUTHN_GOOD
                                                                    : SK_WEBAUTHN_CBOR;
            level->key = item;
        }
        return r;
    }
    if (r == SK_WEBAUTHN_GOOD && (key || head.value > rest->len || *depth == SK_CBOR_DEPTH)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (r == SK_WEBAUTHN_GOOD && head.value > 0) {
        levels[++*depth] = (struct level){.left = head.major == MAP ? 2 * head.value : head.value, .map = head.major == MAP};
    }
    return r;
}

enum sk_webauthn_outcome sk_cbor_take(struct sk_slice *rest, struct sk_slice *item)
{
    struct level levels[SK_CBOR_DEPTH + 1] = {{.left = 1}};
    struct sk_slice start = *rest;
    for (size_t depth = 0;;) {
        while (depth > 0 && levels[depth].left == 0) {
            depth--;
        }
        if (levels[depth].left == 0) {
            break;
        }
        enum sk_webauthn_outcome r = take_step(rest, levels, &depth);
        if (r != SK_WEBAUTHN_GOOD) {
            return r;
        }
    }
    *item = sk_slice_cut(start, start.len - rest->len);
    return SK_WEBAUTHN_GOOD;
}

cbor_item_t *sk_cbor_load(struct sk_slice item)
{
    struct cbor_load_result result;
    return cbor_load((const unsigned char *)item.data, item.len, &result);
}

void sk_cbor_free(cbor_item_t **item)
{
    if (*item) {
        cbor_decref(item);
    }
}

const cbor_item_t *sk_cbor_named(const cbor_item_t *map, struct sk_slice name)
{
    for (size_t i = 0; map && cbor_isa_map(map) && i < cbor_map_size(map); i++) {
        const struct cbor_pair *pair = &cbor_map_handle(map)[i];
        if (cbor_isa_string(pair->key) && sk_slice_eq(sk_cbor_text(pair->key), name)) {
            return pair->value;
        }
    }
    return NULL;
}

const cbor_item_t *sk_cbor_numbered(const cbor_item_t *map, int64_t number)
{
    for (size_t i = 0; map && cbor_isa_map(map) && i < cbor_map_size(map); i++) {
        const struct cbor_pair *pair = &cbor_map_handle(map)[i];
        int64_t key;
        if (sk_cbor_int(pair->key, &key) == 0 && key == number) {
            return pair->value;
        }
    }
    return NULL;
}

size_t sk_cbor_map_size(const cbor_item_t *map)
{
    return map && cbor_isa_map(map) ? cbor_map_size(map) : SIZE_MAX;
}

size_t sk_cbor_array_size(const cbor_item_t *array)
{
    return array && cbor_isa_array(array) ? cbor_array_size(array) : SIZE_MAX;
}

int sk_cbor_int(const cbor_item_t *item, int64_t *value)
{
    if (!item || (!cbor_isa_uint(item) && !cbor_isa_negint(item)) || cbor_get_int(item) > INT64_MAX) {
        return 1;
    }
    *value = cbor_isa_uint(item) ? (int64_t)cbor_get_int(item) : -1 - (int64_t)cbor_get_int(item);
    return 0;
}

struct sk_slice sk_cbor_bytes(const cbor_item_t *item)
{
    return item && cbor_isa_bytestring(item) ? sk_slice(cbor_bytestring_handle(item), cbor_bytestring_length(item)) : SK_SLICE_NULL;
}

struct sk_slice sk_cbor_text(const cbor_item_t *item)
{
    return item && cbor_isa_string(item) ? sk_slice(cbor_string_handle(item), cbor_string_length(item)) : SK_SLICE_NULL;
}
