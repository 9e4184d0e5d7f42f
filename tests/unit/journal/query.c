/* gateway/journal/query.c: what a query says, or which of its parameters is wrong. */
#include "journal/query.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define NOW (UINT64_C(1764000000) * SK_SECOND) /* 2025-11-24T16:00:00Z */

static struct sk_buf terms;
static struct sk_query q;
static struct sk_slice wrong;

static void setup(void)
{
    terms = SK_BUF_INIT(65536);
}

static void teardown(void)
{
    sk_buf_free(&terms);
}

TestSuite(journal_query, .init = setup, .fini = teardown);

static int read_it(enum sk_query_use use, const char *text)
{
    sk_buf_take(&terms, sk_buf_len(&terms));
    return sk_query_read(sk_slice_str(text), use, NOW, &q, &terms, &wrong);
}

static void refused(enum sk_query_use use, const char *text, const char *name)
{
    cr_expect_eq(read_it(use, text), 1, "%s", text);
    cr_expect(sk_slice_eq(wrong, sk_slice_str(name)), "%s: '%.*s'", text, (int)wrong.len, wrong.data);
}

Test(journal_query, nothing_is_asked_by_nothing)
{
    cr_assert_eq(read_it(SK_QUERY_RECORDS, ""), 0);
    cr_expect(q.limit == 50 && !q.from && !q.to && !q.before && !q.before_given && !q.after && !q.wait && !q.raw);
    cr_expect_eq(sk_buf_len(&terms), 0);
}

Test(journal_query, each_parameter_is_read)
{
    cr_assert_eq(read_it(SK_QUERY_RECORDS, "from=2025-11-01&to=-1h&before=9&after=3&limit=7&wait=2s&raw=yes"), 0);
    cr_expect_eq(q.from, UINT64_C(1761955200) * SK_SECOND);
    cr_expect_eq(q.to, NOW - 3600 * SK_SECOND);
    cr_expect(q.before == 9 && q.before_given && q.after == 3 && q.limit == 7 && q.wait == 2 * SK_SECOND && q.raw);
    cr_assert_eq(read_it(SK_QUERY_RECORDS, "before=0"), 0);
    cr_expect(q.before == 0 && q.before_given, "which is a bound");
}

Test(journal_query, terms_are_decoded_and_put_in_order)
{
    struct sk_term term;
    cr_assert_eq(read_it(SK_QUERY_RECORDS, "path=%2Fa+b%2a&subject=han%61ko"), 0);
    struct sk_slice rest = sk_buf_peek(&terms);
    cr_assert_eq(sk_term_next(&rest, &term), 0);
    cr_expect(term.field == SK_TERM_PATH && sk_slice_eq(term.low, SK_LIT("/a b")) && sk_slice_eq(term.high, SK_LIT("/a b\xff")));
    cr_assert_eq(sk_term_next(&rest, &term), 0);
    cr_expect(term.field == SK_TERM_SUBJECT && sk_slice_eq(term.low, SK_LIT("hanako")) && rest.len == 0);
}

Test(journal_query, what_is_wrong_is_named)
{
    static const char *const queries[][2] = {{"subjct=x", "subjct"}, {"limit=0", "limit"}, {"limit=201", "limit"}, {"limit=2&limit=2", "limit"}, {"before=0&before=5", "before"},
            {"from=yesterday", "from"}, {"to=1970-01-01", "to"}, {"wait=31s", "wait"}, {"raw=no", "raw"}, {"step=1h", "step"}, {"subject=", "subject"}, {"status=9999", "status"},
            {"request=ab", "request"}, {"=x", ""}, {"&", ""}, {"subject", "subject"}, {"path=%", NULL}, {"path=%4", NULL}};
    for (size_t i = 0; i < SK_COUNT(queries); i++) {
        if (queries[i][1]) {
            refused(SK_QUERY_RECORDS, queries[i][0], queries[i][1]);
        } else {
            cr_expect_eq(read_it(SK_QUERY_RECORDS, queries[i][0]), 0, "%s is taken as it stands", queries[i][0]);
        }
    }
    refused(SK_QUERY_PROOF, "subject=x", "subject");
    refused(SK_QUERY_PROOF, "limit=1", "limit");
    refused(SK_QUERY_COUNTS, "before=1", "before");
}

Test(journal_query, there_are_so_many_terms_ranges_and_bytes_and_no_more)
{
    char text[2 * SK_QUERY_TEXT] = "";
    for (unsigned i = 0, len = 0; i <= SK_QUERY_TERMS; i++) {
        len += (unsigned)snprintf(text + len, sizeof(text) - len, "%sapp=a", i ? "&" : "");
        cr_expect_eq(read_it(SK_QUERY_RECORDS, text), i == SK_QUERY_TERMS, "%u terms", i + 1);
    }
    for (unsigned i = 0, len = 0; i <= SK_QUERY_RANGES; i++) {
        len += (unsigned)snprintf(text + len, sizeof(text) - len, "%spath=*", i ? "&" : "");
        cr_expect_eq(read_it(SK_QUERY_RECORDS, text), i == SK_QUERY_RANGES, "%u ranges", i + 1);
    }
    int len = snprintf(text, sizeof(text), "path=");
    memset(text + len, 'x', SK_QUERY_TEXT + 1 - (size_t)len);
    text[SK_QUERY_TEXT + 1] = '\0';
    cr_expect_eq(read_it(SK_QUERY_RECORDS, text), 1);
    text[SK_QUERY_TEXT] = '\0';
    cr_expect_eq(read_it(SK_QUERY_RECORDS, text), 0);
}

Test(journal_query, counts_have_bounds_and_steps)
{
    cr_assert_eq(read_it(SK_QUERY_COUNTS, ""), 0);
    cr_expect(q.to == NOW && q.step == 865 * SK_SECOND && q.from <= NOW - 86400 * SK_SECOND && q.from % q.step == 0);
    cr_assert_eq(read_it(SK_QUERY_COUNTS, "from=-1h&step=1m"), 0);
    cr_expect(q.from == NOW - 3600 * SK_SECOND && q.to == NOW && q.step == 60 * SK_SECOND);
    cr_expect_eq(read_it(SK_QUERY_COUNTS, "from=-1000s&step=1s"), 0);
    refused(SK_QUERY_COUNTS, "from=-1001s&step=1s", "step");
    refused(SK_QUERY_COUNTS, "from=-1h&to=-1h", "from");
    refused(SK_QUERY_COUNTS, "step=500ms", "step");
}
