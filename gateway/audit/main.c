/*
 * The audit program: takes records from the workers' and auth's rings, writes them to the journal in groups, and says
 * when they are durable. It alone decides a record's place and time. Runs as its own uid, sees its folder alone.
 */
#include "audit/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/child.h"
#include "ipc/ring.h"
#include "journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCES_MAX 80
#define CHECK_EVERY SK_SECOND
#define RETRY_EVERY (100 * SK_MILLISECOND)

/* One ring and the process behind it. */
struct source {
    struct audit *audit;
    struct sk_ring ring;
    struct sk_io wake;
    enum sk_peer peer;
    uint64_t index;
    uint64_t owner;   /* of what its records open; never used again */
    uint64_t taken;   /* entries got */
    uint64_t durable; /* of those, acknowledged */
    bool open;
};

struct audit {
    struct sk_child child;
    struct sk_writer *writer;
    struct sk_writer_settings settings;
    char folder[4097];
    struct source sources[SOURCES_MAX];
    size_t used; /* slots of `sources` that were ever open: none behind them is */
    struct sk_timer check, retry;
    struct sk_idle idle;
    pthread_t preparer;
    bool preparing;
    uint64_t owners;
    bool failed;
};

/* What a kind of process may record. A worker cannot write that somebody logged in. */
static bool permitted(enum sk_peer peer, enum sk_audit_op op)
{
    switch (op) {
    case SK_AUDIT_REQUEST:
    case SK_AUDIT_STREAM:
    case SK_AUDIT_CONNECTION_REFUSED:
    case SK_AUDIT_MESSAGE_REFUSED:
        return peer == SK_PEER_WORKER;
    case SK_AUDIT_LOGIN:
    case SK_AUDIT_LOGOUT:
    case SK_AUDIT_SESSION_ENDED:
        return peer == SK_PEER_AUTH;
    default:
        return false;
    }
}

static void source_close(struct source *source)
{
    if (source->open) {
        sk_io_want(&source->wake, 0);
        sk_ring_close(&source->ring);
        source->open = false;
    }
}

static void source_bad(struct source *source, const char *what)
{
    sk_log(SK_EVENT_PEER_BAD, SK_TEXT("what", what), SK_NUMBER("peer", source->peer), SK_NUMBER("index", source->index));
    source_close(source);
}

/* Takes what a source has, up to a full group. False when it broke the rules and is closed. */
static void drain(struct audit *audit, struct source *source)
{
    uint8_t bytes[SK_RING_ENTRY_MAX] sk_uninitialized;
    while (source->open && !sk_writer_full(audit->writer)) {
        struct sk_audit_record record;
        int len = sk_ring_get(&source->ring, bytes);
        if (len == 0) {
            return;
        }
        if (len < 0 || sk_record_decode(sk_slice(bytes, (size_t)len), &record) || !permitted(source->peer, record.op)) {
            source_bad(source, "record");
            return;
        }
        if (sk_writer_add(audit->writer, &record, source->owner)) {
            source_bad(source, "add");
            return;
        }
        source->taken++;
    }
}

static void set_failed(struct audit *audit, bool failed, int error)
{
    if (failed && !audit->failed) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("error", strerror(-error)));
    } else if (!failed && audit->failed) {
        sk_log(SK_EVENT_JOURNAL_BACK);
    }
    audit->failed = failed;
}

static void *prepare(void *context)
{
    sk_writer_prepare(((struct audit *)context)->writer);
    return NULL;
}

static void prepare_ahead(struct audit *audit)
{
    if (!sk_writer_claim_prepare(audit->writer)) {
        return;
    }
    if (audit->preparing) {
        (void)pthread_join(audit->preparer, NULL);
    }
    audit->preparing = pthread_create(&audit->preparer, NULL, prepare, audit) == 0;
}

/* Commits what was taken and tells each source. Without success nothing is acknowledged, and nothing more is taken. */
static bool commit(struct audit *audit)
{
    int r = sk_writer_commit(audit->writer);
    set_failed(audit, r != 0, r);
    for (size_t i = 0; i < audit->used; i++) {
        struct source *source = &audit->sources[i];
        if (source->open && (source->taken != source->durable || r)) {
            source->durable = r ? source->durable : source->taken;
            sk_ring_acknowledge(&source->ring, source->durable, r != 0);
        }
    }
    if (r) {
        sk_timer_set(&audit->retry, RETRY_EVERY);
    } else {
        prepare_ahead(audit);
    }
    return r == 0;
}

/* Group commit without waiting: while one group is flushed the next one gathers in the rings. */
static void work(struct audit *audit)
{
    bool more = true;
    while (more && !sk_timer_pending(&audit->retry)) {
        uint64_t before = 0, after = 0;
        for (size_t i = 0; i < audit->used; i++) {
            struct source *source = &audit->sources[i];
            before += source->open ? source->taken : 0;
            drain(audit, source);
            after += source->open ? source->taken : 0;
        }
        more = after != before;
        if (more && !commit(audit)) {
            return;
        }
    }
}

static void before_sleep(struct sk_idle *idle)
{
    struct audit *audit = SK_CONTAINER(idle, struct audit, idle);
    bool again = true;
    while (again && audit->writer && !sk_timer_pending(&audit->retry)) {
        again = false;
        work(audit);
        for (size_t i = 0; i < audit->used; i++) {
            struct source *source = &audit->sources[i];
            again = again || (source->open && sk_ring_sleep(&source->ring));
        }
    }
}

static void on_wake(struct sk_io *io, int events sk_unused)
{
    struct source *source = SK_CONTAINER(io, struct source, wake);
    if (!sk_ring_woken(&source->ring)) {
        sk_io_want(io, 0); /* the supervisor will say that it is lost */
    } /* the work is done before the loop sleeps again */
}

static void on_retry(struct sk_timer *timer)
{
    struct audit *audit = SK_CONTAINER(timer, struct audit, retry);
    (void)commit(audit);
    if (!audit->failed) {
        for (size_t i = 0; i < audit->used; i++) {
            if (audit->sources[i].open) {
                sk_ring_acknowledge(&audit->sources[i].ring, audit->sources[i].durable, false);
            }
        }
    }
}

/* A journal file that was unlinked or replaced takes records nobody will ever read. */
static void on_check(struct sk_timer *timer)
{
    struct audit *audit = SK_CONTAINER(timer, struct audit, check);
    int r = sk_writer_check(audit->writer);
    if (r < 0) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("error", "the journal's file was removed or replaced"));
        _exit(1);
    }
    sk_timer_set(&audit->check, CHECK_EVERY);
}

/* The process behind it is gone: what it still said counts, and what it left open stays unknown. */
static void source_lost(struct audit *audit, struct source *source)
{
    work(audit);
    if (source->open) {
        source_close(source);
        if (sk_writer_abandon(audit->writer, source->owner) == 0) {
            (void)commit(audit);
        }
    }
}

static void add_source(struct audit *audit, const struct sk_control_ring *m, const int *fds)
{
    struct source *slot = NULL;
    for (size_t i = 0; i < audit->used; i++) {
        struct source *source = &audit->sources[i];
        if (source->open && source->peer == (enum sk_peer)m->peer && source->index == m->index) {
            source_lost(audit, source);
        }
        slot = slot || source->open ? slot : source;
    }
    if (!slot && audit->used < SOURCES_MAX) {
        slot = &audit->sources[audit->used++];
    }
    if (!slot) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return;
    }
    *slot = (struct source){.audit = audit, .owner = ++audit->owners, .peer = (enum sk_peer)m->peer, .index = m->index};
    if (sk_ring_open(&slot->ring, fds) == 0) {
        slot->open = true;
        sk_ring_acknowledge(&slot->ring, 0, audit->failed);
        sk_io_init(&slot->wake, audit->child.loop, slot->ring.wake, on_wake);
        sk_io_want(&slot->wake, SK_READ);
    }
}

static void record_own(struct audit *audit, struct sk_slice cbor)
{
    struct sk_audit_record record;
    if (sk_record_decode(cbor, &record) == 0 && sk_writer_add(audit->writer, &record, 0) == 0) {
        (void)commit(audit);
    }
}

static int open_journal(struct audit *audit)
{
    struct sk_writer_found found = {0};
    audit->settings.folder = open(audit->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = audit->settings.folder < 0 ? -errno : sk_writer_open(&audit->settings, &audit->writer, &found);
    if (r == 1) {
        sk_log(SK_EVENT_JOURNAL_DAMAGED, SK_TEXT("file", found.file), SK_NUMBER("offset", found.error.offset),
                SK_NUMBER("group", found.error.group), SK_NUMBER("record", found.error.record), SK_TEXT("what", found.error.text));
        return 1;
    }
    if (r < 0) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("folder", audit->folder), SK_TEXT("error", strerror(-r)));
        return r;
    }
    if (found.torn) {
        sk_log(SK_EVENT_JOURNAL_TORN, SK_NUMBER("bytes", found.torn));
    }
    struct sk_audit_record record = {.op = SK_AUDIT_JOURNAL_RECOVERED, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    record.detail = found.torn ? SK_LIT("an unfinished group was dropped") : SK_SLICE_NULL;
    record.count = found.unknown;
    r = sk_writer_add(audit->writer, &record, 0);
    r = r ? r : sk_writer_commit(audit->writer);
    sk_log(SK_EVENT_JOURNAL_OPENED, SK_NUMBER("records", found.records), SK_NUMBER("unknown", found.unknown));
    return r;
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct audit *audit = child->context;
    sk_timer_init(&audit->check, child->loop, on_check);
    sk_timer_init(&audit->retry, child->loop, on_retry);
    sk_idle_start(&audit->idle, child->loop, before_sleep);
    memcpy(audit->folder, hello->folder.data, hello->folder.len);
    memcpy(audit->settings.node, hello->node, SK_ID_SIZE);
    audit->settings.disk = &sk_disk_real;
    return 0;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct audit *audit = child->context;
    if (code != SK_CONTROL_LIMITS && !audit->writer) {
        return; /* the journal was refused: this process ends, and must not say that it is ready */
    }
    switch (code) {
    case SK_CONTROL_LIMITS: {
        const struct sk_control_limits *limits = message;
        audit->settings.file_size = (size_t)limits->file_size;
        if (!audit->writer && open_journal(audit)) {
            sk_loop_stop(child->loop);
            return;
        }
        sk_timer_set(&audit->check, CHECK_EVERY);
        break;
    }
    case SK_CONTROL_RING:
        add_source(audit, message, fds);
        break;
    case SK_CONTROL_LOST:
        for (size_t i = 0; i < audit->used; i++) {
            const struct sk_control_lost *lost = message;
            struct source *source = &audit->sources[i];
            if (source->open && source->peer == (enum sk_peer)lost->peer && source->index == lost->index) {
                source_lost(audit, source);
            }
        }
        break;
    case SK_CONTROL_RECORD:
        record_own(audit, ((const struct sk_control_record *)message)->cbor);
        break;
    case SK_CONTROL_LOADED:
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
        break;
    default:
        break;
    }
}

static void on_stop(struct sk_child *child)
{
    struct audit *audit = child->context;
    if (audit->writer) {
        work(audit);
    }
    sk_loop_stop(child->loop);
}

int main(void)
{
    static const struct sk_child_program program = {.name = "audit", .hello = on_hello, .told = on_told, .stop = on_stop};
    static struct audit audit;
    sk_log_init("sekisho-audit");
    return sk_child_run(&audit.child, &program, &audit);
}
