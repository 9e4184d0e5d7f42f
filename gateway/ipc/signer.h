/*
 * Audit ↔ signer. Audit tells of each record that is durable, by its leaf in its tenant's tree; the signer goes on with its own trees, and
 * signs where they stand. It never takes a leaf back, so who rewrites the journal cannot have it signed.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_SIGNER_FROM_AUDIT = 1, SK_SIGNER_FROM_SIGNER = 2 };

/* Of a leaf: tenant id (16), place in the tenant's tree (u64, little-endian), hash (32). */
#define SK_SIGNER_LEAF 56U
#define SK_SIGNER_LEAVES_MAX ((size_t)1000 * SK_SIGNER_LEAF)

/*
 * From the signer, at first: how many leaves of a tenant it has signed, and their root; then that it has said so of all, and which journal it signs.
 * `fresh`: none yet. It begins one when it is told that the journal begins as well, and then says so again.
 */
#define SK_SIGNER_STANDS_FIELDS(U, I, T) I(tenant) U(size) T(root, 32)
#define SK_SIGNER_SERVES_FIELDS(U, I, T) U(fresh) I(epoch)
#define SK_SIGNER_BEGIN_FIELDS(U, I, T)
/* In each tenant's order. One that is signed already is passed over. */
#define SK_SIGNER_LEAVES_FIELDS(U, I, T) T(leaves, SK_SIGNER_LEAVES_MAX)
/* Sign all that was told, and where nothing was, now and then. Answered when it is on disk, or `failed`: then nothing is signed, and it may be asked again. */
#define SK_SIGNER_SIGN_FIELDS(U, I, T) U(ticket)
#define SK_SIGNER_SIGNED_FIELDS(U, I, T) U(ticket) U(failed)
/* The key of all that this tenant recorded is no more: a certificate is to say so, unless there is one for as many records. `contract`: NAME@SERVICE. */
#define SK_SIGNER_ERASED_FIELDS(U, I, T) I(tenant) T(contract, 129)

#define SK_SIGNER_MESSAGES(M)                                                                                \
    M(SIGNER_STANDS, signer_stands, 1, SK_SIGNER_FROM_SIGNER, 0, SK_SIGNER_STANDS_FIELDS)                    \
    M(SIGNER_SERVES, signer_serves, 2, SK_SIGNER_FROM_SIGNER, 0, SK_SIGNER_SERVES_FIELDS)                    \
    M(SIGNER_BEGIN, signer_begin, 6, SK_SIGNER_FROM_AUDIT, 0, SK_SIGNER_BEGIN_FIELDS)                        \
    M(SIGNER_LEAVES, signer_leaves, 3, SK_SIGNER_FROM_AUDIT, 0, SK_SIGNER_LEAVES_FIELDS)                     \
    M(SIGNER_ERASED, signer_erased, 7, SK_SIGNER_FROM_AUDIT, 0, SK_SIGNER_ERASED_FIELDS)                     \
    M(SIGNER_SIGN, signer_sign, 4, SK_SIGNER_FROM_AUDIT, 0, SK_SIGNER_SIGN_FIELDS)                           \
    M(SIGNER_SIGNED, signer_signed, 5, SK_SIGNER_FROM_SIGNER, 0, SK_SIGNER_SIGNED_FIELDS)

SK_IPC_DECLARE(signer, SK_SIGNER_MESSAGES)
