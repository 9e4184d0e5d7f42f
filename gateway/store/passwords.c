/*
 * Passwords that users chose themselves: rows of a tenant's file, each in place of the password that the tenant's file said then. When that
 * says another, the row counts for nothing any more. Runs in store alone.
 */
#include "store/rows.h"

#include <errno.h>

int sk_password_own(struct sk_file *file, const uint8_t name[SK_NAME_HASH], struct sk_buf *buf, struct sk_own_password *own)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_PASSWORD);
    union sk_ipc_any message;
    sk_file_bind(statement, 1, sk_slice(name, SK_NAME_HASH));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    int r = step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? 1 : -EIO;
    if (r == 0) {
        struct sk_slice instead_of = sk_file_column(statement, 0);
        r = instead_of.len == SK_NAME_HASH ? sk_row_unseal(file, "password", SK_STORE_PASSWORD, sk_file_column(statement, 1), buf, &message) : -EBADMSG;
        if (r == 0) {
            struct sk_slice hash = ((const struct sk_store_password *)(const void *)&message)->hash;
            memcpy(own->instead_of, instead_of.data, SK_NAME_HASH);
            own->at = (size_t)(hash.data - sk_buf_peek(buf).data);
            own->len = hash.len;
        }
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r;
}

bool sk_password_replaces(const struct sk_file *file, const struct sk_own_password *own, struct sk_slice hash)
{
    uint8_t key[SK_NAME_HASH];
    sk_row_name_hash(file, hash, key);
    return memcmp(own->instead_of, key, SK_NAME_HASH) == 0;
}

/* The password that the tenant's file says for the user. */
static int file_password(struct sk_file *file, const uint8_t name[SK_NAME_HASH], struct sk_buf *buf, struct sk_slice *hash)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_USER);
    union sk_ipc_any message;
    sk_file_bind(statement, 1, sk_slice(name, SK_NAME_HASH));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    int r = step == SQLITE_ROW ? sk_row_unseal(file, "user", SK_STORE_USER, sk_file_column(statement, 0), buf, &message) : step == SQLITE_DONE ? 1 : -EIO;
    *hash = r ? SK_SLICE_NULL : ((const struct sk_store_user *)(const void *)&message)->hash;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r;
}

static int write_row(struct sk_file *file, const uint8_t name[SK_NAME_HASH], struct sk_slice instead_of, struct sk_slice hash)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    const struct sk_store_password row = {.hash = hash};
    uint8_t key[SK_NAME_HASH];
    sk_row_name_hash(file, instead_of, key);
    int r = sk_row_seal(file, "password", SK_STORE_PASSWORD, &row, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_PASSWORD);
    sk_file_bind(statement, 1, sk_slice(name, SK_NAME_HASH));
    sk_file_bind(statement, 2, sk_slice(key, sizeof(key)));
    sk_file_bind(statement, 3, sk_buf_peek(&sealed));
    return r ? r : sk_file_run(statement);
}

int sk_engine_put_password(struct sk_engine *e, const struct sk_store_put_password *put)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64), more SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_user get = {.name = put->user};
    struct sk_store_take_voucher take = {.user = put->user, .kind = SK_VOUCHER_PASSWORD, .now = put->now, .secret = put->link};
    struct sk_store_got_user got;
    struct sk_file *file;
    struct sk_slice instead_of;
    uint8_t name[SK_NAME_HASH];
    uint64_t left;
    memcpy(get.tenant, put->tenant, SK_ID_SIZE);
    memcpy(take.tenant, put->tenant, SK_ID_SIZE);
    int r = sk_engine_file(e, put->tenant, NULL, &file);
    r = r ? r : sk_engine_get_user(e, &get, &buf, &got);
    if (r == 0 && put->before.len && !sk_slice_eq(put->before, got.hash)) {
        r = 1;
    }
    if (r) {
        return r;
    }
    sk_row_name_hash(file, put->user, name);
    r = sk_engine_transaction(file);
    if (r == 0 && put->link.len) {
        r = sk_engine_take_voucher(e, &take, &left);
    }
    r = r ? r : file_password(file, name, &more, &instead_of);
    r = r ? r : write_row(file, name, instead_of, put->hash);
    return sk_engine_commit(e, file, r);
}
