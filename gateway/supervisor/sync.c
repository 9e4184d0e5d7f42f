/* Users and secrets of tenant files, brought to the store one tenant at a time. */
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

static int join(struct sk_buf *out, const char **names, unsigned count)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < count; i++) {
        r = sk_buf_printf(out, "%s%s", i ? "," : "", names[i]);
    }
    return r;
}

static int send_user(struct supervisor *s, const struct tenant *t, const struct sk_conf_user *user)
{
    struct sk_buf roles SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    struct sk_buf networks SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    int r = join(&roles, user->roles, user->roles_count);
    r = r ? r : join(&networks, user->from, user->from_count);
    struct sk_store_user m = {.name = sk_slice_str(user->name),
            .backend = user->backend,
            .hash = sk_slice_str(user->password_hash),
            .roles = sk_buf_peek(&roles),
            .networks = sk_buf_peek(&networks),
            .restricted = user->from_count > 0,
            .disabled = user->disabled};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    return r ? r : sk_channel_send(s->store, SK_STORE_USER, &m, NULL);
}

static int send_secret(struct supervisor *s, const struct tenant *t, const struct sk_conf_app *app, const struct sk_conf_inject *inject)
{
    struct sk_buf value SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    char path[4096];
    if (sk_conf_path(t->file, inject->value_file, path) || sk_conf_read_file(path, &value)) {
        return -1;
    }
    struct sk_slice text = sk_buf_peek(&value);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    struct sk_store_secret m = {.app = sk_slice_str(app->name), .header = sk_slice_str(inject->header), .value = text};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    int r = sk_channel_send(s->store, SK_STORE_SECRET, &m, NULL);
    sk_wipe(value.data, value.size);
    return r;
}

/* The store has it, or never will: whoever waits for this version gets it. */
static void synced(struct supervisor *s, struct tenant *t)
{
    t->synced = true;
    if (t->untold) {
        announce_everywhere(s, t);
    }
    sync_next(s);
}

/* After BEGIN was taken: everything, then END. */
static void send_tenant(struct supervisor *s, struct tenant *t)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    struct sk_conf_tenant *conf = NULL;
    struct sk_store_end end = {.ticket = 2};
    int r = tenant_reread(t, &text, &conf);
    for (unsigned i = 0; r == 0 && i < conf->users_count; i++) {
        r = send_user(s, t, &conf->users[i]);
    }
    for (unsigned i = 0; r == 0 && i < conf->apps_count; i++) {
        for (unsigned j = 0; r == 0 && j < conf->apps[i].inject_count; j++) {
            r = send_secret(s, t, &conf->apps[i], &conf->apps[i].inject[j]);
        }
    }
    (void)sk_conf_tenant_free(conf);
    memcpy(end.tenant, t->id, SK_ID_SIZE);
    r = r ? r : sk_channel_send(s->store, SK_STORE_END, &end, NULL);
    if (r) {
        sk_log(SK_EVENT_STORE_FAILED, SK_TEXT("operation", "sync"), SK_TEXT("file", t->file));
        synced(s, t); /* its file changed under us: the next reload brings it */
    }
}

void sync_next(struct supervisor *s)
{
    if (!s->store) {
        return;
    }
    /* All before the one that was brought last are done. */
    for (struct tenant *t = s->syncing ? s->syncing : s->list; t; t = t->next) {
        if (t->synced) {
            continue;
        }
        struct sk_store_begin begin = {
                .ticket = 1, .name = sk_slice_str(t->name), .service = sk_slice_str(t->service), .digest = sk_slice_str(t->digest)};
        memcpy(begin.tenant, t->id, SK_ID_SIZE);
        s->syncing = t;
        s->synced = false;
        (void)!sk_channel_send(s->store, SK_STORE_BEGIN, &begin, NULL);
        return;
    }
    s->syncing = NULL;
    if (!s->synced) {
        s->synced = true;
        announce_loaded(s);
        if (s->reloading) {
            reload_done(s);
        }
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct supervisor *s = context;
    const struct sk_store_result *m = message;
    struct tenant *t = s->syncing;
    if (code != SK_STORE_RESULT) {
        return;
    }
    if (!t) {
        sync_next(s); /* the tenant was replaced by a reload while it was brought */
    } else if (m->ticket == 1 && m->status == 0) {
        send_tenant(s, t);
    } else {
        if (m->status == 2) {
            sk_log(SK_EVENT_STORE_FAILED, SK_TEXT("operation", "sync"), SK_TEXT("tenant", t->name));
        }
        synced(s, t);
    }
}

static void ended(struct sk_channel *channel, bool bad sk_unused, void *context)
{
    struct supervisor *s = context;
    s->store = sk_channel_free(channel);
    s->syncing = NULL;
}

void sync_connect(struct supervisor *s, int fd)
{
    static const struct sk_channel_handler handler = {&sk_store_interface, SK_STORE_FROM_SUPERVISOR, SK_STORE_FROM_STORE, received, ended};
    s->store = sk_channel_free(s->store);
    s->store = sk_channel_new(s->loop, fd, &handler, s);
    s->synced = false;
    for (struct tenant *t = s->list; t; t = t->next) {
        t->synced = false;
    }
    sync_next(s);
}
