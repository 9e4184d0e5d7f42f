/* gateway/audit/writer.c and the reader against journals that were cut, overwritten or changed between two
 * starts. */
#include "trail.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* One file; the last group has several blocks, the one before it too. */
static void make(struct trail *t, size_t *start, size_t *end, uint8_t **bytes, size_t *len)
{
    trail_init(t, &trail_quick, 4 * TRAIL_FILE);
    cr_assert_eq(trail_open(t), 0);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 19; j++) {
            cr_assert_eq(trail_add_long(t, 450), 0);
        }
        cr_assert_eq(trail_commit(t), 0);
    }
    trail_kill(t);
    *bytes = trail_load(t, 1, len);
    trail_last_group(*bytes, *len, start, end);
    cr_assert_gt(*end - *start, 2 * SK_FRAME_BLOCK);
}

/* The last group is not whole: it was never acknowledged. */
static void not_acked_from(struct trail *t, uint32_t record)
{
    for (uint32_t i = record; i < TRAIL_RECORDS; i++) {
        t->acked[i] = false;
    }
}

/* Starts on `changed`, whose last group begins at `start`, goes on, and finds all of the first two groups. */
static void goes_on(struct trail *t, const uint8_t *changed, size_t len, size_t start, long at)
{
    struct trail next = *t;
    size_t torn = len;
    while (torn > start && changed[torn - 1] == 0) {
        torn--;
    }
    torn -= start;
    trail_store(&next, 1, changed, len);
    cr_assert_eq(trail_open(&next), 0, "at %ld: %s", at, next.found.error.text);
    cr_assert_eq(next.found.torn, torn, "at %ld: %zu bytes, not %zu", at, (size_t)next.found.torn, torn);
    cr_assert_eq(next.found.records, 38, "at %ld", at);
    cr_assert_eq(trail_add(&next, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&next), 0);
    trail_check(&next, "at", at);
    for (uint32_t i = 39; i <= 57; i++) {
        cr_assert_eq(next.seen[i], 0, "at %ld: half a group counts as none", at);
    }
    cr_assert_eq(next.seen[58], 1);
    cr_assert_eq(next.files, torn ? 2 : 1, "at %ld: a torn file is left as it is", at);
    trail_kill(&next);
    cr_assert_eq(trail_open(&next), 0, "at %ld: %s", at, next.found.error.text);
    cr_assert_eq(next.found.torn, 0, "it is told once");
    trail_kill(&next);
    char name[40];
    sk_journal_file_name(2, name);
    (void)unlinkat(next.set.folder, name, 0);
    (void)unlinkat(next.set.folder, "head", 0);
}

Test(audit_tamper, a_torn_end_of_any_length_is_dropped_and_told)
{
    struct trail t;
    uint8_t *bytes;
    size_t len, start, end;
    make(&t, &start, &end, &bytes, &len);
    not_acked_from(&t, 39);
    uint8_t *changed = malloc(len);
    struct sk_frame_group group;
    cr_assert(changed && sk_frame_get_group(bytes + start, &group) == 0);
    size_t used = start + SK_FRAME_GROUP_HEADER + group.body;
    for (size_t at = start; at < used; at += 512) {
        memcpy(changed, bytes, len);
        memset(changed + at, 0, end - at);
        goes_on(&t, changed, len, start, (long)at);
        memcpy(changed, bytes, len);
        memset(changed + at, 0xa5, end - at);
        goes_on(&t, changed, len, start, (long)at);
        memcpy(changed, bytes, len); /* one sector alone did not come */
        memset(changed + at, 0, at + 512 < end ? 512 : end - at);
        goes_on(&t, changed, len, start, (long)at);
        memset(changed + start, 0, end - start); /* one sector alone came */
        memcpy(changed + at, bytes + at, 512);
        goes_on(&t, changed, len, start, (long)at);
    }
    free(changed);
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, a_file_cut_short_in_its_last_group_is_a_torn_end)
{
    struct trail t;
    uint8_t *bytes;
    size_t len, start, end;
    make(&t, &start, &end, &bytes, &len);
    not_acked_from(&t, 39);
    for (size_t at = start; at < end - SK_FRAME_BLOCK; at += 512) {
        goes_on(&t, bytes, at, start, (long)at);
    }
    free(bytes);
    trail_free(&t);
}

/* A file gets its name when its first group is on disk: without that group it is damaged, and no torn end. */
Test(audit_tamper, a_file_without_a_sound_first_group_is_damaged)
{
    struct trail t;
    size_t len;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    while (trail_last(&t) < 3) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_kill(&t);
    uint64_t last = trail_last(&t);
    uint8_t *bytes = trail_load(&t, last, &len);
    size_t start, end;
    trail_last_group(bytes, len, &start, &end);
    cr_assert_eq(start, SK_FRAME_BLOCK, "nothing but the snapshot");
    for (size_t at = start; at < start + SK_FRAME_GROUP_HEADER + 3 * SK_FRAME_ENTRY; at += 5) {
        bytes[at] ^= 1;
        trail_store(&t, last, bytes, len);
        cr_assert_eq(trail_read(&t), 1, "byte %zu", at);
        cr_assert_eq(trail_open(&t), 1, "byte %zu: every tenant would begin anew", at);
        bytes[at] ^= 1;
    }
    memset(bytes + start, 0, end - start);
    trail_store(&t, last, bytes, len);
    cr_assert_eq(trail_open(&t), 1, "all zeros");
    trail_store(&t, last, bytes, SK_FRAME_BLOCK);
    cr_assert_eq(trail_open(&t), 1, "nothing behind the header");
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, damage_before_a_sound_group_is_refused_with_its_place)
{
    struct trail t;
    uint8_t *bytes;
    size_t len, start, end;
    make(&t, &start, &end, &bytes, &len);
    struct sk_frame_group group;
    size_t second = SK_FRAME_BLOCK;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sk_frame_get_group(bytes + second, &group), 0);
        second += sk_frame_group_size(group.body);
    }
    cr_assert_lt(second, start);
    for (size_t at = second; at < start; at += 512) {
        bytes[at] ^= 0x40;
        trail_store(&t, 1, bytes, len);
        cr_assert_eq(trail_open(&t), 1, "byte %zu", at);
        cr_assert_eq(t.found.error.offset, second, "byte %zu: said to be at %lu", at,
                (unsigned long)t.found.error.offset);
        cr_assert_str_eq(t.found.file, "journal-0000000000000001.skj");
        bytes[at] ^= 0x40;
    }
    memset(bytes + second, 0, start - second);
    trail_store(&t, 1, bytes, len);
    cr_assert_eq(trail_open(&t), 1, "a group wiped out");
    free(bytes);
    trail_free(&t);
}

/* In another file than the last one nothing is a torn end. */
Test(audit_tamper, a_torn_group_before_the_next_file_is_damage)
{
    struct trail t;
    size_t len, start, end;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    while (trail_last(&t) < 3) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_kill(&t);
    uint8_t *bytes = trail_load(&t, 2, &len);
    trail_last_group(bytes, len, &start, &end);
    memset(bytes + start, 0, end - start);
    trail_store(&t, 2, bytes, len);
    cr_assert_eq(trail_read(&t), 1);
    cr_assert_eq(t.error.offset, start);
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, no_byte_can_be_changed_unseen, .timeout = 280)
{
    struct trail t;
    trail_init(&t, &trail_quick, (size_t)32 << 10);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 9; i++) {
        cr_assert_eq(trail_add(&t, i % 3 ? SK_AUDIT_STAGE_SINGLE : SK_AUDIT_STAGE_INTENT, 0), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_kill(&t);
    uint64_t last = trail_last(&t);
    cr_assert_geq(last, 2);
    for (uint64_t number = 1; number <= last; number++) {
        size_t len, start, end, step = 0;
        uint8_t *bytes = trail_load(&t, number, &len);
        trail_last_group(bytes, len, &start, &end);
        for (size_t at = 0; at < end; at += step) {
            bytes[at] ^= (uint8_t)(1 << at % 8);
            trail_store(&t, number, bytes, len);
            int r = trail_read(&t);
            bool told = number == last && at >= start && r == 0 &&
                        t.torn > 0; /* cannot be told from a torn end */
            cr_assert(r == 1 || told, "file %lu, byte %zu: %d", (unsigned long)number, at, r);
            bytes[at] ^= (uint8_t)(1 << at % 8);
            step = bytes[at] ? 1 : 13; /* zeros behind a group by samples */
        }
        trail_store(&t, number, bytes, len);
        free(bytes);
    }
    cr_assert_eq(trail_read(&t), 0);
    trail_free(&t);
}

/* What `head` names was acknowledged: its loss is no torn end. */
Test(audit_tamper, the_end_that_head_names_cannot_be_lost_unseen)
{
    struct trail t;
    uint8_t *bytes;
    size_t len, start, end;
    trail_init(&t, &trail_quick, 4 * TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    cr_assert_eq(sk_writer_note(t.writer), 0);
    trail_kill(&t);
    bytes = trail_load(&t, 1, &len);
    trail_last_group(bytes, len, &start, &end);
    for (size_t at = start; at < start + SK_FRAME_GROUP_HEADER + 100; at += 7) {
        bytes[at] ^= 1;
        trail_store(&t, 1, bytes, len);
        cr_assert_eq(trail_open(&t), 1, "byte %zu", at);
        cr_assert_eq(t.found.error.offset, start);
        cr_assert_eq(t.found.error.group, 3);
        bytes[at] ^= 1;
    }
    memset(bytes + start, 0, end - start);
    trail_store(&t, 1, bytes, len);
    cr_assert_eq(trail_open(&t), 1, "wiped out");
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, what_came_after_head_may_be_torn)
{
    struct trail t;
    uint8_t *bytes;
    size_t len, start, end;
    trail_init(&t, &trail_quick, 4 * TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
        cr_assert_eq(i == 1 ? sk_writer_note(t.writer) : 0, 0);
    }
    trail_kill(&t);
    bytes = trail_load(&t, 1, &len);
    trail_last_group(bytes, len, &start, &end);
    bytes[start + 200] ^= 1;
    trail_store(&t, 1, bytes, len);
    cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
    cr_assert_gt(t.found.torn, 0);
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, a_head_of_an_older_program_or_none_is_no_damage)
{
    static const char *const heads[] = {"0000000000000001\n", "", "0000000000000001 zzzzzzzzzzzzzzzz\n"};
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    cr_assert_eq(trail_add_long(&t, 450), 0);
    cr_assert_eq(trail_commit(&t), 0);
    trail_kill(&t);
    for (size_t i = 0; i < SK_COUNT(heads); i++) {
        int fd = openat(t.set.folder, "head", O_WRONLY | O_TRUNC | O_CLOEXEC);
        cr_assert(fd >= 0 && write(fd, heads[i], strlen(heads[i])) == (ssize_t)strlen(heads[i]) && close(fd) == 0);
        cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
        trail_kill(&t);
    }
    trail_free(&t);
}

/* What an older turn of the same blocks left behind the end says another file number: it is no group of this
 * file. */
Test(audit_tamper, stale_groups_of_a_recycled_file_are_no_records)
{
    struct trail t;
    size_t len, other_len, start, end;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    while (trail_last(&t) < 2) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_kill(&t);
    uint8_t *old = trail_load(&t, 1, &other_len), *bytes = trail_load(&t, 2, &len);
    trail_last_group(bytes, len, &start, &end);
    memcpy(bytes + end, old + end, len - end);
    trail_store(&t, 2, bytes, len);
    trail_check(&t, "stale", 0);
    cr_assert_eq(trail_open(&t), 0, "%s", t.found.error.text);
    cr_assert_gt(t.found.torn, 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check(&t, "stale", 1);
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0);
    free(old);
    free(bytes);
    trail_free(&t);
}

Test(audit_tamper, whole_groups_cannot_be_left_out_repeated_or_swapped)
{
    struct trail t;
    size_t len, at[8], count = 0;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_kill(&t);
    uint8_t *bytes = trail_load(&t, 1, &len), *changed = malloc(len);
    struct sk_frame_group group;
    for (size_t p = SK_FRAME_BLOCK; count < 7 && sk_frame_get_group(bytes + p, &group) == 0;
            p += sk_frame_group_size(group.body)) {
        at[count++] = p;
    }
    cr_assert(changed && count == 7);
    for (size_t i = 1; i < 6; i++) {
        memcpy(changed, bytes, len); /* left out */
        memmove(changed + at[i], changed + at[i + 1], len - at[i + 1]);
        trail_store(&t, 1, changed, len);
        cr_assert_eq(trail_open(&t), 1, "group %zu left out", i);
        cr_assert_eq(t.found.error.offset, at[i]);
        memcpy(changed, bytes, len); /* repeated in the next one's place */
        memcpy(changed + at[i + 1], bytes + at[i], SK_FRAME_BLOCK);
        trail_store(&t, 1, changed, len);
        cr_assert_eq(trail_open(&t), 1, "group %zu repeated", i);
        memcpy(changed, bytes, len);
        memcpy(changed + at[i], bytes + at[i + 1], SK_FRAME_BLOCK);
        memcpy(changed + at[i + 1], bytes + at[i], SK_FRAME_BLOCK);
        trail_store(&t, 1, changed, len);
        cr_assert_eq(trail_open(&t), 1, "groups %zu swapped", i);
    }
    free(changed);
    free(bytes);
    trail_free(&t);
}
