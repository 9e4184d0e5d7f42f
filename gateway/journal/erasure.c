/* Certificates of erasure. Runs in the signer, and in whatever verifies what it signed. */
#include "journal/erasure.h"

#include "base/text.h"

#include <stdio.h>

#define CHECKPOINT "sekisho/"

int sk_erasure_put(const struct sk_erasure *e, struct sk_buf *out)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINT_TEXT);
    int r = sk_checkpoint_put(&e->was, &text);
    struct sk_slice rest = sk_slice_from(sk_buf_peek(&text), sizeof(CHECKPOINT) - 1);
    return r ? r : sk_buf_printf(out, SK_ERASURE_BEGINS "%.*scontract %s\n", (int)rest.len, rest.data, e->contract);
}

/* The last line, and what is before it. */
static struct sk_slice cut_last(struct sk_slice *text)
{
    size_t at = text->len ? text->len - 1 : 0;
    while (at && text->data[at - 1] != '\n') {
        at--;
    }
    struct sk_slice last = sk_slice_from(*text, at);
    *text = sk_slice_cut(*text, at);
    return last;
}

int sk_erasure_get(struct sk_slice text, struct sk_erasure *e)
{
    struct sk_buf checkpoint SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINT_TEXT), again SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_ERASURE_TEXT);
    struct sk_slice rest = text, last = cut_last(&rest), begins = SK_LIT(SK_ERASURE_BEGINS), word = SK_LIT("contract ");
    if (!sk_slice_starts(rest, begins) || !sk_slice_starts(last, word) || last.len - word.len > SK_ERASURE_NAME || last.len < word.len + 2) {
        return 1;
    }
    rest = sk_slice_from(rest, begins.len);
    last = sk_slice_cut(sk_slice_from(last, word.len), last.len - word.len - 1);
    memcpy(e->contract, last.data, last.len);
    e->contract[last.len] = '\0';
    if (sk_buf_printf(&checkpoint, CHECKPOINT "%.*s", (int)rest.len, rest.data) || sk_checkpoint_get(sk_buf_peek(&checkpoint), &e->was)) {
        return 1;
    }
    return sk_erasure_put(e, &again) || !sk_slice_eq(sk_buf_peek(&again), text);
}

void sk_erasure_file(const struct sk_erasure *e, char out[80])
{
    char tenant[2 * SK_ID_SIZE + 1];
    sk_hex_encode(e->was.tenant, SK_ID_SIZE, tenant);
    (void)snprintf(out, 80, "erasure-%s-%llu", tenant, (unsigned long long)e->was.size);
}
