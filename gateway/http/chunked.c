/* The chunked coding. Pure; runs in the workers. */
#include "http/chunked.h"

#include <errno.h>

enum state { SIZE = 0, BLANK, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS };

#define TRAILERS_MAX ((size_t)8192)
#define EXTENSION_MAX 1024U /* bytes of one size line behind the size */

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = sk_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Blanks, then a semicolon, then anything that is text. False when the byte may not stand there. */
static bool extension_byte(struct sk_chunked *c, char byte)
{
    bool blank = byte == ' ' || byte == '\t';
    if (c->state == EXTENSION && byte == '\r') {
        c->state = SIZE_LF;
        return true;
    }
    if (c->state != EXTENSION) {
        c->state = byte == ';' ? EXTENSION : BLANK;
        return ++c->skipped <= EXTENSION_MAX && (byte == ';' || blank);
    }
    return ++c->skipped <= EXTENSION_MAX && (blank || ((unsigned char)byte > ' ' && byte != 0x7f));
}

/* The size line and the line end behind a chunk, a byte at a time. False when the byte may not stand there. */
static bool frame_byte(struct sk_chunked *c, char byte)
{
    int value;
    switch (c->state) {
    case SIZE:
        value = digit(byte);
        if (value >= 0 && c->digits < 15) {
            c->left = c->left << 4 | (uint64_t)value;
            c->digits++;
            return true;
        }
        if (c->extensions && c->digits > 0 && byte != '\r') {
            return extension_byte(c, byte);
        }
        c->state = SIZE_LF;
        return byte == '\r' && c->digits > 0;
    case BLANK:
    case EXTENSION:
        return extension_byte(c, byte);
    case SIZE_LF:
        c->state = c->left ? DATA : TRAILERS;
        c->digits = c->skipped = 0;
        c->scanned = 0;
        return byte == '\n';
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r';
    default:
        c->state = SIZE;
        return byte == '\n';
    }
}

/* The trailer part ends with an empty line; alone it is just that line. 0: not there yet; -1: bad. */
static long trailers_end(struct sk_chunked *c, struct sk_slice bytes)
{
    for (size_t i = c->scanned; i < bytes.len; i++) {
        if (bytes.data[i] != '\n') {
            continue;
        }
        if (i == 0 || bytes.data[i - 1] != '\r') {
            return -1;
        }
        if (i == 1 || bytes.data[i - 2] == '\n') {
            return i < TRAILERS_MAX ? (long)i + 1 : -1;
        }
    }
    c->scanned = bytes.len;
    return bytes.len >= TRAILERS_MAX ? -1 : 0;
}

enum sk_chunked_event sk_chunked_next(struct sk_chunked *c, struct sk_slice bytes, struct sk_slice *data, size_t *used)
{
    *used = 0;
    *data = SK_SLICE_NULL;
    while (c->state != DATA && c->state != TRAILERS) {
        if (*used == bytes.len) {
            return SK_CHUNKED_MORE;
        }
        if (!frame_byte(c, bytes.data[(*used)++])) {
            return SK_CHUNKED_BAD;
        }
    }
    struct sk_slice rest = sk_slice_from(bytes, *used);
    if (c->state == TRAILERS) {
        long end = trailers_end(c, rest);
        if (end <= 0) {
            return end < 0 ? SK_CHUNKED_BAD : SK_CHUNKED_MORE;
        }
        *data = sk_slice_cut(rest, (size_t)end);
        *used += (size_t)end;
        return SK_CHUNKED_TRAILERS;
    }
    if (rest.len == 0) {
        return SK_CHUNKED_MORE;
    }
    *data = sk_slice_cut(rest, c->left < rest.len ? (size_t)c->left : rest.len);
    c->left -= data->len;
    c->state = c->left ? DATA : DATA_CR;
    *used += data->len;
    return SK_CHUNKED_DATA;
}

int sk_chunked_put(struct sk_buf *out, struct sk_slice data)
{
    static const char digits[] = "0123456789abcdef";
    if (data.len == 0) {
        return 0;
    }
    char *to = sk_buf_reserve(out, data.len + 20);
    if (!to) {
        return -ENOBUFS;
    }
    size_t n = 0;
    int shift = 60;
    while (shift > 0 && (data.len >> shift) == 0) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        to[n++] = digits[(data.len >> shift) & 15];
    }
    to[n++] = '\r';
    to[n++] = '\n';
    memcpy(to + n, data.data, data.len);
    n += data.len;
    to[n++] = '\r';
    to[n++] = '\n';
    sk_buf_commit(out, n);
    return 0;
}

int sk_chunked_put_end(struct sk_buf *out, const struct sk_field *trailers, size_t count)
{
    int r = sk_buf_put(out, SK_LIT("0\r\n"));
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = sk_buf_put(out, trailers[i].name);
        r = r ? r : sk_buf_put(out, SK_LIT(": "));
        r = r ? r : sk_buf_put(out, trailers[i].value);
        r = r ? r : sk_buf_put(out, SK_LIT("\r\n"));
    }
    return r ? r : sk_buf_put(out, SK_LIT("\r\n"));
}
