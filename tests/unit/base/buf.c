/* gateway/base/buf.c: a queue that never holds more than its limit and never loses or repeats a byte. */
#include "base/buf.h"

#include <criterion/criterion.h>
#include <errno.h>

static bool holds(const struct sk_buf *buf, const char *text)
{
    return sk_slice_eq(sk_buf_peek(buf), sk_slice_str(text));
}

Test(base_buf, an_empty_queue_gives_the_null_slice)
{
    struct sk_buf buf = SK_BUF_INIT(10);
    cr_assert_null(sk_buf_peek(&buf).data);
    cr_assert_eq(sk_buf_peek(&buf).len, 0);
    cr_assert_eq(sk_buf_room(&buf), 10);
    sk_buf_free(&buf);
}

Test(base_buf, bytes_come_out_in_the_order_they_went_in)
{
    struct sk_buf buf = SK_BUF_INIT(100000);
    uint32_t seed = 1, put = 0, taken = 0;
    for (int turn = 0; turn < 20000; turn++) {
        seed = seed * 1664525U + 1013904223U;
        size_t more = (seed >> 16) % 97, less = (seed >> 8) % 101;
        uint8_t bytes[97];
        for (size_t i = 0; i < more; i++) {
            bytes[i] = (uint8_t)(put + i);
        }
        if (sk_buf_put(&buf, sk_slice(bytes, more)) == 0) {
            put += (uint32_t)more;
        }
        less = less < sk_buf_len(&buf) ? less : sk_buf_len(&buf);
        struct sk_slice front = sk_buf_peek(&buf);
        for (size_t i = 0; i < less; i++) {
            cr_assert_eq((uint8_t)front.data[i], (uint8_t)(taken + i));
        }
        sk_buf_take(&buf, less);
        taken += (uint32_t)less;
        cr_assert_eq(sk_buf_len(&buf), put - taken);
    }
    sk_buf_free(&buf);
}

Test(base_buf, the_limit_is_exact_and_a_put_is_all_or_nothing)
{
    struct sk_buf buf = SK_BUF_INIT(5);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("hell")), 0);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("oo")), -ENOBUFS);
    cr_assert(holds(&buf, "hell"));
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("o")), 0);
    cr_assert_eq(sk_buf_room(&buf), 0);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("")), 0);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("!")), -ENOBUFS);
    sk_buf_take(&buf, 1);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("!")), 0);
    cr_assert(holds(&buf, "ello!"));
    sk_buf_free(&buf);
}

Test(base_buf, a_limit_made_smaller_leaves_no_room)
{
    struct sk_buf buf = SK_BUF_INIT(5);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("hello")), 0);
    buf.limit = 3;
    cr_assert_eq(sk_buf_room(&buf), 0);
    cr_assert_null(sk_buf_reserve(&buf, 1));
    sk_buf_free(&buf);
}

Test(base_buf, a_length_that_overflows_is_refused)
{
    struct sk_buf buf = SK_BUF_INIT(SIZE_MAX);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("a")), 0);
    cr_assert_null(sk_buf_reserve(&buf, SIZE_MAX));
    sk_buf_free(&buf);
}

Test(base_buf, printf_puts_text_behind)
{
    struct sk_buf buf = SK_BUF_INIT(20000);
    cr_assert_eq(sk_buf_printf(&buf, "%s=%d", "a", 1), 0);
    cr_assert(holds(&buf, "a=1"));
    cr_assert_eq(sk_buf_printf(&buf, "%s", ""), 0);
    cr_assert_eq(sk_buf_printf(&buf, "%09000d", 7), 0);
    cr_assert_eq(sk_buf_len(&buf), 9003);
    sk_buf_free(&buf);
}

Test(base_buf, printf_fills_to_the_limit_and_puts_nothing_beyond)
{
    struct sk_buf buf = SK_BUF_INIT(5);
    cr_assert_eq(sk_buf_printf(&buf, "%s", "hello!"), -ENOBUFS);
    cr_assert_eq(sk_buf_len(&buf), 0);
    cr_assert_eq(sk_buf_printf(&buf, "%s", "hello"), 0);
    cr_assert(holds(&buf, "hello"));
    sk_buf_free(&buf);
}

Test(base_buf, a_queue_that_grew_gives_its_memory_back_when_it_runs_empty)
{
    struct sk_buf buf = SK_BUF_INIT(1 << 20);
    char *to = sk_buf_reserve(&buf, 100000);
    cr_assert_not_null(to);
    memset(to, 'x', 100000);
    sk_buf_commit(&buf, 100000);
    sk_buf_take(&buf, 100000);
    cr_assert_eq(buf.size, 0);
    cr_assert_eq(buf.limit, 1 << 20);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("again")), 0);
    cr_assert(holds(&buf, "again"));
    sk_buf_free(&buf);
}

Test(base_buf, what_is_reserved_but_not_committed_is_not_there)
{
    struct sk_buf buf = SK_BUF_INIT(100);
    cr_assert_eq(sk_buf_put(&buf, SK_LIT("a")), 0);
    char *to = sk_buf_reserve(&buf, 10);
    cr_assert_not_null(to);
    memset(to, 'x', 10);
    cr_assert(holds(&buf, "a"));
    sk_buf_commit(&buf, 2);
    cr_assert(holds(&buf, "axx"));
    sk_buf_free(&buf);
}

Test(base_buf, a_nearly_full_queue_makes_room_without_new_memory)
{
    struct sk_buf buf = SK_BUF_INIT(4096);
    char *to = sk_buf_reserve(&buf, 4096);
    cr_assert_not_null(to);
    memset(to, 'x', 4096);
    sk_buf_commit(&buf, 4096);
    const char *memory = buf.data;
    for (int i = 0; i < 5000; i++) {
        sk_buf_take(&buf, 1);
        cr_assert_eq(sk_buf_put(&buf, SK_LIT("y")), 0);
        cr_assert_eq(buf.data, memory);
    }
    cr_assert_eq(sk_buf_len(&buf), 4096);
    sk_buf_free(&buf);
}
