/* Argon2id. Runs in the factor helpers. */
#include "factor/hash.h"

#include "base/clock.h"
#include "crypto/password.h"

#include <argon2.h>
#include <errno.h>

#define MEMORY_KIB 19456
#define PASSES 2
#define LANES 1

/* "name=NUMBER" up to `end`, which is dropped. 0 or 1. */
static int take_number(struct sk_slice *rest, struct sk_slice name, char end, uint64_t max, uint64_t *value)
{
    if (!sk_slice_starts(*rest, name) || sk_slice_find(*rest, end) == rest->len) {
        return 1;
    }
    *rest = sk_slice_from(*rest, name.len);
    return sk_slice_u64(sk_slice_split(rest, end), max, value);
}

int sk_hash_parse(struct sk_slice text, struct sk_hash_costs *costs)
{
    struct sk_slice rest = text;
    uint64_t version;
    if (text.len >= SK_HASH_TEXT || sk_slice_find(text, '\0') < text.len ||
            !sk_slice_starts(rest, SK_LIT("$argon2id$"))) {
        return 1;
    }
    rest = sk_slice_from(rest, sizeof("$argon2id$") - 1);
    if (take_number(&rest, SK_LIT("v="), '$', ARGON2_VERSION_NUMBER, &version) ||
            version != ARGON2_VERSION_NUMBER ||
            take_number(&rest, SK_LIT("m="), ',', SK_HASH_MEMORY_MAX, &costs->memory) ||
            take_number(&rest, SK_LIT("t="), ',', SK_HASH_PASSES_MAX, &costs->passes) ||
            take_number(&rest, SK_LIT("p="), '$', SK_HASH_LANES_MAX, &costs->lanes)) {
        return 1;
    }
    /* The salt's and the hash's own form is libargon2's to check: it does before it computes. */
    return costs->memory == 0 || costs->passes == 0 || costs->lanes == 0;
}

int sk_hash_warm(void)
{
    static const char salt[16];
    char out[32];
    return argon2id_hash_raw(1, 32, 2, "", 0, salt, sizeof(salt), out, sizeof(out)) == ARGON2_OK ? 0 : -ENOMEM;
}

int sk_hash_verify(struct sk_slice text, struct sk_slice password)
{
    char encoded[SK_HASH_TEXT], normal[SK_PASSWORD_MAX];
    size_t len;
    struct sk_hash_costs costs;
    if (sk_hash_parse(text, &costs)) {
        return 2;
    }
    memcpy(encoded, text.data, text.len);
    encoded[text.len] = '\0';
    bool none = sk_password_normal(password, normal, &len) != 0;
    int r = argon2id_verify(encoded, normal, len);
    sk_wipe(normal, sizeof(normal));
    sk_wipe(encoded, sizeof(encoded));
    if (r == ARGON2_OK && !none) {
        return 0;
    }
    return r == ARGON2_OK || r == ARGON2_VERIFY_MISMATCH ? 1 : 2;
}

int sk_hash_make(struct sk_slice password, char out[SK_HASH_TEXT])
{
    uint8_t salt[16];
    char normal[SK_PASSWORD_MAX];
    size_t len;
    if (sk_password_normal(password, normal, &len)) {
        return -EINVAL;
    }
    sk_random(salt, sizeof(salt));
    int r = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, normal, len, salt, sizeof(salt), 32, out, SK_HASH_TEXT);
    sk_wipe(normal, sizeof(normal));
    return r == ARGON2_OK ? 0 : -ENOMEM;
}

bool sk_hash_is_cheap(struct sk_slice text)
{
    struct sk_hash_costs costs;
    return sk_hash_parse(text, &costs) == 0 && (costs.memory * costs.passes < (uint64_t)MEMORY_KIB * PASSES || costs.memory < MEMORY_KIB);
}
