/* TLS towards upstreams. Runs in the workers. */
#include "tls/identity.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct sk_tls_client {
    SSL_CTX *ctx;
};

static int trust(SSL_CTX *ctx, struct sk_slice pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert;
    int count = 0;
    while (bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

struct sk_tls_client *sk_tls_client_new(struct sk_slice ca)
{
    struct sk_tls_client *client = calloc(1, sizeof(*client));
    if (!client || ca.len > INT_MAX) {
        free(client);
        return NULL;
    }
    client->ctx = SSL_CTX_new(TLS_client_method());
    if (!client->ctx || !sk_tls_harden(client->ctx) || trust(client->ctx, ca) == 0) {
        return sk_tls_client_free(client);
    }
    SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
    return client;
}

struct sk_tls_client *sk_tls_client_free(struct sk_tls_client *client)
{
    if (client) {
        SSL_CTX_free(client->ctx);
        free(client);
    }
    return NULL;
}

struct sk_tls *sk_tls_connect(struct sk_tls_client *client, int fd, struct sk_slice name)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    struct sk_tls *tls = calloc(1, sizeof(*tls));
    if (!tls || name.len >= sizeof(tls->host)) {
        free(tls);
        return NULL;
    }
    memcpy(tls->host, name.data, name.len);
    tls->host_len = name.len;
    tls->ssl = SSL_new(client->ctx);
    bool ok = tls->ssl && sk_tls_attach(tls, fd) && SSL_set1_host(tls->ssl, tls->host) == 1 &&
              SSL_set_tlsext_host_name(tls->ssl, tls->host) == 1 && SSL_set_alpn_protos(tls->ssl, alpn, sizeof(alpn) - 1) == 0;
    if (!ok) {
        return sk_tls_free(tls);
    }
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_connect_state(tls->ssl);
    return tls;
}
