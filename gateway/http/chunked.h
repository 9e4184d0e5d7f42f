/*
 * The chunked coding (RFC 9112 section 7.1), strictly: sizes of at most 15 hex digits, no chunk extensions (no one
 * needs them and parsers differ on them), CR LF and nothing else at each line's end.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/message.h"

struct sk_chunked {
    int state;
    uint64_t left;
    unsigned digits;
    size_t scanned;
};

#define SK_CHUNKED_INIT ((struct sk_chunked){0})

enum sk_chunked_event {
    SK_CHUNKED_MORE,     /* nothing to give: more bytes are needed */
    SK_CHUNKED_DATA,     /* `data` is body */
    SK_CHUNKED_TRAILERS, /* `data` is the trailer part with its empty line; the body is over */
    SK_CHUNKED_BAD,
};

/* Looks at the front of `bytes`; `*used` of them are done with after the event is handled. */
enum sk_chunked_event sk_chunked_next(struct sk_chunked *chunked, struct sk_slice bytes, struct sk_slice *data, size_t *used);

/* Puts one chunk, and the end with trailers. Empty data puts nothing. 0 or negative. */
int sk_chunked_put(struct sk_buf *out, struct sk_slice data) sk_nodiscard;
int sk_chunked_put_end(struct sk_buf *out, const struct sk_field *trailers, size_t count) sk_nodiscard;
