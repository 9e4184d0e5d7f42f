/* What the views of a record share: its fields as text, and what is to be said of each op. Any process that reads records. */
#include "journal/view_impl.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const struct sk_view_key sk_view_keys[SK_VIEW_ALL] = {
#define X(name, key, number) {key, number},
        SK_VIEW_FIELDS(X) SK_VIEW_DERIVED(X)
#undef X
};

/* OCSF classes: 1008 Event Log Activity, 3001 Account Change, 3002 Authentication, 4001 Network Activity, 4002 HTTP Activity, 5019 Device Config State
 * Change, 6002 Application Lifecycle. An activity's name stands behind it. */
static const struct sk_view_op ops[] = {
        {SK_AUDIT_REQUEST, "Request", SK_VIEW_INFORMATIONAL, 4002, 0, NULL, NULL},
        {SK_AUDIT_STREAM, "Stream", SK_VIEW_INFORMATIONAL, 4002, 0, NULL, NULL},
        {SK_AUDIT_CONNECTION_REFUSED, "Connection refused", SK_VIEW_LOW, 4001, 5 /* Refuse */, "\"network\"", "\"connection\",\"denied\""},
        {SK_AUDIT_MESSAGE_REFUSED, "Message refused", SK_VIEW_LOW, 4002, 0, NULL, NULL},
        {SK_AUDIT_LOGIN, "Login", SK_VIEW_INFORMATIONAL, 3002, 1 /* Logon */, "\"authentication\"", "\"start\""},
        {SK_AUDIT_LOGOUT, "Logout", SK_VIEW_INFORMATIONAL, 3002, 2 /* Logoff */, "\"authentication\",\"session\"", "\"end\""},
        {SK_AUDIT_SESSION_ENDED, "Session ended", SK_VIEW_INFORMATIONAL, 3002, 2 /* Logoff */, "\"authentication\",\"session\"", "\"end\""},
        {SK_AUDIT_BANS_ENDED, "Bans ended", SK_VIEW_LOW, 3001, 12 /* Unlock */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_AUTHENTICATOR_ADDED, "Authenticator added", SK_VIEW_LOW, 3001, 10 /* MFA Factor Enable */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_AUTHENTICATOR_REMOVED, "Authenticator removed", SK_VIEW_LOW, 3001, 11 /* MFA Factor Disable */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_CODES_MADE, "Recovery codes made", SK_VIEW_LOW, 3001, 10 /* MFA Factor Enable */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_LINK_MADE, "Link made", SK_VIEW_LOW, 3001, 99 /* Other */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_PASSWORD_CHANGED, "Password changed", SK_VIEW_LOW, 3001, 3 /* Password Change */, "\"iam\"", "\"user\",\"change\""},
        {SK_AUDIT_TOKEN_ISSUED, "Token issued", SK_VIEW_INFORMATIONAL, 3002, 1 /* Logon */, "\"authentication\",\"session\"", "\"start\""},
        {SK_AUDIT_TOKEN_REVOKED, "Token revoked", SK_VIEW_INFORMATIONAL, 3002, 2 /* Logoff */, "\"authentication\",\"session\"", "\"end\""},
        {SK_AUDIT_GATEWAY_STARTED, "Gateway started", SK_VIEW_LOW, 6002, 3 /* Start */, "\"process\"", "\"start\""},
        {SK_AUDIT_GATEWAY_STOPPED, "Gateway stopped", SK_VIEW_LOW, 6002, 4 /* Stop */, "\"process\"", "\"end\""},
        {SK_AUDIT_PROCESS_DIED, "Process died", SK_VIEW_HIGH, 6002, 4 /* Stop */, "\"process\"", "\"end\""},
        {SK_AUDIT_CONFIG_CHANGED, "Configuration changed", SK_VIEW_LOW, 5019, 1 /* Log */, "\"configuration\"", "\"change\""},
        {SK_AUDIT_JOURNAL_RECOVERED, "Journal recovered", SK_VIEW_LOW, 1008, 6 /* Start */, "\"process\"", "\"info\""},
        {SK_AUDIT_TRAIL_READ, "Trail read", SK_VIEW_INFORMATIONAL, 1008, 99 /* Other */, "\"configuration\"", "\"access\""},
        {SK_AUDIT_TRAIL_PRUNED, "Trail pruned", SK_VIEW_INFORMATIONAL, 1008, 2 /* Delete */, "\"configuration\"", "\"deletion\""},
        {SK_AUDIT_TRAIL_HELD, "Trail held", SK_VIEW_LOW, 1008, 99 /* Other */, "\"configuration\"", "\"change\""},
        {SK_AUDIT_TRAIL_KEPT, "Trail kept", SK_VIEW_LOW, 1008, 99 /* Other */, "\"configuration\"", "\"change\""},
        {SK_AUDIT_TRAIL_ERASED, "Trail erased", SK_VIEW_LOW, 1008, 2 /* Delete */, "\"configuration\"", "\"deletion\""},
};

static const struct sk_view_op *find_op(enum sk_audit_op op)
{
    for (size_t i = 0; i < SK_COUNT(ops); i++) {
        if (ops[i].op == op) {
            return &ops[i];
        }
    }
    return NULL;
}

/* ---- fields as text ---- */

__attribute__((format(printf, 2, 3))) static struct sk_slice keep(struct sk_view *view, const char *format, ...)
{
    char *to = view->space + view->used;
    size_t room = sizeof(view->space) - view->used;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(to, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room) {
        return SK_SLICE_NULL;
    }
    view->used += (size_t)len;
    return sk_slice(to, (size_t)len);
}

static struct sk_slice keep_number(struct sk_view *view, uint64_t number)
{
    return keep(view, "%llu", (unsigned long long)(number > INT64_MAX ? INT64_MAX : number));
}

static struct sk_slice keep_hex(struct sk_view *view, const void *bytes)
{
    char hex[2 * SK_ID_SIZE + 1];
    sk_hex_encode(bytes, SK_ID_SIZE, hex);
    return keep(view, "%s", hex);
}

static struct sk_slice keep_address(struct sk_view *view)
{
    struct sk_slice bytes = view->record->address;
    struct sk_addr addr = {.family = bytes.len == 4 ? SK_FAMILY_V4 : SK_FAMILY_V6};
    char text[SK_ADDR_TEXT];
    if (bytes.len != 4 && bytes.len != 16) {
        return SK_SLICE_NULL;
    }
    memcpy(addr.bytes, bytes.data, bytes.len);
    (void)sk_addr_text(&addr, text);
    return keep(view, "%s", text);
}

/* Adds `before` and the start of `text`, cut between characters; nothing for an empty text. */
static void say(struct sk_view *view, const char *before, struct sk_slice text, size_t most)
{
    size_t len = text.len < most ? text.len : most;
    while (len < text.len && len > 0 && ((uint8_t)text.data[len] & 0xc0) == 0x80) {
        len--;
    }
    if (text.len && strlen(before) + len <= sizeof(view->space) - view->used) {
        memcpy(view->space + view->used, before, strlen(before));
        view->used += strlen(before);
        memcpy(view->space + view->used, text.data, len);
        view->used += len;
    }
}

static struct sk_slice keep_message(struct sk_view *view)
{
    const struct sk_slice *f = view->fields;
    const char *start = view->space + view->used;
    say(view, "", sk_slice_str(view->op->name), 64);
    say(view, ": ", f[SK_VIEW_DECISION], 64);
    say(view, " ", f[SK_VIEW_REASON], 64);
    say(view, ", ", f[SK_VIEW_SUBJECT], 128);
    say(view, " from ", f[SK_VIEW_ADDRESS], 64);
    say(view, ", ", f[SK_VIEW_METHOD], 32);
    say(view, f[SK_VIEW_METHOD].len ? " " : ", ", f[SK_VIEW_PATH], 128);
    return sk_slice(start, (size_t)(view->space + view->used - start));
}

static void set_texts(struct sk_view *view)
{
    const struct sk_audit_record *r = view->record;
    struct sk_slice *f = view->fields;
    f[SK_VIEW_REASON] = r->reason;
    f[SK_VIEW_RULE] = r->rule;
    f[SK_VIEW_SUBJECT] = r->subject;
    f[SK_VIEW_SESSION] = r->session;
    f[SK_VIEW_FACTORS] = r->factors;
    f[SK_VIEW_TLS] = r->tls;
    f[SK_VIEW_METHOD] = r->method;
    f[SK_VIEW_HOST] = r->host;
    f[SK_VIEW_PATH] = r->path;
    f[SK_VIEW_APP] = r->app;
    f[SK_VIEW_AGENT] = r->agent;
    f[SK_VIEW_UPSTREAM] = r->upstream;
    f[SK_VIEW_DETAIL] = r->detail;
    f[SK_VIEW_REDACTED] = r->redacted;
    f[SK_VIEW_TENANT_ID] = keep_hex(view, r->tenant);
    f[SK_VIEW_ID] = keep_hex(view, r->id);
    f[SK_VIEW_REQUEST] = r->request.len == SK_ID_SIZE ? keep_hex(view, r->request.data) : SK_SLICE_NULL;
    f[SK_VIEW_ADDRESS] = keep_address(view);
    /* "TLSv1.3 SUITE ..." */
    struct sk_slice rest = sk_slice_starts(r->tls, SK_LIT("TLSv")) ? sk_slice_from(r->tls, 4) : r->tls;
    f[SK_VIEW_TLS_VERSION] = sk_slice_split(&rest, ' ');
    f[SK_VIEW_TLS_CIPHER] = sk_slice_split(&rest, ' ');
}

static void set_numbers(struct sk_view *view)
{
    const struct sk_audit_record *r = view->record;
    const struct {
        enum sk_view_field field;
        uint64_t number;
    } numbers[] = {{SK_VIEW_BOOT, r->boot}, {SK_VIEW_PORT, r->port}, {SK_VIEW_STATUS, r->status}, {SK_VIEW_BYTES_IN, r->bytes_in},
            {SK_VIEW_BYTES_OUT, r->bytes_out}, {SK_VIEW_COUNT, r->count}, {SK_VIEW_DURATION, r->duration / 1000}, {SK_VIEW_DURATION_NS, r->duration},
            {SK_VIEW_DURATION_MS, r->duration / SK_MILLISECOND}, {SK_VIEW_SEVERITY, view->severity}};
    for (size_t i = 0; i < SK_COUNT(numbers); i++) {
        view->fields[numbers[i].field] = numbers[i].number ? keep_number(view, numbers[i].number) : SK_SLICE_NULL;
    }
    view->fields[SK_VIEW_SEQ] = keep_number(view, r->seq);
    view->fields[SK_VIEW_TIME_MS] = keep_number(view, r->wall / SK_MILLISECOND);
    char time[32];
    sk_time_text(r->wall, time);
    view->fields[SK_VIEW_TIME] = keep(view, "%.19s.%06uZ", time, (unsigned)(r->wall / 1000 % 1000000));
}

static enum sk_view_severity severity_of(const struct sk_audit_record *record, const struct sk_view_op *op)
{
    enum sk_view_severity least = record->decision == SK_AUDIT_DECISION_DENY    ? SK_VIEW_MEDIUM
                                  : record->decision == SK_AUDIT_DECISION_ERROR ? SK_VIEW_HIGH
                                                                                : SK_VIEW_INFORMATIONAL;
    return op->severity > least ? op->severity : least;
}

/* An intent has none yet, and whoever was asked for more may still give it. */
static enum sk_view_outcome outcome_of(const struct sk_audit_record *record)
{
    if (record->stage == SK_AUDIT_STAGE_INTENT || record->stage == SK_AUDIT_STAGE_UNKNOWN || record->decision == SK_AUDIT_DECISION_CHALLENGE) {
        return SK_VIEW_UNKNOWN;
    }
    return record->decision == SK_AUDIT_DECISION_ALLOW && record->status < 400 ? SK_VIEW_SUCCESS : SK_VIEW_FAILURE;
}

int sk_view_init(struct sk_view *view, const struct sk_audit_record *record, const struct sk_view_context *context)
{
    static const struct sk_slice outcomes[] = {{"unknown", 7}, {"success", 7}, {"failure", 7}};
    const struct sk_view_op *op = find_op(record->op);
    struct sk_slice *f = view->fields;
    view->record = record;
    view->op = op;
    f[SK_VIEW_OP] = sk_audit_op_text(record->op);
    f[SK_VIEW_STAGE] = sk_audit_stage_text(record->stage);
    f[SK_VIEW_DECISION] = sk_audit_decision_text(record->decision);
    if (!op || !f[SK_VIEW_OP].len || !f[SK_VIEW_STAGE].len || !f[SK_VIEW_DECISION].len) {
        return -EINVAL;
    }
    view->severity = severity_of(record, op);
    view->outcome = outcome_of(record);
    view->api = sk_slice_starts(record->session, SK_LIT("basic-"));
    f[SK_VIEW_TENANT] = context->tenant;
    f[SK_VIEW_NODE] = context->node;
    f[SK_VIEW_PRODUCT] = SK_LIT("Sekisho");
    f[SK_VIEW_VERSION] = context->version;
    f[SK_VIEW_OUTCOME] = outcomes[view->outcome];
    set_texts(view);
    set_numbers(view);
    f[SK_VIEW_MESSAGE] = keep_message(view);
    return 0;
}

/* ---- escaping ---- */

static bool is_plain(char c, const char *special)
{
    return (uint8_t)c >= 0x20 && (uint8_t)c < 0x7f && !strchr(special, c);
}

int sk_view_put(struct sk_buf *out, struct sk_slice text, const char *special)
{
    int r = 0;
    while (r == 0 && text.len) {
        size_t len = 0;
        while (len < text.len && is_plain(text.data[len], special)) {
            len++;
        }
        r = sk_buf_put(out, sk_slice_cut(text, len));
        text = sk_slice_from(text, len);
        if (r || text.len == 0) {
            break;
        }
        uint8_t c = (uint8_t)text.data[0];
        len = sk_utf8_len(text);
        if (len == 0) {
            r = sk_buf_put(out, SK_LIT("\xef\xbf\xbd"));
            len = 1;
        } else if (c < 0x20 || c == 0x7f) {
            r = sk_buf_printf(out, "#%03o", c);
        } else {
            r = len == 1 ? sk_buf_put(out, SK_LIT("\\")) : 0;
            r = r ? r : sk_buf_put(out, sk_slice_cut(text, len));
        }
        text = sk_slice_from(text, len);
    }
    return r;
}
