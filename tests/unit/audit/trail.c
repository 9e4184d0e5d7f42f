/* The journal under test. Tests alone. */
#include "trail.h"

#include "journal/record.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int quick_create(int folder, const char *name, size_t size)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 || ftruncate(fd, (off_t)size) ? -errno : fd;
}

static int quick_write(int fd, struct sk_slice bytes, off_t at)
{
    return pwrite(fd, bytes.data, bytes.len, at) == (ssize_t)bytes.len ? 0 : -EIO;
}

static int quick_rename(int folder, const char *from, const char *to)
{
    return renameat2(folder, from, folder, to, RENAME_NOREPLACE) ? -errno : 0;
}

const struct sk_disk trail_quick = {quick_create, quick_write, quick_rename};

void trail_init(struct trail *t, const struct sk_disk *disk, size_t file_size)
{
    memset(t, 0, sizeof(*t));
    (void)snprintf(
            t->path, sizeof(t->path), "%s/sk-trail-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    cr_assert_neq(mkdtemp(t->path), NULL);
    t->set.disk = disk;
    t->set.file_size = file_size;
    t->set.folder = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(t->set.folder, 0);
}

void trail_free(struct trail *t)
{
    trail_kill(t);
    DIR *dir = opendir(t->path);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(t->set.folder, entry->d_name, 0);
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)close(t->set.folder);
    (void)rmdir(t->path);
}

int trail_open(struct trail *t)
{
    int r = sk_writer_open(&t->set, &t->writer, &t->found);
    if (r == 0) {
        /* What was added to the writer before is on disk by now, or never will be. */
        t->asked = t->count;
    }
    return r;
}

void trail_kill(struct trail *t)
{
    t->writer = sk_writer_free(t->writer);
}

static int add(struct trail *t, enum sk_audit_stage stage, uint32_t ref, struct sk_slice detail)
{
    uint32_t number = t->count + 1, request = ref ? ref : number;
    uint8_t id[SK_ID_SIZE] = {0x77};
    cr_assert_lt(number, TRAIL_RECORDS);
    memcpy(id + 4, &request, sizeof(request));
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = stage,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .request = sk_slice(id, sizeof(id)),
            .detail = detail,
            .bytes_in = number};
    record.tenant[0] = (uint8_t)(1 + request % 3);
    int r = sk_writer_add(t->writer, &record, 0);
    if (r == 0) {
        t->count = number;
        t->intent[number] = stage == SK_AUDIT_STAGE_INTENT;
        t->outcome[request] = ref ? number : 0;
    }
    return r;
}

int trail_add(struct trail *t, enum sk_audit_stage stage, uint32_t ref)
{
    return add(t, stage, ref, SK_LIT("a record"));
}

int trail_add_long(struct trail *t, size_t len)
{
    static char text[512];
    memset(text, 'x', sizeof(text));
    return add(t, SK_AUDIT_STAGE_SINGLE, 0, sk_slice(text, len < sizeof(text) ? len : sizeof(text)));
}

int trail_commit(struct trail *t)
{
    int r = sk_writer_commit(t->writer);
    for (uint32_t i = t->asked + 1; r == 0 && i <= t->count; i++) {
        t->acked[i] = true;
    }
    t->asked = r == 0 ? t->count : t->asked;
    return r;
}

void trail_spare(struct trail *t)
{
    if (sk_writer_claim_prepare(t->writer)) {
        sk_writer_prepare(t->writer);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t list(const struct trail *t, uint64_t numbers[256])
{
    size_t count = 0;
    DIR *dir = opendir(t->path);
    cr_assert_neq(dir, NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t number = sk_journal_file_number(entry->d_name);
        if (number && count < 256) {
            numbers[count++] = number;
        }
    }
    (void)closedir(dir);
    qsort(numbers, count, sizeof(*numbers), compare);
    return count;
}

uint64_t trail_last(const struct trail *t)
{
    uint64_t numbers[256];
    size_t count = list(t, numbers);
    return count ? numbers[count - 1] : 0;
}

uint8_t *trail_load(const struct trail *t, uint64_t number, size_t *len)
{
    char name[40];
    struct stat info;
    sk_journal_file_name(number, name);
    int fd = openat(t->set.folder, name, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &info) == 0, "%s", name);
    *len = (size_t)info.st_size;
    uint8_t *bytes = malloc(*len + 1);
    cr_assert(bytes && read(fd, bytes, *len) == (ssize_t)*len);
    (void)close(fd);
    return bytes;
}

void trail_store(const struct trail *t, uint64_t number, const void *bytes, size_t len)
{
    char name[40];
    sk_journal_file_name(number, name);
    int fd = openat(t->set.folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
}

bool trail_has(const struct trail *t, const char *name)
{
    return faccessat(t->set.folder, name, F_OK, 0) == 0;
}

void trail_last_group(const uint8_t *bytes, size_t len, size_t *start, size_t *end)
{
    struct sk_frame_group group;
    *start = *end = SK_FRAME_BLOCK;
    while (*end + SK_FRAME_BLOCK <= len && sk_frame_get_group(bytes + *end, &group) == 0) {
        *start = *end;
        *end += sk_frame_group_size(group.body);
    }
}

static void on_record(void *context, const struct sk_journal_read *read)
{
    struct trail *t = context;
    const struct sk_audit_record *record = read->record;
    uint32_t request = 0;
    t->read++;
    if (!record) {
        return; /* erased */
    }
    if (record->stage == SK_AUDIT_STAGE_UNKNOWN && record->request.len == SK_ID_SIZE) {
        memcpy(&request, record->request.data + 4, sizeof(request));
        t->unknown[request % TRAIL_RECORDS]++;
    } else if (record->bytes_in) {
        t->seen[record->bytes_in % TRAIL_RECORDS]++;
    }
}

struct sk_keys *trail_keys(const struct trail *t)
{
    struct stat info;
    struct sk_keys *keys = NULL;
    char why[160] = "";
    int fd = openat(t->set.folder, SK_KEYS_FILE, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &info) == 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    cr_assert(bytes && read(fd, bytes, (size_t)info.st_size) == info.st_size);
    cr_assert_eq(sk_keys_new(t->set.secret, sk_slice(bytes, (size_t)info.st_size), &keys, why), 0, "%s", why);
    (void)close(fd);
    free(bytes);
    return keys;
}

int trail_read(struct trail *t)
{
    uint64_t numbers[256], end;
    struct sk_keys *keys = trail_keys(t);
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    state.keys = keys;
    int r = 0;
    memset(t->seen, 0, sizeof(t->seen));
    memset(t->unknown, 0, sizeof(t->unknown));
    t->read = 0;
    t->files = list(t, numbers);
    uint8_t *next = NULL;
    size_t next_len = 0;
    for (size_t i = 0; r == 0 && i < t->files; i++) {
        struct sk_frame_file header;
        size_t len = next_len;
        uint8_t *bytes = next ? next : trail_load(t, numbers[i], &len);
        next = i + 1 < t->files ? trail_load(t, numbers[i + 1], &next_len) : NULL;
        bool follows = next && sk_journal_get_file(sk_slice(next, next_len), &header) == 0;
        sk_journal_file_name(numbers[i], t->error_file);
        r = sk_journal_read(&state, sk_slice(bytes, len), follows ? header.previous : NULL, on_record, t,
                &end, &t->torn, &t->error);
        free(bytes);
    }
    free(next);
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    return r;
}

int trail_pack(const struct trail *t, uint64_t number)
{
    struct packing_job job = {.disk = t->set.disk, .folder = t->set.folder, .file = number};
    memcpy(job.secret, t->set.secret, sizeof(job.secret));
    return packing_file(&job);
}

void trail_check(struct trail *t, const char *what, long number)
{
    int r = trail_read(t);
    cr_assert_eq(r, 0, "%s %ld: %s, offset %lu: %s", what, number, t->error_file,
            (unsigned long)t->error.offset, t->error.text);
    for (uint32_t i = 1; i < TRAIL_RECORDS; i++) {
        cr_assert_leq(t->seen[i], 1, "%s %ld: record %u is there twice", what, number, i);
        cr_assert(!t->acked[i] || t->seen[i], "%s %ld: record %u was acknowledged and is gone", what, number,
                i);
        cr_assert(i <= t->count || !t->seen[i], "%s %ld: record %u was never added", what, number, i);
        cr_assert_leq(t->unknown[i], 1, "%s %ld: intent %u became unknown %u times", what, number, i,
                t->unknown[i]);
    }
}

void trail_check_closed(struct trail *t, const char *what, long number)
{
    trail_check(t, what, number);
    for (uint32_t i = 1; i <= t->count; i++) {
        unsigned ends = t->unknown[i] + (t->outcome[i] ? t->seen[t->outcome[i]] : 0);
        cr_assert(!t->intent[i] || !t->seen[i] || ends == 1, "%s %ld: intent %u has %u ends", what, number, i,
                ends);
    }
}
