/* Users' authenticators: rows of a tenant's file. Runs in store alone. */
#include "store/rows.h"

#include <errno.h>

static int row_authenticator(const struct sk_file *file, sqlite3_stmt *statement, struct sk_buf *buf, struct sk_store_got_authenticator *got)
{
    union sk_ipc_any message;
    struct sk_slice id = sk_file_column(statement, 0);
    int r = sk_row_unseal(file, "authenticator", SK_STORE_AUTHENTICATOR, sk_file_column(statement, 3), buf, &message);
    if (r) {
        return r;
    }
    const struct sk_store_authenticator *row = (const void *)&message;
    uint8_t own[SK_NAME_HASH];
    sk_row_name_hash(file, row->credential, own);
    if (!sk_slice_eq(id, sk_slice(own, sizeof(own)))) {
        return -EBADMSG;
    }
    *got = (struct sk_store_got_authenticator){.credential = row->credential, .user = row->user, .label = row->label, .key = row->key,
            .format = row->format, .eligible = row->eligible, .attested = row->attested, .created = row->created,
            .counter = (uint64_t)sqlite3_column_int64(statement, 1), .used = (uint64_t)sqlite3_column_int64(statement, 2)};
    memcpy(got->id, own, SK_ID_SIZE);
    memcpy(got->aaguid, row->aaguid, SK_ID_SIZE);
    return 0;
}

int sk_engine_get_authenticator(
        struct sk_engine *e, const struct sk_store_get_authenticator *get, struct sk_buf *buf, struct sk_store_got_authenticator *got)
{
    struct sk_file *file;
    uint8_t id[SK_NAME_HASH];
    int r = sk_engine_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, get->credential, id);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_AUTHENTICATOR);
    sk_file_bind(statement, 1, sk_slice(id, sizeof(id)));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? row_authenticator(file, statement, buf, got) : step == SQLITE_DONE ? 1 : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    got->ticket = get->ticket;
    return r;
}

int sk_engine_list_authenticators(struct sk_engine *e, const struct sk_store_list_authenticators *list,
        void (*each)(void *context, const struct sk_store_got_authenticator *got), void *context, uint64_t *count)
{
    struct sk_file *file;
    uint8_t user[SK_NAME_HASH];
    int r = sk_engine_file(e, list->tenant, NULL, &file), step = SQLITE_DONE;
    *count = 0;
    if (r) {
        return r;
    }
    sk_row_name_hash(file, list->user, user);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_LIST_AUTHENTICATORS);
    sk_file_bind(statement, 1, sk_slice(user, sizeof(user)));
    while (r == 0 && (step = statement ? sk_file_step(statement) : SQLITE_ERROR) == SQLITE_ROW) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        struct sk_store_got_authenticator got;
        r = row_authenticator(file, statement, &buf, &got);
        got.ticket = list->ticket;
        if (r == 0) {
            (*count)++;
            each(context, &got);
        }
        r = r == -EBADMSG ? 0 : r; /* a row that does not unseal is nobody's */
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

static void nothing(void *context sk_unused, const struct sk_store_got_authenticator *got sk_unused)
{
}

static int insert(struct sk_file *file, const struct sk_store_put_authenticator *put)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_authenticator row = {.credential = put->credential, .user = put->user, .label = put->label, .key = put->key,
            .format = put->format, .eligible = put->eligible, .attested = put->attested, .created = put->created};
    uint8_t id[SK_NAME_HASH], user[SK_NAME_HASH];
    memcpy(row.aaguid, put->aaguid, SK_ID_SIZE);
    sk_row_name_hash(file, put->credential, id);
    sk_row_name_hash(file, put->user, user);
    int r = sk_row_seal(file, "authenticator", SK_STORE_AUTHENTICATOR, &row, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_AUTHENTICATOR);
    sk_file_bind(statement, 1, sk_slice(id, sizeof(id)));
    sk_file_bind(statement, 2, sk_slice(user, sizeof(user)));
    sk_file_bind_number(statement, 3, put->counter);
    sk_file_bind(statement, 4, sk_buf_peek(&sealed));
    return r ? r : sk_file_run(statement);
}

int sk_engine_put_authenticator(struct sk_engine *e, const struct sk_store_put_authenticator *put)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_authenticator get = {.credential = put->credential};
    struct sk_store_list_authenticators list = {.user = put->user};
    struct sk_store_take_voucher take = {.user = put->user, .kind = SK_VOUCHER_LINK, .now = put->created, .secret = put->link};
    struct sk_store_got_authenticator got;
    struct sk_file *file;
    uint64_t count, left;
    memcpy(get.tenant, put->tenant, SK_ID_SIZE);
    memcpy(list.tenant, put->tenant, SK_ID_SIZE);
    memcpy(take.tenant, put->tenant, SK_ID_SIZE);
    int r = sk_engine_file(e, put->tenant, NULL, &file);
    if (r) {
        return r;
    }
    r = sk_engine_get_authenticator(e, &get, &buf, &got);
    if (r <= 0) {
        return r ? r : 4;
    }
    r = sk_engine_list_authenticators(e, &list, nothing, NULL, &count);
    if (r || count >= put->most) {
        return r ? r : 3;
    }
    r = sk_engine_transaction(file);
    if (r == 0 && put->link.len) {
        r = sk_engine_take_voucher(e, &take, &left);
    }
    r = r ? r : insert(file, put);
    return sk_engine_commit(e, file, r);
}

int sk_engine_use_authenticator(struct sk_engine *e, const struct sk_store_use_authenticator *use)
{
    struct sk_file *file;
    uint8_t id[SK_NAME_HASH];
    int r = sk_engine_file(e, use->tenant, NULL, &file);
    if (r) {
        return r;
    }
    sk_row_name_hash(file, use->credential, id);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_USE_AUTHENTICATOR);
    sk_file_bind(statement, 1, sk_slice(id, sizeof(id)));
    sk_file_bind_number(statement, 2, use->before);
    sk_file_bind_number(statement, 3, use->counter);
    sk_file_bind_number(statement, 4, use->used);
    r = sk_file_run(statement);
    return r ? r : sqlite3_changes(file->db) == 0;
}

static int drop_one(struct sk_file *file, struct sk_slice id, struct sk_slice user)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_DROP_AUTHENTICATOR);
    sk_file_bind(statement, 1, id);
    sk_file_bind(statement, 2, user);
    return sk_file_run(statement);
}

static int drop_of(struct sk_file *file, enum sk_statement which, struct sk_slice user)
{
    sqlite3_stmt *statement = sk_file_statement(file, which);
    sk_file_bind(statement, 1, user);
    return sk_file_run(statement);
}

int sk_engine_drop_authenticators(struct sk_engine *e, const struct sk_store_drop_authenticators *drop, uint64_t *count)
{
    struct sk_file *file;
    uint8_t hash[SK_NAME_HASH];
    const struct sk_slice user = sk_slice(hash, sizeof(hash));
    int r = sk_engine_file(e, drop->tenant, NULL, &file);
    *count = 0;
    if (r) {
        return r;
    }
    sk_row_name_hash(file, drop->user, hash);
    r = sk_engine_transaction(file);
    r = r ? r : drop->id.len ? drop_one(file, drop->id, user) : drop_of(file, SK_SQL_DROP_AUTHENTICATORS, user);
    uint64_t dropped = r ? 0 : (uint64_t)sqlite3_changes(file->db);
    if (r == 0 && drop->id.len == 0) {
        r = drop_of(file, SK_SQL_DROP_ALL_VOUCHERS, user);
    }
    r = sk_engine_commit(e, file, r);
    *count = r ? 0 : dropped;
    return r ? r : *count == 0;
}
