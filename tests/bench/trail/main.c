/*
 * What a durable record costs: the disk's own flush, the writer alone, the audit program over its rings with a signer beside it, the size of what it
 * writes, the time to prove that, and the time to start again after kill -9. Prints a row for each, with the aim where there is one.
 *
 * bench-trail BUILD FOLDER RECORDS [--json]
 */
#include "programs.h"

#include "audit/packing.h"
#include "base/clock.h"
#include "journal/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TENANTS 100U
#define FLUSHES 2000U

/* F: the median of one synchronous write of a block into a file that is all zeros, in milliseconds. */
static double measure_flush(const char *folder)
{
    static double took[FLUSHES];
    static _Alignas(4096) char block[4096];
    char name[] = "flush";
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = sk_disk_real.create(dir, name, (size_t)FLUSHES * sizeof(block));
    die_unless(dir >= 0 && fd >= 0, "a file to flush");
    memset(block, 'f', sizeof(block));
    for (unsigned i = 0; i < FLUSHES; i++) {
        uint64_t begun = sk_clock_boot();
        die_unless(sk_disk_real.write(fd, sk_slice(block, sizeof(block)), (off_t)(i * sizeof(block))) == 0, "a flush");
        took[i] = seconds(begun) * 1e3;
    }
    (void)close(fd);
    (void)unlinkat(dir, name, 0);
    (void)close(dir);
    qsort(took, FLUSHES, sizeof(*took), compare_doubles);
    row("one flush of 4 KiB, F: median", took[FLUSHES / 2], "ms", 0, true);
    row("one flush of 4 KiB: 99th of 100", took[FLUSHES / 100 * 99], "ms", 0, true);
    return took[FLUSHES / 2];
}

static double own_time(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void remove_all(const char *folder)
{
    char path[8192];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        (void)snprintf(path, sizeof(path), "%.4000s/%.200s", folder, entry->d_name);
        (void)unlink(path);
    }
    if (dir) {
        (void)closedir(dir);
    }
}

/* The writer alone: groups as full as it takes them. */
static void measure_writer(const struct programs *p, uint64_t count)
{
    static struct records records;
    static struct sk_table stands;
    struct sk_writer_settings set = {.disk = &sk_disk_real, .file_size = (size_t)256 << 20, .stands = &stands};
    struct sk_writer_found found;
    struct sk_writer *writer;
    records_init(&records, TENANTS);
    set.folder = open(p->journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    die_unless(sk_writer_open(&set, &writer, &found) == 0, "the writer");
    uint64_t begun = sk_clock_boot();
    double making = 0, before = own_time();
    for (uint64_t i = 0; i < count; i++) {
        struct sk_audit_record record = *records_next(&records);
        die_unless(sk_writer_add(writer, &record, 0) == 0, "a record");
        if (sk_writer_full(writer) || i + 1 == count) {
            die_unless(sk_writer_commit(writer) == 0, "a group");
            sk_writer_signed(writer, sk_writer_unsigned(writer).len);
            if (sk_writer_claim_prepare(writer)) {
                sk_writer_prepare(writer);
            }
        }
    }
    double took = seconds(begun), used = own_time() - before;
    records_init(&records, TENANTS);
    before = own_time();
    for (uint64_t i = 0; i < count; i++) {
        (void)records_next(&records);
    }
    making = own_time() - before;
    (void)sk_writer_free(writer);
    (void)close(set.folder);
    row("the writer alone: durable records", (double)count / (took - making), "/s", 200000, false);
    row("the writer alone: processor time", (used - making) / (double)count * 1e6, "us/record", 0, true);
    remove_all(p->journal);
}

struct flight {
    struct sk_ring *ring;
    struct records *records;
    uint64_t left, done;
    uint64_t put[4096]; /* when; by the record's number */
    double *took;       /* ms; NULL: not asked for */
};

static void put_one(struct flight *f)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    size_t len = sk_record_encode(records_next(f->records), cbor);
    f->put[f->ring->count % SK_COUNT(f->put)] = sk_clock_boot();
    die_unless(sk_ring_put(f->ring, sk_slice(cbor, len)) == 0, "a ring is full");
    f->left--;
}

/* `deep` records of each ring are on their way at any time. */
static double fly(struct programs *p, uint64_t count, unsigned deep, double *took)
{
    static struct records records;
    static struct flight flights[PROGRAMS_RINGS];
    uint64_t begun, open = p->rings_count;
    records_init(&records, TENANTS);
    for (unsigned i = 0; i < p->rings_count; i++) {
        flights[i] = (struct flight){.ring = &p->rings[i], .records = &records, .left = count / p->rings_count, .done = sk_ring_durable(&p->rings[i]), .took = took};
    }
    begun = sk_clock_boot();
    for (unsigned i = 0; i < p->rings_count; i++) {
        for (unsigned n = 0; n < deep && flights[i].left; n++) {
            put_one(&flights[i]);
        }
        sk_ring_ring(flights[i].ring);
    }
    for (uint64_t n = 0; open;) {
        struct pollfd wakes[PROGRAMS_RINGS];
        for (unsigned i = 0; i < p->rings_count; i++) {
            wakes[i] = (struct pollfd){.fd = flights[i].ring->wake, .events = POLLIN};
        }
        die_unless(poll(wakes, p->rings_count, 10000) > 0, "no record became durable for 10 s");
        open = 0;
        for (unsigned i = 0; i < p->rings_count; i++) {
            struct flight *f = &flights[i];
            die_unless((!wakes[i].revents || sk_ring_woken(f->ring)) && !sk_ring_failed(f->ring), "audit failed");
            uint64_t durable = sk_ring_durable(f->ring), now = sk_clock_boot();
            for (; f->done < durable; f->done++) {
                if (f->took) {
                    f->took[n++] = (double)(now - f->put[f->done % SK_COUNT(f->put)]) / 1e6;
                }
                if (f->left) {
                    put_one(f);
                }
            }
            sk_ring_ring(f->ring);
            open += f->done < f->ring->count;
        }
    }
    return seconds(begun);
}

static void measure_latency(struct programs *p, uint64_t count, double flush)
{
    double *took = calloc(count, sizeof(*took));
    die_unless(took != NULL, "memory");
    double all = fly(p, count, 64 / p->rings_count, took);
    qsort(took, count, sizeof(*took), compare_doubles);
    row("64 in flight: a record is durable after, median", took[count / 2], "ms", flush + 0.1, true);
    row("64 in flight: a record is durable after, 99th of 100", took[count / 100 * 99], "ms", 3 * flush + 0.3, true);
    row("64 in flight: durable records", (double)count / all, "/s", 0, false);
    free(took);
}

static void measure_rate(struct programs *p, uint64_t count)
{
    double before = programs_time(p), all = fly(p, count, 1024, NULL), used = programs_time(p) - before;
    row("2048 in flight: durable records", (double)count / all, "/s", 50000, false);
    row("2048 in flight: processor time of audit and signer", used / (double)count * 1e6, "us/record", 20, true);
}

static bool is_packed(int fd)
{
    struct sk_frame_file header;
    uint8_t block[SK_FRAME_BLOCK];
    return pread(fd, block, sizeof(block), 0) == (ssize_t)sizeof(block) && sk_journal_get_file(sk_slice(block, sizeof(block)), &header) == 0 && header.packed;
}

/* Of the journal's files, what is used. */
static uint64_t used_bytes(const char *folder)
{
    uint64_t used = 0;
    char path[8192];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        struct stat info;
        if (!sk_journal_file_number(entry->d_name)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%.4000s/%.200s", folder, entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct sk_frame_group group;
        uint8_t header[SK_FRAME_GROUP_HEADER];
        die_unless(fd >= 0 && fstat(fd, &info) == 0, path);
        off_t at = is_packed(fd) ? info.st_size : (off_t)SK_FRAME_BLOCK;
        while (pread(fd, header, sizeof(header), at) == sizeof(header) && sk_frame_get_group(header, &group) == 0) {
            at += (off_t)sk_frame_group_size(group.body);
        }
        used += (uint64_t)at;
        (void)close(fd);
    }
    (void)closedir(dir);
    return used;
}

/* All files but the newest. */
static void pack_all(const struct programs *p)
{
    struct packing_job job = {.disk = &sk_disk_real, .folder = open(p->journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .file = 1};
    int r = job.folder < 0;
    programs_secret("audit", job.secret);
    for (; r >= 0; job.file++) {
        r = packing_file(&job);
        die_unless(r >= 0 || r == -ENOENT, "a file to be packed");
    }
    (void)close(job.folder);
}

static double verify(const char *build, const struct programs *p, const char *root_key)
{
    char path[8192];
    (void)snprintf(path, sizeof(path), "%.4000s/gateway/tools/sekisho-verify", build);
    uint64_t begun = sk_clock_boot();
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)execl(path, path, p->journal, root_key ? "--root-key" : NULL, root_key, (char *)NULL);
        _exit(127);
    }
    die_unless(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "sekisho-verify");
    return seconds(begun);
}

int main(int argc, char **argv)
{
    static struct programs p;
    uint64_t count = 0;
    char root_key[4200];
    row_json = argc == 5 && strcmp(argv[4], "--json") == 0;
    if (argc < 4 || argc > 5 || sk_slice_u64(sk_slice_str(argv[3]), 100000000, &count) || count < 1000 || count % 8) {
        (void)fprintf(stderr, "Usage: bench-trail BUILD FOLDER RECORDS [--json]    RECORDS: a multiple of 8, from 1000 on\n");
        return 2;
    }
    programs_init(&p, argv[2]);
    double flush = measure_flush(p.journal);
    measure_writer(&p, count);
    row("a first start", programs_start(&p, argv[1], TENANTS, 2), "s", 0, true);
    measure_latency(&p, count / 4, flush);
    measure_rate(&p, count);
    programs_kill(&p);
    row("a start after kill -9", programs_start(&p, argv[1], TENANTS, 2), "s", 2, true);
    programs_stop(&p);
    uint64_t written = count / 4 + count;
    row("on disk, as it is written", (double)used_bytes(p.journal) / (double)written, "B/record", 0, true);
    row("sekisho-verify", (double)written / verify(argv[1], &p, NULL), "/s", 1000000, false);
    programs_root_key(&p, root_key);
    row("sekisho-verify --root-key", (double)written / verify(argv[1], &p, root_key), "/s", 0, false);
    pack_all(&p);
    row("on disk, all files but the newest packed", (double)used_bytes(p.journal) / (double)written, "B/record", 0, true);
    row("packed: sekisho-verify", (double)written / verify(argv[1], &p, NULL), "/s", 1000000, false);
    row("packed: sekisho-verify --root-key", (double)written / verify(argv[1], &p, root_key), "/s", 0, false);
    return 0;
}
