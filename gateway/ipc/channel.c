/* The message channel. Every process. */
#include "ipc/channel.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* of Linux 6.16 */
#endif

#define QUEUE_MAX ((size_t)4 << 20)
#define SOCKET_BUFFER (1 << 20)
#define READS_PER_TURN 64

struct queued {
    struct queued *next;
    size_t len;
    int fds[SK_IPC_FDS_MAX];
    uint8_t fds_count;
    uint8_t bytes[];
};

struct sk_channel {
    struct sk_io io;
    const struct sk_channel_handler *handler;
    void *context;
    struct queued *first, **last;
    size_t queued_bytes, queue_most;
    bool *freed; /* set when a callback frees the channel while it is being read */
};

int sk_channel_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds)) {
        return -errno;
    }
    int size = SOCKET_BUFFER;
    for (int i = 0; i < 2; i++) {
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    }
    return 0;
}

void sk_channel_refuse_descriptors(int fd)
{
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

static bool takes_descriptors(const struct sk_channel_handler *handler)
{
    for (size_t i = 0; i < handler->interface->layouts_count; i++) {
        const struct sk_ipc_layout *layout = &handler->interface->layouts[i];
        if (layout->fds && (layout->sender & handler->peer)) {
            return true;
        }
    }
    return false;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(fds[i]);
    }
}

static void queued_free(struct queued *q)
{
    close_all(q->fds, q->fds_count);
    sk_wipe(q->bytes, q->len);
    free(q);
}

struct sk_channel *sk_channel_free(struct sk_channel *channel)
{
    if (!channel) {
        return NULL;
    }
    if (channel->freed) {
        *channel->freed = true;
    }
    sk_io_want(&channel->io, 0);
    (void)close(channel->io.ev.fd);
    while (channel->first) {
        struct queued *q = channel->first;
        channel->first = q->next;
        queued_free(q);
    }
    free(channel);
    return NULL;
}

static int send_packet(int fd, const uint8_t *bytes, size_t len, const int *fds, size_t fds_count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SK_IPC_FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fds_count) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds_count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fds_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fds_count);
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int enqueue(struct sk_channel *channel, const uint8_t *bytes, size_t len, const int *fds, size_t fds_count)
{
    if (channel->queued_bytes + sizeof(struct queued) + len > channel->queue_most) {
        return -ENOBUFS;
    }
    struct queued *q = malloc(sizeof(*q) + len);
    if (!q) {
        return -ENOMEM;
    }
    q->next = NULL;
    q->len = len;
    q->fds_count = 0;
    memcpy(q->bytes, bytes, len);
    for (size_t i = 0; i < fds_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            queued_free(q);
            return -EMFILE;
        }
        q->fds[q->fds_count++] = copy;
    }
    *channel->last = q;
    channel->last = &q->next;
    channel->queued_bytes += sizeof(*q) + len;
    sk_io_want(&channel->io, SK_READ | SK_WRITE);
    return 0;
}

static const struct sk_ipc_layout *layout_of(const struct sk_ipc_interface *interface, uint16_t code)
{
    for (size_t i = 0; i < interface->layouts_count; i++) {
        if (interface->layouts[i].code == code) {
            return &interface->layouts[i];
        }
    }
    return NULL;
}

int sk_channel_send(struct sk_channel *channel, uint16_t code, const void *message, const int *fds)
{
    uint8_t bytes[SK_IPC_MESSAGE_MAX] sk_uninitialized;
    const struct sk_ipc_layout *layout = layout_of(channel->handler->interface, code);
    if (!layout || !(layout->sender & channel->handler->self)) {
        return -EPERM;
    }
    int len = sk_ipc_encode(channel->handler->interface, code, message, bytes, sizeof(bytes));
    if (len < 0) {
        return len;
    }
    int r = channel->first ? -EAGAIN : send_packet(channel->io.ev.fd, bytes, (size_t)len, fds, layout->fds);
    if (r == -EAGAIN || r == -EWOULDBLOCK) {
        r = enqueue(channel, bytes, (size_t)len, fds, layout->fds);
    }
    sk_wipe(bytes, (size_t)len);
    return r;
}

/* Gone is a peer that hears no more: reading finds its last words and the end. */
static bool is_gone(int r)
{
    return r == -EPIPE || r == -ECONNRESET || r == -ECONNREFUSED;
}

/* 0, or 2 when a message could not go: a channel with a gap is worse than none. */
static int flush_queue(struct sk_channel *channel)
{
    while (channel->first) {
        struct queued *q = channel->first;
        int r = send_packet(channel->io.ev.fd, q->bytes, q->len, q->fds, q->fds_count);
        if (r == -EAGAIN || r == -EWOULDBLOCK) {
            return 0;
        }
        if (r && !is_gone(r)) {
            return 2;
        }
        channel->first = q->next;
        channel->queued_bytes -= sizeof(*q) + q->len;
        queued_free(q);
    }
    channel->last = &channel->first;
    sk_io_want(&channel->io, SK_READ);
    return 0;
}

/* Gathers the descriptors of a packet; more than the message carries are closed by the caller. */
static size_t take_fds(struct msghdr *msg, int fds[SK_IPC_FDS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
            size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < n && count < SK_IPC_FDS_MAX; i++) {
                memcpy(&fds[count++], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
            }
        }
    }
    return count;
}

/* One packet: 0 read, 1 nothing there, 2 ended, 3 ended by a breach. */
static int read_packet(struct sk_channel *channel, uint8_t *bytes)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SK_IPC_FDS_MAX)];
        struct cmsghdr align;
    } control;
    int fds[SK_IPC_FDS_MAX];
    struct iovec iov = {bytes, SK_IPC_MESSAGE_MAX};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    ssize_t n;
    do {
        n = recvmsg(channel->io.ev.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        /* A reset is said once, before the packets that are still there. */
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 1 : 2;
    }
    size_t count = take_fds(&msg, fds);
    if (n == 0) {
        close_all(fds, count);
        return 2;
    }
    const struct sk_ipc_layout *layout = NULL;
    union sk_ipc_any message;
    bool bad = (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
               sk_ipc_decode(channel->handler->interface, channel->handler->peer, sk_slice(bytes, (size_t)n), &message, &layout) ||
               layout->fds != count;
    if (bad) {
        close_all(fds, count);
        return 3;
    }
    channel->handler->received(channel, layout->code, &message, fds, channel->context);
    sk_wipe(bytes, (size_t)n);
    return 0;
}

static void channel_ready(struct sk_io *io, int events)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    struct sk_channel *channel = SK_CONTAINER(io, struct sk_channel, io);
    bool freed = false;
    int r = 0;
    if (events & SK_WRITE) {
        r = flush_queue(channel);
    }
    channel->freed = &freed;
    for (int i = 0; r == 0 && i < READS_PER_TURN; i++) {
        r = read_packet(channel, bytes);
        if (freed) {
            return;
        }
    }
    channel->freed = NULL;
    if (r >= 2) {
        sk_io_want(&channel->io, 0);
        channel->handler->ended(channel, r == 3, channel->context);
    }
}

void sk_channel_allow(struct sk_channel *channel, size_t bytes)
{
    channel->queue_most = bytes;
}

struct sk_channel *sk_channel_new(struct sk_loop *loop, int fd, const struct sk_channel_handler *handler, void *context)
{
    struct sk_channel *channel = calloc(1, sizeof(*channel));
    if (!channel) {
        (void)close(fd);
        return NULL;
    }
    channel->handler = handler;
    channel->context = context;
    channel->last = &channel->first;
    channel->queue_most = QUEUE_MAX;
    if (!takes_descriptors(handler)) {
        sk_channel_refuse_descriptors(fd);
    }
    sk_io_init(&channel->io, loop, fd, channel_ready);
    /* What a process was told before a client spoke, a revocation say, it knows before it listens to the client. */
    sk_io_first(&channel->io);
    sk_io_want(&channel->io, SK_READ);
    return channel;
}
