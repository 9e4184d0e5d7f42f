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
        reader->auth = sk_channel_free(reader->auth);
    }
}

static void done(struct reader *reader, const struct asked *asked, enum sk_reader_status status, uint64_t next)
{
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&reader->follow.state, asked->is.tenant);
    struct sk_reader_done m = {.ticket = asked->ticket, .status = status, .next = next, .size = tenant ? tenant->tree.size : 0};
    to_auth(reader, SK_READER_DONE, &m);
}

/* Rows on their way to auth. */
struct giving {
    struct reader *reader;
    const struct asked *asked;
    uint64_t given, last;
    bool others; /* one of them is not of somebody reading */
};

static bool is_reading(const struct sk_audit_record *record)
{
    return record->op == SK_AUDIT_TRAIL_READ || (record->op == SK_AUDIT_REQUEST && sk_slice_starts(record->path, SK_LIT(SK_READER_PATH)));
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
    giving->last = record->seq;
    return ++giving->given < giving->asked->limit;
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

/* False: nothing is there yet, and it waits on. */
static bool answer_records(struct reader *reader, const struct asked *asked)
{
    struct giving giving = {.reader = reader, .asked = asked};
    const struct follow *f = &reader->follow;
    uint64_t file = 0;
    int r = 0;
    if (asked->until > sk_clock_boot()) {
        r = find_records(&f->segments, f->keys, &asked->is, look, &giving, &file);
        if (r == 0 && !giving.others) {
            return false;
        }
    }
    r = r ? r : find_records(&f->segments, f->keys, &asked->is, give, &giving, &file);
    done(reader, asked, judge(reader, r, file), giving.given == asked->limit ? giving.last : 0);
    return true;
}

static void answer_counts(struct reader *reader, const struct asked *asked)
{
    size_t buckets = (size_t)((asked->is.to - asked->is.from + asked->step - 1) / asked->step);
    struct find_count *counts = calloc(buckets, sizeof(*counts));
    uint64_t file = 0;
    int r = counts ? find_counts(&reader->follow.segments, &asked->is, asked->step, counts, &file) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < buckets; i++) {
        struct sk_reader_count m = {.ticket = asked->ticket, .from = (asked->is.from + i * asked->step) * SK_MILLISECOND,
                .allow = counts[i].by[SK_AUDIT_DECISION_ALLOW], .deny = counts[i].by[SK_AUDIT_DECISION_DENY],
                .challenge = counts[i].by[SK_AUDIT_DECISION_CHALLENGE], .error = counts[i].by[SK_AUDIT_DECISION_ERROR]};
        if (m.allow + m.deny + m.challenge + m.error) {
            to_auth(reader, SK_READER_COUNT, &m);
        }
    }
    free(counts);
    done(reader, asked, judge(reader, r, file), 0);
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
    r = r ? r : proof_subtrees(segments, q.tenant, 0, m.first, left, &left_count);
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
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&reader->follow.state, asked->is.tenant);
    int r = !tenant || tenant->tree.size < checkpoint.size ? -ESTALE : prove(reader, asked, &checkpoint, &file);
    done(reader, asked, judge(reader, r, file), 0);
}

bool answer(struct reader *reader, const struct asked *asked)
{
    if (asked->code == SK_READER_FIND) {
        return answer_records(reader, asked);
    }
    if (asked->code == SK_READER_PROVE) {
        answer_proof(reader, asked);
    } else {
        answer_counts(reader, asked);
    }
    return true;
}
