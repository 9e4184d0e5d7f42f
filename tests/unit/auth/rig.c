/* See rig.h. */
#include "rig.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell_with(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message, const int *fds, size_t count)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    union {
        char bytes[CMSG_SPACE(sizeof(int) * SK_IPC_FDS_MAX)];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    int len = sk_ipc_encode(interface, code, message, bytes, sizeof(bytes));
    cr_assert_gt(len, 0, "message %u: %d", code, len);
    struct iovec iov = {bytes, (size_t)len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
    }
    cr_assert_eq(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

void rig_tell(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message)
{
    tell_with(fd, interface, code, message, NULL, 0);
}

const void *rig_hear(int fd, const struct sk_ipc_interface *interface, uint16_t code)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    static union sk_ipc_any message;
    const struct sk_ipc_layout *layout;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 20000), 1, "no %s message %u for 20 s", interface->name, code);
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    cr_assert_gt(n, 0, "the channel ended where %s message %u was to come", interface->name, code);
    cr_assert_eq(sk_ipc_decode(interface, 0xff, sk_slice(bytes, (size_t)n), &message, &layout), 0);
    if (layout->code != code && layout->code == SK_AUTH_REFUSED && interface == &sk_auth_interface) {
        const struct sk_auth_refused *refused = (const void *)&message;
        cr_assert_fail("refused (%.*s) where message %u was to come", (int)refused->reason.len, refused->reason.data, code);
    }
    cr_assert_eq(layout->code, code, "%s, not message %u", layout->name, code);
    return &message;
}

int rig_peer(struct rig *rig, enum sk_peer kind, uint64_t index)
{
    int fds[2];
    struct sk_control_peer m = {.peer = kind, .index = index};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    int size = 1 << 20;
    cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    tell_with(rig->control, &sk_control_interface, SK_CONTROL_PEER, &m, &fds[1], 1);
    (void)close(fds[1]);
    return fds[0];
}

void rig_tenant(unsigned n, uint8_t id[SK_ID_SIZE])
{
    memset(id, (int)n, SK_ID_SIZE);
}

static void announce_tenant(struct rig *rig, unsigned n)
{
    struct sk_control_tenant m = {.name = n == 1 ? SK_LIT("one") : SK_LIT("two"), .service = SK_LIT("dns"),
            .hosts = n == 1 ? SK_LIT("one.test,also.test,") : SK_LIT("two.test,"), .inactivity = 900 * SK_SECOND, .expiration = 43200 * SK_SECOND,
            .max_retries = 5, .find_time = 120 * SK_SECOND, .ban_time = 300 * SK_SECOND, .password_least = 15, .certificates = n == 1, .managers = SK_LIT("chief,boss")};
    rig_tenant(n, m.tenant);
    rig_tell(rig->control, &sk_control_interface, SK_CONTROL_TENANT, &m);
    struct sk_control_fido2 fido2 = {.rp_id = n == 1 ? SK_LIT("one.test") : SK_LIT("two.test"), .most = 3};
    rig_tenant(n, fido2.tenant);
    rig_tell(rig->control, &sk_control_interface, SK_CONTROL_FIDO2, &fido2);
}

static void connect_ring(struct rig *rig)
{
    int fds[3];
    struct sk_control_limits limits = {.flush_deadline = 20 * SK_SECOND, .ports = SK_LIT("8443")};
    struct sk_control_ring m = {.peer = SK_PEER_AUDIT};
    cr_assert_eq(sk_ring_make(fds), 0);
    const int own[2] = {fcntl(fds[0], F_DUPFD_CLOEXEC, 0), fds[1]}, auths[2] = {fds[0], fds[2]};
    rig_tell(rig->control, &sk_control_interface, SK_CONTROL_LIMITS, &limits);
    tell_with(rig->control, &sk_control_interface, SK_CONTROL_RING, &m, auths, 2);
    (void)close(fds[0]);
    (void)close(fds[2]);
    cr_assert_eq(sk_ring_open(&rig->ring, own), 0);
    sk_ring_acknowledge(&rig->ring, 0, false);
}

static void begin_process(struct rig *rig)
{
    static const char secret[32] = "of a test";
    int fds[2];
    const char *path = getenv("SEKISHO_AUTH");
    cr_assert_not_null(path, "SEKISHO_AUTH is not set: run this by meson test");
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    rig->pid = fork();
    cr_assert_geq(rig->pid, 0);
    if (rig->pid == 0) {
        (void)setenv("LSAN_OPTIONS", "detect_leaks=0", 1); /* it traces the process: the sandbox forbids that */
        if (dup2(fds[1], 3) == 3 && (fds[1] != 3 || fcntl(3, F_SETFD, 0) == 0)) {
            (void)execl(path, path, (char *)NULL);
        }
        _exit(127);
    }
    (void)close(fds[1]);
    rig->control = fds[0];
    struct sk_control_hello hello = {.uid = geteuid() == 0 ? 65534 : 0, .secret = sk_slice(secret, sizeof(secret))};
    rig_tell(rig->control, &sk_control_interface, SK_CONTROL_HELLO, &hello);
}

void rig_new_worker(struct rig *rig, unsigned index)
{
    if (rig->worker[index] > 0) {
        (void)close(rig->worker[index]);
    }
    rig->worker[index] = rig_peer(rig, SK_PEER_WORKER, index);
    const struct sk_auth_state *state = rig_at_worker(rig, index, SK_AUTH_STATE);
    cr_assert(state->open);
    (void)rig_at_worker(rig, index, SK_AUTH_KEYS);
}

void rig_begin(struct rig *rig)
{
    struct sk_control_loaded loaded = {.generation = 1};
    *rig = (struct rig){.ring = SK_RING_NULL};
    begin_process(rig);
    connect_ring(rig);
    rig->store = rig_peer(rig, SK_PEER_STORE, 0);
    rig->factor = rig_peer(rig, SK_PEER_FACTOR, 0);
    announce_tenant(rig, 1);
    announce_tenant(rig, 2);
    rig_tell(rig->control, &sk_control_interface, SK_CONTROL_LOADED, &loaded);
}

void rig_start(struct rig *rig)
{
    rig_begin(rig);
    rig_result(rig, rig_asked(rig, SK_STORE_GET_KEY), 1, 0);
    rig_result(rig, rig_asked(rig, SK_STORE_PUT_KEY), 0, 0);
    (void)rig_hear(rig->control, &sk_control_interface, SK_CONTROL_READY);
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        rig_new_worker(rig, i);
    }
}

void rig_stop(struct rig *rig)
{
    int status;
    cr_assert_eq(kill(rig->pid, SIGTERM), 0);
    cr_assert_eq(waitpid(rig->pid, &status, 0), rig->pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    const int fds[] = {rig->control, rig->store, rig->factor, rig->worker[0], rig->worker[1]};
    for (size_t i = 0; i < SK_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
    sk_ring_close(&rig->ring);
}

/* ---- the worker ---- */

void rig_refused(struct rig *rig, unsigned worker, uint64_t ticket, const char *reason)
{
    const struct sk_auth_refused *m = rig_at_worker(rig, worker, SK_AUTH_REFUSED);
    cr_expect_eq(m->ticket, ticket);
    cr_expect(sk_slice_eq(m->reason, sk_slice_str(reason)), "%.*s, not %s", (int)m->reason.len, m->reason.data, reason);
}

const struct sk_auth_grant *rig_granted(struct rig *rig, unsigned worker, uint64_t ticket, const char *subject)
{
    const struct sk_auth_grant *m = rig_at_worker(rig, worker, SK_AUTH_GRANT);
    cr_expect_eq(m->ticket, ticket);
    cr_expect(sk_slice_eq(m->subject, sk_slice_str(subject)), "%.*s, not %s", (int)m->subject.len, m->subject.data, subject);
    return m;
}

static struct sk_slice host_of(unsigned tenant)
{
    return tenant == 1 ? SK_LIT("one.test") : SK_LIT("two.test");
}

void rig_login(struct rig *rig, unsigned worker, uint16_t code, uint64_t ticket, unsigned tenant, const char *user)
{
    struct sk_auth_login m = {.ticket = ticket, .host = host_of(tenant), .address = RIG_ADDRESS, .user = sk_slice_str(user), .password = SK_LIT("a password")};
    struct sk_auth_basic basic = {.ticket = ticket, .host = m.host, .address = m.address, .user = m.user, .password = m.password};
    rig_tenant(tenant, m.tenant);
    rig_tenant(tenant, basic.tenant);
    if (code == SK_AUTH_LOGIN) {
        rig_from_worker(rig, worker, code, &m);
    } else {
        rig_from_worker(rig, worker, code, &basic);
    }
}

void rig_check(struct rig *rig, unsigned worker, uint64_t ticket, unsigned tenant)
{
    char token[43];
    memset(token, 'a' + (int)(ticket % 26), sizeof(token));
    struct sk_auth_check m = {.ticket = ticket, .host = host_of(tenant), .token = sk_slice(token, sizeof(token))};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(rig, worker, SK_AUTH_CHECK, &m);
}

void rig_admit(struct rig *rig, unsigned worker, uint64_t ticket, unsigned tenant, const char *user, struct rig_grant *grant)
{
    rig_check(rig, worker, ticket, tenant);
    rig_session(rig, rig_asked(rig, SK_STORE_GET_SESSION), "key", user);
    rig_user(rig, rig_asked(rig, SK_STORE_GET_USER), user, "all");
    (void)rig_at_store(rig, SK_STORE_TOUCH_SESSION);
    const struct sk_auth_grant *m = rig_granted(rig, worker, ticket, user);
    memcpy(grant->session, m->session.data, m->session.len);
    memcpy(grant->proof, m->proof.data, m->proof.len);
    grant->session_text = sk_slice(grant->session, m->session.len);
    grant->proof_text = sk_slice(grant->proof, m->proof.len);
}

const char *rig_claims(struct sk_slice assertion)
{
    static char claims[32768];
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    size_t len = 0, have = 0;
    (void)sk_slice_split(&assertion, '.');
    struct sk_slice middle = sk_slice_split(&assertion, '.');
    for (size_t i = 0; i < middle.len; i++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, middle.data[i]) - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            claims[len++] = (char)(bits >> have);
        }
    }
    claims[len] = '\0';
    return claims;
}

/* ---- the store ---- */

uint64_t rig_asked(struct rig *rig, uint16_t code)
{
    return *(const uint64_t *)rig_at_store(rig, code);
}

void rig_result(struct rig *rig, uint64_t ticket, uint64_t status, uint64_t count)
{
    struct sk_store_result m = {.ticket = ticket, .status = status, .count = count};
    rig_from_store(rig, SK_STORE_RESULT, &m);
}

void rig_user(struct rig *rig, uint64_t ticket, const char *name, const char *roles)
{
    struct sk_store_got_user m = {.ticket = ticket, .known = 1, .name = sk_slice_str(name), .hash = SK_LIT("$argon2id$v=19$m=8,t=1,p=1$x$y"), .roles = sk_slice_str(roles)};
    rig_from_store(rig, SK_STORE_GOT_USER, &m);
}

void rig_session(struct rig *rig, uint64_t ticket, const char *key, const char *subject)
{
    uint64_t now = sk_clock_wall();
    struct sk_store_got_session m = {.ticket = ticket, .key = sk_slice_str(key), .subject = sk_slice_str(subject), .started = now, .used = now,
            .address = RIG_ADDRESS, .proofs = SK_LIT("password@1700000000")};
    rig_from_store(rig, SK_STORE_GOT_SESSION, &m);
}

void rig_changed(struct rig *rig, unsigned tenant, const char *names)
{
    struct sk_store_changed m = {.names = sk_slice_str(names)};
    rig_tenant(tenant, m.tenant);
    rig_from_store(rig, SK_STORE_CHANGED, &m);
}

/* ---- the factor helper ---- */

uint64_t rig_verify(struct rig *rig)
{
    return ((const struct sk_factor_verify *)rig_hear(rig->factor, &sk_factor_interface, SK_FACTOR_VERIFY))->ticket;
}

void rig_verdict(struct rig *rig, uint64_t ticket, uint64_t result)
{
    struct sk_factor_verdict m = {.ticket = ticket, .result = result};
    rig_tell(rig->factor, &sk_factor_interface, SK_FACTOR_VERDICT, &m);
}

/* ---- audit ---- */

void rig_records(struct rig *rig, unsigned count)
{
    uint8_t entry[SK_RING_ENTRY_MAX];
    while (count) {
        int n = sk_ring_get(&rig->ring, entry);
        cr_assert_geq(n, 0);
        if (n > 0) {
            rig->taken++;
            count--;
        } else if (!sk_ring_sleep(&rig->ring)) {
            struct pollfd ready = {.fd = rig->ring.wake, .events = POLLIN};
            cr_assert_eq(poll(&ready, 1, 20000), 1, "no record for 20 s");
            cr_assert(sk_ring_woken(&rig->ring), "auth closed its ring");
        }
    }
}

void rig_durable(struct rig *rig)
{
    sk_ring_acknowledge(&rig->ring, rig->taken, false);
}
