/* Worker ↔ auth: what is asked of the audit trail. Fields of messages that stand in ipc/auth.h with the others. */
#pragma once

/* The tenant's records, and counts of them: as FIND, COUNTS and PROVE of ipc/reader.h, then FOUND. `question`: as it was asked, for the record of the asking. */
#define SK_AUTH_FIND_FIELDS(U, I, T)                                                                         \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(question, 512) T(terms, 16384) U(from) U(to) U(before) U(after) U(limit) U(wait) U(salted)
#define SK_AUTH_PROVE_FIELDS(U, I, T)                                                                        \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(question, 512) U(from) U(to) U(before) U(after)
#define SK_AUTH_COUNTS_FIELDS(U, I, T)                                                                       \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(question, 512) T(terms, 16384) U(from) U(to) U(step)
#define SK_AUTH_RECORD_FIELDS(U, I, T) U(ticket) T(cbor, 4096) T(salt, 16)
#define SK_AUTH_PROOF_FIELDS(U, I, T) U(ticket) U(first) U(end) U(size) T(note, 712) T(left, 4096) T(right, 4096)
#define SK_AUTH_COUNT_FIELDS(U, I, T) U(ticket) U(from) U(allow) U(deny) U(challenge) U(error)
#define SK_AUTH_FOUND_FIELDS(U, I, T) U(ticket) U(next) U(size)
