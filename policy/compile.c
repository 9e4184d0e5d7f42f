/* Compiles one tenant's rules to an image. Runs in the supervisor and in the tools, never where requests are. */
#include "policy/source.h"

#include "base/addr.h"
#include "base/text.h"
#include "policy/demand.h"
#include "policy/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DEPTH 64
#define MAX_RULES 100000U

/* A growing array of fixed records; `data` is freed by builder_free. */
struct rows {
    char *data;
    size_t size; /* of one */
    uint32_t count;
    uint32_t room;
};

struct tree_node {
    uint32_t first_child; /* chain through `next`, or SK_IMAGE_NONE */
    uint32_t next;
    struct sk_slice label;
    uint32_t any;
    uint32_t exact; /* chain of pending rules through their `next` */
    uint32_t below;
};

struct pending_rule {
    struct image_rule rule;
    uint32_t next;
};

struct builder {
    const struct sk_policy_source *source;
    struct sk_policy_error *error;
    struct rows networks, roles, apps, v4, v6, sets, nodes, edges, rules, demands, tree, pending, order;
    struct sk_buf texts;
    struct image_header header;
};

/* Refuses the source at `where`: returns 1. */
static int refuse(struct builder *b, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct builder *b, const char *where, const char *format, ...)
{
    va_list args;
    (void)snprintf(b->error->path, sizeof(b->error->path), "%s", where);
    va_start(args, format);
    (void)vsnprintf(b->error->text, sizeof(b->error->text), format, args);
    va_end(args);
    return 1;
}

/* A zeroed new row; NULL without memory. Pointers to earlier rows die. */
static void *rows_add(struct rows *rows)
{
    if (rows->count == rows->room) {
        uint32_t room = rows->room ? rows->room * 2 : 16;
        char *data = reallocarray(rows->data, room, rows->size);
        if (!data) {
            return NULL;
        }
        rows->data = data;
        rows->room = room;
    }
    void *row = rows->data + (size_t)rows->count++ * rows->size;
    memset(row, 0, rows->size);
    return row;
}

static void *rows_at(const struct rows *rows, uint32_t index)
{
    return rows->data + (size_t)index * rows->size;
}

static int put_text(struct builder *b, struct sk_slice text, struct image_text *out)
{
    *out = (struct image_text){(uint32_t)sk_buf_len(&b->texts), (uint32_t)text.len};
    return sk_buf_put(&b->texts, text);
}

static int name_check(struct builder *b, const char *where, const char *name)
{
    size_t len = name ? strlen(name) : 0;
    bool good = len > 0 && len <= 64;
    for (size_t i = 0; good && i < len; i++) {
        char c = name[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    }
    return good ? 0 : refuse(b, where, "a name is 1 to 64 of: letters, digits, '-', '_', '.'");
}

/* ---- demands ---- */

/* `demand` becomes its index, or SK_IMAGE_NONE for no text. */
static int build_demand(struct builder *b, const char *where, struct sk_slice text, uint32_t *demand)
{
    struct image_demand parsed;
    char why[160];
    *demand = SK_IMAGE_NONE;
    if (!text.data) {
        return 0;
    }
    if (demand_parse(text, &parsed, why)) {
        return refuse(b, where, "%s", why);
    }
    int r = put_text(b, text, &parsed.text);
    struct image_demand *row = r ? NULL : rows_add(&b->demands);
    if (!row) {
        return r ? r : -ENOMEM;
    }
    *row = parsed;
    *demand = b->demands.count - 1;
    return 0;
}

/* ---- networks ---- */

static int32_t source_network(const struct builder *b, const char *name)
{
    for (unsigned i = 0; i < b->source->networks_count; i++) {
        if (strcmp(b->source->networks[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static int network_set(
        struct builder *b, const char *where, const char **names, unsigned count, struct sk_policy_set *set)
{
    for (unsigned i = 0; i < count; i++) {
        int32_t network = source_network(b, names[i]);
        if (network < 0) {
            char path[sizeof(b->error->path)];
            (void)snprintf(path, sizeof(path), "%.64s[%u]", where, i);
            return refuse(b, path, "no network is named '%s'", names[i]);
        }
        sk_policy_set_add(set, (unsigned)network);
    }
    return 0;
}

/* A prefix as the 17 bytes that order it: family, first address; and the first address behind it. */
struct span {
    uint8_t first[16];
    uint8_t behind[16];
    bool open_end; /* nothing is behind: it reaches the last address */
    uint8_t family;
    uint16_t network;
};

static void span_of(const struct sk_cidr *cidr, uint16_t network, struct span *span)
{
    size_t size = cidr->addr.family == SK_FAMILY_V4 ? 4 : 16;
    memset(span, 0, sizeof(*span));
    span->family = cidr->addr.family;
    span->network = network;
    memcpy(span->first, cidr->addr.bytes, size);
    memcpy(span->behind, cidr->addr.bytes, size);
    span->open_end = true;
    for (size_t bit = cidr->bits; bit-- > 0 && span->open_end;) {
        uint8_t mask = (uint8_t)(0x80U >> (bit % 8));
        span->open_end = span->behind[bit / 8] & mask;
        span->behind[bit / 8] ^= mask;
    }
}

static int compare_points(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static int add_interval(struct builder *b, uint8_t family, const uint8_t *start, uint32_t set)
{
    if (family == SK_FAMILY_V4) {
        struct image_v4 *row = rows_add(&b->v4);
        if (!row) {
            return -ENOMEM;
        }
        row->start = (uint32_t)start[0] << 24 | (uint32_t)start[1] << 16 | (uint32_t)start[2] << 8 | start[3];
        row->set = set;
        return 0;
    }
    struct image_v6 *row = rows_add(&b->v6);
    if (!row) {
        return -ENOMEM;
    }
    memcpy(row->start, start, 16);
    row->set = set;
    return 0;
}

/* Cuts one family's address space at every border and notes for each piece the networks that cover it. */
static int intervals(struct builder *b, uint8_t family, const struct span *spans, uint32_t count)
{
    uint8_t(*points)[16] = calloc((size_t)count * 2 + 1, 16);
    if (!points) {
        return -ENOMEM;
    }
    size_t n = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].family == family) {
            memcpy(points[n++], spans[i].first, 16);
            if (!spans[i].open_end) {
                memcpy(points[n++], spans[i].behind, 16);
            }
        }
    }
    qsort(points, n, 16, compare_points);
    int r = 0;
    for (size_t p = 0; r == 0 && p < n; p++) {
        if (p && memcmp(points[p], points[p - 1], 16) == 0) {
            continue;
        }
        struct sk_policy_set *set = rows_add(&b->sets);
        if (!set) {
            r = -ENOMEM;
            break;
        }
        for (uint32_t i = 0; i < count; i++) {
            bool covers = spans[i].family == family && memcmp(spans[i].first, points[p], 16) <= 0 &&
                          (spans[i].open_end || memcmp(points[p], spans[i].behind, 16) < 0);
            if (covers) {
                sk_policy_set_add(set, spans[i].network);
            }
        }
        r = add_interval(b, family, points[p], b->sets.count - 1);
    }
    free(points);
    return r;
}

static int network_spans(struct builder *b, unsigned n, struct rows *spans)
{
    const struct sk_policy_network_source *source = &b->source->networks[n];
    char where[96];
    (void)snprintf(where, sizeof(where), "networks[%u].name", n);
    int r = name_check(b, where, source->name);
    if (r == 0 && source_network(b, source->name) != (int32_t)n) {
        r = refuse(b, where, "there are two networks named '%s'", source->name);
    }
    struct image_network *row = r ? NULL : rows_add(&b->networks);
    if (r == 0) {
        r = row ? put_text(b, sk_slice_str(source->name), &row->name) : -ENOMEM;
    }
    for (unsigned i = 0; r == 0 && i < source->cidrs_count; i++) {
        struct sk_cidr cidr;
        (void)snprintf(where, sizeof(where), "networks[%u].cidrs[%u]", n, i);
        if (sk_cidr_parse(sk_slice_str(source->cidrs[i]), &cidr)) {
            return refuse(b, where, "'%s' is not a CIDR prefix such as 192.0.2.0/24 or 2001:db8::/32, with no bits set behind the prefix",
                    source->cidrs[i]);
        }
        struct span *span = rows_add(spans);
        if (!span) {
            return -ENOMEM;
        }
        span_of(&cidr, (uint16_t)n, span);
    }
    return r;
}

static int build_networks(struct builder *b)
{
    struct rows spans = {.size = sizeof(struct span)};
    int r = 0;
    if (b->source->networks_count > SK_POLICY_NETWORKS) {
        return refuse(b, "networks", "at most %d networks", SK_POLICY_NETWORKS);
    }
    for (unsigned i = 0; r == 0 && i < b->source->networks_count; i++) {
        r = network_spans(b, i, &spans);
    }
    if (r == 0) {
        r = intervals(b, SK_FAMILY_V4, (struct span *)(void *)spans.data, spans.count);
    }
    if (r == 0) {
        r = intervals(b, SK_FAMILY_V6, (struct span *)(void *)spans.data, spans.count);
    }
    free(spans.data);
    return r ? r : network_set(b, "from", b->source->from, b->source->from_count, &b->header.from);
}

/* ---- hosts and apps ---- */

/* A character that normal paths carry plain (http/target.c). */
static bool is_plain(unsigned char c)
{
    bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alnum || (c && strchr("-._~!$&'()+,=:@", c));
}

static int upper_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Is the segment spelled as the one normal form of requests spells it? Any other would never match. */
static bool is_normal(struct sk_slice segment)
{
    char bytes[4];
    size_t n = 0;
    if (sk_slice_eq(segment, SK_LIT(".")) || sk_slice_eq(segment, SK_LIT("..")) || segment.len == 0) {
        return false;
    }
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.data[i];
        if (c != '%') {
            if (!is_plain(c) || n) {
                return false;
            }
            continue;
        }
        int high = i + 2 < segment.len ? upper_hex(segment.data[i + 1]) : -1;
        int low = i + 2 < segment.len ? upper_hex(segment.data[i + 2]) : -1;
        unsigned byte = high < 0 || low < 0 ? 0 : (unsigned)(high * 16 + low);
        bool refused = byte < 0x20 || byte == 0x7f || strchr("/\\;%*", (int)byte) || (byte < 0x80 && is_plain((unsigned char)byte));
        if (refused || (n && byte < 0x80)) {
            return false;
        }
        i += 2;
        if (byte >= 0x80) {
            bytes[n++] = (char)byte;
            n = sk_utf8_len(sk_slice(bytes, n)) == n ? 0 : n;
            if (n == sizeof(bytes)) {
                return false;
            }
        }
    }
    return n == 0;
}

/* Can a path of the app match the pattern at all? */
static bool within(struct sk_slice pattern, struct sk_slice app)
{
    pattern = sk_slice_from(pattern, 1);
    app = sk_slice_from(app, 1);
    while (app.len) {
        struct sk_slice want = sk_slice_split(&app, '/'), have = sk_slice_split(&pattern, '/');
        if (sk_slice_eq(have, SK_LIT("**"))) {
            return true;
        }
        if (!sk_slice_eq(have, SK_LIT("*")) && !sk_slice_eq(have, want)) {
            return false;
        }
    }
    return true;
}

static int add_tree_node(struct builder *b, struct sk_slice label, uint32_t *index)
{
    struct tree_node *node = rows_add(&b->tree);
    if (!node) {
        return -ENOMEM;
    }
    *node = (struct tree_node){SK_IMAGE_NONE, SK_IMAGE_NONE, label, SK_IMAGE_NONE, SK_IMAGE_NONE, SK_IMAGE_NONE};
    *index = b->tree.count - 1;
    return 0;
}

static int app_hosts(struct builder *b, unsigned n, uint64_t *bits)
{
    const struct sk_policy_app_source *source = &b->source->apps[n];
    *bits = source->hosts_count ? 0 : UINT64_MAX;
    for (unsigned i = 0; i < source->hosts_count; i++) {
        unsigned h = 0;
        while (h < b->source->hosts_count && strcmp(b->source->hosts[h], source->hosts[i]) != 0) {
            h++;
        }
        if (h == b->source->hosts_count) {
            char where[96];
            (void)snprintf(where, sizeof(where), "apps[%u].hosts[%u]", n, i);
            return refuse(b, where, "'%s' is not one of the tenant's hosts", source->hosts[i]);
        }
        *bits |= UINT64_C(1) << h;
    }
    return 0;
}

static int add_app(struct builder *b, struct image_app *app, const char *name, struct sk_slice path)
{
    int r = put_text(b, sk_slice_str(name), &app->name);
    if (r == 0) {
        r = put_text(b, path, &app->path);
    }
    return r ? r : add_tree_node(b, SK_SLICE_NULL, &app->root);
}

static int build_app(struct builder *b, unsigned n)
{
    const struct sk_policy_app_source *source = &b->source->apps[n];
    char where[96];
    (void)snprintf(where, sizeof(where), "apps[%u].name", n);
    int r = name_check(b, where, source->name);
    if (r) {
        return r;
    }
    for (unsigned i = 0; i <= n; i++) {
        const char *other = i < n ? b->source->apps[i].name : SK_POLICY_BUILTIN_NAME;
        if (strcmp(other, source->name) == 0) {
            return refuse(b, where, "there are two apps named '%s'", source->name);
        }
    }
    struct sk_slice path = sk_slice_str(source->path ? source->path : "/");
    (void)snprintf(where, sizeof(where), "apps[%u].path", n);
    if (path.len == 0 || path.data[0] != '/' || (path.len > 1 && path.data[path.len - 1] == '/')) {
        return refuse(b, where, "a path begins with '/' and has none at its end: '/api'");
    }
    for (struct sk_slice rest = sk_slice_from(path, 1); rest.len;) {
        struct sk_slice segment = sk_slice_split(&rest, '/');
        if (!is_normal(segment)) {
            return refuse(b, where, "'%.*s' is not a segment of a path in normal form", (int)segment.len, segment.data);
        }
    }
    if (sk_slice_starts(path, SK_LIT("/.sekisho")) && (path.len == 9 || path.data[9] == '/')) {
        return refuse(b, where, "paths under '/.sekisho/' are the gateway's own");
    }
    struct image_app app = {.kind = source->kind, .restricted = source->from_count > 0};
    r = app_hosts(b, n, &app.hosts);
    for (uint32_t i = 0; r == 0 && i < b->apps.count; i++) {
        const struct image_app *other = rows_at(&b->apps, i);
        if ((other->hosts & app.hosts) && sk_slice_eq(sk_slice(b->texts.data + other->path.offset, other->path.len), path)) {
            r = refuse(b, where, "another app has this path on the same host");
        }
    }
    (void)snprintf(where, sizeof(where), "apps[%u].from", n);
    if (r == 0) {
        r = network_set(b, where, source->from, source->from_count, &app.from);
    }
    (void)snprintf(where, sizeof(where), "apps[%u].factors", n);
    r = r ? r : build_demand(b, where, sk_slice_str(source->factors), &app.demand);
    r = r ? r : add_app(b, &app, source->name, path);
    struct image_app *row = r ? NULL : rows_add(&b->apps);
    if (r == 0 && !row) {
        return -ENOMEM;
    }
    if (r == 0) {
        *row = app;
    }
    return r;
}

static int build_apps(struct builder *b)
{
    if (b->source->apps_count >= SK_POLICY_APPS) {
        return refuse(b, "apps", "at most %d apps", SK_POLICY_APPS - 1);
    }
    if (b->source->hosts_count > SK_POLICY_HOSTS) {
        return refuse(b, "hosts", "at most %d hosts", SK_POLICY_HOSTS);
    }
    for (unsigned i = 0; i < b->source->hosts_count; i++) {
        struct sk_slice host = sk_slice_str(b->source->hosts[i]);
        bool good = host.len > 0 && host.len <= 253;
        for (size_t j = 0; good && j < host.len; j++) {
            char c = host.data[j];
            good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        }
        if (!good) {
            char where[96];
            (void)snprintf(where, sizeof(where), "hosts[%u]", i);
            return refuse(b, where, "a host is a name in lower case, without a port");
        }
    }
    struct image_app builtin = {.kind = SK_APP_BUILTIN, .hosts = UINT64_MAX, .demand = SK_IMAGE_NONE};
    int r = add_app(b, &builtin, SK_POLICY_BUILTIN_NAME, SK_LIT(SK_POLICY_BUILTIN_PATH));
    struct image_app *row = r ? NULL : rows_add(&b->apps);
    if (r == 0) {
        if (!row) {
            return -ENOMEM;
        }
        *row = builtin;
    }
    for (unsigned i = 0; r == 0 && i < b->source->apps_count; i++) {
        r = build_app(b, i);
    }
    return r;
}

/* ---- rules ---- */

static int parse_methods(struct builder *b, const char *where, struct sk_slice list, uint32_t *methods)
{
    *methods = sk_slice_eq(list, SK_LIT("*")) ? IMAGE_ANY_METHOD : 0;
    while (*methods != IMAGE_ANY_METHOD && list.len) {
        struct sk_slice name = sk_slice_split(&list, ',');
        uint32_t bit = image_method(name);
        if (bit == 0) {
            return refuse(b, where, "'%.*s' is not a method rules can name; GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS or '*'",
                    (int)name.len, name.data);
        }
        *methods |= bit;
    }
    return *methods ? 0 : refuse(b, where, "a rule is: APP METHOD[,METHOD] /path");
}

static int child_of(struct builder *b, uint32_t parent, struct sk_slice label, uint32_t *child)
{
    struct tree_node *node = rows_at(&b->tree, parent);
    if (sk_slice_eq(label, SK_LIT("*"))) {
        if (node->any == SK_IMAGE_NONE) {
            uint32_t fresh;
            int r = add_tree_node(b, label, &fresh);
            if (r) {
                return r;
            }
            ((struct tree_node *)rows_at(&b->tree, parent))->any = fresh;
        }
        *child = ((struct tree_node *)rows_at(&b->tree, parent))->any;
        return 0;
    }
    for (uint32_t i = node->first_child; i != SK_IMAGE_NONE;) {
        struct tree_node *at = rows_at(&b->tree, i);
        if (sk_slice_eq(at->label, label)) {
            *child = i;
            return 0;
        }
        i = at->next;
    }
    int r = add_tree_node(b, label, child);
    if (r == 0) {
        node = rows_at(&b->tree, parent);
        ((struct tree_node *)rows_at(&b->tree, *child))->next = node->first_child;
        node->first_child = *child;
    }
    return r;
}

static int check_segment(struct builder *b, const char *where, struct sk_slice segment, bool last)
{
    if (segment.len == 0) {
        return refuse(b, where, "a path pattern has no empty segment: '//' never matches");
    }
    if (sk_slice_eq(segment, SK_LIT("**"))) {
        return last ? 0 : refuse(b, where, "'**' stands at the end of a pattern only");
    }
    if (sk_slice_eq(segment, SK_LIT("*"))) {
        return 0;
    }
    if (sk_slice_eq(segment, SK_LIT(".")) || sk_slice_eq(segment, SK_LIT(".."))) {
        return refuse(b, where, "a path pattern has no '.' or '..' segment: such requests are refused");
    }
    return is_normal(segment) ? 0
                              : refuse(b, where,
                                        "'%.*s': '*' stands for one whole segment, '**' for the rest; other characters are "
                                        "written as a normal request has them: percent-encoded in upper case, only where needed",
                                        (int)segment.len, segment.data);
}

/* Walks the pattern into the app's tree and hangs the rule where it ends. */
static int place_rule(struct builder *b, const char *where, uint32_t node, struct sk_slice pattern, uint32_t pending)
{
    if (pattern.len == 0 || pattern.data[0] != '/') {
        return refuse(b, where, "a rule is: APP METHOD[,METHOD] /path");
    }
    struct sk_slice rest = sk_slice_from(pattern, 1);
    bool below = false;
    for (int depth = 0; rest.len; depth++) {
        struct sk_slice segment = sk_slice_split(&rest, '/');
        int r = depth < MAX_DEPTH ? check_segment(b, where, segment, rest.len == 0)
                                  : refuse(b, where, "at most %d segments", MAX_DEPTH);
        if (r) {
            return r;
        }
        below = sk_slice_eq(segment, SK_LIT("**"));
        if (!below) {
            r = child_of(b, node, segment, &node);
        }
        if (r) {
            return r;
        }
    }
    struct tree_node *at = rows_at(&b->tree, node);
    uint32_t *chain = below ? &at->below : &at->exact;
    ((struct pending_rule *)rows_at(&b->pending, pending))->next = *chain;
    *chain = pending;
    return 0;
}

/* Adds a rule of the app's, with its place in the tree. `shown` begins what records and explanations say of it. */
static int add_rule(struct builder *b, const char *where, uint32_t app, struct image_rule rule, struct sk_slice methods, struct sk_slice pattern,
        const char *shown)
{
    if (b->pending.count >= MAX_RULES) {
        return refuse(b, where, "at most %u rules", MAX_RULES);
    }
    int r = parse_methods(b, where, methods, &rule.methods);
    r = r ? r : put_text(b, sk_slice_str(shown), &rule.text);
    struct pending_rule *pending = r ? NULL : rows_add(&b->pending);
    if (!pending) {
        return r ? r : -ENOMEM;
    }
    pending->rule = rule;
    const struct image_app *of = rows_at(&b->apps, app);
    struct sk_slice at = sk_slice(b->texts.data + of->path.offset, of->path.len);
    if (pattern.len && pattern.data[0] == '/' && !within(pattern, at)) {
        return refuse(b, where, "'%.*s' is outside the path of its app, '%.*s': it would never match", (int)pattern.len, pattern.data,
                (int)at.len, at.data);
    }
    return place_rule(b, where, of->root, pattern, b->pending.count - 1);
}

static int build_rule(struct builder *b, const char *where, uint32_t role, enum image_effect effect, const char *text)
{
    struct sk_slice rest = sk_slice_trim(sk_slice_str(text));
    struct sk_slice app_name = sk_slice_split(&rest, ' ');
    rest = sk_slice_trim(rest);
    struct sk_slice methods = sk_slice_split(&rest, ' ');
    char shown[512];
    uint32_t app = 0;
    while (app < b->apps.count) {
        const struct image_app *row = rows_at(&b->apps, app);
        if (sk_slice_eq(app_name, sk_slice(b->texts.data + row->name.offset, row->name.len))) {
            break;
        }
        app++;
    }
    if (app == b->apps.count) {
        return refuse(b, where, "no app is named '%.*s'; a rule is: APP METHOD[,METHOD] /path", (int)app_name.len, app_name.data);
    }
    (void)snprintf(shown, sizeof(shown), "role %s: %s %s", b->source->roles[role].name, effect == IMAGE_DENY ? "deny" : "allow", text);
    struct image_rule rule = {.of = role, .effect = (uint16_t)effect};
    return add_rule(b, where, app, rule, methods, sk_slice_trim(rest), shown);
}

/* "METHOD[,METHOD] /path/pattern DEMAND" of the source's app `n`. */
static int build_step_up(struct builder *b, const char *where, unsigned n, const char *text)
{
    struct sk_slice rest = sk_slice_trim(sk_slice_str(text));
    struct sk_slice methods = sk_slice_split(&rest, ' ');
    rest = sk_slice_trim(rest);
    struct sk_slice pattern = sk_slice_split(&rest, ' ');
    struct image_rule rule = {.effect = IMAGE_STEP_UP};
    char shown[512];
    if (rest.len == 0) {
        return refuse(b, where, "a step-up is: METHOD[,METHOD] /path FACTOR[ + FACTOR] [| ...] [within DURATION]");
    }
    (void)snprintf(shown, sizeof(shown), "app %s: step up %s", b->source->apps[n].name, text);
    int r = build_demand(b, where, sk_slice_trim(rest), &rule.of);
    return r ? r : add_rule(b, where, n + 1, rule, methods, pattern, shown);
}

static int build_step_ups(struct builder *b)
{
    int r = 0;
    for (unsigned n = 0; n < b->source->apps_count; n++) {
        for (unsigned i = 0; r == 0 && i < b->source->apps[n].step_up_count; i++) {
            char where[96];
            (void)snprintf(where, sizeof(where), "apps[%u].step_up[%u]", n, i);
            r = build_step_up(b, where, n, b->source->apps[n].step_up[i]);
        }
    }
    return r;
}

static int32_t source_role(const struct builder *b, const char *name)
{
    for (unsigned i = 0; i < b->source->roles_count; i++) {
        if (b->source->roles[i].name && strcmp(b->source->roles[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static int build_role(struct builder *b, unsigned n)
{
    const struct sk_policy_role_source *source = &b->source->roles[n];
    char where[96];
    (void)snprintf(where, sizeof(where), "roles[%u].name", n);
    int r = name_check(b, where, source->name);
    if (r == 0 && source_role(b, source->name) != (int32_t)n) {
        r = refuse(b, where, "there are two roles named '%s'", source->name);
    }
    struct image_role role = {.restricted = source->from_count > 0};
    for (unsigned i = 0; r == 0 && i < source->inherits_count; i++) {
        int32_t parent = source_role(b, source->inherits[i]);
        (void)snprintf(where, sizeof(where), "roles[%u].inherits[%u]", n, i);
        if (parent < 0) {
            r = refuse(b, where, "no role is named '%s'", source->inherits[i]);
        } else if ((unsigned)parent >= n) {
            r = refuse(b, where, "'%s' inherits '%s', which must stand before it", source->name, source->inherits[i]);
        } else {
            sk_policy_set_add(&role.inherits, (unsigned)parent);
        }
    }
    (void)snprintf(where, sizeof(where), "roles[%u].from", n);
    r = r ? r : network_set(b, where, source->from, source->from_count, &role.from);
    (void)snprintf(where, sizeof(where), "roles[%u].factors", n);
    r = r ? r : build_demand(b, where, sk_slice_str(source->factors), &role.demand);
    r = r ? r : put_text(b, sk_slice_str(source->name), &role.name);
    struct image_role *row = r ? NULL : rows_add(&b->roles);
    if (!row) {
        return r ? r : -ENOMEM;
    }
    *row = role;
    for (unsigned i = 0; r == 0 && i < source->allow_count; i++) {
        (void)snprintf(where, sizeof(where), "roles[%u].allow[%u]", n, i);
        r = build_rule(b, where, n, IMAGE_ALLOW, source->allow[i]);
    }
    for (unsigned i = 0; r == 0 && i < source->deny_count; i++) {
        (void)snprintf(where, sizeof(where), "roles[%u].deny[%u]", n, i);
        r = build_rule(b, where, n, IMAGE_DENY, source->deny[i]);
    }
    return r;
}

/* ---- layout ---- */

static int flatten_rules(struct builder *b, uint32_t chain, struct image_array *out)
{
    *out = (struct image_array){b->rules.count, 0};
    for (uint32_t i = chain; i != SK_IMAGE_NONE;) {
        struct pending_rule *pending = rows_at(&b->pending, i);
        struct image_rule *rule = rows_add(&b->rules);
        if (!rule) {
            return -ENOMEM;
        }
        *rule = pending->rule;
        out->count++;
        i = pending->next;
    }
    return 0;
}

static const struct rows *sort_tree;

static int compare_children(const void *a, const void *b)
{
    struct sk_slice x = ((struct tree_node *)rows_at(sort_tree, *(const uint32_t *)a))->label;
    struct sk_slice y = ((struct tree_node *)rows_at(sort_tree, *(const uint32_t *)b))->label;
    int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* Tree nodes keep their index; children become sorted runs in the edge array. */
static int flatten_tree(struct builder *b)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < b->tree.count; i++) {
        const struct tree_node *from = rows_at(&b->tree, i);
        struct image_node node = {.any = from->any, .edges = {b->edges.count, 0}};
        r = flatten_rules(b, from->exact, &node.exact);
        r = r ? r : flatten_rules(b, from->below, &node.below);
        b->order.count = 0;
        for (uint32_t c = from->first_child; r == 0 && c != SK_IMAGE_NONE;) {
            uint32_t *slot = rows_add(&b->order);
            if (!slot) {
                return -ENOMEM;
            }
            *slot = c;
            c = ((struct tree_node *)rows_at(&b->tree, c))->next;
        }
        if (b->order.count) {
            sort_tree = &b->tree;
            qsort(b->order.data, b->order.count, sizeof(uint32_t), compare_children);
        }
        for (uint32_t c = 0; r == 0 && c < b->order.count; c++) {
            uint32_t child = *(uint32_t *)rows_at(&b->order, c);
            struct image_edge edge = {.node = child};
            r = put_text(b, ((struct tree_node *)rows_at(&b->tree, child))->label, &edge.label);
            struct image_edge *row = r ? NULL : rows_add(&b->edges);
            if (!row) {
                return r ? r : -ENOMEM;
            }
            *row = edge;
            node.edges.count++;
        }
        struct image_node *row = r ? NULL : rows_add(&b->nodes);
        if (!row) {
            return r ? r : -ENOMEM;
        }
        *row = node;
    }
    return r;
}

static void lay(struct image_array *array, uint32_t count, size_t size, uint32_t *offset)
{
    *array = (struct image_array){*offset, count};
    *offset += (uint32_t)(((size_t)count * size + 7) & ~(size_t)7);
}

static int put_rows(struct sk_buf *image, const void *data, size_t len)
{
    static const char zero[8];
    int r = sk_buf_put(image, sk_slice(data, len));
    return r ? r : sk_buf_put(image, sk_slice(zero, (8 - len % 8) % 8));
}

static int write_image(struct builder *b, const struct image_text *hosts, struct sk_buf *image)
{
    struct image_header *h = &b->header;
    uint32_t offset = (sizeof(*h) + 7) & ~7U;
    const struct {
        struct image_array *array;
        const void *data;
        uint32_t count;
        size_t size;
    } parts[] = {
            {&h->hosts, hosts, b->source->hosts_count, sizeof(*hosts)},
            {&h->networks, b->networks.data, b->networks.count, b->networks.size},
            {&h->v4, b->v4.data, b->v4.count, b->v4.size},
            {&h->v6, b->v6.data, b->v6.count, b->v6.size},
            {&h->sets, b->sets.data, b->sets.count, b->sets.size},
            {&h->roles, b->roles.data, b->roles.count, b->roles.size},
            {&h->apps, b->apps.data, b->apps.count, b->apps.size},
            {&h->nodes, b->nodes.data, b->nodes.count, b->nodes.size},
            {&h->edges, b->edges.data, b->edges.count, b->edges.size},
            {&h->rules, b->rules.data, b->rules.count, b->rules.size},
            {&h->demands, b->demands.data, b->demands.count, b->demands.size},
            {&h->texts, b->texts.data, (uint32_t)sk_buf_len(&b->texts), 1},
    };
    for (size_t i = 0; i < SK_COUNT(parts); i++) {
        lay(parts[i].array, parts[i].count, parts[i].size, &offset);
    }
    h->magic = SK_IMAGE_MAGIC;
    h->version = SK_IMAGE_VERSION;
    h->size = offset;
    h->open = b->source->open;
    int r = put_rows(image, h, sizeof(*h));
    for (size_t i = 0; r == 0 && i < SK_COUNT(parts); i++) {
        r = put_rows(image, parts[i].data, parts[i].count * parts[i].size);
    }
    return r;
}

static void builder_free(struct builder *b)
{
    struct rows *all[] = {&b->networks, &b->roles, &b->apps, &b->v4, &b->v6, &b->sets, &b->nodes, &b->edges,
            &b->rules, &b->demands, &b->tree, &b->pending, &b->order};
    for (size_t i = 0; i < SK_COUNT(all); i++) {
        free(all[i]->data);
    }
    sk_buf_free(&b->texts);
}

int sk_policy_compile(const struct sk_policy_source *source, struct sk_buf *image, struct sk_policy_error *error)
{
    struct builder b SK_CLEANUP(builder_free) = {
            .source = source,
            .error = error,
            .networks = {.size = sizeof(struct image_network)},
            .roles = {.size = sizeof(struct image_role)},
            .apps = {.size = sizeof(struct image_app)},
            .v4 = {.size = sizeof(struct image_v4)},
            .v6 = {.size = sizeof(struct image_v6)},
            .sets = {.size = sizeof(struct sk_policy_set)},
            .nodes = {.size = sizeof(struct image_node)},
            .edges = {.size = sizeof(struct image_edge)},
            .rules = {.size = sizeof(struct image_rule)},
            .demands = {.size = sizeof(struct image_demand)},
            .tree = {.size = sizeof(struct tree_node)},
            .pending = {.size = sizeof(struct pending_rule)},
            .order = {.size = sizeof(uint32_t)},
            .texts = SK_BUF_INIT((size_t)64 << 20),
    };
    struct image_text hosts[SK_POLICY_HOSTS];
    *error = (struct sk_policy_error){.path = ""};
    int r = build_networks(&b);
    r = r ? r : build_demand(&b, "factors", sk_slice_str(source->factors), &b.header.demand);
    r = r ? r : build_apps(&b);
    r = r ? r : build_step_ups(&b);
    for (unsigned i = 0; r == 0 && i < source->hosts_count; i++) {
        r = put_text(&b, sk_slice_str(source->hosts[i]), &hosts[i]);
    }
    if (r == 0 && source->roles_count > SK_POLICY_ROLES) {
        r = refuse(&b, "roles", "at most %d roles", SK_POLICY_ROLES);
    }
    for (unsigned i = 0; r == 0 && i < source->roles_count; i++) {
        r = build_role(&b, i);
    }
    r = r ? r : flatten_tree(&b);
    return r ? r : write_image(&b, hosts, image);
}
