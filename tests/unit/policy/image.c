/* Images that are not what the compiler wrote: refused, or harmless. */
#include "sources.h"

#include "base/addr.h"
#include "policy/image.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct sk_policy_source *small(void)
{
    static struct sk_policy_source source;
    static const char *const hosts[] = {"h", "i"}, *const cidrs[] = {"10.0.0.0/8", "2001:db8::/32"},
                             *const from[] = {"n"}, *const parents[] = {"r"},
                             *const allow[] = {"api GET /a/*/c", "api * /b/**"},
                             *const deny[] = {"api DELETE /**"};
    static struct sk_policy_network_source networks[] = {{.name = "n", .cidrs_count = 2}};
    static struct sk_policy_app_source apps[] = {{.name = "api", .path = "/"},
            {.name = "web", .path = "/web", .kind = SK_APP_PANEL, .from_count = 1}};
    static struct sk_policy_role_source roles[] = {{.name = "r", .allow_count = 2},
            {.name = "s", .inherits_count = 1, .from_count = 1, .deny_count = 1}};
    networks[0].cidrs = (const char **)(uintptr_t)cidrs;
    apps[1].from = roles[1].from = source.from = (const char **)(uintptr_t)from;
    roles[0].allow = (const char **)(uintptr_t)allow;
    roles[1].inherits = (const char **)(uintptr_t)parents;
    roles[1].deny = (const char **)(uintptr_t)deny;
    source.open = true;
    source.hosts = (const char **)(uintptr_t)hosts;
    source.hosts_count = 2;
    source.from_count = 1;
    source.networks = networks;
    source.networks_count = 1;
    source.apps = apps;
    source.apps_count = 2;
    source.roles = roles;
    source.roles_count = 2;
    return &source;
}

/* Asks everything that reads the image. The sanitizer is the judge. */
static void use(const struct sk_policy *policy)
{
    static const char *const addresses[] = {
            "10.1.2.3", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::", "ffff::1"};
    static const char *const paths[] = {
            "/", "/a/b/c", "/b/x/y/z/", "/web/a", "/.sekisho/api/v1", "/a/b/c/d/e/f/g/h"};
    struct sk_policy_subject subject = {.roles = {{3}}, .networks = {{1}}, .restricted = true};
    for (size_t i = 0; i < SK_COUNT(addresses); i++) {
        struct sk_addr address;
        cr_assert_eq(sk_addr_parse(sk_slice_str(addresses[i]), &address), 0);
        for (size_t j = 0; j < SK_COUNT(paths); j++) {
            struct sk_policy_trace trace = {.count = 0};
            const struct sk_policy_request request = {
                    &address, SK_LIT("h"), SK_LIT("DELETE"), sk_slice_str(paths[j]), &subject};
            struct sk_policy_verdict v = sk_policy_decide(policy, &request, &trace);
            volatile size_t sum = 0;
            struct sk_slice rule = sk_policy_rule_text(policy, v.rule),
                            app = sk_policy_app_name(policy, v.app);
            for (size_t k = 0; k < rule.len; k++) {
                sum += (size_t)(unsigned char)rule.data[k];
            }
            for (size_t k = 0; k < app.len; k++) {
                sum += (size_t)(unsigned char)app.data[k];
            }
            for (size_t k = 0; k < trace.count; k++) {
                sum += trace.steps[k].text.len
                               ? (size_t)(unsigned char)trace.steps[k].text.data[trace.steps[k].text.len - 1]
                               : 0;
            }
            (void)sk_policy_app_kind(policy, v.app);
        }
    }
    (void)sk_policy_find_role(policy, SK_LIT("s"));
    (void)sk_policy_find_network(policy, SK_LIT("n"));
}

/* A copy of the exact size, aligned as memory from malloc is. */
static char *copy_of(struct sk_slice image, size_t len)
{
    char *copy = malloc(len ? len : 1);
    if (len) {
        memcpy(copy, image.data, len);
    }
    return copy;
}

Test(policy_image, what_the_compiler_wrote_opens_wherever_it_lies)
{
    struct opened o;
    policy_make(&o, small());
    char *copy = copy_of(sk_buf_peek(&o.image), sk_buf_len(&o.image));
    struct sk_policy policy;
    cr_assert_eq(sk_policy_open(&policy, sk_slice(copy, sk_buf_len(&o.image))), 0);
    use(&policy);
    cr_expect_eq(sk_policy_find_role(&policy, SK_LIT("s")), 1);
    free(copy);
    policy_drop(&o);
}

Test(policy_image, a_cut_image_is_refused)
{
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    for (size_t len = 0; len < image.len; len++) {
        char *copy = copy_of(image, len);
        struct sk_policy policy;
        cr_expect_eq(sk_policy_open(&policy, sk_slice(copy, len)), 1, "%zu", len);
        free(copy);
    }
    policy_drop(&o);
}

Test(policy_image, bytes_behind_an_image_do_not_matter)
{
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    char *more = calloc(1, image.len + 4096);
    struct sk_policy policy;
    memcpy(more, image.data, image.len);
    cr_assert_eq(sk_policy_open(&policy, sk_slice(more, image.len + 4096)), 0);
    cr_expect_eq(policy.size, image.len);
    use(&policy);
    free(more);
    policy_drop(&o);
}

Test(policy_image, an_image_that_is_not_aligned_is_refused)
{
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    char *room = malloc(image.len + 8);
    for (size_t shift = 1; shift < 8; shift++) {
        struct sk_policy policy;
        memcpy(room + shift, image.data, image.len);
        cr_expect_eq(sk_policy_open(&policy, sk_slice(room + shift, image.len)), 1);
    }
    free(room);
    policy_drop(&o);
}

Test(policy_image, a_flipped_byte_is_refused_or_harmless)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x7f};
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    for (size_t at = 0; at < image.len; at++) {
        for (size_t m = 0; m < SK_COUNT(masks); m++) {
            char *copy = copy_of(image, image.len);
            struct sk_policy policy;
            copy[at] = (char)((uint8_t)copy[at] ^ masks[m]);
            if (sk_policy_open(&policy, sk_slice(copy, image.len)) == 0) {
                use(&policy);
            }
            free(copy);
        }
    }
    policy_drop(&o);
}

Test(policy_image, a_word_of_any_extreme_value_is_refused_or_harmless)
{
    static const uint32_t values[] = {0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    for (size_t at = 0; at + 4 <= image.len; at += 4) {
        for (size_t v = 0; v < SK_COUNT(values); v++) {
            char *copy = copy_of(image, image.len);
            struct sk_policy policy;
            memcpy(copy + at, &values[v], 4);
            if (sk_policy_open(&policy, sk_slice(copy, image.len)) == 0) {
                use(&policy);
            }
            free(copy);
        }
    }
    policy_drop(&o);
}

Test(policy_image, several_damages_at_once_are_refused_or_harmless)
{
    struct opened o;
    policy_make(&o, small());
    struct sk_slice image = sk_buf_peek(&o.image);
    uint32_t seed = 3;
    for (int turn = 0; turn < 20000; turn++) {
        char *copy = copy_of(image, image.len);
        struct sk_policy policy;
        for (int i = 0; i < 1 + turn % 6; i++) {
            seed = seed * 1664525U + 1013904223U;
            size_t at = turn % 2 ? (seed >> 8) % image.len : (seed >> 8) % sizeof(struct image_header);
            copy[at] = (char)(seed >> 24);
        }
        if (sk_policy_open(&policy, sk_slice(copy, image.len)) == 0) {
            use(&policy);
        }
        free(copy);
    }
    policy_drop(&o);
}

Test(policy_image, a_foreign_version_is_refused)
{
    struct opened o;
    policy_make(&o, small());
    struct image_header *h = (struct image_header *)(void *)o.image.data;
    struct sk_policy policy;
    h->version++;
    cr_expect_eq(sk_policy_open(&policy, sk_buf_peek(&o.image)), 1);
    policy_drop(&o);
}

Test(policy_image, indexes_of_unknown_names_give_nothing)
{
    struct opened o;
    policy_make(&o, small());
    cr_expect_eq(sk_policy_find_role(&o.policy, SK_LIT("R")), -1);
    cr_expect_eq(sk_policy_find_network(&o.policy, SK_LIT("")), -1);
    cr_expect_null(sk_policy_app_name(&o.policy, -1).data);
    cr_expect_null(sk_policy_rule_text(&o.policy, -1).data);
    cr_expect_eq(sk_policy_app_kind(&o.policy, -1), SK_APP_API);
    cr_expect_eq(sk_policy_app_kind(&o.policy, 2), SK_APP_PANEL);
    policy_drop(&o);
}

Test(policy_image, every_reason_has_a_text_and_a_meaning)
{
    for (int r = SK_POLICY_ALLOWED; r <= SK_POLICY_NOT_PERMITTED; r++) {
        cr_expect_gt(sk_policy_reason_text((enum sk_policy_reason)r).len, 0);
        cr_expect_gt(sk_policy_reason_meaning((enum sk_policy_reason)r).len, 0);
    }
}
