/*
 * Checkpoints that a journal is held to: the signer's file, or one that somebody saved. Read-only; links nothing that writes.
 */
#pragma once

#include "journal/checkpoint.h"
#include "journal/reader.h"

struct sk_checkpoints_entry {
    struct sk_table_node node; /* by tenant; a tenant may have several */
    struct sk_checkpoint is;
    const char *path; /* where it stood */
    char *note;       /* as it stood there */
    bool reached;     /* the journal was read up to its size, and has its root there */
    bool within;      /* its size is within a chunk of a packed file that was not opened: what the root is there only keys tell */
};

struct sk_checkpoints {
    struct sk_table table;
    const char *vkey; /* the gateway's; NULL: no signature is checked */
    uint64_t newest;  /* wall ns */
};

/* What a whole reading comes to. */
struct sk_checkpoints_result {
    size_t reached;            /* checkpoints */
    uint64_t unsigned_records; /* behind every checkpoint of their tenant that was reached */
    /* A tenant's newest checkpoint that proves nothing: it has more records than the journal, or the reading began behind it. NULL: there is none. */
    const struct sk_checkpoints_entry *unmet;
};

/* Is the note, of this checkpoint, signed by the gateway's key, which signs under each origin's name? */
bool sk_checkpoints_is_signed(const char *vkey, const struct sk_checkpoint *checkpoint, struct sk_slice note);

/* Adds those of a file: the signer's, or one signed note. `path` must live on. 0; 1 with `why` (of 300). */
int sk_checkpoints_add(struct sk_checkpoints *checkpoints, const char *path, char *why) sk_nodiscard;
void sk_checkpoints_free(struct sk_checkpoints *checkpoints);

/* One that is of another gateway, or of another journal of it; NULL: none is. */
const struct sk_checkpoints_entry *sk_checkpoints_foreign(const struct sk_checkpoints *checkpoints, const struct sk_frame_file *file);
/* Behind each record that was read, and where the reading began: a checkpoint of that many records of the tenant's that has another root; NULL: there is none. */
const struct sk_checkpoints_entry *sk_checkpoints_follow(struct sk_checkpoints *checkpoints, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH]);
/* Is there one of that many records? Then its root is worth making. */
bool sk_checkpoints_any(const struct sk_checkpoints *checkpoints, const uint8_t tenant[SK_ID_SIZE], uint64_t size);
/* In place of that, where the root cannot be known. */
void sk_checkpoints_pass(struct sk_checkpoints *checkpoints, const uint8_t tenant[SK_ID_SIZE], uint64_t size);
/* Behind the last one. */
struct sk_checkpoints_result sk_checkpoints_end(const struct sk_checkpoints *checkpoints, const struct sk_journal_state *state);
