/* sekisho policy test and policy explain: the gateway's own decision function, on files. */
#include "tools/tools.h"

#include "base/text.h"
#include "http/target.h"
#include "tools/tenants.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)64 << 10)
#define NAME_WIDTH 36 /* of a step's name, in columns */

/* One tenant file, ready to be asked. */
struct rules {
    struct sk_tenant_file file;
    struct sk_buf image;
    struct sk_policy policy;
};

struct question {
    const char *address, *host, *method, *path;
    char who[200]; /* as the answer names the subject */
    struct sk_policy_subject subject;
    bool anonymous;
};

struct answer {
    struct sk_slice path; /* normal form, in the arena */
    enum sk_refusal refusal;
    struct sk_policy_verdict verdict;
    struct sk_policy_trace trace;
};

static const char *const decisions[] = {"deny", "challenge", "allow"};

static void rules_free(struct rules *rules)
{
    sk_buf_free(&rules->image);
    sk_tenant_file_free(&rules->file);
}

static int rules_load(struct rules *rules, const char *path)
{
    return sk_tenant_file_load(&rules->file, path) || sk_tenant_policy(&rules->file, &rules->image, &rules->policy);
}

static const char *refusal_meaning(enum sk_refusal refusal)
{
    switch (refusal) {
    case SK_REFUSAL_PATH_ENCODING:
        return "a '%' is not followed by two hex digits";
    case SK_REFUSAL_PATH_SLASH:
        return "an encoded slash or backslash: servers read it differently";
    case SK_REFUSAL_PATH_DOTS:
        return "a segment '.' or '..': servers read it differently";
    case SK_REFUSAL_PATH_EMPTY:
        return "an empty segment ('//'): servers read it differently";
    case SK_REFUSAL_PATH_BYTE:
        return "a byte that no path may hold as it is, or an encoded control byte, ';' or '%'";
    case SK_REFUSAL_TARGET_BAD:
        return "a path begins with '/', and a query holds visible ASCII alone";
    case SK_REFUSAL_TARGET_TOO_LONG:
        return "the target is too long";
    case SK_REFUSAL_HOST_BAD:
        return "this is no host name";
    default:
        return "the request is refused before it is judged";
    }
}

static struct sk_slice reason_text(const struct answer *a)
{
    return a->refusal ? sk_refusal_text(a->refusal) : sk_policy_reason_text(a->verdict.reason);
}

static struct sk_slice reason_meaning(const struct answer *a)
{
    return a->refusal ? sk_slice_str(refusal_meaning(a->refusal)) : sk_policy_reason_meaning(a->verdict.reason);
}

/* As the gateway does: the message is refused, or judged in its normal form. 0, or 1 when the address is none. */
static int judge(const struct rules *rules, const struct question *q, struct sk_arena *arena, struct answer *a)
{
    struct sk_addr address;
    struct sk_slice authority, host, query;
    *a = (struct answer){.verdict = {SK_POLICY_DENY, SK_POLICY_NOT_PERMITTED, -1, -1, 0}};
    if (sk_addr_parse(sk_slice_str(q->address), &address)) {
        return 1;
    }
    a->refusal = sk_authority_parse(sk_slice_str(q->host), arena, &authority, &host);
    if (!a->refusal) {
        a->refusal = sk_target_parse(sk_slice_str(q->path), arena, &a->path, &query);
    }
    if (!a->refusal) {
        struct sk_policy_request request = {.address = &address,
                .host = host,
                .method = sk_slice_str(q->method),
                .path = a->path,
                .subject = q->anonymous ? NULL : &q->subject};
        a->verdict = sk_policy_decide(&rules->policy, &request, &a->trace);
    }
    return 0;
}

/* 0, or 1 when there is no such role. */
static int add_role(const struct rules *rules, const char *name, struct question *q)
{
    int32_t role = sk_policy_find_role(&rules->policy, sk_slice_str(name));
    if (role >= 0) {
        sk_policy_set_add(&q->subject.roles, (unsigned)role);
    }
    return role < 0;
}

/* Roles without a user: the index of the first that is not there, or `count`. None at all is nobody. */
static unsigned be_roles(const struct rules *rules, const char *const *roles, unsigned count, struct question *q)
{
    size_t len = 0;
    q->anonymous = count == 0;
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        q->subject.proven[i] = SK_POLICY_PROVEN_NOW;
    }
    (void)snprintf(q->who, sizeof(q->who), "nobody");
    for (unsigned i = 0; i < count; i++) {
        if (add_role(rules, roles[i], q)) {
            return i;
        }
        int n = snprintf(q->who + len, sizeof(q->who) - len, "%s%s", i ? "," : "", roles[i]);
        len = n < 0 || len + (size_t)n >= sizeof(q->who) ? sizeof(q->who) - 1 : len + (size_t)n;
    }
    return count;
}

/* What was proven just now, in place of what is taken for granted: a user's password, a program's key, all of a role's. The index of the
 * first that is no factor, or `count`. */
static unsigned prove(const char *const *factors, unsigned count, struct question *q)
{
    if (count) {
        memset(q->subject.proven, 0, sizeof(q->subject.proven));
    }
    for (unsigned i = 0; i < count; i++) {
        int factor = sk_policy_find_factor(sk_slice_str(factors[i]));
        if (factor < 0) {
            return i;
        }
        q->subject.proven[factor] = SK_POLICY_PROVEN_NOW;
    }
    return count;
}

/* The user as a login would make it. A disabled one is nobody: it cannot log in. 0, or 1 when there is no such user. */
static int be_user(const struct rules *rules, const char *name, struct question *q)
{
    const struct sk_conf_tenant *tenant = rules->file.tenant;
    const struct sk_conf_user *user = NULL;
    for (unsigned i = 0; i < tenant->users_count && !user; i++) {
        user = strcmp(tenant->users[i].name, name) == 0 ? &tenant->users[i] : NULL;
    }
    if (!user) {
        return 1;
    }
    (void)snprintf(q->who, sizeof(q->who), "%s%s", name, user->disabled ? " (disabled: nobody)" : "");
    q->anonymous = user->disabled;
    memset(q->subject.proven, 0, sizeof(q->subject.proven));
    q->subject.proven[user->backend == SK_BACKEND_KEY ? SK_POLICY_FACTOR_KEY : SK_POLICY_FACTOR_PASSWORD] = SK_POLICY_PROVEN_NOW;
    q->subject.restricted = user->from_count != 0;
    int r = 0;
    for (unsigned i = 0; i < user->roles_count; i++) {
        r = add_role(rules, user->roles[i], q) || r;
    }
    for (unsigned i = 0; i < user->from_count; i++) {
        int32_t network = sk_policy_find_network(&rules->policy, sk_slice_str(user->from[i]));
        if (network >= 0) {
            sk_policy_set_add(&q->subject.networks, (unsigned)network);
        }
    }
    for (unsigned i = 0; i < user->scope_count; i++) {
        r = sk_policy_scope_add(&rules->policy, sk_slice_str(user->scope[i]), &q->subject) || r;
    }
    return r;
}

/* ---- policy test ---- */

static void refuse_test(const struct rules *rules, unsigned n, const char *member, const char *what, const char *why)
{
    struct sk_conf_error error;
    char place[64];
    (void)snprintf(place, sizeof(place), "tests[%u]%s", n, member);
    (void)sk_conf_refuse(&error, rules->file.path, sk_buf_peek(&rules->file.text), place, "%s%s%s%s", what[0] ? "'" : "", what,
            what[0] ? "': " : "", why);
    sk_tenant_complain(&error);
}

static int decision_of(const char *text)
{
    for (int i = 0; i < (int)SK_COUNT(decisions); i++) {
        if (strcmp(decisions[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static bool is_reason(struct sk_slice text)
{
#define X(name, code, meaning)                                                                               \
    if (sk_slice_eq(text, SK_LIT(code))) {                                                                   \
        return true;                                                                                         \
    }
    SK_POLICY_REASONS(X)
#undef X
#define X(name, status, code)                                                                                \
    if (sk_slice_eq(text, SK_LIT(code))) {                                                                   \
        return true;                                                                                         \
    }
    SK_REFUSALS(X)
#undef X
    return false;
}

/* Makes the question of a test. 0, or 1 with the error said. */
static int read_test(const struct rules *rules, unsigned n, struct question *q)
{
    const struct sk_conf_test *test = &rules->file.tenant->tests[n];
    *q = (struct question){.address = test->address,
            .host = test->host ? test->host : rules->file.tenant->hosts[0],
            .method = test->method ? test->method : "GET",
            .path = test->path};
    unsigned known = be_roles(rules, test->roles, test->roles_count, q);
    const char *member = NULL, *what = "", *why = "";
    if (test->user && test->roles_count) {
        member = "", why = "a test has a user or roles, not both";
    } else if (test->user && be_user(rules, test->user, q)) {
        member = ".user", what = test->user, why = "there is no such user";
    } else if (decision_of(test->expect) < 0) {
        member = ".expect", what = test->expect, why = "expected is allow, deny or challenge";
    } else if (test->reason && !is_reason(sk_slice_str(test->reason))) {
        member = ".reason", what = test->reason, why = "there is no such reason";
    } else if (known < test->roles_count) {
        member = ".roles", what = test->roles[known], why = "there is no such role";
    } else if ((known = prove(test->factors, test->factors_count, q)) < test->factors_count) {
        member = ".factors", what = test->factors[known], why = "there is no such factor";
    }
    if (member) {
        refuse_test(rules, n, member, what, why);
    }
    return member != NULL;
}

static void print_failed(const struct rules *rules, unsigned n, const struct question *q, const struct answer *a)
{
    const struct sk_conf_test *test = &rules->file.tenant->tests[n];
    struct sk_conf_error error;
    char place[32];
    struct sk_slice reason = reason_text(a), meaning = reason_meaning(a);
    struct sk_slice rule = sk_policy_rule_text(&rules->policy, a->verdict.rule);
    (void)snprintf(place, sizeof(place), "tests[%u]", n);
    (void)sk_conf_refuse(&error, rules->file.path, sk_buf_peek(&rules->file.text), place, "-");
    (void)printf("%s:%u: %s: %s %s %s%s from %s: expected %s%s%s, got %s %.*s: %.*s", error.file, error.line, place, q->who, q->method,
            q->host, q->path, q->address, test->expect, test->reason ? " " : "", test->reason ? test->reason : "",
            decisions[a->verdict.decision], (int)reason.len, reason.data, (int)meaning.len, meaning.data);
    (void)printf(rule.len ? " (%.*s)\n" : "%.*s\n", (int)rule.len, rule.len ? rule.data : "");
}

/* 0 passed, 1 failed. */
static int run_test(const struct rules *rules, unsigned n)
{
    const struct sk_conf_test *test = &rules->file.tenant->tests[n];
    struct sk_arena arena SK_CLEANUP(sk_arena_free);
    struct question q;
    struct answer a;
    sk_arena_init(&arena, ARENA_MAX);
    if (read_test(rules, n, &q)) {
        return 1;
    }
    if (judge(rules, &q, &arena, &a)) {
        refuse_test(rules, n, ".address", q.address, "this is not an address");
        return 1;
    }
    bool passed = (int)a.verdict.decision == decision_of(test->expect) &&
                  (!test->reason || sk_slice_eq(sk_slice_str(test->reason), reason_text(&a)));
    if (!passed) {
        print_failed(rules, n, &q, &a);
    }
    return !passed;
}

static int run_tests(const struct sk_tool_values *operands, const struct sk_tool_values *options sk_unused)
{
    unsigned passed = 0, failed = 0;
    bool unread = false;
    for (unsigned i = 0; i < operands->count; i++) {
        struct rules rules SK_CLEANUP(rules_free) = {.image = {.limit = 0}};
        if (rules_load(&rules, operands->values[i])) {
            unread = true;
            continue;
        }
        for (unsigned n = 0; n < rules.file.tenant->tests_count; n++) {
            int r = run_test(&rules, n);
            passed += r == 0;
            failed += r != 0;
        }
    }
    (void)printf("%u passed, %u failed\n", passed, failed);
    return failed || unread ? SK_TOOL_FAILED : SK_TOOL_OK;
}

static const struct sk_tool_option test_options[] = {{NULL}};

const struct sk_tool_command sk_tool_policy_test = {.group = "policy",
        .name = "test",
        .operands = "FILE...",
        .least = 1,
        .most = SK_TOOL_VALUES,
        .help = "Run the tests of tenant files; one line for each that fails.",
        .options = test_options,
        .run = run_tests};

/* ---- policy explain ---- */

enum { USER, ROLE, FACTOR, ADDRESS, METHOD, HOST, PATH, OUTPUT };

static const struct sk_tool_option explain_options[] = {{"--user", "NAME", "a user of the file", false},
        {"--role", "ROLE", "a role, instead of a user", true}, {"--factor", "FACTOR", "proven just now; default: a user's password, a program's key", true},
        {"--address", "ADDRESS", "where the request comes from", false},
        {"--method", "METHOD", "default: GET", false}, {"--host", "HOST", "default: the tenant's first", false},
        {"--path", "PATH", "the request's target, as it is sent", false}, {"-o", "FORM", "table (default) or json", false}, {NULL}};

static int print_text(const struct rules *rules, const struct question *q, const struct answer *a)
{
    struct sk_slice reason = reason_text(a), meaning = reason_meaning(a);
    struct sk_slice rule = sk_policy_rule_text(&rules->policy, a->verdict.rule);
    (void)printf("%s %s%s from %s as %s\n", q->method, q->host, q->path, q->address, q->who);
    if (!a->refusal) {
        (void)printf("judged as %.*s\n", (int)a->path.len, a->path.data);
    }
    for (size_t i = 0; i < a->trace.count; i++) {
        const struct sk_policy_step *step = &a->trace.steps[i];
        (void)printf("  %s  %s", step->holds ? "ok" : "no", step->name);
        (void)printf("%*s%.*s\n", step->text.len ? NAME_WIDTH - (int)strlen(step->name) : 0, "",
                (int)step->text.len, step->text.len ? step->text.data : "");
    }
    (void)printf("%s %.*s: %.*s\n", decisions[a->verdict.decision], (int)reason.len, reason.data, (int)meaning.len, meaning.data);
    if (rule.len) {
        (void)printf("decided by %.*s\n", (int)rule.len, rule.data);
    }
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        if (a->verdict.missing & UINT32_C(1) << i) {
            (void)printf("missing %s\n", sk_policy_factor_name((enum sk_policy_factor)i).data);
        }
    }
    return SK_TOOL_OK;
}

static int put_member(struct sk_buf *out, const char *before, struct sk_slice text)
{
    int r = sk_buf_printf(out, "%s", before);
    return r ? r : text.data ? sk_json_put_string(out, text) : sk_buf_put(out, SK_LIT("null"));
}

static int print_json(const struct rules *rules, const struct question *q, const struct answer *a)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    int r = put_member(&out, "{\"address\":", sk_slice_str(q->address));
    r = r ? r : put_member(&out, ",\"subject\":", q->anonymous ? SK_SLICE_NULL : sk_slice_str(q->who));
    r = r ? r : put_member(&out, ",\"method\":", sk_slice_str(q->method));
    r = r ? r : put_member(&out, ",\"host\":", sk_slice_str(q->host));
    r = r ? r : put_member(&out, ",\"path\":", a->path);
    r = r ? r : sk_buf_put(&out, SK_LIT(",\"steps\":["));
    for (size_t i = 0; r == 0 && i < a->trace.count; i++) {
        const struct sk_policy_step *step = &a->trace.steps[i];
        r = put_member(&out, i ? ",{\"name\":" : "{\"name\":", sk_slice_str(step->name));
        r = r ? r : put_member(&out, step->holds ? ",\"holds\":true,\"text\":" : ",\"holds\":false,\"text\":", step->text);
        r = r ? r : sk_buf_put(&out, SK_LIT("}"));
    }
    r = r ? r : sk_buf_put(&out, SK_LIT("],\"missing\":["));
    for (unsigned i = 0, n = 0; r == 0 && i < SK_POLICY_FACTORS; i++) {
        if (a->verdict.missing & UINT32_C(1) << i) {
            r = put_member(&out, n++ ? "," : "", sk_policy_factor_name((enum sk_policy_factor)i));
        }
    }
    r = r ? r : put_member(&out, "],\"decision\":", sk_slice_str(decisions[a->verdict.decision]));
    r = r ? r : put_member(&out, ",\"reason\":", reason_text(a));
    r = r ? r : put_member(&out, ",\"meaning\":", reason_meaning(a));
    r = r ? r : put_member(&out, ",\"app\":", a->verdict.app < 0 ? SK_SLICE_NULL : sk_policy_app_name(&rules->policy, a->verdict.app));
    r = r ? r : put_member(&out, ",\"rule\":", sk_policy_rule_text(&rules->policy, a->verdict.rule));
    r = r ? r : sk_buf_put(&out, SK_LIT("}\n"));
    return r ? sk_tool_fail("policy explain", "the answer is too long", NULL) : sk_tool_print(&out);
}

static int read_who(const struct rules *rules, const struct sk_tool_values *options, struct question *q)
{
    if (options[USER].count && options[ROLE].count) {
        return sk_tool_usage("--user", "give a user or roles, not both");
    }
    unsigned known = be_roles(rules, options[ROLE].values, options[ROLE].count, q);
    if (known < options[ROLE].count) {
        return sk_tool_fail(options[ROLE].values[known], "the file has no such role", NULL);
    }
    if (options[USER].count && be_user(rules, options[USER].values[0], q)) {
        return sk_tool_fail(options[USER].values[0], "the file has no such user", NULL);
    }
    known = prove(options[FACTOR].values, options[FACTOR].count, q);
    if (known < options[FACTOR].count) {
        return sk_tool_fail(options[FACTOR].values[known], "there is no such factor", NULL);
    }
    return 0;
}

static int run_explain(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    struct rules rules SK_CLEANUP(rules_free) = {.image = {.limit = 0}};
    struct sk_arena arena SK_CLEANUP(sk_arena_free);
    struct answer a;
    int json = sk_tool_wants_json(&options[OUTPUT]);
    sk_arena_init(&arena, ARENA_MAX);
    if (json < 0 || !options[ADDRESS].count || !options[PATH].count) {
        return json < 0 ? SK_TOOL_USAGE : sk_tool_usage(options[ADDRESS].count ? "--path" : "--address", "missing");
    }
    if (rules_load(&rules, operands->values[0])) {
        return SK_TOOL_FAILED;
    }
    struct question q = {.address = options[ADDRESS].values[0],
            .host = sk_tool_value(&options[HOST], rules.file.tenant->hosts[0]),
            .method = sk_tool_value(&options[METHOD], "GET"),
            .path = options[PATH].values[0]};
    int r = read_who(&rules, options, &q);
    if (r) {
        return r;
    }
    if (judge(&rules, &q, &arena, &a)) {
        return sk_tool_usage(q.address, "this is not an address");
    }
    return json ? print_json(&rules, &q, &a) : print_text(&rules, &q, &a);
}

const struct sk_tool_command sk_tool_policy_explain = {.group = "policy",
        .name = "explain",
        .operands = "FILE",
        .least = 1,
        .most = 1,
        .help = "Show how a request would be judged, step by step.",
        .options = explain_options,
        .run = run_explain};
