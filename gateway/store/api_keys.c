/*
 * When programs' keys were last used: rows of a tenant's file beside those of the users, which say what keys there are. A row goes with its key.
 * Runs in store alone.
 */
#include "store/rows.h"

#include "base/text.h"
#include "conf/conf.h"

#include <errno.h>

#define NAME_MAX_BYTES 256

struct api_key {
    uint8_t sha256[SK_SHA256_SIZE];
    uint64_t expires;
    struct sk_slice certificate;
};

/* Takes the next of a program's keys, as its row has them. 0; 1 there are no more. */
static int next_key(struct sk_slice *keys, struct api_key *key)
{
    key->certificate = sk_slice_split(keys, ',');
    struct sk_slice digits = sk_slice_split(&key->certificate, ':'), expires = sk_slice_split(&key->certificate, ':');
    return sk_hex_decode(digits, key->sha256, sizeof(key->sha256)) || sk_slice_u64(expires, UINT64_MAX, &key->expires) ? 1 : 0;
}

static void hash_key(const struct sk_file *file, struct sk_slice user, const uint8_t sha256[SK_SHA256_SIZE], uint8_t out[SK_NAME_HASH])
{
    char text[NAME_MAX_BYTES + 1 + SK_SHA256_SIZE];
    user = sk_slice_cut(user, NAME_MAX_BYTES);
    if (user.len) {
        memcpy(text, user.data, user.len);
    }
    text[user.len] = '\n';
    memcpy(text + user.len + 1, sha256, SK_SHA256_SIZE);
    sk_row_name_hash(file, sk_slice(text, user.len + 1 + SK_SHA256_SIZE), out);
}

/* ---- used ---- */

static int write_used(struct sk_file *file, const struct sk_store_use_api_key *use)
{
    uint8_t key[SK_NAME_HASH];
    hash_key(file, use->user, (const uint8_t *)use->sha256.data, key);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_USE_API_KEY);
    sk_file_bind(statement, 1, sk_slice(key, sizeof(key)));
    sk_file_bind_number(statement, 2, use->used);
    return sk_file_run(statement);
}

int sk_engine_use_api_key(struct sk_engine *e, const struct sk_store_use_api_key *use)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_user get = {.name = use->user};
    struct sk_store_got_user got;
    struct sk_file *file;
    struct api_key key;
    memcpy(get.tenant, use->tenant, SK_ID_SIZE);
    int r = use->sha256.len == SK_SHA256_SIZE ? sk_engine_get_user(e, &get, &buf, &got) : 1;
    if (r || got.backend != SK_BACKEND_KEY) {
        return r < 0 ? r : 1;
    }
    while (next_key(&got.hash, &key) == 0) {
        if (sk_slice_eq(use->sha256, sk_slice(key.sha256, sizeof(key.sha256)))) {
            r = sk_engine_file(e, use->tenant, NULL, &file);
            return r ? r : write_used(file, use);
        }
    }
    return 1;
}

int sk_api_keys_keep(struct sk_file *file, const struct sk_store_user *user, int64_t mark)
{
    struct sk_slice keys = user->backend == SK_BACKEND_KEY ? user->hash : SK_SLICE_NULL;
    struct api_key key;
    int r = 0;
    while (r == 0 && next_key(&keys, &key) == 0) {
        uint8_t row[SK_NAME_HASH];
        hash_key(file, user->name, key.sha256, row);
        sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_KEEP_API_KEY);
        sk_file_bind(statement, 1, sk_slice(row, sizeof(row)));
        sk_file_bind_number(statement, 2, (uint64_t)mark);
        r = sk_file_run(statement);
    }
    return r;
}

/* ---- listed ---- */

/* 0 with when it was; 0 for never. */
static int last_use(struct sk_file *file, struct sk_slice user, const struct api_key *key, uint64_t *used)
{
    uint8_t row[SK_NAME_HASH];
    hash_key(file, user, key->sha256, row);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_API_KEY);
    sk_file_bind(statement, 1, sk_slice(row, sizeof(row)));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    *used = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -EIO;
}

struct listing {
    const struct sk_store_list_api_keys *list;
    void (*each)(void *context, const struct sk_store_got_api_key *key);
    void *context;
    uint64_t count;
};

static int list_user(struct listing *l, struct sk_file *file, const struct sk_store_user *user)
{
    struct sk_slice keys = user->backend == SK_BACKEND_KEY ? user->hash : SK_SLICE_NULL;
    struct api_key key;
    int r = 0;
    while (r == 0 && next_key(&keys, &key) == 0) {
        struct sk_store_got_api_key got = {.ticket = l->list->ticket, .user = user->name, .sha256 = sk_slice(key.sha256, sizeof(key.sha256)),
                .expires = key.expires, .certificate = key.certificate};
        r = last_use(file, user->name, &key, &got.used);
        if (r == 0 && l->count++ < l->list->most) {
            l->each(l->context, &got);
        }
    }
    return r;
}

int sk_engine_list_api_keys(struct sk_engine *e, const struct sk_store_list_api_keys *list, void (*each)(void *context, const struct sk_store_got_api_key *key),
        void *context, uint64_t *count)
{
    struct listing l = {list, each, context, 0};
    struct sk_file *file;
    uint8_t name[SK_NAME_HASH];
    int r = sk_engine_file(e, list->tenant, NULL, &file), step = SQLITE_DONE;
    *count = 0;
    if (r) {
        return r;
    }
    sqlite3_stmt *statement = sk_file_statement(file, list->user.len ? SK_SQL_GET_USER : SK_SQL_LIST_USERS);
    if (list->user.len) {
        sk_row_name_hash(file, list->user, name);
        sk_file_bind(statement, 1, sk_slice(name, sizeof(name)));
    }
    while (r == 0 && (step = statement ? sk_file_step(statement) : SQLITE_ERROR) == SQLITE_ROW) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        union sk_ipc_any message;
        r = sk_row_unseal(file, "user", SK_STORE_USER, sk_file_column(statement, 0), &buf, &message);
        const struct sk_store_user *user = (const void *)&message;
        bool theirs = r == 0 && (list->user.len == 0 || sk_slice_eq(user->name, list->user));
        /* A row that does not unseal, or stands under another's name, is nobody's. */
        r = theirs ? list_user(&l, file, user) : r == -EBADMSG ? 0 : r;
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    *count = l.count;
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}
