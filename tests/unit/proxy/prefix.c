/* gateway/proxy/prefix.c: a balancer's header says one address, and whatever is not exactly one is refused as soon as that is known. */
#include "proxy/prefix.h"

#include <criterion/criterion.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 SK_LIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\2\x12\x34\1\xbb")
#define V6 SK_LIT(SIGNATURE "\x21\x21\0\x24" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "0123456789abcdef" "\x12\x34\1\xbb")
#define MAPPED SK_LIT(SIGNATURE "\x21\x21\0\x24" "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7" "0123456789abcdef" "\x12\x34\1\xbb")

static int read_it(struct sk_slice header, char text[SK_ADDR_TEXT])
{
    struct sk_addr address = {.family = SK_FAMILY_NONE};
    int r = sk_prefix_read(header, &address);
    (void)sk_addr_text_port(&address, text);
    return r;
}

Test(proxy_prefix, says_the_client_s_address)
{
    char text[SK_ADDR_TEXT];
    cr_assert_eq(read_it(V4, text), 0);
    cr_expect_str_eq(text, "192.0.2.7:4660");
    cr_assert_eq(read_it(V6, text), 0);
    cr_expect_str_eq(text, "[2001:db8::1]:4660");
    cr_assert_eq(read_it(MAPPED, text), 0);
    cr_expect_str_eq(text, "192.0.2.7:4660");
}

Test(proxy_prefix, of_the_balancer_itself_changes_nothing)
{
    struct sk_addr address = {.family = SK_FAMILY_V4, .bytes = {1, 2, 3, 4}, .port = 5};
    cr_assert_eq(sk_prefix_read(SK_LIT(SIGNATURE "\x20\0\0\0"), &address), 0);
    cr_assert_eq(sk_prefix_read(SK_LIT(SIGNATURE "\x20\x11\0\x0c\xc0\0\2\7\x7f\0\0\2\x12\x34\1\xbb"), &address), 0);
    cr_expect(address.bytes[0] == 1 && address.port == 5);
}

Test(proxy_prefix, its_size_is_known_from_its_first_sixteen_bytes)
{
    for (size_t len = 0; len < V4.len; len++) {
        cr_expect_eq(sk_prefix_size(sk_slice_cut(V4, len)), len < 16 ? 16 : 28, "%zu bytes", len);
    }
    cr_expect_gt(sk_prefix_size(SK_LIT("G")), SK_PREFIX_MAX, "not a byte more is waited for");
    cr_expect_gt(sk_prefix_size(SK_LIT("\r\n\r\n\1")), SK_PREFIX_MAX);
    cr_expect_gt(sk_prefix_size(SK_LIT(SIGNATURE "\x21\x11\xff\xff")), SK_PREFIX_MAX, "nobody has so much to say");
}

Test(proxy_prefix, that_is_not_exactly_one_is_none)
{
    static const struct sk_slice bad[] = {{"", 0}, {SIGNATURE, 12}, {SIGNATURE "\x21\x11\0\x0b" "01234567890", 27}, {SIGNATURE "\x11\x11\0\x0c" "012345678901", 28},
            {SIGNATURE "\x22\x11\0\x0c" "012345678901", 28}, {SIGNATURE "\x21\x12\0\x0c" "012345678901", 28}, {SIGNATURE "\x21\0\0\0", 16},
            {SIGNATURE "\x21\x21\0\x23" "0123456789abcdef0123456789abcdef012", 51}, {SIGNATURE "\x21\x31\0\x0c" "012345678901", 28}};
    char text[SK_ADDR_TEXT];
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(read_it(bad[i], text), 1, "%zu", i);
    }
    for (size_t len = 0; len < V4.len; len++) {
        cr_expect_eq(read_it(sk_slice_cut(V4, len), text), 1, "cut at %zu", len);
    }
    cr_expect_eq(read_it(SK_LIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\2\x12\x34\1\xbb!"), text), 1, "a byte too many");
}
