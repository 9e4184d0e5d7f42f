/* What a client's certificate says. Runs in the workers. */
#include "tls/identity.h"
#include "tls/peer.h"

#include "base/clock.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <errno.h>

bool sk_tls_has_certificate(const struct sk_tls *tls)
{
    return tls->certificate_until != 0;
}

bool sk_tls_certificate_holds(struct sk_tls *tls, struct sk_tls_trust *trust)
{
    if (tls->certificate_until > sk_clock_wall() / SK_SECOND && sk_tls_trust_same(tls->choice.trust, trust)) {
        return true;
    }
    uint64_t until = 0;
    X509_STORE_CTX *ctx = trust ? X509_STORE_CTX_new() : NULL;
    bool good = ctx && X509_STORE_CTX_init(ctx, sk_tls_trust_store(trust), SSL_get0_peer_certificate(tls->ssl), SSL_get_peer_cert_chain(tls->ssl)) == 1 &&
                sk_tls_trust_verify(trust, ctx, &until) == NULL;
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    if (good) {
        struct sk_tls_trust *old = tls->choice.trust;
        tls->choice.trust = sk_tls_trust_ref(trust);
        tls->certificate_until = until;
        (void)sk_tls_trust_unref(old);
    }
    return good;
}

void sk_tls_certificate_fingerprint(const struct sk_tls *tls, uint8_t out[32])
{
    unsigned len = 32;
    memset(out, 0, 32);
    (void)X509_digest(SSL_get0_peer_certificate(tls->ssl), EVP_sha256(), out, &len);
}

static int give_der(X509 *certificate, int (*each)(void *context, struct sk_slice der), void *context)
{
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    int r = len < 0 ? -ENOMEM : each(context, sk_slice(der, (size_t)len));
    OPENSSL_free(der);
    return r;
}

int sk_tls_certificate_each(const struct sk_tls *tls, bool chain, int (*each)(void *context, struct sk_slice der), void *context)
{
    X509 *own = SSL_get0_peer_certificate(tls->ssl);
    if (!chain) {
        return give_der(own, each, context);
    }
    STACK_OF(X509) *path = X509_build_chain(own, SSL_get_peer_cert_chain(tls->ssl), sk_tls_trust_store(tls->choice.trust), 0, NULL, NULL);
    int r = path ? 0 : -ENOMEM;
    for (int i = 1; i < sk_X509_num(path) && r == 0; i++) {
        r = give_der(sk_X509_value(path, i), each, context);
    }
    sk_X509_pop_free(path, X509_free);
    ERR_clear_error();
    return r;
}

int sk_tls_certificate_name(const struct sk_tls *tls, enum sk_tls_name which, struct sk_buf *out)
{
    return sk_tls_name_of(SSL_get0_peer_certificate(tls->ssl), which, out);
}
