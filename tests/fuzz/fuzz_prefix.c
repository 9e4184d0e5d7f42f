/*
 * Any bytes of a balancer are no header, or one of exactly its size, which leaves the address that stands in it or what there was; and what has
 * all that the protocol asks (haproxy.org, section 2.2) is one.
 */
#include "proxy/prefix.h"

#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Of a block of exactly that size, so that no byte behind it is read unseen. */
static size_t size_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    require(copy != NULL);
    memcpy(copy, data, len);
    size_t size = sk_prefix_size(sk_slice(copy, len));
    free(copy);
    return size;
}

/* As the protocol has it, told from its table alone. False: none, or one that says nothing of a TCP client. */
static bool expected(const uint8_t *p, size_t size, struct sk_addr *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (size < 16 || size > SK_PREFIX_MAX || memcmp(p, "\r\n\r\n\0\r\nQUIT\n", 12) != 0 || size != 16U + p[14] * 256U + p[15] || (p[12] != 0x20 && p[12] != 0x21)) {
        return false;
    }
    bool four = p[13] == 0x11 && size >= 16 + 12, six = p[13] == 0x21 && size >= 16 + 36;
    if (p[12] == 0x20 || (!four && !six)) {
        return p[12] == 0x20;
    }
    const uint8_t *port = p + (four ? 24 : 48);
    const uint8_t *from = p + 16 + (six && memcmp(p + 16, mapped, sizeof(mapped)) == 0 ? sizeof(mapped) : 0);
    bool short_form = four || from != p + 16;
    *address = (struct sk_addr){.family = short_form ? SK_FAMILY_V4 : SK_FAMILY_V6, .port = (uint16_t)(port[0] * 256U + port[1])};
    memcpy(address->bytes, from, short_form ? 4 : 16);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_addr address = {.family = SK_FAMILY_NONE, .port = 7}, right = address;
    size_t wanted = 0;
    /* As it comes, byte by byte: what is wrong stays so, and what is asked for is never less than what there was. */
    for (size_t len = 0; len <= size && len <= 32; len++) {
        size_t before = wanted;
        wanted = size_of(data, len);
        require(wanted >= 16 && wanted >= before && (wanted <= SK_PREFIX_MAX || wanted == SIZE_MAX));
    }
    bool good = sk_prefix_read(sk_slice(data, size), &address) == 0;
    require(good == expected(data, size, &right));
    require(!good || (size == wanted && address.family == right.family && address.port == right.port && memcmp(address.bytes, right.bytes, 16) == 0));
    return 0;
}
