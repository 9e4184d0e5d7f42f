/* What is good once, links and recovery codes: rows of a tenant's file, by keyed hash. Runs in store alone. */
#include "store/rows.h"

#include <errno.h>

static int run_for_user(struct sk_file *file, enum sk_statement which, const uint8_t user[SK_NAME_HASH], uint64_t kind)
{
    sqlite3_stmt *statement = sk_file_statement(file, which);
    sk_file_bind(statement, 1, sk_slice(user, SK_NAME_HASH));
    sk_file_bind_number(statement, 2, kind);
    return sk_file_run(statement);
}

static int sweep(struct sk_file *file, uint64_t now)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_SWEEP_VOUCHERS);
    sk_file_bind_number(statement, 1, now);
    return sk_file_run(statement);
}

static int insert(struct sk_file *file, const struct sk_store_put_vouchers *put, const uint8_t user[SK_NAME_HASH], struct sk_slice secret)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    const struct sk_store_voucher row = {.user = put->user};
    uint8_t key[SK_NAME_HASH];
    sk_row_name_hash(file, secret, key);
    int r = sk_row_seal(file, "voucher", SK_STORE_VOUCHER, &row, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_VOUCHER);
    sk_file_bind(statement, 1, sk_slice(key, sizeof(key)));
    sk_file_bind(statement, 2, sk_slice(user, SK_NAME_HASH));
    sk_file_bind_number(statement, 3, put->kind);
    sk_file_bind_number(statement, 4, put->ends);
    sk_file_bind(statement, 5, sk_buf_peek(&sealed));
    return r ? r : sk_file_run(statement);
}

int sk_engine_put_vouchers(struct sk_engine *e, const struct sk_store_put_vouchers *put)
{
    struct sk_file *file;
    uint8_t user[SK_NAME_HASH];
    int r = sk_engine_file(e, put->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, put->user, user);
    r = sk_engine_transaction(file);
    r = r ? r : run_for_user(file, SK_SQL_DROP_VOUCHERS, user, put->kind);
    r = r ? r : sweep(file, put->now);
    for (struct sk_slice secrets = put->secrets; r == 0 && secrets.len;) {
        r = insert(file, put, user, sk_slice_split(&secrets, '\n'));
    }
    return sk_engine_commit(e, file, r);
}

int sk_engine_get_voucher(struct sk_engine *e, const struct sk_store_get_voucher *get, struct sk_buf *buf, struct sk_store_got_voucher *got)
{
    struct sk_file *file;
    union sk_ipc_any message;
    uint8_t key[SK_NAME_HASH];
    int r = sk_engine_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, get->secret, key);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_VOUCHER);
    sk_file_bind(statement, 1, sk_slice(key, sizeof(key)));
    sk_file_bind_number(statement, 2, get->kind);
    sk_file_bind_number(statement, 3, get->now);
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? sk_row_unseal(file, "voucher", SK_STORE_VOUCHER, sk_file_column(statement, 0), buf, &message)
        : step == SQLITE_DONE ? 1 : -EIO;
    if (r == 0) {
        *got = (struct sk_store_got_voucher){.ticket = get->ticket, .user = ((const struct sk_store_voucher *)(const void *)&message)->user};
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r;
}

int sk_engine_take_voucher(struct sk_engine *e, const struct sk_store_take_voucher *take, uint64_t *left)
{
    struct sk_file *file;
    uint8_t key[SK_NAME_HASH], user[SK_NAME_HASH];
    int r = sk_engine_file(e, take->tenant, NULL, &file);
    *left = 0;
    if (r) {
        return r;
    }
    sk_row_name_hash(file, take->secret, key);
    sk_row_name_hash(file, take->user, user);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_TAKE_VOUCHER);
    sk_file_bind(statement, 1, sk_slice(key, sizeof(key)));
    sk_file_bind_number(statement, 2, take->kind);
    sk_file_bind_number(statement, 3, take->now);
    sk_file_bind(statement, 4, sk_slice(user, sizeof(user)));
    r = sk_file_run(statement);
    if (r || sqlite3_changes(file->db) == 0) {
        return r ? r : 1;
    }
    statement = sk_file_statement(file, SK_SQL_COUNT_VOUCHERS);
    sk_file_bind(statement, 1, sk_slice(user, sizeof(user)));
    sk_file_bind_number(statement, 2, take->kind);
    if (statement && sk_file_step(statement) == SQLITE_ROW) {
        *left = (uint64_t)sqlite3_column_int64(statement, 0);
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return 0;
}
