/*
 * A file of the journal that is full, packed: each tenant's records together, compressed and sealed in chunks. What the trees prove is as it was: a chunk
 * says the roots of its records' subtrees, so that it takes its place in the tenant's tree also when nobody can open it any more. FORMAT.md is the
 * text of record.
 *
 *   header block; the snapshot's groups, as they were; chunks; the directory, which has an entry for each chunk, in order of tenants and numbers
 */
#pragma once

#include "crypto/seal.h"
#include "journal/compress.h"
#include "journal/frame.h"
#include "journal/keys.h"
#include "journal/tree.h"

#define SK_PACKED_LEVEL 7U
#define SK_PACKED_RECORDS (UINT32_C(1) << SK_PACKED_LEVEL) /* most in a chunk: it does not go over a multiple of that */
#define SK_PACKED_ROOTS (2 * SK_PACKED_LEVEL)              /* most subtrees that a chunk's records make up */
#define SK_PACKED_BYTES ((size_t)SK_PACKED_RECORDS * SK_AUDIT_RECORD_MAX)
#define SK_PACKED_ENTRY ((size_t)80) /* bytes */

/* What its header says. */
struct sk_packed_header {
    struct sk_frame_file file;
    uint8_t last[SK_FRAME_HASH]; /* hash of the last group that it had: the next file goes on from that */
    uint8_t salt[SK_ID_SIZE];    /* by chance, for the keys of its chunks */
    uint64_t group;              /* number of that last group */
    uint64_t wall, boot;         /* and when it was closed */
    uint32_t day;                /* that its records are sealed for */
    uint32_t count;              /* chunks */
    uint64_t chunks;             /* where they begin */
    uint64_t directory;          /* and where that does */
    uint8_t hash[SK_FRAME_HASH]; /* of the directory */
};

/* Some of a tenant's records, one after the other: as many of a subtree of SK_PACKED_RECORDS as the file has. */
struct sk_packed_chunk {
    uint8_t tenant[SK_ID_SIZE];
    uint64_t seq;
    uint64_t at;    /* in the file */
    uint64_t group; /* number of the one that its last record was in */
    uint32_t count; /* records */
    uint32_t len;   /* bytes sealed, behind its roots; 0: none, its keys are erased */
    uint8_t hash[SK_FRAME_HASH]; /* of both */
};

void sk_packed_put_header(const struct sk_packed_header *header, uint8_t out[SK_FRAME_BLOCK]);
/* 0; 1 it is none. */
int sk_packed_get_header(const uint8_t in[SK_FRAME_BLOCK], struct sk_packed_header *header) sk_nodiscard;
void sk_packed_put_chunk(const struct sk_packed_chunk *chunk, uint8_t out[SK_PACKED_ENTRY]);
void sk_packed_get_chunk(const uint8_t in[SK_PACKED_ENTRY], struct sk_packed_chunk *chunk);

/* A packed file, which is borrowed. */
struct sk_packed {
    struct sk_slice file;
    struct sk_packed_header header;
};

/* 0; 1 it is none, or not whole: header, directory, and where chunks stand. What is in them is not looked at. */
int sk_packed_open(struct sk_slice file, struct sk_packed *packed) sk_nodiscard;
/* The n-th. */
struct sk_packed_chunk sk_packed_chunk(const struct sk_packed *packed, uint32_t n);
/* The number of the chunk that has this record; header.count: none has. */
uint32_t sk_packed_find(const struct sk_packed *packed, const uint8_t tenant[SK_ID_SIZE], uint64_t seq);
/* Where a chunk begins: the first at `at` or behind it; header.count: none does. */
uint32_t sk_packed_at(const struct sk_packed *packed, uint64_t at);

/* How many subtrees its records make up, as in sk_tree_subtree. */
size_t sk_packed_roots(const struct sk_packed_chunk *chunk);
/* The roots of these, one behind the other. */
struct sk_slice sk_packed_roots_of(const struct sk_packed *packed, const struct sk_packed_chunk *chunk);
/* Is the chunk what the directory says? */
bool sk_packed_check(const struct sk_packed *packed, const struct sk_packed_chunk *chunk);
/* Appends its records' subtrees. The tree ends where it begins. */
void sk_packed_append(const struct sk_packed *packed, const struct sk_packed_chunk *chunk, struct sk_tree *tree);

/* What one tenant's chunks of a file are sealed with; owned by the caller. 0; 1 its keys are not there; negative. */
int sk_packed_sealer(const struct sk_packed_header *header, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_sealer **sealer) sk_nodiscard;

/* Appends the records of the file's n-th chunk, CBOR one behind the other, compressed and sealed, to `out`; sets chunk->len. 0 or negative. */
int sk_packed_seal(struct sk_compressor *compressor, struct sk_sealer *sealer, uint32_t n, struct sk_packed_chunk *chunk, struct sk_slice records,
        struct sk_buf *out) sk_nodiscard;

/* A chunk's records, opened. */
struct sk_unpacked {
    struct sk_compressor *compressor; /* kept from one chunk to the next */
    struct sk_buf compressed;
    struct sk_slice bytes; /* the compressor's: CBOR, one behind the other */
    uint32_t count;
    uint32_t ends[SK_PACKED_RECORDS]; /* of each in `bytes` */
};

#define SK_UNPACKED_INIT ((struct sk_unpacked){.compressed = {.limit = 2 * SK_PACKED_BYTES}})
/* What was in it is wiped. */
void sk_unpacked_free(struct sk_unpacked *unpacked);
/* Opens the n-th chunk in place of what was there. 0; 1 it was sealed otherwise, or holds something else than so many records; negative. */
int sk_unpacked_open(struct sk_unpacked *unpacked, struct sk_sealer *sealer, const struct sk_packed *packed, uint32_t n) sk_nodiscard;
/* One of its records, from 0. */
static inline struct sk_slice sk_unpacked_record(const struct sk_unpacked *unpacked, uint32_t i)
{
    uint32_t from = i ? unpacked->ends[i - 1] : 0;
    return sk_slice(unpacked->bytes.data + from, unpacked->ends[i] - from);
}
