/* The sandbox. Every process but the supervisor enters it. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
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

static int close_files(const char *folder)
{
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
    int r = 0;
    if (folder) {
        struct landlock_path_beneath_attr path = {.allowed_access = rights & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE};
        path.parent_fd = open(folder, O_PATH | O_CLOEXEC | O_DIRECTORY);
        if (path.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &path, 0)) {
            r = -errno;
        }
        if (path.parent_fd >= 0) {
            (void)close(path.parent_fd);
        }
    }
    if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0)) {
        r = -errno;
    }
    (void)close(ruleset);
    return r;
}

/* A coarse list of refusals: calls that only an intruder would want. An allow list would break with each libc. */
static int filter_calls(const struct sk_sandbox *sandbox)
{
    static const int never[] = {SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(mount),
            SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(init_module), SCMP_SYS(finit_module),
            SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
            SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(unshare), SCMP_SYS(setns),
            SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at), SCMP_SYS(acct), SCMP_SYS(reboot), SCMP_SYS(swapon),
            SCMP_SYS(swapoff), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(quotactl), SCMP_SYS(io_uring_setup)};
    static const int starts[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork)};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int r = ctx ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < SK_COUNT(never); i++) {
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), never[i], 0);
    }
    for (size_t i = 0; r == 0 && !sandbox->exec && i < SK_COUNT(starts); i++) {
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), starts[i], 0);
    }
    if (r == 0 && !sandbox->network) {
        r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 0);
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
        files = close_files(sandbox->folder);
        r = files < 0 ? files : 0;
    }
    r = r ? r : drop_identity(sandbox->uid, sandbox->gid);
    if (r == 0 && sandbox->uid != 0) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    r = r ? r : filter_calls(sandbox);
    return r ? r : files;
}
