/* Reads sekisho.yaml and tenant files, and checks what a schema cannot say. */
#include "conf/yaml.h"

#include "base/clock.h"
#include "base/table.h"
#include "base/text.h"
#include "crypto/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 8192 /* as ipc/store.h and ipc/auth.h carry them */
#define SCOPE_MAX 1024 /* bytes of one user's or issuer's */
#define ISSUER_NAMES_MAX 2048
#define ISSUER_MAP_MAX 4096
#define URL_MAX 2048
#define VOUCHED_MAX 1024

int sk_conf_read_file(const char *path, struct sk_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    /* One reservation for all of it: growing would leave a copy behind, of a secret too. */
    struct stat info = {0};
    size_t room = fstat(fd, &info) == 0 && info.st_size > 0 && info.st_size < (off_t)SK_CONF_FILE_MAX ? (size_t)info.st_size + 1 : 16384;
    ssize_t n = 1;
    int r = 0;
    while (n > 0 && r == 0) {
        char *to = sk_buf_len(out) > SK_CONF_FILE_MAX ? NULL : sk_buf_reserve(out, room);
        if (!to) {
            r = -EFBIG;
            break;
        }
        n = read(fd, to, room);
        if (n > 0) {
            sk_buf_commit(out, (size_t)n);
            room = (size_t)n < room ? room - (size_t)n : 16384; /* one byte more tells the end */
        } else if (n < 0) {
            r = -errno;
        }
    }
    (void)close(fd);
    return r;
}

int sk_conf_path(const char *file, const char *name, char out[4096])
{
    const char *slash = strrchr(file, '/');
    int folder = slash ? (int)(slash - file) + 1 : 0;
    int len = name[0] == '/' ? snprintf(out, 4096, "%s", name) : snprintf(out, 4096, "%.*s%s", folder, file, name);
    return len < 0 || len >= 4096;
}

static int duration(const struct sk_conf_loading *l, const char *path, const char *text, const char *otherwise, uint64_t *out)
{
    if (sk_duration_parse(sk_slice_str(text ? text : otherwise), out) || *out == 0) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a duration such as 500ms, 30s, 5m, 12h", text);
    }
    return 0;
}

static int size(const struct sk_conf_loading *l, const char *path, const char *text, const char *otherwise, uint64_t *out)
{
    if (sk_size_parse(sk_slice_str(text ? text : otherwise), out)) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a size such as 64k, 16M, 1G", text);
    }
    return 0;
}

static int addresses(const struct sk_conf_loading *l, struct sk_conf *conf)
{
    char path[64];
    if (conf->listen_count > SK_COUNT(conf->is.listen)) {
        return sk_conf_refuse(l->error, l->file, l->text, "listen", "at most %zu addresses", SK_COUNT(conf->is.listen));
    }
    for (unsigned i = 0; i < conf->listen_count; i++) {
        if (sk_addr_parse_port(sk_slice_str(conf->listen[i]), &conf->is.listen[i])) {
            (void)snprintf(path, sizeof(path), "listen[%u]", i);
            return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not an address with a port such as 0.0.0.0:443 or [::]:443",
                    conf->listen[i]);
        }
    }
    if (sk_addr_parse_port(sk_slice_str(conf->observe ? conf->observe : "127.0.0.1:9961"), &conf->is.observe)) {
        return sk_conf_refuse(l->error, l->file, l->text, "observe", "'%s' is not an address with a port", conf->observe);
    }
    for (unsigned i = 0; i < conf->balancers_count; i++) {
        struct sk_cidr cidr;
        if (sk_cidr_parse(sk_slice_str(conf->balancers[i]), &cidr)) {
            (void)snprintf(path, sizeof(path), "balancers[%u]", i);
            return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a CIDR prefix", conf->balancers[i]);
        }
    }
    return 0;
}

static int session_times(const struct sk_conf_loading *l, const char *where, const struct sk_conf_sessions *sessions)
{
    uint64_t ignored;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s.inactivity", where);
    int r = duration(l, path, sessions->inactivity, "15m", &ignored);
    (void)snprintf(path, sizeof(path), "%s.expiration", where);
    return r ? r : duration(l, path, sessions->expiration, "12h", &ignored);
}

/* 1 to 64 bytes without control bytes: an id is a hash of two names with a line feed between. */
bool sk_conf_name_ok(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= 64;
}

static int number(const struct sk_conf_loading *l, const char *path, uint64_t value, const char *what)
{
    bool good = value == 0 || (value <= UINT32_MAX && sk_conf_says(l->text, path, value)); /* one below zero comes as a large one */
    return good ? 0 : sk_conf_refuse(l->error, l->file, l->text, path, "a whole number from 0%s to %u", what, UINT32_MAX);
}

static int counts(const struct sk_conf_loading *l, const char *where, const struct sk_conf_limits *limits)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s.connections", where);
    int r = number(l, path, limits->connections, " (no limit)");
    (void)snprintf(path, sizeof(path), "%s.requests_per_second", where);
    return r ? r : number(l, path, limits->requests_per_second, " (no limit)");
}

static int regulation(const struct sk_conf_loading *l, const char *where, const struct sk_conf_regulation *regulation)
{
    uint64_t ignored;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s.max_retries", where);
    if (regulation->max_retries && (regulation->max_retries > SK_CONF_RETRIES_MAX || !sk_conf_says(l->text, path, regulation->max_retries))) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "a whole number from 1 to %u; 0 is the default, 5", SK_CONF_RETRIES_MAX);
    }
    (void)snprintf(path, sizeof(path), "%s.find_time", where);
    int r = duration(l, path, regulation->find_time, "2m", &ignored);
    (void)snprintf(path, sizeof(path), "%s.ban_time", where);
    return r ? r : duration(l, path, regulation->ban_time, "5m", &ignored);
}

static int days(const struct sk_conf_loading *l, const char *path, uint64_t value)
{
    bool good = value == 0 || (value <= SK_CONF_LOG_DAYS_MOST && sk_conf_says(l->text, path, value));
    return good ? 0 : sk_conf_refuse(l->error, l->file, l->text, path, "a whole number of days from 1 to %u; 0 is the default, %u", SK_CONF_LOG_DAYS_MOST, SK_CONF_LOG_DAYS);
}

static int zone(const struct sk_conf_loading *l, const char *path, const char *name)
{
    uint64_t ignored;
    return sk_conf_day_over("2000-01-01", 0, name, &ignored)
                   ? sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is no zone that this machine knows; one is named like Asia/Tokyo (package tzdata)", name)
                   : 0;
}

static int recovery_days(const struct sk_conf_loading *l, const char *path, uint64_t value, const char *key)
{
    if (value > SK_CONF_RECOVERY_DAYS_MOST || !sk_conf_says(l->text, path, value)) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "a whole number of days from 0 to %u; 0 is the default: nothing is left for recovery", SK_CONF_RECOVERY_DAYS_MOST);
    }
    return value && !key ? sk_conf_refuse(l->error, l->file, l->text, path, "there is no journal.recovery_key that a copy could be left for") : 0;
}

/* Who has the private half may read what a contract that is over has left, for some time. */
static int recovery_key(const struct sk_conf_loading *l, struct sk_conf *conf)
{
    const char *name = conf->journal.recovery_key;
    struct sk_buf pem SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CONF_FILE_MAX * 2);
    char path[4096];
    if (!name) {
        return 0;
    }
    int r = sk_conf_path(l->file, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, &pem);
    if (r) {
        return sk_conf_refuse(l->error, l->file, l->text, "journal.recovery_key", "'%s' cannot be read: %s", name, strerror(-r));
    }
    struct sk_slice text = sk_buf_peek(&pem);
    if (text.data && memmem(text.data, text.len, "PRIVATE KEY-----", sizeof("PRIVATE KEY-----") - 1)) {
        sk_wipe(pem.data, pem.size);
        return sk_conf_refuse(l->error, l->file, l->text, "journal.recovery_key", "'%s' has the private key in it: keep that where no gateway is, and leave the public one here", name);
    }
    struct sk_wrap_key *key = text.len < sizeof(conf->is.recovery_key) ? sk_wrap_public(text) : NULL;
    if (!key) {
        return sk_conf_refuse(l->error, l->file, l->text, "journal.recovery_key",
                "'%s' is no public RSA key of 3072 bits in PEM, such as `openssl pkey -pubout` makes of the private one, which is kept elsewhere", name);
    }
    (void)sk_wrap_free(key);
    memcpy(conf->is.recovery_key, text.data ? text.data : "", text.len);
    return 0;
}

static int services(const struct sk_conf_loading *l, const struct sk_conf *conf)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < conf->services_count; i++) {
        uint64_t ignored;
        char path[96];
        (void)snprintf(path, sizeof(path), "services[%u].name", i);
        if (!sk_conf_name_ok(conf->services[i].name)) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "a service's name has 1 to 64 bytes, none of them a control byte");
        }
        (void)snprintf(path, sizeof(path), "services[%u].sessions", i);
        r = session_times(l, path, &conf->services[i].sessions);
        (void)snprintf(path, sizeof(path), "services[%u].regulation", i);
        r = r ? r : regulation(l, path, &conf->services[i].regulation);
        (void)snprintf(path, sizeof(path), "services[%u].limits.body", i);
        r = r ? r : size(l, path, conf->services[i].limits.body, "0", &ignored);
        (void)snprintf(path, sizeof(path), "services[%u].limits", i);
        r = r ? r : counts(l, path, &conf->services[i].limits);
        (void)snprintf(path, sizeof(path), "services[%u].log_days", i);
        r = r ? r : days(l, path, conf->services[i].log_days);
        (void)snprintf(path, sizeof(path), "services[%u].recovery_days", i);
        r = r ? r : recovery_days(l, path, conf->services[i].recovery_days, conf->journal.recovery_key);
        (void)snprintf(path, sizeof(path), "services[%u].zone", i);
        r = r ? r : zone(l, path, conf->services[i].zone);
    }
    return r;
}

static int derive(const struct sk_conf_loading *l, struct sk_conf *conf)
{
    int r = addresses(l, conf);
    r = r ? r : duration(l, "timeouts.handshake", conf->timeouts.handshake, "10s", &conf->is.handshake);
    r = r ? r : duration(l, "timeouts.header", conf->timeouts.header, "10s", &conf->is.header);
    r = r ? r : duration(l, "timeouts.idle", conf->timeouts.idle, "60s", &conf->is.idle);
    r = r ? r : duration(l, "timeouts.request", conf->timeouts.request, "60s", &conf->is.request);
    r = r ? r : duration(l, "timeouts.drain", conf->timeouts.drain, "30s", &conf->is.drain);
    r = r ? r : duration(l, "journal.flush_deadline", conf->journal.flush_deadline, "2s", &conf->is.flush_deadline);
    r = r ? r : size(l, "journal.file_size", conf->journal.file_size, "256M", &conf->is.file_size);
    if (r == 0 && (conf->is.file_size < (1U << 20) || conf->is.file_size % 4096)) {
        r = sk_conf_refuse(l->error, l->file, l->text, "journal.file_size", "at least 1M, and a multiple of 4k");
    }
    r = r ? r : number(l, "workers", conf->workers, "");
    r = r ? r : number(l, "uid_base", conf->uid_base, "");
    r = r ? r : number(l, "factor_helpers", conf->factor_helpers, "");
    r = r ? r : number(l, "pam_helpers", conf->pam_helpers, "");
    conf->factor_helpers = conf->factor_helpers ? conf->factor_helpers : 2;
    conf->pam_helpers = conf->pam_helpers ? conf->pam_helpers : 2;
    if (r == 0 && (conf->factor_helpers > 64 || conf->pam_helpers > 64 || conf->workers > 64)) {
        r = sk_conf_refuse(l->error, l->file, l->text, "", "workers, factor_helpers and pam_helpers: at most 64 each");
    }
    r = r ? r : days(l, "journal.operator_days", conf->journal.operator_days);
    r = r ? r : recovery_key(l, conf);
    r = r ? r : services(l, conf);
    r = r ? r : sk_conf_feeds(l, conf);
    bool long_paths = r == 0 && (sk_conf_path(l->file, conf->tenants, conf->is.tenants) || sk_conf_path(l->file, conf->data, conf->is.data) ||
                                        sk_conf_path(l->file, conf->root_key_file, conf->is.root_key_file) ||
                                        (conf->pam_services && sk_conf_path(l->file, conf->pam_services, conf->is.pam_services)));
    return long_paths ? sk_conf_refuse(l->error, l->file, l->text, "", "a path is too long") : r;
}

/* SEKISHO_DATA and the like win over the file; for the scalars that differ between machines. */
static int environment(struct sk_conf *conf)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"SEKISHO_DATA", &conf->data}, {"SEKISHO_TENANTS", &conf->tenants}, {"SEKISHO_OBSERVE", &conf->observe},
            {"SEKISHO_ROOT_KEY_FILE", &conf->root_key_file}};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        const char *value = getenv(texts[i].name);
        if (value) {
            char *copy = strdup(value);
            if (!copy) {
                return -ENOMEM;
            }
            free((void *)(uintptr_t)*texts[i].to);
            *texts[i].to = copy;
        }
    }
    return 0;
}

int sk_conf_load(const char *file, struct sk_conf **out, struct sk_conf_error *error)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CONF_FILE_MAX * 2);
    void *data = NULL;
    int r = sk_conf_read_file(file, &text);
    if (r < 0) {
        *error = (struct sk_conf_error){.line = 0};
        (void)snprintf(error->file, sizeof(error->file), "%s", file);
        (void)snprintf(error->text, sizeof(error->text), "cannot be read: %s", strerror(-r));
        return 1;
    }
    r = sk_conf_yaml(file, sk_buf_peek(&text), &sk_conf_schema, &data, error);
    if (r) {
        return r;
    }
    struct sk_conf *conf = data;
    r = environment(conf);
    r = r ? r : derive(&(struct sk_conf_loading){file, sk_buf_peek(&text), error}, conf);
    if (r) {
        (void)sk_conf_free(conf);
        return r;
    }
    *out = conf;
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool sk_conf_same_services(const struct sk_conf *a, const struct sk_conf *b)
{
    bool same = a->services_count == b->services_count;
    for (unsigned i = 0; same && i < a->services_count; i++) {
        const struct sk_conf_service *x = &a->services[i], *y = &b->services[i];
        same = same_text(x->name, y->name) && same_text(x->sessions.inactivity, y->sessions.inactivity) &&
               same_text(x->sessions.expiration, y->sessions.expiration) && x->regulation.max_retries == y->regulation.max_retries &&
               same_text(x->regulation.find_time, y->regulation.find_time) && same_text(x->regulation.ban_time, y->regulation.ban_time) && same_text(x->limits.body, y->limits.body) &&
               same_text(x->zone, y->zone) && x->recovery_days == y->recovery_days && x->limits.connections == y->limits.connections && x->limits.requests_per_second == y->limits.requests_per_second;
    }
    return same;
}

struct sk_conf *sk_conf_free(struct sk_conf *conf)
{
    if (conf) {
        sk_conf_yaml_free(&sk_conf_schema, conf);
    }
    return NULL;
}

static bool host_ok(const char *host)
{
    size_t len = strlen(host);
    for (size_t i = 0; i < len; i++) {
        char c = host[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')) {
            return false;
        }
    }
    return len > 0 && len <= 253;
}

struct user_name {
    struct sk_table_node node;
    const char *name;
};

/* 0; 1 two users have one name; negative. */
static int check_user_names(const struct sk_conf_loading *l, const struct sk_conf_tenant *t)
{
    struct user_name *names = calloc(t->users_count + 1U, sizeof(*names));
    struct sk_table table = SK_TABLE_INIT;
    int r = names ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < t->users_count; i++) {
        uint64_t hash = sk_table_hash(sk_slice_str(t->users[i].name));
        for (struct sk_table_node *n = sk_table_first(&table, hash); r == 0 && n; n = sk_table_next(n)) {
            if (strcmp(SK_CONTAINER(n, struct user_name, node)->name, t->users[i].name) == 0) {
                char path[96];
                (void)snprintf(path, sizeof(path), "users[%u]", i);
                r = sk_conf_refuse(l->error, l->file, l->text, path, "there are two users named '%s'", t->users[i].name);
            }
        }
        names[i].name = t->users[i].name;
        r = r ? r : sk_table_add(&table, &names[i].node, hash);
    }
    sk_table_free(&table);
    free(names);
    return r;
}

/* With a comma between. */
static size_t names_len(const char *const *names, unsigned count)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        len += strlen(names[i]) + 1;
    }
    return len;
}

/* What a key looks like: sekisho_NAME_SECRET. */
static bool key_name_ok(const char *name)
{
    return strlen(name) <= 64 && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0';
}

static int check_keys(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, const struct sk_conf_user *user, unsigned n)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "users[%u]", n);
    bool key = user->backend == SK_BACKEND_KEY;
    if (!key && (user->keys_count || user->scope_count || user->jwks_file || user->certificate_bound)) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "keys, jwks_file, certificate_bound and scope are of programs: backend: key");
    }
    if (user->certificate_bound && !t->client_certificates.ca_file) {
        (void)snprintf(path, sizeof(path), "users[%u].certificate_bound", n);
        return sk_conf_refuse(l->error, l->file, l->text, path, "the tenant asks for no certificate: client_certificates");
    }
    if (key && (user->password_hash || !key_name_ok(user->name) || user->keys_count > SK_CONF_KEYS_MAX)) {
        return sk_conf_refuse(l->error, l->file, l->text, path,
                "a program has a name of at most 64 letters, digits, '.' and '-', at most %u keys, and no password_hash", SK_CONF_KEYS_MAX);
    }
    for (unsigned i = 0; i < user->keys_count; i++) {
        uint8_t hash[32];
        uint64_t expires;
        (void)snprintf(path, sizeof(path), "users[%u].keys[%u].sha256", n, i);
        if (strlen(user->keys[i].sha256) != 64 || sk_hex_decode(sk_slice_str(user->keys[i].sha256), hash, sizeof(hash))) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "64 hexadecimal digits, as sekisho new-key prints them");
        }
        const char *certificate = user->keys[i].certificate;
        (void)snprintf(path, sizeof(path), "users[%u].keys[%u].certificate", n, i);
        if (certificate && (strlen(certificate) != 64 || strspn(certificate, "0123456789abcdef") != 64)) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "a certificate is its SHA-256, 64 digits, a to f in lower case");
        }
        if (certificate && !t->client_certificates.ca_file) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "the tenant asks for no certificate: client_certificates");
        }
        (void)snprintf(path, sizeof(path), "users[%u].keys[%u].expires", n, i);
        if (sk_time_parse(sk_slice_str(user->keys[i].expires), &expires)) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a time such as 2027-03-31 or 2027-03-31T09:00:00Z", user->keys[i].expires);
        }
    }
    return 0;
}

/* "APP METHOD[,METHOD]": the app is one of the file's. `where`: "users[3]". */
static int check_scope(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, const char *where, const char **scope, unsigned count)
{
    char path[96];
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        struct sk_slice methods = sk_slice_str(scope[i]), app = sk_slice_split(&methods, ' ');
        bool known = sk_slice_eq(app, SK_LIT(SK_POLICY_BUILTIN_NAME));
        for (unsigned j = 0; j < t->apps_count && !known; j++) {
            known = sk_slice_eq(app, sk_slice_str(t->apps[j].name));
        }
        len += strlen(scope[i]) + 1;
        (void)snprintf(path, sizeof(path), "%s.scope[%u]", where, i);
        if (!known || !sk_policy_methods_ok(methods) || len > SCOPE_MAX || count > SK_POLICY_SCOPE) {
            return sk_conf_refuse(l->error, l->file, l->text, path,
                    "'%s' is not APP METHOD[,METHOD] or APP * with an app of this file, or there are more than %u", scope[i], (unsigned)SK_POLICY_SCOPE);
        }
    }
    return 0;
}

static bool is_role(const struct sk_conf_tenant *t, const char *name)
{
    unsigned k = 0;
    while (k < t->roles_count && strcmp(t->roles[k].name, name) != 0) {
        k++;
    }
    return k < t->roles_count;
}

static bool is_network(const struct sk_conf_tenant *t, const char *name)
{
    unsigned k = 0;
    while (k < t->networks_count && strcmp(t->networks[k].name, name) != 0) {
        k++;
    }
    return k < t->networks_count;
}

/* Roles and networks that somebody is given by name are of the file. `most`: bytes of either list. */
static int check_names(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, const char *where, const char **roles, unsigned roles_count,
        const char **from, unsigned from_count, size_t most)
{
    char path[96];
    if (names_len(roles, roles_count) > most || names_len(from, from_count) > most) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "the names of roles, and of networks, have at most %zu bytes together", most);
    }
    for (unsigned j = 0; j < roles_count; j++) {
        if (!is_role(t, roles[j])) {
            (void)snprintf(path, sizeof(path), "%s.roles[%u]", where, j);
            return sk_conf_refuse(l->error, l->file, l->text, path, "no role is named '%s'", roles[j]);
        }
    }
    for (unsigned j = 0; j < from_count; j++) {
        if (!is_network(t, from[j])) {
            (void)snprintf(path, sizeof(path), "%s.from[%u]", where, j);
            return sk_conf_refuse(l->error, l->file, l->text, path, "no network is named '%s'", from[j]);
        }
    }
    return 0;
}

/* The words of a list that goes as one text, with a byte between: none is empty or has that byte. */
static bool words_ok(const char **words, unsigned count, char between, size_t most)
{
    for (unsigned i = 0; i < count; i++) {
        if (!words[i][0] || strchr(words[i], between)) {
            return false;
        }
    }
    return names_len(words, count) <= most;
}

/* Good enough to be asked for: libcurl takes it apart. */
static bool url_ok(const char *url, const char *scheme)
{
    size_t len = strlen(url), begin = strlen(scheme);
    bool good = strncmp(url, scheme, begin) == 0 && len > begin && len <= URL_MAX && url[begin] != '/';
    for (size_t i = 0; good && i < len; i++) {
        good = url[i] > 0x20 && url[i] < 0x7f && url[i] != '"' && url[i] != '\\' && url[i] != '#';
    }
    return good;
}

static int check_clients(const struct sk_conf_loading *l, const struct sk_conf_clients *clients)
{
    char path[64];
    if (clients->crl_urls_count > SK_CONF_CRL_URLS_MAX) {
        return sk_conf_refuse(l->error, l->file, l->text, "client_certificates.crl_urls", "a tenant has at most %u", SK_CONF_CRL_URLS_MAX);
    }
    for (unsigned i = 0; i < clients->crl_urls_count; i++) {
        (void)snprintf(path, sizeof(path), "client_certificates.crl_urls[%u]", i);
        if (!url_ok(clients->crl_urls[i], "http://") && !url_ok(clients->crl_urls[i], "https://")) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not an http or https URL", clients->crl_urls[i]);
        }
    }
    return 0;
}

/* What issuers of programs' tokens and identity providers have in common. */
static int check_signer(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, const struct sk_conf_issuer *list, unsigned n, const char *where)
{
    const struct sk_conf_issuer *issuer = &list[n];
    char path[96];
    size_t map = 0, len = strlen(issuer->name);
    if (n >= SK_CONF_ISSUERS_MAX) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "a tenant has at most %u of them", SK_CONF_ISSUERS_MAX);
    }
    if (!issuer->name[0] || !key_name_ok(issuer->name)) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "its name has 1 to 64 letters, digits, '.' and '-'");
    }
    for (unsigned i = 0; i < t->issuers_count + t->sign_in_count; i++) {
        const struct sk_conf_issuer *other = i < t->issuers_count ? &t->issuers[i] : &t->sign_in[i - t->issuers_count];
        if (other != issuer && strcmp(other->name, issuer->name) == 0) {
            return sk_conf_refuse(l->error, l->file, l->text, where, "there are two named '%s' in issuers and sign_in", issuer->name);
        }
    }
    for (unsigned i = 0; i < t->users_count; i++) {
        if (strncmp(t->users[i].name, issuer->name, len) == 0 && t->users[i].name[len] == ':') {
            return sk_conf_refuse(l->error, l->file, l->text, where, "the user '%s' could be taken for one of its", t->users[i].name);
        }
    }
    if (!issuer->issuer[0] || strlen(issuer->issuer) > 512 || !issuer->audience[0] || strlen(issuer->audience) > 1024) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "issuer, and audience or client_id, are not empty, and have at most 512 and 1024 bytes");
    }
    if (!words_ok(issuer->types, issuer->types_count, ',', 256) || !words_ok(issuer->roles_claim, issuer->roles_claim_count, '\n', 512)) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "types have at most 256 bytes together and no comma, roles_claim 512 and no line feed");
    }
    for (unsigned i = 0; i < issuer->map_count; i++) {
        const struct sk_conf_claim *claim = &issuer->map[i];
        map += strlen(claim->value) + strlen(claim->role) + 2;
        (void)snprintf(path, sizeof(path), "%s.map[%u]", where, i);
        if (!claim->value[0] || strpbrk(claim->value, "\n,") || map > ISSUER_MAP_MAX || !is_role(t, claim->role)) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "a value without a comma, and a role of this file; all of them at most %d bytes", ISSUER_MAP_MAX);
        }
    }
    return check_names(l, t, where, issuer->roles, issuer->roles_count, issuer->from, issuer->from_count, ISSUER_NAMES_MAX);
}

static int check_issuer(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, unsigned n)
{
    const struct sk_conf_issuer *issuer = &t->issuers[n];
    char where[64], path[96];
    (void)snprintf(where, sizeof(where), "issuers[%u]", n);
    int r = check_signer(l, t, t->issuers, n, where);
    if (r) {
        return r;
    }
    if (!issuer->jwks_file == !issuer->jwks_url) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "either jwks_file or jwks_url: where its keys are");
    }
    if (issuer->ca_file && !issuer->jwks_url) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "ca_file is for jwks_url: whose certificate that server may have");
    }
    (void)snprintf(path, sizeof(path), "%s.jwks_url", where);
    if (issuer->jwks_url && !url_ok(issuer->jwks_url, "https://")) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not an https URL", issuer->jwks_url);
    }
    return check_scope(l, t, where, issuer->scope, issuer->scope_count);
}

/* Factors that nobody else can vouch for: they are proven with the request itself, or to the gateway alone. */
static bool is_vouched(const char *name)
{
    int factor = sk_policy_find_factor(sk_slice_str(name));
    return factor >= 0 && factor != SK_POLICY_FACTOR_KEY && factor != SK_POLICY_FACTOR_TOKEN && factor != SK_POLICY_FACTOR_RECOVERY;
}

static int check_sign_in(const struct sk_conf_loading *l, const struct sk_conf_tenant *t, unsigned n)
{
    const struct sk_conf_issuer *provider = &t->sign_in[n];
    char where[64], path[96];
    size_t factors = 0;
    (void)snprintf(where, sizeof(where), "sign_in[%u]", n);
    int r = check_signer(l, t, t->sign_in, n, where);
    if (r) {
        return r;
    }
    (void)snprintf(path, sizeof(path), "%s.issuer", where);
    if (!url_ok(provider->issuer, "https://") || strchr(provider->issuer, '?')) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not an https URL without a query, as the provider's metadata has it", provider->issuer);
    }
    if (!words_ok(provider->scopes, provider->scopes_count, ' ', 512) || !words_ok(provider->acr_values, provider->acr_values_count, ' ', 512)) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "scopes, and acr_values, are words without a space, and have at most 512 bytes together");
    }
    if (provider->user_claim && (!provider->user_claim[0] || strlen(provider->user_claim) > 64 || strchr(provider->user_claim, '\n'))) {
        return sk_conf_refuse(l->error, l->file, l->text, where, "user_claim is the name of a claim, of at most 64 bytes");
    }
    for (unsigned i = 0; i < provider->factors_count; i++) {
        const struct sk_conf_vouched *v = &provider->factors[i];
        factors += strlen(v->value) + strlen(v->factor) + 2;
        (void)snprintf(path, sizeof(path), "%s.factors[%u]", where, i);
        if (!v->value[0] || strpbrk(v->value, "\n,") || factors > VOUCHED_MAX || !is_vouched(v->factor)) {
            return sk_conf_refuse(l->error, l->file, l->text, path,
                    "a value of amr or acr without a comma, and password, fido2, passkey, hardware, certificate or oidc; all of them at most %d bytes", VOUCHED_MAX);
        }
    }
    return 0;
}

static int check_users(const struct sk_conf_loading *l, const struct sk_conf_tenant *t)
{
    char path[96];
    for (unsigned i = 0; i < t->users_count; i++) {
        const struct sk_conf_user *user = &t->users[i];
        bool local = user->backend == SK_BACKEND_LOCAL;
        (void)snprintf(path, sizeof(path), "users[%u]", i);
        if (strlen(user->name) == 0 || strlen(user->name) > 256 || strchr(user->name, ',')) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "a user's name has 1 to 256 bytes and no comma");
        }
        if (local && (!user->password_hash || strncmp(user->password_hash, "$argon2id$", 10) != 0)) {
            return sk_conf_refuse(l->error, l->file, l->text, path,
                    "'%s' needs password_hash: $argon2id$… (made by: sekisho hash-password), or backend: pam", user->name);
        }
        int r = check_keys(l, t, user, i);
        r = r ? r : check_scope(l, t, path, user->scope, user->scope_count);
        if (r) {
            return r;
        }
        r = check_names(l, t, path, user->roles, user->roles_count, user->from, user->from_count, NAMES_MAX);
        if (r) {
            return r;
        }
    }
    return check_user_names(l, t);
}

/* A token of RFC 9110, as a field's name is. */
static bool header_ok(const char *name)
{
    return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")] == '\0';
}

static int check_app(const struct sk_conf_loading *l, const struct sk_conf_app *app, unsigned n)
{
    char path[96];
    uint64_t ignored;
    size_t names = 0;
    (void)snprintf(path, sizeof(path), "apps[%u].health.interval", n);
    int r = duration(l, path, app->health.interval, "5s", &ignored);
    for (unsigned i = 0; r == 0 && i < app->inject_count; i++) {
        const char *header = app->inject[i].header;
        (void)snprintf(path, sizeof(path), "apps[%u].inject[%u].header", n, i);
        names += strlen(header) + 1;
        if (!header_ok(header) || strlen(header) > 128) {
            r = sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a header's name of at most 128 bytes", header);
        } else if (names > 1024) {
            (void)snprintf(path, sizeof(path), "apps[%u].inject", n);
            r = sk_conf_refuse(l->error, l->file, l->text, path, "the names of one app's headers have at most 1024 bytes together");
        }
    }
    if (r == 0 && app->health.path && strlen(app->health.path) > 1024) {
        (void)snprintf(path, sizeof(path), "apps[%u].health.path", n);
        r = sk_conf_refuse(l->error, l->file, l->text, path, "at most 1024 bytes");
    }
    return r;
}

static int check_tenant(const struct sk_conf_loading *l, const struct sk_conf_tenant *t)
{
    char path[96];
    uint64_t ignored;
    if (!sk_conf_name_ok(t->tenant)) {
        return sk_conf_refuse(l->error, l->file, l->text, "tenant", "a tenant's name has 1 to 64 bytes, none of them a control byte");
    }
    if (!sk_conf_name_ok(t->service)) {
        return sk_conf_refuse(l->error, l->file, l->text, "service", "a service's name has 1 to 64 bytes, none of them a control byte");
    }
    for (unsigned i = 0; i < t->hosts_count; i++) {
        (void)snprintf(path, sizeof(path), "hosts[%u]", i);
        if (!host_ok(t->hosts[i])) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "'%s' is not a host name in lower case, without a port", t->hosts[i]);
        }
    }
    if (t->certificates_count == 0) {
        return sk_conf_refuse(l->error, l->file, l->text, "", "certificates: at least one {cert_file, key_file} is needed");
    }
    if (t->contract.ends && sk_conf_day_over(t->contract.ends, 0, NULL, &ignored)) {
        return sk_conf_refuse(l->error, l->file, l->text, "contract.ends", "'%s' is no day; the contract's last one is written like 2026-12-31", t->contract.ends);
    }
    int r = session_times(l, "sessions", &t->sessions);
    r = r ? r : regulation(l, "regulation", &t->regulation);
    r = r ? r : size(l, "limits.body", t->limits.body, "0", &ignored);
    r = r ? r : counts(l, "limits", &t->limits);
    for (unsigned i = 0; r == 0 && i < t->apps_count; i++) {
        r = check_app(l, &t->apps[i], i);
    }
    for (unsigned i = 0; r == 0 && i < t->issuers_count; i++) {
        r = check_issuer(l, t, i);
    }
    for (unsigned i = 0; r == 0 && i < t->sign_in_count; i++) {
        r = check_sign_in(l, t, i);
    }
    r = r ? r : check_clients(l, &t->client_certificates);
    return r ? r : check_users(l, t);
}

int sk_conf_tenant_load(const char *file, struct sk_slice text, struct sk_conf_tenant **tenant, struct sk_conf_error *error)
{
    void *data = NULL;
    int r = sk_conf_yaml(file, text, &sk_conf_tenant_schema, &data, error);
    if (r) {
        return r;
    }
    r = check_tenant(&(struct sk_conf_loading){file, text, error}, data);
    if (r) {
        (void)sk_conf_tenant_free(data);
        return r;
    }
    *tenant = data;
    return 0;
}

struct sk_conf_tenant *sk_conf_tenant_free(struct sk_conf_tenant *tenant)
{
    if (tenant) {
        sk_conf_yaml_free(&sk_conf_tenant_schema, tenant);
    }
    return NULL;
}

void sk_conf_policy(const struct sk_conf_tenant *tenant, struct sk_policy_app_source *apps, struct sk_policy_source *source)
{
    for (unsigned i = 0; i < tenant->apps_count; i++) {
        const struct sk_conf_app *app = &tenant->apps[i];
        apps[i] = (struct sk_policy_app_source){.name = app->name,
                .kind = app->kind,
                .path = app->path,
                .hosts = app->hosts,
                .hosts_count = app->hosts_count,
                .from = app->from,
                .from_count = app->from_count,
                .factors = app->factors,
                .step_up = app->step_up,
                .step_up_count = app->step_up_count};
    }
    *source = (struct sk_policy_source){.open = tenant->open,
            .hosts = tenant->hosts,
            .hosts_count = tenant->hosts_count,
            .from = tenant->from,
            .from_count = tenant->from_count,
            .factors = tenant->factors,
            .networks = tenant->networks,
            .networks_count = tenant->networks_count,
            .apps = apps,
            .apps_count = tenant->apps_count,
            .roles = tenant->roles,
            .roles_count = tenant->roles_count};
}
