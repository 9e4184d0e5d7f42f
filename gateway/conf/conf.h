/*
 * The configuration as people write it: sekisho.yaml and one file for each tenant, read by schema. Every refusal
 * names the file, the line, and what was expected. Reads files, knows no sockets, no keys' meaning, no log.
 */
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "policy/source.h"

#define SK_CONF_RETRIES_MAX 20U

struct sk_conf_error {
    char file[256];
    unsigned line; /* 0: the file as a whole */
    char text[512];
};

struct sk_conf_sessions {
    const char *inactivity;
    const char *expiration;
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

struct sk_conf_service {
    const char *name;
    struct sk_conf_sessions sessions;
    struct sk_conf_regulation regulation;
    struct sk_conf_limits limits;
};

struct sk_conf_timeouts {
    const char *handshake, *header, *idle, *request, *drain;
};

struct sk_conf_journal {
    const char *file_size;
    const char *flush_deadline;
};

/* sekisho.yaml */
struct sk_conf {
    const char **listen;
    unsigned listen_count;
    const char *observe;
    unsigned workers;
    const char *tenants;
    const char *data;
    const char *root_key_file;
    const char *pam_services; /* a folder of PAM service files; NULL: the system's */
    const char **balancers;
    unsigned balancers_count;
    unsigned uid_base;
    unsigned factor_helpers;
    unsigned pam_helpers;
    struct sk_conf_timeouts timeouts;
    struct sk_conf_journal journal;
    struct sk_conf_service *services;
    unsigned services_count;

    /* Derived, all in ns or bytes; paths are absolute. */
    struct {
        uint64_t handshake, header, idle, request, drain, flush_deadline, file_size;
        struct sk_addr listen[16];
        struct sk_addr observe;
        char tenants[4096], data[4096], root_key_file[4096], pam_services[4096]; /* the last may be empty */
    } is;
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
    bool disabled;
};

struct sk_conf_test {
    const char *user;
    const char **roles;
    unsigned roles_count;
    const char *address, *host, *method, *path, *expect, *reason;
};

/* A tenant file. */
struct sk_conf_tenant {
    const char *tenant;
    const char *service;
    bool open;
    const char **hosts;
    unsigned hosts_count;
    struct sk_conf_certificate *certificates;
    unsigned certificates_count;
    struct sk_policy_network_source *networks;
    unsigned networks_count;
    const char **from;
    unsigned from_count;
    struct sk_conf_app *apps;
    unsigned apps_count;
    struct sk_policy_role_source *roles;
    unsigned roles_count;
    struct sk_conf_user *users;
    unsigned users_count;
    struct sk_conf_sessions sessions;
    struct sk_conf_regulation regulation;
    struct sk_conf_limits limits;
    struct sk_conf_test *tests;
    unsigned tests_count;
};

/* 0; 1 refused, with `error` filled; negative without memory. Environment variables SEKISHO_NAME override scalars. */
int sk_conf_load(const char *file, struct sk_conf **conf, struct sk_conf_error *error) sk_nodiscard;
struct sk_conf *sk_conf_free(struct sk_conf *conf);

/* As above; `text` is the file's content. `file` is for error messages and relative paths. */
int sk_conf_tenant_load(const char *file, struct sk_slice text, struct sk_conf_tenant **tenant, struct sk_conf_error *error) sk_nodiscard;
struct sk_conf_tenant *sk_conf_tenant_free(struct sk_conf_tenant *tenant);

/* The JSON Schema (draft 2020-12) of sekisho.yaml, or of a tenant file. 0 or negative; -ENOTSUP for a table it cannot say. */
int sk_conf_json_schema(bool tenant, struct sk_buf *out) sk_nodiscard;

/* A whole file; at most 16 MiB. 0 or negative. */
int sk_conf_read_file(const char *path, struct sk_buf *out) sk_nodiscard;
/* `name` as an absolute path, relative to the folder of `file`. 0, or 1 when it does not fit. */
int sk_conf_path(const char *file, const char *name, char out[4096]) sk_nodiscard;

/* Do tenants of these two read the same defaults? */
bool sk_conf_same_services(const struct sk_conf *a, const struct sk_conf *b);

/* The policy source of a tenant file. `apps` holds tenant->apps_count; all borrow from `tenant`. */
void sk_conf_policy(const struct sk_conf_tenant *tenant, struct sk_policy_app_source *apps, struct sk_policy_source *source);

/*
 * Does the text say just this number at the path, in decimal digits, or nothing there? libcyaml takes "10k" for 10 and
 * "010" for 8, so whoever reads a number asks. `path`: as for sk_conf_refuse.
 */
bool sk_conf_says(struct sk_slice text, const char *path, uint64_t value);
/* Fills `error` for the place `path` ("roles[2].allow[0]") of a file's content. Returns 1. */
int sk_conf_refuse(struct sk_conf_error *error, const char *file, struct sk_slice text, const char *path, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
