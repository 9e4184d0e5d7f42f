/* Small texts of strangers: what is read is written again as it was, a form gives back what was put into it, and no reader leaves its bounds. */
#include "base/addr.h"
#include "base/text.h"
#include "proxy/form.h"

#include <stdlib.h>

static void check_encodings(struct sk_slice text)
{
    uint8_t *bytes = malloc(text.len + 1);
    char *again = malloc(2 * text.len + 8);
    size_t len;
    if (!bytes || !again) {
        abort();
    }
    if (sk_base64url_decode(text, bytes, text.len, &len) == 0 && !sk_slice_eq(sk_slice(again, sk_base64url_encode(sk_slice(bytes, len), again)), text)) {
        abort();
    }
    if (sk_base64_decode(text, bytes, text.len, &len) == 0 && !sk_slice_eq(sk_slice(again, sk_base64_encode(sk_slice(bytes, len), again)), text)) {
        abort();
    }
    if (text.len % 2 == 0 && sk_hex_decode(text, bytes, text.len / 2) == 0) {
        sk_hex_encode(bytes, text.len / 2, again);
        if (!sk_slice_eq(sk_slice(again, text.len), text)) {
            abort();
        }
    }
    free(bytes);
    free(again);
}

static void check_form(struct sk_slice text)
{
    struct sk_buf form SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_arena arena;
    sk_arena_init(&arena, (size_t)1 << 20);
    for (unsigned n = 0; n < 4; n++) {
        struct sk_slice value = sk_form_value(&arena, text, "a", n);
        if (value.len > text.len) {
            abort();
        }
    }
    if (sk_buf_put(&form, SK_LIT("b=1&a=")) || sk_percent_put(&form, text) || sk_buf_put(&form, SK_LIT("&a=2")) ||
            !sk_slice_eq(sk_form_value(&arena, sk_buf_peek(&form), "a", 0), text)) {
        abort();
    }
    sk_arena_free(&arena);
}

static void check_numbers(struct sk_slice text)
{
    uint64_t value = 0, wall = 0;
    struct sk_addr address;
    struct sk_cidr cidr;
    char written[SK_ADDR_TEXT], time[40];
    (void)!sk_duration_parse(text, &value);
    (void)!sk_size_parse(text, &value);
    if (sk_time_parse(text, &wall) == 0) {
        sk_time_text(wall, time);
    }
    if (sk_addr_parse(text, &address) == 0) {
        struct sk_addr again;
        if (sk_addr_parse(sk_slice(written, sk_addr_text(&address, written)), &again) || memcmp(again.bytes, address.bytes, 16) != 0 || again.family != address.family) {
            abort();
        }
    }
    (void)!sk_cidr_parse(text, &cidr);
}

static void check_escapes(struct sk_slice text)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    if (sk_html_put(&out, text)) {
        abort();
    }
    struct sk_slice html = sk_buf_peek(&out);
    for (size_t i = 0; i < html.len; i++) {
        if (strchr("<>\"'", html.data[i]) && html.data[i]) {
            abort();
        }
    }
    sk_buf_take(&out, html.len);
    if (sk_json_put_string(&out, text)) {
        abort();
    }
    struct sk_slice json = sk_buf_peek(&out);
    for (size_t i = 0, len; i < json.len; i += len) {
        len = sk_utf8_len(sk_slice_from(json, i));
        if (len == 0 || (uint8_t)json.data[i] < 0x20) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice text = sk_slice(data, size);
    check_encodings(text);
    check_form(text);
    check_numbers(text);
    check_escapes(text);
    return 0;
}
