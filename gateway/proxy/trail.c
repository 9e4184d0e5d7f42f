/* The API's audit trail: records that a query asks for, counts of them, and proofs. Auth judges who asks, the reader finds. Runs in the workers. */
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "ipc/reader.h"
#include "journal/record.h"
#include "journal/terms.h"
#include "journal/tree.h"

#define RECORDS SK_READER_PATH "/records"
#define STATS SK_READER_PATH "/stats"
#define PROOF SK_READER_PATH "/proof"
#define TERMS_MAX ((size_t)16384)
#define LIST_MAX ((size_t)64 << 10) /* bytes of an answer: its copy fits in the arena */
#define LIMIT 50U                   /* records, when the query names no number */
#define BUCKETS 100U                /* counts, when it names no step */
#define DAY (86400 * SK_SECOND)

/* What a query says besides terms. */
struct asked {
    uint64_t from, to, before, after, limit, wait, step, salted;
};

/* What its answer gathers, besides x->told. */
struct sk_trail_answer {
    uint64_t last; /* number of the last record in it */
    uint64_t step; /* of counts, ns */
    bool cut;      /* there were more than fit */
    bool raw;      /* records as they are hashed */
};

/* ---- reading the query ---- */

static int read_number(struct sk_slice text, uint64_t *number)
{
    return sk_slice_u64(text, UINT64_MAX / 2, number);
}

static int read_limit(struct sk_slice text, uint64_t *number)
{
    return sk_slice_u64(text, SK_READER_LIMIT, number) || *number == 0;
}

/* A moment, or how long ago. */
static int read_time(struct sk_slice text, uint64_t *wall)
{
    uint64_t ago;
    if (sk_slice_starts(text, SK_LIT("-")) && sk_duration_parse(sk_slice_from(text, 1), &ago) == 0 && ago < sk_clock_wall()) {
        *wall = sk_clock_wall() - ago;
        return 0;
    }
    return sk_time_parse(text, wall) || *wall == 0;
}

static int read_step(struct sk_slice text, uint64_t *step)
{
    return sk_duration_parse(text, step) || *step < SK_SECOND;
}

static int read_wait(struct sk_slice text, uint64_t *wait)
{
    return sk_duration_parse(text, wait) || *wait > SK_READER_WAIT;
}

static int read_yes(struct sk_slice text, uint64_t *number)
{
    *number = 1;
    return !sk_slice_eq(text, SK_LIT("yes"));
}

enum use { FOR_RECORDS = 1, FOR_STATS = 2, FOR_PROOF = 4 }; /* bits */

static const struct {
    const char *name;
    unsigned uses;
    int (*read)(struct sk_slice text, uint64_t *number);
    size_t at;
} parameters[] = {{"from", FOR_RECORDS | FOR_STATS | FOR_PROOF, read_time, offsetof(struct asked, from)},
        {"to", FOR_RECORDS | FOR_STATS | FOR_PROOF, read_time, offsetof(struct asked, to)}, {"before", FOR_RECORDS | FOR_PROOF, read_number, offsetof(struct asked, before)},
        {"after", FOR_RECORDS | FOR_PROOF, read_number, offsetof(struct asked, after)}, {"limit", FOR_RECORDS, read_limit, offsetof(struct asked, limit)},
        {"wait", FOR_RECORDS, read_wait, offsetof(struct asked, wait)}, {"raw", FOR_RECORDS, read_yes, offsetof(struct asked, salted)},
        {"step", FOR_STATS, read_step, offsetof(struct asked, step)}};

static int read_parameter(enum use use, struct sk_slice name, struct sk_slice value, struct asked *asked)
{
    for (size_t i = 0; i < SK_COUNT(parameters); i++) {
        if (sk_slice_eq(name, sk_slice_str(parameters[i].name))) {
            uint64_t *number = (uint64_t *)(void *)((char *)asked + parameters[i].at);
            return !(parameters[i].uses & use) || *number || parameters[i].read(value, number);
        }
    }
    return 1;
}

static int read_term(enum sk_term_field field, struct sk_slice value, struct sk_buf *terms)
{
    uint8_t made[2 * SK_TERM_VALUE + 2];
    struct sk_term term;
    return sk_term_read(field, value, made, &term) || sk_term_put(terms, &term);
}

/* 0; 1, and x->detail is the name of what is wrong. */
static int read_query(struct sk_exchange *x, enum use use, struct asked *asked, struct sk_buf *terms)
{
    struct sk_slice query = sk_slice_from(x->stream->request.query, 1);
    int r = 0;
    while (r == 0 && query.len) {
        struct sk_slice one = sk_slice_split(&query, '&'), name = sk_slice_cut(one, sk_slice_find(one, '='));
        enum sk_term_field field = sk_term_field(name);
        struct sk_slice value = sk_form_value(x->arena, one, sk_arena_printf(x->arena, "%.*s", (int)name.len, name.data).data, 0);
        r = field && use != FOR_PROOF ? read_term(field, value, terms) : read_parameter(use, name, value, asked);
        if (r) {
            x->detail = sk_slice_cut(name, 64);
        }
    }
    return r;
}

/* ---- asking ---- */

static void records(struct sk_exchange *x)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(TERMS_MAX);
    struct asked asked = {0};
    if (read_query(x, FOR_RECORDS, &asked, &terms)) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-query"));
        return;
    }
    struct sk_auth_find m = {.session = x->grant->session, .proof = x->grant->proof, .question = sk_slice_cut(sk_slice_from(x->stream->request.query, 1), 512),
            .terms = sk_buf_peek(&terms), .from = asked.from, .to = asked.to, .before = asked.before, .after = asked.after,
            .limit = asked.limit ? asked.limit : LIMIT, .wait = asked.wait, .salted = asked.salted};
    x->trail->raw = asked.salted;
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_FIND, &m);
}

static void proof(struct sk_exchange *x)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(TERMS_MAX);
    struct asked asked = {0};
    if (read_query(x, FOR_PROOF, &asked, &terms)) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-query"));
        return;
    }
    struct sk_auth_prove m = {.session = x->grant->session, .proof = x->grant->proof, .question = sk_slice_cut(sk_slice_from(x->stream->request.query, 1), 512),
            .from = asked.from, .to = asked.to, .before = asked.before, .after = asked.after};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_PROVE, &m);
}

static void stats(struct sk_exchange *x)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(TERMS_MAX);
    struct asked asked = {0};
    int r = read_query(x, FOR_STATS, &asked, &terms);
    uint64_t to = asked.to ? asked.to : sk_clock_wall(), from = asked.from ? asked.from : to - DAY;
    uint64_t whole = from < to ? to - from : 0, step = asked.step ? asked.step : whole / BUCKETS / SK_SECOND * SK_SECOND + SK_SECOND;
    if (r == 0 && (whole == 0 || whole / step >= SK_READER_BUCKETS)) {
        x->detail = whole ? SK_LIT("step") : SK_LIT("from");
        r = 1;
    }
    if (r) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-query"));
        return;
    }
    from -= asked.from ? 0 : from % step; /* whole hours, where a step is one */
    struct sk_auth_counts m = {.session = x->grant->session, .proof = x->grant->proof, .question = sk_slice_cut(sk_slice_from(x->stream->request.query, 1), 512),
            .terms = sk_buf_peek(&terms), .from = from, .to = to, .step = step};
    SK_FILL_ORIGIN(&m, x);
    x->trail->step = step;
    sk_reserved_ask(x, SK_AUTH_COUNTS, &m);
}

bool sk_trail_path(struct sk_slice path)
{
    return sk_slice_starts(path, SK_LIT(SK_READER_PATH)) && (path.len == sizeof(SK_READER_PATH) - 1 || path.data[sizeof(SK_READER_PATH) - 1] == '/');
}

void sk_trail_serve(struct sk_exchange *x)
{
    static const struct {
        const char *path;
        void (*serve)(struct sk_exchange *x);
    } resources[] = {{RECORDS, records}, {STATS, stats}, {PROOF, proof}};
    const struct sk_request *r = &x->stream->request;
    size_t i = 0;
    while (i < SK_COUNT(resources) && !sk_slice_eq(r->path, sk_slice_str(resources[i].path))) {
        i++;
    }
    x->trail = sk_arena_zalloc(x->arena, sizeof(*x->trail));
    if (!x->trail) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    } else if (i == SK_COUNT(resources)) {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-resource"));
    } else if (!sk_slice_eq(r->method, SK_LIT("GET"))) {
        sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
    } else {
        resources[i].serve(x);
    }
}

/* ---- answering ---- */

/* The bytes that are hashed, and the salt before them. */
static int put_raw(const struct sk_auth_record *m, struct sk_buf *row)
{
    char cbor[SK_BASE64_SIZE(SK_AUDIT_RECORD_MAX)], salt[SK_BASE64_SIZE(16)];
    (void)sk_base64_encode(m->cbor, cbor);
    (void)sk_base64_encode(m->salt, salt);
    return sk_buf_printf(row, "{\"cbor\":\"%s\",\"salt\":\"%s\"}", cbor, salt);
}

/* What no longer fits is left for the next page: it is below the last that did. */
static void gather_record(struct sk_exchange *x, const struct sk_auth_record *m)
{
    struct sk_buf row SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(LIST_MAX);
    struct sk_audit_record record;
    int r = x->trail->cut ? 1 : sk_record_decode(m->cbor, &record);
    r = r ? r : sk_buf_len(&x->told) ? sk_buf_put(&row, SK_LIT(",\n")) : 0;
    r = r ? r : x->trail->raw ? put_raw(m, &row) : sk_record_json(&record, &row);
    if (r || sk_buf_len(&x->told) + sk_buf_len(&row) > LIST_MAX || sk_buf_put(&x->told, sk_buf_peek(&row))) {
        x->trail->cut = true;
    } else {
        x->trail->last = record.seq;
    }
}

static int put_roots(struct sk_buf *out, const char *name, struct sk_slice roots)
{
    char text[SK_BASE64_SIZE(SK_TREE_HASH)];
    int r = sk_buf_printf(out, ",\"%s\":[", name);
    for (size_t at = 0; r == 0 && at < roots.len; at += SK_TREE_HASH) {
        (void)sk_base64_encode(sk_slice_cut(sk_slice_from(roots, at), SK_TREE_HASH), text);
        r = sk_buf_printf(out, "%s\"%s\"", at ? "," : "", text);
    }
    return r ? r : sk_buf_put(out, SK_LIT("]"));
}

static void gather_proof(struct sk_exchange *x, const struct sk_auth_proof *m)
{
    int r = sk_buf_printf(&x->told, "{\"first\":%llu,\"end\":%llu,\"size\":%llu,\"checkpoint\":", (unsigned long long)m->first, (unsigned long long)m->end, (unsigned long long)m->size);
    r = r ? r : sk_json_put_string(&x->told, m->note);
    r = r ? r : put_roots(&x->told, "left", m->left);
    r = r ? r : put_roots(&x->told, "right", m->right);
    x->trail->cut = r != 0;
}

static void gather_count(struct sk_exchange *x, const struct sk_auth_count *m)
{
    char from[32];
    sk_time_text(m->from, from);
    (void)!sk_buf_printf(&x->told, "%s{\"from\":\"%s\",\"allow\":%llu,\"deny\":%llu,\"challenge\":%llu,\"error\":%llu}", sk_buf_len(&x->told) ? ",\n" : "", from,
            (unsigned long long)m->allow, (unsigned long long)m->deny, (unsigned long long)m->challenge, (unsigned long long)m->error);
}

static void found(struct sk_exchange *x, const struct sk_auth_found *m)
{
    struct sk_slice list = sk_buf_peek(&x->told), body;
    int len = (int)list.len;
    unsigned long long next = x->trail->cut ? x->trail->last : m->next, size = m->size;
    if (sk_slice_eq(x->stream->request.path, SK_LIT(PROOF))) {
        body = x->trail->cut ? SK_SLICE_NULL : sk_arena_printf(x->arena, "%.*s,\"recorded\":%llu}\n", len, list.data ? list.data : "{", size);
    } else if (sk_slice_eq(x->stream->request.path, SK_LIT(STATS))) {
        body = sk_arena_printf(x->arena, "{\"counts\":[%.*s],\"step\":%llu,\"size\":%llu}\n", len, list.data ? list.data : "", (unsigned long long)(x->trail->step / SK_SECOND), size);
    } else if (next) {
        body = sk_arena_printf(x->arena, "{\"records\":[%.*s],\"next\":%llu,\"size\":%llu}\n", len, list.data ? list.data : "", next, size);
    } else {
        body = sk_arena_printf(x->arena, "{\"records\":[%.*s],\"next\":null,\"size\":%llu}\n", len, list.data ? list.data : "", size);
    }
    if (body.data) {
        sk_reserved_json(x, body);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

void sk_trail_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    if (code == SK_AUTH_RECORD) {
        gather_record(x, message);
    } else if (code == SK_AUTH_PROOF) {
        gather_proof(x, message);
    } else if (code == SK_AUTH_COUNT) {
        gather_count(x, message);
    } else if (code == SK_AUTH_FOUND) {
        found(x, message);
    } else if (code == SK_AUTH_REFUSED) {
        struct sk_slice reason = sk_arena_copy(x->arena, ((const struct sk_auth_refused *)message)->reason);
        bool denied = sk_slice_eq(reason, SK_LIT("not-permitted"));
        sk_exchange_deny(x, denied ? 403 : 503, denied ? SK_AUDIT_DECISION_DENY : SK_AUDIT_DECISION_ERROR, reason);
    }
}
