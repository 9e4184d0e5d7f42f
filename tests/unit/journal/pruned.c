/* gateway/journal/pruned.c: the detail of pruning is read as it is written, and has one form. */
#include "journal/pruned.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const char example[] = "first=10 end=20 until=2026-11-27 days=7";

static int get(const char *text)
{
    struct sk_pruned pruned;
    return sk_pruned_get(sk_slice_str(text), &pruned);
}

/* The example with the first `from` in it changed. */
static const char *with(const char *from, const char *to)
{
    static char text[256];
    const char *at = strstr(example, from);
    cr_assert_not_null(at, "%s", from);
    (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - example), example, to, at + strlen(from));
    return text;
}

Test(journal_pruned, is_read_as_it_is_written)
{
    static const struct {
        const char *text;
        struct sk_pruned is;
    } of[] = {{example, {10, 20, 20784 * SK_DAY, 7}}, {"first=0 end=1 until=1971-01-01 days=1", {0, 1, 365 * SK_DAY, 1}},
            {"first=18446744073709551614 end=18446744073709551615 until=2399-12-31 days=36600", {UINT64_MAX - 1, UINT64_MAX, 157053 * SK_DAY, 36600}},
            {"first=9 end=4294967296 until=2028-02-29 days=366", {9, (uint64_t)1 << 32, 21243 * SK_DAY, 366}}};
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        struct sk_pruned p;
        char out[SK_PRUNED_TEXT];
        sk_pruned_put(&of[i].is, out);
        cr_expect_str_eq(out, of[i].text);
        cr_assert_eq(sk_pruned_get(sk_slice_str(of[i].text), &p), 0, "%s", of[i].text);
        cr_expect(p.first == of[i].is.first && p.end == of[i].is.end && p.until == of[i].is.until && p.days == of[i].is.days, "%s", of[i].text);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Another digit says something else, or nothing; any other byte nothing. */
Test(journal_pruned, no_byte_may_be_another_but_a_digit_that_says_another_number)
{
    char text[sizeof(example)];
    size_t taken = 0;
    memcpy(text, example, sizeof(text));
    for (size_t i = 0; i < sizeof(example) - 1; i++) {
        for (int value = 0; value < 256; value++) {
            struct sk_pruned p;
            text[i] = (char)value;
            if (text[i] == example[i] || sk_pruned_get(sk_slice(text, sizeof(text) - 1), &p) != 0) {
                continue;
            }
            cr_expect(is_digit(text[i]) && is_digit(example[i]), "byte %zu: %d", i, value);
            cr_expect(p.first != 10 || p.end != 20 || p.until != 20784 * SK_DAY || p.days != 7, "byte %zu: %d", i, value);
            taken++;
        }
        text[i] = example[i];
    }
    /* In order: of first the second, both of end, of the year the second to fourth, both of the month and the day, and of days all but 0. */
    cr_expect_eq(taken, 9 + 7 + 9 + 3 + 9 + 9 + 1 + 2 + 2 + 9 + 8, "%zu", taken);
}

Test(journal_pruned, has_no_other_form)
{
    static const char *const others[][2] = {{"first", " first"}, {"first", "First"}, {"first=", "first"}, {"first=", "first= "}, {"first=", "first=+"},
            {"first=", "first=-"}, {"first=", "first=0"},
            {"first=10", "first="}, {"first=10", "first=0x1"}, {"first=10 ", ""}, {"first=10 end=20", "end=20 first=10"}, {"first=10 ", "first=10 first=10 "},
            {" end", "  end"}, {" end", "\tend"},
            {" end", "\nend"}, {" end", "end"}, {" end", " more=1 end"}, {"end=", "end=0"}, {"end=", "end=+"}, {"end=20", "end=20.0"}, {"end=20", "end="},
            {"until=", "until= "}, {"until=", "until=0"},
            {"2026-11-27", ""}, {"2026-11-27", "2026-11-7"}, {"2026-11-27", "20261127"}, {"2026-11-27", "26-11-27"}, {"2026-11-27", "2026/11/27"},
            {"2026-11-27", "2026-11-27T00:00:00Z"},
            {" days", "  days"}, {" days", ""}, {"days=7", "days="}, {"days=7", "days=07"}, {"days=7", "days=7 "}, {"days=7", "days=7\n"},
            {"days=7", "days=7 more"}, {"days=7", "days=+7"}, {"days=7", "days=7d"}};
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        cr_expect_eq(get(with(others[i][0], others[i][1])), 1, "'%s'", with(others[i][0], others[i][1]));
    }
    cr_expect_eq(sk_pruned_get(sk_slice(example, sizeof(example)), &(struct sk_pruned){.days = 0}), 1, "with its NUL");
    for (size_t len = 0; len < sizeof(example) - 1; len++) {
        struct sk_pruned p;
        cr_expect_eq(sk_pruned_get(sk_slice(example, len), &p), 1, "cut at %zu", len);
        cr_expect_eq(sk_pruned_get(sk_slice(example + len + 1, sizeof(example) - 2 - len), &p), 1, "from %zu on", len + 1);
    }
}

Test(journal_pruned, keeps_its_bounds)
{
    static const struct {
        const char *from, *to;
        int result;
    } of[] = {{"first=10", "first=19", 0}, {"first=10", "first=20", 1}, {"first=10", "first=21", 1}, {"first=10 end=20", "first=0 end=0", 1},
            {"first=10", "first=0", 0},
            {"end=20", "end=18446744073709551615", 0}, {"end=20", "end=18446744073709551616", 1}, {"first=10", "first=18446744073709551616", 1},
            {"days=7", "days=1", 0}, {"days=7", "days=0", 1}, {"days=7", "days=36600", 0}, {"days=7", "days=36601", 1}, {"days=7", "days=4294967303", 1},
            {"2026-11-27", "1971-01-01", 0}, {"2026-11-27", "1970-12-31", 1}, {"2026-11-27", "1970-01-02", 1}, {"2026-11-27", "1970-01-01", 1},
            {"2026-11-27", "1969-12-31", 1},
            {"2026-11-27", "2399-12-31", 0}, {"2026-11-27", "2400-01-01", 1}, {"2026-11-27", "2555-01-01", 1}, {"2026-11-27", "9999-12-31", 1}};
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        cr_expect_eq(get(with(of[i].from, of[i].to)), of[i].result, "%s", with(of[i].from, of[i].to));
    }
}

Test(journal_pruned, is_of_a_day_that_there_is)
{
    static const struct {
        const char *day;
        int result;
    } of[] = {{"2026-02-28", 0}, {"2026-02-29", 1}, {"2028-02-29", 0}, {"2028-02-30", 1}, {"2100-02-29", 1}, {"2000-02-29", 0}, {"2026-04-30", 0},
            {"2026-04-31", 1}, {"2026-12-31", 0}, {"2026-12-32", 1},
            {"2026-13-01", 1}, {"2026-00-01", 1}, {"2026-01-00", 1}, {"0000-00-00", 1}};
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        cr_expect_eq(get(with("2026-11-27", of[i].day)), of[i].result, "%s", of[i].day);
    }
}
