/* libcurl's multi interface on the event loop. Runs in fetch and feed. */
#include "transfer/transfer.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS 10L
#define WHOLE_SECONDS 30L
#define AT_ONCE 1024L
#define IDLE_CONNECTIONS 4L

struct transfers {
    struct sk_loop *loop;
    CURLM *multi;
    struct sk_timer timer;
};

struct transfer {
    struct transfers *transfers;
    CURL *easy;
    struct curl_slist *headers;
    struct sk_buf body;
    bool too_long;
    char error[CURL_ERROR_SIZE];
    void (*done)(void *context, const struct transfer_answer *answer);
    void *context;
};

/* A socket that libcurl has. */
struct watched {
    struct sk_io io;
    struct transfers *transfers;
    curl_socket_t socket;
};

/* ---- one ---- */

static void transfer_free(struct transfer *t)
{
    (void)curl_multi_remove_handle(t->transfers->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    sk_wipe(t->body.data, t->body.size); /* it may have had a token in it */
    sk_buf_free(&t->body);
    free(t);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    t->too_long = sk_buf_put(&t->body, sk_slice(bytes, size * count)) != 0;
    return t->too_long ? 0 : size * count;
}

/* An empty value: the header that libcurl would send is not sent. */
static bool add_header(struct transfer *t, const char *name, const char *value)
{
    char line[4400];
    bool fits = (size_t)snprintf(line, sizeof(line), *value ? "%s: %s" : "%s:", name, value) < sizeof(line);
    struct curl_slist *longer = fits ? curl_slist_append(t->headers, line) : NULL;
    sk_wipe(line, sizeof(line));
    t->headers = longer ? longer : t->headers;
    return longer != NULL;
}

static bool set_up(struct transfer *t, const struct transfer_request *r)
{
    CURL *easy = t->easy;
    struct curl_blob ca = {(void *)(uintptr_t)r->ca.data, r->ca.len, CURL_BLOB_COPY};
    bool good = curl_easy_setopt(easy, CURLOPT_URL, r->url) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, r->plain ? "http,https" : "https") == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    good = good && (!r->ca.len || (curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK && curl_easy_setopt(easy, CURLOPT_CAPATH, (char *)NULL) == CURLE_OK));
    good = good && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    /* Else a name that nobody answers for holds up everybody: the resolver's thread would be waited for when the time is over. */
    good = good && curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_TIMEOUT, WHOLE_SECONDS) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_USERAGENT, "sekisho/" SEKISHO_VERSION) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PRIVATE, t) == CURLE_OK;
    if (r->since) {
        good = good && curl_easy_setopt(easy, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)r->since) == CURLE_OK;
    }
    if (r->body.len) {
        good = good && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->body.data) == CURLE_OK;
        good = good && add_header(t, "Expect", "") && (!r->type || add_header(t, "Content-Type", r->type));
    }
    good = good && (!r->authorization || add_header(t, "Authorization", r->authorization));
    good = good && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
    if (r->certificate.len) {
        struct curl_blob certificate = {(void *)(uintptr_t)r->certificate.data, r->certificate.len, CURL_BLOB_COPY}, key = {(void *)(uintptr_t)r->key.data, r->key.len, CURL_BLOB_COPY};
        good = good && curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate) == CURLE_OK && curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key) == CURLE_OK;
    }
    if (r->login) {
        good = good && curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_USERPWD, r->login) == CURLE_OK;
    }
    return good;
}

struct transfer *transfer_start(struct transfers *transfers, const struct transfer_request *request,
        void (*done)(void *context, const struct transfer_answer *answer), void *context)
{
    struct transfer *t = calloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    *t = (struct transfer){.transfers = transfers, .easy = curl_easy_init(), .body = SK_BUF_INIT(request->most), .done = done, .context = context};
    if (!t->easy || !set_up(t, request) || curl_multi_add_handle(transfers->multi, t->easy) != CURLM_OK) {
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        free(t);
        return NULL;
    }
    return t;
}

struct transfer *transfer_cancel(struct transfer *transfer)
{
    if (transfer) {
        transfer_free(transfer);
    }
    return NULL;
}

static void finish(struct transfer *t, CURLcode code)
{
    struct transfer_answer answer = {.why = NULL, .body = sk_buf_peek(&t->body)};
    long unmet = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    (void)curl_easy_getinfo(t->easy, CURLINFO_CONDITION_UNMET, &unmet);
    answer.unchanged = unmet != 0;
    if (t->too_long) {
        answer.why = "the answer is too long";
    } else if (code != CURLE_OK) {
        answer.why = t->error[0] ? t->error : curl_easy_strerror(code);
    }
    t->done(t->context, &answer);
    transfer_free(t);
}

static void take_finished(struct transfers *transfers)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(transfers->multi, &left)) != NULL;) {
        char *t = NULL;
        CURLcode code = m->data.result;
        if (m->msg == CURLMSG_DONE && curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK && t) {
            finish((struct transfer *)(void *)t, code);
        }
    }
}

/* ---- the loop ---- */

static void on_ready(struct sk_io *io, int events)
{
    const struct watched *w = SK_CONTAINER(io, struct watched, io);
    struct transfers *transfers = w->transfers;
    int running, mask = (events & SK_READ ? CURL_CSELECT_IN : 0) | (events & SK_WRITE ? CURL_CSELECT_OUT : 0);
    (void)curl_multi_socket_action(transfers->multi, w->socket, mask, &running);
    take_finished(transfers);
}

static void on_timer(struct sk_timer *timer)
{
    struct transfers *transfers = SK_CONTAINER(timer, struct transfers, timer);
    int running;
    (void)curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(transfers);
}

/* libcurl says what it waits for at a socket. */
static int watch(CURL *easy sk_unused, curl_socket_t socket, int what, void *context, void *known)
{
    struct transfers *transfers = context;
    struct watched *w = known;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            sk_io_want(&w->io, 0);
            free(w);
        }
        return 0;
    }
    if (!w) {
        w = calloc(1, sizeof(*w));
        if (!w) {
            return -1;
        }
        w->transfers = transfers;
        w->socket = socket;
        sk_io_init(&w->io, transfers->loop, socket, on_ready);
        (void)curl_multi_assign(transfers->multi, socket, w);
    }
    sk_io_want(&w->io, (what & CURL_POLL_IN ? SK_READ : 0) | (what & CURL_POLL_OUT ? SK_WRITE : 0));
    return 0;
}

static int set_timer(CURLM *multi sk_unused, long milliseconds, void *context)
{
    struct transfers *transfers = context;
    sk_timer_stop(&transfers->timer);
    if (milliseconds >= 0) {
        sk_timer_set(&transfers->timer, (uint64_t)milliseconds * SK_MILLISECOND);
    }
    return 0;
}

struct transfers *transfers_new(struct sk_loop *loop)
{
    struct transfers *transfers = calloc(1, sizeof(*transfers));
    if (!transfers || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(transfers);
        return NULL;
    }
    transfers->loop = loop;
    transfers->multi = curl_multi_init();
    sk_timer_init(&transfers->timer, loop, on_timer);
    bool good = transfers->multi && curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
                curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers) == CURLM_OK &&
                curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
                curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers) == CURLM_OK &&
                curl_multi_setopt(transfers->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, AT_ONCE) == CURLM_OK &&
                curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS) == CURLM_OK;
    if (!good) {
        transfers_free(transfers);
        return NULL;
    }
    return transfers;
}

void transfers_free(struct transfers *transfers)
{
    if (transfers) {
        (void)curl_multi_cleanup(transfers->multi);
        sk_timer_stop(&transfers->timer);
        free(transfers);
    }
}
