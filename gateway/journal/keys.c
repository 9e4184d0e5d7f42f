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
#define SEALED (SK_KEYS_SECRET + SK_SEAL_OVERHEAD)

enum kind { TENANT = 1, DAY = 2 };

struct key {
    struct sk_table_node node; /* by id and day */
    enum kind kind;
    uint8_t id[SK_ID_SIZE];      /* the tenant's, or the service's */
    uint8_t service[SK_ID_SIZE]; /* the tenant's */
    uint32_t day;
    uint8_t secret[SK_KEYS_SECRET];
};

struct sk_keys {
    struct sk_table table;
    uint8_t secret[SK_KEYS_SECRET];
};

static uint64_t hash_of(const uint8_t id[SK_ID_SIZE], uint32_t day)
{
    return sk_table_hash(sk_slice(id, SK_ID_SIZE)) + day;
}

static struct key *find(const struct sk_keys *keys, enum kind kind, const uint8_t id[SK_ID_SIZE], uint32_t day)
{
    for (struct sk_table_node *n = sk_table_first(&keys->table, hash_of(id, day)); n; n = sk_table_next(n)) {
        struct key *key = SK_CONTAINER(n, struct key, node);
        if (key->kind == kind && key->day == day && memcmp(key->id, id, SK_ID_SIZE) == 0) {
            return key;
        }
    }
    return NULL;
}

static void key_free(struct key *key)
{
    sk_wipe(key->secret, sizeof(key->secret));
    free(key);
}

/* ---- slots ---- */

static void put_identity(const struct key *key, uint8_t out[IDENTITY])
{
    uint32_t kind = htole32((uint32_t)key->kind), day = htole32(key->day);
    memcpy(out, "SKKEYSL1", 8);
    memcpy(out + 8, &kind, sizeof(kind));
    memcpy(out + 12, &day, sizeof(day));
    memcpy(out + 16, key->id, SK_ID_SIZE);
    memcpy(out + 32, key->service, SK_ID_SIZE);
}

static int put_slot(const struct sk_keys *keys, const struct key *key, struct sk_buf *slots)
{
    struct sk_buf sealed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SEALED);
    uint8_t *to = (uint8_t *)sk_buf_reserve(slots, SK_KEYS_SLOT);
    if (!to) {
        return -ENOMEM;
    }
    memset(to, 0, SK_KEYS_SLOT);
    put_identity(key, to);
    int r = sk_seal(keys->secret, sk_slice(to, IDENTITY), sk_slice(key->secret, SK_KEYS_SECRET), &sealed);
    if (r == 0 && sealed.data) {
        memcpy(to + IDENTITY, sealed.data, SEALED);
        sk_buf_commit(slots, SK_KEYS_SLOT);
    }
    return r;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* 0; 1 it is none; negative. */
static int get_slot(const struct sk_keys *keys, const uint8_t slot[SK_KEYS_SLOT], struct key *key)
{
    struct sk_buf plain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_KEYS_SECRET);
    uint8_t again[IDENTITY];
    uint32_t kind, day;
    memcpy(&kind, slot + 8, sizeof(kind));
    memcpy(&day, slot + 12, sizeof(day));
    *key = (struct key){.kind = (enum kind)le32toh(kind), .day = le32toh(day)};
    memcpy(key->id, slot + 16, SK_ID_SIZE);
    memcpy(key->service, slot + 32, SK_ID_SIZE);
    put_identity(key, again);
    if (memcmp(slot, again, IDENTITY) != 0 || (key->kind != TENANT && key->kind != DAY) || !is_zero(slot + IDENTITY + SEALED, SK_KEYS_SLOT - IDENTITY - SEALED)) {
        return 1;
    }
    int r = sk_unseal(keys->secret, sk_slice(slot, IDENTITY), sk_slice(slot + IDENTITY, SEALED), &plain);
    if (r == 0 && plain.data) {
        memcpy(key->secret, plain.data, SK_KEYS_SECRET);
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
        key_free(key);
        return NULL;
    }
    return key;
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
        r = r ? r : find(keys, key.kind, key.id, key.day) != NULL;
        r = r || add(keys, &key) ? r : -ENOMEM;
        sk_wipe(key.secret, sizeof(key.secret));
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

static int make(struct sk_keys *keys, const struct key *of, struct sk_buf *slots)
{
    struct key *key = add(keys, of);
    if (!key) {
        return -ENOMEM;
    }
    sk_random(key->secret, sizeof(key->secret));
    int r = put_slot(keys, key, slots);
    if (r) {
        sk_table_remove(&keys->table, &key->node);
        key_free(key);
    }
    return r;
}

int sk_keys_need_tenant(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], const uint8_t service[SK_ID_SIZE], struct sk_buf *slots)
{
    struct key key = {.kind = TENANT};
    memcpy(key.id, tenant, SK_ID_SIZE);
    memcpy(key.service, service, SK_ID_SIZE);
    return find(keys, TENANT, tenant, 0) ? 0 : make(keys, &key, slots);
}

int sk_keys_need_day(struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, struct sk_buf *slots)
{
    const struct key *of = find(keys, TENANT, tenant, 0);
    struct key key = {.kind = DAY, .day = day};
    if (!of) {
        return -ENOENT;
    }
    memcpy(key.id, of->service, SK_ID_SIZE);
    return find(keys, DAY, key.id, day) ? 0 : make(keys, &key, slots);
}

bool sk_keys_has(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE])
{
    return find(keys, TENANT, tenant, 0) != NULL;
}

int sk_keys_derive(const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const char *label, struct sk_slice context,
        uint8_t out[SK_KEYS_SECRET])
{
    const struct key *of = find(keys, TENANT, tenant, 0), *on = of ? find(keys, DAY, of->service, day) : NULL;
    uint8_t both[2 * SK_KEYS_SECRET];
    if (!on) {
        return 1;
    }
    memcpy(both, on->secret, SK_KEYS_SECRET);
    memcpy(both + SK_KEYS_SECRET, of->secret, SK_KEYS_SECRET);
    sk_digest_derive(sk_slice(both, sizeof(both)), label, context, out);
    sk_wipe(both, sizeof(both));
    return 0;
}
