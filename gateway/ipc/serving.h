/*
 * Reader → audit: the journal's files, to be read. The reader has no folder of its own there; it gets descriptors, opened for reading, and hears how
 * much of the newest file is durable: what stands behind that may be withdrawn.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_SERVING_FROM_READER = 1, SK_SERVING_FROM_AUDIT = 2 };

/* Where does it stand? STANDS. */
#define SK_SERVING_ASK_FIELDS(U, I, T) U(ticket)
/* `first`, `last`: numbers of the oldest file and of the newest. `end`: bytes of the newest that are durable, a group's end. `last` 0: it is not open yet. `erased`:
 * how many keys are erased on disk, ever: when it is another number, those that were read before are to be forgotten. */
#define SK_SERVING_STANDS_FIELDS(U, I, T) U(ticket) U(first) U(last) U(end) U(erased)
/* A file by its number, or that of the keys: FILE or NO_FILE, in the order of the asking. `erased` as above: what it may lack is known with it. */
#define SK_SERVING_KEYS 0U
#define SK_SERVING_OPEN_FIELDS(U, I, T) U(file)
#define SK_SERVING_FILE_FIELDS(U, I, T) U(file) U(erased)
#define SK_SERVING_NO_FILE_FIELDS(U, I, T) U(file) U(error)

/* A file was written anew, with less room (journal/packed.h): who has it open asks for it again, for the former one takes room as long as somebody has it. */
#define SK_SERVING_ANEW_FIELDS(U, I, T) U(file)

#define SK_SERVING_MESSAGES(M)                                                                               \
    M(SERVING_ASK, serving_ask, 1, SK_SERVING_FROM_READER, 0, SK_SERVING_ASK_FIELDS)                         \
    M(SERVING_OPEN, serving_open, 2, SK_SERVING_FROM_READER, 0, SK_SERVING_OPEN_FIELDS)                      \
    M(SERVING_STANDS, serving_stands, 3, SK_SERVING_FROM_AUDIT, 0, SK_SERVING_STANDS_FIELDS)                 \
    M(SERVING_FILE, serving_file, 4, SK_SERVING_FROM_AUDIT, 1, SK_SERVING_FILE_FIELDS)                       \
    M(SERVING_NO_FILE, serving_no_file, 5, SK_SERVING_FROM_AUDIT, 0, SK_SERVING_NO_FILE_FIELDS)              \
    M(SERVING_ANEW, serving_anew, 6, SK_SERVING_FROM_AUDIT, 0, SK_SERVING_ANEW_FIELDS)

SK_IPC_DECLARE(serving, SK_SERVING_MESSAGES)
