/*
 * sekishod, the supervisor: reads the configuration, opens the listening sockets, starts every process with what it
 * needs and nothing more, connects them, and starts again what dies. Root, because it gives each child its own
 * identity; it reads no byte of a client.
 */
#include "supervisor/contracts.h"

#include "base/clock.h"
#include "base/log.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define KILL_GRACE (5 * SK_SECOND)

static const char usage[] =
        "Usage: sekishod [--config FILE] [--check]\n"
        "The Sekisho gateway. Stays in the foreground; logs one JSON object a line to standard error.\n"
        "  -c, --config FILE   configuration (default /etc/sekisho/sekisho.yaml)\n"
        "      --check         read the configuration and all tenant files, say what is wrong and where, start nothing\n"
        "      --programs DIR  folder of the gateway's other programs\n"
        "  -h, --help          this text\n"
        "  -V, --version       the version\n"
        "Signals: HUP reads the configuration again (a wrong one changes nothing); TERM and INT finish open requests and stop.\n";

static void log_refused(const struct sk_conf_error *error)
{
    char at[300];
    (void)snprintf(at, sizeof(at), "%s:%u", error->file, error->line);
    sk_log(SK_EVENT_CONFIG_REFUSED, SK_TEXT("at", at), SK_TEXT("what", error->text));
}

static void print_refused(const struct sk_conf_error *error)
{
    if (error->line) {
        (void)fprintf(stderr, "%s:%u: %s\n", error->file, error->line, error->text);
    } else {
        (void)fprintf(stderr, "%s: %s\n", error->file, error->text);
    }
}

static int refuse_tenant(const struct tenant *t, const char *path, const char *why, struct sk_conf_error *error)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)32 << 20);
    (void)!sk_conf_read_file(t->file, &text);
    return sk_conf_refuse(error, t->file, sk_buf_peek(&text), path, "%s", why);
}

static bool clients_good(const struct sk_tenant_clients *m, char why[SK_TLS_WHY])
{
    struct sk_tls_trust *trust = sk_tls_trust_new(m->ca, m->crls, m->crls.len ? SK_TLS_LISTS : 0, why);
    bool good = trust != NULL;
    (void)sk_tls_trust_unref(trust);
    return good;
}

/* What only a look into the certificates tells. */
static int check_certificates(const struct supervisor *s, struct sk_conf_error *error)
{
    for (const struct tenant *t = s->list; t; t = t->next) {
        struct sk_image image;
        union sk_ipc_any message;
        uint16_t code;
        if (!t->changed || sk_image_open(&image, sk_buf_peek(&t->image))) {
            continue;
        }
        unsigned n = 0;
        while (sk_image_next(&image.rest, &message, &code) == 0) {
            const struct sk_tenant_certificate *m = (const void *)&message;
            const char *why;
            char text[SK_TLS_WHY];
            if (code == SK_TENANT_CLIENTS && !clients_good((const void *)&message, text)) {
                return refuse_tenant(t, "client_certificates", text, error);
            }
            if (code != SK_TENANT_CERTIFICATE) {
                continue;
            }
            struct sk_tls_identity *identity = sk_tls_identity_new(m->chain, m->key, &why);
            if (!identity) {
                char path[64];
                (void)snprintf(path, sizeof(path), "certificates[%u]", n);
                return refuse_tenant(t, path, why, error);
            }
            (void)sk_tls_identity_free(identity);
            n++;
        }
    }
    return 0;
}

/* Everything the configuration says, complained of where it is wrong. 0; 1 refused; negative. */
static int load_all(struct supervisor *s, struct sk_conf **conf)
{
    struct sk_conf_error error;
    int r = sk_conf_load(s->conf_file, conf, &error);
    if (r == 1) {
        s->complain(&error);
    }
    r = r ? r : tenants_load(s, *conf);
    if (r == 0 && (r = check_certificates(s, &error)) == 1) {
        s->complain(&error);
        tenants_rollback(s);
    }
    if (r && *conf) {
        *conf = sk_conf_free(*conf);
    }
    return r;
}

static int check_root_key(struct supervisor *s, struct sk_conf_error *error)
{
    struct sk_buf key SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    const char *file = s->conf->is.root_key_file;
    int r = sk_conf_read_file(file, &key);
    if (r < 0) {
        return sk_conf_refuse(error, file, SK_SLICE_NULL, "", "the root key cannot be read: %s", strerror(-r));
    }
    struct stat info;
    struct sk_slice bytes = sk_buf_peek(&key);
    if (bytes.len != sizeof(s->root_key)) {
        return sk_conf_refuse(error, file, SK_SLICE_NULL, "", "the root key has %zu bytes, not 32; make one with: openssl rand -out FILE 32", bytes.len);
    }
    if (stat(file, &info) == 0 && (info.st_mode & 077)) {
        return sk_conf_refuse(error, file, SK_SLICE_NULL, "", "others may read the root key: chmod 0400 it");
    }
    memcpy(s->root_key, bytes.data, sizeof(s->root_key));
    sk_wipe(key.data, key.size);
    return 0;
}

static int read_root_key(struct supervisor *s)
{
    struct sk_conf_error error;
    int r = check_root_key(s, &error);
    if (r == 1) {
        s->complain(&error);
    }
    return r;
}

/* ---- sockets ---- */

static int open_listener(const struct sk_addr *addr)
{
    struct sockaddr_storage at;
    socklen_t len = sk_addr_to_sockaddr(addr, &at);
    int on = 1;
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (at.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 4096)) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    return fd;
}

static int open_for_all(struct supervisor *s, const struct sk_addr *addr, int slot)
{
    char text[SK_ADDR_TEXT];
    (void)sk_addr_text_port(addr, text);
    for (uint64_t w = 0; w < s->workers; w++) {
        int fd = open_listener(addr);
        if (fd < 0) {
            sk_log(SK_EVENT_FATAL, SK_TEXT("address", text), SK_TEXT("error", strerror(-fd)));
            return fd;
        }
        s->listeners[w][slot] = fd;
    }
    sk_log(SK_EVENT_LISTENING, SK_TEXT("address", text));
    return 0;
}

/* Sockets of systemd's are shared by all workers; own ones are one for each, held open here while a worker is away. */
static int open_listeners(struct supervisor *s)
{
    for (size_t w = 0; w < WORKERS_MAX; w++) {
        for (size_t i = 0; i < LISTENERS_MAX; i++) {
            s->listeners[w][i] = -1;
        }
    }
    int given = sd_listen_fds(1), r = 0;
    for (int i = 0; i < given && i < LISTENERS_MAX - 1; i++) {
        for (uint64_t w = 0; w < s->workers; w++) {
            s->listeners[w][i] = SD_LISTEN_FDS_START + i;
        }
        (void)fcntl(SD_LISTEN_FDS_START + i, F_SETFL, O_NONBLOCK);
    }
    for (unsigned i = 0; r == 0 && given <= 0 && i < s->conf->listen_count; i++) {
        r = open_for_all(s, &s->conf->is.listen[i], (int)i);
    }
    return r ? r : open_for_all(s, &s->conf->is.observe, LISTENERS_MAX - 1);
}

static int make_shared(struct supervisor *s)
{
    s->shared_fd = memfd_create("shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->shared_fd < 0 || ftruncate(s->shared_fd, (off_t)sizeof(struct sk_shared)) ||
            fcntl(s->shared_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        return -errno;
    }
    void *memory = mmap(NULL, sizeof(struct sk_shared), PROT_READ | PROT_WRITE, MAP_SHARED, s->shared_fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    s->shared = memory;
    return 0;
}

/* ---- reload ---- */

void note_reload(struct supervisor *s, bool good)
{
    atomic_store(&s->shared->reload_success, good);
    if (good) {
        atomic_store(&s->shared->reload_time, sk_clock_wall() / SK_SECOND);
    }
}

void reload_done(struct supervisor *s)
{
    char detail[64];
    s->reloading = false;
    note_reload(s, true);
    (void)snprintf(detail, sizeof(detail), "%u tenants changed, %u gone", s->changed, s->gone);
    record_own(s, SK_AUDIT_CONFIG_CHANGED, detail);
    sk_log(SK_EVENT_CONFIG_LOADED, SK_NUMBER("generation", s->generation), SK_NUMBER("changed", s->changed), SK_NUMBER("gone", s->gone));
}

static bool same_address(const struct sk_addr *a, const struct sk_addr *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool same_listeners(const struct sk_conf *a, const struct sk_conf *b)
{
    bool same = a->listen_count == b->listen_count && same_address(&a->is.observe, &b->is.observe);
    for (unsigned i = 0; same && i < a->listen_count; i++) {
        same = same_address(&a->is.listen[i], &b->is.listen[i]);
    }
    return same;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_feeds(const struct sk_conf *a, const struct sk_conf *b)
{
    bool same = a->feeds_count == b->feeds_count;
    for (unsigned i = 0; same && i < a->feeds_count; i++) {
        const struct sk_conf_feed *x = &a->feeds[i], *y = &b->feeds[i];
        same = x->form == y->form && strcmp(x->name, y->name) == 0 && strcmp(x->to, y->to) == 0 && same_text(x->ca_file, y->ca_file) && same_text(x->authorization_file, y->authorization_file) &&
               same_text(x->cert_file, y->cert_file) && same_text(x->key_file, y->key_file) && x->tenants_count == y->tenants_count;
        for (unsigned j = 0; same && j < x->tenants_count; j++) {
            same = strcmp(x->tenants[j], y->tenants[j]) == 0;
        }
    }
    return same;
}

static bool needs_restart(const struct sk_conf *a, const struct sk_conf *b)
{
    return !same_listeners(a, b) || strcmp(a->is.data, b->is.data) != 0 ||
           a->workers != b->workers || a->uid_base != b->uid_base || a->factor_helpers != b->factor_helpers ||
           a->pam_helpers != b->pam_helpers || strcmp(a->is.root_key_file, b->is.root_key_file) != 0 ||
           strcmp(a->is.pam_services, b->is.pam_services) != 0 || a->is.file_size != b->is.file_size ||
           a->is.flush_deadline != b->is.flush_deadline || !same_feeds(a, b);
}

void supervisor_reload(struct supervisor *s)
{
    struct sk_conf *conf = NULL;
    struct sk_conf_error error;
    (void)sd_notify(0, "RELOADING=1");
    int r = load_all(s, &conf);
    if (r == 0 && needs_restart(s->conf, conf)) {
        r = sk_conf_refuse(&error, s->conf_file, SK_SLICE_NULL, "",
                "listen, observe, data, workers, uid_base, keys, helpers, journal and feeds change only with a restart");
        s->complain(&error);
        tenants_rollback(s);
        conf = sk_conf_free(conf);
    }
    if (r) {
        note_reload(s, false);
        (void)sd_notify(0, "READY=1");
        return;
    }
    r = tenants_commit(s, &s->changed, &s->gone);
    if (r < 0) {
        conf = sk_conf_free(conf);
        note_reload(s, false);
        (void)sd_notify(0, "READY=1");
        return;
    }
    (void)sk_conf_free(s->conf);
    s->conf = conf;
    s->generation++;
    announce_settings(s);
    contracts_announce(s, process_of(s, KIND_AUDIT, 0));
    processes_start_wanted(s);
    for (struct tenant *t = s->list; t; t = t->next) {
        t->untold = t->untold || t->changed;
        if (t->changed) {
            char detail[128];
            announce_tenant(s, process_of(s, KIND_AUDIT, 0), t); /* before a worker that starts meanwhile records for it */
            (void)snprintf(detail, sizeof(detail), "by the operator: the tenant file of SHA-256 %s", t->file_hash);
            record_for(s, t, SK_AUDIT_CONFIG_CHANGED, detail);
        }
        if (t->untold && t->synced) {
            announce_everywhere(s, t);
        }
    }
    s->ready = false;
    s->reloading = true;
    sync_start(s);
}

static void on_reload(struct sk_signal *signal)
{
    supervisor_reload(SK_CONTAINER(signal, struct supervisor, reload));
}

/* ---- stop ---- */

/* A connection that nobody will accept is refused at once, not left waiting. */
static void close_listeners(struct supervisor *s)
{
    for (size_t w = 0; w < WORKERS_MAX; w++) {
        for (size_t i = 0; i < LISTENERS_MAX; i++) {
            if (s->listeners[w][i] >= 0 && (w == 0 || s->listeners[w][i] != s->listeners[0][i])) {
                (void)close(s->listeners[w][i]);
            }
        }
    }
    memset(s->listeners, 0xff, sizeof(s->listeners));
}

/* Who does not even end by that is left to whoever watches over this process. */
static void stop_now(struct supervisor *s)
{
    if (s->killed) {
        sk_log(SK_EVENT_FATAL, SK_TEXT("what", "a process that could not be ended is left behind"));
        sk_loop_stop(s->loop);
        return;
    }
    s->killed = true;
    processes_kill(s);
    sk_timer_set(&s->kill, KILL_GRACE);
}

static void stop(struct supervisor *s)
{
    if (s->stopping) {
        stop_now(s); /* asked twice */
        return;
    }
    s->stopping = true;
    sk_log(SK_EVENT_STOPPING);
    (void)sd_notify(0, "STOPPING=1");
    record_own(s, SK_AUDIT_GATEWAY_STOPPED, NULL);
    close_listeners(s);
    processes_stop(s);
    sk_timer_set(&s->kill, s->conf->is.drain + KILL_GRACE);
}

static void on_terminate(struct sk_signal *signal)
{
    stop(SK_CONTAINER(signal, struct supervisor, terminate));
}

static void on_interrupt(struct sk_signal *signal)
{
    stop(SK_CONTAINER(signal, struct supervisor, interrupt));
}

static void on_kill(struct sk_timer *timer)
{
    stop_now(SK_CONTAINER(timer, struct supervisor, kill));
}

static void on_child(struct sk_signal *signal)
{
    struct supervisor *s = SK_CONTAINER(signal, struct supervisor, child);
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        process_died(s, pid, status);
    }
    if (s->stopping) {
        processes_stop(s);
        if (processes_gone(s)) {
            sk_log(SK_EVENT_STOPPED);
            sk_loop_stop(s->loop);
        }
    }
}

/* ---- start ---- */

static int check_only(struct supervisor *s)
{
    s->complain = print_refused;
    struct sk_conf *conf = NULL;
    int r = load_all(s, &conf);
    s->conf = conf;
    r = r ? r : read_root_key(s);
    if (r == 1) {
        return 1;
    }
    if (r < 0) {
        (void)fprintf(stderr, "sekishod: %s\n", strerror(-r));
        return 1;
    }
    unsigned tenants = 0;
    for (const struct tenant *t = s->list; t; t = t->next) {
        tenants++;
    }
    (void)printf("%s: good, %u tenants\n", s->conf_file, tenants);
    return 0;
}

static int begin(struct supervisor *s)
{
    unsigned changed, gone;
    struct sk_conf *conf = NULL;
    int r = load_all(s, &conf);
    s->conf = conf;
    r = r ? r : read_root_key(s);
    if (r == 1) {
        return 1;
    }
    if (r == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        s->workers = conf->workers ? conf->workers : cores > 0 ? (uint64_t)cores : 1;
        s->workers = s->workers < WORKERS_MAX ? s->workers : WORKERS_MAX;
    }
    s->generation = 1;
    r = r ? r : mkdir(s->conf->is.data, 0711) && errno != EEXIST ? -errno : 0;
    r = r ? r : make_shared(s);
    r = r ? r : tenants_commit(s, &changed, &gone);
    r = r ? r : open_listeners(s);
    if (r == 0) {
        note_reload(s, true);
        sk_signal_start(&s->terminate, s->loop, SIGTERM, on_terminate);
        sk_signal_start(&s->interrupt, s->loop, SIGINT, on_interrupt);
        sk_signal_start(&s->reload, s->loop, SIGHUP, on_reload);
        sk_signal_start(&s->child, s->loop, SIGCHLD, on_child);
        sk_timer_init(&s->kill, s->loop, on_kill);
        sync_init(s);
        r = processes_start(s);
        watch_start(s);
        contracts_start(s);
    }
    if (r < 0) {
        sk_log(SK_EVENT_FATAL, SK_TEXT("error", strerror(-r)));
    } else {
        record_own(s, SK_AUDIT_GATEWAY_STARTED, SEKISHO_VERSION);
        sk_log(SK_EVENT_STARTED, SK_TEXT("version", SEKISHO_VERSION), SK_NUMBER("workers", s->workers));
    }
    return r;
}

int main(int argc, char **argv)
{
    static struct supervisor s = {.conf_file = "/etc/sekisho/sekisho.yaml", .complain = log_refused};
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
            {"programs", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    bool check = false;
    for (int option; (option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            s.conf_file = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 'p':
            (void)snprintf(s.programs, sizeof(s.programs), "%s", optarg);
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return 0;
        case 'V':
            (void)puts("sekishod " SEKISHO_VERSION);
            return 0;
        default:
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    sk_log_init("sekishod");
    s.loop = sk_loop_new();
    if (!s.loop) {
        return 1;
    }
    if (check) {
        return check_only(&s);
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (begin(&s)) {
        processes_kill(&s);
        return 1;
    }
    sk_loop_run(s.loop);
    sk_wipe(s.root_key, sizeof(s.root_key));
    return processes_gone(&s) ? 0 : 1;
}
