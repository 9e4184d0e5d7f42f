/* The chunked coding, whole, at every split point and byte by byte. */
#include "http/chunked.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct result {
    enum sk_chunked_event event; /* MORE, TRAILERS or BAD at the end */
    char body[1024];
    size_t body_len;
    char trailers[512];
    size_t trailers_len;
    size_t used; /* of the text, up to the end of the body */
};

/* Decodes as a connection does: what is not used stays in front of what comes next. */
struct feed {
    struct sk_chunked chunked;
    char bytes[2048];
    size_t start, end;
};

static void feed(struct feed *f, struct result *r, struct sk_slice bytes)
{
    memcpy(f->bytes + f->end, bytes.data, bytes.len);
    f->end += bytes.len;
    while (r->event == SK_CHUNKED_MORE) {
        struct sk_slice data;
        size_t used;
        /* A fresh copy, so that the sanitizer sees a read behind the end. */
        size_t len = f->end - f->start;
        char *copy = malloc(len ? len : 1);
        memcpy(copy, f->bytes + f->start, len);
        enum sk_chunked_event event = sk_chunked_next(&f->chunked, sk_slice(copy, len), &data, &used);
        cr_assert_leq(used, len);
        if (event == SK_CHUNKED_DATA) {
            cr_assert_gt(data.len, 0);
            memcpy(r->body + r->body_len, data.data, data.len);
            r->body_len += data.len;
        } else if (event == SK_CHUNKED_TRAILERS) {
            memcpy(r->trailers, data.data, data.len);
            r->trailers_len = data.len;
        }
        free(copy);
        f->start += used;
        r->used += used;
        if (event == SK_CHUNKED_MORE && (used == 0 || f->start == f->end)) {
            return;
        }
        r->event = event == SK_CHUNKED_DATA ? SK_CHUNKED_MORE : event;
    }
}

static bool same(const struct result *a, const struct result *b)
{
    return a->event == b->event && a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0 &&
           a->trailers_len == b->trailers_len && memcmp(a->trailers, b->trailers, a->trailers_len) == 0 &&
           (a->event == SK_CHUNKED_BAD || a->used == b->used);
}

/* One result, however the text is cut. */
static struct result decode_as(struct sk_chunked chunked, struct sk_slice text)
{
    static struct result whole;
    static struct feed f;
    whole = (struct result){.event = SK_CHUNKED_MORE};
    f = (struct feed){.chunked = chunked};
    feed(&f, &whole, text);
    for (size_t cut = 0; cut <= text.len; cut++) {
        static struct result r;
        r = (struct result){.event = SK_CHUNKED_MORE};
        f = (struct feed){.chunked = chunked};
        feed(&f, &r, sk_slice_cut(text, cut));
        feed(&f, &r, sk_slice(text.data + cut, text.len - cut));
        cr_assert(same(&whole, &r), "cut at %zu of %.*s", cut, (int)text.len, text.data);
    }
    static struct result slow;
    slow = (struct result){.event = SK_CHUNKED_MORE};
    f = (struct feed){.chunked = chunked};
    for (size_t i = 0; i < text.len; i++) {
        feed(&f, &slow, sk_slice(text.data + i, 1));
    }
    cr_assert(same(&whole, &slow), "byte by byte: %.*s", (int)text.len, text.data);
    return whole;
}

static struct result decode(struct sk_slice text)
{
    return decode_as(SK_CHUNKED_INIT, text);
}

Test(http_chunked, well_formed_bodies_are_decoded)
{
    static const struct {
        const char *text, *body, *trailers;
    } cases[] = {
            {"0\r\n\r\n", "", "\r\n"},
            {"5\r\nhello\r\n0\r\n\r\n", "hello", "\r\n"},
            {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "\r\n"},
            {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", "\r\n"},
            {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "\r\n"},
            {"000000000000003\r\nabc\r\n000\r\n\r\n", "abc", "\r\n"},
            {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "\r\n"},
            {"1\r\na\r\n0\r\nX: y\r\n\r\n", "a", "X: y\r\n\r\n"},
            {"0\r\nA: 1\r\nB: 2\r\n\r\n", "", "A: 1\r\nB: 2\r\n\r\n"},
            {"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", "\r\n"},
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct result r = decode(sk_slice_str(cases[i].text));
        cr_expect_eq(r.event, SK_CHUNKED_TRAILERS, "%s", cases[i].text);
        cr_expect(
                sk_slice_eq(sk_slice(r.body, r.body_len), sk_slice_str(cases[i].body)), "%s", cases[i].text);
        cr_expect(sk_slice_eq(sk_slice(r.trailers, r.trailers_len), sk_slice_str(cases[i].trailers)), "%s",
                cases[i].text);
        cr_expect_eq(r.used, strlen(cases[i].text));
    }
}

Test(http_chunked, nothing_behind_the_end_is_taken)
{
    struct result r = decode(SK_LIT("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"));
    cr_expect_eq(r.event, SK_CHUNKED_TRAILERS);
    cr_expect_eq(r.used, strlen("1\r\na\r\n0\r\n\r\n"));
}

Test(http_chunked, every_prefix_of_a_good_body_waits_for_more)
{
    struct sk_slice text = SK_LIT("3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n");
    for (size_t len = 0; len < text.len; len++) {
        cr_expect_eq(decode(sk_slice_cut(text, len)).event, SK_CHUNKED_MORE, "%zu", len);
    }
}

Test(http_chunked, what_two_parsers_read_differently_is_bad)
{
    static const char *const texts[] = {"\r\n", "\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n",
            "5\t\r\nhello\r\n", "5;\r\nhello\r\n", "5;a=b\r\nhello\r\n", "5;a=\"\n\"\r\n", "0;a\r\n\r\n",
            "5\nhello\r\n", "5\r\nhello\n", "5\r\nhelloX", "5\r\nhello\rX", "5\r\r\nhello",
            "0x5\r\nhello\r\n", "-5\r\nhello", "+5\r\nhello", "g\r\n", "5g\r\n", "5.\r\n",
            "0000000000000000\r\n\r\n", "0000000000000005\r\nhello", "FFFFFFFFFFFFFFFF\r\n",
            "10000000000000000\r\n", "5\r\nhello\r\n\r\n", "5\r\nhello0\r\n", "0\r\n\n", "0\n\r\n",
            "0\r\nX: y\n\r\n", "0\r\nX: y\r\n\n", "\0", ";\r\n"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct sk_slice text = texts[i][0] ? sk_slice_str(texts[i]) : SK_LIT("\0");
        cr_expect_eq(decode(text).event, SK_CHUNKED_BAD, "%s", texts[i]);
    }
}

Test(http_chunked, in_a_response_extensions_are_dropped)
{
    static const char *const texts[] = {"5;a\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n",
            "5;\r\nhello\r\n0\r\n\r\n", "5 ;a\r\nhello\r\n0\r\n\r\n", "5\t; a = \"b;\tc\" ;d\r\nhello\r\n0\r\n\r\n",
            "5;a=\x80\xff~\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0;last\r\n\r\n", "2;5\r\nhe\r\n3;5\r\nllo\r\n0;5\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct result r = decode_as(SK_CHUNKED_RESPONSE, sk_slice_str(texts[i]));
        cr_expect_eq(r.event, SK_CHUNKED_TRAILERS, "%s", texts[i]);
        cr_expect(sk_slice_eq(sk_slice(r.body, r.body_len), SK_LIT("hello")), "%s", texts[i]);
        cr_expect_eq(r.used, strlen(texts[i]), "%s", texts[i]);
        bool plain = strchr(texts[i], ';') == NULL;
        cr_expect_eq(decode(sk_slice_str(texts[i])).event, plain ? SK_CHUNKED_TRAILERS : SK_CHUNKED_BAD, "%s", texts[i]);
    }
}

Test(http_chunked, in_a_response_too_only_text_is_an_extension)
{
    static const char *const texts[] = {";a\r\n", " ;a\r\n", "5 \r\n", "5\t\r\n", "5 a\r\n", "5 5;a\r\n", "5a=b\r\n", "5;a\nhello", "5;a\r\r\n",
            "5;a\rb\r\n", "5;\n", "5;a=\"\n\"\r\n", "5\nhello\r\n", "0;a\n\r\n", "5;a\x7f\r\n", "5\r\nhello;a\r\n", "5\r\n;a\r\nhello\r\n0\r\n\r\n0\n"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        cr_expect_eq(decode_as(SK_CHUNKED_RESPONSE, sk_slice_str(texts[i])).event, SK_CHUNKED_BAD, "%s", texts[i]);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4] = {'1', ';', (char)byte, 'x'};
        bool bad = (byte < ' ' && byte != '\t') || byte == 0x7f;
        cr_expect_eq(decode_as(SK_CHUNKED_RESPONSE, sk_slice(text, 4)).event, bad ? SK_CHUNKED_BAD : SK_CHUNKED_MORE, "%u", byte);
    }
}

Test(http_chunked, an_extension_has_a_longest_length)
{
    for (size_t len = 1023; len <= 1025; len++) {
        char text[1200] = "1;";
        memset(text + 2, 'x', len - 1);
        (void)snprintf(text + 1 + len, sizeof(text) - 1 - len, "\r\ny\r\n1;z\r\nz\r\n0\r\n\r\n");
        struct result r = decode_as(SK_CHUNKED_RESPONSE, sk_slice_str(text));
        cr_expect_eq(r.event, len <= 1024 ? SK_CHUNKED_TRAILERS : SK_CHUNKED_BAD, "%zu", len);
    }
}

Test(http_chunked, every_byte_that_is_no_hex_digit_is_bad_in_a_size)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {'1', (char)byte, '1'};
        bool digit =
                (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
        cr_expect_eq(decode(sk_slice(text, 3)).event, digit ? SK_CHUNKED_MORE : SK_CHUNKED_BAD, "%u", byte);
    }
}

Test(http_chunked, the_largest_size_is_counted_right)
{
    struct sk_chunked c = SK_CHUNKED_INIT;
    struct sk_slice data;
    size_t used;
    cr_assert_eq(sk_chunked_next(&c, SK_LIT("FFFFFFFFFFFFFFF\r\nabc"), &data, &used), SK_CHUNKED_DATA);
    cr_expect_eq(data.len, 3);
    cr_expect_eq(c.left, 0xFFFFFFFFFFFFFFFULL - 3);
}

/* The limit is one limit: it may not depend on how the bytes came. */
Test(http_chunked, overlong_trailers_are_bad_however_they_are_cut)
{
    static char text[40000];
    size_t len = (size_t)snprintf(text, sizeof(text), "0\r\nX: ");
    memset(text + len, 'a', 20000);
    len += 20000;
    memcpy(text + len, "\r\n\r\n", 4);
    len += 4;
    struct sk_slice data;
    size_t used;
    struct sk_chunked c = SK_CHUNKED_INIT;
    cr_expect_eq(sk_chunked_next(&c, sk_slice(text, len), &data, &used), SK_CHUNKED_BAD, "whole");
    c = SK_CHUNKED_INIT;
    enum sk_chunked_event event = SK_CHUNKED_MORE;
    size_t start = 0;
    for (size_t end = 1; end <= len && event == SK_CHUNKED_MORE; end++) {
        event = sk_chunked_next(&c, sk_slice(text + start, end - start), &data, &used);
        start += used;
    }
    cr_expect_eq(event, SK_CHUNKED_BAD, "byte by byte");
}

Test(http_chunked, what_is_put_is_read_back)
{
    static const size_t sizes[] = {1, 2, 15, 16, 17, 255, 256, 257, 500};
    char body[512];
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)i;
    }
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        struct sk_buf buf = SK_BUF_INIT(4096);
        const struct sk_field trailer = {SK_LIT("x"), SK_LIT("y")};
        cr_assert_eq(sk_chunked_put(&buf, SK_SLICE_NULL), 0);
        cr_assert_eq(sk_buf_len(&buf), 0, "an empty chunk would be the end");
        cr_assert_eq(sk_chunked_put(&buf, sk_slice(body, sizes[i])), 0);
        cr_assert_eq(sk_chunked_put_end(&buf, &trailer, 1), 0);
        struct result r = decode(sk_buf_peek(&buf));
        cr_expect_eq(r.event, SK_CHUNKED_TRAILERS);
        cr_expect(sk_slice_eq(sk_slice(r.body, r.body_len), sk_slice(body, sizes[i])));
        cr_expect(sk_slice_eq(sk_slice(r.trailers, r.trailers_len), SK_LIT("x: y\r\n\r\n")));
        sk_buf_free(&buf);
    }
}

Test(http_chunked, a_full_buffer_takes_no_part_of_a_chunk)
{
    struct sk_buf buf = SK_BUF_INIT(16);
    cr_expect_lt(sk_chunked_put(&buf, SK_LIT("0123456789")), 0);
    cr_expect_eq(sk_buf_len(&buf), 0);
    sk_buf_free(&buf);
}
