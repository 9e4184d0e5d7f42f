/* gateway/journal/terms.c: what a record's values are, what people may write of them, and which records are meant by it. */
#include "journal/terms.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t v4[] = {192, 0, 2, 7};
static const uint8_t v6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9};
static const uint8_t request[SK_ID_SIZE] = {0xab, 1, 2, 3};

static struct sk_audit_record sample(void)
{
    return (struct sk_audit_record){.op = SK_AUDIT_LOGIN,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_DENY,
            .reason = SK_LIT("login-failed"),
            .subject = SK_LIT("hanako"),
            .session = SK_LIT("0123abcd"),
            .address = sk_slice(v4, sizeof(v4)),
            .request = sk_slice(request, sizeof(request)),
            .method = SK_LIT("POST"),
            .host = SK_LIT("acme.test"),
            .path = SK_LIT("/api/v1/zones"),
            .app = SK_LIT("api"),
            .status = 403};
}

/* ---- values ---- */

static void has_value(const struct sk_audit_record *record, enum sk_term_field field, struct sk_slice value)
{
    uint8_t made[SK_TERM_VALUE];
    struct sk_slice is = sk_term_value(record, field, made);
    cr_expect(sk_slice_eq(is, value), "field %d has %zu bytes", (int)field, is.len);
}

Test(journal_terms, each_field_has_its_value_of_the_record)
{
    struct sk_audit_record r = sample();
    has_value(&r, SK_TERM_SUBJECT, SK_LIT("hanako"));
    has_value(&r, SK_TERM_ADDRESS, SK_LIT("\x04\xc0\x00\x02\x07"));
    has_value(&r, SK_TERM_SESSION, SK_LIT("0123abcd"));
    has_value(&r, SK_TERM_REQUEST, sk_slice(request, sizeof(request)));
    has_value(&r, SK_TERM_OP, SK_LIT("\x00\x0a"));
    has_value(&r, SK_TERM_STAGE, SK_LIT("\x00\x03"));
    has_value(&r, SK_TERM_DECISION, SK_LIT("\x00\x02"));
    has_value(&r, SK_TERM_REASON, SK_LIT("login-failed"));
    has_value(&r, SK_TERM_APP, SK_LIT("api"));
    has_value(&r, SK_TERM_METHOD, SK_LIT("POST"));
    has_value(&r, SK_TERM_HOST, SK_LIT("acme.test"));
    has_value(&r, SK_TERM_PATH, SK_LIT("/api/v1/zones"));
    has_value(&r, SK_TERM_STATUS, SK_LIT("\x01\x93"));
    has_value(&r, SK_TERM_NONE, SK_SLICE_NULL);
    has_value(&r, SK_TERM_COUNT, SK_SLICE_NULL);
    uint8_t made[SK_TERM_VALUE], with_family[17] = {6};
    memcpy(with_family + 1, v6, sizeof(v6));
    r.address = sk_slice(v6, sizeof(v6));
    cr_expect(sk_slice_eq(sk_term_value(&r, SK_TERM_ADDRESS, made), sk_slice(with_family, sizeof(with_family))));
}

Test(journal_terms, what_a_record_does_not_say_has_no_value)
{
    const struct sk_audit_record r = {.op = SK_AUDIT_GATEWAY_STARTED, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    for (int field = 1; field < SK_TERM_COUNT; field++) {
        uint8_t made[SK_TERM_VALUE];
        size_t len = sk_term_value(&r, (enum sk_term_field)field, made).len;
        bool said = field == SK_TERM_OP || field == SK_TERM_STAGE || field == SK_TERM_DECISION;
        cr_expect_eq(len, said ? 2 : 0, "field %d", field);
    }
    struct sk_audit_record odd = sample();
    odd.address = SK_LIT("\x01\x02\x03");
    has_value(&odd, SK_TERM_ADDRESS, SK_SLICE_NULL);
}

Test(journal_terms, a_long_path_counts_by_its_beginning)
{
    char path[SK_TERM_VALUE + 500];
    memset(path, 'x', sizeof(path));
    struct sk_audit_record r = sample();
    r.path = sk_slice(path, sizeof(path));
    has_value(&r, SK_TERM_PATH, sk_slice(path, SK_TERM_VALUE));
}

Test(journal_terms, values_stand_in_the_order_of_their_bytes)
{
    const struct sk_slice rising[] = {SK_SLICE_NULL, SK_LIT("\x00"), SK_LIT("\x00\x00"), SK_LIT("\x01"), SK_LIT("a"), SK_LIT("a/"), SK_LIT("ab"), SK_LIT("b"), SK_LIT("\x80"),
            SK_LIT("\xff")};
    for (size_t i = 0; i < SK_COUNT(rising); i++) {
        for (size_t j = 0; j < SK_COUNT(rising); j++) {
            int order = sk_term_compare(rising[i], rising[j]);
            cr_expect_eq((order > 0) - (order < 0), (i > j) - (i < j), "%zu and %zu", i, j);
        }
    }
}

/* ---- reading ---- */

static uint8_t made[2 * SK_TERM_VALUE + 2];

static int read_as(enum sk_term_field field, struct sk_slice text, struct sk_term *term)
{
    memset(made, 0xee, sizeof(made));
    return sk_term_read(field, text, made, term);
}

static void reads(enum sk_term_field field, const char *text, struct sk_slice low, struct sk_slice high)
{
    struct sk_term term;
    cr_assert_eq(read_as(field, sk_slice_str(text), &term), 0, "'%s'", text);
    cr_expect_eq(term.field, field);
    cr_expect(sk_slice_eq(term.low, low), "'%s' begins elsewhere", text);
    cr_expect(sk_slice_eq(term.high, high), "'%s' ends elsewhere", text);
}

static void refuses(enum sk_term_field field, const char *text)
{
    struct sk_term term;
    cr_expect_eq(read_as(field, sk_slice_str(text), &term), 1, "'%s'", text);
}

static const enum sk_term_field texts[] = {SK_TERM_SUBJECT, SK_TERM_SESSION, SK_TERM_REASON, SK_TERM_APP, SK_TERM_METHOD, SK_TERM_HOST, SK_TERM_PATH};

Test(journal_terms, a_text_is_itself_or_with_a_star_all_that_begin_so)
{
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        reads(texts[i], "hanako", SK_LIT("hanako"), SK_LIT("hanako"));
        reads(texts[i], "ha*", SK_LIT("ha"), SK_LIT("ha\xff"));
        reads(texts[i], "*", SK_SLICE_NULL, SK_LIT("\xff"));
        reads(texts[i], "a*b", SK_LIT("a*b"), SK_LIT("a*b"));
        reads(texts[i], "a**", SK_LIT("a*"), SK_LIT("a*\xff"));
        refuses(texts[i], "");
    }
}

Test(journal_terms, a_text_is_as_long_as_a_value_may_be)
{
    char text[SK_TERM_VALUE + 2];
    struct sk_term term;
    memset(text, 'x', sizeof(text));
    cr_assert_eq(read_as(SK_TERM_PATH, sk_slice(text, SK_TERM_VALUE), &term), 0);
    cr_expect(term.low.len == SK_TERM_VALUE && term.high.len == SK_TERM_VALUE);
    cr_expect_eq(read_as(SK_TERM_PATH, sk_slice(text, SK_TERM_VALUE + 1), &term), 1);
    text[SK_TERM_VALUE - 1] = text[SK_TERM_VALUE] = '*';
    cr_assert_eq(read_as(SK_TERM_PATH, sk_slice(text, SK_TERM_VALUE), &term), 0);
    cr_expect(term.low.len == SK_TERM_VALUE - 1 && term.high.len == SK_TERM_VALUE);
    cr_expect_eq(read_as(SK_TERM_PATH, sk_slice(text, SK_TERM_VALUE + 1), &term), 1);
}

Test(journal_terms, an_address_is_itself_or_all_of_a_prefix)
{
    reads(SK_TERM_ADDRESS, "192.0.2.7", SK_LIT("\x04\xc0\x00\x02\x07"), SK_LIT("\x04\xc0\x00\x02\x07"));
    reads(SK_TERM_ADDRESS, "192.0.2.0/24", SK_LIT("\x04\xc0\x00\x02\x00"), SK_LIT("\x04\xc0\x00\x02\xff"));
    reads(SK_TERM_ADDRESS, "10.32.0.0/11", SK_LIT("\x04\x0a\x20\x00\x00"), SK_LIT("\x04\x0a\x3f\xff\xff"));
    reads(SK_TERM_ADDRESS, "0.0.0.0/0", SK_LIT("\x04\x00\x00\x00\x00"), SK_LIT("\x04\xff\xff\xff\xff"));
    reads(SK_TERM_ADDRESS, "::ffff:192.0.2.7", SK_LIT("\x04\xc0\x00\x02\x07"), SK_LIT("\x04\xc0\x00\x02\x07"));
    uint8_t low[17] = {6, 0x20, 0x01, 0x0d, 0xb8}, high[17];
    memset(high, 0xff, sizeof(high));
    memcpy(high, low, 5);
    reads(SK_TERM_ADDRESS, "2001:db8::/32", sk_slice(low, sizeof(low)), sk_slice(high, sizeof(high)));
    low[8] = high[8] = 1;
    memset(high + 5, 0, 3);
    reads(SK_TERM_ADDRESS, "2001:db8:0:1::/64", sk_slice(low, sizeof(low)), sk_slice(high, sizeof(high)));
    low[16] = 9;
    reads(SK_TERM_ADDRESS, "2001:db8:0:1::9", sk_slice(low, sizeof(low)), sk_slice(low, sizeof(low)));
    reads(SK_TERM_ADDRESS, "2001:db8:0:1::9/128", sk_slice(low, sizeof(low)), sk_slice(low, sizeof(low)));
    static const char *const none[] = {"", "*", "192.0.2", "192.0.2.7/24", "192.0.2.0/33", "2001:db8::1/32", "::/129", "192.0.2.0/", "hanako", "[::1]", "192.0.2.7:443"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        refuses(SK_TERM_ADDRESS, none[i]);
    }
}

Test(journal_terms, a_status_is_itself_or_its_class)
{
    reads(SK_TERM_STATUS, "403", SK_LIT("\x01\x93"), SK_LIT("\x01\x93"));
    reads(SK_TERM_STATUS, "4xx", SK_LIT("\x01\x90"), SK_LIT("\x01\xf3"));
    reads(SK_TERM_STATUS, "1xx", SK_LIT("\x00\x64"), SK_LIT("\x00\xc7"));
    static const char *const none[] = {"", "0", "0xx", "xxx", "4x", "4xxx", "40x", "x03", "1000", "-1", "4XX", "4*"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        refuses(SK_TERM_STATUS, none[i]);
    }
}

Test(journal_terms, kinds_stages_and_decisions_go_by_their_names)
{
    static const char *const none[] = {"", "*", "lo*", "Login", "1", "maybe"};
#define X(name, code, text)                                                                                  \
    {                                                                                                        \
        static const uint8_t value[2] = {0, (code)};                                                         \
        reads(FIELD, text, sk_slice(value, 2), sk_slice(value, 2));                                          \
    }
#define FIELD SK_TERM_OP
    SK_AUDIT_OPS(X)
#undef FIELD
#define FIELD SK_TERM_STAGE
    SK_AUDIT_STAGES(X)
#undef FIELD
#define FIELD SK_TERM_DECISION
    SK_AUDIT_DECISIONS(X)
#undef FIELD
#undef X
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        refuses(SK_TERM_OP, none[i]);
        refuses(SK_TERM_STAGE, none[i]);
        refuses(SK_TERM_DECISION, none[i]);
    }
}

Test(journal_terms, a_request_is_the_id_that_its_client_was_told)
{
    reads(SK_TERM_REQUEST, "ab010203000000000000000000000000", sk_slice(request, sizeof(request)), sk_slice(request, sizeof(request)));
    static const char *const none[] = {"", "*", "ab01*", "ab01020300000000000000000000000", "ab0102030000000000000000000000000", "gb010203000000000000000000000000"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        refuses(SK_TERM_REQUEST, none[i]);
    }
}

Test(journal_terms, fields_go_by_their_names_and_no_other)
{
#define X(NAME, code, text) cr_expect_eq(sk_term_field(SK_LIT(text)), SK_TERM_##NAME);
    SK_TERM_FIELDS(X)
#undef X
    static const char *const none[] = {"", "Subject", "subjects", "subj", "tenant", "from", "limit"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_eq(sk_term_field(sk_slice_str(none[i])), SK_TERM_NONE, "'%s'", none[i]);
    }
    refuses(SK_TERM_NONE, "a");
    refuses(SK_TERM_COUNT, "a");
}

/* ---- in a message ---- */

static void add(struct sk_buf *terms, enum sk_term_field field, const char *text)
{
    struct sk_term term;
    cr_assert_eq(read_as(field, sk_slice_str(text), &term), 0, "'%s'", text);
    cr_assert_eq(sk_term_put(terms, &term), 0);
}

Test(journal_terms, terms_come_out_of_a_message_as_they_went_in)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    char longest[SK_TERM_VALUE + 1];
    memset(longest, 'y', sizeof(longest));
    longest[SK_TERM_VALUE] = '\0';
    add(&terms, SK_TERM_SUBJECT, "*");
    add(&terms, SK_TERM_PATH, longest);
    longest[SK_TERM_VALUE - 1] = '*';
    add(&terms, SK_TERM_PATH, longest);
    add(&terms, SK_TERM_STATUS, "5xx");
    struct sk_slice rest = sk_buf_peek(&terms);
    struct sk_term term;
    cr_assert(sk_term_next(&rest, &term) == 0 && term.field == SK_TERM_SUBJECT && term.low.len == 0 && sk_slice_eq(term.high, SK_LIT("\xff")));
    cr_assert(sk_term_next(&rest, &term) == 0 && term.field == SK_TERM_PATH && term.low.len == SK_TERM_VALUE && sk_slice_eq(term.low, term.high));
    cr_assert(sk_term_next(&rest, &term) == 0 && term.field == SK_TERM_PATH && term.low.len == SK_TERM_VALUE - 1 && term.high.len == SK_TERM_VALUE);
    cr_assert(sk_term_next(&rest, &term) == 0 && term.field == SK_TERM_STATUS && sk_slice_eq(term.low, SK_LIT("\x01\xf4")) && sk_slice_eq(term.high, SK_LIT("\x02\x57")));
    cr_assert_eq(rest.len, 0);
    cr_assert_eq(sk_term_next(&rest, &term), 1, "there is no more");
}

Test(journal_terms, what_does_not_fit_is_not_put_in_part_and_taken_for_a_term)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(20);
    add(&terms, SK_TERM_APP, "api");
    struct sk_term term;
    cr_assert_eq(read_as(SK_TERM_APP, SK_LIT("panel"), &term), 0);
    cr_assert_lt(sk_term_put(&terms, &term), 0);
}

/* Each length is allocated by itself, so that reading behind it is noticed. */
Test(journal_terms, malformed_terms_are_refused)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    add(&terms, SK_TERM_HOST, "acme*");
    for (size_t len = 0; len < sk_buf_len(&terms); len++) {
        uint8_t *part = malloc(len + 1);
        struct sk_term term;
        cr_assert_neq(part, NULL);
        memcpy(part, terms.data, len);
        struct sk_slice rest = sk_slice(part, len);
        cr_expect_eq(sk_term_next(&rest, &term), 1, "%zu bytes of it", len);
        free(part);
    }
    uint8_t bytes[3 * SK_TERM_VALUE] = {0};
    struct sk_slice rest = sk_slice(bytes, 5);
    struct sk_term term;
    cr_expect_eq(sk_term_next(&rest, &term), 1, "field 0");
    bytes[0] = SK_TERM_COUNT;
    rest = sk_slice(bytes, 5);
    cr_expect_eq(sk_term_next(&rest, &term), 1, "a field that there is not");
    bytes[0] = SK_TERM_HOST;
    bytes[1] = (SK_TERM_VALUE + 2) & 0xff;
    bytes[2] = (SK_TERM_VALUE + 2) >> 8;
    rest = sk_slice(bytes, sizeof(bytes));
    cr_expect_eq(sk_term_next(&rest, &term), 1, "longer than a value may be");
}

/* ---- matching ---- */

struct question {
    enum sk_term_field field;
    const char *text;
};

static bool match(const struct sk_audit_record *record, const struct question *all, size_t count)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    for (size_t i = 0; i < count; i++) {
        add(&terms, all[i].field, all[i].text);
    }
    return sk_terms_match(sk_buf_peek(&terms), record);
}

#define MATCH(record, ...) match((record), (const struct question[]){__VA_ARGS__}, sizeof((const struct question[]){__VA_ARGS__}) / sizeof(struct question))

Test(journal_terms, without_terms_every_record_is_meant)
{
    const struct sk_audit_record r = sample();
    cr_expect(sk_terms_match(SK_SLICE_NULL, &r));
}

Test(journal_terms, terms_of_one_field_are_alternatives_and_all_fields_must_hold)
{
    const struct sk_audit_record r = sample();
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "hanako"}));
    cr_expect_not(MATCH(&r, {SK_TERM_SUBJECT, "taro"}));
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "taro"}, {SK_TERM_SUBJECT, "hanako"}));
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "hanako"}, {SK_TERM_SUBJECT, "taro"}));
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "hanako"}, {SK_TERM_STATUS, "4xx"}, {SK_TERM_DECISION, "deny"}));
    cr_expect_not(MATCH(&r, {SK_TERM_SUBJECT, "hanako"}, {SK_TERM_STATUS, "5xx"}));
    cr_expect_not(MATCH(&r, {SK_TERM_STATUS, "5xx"}, {SK_TERM_SUBJECT, "taro"}, {SK_TERM_SUBJECT, "hanako"}));
}

Test(journal_terms, prefixes_mean_what_they_cover_and_their_edges)
{
    struct sk_audit_record r = sample();
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "h*"}));
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "hanako*"}));
    cr_expect_not(MATCH(&r, {SK_TERM_SUBJECT, "hanakot*"}));
    cr_expect_not(MATCH(&r, {SK_TERM_SUBJECT, "Hanako"}));
    cr_expect(MATCH(&r, {SK_TERM_PATH, "/api/*"}));
    cr_expect_not(MATCH(&r, {SK_TERM_PATH, "/api/v1/zones/*"}));
    cr_expect(MATCH(&r, {SK_TERM_ADDRESS, "192.0.2.0/29"}));
    cr_expect_not(MATCH(&r, {SK_TERM_ADDRESS, "192.0.2.8/29"}));
    cr_expect_not(MATCH(&r, {SK_TERM_ADDRESS, "::/0"}), "no prefix of one family covers the other");
    r.address = sk_slice(v6, sizeof(v6));
    cr_expect(MATCH(&r, {SK_TERM_ADDRESS, "2001:db8::/32"}));
    cr_expect_not(MATCH(&r, {SK_TERM_ADDRESS, "0.0.0.0/0"}));
    r.subject = SK_LIT("h\xf4\x8f\xbf\xbf");
    cr_expect(MATCH(&r, {SK_TERM_SUBJECT, "h*"}), "whatever character follows");
}

Test(journal_terms, a_field_without_a_value_is_in_no_range)
{
    struct sk_audit_record r = sample();
    r.subject = r.address = r.path = SK_SLICE_NULL;
    r.status = 0;
    cr_expect_not(MATCH(&r, {SK_TERM_SUBJECT, "*"}));
    cr_expect_not(MATCH(&r, {SK_TERM_ADDRESS, "0.0.0.0/0"}));
    cr_expect_not(MATCH(&r, {SK_TERM_PATH, "*"}));
    cr_expect_not(MATCH(&r, {SK_TERM_STATUS, "1xx"}));
}

Test(journal_terms, malformed_terms_mean_no_record)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    const struct sk_audit_record r = sample();
    add(&terms, SK_TERM_SUBJECT, "hanako");
    size_t first = sk_buf_len(&terms);
    add(&terms, SK_TERM_APP, "api");
    cr_assert(sk_terms_match(sk_buf_peek(&terms), &r));
    for (size_t len = first + 1; len < sk_buf_len(&terms); len++) {
        cr_expect_not(sk_terms_match(sk_slice_cut(sk_buf_peek(&terms), len), &r), "%zu bytes", len);
    }
}
