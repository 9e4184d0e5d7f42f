/* Having the journal signed. Runs in audit. */
#include "audit/signing.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/signer.h"

#include <stdlib.h>

#define EVERY SK_SECOND
#define LATE (10 * SK_SECOND)  /* a signer that does not answer for so long does not work */
#define AT_STOP (2 * SK_SECOND)
#define MANY SK_SIGNER_LEAVES_MAX /* bytes of leaves that are not kept for the next second */
#define MOST (600 * MANY)          /* that are told and not signed: a journal may be far ahead of what is signed */
#define QUEUE ((size_t)128 << 20)

bool signing_works(const struct signing *s)
{
    return s->serves && !s->late && !s->failed;
}

/* What it knew is not asked of the one that comes next, who may know less: a start finds out. */
static void lost(struct signing *s)
{
    s->signer = sk_channel_free(s->signer);
    sk_loop_stop(s->loop);
}

static bool send(struct signing *s, uint16_t code, const void *message)
{
    if (s->signer && sk_channel_send(s->signer, code, message, NULL) < 0) {
        lost(s);
    }
    return s->signer != NULL;
}

/* Tells what it has not been told; true unless the channel is gone. */
static bool tell(struct signing *s)
{
    struct sk_slice leaves = sk_slice_from(sk_writer_unsigned(s->writer), s->told);
    bool good = true;
    while (good && leaves.len && s->told < MOST) {
        struct sk_signer_leaves m = {.leaves = sk_slice_cut(leaves, SK_SIGNER_LEAVES_MAX)};
        good = send(s, SK_SIGNER_LEAVES, &m);
        s->told += m.leaves.len;
        leaves = sk_slice_from(leaves, m.leaves.len);
    }
    return good;
}

static void ask(struct signing *s)
{
    struct sk_signer_sign m = {.ticket = ++s->ticket};
    if (tell(s) && send(s, SK_SIGNER_SIGN, &m)) {
        s->asked = s->told;
        s->since = sk_clock_boot();
    }
}

void signing_more(struct signing *s)
{
    if (s->serves && sk_writer_unsigned(s->writer).len >= s->told + MANY) {
        (void)tell(s);
    }
}

void signing_certify(struct signing *s, const uint8_t tenant[SK_ID_SIZE], struct sk_slice contract)
{
    struct sk_signer_erased m = {.contract = contract};
    memcpy(m.tenant, tenant, SK_ID_SIZE);
    (void)(tell(s) && send(s, SK_SIGNER_ERASED, &m)); /* what it does not hear it is told after the next start */
}

static void set_works(struct signing *s, bool late, bool failed)
{
    bool before = signing_works(s);
    s->late = late;
    s->failed = failed;
    if (signing_works(s) != before) {
        s->changed(s);
    }
}

static void on_tick(struct sk_timer *timer)
{
    struct signing *s = SK_CONTAINER(timer, struct signing, tick);
    bool late = s->since && sk_clock_boot() - s->since > (s->stopping ? AT_STOP : LATE);
    sk_timer_set(timer, EVERY);
    if (s->stopping && late) {
        sk_loop_stop(s->loop);
    } else if (!s->serves) {
        (void)(s->fresh && send(s, SK_SIGNER_BEGIN, NULL)); /* its disk may have been full the last time */
    } else {
        set_works(s, late, s->failed);
        if (s->writer && !s->since) {
            ask(s);
        }
    }
}

static void on_signed(struct signing *s, const struct sk_signer_signed *m)
{
    if (!s->since || m->ticket != s->ticket) {
        return;
    }
    s->since = 0;
    if (!m->failed) {
        sk_writer_signed(s->writer, s->asked);
        s->told -= s->asked;
    }
    set_works(s, false, m->failed);
    if (s->stopping) {
        signing_stop(s);
    } else if (!m->failed && sk_writer_unsigned(s->writer).len >= s->told + MANY) {
        ask(s);
    }
}

static void on_serves(struct signing *s, const struct sk_signer_serves *m)
{
    int any = s->writer ? 1 : sk_writer_any(s->folder);
    s->fresh = m->fresh;
    memcpy(s->epoch, m->epoch, SK_ID_SIZE);
    if (!s->fresh) {
        s->serves = true;
        s->changed(s);
    } else if (any == 0) {
        (void)send(s, SK_SIGNER_BEGIN, NULL);
        sk_timer_set(&s->tick, EVERY);
    } else {
        /* Beside a journal that is there, whoever took its file away wants to have something else signed. */
        sk_log(any < 0 ? SK_EVENT_JOURNAL_FAILED : SK_EVENT_CHECKPOINTS_LOST);
        sk_loop_stop(s->loop);
    }
}

static void on_stands(struct signing *s, const struct sk_signer_stands *m)
{
    struct sk_writer_stand *stand = m->root.len == SK_TREE_HASH ? calloc(1, sizeof(*stand)) : NULL;
    if (stand) {
        memcpy(stand->tenant, m->tenant, SK_ID_SIZE);
        memcpy(stand->root, m->root.data, SK_TREE_HASH);
        stand->size = m->size;
    }
    if (!stand || sk_table_add(&s->stands, &stand->node, sk_table_hash(sk_slice(m->tenant, SK_ID_SIZE)))) {
        free(stand);
        sk_loop_stop(s->loop); /* a stand that is not known would be taken for none */
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct signing *s = context;
    if (code == SK_SIGNER_STANDS) {
        on_stands(s, message);
    } else if (code == SK_SIGNER_SERVES) {
        on_serves(s, message);
    } else if (code == SK_SIGNER_SIGNED) {
        on_signed(s, message);
    }
}

static void ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "signer"));
    lost(context);
}

void signing_init(struct signing *s, struct sk_loop *loop, void (*changed)(struct signing *signing))
{
    *s = (struct signing){.loop = loop, .folder = -1, .changed = changed};
    sk_timer_init(&s->tick, loop, on_tick);
}

void signing_connect(struct signing *s, int fd)
{
    static const struct sk_channel_handler handler = {&sk_signer_interface, SK_SIGNER_FROM_AUDIT, SK_SIGNER_FROM_SIGNER, received, ended};
    bool second = s->signer != NULL;
    s->signer = sk_channel_free(s->signer);
    s->signer = sk_channel_new(s->loop, fd, &handler, s);
    if (!s->signer || second) {
        lost(s);
        return;
    }
    sk_channel_allow(s->signer, QUEUE);
}

void signing_begin(struct signing *s, struct sk_writer *writer)
{
    s->writer = writer;
    sk_timer_set(&s->tick, EVERY);
}

void signing_stop(struct signing *s)
{
    s->stopping = true;
    if (!signing_works(s) || !s->writer || (!s->since && !sk_writer_unsigned(s->writer).len)) {
        sk_loop_stop(s->loop);
    } else if (!s->since) {
        ask(s);
        sk_timer_set(&s->tick, AT_STOP);
    } /* else when the answer comes */
}
