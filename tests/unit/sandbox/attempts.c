/* gateway/sandbox from inside: what a worker taken over tries, beside another process of the same account. */
#include "sandbox/sandbox.h"

#include <asm/sockios.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCOUNT 64100

static pid_t other;
static int inet;

struct attempt {
    const char *what;
    long (*run)(void);
    int error;
};

static long try_clone(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long new_user(void) { return try_clone(CLONE_NEWUSER); }
static long new_net(void) { return try_clone(CLONE_NEWUSER | CLONE_NEWNET); }
static long new_pid(void) { return try_clone(CLONE_NEWPID); }
static long new_process(void) { return try_clone(0); }
static long clone_three(void)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    return syscall(SYS_clone3, &args, sizeof(args));
}
static long leave(void) { return unshare(CLONE_NEWUSER); }
static long run_program(void) { return execl("/bin/true", "true", (char *)NULL); }

static long unix_stream(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long unix_pair(void)
{
    int fds[2];
    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
}
static long netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long packet(void) { return socket(AF_PACKET, SOCK_DGRAM, 0); }
static long vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long alg(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long ax25(void) { return socket(AF_AX25, SOCK_DGRAM, 0); }
static long wide_unix(void) { return syscall(SYS_socket, 0x100000001L, SOCK_STREAM, 0); }
static long set_linger(long level, long option)
{
    struct linger value = {1, 3600};
    return syscall(SYS_setsockopt, inet, level, option, &value, sizeof(value));
}
static long linger(void) { return set_linger(SOL_SOCKET, SO_LINGER); }
static long wide_linger(void) { return set_linger(0x100000000L | SOL_SOCKET, 0x200000000L | SO_LINGER); }

static long kill_other(void) { return kill(other, 0); }
static long kill_all(void) { return kill(-1, 0); }
static long kill_group(void) { return kill(0, 0); }
static long tgkill_other(void) { return syscall(SYS_tgkill, other, other, 0); }
static long tkill_other(void) { return syscall(SYS_tkill, other, 0); }
static long queue_other(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    return syscall(SYS_rt_sigqueueinfo, other, SIGURG, &info);
}
static long owner_other(void) { return fcntl(inet, F_SETOWN, other); }
static long owner_wide(void) { return syscall(SYS_fcntl, inet, 0x100000000L | F_SETOWN, other); }
static long owner_other_ex(void)
{
    struct f_owner_ex owner = {F_OWNER_PID, other};
    return fcntl(inet, F_SETOWN_EX, &owner);
}
static long owner_ioctl(void)
{
    int pid = other;
    return ioctl(inet, FIOSETOWN, &pid);
}
static long limit_other(void)
{
    struct rlimit limit = {10, 10};
    return prlimit(other, RLIMIT_NOFILE, &limit, NULL);
}
static long read_limit_other(void)
{
    struct rlimit limit;
    return prlimit(other, RLIMIT_NOFILE, NULL, &limit);
}
static long nice_other(void) { return setpriority(PRIO_PROCESS, (id_t)other, 19); }
static long pin_other(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return sched_setaffinity(other, sizeof(set), &set);
}
static long trace(void) { return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, other, 0, 0); }
static long read_memory(void)
{
    char byte;
    struct iovec local = {&byte, 1}, remote = {&byte, 1};
    return syscall(SYS_process_vm_readv, other, &local, 1, &remote, 1, 0);
}
static long write_memory(void)
{
    char byte = 0;
    struct iovec local = {&byte, 1}, remote = {&byte, 1};
    return syscall(SYS_process_vm_writev, other, &local, 1, &remote, 1, 0);
}
static long open_process(void) { return syscall(SYS_pidfd_open, other, 0); }
static long take_descriptor(void) { return syscall(SYS_pidfd_getfd, -1, 0, 0); }
static long signal_descriptor(void) { return syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0); }
static long compare(void) { return syscall(SYS_kcmp, getpid(), other, 0, 0, 0); }
static long open_file_system(void) { return syscall(SYS_fsopen, "tmpfs", 0); }
static long ring(void) { return syscall(SYS_io_uring_setup, 1, NULL); }

static const struct attempt attempts[] = {
        {"clone into a user namespace", new_user, EPERM},
        {"clone into user and network namespaces", new_net, EPERM},
        {"clone into a process namespace", new_pid, EPERM},
        {"a second process", new_process, EPERM},
        {"clone3", clone_three, ENOSYS},
        {"unshare", leave, EPERM},
        {"exec", run_program, EPERM},
        {"a unix socket", unix_stream, EPERM},
        {"a pair of them", unix_pair, EPERM},
        {"netlink", netlink, EPERM},
        {"packets", packet, EPERM},
        {"vsock", vsock, EPERM},
        {"the kernel's ciphers", alg, EPERM},
        {"a family between the two of the Internet", ax25, EPERM},
        {"a unix socket by a number too wide", wide_unix, EPERM},
        {"SO_LINGER", linger, EPERM},
        {"SO_LINGER by numbers too wide", wide_linger, EPERM},
        {"kill", kill_other, EPERM},
        {"kill all", kill_all, EPERM},
        {"kill the group", kill_group, EPERM},
        {"tgkill", tgkill_other, EPERM},
        {"tkill", tkill_other, EPERM},
        {"rt_sigqueueinfo", queue_other, EPERM},
        {"F_SETOWN", owner_other, EPERM},
        {"F_SETOWN by a number too wide", owner_wide, EPERM},
        {"F_SETOWN_EX", owner_other_ex, EPERM},
        {"FIOSETOWN", owner_ioctl, EPERM},
        {"prlimit", limit_other, EPERM},
        {"prlimit to read", read_limit_other, EPERM},
        {"setpriority", nice_other, EPERM},
        {"sched_setaffinity", pin_other, EPERM},
        {"ptrace", trace, EPERM},
        {"process_vm_readv", read_memory, EPERM},
        {"process_vm_writev", write_memory, EPERM},
        {"pidfd_open", open_process, EPERM},
        {"pidfd_getfd", take_descriptor, EPERM},
        {"pidfd_send_signal", signal_descriptor, EPERM},
        {"kcmp", compare, EPERM},
        {"fsopen", open_file_system, EPERM},
        {"io_uring", ring, EPERM},
};

static void *nothing(void *context)
{
    return context;
}

/* What the programs do must go on. */
static const char *what_is_missing(void)
{
    pthread_t thread;
    struct rlimit limit;
    int on = 1;
    (void)signal(SIGUSR1, SIG_IGN);
    int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL) ? "threads"
           : six < 0 && errno != EAFNOSUPPORT                                        ? "IPv6"
           : setsockopt(inet, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))             ? "TCP_NODELAY"
           : setsockopt(inet, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on))             ? "SO_KEEPALIVE"
           : fcntl(inet, F_SETFL, O_NONBLOCK)                                        ? "fcntl"
           : raise(SIGUSR1) || kill(getpid(), SIGUSR1)                               ? "signals to itself"
           : getrlimit(RLIMIT_NOFILE, &limit) || setrlimit(RLIMIT_NOFILE, &limit)    ? "limits of its own"
                                                                                     : NULL;
}

/* In the sandbox: the first thing that goes wrong, on `out`. */
static void inside(int out)
{
    const struct sk_sandbox sandbox = {.uid = geteuid() ? 0 : ACCOUNT, .gid = ACCOUNT, .network = true};
    if (sk_sandbox_enter(&sandbox) < 0) {
        (void)dprintf(out, "the sandbox cannot be entered\n");
        return;
    }
    inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet < 0) {
        (void)dprintf(out, "IPv4 is refused\n");
        return;
    }
    for (size_t i = 0; i < SK_COUNT(attempts); i++) {
        errno = 0;
        long r = attempts[i].run();
        if (r >= 0 || errno != attempts[i].error) {
            (void)dprintf(out, "%s: %s\n", attempts[i].what, r >= 0 ? "allowed" : strerror(errno));
        }
    }
    const char *missing = what_is_missing();
    if (missing) {
        (void)dprintf(out, "refused: %s\n", missing);
    }
}

static pid_t start_other(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(ACCOUNT, ACCOUNT, ACCOUNT)) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    return pid;
}

Test(sandbox, a_worker_reaches_nothing_but_its_own, .timeout = 30)
{
    char said[4096] = "";
    int out[2], status;
    size_t len = 0;
    other = start_other();
    cr_assert(other > 0 && pipe(out) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        inside(out[1]);
        _exit(0);
    }
    (void)close(out[1]);
    for (ssize_t n; len < sizeof(said) - 1 && (n = read(out[0], said + len, sizeof(said) - 1 - len)) > 0;) {
        len += (size_t)n;
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(kill(other, SIGKILL), 0);
    (void)waitpid(other, NULL, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    cr_expect_str_empty(said, "%s", said);
}

Test(sandbox, who_may_start_programs_may_end_them_and_use_any_socket, .timeout = 30)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        const struct sk_sandbox sandbox = {.files = true, .exec = true, .network = true};
        int r = sk_sandbox_enter(&sandbox);
        pid_t child = r < 0 ? -1 : fork();
        if (child == 0) {
            (void)execl("/bin/sleep", "sleep", "60", (char *)NULL);
            _exit(1);
        }
        bool good = child > 0 && kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child && unix_stream() >= 0 && netlink() >= 0 &&
                    new_user() < 0 && trace() < 0;
        _exit(!good);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}
