/* Sources that are refused, with the place and the words a person gets. */
#include "sources.h"

#include <criterion/criterion.h>

struct refused_case {
    struct sk_policy_source source;
    const char *path, *text; /* text: a part of it */
};

static void check(const struct refused_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        cr_expect_eq(sk_policy_compile(&cases[i].source, &image, &error), 1, "%zu: %s: %s", i, cases[i].path,
                cases[i].text);
        cr_expect_str_eq(error.path, cases[i].path, "%zu: %s: %s", i, error.path, error.text);
        cr_expect_not_null(strstr(error.text, cases[i].text), "%zu: %s", i, error.text);
        sk_buf_free(&image);
    }
}

#define API                                                                                                  \
    {                                                                                                        \
        .name = "api", .path = "/"                                                                           \
    }
#define RULE(where, rule)                                                                                    \
    {                                                                                                        \
        .apps = APPS(API), .roles = ROLES({.name = "r", .where = TEXTS(rule)})                               \
    }

Test(policy_compile, an_empty_source_is_compiled)
{
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){.open = true});
    cr_expect_eq(sk_policy_find_role(&o.policy, SK_LIT("r")), -1);
    cr_expect(sk_slice_eq(
            sk_policy_app_name(&o.policy, SK_POLICY_BUILTIN_APP), SK_LIT(SK_POLICY_BUILTIN_NAME)));
    cr_expect_eq(sk_policy_app_kind(&o.policy, SK_POLICY_BUILTIN_APP), SK_APP_BUILTIN);
    policy_drop(&o);
}

Test(policy_compile, names_are_checked)
{
    static const char *const names[] = {"", "a b", "a/b", "a\xc3", "a\n",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        const struct refused_case cases[] = {
                {{.networks = NETWORKS({.name = "ok"}, {.name = names[i]})}, "networks[1].name", "1 to 64"},
                {{.apps = APPS({.name = names[i], .path = "/"})}, "apps[0].name", "1 to 64"},
                {{.roles = ROLES({.name = "ok"}, {.name = names[i]})}, "roles[1].name", "1 to 64"},
        };
        check(cases, SK_COUNT(cases));
    }
}

Test(policy_compile, a_role_without_a_name_behind_another_is_refused_and_does_not_crash)
{
    const struct refused_case cases[] = {
            {{.roles = ROLES({.name = "a", .inherits = TEXTS("b")}, {.name = NULL})}, "roles[0].inherits[0]",
                    "no role is named 'b'"},
    };
    check(cases, SK_COUNT(cases));
}

Test(policy_compile, a_name_stands_once)
{
    const struct refused_case cases[] = {
            {{.networks = NETWORKS({.name = "n"}, {.name = "n"})}, "networks[1].name",
                    "two networks named 'n'"},
            {{.apps = APPS({.name = "a", .path = "/a"}, {.name = "a", .path = "/b"})}, "apps[1].name",
                    "two apps named 'a'"},
            {{.apps = APPS({.name = "sekisho", .path = "/a"})}, "apps[0].name", "two apps named 'sekisho'"},
            {{.roles = ROLES({.name = "r"}, {.name = "r"})}, "roles[1].name", "two roles named 'r'"},
    };
    check(cases, SK_COUNT(cases));
}

Test(policy_compile, a_prefix_is_well_formed)
{
    static const char *const cidrs[] = {"", "x", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/",
            "192.0.2/24", "192.0.2.0/24 ", "2001:db8::1/64", "2001:db8::/129", "::ffff:192.0.2.0/24",
            "::ffff:192.0.2.1/119", "192.0.02.0/24", "192.0.2.0/0x18", "fe80::1%eth0"};
    for (size_t i = 0; i < SK_COUNT(cidrs); i++) {
        const struct refused_case cases[] = {
                {{.networks = NETWORKS({.name = "n", .cidrs = TEXTS("10.0.0.0/8", cidrs[i])})},
                        "networks[0].cidrs[1]", "is not a CIDR prefix"},
        };
        check(cases, SK_COUNT(cases));
    }
}

Test(policy_compile, what_is_referred_to_exists)
{
    const struct refused_case cases[] = {
            {{.from = TEXTS("n")}, "from[0]", "no network is named 'n'"},
            {{.apps = APPS({.name = "a", .path = "/", .from = TEXTS("n")})}, "apps[0].from[0]",
                    "no network is named 'n'"},
            {{.roles = ROLES({.name = "r", .from = TEXTS("n")})}, "roles[0].from[0]",
                    "no network is named 'n'"},
            {{.hosts = TEXTS("a"), .apps = APPS({.name = "a", .path = "/", .hosts = TEXTS("a", "b")})},
                    "apps[0].hosts[1]", "'b' is not one of"},
            {{.roles = ROLES({.name = "r", .inherits = TEXTS("s")})}, "roles[0].inherits[0]",
                    "no role is named 's'"},
            {{.roles = ROLES({.name = "r", .inherits = TEXTS("s")}, {.name = "s"})}, "roles[0].inherits[0]",
                    "must stand before"},
            {{.roles = ROLES({.name = "r", .inherits = TEXTS("r")})}, "roles[0].inherits[0]",
                    "must stand before"},
            {RULE(allow, "nope GET /"), "roles[0].allow[0]", "no app is named 'nope'"},
    };
    check(cases, SK_COUNT(cases));
}

Test(policy_compile, a_rule_is_app_methods_and_path)
{
    static const struct {
        const char *rule, *text;
    } rules[] = {{"", "no app is named"}, {"api", "a rule is"}, {"api GET", "a rule is"},
            {"api GET ", "a rule is"}, {"api GET x", "a rule is"}, {"api /x", "'/x' is not a method"},
            {"api get /x", "'get' is not a method"}, {"api GET,FOO /x", "'FOO' is not a method"},
            {"api ,GET /x", "'' is not a method"}, {"api GET,* /x", "'*' is not a method"},
            {"api *,GET /x", "'*' is not a method"}, {"api GET //", "no empty segment"},
            {"api GET /a//b", "no empty segment"}, {"api GET /./a", "no '.' or '..'"},
            {"api GET /a/..", "no '.' or '..'"}, {"api GET /**/a", "at the end of a pattern only"},
            {"api GET /a*", "'*' stands for one whole segment"}, {"api GET /a**", "'*' stands for"},
            {"api GET /***", "'*' stands for"}, {"api GET /a?b", "'*' stands for"},
            {"api GET /a#b", "'*' stands for"}, {"api GET /a;b", "'*' stands for"},
            {"api GET /a\\b", "'*' stands for"}, {"api GET /a b", "'*' stands for"},
            {"api GET /a\x01", "'*' stands for"}, {"api GET /\xc3\xa9", "'*' stands for"}};
    for (size_t i = 0; i < SK_COUNT(rules); i++) {
        const struct refused_case cases[] = {
                {RULE(allow, rules[i].rule), "roles[0].allow[0]", rules[i].text},
                {RULE(deny, rules[i].rule), "roles[0].deny[0]", rules[i].text},
        };
        check(cases, SK_COUNT(cases));
    }
}

/* Requests are judged in their normal form (http/target.h): a denial written in another spelling would deny
 * nothing. */
Test(policy_compile, a_pattern_no_request_can_match_is_refused)
{
    static const char *const rules[] = {"api GET /caf%c3%a9", "api GET /%41dmin", "api GET /a%2Fb",
            "api GET /a%5Cb", "api GET /a%", "api GET /a%zz", "api GET /a%00", "api GET /a%25b",
            "api GET /a%3Bb", "api GET /%2E%2E", "api GET /user%40corp", "api GET /a\"b", "api GET /a<b",
            "api GET /a[b]", "api GET /a^b", "api GET /a`b", "api GET /a{b}", "api GET /a|b",
            "api GET /a%C0%AFb"};
    for (size_t i = 0; i < SK_COUNT(rules); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        const struct sk_policy_source source = RULE(deny, rules[i]);
        cr_expect_eq(sk_policy_compile(&source, &image, &error), 1, "%s", rules[i]);
        cr_expect_str_eq(error.path, "roles[0].deny[0]", "%s", rules[i]);
        sk_buf_free(&image);
    }
}

/* A denial outside its app's path would never be asked. */
Test(policy_compile, a_rule_outside_its_app_is_refused)
{
    static const char *const bad[] = {"api GET /", "api GET /other", "api GET /ap", "api GET /apis",
            "api GET /*", "api GET /other/**", "api GET /api"};
    static const char *const good[] = {"api GET /api/v1", "api GET /api/v1/x", "api GET /**",
            "api GET /api/**", "api GET /*/v1", "api GET /*/*/x"};
    for (size_t i = 0; i < SK_COUNT(bad) + SK_COUNT(good); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        const char *rule = i < SK_COUNT(bad) ? bad[i] : good[i - SK_COUNT(bad)];
        const struct sk_policy_source source = {.apps = APPS({.name = "api", .path = "/api/v1"}),
                .roles = ROLES({.name = "r", .deny = TEXTS(rule)})};
        cr_expect_eq(sk_policy_compile(&source, &image, &error), i < SK_COUNT(bad) ? 1 : 0, "%s", rule);
        sk_buf_free(&image);
    }
}

Test(policy_compile, a_pattern_is_at_most_64_segments_deep)
{
    char rule[256] = "api GET ";
    for (int i = 0; i < 65; i++) {
        size_t len = strlen(rule);
        (void)snprintf(rule + len, sizeof(rule) - len, "/a");
    }
    const struct refused_case cases[] = {{RULE(allow, rule), "roles[0].allow[0]", "at most 64 segments"}};
    check(cases, 1);
    rule[strlen(rule) - 2] = '\0';
    struct opened o;
    policy_make(&o, &(struct sk_policy_source)RULE(allow, rule));
    policy_drop(&o);
}

Test(policy_compile, a_path_of_an_app_is_in_normal_form)
{
    static const char *const paths[] = {"", "a", "/a/", "//", "/a//b", "/../a", "/a/.", "/%41", "/a%2fb",
            "/a b", "/a?b", "/a;b", "/\xc3\xa9", "/a*", "/*"};
    for (size_t i = 0; i < SK_COUNT(paths); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        const struct sk_policy_source source = {.apps = APPS({.name = "a", .path = paths[i]})};
        cr_expect_eq(sk_policy_compile(&source, &image, &error), 1, "%s", paths[i]);
        cr_expect_str_eq(error.path, "apps[0].path", "%s", paths[i]);
        sk_buf_free(&image);
    }
}

/* Rules of a tenant's own app must not decide about the gateway's own API. */
Test(policy_compile, an_app_cannot_take_the_reserved_paths)
{
    static const char *const paths[] = {
            "/.sekisho", "/.sekisho/api", "/.sekisho/api/v1", "/.sekisho/api/v1/users", "/.sekisho/login"};
    for (size_t i = 0; i < SK_COUNT(paths); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        const struct sk_policy_source source = {.apps = APPS({.name = "a", .path = paths[i]})};
        cr_expect_eq(sk_policy_compile(&source, &image, &error), 1, "%s", paths[i]);
        sk_buf_free(&image);
    }
}

/* Which of the two would serve and judge a request would hang on their order. */
Test(policy_compile, two_apps_do_not_share_a_host_and_path)
{
    const struct sk_policy_source bad[] = {
            {.hosts = TEXTS("a"), .apps = APPS({.name = "x", .path = "/p"}, {.name = "y", .path = "/p"})},
            {.hosts = TEXTS("a", "b"),
                    .apps = APPS({.name = "x", .path = "/p", .hosts = TEXTS("a")},
                            {.name = "y", .path = "/p", .hosts = TEXTS("a", "b")})},
    };
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        cr_expect_eq(sk_policy_compile(&bad[i], &image, &error), 1);
        cr_expect_str_eq(error.path, "apps[1].path");
        sk_buf_free(&image);
    }
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){.hosts = TEXTS("a", "b"),
                            .apps = APPS({.name = "x", .path = "/p", .hosts = TEXTS("a")},
                                    {.name = "y", .path = "/p", .hosts = TEXTS("b")})});
    policy_drop(&o);
}

/* Requests carry hosts in lower case, without a port: any other would never match. */
Test(policy_compile, hosts_are_lower_case_and_without_port)
{
    static const char *const hosts[] = {"A.example", "a.example:443", "", "a b", "https://a", "a/b", NULL};
    for (size_t i = 0; i < SK_COUNT(hosts); i++) {
        struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
        struct sk_policy_error error;
        const struct sk_policy_source source = {.hosts = TEXTS("ok", hosts[i])};
        cr_expect_eq(sk_policy_compile(&source, &image, &error), 1, "%s", hosts[i] ? hosts[i] : "NULL");
        cr_expect_str_eq(error.path, "hosts[1]");
        sk_buf_free(&image);
    }
}

Test(policy_compile, a_demand_is_sets_of_factors_and_an_age)
{
    static const char *const good[] = {"password", "password+fido2", " password + fido2 | passkey ", "aal1", "aal2|key", "fido2 within 30s",
            "aal3 | token within 1h", "certificate|key|token|recovery|hardware"};
    static const char *const bad[] = {"", " ", "pasword", "password+", "+password", "password|", "|password", "password | | key", "password within",
            "password within soon", "password within 0s", "password within 999d", "within 5m", "aal4", "password+aal2",
            "password|fido2|passkey|hardware|certificate|key|token|recovery|password+key"};
    for (size_t i = 0; i < SK_COUNT(good) + SK_COUNT(bad); i++) {
        const char *text = i < SK_COUNT(good) ? good[i] : bad[i - SK_COUNT(good)];
        char step[160];
        (void)snprintf(step, sizeof(step), "GET /x %s", text);
        const struct sk_policy_source at[] = {{.factors = text}, {.apps = APPS({.name = "a", .factors = text})},
                {.roles = ROLES({.name = "r", .factors = text})}, {.apps = APPS({.name = "a", .step_up = TEXTS(step)})}};
        static const char *const places[] = {"factors", "apps[0].factors", "roles[0].factors", "apps[0].step_up[0]"};
        for (size_t k = 0; k < SK_COUNT(at); k++) {
            struct sk_policy_error error;
            struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
            int r = sk_policy_compile(&at[k], &image, &error);
            cr_expect_eq(r, i >= SK_COUNT(good), "'%s' at %s: %s", text, places[k], error.text);
            cr_expect_str_eq(error.path, r ? places[k] : "", "'%s'", text);
            sk_buf_free(&image);
        }
    }
}

Test(policy_compile, a_demand_that_no_program_can_meet_is_known_by_what_is_missing)
{
#define BIT(name) (UINT32_C(1) << SK_POLICY_FACTOR_##name)
    static const struct {
        const char *demands[2];
        bool certificates;
        uint32_t lacks;
    } cases[] = {
            {{NULL, NULL}, false, 0},
            {{"password", NULL}, false, 0},
            {{"key", "token | key"}, false, 0},
            {{"password+fido2", NULL}, false, BIT(FIDO2)},
            {{NULL, "password+fido2"}, true, BIT(FIDO2)},
            {{"aal2 | key", NULL}, false, 0},
            {{"aal2", NULL}, true, 0},
            {{"aal2", NULL}, false, BIT(FIDO2)},
            {{"key+certificate within 5m", NULL}, false, BIT(CERTIFICATE)},
            {{"key+certificate within 5m", NULL}, true, 0},
            {{"certificate", "token"}, true, 0},
            {{"certificate+passkey", "token+fido2"}, true, BIT(FIDO2) | BIT(PASSKEY)},
            {{"password | token", "key | token"}, false, 0},
            {{"password", "key"}, false, BIT(KEY)}, /* each alone is met, but not by one program */
    };
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_expect_eq(sk_policy_beyond_programs(cases[i].demands, 2, cases[i].certificates), cases[i].lacks, "%zu", i);
    }
#undef BIT
}

Test(policy_compile, a_level_brings_the_limits_of_sessions)
{
    uint64_t idle, life;
    sk_policy_level_limits("key | aal2", &idle, &life);
    cr_expect_eq(idle, 3600);
    cr_expect_eq(life, 24 * 3600);
    sk_policy_level_limits("aal3 within 1h", &idle, &life);
    cr_expect_eq(idle, 900);
    cr_expect_eq(life, 12 * 3600);
    sk_policy_level_limits("password+fido2 within 1h", &idle, &life);
    cr_expect_eq(idle, UINT64_MAX);
    sk_policy_level_limits(NULL, &idle, &life);
    cr_expect_eq(life, UINT64_MAX);
}

Test(policy_compile, the_limits_are_exact)
{
    static char names[SK_POLICY_MEMBERS + 1][16];
    static const char *hosts[SK_POLICY_HOSTS + 1];
    static struct sk_policy_network_source networks[SK_POLICY_NETWORKS + 1];
    static struct sk_policy_app_source apps[SK_POLICY_APPS];
    static struct sk_policy_role_source roles[SK_POLICY_ROLES + 1];
    static char paths[SK_POLICY_APPS][16];
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
        networks[i].name = roles[i].name = names[i];
    }
    for (size_t i = 0; i < SK_COUNT(hosts); i++) {
        hosts[i] = names[i];
    }
    for (size_t i = 0; i < SK_COUNT(apps); i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "/p%zu", i);
        apps[i] = (struct sk_policy_app_source){.name = names[i], .path = paths[i]};
    }
    const struct refused_case cases[] = {
            {{.networks = networks, .networks_count = SK_POLICY_NETWORKS + 1}, "networks", "at most 256"},
            {{.roles = roles, .roles_count = SK_POLICY_ROLES + 1}, "roles", "at most 256"},
            {{.apps = apps, .apps_count = SK_POLICY_APPS}, "apps", "at most 63"},
            {{.hosts = hosts, .hosts_count = SK_POLICY_HOSTS + 1}, "hosts", "at most 64"},
    };
    check(cases, SK_COUNT(cases));
    struct opened o;
    policy_make(&o, &(struct sk_policy_source){.networks = networks,
                            .networks_count = SK_POLICY_NETWORKS,
                            .roles = roles,
                            .roles_count = SK_POLICY_ROLES,
                            .apps = apps,
                            .apps_count = SK_POLICY_APPS - 1,
                            .hosts = hosts,
                            .hosts_count = SK_POLICY_HOSTS});
    cr_expect_eq(sk_policy_app(&o.policy, SK_LIT("n63"), SK_LIT("/p62/x")), 63);
    cr_expect_eq(sk_policy_find_role(&o.policy, SK_LIT("n255")), 255);
    policy_drop(&o);
}

Test(policy_compile, a_buffer_that_is_too_small_is_an_error_and_no_crash)
{
    const struct sk_policy_source source = RULE(allow, "api * /**");
    for (size_t limit = 0; limit < 1024; limit += 8) {
        struct sk_buf image = SK_BUF_INIT(limit);
        struct sk_policy_error error;
        int r = sk_policy_compile(&source, &image, &error);
        cr_expect(r <= 0);
        sk_buf_free(&image);
    }
}

Test(policy_compile, long_texts_are_cut_in_errors_and_traces)
{
    char name[2000], rule[2100];
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    const struct refused_case cases[] = {
            {{.from = TEXTS(name)}, "from[0]", "no network is named 'aaaa"},
            {RULE(allow, name), "roles[0].allow[0]", "no app is named 'aaaa"},
    };
    check(cases, SK_COUNT(cases));
    struct opened o;
    (void)snprintf(rule, sizeof(rule), "api GET /%s", name);
    policy_make(&o, &(struct sk_policy_source)RULE(allow, rule));
    struct sk_slice text = sk_policy_rule_text(&o.policy, 0);
    cr_expect(text.len > 100 && text.len < 600);
    cr_expect(sk_slice_starts(text, SK_LIT("role r: allow api GET /aaa")));
    policy_drop(&o);
}

Test(policy_compile, one_source_makes_one_image)
{
    struct opened a, b;
    const struct sk_policy_source source = {.open = true,
            .hosts = TEXTS("h"),
            .from = TEXTS("n"),
            .networks = NETWORKS({.name = "n", .cidrs = TEXTS("10.0.0.0/8", "2001:db8::/32")}),
            .apps = APPS(API),
            .roles = ROLES({.name = "r", .allow = TEXTS("api GET /a/*", "api POST /b/**")})};
    policy_make(&a, &source);
    policy_make(&b, &source);
    cr_expect(sk_slice_eq(sk_buf_peek(&a.image), sk_buf_peek(&b.image)));
    policy_drop(&a);
    policy_drop(&b);
}
