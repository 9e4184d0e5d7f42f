/* The tenants folder: reading, compiling, putting in force. Two phases: nothing changes until all has been read. */
#include "supervisor/contracts.h"

#include "base/clock.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX ((size_t)128 << 20)

static void texts_free(char ***texts, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        free((*texts)[i]);
    }
    free(*texts);
    *texts = NULL;
    *count = 0;
}

static int texts_add(char ***texts, size_t *count, const char *text)
{
    char **more = reallocarray(*texts, *count + 1, sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    *texts = more;
    more[*count] = strdup(text);
    if (!more[*count]) {
        return -ENOMEM;
    }
    ++*count;
    return 0;
}

static void memory_unref(struct memory *memory)
{
    if (memory && --memory->refs == 0) {
        (void)close(memory->fd);
        free(memory);
    }
}

static void tenant_free(struct supervisor *s, struct tenant *t)
{
    memory_unref(t->memory);
    for (size_t i = 0; i < t->reads_count; i++) {
        named_file_unref(s, t->reads[i]);
    }
    free(t->reads);
    for (size_t i = 0; i < t->sources_count; i++) {
        source_unref(s, t->sources[i]);
    }
    free(t->sources);
    texts_free(&t->hosts, &t->hosts_count);
    sk_buf_free(&t->image);
    sk_buf_free(&t->for_auth);
    sk_buf_free(&t->managers);
    sk_buf_free(&t->auditors);
    free(t->file);
    free(t);
}

static struct tenant *find(const struct sk_table *tenants, const uint8_t id[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(id, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(tenants, hash); n; n = sk_table_next(n)) {
        struct tenant *t = SK_CONTAINER(n, struct tenant, node);
        if (memcmp(t->id, id, SK_ID_SIZE) == 0) {
            return t;
        }
    }
    return NULL;
}

/* Of a tenant file whose own status is `file`, and of all it reads. */
static uint64_t status_of(const struct supervisor *s, const struct tenant *t, uint64_t file)
{
    uint64_t status = file;
    for (size_t i = 0; i < t->reads_count; i++) {
        const uint64_t pair[] = {status, named_file_status(s, t->reads[i])};
        status = sk_table_hash(sk_slice(pair, sizeof(pair)));
    }
    return status;
}

static struct tenant *find_by_file(struct supervisor *s, const char *file)
{
    for (struct sk_table_node *n = sk_table_first(&s->files, sk_table_hash(sk_slice_str(file))); n; n = sk_table_next(n)) {
        struct tenant *t = SK_CONTAINER(n, struct tenant, by_file);
        if (strcmp(t->file, file) == 0) {
            return t;
        }
    }
    return NULL;
}

static void enter(struct supervisor *s, struct tenant *t)
{
    (void)!sk_table_add(&s->tenants, &t->node, sk_table_hash(sk_slice(t->id, SK_ID_SIZE)));
    (void)!sk_table_add(&s->files, &t->by_file, sk_table_hash(sk_slice_str(t->file)));
}

static void leave(struct supervisor *s, struct tenant *t)
{
    sk_table_remove(&s->tenants, &t->node);
    sk_table_remove(&s->files, &t->by_file);
}

/* A tenant file as the folder has it. */
struct listed {
    char *path;
    const char *name; /* in `path` */
    uint64_t status;
};

struct listing {
    struct listed *files;
    size_t count, room;
};

/* ---- reading one ---- */

static int note_read(struct supervisor *s, struct tenant *t, const char *name)
{
    char path[4096];
    struct named_file **more = reallocarray(t->reads, t->reads_count + 1, sizeof(struct named_file *));
    if (!more) {
        return -ENOMEM;
    }
    t->reads = more;
    struct named_file *file = sk_conf_path(t->file, name, path) ? NULL : named_file_ref(s, path);
    if (file) {
        more[t->reads_count++] = file;
    }
    return file ? 0 : -ENOMEM;
}

static int note_reads(struct supervisor *s, struct tenant *t, const struct sk_conf_tenant *conf)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < conf->certificates_count; i++) {
        r = note_read(s, t, conf->certificates[i].cert_file);
        r = r ? r : note_read(s, t, conf->certificates[i].key_file);
    }
    for (unsigned i = 0; r == 0 && i < conf->apps_count; i++) {
        r = conf->apps[i].ca_file ? note_read(s, t, conf->apps[i].ca_file) : 0;
        for (unsigned j = 0; r == 0 && j < conf->apps[i].inject_count; j++) {
            r = note_read(s, t, conf->apps[i].inject[j].value_file);
        }
    }
    for (unsigned i = 0; r == 0 && i < conf->issuers_count; i++) {
        r = conf->issuers[i].jwks_file ? note_read(s, t, conf->issuers[i].jwks_file) : 0;
        r = r || !conf->issuers[i].ca_file ? r : note_read(s, t, conf->issuers[i].ca_file);
    }
    for (unsigned i = 0; r == 0 && i < conf->sign_in_count; i++) {
        r = note_read(s, t, conf->sign_in[i].client_secret_file);
        r = r || !conf->sign_in[i].ca_file ? r : note_read(s, t, conf->sign_in[i].ca_file);
    }
    r = r || !conf->client_certificates.ca_file ? r : note_read(s, t, conf->client_certificates.ca_file);
    for (unsigned i = 0; r == 0 && i < conf->client_certificates.crl_files_count; i++) {
        r = note_read(s, t, conf->client_certificates.crl_files[i]);
    }
    for (unsigned i = 0; r == 0 && i < conf->users_count; i++) {
        r = conf->users[i].jwks_file ? note_read(s, t, conf->users[i].jwks_file) : 0;
    }
    r = r || !conf->fido2.roots_file ? r : note_read(s, t, conf->fido2.roots_file);
    for (unsigned i = 0; r == 0 && i < conf->hosts_count; i++) {
        r = texts_add(&t->hosts, &t->hosts_count, conf->hosts[i]);
    }
    return r;
}

/* Goes on with what this file holds. */
static int digest_file(const struct tenant *t, const char *name, const char *where, struct sk_slice text, uint8_t hash[SK_SHA256_SIZE], struct sk_conf_error *error)
{
    struct sk_buf value SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    char path[4096];
    int r = sk_conf_path(t->file, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, &value);
    if (r < 0) {
        return sk_conf_refuse(error, t->file, text, where, "'%s' cannot be read: %s", path, strerror(-r));
    }
    const struct sk_slice parts[] = {sk_slice(hash, SK_SHA256_SIZE), sk_buf_peek(&value)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    sk_wipe(value.data, value.size);
    return 0;
}

/* The digest of all the store is told: the file, and the secrets that it names. */
static int digest(struct tenant *t, const struct sk_conf_tenant *conf, struct sk_slice text, struct sk_conf_error *error)
{
    uint8_t hash[SK_SHA256_SIZE];
    char where[64];
    int r = 0;
    sk_digest_sha256(text, hash);
    sk_hex_encode(hash, SK_SHA256_SIZE, t->file_hash);
    for (unsigned i = 0; i < conf->apps_count; i++) {
        for (unsigned j = 0; r == 0 && j < conf->apps[i].inject_count; j++) {
            (void)snprintf(where, sizeof(where), "apps[%u].inject[%u].value_file", i, j);
            r = digest_file(t, conf->apps[i].inject[j].value_file, where, text, hash, error);
        }
    }
    for (unsigned i = 0; r == 0 && i < conf->sign_in_count; i++) {
        (void)snprintf(where, sizeof(where), "sign_in[%u].client_secret_file", i);
        r = digest_file(t, conf->sign_in[i].client_secret_file, where, text, hash, error);
    }
    sk_hex_encode(hash, 31, t->digest);
    return r;
}

/* The roles that may do this: auth does not take a worker's word for what gives somebody else a way in, or the tenant's past away. */
static int name_roles(struct sk_buf *names, const struct sk_policy *policy, struct sk_slice method, struct sk_slice path)
{
    int r = 0;
    for (int32_t role = 0; r == 0; role++) {
        struct sk_slice name = sk_policy_role_name(policy, role);
        if (!name.data) {
            break;
        }
        if (sk_policy_could(policy, role, SK_POLICY_BUILTIN_APP, method, path)) {
            r = sk_buf_printf(names, "%.*s,", (int)name.len, name.data);
        }
    }
    return r;
}

/* Lists of them with a semicolon behind each: for records, counts and proofs. */
static int name_auditors(struct tenant *t, const struct sk_policy *policy)
{
    static const char *const paths[] = {"records", "stats", "proof"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < SK_COUNT(paths); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), SK_POLICY_BUILTIN_PATH "/v1/audit/%s", paths[i]);
        r = name_roles(&t->auditors, policy, SK_LIT("GET"), sk_slice_str(path));
        r = r ? r : sk_buf_put(&t->auditors, SK_LIT(";"));
    }
    return r;
}

static int note_source(struct supervisor *s, const struct sk_conf *conf, struct tenant *t, const struct sk_tenant_source *m)
{
    struct source **more = reallocarray(t->sources, t->sources_count + 1, sizeof(struct source *));
    if (!more) {
        return -ENOMEM;
    }
    t->sources = more;
    more[t->sources_count] = source_ref(s, conf, m);
    if (!more[t->sources_count]) {
        return -ENOMEM;
    }
    t->sources_count++;
    return 0;
}

/* Puts what was fetched for the tenant into its image. */
static int fill(struct supervisor *s, struct tenant *t, struct sk_slice bytes)
{
    struct sk_buf filled = SK_BUF_INIT(IMAGE_MAX);
    int r = sources_fill(s, bytes, &filled);
    if (r) {
        sk_buf_free(&filled);
        return r;
    }
    sk_buf_free(&t->image);
    t->image = filled;
    return 0;
}

static int fill_first(struct supervisor *s, const struct sk_conf *conf, struct tenant *t)
{
    struct sk_image image;
    union sk_ipc_any message;
    uint16_t code;
    int r = sk_image_open(&image, sk_buf_peek(&t->image)) ? -EINVAL : 0;
    while (r == 0 && sk_image_next(&image.rest, &message, &code) == 0) {
        r = code == SK_TENANT_SOURCE ? note_source(s, conf, t, (const void *)&message) : 0;
    }
    return r || t->sources_count == 0 ? r : fill(s, t, sk_buf_peek(&t->image));
}

/* From its image. */
static int read_settings(struct tenant *t)
{
    struct sk_image image;
    union sk_ipc_any message;
    uint16_t code;
    if (sk_image_open(&image, sk_buf_peek(&t->image)) || sk_image_next(&image.rest, &message, &code) || code != SK_TENANT_SETTINGS) {
        return -EINVAL;
    }
    sk_buf_take(&t->managers, sk_buf_len(&t->managers));
    sk_buf_take(&t->auditors, sk_buf_len(&t->auditors));
    sk_buf_take(&t->for_auth, sk_buf_len(&t->for_auth));
    if (name_roles(&t->managers, &image.policy, SK_LIT("POST"), SK_LIT(SK_POLICY_BUILTIN_PATH "/v1/links")) || name_auditors(t, &image.policy)) {
        return -ENOBUFS;
    }
    const struct sk_tenant_settings *set = (const void *)&message;
    t->inactivity = set->inactivity;
    t->expiration = set->expiration;
    t->max_retries = set->max_retries;
    t->find_time = set->find_time;
    t->ban_time = set->ban_time;
    t->password_least = set->password_least;
    for (struct sk_slice before = image.rest; sk_image_next(&image.rest, &message, &code) == 0; before = image.rest) {
        bool theirs = code == SK_TENANT_ISSUER || code == SK_TENANT_PROVIDER || code == SK_TENANT_FIDO2;
        t->certificates |= code == SK_TENANT_CLIENTS && ((const struct sk_tenant_clients *)(const void *)&message)->map.len > 0;
        if (theirs && sk_buf_put(&t->for_auth, sk_slice_cut(before, before.len - image.rest.len))) {
            return -ENOMEM;
        }
    }
    return 0;
}

/* A tenant from its file, compiled. Status is asked for before content: what changes in between is read again. */
static int read_tenant(struct supervisor *s, const struct sk_conf *conf, const struct listed *listed, struct tenant **out,
        struct sk_conf_error *error)
{
    const char *file = listed->path;
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    struct sk_conf_tenant *parsed = NULL;
    struct tenant *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->image = SK_BUF_INIT(IMAGE_MAX);
    t->for_auth = SK_BUF_INIT((size_t)16 << 20);
    t->managers = SK_BUF_INIT(8192);
    t->auditors = SK_BUF_INIT(8192);
    t->file = strdup(file);
    int r = t->file ? sk_conf_read_file(file, &text) : -ENOMEM;
    if (r < 0) {
        r = sk_conf_refuse(error, file, SK_SLICE_NULL, "", "cannot be read: %s", strerror(-r));
    }
    r = r ? r : sk_conf_tenant_load(file, sk_buf_peek(&text), &parsed, error);
    r = r ? r : note_reads(s, t, parsed);
    t->status = status_of(s, t, listed->status);
    r = r ? r : sk_image_compile(conf, parsed, file, sk_buf_peek(&text), &t->image, error);
    r = r ? r : fill_first(s, conf, t);
    r = r ? r : digest(t, parsed, sk_buf_peek(&text), error);
    r = r ? r : read_settings(t);
    if (r) {
        (void)sk_conf_tenant_free(parsed);
        tenant_free(s, t);
        return r;
    }
    sk_image_tenant_id(parsed->service, parsed->tenant, t->id);
    (void)snprintf(t->name, sizeof(t->name), "%s", parsed->tenant);
    (void)snprintf(t->service, sizeof(t->service), "%s", parsed->service);
    t->over = sk_conf_contract_over(conf, parsed, &t->recoverable);
    t->hold = parsed->legal_hold;
    for (unsigned i = 0; i < parsed->users_count; i++) {
        t->pam |= parsed->users[i].backend == SK_BACKEND_PAM;
    }
    (void)sk_conf_tenant_free(parsed);
    t->changed = t->seen = true;
    *out = t;
    return 0;
}

/* ---- the folder ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static int list_add(struct listing *list, const char *folder, const char *name, uint64_t status)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        struct listed *more = reallocarray(list->files, room, sizeof(*more));
        if (!more) {
            return -ENOMEM;
        }
        list->files = more;
        list->room = room;
    }
    size_t folder_len = strlen(folder), name_len = strlen(name);
    char *path = malloc(folder_len + name_len + 2);
    if (!path) {
        return -ENOMEM;
    }
    memcpy(path, folder, folder_len);
    path[folder_len] = '/';
    memcpy(path + folder_len + 1, name, name_len + 1);
    list->files[list->count++] = (struct listed){.path = path, .name = path + folder_len + 1, .status = status};
    return 0;
}

static void list_free(struct listing *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->files[i].path);
    }
    free(list->files);
}

static int list_folder(const char *folder, struct listing *list)
{
    DIR *dir = opendir(folder);
    int r = 0;
    if (!dir) {
        return -errno;
    }
    for (struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL;) {
        struct stat info;
        size_t len = strlen(entry->d_name);
        if (len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0 && entry->d_name[0] != '.') {
            bool known = fstatat(dirfd(dir), entry->d_name, &info, 0) == 0;
            r = list_add(list, folder, entry->d_name, known ? status_hash(&info) : 0);
        }
    }
    (void)closedir(dir);
    if (list->count) {
        qsort(list->files, list->count, sizeof(*list->files), compare_names);
    }
    return r;
}

/* No host and no tenant twice, over everything that would be in force. */
struct claim {
    struct sk_table_node node;
    const char *host;
    const struct tenant *tenant;
};

/* Refuses at a place of a file that is not at hand. */
static int refuse_in(struct sk_conf_error *error, const char *file, const char *where, const char *what, const char *other)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    (void)!sk_conf_read_file(file, &text);
    return sk_conf_refuse(error, file, sk_buf_peek(&text), where, "'%s' is already defined in %s", what, other);
}

static int claim_hosts(struct sk_table *claims, struct claim *rows, size_t *used, const struct tenant *t, struct sk_conf_error *error)
{
    for (size_t i = 0; i < t->hosts_count; i++) {
        uint64_t hash = sk_table_hash(sk_slice_str(t->hosts[i]));
        for (struct sk_table_node *n = sk_table_first(claims, hash); n; n = sk_table_next(n)) {
            const struct claim *other = SK_CONTAINER(n, struct claim, node);
            if (strcmp(other->host, t->hosts[i]) == 0) {
                char where[48];
                (void)snprintf(where, sizeof(where), "hosts[%zu]", i);
                return refuse_in(error, t->file, where, t->hosts[i], other->tenant->file);
            }
        }
        struct claim *row = &rows[(*used)++];
        *row = (struct claim){.host = t->hosts[i], .tenant = t};
        if (sk_table_add(claims, &row->node, hash)) {
            return -ENOMEM;
        }
    }
    return 0;
}

static int check_hosts(struct supervisor *s, struct sk_conf_error *error)
{
    struct sk_table claims = SK_TABLE_INIT;
    size_t total = 0, used = 0;
    for (const struct tenant *t = s->list; t; t = t->next) {
        total += t->seen ? t->hosts_count : 0;
    }
    struct claim *rows = calloc(total + 1, sizeof(*rows));
    int r = rows ? 0 : -ENOMEM;
    for (const struct tenant *t = s->list; r == 0 && t; t = t->next) {
        r = t->seen ? claim_hosts(&claims, rows, &used, t, error) : 0;
    }
    sk_table_free(&claims);
    free(rows);
    return r;
}

/* Loaded tenants stand in the list beside those in force, marked changed, until commit or rollback. */
static int load_file(struct supervisor *s, const struct sk_conf *conf, const struct listed *file, bool all, struct sk_conf_error *error)
{
    struct tenant *known = all ? NULL : find_by_file(s, file->path), *fresh = NULL;
    if (known && status_of(s, known, file->status) == known->status) {
        known->seen = true;
        return 0;
    }
    int r = read_tenant(s, conf, file, &fresh, error);
    if (r) {
        return r;
    }
    const struct tenant *other = find(&s->fresh, fresh->id);
    const char *twice = other ? other->file : contract_loaded(s, fresh->id);
    if (!twice && contract_over(fresh) && !find(&s->tenants, fresh->id)) {
        r = contract_load(s, fresh); /* what is in force ends on its own */
        tenant_free(s, fresh);
        return r;
    }
    r = twice ? refuse_in(error, file->path, "tenant", fresh->name, twice)
              : sk_table_add(&s->fresh, &fresh->node, sk_table_hash(sk_slice(fresh->id, SK_ID_SIZE)));
    if (r) {
        tenant_free(s, fresh);
        return r;
    }
    *s->tail = fresh;
    s->tail = &fresh->next;
    return 0;
}

/* No tenant of a file that was read now is in force by another file that stays as it was. */
static int check_names(struct supervisor *s, struct sk_conf_error *error)
{
    int r = 0;
    for (const struct tenant *t = s->list; r == 0 && t; t = t->next) {
        const struct tenant *other = t->changed ? find(&s->tenants, t->id) : NULL;
        r = other && other->seen ? refuse_in(error, t->file, "tenant", t->name, other->file) : 0;
    }
    return r;
}

int tenants_load(struct supervisor *s, const struct sk_conf *conf)
{
    struct sk_conf_error error;
    struct listing list = {NULL, 0, 0};
    bool all = s->conf && !sk_conf_same_services(s->conf, conf);
    s->tail = &s->list;
    s->load++;
    for (struct tenant *t = s->list; t; t = t->next) {
        t->seen = t->changed = false;
        s->tail = &t->next;
    }
    int r = list_folder(conf->is.tenants, &list);
    if (r < 0) {
        r = sk_conf_refuse(&error, conf->is.tenants, SK_SLICE_NULL, "", "the tenants folder cannot be read: %s", strerror(-r));
        s->complain(&error);
    }
    for (size_t i = 0; r >= 0 && i < list.count; i++) {
        int one = load_file(s, conf, &list.files[i], all, &error);
        if (one == 1) {
            s->complain(&error);
        }
        r = one ? one : r;
    }
    if (r == 0) {
        r = check_names(s, &error);
        r = r ? r : check_hosts(s, &error);
        if (r == 1) {
            s->complain(&error);
        }
    }
    list_free(&list);
    if (r) {
        tenants_rollback(s);
    }
    return r;
}

void tenants_rollback(struct supervisor *s)
{
    contracts_rollback(s);
    for (struct tenant **at = &s->list; *at;) {
        struct tenant *t = *at;
        if (t->changed) {
            *at = t->next;
            sk_table_remove(&s->fresh, &t->node);
            tenant_free(s, t);
        } else {
            at = &t->next;
        }
    }
}

/* All new images in one memfd, which can then neither be written nor resized by anyone. */
static int seal_images(struct supervisor *s, struct memory **out)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    uint64_t at = 0;
    int r = 0;
    if (!memory) {
        return -ENOMEM;
    }
    memory->fd = memfd_create("tenants", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    memory->refs = 1;
    for (struct tenant *t = s->list; r == 0 && memory->fd >= 0 && t; t = t->next) {
        if (!t->changed) {
            continue;
        }
        struct sk_slice image = sk_buf_peek(&t->image);
        r = pwrite(memory->fd, image.data, image.len, (off_t)at) == (ssize_t)image.len ? 0 : -EIO;
        t->offset = at;
        t->size = image.len;
        at = (at + image.len + 63) & ~UINT64_C(63);
    }
    if (memory->fd < 0 || r || fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)) {
        r = r ? r : -errno;
        memory_unref(memory);
        return r;
    }
    *out = memory;
    return 0;
}

/* The old one, if there is one, is in nobody's way any more; commit frees it. */
static void replace(struct supervisor *s, struct tenant *fresh, struct memory *memory)
{
    struct tenant *old = find(&s->tenants, fresh->id);
    fresh->slot = old ? old->slot : s->next_slot++ % SK_SHARED_TENANTS;
    fresh->synced = old && strcmp(old->digest, fresh->digest) == 0 && old->synced;
    fresh->memory = memory;
    memory->refs++;
    sk_buf_free(&fresh->image);
    sk_table_remove(&s->fresh, &fresh->node);
    if (old) {
        leave(s, old);
        old->seen = false;
    }
    enter(s, fresh);
}

void tenant_end(struct supervisor *s, struct tenant *t, const char *detail)
{
    struct tenant **at = &s->list;
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    record_for(s, t, SK_AUDIT_CONFIG_CHANGED, detail);
    announce_gone(s, t->id);
    leave(s, t);
    s->syncing = s->syncing == t ? NULL : s->syncing; /* its answer is nobody's */
    tenant_free(s, t);
}

int tenants_commit(struct supervisor *s, unsigned *changed, unsigned *gone)
{
    struct memory *memory = NULL;
    int r = seal_images(s, &memory);
    *changed = *gone = 0;
    if (!memory) {
        tenants_rollback(s);
        return r;
    }
    for (struct tenant *t = s->list; t; t = t->next) {
        if (t->changed) {
            contract_goes_on(s, t->id);
            replace(s, t, memory);
            ++*changed;
        }
    }
    for (struct tenant **at = &s->list; *at;) {
        struct tenant *t = *at;
        if (t->seen) {
            at = &t->next;
            continue;
        }
        if (find(&s->tenants, t->id) == t) {
            tenant_end(s, t, "the tenant is no more");
            ++*gone;
        } else {
            *at = t->next;
            tenant_free(s, t);
        }
    }
    contracts_commit(s);
    memory_unref(memory);
    s->syncing = NULL;
    return 0;
}

static bool wants(const struct tenant *t, const struct source *source)
{
    for (size_t i = 0; i < t->sources_count; i++) {
        if (t->sources[i] == source) {
            return true;
        }
    }
    return false;
}

/* The image again, from where the processes have it. */
static int refill(struct supervisor *s, struct tenant *t)
{
    struct sk_buf bytes SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(IMAGE_MAX);
    char *to = sk_buf_reserve(&bytes, (size_t)t->size);
    if (!to || pread(t->memory->fd, to, (size_t)t->size, (off_t)t->offset) != (ssize_t)t->size) {
        return -EIO;
    }
    sk_buf_commit(&bytes, (size_t)t->size);
    int r = fill(s, t, sk_buf_peek(&bytes));
    return r ? r : read_settings(t);
}

void tenants_refill(struct supervisor *s, const struct source *source)
{
    struct memory *memory = NULL;
    for (struct tenant *t = s->list; t; t = t->next) {
        t->changed = wants(t, source) && refill(s, t) == 0;
    }
    if (seal_images(s, &memory) || !memory) {
        return;
    }
    for (struct tenant *t = s->list; t; t = t->next) {
        if (t->changed) {
            memory_unref(t->memory);
            t->memory = memory;
            memory->refs++;
            sk_buf_free(&t->image);
            if (!t->untold) {
                announce_everywhere(s, t); /* else with what the store is to have first */
            }
        }
    }
    memory_unref(memory);
    if (s->synced) {
        announce_loaded(s);
    }
}

int tenant_reread(struct tenant *t, struct sk_buf *text, struct sk_conf_tenant **parsed)
{
    struct sk_conf_error error;
    struct tenant probe = {.file = t->file};
    int r = sk_conf_read_file(t->file, text);
    r = r ? r : sk_conf_tenant_load(t->file, sk_buf_peek(text), parsed, &error);
    r = r ? r : digest(&probe, *parsed, sk_buf_peek(text), &error);
    if (r == 0 && strcmp(probe.digest, t->digest) != 0) {
        r = 1;
    }
    if (r && *parsed) {
        *parsed = sk_conf_tenant_free(*parsed);
    }
    return r ? 1 : 0;
}
