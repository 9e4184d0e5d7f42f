/*
 * Internet addresses in one form: 16 bytes and a family. An IPv4-mapped IPv6 address is folded to IPv4 wherever it
 * comes in, so ::ffff:192.0.2.1 and 192.0.2.1 are one address, and ::/0 never covers IPv4.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum sk_family { SK_FAMILY_NONE = 0, SK_FAMILY_V4 = 4, SK_FAMILY_V6 = 6 };

struct sk_addr {
    uint8_t family;    /* enum sk_family */
    uint8_t bytes[16]; /* network order; IPv4 in the first four */
    uint16_t port;     /* host order; 0 when it has none */
};

struct sk_cidr {
    struct sk_addr addr;
    uint8_t bits; /* 0..32 or 0..128 */
};

/* Longest text of an address with port and brackets, with its NUL. */
#define SK_ADDR_TEXT 56

/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no port, no zone. 0 or 1 when it is not an address. */
int sk_addr_parse(struct sk_slice text, struct sk_addr *addr) sk_nodiscard;
/* "192.0.2.1:443" or "[2001:db8::1]:443". 0 or 1. */
int sk_addr_parse_port(struct sk_slice text, struct sk_addr *addr) sk_nodiscard;
/* "192.0.2.0/24", or an address alone for itself. Bits behind the prefix must be zero. 0 or 1. */
int sk_cidr_parse(struct sk_slice text, struct sk_cidr *cidr) sk_nodiscard;
bool sk_cidr_covers(const struct sk_cidr *cidr, const struct sk_addr *addr);

void sk_addr_from_sockaddr(struct sk_addr *addr, const struct sockaddr_storage *from);
socklen_t sk_addr_to_sockaddr(const struct sk_addr *addr, struct sockaddr_storage *to);

/* Address alone, as in RFC 5952; and with its port, IPv6 in brackets. Returns the text's length. */
size_t sk_addr_text(const struct sk_addr *addr, char out[SK_ADDR_TEXT]);
size_t sk_addr_text_port(const struct sk_addr *addr, char out[SK_ADDR_TEXT]);
