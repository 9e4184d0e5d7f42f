/*
 * Questions about a tenant's records: judged and on record here, answered by the reader. A worker's word that the policy lets the asker read them is not
 * enough, for who has the trail has the tenant's past.
 */
#include "auth/programs.h"
#include "auth/trail.h"

#include "base/clock.h"
#include "journal/query.h"

#include <stdlib.h>

#define READER_DEADLINE (10 * SK_SECOND)
#define TERMS_MAX ((size_t)8192)

/* What is asked, and how far that came. */
struct search {
    enum sk_query_use use;
    struct sk_query is;
    char query[SK_QUERY_TEXT + 1]; /* as it was asked, for the record */
    bool asked;    /* the reader was */
    bool answered; /* and has said that it is done */
    size_t terms_len;
    char terms[];
};

void auth_search_free(struct job *job)
{
    const struct search *s = job->search;
    struct sk_reader_taken m = {.ticket = job->id};
    if (s && s->asked && job->auth->reader) {
        (void)!sk_channel_send(job->auth->reader, s->answered ? SK_READER_TAKEN : SK_READER_CANCEL, &m, NULL);
    }
    free(job->search);
    job->search = NULL;
}

struct sk_slice auth_search_question(const struct job *job)
{
    return sk_slice_str(job->search ? job->search->query : NULL);
}

bool auth_is_reading(const struct job *job)
{
    return job->search && job->search->asked;
}

/* ---- asking ---- */

static void ask_reader(struct job *job)
{
    struct search *s = job->search;
    const struct sk_query *q = &s->is;
    struct sk_slice terms = sk_slice(s->terms, s->terms_len);
    uint64_t after = q->before_given && !q->before ? UINT64_MAX : q->after; /* below 0 there is nothing */
    struct sk_reader_find find = {.ticket = job->id, .terms = terms, .from = q->from, .to = q->to, .before = q->before, .after = after,
            .limit = q->limit, .wait = q->wait, .salted = q->raw};
    struct sk_reader_counts counts = {.ticket = job->id, .terms = terms, .from = q->from, .to = q->to, .step = q->step};
    struct sk_reader_prove prove = {.ticket = job->id, .from = q->from, .to = q->to, .before = q->before, .after = after};
    static const uint16_t codes[] = {[SK_QUERY_RECORDS] = SK_READER_FIND, [SK_QUERY_COUNTS] = SK_READER_COUNTS, [SK_QUERY_PROOF] = SK_READER_PROVE};
    const void *const messages[] = {[SK_QUERY_RECORDS] = &find, [SK_QUERY_COUNTS] = &counts, [SK_QUERY_PROOF] = &prove};
    memcpy(find.tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(counts.tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(prove.tenant, job->tenant->id, SK_ID_SIZE);
    sk_timer_set(&job->timer, READER_DEADLINE + q->wait);
    struct sk_channel *reader = job->auth->reader;
    s->asked = reader && sk_channel_send(reader, codes[s->use], messages[s->use], NULL) == 0;
    if (!s->asked) {
        auth_refuse(job, "reader-unavailable");
    }
}

static void recorded(struct sk_record_wait *wait, bool durable)
{
    struct job *job = SK_CONTAINER(wait, struct job, wait);
    if (durable) {
        ask_reader(job);
    } else {
        auth_refuse(job, "audit-unavailable");
    }
}

/* The role lists of the tenant: for records, counts and proofs. */
static bool may_read(const struct job *job)
{
    static const unsigned places[] = {[SK_QUERY_RECORDS] = 0, [SK_QUERY_COUNTS] = 1, [SK_QUERY_PROOF] = 2};
    struct sk_slice lists = sk_slice_str(job->tenant->auditors), list = SK_SLICE_NULL;
    for (unsigned i = 0; i <= places[job->search->use]; i++) {
        list = sk_slice_split(&lists, ';');
    }
    return job->user.known && !job->user.disabled && !job->stale && auth_asker_has(job, list) &&
           auth_scope_allows(job->user.scope, SK_LIT(SK_POLICY_BUILTIN_NAME), SK_LIT("GET"));
}

static void judge(struct job *job)
{
    static const char *const reasons[] = {[SK_QUERY_RECORDS] = "records", [SK_QUERY_COUNTS] = "counts", [SK_QUERY_PROOF] = "proof"};
    job->denied_op = SK_AUDIT_TRAIL_READ;
    if (may_read(job)) {
        auth_record(job, SK_AUDIT_TRAIL_READ, SK_AUDIT_DECISION_ALLOW, reasons[job->search->use], recorded);
    } else {
        auth_deny(job, "not-permitted", "not-permitted");
    }
}

static int read_search(struct job *job, uint64_t what, struct sk_slice text)
{
    struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(TERMS_MAX);
    struct sk_query query;
    struct sk_slice wrong;
    bool use = what == SK_QUERY_RECORDS || what == SK_QUERY_COUNTS || what == SK_QUERY_PROOF;
    if (!use || sk_query_read(text, (enum sk_query_use)what, sk_clock_wall(), &query, &terms, &wrong)) {
        return 1;
    }
    struct sk_slice all = sk_buf_peek(&terms);
    struct search *search = malloc(sizeof(*search) + all.len);
    if (!search) {
        return 1;
    }
    *search = (struct search){.use = (enum sk_query_use)what, .is = query, .terms_len = all.len};
    auth_copy(search->query, sizeof(search->query), text);
    if (all.data) {
        memcpy(search->terms, all.data, all.len);
    }
    job->search = search;
    return 0;
}

static size_t searches_of(const struct tenant *tenant, const struct job *jobs)
{
    size_t count = 0;
    for (; jobs; jobs = jobs->next) {
        count += jobs->tenant == tenant && jobs->search;
    }
    return count;
}

void auth_search(struct auth *auth, uint64_t worker, const struct sk_auth_search *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_SEARCH, m->tenant, m->host, m->session, m->proof);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    if (searches_of(job->tenant, auth->jobs) >= SK_READER_OF_TENANT) {
        auth_refuse(job, "busy");
    } else if (read_search(job, m->what, m->query)) {
        auth_refuse(job, "bad-query");
    } else {
        auth_find_asker(job, judge);
    }
}

/* The worker has taken the answer; or its client is gone. */
void auth_search_over(struct auth *auth, uint64_t worker, uint64_t ticket)
{
    for (struct job *job = auth->jobs; job; job = job->next) {
        if (job->worker == worker && job->ticket == ticket && job->search) {
            auth_job_free(job);
            return;
        }
    }
}

/* ---- answers ---- */

/* The job stays until the worker has taken all of it: others wait for that. */
static void done(struct job *job, const struct sk_reader_done *m)
{
    struct sk_auth_found found = {.ticket = job->ticket, .next = m->next, .size = m->size};
    job->search->answered = true;
    if (m->status != SK_READER_ANSWERED) {
        auth_refuse(job, m->status == SK_READER_BROKEN ? "trail-unreadable" : m->status == SK_READER_UNSIGNED ? "not-signed-yet" : "reader-unavailable");
        return;
    }
    if (auth_answer(job->auth, job->worker, SK_AUTH_FOUND, &found)) {
        auth_job_free(job);
    }
}

void auth_from_reader(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_READER_DONE && !may_read(job)) {
        auth_refuse(job, "not-permitted"); /* no longer */
    } else if (code == SK_READER_RECORD) {
        const struct sk_reader_record *r = message;
        struct sk_auth_record m = {.ticket = job->ticket, .cbor = r->cbor, .salt = r->salt};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_RECORD, &m);
    } else if (code == SK_READER_COUNT) {
        const struct sk_reader_count *c = message;
        struct sk_auth_count m = {job->ticket, c->from, c->allow, c->deny, c->challenge, c->error};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_COUNT, &m);
    } else if (code == SK_READER_PROOF) {
        const struct sk_reader_proof *p = message;
        struct sk_auth_proof m = {job->ticket, p->first, p->end, p->size, p->note, p->left, p->right};
        (void)auth_answer(job->auth, job->worker, SK_AUTH_PROOF, &m);
    } else if (code == SK_READER_DONE) {
        done(job, message);
    }
}

void auth_search_revoked(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (auth_is_reading(job) && job->stale && !job->search->answered) {
            auth_refuse(job, "not-permitted");
        }
    }
}

void auth_reader_lost(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (auth_is_reading(job)) {
            job->search->asked = false; /* whom the next one knows nothing of */
            auth_refuse(job, "reader-unavailable");
        }
    }
}
