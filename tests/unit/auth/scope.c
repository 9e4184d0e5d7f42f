/* gateway/auth/scope.c: both spellings say the same, and nothing is in a scope that does not name it. */
#include "auth/programs.h"

#include <criterion/criterion.h>

TestSuite(auth_scope, .timeout = 10);

static void same(const struct sk_buf *buf, const char *want)
{
    struct sk_slice got = sk_buf_peek(buf);
    cr_expect(sk_slice_eq(got, sk_slice_str(want)), "%.*s, not %s", (int)got.len, got.data ? got.data : "", want);
}

static void within(const char *wanted, const char *scope, int r, const char *want)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    cr_expect_eq(auth_scope_within(sk_slice_str(wanted), sk_slice_str(scope), &out), r, "%s in %s", wanted, scope);
    same(&out, want);
}

Test(auth_scope, is_written_and_read_back)
{
    static const char *const pairs[][2] = {{"", ""}, {"api GET", "api:GET"}, {"api GET,HEAD;other *", "api:GET api:HEAD other:*"},
            {"api GET;other *;api HEAD", "api:GET other:* api:HEAD"}};
    for (size_t i = 0; i < SK_COUNT(pairs); i++) {
        struct sk_buf written SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096), read SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
        cr_assert_eq(auth_scope_write(sk_slice_str(pairs[i][0]), &written), 0);
        same(&written, pairs[i][1]);
        cr_assert_eq(auth_scope_read(sk_buf_peek(&written), &read), 0);
        same(&read, pairs[i][0]);
    }
}

Test(auth_scope, malformed_is_none)
{
    static const char *const bad[] = {" ", "api", "api:", ":GET", "api:GET  api:HEAD", " api:GET", ":", "api:GET,POST", "api:GET;other", "a;b:GET", "a,b:GET"};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
        cr_expect_eq(auth_scope_read(sk_slice_str(bad[i]), &out), 1, "'%s'", bad[i]);
    }
}

Test(auth_scope, what_is_wanted_is_within_what_there_is)
{
    within("", "", 0, "");
    within("", "api GET", 0, "api GET");
    within("api GET", "", 0, "api GET");
    within("api GET", "api GET,HEAD", 0, "api GET");
    within("api HEAD,GET", "api GET;api HEAD", 0, "api HEAD,GET");
    within("api GET,POST", "api GET,HEAD", 1, "api GET");
    within("api POST", "api GET", 1, "");
    within("api DELETE,GET", "api *", 0, "api DELETE,GET");
    within("api *", "api *", 0, "api *");
    within("api *", "api GET", 1, "");
    within("ap GET;apis GET", "api GET", 1, "");
    within("api GE;api GETS", "api GET", 1, "");
    within("other GET;api GET", "api GET", 1, "api GET");
}

Test(auth_scope, what_has_no_room_is_no_scope)
{
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8);
    cr_expect_lt(auth_scope_write(SK_LIT("api GET,HEAD"), &out), 0);
    struct sk_buf more SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8);
    cr_expect_lt(auth_scope_within(SK_LIT("api GET,HEAD"), SK_SLICE_NULL, &more), 0);
}
