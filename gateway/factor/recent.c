/* Key sets at hand. Runs in the factor helpers. */
#include "factor/recent.h"

#include "crypto/digest.h"

_Static_assert(sizeof(((struct sk_recent_set *)NULL)->digest) == SK_SHA256_SIZE, "a digest fits");

const struct sk_jwk_set *sk_recent_keys(struct sk_recent *recent, struct sk_slice json)
{
    uint8_t digest[SK_SHA256_SIZE];
    struct sk_recent_set *at = &recent->sets[0];
    sk_digest_sha256(json, digest);
    for (size_t i = 0; i < SK_RECENT_SETS; i++) {
        struct sk_recent_set *other = &recent->sets[i];
        if (other->set && memcmp(other->digest, digest, sizeof(digest)) == 0) {
            other->used = ++recent->uses;
            return other->set;
        }
        at = other->used < at->used ? other : at;
    }
    struct sk_jwk_set *set;
    if (sk_jwk_set_parse(json, &set)) {
        return NULL;
    }
    (void)sk_jwk_set_free(at->set);
    *at = (struct sk_recent_set){.set = set, .used = ++recent->uses};
    memcpy(at->digest, digest, sizeof(digest));
    return set;
}

void sk_recent_free(struct sk_recent *recent)
{
    for (size_t i = 0; i < SK_RECENT_SETS; i++) {
        (void)sk_jwk_set_free(recent->sets[i].set);
    }
    *recent = (struct sk_recent){.uses = 0};
}
