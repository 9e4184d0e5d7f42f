/* sekisho journal show: a journal's records as JSON lines, checked while they are read. */
#include "tools/tools.h"

#include "conf/image.h"
#include "journal/record.h"
#include "tools/files.h"

#include <errno.h>

enum { TENANT };

struct showing {
    uint8_t tenant[SK_ID_SIZE];
    bool filter;
    struct sk_buf line;
    int failed; /* output cannot be written: say nothing more */
};

static void show(void *context, const struct sk_frame_record *frame sk_unused, const struct sk_audit_record *record)
{
    struct showing *s = context;
    if (s->failed || (s->filter && memcmp(record->tenant, s->tenant, SK_ID_SIZE) != 0)) {
        return;
    }
    if (sk_record_json(record, &s->line) || sk_buf_put(&s->line, SK_LIT("\n"))) {
        s->failed = sk_tool_fail("journal show", strerror(ENOMEM), NULL);
        return;
    }
    s->failed = sk_tool_print(&s->line);
}

/* NAME@SERVICE; "operator" is the gateway's own trail. */
static int read_tenant(const char *text, struct showing *s)
{
    char name[128];
    struct sk_slice service = sk_slice_str(text);
    s->filter = true;
    if (strcmp(text, "operator") == 0) {
        return 0;
    }
    struct sk_slice tenant = sk_slice_split(&service, '@');
    if (tenant.len == 0 || service.len == 0 || tenant.len >= sizeof(name)) {
        return sk_tool_usage(text, "a tenant is NAME@SERVICE, or: operator");
    }
    memcpy(name, tenant.data, tenant.len);
    name[tenant.len] = '\0';
    sk_image_tenant_id(service.data, name, s->tenant); /* the service ends where the argument ends */
    return 0;
}

static int run(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    struct sk_files files SK_CLEANUP(sk_files_free) = {.count = 0};
    struct sk_files_proof proof SK_CLEANUP(sk_files_proof_free) = {.files = 0};
    struct showing s = {.line = SK_BUF_INIT((size_t)1 << 20)};
    char why[300], what[400];
    if (options[TENANT].count && read_tenant(options[TENANT].values[0], &s)) {
        return SK_TOOL_USAGE;
    }
    if (sk_files_add(&files, operands->values[0], why)) {
        return sk_tool_fail(files.at, why, NULL);
    }
    if (sk_files_sort(&files, why)) {
        return sk_tool_fail(operands->values[0], why, NULL);
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
        {"--tenant", "NAME@SERVICE", "this tenant's records alone; operator: the gateway's own", false}, {NULL}};

const struct sk_tool_command sk_tool_journal_show = {.group = "journal",
        .name = "show",
        .operands = "FOLDER",
        .least = 1,
        .most = 1,
        .help = "Print a journal's records as JSON lines; stops where it is damaged.",
        .options = options,
        .run = run};
