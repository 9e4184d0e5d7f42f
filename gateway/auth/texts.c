/* Texts that are kept together, in one allocation. */
#include "auth/auth.h"

size_t auth_texts_size(const struct sk_slice *from, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += from[i].len;
    }
    return size;
}

void auth_texts_copy(char *at, const struct sk_slice *from, struct sk_slice *const *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].len) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = sk_slice(at, from[i].len);
        at += from[i].len;
    }
}
