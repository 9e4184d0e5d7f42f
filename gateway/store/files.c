/* SQLite files. Runs in store alone. */
#include "store/files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static const char *const sql[SK_SQL_COUNT] = {
        [SK_SQL_BEGIN] = "BEGIN IMMEDIATE",
        [SK_SQL_COMMIT] = "COMMIT",
        [SK_SQL_ROLLBACK] = "ROLLBACK",
        [SK_SQL_GET_META] = "SELECT value FROM meta WHERE key = ?1",
        [SK_SQL_PUT_META] = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [SK_SQL_GET_USER] = "SELECT sealed FROM users WHERE name_hash = ?1",
        [SK_SQL_PUT_USER] = ("INSERT INTO users (name_hash, sealed, seen) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT (name_hash) DO UPDATE SET sealed = excluded.sealed, seen = excluded.seen"),
        [SK_SQL_OLD_USERS] = "SELECT name_hash, sealed FROM users WHERE seen <> ?1",
        [SK_SQL_DROP_USERS] = "DELETE FROM users WHERE seen <> ?1",
        [SK_SQL_LIST_USERS] = "SELECT sealed FROM users",
        [SK_SQL_USE_API_KEY] = ("INSERT INTO api_keys (key, used, seen) VALUES (?1, ?2, 0) "
                                "ON CONFLICT (key) DO UPDATE SET used = excluded.used WHERE used < excluded.used"),
        [SK_SQL_GET_API_KEY] = "SELECT used FROM api_keys WHERE key = ?1",
        [SK_SQL_KEEP_API_KEY] = "UPDATE api_keys SET seen = ?2 WHERE key = ?1",
        [SK_SQL_DROP_API_KEYS] = "DELETE FROM api_keys WHERE seen <> ?1",
        [SK_SQL_GET_SECRETS] = "SELECT header_hash, sealed FROM secrets WHERE app_hash = ?1",
        [SK_SQL_PUT_SECRET] = ("INSERT INTO secrets (app_hash, header_hash, sealed, seen) VALUES (?1, ?2, ?3, ?4) "
                               "ON CONFLICT (app_hash, header_hash) DO UPDATE SET sealed = excluded.sealed, seen = excluded.seen"),
        [SK_SQL_DROP_SECRETS] = "DELETE FROM secrets WHERE seen <> ?1",
        [SK_SQL_PUT_SESSION] = "INSERT INTO sessions (key, used, sealed, sub, sid) VALUES (?1, ?2, ?3, ?4, ?5)",
        [SK_SQL_TOUCH_SESSION] = "UPDATE sessions SET used = ?2 WHERE key = ?1 AND used < ?2",
        [SK_SQL_DROP_SESSION] = "DELETE FROM sessions WHERE key = ?1",
        [SK_SQL_GET_SESSION] = "SELECT key, used, sealed FROM sessions WHERE key = ?1",
        [SK_SQL_LIST_SESSIONS] = "SELECT key, used, sealed FROM sessions ORDER BY used DESC",
        /* One that the provider did not name ends with its user. */
        [SK_SQL_SIGNED_IN] = ("SELECT key, used, sealed FROM sessions WHERE sid = ?2 UNION "
                              "SELECT key, used, sealed FROM sessions WHERE sub = ?1 AND (?2 IS NULL OR sid IS NULL) LIMIT ?3"),
        [SK_SQL_SWEEP_SESSIONS] = "DELETE FROM sessions WHERE key IN (SELECT key FROM sessions WHERE used < ?1 LIMIT 64)",
        [SK_SQL_GET_PENALTY] = "SELECT sealed FROM penalties WHERE key = ?1",
        [SK_SQL_PUT_PENALTY] = ("INSERT INTO penalties (key, ends, sealed) VALUES (?1, ?2, ?3) "
                                "ON CONFLICT (key) DO UPDATE SET ends = excluded.ends, sealed = excluded.sealed"),
        [SK_SQL_DROP_PENALTY] = "DELETE FROM penalties WHERE key = ?1",
        [SK_SQL_LIST_PENALTIES] = "SELECT ends, key, sealed FROM penalties WHERE (ends, key) < (?1, ?2) ORDER BY ends DESC, key DESC LIMIT ?3",
        [SK_SQL_SWEEP_PENALTIES] = "DELETE FROM penalties WHERE key IN (SELECT key FROM penalties WHERE ends <= ?1 LIMIT 64)",
        [SK_SQL_COUNT_PENALTIES] = "SELECT count(*) FROM penalties",
        [SK_SQL_GET_PASSWORD] = "SELECT instead_of, sealed FROM passwords WHERE name_hash = ?1",
        [SK_SQL_PUT_PASSWORD] = ("INSERT INTO passwords (name_hash, instead_of, sealed) VALUES (?1, ?2, ?3) "
                                 "ON CONFLICT (name_hash) DO UPDATE SET instead_of = excluded.instead_of, sealed = excluded.sealed"),
        [SK_SQL_ORPHAN_PASSWORDS] = "DELETE FROM passwords WHERE name_hash NOT IN (SELECT name_hash FROM users)",
        [SK_SQL_PUT_AUTHENTICATOR] = "INSERT INTO authenticators (id, name_hash, counter, used, sealed) VALUES (?1, ?2, ?3, 0, ?4)",
        [SK_SQL_GET_AUTHENTICATOR] = "SELECT id, counter, used, sealed FROM authenticators WHERE id = ?1",
        [SK_SQL_LIST_AUTHENTICATORS] = "SELECT id, counter, used, sealed FROM authenticators WHERE name_hash = ?1",
        [SK_SQL_USE_AUTHENTICATOR] = "UPDATE authenticators SET counter = ?3, used = ?4 WHERE id = ?1 AND counter = ?2",
        [SK_SQL_DROP_AUTHENTICATOR] = "DELETE FROM authenticators WHERE id = ?1 AND name_hash = ?2",
        [SK_SQL_DROP_AUTHENTICATORS] = "DELETE FROM authenticators WHERE name_hash = ?1",
        [SK_SQL_ORPHAN_AUTHENTICATORS] = "DELETE FROM authenticators WHERE name_hash NOT IN (SELECT name_hash FROM users)",
        [SK_SQL_PUT_VOUCHER] = "INSERT INTO vouchers (key, name_hash, kind, ends, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
        [SK_SQL_GET_VOUCHER] = "SELECT sealed FROM vouchers WHERE key = ?1 AND kind = ?2 AND ends > ?3",
        [SK_SQL_TAKE_VOUCHER] = "DELETE FROM vouchers WHERE key = ?1 AND kind = ?2 AND ends > ?3 AND name_hash = ?4",
        [SK_SQL_COUNT_VOUCHERS] = "SELECT count(*) FROM vouchers WHERE name_hash = ?1 AND kind = ?2",
        [SK_SQL_DROP_VOUCHERS] = "DELETE FROM vouchers WHERE name_hash = ?1 AND kind = ?2",
        [SK_SQL_DROP_ALL_VOUCHERS] = "DELETE FROM vouchers WHERE name_hash = ?1",
        [SK_SQL_SWEEP_VOUCHERS] = "DELETE FROM vouchers WHERE key IN (SELECT key FROM vouchers WHERE ends <= ?1 LIMIT 64)",
        [SK_SQL_ORPHAN_VOUCHERS] = "DELETE FROM vouchers WHERE name_hash NOT IN (SELECT name_hash FROM users)",
        [SK_SQL_PUT_SPENT] = "INSERT INTO spent (key, ends) VALUES (?1, ?2)",
        [SK_SQL_GET_SPENT] = "SELECT 1 FROM spent WHERE key = ?1",
        [SK_SQL_COUNT_SPENT] = "SELECT count(*) FROM spent",
        [SK_SQL_SWEEP_SPENT] = "DELETE FROM spent WHERE key IN (SELECT key FROM spent WHERE ends <= ?1 LIMIT 64)",
        [SK_SQL_GET_TENANT] = "SELECT wrapped_key FROM tenants WHERE id = ?1",
        [SK_SQL_PUT_TENANT] = "INSERT INTO tenants (id, name, service, wrapped_key) VALUES (?1, ?2, ?3, ?4)",
};

static int run_text(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

static int read_version(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        version = sqlite3_column_int(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return version;
}

/* All missing versions at once, or none. */
static int migrate(sqlite3 *db, const char *const *schema, int from, int to)
{
    char version[48];
    (void)snprintf(version, sizeof(version), "PRAGMA user_version = %d", to);
    int r = run_text(db, "BEGIN IMMEDIATE");
    for (int i = from; r == 0 && i < to; i++) {
        r = run_text(db, schema[i]);
    }
    r = r ? r : run_text(db, version);
    return r ? r : run_text(db, "COMMIT");
}

void sk_files_init(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
}

int sk_file_open(struct sk_file *file, const char *path, const char *const *schema)
{
    int newest = 0;
    while (schema[newest]) {
        newest++;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &file->db, flags, NULL) != SQLITE_OK) {
        sk_file_close(file);
        return -EIO;
    }
    (void)sqlite3_busy_timeout(file->db, 1000);
    (void)sqlite3_extended_result_codes(file->db, 1);
    int r = run_text(file->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -256");
    int version = r ? -1 : read_version(file->db);
    if (version > newest) {
        r = 1;
    } else if (version < 0) {
        r = -EIO;
    } else if (version < newest) {
        r = migrate(file->db, schema, version, newest);
    }
    if (r) {
        sk_file_close(file);
    }
    return r;
}

void sk_file_close(struct sk_file *file)
{
    for (int i = 0; i < SK_SQL_COUNT; i++) {
        (void)sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    (void)sqlite3_close(file->db);
    file->db = NULL;
}

/* A value could not be bound, and is NULL in its statement: that would find nothing, and change nothing, in silence. */
static bool unbound;

sqlite3_stmt *sk_file_statement(struct sk_file *file, enum sk_statement which)
{
    unbound = false;
    sqlite3_stmt **statement = &file->statements[which];
    if (!*statement && sqlite3_prepare_v3(file->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK) {
        return NULL;
    }
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
    return *statement;
}

int sk_file_step(sqlite3_stmt *statement)
{
    return unbound ? SQLITE_NOMEM : sqlite3_step(statement);
}

int sk_file_run(sqlite3_stmt *statement)
{
    int r = statement ? sk_file_step(statement) : SQLITE_ERROR;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r == SQLITE_DONE || r == SQLITE_ROW ? 0 : -EIO;
}

void sk_file_bind(sqlite3_stmt *statement, int at, struct sk_slice blob)
{
    if (statement && sqlite3_bind_blob64(statement, at, blob.data ? blob.data : "", blob.len, SQLITE_TRANSIENT) != SQLITE_OK) {
        unbound = true;
    }
}

void sk_file_bind_number(sqlite3_stmt *statement, int at, uint64_t number)
{
    if (statement) {
        (void)sqlite3_bind_int64(statement, at, (sqlite3_int64)number);
    }
}

struct sk_slice sk_file_column(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_blob(statement, at);
    int len = sqlite3_column_bytes(statement, at);
    return sk_slice(data, data && len > 0 ? (size_t)len : 0);
}
