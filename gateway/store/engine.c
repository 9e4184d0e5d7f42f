/* The SQLite engine: opening, and what auth asks of users, secrets and the signing key. Runs in store alone. */
#include "store/rows.h"

#include "base/clock.h"
#include "crypto/seal.h"
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define IMPORT_MAX ((size_t)256 << 20)

static const char *const operator_schema[] = {sk_schema_operator_1, sk_schema_operator_2, NULL};

int sk_engine_open(const char *folder, const uint8_t root_key[32], struct sk_engine **out)
{
    char path[4200];
    struct sk_engine *e = calloc(1, sizeof(*e));
    if (!e) {
        return -ENOMEM;
    }
    (void)snprintf(e->folder, sizeof(e->folder), "%s", folder);
    memcpy(e->root_key, root_key, sizeof(e->root_key));
    e->parts = SK_BUF_INIT(IMPORT_MAX);
    (void)snprintf(path, sizeof(path), "%s/tenants", folder);
    int r = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
    (void)snprintf(path, sizeof(path), "%s/operator.db", folder);
    r = r ? r : sk_file_open(&e->operator, path, operator_schema);
    if (r) {
        (void)sk_engine_free(e);
        return r;
    }
    *out = e;
    return 0;
}

struct sk_engine *sk_engine_free(struct sk_engine *e)
{
    if (e) {
        while (e->oldest) {
            sk_engine_close_file(e, e->oldest);
        }
        sk_table_free(&e->files);
        sk_file_close(&e->operator);
        sk_buf_free(&e->parts);
        sk_wipe(e, sizeof(*e));
        free(e);
    }
    return NULL;
}

int sk_row_decoy(struct sk_file *file, struct sk_buf *buf, struct sk_store_got_user *got)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    union sk_ipc_any message;
    int r = sk_meta_get(file, SK_META_DECOY, &sealed);
    if (r) {
        return r < 0 ? r : 0;
    }
    r = sk_row_unseal(file, SK_META_DECOY, SK_STORE_USER, sk_buf_peek(&sealed), buf, &message);
    got->hash = r ? SK_SLICE_NULL : ((const struct sk_store_user *)(const void *)&message)->hash;
    return r;
}

int sk_engine_get_user(struct sk_engine *e, const struct sk_store_get_user *get, struct sk_buf *buf, struct sk_store_got_user *got)
{
    struct sk_file *file;
    union sk_ipc_any message;
    uint8_t hash[SK_NAME_HASH];
    *got = (struct sk_store_got_user){.ticket = get->ticket};
    int r = sk_engine_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, get->name, hash);
    struct sk_own_password own;
    int chosen = sk_password_own(file, hash, buf, &own);
    if (chosen < 0) {
        return chosen;
    }
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_USER);
    sk_file_bind(statement, 1, sk_slice(hash, sizeof(hash)));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? sk_row_unseal(file, "user", SK_STORE_USER, sk_file_column(statement, 0), buf, &message) : step == SQLITE_DONE ? 1 : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    if (r == 0 && !sk_slice_eq(((const struct sk_store_user *)(const void *)&message)->name, get->name)) {
        r = -EBADMSG; /* another user's row under this one's name */
    }
    if (r == 0) {
        const struct sk_store_user *user = (const void *)&message;
        *got = (struct sk_store_got_user){.ticket = get->ticket, .known = 1, .name = user->name, .backend = user->backend, .hash = user->hash,
                .roles = user->roles, .networks = user->networks, .scope = user->scope, .restricted = user->restricted, .disabled = user->disabled};
        if (chosen == 0 && sk_password_replaces(file, &own, user->hash)) {
            got->hash = sk_slice(sk_buf_peek(buf).data + own.at, own.len);
        }
    }
    if (r == 1) {
        r = sk_row_decoy(file, buf, got);
        return r ? r : 1;
    }
    return r;
}

int sk_engine_get_secrets(struct sk_engine *e, const struct sk_store_get_secrets *get,
        void (*each)(void *context, struct sk_slice header, struct sk_slice value), void *context)
{
    struct sk_file *file;
    uint8_t hash[SK_NAME_HASH];
    int r = sk_engine_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, get->app, hash);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_SECRETS);
    sk_file_bind(statement, 1, sk_slice(hash, sizeof(hash)));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    for (; r == 0 && step == SQLITE_ROW; step = sk_file_step(statement)) {
        struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        union sk_ipc_any message;
        r = sk_row_unseal(file, "secret", SK_STORE_SECRET, sk_file_column(statement, 1), &plain, &message);
        if (r == 0) {
            const struct sk_store_secret *secret = (const void *)&message;
            if (!sk_slice_eq(secret->app, get->app)) {
                r = -EBADMSG; /* another app's row under this one's name */
                break;
            }
            each(context, secret->header, secret->value);
            sk_wipe(plain.data, plain.size);
        }
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

int sk_engine_get_key(struct sk_engine *e, struct sk_buf *der)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    int r = sk_meta_get(&e->operator, "signing key", &sealed);
    return r ? r : sk_unseal(e->root_key, SK_LIT("signing key"), sk_buf_peek(&sealed), der) ? -EBADMSG : 0;
}

int sk_engine_put_key(struct sk_engine *e, struct sk_slice der)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    int r = sk_seal(e->root_key, SK_LIT("signing key"), der, &sealed);
    return r ? r : sk_meta_put(&e->operator, "signing key", sk_buf_peek(&sealed));
}
