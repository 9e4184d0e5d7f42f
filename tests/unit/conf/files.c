/* Configuration files under test. Tests alone. */
#include "files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static const char *const all[] = {"sekisho.yaml", "acme.yaml", "cert.pem", "key.pem", "ca.pem", "large.pem", "recovery.pem"};

const char files_conf[] = "listen: [\"127.0.0.1:8443\", \"[::1]:8443\"]\n"
                          "tenants: tenants\n"
                          "data: /var/lib/sekisho\n"
                          "root_key_file: keys/root.key\n"
                          "timeouts:\n"
                          "  header: 7s\n"
                          "journal: {file_size: 2M, flush_deadline: 500ms}\n"
                          "balancers: [192.0.2.0/24]\n"
                          "services:\n"
                          "  - name: dns\n"
                          "    sessions: {inactivity: 20m}\n"
                          "    limits: {connections: 5, body: 16M}\n";

const char files_tenant[] = "tenant: acme\n"
                            "service: dns\n"
                            "open: true\n"
                            "hosts: [api.acme.example, panel.acme.example]\n"
                            "certificates:\n"
                            "  - {cert_file: cert.pem, key_file: key.pem}\n"
                            "networks:\n"
                            "  - name: office\n"
                            "    cidrs: [192.0.2.0/24]\n"
                            "from: [office]\n"
                            "apps:\n"
                            "  - name: api\n"
                            "    kind: api\n"
                            "    path: /\n"
                            "    upstreams: [\"http://127.0.0.1:8081\"]\n"
                            "    health: {path: /health, interval: 3s}\n"
                            "    identity: [assertion, remote]\n"
                            "    inject:\n"
                            "      - {header: x-api-key, value_file: key.pem}\n"
                            "roles:\n"
                            "  - name: viewer\n"
                            "    allow: [\"api GET /**\"]\n"
                            "users:\n"
                            "  - name: hanako\n"
                            "    roles: [viewer]\n"
                            "    from: [office]\n"
                            "    password_hash: $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA\n"
                            "  - name: jiro\n"
                            "    roles: [viewer]\n"
                            "    backend: pam\n"
                            "sessions: {inactivity: 5m, expiration: 1h}\n"
                            "limits: {connections: 9}\n";

const char *files_path(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void files_put(const char *name, const char *text)
{
    FILE *file = fopen(files_path(name), "w");
    cr_assert(file && fputs(text, file) >= 0);
    cr_assert_eq(fclose(file), 0);
}

void files_begin(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/sk-conf-XXXXXX");
    cr_assert_neq(mkdtemp(folder), NULL);
    files_put("cert.pem", "THE CHAIN\n");
    files_put("key.pem", "THE KEY\n");
    files_put("ca.pem", "THE CA\n");
}

void files_end(void)
{
    for (size_t i = 0; i < SK_COUNT(all); i++) {
        (void)unlink(files_path(all[i]));
    }
    (void)rmdir(folder);
}

const char *files_with(const char *base, const char *from, const char *to)
{
    static char text[1 << 16];
    const char *at = strstr(base, from);
    cr_assert(at != NULL, "'%s' is not there to be changed", from);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    return text;
}

int files_load(const char *text, struct sk_conf **conf, struct sk_conf_error *error)
{
    struct sk_conf *loaded = NULL;
    files_put("sekisho.yaml", text);
    int r = sk_conf_load(files_path("sekisho.yaml"), &loaded, error);
    if (conf) {
        *conf = loaded;
    } else {
        (void)sk_conf_free(loaded);
    }
    return r;
}

int files_load_tenant(const char *text, struct sk_conf_tenant **tenant, struct sk_conf_error *error)
{
    struct sk_conf_tenant *loaded = NULL;
    int r = sk_conf_tenant_load(files_path("acme.yaml"), sk_slice_str(text), &loaded, error);
    if (tenant) {
        *tenant = loaded;
    } else {
        (void)sk_conf_tenant_free(loaded);
    }
    return r;
}
