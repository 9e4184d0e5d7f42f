/* The store under test. Tests alone. */
#include "shop.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    long files, memory, more, failed;
} fault = {.files = INT32_MAX, .memory = INT32_MAX};

static bool fires(long *countdown)
{
    bool now = *countdown != INT32_MAX && (*countdown)-- <= 0 && fault.failed < fault.more;
    fault.failed += now;
    return now;
}

void shop_fail_files(long n, long more)
{
    shop_fail_none();
    fault.files = n;
    fault.more = more;
}

void shop_fail_memory(long n, long more)
{
    shop_fail_none();
    fault.memory = n;
    fault.more = more;
}

void shop_fail_none(void)
{
    fault.files = fault.memory = INT32_MAX;
    fault.failed = 0;
}

long shop_failed(void)
{
    return fault.failed;
}

/* ---- memory ---- */

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return fires(&fault.memory) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fires(&fault.memory) ? NULL : __real_calloc(count, size);
}

static sqlite3_mem_methods plain_memory;

static void *sqlite_malloc(int size)
{
    return fires(&fault.memory) ? NULL : plain_memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fires(&fault.memory) ? NULL : plain_memory.xRealloc(old, size);
}

/* ---- files ---- */

/* What SQLite sees: our methods, and the real file behind. */
struct shim {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct shim *)(void *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    int r = real(file)->pMethods ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
    free(real(file));
    return r;
}

static int shim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    return real(file)->pMethods->xRead(real(file), to, len, at);
}

static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    if (fires(&fault.files)) {
        (void)real(file)->pMethods->xWrite(real(file), from, len / 2, at);
        return fault.failed % 2 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return real(file)->pMethods->xWrite(real(file), from, len, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fires(&fault.files) ? SQLITE_IOERR_TRUNCATE : real(file)->pMethods->xTruncate(real(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    return fires(&fault.files) ? SQLITE_IOERR_FSYNC : real(file)->pMethods->xSync(real(file), flags);
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int shim_lock(sqlite3_file *file, int lock)
{
    return real(file)->pMethods->xLock(real(file), lock);
}

static int shim_unlock(sqlite3_file *file, int lock)
{
    return real(file)->pMethods->xUnlock(real(file), lock);
}

static int shim_reserved(sqlite3_file *file, int *out)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int shim_control(sqlite3_file *file, int op, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), op, argument);
}

static int shim_sector(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int shim_device(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int shim_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return fires(&fault.files) ? SQLITE_IOERR_SHMMAP
                               : real(file)->pMethods->xShmMap(real(file), region, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real(file)->pMethods->xShmBarrier(real(file));
}

static int shim_shm_unmap(sqlite3_file *file, int erase)
{
    return real(file)->pMethods->xShmUnmap(real(file), erase);
}

static const sqlite3_io_methods methods = {2, shim_close, shim_read, shim_write, shim_truncate, shim_sync,
        shim_size, shim_lock, shim_unlock, shim_reserved, shim_control, shim_sector, shim_device,
        shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap, NULL, NULL};

static sqlite3_vfs *plain_files, shim_vfs;

static int shim_open(sqlite3_vfs *vfs sk_unused, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct shim *shim = (void *)file;
    file->pMethods = NULL;
    if (fires(&fault.files)) {
        return SQLITE_CANTOPEN;
    }
    shim->real = __real_calloc(1, (size_t)plain_files->szOsFile);
    int r = shim->real ? plain_files->xOpen(plain_files, name, shim->real, flags, out) : SQLITE_NOMEM;
    if (r == SQLITE_OK) {
        file->pMethods = &methods;
    } else {
        free(shim->real);
    }
    return r;
}

static int shim_delete(sqlite3_vfs *vfs sk_unused, const char *name, int sync)
{
    return fires(&fault.files) ? SQLITE_IOERR_DELETE : plain_files->xDelete(plain_files, name, sync);
}

static void install(void)
{
    static bool done;
    if (done) {
        return;
    }
    done = true;
    sqlite3_mem_methods memory;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory), SQLITE_OK);
    memory = plain_memory;
    memory.xMalloc = sqlite_malloc;
    memory.xRealloc = sqlite_realloc;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory), SQLITE_OK);
    plain_files = sqlite3_vfs_find(NULL);
    shim_vfs = *plain_files;
    shim_vfs.zName = "shim";
    shim_vfs.pNext = NULL;
    shim_vfs.szOsFile = (int)sizeof(struct shim);
    shim_vfs.xOpen = shim_open;
    shim_vfs.xDelete = shim_delete;
    cr_assert_eq(sqlite3_vfs_register(&shim_vfs, 1), SQLITE_OK);
}

/* ---- the shop ---- */

void shop_init(struct shop *shop)
{
    install();
    memset(shop, 0, sizeof(*shop));
    memset(shop->key, 0x5a, sizeof(shop->key));
    (void)snprintf(shop->path, sizeof(shop->path), "%s/sk-shop-XXXXXX",
            access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    cr_assert_neq(mkdtemp(shop->path), NULL);
    cr_assert_eq(sk_engine_open(shop->path, shop->key, &shop->engine), 0);
}

static void each_file(const char *path, void (*each)(void *context, const char *path), void *context)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char name[512];
        struct stat info;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && lstat(name, &info) == 0) {
            if (S_ISDIR(info.st_mode)) {
                each_file(name, each, context);
            } else {
                each(context, name);
            }
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static void remove_file(void *context sk_unused, const char *path)
{
    (void)unlink(path);
}

void shop_free(struct shop *shop)
{
    char tenants[80];
    shop_fail_none();
    shop->engine = sk_engine_free(shop->engine);
    each_file(shop->path, remove_file, NULL);
    (void)snprintf(tenants, sizeof(tenants), "%s/tenants", shop->path);
    (void)rmdir(tenants);
    (void)rmdir(shop->path);
}

int shop_reopen(struct shop *shop)
{
    shop->engine = sk_engine_free(shop->engine);
    return sk_engine_open(shop->path, shop->key, &shop->engine);
}

void shop_tenant(unsigned n, uint8_t id[SK_ID_SIZE])
{
    memset(id, 0, SK_ID_SIZE);
    id[0] = 0xab;
    memcpy(id + 1, &n, sizeof(n));
}

void shop_file(const struct shop *shop, unsigned n, char out[160])
{
    uint8_t id[SK_ID_SIZE];
    char hex[2 * SK_ID_SIZE + 1];
    shop_tenant(n, id);
    sk_hex_encode(id, sizeof(id), hex);
    if (n) {
        (void)snprintf(out, 160, "%s/tenants/%s.db", shop->path, hex);
    } else {
        (void)snprintf(out, 160, "%s/operator.db", shop->path);
    }
}

void shop_sql(const struct shop *shop, unsigned n, const char *sql)
{
    char path[160], *why = NULL;
    sqlite3 *db;
    shop_file(shop, n, path);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s: %s", sql, why);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

struct grep {
    const char *text;
    size_t hits;
};

static void grep_file(void *context, const char *path)
{
    struct grep *grep = context;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &info) == 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    cr_assert(bytes && read(fd, bytes, (size_t)info.st_size) == info.st_size);
    (void)close(fd);
    const char *at = bytes, *end = bytes + info.st_size;
    while ((at = memmem(at, (size_t)(end - at), grep->text, strlen(grep->text))) != NULL) {
        grep->hits++;
        at++;
    }
    free(bytes);
}

size_t shop_grep(const struct shop *shop, const char *text)
{
    struct grep grep = {text, 0};
    each_file(shop->path, grep_file, &grep);
    return grep.hits;
}

int shop_begin(struct shop *shop, unsigned tenant, const char *digest)
{
    struct sk_store_begin begin = {
            .name = SK_LIT("acme"), .service = SK_LIT("dns"), .digest = sk_slice_str(digest)};
    shop_tenant(tenant, begin.tenant);
    return sk_engine_begin(shop->engine, &begin);
}

int shop_user(struct shop *shop, unsigned tenant, const char *name, const char *hash)
{
    struct sk_store_user user = {
            .name = sk_slice_str(name), .hash = sk_slice_str(hash), .roles = SK_LIT("viewer")};
    shop_tenant(tenant, user.tenant);
    return sk_engine_put_user(shop->engine, &user);
}

int shop_secret(struct shop *shop, unsigned tenant, const char *app, const char *header, const char *value)
{
    struct sk_store_secret secret = {
            .app = sk_slice_str(app), .header = sk_slice_str(header), .value = sk_slice_str(value)};
    shop_tenant(tenant, secret.tenant);
    return sk_engine_put_secret(shop->engine, &secret);
}

int shop_end(struct shop *shop, unsigned tenant, char changed[256])
{
    struct sk_buf names SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    uint8_t id[SK_ID_SIZE];
    shop_tenant(tenant, id);
    int r = sk_engine_end(shop->engine, id, &names);
    struct sk_slice text = sk_buf_peek(&names);
    (void)snprintf(changed, 256, "%.*s", (int)text.len, text.data ? text.data : "");
    return r;
}

int shop_import(struct shop *shop, unsigned tenant, const char *digest, const char *users, char changed[256])
{
    struct sk_slice rest = sk_slice_str(users);
    char name[64], hash[64];
    int r = shop_begin(shop, tenant, digest);
    changed[0] = '\0';
    while (r == 0 && rest.len) {
        struct sk_slice user = sk_slice_split(&rest, ' '), first = sk_slice_split(&user, ':');
        (void)snprintf(name, sizeof(name), "%.*s", (int)first.len, first.data);
        (void)snprintf(hash, sizeof(hash), "%.*s", (int)user.len, user.data);
        r = shop_user(shop, tenant, name, hash);
    }
    if (r < 0) {
        sk_engine_cancel(shop->engine); /* as the store does */
    }
    return r ? r : shop_end(shop, tenant, changed);
}

const char *shop_hash(struct shop *shop, unsigned tenant, const char *name)
{
    static char hash[600];
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_user get = {.ticket = 3, .name = sk_slice_str(name)};
    struct sk_store_got_user got = {.ticket = 0};
    shop_tenant(tenant, get.tenant);
    int r = sk_engine_get_user(shop->engine, &get, &buf, &got);
    if (r) {
        return r > 0 ? "-" : "!";
    }
    cr_assert(got.ticket == 3 && sk_slice_eq(got.name, get.name));
    (void)snprintf(hash, sizeof(hash), "%.*s", (int)got.hash.len, got.hash.data);
    return hash;
}

int shop_put_session(struct shop *shop, unsigned tenant, const char *key, const char *subject, uint64_t used)
{
    struct sk_store_put_session put = {.key = sk_slice_str(key),
            .subject = sk_slice_str(subject),
            .started = 5,
            .used = used,
            .proofs = SK_LIT("password@1700000000")};
    shop_tenant(tenant, put.tenant);
    return sk_engine_put_session(shop->engine, &put);
}

int shop_drop_session(struct shop *shop, unsigned tenant, const char *key)
{
    struct sk_store_drop_sessions drop = {.key = sk_slice_str(key)};
    uint64_t count;
    shop_tenant(tenant, drop.tenant);
    return sk_engine_drop_sessions(shop->engine, &drop, &count);
}

int shop_get_session(struct shop *shop, unsigned tenant, const char *key, uint64_t *used)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_get_session get = {.ticket = 4, .key = sk_slice_str(key)};
    struct sk_store_got_session got = {.ticket = 0};
    shop_tenant(tenant, get.tenant);
    int r = sk_engine_get_session(shop->engine, &get, &buf, &got);
    cr_assert(r || (sk_slice_eq(got.key, get.key) && got.ticket == 4 && got.started == 5));
    *used = got.used;
    return r;
}
