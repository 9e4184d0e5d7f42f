/* Cursors. Runs in feed. */
#include "feed/cursor.h"

#include "sekisho/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int cursor_read(int folder, const char *name, struct cursor *cursor)
{
    char path[100], text[128] = "";
    *cursor = (struct cursor){0, 0, 0};
    (void)snprintf(path, sizeof(path), "%s.cursor", name);
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 1 : -errno;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n < 0 ? 0 : n] = '\0';
    struct sk_slice line = sk_slice_str(text), end = sk_slice_from(line, sk_slice_find(line, '\n'));
    line = sk_slice_cut(line, line.len - end.len);
    uint64_t *const numbers[] = {&cursor->file, &cursor->at, &cursor->skip};
    for (size_t i = 0; i < SK_COUNT(numbers); i++) {
        if (sk_slice_u64(sk_slice_split(&line, ' '), UINT64_MAX, numbers[i])) {
            return -EINVAL;
        }
    }
    return end.len == 1 && line.len == 0 ? 0 : -EINVAL;
}

int cursor_write(int folder, const char *name, const struct cursor *cursor)
{
    char path[100], made[100], text[128];
    (void)snprintf(path, sizeof(path), "%s.cursor", name);
    (void)snprintf(made, sizeof(made), "%s.new", name);
    int len = snprintf(text, sizeof(text), "%llu %llu %llu\n", (unsigned long long)cursor->file, (unsigned long long)cursor->at, (unsigned long long)cursor->skip);
    int fd = openat(folder, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    int r = write(fd, text, (size_t)len) != len ? -EIO : fdatasync(fd) ? -errno : 0;
    (void)close(fd);
    return r ? r : renameat(folder, made, folder, path) ? -errno : 0;
}
