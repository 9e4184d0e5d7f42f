/* Any scope is malformed, or is written again as it was read; and what is found within another is within it. The input is two, a NUL between. */
#include "auth/programs.h"

#include <stdlib.h>

/* What was read of the wanted one is kept as far as it is in the scope, whatever that is; and what was kept is in it. */
static void check(struct sk_slice wanted, struct sk_slice scope)
{
    struct sk_buf kept SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20), again SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20);
    int r = wanted.len ? auth_scope_within(wanted, scope, &kept) : 0;
    if (r < 0 || (r == 0 && !sk_slice_eq(sk_buf_peek(&kept), wanted))) {
        abort();
    }
    if (sk_buf_len(&kept) && (auth_scope_within(sk_buf_peek(&kept), scope, &again) || !sk_slice_eq(sk_buf_peek(&kept), sk_buf_peek(&again)))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_buf read SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20), written SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20);
    struct sk_buf again SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1 << 20);
    struct sk_slice scope = sk_slice(data, size), wanted = sk_slice_split(&scope, '\0');
    int r = auth_scope_read(wanted, &read);
    if (r == 0) {
        check(sk_buf_peek(&read), scope);
        if (auth_scope_write(sk_buf_peek(&read), &written) || auth_scope_read(sk_buf_peek(&written), &again) ||
                !sk_slice_eq(sk_buf_peek(&read), sk_buf_peek(&again))) {
            abort();
        }
    }
    return 0;
}
