/* A journal's keys. Runs in audit, and in the tools that read a journal. */
#include "journal/keys.h"

#include "base/clock.h"
#include "base/table.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WHY 160
#define IDENTITY ((size_t)48) /* what a slot is of, and what its key is sealed for */
#define COPY_SIZE (sizeof(uint64_t) + SK_WRAP_SIZE)
#define RECOVERY "sekisho/recovery"

enum kind { TENANT = 1, DAY = 2, HELD = 3, COPY = 4, HOLD = SK_KEYS_HOLD, DAYS = SK_KEYS_DAYS };

_Static_assert(IDENTITY + COPY_SIZE + SK_SEAL_OVERHEAD <= 512, "what a slot says is in one sector: it is written whole, or not at all");

/* When it is to be erased, and the tenant's key as it was wrapped. */
struct copy {
    uint64_t due;
    uint8_t wrapped[SK_WRAP_SIZE];
};

struct key {
    struct sk_table_node node; /* by id and day */
    enum kind kind;
    uint8_t id[SK_ID_SIZE];      /* the tenant's, or the service's */
    uint8_t service[SK_ID_SIZE]; /* the tenant's */
    uint32_t day;
    bool erased;
    bool recovered; /* it was erased, and is there again from a copy */
    uint64_t wall, group; /* when it was erased */
    uint64_t slot; /* its place in the file, from 0 */
    uint8_t secret[SK_KEYS_SECRET]; /* of HOLD and DAYS: what was said, u32, and zeros */
    struct copy *copy;              /* of kind COPY, which has no secret */
};

struct sk_keys {
    struct sk_table table;
    uint64_t slots;  /* in the file, and those that are to be written behind it */
    uint64_t erased; /* of them */
    uint8_t secret[SK_KEYS_SECRET];
};

static uint64_t hash_of(const uint8_t id[SK_ID_SIZE], uint32_t day)
{
    return sk_table_hash(sk_slice(id, SK_ID_SIZE)) + day;
}

/* The one that is there, or that was: an erased one has another in its place when there is something to record again. */
static struct key *find(const struct sk_keys *keys, enum kind kind, const uint8_t id[SK_ID_SIZE], uint32_t day)
{
    struct key *found = NULL;
    for (struct sk_table_node *n = sk_table_first(&keys->table, hash_of(id, day)); n; n = sk_table_next(n)) {
        struct key *key = SK_CONTAINER(n, struct key, node);
        if (key->kind == kind && key->day == day && memcmp(key->id, id, SK_ID_SIZE) == 0) {
            found = found && !found->erased ? found : key;
        }
    }
    return found;
}

static struct key *find_live(const struct sk_keys *keys, enum kind kind, const uint8_t id[SK_ID_SIZE], uint32_t day)
{
    struct key *key = find(keys, kind, id, day);
    return key && !key->erased ? key : NULL;
}

static void key_free(struct key *key)
{
    sk_wipe(key->secret, sizeof(key->secret));
    free(key->copy);
    free(key);
}

/* ---- slots ---- */

static void put_identity(const struct key *key, uint8_t out[IDENTITY])
{
    uint32_t kind = htole32((uint32_t)key->kind), day = htole32(key->day);
    memcpy(out, key->erased ? "SKKEYSL0" : "SKKEYSL1", 8);
    memcpy(out + 8, &kind, sizeof(kind));
    memcpy(out + 12, &day, sizeof(day));
    memcpy(out + 16, key->id, SK_ID_SIZE);
    memcpy(out + 32, key->service, SK_ID_SIZE);
}

/* What is sealed in a slot: the key, or the copy in a form of one length. */
static struct sk_slice plain_of(const struct key *key, uint8_t room[COPY_SIZE])
{
    if (!key->copy) {
        return sk_slice(key->secret, SK_KEYS_SECRET);
    }
    uint64_t due = htole64(key->copy->due);
    memcpy(room, &due, sizeof(due));
    memcpy(room + sizeof(due), key->copy->wrapped, SK_WRAP_SIZE);
    return sk_slice(room, COPY_SIZE);
}

static int put_slot(const struct sk_keys *keys, const struct key *key, struct sk_buf *slots)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(COPY_SIZE + SK_SEAL_OVERHEAD);
    uint8_t room[COPY_SIZE];
    uint8_t *to = (uint8_t *)sk_buf_reserve(slots, SK_KEYS_SLOT);
    if (!to) {
        return -ENOMEM;
    }
    memset(to, 0, SK_KEYS_SLOT);
    put_identity(key, to);
    int r = sk_seal(keys->secret, sk_slice(to, IDENTITY), plain_of(key, room), &sealed);
    if (r == 0 && sealed.data) {
        memcpy(to + IDENTITY, sealed.data, sk_buf_len(&sealed));
        sk_buf_commit(slots, SK_KEYS_SLOT);
    }
    return r;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* Of an erased one: when that was, and that it was done by who has the root key. */
static void put_erased(const struct sk_keys *keys, const struct key *key, uint8_t slot[SK_KEYS_SLOT])
{
    uint64_t when[] = {htole64(key->wall), htole64(key->group)};
    memset(slot, 0, SK_KEYS_SLOT);
    put_identity(key, slot);
    memcpy(slot + IDENTITY, when, sizeof(when));
    sk_digest_derive(sk_slice(keys->secret, SK_KEYS_SECRET), "erased", sk_slice(slot, IDENTITY + sizeof(when)), slot + IDENTITY + sizeof(when));
}

/* 0; 1 it is none. */
static int get_erased(const struct sk_keys *keys, const uint8_t slot[SK_KEYS_SLOT], struct key *key)
{
    uint64_t when[2];
    uint8_t again[SK_KEYS_SLOT];
    memcpy(when, slot + IDENTITY, sizeof(when));
    key->wall = le64toh(when[0]);
    key->group = le64toh(when[1]);
    put_erased(keys, key, again);
    return memcmp(slot, again, SK_KEYS_SLOT) != 0;
}

static int get_copy(const uint8_t plain[COPY_SIZE], struct key *key)
{
    uint64_t due;
    memcpy(&due, plain, sizeof(due));
    key->copy = calloc(1, sizeof(*key->copy));
    if (!key->copy) {
        return -ENOMEM;
    }
    key->copy->due = le64toh(due);
    memcpy(key->copy->wrapped, plain + sizeof(due), SK_WRAP_SIZE);
    return 0;
}

/* As plain_of has it. */
static int get_plain(const uint8_t *plain, struct key *key)
{
    if (key->kind == COPY) {
        return get_copy(plain, key);
    }
    memcpy(key->secret, plain, SK_KEYS_SECRET);
    return 0;
}

/* 0; 1 it is none; negative. */
static int get_slot(const struct sk_keys *keys, const uint8_t slot[SK_KEYS_SLOT], struct key *key)
{
    struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(COPY_SIZE);
    uint8_t again[IDENTITY];
    uint32_t kind, day;
    memcpy(&kind, slot + 8, sizeof(kind));
    memcpy(&day, slot + 12, sizeof(day));
    *key = (struct key){.kind = (enum kind)le32toh(kind), .day = le32toh(day), .erased = slot[7] == '0'};
    memcpy(key->id, slot + 16, SK_ID_SIZE);
    memcpy(key->service, slot + 32, SK_ID_SIZE);
    put_identity(key, again);
    size_t sealed = (key->kind == COPY ? COPY_SIZE : SK_KEYS_SECRET) + SK_SEAL_OVERHEAD;
    if (memcmp(slot, again, IDENTITY) != 0 || key->kind < TENANT || key->kind > DAYS) {
        return 1;
    }
    if (key->erased) {
        return get_erased(keys, slot, key);
    }
    if (!is_zero(slot + IDENTITY + sealed, SK_KEYS_SLOT - IDENTITY - sealed)) {
        return 1;
    }
    int r = sk_unseal(keys->secret, sk_slice(slot, IDENTITY), sk_slice(slot + IDENTITY, sealed), &plain);
    if (r == 0 && plain.data) {
        r = get_plain((const uint8_t *)plain.data, key);
        sk_wipe(plain.data, plain.size);
    }
    return r;
}

/* ---- the keys ---- */

static struct key *add(struct sk_keys *keys, const struct key *made)
{
    struct key *key = malloc(sizeof(*key));
    if (!key) {
        return NULL;
    }
    *key = *made;
    if (sk_table_add(&keys->table, &key->node, hash_of(key->id, key->day))) {
        key->copy = NULL; /* it stays the caller's */
        key_free(key);
        return NULL;
    }
    return key;
}

/* As it stood in its slot. Of what is said several times the last counts. 0; 1 it is there twice; negative. */
static int take(struct sk_keys *keys, const struct key *read)
{
    struct key *before = read->kind == COPY ? NULL : find_live(keys, read->kind, read->id, read->day);
    if (before && read->kind != HOLD && read->kind != DAYS) {
        return 1;
    }
    keys->erased += read->erased;
    if (before) {
        memcpy(before->secret, read->secret, SK_KEYS_SECRET);
        before->slot = read->slot;
        return 0;
    }
    return add(keys, read) ? 0 : -ENOMEM;
}

static int read_slots(struct sk_keys *keys, struct sk_slice file, char why[WHY])
{
    int r = 0;
    for (size_t at = 0; r == 0 && file.len - at >= SK_KEYS_SLOT; at += SK_KEYS_SLOT) {
        const uint8_t *slot = (const uint8_t *)file.data + at;
        struct key key;
        if (is_zero(slot, SK_KEYS_SLOT)) {
            continue; /* it was on its way when the machine ended: nothing is sealed with it */
        }
        r = get_slot(keys, slot, &key);
        key.slot = at / SK_KEYS_SLOT;
        r = r ? r : take(keys, &key);
        sk_wipe(key.secret, sizeof(key.secret));
        if (r) {
            free(key.copy);
        }
        if (r == 1) {
            (void)snprintf(why, WHY, "key %zu was changed, or is of another root key", at / SK_KEYS_SLOT + 1);
        }
    }
    return r;
}

int sk_keys_new(const uint8_t secret[SK_KEYS_SECRET], struct sk_slice file, struct sk_keys **out, char why[WHY])
{
    struct sk_keys *keys = calloc(1, sizeof(*keys));
    if (!keys) {
        return -ENOMEM;
    }
    memcpy(keys->secret, secret, SK_KEYS_SECRET);
    keys->slots = file.len / SK_KEYS_SLOT;
    int r = read_slots(keys, file, why);
    *out = r ? sk_keys_free(keys) : keys;
    return r;
}

struct sk_keys *sk_keys_free(struct sk_keys *keys)
{
    if (!keys) {
        return NULL;
    }
    for (struct sk_table_node *node = sk_table_walk(&keys->table, NULL); node;) {
        struct sk_table_node *next = sk_table_walk(&keys->table, node);
        key_free(SK_CONTAINER(node, struct key, node));
        node = next;
    }
    sk_table_free(&keys->table);
    sk_wipe(keys->secret, sizeof(keys->secret));
    free(keys);
    return NULL;
}

/* With what it has, which is its own then, in a slot behind all others. */
static int make(struct sk_keys *keys, const struct key *of, struct sk_buf *slots)
{
    struct key *key = add(keys, of);
    if (!key) {
        free(of->copy);
        return -ENOMEM;
    }
    int r = put_slot(keys, key, slots);
    if (r) {
        sk_table_remove(&keys->table, &key->node);
        key_free(key);
        return r;
    }
    key->slot = keys->slots++;
    return 0;
}

static int make_random(struct sk_keys *keys, enum kind kind, const uint8_t id[SK_ID_SIZE], const uint8_t *service, uint32_t day, struct sk_buf *slots)
{
    struct key key = {.kind = kind, .day = day};
    memcpy(key.id, id, SK_ID_SIZE);
    if (service) {
        memcpy(key.service, service, SK_ID_SIZE);
    }
    sk_random(key.secret, sizeof(key.secret));
    int r = make(keys, &key, slots);
    sk_wipe(key.secret, sizeof(key.secret));
    return r;
}

int sk_keys_need_tenant(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const uint8_t service[SK_ID_SIZE], struct sk_buf *slots)
{
    const struct key *of = find(keys, TENANT, tenant, 0); /* or was */
    return of && !of->erased ? 0 : make_random(keys, TENANT, tenant, of ? of->service : service, 0, slots);
}

int sk_keys_need_day(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_buf *slots)
{
    const struct key *of = find(keys, TENANT, tenant, 0);
    return !of ? -ENOENT : find_live(keys, DAY, of->service, day) ? 0 : make_random(keys, DAY, of->service, NULL, day, slots);
}

bool sk_keys_has(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    return find(keys, TENANT, tenant, 0) != NULL;
}

bool sk_keys_erased(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    const struct key *of = find(keys, TENANT, tenant, 0);
    return of && of->erased;
}

const uint8_t *sk_keys_service(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    const struct key *of = find(keys, TENANT, tenant, 0);
    return of ? of->service : NULL;
}

/* ---- what both keys make ---- */

/* The tenant's key of that day: the one that is held, or what follows from both. 0; 1 it is not there. */
static int of_day(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, uint8_t out[SK_KEYS_SECRET])
{
    const struct key *of = find_live(keys, TENANT, tenant, 0), *on = of ? find_live(keys, DAY, of->service, day) : NULL;
    const struct key *held = of ? find_live(keys, HELD, tenant, day) : NULL;
    uint8_t both[2 * SK_KEYS_SECRET];
    if (held) {
        memcpy(out, held->secret, SK_KEYS_SECRET);
        return 0;
    }
    if (!on) {
        return 1;
    }
    memcpy(both, on->secret, SK_KEYS_SECRET);
    memcpy(both + SK_KEYS_SECRET, of->secret, SK_KEYS_SECRET);
    sk_digest_derive(sk_slice(both, sizeof(both)), "day", SK_SLICE_NULL, out);
    sk_wipe(both, sizeof(both));
    return 0;
}

int sk_keys_derive(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const char *label, struct sk_slice context,
        uint8_t out[SK_KEYS_SECRET])
{
    uint8_t secret[SK_KEYS_SECRET];
    if (of_day(keys, tenant, day, secret)) {
        return 1;
    }
    sk_digest_derive(sk_slice(secret, sizeof(secret)), label, context, out);
    sk_wipe(secret, sizeof(secret));
    return 0;
}

bool sk_keys_has_day(const struct sk_keys *keys, const uint8_t service[SK_ID_SIZE], uint32_t day)
{
    return find_live(keys, DAY, service, day) != NULL;
}

uint64_t sk_keys_count_erased(const struct sk_keys *keys)
{
    return keys->erased;
}

bool sk_keys_gone(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day)
{
    const struct key *of = find(keys, TENANT, tenant, 0), *on = of ? find(keys, DAY, of->service, day) : NULL;
    return of && (of->erased || (on && on->erased && !find_live(keys, HELD, tenant, day)));
}

/* What was recovered from a copy may be in place of any other. */
static bool was_erased(const struct sk_keys *keys, enum kind kind, const uint8_t id[SK_ID_SIZE], uint32_t day, uint64_t group)
{
    for (struct sk_table_node *n = sk_table_first(&keys->table, hash_of(id, day)); n; n = sk_table_next(n)) {
        const struct key *key = SK_CONTAINER(n, struct key, node);
        if (((key->erased && group < key->group) || key->recovered) && key->kind == kind && key->day == day && memcmp(key->id, id, SK_ID_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

bool sk_keys_lost(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, uint64_t group)
{
    const struct key *of = find(keys, TENANT, tenant, 0);
    return of && (was_erased(keys, TENANT, tenant, 0, group) || was_erased(keys, DAY, of->service, day, group));
}

/* ---- erasing ---- */

static int erase(struct sk_keys *keys, struct key *key, struct sk_keys_time now, struct sk_keys_write *write)
{
    if (!key) {
        return 1;
    }
    sk_wipe(key->secret, sizeof(key->secret));
    free(key->copy);
    key->copy = NULL;
    key->erased = true;
    key->wall = now.wall;
    key->group = now.group;
    keys->erased++;
    write->at = key->slot * SK_KEYS_SLOT;
    put_erased(keys, key, write->slot);
    return 0;
}

int sk_keys_erase_day(struct sk_keys *keys, const uint8_t service[SK_ID_SIZE], uint32_t day, struct sk_keys_time now, struct sk_keys_write *write)
{
    return erase(keys, find_live(keys, DAY, service, day), now, write);
}

int sk_keys_erase_tenant(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_keys_time now, struct sk_keys_write *write)
{
    return erase(keys, find_live(keys, TENANT, tenant, 0), now, write);
}

int sk_keys_hold(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_buf *slots)
{
    struct key key = {.kind = HELD, .day = day};
    if (find_live(keys, HELD, tenant, day)) {
        return 0;
    }
    if (of_day(keys, tenant, day, key.secret)) {
        return 1;
    }
    memcpy(key.id, tenant, SK_ID_SIZE);
    int r = make(keys, &key, slots);
    sk_wipe(key.secret, sizeof(key.secret));
    return r;
}

int sk_keys_release(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_keys_time now, struct sk_keys_write *write)
{
    return erase(keys, find_live(keys, HELD, tenant, day), now, write);
}

/* ---- copies ---- */

int sk_keys_copy(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const struct sk_wrap_key *recovery, uint64_t due, struct sk_buf *slots)
{
    struct sk_buf wrapped SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_WRAP_SIZE);
    const struct key *of = find_live(keys, TENANT, tenant, 0);
    struct key key = {.kind = COPY};
    if (!of) {
        return 1;
    }
    int r = sk_wrap(recovery, RECOVERY, sk_slice(of->secret, SK_KEYS_SECRET), &wrapped);
    key.copy = r || !wrapped.data ? NULL : calloc(1, sizeof(*key.copy));
    if (!key.copy) {
        return r ? r : -ENOMEM;
    }
    memcpy(key.id, tenant, SK_ID_SIZE);
    memcpy(key.service, of->service, SK_ID_SIZE);
    key.copy->due = due;
    memcpy(key.copy->wrapped, wrapped.data, SK_WRAP_SIZE);
    return make(keys, &key, slots);
}

/* The oldest of the tenant's that is due by then. */
static struct key *oldest_copy(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint64_t wall)
{
    struct key *oldest = NULL;
    for (struct sk_table_node *n = sk_table_first(&keys->table, hash_of(tenant, 0)); n; n = sk_table_next(n)) {
        struct key *key = SK_CONTAINER(n, struct key, node);
        bool due = key->copy && key->copy->due <= wall && memcmp(key->id, tenant, SK_ID_SIZE) == 0;
        oldest = due && (!oldest || key->slot < oldest->slot) ? key : oldest;
    }
    return oldest;
}

int sk_keys_erase_copy(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], struct sk_keys_time now, struct sk_keys_write *write)
{
    return erase(keys, oldest_copy(keys, tenant, now.wall), now, write);
}

bool sk_keys_copied(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    return oldest_copy(keys, tenant, UINT64_MAX) != NULL;
}

const uint8_t *sk_keys_due(const struct sk_keys *keys, uint64_t wall, bool (*held)(const void *context, const uint8_t tenant[SK_ID_SIZE]), const void *context)
{
    for (struct sk_table_node *n = sk_table_walk(&keys->table, NULL); n; n = sk_table_walk(&keys->table, n)) {
        const struct key *key = SK_CONTAINER(n, struct key, node);
        if (key->copy && key->copy->due <= wall && !held(context, key->id)) {
            return key->id;
        }
    }
    return NULL;
}

/* ---- what was said ---- */

int sk_keys_say(struct sk_keys *keys, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE], uint32_t value, struct sk_buf *slots)
{
    struct key *said = find_live(keys, (enum kind)what, id, 0), key = {.kind = (enum kind)what};
    uint32_t stored = htole32(value);
    if (sk_keys_said(keys, what, id) == value) {
        return 0;
    }
    memcpy(key.id, id, SK_ID_SIZE);
    memcpy(key.secret, &stored, sizeof(stored));
    if (!said) {
        return make(keys, &key, slots);
    }
    int r = put_slot(keys, &key, slots);
    if (r == 0) {
        memcpy(said->secret, key.secret, SK_KEYS_SECRET);
        said->slot = keys->slots++;
    }
    return r;
}

uint32_t sk_keys_said(const struct sk_keys *keys, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE])
{
    const struct key *said = find_live(keys, (enum kind)what, id, 0);
    uint32_t value = 0;
    if (said) {
        memcpy(&value, said->secret, sizeof(value));
    }
    return le32toh(value);
}

/* ---- recovery ---- */

static int recover(struct sk_keys *keys, const struct key *copy, const struct sk_wrap_key *recovery)
{
    struct sk_buf secret SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_WRAP_SIZE);
    int r = sk_unwrap(recovery, RECOVERY, sk_slice(copy->copy->wrapped, SK_WRAP_SIZE), &secret);
    struct key *key = find(keys, TENANT, copy->id, 0);
    if (r || !key || !secret.data || sk_buf_len(&secret) != SK_KEYS_SECRET) {
        return r ? r : 1;
    }
    memcpy(key->secret, secret.data, SK_KEYS_SECRET);
    key->erased = false;
    key->recovered = true;
    sk_wipe(secret.data, secret.size);
    return 0;
}

int sk_keys_recover(struct sk_keys *keys, const struct sk_wrap_key *recovery)
{
    int r = 1;
    for (struct sk_table_node *n = sk_table_walk(&keys->table, NULL); n; n = sk_table_walk(&keys->table, n)) {
        const struct key *key = SK_CONTAINER(n, struct key, node);
        if (key->copy && key == oldest_copy(keys, key->id, UINT64_MAX)) {
            r = recover(keys, key, recovery);
            if (r) {
                break;
            }
        }
    }
    return r;
}

void sk_keys_tenants(const struct sk_keys *keys, sk_keys_each_tenant each, void *context)
{
    for (struct sk_table_node *n = sk_table_walk(&keys->table, NULL); n; n = sk_table_walk(&keys->table, n)) {
        const struct key *key = SK_CONTAINER(n, struct key, node);
        if (key->kind == TENANT && !key->erased) {
            each(context, key->id, key->service);
        }
    }
}

void sk_keys_days(const struct sk_keys *keys, sk_keys_each_day each, void *context)
{
    for (struct sk_table_node *n = sk_table_walk(&keys->table, NULL); n; n = sk_table_walk(&keys->table, n)) {
        const struct key *key = SK_CONTAINER(n, struct key, node);
        struct sk_keys_day day = {.held = key->kind == HELD, .day = key->day};
        memcpy(day.id, key->id, SK_ID_SIZE);
        if (!key->erased && (key->kind == DAY || key->kind == HELD)) {
            each(context, &day);
        }
    }
}
