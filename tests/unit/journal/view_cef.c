/* gateway/journal/view_cef.c: CEF, read back as its parsers do. */
#include "views.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(journal_view_cef, a_full_record_has_its_known_text)
{
    struct sk_audit_record record = view_full();
    char *text = view_text(sk_view_cef, &record);
    cr_expect_str_eq(text,
            "CEF:0|Sekisho|Sekisho|0.1.0|request|Request|5|rt=1795230245678 externalId=01020300000000000000000000000000-4711"
            " dvchost=gw1.example.net outcome=failure src=10.1.2.3 request=https://panel.acme.example/zones/1"
            " cs1=01020300000000000000000000000000 cs1Label=tenant_id SekishoTenant=acme SekishoId=00000000000000000000000000000009"
            " SekishoBoot=65536 SekishoStage=outcome act=deny reason=denied-by-rule cs2=role reader: deny panel DELETE /x cs2Label=rule"
            " suser=hanako cs3=0123456789abcdef cs3Label=session cs5=pwd,hwk,mfa cs5Label=factors spt=51234"
            " SekishoTls=TLSv1.3 TLS_AES_256_GCM_SHA384 resumed cs6=30313233343536373839616263646566 cs6Label=request"
            " requestMethod=DELETE dhost=panel.acme.example cs4=panel cs4Label=app requestClientApplication=curl/8"
            " SekishoUpstream=10.0.0.1:8081 cn1=403 cn1Label=status in=23 out=24 cn2=4294967 cn2Label=duration_us msg=zone 1 cnt=7"
            " SekishoRedacted=agent");
    free(text);
}

Test(journal_view_cef, an_ipv6_address_is_no_src)
{
    struct sk_audit_record record = view_full();
    record.address = SK_LIT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
    char *text = view_text(sk_view_cef, &record);
    struct pairs pairs = view_read_cef(text);
    cr_expect_null(pairs_get(&pairs, "src"));
    cr_expect_str_eq(pairs_get(&pairs, "c6a2"), "2001:db8::1");
    cr_expect_str_eq(pairs_get(&pairs, "c6a2Label"), "Source IPv6 Address");
    pairs_free(&pairs);
    free(text);
}

Test(journal_view_cef, a_path_without_a_host_is_no_url)
{
    struct sk_audit_record record = view_full();
    record.host = SK_SLICE_NULL;
    char *text = view_text(sk_view_cef, &record);
    struct pairs pairs = view_read_cef(text);
    cr_expect_str_eq(pairs_get(&pairs, "request"), "/zones/1");
    pairs_free(&pairs);
    free(text);
}

Test(journal_view_cef, the_header_and_the_extension_escape_what_is_special_there)
{
    struct sk_audit_record record = view_full();
    struct sk_view_context context = view_context;
    struct sk_buf out = SK_BUF_INIT(10000);
    context.version = SK_LIT("1|2\\3=4");
    record.rule = SK_LIT("a|b=c\\d\ne\rf");
    cr_assert_eq(sk_view_cef(&record, &context, &out), 0);
    cr_assert_eq(sk_buf_put(&out, sk_slice("", 1)), 0);
    const char *text = sk_buf_peek(&out).data;
    cr_expect_eq(strncmp(text, "CEF:0|Sekisho|Sekisho|1\\|2\\\\3=4|request|", 40), 0, "%s", text);
    cr_expect_not_null(strstr(text, " cs2=a|b\\=c\\\\d\\ne\\rf cs2Label=rule "), "%s", text);
    struct pairs pairs = view_read_cef(text);
    cr_expect_str_eq(pairs_get(&pairs, "Device Version"), "1|2\\3=4");
    cr_expect_str_eq(pairs_get(&pairs, "cs2"), "a|b=c\\d\ne\rf");
    pairs_free(&pairs);
    sk_buf_free(&out);
}
