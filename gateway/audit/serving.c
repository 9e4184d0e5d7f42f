/* Giving the journal's files to the reader. Runs in audit. */
#include "audit/serving.h"

#include "base/log.h"
#include "ipc/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void lost(struct serving *s)
{
    s->reader = sk_channel_free(s->reader);
}

static void send(struct serving *s, uint16_t code, const void *message, const int *fd)
{
    if (sk_channel_send(s->reader, code, message, fd) < 0) {
        lost(s);
    }
}

static void tell_stand(struct serving *s, uint64_t ticket)
{
    struct sk_serving_stands m = {.ticket = ticket};
    if (s->writer) {
        struct sk_writer_place place = sk_writer_place(s->writer);
        m = (struct sk_serving_stands){ticket, place.first, place.last, place.end, sk_writer_erased(s->writer)};
    }
    send(s, SK_SERVING_STANDS, &m, NULL);
}

static void give(struct serving *s, uint64_t file)
{
    char name[40] = SK_KEYS_FILE;
    if (file != SK_SERVING_KEYS) {
        sk_journal_file_name(file, name);
    }
    int fd = openat(s->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct sk_serving_file m = {.file = file, .erased = s->writer ? sk_writer_erased(s->writer) : 0};
    struct sk_serving_no_file none = {.file = file, .error = fd < 0 ? (uint64_t)errno : 0};
    send(s, fd < 0 ? SK_SERVING_NO_FILE : SK_SERVING_FILE, fd < 0 ? (const void *)&none : &m, fd < 0 ? NULL : &fd);
    if (fd >= 0) {
        (void)close(fd);
    }
}

void serving_tell_anew(struct serving *s, uint64_t file)
{
    const struct sk_serving_anew m = {.file = file};
    if (s->reader) {
        send(s, SK_SERVING_ANEW, &m, NULL);
    }
}

static void from_reader(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct serving *s = context;
    if (code == SK_SERVING_ASK) {
        tell_stand(s, ((const struct sk_serving_ask *)message)->ticket);
    } else if (code == SK_SERVING_OPEN) {
        give(s, ((const struct sk_serving_open *)message)->file);
    }
}

static void ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", "reader"));
    }
    lost(context);
}

void serving_connect(struct serving *s, int fd)
{
    static const struct sk_channel_handler handler = {&sk_serving_interface, SK_SERVING_FROM_AUDIT, SK_SERVING_FROM_READER, from_reader, ended};
    lost(s);
    s->reader = sk_channel_new(s->loop, fd, &handler, s);
}
