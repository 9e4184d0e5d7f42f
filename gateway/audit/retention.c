/* Keeping records, and not longer. Runs in audit alone. */
#include "audit/retention.h"

#include "base/text.h"
#include "journal/pruned.h"

#include <errno.h>
#include <stdio.h>

#define LAST_WORDS (5 * SK_SECOND) /* a tenant's processes say how its requests ended */
#define AGAIN (10 * SK_SECOND)     /* after a failure */
#define KEYS_A_STEP 64U
#define LOOK_AGAIN (3600 * SK_SECOND) /* whether what was too young is due: the clock may have been wrong */

static const struct sk_keys *keys_of(const struct retention *r)
{
    return sk_writer_keys(r->writer);
}

static bool is_held(const void *retention, const uint8_t tenant[SK_ID_SIZE])
{
    const struct retention *r = retention;
    return tenure_is_held(&r->tenure, keys_of(r), tenant);
}

static bool is_ended(const struct tenure_tenant *tenant)
{
    return sk_clock_wall() >= tenant->terms.ends;
}

/* ---- what is due ---- */

/* A service whose records are kept for another number of days than its tenants' trails say. */
static bool find_kept(struct retention *r)
{
    for (struct sk_table_node *n = sk_table_walk(&r->tenure.services, NULL); n; n = sk_table_walk(&r->tenure.services, n)) {
        const struct tenure_service *service = SK_CONTAINER(n, struct tenure_service, node);
        if (sk_keys_said(keys_of(r), SK_KEYS_DAYS, service->id) != service->days) {
            r->job.what = RETENTION_KEPT;
            r->job.days = service->days;
            memcpy(r->job.id, service->id, SK_ID_SIZE);
            return true;
        }
    }
    return false;
}

/* A contract that is over, of which something is there and may be erased. What is recorded later all the same makes a new key, which is erased in turn. */
static bool find_ended(struct retention *r)
{
    uint64_t boot = sk_clock_boot();
    for (struct sk_table_node *n = sk_table_walk(&r->tenure.tenants, NULL); n; n = sk_table_walk(&r->tenure.tenants, n)) {
        struct tenure_tenant *contract = SK_CONTAINER(n, struct tenure_tenant, node);
        if (!is_ended(contract) || !sk_keys_has(keys_of(r), contract->id)) {
            continue;
        }
        bool erased = sk_keys_erased(keys_of(r), contract->id);
        if (!erased && !contract->terms.hold && boot >= contract->since + LAST_WORDS) {
            r->job.what = RETENTION_TENANT;
            memcpy(r->job.id, contract->id, SK_ID_SIZE);
            return true;
        }
        if (erased && !sk_keys_copied(keys_of(r), contract->id) && (!contract->certified || boot >= contract->certified + SK_WRITER_DOUBT)) {
            contract->certified = boot;
            r->erased(r, contract->id, contract->name);
        }
    }
    return false;
}

/* A copy that was left long enough. */
static bool find_copy(struct retention *r)
{
    const uint8_t *tenant = sk_keys_due(keys_of(r), sk_clock_wall(), is_held, r);
    if (tenant) {
        r->job.what = RETENTION_COPY;
        memcpy(r->job.id, tenant, SK_ID_SIZE);
    }
    return tenant != NULL;
}

/* Wall time before which the service is not looked at again. */
static uint64_t not_before(const struct retention *r, const uint8_t *service)
{
    const struct tenure_service *told = service ? tenure_find_service(&r->tenure, service) : NULL;
    for (unsigned i = 0; service && !told && i < RETENTION_UNNAMED; i++) {
        if (memcmp(r->unnamed[i].id, service, SK_ID_SIZE) == 0) {
            return r->unnamed[i].not_before;
        }
    }
    return told ? told->not_before : 0;
}

static void set_not_before(struct retention *r, const uint8_t *service, uint64_t time)
{
    struct tenure_service *told = tenure_find_service(&r->tenure, service);
    unsigned i = 0;
    if (told) {
        told->not_before = time;
        return;
    }
    while (i < RETENTION_UNNAMED && memcmp(r->unnamed[i].id, service, SK_ID_SIZE) != 0) {
        i++;
    }
    i = i < RETENTION_UNNAMED ? i : r->unnamed_next++ % RETENTION_UNNAMED;
    memcpy(r->unnamed[i].id, service, SK_ID_SIZE);
    r->unnamed[i].not_before = time;
}

struct looking {
    struct retention *retention;
    uint32_t today;
    bool found;
};

/* Kept so many whole days from its end on. */
static bool is_over(uint32_t day, uint32_t days, uint32_t today)
{
    return days && today > days && day < today - days;
}

static void look_at(void *context, const struct sk_keys_day *day)
{
    struct looking *l = context;
    struct retention *r = l->retention;
    struct retention_job *job = &r->job;
    const uint8_t *service = day->held ? sk_keys_service(keys_of(r), day->id) : day->id;
    uint32_t days = service ? tenure_days(&r->tenure, keys_of(r), service) : 0;
    if (!is_over(day->day, days, l->today) || sk_clock_wall() < not_before(r, service) || (day->held && is_held(r, day->id))) {
        return;
    }
    enum retention_what what = day->held ? RETENTION_RELEASED : RETENTION_SERVICE;
    if (!l->found) {
        job->what = what;
        job->from = day->day;
        job->to = l->today - days - 1;
        job->days = days;
        memcpy(job->id, day->id, SK_ID_SIZE);
        l->found = true;
    } else if (job->what == what && memcmp(job->id, day->id, SK_ID_SIZE) == 0 && day->day < job->from) {
        job->from = day->day;
    }
}

static bool find_days(struct retention *r)
{
    struct looking l = {.retention = r, .today = (uint32_t)(sk_clock_wall() / SK_DAY)};
    sk_keys_days(keys_of(r), look_at, &l);
    r->job.next = r->job.from;
    return l.found;
}

static void note_oldest(void *context, const struct sk_keys_day *day)
{
    uint32_t *oldest = context;
    *oldest = day->day < *oldest ? day->day : *oldest;
}

/* ---- whom it concerns ---- */

struct collecting {
    struct retention *retention;
    struct survey_tenants *into;
    bool held; /* those alone */
    int failed;
};

static void collect(void *context, const uint8_t tenant[SK_ID_SIZE], const uint8_t service[SK_ID_SIZE])
{
    struct collecting *c = context;
    bool meant = memcmp(service, c->retention->job.id, SK_ID_SIZE) == 0 && (!c->held || is_held(c->retention, tenant));
    c->failed = c->failed || !meant ? c->failed : survey_add(c->into, tenant, 0, 0);
}

/* The service's tenants. 0 or negative. */
static int find_tenants(struct retention *r, bool held, struct survey_tenants *into)
{
    struct collecting c = {.retention = r, .into = into, .held = held};
    sk_keys_tenants(keys_of(r), collect, &c);
    return c.failed;
}

/* ---- in a thread ---- */

static void *run(void *context)
{
    struct retention *r = context;
    struct retention_job *job = &r->job;
    r->result = r->state == RETENTION_SWEEPS ? survey_sweep(&job->survey, job->oldest, &job->first)
                                             : survey_days(&job->survey, job->from, job->to, &job->found, &job->last);
    atomic_store(&r->done, 1);
    return NULL;
}

/* Whatever is left of it is found again. */
static void end(struct retention *r, int error)
{
    struct retention_job *job = &r->job;
    int folder = job->survey.folder;
    survey_free(&job->found);
    survey_free(&job->held);
    *job = (struct retention_job){.survey = {.folder = folder}};
    r->state = RETENTION_IDLE;
    if (error) {
        r->again = sk_clock_boot() + AGAIN;
        r->failed(r, error);
    }
}

static void start(struct retention *r, enum retention_state state)
{
    struct sk_writer_place place = sk_writer_place(r->writer);
    r->job.survey.last = place.last;
    r->job.survey.end = place.end;
    atomic_store(&r->done, 0);
    r->state = state;
    int error = pthread_create(&r->thread, NULL, run, r);
    if (error) {
        end(r, -error);
    }
}

static void sweep(struct retention *r)
{
    r->job.oldest = UINT32_MAX;
    sk_keys_days(keys_of(r), note_oldest, &r->job.oldest);
    start(r, RETENTION_SWEEPS);
}

/* Some of what is sealed for the days may have been recorded later: while there was no room for the next day's file. */
static void survey_over(struct retention *r)
{
    const struct retention_job *job = &r->job;
    const uint8_t *id = job->what == RETENTION_RELEASED ? sk_keys_service(keys_of(r), job->id) : job->id;
    uint64_t due = job->last + job->days * SK_DAY;
    int error = job->what == RETENTION_SERVICE ? find_tenants(r, true, &r->job.held) : 0;
    if (sk_clock_wall() < due) {
        const uint64_t left = due - sk_clock_wall();
        set_not_before(r, id ? id : job->id, sk_clock_wall() + (left < LOOK_AGAIN ? left : LOOK_AGAIN));
        end(r, 0);
    } else if (error) {
        end(r, error);
    } else {
        r->state = RETENTION_HOLDS;
    }
}

static void thread_over(struct retention *r)
{
    if (!atomic_load(&r->done)) {
        return;
    }
    (void)pthread_join(r->thread, NULL);
    if (r->state == RETENTION_SURVEYS && r->result == 0) {
        survey_over(r);
        return;
    }
    if (r->job.first) {
        sk_writer_set_first(r->writer, r->job.first);
    }
    r->swept = r->state == RETENTION_SWEEPS ? r->result == 0 : r->swept;
    end(r, r->result);
}

/* ---- step by step ---- */

static void begin(struct retention *r)
{
    if (sk_writer_added(r->writer)) {
        return; /* what is counted is on disk */
    }
    r->job.changes = r->tenure.changes;
    int error = sk_writer_erase_again(r->writer); /* of a job that ended meanwhile */
    error = error ? error : tenure_say(&r->tenure, r->writer);
    if (error == 0 && find_kept(r)) {
        error = find_tenants(r, false, &r->job.found);
        r->state = RETENTION_RECORDS;
    } else if (error == 0 && (find_ended(r) || find_copy(r))) {
        r->state = RETENTION_RECORDS;
    } else if (error == 0 && find_days(r)) {
        start(r, RETENTION_SURVEYS);
    } else if (error == 0 && !r->swept) {
        sweep(r);
    }
    if (error) {
        end(r, error);
    }
}

/* Tenants on hold keep keys of their own of the days whose keys are erased; one day at a step. */
static void hold(struct retention *r)
{
    struct retention_job *job = &r->job;
    int result = 0;
    while (job->next <= job->to && !sk_keys_has_day(keys_of(r), job->id, job->next)) {
        job->next++;
    }
    if (job->what != RETENTION_SERVICE || job->next > job->to) {
        job->next = job->from;
        r->state = RETENTION_RECORDS;
        return;
    }
    for (struct sk_table_node *n = sk_table_walk(&job->held.table, NULL); result >= 0 && n; n = sk_table_walk(&job->held.table, n)) {
        result = sk_writer_hold(r->writer, SK_CONTAINER(n, struct survey_tenant, node)->tenant, job->next);
    }
    job->next += result >= 0;
    if (result < 0) {
        end(r, result);
    }
}

/* 0; negative: not now. */
static int add(struct retention *r, const uint8_t tenant[SK_ID_SIZE], enum sk_audit_op op, const char *detail, uint64_t count)
{
    struct sk_audit_record record = {.op = op, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW, .detail = sk_slice_str(detail), .count = count};
    memcpy(record.tenant, tenant, SK_ID_SIZE);
    int result = sk_writer_full(r->writer) ? -EAGAIN : sk_writer_add(r->writer, &record, 0);
    return result < 0 ? result : 0;
}

/* What of one tenant will be gone; or is kept, because the law says so. */
static int record_tenant(struct retention *r, const struct survey_tenant *tenant)
{
    const struct retention_job *job = &r->job;
    const uint8_t *service = sk_keys_service(keys_of(r), tenant->tenant);
    const struct sk_pruned pruned = {tenant->first, tenant->end, (job->to + 1) * SK_DAY, job->days};
    char detail[SK_PRUNED_TEXT];
    bool released = job->what == RETENTION_RELEASED;
    if (!service || memcmp(released ? tenant->tenant : service, job->id, SK_ID_SIZE) != 0 || sk_keys_erased(keys_of(r), tenant->tenant)) {
        return 0;
    }
    if (job->what == RETENTION_KEPT) {
        (void)snprintf(detail, sizeof(detail), "days=%u", job->days);
        return add(r, tenant->tenant, SK_AUDIT_TRAIL_KEPT, detail, 0);
    }
    sk_pruned_put(&pruned, detail);
    return add(r, tenant->tenant, !released && is_held(r, tenant->tenant) ? SK_AUDIT_TRAIL_HELD : SK_AUDIT_TRAIL_PRUNED, detail, tenant->count);
}

/* Until when the contract's records are to be had with the recovery key, should it end now; 0: they are not. */
static uint64_t recoverable(const struct retention *r, const struct tenure_tenant *contract)
{
    return r->tenure.recovery && contract && contract->terms.recoverable > sk_clock_wall() ? contract->terms.recoverable : 0;
}

/* What the operator sees of it. */
static int record_whole(struct retention *r)
{
    static const uint8_t operators[SK_ID_SIZE];
    const struct retention_job *job = &r->job;
    const struct tenure_service *service = tenure_find_service(&r->tenure, job->id);
    const struct tenure_tenant *contract = tenure_find_tenant(&r->tenure, job->id);
    const char *name = contract ? contract->name : "a tenant that is gone";
    uint64_t copied = recoverable(r, contract);
    char detail[400], until[32];
    sk_time_text(copied ? copied : (job->to + 1) * SK_DAY, until);
    switch (job->what) {
    case RETENTION_TENANT:
        (void)snprintf(detail, sizeof(detail), "contract over: %s%s%s", name, copied ? ", recoverable until=" : "", copied ? until : "");
        break;
    case RETENTION_COPY:
        (void)snprintf(detail, sizeof(detail), "no longer recoverable: %s", name);
        break;
    case RETENTION_RELEASED:
        (void)snprintf(detail, sizeof(detail), "no longer held: %s, until=%.10s days=%u", name, until, job->days);
        break;
    case RETENTION_SERVICE:
        if (memcmp(job->id, operators, SK_ID_SIZE) == 0) {
            (void)snprintf(detail, sizeof(detail), "the operator's own, until=%.10s days=%u", until, job->days);
        } else {
            (void)snprintf(detail, sizeof(detail), "service %s, until=%.10s days=%u", service ? service->name : "that is gone", until, job->days);
        }
        break;
    case RETENTION_KEPT:
        return 0;
    }
    return add(r, operators, SK_AUDIT_TRAIL_ERASED, detail, 0);
}

static void record(struct retention *r)
{
    struct retention_job *job = &r->job;
    int result = 0;
    for (const struct sk_table_node *n = sk_table_walk(&job->found.table, job->at); result == 0 && n; n = sk_table_walk(&job->found.table, job->at)) {
        result = record_tenant(r, SK_CONTAINER(n, struct survey_tenant, node));
        job->at = result ? job->at : n;
    }
    result = result ? result : record_whole(r);
    if (result) {
        return; /* goes on when the group is written */
    }
    if (job->what == RETENTION_KEPT) {
        end(r, sk_writer_say(r->writer, SK_KEYS_DAYS, job->id, job->days));
    } else {
        r->state = RETENTION_SIGNS;
    }
}

static void wait_signed(struct retention *r)
{
    if (sk_writer_added(r->writer)) {
        return;
    }
    r->job.mark = r->job.mark ? r->job.mark : sk_writer_mark(r->writer);
    if (sk_writer_is_signed(r->writer, r->job.mark)) {
        r->state = RETENTION_ERASES;
    }
}

struct held {
    const uint8_t *tenant;
    uint32_t day;
    bool any;
};

static void note_held(void *context, const struct sk_keys_day *day)
{
    struct held *held = context;
    if (day->held && memcmp(day->id, held->tenant, SK_ID_SIZE) == 0) {
        held->day = day->day;
        held->any = true;
    }
}

/* A day that was kept for this tenant. */
static bool find_held(const struct retention *r, const uint8_t tenant[SK_ID_SIZE], uint32_t *day)
{
    struct held held = {.tenant = tenant};
    sk_keys_days(keys_of(r), note_held, &held);
    *day = held.day;
    return held.any;
}

/* Of the key that is about to be erased, if there is to be one. 0; negative. */
static int copy(struct retention *r)
{
    uint64_t due = r->job.copied ? 0 : recoverable(r, tenure_find_tenant(&r->tenure, r->job.id));
    int result = due ? sk_writer_copy(r->writer, r->job.id, r->tenure.recovery, due) : 0;
    r->job.copied = result >= 0;
    return result < 0 ? result : 0;
}

/* All of a tenant, one key at a time, its own last. 0; 1 that was it; negative. */
static int erase_tenant(struct retention *r)
{
    uint32_t day;
    if (find_held(r, r->job.id, &day)) {
        return sk_writer_release(r->writer, r->job.id, day);
    }
    int result = copy(r);
    result = result ? result : sk_writer_erase_tenant(r->writer, r->job.id);
    return result < 0 ? result : 1;
}

/* One key, or a day that has none. 0; 1 that was it; negative. */
static int erase_next(struct retention *r)
{
    struct retention_job *job = &r->job;
    int result;
    if (job->what == RETENTION_TENANT) {
        return erase_tenant(r);
    }
    if (job->what == RETENTION_COPY) {
        return sk_writer_erase_copy(r->writer, job->id);
    }
    if (job->next > job->to) {
        return 1;
    }
    uint64_t before = sk_keys_count_erased(keys_of(r));
    result = job->what == RETENTION_RELEASED ? sk_writer_release(r->writer, job->id, job->next) : sk_writer_erase_day(r->writer, job->id, job->next);
    /* What it could not overwrite is forgotten all the same, and overwritten first of all. */
    job->next += result >= 0 || sk_keys_count_erased(keys_of(r)) != before;
    return result < 0 ? result : 0;
}

static void erase(struct retention *r)
{
    int result = sk_writer_erase_again(r->writer);
    for (unsigned i = 0; result == 0 && i < KEYS_A_STEP; i++) {
        result = erase_next(r);
    }
    if (result < 0) {
        r->again = sk_clock_boot() + AGAIN;
        r->failed(r, result);
    } else if (result == 1) {
        sweep(r);
    }
}

/* Is it still, what was due when it began? */
static bool is_due(const struct retention *r)
{
    const struct retention_job *job = &r->job;
    const struct tenure_tenant *contract = tenure_find_tenant(&r->tenure, job->id);
    switch (job->what) {
    case RETENTION_TENANT:
        return contract && is_ended(contract);
    case RETENTION_SERVICE:
    case RETENTION_RELEASED:
        return is_over(job->to, job->days, (uint32_t)(sk_clock_wall() / SK_DAY));
    case RETENTION_COPY:
    case RETENTION_KEPT:
        break;
    }
    return true;
}

/* Does the clock go as time does? */
static bool is_believed(struct retention *r)
{
    uint64_t wall = sk_clock_wall(), boot = sk_clock_boot();
    if (wall > r->wall && wall - r->wall > boot - r->boot + SK_WRITER_DOUBT) {
        r->doubt = boot + SK_WRITER_DOUBT;
        r->doubted(r);
    }
    r->wall = wall;
    r->boot = boot;
    return boot >= r->doubt;
}

void retention_step(struct retention *r)
{
    bool believed = is_believed(r), surveys = r->state == RETENTION_SURVEYS || r->state == RETENTION_SWEEPS;
    if (surveys) {
        thread_over(r);
        return;
    }
    if (!r->tenure.told || r->boot < r->again) {
        return;
    }
    if (r->state != RETENTION_IDLE && (!believed || r->job.changes != r->tenure.changes || !is_due(r))) {
        end(r, 0);
    }
    switch (r->state) {
    case RETENTION_IDLE:
        if (believed) {
            begin(r);
        }
        break;
    case RETENTION_HOLDS:
        hold(r);
        break;
    case RETENTION_RECORDS:
        record(r);
        break;
    case RETENTION_SIGNS:
        wait_signed(r);
        break;
    case RETENTION_ERASES:
        erase(r);
        break;
    case RETENTION_SURVEYS:
    case RETENTION_SWEEPS:
        break;
    }
}

void retention_init(struct retention *r, struct sk_writer *writer, int folder)
{
    struct sk_writer_place place = sk_writer_place(writer);
    r->writer = writer;
    r->job.survey = (struct survey){folder, place.last, place.end};
    r->wall = sk_clock_wall();
    r->boot = sk_clock_boot();
    uint64_t jumped = survey_jumped(&r->job.survey, SK_WRITER_DOUBT);
    if (jumped && r->wall < jumped + SK_WRITER_DOUBT) {
        r->doubt = r->boot + jumped + SK_WRITER_DOUBT - r->wall;
        r->doubted(r);
    }
}

void retention_free(struct retention *r)
{
    if (r->state == RETENTION_SURVEYS || r->state == RETENTION_SWEEPS) {
        (void)pthread_join(r->thread, NULL);
    }
    end(r, 0);
    tenure_free(&r->tenure);
}
