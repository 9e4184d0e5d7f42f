/* The YAML schemas, and how libcyaml's complaints become file, line, and what was expected. */
#include "conf/conf.h"
#include "conf/yaml.h"
#include "ipc/tenant.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const cyaml_schema_value_t text_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

#define TEXT(name, type, member) CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER, type, member, 0, CYAML_UNLIMITED)
#define TEXT_OPTIONAL(name, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, CYAML_UNLIMITED)
#define TEXTS_OPTIONAL(name, type, member)                                                                   \
    CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &text_value, 0, CYAML_UNLIMITED)
#define TEXTS(name, type, member)                                                                            \
    CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER, type, member, &text_value, 1, CYAML_UNLIMITED)
/* A restriction: an empty list of what is allowed would read as nothing, and without the key there is no restriction. */
#define TEXTS_OR_NONE(name, type, member)                                                                    \
    CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, &text_value, 1, CYAML_UNLIMITED)
#define LIST(name, type, member, value)                                                                      \
    CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, value, 0, CYAML_UNLIMITED)

static const cyaml_schema_field_t sessions_fields[] = {TEXT_OPTIONAL("inactivity", struct sk_conf_sessions, inactivity),
        TEXT_OPTIONAL("expiration", struct sk_conf_sessions, expiration), CYAML_FIELD_END};

static const cyaml_schema_field_t regulation_fields[] = {
        CYAML_FIELD_UINT("max_retries", CYAML_FLAG_OPTIONAL, struct sk_conf_regulation, max_retries),
        TEXT_OPTIONAL("find_time", struct sk_conf_regulation, find_time),
        TEXT_OPTIONAL("ban_time", struct sk_conf_regulation, ban_time), CYAML_FIELD_END};

static const cyaml_schema_field_t limits_fields[] = {
        CYAML_FIELD_UINT("connections", CYAML_FLAG_OPTIONAL, struct sk_conf_limits, connections),
        CYAML_FIELD_UINT("requests_per_second", CYAML_FLAG_OPTIONAL, struct sk_conf_limits, requests_per_second),
        TEXT_OPTIONAL("body", struct sk_conf_limits, body), CYAML_FIELD_END};

/* ---- sekisho.yaml ---- */

static const cyaml_schema_field_t service_fields[] = {TEXT("name", struct sk_conf_service, name),
        CYAML_FIELD_MAPPING("sessions", CYAML_FLAG_OPTIONAL, struct sk_conf_service, sessions, sessions_fields),
        CYAML_FIELD_MAPPING("regulation", CYAML_FLAG_OPTIONAL, struct sk_conf_service, regulation, regulation_fields),
        CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct sk_conf_service, limits, limits_fields),
        CYAML_FIELD_UINT("log_days", CYAML_FLAG_OPTIONAL, struct sk_conf_service, log_days), TEXT_OPTIONAL("zone", struct sk_conf_service, zone),
        CYAML_FIELD_UINT("recovery_days", CYAML_FLAG_OPTIONAL, struct sk_conf_service, recovery_days), CYAML_FIELD_END};
static const cyaml_schema_value_t service_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_service, service_fields)};

static const cyaml_schema_field_t timeouts_fields[] = {TEXT_OPTIONAL("handshake", struct sk_conf_timeouts, handshake),
        TEXT_OPTIONAL("header", struct sk_conf_timeouts, header), TEXT_OPTIONAL("idle", struct sk_conf_timeouts, idle),
        TEXT_OPTIONAL("request", struct sk_conf_timeouts, request), TEXT_OPTIONAL("drain", struct sk_conf_timeouts, drain),
        CYAML_FIELD_END};

static const cyaml_schema_field_t journal_fields[] = {TEXT_OPTIONAL("file_size", struct sk_conf_journal, file_size),
        TEXT_OPTIONAL("flush_deadline", struct sk_conf_journal, flush_deadline),
        CYAML_FIELD_UINT("operator_days", CYAML_FLAG_OPTIONAL, struct sk_conf_journal, operator_days),
        TEXT_OPTIONAL("recovery_key", struct sk_conf_journal, recovery_key), CYAML_FIELD_END};

static const cyaml_strval_t forms[] = {{"syslog", SK_FORM_SYSLOG}, {"cef", SK_FORM_CEF}, {"ocsf", SK_FORM_OCSF}, {"ecs", SK_FORM_ECS}};
static const cyaml_schema_field_t feed_fields[] = {TEXT("name", struct sk_conf_feed, name),
        CYAML_FIELD_ENUM("form", CYAML_FLAG_STRICT, struct sk_conf_feed, form, forms, CYAML_ARRAY_LEN(forms)), TEXT("to", struct sk_conf_feed, to),
        TEXT_OPTIONAL("ca_file", struct sk_conf_feed, ca_file), TEXT_OPTIONAL("authorization_file", struct sk_conf_feed, authorization_file),
        TEXT_OPTIONAL("cert_file", struct sk_conf_feed, cert_file), TEXT_OPTIONAL("key_file", struct sk_conf_feed, key_file),
        TEXTS_OR_NONE("tenants", struct sk_conf_feed, tenants), CYAML_FIELD_END};
static const cyaml_schema_value_t feed_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_feed, feed_fields)};

static const cyaml_schema_field_t conf_fields[] = {TEXTS("listen", struct sk_conf, listen),
        TEXT_OPTIONAL("observe", struct sk_conf, observe), CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, struct sk_conf, workers),
        TEXT("tenants", struct sk_conf, tenants), TEXT("data", struct sk_conf, data),
        TEXT("root_key_file", struct sk_conf, root_key_file), TEXT_OPTIONAL("pam_services", struct sk_conf, pam_services),
        TEXTS_OPTIONAL("balancers", struct sk_conf, balancers),
        CYAML_FIELD_UINT("uid_base", CYAML_FLAG_OPTIONAL, struct sk_conf, uid_base),
        CYAML_FIELD_UINT("factor_helpers", CYAML_FLAG_OPTIONAL, struct sk_conf, factor_helpers),
        CYAML_FIELD_UINT("pam_helpers", CYAML_FLAG_OPTIONAL, struct sk_conf, pam_helpers),
        CYAML_FIELD_MAPPING("timeouts", CYAML_FLAG_OPTIONAL, struct sk_conf, timeouts, timeouts_fields),
        CYAML_FIELD_MAPPING("journal", CYAML_FLAG_OPTIONAL, struct sk_conf, journal, journal_fields),
        LIST("services", struct sk_conf, services, &service_value), LIST("feeds", struct sk_conf, feeds, &feed_value), CYAML_FIELD_END};
const cyaml_schema_value_t sk_conf_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sk_conf, conf_fields)};

/* ---- a tenant file ---- */

static const cyaml_schema_field_t certificate_fields[] = {TEXT("cert_file", struct sk_conf_certificate, cert_file),
        TEXT("key_file", struct sk_conf_certificate, key_file), CYAML_FIELD_END};
static const cyaml_schema_value_t certificate_value = {
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_certificate, certificate_fields)};

static const cyaml_schema_field_t network_fields[] = {TEXT("name", struct sk_policy_network_source, name),
        TEXTS("cidrs", struct sk_policy_network_source, cidrs), CYAML_FIELD_END};
static const cyaml_schema_value_t network_value = {
        CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_policy_network_source, network_fields)};

static const cyaml_schema_field_t inject_fields[] = {TEXT("header", struct sk_conf_inject, header),
        TEXT("value_file", struct sk_conf_inject, value_file), CYAML_FIELD_END};
static const cyaml_schema_value_t inject_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_inject, inject_fields)};

static const cyaml_schema_field_t health_fields[] = {
        TEXT("path", struct sk_conf_health, path), TEXT_OPTIONAL("interval", struct sk_conf_health, interval), CYAML_FIELD_END};

/* libcyaml takes every word but a few for true, a mistyped "false" too. */
static const cyaml_strval_t words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"on", 1}, {"off", 0}};
#define YES_OR_NO(name, type, member)                                                                        \
    CYAML_FIELD_ENUM(name, CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, type, member, words, CYAML_ARRAY_LEN(words))

static const cyaml_strval_t kinds[] = {{"api", SK_APP_API}, {"panel", SK_APP_PANEL}};
static const cyaml_strval_t identities[] = {{"assertion", SK_IDENTITY_ASSERTION},
        {"forwarded-user", SK_IDENTITY_FORWARDED_USER}, {"auth-request", SK_IDENTITY_AUTH_REQUEST}, {"remote", SK_IDENTITY_REMOTE},
        {"client-cert", SK_IDENTITY_CLIENT_CERT}, {"client-cert-chain", SK_IDENTITY_CLIENT_CERT_CHAIN}};
static const cyaml_strval_t backends[] = {{"local", SK_BACKEND_LOCAL}, {"pam", SK_BACKEND_PAM}, {"key", SK_BACKEND_KEY}};

static const cyaml_schema_field_t app_fields[] = {TEXT("name", struct sk_conf_app, name),
        CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct sk_conf_app, kind, kinds, CYAML_ARRAY_LEN(kinds)),
        TEXT_OPTIONAL("path", struct sk_conf_app, path), TEXTS_OR_NONE("hosts", struct sk_conf_app, hosts),
        TEXTS_OR_NONE("from", struct sk_conf_app, from), TEXT_OPTIONAL("factors", struct sk_conf_app, factors),
        TEXTS_OPTIONAL("step_up", struct sk_conf_app, step_up), TEXTS("upstreams", struct sk_conf_app, upstreams),
        TEXT_OPTIONAL("ca_file", struct sk_conf_app, ca_file),
        CYAML_FIELD_MAPPING("health", CYAML_FLAG_OPTIONAL, struct sk_conf_app, health, health_fields),
        CYAML_FIELD_FLAGS("identity", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct sk_conf_app, identity, identities,
                CYAML_ARRAY_LEN(identities)),
        LIST("inject", struct sk_conf_app, inject, &inject_value), CYAML_FIELD_END};
static const cyaml_schema_value_t app_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_app, app_fields)};

static const cyaml_schema_field_t role_fields[] = {TEXT("name", struct sk_policy_role_source, name),
        TEXTS_OPTIONAL("inherits", struct sk_policy_role_source, inherits), TEXTS_OR_NONE("from", struct sk_policy_role_source, from),
        TEXT_OPTIONAL("factors", struct sk_policy_role_source, factors), TEXTS_OPTIONAL("allow", struct sk_policy_role_source, allow), TEXTS_OPTIONAL("deny", struct sk_policy_role_source, deny),
        CYAML_FIELD_END};
static const cyaml_schema_value_t role_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_policy_role_source, role_fields)};

static const cyaml_schema_field_t key_fields[] = {
        TEXT("sha256", struct sk_conf_key, sha256), TEXT("expires", struct sk_conf_key, expires),
        TEXT_OPTIONAL("certificate", struct sk_conf_key, certificate), CYAML_FIELD_END};
static const cyaml_schema_value_t key_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_key, key_fields)};

static const cyaml_schema_field_t user_fields[] = {TEXT("name", struct sk_conf_user, name),
        TEXTS("roles", struct sk_conf_user, roles), TEXTS_OR_NONE("from", struct sk_conf_user, from),
        CYAML_FIELD_ENUM("backend", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct sk_conf_user, backend, backends,
                CYAML_ARRAY_LEN(backends)),
        TEXT_OPTIONAL("password_hash", struct sk_conf_user, password_hash),
        LIST("keys", struct sk_conf_user, keys, &key_value), TEXTS_OR_NONE("scope", struct sk_conf_user, scope),
        TEXT_OPTIONAL("jwks_file", struct sk_conf_user, jwks_file),
        YES_OR_NO("certificate_bound", struct sk_conf_user, certificate_bound),
        YES_OR_NO("disabled", struct sk_conf_user, disabled), CYAML_FIELD_END};
static const cyaml_schema_value_t user_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_user, user_fields)};

static const cyaml_schema_field_t claim_fields[] = {
        TEXT("value", struct sk_conf_claim, value), TEXT("role", struct sk_conf_claim, role), CYAML_FIELD_END};
static const cyaml_schema_value_t claim_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_claim, claim_fields)};

static const cyaml_schema_field_t issuer_fields[] = {TEXT("name", struct sk_conf_issuer, name),
        TEXT("issuer", struct sk_conf_issuer, issuer), TEXT("audience", struct sk_conf_issuer, audience),
        TEXT_OPTIONAL("jwks_file", struct sk_conf_issuer, jwks_file), TEXT_OPTIONAL("jwks_url", struct sk_conf_issuer, jwks_url),
        TEXT_OPTIONAL("ca_file", struct sk_conf_issuer, ca_file), TEXTS_OPTIONAL("types", struct sk_conf_issuer, types),
        TEXTS_OPTIONAL("roles_claim", struct sk_conf_issuer, roles_claim), LIST("map", struct sk_conf_issuer, map, &claim_value),
        TEXTS_OPTIONAL("roles", struct sk_conf_issuer, roles), TEXTS_OR_NONE("from", struct sk_conf_issuer, from),
        TEXTS_OR_NONE("scope", struct sk_conf_issuer, scope), CYAML_FIELD_END};
static const cyaml_schema_value_t issuer_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_issuer, issuer_fields)};

static const cyaml_schema_field_t vouched_fields[] = {
        TEXT("value", struct sk_conf_vouched, value), TEXT("factor", struct sk_conf_vouched, factor), CYAML_FIELD_END};
static const cyaml_schema_value_t vouched_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_vouched, vouched_fields)};

static const cyaml_schema_field_t sign_in_fields[] = {TEXT("name", struct sk_conf_issuer, name),
        TEXT("issuer", struct sk_conf_issuer, issuer), TEXT("client_id", struct sk_conf_issuer, audience),
        TEXT("client_secret_file", struct sk_conf_issuer, client_secret_file), TEXT_OPTIONAL("ca_file", struct sk_conf_issuer, ca_file),
        TEXTS_OPTIONAL("scopes", struct sk_conf_issuer, scopes), TEXT_OPTIONAL("user_claim", struct sk_conf_issuer, user_claim),
        TEXTS_OPTIONAL("acr_values", struct sk_conf_issuer, acr_values), LIST("factors", struct sk_conf_issuer, factors, &vouched_value),
        TEXTS_OPTIONAL("roles_claim", struct sk_conf_issuer, roles_claim), LIST("map", struct sk_conf_issuer, map, &claim_value),
        TEXTS_OPTIONAL("roles", struct sk_conf_issuer, roles), TEXTS_OR_NONE("from", struct sk_conf_issuer, from), CYAML_FIELD_END};
static const cyaml_schema_value_t sign_in_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_issuer, sign_in_fields)};

static const cyaml_strval_t named_by[] = {{"email", SK_NAMED_BY_EMAIL}, {"upn", SK_NAMED_BY_UPN}, {"uri", SK_NAMED_BY_URI},
        {"subject", SK_NAMED_BY_SUBJECT}, {"fingerprint", SK_NAMED_BY_FINGERPRINT}};

static const cyaml_schema_field_t named_fields[] = {
        CYAML_FIELD_ENUM("by", CYAML_FLAG_STRICT, struct sk_conf_named, by, named_by, CYAML_ARRAY_LEN(named_by)),
        TEXT_OPTIONAL("value", struct sk_conf_named, value), TEXT_OPTIONAL("user", struct sk_conf_named, user), CYAML_FIELD_END};
static const cyaml_schema_value_t named_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_named, named_fields)};

static const cyaml_schema_field_t clients_fields[] = {TEXT("ca_file", struct sk_conf_clients, ca_file),
        TEXTS_OPTIONAL("crl_files", struct sk_conf_clients, crl_files), TEXTS_OPTIONAL("crl_urls", struct sk_conf_clients, crl_urls),
        YES_OR_NO("required", struct sk_conf_clients, required),
        YES_OR_NO("stale_crl", struct sk_conf_clients, stale_crl), LIST("map", struct sk_conf_clients, map, &named_value), CYAML_FIELD_END};

static const cyaml_strval_t verifications[] = {{"preferred", SK_VERIFICATION_PREFERRED}, {"required", SK_VERIFICATION_REQUIRED},
        {"discouraged", SK_VERIFICATION_DISCOURAGED}};

static const cyaml_schema_field_t fido2_fields[] = {TEXT_OPTIONAL("rp_id", struct sk_conf_fido2, rp_id),
        CYAML_FIELD_ENUM("user_verification", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct sk_conf_fido2, user_verification, verifications,
                CYAML_ARRAY_LEN(verifications)),
        YES_OR_NO("attestation", struct sk_conf_fido2, attestation), TEXT_OPTIONAL("roots_file", struct sk_conf_fido2, roots_file),
        TEXTS_OR_NONE("allow_aaguids", struct sk_conf_fido2, allow_aaguids), TEXTS_OPTIONAL("deny_aaguids", struct sk_conf_fido2, deny_aaguids),
        YES_OR_NO("device_bound", struct sk_conf_fido2, device_bound),
        CYAML_FIELD_UINT("most", CYAML_FLAG_OPTIONAL, struct sk_conf_fido2, most), CYAML_FIELD_END};

static const cyaml_schema_field_t test_fields[] = {TEXT_OPTIONAL("user", struct sk_conf_test, user),
        TEXTS_OPTIONAL("roles", struct sk_conf_test, roles), TEXTS_OPTIONAL("factors", struct sk_conf_test, factors), TEXT("address", struct sk_conf_test, address),
        TEXT_OPTIONAL("host", struct sk_conf_test, host), TEXT_OPTIONAL("method", struct sk_conf_test, method),
        TEXT("path", struct sk_conf_test, path), TEXT("expect", struct sk_conf_test, expect),
        TEXT_OPTIONAL("reason", struct sk_conf_test, reason), CYAML_FIELD_END};
static const cyaml_schema_value_t test_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct sk_conf_test, test_fields)};

static const cyaml_schema_field_t contract_fields[] = {TEXT_OPTIONAL("ends", struct sk_conf_contract, ends), CYAML_FIELD_END};

static const cyaml_schema_field_t tenant_fields[] = {TEXT("tenant", struct sk_conf_tenant, tenant),
        TEXT("service", struct sk_conf_tenant, service), YES_OR_NO("open", struct sk_conf_tenant, open),
        CYAML_FIELD_MAPPING("contract", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, contract, contract_fields),
        YES_OR_NO("legal_hold", struct sk_conf_tenant, legal_hold),
        TEXTS("hosts", struct sk_conf_tenant, hosts), LIST("certificates", struct sk_conf_tenant, certificates, &certificate_value),
        LIST("networks", struct sk_conf_tenant, networks, &network_value), TEXTS_OPTIONAL("from", struct sk_conf_tenant, from),
        TEXT_OPTIONAL("factors", struct sk_conf_tenant, factors),
        LIST("apps", struct sk_conf_tenant, apps, &app_value), LIST("roles", struct sk_conf_tenant, roles, &role_value),
        LIST("users", struct sk_conf_tenant, users, &user_value), LIST("issuers", struct sk_conf_tenant, issuers, &issuer_value),
        LIST("sign_in", struct sk_conf_tenant, sign_in, &sign_in_value),
        CYAML_FIELD_MAPPING("client_certificates", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, client_certificates, clients_fields),
        CYAML_FIELD_MAPPING("fido2", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, fido2, fido2_fields),
        CYAML_FIELD_MAPPING("sessions", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, sessions, sessions_fields),
        CYAML_FIELD_MAPPING("regulation", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, regulation, regulation_fields),
        CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct sk_conf_tenant, limits, limits_fields),
        LIST("tests", struct sk_conf_tenant, tests, &test_value), CYAML_FIELD_END};
const cyaml_schema_value_t sk_conf_tenant_schema = {
        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct sk_conf_tenant, tenant_fields)};

/* ---- complaints ---- */

/* libcyaml logs the complaint first, then where it was, innermost first. Both first ones are kept. */
static void __attribute__((format(printf, 3, 0))) complaint(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct sk_conf_error *error = context;
    char text[512];
    if (level < CYAML_LOG_ERROR) {
        return;
    }
    (void)vsnprintf(text, sizeof(text), format, args);
    struct sk_slice line = sk_slice_str(text);
    if (line.len && line.data[line.len - 1] == '\n') {
        line.len--;
    }
    const char *at = strstr(text, "(line: ");
    if (at && error->line == 0) {
        error->line = (unsigned)strtoul(at + 7, NULL, 10);
    }
    if (sk_slice_starts(line, SK_LIT("Load: "))) {
        line = sk_slice_from(line, 6);
    }
    if (error->text[0] == '\0' && line.len) {
        (void)snprintf(error->text, sizeof(error->text), "%.*s", (int)line.len, line.data);
    }
}

/* libcyaml names the place before an unexpected key, and libyaml counts lines from zero: both are put right. */
static void fix_line(struct sk_conf_error *error, struct sk_slice text)
{
    static const char unexpected[] = "Unexpected key: ";
    if (strncmp(error->text, "libyaml", 7) == 0) {
        error->line++;
    }
    if (strncmp(error->text, "Expecting ENUM", 14) == 0) {
        (void)snprintf(error->text, sizeof(error->text), "one plain word is expected here (for open and disabled: true or false)");
    }
    if (strncmp(error->text, "Insufficient entries", 20) == 0) {
        (void)snprintf(error->text, sizeof(error->text),
                "the list is empty: give an entry, or leave the key out if it may be: without from, hosts, scope or allow_aaguids there is no restriction");
    }
    if (strncmp(error->text, unexpected, sizeof(unexpected) - 1) != 0) {
        return;
    }
    struct sk_slice key = sk_slice_str(error->text + sizeof(unexpected) - 1);
    for (unsigned line = 1; text.len; line++) {
        struct sk_slice rest = sk_slice_split(&text, '\n');
        for (size_t i = 0; line >= error->line && i + key.len < rest.len; i++) {
            bool begins = i == 0 || memchr(" {,-\"'", rest.data[i - 1], 6);
            if (begins && sk_slice_eq(sk_slice_cut(sk_slice_from(rest, i), key.len), key) && memchr(": \"'", rest.data[i + key.len], 4)) {
                error->line = line;
                return;
            }
        }
    }
}

int sk_conf_yaml(const char *file, struct sk_slice text, const cyaml_schema_value_t *schema, void **data, struct sk_conf_error *error)
{
    cyaml_config_t config = {.log_fn = complaint, .log_ctx = error, .log_level = CYAML_LOG_ERROR, .mem_fn = cyaml_mem};
    *error = (struct sk_conf_error){.line = 0};
    (void)snprintf(error->file, sizeof(error->file), "%s", file);
    cyaml_err_t result = cyaml_load_data((const uint8_t *)text.data, text.len, &config, schema, data, NULL);
    if (result == CYAML_OK && *data) {
        return 0;
    }
    if (result == CYAML_ERR_OOM) {
        return -ENOMEM;
    }
    fix_line(error, text);
    if (error->text[0] == '\0') {
        (void)snprintf(error->text, sizeof(error->text), "%s", *data ? cyaml_strerror(result) : "the file is empty");
    }
    return 1;
}

void sk_conf_yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    const cyaml_config_t config = {.log_fn = NULL, .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    (void)cyaml_free(&config, schema, data, 0);
}
