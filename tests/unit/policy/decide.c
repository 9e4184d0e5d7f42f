/* The decision: what each rule of the semantics means, and a naive second implementation that must always
 * agree. */
#include "sources.h"

#include "base/addr.h"

#include <criterion/criterion.h>
#include <arpa/inet.h>

struct case_of {
    const char *method, *path;
    enum sk_policy_reason reason;
};

#define ALLOWED SK_POLICY_ALLOWED
#define NOT_PERMITTED SK_POLICY_NOT_PERMITTED
#define DENIED SK_POLICY_DENIED_BY_RULE
#define OPEN OPEN_AT("h")
#define OPEN_AT(...)                                                                                         \
    .open = true, .hosts = TEXTS(__VA_ARGS__), .from = TEXTS("all"),                                         \
    .networks = NETWORKS({.name = "all", .cidrs = TEXTS("0.0.0.0/0", "::/0")},                               \
            {.name = "in", .cidrs = TEXTS("10.0.0.0/8")})
/* Factors. */
#define P (1U << SK_POLICY_FACTOR_PASSWORD)
#define F (1U << SK_POLICY_FACTOR_FIDO2)
#define V (1U << SK_POLICY_FACTOR_PASSKEY)
#define H (1U << SK_POLICY_FACTOR_HARDWARE)
#define C (1U << SK_POLICY_FACTOR_CERTIFICATE)
#define K (1U << SK_POLICY_FACTOR_KEY)
#define O (1U << SK_POLICY_FACTOR_OIDC)
#define API .apps = APPS({.name = "api", .path = "/"})

static void check(const struct sk_policy_source *source, const char *role, const char *address,
        const struct case_of *cases, size_t count)
{
    struct opened o;
    const char *const roles[] = {role, NULL};
    policy_make(&o, source);
    for (size_t i = 0; i < count; i++) {
        struct sk_policy_verdict v = ask(&o.policy, roles, address, "h", cases[i].method, cases[i].path);
        cr_expect_eq(v.reason, cases[i].reason, "%s %s: %s, not %s", cases[i].method, cases[i].path,
                sk_policy_reason_text(v.reason).data, sk_policy_reason_text(cases[i].reason).data);
        cr_expect_eq(v.decision == SK_POLICY_ALLOW, v.reason == ALLOWED);
    }
    policy_drop(&o);
}

Test(policy_decide, what_nothing_allows_is_denied)
{
    const struct case_of cases[] = {
            {"GET", "/", NOT_PERMITTED}, {"GET", "/a", NOT_PERMITTED}, {"OPTIONS", "/a", NOT_PERMITTED}};
    check(&(struct sk_policy_source){OPEN, API, .roles = ROLES({.name = "r"})}, "r", "10.0.0.1", cases,
            SK_COUNT(cases));
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r"}, {.name = "other", .allow = TEXTS("api * /**")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
}

Test(policy_decide, deny_wins_whatever_the_order_and_the_role)
{
    const struct case_of cases[] = {{"GET", "/a/x", ALLOWED}, {"GET", "/a/secret", DENIED},
            {"GET", "/a/secret/", DENIED}, {"DELETE", "/a/x", DENIED}, {"GET", "/a/secret/x", ALLOWED}};
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r",
                          .allow = TEXTS("api * /a/**"),
                          .deny = TEXTS("api * /a/secret", "api DELETE /**")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "p", .deny = TEXTS("api * /a/secret", "api DELETE /**")},
                          {.name = "r",
                                  .inherits = TEXTS("p"),
                                  .allow = TEXTS("api * /a/**", "api * /a/secret", "api DELETE /a/x")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "p", .allow = TEXTS("api * /a/**", "api * /a/secret")},
                          {.name = "r",
                                  .inherits = TEXTS("p"),
                                  .deny = TEXTS("api * /a/secret", "api DELETE /**")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
}

Test(policy_decide, a_star_is_one_segment_and_two_are_the_rest)
{
    const struct case_of cases[] = {
            {"GET", "/one/x", ALLOWED},
            {"GET", "/one/x/", ALLOWED},
            {"GET", "/one", NOT_PERMITTED},
            {"GET", "/one/", NOT_PERMITTED},
            {"GET", "/one/x/y", NOT_PERMITTED},
            {"GET", "/rest", ALLOWED},
            {"GET", "/rest/", ALLOWED},
            {"GET", "/rest/x", ALLOWED},
            {"GET", "/rest/x/y/z", ALLOWED},
            {"GET", "/restx", NOT_PERMITTED},
            {"GET", "/mid/x/end", ALLOWED},
            {"GET", "/mid/x/y/end", NOT_PERMITTED},
            {"GET", "/mid/end", NOT_PERMITTED},
            {"GET", "/both/x", ALLOWED},
            {"GET", "/both/x/y", ALLOWED},
            {"GET", "/both", NOT_PERMITTED},
            {"GET", "/both/", NOT_PERMITTED},
            {"GET", "/exact", ALLOWED},
            {"GET", "/exact/", ALLOWED},
            {"GET", "/exact/x", NOT_PERMITTED},
            {"GET", "/Exact", NOT_PERMITTED},
            {"GET", "/", NOT_PERMITTED},
    };
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r",
                          .allow = TEXTS("api GET /one/*", "api GET /rest/**", "api GET /mid/*/end",
                                  "api GET /both/*/**", "api GET /exact")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
    const struct case_of root[] = {{"GET", "/", ALLOWED}, {"GET", "/a", NOT_PERMITTED}};
    check(&(struct sk_policy_source){OPEN, API, .roles = ROLES({.name = "r", .allow = TEXTS("api GET /")})},
            "r", "10.0.0.1", root, SK_COUNT(root));
    const struct case_of all[] = {
            {"GET", "/", ALLOWED}, {"GET", "/a", ALLOWED}, {"GET", "/a/b/c/d/e", ALLOWED}};
    check(&(struct sk_policy_source){OPEN, API, .roles = ROLES({.name = "r", .allow = TEXTS("api GET /**")})},
            "r", "10.0.0.1", all, SK_COUNT(all));
    const struct case_of slash[] = {{"GET", "/a", DENIED}, {"GET", "/a/", DENIED}, {"GET", "/a/b", ALLOWED}};
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r", .allow = TEXTS("api GET /**"), .deny = TEXTS("api GET /a/")})},
            "r", "10.0.0.1", slash, SK_COUNT(slash));
}

/* A literal segment and a star lead both on: neither hides the other. */
Test(policy_decide, overlapping_patterns_all_count)
{
    const struct case_of cases[] = {{"GET", "/a/b/c", ALLOWED}, {"GET", "/x/b/c", ALLOWED},
            {"GET", "/a/x/c", ALLOWED}, {"GET", "/a/b/d", DENIED}, {"GET", "/x/y/d", DENIED},
            {"GET", "/x/y/c", NOT_PERMITTED}};
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r",
                          .allow = TEXTS("api GET /*/b/c", "api GET /a/*/c", "api GET /a/b/*"),
                          .deny = TEXTS("api GET /*/*/d")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
}

Test(policy_decide, a_set_of_patterns_too_branched_to_judge_is_denied_and_never_allowed)
{
    static char rules[256][64];
    static const char *texts[257];
    for (unsigned i = 0; i < 256; i++) {
        size_t len = (size_t)snprintf(rules[i], sizeof(rules[i]), "api GET ");
        for (unsigned bit = 0; bit < 8; bit++) {
            len += (size_t)snprintf(rules[i] + len, sizeof(rules[i]) - len, "/%c", i >> bit & 1 ? 'a' : '*');
        }
        texts[i] = rules[i];
    }
    const struct sk_policy_role_source role = {.name = "r", .allow = texts, .allow_count = 256};
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){OPEN, API, .roles = &role, .roles_count = 1});
    const char *const roles[] = {"r", NULL};
    struct sk_policy_verdict v = ask(&o.policy, roles, "10.0.0.1", "h", "GET", "/a/a/a/a/a/a/a/a");
    cr_expect_eq(v.decision, SK_POLICY_DENY);
    cr_expect_eq(ask(&o.policy, roles, "10.0.0.1", "h", "GET", "/b/b/b/b/b/b/b/b").reason, ALLOWED);
    policy_drop(&o);
}

Test(policy_decide, methods_are_compared_whole_and_unknown_ones_by_star_alone)
{
    const struct case_of cases[] = {{"GET", "/a", ALLOWED}, {"HEAD", "/a", ALLOWED},
            {"POST", "/a", NOT_PERMITTED}, {"get", "/a", NOT_PERMITTED}, {"BREW", "/a", NOT_PERMITTED},
            {"", "/a", NOT_PERMITTED}, {"BREW", "/any", ALLOWED}, {"GET", "/any", ALLOWED},
            {"BREW", "/any/no", DENIED}, {"POST", "/any/some", DENIED}};
    check(&(struct sk_policy_source){OPEN, API,
                  .roles = ROLES({.name = "r",
                          .allow = TEXTS("api GET,HEAD /a", "api * /any/**"),
                          .deny = TEXTS("api * /any/no", "api POST,PUT /any/some")})},
            "r", "10.0.0.1", cases, SK_COUNT(cases));
}

Test(policy_decide, gates_come_before_rules_and_in_order)
{
    struct sk_policy_source source = {OPEN,
            .apps = APPS({.name = "api", .path = "/api"}, {.name = "in", .path = "/in", .from = TEXTS("in")}),
            .roles = ROLES({.name = "r", .allow = TEXTS("api * /**", "in * /**")})};
    const char *const roles[] = {"r", NULL};
    struct opened o;
    policy_make(&o, &source);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "h", "GET", "/api").reason, ALLOWED);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "h", "GET", "/").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "h", "GET", "/apis").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "other", "GET", "/api").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "", "GET", "/api").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "H", "GET", "/api").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "h", "GET", "").reason, SK_POLICY_NO_APP);
    cr_expect_eq(ask(&o.policy, roles, "192.0.2.1", "h", "GET", "api").reason, SK_POLICY_NO_APP);
    cr_expect_eq(
            ask(&o.policy, roles, "192.0.2.1", "h", "GET", "/in").reason, SK_POLICY_APP_NETWORK_NOT_ALLOWED);
    cr_expect_eq(ask(&o.policy, roles, "10.0.0.1", "h", "GET", "/in").reason, ALLOWED);
    cr_expect_eq(
            ask(&o.policy, NULL, "192.0.2.1", "h", "GET", "/in").reason, SK_POLICY_APP_NETWORK_NOT_ALLOWED);
    struct sk_policy_verdict v = ask(&o.policy, NULL, "192.0.2.1", "h", "GET", "/api");
    cr_expect_eq(v.reason, SK_POLICY_LOGIN_REQUIRED);
    cr_expect_eq(v.decision, SK_POLICY_CHALLENGE);
    policy_drop(&o);
    source.from_count = 0;
    policy_make(&o, &source);
    cr_expect_eq(ask(&o.policy, roles, "10.0.0.1", "h", "GET", "/api").reason, SK_POLICY_NETWORK_NOT_ALLOWED,
            "no network: nobody");
    policy_drop(&o);
    source.open = false;
    policy_make(&o, &source);
    cr_expect_eq(ask(&o.policy, roles, "10.0.0.1", "h", "GET", "/api").reason, SK_POLICY_TENANT_CLOSED);
    cr_expect_eq(ask(&o.policy, NULL, "10.0.0.1", "h", "GET", "/api").decision, SK_POLICY_DENY,
            "a closed tenant asks nobody to log in");
    policy_drop(&o);
}

Test(policy_decide, the_longest_prefix_that_ends_at_a_segment_is_the_app)
{
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){
                            OPEN, .apps = APPS({.name = "root", .path = "/"}, {.name = "ab", .path = "/a/b"},
                                          {.name = "a", .path = "/a"}, {.name = "web", .path = "/web"})});
    static const struct {
        const char *path, *app;
    } cases[] = {{"/", "root"}, {"/x", "root"}, {"/a", "a"}, {"/a/", "a"}, {"/a/x", "a"}, {"/a/b", "ab"},
            {"/a/b/", "ab"}, {"/a/b/c", "ab"}, {"/a/bc", "a"}, {"/ab", "root"}, {"/web", "web"},
            {"/webs", "root"}, {"/.sekisho/api", "sekisho"}, {"/.sekisho/api/v1", "sekisho"},
            {"/.sekisho", "root"}, {"/.sekisho/apis", "root"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        int32_t app = sk_policy_app(&o.policy, SK_LIT("h"), sk_slice_str(cases[i].path));
        cr_expect(sk_slice_eq(sk_policy_app_name(&o.policy, app), sk_slice_str(cases[i].app)), "%s",
                cases[i].path);
    }
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("other"), SK_LIT("/a")), -1);
    policy_drop(&o);
}

Test(policy_decide, an_app_serves_its_own_hosts_alone)
{
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){OPEN_AT("h", "i", "j"),
                            .apps = APPS({.name = "all", .path = "/"},
                                    {.name = "some", .path = "/s", .hosts = TEXTS("i", "j")})});
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("h"), SK_LIT("/s")), 1);
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("i"), SK_LIT("/s")), 2);
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("j"), SK_LIT("/s/x")), 2);
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("j"), SK_LIT("/")), 1);
    policy_drop(&o);
}

Test(policy_decide, roles_bring_what_they_inherit_within_their_networks)
{
    const struct sk_policy_source source = {OPEN, API,
            .roles =
                    ROLES({.name = "base", .allow = TEXTS("api GET /base"), .deny = TEXTS("api GET /denied")},
                            {.name = "office",
                                    .inherits = TEXTS("base"),
                                    .from = TEXTS("in"),
                                    .allow = TEXTS("api GET /office", "api GET /denied")},
                            {.name = "top",
                                    .inherits = TEXTS("office"),
                                    .allow = TEXTS("api GET /top", "api GET /denied")})};
    const struct case_of inside[] = {{"GET", "/base", ALLOWED}, {"GET", "/office", ALLOWED},
            {"GET", "/top", ALLOWED}, {"GET", "/denied", DENIED}};
    const struct case_of outside[] = {{"GET", "/base", SK_POLICY_ROLE_NETWORK_NOT_ALLOWED},
            {"GET", "/office", SK_POLICY_ROLE_NETWORK_NOT_ALLOWED}, {"GET", "/top", ALLOWED},
            {"GET", "/denied", DENIED}, {"GET", "/none", NOT_PERMITTED}};
    check(&source, "top", "10.0.0.1", inside, SK_COUNT(inside));
    check(&source, "top", "192.0.2.1", outside, SK_COUNT(outside));
    struct opened o;
    policy_make(&o, &source);
    const char *const two[] = {"top", "base", NULL}, *const none[] = {NULL};
    cr_expect_eq(
            ask(&o.policy, two, "192.0.2.1", "h", "GET", "/base").reason, ALLOWED, "held directly as well");
    cr_expect_eq(ask(&o.policy, none, "10.0.0.1", "h", "GET", "/base").reason, NOT_PERMITTED);
    policy_drop(&o);
}

Test(policy_decide, networks_cover_exactly_their_prefixes)
{
    static const struct {
        const char *address;
        bool in;
    } cases[] = {{"10.0.0.0", true}, {"10.255.255.255", true}, {"9.255.255.255", false}, {"11.0.0.0", false},
            {"192.0.2.7", true}, {"192.0.2.6", false}, {"192.0.2.8", false}, {"255.255.255.255", true},
            {"254.255.255.255", false}, {"0.0.0.0", false}, {"2001:db8::", true},
            {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true}, {"2001:db9::", false},
            {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false}, {"::1", true}, {"::", false}, {"::2", false},
            {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true}, {"fffe::", false}, {"::ffff:10.1.2.3", true},
            {"::ffff:11.1.2.3", false}, {"203.0.113.9", true}, {"::ffff:203.0.113.10", false}};
    struct opened o;
    policy_make(&o,
            &(struct sk_policy_source){
                    .networks = NETWORKS({.name = "n",
                            .cidrs = TEXTS("10.0.0.0/8", "192.0.2.7", "255.0.0.0/8", "2001:db8::/32", "::1",
                                    "ffff::/16", "::ffff:203.0.113.9/128", "10.0.0.0/8", "10.1.0.0/16")})});
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_addr address;
        cr_assert_eq(sk_addr_parse(sk_slice_str(cases[i].address), &address), 0);
        struct sk_policy_set set = sk_policy_networks(&o.policy, &address);
        cr_expect_eq(sk_policy_set_has(&set, 0), cases[i].in, "%s", cases[i].address);
    }
    const struct sk_addr nowhere = {.family = SK_FAMILY_NONE};
    struct sk_policy_set set = sk_policy_networks(&o.policy, &nowhere);
    cr_expect_not(sk_policy_set_has(&set, 0));
    policy_drop(&o);
    policy_make(&o, &(struct sk_policy_source){.networks = NETWORKS({.name = "six", .cidrs = TEXTS("::/0")},
                                                       {.name = "four", .cidrs = TEXTS("0.0.0.0/0")})});
    struct sk_addr four, six;
    cr_assert_eq(
            sk_addr_parse(SK_LIT("::ffff:1.2.3.4"), &four) | sk_addr_parse(SK_LIT("64:ff9b::1"), &six), 0);
    cr_expect_eq(sk_policy_networks(&o.policy, &four).words[0], 2, "::/0 never covers IPv4");
    cr_expect_eq(sk_policy_networks(&o.policy, &six).words[0], 1);
    policy_drop(&o);
}

Test(policy_decide, a_user_is_held_to_networks_of_his_own)
{
    struct opened o;
    struct sk_addr inside, outside;
    policy_make(&o, &(struct sk_policy_source){
                            OPEN, API, .roles = ROLES({.name = "r", .allow = TEXTS("api * /**")})});
    cr_assert_eq(
            sk_addr_parse(SK_LIT("10.0.0.1"), &inside) | sk_addr_parse(SK_LIT("192.0.2.1"), &outside), 0);
    struct sk_policy_subject subject = {.roles = {{1}}, .restricted = true};
    struct sk_policy_request request = {&inside, SK_LIT("h"), SK_LIT("GET"), SK_LIT("/"), &subject};
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, SK_POLICY_USER_NETWORK_NOT_ALLOWED,
            "restricted to nothing");
    sk_policy_set_add(&subject.networks, (unsigned)sk_policy_find_network(&o.policy, SK_LIT("in")));
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, ALLOWED);
    request.address = &outside;
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, SK_POLICY_USER_NETWORK_NOT_ALLOWED);
    policy_drop(&o);
}

Test(policy_decide, a_key_is_held_to_its_scope_whatever_its_roles_say)
{
    struct opened o;
    struct sk_addr inside;
    policy_make(&o, &(struct sk_policy_source){
                            OPEN, API, .roles = ROLES({.name = "r", .allow = TEXTS("api * /**")})});
    cr_assert_eq(sk_addr_parse(SK_LIT("10.0.0.1"), &inside), 0);
    struct sk_policy_subject subject = {.roles = {{1}}, .scoped = true};
    struct sk_policy_request request = {&inside, SK_LIT("h"), SK_LIT("GET"), SK_LIT("/"), &subject};
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, SK_POLICY_OUT_OF_SCOPE, "scoped to nothing");
    cr_expect_eq(sk_policy_scope_add(&o.policy, SK_LIT("api HEAD,GET"), &subject), 0);
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, ALLOWED);
    request.method = SK_LIT("POST");
    cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, SK_POLICY_OUT_OF_SCOPE);
    static const char *const bad[] = {"api", "api ", "api get", "other GET", " GET", "", "api BREW", "api *,GET"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        struct sk_policy_subject none = {.roles = {{1}}};
        cr_expect_eq(sk_policy_scope_add(&o.policy, sk_slice_str(bad[i]), &none), 1, "%s", bad[i]);
        request.subject = &none;
        cr_expect_eq(sk_policy_decide(&o.policy, &request, NULL).reason, SK_POLICY_OUT_OF_SCOPE, "'%s' opens nothing", bad[i]);
    }
    subject.scope_count = SK_POLICY_SCOPE;
    cr_expect_eq(sk_policy_scope_add(&o.policy, SK_LIT("api *"), &subject), 1, "there is no more room");
    policy_drop(&o);
}

Test(policy_decide, what_a_role_could_do_is_by_its_rules_alone)
{
    struct opened o;
    policy_make(&o,
            &(struct sk_policy_source){.open = false, .hosts = TEXTS("h"), .factors = "passkey", API,
                    .networks = NETWORKS({.name = "in", .cidrs = TEXTS("10.0.0.0/8")}),
                    .roles = ROLES({.name = "base", .allow = TEXTS("sekisho POST /.sekisho/api/v1/links")}, {.name = "reader", .allow = TEXTS("sekisho GET /.sekisho/api/**")},
                            {.name = "chief", .inherits = TEXTS("base"), .from = TEXTS("in"), .factors = "certificate"},
                            {.name = "held", .inherits = TEXTS("base"), .deny = TEXTS("sekisho * /.sekisho/api/v1/links")})});
    static const struct {
        const char *role;
        bool could;
    } cases[] = {{"base", true}, {"reader", false}, {"chief", true}, {"held", false}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        int32_t role = sk_policy_find_role(&o.policy, sk_slice_str(cases[i].role));
        cr_expect(sk_slice_eq(sk_policy_role_name(&o.policy, role), sk_slice_str(cases[i].role)));
        cr_expect_eq(sk_policy_could(&o.policy, role, SK_POLICY_BUILTIN_APP, SK_LIT("POST"), SK_LIT("/.sekisho/api/v1/links")), cases[i].could, "%s", cases[i].role);
    }
    cr_expect_null(sk_policy_role_name(&o.policy, 4).data);
    policy_drop(&o);
}

/* With a password proven at 1000, and a security key's touch at 1100. */
static struct sk_policy_verdict ask_proven(const struct opened *o, const char *role, const char *path, uint64_t now)
{
    struct sk_addr address;
    struct sk_policy_subject subject = {
            .proven = {[SK_POLICY_FACTOR_PASSWORD] = 1000, [SK_POLICY_FACTOR_FIDO2] = 1100, [SK_POLICY_FACTOR_HARDWARE] = 1100}};
    sk_policy_set_add(&subject.roles, (unsigned)sk_policy_find_role(&o->policy, sk_slice_str(role)));
    cr_assert_eq(sk_addr_parse(SK_LIT("10.0.0.1"), &address), 0);
    const struct sk_policy_request request = {&address, SK_LIT("h"), SK_LIT("GET"), sk_slice_str(path), &subject, now};
    return sk_policy_decide(&o->policy, &request, NULL);
}

Test(policy_decide, what_is_missing_is_named_and_freshness_runs_out_to_the_second)
{
    struct opened o;
    policy_make(&o,
            &(struct sk_policy_source){OPEN, .factors = "password | passkey",
                    .apps = APPS({.name = "api", .path = "/", .step_up = TEXTS("* /admin/** fido2 within 5m", "GET /keys passkey+hardware|certificate+password+fido2")}),
                    .roles = ROLES({.name = "weak", .allow = TEXTS("api * /**")},
                            {.name = "strong", .factors = "certificate", .inherits = TEXTS("weak"), .deny = TEXTS("api * /never")})});
    cr_expect_eq(ask_proven(&o, "weak", "/", 1000000).reason, ALLOWED);
    cr_expect_eq(ask_proven(&o, "weak", "/admin/x", 1399).reason, ALLOWED);
    struct sk_policy_verdict v = ask_proven(&o, "weak", "/admin/x", 1400);
    cr_expect_eq(v.reason, SK_POLICY_FACTOR_REQUIRED);
    cr_expect_eq(v.decision, SK_POLICY_CHALLENGE);
    cr_expect_eq(v.missing, F);
    cr_expect(sk_slice_eq(sk_policy_rule_text(&o.policy, v.rule), SK_LIT("app api: step up * /admin/** fido2 within 5m")));
    cr_expect_eq(ask_proven(&o, "weak", "/keys", 1200).missing, V, "of the sets the one with the fewest missing, the first of these");
    v = ask_proven(&o, "strong", "/", 1200);
    cr_expect_eq(v.reason, SK_POLICY_FACTOR_REQUIRED, "what is inherited needs what the inheriting role needs");
    cr_expect_eq(v.missing, C);
    cr_expect_eq(ask_proven(&o, "strong", "/never", 1200).reason, DENIED, "a denial needs no proof");
    policy_drop(&o);
}

Test(policy_decide, a_trace_names_each_step_and_the_rule)
{
    struct opened o;
    struct sk_addr address;
    struct sk_policy_trace trace = {.count = 0};
    policy_make(&o,
            &(struct sk_policy_source){OPEN, API,
                    .roles = ROLES({.name = "r", .allow = TEXTS("api * /**"), .deny = TEXTS("api GET /x")})});
    cr_assert_eq(sk_addr_parse(SK_LIT("10.0.0.1"), &address), 0);
    const struct sk_policy_subject subject = {.roles = {{1}}};
    const struct sk_policy_request request = {&address, SK_LIT("h"), SK_LIT("GET"), SK_LIT("/x"), &subject, 0};
    struct sk_policy_verdict v = sk_policy_decide(&o.policy, &request, &trace);
    cr_expect_eq(v.reason, DENIED);
    cr_expect(sk_slice_eq(sk_policy_rule_text(&o.policy, v.rule), SK_LIT("role r: deny api GET /x")));
    cr_expect_geq(trace.count, 6);
    size_t fails = 0;
    for (size_t i = 0; i < trace.count; i++) {
        fails += !trace.steps[i].holds;
    }
    cr_expect_eq(fails, 1, "what fails is what decided");
    policy_drop(&o);
}

/* ---- a naive second implementation, straight from the words of policy.h ---- */

static bool naive_in(const struct sk_policy_network_source *network, const char *address)
{
    uint8_t a[16], n[16];
    char text[64];
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
    cr_assert_eq(inet_pton(family, address, a), 1);
    for (unsigned i = 0; i < network->cidrs_count; i++) {
        (void)snprintf(text, sizeof(text), "%s", network->cidrs[i]);
        char *slash = strchr(text, '/');
        unsigned bits = (unsigned)strtoul(slash + 1, NULL, 10);
        *slash = '\0';
        bool same = inet_pton(family, text, n) == 1;
        for (unsigned b = 0; same && b < bits; b++) {
            same = ((a[b / 8] ^ n[b / 8]) >> (7 - b % 8) & 1) == 0;
        }
        if (same) {
            return true;
        }
    }
    return false;
}

static bool naive_from(
        const struct sk_policy_source *s, const char **from, unsigned count, const char *address)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned n = 0; n < s->networks_count; n++) {
            if (strcmp(s->networks[n].name, from[i]) == 0 && naive_in(&s->networks[n], address)) {
                return true;
            }
        }
    }
    return false;
}

/* Next segment of a path; false at the end. A slash at the end is as good as none. */
static bool naive_segment(const char **path, char *segment, size_t size)
{
    while (**path == '/') {
        (*path)++;
    }
    size_t len = strcspn(*path, "/");
    (void)snprintf(segment, size, "%.*s", (int)len, *path);
    *path += len;
    return len > 0;
}

static bool naive_match(const char *pattern, const char *path)
{
    char want[32], have[32];
    for (;;) {
        bool wants = naive_segment(&pattern, want, sizeof(want));
        if (wants && strcmp(want, "**") == 0) {
            return true;
        }
        bool has = naive_segment(&path, have, sizeof(have));
        if (!wants || !has) {
            return wants == has;
        }
        if (strcmp(want, "*") != 0 && strcmp(want, have) != 0) {
            return false;
        }
    }
}

static bool naive_rule(const char *rule, const char *app, const char *method, const char *path)
{
    char name[32], methods[64], pattern[128], list[66], one[34];
    cr_assert_eq(sscanf(rule, "%31s %63s %127s", name, methods, pattern), 3);
    (void)snprintf(list, sizeof(list), ",%s,", methods);
    (void)snprintf(one, sizeof(one), ",%s,", method);
    return strcmp(name, app) == 0 && (strcmp(methods, "*") == 0 || strstr(list, one)) &&
           naive_match(pattern, path);
}

static bool naive_any(
        const char **rules, unsigned count, const char *app, const char *method, const char *path)
{
    for (unsigned i = 0; i < count; i++) {
        if (naive_rule(rules[i], app, method, path)) {
            return true;
        }
    }
    return false;
}

/* Demands as their text and as what they mean: sets of factors by their bits, and an age in s. */
static const struct {
    const char *text;
    unsigned sets[4];
    uint64_t within;
} demands[] = {{"password", {P}, 0}, {"password+fido2|passkey", {P | F, V}, 0}, {" fido2  within 5m", {F}, 300},
        {"certificate + password | key", {C | P, K}, 0}, {"aal2", {P | F, V, P | C}, 86400}, {"aal3 | key within 1h", {P | H, V | H, K}, 3600},
        {"aal1 within 90d", {P, F, C, O}, 30 * 86400}};
#define NOW 1800000000U

static bool naive_met(const char *text, const uint64_t proven[SK_POLICY_FACTORS])
{
    for (size_t i = 0; text && i < SK_COUNT(demands); i++) {
        if (strcmp(demands[i].text, text) != 0) {
            continue;
        }
        for (unsigned set = 0; set < 4 && demands[i].sets[set]; set++) {
            bool met = true;
            for (unsigned f = 0; f < SK_POLICY_FACTORS; f++) {
                uint64_t age = proven[f] == SK_POLICY_PROVEN_NOW ? 0 : NOW - proven[f];
                met = met && (!(demands[i].sets[set] & 1U << f) || (proven[f] && (demands[i].within == 0 || age < demands[i].within)));
            }
            if (met) {
                return true;
            }
        }
        return false;
    }
    return true;
}

static bool naive_step_up(const char *text, const uint64_t proven[SK_POLICY_FACTORS], const char *method, const char *path)
{
    char rule[160], app[] = "x";
    unsigned at = 0;
    while (at < SK_COUNT(demands) && strcmp(text + strlen(text) - strlen(demands[at].text), demands[at].text) != 0) {
        at++;
    }
    (void)snprintf(rule, sizeof(rule), "x %s", text);
    return !naive_rule(rule, app, method, path) || naive_met(demands[at].text, proven);
}

/* Roles reached from the held ones; with `address`, over roles that hold from there only; with `proven`, with that. */
static uint32_t naive_roles(const struct sk_policy_source *s, uint32_t held, const char *address, const uint64_t *proven)
{
    uint32_t reached = 0;
    for (uint32_t todo = held; todo;) {
        unsigned i = (unsigned)__builtin_ctz(todo);
        const struct sk_policy_role_source *role = &s->roles[i];
        todo &= ~(1U << i);
        if (address && role->from_count && !naive_from(s, role->from, role->from_count, address)) {
            continue;
        }
        if (proven && !naive_met(role->factors, proven)) {
            continue;
        }
        reached |= 1U << i;
        for (unsigned p = 0; p < role->inherits_count; p++) {
            for (unsigned j = 0; j < s->roles_count; j++) {
                todo |= strcmp(s->roles[j].name, role->inherits[p]) == 0 && !(reached & 1U << j) ? 1U << j
                                                                                                 : 0;
            }
        }
    }
    return reached;
}

static const struct sk_policy_app_source *naive_app(
        const struct sk_policy_source *s, const char *host, const char *path)
{
    const struct sk_policy_app_source *best = NULL;
    for (unsigned i = 0; i < s->apps_count; i++) {
        const struct sk_policy_app_source *app = &s->apps[i];
        size_t len = strcmp(app->path, "/") == 0 ? 0 : strlen(app->path);
        bool covers = strncmp(path, app->path, len) == 0 && (path[len] == '\0' || path[len] == '/');
        bool serves = app->hosts_count == 0;
        for (unsigned h = 0; h < app->hosts_count; h++) {
            serves = serves || strcmp(app->hosts[h], host) == 0;
        }
        if (covers && serves && (!best || strlen(app->path) > strlen(best->path))) {
            best = app;
        }
    }
    return best;
}

static enum sk_policy_reason naive_decide(const struct sk_policy_source *s, bool known, uint32_t held, const char *scope,
        const uint64_t proven[SK_POLICY_FACTORS], const char *address, const char *host, const char *method, const char *path)
{
    const struct sk_policy_app_source *app = naive_app(s, host, path);
    if (!s->open) {
        return SK_POLICY_TENANT_CLOSED;
    }
    if (!naive_from(s, s->from, s->from_count, address)) {
        return SK_POLICY_NETWORK_NOT_ALLOWED;
    }
    if (!app) {
        return SK_POLICY_NO_APP;
    }
    if (app->from_count && !naive_from(s, app->from, app->from_count, address)) {
        return SK_POLICY_APP_NETWORK_NOT_ALLOWED;
    }
    if (!known) {
        return SK_POLICY_LOGIN_REQUIRED;
    }
    if (scope && !naive_any((const char *[]){scope}, 1, app->name, method, "/")) {
        return SK_POLICY_OUT_OF_SCOPE;
    }
    if (!naive_met(s->factors, proven) || !naive_met(app->factors, proven)) {
        return SK_POLICY_FACTOR_REQUIRED;
    }
    uint32_t all = naive_roles(s, held, NULL, NULL), here = naive_roles(s, held, address, NULL), active = naive_roles(s, held, address, proven);
    bool allow = false, unproven = false, inactive = false, deny = false, stepped = true;
    for (unsigned i = 0; i < app->step_up_count; i++) {
        stepped = stepped && naive_step_up(app->step_up[i], proven, method, path);
    }
    for (unsigned i = 0; i < s->roles_count; i++) {
        if (all & 1U << i) {
            bool allows = naive_any(s->roles[i].allow, s->roles[i].allow_count, app->name, method, path);
            deny = deny || naive_any(s->roles[i].deny, s->roles[i].deny_count, app->name, method, path);
            allow = allow || (allows && active & 1U << i);
            unproven = unproven || (allows && here & ~active & 1U << i);
            inactive = inactive || (allows && !(here & 1U << i));
        }
    }
    return deny ? DENIED : allow && stepped ? ALLOWED : allow || unproven ? SK_POLICY_FACTOR_REQUIRED : inactive ? SK_POLICY_ROLE_NETWORK_NOT_ALLOWED : NOT_PERMITTED;
}

static uint32_t seed = 20240229;

static unsigned pick(unsigned n)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % n;
}

#define MANY 8

struct world {
    struct sk_policy_source source;
    struct sk_policy_network_source networks[4];
    struct sk_policy_app_source apps[4];
    struct sk_policy_role_source roles[6];
    const char *cidrs[4][3], *app_from[4][2], *app_hosts[4][2], *role_from[6][2], *parents[6][3], *from[2],
            *hosts[3];
    const char *rules[6][2][MANY], *step_up[4][2];
    char texts[6][2][MANY][96], step_up_texts[4][2][96];
};

static const char *const network_names[] = {"n0", "n1", "n2", "n3"},
                         *const role_names[] = {"r0", "r1", "r2", "r3", "r4", "r5"},
                         *const app_names[] = {"root", "a", "ab", "b"},
                         *const app_paths[] = {"/", "/a", "/a/b", "/b"},
                         *const host_names[] = {"h", "i", "j"},
                         *const method_names[] = {"GET", "POST", "DELETE", "HEAD", "BREW"};
static const char *const prefixes[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.128.0.0/9",
        "255.255.255.255/32", "0.0.0.0/1", "::/0", "2001:db8::/32", "2001:db8:8000::/33", "::/1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "10.1.2.3/32"};
static const char *const addresses[] = {"10.1.2.3", "10.200.0.1", "255.255.255.255", "192.0.2.1", "0.0.0.0",
        "10.0.0.0", "2001:db8::1", "2001:db8:8000::", "::", "9000::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

static unsigned some(const char **out, unsigned max, const char *const *from, unsigned from_count)
{
    unsigned count = pick(max + 1);
    for (unsigned i = 0; i < count; i++) {
        out[i] = from[pick(from_count)];
    }
    return count;
}

static void random_step_up(char *text, size_t size, unsigned app)
{
    static const char *const patterns[] = {"/**", "/c/**", "/b", "/*/c"}, *const methods[] = {"*", "GET", "POST,DELETE"};
    (void)snprintf(text, size, "%s %s%s %s", methods[pick(3)], app ? app_paths[app] : "", patterns[pick(4)], demands[pick(SK_COUNT(demands))].text);
}

static void random_rule(char *text, size_t size)
{
    static const char *const segments[] = {"a", "b", "c", "ab", "*", "*"};
    static const char *const methods[] = {"GET", "POST,DELETE", "*", "GET,HEAD", "DELETE"};
    unsigned app = pick(4), depth = pick(5);
    size_t len = (size_t)snprintf(text, size, "%s %s ", app_names[app], methods[pick(5)]);
    /* within the app: its own path, each segment now and then as a star */
    for (const char *path = app_paths[app]; path[0] == '/' && path[1]; path += 2) {
        len += (size_t)snprintf(text + len, size - len, "/%c", pick(4) ? path[1] : '*');
        depth = depth ? depth : 1;
    }
    for (unsigned i = 0; i < depth; i++) {
        len += (size_t)snprintf(text + len, size - len, "/%s", segments[pick(SK_COUNT(segments))]);
    }
    (void)snprintf(text + len, size - len, "%s",
            pick(3) == 0                           ? "/**"
            : text[len - 1] == ' ' || pick(4) == 0 ? "/"
                                                   : "");
}

static void make_world(struct world *w)
{
    *w = (struct world){.source = {.open = pick(20) != 0}};
    for (unsigned i = 0; i < 4; i++) {
        w->networks[i] = (struct sk_policy_network_source){
                network_names[i], w->cidrs[i], some(w->cidrs[i], 3, prefixes, SK_COUNT(prefixes))};
        w->apps[i] = (struct sk_policy_app_source){
                .name = app_names[i], .path = app_paths[i], .hosts = w->app_hosts[i], .from = w->app_from[i]};
        w->apps[i].hosts_count = some(w->app_hosts[i], 2, host_names, 3);
        w->apps[i].from_count = pick(2) ? 0 : some(w->app_from[i], 2, network_names, 4);
        w->apps[i].factors = pick(3) ? NULL : demands[pick(SK_COUNT(demands))].text;
        w->apps[i].step_up = w->step_up[i];
        w->apps[i].step_up_count = pick(3);
        for (unsigned r = 0; r < w->apps[i].step_up_count; r++) {
            random_step_up(w->step_up_texts[i][r], sizeof(w->step_up_texts[i][r]), i);
            w->step_up[i][r] = w->step_up_texts[i][r];
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        struct sk_policy_role_source *role = &w->roles[i];
        *role = (struct sk_policy_role_source){.name = role_names[i],
                .inherits = w->parents[i],
                .from = w->role_from[i],
                .allow = w->rules[i][0],
                .deny = w->rules[i][1]};
        role->inherits_count = i ? some(w->parents[i], i < 3 ? i : 3, role_names, i) : 0;
        role->from_count = pick(2) ? 0 : some(w->role_from[i], 2, network_names, 4);
        role->factors = pick(3) ? NULL : demands[pick(SK_COUNT(demands))].text;
        role->allow_count = pick(MANY + 1);
        role->deny_count = pick(3);
        for (unsigned kind = 0; kind < 2; kind++) {
            for (unsigned r = 0; r < (kind ? role->deny_count : role->allow_count); r++) {
                random_rule(w->texts[i][kind][r], sizeof(w->texts[i][kind][r]));
                w->rules[i][kind][r] = w->texts[i][kind][r];
            }
        }
    }
    memcpy(w->hosts, host_names, sizeof(w->hosts));
    w->from[0] = network_names[pick(4)];
    w->from[1] = network_names[pick(4)];
    struct sk_policy_source *s = &w->source;
    s->hosts = w->hosts, s->hosts_count = 3;
    s->from = w->from, s->from_count = pick(10) ? 2 : 0;
    s->networks = w->networks, s->networks_count = 4;
    s->factors = pick(4) ? NULL : demands[pick(SK_COUNT(demands))].text;
    s->apps = w->apps, s->apps_count = 4;
    s->roles = w->roles, s->roles_count = 6;
}

static void random_path(char *path, size_t size)
{
    static const char *const segments[] = {"a", "b", "c", "ab", "d"};
    size_t len = 0;
    path[0] = '\0';
    for (unsigned depth = pick(6); depth > 0; depth--) {
        len += (size_t)snprintf(path + len, size - len, "/%s", segments[pick(5)]);
    }
    (void)snprintf(path + len, size - len, "%s", len == 0 || pick(4) == 0 ? "/" : "");
}

Test(policy_decide, a_naive_second_implementation_always_agrees)
{
    static struct world w;
    unsigned reached[SK_POLICY_NOT_PERMITTED + 1] = {0};
    for (unsigned turn = 0; turn < 400; turn++) {
        struct sk_policy_error error;
        struct opened o = {.image = SK_BUF_INIT((size_t)1 << 20)};
        make_world(&w);
        cr_assert_eq(sk_policy_compile(&w.source, &o.image, &error), 0, "%s: %s", error.path, error.text);
        cr_assert_eq(sk_policy_open(&o.policy, sk_buf_peek(&o.image)), 0);
        for (unsigned q = 0; q < 300; q++) {
            char path[96];
            struct sk_addr addr;
            const char *address = addresses[pick(SK_COUNT(addresses))], *host = host_names[pick(3)],
                       *method = method_names[pick(5)];
            random_path(path, sizeof(path));
            uint32_t held = pick(64) & pick(64);
            bool known = pick(12) != 0;
            struct sk_policy_subject subject = {.roles = {{held}}};
            for (unsigned f = 0; f < SK_POLICY_FACTORS; f++) {
                static const uint64_t when[] = {0, SK_POLICY_PROVEN_NOW, NOW, NOW - 100, NOW - 300, NOW - 4000, NOW - 100000, 1};
                subject.proven[f] = when[pick(SK_COUNT(when))];
            }
            char scope[64] = "", *rule = pick(4) ? NULL : scope;
            if (rule) {
                (void)snprintf(scope, sizeof(scope), "%s %s", app_names[pick(4)], pick(3) ? "GET,POST" : "*");
                cr_assert_eq(sk_policy_scope_add(&o.policy, sk_slice_str(scope), &subject), 0);
                (void)snprintf(scope + strlen(scope), sizeof(scope) - strlen(scope), " /**");
            }
            cr_assert_eq(sk_addr_parse(sk_slice_str(address), &addr), 0);
            const struct sk_policy_request request = {&addr, sk_slice_str(host), sk_slice_str(method),
                    sk_slice_str(path), known ? &subject : NULL, NOW};
            enum sk_policy_reason got = sk_policy_decide(&o.policy, &request, NULL).reason;
            enum sk_policy_reason expected =
                    naive_decide(&w.source, known, held, rule, subject.proven, address, host, method, path);
            cr_assert_eq(got, expected, "turn %u: roles %x at %s: %s %s%s: %s, not %s", turn, held, address,
                    method, host, path, sk_policy_reason_text(got).data,
                    sk_policy_reason_text(expected).data);
            reached[got]++;
        }
        sk_buf_free(&o.image);
    }
    for (int r = 0; r <= SK_POLICY_NOT_PERMITTED; r++) {
        cr_expect(reached[r] || r == SK_POLICY_USER_NETWORK_NOT_ALLOWED, "%s was never reached",
                sk_policy_reason_text((enum sk_policy_reason)r).data);
    }
}
