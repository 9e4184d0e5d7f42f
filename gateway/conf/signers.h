/* Who else signs tokens that a tenant takes, as its file has it (conf/tenant_file.h): issuers of programs' tokens, and identity providers. */
#pragma once

#include <stdbool.h>

#define SK_CONF_ISSUERS_MAX 4U /* of one tenant, and as many where people sign in */

struct sk_conf_claim {
    const char *value;
    const char *role;
};

#define SK_CONF_CLIENT_SECRET_MAX 1024U /* bytes, with a line's end */

/* What a provider says of how it knows a user, and the factor that it counts as here. */
struct sk_conf_vouched {
    const char *value;
    const char *factor;
};

/* Somebody else who signs tokens: of programs, or of people who sign in there. */
struct sk_conf_issuer {
    const char *name;
    const char *issuer;
    const char *audience; /* where people sign in: the tenant's client_id there */
    const char *jwks_file;
    const char *jwks_url; /* one of them */
    const char *ca_file;  /* of the URL's server; NULL: the system's authorities */
    const char **types;
    unsigned types_count;
    const char **roles_claim; /* member names, from the outside inward */
    unsigned roles_claim_count;
    struct sk_conf_claim *map;
    unsigned map_count;
    const char **roles;
    unsigned roles_count;
    const char **from;
    unsigned from_count;
    const char **scope;
    unsigned scope_count;
    /* Of a provider alone. */
    const char *client_secret_file;
    const char **scopes;
    unsigned scopes_count;
    const char *user_claim; /* NULL: sub */
    const char **acr_values;
    unsigned acr_values_count;
    struct sk_conf_vouched *factors;
    unsigned factors_count;
};
