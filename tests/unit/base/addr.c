/* gateway/base/addr.c: one form for one address, and prefixes that cover what they say and nothing else. */
#include "base/addr.h"

#include <criterion/criterion.h>

static struct sk_addr parsed(const char *text)
{
    struct sk_addr addr;
    cr_assert_eq(sk_addr_parse(sk_slice_str(text), &addr), 0, "%s", text);
    return addr;
}

static struct sk_cidr prefix(const char *text)
{
    struct sk_cidr cidr;
    cr_assert_eq(sk_cidr_parse(sk_slice_str(text), &cidr), 0, "%s", text);
    return cidr;
}

static bool covers(const char *cidr_text, const char *addr_text)
{
    struct sk_cidr cidr = prefix(cidr_text);
    struct sk_addr addr = parsed(addr_text);
    return sk_cidr_covers(&cidr, &addr);
}

static bool same(const struct sk_addr *a, const struct sk_addr *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

Test(base_addr, a_mapped_address_is_its_ipv4_address)
{
    struct sk_addr plain = parsed("192.0.2.1");
    static const char *const spellings[] = {
            "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:c000:0201", "0000:0000:0000:0000:0000:ffff:192.0.2.1"};
    for (size_t i = 0; i < SK_COUNT(spellings); i++) {
        struct sk_addr mapped = parsed(spellings[i]);
        cr_expect(same(&plain, &mapped), "%s", spellings[i]);
    }
}

Test(base_addr, an_ipv4_compatible_address_stays_ipv6)
{
    struct sk_addr addr = parsed("::192.0.2.1");
    cr_assert_eq(addr.family, SK_FAMILY_V6);
}

Test(base_addr, what_is_not_an_address_is_refused)
{
    static const char *const bad[] = {"", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "0x1.2.3.4", "1.2.3.4 ",
            " 1.2.3.4", "-1.2.3.4", "1.2.3.4/32", "1.2.3.4:80", ":", ":::", "1::2::3", "::1%eth0", "fe80::1%2", "[::1]", "12345::",
            "::ffff:1.2.3", "::ffff:1.2.3.456", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "localhost",
            "0000:0000:0000:0000:0000:ffff:192.168.100.1000"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        struct sk_addr addr;
        cr_expect_eq(sk_addr_parse(sk_slice_str(bad[i]), &addr), 1, "%s", bad[i]);
    }
}

Test(base_addr, text_behind_a_nul_byte_is_refused)
{
    struct sk_addr addr;
    cr_assert_eq(sk_addr_parse(SK_LIT("10.0.0.1\0evil"), &addr), 1);
    cr_assert_eq(sk_addr_parse(SK_LIT("10.0.0.1\0"), &addr), 1);
    cr_assert_eq(sk_addr_parse(SK_SLICE_NULL, &addr), 1);
}

Test(base_addr, a_slice_is_read_to_its_end_only)
{
    struct sk_addr addr;
    cr_assert_eq(sk_addr_parse(sk_slice("10.0.0.123", 8), &addr), 0);
    cr_assert_eq(addr.bytes[3], 1);
}

Test(base_addr, an_address_with_port_needs_brackets_for_ipv6_and_none_for_ipv4)
{
    struct sk_addr addr;
    cr_assert_eq(sk_addr_parse_port(SK_LIT("192.0.2.1:443"), &addr), 0);
    cr_assert_eq(addr.port, 443);
    cr_assert_eq(addr.family, SK_FAMILY_V4);
    cr_assert_eq(sk_addr_parse_port(SK_LIT("[2001:db8::1]:65535"), &addr), 0);
    cr_assert_eq(addr.port, 65535);
    cr_assert_eq(addr.family, SK_FAMILY_V6);
    cr_assert_eq(sk_addr_parse_port(SK_LIT("[::ffff:192.0.2.1]:1"), &addr), 0);
    cr_assert_eq(addr.family, SK_FAMILY_V4);
    static const char *const bad[] = {"", ":", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:+1",
            "192.0.2.1: 1", "192.0.2.1:99999999999999999999", "[192.0.2.1]:80", "2001:db8::1:80", "::1", "[::1]", "[::1]:", "[]:80",
            "[:80", "]:80", "[::1]]:80", "[[::1]:80", "[::1:80", "::1]:80", "[::1]80", "[::1] :80"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(sk_addr_parse_port(sk_slice_str(bad[i]), &addr), 1, "%s", bad[i]);
    }
}

Test(base_addr, a_prefix_covers_its_first_and_last_address_and_not_their_neighbours)
{
    cr_expect(covers("10.1.2.0/23", "10.1.2.0"));
    cr_expect(covers("10.1.2.0/23", "10.1.3.255"));
    cr_expect_not(covers("10.1.2.0/23", "10.1.1.255"));
    cr_expect_not(covers("10.1.2.0/23", "10.1.4.0"));
    cr_expect(covers("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"));
    cr_expect_not(covers("2001:db8::/33", "2001:db8:8000::"));
    cr_expect_not(covers("2001:db8::/33", "2001:db7:ffff::"));
}

Test(base_addr, every_prefix_length_decides_at_its_own_bit)
{
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct sk_cidr cidr = {.addr = {.family = SK_FAMILY_V6}, .bits = (uint8_t)bits};
        for (unsigned bit = 0; bit < 128; bit++) {
            struct sk_addr addr = {.family = SK_FAMILY_V6};
            addr.bytes[bit / 8] = (uint8_t)(0x80U >> (bit % 8));
            cr_expect_eq(sk_cidr_covers(&cidr, &addr), bit >= bits, "/%u, bit %u", bits, bit);
        }
    }
}

Test(base_addr, an_address_alone_is_a_prefix_of_itself)
{
    cr_expect(covers("192.0.2.7", "192.0.2.7"));
    cr_expect_not(covers("192.0.2.7", "192.0.2.6"));
    cr_expect(covers("2001:db8::7", "2001:db8::7"));
    cr_expect_not(covers("2001:db8::7", "2001:db8::6"));
}

Test(base_addr, all_of_ipv6_never_covers_ipv4_and_the_other_way_round)
{
    cr_expect_not(covers("::/0", "192.0.2.1"));
    cr_expect_not(covers("::/0", "::ffff:192.0.2.1"));
    cr_expect_not(covers("0.0.0.0/0", "2001:db8::1"));
    cr_expect_not(covers("0.0.0.0/0", "::"));
    cr_expect(covers("::/0", "::"));
    cr_expect(covers("0.0.0.0/0", "255.255.255.255"));
}

Test(base_addr, a_mapped_prefix_is_its_ipv4_prefix)
{
    cr_expect(covers("::ffff:10.0.0.0/104", "10.255.0.1"));
    cr_expect_not(covers("::ffff:10.0.0.0/104", "11.0.0.1"));
    cr_expect(covers("::ffff:0.0.0.0/96", "203.0.113.9"));
    cr_expect(covers("::ffff:10.0.0.1", "10.0.0.1"));
    struct sk_cidr cidr;
    cr_expect_eq(sk_cidr_parse(SK_LIT("::ffff:0.0.0.0/95"), &cidr), 1);
    cr_expect_eq(sk_cidr_parse(SK_LIT("::ffff:10.0.0.0/8"), &cidr), 1);
}

Test(base_addr, a_prefix_with_loose_bits_or_a_bad_length_is_refused)
{
    static const char *const bad[] = {"10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/8/8", "/8", "",
            "10.0.0.0/255.0.0.0", "10.0.0.0/256", "10.0.0.0/18446744073709551624", "2001:db8::1/64", "::/129", "2001:db8::/-0",
            "128.0.0.0/0"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        struct sk_cidr cidr;
        cr_expect_eq(sk_cidr_parse(sk_slice_str(bad[i]), &cidr), 1, "%s", bad[i]);
    }
}

/* Closed by default: neither side is an address, so there is nothing that could be covered. */
Test(base_addr, an_unset_prefix_covers_no_unset_address)
{
    struct sk_cidr cidr = {.bits = 0};
    struct sk_addr none = {.family = SK_FAMILY_NONE};
    cr_assert_not(sk_cidr_covers(&cidr, &none));
}

Test(base_addr, a_socket_address_makes_the_round_trip)
{
    static const char *const texts[] = {"192.0.2.1:443", "[2001:db8::1]:8443", "0.0.0.0:0", "[::]:0"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        struct sk_addr addr, back;
        struct sockaddr_storage storage;
        char text[SK_ADDR_TEXT];
        cr_assert_eq(sk_addr_parse_port(sk_slice_str(texts[i]), &addr), 0);
        socklen_t len = sk_addr_to_sockaddr(&addr, &storage);
        cr_assert_eq(len, addr.family == SK_FAMILY_V4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        sk_addr_from_sockaddr(&back, &storage);
        cr_expect(same(&addr, &back), "%s", texts[i]);
        cr_expect_eq(sk_addr_text_port(&back, text), strlen(texts[i]));
        cr_expect_str_eq(text, texts[i]);
    }
}

Test(base_addr, a_mapped_socket_address_is_folded)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(99)};
    struct sockaddr_storage storage = {0};
    struct sk_addr addr;
    memcpy(in6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
    memcpy(&storage, &in6, sizeof(in6));
    sk_addr_from_sockaddr(&addr, &storage);
    struct sk_addr plain = parsed("10.1.2.3");
    plain.port = 99;
    cr_assert(same(&addr, &plain));
}

Test(base_addr, another_family_is_no_address)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    struct sk_addr addr = parsed("10.1.2.3");
    char text[SK_ADDR_TEXT];
    sk_addr_from_sockaddr(&addr, &storage);
    cr_assert_eq(addr.family, SK_FAMILY_NONE);
    cr_assert_eq(sk_addr_text(&addr, text), 1);
    cr_assert_str_eq(text, "-");
}

Test(base_addr, text_is_the_shortest_form)
{
    static const char *const pairs[][2] = {{"2001:0DB8:0:0:0:0:0:1", "2001:db8::1"}, {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
            {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"}, {"0:0:0:0:0:0:0:0", "::"}, {"::ffff:10.0.0.1", "10.0.0.1"}};
    for (size_t i = 0; i < SK_COUNT(pairs); i++) {
        struct sk_addr addr = parsed(pairs[i][0]);
        char text[SK_ADDR_TEXT];
        cr_expect_eq(sk_addr_text(&addr, text), strlen(pairs[i][1]));
        cr_expect_str_eq(text, pairs[i][1]);
    }
}

Test(base_addr, the_longest_text_fits)
{
    struct sk_addr addr = {.family = SK_FAMILY_V6, .port = 65535};
    char text[SK_ADDR_TEXT];
    memset(addr.bytes, 0xff, sizeof(addr.bytes));
    cr_assert_eq(sk_addr_text_port(&addr, text), strlen(text));
    cr_assert_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}
