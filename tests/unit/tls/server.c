/* gateway/tls/{server,client,conn,bio}.c: who gets a handshake, with which certificate; how long a ticket is good, and where. */
#include "made.h"
#include "tls/tls.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define EPOCH ((int64_t)(12 * 3600 * SK_SECOND)) /* of ticket keys */

static struct made ca, certs[2];
static struct sk_tls_identity *identities[2];
static struct sk_tls_server *server;
static const char *const hosts[2] = {"one.test", "two.test"};
static char asked[256];
static int choices;

static int choose(void *context, struct sk_slice host, struct sk_tls_choice *choice)
{
    choices++;
    cr_assert_lt(host.len, sizeof(asked));
    memcpy(asked, host.data, host.len);
    asked[host.len] = '\0';
    for (size_t i = 0; i < SK_COUNT(hosts); i++) {
        if (sk_slice_eq(host, sk_slice_str(hosts[i]))) {
            *choice = (struct sk_tls_choice){.identity = identities[i], .tenant = {(uint8_t)(i + 1)}, .owner = context};
            return 0;
        }
    }
    return 1;
}

static void begin(void)
{
    static const uint8_t secret[32] = {9};
    const char *why;
    made_make(&ca, "ca", NULL, 0, NULL);
    for (size_t i = 0; i < SK_COUNT(hosts); i++) {
        char names[64];
        (void)snprintf(names, sizeof(names), "DNS:%s", hosts[i]);
        made_make(&certs[i], hosts[i], names, 0, &ca);
        identities[i] = sk_tls_identity_new(sk_slice_str(certs[i].cert_pem), sk_slice_str(certs[i].key_pem), &why);
        cr_assert_not_null(identities[i]);
    }
    server = sk_tls_server_new(secret, choose, &choices);
    cr_assert_not_null(server);
}

static void end(void)
{
    server = sk_tls_server_free(server);
    for (size_t i = 0; i < SK_COUNT(hosts); i++) {
        identities[i] = sk_tls_identity_free(identities[i]);
        made_free(&certs[i]);
    }
    made_free(&ca);
}

TestSuite(tls_server, .init = begin, .fini = end, .timeout = 60);

static void pair(int fds[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

/* What a client of OpenSSL's own made of a handshake. */
struct visit {
    int version;
    const char *name; /* NULL: names none */
    SSL_SESSION *session; /* in: to resume; out: the newest ticket */
    bool done, resumed;
    char common[64];
    const char *error; /* as the server has it */
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct visit *v = SSL_get_app_data(ssl);
    SSL_SESSION_free(v->session);
    v->session = session;
    return 1;
}

/* Both sides in turn, until both are done or one gives up; then a byte to the client, which brings a ticket of 1.3. */
static void take_turns(struct visit *v, SSL *ssl, struct sk_tls *tls)
{
    int mine = -EAGAIN, theirs = 0;
    char byte;
    for (int turn = 0; turn < 20 && (mine == -EAGAIN || (mine > 0 && theirs != 1)); turn++) {
        theirs = theirs == 1 ? 1 : SSL_do_handshake(ssl);
        mine = mine == -EAGAIN ? sk_tls_handshake(tls) : mine;
    }
    v->done = mine == 1 && theirs == 1;
    if (v->done) {
        cr_assert_eq(sk_tls_write(tls, SK_LIT("x"), false), 1);
        cr_assert_eq(SSL_read(ssl, &byte, 1), 1);
        v->resumed = SSL_session_reused(ssl) == 1;
        X509 *seen = SSL_get1_peer_certificate(ssl);
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(seen), NID_commonName, v->common, sizeof(v->common));
        X509_free(seen);
    } else {
        v->error = sk_tls_error(tls);
    }
}

static void visit(struct visit *v)
{
    int fds[2];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL *ssl = SSL_new(ctx);
    pair(fds);
    SSL_set_app_data(ssl, v);
    cr_assert(SSL_set_fd(ssl, fds[0]) == 1 && SSL_set_min_proto_version(ssl, v->version) == 1 && SSL_set_max_proto_version(ssl, v->version) == 1);
    cr_assert(!v->name || SSL_set_tlsext_host_name(ssl, v->name) == 1);
    cr_assert(!v->session || SSL_set_session(ssl, v->session) == 1);
    SSL_set_connect_state(ssl);
    struct sk_tls *tls = sk_tls_accept(server, fds[1]);
    cr_assert_not_null(tls);
    take_turns(v, ssl, tls);
    if (v->done && v->version == TLS1_2_VERSION) {
        SSL_SESSION_free(v->session);
        v->session = SSL_get1_session(ssl);
    }
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or its session would not be resumed */
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)sk_tls_free(tls);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

Test(tls_server, the_name_picks_the_certificate_whatever_its_case)
{
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct visit one = {.version = versions[i], .name = "one.test"}, two = {.version = versions[i], .name = "TWO.Test"};
        visit(&one);
        cr_expect(one.done && strcmp(one.common, "one.test") == 0 && !one.resumed);
        visit(&two);
        cr_expect(two.done && strcmp(two.common, "two.test") == 0);
        cr_expect_str_eq(asked, "two.test");
        SSL_SESSION_free(one.session);
        SSL_SESSION_free(two.session);
    }
    cr_expect_eq(choices, 4, "once in each handshake");
}

Test(tls_server, who_names_nobody_or_nobody_known_gets_no_certificate)
{
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct visit none = {.version = versions[i]}, unknown = {.version = versions[i], .name = "three.test"};
        visit(&none);
        cr_expect(!none.done && strcmp(none.error, "no-host") == 0, "%s", none.error);
        visit(&unknown);
        cr_expect(!unknown.done && strcmp(unknown.error, "unknown-host") == 0, "%s", unknown.error);
    }
}

Test(tls_server, a_ticket_is_good_at_its_tenant_and_at_no_other)
{
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct visit v = {.version = versions[i], .name = "one.test"};
        visit(&v);
        cr_assert_not_null(v.session);
        visit(&v);
        cr_expect(v.done && v.resumed);
        v.name = "two.test";
        visit(&v);
        cr_expect(v.done && !v.resumed && strcmp(v.common, "two.test") == 0, "at another");
        SSL_SESSION_free(v.session);
    }
}

/* Keys change every twelve hours, and the last ones are still read: a ticket lives up to a day, and no longer. */
Test(tls_server, a_ticket_outlives_one_change_of_keys_and_not_two)
{
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct visit fresh = {.version = versions[i], .name = "one.test"}, stale = fresh;
        visit(&fresh);
        visit(&stale);
        sk_clock_advance(EPOCH);
        visit(&fresh);
        cr_expect(fresh.done && fresh.resumed, "after one change");
        sk_clock_advance(EPOCH);
        visit(&fresh);
        cr_expect(fresh.resumed, "its use brought a newer one");
        visit(&stale);
        cr_expect(stale.done && !stale.resumed, "after two changes");
        SSL_SESSION_free(fresh.session);
        SSL_SESSION_free(stale.session);
    }
}

Test(tls_server, tickets_of_another_process_with_the_same_secret_are_good_and_of_another_secret_are_not)
{
    static const uint8_t same[32] = {9}, different[32] = {8};
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct visit v = {.version = versions[i], .name = "one.test"};
        visit(&v);
        server = sk_tls_server_free(server);
        server = sk_tls_server_new(same, choose, &choices);
        visit(&v);
        cr_expect(v.resumed);
        server = sk_tls_server_free(server);
        server = sk_tls_server_new(different, choose, &choices);
        visit(&v);
        cr_expect(v.done && !v.resumed);
        server = sk_tls_server_free(server);
        server = sk_tls_server_new(same, choose, &choices);
        SSL_SESSION_free(v.session);
    }
}

/* ---- towards upstreams ---- */

/* How a handshake of ours with a server ends that has the certificate `which`: 1, or negative. */
static int reach(const char *authorities, const char *name, size_t which)
{
    int fds[2], mine = -EAGAIN, theirs = 0;
    struct sk_tls_client *client = sk_tls_client_new(sk_slice_str(authorities));
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    cr_assert_not_null(client);
    cr_assert(SSL_CTX_use_certificate(ctx, certs[which].cert) == 1 && SSL_CTX_use_PrivateKey(ctx, certs[which].key) == 1);
    SSL *ssl = SSL_new(ctx);
    pair(fds);
    cr_assert_eq(SSL_set_fd(ssl, fds[0]), 1);
    SSL_set_accept_state(ssl);
    struct sk_tls *tls = sk_tls_connect(client, fds[1], sk_slice_str(name));
    cr_assert_not_null(tls);
    for (int turn = 0; turn < 20 && mine == -EAGAIN; turn++) {
        mine = sk_tls_handshake(tls);
        theirs = theirs == 1 ? 1 : SSL_do_handshake(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)sk_tls_free(tls);
    (void)sk_tls_client_free(client);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return mine;
}

Test(tls_server, an_upstream_must_show_the_right_name_by_a_trusted_authority)
{
    struct made stranger;
    made_make(&stranger, "stranger", NULL, 0, NULL);
    cr_expect_eq(reach(ca.cert_pem, "one.test", 0), 1);
    cr_expect_lt(reach(ca.cert_pem, "two.test", 0), 0, "another name");
    cr_expect_lt(reach(stranger.cert_pem, "one.test", 0), 0, "another authority");
    cr_expect_null(sk_tls_client_new(SK_LIT("no certificate")));
    made_free(&stranger);
}

Test(tls_server, the_other_sides_end_is_told_from_a_cut)
{
    int fds[2];
    struct sk_tls_client *client = sk_tls_client_new(sk_slice_str(ca.cert_pem));
    char byte;
    for (int clean = 0; clean < 2; clean++) {
        pair(fds);
        struct sk_tls *here = sk_tls_accept(server, fds[0]), *there = sk_tls_connect(client, fds[1], SK_LIT("one.test"));
        int a = -EAGAIN, b = -EAGAIN;
        for (int turn = 0; turn < 20 && (a != 1 || b != 1); turn++) {
            b = b == 1 ? 1 : sk_tls_handshake(there);
            a = a == 1 ? 1 : sk_tls_handshake(here);
        }
        cr_assert(a == 1 && b == 1);
        cr_assert_eq(sk_tls_read(here, &byte, 1), -EAGAIN);
        cr_assert_not(sk_tls_wants_write(here));
        cr_assert_eq(sk_tls_owner(here), &choices);
        cr_assert(sk_slice_eq(sk_tls_host(here), SK_LIT("one.test")));
        if (clean) {
            sk_tls_close(there);
        }
        (void)close(fds[1]);
        int r = sk_tls_read(here, &byte, 1);
        cr_expect(clean ? r == 0 : r < 0 && r != -EAGAIN, "%d", r);
        (void)sk_tls_free(here);
        (void)sk_tls_free(there);
        (void)close(fds[0]);
    }
    (void)sk_tls_client_free(client);
}

static void tcp_pair(int fds[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fds[0], (struct sockaddr *)&at, len), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    (void)close(listener);
    cr_assert(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
}

static bool readable(int fd, int milliseconds)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, milliseconds) == 1;
}

/* A handshake of TLS 1.3 over TCP, done on both sides; what the server sends after it is not read yet. */
static struct sk_tls *shake(int fds[2], SSL *ssl)
{
    cr_assert(SSL_set_fd(ssl, fds[0]) == 1 && SSL_set_tlsext_host_name(ssl, hosts[0]) == 1);
    SSL_set_connect_state(ssl);
    struct sk_tls *tls = sk_tls_accept(server, fds[1]);
    int mine = -EAGAIN;
    for (int theirs = 0; mine == -EAGAIN;) {
        theirs = theirs == 1 ? 1 : SSL_do_handshake(ssl);
        cr_assert(readable(fds[1], 5000));
        mine = sk_tls_handshake(tls);
        cr_assert(mine == 1 || readable(fds[0], 5000));
    }
    cr_assert_eq(mine, 1);
    return tls;
}

Test(tls_server, ticket_answer_and_end_leave_together)
{
    int fds[2];
    uint8_t bytes[4096];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    tcp_pair(fds);
    struct sk_tls *tls = shake(fds, ssl);
    cr_assert_not(readable(fds[0], 0), "nobody waits for a ticket");
    cr_assert_eq(sk_tls_write(tls, SK_LIT("answer"), true), 6);
    cr_assert_not(readable(fds[0], 0), "the end follows");
    sk_tls_close(tls);
    cr_assert_eq(shutdown(fds[1], SHUT_WR), 0);
    cr_assert(readable(fds[0], 5000));
    ssize_t n = recv(fds[0], bytes, sizeof(bytes), 0);
    int records = 0;
    for (ssize_t at = 0; at < n; records++) {
        at += 5 + (bytes[at + 3] << 8 | bytes[at + 4]);
    }
    cr_assert_eq(records, 3);
    cr_assert_eq(recv(fds[0], bytes, sizeof(bytes), 0), 0);
    (void)sk_tls_free(tls);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

Test(tls_server, a_ticket_no_answer_follows_is_late_but_comes)
{
    int fds[2];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    tcp_pair(fds);
    struct sk_tls *tls = shake(fds, ssl);
    cr_assert(readable(fds[0], 5000));
    (void)sk_tls_free(tls);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
