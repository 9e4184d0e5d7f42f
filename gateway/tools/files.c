/* Journal files in order. Runs in the tools. */
#include "tools/files.h"

#include "base/clock.h"
#include "crypto/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY 300

struct each {
    sk_journal_each each;
    void *context;
    struct sk_files_proof *proof;
};

/* 0, or negative. An empty file gives the null slice. */
static int map_file(const char *path, struct sk_slice *bytes)
{
    struct stat info = {0};
    *bytes = SK_SLICE_NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r = fd < 0 || fstat(fd, &info) ? -errno : 0;
    if (r == 0 && !S_ISREG(info.st_mode)) {
        r = S_ISDIR(info.st_mode) ? -EISDIR : -EINVAL;
    }
    if (r == 0 && info.st_size > 0) {
        void *at = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        r = at == MAP_FAILED ? -errno : 0;
        *bytes = r ? SK_SLICE_NULL : sk_slice(at, (size_t)info.st_size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return r;
}

static void unmap(struct sk_slice bytes)
{
    if (bytes.data) {
        (void)munmap((void *)(uintptr_t)bytes.data, bytes.len);
    }
}

/* `named`: the number that the file's name says, or 0 when names do not count. */
static int add_file(struct sk_files *files, const char *path, uint64_t named, char *why)
{
    struct sk_slice bytes;
    struct sk_frame_file header;
    (void)snprintf(files->at, sizeof(files->at), "%s", path);
    int r = map_file(path, &bytes);
    if (r < 0) {
        (void)snprintf(why, WHY, "%s", strerror(-r));
        return 1;
    }
    int form = sk_journal_get_file(bytes, &header);
    unmap(bytes);
    if (form || (named && header.number != named)) {
        (void)snprintf(why, WHY, "%s", form == 2 ? "the file's format is another than this program's"
                        : form ? "not a journal file, or its header was changed"
                               : "the file's name is not that of its number: it was renamed");
        return 1;
    }
    struct sk_files_entry *more = reallocarray(files->entries, files->count + 1, sizeof(*more));
    if (!more) {
        (void)snprintf(why, WHY, "%s", strerror(ENOMEM));
        return 1;
    }
    files->entries = more;
    more[files->count] = (struct sk_files_entry){strdup(path), header};
    if (!more[files->count++].path) {
        (void)snprintf(why, WHY, "%s", strerror(ENOMEM));
        return 1;
    }
    return 0;
}

/* A folder without one is read all the same: what `head` would show is not shown then. */
static void read_head(struct sk_files *files, DIR *dir, const char *folder)
{
    char text[SK_JOURNAL_HEAD_SIZE];
    int fd = openat(dirfd(dir), SK_JOURNAL_HEAD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    struct sk_journal_head head = sk_journal_get_head(sk_slice(text, n > 0 ? (size_t)n : 0));
    if (head.file > files->head.file) {
        char name[40];
        sk_journal_file_name(head.file, name);
        (void)snprintf(files->head_path, sizeof(files->head_path), "%.4000s/%s", folder, name);
        files->head = head;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static int add_folder(struct sk_files *files, DIR *dir, const char *folder, char *why)
{
    int r = 0;
    read_head(files, dir, folder);
    for (struct dirent *entry; r == 0 && (entry = readdir(dir)) != NULL;) {
        uint64_t number = sk_journal_file_number(entry->d_name);
        char path[4200];
        if (number && (size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < sizeof(path)) {
            r = add_file(files, path, number, why);
        }
    }
    return r;
}

int sk_files_add(struct sk_files *files, const char *path, char *why)
{
    DIR *dir = opendir(path);
    if (!dir && errno == ENOTDIR) {
        return add_file(files, path, 0, why);
    }
    if (!dir) {
        (void)snprintf(why, WHY, "%s", strerror(errno));
        (void)snprintf(files->at, sizeof(files->at), "%s", path);
        return 1;
    }
    size_t before = files->count;
    int r = add_folder(files, dir, path, why);
    (void)closedir(dir);
    if (r == 0 && files->count == before) {
        (void)snprintf(files->at, sizeof(files->at), "%s", path);
        (void)snprintf(why, WHY, "the folder holds no journal file");
        r = 1;
    }
    return r;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct sk_files_entry *)a)->header.number, y = ((const struct sk_files_entry *)b)->header.number;
    return (x > y) - (x < y);
}

int sk_files_sort(struct sk_files *files, char *why)
{
    if (files->count) {
        qsort(files->entries, files->count, sizeof(*files->entries), compare);
    }
    for (size_t i = 1; i < files->count; i++) {
        if (files->entries[i].header.number == files->entries[i - 1].header.number) {
            (void)snprintf(why, WHY, "%.120s and %.120s are both file %llu", files->entries[i - 1].path, files->entries[i].path,
                    (unsigned long long)files->entries[i].header.number);
            return 1;
        }
    }
    return 0;
}

static int read_root_key(const char *path, uint8_t secret[SK_KEYS_SECRET], char *why)
{
    struct sk_slice root;
    int r = map_file(path, &root);
    if (r == 0 && root.len == SK_KEYS_SECRET) {
        sk_digest_derive(root, "audit", SK_SLICE_NULL, secret);
    } else {
        (void)snprintf(why, WHY, "%s", r ? strerror(-r) : "no root key: it has 32 bytes");
        r = 1;
    }
    unmap(root);
    return r;
}

/* What was erased but for copies, which this private key opens. */
static int recover(struct sk_files *files, const char *path, char *why)
{
    struct sk_slice pem;
    (void)snprintf(files->at, sizeof(files->at), "%s", path);
    int r = map_file(path, &pem);
    struct sk_wrap_key *key = r ? NULL : sk_wrap_private(pem);
    int recovered = key ? sk_keys_recover(files->keys, key) : 1;
    (void)sk_wrap_free(key);
    unmap(pem);
    if (r || recovered) {
        (void)snprintf(why, WHY, "%s", r ? strerror(-r) : recovered < 0 ? strerror(-recovered) : !key ? "no private RSA key in PEM" : "no tenant's key was left for this one");
    }
    return r || recovered;
}

int sk_files_open(struct sk_files *files, const char *root_key, const char *recovery_key, char *why)
{
    uint8_t secret[SK_KEYS_SECRET];
    const char *first = files->entries[0].path, *name = strrchr(first, '/');
    struct sk_slice bytes;
    (void)snprintf(files->at, sizeof(files->at), "%s", root_key);
    if (read_root_key(root_key, secret, why)) {
        return 1;
    }
    (void)snprintf(files->at, sizeof(files->at), "%.*s%s", name ? (int)(name + 1 - first) : 0, first, SK_KEYS_FILE);
    int r = map_file(files->at, &bytes);
    r = r ? r : sk_keys_new(secret, bytes, &files->keys, why);
    if (r < 0) {
        (void)snprintf(why, WHY, "%s", strerror(-r));
    }
    sk_wipe(secret, sizeof(secret));
    unmap(bytes);
    r = r == 0 && recovery_key ? recover(files, recovery_key, why) : r;
    return r != 0;
}

void sk_files_free(struct sk_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->entries[i].path);
    }
    free(files->entries);
    files->keys = sk_keys_free(files->keys);
    files->entries = NULL;
    files->count = 0;
}

static void on_record(void *context, const struct sk_journal_read *read)
{
    struct each *each = context;
    uint64_t wall = read->record ? read->record->wall : read->group->wall, first = each->proof->first_wall;
    each->proof->first_wall = !first || wall < first ? wall : first; /* packed, they come tenant by tenant */
    each->proof->last_wall = wall > each->proof->last_wall ? wall : each->proof->last_wall;
    if (each->each) {
        each->each(each->context, read);
    }
}

int sk_files_begin(const struct sk_files *files, sk_journal_stand each, void *context)
{
    struct sk_slice bytes;
    int r = map_file(files->entries[0].path, &bytes);
    if (r == 0) {
        (void)sk_journal_begins(bytes, each, context);
        unmap(bytes);
    }
    return r;
}

int sk_files_read(const struct sk_files *files, struct sk_files_proof *proof, sk_journal_each each, void *context)
{
    struct each all = {each, context, proof};
    int r = 0;
    uint64_t end = SK_FRAME_BLOCK;
    *proof = (struct sk_files_proof){.state = SK_JOURNAL_STATE_INIT, .complete = files->count && files->entries[0].header.number == 1};
    proof->state.keys = files->keys;
    for (size_t i = 0; r == 0 && i < files->count; i++) {
        struct sk_slice bytes;
        struct sk_frame_group first;
        uint64_t torn = 0;
        const uint8_t *until = i + 1 < files->count ? files->entries[i + 1].header.previous : NULL;
        proof->file = files->entries[i].path;
        r = map_file(proof->file, &bytes);
        if (r == 0 && i == 0 && bytes.len >= 2 * SK_FRAME_BLOCK &&
                !sk_frame_get_group((const uint8_t *)bytes.data + SK_FRAME_BLOCK, &first)) {
            proof->first_group = first.number;
        }
        r = r ? r : sk_journal_read(&proof->state, bytes, until, on_record, &all, &end, &torn, &proof->error);
        proof->torn += torn;
        proof->files += r == 0;
        unmap(bytes);
    }
    int lacks = r ? 0 : sk_journal_check_head(&proof->state, &files->head, end, &proof->error);
    proof->file = lacks == 2 ? files->head_path : proof->file;
    return lacks ? 1 : r;
}

void sk_files_proof_free(struct sk_files_proof *proof)
{
    sk_journal_state_free(&proof->state);
}
