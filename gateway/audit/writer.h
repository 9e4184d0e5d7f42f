/*
 * The journal's one writer: takes records, gives each its place in its tenant's sequence, and commits them in groups.
 * A record counts as written only when sk_writer_commit returned 0 after it.
 */
#pragma once

#include "audit/disk.h"
#include "audit/survey.h"
#include "base/clock.h"
#include "journal/reader.h"

/* Of one owner, at a time. */
#define SK_WRITER_OPENS_MAX 65536
/* How long records of a tenant still come after it is gone: streams end, outcomes follow. */
#define SK_WRITER_GONE (300 * SK_SECOND)
/* A clock that jumped is not believed for so long. */
#define SK_WRITER_DOUBT (3600 * SK_SECOND)

struct sk_writer;

/* How many of a tenant's records are signed, and the root of their tree. */
struct sk_writer_stand {
    struct sk_table_node node; /* by the tenant's id */
    uint8_t tenant[SK_ID_SIZE];
    uint64_t size;
    uint8_t root[SK_TREE_HASH];
    bool met; /* the journal's records are those */
};

struct sk_writer_settings {
    const struct sk_disk *disk;
    int folder; /* stays the caller's */
    size_t file_size;
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE]; /* of the files it writes */
    uint8_t secret[SK_KEYS_SECRET]; /* opens the keys (journal/keys.h) */
    struct sk_table *stands; /* of struct sk_writer_stand: what the signer signed; for when the journal is opened. NULL: nobody signs */
};

struct sk_writer_found {
    uint64_t records; /* read at the start */
    uint64_t torn;    /* bytes of an unfinished group that were dropped, without zeros at its end */
    uint64_t unknown; /* intents that no outcome followed: recorded as unknown */
    struct sk_journal_error error;
    char file[40]; /* of the error */
};

/* Is there a journal in the folder? Negative: nobody knows. */
int sk_writer_any(int folder);
/*
 * Reads what is there and goes on from it. 0; 1 damaged, or not what was signed (`found->error`); negative. The
 * unknown outcomes are added, not yet committed.
 */
int sk_writer_open(const struct sk_writer_settings *settings, struct sk_writer **writer, struct sk_writer_found *found) sk_nodiscard;
struct sk_writer *sk_writer_free(struct sk_writer *writer);

/* Owners may add records of this tenant until then, boot time. `service`: with whose days its records are erased; NULL: the tenant is gone. 0 or negative. */
int sk_writer_tenant(struct sk_writer *writer, const uint8_t id[SK_ID_SIZE], const uint8_t *service, uint64_t until) sk_nodiscard;
/*
 * Adds one record; sets its seq, id and times. `owner`, from 1 below SK_JOURNAL_OWNERS: who will close what it opens; 0:
 * nobody, and then it may be of any tenant. 0; 1 not a record; 2 not a tenant for an owner at present; 3 this owner has too
 * much open; negative: memory, or the group is full.
 */
int sk_writer_add(struct sk_writer *writer, struct sk_audit_record *record, unsigned owner) sk_nodiscard;
/* Would an owner's record be taken? 0, 2 or 3 as above. */
int sk_writer_may_add(const struct sk_writer *writer, const struct sk_audit_record *record, unsigned owner) sk_nodiscard;
/* The same for one that was decoded from `sent` as it is. */
int sk_writer_add_sent(struct sk_writer *writer, struct sk_audit_record *record, struct sk_slice sent, unsigned owner) sk_nodiscard;
/*
 * Who would have closed these is gone: adds an unknown outcome for each of an owner's open intents and streams. 0; 1 the
 * group is full and there are more: again after a commit; negative: again later.
 */
int sk_writer_abandon(struct sk_writer *writer, unsigned owner) sk_nodiscard;
/* There is something to commit. */
bool sk_writer_added(const struct sk_writer *writer);
/* No more should be added before a commit. */
bool sk_writer_full(const struct sk_writer *writer);
/* Writes and flushes what was added, in the spare file if this one fails. 0, or negative: nothing is lost, and the
 * next commit tries again with a new file. */
int sk_writer_commit(struct sk_writer *writer) sk_nodiscard;
/* The journal's oldest file, its newest, and how many bytes of that one are on disk. */
struct sk_writer_place {
    uint64_t first, last, end;
};
struct sk_writer_place sk_writer_place(const struct sk_writer *writer);
/* Leaves of records that are durable and not signed, in order, as ipc/signer.h has them. Lives until the next call. */
struct sk_slice sk_writer_unsigned(const struct sk_writer *writer);
/* The first of these, so many bytes, are signed. */
void sk_writer_signed(struct sk_writer *writer, size_t bytes);
/* When sk_writer_is_signed(writer, mark) is true, all that is durable now is signed, or nobody signs. */
uint64_t sk_writer_mark(const struct sk_writer *writer);
bool sk_writer_is_signed(const struct sk_writer *writer, uint64_t mark);

/*
 * Erasing keys (erasing.c). In memory they are no more when these return, whatever they return; on disk when it was 0: otherwise sk_writer_erase_again
 * tries again, and nothing else is erased before. 0; 1 there is no such key; negative.
 */
int sk_writer_erase_day(struct sk_writer *writer, const uint8_t service[SK_ID_SIZE], uint32_t day) sk_nodiscard;
int sk_writer_erase_tenant(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE]) sk_nodiscard;
int sk_writer_release(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE], uint32_t day) sk_nodiscard;
int sk_writer_erase_copy(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE]) sk_nodiscard; /* the oldest that is due */
int sk_writer_erase_again(struct sk_writer *writer) sk_nodiscard;
/*
 * These are on disk before a key is erased, or a record written. What the tenant recorded on that day outlives the day's key: 0; 1 nothing can be kept. Of
 * the tenant's key a copy is left: 0; 1 there is no key. What is said of holds and days (journal/keys.h): 0. Or negative.
 */
int sk_writer_hold(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE], uint32_t day) sk_nodiscard;
int sk_writer_copy(struct sk_writer *writer, const uint8_t tenant[SK_ID_SIZE], const struct sk_wrap_key *recovery, uint64_t due) sk_nodiscard;
int sk_writer_say(struct sk_writer *writer, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE], uint32_t value) sk_nodiscard;
/* How many keys are erased on disk, ever. */
uint64_t sk_writer_erased(const struct sk_writer *writer);
const struct sk_keys *sk_writer_keys(const struct sk_writer *writer);
/* Files before this one are no more. */
void sk_writer_set_first(struct sk_writer *writer, uint64_t file);

/* True once when the next file should be made ready; sk_writer_prepare must then be called, by a thread of its own. */
bool sk_writer_claim_prepare(struct sk_writer *writer);
void sk_writer_prepare(struct sk_writer *writer);
/* Writes into `head` how far the journal has come, without waiting for the disk. 0 or negative. */
int sk_writer_note(struct sk_writer *writer) sk_nodiscard;
/* Is the file it writes still the one in the folder, with one link? 0 or negative. */
int sk_writer_check(const struct sk_writer *writer) sk_nodiscard;
