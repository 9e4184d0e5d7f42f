/* gateway/conf/{load,schema}.c: what is read, what it becomes, and the line and reason of every refusal. */
#include "files.h"

#include "base/clock.h"
#include "rsa.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct sk_conf_error error;

TestSuite(conf_load, .init = files_begin, .fini = files_end, .timeout = 60);

Test(conf_load, a_sound_file_is_read_with_its_defaults)
{
    struct sk_conf *conf;
    cr_assert_eq(files_load(files_conf, &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_assert(conf->listen_count == 2 && conf->is.listen[0].port == 8443 &&
              conf->is.listen[1].family == SK_FAMILY_V6);
    cr_assert_eq(conf->is.header, 7 * SK_SECOND);
    cr_assert_eq(conf->is.handshake, 10 * SK_SECOND);
    cr_assert_eq(conf->is.idle, 60 * SK_SECOND);
    cr_assert_eq(conf->is.flush_deadline, 500 * SK_MILLISECOND);
    cr_assert_eq(conf->is.file_size, 2U << 20);
    char observe[SK_ADDR_TEXT];
    (void)sk_addr_text_port(&conf->is.observe, observe);
    cr_assert_str_eq(observe, "127.0.0.1:9961", "what is observed is so from this machine alone");
    cr_assert(conf->factor_helpers == 2 && conf->pam_helpers == 2 && conf->workers == 0);
    cr_assert(conf->services_count == 1 && conf->services[0].limits.connections == 5);
    conf = sk_conf_free(conf);
    cr_assert_eq(conf, NULL);
    cr_assert_eq(sk_conf_free(NULL), NULL);
}

Test(conf_load, paths_are_relative_to_the_file)
{
    struct sk_conf *conf;
    cr_assert_eq(files_load(files_conf, &conf, &error), 0);
    cr_expect_str_eq(conf->is.tenants, files_path("tenants"));
    cr_expect_str_eq(conf->is.root_key_file, files_path("keys/root.key"));
    cr_expect_str_eq(conf->is.data, "/var/lib/sekisho");
    cr_expect_str_eq(conf->is.pam_services, "");
    (void)sk_conf_free(conf);
}

Test(conf_load, a_path_is_taken_whole_or_not_at_all)
{
    char out[4096], name[5000];
    cr_expect_eq(sk_conf_path("/etc/sekisho/sekisho.yaml", "tenants", out), 0);
    cr_expect_str_eq(out, "/etc/sekisho/tenants");
    cr_expect_eq(sk_conf_path("/sekisho.yaml", "a/b", out), 0);
    cr_expect_str_eq(out, "/a/b");
    cr_expect_eq(sk_conf_path("/etc/sekisho/sekisho.yaml", "/var/lib", out), 0);
    cr_expect_str_eq(out, "/var/lib");
    memset(name, 'a', sizeof(name));
    name[4095 - 5] = '\0';
    cr_expect_eq(sk_conf_path("/etc/x", name, out), 0);
    cr_expect_eq(strlen(out), 4095);
    name[4095 - 5] = 'a';
    name[4096 - 5] = '\0';
    cr_expect_eq(sk_conf_path("/etc/x", name, out), 1);
}

static void refused(const char *text, unsigned line, const char *why)
{
    cr_assert_eq(files_load(text, NULL, &error), 1, "taken: %s", why);
    cr_assert_str_eq(error.file, files_path("sekisho.yaml"));
    cr_assert_eq(error.line, line, "'%s' says line %u, it is %u", error.text, error.line, line);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
}

Test(conf_load, what_cannot_be_is_refused_with_its_line)
{
    refused(files_with(files_conf, "\"127.0.0.1:8443\"", "\"localhost:8443\""), 1,
            "not an address with a port");
    refused(files_with(files_conf, "\"[::1]:8443\"", "\"::1:8443\""), 1, "listen[1]");
    refused(files_with(files_conf, "7s", "7 s"), 6, "timeouts.header");
    refused(files_with(files_conf, "7s", "0"), 6, "duration");
    refused(files_with(files_conf, "7s", "-7s"), 6, "duration");
    refused(files_with(files_conf, "7s", "99999999999999999d"), 6, "duration");
    refused(files_with(files_conf, "500ms", "soon"), 7, "journal.flush_deadline");
    refused(files_with(files_conf, "2M", "2MB"), 7, "journal.file_size");
    refused(files_with(files_conf, "2M", "64k"), 7, "at least 1M");
    refused(files_with(files_conf, "2M", "1048577"), 7, "multiple");
    refused(files_with(files_conf, "192.0.2.0/24", "192.0.2.1/24"), 8, "balancers[0]");
    refused(files_with(files_conf, "20m", "20x"), 11, "services[0].sessions.inactivity");
    refused(files_with(files_conf, "name: dns", "name: \"d\\ns\""), 10, "services[0].name");
    refused(files_with(files_conf, "connections: 5", "connections: -1"), 12, "connections");
    refused(files_with(files_conf, "connections: 5", "requests_per_second: -5"), 12, "requests_per_second");
    refused(files_with(files_conf, "connections: 5", "connections: 10k"), 12, "whole number");
    refused(files_with(files_conf, "connections: 5", "connections: 1.5"), 12, "whole number");
    refused(files_with(files_conf, "connections: 5", "connections: 010"), 12, "whole number");
    refused(files_with(files_conf, "connections: 5", "requests_per_second: 1e3"), 12, "services[0].limits.requests_per_second");
    refused(files_with(files_conf, "timeouts:", "workers: 4x\ntimeouts:"), 5, "workers");
    refused(files_with(files_conf, "16M", "lots"), 12, "services[0].limits.body");
    refused(files_with(files_conf, "timeouts:", "workers: 65\ntimeouts:"), 1, "at most 64");
}

Test(conf_load, what_the_schema_does_not_know_is_refused_with_its_line)
{
    refused(files_with(files_conf, "header: 7s", "haeder: 7s"), 6, "haeder");
    refused(files_with(files_conf, "connections: 5", "connections: many"), 12, "many");
    refused(files_with(files_conf, "timeouts:\n  header: 7s", "timeouts: 7s\nworkers: 2"), 5, "");
    cr_assert_eq(files_load(files_with(files_conf, "data: /var/lib/sekisho\n", ""), NULL, &error), 1);
    cr_assert(strstr(error.text, "data") != NULL && error.line > 0, "%s", error.text);
    cr_assert_eq(files_load(files_with(files_conf, "tenants: tenants", "tenants: tenants\ntenants: twice"),
                         NULL, &error),
            1);
    cr_assert(error.line == 2 || error.line == 3, "one of the two: %u", error.line);
    refused(files_with(files_conf, "services:", "services: ["), 10, "");
}

Test(conf_load, a_file_that_says_nothing_is_refused)
{
    static const char *const none[] = {
            "", "\n", "# nothing\n", "---\n", "[]\n", "text\n", "\t\n", "{}\n", "\xff\xfe\n", "a: &a [*a]\n"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_eq(files_load(none[i], NULL, &error), 1, "%zu", i);
        cr_expect_neq(error.text[0], '\0', "%zu", i);
        cr_expect_eq(files_load_tenant(none[i], NULL, &error), 1, "%zu", i);
        cr_expect_neq(error.text[0], '\0', "%zu", i);
    }
    cr_expect_eq(sk_conf_load(files_path("missing.yaml"), &(struct sk_conf *){NULL}, &error), 1);
    cr_expect(strstr(error.text, "No such file") != NULL && error.line == 0);
    cr_expect_eq(sk_conf_load("/tmp", &(struct sk_conf *){NULL}, &error), 1);
}

Test(conf_load, the_environment_wins_over_the_file)
{
    struct sk_conf *conf;
    cr_assert_eq(setenv("SEKISHO_DATA", "/srv/data", 1) + setenv("SEKISHO_TENANTS", "other", 1) +
                         setenv("SEKISHO_OBSERVE", "127.0.0.1:7", 1) +
                         setenv("SEKISHO_ROOT_KEY_FILE", "/k", 1),
            0);
    cr_assert_eq(files_load(files_conf, &conf, &error), 0);
    cr_expect_str_eq(conf->is.data, "/srv/data");
    cr_expect_str_eq(conf->is.tenants, files_path("other"));
    cr_expect_str_eq(conf->is.root_key_file, "/k");
    cr_expect_eq(conf->is.observe.port, 7);
    (void)sk_conf_free(conf);
    cr_assert_eq(setenv("SEKISHO_OBSERVE", "nowhere", 1), 0);
    cr_expect_eq(files_load(files_conf, NULL, &error), 1);
    cr_expect(strstr(error.text, "nowhere") != NULL, "%s", error.text);
}

/* ---- tenant files ---- */

Test(conf_load, a_sound_tenant_file_is_read)
{
    struct sk_conf_tenant *t;
    cr_assert_eq(files_load_tenant(files_tenant, &t, &error), 0, "%u: %s", error.line, error.text);
    cr_assert(t->open && t->hosts_count == 2 && t->apps_count == 1 && t->users_count == 2 &&
              t->limits.connections == 9);
    cr_assert(t->users[0].backend == SK_BACKEND_LOCAL && t->users[1].backend == SK_BACKEND_PAM &&
              !t->users[0].disabled);
    cr_assert_eq(t->apps[0].identity, 9);
    t = sk_conf_tenant_free(t);
    cr_assert_eq(t, NULL);
}

Test(conf_load, a_tenant_is_closed_unless_its_file_opens_it)
{
    struct sk_conf_tenant *t;
    cr_assert_eq(files_load_tenant(files_with(files_tenant, "open: true\n", ""), &t, &error), 0);
    cr_assert_not(t->open);
    (void)sk_conf_tenant_free(t);
}

/* What opens a tenant is a word that says so, and no word that was mistyped. */
Test(conf_load, a_tenant_is_open_by_a_clear_word_alone)
{
    static const struct {
        const char *word;
        int result;
        bool open;
    } words[] = {{"true", 0, true}, {"false", 0, false}, {"yes", 0, true}, {"no", 0, false}, {"on", 0, true},
            {"off", 0, false}, {"flase", 1, false}, {"never", 1, false}, {"\"\"", 1, false}, {"~", 1, false},
            {"2", 1, false}, {"[]", 1, false}};
    for (size_t i = 0; i < SK_COUNT(words); i++) {
        char to[32];
        struct sk_conf_tenant *t;
        (void)snprintf(to, sizeof(to), "open: %s", words[i].word);
        cr_expect_eq(files_load_tenant(files_with(files_tenant, "open: true", to), &t, &error),
                words[i].result, "%s", to);
        cr_expect(!t || t->open == words[i].open, "%s", to);
        cr_expect(t || error.line == 3, "%s: line %u", to, error.line);
        (void)sk_conf_tenant_free(t);
    }
}

static void tenant_refused(const char *from, const char *to, unsigned line, const char *why)
{
    cr_assert_eq(files_load_tenant(files_with(files_tenant, from, to), NULL, &error), 1, "taken: '%s'", to);
    cr_assert_str_eq(error.file, files_path("acme.yaml"));
    cr_assert_eq(error.line, line, "'%s' says line %u, it is %u", error.text, error.line, line);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
}

Test(conf_load, what_cannot_be_in_a_tenant_file_is_refused_with_its_line)
{
    tenant_refused("tenant: acme", "tenant: \"\"", 1, "1 to 64");
    tenant_refused("api.acme.example", "API.acme.example", 4, "hosts[0]");
    tenant_refused("panel.acme.example", "panel.acme.example:443", 4, "hosts[1]");
    tenant_refused("panel.acme.example", "\"*.acme.example\"", 4, "hosts[1]");
    tenant_refused("kind: api", "kind: apo", 13, "apo");
    tenant_refused("[assertion, remote]", "[assertion, everything]", 17, "everything");
    tenant_refused("roles: [viewer]", "roles: [viever]", 25, "viever");
    tenant_refused("    from: [office]", "    from: [ofice]", 26, "ofice");
    tenant_refused("backend: pam", "disabled: false", 28, "password_hash");
    tenant_refused("$argon2id$", "$argon2i$", 24, "argon2id");
    tenant_refused("name: jiro", "name: hanako", 28, "two users");
    tenant_refused("name: jiro", "name: \"a,b\"", 28, "comma");
    tenant_refused("name: jiro", "name: \"\"", 28, "1 to 256");
    tenant_refused("inactivity: 5m", "inactivity: 5 minutes", 31, "sessions.inactivity");
    tenant_refused("connections: 9", "body: big", 32, "limits.body");
    tenant_refused("connections: 9", "connections: -1", 32, "connections");
    tenant_refused("certificates:\n  - {cert_file: cert.pem, key_file: key.pem}\n", "", 1, "at least one");
    tenant_refused("open: true", "open: perhaps", 3, "perhaps");
    tenant_refused("    from: [office]", "    from: []", 26, "the list is empty: give an entry, or leave the key out");
    tenant_refused("kind: api", "kind: api\n    hosts: []", 14, "the list is empty");
    tenant_refused("roles: [viewer]", "roles: []", 25, "the list is empty");
}

/* Where there is no list nothing is restricted; an empty one would look like its opposite. */
Test(conf_load, an_empty_list_is_no_restriction_and_is_refused)
{
    static const char *const program = "\n  - {name: batch, backend: key, roles: [viewer], scope: []}\n  - name: jiro";
    struct sk_conf_tenant *t;
    tenant_refused("\n  - name: jiro", program, 28, "the list is empty");
    cr_assert_eq(files_load_tenant(files_with(files_tenant, "from: [office]", "from: []"), &t, &error), 0, "of the tenant it means nobody, as it does without: %s", error.text);
    cr_assert_eq(t->from_count, 0);
    (void)sk_conf_tenant_free(t);
}

static void provider_refused(const char *from, const char *to, const char *why)
{
    static const char *const good = "sign_in:\n  - {name: corp, issuer: \"https://id.test\", client_id: panel, client_secret_file: key.pem, user_claim: email, "
                                    "scopes: [email], acr_values: [mfa], roles_claim: [groups], map: [{value: ops, role: viewer}], factors: [{value: otp, factor: fido2}]}\nusers:";
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s", files_with(good, from, to));
    cr_assert_eq(files_load_tenant(files_with(files_tenant, "users:", text), NULL, &error), 1, "taken: '%s'", to);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
    cr_assert_eq(files_load_tenant(files_with(files_tenant, "users:", good), NULL, &error), 0, "%s", error.text);
}

Test(conf_load, what_cannot_be_an_identity_provider_is_refused)
{
    provider_refused("name: corp", "name: co/rp", "letters, digits");
    provider_refused("https://id.test", "http://id.test", "https URL");
    provider_refused("https://id.test", "https://id.test/?a=b", "https URL");
    provider_refused("client_id: panel", "client_id: \"\"", "client_id");
    provider_refused("[email]", "[\"email groups\"]", "without a space");
    provider_refused("[mfa]", "[\"\"]", "without a space");
    provider_refused("user_claim: email", "user_claim: \"\"", "user_claim");
    provider_refused("role: viewer", "role: nobody", "a role of this file");
    provider_refused("factor: fido2", "factor: key", "password, fido2");
    provider_refused("factor: fido2", "factor: yubikey", "password, fido2");
    provider_refused("value: otp", "value: \"o,tp\"", "without a comma");
    provider_refused("\nusers:", "\nissuers:\n  - {name: corp, issuer: x, audience: y, jwks_file: key.pem}\nusers:", "two named 'corp'");
    provider_refused("\nusers:", "\nusers:\n  - {name: \"corp:anna\", roles: [viewer], backend: pam}", "could be taken for one of its");
}

/* More could not be said of the user to anyone: the import would fail, and nobody of the tenant be known. */
Test(conf_load, more_roles_than_can_be_said_of_a_user_are_refused)
{
    static char list[12000] = "roles: [viewer";
    for (size_t i = 1; i < 8192 / 7 + 1; i++) {
        memcpy(list + strlen(list), ",viewer", 8);
    }
    memcpy(list + strlen(list), "]", 2);
    tenant_refused("roles: [viewer]", list, 24, "8192");
}

/* Without this, the interval is none at all: the worker would ask the upstream without a pause. */
Test(conf_load, an_interval_of_health_checks_is_a_duration)
{
    tenant_refused("interval: 3s", "interval: 3x", 16, "interval");
    tenant_refused("interval: 3s", "interval: 0", 16, "interval");
}

/* A tenant's id is made of its service's name and its own with a line feed between. */
Test(conf_load, two_tenants_never_have_one_id)
{
    tenant_refused("tenant: acme", "tenant: \"ac\\nme\"", 1, "tenant");
    tenant_refused("service: dns", "service: \"d\\nns\"", 2, "service");
}

Test(conf_load, every_cut_of_a_file_is_read_or_refused_with_a_reason)
{
    size_t len = strlen(files_tenant);
    for (size_t cut = 0; cut < len; cut++) {
        char *text = strndup(files_tenant, cut);
        int r = files_load_tenant(text, NULL, &error);
        cr_assert(r == 0 || (r == 1 && error.text[0]), "cut at %zu", cut);
        free(text);
    }
}

Test(conf_load, every_changed_byte_of_a_file_is_read_or_refused_with_a_reason)
{
    size_t len = strlen(files_tenant);
    static const char bytes[] = "\n:[{&*!#%\"' -\x01\xc3~";
    for (size_t i = 0; i < len; i++) {
        char *text = strdup(files_tenant);
        cr_assert_neq(text, NULL);
        text[i] = bytes[i % (sizeof(bytes) - 1)];
        int r = files_load_tenant(text, NULL, &error);
        cr_assert(r == 0 || (r == 1 && error.text[0]), "byte %zu", i);
        free(text);
    }
}

/* Nothing of the file itself but its name is needed to say no. */
Test(conf_load, a_refusal_needs_no_text)
{
    cr_assert_eq(sk_conf_refuse(
                         &error, "/etc/sekisho/sekisho.yaml", SK_SLICE_NULL, "", "only with a %s", "restart"),
            1);
    cr_assert_str_eq(error.text, "only with a restart");
    cr_assert_str_eq(error.file, "/etc/sekisho/sekisho.yaml");
    cr_assert_eq(error.line, 0);
    cr_assert_eq(sk_conf_refuse(&error, "f", SK_SLICE_NULL, "tenant", "twice"), 1);
    cr_assert_str_eq(error.text, "tenant: twice");
}

Test(conf_load, a_file_is_read_whole_up_to_its_limit)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    cr_assert_eq(sk_conf_read_file(files_path("cert.pem"), &out), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&out), SK_LIT("THE CHAIN\n")));
    cr_assert_lt(sk_conf_read_file("/dev/zero", &out), 0);
    cr_assert_leq(sk_buf_len(&out), (size_t)17 << 20);
    cr_assert_lt(sk_conf_read_file(files_path("none"), &out), 0);
}

#define FEEDS(text) files_with(files_conf, "timeouts:", "feeds: [" text "]\ntimeouts:")

Test(conf_load, feeds_are_read_and_their_mistakes_named)
{
    struct sk_conf *conf;
    files_put("ca.pem", "authorities");
    files_put("auth", "Bearer x");
    cr_assert_eq(files_load(FEEDS("{name: siem, form: ocsf, to: \"syslog+tls://siem.example:6514\", ca_file: ca.pem}, {name: l, form: cef, to: file}"), &conf, &error), 0, "%s", error.text);
    cr_expect(conf->feeds_count == 2 && conf->feeds[0].form == SK_FORM_OCSF && conf->feeds[1].form == SK_FORM_CEF);
    cr_expect_str_eq(conf->feeds[0].to, "syslog+tls://siem.example:6514");
    cr_expect_str_eq(conf->feeds[0].ca_file, "ca.pem");
    (void)sk_conf_free(conf);
    refused(FEEDS("{name: A, form: cef, to: file}"), 5, "feeds[0].name");
    refused(FEEDS("{name: a/b, form: cef, to: file}"), 5, "feeds[0].name");
    refused(FEEDS("{name: a, form: cef, to: file}, {name: a, form: ecs, to: file}"), 5, "feeds[1].name");
    refused(FEEDS("{name: a, form: xml, to: file}"), 5, "xml");
    static const char *const wrong[] = {"files", "syslog://h:1", "syslog+tls://h", "syslog+tls://:6514", "syslog+tls://h:0", "syslog+tls://h:65536", "syslog+tls://u@h:1", "syslog+tls://h/x:1", "",
            "http://h/x", "https://", "https:///x", "https://u:p@h/x", "https://h:0/x", "https://h/a b", "https://h/x#y", "elastic+https://h", "elastic+https://h/", "elastic+https://h/a/b", "elastic+https://h/a?b",
            "splunk+https://h/x"};
    for (size_t i = 0; i < SK_COUNT(wrong); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "feeds: [{name: a, form: ecs, to: \"%s\"}]\ntimeouts:", wrong[i]);
        refused(files_with(files_conf, "timeouts:", text), 5, "feeds[0].to");
    }
    static const char *const right[] = {"https://h", "https://h/", "https://[::1]:8443/x?y=%20z", "https://h.example:8088/a/b", "elastic+https://h:9200/audit-1", "splunk+https://h:8088", "splunk+https://h"};
    for (size_t i = 0; i < SK_COUNT(right); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "feeds: [{name: a, form: ecs, to: \"%s\"}]\ntimeouts:", right[i]);
        cr_expect_eq(files_load(files_with(files_conf, "timeouts:", text), NULL, &error), 0, "%s: %s", right[i], error.text);
    }
    refused(FEEDS("{name: a, form: cef, to: \"https://h/x\"}"), 5, "feeds[0].form: over HTTPS");
    refused(FEEDS("{name: a, form: cef, to: file, authorization_file: auth}"), 5, "feeds[0].authorization_file");
    refused(FEEDS("{name: a, form: ecs, to: \"https://h/x\", authorization_file: none}"), 5, "feeds[0].authorization_file: 'none' cannot be read");
    refused(FEEDS("{name: a, form: ecs, to: \"https://h/x\", ca_file: none}"), 5, "feeds[0].ca_file");
    refused(FEEDS("{name: a, form: ecs, to: \"https://h/x\", cert_file: ca.pem}"), 5, "feeds[0].key_file: cert_file and key_file go together");
    refused(FEEDS("{name: a, form: cef, to: file, tenants: [acme]}"), 5, "feeds[0].tenants[0]");
    refused(FEEDS("{name: a, form: cef, to: file, tenants: []}"), 5, "the list is empty");
    cr_expect_eq(files_load(FEEDS("{name: a, form: ecs, to: \"https://h/x\", authorization_file: auth, cert_file: ca.pem, key_file: ca.pem, tenants: [acme@dns, \"beta@web site\"]}"), NULL, &error), 0, "%s", error.text);
    refused(FEEDS("{name: a, form: cef, to: file}, {name: b, form: cef, to: file}, {name: c, form: cef, to: file}, {name: d, form: cef, to: file}, {name: e, form: cef, to: file},"
                  "{name: f, form: cef, to: file}, {name: g, form: cef, to: file}, {name: h, form: cef, to: file}, {name: i, form: cef, to: file}"), 5, "at most 8");
}

/* ---- recovery ---- */

/* The journal's keys in line 5, the service's in line 8. */
static const char *with_recovery(const char *key, const char *days)
{
    static char text[512];
    (void)snprintf(text, sizeof(text), "listen: [\"127.0.0.1:8443\"]\ntenants: tenants\ndata: /var/lib/sekisho\nroot_key_file: keys/root.key\njournal: {file_size: 2M%s%s}\nservices:\n  - name: dns\n    log_days: 9%s%s\n",
            key ? ", recovery_key: " : "", key ? key : "", days ? "\n    recovery_days: " : "", days ? days : "");
    return text;
}

static char pem[RSA_PEM];

Test(conf_load, a_recovery_key_is_read_and_days_for_its_copies)
{
    struct sk_conf *conf;
    rsa_public(3072, pem);
    files_put("recovery.pem", pem);
    cr_assert_eq(files_load(with_recovery("recovery.pem", "30"), &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_expect_str_eq(conf->is.recovery_key, pem);
    cr_expect_eq(conf->services[0].recovery_days, 30);
    (void)sk_conf_free(conf);
    cr_assert_eq(files_load(with_recovery(files_path("recovery.pem"), "366"), &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_expect_str_eq(conf->is.recovery_key, pem);
    cr_expect_eq(conf->services[0].recovery_days, 366);
    (void)sk_conf_free(conf);
    cr_assert_eq(files_load(with_recovery("recovery.pem", NULL), &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_expect_eq(conf->services[0].recovery_days, 0, "nothing is left unless somebody says so");
    (void)sk_conf_free(conf);
    cr_assert_eq(files_load(with_recovery(NULL, "0"), &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_expect_str_eq(conf->is.recovery_key, "");
    (void)sk_conf_free(conf);
}

Test(conf_load, days_for_copies_are_a_number_and_need_a_key)
{
    static const char *const none[] = {"367", "-1", "010", "10k", "1.5", "30d", "4294967326"};
    rsa_public(3072, pem);
    files_put("recovery.pem", pem);
    refused(with_recovery(NULL, "30"), 9, "services[0].recovery_days: there is no journal.recovery_key");
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        refused(with_recovery("recovery.pem", none[i]), 9, "recovery_days");
    }
}

Test(conf_load, what_is_no_recovery_key_is_refused)
{
    static struct rsa rsa;
    refused(with_recovery("recovery.pem", "30"), 5, "journal.recovery_key: 'recovery.pem' cannot be read: No such file");
    refused(with_recovery("recovery.pem", NULL), 5, "journal.recovery_key: 'recovery.pem' cannot be read: No such file");
    refused(with_recovery("/tmp", NULL), 5, "cannot be read");
    refused(with_recovery("key.pem", "30"), 5, "journal.recovery_key: 'key.pem' is no public RSA key of 3072 bits");
    rsa_make(&rsa, 3072);
    files_put("recovery.pem", rsa.private);
    refused(with_recovery("recovery.pem", "30"), 5, "has the private key in it");
    files_put("recovery.pem", rsa.public);
    cr_expect_eq(files_load(with_recovery("recovery.pem", "30"), NULL, &error), 0, "%s", error.text);
    rsa_make_curve(&rsa);
    files_put("recovery.pem", rsa.public);
    refused(with_recovery("recovery.pem", "30"), 5, "is no public RSA key of 3072 bits");
    rsa_public(2048, pem);
    files_put("recovery.pem", pem);
    refused(with_recovery("recovery.pem", "30"), 5, "is no public RSA key of 3072 bits");
    rsa_public(8193, pem);
    files_put("recovery.pem", pem);
    refused(with_recovery("recovery.pem", "30"), 5, "is no public RSA key of 3072 bits");
    files_put("recovery.pem", "");
    refused(with_recovery("recovery.pem", "30"), 5, "journal.recovery_key");
}

Test(conf_load, a_file_with_a_recovery_key_is_taken_whole_or_not_at_all)
{
    struct sk_conf *conf;
    rsa_public(3072, pem);
    memset(pem + strlen(pem), '\n', sizeof(pem) - strlen(pem));
    pem[4094] = '\0';
    files_put("recovery.pem", pem);
    cr_assert_eq(files_load(with_recovery("recovery.pem", "30"), &conf, &error), 0, "%u: %s", error.line, error.text);
    cr_expect_str_eq(conf->is.recovery_key, pem);
    (void)sk_conf_free(conf);
    pem[4094] = '\n';
    pem[4096] = '\0';
    files_put("recovery.pem", pem);
    refused(with_recovery("recovery.pem", "30"), 5, "is no public RSA key of 3072 bits");
}

/* It would be told to audit, whole. */
Test(conf_load, a_recovery_keys_file_with_the_private_half_in_it_is_refused)
{
    static struct rsa rsa;
    static char both[2 * RSA_PEM];
    rsa_make(&rsa, 3072);
    (void)snprintf(both, sizeof(both), "%s%s", rsa.private, rsa.public);
    files_put("recovery.pem", both);
    cr_expect_eq(files_load(with_recovery("recovery.pem", "30"), NULL, &error), 1, "the private half first");
    (void)snprintf(both, sizeof(both), "%s%s", rsa.public, rsa.private);
    files_put("recovery.pem", both);
    cr_expect_eq(files_load(with_recovery("recovery.pem", "30"), NULL, &error), 1, "the public half first");
}

Test(conf_load, an_empty_recovery_keys_file_is_not_too_large)
{
    files_put("recovery.pem", "");
    refused(with_recovery("recovery.pem", "30"), 5, "is no public RSA key of 3072 bits");
}

/* A tenant's contract is compiled anew when it would be over otherwise. */
Test(conf_load, services_with_other_days_for_copies_are_not_the_same)
{
    struct sk_conf *conf[3];
    static const char *const days[] = {"30", "30", "31"};
    rsa_public(3072, pem);
    files_put("recovery.pem", pem);
    for (size_t i = 0; i < SK_COUNT(conf); i++) {
        cr_assert_eq(files_load(with_recovery("recovery.pem", days[i]), &conf[i], &error), 0, "%s", error.text);
    }
    cr_expect(sk_conf_same_services(conf[0], conf[1]));
    cr_expect_not(sk_conf_same_services(conf[0], conf[2]));
    for (size_t i = 0; i < SK_COUNT(conf); i++) {
        (void)sk_conf_free(conf[i]);
    }
}
