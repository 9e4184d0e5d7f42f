/* Runs a helper program as the supervisor does: control channel at descriptor 3, HELLO, a channel to auth, LOADED. */
#pragma once

#include "ipc/control.h"

#include <sys/types.h>

struct helper {
    pid_t pid;
    int control, auth; /* this side's ends */
};

struct helper_side {
    const struct sk_ipc_interface *interface;
    uint8_t peer; /* the helper's sender bit */
};

/* What the secrets are derived from. */
extern const char helper_root_key[32];

/* Starts it and says HELLO. `program`: the environment variable that names it. `folder`: of HELLO. */
void helper_begin(struct helper *helper, const char *program, const char *folder);
/* helper_begin, a channel to auth, LOADED. Returns when it said READY. */
void helper_start(struct helper *helper, const char *program, const char *folder);
/* A further channel to auth; the one before is closed. */
void helper_new_auth(struct helper *helper);
/* `count` descriptors, two at most. */
void helper_send(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message, const int *fds, size_t count);
/* The next message's code, or 0 when the helper closed the channel. Fails the test after 20 s. Texts live until the next call. */
uint16_t helper_receive(int fd, const struct helper_side *side, union sk_ipc_any *message);
/* Waits for the process; its wait status. */
int helper_wait(struct helper *helper);
/* SIGTERM, and the status must be a clean exit. */
void helper_stop(struct helper *helper);
