/* gateway/journal/view_ecs.c: ECS. */
#include "views.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(journal_view_ecs, a_full_record_has_its_known_text)
{
    struct sk_audit_record record = view_full();
    char *text = view_text(sk_view_ecs, &record);
    cr_expect_str_eq(text,
            "{\"@timestamp\":\"2026-11-21T03:04:05.678999Z\",\"message\":\"Request: deny denied-by-rule, hanako from 10.1.2.3, DELETE /zones/1\","
            "\"ecs\":{\"version\":\"8.17.0\"},\"event\":{\"kind\":\"event\",\"module\":\"sekisho\",\"dataset\":\"sekisho.audit\","
            "\"category\":[\"network\",\"web\"],\"type\":[\"access\",\"denied\"],\"action\":\"request\",\"code\":\"outcome\",\"outcome\":\"failure\","
            "\"reason\":\"denied-by-rule\",\"id\":\"00000000000000000000000000000009\",\"sequence\":4711,\"severity\":3,\"duration\":4294967296},"
            "\"organization\":{\"id\":\"01020300000000000000000000000000\",\"name\":\"acme\"},\"user\":{\"name\":\"hanako\"},"
            "\"source\":{\"ip\":\"10.1.2.3\",\"port\":51234},\"http\":{\"request\":{\"id\":\"30313233343536373839616263646566\",\"method\":\"DELETE\","
            "\"body\":{\"bytes\":23}},\"response\":{\"status_code\":403,\"body\":{\"bytes\":24}}},"
            "\"url\":{\"domain\":\"panel.acme.example\",\"path\":\"/zones/1\"},\"user_agent\":{\"original\":\"curl/8\"},"
            "\"tls\":{\"version\":\"1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\"},\"service\":{\"name\":\"panel\"},"
            "\"server\":{\"address\":\"10.0.0.1:8081\"},\"observer\":{\"name\":\"gw1.example.net\",\"vendor\":\"Sekisho\",\"product\":\"Sekisho\","
            "\"version\":\"0.1.0\"},\"rule\":{\"name\":\"role reader: deny panel DELETE /x\"},"
            "\"transaction\":{\"id\":\"30313233343536373839616263646566\"},\"labels\":{\"decision\":\"deny\",\"session_id\":\"0123456789abcdef\","
            "\"factors\":\"pwd,hwk,mfa\",\"tls\":\"TLSv1.3 TLS_AES_256_GCM_SHA384 resumed\",\"detail\":\"zone 1\",\"boot\":\"65536\",\"count\":\"7\","
            "\"redacted\":\"agent\"}}");
    free(text);
}

/* The values that ECS has, and which types it expects of which category. */
static bool is_expected(const char *category, const char *type)
{
    static const struct {
        const char *category, *types;
    } expected[] = {{"api", " access admin allowed change creation deletion denied end info start user "}, {"authentication", " start end info "},
            {"configuration", " access change creation deletion info "}, {"iam", " admin change creation deletion group info user "},
            {"network", " access allowed connection denied end info protocol start "}, {"process", " access change end info start "},
            {"session", " start end info "}, {"web", " access error info "}};
    char word[64];
    (void)snprintf(word, sizeof(word), " %s ", type);
    for (size_t i = 0; i < SK_COUNT(expected); i++) {
        if (strcmp(category, expected[i].category) == 0) {
            return strstr(expected[i].types, word) != NULL;
        }
    }
    cr_assert_fail("no category of ECS: %s", category);
    return false;
}

static void expect_categorized(struct sk_audit_record record)
{
    char *text = view_text(sk_view_ecs, &record);
    json_t *json = view_read_json(text);
    const json_t *categories = view_at(json, "event.category"), *types = view_at(json, "event.type");
    cr_expect(json_array_size(categories) > 0 && json_array_size(types) > 0, "%s", text);
    for (size_t i = 0; i < json_array_size(types); i++) {
        bool fits = false;
        for (size_t k = 0; k < json_array_size(categories); k++) {
            fits = is_expected(json_string_value(json_array_get(categories, k)), json_string_value(json_array_get(types, i))) || fits;
        }
        cr_expect(fits, "%s", text);
    }
    cr_expect_not_null(view_value(json, "@timestamp"));
    cr_expect_not_null(view_value(json, "ecs.version"));
    json_decref(json);
    free(text);
}

Test(journal_view_ecs, categories_and_types_are_those_of_ecs)
{
    for (size_t op = 0; op < view_ops_count; op++) {
        for (int decision = 1; decision <= 4; decision++) {
            struct sk_audit_record record = view_full();
            record.op = view_ops[op];
            record.decision = (enum sk_audit_decision)decision;
            expect_categorized(record);
            record.session = SK_LIT("basic-1");
            expect_categorized(record);
        }
    }
}

Test(journal_view_ecs, labels_are_texts)
{
    struct sk_audit_record record = view_full();
    char *text = view_text(sk_view_ecs, &record);
    json_t *json = view_read_json(text);
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(json, "labels"), key, value) {
        cr_expect(json_is_string(value), "%s", key);
    }
    json_decref(json);
    free(text);
}
