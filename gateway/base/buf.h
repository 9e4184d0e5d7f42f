/*
 * A byte queue: bytes are put behind and taken in front. Owns its memory, grows up to its limit, gives its
 * memory back when it runs empty and has grown large. Slices into it are valid until the next call that puts.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

struct sk_buf {
    char *data;
    size_t start; /* first byte not yet taken */
    size_t end;   /* behind the last byte put */
    size_t size;  /* allocated */
    size_t limit; /* most bytes it ever holds */
};

#define SK_BUF_INIT(bytes) ((struct sk_buf){.limit = (bytes)})

void sk_buf_free(struct sk_buf *buf);

static inline size_t sk_buf_len(const struct sk_buf *buf)
{
    return buf->end - buf->start;
}

static inline size_t sk_buf_room(const struct sk_buf *buf)
{
    size_t len = sk_buf_len(buf);
    return len < buf->limit ? buf->limit - len : 0;
}

static inline struct sk_slice sk_buf_peek(const struct sk_buf *buf)
{
    return buf->data ? sk_slice(buf->data + buf->start, sk_buf_len(buf)) : SK_SLICE_NULL;
}

/* Makes room for `len` more bytes and returns where they go, to be followed by sk_buf_commit. NULL: limit or memory. */
char *sk_buf_reserve(struct sk_buf *buf, size_t len) sk_nodiscard;
static inline void sk_buf_commit(struct sk_buf *buf, size_t len)
{
    buf->end += len;
}
/* 0, or -ENOBUFS at the limit, -ENOMEM. Puts all or nothing. */
int sk_buf_put(struct sk_buf *buf, struct sk_slice bytes) sk_nodiscard;
int sk_buf_printf(struct sk_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3))) sk_nodiscard;
/* Drops `len` bytes in front; `len` at most sk_buf_len. */
void sk_buf_take(struct sk_buf *buf, size_t len);
