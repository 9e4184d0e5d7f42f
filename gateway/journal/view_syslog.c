/* A record as a syslog message (RFC 5424). Any process that reads records. */
#include "journal/view_impl.h"

#define FACILITY 10U /* authpriv */
#define HOSTNAME_MAX 255U

/* RFC 5424 table 2: 6 informational, 5 notice, 4 warning, 3 error. */
static unsigned priority(const struct sk_view *view)
{
    static const unsigned severities[] = {[SK_VIEW_INFORMATIONAL] = 6, [SK_VIEW_LOW] = 5, [SK_VIEW_MEDIUM] = 4, [SK_VIEW_HIGH] = 3};
    return FACILITY * 8 + severities[view->severity];
}

/* A host name is printable ASCII; what is not, is a question mark. */
static int put_hostname(struct sk_buf *out, struct sk_slice node)
{
    int r = node.len ? 0 : sk_buf_put(out, SK_LIT("-"));
    for (size_t i = 0; r == 0 && i < node.len && i < HOSTNAME_MAX; i++) {
        bool printable = node.data[i] > ' ' && node.data[i] <= '~';
        r = sk_buf_put(out, printable ? sk_slice(node.data + i, 1) : SK_LIT("?"));
    }
    return r;
}

static int put_param(struct sk_buf *out, const char *name, struct sk_slice value)
{
    int r = sk_buf_printf(out, " %s=\"", name);
    r = r ? r : sk_view_put(out, value, "\"\\]");
    return r ? r : sk_buf_put(out, SK_LIT("\""));
}

static int put_structured_data(struct sk_buf *out, const struct sk_view *view)
{
    int r = sk_buf_put(out, SK_LIT("[sekisho@" SK_VIEW_ENTERPRISE));
    for (size_t i = 0; r == 0 && i < SK_VIEW_KEYED; i++) {
        r = view->fields[i].len ? put_param(out, sk_view_keys[i].text, view->fields[i]) : 0;
    }
    r = r ? r : sk_buf_put(out, SK_LIT("][origin"));
    r = r ? r : put_param(out, "software", view->fields[SK_VIEW_PRODUCT]);
    r = r ? r : put_param(out, "swVersion", view->fields[SK_VIEW_VERSION]);
    return r ? r : sk_buf_put(out, SK_LIT("]"));
}

/* Of ASCII alone it has no byte order mark before it: section 6.4. */
static int put_message(struct sk_buf *out, struct sk_slice message)
{
    bool ascii = true;
    for (size_t i = 0; i < message.len; i++) {
        ascii = ascii && (uint8_t)message.data[i] < 0x80;
    }
    int r = sk_buf_put(out, ascii ? SK_LIT(" ") : SK_LIT(" \xef\xbb\xbf"));
    return r ? r : sk_view_put(out, message, "");
}

int sk_view_syslog(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out)
{
    struct sk_view view = {.used = 0};
    int r = sk_view_init(&view, record, context);
    const struct sk_slice *f = view.fields;
    r = r ? r : sk_buf_printf(out, "<%u>1 %.*s ", priority(&view), (int)f[SK_VIEW_TIME].len, f[SK_VIEW_TIME].data);
    r = r ? r : put_hostname(out, f[SK_VIEW_NODE]);
    r = r ? r : sk_buf_printf(out, " sekisho - %.*s ", (int)f[SK_VIEW_OP].len, f[SK_VIEW_OP].data);
    r = r ? r : put_structured_data(out, &view);
    return r ? r : put_message(out, f[SK_VIEW_MESSAGE]);
}
