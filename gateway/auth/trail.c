/*
 * Questions about a tenant's records: judged and on record here, answered by the reader. A worker's word that the policy lets the asker read them is not
 * enough, for who has the trail has the tenant's past.
 */
#include "auth/trail.h"

#include "base/clock.h"

#include <stdlib.h>

#define READER_DEADLINE (10 * SK_SECOND)

/* What is asked. */
struct search {
    enum { RECORDS, COUNTS, PROOF } what;
    uint64_t from, to, before, after, limit, wait, step;
    bool salted;
    char *question; /* as it was asked, for the record */
    size_t terms_len;
    char terms[];
};

void auth_search_free(struct job *job)
{
    if (job->search) {
        free(job->search->question);
    }
    free(job->search);
    job->search = NULL;
}

struct sk_slice auth_search_question(const struct job *job)
{
    return sk_slice_str(job->search ? job->search->question : NULL);
}

/* ---- asking ---- */

static void ask_reader(struct job *job)
{
    const struct search *s = job->search;
    struct sk_slice terms = sk_slice(s->terms, s->terms_len);
    struct sk_reader_find find = {.ticket = job->id, .terms = terms, .from = s->from, .to = s->to, .before = s->before, .after = s->after,
            .limit = s->limit, .wait = s->wait, .salted = s->salted};
    struct sk_reader_counts counts = {.ticket = job->id, .terms = terms, .from = s->from, .to = s->to, .step = s->step};
    struct sk_reader_prove prove = {.ticket = job->id, .from = s->from, .to = s->to, .before = s->before, .after = s->after};
    static const uint16_t codes[] = {[RECORDS] = SK_READER_FIND, [COUNTS] = SK_READER_COUNTS, [PROOF] = SK_READER_PROVE};
    const void *const messages[] = {[RECORDS] = &find, [COUNTS] = &counts, [PROOF] = &prove};
    memcpy(find.tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(counts.tenant, job->tenant->id, SK_ID_SIZE);
    memcpy(prove.tenant, job->tenant->id, SK_ID_SIZE);
    job->reads = true;
    sk_timer_set(&job->timer, READER_DEADLINE + (s->wait < SK_READER_WAIT ? s->wait : SK_READER_WAIT));
    struct sk_channel *reader = job->auth->reader;
    if (!reader || sk_channel_send(reader, codes[s->what], messages[s->what], NULL) < 0) {
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

static void judge(struct job *job)
{
    job->denied_op = SK_AUDIT_TRAIL_READ;
    if (!job->user.known || job->user.disabled || job->stale || !auth_asker_has(job, job->tenant->auditors)) {
        auth_deny(job, "not-permitted", "not-permitted");
    } else {
        static const char *const reasons[] = {[RECORDS] = "records", [COUNTS] = "counts", [PROOF] = "proof"};
        auth_record(job, SK_AUDIT_TRAIL_READ, SK_AUDIT_DECISION_ALLOW, reasons[job->search->what], recorded);
    }
}

static void begin(struct job *job, const struct search *is, struct sk_slice question, struct sk_slice terms)
{
    struct search *search = malloc(sizeof(*search) + terms.len);
    if (search) {
        *search = *is;
        search->terms_len = terms.len;
        search->question = strndup(question.len ? question.data : "", question.len);
        if (terms.len) {
            memcpy(search->terms, terms.data, terms.len);
        }
    }
    job->search = search;
    if (!search || !search->question) {
        auth_refuse(job, "internal-error");
    } else {
        auth_find_asker(job, judge);
    }
}

void auth_find(struct auth *auth, uint64_t worker, const struct sk_auth_find *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_FIND, m->tenant, m->host, m->session, m->proof);
    const struct search is = {.from = m->from, .to = m->to, .before = m->before, .after = m->after, .limit = m->limit, .wait = m->wait, .salted = m->salted};
    if (job) {
        TAKE_ORIGIN(job, m);
        begin(job, &is, m->question, m->terms);
    }
}

void auth_counts(struct auth *auth, uint64_t worker, const struct sk_auth_counts *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_COUNTS, m->tenant, m->host, m->session, m->proof);
    const struct search is = {.what = COUNTS, .from = m->from, .to = m->to, .step = m->step};
    if (job) {
        TAKE_ORIGIN(job, m);
        begin(job, &is, m->question, m->terms);
    }
}

void auth_prove_trail(struct auth *auth, uint64_t worker, const struct sk_auth_prove *m)
{
    struct job *job = auth_job_under(auth, worker, m->ticket, SK_AUTH_PROVE, m->tenant, m->host, m->session, m->proof);
    const struct search is = {.what = PROOF, .from = m->from, .to = m->to, .before = m->before, .after = m->after};
    if (job) {
        TAKE_ORIGIN(job, m);
        begin(job, &is, m->question, SK_SLICE_NULL);
    }
}

/* ---- answers ---- */

static void done(struct job *job, const struct sk_reader_done *m)
{
    struct sk_auth_found found = {.ticket = job->ticket, .next = m->next, .size = m->size};
    if (m->status != SK_READER_ANSWERED) {
        auth_refuse(job, m->status == SK_READER_BROKEN ? "trail-unreadable" : m->status == SK_READER_UNSIGNED ? "not-signed-yet" : "reader-unavailable");
        return;
    }
    (void)auth_answer(job->auth, job->worker, SK_AUTH_FOUND, &found);
    auth_job_free(job);
}

void auth_from_reader(struct job *job, uint16_t code, const void *message)
{
    if (code == SK_READER_RECORD) {
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

void auth_reader_lost(struct auth *auth)
{
    for (struct job *job = auth->jobs, *next; job; job = next) {
        next = job->next;
        if (job->reads) {
            auth_refuse(job, "reader-unavailable");
        }
    }
}
