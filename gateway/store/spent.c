/* Ids of what is good no more before its time, rows of a tenant's file until then. Runs in store alone. */
#include "store/rows.h"

#include <errno.h>

#define SPENT_MAX 20000 /* of a tenant */

/* 0; 1 there is no row; negative. */
static int find(struct sk_file *file, const uint8_t key[SK_NAME_HASH])
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_SPENT);
    sk_file_bind(statement, 1, sk_slice(key, SK_NAME_HASH));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? 1 : -EIO;
}

/* 0; 3 there are as many as a tenant may have; negative. */
static int room(struct sk_file *file)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_COUNT_SPENT);
    int r = statement && sk_file_step(statement) == SQLITE_ROW ? 0 : -EIO;
    r = r == 0 && sqlite3_column_int64(statement, 0) >= SPENT_MAX ? 3 : r;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r;
}

static int put(struct sk_file *file, const uint8_t key[SK_NAME_HASH], const struct sk_store_spend *spend)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_SWEEP_SPENT);
    sk_file_bind_number(statement, 1, spend->now);
    int r = sk_file_run(statement);
    r = r ? r : find(file, key);
    if (r != 1) {
        return r ? r : 4;
    }
    r = room(file);
    statement = r ? NULL : sk_file_statement(file, SK_SQL_PUT_SPENT);
    sk_file_bind(statement, 1, sk_slice(key, SK_NAME_HASH));
    sk_file_bind_number(statement, 2, spend->ends);
    return r ? r : sk_file_run(statement);
}

int sk_engine_spend(struct sk_engine *e, const struct sk_store_spend *spend)
{
    struct sk_file *file;
    uint8_t key[SK_NAME_HASH];
    int r = sk_engine_file(e, spend->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, spend->id, key);
    r = sk_engine_transaction(file);
    r = r ? r : put(file, key, spend);
    return sk_engine_commit(e, file, r);
}

int sk_engine_is_spent(struct sk_engine *e, const struct sk_store_is_spent *ask)
{
    struct sk_file *file;
    uint8_t key[SK_NAME_HASH];
    int r = sk_engine_file(e, ask->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, ask->id, key);
    r = find(file, key);
    return r < 0 ? r : r ? 0 : 4;
}
