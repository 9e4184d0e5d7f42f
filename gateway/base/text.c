/* Small encodings. Any process. */
#include "base/text.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static size_t encode64(struct sk_slice bytes, char *out, const char *alphabet, bool pad)
{
    size_t o = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)(uint8_t)bytes.data[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)bytes.data[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(uint8_t)bytes.data[i + 2] : 0;
        out[o++] = alphabet[v >> 18];
        out[o++] = alphabet[(v >> 12) & 63];
        if (left > 1) {
            out[o++] = alphabet[(v >> 6) & 63];
        } else if (pad) {
            out[o++] = '=';
        }
        if (left > 2) {
            out[o++] = alphabet[v & 63];
        } else if (pad) {
            out[o++] = '=';
        }
    }
    out[o] = '\0';
    return o;
}

size_t sk_base64_encode(struct sk_slice bytes, char *out)
{
    return encode64(bytes, out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

size_t sk_base64url_encode(struct sk_slice bytes, char *out)
{
    return encode64(bytes, out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

static int value64(char c, const char *last)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* Digits without padding; `last` are the alphabet's last two. */
static int decode64(struct sk_slice digits, const char *last, uint8_t *out, size_t size, size_t *len)
{
    size_t o = 0;
    uint32_t v = 0;
    for (size_t i = 0; i < digits.len; i++) {
        int d = value64(digits.data[i], last);
        if (d < 0) {
            return 1;
        }
        v = (v << 6) | (uint32_t)d;
        if (i % 4 != 0) {
            if (o == size) {
                return 1;
            }
            out[o++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
            v &= (1U << (6 - 2 * (i % 4))) - 1;
        }
    }
    if (v != 0 || digits.len % 4 == 1) {
        return 1;
    }
    *len = o;
    return 0;
}

int sk_base64_decode(struct sk_slice text, uint8_t *out, size_t size, size_t *len)
{
    if (text.len % 4) {
        return 1;
    }
    size_t digits = text.len;
    for (int pads = 0; pads < 2 && digits && text.data[digits - 1] == '='; pads++) {
        digits--;
    }
    return decode64(sk_slice_cut(text, digits), "+/", out, size, len);
}

int sk_base64url_decode(struct sk_slice text, uint8_t *out, size_t size, size_t *len)
{
    return decode64(text, "-_", out, size, len);
}

void sk_hex_encode(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sk_hex_decode(struct sk_slice text, void *out, size_t size)
{
    if (text.len != 2 * size) {
        return 1;
    }
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return 1;
        }
        ((uint8_t *)out)[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t sk_utf8_len(struct sk_slice text)
{
    const uint8_t *b = (const uint8_t *)text.data;
    if (text.len == 0) {
        return 0;
    }
    if (b[0] < 0x80) {
        return 1;
    }
    size_t len = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || text.len < len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool bad = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
               (b[0] == 0xf4 && b[1] > 0x8f);
    return bad ? 0 : len;
}

int sk_json_put_string(struct sk_buf *buf, struct sk_slice text)
{
    int r = sk_buf_put(buf, SK_LIT("\""));
    while (r == 0 && text.len) {
        size_t len = sk_utf8_len(text);
        uint8_t c = (uint8_t)text.data[0];
        if (len == 0) {
            r = sk_buf_put(buf, SK_LIT("\xef\xbf\xbd"));
            len = 1;
        } else if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            r = sk_buf_put(buf, sk_slice(escaped, 2));
        } else if (c < 0x20 || c == 0x7f) {
            r = sk_buf_printf(buf, "\\u%04x", c);
        } else {
            r = sk_buf_put(buf, sk_slice_cut(text, len));
        }
        text = sk_slice_from(text, len);
    }
    return r ? r : sk_buf_put(buf, SK_LIT("\""));
}

int sk_html_put(struct sk_buf *buf, struct sk_slice text)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < text.len; i++) {
        switch (text.data[i]) {
        case '&':
            r = sk_buf_put(buf, SK_LIT("&amp;"));
            break;
        case '<':
            r = sk_buf_put(buf, SK_LIT("&lt;"));
            break;
        case '>':
            r = sk_buf_put(buf, SK_LIT("&gt;"));
            break;
        case '"':
            r = sk_buf_put(buf, SK_LIT("&quot;"));
            break;
        case '\'':
            r = sk_buf_put(buf, SK_LIT("&#39;"));
            break;
        default:
            r = sk_buf_put(buf, sk_slice(text.data + i, 1));
        }
    }
    return r;
}

struct unit {
    struct sk_slice name;
    uint64_t factor;
};

static int parse_with_unit(struct sk_slice text, const struct unit *units, size_t count, uint64_t *value)
{
    size_t digits = 0;
    while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    uint64_t number;
    if (sk_slice_u64(sk_slice_cut(text, digits), UINT64_MAX, &number)) {
        return 1;
    }
    struct sk_slice name = sk_slice_from(text, digits);
    for (size_t i = 0; i < count; i++) {
        if (sk_slice_eq(name, units[i].name)) {
            return __builtin_mul_overflow(number, units[i].factor, value) ? 1 : 0;
        }
    }
    return 1;
}

int sk_duration_parse(struct sk_slice text, uint64_t *nanoseconds)
{
    static const struct unit units[] = {
            {{"", 0}, SK_SECOND},        {{"s", 1}, SK_SECOND},          {{"ms", 2}, SK_MILLISECOND},
            {{"m", 1}, 60 * SK_SECOND}, {{"h", 1}, 3600 * SK_SECOND}, {{"d", 1}, 86400 * SK_SECOND},
    };
    return parse_with_unit(text, units, SK_COUNT(units), nanoseconds);
}

int sk_size_parse(struct sk_slice text, uint64_t *bytes)
{
    static const struct unit units[] = {
            {{"", 0}, 1}, {{"k", 1}, 1024}, {{"M", 1}, UINT64_C(1) << 20}, {{"G", 1}, UINT64_C(1) << 30}};
    return parse_with_unit(text, units, SK_COUNT(units), bytes);
}

void sk_time_text(uint64_t wall, char out[32])
{
    time_t seconds = (time_t)(wall / SK_SECOND);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        out[0] = '\0';
        return;
    }
    size_t len = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + len, 32 - len, ".%03uZ", (unsigned)(wall / SK_MILLISECOND % 1000));
}

static bool digits(struct sk_slice text, size_t at, size_t count, int *out)
{
    *out = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *out = *out * 10 + (text.data[i] - '0');
    }
    return true;
}

int sk_time_parse(struct sk_slice text, uint64_t *wall)
{
    struct tm tm = {.tm_sec = 0}, back;
    bool day = digits(text, 0, 4, &tm.tm_year) && digits(text, 5, 2, &tm.tm_mon) && digits(text, 8, 2, &tm.tm_mday) && text.data[4] == '-' &&
               text.data[7] == '-';
    int ms = 0;
    bool exact = text.len == 24 && text.data[19] == '.' && digits(text, 20, 3, &ms);
    bool time = day && (text.len == 20 || exact) && digits(text, 11, 2, &tm.tm_hour) && digits(text, 14, 2, &tm.tm_min) && digits(text, 17, 2, &tm.tm_sec) &&
                text.data[10] == 'T' && text.data[13] == ':' && text.data[16] == ':' && text.data[text.len - 1] == 'Z';
    if (!day || (text.len != 10 && !time)) {
        return 1;
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm given = tm;
    time_t seconds = timegm(&tm);
    /* What is no day or hour comes back as another. */
    bool same = seconds > 0 && gmtime_r(&seconds, &back) && back.tm_mday == given.tm_mday && back.tm_mon == given.tm_mon &&
                back.tm_hour == given.tm_hour && back.tm_min == given.tm_min && back.tm_sec == given.tm_sec;
    bool fits = same && (uint64_t)seconds < UINT64_MAX / SK_SECOND;
    *wall = fits ? (uint64_t)seconds * SK_SECOND + (uint64_t)ms * SK_MILLISECOND : 0;
    return !fits;
}

size_t sk_time_http(uint64_t wall, char out[40])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall / SK_SECOND);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        out[0] = '\0';
        return 0;
    }
    int len = snprintf(out, 40, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12],
            (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return len < 0 ? 0 : (size_t)len;
}

int sk_percent_put(struct sk_buf *buf, struct sk_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    int r = 0;
    for (size_t i = 0; r == 0 && i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c));
        const char escaped[] = {'%', digits[c >> 4], digits[c & 15]};
        r = sk_buf_put(buf, plain ? sk_slice(text.data + i, 1) : sk_slice(escaped, sizeof(escaped)));
    }
    return r;
}
