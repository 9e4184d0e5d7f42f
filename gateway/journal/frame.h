/*
 * The journal's files: a header block, then commit groups, each starting at a multiple of 4 KiB. FORMAT.md is the
 * text of record. Pure apart from hashing; shared by audit and sekisho-verify, which links not one line that writes.
 *
 *   file   header: magic, format, file number, hash of the previous file's last group
 *   group  header: magic, file number, group number, sizes, count, times, previous group's hash, own hash;
 *          body:   records, or a snapshot (first groups of a file only); then zeros to the block's end
 *   record header: length, kind, tenant id, tenant seq; then the sealed record
 *
 * The chain of groups orders what was written, and says so. What a tenant's records prove stands in their own tree (journal/tree.h), whose
 * leaf number seq is this record (journal/sealed.h).
 */
#pragma once

#include "base/buf.h"
#include "sekisho/audit.h"

#define SK_FRAME_BLOCK ((size_t)4096)
#define SK_FRAME_HASH 32
#define SK_FRAME_FORMAT 5U
#define SK_FRAME_GROUP_HEADER ((size_t)136)
#define SK_FRAME_RECORD_HEADER ((size_t)32)
#define SK_FRAME_BODY_MAX ((size_t)16 << 20)

/* What a record's bytes are. A reader refuses unknown kinds. */
enum sk_frame_kind { SK_FRAME_SEALED = 2 };
#define SK_FRAME_RECORD_MAX ((size_t)SK_AUDIT_RECORD_MAX + 64) /* bytes in one frame, without its header */

struct sk_frame_file {
    uint64_t number;
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE]; /* whose checkpoints it is held to */
    uint8_t previous[SK_FRAME_HASH]; /* zero in file 1 */
    bool packed; /* journal/packed.h */
};

/*
 * A snapshot says where every tenant's sequence stands and which intents are open, so that a reader may begin here. One
 * group holds it, or parts and then one group.
 */
enum sk_frame_group_kind { SK_FRAME_RECORDS = 1, SK_FRAME_SNAPSHOT = 2, SK_FRAME_PART = 3 };

struct sk_frame_group {
    uint64_t file;
    uint64_t number; /* counts on over files */
    enum sk_frame_group_kind kind;
    uint32_t body;  /* bytes, without the zeros behind */
    uint32_t count; /* of records; of entries in this group of a snapshot */
    uint64_t wall, boot;     /* ns, when the group was closed */
    uint32_t day;            /* that its records are sealed for: since 1970-01-01, UTC */
    uint8_t run[SK_ID_SIZE]; /* of the writer, by chance: one tenant's seq is sealed once in it */
    uint8_t previous[SK_FRAME_HASH];
    uint8_t hash[SK_FRAME_HASH]; /* of this group: SHA-256 over header (without this) and body */
};

struct sk_frame_record {
    uint32_t len;
    enum sk_frame_kind kind;
    uint8_t tenant[SK_ID_SIZE];
    uint64_t seq;
};

/* Bytes that a group with this body takes on disk. */
static inline size_t sk_frame_group_size(size_t body)
{
    return (SK_FRAME_GROUP_HEADER + body + SK_FRAME_BLOCK - 1) & ~(SK_FRAME_BLOCK - 1);
}

void sk_frame_put_file(const struct sk_frame_file *file, uint8_t out[SK_FRAME_BLOCK]);
/* 0; 1 not a journal file, or a packed one; 2 another format than this. */
int sk_frame_get_file(const uint8_t in[SK_FRAME_BLOCK], struct sk_frame_file *file) sk_nodiscard;

/* Fills `group->hash` from the rest and the body, and writes the header. */
void sk_frame_put_group(struct sk_frame_group *group, const uint8_t *body, uint8_t out[SK_FRAME_GROUP_HEADER]);
/* Reads the header alone. 0; 1 no group begins here. */
int sk_frame_get_group(const uint8_t in[SK_FRAME_GROUP_HEADER], struct sk_frame_group *group) sk_nodiscard;
/* True when header and body are those that were hashed. */
bool sk_frame_check_group(const uint8_t header[SK_FRAME_GROUP_HEADER], const uint8_t *body, size_t len);

void sk_frame_put_record(const struct sk_frame_record *record, uint8_t out[SK_FRAME_RECORD_HEADER]);
/* Takes the next record off `body`; `held` borrows. 0; 1 malformed. */
int sk_frame_next_record(struct sk_slice *body, struct sk_frame_record *record, struct sk_slice *held) sk_nodiscard;

/* A snapshot's entries: a tenant's next seq and its tree's root, then that tree's peaks, largest first, each with its place as seq; or an open intent's
 * seq and request id. */
#define SK_FRAME_ENTRY ((size_t)64)
enum sk_frame_entry_kind { SK_FRAME_TENANT = 1, SK_FRAME_INTENT = 2, SK_FRAME_PEAK = 3 };

struct sk_frame_entry {
    enum sk_frame_entry_kind kind;
    uint8_t tenant[SK_ID_SIZE];
    uint64_t seq;
    uint8_t hash[SK_FRAME_HASH]; /* of an intent: its request id, then zeros */
};

void sk_frame_put_entry(const struct sk_frame_entry *entry, uint8_t out[SK_FRAME_ENTRY]);
/* Takes the next entry off `body`. 0; 1 malformed. */
int sk_frame_next_entry(struct sk_slice *body, struct sk_frame_entry *entry) sk_nodiscard;
