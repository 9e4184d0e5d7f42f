/* Reader → signer: where a tenant's tree was signed last, for who is to prove something of it. */
#pragma once

#include "ipc/interface.h"

enum { SK_NOTES_FROM_READER = 1, SK_NOTES_FROM_SIGNER = 2 };

/* The tenant's newest checkpoint: NOTE. */
#define SK_NOTES_ASK_FIELDS(U, I, T) U(ticket) I(tenant)
/* `note`: journal/checkpoint.h; empty: nothing of the tenant is signed yet, or it could not be read. */
#define SK_NOTES_NOTE_FIELDS(U, I, T) U(ticket) T(note, 712)

#define SK_NOTES_MESSAGES(M)                                                                                 \
    M(NOTES_ASK, notes_ask, 1, SK_NOTES_FROM_READER, 0, SK_NOTES_ASK_FIELDS)                                 \
    M(NOTES_NOTE, notes_note, 2, SK_NOTES_FROM_SIGNER, 0, SK_NOTES_NOTE_FIELDS)

SK_IPC_DECLARE(notes, SK_NOTES_MESSAGES)
