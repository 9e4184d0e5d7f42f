/*
 * Codes that people came back with from their identity provider, exchanged for ID tokens (RFC 6749 section 4.1.3) at the token endpoint that
 * its metadata names. The token is not read here: a factor helper does that.
 */
#include "fetch/fetch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX ((size_t)64 << 10) /* tokens that nobody here wants come with it */
#define ID_TOKEN_MAX 8192
#define OF_TENANT 32 /* at once: providers that hang take none of the connections of other tenants */

struct exchange {
    struct exchange *next, **link;
    struct fetch *fetch;
    uint64_t ticket;
    uint8_t tenant[SK_ID_SIZE];
    struct transfer *transfer;
    char url[SK_FETCH_URL_MAX + 1];
};

static void answer(struct fetch *fetch, uint64_t ticket, const char *reason, struct sk_slice id_token)
{
    struct sk_fetch_exchanged m = {.ticket = ticket, .reason = sk_slice_str(reason), .id_token = id_token};
    if (fetch->auth) {
        (void)!sk_channel_send(fetch->auth, SK_FETCH_EXCHANGED, &m, NULL);
    }
}

static void exchange_free(struct exchange *e)
{
    *e->link = e->next;
    if (e->next) {
        e->next->link = e->link;
    }
    free(e);
}

static void refuse(struct exchange *e, const char *reason, const char *why)
{
    sk_log(SK_EVENT_EXCHANGE_FAILED, SK_TEXT("url", e->url), SK_TEXT("why", why));
    answer(e->fetch, e->ticket, reason, SK_SLICE_NULL);
}

/* RFC 6749 section 5.2: which error it is, in its own words. */
static void take_error(struct exchange *e, long status, const json_t *object)
{
    const char *error = json_string_value(json_object_get(object, "error"));
    bool refused = error && strcmp(error, "invalid_grant") == 0;
    char why[128];
    (void)snprintf(why, sizeof(why), "the provider answered with status %ld: %.64s", status, error ? error : "no error of OAuth");
    refuse(e, refused ? "code-refused" : "provider-unavailable", why);
}

static void answered(void *context, const struct transfer_answer *got)
{
    struct exchange *e = context;
    json_t *object = got->why ? NULL : json_loadb(got->body.data ? got->body.data : "", got->body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *token = json_object_get(object, "id_token");
    if (got->why) {
        refuse(e, "provider-unavailable", got->why);
    } else if (got->status != 200) {
        take_error(e, got->status, object);
    } else if (!json_is_string(token) || json_string_length(token) > ID_TOKEN_MAX) {
        refuse(e, "provider-unavailable", "there is no ID token of at most 8 KiB in the provider's answer");
    } else {
        answer(e->fetch, e->ticket, "", sk_slice(json_string_value(token), json_string_length(token)));
    }
    json_decref(object);
    exchange_free(e);
}

static bool has_room(const struct fetch *fetch, const uint8_t tenant[SK_ID_SIZE])
{
    size_t count = 0;
    for (const struct exchange *e = fetch->exchanges; e; e = e->next) {
        count += memcmp(e->tenant, tenant, SK_ID_SIZE) == 0;
    }
    return count < OF_TENANT;
}

static int put_form(struct sk_buf *form, const struct sk_fetch_exchange *m)
{
    int r = sk_buf_put(form, SK_LIT("grant_type=authorization_code&code="));
    r = r ? r : sk_percent_put(form, m->code);
    r = r ? r : sk_buf_put(form, SK_LIT("&redirect_uri="));
    r = r ? r : sk_percent_put(form, m->redirect_uri);
    r = r ? r : sk_buf_put(form, SK_LIT("&code_verifier="));
    return r ? r : sk_percent_put(form, m->verifier);
}

/* RFC 6749 section 2.3.1: each is form-encoded before it becomes Basic's. */
static int put_login(struct sk_buf *login, const struct sk_fetch_exchange *m)
{
    int r = sk_percent_put(login, m->client_id);
    r = r ? r : sk_buf_put(login, SK_LIT(":"));
    r = r ? r : sk_percent_put(login, m->secret);
    return r ? r : sk_buf_put(login, SK_LIT("\0"));
}

static bool start(struct exchange *e, struct sk_slice ca, const struct sk_fetch_exchange *m)
{
    struct sk_buf form SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 10), login SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)16 << 10);
    if (put_form(&form, m) == 0 && put_login(&login, m) == 0) {
        const struct transfer_request request = {.url = e->url, .ca = ca, .most = ANSWER_MAX, .body = sk_buf_peek(&form), .login = sk_buf_peek(&login).data};
        e->transfer = transfer_start(e->fetch->transfers, &request, answered, e);
    }
    sk_wipe(form.data, form.size);
    sk_wipe(login.data, login.size);
    return e->transfer != NULL;
}

void fetch_exchange(struct fetch *fetch, const struct sk_fetch_exchange *m)
{
    union sk_ipc_any provider;
    struct sk_slice ca;
    uint8_t tenant[SK_ID_SIZE];
    bool known = fetch_provider(fetch, m->source, &provider, &ca, tenant) == 0 && has_room(fetch, tenant);
    struct exchange *e = known ? calloc(1, sizeof(*e)) : NULL;
    if (!e) {
        answer(fetch, m->ticket, "provider-unavailable", SK_SLICE_NULL);
        return;
    }
    const struct sk_fetch_provider *p = (const void *)&provider;
    e->fetch = fetch;
    e->ticket = m->ticket;
    memcpy(e->tenant, tenant, SK_ID_SIZE);
    memcpy(e->url, p->token.data, p->token.len);
    e->next = fetch->exchanges;
    e->link = &fetch->exchanges;
    if (e->next) {
        e->next->link = &e->next;
    }
    fetch->exchanges = e;
    if (!start(e, ca, m)) {
        answer(fetch, m->ticket, "provider-unavailable", SK_SLICE_NULL);
        exchange_free(e);
    }
}

void fetch_exchanges_end(struct fetch *fetch)
{
    for (struct exchange *e = fetch->exchanges, *next; e; e = next) {
        next = e->next;
        (void)transfer_cancel(e->transfer);
        exchange_free(e);
    }
}
