/* Reads demands for factors. Runs in the supervisor and in the tools, never where requests are. */
#include "policy/demand.h"

#include "base/clock.h"
#include "base/text.h"
#include "policy/source.h"

#include <stdio.h>

#define BIT(name) (UINT32_C(1) << SK_POLICY_FACTOR_##name)
#define HOUR UINT64_C(3600)
#define DAY (24 * HOUR)

/* SP 800-63B-4 sections 2.1.3, 2.2.3, 2.3.3: how long a session may last, and be left alone, at each level. */
static const struct level {
    struct sk_slice name;
    uint64_t life, idle; /* s */
    uint32_t sets[4];
} levels[] = {
        {{"aal1", 4}, 30 * DAY, UINT64_MAX, {BIT(PASSWORD), BIT(FIDO2), BIT(CERTIFICATE), BIT(OIDC)}},
        {{"aal2", 4}, DAY, HOUR, {BIT(PASSWORD) | BIT(FIDO2), BIT(PASSKEY), BIT(PASSWORD) | BIT(CERTIFICATE)}},
        {{"aal3", 4}, 12 * HOUR, HOUR / 4, {BIT(PASSWORD) | BIT(HARDWARE), BIT(PASSKEY) | BIT(HARDWARE), 0}},
};

static const struct level *find_level(struct sk_slice name)
{
    for (size_t i = 0; i < SK_COUNT(levels); i++) {
        if (sk_slice_eq(levels[i].name, name)) {
            return &levels[i];
        }
    }
    return NULL;
}

static int add_set(struct image_demand *demand, uint32_t set, char why[160])
{
    if (demand->count == IMAGE_SETS_MAX) {
        (void)snprintf(why, 160, "at most %u sets of factors", IMAGE_SETS_MAX);
        return 1;
    }
    demand->sets[demand->count++] = set;
    return 0;
}

static int add_level(struct image_demand *demand, const struct level *level, char why[160])
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < SK_COUNT(level->sets) && level->sets[i]; i++) {
        r = add_set(demand, level->sets[i], why);
    }
    demand->within = demand->within && demand->within < level->life ? demand->within : (uint32_t)level->life;
    return r;
}

static int read_set(struct sk_slice text, struct image_demand *demand, char why[160])
{
    const struct level *level = find_level(text);
    uint32_t set = 0;
    if (level) {
        return add_level(demand, level, why);
    }
    for (bool more = true; more;) {
        more = sk_slice_find(text, '+') < text.len;
        struct sk_slice name = sk_slice_trim(sk_slice_split(&text, '+'));
        int factor = sk_policy_find_factor(name);
        if (factor < 0) {
            (void)snprintf(why, 160, "'%.*s' is no factor; there are password, fido2, passkey, hardware, certificate, key, token, recovery, oidc, and aal1 to aal3",
                    (int)(name.len < 32 ? name.len : 32), name.data);
            return 1;
        }
        set |= UINT32_C(1) << factor;
    }
    return add_set(demand, set, why);
}

/* Cuts "within DURATION" off the end. */
static int read_within(struct sk_slice *text, struct image_demand *demand, char why[160])
{
    struct sk_slice within = SK_LIT(" within");
    size_t at = 0;
    while (at < text->len && !sk_slice_starts(sk_slice_from(*text, at), within)) {
        at++;
    }
    if (at == text->len) {
        return 0;
    }
    uint64_t ns;
    struct sk_slice duration = sk_slice_trim(sk_slice_from(*text, at + within.len));
    *text = sk_slice_trim(sk_slice_cut(*text, at));
    if (sk_duration_parse(duration, &ns) || ns < SK_SECOND || ns > 366 * DAY * SK_SECOND) {
        (void)snprintf(why, 160, "'%.*s' is not a duration of 1s to 366d", (int)(duration.len < 32 ? duration.len : 32), duration.data);
        return 1;
    }
    demand->within = (uint32_t)(ns / SK_SECOND);
    return 0;
}

int demand_parse(struct sk_slice text, struct image_demand *demand, char why[160])
{
    *demand = (struct image_demand){.count = 0};
    text = sk_slice_trim(text);
    int r = read_within(&text, demand, why);
    if (r == 0 && text.len == 0) {
        (void)snprintf(why, 160, "a demand is: FACTOR[ + FACTOR] [| ...] [within DURATION]");
        return 1;
    }
    for (bool more = true; r == 0 && more;) {
        more = sk_slice_find(text, '|') < text.len;
        r = read_set(sk_slice_trim(sk_slice_split(&text, '|')), demand, why);
    }
    return r;
}

void sk_policy_level_limits(const char *demand, uint64_t *idle, uint64_t *life)
{
    struct sk_slice text = sk_slice_str(demand);
    *idle = *life = UINT64_MAX;
    while (text.len) {
        struct sk_slice set = sk_slice_trim(sk_slice_split(&text, '|'));
        const struct level *level = find_level(sk_slice_split(&set, ' '));
        if (level) {
            *idle = level->idle < *idle ? level->idle : *idle;
            *life = level->life < *life ? level->life : *life;
        }
    }
}

bool sk_policy_password_alone(const char *demand)
{
    struct image_demand parsed;
    char why[160];
    if (!demand || demand_parse(sk_slice_str(demand), &parsed, why)) {
        return true;
    }
    bool alone = false;
    for (uint32_t i = 0; i < parsed.count; i++) {
        alone = alone || parsed.sets[i] == BIT(PASSWORD);
    }
    return alone;
}

uint32_t sk_policy_beyond_programs(const char *const *texts, unsigned count, bool certificates)
{
    static const uint32_t brought[] = {BIT(PASSWORD), BIT(KEY), BIT(TOKEN)};
    uint32_t best = UINT32_MAX;
    for (size_t i = 0; i < SK_COUNT(brought); i++) {
        uint32_t lacks = 0;
        for (unsigned n = 0; n < count; n++) {
            struct image_demand parsed;
            char why[160];
            bool asked = texts[n] && demand_parse(sk_slice_str(texts[n]), &parsed, why) == 0;
            lacks |= asked ? image_lacks(&parsed, brought[i] | (certificates ? BIT(CERTIFICATE) : 0)) : 0;
        }
        best = __builtin_popcount(lacks) < __builtin_popcount(best) ? lacks : best;
    }
    return best;
}
