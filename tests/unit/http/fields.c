/* Rules about header fields: tokens, lists, reserved names in every spelling, trailers. */
#include "http/fields.h"

#include <criterion/criterion.h>

Test(http_fields, every_byte_is_a_token_byte_or_not_as_rfc_9110_says)
{
    static const char good[] =
            "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool expected = byte != 0 && strchr(good, c) != NULL;
        cr_expect_eq(sk_field_is_token(sk_slice(&c, 1)), expected, "%u", byte);
    }
    cr_expect_not(sk_field_is_token(SK_SLICE_NULL));
    cr_expect_not(sk_field_is_token(SK_LIT("a b")));
}

Test(http_fields, a_value_has_no_control_byte_but_the_tab)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'};
        bool expected = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
        cr_expect_eq(sk_field_value_ok(sk_slice(text, 3)), expected, "%u", byte);
    }
    cr_expect(sk_field_value_ok(SK_SLICE_NULL));
}

Test(http_fields, a_list_is_searched_by_whole_members_ignoring_case)
{
    static const struct {
        const char *list, *token;
        bool has;
    } cases[] = {{"close", "close", true}, {"Close", "close", true}, {"keep-alive, close", "close", true},
            {"a,,close", "close", true}, {" \tclose\t ", "close", true}, {"closed", "close", false},
            {"not-close", "close", false}, {"", "close", false}, {",", "close", false},
            {"close;q=1", "close", false}, {"a b", "b", false}, {"upgrade,close", "upgrade", true}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        cr_expect_eq(sk_field_list_has(sk_slice_str(cases[i].list), sk_slice_str(cases[i].token)),
                cases[i].has, "%s", cases[i].list);
    }
}

static enum sk_reserved reserved(const char *name)
{
    return sk_field_reserved(sk_slice_str(name));
}

Test(http_fields, identity_names_are_reserved)
{
    static const char *const names[] = {"x-sekisho-jwt-assertion", "x-sekisho-user", "x-sekisho-",
            "x-auth-request-user", "x-auth-request-email", "x-consumer-id", "remote-user", "remote-groups",
            "remote-addr", "x-remote-user", "x-client-cert", "x-client-cert-dn", "x-ssl-client-verify",
            "ssl-client-cert", "x-forwarded-user", "x-forwarded-email", "x-forwarded-groups",
            "x-forwarded-preferred-username", "x-forwarded-access-token", "x-forwarded-client-cert",
            "x-credential-identifier", "x-anonymous-consumer", "client-cert", "client-cert-chain", "x-user",
            "x-webauth-user", "x-original-url", "x-rewrite-url", "x-original-uri", "x-http-method-override",
            "x-http-method", "x-method-override"};
    static const char seps[] = "-_.!~'*+&#$%^`|";
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        cr_expect_eq(reserved(names[i]), SK_RESERVED_IDENTITY, "%s", names[i]);
        /* every single separator in every other spelling that a folding server takes for '-' */
        for (size_t at = 0; names[i][at]; at++) {
            for (const char *sep = seps; names[i][at] == '-' && *sep; sep++) {
                char spelled[64];
                (void)snprintf(spelled, sizeof(spelled), "%s", names[i]);
                spelled[at] = *sep;
                cr_expect_eq(reserved(spelled), SK_RESERVED_IDENTITY, "%s", spelled);
            }
            char cased[64];
            (void)snprintf(cased, sizeof(cased), "%s", names[i]);
            cased[at] = (char)(cased[at] >= 'a' && cased[at] <= 'z' ? cased[at] - 32 : cased[at]);
            cr_expect_eq(reserved(cased), SK_RESERVED_IDENTITY, "%s", cased);
        }
    }
}

Test(http_fields, forwarding_names_are_dropped_as_written_and_refused_in_disguise)
{
    static const char *const names[] = {"forwarded", "x-forwarded-for", "x-forwarded-proto",
            "x-forwarded-host", "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix",
            "x-forwarded-scheme", "x-forwarded-ssl", "x-forwarded-uri", "x-forwarded-method", "x-real-ip",
            "x-client-ip", "x-cluster-client-ip", "true-client-ip", "via"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        cr_expect_eq(reserved(names[i]), SK_RESERVED_FORWARDING, "%s", names[i]);
    }
    cr_expect_eq(reserved("x_forwarded_for"), SK_RESERVED_IDENTITY);
    cr_expect_eq(reserved("x-forwarded_for"), SK_RESERVED_IDENTITY);
    cr_expect_eq(reserved("x.real.ip"), SK_RESERVED_IDENTITY);
    cr_expect_eq(reserved("true_client_ip"), SK_RESERVED_IDENTITY);
}

Test(http_fields, other_names_are_free)
{
    static const char *const names[] = {"", "-", "host", "accept", "cookie", "authorization", "x", "x-",
            "x-sekish", "x-sekisho", "x-requested-with", "x-api-key", "x-csrf-token", "x-forwarded",
            "x-users", "x-http-methods", "referer", "remote", "range", "vary", "viable", "content-type",
            "sec-websocket-key", "xsekisho-user", "x--sekisho-user", "te", "forwarded-for", "x-sslx",
            "ssl-client"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        cr_expect_eq(reserved(names[i]), SK_RESERVED_NO, "%s", names[i]);
    }
}

/* A CGI upstream puts it into HTTP_PROXY, where its own HTTP clients take it for their proxy. */
Test(http_fields, the_proxy_field_never_passes)
{
    cr_expect_neq(reserved("proxy"), SK_RESERVED_NO);
    cr_expect_neq(reserved("Proxy"), SK_RESERVED_NO);
}

/* WSGI and CGI servers see Transfer_Encoding and Transfer-Encoding as one variable. */
Test(http_fields, framing_names_in_disguise_never_pass)
{
    static const char *const names[] = {
            "transfer_encoding", "content_length", "transfer.encoding", "content_type", "if_match"};
    for (size_t i = 0; i < 3; i++) {
        cr_expect_neq(reserved(names[i]), SK_RESERVED_NO, "%s", names[i]);
    }
    for (size_t i = 3; i < SK_COUNT(names); i++) {
        cr_expect_eq(reserved(names[i]), SK_RESERVED_NO, "%s", names[i]);
    }
}

Test(http_fields, folding_compares_as_a_folding_server_would)
{
    cr_expect(sk_field_folds_to(SK_LIT("X_Api.Key"), SK_LIT("x-api-key")));
    cr_expect_not(sk_field_folds_to(SK_LIT("x-apikey"), SK_LIT("x-api-key")));
    cr_expect_not(sk_field_folds_to(SK_LIT("x-api-key2"), SK_LIT("x-api-key")));
    cr_expect(sk_field_folds_to(SK_SLICE_NULL, SK_SLICE_NULL));
}

Test(http_fields, hop_by_hop_fields_are_known)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "te",
            "transfer-encoding", "upgrade", "trailer", "proxy-authenticate", "proxy-authorization",
            "proxy-authentication-info", "http2-settings"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        cr_expect(sk_field_is_hop_by_hop(sk_slice_str(names[i])), "%s", names[i]);
    }
    cr_expect_not(sk_field_is_hop_by_hop(SK_LIT("content-length")));
    cr_expect_not(sk_field_is_hop_by_hop(SK_LIT("authorization")));
}

Test(http_fields, trailers_carry_no_framing_identity_or_authentication)
{
    static const char *const bad[] = {"host", "content-length", "content_length", "transfer-encoding",
            "transfer_encoding", "te", "trailer", "connection", "keep_alive", "authorization", "cookie",
            "set-cookie", "set_cookie", "expect", "range", "content-type", "content-encoding",
            "content-range", "max-forwards", "cache-control", "location", "www-authenticate",
            "x-sekisho-user", "x_sekisho_user", "x-forwarded-for", "x-real-ip", "remote-user",
            "proxy-authorization", "upgrade"};
    static const char *const good[] = {"grpc-status", "grpc-message", "digest", "server-timing", "x-checksum",
            "etag", "x-amz-checksum-crc32"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_not(sk_field_trailer_ok(sk_slice_str(bad[i])), "%s", bad[i]);
    }
    for (size_t i = 0; i < SK_COUNT(good); i++) {
        cr_expect(sk_field_trailer_ok(sk_slice_str(good[i])), "%s", good[i]);
    }
}

Test(http_fields, every_refusal_has_a_status_and_a_text)
{
    for (int r = SK_REFUSAL_NONE + 1; r <= SK_REFUSAL_TOO_BIG_FOR_ARENA; r++) {
        uint16_t status = sk_refusal_status((enum sk_refusal)r);
        cr_expect(status >= 400 && status < 600);
        struct sk_slice text = sk_refusal_text((enum sk_refusal)r);
        cr_expect(
                text.len > 3 && sk_slice_find(text, ' ') == text.len && sk_slice_find(text, '_') == text.len);
    }
}

Test(http_fields, the_first_field_of_a_name_is_found)
{
    const struct sk_field fields[] = {
            {SK_LIT("a"), SK_LIT("1")}, {SK_LIT("b"), SK_LIT("2")}, {SK_LIT("a"), SK_LIT("3")}};
    cr_assert_not_null(sk_field_find(fields, 3, SK_LIT("a")));
    cr_expect(sk_slice_eq(*sk_field_find(fields, 3, SK_LIT("a")), SK_LIT("1")));
    cr_expect_null(sk_field_find(fields, 3, SK_LIT("A")));
    cr_expect_null(sk_field_find(fields, 0, SK_LIT("a")));
    cr_expect_null(sk_field_find(NULL, 0, SK_LIT("a")));
}
