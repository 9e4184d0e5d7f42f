/* gateway/feed/cursor.c: a place is read as it was written, and nothing else is one. */
#include "feed/cursor.h"

#include "sekisho/slice.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];
static int folder;

static void setup(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/sekisho-feed-XXXXXX");
    cr_assert_neq(mkdtemp(path), NULL);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(folder, 0);
}

static void teardown(void)
{
    (void)unlinkat(folder, "siem.cursor", 0);
    (void)close(folder);
    (void)rmdir(path);
}

TestSuite(feed_cursor, .init = setup, .fini = teardown);

static void store(const char *text)
{
    int fd = openat(folder, "siem.cursor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

Test(feed_cursor, there_is_none_at_first)
{
    struct cursor cursor = {1, 2, 3};
    cr_expect_eq(cursor_read(folder, "siem", &cursor), 1);
    cr_expect(cursor.file == 0 && cursor.at == 0 && cursor.skip == 0);
}

Test(feed_cursor, it_is_read_as_it_was_written_last)
{
    const struct cursor places[] = {{1, 4096, 0}, {UINT64_MAX, UINT64_MAX, UINT64_MAX}, {7, 8192, 300}};
    struct cursor cursor;
    for (size_t i = 0; i < SK_COUNT(places); i++) {
        cr_assert_eq(cursor_write(folder, "siem", &places[i]), 0);
        cr_assert_eq(cursor_read(folder, "siem", &cursor), 0);
        cr_expect(cursor.file == places[i].file && cursor.at == places[i].at && cursor.skip == places[i].skip);
    }
}

Test(feed_cursor, what_is_no_place_is_refused)
{
    static const char *const wrong[] = {"", "1 2", "1 2 3", "1 2 3 4\n", "1 2 x\n", "-1 2 3\n", "1 2 3\n\n", "1  2 3\n", "99999999999999999999 1 1\n"};
    struct cursor cursor;
    for (size_t i = 0; i < SK_COUNT(wrong); i++) {
        store(wrong[i]);
        cr_expect_eq(cursor_read(folder, "siem", &cursor), -EINVAL, "'%s'", wrong[i]);
    }
}
