/*
 * Auth → reader: questions about one tenant's records. Auth has judged who asks, and has it on record, before the reader hears of it. Answers come by
 * ticket: rows, then DONE.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_READER_FROM_AUTH = 1, SK_READER_FROM_READER = 2 };

#define SK_READER_PATH "/.sekisho/api/v1/audit" /* where workers are asked */
#define SK_READER_ROOTS 4096U  /* bytes of roots on one side */
#define SK_READER_ON_THE_WAY 4U /* answers that were not taken yet: with so many, others wait */
#define SK_READER_OF_TENANT 16U /* questions that a tenant may have at a time */

/*
 * Records of the tenant that `terms` (journal/terms.h) ask for, with times in [from, to), wall ns, 0: no bound; and numbers below `before` (0: no
 * bound) and from `after` on. RECORD for each, the newest first, at most `limit`. `wait`: ns for which the answer may wait for a first one; records
 * of somebody reading the trail do not end it, and with `before` nothing can come. `salted`: with each its leaf's salt, too.
 */
#define SK_READER_FIND_FIELDS(U, I, T) U(ticket) I(tenant) T(terms, 8192) U(from) U(to) U(before) U(after) U(limit) U(wait) U(salted)
/* How many there are in each `step` ns from `from` to `to`: COUNT for each that has some, in order. */
#define SK_READER_COUNTS_FIELDS(U, I, T) U(ticket) I(tenant) T(terms, 8192) U(from) U(to) U(step)
/*
 * Of the least range of records that has all with times in [from, to) and numbers from `after` to below `before` in it, as far as they are signed: which it
 * is, the newest checkpoint, and what of its tree is beside the range. PROOF, then DONE.
 */
#define SK_READER_PROVE_FIELDS(U, I, T) U(ticket) I(tenant) U(from) U(to) U(before) U(after)
/* Deterministic CBOR (journal/record.h). `salt`: 16 bytes, or none. */
#define SK_READER_RECORD_FIELDS(U, I, T) U(ticket) T(cbor, 4096) T(salt, 16)
/* [first, end) of a tree of `size` records; `note` says so, signed. `left`, `right`: roots of whole subtrees, 32 bytes each, in the order of FORMAT.md. */
#define SK_READER_PROOF_FIELDS(U, I, T) U(ticket) U(first) U(end) U(size) T(note, 712) T(left, SK_READER_ROOTS) T(right, SK_READER_ROOTS)
/* By decision. */
#define SK_READER_COUNT_FIELDS(U, I, T) U(ticket) U(from) U(allow) U(deny) U(challenge) U(error)
/* `next`: the number below which there may be more, or 0; `size`: how many records the tenant's trail has, in all. */
enum sk_reader_status { SK_READER_ANSWERED, SK_READER_NOT_READY, SK_READER_BROKEN, SK_READER_UNSIGNED };
#define SK_READER_DONE_FIELDS(U, I, T) U(ticket) U(status) U(next) U(size)

/* DONE was taken: there is room for another answer. And: nobody waits for an answer any more; if DONE has crossed it, both. */
#define SK_READER_TAKEN_FIELDS(U, I, T) U(ticket)
#define SK_READER_CANCEL_FIELDS(U, I, T) U(ticket)

#define SK_READER_MESSAGES(M)                                                                                \
    M(READER_FIND, reader_find, 1, SK_READER_FROM_AUTH, 0, SK_READER_FIND_FIELDS)                            \
    M(READER_COUNTS, reader_counts, 2, SK_READER_FROM_AUTH, 0, SK_READER_COUNTS_FIELDS)                      \
    M(READER_RECORD, reader_record, 3, SK_READER_FROM_READER, 0, SK_READER_RECORD_FIELDS)                    \
    M(READER_COUNT, reader_count, 4, SK_READER_FROM_READER, 0, SK_READER_COUNT_FIELDS)                       \
    M(READER_PROVE, reader_prove, 6, SK_READER_FROM_AUTH, 0, SK_READER_PROVE_FIELDS)                         \
    M(READER_PROOF, reader_proof, 7, SK_READER_FROM_READER, 0, SK_READER_PROOF_FIELDS)                       \
    M(READER_TAKEN, reader_taken, 8, SK_READER_FROM_AUTH, 0, SK_READER_TAKEN_FIELDS)                         \
    M(READER_CANCEL, reader_cancel, 9, SK_READER_FROM_AUTH, 0, SK_READER_CANCEL_FIELDS)                      \
    M(READER_DONE, reader_done, 5, SK_READER_FROM_READER, 0, SK_READER_DONE_FIELDS)

SK_IPC_DECLARE(reader, SK_READER_MESSAGES)
