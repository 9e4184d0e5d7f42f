/* gateway/sandbox/sandbox.c: what a process can still do when it has entered. Each test lives in a child. As root it gives
 * up its identity too; else all but that is tested. */
#include "sandbox/sandbox.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWN 64399U

static char folder[64], outside[96];
static int kernel; /* what entering said: 1 without Landlock */
static bool gives_up;

static void begin(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/sekisho-sandbox-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(outside, sizeof(outside), "%s.outside", folder);
    int fd = open(outside, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    (void)chmod(outside, 0666);
    (void)chmod(folder, 0777);
}

static void end(void)
{
    (void)unlink(outside);
    cr_assert_eq(rmdir(folder), 0);
}

TestSuite(sandbox, .init = begin, .fini = end);

/* Runs `act` in a child that has entered; its answer, which is 0 or the line where something is wrong. */
static int inside(struct sk_sandbox sandbox, int (*act)(void))
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        gives_up = geteuid() == 0 && !sandbox.exec;
        if (gives_up) {
            const gid_t more[] = {OWN + 1};
            sandbox.uid = sandbox.gid = OWN;
            (void)!setgroups(1, more);
        }
        kernel = sk_sandbox_enter(&sandbox);
        int line = kernel < 0 ? 9999 : act();
        char text[16];
        int len = snprintf(text, sizeof(text), "%d", line);
        (void)!write(STDERR_FILENO, text, line ? (size_t)len : 0);
        _exit(line ? 1 : 0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define MUST(what)                                                                                           \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            return __LINE__;                                                                                 \
        }                                                                                                    \
    } while (0)
/* A call that fails, and so. */
#define REFUSED(call, error) MUST((errno = 0, (long)(call)) < 0 && errno == (error))

static int act_identity(void)
{
    MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    if (gives_up) {
        uid_t uid, effective, saved;
        MUST(getresuid(&uid, &effective, &saved) == 0 && uid == OWN && effective == OWN && saved == OWN);
        MUST(getgid() == OWN && getegid() == OWN && getgroups(0, NULL) == 0);
        MUST(setuid(0) < 0 && setgid(0) < 0 && setresuid(0, 0, 0) < 0);
        MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    }
    return 0;
}

Test(sandbox, identity_and_the_way_back_are_given_up)
{
    cr_assert_eq(inside((struct sk_sandbox){0}, act_identity), 0);
}

static int act_no_files(void)
{
    if (kernel == 1) {
        return 0;
    }
    char path[128];
    REFUSED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
    REFUSED(open("/proc/self/maps", O_RDONLY | O_CLOEXEC), EACCES);
    REFUSED(open(outside, O_WRONLY | O_CLOEXEC), EACCES);
    (void)snprintf(path, sizeof(path), "%s/new", folder);
    REFUSED(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), EACCES);
    REFUSED(mkdir(path, 0700), EACCES);
    REFUSED(unlink(outside), EACCES);
    return 0;
}

Test(sandbox, no_file_can_be_opened_made_or_removed)
{
    cr_assert_eq(inside((struct sk_sandbox){0}, act_no_files), 0);
}

static int act_own_folder(void)
{
    char path[128], other[128];
    (void)snprintf(path, sizeof(path), "%s/new", folder);
    (void)snprintf(other, sizeof(other), "%s/renamed", folder);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0700);
    MUST(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 0) == 0);
    MUST(rename(path, other) == 0 && unlink(other) == 0);
    if (kernel == 1) {
        return 0;
    }
    REFUSED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
    REFUSED(open(outside, O_RDWR | O_CLOEXEC), EACCES);
    return 0;
}

Test(sandbox, one_folder_may_stay_and_nothing_beside_it)
{
    cr_assert_eq(inside((struct sk_sandbox){.folder = folder}, act_own_folder), 0);
}

static int act_no_start(void)
{
    char *const arguments[] = {(char *)(uintptr_t) "false", NULL}, *const none[] = {NULL};
    REFUSED(execve("/bin/false", arguments, none), EPERM);
    REFUSED(syscall(SYS_execveat, AT_FDCWD, "/bin/false", arguments, none, 0), EPERM);
    REFUSED(syscall(SYS_fork), EPERM);
    return 0;
}

Test(sandbox, no_program_can_be_started)
{
    cr_assert_eq(inside((struct sk_sandbox){.files = true}, act_no_start), 0);
}

static int act_no_network(void)
{
    int pair[2];
    REFUSED(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EPERM);
    REFUSED(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), EPERM);
    REFUSED(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), EPERM);
    REFUSED(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), EPERM);
    return 0;
}

static int act_network(void)
{
    MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
    return 0;
}

Test(sandbox, sockets_are_for_who_keeps_the_network)
{
    cr_assert_eq(inside((struct sk_sandbox){0}, act_no_network), 0);
    cr_assert_eq(inside((struct sk_sandbox){.network = true}, act_network), 0);
}

static int act_never(void)
{
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
    REFUSED(mount("none", "/mnt", "tmpfs", 0, NULL), EPERM);
    REFUSED(syscall(SYS_unshare, 0x10000000), EPERM);
    REFUSED(syscall(SYS_setns, 0, 0), EPERM);
    REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM);
    REFUSED(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
    REFUSED(syscall(SYS_keyctl, 0, 0), EPERM);
    REFUSED(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0), EPERM);
    REFUSED(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM);
    REFUSED(syscall(SYS_userfaultfd, 0), EPERM);
    return 0;
}

/* pam keeps most, and these are refused to it too. */
Test(sandbox, calls_that_only_an_intruder_wants_are_refused_to_all)
{
    cr_assert_eq(inside((struct sk_sandbox){0}, act_never), 0);
    cr_assert_eq(inside((struct sk_sandbox){.files = true, .exec = true, .network = true}, act_never), 0);
}

static int act_keeps(void)
{
    MUST(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status;
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

Test(sandbox, who_needs_files_and_programs_keeps_them)
{
    cr_assert_eq(inside((struct sk_sandbox){.files = true, .exec = true, .network = true}, act_keeps), 0);
}
