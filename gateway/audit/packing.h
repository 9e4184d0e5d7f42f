/*
 * Packing the journal: a file that is full, or whose day is over, is written anew with each tenant's records together, compressed and sealed
 * (journal/packed.h), a tenth of its size. What was written is read back from the disk and proven before it takes the file's place, in one step: there
 * is always one file of that number, and it is whole. What cannot be packed stays as it is.
 *
 * When keys were erased, what they sealed leaves the packed files, too: a file that is still there for others' records, of a tenant on hold above all, is
 * written anew without it. Where it stood in the trees is kept.
 *
 * The newest files are left alone, so that whoever reads behind the writer, feeds above all, reads each file in one form.
 */
#pragma once

#include "audit/writer.h"

#include <pthread.h>
#include <stdatomic.h>

#define PACKING_NEWEST 4U /* files that are not packed, but when the newest has been that for as long as a clock is doubted */

struct packing_job {
    const struct sk_disk *disk;
    int folder;
    uint64_t file;
    uint8_t secret[SK_KEYS_SECRET]; /* opens the keys */
    const atomic_int *stop;         /* when it is not 0, the job ends with -ECANCELED; NULL: it goes on */
    struct sk_journal_error error;  /* of a damaged file */
};

/* Packs one file, or takes out of a packed one what nobody can open. 0 it is written anew; 1 it stays as it is: there is nothing to take out, it begins with no snapshot, holds what only a recovery key opens, or is damaged (`error` says something then);
 * negative. */
int packing_file(struct packing_job *job) sk_nodiscard;

struct packing {
    struct sk_writer *writer;
    struct packing_job job;
    pthread_t thread;
    bool busy;
    atomic_int done, stop;
    int result;
    uint64_t next; /* files below this one are as they are to be, */
    uint64_t erased; /* since so many keys were erased */
    uint64_t last, since, mark; /* the newest file, boot time since when it is, and what was to be signed then */
    uint64_t again; /* boot time before which nothing is tried: it failed */
    void (*told)(struct packing *packing, uint64_t file, int result); /* a file was looked at; what packing_file returned */
};

void packing_init(struct packing *packing, struct sk_writer *writer, const struct sk_writer_settings *settings);
/* Waits for its thread, which ends soon. */
void packing_free(struct packing *packing);
/* Begins with the next file, or ends with one. `may`: whether one may be begun. Once a second; sooner when it returned true. */
bool packing_step(struct packing *packing, bool may);
