/* Answers to auth's questions. Runs in the reader. */
#include "reader/reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/note.h"

#include <errno.h>
#include <stdlib.h>

void to_auth(struct reader *reader, uint16_t code, const void *message)
{
    if (reader->auth && sk_channel_send(reader->auth, code, message, NULL) < 0) {
        sk_loop_stop(reader->child.loop); /* nobody would connect it again: the next one is */
    }
}

static void done(struct reader *reader, const struct asked *asked, enum sk_reader_status status, uint64_t next)
{
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&reader->follow.state, asked->is.tenant);
    struct sk_reader_done m = {.ticket = asked->ticket, .status = status, .next = next, .size = tenant ? tenant->tree.size : 0};
    to_auth(reader, SK_READER_DONE, &m);
    reader->on_the_way++;
}

/* Rows on their way to auth. */
struct giving {
    struct reader *reader;
    struct asked *asked;
    bool others; /* one of them is not of somebody reading */
};

/* What the waiting itself puts on record would end it. */
static bool is_reading(const struct sk_audit_record *record)
{
    bool allowed = record->decision == SK_AUDIT_DECISION_ALLOW;
    return allowed && (record->op == SK_AUDIT_TRAIL_READ || (record->op == SK_AUDIT_REQUEST && sk_slice_starts(record->path, SK_LIT(SK_READER_PATH))));
}

static bool look(void *context, const struct sk_audit_record *record, struct sk_slice cbor sk_unused, struct sk_sealing *sealing sk_unused)
{
    struct giving *giving = context;
    giving->others = !is_reading(record);
    return !giving->others;
}

static bool give(void *context, const struct sk_audit_record *record, struct sk_slice cbor, struct sk_sealing *sealing)
{
    struct giving *giving = context;
    uint8_t salt[SK_BLOCK];
    struct sk_reader_record m = {.ticket = giving->asked->ticket, .cbor = cbor};
    if (giving->asked->salted && sk_sealing_salt(sealing, record->seq, salt) == 0) {
        m.salt = sk_slice(salt, sizeof(salt));
    }
    to_auth(giving->reader, SK_READER_RECORD, &m);
    giving->asked->last = record->seq;
    return ++giving->asked->given < giving->asked->limit;
}

/* What an index says is not so, or it is damaged: the next reader makes it anew. */
static enum sk_reader_status judge(struct reader *reader, int r, uint64_t file)
{
    if (r > 0) {
        sk_log(SK_EVENT_TRAIL_UNREADABLE, SK_NUMBER("file", file), SK_TEXT("what", "the index does not go with the records"));
        stored_remove(&reader->follow.segments.shelf, file);
        sk_loop_stop(reader->child.loop);
    }
    return r ? SK_READER_BROKEN : SK_READER_ANSWERED;
}

static uint64_t size_of(const struct reader *reader, const uint8_t tenant[SK_ID_SIZE])
{
    const struct sk_journal_tenant *t = sk_journal_find_tenant(&reader->follow.state, tenant);
    return t ? t->tree.size : 0;
}

/* Is there something to answer with? Only what is new is looked at. */
static int look_for_first(struct reader *reader, struct asked *asked, uint64_t *file, bool *there)
{
    struct giving giving = {.reader = reader, .asked = asked};
    struct question q = asked->is;
    uint64_t size = size_of(reader, q.tenant);
    int r = 0;
    bool enough = false;
    q.after = asked->looked > q.after ? asked->looked : q.after;
    for (size_t i = size > asked->looked ? reader->follow.segments.count : 0; r == 0 && !enough && i--;) {
        *file = reader->follow.segments.all[i].header.number;
        r = find_in(&reader->follow.segments.all[i], reader->follow.keys, &q, &asked->sealing, look, &giving, &enough);
    }
    asked->looked = size;
    *there = giving.others || sk_clock_boot() >= asked->until;
    return r;
}

/* One file's records. */
static int read_file(struct reader *reader, struct asked *asked, uint64_t *file)
{
    const struct segment *segment = &reader->follow.segments.all[--asked->at];
    struct giving giving = {.reader = reader, .asked = asked};
    bool enough = false;
    *file = segment->header.number;
    int r = find_in(segment, reader->follow.keys, &asked->is, &asked->sealing, give, &giving, &enough);
    asked->at = enough ? 0 : asked->at;
    return r;
}

static int count_file(struct reader *reader, struct asked *asked, uint64_t *file)
{
    const struct segment *segment = &reader->follow.segments.all[--asked->at];
    *file = segment->header.number;
    return find_counts_in(segment, reader->follow.keys, &asked->is, asked->step, asked->counts);
}

static void give_counts(struct reader *reader, const struct asked *asked)
{
    for (size_t i = 0; i < asked->counts_count; i++) {
        const uint64_t *by = asked->counts[i].by;
        struct sk_reader_count m = {.ticket = asked->ticket, .from = (asked->is.from + i * asked->step) * SK_MILLISECOND, .allow = by[SK_AUDIT_DECISION_ALLOW],
                .deny = by[SK_AUDIT_DECISION_DENY], .challenge = by[SK_AUDIT_DECISION_CHALLENGE], .error = by[SK_AUDIT_DECISION_ERROR]};
        if (m.allow + m.deny + m.challenge + m.error) {
            to_auth(reader, SK_READER_COUNT, &m);
        }
    }
}

static int put_roots(uint8_t roots[PROOF_MOST][SK_TREE_HASH], size_t count, struct sk_slice *text)
{
    *text = sk_slice(roots, count * SK_TREE_HASH);
    return text->len > SK_READER_ROOTS ? -EMSGSIZE : 0;
}

/* The checkpoint's tree is [0, size): the range, and whole subtrees on both sides of it. */
static int prove(struct reader *reader, const struct asked *asked, const struct sk_checkpoint *checkpoint, uint64_t *file)
{
    static uint8_t left[PROOF_MOST][SK_TREE_HASH], right[PROOF_MOST][SK_TREE_HASH];
    const struct segments *segments = &reader->follow.segments;
    struct question q = asked->is;
    struct sk_reader_proof m = {.ticket = asked->ticket, .size = checkpoint->size, .note = sk_slice(asked->note, asked->note_len)};
    size_t left_count = 0, right_count = 0;
    q.before = q.before && q.before < checkpoint->size ? q.before : checkpoint->size;
    int r = proof_range(segments, &q, &m.first, &m.end, file);
    r = r ? r : proof_left(segments, q.tenant, m.first, left, &left_count);
    r = r ? r : proof_subtrees(segments, q.tenant, m.end, checkpoint->size, right, &right_count);
    r = r ? r : put_roots(left, left_count, &m.left);
    r = r ? r : put_roots(right, right_count, &m.right);
    if (r == 0) {
        to_auth(reader, SK_READER_PROOF, &m);
    }
    return r;
}

static void answer_proof(struct reader *reader, const struct asked *asked)
{
    struct sk_checkpoint checkpoint;
    uint64_t file = 0;
    if (!asked->note_len || sk_checkpoint_get(sk_note_text(sk_slice(asked->note, asked->note_len)), &checkpoint) || checkpoint.size == 0) {
        done(reader, asked, SK_READER_UNSIGNED, 0);
        return;
    }
    int r = size_of(reader, asked->is.tenant) < checkpoint.size ? -ESTALE : prove(reader, asked, &checkpoint, &file);
    done(reader, asked, judge(reader, r, file), 0);
}

static bool over(struct reader *reader, const struct asked *asked, int r, uint64_t file, uint64_t next)
{
    done(reader, asked, judge(reader, r, file), next);
    return true;
}

bool answer(struct reader *reader, struct asked *asked)
{
    uint64_t file = 0;
    bool there = true;
    int r = 0;
    if (asked->code == SK_READER_PROVE) {
        answer_proof(reader, asked);
        return true;
    }
    if (asked->state != ASKED_READS) {
        r = asked->until ? look_for_first(reader, asked, &file, &there) : 0;
        asked->state = there ? ASKED_READS : ASKED_WAITS;
        asked->at = reader->follow.segments.count;
        return r ? over(reader, asked, r, file, 0) : false;
    }
    bool counts = asked->code == SK_READER_COUNTS;
    r = asked->at == 0 ? 0 : counts ? count_file(reader, asked, &file) : read_file(reader, asked, &file);
    if (r == 0 && asked->at) {
        return false;
    }
    if (r == 0 && counts) {
        give_counts(reader, asked);
    }
    return over(reader, asked, r, file, asked->given == asked->limit && !counts ? asked->last : 0);
}
