/* How OpenSSL reaches the descriptor. Runs in the workers. */
#include "tls/identity.h"

#include <errno.h>
#include <sys/socket.h>

/*
 * A ticket of TLS 1.3 is nothing anybody waits for: the kernel holds it back for the answer that follows, two tenths of a
 * second at most, and both leave in one segment.
 */
static bool more_follows(const struct sk_tls *tls)
{
    return tls->more || SSL_get_state(tls->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int retry(BIO *bio, int direction)
{
    if (errno == EAGAIN || errno == EINTR) {
        BIO_set_flags(bio, BIO_FLAGS_SHOULD_RETRY | direction);
    }
    return -1;
}

static int descriptor_write(BIO *bio, const char *bytes, int len)
{
    const struct sk_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(tls->fd, bytes, (size_t)len, MSG_NOSIGNAL | (more_follows(tls) ? MSG_MORE : 0));
    return n < 0 ? retry(bio, BIO_FLAGS_WRITE) : (int)n;
}

static int descriptor_read(BIO *bio, char *to, int size)
{
    struct sk_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->emptied) {
        errno = EAGAIN;
        return retry(bio, BIO_FLAGS_READ);
    }
    ssize_t n = recv(tls->fd, to, (size_t)size, 0);
    tls->emptied = n < size;
    tls->ended = n == 0;
    return n < 0 ? retry(bio, BIO_FLAGS_READ) : (int)n;
}

static long descriptor_control(BIO *bio, int command, long number sk_unused, void *pointer sk_unused)
{
    const struct sk_tls *tls = BIO_get_data(bio);
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_EOF ? tls->ended : 0;
}

/* OpenSSL has few numbers for kinds of BIO: the process has one of this kind, for good. */
static const BIO_METHOD *descriptor(void)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor");
        if (!method) {
            return NULL;
        }
        (void)BIO_meth_set_write(method, descriptor_write);
        (void)BIO_meth_set_read(method, descriptor_read);
        (void)BIO_meth_set_ctrl(method, descriptor_control);
    }
    return method;
}

bool sk_tls_attach(struct sk_tls *tls, int fd)
{
    const BIO_METHOD *method = descriptor();
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio) {
        return false;
    }
    tls->fd = fd;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return true;
}
