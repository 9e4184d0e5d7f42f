/* Nested JSON by dotted paths, for the views of a record that are JSON. Any process that reads records. */
#include "base/text.h"
#include "journal/view_impl.h"

static void put(struct sk_view_json *json, struct sk_slice bytes)
{
    json->error = json->error ? json->error : sk_buf_put(json->out, bytes);
}

void sk_view_json_begin(struct sk_view_json *json, struct sk_buf *out)
{
    *json = (struct sk_view_json){.out = out};
    put(json, SK_LIT("{"));
}

/* How much of the open path the new one has too, in whole segments. */
static size_t common(struct sk_slice open, struct sk_slice path)
{
    size_t whole = 0;
    for (size_t i = 0; i < open.len && i < path.len && open.data[i] == path.data[i]; i++) {
        whole = open.data[i] == '.' ? i + 1 : whole;
    }
    return whole;
}

static bool is_array(struct sk_slice segment)
{
    return segment.len > 2 && segment.data[segment.len - 1] == ']';
}

/* Ends what is open behind the first `kept` bytes of its path, the innermost first. */
static void close_to(struct sk_view_json *json, size_t kept)
{
    while (json->open.len > kept) {
        size_t end = json->open.len - 1, start = end;
        while (start > kept && json->open.data[start - 1] != '.') {
            start--;
        }
        struct sk_slice segment = sk_slice(json->open.data + start, end - start);
        put(json, is_array(segment) ? SK_LIT("}]") : SK_LIT("}"));
        json->open.len = start;
        json->comma = true;
    }
}

static void put_key(struct sk_view_json *json, struct sk_slice name)
{
    put(json, json->comma ? SK_LIT(",\"") : SK_LIT("\""));
    put(json, name);
    put(json, SK_LIT("\":"));
    json->comma = true;
}

void sk_view_json_key(struct sk_view_json *json, const char *path)
{
    struct sk_slice whole = sk_slice_str(path);
    size_t kept = common(json->open, whole);
    close_to(json, kept);
    struct sk_slice rest = sk_slice_from(whole, kept);
    for (size_t dot = sk_slice_find(rest, '.'); dot < rest.len; dot = sk_slice_find(rest, '.')) {
        struct sk_slice segment = sk_slice_split(&rest, '.');
        put_key(json, is_array(segment) ? sk_slice_cut(segment, segment.len - 2) : segment);
        put(json, is_array(segment) ? SK_LIT("[{") : SK_LIT("{"));
        json->comma = false;
    }
    json->open = sk_slice_cut(whole, whole.len - rest.len);
    put_key(json, rest);
}

void sk_view_json_raw(struct sk_view_json *json, const char *path, const char *value)
{
    sk_view_json_key(json, path);
    put(json, sk_slice_str(value));
}

void sk_view_json_number(struct sk_view_json *json, const char *path, unsigned value)
{
    sk_view_json_key(json, path);
    json->error = json->error ? json->error : sk_buf_printf(json->out, "%u", value);
}

void sk_view_json_text(struct sk_view_json *json, const char *path, struct sk_slice text)
{
    if (text.len) {
        sk_view_json_key(json, path);
        json->error = json->error ? json->error : sk_json_put_string(json->out, text);
    }
}

void sk_view_json_field(struct sk_view_json *json, const char *path, const struct sk_view *view, enum sk_view_field field)
{
    if (!sk_view_keys[field].number) {
        sk_view_json_text(json, path, view->fields[field]);
    } else if (view->fields[field].len) {
        sk_view_json_key(json, path);
        put(json, view->fields[field]);
    }
}

int sk_view_json_end(struct sk_view_json *json)
{
    close_to(json, 0);
    put(json, SK_LIT("}"));
    return json->error;
}
