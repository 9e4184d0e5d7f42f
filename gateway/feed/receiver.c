/* Receivers. Runs in feed. */
#include "feed/receiver.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM ((size_t)1 << 20)
#define CONNECT_SECONDS 10L
#define MARKS 256U /* batches that are put and not taken */

/* A batch. */
struct mark {
    uint64_t end;   /* byte of the connection behind it */
    uint64_t since; /* boot time at which all of it was acknowledged; 0: not yet */
};

struct receiver {
    struct sk_loop *loop;
    struct receiver_settings set;
    char name[80], url[300];
    struct sk_buf ca, out;
    void (*changed)(void *context);
    void *context;
    bool server;
    CURL *curl; /* of a server, while it is open */
    int fd;     /* the file, or the connection's; negative: not open */
    struct sk_io io;
    uint64_t put, sent; /* bytes, of this connection or file */
    struct mark marks[MARKS];
    uint64_t marked, taken; /* numbers of marks, from 1 */
};

struct receiver *receiver_new(struct sk_loop *loop, const struct receiver_settings *set, void (*changed)(void *context), void *context)
{
    struct receiver *r = calloc(1, sizeof(*r));
    struct sk_slice to = sk_slice_str(set->to);
    bool server = sk_slice_starts(to, SK_LIT("syslog+tls://"));
    if (!r || (!server && !sk_slice_eq(to, SK_LIT("file")))) {
        free(r);
        return NULL;
    }
    *r = (struct receiver){.loop = loop, .set = *set, .ca = SK_BUF_INIT((size_t)1 << 20), .out = SK_BUF_INIT(ROOM), .changed = changed, .context = context, .server = server, .fd = -1};
    (void)snprintf(r->name, sizeof(r->name), "%s.log", set->name);
    (void)snprintf(r->url, sizeof(r->url), "https://%s", server ? set->to + sizeof("syslog+tls://") - 1 : "");
    return sk_buf_put(&r->ca, set->ca) ? receiver_free(r) : r;
}

static void close_it(struct receiver *r)
{
    if (r->fd >= 0 && r->server) {
        sk_io_want(&r->io, 0);
    } else if (r->fd >= 0) {
        (void)close(r->fd);
    }
    curl_easy_cleanup(r->curl);
    r->curl = NULL;
    r->fd = -1;
    r->put = r->sent = 0;
    r->marked = r->taken; /* what is above is put again */
    sk_buf_take(&r->out, sk_buf_len(&r->out));
}

struct receiver *receiver_free(struct receiver *r)
{
    if (r) {
        close_it(r);
        sk_buf_free(&r->ca);
        sk_buf_free(&r->out);
        free(r);
    }
    return NULL;
}

bool receiver_is_open(const struct receiver *r)
{
    return r->fd >= 0;
}

/* ---- a server ---- */

/* It has nothing to say: when there is something to read, it is the end. */
static void on_ready(struct sk_io *io, int events)
{
    struct receiver *r = SK_CONTAINER(io, struct receiver, io);
    char byte[256];
    size_t n = 0;
    CURLcode code = events & SK_READ ? curl_easy_recv(r->curl, byte, sizeof(byte), &n) : CURLE_AGAIN;
    if ((code == CURLE_OK && n == 0) || (code != CURLE_OK && code != CURLE_AGAIN)) {
        close_it(r);
    }
    r->changed(r->context);
}

static int connect_server(struct receiver *r, char why[256])
{
    struct sk_slice pem = sk_buf_peek(&r->ca);
    struct curl_blob ca = {(void *)(uintptr_t)pem.data, pem.len, CURL_BLOB_COPY};
    curl_socket_t fd = CURL_SOCKET_BAD;
    char error[CURL_ERROR_SIZE] = "";
    CURL *c = r->curl = curl_easy_init();
    bool good = c && curl_easy_setopt(c, CURLOPT_URL, r->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK;
    good = good && (!pem.len || (curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CAPATH, (char *)NULL) == CURLE_OK));
    good = good && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
    CURLcode code = good ? curl_easy_perform(c) : CURLE_OUT_OF_MEMORY;
    code = code ? code : curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &fd);
    if (code || fd == CURL_SOCKET_BAD) {
        (void)snprintf(why, 256, "%s", error[0] ? error : curl_easy_strerror(code));
        close_it(r);
        return 1;
    }
    r->fd = fd;
    sk_io_init(&r->io, r->loop, fd, on_ready);
    sk_io_want(&r->io, SK_READ);
    return 0;
}

static void send_to_server(struct receiver *r)
{
    struct sk_slice bytes = sk_buf_peek(&r->out);
    CURLcode code = CURLE_OK;
    while (code == CURLE_OK && bytes.len) {
        size_t n = 0;
        code = curl_easy_send(r->curl, bytes.data, bytes.len, &n);
        sk_buf_take(&r->out, n);
        r->sent += n;
        bytes = sk_buf_peek(&r->out);
    }
    if (code != CURLE_OK && code != CURLE_AGAIN) {
        close_it(r);
    } else {
        sk_io_want(&r->io, SK_READ | (bytes.len ? SK_WRITE : 0));
    }
}

/* Has its machine every byte? Of what is sent only in part nobody asks. */
static bool is_acknowledged(const struct receiver *r)
{
    int left = 1;
    return ioctl(r->fd, SIOCOUTQ, &left) == 0 && left == 0;
}

static void look_at_server(struct receiver *r)
{
    uint64_t now = sk_clock_boot();
    send_to_server(r);
    bool acknowledged = r->fd >= 0 && is_acknowledged(r);
    for (uint64_t i = r->taken + 1; r->fd >= 0 && i <= r->marked; i++) {
        struct mark *m = &r->marks[i % MARKS];
        m->since = m->since ? m->since : acknowledged && m->end <= r->sent ? now : 0;
        r->taken = m->since && now - m->since >= RECEIVER_SETTLES && r->taken + 1 == i ? i : r->taken;
    }
}

/* ---- a file ---- */

static int open_file(struct receiver *r, char why[256])
{
    r->fd = openat(r->set.folder, r->name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (r->fd < 0) {
        (void)snprintf(why, 256, "%s: %s", r->name, strerror(errno));
    }
    return r->fd < 0;
}

/* Who turns logs over moves the file away: the next lines go to a new one. */
static bool is_in_place(const struct receiver *r)
{
    struct stat by_fd, by_name;
    return fstat(r->fd, &by_fd) == 0 && fstatat(r->set.folder, r->name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 && by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

static void write_to_file(struct receiver *r)
{
    while (r->fd >= 0 && sk_buf_len(&r->out)) {
        struct sk_slice bytes = sk_buf_peek(&r->out);
        ssize_t n = write(r->fd, bytes.data, bytes.len);
        if (n <= 0) {
            close_it(r); /* what of it is there nobody knows: it comes again */
            return;
        }
        sk_buf_take(&r->out, (size_t)n);
        r->sent += (size_t)n;
    }
    if (r->fd >= 0 && r->marked > r->taken && fdatasync(r->fd) == 0) {
        r->taken = r->marked;
    }
    if (r->fd >= 0 && !is_in_place(r)) {
        close_it(r);
    }
}

/* ---- both ---- */

int receiver_open(struct receiver *r, char why[256])
{
    why[0] = '\0';
    return r->fd >= 0 ? 0 : r->server ? connect_server(r, why) : open_file(r, why);
}

int receiver_put(struct receiver *r, struct sk_slice message)
{
    char count[24];
    int len = r->server ? snprintf(count, sizeof(count), "%zu ", message.len) : 0;
    if (r->fd < 0 || sk_buf_room(&r->out) < message.len + sizeof(count)) {
        return 1;
    }
    int failed = sk_buf_put(&r->out, sk_slice(count, (size_t)len));
    failed = failed ? failed : sk_buf_put(&r->out, message);
    failed = failed || r->server ? failed : sk_buf_put(&r->out, SK_LIT("\n"));
    r->put += (size_t)len + message.len + !r->server;
    if (failed) {
        close_it(r);
    }
    return failed != 0;
}

uint64_t receiver_mark(struct receiver *r)
{
    if (r->marked - r->taken < MARKS - 1) {
        r->marks[++r->marked % MARKS] = (struct mark){.end = r->put};
    } else {
        r->marks[r->marked % MARKS] = (struct mark){.end = r->put}; /* the last one gets longer */
    }
    return r->marked;
}

uint64_t receiver_taken(struct receiver *r)
{
    if (r->fd >= 0 && r->server) {
        look_at_server(r);
    } else if (r->fd >= 0) {
        write_to_file(r);
    }
    return r->taken;
}

size_t receiver_waiting(const struct receiver *r)
{
    return sk_buf_len(&r->out);
}
