/* The API's audit trail: records that a query asks for, counts of them, and proofs. Auth judges who asks, the reader finds. Runs in the workers. */
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "ipc/reader.h"
#include "journal/query.h"
#include "journal/record.h"
#include "journal/tree.h"

#define RECORDS SK_READER_PATH "/records"
#define STATS SK_READER_PATH "/stats"
#define PROOF SK_READER_PATH "/proof"
#define TERMS_MAX ((size_t)8192)
#define LIST_MAX ((size_t)64 << 10) /* bytes of an answer's records: their copy fits in the arena */
#define COUNTS_MAX ((size_t)120 << 10)

/* What its answer gathers, besides x->told. */
struct sk_trail_answer {
    enum sk_query_use use;
    struct sk_query is;
    uint64_t last; /* number of the last record in it */
    bool cut;      /* there were more than fit */
};

/* ---- asking ---- */

/* Auth reads the query again, and has it on record: what is wrong with it is said here. */
static void search(struct sk_exchange *x)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(TERMS_MAX);
    struct sk_slice query = sk_slice_from(x->stream->request.query, 1);
    if (sk_query_read(query, x->trail->use, sk_clock_wall(), &x->trail->is, &terms, &x->detail)) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-query"));
        return;
    }
    struct sk_auth_search m = {.session = x->grant->session, .proof = x->grant->proof, .what = x->trail->use, .query = query};
    SK_FILL_ORIGIN(&m, x);
    sk_reserved_ask(x, SK_AUTH_SEARCH, &m);
}

bool sk_trail_path(struct sk_slice path)
{
    return sk_slice_starts(path, SK_LIT(SK_READER_PATH)) && (path.len == sizeof(SK_READER_PATH) - 1 || path.data[sizeof(SK_READER_PATH) - 1] == '/');
}

void sk_trail_serve(struct sk_exchange *x)
{
    static const struct {
        const char *path;
        enum sk_query_use use;
    } resources[] = {{RECORDS, SK_QUERY_RECORDS}, {STATS, SK_QUERY_COUNTS}, {PROOF, SK_QUERY_PROOF}};
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
        x->trail->use = resources[i].use;
        search(x);
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
    r = r ? r : x->trail->is.raw ? put_raw(m, &row) : sk_record_json(&record, &row);
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
    int r = sk_buf_printf(&x->told, "%s{\"from\":\"%s\",\"allow\":%llu,\"deny\":%llu,\"challenge\":%llu,\"error\":%llu}", sk_buf_len(&x->told) ? ",\n" : "", from,
            (unsigned long long)m->allow, (unsigned long long)m->deny, (unsigned long long)m->challenge, (unsigned long long)m->error);
    x->trail->cut = x->trail->cut || r || sk_buf_len(&x->told) > COUNTS_MAX;
}

static void found(struct sk_exchange *x, const struct sk_auth_found *m)
{
    const struct sk_trail_answer *t = x->trail;
    struct sk_slice list = sk_buf_peek(&x->told), body = SK_SLICE_NULL;
    int len = (int)list.len;
    const char *text = list.data ? list.data : "";
    unsigned long long next = t->cut ? t->last : m->next, size = m->size, step = t->is.step / SK_SECOND;
    struct sk_auth_taken taken = {.ticket = m->ticket};
    (void)!(x->gate->auth ? sk_channel_send(x->gate->auth, SK_AUTH_TAKEN, &taken, NULL) : 0); /* else auth waits for it as long as for an answer */
    if (t->use == SK_QUERY_RECORDS && next) {
        body = sk_arena_printf(x->arena, "{\"records\":[%.*s],\"next\":%llu,\"size\":%llu}\n", len, text, next, size);
    } else if (t->use == SK_QUERY_RECORDS) {
        body = sk_arena_printf(x->arena, "{\"records\":[%.*s],\"next\":null,\"size\":%llu}\n", len, text, size);
    } else if (t->use == SK_QUERY_COUNTS && !t->cut) {
        body = sk_arena_printf(x->arena, "{\"counts\":[%.*s],\"step\":%llu,\"size\":%llu}\n", len, text, step, size);
    } else if (!t->cut) {
        body = sk_arena_printf(x->arena, "%.*s,\"recorded\":%llu}\n", len, len ? text : "{", size);
    }
    if (body.data) {
        sk_reserved_json(x, body);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

static void refused(struct sk_exchange *x, const struct sk_auth_refused *m)
{
    static const char *const denials[] = {"not-permitted", "not-granted", "login-required", "unknown-user"};
    struct sk_slice reason = sk_arena_copy(x->arena, m->reason);
    bool denied = false;
    for (size_t i = 0; i < SK_COUNT(denials); i++) {
        denied |= sk_slice_eq(reason, sk_slice_str(denials[i]));
    }
    sk_exchange_deny(x, denied ? 403 : 503, denied ? SK_AUDIT_DECISION_DENY : SK_AUDIT_DECISION_ERROR, reason);
}

void sk_trail_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    switch (code) {
    case SK_AUTH_RECORD:
        gather_record(x, message);
        break;
    case SK_AUTH_COUNT:
        gather_count(x, message);
        break;
    case SK_AUTH_PROOF:
        gather_proof(x, message);
        break;
    case SK_AUTH_FOUND:
        found(x, message);
        break;
    case SK_AUTH_REFUSED:
        refused(x, message);
        break;
    default:
        break;
    }
}
