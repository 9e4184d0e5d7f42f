/* The real disk. Runs in audit. */
#include "audit/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static int write_all(int fd, struct sk_slice bytes, off_t at, int flags)
{
    while (bytes.len) {
        const struct iovec part = {(void *)(uintptr_t)bytes.data, bytes.len};
        ssize_t n = pwritev2(fd, &part, 1, at, flags);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        bytes = sk_slice_from(bytes, (size_t)n);
        at += n;
    }
    return 0;
}

/* One system call for write and flush. */
static int disk_write(int fd, struct sk_slice bytes, off_t at)
{
    return write_all(fd, bytes, at, RWF_DSYNC);
}

/*
 * Zeros are written, not just reserved: a later write then changes no metadata, and its flush is half as dear. From
 * then on the page cache is of no use, where the file system can do without.
 */
static int disk_create(int folder, const char *name, size_t size)
{
    static const char zeros[1 << 16];
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : 0;
    for (size_t at = 0; r == 0 && at < size; at += sizeof(zeros)) {
        size_t len = size - at < sizeof(zeros) ? size - at : sizeof(zeros);
        r = write_all(fd, sk_slice(zeros, len), (off_t)at, 0);
    }
    if (r == 0 && fsync(fd)) {
        r = -errno;
    }
    if (r == 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        (void)fcntl(fd, F_SETFL, O_DIRECT);
    }
    if (r && fd >= 0) {
        (void)close(fd);
        (void)unlinkat(folder, name, 0);
    }
    return r ? r : fd;
}

static int disk_rename(int folder, const char *from, const char *to)
{
    int r = renameat2(folder, from, folder, to, RENAME_NOREPLACE) ? -errno : 0;
    if (r == 0 && fsync(folder)) {
        r = -errno;
        (void)renameat2(folder, to, folder, from, 0); /* or the next try finds the name taken */
    }
    return r;
}

const struct sk_disk sk_disk_real = {disk_create, disk_write, disk_rename};
