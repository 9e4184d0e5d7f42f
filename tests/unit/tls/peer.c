/* gateway/tls/peer.c: what a client's certificate names its holder by, and what it does not; what is told of it after a handshake. */
#include "made.h"
#include "tls/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct made root, inner, site;
static struct sk_tls_identity *identity;
static struct sk_tls_trust *trust;
static struct sk_tls_server *server;

static int choose(void *context sk_unused, struct sk_slice host sk_unused, struct sk_tls_choice *choice)
{
    *choice = (struct sk_tls_choice){.identity = identity, .tenant = {1}, .trust = sk_tls_trust_ref(trust)};
    return 0;
}

static struct sk_tls_trust *trust_in(const struct made *authority)
{
    char why[SK_TLS_WHY];
    struct sk_tls_trust *made = sk_tls_trust_new(sk_slice_str(authority->cert_pem), SK_SLICE_NULL, false, why);
    cr_assert_not_null(made, "%s", why);
    return made;
}

static void begin(void)
{
    static const uint8_t secret[32] = {9};
    const char *why;
    made_certificate(&root, &(struct made_spec){.common = "root", .authority = true});
    made_certificate(&inner, &(struct made_spec){.common = "inner", .issuer = &root, .authority = true});
    made_make(&site, "one.test", "DNS:one.test", 0, NULL);
    identity = sk_tls_identity_new(sk_slice_str(site.cert_pem), sk_slice_str(site.key_pem), &why);
    trust = trust_in(&root);
    server = sk_tls_server_new(secret, choose, NULL);
    cr_assert(identity && server);
}

static void end(void)
{
    server = sk_tls_server_free(server);
    trust = sk_tls_trust_unref(trust);
    identity = sk_tls_identity_free(identity);
    made_free(&root);
    made_free(&inner);
    made_free(&site);
}

TestSuite(tls_peer, .init = begin, .fini = end, .timeout = 60);

/* The server's side of a connection whose client showed this and the authority above it. */
static struct sk_tls *shown(const struct made *client, int version)
{
    int fds[2], mine = -EAGAIN, theirs = 0;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    cr_assert(SSL_CTX_use_certificate(ctx, client->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, client->key) == 1 &&
              SSL_CTX_add1_chain_cert(ctx, inner.cert) == 1 && SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, version) == 1);
    SSL *ssl = SSL_new(ctx);
    cr_assert(SSL_set_fd(ssl, fds[0]) == 1 && SSL_set_tlsext_host_name(ssl, "one.test") == 1);
    SSL_set_connect_state(ssl);
    struct sk_tls *tls = sk_tls_accept(server, fds[1]);
    for (int turn = 0; turn < 20 && mine == -EAGAIN; turn++) {
        theirs = theirs == 1 ? 1 : SSL_do_handshake(ssl);
        mine = sk_tls_handshake(tls);
    }
    cr_assert_eq(mine, 1, "%s", sk_tls_error(tls));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return tls;
}

/* What it says by that kind; "" for nothing. */
static const char *name_of(const char *kind, const char *value, enum sk_tls_name which)
{
    static char text[512];
    struct made client;
    struct sk_buf out = SK_BUF_INIT(sizeof(text) - 1);
    made_certificate(&client, &(struct made_spec){.common = "client", .issuer = &inner, .extensions = {{kind, value}}});
    struct sk_tls *tls = shown(&client, TLS1_3_VERSION);
    int r = sk_tls_certificate_name(tls, which, &out);
    cr_assert(r == 0 || (r == 1 && sk_buf_len(&out) == 0));
    cr_assert(r != 0 || strlen(sk_buf_peek(&out).data) >= 1);
    memcpy(text, sk_buf_peek(&out).data ? sk_buf_peek(&out).data : "", sk_buf_len(&out));
    text[sk_buf_len(&out)] = '\0';
    sk_buf_free(&out);
    (void)sk_tls_free(tls);
    made_free(&client);
    return text;
}

#define SAN(value, which) name_of("subjectAltName", value, which)
#define UPN_OID "1.3.6.1.4.1.311.20.2.3"

Test(tls_peer, is_named_by_the_one_name_of_a_kind)
{
    cr_expect_str_eq(SAN("email:taro@acme.test,URI:urn:taro,DNS:x.test", SK_TLS_EMAIL), "taro@acme.test");
    cr_expect_str_eq(SAN("email:taro@acme.test,URI:urn:taro,DNS:x.test", SK_TLS_URI), "urn:taro");
    cr_expect_str_eq(SAN("email:other@acme.test,otherName:" UPN_OID ";UTF8:taro@acme.test", SK_TLS_UPN), "taro@acme.test");
    cr_expect_str_eq(SAN("email:taro@acme.test", SK_TLS_SUBJECT), "CN=client");
}

Test(tls_peer, is_not_named_by_two_of_a_kind_or_by_another_kind)
{
    cr_expect_str_empty(SAN("email:taro@acme.test,email:jiro@acme.test", SK_TLS_EMAIL));
    cr_expect_str_empty(SAN("otherName:" UPN_OID ";UTF8:taro@acme.test,otherName:" UPN_OID ";UTF8:jiro@acme.test", SK_TLS_UPN));
    cr_expect_str_empty(SAN("email:taro@acme.test", SK_TLS_UPN));
    cr_expect_str_empty(SAN("DNS:taro.test", SK_TLS_URI));
    cr_expect_str_empty(SAN("otherName:1.2.3.4;UTF8:taro@acme.test", SK_TLS_UPN));
    cr_expect_str_empty(SAN("otherName:" UPN_OID ";IA5:taro@acme.test", SK_TLS_UPN));
    cr_expect_str_empty(name_of("keyUsage", "digitalSignature", SK_TLS_EMAIL));
}

/* rfc822Name "a NUL b", "a LF b" and empty; UPN "a NUL b", and with bytes that are no UTF-8. */
Test(tls_peer, is_not_named_by_what_is_no_text)
{
    cr_expect_str_empty(SAN("DER:30:05:81:03:61:00:62", SK_TLS_EMAIL));
    cr_expect_str_empty(SAN("DER:30:05:81:03:61:0a:62", SK_TLS_EMAIL));
    cr_expect_str_empty(SAN("DER:30:02:81:00", SK_TLS_EMAIL));
    cr_expect_str_empty(SAN("DER:30:15:a0:13:06:0a:2b:06:01:04:01:82:37:14:02:03:a0:05:0c:03:61:00:62", SK_TLS_UPN));
    cr_expect_str_empty(SAN("DER:30:15:a0:13:06:0a:2b:06:01:04:01:82:37:14:02:03:a0:05:0c:03:61:ff:62", SK_TLS_UPN));
}

static int count(void *context, struct sk_slice der)
{
    unsigned *seen = context;
    const unsigned char *at = (const unsigned char *)der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    cr_assert(certificate && X509_cmp(certificate, inner.cert) == 0);
    X509_free(certificate);
    (*seen)++;
    return 0;
}

Test(tls_peer, has_a_chain_up_to_its_root)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct made client;
    made_certificate(&client, &(struct made_spec){.common = "client", .issuer = &inner});
    for (size_t i = 0; i < SK_COUNT(versions); i++) {
        struct sk_tls *tls = shown(&client, versions[i]);
        unsigned seen = 0;
        cr_assert_eq(sk_tls_certificate_each(tls, true, count, &seen), 0);
        cr_assert_eq(seen, 1);
        (void)sk_tls_free(tls);
    }
    made_free(&client);
}

/* Rules that say the same are the same; others are asked anew, and those that take it are then its own. */
Test(tls_peer, holds_by_whatever_trust_takes_it)
{
    struct made client, stranger;
    made_certificate(&client, &(struct made_spec){.common = "client", .issuer = &inner});
    made_certificate(&stranger, &(struct made_spec){.common = "stranger", .authority = true});
    struct sk_tls *tls = shown(&client, TLS1_3_VERSION);
    struct sk_tls_trust *same = trust_in(&root), *other = trust_in(&stranger);
    char both[sizeof(root.cert_pem) * 2], why[SK_TLS_WHY];
    (void)snprintf(both, sizeof(both), "%s%s", stranger.cert_pem, root.cert_pem);
    struct sk_tls_trust *wider = sk_tls_trust_new(sk_slice_str(both), SK_SLICE_NULL, false, why);
    cr_expect(sk_tls_has_certificate(tls));
    cr_expect(sk_tls_certificate_holds(tls, same));
    cr_expect_not(sk_tls_certificate_holds(tls, other));
    cr_expect_not(sk_tls_certificate_holds(tls, NULL));
    cr_expect(sk_tls_certificate_holds(tls, wider));
    cr_expect(sk_tls_certificate_holds(tls, same));
    (void)sk_tls_trust_unref(same);
    (void)sk_tls_trust_unref(other);
    (void)sk_tls_trust_unref(wider);
    (void)sk_tls_free(tls);
    made_free(&client);
    made_free(&stranger);
}
