/* The one decision. Pure: no clock, no memory, no input but the image and the request. */
#include "policy/read.h"

#include "base/addr.h"

/* What the path's rules say for this subject. */
struct findings {
    int32_t allow;    /* a rule of an active role, or -1 */
    int32_t inactive; /* a rule of a role held but not from here, or -1 */
    int32_t unproven; /* a rule of a role that asks for more factors, or -1 */
    int32_t step_up;  /* a rule of the path that does, or -1 */
    int32_t deny;
    uint32_t missing; /* of step_up */
};

struct question {
    const struct sk_policy *policy;
    const struct sk_policy_request *request;
    uint32_t method;
    struct sk_policy_set held;     /* with all inherited */
    struct sk_policy_set active;   /* of those, the ones this address may use with what is proven */
    struct sk_policy_set unproven; /* of those, the ones it could use with more */
    uint32_t missing[SK_POLICY_ROLES]; /* of the unproven */
};

static void step(struct sk_policy_trace *trace, const char *name, bool holds, struct sk_slice text)
{
    if (trace && trace->count < SK_COUNT(trace->steps)) {
        trace->steps[trace->count++] = (struct sk_policy_step){name, holds, text};
    }
}

/* The fewest factors that are missing; 0: it is met, or nothing is asked for. */
static uint32_t missing(const struct sk_policy *policy, uint32_t demand, const struct sk_policy_request *request)
{
    uint32_t proven = request->certificate ? UINT32_C(1) << SK_POLICY_FACTOR_CERTIFICATE : 0;
    if (demand == SK_IMAGE_NONE) {
        return 0;
    }
    const struct image_demand *d = &image_demands(policy)[demand];
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        uint64_t at = request->subject->proven[i];
        bool fresh = at && (at == SK_POLICY_PROVEN_NOW || !d->within || request->now < at + d->within);
        proven |= fresh ? UINT32_C(1) << i : 0;
    }
    return image_lacks(d, proven);
}

static bool app_covers(const struct sk_policy *policy, const struct image_app *app, uint64_t host_bit, struct sk_slice path)
{
    struct sk_slice prefix = image_text(policy, app->path);
    if (!(app->hosts & host_bit)) {
        return false;
    }
    if (prefix.len == 1) {
        return true;
    }
    return sk_slice_starts(path, prefix) && (path.len == prefix.len || path.data[prefix.len] == '/');
}

int32_t sk_policy_app(const struct sk_policy *policy, struct sk_slice host, struct sk_slice path)
{
    const struct image_header *h = image_header(policy);
    uint64_t host_bit = 0;
    for (uint32_t i = 0; i < h->hosts.count; i++) {
        if (sk_slice_eq(image_text(policy, image_hosts(policy)[i]), host)) {
            host_bit = UINT64_C(1) << i;
        }
    }
    int32_t best = -1;
    for (uint32_t i = 0; host_bit && i < h->apps.count; i++) {
        const struct image_app *app = &image_apps(policy)[i];
        bool longer = best < 0 || app->path.len > image_apps(policy)[best].path.len;
        if (longer && app_covers(policy, app, host_bit, path)) {
            best = (int32_t)i;
        }
    }
    return best;
}

static void set_member(struct sk_policy_set *set, unsigned member, bool in)
{
    uint64_t bit = UINT64_C(1) << (member % 64);
    set->words[member / 64] = (set->words[member / 64] & ~bit) | (in ? bit : 0);
}

/* Judges a role by its own networks and factors, after those that inherit it. */
static void judge_role(struct question *q, unsigned i, const struct sk_policy_set *networks)
{
    const struct image_role *role = &image_roles(q->policy)[i];
    bool here = !role->restricted || sk_policy_set_meets(&role->from, networks);
    bool active = here && sk_policy_set_has(&q->active, i);
    bool unproven = here && !active && sk_policy_set_has(&q->unproven, i);
    uint32_t lacks = active || unproven ? missing(q->policy, role->demand, q->request) : 0;
    q->missing[i] = lacks | (unproven ? q->missing[i] : 0);
    set_member(&q->active, i, active && !lacks);
    set_member(&q->unproven, i, unproven || (active && lacks));
}

/* What a role is, the roles it inherits are through it: the children come first. */
static void inherit(struct question *q, unsigned i)
{
    const struct sk_policy_set *parents = &image_roles(q->policy)[i].inherits;
    bool active = sk_policy_set_has(&q->active, i), unproven = sk_policy_set_has(&q->unproven, i);
    for (unsigned parent = 0; unproven && parent < i; parent++) {
        if (sk_policy_set_has(parents, parent)) {
            q->missing[parent] = q->missing[i];
        }
    }
    for (int w = 0; w < SK_POLICY_SETS; w++) {
        q->held.words[w] |= parents->words[w];
        q->active.words[w] |= active ? parents->words[w] : 0;
        q->unproven.words[w] |= unproven ? parents->words[w] : 0;
    }
}

static void close_roles(struct question *q, const struct sk_policy_set *networks)
{
    q->held = q->request->subject->roles;
    q->active = q->held;
    q->unproven = (struct sk_policy_set){{0}};
    for (unsigned i = image_header(q->policy)->roles.count; i-- > 0;) {
        if (sk_policy_set_has(&q->held, i)) {
            judge_role(q, i, networks);
            inherit(q, i);
        }
    }
}

static void weigh(const struct question *q, struct image_array range, struct findings *found)
{
    for (uint32_t i = range.offset; i < range.offset + range.count; i++) {
        const struct image_rule *rule = &image_rules(q->policy)[i];
        if (rule->methods != IMAGE_ANY_METHOD && !(rule->methods & q->method)) {
            continue;
        }
        if (rule->effect == IMAGE_STEP_UP) {
            uint32_t lacks = missing(q->policy, rule->of, q->request);
            found->step_up = lacks ? (int32_t)i : found->step_up;
            found->missing = lacks ? lacks : found->missing;
        } else if (!sk_policy_set_has(&q->held, rule->of)) {
            continue;
        } else if (rule->effect == IMAGE_DENY) {
            found->deny = (int32_t)i;
        } else if (sk_policy_set_has(&q->active, rule->of)) {
            found->allow = (int32_t)i;
        } else if (sk_policy_set_has(&q->unproven, rule->of)) {
            found->unproven = (int32_t)i;
        } else {
            found->inactive = (int32_t)i;
        }
    }
}

static uint32_t find_edge(const struct sk_policy *policy, const struct image_node *node, struct sk_slice label)
{
    const struct image_edge *edges = image_edges(policy) + node->edges.offset;
    uint32_t low = 0;
    for (uint32_t high = node->edges.count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        struct sk_slice at = image_text(policy, edges[middle].label);
        int order = memcmp(at.data, label.data, at.len < label.len ? at.len : label.len);
        order = order ? order : (at.len > label.len) - (at.len < label.len);
        if (order == 0) {
            return edges[middle].node;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SK_IMAGE_NONE;
}

/* Nodes reached at one depth. A segment leads to at most two children, so the front is bounded by the image's shape;
 * a front that would not fit counts as a denial. */
#define FRONT 64U

struct front {
    uint32_t nodes[FRONT];
    uint32_t count;
};

static bool front_add(struct front *front, uint32_t node)
{
    if (node == SK_IMAGE_NONE) {
        return true;
    }
    if (front->count == FRONT) {
        return false;
    }
    front->nodes[front->count++] = node;
    return true;
}

/* Walks the path through the app's tree. False when the pattern set is too branched to be judged. */
static bool match(const struct question *q, uint32_t root, struct sk_slice path, struct findings *found)
{
    struct front front = {.nodes = {root}, .count = 1};
    struct sk_slice rest = sk_slice_from(path, 1);
    /* A slash at the end names the same resource to many servers: it is judged without. */
    if (rest.len && rest.data[rest.len - 1] == '/') {
        rest.len--;
    }
    while (rest.len && front.count) {
        struct sk_slice segment = sk_slice_split(&rest, '/');
        struct front next = {.count = 0};
        for (uint32_t i = 0; i < front.count; i++) {
            const struct image_node *node = &image_nodes(q->policy)[front.nodes[i]];
            weigh(q, node->below, found);
            if (!front_add(&next, find_edge(q->policy, node, segment)) || !front_add(&next, node->any)) {
                return false;
            }
        }
        front = next;
    }
    for (uint32_t i = 0; i < front.count; i++) {
        const struct image_node *node = &image_nodes(q->policy)[front.nodes[i]];
        weigh(q, node->below, found);
        weigh(q, node->exact, found);
    }
    return true;
}

static void permission(const struct question *q, struct sk_policy_verdict *verdict, struct sk_policy_trace *trace)
{
    struct findings found = {-1, -1, -1, -1, -1, 0};
    bool judged = match(q, image_apps(q->policy)[verdict->app].root, q->request->path, &found);
    int32_t would = found.unproven >= 0 ? found.unproven : found.inactive;
    step(trace, "no rule denies", judged && found.deny < 0, sk_policy_rule_text(q->policy, found.deny));
    step(trace, "a rule allows", found.allow >= 0, sk_policy_rule_text(q->policy, found.allow >= 0 ? found.allow : would));
    verdict->decision = SK_POLICY_DENY;
    if (!judged || found.deny >= 0) {
        verdict->reason = SK_POLICY_DENIED_BY_RULE;
        verdict->rule = found.deny;
    } else if (found.allow >= 0 && found.step_up >= 0) {
        step(trace, "the path asks for no more factors", false, sk_policy_rule_text(q->policy, found.step_up));
        verdict->decision = SK_POLICY_CHALLENGE;
        verdict->reason = SK_POLICY_FACTOR_REQUIRED;
        verdict->rule = found.step_up;
        verdict->missing = found.missing;
    } else if (found.allow >= 0) {
        step(trace, "the path asks for no more factors", true, SK_SLICE_NULL);
        verdict->decision = SK_POLICY_ALLOW;
        verdict->reason = SK_POLICY_ALLOWED;
        verdict->rule = found.allow;
    } else if (found.unproven >= 0) {
        verdict->decision = SK_POLICY_CHALLENGE;
        verdict->reason = SK_POLICY_FACTOR_REQUIRED;
        verdict->rule = found.unproven;
        verdict->missing = q->missing[image_rules(q->policy)[found.unproven].of];
    } else if (found.inactive >= 0) {
        verdict->reason = SK_POLICY_ROLE_NETWORK_NOT_ALLOWED;
        verdict->rule = found.inactive;
    } else {
        verdict->reason = SK_POLICY_NOT_PERMITTED;
    }
}

bool sk_policy_could(const struct sk_policy *policy, int32_t role, int32_t app, struct sk_slice method, struct sk_slice path)
{
    struct sk_policy_subject anybody = {.restricted = false};
    const struct sk_policy_request request = {.subject = &anybody, .path = path};
    struct question q sk_uninitialized;
    struct findings found = {-1, -1, -1, -1, -1, 0};
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        anybody.proven[i] = SK_POLICY_PROVEN_NOW;
    }
    q.policy = policy;
    q.request = &request;
    q.method = image_method(method);
    q.held = q.unproven = (struct sk_policy_set){{0}};
    sk_policy_set_add(&q.held, (unsigned)role);
    for (unsigned i = image_header(policy)->roles.count; i-- > 0;) {
        for (int w = 0; sk_policy_set_has(&q.held, i) && w < SK_POLICY_SETS; w++) {
            q.held.words[w] |= image_roles(policy)[i].inherits.words[w];
        }
    }
    q.active = q.held;
    return match(&q, image_apps(policy)[app].root, path, &found) && found.allow >= 0 && found.deny < 0;
}

/* 0: one of them is none. */
static uint32_t methods_of(struct sk_slice list)
{
    uint32_t methods = sk_slice_eq(list, SK_LIT("*")) ? IMAGE_ANY_METHOD : 0;
    while (methods != IMAGE_ANY_METHOD && list.len) {
        uint32_t method = image_method(sk_slice_split(&list, ','));
        if (method == 0) {
            return 0;
        }
        methods |= method;
    }
    return methods;
}

bool sk_policy_methods_ok(struct sk_slice methods)
{
    return methods_of(methods) != 0;
}

int sk_policy_scope_add(const struct sk_policy *policy, struct sk_slice text, struct sk_policy_subject *subject)
{
    struct sk_slice app = sk_slice_split(&text, ' ');
    struct sk_policy_scope scope = {.app = -1, .methods = methods_of(text)};
    subject->scoped = true;
    for (uint32_t i = 0; i < image_header(policy)->apps.count; i++) {
        scope.app = sk_slice_eq(sk_policy_app_name(policy, (int32_t)i), app) ? (int32_t)i : scope.app;
    }
    if (scope.app < 0 || scope.methods == 0 || subject->scope_count == SK_POLICY_SCOPE) {
        return 1;
    }
    subject->scope[subject->scope_count++] = scope;
    return 0;
}

static bool in_scope(const struct sk_policy_subject *subject, int32_t app, uint32_t method)
{
    bool in = !subject->scoped;
    for (unsigned i = 0; !in && i < subject->scope_count; i++) {
        const struct sk_policy_scope *scope = &subject->scope[i];
        in = scope->app == app && (scope->methods == IMAGE_ANY_METHOD || (scope->methods & method));
    }
    return in;
}

/* True: what tenant or app demands is proven. */
static bool proven(const struct sk_policy *policy, const char *name, uint32_t demand, const struct sk_policy_request *request,
        struct sk_policy_verdict *verdict, struct sk_policy_trace *trace)
{
    uint32_t lacks = missing(policy, demand, request);
    step(trace, name, !lacks, demand == SK_IMAGE_NONE ? SK_LIT("not restricted") : image_text(policy, image_demands(policy)[demand].text));
    if (lacks) {
        verdict->decision = SK_POLICY_CHALLENGE;
        verdict->reason = SK_POLICY_FACTOR_REQUIRED;
        verdict->missing = lacks;
    }
    return !lacks;
}

/* Each gate before permission; false when the verdict is reached. */
static bool gates(const struct sk_policy *policy, const struct sk_policy_request *request, const struct sk_policy_set *networks,
        struct sk_policy_verdict *verdict, struct sk_policy_trace *trace)
{
    const struct image_header *h = image_header(policy);
    step(trace, "tenant is open", h->open, SK_SLICE_NULL);
    if (!h->open) {
        verdict->reason = SK_POLICY_TENANT_CLOSED;
        return false;
    }
    bool in = sk_policy_set_meets(&h->from, networks);
    step(trace, "address is in the tenant's networks", in, SK_SLICE_NULL);
    if (!in) {
        verdict->reason = SK_POLICY_NETWORK_NOT_ALLOWED;
        return false;
    }
    verdict->app = sk_policy_app(policy, request->host, request->path);
    step(trace, "an app serves host and path", verdict->app >= 0, sk_policy_app_name(policy, verdict->app));
    if (verdict->app < 0) {
        verdict->reason = SK_POLICY_NO_APP;
        return false;
    }
    const struct image_app *app = &image_apps(policy)[verdict->app];
    in = !app->restricted || sk_policy_set_meets(&app->from, networks);
    step(trace, "address is in the app's networks", in, app->restricted ? SK_SLICE_NULL : SK_LIT("not restricted"));
    if (!in) {
        verdict->reason = SK_POLICY_APP_NETWORK_NOT_ALLOWED;
        return false;
    }
    step(trace, "somebody is logged in", request->subject != NULL, SK_SLICE_NULL);
    if (!request->subject) {
        verdict->decision = SK_POLICY_CHALLENGE;
        verdict->reason = SK_POLICY_LOGIN_REQUIRED;
        return false;
    }
    in = !request->subject->restricted || sk_policy_set_meets(&request->subject->networks, networks);
    step(trace, "address is in the user's networks", in, request->subject->restricted ? SK_SLICE_NULL : SK_LIT("not restricted"));
    if (!in) {
        verdict->reason = SK_POLICY_USER_NETWORK_NOT_ALLOWED;
        return false;
    }
    in = in_scope(request->subject, verdict->app, image_method(request->method));
    step(trace, "app and method are in the key's scope", in, request->subject->scoped ? SK_SLICE_NULL : SK_LIT("not restricted"));
    if (!in) {
        verdict->reason = SK_POLICY_OUT_OF_SCOPE;
        return false;
    }
    return proven(policy, "factors suffice for the tenant", h->demand, request, verdict, trace) &&
           proven(policy, "factors suffice for the app", app->demand, request, verdict, trace);
}

struct sk_policy_verdict sk_policy_decide(
        const struct sk_policy *policy, const struct sk_policy_request *request, struct sk_policy_trace *trace)
{
    struct sk_policy_verdict verdict = {SK_POLICY_DENY, SK_POLICY_NOT_PERMITTED, -1, -1, 0};
    if (request->path.len == 0 || request->path.data[0] != '/') {
        verdict.reason = SK_POLICY_NO_APP;
        return verdict;
    }
    struct sk_policy_set networks = sk_policy_networks(policy, request->address);
    if (!gates(policy, request, &networks, &verdict, trace)) {
        return verdict;
    }
    struct question q sk_uninitialized;
    q.policy = policy;
    q.request = request;
    q.method = image_method(request->method);
    close_roles(&q, &networks);
    permission(&q, &verdict, trace);
    return verdict;
}
