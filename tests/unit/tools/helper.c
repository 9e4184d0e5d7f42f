/* See helper.h. Plain blocking calls: the test is not to depend on the channel it tests the other end of. */
#include "helper.h"

#include "crypto/digest.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct helper_side control_side = {&sk_control_interface, SK_CONTROL_FROM_CHILD};

void helper_send(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message, const int *fds, size_t count)
{
    uint8_t bytes[SK_IPC_MESSAGE_MAX];
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    int len = sk_ipc_encode(interface, code, message, bytes, sizeof(bytes));
    cr_assert_gt(len, 0);
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
    cr_assert_eq(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

uint16_t helper_receive(int fd, const struct helper_side *side, union sk_ipc_any *message)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    const struct sk_ipc_layout *layout;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 20000), 1, "nothing came for 20 s");
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    if (n <= 0) {
        return 0;
    }
    cr_assert_eq(sk_ipc_decode(side->interface, side->peer, sk_slice(bytes, (size_t)n), message, &layout), 0);
    return layout->code;
}

static void pair(int fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

void helper_new_auth(struct helper *helper)
{
    int fds[2];
    struct sk_control_peer peer = {.peer = SK_PEER_AUTH};
    pair(fds);
    helper_send(helper->control, &sk_control_interface, SK_CONTROL_PEER, &peer, &fds[1], 1);
    (void)close(fds[1]);
    if (helper->auth >= 0) {
        (void)close(helper->auth);
    }
    helper->auth = fds[0];
}

const char helper_root_key[32] = "of a test";

void helper_begin(struct helper *helper, const char *program, const char *folder)
{
    int fds[2];
    const char *path = getenv(program);
    cr_assert_not_null(path, "%s is not set: run this by meson test", program);
    pair(fds);
    helper->pid = fork();
    cr_assert_geq(helper->pid, 0);
    if (helper->pid == 0) {
        (void)setenv("LSAN_OPTIONS", "detect_leaks=0", 1); /* it traces the process: the sandbox forbids that */
        if (dup2(fds[1], 3) == 3 && (fds[1] != 3 || fcntl(3, F_SETFD, 0) == 0)) {
            (void)execl(path, path, (char *)NULL);
        }
        _exit(127);
    }
    (void)close(fds[1]);
    helper->control = fds[0];
    helper->auth = -1;
    /* By root the whole of the sandbox; another account cannot change its own. */
    uint8_t secret[SK_SHA256_SIZE];
    sk_digest_derive(sk_slice(helper_root_key, sizeof(helper_root_key)), "audit", SK_SLICE_NULL, secret); /* others take any */
    struct sk_control_hello hello = {
            .uid = geteuid() == 0 ? 65534 : 0, .folder = sk_slice_str(folder), .secret = sk_slice(secret, sizeof(secret))};
    helper_send(helper->control, &sk_control_interface, SK_CONTROL_HELLO, &hello, NULL, 0);
}

void helper_start(struct helper *helper, const char *program, const char *folder)
{
    union sk_ipc_any message;
    struct sk_control_loaded loaded = {.generation = 7};
    helper_begin(helper, program, folder);
    helper_new_auth(helper);
    helper_send(helper->control, &sk_control_interface, SK_CONTROL_LOADED, &loaded, NULL, 0);
    cr_assert_eq(helper_receive(helper->control, &control_side, &message), SK_CONTROL_READY);
    cr_assert_eq(((struct sk_control_ready *)(void *)&message)->generation, 7);
}

int helper_wait(struct helper *helper)
{
    int status;
    cr_assert_eq(waitpid(helper->pid, &status, 0), helper->pid);
    (void)close(helper->control);
    (void)close(helper->auth);
    return status;
}

void helper_stop(struct helper *helper)
{
    cr_assert_eq(kill(helper->pid, SIGTERM), 0);
    int status = helper_wait(helper);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}
