/* Queries. Runs in workers and auth. */
#include "journal/query.h"

#include "base/clock.h"
#include "base/text.h"

#define LIMIT 50U
#define STEPS 100U
#define DAY (86400 * SK_SECOND)

/* While it is read. */
struct reading {
    enum sk_query_use use;
    uint64_t now;
    struct sk_query *query;
    struct sk_buf *terms;
    unsigned terms_count, ranges_count, given; /* parameters, as bits */
};

static int read_number(const struct reading *r sk_unused, struct sk_slice text, uint64_t *number)
{
    return sk_slice_u64(text, UINT64_MAX / 2, number);
}

static int read_limit(const struct reading *r sk_unused, struct sk_slice text, uint64_t *number)
{
    return sk_slice_u64(text, SK_QUERY_LIMIT, number) || *number == 0;
}

/* A moment, or how long ago. */
static int read_time(const struct reading *r, struct sk_slice text, uint64_t *wall)
{
    uint64_t ago;
    if (sk_slice_starts(text, SK_LIT("-")) && sk_duration_parse(sk_slice_from(text, 1), &ago) == 0 && ago < r->now) {
        *wall = (r->now - ago) / SK_MILLISECOND * SK_MILLISECOND;
        return 0;
    }
    return sk_time_parse(text, wall) || *wall == 0;
}

static int read_step(const struct reading *r sk_unused, struct sk_slice text, uint64_t *step)
{
    return sk_duration_parse(text, step) || *step < SK_SECOND || *step % SK_MILLISECOND;
}

static int read_wait(const struct reading *r sk_unused, struct sk_slice text, uint64_t *wait)
{
    return sk_duration_parse(text, wait) || *wait > SK_QUERY_WAIT_SECONDS * SK_SECOND;
}

static int read_yes(const struct reading *r sk_unused, struct sk_slice text, uint64_t *number)
{
    *number = 1;
    return !sk_slice_eq(text, SK_LIT("yes"));
}

enum parameter { FROM, TO, BEFORE, AFTER, LIMITS, WAIT, RAW, STEP, PARAMETERS };

static const struct {
    const char *name;
    unsigned uses;
    int (*read)(const struct reading *r, struct sk_slice text, uint64_t *number);
} parameters[PARAMETERS] = {[FROM] = {"from", SK_QUERY_RECORDS | SK_QUERY_COUNTS | SK_QUERY_PROOF, read_time},
        [TO] = {"to", SK_QUERY_RECORDS | SK_QUERY_COUNTS | SK_QUERY_PROOF, read_time}, [BEFORE] = {"before", SK_QUERY_RECORDS | SK_QUERY_PROOF, read_number},
        [AFTER] = {"after", SK_QUERY_RECORDS | SK_QUERY_PROOF, read_number}, [LIMITS] = {"limit", SK_QUERY_RECORDS, read_limit},
        [WAIT] = {"wait", SK_QUERY_RECORDS, read_wait}, [RAW] = {"raw", SK_QUERY_RECORDS, read_yes}, [STEP] = {"step", SK_QUERY_COUNTS, read_step}};

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static struct sk_slice decode(struct sk_slice value, char out[SK_QUERY_TEXT])
{
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        bool escaped = value.data[i] == '%' && i + 2 < value.len && hex(value.data[i + 1]) >= 0 && hex(value.data[i + 2]) >= 0;
        char c = value.data[i];
        if (escaped) {
            c = (char)(hex(value.data[i + 1]) << 4 | hex(value.data[i + 2]));
        } else if (c == '+') {
            c = ' ';
        }
        out[len++] = c;
        i += escaped ? 2 : 0;
    }
    return sk_slice(out, len);
}

static int read_term(struct reading *r, enum sk_term_field field, struct sk_slice value)
{
    uint8_t made[2 * SK_TERM_VALUE + 2];
    struct sk_term term;
    if (r->use == SK_QUERY_PROOF || sk_term_read(field, value, made, &term)) {
        return 1;
    }
    r->terms_count++;
    r->ranges_count += !sk_slice_eq(term.low, term.high);
    return r->terms_count > SK_QUERY_TERMS || r->ranges_count > SK_QUERY_RANGES ? 1 : sk_term_put(r->terms, &term);
}

static int read_parameter(struct reading *r, struct sk_slice name, struct sk_slice value)
{
    struct sk_query *q = r->query;
    uint64_t raw = 0, *const places[PARAMETERS] = {[FROM] = &q->from, [TO] = &q->to, [BEFORE] = &q->before, [AFTER] = &q->after, [LIMITS] = &q->limit, [WAIT] = &q->wait,
            [RAW] = &raw, [STEP] = &q->step};
    unsigned i = 0;
    while (i < PARAMETERS && !sk_slice_eq(name, sk_slice_str(parameters[i].name))) {
        i++;
    }
    if (i == PARAMETERS || !(parameters[i].uses & r->use) || (r->given & 1U << i) || parameters[i].read(r, value, places[i])) {
        return 1;
    }
    r->given |= 1U << i;
    q->raw |= raw != 0;
    return 0;
}

/* What the query leaves open. */
static int complete(struct reading *r, struct sk_slice *wrong)
{
    struct sk_query *q = r->query;
    q->before_given = r->given & 1U << BEFORE;
    q->limit = q->limit ? q->limit : LIMIT;
    if (r->use != SK_QUERY_COUNTS) {
        return 0;
    }
    q->to = q->to ? q->to : r->now / SK_MILLISECOND * SK_MILLISECOND;
    uint64_t from = q->from ? q->from : q->to > DAY ? q->to - DAY : 0;
    uint64_t whole = from < q->to ? q->to - from : 0;
    q->step = q->step ? q->step : whole / STEPS / SK_SECOND * SK_SECOND + SK_SECOND;
    *wrong = whole ? SK_LIT("step") : SK_LIT("from");
    q->from = q->from ? q->from : from - from % q->step; /* whole hours, where a step is one */
    return whole == 0 || (q->to - q->from - 1) / q->step >= SK_QUERY_STEPS;
}

int sk_query_read(struct sk_slice text, enum sk_query_use use, uint64_t now, struct sk_query *query, struct sk_buf *terms, struct sk_slice *wrong)
{
    struct reading r = {.use = use, .now = now, .query = query, .terms = terms};
    char decoded[SK_QUERY_TEXT];
    *query = (struct sk_query){.from = 0};
    *wrong = SK_LIT("?");
    int failed = text.len > SK_QUERY_TEXT;
    while (failed == 0 && text.len) {
        struct sk_slice value = sk_slice_split(&text, '&'), name = sk_slice_split(&value, '=');
        enum sk_term_field field = sk_term_field(name);
        value = decode(value, decoded);
        failed = field ? read_term(&r, field, value) : read_parameter(&r, name, value);
        *wrong = failed ? sk_slice_cut(name, 64) : *wrong;
    }
    return failed ? failed : complete(&r, wrong);
}
