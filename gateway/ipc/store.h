/*
 * Store's clients: auth (users, sessions, secrets) and the supervisor (what tenant files say). Every operation names
 * the tenant it acts in, and, where a person acts, that subject; the store opens no other tenant's file for it.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_STORE_FROM_AUTH = 1, SK_STORE_FROM_SUPERVISOR = 2, SK_STORE_FROM_STORE = 4, SK_STORE_IN_ROW = 8 };

/* A tenant as its file says, all or nothing: BEGIN, then users and secrets, then END. `digest`: of the file's content. */
#define SK_STORE_BEGIN_FIELDS(U, I, T) U(ticket) I(tenant) T(name, 64) T(service, 64) T(digest, 64)
#define SK_STORE_USER_FIELDS(U, I, T)                                                                        \
    I(tenant) T(name, 256) U(backend) T(hash, 512) T(roles, 8192) T(networks, 8192) U(restricted) U(disabled)
#define SK_STORE_SECRET_FIELDS(U, I, T) I(tenant) T(app, 64) T(header, 128) T(value, 4096)
#define SK_STORE_END_FIELDS(U, I, T) U(ticket) I(tenant)

#define SK_STORE_GET_USER_FIELDS(U, I, T) U(ticket) I(tenant) T(name, 256)
#define SK_STORE_GET_SECRETS_FIELDS(U, I, T) U(ticket) I(tenant) T(app, 64)
/* `key`: keyed hash of the token. Times are wall ns. A session as its row keeps it, and as it is put there; sessions that
 * were not used since `sweep` go in the same transaction, some at a time. */
#define SK_STORE_SESSION_FIELDS(U, I, T)                                                                     \
    U(ticket) I(tenant) T(key, 64) T(subject, 256) U(started) U(used) T(address, 16) T(factors, 128)
#define SK_STORE_PUT_SESSION_FIELDS(U, I, T) SK_STORE_SESSION_FIELDS(U, I, T) U(sweep)
#define SK_STORE_TOUCH_SESSION_FIELDS(U, I, T) I(tenant) T(key, 64) U(used)
/* One by its key, or, when that is empty, all of a subject: in one transaction. `count`: of those that were started and
 * used since. */
#define SK_STORE_DROP_SESSIONS_FIELDS(U, I, T) U(ticket) I(tenant) T(key, 64) T(subject, 256) U(started) U(used)
#define SK_STORE_GET_SESSION_FIELDS(U, I, T) U(ticket) I(tenant) T(key, 64)
/* Of one subject, or of all when it is empty, that were started and used since; the `most` that were used last. `count`:
 * how many there are. */
#define SK_STORE_LIST_SESSIONS_FIELDS(U, I, T) U(ticket) I(tenant) T(subject, 256) U(started) U(used) U(most)
#define SK_STORE_GET_KEY_FIELDS(U, I, T) U(ticket)
#define SK_STORE_PUT_KEY_FIELDS(U, I, T) U(ticket) T(der, 1024)

/* `status`: 0 done, 1 not there, 2 refused. */
#define SK_STORE_RESULT_FIELDS(U, I, T) U(ticket) U(status) U(count)
/* `known` 0: there is none, and `hash`, when it is not empty, is what its password shall be compared with: nobody's, and as
 * costly as the tenant's most costly one. */
#define SK_STORE_GOT_USER_FIELDS(U, I, T)                                                                    \
    U(ticket) U(known) T(name, 256) U(backend) T(hash, 512) T(roles, 8192) T(networks, 8192) U(restricted) U(disabled)
#define SK_STORE_GOT_SECRET_FIELDS(U, I, T) U(ticket) T(header, 128) T(value, 4096)
#define SK_STORE_GOT_SESSION_FIELDS(U, I, T)                                                                 \
    U(ticket) T(key, 64) T(subject, 256) U(started) U(used) T(address, 16) T(factors, 128)
#define SK_STORE_GOT_KEY_FIELDS(U, I, T) U(ticket) T(der, 1024)
/* Users of this tenant were changed by its file: what was remembered of them is void. `names`: comma between. */
#define SK_STORE_CHANGED_FIELDS(U, I, T) I(tenant) T(names, 32768)

#define SK_STORE_MESSAGES(M)                                                                                 \
    M(STORE_BEGIN, store_begin, 1, SK_STORE_FROM_SUPERVISOR, 0, SK_STORE_BEGIN_FIELDS)                       \
    M(STORE_USER, store_user, 2, SK_STORE_FROM_SUPERVISOR, 0, SK_STORE_USER_FIELDS)                          \
    M(STORE_SECRET, store_secret, 3, SK_STORE_FROM_SUPERVISOR, 0, SK_STORE_SECRET_FIELDS)                    \
    M(STORE_END, store_end, 4, SK_STORE_FROM_SUPERVISOR, 0, SK_STORE_END_FIELDS)                             \
    M(STORE_GET_USER, store_get_user, 10, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_USER_FIELDS)                   \
    M(STORE_GET_SECRETS, store_get_secrets, 11, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_SECRETS_FIELDS)          \
    M(STORE_SESSION, store_session, 12, SK_STORE_IN_ROW, 0, SK_STORE_SESSION_FIELDS)                         \
    M(STORE_PUT_SESSION, store_put_session, 19, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_SESSION_FIELDS)          \
    M(STORE_TOUCH_SESSION, store_touch_session, 13, SK_STORE_FROM_AUTH, 0, SK_STORE_TOUCH_SESSION_FIELDS)    \
    M(STORE_DROP_SESSIONS, store_drop_sessions, 14, SK_STORE_FROM_AUTH, 0, SK_STORE_DROP_SESSIONS_FIELDS)    \
    M(STORE_GET_SESSION, store_get_session, 15, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_SESSION_FIELDS)          \
    M(STORE_LIST_SESSIONS, store_list_sessions, 16, SK_STORE_FROM_AUTH, 0, SK_STORE_LIST_SESSIONS_FIELDS)    \
    M(STORE_GET_KEY, store_get_key, 17, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_KEY_FIELDS)                      \
    M(STORE_PUT_KEY, store_put_key, 18, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_KEY_FIELDS)                      \
    M(STORE_RESULT, store_result, 30, SK_STORE_FROM_STORE, 0, SK_STORE_RESULT_FIELDS)                        \
    M(STORE_GOT_USER, store_got_user, 31, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_USER_FIELDS)                  \
    M(STORE_GOT_SECRET, store_got_secret, 32, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_SECRET_FIELDS)            \
    M(STORE_GOT_SESSION, store_got_session, 33, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_SESSION_FIELDS)         \
    M(STORE_GOT_KEY, store_got_key, 34, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_KEY_FIELDS)                     \
    M(STORE_CHANGED, store_changed, 35, SK_STORE_FROM_STORE, 0, SK_STORE_CHANGED_FIELDS)

SK_IPC_DECLARE(store, SK_STORE_MESSAGES)
