/* Forms. Runs in the workers. */
#include "proxy/form.h"

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct sk_slice sk_form_value(struct sk_arena *arena, struct sk_slice form, const char *name, unsigned nth)
{
    while (form.len) {
        struct sk_slice value = sk_slice_split(&form, '&');
        struct sk_slice key = sk_slice_split(&value, '=');
        if (!sk_slice_eq(key, sk_slice_str(name)) || nth-- > 0) {
            continue;
        }
        char *out = sk_arena_alloc(arena, value.len + 1);
        size_t len = 0;
        for (size_t i = 0; out && i < value.len; i++) {
            char c = value.data[i];
            if (c == '%' && i + 2 < value.len && hex(value.data[i + 1]) >= 0 && hex(value.data[i + 2]) >= 0) {
                c = (char)(hex(value.data[i + 1]) << 4 | hex(value.data[i + 2]));
                i += 2;
            } else if (c == '+') {
                c = ' ';
            }
            out[len++] = c;
        }
        return out ? sk_slice(out, len) : SK_SLICE_NULL;
    }
    return SK_SLICE_NULL;
}
