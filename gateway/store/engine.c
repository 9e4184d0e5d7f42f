/* The SQLite engine. Runs in store alone. */
#include "store/engine.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "store/files.h"
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_OPEN_MAX 128
#define HASH_SIZE 16
#define IMPORT_MAX ((size_t)256 << 20)

struct sk_engine {
    char folder[4096];
    uint8_t root_key[32];
    struct sk_file operator;
    struct sk_table files;
    struct sk_file *newest, *oldest;
    /* The import under way. It is kept here until its end, so that nobody sees half of it and no session is put or
     * dropped inside a transaction that may still be taken back. */
    bool importing;
    bool unsure; /* an import before it did not finish: what it changed was perhaps never told */
    uint8_t tenant[SK_ID_SIZE];
    char digest[64];
    size_t digest_len;
    struct sk_buf parts;
};

/* A part of an import, with its sealed value behind it. */
struct part {
    uint32_t len; /* of the value */
    bool secret;
    uint8_t hash[HASH_SIZE], header[HASH_SIZE]; /* of the user's name; of app and header */
};

/* The place of a sealed value: column, then tenant. A value moved elsewhere does not unseal. */
static struct sk_slice place(const struct sk_file *file, const char *column, char out[64])
{
    int len = snprintf(out, 32, "%s", column);
    memcpy(out + len + 1, file->tenant, SK_ID_SIZE);
    return sk_slice(out, (size_t)len + 1 + SK_ID_SIZE);
}

static void name_hash(const struct sk_file *file, struct sk_slice name, uint8_t out[HASH_SIZE])
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_hmac(sk_slice(file->lookup, sizeof(file->lookup)), name, hash);
    memcpy(out, hash, HASH_SIZE);
}

static int seal_message(const struct sk_file *file, const char *column, uint16_t code, const void *message, struct sk_buf *sealed)
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

/* Unseals into `buf` and decodes; the message's texts live there. A value that does not unseal counts as broken. */
static int unseal_message(const struct sk_file *file, const char *column, uint16_t code, struct sk_slice sealed, struct sk_buf *buf, union sk_ipc_any *message)
{
    const struct sk_ipc_layout *layout;
    char where[64];
    size_t before = sk_buf_len(buf);
    int r = sk_unseal(file->key, place(file, column, where), sealed, buf);
    if (r) {
        return r < 0 ? r : -EBADMSG;
    }
    struct sk_slice plain = sk_slice_from(sk_buf_peek(buf), before);
    if (sk_ipc_decode(&sk_store_interface, SK_STORE_FROM_AUTH | SK_STORE_FROM_SUPERVISOR | SK_STORE_FROM_STORE, plain, message, &layout)) {
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

static void file_free(struct sk_engine *e, struct sk_file *file)
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
    int step = get ? sqlite3_step(get) : SQLITE_ERROR;
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

/* 0; 1 no such tenant; negative: -EPROTONOSUPPORT when its file is of a newer schema. */
static int tenant_file(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], const struct sk_store_begin *begin, struct sk_file **out)
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
    if (r == 0 && sk_file_open(file, path, sk_schema_tenant) > 0) {
        r = -EPROTONOSUPPORT; /* of a newer schema */
    } else if (r == 0 && !file->db) {
        r = -EIO;
    }
    if (r == 0 && e->files.count >= FILES_OPEN_MAX) {
        file_free(e, e->oldest);
    }
    r = r ? r : sk_table_add(&e->files, &file->node, hash);
    if (r) {
        sk_file_close(file);
        sk_wipe(file, sizeof(*file));
        free(file);
        return r;
    }
    link_use(e, file);
    *out = file;
    return 0;
}

int sk_engine_open(const char *folder, const uint8_t root_key[32], struct sk_engine **out)
{
    char path[4200];
    struct sk_engine *e = calloc(1, sizeof(*e));
    if (!e) {
        return -ENOMEM;
    }
    (void)snprintf(e->folder, sizeof(e->folder), "%s", folder);
    memcpy(e->root_key, root_key, sizeof(e->root_key));
    e->parts = SK_BUF_INIT(IMPORT_MAX);
    (void)snprintf(path, sizeof(path), "%s/tenants", folder);
    int r = mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
    (void)snprintf(path, sizeof(path), "%s/operator.db", folder);
    r = r ? r : sk_file_open(&e->operator, path, sk_schema_operator);
    if (r) {
        (void)sk_engine_free(e);
        return r;
    }
    *out = e;
    return 0;
}

struct sk_engine *sk_engine_free(struct sk_engine *e)
{
    if (e) {
        while (e->oldest) {
            file_free(e, e->oldest);
        }
        sk_table_free(&e->files);
        sk_file_close(&e->operator);
        sk_buf_free(&e->parts);
        sk_wipe(e, sizeof(*e));
        free(e);
    }
    return NULL;
}

/* ---- what tenant files say ---- */

static int get_meta(struct sk_file *file, const char *key, struct sk_buf *out)
{
    sqlite3_stmt *get = sk_file_statement(file, SK_SQL_GET_META);
    if (!get) {
        return -EIO;
    }
    (void)sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    int step = sqlite3_step(get);
    int r = step == SQLITE_ROW ? sk_buf_put(out, sk_file_column(get, 0)) : step == SQLITE_DONE ? 1 : -EIO;
    (void)sqlite3_reset(get);
    return r;
}

static int put_meta(struct sk_file *file, const char *key, struct sk_slice value)
{
    sqlite3_stmt *put = sk_file_statement(file, SK_SQL_PUT_META);
    if (!put) {
        return -EIO;
    }
    (void)sqlite3_bind_text(put, 1, key, -1, SQLITE_STATIC);
    sk_file_bind(put, 2, value);
    return sk_file_run(put);
}

/* The digest of what was last taken stands in the operator's file: an unchanged tenant's file need not be opened. */
static void digest_key(const uint8_t tenant[SK_ID_SIZE], char key[64])
{
    char hex[2 * SK_ID_SIZE + 1];
    sk_hex_encode(tenant, SK_ID_SIZE, hex);
    (void)snprintf(key, 64, "digest %s", hex);
}

int sk_engine_begin(struct sk_engine *e, const struct sk_store_begin *begin)
{
    struct sk_buf digest SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(256);
    struct sk_file *file = NULL;
    char key[64];
    sk_engine_cancel(e);
    digest_key(begin->tenant, key);
    int r = get_meta(&e->operator, key, &digest);
    if (r < 0 || (r == 0 && begin->digest.len && sk_slice_eq(sk_buf_peek(&digest), begin->digest))) {
        return r < 0 ? r : 1;
    }
    e->unsure = r == 0 && sk_buf_len(&digest) == 0;
    r = tenant_file(e, begin->tenant, begin, &file);
    if (r) {
        return r < 0 ? r : -EPROTO;
    }
    e->importing = true;
    memcpy(e->tenant, begin->tenant, SK_ID_SIZE);
    e->digest_len = begin->digest.len < sizeof(e->digest) ? begin->digest.len : sizeof(e->digest);
    memcpy(e->digest, begin->digest.data, e->digest_len);
    return 0;
}

void sk_engine_cancel(struct sk_engine *e)
{
    e->importing = false;
    sk_buf_free(&e->parts);
}

static int note_changed(struct sk_buf *changed, struct sk_slice name)
{
    int r = sk_buf_len(changed) ? sk_buf_put(changed, SK_LIT(",")) : 0;
    return r ? r : sk_buf_put(changed, name);
}

/* A user as a supervisor's message says and as the sealed row keeps it: the same fields. */
static bool same_user(const struct sk_store_user *a, const struct sk_store_user *b)
{
    return a->backend == b->backend && a->restricted == b->restricted && a->disabled == b->disabled && sk_slice_eq(a->hash, b->hash) &&
           sk_slice_eq(a->roles, b->roles) && sk_slice_eq(a->networks, b->networks);
}

/* The file of the import under way, when it is this tenant's. */
static int importing_file(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], struct sk_file **file)
{
    if (!e->importing || memcmp(e->tenant, tenant, SK_ID_SIZE) != 0) {
        return -EPROTO;
    }
    int r = tenant_file(e, tenant, NULL, file);
    return r > 0 ? -EPROTO : r;
}

static int put_part(struct sk_engine *e, struct part *part, struct sk_slice sealed)
{
    part->len = (uint32_t)sealed.len;
    char *to = sk_buf_reserve(&e->parts, sizeof(*part) + sealed.len);
    if (!to) {
        return -ENOMEM;
    }
    memcpy(to, part, sizeof(*part));
    if (sealed.len) {
        memcpy(to + sizeof(*part), sealed.data, sealed.len);
    }
    sk_buf_commit(&e->parts, sizeof(*part) + sealed.len);
    return 0;
}

int sk_engine_put_user(struct sk_engine *e, const struct sk_store_user *user)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct part part = {.secret = false};
    struct sk_file *file;
    int r = importing_file(e, user->tenant, &file);
    if (r == 0) {
        name_hash(file, user->name, part.hash);
        r = seal_message(file, "user", SK_STORE_USER, user, &sealed);
    }
    return r ? r : put_part(e, &part, sk_buf_peek(&sealed));
}

int sk_engine_put_secret(struct sk_engine *e, const struct sk_store_secret *secret)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct part part = {.secret = true};
    struct sk_file *file;
    int r = importing_file(e, secret->tenant, &file);
    if (r == 0) {
        name_hash(file, secret->app, part.hash);
        name_hash(file, secret->header, part.header);
        r = seal_message(file, "secret", SK_STORE_SECRET, secret, &sealed);
    }
    return r ? r : put_part(e, &part, sk_buf_peek(&sealed));
}

/* Notes the user's name when a row of it is there and says something else. */
static int compare_user(struct sk_engine *e, struct sk_file *file, const struct part *part, struct sk_slice sealed, struct sk_buf *changed)
{
    struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_buf old SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    union sk_ipc_any message, before;
    const struct sk_store_user *user = (const void *)&message;
    sqlite3_stmt *get = sk_file_statement(file, SK_SQL_GET_USER);
    sk_file_bind(get, 1, sk_slice(part->hash, HASH_SIZE));
    int step = get ? sqlite3_step(get) : SQLITE_ERROR;
    int r = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -EIO;
    if (step == SQLITE_ROW) {
        r = unseal_message(file, "user", SK_STORE_USER, sealed, &plain, &message);
        bool same = r == 0 && !e->unsure && unseal_message(file, "user", SK_STORE_USER, sk_file_column(get, 0), &old, &before) == 0 &&
                    same_user(user, (const struct sk_store_user *)(const void *)&before);
        r = r || same ? r : note_changed(changed, user->name);
    }
    if (get) {
        (void)sqlite3_reset(get);
    }
    return r;
}

static int write_part(struct sk_engine *e, struct sk_file *file, int64_t mark, const struct part *part, struct sk_slice sealed, struct sk_buf *changed)
{
    int at = 0, r = part->secret ? 0 : compare_user(e, file, part, sealed, changed);
    sqlite3_stmt *put = sk_file_statement(file, part->secret ? SK_SQL_PUT_SECRET : SK_SQL_PUT_USER);
    sk_file_bind(put, ++at, sk_slice(part->hash, HASH_SIZE));
    if (part->secret) {
        sk_file_bind(put, ++at, sk_slice(part->header, HASH_SIZE));
    }
    sk_file_bind(put, ++at, sealed);
    if (put) {
        (void)sqlite3_bind_int64(put, ++at, mark);
    }
    return r ? r : sk_file_run(put);
}

/* Names of users that the file no longer has, for their grants to be dropped. */
static int note_gone(struct sk_file *file, int64_t mark, struct sk_buf *changed)
{
    sqlite3_stmt *old = sk_file_statement(file, SK_SQL_OLD_USERS);
    int r = old ? 0 : -EIO, step = SQLITE_DONE;
    if (old) {
        (void)sqlite3_bind_int64(old, 1, mark);
    }
    while (r == 0 && (step = sqlite3_step(old)) == SQLITE_ROW) {
        struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        union sk_ipc_any user;
        r = unseal_message(file, "user", SK_STORE_USER, sk_file_column(old, 1), &plain, &user);
        if (r == 0) {
            r = note_changed(changed, ((const struct sk_store_user *)(const void *)&user)->name);
        } else if (r == -EBADMSG) {
            r = 0; /* nobody could log in by this row */
        }
    }
    if (old) {
        (void)sqlite3_reset(old);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

static int drop_old(struct sk_file *file, int64_t mark, enum sk_statement which)
{
    sqlite3_stmt *drop = sk_file_statement(file, which);
    if (drop) {
        (void)sqlite3_bind_int64(drop, 1, mark);
    }
    return sk_file_run(drop);
}

/* All of the import in one transaction. On failure the file is as it was. */
static int write_import(struct sk_engine *e, struct sk_file *file, struct sk_buf *changed)
{
    int64_t mark = (int64_t)(sk_clock_wall() & INT64_MAX);
    struct sk_slice parts = sk_buf_peek(&e->parts);
    int r = sk_file_run(sk_file_statement(file, SK_SQL_BEGIN));
    while (r == 0 && parts.len) {
        struct part part;
        memcpy(&part, parts.data, sizeof(part));
        parts = sk_slice_from(parts, sizeof(part));
        r = write_part(e, file, mark, &part, sk_slice_cut(parts, part.len), changed);
        parts = sk_slice_from(parts, part.len);
    }
    r = r ? r : note_gone(file, mark, changed);
    r = r ? r : drop_old(file, mark, SK_SQL_DROP_USERS);
    r = r ? r : drop_old(file, mark, SK_SQL_DROP_SECRETS);
    r = r ? r : sk_file_run(sk_file_statement(file, SK_SQL_COMMIT));
    if (r) {
        (void)!sk_file_run(sk_file_statement(file, SK_SQL_ROLLBACK));
        if (!sqlite3_get_autocommit(file->db)) {
            file_free(e, file); /* without memory even a rollback fails: closing takes the rest back */
        }
    }
    return r;
}

int sk_engine_end(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], struct sk_buf *changed)
{
    struct sk_file *file;
    char key[64];
    digest_key(tenant, key);
    int r = importing_file(e, tenant, &file);
    /* No digest stands while the rows change: one that is too old would let a later import be taken for needless. */
    r = r ? r : put_meta(&e->operator, key, SK_SLICE_NULL);
    r = r ? r : write_import(e, file, changed);
    if (r == 0) {
        (void)!put_meta(&e->operator, key, sk_slice(e->digest, e->digest_len)); /* without it the file is taken once more */
    }
    if (r != -EPROTO) {
        sk_engine_cancel(e);
    }
    return r;
}

/* ---- what auth asks ---- */

int sk_engine_get_user(struct sk_engine *e, const struct sk_store_get_user *get, struct sk_buf *buf, struct sk_store_got_user *got)
{
    struct sk_file *file;
    union sk_ipc_any message;
    uint8_t hash[HASH_SIZE];
    int r = tenant_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    name_hash(file, get->name, hash);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_USER);
    sk_file_bind(statement, 1, sk_slice(hash, sizeof(hash)));
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    r = step == SQLITE_ROW ? unseal_message(file, "user", SK_STORE_USER, sk_file_column(statement, 0), buf, &message) : step == SQLITE_DONE ? 1 : -EIO;
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    if (r == 0 && !sk_slice_eq(((const struct sk_store_user *)(const void *)&message)->name, get->name)) {
        r = -EBADMSG; /* another user's row under this one's name */
    }
    if (r == 0) {
        const struct sk_store_user *user = (const void *)&message;
        *got = (struct sk_store_got_user){.ticket = get->ticket, .name = user->name, .backend = user->backend, .hash = user->hash,
                .roles = user->roles, .networks = user->networks, .restricted = user->restricted, .disabled = user->disabled};
    }
    return r;
}

int sk_engine_get_secrets(struct sk_engine *e, const struct sk_store_get_secrets *get,
        void (*each)(void *context, struct sk_slice header, struct sk_slice value), void *context)
{
    struct sk_file *file;
    uint8_t hash[HASH_SIZE];
    int r = tenant_file(e, get->tenant, NULL, &file);
    if (r) {
        return r;
    }
    name_hash(file, get->app, hash);
    sqlite3_stmt *statement = sk_file_statement(file, SK_SQL_GET_SECRETS);
    sk_file_bind(statement, 1, sk_slice(hash, sizeof(hash)));
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    for (; r == 0 && step == SQLITE_ROW; step = sqlite3_step(statement)) {
        struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        union sk_ipc_any message;
        r = unseal_message(file, "secret", SK_STORE_SECRET, sk_file_column(statement, 1), &plain, &message);
        if (r == 0) {
            const struct sk_store_secret *secret = (const void *)&message;
            if (!sk_slice_eq(secret->app, get->app)) {
                r = -EBADMSG; /* another app's row under this one's name */
                break;
            }
            each(context, secret->header, secret->value);
            sk_wipe(plain.data, plain.size);
        }
    }
    if (statement) {
        (void)sqlite3_reset(statement);
    }
    return r ? r : step == SQLITE_DONE ? 0 : -EIO;
}

int sk_engine_put_session(struct sk_engine *e, const struct sk_store_put_session *put)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_file *file;
    int r = tenant_file(e, put->tenant, NULL, &file);
    if (r) {
        return r;
    }
    r = seal_message(file, "session", SK_STORE_PUT_SESSION, put, &sealed);
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
    int r = tenant_file(e, touch->tenant, NULL, &file);
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
    int r = tenant_file(e, drop->tenant, NULL, &file);
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
    int r = unseal_message(file, "session", SK_STORE_PUT_SESSION, sk_file_column(statement, 2), buf, &message);
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
    int r = tenant_file(e, get->tenant, NULL, &file);
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
    int r = tenant_file(e, list->tenant, NULL, &file);
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

int sk_engine_get_key(struct sk_engine *e, struct sk_buf *der)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    int r = get_meta(&e->operator, "signing key", &sealed);
    return r ? r : sk_unseal(e->root_key, SK_LIT("signing key"), sk_buf_peek(&sealed), der) ? -EBADMSG : 0;
}

int sk_engine_put_key(struct sk_engine *e, struct sk_slice der)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    int r = sk_seal(e->root_key, SK_LIT("signing key"), der, &sealed);
    return r ? r : put_meta(&e->operator, "signing key", sk_buf_peek(&sealed));
}
