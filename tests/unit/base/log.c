/* gateway/base/log.c: one line is one JSON object, whatever its fields hold. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

static char line[20000];

/* Standard error goes into a pipe that holds a whole line. */
static int ends[2];

static void capture(void)
{
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
}

static size_t captured(void)
{
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    line[n < 0 ? 0 : n] = '\0';
    return n < 0 ? 0 : (size_t)n;
}

Test(base_log, a_line_begins_with_the_event_id_and_ends_with_its_fields, .init = capture)
{
    sk_log_init("worker");
    sk_log(SK_EVENT_LISTENING, SK_TEXT("address", "[::1]:443"), SK_NUMBER("count", -3));
    size_t len = captured();
    cr_assert_eq(strncmp(line, "{\"id\":\"SK1103\",\"time\":\"20", 24), 0, "%s", line);
    cr_assert_not_null(strstr(line, "\"level\":\"INFO\",\"program\":\"worker\",\"pid\":"));
    cr_assert_not_null(strstr(line, ",\"text\":\"listening\",\"address\":\"[::1]:443\",\"count\":-3}\n"), "%s", line);
    cr_assert_eq(strlen(line), len);
    cr_assert_eq(strchr(line, '\n'), line + len - 1);
}

Test(base_log, a_line_without_fields_is_whole, .init = capture)
{
    sk_log(SK_EVENT_READY);
    (void)captured();
    cr_assert_not_null(strstr(line, ",\"text\":\"the gate is open\"}\n"), "%s", line);
}

Test(base_log, a_field_cannot_break_out_of_its_string_or_its_line, .init = capture)
{
    sk_log(SK_EVENT_FATAL, SK_SLICE("why", SK_LIT("a\"},\n{\"id\":\"SK1006\\\0\x1b[2J\xff")));
    size_t len = captured();
    cr_assert_not_null(strstr(line, "\"why\":\"a\\\"},\\u000a{\\\"id\\\":\\\"SK1006\\\\\\u0000\\u001b[2J\xef\xbf\xbd\"}\n"), "%s", line);
    cr_assert_eq(strchr(line, '\n'), line + len - 1);
}

Test(base_log, an_empty_text_stays_a_text, .init = capture)
{
    sk_log(SK_EVENT_FATAL, SK_SLICE("a", SK_SLICE_NULL), SK_TEXT("b", NULL), SK_TEXT("c", ""));
    (void)captured();
    cr_assert_not_null(strstr(line, ",\"a\":\"\",\"b\":\"\",\"c\":\"\"}\n"), "%s", line);
}

Test(base_log, a_line_that_is_too_long_drops_whole_fields_and_says_so, .init = capture)
{
    static char large[9000];
    memset(large, '"', sizeof(large));
    sk_log(SK_EVENT_FATAL, SK_TEXT("kept", "yes"), SK_SLICE("large", sk_slice(large, sizeof(large))), SK_TEXT("behind", "no"));
    size_t len = captured();
    cr_assert_lt(len, 8192 + 32);
    cr_assert_not_null(strstr(line, ",\"kept\":\"yes\",\"cut\":true}\n"), "%s", line);
    cr_assert_null(strstr(line, "large"));
    cr_assert_null(strstr(line, "behind"));
}

Test(base_log, every_event_has_its_own_id)
{
    static const char *const ids[] = {
#define X(name, id, level, text, help) id,
            SK_EVENTS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        for (size_t j = 0; j < i; j++) {
            cr_expect_str_neq(ids[i], ids[j]);
        }
    }
}
