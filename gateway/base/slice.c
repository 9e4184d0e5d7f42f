/* Text with its length. Any process. */
#include "sekisho/slice.h"

bool sk_slice_eq_nocase(struct sk_slice a, struct sk_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (sk_ascii_lower(a.data[i]) != sk_ascii_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

struct sk_slice sk_slice_split(struct sk_slice *rest, char separator)
{
    size_t at = sk_slice_find(*rest, separator);
    struct sk_slice part = sk_slice_cut(*rest, at);
    *rest = sk_slice_from(*rest, at + 1);
    return part;
}

struct sk_slice sk_slice_trim(struct sk_slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s = sk_slice_from(s, 1);
    }
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

int sk_slice_u64(struct sk_slice s, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    if (s.len == 0) {
        return 1;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return 1;
        }
        if (__builtin_mul_overflow(v, 10U, &v) || __builtin_add_overflow(v, (uint64_t)(s.data[i] - '0'), &v)) {
            return 1;
        }
    }
    if (v > max) {
        return 1;
    }
    *value = v;
    return 0;
}
