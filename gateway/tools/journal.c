/*
 * sekisho journal show: a journal's records as JSON lines, checked while they are read. sekisho journal checkpoints: what the signer signed last.
 * sekisho journal key: what its signatures are checked with.
 */
#include "tools/tools.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "conf/image.h"
#include "crypto/digest.h"
#include "crypto/note.h"
#include "journal/record.h"
#include "tools/checkpoints.h"
#include "tools/files.h"

#include <errno.h>

enum { TENANT, ROOT_KEY };

struct showing {
    uint8_t tenant[SK_ID_SIZE];
    bool filter;
    struct sk_buf line;
    int failed; /* output cannot be written: say nothing more */
};

static void show(void *context, const struct sk_journal_read *read)
{
    struct showing *s = context;
    const struct sk_audit_record *record = read->record;
    if (s->failed || !record || (s->filter && memcmp(record->tenant, s->tenant, SK_ID_SIZE) != 0)) {
        return;
    }
    if (sk_record_json(record, &s->line) || sk_buf_put(&s->line, SK_LIT("\n"))) {
        s->failed = sk_tool_fail("journal show", strerror(ENOMEM), NULL);
        return;
    }
    s->failed = sk_tool_print(&s->line);
}

/* NAME@SERVICE; "operator" is the gateway's own trail. */
static int read_tenant(const char *text, uint8_t id[SK_ID_SIZE])
{
    char name[128];
    struct sk_slice service = sk_slice_str(text);
    memset(id, 0, SK_ID_SIZE);
    if (strcmp(text, "operator") == 0) {
        return 0;
    }
    struct sk_slice tenant = sk_slice_split(&service, '@');
    if (tenant.len == 0 || service.len == 0 || tenant.len >= sizeof(name)) {
        return sk_tool_usage(text, "a tenant is NAME@SERVICE, or: operator");
    }
    memcpy(name, tenant.data, tenant.len);
    name[tenant.len] = '\0';
    sk_image_tenant_id(service.data, name, id); /* the service ends where the argument ends */
    return 0;
}

static int run(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    struct sk_files files SK_CLEANUP(sk_files_free) = {.count = 0};
    struct sk_files_proof proof SK_CLEANUP(sk_files_proof_free) = {.files = 0};
    struct showing s = {.line = SK_BUF_INIT((size_t)1 << 20), .filter = options[TENANT].count};
    char why[300], what[400];
    if (s.filter && read_tenant(options[TENANT].values[0], s.tenant)) {
        return SK_TOOL_USAGE;
    }
    if (!options[ROOT_KEY].count) {
        return sk_tool_usage("--root-key", "missing: the records are sealed with keys that it opens; root_key_file of sekisho.yaml names it");
    }
    if (sk_files_add(&files, operands->values[0], why)) {
        return sk_tool_fail(files.at, why, NULL);
    }
    if (sk_files_sort(&files, why)) {
        return sk_tool_fail(operands->values[0], why, NULL);
    }
    if (sk_files_open(&files, options[ROOT_KEY].values[0], NULL, why)) {
        return sk_tool_fail(files.at, why, NULL);
    }
    int r = sk_files_read(&files, &proof, show, &s);
    sk_buf_free(&s.line);
    (void)fflush(stdout);
    if (r && !s.failed) {
        (void)snprintf(what, sizeof(what), "%s at byte %llu: %s", r < 0 ? strerror(-r) : "damaged",
                (unsigned long long)proof.error.offset, proof.error.text);
        return sk_tool_fail(proof.file, what, "sekisho-verify says more");
    }
    return s.failed ? SK_TOOL_FAILED : SK_TOOL_OK;
}

static const struct sk_tool_option options[] = {
        {"--tenant", "NAME@SERVICE", "this tenant's records alone; operator: the gateway's own", false},
        {"--root-key", "FILE", "the gateway's root key, which opens the keys of the records (needed)", false}, {NULL}};

const struct sk_tool_command sk_tool_journal_show = {.group = "journal",
        .name = "show",
        .operands = "FOLDER",
        .least = 1,
        .most = 1,
        .help = "Print a journal's records as JSON lines; stops where it is damaged.",
        .options = options,
        .run = run};

/* ---- checkpoints ---- */

static const struct sk_tool_option checkpoint_options[] = {
        {"--tenant", "NAME@SERVICE", "this tenant's alone; operator: the gateway's own", false}, {NULL}};

static int run_checkpoints(const struct sk_tool_values *operands, const struct sk_tool_values *given)
{
    struct sk_checkpoints all SK_CLEANUP(sk_checkpoints_free) = {.vkey = NULL};
    uint8_t tenant[SK_ID_SIZE];
    char why[300];
    size_t printed = 0;
    if (given[TENANT].count && read_tenant(given[TENANT].values[0], tenant)) {
        return SK_TOOL_USAGE;
    }
    if (sk_checkpoints_add(&all, operands->values[0], why)) {
        return sk_tool_fail(operands->values[0], why, NULL);
    }
    for (struct sk_table_node *n = sk_table_walk(&all.table, NULL); n; n = sk_table_walk(&all.table, n)) {
        const struct sk_checkpoints_entry *entry = SK_CONTAINER(n, struct sk_checkpoints_entry, node);
        if (!given[TENANT].count || memcmp(entry->is.tenant, tenant, SK_ID_SIZE) == 0) {
            (void)printf("%s%s", printed++ ? "\n" : "", entry->note);
        }
    }
    if (printed == 0 && given[TENANT].count) {
        return sk_tool_fail(given[TENANT].values[0], "there is no checkpoint of this tenant", "is it written NAME@SERVICE, and did it record anything yet?");
    }
    return fflush(stdout) ? sk_tool_fail("standard output", "cannot be written", NULL) : SK_TOOL_OK;
}

const struct sk_tool_command sk_tool_journal_checkpoints = {.group = "journal",
        .name = "checkpoints",
        .operands = "FILE",
        .least = 1,
        .most = 1,
        .help = "Print the signed checkpoints in the signer's file (DATA/signer/checkpoints). Keep one elsewhere: whatever happens here later, the records up to it are held to it.",
        .options = checkpoint_options,
        .run = run_checkpoints};

/* ---- key ---- */

static int print_key(const char *file, struct sk_slice root)
{
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    uint8_t node[SK_SHA256_SIZE], secret[SK_SHA256_SIZE];
    char name[SK_CHECKPOINT_ORIGIN];
    if (root.len != SK_SHA256_SIZE) {
        return sk_tool_fail(file, "the root key has 32 bytes, and this has not", NULL);
    }
    sk_digest_derive(root, "node", SK_SLICE_NULL, node);
    sk_digest_derive(root, "signer", SK_SLICE_NULL, secret);
    struct sk_note_key *key = sk_note_key_new(secret);
    sk_wipe(secret, sizeof(secret));
    int r = key ? sk_note_vkey(key, sk_slice(name, sk_checkpoint_node(node, name)), &vkey) : -ENOMEM;
    (void)sk_note_key_free(key);
    return r || sk_buf_put(&vkey, SK_LIT("\n")) ? sk_tool_fail(file, strerror(ENOMEM), NULL) : sk_tool_print(&vkey);
}

static int run_key(const struct sk_tool_values *operands, const struct sk_tool_values *given sk_unused)
{
    struct sk_buf root SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    struct sk_conf *conf;
    struct sk_conf_error error;
    int r = sk_conf_load(operands->values[0], &conf, &error);
    if (r) {
        return sk_tool_fail(operands->values[0], r < 0 ? strerror(-r) : "is no configuration of sekishod", "sekisho config check says what is wrong");
    }
    const char *file = conf->is.root_key_file;
    r = sk_conf_read_file(file, &root);
    r = r ? sk_tool_fail(file, strerror(-r), "run it as root, where the gateway runs") : print_key(file, sk_buf_peek(&root));
    sk_wipe(root.data, root.size);
    (void)sk_conf_free(conf);
    return r;
}

static const struct sk_tool_option no_options[] = {{NULL}};

const struct sk_tool_command sk_tool_journal_key = {.group = "journal",
        .name = "key",
        .operands = "FILE",
        .least = 1,
        .most = 1,
        .help = "Print the public key of a gateway's checkpoints, for `sekisho-verify --key`; FILE is its sekisho.yaml. It changes only with the root key.",
        .options = no_options,
        .run = run_key};
