/* gateway/reader/live.c: what is put in comes out by its value, for its tenant, in its order. */
#include "reader/live.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const uint8_t one[SK_ID_SIZE] = {1}, two[SK_ID_SIZE] = {2}, three[SK_ID_SIZE] = {3};
static struct live *live;
static uint64_t next[4]; /* of each tenant: the next number */

static void setup(void)
{
    live = live_new(77);
    cr_assert_neq(live, NULL);
    next[1] = 500;
    next[2] = 0;
}

static void teardown(void)
{
    live = live_free(live);
}

static const struct part *part_of(const uint8_t tenant[SK_ID_SIZE])
{
    static struct part parts[4];
    static unsigned at;
    struct part *part = &parts[at++ % SK_COUNT(parts)];
    return live_part(live, tenant, part) ? part : NULL;
}

TestSuite(reader_live, .init = setup, .fini = teardown);

static void put(uint8_t tenant, uint64_t ms, uint64_t at, struct sk_audit_record record)
{
    struct sk_frame_record frame = {.tenant = {tenant}, .seq = next[tenant]++};
    record.op = SK_AUDIT_REQUEST;
    record.stage = SK_AUDIT_STAGE_SINGLE;
    record.wall = ms * SK_MILLISECOND + 999;
    static const struct sk_frame_group group = {.day = 7};
    const struct sk_journal_read read = {.frame = &frame, .group = &group, .at = at, .record = &record};
    cr_assert_eq(live_add(live, &read), 0);
}

static void put_subject(const char *subject)
{
    put(1, 1000, 4096, (struct sk_audit_record){.subject = sk_slice_str(subject), .decision = SK_AUDIT_DECISION_ALLOW});
}

/* The rows of tenant 1 whose value lies there are exactly these. */
static void has(enum sk_term_field field, struct sk_slice low, struct sk_slice high, const uint32_t *rows, size_t count)
{
    const struct part *part = part_of(one);
    roaring_bitmap_t *found = roaring_bitmap_create(), *want = roaring_bitmap_of_ptr(count, rows);
    cr_assert(part && found && want);
    cr_assert_eq(part->kind->select(part, field, low, high, found), 0);
    cr_expect(roaring_bitmap_equals(found, want), "'%.*s' to '%.*s' has %lu rows, not %zu", (int)low.len, low.data, (int)high.len, high.data,
            (unsigned long)roaring_bitmap_get_cardinality(found), count);
    roaring_bitmap_free(found);
    roaring_bitmap_free(want);
}

#define ROWS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)
#define IS(text) SK_LIT(text), SK_LIT(text)

Test(reader_live, a_file_without_records_has_no_part)
{
    cr_expect_eq(part_of(one), NULL);
    put(2, 5, 4096, (struct sk_audit_record){.decision = SK_AUDIT_DECISION_ALLOW});
    cr_expect_eq(part_of(one), NULL);
    cr_expect_neq(part_of(two), NULL);
    cr_expect_eq(part_of(three), NULL);
}

Test(reader_live, a_part_is_of_one_tenant_and_counts_from_its_first_number_in_the_file)
{
    for (uint64_t i = 0; i < 300; i++) {
        put((uint8_t)(1 + i % 2), 1000 + i, 4096 + i, (struct sk_audit_record){.subject = i % 2 ? SK_LIT("taro") : SK_LIT("hanako"), .decision = SK_AUDIT_DECISION_ALLOW});
    }
    const struct part *a = part_of(one), *b = part_of(two);
    cr_assert(a && b && a != b);
    cr_expect(a->file == 77 && a->seq == 500 && a->rows == 150 && a->first == 1000 && a->last == 1298 && a->ordered);
    cr_expect(b->file == 77 && b->seq == 0 && b->rows == 150 && b->first == 1001 && b->last == 1299 && b->ordered);
    for (uint32_t row = 0; row < 150; row++) {
        uint64_t time = 0, place = 0;
        cr_assert(a->kind->time(a, row, &time) == 0 && a->kind->place(a, row, &place) == 0);
        cr_expect(time == 1000 + 2 * row && place == 4096 + 2 * row, "row %u", row);
        cr_assert(b->kind->time(b, row, &time) == 0 && b->kind->place(b, row, &place) == 0);
        cr_expect(time == 1001 + 2 * row && place == 4097 + 2 * row, "row %u", row);
    }
    has(SK_TERM_SUBJECT, IS("taro"), NULL, 0);
}

/* A few rows of a value are kept otherwise than many. */
Test(reader_live, a_value_has_all_its_rows_be_they_few_or_many)
{
    static uint32_t rows[3][70000];
    size_t counts[3] = {0};
    static const char *const names[] = {"once", "often", "rest"};
    for (uint32_t row = 0; row < 70000; row++) {
        unsigned which = row == 7 ? 0 : row % 3 == 0 ? 1 : 2;
        rows[which][counts[which]++] = row;
        put_subject(names[which]);
        for (unsigned i = 0; row < 12 && i < 3; i++) {
            has(SK_TERM_SUBJECT, sk_slice_str(names[i]), sk_slice_str(names[i]), rows[i], counts[i]);
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        has(SK_TERM_SUBJECT, sk_slice_str(names[i]), sk_slice_str(names[i]), rows[i], counts[i]);
    }
}

Test(reader_live, a_range_has_the_values_between_its_ends_and_its_ends)
{
    static const char *const names[] = {"a", "b", "b", "bb", "c", "b", "", "d", "bb"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        put_subject(names[i]);
    }
    has(SK_TERM_SUBJECT, IS("b"), ROWS(1, 2, 5));
    has(SK_TERM_SUBJECT, SK_LIT("b"), SK_LIT("b\xff"), ROWS(1, 2, 3, 5, 8));
    has(SK_TERM_SUBJECT, SK_LIT("b"), SK_LIT("c"), ROWS(1, 2, 3, 4, 5, 8));
    has(SK_TERM_SUBJECT, SK_LIT("ba"), SK_LIT("bz"), ROWS(3, 8));
    has(SK_TERM_SUBJECT, SK_SLICE_NULL, SK_LIT("\xff"), ROWS(0, 1, 2, 3, 4, 5, 7, 8));
    has(SK_TERM_SUBJECT, SK_LIT("c"), SK_LIT("b"), NULL, 0);
    has(SK_TERM_SUBJECT, IS("bbb"), NULL, 0);
    has(SK_TERM_SUBJECT, SK_SLICE_NULL, SK_SLICE_NULL, NULL, 0);
    has(SK_TERM_APP, SK_SLICE_NULL, SK_LIT("\xff"), NULL, 0);
}

Test(reader_live, what_was_selected_is_added_to_what_there_was)
{
    put_subject("a");
    put_subject("b");
    const struct part *part = part_of(one);
    roaring_bitmap_t *rows = roaring_bitmap_create();
    cr_assert_eq(part->kind->select(part, SK_TERM_SUBJECT, IS("a"), rows), 0);
    cr_assert_eq(part->kind->select(part, SK_TERM_SUBJECT, IS("b"), rows), 0);
    cr_expect_eq(roaring_bitmap_get_cardinality(rows), 2);
    roaring_bitmap_free(rows);
}

Test(reader_live, every_field_is_found_by_and_none_by_another_fields_value)
{
    static const uint8_t address[] = {192, 0, 2, 7}, request[SK_ID_SIZE] = {9};
    put(1, 1000, 4096, (struct sk_audit_record){.decision = SK_AUDIT_DECISION_DENY,
            .reason = SK_LIT("r"),
            .subject = SK_LIT("s"),
            .session = SK_LIT("e"),
            .address = sk_slice(address, 4),
            .request = sk_slice(request, SK_ID_SIZE),
            .method = SK_LIT("m"),
            .host = SK_LIT("h"),
            .path = SK_LIT("p"),
            .app = SK_LIT("a"),
            .status = 200});
    static const struct {
        enum sk_term_field field;
        struct sk_slice value;
    } values[] = {{SK_TERM_SUBJECT, {"s", 1}}, {SK_TERM_ADDRESS, {"\x04\xc0\x00\x02\x07", 5}}, {SK_TERM_SESSION, {"e", 1}}, {SK_TERM_REQUEST, {(const char *)request, SK_ID_SIZE}},
            {SK_TERM_OP, {"\x00\x01", 2}}, {SK_TERM_STAGE, {"\x00\x03", 2}}, {SK_TERM_DECISION, {"\x00\x02", 2}}, {SK_TERM_REASON, {"r", 1}}, {SK_TERM_APP, {"a", 1}},
            {SK_TERM_METHOD, {"m", 1}}, {SK_TERM_HOST, {"h", 1}}, {SK_TERM_PATH, {"p", 1}}, {SK_TERM_STATUS, {"\x00\xc8", 2}}};
    cr_assert_eq(SK_COUNT(values), SK_TERM_COUNT - 1, "each field");
    for (size_t i = 0; i < SK_COUNT(values); i++) {
        for (size_t j = 0; j < SK_COUNT(values); j++) {
            has(values[i].field, values[j].value, values[j].value, (const uint32_t[]){0}, i == j);
        }
    }
}

Test(reader_live, the_longest_path_is_found)
{
    char path[SK_TERM_VALUE];
    memset(path, 'x', sizeof(path));
    put(1, 1, 4096, (struct sk_audit_record){.path = sk_slice(path, sizeof(path)), .decision = SK_AUDIT_DECISION_ALLOW});
    put(1, 1, 4096, (struct sk_audit_record){.path = sk_slice(path, sizeof(path) - 1), .decision = SK_AUDIT_DECISION_ALLOW});
    has(SK_TERM_PATH, sk_slice(path, sizeof(path)), sk_slice(path, sizeof(path)), ROWS(0));
    has(SK_TERM_PATH, sk_slice(path, sizeof(path) - 1), sk_slice(path, sizeof(path)), ROWS(0, 1));
}

Test(reader_live, a_clock_that_was_set_back_is_noticed_and_the_bounds_hold)
{
    static const uint64_t times[] = {1000, 1000, 2000, 1999, 5000, 10};
    for (size_t i = 0; i < SK_COUNT(times); i++) {
        put(1, times[i], 4096, (struct sk_audit_record){.decision = SK_AUDIT_DECISION_ALLOW});
        put(2, 3000, 4096, (struct sk_audit_record){.decision = SK_AUDIT_DECISION_ALLOW});
        cr_expect_eq(part_of(one)->ordered, i < 3, "after %zu", i);
    }
    cr_expect(part_of(one)->first == 10 && part_of(one)->last == 5000);
    cr_expect(part_of(two)->ordered, "another tenant's are in order");
}
