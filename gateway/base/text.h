/* Small encodings that many parts share: base64, base64url, hex, JSON strings, durations and sizes. */
#pragma once

#include "base/buf.h"

#define SK_BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Both NUL-terminate and return the text's length. `out` holds SK_BASE64_SIZE(bytes.len). */
size_t sk_base64_encode(struct sk_slice bytes, char *out);
size_t sk_base64url_encode(struct sk_slice bytes, char *out); /* no padding: RFC 4648 section 5 */
/* Strict: right padding, no other byte, no loose bits behind the end. 0, or 1 when malformed or longer than `size`. */
int sk_base64_decode(struct sk_slice text, uint8_t *out, size_t size, size_t *len) sk_nodiscard;
/* As strict, and no padding at all. */
int sk_base64url_decode(struct sk_slice text, uint8_t *out, size_t size, size_t *len) sk_nodiscard;

/* `out` holds 2 * len + 1. */
void sk_hex_encode(const void *bytes, size_t len, char *out);
/* Lower-case hex of exactly 2 * size digits. 0 or 1. */
int sk_hex_decode(struct sk_slice text, void *out, size_t size) sk_nodiscard;

/* Puts `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. 0 or negative. */
int sk_json_put_string(struct sk_buf *buf, struct sk_slice text) sk_nodiscard;
/* Puts `text` with the five HTML characters escaped: safe as content and in a quoted attribute. 0 or negative. */
int sk_html_put(struct sk_buf *buf, struct sk_slice text) sk_nodiscard;
/* Puts `text` for a value in a query or a form: all but unreserved characters and '/' percent-encoded (RFC 3986 section 2). 0 or negative. */
int sk_percent_put(struct sk_buf *buf, struct sk_slice text) sk_nodiscard;
/* Length of a valid UTF-8 sequence at the front of `text` (1..4), or 0. */
size_t sk_utf8_len(struct sk_slice text);

/* "500ms", "30s", "5m", "12h", "90d", or plain seconds. Nanoseconds. 0 or 1. */
int sk_duration_parse(struct sk_slice text, uint64_t *nanoseconds) sk_nodiscard;
/* "64k", "1M", "2G", or plain bytes. 0 or 1. */
int sk_size_parse(struct sk_slice text, uint64_t *bytes) sk_nodiscard;

/* RFC 3339 in UTC with milliseconds, "2026-11-21T03:04:05.678Z". `out` holds 32. */
void sk_time_text(uint64_t wall, char out[32]);
/* "2027-03-31" (its first moment), "2027-03-31T09:00:00Z" or "2027-03-31T09:00:00.000Z" as wall ns. 0, or 1 when it is neither or no such day. */
int sk_time_parse(struct sk_slice text, uint64_t *wall) sk_nodiscard;
/* RFC 9110 section 5.6.7, "Sat, 21 Nov 2026 03:04:05 GMT". Its length. `out` holds 40. */
size_t sk_time_http(uint64_t wall, char out[40]);
