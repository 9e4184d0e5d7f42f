/*
 * Small texts of strangers: what is read is written again as it was and means what another reader finds in it, a form gives back what was put
 * into it, and what is escaped comes back whole.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"
#include "proxy/form.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_encodings(struct sk_slice text)
{
    uint8_t *bytes = malloc(text.len + 1);
    char *again = malloc(2 * text.len + 8);
    size_t len;
    require(bytes && again);
    if (sk_base64url_decode(text, bytes, text.len, &len) == 0) {
        require(sk_slice_eq(sk_slice(again, sk_base64url_encode(sk_slice(bytes, len), again)), text));
        require(len == 0 || sk_base64url_decode(text, bytes, len - 1, &len) != 0);
    }
    if (sk_base64_decode(text, bytes, text.len, &len) == 0) {
        require(sk_slice_eq(sk_slice(again, sk_base64_encode(sk_slice(bytes, len), again)), text));
        require(len == 0 || sk_base64_decode(text, bytes, len - 1, &len) != 0);
    }
    if (text.len % 2 == 0 && sk_hex_decode(text, bytes, text.len / 2) == 0) {
        sk_hex_encode(bytes, text.len / 2, again);
        require(sk_slice_eq(sk_slice(again, text.len), text));
    }
    /* And the other way: any bytes come back. */
    len = sk_base64url_encode(sk_slice_cut(text, 64), again);
    require(sk_base64url_decode(sk_slice(again, len), bytes, text.len, &len) == 0 && sk_slice_eq(sk_slice(bytes, len), sk_slice_cut(text, 64)));
    free(bytes);
    free(again);
}

/* The first value of "a", as the URL standard decodes it; its length, or SIZE_MAX. */
static size_t value_of(struct sk_slice form, char *out)
{
    for (const char *p = form.data, *end = p + form.len; p < end;) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop ? stop : end;
        if ((stop - p == 1 && *p == 'a') || (stop - p > 1 && p[0] == 'a' && p[1] == '=')) {
            size_t len = 0;
            for (p += stop - p > 1 ? 2 : 1; p < stop; p++) {
                unsigned byte;
                char digits[3] = {p[0], stop - p > 2 ? p[1] : '\0', stop - p > 2 ? p[2] : '\0'};
                bool escaped = digits[0] == '%' && strspn(p + 1, "0123456789abcdefABCDEF") >= 2 && stop - p > 2 && sscanf(p + 1, "%2x", &byte) == 1;
                out[len++] = escaped ? (char)byte : *p == '+' ? ' ' : *p;
                p += escaped ? 2 : 0;
            }
            return len;
        }
        p = stop + 1;
    }
    return SIZE_MAX;
}

static void check_form(struct sk_slice text)
{
    struct sk_buf form SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_arena arena;
    char *ended = malloc(text.len + 1), *out = malloc(text.len + 1);
    require(ended && out);
    if (text.len) {
        memcpy(ended, text.data, text.len);
    }
    ended[text.len] = '\0'; /* for strspn */
    sk_arena_init(&arena, (size_t)1 << 20);
    size_t len = value_of(sk_slice(ended, text.len), out);
    struct sk_slice value = sk_form_value(&arena, text, "a", 0);
    require(len == SIZE_MAX ? !value.data : value.data && sk_slice_eq(value, sk_slice(out, len)));
    require(len != SIZE_MAX || !sk_form_value(&arena, text, "a", 1).data);
    require(!sk_buf_put(&form, SK_LIT("b=1&a=")) && !sk_percent_put(&form, text) && !sk_buf_put(&form, SK_LIT("&a=2")));
    require(sk_slice_eq(sk_form_value(&arena, sk_buf_peek(&form), "a", 0), text) && sk_slice_eq(sk_form_value(&arena, sk_buf_peek(&form), "a", 1), SK_LIT("2")));
    sk_arena_free(&arena);
    free(ended);
    free(out);
}

/* A number and what stands behind it, read by libc: the value by that unit, or UINT64_MAX for none. `text` ends in NUL. */
static uint64_t measure(const char *text, const char *const *units, const uint64_t *factors, size_t count)
{
    size_t digits = strspn(text, "0123456789");
    const char *first = text + strspn(text, "0");
    unsigned __int128 number = digits && digits - (size_t)(first - text) <= 20 ? 0 : (unsigned __int128)-1;
    for (const char *p = first; number != (unsigned __int128)-1 && p < text + digits; p++) {
        number = number * 10 + (unsigned)(*p - '0');
    }
    for (size_t i = 0; i < count && digits; i++) {
        if (strcmp(text + digits, units[i]) == 0) {
            return number > UINT64_MAX / factors[i] ? UINT64_MAX : (uint64_t)number * factors[i];
        }
    }
    return UINT64_MAX;
}

static void check_numbers(struct sk_slice text)
{
    static const char *const times[] = {"", "s", "ms", "m", "h", "d"}, *const sizes[] = {"", "k", "M", "G"};
    static const uint64_t nanoseconds[] = {SK_SECOND, SK_SECOND, SK_MILLISECOND, 60 * SK_SECOND, 3600 * SK_SECOND, 86400 * SK_SECOND};
    static const uint64_t bytes[] = {1, 1 << 10, 1 << 20, 1 << 30};
    uint64_t value = 0;
    char copy[64];
    if (text.len < sizeof(copy) && !memchr(text.data, '\0', text.len)) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
        uint64_t right = measure(copy, times, nanoseconds, SK_COUNT(times));
        require(sk_duration_parse(text, &value) ? right == UINT64_MAX : value == right);
        right = measure(copy, sizes, bytes, SK_COUNT(sizes));
        require(sk_size_parse(text, &value) ? right == UINT64_MAX : value == right || (right == UINT64_MAX && value == UINT64_MAX));
    }
    if (sk_time_parse(text, &value) == 0) {
        char written[40];
        sk_time_text(value, written);
        require(memcmp(written, text.data, 10) == 0 && strcmp(written + 19, ".000Z") == 0);
        require(memcmp(written + 10, text.len == 10 ? "T00:00:00" : text.data + 10, 9) == 0);
    }
}

static bool same(const struct sk_addr *a, const struct sk_addr *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void check_addresses(struct sk_slice text)
{
    struct sk_addr address, again;
    struct sk_cidr network, alone;
    char written[SK_ADDR_TEXT], prefix[SK_ADDR_TEXT + 4];
    bool good = sk_addr_parse(text, &address) == 0;
    if (good) {
        require(sk_addr_parse(sk_slice(written, sk_addr_text(&address, written)), &again) == 0 && same(&again, &address));
        require(sk_cidr_parse(text, &network) == 0 && same(&network.addr, &address) && network.bits == (address.family == SK_FAMILY_V4 ? 32 : 128));
    }
    if (sk_addr_parse_port(text, &address) == 0) {
        require(!good && sk_addr_parse_port(sk_slice(written, sk_addr_text_port(&address, written)), &again) == 0 && same(&again, &address));
    }
    if (sk_cidr_parse(text, &network) == 0) {
        (void)sk_addr_text(&network.addr, written);
        int len = snprintf(prefix, sizeof(prefix), "%s/%u", written, network.bits);
        require(sk_cidr_parse(sk_slice(prefix, (size_t)len), &alone) == 0 && same(&alone.addr, &network.addr) && alone.bits == network.bits);
        /* It covers its first address and its last, and not the one with its last bit turned. */
        unsigned most = network.addr.family == SK_FAMILY_V4 ? 32 : 128;
        again = network.addr;
        require(network.bits <= most && sk_cidr_covers(&network, &again));
        for (unsigned bit = network.bits; bit < most; bit++) {
            again.bytes[bit / 8] |= (uint8_t)(0x80U >> bit % 8);
        }
        require(sk_cidr_covers(&network, &again));
        if (network.bits) {
            again.bytes[(network.bits - 1) / 8] ^= (uint8_t)(0x80U >> (network.bits - 1) % 8);
            require(!sk_cidr_covers(&network, &again));
        }
    }
}

/* True when all of it is UTF-8. */
static bool check_utf8(struct sk_slice text)
{
    bool all = true;
    for (size_t len; text.len; text = sk_slice_from(text, len ? len : 1)) {
        utf8proc_int32_t c;
        utf8proc_ssize_t other = utf8proc_iterate((const uint8_t *)text.data, (utf8proc_ssize_t)text.len, &c);
        len = sk_utf8_len(text);
        require(len == (other > 0 ? (size_t)other : 0));
        all = all && len;
    }
    return all;
}

static void check_escapes(struct sk_slice text, bool utf8)
{
    static const char marks[] = "&<>\"'";
    static const struct sk_slice names[] = {{"&amp;", 5}, {"&lt;", 4}, {"&gt;", 4}, {"&quot;", 6}, {"&#39;", 5}};
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    require(sk_html_put(&out, text) == 0);
    struct sk_slice html = sk_buf_peek(&out);
    for (size_t i = 0; i < text.len; i++) {
        const char *hit = text.data[i] ? strchr(marks, text.data[i]) : NULL;
        struct sk_slice right = hit ? names[hit - marks] : sk_slice(text.data + i, 1);
        require(sk_slice_starts(html, right));
        html = sk_slice_from(html, right.len);
    }
    require(html.len == 0);
    sk_buf_take(&out, sk_buf_len(&out));
    require(sk_json_put_string(&out, text) == 0);
    struct sk_slice json = sk_buf_peek(&out);
    json_t *read = json_loadb(json.data, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(json_is_string(read) && (!utf8 || sk_slice_eq(sk_slice(json_string_value(read), json_string_length(read)), text)));
    json_decref(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice text = sk_slice(data, size);
    check_encodings(text);
    check_form(text);
    check_numbers(text);
    check_addresses(text);
    check_escapes(text, check_utf8(text));
    return 0;
}
