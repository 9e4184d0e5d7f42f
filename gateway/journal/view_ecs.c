/* A record in the Elastic Common Schema. Any process that reads records. */
#include "journal/view_impl.h"

#include <stdio.h>

/* What is in one object, one behind the other. Labels are texts whatever they are. */
static const struct {
    const char *path;
    enum sk_view_field field;
} rows[] = {
        {"event.action", SK_VIEW_OP},
        {"event.code", SK_VIEW_STAGE},
        {"event.outcome", SK_VIEW_OUTCOME},
        {"event.reason", SK_VIEW_REASON},
        {"event.id", SK_VIEW_ID},
        {"event.sequence", SK_VIEW_SEQ},
        {"event.severity", SK_VIEW_SEVERITY},
        {"event.duration", SK_VIEW_DURATION_NS},
        {"organization.id", SK_VIEW_TENANT_ID},
        {"organization.name", SK_VIEW_TENANT},
        {"user.name", SK_VIEW_SUBJECT},
        {"source.ip", SK_VIEW_ADDRESS},
        {"source.port", SK_VIEW_PORT},
        {"http.request.id", SK_VIEW_REQUEST},
        {"http.request.method", SK_VIEW_METHOD},
        {"http.request.body.bytes", SK_VIEW_BYTES_IN},
        {"http.response.status_code", SK_VIEW_STATUS},
        {"http.response.body.bytes", SK_VIEW_BYTES_OUT},
        {"url.domain", SK_VIEW_HOST},
        {"url.path", SK_VIEW_PATH},
        {"user_agent.original", SK_VIEW_AGENT},
        {"tls.version", SK_VIEW_TLS_VERSION},
        {"tls.cipher", SK_VIEW_TLS_CIPHER},
        {"service.name", SK_VIEW_APP},
        {"server.address", SK_VIEW_UPSTREAM},
        {"observer.name", SK_VIEW_NODE},
        {"observer.vendor", SK_VIEW_PRODUCT},
        {"observer.product", SK_VIEW_PRODUCT},
        {"observer.version", SK_VIEW_VERSION},
        {"rule.name", SK_VIEW_RULE},
        {"transaction.id", SK_VIEW_REQUEST},
        {"labels.decision", SK_VIEW_DECISION},
        {"labels.session_id", SK_VIEW_SESSION},
        {"labels.factors", SK_VIEW_FACTORS},
        {"labels.tls", SK_VIEW_TLS},
        {"labels.detail", SK_VIEW_DETAIL},
        {"labels.boot", SK_VIEW_BOOT},
        {"labels.count", SK_VIEW_COUNT},
        {"labels.redacted", SK_VIEW_REDACTED},
};

/* Only the categories api and network know whether something was let through. */
static void put_categories(struct sk_view_json *json, const struct sk_view *view)
{
    static const char *const types[] = {[SK_AUDIT_DECISION_ALLOW] = "\"access\",\"allowed\"", [SK_AUDIT_DECISION_DENY] = "\"access\",\"denied\"",
            [SK_AUDIT_DECISION_CHALLENGE] = "\"access\",\"denied\"", [SK_AUDIT_DECISION_ERROR] = "\"access\""};
    const char *category = view->op->ecs_category ? view->op->ecs_category : view->api ? "\"api\"" : "\"network\",\"web\"";
    const char *type = view->op->ecs_category ? view->op->ecs_type : types[view->record->decision];
    char text[64];
    (void)snprintf(text, sizeof(text), "[%s]", category);
    sk_view_json_raw(json, "event.category", text);
    (void)snprintf(text, sizeof(text), "[%s]", type);
    sk_view_json_raw(json, "event.type", text);
}

int sk_view_ecs(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out)
{
    struct sk_view view = {.used = 0};
    struct sk_view_json json;
    int r = sk_view_init(&view, record, context);
    if (r) {
        return r;
    }
    sk_view_json_begin(&json, out);
    sk_view_json_field(&json, "@timestamp", &view, SK_VIEW_TIME);
    sk_view_json_field(&json, "message", &view, SK_VIEW_MESSAGE);
    sk_view_json_raw(&json, "ecs.version", "\"" SK_VIEW_ECS_VERSION "\"");
    sk_view_json_raw(&json, "event.kind", "\"event\"");
    sk_view_json_raw(&json, "event.module", "\"sekisho\"");
    sk_view_json_raw(&json, "event.dataset", "\"sekisho.audit\"");
    put_categories(&json, &view);
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        if (sk_slice_starts(sk_slice_str(rows[i].path), SK_LIT("labels."))) {
            sk_view_json_text(&json, rows[i].path, view.fields[rows[i].field]);
        } else {
            sk_view_json_field(&json, rows[i].path, &view, rows[i].field);
        }
    }
    return sk_view_json_end(&json);
}
