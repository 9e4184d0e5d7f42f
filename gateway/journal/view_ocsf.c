/* A record in the Open Cybersecurity Schema Framework. Any process that reads records. */
#include "journal/view_impl.h"

/* The classes, and from bit 8 on what else an attribute depends on. */
enum {
    API = 1 << 0,       /* 6003 API Activity */
    HTTP = 1 << 1,      /* 4002 HTTP Activity */
    NETWORK = 1 << 2,   /* 4001 Network Activity */
    ACCOUNT = 1 << 3,   /* 3001 Account Change */
    LOGIN = 1 << 4,     /* 3002 Authentication */
    CONFIG = 1 << 5,    /* 5019 Device Config State Change */
    LIFECYCLE = 1 << 6, /* 6002 Application Lifecycle */
    LOG = 1 << 7,       /* 1008 Event Log Activity */
    IF_ADDRESS = 1 << 8,
    IF_PATH = 1 << 9,
    IF_STATUS = 1 << 10,
    IF_KNOWN_METHOD = 1 << 11,
    IF_NO_METHOD = 1 << 12,
    IF_NO_SUBJECT = 1 << 13,
    IF_NO_REQUEST = 1 << 14, /* nothing is known of it */
    IF_CUT = 1 << 15,
};

#define ANY 0xffU
#define USERS (ACCOUNT | LOGIN)
#define REQUESTS (API | HTTP | USERS)
#define SOURCES (REQUESTS | NETWORK | LOG)
#define TARGETS (API | HTTP | NETWORK | LOGIN | LOG)

/* What is in one object, one behind the other. A field that no row has put is unmapped. */
static const struct row {
    const char *path;
    unsigned when; /* one of these classes, and all of these conditions */
    enum sk_view_field field;
    const char *fixed; /* JSON; NULL: the field */
} rows[] = {
        {"metadata.version", ANY, 0, "\"" SK_VIEW_OCSF_VERSION "\""},
        {"metadata.profiles", ANY, 0, "[\"host\",\"security_control\"]"},
        {"metadata.product.name", ANY, SK_VIEW_PRODUCT, NULL},
        {"metadata.product.vendor_name", ANY, SK_VIEW_PRODUCT, NULL},
        {"metadata.product.version", ANY, SK_VIEW_VERSION, NULL},
        {"metadata.reporter.hostname", ANY, SK_VIEW_NODE, NULL},
        {"metadata.uid", ANY, SK_VIEW_ID, NULL},
        {"metadata.sequence", ANY, SK_VIEW_SEQ, NULL},
        {"metadata.tenant_uid", ANY, SK_VIEW_TENANT_ID, NULL},
        {"metadata.event_code", ANY, SK_VIEW_OP, NULL},
        {"metadata.correlation_uid", ANY, SK_VIEW_REQUEST, NULL},
        {"metadata.is_truncated", ANY | IF_CUT, 0, "true"},
        {"message", ANY, SK_VIEW_MESSAGE, NULL},
        {"status_code", ANY, SK_VIEW_REASON, NULL},
        {"status_detail", ANY, SK_VIEW_DETAIL, NULL},
        {"count", ANY, SK_VIEW_COUNT, NULL},
        {"duration", ANY, SK_VIEW_DURATION_MS, NULL},
        {"authorizations[].decision", ANY, SK_VIEW_DECISION, NULL},
        {"authorizations[].policy.name", ANY, SK_VIEW_RULE, NULL},
        {"device.hostname", ANY, SK_VIEW_NODE, NULL},
        {"device.type_id", ANY, 0, "1"},
        {"actor.user.name", ANY & ~(unsigned)USERS, SK_VIEW_SUBJECT, NULL},
        {"actor.session.uid", ANY & ~(unsigned)LOGIN, SK_VIEW_SESSION, NULL},
        {"user.name", USERS, SK_VIEW_SUBJECT, NULL},
        {"user.name", USERS | IF_NO_SUBJECT, 0, "\"Unknown\""},
        {"session.uid", LOGIN, SK_VIEW_SESSION, NULL},
        {"is_remote", LOGIN | IF_ADDRESS, 0, "true"},
        {"src_endpoint.ip", SOURCES, SK_VIEW_ADDRESS, NULL},
        {"src_endpoint.port", SOURCES | IF_ADDRESS, SK_VIEW_PORT, NULL},
        {"dst_endpoint.name", TARGETS, SK_VIEW_NODE, NULL},
        {"dst_endpoint.hostname", TARGETS, SK_VIEW_HOST, NULL},
        {"http_request", HTTP | IF_NO_REQUEST, 0, "{}"},
        {"http_request.uid", REQUESTS, SK_VIEW_REQUEST, NULL},
        {"http_request.http_method", REQUESTS | IF_KNOWN_METHOD, SK_VIEW_METHOD, NULL},
        {"http_request.url.hostname", REQUESTS | IF_PATH, SK_VIEW_HOST, NULL},
        {"http_request.url.path", REQUESTS, SK_VIEW_PATH, NULL},
        {"http_request.user_agent", REQUESTS, SK_VIEW_AGENT, NULL},
        {"http_request.body_length", REQUESTS, SK_VIEW_BYTES_IN, NULL},
        {"http_response.code", REQUESTS, SK_VIEW_STATUS, NULL},
        {"http_response.body_length", REQUESTS | IF_STATUS, SK_VIEW_BYTES_OUT, NULL},
        {"tls.version", HTTP | NETWORK, SK_VIEW_TLS_VERSION, NULL},
        {"tls.cipher", HTTP | NETWORK, SK_VIEW_TLS_CIPHER, NULL},
        {"app_name", HTTP | NETWORK, SK_VIEW_APP, NULL},
        {"api.operation", API, SK_VIEW_METHOD, NULL},
        {"api.operation", API | IF_NO_METHOD, 0, "\"Unknown\""},
        {"api.service.name", API, SK_VIEW_APP, NULL},
        {"resources[].name", API, SK_VIEW_PATH, NULL},
        {"service.name", LOGIN, SK_VIEW_APP, NULL},
        {"app.name", LIFECYCLE, SK_VIEW_PRODUCT, NULL},
        {"app.vendor_name", LIFECYCLE, SK_VIEW_PRODUCT, NULL},
        {"app.version", LIFECYCLE, SK_VIEW_VERSION, NULL},
        {"log_name", LOG, 0, "\"journal\""},
        {"log_provider", LOG, SK_VIEW_PRODUCT, NULL},
};

static const char *const unmapped[] = {
#define X(name, key, number) "unmapped." key,
        SK_VIEW_FIELDS(X)
#undef X
};

/* Its number as an activity of 4002, and of 6003: 1 create, 2 read, 3 update, 4 delete. */
static const struct method {
    const char *name;
    unsigned http, api;
} methods[] = {{"CONNECT", 1, 99}, {"DELETE", 2, 4}, {"GET", 3, 2}, {"HEAD", 4, 2}, {"OPTIONS", 5, 2}, {"POST", 6, 1}, {"PUT", 7, 3}, {"TRACE", 8, 99},
        {"PATCH", 9, 3}};

static const struct method *find_method(struct sk_slice name)
{
    for (size_t i = 0; i < SK_COUNT(methods); i++) {
        if (sk_slice_eq(name, sk_slice_str(methods[i].name))) {
            return &methods[i];
        }
    }
    return NULL;
}

/* A call of a program's has all that is required of one; what else came over HTTP is activity of that. */
static unsigned class_of(const struct sk_view *view)
{
    const struct sk_slice *f = view->fields;
    bool call = view->op->ocsf_class == 4002 && view->api && f[SK_VIEW_SUBJECT].len && f[SK_VIEW_ADDRESS].len;
    return call ? 6003 : view->op->ocsf_class;
}

static unsigned activity_of(const struct sk_view *view, unsigned class)
{
    const struct method *method = find_method(view->fields[SK_VIEW_METHOD]);
    if (class == 3002 && view->op->ocsf_activity == 1 && view->record->decision == SK_AUDIT_DECISION_CHALLENGE) {
        return 6; /* Preauth: a first factor was right */
    }
    if (view->op->ocsf_activity) {
        return view->op->ocsf_activity;
    }
    if (!method) {
        return view->fields[SK_VIEW_METHOD].len ? 99 : 0;
    }
    return class == 6003 ? method->api : method->http;
}

static unsigned conditions_of(const struct sk_view *view, unsigned class)
{
    static const struct {
        unsigned class, bit;
    } classes[] = {{6003, API}, {4002, HTTP}, {4001, NETWORK}, {3001, ACCOUNT}, {3002, LOGIN}, {5019, CONFIG}, {6002, LIFECYCLE}, {1008, LOG}};
    const struct sk_slice *f = view->fields;
    unsigned holds = 0;
    for (size_t i = 0; i < SK_COUNT(classes); i++) {
        holds |= classes[i].class == class ? classes[i].bit : 0;
    }
    bool known = find_method(f[SK_VIEW_METHOD]) != NULL;
    bool request = known || f[SK_VIEW_REQUEST].len || f[SK_VIEW_PATH].len || f[SK_VIEW_AGENT].len || f[SK_VIEW_BYTES_IN].len;
    holds |= f[SK_VIEW_ADDRESS].len ? IF_ADDRESS : 0;
    holds |= f[SK_VIEW_PATH].len ? IF_PATH : 0;
    holds |= f[SK_VIEW_STATUS].len ? IF_STATUS : 0;
    holds |= known ? IF_KNOWN_METHOD : 0;
    holds |= f[SK_VIEW_METHOD].len ? 0 : IF_NO_METHOD;
    holds |= f[SK_VIEW_SUBJECT].len ? 0 : IF_NO_SUBJECT;
    holds |= request ? 0 : IF_NO_REQUEST;
    holds |= f[SK_VIEW_REDACTED].len ? IF_CUT : 0;
    return holds;
}

static void put_classification(struct sk_view_json *json, const struct sk_view *view, unsigned class)
{
    static const struct {
        unsigned action, disposition;
    } decisions[] = {[SK_AUDIT_DECISION_ALLOW] = {1, 1}, [SK_AUDIT_DECISION_DENY] = {2, 2}, [SK_AUDIT_DECISION_CHALLENGE] = {0, 23},
            [SK_AUDIT_DECISION_ERROR] = {0, 27}};
    unsigned activity = activity_of(view, class);
    sk_view_json_field(json, "time", view, SK_VIEW_TIME_MS);
    sk_view_json_number(json, "category_uid", class / 1000);
    sk_view_json_number(json, "class_uid", class);
    sk_view_json_number(json, "activity_id", activity);
    sk_view_json_number(json, "type_uid", class * 100 + activity);
    if (activity == 99) {
        sk_view_json_field(json, "activity_name", view, view->op->ocsf_activity ? SK_VIEW_OP : SK_VIEW_METHOD);
    }
    sk_view_json_field(json, "severity_id", view, SK_VIEW_SEVERITY);
    sk_view_json_number(json, "status_id", view->outcome);
    sk_view_json_number(json, "action_id", decisions[view->record->decision].action);
    sk_view_json_number(json, "disposition_id", decisions[view->record->decision].disposition);
}

/* RFC 8176's names as OCSF's factor types: 7 OTP, 10 WebAuthn, 11 password, 99 other. "mfa" is no factor, but says that there were several. */
static void put_factors(struct sk_view_json *json, struct sk_slice names)
{
    static const struct {
        struct sk_slice name;
        const char *type;
    } types[] = {{{"pwd", 3}, "11"}, {{"hwk", 3}, "10"}, {{"swk", 3}, "10"}, {{"otp", 3}, "7"}};
    bool several = false, first = true;
    sk_view_json_key(json, "auth_factors");
    json->error = json->error ? json->error : sk_buf_put(json->out, SK_LIT("["));
    while (json->error == 0 && names.len) {
        struct sk_slice name = sk_slice_split(&names, ',');
        const char *type = NULL;
        for (size_t i = 0; i < SK_COUNT(types); i++) {
            type = sk_slice_eq(name, types[i].name) ? types[i].type : type;
        }
        several = several || sk_slice_eq(name, SK_LIT("mfa"));
        if (name.len == 0 || sk_slice_eq(name, SK_LIT("mfa"))) {
            continue;
        }
        struct sk_view_json factor;
        json->error = first ? 0 : sk_buf_put(json->out, SK_LIT(","));
        sk_view_json_begin(&factor, json->out);
        sk_view_json_raw(&factor, "factor_type_id", type ? type : "99");
        sk_view_json_text(&factor, "factor_type", type ? SK_SLICE_NULL : name);
        json->error = json->error ? json->error : sk_view_json_end(&factor);
        first = false;
    }
    json->error = json->error ? json->error : sk_buf_put(json->out, SK_LIT("]"));
    sk_view_json_raw(json, "is_mfa", several ? "true" : "false");
}

/* The fields that were put, a bit for each. */
static uint64_t put_rows(struct sk_view_json *json, const struct sk_view *view, unsigned holds)
{
    uint64_t mapped = 0;
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        unsigned conditions = rows[i].when & ~ANY;
        if (!(rows[i].when & holds & ANY) || (conditions & holds) != conditions) {
            continue;
        }
        if (rows[i].fixed) {
            sk_view_json_raw(json, rows[i].path, rows[i].fixed);
        } else {
            sk_view_json_field(json, rows[i].path, view, rows[i].field);
            mapped |= UINT64_C(1) << rows[i].field;
        }
    }
    return mapped;
}

int sk_view_ocsf(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out)
{
    struct sk_view view = {.used = 0};
    struct sk_view_json json;
    int r = sk_view_init(&view, record, context);
    if (r) {
        return r;
    }
    unsigned class = class_of(&view);
    sk_view_json_begin(&json, out);
    put_classification(&json, &view, class);
    uint64_t mapped = put_rows(&json, &view, conditions_of(&view, class));
    if (class == 3002 && view.fields[SK_VIEW_FACTORS].len) {
        put_factors(&json, view.fields[SK_VIEW_FACTORS]);
    }
    for (size_t i = 0; i < SK_COUNT(unmapped); i++) {
        if (!(mapped >> i & 1)) {
            sk_view_json_field(&json, unmapped[i], &view, (enum sk_view_field)i);
        }
    }
    return sk_view_json_end(&json);
}
