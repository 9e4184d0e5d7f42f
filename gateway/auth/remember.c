/* Verified passwords, remembered as keyed hashes so that a program's next request need not pay for Argon2id again. Each tenant has a list of its
 * own: however many of one are verified, none of another is forgotten for it. */
#include "auth/remember.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdlib.h>

void auth_remember_key(const struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice network, struct sk_slice name,
        struct sk_slice password, uint8_t key[SK_SHA256_SIZE])
{
    uint8_t inner[SK_SHA256_SIZE], lengths[16];
    for (int i = 0; i < 8; i++) {
        lengths[i] = (uint8_t)(name.len >> (8 * i));
        lengths[8 + i] = (uint8_t)(network.len >> (8 * i));
    }
    const struct sk_slice parts[] = {sk_slice(tenant, SK_ID_SIZE), sk_slice(lengths, sizeof(lengths)), network, name, password};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(auth->secret, sizeof(auth->secret)), sk_slice(inner, sizeof(inner)), key);
    sk_wipe(inner, sizeof(inner));
}

static void unlink_use(struct remembered *r)
{
    *(r->newer ? &r->newer->older : &r->tenant->newest) = r->older;
    *(r->older ? &r->older->newer : &r->tenant->oldest) = r->newer;
    r->tenant->remembered_count--;
}

static void drop(struct auth *auth, struct remembered *r)
{
    unlink_use(r);
    sk_table_remove(&auth->remembered_by_key, &r->by_key);
    sk_table_remove(&auth->remembered_by_session, &r->by_session);
    free(r->user.texts);
    free(r->scope);
    sk_wipe(r, sizeof(*r));
    free(r);
}

void auth_forget_issuer(struct auth *auth, struct tenant *tenant, const struct issuer *issuer)
{
    for (struct remembered *r = tenant->oldest, *next; r; r = next) {
        next = r->newer;
        if (r->issuer == issuer) {
            struct sk_auth_revoked m = {.session = sk_slice_str(r->session)};
            memcpy(m.tenant, tenant->id, SK_ID_SIZE);
            auth_broadcast(auth, SK_AUTH_REVOKED, &m);
            drop(auth, r);
        }
    }
}

static bool alive(struct auth *auth, struct remembered *r)
{
    if (r->until > sk_clock_boot() && (r->expires == 0 || r->expires > sk_clock_wall())) {
        return true;
    }
    drop(auth, r);
    return false;
}

struct remembered *auth_remembered(struct auth *auth, const uint8_t key[SK_SHA256_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(key, SK_SHA256_SIZE));
    for (struct sk_table_node *n = sk_table_first(&auth->remembered_by_key, hash); n; n = sk_table_next(n)) {
        struct remembered *r = SK_CONTAINER(n, struct remembered, by_key);
        if (sk_digest_equal(sk_slice(r->key, SK_SHA256_SIZE), sk_slice(key, SK_SHA256_SIZE))) {
            return alive(auth, r) ? r : NULL;
        }
    }
    return NULL;
}

struct remembered *auth_remembered_session(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session)
{
    for (struct sk_table_node *n = sk_table_first(&auth->remembered_by_session, sk_table_hash(session)); n; n = sk_table_next(n)) {
        struct remembered *r = SK_CONTAINER(n, struct remembered, by_session);
        if (memcmp(r->tenant->id, tenant, SK_ID_SIZE) == 0 && sk_slice_eq(sk_slice_str(r->session), session)) {
            return alive(auth, r) ? r : NULL;
        }
    }
    return NULL;
}

struct remembered *auth_remember(struct auth *auth, struct tenant *tenant, struct sk_slice name, const uint8_t key[SK_SHA256_SIZE],
        enum sk_policy_factor factor, uint64_t expires, struct sk_slice session)
{
    struct remembered *r = auth_remembered(auth, key);
    if (r) {
        r->until = sk_clock_boot() + REMEMBER_LIFETIME;
        return r;
    }
    if (tenant->remembered_count >= REMEMBERED_OF_TENANT) {
        drop(auth, tenant->oldest);
    }
    r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    uint8_t id[16];
    sk_random(id, sizeof(id));
    r->tenant = tenant;
    memcpy(r->key, key, SK_SHA256_SIZE);
    memcpy(r->name, name.data, name.len < sizeof(r->name) ? name.len : sizeof(r->name) - 1);
    if (session.len) {
        memcpy(r->session, session.data, session.len < sizeof(r->session) ? session.len : sizeof(r->session) - 1);
    } else {
        memcpy(r->session, "basic-", 6);
        sk_hex_encode(id, sizeof(id), r->session + 6);
    }
    r->factor = factor;
    r->expires = expires;
    r->until = sk_clock_boot() + REMEMBER_LIFETIME;
    if (sk_table_add(&auth->remembered_by_key, &r->by_key, sk_table_hash(sk_slice(key, SK_SHA256_SIZE)))) {
        free(r);
        return NULL;
    }
    if (sk_table_add(&auth->remembered_by_session, &r->by_session, sk_table_hash(sk_slice_str(r->session)))) {
        sk_table_remove(&auth->remembered_by_key, &r->by_key);
        free(r);
        return NULL;
    }
    r->older = tenant->newest;
    *(r->older ? &r->older->newer : &tenant->oldest) = r;
    tenant->newest = r;
    tenant->remembered_count++;
    return r;
}

void auth_forget(struct auth *auth, struct tenant *tenant, struct sk_slice session, struct sk_slice subject)
{
    for (struct remembered *r = tenant->oldest, *next; r; r = next) {
        next = r->newer;
        bool same = (!session.len || sk_slice_eq(session, sk_slice_str(r->session))) &&
                    (!subject.len || sk_slice_eq(subject, sk_slice_str(r->name)));
        if (same) {
            drop(auth, r);
        }
    }
}
