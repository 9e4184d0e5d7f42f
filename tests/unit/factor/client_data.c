/* gateway/factor/client_data.c: what a browser may have said, to the byte. */
#include "factor/client_data.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define HEAD "{\"type\":\"webauthn.get\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"https://a.test\""

static enum sk_webauthn_outcome check(struct sk_slice json)
{
    const struct sk_client_data expected = {SK_LIT("webauthn.get"), SK_LIT("0123456789abcdef"), SK_LIT("https://a.test\nhttps://b.test:8443\nhttps://[::1]:1")};
    char *copy = malloc(json.len);
    if (json.len) {
        memcpy(copy, json.data, json.len);
    }
    enum sk_webauthn_outcome r = sk_client_data_check(&expected, sk_slice(copy, json.len));
    free(copy);
    return r;
}

static enum sk_webauthn_outcome check_origin(const char *origin)
{
    char json[512];
    int len = snprintf(json, sizeof(json), "{\"type\":\"webauthn.get\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"%s\"}", origin);
    return check(sk_slice(json, (size_t)len));
}

Test(client_data, what_a_browser_says_is_taken)
{
    cr_expect_eq(check(SK_LIT(HEAD "}")), SK_WEBAUTHN_GOOD);
    cr_expect_eq(check(SK_LIT(HEAD ",\"crossOrigin\":false}")), SK_WEBAUTHN_GOOD);
    cr_expect_eq(check(SK_LIT(HEAD ",\"other_keys_can_be_added_here\":\"do not compare clientDataJSON against a template\"}")), SK_WEBAUTHN_GOOD);
    cr_expect_eq(check(SK_LIT(" { \"tokenBinding\" : {\"status\":\"supported\"}, " "\"origin\":\"https://b.test:8443\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"type\":\"webauthn\\u002eget\"}\n")),
            SK_WEBAUTHN_GOOD);
}

Test(client_data, what_is_no_client_data_is_malformed)
{
    static const struct sk_slice bad[] = {SK_LIT(""), SK_LIT("{}"), SK_LIT("[]"), SK_LIT("null"), SK_LIT(HEAD), SK_LIT(HEAD "}}"), SK_LIT(HEAD "}x"), SK_LIT(HEAD "}\0"),
            SK_LIT(HEAD ",}"), SK_LIT(HEAD ",\"type\":\"webauthn.get\"}"), SK_LIT(HEAD ",\"x\":1,\"x\":1}"), SK_LIT(HEAD ",\"x\":{\"y\":1,\"y\":2}}"),
            SK_LIT(HEAD ",\"t\\u0079pe\":\"webauthn.get\"}"), SK_LIT(HEAD ",\"crossOrigin\":\"false\"}"), SK_LIT(HEAD ",\"crossOrigin\":null}"),
            SK_LIT(HEAD ",\"crossOrigin\":0}"), SK_LIT(HEAD ",\"x\":\"\xff\"}"), SK_LIT(HEAD ",\"x\":\"\\u0000\"}"), SK_LIT("\xef\xbb\xbf" HEAD "}"), SK_LIT("[" HEAD "}]"),
            SK_LIT("{\"type\":1,\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"https://a.test\"}"),
            SK_LIT("{\"type\":\"webauthn.get\",\"challenge\":null,\"origin\":\"https://a.test\"}"),
            SK_LIT("{\"type\":\"webauthn.get\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":[\"https://a.test\"]}"),
            SK_LIT(HEAD ",\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}")};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(check(bad[i]), SK_WEBAUTHN_MALFORMED, "%zu", i);
    }
    for (size_t len = 0; len < sizeof(HEAD); len++) {
        cr_expect_eq(check(sk_slice(HEAD "}", len)), SK_WEBAUTHN_MALFORMED, "%zu", len);
    }
}

Test(client_data, an_origin_is_one_of_the_list_to_the_byte)
{
    static const char *const good[] = {"https://a.test", "https://b.test:8443", "https://[::1]:1"};
    static const char *const bad[] = {"", "https://a.test:443", "https://a.test/", "https://A.test", "http://a.test", "https://a.test.", "https://x.a.test", "https://a.tes",
            "https://b.test", "https://b.test:844", "https://a.test\\nhttps://b.test:8443", "null", "android:apk-key-hash:x", "https://a.test\\n"};
    for (size_t i = 0; i < SK_COUNT(good); i++) {
        cr_expect_eq(check_origin(good[i]), SK_WEBAUTHN_GOOD, "%s", good[i]);
    }
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(check_origin(bad[i]), SK_WEBAUTHN_ORIGIN, "%s", bad[i]);
    }
}

Test(client_data, a_challenge_is_what_was_sent_out_in_its_one_form)
{
    static const char *const bad[] = {"", "MDEyMzQ1Njc4OWFiY2RlZg==", "MDEyMzQ1Njc4OWFiY2RlZh", "MDEyMzQ1Njc4OWFiY2RlZ", "mDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZg\\n"};
    char json[512];
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        int len = snprintf(json, sizeof(json), "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"https://a.test\"}", bad[i]);
        cr_expect_eq(check(sk_slice(json, (size_t)len)), SK_WEBAUTHN_CHALLENGE, "%s", bad[i]);
    }
}

Test(client_data, another_type_and_another_sites_frame_are_refused)
{
    cr_expect_eq(check(SK_LIT(HEAD ",\"crossOrigin\":true}")), SK_WEBAUTHN_CROSS_ORIGIN);
    cr_expect_eq(check(SK_LIT(HEAD ",\"topOrigin\":\"https://a.test\"}")), SK_WEBAUTHN_CROSS_ORIGIN);
    cr_expect_eq(check(SK_LIT(HEAD ",\"crossOrigin\":false,\"topOrigin\":null}")), SK_WEBAUTHN_CROSS_ORIGIN);
    cr_expect_eq(check(SK_LIT("{\"type\":\"webauthn.create\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"https://a.test\"}")), SK_WEBAUTHN_TYPE);
    cr_expect_eq(check(SK_LIT("{\"type\":\"payment.get\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"https://a.test\"}")), SK_WEBAUTHN_TYPE);
    cr_expect_eq(check(SK_LIT("{\"type\":\"webauthn.get \",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZg\",\"origin\":\"https://a.test\"}")), SK_WEBAUTHN_TYPE);
}
