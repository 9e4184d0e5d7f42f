/*
 * sekisho-verify: proves a journal offline, with nothing but its files. Reads them in order, checks every hash, link
 * and sequence number, and says what that proves. It shares the format with the audit program and no line that writes.
 */
#include "base/text.h"
#include "journal/record.h"
#include "tools/files.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { INTACT = 0, DAMAGED = 1, USAGE = 2 };

struct verifying {
    bool json, records, filter;
    uint8_t tenant[SK_ID_SIZE];
    struct sk_buf line;
    bool deaf; /* standard output is gone: the proof goes on */
};

static int usage(FILE *out, int status)
{
    (void)fputs("Usage: sekisho-verify [OPTION...] FOLDER|FILE...\n"
                "Prove that a journal's files are whole, unchanged and in one sequence.\n\nOptions:\n"
                "  --json\n        say the result as one JSON object\n"
                "  --records\n        print every record as a JSON line; the result goes to standard error\n"
                "  --tenant HEXID\n        with --records: this tenant's alone, by its id of 32 hex digits\n"
                "  --version\n        print the version\n"
                "  --help\n        print this\n\n"
                "Exit status: 0 intact, 1 damaged or unreadable, 2 wrong usage.\n",
            out);
    return status;
}

static void list(void *context, const struct sk_frame_record *frame sk_unused, const struct sk_audit_record *record)
{
    struct verifying *v = context;
    if (v->deaf || (v->filter && memcmp(record->tenant, v->tenant, SK_ID_SIZE) != 0)) {
        return;
    }
    v->deaf = sk_record_json(record, &v->line) || sk_buf_put(&v->line, SK_LIT("\n"));
    struct sk_slice text = sk_buf_peek(&v->line);
    v->deaf = v->deaf || fwrite(text.data, 1, text.len, stdout) != text.len;
    sk_buf_take(&v->line, text.len);
}

static unsigned long long number(uint64_t value)
{
    return value;
}

static void print_intact(const struct verifying *v, FILE *out, const struct sk_files *files, const struct sk_files_proof *proof)
{
    char first[32] = "", last[32] = "";
    if (proof->first_wall) {
        sk_time_text(proof->first_wall, first);
        sk_time_text(proof->last_wall, last);
    }
    uint64_t groups = proof->state.begun ? proof->state.group - proof->first_group : 0;
    uint64_t from = files->entries[0].number, to = files->entries[files->count - 1].number;
    if (v->json) {
        (void)fprintf(out, "{\"intact\":true,\"files\":%zu,\"from_file\":%llu,\"to_file\":%llu,\"complete\":%s,", proof->files,
                number(from), number(to), proof->complete ? "true" : "false");
        (void)fprintf(out, "\"groups\":%llu,\"records\":%llu,\"tenants\":%zu,", number(groups), number(proof->state.records),
                proof->state.tenants.count);
        (void)fprintf(out, "\"first\":\"%s\",\"last\":\"%s\",\"open\":%zu,\"torn\":%llu,\"head\":%s}\n", first, last, proof->state.opens.count, number(proof->torn),
                files->head.groups ? "true" : "false");
        return;
    }
    (void)fprintf(out, "intact: %zu files, %llu groups, %llu records, %zu tenants\n", proof->files, number(groups),
            number(proof->state.records), proof->state.tenants.count);
    (void)fprintf(out, "files   %llu to %llu, %s\n", number(from), number(to),
            proof->complete ? "from the journal's beginning"
                            : "where the sequences stood before is taken from the first file's snapshot");
    (void)fprintf(out, "time    %s to %s\n", first, last);
    (void)fprintf(out, "open    %zu intents without an outcome\n", proof->state.opens.count);
    (void)fprintf(out, "torn    %llu bytes behind the last acknowledged group\n", number(proof->torn));
    if (files->head.groups) {
        (void)fprintf(out, "head    nothing is missing up to group %llu\n", number(files->head.groups - 1));
    } else {
        (void)fprintf(out, "head    not there: whether the newest groups or files were taken away is not known\n");
    }
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

static int verify(struct verifying *v, char **paths, int count)
{
    struct sk_files files SK_CLEANUP(sk_files_free) = {.count = 0};
    struct sk_files_proof proof SK_CLEANUP(sk_files_proof_free) = {.files = 0};
    char why[300];
    FILE *out = v->records ? stderr : stdout;
    for (int i = 0; i < count; i++) {
        if (sk_files_add(&files, paths[i], why)) {
            return fail(v, out, files.at, why);
        }
    }
    if (sk_files_sort(&files, why)) {
        return fail(v, out, paths[0], why);
    }
    int r = sk_files_read(&files, &proof, v->records ? list : NULL, v);
    (void)fflush(stdout);
    if (r) {
        return r < 0 ? fail(v, out, proof.file, strerror(-r)) : print_damaged(v, out, proof.file, &proof.error);
    }
    print_intact(v, out, &files, &proof);
    return fflush(out) ? DAMAGED : INTACT;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"records", no_argument, NULL, 'r'},
            {"tenant", required_argument, NULL, 't'}, {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct verifying v = {.line = SK_BUF_INIT((size_t)1 << 20)};
    (void)signal(SIGPIPE, SIG_IGN);
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'h') {
            return usage(stdout, INTACT);
        }
        if (c == 'v') {
            return printf("sekisho-verify %s\n", SEKISHO_VERSION) < 0;
        }
        v.json = v.json || c == 'j';
        v.records = v.records || c == 'r';
        v.filter = v.filter || c == 't';
        if (c == '?' || (c == 't' && sk_hex_decode(sk_slice_str(optarg), v.tenant, SK_ID_SIZE))) {
            if (c == 't') {
                (void)fprintf(stderr, "sekisho-verify: %s: a tenant's id has 32 hex digits\n", optarg);
            }
            return USAGE;
        }
    }
    if (optind == argc || (v.filter && !v.records)) {
        return usage(stderr, USAGE);
    }
    int status = verify(&v, argv + optind, argc - optind);
    sk_buf_free(&v.line);
    return status;
}
