/* gateway/journal/record.c: one record has one form, and no other bytes are read as a record. */
#include "journal/record.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct sk_audit_record least(void)
{
    return (struct sk_audit_record){
            .op = SK_AUDIT_REQUEST, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
}

static struct sk_audit_record full(void)
{
    struct sk_audit_record r = {
            .tenant = {1, 2, 3},
            .seq = 4711,
            .id = {[15] = 9},
            .wall = UINT64_C(1795230245678999999),
            .boot = 65536,
            .op = SK_AUDIT_JOURNAL_RECOVERED,
            .stage = SK_AUDIT_STAGE_OUTCOME,
            .decision = SK_AUDIT_DECISION_DENY,
            .reason = SK_LIT("denied-by-rule"),
            .rule = SK_LIT("role reader: deny api GET /x"),
            .subject = SK_LIT("\xe5\xa4\xaa\xe9\x83\x8e"),
            .session = SK_LIT("0123456789abcdef"),
            .factors = SK_LIT("pwd,hwk"),
            .address = SK_LIT("\x0a\x01\x02\x03"),
            .port = 65535,
            .tls = SK_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384 resumed"),
            .request = SK_LIT("0123456789abcdef"),
            .method = SK_LIT("DELETE"),
            .host = SK_LIT("panel.acme.example"),
            .path = SK_LIT("/a/b"),
            .app = SK_LIT("panel"),
            .agent = SK_LIT("curl/8"),
            .upstream = SK_LIT("10.0.0.1:8081"),
            .status = 404,
            .bytes_in = 23,
            .bytes_out = 24,
            .duration = UINT64_C(1) << 32,
            .detail = SK_LIT("a"),
            .count = UINT64_MAX,
            .redacted = SK_LIT("agent"),
    };
    return r;
}

static struct sk_slice encoded(const struct sk_audit_record *record, uint8_t out[SK_AUDIT_RECORD_MAX])
{
    size_t len = sk_record_encode(record, out);
    cr_assert_gt(len, 0);
    cr_assert_leq(len, SK_AUDIT_RECORD_MAX);
    return sk_slice(out, len);
}

#define TEXTS(X)                                                                                             \
    X(reason) X(rule) X(subject) X(session) X(factors) X(address) X(tls) X(request) X(method) X(host) X(path) X(app) X(agent)          \
    X(upstream) X(detail) X(redacted)
#define NUMBERS(X) X(seq) X(wall) X(boot) X(op) X(stage) X(decision) X(port) X(status) X(bytes_in) X(bytes_out) X(duration) X(count)

static void expect_same(const struct sk_audit_record *a, const struct sk_audit_record *b)
{
#define X(name) cr_expect(sk_slice_eq(a->name, b->name), #name);
    TEXTS(X)
#undef X
#define X(name) cr_expect(a->name == b->name, #name);
    NUMBERS(X)
#undef X
    cr_expect_eq(memcmp(a->tenant, b->tenant, SK_ID_SIZE), 0);
    cr_expect_eq(memcmp(a->id, b->id, SK_ID_SIZE), 0);
}

Test(journal_record, no_bytes_are_no_record)
{
    struct sk_audit_record record;
    cr_assert_eq(sk_record_decode(SK_SLICE_NULL, &record), 1);
}

Test(journal_record, the_least_record_has_its_known_bytes)
{
    struct sk_audit_record record = least(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    struct sk_slice cbor = encoded(&record, out);
    cr_assert(sk_slice_eq(cbor, SK_LIT("\xa4\x01\x01\x09\x01\x0a\x03\x0c\x01")));
    cr_assert_eq(sk_record_decode(cbor, &back), 0);
    expect_same(&record, &back);
}

Test(journal_record, every_field_makes_the_round_trip)
{
    struct sk_audit_record record = full(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
    expect_same(&record, &back);
}

Test(journal_record, every_field_makes_the_round_trip_alone)
{
    struct sk_audit_record whole = full();
    uint8_t out[SK_AUDIT_RECORD_MAX];
#define X(name)                                                                                              \
    {                                                                                                        \
        struct sk_audit_record record = least(), back;                                                       \
        record.name = whole.name;                                                                            \
        cr_expect_eq(sk_record_decode(encoded(&record, out), &back), 0, #name);                              \
        expect_same(&record, &back);                                                                         \
    }
    TEXTS(X)
    NUMBERS(X)
#undef X
}

Test(journal_record, every_op_stage_and_decision_has_a_text_and_is_kept)
{
    static const int ops[] = {
#define X(name, code, text) code,
            SK_AUDIT_OPS(X)
#undef X
    };
    for (size_t op = 0; op < SK_COUNT(ops); op++) {
        for (int stage = 1; stage <= 8; stage++) {
            for (int decision = 1; decision <= 4; decision++) {
                struct sk_audit_record back, record = {.op = (enum sk_audit_op)ops[op],
                        .stage = (enum sk_audit_stage)stage,
                        .decision = (enum sk_audit_decision)decision};
                uint8_t out[SK_AUDIT_RECORD_MAX];
                cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
                expect_same(&record, &back);
            }
        }
    }
}

Test(journal_record, a_record_without_op_stage_or_decision_is_not_encoded)
{
    uint8_t out[SK_AUDIT_RECORD_MAX];
    for (int what = 0; what < 3; what++) {
        for (int value = 0; value < 200; value += 99) {
            struct sk_audit_record record = least();
            record.op = what == 0 ? (enum sk_audit_op)value : record.op;
            record.stage = what == 1 ? (enum sk_audit_stage)value : record.stage;
            record.decision = what == 2 ? (enum sk_audit_decision)value : record.decision;
            cr_expect_eq(sk_record_encode(&record, out), 0);
        }
    }
}

static int decode_hex(const char *hex)
{
    uint8_t bytes[256];
    struct sk_audit_record record;
    size_t len = strlen(hex) / 2;
    cr_assert_eq(sk_hex_decode(sk_slice_str(hex), bytes, len), 0, "%s", hex);
    return sk_record_decode(sk_slice(bytes, len), &record);
}

Test(journal_record, no_other_form_of_the_same_record_is_read)
{
    cr_assert_eq(decode_hex("a4010109010a030c01"), 0);
    static const struct {
        const char *hex, *why;
    } bad[] = {
            {"", "nothing"},
            {"a0", "an empty map"},
            {"84010109010a030c01", "an array"},
            {"c1a4010109010a030c01", "a tag before the map"},
            {"bf010109010a030c01ff", "an indefinite map"},
            {"b804010109010a030c01", "the map's count in two bytes"},
            {"b90004010109010a030c01", "the map's count in three bytes"},
            {"ba00000004010109010a030c01", "the map's count in five bytes"},
            {"bb0000000000000004010109010a030c01", "the map's count in nine bytes"},
            {"a5010109010a030c01", "a count that is too large"},
            {"a3010109010a030c01", "bytes behind the map"},
            {"a4010109010a030c0100", "a byte behind the map"},
            {"a4090101010a030c01", "keys out of order"},
            {"a401010a0309010c01", "keys out of order"},
            {"a50101090109010a030c01", "a key twice"},
            {"a50101010109010a030c01", "the version twice"},
            {"a309010a030c01", "no version"},
            {"a4010209010a030c01", "another version"},
            {"a401410109010a030c01", "the version as bytes"},
            {"a4012009010a030c01", "a negative version"},
            {"a50101000109010a030c01", "key zero behind"},
            {"a50001010109010a030c01", "key zero"},
            {"a418010109010a030c01", "a key in two bytes"},
            {"a401180109010a030c01", "a number in two bytes"},
            {"a401010918010a030c01", "an op in two bytes"},
            {"a40101091900010a030c01", "an op in three bytes"},
            {"a4010109000a030c01", "a number of zero"},
            {"a401010918630a030c01", "an unknown op"},
            {"a4010109010a090c01", "an unknown stage"},
            {"a4010109010a030c05", "an unknown decision"},
            {"a3010109010a03", "no decision"},
            {"a50101030009010a030c01", "a sequence number of zero"},
            {"a50101031b00000000ffffffff09010a030c01", "a number in nine bytes that needs five"},
            {"a50101031a0000ffff09010a030c01", "a number in five bytes that needs three"},
            {"a50101031900ff09010a030c01", "a number in three bytes that needs two"},
            {"a5010103181709010a030c01", "a number in two bytes that needs one"},
            {"a50101032009010a030c01", "a negative number"},
            {"a5010103f509010a030c01", "a boolean"},
            {"a5010103f93c0009010a030c01", "a float"},
            {"a5010103c10109010a030c01", "a tagged number"},
            {"a50101031c09010a030c01", "a reserved head"},
            {"a50101031f09010a030c01", "an indefinite number"},
            {"a5010109010a030c010d60", "an empty text"},
            {"a5010109010a030c010d4161", "a text as bytes"},
            {"a5010109010a030c010d7f6161ff", "a text in pieces"},
            {"a5010109010a030c010d780161", "a text's length in two bytes"},
            {"a5010109010a030c010d6261", "a text that ends early"},
            {"a5010109010a030c010d7bffffffffffffffff61", "a text of 2^64 bytes"},
            {"a5010109010a030c010d61ff", "a text that is not UTF-8"},
            {"a5010109010a030c010d62c080", "an overlong NUL"},
            {"a5010109010a030c010d63eda080", "a surrogate"},
            {"a5010109010a030c01182f1a00010000", "a status above its type"},
            {"a50101024f000102030405060708090a0b0c0d0e09010a030c01", "an id of 15 bytes"},
            {"a5010102500000000000000000000000000000000009010a030c01", "an id of zeros"},
            {"a5010109010a030c01182d8101", "an array as a value"},
            {"a5010109010a030c011863a0", "a map under an unknown key"},
    };
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(decode_hex(bad[i].hex), 1, "%s", bad[i].why);
    }
}

Test(journal_record, an_unknown_key_is_skipped_wherever_it_stands)
{
    cr_expect_eq(decode_hex("a50101071909c409010a030c01"), 0);
    cr_expect_eq(decode_hex("a5010109010a030c0118c86161"), 0);
    cr_expect_eq(decode_hex("a5010109010a030c011b00000001000000004100"), 0);
    cr_expect_eq(decode_hex("a5010109010a030c0118c861ff"), 1, "its text too must be UTF-8");
}

Test(journal_record, every_truncation_is_refused)
{
    struct sk_audit_record record = full(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    struct sk_slice cbor = encoded(&record, out);
    for (size_t len = 0; len < cbor.len; len++) {
        /* A copy of its exact size, so that the sanitizer sees a read beyond. */
        char *copy = malloc(len + 1);
        cr_assert_not_null(copy);
        memcpy(copy + 1, cbor.data, len);
        cr_expect_eq(sk_record_decode(sk_slice(copy + 1, len), &back), 1, "%zu", len);
        free(copy);
    }
}

/* With all keys known, what decodes is exactly what would be encoded: no two forms of one record. */
Test(journal_record, a_flipped_bit_is_refused_or_gives_a_record_in_its_only_form)
{
    struct sk_audit_record record = full(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX], again[SK_AUDIT_RECORD_MAX];
    struct sk_slice cbor = encoded(&record, out);
    for (size_t i = 0; i < cbor.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            out[i] ^= (uint8_t)(1 << bit);
            if (sk_record_decode(cbor, &back) == 0) {
                size_t len = sk_record_encode(&back, again);
                bool unknown_key = again[1] != out[1];
                cr_expect(unknown_key || sk_slice_eq(sk_slice(again, len), cbor), "byte %zu, bit %d", i, bit);
            }
            out[i] ^= (uint8_t)(1 << bit);
        }
    }
}

Test(journal_record, an_address_is_4_or_16_bytes_and_a_request_id_16)
{
    cr_expect_eq(decode_hex("a5010109010a030c01181e440a010203"), 0);
    cr_expect_eq(decode_hex("a5010109010a030c01181e450a01020304"), 1);
    cr_expect_eq(decode_hex("a5010109010a030c01181e4101"), 1);
    cr_expect_eq(decode_hex("a5010109010a030c0118284f000102030405060708090a0b0c0d0e"), 1);
    cr_expect_eq(decode_hex("a5010109010a030c01182850000102030405060708090a0b0c0d0e0f"), 0);
}

Test(journal_record, a_longer_field_than_the_format_has_is_refused)
{
    uint8_t bytes[200] = {0xa5, 1, 1, 9, 1, 10, 3, 12, 1, 13, 0x78, 65};
    struct sk_audit_record record;
    memset(bytes + 12, 'a', 65);
    cr_expect_eq(sk_record_decode(sk_slice(bytes, 12 + 65), &record), 1);
    bytes[11] = 64;
    cr_expect_eq(sk_record_decode(sk_slice(bytes, 12 + 64), &record), 0);
}

static bool names(struct sk_slice list, const char *name)
{
    while (list.len) {
        if (sk_slice_eq(sk_slice_split(&list, ','), sk_slice_str(name))) {
            return true;
        }
    }
    return false;
}

static struct sk_audit_record longest(void)
{
    static char text[2000];
    struct sk_audit_record record = full();
    memset(text, 'x', sizeof(text));
#define X(name) record.name = sk_slice(text, sizeof(text));
    TEXTS(X)
#undef X
    record.address = SK_LIT("0123456789abcdef");
    record.request = SK_LIT("0123456789abcdef");
    record.redacted = SK_SLICE_NULL;
    memset(record.tenant, 0xff, SK_ID_SIZE);
    memset(record.id, 0xff, SK_ID_SIZE);
#define X(name) record.name = (__typeof__(record.name))UINT64_MAX;
    X(seq) X(wall) X(boot) X(port) X(status) X(bytes_in) X(bytes_out) X(duration) X(count)
#undef X
    return record;
}

Test(journal_record, a_record_of_longest_fields_fits_and_names_each_cut)
{
    struct sk_audit_record record = longest(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
    static const char *const all[] = {"reason", "rule", "subject", "session", "factors", "tls", "method", "host", "path", "app", "agent",
            "upstream", "detail"};
    for (size_t i = 0; i < SK_COUNT(all); i++) {
        cr_expect(names(back.redacted, all[i]), "%s", all[i]);
    }
    cr_expect_eq(back.path.len, 1024);
    cr_expect_eq(back.agent.len, 256);
    cr_expect_eq(back.count, UINT64_MAX);
}

Test(journal_record, a_cut_is_between_characters)
{
    static char text[300];
    for (size_t i = 0; i + 3 <= sizeof(text); i += 3) {
        memcpy(text + i, "\xe9\x96\xa2", 3);
    }
    struct sk_audit_record record = least(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    record.agent = sk_slice(text, sizeof(text));
    cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
    cr_expect_eq(back.agent.len, 255);
    cr_expect(names(back.redacted, "agent"));
}

Test(journal_record, text_that_is_not_utf8_ends_at_its_first_bad_byte_and_is_named)
{
    static const struct {
        struct sk_slice text;
        size_t kept;
    } cases[] = {{{"ab\xff" "cd", 5}, 2}, {{"\xff", 1}, 0}, {{"a\xe9\x96", 3}, 1}, {{"a\xc0\x80", 3}, 1}, {{"a\xed\xa0\x80", 4}, 1}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_audit_record record = least(), back;
        uint8_t out[SK_AUDIT_RECORD_MAX];
        record.subject = cases[i].text;
        cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0, "%zu", i);
        cr_expect_eq(back.subject.len, cases[i].kept, "%zu", i);
        cr_expect(names(back.redacted, "subject"), "%zu", i);
    }
}

Test(journal_record, a_cut_is_named_even_when_the_sender_named_others)
{
    struct sk_audit_record record = longest(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    record.redacted = SK_LIT("query");
    record.rule = record.detail = record.tls = SK_LIT("short");
    cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
    cr_expect(names(back.redacted, "path"));
    cr_expect(names(back.redacted, "query"));
    cr_expect_not(names(back.redacted, "rule"));
}

Test(journal_record, bytes_that_do_not_fit_are_named_too)
{
    struct sk_audit_record record = least(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX];
    record.address = SK_LIT("0123456789abcdef0");
    record.request = SK_LIT("short");
    cr_assert_eq(sk_record_decode(encoded(&record, out), &back), 0);
    cr_expect_eq(back.address.len, 0);
    cr_expect_eq(back.request.len, 0);
    cr_expect(names(back.redacted, "address"));
    cr_expect(names(back.redacted, "request"));
}

Test(journal_record, encoding_what_was_decoded_changes_nothing)
{
    struct sk_audit_record record = longest(), back;
    uint8_t out[SK_AUDIT_RECORD_MAX], again[SK_AUDIT_RECORD_MAX];
    struct sk_slice cbor = encoded(&record, out);
    cr_assert_eq(sk_record_decode(cbor, &back), 0);
    cr_assert(sk_slice_eq(encoded(&back, again), cbor));
}

/* A strict reader of one flat JSON object of strings and whole numbers. Each returns what is behind, or NULL. */
static const char *json_string(const char *p, const char *end)
{
    if (p == end || *p++ != '"') {
        return NULL;
    }
    while (p < end && *p != '"') {
        size_t len = sk_utf8_len(sk_slice(p, (size_t)(end - p)));
        if (len == 0 || (uint8_t)*p < 0x20) {
            return NULL;
        }
        if (*p == '\\') {
            p++;
            if (p < end && *p == 'u') {
                for (int i = 1; i <= 4; i++) {
                    if (p + i >= end || !strchr("0123456789abcdef", p[i]) || !p[i]) {
                        return NULL;
                    }
                }
                len = 5;
            } else if (p == end || !strchr("\"\\", *p)) {
                return NULL;
            }
        }
        p += len;
    }
    return p < end ? p + 1 : NULL;
}

static const char *json_number(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p == start || (p - start > 1 && *start == '0') ? NULL : p;
}

static bool is_json(struct sk_slice text)
{
    const char *p = text.data, *end = p + text.len;
    struct sk_slice seen[64];
    size_t count = 0;
    char before = '{';
    for (;; before = ',') {
        if (p == end || *p++ != before) {
            return false;
        }
        const char *name = p;
        p = json_string(p, end);
        if (!p || p == end || *p++ != ':' || p == end) {
            return false;
        }
        seen[count] = sk_slice(name, (size_t)(p - 1 - name));
        for (size_t i = 0; i < count; i++) {
            if (sk_slice_eq(seen[i], seen[count])) {
                return false;
            }
        }
        count++;
        p = *p == '"' ? json_string(p, end) : json_number(p, end);
        if (!p || p == end) {
            return false;
        }
        if (*p == '}') {
            return p + 1 == end;
        }
    }
}

Test(journal_record, the_json_view_shows_every_field)
{
    struct sk_audit_record record = full();
    struct sk_buf out = SK_BUF_INIT(10000);
    cr_assert_eq(sk_record_json(&record, &out), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&out),
            SK_LIT("{\"time\":\"2026-11-21T03:04:05.678Z\",\"seq\":4711,\"tenant_id\":\"01020300000000000000000000000000\","
                   "\"id\":\"00000000000000000000000000000009\",\"op\":\"journal-recovered\",\"stage\":\"outcome\",\"decision\":\"deny\","
                   "\"reason\":\"denied-by-rule\",\"rule\":\"role reader: deny api GET /x\",\"subject\":\"\xe5\xa4\xaa\xe9\x83\x8e\","
                   "\"session\":\"0123456789abcdef\",\"factors\":\"pwd,hwk\",\"address\":\"10.1.2.3\",\"port\":65535,"
                   "\"request\":\"30313233343536373839616263646566\",\"tls\":\"TLSv1.3 TLS_AES_256_GCM_SHA384 resumed\","
                   "\"method\":\"DELETE\",\"host\":\"panel.acme.example\",\"path\":\"/a/b\",\"app\":\"panel\",\"agent\":\"curl/8\","
                   "\"upstream\":\"10.0.0.1:8081\",\"detail\":\"a\",\"redacted\":\"agent\",\"status\":404,\"bytes_in\":23,"
                   "\"bytes_out\":24,\"duration_us\":4294967,\"count\":18446744073709551615}")),
            "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
    cr_assert(is_json(sk_buf_peek(&out)));
    sk_buf_free(&out);
}

Test(journal_record, the_json_view_of_hostile_bytes_is_json)
{
    uint32_t seed = 7;
    for (int turn = 0; turn < 3000; turn++) {
        struct sk_audit_record record = least();
        struct sk_buf out = SK_BUF_INIT(100000);
        char bytes[400];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = (seed >> 28) < 4 ? "\"\\\n,:{}\x7f"[(seed >> 20) % 8] : (char)(seed >> 16);
        }
        size_t at = 0;
#define X(name)                                                                                              \
    record.name = sk_slice(bytes + at, (seed >> (at % 13)) % 40);                                            \
    at += 20;
        TEXTS(X)
#undef X
        record.wall = turn % 2 ? UINT64_MAX : 0;
        cr_assert_eq(sk_record_json(&record, &out), 0);
        cr_assert(is_json(sk_buf_peek(&out)), "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
        sk_buf_free(&out);
    }
}

Test(journal_record, a_view_that_does_not_fit_is_an_error)
{
    struct sk_audit_record record = full();
    struct sk_buf whole = SK_BUF_INIT(10000);
    cr_assert_eq(sk_record_json(&record, &whole), 0);
    for (size_t limit = 0; limit < sk_buf_len(&whole); limit++) {
        struct sk_buf out = SK_BUF_INIT(limit);
        cr_assert_lt(sk_record_json(&record, &out), 0, "%zu", limit);
        sk_buf_free(&out);
    }
    sk_buf_free(&whole);
}

/* As audit does with what a worker sent: whatever place that claims. */
static void expect_placed(const struct sk_audit_record *claimed, const struct sk_audit_record *placed, const char *what)
{
    uint8_t sent[SK_AUDIT_RECORD_MAX], out[SK_AUDIT_RECORD_MAX], expected[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record;
    struct sk_slice bytes = encoded(claimed, sent);
    cr_assert_eq(sk_record_decode(bytes, &record), 0);
    memcpy(record.tenant, placed->tenant, SK_ID_SIZE);
    memcpy(record.id, placed->id, SK_ID_SIZE);
    record.seq = placed->seq;
    record.wall = placed->wall;
    record.boot = placed->boot;
    size_t len = sk_record_place(&record, bytes, out);
    cr_expect(sk_slice_eq(sk_slice(out, len), encoded(&record, expected)), "%s", what);
}

Test(journal_record, a_record_that_is_given_its_place_is_as_if_it_were_encoded)
{
    const struct sk_audit_record records[] = {full(), least()};
    for (size_t i = 0; i < SK_COUNT(records); i++) {
        for (unsigned claims = 0; claims < 32; claims++) {
            for (unsigned given = 0; given < 32; given++) {
                struct sk_audit_record claimed = records[i], placed = full();
                for (unsigned which = 0; which < 2; which++) {
                    struct sk_audit_record *r = which ? &placed : &claimed;
                    unsigned bits = which ? given : claims;
                    memset(r->tenant, 0, bits & 1 ? 0 : SK_ID_SIZE);
                    memset(r->id, 0, bits & 2 ? 0 : SK_ID_SIZE);
                    r->seq = bits & 4 ? UINT64_MAX - which : 0;
                    r->wall = bits & 8 ? 23 + which : 0;
                    r->boot = bits & 16 ? 65536U >> which : 0;
                }
                expect_placed(&claimed, &placed, i ? "least" : "full");
            }
        }
    }
}

Test(journal_record, a_record_that_gets_too_long_by_its_place_is_not_placed)
{
    static char text[1024];
    memset(text, 'x', sizeof(text));
    uint8_t sent[SK_AUDIT_RECORD_MAX] = {0}, out[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record = full();
    record.path = sk_slice(text, 1024);
    struct sk_slice bytes = encoded(&record, sent);
    cr_assert_gt(sk_record_place(&record, bytes, out), 0);
    /* Such as no sender of this version makes: a key behind all others, with the rest of what may be sent. */
    size_t rest = SK_AUDIT_RECORD_MAX - bytes.len - 5;
    sent[1]++; /* a field more */
    memcpy(sent + bytes.len, (const uint8_t[]){0x18, 100, 0x59, (uint8_t)(rest >> 8), (uint8_t)rest}, 5);
    cr_assert_eq(sk_record_decode(sk_slice(sent, sizeof(sent)), &record), 0);
    cr_expect_eq(sk_record_place(&record, sk_slice(sent, sizeof(sent)), out), 0);
}
