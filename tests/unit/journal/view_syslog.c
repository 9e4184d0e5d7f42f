/* gateway/journal/view_syslog.c: RFC 5424, read back by a reader of its grammar. */
#include "views.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(journal_view_syslog, a_full_record_has_its_known_text)
{
    struct sk_audit_record record = view_full();
    char *text = view_text(sk_view_syslog, &record);
    cr_expect_str_eq(text,
            "<84>1 2026-11-21T03:04:05.678999Z gw1.example.net sekisho - request [sekisho@32473 seq=\"4711\""
            " tenant_id=\"01020300000000000000000000000000\" tenant=\"acme\" id=\"00000000000000000000000000000009\" boot=\"65536\""
            " op=\"request\" stage=\"outcome\" decision=\"deny\" reason=\"denied-by-rule\" rule=\"role reader: deny panel DELETE /x\""
            " subject=\"hanako\" session=\"0123456789abcdef\" factors=\"pwd,hwk,mfa\" address=\"10.1.2.3\" port=\"51234\""
            " tls=\"TLSv1.3 TLS_AES_256_GCM_SHA384 resumed\" request=\"30313233343536373839616263646566\" method=\"DELETE\""
            " host=\"panel.acme.example\" path=\"/zones/1\" app=\"panel\" agent=\"curl/8\" upstream=\"10.0.0.1:8081\" status=\"403\""
            " bytes_in=\"23\" bytes_out=\"24\" duration_us=\"4294967\" detail=\"zone 1\" count=\"7\" redacted=\"agent\"]"
            "[origin software=\"Sekisho\" swVersion=\"0.1.0\"]"
            " Request: deny denied-by-rule, hanako from 10.1.2.3, DELETE /zones/1");
    free(text);
}

Test(journal_view_syslog, the_least_record_has_its_known_text)
{
    struct sk_audit_record record = view_least();
    char *text = view_text(sk_view_syslog, &record);
    cr_expect_str_eq(text,
            "<86>1 1970-01-01T00:00:00.000000Z gw1.example.net sekisho - request [sekisho@32473 seq=\"0\""
            " tenant_id=\"00000000000000000000000000000000\" tenant=\"acme\" id=\"00000000000000000000000000000000\" op=\"request\""
            " stage=\"single\" decision=\"allow\"][origin software=\"Sekisho\" swVersion=\"0.1.0\"] Request: allow");
    free(text);
}

Test(journal_view_syslog, priority_is_authpriv_with_the_severity)
{
    static const struct {
        enum sk_audit_op op;
        enum sk_audit_decision decision;
        const char *priority;
    } cases[] = {{SK_AUDIT_REQUEST, SK_AUDIT_DECISION_ALLOW, "86"}, {SK_AUDIT_CONFIG_CHANGED, SK_AUDIT_DECISION_ALLOW, "85"},
            {SK_AUDIT_LOGIN, SK_AUDIT_DECISION_DENY, "84"}, {SK_AUDIT_REQUEST, SK_AUDIT_DECISION_ERROR, "83"}, {SK_AUDIT_PROCESS_DIED, SK_AUDIT_DECISION_ALLOW, "83"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_audit_record record = view_full();
        record.op = cases[i].op;
        record.decision = cases[i].decision;
        char *text = view_text(sk_view_syslog, &record);
        struct pairs pairs = view_read_syslog(text);
        cr_expect_str_eq(pairs_get(&pairs, "PRI"), cases[i].priority, "%zu", i);
        pairs_free(&pairs);
        free(text);
    }
}

Test(journal_view_syslog, a_host_name_is_one_printable_word)
{
    static char longest[300];
    memset(longest, 'h', sizeof(longest));
    const struct {
        struct sk_slice node;
        const char *starts;
    } cases[] = {{SK_LIT(""), "-"}, {SK_LIT("a b\n\xc3\xa9"), "a?b???"}, {sk_slice(longest, sizeof(longest)), "hhh"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_audit_record record = view_full();
        struct sk_view_context context = view_context;
        struct sk_buf out = SK_BUF_INIT(10000);
        context.node = cases[i].node;
        cr_assert_eq(sk_view_syslog(&record, &context, &out), 0);
        cr_assert_eq(sk_buf_put(&out, sk_slice("", 1)), 0);
        struct pairs pairs = view_read_syslog(sk_buf_peek(&out).data);
        cr_expect_eq(strncmp(pairs_get(&pairs, "HOSTNAME"), cases[i].starts, strlen(cases[i].starts)), 0, "%zu", i);
        pairs_free(&pairs);
        sk_buf_free(&out);
    }
}

Test(journal_view_syslog, a_message_that_is_not_ascii_has_a_byte_order_mark)
{
    struct sk_audit_record record = view_full();
    record.subject = SK_LIT("\xe5\xa4\xaa\xe9\x83\x8e");
    char *text = view_text(sk_view_syslog, &record);
    cr_expect_not_null(strstr(text, "] \xef\xbb\xbfRequest: deny"), "%s", text);
    free(text);
}
