/* Receivers of all kinds. Runs in feed. */
#include "feed/receiver_impl.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *scheme;
    const struct receiver_kind *kind;
} kinds[] = {{"file", &receiver_file}, {"syslog+tls://", &receiver_syslog}, {"https://", &receiver_https}, {"elastic+https://", &receiver_https},
        {"splunk+https://", &receiver_https}};

const char *receiver_after(const struct receiver *r, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(r->to, scheme, len) == 0 ? r->to + len : NULL;
}

struct receiver *receiver_new(struct sk_loop *loop, const struct receiver_settings *set, void (*changed)(void *context),
        void (*refused)(void *context, uint64_t records, const char *why), void *context)
{
    struct receiver *r = calloc(1, sizeof(*r));
    if (!r) {
        return NULL;
    }
    *r = (struct receiver){.loop = loop, .folder = set->folder, .ca = SK_BUF_INIT(1U << 20), .certificate = SK_BUF_INIT(1U << 20), .key = SK_BUF_INIT(1U << 20),
            .out = SK_BUF_INIT(RECEIVER_ROOM), .changed = changed, .refused = refused, .context = context};
    (void)snprintf(r->to, sizeof(r->to), "%s", set->to);
    for (size_t i = 0; i < SK_COUNT(kinds); i++) {
        r->kind = receiver_after(r, kinds[i].scheme) ? kinds[i].kind : r->kind;
    }
    (void)snprintf(r->name, sizeof(r->name), "%s.log", set->name);
    (void)snprintf(r->authorization, sizeof(r->authorization), "%s", set->authorization);
    bool failed = !r->kind || sk_buf_put(&r->ca, set->ca) || sk_buf_put(&r->certificate, set->certificate) || sk_buf_put(&r->key, set->key);
    return failed ? receiver_free(r) : r;
}

void receiver_close(struct receiver *r)
{
    if (r->kind) {
        r->kind->close(r);
    }
    r->open = false;
    r->put = r->sent = 0;
    r->marked = r->taken;
    sk_buf_take(&r->out, sk_buf_len(&r->out));
}

struct receiver *receiver_free(struct receiver *r)
{
    if (r) {
        receiver_close(r);
        if (r->own && r->kind->free) {
            r->kind->free(r);
        }
        free(r->own);
        sk_wipe(r->authorization, sizeof(r->authorization));
        sk_wipe(r->key.data, r->key.size);
        sk_buf_free(&r->ca);
        sk_buf_free(&r->certificate);
        sk_buf_free(&r->key);
        sk_buf_free(&r->out);
        free(r);
    }
    return NULL;
}

bool receiver_is_open(const struct receiver *r)
{
    return r->open;
}

int receiver_open(struct receiver *r, char why[256])
{
    why[0] = '\0';
    r->open = r->open || r->kind->open(r, why) == 0;
    return !r->open;
}

int receiver_put(struct receiver *r, const struct sk_audit_record *record, struct sk_slice message)
{
    const size_t frame = 512; /* longer than what any kind puts around a message */
    if (!r->open || sk_buf_room(&r->out) < message.len + frame) {
        return 1;
    }
    size_t before = sk_buf_len(&r->out);
    if (r->kind->put(r, record, message)) {
        receiver_close(r);
        return 1;
    }
    r->put += sk_buf_len(&r->out) - before;
    return 0;
}

uint64_t receiver_mark(struct receiver *r)
{
    r->marked += r->marked - r->taken < RECEIVER_MARKS - 1; /* else the last one gets longer */
    r->batches[r->marked % RECEIVER_MARKS] = (struct receiver_batch){.end = r->put};
    return r->marked;
}

void receiver_take_sent(struct receiver *r)
{
    while (r->taken < r->marked && r->batches[(r->taken + 1) % RECEIVER_MARKS].end <= r->sent) {
        r->taken++;
    }
}

uint64_t receiver_taken(struct receiver *r)
{
    if (r->open) {
        r->kind->look(r);
    }
    return r->taken;
}

size_t receiver_waiting(const struct receiver *r)
{
    return sk_buf_len(&r->out);
}
