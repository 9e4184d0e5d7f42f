/* gateway/conf/locate.c: a path names its line, or the nearest line above it that is there. */
#include "files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned line_of(const char *text, const char *path)
{
    struct sk_conf_error error;
    cr_assert_eq(sk_conf_refuse(&error, "f", sk_slice_str(text), path, "why"), 1);
    return error.line;
}

static const char text[] = "# a comment\n"
                           "name: x\n"
                           "list:\n"
                           "  - one\n"
                           "  - two: 2\n"
                           "    deep: [a, b,\n"
                           "      c]\n"
                           "flow: {a: 1, b: {c: 2}}\n"
                           "same: &anchor\n"
                           "  inner: 1\n"
                           "other: *anchor\n";

Test(conf_locate, a_path_names_its_line)
{
    cr_expect_eq(line_of(text, ""), 2);
    cr_expect_eq(line_of(text, "name"), 2);
    cr_expect_eq(line_of(text, "list"), 4, "a list begins at its first item");
    cr_expect_eq(line_of(text, "list[0]"), 4);
    cr_expect_eq(line_of(text, "list[1]"), 5);
    cr_expect_eq(line_of(text, "list[1].two"), 5);
    cr_expect_eq(line_of(text, "list[1].deep"), 6);
    cr_expect_eq(line_of(text, "list[1].deep[2]"), 7);
    cr_expect_eq(line_of(text, "flow.b.c"), 8);
    cr_expect_eq(line_of(text, "same.inner"), 10);
    cr_expect_eq(line_of(text, "other.inner"), 10);
}

Test(conf_locate, what_is_not_there_has_the_line_of_what_is)
{
    cr_expect_eq(line_of(text, "none"), 2);
    cr_expect_eq(line_of(text, "list[7]"), 4);
    cr_expect_eq(line_of(text, "list[999999]"), 4);
    cr_expect_eq(line_of(text, "list[1].none"), 5);
    cr_expect_eq(line_of(text, "list[1].deep[2].more"), 7);
    cr_expect_eq(line_of(text, "name.more"), 2);
    cr_expect_eq(line_of(text, "flow[0]"), 8);
    cr_expect_eq(line_of(text, "list.one"), 4);
}

Test(conf_locate, a_path_that_is_none_names_some_line)
{
    static const char *const paths[] = {"[", "]", "[]", "[x]", "list[", "list[0", "list[-1]",
            "list[99999999999999999999]", "..", ".", "list..two", "[0][0]", "list[0]]"};
    for (size_t i = 0; i < SK_COUNT(paths); i++) {
        cr_expect_leq(line_of(text, paths[i]), 11, "%s", paths[i]);
    }
}

Test(conf_locate, a_text_that_is_no_yaml_has_no_line)
{
    static const char *const none[] = {"", "\n", "a: [", "\t", "a: b: c", "\xff", "{", "- a\nb"};
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_eq(line_of(none[i], "a"), 0, "%zu", i);
    }
    struct sk_conf_error error;
    cr_expect_eq(sk_conf_refuse(&error, "f", SK_SLICE_NULL, "a", "why"), 1);
    cr_expect_eq(error.line, 0);
}

Test(conf_locate, long_names_and_reasons_are_cut)
{
    char name[1000], why[2000];
    struct sk_conf_error error;
    memset(name, 'n', sizeof(name));
    memset(why, 'w', sizeof(why));
    name[sizeof(name) - 1] = why[sizeof(why) - 1] = '\0';
    cr_assert_eq(sk_conf_refuse(&error, name, SK_LIT("a: 1\n"), name, "%s", why), 1);
    cr_assert_eq(strlen(error.file), sizeof(error.file) - 1);
    cr_assert_eq(strlen(error.text), sizeof(error.text) - 1);
    cr_assert_eq(error.line, 1);
}
