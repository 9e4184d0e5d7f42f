/*
 * What was counted of wrong passwords: rows of a tenant's file. Counted and looked up in one transaction, on stable
 * storage before a password is tried; names nobody has are counted like others. Runs in store alone.
 */
#include "store/budget.h"
#include "store/rows.h"

#include "conf/conf.h"

#include <errno.h>

#define ROWS_MAX 200000U /* of one tenant; then only who is at home, or counted already, may try */
#define FULL_WAIT (UINT64_C(60) * 1000000000)
#define AT_ONCE 2000U /* rows that one message walks: milliseconds */

/* The rows of an attempt. */
struct rows {
    struct sk_file *file;
    struct sk_slice user, network;
    struct sk_budget budget;
    bool there[SK_BAN_SCOPES];
};

static struct sk_budget_count *count_of(struct sk_budget *b, enum sk_ban_scope scope)
{
    struct sk_budget_count *const counts[] = {&b->pair, &b->place, &b->elsewhere, &b->home, &b->known, &b->site};
    return counts[scope];
}

static struct sk_slice row_user(const struct rows *rows, enum sk_ban_scope scope)
{
    return scope == SK_BAN_PLACE || scope == SK_BAN_SITE ? SK_SLICE_NULL : rows->user;
}

static struct sk_slice row_network(const struct rows *rows, enum sk_ban_scope scope)
{
    switch (scope) {
    case SK_BAN_ELSEWHERE:
    case SK_BAN_HOME:
        return SK_SLICE_NULL;
    case SK_BAN_SITE:
        return sk_slice_cut(rows->network, rows->network.len / 4 * 3); /* /24 of 32 bits, /48 of 64 */
    default:
        return rows->network;
    }
}

static void row_key(const struct sk_file *file, enum sk_ban_scope scope, struct sk_slice user, struct sk_slice network, uint8_t key[SK_NAME_HASH])
{
    char text[2 + 16 + 256];
    text[0] = (char)scope;
    text[1] = (char)network.len;
    memcpy(text + 2, network.data ? network.data : "", network.len);
    memcpy(text + 2 + network.len, user.data ? user.data : "", user.len);
    sk_row_name_hash(file, sk_slice(text, 2 + network.len + user.len), key);
}

static int load(struct rows *rows, enum sk_ban_scope scope)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    union sk_ipc_any message;
    uint8_t key[SK_NAME_HASH];
    row_key(rows->file, scope, row_user(rows, scope), row_network(rows, scope), key);
    sqlite3_stmt *statement = sk_file_statement(rows->file, SK_SQL_GET_PENALTY);
    sk_file_bind(statement, 1, sk_slice(key, sizeof(key)));
    int step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    int r = step == SQLITE_ROW    ? sk_row_unseal(rows->file, "penalty", SK_STORE_PENALTY, sk_file_column(statement, 0), &buf, &message)
            : step == SQLITE_DONE ? 1
                                  : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    if (r == 0) {
        const struct sk_store_penalty *row = (const void *)&message;
        bool own = row->scope == (uint64_t)scope && sk_slice_eq(row->user, row_user(rows, scope)) && sk_slice_eq(row->network, row_network(rows, scope));
        *count_of(&rows->budget, scope) = (struct sk_budget_count){
                .failures = row->failures, .since = row->since, .until = row->until, .strikes = row->strikes};
        rows->there[scope] = true;
        return own ? 0 : -EBADMSG;
    }
    return r == 1 ? 0 : r;
}

static int write_row(struct sk_file *file, struct sk_slice key, uint64_t ends, const struct sk_store_penalty *row)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    int r = sk_row_seal(file, "penalty", SK_STORE_PENALTY, row, &sealed);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_PUT_PENALTY);
    sk_file_bind(statement, 1, key);
    sk_file_bind(statement, 3, sk_buf_peek(&sealed));
    if (statement) {
        (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)(ends < INT64_MAX ? ends : INT64_MAX - 1));
    }
    return r ? r : sk_file_run(statement);
}

static int drop_row(struct sk_file *file, struct sk_slice key)
{
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_DROP_PENALTY);
    sk_file_bind(statement, 1, key);
    return sk_file_run(statement);
}

static int save(struct rows *rows, enum sk_ban_scope scope)
{
    const struct sk_budget_count *c = count_of(&rows->budget, scope);
    const struct sk_store_penalty row = {.scope = (uint64_t)scope, .user = row_user(rows, scope), .network = row_network(rows, scope),
            .failures = c->failures, .since = c->since, .until = c->until, .strikes = c->strikes};
    uint64_t ends = sk_budget_ends(&rows->budget, c);
    uint8_t key[SK_NAME_HASH];
    row_key(rows->file, scope, row.user, row.network, key);
    if (ends <= rows->budget.now) {
        rows->file->penalties -= rows->file->penalties && rows->there[scope]; /* 0: they are still to be counted */
        return rows->there[scope] ? drop_row(rows->file, sk_slice(key, sizeof(key))) : 0;
    }
    rows->file->penalties += rows->file->penalties && !rows->there[scope];
    return write_row(rows->file, sk_slice(key, sizeof(key)), ends, &row);
}

static int load_all(struct rows *rows)
{
    int r = 0;
    for (int scope = 0; r == 0 && scope < SK_BAN_SCOPES; scope++) {
        r = load(rows, (enum sk_ban_scope)scope);
    }
    return r;
}

static int save_all(struct rows *rows)
{
    int r = 0;
    for (int scope = 0; r == 0 && scope < SK_BAN_SCOPES; scope++) {
        r = save(rows, (enum sk_ban_scope)scope);
    }
    return r;
}

/* 0 or negative. `wait`: where there is no room for rows of names and networks nobody heard of. */
static int make_room(struct rows *rows, uint64_t *wait)
{
    struct sk_file *file = rows->file;
    sqlite3_stmt *sweep = sk_file_statement(file, SK_SQL_SWEEP_PENALTIES);
    if (sweep) {
        (void)sqlite3_bind_int64(sweep, 1, (sqlite3_int64)rows->budget.now);
    }
    int r = sk_file_run(sweep);
    if (r == 0 && file->penalties) {
        file->penalties -= (uint64_t)sqlite3_changes(file->db);
    }
    if (r == 0 && file->penalties == 0) {
        sqlite3_stmt *count = sk_file_statement(file, SK_SQL_COUNT_PENALTIES);
        r = count && sk_file_step(count) == SQLITE_ROW ? 0 : -EIO;
        file->penalties = r ? 0 : (uint64_t)sqlite3_column_int64(count, 0) + 1;
        if (count) {
            (void)sqlite3_reset(count);
        }
    }
    *wait = file->penalties > ROWS_MAX && !rows->there[SK_BAN_PAIR] && !rows->there[SK_BAN_KNOWN] ? FULL_WAIT : 0;
    return r;
}

int sk_engine_try(struct sk_engine *e, const struct sk_store_try *t, struct sk_buf *buf, struct sk_store_got_user *got, uint64_t *wait)
{
    struct rows rows = {.user = t->name, .network = t->network,
            .budget = {.max_retries = t->max_retries, .find_time = t->find_time, .ban_time = t->ban_time, .now = t->now}};
    int r = sk_engine_file(e, t->tenant, NULL, &rows.file);
    if (r) {
        return r < 0 ? r : -ENOENT;
    }
    *wait = 0;
    r = sk_engine_transaction(rows.file);
    r = r ? r : load_all(&rows);
    if (r == 0) {
        *wait = sk_budget_wait(&rows.budget);
        r = *wait ? 0 : make_room(&rows, wait);
    }
    if (r == 0 && *wait == 0) {
        sk_budget_spend(&rows.budget);
        r = save_all(&rows);
    }
    r = sk_engine_commit(e, rows.file, r);
    if (r == 0 && *wait) {
        return 2;
    }
    struct sk_store_get_user get = {.ticket = t->ticket, .name = t->name};
    memcpy(get.tenant, t->tenant, SK_ID_SIZE);
    r = r ? r : sk_engine_get_user(e, &get, buf, got);
    if (r == 0 && got->backend == SK_BACKEND_KEY) {
        *got = (struct sk_store_got_user){.ticket = t->ticket}; /* a program has no password: it is nobody here, and costs as much */
        r = sk_row_decoy(rows.file, buf, got);
        return r ? r : 1;
    }
    return r;
}

int sk_engine_tried(struct sk_engine *e, const struct sk_store_tried *t)
{
    struct rows rows = {.user = t->name, .network = t->network,
            .budget = {.max_retries = t->max_retries, .find_time = t->find_time, .ban_time = t->ban_time, .now = t->now}};
    int r = sk_engine_file(e, t->tenant, NULL, &rows.file);
    if (r) {
        return r;
    }
    r = sk_engine_transaction(rows.file);
    r = r ? r : load_all(&rows);
    if (r == 0) {
        void (*const settle[])(struct sk_budget *) = {
                [SK_TRIED_RIGHT] = sk_budget_right, [SK_TRIED_WRONG] = sk_budget_wrong, [SK_TRIED_UNDECIDED] = sk_budget_undecided};
        settle[t->verdict <= SK_TRIED_UNDECIDED ? t->verdict : SK_TRIED_WRONG](&rows.budget);
        r = save_all(&rows);
    }
    return sk_engine_commit(e, rows.file, r);
}

/* ---- bans ---- */

/* A counter that keeps somebody out, beyond a delay between two attempts. */
static bool is_ban(const struct sk_store_penalty *row, uint64_t now)
{
    bool account = row->scope == SK_BAN_ELSEWHERE || row->scope == SK_BAN_HOME;
    return account ? row->failures >= SK_BUDGET_TOTAL : row->failures == 0 && row->until > now; /* SK_BAN_KNOWN has no `until` */
}

/* A part of all rows, those that end last first. A row that does not unseal is nobody's. 0; 2 there are more, and `more` says from where; negative. */
static int walk(struct sk_file *file, uint64_t ends, struct sk_slice key, void (*each)(void *context, struct sk_slice key, const struct sk_store_penalty *row),
        void *context, struct sk_store_more_bans *more)
{
    static uint8_t last[SK_NAME_HASH];
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_LIST_PENALTIES);
    sk_file_bind_number(statement, 1, ends ? ends : INT64_MAX);
    sk_file_bind(statement, 2, key);
    sk_file_bind_number(statement, 3, AT_ONCE);
    int r = 0, step = statement ? sk_file_step(statement) : SQLITE_ERROR;
    unsigned rows = 0;
    for (; r == 0 && step == SQLITE_ROW; step = sk_file_step(statement)) {
        struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        struct sk_slice its_key = sk_file_column(statement, 1);
        union sk_ipc_any message;
        if (its_key.len != sizeof(last)) {
            r = -EBADMSG;
            break;
        }
        memcpy(last, its_key.data, sizeof(last));
        more->ends = (uint64_t)sqlite3_column_int64(statement, 0);
        rows++;
        r = sk_row_unseal(file, "penalty", SK_STORE_PENALTY, sk_file_column(statement, 2), &buf, &message);
        if (r == 0) {
            each(context, sk_slice(last, sizeof(last)), (const void *)&message);
        }
        r = r == -EBADMSG ? 0 : r;
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    more->key = sk_slice(last, sizeof(last));
    return r ? r : step != SQLITE_DONE ? -EIO : rows == AT_ONCE ? 2 : 0;
}

struct listing {
    const struct sk_store_list_bans *list;
    void (*each)(void *context, const struct sk_store_got_ban *ban);
    void *context;
    uint64_t count;
};

static void list_one(void *context, struct sk_slice key sk_unused, const struct sk_store_penalty *row)
{
    struct listing *l = context;
    bool asked = l->list->user.len == 0 || sk_slice_eq(row->user, l->list->user);
    if (asked && is_ban(row, l->list->now) && l->count++ < l->list->most) {
        struct sk_store_got_ban ban = {.ticket = l->list->ticket, .scope = row->scope, .user = row->user, .network = row->network,
                .until = row->scope == SK_BAN_ELSEWHERE || row->scope == SK_BAN_HOME ? 0 : row->until};
        l->each(l->context, &ban);
    }
}

int sk_engine_list_bans(struct sk_engine *e, const struct sk_store_list_bans *list,
        void (*each)(void *context, const struct sk_store_got_ban *ban), void *context, struct sk_store_more_bans *more)
{
    struct listing l = {list, each, context, 0};
    struct sk_file *file;
    *more = (struct sk_store_more_bans){.ticket = list->ticket};
    int r = sk_engine_file(e, list->tenant, NULL, &file);
    r = r ? r : walk(file, list->ends, list->key, list_one, &l, more);
    more->count = l.count;
    return r;
}

/* Keys to drop: gathered first, for a table is not changed while it is walked. */
struct dropping {
    const struct sk_store_drop_bans *drop;
    uint8_t keys[AT_ONCE][SK_NAME_HASH];
    size_t keys_count;
    uint64_t bans;
};

/* One is in the other. */
static bool is_around(struct sk_slice row, struct sk_slice asked)
{
    return row.len && (sk_slice_starts(asked, row) || sk_slice_starts(row, asked));
}

/* Where an account is at home stays known. */
static void gather_one(void *context, struct sk_slice key, const struct sk_store_penalty *row)
{
    struct dropping *d = context;
    bool user = d->drop->user.len == 0 || sk_slice_eq(row->user, d->drop->user);
    bool network = d->drop->network.len == 0 || is_around(row->network, d->drop->network);
    if (user && network && row->scope != SK_BAN_KNOWN) {
        d->bans += is_ban(row, d->drop->now);
        memcpy(d->keys[d->keys_count++], key.data, SK_NAME_HASH);
    }
}

int sk_engine_drop_bans(struct sk_engine *e, const struct sk_store_drop_bans *drop, struct sk_store_more_bans *more)
{
    struct dropping d = {.drop = drop};
    struct sk_file *file;
    *more = (struct sk_store_more_bans){.ticket = drop->ticket};
    int r = sk_engine_file(e, drop->tenant, NULL, &file);
    if (r) {
        return r;
    }
    r = sk_engine_transaction(file);
    int walked = r ? r : walk(file, drop->ends, drop->key, gather_one, &d, more);
    r = walked < 0 ? walked : 0;
    for (size_t i = 0; r == 0 && i < d.keys_count; i++) {
        r = drop_row(file, sk_slice(d.keys[i], SK_NAME_HASH));
    }
    file->penalties -= file->penalties ? d.keys_count : 0;
    r = sk_engine_commit(e, file, r);
    more->count = r ? 0 : d.bans;
    return r ? r : walked;
}
