/* A file of the feed's folder. Runs in feed. */
#include "feed/receiver_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct to_file {
    int fd;
};

static int open_file(struct receiver *r, char why[256])
{
    struct to_file *own = r->own = r->own ? r->own : calloc(1, sizeof(*own));
    int fd = own ? openat(r->folder, r->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
    if (fd < 0) {
        (void)snprintf(why, 256, "%s: %s", r->name, strerror(own ? errno : ENOMEM));
        return 1;
    }
    own->fd = fd;
    return 0;
}

static void close_file(struct receiver *r)
{
    const struct to_file *own = r->own;
    if (r->open) {
        (void)close(own->fd);
    }
}

static int put_line(struct receiver *r, const struct sk_audit_record *record sk_unused, struct sk_slice message)
{
    return sk_buf_put(&r->out, message) || sk_buf_put(&r->out, SK_LIT("\n"));
}

/* Who turns logs over moves the file away: the next lines go to a new one. */
static bool is_in_place(const struct receiver *r)
{
    const struct to_file *own = r->own;
    struct stat by_fd, by_name;
    return fstat(own->fd, &by_fd) == 0 && fstatat(r->folder, r->name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 && by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

static void write_file(struct receiver *r)
{
    const struct to_file *own = r->own;
    while (sk_buf_len(&r->out)) {
        struct sk_slice bytes = sk_buf_peek(&r->out);
        ssize_t n = write(own->fd, bytes.data, bytes.len);
        if (n <= 0) {
            receiver_close(r); /* what of it is there nobody knows: it comes again */
            return;
        }
        sk_buf_take(&r->out, (size_t)n);
        r->sent += (size_t)n;
    }
    if (r->marked > r->taken && fdatasync(own->fd) == 0) {
        receiver_take_sent(r);
    }
    if (!is_in_place(r)) {
        receiver_close(r);
    }
}

const struct receiver_kind receiver_file = {open_file, close_file, NULL, put_line, write_file};
