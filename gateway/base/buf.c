/* The byte queue. Any process. */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_SIZE ((size_t)4096)

void sk_buf_free(struct sk_buf *buf)
{
    free(buf->data);
    *buf = SK_BUF_INIT(buf->limit);
}

/* Without regard to the limit. */
static char *make_room(struct sk_buf *buf, size_t len)
{
    size_t held = sk_buf_len(buf);
    size_t need;
    if (__builtin_add_overflow(held, len, &need) || need > SIZE_MAX / 2) {
        return NULL;
    }
    if (buf->data && buf->size - buf->end >= len) {
        return buf->data + buf->end;
    }
    if (buf->data && buf->size >= need) {
        memmove(buf->data, buf->data + buf->start, held);
        buf->start = 0;
        buf->end = held;
        return buf->data + held;
    }
    size_t size = buf->size ? buf->size : FIRST_SIZE;
    while (size < need) {
        size *= 2;
    }
    char *data = malloc(size);
    if (!data) {
        return NULL;
    }
    if (buf->data) {
        memcpy(data, buf->data + buf->start, held);
    }
    free(buf->data);
    buf->data = data;
    buf->size = size;
    buf->start = 0;
    buf->end = held;
    return data + held;
}

char *sk_buf_reserve(struct sk_buf *buf, size_t len)
{
    return len > sk_buf_room(buf) ? NULL : make_room(buf, len);
}

int sk_buf_put(struct sk_buf *buf, struct sk_slice bytes)
{
    if (bytes.len == 0) {
        return 0;
    }
    char *to = sk_buf_reserve(buf, bytes.len);
    if (!to) {
        return bytes.len > sk_buf_room(buf) ? -ENOBUFS : -ENOMEM;
    }
    memcpy(to, bytes.data, bytes.len);
    sk_buf_commit(buf, bytes.len);
    return 0;
}

int sk_buf_printf(struct sk_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        return -EINVAL;
    }
    /* The NUL that vsnprintf writes is not the queue's: it does not count. */
    char *to = (size_t)len > sk_buf_room(buf) ? NULL : make_room(buf, (size_t)len + 1);
    if (!to) {
        return (size_t)len > sk_buf_room(buf) ? -ENOBUFS : -ENOMEM;
    }
    va_start(args, format);
    (void)vsnprintf(to, (size_t)len + 1, format, args);
    va_end(args);
    sk_buf_commit(buf, (size_t)len);
    return 0;
}

void sk_buf_take(struct sk_buf *buf, size_t len)
{
    buf->start += len;
    if (buf->start == buf->end) {
        buf->start = buf->end = 0;
        if (buf->size > FIRST_SIZE * 4) {
            sk_buf_free(buf);
        }
    }
}
