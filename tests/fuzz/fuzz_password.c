/*
 * Any bytes as a new password, behind the context and a NUL: it has one normal form at most, which is text and its own form, and whose ASCII is as
 * it was typed; what is taken is long enough, and is never taken with itself as context.
 */
#include "base/text.h"
#include "crypto/password.h"

#include <stdlib.h>

/* Code points, each of valid UTF-8. */
static size_t count(struct sk_slice text)
{
    size_t characters = 0;
    for (size_t len; text.len; text = sk_slice_from(text, len), characters++) {
        len = sk_utf8_len(text);
        if (len == 0) {
            abort();
        }
    }
    return characters;
}

static void check_form(struct sk_slice typed, struct sk_slice form)
{
    char again[SK_PASSWORD_MAX];
    size_t len;
    bool ascii = true;
    for (size_t i = 0; i < typed.len; i++) {
        ascii = ascii && (uint8_t)typed.data[i] < 0x80;
    }
    (void)count(form);
    if ((ascii && !sk_slice_eq(form, typed)) || sk_password_normal(form, again, &len) || !sk_slice_eq(sk_slice(again, len), form)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char form[SK_PASSWORD_MAX];
    size_t len = 0;
    struct sk_slice typed = sk_slice(data, size), context = sk_slice_split(&typed, '\0');
    int r = sk_password_normal(typed, form, &len);
    if (r == 0) {
        check_form(typed, sk_slice(form, len));
    }
    if (sk_password_check(typed, SK_PASSWORD_SECOND, context) == SK_PASSWORD_GOOD) {
        bool word = sk_slice_trim(sk_slice(form, len)).len >= 4; /* a shorter one does not count, and its normal form may be the shorter */
        if (r || count(sk_slice(form, len)) < SK_PASSWORD_SECOND || (word && sk_password_check(typed, SK_PASSWORD_SECOND, typed) == SK_PASSWORD_GOOD)) {
            abort();
        }
    }
    return 0;
}
