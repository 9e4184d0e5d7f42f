/* gateway/audit/main.c, the program as it is, between a supervisor and workers of which some are hostile. */
#include "helper.h"

#include "base/clock.h"
#include "ipc/channel.h"
#include "ipc/ring.h"
#include "journal/record.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG (30 * SK_SECOND)

static const uint8_t acme[SK_ID_SIZE] = "acme", beta[SK_ID_SIZE] = "beta", operators[SK_ID_SIZE];
static const struct helper_side side = {&sk_control_interface, SK_CONTROL_FROM_CHILD};

struct audit {
    char folder[64], signer_folder[64];
    struct helper helper, signer;
};

static void say(struct audit *a, uint16_t code, const void *message)
{
    helper_send(a->helper.control, &sk_control_interface, code, message, NULL, 0);
}

static void tell_tenant(struct audit *a, const uint8_t id[SK_ID_SIZE])
{
    struct sk_control_tenant m = {.name = SK_LIT("a tenant")};
    memcpy(m.tenant, id, SK_ID_SIZE);
    say(a, SK_CONTROL_TENANT, &m);
}

static void make_folder(char *folder)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(geteuid() == 0 ? chown(folder, 65534, 0) : 0, 0);
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    cr_assert_eq(rmdir(folder), 0);
}

static void connect_both(struct audit *a)
{
    struct sk_control_peer m = {.peer = SK_PEER_SIGNER};
    int fds[2];
    cr_assert_eq(sk_channel_pair(fds), 0);
    helper_send(a->helper.control, &sk_control_interface, SK_CONTROL_PEER, &m, &fds[0], 1);
    m.peer = SK_PEER_AUDIT;
    helper_send(a->signer.control, &sk_control_interface, SK_CONTROL_PEER, &m, &fds[1], 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void begin(struct audit *a)
{
    struct sk_control_limits limits = {.flush_deadline = 2 * SK_SECOND, .file_size = 16 << 20};
    struct sk_control_loaded loaded = {.generation = 1};
    union sk_ipc_any message;
    *a = (struct audit){.folder = "/tmp/sekisho-audit-XXXXXX", .signer_folder = "/tmp/sekisho-signer-XXXXXX"};
    make_folder(a->folder);
    make_folder(a->signer_folder);
    helper_begin(&a->signer, "SEKISHO_SIGNER", a->signer_folder);
    helper_send(a->signer.control, &sk_control_interface, SK_CONTROL_LIMITS, &limits, NULL, 0);
    helper_begin(&a->helper, "SEKISHO_AUDIT", a->folder);
    say(a, SK_CONTROL_LIMITS, &limits);
    connect_both(a);
    tell_tenant(a, acme);
    say(a, SK_CONTROL_LOADED, &loaded);
    cr_assert_eq(helper_receive(a->helper.control, &side, &message), SK_CONTROL_READY);
}

static void end(struct audit *a)
{
    helper_stop(&a->helper);
    helper_stop(&a->signer);
    remove_folder(a->folder);
    remove_folder(a->signer_folder);
}

static struct sk_ring worker(struct audit *a, uint64_t index)
{
    struct sk_control_ring m = {.peer = SK_PEER_WORKER, .index = index};
    struct sk_ring ring;
    int fds[3];
    cr_assert_eq(sk_ring_make(fds), 0);
    const int own[] = {dup(fds[0]), fds[2]};
    helper_send(a->helper.control, &sk_control_interface, SK_CONTROL_RING, &m, fds, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
    cr_assert_eq(sk_ring_open(&ring, own), 0);
    return ring;
}

static size_t encode(enum sk_audit_op op, enum sk_audit_stage stage, const uint8_t tenant[SK_ID_SIZE], uint8_t out[SK_AUDIT_RECORD_MAX])
{
    static uint64_t count;
    uint8_t request[SK_ID_SIZE] = {1};
    count++;
    memcpy(request + 8, &count, sizeof(count));
    struct sk_audit_record record = {.op = op, .stage = stage, .decision = SK_AUDIT_DECISION_ALLOW, .request = sk_slice(request, sizeof(request))};
    memcpy(record.tenant, tenant, SK_ID_SIZE);
    return sk_record_encode(&record, out);
}

/* Puts one record; waits while the ring is full. */
static void put(struct sk_ring *ring, enum sk_audit_op op, enum sk_audit_stage stage, const uint8_t tenant[SK_ID_SIZE])
{
    uint8_t bytes[SK_AUDIT_RECORD_MAX];
    size_t len = encode(op, stage, tenant, bytes);
    uint64_t until = sk_clock_boot() + LONG;
    while (sk_ring_put(ring, sk_slice(bytes, len))) {
        cr_assert(sk_clock_boot() < until, "nothing is taken");
        sk_ring_ring(ring);
        (void)poll(NULL, 0, 1);
    }
    sk_ring_ring(ring);
}

/* Waits until what was put is durable, or the ring failed. */
static bool durable(struct sk_ring *ring)
{
    uint64_t until = sk_clock_boot() + LONG;
    struct pollfd wake = {.fd = ring->wake, .events = POLLIN};
    while (sk_ring_durable(ring) < ring->count) {
        uint64_t now = sk_clock_boot();
        cr_assert(now < until, "neither durable nor failed");
        (void)poll(&wake, 1, 100);
        if (!sk_ring_woken(ring)) {
            return false;
        }
    }
    return !sk_ring_failed(ring);
}

static bool records(struct sk_ring *ring, enum sk_audit_op op, const uint8_t tenant[SK_ID_SIZE])
{
    put(ring, op, SK_AUDIT_STAGE_SINGLE, tenant);
    return durable(ring);
}

static void expect_breach(struct audit *a, struct sk_ring *ring, uint64_t index)
{
    union sk_ipc_any message;
    const struct sk_control_breach *m = (const void *)&message;
    cr_assert_eq(helper_receive(a->helper.control, &side, &message), SK_CONTROL_BREACH);
    cr_assert(m->peer == SK_PEER_WORKER && m->index == index);
    cr_assert(sk_ring_failed(ring), "its producer does not hear of it");
}

/* What the verifier says of the journal as it is just now. */
static uint64_t verified(const struct audit *a, const char *name)
{
    char line[1024] = "", root_key[128];
    const char *program = getenv("SEKISHO_VERIFY");
    int out[2];
    cr_assert(program && pipe(out) == 0);
    (void)snprintf(root_key, sizeof(root_key), "%s/root.key", a->signer_folder);
    int key = open(root_key, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(key >= 0 && write(key, helper_root_key, sizeof(helper_root_key)) == sizeof(helper_root_key));
    (void)close(key);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execl(program, program, "--json", "--root-key", root_key, a->folder, (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]);
    for (ssize_t n, len = 0; (n = read(out[0], line + len, sizeof(line) - 1 - (size_t)len)) > 0; len += n) {
    }
    (void)close(out[0]);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    const char *at = strstr(line, name);
    cr_assert(at && strstr(line, "\"intact\":true"), "%s", line);
    return strtoull(at + strlen(name) + 2, NULL, 10);
}

static uint64_t open_intents(const struct audit *a)
{
    return verified(a, "\"open");
}

TestSuite(audit_program, .timeout = 60);

Test(audit_program, a_worker_that_records_for_a_tenant_nobody_named_is_ended)
{
    struct audit a;
    begin(&a);
    struct sk_ring good = worker(&a, 0), bad = worker(&a, 1);
    cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
    cr_assert(records(&bad, SK_AUDIT_REQUEST, acme));
    put(&bad, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_SINGLE, beta);
    expect_breach(&a, &bad, 1);
    cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
    end(&a);
}

/* The worker was told of the tenant as well, and was quicker. */
Test(audit_program, a_record_waits_for_word_of_its_tenant)
{
    struct audit a;
    begin(&a);
    struct sk_ring quick = worker(&a, 0), other = worker(&a, 1);
    put(&quick, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_SINGLE, beta);
    for (int i = 0; i < 3; i++) {
        cr_assert(records(&other, SK_AUDIT_REQUEST, acme), "nobody else waits");
    }
    cr_assert_eq(sk_ring_durable(&quick), 0);
    tell_tenant(&a, beta);
    cr_assert(durable(&quick));
    struct sk_control_gone gone;
    memcpy(gone.tenant, beta, SK_ID_SIZE);
    say(&a, SK_CONTROL_GONE, &gone);
    cr_assert(records(&quick, SK_AUDIT_REQUEST, beta), "what still ran for it ends");
    end(&a);
}

Test(audit_program, the_operators_trail_has_of_workers_refused_connections_alone)
{
    struct audit a;
    begin(&a);
    struct sk_ring ring = worker(&a, 0);
    cr_assert(records(&ring, SK_AUDIT_CONNECTION_REFUSED, operators));
    put(&ring, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_SINGLE, operators);
    expect_breach(&a, &ring, 0);
    end(&a);
}

Test(audit_program, who_leaves_too_much_open_is_ended_and_all_of_it_becomes_unknown)
{
    struct audit a;
    begin(&a);
    struct sk_ring good = worker(&a, 0), bad = worker(&a, 1);
    for (int i = 0; i < 65536; i++) {
        put(&bad, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_INTENT, acme);
    }
    cr_assert(durable(&bad));
    cr_assert_eq(open_intents(&a), 65536);
    put(&bad, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_INTENT, acme);
    expect_breach(&a, &bad, 1);
    for (uint64_t until = sk_clock_boot() + LONG; open_intents(&a);) {
        cr_assert(sk_clock_boot() < until);
    }
    cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
    end(&a);
}

Test(audit_program, a_broken_ring_ends_its_process_and_what_that_left_open_is_unknown)
{
    struct audit a;
    begin(&a);
    struct sk_ring ring = worker(&a, 3);
    put(&ring, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_INTENT, acme);
    cr_assert(durable(&ring));
    cr_assert_eq(open_intents(&a), 1);
    cr_assert_eq(sk_ring_put(&ring, SK_LIT("no record")), 0);
    sk_ring_ring(&ring);
    expect_breach(&a, &ring, 3);
    for (uint64_t until = sk_clock_boot() + LONG; open_intents(&a);) {
        cr_assert(sk_clock_boot() < until);
    }
    struct sk_control_lost lost = {.peer = SK_PEER_WORKER, .index = 3};
    say(&a, SK_CONTROL_LOST, &lost);
    sk_ring_close(&ring);
    ring = worker(&a, 3);
    cr_assert(records(&ring, SK_AUDIT_REQUEST, acme), "the one that follows it is served");
    end(&a);
}

Test(audit_program, what_a_dead_process_had_said_is_recorded)
{
    struct audit a;
    begin(&a);
    struct sk_ring ring = worker(&a, 0), other = worker(&a, 1);
    struct sk_control_lost lost = {.peer = SK_PEER_WORKER};
    uint8_t bytes[SK_AUDIT_RECORD_MAX];
    uint64_t count = 20000;
    for (uint64_t i = 0; i < count; i++) {
        size_t len = encode(SK_AUDIT_REQUEST, SK_AUDIT_STAGE_INTENT, acme, bytes);
        cr_assert_eq(sk_ring_put(&ring, sk_slice(bytes, len)), 0);
    }
    say(&a, SK_CONTROL_LOST, &lost);
    for (uint64_t until = sk_clock_boot() + LONG; verified(&a, "\"records") < 1 + 2 * count;) {
        cr_assert(sk_clock_boot() < until);
    }
    cr_assert_eq(open_intents(&a), 0);
    cr_assert(records(&other, SK_AUDIT_REQUEST, acme));
    end(&a);
}

Test(audit_program, a_worker_cannot_make_it_wait_for_its_wake_up)
{
    struct audit a;
    static uint8_t junk[4096];
    begin(&a);
    struct sk_ring good = worker(&a, 0), bad = worker(&a, 1);
    cr_assert(records(&bad, SK_AUDIT_REQUEST, acme));
    cr_assert_eq(fcntl(bad.wake, F_SETFL, 0), 0);
    for (int i = 0; i < 1000; i++) { /* never reading what it is woken by */
        (void)!send(bad.wake, junk, sizeof(junk), MSG_DONTWAIT);
        put(&bad, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_SINGLE, acme);
        if (i % 100 == 0) {
            cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
        }
    }
    cr_assert_eq(shutdown(bad.wake, SHUT_RDWR), 0);
    cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
    end(&a);
}

static atomic_bool flooding;
static uint64_t burst; /* records between two breaths */

static void *flood(void *context)
{
    uint8_t bytes[SK_AUDIT_RECORD_MAX];
    struct sk_ring *ring = context;
    static char text[512];
    memset(text, 'x', sizeof(text));
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = SK_AUDIT_STAGE_SINGLE,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .rule = sk_slice(text, sizeof(text)),
            .detail = sk_slice(text, sizeof(text))};
    memcpy(record.tenant, acme, SK_ID_SIZE);
    size_t len = sk_record_encode(&record, bytes);
    while (flooding) {
        for (uint64_t i = 0; i < burst && sk_ring_put(ring, sk_slice(bytes, len)) == 0; i++) {
        }
        sk_ring_ring(ring);
        (void)poll(NULL, 0, burst < 100);
    }
    return NULL;
}

Test(audit_program, its_journal_is_intact_at_every_moment)
{
    struct audit a;
    pthread_t thread;
    begin(&a);
    struct sk_ring ring = worker(&a, 0);
    cr_assert(records(&ring, SK_AUDIT_REQUEST, acme));
    flooding = true;
    burst = 3;
    cr_assert_eq(pthread_create(&thread, NULL, flood, &ring), 0);
    for (int i = 0; i < 60; i++) {
        (void)verified(&a, "\"records");
    }
    flooding = false;
    cr_assert_eq(pthread_join(thread, NULL), 0);
    end(&a);
}

Test(audit_program, who_floods_does_not_keep_others_or_the_supervisor_waiting)
{
    struct audit a;
    pthread_t thread;
    union sk_ipc_any message;
    uint64_t most = 0;
    begin(&a);
    struct sk_ring bad = worker(&a, 0), good = worker(&a, 1);
    cr_assert(records(&good, SK_AUDIT_REQUEST, acme));
    flooding = true;
    burst = UINT64_MAX;
    cr_assert_eq(pthread_create(&thread, NULL, flood, &bad), 0);
    while (sk_ring_durable(&bad) < 4000) {
        (void)poll(NULL, 0, 1);
    }
    for (int round = 0; round < 10; round++) {
        struct sk_control_ping ping = {.number = (uint64_t)round};
        uint64_t start = sk_clock_boot();
        for (int i = 0; i < 8; i++) {
            put(&good, SK_AUDIT_REQUEST, SK_AUDIT_STAGE_SINGLE, acme);
        }
        cr_assert(durable(&good));
        say(&a, SK_CONTROL_PING, &ping);
        cr_assert_eq(helper_receive(a.helper.control, &side, &message), SK_CONTROL_PING);
        uint64_t took = sk_clock_boot() - start;
        most = took > most ? took : most;
    }
    flooding = false;
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_log_info("longest: %lu us", (unsigned long)(most / 1000));
    cr_assert_lt(most, 2 * SK_SECOND, "%lu ms", (unsigned long)(most / SK_MILLISECOND));
    end(&a);
}
