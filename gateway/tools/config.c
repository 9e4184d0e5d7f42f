/*
 * sekisho config check: reads all that sekishod would read, and says every file's first mistake with its line. What
 * this machine alone may lack (the root key, when the check runs elsewhere) is a warning.
 */
#include "tools/tools.h"

#include "base/clock.h"
#include "base/table.h"
#include "conf/image.h"
#include "tls/tls.h"
#include "tools/tenants.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define IMAGE_MAX ((size_t)64 << 20)
#define NAMED_FILE_MAX ((size_t)1 << 20)
#define ROOT_KEY_SIZE 32U

/* A host, and whose it is. */
struct owner {
    struct sk_table_node node;
    struct sk_slice name;
    const struct sk_tenant_file *file;
};

struct checking {
    struct sk_conf *conf;
    struct sk_tenant_file *files;
    size_t count;
    struct owner *owners; /* one for each host */
    size_t owners_count;
    struct sk_table hosts;
    unsigned apps, users, warnings;
    bool failed;
};

static void complain(struct checking *c, const char *file, struct sk_slice text, const char *place, bool warning, const char *format, ...)
        __attribute__((format(printf, 6, 7)));
static void complain(struct checking *c, const char *file, struct sk_slice text, const char *place, bool warning, const char *format, ...)
{
    struct sk_conf_error error;
    char why[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)sk_conf_refuse(&error, file, text, place, "%s%s", warning ? "warning: " : "", why);
    sk_tenant_complain(&error);
    c->failed = c->failed || !warning;
    c->warnings += warning;
}

#define REFUSE(place, ...) complain(c, file->path, sk_buf_peek(&file->text), (place), false, __VA_ARGS__)
#define WARN(place, ...) complain(c, file->path, sk_buf_peek(&file->text), (place), true, __VA_ARGS__)

/* NULL when nobody had the name yet: it then belongs to `file`. */
static const struct sk_tenant_file *claim(struct checking *c, struct sk_slice name, const struct sk_tenant_file *file)
{
    uint64_t hash = sk_table_hash(name);
    for (struct sk_table_node *n = sk_table_first(&c->hosts, hash); n; n = sk_table_next(n)) {
        const struct owner *owner = SK_CONTAINER(n, struct owner, node);
        if (sk_slice_eq(owner->name, name)) {
            return owner->file;
        }
    }
    struct owner *owner = &c->owners[c->owners_count++];
    *owner = (struct owner){.name = name, .file = file};
    if (sk_table_add(&c->hosts, &owner->node, hash)) {
        c->failed = true;
        (void)sk_tool_fail(file->path, strerror(ENOMEM), NULL);
    }
    return NULL;
}

static bool read_named(struct checking *c, const struct sk_tenant_file *file, const char *place, const char *name, struct sk_buf *out)
{
    char path[4096];
    int r = sk_conf_path(file->path, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, out);
    if (r < 0) {
        REFUSE(place, "'%s' cannot be read: %s", name, strerror(-r));
    }
    return r == 0;
}

/* The certificate with its key; marks the hosts it covers. */
static void check_certificate(struct checking *c, const struct sk_tenant_file *file, unsigned n, bool *covered)
{
    struct sk_buf chain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX);
    struct sk_buf key SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX);
    char place[64];
    const char *why = NULL;
    (void)snprintf(place, sizeof(place), "certificates[%u]", n);
    if (!read_named(c, file, place, file->tenant->certificates[n].cert_file, &chain) ||
            !read_named(c, file, place, file->tenant->certificates[n].key_file, &key)) {
        return;
    }
    struct sk_tls_identity *identity = sk_tls_identity_new(sk_buf_peek(&chain), sk_buf_peek(&key), &why);
    if (!identity) {
        REFUSE(place, "%s with %s: %s", file->tenant->certificates[n].cert_file, file->tenant->certificates[n].key_file, why);
    }
    for (unsigned i = 0; identity && i < file->tenant->hosts_count; i++) {
        covered[i] = covered[i] || sk_tls_identity_covers(identity, sk_slice_str(file->tenant->hosts[i]));
    }
    (void)sk_tls_identity_free(identity);
    sk_wipe(key.data, key.size);
}

static void check_certificates(struct checking *c, const struct sk_tenant_file *file)
{
    bool *covered = calloc(file->tenant->hosts_count + 1U, sizeof(*covered));
    char place[64];
    for (unsigned i = 0; covered && i < file->tenant->certificates_count; i++) {
        check_certificate(c, file, i, covered);
    }
    for (unsigned i = 0; covered && !c->failed && i < file->tenant->hosts_count; i++) {
        if (!covered[i]) {
            (void)snprintf(place, sizeof(place), "hosts[%u]", i);
            WARN(place, "no certificate names '%s': clients will refuse it", file->tenant->hosts[i]);
        }
    }
    free(covered);
}

static void check_clients(struct checking *c, const struct sk_tenant_file *file)
{
    const struct sk_conf_clients *clients = &file->tenant->client_certificates;
    struct sk_buf ca SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX), crls SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)4 * NAMED_FILE_MAX);
    char why[SK_TLS_WHY];
    if (!clients->ca_file || !read_named(c, file, "client_certificates.ca_file", clients->ca_file, &ca)) {
        return;
    }
    for (unsigned i = 0; i < clients->crl_files_count; i++) {
        char place[64];
        (void)snprintf(place, sizeof(place), "client_certificates.crl_files[%u]", i);
        if (!read_named(c, file, place, clients->crl_files[i], &crls)) {
            return;
        }
    }
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_buf_peek(&ca), sk_buf_peek(&crls), sk_buf_len(&crls) ? SK_TLS_LISTS : 0, why);
    if (!trust) {
        REFUSE("client_certificates", "%s", why);
    }
    (void)sk_tls_trust_unref(trust);
}

/* A program cannot be asked for more, as a person is: with a demand that it never meets it is refused whatever it does. */
static void check_programs(struct checking *c, const struct sk_tenant_file *file, unsigned n)
{
    const struct sk_conf_app *app = &file->tenant->apps[n];
    const char *const demands[] = {file->tenant->factors, app->factors};
    bool certificates = file->tenant->client_certificates.ca_file != NULL;
    uint32_t lacks = app->kind == SK_APP_API ? sk_policy_beyond_programs(demands, SK_COUNT(demands), certificates) : 0;
    char place[64] = "factors", names[160];
    size_t len = 0;
    for (unsigned i = 0; i < SK_POLICY_FACTORS; i++) {
        if (lacks & UINT32_C(1) << i) {
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", sk_policy_factor_name((enum sk_policy_factor)i).data);
        }
    }
    if (app->factors) {
        (void)snprintf(place, sizeof(place), "apps[%u].factors", n);
    }
    if (lacks) {
        WARN(place, "'%s' lets no program in, nor anybody by HTTP Basic: all that they can prove is one of password, key and token%s; still missing: %s",
                app->name, certificates ? ", with a certificate" : "", names);
    }
}

static void check_app(struct checking *c, const struct sk_tenant_file *file, unsigned n)
{
    const struct sk_conf_app *app = &file->tenant->apps[n];
    char place[64];
    if (app->ca_file) {
        struct sk_buf ca SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX);
        (void)snprintf(place, sizeof(place), "apps[%u].ca_file", n);
        struct sk_tls_client *client = read_named(c, file, place, app->ca_file, &ca) ? sk_tls_client_new(sk_buf_peek(&ca)) : NULL;
        if (!client && sk_buf_len(&ca)) {
            REFUSE(place, "'%s' holds no certificate in PEM", app->ca_file);
        }
        (void)sk_tls_client_free(client);
    }
    for (unsigned i = 0; i < app->inject_count; i++) {
        struct sk_buf value SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX);
        (void)snprintf(place, sizeof(place), "apps[%u].inject[%u].value_file", n, i);
        if (read_named(c, file, place, app->inject[i].value_file, &value)) {
            sk_wipe(value.data, value.size);
        }
    }
}

static void check_tenant(struct checking *c, const struct sk_tenant_file *file)
{
    struct sk_buf image SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(IMAGE_MAX);
    struct sk_conf_error error;
    char place[64];
    int r = sk_image_compile(c->conf, file->tenant, file->path, sk_buf_peek(&file->text), &image, &error);
    sk_wipe(image.data, image.size); /* certificate keys are in it */
    if (r) {
        c->failed = true;
        if (r == 1) {
            sk_tenant_complain(&error);
        } else {
            (void)sk_tool_fail(file->path, strerror(-r), NULL);
        }
        return;
    }
    for (unsigned i = 0; i < file->tenant->hosts_count; i++) {
        const struct sk_tenant_file *other = claim(c, sk_slice_str(file->tenant->hosts[i]), file);
        if (other) {
            (void)snprintf(place, sizeof(place), "hosts[%u]", i);
            REFUSE(place, "'%s' is a host of %s already", file->tenant->hosts[i], other == file ? "this tenant" : other->path);
        }
    }
    check_certificates(c, file);
    check_clients(c, file);
    for (unsigned i = 0; i < file->tenant->apps_count; i++) {
        check_app(c, file, i);
        check_programs(c, file, i);
    }
    c->apps += file->tenant->apps_count;
    c->users += file->tenant->users_count;
}

/* Two files of one tenant would share its keys and its records. */
static void check_names(struct checking *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct sk_tenant_file *file = &c->files[i], *other = NULL;
        for (size_t j = 0; j < i && !other && file->tenant; j++) {
            bool same = c->files[j].tenant && strcmp(c->files[j].tenant->tenant, file->tenant->tenant) == 0 &&
                        strcmp(c->files[j].tenant->service, file->tenant->service) == 0;
            other = same ? &c->files[j] : NULL;
        }
        if (other) {
            REFUSE("tenant", "'%s' of service '%s' is in %s already", file->tenant->tenant, file->tenant->service, other->path);
        }
    }
}

static void check_root_key(struct checking *c, const char *path)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    struct sk_buf key SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(NAMED_FILE_MAX);
    struct stat info;
    (void)!sk_conf_read_file(path, &text);
    int r = sk_conf_read_file(c->conf->is.root_key_file, &key);
    if (r < 0) {
        complain(c, path, sk_buf_peek(&text), "root_key_file", true, "'%s' cannot be read here: %s", c->conf->is.root_key_file,
                strerror(-r));
    } else if (sk_buf_len(&key) != ROOT_KEY_SIZE) {
        complain(c, path, sk_buf_peek(&text), "root_key_file", false, "'%s' has %zu bytes, %u are needed", c->conf->is.root_key_file,
                sk_buf_len(&key), ROOT_KEY_SIZE);
    } else if (stat(c->conf->is.root_key_file, &info) == 0 && (info.st_mode & 077)) {
        complain(c, path, sk_buf_peek(&text), "root_key_file", false, "others may read '%s'; chmod 0400 it", c->conf->is.root_key_file);
    }
    sk_wipe(key.data, key.size);
}

/* Loads every tenant file, so that names can be compared; those that load are then checked. */
static int check_folder(struct checking *c)
{
    char **paths;
    size_t hosts = 0;
    int r = sk_tenant_paths(c->conf->is.tenants, &paths, &c->count);
    c->files = r ? NULL : calloc(c->count + 1, sizeof(*c->files));
    if (!c->files) {
        (void)sk_tenant_paths_free(paths, c->count);
        c->count = 0;
        return sk_tool_fail(c->conf->is.tenants, strerror(r ? -r : ENOMEM), "tenants: names the folder of tenant files");
    }
    for (size_t i = 0; i < c->count; i++) {
        c->failed = sk_tenant_file_load(&c->files[i], paths[i]) || c->failed;
        hosts += c->files[i].tenant ? c->files[i].tenant->hosts_count : 0;
    }
    (void)sk_tenant_paths_free(paths, c->count);
    c->owners = calloc(hosts + 1, sizeof(*c->owners));
    if (!c->owners) {
        return sk_tool_fail(c->conf->is.tenants, strerror(ENOMEM), NULL);
    }
    check_names(c);
    for (size_t i = 0; i < c->count; i++) {
        if (c->files[i].tenant) {
            check_tenant(c, &c->files[i]);
        }
    }
    return 0;
}

static void checking_free(struct checking *c)
{
    for (size_t i = 0; i < c->count; i++) {
        sk_tenant_file_free(&c->files[i]);
    }
    sk_table_free(&c->hosts);
    free(c->files);
    free(c->owners);
    c->conf = sk_conf_free(c->conf);
}

static int check(struct checking *c, const char *path)
{
    struct sk_conf_error error;
    int r = sk_conf_load(path, &c->conf, &error);
    if (r) {
        if (r == 1) {
            sk_tenant_complain(&error);
        }
        return r == 1 ? SK_TOOL_FAILED : sk_tool_fail(path, strerror(-r), NULL);
    }
    check_root_key(c, path);
    if (check_folder(c) || c->failed) {
        return SK_TOOL_FAILED;
    }
    (void)printf("%s: good: %u services, %zu tenants, %zu hosts, %u apps, %u users", path, c->conf->services_count, c->count,
            c->owners_count, c->apps, c->users);
    if (c->warnings) {
        (void)printf(", %u warnings", c->warnings);
    }
    (void)printf("\n");
    return SK_TOOL_OK;
}

static int run(const struct sk_tool_values *operands, const struct sk_tool_values *options sk_unused)
{
    struct checking c = {.hosts = SK_TABLE_INIT};
    int r = check(&c, operands->values[0]);
    checking_free(&c);
    return r;
}

static const struct sk_tool_option options[] = {{NULL}};

const struct sk_tool_command sk_tool_config_check = {.group = "config",
        .name = "check",
        .operands = "FILE",
        .least = 1,
        .most = 1,
        .help = "Check sekisho.yaml and every tenant file, certificate and key it leads to.",
        .options = options,
        .run = run};
