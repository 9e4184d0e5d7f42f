/*
 * Auth: decides who somebody is. It holds the session key, the signing key and the login state machines; it asks the
 * store for facts and helpers for verdicts, records each login before it answers, and never waits. Own uid, no files.
 */
#include "auth/jobs.h"
#include "auth/providers.h"
#include "auth/trail.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct worker *auth_worker(struct auth *auth, uint64_t number)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (auth->workers[i].channel && auth->workers[i].number == number) {
            return &auth->workers[i];
        }
    }
    return NULL;
}

/* Its jobs end later: one of them may be what is being answered. */
static void worker_lost(struct auth *auth, struct worker *worker)
{
    worker->channel = sk_channel_free(worker->channel);
    sk_timer_set(&auth->reap, 0);
}

static void on_reap(struct sk_timer *timer)
{
    auth_reap(SK_CONTAINER(timer, struct auth, reap));
    auth_search_revoked(SK_CONTAINER(timer, struct auth, reap));
}

static void on_touched_due(struct sk_timer *timer)
{
    auth_used_due(SK_CONTAINER(timer, struct auth, touched_due));
}

static void on_key_due(struct sk_timer *timer)
{
    auth_key_ask(SK_CONTAINER(timer, struct auth, key_due));
}

int auth_answer(struct auth *auth, uint64_t number, uint16_t code, const void *message)
{
    uint64_t ticket = *(const uint64_t *)message;
    struct worker *worker = ticket ? auth_worker(auth, number) : NULL;
    int r = worker ? sk_channel_send(worker->channel, code, message, NULL) : -EPIPE;
    if (worker && r < 0 && r != -EMSGSIZE) {
        worker_lost(auth, worker);
        r = -EPIPE;
    }
    return r;
}

void auth_broadcast(struct auth *auth, uint16_t code, const void *message)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = &auth->workers[i];
        if (worker->channel && sk_channel_send(worker->channel, code, message, NULL) < 0) {
            worker_lost(auth, worker); /* who cannot be told of a revocation must not go on: it admits nobody then */
        }
    }
}

static void send_state(struct auth *auth, struct sk_channel *worker)
{
    struct sk_auth_state state = {.open = auth->open};
    struct sk_buf jwks SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    (void)!sk_channel_send(worker, SK_AUTH_STATE, &state, NULL);
    if (auth->key && sk_buf_put(&jwks, SK_LIT("{\"keys\":[")) == 0 && sk_sign_jwk(auth->key, &jwks) == 0 && sk_buf_put(&jwks, SK_LIT("]}")) == 0) {
        struct sk_auth_keys keys = {.jwks = sk_buf_peek(&jwks)};
        (void)!sk_channel_send(worker, SK_AUTH_KEYS, &keys, NULL);
    }
}

void auth_state(struct auth *auth)
{
    bool open = auth->store && auth->key && auth->recorder.open && auth->generation;
    if (open == auth->open) {
        return;
    }
    auth->open = open;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (auth->workers[i].channel) {
            send_state(auth, auth->workers[i].channel);
        }
    }
    if (open) {
        sk_child_ready(&auth->child, auth->generation);
    }
}

/* ---- workers ---- */

static struct worker *worker_of(struct auth *auth, const struct sk_channel *channel)
{
    size_t i = 0;
    while (i < WORKERS_MAX - 1 && auth->workers[i].channel != channel) {
        i++;
    }
    return &auth->workers[i]; /* a channel that speaks stands in one */
}

static void from_worker(struct sk_channel *channel, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct auth *auth = context;
    auth_from_worker(auth, worker_of(auth, channel)->number, code, message);
}

static void worker_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct auth *auth = context;
    struct worker *worker = worker_of(auth, channel);
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", "worker"), SK_NUMBER("index", (uint64_t)(worker - auth->workers)));
    }
    worker_lost(auth, worker);
}

static void add_worker(struct auth *auth, uint64_t index, int fd)
{
    static const struct sk_channel_handler handler = {&sk_auth_interface, SK_AUTH_FROM_AUTH, SK_AUTH_FROM_WORKER, from_worker, worker_ended};
    if (index >= WORKERS_MAX) {
        (void)close(fd);
        return;
    }
    struct worker *worker = &auth->workers[index];
    worker_lost(auth, worker);
    worker->channel = sk_channel_new(auth->child.loop, fd, &handler, auth);
    worker->number = ++auth->last_number;
    if (worker->channel) {
        send_state(auth, worker->channel);
    }
}

/* ---- store ---- */

static void from_store(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct auth *auth = context;
    if (!auth_key_told(auth, code, message)) {
        auth_from_store(auth, code, message);
    }
}

static void store_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct auth *auth = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "store"));
    (void)sk_channel_free(channel);
    auth->store = NULL;
    auth_store_lost(auth);
    auth_state(auth);
}

static void set_store(struct auth *auth, int fd)
{
    static const struct sk_channel_handler handler = {&sk_store_interface, SK_STORE_FROM_AUTH, SK_STORE_FROM_STORE, from_store, store_ended};
    if (auth->store) {
        store_ended(auth->store, false, auth);
    }
    auth->store = sk_channel_new(auth->child.loop, fd, &handler, auth);
    auth_key_ask(auth);
    auth_state(auth);
}

/* ---- fetch ---- */

static void fetch_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct auth *auth = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "fetch"));
    auth->fetch = sk_channel_free(channel);
    auth_fetch_lost(auth);
}

static void from_fetch(struct sk_channel *channel sk_unused, uint16_t code sk_unused, const void *message, const int *fds sk_unused, void *context)
{
    auth_from_fetch(context, message);
}

static void set_fetch(struct auth *auth, int fd)
{
    static const struct sk_channel_handler handler = {&sk_fetch_interface, SK_FETCH_FROM_AUTH, SK_FETCH_FROM_FETCH, from_fetch, fetch_ended};
    auth->fetch = sk_channel_free(auth->fetch);
    auth_fetch_lost(auth);
    auth->fetch = sk_channel_new(auth->child.loop, fd, &handler, auth);
}

/* ---- reader ---- */

static void reader_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct auth *auth = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "reader"));
    auth->reader = sk_channel_free(channel);
    auth_reader_lost(auth);
}

static void from_reader(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    auth_reader_told(context, code, message);
}

static void set_reader(struct auth *auth, int fd)
{
    static const struct sk_channel_handler handler = {&sk_reader_interface, SK_READER_FROM_AUTH, SK_READER_FROM_READER, from_reader, reader_ended};
    auth->reader = sk_channel_free(auth->reader);
    auth_reader_lost(auth);
    auth->reader = sk_channel_new(auth->child.loop, fd, &handler, auth);
}

/* ---- control ---- */

static void add_peer(struct auth *auth, const struct sk_control_peer *m, int fd)
{
    switch (m->peer) {
    case SK_PEER_WORKER:
        add_worker(auth, m->index, fd);
        break;
    case SK_PEER_STORE:
        set_store(auth, fd);
        break;
    case SK_PEER_FETCH:
        set_fetch(auth, fd);
        break;
    case SK_PEER_READER:
        set_reader(auth, fd);
        break;
    case SK_PEER_FACTOR:
    case SK_PEER_PAM:
        auth_helper_add(auth, m->peer == SK_PEER_PAM, m->index, fd);
        break;
    default:
        (void)close(fd);
    }
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct auth *auth = child->context;
    if (hello->secret.len != sizeof(auth->secret)) {
        return -EINVAL;
    }
    memcpy(auth->secret, hello->secret.data, sizeof(auth->secret));
    sk_random(auth->life, sizeof(auth->life));
    auth->spent_last = &auth->spent_first;
    auth->proofs_last = &auth->proofs_first;
    auth->began = sk_clock_wall() / SK_SECOND;
    auth->factor = (struct pool){.auth = auth};
    auth->factor.last = &auth->factor.first;
    auth->pam = (struct pool){.auth = auth, .pam = true};
    auth->pam.last = &auth->pam.first;
    sk_recorder_init(&auth->recorder, child->loop);
    auth->next_id = AUTH_TICKET_LAST;
    sk_timer_init(&auth->reap, child->loop, on_reap);
    sk_timer_init(&auth->key_due, child->loop, on_key_due);
    sk_timer_init(&auth->touched_due, child->loop, on_touched_due);
    return 0;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct auth *auth = child->context;
    switch (code) {
    case SK_CONTROL_LIMITS:
        auth->flush_deadline = ((const struct sk_control_limits *)message)->flush_deadline;
        auth_copy(auth->ports, sizeof(auth->ports), ((const struct sk_control_limits *)message)->ports);
        break;
    case SK_CONTROL_PEER:
        add_peer(auth, message, fds[0]);
        break;
    case SK_CONTROL_RING:
        if (sk_recorder_open(&auth->recorder, fds, auth->flush_deadline) < 0) {
            sk_loop_stop(child->loop);
        }
        auth_state(auth);
        break;
    case SK_CONTROL_LOST:
        if (((const struct sk_control_lost *)message)->peer == SK_PEER_AUDIT) {
            sk_recorder_lost(&auth->recorder);
            auth_state(auth);
        }
        break;
    case SK_CONTROL_TENANT:
        auth_set_tenant(auth, message);
        break;
    case SK_CONTROL_ISSUER:
        auth_set_issuer(auth, message);
        break;
    case SK_CONTROL_PROVIDER:
        auth_set_provider(auth, message);
        break;
    case SK_CONTROL_FIDO2:
        auth_set_fido2(auth, message);
        break;
    case SK_CONTROL_GONE:
        auth_drop_tenant(auth, ((const struct sk_control_gone *)message)->tenant);
        break;
    case SK_CONTROL_LOADED: {
        bool open = auth->open;
        auth_drop_issuers(auth, NULL);
        auth->generation = ((const struct sk_control_loaded *)message)->generation;
        auth_state(auth);
        if (open) {
            sk_child_ready(child, auth->generation);
        }
        break;
    }
    default:
        break;
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "auth", .hello = on_hello, .told = on_told};
    static struct auth auth;
    sk_log_init("sekisho-auth");
    int r = sk_child_run(&auth.child, &program, &auth);
    (void)sk_sign_free(auth.key);
    (void)sk_sign_free(auth.made);
    sk_wipe(auth.secret, sizeof(auth.secret));
    return r;
}
