/* Opens an image and looks things up in it. Pure; any process. */
#include "policy/image.h"

#include "base/addr.h"
#include "policy/read.h"

static const struct {
    struct sk_slice text, meaning;
} reasons[] = {
#define X(name, text, meaning) {{text, sizeof(text) - 1}, {meaning, sizeof(meaning) - 1}},
        SK_POLICY_REASONS(X)
#undef X
};

struct sk_slice sk_policy_reason_text(enum sk_policy_reason reason)
{
    return reasons[reason].text;
}

struct sk_slice sk_policy_reason_meaning(enum sk_policy_reason reason)
{
    return reasons[reason].meaning;
}

static const struct sk_slice factors[] = {
#define X(name, text) {text, sizeof(text) - 1},
        SK_POLICY_FACTOR_NAMES(X)
#undef X
};

int sk_policy_find_factor(struct sk_slice name)
{
    for (int i = 0; i < SK_POLICY_FACTORS; i++) {
        if (sk_slice_eq(factors[i], name)) {
            return i;
        }
    }
    return -1;
}

struct sk_slice sk_policy_factor_name(enum sk_policy_factor factor)
{
    return factors[factor];
}

uint32_t image_method(struct sk_slice name)
{
    static const struct sk_slice known[] = {{"GET", 3}, {"HEAD", 4}, {"POST", 4}, {"PUT", 3}, {"PATCH", 5}, {"DELETE", 6},
            {"OPTIONS", 7}, {"PROPFIND", 8}, {"PROPPATCH", 9}, {"MKCOL", 5}, {"COPY", 4}, {"MOVE", 4}, {"LOCK", 4},
            {"UNLOCK", 6}, {"REPORT", 6}, {"SEARCH", 6}};
    for (size_t i = 0; i < SK_COUNT(known); i++) {
        if (sk_slice_eq(known[i], name)) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

static bool array_fits(const struct image_header *h, struct image_array array, size_t row)
{
    return array.offset % 8 == 0 && array.offset <= h->size && array.count <= (h->size - array.offset) / row;
}

static bool text_fits(const struct image_header *h, struct image_text text)
{
    return text.offset <= h->texts.count && text.len <= h->texts.count - text.offset;
}

static bool range_fits(struct image_array range, uint32_t count)
{
    return range.offset <= count && range.count <= count - range.offset;
}

static bool demand_fits(const struct image_header *h, uint32_t demand)
{
    return demand == SK_IMAGE_NONE || demand < h->demands.count;
}

static bool demands_fit(const struct sk_policy *p, const struct image_header *h)
{
    for (uint32_t i = 0; i < h->demands.count; i++) {
        const struct image_demand *demand = &image_demands(p)[i];
        if (!text_fits(h, demand->text) || demand->count == 0 || demand->count > IMAGE_SETS_MAX) {
            return false;
        }
    }
    return demand_fits(h, h->demand);
}

static bool names_fit(const struct sk_policy *p, const struct image_header *h)
{
    for (uint32_t i = 0; i < h->hosts.count; i++) {
        if (!text_fits(h, image_hosts(p)[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->networks.count; i++) {
        if (!text_fits(h, image_networks(p)[i].name)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->v4.count; i++) {
        if (image_v4s(p)[i].set >= h->sets.count) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->v6.count; i++) {
        if (image_v6s(p)[i].set >= h->sets.count) {
            return false;
        }
    }
    return true;
}

/* Parents before children: that is what makes the pass over inheritance end. */
static bool roles_fit(const struct sk_policy *p, const struct image_header *h)
{
    for (uint32_t i = 0; i < h->roles.count; i++) {
        const struct image_role *role = &image_roles(p)[i];
        if (!text_fits(h, role->name) || !demand_fits(h, role->demand)) {
            return false;
        }
        for (unsigned parent = i; parent < SK_POLICY_ROLES; parent++) {
            if (sk_policy_set_has(&role->inherits, parent)) {
                return false;
            }
        }
    }
    return true;
}

static bool tree_fits(const struct sk_policy *p, const struct image_header *h)
{
    for (uint32_t i = 0; i < h->apps.count; i++) {
        const struct image_app *app = &image_apps(p)[i];
        if (!text_fits(h, app->name) || !text_fits(h, app->path) || app->path.len == 0 || app->root >= h->nodes.count ||
                app->kind > SK_APP_BUILTIN || !demand_fits(h, app->demand)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->nodes.count; i++) {
        const struct image_node *node = &image_nodes(p)[i];
        bool fits = range_fits(node->edges, h->edges.count) && range_fits(node->exact, h->rules.count) &&
                    range_fits(node->below, h->rules.count) && (node->any == SK_IMAGE_NONE || node->any < h->nodes.count);
        if (!fits) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->edges.count; i++) {
        if (!text_fits(h, image_edges(p)[i].label) || image_edges(p)[i].node >= h->nodes.count) {
            return false;
        }
    }
    for (uint32_t i = 0; i < h->rules.count; i++) {
        const struct image_rule *rule = &image_rules(p)[i];
        bool step_up = rule->effect == IMAGE_STEP_UP;
        if (!text_fits(h, rule->text) || rule->effect > IMAGE_STEP_UP || rule->of >= (step_up ? h->demands.count : h->roles.count)) {
            return false;
        }
    }
    return true;
}

int sk_policy_open(struct sk_policy *policy, struct sk_slice bytes)
{
    struct sk_policy p = {(const uint8_t *)bytes.data, bytes.len};
    if (bytes.len < sizeof(struct image_header) || (uintptr_t)bytes.data % 8) {
        return 1;
    }
    const struct image_header *h = image_header(&p);
    if (h->magic != SK_IMAGE_MAGIC || h->version != SK_IMAGE_VERSION || h->size > bytes.len ||
            h->size < sizeof(struct image_header)) {
        return 1;
    }
    bool fits = array_fits(h, h->hosts, sizeof(struct image_text)) && array_fits(h, h->networks, sizeof(struct image_network)) &&
                array_fits(h, h->v4, sizeof(struct image_v4)) && array_fits(h, h->v6, sizeof(struct image_v6)) &&
                array_fits(h, h->sets, sizeof(struct sk_policy_set)) && array_fits(h, h->roles, sizeof(struct image_role)) &&
                array_fits(h, h->apps, sizeof(struct image_app)) && array_fits(h, h->nodes, sizeof(struct image_node)) &&
                array_fits(h, h->edges, sizeof(struct image_edge)) && array_fits(h, h->rules, sizeof(struct image_rule)) &&
                array_fits(h, h->demands, sizeof(struct image_demand)) && array_fits(h, h->texts, 1) && h->roles.count <= SK_POLICY_ROLES && h->networks.count <= SK_POLICY_NETWORKS &&
                h->apps.count >= 1 && h->apps.count <= SK_POLICY_APPS && h->hosts.count <= SK_POLICY_HOSTS;
    if (!fits || !names_fit(&p, h) || !demands_fit(&p, h) || !roles_fit(&p, h) || !tree_fits(&p, h)) {
        return 1;
    }
    p.size = h->size;
    *policy = p;
    return 0;
}

int32_t sk_policy_find_role(const struct sk_policy *policy, struct sk_slice name)
{
    for (uint32_t i = 0; i < image_header(policy)->roles.count; i++) {
        if (sk_slice_eq(image_text(policy, image_roles(policy)[i].name), name)) {
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t sk_policy_find_network(const struct sk_policy *policy, struct sk_slice name)
{
    for (uint32_t i = 0; i < image_header(policy)->networks.count; i++) {
        if (sk_slice_eq(image_text(policy, image_networks(policy)[i].name), name)) {
            return (int32_t)i;
        }
    }
    return -1;
}

struct sk_slice sk_policy_app_name(const struct sk_policy *policy, int32_t app)
{
    return app < 0 ? SK_SLICE_NULL : image_text(policy, image_apps(policy)[app].name);
}

struct sk_slice sk_policy_role_name(const struct sk_policy *policy, int32_t role)
{
    return (uint32_t)role < image_header(policy)->roles.count ? image_text(policy, image_roles(policy)[role].name) : SK_SLICE_NULL;
}

enum sk_app_kind sk_policy_app_kind(const struct sk_policy *policy, int32_t app)
{
    return app < 0 ? SK_APP_API : (enum sk_app_kind)image_apps(policy)[app].kind;
}

struct sk_slice sk_policy_rule_text(const struct sk_policy *policy, int32_t rule)
{
    return rule < 0 ? SK_SLICE_NULL : image_text(policy, image_rules(policy)[rule].text);
}

static uint32_t find_v4(const struct image_v4 *rows, uint32_t count, uint32_t address)
{
    uint32_t low = 0;
    for (uint32_t high = count; high - low > 1;) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].start <= address) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return rows[low].set;
}

static uint32_t find_v6(const struct image_v6 *rows, uint32_t count, const uint8_t *address)
{
    uint32_t low = 0;
    for (uint32_t high = count; high - low > 1;) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(rows[middle].start, address, 16) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return rows[low].set;
}

struct sk_policy_set sk_policy_networks(const struct sk_policy *policy, const struct sk_addr *address)
{
    const struct image_header *h = image_header(policy);
    if (address->family == SK_FAMILY_V4 && h->v4.count) {
        const uint8_t *b = address->bytes;
        uint32_t v4 = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        return image_sets(policy)[find_v4(image_v4s(policy), h->v4.count, v4)];
    }
    if (address->family == SK_FAMILY_V6 && h->v6.count) {
        return image_sets(policy)[find_v6(image_v6s(policy), h->v6.count, address->bytes)];
    }
    return (struct sk_policy_set){{0}};
}
