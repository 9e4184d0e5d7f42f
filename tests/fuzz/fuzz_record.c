/*
 * Any record is refused, or is written again as a record that says the same and has a view in JSON; any bytes as the bodies of groups, framed
 * rightly, are read or refused with a place. The input is 'R' and a record, 'F' and a file, or 'G' and groups: kind, count, two bytes of length, body.
 */
#include "journal/reader.h"
#include "journal/record.h"

#include <stdlib.h>

#define FILE_MAX ((size_t)256 << 10)

static void check_record(struct sk_slice bytes)
{
    struct sk_audit_record record, again;
    uint8_t out[SK_AUDIT_RECORD_MAX], twice[SK_AUDIT_RECORD_MAX];
    struct sk_buf json SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    if (sk_record_decode(bytes, &record)) {
        return;
    }
    size_t len = sk_record_encode(&record, out);
    /* What it has beside the known keys is not written again. */
    if (len == 0 || len > bytes.len || (len == bytes.len && memcmp(out, bytes.data, len) != 0)) {
        abort();
    }
    if (len == bytes.len) {
        uint8_t placed[SK_AUDIT_RECORD_MAX];
        struct sk_audit_record elsewhere = record;
        elsewhere.seq ^= 0x1234;
        elsewhere.id[3] ^= 1;
        elsewhere.wall = 0;
        size_t size = sk_record_place(&elsewhere, bytes, placed);
        if (size && (sk_record_encode(&elsewhere, twice) != size || memcmp(placed, twice, size) != 0)) {
            abort();
        }
    }
    if (sk_record_decode(sk_slice(out, len), &again) || sk_record_encode(&again, twice) != len || memcmp(out, twice, len) != 0 || sk_record_json(&record, &json)) {
        abort();
    }
}

static void look_at(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    uint64_t *sum = context;
    *sum += tenant[SK_ID_SIZE - 1] + size + root[SK_TREE_HASH - 1];
}

static void read_file(struct sk_slice file)
{
    uint64_t sum = 0;
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_journal_error error = {.text = ""};
    uint64_t end, torn;
    int r = sk_journal_read(&state, file, NULL, NULL, NULL, &end, &torn, &error);
    if (r < 0 || (r == 1 && !error.text[0]) || (r == 0 && (end > file.len || torn > file.len))) {
        abort();
    }
    (void)sk_journal_begins(file, look_at, &sum);
    sk_journal_state_free(&state);
}

static void read_groups(struct sk_slice input)
{
    static uint8_t file[FILE_MAX];
    const struct sk_frame_file header = {.number = 1};
    struct sk_frame_group group = {.file = 1};
    size_t at = SK_FRAME_BLOCK;
    memset(file, 0, sizeof(file));
    sk_frame_put_file(&header, file);
    while (input.len >= 4) {
        const uint8_t *p = (const uint8_t *)input.data;
        size_t len = (size_t)p[2] << 8 | p[3];
        struct sk_slice body = sk_slice_cut(sk_slice_from(input, 4), len);
        size_t size = sk_frame_group_size(body.len);
        if (size > sizeof(file) - at) {
            break;
        }
        group.kind = (enum sk_frame_group_kind)(p[0] % 5);
        group.count = p[1];
        group.body = (uint32_t)body.len;
        sk_frame_put_group(&group, (const uint8_t *)body.data, file + at);
        if (body.len) {
            memcpy(file + at + SK_FRAME_GROUP_HEADER, body.data, body.len);
        }
        memcpy(group.previous, group.hash, SK_FRAME_HASH);
        group.number++;
        at += size;
        input = sk_slice_from(input, 4 + len);
    }
    read_file(sk_slice(file, at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rest = sk_slice_from(sk_slice(data, size), 1);
    if (size && data[0] == 'R') {
        check_record(rest);
    } else if (size && data[0] == 'F') {
        read_file(rest);
    } else if (size && data[0] == 'G') {
        read_groups(rest);
    }
    return 0;
}
