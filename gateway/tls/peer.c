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

/* As UTF-8, or NULL when it is not that, or has a control character in it. */
static bool put_string(ASN1_STRING *string, struct sk_buf *out, int *failed)
{
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, string);
    bool good = len > 0;
    for (int i = 0; good && i < len; i++) {
        good = text[i] >= 0x20 && text[i] != 0x7f;
    }
    *failed = good ? sk_buf_put(out, sk_slice(text, (size_t)len)) : 0;
    OPENSSL_free(text);
    return good;
}

/* The text of an alternative name of that kind; NULL for others. */
static ASN1_STRING *alternative(const GENERAL_NAME *name, enum sk_tls_name which)
{
    if (which == SK_TLS_EMAIL && name->type == GEN_EMAIL) {
        return name->d.rfc822Name;
    }
    if (which == SK_TLS_URI && name->type == GEN_URI) {
        return name->d.uniformResourceIdentifier;
    }
    bool upn = which == SK_TLS_UPN && name->type == GEN_OTHERNAME && OBJ_obj2nid(name->d.otherName->type_id) == NID_ms_upn &&
               name->d.otherName->value->type == V_ASN1_UTF8STRING;
    return upn ? name->d.otherName->value->value.utf8string : NULL;
}

static int put_subject(X509 *certificate, struct sk_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    int r = bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) > 0 ? 0 : 1;
    long len = r ? 0 : BIO_get_mem_data(bio, &text);
    r = r ? r : sk_buf_put(out, sk_slice(text, (size_t)len));
    BIO_free(bio);
    return r;
}

int sk_tls_certificate_name(const struct sk_tls *tls, enum sk_tls_name which, struct sk_buf *out)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    ASN1_STRING *found = NULL;
    int count = 0, failed = 0;
    if (which == SK_TLS_SUBJECT) {
        return put_subject(certificate, out);
    }
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        ASN1_STRING *one = alternative(sk_GENERAL_NAME_value(names, i), which);
        found = one ? one : found;
        count += one != NULL;
    }
    bool good = count == 1 && put_string(found, out, &failed);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return failed ? failed : !good;
}
