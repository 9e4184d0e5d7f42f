/*
 * The configuration as people write it: sekisho.yaml and one file for each tenant, read by schema. Every refusal
 * names the file, the line, and what was expected. Reads files, knows no sockets, no keys' meaning, no log.
 */
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "conf/tenant_file.h"

struct sk_conf_error {
    char file[256];
    unsigned line; /* 0: the file as a whole */
    char text[512];
};

struct sk_conf_service {
    const char *name;
    struct sk_conf_sessions sessions;
    struct sk_conf_regulation regulation;
    struct sk_conf_limits limits;
    uint64_t log_days; /* 0: the default */
    const char *zone;  /* in which contracts end; NULL: UTC */
    uint64_t recovery_days; /* after that a contract's records can be had with the recovery key; 0: they are erased at once */
};

#define SK_CONF_LOG_DAYS 90U
#define SK_CONF_LOG_DAYS_MOST 3660U
#define SK_CONF_RECOVERY_DAYS_MOST 366U

struct sk_conf_timeouts {
    const char *handshake, *header, *idle, *request, *drain;
};

struct sk_conf_journal {
    const char *file_size;
    const char *flush_deadline;
    uint64_t operator_days; /* 0: the default, SK_CONF_LOG_DAYS */
    const char *recovery_key; /* a file with a public key; NULL: none */
};

#define SK_CONF_FEEDS_MAX 8U
#define SK_CONF_FEED_TENANTS 256U /* that one feed names */

/* As journal/view.h has them. */
enum sk_conf_form { SK_FORM_SYSLOG, SK_FORM_CEF, SK_FORM_OCSF, SK_FORM_ECS };

/* Where records are sent to. */
struct sk_conf_feed {
    const char *name;
    enum sk_conf_form form;
    const char *to; /* "file", syslog+tls://HOST:PORT, https://HOST/PATH, elastic+https://HOST/INDEX, splunk+https://HOST */
    const char *ca_file;
    const char *authorization_file; /* the value of that header */
    const char *cert_file, *key_file; /* that it shows to the server */
    const char **tenants; /* NAME@SERVICE: these alone; none: all, and the operator */
    unsigned tenants_count;
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
    struct sk_conf_feed *feeds;
    unsigned feeds_count;

    /* Derived, all in ns or bytes; paths are absolute. */
    struct {
        uint64_t handshake, header, idle, request, drain, flush_deadline, file_size;
        struct sk_addr listen[16];
        struct sk_addr observe;
        char tenants[4096], data[4096], root_key_file[4096], pam_services[4096]; /* the last may be empty */
        char recovery_key[4096];                                                /* the file's content; empty: none */
    } is;
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

/* When a day ("2026-12-31"), and `more` behind it, are over in a zone of the system's database, NULL: UTC; wall ns. 0; 1 there is no such day, or zone. */
int sk_conf_day_over(const char *day, uint64_t more, const char *zone, uint64_t *wall) sk_nodiscard;
/*
 * When the tenant's contract is over, or UINT64_MAX; and when its records are not to be had any more with the recovery key, 0: at once. Both files were
 * checked when they were read.
 */
uint64_t sk_conf_contract_over(const struct sk_conf *conf, const struct sk_conf_tenant *tenant, uint64_t *recoverable);

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
