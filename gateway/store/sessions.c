/* Sessions: rows of a tenant's file. Runs in store alone. */
#include "store/rows.h"

#include <errno.h>

int sk_engine_put_session(struct sk_engine *e, const struct sk_store_put_session *put)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_file *file;
    int r = sk_engine_file(e, put->tenant, NULL, &file);
    if (r) {
        return r;
    }
    r = sk_row_seal(file, "session", SK_STORE_PUT_SESSION, put, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_SESSION);
    sk_file_bind(statement, 1, put->key);
    sk_file_bind(statement, 3, sk_buf_peek(&sealed));
    if (statement) {
        (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)put->used);
    }
    return r ? r : sk_file_run(statement);
}

int sk_engine_touch_session(struct sk_engine *e, const struct sk_store_touch_session *touch)
{
    struct sk_file *file;
    int r = sk_engine_file(e, touch->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_TOUCH_SESSION);
    sk_file_bind(statement, 1, touch->key);
    if (statement) {
        (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)touch->used);
    }
    return sk_file_run(statement);
}

int sk_engine_drop_session(struct sk_engine *e, const struct sk_store_drop_session *drop)
{
    struct sk_file *file;
    int r = sk_engine_file(e, drop->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_DROP_SESSION);
    sk_file_bind(statement, 1, drop->key);
    r = sk_file_run(statement);
    return r ? r : sqlite3_changes(file->db) == 0;
}

static int row_session(const struct sk_file *file, sqlite3_stmt *statement, struct sk_buf *buf, struct sk_store_got_session *got)
{
    union sk_ipc_any message;
    int r = sk_row_unseal(file, "session", SK_STORE_PUT_SESSION, sk_file_column(statement, 2), buf, &message);
    if (r == 0) {
        const struct sk_store_put_session *put = (const void *)&message;
        if (!sk_slice_eq(put->key, sk_file_column(statement, 0))) {
            return -EBADMSG;
        }
        *got = (struct sk_store_got_session){.key = put->key, .subject = put->subject, .started = put->started,
                .used = (uint64_t)sqlite3_column_int64(statement, 1), .address = put->address, .factors = put->factors};
    }
    return r;
}

int sk_engine_get_session(struct sk_engine *e, const struct sk_store_get_session *get, struct sk_buf *buf, struct sk_store_got_session *got)
{
    struct sk_file *file;
    int r = sk_engine_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_SESSION);
    sk_file_bind(statement, 1, get->key);
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? row_session(file, statement, buf, got) : step == SQLITE_DONE ? 1 : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    got->ticket = get->ticket;
    return r;
}

int sk_engine_list_sessions(struct sk_engine *e, const struct sk_store_list_sessions *list,
        void (*each)(void *context, const struct sk_store_got_session *session), void *context)
{
    struct sk_file *file;
    int r = sk_engine_file(e, list->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_LIST_SESSIONS);
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    for (; r == 0 && step == SQLITE_ROW; step = sqlite3_step(statement)) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        struct sk_store_got_session got = {.ticket = 0};
        r = row_session(file, statement, &buf, &got);
        if (r == 0) {
            got.ticket = list->ticket;
            each(context, &got);
        }
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}
