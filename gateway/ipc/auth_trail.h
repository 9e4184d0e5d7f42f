/* Worker ↔ auth: what is asked of the audit trail. Fields of messages that stand in ipc/auth.h with the others. */
#pragma once

/*
 * By who may read the trail. `what`: enum sk_query_use, and `query` what it reads (journal/query.h): auth has that on record before the reader hears of it.
 * RECORD, COUNT or PROOF for each, then FOUND.
 */
#define SK_AUTH_SEARCH_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) U(what) T(query, 512)
/* FOUND was taken: there is room for another answer. And: nobody waits for an answer any more. */
#define SK_AUTH_TAKEN_FIELDS(U, I, T) U(ticket)
#define SK_AUTH_CANCEL_FIELDS(U, I, T) U(ticket)
/* As in ipc/reader.h. */
#define SK_AUTH_RECORD_FIELDS(U, I, T) U(ticket) T(cbor, 4096) T(salt, 16)
#define SK_AUTH_PROOF_FIELDS(U, I, T) U(ticket) U(first) U(end) U(size) T(note, 712) T(left, 4096) T(right, 4096)
#define SK_AUTH_COUNT_FIELDS(U, I, T) U(ticket) U(from) U(allow) U(deny) U(challenge) U(error)
#define SK_AUTH_FOUND_FIELDS(U, I, T) U(ticket) U(next) U(size)
