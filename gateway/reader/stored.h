/*
 * The index of a file that is written no more: a file itself, in the reader's folder, of which a search opens what it looks at. It says nothing that
 * the journal does not say, and is made anew from that when it is missing, damaged, or another machine's.
 *
 *   header   4096 bytes (struct stored_header), then the tag of AES-256-GCM over it, with a key of the file's own
 *   section  one for each tenant, in pages of PAGE_SIZE bytes, each compressed (journal/compress.h) and sealed, with its tag behind it: AES-256-GCM with a
 *            key of the tenant's and of the day (journal/keys.h, "index", with the header's salt), nonce the page's number. So what erases the records
 *            erases their index.
 *   rows     one for each seal and for each tenant (struct stored_seal, stored_tenant), and where each page of all sections ends, u64. The header has
 *            their hash.
 *
 * In a section's bytes, page after page: values and bitmaps; for each field its entries (struct stored_entry), in the order of their values, but of
 * requests' ids, which have a row or two each, just beginning and row (struct stored_pair), in that order; the rows' times, as u32 ms since the tenant's first; their places, as u32; the rows that stand for many (struct part_many); the roots of whole tiles; and last a struct stored_head that says where these begin. Numbers are in the
 * machine's own order. Bitmaps are in Roaring's portable format, each behind its length as u32.
 */
#pragma once

#include "reader/pages.h"
#include "reader/part.h"

#include "journal/compress.h"
#include "journal/frame.h"
#include "journal/keys.h"

#define STORED_VERSION 4U
#define STORED_TAG 16

struct stored_header {
    char magic[8];
    uint32_t version, zero;
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE];
    uint64_t file; /* of the journal, and whose last group has this hash: */
    uint8_t hash[SK_FRAME_HASH];
    uint8_t salt[SK_ID_SIZE];
    uint32_t seals, tenants; /* how many */
    uint64_t pages;          /* and those */
    uint64_t rows;           /* where they begin: a multiple of 8 */
    uint8_t rows_hash[SK_FRAME_HASH];
};

#define STORED_SECTIONS (SK_FRAME_BLOCK + STORED_TAG) /* the first page begins there, each other one where the one before it ends */

/* From this place of the file on its records are sealed for that day, by that run; the first of them are of that group. */
struct stored_seal {
    uint64_t at, group;
    uint32_t day, zero;
    uint8_t run[SK_ID_SIZE];
};

/* In the order of their ids. */
struct stored_tenant {
    uint8_t id[SK_ID_SIZE];
    uint64_t page, len; /* the section: its first page among all, and how many bytes, opened */
    uint64_t seq;     /* as in struct part */
    uint64_t first, last;
    uint32_t rows, ordered;
    uint32_t day, zero; /* of the section's key */
};

/* A value of at most 8 bytes stands in its entry, as do its rows if it has at most two. */
struct stored_entry {
    union {
        uint64_t at;
        uint8_t bytes[8];
    } value;
    union {
        uint64_t at;
        uint32_t rows[2];
    } rows;
    uint32_t count; /* of rows */
    uint16_t len;   /* of the value */
    uint16_t zero;
};

struct stored_pair {
    uint8_t value[PART_REQUEST];
    uint32_t row;
};

struct stored_head {
    struct {
        uint64_t at, count;
    } fields[SK_TERM_COUNT];
    uint64_t times, places, tiles;
    uint64_t many, many_count;
};

/* What stored indexes share. */
struct shelf {
    const struct sk_keys *keys;
    struct pages pages;
    struct sk_compressor *compressor; /* NULL: none yet */
    int folder; /* theirs, or negative: none is kept */
    uint8_t secret[SK_KEYS_SECRET]; /* the files' own keys are of */
};

struct stored;

/* "index-0000000000000001.ski"; `out` holds 40. */
void stored_name(uint64_t file, char out[40]);
/* The file's own key. */
void stored_key(const uint8_t secret[SK_KEYS_SECRET], const uint8_t salt[SK_ID_SIZE], uint8_t key[SK_KEYS_SECRET]);
/* Opens that of a journal's file, which is the caller's journal's. 0, or 1: there is none that is whole; negative. */
int stored_open(struct shelf *shelf, const struct sk_frame_file *journal, struct stored **stored) sk_nodiscard;
/* It says what the journal does not: it is removed, and made anew by the next reader. */
void stored_remove(const struct shelf *shelf, uint64_t file);
/* Removes those of files before `first`: they were removed while nobody looked. */
void stored_sweep(const struct shelf *shelf, uint64_t first);
struct stored *stored_free(struct stored *stored);
/* The hash of the last group that it knows. */
const uint8_t *stored_hash(const struct stored *stored);
/* The tenant's part. False: it has none. */
bool stored_part(const struct stored *stored, const uint8_t tenant[SK_ID_SIZE], struct part *part);
/* The seal of what stands there, or NULL. */
const struct stored_seal *stored_seal(const struct stored *stored, uint64_t place);
