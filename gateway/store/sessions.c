/* Sessions: rows of a tenant's file. Runs in store alone. */
#include "store/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_MAX ((size_t)256 << 20)

/* By what a provider calls its user or a session it can be found; without such a name the column stays NULL. */
static void bind_called(const struct sk_file *file, sqlite3_stmt *statement, int at, struct sk_slice provider, const char *what, struct sk_slice name)
{
    uint8_t hash[SK_NAME_HASH];
    char text[1024];
    if (name.len) {
        int len = snprintf(text, sizeof(text), "%s\n%.*s\n%.*s", what, (int)provider.len, provider.data, (int)name.len, name.data);
        sk_row_name_hash(file, sk_slice(text, (size_t)len), hash);
        sk_file_bind(statement, at, sk_slice(hash, SK_NAME_HASH));
    }
}

static int insert(struct sk_file *file, const struct sk_store_put_session *put)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    const struct sk_store_session row = {.key = put->key, .subject = put->subject, .started = put->started, .used = put->used,
            .address = put->address, .proofs = put->proofs, .provider = put->provider, .sub = put->sub, .sid = put->sid, .claims = put->claims};
    int r = sk_row_seal(file, "session", SK_STORE_SESSION, &row, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_SESSION);
    sk_file_bind(statement, 1, put->key);
    sk_file_bind(statement, 3, sk_buf_peek(&sealed));
    bind_called(file, statement, 4, put->provider, "sub", put->sub);
    bind_called(file, statement, 5, put->provider, "sid", put->sid);
    if (statement) {
        (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)put->used);
    }
    return r ? r : sk_file_run(statement);
}

static int sweep(struct sk_file *file, uint64_t used)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_SWEEP_SESSIONS);
    if (statement) {
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)used);
    }
    return sk_file_run(statement);
}

int sk_engine_put_session(struct sk_engine *e, const struct sk_store_put_session *put)
{
    struct sk_file *file;
    int r = sk_engine_file(e, put->tenant, NULL, &file);
    if (r) {
        return r;
    }
    r = sk_engine_transaction(file);
    r = r ? r : insert(file, put);
    r = r ? r : sweep(file, put->sweep);
    return sk_engine_commit(e, file, r);
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

static int row_session(const struct sk_file *file, sqlite3_stmt *statement, struct sk_buf *buf, struct sk_store_got_session *got)
{
    union sk_ipc_any message;
    int r = sk_row_unseal(file, "session", SK_STORE_SESSION, sk_file_column(statement, 2), buf, &message);
    if (r == 0) {
        const struct sk_store_session *row = (const void *)&message;
        if (!sk_slice_eq(row->key, sk_file_column(statement, 0))) {
            return -EBADMSG;
        }
        *got = (struct sk_store_got_session){.key = row->key, .subject = row->subject, .started = row->started,
                .used = (uint64_t)sqlite3_column_int64(statement, 1), .address = row->address, .proofs = row->proofs,
                .provider = row->provider, .sub = row->sub, .sid = row->sid, .claims = row->claims};
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
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? row_session(file, statement, buf, got) : step == SQLITE_DONE ? 1 : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    got->ticket = get->ticket;
    return r;
}

/* Every session of the tenant, the last used first, until `each` gives what is not 0. A row that does not unseal is
 * nobody's. */
static int walk(struct sk_file *file, int (*each)(void *context, struct sk_store_got_session *session), void *context)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_LIST_SESSIONS);
    int r = 0, step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    for (; r == 0 && step == SQLITE_ROW; step = sk_file_step(statement)) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        struct sk_store_got_session got = {.ticket = 0};
        r = row_session(file, statement, &buf, &got);
        r = r == 0 ? each(context, &got) : r == -EBADMSG ? 0 : r;
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

struct listing {
    const struct sk_store_list_sessions *list;
    void (*each)(void *context, const struct sk_store_got_session *session);
    void *context;
    uint64_t count;
};

static int list_one(void *context, struct sk_store_got_session *session)
{
    struct listing *l = context;
    bool same = session->started >= l->list->started && session->used >= l->list->used &&
                (l->list->subject.len == 0 || sk_slice_eq(session->subject, l->list->subject));
    if (same && l->count++ < l->list->most) {
        session->ticket = l->list->ticket;
        l->each(l->context, session);
    }
    return 0;
}

int sk_engine_list_sessions(struct sk_engine *e, const struct sk_store_list_sessions *list,
        void (*each)(void *context, const struct sk_store_got_session *session), void *context, uint64_t *count)
{
    struct listing l = {list, each, context, 0};
    struct sk_file *file;
    int r = sk_engine_file(e, list->tenant, NULL, &file);
    r = r ? r : walk(file, list_one, &l);
    *count = l.count;
    return r;
}

/* ---- dropping ---- */

/* Keys to drop: gathered first, for a table is not changed while it is walked. */
struct dropping {
    struct sk_file *file;
    const struct sk_store_drop_sessions *drop; /* of one subject, or NULL */
    const uint8_t (*users)[SK_NAME_HASH];      /* else of these */
    size_t users_count;
    struct sk_buf keys; /* each with its length before it */
    uint64_t count;     /* of those started and used since */
};

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, SK_NAME_HASH);
}

static int gather_one(void *context, struct sk_store_got_session *session)
{
    struct dropping *d = context;
    const uint8_t len = (uint8_t)session->key.len;
    bool same;
    if (d->drop) {
        same = sk_slice_eq(session->subject, d->drop->subject);
        d->count += same && session->started >= d->drop->started && session->used >= d->drop->used;
    } else {
        uint8_t hash[SK_NAME_HASH];
        sk_row_name_hash(d->file, session->subject, hash);
        same = bsearch(hash, d->users, d->users_count, SK_NAME_HASH, compare_hashes) != NULL;
    }
    int r = same ? sk_buf_put(&d->keys, sk_slice(&len, 1)) : 0;
    return r || !same ? r : sk_buf_put(&d->keys, session->key);
}

static int drop_key(struct sk_file *file, struct sk_slice key)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_DROP_SESSION);
    sk_file_bind(statement, 1, key);
    return sk_file_run(statement);
}

static struct sk_slice next_key(struct sk_slice *keys)
{
    struct sk_slice key = sk_slice(keys->data + 1, (uint8_t)keys->data[0]);
    *keys = sk_slice_from(*keys, key.len + 1);
    return key;
}

static int drop_keys(struct dropping *d)
{
    int r = 0;
    for (struct sk_slice keys = sk_buf_peek(&d->keys); r == 0 && keys.len;) {
        r = drop_key(d->file, next_key(&keys));
    }
    return r;
}

static int drop_gathered(struct dropping *d)
{
    int r = walk(d->file, gather_one, d);
    return r ? r : drop_keys(d);
}

int sk_sessions_drop_users(struct sk_file *file, const uint8_t (*users)[SK_NAME_HASH], size_t count)
{
    struct dropping d = {.file = file, .users = users, .users_count = count, .keys = SK_BUF_INIT(KEYS_MAX)};
    int r = drop_gathered(&d);
    sk_buf_free(&d.keys);
    return r;
}

int sk_engine_drop_sessions(struct sk_engine *e, const struct sk_store_drop_sessions *drop, uint64_t *count)
{
    struct dropping d = {.drop = drop, .keys = SK_BUF_INIT(KEYS_MAX)};
    int r = sk_engine_file(e, drop->tenant, NULL, &d.file);
    *count = 0;
    if (r) {
        return r;
    }
    if (drop->key.len) {
        r = drop_key(d.file, drop->key);
        *count = r == 0 && sqlite3_changes(d.file->db) > 0;
        return r ? r : *count == 0;
    }
    r = sk_engine_transaction(d.file);
    r = r ? r : drop_gathered(&d);
    sk_buf_free(&d.keys);
    r = sk_engine_commit(e, d.file, r);
    *count = r ? 0 : d.count;
    return r;
}

/* What is to be told of a session: its key and subject, each with its length before it, in two bytes. */
static int put_told(struct sk_buf *told, struct sk_slice text)
{
    const uint8_t len[2] = {(uint8_t)text.len, (uint8_t)(text.len >> 8)};
    int r = sk_buf_put(told, sk_slice(len, sizeof(len)));
    return r ? r : sk_buf_put(told, text);
}

static struct sk_slice next_told(struct sk_slice *told)
{
    struct sk_slice text = sk_slice(told->data + 2, (size_t)(uint8_t)told->data[0] | (size_t)(uint8_t)told->data[1] << 8);
    *told = sk_slice_from(*told, 2 + text.len);
    return text;
}

/* A row that does not unseal goes as well: whose it was, nobody knows. */
static int gather_signed_in(struct dropping *d, const struct sk_store_drop_signed_in *drop, struct sk_buf *told)
{
    sqlite3_stmt *statement = sk_file_statement(d->file, SK_SQL_SIGNED_IN);
    bind_called(d->file, statement, 1, drop->provider, "sub", drop->sub);
    bind_called(d->file, statement, 2, drop->provider, "sid", drop->sid);
    int r = 0, step = statement && sqlite3_bind_int(statement, 3, SK_STORE_SIGNED_IN_PART) == SQLITE_OK ? sk_file_step(statement) : SQLITE_ERROR;
    for (; r == 0 && step == SQLITE_ROW; step = sk_file_step(statement)) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        struct sk_store_got_session got = {.ticket = 0};
        struct sk_slice key = sk_file_column(statement, 0);
        const uint8_t len = (uint8_t)key.len;
        r = row_session(d->file, statement, &buf, &got);
        r = r == -EBADMSG ? 0 : r;
        r = r ? r : put_told(told, key);
        r = r ? r : put_told(told, got.subject);
        r = r ? r : sk_buf_put(&d->keys, sk_slice(&len, 1));
        r = r ? r : sk_buf_put(&d->keys, key);
        d->count++;
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

int sk_engine_drop_signed_in(struct sk_engine *e, const struct sk_store_drop_signed_in *drop,
        void (*each)(void *context, const struct sk_store_got_session *session), void *context, uint64_t *count)
{
    struct dropping d = {.keys = SK_BUF_INIT(KEYS_MAX)};
    struct sk_buf told SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(KEYS_MAX);
    int r = sk_engine_file(e, drop->tenant, NULL, &d.file);
    *count = 0;
    if (r) {
        return r;
    }
    r = sk_engine_transaction(d.file);
    r = r ? r : gather_signed_in(&d, drop, &told);
    r = r ? r : drop_keys(&d);
    r = sk_engine_commit(e, d.file, r);
    sk_buf_free(&d.keys);
    for (struct sk_slice rest = sk_buf_peek(&told); r == 0 && rest.len;) {
        struct sk_store_got_session gone = {.ticket = drop->ticket, .key = next_told(&rest)};
        gone.subject = rest.len ? next_told(&rest) : SK_SLICE_NULL;
        each(context, &gone);
    }
    *count = r ? 0 : d.count;
    return r;
}
