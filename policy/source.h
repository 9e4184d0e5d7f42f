/*
 * One tenant's rules as they are written, before they are compiled. A demand is "SET[ | SET]... [within DURATION]", a set
 * "FACTOR[ + FACTOR]...", or a level of SP 800-63B-4: "aal1", "aal2" (within 24h), "aal3" (within 12h). Filled by the configuration reader (or by hand
 * in a test); texts are NUL-terminated and borrowed until the compilation is done.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/policy.h"

struct sk_policy_network_source {
    const char *name;
    const char **cidrs;
    unsigned cidrs_count;
};

struct sk_policy_app_source {
    const char *name;
    enum sk_app_kind kind;
    const char *path;
    const char **hosts; /* none: every host of the tenant */
    unsigned hosts_count;
    const char **from; /* none: no further restriction */
    unsigned from_count;
    const char *factors; /* a demand, or NULL */
    const char **step_up; /* "METHOD[,METHOD] /path/pattern DEMAND" */
    unsigned step_up_count;
};

struct sk_policy_role_source {
    const char *name;
    const char **inherits;
    unsigned inherits_count;
    const char **from;
    unsigned from_count;
    const char *factors;
    const char **allow; /* "APP METHOD[,METHOD] /path/pattern", or METHOD "*" for any */
    unsigned allow_count;
    const char **deny;
    unsigned deny_count;
};

struct sk_policy_source {
    bool open;
    const char **hosts;
    unsigned hosts_count;
    const char **from; /* tenant-wide; none: nobody is admitted */
    unsigned from_count;
    const char *factors; /* tenant-wide, or NULL */
    const struct sk_policy_network_source *networks;
    unsigned networks_count;
    const struct sk_policy_app_source *apps;
    unsigned apps_count;
    const struct sk_policy_role_source *roles;
    unsigned roles_count;
};

/* Where and why a source was refused: `path` like "roles[2].allow[0]", for the reader to find its line. */
struct sk_policy_error {
    char path[96];
    char text[256];
};

/* The limits that SP 800-63B-4 sets for sessions where `demand` names one of its levels, in s: `idle` since the last use,
 * `life` since the login; UINT64_MAX: none. */
void sk_policy_level_limits(const char *demand, uint64_t *idle, uint64_t *life);

/* Is a password alone enough for it? */
bool sk_policy_password_alone(const char *demand);

/*
 * Bits of the factors that a program lacks for the demands together, whatever it brings: a password, a key or a token, and with `certificates` one of
 * those as well. The fewest; 0: some program can meet them. A NULL asks for nothing.
 */
uint32_t sk_policy_beyond_programs(const char *const *demands, unsigned count, bool certificates);

/*
 * Compiles into `image` (appended; 8-byte aligned at its start when the buffer is empty).
 * 0; 1 when the source is refused, with `error` filled; negative when memory or the buffer's limit runs out.
 */
int sk_policy_compile(
        const struct sk_policy_source *source, struct sk_buf *image, struct sk_policy_error *error) sk_nodiscard;
