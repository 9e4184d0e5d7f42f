/* Between tls's own files. */
#pragma once

#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct sk_tls_identity {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

struct sk_tls {
    SSL *ssl;
    struct sk_tls_server *server; /* of an accepted connection */
    struct sk_tls_choice choice;
    char host[256];
    size_t host_len;
    char text[160];
    const char *error;
    char error_text[128];
    int fd;
    bool more;    /* of a write: what follows at once is worth waiting for */
    bool emptied; /* the last read took all the descriptor had: not asked again before it is ready again */
    bool ended;   /* the other side closed the descriptor */
    bool wants_write;
    uint64_t certificate_until; /* Unix seconds: when the client's must be verified anew; 0: it has none */
    bool drained; /* the last read found no whole record: what is missing comes by the descriptor */
};

#define SK_TLS_CIPHERS                                                                                       \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"              \
    "ECDHE-RSA-CHACHA20-POLY1305"
#define SK_TLS_SUITES "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SK_TLS_GROUPS "X25519:P-256:P-384"

/* `tls->ssl` reads and writes this descriptor from now on. False without memory. */
bool sk_tls_attach(struct sk_tls *tls, int fd);

/* Unix seconds; 0 for none, or one that is no time. */
uint64_t sk_tls_seconds(const ASN1_TIME *time);
/* "CN=..." as RFC 2253 has it, cut to fit. Returns `text`. */
const char *sk_tls_name_text(const X509_NAME *name, char *text, size_t size);

/* For a reader of PEM: the password of what is encrypted, for else OpenSSL asks for one at the terminal. */
#define SK_TLS_NO_PASSWORD ((void *)(uintptr_t) "")
/* Did the reader of PEM that gave none find no more, or something that it could not read? The errors were cleared before. */
bool sk_tls_pem_ended(void);

/* What a trust is made of. The names are a copy, the caller's. */
X509_STORE *sk_tls_trust_store(const struct sk_tls_trust *trust);
STACK_OF(X509_NAME) * sk_tls_trust_names(const struct sk_tls_trust *trust);
/* Judges the chain of `ctx`: NULL, with `until` set in Unix seconds, or why not. */
const char *sk_tls_trust_verify(struct sk_tls_trust *trust, X509_STORE_CTX *ctx, uint64_t *until);

/* Protocol versions, suites and groups that hold on both sides. False when OpenSSL has none of them. */
bool sk_tls_harden(SSL_CTX *ctx);
