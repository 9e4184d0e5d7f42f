/* A syslog server over TLS (RFC 5425). Runs in feed. */
#include "feed/receiver_impl.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define CONNECT_SECONDS 10L

struct to_syslog {
    CURL *curl;
    int fd;
    struct sk_io io;
    struct receiver *receiver;
};

/* It has nothing to say: when there is something to read, it is the end. */
static void on_ready(struct sk_io *io, int events)
{
    struct to_syslog *own = SK_CONTAINER(io, struct to_syslog, io);
    struct receiver *r = own->receiver;
    char byte[256];
    size_t n = 0;
    CURLcode code = events & SK_READ ? curl_easy_recv(own->curl, byte, sizeof(byte), &n) : CURLE_AGAIN;
    if ((code == CURLE_OK && n == 0) || (code != CURLE_OK && code != CURLE_AGAIN)) {
        receiver_close(r);
    }
    r->changed(r->context);
}

static bool set_up(const struct receiver *r, CURL *c, const char *url, char *error)
{
    struct sk_slice pem = sk_buf_peek(&r->ca), shown = sk_buf_peek(&r->certificate), opened = sk_buf_peek(&r->key);
    struct curl_blob ca = {(void *)(uintptr_t)pem.data, pem.len, CURL_BLOB_COPY}, certificate = {(void *)(uintptr_t)shown.data, shown.len, CURL_BLOB_COPY},
                     key = {(void *)(uintptr_t)opened.data, opened.len, CURL_BLOB_COPY};
    bool good = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK;
    good = good && (!pem.len || (curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CAPATH, (char *)NULL) == CURLE_OK));
    good = good && (!shown.len || (curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &certificate) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &key) == CURLE_OK));
    good = good && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    return good && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
}

static int connect_server(struct receiver *r, char why[256])
{
    struct to_syslog *own = r->own = r->own ? r->own : calloc(1, sizeof(*own));
    char url[400], error[CURL_ERROR_SIZE] = "";
    curl_socket_t fd = CURL_SOCKET_BAD;
    CURL *c = own ? curl_easy_init() : NULL;
    (void)snprintf(url, sizeof(url), "https://%s", receiver_after(r, "syslog+tls://"));
    CURLcode code = c && set_up(r, c, url, error) ? curl_easy_perform(c) : CURLE_OUT_OF_MEMORY;
    code = code ? code : curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &fd);
    if (code || fd == CURL_SOCKET_BAD) {
        (void)snprintf(why, 256, "%s", error[0] ? error : curl_easy_strerror(code));
        curl_easy_cleanup(c);
        return 1;
    }
    *own = (struct to_syslog){.curl = c, .fd = fd, .receiver = r};
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, (char *)NULL);
    sk_io_init(&own->io, r->loop, fd, on_ready);
    sk_io_want(&own->io, SK_READ);
    return 0;
}

static void close_server(struct receiver *r)
{
    struct to_syslog *own = r->own;
    if (r->open) {
        sk_io_want(&own->io, 0);
        curl_easy_cleanup(own->curl);
    }
}

/* Octets counted. */
static int put_frame(struct receiver *r, const struct sk_audit_record *record sk_unused, struct sk_slice message)
{
    return sk_buf_printf(&r->out, "%zu ", message.len) || sk_buf_put(&r->out, message);
}

static void send_to_server(struct receiver *r)
{
    struct to_syslog *own = r->own;
    struct sk_slice bytes = sk_buf_peek(&r->out);
    CURLcode code = CURLE_OK;
    while (code == CURLE_OK && bytes.len) {
        size_t n = 0;
        code = curl_easy_send(own->curl, bytes.data, bytes.len, &n);
        sk_buf_take(&r->out, n);
        r->sent += n;
        bytes = sk_buf_peek(&r->out);
    }
    if (code != CURLE_OK && code != CURLE_AGAIN) {
        receiver_close(r);
    } else {
        sk_io_want(&own->io, SK_READ | (bytes.len ? SK_WRITE : 0));
    }
}

/* Has its machine every byte? Of what is sent only in part nobody asks. */
static bool is_acknowledged(const struct receiver *r)
{
    const struct to_syslog *own = r->own;
    int left = 1;
    return ioctl(own->fd, SIOCOUTQ, &left) == 0 && left == 0;
}

static void look_at_server(struct receiver *r)
{
    uint64_t now = sk_clock_boot();
    send_to_server(r);
    bool acknowledged = r->open && is_acknowledged(r);
    for (uint64_t i = r->taken + 1; r->open && i <= r->marked; i++) {
        struct receiver_batch *batch = &r->batches[i % RECEIVER_MARKS];
        batch->since = batch->since ? batch->since : acknowledged && batch->end <= r->sent ? now : 0;
        r->taken = batch->since && now - batch->since >= RECEIVER_SETTLES && r->taken + 1 == i ? i : r->taken;
    }
}

const struct receiver_kind receiver_syslog = {connect_server, close_server, NULL, put_frame, look_at_server};
