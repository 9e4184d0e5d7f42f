/* Small policies for the tests. */
#include "sources.h"

#include "base/addr.h"

#include <criterion/criterion.h>

void policy_make(struct opened *o, const struct sk_policy_source *source)
{
    struct sk_policy_error error;
    *o = (struct opened){.image = SK_BUF_INIT((size_t)64 << 20)};
    cr_assert_eq(sk_policy_compile(source, &o->image, &error), 0, "%s: %s", error.path, error.text);
    cr_assert_eq(sk_policy_open(&o->policy, sk_buf_peek(&o->image)), 0);
}

void policy_drop(struct opened *o)
{
    sk_buf_free(&o->image);
}

struct sk_policy_verdict ask(const struct sk_policy *policy, const char *const *roles, const char *address,
        const char *host, const char *method, const char *path)
{
    struct sk_addr addr;
    struct sk_policy_subject subject = {.restricted = false};
    cr_assert_eq(sk_addr_parse(sk_slice_str(address), &addr), 0);
    for (size_t i = 0; roles && roles[i]; i++) {
        int32_t role = sk_policy_find_role(policy, sk_slice_str(roles[i]));
        cr_assert_geq(role, 0, "%s", roles[i]);
        sk_policy_set_add(&subject.roles, (unsigned)role);
    }
    const struct sk_policy_request request = {
            &addr, sk_slice_str(host), sk_slice_str(method), sk_slice_str(path), roles ? &subject : NULL, 0};
    return sk_policy_decide(policy, &request, NULL);
}
