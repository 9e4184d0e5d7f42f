/*
 * A collector over HTTPS, which gets records by many in one POST and answers when it has them: lines of JSON; Elasticsearch's and OpenSearch's bulk API, where
 * each record has an id of its own, so that one that comes twice is there once; Splunk's HTTP event collector. Runs in feed.
 */
#include "feed/receiver_impl.h"

#include "base/clock.h"
#include "base/text.h"
#include "transfer/transfer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX ((size_t)4 << 20)

enum dialect { LINES, ELASTIC, SPLUNK };

struct to_https {
    enum dialect dialect;
    char url[600];
    struct transfers *transfers;
    struct transfer *transfer; /* under way; NULL: none */
    size_t flying;             /* bytes of it */
    char why[256];             /* it was lost, and nobody heard that yet */
};

static int begin(struct receiver *r, char why[256])
{
    struct to_https *own = r->own;
    if (!own) {
        own = r->own = calloc(1, sizeof(*own));
        if (!own) {
            return 1;
        }
        const char *elastic = receiver_after(r, "elastic+https://"), *splunk = receiver_after(r, "splunk+https://");
        own->dialect = elastic ? ELASTIC : splunk ? SPLUNK : LINES;
        if (elastic) {
            (void)snprintf(own->url, sizeof(own->url), "https://%s/_bulk?filter_path=errors,items.*.status,items.*.error.reason", elastic);
        } else if (splunk) {
            (void)snprintf(own->url, sizeof(own->url), "https://%s/services/collector/event", splunk);
        } else {
            (void)snprintf(own->url, sizeof(own->url), "%s", r->to);
        }
    }
    own->transfers = own->transfers ? own->transfers : transfers_new(r->loop);
    (void)snprintf(why, 256, "%s", own->transfers ? own->why : "there is no memory");
    own->why[0] = '\0';
    return why[0] != '\0';
}

static void close_it(struct receiver *r)
{
    struct to_https *own = r->own;
    if (own) {
        own->transfer = transfer_cancel(own->transfer);
    }
}

static void free_it(struct receiver *r)
{
    const struct to_https *own = r->own;
    transfers_free(own->transfers);
}

/* ---- what is put ---- */

static int put_elastic(struct receiver *r, const struct sk_audit_record *record)
{
    char id[2 * SK_ID_SIZE + 1];
    sk_hex_encode(record->tenant, SK_ID_SIZE, id);
    return sk_buf_printf(&r->out, "{\"create\":{\"_id\":\"%s-%llu\"}}\n", id, (unsigned long long)record->seq);
}

static int put_splunk(struct receiver *r, const struct sk_audit_record *record)
{
    uint64_t ms = record->wall / SK_MILLISECOND;
    return sk_buf_printf(&r->out, "{\"time\":%llu.%03llu,\"source\":\"sekisho\",\"event\":", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

static int put(struct receiver *r, const struct sk_audit_record *record, struct sk_slice message)
{
    const struct to_https *own = r->own;
    int failed = own->dialect == ELASTIC ? put_elastic(r, record) : own->dialect == SPLUNK ? put_splunk(r, record) : 0;
    failed = failed || sk_buf_put(&r->out, message);
    return failed || sk_buf_put(&r->out, own->dialect == SPLUNK ? SK_LIT("}\n") : SK_LIT("\n"));
}

/* ---- what is answered ---- */

/* What became of each: one that is there already (409) is there. True: all that can be are. */
static bool read_items(struct receiver *r, const json_t *items, char why[256])
{
    uint64_t refused = 0;
    char reason[200] = "";
    bool later = json_array_size(items) == 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_object_get(json_array_get(items, i), "create");
        long long status = json_integer_value(json_object_get(item, "status"));
        const char *says = json_string_value(json_object_get(json_object_get(item, "error"), "reason"));
        bool good = (status >= 200 && status < 300) || status == 409;
        bool again = !good && status != 400 && status != 413; /* those are of the record itself */
        refused += !good && !again;
        later = later || again;
        if (!good) {
            (void)snprintf(reason, sizeof(reason), "%lld %s", status, says ? says : "");
        }
    }
    if (later) {
        (void)snprintf(why, 256, "some records are to come again: %s", reason);
    } else if (refused) {
        r->refused(r->context, refused, reason);
    }
    return !later;
}

static bool read_bulk(struct receiver *r, struct sk_slice body, char why[256])
{
    json_t *root = json_loadb(body.data ? body.data : "", body.len, 0, NULL);
    const json_t *errors = json_object_get(root, "errors");
    bool good = json_is_false(errors) || (json_is_true(errors) && read_items(r, json_object_get(root, "items"), why));
    if (!json_is_boolean(errors)) {
        (void)snprintf(why, 256, "the answer is none of a bulk API");
    }
    json_decref(root);
    return good;
}

static void lose(struct receiver *r, const char *why)
{
    struct to_https *own = r->own;
    (void)snprintf(own->why, sizeof(own->why), "%s", why);
    receiver_close(r);
}

static void answered(void *context, const struct transfer_answer *answer)
{
    struct receiver *r = context;
    struct to_https *own = r->own;
    char why[256] = "";
    own->transfer = NULL;
    if (answer->why) {
        (void)snprintf(why, sizeof(why), "%s", answer->why);
    } else if (answer->status < 200 || answer->status > 299) {
        (void)snprintf(why, sizeof(why), "HTTP %ld: %.*s", answer->status, (int)(answer->body.len < 200 ? answer->body.len : 200), answer->body.data ? answer->body.data : "");
        why[strcspn(why, "\r\n")] = '\0';
    } else if (own->dialect != ELASTIC || read_bulk(r, answer->body, why)) {
        sk_buf_take(&r->out, own->flying);
        r->sent += own->flying;
        receiver_take_sent(r);
    }
    if (why[0]) {
        lose(r, why);
    }
    r->changed(r->context);
}

static void look(struct receiver *r)
{
    struct to_https *own = r->own;
    receiver_take_sent(r); /* a batch of nothing */
    if (own->transfer || r->marked == r->taken) {
        return;
    }
    own->flying = (size_t)(r->batches[r->marked % RECEIVER_MARKS].end - r->sent);
    const struct transfer_request request = {.url = own->url, .ca = sk_buf_peek(&r->ca), .most = ANSWER_MAX, .body = sk_slice_cut(sk_buf_peek(&r->out), own->flying),
            .type = own->dialect == SPLUNK ? "application/json" : "application/x-ndjson", .authorization = r->authorization[0] ? r->authorization : NULL,
            .certificate = sk_buf_peek(&r->certificate), .key = sk_buf_peek(&r->key)};
    own->transfer = transfer_start(own->transfers, &request, answered, r);
    if (!own->transfer) {
        lose(r, "there is no memory");
    }
}

const struct receiver_kind receiver_https = {begin, close_it, free_it, put, look};
