/*
 * The journal's one writer: takes records, gives each its place in its tenant's sequence, and commits them in groups.
 * A record counts as written only when sk_writer_commit returned 0 after it.
 */
#pragma once

#include "audit/disk.h"
#include "journal/reader.h"

struct sk_writer;

struct sk_writer_settings {
    const struct sk_disk *disk;
    int folder; /* stays the caller's */
    size_t file_size;
    uint8_t node[SK_ID_SIZE];
};

struct sk_writer_found {
    uint64_t records; /* read at the start */
    uint64_t torn;    /* bytes of an unfinished group that were dropped, without zeros at its end */
    uint64_t unknown; /* intents that no outcome followed: recorded as unknown */
    struct sk_journal_error error;
    char file[40]; /* of the error */
};

/*
 * Reads what is there and goes on from it. 0; 1 damaged (`found->error`); negative. The unknown outcomes are
 * added, not yet committed.
 */
int sk_writer_open(const struct sk_writer_settings *settings, struct sk_writer **writer, struct sk_writer_found *found) sk_nodiscard;
struct sk_writer *sk_writer_free(struct sk_writer *writer);

/* Adds one record; sets its seq, id and times. `owner`: who will close what it opens, 0 for nobody. 0; 1 not a record; negative: memory, or the group is full. */
int sk_writer_add(struct sk_writer *writer, struct sk_audit_record *record, uint64_t owner) sk_nodiscard;
/* Who would have closed these is gone: adds an unknown outcome for each of an owner's open intents and streams. */
int sk_writer_abandon(struct sk_writer *writer, uint64_t owner) sk_nodiscard;
/* No more should be added before a commit. */
bool sk_writer_full(const struct sk_writer *writer);
/* Writes and flushes what was added, in the spare file if this one fails. 0, or negative: nothing is lost, and the
 * next commit tries again with a new file. */
int sk_writer_commit(struct sk_writer *writer) sk_nodiscard;
/* True once when the next file should be made ready; sk_writer_prepare must then be called, by a thread of its own. */
bool sk_writer_claim_prepare(struct sk_writer *writer);
void sk_writer_prepare(struct sk_writer *writer);
/* Is the file it writes still the one in the folder, with one link? 0 or negative. */
int sk_writer_check(const struct sk_writer *writer) sk_nodiscard;
