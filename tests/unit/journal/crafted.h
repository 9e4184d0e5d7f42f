/*
 * Journal files in the making, by hand: their groups are right unless a test says otherwise, and a test may make wrong what no writer does. Tests
 * alone.
 */
#pragma once

#include "journal/reader.h"

#define SIZE ((size_t)128 << 10)

/* A file in the making. Its groups are right unless a test says otherwise. */
struct file {
    uint8_t bytes[SIZE];
    size_t at;
    struct sk_frame_file header;
    uint64_t group;
    uint8_t hash[SK_FRAME_HASH];
    uint8_t body[SIZE];
    size_t body_len;
    uint32_t count;
};

/* Where one tenant's sequence stands. */
struct tenant {
    uint8_t id[SK_ID_SIZE];
    uint64_t next;
    struct sk_tree tree;
};

/* Of tenants 1 to 3. Made anew for each test. */
extern struct sk_keys *crafted_keys;
void setup(void);
void teardown(void);

/* A reading with the keys, before its first file. */
struct sk_journal_state begun(void);
struct tenant tenant(uint8_t n);

/* An empty file, which goes on from `before` or is the first; to be freed. */
struct file *begin(uint64_t number, const struct file *before);
/* What was put since the last one is a group. */
void close_group(struct file *f, enum sk_frame_group_kind kind);
/* A record whose frame says `frame_tenant` and `frame_seq`, and whose content says `t` and `seq`. */
void put(struct file *f, struct tenant *t, enum sk_audit_stage stage, uint8_t request, uint64_t seq, const uint8_t *frame_tenant,
        uint64_t frame_seq);
/* The tenant's next one. */
void record(struct file *f, struct tenant *t);
void staged(struct file *f, struct tenant *t, enum sk_audit_stage stage, uint8_t request);

/* A snapshot's entries. Of a tenant with so many of its peaks, or all; of an intent that is open. */
void entry_of(struct file *f, const struct tenant *t, uint64_t seq, unsigned peaks);
void entry(struct file *f, const struct tenant *t, uint64_t seq);
void intent(struct file *f, const struct tenant *t, uint8_t request, uint64_t seq);

/* File 1 of two tenants: two records each, and an intent that stays open. */
struct file *first(struct tenant *a, struct tenant *b);
/* A snapshot of both after file 1. */
void snapshot(struct file *f, const struct tenant *a, const struct tenant *b);
/* File 2: the intent's outcome, and one more of the other. */
struct file *second(struct file *one, struct tenant *a, struct tenant *b);

/* For reading: makes a number of the places of all that is read, in order. */
void each(void *context, const struct sk_journal_read *read);
