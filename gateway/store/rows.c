/* Rows and files of the engine: sealing, and which tenants' files are open. Runs in store alone. */
#include "store/rows.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES_OPEN_MAX 128

static const char *const tenant_schema[] = {sk_schema_tenant_1, sk_schema_tenant_2, sk_schema_tenant_3, sk_schema_tenant_4, sk_schema_tenant_5,
        sk_schema_tenant_6, sk_schema_tenant_7, NULL};

/* The place of a sealed value: column, then tenant. A value moved elsewhere does not unseal. */
static struct sk_slice place(const struct sk_file *file, const char *column, char out[64])
{
    int len = snprintf(out, 32, "%s", column);
    memcpy(out + len + 1, file->tenant, SK_ID_SIZE);
    return sk_slice(out, (size_t)len + 1 + SK_ID_SIZE);
}

void sk_row_name_hash(const struct sk_file *file, struct sk_slice name, uint8_t out[SK_NAME_HASH])
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_hmac(sk_slice(file->lookup, sizeof(file->lookup)), name, hash);
    memcpy(out, hash, SK_NAME_HASH);
}

int sk_row_seal(const struct sk_file *file, const char *column, uint16_t code, const void *message, struct sk_buf *sealed)
{
    uint8_t plain[SK_IPC_MESSAGE_MAX];
    char where[64];
    int len = sk_ipc_encode(&sk_store_interface, code, message, plain, sizeof(plain));
    if (len < 0) {
        return len;
    }
    int r = sk_seal(file->key, place(file, column, where), sk_slice(plain, (size_t)len), sealed);
    sk_wipe(plain, (size_t)len);
    return r;
}

int sk_row_unseal(const struct sk_file *file, const char *column, uint16_t code, struct sk_slice sealed, struct sk_buf *buf, union sk_ipc_any *message)
{
    const struct sk_ipc_layout *layout;
    char where[64];
    size_t before = sk_buf_len(buf);
    int r = sk_unseal(file->key, place(file, column, where), sealed, buf);
    if (r) {
        return r < 0 ? r : -EBADMSG;
    }
    struct sk_slice plain = sk_slice_from(sk_buf_peek(buf), before);
    if (sk_ipc_decode(&sk_store_interface, SK_STORE_FROM_SUPERVISOR | SK_STORE_IN_ROW, plain, message, &layout)) {
        return -EBADMSG;
    }
    return layout->code == code ? 0 : -EBADMSG;
}

/* ---- files ---- */

static void unlink_use(struct sk_engine *e, struct sk_file *file)
{
    *(file->newer ? &file->newer->older : &e->newest) = file->older;
    *(file->older ? &file->older->newer : &e->oldest) = file->newer;
}

static void link_use(struct sk_engine *e, struct sk_file *file)
{
    file->older = e->newest;
    file->newer = NULL;
    *(e->newest ? &e->newest->newer : &e->oldest) = file;
    e->newest = file;
}

void sk_engine_close_file(struct sk_engine *e, struct sk_file *file)
{
    unlink_use(e, file);
    sk_table_remove(&e->files, &file->node);
    sk_file_close(file);
    sk_wipe(file, sizeof(*file));
    free(file);
}

/* The tenant's key: unwrapped, or made and wrapped when the tenant is new and `begin` names it. */
static int tenant_key(struct sk_engine *e, struct sk_file *file, const struct sk_store_begin *begin)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    char where[64];
    struct sk_slice id = sk_slice(file->tenant, SK_ID_SIZE), at = place(file, "tenant key", where);
    sqlite3_stmt *get = sk_file_statement(&e->operator, SK_SQL_GET_TENANT);
    sk_file_bind(get, 1, id);
    int step = get ? sk_file_step(get) : SQLITE_ERROR;
    int r = -EIO;
    if (step == SQLITE_ROW) {
        bool opened = sk_unseal(e->root_key, at, sk_file_column(get, 0), &buf) == 0;
        struct sk_slice key = sk_buf_peek(&buf);
        r = opened && key.len == sizeof(file->key) ? 0 : -EBADMSG;
        if (r == 0) {
            memcpy(file->key, key.data, sizeof(file->key));
        }
    } else if (step == SQLITE_DONE && begin) {
        sk_random(file->key, sizeof(file->key));
        r = sk_seal(e->root_key, at, sk_slice(file->key, sizeof(file->key)), &buf);
        sqlite3_stmt *put = sk_file_statement(&e->operator, SK_SQL_PUT_TENANT);
        sk_file_bind(put, 1, id);
        sk_file_bind(put, 2, begin->name);
        sk_file_bind(put, 3, begin->service);
        sk_file_bind(put, 4, sk_buf_peek(&buf));
        r = r ? r : sk_file_run(put);
    } else if (step == SQLITE_DONE) {
        r = 1;
    }
    if (get) {
        (void)sqlite3_reset(get);
    }
    sk_wipe(buf.data, buf.size);
    sk_digest_derive(sk_slice(file->key, sizeof(file->key)), "lookup", SK_SLICE_NULL, file->lookup);
    return r;
}

int sk_engine_file(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], const struct sk_store_begin *begin, struct sk_file **out)
{
    char hex[2 * SK_ID_SIZE + 1], path[sizeof(e->folder) + 64];
    uint64_t hash = sk_table_hash(sk_slice(tenant, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&e->files, hash); n; n = sk_table_next(n)) {
        struct sk_file *file = SK_CONTAINER(n, struct sk_file, node);
        if (memcmp(file->tenant, tenant, SK_ID_SIZE) == 0) {
            unlink_use(e, file);
            link_use(e, file);
            *out = file;
            return 0;
        }
    }
    struct sk_file *file = calloc(1, sizeof(*file));
    if (!file) {
        return -ENOMEM;
    }
    memcpy(file->tenant, tenant, SK_ID_SIZE);
    sk_hex_encode(tenant, SK_ID_SIZE, hex);
    (void)snprintf(path, sizeof(path), "%s/tenants/%s.db", e->folder, hex);
    int r = tenant_key(e, file, begin);
    if (r == 0 && sk_file_open(file, path, tenant_schema) > 0) {
        r = -EPROTONOSUPPORT; /* of a newer schema */
    } else if (r == 0 && !file->db) {
        r = -EIO;
    }
    r = r ? r : sk_table_add(&e->files, &file->node, hash);
    if (r) {
        sk_file_close(file);
        sk_wipe(file, sizeof(*file));
        free(file);
        return r;
    }
    link_use(e, file);
    if (e->files.count > FILES_OPEN_MAX) {
        sk_engine_close_file(e, e->oldest);
    }
    *out = file;
    return 0;
}

/* ---- meta ---- */

int sk_meta_get(struct sk_file *file, const char *key, struct sk_buf *out)
{
    sqlite3_stmt *get = sk_file_statement(file, SK_SQL_GET_META);
    if (!get) {
        return -EIO;
    }
    (void)sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    int step = sk_file_step(get);
    int r = step == SQLITE_ROW ? sk_buf_put(out, sk_file_column(get, 0)) : step == SQLITE_DONE ? 1 : -EIO;
    (void)sqlite3_reset(get);
    return r;
}

int sk_meta_put(struct sk_file *file, const char *key, struct sk_slice value)
{
    sqlite3_stmt *put = sk_file_statement(file, SK_SQL_PUT_META);
    if (!put) {
        return -EIO;
    }
    (void)sqlite3_bind_text(put, 1, key, -1, SQLITE_STATIC);
    sk_file_bind(put, 2, value);
    return sk_file_run(put);
}

/* ---- transactions ---- */

int sk_engine_transaction(struct sk_file *file)
{
    return sk_file_run(sk_file_statement(file, SK_SQL_BEGIN));
}

int sk_engine_commit(struct sk_engine *e, struct sk_file *file, int r)
{
    r = r ? r : sk_file_run(sk_file_statement(file, SK_SQL_COMMIT));
    if (r) {
        file->penalties = r < 0 ? 0 : file->penalties; /* some that were counted are perhaps taken back */
        (void)!sk_file_run(sk_file_statement(file, SK_SQL_ROLLBACK));
        if (!sqlite3_get_autocommit(file->db)) {
            sk_engine_close_file(e, file); /* without memory even a rollback fails: closing takes the rest back */
        }
    }
    return r;
}
