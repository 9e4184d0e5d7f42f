/* Certificates and keys made for one test. Tests alone. */
#include "made.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static void pem(char *out, size_t size, int (*write)(BIO *bio, const struct made *made), const struct made *made)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    cr_assert_eq(write(bio, made), 1);
    long len = BIO_get_mem_data(bio, &data);
    cr_assert(len > 0 && (size_t)len < size);
    memcpy(out, data, (size_t)len);
    out[len] = '\0';
    BIO_free(bio);
}

static int write_key(BIO *bio, const struct made *made)
{
    return PEM_write_bio_PrivateKey(bio, made->key, NULL, NULL, 0, NULL, NULL);
}

static int write_cert(BIO *bio, const struct made *made)
{
    return PEM_write_bio_X509(bio, made->cert);
}

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    cr_assert_not_null(extension);
    cr_assert_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void made_make(struct made *made, const char *common, const char *names, int bits, const struct made *issuer)
{
    static long serial = 1;
    made->key = bits ? EVP_RSA_gen((unsigned)bits) : EVP_EC_gen("P-256");
    made->cert = X509_new();
    X509_NAME *name = X509_get_subject_name(made->cert);
    cr_assert(made->key && X509_set_version(made->cert, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial++) == 1);
    cr_assert_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0), 1);
    cr_assert(X509_set_issuer_name(made->cert, issuer ? X509_get_subject_name(issuer->cert) : name) == 1 && X509_set_pubkey(made->cert, made->key) == 1);
    cr_assert(X509_gmtime_adj(X509_getm_notBefore(made->cert), -3600) && X509_gmtime_adj(X509_getm_notAfter(made->cert), 86400));
    if (names) {
        extend(made->cert, NID_subject_alt_name, names);
    } else {
        extend(made->cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    cr_assert_gt(X509_sign(made->cert, issuer ? issuer->key : made->key, EVP_sha256()), 0);
    pem(made->key_pem, sizeof(made->key_pem), write_key, made);
    pem(made->cert_pem, sizeof(made->cert_pem), write_cert, made);
}

void made_free(struct made *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->cert);
}
