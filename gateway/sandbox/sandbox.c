/* The sandbox. Every process but the supervisor enters it. */
#include "sandbox/sandbox.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of Landlock's first two versions: what any kernel with Landlock knows. */
#define FILE_RIGHTS_V1 ((UINT64_C(1) << 13) - 1)
#define FILE_RIGHTS_V2 ((UINT64_C(1) << 14) - 1)
#define FILE_RIGHT_TRUNCATE (UINT64_C(1) << 14)

static int drop_identity(uid_t uid, gid_t gid)
{
    if (uid == 0) {
        return 0;
    }
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
        return -errno;
    }
    return setuid(0) == 0 ? -EPERM : 0;
}

static int leave_open(int ruleset, const char *folder, uint64_t rights)
{
    struct landlock_path_beneath_attr path = {.allowed_access = rights, .parent_fd = open(folder, O_PATH | O_CLOEXEC | O_DIRECTORY)};
    int r = path.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &path, 0) ? -errno : 0;
    if (path.parent_fd >= 0) {
        (void)close(path.parent_fd);
    }
    return r;
}

static int close_files(const struct sk_sandbox *sandbox)
{
    static const char *const lookups[] = {"/etc", "/usr/lib", "/usr/share/ca-certificates", "/run/systemd/resolve"};
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0) {
        return 1;
    }
    uint64_t rights = version >= 2 ? FILE_RIGHTS_V2 : FILE_RIGHTS_V1;
    rights |= version >= 3 ? FILE_RIGHT_TRUNCATE : 0;
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (ruleset < 0) {
        return -errno;
    }
    int r = sandbox->folder ? leave_open(ruleset, sandbox->folder, rights & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE) : 0;
    for (size_t i = 0; r == 0 && sandbox->lookups && i < SK_COUNT(lookups); i++) {
        r = leave_open(ruleset, lookups[i], LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
        r = r == -ENOENT ? 0 : r; /* not every system has each */
    }
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0)) {
        r = -errno;
    }
    (void)close(ruleset);
    return r;
}

static int deny(scmp_filter_ctx ctx, const int *calls, size_t count)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    }
    return r;
}

/* Refuses a call for some of its arguments. The kernel looks at an int's low half alone, and so must the comparison. */
static int deny_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp compare)
{
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 1, compare);
}

static struct scmp_arg_cmp int_is(unsigned argument, int value)
{
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)value);
}

/* New namespaces give rights over what is in them. clone3's flags are in memory, which no filter sees: libc does without. */
static int filter_clone(scmp_filter_ctx ctx, bool processes)
{
    static const uint64_t spaces[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET};
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (size_t i = 0; r == 0 && i < SK_COUNT(spaces); i++) {
        r = deny_if(ctx, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, spaces[i], spaces[i]));
    }
    return r || processes ? r : deny_if(ctx, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
}

/*
 * What reaches other processes of the same account: signals, also those that a descriptor sends to its owner, limits and
 * priorities. A process may signal itself: abort does.
 */
static int filter_others(scmp_filter_ctx ctx)
{
    static const int others[] = {SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(setpriority),
            SCMP_SYS(ioprio_set), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr),
            SCMP_SYS(sched_setaffinity), SCMP_SYS(migrate_pages), SCMP_SYS(move_pages)};
    uint64_t self = (uint64_t)getpid();
    int r = deny(ctx, others, SK_COUNT(others));
    r = r ? r : deny_if(ctx, SCMP_SYS(kill), SCMP_A0(SCMP_CMP_NE, self));
    r = r ? r : deny_if(ctx, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_NE, self));
    r = r ? r : deny_if(ctx, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_NE, 0));
    r = r ? r : deny_if(ctx, SCMP_SYS(fcntl), int_is(1, F_SETOWN));
    r = r ? r : deny_if(ctx, SCMP_SYS(fcntl), int_is(1, F_SETOWN_EX));
    r = r ? r : deny_if(ctx, SCMP_SYS(ioctl), int_is(1, FIOSETOWN));
    return r ? r : deny_if(ctx, SCMP_SYS(ioctl), int_is(1, SIOCSPGRP));
}

/*
 * Who sees no files gets no sockets but those of the Internet, and none without `network`: others reach the machine's
 * services and the kernel's configuration. Nobody makes a socket whose close waits: whoever was sent it would wait.
 */
static int filter_sockets(scmp_filter_ctx ctx, const struct sk_sandbox *sandbox)
{
    static const int all[] = {SCMP_SYS(socket), SCMP_SYS(socketpair)};
    int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 2, int_is(1, SOL_SOCKET), int_is(2, SO_LINGER));
    if (r || sandbox->files) {
        return r;
    }
    if (!sandbox->network) {
        return deny(ctx, all, SK_COUNT(all));
    }
    r = deny(ctx, all + 1, 1);
    for (uint64_t family = AF_INET + 1; r == 0 && family < AF_INET6; family++) {
        r = deny_if(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, family));
    }
    r = r ? r : deny_if(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_LT, AF_INET));
    return r ? r : deny_if(ctx, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_GT, AF_INET6));
}

/* A coarse list of refusals: calls that only an intruder would want. An allow list would break with each libc. */
static int filter_calls(const struct sk_sandbox *sandbox)
{
    static const int never[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
            SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(process_madvise),
            SCMP_SYS(process_mrelease), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
            SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(mount_setattr), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
            SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
            SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
            SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(open_by_handle_at),
            SCMP_SYS(name_to_handle_at), SCMP_SYS(acct), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
            SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(quotactl), SCMP_SYS(io_uring_setup)};
    static const int starts[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork)};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? deny(ctx, never, SK_COUNT(never)) : -ENOMEM;
    r = r ? r : filter_clone(ctx, sandbox->exec);
    r = r ? r : filter_sockets(ctx, sandbox);
    if (r == 0 && !sandbox->exec) {
        r = deny(ctx, starts, SK_COUNT(starts));
        r = r ? r : filter_others(ctx);
    }
    r = r ? r : seccomp_load(ctx);
    seccomp_release(ctx);
    return r;
}

int sk_sandbox_enter(const struct sk_sandbox *sandbox)
{
    int files = 0;
    int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
    if (r == 0 && !sandbox->files) {
        files = close_files(sandbox);
        r = files < 0 ? files : 0;
    }
    r = r ? r : drop_identity(sandbox->uid, sandbox->gid);
    if (r == 0 && sandbox->uid != 0) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    r = r ? r : filter_calls(sandbox);
    return r ? r : files;
}
