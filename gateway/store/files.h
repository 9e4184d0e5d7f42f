/* The engine's SQLite files: opening, schema versions, prepared statements. Between store's own files. */
#pragma once

#include "base/table.h"
#include "ipc/codec.h"

#include <sqlite3.h>

enum sk_statement {
    SK_SQL_BEGIN,
    SK_SQL_COMMIT,
    SK_SQL_ROLLBACK,
    SK_SQL_GET_META,
    SK_SQL_PUT_META,
    SK_SQL_GET_USER,
    SK_SQL_PUT_USER,
    SK_SQL_OLD_USERS,
    SK_SQL_DROP_USERS,
    SK_SQL_LIST_USERS,
    SK_SQL_USE_API_KEY,
    SK_SQL_GET_API_KEY,
    SK_SQL_KEEP_API_KEY,
    SK_SQL_DROP_API_KEYS,
    SK_SQL_GET_SECRETS,
    SK_SQL_PUT_SECRET,
    SK_SQL_DROP_SECRETS,
    SK_SQL_PUT_SESSION,
    SK_SQL_TOUCH_SESSION,
    SK_SQL_DROP_SESSION,
    SK_SQL_GET_SESSION,
    SK_SQL_LIST_SESSIONS,
    SK_SQL_SIGNED_IN,
    SK_SQL_SWEEP_SESSIONS,
    SK_SQL_GET_PENALTY,
    SK_SQL_PUT_PENALTY,
    SK_SQL_DROP_PENALTY,
    SK_SQL_LIST_PENALTIES,
    SK_SQL_SWEEP_PENALTIES,
    SK_SQL_COUNT_PENALTIES,
    SK_SQL_GET_PASSWORD,
    SK_SQL_PUT_PASSWORD,
    SK_SQL_ORPHAN_PASSWORDS,
    SK_SQL_PUT_AUTHENTICATOR,
    SK_SQL_GET_AUTHENTICATOR,
    SK_SQL_LIST_AUTHENTICATORS,
    SK_SQL_USE_AUTHENTICATOR,
    SK_SQL_DROP_AUTHENTICATOR,
    SK_SQL_DROP_AUTHENTICATORS,
    SK_SQL_ORPHAN_AUTHENTICATORS,
    SK_SQL_PUT_VOUCHER,
    SK_SQL_GET_VOUCHER,
    SK_SQL_TAKE_VOUCHER,
    SK_SQL_COUNT_VOUCHERS,
    SK_SQL_DROP_VOUCHERS,
    SK_SQL_DROP_ALL_VOUCHERS,
    SK_SQL_SWEEP_VOUCHERS,
    SK_SQL_ORPHAN_VOUCHERS,
    SK_SQL_PUT_SPENT,
    SK_SQL_GET_SPENT,
    SK_SQL_COUNT_SPENT,
    SK_SQL_SWEEP_SPENT,
    SK_SQL_GET_TENANT,
    SK_SQL_PUT_TENANT,
    SK_SQL_COUNT,
};

struct sk_file {
    struct sk_table_node node;
    uint8_t tenant[SK_ID_SIZE];
    struct sk_file *newer, *older; /* by use */
    sqlite3 *db;
    sqlite3_stmt *statements[SK_SQL_COUNT];
    uint8_t key[32];    /* the tenant's */
    uint8_t lookup[32]; /* for keyed hashes of names */
    uint64_t penalties; /* rows there, and one; 0: not counted yet */
};

/* Once, before any file is opened: many small files shall cost little memory each. */
void sk_files_init(void);
/* Opens or makes the file and brings it to the newest version. `schema`: the SQL that leads to version 1, 2, …, then NULL. 0; 1 a
 * newer schema than that; negative. */
int sk_file_open(struct sk_file *file, const char *path, const char *const *schema) sk_nodiscard;
void sk_file_close(struct sk_file *file);
/* The statement, reset and with no values bound; NULL when it cannot be prepared. */
sqlite3_stmt *sk_file_statement(struct sk_file *file, enum sk_statement which);
/* sqlite3_step, but SQLITE_NOMEM when a value could not be bound since the last sk_file_statement: what is bound is stepped before the next is taken. */
int sk_file_step(sqlite3_stmt *statement) sk_nodiscard;
/* Runs a statement that gives no row. 0 or -EIO. */
int sk_file_run(sqlite3_stmt *statement) sk_nodiscard;
void sk_file_bind(sqlite3_stmt *statement, int at, struct sk_slice blob);
void sk_file_bind_number(sqlite3_stmt *statement, int at, uint64_t number);
/* Lives until the statement's next step or reset. */
struct sk_slice sk_file_column(sqlite3_stmt *statement, int at);
