/*
 * Evidence: an archive that proves a range of a tenant's records to who has the gateway's public key (journal/FORMAT.md). Verifying reads nothing but the
 * archive. Runs in the tools.
 */
#pragma once

#include "journal/checkpoint.h"
#include "tools/checkpoints.h"

#include <stdio.h>

/* The steps of verifying, as FORMAT.md numbers them; then other checkpoints. */
enum sk_evidence_step { SK_EVIDENCE_ARCHIVE = 1, SK_EVIDENCE_SIGNATURE, SK_EVIDENCE_TREE, SK_EVIDENCE_TILES, SK_EVIDENCE_RECORDS,
    SK_EVIDENCE_PRUNING, SK_EVIDENCE_CHECKPOINTS };

#define SK_EVIDENCE_TILE 8U /* level of the largest subtree among the tiles */

/* The members, in their order. */
enum sk_evidence_member { SK_EVIDENCE_RANGE, SK_EVIDENCE_CHECKPOINT, SK_EVIDENCE_LEFT, SK_EVIDENCE_TILE_ROOTS, SK_EVIDENCE_RIGHT, SK_EVIDENCE_SALTS,
    SK_EVIDENCE_RECORDS_CBOR, SK_EVIDENCE_MEMBERS };
extern const char *const sk_evidence_names[SK_EVIDENCE_MEMBERS];

struct sk_evidence_result {
    uint64_t first, end;
    struct sk_checkpoint checkpoint;
    uint64_t earliest, latest; /* wall; 0: there is no record */
    uint64_t open;             /* intents without an outcome in the range */
    uint64_t closed_before;    /* outcomes whose intent is before it */
    uint64_t pruned;           /* the record before which all was erased, as the last word of it in the range says; 0: there is none */
    size_t met;                /* other checkpoints */
    /* Where it failed. */
    enum sk_evidence_step step;
    bool has_seq; /* `seq` is the first record of those concerned */
    uint64_t seq;
    char what[160];
};

/* Does the file begin as such an archive does? */
bool sk_evidence_is(struct sk_slice file);
/*
 * `vkey`: the gateway's. `others`: checkpoints that must be met as well, with the same key. `each` gets every record that is proven, in order, or is NULL.
 * 0; 1 it proves nothing, with step and what; -ENOMEM.
 */
int sk_evidence_verify(struct sk_slice archive, const char *vkey, const struct sk_checkpoints *others, void (*each)(void *context, const struct sk_audit_record *record),
        void *context, struct sk_evidence_result *result) sk_nodiscard;

/* One JSON object, or some lines for people; a failure goes to `err` in the form of errors. `path`: of the archive. */
void sk_evidence_print(const struct sk_evidence_result *result, bool good, const char *path, bool json, FILE *out, FILE *err);

/* ---- making one ---- */

#define SK_EVIDENCE_BLOCK ((size_t)512)
/* A member's header; what it holds follows, padded with zeros to whole blocks. 1: it is too large for tar. */
int sk_evidence_header(const char *name, uint64_t size, uint8_t out[SK_EVIDENCE_BLOCK]) sk_nodiscard;
