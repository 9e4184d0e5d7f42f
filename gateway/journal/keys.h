/*
 * The keys of a journal: one for each tenant, and one for each day of each service. What a tenant recorded on a day takes both of these, so that
 * one that is erased makes it unreadable: a day's, what all tenants of the service recorded on it; a tenant's, all that it ever recorded. What is
 * kept of a day longer than its service keeps it, because the law says so, has a key of its own: that of the tenant and the day. And of a tenant's key
 * that is erased a copy may be left for some time, wrapped for a recovery key, whose private half no gateway has.
 * They are random, and stand in the file `keys` beside the journal, one to a slot of 4096 bytes, sealed; one that is erased leaves word of that in
 * its slot. Beside them stands how long what is kept, as it was last said. FORMAT.md is the text of record.
 */
#pragma once

#include "base/buf.h"
#include "crypto/wrap.h"
#include "sekisho/audit.h"

#define SK_KEYS_FILE "keys"
#define SK_KEYS_SLOT ((size_t)4096)
#define SK_KEYS_SECRET 32

struct sk_keys;

/*
 * Those of a file's content, which may be empty, and whose last slot may be short: it is none then. `secret` opens them. 0; 1 damaged, with `why`;
 * negative.
 */
int sk_keys_new(const uint8_t secret[SK_KEYS_SECRET], struct sk_slice file, struct sk_keys **keys, char why[160]) sk_nodiscard;
struct sk_keys *sk_keys_free(struct sk_keys *keys);

/*
 * The key is there, or made. A new one is put into `slots` as it is to be written: nothing sealed with it may be on disk before it is. A tenant stays
 * with the service that it was first named with. 0 or negative.
 */
int sk_keys_need_tenant(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const uint8_t service[SK_ID_SIZE], struct sk_buf *slots) sk_nodiscard;
/* Of a tenant that has its own. `day`: since 1970-01-01, UTC. */
int sk_keys_need_day(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_buf *slots) sk_nodiscard;

/* Has, or had, this tenant a key of its own? */
bool sk_keys_has(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
/* The id of its service. NULL: it has no key. */
const uint8_t *sk_keys_service(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
/* Has it none any more? */
bool sk_keys_erased(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
/* Was what the tenant recorded on that day erased: its key, or the day's? */
bool sk_keys_gone(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day);
/* Was one of them erased after that group of the journal was written? Then what cannot be opened in it may be sealed with that. */
bool sk_keys_lost(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, uint64_t group);
/* How many were erased, ever. */
uint64_t sk_keys_count_erased(const struct sk_keys *keys);
/* Is there a key of that service and day? */
bool sk_keys_has_day(const struct sk_keys *keys, const uint8_t service[SK_ID_SIZE], uint32_t day);

/* A slot as it is to be written. */
struct sk_keys_write {
    uint64_t at; /* in the file */
    uint8_t slot[SK_KEYS_SLOT];
};
/* When something is erased. */
struct sk_keys_time {
    uint64_t wall, group; /* the number of the journal's next group: nothing in it is sealed with what is erased */
};
/* The key of a service's day, or of a tenant, is forgotten, here at once, and on disk with that write. 0; 1 there is none that is not. */
int sk_keys_erase_day(struct sk_keys *keys, const uint8_t service[SK_ID_SIZE], uint32_t day, struct sk_keys_time now, struct sk_keys_write *write) sk_nodiscard;
int sk_keys_erase_tenant(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_keys_time now, struct sk_keys_write *write) sk_nodiscard;
/*
 * What the tenant recorded on that day is kept when the day's key is erased: a key of its own is made, if there is none, and put into `slots`, as that
 * of a tenant. And: it is no longer. 0; 1 there is nothing to keep, or nothing kept; negative.
 */
int sk_keys_hold(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_buf *slots) sk_nodiscard;
int sk_keys_release(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_keys_time now, struct sk_keys_write *write) sk_nodiscard;
/*
 * A copy of the tenant's key, which is to be erased at `due` (wall ns), is put into `slots`, as a key is. And: the oldest of its copies that is due by
 * now is erased. 0; 1 there is none; negative.
 */
int sk_keys_copy(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct sk_wrap_key *recovery, uint64_t due, struct sk_buf *slots) sk_nodiscard;
int sk_keys_erase_copy(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_keys_time now, struct sk_keys_write *write) sk_nodiscard;
/* Is there a copy of the tenant's key? */
bool sk_keys_copied(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
/* A tenant a copy of whose key is due by then, and not `held` nevertheless; NULL: there is none. */
const uint8_t *sk_keys_due(const struct sk_keys *keys, uint64_t wall, bool (*held)(const void *context, const uint8_t tenant[SK_ID_SIZE]), const void *context);
/*
 * For reading: of each tenant that has copies the oldest is its key again, in place of what it has: what that one does not open is taken for older.
 * 0; 1 they are for another recovery key, or there are none; negative.
 */
int sk_keys_recover(struct sk_keys *keys, const struct sk_wrap_key *recovery) sk_nodiscard;
/* What was said, so that it holds also when nobody says it any more: that a tenant is on hold (1), or not (0); for how many days a service's records are kept. */
enum sk_keys_said { SK_KEYS_HOLD = 5, SK_KEYS_DAYS = 6 };
/* It is `value` from now on, put into `slots` when it was not. 0 or negative. */
int sk_keys_say(struct sk_keys *keys, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE], uint32_t value, struct sk_buf *slots) sk_nodiscard;
/* What was said last, or 0. */
uint32_t sk_keys_said(const struct sk_keys *keys, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE]);
/* Each tenant that has a key, with its service. */
typedef void (*sk_keys_each_tenant)(void *context, const uint8_t tenant[SK_ID_SIZE], const uint8_t service[SK_ID_SIZE]);
void sk_keys_tenants(const struct sk_keys *keys, sk_keys_each_tenant each, void *context);
/* Each key of a day that is there: of a service, or held for a tenant. */
struct sk_keys_day {
    bool held;
    uint8_t id[SK_ID_SIZE]; /* the service's, or the tenant's */
    uint32_t day;
};
typedef void (*sk_keys_each_day)(void *context, const struct sk_keys_day *day);
void sk_keys_days(const struct sk_keys *keys, sk_keys_each_day each, void *context);

/* What is derived from both for this purpose. 0; 1 one of them is not there. */
int sk_keys_derive(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const char *label, struct sk_slice context,
        uint8_t out[SK_KEYS_SECRET]) sk_nodiscard;
