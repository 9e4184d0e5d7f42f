/* What the views of a record (journal/view.h) share. Inside this folder only. */
#pragma once

#include "journal/view.h"

/* X(name, key, is a number): a record's fields, by the keys that its JSON view has. */
#define SK_VIEW_FIELDS(X)                                                                                    \
    X(SEQ, "seq", true)                                                                                      \
    X(TENANT_ID, "tenant_id", false)                                                                         \
    X(TENANT, "tenant", false)                                                                               \
    X(ID, "id", false)                                                                                       \
    X(BOOT, "boot", true)                                                                                    \
    X(OP, "op", false)                                                                                       \
    X(STAGE, "stage", false)                                                                                 \
    X(DECISION, "decision", false)                                                                           \
    X(REASON, "reason", false)                                                                               \
    X(RULE, "rule", false)                                                                                   \
    X(SUBJECT, "subject", false)                                                                             \
    X(SESSION, "session", false)                                                                             \
    X(FACTORS, "factors", false)                                                                             \
    X(ADDRESS, "address", false)                                                                             \
    X(PORT, "port", true)                                                                                    \
    X(TLS, "tls", false)                                                                                     \
    X(REQUEST, "request", false)                                                                             \
    X(METHOD, "method", false)                                                                               \
    X(HOST, "host", false)                                                                                   \
    X(PATH, "path", false)                                                                                   \
    X(APP, "app", false)                                                                                     \
    X(AGENT, "agent", false)                                                                                 \
    X(UPSTREAM, "upstream", false)                                                                           \
    X(STATUS, "status", true)                                                                                \
    X(BYTES_IN, "bytes_in", true)                                                                            \
    X(BYTES_OUT, "bytes_out", true)                                                                          \
    X(DURATION, "duration_us", true)                                                                         \
    X(DETAIL, "detail", false)                                                                               \
    X(COUNT, "count", true)                                                                                  \
    X(REDACTED, "redacted", false)

/* Behind them, what is made of them or of the context. */
#define SK_VIEW_DERIVED(X)                                                                                   \
    X(TIME, "time", false) /* RFC 3339, microseconds */                                                      \
    X(TIME_MS, "time_ms", true)                                                                              \
    X(DURATION_NS, "duration_ns", true)                                                                      \
    X(DURATION_MS, "duration_ms", true)                                                                      \
    X(TLS_VERSION, "tls_version", false)                                                                     \
    X(TLS_CIPHER, "tls_cipher", false)                                                                       \
    X(SEVERITY, "severity", true)                                                                            \
    X(OUTCOME, "outcome", false)                                                                             \
    X(MESSAGE, "message", false) /* one line for people */                                                   \
    X(NODE, "node", false)                                                                                   \
    X(PRODUCT, "product", false)                                                                             \
    X(VERSION, "version", false)

enum sk_view_field {
#define X(name, key, number) SK_VIEW_##name,
    SK_VIEW_FIELDS(X) SK_VIEW_DERIVED(X)
#undef X
            SK_VIEW_ALL
};
#define SK_VIEW_KEYED SK_VIEW_TIME /* how many there are of the record's own */

extern const struct sk_view_key {
    const char *text;
    bool number;
} sk_view_keys[SK_VIEW_ALL];

/* As in OCSF. */
enum sk_view_severity { SK_VIEW_INFORMATIONAL = 1, SK_VIEW_LOW, SK_VIEW_MEDIUM, SK_VIEW_HIGH };
enum sk_view_outcome { SK_VIEW_UNKNOWN, SK_VIEW_SUCCESS, SK_VIEW_FAILURE };

/* What the forms say of an op. */
struct sk_view_op {
    enum sk_audit_op op;
    const char *name;                  /* for people */
    enum sk_view_severity severity;    /* at least */
    unsigned ocsf_class, ocsf_activity; /* activity 0: by the method */
    const char *ecs_category, *ecs_type; /* JSON strings; NULL: a request's */
};

struct sk_view {
    const struct sk_audit_record *record;
    const struct sk_view_op *op;
    enum sk_view_severity severity;
    enum sk_view_outcome outcome;
    bool api; /* a program's credential was taken, not a person's session */
    struct sk_slice fields[SK_VIEW_ALL]; /* as text; empty: it has none */
    size_t used;
    char space[2048]; /* for what is no text in the record */
};

/* `view` is zeros before. Slices point into the record, the context and the view itself, which is not to be copied. 0 or -EINVAL. */
int sk_view_init(struct sk_view *view, const struct sk_audit_record *record, const struct sk_view_context *context) sk_nodiscard;

/* Puts `text` with a backslash before each of `special`, control characters as # and three octal digits, and U+FFFD for what is not UTF-8. */
int sk_view_put(struct sk_buf *out, struct sk_slice text, const char *special) sk_nodiscard;

/*
 * Writes nested JSON objects by dotted paths, which must come in order: what is in one object, one behind the other. An object is begun when
 * something is put in it. A segment "name[]" is an array of one object. The first error sticks.
 */
struct sk_view_json {
    struct sk_buf *out;
    int error;
    struct sk_slice open; /* the path of the innermost open object, with the dot behind it */
    bool comma;           /* something stands before in the innermost object */
};

void sk_view_json_begin(struct sk_view_json *json, struct sk_buf *out);
/* The key; the caller puts the value behind it. */
void sk_view_json_key(struct sk_view_json *json, const char *path);
/* `value` is JSON. */
void sk_view_json_raw(struct sk_view_json *json, const char *path, const char *value);
void sk_view_json_number(struct sk_view_json *json, const char *path, unsigned value);
/* Nothing when the view has not got it. */
void sk_view_json_field(struct sk_view_json *json, const char *path, const struct sk_view *view, enum sk_view_field field);
void sk_view_json_text(struct sk_view_json *json, const char *path, struct sk_slice text);
/* 0 or negative. */
int sk_view_json_end(struct sk_view_json *json) sk_nodiscard;
