/*
 * Feed: sends what was recorded to a SIEM, each record at least once and in order, in one of the forms of journal/view.h. It asks the reader for what is
 * next, and moves its cursor only behind what the receiver has taken: a receiver that is away delays nothing but itself. Own uid, the network, its folder;
 * no keys.
 */
#include "feed/cursor.h"
#include "feed/receiver.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/table.h"
#include "ipc/child.h"
#include "ipc/feed.h"
#include "journal/record.h"
#include "journal/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK (200 * SK_MILLISECOND)  /* for something new, and for what was taken */
#define AGAIN_FIRST SK_SECOND        /* after a receiver that could not be had */
#define AGAIN_MOST (30 * SK_SECOND)
#define VIEW_MAX ((size_t)64 << 10)
#define WAITING_MOST ((size_t)256 << 10) /* bytes not sent yet, before more is asked for */
#define BATCHES 300U

struct tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    char name[130];
};

/* What was put up to a mark, and the place behind it. */
struct batch {
    uint64_t mark;
    struct cursor place;
};

struct feed {
    struct sk_child child;
    struct sk_channel *reader;
    char folder[4097], name[65], host[256];
    uint8_t of[256][SK_ID_SIZE]; /* the tenants whose records are sent; */
    size_t of_count;             /* 0: all, and the operator's */
    int fd; /* of the folder */
    uint64_t form;
    struct receiver *receiver;
    struct sk_table tenants;
    struct cursor taken, next; /* what the receiver has; what is asked for next */
    struct batch batches[BATCHES];
    uint64_t first, last; /* batches that are put and not taken: numbers, `last` not among them */
    uint64_t ticket;      /* of the question; 0: none is open */
    bool dropped;         /* what comes for it is dropped: the receiver was lost meanwhile */
    bool down;            /* and that was said */
    uint64_t again, wait; /* boot time of the next attempt; and how long it was waited last */
    struct sk_timer look;
    struct sk_buf view;
};

static int (*const views[])(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out) = {sk_view_syslog, sk_view_cef, sk_view_ocsf,
        sk_view_ecs};

/* ---- tenants' names ---- */

static struct tenant *find_tenant(const struct feed *feed, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&feed->tenants, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct tenant *tenant = SK_CONTAINER(n, struct tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

/* A tenant that is gone keeps its name: its records may still be sent. */
static void name_tenant(struct feed *feed, const struct sk_control_tenant *m)
{
    struct tenant *tenant = find_tenant(feed, m->tenant);
    if (!tenant) {
        tenant = calloc(1, sizeof(*tenant));
        if (!tenant || sk_table_add(&feed->tenants, &tenant->node, sk_table_hash(sk_slice(m->tenant, SK_ID_SIZE)))) {
            free(tenant);
            return;
        }
        memcpy(tenant->id, m->tenant, SK_ID_SIZE);
    }
    (void)snprintf(tenant->name, sizeof(tenant->name), "%.*s@%.*s", (int)m->name.len, m->name.data, (int)m->service.len, m->service.data);
}

/* Is it one of those that the feed is of? */
static bool is_of(const struct feed *feed, const uint8_t tenant[SK_ID_SIZE])
{
    for (size_t i = 0; i < feed->of_count; i++) {
        if (memcmp(feed->of[i], tenant, SK_ID_SIZE) == 0) {
            return true;
        }
    }
    return feed->of_count == 0;
}

/* ---- sending ---- */

static void put_row(struct feed *feed, struct sk_slice cbor)
{
    struct sk_audit_record record;
    if (sk_record_decode(cbor, &record) || !is_of(feed, record.tenant)) {
        return;
    }
    const struct tenant *tenant = find_tenant(feed, record.tenant);
    const struct sk_view_context context = {.node = sk_slice_str(feed->host), .version = SK_LIT(SEKISHO_VERSION), .tenant = sk_slice_str(tenant ? tenant->name : NULL)};
    sk_buf_take(&feed->view, sk_buf_len(&feed->view));
    int r = views[feed->form](&record, &context, &feed->view);
    r = r ? r : receiver_put(feed->receiver, &record, sk_buf_peek(&feed->view));
    feed->dropped = feed->dropped || r != 0; /* it comes again */
}

/* From the last one that was taken. What was put since is sent, and comes twice. */
static void begin_again(struct feed *feed)
{
    if (receiver_is_open(feed->receiver)) {
        (void)receiver_mark(feed->receiver);
    }
    feed->next = feed->taken;
    feed->first = feed->last;
    feed->dropped = feed->ticket != 0;
}

static void put_done(struct feed *feed, const struct sk_feed_at *m)
{
    bool put = !feed->dropped && receiver_is_open(feed->receiver);
    bool more = m->file != feed->next.file || m->at != feed->next.at || m->skip != feed->next.skip;
    if (m->lost) {
        sk_log(SK_EVENT_FEED_GAP, SK_TEXT("feed", feed->name), SK_NUMBER("file", feed->next.file));
    }
    feed->ticket = 0;
    feed->dropped = false;
    if (!put) {
        begin_again(feed);
    } else if (more) {
        feed->next = (struct cursor){m->file, m->at, m->skip};
        feed->batches[feed->last++ % BATCHES] = (struct batch){receiver_mark(feed->receiver), feed->next};
        sk_timer_set(&feed->look, 0);
    }
}

/* Something was taken. */
static void note_up(struct feed *feed)
{
    if (feed->down) {
        sk_log(SK_EVENT_FEED_UP, SK_TEXT("feed", feed->name));
    }
    feed->down = false;
    feed->wait = 0;
}

/* Moves the cursor behind what was taken. */
static void note_taken(struct feed *feed)
{
    uint64_t mark = receiver_taken(feed->receiver);
    const struct cursor before = feed->taken;
    while (feed->first != feed->last && feed->batches[feed->first % BATCHES].mark <= mark) {
        feed->taken = feed->batches[feed->first++ % BATCHES].place;
    }
    bool moved = before.file != feed->taken.file || before.at != feed->taken.at || before.skip != feed->taken.skip;
    if (moved) {
        note_up(feed);
    }
    int r = moved ? cursor_write(feed->fd, feed->name, &feed->taken) : 0;
    if (r) {
        sk_log(SK_EVENT_FEED_DOWN, SK_TEXT("feed", feed->name), SK_TEXT("error", strerror(-r)));
        sk_loop_stop(feed->child.loop); /* the next one begins where the file says */
    }
}

static bool open_receiver(struct feed *feed)
{
    char why[256];
    uint64_t now = sk_clock_boot();
    if (receiver_is_open(feed->receiver)) {
        return true;
    }
    if (now < feed->again) {
        return false;
    }
    begin_again(feed);
    if (receiver_open(feed->receiver, why) == 0) {
        return true;
    }
    if (!feed->down) {
        sk_log(SK_EVENT_FEED_DOWN, SK_TEXT("feed", feed->name), SK_TEXT("error", why));
    }
    feed->down = true;
    feed->wait = feed->wait == 0 ? AGAIN_FIRST : feed->wait * 2 < AGAIN_MOST ? feed->wait * 2 : AGAIN_MOST;
    feed->again = sk_clock_boot() + feed->wait;
    return false;
}

static void ask_next(struct feed *feed)
{
    struct sk_feed_next m = {.ticket = ++feed->ticket, .file = feed->next.file, .at = feed->next.at, .skip = feed->next.skip};
    if (feed->reader && sk_channel_send(feed->reader, SK_FEED_NEXT, &m, NULL) < 0) {
        feed->reader = sk_channel_free(feed->reader);
    }
    feed->ticket = feed->reader ? feed->ticket : 0;
}

static void on_look(struct sk_timer *timer)
{
    struct feed *feed = SK_CONTAINER(timer, struct feed, look);
    sk_timer_set(timer, LOOK);
    if (!feed->receiver || !open_receiver(feed)) {
        return;
    }
    note_taken(feed);
    bool room = receiver_waiting(feed->receiver) < WAITING_MOST && feed->last - feed->first < BATCHES;
    if (receiver_is_open(feed->receiver) && room && !feed->ticket) {
        ask_next(feed);
    }
}

static void on_changed(void *context)
{
    struct feed *feed = context;
    sk_timer_set(&feed->look, 0);
}

static void on_refused(void *context, uint64_t records, const char *why)
{
    const struct feed *feed = context;
    sk_log(SK_EVENT_FEED_REFUSED, SK_TEXT("feed", feed->name), SK_NUMBER("records", records), SK_TEXT("error", why));
}

/* ---- reader ---- */

static void from_reader(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct feed *feed = context;
    if (*(const uint64_t *)message != feed->ticket || !feed->receiver) {
        return;
    }
    if (code == SK_FEED_ROW && !feed->dropped) {
        put_row(feed, ((const struct sk_feed_row *)message)->cbor);
    } else if (code == SK_FEED_AT) {
        put_done(feed, message);
    }
}

static void reader_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct feed *feed = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "reader"));
    feed->reader = sk_channel_free(channel);
    feed->dropped = feed->ticket != 0;
    feed->ticket = 0;
    if (feed->dropped) { /* half an answer was put: with the rest it comes again */
        feed->dropped = false;
        begin_again(feed);
    }
}

/* ---- control ---- */

static void begin(struct feed *feed, const struct sk_control_feed *m)
{
    char to[400], authorization[4096];
    (void)snprintf(feed->name, sizeof(feed->name), "%.*s", (int)m->name.len, m->name.data);
    (void)snprintf(feed->host, sizeof(feed->host), "%.*s", (int)m->host.len, m->host.data);
    (void)snprintf(to, sizeof(to), "%.*s", (int)m->to.len, m->to.data);
    (void)snprintf(authorization, sizeof(authorization), "%.*s", (int)m->authorization.len, m->authorization.data);
    feed->of_count = m->tenants.len / SK_ID_SIZE < SK_COUNT(feed->of) ? m->tenants.len / SK_ID_SIZE : SK_COUNT(feed->of);
    memcpy(feed->of, feed->of_count ? m->tenants.data : "", feed->of_count * SK_ID_SIZE);
    const struct receiver_settings set = {.name = feed->name, .to = to, .authorization = authorization, .ca = m->ca, .certificate = m->certificate, .key = m->key, .folder = feed->fd};
    int r = cursor_read(feed->fd, feed->name, &feed->taken);
    feed->form = m->form < SK_COUNT(views) ? m->form : 0;
    feed->next = feed->taken;
    feed->receiver = r < 0 ? NULL : receiver_new(feed->child.loop, &set, on_changed, on_refused, feed);
    sk_wipe(authorization, sizeof(authorization));
    if (!feed->receiver) {
        sk_log(SK_EVENT_FEED_DOWN, SK_TEXT("feed", feed->name), SK_TEXT("error", r < 0 ? "its cursor cannot be read" : "it has nowhere to send to"));
        sk_loop_stop(feed->child.loop);
    }
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct feed *feed = child->context;
    if (hello->folder.len >= sizeof(feed->folder)) {
        return -EINVAL;
    }
    memcpy(feed->folder, hello->folder.data, hello->folder.len);
    feed->fd = -1;
    feed->view = SK_BUF_INIT(VIEW_MAX);
    sk_timer_init(&feed->look, child->loop, on_look);
    sk_timer_set(&feed->look, LOOK);
    return 0;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    static const struct sk_channel_handler handler = {&sk_feed_interface, SK_FEED_FROM_FEED, SK_FEED_FROM_READER, from_reader, reader_ended};
    struct feed *feed = child->context;
    switch (code) {
    case SK_CONTROL_LIMITS:
        feed->fd = feed->fd >= 0 ? feed->fd : open(feed->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        break;
    case SK_CONTROL_FEED:
        if (!feed->receiver) {
            begin(feed, message);
        }
        break;
    case SK_CONTROL_PEER:
        feed->reader = sk_channel_free(feed->reader);
        feed->ticket = 0;
        feed->reader = sk_channel_new(child->loop, fds[0], &handler, feed);
        break;
    case SK_CONTROL_TENANT:
        name_tenant(feed, message);
        break;
    case SK_CONTROL_LOADED:
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
        break;
    default:
        break;
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "feed", .network = true, .lookups = true, .hello = on_hello, .told = on_told};
    static struct feed feed;
    sk_log_init("sekisho-feed");
    int status = sk_child_run(&feed.child, &program, &feed);
    (void)receiver_free(feed.receiver);
    return status;
}
