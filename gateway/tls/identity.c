/* Certificates with their keys. Runs in the workers; the supervisor uses it to check a configuration. */
#include "tls/identity.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdlib.h>

static bool read_chain(struct sk_tls_identity *identity, struct sk_slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *more;
    if (!bio) {
        return false;
    }
    identity->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    while (identity->leaf && (more = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (!sk_X509_push(identity->chain, more)) {
            X509_free(more);
            break;
        }
    }
    ERR_clear_error();
    BIO_free(bio);
    return identity->leaf != NULL;
}

struct sk_tls_identity *sk_tls_identity_new(struct sk_slice chain, struct sk_slice key, const char **why)
{
    struct sk_tls_identity *identity = calloc(1, sizeof(*identity));
    if (!identity || chain.len > INT_MAX || key.len > INT_MAX) {
        free(identity);
        *why = "no memory";
        return NULL;
    }
    identity->chain = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(key.data, (int)key.len);
    identity->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    BIO_free(bio);
    *why = NULL;
    if (!identity->chain || !identity->key) {
        *why = "the key is not an unencrypted private key in PEM";
    } else if (!read_chain(identity, chain)) {
        *why = "the chain holds no certificate in PEM";
    } else if (X509_check_private_key(identity->leaf, identity->key) != 1) {
        *why = "the key does not belong to the certificate";
    } else if (EVP_PKEY_is_a(identity->key, "RSA") && EVP_PKEY_get_bits(identity->key) < 2048) {
        *why = "an RSA key needs at least 2048 bits";
    }
    ERR_clear_error();
    return *why ? sk_tls_identity_free(identity) : identity;
}

struct sk_tls_identity *sk_tls_identity_free(struct sk_tls_identity *identity)
{
    if (identity) {
        X509_free(identity->leaf);
        sk_X509_pop_free(identity->chain, X509_free);
        EVP_PKEY_free(identity->key);
        free(identity);
    }
    return NULL;
}

bool sk_tls_identity_covers(const struct sk_tls_identity *identity, struct sk_slice host)
{
    return X509_check_host(identity->leaf, host.data, host.len, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}
