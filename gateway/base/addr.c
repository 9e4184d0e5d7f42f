/* Addresses and prefixes. Any process. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void fold_mapped(struct sk_addr *addr)
{
    if (addr->family == SK_FAMILY_V6 && memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        memmove(addr->bytes, addr->bytes + 12, 4);
        memset(addr->bytes + 4, 0, 12);
        addr->family = SK_FAMILY_V4;
    }
}

static int parse_unfolded(struct sk_slice text, struct sk_addr *addr)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len)) {
        return 1;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *addr = (struct sk_addr){.family = SK_FAMILY_NONE};
    if (inet_pton(AF_INET, copy, addr->bytes) == 1) {
        addr->family = SK_FAMILY_V4;
    } else if (inet_pton(AF_INET6, copy, addr->bytes) == 1) {
        addr->family = SK_FAMILY_V6;
    } else {
        return 1;
    }
    return 0;
}

int sk_addr_parse(struct sk_slice text, struct sk_addr *addr)
{
    if (parse_unfolded(text, addr)) {
        return 1;
    }
    fold_mapped(addr);
    return 0;
}

int sk_addr_parse_port(struct sk_slice text, struct sk_addr *addr)
{
    struct sk_slice host = text;
    uint64_t port;
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2 || sk_slice_u64(sk_slice_from(text, colon), 65535, &port)) {
        return 1;
    }
    host.len = colon - 1;
    bool bracketed = host.data[0] == '[' && host.len > 2 && host.data[host.len - 1] == ']';
    if (bracketed) {
        host = sk_slice(host.data + 1, host.len - 2);
    }
    if (parse_unfolded(host, addr) || bracketed != (addr->family == SK_FAMILY_V6)) {
        return 1;
    }
    fold_mapped(addr);
    addr->port = (uint16_t)port;
    return 0;
}

static bool tail_is_zero(const struct sk_cidr *cidr)
{
    size_t size = cidr->addr.family == SK_FAMILY_V4 ? 4 : 16;
    for (size_t bit = cidr->bits; bit < size * 8; bit++) {
        if (cidr->addr.bytes[bit / 8] & (0x80U >> (bit % 8))) {
            return false;
        }
    }
    return true;
}

int sk_cidr_parse(struct sk_slice text, struct sk_cidr *cidr)
{
    struct sk_slice rest = text;
    struct sk_slice host = sk_slice_split(&rest, '/');
    uint64_t bits;
    if (parse_unfolded(host, &cidr->addr)) {
        return 1;
    }
    uint64_t most = cidr->addr.family == SK_FAMILY_V4 ? 32 : 128;
    if (host.len == text.len) {
        bits = most;
    } else if (sk_slice_u64(rest, most, &bits)) {
        return 1;
    }
    fold_mapped(&cidr->addr);
    if (most == 128 && cidr->addr.family == SK_FAMILY_V4) {
        if (bits < 96) {
            return 1;
        }
        bits -= 96;
    }
    cidr->bits = (uint8_t)bits;
    return tail_is_zero(cidr) ? 0 : 1;
}

bool sk_cidr_covers(const struct sk_cidr *cidr, const struct sk_addr *addr)
{
    if (cidr->addr.family != addr->family || addr->family == SK_FAMILY_NONE) {
        return false;
    }
    size_t whole = cidr->bits / 8U;
    unsigned rest = cidr->bits % 8U;
    if (memcmp(cidr->addr.bytes, addr->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((cidr->addr.bytes[whole] ^ addr->bytes[whole]) >> (8U - rest)) == 0;
}

void sk_addr_from_sockaddr(struct sk_addr *addr, const struct sockaddr_storage *from)
{
    *addr = (struct sk_addr){.family = SK_FAMILY_NONE};
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof(in));
        addr->family = SK_FAMILY_V4;
        memcpy(addr->bytes, &in.sin_addr, 4);
        addr->port = ntohs(in.sin_port);
    } else if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof(in6));
        addr->family = SK_FAMILY_V6;
        memcpy(addr->bytes, &in6.sin6_addr, 16);
        addr->port = ntohs(in6.sin6_port);
        fold_mapped(addr);
    }
}

socklen_t sk_addr_to_sockaddr(const struct sk_addr *addr, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof(*to));
    if (addr->family == SK_FAMILY_V4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->bytes, 4);
        memcpy(to, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->bytes, 16);
    memcpy(to, &in6, sizeof(in6));
    return sizeof(in6);
}

size_t sk_addr_text(const struct sk_addr *addr, char out[SK_ADDR_TEXT])
{
    int family = addr->family == SK_FAMILY_V4 ? AF_INET : AF_INET6;
    if (addr->family == SK_FAMILY_NONE || !inet_ntop(family, addr->bytes, out, SK_ADDR_TEXT)) {
        out[0] = '-';
        out[1] = '\0';
    }
    return strlen(out);
}

size_t sk_addr_text_port(const struct sk_addr *addr, char out[SK_ADDR_TEXT])
{
    char host[SK_ADDR_TEXT];
    (void)sk_addr_text(addr, host);
    bool v6 = addr->family == SK_FAMILY_V6;
    int len = snprintf(out, SK_ADDR_TEXT, "%s%.46s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", addr->port);
    return len < 0 ? 0 : (size_t)len;
}
