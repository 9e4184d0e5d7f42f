/*
 * Keeps the index level with the journal: reads what became durable since, checking all of it as any reader does (journal/reader.h), and indexes each
 * record. It asks for nothing itself: it says which file it needs next.
 */
#pragma once

#include "reader/segments.h"

struct follow {
    uint8_t secret[SK_KEYS_SECRET]; /* opens the keys */
    struct sk_journal_state state;
    struct segments segments;
    bool begun;     /* which file is read first was decided */
    bool mapped_again; /* the file that is being read, as it may have grown */
    size_t reading; /* of these, the one that is being read; those behind it are only opened */
    uint64_t at;    /* how far */
    struct sk_keys *keys;
    int keys_fd;        /* negative: not there yet */
    uint64_t keys_size; /* bytes of the file that `keys` are of */
    uint64_t erased;    /* what audit said of erased keys, when they were read */
    bool failed;        /* the index could not take a record */
    struct storing *storing; /* the index of `stores` is being written */
    size_t stores;
    int ready;          /* becomes readable when it is */
    uint64_t store_at;  /* boot time before which no other is tried */
    uint64_t need;      /* number of a file, or SK_SERVING_KEYS */
    struct sk_journal_error error;
};

/* What is durable: numbers of the oldest file and of the newest, and bytes of that one. */
struct follow_goal {
    uint64_t first, last, end;
    uint64_t erased; /* keys (ipc/serving.h) */
};

enum follow_step {
    FOLLOW_LEVEL,  /* all of it is indexed */
    FOLLOW_MORE,   /* again, after a look at everything else */
    FOLLOW_NEED,   /* follow->need is to be brought */
    FOLLOW_WAIT,   /* again, when an index is written */
    FOLLOW_BROKEN, /* the journal is damaged or another, or memory ran out: follow->error says it */
};

/* `folder`: for indexes, taken over; negative: they stay in memory. 0 or negative. */
int follow_init(struct follow *follow, const uint8_t secret[SK_KEYS_SECRET], int folder) sk_nodiscard;
void follow_free(struct follow *follow);
/* These take the descriptor over. 0 or negative. */
int follow_bring(struct follow *follow, uint64_t file, int fd) sk_nodiscard;
/* The file was written anew: it is needed once more, when it was read to its end. */
void follow_anew(struct follow *follow, uint64_t file);
/* Begins to write the index of a file that is read to its end, when there is one and none is being written. */
void follow_store(struct follow *follow);
/* It is written. 0; negative: it could not be, and is tried again in a minute. */
int follow_stored(struct follow *follow) sk_nodiscard;
/* Forgets files that are gone. How many there were: the others have moved down by that. */
size_t follow_drop(struct follow *follow, const struct follow_goal *goal);
/* Reads some megabytes on. */
enum follow_step follow_step(struct follow *follow, const struct follow_goal *goal);
