/*
 * Sources: each is fetched when it is named, and again and again, and its document kept in the folder, where the supervisor reads it.
 * The file has what was judged good last; it is replaced as a whole, and written through before it is spoken of.
 */
#include "fetch/fetch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_PERIOD (300 * SK_SECOND)
#define LIST_PERIOD (600 * SK_SECOND)
#define RETRY_FIRST (5 * SK_SECOND)
#define REFRESH_LEAST (5 * SK_SECOND) /* between two that tokens or reloads ask for */
#define METADATA_MAX ((size_t)128 << 10)
#define DISCOVERY "/.well-known/openid-configuration"

struct source {
    struct sk_table_node node;
    struct fetch *fetch;
    uint8_t id[SK_ID_SIZE], tenant[SK_ID_SIZE];
    uint64_t kind;
    struct sk_slice ca;
    struct sk_timer due;
    struct transfer *transfer; /* under way */
    uint64_t tried;            /* boot ns */
    uint64_t delay;            /* after a failure; 0: there was none */
    uint64_t fetched;          /* Unix seconds: when what is known was asked for; 0: not by this process */
    struct document_provider provider; /* its keys are still to come */
    struct sk_buf document;    /* as it is in the file */
    char url[];                /* NUL-terminated, then the ca */
};

static struct source *find(const struct fetch *fetch, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&fetch->sources, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct source *source = SK_CONTAINER(n, struct source, node);
        if (memcmp(source->id, id, SK_ID_SIZE) == 0) {
            return source;
        }
    }
    return NULL;
}

static uint64_t period(const struct source *source)
{
    return source->kind == SK_SOURCE_LIST ? LIST_PERIOD : KEYS_PERIOD;
}

/* ---- the file ---- */

static void file_path(const struct fetch *fetch, const uint8_t id[SK_ID_SIZE], const char *suffix, char out[4200])
{
    char digits[2 * SK_ID_SIZE + 1];
    sk_hex_encode(id, SK_ID_SIZE, digits);
    (void)snprintf(out, 4200, "%s/%s%s", fetch->folder, digits, suffix);
}

static int write_all(int fd, struct sk_slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        bytes = sk_slice_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static int save(const struct source *source)
{
    char path[4200], fresh[4200];
    file_path(source->fetch, source->id, "", path);
    file_path(source->fetch, source->id, ".new", fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    int r = fchmod(fd, 0644) ? -errno : write_all(fd, sk_buf_peek(&source->document));
    r = r == 0 && fsync(fd) ? -errno : r;
    (void)close(fd);
    return r == 0 && rename(fresh, path) ? -errno : r;
}

static void load(struct source *source)
{
    char path[4200];
    file_path(source->fetch, source->id, "", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *to = fd < 0 ? NULL : sk_buf_reserve(&source->document, SK_FETCH_LIST_MAX);
    ssize_t len = to ? read(fd, to, SK_FETCH_LIST_MAX) : 0;
    sk_buf_commit(&source->document, len > 0 ? (size_t)len : 0);
    if (fd >= 0) {
        (void)close(fd);
    }
}

void fetch_clear_folder(const struct fetch *fetch)
{
    DIR *dir = opendir(fetch->folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        uint8_t id[SK_ID_SIZE];
        bool hidden = entry->d_name[0] == '.';
        bool wanted = sk_hex_decode(sk_slice_str(entry->d_name), id, sizeof(id)) == 0 && find(fetch, id);
        if (!hidden && !wanted) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

/* ---- fetched ---- */

static void again_in(struct source *source, uint64_t delay)
{
    uint8_t random;
    sk_random(&random, sizeof(random));
    sk_timer_set(&source->due, delay + delay / 2560 * random); /* up to a tenth later: not all at once */
}

static void failed(struct source *source, const char *why)
{
    sk_log(SK_EVENT_FETCH_FAILED, SK_TEXT("url", source->url), SK_TEXT("why", why));
    source->delay = source->delay ? source->delay * 2 : RETRY_FIRST;
    source->delay = source->delay < period(source) ? source->delay : period(source);
    again_in(source, source->delay);
}

static void good(struct source *source)
{
    source->delay = 0;
    source->fetched = sk_clock_wall() / SK_SECOND;
    again_in(source, period(source));
}

/* The document is good. What is the same as before, nobody hears of. */
static void take(struct source *source, struct sk_slice document)
{
    struct sk_control_document m;
    struct sk_buf fresh = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    if (sk_slice_eq(document, sk_buf_peek(&source->document))) {
        good(source);
        return;
    }
    int r = sk_buf_put(&fresh, document);
    if (r == 0) {
        struct sk_buf before = source->document;
        source->document = fresh;
        r = save(source);
        fresh = r ? source->document : before;
        source->document = r ? before : source->document;
    }
    sk_buf_free(&fresh);
    if (r) {
        failed(source, strerror(-r));
        return;
    }
    good(source);
    sk_log(SK_EVENT_FETCHED, SK_TEXT("url", source->url));
    memcpy(m.id, source->id, SK_ID_SIZE);
    if (!source->fetch->child.control || sk_channel_send(source->fetch->child.control, SK_CONTROL_DOCUMENT, &m, NULL) < 0) {
        sk_loop_stop(source->fetch->child.loop);
    }
}

static void take_provider(struct source *source, struct sk_slice keys)
{
    const struct document_provider *p = &source->provider;
    uint8_t bytes[SK_IPC_MESSAGE_MAX];
    struct sk_fetch_provider m = {.authorization = sk_slice_str(p->authorization), .token = sk_slice_str(p->token),
            .end_session = sk_slice_str(p->end_session), .jwks = keys, .iss = p->iss};
    int len = sk_ipc_encode(&sk_fetch_interface, SK_FETCH_PROVIDER, &m, bytes, sizeof(bytes));
    if (len < 0) {
        failed(source, strerror(-len));
    } else {
        take(source, sk_slice(bytes, (size_t)len));
    }
}

static void take_list(struct source *source, struct sk_slice body)
{
    struct sk_buf pem SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    char why[DOCUMENT_WHY];
    if (document_list(body, source->ca, sk_buf_peek(&source->document), &pem, why)) {
        failed(source, why);
    } else {
        take(source, sk_buf_peek(&pem));
    }
}

static void start(struct source *source, const char *url, size_t most);

/* The answer to what was asked last: a document, or a provider's metadata, after which its keys are asked for. */
static void answered(void *context, const struct transfer_answer *answer)
{
    struct source *source = context;
    char why[DOCUMENT_WHY];
    bool keys = source->kind == SK_SOURCE_PROVIDER && source->provider.jwks[0];
    source->transfer = NULL;
    if (answer->why) {
        failed(source, answer->why);
    } else if (answer->unchanged && source->kind == SK_SOURCE_LIST) {
        good(source);
    } else if (answer->status != 200) {
        (void)snprintf(why, sizeof(why), "the server answered with status %ld", answer->status);
        failed(source, why);
    } else if (source->kind == SK_SOURCE_LIST) {
        take_list(source, answer->body);
    } else if (source->kind == SK_SOURCE_PROVIDER && !keys) {
        struct sk_slice issuer = sk_slice_str(source->url);
        if (document_provider(answer->body, issuer, &source->provider, why)) {
            failed(source, why);
        } else {
            start(source, source->provider.jwks, SK_FETCH_KEYS_MAX);
        }
    } else if (document_keys(answer->body, why)) {
        failed(source, why);
    } else if (keys) {
        take_provider(source, answer->body);
    } else {
        take(source, answer->body);
    }
}

static void start(struct source *source, const char *url, size_t most)
{
    bool list = source->kind == SK_SOURCE_LIST;
    const struct transfer_request request = {.url = url, .ca = list ? SK_SLICE_NULL : source->ca, .plain = list, .most = most,
            .since = list && sk_buf_len(&source->document) ? source->fetched : 0};
    source->transfer = transfer_start(source->fetch->transfers, &request, answered, source);
    if (!source->transfer) {
        failed(source, "no memory");
    }
}

/* An issuer's metadata is at a place of its own (OpenID Connect Discovery 1.0 section 4). */
static void begin(struct source *source)
{
    char url[SK_FETCH_URL_MAX + sizeof(DISCOVERY)];
    struct sk_slice issuer = sk_slice_str(source->url);
    sk_timer_stop(&source->due);
    source->tried = sk_clock_boot();
    source->provider = (struct document_provider){.jwks = ""};
    if (source->kind == SK_SOURCE_PROVIDER) {
        issuer.len -= issuer.len && issuer.data[issuer.len - 1] == '/';
        (void)snprintf(url, sizeof(url), "%.*s" DISCOVERY, (int)issuer.len, issuer.data);
        start(source, url, METADATA_MAX);
    } else {
        start(source, source->url, source->kind == SK_SOURCE_LIST ? SK_FETCH_LIST_MAX : SK_FETCH_KEYS_MAX);
    }
}

static void on_due(struct sk_timer *timer)
{
    begin(SK_CONTAINER(timer, struct source, due));
}

static void refresh(struct source *source)
{
    if (!source->transfer && sk_clock_boot() - source->tried >= REFRESH_LEAST) {
        begin(source);
    }
}

void fetch_refresh(struct fetch *fetch, const uint8_t id[SK_ID_SIZE])
{
    struct source *source = find(fetch, id);
    if (source) {
        refresh(source);
    }
}

void fetch_refresh_all(struct fetch *fetch)
{
    for (struct sk_table_node *n = sk_table_walk(&fetch->sources, NULL); n; n = sk_table_walk(&fetch->sources, n)) {
        refresh(SK_CONTAINER(n, struct source, node));
    }
}

int fetch_provider(const struct fetch *fetch, const uint8_t id[SK_ID_SIZE], union sk_ipc_any *provider, struct sk_slice *ca, uint8_t tenant[SK_ID_SIZE])
{
    const struct source *source = find(fetch, id);
    const struct sk_ipc_layout *layout;
    if (!source || source->kind != SK_SOURCE_PROVIDER) {
        return 1;
    }
    *ca = source->ca;
    memcpy(tenant, source->tenant, SK_ID_SIZE);
    return sk_ipc_decode(&sk_fetch_interface, SK_FETCH_IN_DOCUMENT, sk_buf_peek(&source->document), provider, &layout) || layout->code != SK_FETCH_PROVIDER;
}

/* ---- named ---- */

void fetch_source(struct fetch *fetch, const struct sk_control_source *m)
{
    struct source *source = find(fetch, m->id) ? NULL : calloc(1, sizeof(*source) + m->url.len + 1 + m->ca.len);
    if (!source || m->kind >= SK_SOURCES || sk_table_add(&fetch->sources, &source->node, sk_table_hash(sk_slice(m->id, SK_ID_SIZE)))) {
        free(source);
        return;
    }
    source->fetch = fetch;
    source->kind = m->kind;
    memcpy(source->id, m->id, SK_ID_SIZE);
    memcpy(source->tenant, m->tenant, SK_ID_SIZE);
    memcpy(source->url, m->url.data, m->url.len);
    source->ca = sk_slice(source->url + m->url.len + 1, m->ca.len);
    if (m->ca.len) {
        memcpy(source->url + m->url.len + 1, m->ca.data, m->ca.len);
    }
    source->document = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    sk_timer_init(&source->due, fetch->child.loop, on_due);
    load(source);
    begin(source);
}

void fetch_unsource(struct fetch *fetch, const uint8_t id[SK_ID_SIZE])
{
    struct source *source = find(fetch, id);
    char path[4200];
    if (source) {
        file_path(fetch, id, "", path);
        (void)unlink(path);
        sk_table_remove(&fetch->sources, &source->node);
        sk_timer_stop(&source->due);
        (void)transfer_cancel(source->transfer);
        sk_buf_free(&source->document);
        free(source);
    }
}
