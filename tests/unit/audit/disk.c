/* gateway/audit/disk.c: the real disk, and the writer upon it, when the n-th system call fails. Calls are
 * wrapped. */
#include "trail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { PWRITE, FSYNC, RENAME, CALLS };

static struct {
    long countdown;
    int error;
    bool shorten; /* a write gives back less than asked, which is no failure */
    long fired;
    long calls[CALLS];
} fault = {.countdown = INT32_MAX};

/* Meson makes off_t 64 bits wide, so this is what pwritev2 is called. */
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags);
ssize_t __real_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags);
int __wrap_fsync(int fd);
int __real_fsync(int fd);
int __wrap_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);
int __real_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);

static bool fires(enum call call)
{
    fault.calls[call]++;
    bool now = fault.countdown-- == 0;
    fault.fired += now;
    errno = now ? fault.error : errno;
    return now;
}

/* A part of a block: what the page cache takes, and a disk does not. */
static ssize_t write_part(int fd, const struct iovec *parts, size_t len, off_t at)
{
    (void)fcntl(fd, F_SETFL, 0);
    return pwrite(fd, parts->iov_base, len < parts->iov_len ? len : parts->iov_len, at);
}

ssize_t __wrap_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    if (fault.shorten) {
        return write_part(fd, parts, 1000, at);
    }
    if (fires(PWRITE)) {
        (void)!write_part(fd, parts, parts->iov_len / 2, at);
        errno = fault.error;
        return -1;
    }
    return __real_pwritev64v2(fd, parts, count, at, flags);
}

int __wrap_fsync(int fd)
{
    return fires(FSYNC) ? -1 : __real_fsync(fd);
}

int __wrap_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    return fires(RENAME) ? -1 : __real_renameat2(from_folder, from, to_folder, to, flags);
}

static void arm(long n, int error)
{
    memset(&fault, 0, sizeof(fault));
    fault.countdown = n;
    fault.error = error;
}

Test(audit_disk, a_new_file_is_all_zeros_and_of_its_size)
{
    struct trail t;
    struct stat info;
    static char bytes[200000], zeros[200000];
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    int fd = sk_disk_real.create(t.set.folder, "new", sizeof(bytes));
    cr_assert_geq(fd, 0);
    cr_assert(fstat(fd, &info) == 0 && info.st_size == (off_t)sizeof(bytes) && (info.st_mode & 0777) == 0600);
    cr_assert_eq(read(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    cr_assert_eq(memcmp(bytes, zeros, sizeof(bytes)), 0);
    cr_assert_geq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 1);
    (void)close(fd);
    trail_free(&t);
}

Test(audit_disk, a_file_that_cannot_be_made_whole_is_taken_away_again)
{
    struct trail t;
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    for (long n = 0; n < 4; n++) {
        arm(n, ENOSPC);
        cr_assert_eq(sk_disk_real.create(t.set.folder, "new", 200000), -ENOSPC);
        cr_assert_not(trail_has(&t, "new"), "call %ld", n);
    }
    arm(INT32_MAX, 0);
    trail_free(&t);
}

Test(audit_disk, the_spare_is_never_written_through_a_link)
{
    struct trail t;
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    cr_assert_eq(symlinkat("elsewhere", t.set.folder, "new"), 0);
    cr_assert_lt(sk_disk_real.create(t.set.folder, "new", 4096), 0);
    cr_assert_not(trail_has(&t, "elsewhere"));
    trail_free(&t);
}

Test(audit_disk, a_name_that_is_taken_is_never_replaced)
{
    struct trail t;
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    (void)close(sk_disk_real.create(t.set.folder, "a", 4096));
    (void)close(sk_disk_real.create(t.set.folder, "b", 8192));
    cr_assert_eq(sk_disk_real.rename(t.set.folder, "a", "b"), -EEXIST);
    cr_assert(trail_has(&t, "a") && trail_has(&t, "b"));
    trail_free(&t);
}

/* The folder's flush fails: the new name must not stand there, or the next try finds it taken, for ever. */
Test(audit_disk, a_rename_that_failed_can_be_tried_again)
{
    struct trail t;
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    (void)close(sk_disk_real.create(t.set.folder, "a", 4096));
    arm(1, EIO);
    cr_assert_eq(sk_disk_real.rename(t.set.folder, "a", "b"), -EIO);
    cr_assert_eq(fault.calls[FSYNC], 1);
    arm(INT32_MAX, 0);
    (void)close(sk_disk_real.create(t.set.folder, "a", 4096));
    cr_assert_eq(sk_disk_real.rename(t.set.folder, "a", "b"), 0);
    cr_assert(trail_has(&t, "b") && !trail_has(&t, "a"));
    trail_free(&t);
}

Test(audit_disk, a_short_write_goes_on_and_an_interrupted_one_again)
{
    struct trail t;
    trail_init(&t, &sk_disk_real, TRAIL_FILE);
    fault.shorten = true;
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 30; i++) {
        cr_assert_eq(trail_add_long(&t, 400), 0);
    }
    cr_assert_eq(trail_commit(&t), 0);
    trail_check(&t, "short", 0);
    arm(0, EINTR);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    cr_assert_eq(fault.fired, 1);
    cr_assert_eq(trail_last(&t), 1, "an interruption is no failure");
    trail_check(&t, "interrupted", 0);
    trail_free(&t);
}

static void live(struct trail *t, long n)
{
    int tries = 0;
    while (trail_open(t)) {
        cr_assert_lt(tries++, 1, "call %ld: opening again must go", n);
    }
    for (int round = 0; round < 10; round++) {
        (void)trail_add(t, round % 3 ? SK_AUDIT_STAGE_SINGLE : SK_AUDIT_STAGE_INTENT, 0);
        for (int i = 0; i < 8; i++) {
            (void)trail_add_long(t, 450);
        }
        if (trail_commit(t)) {
            cr_assert_eq(trail_commit(t), 0, "call %ld: the fault is over, a commit must go", n);
        }
    }
    trail_kill(t);
}

Test(audit_disk, any_one_system_call_may_fail_under_the_writer, .timeout = 120)
{
    long n = 0;
    bool fired = true;
    for (; fired; n++) {
        struct trail t;
        trail_init(&t, &sk_disk_real, TRAIL_FILE);
        arm(n, n % 2 ? EIO : ENOSPC);
        live(&t, n);
        live(&t, n);
        fired = fault.fired > 0;
        arm(INT32_MAX, 0);
        cr_assert_eq(trail_open(&t), 0, "call %ld: %s", n, t.found.error.text);
        cr_assert_eq(trail_commit(&t), 0);
        trail_check_closed(&t, "call", n);
        trail_free(&t);
    }
    cr_assert_gt(n, 60);
}
