/* Small policies for the tests: written as C literals, compiled and opened in one step. */
#pragma once

#include "policy/source.h"

/* A member that is an array of texts and the count behind it. */
#define TEXTS(...) (const char *[]){__VA_ARGS__}, (unsigned)SK_COUNT(((const char *[]){__VA_ARGS__}))
#define NETWORKS(...)                                                                                        \
    (const struct sk_policy_network_source[]){__VA_ARGS__},                                                  \
            (unsigned)SK_COUNT(((const struct sk_policy_network_source[]){__VA_ARGS__}))
#define APPS(...)                                                                                            \
    (const struct sk_policy_app_source[]){__VA_ARGS__},                                                      \
            (unsigned)SK_COUNT(((const struct sk_policy_app_source[]){__VA_ARGS__}))
#define ROLES(...)                                                                                           \
    (const struct sk_policy_role_source[]){__VA_ARGS__},                                                     \
            (unsigned)SK_COUNT(((const struct sk_policy_role_source[]){__VA_ARGS__}))

struct opened {
    struct sk_buf image;
    struct sk_policy policy;
};

/* The test fails when the source is refused. */
void policy_make(struct opened *o, const struct sk_policy_source *source);
void policy_drop(struct opened *o);

/* What a person with these roles gets; NULL ends the roles; no roles at all (NULL): nobody is logged in. */
struct sk_policy_verdict ask(const struct sk_policy *policy, const char *const *roles, const char *address,
        const char *host, const char *method, const char *path);
