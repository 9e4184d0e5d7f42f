/*
 * One process's end of a pair of connected SOCK_SEQPACKET sockets: one message a packet, whole or not at all.
 * A message that may not come from the other side, or is malformed, ends the channel; so does a full send queue.
 */
#pragma once

#include "event/loop.h"
#include "ipc/codec.h"

struct sk_channel;

struct sk_channel_handler {
    const struct sk_ipc_interface *interface;
    uint8_t self; /* the sender bit of this side */
    uint8_t peer; /* the sender bit of the other */
    /* `message` is the struct of `code`; its texts live until the callback returns and are wiped then. The callee
     * owns the descriptors. It may free the channel. */
    void (*received)(struct sk_channel *channel, uint16_t code, const void *message, const int *fds, void *context);
    /* The channel is dead: the other side closed it, or broke the rules (`bad`). The callee frees it. */
    void (*ended)(struct sk_channel *channel, bool bad, void *context);
};

/* Takes `fd` over, in any case. NULL without memory. Starts reading at once. */
struct sk_channel *sk_channel_new(struct sk_loop *loop, int fd, const struct sk_channel_handler *handler, void *context);
struct sk_channel *sk_channel_free(struct sk_channel *channel);

/* Lets so many bytes be queued, in place of the 4 MiB that every channel has at first. */
void sk_channel_allow(struct sk_channel *channel, size_t bytes);
/*
 * Sends or queues (at most 4 MiB). Descriptors are duplicated by the kernel and stay the caller's; messages with
 * descriptors are never queued behind others out of order. 0, or negative: -EMSGSIZE, -ENOBUFS, -EPIPE.
 */
int sk_channel_send(struct sk_channel *channel, uint16_t code, const void *message, const int *fds) sk_nodiscard;

/*
 * Who sends a descriptor to this socket gets an error, where the kernel can do that. One that was not asked for is closed
 * by the receiver, and a close may take its time. Channels do it themselves, when no message to them carries any.
 */
void sk_channel_refuse_descriptors(int fd);
/* A connected pair with large buffers, close-on-exec, non-blocking. 0 or negative. */
int sk_channel_pair(int fds[2]) sk_nodiscard;
