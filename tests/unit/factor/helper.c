/* sekisho-factor as a process in its sandbox, where no file can be opened any more: tokens of every kind, as auth sends them. */
#include "ipc/control.h"
#include "ipc/factor.h"
#include "issuer.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER "{'alg':'ES256','kid':'es256'}"
#define CLAIMS(more) "{'iss':'https://id.test/','aud':'api','sub':'taro','exp':1000300" more "}"

static pid_t pid;
static int control, helper;

static void tell(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message, int passed)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } room = {.bytes = {0}};
    int len = sk_ipc_encode(interface, code, message, bytes, sizeof(bytes));
    cr_assert_gt(len, 0, "message %u: %d", code, len);
    struct iovec iov = {bytes, (size_t)len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (passed >= 0) {
        msg.msg_control = room.bytes;
        msg.msg_controllen = sizeof(room.bytes);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &passed, sizeof(passed));
    }
    cr_assert_eq(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static const void *hear(int fd, const struct sk_ipc_interface *interface, uint16_t code)
{
    static uint8_t bytes[SK_IPC_MESSAGE_MAX];
    static union sk_ipc_any message;
    const struct sk_ipc_layout *layout;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&ready, 1, 20000), 1, "no message for 20 s");
    ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
    cr_assert_gt(n, 0, "the channel ended");
    cr_assert_eq(sk_ipc_decode(interface, 0xff, sk_slice(bytes, (size_t)n), &message, &layout), 0);
    cr_assert_eq(layout->code, code);
    return &message;
}

static void pair(int fds[2])
{
    int size = 1 << 20;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static void begin(void)
{
    int fds[2], peers[2];
    const char *path = getenv("SEKISHO_FACTOR");
    struct sk_control_hello hello = {.uid = geteuid() == 0 ? 65534 : 0};
    struct sk_control_peer peer = {.peer = SK_PEER_AUTH};
    struct sk_control_loaded loaded = {.generation = 1};
    cr_assert_not_null(path, "SEKISHO_FACTOR is not set: run this by meson test");
    pair(fds);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        if (dup2(fds[1], 3) == 3 && (fds[1] != 3 || fcntl(3, F_SETFD, 0) == 0)) {
            (void)execl(path, path, (char *)NULL);
        }
        _exit(127);
    }
    (void)close(fds[1]);
    control = fds[0];
    tell(control, &sk_control_interface, SK_CONTROL_HELLO, &hello, -1);
    pair(peers);
    tell(control, &sk_control_interface, SK_CONTROL_PEER, &peer, peers[1]);
    (void)close(peers[1]);
    helper = peers[0];
    tell(control, &sk_control_interface, SK_CONTROL_LOADED, &loaded, -1);
    (void)hear(control, &sk_control_interface, SK_CONTROL_READY);
}

static void end(void)
{
    int status;
    (void)close(helper);
    (void)kill(pid, SIGTERM);
    cr_expect_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    (void)close(control);
}

TestSuite(factor_helper, .init = begin, .fini = end);

static const struct sk_factor_claims *ask_with(struct sk_factor_token m)
{
    static uint64_t ticket;
    m.ticket = ++ticket;
    tell(helper, &sk_factor_interface, SK_FACTOR_TOKEN, &m, -1);
    const struct sk_factor_claims *claims = hear(helper, &sk_factor_interface, SK_FACTOR_CLAIMS);
    cr_assert_eq(claims->ticket, ticket);
    cr_assert(claims->reason.len == 0 || (claims->subject.len == 0 && claims->roles.len == 0 && claims->expires == 0));
    return claims;
}

static struct sk_factor_token question(const char *set, const char *token)
{
    return (struct sk_factor_token){.token = sk_slice_str(token), .jwks = sk_slice_str(set), .issuer = SK_LIT("https://id.test/"),
            .audience = SK_LIT("api"), .types = SK_LIT("JWT"), .roles = SK_LIT("realm_access\nroles"), .now = 1000000, .leeway = 60};
}

static const struct sk_factor_claims *ask(const char *set, const char *token)
{
    return ask_with(question(set, token));
}

#define expect_text(text, want) cr_expect(sk_slice_eq((text), sk_slice_str(want)), "%.*s", (int)(text).len, (text).data)

Test(factor_helper, tokens_of_every_algorithm)
{
    static const char *const headers[] = {[SK_JWK_RS256] = "{'alg':'RS256','kid':'rs256'}", [SK_JWK_PS256] = "{'alg':'PS256','kid':'ps256'}",
            [SK_JWK_ES256] = HEADER, [SK_JWK_ES384] = "{'alg':'ES384','kid':'es384'}", [SK_JWK_EDDSA] = "{'alg':'EdDSA','kid':'eddsa'}"};
    for (enum sk_jwk_algorithm a = SK_JWK_RS256; a <= SK_JWK_EDDSA; a++) {
        const struct sk_factor_claims *claims = ask(issuer_set(), issuer_token(a, headers[a], CLAIMS(",'realm_access':{'roles':['admin','viewer']}")));
        expect_text(claims->reason, "");
        expect_text(claims->subject, "taro");
        expect_text(claims->roles, "admin,viewer");
        cr_expect_eq(claims->expires, 1000300);
    }
}

Test(factor_helper, what_is_refused_says_why_and_nothing_else)
{
    expect_text(ask(issuer_set(), "no token")->reason, "token-malformed");
    expect_text(ask("{}", issuer_token(SK_JWK_ES256, HEADER, CLAIMS("")))->reason, "token-keys-malformed");
    expect_text(ask("", issuer_token(SK_JWK_ES256, HEADER, CLAIMS("")))->reason, "token-keys-malformed");
    expect_text(ask(issuer_set(), issuer_token(SK_JWK_ES384, HEADER, CLAIMS("")))->reason, "token-signature");
    struct sk_factor_token m = question(issuer_set(), issuer_token(SK_JWK_ES256, HEADER, CLAIMS(",'iat':999000")));
    expect_text(ask_with(m)->reason, "");
    m.max_age = 600;
    expect_text(ask_with(m)->reason, "token-too-old");
    m.max_age = 0;
    m.leeway = 0;
    m.now = 1000300;
    expect_text(ask_with(m)->reason, "token-expired");
    m.now = 0;
    expect_text(ask_with(m)->reason, "token-not-yet");
    m.now = 1000000;
    m.audience = SK_LIT("other");
    expect_text(ask_with(m)->reason, "token-audience");
    m.issuer = SK_LIT("other");
    expect_text(ask_with(m)->reason, "token-issuer");
    m.types = SK_LIT("at+jwt");
    expect_text(ask_with(m)->reason, "token-type");
}

Test(factor_helper, a_key_that_left_the_set_is_unknown_at_once)
{
    EVP_PKEY *next = EVP_EC_gen("P-256");
    const char *token = issuer_token(SK_JWK_ES256, HEADER, CLAIMS("")), *set = issuer_set();
    const char *after = issuer_text("{'keys':[%s]}", issuer_jwk(next, "'kid':'next'"));
    for (int turn = 0; turn < 3; turn++) {
        expect_text(ask(set, token)->reason, "");
        expect_text(ask(after, token)->reason, "token-key-unknown");
    }
    EVP_PKEY_free(next);
}

Test(factor_helper, roles_stand_apart_by_commas)
{
    char most[SK_FACTOR_ROLE_MAX + 2] = {0};
    memset(most, 'a', SK_FACTOR_ROLE_MAX);
    static const struct {
        const char *claims, *roles;
    } rows[] = {{",'realm_access':{'roles':[]}", ""}, {",'realm_access':{'roles':'one'}", "one"}, {",'realm_access':{'roles':'a,b'}", ""},
            {",'realm_access':{'roles':['a,b','c','d\\n','','\\u007f',7,'\\u0001','e f','\\u592a']}", "c,e f,\xe5\xa4\xaa"}, {",'roles':['a']", ""}, {"", ""}};
    for (size_t i = 0; i < SK_COUNT(rows); i++) {
        const struct sk_factor_claims *claims = ask(issuer_set(), issuer_token(SK_JWK_ES256, HEADER, issuer_text(CLAIMS("%s"), rows[i].claims)));
        expect_text(claims->reason, "");
        expect_text(claims->roles, rows[i].roles);
    }
    const char *claims = issuer_text(CLAIMS(",'realm_access':{'roles':['%s','%sb','c']}"), most, most);
    expect_text(ask(issuer_set(), issuer_token(SK_JWK_ES256, HEADER, claims))->roles, issuer_text("%s,c", most));
    struct sk_factor_token m = question(issuer_set(), issuer_token(SK_JWK_ES256, HEADER, CLAIMS(",'realm_access':{'roles':['a']}")));
    m.roles = SK_SLICE_NULL;
    expect_text(ask_with(m)->roles, "");
}

/* As many names as a token can hold: all are told. */
Test(factor_helper, no_role_is_lost)
{
    static char names[6000], want[4000];
    size_t len = 0, want_len = 0;
    for (int i = 0; i < 1450; i++) {
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s'%c'", i ? "," : "", 'a' + i % 26);
        want_len += (size_t)snprintf(want + want_len, sizeof(want) - want_len, "%s%c", i ? "," : "", 'a' + i % 26);
    }
    const char *token = issuer_token(SK_JWK_ES256, HEADER, issuer_text(CLAIMS(",'realm_access':{'roles':[%s]}"), names));
    cr_assert(strlen(token) > SK_FACTOR_TOKEN_MAX - 400 && strlen(token) <= SK_FACTOR_TOKEN_MAX, "%zu", strlen(token));
    expect_text(ask(issuer_set(), token)->roles, want);
}

/* The largest message that the table allows fits in one packet. */
Test(factor_helper, everything_at_its_limit_is_answered)
{
    static char text[SK_FACTOR_JWKS_MAX];
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"keys\":[]}", 11);
    struct sk_factor_token m = {.token = sk_slice(text, SK_FACTOR_TOKEN_MAX), .jwks = sk_slice(text, SK_FACTOR_JWKS_MAX), .issuer = sk_slice(text, 512),
            .audience = sk_slice(text, 1024), .types = sk_slice(text, 256), .roles = sk_slice(text, 512)};
    expect_text(ask_with(m)->reason, "token-malformed");
}

Test(factor_helper, passwords_and_tokens_take_turns)
{
    struct sk_factor_verify m = {.ticket = 1, .hash = SK_LIT("no hash"), .password = SK_LIT("x")};
    for (int turn = 0; turn < 2; turn++) {
        tell(helper, &sk_factor_interface, SK_FACTOR_VERIFY, &m, -1);
        cr_expect_eq(((const struct sk_factor_verdict *)hear(helper, &sk_factor_interface, SK_FACTOR_VERDICT))->result, 2);
        expect_text(ask(issuer_set(), issuer_token(SK_JWK_ES256, HEADER, CLAIMS("")))->reason, "");
    }
}
