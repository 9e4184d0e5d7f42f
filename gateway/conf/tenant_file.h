/* A tenant's file as it was read, key by key (conf/schema.c); texts are the reader's own. What the keys mean: sekisho-tenant(5). */
#pragma once

#include "conf/signers.h"
#include "policy/source.h"

#define SK_CONF_RETRIES_MAX 20U

struct sk_conf_sessions {
    const char *inactivity;
    const char *expiration;
};

/* Which FIDO2 authenticators are taken, and what for. */
enum sk_conf_verification { SK_VERIFICATION_PREFERRED = 0, SK_VERIFICATION_REQUIRED, SK_VERIFICATION_DISCOURAGED };

#define SK_CONF_AUTHENTICATORS_MAX 16U /* of one user */

struct sk_conf_fido2 {
    const char *rp_id;
    enum sk_conf_verification user_verification;
    bool attestation; /* required */
    const char *roots_file;
    const char **allow_aaguids;
    unsigned allow_aaguids_count;
    const char **deny_aaguids;
    unsigned deny_aaguids_count;
    bool device_bound; /* no synced passkeys */
    uint64_t most;
};

/* Whose certificates clients are asked for, and who is who by them. */
enum sk_conf_named_by { SK_NAMED_BY_EMAIL = 0, SK_NAMED_BY_UPN, SK_NAMED_BY_URI, SK_NAMED_BY_SUBJECT, SK_NAMED_BY_FINGERPRINT };

struct sk_conf_named {
    enum sk_conf_named_by by;
    const char *value; /* NULL: the user is named as the certificate says */
    const char *user;
};

#define SK_CONF_CRL_URLS_MAX 8U

struct sk_conf_clients {
    const char *ca_file;
    const char **crl_files;
    unsigned crl_files_count;
    const char **crl_urls;
    unsigned crl_urls_count;
    bool required;
    bool stale_crl; /* counts still */
    struct sk_conf_named *map;
    unsigned map_count;
};

/* How many wrong passwords are too many (store/budget.h). */
struct sk_conf_regulation {
    uint64_t max_retries;
    const char *find_time;
    const char *ban_time;
};

struct sk_conf_limits {
    uint64_t connections;
    uint64_t requests_per_second;
    const char *body;
};

struct sk_conf_certificate {
    const char *cert_file, *key_file;
};

struct sk_conf_inject {
    const char *header, *value_file;
};

struct sk_conf_health {
    const char *path;
    const char *interval;
};

struct sk_conf_app {
    const char *name;
    enum sk_app_kind kind;
    const char *path;
    const char **hosts;
    unsigned hosts_count;
    const char **from;
    unsigned from_count;
    const char **upstreams;
    unsigned upstreams_count;
    const char *factors;
    const char **step_up;
    unsigned step_up_count;
    const char *ca_file;
    struct sk_conf_health health;
    uint64_t identity; /* SK_IDENTITY_ bits */
    struct sk_conf_inject *inject;
    unsigned inject_count;
};

/* KEY: a program, which has keys and no password. */
enum sk_conf_backend { SK_BACKEND_LOCAL = 0, SK_BACKEND_PAM, SK_BACKEND_KEY };

#define SK_CONF_KEYS_MAX 5U /* of one user */

struct sk_conf_key {
    const char *sha256;
    const char *expires;
    const char *certificate; /* fingerprint of the one it is good with; NULL: with or without */
};

struct sk_conf_user {
    const char *name;
    const char **roles;
    unsigned roles_count;
    const char **from;
    unsigned from_count;
    enum sk_conf_backend backend;
    const char *password_hash;
    struct sk_conf_key *keys;
    unsigned keys_count;
    const char **scope;
    unsigned scope_count;
    const char *jwks_file; /* of a program that signs */
    bool certificate_bound; /* its access tokens, to its client certificate */
    bool disabled;
};

struct sk_conf_test {
    const char *user;
    const char **roles;
    unsigned roles_count;
    const char **factors;
    unsigned factors_count;
    const char *address, *host, *method, *path, *expect, *reason;
};

struct sk_conf_contract {
    const char *ends; /* its last day; NULL: it has none */
};

/* A tenant file. */
struct sk_conf_tenant {
    const char *tenant;
    const char *service;
    bool open;
    struct sk_conf_contract contract;
    bool legal_hold;
    const char **hosts;
    unsigned hosts_count;
    struct sk_conf_certificate *certificates;
    unsigned certificates_count;
    struct sk_policy_network_source *networks;
    unsigned networks_count;
    const char **from;
    unsigned from_count;
    const char *factors;
    struct sk_conf_app *apps;
    unsigned apps_count;
    struct sk_policy_role_source *roles;
    unsigned roles_count;
    struct sk_conf_user *users;
    unsigned users_count;
    struct sk_conf_issuer *issuers;
    unsigned issuers_count;
    struct sk_conf_issuer *sign_in;
    unsigned sign_in_count;
    struct sk_conf_clients client_certificates;
    struct sk_conf_fido2 fido2;
    struct sk_conf_sessions sessions;
    struct sk_conf_regulation regulation;
    struct sk_conf_limits limits;
    struct sk_conf_test *tests;
    unsigned tests_count;
};
