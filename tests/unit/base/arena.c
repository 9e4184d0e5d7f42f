/* gateway/base/arena.c: the bound holds, and running out fails this arena until its reset, nothing else. */
#include "sekisho/arena.h"

#include <criterion/criterion.h>

Test(base_arena, what_it_gives_is_aligned_and_does_not_overlap)
{
    struct sk_arena arena;
    uint8_t *given[400];
    sk_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < SK_COUNT(given); i++) {
        given[i] = sk_arena_alloc(&arena, i + 1);
        cr_assert_not_null(given[i]);
        cr_assert_eq((uintptr_t)given[i] % _Alignof(max_align_t), 0);
        memset(given[i], (int)(i & 0xff), i + 1);
    }
    for (size_t i = 0; i < SK_COUNT(given); i++) {
        for (size_t j = 0; j <= i; j++) {
            cr_assert_eq(given[i][j], i & 0xff);
        }
    }
    sk_arena_free(&arena);
}

Test(base_arena, it_gives_exactly_its_limit)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 64);
    cr_assert_not_null(sk_arena_alloc(&arena, 48));
    cr_assert_not_null(sk_arena_alloc(&arena, 16));
    cr_assert_not(arena.failed);
    cr_assert_null(sk_arena_alloc(&arena, 1));
    sk_arena_free(&arena);
}

Test(base_arena, after_running_out_all_later_calls_fail_until_the_reset)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 64);
    cr_assert_null(sk_arena_alloc(&arena, 65));
    cr_assert(arena.failed);
    cr_assert_null(sk_arena_alloc(&arena, 1));
    cr_assert_null(sk_arena_zalloc(&arena, 1));
    cr_assert_null(sk_arena_copy(&arena, SK_LIT("a")).data);
    cr_assert_null(sk_arena_printf(&arena, "%d", 1).data);
    sk_arena_reset(&arena);
    cr_assert_not(arena.failed);
    cr_assert_not_null(sk_arena_alloc(&arena, 64));
    sk_arena_free(&arena);
}

Test(base_arena, a_size_that_overflows_is_refused)
{
    struct sk_arena arena;
    sk_arena_init(&arena, SIZE_MAX);
    cr_assert_null(sk_arena_alloc(&arena, SIZE_MAX));
    sk_arena_reset(&arena);
    cr_assert_null(sk_arena_alloc(&arena, SIZE_MAX - 14));
    sk_arena_free(&arena);
}

Test(base_arena, an_allocation_larger_than_a_block_is_given_whole)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 1 << 20);
    uint8_t *small = sk_arena_zalloc(&arena, 100);
    uint8_t *large = sk_arena_zalloc(&arena, 100000);
    uint8_t *next = sk_arena_zalloc(&arena, 100);
    cr_assert(small && large && next);
    memset(large, 0xff, 100000);
    for (size_t i = 0; i < 100; i++) {
        cr_assert_eq(small[i] | next[i], 0);
    }
    sk_arena_free(&arena);
}

Test(base_arena, zalloc_gives_zeros_where_an_earlier_request_wrote)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 4096);
    memset(sk_arena_zalloc(&arena, 4096), 0xff, 4096);
    sk_arena_reset(&arena);
    uint8_t *again = sk_arena_zalloc(&arena, 4096);
    for (size_t i = 0; i < 4096; i++) {
        cr_assert_eq(again[i], 0);
    }
    sk_arena_free(&arena);
}

Test(base_arena, a_copy_ends_in_nul_and_is_its_own)
{
    struct sk_arena arena;
    char text[] = "a\0b";
    sk_arena_init(&arena, 4096);
    struct sk_slice copy = sk_arena_copy(&arena, sk_slice(text, 3));
    text[0] = 'x';
    cr_assert(sk_slice_eq(copy, SK_LIT("a\0b")));
    cr_assert_eq(copy.data[3], '\0');
    struct sk_slice empty = sk_arena_copy(&arena, SK_SLICE_NULL);
    cr_assert_not_null(empty.data);
    cr_assert_eq(empty.len, 0);
    cr_assert_eq(empty.data[0], '\0');
    sk_arena_free(&arena);
}

Test(base_arena, printf_gives_the_whole_text)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 16384);
    struct sk_slice text = sk_arena_printf(&arena, "%s-%09000d", "a", 7);
    cr_assert_eq(text.len, 9002);
    cr_assert_eq(text.data[9001], '7');
    cr_assert_eq(text.data[9002], '\0');
    sk_arena_free(&arena);
}

Test(base_arena, it_can_be_freed_twice_and_used_again)
{
    struct sk_arena arena;
    sk_arena_init(&arena, 112);
    cr_assert_not_null(sk_arena_alloc(&arena, 10));
    sk_arena_free(&arena);
    sk_arena_free(&arena);
    cr_assert_not_null(sk_arena_alloc(&arena, 100));
    sk_arena_free(&arena);
}
