/* PROXY protocol version 2. Runs in the workers. */
#include "proxy/prefix.h"

#define FIXED 16U
#define TCP4 0x11U /* AF_INET, STREAM */
#define TCP6 0x21U /* AF_INET6, STREAM */

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

size_t sk_prefix_size(struct sk_slice begun)
{
    const uint8_t *p = (const uint8_t *)begun.data;
    size_t known = begun.len < sizeof(signature) ? begun.len : sizeof(signature);
    if (known && memcmp(p, signature, known) != 0) {
        return SIZE_MAX;
    }
    size_t size = FIXED + (begun.len < FIXED ? 0 : (size_t)p[14] << 8 | p[15]);
    return size <= SK_PREFIX_MAX ? size : SIZE_MAX;
}

int sk_prefix_read(struct sk_slice header, struct sk_addr *address)
{
    const uint8_t *p = (const uint8_t *)header.data;
    if (header.len < FIXED || sk_prefix_size(header) != header.len || p[12] >> 4 != 2 || (p[12] & 15U) > 1) {
        return 1;
    }
    unsigned protocol = p[13];
    size_t len = header.len - FIXED;
    if ((p[12] & 15U) == 0) {
        return 0; /* LOCAL: the balancer itself, whatever else is said */
    }
    if (protocol == TCP4 && len >= 12) {
        *address = (struct sk_addr){.family = SK_FAMILY_V4, .port = (uint16_t)(p[24] << 8 | p[25])};
        memcpy(address->bytes, p + FIXED, 4);
        return 0;
    }
    if (protocol == TCP6 && len >= 36) {
        struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)(p[48] << 8 | p[49]))};
        memcpy(&in6.sin6_addr, p + FIXED, 16);
        memcpy(&storage, &in6, sizeof(in6));
        sk_addr_from_sockaddr(address, &storage);
        return 0;
    }
    return 1;
}
