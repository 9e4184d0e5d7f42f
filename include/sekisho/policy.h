/*
 * The policy engine's contract: an immutable image of one tenant's rules, and one pure decision over it.
 *
 * An image is flat and relocatable: it is compiled once, written to shared memory, and mapped read-only wherever it
 * is needed. Deciding allocates nothing and costs the depth of the path and the rules that match it, whatever the
 * number of roles, networks, users and tenants.
 *
 * Semantics: deny wins over allow; what nothing allows is denied. A role held brings the roles it inherits. A role
 * (or inherited role) whose `from` networks or `factors` do not hold gives nothing, but its denials still count. What
 * `factors` of the tenant, of the app, and of every `step_up` on the path ask for must all hold; where more is to be proven,
 * and nothing else is in the way, the decision is a challenge.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

struct sk_addr;

/* Limits of one tenant. */
#define SK_POLICY_SETS 4 /* 64-bit words of a set */
#define SK_POLICY_MEMBERS (SK_POLICY_SETS * 64)
enum { SK_POLICY_ROLES = SK_POLICY_MEMBERS, SK_POLICY_NETWORKS = SK_POLICY_MEMBERS, SK_POLICY_APPS = 64, SK_POLICY_HOSTS = 64 };

/* A set of roles or of networks, by their index in the image. */
struct sk_policy_set {
    uint64_t words[SK_POLICY_SETS];
};

/* X(name, text, meaning): text is the stable reason code that users and records see. */
#define SK_POLICY_REASONS(X)                                                                                 \
    X(ALLOWED, "allowed", "a rule allows it and none denies it")                                             \
    X(TENANT_CLOSED, "tenant-closed", "the tenant is not open")                                              \
    X(NETWORK_NOT_ALLOWED, "network-not-allowed", "the address is in none of the tenant's networks")         \
    X(APP_NETWORK_NOT_ALLOWED, "app-network-not-allowed", "the address is in none of the app's networks")    \
    X(NO_APP, "no-app", "no app serves this host and path")                                                  \
    X(LOGIN_REQUIRED, "login-required", "nobody is logged in")                                               \
    X(USER_NETWORK_NOT_ALLOWED, "user-network-not-allowed", "the address is in none of the user's networks") \
    X(FACTOR_REQUIRED, "factor-required", "another factor must be proven, or proven again")                  \
    X(OUT_OF_SCOPE, "out-of-scope", "the key is not for this app and method")                                \
    X(DENIED_BY_RULE, "denied-by-rule", "a rule denies it")                                                  \
    X(ROLE_NETWORK_NOT_ALLOWED, "role-network-not-allowed",                                                  \
            "a rule would allow it, but not from this address")                                              \
    X(NOT_PERMITTED, "not-permitted", "no rule of the subject's roles allows it")

enum sk_policy_reason {
#define X(name, text, meaning) SK_POLICY_##name,
    SK_POLICY_REASONS(X)
#undef X
};

enum sk_policy_decision { SK_POLICY_DENY = 0, SK_POLICY_CHALLENGE, SK_POLICY_ALLOW };

enum sk_app_kind { SK_APP_API = 0, SK_APP_PANEL, SK_APP_BUILTIN };

/* The app for the gateway's own reserved paths is always in an image, with this name and index. */
#define SK_POLICY_BUILTIN_APP 0
#define SK_POLICY_BUILTIN_NAME "sekisho"
#define SK_POLICY_BUILTIN_PATH "/.sekisho/api"

/* An opened image; borrows the bytes. */
struct sk_policy {
    const uint8_t *bytes;
    size_t size;
};

/*
 * How somebody can prove who it is. X(name, text): text is how rules name it. A FIDO2 authenticator proves FIDO2 with a touch, PASSKEY too when it
 * verified its user, HARDWARE too when its key cannot leave it. OIDC: by the tenant's own identity provider, which may vouch for others.
 */
#define SK_POLICY_FACTOR_NAMES(X)                                                                            \
    X(PASSWORD, "password")                                                                                  \
    X(FIDO2, "fido2")                                                                                        \
    X(PASSKEY, "passkey")                                                                                    \
    X(HARDWARE, "hardware")                                                                                  \
    X(CERTIFICATE, "certificate")                                                                            \
    X(KEY, "key")                                                                                            \
    X(TOKEN, "token")                                                                                        \
    X(RECOVERY, "recovery")                                                                                  \
    X(OIDC, "oidc")

enum sk_policy_factor {
#define X(name, text) SK_POLICY_FACTOR_##name,
    SK_POLICY_FACTOR_NAMES(X)
#undef X
    SK_POLICY_FACTORS
};

#define SK_POLICY_PROVEN_NOW UINT64_MAX /* with the request itself: never too old */

#define SK_POLICY_SCOPE 16 /* most entries of a scope */

/* One app and the methods a key is for there. */
struct sk_policy_scope {
    int32_t app;
    uint32_t methods;
};

/* Who asks. Indexes are of the image asked: they are resolved anew when the image changes. */
struct sk_policy_subject {
    struct sk_policy_set roles;    /* held directly */
    struct sk_policy_set networks; /* the user's own; counts when restricted */
    bool restricted;
    bool scoped; /* `scope` counts: what is not in it is denied, whatever the roles say */
    uint8_t scope_count;
    struct sk_policy_scope scope[SK_POLICY_SCOPE];
    uint64_t proven[SK_POLICY_FACTORS]; /* when, in Unix seconds; 0: not */
};

struct sk_policy_request {
    const struct sk_addr *address;
    struct sk_slice host; /* lower case, no port */
    struct sk_slice method;
    struct sk_slice path;                    /* normal form (http/target.h), begins with '/' */
    const struct sk_policy_subject *subject; /* NULL: nobody yet */
    uint64_t now;                            /* Unix seconds: how old a proof is */
    bool certificate;                        /* the connection has the subject's client certificate, or one of nobody's in particular */
};

struct sk_policy_verdict {
    enum sk_policy_decision decision;
    enum sk_policy_reason reason;
    int32_t app;  /* index, or -1 */
    int32_t rule; /* the rule that decided, or -1 */
    uint32_t missing; /* with FACTOR_REQUIRED: bits of factors that would do, the fewest that do */
};

/* One step of a decision as `explain` shows it. `name` and `text` live as long as the image. */
struct sk_policy_step {
    const char *name;
    bool holds;
    struct sk_slice text;
};

struct sk_policy_trace {
    struct sk_policy_step steps[64];
    size_t count;
};

/* Checks every offset and index of the image once. 0, or 1 when it is not a valid image. */
int sk_policy_open(struct sk_policy *policy, struct sk_slice bytes) sk_nodiscard;

/* The one decision function. Never fails: what it cannot decide is denied. `trace` may be NULL. */
struct sk_policy_verdict sk_policy_decide(
        const struct sk_policy *policy, const struct sk_policy_request *request, struct sk_policy_trace *trace);

/* Would a rule of the role, or of one that it inherits, allow this, and none deny it, wherever it came from and whatever was proven? */
bool sk_policy_could(const struct sk_policy *policy, int32_t role, int32_t app, struct sk_slice method, struct sk_slice path);

/* The app for a host and path: the longest prefix that ends at a segment; -1 when there is none. */
int32_t sk_policy_app(const struct sk_policy *policy, struct sk_slice host, struct sk_slice path);

/* Indexes by name, -1 when unknown; names by index. */
int32_t sk_policy_find_role(const struct sk_policy *policy, struct sk_slice name), sk_policy_find_network(const struct sk_policy *policy, struct sk_slice name);
struct sk_slice sk_policy_app_name(const struct sk_policy *policy, int32_t app);
struct sk_slice sk_policy_role_name(const struct sk_policy *policy, int32_t role); /* the null slice beyond the last */
enum sk_app_kind sk_policy_app_kind(const struct sk_policy *policy, int32_t app);
/* A rule as it was written, "role reader: allow api GET /api/x"; the null slice for -1. */
struct sk_slice sk_policy_rule_text(const struct sk_policy *policy, int32_t rule);
/* Every network that covers the address. */
struct sk_policy_set sk_policy_networks(const struct sk_policy *policy, const struct sk_addr *address);

/* -1 when there is no such factor. */
int sk_policy_find_factor(struct sk_slice name);
struct sk_slice sk_policy_factor_name(enum sk_policy_factor factor);

#define SK_POLICY_PROOFS_TEXT 320

/* When factors were proven, as a text: "FACTOR@SECONDS" or "FACTOR@now", comma between. What cannot be read is not proven. */
size_t sk_policy_proofs_text(const uint64_t proven[SK_POLICY_FACTORS], char out[SK_POLICY_PROOFS_TEXT]);
void sk_policy_proofs_read(struct sk_slice text, uint64_t proven[SK_POLICY_FACTORS]);

/* "METHOD[,METHOD]" or "*", of methods that rules can name. */
bool sk_policy_methods_ok(struct sk_slice methods);
/*
 * Adds "APP METHOD[,METHOD]" or "APP *" to the subject's scope, which counts from then on. 0; 1 when there is no such app
 * or method, or no more room: then the scope is without it.
 */
int sk_policy_scope_add(const struct sk_policy *policy, struct sk_slice text, struct sk_policy_subject *subject) sk_nodiscard;

struct sk_slice sk_policy_reason_text(enum sk_policy_reason reason), sk_policy_reason_meaning(enum sk_policy_reason reason);

static inline void sk_policy_set_add(struct sk_policy_set *set, unsigned member)
{
    set->words[member / 64] |= UINT64_C(1) << (member % 64);
}

static inline bool sk_policy_set_has(const struct sk_policy_set *set, unsigned member)
{
    return (set->words[member / 64] >> (member % 64)) & 1;
}

static inline bool sk_policy_set_meets(const struct sk_policy_set *a, const struct sk_policy_set *b)
{
    uint64_t any = 0;
    for (int i = 0; i < SK_POLICY_SETS; i++) {
        any |= a->words[i] & b->words[i];
    }
    return any != 0;
}
