/* gateway/journal/frame.c: whatever changes in a header or a body is seen. */
#include "journal/frame.h"

#include <criterion/criterion.h>

static struct sk_frame_file file_header(void)
{
    struct sk_frame_file file = {.number = UINT64_C(0x0102030405060708)};
    memset(file.node, 0x11, sizeof(file.node));
    memset(file.previous, 0x22, sizeof(file.previous));
    return file;
}

Test(journal_frame, a_file_header_makes_the_round_trip)
{
    struct sk_frame_file file = file_header(), back;
    uint8_t block[SK_FRAME_BLOCK];
    sk_frame_put_file(&file, block);
    cr_assert_eq(sk_frame_get_file(block, &back), 0);
    cr_assert_eq(back.number, file.number);
    cr_assert_eq(memcmp(back.node, file.node, sizeof(file.node)), 0);
    cr_assert_eq(memcmp(back.previous, file.previous, sizeof(file.previous)), 0);
}

Test(journal_frame, no_byte_of_a_file_header_may_be_changed)
{
    struct sk_frame_file file = file_header(), back;
    uint8_t block[SK_FRAME_BLOCK];
    sk_frame_put_file(&file, block);
    for (size_t i = 0; i < SK_FRAME_BLOCK; i++) {
        block[i] ^= 0x10;
        cr_assert_neq(sk_frame_get_file(block, &back), 0, "byte %zu", i);
        block[i] ^= 0x10;
    }
    cr_assert_eq(sk_frame_get_file(block, &back), 0);
}

Test(journal_frame, a_newer_format_is_told_from_no_journal)
{
    struct sk_frame_file file = file_header(), back;
    uint8_t block[SK_FRAME_BLOCK];
    sk_frame_put_file(&file, block);
    block[8]++;
    cr_assert_eq(sk_frame_get_file(block, &back), 2);
    memset(block, 0, sizeof(block));
    cr_assert_eq(sk_frame_get_file(block, &back), 1);
}

#define BODY 700

struct group_bytes {
    uint8_t header[SK_FRAME_GROUP_HEADER];
    uint8_t body[BODY];
};

static struct sk_frame_group put_group(struct group_bytes *bytes)
{
    struct sk_frame_group group = {.file = UINT64_C(0x0807060504030201),
            .number = UINT64_C(0x1817161514131211),
            .kind = SK_FRAME_RECORDS,
            .body = BODY,
            .count = 3,
            .wall = UINT64_C(0x2827262524232221),
            .boot = UINT64_C(0x3837363534333231),
            .day = 0x44434241};
    memset(group.run, 0x55, sizeof(group.run));
    memset(group.previous, 0x44, sizeof(group.previous));
    for (size_t i = 0; i < BODY; i++) {
        bytes->body[i] = (uint8_t)i;
    }
    sk_frame_put_group(&group, bytes->body, bytes->header);
    return group;
}

Test(journal_frame, a_group_header_makes_the_round_trip)
{
    struct group_bytes bytes;
    struct sk_frame_group group = put_group(&bytes), back;
    cr_assert_eq(sk_frame_get_group(bytes.header, &back), 0);
    cr_assert_eq(back.file, group.file);
    cr_assert_eq(back.number, group.number);
    cr_assert_eq(back.kind, group.kind);
    cr_assert_eq(back.body, group.body);
    cr_assert_eq(back.count, group.count);
    cr_assert_eq(back.wall, group.wall);
    cr_assert_eq(back.boot, group.boot);
    cr_assert_eq(back.day, group.day);
    cr_assert_eq(memcmp(back.run, group.run, SK_ID_SIZE), 0);
    cr_assert_eq(memcmp(back.previous, group.previous, SK_FRAME_HASH), 0);
    cr_assert_eq(memcmp(back.hash, group.hash, SK_FRAME_HASH), 0);
    cr_assert(sk_frame_check_group(bytes.header, bytes.body, BODY));
}

Test(journal_frame, no_byte_of_a_group_may_be_changed)
{
    struct group_bytes bytes;
    (void)put_group(&bytes);
    for (size_t i = 0; i < SK_FRAME_GROUP_HEADER + BODY; i++) {
        uint8_t *byte = i < SK_FRAME_GROUP_HEADER ? &bytes.header[i] : &bytes.body[i - SK_FRAME_GROUP_HEADER];
        for (int bit = 0; bit < 8; bit++) {
            struct sk_frame_group back;
            *byte ^= (uint8_t)(1 << bit);
            bool refused = sk_frame_get_group(bytes.header, &back) || !sk_frame_check_group(bytes.header, bytes.body, BODY);
            cr_assert(refused, "byte %zu, bit %d", i, bit);
            *byte ^= (uint8_t)(1 << bit);
        }
    }
    cr_assert(sk_frame_check_group(bytes.header, bytes.body, BODY));
}

Test(journal_frame, a_shorter_or_longer_body_is_not_the_groups)
{
    struct group_bytes bytes;
    uint8_t longer[BODY + 1] = {0};
    (void)put_group(&bytes);
    memcpy(longer, bytes.body, BODY);
    cr_expect_not(sk_frame_check_group(bytes.header, bytes.body, BODY - 1));
    cr_expect_not(sk_frame_check_group(bytes.header, longer, BODY + 1));
    cr_expect_not(sk_frame_check_group(bytes.header, longer, 0));
}

Test(journal_frame, a_header_that_cannot_be_is_no_group)
{
    struct group_bytes bytes;
    struct sk_frame_group group = put_group(&bytes), back;
    static uint8_t none[1];
    group.body = 0;
    group.count = 0;
    sk_frame_put_group(&group, none, bytes.header);
    cr_expect_eq(sk_frame_get_group(bytes.header, &back), 1, "no records");
    group.kind = (enum sk_frame_group_kind)4;
    group.count = 1;
    sk_frame_put_group(&group, none, bytes.header);
    cr_expect_eq(sk_frame_get_group(bytes.header, &back), 1, "an unknown kind");
    (void)put_group(&bytes);
    bytes.header[27] = 1; /* 16 MiB and 700 bytes */
    cr_expect_eq(sk_frame_get_group(bytes.header, &back), 1, "too long a body");
    memset(bytes.header, 0, sizeof(bytes.header));
    cr_expect_eq(sk_frame_get_group(bytes.header, &back), 1, "zeros");
}

Test(journal_frame, a_group_takes_whole_blocks)
{
    cr_expect_eq(sk_frame_group_size(0), 4096);
    cr_expect_eq(sk_frame_group_size(4096 - SK_FRAME_GROUP_HEADER), 4096);
    cr_expect_eq(sk_frame_group_size(4097 - SK_FRAME_GROUP_HEADER), 8192);
    cr_expect_eq(sk_frame_group_size(SK_FRAME_BODY_MAX) % 4096, 0);
}

static size_t put_record(uint8_t *at, uint32_t len, uint64_t seq, uint8_t fill)
{
    struct sk_frame_record record = {.len = len, .kind = SK_FRAME_SEALED, .seq = seq};
    memset(record.tenant, fill, sizeof(record.tenant));
    sk_frame_put_record(&record, at);
    memset(at + SK_FRAME_RECORD_HEADER, fill, len);
    return SK_FRAME_RECORD_HEADER + len;
}

Test(journal_frame, records_come_out_in_order_and_no_byte_is_left)
{
    uint8_t bytes[10000];
    static const uint32_t lengths[] = {SK_FRAME_HASH, 33, SK_FRAME_RECORD_MAX, 100};
    size_t len = 0;
    for (size_t i = 0; i < SK_COUNT(lengths); i++) {
        len += put_record(bytes + len, lengths[i], (UINT64_C(1) << 40) + i, (uint8_t)(10 * i));
    }
    struct sk_slice body = sk_slice(bytes, len), cbor;
    for (size_t i = 0; i < SK_COUNT(lengths); i++) {
        struct sk_frame_record record;
        cr_assert_eq(sk_frame_next_record(&body, &record, &cbor), 0);
        cr_assert_eq(record.len, lengths[i]);
        cr_assert_eq(cbor.len, lengths[i]);
        cr_assert_eq(record.kind, SK_FRAME_SEALED);
        cr_assert_eq(record.seq, (UINT64_C(1) << 40) + i);
        cr_assert_eq(record.tenant[15], 10 * i);
        cr_assert_eq((uint8_t)cbor.data[0], 10 * i);
    }
    cr_assert_eq(body.len, 0);
}

Test(journal_frame, a_record_that_is_cut_or_cannot_be_is_refused)
{
    uint8_t bytes[SK_FRAME_RECORD_HEADER + SK_FRAME_RECORD_MAX + 1];
    struct sk_frame_record record;
    struct sk_slice cbor;
    size_t len = put_record(bytes, 50, 1, 1);
    for (size_t cut = 0; cut < len; cut++) {
        struct sk_slice body = sk_slice(bytes, cut);
        cr_assert_eq(sk_frame_next_record(&body, &record, &cbor), 1, "%zu", cut);
    }
    static const uint32_t lengths[] = {0, SK_FRAME_HASH - 1, SK_FRAME_RECORD_MAX + 1, UINT32_MAX, UINT32_MAX - 63, 1U << 31};
    for (size_t i = 0; i < SK_COUNT(lengths); i++) {
        struct sk_frame_record bad = {.len = lengths[i], .kind = SK_FRAME_SEALED};
        struct sk_slice body = sk_slice(bytes, sizeof(bytes));
        sk_frame_put_record(&bad, bytes);
        cr_assert_eq(sk_frame_next_record(&body, &record, &cbor), 1, "%u", lengths[i]);
    }
    for (uint32_t kind = 0; kind < 300; kind++) {
        struct sk_slice body = sk_slice(bytes, sizeof(bytes));
        (void)put_record(bytes, 50, 1, 1);
        memcpy(bytes + 4, &kind, sizeof(kind));
        cr_assert_eq(sk_frame_next_record(&body, &record, &cbor), kind == SK_FRAME_SEALED ? 0 : 1, "kind %u", kind);
    }
}

Test(journal_frame, a_snapshots_entries_make_the_round_trip)
{
    uint8_t bytes[2 * SK_FRAME_ENTRY];
    struct sk_frame_entry tenant = {.kind = SK_FRAME_TENANT, .seq = UINT64_MAX}, intent = {.kind = SK_FRAME_INTENT, .seq = 1}, back;
    memset(tenant.tenant, 5, sizeof(tenant.tenant));
    memset(tenant.hash, 6, sizeof(tenant.hash));
    memset(intent.hash, 7, SK_ID_SIZE);
    sk_frame_put_entry(&tenant, bytes);
    sk_frame_put_entry(&intent, bytes + SK_FRAME_ENTRY);
    struct sk_slice body = sk_slice(bytes, sizeof(bytes));
    cr_assert_eq(sk_frame_next_entry(&body, &back), 0);
    cr_assert(back.kind == SK_FRAME_TENANT && back.seq == UINT64_MAX && back.tenant[15] == 5 && back.hash[31] == 6);
    cr_assert_eq(sk_frame_next_entry(&body, &back), 0);
    cr_assert(back.kind == SK_FRAME_INTENT && back.seq == 1 && back.hash[15] == 7 && back.hash[16] == 0);
    cr_assert_eq(sk_frame_next_entry(&body, &back), 1);
    for (size_t i = 0; i < 8; i++) {
        body = sk_slice(bytes, SK_FRAME_ENTRY);
        bytes[i] ^= 0x80;
        cr_assert_eq(sk_frame_next_entry(&body, &back), 1, "byte %zu", i);
        bytes[i] ^= 0x80;
    }
    for (size_t i = 32 + SK_ID_SIZE; i < SK_FRAME_ENTRY; i++) {
        body = sk_slice(bytes + SK_FRAME_ENTRY, SK_FRAME_ENTRY);
        bytes[SK_FRAME_ENTRY + i] ^= 0x80;
        cr_assert_eq(sk_frame_next_entry(&body, &back), 1, "behind an intent's request: byte %zu", i);
        bytes[SK_FRAME_ENTRY + i] ^= 0x80;
    }
}
