/*
 * A compiled image with damage anywhere: refused by sk_policy_open, or safe to ask anything. The input is a
 * list of three bytes each, an offset and the value to put there, so that a corpus outlives a change of the
 * layout.
 */
#include "policy/source.h"

#include "base/addr.h"

#include <stdlib.h>

static struct sk_slice compiled(void)
{
    static struct sk_buf image = SK_BUF_INIT((size_t)1 << 20);
    const char *hosts[] = {"h", "i"}, *cidrs[] = {"10.0.0.0/8", "2001:db8::/32"}, *from[] = {"n"},
               *parents[] = {"r"};
    const char *allow[] = {"api GET /a/*/c", "api * /b/**"}, *deny[] = {"api DELETE /**"};
    const struct sk_policy_network_source networks[] = {{"n", cidrs, 2}};
    const struct sk_policy_app_source apps[] = {
            {.name = "api", .path = "/"}, {.name = "web", .path = "/web", .from = from, .from_count = 1}};
    const struct sk_policy_role_source roles[] = {
            {.name = "r", .allow = allow, .allow_count = 2}, {.name = "s",
                                                                     .inherits = parents,
                                                                     .inherits_count = 1,
                                                                     .from = from,
                                                                     .from_count = 1,
                                                                     .deny = deny,
                                                                     .deny_count = 1}};
    const struct sk_policy_source source = {.open = true,
            .hosts = hosts, .hosts_count = 2, .from = from, .from_count = 1, .networks = networks, .networks_count = 1,
            .apps = apps, .apps_count = 2, .roles = roles, .roles_count = 2};
    struct sk_policy_error error;
    if (sk_buf_len(&image) == 0 && sk_policy_compile(&source, &image, &error)) {
        abort();
    }
    return sk_buf_peek(&image);
}

static void use(const struct sk_policy *policy, bool restricted)
{
    static const char *const paths[] = {
            "/", "/a/b/c", "/b/x/y/z/", "/web/a", "/.sekisho/api/v1", "/a/b/c/d/e/f/g/h"};
    const struct sk_policy_subject subject = {
            .roles = {{UINT64_MAX, UINT64_MAX, 1, 2}}, .networks = {{1}}, .restricted = restricted};
    for (size_t i = 0; i < SK_COUNT(paths); i++) {
        struct sk_addr address = {.family = i % 2 ? SK_FAMILY_V4 : SK_FAMILY_V6, .bytes = {10, 1, 2, 3}};
        struct sk_policy_trace trace = {.count = 0};
        const struct sk_policy_request request = {&address, SK_LIT("h"),
                i % 2 ? SK_LIT("GET") : SK_LIT("DELETE"), sk_slice_str(paths[i]), &subject};
        struct sk_policy_verdict v = sk_policy_decide(policy, &request, &trace);
        struct sk_slice rule = sk_policy_rule_text(policy, v.rule), app = sk_policy_app_name(policy, v.app);
        volatile char last = rule.len ? rule.data[rule.len - 1] : app.len ? app.data[app.len - 1] : '\0';
        (void)last;
        (void)sk_policy_app_kind(policy, v.app);
    }
    (void)sk_policy_find_role(policy, SK_LIT("s"));
    (void)sk_policy_find_network(policy, SK_LIT("n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice image = compiled();
    struct sk_policy policy;
    uint8_t *copy = malloc(image.len);
    memcpy(copy, image.data, image.len);
    for (size_t i = 0; i + 3 <= size; i += 3) {
        copy[((size_t)data[i] << 8 | data[i + 1]) % image.len] = data[i + 2];
    }
    if (sk_policy_open(&policy, sk_slice(copy, image.len)) == 0) {
        use(&policy, size % 2);
    }
    free(copy);
    return 0;
}
