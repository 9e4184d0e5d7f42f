/* What tenant files say, taken whole or not at all. Runs in store alone. */
#include "store/rows.h"

#include "base/clock.h"
#include "base/text.h"
#include "ipc/factor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ENDED_MAX ((size_t)64 << 20)
#define NOBODYS "bm9ib2R5bm9ib2R5bm9ibw$R3wk2YQ0bmoMv7s4cXkm6cw0W1Ww0z6kD3yTsd6aLmE" /* salt and hash */

/* A part of an import, with its sealed value behind it. */
struct part {
    uint32_t len; /* of the value */
    bool secret;
    uint8_t hash[SK_NAME_HASH], header[SK_NAME_HASH]; /* of the user's name; of app and header */
};

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
    int r = sk_meta_get(&e->operator, key, &digest);
    if (r < 0 || (r == 0 && begin->digest.len && sk_slice_eq(sk_buf_peek(&digest), begin->digest))) {
        return r < 0 ? r : 1;
    }
    e->unsure = r == 0 && sk_buf_len(&digest) == 0;
    r = sk_engine_file(e, begin->tenant, begin, &file);
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
           sk_slice_eq(a->roles, b->roles) && sk_slice_eq(a->networks, b->networks) &&
           sk_slice_eq(a->scope, b->scope);
}

static bool same_password(const struct sk_store_user *a, const struct sk_store_user *b)
{
    return a->backend == b->backend && sk_slice_eq(a->hash, b->hash);
}

/* The file of the import under way, when it is this tenant's. */
static int importing_file(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], struct sk_file **file)
{
    if (!e->importing || memcmp(e->tenant, tenant, SK_ID_SIZE) != 0) {
        return -EPROTO;
    }
    int r = sk_engine_file(e, tenant, NULL, file);
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
        sk_row_name_hash(file, user->name, part.hash);
        r = sk_row_seal(file, "user", SK_STORE_USER, user, &sealed);
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
        sk_row_name_hash(file, secret->app, part.hash);
        sk_row_name_hash(file, secret->header, part.header);
        r = sk_row_seal(file, "secret", SK_STORE_SECRET, secret, &sealed);
    }
    return r ? r : put_part(e, &part, sk_buf_peek(&sealed));
}

/* What an import changes, noted on the way. */
struct note {
    struct sk_engine *engine;
    struct sk_file *file;
    struct sk_buf *changed; /* names */
    int64_t mark;
    struct sk_buf *ended;   /* hashes of the names of users whose sessions end */
    uint64_t cost;          /* of the most costly password */
    char decoy[128];        /* a hash of nobody's password that costs as much, or empty */
};

/* The number behind `name` in "m=…,t=…,p=…"; 0 when there is none or it is over `max`. */
static uint64_t parameter(struct sk_slice list, const char *name, uint64_t max)
{
    while (list.len) {
        struct sk_slice value = sk_slice_split(&list, ','), key = sk_slice_split(&value, '=');
        uint64_t number;
        if (sk_slice_eq(key, sk_slice_str(name)) && sk_slice_u64(value, max, &number) == 0) {
            return number;
        }
    }
    return 0;
}

/* Whether somebody is known must not be told by the time that a wrong password takes. */
static void note_cost(struct note *note, const struct sk_store_user *user)
{
    struct sk_slice rest = user->hash;
    struct sk_slice nothing = sk_slice_split(&rest, '$'), kind = sk_slice_split(&rest, '$'), version = sk_slice_split(&rest, '$');
    struct sk_slice costs = sk_slice_split(&rest, '$');
    uint64_t memory = parameter(costs, "m", SK_FACTOR_MEMORY_MAX), passes = parameter(costs, "t", SK_FACTOR_PASSES_MAX);
    bool fits = nothing.len == 0 && sk_slice_eq(kind, SK_LIT("argon2id")) && sk_slice_eq(version, SK_LIT("v=19")) && costs.len < 64 &&
                parameter(costs, "p", SK_FACTOR_LANES_MAX);
    if (fits && memory * passes > note->cost) {
        note->cost = memory * passes;
        (void)snprintf(note->decoy, sizeof(note->decoy), "$argon2id$v=19$%.*s$" NOBODYS, (int)costs.len, costs.data);
    }
}

static int put_decoy(struct note *note)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    const struct sk_store_user decoy = {.hash = sk_slice_str(note->decoy)};
    int r = sk_row_seal(note->file, SK_META_DECOY, SK_STORE_USER, &decoy, &sealed);
    return r ? r : sk_meta_put(note->file, SK_META_DECOY, sk_buf_peek(&sealed));
}

static int note_ended(struct note *note, const uint8_t hash[SK_NAME_HASH])
{
    return sk_buf_put(note->ended, sk_slice(hash, SK_NAME_HASH));
}

/* Notes the user's name when a row of it is there and says something else. A session is a proof of the password: it ends
 * with it, and does not come back with a user of the same name. */
static int compare_user(struct note *note, const struct part *part, struct sk_slice sealed)
{
    struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_buf old SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    union sk_ipc_any message, row;
    const struct sk_store_user *user = (const void *)&message, *before = NULL;
    sqlite3_stmt *get = sk_file_statement(note->file, SK_SQL_GET_USER);
    sk_file_bind(get, 1, sk_slice(part->hash, SK_NAME_HASH));
    int step = get ? sk_file_step(get) : SQLITE_ERROR;
    int r = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -EIO;
    r = r ? r : sk_row_unseal(note->file, "user", SK_STORE_USER, sealed, &plain, &message);
    if (r == 0 && step == SQLITE_ROW && sk_row_unseal(note->file, "user", SK_STORE_USER, sk_file_column(get, 0), &old, &row) == 0) {
        before = (const void *)&row;
    }
    if (r == 0 && step == SQLITE_ROW && (note->engine->unsure || !before || !same_user(user, before))) {
        r = note_changed(note->changed, user->name);
    }
    if (r == 0) {
        note_cost(note, user);
        r = sk_api_keys_keep(note->file, user, note->mark);
    }
    if (r == 0 && (user->disabled || !before || !same_password(user, before))) {
        r = note_ended(note, part->hash);
    }
    if (get) {
        (void)sqlite3_reset(get);
    }
    return r;
}

static int write_part(struct note *note, const struct part *part, struct sk_slice sealed)
{
    int at = 0, r = part->secret ? 0 : compare_user(note, part, sealed);
    sqlite3_stmt *put = sk_file_statement(note->file, part->secret ? SK_SQL_PUT_SECRET : SK_SQL_PUT_USER);
    sk_file_bind(put, ++at, sk_slice(part->hash, SK_NAME_HASH));
    if (part->secret) {
        sk_file_bind(put, ++at, sk_slice(part->header, SK_NAME_HASH));
    }
    sk_file_bind(put, ++at, sealed);
    if (put) {
        (void)sqlite3_bind_int64(put, ++at, note->mark);
    }
    return r ? r : sk_file_run(put);
}

/* Names of users that the file no longer has, for their grants and sessions to be dropped. */
static int note_gone(struct note *note)
{
    sqlite3_stmt *old = sk_file_statement(note->file, SK_SQL_OLD_USERS);
    int r = old ? 0 : -EIO, step = SQLITE_DONE;
    if (old) {
        (void)sqlite3_bind_int64(old, 1, note->mark);
    }
    while (r == 0 && (step = sk_file_step(old)) == SQLITE_ROW) {
        struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
        union sk_ipc_any user;
        struct sk_slice hash = sk_file_column(old, 0);
        r = hash.len == SK_NAME_HASH ? note_ended(note, (const uint8_t *)hash.data) : 0;
        r = r ? r : sk_row_unseal(note->file, "user", SK_STORE_USER, sk_file_column(old, 1), &plain, &user);
        if (r == 0) {
            r = note_changed(note->changed, ((const struct sk_store_user *)(const void *)&user)->name);
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

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, SK_NAME_HASH);
}

static int drop_sessions(struct sk_file *file, struct sk_buf *ended)
{
    size_t count = sk_buf_len(ended) / SK_NAME_HASH;
    if (count == 0) {
        return 0;
    }
    qsort(ended->data + ended->start, count, SK_NAME_HASH, compare_hashes);
    return sk_sessions_drop_users(file, (const uint8_t (*)[SK_NAME_HASH])(const void *)sk_buf_peek(ended).data, count);
}

/* All of the import in one transaction. On failure the file is as it was. */
static int write_import(struct sk_engine *e, struct sk_file *file, struct sk_buf *changed)
{
    struct sk_buf ended SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(ENDED_MAX);
    int64_t mark = (int64_t)(sk_clock_wall() & INT64_MAX);
    struct note note = {.engine = e, .file = file, .changed = changed, .mark = mark, .ended = &ended};
    struct sk_slice parts = sk_buf_peek(&e->parts);
    int r = sk_engine_transaction(file);
    while (r == 0 && parts.len) {
        struct part part;
        memcpy(&part, parts.data, sizeof(part));
        parts = sk_slice_from(parts, sizeof(part));
        r = write_part(&note, &part, sk_slice_cut(parts, part.len));
        parts = sk_slice_from(parts, part.len);
    }
    r = r ? r : note_gone(&note);
    r = r ? r : drop_old(file, mark, SK_SQL_DROP_USERS);
    r = r ? r : drop_old(file, mark, SK_SQL_DROP_SECRETS);
    r = r ? r : drop_old(file, mark, SK_SQL_DROP_API_KEYS);
    /* Who comes back under the name of somebody who went gets nothing that was theirs. */
    r = r ? r : sk_file_run(sk_file_statement(file, SK_SQL_ORPHAN_AUTHENTICATORS));
    r = r ? r : sk_file_run(sk_file_statement(file, SK_SQL_ORPHAN_VOUCHERS));
    r = r ? r : sk_file_run(sk_file_statement(file, SK_SQL_ORPHAN_PASSWORDS));
    r = r ? r : drop_sessions(file, &ended);
    r = r ? r : put_decoy(&note);
    return sk_engine_commit(e, file, r);
}

int sk_engine_end(struct sk_engine *e, const uint8_t tenant[SK_ID_SIZE], struct sk_buf *changed)
{
    struct sk_file *file;
    char key[64];
    digest_key(tenant, key);
    int r = importing_file(e, tenant, &file);
    /* No digest stands while the rows change: one that is too old would let a later import be taken for needless. */
    r = r ? r : sk_meta_put(&e->operator, key, SK_SLICE_NULL);
    r = r ? r : write_import(e, file, changed);
    if (r == 0) {
        (void)!sk_meta_put(&e->operator, key, sk_slice(e->digest, e->digest_len)); /* without it the file is taken once more */
    }
    if (r != -EPROTO) {
        sk_engine_cancel(e);
    }
    return r;
}
