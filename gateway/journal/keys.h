/*
 * The keys of a journal: one for each tenant, and one for each day of each service. What a tenant recorded on a day takes both of these, so that
 * one that is overwritten makes it unreadable: a day's, what all tenants of the service recorded on it; a tenant's, all that it ever recorded.
 * They are random, and stand in the file `keys` beside the journal, one to a slot of 4096 bytes, sealed. FORMAT.md is the text of record.
 */
#pragma once

#include "base/buf.h"
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

/* Has this tenant a key of its own? */
bool sk_keys_has(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
/* What is derived from both for this purpose. 0; 1 one of them is not there. */
int sk_keys_derive(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const char *label, struct sk_slice context,
        uint8_t out[SK_KEYS_SECRET]) sk_nodiscard;
