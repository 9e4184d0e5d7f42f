/* Any target is refused or has one normal form, which is its own normal form and holds no byte that it may
 * not. */
#include "http/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_arena arena;
    struct sk_slice path, query, again, rest, host, authority;
    sk_arena_init(&arena, (size_t)64 << 10);
    if (sk_target_parse(sk_slice(data, size), &arena, &path, &query) == SK_REFUSAL_NONE) {
        if (sk_target_parse(path, &arena, &again, &rest) || !sk_slice_eq(path, again) ||
                path.len + query.len > size) {
            abort();
        }
        for (size_t i = 0; i < path.len; i++) {
            if (path.data[i] <= ' ' || path.data[i] == 0x7f || strchr("\\;?#", path.data[i])) {
                abort();
            }
        }
    }
    if (sk_authority_parse(sk_slice(data, size), &arena, &authority, &host) == SK_REFUSAL_NONE &&
            (authority.len != size || memchr(host.data, '@', host.len))) {
        abort();
    }
    sk_arena_free(&arena);
    return 0;
}
