/*
 * The audit program: takes records from the workers' and auth's rings, writes them to the journal in groups, and says
 * when they are durable. It alone decides a record's place and time. Runs as its own uid, sees its folder alone.
 */
#include "audit/floods.h"
#include "audit/packing.h"
#include "audit/retention.h"
#include "audit/serving.h"
#include "audit/signing.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "ipc/child.h"
#include "ipc/ring.h"
#include "journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCES_MAX (SK_JOURNAL_OWNERS - 1)
#define CHECK_EVERY SK_SECOND
#define CHECK_BUSY (100 * SK_MILLISECOND) /* while something is being erased or packed */
#define RETRY_EVERY (100 * SK_MILLISECOND)
#define QUOTA 32          /* records that a source gives before it is the next one's turn */
#define ROUNDS 8          /* of such turns in one group: who waits for it does not wait long */
#define GROUPS_PER_TURN 4 /* before the loop looks at everything else */
#define GROUPS_AT_STOP 256
#define DOUBT (2 * SK_SECOND)

enum state {
    FREE = 0,
    OPEN,
    LOST,   /* its process is gone; what it still said counts */
    LEAVING /* its ring is closed; what it left open is not recorded as unknown yet */
};

/* One ring and the process behind it. Its place among the sources is its name as an owner (writer.h). */
struct source {
    struct audit *audit;
    enum state state;
    struct sk_ring ring;
    struct sk_io wake;
    enum sk_peer peer;
    uint64_t index;
    uint64_t taken;   /* entries got */
    uint64_t durable; /* of those, acknowledged */
    uint64_t doubt;   /* boot time until which `held` may wait */
    int held;         /* length of an entry that could not be added yet; nothing is got before it is */
    uint8_t entry[SK_RING_ENTRY_MAX];
};

struct audit {
    struct sk_child child;
    struct signing signing;
    struct serving serving;
    struct retention retention;
    struct packing packing;
    struct floods floods;
    struct sk_buf told; /* by the supervisor, of what concerns the journal, and not taken yet: code, length, message */
    struct sk_writer *writer;
    struct sk_writer_settings settings;
    char folder[4097];
    struct source sources[SOURCES_MAX];
    size_t used;  /* slots of `sources` that were ever open: none behind them is */
    size_t first; /* whose turn it is */
    struct sk_timer check, retry, again;
    struct sk_idle idle;
    pthread_t preparer;
    bool preparing;
    bool failed;
};

/*
 * What a kind of process may record. A worker cannot write that somebody logged in, nor into the operator's trail but of
 * connections that belong to no tenant.
 */
static bool permitted(enum sk_peer peer, const struct sk_audit_record *record)
{
    static const uint8_t operators[SK_ID_SIZE];
    if (memcmp(record->tenant, operators, SK_ID_SIZE) == 0 && record->op != SK_AUDIT_CONNECTION_REFUSED) {
        return false;
    }
    switch (record->op) {
    case SK_AUDIT_REQUEST:
    case SK_AUDIT_STREAM:
    case SK_AUDIT_CONNECTION_REFUSED:
    case SK_AUDIT_MESSAGE_REFUSED:
        return peer == SK_PEER_WORKER;
    case SK_AUDIT_LOGIN:
    case SK_AUDIT_LOGOUT:
    case SK_AUDIT_SESSION_ENDED:
    case SK_AUDIT_BANS_ENDED:
    case SK_AUDIT_AUTHENTICATOR_ADDED:
    case SK_AUDIT_AUTHENTICATOR_REMOVED:
    case SK_AUDIT_CODES_MADE:
    case SK_AUDIT_LINK_MADE:
    case SK_AUDIT_PASSWORD_CHANGED:
    case SK_AUDIT_TOKEN_ISSUED:
    case SK_AUDIT_TOKEN_REVOKED:
    case SK_AUDIT_TRAIL_READ:
        return peer == SK_PEER_AUTH;
    default:
        return false;
    }
}

static unsigned owner_of(const struct source *source)
{
    return (unsigned)(source - source->audit->sources) + 1;
}

static void source_leave(struct source *source)
{
    sk_io_want(&source->wake, 0);
    sk_ring_close(&source->ring);
    source->held = 0;
    source->state = LEAVING;
}

/* It broke the rules: it hears that nothing is recorded any more, and the supervisor ends it. */
static void source_bad(struct source *source, const char *what)
{
    struct sk_control_breach m = {.peer = source->peer, .index = source->index};
    struct sk_child *child = &source->audit->child;
    sk_log(SK_EVENT_PEER_BAD, SK_TEXT("what", what), SK_NUMBER("peer", source->peer), SK_NUMBER("index", source->index));
    if (source->state == OPEN) {
        sk_ring_acknowledge(&source->ring, source->durable, true);
        if (child->control && sk_channel_send(child->control, SK_CONTROL_BREACH, &m, NULL) < 0) {
            sk_loop_stop(child->loop);
        }
    }
    source_leave(source);
}

/*
 * Whether a record that the writer did not take may wait: for memory; or because the supervisor's word of a new tenant
 * is on its way here, while the worker has heard it already.
 */
static bool hold(struct source *source, int refused, int len)
{
    uint64_t now = sk_clock_boot();
    source->doubt = source->held ? source->doubt : now + DOUBT;
    source->held = len;
    return refused < 0 || (refused == 2 && now < source->doubt);
}

/* Adds the next record of a source's. False: it has none, or not now, or it broke the rules and is ended. */
static bool take(struct audit *audit, struct source *source)
{
    struct sk_audit_record record;
    int len = source->held ? source->held : sk_ring_get(&source->ring, source->entry);
    if (len == 0) {
        return false;
    }
    if (len < 0 || sk_record_decode(sk_slice(source->entry, (size_t)len), &record) || !permitted(source->peer, &record)) {
        source_bad(source, "record");
        return false;
    }
    unsigned owner = owner_of(source);
    bool counted = floods_may(&record) && sk_writer_may_add(audit->writer, &record, owner) == 0 && floods_take(&audit->floods, &record);
    int refused = counted ? 0 : sk_writer_add_sent(audit->writer, &record, sk_slice(source->entry, (size_t)len), owner);
    if (refused) {
        if (!hold(source, refused, len)) {
            source_bad(source, refused == 2 ? "tenant" : refused == 3 ? "open" : "record");
        }
        return false;
    }
    source->held = 0;
    source->taken++;
    return true;
}

/* A source's turn. True when it may have more. */
static bool give(struct audit *audit, struct source *source)
{
    int n = 0;
    while (n < QUOTA && (source->state == OPEN || source->state == LOST) && take(audit, source)) {
        n++;
    }
    if (source->state == LOST && n < QUOTA && !source->held) {
        source_leave(source);
    }
    if (source->state == LEAVING && sk_writer_abandon(audit->writer, owner_of(source)) == 0) {
        source->state = FREE;
    }
    return n == QUOTA;
}

/* Gathers a group. The sources give by turns, so that who floods leaves room for the others. */
static void gather(struct audit *audit)
{
    bool more = true;
    for (int round = 0; more && round < ROUNDS; round++) {
        more = false;
        for (size_t i = 0; i < audit->used && !sk_writer_full(audit->writer); i++) {
            more |= give(audit, &audit->sources[(audit->first + i) % audit->used]);
        }
    }
    audit->first = audit->used ? (audit->first + 1) % audit->used : 0;
}

static bool has_added(const struct audit *audit)
{
    return sk_writer_added(audit->writer) || audit->floods.open;
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

/* Whether it may send more, and what is durable of what it sent. */
static void tell_source(struct audit *audit, struct source *source)
{
    if (source->state == OPEN) {
        sk_ring_acknowledge(&source->ring, source->durable, audit->failed || !signing_works(&audit->signing));
    }
}

static void tell_sources(struct audit *audit)
{
    for (size_t i = 0; i < audit->used; i++) {
        tell_source(audit, &audit->sources[i]);
    }
}

/* Commits what was taken and tells each source. Without success nothing is acknowledged, and nothing more is taken. */
static bool commit(struct audit *audit)
{
    int flushed = floods_flush(&audit->floods, audit->writer), r = sk_writer_commit(audit->writer);
    r = r ? r : flushed; /* what had no room is given with the next group, and nothing is acknowledged before */
    set_failed(audit, r != 0, r);
    for (size_t i = 0; i < audit->used; i++) {
        struct source *source = &audit->sources[i];
        if (source->taken != source->durable || r) {
            source->durable = r ? source->durable : source->taken;
            tell_source(audit, source);
        }
    }
    if (r) {
        sk_timer_set(&audit->retry, RETRY_EVERY);
    } else {
        prepare_ahead(audit);
        signing_more(&audit->signing);
    }
    return r == 0;
}

/* Asks every source to wake this process. True: one of them has something after all. */
static bool kept_awake(struct audit *audit)
{
    bool awake = false;
    for (size_t i = 0; i < audit->used; i++) {
        struct source *source = &audit->sources[i];
        awake |= source->state == OPEN && !source->held && sk_ring_sleep(&source->ring);
    }
    return awake;
}

/* Group commit without waiting: while one group is flushed the next one gathers in the rings. */
static void before_sleep(struct sk_idle *idle)
{
    struct audit *audit = SK_CONTAINER(idle, struct audit, idle);
    for (int i = 0; i < GROUPS_PER_TURN; i++) {
        if (!audit->writer || !signing_works(&audit->signing) || sk_timer_pending(&audit->retry)) {
            return;
        }
        gather(audit);
        if (!has_added(audit) ? !kept_awake(audit) : !commit(audit)) {
            return;
        }
    }
    sk_timer_set(&audit->again, 1);
}

static void on_again(struct sk_timer *timer sk_unused)
{
    /* The loop came round: that is all. */
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
    if (commit(audit)) {
        tell_sources(audit);
    }
}

/* The process behind it is gone. */
static void source_lost(struct audit *audit, uint64_t peer, uint64_t index)
{
    for (size_t i = 0; i < audit->used; i++) {
        struct source *source = &audit->sources[i];
        if (source->state == OPEN && source->peer == (enum sk_peer)peer && source->index == index) {
            sk_io_want(&source->wake, 0);
            source->state = LOST;
        }
    }
}

static void add_source(struct audit *audit, const struct sk_control_ring *m, const int *fds)
{
    size_t i = 0;
    source_lost(audit, m->peer, m->index);
    while (i < audit->used && audit->sources[i].state != FREE) {
        i++;
    }
    if (i == SOURCES_MAX) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return;
    }
    struct source *slot = &audit->sources[i];
    audit->used += i == audit->used;
    *slot = (struct source){.audit = audit, .peer = (enum sk_peer)m->peer, .index = m->index};
    if (sk_ring_open(&slot->ring, fds) == 0) {
        slot->state = OPEN;
        tell_source(audit, slot);
        sk_io_init(&slot->wake, audit->child.loop, slot->ring.wake, on_wake);
        sk_io_want(&slot->wake, SK_READ);
    }
}

/* Workers and auth may record for this tenant until then. `what`: the tenant's id, and its service's, if it is not gone. */
static void set_tenant(struct audit *audit, struct sk_slice what, uint64_t until)
{
    const uint8_t *id = (const uint8_t *)what.data;
    if (sk_writer_tenant(audit->writer, id, what.len > SK_ID_SIZE ? id + SK_ID_SIZE : NULL, until)) {
        sk_loop_stop(audit->child.loop);
    }
}

/* False: not now. */
static bool record_own(struct audit *audit, struct sk_slice cbor)
{
    struct sk_audit_record record;
    int r = sk_record_decode(cbor, &record) ? 1 : sk_writer_add(audit->writer, &record, 0);
    if (r == 0) {
        (void)commit(audit);
    }
    return r >= 0;
}

static void on_doubt(struct retention *retention sk_unused)
{
    sk_log(SK_EVENT_RETENTION_WAITS);
}

static void on_erased(struct retention *retention, const uint8_t tenant[SK_ID_SIZE], const char *contract)
{
    signing_certify(&SK_CONTAINER(retention, struct audit, retention)->signing, tenant, sk_slice_str(contract));
}

static void on_unerased(struct retention *retention sk_unused, int error)
{
    sk_log(SK_EVENT_RETENTION_FAILED, SK_TEXT("error", strerror(-error)));
}

static int open_folder(struct audit *audit)
{
    int fd = open(audit->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("folder", audit->folder), SK_TEXT("error", strerror(errno)));
        return -1;
    }
    audit->settings.folder = audit->signing.folder = audit->serving.folder = fd;
    return 0;
}

static void on_packed(struct packing *packing, uint64_t file, int result)
{
    struct audit *audit = SK_CONTAINER(packing, struct audit, packing);
    if (result < 0 || packing->job.error.text[0]) {
        sk_log(SK_EVENT_JOURNAL_UNPACKED, SK_NUMBER("file", file), SK_TEXT("error", result < 0 ? strerror(-result) : packing->job.error.text));
    }
    if (result == 0) {
        serving_tell_anew(&audit->serving, file);
    }
}

static int open_journal(struct audit *audit)
{
    struct sk_writer_found found = {0};
    int r = sk_writer_open(&audit->settings, &audit->writer, &found);
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
    r = r ? r : sk_writer_tenant(audit->writer, record.tenant, record.tenant, UINT64_MAX); /* the operator's own */
    if (r) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("folder", audit->folder), SK_TEXT("error", strerror(-r)));
        return r;
    }
    sk_log(SK_EVENT_JOURNAL_OPENED, SK_NUMBER("records", found.records), SK_NUMBER("unknown", found.unknown));
    audit->retention.doubted = on_doubt;
    audit->retention.erased = on_erased;
    audit->retention.failed = on_unerased;
    retention_init(&audit->retention, audit->writer, audit->settings.folder);
    audit->packing.told = on_packed;
    packing_init(&audit->packing, audit->writer, &audit->settings);
    return 0;
}

/* False: not now. */
static bool take_told(struct audit *audit, uint16_t code, struct sk_slice what)
{
    uint64_t generation;
    if (code == SK_CONTROL_RECORD) {
        return record_own(audit, what);
    }
    if (code == SK_CONTROL_TENANT) {
        set_tenant(audit, what, UINT64_MAX);
    } else if (code == SK_CONTROL_GONE) {
        set_tenant(audit, what, sk_clock_boot() + SK_WRITER_GONE);
    } else if (what.len == sizeof(generation)) {
        memcpy(&generation, what.data, sizeof(generation));
        sk_child_ready(&audit->child, generation);
    }
    return true;
}

/* In the order in which it was told: when the journal is open, and what could not be recorded again with each check. */
static void take_all_told(struct audit *audit)
{
    uint16_t code;
    uint32_t len;
    bool taken = audit->writer != NULL;
    for (struct sk_slice first = sk_buf_peek(&audit->told); taken && first.data && first.len; first = sk_buf_peek(&audit->told)) {
        memcpy(&code, first.data, sizeof(code));
        memcpy(&len, first.data + sizeof(code), sizeof(len));
        taken = take_told(audit, code, sk_slice_cut(sk_slice_from(first, sizeof(code) + sizeof(len)), len));
        if (taken) {
            sk_buf_take(&audit->told, sizeof(code) + sizeof(len) + len);
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
    take_all_told(audit);
    (void)!sk_writer_note(audit->writer); /* tried again with the next check */
    bool more = audit->packing.busy;
    if (!audit->failed && signing_works(&audit->signing)) {
        if (!audit->packing.busy) {
            retention_step(&audit->retention); /* what is erased is not packed meanwhile */
        }
        more = packing_step(&audit->packing, audit->retention.state == RETENTION_IDLE);
        sk_timer_set(&audit->again, 1); /* what it put on record is committed */
    }
    sk_timer_set(&audit->check, audit->retention.state == RETENTION_IDLE && !more ? CHECK_EVERY : CHECK_BUSY);
}

static void tell(struct audit *audit, uint16_t code, struct sk_slice what)
{
    uint32_t len = (uint32_t)what.len;
    if (sk_buf_put(&audit->told, sk_slice(&code, sizeof(code))) || sk_buf_put(&audit->told, sk_slice(&len, sizeof(len))) || sk_buf_put(&audit->told, what)) {
        sk_loop_stop(audit->child.loop);
        return;
    }
    take_all_told(audit);
}

/* With its service, as an id. */
static void tell_tenant(struct audit *audit, const struct sk_control_tenant *m)
{
    uint8_t ids[SK_ID_SIZE + SK_SHA256_SIZE];
    memcpy(ids, m->tenant, SK_ID_SIZE);
    sk_digest_sha256(m->service, ids + SK_ID_SIZE);
    tell(audit, SK_CONTROL_TENANT, sk_slice(ids, 2UL * SK_ID_SIZE));
}

/* The supervisor says all of it again to the next audit. */
static void tell_terms(struct audit *audit, const uint8_t tenant[SK_ID_SIZE], struct sk_slice name, const struct tenure_terms *terms)
{
    if (tenure_tenant(&audit->retention.tenure, tenant, name, terms)) {
        sk_loop_stop(audit->child.loop);
    }
}

static void tell_contract(struct audit *audit, const struct sk_control_tenant *m)
{
    char name[TENURE_NAME];
    int len = snprintf(name, sizeof(name), "%.*s@%.*s", (int)m->name.len, m->name.data, (int)m->service.len, m->service.data);
    tell_terms(audit, m->tenant, sk_slice(name, (size_t)len), &(struct tenure_terms){.hold = m->hold, .ends = UINT64_MAX});
}

static void tell_over(struct audit *audit, const struct sk_control_over *m)
{
    tell_terms(audit, m->tenant, m->name, &(struct tenure_terms){m->hold, m->ends, m->recoverable});
}

static void tell_days(struct audit *audit, const struct sk_control_keeps *m)
{
    bool bad = !m->service.len && tenure_recovery(&audit->retention.tenure, m->recovery);
    if (bad || tenure_service(&audit->retention.tenure, m->service, (uint32_t)m->days)) {
        sk_loop_stop(audit->child.loop);
    }
}

/* The signer serves, or does not: the journal is opened when it first does, for what is signed must be there. */
static void on_signing(struct signing *signing)
{
    struct audit *audit = SK_CONTAINER(signing, struct audit, signing);
    bool works = signing_works(signing);
    if (works && !audit->writer) {
        memcpy(audit->settings.epoch, signing->epoch, SK_ID_SIZE);
        if (open_journal(audit)) {
            sk_loop_stop(audit->child.loop);
            return;
        }
        signing_begin(signing, audit->writer);
        audit->serving.writer = audit->writer;
        sk_timer_set(&audit->check, CHECK_EVERY);
        take_all_told(audit);
    } else if (audit->writer) {
        sk_log(works ? SK_EVENT_SIGNER_BACK : SK_EVENT_SIGNER_AWAY);
    }
    tell_sources(audit);
    sk_timer_set(&audit->again, 1);
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct audit *audit = child->context;
    if (hello->secret.len != sizeof(audit->settings.secret)) {
        return -EINVAL;
    }
    signing_init(&audit->signing, child->loop, on_signing);
    audit->serving.loop = child->loop;
    audit->told = SK_BUF_INIT((size_t)16 << 20);
    sk_timer_init(&audit->check, child->loop, on_check);
    sk_timer_init(&audit->retry, child->loop, on_retry);
    sk_timer_init(&audit->again, child->loop, on_again);
    sk_idle_start(&audit->idle, child->loop, before_sleep);
    memcpy(audit->folder, hello->folder.data, hello->folder.len);
    memcpy(audit->settings.node, hello->node, SK_ID_SIZE);
    memcpy(audit->settings.secret, hello->secret.data, sizeof(audit->settings.secret));
    audit->settings.disk = &sk_disk_real;
    audit->settings.stands = &audit->signing.stands;
    return 0;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct audit *audit = child->context;
    switch (code) {
    case SK_CONTROL_LIMITS:
        audit->settings.file_size = (size_t)((const struct sk_control_limits *)message)->file_size;
        if (audit->signing.folder < 0 && open_folder(audit)) {
            sk_loop_stop(child->loop);
        }
        break;
    case SK_CONTROL_PEER:
        if (((const struct sk_control_peer *)message)->peer == SK_PEER_READER) {
            serving_connect(&audit->serving, fds[0]);
        } else {
            signing_connect(&audit->signing, fds[0]);
        }
        break;
    case SK_CONTROL_RING:
        add_source(audit, message, fds);
        break;
    case SK_CONTROL_LOST:
        source_lost(audit, ((const struct sk_control_lost *)message)->peer, ((const struct sk_control_lost *)message)->index);
        break;
    case SK_CONTROL_TENANT:
        tell_tenant(audit, message);
        tell_contract(audit, message);
        break;
    case SK_CONTROL_OVER:
        tell_over(audit, message);
        break;
    case SK_CONTROL_KEEPS:
        tell_days(audit, message);
        break;
    case SK_CONTROL_GONE:
        tell(audit, code, sk_slice(((const struct sk_control_gone *)message)->tenant, SK_ID_SIZE));
        break;
    case SK_CONTROL_RECORD:
        tell(audit, code, ((const struct sk_control_record *)message)->cbor);
        break;
    case SK_CONTROL_LOADED:
        tell(audit, code, sk_slice(&((const struct sk_control_loaded *)message)->generation, sizeof(uint64_t)));
        break;
    default:
        break;
    }
}

static void on_stop(struct sk_child *child)
{
    struct audit *audit = child->context;
    for (int i = 0; audit->writer && i < GROUPS_AT_STOP; i++) {
        gather(audit);
        if (!has_added(audit) || !commit(audit)) {
            break;
        }
    }
    if (audit->writer) {
        (void)!sk_writer_note(audit->writer); /* it says less then, nothing wrong */
    }
    packing_free(&audit->packing);
    retention_free(&audit->retention);
    floods_free(&audit->floods);
    signing_stop(&audit->signing);
}

int main(void)
{
    static const struct sk_child_program program = {.name = "audit", .hello = on_hello, .told = on_told, .stop = on_stop};
    static struct audit audit;
    sk_log_init("sekisho-audit");
    return sk_child_run(&audit.child, &program, &audit);
}
