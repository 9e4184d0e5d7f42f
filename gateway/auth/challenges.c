/*
 * Challenges: what a browser is given, and must come back with. Each is a keyed hash of what it was made for and until when; none is kept
 * but those that were used, so that who only asks for pages costs no memory. It holds for one purpose of one tenant and session, and no
 * longer than this process.
 */
#include "auth/factors.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define SPENT_OF_TENANT 10000 /* while they hold, each by an answer that was right */

/* A challenge that was used: its random part. */
struct spent {
    struct sk_table_node node;
    struct spent *next;
    struct tenant *tenant; /* whose count it is in; NULL: that is gone */
    uint64_t until;
    uint8_t random[16];
};

static void put_number(uint8_t out[8], uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get_number(const uint8_t in[8])
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number |= (uint64_t)in[i] << (8 * i);
    }
    return number;
}

/* What ties the first 24 bytes of a challenge, random and time, to what it is for. */
static void challenge_mac(const struct job *job, uint64_t purpose, struct sk_slice session, struct sk_slice what, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE],
        uint8_t mac[16])
{
    uint8_t inner[SK_SHA256_SIZE], hash[SK_SHA256_SIZE], kind = (uint8_t)purpose;
    const struct auth *auth = job->auth;
    const struct sk_slice parts[] = {SK_LIT("challenge"), sk_slice(auth->life, sizeof(auth->life)), sk_slice(job->tenant->id, SK_ID_SIZE),
            sk_slice(&kind, 1), sk_slice(challenge, 24), session, SK_LIT("\n"), what};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), inner);
    sk_digest_hmac(sk_slice(auth->secret, sizeof(auth->secret)), sk_slice(inner, sizeof(inner)), hash);
    memcpy(mac, hash, 16);
}

void auth_challenge_make(const struct job *job, uint64_t purpose, struct sk_slice session, struct sk_slice what, uint64_t lifetime,
        uint8_t challenge[SK_AUTH_CHALLENGE_SIZE])
{
    sk_random(challenge, 16);
    put_number(challenge + 16, sk_clock_boot() + lifetime);
    challenge_mac(job, purpose, session, what, challenge, challenge + 24);
}

static bool is_spent(struct auth *auth, const uint8_t random[16])
{
    uint64_t hash = sk_table_hash(sk_slice(random, 16));
    for (struct sk_table_node *n = sk_table_first(&auth->spent, hash); n; n = sk_table_next(n)) {
        if (memcmp(SK_CONTAINER(n, struct spent, node)->random, random, 16) == 0) {
            return true;
        }
    }
    return false;
}

const char *auth_challenge_fault(const struct job *job, uint64_t purpose, struct sk_slice session, struct sk_slice what, struct sk_slice given)
{
    uint8_t challenge[SK_AUTH_CHALLENGE_SIZE], mac[16];
    if (given.len != sizeof(challenge)) {
        return "challenge-expired";
    }
    memcpy(challenge, given.data, sizeof(challenge));
    challenge_mac(job, purpose, session, what, challenge, mac);
    if (!sk_digest_equal(sk_slice(mac, 16), sk_slice(challenge + 24, 16)) || sk_clock_boot() >= get_number(challenge + 16)) {
        return "challenge-expired";
    }
    return is_spent(job->auth, challenge) ? "challenge-used" : NULL;
}

static void drop_first(struct auth *auth)
{
    struct spent *old = auth->spent_first;
    auth->spent_first = old->next;
    auth->spent_last = old->next ? auth->spent_last : &auth->spent_first;
    if (old->tenant) {
        old->tenant->spent_count--;
    }
    sk_table_remove(&auth->spent, &old->node);
    free(old);
}

void auth_spent_drop_tenant(struct auth *auth, const struct tenant *tenant)
{
    for (struct spent *s = auth->spent_first; s; s = s->next) {
        s->tenant = s->tenant == tenant ? NULL : s->tenant;
    }
}

int auth_challenge_spend(struct job *job, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE])
{
    struct auth *auth = job->auth;
    uint64_t now = sk_clock_boot();
    while (auth->spent_first && auth->spent_first->until <= now) {
        drop_first(auth);
    }
    if (is_spent(auth, challenge)) {
        return 1;
    }
    struct spent *spent = job->tenant->spent_count < SPENT_OF_TENANT ? calloc(1, sizeof(*spent)) : NULL;
    if (!spent || sk_table_add(&auth->spent, &spent->node, sk_table_hash(sk_slice(challenge, 16)))) {
        free(spent);
        return -ENOMEM;
    }
    memcpy(spent->random, challenge, sizeof(spent->random));
    spent->until = now + AUTH_CHALLENGE_LONGEST;
    spent->tenant = job->tenant;
    spent->tenant->spent_count++;
    *auth->spent_last = spent;
    auth->spent_last = &spent->next;
    return 0;
}
