/*
 * What the store keeps, whatever keeps it: SQLite here, one file for the operator's data and one for each tenant.
 * Values arrive plain and are sealed before they reach the engine's files; names are looked up by keyed hash.
 * Every function acts inside one tenant. 0; 1 not there; negative: the engine failed and nothing was changed.
 */
#pragma once

#include "base/buf.h"
#include "ipc/store.h"

struct sk_engine;

/* `folder` exists and is the process's own. 1: written by a newer version. */
int sk_engine_open(const char *folder, const uint8_t root_key[32], struct sk_engine **engine) sk_nodiscard;
struct sk_engine *sk_engine_free(struct sk_engine *engine);

/* A tenant as its file says. `digest` equal to the last one's: 1, and nothing needs to be sent. */
int sk_engine_begin(struct sk_engine *engine, const struct sk_store_begin *begin) sk_nodiscard;
int sk_engine_put_user(struct sk_engine *engine, const struct sk_store_user *user) sk_nodiscard;
int sk_engine_put_secret(struct sk_engine *engine, const struct sk_store_secret *secret) sk_nodiscard;
/* Takes all that was put since begin, at once: nobody sees any of it before. Users and secrets not named are gone. Puts the names of users that changed or went, comma between. Sessions of users that are new, gone, disabled, or have another password go with it. */
int sk_engine_end(struct sk_engine *engine, const uint8_t tenant[SK_ID_SIZE], struct sk_buf *changed) sk_nodiscard;
void sk_engine_cancel(struct sk_engine *engine);

/* The results' texts live in `buf`. 1: `got` is complete all the same, of a user who is not known. */
int sk_engine_get_user(struct sk_engine *engine, const struct sk_store_get_user *get, struct sk_buf *buf, struct sk_store_got_user *got) sk_nodiscard;
/* Counts a password that is about to be tried, then as sk_engine_get_user. 2: it may not be tried for `wait` ns, UINT64_MAX: until
 * that is revoked; `got` is not set. */
int sk_engine_try(struct sk_engine *engine, const struct sk_store_try *attempt, struct sk_buf *buf, struct sk_store_got_user *got, uint64_t *wait) sk_nodiscard;
int sk_engine_tried(struct sk_engine *engine, const struct sk_store_tried *tried) sk_nodiscard;
/* A part of all at a time. `more`: how many of it are in force, of which at most list->most are told, or ended. 2: there is more, and from where. */
int sk_engine_list_bans(struct sk_engine *engine, const struct sk_store_list_bans *list, void (*each)(void *context, const struct sk_store_got_ban *ban), void *context, struct sk_store_more_bans *more) sk_nodiscard;
int sk_engine_drop_bans(struct sk_engine *engine, const struct sk_store_drop_bans *drop, struct sk_store_more_bans *more) sk_nodiscard;
int sk_engine_get_secrets(struct sk_engine *engine, const struct sk_store_get_secrets *get, void (*each)(void *context, struct sk_slice header, struct sk_slice value), void *context) sk_nodiscard;
/* Some of the sessions not used since put->sweep go with it. */
int sk_engine_put_session(struct sk_engine *engine, const struct sk_store_put_session *put) sk_nodiscard;
int sk_engine_touch_session(struct sk_engine *engine, const struct sk_store_touch_session *touch) sk_nodiscard;
/* In one transaction. `count`: how many went, of those started and used since. */
int sk_engine_drop_sessions(struct sk_engine *engine, const struct sk_store_drop_sessions *drop, uint64_t *count) sk_nodiscard;
/* Some of them. `each` is told every key that went, when they are gone. */
int sk_engine_drop_signed_in(struct sk_engine *engine, const struct sk_store_drop_signed_in *drop, void (*each)(void *context, const struct sk_store_got_session *session), void *context, uint64_t *count) sk_nodiscard;
int sk_engine_get_session(struct sk_engine *engine, const struct sk_store_get_session *get, struct sk_buf *buf, struct sk_store_got_session *got) sk_nodiscard;
/* `count`: how many there are, of which at most list->most are told. */
int sk_engine_list_sessions(struct sk_engine *engine, const struct sk_store_list_sessions *list, void (*each)(void *context, const struct sk_store_got_session *session), void *context, uint64_t *count) sk_nodiscard;
/* 1: the link is not the user's, or is used up; 3: the user has put->most; 4: somebody has this credential. */
int sk_engine_put_authenticator(struct sk_engine *engine, const struct sk_store_put_authenticator *put) sk_nodiscard;
int sk_engine_get_authenticator(struct sk_engine *engine, const struct sk_store_get_authenticator *get, struct sk_buf *buf, struct sk_store_got_authenticator *got) sk_nodiscard;
int sk_engine_list_authenticators(struct sk_engine *engine, const struct sk_store_list_authenticators *list, void (*each)(void *context, const struct sk_store_got_authenticator *got), void *context, uint64_t *count) sk_nodiscard;
/* 1 also when its counter is not use->before. */
int sk_engine_use_authenticator(struct sk_engine *engine, const struct sk_store_use_authenticator *use) sk_nodiscard;
int sk_engine_drop_authenticators(struct sk_engine *engine, const struct sk_store_drop_authenticators *drop, uint64_t *count) sk_nodiscard;
/* 1: put->before is not in force any more, or the link not good. */
int sk_engine_put_password(struct sk_engine *engine, const struct sk_store_put_password *put) sk_nodiscard;
/* What is good once: in place of what the user had of the kind; whose it is; and used up, with how many are `left`. */
int sk_engine_put_vouchers(struct sk_engine *engine, const struct sk_store_put_vouchers *put) sk_nodiscard;
int sk_engine_get_voucher(struct sk_engine *engine, const struct sk_store_get_voucher *get, struct sk_buf *buf, struct sk_store_got_voucher *got) sk_nodiscard;
int sk_engine_take_voucher(struct sk_engine *engine, const struct sk_store_take_voucher *take, uint64_t *left) sk_nodiscard;
/* 4: it was already; 3: the tenant has no room for it. */
int sk_engine_spend(struct sk_engine *engine, const struct sk_store_spend *spend) sk_nodiscard;
/* 0: it is not; 4: it is. */
int sk_engine_is_spent(struct sk_engine *engine, const struct sk_store_is_spent *ask) sk_nodiscard;
/* 1: the program has no such key. */
int sk_engine_use_api_key(struct sk_engine *engine, const struct sk_store_use_api_key *use) sk_nodiscard;
/* `count`: how many there are, of which at most list->most are told. */
int sk_engine_list_api_keys(struct sk_engine *engine, const struct sk_store_list_api_keys *list, void (*each)(void *context, const struct sk_store_got_api_key *key), void *context, uint64_t *count) sk_nodiscard;
/* auth's signing key, the operator's. */
int sk_engine_get_key(struct sk_engine *engine, struct sk_buf *der) sk_nodiscard;
int sk_engine_put_key(struct sk_engine *engine, struct sk_slice der) sk_nodiscard;
