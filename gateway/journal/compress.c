/* Compressing. Runs in audit and reader, and in the tools that read a journal. */
#include "journal/compress.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#define LEVEL 1 /* more costs three times as much, and saves a tenth */

struct sk_compressor {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *expand;
    struct sk_buf out;
};

struct sk_compressor *sk_compressor_new(void)
{
    struct sk_compressor *c = calloc(1, sizeof(*c));
    if (c) {
        c->out = SK_BUF_INIT(SIZE_MAX / 2);
    }
    return c;
}

struct sk_compressor *sk_compressor_free(struct sk_compressor *c)
{
    if (c) {
        ZSTD_freeCCtx(c->compress);
        ZSTD_freeDCtx(c->expand);
        sk_wipe(c->out.data, c->out.size);
        sk_buf_free(&c->out);
        free(c);
    }
    return NULL;
}

/* Nothing is ever put there: what is reserved is used, and reserved again. What is too small is wiped before it goes. */
static char *room(struct sk_compressor *c, size_t len)
{
    if (c->out.size < len) {
        sk_wipe(c->out.data, c->out.size);
        sk_buf_free(&c->out);
    }
    return sk_buf_reserve(&c->out, len ? len : 1);
}

int sk_compress(struct sk_compressor *c, struct sk_slice bytes, struct sk_slice *out)
{
    const size_t most = ZSTD_compressBound(bytes.len);
    char *to = room(c, most);
    c->compress = c->compress ? c->compress : ZSTD_createCCtx();
    size_t len = to && c->compress ? ZSTD_compressCCtx(c->compress, to, most, bytes.data, bytes.len, LEVEL) : 0;
    if (len == 0 || ZSTD_isError(len)) {
        return -ENOMEM;
    }
    *out = sk_slice(to, len);
    return 0;
}

int sk_expand(struct sk_compressor *c, struct sk_slice compressed, size_t most, struct sk_slice *out)
{
    const unsigned long long size = ZSTD_getFrameContentSize(compressed.data, compressed.len);
    if (size > most) {
        return 1; /* as are what says that there is no frame, and that its size is not known */
    }
    char *to = room(c, (size_t)size);
    c->expand = c->expand ? c->expand : ZSTD_createDCtx();
    if (!to || !c->expand) {
        return -ENOMEM;
    }
    *out = sk_slice(to, (size_t)size);
    return ZSTD_decompressDCtx(c->expand, to, (size_t)size, compressed.data, compressed.len) != size;
}
