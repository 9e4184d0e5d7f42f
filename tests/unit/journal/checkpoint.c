/* gateway/journal/checkpoint.c: the text has one form, and the file's blocks survive whatever write was cut short. */
#include "journal/checkpoint.h"

#include "base/clock.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char example[] = "sekisho/00112233445566778899aabbccddeeff/0e000000000000000000000000000000/01000000000000000000000000000000\n"
                              "18446744073709551615\n"
                              "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
                              "time 2026-11-27T08:24:18.928Z\n"
                              "clock set 1500 us\n";

static int get(const char *text)
{
    struct sk_checkpoint checkpoint;
    return sk_checkpoint_get(sk_slice_str(text), &checkpoint);
}

Test(journal_checkpoint, is_read_as_it_is_written)
{
    struct sk_checkpoint c;
    struct sk_buf out = SK_BUF_INIT(SK_CHECKPOINT_TEXT);
    cr_assert_eq(sk_checkpoint_get(sk_slice_str(example), &c), 0);
    cr_expect_eq(c.node[1], 0x11);
    cr_expect_eq(c.epoch[0], 14);
    cr_expect_eq(c.tenant[0], 1);
    cr_expect_eq(c.size, UINT64_MAX);
    cr_expect_eq(c.root[31], 31);
    cr_expect_eq(c.wall % SK_SECOND, 928 * SK_MILLISECOND);
    cr_expect(c.clock_set);
    cr_expect_eq(c.clock_error, 1500);
    cr_assert_eq(sk_checkpoint_put(&c, &out), 0);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), sk_slice_str(example)));
    sk_buf_free(&out);
}

Test(journal_checkpoint, has_one_form)
{
    static const char *const others[][2] = {{"sekisho/", "Sekisho/"}, {"sekisho/", "sekisho/0"}, {"aabb", "AABB"}, {"eeff/", "eeff"}, {"eeff/", "eeff//"}, {"/01", "0/1"}, {"0000\n", "0000/\n"}, {"0000\n", "0000/01000000000000000000000000000000\n"},
            {"\n18446744073709551615\n", "\n18446744073709551616\n"}, {"\n18446744073709551615\n", "\n01\n"}, {"\n18446744073709551615\n", "\n\n"},
            {"\n18446744073709551615\n", "\n+1\n"}, {"Hh8=\n", "Hh8\n"}, {"Hh8=\n", "Hh9=\n"}, {"Hh8=\n", "HQ==\n"}, {"AAECAwQF", "AAECAwQ"}, {"time ", "time  "}, {"time ", "Time "},
            {"18.928Z", "18.9280Z"}, {"18.928Z", "18.92Z"}, {"18.928Z", "18Z"}, {"18.928Z", "18.928+00:00"}, {"clock set", "clock sets"}, {"clock set", "clock  set"},
            {" us\n", " us"}, {" us\n", " us \n"}, {" us\n", " us\nmore\n"}, {" us\n", "\n"}, {"1500", "01500"}, {"1500", "-1500"}, {"1500", "18446744073709551615"}, {"1500", "18446744073709551616"}, {"set 1500 us", "unknown "}, {"set 1500 us", "unknown 1500 us"}, {"set 1500 us", "set"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char text[600];
        const char *at = strstr(example, others[i][0]);
        cr_assert_not_null(at, "%s", others[i][0]);
        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - example), example, others[i][1], at + strlen(others[i][0]));
        cr_expect_eq(get(text), 1, "%s", text);
    }
    for (size_t len = 0; len < sizeof(example) - 1; len++) {
        struct sk_checkpoint c;
        cr_expect_eq(sk_checkpoint_get(sk_slice(example, len), &c), 1);
    }
    char free_text[sizeof(example) + 1];
    const char *at = strstr(example, "set");
    (void)snprintf(free_text, sizeof(free_text), "%.*sfree%s", (int)(at - example), example, at + 3);
    cr_expect_eq(get(free_text), 0);
    (void)snprintf(free_text, sizeof(free_text), "%.*sunknown\n", (int)(at - example), example);
    struct sk_checkpoint c;
    cr_assert_eq(sk_checkpoint_get(sk_slice_str(free_text), &c), 0, "who is refused by the kernel does not claim to be right");
    cr_expect_eq(c.clock_error, UINT64_MAX);
}

Test(journal_checkpoint, an_origin_names_node_epoch_and_tenant)
{
    const struct sk_checkpoint c = {.node = {0xab}, .epoch = {0xcd}, .tenant = {1}};
    char out[SK_CHECKPOINT_ORIGIN];
    cr_expect_eq(sk_checkpoint_node(c.node, out), 40);
    cr_expect_str_eq(out, "sekisho/ab000000000000000000000000000000");
    cr_expect_eq(sk_checkpoint_origin(&c, out), 106);
    cr_expect_str_eq(out, "sekisho/ab000000000000000000000000000000/cd000000000000000000000000000000/01000000000000000000000000000000");
}

/* ---- the file ---- */

static void put(uint8_t block[SK_CHECKPOINTS_BLOCK], uint64_t turn)
{
    struct sk_checkpoint_half half = {.turn = turn, .note = turn % 2 ? SK_LIT("first\n") : SK_LIT("second\n"), .peaks = SK_LIT("0123456789abcdef0123456789abcdef")};
    sk_checkpoints_put(&half, block + (turn + 1) % 2 * SK_CHECKPOINTS_HALF);
}

Test(journal_checkpoint, the_newest_whole_half_counts)
{
    uint8_t block[SK_CHECKPOINTS_BLOCK] = {0};
    struct sk_checkpoint_half half;
    cr_expect_eq(sk_checkpoints_get(block, &half), 2, "nothing stands there");
    for (uint64_t turn = 1; turn < 6; turn++) {
        put(block, turn);
        cr_assert_eq(sk_checkpoints_get(block, &half), 0);
        cr_expect_eq(half.turn, turn);
        cr_expect(sk_slice_eq(half.note, turn % 2 ? SK_LIT("first\n") : SK_LIT("second\n")));
        cr_expect_eq(half.peaks.len, 32);
    }
}

/* However much of the next half had been written when the machine ended, one is whole. */
Test(journal_checkpoint, a_torn_write_leaves_the_half_before)
{
    uint8_t before[SK_CHECKPOINTS_BLOCK] = {0}, after[SK_CHECKPOINTS_BLOCK], block[SK_CHECKPOINTS_BLOCK];
    struct sk_checkpoint_half half;
    for (uint64_t turn = 1; turn < 4; turn++) {
        memcpy(after, before, sizeof(after));
        put(after, turn);
        size_t at = (turn + 1) % 2 * SK_CHECKPOINTS_HALF;
        for (size_t len = 0; len < SK_CHECKPOINTS_HALF; len += 7) {
            memcpy(block, before, sizeof(block));
            memcpy(block + at, after + at, len);
            int r = sk_checkpoints_get(block, &half);
            cr_assert_eq(r, turn == 1 ? 2 : 0, "turn %d, %zu bytes: %d", (int)turn, len, r);
            cr_assert(turn == 1 || half.turn == turn - 1);
        }
        memcpy(before, after, sizeof(before));
    }
}

Test(journal_checkpoint, any_bit_of_a_half_counts)
{
    uint8_t block[SK_CHECKPOINTS_BLOCK] = {0};
    struct sk_checkpoint_half half;
    put(block, 1);
    put(block, 2);
    for (size_t i = 0; i < SK_CHECKPOINTS_HALF * 8; i += i < 6500 ? 1 : 61) {
        block[SK_CHECKPOINTS_HALF + i / 8] ^= (uint8_t)(1U << i % 8);
        cr_assert_eq(sk_checkpoints_get(block, &half), 0);
        cr_assert_eq(half.turn, 1, "bit %zu", i);
        block[i / 8] ^= (uint8_t)(1U << i % 8);
        cr_assert_eq(sk_checkpoints_get(block, &half), 1, "bit %zu", i);
        block[i / 8] ^= (uint8_t)(1U << i % 8);
        block[SK_CHECKPOINTS_HALF + i / 8] ^= (uint8_t)(1U << i % 8);
    }
}

Test(journal_checkpoint, a_header_is_whole_or_none)
{
    uint8_t block[SK_CHECKPOINTS_HEADER], node[SK_ID_SIZE] = {9}, epoch[SK_ID_SIZE] = {8}, read[2][SK_ID_SIZE];
    sk_checkpoints_put_header(node, epoch, block);
    cr_assert_eq(sk_checkpoints_get_header(block, read[0], read[1]), 0);
    cr_expect_arr_eq(read[0], node, SK_ID_SIZE);
    cr_expect_arr_eq(read[1], epoch, SK_ID_SIZE);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= 1;
        cr_assert_eq(sk_checkpoints_get_header(block, read[0], read[1]), 1, "byte %zu", i);
        block[i] ^= 1;
    }
}
