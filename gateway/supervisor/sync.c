/* Users and secrets of tenant files, brought to the store one tenant at a time. */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <unistd.h>

#define RETRY_FIRST SK_SECOND
#define RETRY_MOST (60 * SK_SECOND)
#define QUEUE_MOST ((size_t)256 << 20) /* all of the largest tenant at once */

static int join(struct sk_buf *out, char between, const char **names, unsigned count)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < count; i++) {
        r = i ? sk_buf_put(out, sk_slice(&between, 1)) : 0;
        r = r ? r : sk_buf_put(out, sk_slice_str(names[i]));
    }
    return r;
}

/* Texts were checked when the file was read. */
static int join_keys(struct sk_buf *out, const struct sk_conf_user *user)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < user->keys_count; i++) {
        uint64_t expires = 0;
        (void)!sk_time_parse(sk_slice_str(user->keys[i].expires), &expires);
        const char *certificate = user->keys[i].certificate;
        r = sk_buf_printf(out, "%s%s:%llu%s%s", i ? "," : "", user->keys[i].sha256, (unsigned long long)expires, certificate ? ":" : "", certificate ? certificate : "");
    }
    return r;
}

static int send_user(struct supervisor *s, const struct tenant *t, const struct sk_conf_user *user)
{
    struct sk_buf roles SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    struct sk_buf networks SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    struct sk_buf keys SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_buf scope SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(2048);
    int r = join(&roles, ',', user->roles, user->roles_count);
    r = r ? r : join(&networks, ',', user->from, user->from_count);
    r = r ? r : join(&scope, ';', user->scope, user->scope_count);
    r = r ? r : join_keys(&keys, user);
    struct sk_store_user m = {.name = sk_slice_str(user->name),
            .backend = user->backend,
            .hash = user->backend == SK_BACKEND_KEY ? sk_buf_peek(&keys) : sk_slice_str(user->password_hash),
            .roles = sk_buf_peek(&roles),
            .networks = sk_buf_peek(&networks),
            .scope = sk_buf_peek(&scope),
            .restricted = user->from_count > 0,
            .disabled = user->disabled};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    return r ? r : sk_channel_send(s->store, SK_STORE_USER, &m, NULL);
}

static int send_secret(struct supervisor *s, const struct tenant *t, const char *app, const char *header, const char *value_file)
{
    struct sk_buf value SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    char path[4096];
    if (sk_conf_path(t->file, value_file, path) || sk_conf_read_file(path, &value)) {
        return -1;
    }
    struct sk_slice text = sk_buf_peek(&value);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    struct sk_store_secret m = {.app = sk_slice_str(app), .header = sk_slice_str(header), .value = text};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    int r = sk_channel_send(s->store, SK_STORE_SECRET, &m, NULL);
    sk_wipe(value.data, value.size);
    return r;
}

static int begin(struct supervisor *s, struct tenant *t)
{
    struct sk_store_begin begin = {.ticket = ++s->sync_ticket,
            .name = sk_slice_str(t->name),
            .service = sk_slice_str(t->service),
            .digest = sk_slice_str(t->digest)};
    memcpy(begin.tenant, t->id, SK_ID_SIZE);
    s->sync_ending = false;
    return sk_channel_send(s->store, SK_STORE_BEGIN, &begin, NULL);
}

/* After BEGIN was taken: everything, then END. 0; 1 its file is no longer the one that was loaded; negative. */
static int send_tenant(struct supervisor *s, struct tenant *t)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    struct sk_conf_tenant *conf = NULL;
    struct sk_store_end end = {.ticket = ++s->sync_ticket};
    int r = tenant_reread(t, &text, &conf);
    for (unsigned i = 0; r == 0 && i < conf->users_count; i++) {
        r = send_user(s, t, &conf->users[i]);
    }
    for (unsigned i = 0; r == 0 && i < conf->apps_count; i++) {
        for (unsigned j = 0; r == 0 && j < conf->apps[i].inject_count; j++) {
            r = send_secret(s, t, conf->apps[i].name, conf->apps[i].inject[j].header, conf->apps[i].inject[j].value_file);
        }
    }
    for (unsigned i = 0; r == 0 && i < conf->sign_in_count; i++) {
        r = send_secret(s, t, SK_STORE_PROVIDERS, conf->sign_in[i].name, conf->sign_in[i].client_secret_file);
    }
    (void)sk_conf_tenant_free(conf);
    sk_wipe(text.data, text.size);
    memcpy(end.tenant, t->id, SK_ID_SIZE);
    s->sync_ending = true;
    return r ? r : sk_channel_send(s->store, SK_STORE_END, &end, NULL);
}

/*
 * Set aside, so that it holds up no other, and tried again: until then its former version stays in force, and the
 * reload that brought it is not called done.
 */
static void set_aside(struct tenant *t)
{
    sk_log(SK_EVENT_STORE_FAILED, SK_TEXT("operation", "sync"), SK_TEXT("tenant", t->name), SK_TEXT("file", t->file));
    t->failed = true;
}

static void all_brought(struct supervisor *s)
{
    bool whole = true;
    for (const struct tenant *t = s->list; whole && t; t = t->next) {
        whole = t->synced;
    }
    s->syncing = NULL;
    if (!s->synced) {
        s->synced = true;
        announce_loaded(s);
    }
    if (whole && s->reloading) {
        reload_done(s);
    } else if (!whole) {
        note_reload(s, false);
        s->sync_delay = s->sync_delay * 2 < RETRY_MOST ? s->sync_delay * 2 : RETRY_MOST;
        sk_timer_set(&s->sync_retry, s->sync_delay);
    }
}

/* Asks the store about the next tenant that it does not have; what cannot even be asked about is set aside. */
static void sync_next(struct supervisor *s)
{
    /* All before the one that was brought last are done. */
    struct tenant *t = s->syncing ? s->syncing : s->list;
    for (; s->store && t; t = t->next) {
        if (t->synced || t->failed) {
            continue;
        }
        s->syncing = t;
        if (begin(s, t) == 0) {
            return;
        }
        set_aside(t);
    }
    if (s->store) {
        all_brought(s);
    }
}

static void on_retry(struct sk_timer *timer)
{
    struct supervisor *s = SK_CONTAINER(timer, struct supervisor, sync_retry);
    for (struct tenant *t = s->list; t; t = t->next) {
        t->failed = false;
    }
    if (!s->syncing) {
        sync_next(s);
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    enum { TAKEN = 0, UNCHANGED = 1 };
    struct supervisor *s = context;
    const struct sk_store_result *m = message;
    struct tenant *t = s->syncing;
    if (code != SK_STORE_RESULT || !t || m->ticket != s->sync_ticket) {
        return; /* of a tenant that a reload replaced while it was brought */
    }
    bool done = m->status == (s->sync_ending ? TAKEN : UNCHANGED);
    if (done) {
        t->synced = true;
        if (t->untold) {
            announce_everywhere(s, t);
        }
    } else if (s->sync_ending || m->status != TAKEN || send_tenant(s, t)) {
        set_aside(t);
    } else {
        return; /* END is on its way */
    }
    sync_next(s);
}

static void ended(struct sk_channel *channel, bool bad sk_unused, void *context)
{
    struct supervisor *s = context;
    s->store = sk_channel_free(channel);
    s->syncing = NULL;
}

void sync_init(struct supervisor *s)
{
    sk_timer_init(&s->sync_retry, s->loop, on_retry);
}

void sync_start(struct supervisor *s)
{
    for (struct tenant *t = s->list; t; t = t->next) {
        t->failed = false;
    }
    s->syncing = NULL;
    s->synced = false;
    s->sync_delay = RETRY_FIRST / 2;
    sync_next(s);
}

void sync_connect(struct supervisor *s, int fd)
{
    static const struct sk_channel_handler handler = {&sk_store_interface, SK_STORE_FROM_SUPERVISOR, SK_STORE_FROM_STORE, received, ended};
    s->store = sk_channel_free(s->store);
    s->store = sk_channel_new(s->loop, fd, &handler, s);
    if (s->store) {
        sk_channel_allow(s->store, QUEUE_MOST);
    }
    for (struct tenant *t = s->list; t; t = t->next) {
        t->synced = false; /* a store that was started again may have lost what it had not yet written */
    }
    sync_start(s);
}
