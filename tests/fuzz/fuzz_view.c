/*
 * Every record has each form for a SIEM, whole: JSON reads as JSON without a key twice, and in the others nothing in a field begins another one, for
 * there are as many as of the same record with harmless texts. The input is a record.
 */
#include "journal/record.h"
#include "journal/view.h"

#include <jansson.h>
#include <stdlib.h>

#define TEXTS(X)                                                                                             \
    X(reason) X(rule) X(subject) X(session) X(factors) X(tls) X(method) X(host) X(path) X(app) X(agent) X(upstream) X(detail) X(redacted)

typedef int view_function(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out);

/* NUL stands behind it. */
static struct sk_slice make(view_function *view, const struct sk_audit_record *record, struct sk_buf *out)
{
    const struct sk_view_context context = {.node = record->host.len ? record->host : SK_LIT("n"), .version = SK_LIT("1"), .tenant = record->subject};
    if (view(record, &context, out) || sk_buf_put(out, sk_slice("", 1))) {
        abort();
    }
    struct sk_slice text = sk_slice_cut(sk_buf_peek(out), sk_buf_len(out) - 1);
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) {
            abort();
        }
    }
    return text;
}

/* The parameters of both elements. */
static unsigned count_syslog(struct sk_slice text)
{
    const char *p = strstr(text.data, " [sekisho@");
    unsigned count = 0, elements = 0;
    if (!p) {
        abort();
    }
    for (p++; *p == '['; p++, elements++) {
        for (p += strcspn(p, " ]"); *p == ' '; p++, count++) {
            p += strcspn(p, "\"") + 1;
            for (; *p != '"'; p++) {
                bool escaped = *p == '\\' && p[1] && strchr("\"\\]", p[1]);
                p += escaped;
                if (!*p || (*p == ']' && !escaped)) {
                    abort();
                }
            }
        }
        if (*p != ']') {
            abort();
        }
    }
    if (elements != 2 || *p != ' ') {
        abort();
    }
    return count;
}

/* Equals signs that no backslash is before. */
static unsigned count_cef(struct sk_slice text)
{
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == '=';
        i += text.data[i] == '\\';
    }
    return count;
}

static void check_text(view_function *view, unsigned (*counts)(struct sk_slice text), const struct sk_audit_record *record, const struct sk_audit_record *harmless)
{
    struct sk_buf one SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20), other SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    if (counts(make(view, record, &one)) != counts(make(view, harmless, &other))) {
        abort();
    }
}

static void check_json(view_function *view, const struct sk_audit_record *record)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_slice text = make(view, record, &out);
    json_t *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json) {
        abort();
    }
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char letters[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record, harmless;
    if (sk_record_decode(sk_slice(data, size), &record)) {
        return 0;
    }
    memset(letters, 'a', sizeof(letters));
    harmless = record;
#define X(name) harmless.name.data = letters;
    TEXTS(X)
#undef X
    check_text(sk_view_syslog, count_syslog, &record, &harmless);
    check_text(sk_view_cef, count_cef, &record, &harmless);
    check_json(sk_view_ocsf, &record);
    check_json(sk_view_ecs, &record);
    return 0;
}
