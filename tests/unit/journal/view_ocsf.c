/* gateway/journal/view_ocsf.c: OCSF, whose classes have attributes that must be there. */
#include "views.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(journal_view_ocsf, a_full_record_has_its_known_text)
{
    struct sk_audit_record record = view_full();
    char *text = view_text(sk_view_ocsf, &record);
    cr_expect_str_eq(text,
            "{\"time\":1795230245678,\"category_uid\":4,\"class_uid\":4002,\"activity_id\":2,\"type_uid\":400202,\"severity_id\":3,\"status_id\":2,"
            "\"action_id\":2,\"disposition_id\":2,\"metadata\":{\"version\":\"1.8.0\",\"profiles\":[\"host\",\"security_control\"],"
            "\"product\":{\"name\":\"Sekisho\",\"vendor_name\":\"Sekisho\",\"version\":\"0.1.0\"},\"reporter\":{\"hostname\":\"gw1.example.net\"},"
            "\"uid\":\"00000000000000000000000000000009\",\"sequence\":4711,\"tenant_uid\":\"01020300000000000000000000000000\","
            "\"event_code\":\"request\",\"correlation_uid\":\"30313233343536373839616263646566\",\"is_truncated\":true},"
            "\"message\":\"Request: deny denied-by-rule, hanako from 10.1.2.3, DELETE /zones/1\",\"status_code\":\"denied-by-rule\","
            "\"status_detail\":\"zone 1\",\"count\":7,\"duration\":4294,"
            "\"authorizations\":[{\"decision\":\"deny\",\"policy\":{\"name\":\"role reader: deny panel DELETE /x\"}}],"
            "\"device\":{\"hostname\":\"gw1.example.net\",\"type_id\":1},\"actor\":{\"user\":{\"name\":\"hanako\"},"
            "\"session\":{\"uid\":\"0123456789abcdef\"}},\"src_endpoint\":{\"ip\":\"10.1.2.3\",\"port\":51234},"
            "\"dst_endpoint\":{\"name\":\"gw1.example.net\",\"hostname\":\"panel.acme.example\"},"
            "\"http_request\":{\"uid\":\"30313233343536373839616263646566\",\"http_method\":\"DELETE\","
            "\"url\":{\"hostname\":\"panel.acme.example\",\"path\":\"/zones/1\"},\"user_agent\":\"curl/8\",\"body_length\":23},"
            "\"http_response\":{\"code\":403,\"body_length\":24},\"tls\":{\"version\":\"1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\"},"
            "\"app_name\":\"panel\",\"unmapped\":{\"tenant\":\"acme\",\"boot\":65536,\"stage\":\"outcome\",\"factors\":\"pwd,hwk,mfa\","
            "\"tls\":\"TLSv1.3 TLS_AES_256_GCM_SHA384 resumed\",\"upstream\":\"10.0.0.1:8081\",\"duration_us\":4294967,\"redacted\":\"agent\"}}");
    free(text);
}

/* What the schema requires of a class: all of them, of "a|b" one at least. */
static const struct {
    int class;
    const char *all[8];
} required[] = {
        {6003, {"actor.user|actor.session", "api.operation", "src_endpoint.ip"}},
        {4002, {"http_request|http_response", "src_endpoint.ip|dst_endpoint.name"}},
        {4001, {"src_endpoint.ip|dst_endpoint.name"}},
        {3001, {"user.name"}},
        {3002, {"user.name", "service.name|dst_endpoint.name"}},
        {5019, {"device.hostname"}},
        {6002, {"app.name"}},
        {1008, {"log_name"}},
};

/* Objects that may be there only with something in them. */
static const struct {
    const char *object, *all[8];
} whole[] = {{"device", {"type_id", "hostname"}}, {"http_request.url", {"path"}}, {"http_response", {"code"}}, {"tls", {"version"}}, {"src_endpoint", {"ip"}},
        {"actor", {"user|session"}}, {"metadata", {"version", "product.name", "uid", "sequence", "tenant_uid", "event_code"}}};

static bool has_one(const json_t *json, const char *paths)
{
    struct sk_slice rest = sk_slice_str(paths);
    while (rest.len) {
        struct sk_slice path = sk_slice_split(&rest, '|');
        char text[64];
        (void)snprintf(text, sizeof(text), "%.*s", (int)path.len, path.data);
        if (view_at(json, text)) {
            return true;
        }
    }
    return false;
}

static void expect_required(const json_t *json, const char *text)
{
    static const char *const base[] = {"time", "category_uid", "class_uid", "activity_id", "type_uid", "severity_id", "status_id", "metadata", "message"};
    long long class = json_integer_value(view_at(json, "class_uid")), activity = json_integer_value(view_at(json, "activity_id"));
    bool known = false;
    for (size_t i = 0; i < SK_COUNT(base); i++) {
        cr_expect_not_null(view_at(json, base[i]), "%s in %s", base[i], text);
    }
    cr_expect_eq(json_integer_value(view_at(json, "category_uid")), class / 1000);
    cr_expect_eq(json_integer_value(view_at(json, "type_uid")), class * 100 + activity);
    cr_expect(activity != 99 || view_at(json, "activity_name"), "%s", text);
    for (size_t i = 0; i < SK_COUNT(required); i++) {
        known = known || required[i].class == class;
        for (size_t k = 0; required[i].class == class && required[i].all[k]; k++) {
            cr_expect(has_one(json, required[i].all[k]), "%s in %s", required[i].all[k], text);
        }
    }
    cr_expect(known, "class %lld", class);
    for (size_t i = 0; i < SK_COUNT(whole); i++) {
        const json_t *object = view_at(json, whole[i].object);
        for (size_t k = 0; object && k < 8 && whole[i].all[k]; k++) {
            cr_expect(has_one(object, whole[i].all[k]), "%s of %s in %s", whole[i].all[k], whole[i].object, text);
        }
    }
}

/* The class and activity, as type_uid; what is required is there. */
static long long type_of(struct sk_audit_record record)
{
    char *text = view_text(sk_view_ocsf, &record);
    json_t *json = view_read_json(text);
    expect_required(json, text);
    long long type = json_integer_value(view_at(json, "type_uid"));
    json_decref(json);
    free(text);
    return type;
}

Test(journal_view_ocsf, every_op_has_its_class_and_activity)
{
    static const struct {
        enum sk_audit_op op;
        long long type;
    } types[] = {{SK_AUDIT_REQUEST, 400202}, {SK_AUDIT_STREAM, 400202}, {SK_AUDIT_CONNECTION_REFUSED, 400105}, {SK_AUDIT_MESSAGE_REFUSED, 400202},
            {SK_AUDIT_LOGIN, 300201}, {SK_AUDIT_LOGOUT, 300202}, {SK_AUDIT_SESSION_ENDED, 300202}, {SK_AUDIT_BANS_ENDED, 300112},
            {SK_AUDIT_AUTHENTICATOR_ADDED, 300110}, {SK_AUDIT_AUTHENTICATOR_REMOVED, 300111}, {SK_AUDIT_CODES_MADE, 300110}, {SK_AUDIT_LINK_MADE, 300199},
            {SK_AUDIT_PASSWORD_CHANGED, 300103}, {SK_AUDIT_TOKEN_ISSUED, 300201}, {SK_AUDIT_TOKEN_REVOKED, 300202}, {SK_AUDIT_GATEWAY_STARTED, 600203},
            {SK_AUDIT_GATEWAY_STOPPED, 600204}, {SK_AUDIT_PROCESS_DIED, 600204}, {SK_AUDIT_CONFIG_CHANGED, 501901}, {SK_AUDIT_JOURNAL_RECOVERED, 100806},
            {SK_AUDIT_TRAIL_READ, 100899}, {SK_AUDIT_TRAIL_PRUNED, 100802}, {SK_AUDIT_TRAIL_HELD, 100899}, {SK_AUDIT_TRAIL_KEPT, 100899}, {SK_AUDIT_TRAIL_ERASED, 100802}};
    cr_assert_eq(view_ops_count, SK_COUNT(types), "a new op: say here what it is in OCSF");
    for (size_t i = 0; i < SK_COUNT(types); i++) {
        struct sk_audit_record record = view_full();
        record.op = types[i].op;
        cr_expect_eq(type_of(record), types[i].type, "%d", types[i].op);
    }
}

/* Every op, with each field missing in turn, and with nothing but that field. */
Test(journal_view_ocsf, what_a_class_requires_is_there_whatever_the_record_lacks)
{
    for (size_t op = 0; op < view_ops_count; op++) {
        for (int decision = 1; decision <= 4; decision++) {
#define X(field)                                                                                             \
    {                                                                                                        \
        struct sk_audit_record full = view_full(), without = view_full(), alone = view_least();              \
        full.op = without.op = alone.op = view_ops[op];                                                      \
        without.decision = alone.decision = (enum sk_audit_decision)decision;                                \
        memset(&without.field, 0, sizeof(without.field));                                                    \
        alone.field = full.field;                                                                            \
        (void)type_of(without);                                                                              \
        (void)type_of(alone);                                                                                \
        without.session = SK_LIT("basic-1");                                                                 \
        (void)type_of(without);                                                                              \
    }
            VIEW_TEXTS(X)
            X(address) X(port) X(request) X(status) X(bytes_in) X(bytes_out)
#undef X
        }
    }
}

Test(journal_view_ocsf, a_programs_request_is_a_call_and_a_persons_is_a_page)
{
    static const struct {
        struct sk_slice method;
        long long page, call;
    } methods[] = {{SK_LIT("CONNECT"), 1, 99}, {SK_LIT("DELETE"), 2, 4}, {SK_LIT("GET"), 3, 2}, {SK_LIT("HEAD"), 4, 2}, {SK_LIT("OPTIONS"), 5, 2}, {SK_LIT("POST"), 6, 1},
            {SK_LIT("PUT"), 7, 3}, {SK_LIT("TRACE"), 8, 99}, {SK_LIT("PATCH"), 9, 3}, {SK_LIT("PURGE"), 99, 99}, {SK_LIT("get"), 99, 99}, {SK_LIT(""), 0, 0}};
    for (size_t i = 0; i < SK_COUNT(methods); i++) {
        struct sk_audit_record record = view_full();
        record.method = methods[i].method;
        cr_expect_eq(type_of(record), 400200 + methods[i].page, "%s", methods[i].method.data);
        record.session = SK_LIT("basic-1");
        cr_expect_eq(type_of(record), 600300 + methods[i].call, "%s", methods[i].method.data);
        record.subject = SK_SLICE_NULL;
        cr_expect_eq(type_of(record), 400200 + methods[i].page, "nobody is no actor");
    }
}

Test(journal_view_ocsf, a_login_that_asks_for_more_is_preauth)
{
    struct sk_audit_record record = view_full();
    record.op = SK_AUDIT_LOGIN;
    record.decision = SK_AUDIT_DECISION_CHALLENGE;
    cr_expect_eq(type_of(record), 300206);
}

Test(journal_view_ocsf, factors_of_a_login_have_their_types)
{
    struct sk_audit_record record = view_full();
    record.op = SK_AUDIT_LOGIN;
    record.factors = SK_LIT("pwd,hwk,x5c,otp,mfa");
    char *text = view_text(sk_view_ocsf, &record);
    cr_expect_not_null(strstr(text, "\"auth_factors\":[{\"factor_type_id\":11},{\"factor_type_id\":10},{\"factor_type_id\":99,\"factor_type\":\"x5c\"},"
                                    "{\"factor_type_id\":7}],\"is_mfa\":true"), "%s", text);
    free(text);
    record.factors = SK_LIT("key");
    text = view_text(sk_view_ocsf, &record);
    cr_expect_not_null(strstr(text, "\"auth_factors\":[{\"factor_type_id\":99,\"factor_type\":\"key\"}],\"is_mfa\":false"), "%s", text);
    free(text);
}

Test(journal_view_ocsf, a_user_who_is_not_known_is_said_to_be_unknown)
{
    struct sk_audit_record record = view_least();
    record.op = SK_AUDIT_LOGIN;
    char *text = view_text(sk_view_ocsf, &record);
    json_t *json = view_read_json(text);
    cr_expect_str_eq(view_value(json, "user.name"), "Unknown");
    cr_expect_null(view_at(json, "actor"));
    json_decref(json);
    free(text);
}

Test(journal_view_ocsf, a_method_that_ocsf_does_not_name_is_unmapped)
{
    struct sk_audit_record record = view_full();
    record.method = SK_LIT("PURGE");
    char *text = view_text(sk_view_ocsf, &record);
    json_t *json = view_read_json(text);
    cr_expect_null(view_at(json, "http_request.http_method"));
    cr_expect_str_eq(view_value(json, "unmapped.method"), "PURGE");
    cr_expect_str_eq(view_value(json, "activity_name"), "PURGE");
    json_decref(json);
    free(text);
    record = view_least();
    record.method = SK_LIT("PURGE");
    cr_expect_eq(type_of(record), 400299);
}
