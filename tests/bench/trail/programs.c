/* Starting audit and signer. */
#include "programs.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "ipc/channel.h"
#include "ipc/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534U

static const char root[32] = "of a benchmark";

static void make_folder(const char *folder, const char *name, char *out)
{
    (void)snprintf(out, 4096, "%.4000s/%s", folder, name);
    die_unless(mkdir(out, 0700) == 0 || errno == EEXIST, out);
    die_unless(geteuid() != 0 || chown(out, NOBODY, 0) == 0, out);
}

void programs_init(struct programs *p, const char *folder)
{
    *p = (struct programs){.control = -1, .sign_control = -1};
    make_folder(folder, "journal", p->journal);
    make_folder(folder, "signer", p->signer);
}

void programs_root_key(const struct programs *p, char path[4200])
{
    (void)snprintf(path, 4200, "%s/root.key", p->signer);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    die_unless(fd >= 0 && write(fd, root, sizeof(root)) == sizeof(root) && close(fd) == 0, path);
}

static void say(int fd, uint16_t code, const void *message, const int *fds, size_t count)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    int len = sk_ipc_encode(&sk_control_interface, code, message, bytes, sizeof(bytes));
    struct iovec iov = {bytes, (size_t)len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
    }
    die_unless(len > 0 && sendmsg(fd, &msg, MSG_NOSIGNAL) == len, "a message to a program");
}

void programs_secret(const char *kind, uint8_t secret[SK_SHA256_SIZE])
{
    sk_digest_derive(sk_slice(root, sizeof(root)), kind, SK_SLICE_NULL, secret);
}

static pid_t start(const char *build, const char *kind, const char *folder, int *control)
{
    char path[8192];
    int fds[2];
    uint8_t secret[SK_SHA256_SIZE];
    programs_secret(kind, secret);
    const struct sk_control_hello hello = {.uid = geteuid() == 0 ? NOBODY : 0, .folder = sk_slice_str(folder), .secret = sk_slice(secret, sizeof(secret))};
    (void)snprintf(path, sizeof(path), "%.4000s/gateway/%s/sekisho-%s", build, kind, kind);
    die_unless(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0, "a control channel");
    pid_t pid = fork();
    die_unless(pid >= 0, "fork");
    if (pid == 0) {
        if (dup2(fds[1], 3) == 3 && (fds[1] != 3 || fcntl(3, F_SETFD, 0) == 0)) {
            (void)execl(path, path, (char *)NULL);
        }
        _exit(127);
    }
    (void)close(fds[1]);
    *control = fds[0];
    say(*control, SK_CONTROL_HELLO, &hello, NULL, 0);
    return pid;
}

static void connect_both(const struct programs *p)
{
    struct sk_control_peer m = {.peer = SK_PEER_SIGNER};
    int fds[2];
    die_unless(sk_channel_pair(fds) == 0, "a channel");
    say(p->control, SK_CONTROL_PEER, &m, &fds[0], 1);
    m.peer = SK_PEER_AUDIT;
    say(p->sign_control, SK_CONTROL_PEER, &m, &fds[1], 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void add_ring(struct programs *p)
{
    struct sk_control_ring m = {.peer = SK_PEER_WORKER, .index = p->rings_count};
    int fds[3];
    die_unless(sk_ring_make(fds) == 0, "a ring");
    const int own[] = {dup(fds[0]), fds[2]};
    say(p->control, SK_CONTROL_RING, &m, fds, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
    die_unless(sk_ring_open(&p->rings[p->rings_count++], own) == 0, "a ring");
}

static void wait_ready(const struct programs *p)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    union sk_ipc_any message;
    const struct sk_ipc_layout *layout;
    struct pollfd ready = {.fd = p->control, .events = POLLIN};
    do {
        die_unless(poll(&ready, 1, 120000) == 1, "audit does not become ready");
        ssize_t n = recv(p->control, bytes, sizeof(bytes), 0);
        die_unless(n > 0 && sk_ipc_decode(&sk_control_interface, SK_CONTROL_FROM_CHILD, sk_slice(bytes, (size_t)n), &message, &layout) == 0, "audit ended");
    } while (layout->code != SK_CONTROL_READY);
}

double programs_start(struct programs *p, const char *build, unsigned tenants, unsigned rings)
{
    const struct sk_control_limits limits = {.flush_deadline = 2 * SK_SECOND, .file_size = (size_t)256 << 20};
    const struct sk_control_loaded loaded = {.generation = 1};
    struct sk_control_tenant m = {.name = SK_LIT("bench"), .service = SK_LIT("bench")};
    uint64_t begun = sk_clock_boot();
    p->sign = start(build, "signer", p->signer, &p->sign_control);
    say(p->sign_control, SK_CONTROL_LIMITS, &limits, NULL, 0);
    p->audit = start(build, "audit", p->journal, &p->control);
    say(p->control, SK_CONTROL_LIMITS, &limits, NULL, 0);
    connect_both(p);
    for (unsigned i = 0; i < tenants; i++) {
        records_tenant(i, m.tenant);
        say(p->control, SK_CONTROL_TENANT, &m, NULL, 0);
    }
    say(p->control, SK_CONTROL_LOADED, &loaded, NULL, 0);
    p->rings_count = 0;
    for (unsigned i = 0; i < rings; i++) {
        add_ring(p);
    }
    wait_ready(p);
    return (double)(sk_clock_boot() - begun) / 1e9;
}

static void end(struct programs *p, int number)
{
    die_unless(kill(p->audit, number) == 0 && waitpid(p->audit, NULL, 0) == p->audit, "the end of audit");
    die_unless(kill(p->sign, number) == 0 && waitpid(p->sign, NULL, 0) == p->sign, "the end of the signer");
    (void)close(p->control);
    (void)close(p->sign_control);
    for (unsigned i = 0; i < p->rings_count; i++) {
        sk_ring_close(&p->rings[i]);
    }
}

void programs_kill(struct programs *p)
{
    end(p, SIGKILL);
}

void programs_stop(struct programs *p)
{
    end(p, SIGTERM);
}

/* Of all its threads, in nanoseconds. */
static double time_of(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "r");
    die_unless(file && fscanf(file, "%llu", &ns) == 1, path);
    (void)fclose(file);
    return (double)ns / 1e9;
}

double programs_time(const struct programs *p)
{
    return time_of(p->audit) + time_of(p->sign);
}
