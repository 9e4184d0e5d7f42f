/* Request targets. Pure; runs in the workers and in the tools. */
#include "http/target.h"

#include "base/addr.h"

#include "base/text.h"


static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_unreserved(char c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_path_char(char c)
{
    return is_unreserved(c) || memchr("!$&'()*+,=:@", c, 12) != NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = sk_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads one %XX at `at`; -1 when it is not one. */
static int decode_at(struct sk_slice s, size_t at)
{
    if (at + 2 >= s.len) {
        return -1;
    }
    int high = hex_digit(s.data[at + 1]), low = hex_digit(s.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static size_t put_encoded(char *out, int byte)
{
    static const char digits[] = "0123456789ABCDEF";
    out[0] = '%';
    out[1] = digits[byte >> 4];
    out[2] = digits[byte & 15];
    return 3;
}

/* One encoded UTF-8 character: what is none (overlong forms) stands for '/' or '.' to some decoders. 0 when it is bad. */
static size_t put_utf8(struct sk_slice raw, size_t at, char *out)
{
    char bytes[4];
    size_t n = 0, len;
    for (; n < sizeof(bytes) && at + 3 * n < raw.len && raw.data[at + 3 * n] == '%'; n++) {
        int byte = decode_at(raw, at + 3 * n);
        if (byte < 0x80) {
            break;
        }
        bytes[n] = (char)byte;
    }
    len = sk_utf8_len(sk_slice(bytes, n));
    for (size_t i = 0; i < len; i++) {
        (void)put_encoded(out + 3 * i, (unsigned char)bytes[i]);
    }
    return 3 * len;
}

/* One character of the path in its one spelling; `*used` bytes of input, `*put` bytes of output. */
static enum sk_refusal path_char(struct sk_slice raw, size_t at, char *out, size_t *used, size_t *put)
{
    char c = raw.data[at];
    *used = 1;
    *put = 1;
    if (c == '/' || is_path_char(c)) {
        out[0] = c;
        return SK_REFUSAL_NONE;
    }
    if (c != '%') {
        return SK_REFUSAL_PATH_BYTE;
    }
    int byte = decode_at(raw, at);
    if (byte < 0) {
        return SK_REFUSAL_PATH_ENCODING;
    }
    if (byte == '/' || byte == '\\') {
        return SK_REFUSAL_PATH_SLASH;
    }
    /* An encoded '%' is one that a second decoder would take for an encoding of its own. */
    if (byte < 0x20 || byte == 0x7f || byte == ';' || byte == '%') {
        return SK_REFUSAL_PATH_BYTE;
    }
    if (byte >= 0x80) {
        *used = *put = put_utf8(raw, at, out);
        return *used ? SK_REFUSAL_NONE : SK_REFUSAL_PATH_ENCODING;
    }
    *used = 3;
    if (is_path_char((char)byte)) {
        out[0] = (char)byte;
    } else {
        *put = put_encoded(out, byte);
    }
    return SK_REFUSAL_NONE;
}

static enum sk_refusal check_segments(struct sk_slice path)
{
    struct sk_slice rest = sk_slice_from(path, 1);
    while (rest.len) {
        struct sk_slice segment = sk_slice_split(&rest, '/');
        if (segment.len == 0) {
            return SK_REFUSAL_PATH_EMPTY;
        }
        if (sk_slice_eq(segment, SK_LIT(".")) || sk_slice_eq(segment, SK_LIT(".."))) {
            return SK_REFUSAL_PATH_DOTS;
        }
    }
    return SK_REFUSAL_NONE;
}

static enum sk_refusal normal_path(struct sk_slice raw, struct sk_arena *arena, struct sk_slice *path)
{
    char *out = sk_arena_alloc(arena, raw.len + 1);
    size_t len = 0;
    if (!out) {
        return SK_REFUSAL_TOO_BIG_FOR_ARENA;
    }
    for (size_t i = 0; i < raw.len;) {
        size_t used, put;
        enum sk_refusal refusal = path_char(raw, i, out + len, &used, &put);
        if (refusal) {
            return refusal;
        }
        i += used;
        len += put;
    }
    out[len] = '\0';
    *path = sk_slice(out, len);
    return check_segments(*path);
}

enum sk_refusal sk_target_parse(
        struct sk_slice target, struct sk_arena *arena, struct sk_slice *path, struct sk_slice *query)
{
    if (target.len > SK_TARGET_MAX) {
        return SK_REFUSAL_TARGET_TOO_LONG;
    }
    if (target.len == 0 || target.data[0] != '/') {
        return SK_REFUSAL_TARGET_BAD;
    }
    size_t mark = sk_slice_find(target, '?');
    *query = sk_slice_from(target, mark);
    for (size_t i = 0; i < query->len; i++) {
        unsigned char c = (unsigned char)query->data[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\') {
            return SK_REFUSAL_TARGET_BAD;
        }
    }
    return normal_path(sk_slice_cut(target, mark), arena, path);
}

static bool is_host_char(char c, bool literal)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || (literal && c == ':');
}

enum sk_refusal sk_authority_parse(
        struct sk_slice text, struct sk_arena *arena, struct sk_slice *authority, struct sk_slice *host)
{
    struct sk_slice copy = sk_arena_copy(arena, text);
    if (!copy.data) {
        return SK_REFUSAL_TOO_BIG_FOR_ARENA;
    }
    if (copy.len == 0 || copy.len > 261) {
        return SK_REFUSAL_HOST_BAD;
    }
    char *bytes = (char *)(uintptr_t)copy.data;
    bool literal = bytes[0] == '[';
    size_t end = literal ? sk_slice_find(copy, ']') : sk_slice_find(copy, ':');
    size_t first = literal ? 1 : 0;
    if ((literal && end == copy.len) || end == first) {
        return SK_REFUSAL_HOST_BAD;
    }
    for (size_t i = first; i < end; i++) {
        bytes[i] = sk_ascii_lower(bytes[i]);
        if (!is_host_char(bytes[i], literal)) {
            return SK_REFUSAL_HOST_BAD;
        }
    }
    struct sk_slice port = sk_slice_from(copy, literal ? end + 1 : end);
    uint64_t number;
    if (port.len && (port.data[0] != ':' || sk_slice_u64(sk_slice_from(port, 1), 65535, &number))) {
        return SK_REFUSAL_HOST_BAD;
    }
    struct sk_slice name = sk_slice(bytes + first, end - first);
    struct sk_addr address;
    if (literal && (sk_addr_parse(name, &address) || sk_slice_find(name, ':') == name.len)) {
        return SK_REFUSAL_HOST_BAD;
    }
    *authority = copy;
    *host = name;
    return SK_REFUSAL_NONE;
}
