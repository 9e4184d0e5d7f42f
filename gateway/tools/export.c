/* sekisho audit export: evidence of a range of records (journal/FORMAT.md), gathered from the gateway's API. */
#include "tools/api.h"
#include "tools/evidence.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SALT 16
#define WINDOW 60U  /* records asked for at a time */
#define PAGE "200"
#define PATIENCE 5  /* times that it is asked for something to be signed, a second apart */

enum { FROM = SK_API_OWN_OPTIONS, TO };

struct exporting {
    struct sk_api *api;
    const char *from, *to;
    json_t *proof;
    uint64_t first, end, seq;  /* the record that is next */
    uint64_t tile_end;         /* where the tile that it is in ends */
    struct sk_tree tile;
    FILE *members[SK_EVIDENCE_MEMBERS];
};

static void finish(struct exporting *e)
{
    e->api = sk_api_close(e->api);
    json_decref(e->proof);
    for (size_t i = 0; i < SK_EVIDENCE_MEMBERS; i++) {
        if (e->members[i]) {
            (void)fclose(e->members[i]);
        }
    }
}

static int no_such_answer(const char *what)
{
    (void)sk_tool_fail("the gateway's answer", what, "is this a Sekisho gateway of this version?");
    return SK_TOOL_FAILED;
}

static int no_space(void)
{
    (void)sk_tool_fail("a temporary file", strerror(errno), "the records are gathered in TMPDIR");
    return SK_TOOL_FAILED;
}

/* ---- the proof ---- */

static json_int_t number_of(const json_t *proof, const char *name)
{
    return json_integer_value(json_object_get(proof, name));
}

/* Is something that may be meant not signed yet? What was recorded in the last second is in the next. */
static bool is_short(const json_t *proof, json_int_t recorded)
{
    json_int_t size = number_of(proof, "size");
    return size < recorded && (number_of(proof, "end") == size || number_of(proof, "end") == 0);
}

/* It is asked again until all is signed that had been recorded when it was asked first. */
static int get_proof(struct exporting *e)
{
    const struct sk_api_request request = {.resource = "audit/proof", .query = {{"from", e->from}, {"to", e->to}}};
    long status = 0;
    int r = sk_api_get(e->api, &request, &e->proof, &status);
    json_int_t recorded = number_of(e->proof, "recorded");
    for (int i = 0; (r ? status == 503 : is_short(e->proof, recorded)) && i < PATIENCE; i++) {
        (void)sleep(1);
        json_decref(e->proof);
        r = sk_api_get(e->api, &request, &e->proof, &status);
        recorded = recorded ? recorded : number_of(e->proof, "recorded");
    }
    if (r) {
        return r;
    }
    e->first = e->seq = e->tile_end = (uint64_t)json_integer_value(json_object_get(e->proof, "first"));
    e->end = (uint64_t)json_integer_value(json_object_get(e->proof, "end"));
    bool whole = json_is_string(json_object_get(e->proof, "checkpoint")) && json_is_array(json_object_get(e->proof, "left")) &&
                 json_is_array(json_object_get(e->proof, "right")) && e->first <= e->end;
    return whole ? 0 : no_such_answer("is no proof");
}

static int put_roots(FILE *out, const json_t *roots)
{
    size_t i, len;
    const json_t *root;
    json_array_foreach(roots, i, root)
    {
        uint8_t bytes[SK_TREE_HASH];
        if (sk_base64_decode(sk_slice_str(json_string_value(root)), bytes, sizeof(bytes), &len) || len != sizeof(bytes)) {
            return no_such_answer("is no proof");
        }
        if (fwrite(bytes, sizeof(bytes), 1, out) != 1) {
            return no_space();
        }
    }
    return 0;
}

static int put_proof(struct exporting *e)
{
    FILE **m = e->members;
    const char *checkpoint = json_string_value(json_object_get(e->proof, "checkpoint"));
    for (size_t i = 0; i < SK_EVIDENCE_MEMBERS; i++) {
        m[i] = tmpfile();
        if (!m[i]) {
            return no_space();
        }
    }
    if (fprintf(m[SK_EVIDENCE_RANGE], "sekisho-evidence 1\nfirst %llu\nend %llu\n", (unsigned long long)e->first, (unsigned long long)e->end) < 0 ||
            fputs(checkpoint ? checkpoint : "", m[SK_EVIDENCE_CHECKPOINT]) < 0) {
        return no_space();
    }
    int r = put_roots(m[SK_EVIDENCE_LEFT], json_object_get(e->proof, "left"));
    return r ? r : put_roots(m[SK_EVIDENCE_RIGHT], json_object_get(e->proof, "right"));
}

/* ---- records ---- */

static int put_record(struct exporting *e, const json_t *record)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX], salt[SALT], leaf[SK_TREE_HASH];
    size_t cbor_len, salt_len;
    if (sk_base64_decode(sk_slice_str(json_string_value(json_object_get(record, "cbor"))), cbor, sizeof(cbor), &cbor_len) ||
            sk_base64_decode(sk_slice_str(json_string_value(json_object_get(record, "salt"))), salt, sizeof(salt), &salt_len) || salt_len != sizeof(salt)) {
        return no_such_answer("has a record that is none");
    }
    if (e->seq == e->tile_end) {
        unsigned level = sk_tree_subtree(e->seq, e->end);
        e->tile_end += UINT64_C(1) << (level < SK_EVIDENCE_TILE ? level : SK_EVIDENCE_TILE);
        e->tile.size = 0;
    }
    sk_tree_leaf(sk_slice(salt, sizeof(salt)), sk_slice(cbor, cbor_len), leaf);
    sk_tree_append(&e->tile, leaf);
    e->seq++;
    bool good = fwrite(cbor, cbor_len, 1, e->members[SK_EVIDENCE_RECORDS_CBOR]) == 1 && fwrite(salt, sizeof(salt), 1, e->members[SK_EVIDENCE_SALTS]) == 1;
    good = good && (e->seq != e->tile_end || fwrite(e->tile.peaks[0], SK_TREE_HASH, 1, e->members[SK_EVIDENCE_TILE_ROOTS]) == 1);
    return good ? 0 : no_space();
}

/* Those from e->seq to below `to`, in as many answers as they take, the newest first. */
static int get_window(struct exporting *e, uint64_t to, json_t *all)
{
    char after[24], before[24];
    json_int_t next = (json_int_t)to;
    int r = 0;
    (void)snprintf(after, sizeof(after), "%llu", (unsigned long long)e->seq);
    while (r == 0 && next > (json_int_t)e->seq) {
        const struct sk_api_query more[] = {{"raw", "yes"}, {"limit", PAGE}};
        const struct sk_api_request request = {.resource = "audit/records", .query = {{"after", after}, {"before", before}}, .more = more, .more_count = SK_COUNT(more)};
        json_t *answer = NULL;
        long status;
        (void)snprintf(before, sizeof(before), "%lld", (long long)next);
        r = sk_api_get(e->api, &request, &answer, &status);
        r = r ? r : json_array_extend(all, json_object_get(answer, "records")) ? no_such_answer("is no list of records") : 0;
        next = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    }
    return r ? r : json_array_size(all) == to - e->seq ? 0 : no_such_answer("has not all records of the range");
}

static void say_progress(const struct exporting *e, bool last)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%llu of %llu records%s", (unsigned long long)(e->seq - e->first), (unsigned long long)(e->end - e->first), last ? "\n" : "");
    }
}

static int get_records(struct exporting *e)
{
    int r = 0;
    while (r == 0 && e->seq < e->end) {
        json_t *all = json_array();
        r = get_window(e, e->end - e->seq < WINDOW ? e->end : e->seq + WINDOW, all);
        for (size_t i = json_array_size(all); r == 0 && i--;) {
            r = put_record(e, json_array_get(all, i));
        }
        json_decref(all);
        say_progress(e, e->seq == e->end);
    }
    return r;
}

/* ---- the archive ---- */

static int copy(FILE *from, FILE *to, uint64_t size)
{
    static char bytes[1 << 16];
    rewind(from);
    for (uint64_t left = size; left;) {
        size_t n = fread(bytes, 1, left < sizeof(bytes) ? (size_t)left : sizeof(bytes), from);
        if (n == 0 || fwrite(bytes, 1, n, to) != n) {
            return 1;
        }
        left -= n;
    }
    memset(bytes, 0, SK_EVIDENCE_BLOCK);
    size_t rest = (SK_EVIDENCE_BLOCK - size % SK_EVIDENCE_BLOCK) % SK_EVIDENCE_BLOCK;
    return fwrite(bytes, 1, rest, to) != rest;
}

static int put_archive(struct exporting *e, FILE *out)
{
    static const uint8_t zeros[2 * SK_EVIDENCE_BLOCK];
    uint8_t header[SK_EVIDENCE_BLOCK];
    for (size_t i = 0; i < SK_EVIDENCE_MEMBERS; i++) {
        long size = fseek(e->members[i], 0, SEEK_END) ? -1 : ftell(e->members[i]);
        if (size < 0 || sk_evidence_header(sk_evidence_names[i], (uint64_t)size, header) || fwrite(header, sizeof(header), 1, out) != 1 ||
                copy(e->members[i], out, (uint64_t)size)) {
            return 1;
        }
    }
    return fwrite(zeros, sizeof(zeros), 1, out) != 1;
}

static int write_archive(struct exporting *e, const char *path)
{
    FILE *out = fopen(path, "wxe");
    if (!out) {
        return sk_tool_fail(path, strerror(errno), errno == EEXIST ? "an export takes no file's place: name another" : NULL);
    }
    int r = put_archive(e, out);
    r |= fclose(out) != 0;
    if (r) {
        (void)sk_tool_fail(path, "could not be written whole, and is removed", "is there room?");
        (void)unlink(path);
        return SK_TOOL_FAILED;
    }
    (void)printf("%s: records %llu to %llu, of %lld that are signed\nVerify it anywhere: sekisho-verify --key KEY %s   (KEY: what `sekisho journal key` prints at the gateway)\n", path,
            (unsigned long long)e->first, (unsigned long long)e->end - 1, (long long)json_integer_value(json_object_get(e->proof, "size")), path);
    return SK_TOOL_OK;
}

static int run_export(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    struct exporting e SK_CLEANUP(finish) = {.from = sk_tool_value(&options[FROM], NULL), .to = sk_tool_value(&options[TO], NULL)};
    int r = sk_api_open(options, &e.api);
    r = r ? r : get_proof(&e);
    if (r == 0 && e.first == e.end) {
        return sk_tool_fail(operands->values[0], "nothing was recorded in that time, or it is not signed yet", "what is to be exported is named by --from and --to");
    }
    r = r ? r : put_proof(&e);
    r = r ? r : get_records(&e);
    return r ? r : write_archive(&e, operands->values[0]);
}

static const struct sk_tool_option options[] = {SK_API_OPTIONS, {"--from", "TIME", "from then on: 2026-11-21, 2026-11-21T09:00:00Z, or -2h for two hours ago (the beginning)", false},
        {"--to", "TIME", "before then (now, as far as it is signed)", false}, {NULL}};

const struct sk_tool_command sk_tool_audit_export = {.group = "audit",
        .name = "export",
        .operands = "FILE",
        .least = 1,
        .most = 1,
        .help = "Write what was recorded in a time into FILE, with the proof that it is what was signed: sekisho-verify checks it offline, with the gateway's public key.",
        .options = options,
        .run = run_export};
