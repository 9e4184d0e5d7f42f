/*
 * Store's clients: auth (users, sessions, secrets) and the supervisor (what tenant files say). Every operation names
 * the tenant it acts in, and, where a person acts, that subject; the store opens no other tenant's file for it.
 */
#pragma once

#include "ipc/interface.h"

/* What a counter of wrong passwords counts (store/budget.h), in rows and in lists of bans. */
enum sk_ban_scope {
    SK_BAN_PAIR,      /* a user from a network */
    SK_BAN_PLACE,     /* a network */
    SK_BAN_ELSEWHERE, /* a user from networks where nobody knows him */
    SK_BAN_HOME,      /* a user from the others */
    SK_BAN_KNOWN,     /* no count: the user is at home in the network */
    SK_BAN_SITE,      /* the networks around one: an IPv4 /24, the first 6 bytes of an IPv6 one */
    SK_BAN_SCOPES
};

/* What is good once. */
enum sk_voucher {
    SK_VOUCHER_LINK, /* registers an authenticator */
    SK_VOUCHER_CODE, /* in place of a lost one */
    SK_VOUCHER_PASSWORD, /* sets a new password */
    SK_VOUCHERS
};

enum { SK_STORE_FROM_AUTH = 1, SK_STORE_FROM_SUPERVISOR = 2, SK_STORE_FROM_STORE = 4, SK_STORE_IN_ROW = 8 };

/* A tenant as its file says, all or nothing: BEGIN, then users and secrets, then END. `digest`: of the file's content. */
#define SK_STORE_BEGIN_FIELDS(U, I, T) U(ticket) I(tenant) T(name, 64) T(service, 64) T(digest, 64)
/* `hash`: an Argon2id string; of a program "SHA256:EXPIRES", or "SHA256:EXPIRES:CERTIFICATE", of each key, comma
 * between, in hexadecimal digits and wall ns. `scope`:
 * of a program, "APP METHODS", semicolon between. */
#define SK_STORE_USER_FIELDS(U, I, T)                                                                        \
    I(tenant) T(name, 256) U(backend) T(hash, 1024) T(roles, 8192) T(networks, 8192) T(scope, 2048) U(restricted) U(disabled)
/* A value that goes with `header` to the app's upstreams; or, of the app that none is named as, the tenant's client secret at the provider of that name. */
#define SK_STORE_PROVIDERS "/sign_in"
#define SK_STORE_SECRET_FIELDS(U, I, T) I(tenant) T(app, 64) T(header, 128) T(value, 4096)
#define SK_STORE_END_FIELDS(U, I, T) U(ticket) I(tenant)

#define SK_STORE_GET_USER_FIELDS(U, I, T) U(ticket) I(tenant) T(name, 256)
/* A password is about to be tried for `name` from `network` (an IPv4 address, or the first 8 bytes of an IPv6 one): it is
 * counted, and the user looked up: a program, which has none, is unknown. GOT_USER; RESULT with status 3 and `count` s to wait (0: until it is revoked) when it may
 * not be. The account's last TRIED says what came of it. The settings are the tenant's; times wall ns. */
#define SK_STORE_TRY_FIELDS(U, I, T)                                                                         \
    U(ticket) I(tenant) T(name, 256) T(network, 16) U(now) U(max_retries) U(find_time) U(ban_time)
/* What came of it. */
enum sk_tried { SK_TRIED_RIGHT, SK_TRIED_WRONG, SK_TRIED_UNDECIDED };

#define SK_STORE_TRIED_FIELDS(U, I, T)                                                                       \
    U(ticket) I(tenant) T(name, 256) T(network, 16) U(now) U(max_retries) U(find_time) U(ban_time) U(verdict)
/* Bans in force, of one user or of all when `user` is empty; of those `most`. The store looks at so many counters at a time: MORE_BANS says
 * from where to ask on. `ends` 0: from the first. */
#define SK_STORE_LIST_BANS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) U(now) U(most) U(ends) T(key, 16)
/* Counters of this user, of this network and those around or in it, or of this user from there begin anew. `count`: bans that ended.
 * So many at a time, as above. */
#define SK_STORE_DROP_BANS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) T(network, 16) U(now) U(ends) T(key, 16)
/* A counter as its row keeps it. */
#define SK_STORE_PENALTY_FIELDS(U, I, T)                                                                     \
    U(scope) T(user, 256) T(network, 16) U(failures) U(since) U(until) U(strikes)
#define SK_STORE_GET_SECRETS_FIELDS(U, I, T) U(ticket) I(tenant) T(app, 64)
/* `key`: keyed hash of the token. `proofs`: sk_policy_proofs_text. Times are wall ns. A session as its row keeps it, and as it is put there; sessions that
 * were not used since `sweep` go in the same transaction, some at a time. */
/* Of somebody who signed in at an identity provider: its name, what it calls the user and the session (`sub`, `sid`), and what its claims said of
 * roles; the store has no such user. All are empty of anybody else. */
#define SK_STORE_SIGNED_IN(U, I, T) T(provider, 64) T(sub, 256) T(sid, 256) T(claims, 8192)
#define SK_STORE_SESSION_FIELDS(U, I, T)                                                                     \
    U(ticket) I(tenant) T(key, 64) T(subject, 256) U(started) U(used) T(address, 16) T(proofs, 320) SK_STORE_SIGNED_IN(U, I, T)
#define SK_STORE_PUT_SESSION_FIELDS(U, I, T) SK_STORE_SESSION_FIELDS(U, I, T) U(sweep)
#define SK_STORE_TOUCH_SESSION_FIELDS(U, I, T) I(tenant) T(key, 64) U(used)
/* One by its key, or, when that is empty, all of a subject: in one transaction. `count`: of those that were started and
 * used since. */
#define SK_STORE_DROP_SESSIONS_FIELDS(U, I, T) U(ticket) I(tenant) T(key, 64) T(subject, 256) U(started) U(used)
/* Those of who signed in at the provider: of this session there (`sid`), and of this user there (`sub`) whose session there is not known; without
 * `sid`, all of the user's. GOT_SESSION of each, with its key and subject alone; then RESULT with their number: when that is SK_STORE_SIGNED_IN_PART there may be
 * more, and others are served between. */
#define SK_STORE_SIGNED_IN_PART 256
#define SK_STORE_DROP_SIGNED_IN_FIELDS(U, I, T) U(ticket) I(tenant) T(provider, 64) T(sub, 256) T(sid, 256)
#define SK_STORE_GET_SESSION_FIELDS(U, I, T) U(ticket) I(tenant) T(key, 64)
/* Of one subject, or of all when it is empty, that were started and used since; the `most` that were used last. `count`:
 * how many there are. */
#define SK_STORE_LIST_SESSIONS_FIELDS(U, I, T) U(ticket) I(tenant) T(subject, 256) U(started) U(used) U(most)
/*
 * An authenticator of a user: its FIDO2 credential. `id`: of the row, 16 bytes that say nothing of it. `key`: COSE. `created` and `used`
 * wall ns. A user has `most` at most: RESULT 3; one that somebody has already: RESULT 4. With a `link`, that is used up: RESULT 1 when
 * it is not this user's, or no more.
 */
#define SK_STORE_AUTHENTICATOR_FIELDS(U, I, T)                                                               \
    T(credential, 1023) T(user, 256) T(label, 64) T(key, 1024) T(format, 32) U(eligible) U(attested) I(aaguid) U(created)
#define SK_STORE_PUT_AUTHENTICATOR_FIELDS(U, I, T)                                                           \
    U(ticket) I(tenant) SK_STORE_AUTHENTICATOR_FIELDS(U, I, T) U(counter) U(most) T(link, 64)
#define SK_STORE_GET_AUTHENTICATOR_FIELDS(U, I, T) U(ticket) I(tenant) T(credential, 1023)
#define SK_STORE_LIST_AUTHENTICATORS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256)
/* It was used. RESULT 1 when its counter is not `before` any more: somebody else used it meanwhile. */
#define SK_STORE_USE_AUTHENTICATOR_FIELDS(U, I, T) U(ticket) I(tenant) T(credential, 1023) U(before) U(counter) U(used)
/* One of the user's by its id; or, when that is empty, all, and the links and recovery codes by which others would be registered. */
#define SK_STORE_DROP_AUTHENTICATORS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) T(id, 16)
/* In place of those of that kind that the user had. `secrets`: one a line. */
#define SK_STORE_PUT_VOUCHERS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) U(kind) U(ends) U(now) T(secrets, 1024)
/* Whose is it? */
#define SK_STORE_GET_VOUCHER_FIELDS(U, I, T) U(ticket) I(tenant) U(kind) U(now) T(secret, 64)
/* It is used up: once, whoever else tries at the same time. `count`: how many the user has left. */
#define SK_STORE_TAKE_VOUCHER_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) U(kind) U(now) T(secret, 64)
#define SK_STORE_VOUCHER_FIELDS(U, I, T) T(user, 256)
/* A user's own new password, in place of `before`, which is the one in force: RESULT 1 when it is not any more. With a `link`, that is
 * used up: RESULT 1 too when it is not this user's, or no more. When the tenant's file says another password than it did, that is in force. */
#define SK_STORE_PUT_PASSWORD_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) T(before, 512) T(hash, 512) U(now) T(link, 64)
#define SK_STORE_PASSWORD_FIELDS(U, I, T) T(hash, 512)
/* What has this id is good no more, and for nothing from `ends` on, wall ns. RESULT 4 when it was so already, 3 without room; IS_SPENT: 4 when it
 * is, else 0. */
#define SK_STORE_SPEND_FIELDS(U, I, T) U(ticket) I(tenant) T(id, 64) U(ends) U(now)
#define SK_STORE_IS_SPENT_FIELDS(U, I, T) U(ticket) I(tenant) T(id, 64)
/* A program's key was used: of its `user`, by its SHA-256, 32 bytes. Nothing when he has no such key. No answer. */
#define SK_STORE_USE_API_KEY_FIELDS(U, I, T) I(tenant) T(user, 256) T(sha256, 32) U(used)
/* The keys of one program, or of all when `user` is empty; of those `most`. `count`: how many there are. */
#define SK_STORE_LIST_API_KEYS_FIELDS(U, I, T) U(ticket) I(tenant) T(user, 256) U(most)
#define SK_STORE_GET_KEY_FIELDS(U, I, T) U(ticket)
#define SK_STORE_PUT_KEY_FIELDS(U, I, T) U(ticket) T(der, 1024)

/* `status`: 0 done, 1 not there, 2 refused, 3 not now, 4 there already. */
#define SK_STORE_RESULT_FIELDS(U, I, T) U(ticket) U(status) U(count)
/* `known` 0: there is none, and `hash`, when it is not empty, is what its password shall be compared with: nobody's, and as
 * costly as the tenant's most costly one. */
#define SK_STORE_GOT_USER_FIELDS(U, I, T)                                                                    \
    U(ticket) U(known) T(name, 256) U(backend) T(hash, 1024) T(roles, 8192) T(networks, 8192) T(scope, 2048) U(restricted) U(disabled)
/* `until` 0: until it is revoked. */
#define SK_STORE_GOT_BAN_FIELDS(U, I, T) U(ticket) U(scope) T(user, 256) T(network, 16) U(until)
/* Not all counters were looked at yet: `count` bans among those that were, and where to go on. */
#define SK_STORE_MORE_BANS_FIELDS(U, I, T) U(ticket) U(count) U(ends) T(key, 16)
#define SK_STORE_GOT_AUTHENTICATOR_FIELDS(U, I, T)                                                           \
    U(ticket) I(id) SK_STORE_AUTHENTICATOR_FIELDS(U, I, T) U(counter) U(used)
/* `certificate`: hexadecimal digits, or empty. `used` 0: never. */
#define SK_STORE_GOT_API_KEY_FIELDS(U, I, T) U(ticket) T(user, 256) T(sha256, 32) U(expires) T(certificate, 64) U(used)
#define SK_STORE_GOT_VOUCHER_FIELDS(U, I, T) U(ticket) T(user, 256)
#define SK_STORE_GOT_SECRET_FIELDS(U, I, T) U(ticket) T(header, 128) T(value, 4096)
#define SK_STORE_GOT_SESSION_FIELDS(U, I, T)                                                                 \
    U(ticket) T(key, 64) T(subject, 256) U(started) U(used) T(address, 16) T(proofs, 320) SK_STORE_SIGNED_IN(U, I, T)
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
    M(STORE_DROP_SIGNED_IN, store_drop_signed_in, 64, SK_STORE_FROM_AUTH, 0, SK_STORE_DROP_SIGNED_IN_FIELDS) \
    M(STORE_GET_SESSION, store_get_session, 15, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_SESSION_FIELDS)          \
    M(STORE_LIST_SESSIONS, store_list_sessions, 16, SK_STORE_FROM_AUTH, 0, SK_STORE_LIST_SESSIONS_FIELDS)    \
    M(STORE_GET_KEY, store_get_key, 17, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_KEY_FIELDS)                      \
    M(STORE_PUT_KEY, store_put_key, 18, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_KEY_FIELDS)                      \
    M(STORE_TRY, store_try, 20, SK_STORE_FROM_AUTH, 0, SK_STORE_TRY_FIELDS)                                  \
    M(STORE_TRIED, store_tried, 21, SK_STORE_FROM_AUTH, 0, SK_STORE_TRIED_FIELDS)                            \
    M(STORE_LIST_BANS, store_list_bans, 22, SK_STORE_FROM_AUTH, 0, SK_STORE_LIST_BANS_FIELDS)                \
    M(STORE_DROP_BANS, store_drop_bans, 23, SK_STORE_FROM_AUTH, 0, SK_STORE_DROP_BANS_FIELDS)                \
    M(STORE_PENALTY, store_penalty, 24, SK_STORE_IN_ROW, 0, SK_STORE_PENALTY_FIELDS)                         \
    M(STORE_AUTHENTICATOR, store_authenticator, 50, SK_STORE_IN_ROW, 0, SK_STORE_AUTHENTICATOR_FIELDS)       \
    M(STORE_PUT_AUTHENTICATOR, store_put_authenticator, 51, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_AUTHENTICATOR_FIELDS) \
    M(STORE_GET_AUTHENTICATOR, store_get_authenticator, 52, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_AUTHENTICATOR_FIELDS) \
    M(STORE_LIST_AUTHENTICATORS, store_list_authenticators, 53, SK_STORE_FROM_AUTH, 0, SK_STORE_LIST_AUTHENTICATORS_FIELDS) \
    M(STORE_USE_AUTHENTICATOR, store_use_authenticator, 54, SK_STORE_FROM_AUTH, 0, SK_STORE_USE_AUTHENTICATOR_FIELDS) \
    M(STORE_DROP_AUTHENTICATORS, store_drop_authenticators, 55, SK_STORE_FROM_AUTH, 0, SK_STORE_DROP_AUTHENTICATORS_FIELDS) \
    M(STORE_PUT_VOUCHERS, store_put_vouchers, 56, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_VOUCHERS_FIELDS)       \
    M(STORE_GET_VOUCHER, store_get_voucher, 57, SK_STORE_FROM_AUTH, 0, SK_STORE_GET_VOUCHER_FIELDS)          \
    M(STORE_TAKE_VOUCHER, store_take_voucher, 58, SK_STORE_FROM_AUTH, 0, SK_STORE_TAKE_VOUCHER_FIELDS)       \
    M(STORE_VOUCHER, store_voucher, 59, SK_STORE_IN_ROW, 0, SK_STORE_VOUCHER_FIELDS)                         \
    M(STORE_PUT_PASSWORD, store_put_password, 46, SK_STORE_FROM_AUTH, 0, SK_STORE_PUT_PASSWORD_FIELDS)       \
    M(STORE_PASSWORD, store_password, 47, SK_STORE_IN_ROW, 0, SK_STORE_PASSWORD_FIELDS)                      \
    M(STORE_SPEND, store_spend, 60, SK_STORE_FROM_AUTH, 0, SK_STORE_SPEND_FIELDS)                            \
    M(STORE_IS_SPENT, store_is_spent, 61, SK_STORE_FROM_AUTH, 0, SK_STORE_IS_SPENT_FIELDS)                   \
    M(STORE_USE_API_KEY, store_use_api_key, 62, SK_STORE_FROM_AUTH, 0, SK_STORE_USE_API_KEY_FIELDS)          \
    M(STORE_LIST_API_KEYS, store_list_api_keys, 63, SK_STORE_FROM_AUTH, 0, SK_STORE_LIST_API_KEYS_FIELDS)    \
    M(STORE_GOT_API_KEY, store_got_api_key, 37, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_API_KEY_FIELDS)         \
    M(STORE_GOT_AUTHENTICATOR, store_got_authenticator, 48, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_AUTHENTICATOR_FIELDS) \
    M(STORE_GOT_VOUCHER, store_got_voucher, 49, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_VOUCHER_FIELDS)         \
    M(STORE_RESULT, store_result, 30, SK_STORE_FROM_STORE, 0, SK_STORE_RESULT_FIELDS)                        \
    M(STORE_GOT_USER, store_got_user, 31, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_USER_FIELDS)                  \
    M(STORE_GOT_SECRET, store_got_secret, 32, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_SECRET_FIELDS)            \
    M(STORE_GOT_SESSION, store_got_session, 33, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_SESSION_FIELDS)         \
    M(STORE_GOT_KEY, store_got_key, 34, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_KEY_FIELDS)                     \
    M(STORE_CHANGED, store_changed, 35, SK_STORE_FROM_STORE, 0, SK_STORE_CHANGED_FIELDS)                     \
    M(STORE_GOT_BAN, store_got_ban, 36, SK_STORE_FROM_STORE, 0, SK_STORE_GOT_BAN_FIELDS)                     \
    M(STORE_MORE_BANS, store_more_bans, 38, SK_STORE_FROM_STORE, 0, SK_STORE_MORE_BANS_FIELDS)

SK_IPC_DECLARE(store, SK_STORE_MESSAGES)
