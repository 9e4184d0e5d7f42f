/* Searching. Runs in the reader. */
#include "reader/find.h"

#include "base/clock.h"

#include <errno.h>

/* The first row of the part whose time is not before `time`. Rows must stand in order. 0 or negative. */
static int first_row(const struct part *part, uint64_t time, uint32_t *row)
{
    uint32_t low = 0, high = part->rows;
    int r = 0;
    while (r == 0 && low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t at = 0;
        r = part->kind->time(part, middle, &at);
        if (at < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return r;
}

/* Rows [low, high) that can be meant, by number and, where they stand in its order, by time. 0 or negative. */
static int bounds(const struct part *part, const struct question *q, uint32_t *low, uint32_t *high)
{
    uint64_t end = part->seq + part->rows;
    uint64_t from = q->after > part->seq ? q->after : part->seq, to = q->before && q->before < end ? q->before : end;
    *low = *high = 0;
    if (from >= to || part->last < q->from || (q->to && part->first >= q->to)) {
        return 0;
    }
    *low = (uint32_t)(from - part->seq);
    *high = (uint32_t)(to - part->seq);
    uint32_t first = 0, last = part->rows;
    int r = part->ordered && q->from ? first_row(part, q->from, &first) : 0;
    r = r ? r : part->ordered && q->to ? first_row(part, q->to, &last) : 0;
    *low = first > *low ? first : *low;
    *high = last < *high ? last : *high;
    return r;
}

/* Which fields the terms name, as bits: all of them, or those of which a range is named. */
static uint32_t fields_of(struct sk_slice terms, bool ranges)
{
    uint32_t fields = 0;
    struct sk_term term;
    while (terms.len && sk_term_next(&terms, &term) == 0) {
        fields |= !ranges || !sk_slice_eq(term.low, term.high) ? 1U << term.field : 0;
    }
    return fields;
}

/* Narrows `rows` to those that have one of the values that the terms name for this field. 0 or negative. */
static int narrow(const struct part *part, struct sk_slice terms, enum sk_term_field field, roaring_bitmap_t *rows)
{
    roaring_bitmap_t *any = NULL;
    struct sk_term term;
    int r = 0;
    while (r == 0 && terms.len && sk_term_next(&terms, &term) == 0) {
        if (term.field == field) {
            any = any ? any : roaring_bitmap_create();
            r = any ? part->kind->select(part, field, term.low, term.high, any) : -ENOMEM;
        }
    }
    if (any && r == 0) {
        roaring_bitmap_and_inplace(rows, any);
    }
    if (any) {
        roaring_bitmap_free(any);
    }
    return r;
}

int find_rows(const struct part *part, const struct question *q, roaring_bitmap_t **rows)
{
    uint32_t low, high;
    int r = bounds(part, q, &low, &high);
    *rows = NULL;
    if (r || low >= high) {
        return r;
    }
    *rows = roaring_bitmap_from_range(low, high, 1);
    r = *rows ? 0 : -ENOMEM;
    /* A range is looked for among all values that there are: only when the others leave something. */
    const uint32_t ranges = fields_of(q->terms, true), turns[] = {fields_of(q->terms, false) & ~ranges, ranges};
    for (unsigned turn = 0; turn < SK_COUNT(turns); turn++) {
        for (uint32_t left = turns[turn]; r == 0 && left && !roaring_bitmap_is_empty(*rows); left &= left - 1) {
            r = narrow(part, q->terms, (enum sk_term_field)__builtin_ctz(left), *rows);
        }
    }
    if (*rows && (r || roaring_bitmap_is_empty(*rows))) {
        roaring_bitmap_free(*rows);
        *rows = NULL;
    }
    return r;
}

/* ---- records ---- */

struct finding {
    const struct segment *segment;
    const struct sk_keys *keys;
    const struct question *question;
    struct part part;
    struct sk_sealing *sealing;
    find_each each;
    void *context;
    bool enough;
};

static bool is_meant(const struct question *q, const struct sk_audit_record *record)
{
    uint64_t time = record->wall / SK_MILLISECOND;
    return time >= q->from && (!q->to || time < q->to) && sk_terms_match(q->terms, record);
}

static int give(struct finding *f, uint32_t row)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record record;
    size_t len = 0;
    int r = segment_open(f->segment, f->keys, f->question->tenant, &f->part, row, f->sealing, cbor, &len, &record);
    if (r == 0 && is_meant(f->question, &record)) {
        f->enough = !f->each(f->context, &record, sk_slice(cbor, len), f->sealing);
    }
    return r == 2 ? 0 : r;
}

static int give_rows(struct finding *f, const roaring_bitmap_t *rows)
{
    roaring_uint32_iterator_t at;
    int r = 0;
    roaring_init_iterator_last(rows, &at);
    while (r == 0 && !f->enough && at.has_value) {
        r = give(f, at.current_value);
        (void)roaring_previous_uint32_iterator(&at);
    }
    return r;
}

int find_in(const struct segment *segment, const struct sk_keys *keys, const struct question *question, struct sk_sealing *sealing, find_each each,
        void *context, bool *enough)
{
    struct finding f = {.segment = segment, .keys = keys, .question = question, .sealing = sealing, .each = each, .context = context};
    roaring_bitmap_t *rows = NULL;
    int r = segment_known(segment, keys, question->tenant, &f.part) ? find_rows(&f.part, question, &rows) : 0;
    r = rows ? give_rows(&f, rows) : r;
    if (rows) {
        roaring_bitmap_free(rows);
    }
    *enough = f.enough;
    return r;
}

/* ---- counts ---- */

struct counting {
    const struct question *question;
    uint64_t step;
    struct find_count *counts;
};

/* Where the rows stand in the order of their times: bucket by bucket, without looking at each. */
static int count_ordered(const struct counting *c, const struct part *part, const roaring_bitmap_t *rows, unsigned decision)
{
    uint64_t begins = part->first > c->question->from ? part->first : c->question->from;
    uint64_t bucket = (begins - c->question->from) / c->step;
    uint32_t low, high = 0;
    int r = first_row(part, c->question->from + bucket * c->step, &low);
    while (r == 0 && low < part->rows && c->question->from + bucket * c->step < c->question->to) {
        r = first_row(part, c->question->from + (bucket + 1) * c->step, &high); /* what is behind `to` is not among `rows` */
        c->counts[bucket++].by[decision] += r ? 0 : roaring_bitmap_range_cardinality(rows, low, high);
        low = high;
    }
    return r;
}

static int count_each(const struct counting *c, const struct part *part, const roaring_bitmap_t *rows, unsigned decision)
{
    roaring_uint32_iterator_t at;
    int r = 0;
    for (roaring_init_iterator(rows, &at); r == 0 && at.has_value; (void)roaring_advance_uint32_iterator(&at)) {
        uint64_t time = 0;
        r = part->kind->time(part, at.current_value, &time);
        if (r == 0 && time >= c->question->from && time < c->question->to) {
            c->counts[(time - c->question->from) / c->step].by[decision]++;
        }
    }
    return r;
}

static int count_decision(const struct counting *c, const struct part *part, const roaring_bitmap_t *rows, unsigned decision)
{
    const uint8_t value[2] = {0, (uint8_t)decision}; /* as journal/terms.h has numbers */
    struct sk_slice bytes = sk_slice(value, sizeof(value));
    roaring_bitmap_t *decided = roaring_bitmap_create();
    int r = decided ? part->kind->select(part, SK_TERM_DECISION, bytes, bytes, decided) : -ENOMEM;
    if (r == 0) {
        roaring_bitmap_and_inplace(decided, rows);
        r = part->ordered ? count_ordered(c, part, decided, decision) : count_each(c, part, decided, decision);
    }
    if (decided) {
        roaring_bitmap_free(decided);
    }
    return r;
}

/* What aggregates stand for besides one. */
static int count_many(const struct counting *c, const struct part *part, const roaring_bitmap_t *rows)
{
    struct part_many many;
    int r = part->kind->many(part, 0, &many);
    for (uint64_t n = 1; r == 0 && many.more; n++) {
        uint64_t time = 0;
        bool meant = roaring_bitmap_contains(rows, many.row) && many.decision < FIND_DECISIONS;
        r = meant ? part->kind->time(part, many.row, &time) : 0;
        if (r == 0 && meant && time >= c->question->from && time < c->question->to) {
            c->counts[(time - c->question->from) / c->step].by[many.decision] += many.more;
        }
        r = r ? r : part->kind->many(part, n, &many);
    }
    return r;
}

int find_counts_in(const struct segment *segment, const struct sk_keys *keys, const struct question *question, uint64_t step, struct find_count *counts)
{
    struct counting c = {question, step, counts};
    roaring_bitmap_t *rows = NULL;
    struct part part;
    int r = segment_known(segment, keys, question->tenant, &part) ? find_rows(&part, question, &rows) : 0;
    for (unsigned decision = 1; r == 0 && rows && decision < FIND_DECISIONS; decision++) {
        r = count_decision(&c, &part, rows, decision);
    }
    r = r || !rows ? r : count_many(&c, &part, rows);
    if (rows) {
        roaring_bitmap_free(rows);
    }
    return r;
}
