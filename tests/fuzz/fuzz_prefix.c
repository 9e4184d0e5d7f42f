/* Any bytes of a balancer are no header, or one of exactly its size, which leaves an address or what there was. */
#include "proxy/prefix.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t wanted = 0;
    /* As it comes, byte by byte, from a block of exactly that size. */
    for (size_t len = 0; len <= size && len <= 32; len++) {
        uint8_t *copy = malloc(len ? len : 1);
        if (!copy) {
            abort();
        }
        memcpy(copy, data, len);
        wanted = sk_prefix_size(sk_slice(copy, len));
        free(copy);
        if (wanted > SK_PREFIX_MAX) {
            return 0;
        }
    }
    struct sk_addr address = {.family = SK_FAMILY_NONE, .port = 7};
    if (sk_prefix_read(sk_slice(data, size), &address) == 0) {
        bool local = address.family == SK_FAMILY_NONE && address.port == 7 && (data[12] & 15) == 0;
        if (size != wanted || !(local || address.family == SK_FAMILY_V4 || address.family == SK_FAMILY_V6)) {
            abort();
        }
    }
    return 0;
}
