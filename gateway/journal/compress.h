/* Compressing small pieces, one after the other: each is a frame of Zstandard (RFC 8878) that says its content's size. Not for several threads. */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

struct sk_compressor;

/* NULL without memory. */
struct sk_compressor *sk_compressor_new(void);
/* What was in it is wiped. */
struct sk_compressor *sk_compressor_free(struct sk_compressor *compressor);
/* `out` is the compressor's, until the next call. 0 or -ENOMEM. */
int sk_compress(struct sk_compressor *compressor, struct sk_slice bytes, struct sk_slice *out) sk_nodiscard;
/* The same; at most `most` bytes come of it. 0; 1 it is no such piece, or of more; -ENOMEM. */
int sk_expand(struct sk_compressor *compressor, struct sk_slice compressed, size_t most, struct sk_slice *out) sk_nodiscard;
