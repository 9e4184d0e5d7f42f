/* What the files of the journal's writer share. */
#pragma once

#include "audit/writer.h"

#include <stdatomic.h>

#define WRITER_GROUP_FULL ((size_t)1 << 20)
#define WRITER_SPARE "spare"
#define WRITER_SLOTS_MAX ((size_t)64 << 20)
#define WRITER_LEAVES_MAX ((size_t)64 << 20) /* bytes: more is taken when some are signed */

struct sk_writer {
    struct sk_writer_settings set;
    struct sk_journal_state state;
    uint64_t first; /* number of the oldest file */
    int fd;
    size_t at;   /* where the next group goes */
    size_t room; /* the file's end; a long snapshot makes it longer, or nothing else would have room in it */
    struct sk_buf body;
    uint32_t count;
    uint8_t *block; /* header and body as they are written: aligned, for the disk takes them from here */
    size_t block_size;
    bool records_in_file; /* the current one has some */
    bool turn;            /* of a day that is over: the next file begins when it is ready */
    struct {
        uint64_t wall, boot;
    } clock;            /* as it was last, when it went as time does */
    uint64_t elsewhere; /* boot time since when it does not; 0: it does */
    bool broken;         /* the current file failed: never write to it again */
    uint64_t noted;      /* the next group's number when `head` was last written */
    /* The spare, made by another thread: 0 none, 1 being made, 2 ready. */
    atomic_int spare_state;
    int spare;
    uint32_t id_count;
    struct sk_keys *keys;
    int keys_fd;
    uint64_t keys_at;    /* where the next slot goes */
    struct sk_keys_write erasing; /* not on disk yet, */
    bool unerased;       /* if so */
    struct sk_buf slots; /* keys that are not on disk yet: before a record that is sealed with one */
    uint8_t run[SK_ID_SIZE];
    uint32_t day;         /* that the next records are sealed for */
    struct sk_buf leaves; /* not signed yet (ipc/signer.h) */
    size_t leaves_durable; /* bytes of them whose records are on disk */
    uint64_t leaves_signed; /* bytes that were among them and are no more */
};

/* writer.c */
/* Keys that were made. What is sealed with them may be written behind them alone. 0 or negative. */
int writer_put_slots(struct sk_writer *writer) sk_nodiscard;
/*
 * Goes on in a new file that begins with a snapshot, or with the records that were added. The file gets its name only
 * when that is on disk, so a named file always has a valid beginning. 0 or negative.
 */
int writer_next_file(struct sk_writer *writer, bool snapshot) sk_nodiscard;
/* Records are sealed for the day that it is, in a file of its own: when one is ready, or `now`, which makes one. */
void writer_begin_day(struct sk_writer *writer, bool now);
bool writer_file_full(const struct sk_writer *writer);
/* One more outcome that nobody knows. As sk_writer_add. */
int writer_add_unknown(struct sk_writer *writer, const struct sk_journal_open *open, struct sk_slice reason) sk_nodiscard;
/* One more leaf that is to be signed, where somebody signs. 0 or -ENOMEM. */
int writer_put_leaf(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE], uint64_t seq, const uint8_t leaf[SK_TREE_HASH]) sk_nodiscard;
