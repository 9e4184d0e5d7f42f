/*
 * The store: the one program that touches data. Serves auth and the supervisor over their channels, one operation at
 * a time; each names its tenant, and no operation opens another tenant's file. Own uid, sees its folder alone.
 */
#include "store/engine.h"
#include "store/files.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/child.h"

#include <errno.h>
#include <unistd.h>

#define CHANGED_MAX ((size_t)64 << 20)
#define CHANGED_MESSAGE 32768 /* bytes of names in one */

struct store {
    struct sk_child child;
    struct sk_engine *engine;
    struct sk_channel *auth, *supervisor;
    char folder[4097];
    uint8_t root_key[32];
};

static void failed(const char *what, int r)
{
    enum sk_event event = r == -EPROTONOSUPPORT ? SK_EVENT_STORE_NEWER : SK_EVENT_STORE_FAILED;
    sk_log(event, SK_TEXT("operation", what), SK_TEXT("error", strerror(-r)));
}

static void send(struct store *store, struct sk_channel *to, uint16_t code, const void *message)
{
    if (to && sk_channel_send(to, code, message, NULL) < 0) {
        sk_loop_stop(store->child.loop); /* an answer that is lost would leave its asker waiting: begin anew */
    }
}

/* 0 done, 1 not there, 2 refused or failed. */
static void result(struct store *store, struct sk_channel *to, const char *what, uint64_t ticket, int r, uint64_t count)
{
    struct sk_store_result m = {.ticket = ticket, .status = r < 0 ? 2 : (uint64_t)r, .count = count};
    if (r < 0) {
        failed(what, r);
    }
    send(store, to, SK_STORE_RESULT, &m);
}

struct listing {
    struct store *store;
    uint64_t ticket;
    uint64_t count;
};

static void each_secret(void *context, struct sk_slice header, struct sk_slice value)
{
    struct listing *l = context;
    struct sk_store_got_secret m = {.ticket = l->ticket, .header = header, .value = value};
    l->count++;
    send(l->store, l->store->auth, SK_STORE_GOT_SECRET, &m);
}

static void each_ban(void *context, const struct sk_store_got_ban *ban)
{
    struct listing *l = context;
    send(l->store, l->store->auth, SK_STORE_GOT_BAN, ban);
}

static void bans_result(struct store *store, const char *what, int r, const struct sk_store_more_bans *more)
{
    if (r == 2) {
        send(store, store->auth, SK_STORE_MORE_BANS, more);
    } else {
        result(store, store->auth, what, more->ticket, r, more->count);
    }
}

static void each_authenticator(void *context, const struct sk_store_got_authenticator *got)
{
    struct listing *l = context;
    send(l->store, l->store->auth, SK_STORE_GOT_AUTHENTICATOR, got);
}

static void each_api_key(void *context, const struct sk_store_got_api_key *key)
{
    struct listing *l = context;
    send(l->store, l->store->auth, SK_STORE_GOT_API_KEY, key);
}

static void each_session(void *context, const struct sk_store_got_session *session)
{
    struct listing *l = context;
    send(l->store, l->store->auth, SK_STORE_GOT_SESSION, session);
}

static void get_user(struct store *store, const struct sk_store_get_user *get)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_user got;
    int r = sk_engine_get_user(store->engine, get, &buf, &got);
    if (r < 0) {
        result(store, store->auth, "get user", get->ticket, r, 0);
        return;
    }
    send(store, store->auth, SK_STORE_GOT_USER, &got);
    sk_wipe(buf.data, buf.size);
}

static void try_password(struct store *store, const struct sk_store_try *attempt)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_user got;
    uint64_t wait;
    int r = sk_engine_try(store->engine, attempt, &buf, &got, &wait);
    if (r == 2) {
        struct sk_store_result m = {.ticket = attempt->ticket, .status = 3, .count = wait == UINT64_MAX ? 0 : wait / SK_SECOND + 1};
        send(store, store->auth, SK_STORE_RESULT, &m);
    } else if (r < 0) {
        result(store, store->auth, "try", attempt->ticket, r, 0);
    } else {
        send(store, store->auth, SK_STORE_GOT_USER, &got);
    }
    sk_wipe(buf.data, buf.size);
}

static void get_session(struct store *store, const struct sk_store_get_session *get)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_session got;
    int r = sk_engine_get_session(store->engine, get, &buf, &got);
    if (r) {
        result(store, store->auth, "get session", get->ticket, r, 0);
        return;
    }
    send(store, store->auth, SK_STORE_GOT_SESSION, &got);
}

static void get_authenticator(struct store *store, const struct sk_store_get_authenticator *get)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_authenticator got;
    int r = sk_engine_get_authenticator(store->engine, get, &buf, &got);
    if (r) {
        result(store, store->auth, "get authenticator", get->ticket, r, 0);
        return;
    }
    send(store, store->auth, SK_STORE_GOT_AUTHENTICATOR, &got);
}

static void get_voucher(struct store *store, const struct sk_store_get_voucher *get)
{
    struct sk_buf buf SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_IPC_MESSAGE_MAX + 64);
    struct sk_store_got_voucher got;
    int r = sk_engine_get_voucher(store->engine, get, &buf, &got);
    if (r) {
        result(store, store->auth, "get voucher", get->ticket, r, 0);
        return;
    }
    send(store, store->auth, SK_STORE_GOT_VOUCHER, &got);
}

/* What users and programs prove themselves with beside passwords. False: it was none of these. */
static bool factors_from_auth(struct store *store, struct sk_channel *channel, uint16_t code, const void *message)
{
    struct sk_engine *e = store->engine;
    uint64_t ticket = *(const uint64_t *)message, count = 0;
    struct listing listing = {store, ticket, 0};
    int r;
    switch (code) {
    case SK_STORE_GET_AUTHENTICATOR:
        get_authenticator(store, message);
        return true;
    case SK_STORE_GET_VOUCHER:
        get_voucher(store, message);
        return true;
    case SK_STORE_PUT_AUTHENTICATOR:
        r = sk_engine_put_authenticator(e, message);
        break;
    case SK_STORE_LIST_AUTHENTICATORS:
        r = sk_engine_list_authenticators(e, message, each_authenticator, &listing, &count);
        break;
    case SK_STORE_USE_AUTHENTICATOR:
        r = sk_engine_use_authenticator(e, message);
        break;
    case SK_STORE_DROP_AUTHENTICATORS:
        r = sk_engine_drop_authenticators(e, message, &count);
        break;
    case SK_STORE_PUT_PASSWORD:
        r = sk_engine_put_password(e, message);
        break;
    case SK_STORE_LIST_API_KEYS:
        r = sk_engine_list_api_keys(e, message, each_api_key, &listing, &count);
        break;
    case SK_STORE_PUT_VOUCHERS:
        r = sk_engine_put_vouchers(e, message);
        break;
    case SK_STORE_TAKE_VOUCHER:
        r = sk_engine_take_voucher(e, message, &count);
        break;
    case SK_STORE_SPEND:
        r = sk_engine_spend(e, message);
        break;
    case SK_STORE_IS_SPENT:
        r = sk_engine_is_spent(e, message);
        break;
    default:
        return false;
    }
    result(store, channel, "factors", ticket, r, count);
    return true;
}

static void get_key(struct store *store, const struct sk_store_get_key *get)
{
    struct sk_buf der SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    int r = sk_engine_get_key(store->engine, &der);
    if (r) {
        result(store, store->auth, "get key", get->ticket, r, 0);
        return;
    }
    struct sk_store_got_key got = {.ticket = get->ticket, .der = sk_buf_peek(&der)};
    send(store, store->auth, SK_STORE_GOT_KEY, &got);
    sk_wipe(der.data, der.size);
}

static void from_auth(struct sk_channel *channel, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct store *store = context;
    struct sk_engine *e = store->engine;
    uint64_t count;
    int r;
    if (factors_from_auth(store, channel, code, message)) {
        return;
    }
    switch (code) {
    case SK_STORE_GET_USER:
        get_user(store, message);
        break;
    case SK_STORE_GET_SECRETS: {
        const struct sk_store_get_secrets *m = message;
        struct listing listing = {store, m->ticket, 0};
        r = sk_engine_get_secrets(e, m, each_secret, &listing);
        result(store, channel, "get secrets", m->ticket, r, listing.count);
        break;
    }
    case SK_STORE_PUT_SESSION:
        r = sk_engine_put_session(e, message);
        result(store, channel, "put session", ((const struct sk_store_put_session *)message)->ticket, r, 0);
        break;
    case SK_STORE_TOUCH_SESSION:
        r = sk_engine_touch_session(e, message);
        if (r < 0) {
            failed("touch session", r);
        }
        break;
    case SK_STORE_USE_API_KEY:
        r = sk_engine_use_api_key(e, message);
        if (r < 0) {
            failed("use key", r);
        }
        break;
    case SK_STORE_DROP_SESSIONS:
        r = sk_engine_drop_sessions(e, message, &count);
        result(store, channel, "drop sessions", ((const struct sk_store_drop_sessions *)message)->ticket, r, count);
        break;
    case SK_STORE_DROP_SIGNED_IN: {
        const struct sk_store_drop_signed_in *m = message;
        struct listing listing = {store, m->ticket, 0};
        r = sk_engine_drop_signed_in(e, m, each_session, &listing, &count);
        result(store, channel, "drop sessions", m->ticket, r, count);
        break;
    }
    case SK_STORE_GET_SESSION:
        get_session(store, message);
        break;
    case SK_STORE_LIST_SESSIONS: {
        const struct sk_store_list_sessions *m = message;
        struct listing listing = {store, m->ticket, 0};
        r = sk_engine_list_sessions(e, m, each_session, &listing, &count);
        result(store, channel, "list sessions", m->ticket, r, count);
        break;
    }
    case SK_STORE_TRY:
        try_password(store, message);
        break;
    case SK_STORE_TRIED:
        r = sk_engine_tried(e, message);
        result(store, channel, "tried", ((const struct sk_store_tried *)message)->ticket, r, 0);
        break;
    case SK_STORE_LIST_BANS: {
        const struct sk_store_list_bans *m = message;
        struct listing listing = {store, m->ticket, 0};
        struct sk_store_more_bans more;
        r = sk_engine_list_bans(e, m, each_ban, &listing, &more);
        bans_result(store, "list bans", r, &more);
        break;
    }
    case SK_STORE_DROP_BANS: {
        struct sk_store_more_bans more;
        r = sk_engine_drop_bans(e, message, &more);
        bans_result(store, "drop bans", r, &more);
        break;
    }
    case SK_STORE_GET_KEY:
        get_key(store, message);
        break;
    case SK_STORE_PUT_KEY: {
        const struct sk_store_put_key *m = message;
        result(store, channel, "put key", m->ticket, sk_engine_put_key(e, m->der), 0);
        break;
    }
    default:
        break;
    }
}

static void end_import(struct store *store, const struct sk_store_end *end)
{
    struct sk_buf changed SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(CHANGED_MAX);
    int r = sk_engine_end(store->engine, end->tenant, &changed);
    /* As many messages as it takes: a role that all users hold changes all of them. */
    for (struct sk_slice rest = sk_buf_peek(&changed); r == 0 && rest.len;) {
        struct sk_store_changed m = {.names = sk_slice_cut(rest, CHANGED_MESSAGE)};
        while (m.names.len < rest.len && rest.data[m.names.len] != ',') {
            m.names.len--;
        }
        memcpy(m.tenant, end->tenant, SK_ID_SIZE);
        send(store, store->auth, SK_STORE_CHANGED, &m);
        rest = sk_slice_from(rest, m.names.len + 1);
    }
    result(store, store->supervisor, "end", end->ticket, r, 0);
}

/* A part that fails takes the whole import with it: its END then finds nothing under way and says so. */
static void part(struct store *store, const char *what, int r)
{
    if (r < 0) {
        failed(what, r);
        sk_engine_cancel(store->engine);
    }
}

static void from_supervisor(struct sk_channel *channel, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct store *store = context;
    switch (code) {
    case SK_STORE_BEGIN: {
        const struct sk_store_begin *m = message;
        result(store, channel, "begin", m->ticket, sk_engine_begin(store->engine, m), 0);
        break;
    }
    case SK_STORE_USER:
        part(store, "user", sk_engine_put_user(store->engine, message));
        break;
    case SK_STORE_SECRET:
        part(store, "secret", sk_engine_put_secret(store->engine, message));
        break;
    case SK_STORE_END:
        end_import(store, message);
        break;
    default:
        break;
    }
}

static void ended(struct sk_channel *channel, bool bad, void *context)
{
    struct store *store = context;
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", channel == store->auth ? "auth" : "supervisor"));
    }
    if (channel == store->supervisor) {
        sk_engine_cancel(store->engine);
    }
    *(channel == store->auth ? &store->auth : &store->supervisor) = sk_channel_free(channel);
}

static void add_peer(struct store *store, const struct sk_control_peer *m, int fd)
{
    static const struct sk_channel_handler auth = {&sk_store_interface, SK_STORE_FROM_STORE, SK_STORE_FROM_AUTH, from_auth, ended};
    static const struct sk_channel_handler supervisor = {
            &sk_store_interface, SK_STORE_FROM_STORE, SK_STORE_FROM_SUPERVISOR, from_supervisor, ended};
    bool is_auth = m->peer == SK_PEER_AUTH;
    struct sk_channel **slot = is_auth ? &store->auth : &store->supervisor;
    if (m->peer != SK_PEER_AUTH && m->peer != SK_PEER_SUPERVISOR) {
        (void)close(fd);
        return;
    }
    (void)sk_channel_free(*slot);
    *slot = sk_channel_new(store->child.loop, fd, is_auth ? &auth : &supervisor, store);
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct store *store = child->context;
    if (hello->secret.len != sizeof(store->root_key)) {
        return -EINVAL;
    }
    memcpy(store->root_key, hello->secret.data, sizeof(store->root_key));
    memcpy(store->folder, hello->folder.data, hello->folder.len);
    return 0;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct store *store = child->context;
    if (code == SK_CONTROL_LIMITS && !store->engine) {
        if (child->partly) {
            sk_log(SK_EVENT_SANDBOX_PARTIAL, SK_TEXT("lacks", "landlock")); /* one process says it: all have one kernel */
        }
        int r = sk_engine_open(store->folder, store->root_key, &store->engine);
        sk_wipe(store->root_key, sizeof(store->root_key));
        if (r == 1) {
            sk_log(SK_EVENT_STORE_NEWER, SK_TEXT("folder", store->folder));
        } else if (r) {
            failed("open", r);
        }
        if (r) {
            sk_loop_stop(child->loop);
        }
    } else if (code == SK_CONTROL_PEER) {
        add_peer(store, message, fds[0]);
    } else if (code == SK_CONTROL_LOADED) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "store", .hello = on_hello, .told = on_told};
    static struct store store;
    sk_log_init("sekisho-store");
    sk_files_init();
    int r = sk_child_run(&store.child, &program, &store);
    (void)sk_engine_free(store.engine);
    return r;
}
