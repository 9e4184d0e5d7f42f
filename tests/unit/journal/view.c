/* gateway/journal/view.c and view_json.c: whatever a record is and holds, each form of it is whole, and says the same. */
#include "views.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static view_function *const views[] = {sk_view_syslog, sk_view_cef, sk_view_ocsf, sk_view_ecs};

/* How many names a form has, to see whether one was added. */
static unsigned count_names(size_t view, const char *text)
{
    if (view < 2) {
        struct pairs pairs = view == 0 ? view_read_syslog(text) : view_read_cef(text);
        unsigned count = pairs.count;
        pairs_free(&pairs);
        return count;
    }
    json_t *json = view_read_json(text);
    unsigned count = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        count += json_is_object(value) ? (unsigned)json_object_size(value) : 1;
    }
    json_decref(json);
    return count;
}

Test(journal_view, every_op_stage_and_decision_has_all_forms)
{
    for (size_t op = 0; op < view_ops_count; op++) {
        for (int stage = 1; stage <= 8; stage++) {
            for (int decision = 1; decision <= 4; decision++) {
                for (size_t view = 0; view < SK_COUNT(views); view++) {
                    struct sk_audit_record records[] = {view_least(), view_full()};
                    for (size_t i = 0; i < SK_COUNT(records); i++) {
                        records[i].op = view_ops[op];
                        records[i].stage = (enum sk_audit_stage)stage;
                        records[i].decision = (enum sk_audit_decision)decision;
                        char *text = view_text(views[view], &records[i]);
                        cr_expect_gt(count_names(view, text), 10);
                        free(text);
                    }
                }
            }
        }
    }
}

Test(journal_view, what_has_no_valid_op_stage_or_decision_has_no_form)
{
    for (size_t view = 0; view < SK_COUNT(views); view++) {
        for (int what = 0; what < 3; what++) {
            struct sk_audit_record record = view_full();
            struct sk_buf out = SK_BUF_INIT(10000);
            record.op = what == 0 ? (enum sk_audit_op)99 : record.op;
            record.stage = what == 1 ? (enum sk_audit_stage)99 : record.stage;
            record.decision = what == 2 ? (enum sk_audit_decision)99 : record.decision;
            cr_expect_eq(views[view](&record, &view_context, &out), -EINVAL);
            cr_expect_eq(sk_buf_len(&out), 0);
            sk_buf_free(&out);
        }
    }
}

Test(journal_view, a_form_that_does_not_fit_is_an_error)
{
    struct sk_audit_record record = view_full();
    for (size_t view = 0; view < SK_COUNT(views); view++) {
        char *text = view_text(views[view], &record);
        for (size_t limit = 0; limit < strlen(text); limit++) {
            struct sk_buf out = SK_BUF_INIT(limit);
            cr_assert_lt(views[view](&record, &view_context, &out), 0, "%zu", limit);
            sk_buf_free(&out);
        }
        free(text);
    }
}

static char *replaced(struct sk_slice text, bool lines)
{
    struct sk_buf out = SK_BUF_INIT(VALUE_MAX * 4);
    while (text.len) {
        size_t len = sk_utf8_len(text);
        uint8_t c = (uint8_t)text.data[0];
        bool control = len && (c < 0x20 || c == 0x7f) && !(lines && (c == '\n' || c == '\r'));
        int r = len == 0 ? sk_buf_put(&out, SK_LIT("\xef\xbf\xbd")) : control ? sk_buf_printf(&out, "#%03o", c) : sk_buf_put(&out, sk_slice_cut(text, len));
        cr_assert_eq(r, 0);
        text = sk_slice_from(text, len ? len : 1);
    }
    char *copy = strndup(out.data ? out.data : "", sk_buf_len(&out));
    sk_buf_free(&out);
    return copy;
}

/* What a form says of `rule` is what it was, but for what the form cannot say. */
static void expect_rule(size_t view, const char *text, struct sk_slice rule)
{
    if (view < 2) {
        struct pairs pairs = view == 0 ? view_read_syslog(text) : view_read_cef(text);
        char *want = replaced(rule, view == 1);
        cr_expect_str_eq(pairs_get(&pairs, view == 0 ? "rule" : "cs2"), want);
        free(want);
        pairs_free(&pairs);
        return;
    }
    json_t *json = view_read_json(text);
    const json_t *value = view_at(json, view == 2 ? "authorizations[].policy.name" : "rule.name");
    cr_assert(json_is_string(value));
    struct sk_slice got = sk_slice(json_string_value(value), json_string_length(value));
    bool valid = true;
    for (struct sk_slice rest = rule; valid && rest.len; rest = sk_slice_from(rest, sk_utf8_len(rest))) {
        valid = sk_utf8_len(rest) != 0;
    }
    cr_expect(!valid || sk_slice_eq(got, rule), "%.*s", (int)got.len, got.data);
    json_decref(json);
}

static void expect_held(struct sk_slice hostile)
{
    for (size_t view = 0; view < SK_COUNT(views); view++) {
        struct sk_audit_record record = view_full();
        char *benign = view_text(views[view], &record);
#define X(name) record.name = hostile;
        VIEW_TEXTS(X)
#undef X
        char *text = view_text(views[view], &record);
        (void)count_names(view, text);
        free(text);
        record.op = SK_AUDIT_LOGIN; /* whose factors are a list */
        text = view_text(views[view], &record);
        (void)count_names(view, text);
        free(text);
        /* These say more or less by what is in them. */
        struct sk_audit_record full = view_full();
        record.op = full.op;
        record.method = full.method;
        record.tls = full.tls;
        text = view_text(views[view], &record);
        cr_expect_eq(count_names(view, text), count_names(view, benign), "%s", text);
        expect_rule(view, text, hostile);
        free(benign);
        free(text);
    }
}

Test(journal_view, no_field_ends_itself_or_begins_another)
{
#define T(text) {text, sizeof(text) - 1}
    static const struct sk_slice hostile[] = {T("\""), T("]"), T("\\"), T("x\\"), T("|"), T("="), T("x\n"), T("\n<13>1 - - - - - -"), T("x\r\ny"),
            T("\" seq=\"0"), T("\"][other@1 a=\"b"), T("x suser=root"), T("x\\ suser=root"), T("x\\= suser=root"), T("|10|act=allow"),
            T("x\",\"event\":{\"action\":\"y\"},\"z\":\""), T("\0\1\x1b[31m\x7f"), T("\xf0\x9f\x97\xbb fuji"), T("\xe5\xa4\xaa\xe9\x83\x8e"), T("\xff\xfe"),
            T("a\xe9\x96"), T("\xed\xa0\x80"), T("\xe2\x80\xa8")};
#undef T
    for (size_t i = 0; i < SK_COUNT(hostile); i++) {
        expect_held(hostile[i]);
    }
}

Test(journal_view, the_longest_fields_of_the_worst_characters_are_whole)
{
    static char longest[1024];
    for (const char *c = "\"\\]|=\n\x01x"; *c; c++) {
        memset(longest, *c, sizeof(longest));
        expect_held(sk_slice(longest, sizeof(longest)));
    }
    for (size_t i = 0; i + 4 <= sizeof(longest); i += 4) {
        memcpy(longest + i, "\xf0\x9f\x97\xbb", 4);
    }
    expect_held(sk_slice(longest, sizeof(longest)));
}

Test(journal_view, chance_breaks_no_form)
{
    uint32_t seed = 11;
    for (int turn = 0; turn < 500; turn++) {
        char bytes[60];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = (seed >> 28) < 10 ? "\"\\\n|=] \x7f"[(seed >> 20) % 8] : (char)(seed >> 16);
        }
        expect_held(sk_slice(bytes, 1 + seed % sizeof(bytes)));
    }
}

Test(journal_view, numbers_are_no_larger_than_a_reader_has)
{
    struct sk_audit_record record = view_full();
    record.wall = record.seq = record.count = record.bytes_in = record.bytes_out = record.duration = record.boot = UINT64_MAX;
    for (size_t view = 0; view < SK_COUNT(views); view++) {
        char *text = view_text(views[view], &record);
        cr_expect_not_null(strstr(text, "9223372036854775807"));
        cr_expect_null(strstr(text, "18446744073709551615"));
        (void)count_names(view, text);
        free(text);
    }
}

Test(journal_view, a_message_is_cut_between_characters)
{
    struct sk_audit_record record = view_least();
    static char text[400];
    for (size_t i = 0; i + 3 <= sizeof(text); i += 3) {
        memcpy(text + i, "\xe9\x96\xa2", 3);
    }
    record.subject = record.path = sk_slice(text, 399);
    char *syslog = view_text(sk_view_syslog, &record);
    struct pairs pairs = view_read_syslog(syslog);
    const char *message = pairs_get(&pairs, "MSG");
    cr_expect_eq(strlen(message), strlen("Request: allow, , ") + 126 + 126, "%s", message);
    pairs_free(&pairs);
    free(syslog);
}

/* Severity and outcome of a record, as ECS says them. */
static void expect_judged(struct sk_audit_record record, int severity, const char *outcome)
{
    char *text = view_text(sk_view_ecs, &record);
    json_t *json = view_read_json(text);
    cr_expect_eq(json_integer_value(view_at(json, "event.severity")), severity, "%s", text);
    cr_expect_str_eq(view_value(json, "event.outcome"), outcome, "%s", text);
    json_decref(json);
    free(text);
}

Test(journal_view, severity_and_outcome_follow_op_decision_stage_and_status)
{
    struct sk_audit_record r = view_least();
    expect_judged(r, 1, "success");
    r.status = 399;
    expect_judged(r, 1, "success");
    r.status = 400;
    expect_judged(r, 1, "failure");
    r.status = 0;
    r.stage = SK_AUDIT_STAGE_INTENT;
    expect_judged(r, 1, "unknown");
    r.stage = SK_AUDIT_STAGE_SINGLE;
    r.decision = SK_AUDIT_DECISION_CHALLENGE;
    expect_judged(r, 1, "unknown");
    r.decision = SK_AUDIT_DECISION_DENY;
    expect_judged(r, 3, "failure");
    r.decision = SK_AUDIT_DECISION_ERROR;
    expect_judged(r, 4, "failure");
    r.stage = SK_AUDIT_STAGE_UNKNOWN;
    expect_judged(r, 4, "unknown");
    r = view_least();
    r.op = SK_AUDIT_PASSWORD_CHANGED;
    expect_judged(r, 2, "success");
    r.op = SK_AUDIT_PROCESS_DIED;
    expect_judged(r, 4, "success");
}
