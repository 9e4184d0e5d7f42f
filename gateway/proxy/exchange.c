/* A request's way through the steps (steps.def), and its answer's way back. Runs in the workers. */
#include "proxy/certificate.h"
#include "proxy/page.h"
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "http/fields.h"
#include "journal/record.h"

#include <errno.h>
#include <stdio.h>

#define HELD_MAX ((size_t)256 << 10)

static enum sk_go step_admit(struct sk_exchange *x);
bool sk_exchange_of_own_page(const struct sk_request *r)
{
    const struct sk_slice *origin = sk_field_find(r->fields, r->fields_count, SK_LIT("origin"));
    struct sk_slice https = SK_LIT("https://");
    return !origin || (sk_slice_starts(*origin, https) && sk_slice_eq_nocase(sk_slice_from(*origin, https.len), r->authority));
}

static enum sk_go step_guard(struct sk_exchange *x);
static enum sk_go step_reserved(struct sk_exchange *x);
static enum sk_go step_identify(struct sk_exchange *x);
static enum sk_go step_decide(struct sk_exchange *x);
static enum sk_go step_secrets(struct sk_exchange *x);
static enum sk_go step_intent(struct sk_exchange *x);
static enum sk_go step_forward(struct sk_exchange *x);

static enum sk_go (*const steps[])(struct sk_exchange *x) = {
#define STEP(NAME, name, text) [SK_STEP_##NAME] = step_##name,
#include "proxy/steps.def"
#undef STEP
};

static struct sk_exchange *of(struct sk_stream *stream)
{
    return stream->user;
}

/* Whatever answers may end the stream, and the exchange dies with it: who goes on after an answer asks first. */
static bool alive(const struct sk_stream *stream, const struct sk_exchange *x)
{
    return stream->user == x;
}

/* Takes the steps until one waits or answers. A step that goes on moves to the next; one that answered has moved itself. */
static void run(struct sk_exchange *x)
{
    struct sk_conn *conn = x->conn;
    struct sk_stream *stream = x->stream;
    bool on = true;
    while (on && x->step < SK_STEP_RELAY) {
        enum sk_step step = x->step;
        on = steps[step](x) == SK_GO_ON && alive(stream, x);
        if (on && x->step == step) {
            x->step++;
        }
    }
    sk_conn_touch(conn);
}

void sk_exchange_resume(struct sk_exchange *x)
{
    run(x);
}

/* ---- records ---- */

void sk_exchange_record(const struct sk_exchange *x, enum sk_audit_stage stage, struct sk_audit_record *record)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *agent = sk_field_find(r->fields, r->fields_count, SK_LIT("user-agent"));
    struct sk_slice rule = x->site && x->verdict.rule >= 0 ? sk_policy_rule_text(&x->site->image.policy, x->verdict.rule) : SK_SLICE_NULL;
    *record = (struct sk_audit_record){.op = x->refusal ? SK_AUDIT_MESSAGE_REFUSED : r->websocket ? SK_AUDIT_STREAM : SK_AUDIT_REQUEST,
            .stage = stage,
            .decision = x->decision,
            .reason = x->reason,
            .rule = rule,
            .subject = x->grant ? x->grant->subject : SK_SLICE_NULL,
            .session = x->grant ? x->grant->session : SK_SLICE_NULL,
            .factors = x->grant ? x->grant->factors : SK_SLICE_NULL,
            .address = sk_slice(x->conn->address.bytes, x->conn->address_bytes_len),
            .port = x->conn->address.port,
            .tls = x->conn->tls ? sk_tls_text(x->conn->tls) : SK_SLICE_NULL,
            .request = sk_slice(x->id, SK_ID_SIZE),
            .method = r->method,
            .host = r->host,
            .path = r->path,
            .app = x->site && x->app > 0 ? sk_policy_app_name(&x->site->image.policy, x->app) : SK_SLICE_NULL,
            .agent = agent ? *agent : SK_SLICE_NULL,
            .status = stage == SK_AUDIT_STAGE_INTENT ? 0 : x->response.status,
            .bytes_in = x->bytes_in,
            .bytes_out = x->bytes_out,
            .duration = stage == SK_AUDIT_STAGE_INTENT ? 0 : sk_clock_boot() - x->started,
            .detail = x->detail};
    const struct sk_tenant *tenant = x->site ? x->site->tenant : x->conn->tenant;
    if (tenant) {
        memcpy(record->tenant, tenant->id, SK_ID_SIZE);
    }
}

static int put_record(struct sk_exchange *x, enum sk_audit_stage stage, void (*done)(struct sk_record_wait *wait, bool durable))
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX] sk_uninitialized;
    struct sk_audit_record record;
    sk_exchange_record(x, stage, &record);
    x->wait.done = done;
    int r = sk_recorder_put(&x->gate->recorder, sk_slice(cbor, sk_record_encode(&record, cbor)), done ? &x->wait : NULL);
    if (r == 0) {
        SK_COUNT_UP(x->gate, records, 1);
    }
    return r;
}

/* ---- answering ---- */

static void finish(struct sk_exchange *x, const struct sk_field *trailers, size_t count)
{
    if (x->finished) {
        return;
    }
    x->finished = true;
    if (sk_stream_finish(x->stream, trailers, count)) {
        sk_stream_abort(x->stream);
    }
}

/* The answer is on record: it is said. The exchange may be over when this returns. */
static void say(struct sk_exchange *x)
{
    struct sk_stream *stream = x->stream;
    bool none = x->response.body == SK_BODY_NONE && !x->response.upgraded;
    bool head = sk_slice_eq(stream->request.method, SK_LIT("HEAD"));
    x->step = x->up ? SK_STEP_RELAY : SK_STEP_ANSWERED;
    x->responded = true;
    x->finished = none;
    sk_conn_touch(x->conn);
    if (sk_stream_respond(stream, &x->response)) {
        sk_stream_abort(stream);
        return;
    }
    if (!alive(stream, x) || none) {
        return;
    }
    struct sk_slice body = x->answer_body.data ? x->answer_body : sk_buf_peek(&x->held);
    if (body.len && !head) {
        x->bytes_out += body.len;
        if (sk_stream_write(stream, body)) {
            sk_stream_abort(stream);
            return;
        }
    }
    sk_buf_free(&x->held);
    if (x->upstream_ended || !x->up) {
        finish(x, x->held_trailers, x->held_trailers_count);
    } else {
        sk_forward_more(x);
    }
}

/* Without a record there is no answer but this one, the only one that is on no record. */
static void say_shut(struct sk_exchange *x)
{
    static struct sk_field retry[] = {{{"retry-after", 11}, {"1", 1}}, {{"cache-control", 13}, {"no-store", 8}}};
    sk_forward_drop(x);
    sk_buf_free(&x->held);
    x->upstream_ended = true;
    x->response = (struct sk_response){.status = 503, .fields = retry, .fields_count = 2, .body = SK_BODY_NONE, .content_length = 0};
    SK_COUNT_UP(x->gate, shut, 1);
    say(x);
}

static void answer_recorded(struct sk_record_wait *wait, bool durable)
{
    struct sk_exchange *x = SK_CONTAINER(wait, struct sk_exchange, wait);
    if (durable) {
        say(x);
        return;
    }
    /* If the record lands after all, one more follows it: the client never got that answer. */
    x->response.status = 503;
    x->decision = SK_AUDIT_DECISION_ERROR;
    x->reason = SK_LIT("withheld");
    (void)!put_record(x, SK_AUDIT_STAGE_OUTCOME, NULL);
    say_shut(x);
}

/* Puts the record of the answer in x->response and waits for it. */
static void record_answer(struct sk_exchange *x)
{
    x->step = SK_STEP_RECORD;
    enum sk_audit_stage stage = x->intended ? SK_AUDIT_STAGE_OUTCOME : x->response.upgraded ? SK_AUDIT_STAGE_START : SK_AUDIT_STAGE_SINGLE;
    x->recorded = true;
    x->streaming = x->response.upgraded;
    if (put_record(x, stage, answer_recorded)) {
        say_shut(x);
    }
}

static void count_decision(struct sk_exchange *x)
{
    if (x->decision == SK_AUDIT_DECISION_ALLOW) {
        SK_COUNT_UP(x->gate, allowed, 1);
    } else if (x->decision == SK_AUDIT_DECISION_CHALLENGE) {
        SK_COUNT_UP(x->gate, challenged, 1);
    } else {
        SK_COUNT_UP(x->gate, denied, 1);
    }
}

static struct sk_field *with_security(struct sk_exchange *x, const struct sk_field *fields, size_t count, size_t *total)
{
    /* With the policy no-referrer a browser would send the pages' own forms with `Origin: null`. */
    static const struct sk_field always[] = {{{"strict-transport-security", 25}, {"max-age=31536000; includeSubDomains", 35}},
            {{"x-content-type-options", 22}, {"nosniff", 7}}, {{"cache-control", 13}, {"no-store", 8}},
            {{"referrer-policy", 15}, {"same-origin", 11}}, {{"cross-origin-opener-policy", 26}, {"same-origin", 11}}};
    struct sk_field *all = sk_arena_alloc(x->arena, sizeof(*all) * (count + SK_COUNT(always) + 2));
    *total = 0;
    if (all) {
        char date[40];
        struct sk_field *last = all + count + SK_COUNT(always);
        last[0] = (struct sk_field){SK_LIT("date"), sk_arena_copy(x->arena, sk_slice(date, sk_time_http(sk_clock_wall(), date)))};
        last[1] = (struct sk_field){SK_LIT("content-security-policy"), sk_page_policy()};
        memcpy(all, always, sizeof(always));
        if (count) {
            memcpy(all + SK_COUNT(always), fields, sizeof(*fields) * count);
        }
        *total = count + SK_COUNT(always) + 2;
    }
    return all;
}

void sk_exchange_answer(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason,
        struct sk_field *fields, size_t count, struct sk_slice body)
{
    if (x->responded || x->recorded) {
        return;
    }
    sk_forward_drop(x);
    sk_recorder_forget(&x->gate->recorder, &x->wait);
    x->decision = decision;
    x->reason = reason;
    x->response = (struct sk_response){.status = status, .body = body.len ? SK_BODY_LENGTH : SK_BODY_NONE, .content_length = body.len};
    if (sk_slice_eq(x->stream->request.method, SK_LIT("HEAD"))) {
        x->response.body = SK_BODY_NONE;
    }
    x->response.fields = with_security(x, fields, count, &x->response.fields_count);
    x->answer_body = body;
    count_decision(x);
    if (x->conn->observe) {
        say(x); /* the observe listener is the operator's own, on loopback: it is on no trail */
        return;
    }
    record_answer(x);
}

static bool is_panel(const struct sk_exchange *x)
{
    return x->site && x->app > 0 && sk_policy_app_kind(&x->site->image.policy, x->app) == SK_APP_PANEL;
}

/* What is of no app is read by a person or a program, as the request says; so is what the gateway has for programs, or has not. */
static bool shows_page(const struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    bool whole = !x->refusal || x->refusal == SK_REFUSAL_MISDIRECTED;
    if (sk_reserved_path(r->path)) {
        return whole && (sk_reserved_is_page(r->path) || sk_page_is_wanted(r));
    }
    return is_panel(x) || (whole && x->app < 0 && sk_page_is_wanted(r));
}

size_t sk_exchange_retry_after(struct sk_exchange *x, uint16_t status, struct sk_field *field)
{
    if ((status != 429 && status != 503) || x->retry_after == 0) {
        return 0;
    }
    struct sk_slice seconds = sk_arena_printf(x->arena, "%llu", (unsigned long long)x->retry_after);
    *field = (struct sk_field){SK_LIT("retry-after"), seconds.data ? seconds : SK_LIT("1")};
    return 1;
}

void sk_exchange_deny(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason)
{
    char hex[2 * SK_ID_SIZE + 1];
    sk_hex_encode(x->id, SK_ID_SIZE, hex);
    const struct sk_request *r = &x->stream->request;
    struct sk_slice id = sk_slice_str(hex), body, where = sk_arena_printf(x->arena, "%.*s%.*s", (int)r->host.len, r->host.data, (int)r->path.len, r->path.data);
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 5);
    size_t count = 0;
    bool page = shows_page(x);
    if (page) {
        body = sk_page_denied(x->arena, sk_page_japanese(r), status, reason, id, where, x->grant ? x->grant->subject : SK_SLICE_NULL);
    } else {
        body = sk_page_problem(x->arena, status, reason, id, sk_slice_eq(reason, SK_LIT("bad-query")) ? x->detail : where);
    }
    if (fields) {
        fields[count++] = (struct sk_field){SK_LIT("content-type"), page ? SK_LIT("text/html; charset=utf-8") : SK_LIT("application/problem+json")};
        if (status == 401) {
            fields[count++] = (struct sk_field){SK_LIT("www-authenticate"), SK_LIT("Basic realm=\"Sekisho\", charset=\"UTF-8\"")};
            fields[count++] = (struct sk_field){SK_LIT("www-authenticate"),
                    x->bearer ? SK_LIT("Bearer realm=\"Sekisho\", error=\"invalid_token\"") : SK_LIT("Bearer realm=\"Sekisho\"")};
            if (x->bound) {
                fields[count++] = (struct sk_field){SK_LIT("www-authenticate"), SK_LIT("DPoP realm=\"Sekisho\", error=\"invalid_token\", algs=\"" SK_DPOP_ALGORITHMS "\"")};
            }
        }
        count += sk_exchange_retry_after(x, status, &fields[count]);
    }
    sk_exchange_answer(x, status, decision, reason, fields, count, body);
}

/* ---- the steps ---- */

/* GCRA: one number per tenant says when the next request of a full bucket would be in time. A burst of one second. */
static bool rate_holds(struct sk_exchange *x)
{
    uint64_t rate = x->site->set.requests;
    if (rate == 0) {
        return true;
    }
    struct sk_usage *usage = sk_tenant_usage(x->site->tenant);
    uint64_t interval = SK_SECOND / rate, now = x->started;
    uint64_t next = atomic_load_explicit(&usage->next_request, memory_order_relaxed);
    for (;;) {
        uint64_t base = next > now ? next : now;
        if (base > now + SK_SECOND) {
            return false;
        }
        if (atomic_compare_exchange_weak_explicit(&usage->next_request, &next, base + interval, memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
}

static enum sk_go step_admit(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_site *site = sk_site_of_host(x->gate, r->host);
    if (!sk_gate_open(x->gate)) {
        x->decision = SK_AUDIT_DECISION_ERROR;
        x->reason = SK_LIT("gate-shut");
        x->response.status = 503;
        x->recorded = true;
        (void)!put_record(x, SK_AUDIT_STAGE_SINGLE, NULL);
        say_shut(x);
        return SK_GO_WAIT;
    }
    /* The connection was made for one tenant's certificate and tickets: no other tenant's host is served on it. */
    if (!site || site->tenant != x->conn->tenant) {
        x->refusal = SK_REFUSAL_MISDIRECTED;
        sk_exchange_deny(x, 421, SK_AUDIT_DECISION_DENY, sk_refusal_text(SK_REFUSAL_MISDIRECTED));
        return SK_GO_WAIT;
    }
    if (!sk_certificate_agrees(x->conn, site)) {
        sk_exchange_deny(x, 421, SK_AUDIT_DECISION_DENY, SK_LIT("certificate-changed"));
        return SK_GO_WAIT;
    }
    if (sk_site_prepare(site)) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("tenant-unavailable"));
        return SK_GO_WAIT;
    }
    x->site = sk_site_ref(site);
    x->app = sk_policy_app(&site->image.policy, r->host, r->path);
    if (!rate_holds(x)) {
        SK_COUNT_UP(x->gate, limited, 1);
        sk_exchange_deny(x, 429, SK_AUDIT_DECISION_DENY, SK_LIT("too-many-requests"));
        return SK_GO_WAIT;
    }
    if (site->set.body && r->body == SK_BODY_LENGTH && r->content_length > site->set.body) {
        SK_COUNT_UP(x->gate, limited, 1);
        sk_exchange_deny(x, 413, SK_AUDIT_DECISION_DENY, sk_refusal_text(SK_REFUSAL_BODY_TOO_LARGE));
        return SK_GO_WAIT;
    }
    return SK_GO_ON;
}

/* A program's own Authorization is for the gateway, which has read it and passes it on to nobody. */
static bool injected_name(const struct sk_exchange *x, struct sk_slice name)
{
    if (!is_panel(x) && sk_slice_eq(name, SK_LIT("authorization"))) {
        return false;
    }
    struct sk_slice list = x->app > 0 ? x->site->apps[x->app].set.inject : SK_SLICE_NULL;
    while (list.len) {
        if (sk_field_folds_to(name, sk_slice_split(&list, ','))) {
            return true;
        }
    }
    return false;
}

static enum sk_go step_guard(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    for (size_t i = 0; i < r->fields_count; i++) {
        bool key = !is_panel(x) && sk_identify_is_api_key(&r->fields[i]);
        if (sk_field_reserved(r->fields[i].name) == SK_RESERVED_IDENTITY || (!key && injected_name(x, r->fields[i].name))) {
            x->refusal = SK_REFUSAL_RESERVED_FIELD;
            x->detail = r->fields[i].name;
            SK_COUNT_UP(x->gate, refused, 1);
            sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, sk_refusal_text(SK_REFUSAL_RESERVED_FIELD));
            return SK_GO_WAIT;
        }
    }
    if (r->websocket && !sk_exchange_of_own_page(r)) {
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, SK_LIT("origin-not-allowed"));
        return SK_GO_WAIT;
    }
    return SK_GO_ON;
}

struct sk_policy_verdict sk_exchange_judge(struct sk_exchange *x, struct sk_site *site, struct sk_slice path, const struct sk_policy_subject *subject, uint64_t now)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_policy_request q = {.address = &x->conn->address, .host = r->host, .method = r->method, .path = path, .subject = subject, .now = now,
            .certificate = subject && x->conn->tls && sk_certificate_is_of(x->conn, x->grant ? x->grant->subject : SK_SLICE_NULL)};
    return sk_policy_decide(&site->image.policy, &q, NULL);
}

struct sk_policy_verdict sk_exchange_decide(struct sk_exchange *x, struct sk_slice path, const struct sk_policy_subject *subject)
{
    return sk_exchange_judge(x, x->site, path, subject, sk_clock_wall() / SK_SECOND);
}

static enum sk_go step_reserved(struct sk_exchange *x)
{
    struct sk_slice path = x->stream->request.path;
    if (!sk_reserved_path(path) && !sk_oauth_is_metadata(x)) {
        return SK_GO_ON;
    }
    /* The gateway's own pages are behind the tenant's gates too: closed means closed, and from elsewhere means no. */
    x->verdict = sk_exchange_decide(x, SK_LIT(SK_POLICY_BUILTIN_PATH), NULL);
    bool denied = x->verdict.decision == SK_POLICY_DENY;
    /* A provider is in none of the tenant's networks; what it signed does no more than to end sessions. */
    if (denied && !(x->verdict.reason == SK_POLICY_NETWORK_NOT_ALLOWED && sk_sign_in_from_provider(x))) {
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, sk_policy_reason_text(x->verdict.reason));
        return SK_GO_WAIT;
    }
    return sk_reserved_serve(x);
}

static enum sk_go denied(struct sk_exchange *x)
{
    sk_exchange_deny(x, x->verdict.reason == SK_POLICY_NO_APP ? 404 : 403, SK_AUDIT_DECISION_DENY, sk_policy_reason_text(x->verdict.reason));
    return SK_GO_WAIT;
}

static enum sk_go step_identify(struct sk_exchange *x)
{
    if (!x->was_identified) {
        x->was_identified = true;
        /* Where nobody gets further, whoever it is, no password is tried: none is learnt, and no user's attempts are used up. */
        x->verdict = sk_exchange_decide(x, x->stream->request.path, NULL);
        if (x->verdict.decision == SK_POLICY_DENY) {
            return denied(x);
        }
        if (sk_identify(x, is_panel(x))) {
            sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("two-credentials"));
            return SK_GO_WAIT;
        }
    }
    if (!x->grant || x->grant->state == SK_GRANT_GOOD) {
        return SK_GO_ON;
    }
    if (x->grant->state == SK_GRANT_ASKING) {
        return SK_GO_WAIT;
    }
    struct sk_slice reason = sk_slice_str(x->grant->reason);
    uint64_t retry_after = x->grant->retry_after;
    sk_grant_release(x);
    if (sk_slice_eq(reason, SK_LIT(SK_TOO_MANY_ATTEMPTS))) {
        x->retry_after = retry_after;
        sk_exchange_deny(x, 429, SK_AUDIT_DECISION_DENY, reason);
        return SK_GO_WAIT;
    }
    if (sk_slice_eq(reason, SK_LIT("auth-unavailable"))) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, reason);
        return SK_GO_WAIT;
    }
    x->detail = reason;
    return SK_GO_ON;
}

static bool can_change(struct sk_slice method)
{
    return !sk_slice_eq(method, SK_LIT("GET")) && !sk_slice_eq(method, SK_LIT("HEAD")) && !sk_slice_eq(method, SK_LIT("OPTIONS"));
}

static enum sk_go step_decide(struct sk_exchange *x)
{
    const struct sk_policy_subject *subject = x->grant ? sk_grant_subject(x->grant, x->site) : NULL;
    x->verdict = sk_exchange_decide(x, x->stream->request.path, subject);
    x->reason = sk_policy_reason_text(x->verdict.reason);
    if (x->verdict.decision == SK_POLICY_CHALLENGE) {
        if (is_panel(x)) {
            sk_reserved_challenge(x);
        } else {
            /* Who is known cannot prove more here: another answer than 401, which would be answered with the same again. */
            sk_exchange_deny(x, subject ? 403 : 401, SK_AUDIT_DECISION_CHALLENGE, x->reason);
        }
        return SK_GO_WAIT;
    }
    if (x->verdict.decision != SK_POLICY_ALLOW) {
        return denied(x);
    }
    x->decision = SK_AUDIT_DECISION_ALLOW;
    /* 100 Continue is an answer too, and must not go before a record: who asks for it gets an intent. */
    x->unsafe = can_change(x->stream->request.method) || x->stream->request.expect_continue;
    return SK_GO_ON;
}

static enum sk_go step_secrets(struct sk_exchange *x)
{
    int r = x->app > 0 ? sk_secrets_need(x, &x->site->apps[x->app]) : 0;
    if (r < 0) {
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, SK_LIT("secrets-unavailable"));
        return SK_GO_WAIT;
    }
    return r ? SK_GO_WAIT : SK_GO_ON;
}

static void intent_recorded(struct sk_record_wait *wait, bool durable)
{
    struct sk_exchange *x = SK_CONTAINER(wait, struct sk_exchange, wait);
    if (!durable) {
        /* The intent may land yet: then this closes it. */
        x->response.status = 503;
        x->decision = SK_AUDIT_DECISION_ERROR;
        x->reason = SK_LIT("withheld");
        (void)!put_record(x, SK_AUDIT_STAGE_OUTCOME, NULL);
        x->recorded = true;
        say_shut(x);
        return;
    }
    x->step = SK_STEP_FORWARD;
    run(x);
}

static enum sk_go step_intent(struct sk_exchange *x)
{
    if (!x->unsafe) {
        return SK_GO_ON;
    }
    x->intended = true;
    if (put_record(x, SK_AUDIT_STAGE_INTENT, intent_recorded)) {
        x->intended = false;
        x->recorded = true; /* as far as it can be */
        say_shut(x);
    }
    return SK_GO_WAIT;
}

static enum sk_go step_forward(struct sk_exchange *x)
{
    if (x->app == SK_POLICY_BUILTIN_APP) {
        sk_api_serve(x);
        return SK_GO_WAIT;
    }
    return sk_forward(x);
}

/* ---- an upstream's answer ---- */

void sk_exchange_respond(struct sk_exchange *x, const struct sk_response *response)
{
    x->response = *response;
    count_decision(x);
    record_answer(x);
}

void sk_exchange_relay(struct sk_exchange *x, struct sk_slice bytes)
{
    if (!x->responded) {
        if (sk_buf_put(&x->held, bytes)) {
            sk_exchange_cut(x, "internal-error");
        }
        return;
    }
    x->bytes_out += bytes.len;
    x->progress = sk_clock_boot();
    if (sk_stream_write(x->stream, bytes)) {
        sk_exchange_cut(x, "internal-error");
        return;
    }
    if (x->grant) {
        x->grant->used = x->conn->activity;
    }
    sk_conn_touch(x->conn);
}

void sk_exchange_relay_end(struct sk_exchange *x, const struct sk_field *trailers, size_t count)
{
    x->upstream_ended = true;
    if (!x->responded) {
        x->held_trailers = (struct sk_field *)(uintptr_t)trailers;
        x->held_trailers_count = count;
        return;
    }
    sk_conn_touch(x->conn);
    finish(x, trailers, count);
}

void sk_exchange_cut(struct sk_exchange *x, const char *reason)
{
    bool forwarded = x->step == SK_STEP_RELAY || (x->step == SK_STEP_RECORD && x->up);
    if (x->recorded && (forwarded || x->responded)) {
        if (!x->finished) {
            SK_COUNT_UP(x->gate, streams_cut, 1);
            x->detail = sk_slice_str(reason);
            sk_forward_drop(x);
            sk_conn_touch(x->conn);
            sk_stream_abort(x->stream);
        }
    } else if (forwarded || (x->step < SK_STEP_RECORD && x->step > SK_STEP_DECIDE)) {
        /* Nothing of an answer is on record yet: a refusal can still be said, and names whose it was. What was asked of
         * auth is done, or not, by now: its answer says which. */
        if (x->ask) {
            return;
        }
        struct sk_stream *stream = x->stream;
        sk_conn_touch(x->conn);
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, sk_slice_str(reason));
        if (alive(stream, x)) {
            sk_grant_release(x);
        }
    }
}

void sk_exchange_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    sk_conn_touch(x->conn);
    (sk_reserved_path(x->stream->request.path) ? sk_reserved_told : sk_api_told)(x, code, message);
}

/* ---- the stream's callbacks ---- */

static struct sk_exchange *begin(struct sk_stream *stream)
{
    struct sk_conn *conn = sk_server_context(stream->server);
    struct sk_gate *gate = conn->gate;
    struct sk_exchange *x = sk_arena_zalloc(&stream->arena, sizeof(*x));
    if (!x) {
        return NULL;
    }
    x->gate = gate;
    x->conn = conn;
    x->stream = stream;
    x->arena = &stream->arena;
    x->app = -1;
    x->verdict.rule = -1;
    x->started = x->progress = sk_clock_boot();
    x->retry_after = 1;
    x->early = x->held = x->form = x->told = SK_BUF_INIT(HELD_MAX);
    sk_random(x->id, sizeof(x->id));
    stream->user = x;
    x->next = gate->exchanges;
    x->link = &gate->exchanges;
    if (x->next) {
        x->next->link = &x->next;
    }
    gate->exchanges = x;
    SK_COUNT_UP(gate, requests, 1);
    atomic_fetch_add_explicit(&gate->counters->open_requests, 1, memory_order_relaxed);
    return x;
}

static void on_request(struct sk_stream *stream)
{
    struct sk_exchange *x = begin(stream);
    if (!x) {
        sk_stream_abort(stream);
    } else if (x->conn->observe) {
        sk_conn_touch(x->conn);
        sk_observe(x);
    } else {
        run(x);
    }
}

static void on_refused(struct sk_stream *stream, enum sk_refusal refusal)
{
    struct sk_exchange *x = of(stream) ? of(stream) : begin(stream);
    if (!x) {
        sk_stream_abort(stream);
        return;
    }
    SK_COUNT_UP(x->gate, refused, 1);
    x->refusal = refusal;
    x->conn->unread = true;
    x->body_ended = true;
    if (x->recorded) {
        sk_exchange_cut(x, "malformed-body");
        return;
    }
    sk_recorder_forget(&x->gate->recorder, &x->wait);
    sk_conn_touch(x->conn);
    sk_exchange_deny(x, sk_refusal_status(refusal), SK_AUDIT_DECISION_DENY, sk_refusal_text(refusal));
    if (alive(stream, x)) {
        sk_grant_release(x);
    }
}

static void on_body(struct sk_stream *stream, struct sk_slice bytes)
{
    struct sk_exchange *x = of(stream);
    if (!x) {
        sk_stream_consumed(stream, bytes.len);
        return;
    }
    x->bytes_in += bytes.len;
    x->progress = x->conn->activity;
    SK_COUNT_UP(x->gate, bytes_in, bytes.len);
    uint64_t limit = x->site ? x->site->set.body : 0;
    if (limit && x->bytes_in > limit && !x->stream->request.websocket && !x->body_limit) {
        x->body_limit = true;
        SK_COUNT_UP(x->gate, limited, 1);
        if (x->responded || x->recorded) {
            sk_exchange_cut(x, "body-too-large");
        } else {
            sk_exchange_deny(x, 413, SK_AUDIT_DECISION_DENY, sk_refusal_text(SK_REFUSAL_BODY_TOO_LARGE));
        }
        if (!alive(stream, x)) {
            return;
        }
    }
    if (x->wants_form && !x->body_limit) {
        sk_stream_consumed(stream, bytes.len);
        if (sk_buf_len(&x->form) + bytes.len > x->form_most || sk_buf_put(&x->form, bytes)) {
            x->wants_form = false;
            sk_exchange_deny(x, 413, SK_AUDIT_DECISION_DENY, sk_refusal_text(SK_REFUSAL_BODY_TOO_LARGE));
        }
    } else if (x->recorded && !x->up) {
        sk_stream_consumed(stream, bytes.len); /* answered: the rest is of no interest */
    } else if (x->up) {
        sk_forward_body(x, bytes);
    } else if (sk_buf_put(&x->early, bytes)) {
        sk_exchange_cut(x, "internal-error");
    }
}

static void on_end(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    struct sk_exchange *x = of(stream);
    if (!x) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (injected_name(x, trailers[i].name)) {
            on_refused(stream, SK_REFUSAL_TRAILER);
            return;
        }
    }
    x->body_ended = true;
    sk_conn_touch(x->conn);
    if (x->wants_form) {
        x->wants_form = false;
        sk_reserved_form(x);
    } else if (x->up) {
        sk_forward_end(x, trailers, count);
    } else {
        x->early_trailers = trailers;
        x->early_trailers_count = count;
    }
}

static void on_writable(struct sk_stream *stream)
{
    struct sk_exchange *x = of(stream);
    if (x && x->up) {
        x->progress = sk_clock_boot(); /* the client has taken what was queued */
        sk_forward_more(x);
    }
}

/* What must still be said of an exchange that ends before its time, or of a stream that ends at all. */
static void record_end(struct sk_exchange *x, bool clean)
{
    if (!x->recorded) {
        x->decision = SK_AUDIT_DECISION_ERROR;
        x->reason = x->timed_out ? sk_refusal_text(SK_REFUSAL_TIMEOUT) : x->conn->why ? sk_slice_str(x->conn->why)
                    : x->body_ended || x->stream->request.websocket ? SK_LIT("client-gone") : sk_refusal_text(SK_REFUSAL_BODY_SHORT);
        (void)!put_record(x, x->intended ? SK_AUDIT_STAGE_OUTCOME : SK_AUDIT_STAGE_SINGLE, NULL);
    } else if (x->streaming) {
        x->detail = x->detail.len ? x->detail : clean ? SK_LIT("closed") : SK_LIT("aborted");
        (void)!put_record(x, SK_AUDIT_STAGE_END, NULL);
    }
}

static void on_gone(struct sk_stream *stream, bool clean)
{
    struct sk_exchange *x = of(stream);
    if (!x) {
        return;
    }
    stream->user = NULL;
    x->conn->unread = x->conn->unread || !x->body_ended;
    if (!x->conn->observe) {
        record_end(x, clean);
    }
    SK_COUNT_UP(x->gate, bytes_out, x->bytes_out);
    sk_forward_drop(x);
    sk_recorder_forget(&x->gate->recorder, &x->wait);
    sk_auth_forget(x);
    sk_grant_release(x);
    x->site = sk_site_unref(x->site);
    *x->link = x->next;
    if (x->next) {
        x->next->link = x->link;
    }
    sk_wipe(x->form.data, x->form.size);
    struct sk_buf *bufs[] = {&x->early, &x->held, &x->form, &x->told};
    for (size_t i = 0; i < SK_COUNT(bufs); i++) {
        sk_buf_free(bufs[i]);
    }
    atomic_fetch_sub_explicit(&x->gate->counters->open_requests, 1, memory_order_relaxed);
}

const struct sk_server_handler sk_exchange_handler = {on_request, on_refused, on_body, on_end, on_writable, on_gone};
