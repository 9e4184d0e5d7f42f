/*
 * How every process but the supervisor begins: it finds its control channel at descriptor 3, waits for HELLO, enters
 * its sandbox, and from then on is told things. When the supervisor is gone it stops; in a stop under way, at once.
 */
#pragma once

#include "ipc/channel.h"
#include "ipc/control.h"
#include "sandbox/sandbox.h"

#define SK_CHILD_CONTROL_FD 3

struct sk_child;

struct sk_child_program {
    const char *name;
    bool root, files, exec, network, lookups; /* what its sandbox leaves it (sandbox/sandbox.h) */
    /* HELLO came; nothing is given up yet but umask and limits. `folder` of the sandbox is hello->folder. Negative ends. */
    int (*hello)(struct sk_child *child, const struct sk_control_hello *hello);
    /* Every other message. The callee owns the descriptors. */
    void (*told)(struct sk_child *child, uint16_t code, const void *message, const int *fds);
    /* STOP, SIGTERM, or the supervisor is gone: finish, then sk_loop_stop. NULL: stop at once. */
    void (*stop)(struct sk_child *child);
};

struct sk_child {
    const struct sk_child_program *program;
    struct sk_loop *loop;
    struct sk_channel *control;
    void *context;
    struct sk_signal terminate;
    bool sandboxed, stopping;
    bool partly; /* and the kernel lacks a part of the sandbox (sandbox/sandbox.h) */
};

/* Runs until the loop is stopped. The exit status of the program. */
int sk_child_run(struct sk_child *child, const struct sk_child_program *program, void *context);
/* Tells the supervisor that this process serves what it has been told so far. */
void sk_child_ready(struct sk_child *child, uint64_t generation);
