/* The normal form of request targets: one spelling, or a refusal. */
#include "http/target.h"

#include <criterion/criterion.h>

#define ARENA ((size_t)256 << 10)

struct target_case {
    const char *target;
    enum sk_refusal refusal;
    const char *path, *query;
};

static void check_targets(const struct target_case *cases, size_t count)
{
    struct sk_arena arena;
    sk_arena_init(&arena, ARENA);
    for (size_t i = 0; i < count; i++) {
        const struct target_case *c = &cases[i];
        struct sk_slice path = SK_SLICE_NULL, query = SK_SLICE_NULL;
        enum sk_refusal refusal = sk_target_parse(sk_slice_str(c->target), &arena, &path, &query);
        cr_expect_eq(refusal, c->refusal, "%s: %s, not %s", c->target, sk_refusal_text(refusal).data,
                sk_refusal_text(c->refusal).data);
        if (refusal == SK_REFUSAL_NONE && c->refusal == SK_REFUSAL_NONE) {
            cr_expect(sk_slice_eq(path, sk_slice_str(c->path)), "%s: path %.*s", c->target, (int)path.len,
                    path.data);
            cr_expect(sk_slice_eq(query, sk_slice_str(c->query)), "%s: query %.*s", c->target, (int)query.len,
                    query.data);
        }
        sk_arena_reset(&arena);
    }
    sk_arena_free(&arena);
}

Test(http_target, plain_targets_are_kept_as_they_are)
{
    static const struct target_case cases[] = {
            {"/", 0, "/", ""},
            {"/a", 0, "/a", ""},
            {"/a/", 0, "/a/", ""},
            {"/a/b.c/d-e_f~g", 0, "/a/b.c/d-e_f~g", ""},
            {"/a...b/.../..a/.a", 0, "/a...b/.../..a/.a", ""},
            {"/!$&'()*+,=:@", 0, "/!$&'()*+,=:@", ""},
            {"/a?", 0, "/a", "?"},
            {"/a?b=c&d=%2F..%00;", 0, "/a", "?b=c&d=%2F..%00;"},
            {"/a?b?c", 0, "/a", "?b?c"},
            {"/?//..", 0, "/", "?//.."},
    };
    check_targets(cases, SK_COUNT(cases));
}

Test(http_target, unreserved_characters_are_decoded_and_hex_is_upper_case)
{
    static const struct target_case cases[] = {
            {"/%61%5A%39%2d%5F%7e", 0, "/aZ9-_~", ""},
            {"/caf%c3%a9", 0, "/caf%C3%A9", ""},
            {"/%e6%97%a5", 0, "/%E6%97%A5", ""},
            {"/a%20b", 0, "/a%20b", ""},
            {"/a%3fb%23c", 0, "/a%3Fb%23c", ""},
            {"/a%22%3c%3E%5b%5D%5E%60%7b%7C%7d", 0, "/a%22%3C%3E%5B%5D%5E%60%7B%7C%7D", ""},
    };
    check_targets(cases, SK_COUNT(cases));
}

/* A rule that denies /user@corp must hold for /user%40corp: to nearly every server they are one resource. */
Test(http_target, characters_a_path_may_carry_plain_have_one_spelling)
{
    static const char plain[] = "!$&'()*+,=:@";
    struct sk_arena arena;
    sk_arena_init(&arena, ARENA);
    for (const char *c = plain; *c; c++) {
        char encoded[16], decoded[16];
        struct sk_slice path, other, query;
        (void)snprintf(encoded, sizeof(encoded), "/a%%%02xb", (unsigned)*c);
        (void)snprintf(decoded, sizeof(decoded), "/a%cb", *c);
        cr_assert_eq(sk_target_parse(sk_slice_str(encoded), &arena, &path, &query), 0);
        cr_assert_eq(sk_target_parse(sk_slice_str(decoded), &arena, &other, &query), 0);
        cr_expect(sk_slice_eq(path, other), "%.*s and %.*s", (int)path.len, path.data, (int)other.len,
                other.data);
    }
    sk_arena_free(&arena);
}

Test(http_target, the_normal_form_is_its_own_normal_form)
{
    struct sk_arena arena;
    sk_arena_init(&arena, ARENA);
    for (unsigned byte = 1; byte < 256; byte++) {
        char text[16];
        struct sk_slice once, twice, query;
        (void)snprintf(text, sizeof(text), "/a%%%02xb%%c3%%a9", byte);
        if (sk_target_parse(sk_slice_str(text), &arena, &once, &query) == SK_REFUSAL_NONE) {
            cr_assert_eq(sk_target_parse(once, &arena, &twice, &query), 0, "%s", text);
            cr_expect(sk_slice_eq(once, twice), "%s", text);
        }
        sk_arena_reset(&arena);
    }
    sk_arena_free(&arena);
}

Test(http_target, an_encoded_slash_is_refused)
{
    static const struct target_case cases[] = {
            {"/a%2fb", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/a%2Fb", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/a%5cb", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/a%5Cb", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/%2f", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/..%2f", SK_REFUSAL_PATH_SLASH, NULL, NULL},
            {"/..%5c..%5c", SK_REFUSAL_PATH_SLASH, NULL, NULL},
    };
    check_targets(cases, SK_COUNT(cases));
}

Test(http_target, dot_segments_are_refused_in_every_spelling)
{
    static const char *const targets[] = {"/.", "/..", "/./", "/../", "/a/./b", "/a/../b", "/a/.", "/a/..",
            "/%2e", "/%2E%2e/", "/.%2e/a", "/%2e./a", "/a/%2E", "/a/%2e%2E", "/a/%2e%2e/b?q"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_PATH_DOTS, NULL, NULL}, 1);
    }
}

Test(http_target, empty_segments_are_refused)
{
    static const char *const targets[] = {"//", "//a", "/a//b", "/a//", "///", "//example.com/"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_PATH_EMPTY, NULL, NULL}, 1);
    }
}

Test(http_target, bytes_two_servers_read_differently_are_refused)
{
    static const char *const targets[] = {"/a;b", "/a%3bb", "/a%3B", "/a;", "/;/", "/a%00", "/%00", "/a%01",
            "/a%1f", "/a%0a", "/a%0d%0a", "/a%7f", "/a\\b", "/\\", "/a%25", "/%252e%252e", "/a%25%32%66",
            "/a#b", "/#", "/a b", "/a\tb", "/a\"", "/a<", "/a>", "/a[", "/a]", "/a^", "/a`", "/a{", "/a|",
            "/a}", "/a\x7f", "/a\x01", "/a\xc0\xaf", "/\xe6\x97\xa5", "/a\xff"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_PATH_BYTE, NULL, NULL}, 1);
    }
}

Test(http_target, a_nul_byte_in_the_middle_is_refused)
{
    struct sk_arena arena;
    struct sk_slice path, query;
    sk_arena_init(&arena, ARENA);
    cr_expect_eq(sk_target_parse(SK_LIT("/a\0b"), &arena, &path, &query), SK_REFUSAL_PATH_BYTE);
    cr_expect_eq(sk_target_parse(SK_LIT("/a?b\0c"), &arena, &path, &query), SK_REFUSAL_TARGET_BAD);
    sk_arena_free(&arena);
}

/* An overlong form of '/' or '.' is one to a lax decoder behind us; it never stands for a character. */
Test(http_target, encoded_bytes_that_are_not_utf8_are_refused)
{
    static const char *const targets[] = {"/a%c0%afb", "/%c0%ae%c0%ae/", "/%e0%80%af", "/%f0%80%80%af",
            "/%c1%9c", "/%80", "/%ff", "/a%c3", "/%c3/%a9", "/%ed%a0%80", "/%f4%90%80%80"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_PATH_ENCODING, NULL, NULL}, 1);
    }
}

Test(http_target, broken_percent_encoding_is_refused)
{
    static const char *const targets[] = {
            "/%", "/a%", "/a%2", "/a%zz", "/a%2g", "/a%g2", "/a%%41", "/a%u0041", "/a%+1", "/a%-1", "/a%2?b"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_PATH_ENCODING, NULL, NULL}, 1);
    }
}

Test(http_target, what_is_no_origin_form_is_refused)
{
    static const char *const targets[] = {
            "", "a", "*", "?", "?a", "http://a/", "https://a/", "%2f", ".", "..", "\\"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_TARGET_BAD, NULL, NULL}, 1);
    }
}

Test(http_target, a_query_has_no_space_control_fragment_or_high_byte)
{
    static const char *const targets[] = {
            "/?a b", "/?a#b", "/?a\\b", "/?\x01", "/?\x7f", "/?\x80", "/?a\tb", "/?\r", "/?\n"};
    for (size_t i = 0; i < SK_COUNT(targets); i++) {
        check_targets(&(struct target_case){targets[i], SK_REFUSAL_TARGET_BAD, NULL, NULL}, 1);
    }
}

Test(http_target, the_longest_target_passes_and_one_byte_more_does_not)
{
    static char text[SK_TARGET_MAX + 2];
    struct sk_arena arena;
    struct sk_slice path, query;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    sk_arena_init(&arena, ARENA);
    cr_expect_eq(sk_target_parse(sk_slice(text, SK_TARGET_MAX), &arena, &path, &query), SK_REFUSAL_NONE);
    cr_expect_eq(path.len, SK_TARGET_MAX);
    cr_expect_eq(sk_target_parse(sk_slice(text, SK_TARGET_MAX + 1), &arena, &path, &query),
            SK_REFUSAL_TARGET_TOO_LONG);
    sk_arena_free(&arena);
}

Test(http_target, an_arena_that_runs_out_refuses)
{
    struct sk_arena arena;
    struct sk_slice path, query, host;
    sk_arena_init(&arena, 8);
    cr_expect_eq(sk_target_parse(SK_LIT("/0123456789abcdef"), &arena, &path, &query),
            SK_REFUSAL_TOO_BIG_FOR_ARENA);
    cr_expect_eq(sk_authority_parse(SK_LIT("a"), &arena, &path, &host), SK_REFUSAL_TOO_BIG_FOR_ARENA);
    sk_arena_free(&arena);
}

struct authority_case {
    const char *text, *authority, *host; /* authority NULL: refused */
};

static void check_authorities(const struct authority_case *cases, size_t count)
{
    struct sk_arena arena;
    sk_arena_init(&arena, ARENA);
    for (size_t i = 0; i < count; i++) {
        const struct authority_case *c = &cases[i];
        struct sk_slice authority = SK_SLICE_NULL, host = SK_SLICE_NULL;
        enum sk_refusal refusal = sk_authority_parse(sk_slice_str(c->text), &arena, &authority, &host);
        cr_expect_eq(refusal, c->authority ? SK_REFUSAL_NONE : SK_REFUSAL_HOST_BAD, "%s: %s", c->text,
                sk_refusal_text(refusal).data);
        if (refusal == SK_REFUSAL_NONE && c->authority) {
            cr_expect(sk_slice_eq(authority, sk_slice_str(c->authority)), "%s", c->text);
            cr_expect(sk_slice_eq(host, sk_slice_str(c->host)), "%s: host %.*s", c->text, (int)host.len,
                    host.data);
        }
        sk_arena_reset(&arena);
    }
    sk_arena_free(&arena);
}

Test(http_target, an_authority_is_lower_cased_and_split)
{
    static const struct authority_case cases[] = {
            {"example.com", "example.com", "example.com"},
            {"Example.COM:8443", "example.com:8443", "example.com"},
            {"a_b-c.d", "a_b-c.d", "a_b-c.d"},
            {"192.0.2.1:1", "192.0.2.1:1", "192.0.2.1"},
            {"[2001:DB8::1]", "[2001:db8::1]", "2001:db8::1"},
            {"[::1]:443", "[::1]:443", "::1"},
            {"a:0", "a:0", "a"},
            {"a:65535", "a:65535", "a"},
    };
    check_authorities(cases, SK_COUNT(cases));
}

Test(http_target, what_is_no_host_is_refused)
{
    static const char *const texts[] = {"", ":", ":443", "a:", "a:b", "a:65536", "a:+1", "a: 1", "a:443:443",
            "user@a", "user:pass@a", "a@b:443", "a b", "a/b", "a?b", "a#b", "a\\b", "a,b", "a%2eb", "a%00",
            "[::1", "::1", "[]", "[::1]a", "[::1]:", "[::1]:x", "[[::1]]", "[::1%25eth0]", "a[", "*.a",
            "\xc3\xa9.a", "a\x01", "a\t", "a\x7f", "a;b", "(a)", "a=b"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        check_authorities(&(struct authority_case){texts[i], NULL, NULL}, 1);
    }
}

/* Else "[acme.example]" would be judged as acme.example and sent as something else. */
Test(http_target, brackets_hold_an_ipv6_address_and_nothing_else)
{
    static const char *const texts[] = {
            "[acme.example]", "[acme]:443", "[192.0.2.1]", "[v1.a]", "[_]", "[::g]", "[1:2]", "[:]"};
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        check_authorities(&(struct authority_case){texts[i], NULL, NULL}, 1);
    }
}

Test(http_target, an_overlong_host_is_refused)
{
    char text[400];
    struct sk_arena arena;
    struct sk_slice authority, host;
    memset(text, 'a', sizeof(text));
    sk_arena_init(&arena, ARENA);
    cr_expect_eq(sk_authority_parse(sk_slice(text, 253), &arena, &authority, &host), SK_REFUSAL_NONE);
    cr_expect_eq(sk_authority_parse(sk_slice(text, 262), &arena, &authority, &host), SK_REFUSAL_HOST_BAD);
    cr_expect_eq(sk_authority_parse(sk_slice(text, 400), &arena, &authority, &host), SK_REFUSAL_HOST_BAD);
    cr_expect_eq(sk_authority_parse(SK_LIT("a\0b"), &arena, &authority, &host), SK_REFUSAL_HOST_BAD);
    sk_arena_free(&arena);
}
