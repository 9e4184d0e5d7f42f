/*
 * The reader: finds what was recorded. It follows the journal, read-only, by descriptors that audit gives it, indexes each record, and answers
 * auth's questions about one tenant at a time. Own uid, its folder for indexes, no network; it holds the key that opens records, and none that signs.
 */
#include "reader/reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/feed.h"
#include "ipc/notes.h"
#include "ipc/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define EVERY SK_SECOND /* the index is brought level, whoever asks */
#define ALONE_MOST 10U  /* ticks without audit or auth */

/* ---- questions under way ---- */

static void asked_free(struct asked *asked)
{
    sk_sealing_free(&asked->sealing);
    free(asked->counts);
    free(asked);
}

static void unlink_asked(struct reader *reader, struct asked **at)
{
    struct asked *asked = *at;
    *at = asked->next;
    reader->last = asked->next ? reader->last : at;
    asked->next = NULL;
}

static void link_asked(struct reader *reader, struct asked *asked)
{
    *reader->last = asked;
    reader->last = &asked->next;
}

static void forget_all(struct reader *reader)
{
    while (reader->first) {
        struct asked *asked = reader->first;
        unlink_asked(reader, &reader->first);
        asked_free(asked);
    }
    reader->on_the_way = 0;
}

/* Can it be taken a step on? `level`: the index is, with what audit said last. */
static bool is_ready(const struct reader *reader, const struct asked *asked, bool level)
{
    if (asked->state == ASKED_READS) {
        return true;
    }
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&reader->follow.state, asked->is.tenant);
    bool news = asked->state == ASKED_LEVEL || sk_clock_boot() >= asked->until || (tenant && tenant->tree.size > asked->looked);
    return level && !asked->asks && asked->stands <= reader->told && news;
}

/* One question, one step; then it is another's turn. True: there may be more to do. */
static bool answer_one(struct reader *reader, bool level)
{
    struct asked **at = &reader->first;
    while (*at && !is_ready(reader, *at, level)) {
        at = &(*at)->next;
    }
    struct asked *asked = *at;
    if (!asked || reader->on_the_way >= SK_READER_ON_THE_WAY) {
        return false;
    }
    unlink_asked(reader, at);
    if (answer(reader, asked)) {
        asked_free(asked);
    } else {
        link_asked(reader, asked);
    }
    return true;
}

/* ---- following ---- */

static void audit_lost(struct reader *reader)
{
    reader->audit = sk_channel_free(reader->audit);
    reader->needs = false;
}

static void to_audit(struct reader *reader, uint16_t code, const void *message)
{
    if (reader->audit && sk_channel_send(reader->audit, code, message, NULL) < 0) {
        audit_lost(reader);
    }
}

static void ask_stand(struct reader *reader)
{
    struct sk_serving_ask m = {.ticket = ++reader->ticket};
    to_audit(reader, SK_SERVING_ASK, &m);
}

/* What it has read no longer goes with what is there: the next one begins anew. */
static void broken(struct reader *reader)
{
    const struct follow *f = &reader->follow;
    uint64_t file = f->segments.count ? f->segments.all[f->reading].header.number : 0;
    sk_log(SK_EVENT_TRAIL_UNREADABLE, SK_NUMBER("file", file), SK_NUMBER("offset", f->error.offset), SK_TEXT("what", f->error.text));
    sk_loop_stop(reader->child.loop);
}

/* Files that are gone are looked at by no question any more. */
static void drop(struct reader *reader)
{
    size_t dropped = follow_drop(&reader->follow, &reader->goal);
    for (struct asked *asked = dropped ? reader->first : NULL; asked; asked = asked->next) {
        asked->at = asked->at > dropped ? asked->at - dropped : 0;
    }
}

static void on_work(struct sk_timer *timer)
{
    struct reader *reader = SK_CONTAINER(timer, struct reader, work);
    if (!reader->goal.last || reader->needs) {
        return;
    }
    drop(reader);
    enum follow_step step = follow_step(&reader->follow, &reader->goal);
    follow_store(&reader->follow);
    if (answer_one(reader, step == FOLLOW_LEVEL) || step == FOLLOW_MORE) {
        sk_timer_set(&reader->work, 0);
    }
    switch (step) {
    case FOLLOW_MORE:
    case FOLLOW_WAIT:
    case FOLLOW_LEVEL:
        break;
    case FOLLOW_NEED: {
        struct sk_serving_open m = {.file = reader->follow.need};
        reader->needs = true;
        to_audit(reader, SK_SERVING_OPEN, &m);
        break;
    }
    case FOLLOW_BROKEN:
        broken(reader);
        break;
    }
}

/* Written or not, the search goes on: what is not stays in memory. */
static void on_stored(struct sk_io *io, int events sk_unused)
{
    struct reader *reader = SK_CONTAINER(io, struct reader, stored);
    int r = follow_stored(&reader->follow);
    if (r && !reader->unwritten) {
        sk_log(SK_EVENT_INDEX_UNWRITTEN, SK_TEXT("error", strerror(-r)));
    }
    reader->unwritten = r != 0;
    sk_timer_set(&reader->work, 0);
}

/* A peer that is started again is connected again within seconds. A connection that broke between two that live is not: the next reader gets new ones. */
static void on_tick(struct sk_timer *timer)
{
    struct reader *reader = SK_CONTAINER(timer, struct reader, tick);
    reader->alone = reader->audit && reader->auth ? 0 : reader->alone + 1;
    if (reader->alone > ALONE_MOST) {
        sk_loop_stop(reader->child.loop);
    }
    ask_stand(reader);
    sk_timer_set(timer, EVERY);
}

static void take_file(struct reader *reader, uint64_t file, int fd)
{
    reader->needs = false;
    int r = follow_bring(&reader->follow, file, fd);
    if (r) {
        sk_log(SK_EVENT_TRAIL_UNREADABLE, SK_NUMBER("file", file), SK_TEXT("what", strerror(-r)));
        sk_loop_stop(reader->child.loop);
    }
    sk_timer_set(&reader->work, 0);
}

static void from_audit(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds, void *context)
{
    struct reader *reader = context;
    if (code == SK_SERVING_STANDS) {
        const struct sk_serving_stands *m = message;
        reader->goal = (struct follow_goal){m->first, m->last, m->end, m->erased};
        reader->told = m->last ? m->ticket : reader->told;
        sk_timer_set(&reader->work, 0);
    } else if (code == SK_SERVING_ANEW) {
        follow_anew(&reader->follow, ((const struct sk_serving_anew *)message)->file);
        sk_timer_set(&reader->work, 0);
    } else if (code == SK_SERVING_FILE) {
        const struct sk_serving_file *m = message;
        reader->goal.erased = m->erased;
        take_file(reader, m->file, fds[0]);
    } else if (code == SK_SERVING_NO_FILE) {
        const struct sk_serving_no_file *m = message;
        reader->needs = false; /* asked for again with the next tick */
        sk_log(SK_EVENT_TRAIL_UNREADABLE, SK_NUMBER("file", m->file), SK_TEXT("what", strerror((int)m->error)));
    }
}

static void audit_ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "audit"));
    audit_lost(context);
}

/* ---- questions ---- */

/* Every one of them is whole, and of a field that there is. */
static bool are_terms(struct sk_slice terms)
{
    struct sk_term term;
    int r = 0;
    while (r == 0 && terms.len) {
        r = sk_term_next(&terms, &term);
    }
    return r == 0;
}

static void refuse(struct reader *reader, uint64_t ticket, enum sk_reader_status status)
{
    struct sk_reader_done m = {.ticket = ticket, .status = status};
    to_auth(reader, SK_READER_DONE, &m);
    reader->on_the_way++;
}

/* There is room for another answer. */
static void taken(struct reader *reader)
{
    reader->on_the_way -= reader->on_the_way > 0;
    sk_timer_set(&reader->work, 0);
}

/* Nobody waits for it. It is not there any more when its answer has crossed this word. */
static void cancel(struct reader *reader, uint64_t ticket)
{
    struct asked **at = &reader->first;
    while (*at && (*at)->ticket != ticket) {
        at = &(*at)->next;
    }
    struct asked *asked = *at;
    if (asked) {
        unlink_asked(reader, at);
        asked_free(asked);
    } else {
        taken(reader);
    }
}

static struct asked *asked_new(struct reader *reader, uint16_t code, uint64_t ticket, struct sk_slice terms)
{
    struct asked *asked = are_terms(terms) ? calloc(1, sizeof(*asked) + terms.len) : NULL;
    if (asked) {
        asked->code = code;
        asked->ticket = ticket;
        asked->is.terms = sk_slice(asked->terms, terms.len);
        if (terms.len) {
            memcpy(asked->terms, terms.data, terms.len);
        }
    } else {
        refuse(reader, ticket, SK_READER_NOT_READY);
    }
    return asked;
}

static void asked_add(struct reader *reader, struct asked *asked)
{
    link_asked(reader, asked);
    ask_stand(reader);
    asked->stands = reader->ticket;
}

static uint64_t up_to(uint64_t number, uint64_t most)
{
    return number < most ? number : most;
}

static void take_find(struct reader *reader, const struct sk_reader_find *m)
{
    struct asked *asked = asked_new(reader, SK_READER_FIND, m->ticket, m->terms);
    if (asked) {
        memcpy(asked->is.tenant, m->tenant, SK_ID_SIZE);
        asked->is.from = m->from / SK_MILLISECOND;
        asked->is.to = m->to / SK_MILLISECOND;
        asked->is.before = m->before;
        asked->is.after = m->after;
        asked->limit = up_to(m->limit ? m->limit : 1, SK_QUERY_LIMIT);
        asked->salted = m->salted;
        asked->until = m->wait && !m->before ? sk_clock_boot() + up_to(m->wait, SK_QUERY_WAIT_SECONDS * SK_SECOND) : 0;
        asked_add(reader, asked);
    }
}

static void take_counts(struct reader *reader, const struct sk_reader_counts *m)
{
    uint64_t from = m->from / SK_MILLISECOND, to = m->to / SK_MILLISECOND, step = m->step / SK_MILLISECOND;
    uint64_t count = step && from < to ? (to - from + step - 1) / step : 0;
    struct asked *asked = asked_new(reader, SK_READER_COUNTS, m->ticket, m->terms);
    if (!asked) {
        return;
    }
    memcpy(asked->is.tenant, m->tenant, SK_ID_SIZE);
    asked->is.from = from;
    asked->is.to = to;
    asked->step = step;
    asked->counts = count && count <= SK_QUERY_STEPS + 1 ? calloc(count, sizeof(*asked->counts)) : NULL;
    asked->counts_count = (size_t)count;
    if (asked->counts) {
        asked_add(reader, asked);
    } else {
        refuse(reader, m->ticket, SK_READER_NOT_READY);
        asked_free(asked);
    }
}

/* What is signed is known first, then the index is brought level: it has all of that then. */
static void take_prove(struct reader *reader, const struct sk_reader_prove *m)
{
    struct asked *asked = asked_new(reader, SK_READER_PROVE, m->ticket, SK_SLICE_NULL);
    if (!asked) {
        return;
    }
    memcpy(asked->is.tenant, m->tenant, SK_ID_SIZE);
    asked->is.from = m->from / SK_MILLISECOND;
    asked->is.to = m->to / SK_MILLISECOND;
    asked->is.before = m->before;
    asked->is.after = m->after;
    asked_add(reader, asked);
    struct sk_notes_ask ask = {.ticket = reader->ticket};
    memcpy(ask.tenant, m->tenant, SK_ID_SIZE);
    asked->asks = ask.ticket;
    if (!reader->signer || sk_channel_send(reader->signer, SK_NOTES_ASK, &ask, NULL) < 0) {
        asked->asks = 0; /* it is answered as one of whom nothing is signed */
    }
}

static void from_signer(struct sk_channel *channel sk_unused, uint16_t code sk_unused, const void *message, const int *fds sk_unused, void *context)
{
    struct reader *reader = context;
    const struct sk_notes_note *m = message;
    for (struct asked *asked = reader->first; asked; asked = asked->next) {
        if (asked->asks == m->ticket && m->ticket) {
            memcpy(asked->note, m->note.len ? m->note.data : "", m->note.len);
            asked->note_len = m->note.len;
            asked->asks = 0;
            ask_stand(reader);
            asked->stands = reader->ticket;
        }
    }
}

/* What waits for its word is answered without. */
static void signer_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct reader *reader = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "signer"));
    reader->signer = sk_channel_free(channel);
    for (struct asked *asked = reader->first; asked; asked = asked->next) {
        asked->asks = 0;
    }
}

static void from_auth(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct reader *reader = context;
    if (code == SK_READER_FIND) {
        take_find(reader, message);
    } else if (code == SK_READER_COUNTS) {
        take_counts(reader, message);
    } else if (code == SK_READER_PROVE) {
        take_prove(reader, message);
    } else if (code == SK_READER_TAKEN) {
        taken(reader);
    } else if (code == SK_READER_CANCEL) {
        cancel(reader, ((const struct sk_reader_cancel *)message)->ticket);
    }
}

static void auth_ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    struct reader *reader = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "auth"));
    reader->auth = sk_channel_free(reader->auth);
    forget_all(reader);
}

/* ---- feeds ---- */

static void to_feed(struct fed *fed, uint16_t code, const void *message)
{
    if (fed->channel && sk_channel_send(fed->channel, code, message, NULL) < 0) {
        fed->channel = sk_channel_free(fed->channel); /* it ends as well, and the next one is connected */
    }
}

static void give_row(void *context, struct sk_slice cbor)
{
    struct fed *fed = context;
    struct sk_feed_row m = {.ticket = fed->ticket, .cbor = cbor};
    to_feed(fed, SK_FEED_ROW, &m);
}

static void from_feed(struct sk_channel *channel sk_unused, uint16_t code sk_unused, const void *message, const int *fds sk_unused, void *context)
{
    struct fed *fed = context;
    const struct sk_feed_next *m = message;
    struct feed_place place = {m->file, m->at, m->skip};
    bool lost = false;
    fed->ticket = m->ticket;
    int r = feeding_next(&fed->reader->follow, &place, SK_FEED_ROWS, &lost, give_row, fed);
    struct sk_feed_at at = {m->ticket, place.file, place.at, place.skip, lost};
    if (r) {
        sk_log(SK_EVENT_TRAIL_UNREADABLE, SK_NUMBER("file", place.file), SK_NUMBER("offset", place.at), SK_TEXT("what", "a record for a feed cannot be opened"));
    }
    to_feed(fed, SK_FEED_AT, &at);
}

static void feed_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct fed *fed = context;
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", "feed"));
    }
    fed->channel = sk_channel_free(channel);
}

static void add_feed(struct reader *reader, uint64_t index, int fd)
{
    static const struct sk_channel_handler handler = {&sk_feed_interface, SK_FEED_FROM_READER, SK_FEED_FROM_FEED, from_feed, feed_ended};
    if (index >= READER_FEEDS) {
        (void)close(fd);
        return;
    }
    struct fed *fed = &reader->feeds[index];
    fed->reader = reader;
    fed->channel = sk_channel_free(fed->channel);
    fed->channel = sk_channel_new(reader->child.loop, fd, &handler, fed);
}

/* ---- control ---- */

static void add_peer(struct reader *reader, uint64_t peer, uint64_t index, int fd)
{
    static const struct sk_channel_handler audit = {&sk_serving_interface, SK_SERVING_FROM_READER, SK_SERVING_FROM_AUDIT, from_audit, audit_ended};
    static const struct sk_channel_handler auth = {&sk_reader_interface, SK_READER_FROM_READER, SK_READER_FROM_AUTH, from_auth, auth_ended};
    static const struct sk_channel_handler signer = {&sk_notes_interface, SK_NOTES_FROM_READER, SK_NOTES_FROM_SIGNER, from_signer, signer_ended};
    if (peer == SK_PEER_FEED) {
        add_feed(reader, index, fd);
    } else if (peer == SK_PEER_SIGNER) {
        reader->signer = sk_channel_free(reader->signer);
        reader->signer = sk_channel_new(reader->child.loop, fd, &signer, reader);
    } else if (peer == SK_PEER_AUDIT) {
        audit_lost(reader);
        reader->audit = sk_channel_new(reader->child.loop, fd, &audit, reader);
        ask_stand(reader);
    } else if (peer == SK_PEER_AUTH) {
        reader->auth = sk_channel_free(reader->auth);
        forget_all(reader);
        reader->auth = sk_channel_new(reader->child.loop, fd, &auth, reader);
    } else {
        (void)close(fd);
    }
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct reader *reader = child->context;
    if (hello->secret.len != SK_KEYS_SECRET || hello->folder.len >= sizeof(reader->folder)) {
        return -EINVAL;
    }
    memcpy(reader->secret, hello->secret.data, SK_KEYS_SECRET);
    memcpy(reader->folder, hello->folder.data, hello->folder.len);
    reader->last = &reader->first;
    sk_timer_init(&reader->work, child->loop, on_work);
    sk_timer_init(&reader->tick, child->loop, on_tick);
    sk_timer_set(&reader->tick, EVERY);
    return 0;
}

/* In the sandbox: the folder is this account's. */
static void begin(struct reader *reader)
{
    int folder = open(reader->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        sk_log(SK_EVENT_INDEX_UNWRITTEN, SK_TEXT("folder", reader->folder), SK_TEXT("error", strerror(errno)));
    }
    if (folder < 0 || follow_init(&reader->follow, reader->secret, folder)) {
        sk_loop_stop(reader->child.loop);
        return;
    }
    sk_io_init(&reader->stored, reader->child.loop, reader->follow.ready, on_stored);
    sk_io_want(&reader->stored, SK_READ);
    reader->begun = true;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct reader *reader = child->context;
    if (code == SK_CONTROL_LIMITS && !reader->begun) {
        begin(reader);
    } else if (code == SK_CONTROL_PEER) {
        add_peer(reader, ((const struct sk_control_peer *)message)->peer, ((const struct sk_control_peer *)message)->index, fds[0]);
    } else if (code == SK_CONTROL_LOADED) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "reader", .hello = on_hello, .told = on_told};
    static struct reader reader;
    sk_log_init("sekisho-reader");
    int status = sk_child_run(&reader.child, &program, &reader);
    forget_all(&reader);
    if (reader.begun) {
        follow_free(&reader.follow);
    }
    sk_wipe(reader.secret, sizeof(reader.secret));
    return status;
}
