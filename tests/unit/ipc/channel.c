/* gateway/ipc/channel.c over real socket pairs: whole messages in order, descriptors never lost, a breach ends it. */
#include "ipc/channel.h"

#include "ipc/ring.h"
#include "sample.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOREVER (20 * UINT64_C(1000000000))

/* Stands before libc's: on `failing_fd` the kernel has no memory for the next packets. */
static int failing_fd = -1, failures;

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (fd == failing_fd && failures > 0) {
        failures--;
        errno = ENOBUFS;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, msg, flags);
}

struct end {
    struct sk_channel *channel;
    int fd;
    struct sk_loop *loop;
    size_t messages, stop_at;
    uint16_t code;
    char text[32];
    const char *borrowed; /* where the last text lay */
    int fds[SK_IPC_FDS_MAX];
    bool free_at_once, ended, bad;
};

static void received(struct sk_channel *channel, uint16_t code, const void *message, const int *fds, void *context)
{
    struct end *end = context;
    const struct sk_note *note = message;
    end->messages++;
    end->code = code;
    if (code == SK_NOTE || code == SK_REPLY || code == SK_ONE_FD) {
        memcpy(end->text, note->text.data, note->text.len);
        end->text[note->text.len] = '\0';
        end->borrowed = note->text.data;
    }
    size_t count = code == SK_ONE_FD ? 1 : code == SK_FDS ? SK_IPC_FDS_MAX : 0;
    for (size_t i = 0; i < count; i++) {
        end->fds[i] = fds[i];
    }
    if (end->free_at_once) {
        end->channel = sk_channel_free(channel);
    }
    if (end->messages == end->stop_at) {
        sk_loop_stop(end->loop);
    }
}

static void ended(struct sk_channel *channel, bool bad, void *context)
{
    struct end *end = context;
    cr_assert_not(end->ended);
    end->ended = true;
    end->bad = bad;
    end->channel = sk_channel_free(channel);
    sk_loop_stop(end->loop);
}

static const struct sk_channel_handler client_handler = {&sk_sample_interface, CLIENT, SERVER, received, ended};
static const struct sk_channel_handler server_handler = {&sk_sample_interface, SERVER, CLIENT, received, ended};

static struct sk_loop *loop;
static struct end client, server;
static int pair[2];
static struct sk_timer guard;

static void too_long(struct sk_timer *timer sk_unused)
{
    cr_assert(false, "what the test waits for does not happen");
}

static void run(void)
{
    sk_timer_set(&guard, FOREVER);
    sk_loop_run(loop);
}

static void open_end(struct end *end, const struct sk_channel_handler *handler, int fd)
{
    *end = (struct end){.loop = loop, .fd = fd};
    end->channel = sk_channel_new(loop, fd, handler, end);
    cr_assert_not_null(end->channel);
}

/* The server's end is a channel; the client's is the bare socket. */
static void setup(void)
{
    loop = sk_loop_new();
    cr_assert_not_null(loop);
    sk_timer_init(&guard, loop, too_long);
    cr_assert_eq(sk_channel_pair(pair), 0);
    open_end(&server, &server_handler, pair[1]);
}

/* After setup, which the suite runs before it: both ends are channels. */
static void join(void)
{
    open_end(&client, &client_handler, pair[0]);
}

static void teardown(void)
{
    sk_channel_free(client.channel);
    sk_channel_free(server.channel);
    sk_timer_stop(&guard);
    sk_loop_free(loop);
}

TestSuite(ipc_channel, .init = setup, .fini = teardown);

static size_t open_fds(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    cr_assert_not_null(dir);
    while (readdir(dir)) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static int send_note(struct sk_channel *channel, const char *text)
{
    struct sk_note note = {.text = sk_slice_str(text)};
    return sk_channel_send(channel, SK_NOTE, &note, NULL);
}

static void send_raw(const void *bytes, size_t len, const int *fds, size_t count)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 100)];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
    }
    cr_assert_eq(sendmsg(pair[0], &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static void expect_breach(const void *bytes, size_t len, const int *fds, size_t count)
{
    size_t before = open_fds();
    send_raw(bytes, len, fds, count);
    run();
    cr_assert(server.ended && server.bad);
    cr_assert_eq(server.messages, 0);
    cr_assert_eq(open_fds(), before - 1, "only the channel's own descriptor is gone");
}

Test(ipc_channel, messages_go_both_ways, .init = join)
{
    struct sk_reply reply = {.text = SK_LIT("pong")};
    server.stop_at = client.stop_at = 1;
    cr_assert_eq(send_note(client.channel, "ping"), 0);
    run();
    cr_assert_eq(server.code, SK_NOTE);
    cr_assert_str_eq(server.text, "ping");
    cr_assert_eq(sk_channel_send(server.channel, SK_REPLY, &reply, NULL), 0);
    run();
    cr_assert_eq(client.code, SK_REPLY);
    cr_assert_str_eq(client.text, "pong");
}

Test(ipc_channel, texts_are_wiped_when_the_callback_has_returned, .init = join)
{
    server.stop_at = 1;
    cr_assert_eq(send_note(client.channel, "secret"), 0);
    run();
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(server.borrowed[i], 0);
    }
}

Test(ipc_channel, a_descriptor_arrives_and_the_sender_keeps_its_own, .init = join)
{
    int ends[2];
    char byte;
    struct sk_one_fd message = {.text = SK_LIT("pipe")};
    cr_assert_eq(pipe(ends), 0);
    server.stop_at = 1;
    cr_assert_eq(sk_channel_send(client.channel, SK_ONE_FD, &message, &ends[1]), 0);
    run();
    cr_assert_neq(server.fds[0], ends[1]);
    cr_assert_eq(fcntl(server.fds[0], F_GETFD), FD_CLOEXEC);
    cr_assert_eq(write(server.fds[0], "x", 1), 1);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    cr_assert_eq(close(ends[1]), 0);
    (void)close(ends[0]);
    (void)close(server.fds[0]);
}

Test(ipc_channel, as_many_descriptors_as_allowed_arrive_in_order, .init = join)
{
    int fds[SK_IPC_FDS_MAX];
    size_t before = open_fds();
    for (int i = 0; i < SK_IPC_FDS_MAX; i++) {
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        cr_assert_eq(write(ends[1], &i, sizeof(i)), (ssize_t)sizeof(i));
        (void)close(ends[1]);
        fds[i] = ends[0];
    }
    server.stop_at = 1;
    struct sk_fds message;
    cr_assert_eq(sk_channel_send(client.channel, SK_FDS, &message, fds), 0);
    run();
    for (int i = 0; i < SK_IPC_FDS_MAX; i++) {
        int got;
        cr_assert_eq(read(server.fds[i], &got, sizeof(got)), (ssize_t)sizeof(got));
        cr_assert_eq(got, i);
        (void)close(server.fds[i]);
        (void)close(fds[i]);
    }
    cr_assert_eq(open_fds(), before);
}

Test(ipc_channel, a_message_of_the_other_side_is_a_breach)
{
    expect_breach("\x03\0\x01\0\0\0x", 7, NULL, 0);
}

Test(ipc_channel, an_unknown_message_is_a_breach)
{
    expect_breach("\x63\0", 2, NULL, 0);
}

Test(ipc_channel, a_malformed_message_is_a_breach)
{
    expect_breach("\x02\0\x02\0\0\0x", 7, NULL, 0);
}

Test(ipc_channel, one_byte_is_a_breach)
{
    expect_breach("\x04", 1, NULL, 0);
}

Test(ipc_channel, a_packet_over_the_limit_is_a_breach_even_when_its_start_is_a_message)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX + 1] = {4};
    expect_breach(bytes, sizeof(bytes), NULL, 0);
}

Test(ipc_channel, a_missing_descriptor_is_a_breach)
{
    expect_breach("\x05\0\0\0\0\0", 6, NULL, 0);
}

Test(ipc_channel, descriptors_too_many_are_a_breach_and_are_closed)
{
    int fds[] = {0, 1, 2};
    expect_breach("\x05\0\0\0\0\0", 6, fds, 3);
}

Test(ipc_channel, descriptors_with_a_message_that_carries_none_are_closed)
{
    int fds[] = {0};
    expect_breach("\x04\0", 2, fds, 1);
}

Test(ipc_channel, a_hundred_descriptors_are_a_breach_and_none_stays)
{
    int fds[100] = {0};
    expect_breach("\x06\0", 2, fds, 100);
}

Test(ipc_channel, descriptors_with_an_empty_packet_end_it_and_are_closed)
{
    int fds[] = {0, 1};
    size_t before = open_fds();
    send_raw("", 0, fds, 2);
    run();
    cr_assert(server.ended);
    cr_assert_eq(open_fds(), before - 1);
}

#define PLAIN_NONE(U, I, T)
#define PLAIN_MESSAGES(M) M(PLAIN, plain, 1, CLIENT, 0, PLAIN_NONE) M(PLAIN_FD, plain_fd, 2, SERVER, 1, PLAIN_NONE)
SK_IPC_DECLARE(plain, PLAIN_MESSAGES)
SK_IPC_DEFINE(plain, PLAIN_MESSAGES)

/* One that is closed by this side may take its time for it. */
Test(ipc_channel, descriptors_to_an_end_that_takes_none_are_not_even_sent)
{
    static const struct sk_channel_handler handler = {&sk_plain_interface, SERVER, CLIENT, received, ended};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec iov = {(void *)(uintptr_t)"\x01\0", 2};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    struct end taker;
    int fds[2], ring[3], on = 1;
    cr_assert_eq(sk_channel_pair(fds), 0);
    if (setsockopt(fds[0], SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &on, sizeof(on))) {
        cr_skip_test("this kernel cannot refuse them");
    }
    open_end(&taker, &handler, fds[1]);
    cr_assert(sendmsg(fds[0], &msg, MSG_NOSIGNAL) < 0 && errno == EPERM);
    msg.msg_controllen = 0;
    cr_assert_eq(sendmsg(fds[0], &msg, MSG_NOSIGNAL), 2);
    taker.stop_at = 1;
    run();
    cr_assert(taker.messages == 1 && !taker.ended);
    sk_channel_free(taker.channel);
    (void)close(fds[0]);
    cr_assert_eq(sk_ring_make(ring), 0);
    msg.msg_controllen = sizeof(control.bytes);
    for (int i = 1; i < 3; i++) {
        cr_assert(sendmsg(ring[i], &msg, MSG_NOSIGNAL) < 0 && errno == EPERM);
    }
}

Test(ipc_channel, what_came_before_the_breach_is_read_and_nothing_after)
{
    send_raw("\x04\0", 2, NULL, 0);
    send_raw("\x63\0", 2, NULL, 0);
    send_raw("\x04\0", 2, NULL, 0);
    run();
    cr_assert(server.ended && server.bad);
    cr_assert_eq(server.messages, 1);
}

Test(ipc_channel, a_closed_peer_ends_it_without_blame)
{
    send_raw("\x04\0", 2, NULL, 0);
    (void)close(pair[0]);
    run();
    cr_assert(server.ended && !server.bad);
    cr_assert_eq(server.messages, 1);
}

Test(ipc_channel, the_last_words_of_a_peer_are_heard_though_it_left_messages_unread)
{
    struct sk_note note = {.text = SK_LIT("unread")};
    cr_assert_eq(sk_channel_send(server.channel, SK_NOTE, &note, NULL), 0);
    send_raw("\x04\0", 2, NULL, 0);
    (void)close(pair[0]);
    run();
    cr_assert(server.ended && !server.bad);
    cr_assert_eq(server.messages, 1);
}

Test(ipc_channel, sending_to_a_closed_peer_is_an_error_and_no_signal)
{
    (void)signal(SIGPIPE, SIG_DFL);
    (void)close(pair[0]);
    cr_assert_eq(send_note(server.channel, "x"), -EPIPE);
}

Test(ipc_channel, what_this_side_may_not_send_is_not_sent, .init = join)
{
    struct sk_reply reply = {.text = SK_LIT("x")};
    struct sk_note note = {.text = SK_LIT("a text that is longer than twenty")};
    cr_expect_eq(sk_channel_send(client.channel, SK_REPLY, &reply, NULL), -EPERM);
    cr_expect_eq(sk_channel_send(client.channel, 99, &reply, NULL), -EPERM);
    cr_expect_eq(sk_channel_send(client.channel, SK_NOTE, &note, NULL), -EMSGSIZE);
}

Test(ipc_channel, the_callback_may_free_the_channel_with_more_to_read)
{
    size_t before = open_fds();
    server.free_at_once = true;
    server.stop_at = 1;
    for (int i = 0; i < 5; i++) {
        send_raw("\x04\0", 2, NULL, 0);
    }
    run();
    cr_assert_eq(server.messages, 1);
    cr_assert_eq(open_fds(), before - 1);
    (void)close(pair[0]);
}

static size_t fill(struct sk_channel *channel)
{
    static char body[60000];
    size_t sent = 0;
    int r;
    do {
        struct sk_all all = {.first = sent, .body = sk_slice(body, sizeof(body))};
        r = sk_channel_send(channel, SK_ALL, &all, NULL);
        sent += r == 0;
    } while (r == 0 && sent < 100000);
    cr_assert_eq(r, -ENOBUFS);
    return sent;
}

Test(ipc_channel, a_full_queue_says_so_and_loses_nothing_it_took, .init = join)
{
    size_t sent = fill(client.channel);
    cr_assert_gt(sent, 60);
    server.stop_at = sent;
    run();
    cr_assert_eq(server.messages, sent);
    server.stop_at = sent + 1;
    cr_assert_eq(send_note(client.channel, "again"), 0);
    run();
    cr_assert_str_eq(server.text, "again");
}

Test(ipc_channel, queued_messages_keep_their_order_and_their_descriptors, .init = join)
{
    int ends[2];
    char byte;
    size_t before = open_fds();
    size_t sent = fill(client.channel);
    struct sk_one_fd message = {.text = SK_LIT("last")};
    cr_assert_eq(pipe(ends), 0);
    /* The queue has room for small ones behind the large one that did not fit. */
    cr_assert_eq(sk_channel_send(client.channel, SK_ONE_FD, &message, &ends[1]), 0);
    (void)close(ends[1]);
    server.stop_at = sent + 1;
    run();
    cr_assert_str_eq(server.text, "last");
    cr_assert_eq(write(server.fds[0], "x", 1), 1);
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    (void)close(server.fds[0]);
    cr_assert_eq(open_fds(), before);
}

Test(ipc_channel, freeing_with_queued_descriptors_closes_them, .init = join)
{
    size_t before = open_fds();
    struct sk_one_fd message = {.text = SK_LIT("x")};
    int fd = 0;
    (void)fill(client.channel);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(sk_channel_send(client.channel, SK_ONE_FD, &message, &fd), 0);
    }
    client.channel = sk_channel_free(client.channel);
    cr_assert_eq(open_fds(), before - 1);
}

/* 4 MiB of memory, not 4 MiB of two-byte messages that take thirty times as much. */
Test(ipc_channel, a_queue_of_small_messages_is_bounded_too, .init = join)
{
    struct sk_empty empty;
    size_t sent = 0;
    while (sent < 200000 && sk_channel_send(client.channel, SK_EMPTY, &empty, NULL) == 0) {
        sent++;
    }
    cr_assert_lt(sent, 150000);
}

/* A lost message could be a revocation. Either it arrives, or the channel ends and everyone knows. */
Test(ipc_channel, a_queued_message_the_kernel_refuses_is_never_dropped_in_silence, .init = join)
{
    size_t sent = fill(client.channel);
    failing_fd = client.fd;
    failures = 1;
    server.stop_at = sent;
    run();
    cr_assert(server.messages == sent || client.ended || server.ended, "%zu of %zu arrived", server.messages, sent);
    cr_assert_neq(server.messages, sent - 1);
}

Test(ipc_channel, a_pair_is_close_on_exec_and_does_not_block)
{
    cr_expect_eq(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    cr_expect(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    (void)close(pair[0]);
}
