/* The roster: starting processes, connecting them with each other, starting again what dies. */
#include "supervisor/contracts.h"

#include "base/clock.h"
#include "base/log.h"
#include "ipc/child.h"
#include "ipc/ring.h"
#include "journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define DELAY_FIRST (100 * SK_MILLISECOND)
#define DELAY_MOST (5 * SK_SECOND)
#define UNSAID_MOST ((size_t)64 << 10)
#define LIVED_LONG (10 * SK_SECOND)

static const struct {
    const char *name;
    enum sk_peer peer;
} kinds[KIND_COUNT] = {[KIND_AUDIT] = {"audit", SK_PEER_AUDIT}, [KIND_STORE] = {"store", SK_PEER_STORE}, [KIND_AUTH] = {"auth", SK_PEER_AUTH},
        [KIND_FACTOR] = {"factor", SK_PEER_FACTOR}, [KIND_PAM] = {"pam", SK_PEER_PAM}, [KIND_WORKER] = {"worker", SK_PEER_WORKER},
        [KIND_FETCH] = {"fetch", SK_PEER_FETCH}, [KIND_SIGNER] = {"signer", SK_PEER_SIGNER},
        [KIND_READER] = {"reader", SK_PEER_READER}, [KIND_FEED] = {"feed", SK_PEER_FEED}};

struct process *process_of(struct supervisor *s, enum kind kind, uint64_t index)
{
    for (size_t i = 0; i < s->processes_count; i++) {
        if (s->processes[i].kind == kind && s->processes[i].index == index) {
            return &s->processes[i];
        }
    }
    return NULL;
}

void process_kill(struct process *p)
{
    if (kill(p->pid, SIGKILL)) {
        p->control = sk_channel_free(p->control);
    }
}

void process_send(struct process *p, uint16_t code, const void *message, const int *fds)
{
    if (p && p->control && sk_channel_send(p->control, code, message, fds) < 0) {
        process_kill(p); /* who cannot be told must not go on with what it knew */
    }
}

/* ---- identity ---- */

struct identity {
    uid_t uid;
    gid_t gid;
};

/* With uid_base a number from there on, for user and group; else the account sekisho-NAME. Zero when there is none. */
static struct identity identity_of(const struct supervisor *s, enum kind kind)
{
    char name[64];
    if (kind == KIND_PAM) {
        return (struct identity){0, 0};
    }
    if (s->conf->uid_base) {
        uid_t number = (uid_t)s->conf->uid_base + (uid_t)kind;
        return (struct identity){number, number};
    }
    (void)snprintf(name, sizeof(name), "sekisho-%s", kinds[kind].name);
    struct passwd *account = getpwnam(name);
    return account ? (struct identity){account->pw_uid, account->pw_gid} : (struct identity){0, 0};
}

static int own_folder(const struct supervisor *s, const char *name, mode_t mode, struct identity identity, char out[4200])
{
    (void)snprintf(out, 4200, "%s/%s", s->conf->is.data, name);
    /* One that there is belongs to another account: its mode is not the supervisor's to change, which has no CAP_FOWNER. */
    if (mkdir(out, mode) ? errno != EEXIST : chmod(out, mode) != 0) {
        return -errno;
    }
    return geteuid() == 0 && chown(out, identity.uid, identity.gid) ? -errno : 0;
}

/* ---- starting ---- */

static void program_path(const struct supervisor *s, enum kind kind, char out[4400])
{
    const char *name = kinds[kind].name;
    if (s->programs[0]) {
        (void)snprintf(out, 4400, "%s/sekisho-%s", s->programs, name);
        return;
    }
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[len < 0 ? 0 : len] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) {
        *slash = '\0';
    }
    (void)snprintf(out, 4400, "%s/../%s/sekisho-%s", self, name, name);
    if (access(out, X_OK)) {
        (void)snprintf(out, 4400, SEKISHO_LIBEXEC "/sekisho-%s", name);
    }
}

static void run_child(const char *path, int control)
{
    char *const arguments[] = {(char *)(uintptr_t)path, NULL};
    /* A handshake takes and gives back several hundred small blocks: more of them are kept at hand than seven of a size. */
    char *const environment[] = {"LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GLIBC_TUNABLES=glibc.malloc.tcache_count=127", NULL};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(control, SK_CHILD_CONTROL_FD) < 0) {
        _exit(126);
    }
    (void)fcntl(SK_CHILD_CONTROL_FD, F_SETFD, 0);
    (void)close_range(SK_CHILD_CONTROL_FD + 1, ~0U, 0);
    (void)execve(path, arguments, environment);
    _exit(127);
}

const char *process_name(const struct process *p)
{
    return kinds[p->kind].name;
}

/* audit took its records from this one and found it out. */
static void end_hostile(struct supervisor *s, const struct sk_control_breach *m)
{
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        if (kinds[p->kind].peer == (enum sk_peer)m->peer && p->index == m->index && p->pid > 0) {
            process_kill(p);
        }
    }
}

/* When the signer ends, audit does: what it is told then goes with it. */
static bool audit_stays(struct supervisor *s)
{
    const struct process *audit = process_of(s, KIND_AUDIT, 0), *signer = process_of(s, KIND_SIGNER, 0);
    return audit && audit->pid > 0 && audit->control && signer && signer->pid > 0;
}

/* Audit serves: it gets what could be told to nobody. */
static void record_unsaid(struct supervisor *s)
{
    uint16_t len;
    while (audit_stays(s) && sk_buf_len(&s->unsaid)) {
        struct sk_slice all = sk_buf_peek(&s->unsaid);
        if (!all.data) {
            break;
        }
        memcpy(&len, all.data, sizeof(len));
        struct sk_control_record m = {.cbor = sk_slice_cut(sk_slice_from(all, sizeof(len)), len)};
        process_send(process_of(s, KIND_AUDIT, 0), SK_CONTROL_RECORD, &m, NULL);
        sk_buf_take(&s->unsaid, sizeof(len) + len);
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct process *p = context;
    if (code == SK_CONTROL_PING) {
        p->asked = false;
    } else if (code == SK_CONTROL_READY) {
        p->ready = ((const struct sk_control_ready *)message)->generation;
        if (p->kind == KIND_AUDIT) {
            record_unsaid(p->supervisor);
        }
        check_ready(p->supervisor);
    } else if (code == SK_CONTROL_DOCUMENT && p->kind == KIND_FETCH) {
        source_changed(p->supervisor, ((const struct sk_control_document *)message)->id);
    } else if (code == SK_CONTROL_BREACH && p->kind == KIND_AUDIT) {
        end_hostile(p->supervisor, message);
    }
}

static void ended(struct sk_channel *channel, bool bad, void *context)
{
    struct process *p = context;
    p->control = sk_channel_free(channel);
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", kinds[p->kind].name), SK_NUMBER("index", p->index));
        process_kill(p);
    }
}

/* What a reload may change: time-outs for all, and for workers who their balancers are. */
static void send_settings(struct supervisor *s, struct process *p)
{
    struct sk_buf balancers SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    int failed = 0;
    struct sk_control_limits limits = {.handshake = s->conf->is.handshake,
            .header = s->conf->is.header,
            .idle = s->conf->is.idle,
            .request = s->conf->is.request,
            .drain = s->conf->is.drain,
            .flush_deadline = s->conf->is.flush_deadline,
            .file_size = s->conf->is.file_size,
            .workers = s->workers};
    char ports[128] = "";
    size_t len = 0;
    for (unsigned i = 0; i < s->conf->listen_count; i++) {
        int n = snprintf(ports + len, sizeof(ports) - len, "%s%u", i ? "," : "", s->conf->is.listen[i].port);
        len += (size_t)n; /* sixteen ports of at most five digits */
    }
    limits.ports = sk_slice(ports, len);
    process_send(p, SK_CONTROL_LIMITS, &limits, NULL);
    if (p->kind != KIND_WORKER) {
        return;
    }
    for (unsigned i = 0; i < s->conf->balancers_count; i++) {
        failed |= sk_buf_printf(&balancers, "%s%s", i ? "," : "", s->conf->balancers[i]);
    }
    struct sk_control_balancers m = {.cidrs = failed ? SK_SLICE_NULL : sk_buf_peek(&balancers)};
    process_send(p, SK_CONTROL_BALANCERS, &m, NULL);
}

void announce_settings(struct supervisor *s)
{
    for (size_t i = 0; i < s->processes_count; i++) {
        send_settings(s, &s->processes[i]);
    }
}

static void send_hello(struct supervisor *s, struct process *p)
{
    uint8_t secret[SK_SHA256_SIZE], node[SK_SHA256_SIZE];
    struct sk_slice root = sk_slice(s->root_key, sizeof(s->root_key));
    static const char *const labels[KIND_COUNT] = {"audit", "store root", "auth", "factor", "pam", "worker", "fetch", "signer", "audit", "feed"}; /* the reader opens what audit seals */
    char folder[4200] = "";
    struct identity identity = identity_of(s, p->kind);
    struct sk_control_hello hello = {.index = p->index, .uid = identity.uid, .gid = identity.gid};
    int r = 0;
    if (p->kind == KIND_AUDIT || p->kind == KIND_STORE || p->kind == KIND_SIGNER) {
        r = own_folder(s, p->kind == KIND_AUDIT ? "journal" : kinds[p->kind].name, 0700, identity, folder);
    } else if (p->kind == KIND_READER) {
        r = own_folder(s, "index", 0700, identity, folder);
    } else if (p->kind == KIND_FEED) {
        r = own_folder(s, "feed", 0755, identity, folder);
    } else if (p->kind == KIND_FETCH) {
        r = own_folder(s, FETCHED_FOLDER, 0755, identity, folder); /* nothing in it is secret, and the supervisor reads it */
    } else if (p->kind == KIND_PAM) {
        (void)snprintf(folder, sizeof(folder), "%s", s->conf->is.pam_services);
    }
    if (r < 0) {
        sk_log(SK_EVENT_FATAL, SK_TEXT("folder", folder), SK_TEXT("error", strerror(-r)));
        process_kill(p); /* without its folder it could only fail later */
    }
    sk_digest_derive(root, labels[p->kind], SK_SLICE_NULL, secret);
    sk_digest_derive(root, "node", SK_SLICE_NULL, node);
    memcpy(hello.node, node, SK_ID_SIZE);
    hello.folder = sk_slice_str(folder);
    hello.secret = sk_slice(secret, sizeof(secret));
    process_send(p, SK_CONTROL_HELLO, &hello, NULL);
    sk_wipe(secret, sizeof(secret));
    send_settings(s, p);
}

/* ---- connecting ---- */

static void connect_pair(struct process *a, struct process *b)
{
    int fds[2];
    if (!a || !b || !a->control || !b->control || sk_channel_pair(fds)) {
        return;
    }
    struct sk_control_peer to_a = {.peer = kinds[b->kind].peer, .index = b->index};
    struct sk_control_peer to_b = {.peer = kinds[a->kind].peer, .index = a->index};
    process_send(a, SK_CONTROL_PEER, &to_a, &fds[0]);
    process_send(b, SK_CONTROL_PEER, &to_b, &fds[1]);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void connect_ring(struct process *producer, struct process *audit)
{
    int fds[3];
    if (!producer || !audit || !producer->control || !audit->control || sk_ring_make(fds)) {
        return;
    }
    struct sk_control_ring to_audit = {.peer = kinds[producer->kind].peer, .index = producer->index};
    struct sk_control_ring to_producer = {.peer = SK_PEER_AUDIT};
    const int for_audit[] = {fds[0], fds[1]}, for_producer[] = {fds[0], fds[2]};
    process_send(audit, SK_CONTROL_RING, &to_audit, for_audit);
    process_send(producer, SK_CONTROL_RING, &to_producer, for_producer);
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
}

static void connect_store(struct supervisor *s, struct process *store)
{
    int fds[2];
    struct sk_control_peer m = {.peer = SK_PEER_SUPERVISOR};
    if (sk_channel_pair(fds)) {
        return;
    }
    process_send(store, SK_CONTROL_PEER, &m, &fds[0]);
    (void)close(fds[0]);
    sync_connect(s, fds[1]);
}

static void connect_worker(struct supervisor *s, struct process *p)
{
    struct sk_control_shared shared = {.size = sizeof(struct sk_shared)};
    process_send(p, SK_CONTROL_SHARED, &shared, &s->shared_fd);
    connect_ring(p, process_of(s, KIND_AUDIT, 0));
    connect_pair(p, process_of(s, KIND_AUTH, 0));
    for (const struct tenant *t = s->list; t; t = t->next) {
        announce_tenant(s, p, t);
    }
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct sk_control_listener listener = {.observe = i == LISTENERS_MAX - 1};
        if (s->listeners[p->index][i] >= 0) {
            process_send(p, SK_CONTROL_LISTENER, &listener, &s->listeners[p->index][i]);
        }
    }
}

static void connect_auth(struct supervisor *s, struct process *auth)
{
    connect_ring(auth, process_of(s, KIND_AUDIT, 0));
    connect_pair(auth, process_of(s, KIND_STORE, 0));
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        if (p->kind == KIND_FACTOR || p->kind == KIND_PAM || p->kind == KIND_WORKER || p->kind == KIND_FETCH || p->kind == KIND_READER) {
            connect_pair(auth, p);
        }
    }
    for (const struct tenant *t = s->list; t; t = t->next) {
        announce_tenant(s, auth, t);
    }
}

static void connect_audit(struct supervisor *s, struct process *audit)
{
    connect_pair(audit, process_of(s, KIND_SIGNER, 0));
    connect_pair(audit, process_of(s, KIND_READER, 0));
    for (const struct tenant *t = s->list; t; t = t->next) {
        announce_tenant(s, audit, t);
    }
    contracts_announce(s, audit);
    for (size_t i = 0; i < s->processes_count; i++) {
        if (s->processes[i].kind == KIND_WORKER || s->processes[i].kind == KIND_AUTH) {
            connect_ring(&s->processes[i], audit);
        }
    }
}

/* It was there when the configuration was read: when it is not any more, nothing is sent, least of all with other authorities. */
static bool read_for_feed(struct supervisor *s, const char *name, struct sk_buf *out, struct sk_slice *text)
{
    struct sk_conf_error error;
    char path[4096];
    int r = !name ? 0 : sk_conf_path(s->conf_file, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, out);
    *text = sk_buf_peek(out);
    if (r && sk_conf_refuse(&error, s->conf_file, SK_SLICE_NULL, "feeds", "'%s' cannot be read any more: %s", name, strerror(-r))) {
        s->complain(&error);
    }
    return r == 0;
}

static void connect_feed(struct supervisor *s, struct process *p)
{
    const struct sk_conf_feed *conf = &s->conf->feeds[p->index];
    struct sk_buf ca SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536), authorization SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    struct sk_buf certificate SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536), key SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536), ids SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    char host[256] = "";
    (void)gethostname(host, sizeof(host) - 1);
    struct sk_control_feed m = {.name = sk_slice_str(conf->name), .form = conf->form, .to = sk_slice_str(conf->to), .host = sk_slice_str(host[0] ? host : "-")};
    bool good = read_for_feed(s, conf->ca_file, &ca, &m.ca) && read_for_feed(s, conf->authorization_file, &authorization, &m.authorization) &&
                read_for_feed(s, conf->cert_file, &certificate, &m.certificate) && read_for_feed(s, conf->key_file, &key, &m.key);
    while (m.authorization.len && strchr("\r\n \t", m.authorization.data[m.authorization.len - 1])) {
        m.authorization.len--;
    }
    for (unsigned i = 0; i < conf->tenants_count; i++) {
        char name[65];
        uint8_t id[SK_ID_SIZE];
        const char *service = strchr(conf->tenants[i], '@'); /* it was checked that there is one */
        (void)snprintf(name, sizeof(name), "%.*s", (int)(service - conf->tenants[i]), conf->tenants[i]);
        sk_image_tenant_id(service + 1, name, id);
        good = good && sk_buf_put(&ids, sk_slice(id, sizeof(id))) == 0;
    }
    m.tenants = sk_buf_peek(&ids);
    if (good) {
        process_send(p, SK_CONTROL_FEED, &m, NULL);
    } else {
        process_kill(p); /* it is started again, a while later each time */
    }
    sk_wipe(key.data, key.size);
    sk_wipe(authorization.data, authorization.size);
    for (const struct tenant *t = s->list; t; t = t->next) {
        announce_tenant(s, p, t);
    }
    connect_pair(p, process_of(s, KIND_READER, 0));
}

/* Everything a process that has just begun must be told, and its peers of it. */
static void introduce(struct supervisor *s, struct process *p)
{
    send_hello(s, p);
    switch (p->kind) {
    case KIND_AUDIT:
        connect_audit(s, p);
        break;
    case KIND_STORE:
        connect_pair(p, process_of(s, KIND_AUTH, 0));
        connect_store(s, p);
        break;
    case KIND_AUTH:
        connect_auth(s, p);
        break;
    case KIND_WORKER:
        connect_worker(s, p);
        break;
    case KIND_SIGNER:
        connect_pair(p, process_of(s, KIND_AUDIT, 0));
        connect_pair(p, process_of(s, KIND_READER, 0));
        break;
    case KIND_READER:
        connect_pair(p, process_of(s, KIND_AUDIT, 0));
        connect_pair(p, process_of(s, KIND_SIGNER, 0));
        connect_pair(p, process_of(s, KIND_AUTH, 0));
        for (unsigned i = 0; i < s->conf->feeds_count; i++) {
            connect_pair(p, process_of(s, KIND_FEED, i));
        }
        break;
    case KIND_FEED:
        connect_feed(s, p);
        break;
    case KIND_FETCH:
        sources_announce(s, p);
        connect_pair(p, process_of(s, KIND_AUTH, 0));
        break;
    default:
        connect_pair(p, process_of(s, KIND_AUTH, 0));
    }
    struct sk_control_loaded loaded = {.generation = s->generation};
    if (s->synced || p->kind != KIND_WORKER) {
        process_send(p, SK_CONTROL_LOADED, &loaded, NULL);
    }
}

static int process_start(struct process *p)
{
    static const struct sk_channel_handler handler = {
            &sk_control_interface, SK_CONTROL_FROM_SUPERVISOR, SK_CONTROL_FROM_CHILD, received, ended};
    struct supervisor *s = p->supervisor;
    char path[4400];
    int fds[2];
    int r = sk_channel_pair(fds);
    if (r < 0) {
        return r;
    }
    program_path(s, p->kind, path);
    pid_t pid = fork();
    if (pid == 0) {
        run_child(path, fds[1]);
    }
    (void)close(fds[1]);
    if (pid < 0) {
        (void)close(fds[0]);
        return -errno;
    }
    p->pid = pid;
    p->ready = 0;
    p->asked = false;
    p->started = sk_clock_boot();
    p->control = sk_channel_new(s->loop, fds[0], &handler, p);
    introduce(s, p);
    return 0;
}

static void start_or_wait(struct process *p)
{
    if (process_start(p) < 0) {
        sk_timer_set(&p->restart, DELAY_MOST);
    }
}

static void on_restart(struct sk_timer *timer)
{
    struct process *p = SK_CONTAINER(timer, struct process, restart);
    if (!p->supervisor->stopping && p->pid == 0) {
        start_or_wait(p);
    }
}

static void add_process(struct supervisor *s, enum kind kind, uint64_t index)
{
    struct process *p = &s->processes[s->processes_count++];
    *p = (struct process){.kind = kind, .index = index, .supervisor = s};
    sk_timer_init(&p->restart, s->loop, on_restart);
}

/* They start when something is for them to do. */
static bool on_demand(enum kind kind)
{
    return kind == KIND_PAM || kind == KIND_FETCH;
}

/* The gate is open without them. */
static bool dispensable(enum kind kind)
{
    return on_demand(kind) || kind == KIND_FACTOR || kind == KIND_READER || kind == KIND_FEED;
}

int processes_start(struct supervisor *s)
{
    s->unsaid = SK_BUF_INIT(UNSAID_MOST);
    add_process(s, KIND_SIGNER, 0);
    add_process(s, KIND_AUDIT, 0);
    add_process(s, KIND_STORE, 0);
    add_process(s, KIND_AUTH, 0);
    add_process(s, KIND_READER, 0);
    for (uint64_t i = 0; i < s->conf->factor_helpers; i++) {
        add_process(s, KIND_FACTOR, i);
    }
    for (uint64_t i = 0; i < s->conf->pam_helpers; i++) {
        add_process(s, KIND_PAM, i);
    }
    for (uint64_t i = 0; i < s->workers; i++) {
        add_process(s, KIND_WORKER, i);
    }
    add_process(s, KIND_FETCH, 0);
    for (unsigned i = 0; i < s->conf->feeds_count; i++) {
        add_process(s, KIND_FEED, i);
    }
    for (size_t i = 0; i < s->processes_count; i++) {
        if (geteuid() == 0 && s->processes[i].kind != KIND_PAM && identity_of(s, s->processes[i].kind).uid == 0) {
            sk_log(SK_EVENT_FATAL, SK_TEXT("what", "no account for a process: make the accounts sekisho-signer, -audit, -reader, -feed, -store, -auth, -factor, "
                                                   "-fetch, -worker (systemd-sysusers), or set uid_base"),
                    SK_TEXT("program", kinds[s->processes[i].kind].name));
            return -ENOENT;
        }
        int r = on_demand(s->processes[i].kind) ? 0 : process_start(&s->processes[i]);
        if (r < 0) {
            return r;
        }
    }
    processes_start_wanted(s);
    return 0;
}

void processes_start_wanted(struct supervisor *s)
{
    bool pam = false;
    for (const struct tenant *t = s->list; t; t = t->next) {
        pam |= t->pam;
    }
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        bool wanted = p->kind == KIND_PAM ? pam : p->kind == KIND_FETCH && s->sources.count;
        if (wanted && p->pid == 0 && !sk_timer_pending(&p->restart)) {
            start_or_wait(p);
        }
    }
}

/* ---- dying ---- */

static void tell_lost(struct supervisor *s, const struct process *dead)
{
    struct sk_control_lost lost = {.peer = kinds[dead->kind].peer, .index = dead->index};
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        bool concerned = (dead->kind == KIND_AUDIT && (p->kind == KIND_WORKER || p->kind == KIND_AUTH)) ||
                         (dead->kind == KIND_AUTH && (p->kind == KIND_WORKER || p->kind == KIND_AUDIT)) ||
                         (dead->kind == KIND_WORKER && p->kind == KIND_AUDIT);
        if (concerned && p != dead) {
            process_send(p, SK_CONTROL_LOST, &lost, NULL);
        }
    }
}

void process_died(struct supervisor *s, pid_t pid, int status)
{
    struct process *p = NULL;
    for (size_t i = 0; i < s->processes_count; i++) {
        p = s->processes[i].pid == pid ? &s->processes[i] : p;
    }
    if (!p) {
        return;
    }
    p->pid = 0;
    p->ready = 0;
    p->control = sk_channel_free(p->control);
    if (s->stopping) {
        return;
    }
    bool recycled = p->kind == KIND_PAM && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool lived = recycled || sk_clock_boot() - p->started > LIVED_LONG;
    p->delay = lived ? 0 : p->delay ? (p->delay * 2 < DELAY_MOST ? p->delay * 2 : DELAY_MOST) : DELAY_FIRST;
    if (!recycled) {
        sk_log(p->delay > SK_SECOND ? SK_EVENT_CHILD_HELD : SK_EVENT_CHILD_DIED, SK_TEXT("process", kinds[p->kind].name),
                SK_NUMBER("index", p->index), SK_NUMBER("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                SK_NUMBER("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
        record_own(s, SK_AUDIT_PROCESS_DIED, kinds[p->kind].name);
        tell_lost(s, p);
        bool shuts = p->kind == KIND_SIGNER || p->kind == KIND_AUDIT || p->kind == KIND_STORE || p->kind == KIND_AUTH;
        if (s->ready && shuts) {
            sk_log(SK_EVENT_SHUT, SK_TEXT("process", kinds[p->kind].name));
        }
        s->ready = s->ready && dispensable(p->kind);
    }
    if (p->delay) {
        sk_timer_set(&p->restart, p->delay);
    } else {
        start_or_wait(p);
    }
}

/* Workers first: they finish what they serve while the others still answer them. */
void processes_stop(struct supervisor *s)
{
    bool workers = false;
    for (size_t i = 0; i < s->processes_count; i++) {
        workers |= s->processes[i].kind == KIND_WORKER && s->processes[i].pid > 0;
    }
    for (size_t i = 0; i < s->processes_count; i++) {
        struct process *p = &s->processes[i];
        if (p->pid > 0 && (p->kind == KIND_WORKER) == workers) {
            process_send(p, SK_CONTROL_STOP, NULL, NULL);
        }
    }
}

void processes_kill(struct supervisor *s)
{
    for (size_t i = 0; i < s->processes_count; i++) {
        if (s->processes[i].pid > 0) {
            process_kill(&s->processes[i]);
        }
    }
}

bool processes_gone(const struct supervisor *s)
{
    for (size_t i = 0; i < s->processes_count; i++) {
        if (s->processes[i].pid > 0) {
            return false;
        }
    }
    return true;
}

/* ---- telling ---- */

static void announce_issuer(struct process *p, const struct tenant *t, const struct sk_tenant_issuer *i)
{
    struct sk_control_issuer m = {.name = i->name, .issuer = i->issuer, .audience = i->audience, .types = i->types,
            .roles_claim = i->roles_claim, .map = i->map, .roles = i->roles, .networks = i->networks, .scope = i->scope,
            .restricted = i->restricted, .kind = i->kind, .bound = i->bound, .jwks = i->jwks};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    memcpy(m.source, i->source, SK_ID_SIZE);
    process_send(p, SK_CONTROL_ISSUER, &m, NULL);
}

static void announce_provider(struct process *p, const struct tenant *t, const struct sk_tenant_provider *i)
{
    struct sk_control_provider m = {.name = i->name, .user_claim = i->user_claim, .scopes = i->scopes, .acr_values = i->acr_values,
            .factors = i->factors, .authorization = i->authorization, .end_session = i->end_session, .iss = i->iss};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    process_send(p, SK_CONTROL_PROVIDER, &m, NULL);
}

static void announce_fido2(struct process *p, const struct tenant *t, const struct sk_tenant_fido2 *f)
{
    struct sk_control_fido2 m = {.rp_id = f->rp_id, .policy = f->policy, .verification = f->verification, .roots = f->roots,
            .allow = f->allow, .deny = f->deny, .most = f->most};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    process_send(p, SK_CONTROL_FIDO2, &m, NULL);
}

static void announce_to_auth(struct process *p, const struct tenant *t)
{
    struct sk_buf hosts SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(32768);
    struct sk_control_tenant m = {.name = sk_slice_str(t->name), .service = sk_slice_str(t->service), .inactivity = t->inactivity, .expiration = t->expiration,
            .max_retries = t->max_retries, .find_time = t->find_time, .ban_time = t->ban_time, .password_least = t->password_least, .certificates = t->certificates, .managers = sk_buf_peek(&t->managers), .auditors = sk_buf_peek(&t->auditors)};
    memcpy(m.tenant, t->id, SK_ID_SIZE);
    for (size_t i = 0; i < t->hosts_count; i++) {
        if (sk_buf_printf(&hosts, "%s,", t->hosts[i]) == 0) {
            continue;
        }
        m.hosts = sk_buf_peek(&hosts);
        process_send(p, SK_CONTROL_TENANT, &m, NULL);
        sk_buf_take(&hosts, m.hosts.len);
        (void)!sk_buf_printf(&hosts, "%s,", t->hosts[i]);
        m.part++;
    }
    m.hosts = sk_buf_peek(&hosts);
    process_send(p, SK_CONTROL_TENANT, &m, NULL);
    union sk_ipc_any message;
    uint16_t code;
    for (struct sk_slice rest = sk_buf_peek(&t->for_auth); sk_image_next(&rest, &message, &code) == 0;) {
        if (code == SK_TENANT_ISSUER) {
            announce_issuer(p, t, (const void *)&message);
        } else if (code == SK_TENANT_PROVIDER) {
            announce_provider(p, t, (const void *)&message);
        } else {
            announce_fido2(p, t, (const void *)&message);
        }
    }
}

void announce_tenant(struct supervisor *s, struct process *p, const struct tenant *t)
{
    (void)s;
    if (p->kind == KIND_WORKER) {
        struct sk_control_image m = {.slot = t->slot, .offset = t->offset, .size = t->size};
        memcpy(m.tenant, t->id, SK_ID_SIZE);
        process_send(p, SK_CONTROL_IMAGE, &m, &t->memory->fd);
    } else if (p->kind == KIND_AUTH) {
        announce_to_auth(p, t);
    } else if (p->kind == KIND_AUDIT || p->kind == KIND_FEED) {
        struct sk_control_tenant m = {.name = sk_slice_str(t->name), .service = sk_slice_str(t->service), .hold = t->hold};
        memcpy(m.tenant, t->id, SK_ID_SIZE);
        process_send(p, SK_CONTROL_TENANT, &m, NULL);
    }
}

void announce_gone(struct supervisor *s, const uint8_t id[SK_ID_SIZE])
{
    struct sk_control_gone m;
    memcpy(m.tenant, id, SK_ID_SIZE);
    for (size_t i = 0; i < s->processes_count; i++) {
        enum kind kind = s->processes[i].kind;
        if (kind == KIND_WORKER || kind == KIND_AUTH || kind == KIND_AUDIT) {
            process_send(&s->processes[i], SK_CONTROL_GONE, &m, NULL);
        }
    }
}

void announce_everywhere(struct supervisor *s, struct tenant *t)
{
    t->untold = false;
    for (size_t i = 0; i < s->processes_count; i++) {
        announce_tenant(s, &s->processes[i], t);
    }
}

void announce_loaded(struct supervisor *s)
{
    struct sk_control_loaded m = {.generation = s->generation};
    for (size_t i = 0; i < s->processes_count; i++) {
        process_send(&s->processes[i], SK_CONTROL_LOADED, &m, NULL);
    }
}

static void record(struct supervisor *s, struct sk_slice cbor)
{
    struct sk_control_record m = {.cbor = cbor};
    uint16_t len = (uint16_t)cbor.len;
    if (audit_stays(s)) {
        process_send(process_of(s, KIND_AUDIT, 0), SK_CONTROL_RECORD, &m, NULL);
    } else if (sk_buf_room(&s->unsaid) < sizeof(len) + len || sk_buf_put(&s->unsaid, sk_slice(&len, sizeof(len))) || sk_buf_put(&s->unsaid, cbor)) {
        sk_log(SK_EVENT_JOURNAL_FAILED, SK_TEXT("error", "an own record could be kept no longer"));
    }
}

static void record_in(struct supervisor *s, const uint8_t tenant[SK_ID_SIZE], enum sk_audit_op op, const char *detail)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    struct sk_audit_record own = {.op = op, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW, .detail = sk_slice_str(detail)};
    memcpy(own.tenant, tenant, SK_ID_SIZE);
    record(s, sk_slice(cbor, sk_record_encode(&own, cbor)));
}

void record_own(struct supervisor *s, enum sk_audit_op op, const char *detail)
{
    static const uint8_t operators[SK_ID_SIZE];
    record_in(s, operators, op, detail);
}

void record_for(struct supervisor *s, const struct tenant *tenant, enum sk_audit_op op, const char *detail)
{
    record_in(s, tenant->id, op, detail);
}

void check_ready(struct supervisor *s)
{
    bool all = s->synced;
    for (size_t i = 0; i < s->processes_count; i++) {
        const struct process *p = &s->processes[i];
        all = all && (dispensable(p->kind) || (p->pid > 0 && p->ready == s->generation));
    }
    if (all && !s->ready) {
        s->ready = true;
        sk_log(SK_EVENT_READY, SK_NUMBER("generation", s->generation), SK_NUMBER("tenants", s->tenants.count));
        (void)sd_notify(0, "READY=1");
    }
}
