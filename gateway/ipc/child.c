/* The common beginning of all children. */
#include "ipc/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void stop(struct sk_child *child)
{
    child->stopping = true;
    if (child->program->stop && child->sandboxed) {
        child->program->stop(child);
    } else {
        sk_loop_stop(child->loop);
    }
}

static void on_terminate(struct sk_signal *signal)
{
    stop(SK_CONTAINER(signal, struct sk_child, terminate));
}

static int begin(struct sk_child *child, const struct sk_control_hello *hello)
{
    char folder[4097];
    const struct sk_child_program *program = child->program;
    if (hello->folder.len >= sizeof(folder)) {
        return -1;
    }
    memcpy(folder, hello->folder.data, hello->folder.len);
    folder[hello->folder.len] = '\0';
    if (program->hello && program->hello(child, hello) < 0) {
        return -1;
    }
    struct sk_sandbox sandbox = {.uid = program->root ? 0 : (uid_t)hello->uid,
            .gid = (gid_t)hello->gid,
            .files = program->files,
            .exec = program->exec,
            .network = program->network,
            .lookups = program->lookups,
            .folder = hello->folder.len ? folder : NULL};
    int r = sk_sandbox_enter(&sandbox);
    child->sandboxed = r >= 0;
    child->partly = r > 0;
    return child->sandboxed ? 0 : -1;
}

static void received(struct sk_channel *channel, uint16_t code, const void *message, const int *fds, void *context)
{
    struct sk_child *child = context;
    if (code == SK_CONTROL_HELLO) {
        if (child->sandboxed || begin(child, message)) {
            sk_loop_stop(child->loop);
        }
    } else if (code == SK_CONTROL_PING) {
        if (sk_channel_send(channel, code, message, NULL) < 0) {
            sk_loop_stop(child->loop);
        }
    } else if (code == SK_CONTROL_STOP) {
        stop(child);
    } else if (child->sandboxed) {
        child->program->told(child, code, message, fds);
    }
}

static void ended(struct sk_channel *channel, bool bad, void *context)
{
    struct sk_child *child = context;
    (void)bad;
    child->control = sk_channel_free(channel);
    if (child->stopping) {
        sk_loop_stop(child->loop); /* no more time to finish in */
    } else {
        stop(child);
    }
}

int sk_child_run(struct sk_child *child, const struct sk_child_program *program, void *context)
{
    static const struct sk_channel_handler handler = {
            &sk_control_interface, SK_CONTROL_FROM_CHILD, SK_CONTROL_FROM_SUPERVISOR, received, ended};
    struct rlimit none = {0, 0};
    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN); /* the supervisor decides when a terminal's Ctrl-C means to stop */
    (void)signal(SIGHUP, SIG_IGN);
    *child = (struct sk_child){.program = program, .context = context, .loop = sk_loop_new()};
    (void)fcntl(SK_CHILD_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    if (!child->loop) {
        return 1;
    }
    child->control = sk_channel_new(child->loop, SK_CHILD_CONTROL_FD, &handler, child);
    if (!child->control) {
        return 1;
    }
    sk_signal_start(&child->terminate, child->loop, SIGTERM, on_terminate);
    sk_loop_run(child->loop);
    return child->sandboxed ? 0 : 1;
}

void sk_child_ready(struct sk_child *child, uint64_t generation)
{
    struct sk_control_ready ready = {.generation = generation};
    if (child->control && sk_channel_send(child->control, SK_CONTROL_READY, &ready, NULL) < 0) {
        sk_loop_stop(child->loop);
    }
}
