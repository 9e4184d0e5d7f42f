/*
 * A store under test: a folder, the engine on it, and SQLite over files and memory of which the n-th use
 * fails. Tests alone.
 */
#pragma once

#include "store/engine.h"

struct shop {
    char path[64];
    uint8_t key[32];
    struct sk_engine *engine;
};

/* A new folder with an engine on it. */
void shop_init(struct shop *shop);
/* Closes the engine and removes the folder. */
void shop_free(struct shop *shop);
/* Closes and opens. As sk_engine_open. */
int shop_reopen(struct shop *shop);
/* "PATH/tenants/HEX.db" of tenant `n`, or the operator's for 0. */
void shop_file(const struct shop *shop, unsigned n, char out[160]);
/* Runs SQL on a file behind the engine's back. */
void shop_sql(const struct shop *shop, unsigned n, const char *sql);
/* How often these bytes stand in any file of the folder. */
size_t shop_grep(const struct shop *shop, const char *text);

void shop_tenant(unsigned n, uint8_t id[SK_ID_SIZE]);
int shop_begin(struct shop *shop, unsigned tenant, const char *digest);
int shop_user(struct shop *shop, unsigned tenant, const char *name, const char *hash);
int shop_secret(struct shop *shop, unsigned tenant, const char *app, const char *header, const char *value);
/* sk_engine_end; the changed users' names in `changed`. */
int shop_end(struct shop *shop, unsigned tenant, char changed[256]);
/* The user's hash; "-" when there is none, "!" when the store fails. */
const char *shop_hash(struct shop *shop, unsigned tenant, const char *name);
/* A whole import of users, "name:hash name:hash". As the first call that is not 0, else end. */
int shop_import(struct shop *shop, unsigned tenant, const char *digest, const char *users, char changed[256]);

int shop_put_session(struct shop *shop, unsigned tenant, const char *key, const char *subject, uint64_t used);
int shop_drop_session(struct shop *shop, unsigned tenant, const char *key);
/* 0 with `used`; 1; negative. */
int shop_get_session(struct shop *shop, unsigned tenant, const char *key, uint64_t *used);

/* The next `n` uses of a file (write, sync, open, truncate, delete, shared memory) go, then `more` fail. */
void shop_fail_files(long n, long more);
/* The same for SQLite's allocations and for our own. */
void shop_fail_memory(long n, long more);
void shop_fail_none(void);
/* How many uses have failed since. */
long shop_failed(void);
