/*
 * What a search costs: a journal of so many records is written and packed by the audit program's own code, indexed as the reader does it, and asked. Prints a row
 * for each figure, with the aim where there is one.
 *
 * bench-search FOLDER RECORDS TENANTS [--json]
 */
#include "records.h"
#include "row.h"

#include "audit/packing.h"
#include "base/clock.h"
#include "ipc/serving.h"
#include "reader/find.h"
#include "reader/follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUESTIONS 400U
#define NEWEST 100U

static const uint8_t secret[SK_KEYS_SECRET];
static struct follow_goal goal;
static int journal, indexes;
static unsigned tenants;
static uint64_t began, ended; /* wall, ms */

static double packing; /* s */

/* All files but the newest, as far as they are not. */
static void pack(const struct sk_writer *writer)
{
    static struct packing_job job = {.file = 1};
    uint64_t begun = sk_clock_boot(), last = sk_writer_place(writer).last;
    job.disk = &sk_disk_real;
    job.folder = journal;
    for (; job.file < last; job.file++) {
        die_unless(packing_file(&job) == 0, "a file to be packed");
        packing += seconds(begun);
        begun = sk_clock_boot();
    }
}

static uint64_t bytes_in(int folder)
{
    uint64_t bytes = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    die_unless(dir != NULL, "a folder");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat info;
        bool is_file = fstatat(folder, entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode) && strcmp(entry->d_name, "spare") != 0;
        bytes += is_file ? (uint64_t)info.st_size : 0;
    }
    (void)closedir(dir);
    return bytes;
}

static void write_journal(uint64_t count)
{
    static struct records records;
    struct sk_writer_settings set = {.disk = &sk_disk_real, .file_size = (size_t)256 << 20, .folder = journal};
    struct sk_writer_found found;
    struct sk_writer *writer;
    uint8_t id[SK_ID_SIZE];
    records_init(&records, tenants);
    die_unless(sk_writer_open(&set, &writer, &found) == 0, "the writer");
    for (unsigned i = 0; i < tenants; i++) {
        records_tenant(i, id);
        die_unless(sk_writer_tenant(writer, id, id, UINT64_MAX) == 0, "a tenant");
    }
    began = sk_clock_wall() / SK_MILLISECOND;
    for (uint64_t i = 0; i < count; i++) {
        struct sk_audit_record record = *records_next(&records);
        die_unless(sk_writer_add(writer, &record, 1) == 0, "a record");
        if (sk_writer_full(writer) || i + 1 == count) {
            die_unless(sk_writer_commit(writer) == 0, "a group");
            if (sk_writer_claim_prepare(writer)) {
                sk_writer_prepare(writer);
                pack(writer);
            }
        }
    }
    ended = sk_clock_wall() / SK_MILLISECOND;
    pack(writer);
    struct sk_writer_place place = sk_writer_place(writer);
    goal = (struct follow_goal){.first = place.first, .last = place.last, .end = place.end};
    (void)sk_writer_free(writer);
}

static void bring(struct follow *f)
{
    char name[40] = SK_KEYS_FILE;
    if (f->need != SK_SERVING_KEYS) {
        sk_journal_file_name(f->need, name);
    }
    int fd = openat(journal, name, O_RDONLY | O_CLOEXEC);
    die_unless(fd >= 0 && follow_bring(f, f->need, fd) == 0, name);
}

/* Until all is indexed; and then, when `stored`, until all is stored that can be. */
static void follow_all(struct follow *f, bool stored)
{
    enum follow_step step;
    do {
        step = follow_step(f, &goal);
        die_unless(step != FOLLOW_BROKEN, f->error.text);
        if (step == FOLLOW_NEED) {
            bring(f);
        }
        follow_store(f);
        struct pollfd ready = {.fd = f->ready, .events = POLLIN};
        if (f->storing && poll(&ready, 1, step == FOLLOW_WAIT || step == FOLLOW_LEVEL ? 10000 : 0) > 0) {
            die_unless(follow_stored(f) == 0, "an index");
        }
    } while (step != FOLLOW_LEVEL || (stored && f->storing));
}

/* ---- asking ---- */

static bool count_to_newest(void *context, const struct sk_audit_record *record, struct sk_slice cbor, struct sk_sealing *sealing)
{
    (void)record;
    (void)sealing;
    (void)cbor;
    return ++*(unsigned *)context < NEWEST;
}

static void put_term(struct sk_buf *terms, enum sk_term_field field, const char *text)
{
    uint8_t made[2 * SK_TERM_VALUE + 2];
    struct sk_term term;
    die_unless(sk_term_read(field, sk_slice_str(text), made, &term) == 0 && sk_term_put(terms, &term) == 0, text);
}

struct kind {
    const char *name;
    void (*ask)(struct sk_buf *terms, struct question *question, unsigned n);
    bool counts;
};

static void ask_newest(struct sk_buf *terms, struct question *question, unsigned n)
{
    (void)terms;
    (void)question;
    (void)n;
}

static void ask_subject(struct sk_buf *terms, struct question *question, unsigned n)
{
    char text[64];
    (void)question;
    (void)snprintf(text, sizeof(text), "user%03u@example.test", n * 37 % 1000);
    put_term(terms, SK_TERM_SUBJECT, text);
}

static void ask_address(struct sk_buf *terms, struct question *question, unsigned n)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "10.%u.%u.0/24", question->tenant[0], n % 62);
    put_term(terms, SK_TERM_ADDRESS, text);
}

static void ask_path(struct sk_buf *terms, struct question *question, unsigned n)
{
    char text[128];
    (void)question;
    (void)snprintf(text, sizeof(text), "/api/v1/servers/localhost/zones/zone%u.example./*", n * 97 % 5000);
    put_term(terms, SK_TERM_PATH, text);
}

static void ask_denied(struct sk_buf *terms, struct question *question, unsigned n)
{
    ask_subject(terms, question, n);
    put_term(terms, SK_TERM_DECISION, "deny");
}

static void ask_three(struct sk_buf *terms, struct question *question, unsigned n)
{
    ask_denied(terms, question, n);
    put_term(terms, SK_TERM_METHOD, "DELETE");
}

static void ask_hour(struct sk_buf *terms, struct question *question, unsigned n)
{
    ask_subject(terms, question, n);
    question->from = began + (ended - began) * (n % 90) / 100;
    question->to = question->from + (ended - began) / 100;
}

static void ask_nobody(struct sk_buf *terms, struct question *question, unsigned n)
{
    char text[64];
    (void)question;
    (void)snprintf(text, sizeof(text), "nobody%u", n);
    put_term(terms, SK_TERM_SUBJECT, text);
}

static void ask_request(struct sk_buf *terms, struct question *question, unsigned n)
{
    char text[64];
    (void)question;
    (void)snprintf(text, sizeof(text), "%032x", n * 2654435761U);
    put_term(terms, SK_TERM_REQUEST, text);
}

static const struct kind kinds[] = {{"the newest", ask_newest, false}, {"by subject", ask_subject, false}, {"by address, a /24", ask_address, false},
        {"by path, all below one", ask_path, false}, {"by subject, denied", ask_denied, false}, {"by subject, denied, with DELETE", ask_three, false},
        {"by subject, in a hundredth of the time", ask_hour, false}, {"by a subject that there is not", ask_nobody, false},
        {"by a request that there is not", ask_request, false}, {"counts of all, 100 steps", ask_newest, true}, {"counts by subject, 100 steps", ask_subject, true}};

/* As the reader does it, a file a turn. */
static int find_all(const struct follow *f, const struct question *question, unsigned *found)
{
    struct sk_sealing sealing = {.day = 0};
    bool enough = false;
    int r = 0;
    for (size_t i = f->segments.count; r == 0 && !enough && i--;) {
        r = find_in(&f->segments.all[i], f->keys, question, &sealing, count_to_newest, found, &enough);
    }
    sk_sealing_free(&sealing);
    return r;
}

static int count_all(const struct follow *f, const struct question *question, uint64_t step, struct find_count *counts)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < f->segments.count; i++) {
        r = find_counts_in(&f->segments.all[i], f->keys, question, step, counts);
    }
    return r;
}

static double ask(const struct follow *f, const struct kind *kind, unsigned n)
{
    static struct find_count counts[101];
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    struct question question = {.from = 0};
    unsigned found = 0;
    uint64_t begun;
    records_tenant(n % tenants, question.tenant);
    kind->ask(&terms, &question, n);
    question.terms = sk_buf_peek(&terms);
    begun = sk_clock_boot();
    if (kind->counts) {
        question.from = began;
        question.to = ended;
        die_unless(count_all(f, &question, (ended - began) / 100 + 1, counts) == 0, kind->name);
    } else {
        die_unless(find_all(f, &question, &found) == 0, kind->name);
    }
    return seconds(begun) * 1e3;
}

static void measure(const struct follow *f)
{
    static double took[SK_COUNT(kinds) * QUESTIONS];
    char name[120];
    for (size_t k = 0; k < SK_COUNT(kinds); k++) {
        double *own = took + k * QUESTIONS, cold = ask(f, &kinds[k], 0);
        for (unsigned n = 0; n < QUESTIONS; n++) {
            (void)ask(f, &kinds[k], n); /* warm */
        }
        for (unsigned n = 0; n < QUESTIONS; n++) {
            own[n] = ask(f, &kinds[k], n);
        }
        qsort(own, QUESTIONS, sizeof(*own), compare_doubles);
        (void)snprintf(name, sizeof(name), "search %s: the first", kinds[k].name);
        row(name, cold, "ms", 0, true);
        (void)snprintf(name, sizeof(name), "search %s: median", kinds[k].name);
        row(name, own[QUESTIONS / 2], "ms", 0, true);
        (void)snprintf(name, sizeof(name), "search %s: 99th of 100", kinds[k].name);
        row(name, own[QUESTIONS / 100 * 99], "ms", 20, true);
    }
}

static int folder_in(const char *parent, const char *name)
{
    char path[8192];
    (void)snprintf(path, sizeof(path), "%.4000s/%.100s", parent, name);
    die_unless(mkdir(path, 0700) == 0, path);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct follow f;
    uint64_t count = 0, many = 0, begun;
    row_json = argc == 5 && strcmp(argv[4], "--json") == 0;
    if (argc < 4 || argc > 5 || sk_slice_u64(sk_slice_str(argv[2]), 1000000000, &count) || sk_slice_u64(sk_slice_str(argv[3]), 100000, &many) || !count || !many) {
        (void)fprintf(stderr, "Usage: bench-search FOLDER RECORDS TENANTS [--json]\n");
        return 2;
    }
    tenants = (unsigned)many;
    journal = folder_in(argv[1], "journal");
    indexes = folder_in(argv[1], "index");
    write_journal(count);
    row("packing: records a second, half of the time at rest", (double)count / packing, "/s", 0, false);
    row("the journal, on disk, all files but the newest packed", (double)bytes_in(journal) / (double)count, "B/record", 0, true);
    die_unless(follow_init(&f, secret, dup(indexes)) == 0, "the reader");
    begun = sk_clock_boot();
    follow_all(&f, true);
    row("indexing: records read, opened, indexed, stored", (double)count / seconds(begun), "/s", 0, false);
    row("the indexes, on disk", (double)bytes_in(indexes) / (double)count, "B/record", 0, true);
    row("all of it, on disk", (double)(bytes_in(journal) + bytes_in(indexes)) / (double)count, "B/record", 110, true);
    follow_free(&f);
    die_unless(follow_init(&f, secret, dup(indexes)) == 0, "the reader");
    begun = sk_clock_boot();
    follow_all(&f, false);
    row("a start with stored indexes", seconds(begun), "s", 0, true);
    measure(&f);
    follow_free(&f);
    return 0;
}
