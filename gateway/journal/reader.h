/*
 * Reads journal files in order and checks everything a file can prove: framing, hashes, the chain of groups, each
 * tenant's sequence and tree, that records decode. Used by audit at its start and by sekisho-verify; writes nothing.
 */
#pragma once

#include "base/table.h"
#include "journal/sealed.h"

struct sk_journal_tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    struct sk_tree tree; /* its size is the next seq */
    struct sk_sealing sealing; /* of its records, last */
    uint64_t snapshot; /* the last snapshot that named it */
    uint64_t until;    /* the writer's: boot time until which processes may record for it */
};

/* An intent or start without its outcome or end. */
struct sk_journal_open {
    struct sk_table_node node;
    uint8_t tenant[SK_ID_SIZE];
    uint8_t request[SK_ID_SIZE];
    uint64_t seq;
    unsigned owner; /* the writer's: who must close it */
    uint64_t snapshot;
};

#define SK_JOURNAL_OWNERS 128

/* Where the journal stands: what a writer goes on from. */
struct sk_journal_state {
    const struct sk_keys *keys; /* open the records. NULL: what is in them is not looked at, and which intents are open only a snapshot tells */
    struct sk_table tenants;
    struct sk_table opens;
    uint32_t owned[SK_JOURNAL_OWNERS]; /* how many of `opens` each owner has */
    uint64_t file;  /* last file read */
    uint8_t node[SK_ID_SIZE], epoch[SK_ID_SIZE]; /* of all of them */
    uint64_t group; /* next group number */
    uint8_t hash[SK_FRAME_HASH]; /* of the last group */
    uint64_t records;
    uint64_t wall, boot; /* of the last group */
    uint32_t day;  /* of it, too */
    uint64_t erased; /* of `records`, those whose keys are no more: which intents are open is known from snapshots alone, since */
    bool begun;
};

struct sk_journal_error {
    uint64_t offset; /* in the file */
    uint64_t group;
    uint64_t record; /* 1-based in its group; 0: the group as a whole */
    char text[160];
};

#define SK_JOURNAL_STATE_INIT ((struct sk_journal_state){.tenants = {NULL, 0, 0}})
/* The keys stay the caller's. */
void sk_journal_state_free(struct sk_journal_state *state);

/* The tenant, or NULL. */
struct sk_journal_tenant *sk_journal_find_tenant(const struct sk_journal_state *state, const uint8_t id[SK_ID_SIZE]) sk_nodiscard;
/* The tenant, made when it is new; NULL without memory. */
struct sk_journal_tenant *sk_journal_tenant(struct sk_journal_state *state, const uint8_t id[SK_ID_SIZE]) sk_nodiscard;
/* Follows what a record opens (for `owner`, less than SK_JOURNAL_OWNERS) or closes. 0 or -ENOMEM. */
int sk_journal_follow(struct sk_journal_state *state, const struct sk_audit_record *record, unsigned owner) sk_nodiscard;

/* What a file's header says, packed or not (journal/packed.h). 0; 1 not a journal file; 2 of another format. */
int sk_journal_get_file(struct sk_slice file, struct sk_frame_file *header) sk_nodiscard;

/* One record of a journal, as it is read. */
struct sk_journal_read {
    const struct sk_frame_record *frame;
    const uint8_t *leaf; /* SK_TREE_HASH bytes; NULL when it is known of its subtree alone: in a packed file, without keys */
    const struct sk_frame_group *group; /* of one in a packed file: number and day; the clocks are those of the file's last */
    uint64_t at; /* where its frame, or its chunk, begins in the file */
    const struct sk_audit_record *record; /* NULL without keys, or when they were erased */
};
typedef void (*sk_journal_each)(void *context, const struct sk_journal_read *read);

/*
 * Reads one whole file, packed or not: in a packed one each tenant's records come together. The first file given may be any that begins with a snapshot (sk_journal_begins), or file 1:
 * its snapshot is then taken on trust; later ones must go on from it.
 *
 * `until`: the next file's `previous`, or NULL for the last file. Reading stops at the group of that hash: what may
 * stand behind it was never acknowledged, because its flush failed and the writer went on in the next file.
 * `end`: where the last group read ends; `torn`: bytes from there to the last that is not zero.
 * `each` may be NULL. 0; 1 damaged, with `error` filled; negative.
 */
int sk_journal_read(struct sk_journal_state *state, struct sk_slice file, const uint8_t *until,
        sk_journal_each each, void *context, uint64_t *end, uint64_t *torn, struct sk_journal_error *error) sk_nodiscard;

/*
 * The same for a file that is still written, piece by piece. `*at`: where the reading stands, 0 before the first piece. Reads groups until `end` is
 * reached or passed, or the group of hash `until` was read (NULL: none): all of it must be there. 0; 1 damaged, with `error` filled; negative.
 */
int sk_journal_read_on(struct sk_journal_state *state, struct sk_slice file, uint64_t *at, uint64_t end, const uint8_t *until,
        sk_journal_each each, void *context, struct sk_journal_error *error) sk_nodiscard;

/* What the file `head` says: how far the journal had come when it was written. */
struct sk_journal_head {
    uint64_t file;   /* the newest; 0: it says nothing */
    uint64_t groups; /* numbers below this were acknowledged; 0: it does not say, as those of older programs */
};

#define SK_JOURNAL_HEAD "head"
#define SK_JOURNAL_HEAD_SIZE 34

void sk_journal_put_head(const struct sk_journal_state *state, char out[SK_JOURNAL_HEAD_SIZE + 1]);
struct sk_journal_head sk_journal_get_head(struct sk_slice text);
/*
 * Is all there that `head` says, when the last file was read up to `end`? `head` must have been read before the files were
 * looked for. 0; 1 damaged, with `error` filled; 2 the file is missing, with `error` too.
 */
int sk_journal_check_head(const struct sk_journal_state *state, const struct sk_journal_head *head, uint64_t end,
        struct sk_journal_error *error) sk_nodiscard;

/*
 * Can a reading begin with this file? With its snapshot's tenants, when `each` is not NULL, how many records each had, and their root: none of it is
 * checked yet.
 */
typedef void (*sk_journal_stand)(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH]);
bool sk_journal_begins(struct sk_slice file, sk_journal_stand each, void *context);

/* The tenant's tree as the file's snapshot has it; empty when it does not name the tenant. */
void sk_journal_begins_with(struct sk_slice file, const uint8_t tenant[SK_ID_SIZE], struct sk_tree *tree);

/* "journal-0000000000000001.skj"; `out` holds 40. Number of a name, or 0. */
void sk_journal_file_name(uint64_t number, char out[40]);
uint64_t sk_journal_file_number(const char *name);
