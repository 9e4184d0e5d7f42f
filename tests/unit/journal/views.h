/* What the tests of a record's views share: records, a context, and readers of the four forms that know nothing of how they are written. */
#pragma once

#include "journal/view.h"

#include <jansson.h>

typedef int view_function(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out);

#define VIEW_TEXTS(X)                                                                                        \
    X(reason) X(rule) X(subject) X(session) X(factors) X(tls) X(method) X(host) X(path) X(app) X(agent) X(upstream) X(detail) X(redacted)

extern const struct sk_view_context view_context;
extern const enum sk_audit_op view_ops[];
extern const size_t view_ops_count;

/* Every field is set: a person's denied request. */
struct sk_audit_record view_full(void);
/* Nothing that may be absent is there. */
struct sk_audit_record view_least(void);

/* The record in a form, NUL behind it, freed by the caller; fails the test when it is none, is not UTF-8 or has a control character in it. */
char *view_text(view_function *view, const struct sk_audit_record *record);

#define PAIRS_MAX 64
#define VALUE_MAX 16384

/* A form taken apart: names and values as they were before they were escaped. */
struct pairs {
    unsigned count;
    struct {
        char *name, *value;
    } all[PAIRS_MAX];
};

void pairs_free(struct pairs *pairs);
/* NULL: it has none. */
const char *pairs_get(const struct pairs *pairs, const char *name);
/*
 * Strict readers; each fails the test at what is no such message. Parameters are found by their names, those of origin by "origin.name"; what stands
 * in the header by the RFC's or CEF's name of it.
 */
struct pairs view_read_syslog(const char *text);
struct pairs view_read_cef(const char *text);
/* Without a key twice. */
json_t *view_read_json(const char *text);
/* What is at "a.b[].c", each time in the first of an array; NULL. */
const json_t *view_at(const json_t *json, const char *path);
/* Its text, or the number's digits; NULL when nothing is there. Valid until the next call. */
const char *view_value(const json_t *json, const char *path);
