/* A record in ArcSight's Common Event Format. Any process that reads records. */
#include "journal/view_impl.h"

/*
 * Keys of CEF's dictionary where it has one; a custom one then names what it is by its label. What is left has keys of our own, which CEF
 * lets a product add.
 */
static const struct {
    const char *key, *label;
} keys[SK_VIEW_KEYED] = {
        [SK_VIEW_TENANT_ID] = {"cs1", "tenant_id"},
        [SK_VIEW_TENANT] = {"SekishoTenant", NULL},
        [SK_VIEW_ID] = {"SekishoId", NULL},
        [SK_VIEW_BOOT] = {"SekishoBoot", NULL},
        [SK_VIEW_STAGE] = {"SekishoStage", NULL},
        [SK_VIEW_DECISION] = {"act", NULL},
        [SK_VIEW_REASON] = {"reason", NULL},
        [SK_VIEW_RULE] = {"cs2", "rule"},
        [SK_VIEW_SUBJECT] = {"suser", NULL},
        [SK_VIEW_SESSION] = {"cs3", "session"},
        [SK_VIEW_FACTORS] = {"cs5", "factors"},
        [SK_VIEW_PORT] = {"spt", NULL},
        [SK_VIEW_TLS] = {"SekishoTls", NULL},
        [SK_VIEW_REQUEST] = {"cs6", "request"},
        [SK_VIEW_METHOD] = {"requestMethod", NULL},
        [SK_VIEW_HOST] = {"dhost", NULL},
        [SK_VIEW_APP] = {"cs4", "app"},
        [SK_VIEW_AGENT] = {"requestClientApplication", NULL},
        [SK_VIEW_UPSTREAM] = {"SekishoUpstream", NULL},
        [SK_VIEW_STATUS] = {"cn1", "status"},
        [SK_VIEW_BYTES_IN] = {"in", NULL},
        [SK_VIEW_BYTES_OUT] = {"out", NULL},
        [SK_VIEW_DURATION] = {"cn2", "duration_us"},
        [SK_VIEW_DETAIL] = {"msg", NULL},
        [SK_VIEW_COUNT] = {"cnt", NULL},
        [SK_VIEW_REDACTED] = {"SekishoRedacted", NULL},
};

/* Of 10: up to 3 is low, up to 6 medium, up to 8 high. */
static unsigned severity_of(const struct sk_view *view)
{
    static const unsigned severities[] = {[SK_VIEW_INFORMATIONAL] = 1, [SK_VIEW_LOW] = 3, [SK_VIEW_MEDIUM] = 5, [SK_VIEW_HIGH] = 7};
    return severities[view->severity];
}

/* In the extension line ends have an escape of their own. */
static int put_value(struct sk_buf *out, struct sk_slice value)
{
    int r = 0;
    for (;;) {
        size_t len = 0;
        while (len < value.len && value.data[len] != '\n' && value.data[len] != '\r') {
            len++;
        }
        r = sk_view_put(out, sk_slice_cut(value, len), "\\=");
        if (r || len == value.len) {
            return r;
        }
        r = sk_buf_put(out, value.data[len] == '\n' ? SK_LIT("\\n") : SK_LIT("\\r"));
        if (r) {
            return r;
        }
        value = sk_slice_from(value, len + 1);
    }
}

static int put_pair(struct sk_buf *out, const char *key, const char *label, struct sk_slice value)
{
    int r = value.len ? sk_buf_printf(out, " %s=", key) : 0;
    r = r ? r : put_value(out, value);
    return r == 0 && value.len && label ? sk_buf_printf(out, " %sLabel=%s", key, label) : r;
}

/* With the host it is a URL; tenants' hosts speak nothing but TLS. */
static int put_request(struct sk_buf *out, struct sk_slice host, struct sk_slice path)
{
    if (path.len == 0) {
        return 0;
    }
    int r = sk_buf_put(out, host.len ? SK_LIT(" request=https://") : SK_LIT(" request="));
    r = r ? r : put_value(out, host);
    return r ? r : put_value(out, path);
}

static int put_header(struct sk_buf *out, const struct sk_view *view)
{
    int r = sk_buf_put(out, SK_LIT("CEF:0|Sekisho|Sekisho|"));
    struct sk_slice op = view->fields[SK_VIEW_OP];
    r = r ? r : sk_view_put(out, view->fields[SK_VIEW_VERSION], "\\|");
    return r ? r : sk_buf_printf(out, "|%.*s|%s|%u|", (int)op.len, op.data, view->op->name, severity_of(view));
}

int sk_view_cef(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out)
{
    struct sk_view view = {.used = 0};
    int r = sk_view_init(&view, record, context);
    const struct sk_slice *f = view.fields;
    r = r ? r : put_header(out, &view);
    r = r ? r : sk_buf_printf(out, "rt=%.*s externalId=%.*s-%.*s", (int)f[SK_VIEW_TIME_MS].len, f[SK_VIEW_TIME_MS].data, (int)f[SK_VIEW_TENANT_ID].len,
                        f[SK_VIEW_TENANT_ID].data, (int)f[SK_VIEW_SEQ].len, f[SK_VIEW_SEQ].data);
    r = r ? r : put_pair(out, "dvchost", NULL, f[SK_VIEW_NODE]);
    r = r ? r : put_pair(out, "outcome", NULL, f[SK_VIEW_OUTCOME]);
    if (r == 0) {
        r = record->address.len == 4 ? put_pair(out, "src", NULL, f[SK_VIEW_ADDRESS])
                                     : put_pair(out, "c6a2", "Source IPv6 Address", f[SK_VIEW_ADDRESS]);
    }
    r = r ? r : put_request(out, f[SK_VIEW_HOST], f[SK_VIEW_PATH]);
    for (size_t i = 0; r == 0 && i < SK_VIEW_KEYED; i++) {
        r = keys[i].key ? put_pair(out, keys[i].key, keys[i].label, f[i]) : 0;
    }
    return r;
}
