/* Certificates and lists for fuzzers: by a key that is known, with times that stay, so that a corpus outlives the run. */
#include "authority.h"

#include <openssl/pem.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static int asked(UI *ui sk_unused)
{
    abort(); /* whoever sends a PEM text with a password would have a process wait at its terminal */
}

static void extend(X509 *cert, X509 *issuer, const char *name, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf(NULL, &ctx, name, value);
    require(extension && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *make(EVP_PKEY *key, X509 *issuer, const char *common, bool authority)
{
    X509 *cert = X509_new();
    require(cert && X509_set_version(cert, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(cert), authority ? 1 : 2) == 1);
    require(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) == 1);
    require(X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1 && X509_set_pubkey(cert, key) == 1);
    require(ASN1_TIME_set_string(X509_getm_notBefore(cert), "20200101000000Z") == 1 && ASN1_TIME_set_string(X509_getm_notAfter(cert), "20991231000000Z") == 1);
    extend(cert, issuer ? issuer : cert, "basicConstraints", authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(cert, issuer ? issuer : cert, authority ? "keyUsage" : "extendedKeyUsage", authority ? "critical,keyCertSign,cRLSign" : "clientAuth");
    extend(cert, issuer ? issuer : cert, "subjectKeyIdentifier", "hash");
    require(X509_sign(cert, key, NULL) > 0);
    return cert;
}

const struct fuzz_authority *fuzz_authority(void)
{
    static const uint8_t secret[32] = {7};
    static struct fuzz_authority one = {.pem = {.limit = 8192}};
    if (one.key) {
        return &one;
    }
    UI_METHOD *nobody = UI_create_method("nobody");
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    require(nobody && UI_method_set_opener(nobody, asked) == 0 && bio);
    UI_set_default_method(nobody);
    one.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    require(one.key != NULL);
    one.root = make(one.key, NULL, "root", true);
    one.client = make(one.key, one.root, "client", false);
    require(PEM_write_bio_X509(bio, one.root) == 1);
    long len = BIO_get_mem_data(bio, &text);
    require(sk_buf_put(&one.pem, sk_slice(text, (size_t)len)) == 0);
    BIO_free(bio);
    return &one;
}

static void add_number(X509_CRL *list, int nid, long number)
{
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    require(value && ASN1_INTEGER_set(value, number) == 1 && X509_CRL_add1_ext_i2d(list, nid, value, nid == NID_delta_crl, 0) == 1);
    ASN1_INTEGER_free(value);
}

void fuzz_list(long number, long base, unsigned year, bool revoked, struct sk_buf *pem)
{
    const struct fuzz_authority *a = fuzz_authority();
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_new(), *to = ASN1_TIME_new();
    char text[16];
    X509V3_CTX ctx;
    (void)snprintf(text, sizeof(text), "%04u0101000000Z", year);
    require(list && from && to && ASN1_TIME_set_string(from, text) == 1 && ASN1_TIME_set_string(to, "20991231000000Z") == 1);
    require(X509_CRL_set_version(list, 1) == 1 && X509_CRL_set_issuer_name(list, X509_get_subject_name(a->root)) == 1);
    require(X509_CRL_set1_lastUpdate(list, from) == 1 && X509_CRL_set1_nextUpdate(list, to) == 1);
    X509V3_set_ctx(&ctx, a->root, NULL, NULL, list, 0);
    X509_EXTENSION *identifier = X509V3_EXT_conf(NULL, &ctx, "authorityKeyIdentifier", "keyid:always");
    require(identifier && X509_CRL_add_ext(list, identifier, -1) == 1);
    X509_EXTENSION_free(identifier);
    add_number(list, NID_crl_number, number);
    if (base) {
        add_number(list, NID_delta_crl, base);
    }
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        require(entry && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(a->client)) == 1 && X509_REVOKED_set_revocationDate(entry, from) == 1);
        require(X509_CRL_add0_revoked(list, entry) == 1);
    }
    require(X509_CRL_sign(list, a->key, NULL) > 0);
    fuzz_put_pem(list, pem);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(list);
}

X509_CRL *fuzz_signed(struct sk_slice der)
{
    const struct fuzz_authority *a = fuzz_authority();
    const unsigned char *p = (const unsigned char *)der.data;
    X509_CRL *list = der.len ? d2i_X509_CRL(NULL, &p, (long)der.len) : NULL;
    if (list && (X509_CRL_set_issuer_name(list, X509_get_subject_name(a->root)) != 1 || X509_CRL_sign(list, a->key, NULL) <= 0)) {
        X509_CRL_free(list);
        return NULL;
    }
    return list;
}

void fuzz_put_pem(X509_CRL *list, struct sk_buf *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    require(bio && PEM_write_bio_X509_CRL(bio, list) == 1);
    long len = BIO_get_mem_data(bio, &text);
    require(sk_buf_put(pem, sk_slice(text, (size_t)len)) == 0);
    BIO_free(bio);
}

struct sk_buf fuzz_der(struct sk_slice pem)
{
    struct sk_buf der = SK_BUF_INIT((size_t)16 << 20);
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509_CRL *list = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    unsigned char *bytes = NULL;
    int len = list ? i2d_X509_CRL(list, &bytes) : -1;
    require(len > 0 && sk_buf_put(&der, sk_slice(bytes, (size_t)len)) == 0);
    OPENSSL_free(bytes);
    X509_CRL_free(list);
    BIO_free(bio);
    return der;
}
