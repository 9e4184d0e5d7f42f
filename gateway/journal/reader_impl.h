/* What the files of the journal's reader share. */
#pragma once

#include "journal/packed.h"
#include "journal/reader.h"

struct reading {
    struct sk_journal_state *state;
    const uint8_t *file;
    struct sk_frame_group group;
    uint64_t offset;
    bool parts;                /* a snapshot began and is not whole yet */
    uint64_t tenants, intents; /* that it named */
    struct sk_journal_tenant *tenant; /* whose peaks are read */
    unsigned peaks;            /* of them, so far */
    uint8_t root[SK_TREE_HASH]; /* that they must have */
    sk_journal_each each;
    void *context;
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    struct sk_journal_error *error;
};

/* Fills the error. 1. */
int sk_reading_damaged(struct sk_journal_error *error, uint64_t offset, uint64_t group, uint64_t record, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* The record with this CBOR and what it opens or closes. `index` in its group or chunk, from 1. 0; 1 damaged; negative. */
int sk_reading_decode(struct reading *r, uint64_t index, const struct sk_frame_record *frame, struct sk_slice cbor, struct sk_audit_record *record) sk_nodiscard;

/* reader_packed.c: from r->offset, where a chunk begins or the last one ends, up to `end` or, when that is behind them all, to the file's end. 0; 1; negative. */
int sk_reading_chunks(struct reading *r, const struct sk_packed *packed, uint64_t end) sk_nodiscard;
