/* Rows and open files of the engine. Between store's own files. */
#pragma once

#include "crypto/digest.h"
#include "store/engine.h"
#include "store/files.h"

#define SK_NAME_HASH 16
#define SK_META_DECOY "decoy" /* a sealed SK_STORE_USER of which only the hash says something */

struct sk_engine {
    char folder[4096];
    uint8_t root_key[32];
    struct sk_file operator;
    struct sk_table files;
    struct sk_file *newest, *oldest;
    /* The import under way. It is kept here until its end, so that nobody sees half of it and no session is put or
     * dropped inside a transaction that may still be taken back. */
    bool importing;
    bool unsure; /* an import before it did not finish: what it changed was perhaps never told */
    uint8_t tenant[SK_ID_SIZE];
    char digest[64];
    size_t digest_len;
    struct sk_buf parts;
};

/* The tenant's file, opened when it is not; with `begin`, made when it is not there. 0; 1 no such tenant; negative:
 * -EPROTONOSUPPORT when its file is of a newer schema. */
int sk_engine_file(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], const struct sk_store_begin *begin, struct sk_file **file) sk_nodiscard;
void sk_engine_close_file(struct sk_engine *e, struct sk_file *file);
/* All between the two, or nothing when `r` is not 0 or the commit fails; then the file is perhaps closed. As `r`, else 0 or
 * negative. */
int sk_engine_transaction(struct sk_file *file) sk_nodiscard;
int sk_engine_commit(struct sk_engine *e, struct sk_file *file, int r) sk_nodiscard;

/* A name's keyed hash, by which its row is found. */
void sk_row_name_hash(const struct sk_file *file, struct sk_slice name, uint8_t out[SK_NAME_HASH]);
/* 0 or negative. */
int sk_row_seal(const struct sk_file *file, const char *column, uint16_t code, const void *message, struct sk_buf *sealed) sk_nodiscard;
/* Unseals into `buf` and decodes; the message's texts live there. A value that does not unseal counts as broken. */
int sk_row_unseal(const struct sk_file *file, const char *column, uint16_t code, struct sk_slice sealed, struct sk_buf *buf, union sk_ipc_any *message) sk_nodiscard;
/* What the password of somebody unknown is compared with, as `got`'s hash. Nothing when no import has noted it. 0 or negative. */
int sk_row_decoy(struct sk_file *file, struct sk_buf *buf, struct sk_store_got_user *got) sk_nodiscard;

/* A user's own password: where its hash stands in the buffer, and what it is in place of. */
struct sk_own_password {
    uint8_t instead_of[SK_NAME_HASH];
    size_t at, len;
};

/* Unseals into `buf`. 0; 1 there is none; negative. */
int sk_password_own(struct sk_file *file, const uint8_t name[SK_NAME_HASH], struct sk_buf *buf, struct sk_own_password *own) sk_nodiscard;
/* Is it in place of this one, which the tenant's file says? */
bool sk_password_replaces(const struct sk_file *file, const struct sk_own_password *own, struct sk_slice hash);

/* 0; 1 not there; negative. */
int sk_meta_get(struct sk_file *file, const char *key, struct sk_buf *out) sk_nodiscard;
int sk_meta_put(struct sk_file *file, const char *key, struct sk_slice value) sk_nodiscard;

/* api_keys.c: inside a transaction. What is known of the user's keys is marked, and so kept. */
int sk_api_keys_keep(struct sk_file *file, const struct sk_store_user *user, int64_t mark) sk_nodiscard;

/* sessions.c: inside a transaction. Drops the sessions of these users, given by their names' hashes in order. */
int sk_sessions_drop_users(struct sk_file *file, const uint8_t (*users)[SK_NAME_HASH], size_t count) sk_nodiscard;
