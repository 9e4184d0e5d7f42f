/*
 * The chunked coding (RFC 9112 section 7.1), strictly: sizes of at most 15 hex digits, CR LF and nothing else at each
 * line's end. Chunk extensions are bad in a request (no client needs them, and parsers differ on them); in a response
 * they are dropped, as a recipient must, up to 1024 bytes of printable text behind each size.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/message.h"

struct sk_chunked {
    int state;
    uint64_t left;
    unsigned digits, skipped;
    size_t scanned;
    bool extensions; /* are dropped, not bad */
};

#define SK_CHUNKED_INIT ((struct sk_chunked){0})
#define SK_CHUNKED_RESPONSE ((struct sk_chunked){.extensions = true})

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
