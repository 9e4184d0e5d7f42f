/*
 * sekisho-verify: proves a journal, or evidence taken from one, offline, with nothing but its files and a public key. Reads them in order, checks every
 * hash, link and sequence number, and that the records are those that were signed, and says what that proves; with the root
 * key it opens the records, too. It shares the format with the audit program and no line that writes.
 */
#include "base/text.h"
#include "crypto/note.h"
#include "journal/record.h"
#include "tools/certificate.h"
#include "tools/checkpoints.h"
#include "tools/evidence.h"
#include "tools/files.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTACT = 0, DAMAGED = 1, USAGE = 2 };

struct verifying {
    bool json, records, filter;
    uint8_t tenant[SK_ID_SIZE];
    struct sk_buf line;
    bool deaf; /* standard output is gone: the proof goes on */
    struct sk_files files;
    struct sk_files_proof proof;
    struct sk_checkpoints checkpoints;
    const char *root_key, *recovery_key;
    const struct sk_checkpoints_entry *wrong; /* the first that the records are not those of */
};

static int usage(FILE *out, int status)
{
    (void)fputs("Usage: sekisho-verify [OPTION...] FOLDER|FILE...\n"
                "       sekisho-verify --key KEY [OPTION...] EVIDENCE|CERTIFICATE\n"
                "Prove that a journal's files, or records that `sekisho audit export` wrote, are whole, unchanged and in one sequence;\n"
                "or that the gateway certified that a tenant's records are erased.\n\nOptions:\n"
                "  --checkpoint FILE\n        the records must be those that were signed: the signer's file of checkpoints, a copy of it\n"
                "        that was kept, or one checkpoint; may be given many times\n"
                "  --key KEY\n        the checkpoints must be signed by this key: what `sekisho journal key` prints\n"
                "  --root-key FILE\n        open the records, and check that they are what is signed: without it their hashes alone are looked at\n"
                "  --recovery-key FILE\n        with --root-key: the private key for which copies of the keys of tenants whose contract is over were left\n"
                "  --json\n        say the result as one JSON object\n"
                "  --records\n        of evidence, or with --root-key: print every record as a JSON line; the result goes to standard error\n"
                "  --tenant HEXID\n        with --records: this tenant's alone, by its id of 32 hex digits\n"
                "  --version\n        print the version\n"
                "  --help\n        print this\n\n"
                "Exit status: 0 intact, 1 damaged or unreadable, 2 wrong usage.\n",
            out);
    return status;
}

static void list(struct verifying *v, const struct sk_audit_record *record)
{
    if (v->deaf || (v->filter && memcmp(record->tenant, v->tenant, SK_ID_SIZE) != 0)) {
        return;
    }
    v->deaf = sk_record_json(record, &v->line) || sk_buf_put(&v->line, SK_LIT("\n"));
    struct sk_slice text = sk_buf_peek(&v->line);
    v->deaf = v->deaf || fwrite(text.data, 1, text.len, stdout) != text.len;
    sk_buf_take(&v->line, text.len);
}

static void on_record(void *context, const struct sk_journal_read *read)
{
    struct verifying *v = context;
    if (v->records && read->record) {
        list(v, read->record);
    }
    if (v->checkpoints.table.count && !v->wrong && sk_checkpoints_any(&v->checkpoints, read->frame->tenant, read->frame->seq + 1)) {
        const struct sk_tree *tree = &sk_journal_find_tenant(&v->proof.state, read->frame->tenant)->tree;
        uint8_t root[SK_TREE_HASH];
        if (tree->size != read->frame->seq + 1) {
            sk_checkpoints_pass(&v->checkpoints, read->frame->tenant, read->frame->seq + 1);
            return;
        }
        sk_tree_root(tree, root);
        v->wrong = sk_checkpoints_follow(&v->checkpoints, read->frame->tenant, read->frame->seq + 1, root);
    }
}

static void on_stand(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    struct verifying *v = context;
    v->wrong = v->wrong ? v->wrong : sk_checkpoints_follow(&v->checkpoints, tenant, size, root);
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static void print_intact_json(const struct verifying *v, FILE *out, uint64_t groups, const char *first, const char *last, const struct sk_checkpoints_result *is_signed)
{
    const struct sk_files_proof *proof = &v->proof;
    (void)fprintf(out, "{\"intact\":true,\"files\":%zu,\"from_file\":%llu,\"to_file\":%llu,\"complete\":%s,", proof->files, number(v->files.entries[0].header.number),
            number(v->files.entries[v->files.count - 1].header.number), proof->complete ? "true" : "false");
    (void)fprintf(out, "\"groups\":%llu,\"records\":%llu,\"tenants\":%zu,", number(groups), number(proof->state.records), proof->state.tenants.count);
    char open[24] = "null"; /* not known without keys */
    if (v->root_key) {
        (void)snprintf(open, sizeof(open), "%zu", proof->state.opens.count);
    }
    (void)fprintf(out, "\"first\":\"%s\",\"last\":\"%s\",\"open\":%s,\"torn\":%llu,\"head\":%s,\"opened\":%s,\"erased\":%llu,", first, last, open, number(proof->torn),
            v->files.head.groups ? "true" : "false", v->root_key ? "true" : "false", number(proof->state.erased));
    (void)fprintf(out, "\"checkpoints\":%zu,\"checkpoints_met\":%zu,\"signatures\":%s,\"unsigned\":%llu}\n", v->checkpoints.table.count, is_signed->reached,
            v->checkpoints.vkey ? "true" : "false", number(is_signed->unsigned_records));
}

static void print_signed(const struct verifying *v, FILE *out, const struct sk_checkpoints_result *is_signed)
{
    size_t count = v->checkpoints.table.count;
    char newest[32];
    if (count == 0) {
        (void)fprintf(out, "signed  not looked at: give --checkpoint and --key\n");
        return;
    }
    sk_time_text(v->checkpoints.newest, newest);
    (void)fprintf(out, "signed  %s: %zu of %zu checkpoints met, the newest of %s; behind them are %llu records\n",
            v->checkpoints.vkey ? "by the key that was given" : "by whomever, as no --key was given", is_signed->reached, count, newest, number(is_signed->unsigned_records));
}

static void print_intact(const struct verifying *v, FILE *out, const struct sk_checkpoints_result *is_signed)
{
    const struct sk_files_proof *proof = &v->proof;
    char first[32] = "", last[32] = "";
    if (proof->first_wall) {
        sk_time_text(proof->first_wall, first);
        sk_time_text(proof->last_wall, last);
    }
    uint64_t groups = proof->state.begun ? proof->state.group - proof->first_group : 0;
    if (v->json) {
        print_intact_json(v, out, groups, first, last, is_signed);
        return;
    }
    (void)fprintf(out, "intact: %zu files, %llu groups, %llu records, %zu tenants\n", proof->files, number(groups),
            number(proof->state.records), proof->state.tenants.count);
    (void)fprintf(out, "files   %llu to %llu, %s\n", number(v->files.entries[0].header.number), number(v->files.entries[v->files.count - 1].header.number),
            proof->complete ? "from the journal's beginning"
                            : "where the sequences stood before is taken from the first file's snapshot");
    (void)fprintf(out, "time    %s to %s\n", first, last);
    if (v->root_key) {
        (void)fprintf(out, "opened  every record is what is hashed and signed; %zu intents are without an outcome\n", proof->state.opens.count);
        if (proof->state.erased) {
            (void)fprintf(out, "erased  %llu records cannot be opened any more: their keys were erased\n", number(proof->state.erased));
        }
    } else {
        (void)fprintf(out, "opened  none: their hashes alone were looked at; give --root-key\n");
    }
    (void)fprintf(out, "torn    %llu bytes behind the last acknowledged group\n", number(proof->torn));
    if (v->files.head.groups) {
        (void)fprintf(out, "head    nothing is missing up to group %llu\n", number(v->files.head.groups - 1));
    } else {
        (void)fprintf(out, "head    not there: whether the newest groups or files were taken away is not known\n");
    }
    print_signed(v, out, is_signed);
}

static int print_damaged(const struct verifying *v, FILE *out, const char *file, const struct sk_journal_error *error)
{
    if (v->json) {
        struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 16);
        bool bad = sk_buf_put(&text, SK_LIT("{\"intact\":false,\"file\":")) || sk_json_put_string(&text, sk_slice_str(file)) ||
                   sk_buf_printf(&text, ",\"offset\":%llu,\"group\":%llu,\"record\":%llu,\"what\":", number(error->offset),
                           number(error->group), number(error->record)) ||
                   sk_json_put_string(&text, sk_slice_str(error->text)) || sk_buf_put(&text, SK_LIT("}\n"));
        (void)fprintf(out, "%.*s", bad ? 0 : (int)sk_buf_len(&text), bad ? "" : sk_buf_peek(&text).data);
        return DAMAGED;
    }
    (void)fprintf(stderr, "sekisho-verify: %s: ", file);
    if (error->offset || error->group) {
        (void)fprintf(stderr, "at byte %llu, group %llu, ", number(error->offset), number(error->group));
    }
    if (error->record) {
        (void)fprintf(stderr, "record %llu, ", number(error->record));
    }
    (void)fprintf(stderr, "%s\n", error->text);
    return DAMAGED;
}

static int fail(const struct verifying *v, FILE *out, const char *file, const char *why)
{
    struct sk_journal_error error = {.offset = 0};
    (void)snprintf(error.text, sizeof(error.text), "%s", why);
    return print_damaged(v, out, file, &error);
}

/* A checkpoint that the journal does not meet. */
static int fail_checkpoint(const struct verifying *v, FILE *out, const struct sk_checkpoints_entry *entry, bool wrong)
{
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&v->proof.state, entry->is.tenant);
    uint64_t size = tenant ? tenant->tree.size : 0;
    char what[160], id[2 * SK_ID_SIZE + 1];
    sk_hex_encode(entry->is.tenant, SK_ID_SIZE, id);
    if (wrong) {
        (void)snprintf(what, sizeof(what), "the first %llu records of tenant %s are not those that were signed", number(entry->is.size), id);
    } else if (entry->within) {
        (void)snprintf(what, sizeof(what), "the %llu signed records of tenant %s end within a packed chunk, where keys alone tell: %s", number(entry->is.size), id,
                v->root_key ? "theirs are erased, so give a newer checkpoint" : "give --root-key, or a newer checkpoint");
    } else if (entry->is.size > size) {
        (void)snprintf(what, sizeof(what), "%llu records of tenant %s are signed, and the journal has %llu", number(entry->is.size), id, number(size));
    } else {
        (void)snprintf(what, sizeof(what), "the first file begins behind the %llu signed records of tenant %s: add files before it, or a newer checkpoint", number(entry->is.size), id);
    }
    return fail(v, out, entry->path, what);
}

/* What options a journal takes that evidence does without, and the other way round. */
static int check_options(const struct verifying *v)
{
    if (v->checkpoints.vkey && v->checkpoints.table.count == 0) {
        (void)fprintf(stderr, "sekisho-verify: --key: there is no --checkpoint that it could have signed\n");
        return USAGE;
    }
    if ((v->records || v->recovery_key) && !v->root_key) {
        (void)fprintf(stderr, "sekisho-verify: %s: needs --root-key, which opens them\n", v->records ? "--records" : "--recovery-key: keys");
        return USAGE;
    }
    return 0;
}

static int verify(struct verifying *v, char **paths, int count)
{
    char why[300];
    FILE *out = v->records ? stderr : stdout;
    for (int i = 0; i < count; i++) {
        if (sk_files_add(&v->files, paths[i], why)) {
            return fail(v, out, v->files.at, why);
        }
    }
    int status = check_options(v);
    if (status) {
        return status;
    }
    if (sk_files_sort(&v->files, why)) {
        return fail(v, out, paths[0], why);
    }
    if (v->root_key && sk_files_open(&v->files, v->root_key, v->recovery_key, why)) {
        return fail(v, out, v->files.at, why);
    }
    const struct sk_checkpoints_entry *foreign = sk_checkpoints_foreign(&v->checkpoints, &v->files.entries[0].header);
    if (foreign) {
        return fail(v, out, foreign->path, "a checkpoint of another gateway, or of another journal of it");
    }
    int r = sk_files_begin(&v->files, on_stand, v);
    r = r ? r : sk_files_read(&v->files, &v->proof, on_record, v);
    (void)fflush(stdout);
    if (r) {
        return r < 0 ? fail(v, out, v->proof.file ? v->proof.file : v->files.entries[0].path, strerror(-r)) : print_damaged(v, out, v->proof.file, &v->proof.error);
    }
    struct sk_checkpoints_result is_signed = sk_checkpoints_end(&v->checkpoints, &v->proof.state);
    if (v->wrong || is_signed.unmet) {
        return fail_checkpoint(v, out, v->wrong ? v->wrong : is_signed.unmet, v->wrong);
    }
    print_intact(v, out, &is_signed);
    return fflush(out) ? DAMAGED : INTACT;
}

static void on_proven(void *context, const struct sk_audit_record *record)
{
    list(context, record);
}

/* The one operand, when it is evidence or a certificate; else the null slice. */
static struct sk_slice map_single(char **paths, int count)
{
    struct stat info = {0};
    int fd = count == 1 ? open(paths[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool file = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
    void *at = file ? mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        (void)close(fd);
    }
    struct sk_slice bytes = at == MAP_FAILED ? SK_SLICE_NULL : sk_slice(at, (size_t)info.st_size);
    if (bytes.data && !sk_evidence_is(bytes) && !sk_certificate_is(bytes)) {
        (void)munmap(at, bytes.len);
        return SK_SLICE_NULL;
    }
    return bytes;
}

static int verify_certificate(const struct verifying *v, struct sk_slice file, const char *path)
{
    struct sk_erasure erasure;
    if (v->records || v->checkpoints.table.count) {
        (void)fprintf(stderr, "sekisho-verify: %s: a certificate is verified with --key alone\n", path);
        return USAGE;
    }
    if (sk_certificate_verify(file, v->checkpoints.vkey, &erasure)) {
        return fail(v, stdout, path, "no certificate of erasure, or not signed by the key that was given");
    }
    sk_certificate_print(&erasure, v->json, stdout);
    return fflush(stdout) ? DAMAGED : INTACT;
}

static int verify_evidence(struct verifying *v, struct sk_slice archive, const char *path)
{
    struct sk_evidence_result result;
    int r = sk_evidence_verify(archive, v->checkpoints.vkey, &v->checkpoints, v->records ? on_proven : NULL, v, &result);
    if (r < 0) {
        return fail(v, v->records ? stderr : stdout, path, strerror(-r));
    }
    (void)fflush(stdout);
    sk_evidence_print(&result, r == 0, path, v->json, v->records ? stderr : stdout, stderr);
    return r ? DAMAGED : INTACT;
}

static int verify_single(struct verifying *v, struct sk_slice file, const char *path)
{
    if (!v->checkpoints.vkey || v->root_key) {
        (void)fprintf(stderr, "sekisho-verify: %s: %s\n", path, v->root_key ? "it is not opened by a root key" : "it is verified with --key KEY, which `sekisho journal key` prints");
        return USAGE;
    }
    return sk_certificate_is(file) ? verify_certificate(v, file, path) : verify_evidence(v, file, path);
}

/* 0; an exit status, with the error said. */
static int add_checkpoints(struct verifying *v, char **paths, int count)
{
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    char why[300];
    if (v->checkpoints.vkey && sk_note_vkey_as(sk_slice_str(v->checkpoints.vkey), SK_LIT("x"), &vkey)) {
        (void)fprintf(stderr, "sekisho-verify: %s: no key: it is one line, as `sekisho journal key` prints it\n", v->checkpoints.vkey);
        return USAGE;
    }
    for (int i = 0; i < count; i++) {
        if (sk_checkpoints_add(&v->checkpoints, paths[i], why)) {
            return fail(v, v->records ? stderr : stdout, paths[i], why);
        }
    }
    return 0;
}

/* 0; an exit status, with the error said. `checkpoints` holds as many as there are arguments. */
static int read_options(struct verifying *v, int argc, char **argv, char **checkpoints, int *count)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"records", no_argument, NULL, 'r'},
            {"tenant", required_argument, NULL, 't'}, {"checkpoint", required_argument, NULL, 'c'}, {"key", required_argument, NULL, 'k'},
            {"root-key", required_argument, NULL, 'o'}, {"recovery-key", required_argument, NULL, 'y'},
            {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'h' || c == 'v') {
            exit(c == 'h' ? usage(stdout, INTACT) : printf("sekisho-verify %s\n", SEKISHO_VERSION) < 0);
        }
        v->json = v->json || c == 'j';
        v->records = v->records || c == 'r';
        v->filter = v->filter || c == 't';
        v->root_key = c == 'o' ? optarg : v->root_key;
        v->recovery_key = c == 'y' ? optarg : v->recovery_key;
        v->checkpoints.vkey = c == 'k' ? optarg : v->checkpoints.vkey;
        if (c == 'c') {
            checkpoints[(*count)++] = optarg;
        }
        if (c == 't' && sk_hex_decode(sk_slice_str(optarg), v->tenant, SK_ID_SIZE)) {
            (void)fprintf(stderr, "sekisho-verify: %s: a tenant's id has 32 hex digits\n", optarg);
            return USAGE;
        }
        if (c == '?') {
            return USAGE;
        }
    }
    return optind == argc || (v->filter && !v->records) ? usage(stderr, USAGE) : 0;
}

int main(int argc, char **argv)
{
    struct verifying v = {.line = SK_BUF_INIT((size_t)1 << 20)};
    char **checkpoints = calloc((size_t)argc, sizeof(*checkpoints));
    int count = 0;
    (void)signal(SIGPIPE, SIG_IGN);
    int status = checkpoints ? read_options(&v, argc, argv, checkpoints, &count) : DAMAGED;
    status = status ? status : add_checkpoints(&v, checkpoints, count);
    struct sk_slice single = status ? SK_SLICE_NULL : map_single(argv + optind, argc - optind);
    status = status ? status : single.data ? verify_single(&v, single, argv[optind]) : verify(&v, argv + optind, argc - optind);
    free(checkpoints);
    sk_checkpoints_free(&v.checkpoints);
    sk_files_proof_free(&v.proof);
    sk_files_free(&v.files);
    sk_buf_free(&v.line);
    return status;
}
