/* One request and its response, between proxy's own files. Lives in its stream's arena and dies with the stream. */
#pragma once

#include "proxy/gate.h"

enum sk_step {
#define STEP(NAME, name, text) SK_STEP_##NAME,
#include "proxy/steps.def"
#undef STEP
    SK_STEP_RELAY, /* an upstream is at work */
    SK_STEP_RECORD, /* the answer waits for its record */
    SK_STEP_ANSWERED,
};

enum sk_go { SK_GO_ON, SK_GO_WAIT };

struct sk_exchange {
    struct sk_gate *gate;
    struct sk_conn *conn;
    struct sk_stream *stream;
    struct sk_arena *arena;
    struct sk_exchange *next, **link; /* all of the gate */
    enum sk_step step;
    struct sk_site *site;
    int32_t app;
    struct sk_policy_verdict verdict;
    uint8_t id[SK_ID_SIZE];
    uint64_t started; /* boot ns */
    struct sk_grant *grant;
    struct sk_exchange *grant_next, **grant_link;
    struct sk_exchange *waiting_next;
    bool waiting_grant, waiting_secrets;
    uint64_t ask; /* ticket of an own question, 0 none */
    struct sk_buf told; /* what a list answer gathers */
    struct sk_trail_answer *trail; /* of trail.c */
    uint64_t retry_after; /* s, of a 429 or 503; 0: not said */
    struct sk_record_wait wait;

    struct sk_response response; /* what will be, or was, said to the client */
    struct sk_slice answer_body; /* of an answer of the gateway's own */
    enum sk_audit_decision decision;
    struct sk_slice reason;
    struct sk_slice detail;

    struct sk_upstream_conn *up;
    struct sk_upstream *upstream; /* last tried */
    unsigned tries;
    uint64_t give_up; /* boot ns: an answer must have begun by then */
    uint64_t progress; /* boot ns: when it last moved, in either direction */
    struct sk_buf early; /* request body that came before the upstream could take it */
    const struct sk_field *early_trailers;
    size_t early_trailers_count;
    struct sk_buf held;  /* response body that came before the record was durable */
    struct sk_field *held_trailers;
    size_t held_trailers_count;
    uint64_t bytes_in, bytes_out;
    size_t unconsumed;

    bool unsafe;     /* can change something: intent and outcome */
    bool intended;   /* its intent was handed over: an outcome must follow */
    bool recorded;   /* the record before the first byte was handed over */
    bool body_ended; /* the client's */
    bool body_limit; /* it was more than allowed */
    bool timed_out;  /* it stopped coming */
    bool responded, finished, upstream_ended, streaming, shut, was_identified;
    enum sk_refusal refusal;
    /* A body of the gateway's own endpoints, gathered before it is looked at. */
    struct sk_buf form;
    size_t form_most; /* bytes of it */
    bool wants_form;
    bool bearer; /* its token or key came as Bearer */
    bool bound;  /* its token came as DPoP */
};

/* conn.c */
/* Accepts one connection. False when none waits. */
bool sk_conn_accept(struct sk_gate *gate, int fd, bool observe);
/* Its output changed: it is written before the loop sleeps. */
void sk_conn_touch(struct sk_conn *conn);
void sk_conns_flush(struct sk_gate *gate);
void sk_conn_free(struct sk_conn *conn);

/* tenants.c */
/* Parses the apps, if that was not done: at the first request, or at once where health is checked. 0 or negative. */
int sk_site_prepare(struct sk_site *site) sk_nodiscard;
/* Wipes what is injected for it. */
void sk_app_forget_secrets(struct sk_app *app);

/* exchange.c */
extern const struct sk_server_handler sk_exchange_handler;
/* Goes on from where it waited. */
void sk_exchange_resume(struct sk_exchange *x);
/* Answers in the gateway's own name: records, waits, sends. `body` lives in the arena. */
void sk_exchange_answer(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason,
        struct sk_field *fields, size_t count, struct sk_slice body);
/* A refusal with a page or a JSON body, as fits the app. */
/* Who has tried too often comes as this reason, with 429. */
#define SK_TOO_MANY_ATTEMPTS "too-many-attempts"
/* Retry-After of a status that has one, by x->retry_after. How many fields: 0 or 1. */
size_t sk_exchange_retry_after(struct sk_exchange *x, uint16_t status, struct sk_field *field);
void sk_exchange_deny(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason);
/* The upstream's response head is here: records it, then relays. */
void sk_exchange_respond(struct sk_exchange *x, const struct sk_response *response);
/* Body of it. */
void sk_exchange_relay(struct sk_exchange *x, struct sk_slice bytes);
void sk_exchange_relay_end(struct sk_exchange *x, const struct sk_field *trailers, size_t count);
/* The grant ended: the stream is cut, whatever it is doing. */
void sk_exchange_cut(struct sk_exchange *x, const char *reason);
/* Auth's answer to an own question. */
void sk_exchange_told(struct sk_exchange *x, uint16_t code, const void *message);
/* The one decision, about the exchange's request at this path, by the rules of this version of its tenant; `subject` NULL: nobody; `now` 0: no
 * proof is too old. */
struct sk_policy_verdict sk_exchange_judge(struct sk_exchange *x, struct sk_site *site, struct sk_slice path, const struct sk_policy_subject *subject, uint64_t now);
/* By the rules of the exchange's own version, now. */
struct sk_policy_verdict sk_exchange_decide(struct sk_exchange *x, struct sk_slice path, const struct sk_policy_subject *subject);
/* False: it says that a page of another origin sent it. */
bool sk_exchange_of_own_page(const struct sk_request *r);
/* Fills a record with what is known. */
void sk_exchange_record(const struct sk_exchange *x, enum sk_audit_stage stage, struct sk_audit_record *record);

/* identify.c */
#define SK_DPOP_ALGORITHMS "ES256 ES384 EdDSA RS256 PS256"
/* The value of a cookie, or the null slice. */
struct sk_slice sk_exchange_cookie(const struct sk_request *r, struct sk_slice name);
/* A key of the gateway's own kind, in X-API-Key; or there or in Authorization: no upstream is given it. */
bool sk_identify_is_api_key(const struct sk_field *field);
bool sk_identify_is_key(const struct sk_field *field);
/* Of a request with exactly one; else the null slice. */
struct sk_slice sk_identify_proof(const struct sk_request *r);
/* Looks for a credential, and has its grant in x->grant or asked for. 1: there are two. */
int sk_identify(struct sk_exchange *x, bool panel) sk_nodiscard;

/* How the client came, into a message that says it. */
#define SK_FILL_ORIGIN(m, x)                                                                                 \
    do {                                                                                                     \
        const struct sk_request *origin_request = &(x)->stream->request;                                     \
        const struct sk_slice *origin_agent =                                                                \
                sk_field_find(origin_request->fields, origin_request->fields_count, SK_LIT("user-agent"));   \
        memcpy((m)->tenant, (x)->site->tenant->id, SK_ID_SIZE);                                              \
        memcpy((m)->request, (x)->id, SK_ID_SIZE);                                                           \
        (m)->address = sk_slice((x)->conn->address.bytes, (x)->conn->address_bytes_len);                     \
        (m)->port = (x)->conn->address.port;                                                                 \
        (m)->host = origin_request->host;                                                                    \
        (m)->agent = origin_agent ? sk_slice_cut(*origin_agent, 256) : SK_SLICE_NULL;                        \
    } while (0)

/* grants.c */
/* The grant for a credential of this tenant; `x` waits when auth must be asked first (returns with state ASKING). */
struct sk_grant *sk_grant_basic(struct sk_exchange *x, struct sk_slice credentials, struct sk_slice user, struct sk_slice password);
/* `token`: the key as it came, of which the others are parts. */
struct sk_grant *sk_grant_key(struct sk_exchange *x, struct sk_slice token, struct sk_slice user, struct sk_slice secret);
struct sk_grant *sk_grant_token(struct sk_exchange *x, struct sk_slice token);
struct sk_grant *sk_grant_certificate(struct sk_exchange *x, struct sk_slice user, struct sk_slice fingerprint);
/* A token with a proof of this very request: asked for each time. */
struct sk_grant *sk_grant_bound(struct sk_exchange *x, struct sk_slice token, struct sk_slice proof);
/* A program's assertion, which is good once. */
struct sk_grant *sk_grant_client(struct sk_exchange *x, struct sk_slice user, struct sk_slice assertion);
struct sk_grant *sk_grant_cookie(struct sk_exchange *x, struct sk_slice token);
void sk_grant_release(struct sk_exchange *x);
/* The grant's subject in the indexes of the exchange's site. */
const struct sk_policy_subject *sk_grant_subject(struct sk_grant *grant, struct sk_site *site);
/* An exchange's own question to auth: login, answer, logout, list, revoke. The answer comes to sk_exchange_told. */
int sk_auth_ask(struct sk_exchange *x, uint16_t code, void *message) sk_nodiscard;
void sk_auth_forget(struct sk_exchange *x);
/* The app's secrets are known, or `x` waits for them (1). Negative: they cannot be had. */
int sk_secrets_need(struct sk_exchange *x, struct sk_app *app) sk_nodiscard;

/* reserved.c: the gateway's own pages */
bool sk_reserved_path(struct sk_slice path);
enum sk_go sk_reserved_serve(struct sk_exchange *x);
void sk_reserved_form(struct sk_exchange *x);
void sk_reserved_told(struct sk_exchange *x, uint16_t code, const void *message);
/* Is it shown by a browser, whatever is answered there? */
bool sk_reserved_is_page(struct sk_slice path);
/* The login page for a panel. */
void sk_reserved_challenge(struct sk_exchange *x);

/* oauth.c: where clients learn of the token endpoint; that of an upstream's own is left alone where the tenant has no programs. */
bool sk_oauth_is_metadata(const struct sk_exchange *x);

/* api.c: what the policy let through to the gateway's own API */
void sk_api_serve(struct sk_exchange *x);
void sk_api_told(struct sk_exchange *x, uint16_t code, const void *message);

/* forward.c */
/* Sends the judged request to an upstream of the app. */
enum sk_go sk_forward(struct sk_exchange *x);
/* Request body for it. */
void sk_forward_body(struct sk_exchange *x, struct sk_slice bytes);
void sk_forward_end(struct sk_exchange *x, const struct sk_field *trailers, size_t count);
/* Lets the upstream go on sending. */
void sk_forward_more(struct sk_exchange *x);
/* The exchange is over or given up. */
void sk_forward_drop(struct sk_exchange *x);
void sk_upstream_close_idle(struct sk_upstream *upstream);
void sk_upstream_start_probe(struct sk_upstream *upstream);
void sk_upstream_stop_probe(struct sk_upstream *upstream);

/* observe.c */
void sk_observe(struct sk_exchange *x);
