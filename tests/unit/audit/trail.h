/*
 * A journal under test: a folder, a writer over a disk that a test may break, and the account of which
 * records were added and which were acknowledged. A record is known by its number, which stands in
 * `bytes_in`. Tests alone.
 */
#pragma once

#include "audit/packing.h"

#define TRAIL_RECORDS 4096
#define TRAIL_FILE ((size_t)64 << 10)

struct trail {
    char path[64];
    struct sk_writer_settings set;
    struct sk_writer *writer;
    struct sk_writer_found found;
    uint32_t count; /* records added, the first is 1 */
    uint32_t asked; /* of those, covered by a commit that was tried */
    bool acked[TRAIL_RECORDS];
    bool intent[TRAIL_RECORDS];
    uint32_t outcome[TRAIL_RECORDS]; /* of an intent: the record that closes it */
    uint32_t seen[TRAIL_RECORDS];    /* how often trail_read found it */
    uint32_t unknown[TRAIL_RECORDS]; /* how often its intent was recorded as unknown */
    uint64_t read;                   /* records of any kind found */
    uint64_t torn;                   /* of the last file */
    size_t files;
    struct sk_journal_error error;
    char error_file[40];
};

/* A new folder; nothing is opened yet. */
void trail_init(struct trail *t, const struct sk_disk *disk, size_t file_size);
/* Frees the writer and removes the folder. */
void trail_free(struct trail *t);
/* sk_writer_open; the acknowledged stay acknowledged. */
int trail_open(struct trail *t);
/* What kill -9 leaves: no commit, nothing told. */
void trail_kill(struct trail *t);

/* One record of tenant 1 to 3, in turn by its number. `ref`: the intent that an outcome closes. 0, or as
 * sk_writer_add. */
int trail_add(struct trail *t, enum sk_audit_stage stage, uint32_t ref);
/* A record with text of this length, so that groups of many blocks come about. */
int trail_add_long(struct trail *t, size_t len);
/* sk_writer_commit; what was added before counts as acknowledged when it says 0. */
int trail_commit(struct trail *t);
/* Makes the spare when it is due, on this thread. */
void trail_spare(struct trail *t);

/* The keys that are on disk, to be freed. */
struct sk_keys *trail_keys(const struct trail *t);
/* Reads every file as sekisho-verify does. As sk_journal_read. */
int trail_read(struct trail *t);
/* trail_read finds no fault, each acknowledged record is there once, none twice, none that was not added. */
void trail_check(struct trail *t, const char *what, long number);
/* And each intent has its outcome, or was once recorded as unknown. */
void trail_check_closed(struct trail *t, const char *what, long number);

/* A file of the folder whole, in memory to be freed; and written back. Its number in the journal. */
uint8_t *trail_load(const struct trail *t, uint64_t number, size_t *len);
void trail_store(const struct trail *t, uint64_t number, const void *bytes, size_t len);
bool trail_has(const struct trail *t, const char *name);
/* Packs a file of the folder. As packing_file. */
int trail_pack(const struct trail *t, uint64_t number);
/* Number of the newest file. */
uint64_t trail_last(const struct trail *t);
/* Where the last group of a file begins, and where it ends. */
void trail_last_group(const uint8_t *bytes, size_t len, size_t *start, size_t *end);

/* Like the real one without waiting for the disk: for tests that make many folders. */
extern const struct sk_disk trail_quick;
