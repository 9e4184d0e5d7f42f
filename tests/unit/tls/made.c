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

/* ---- clients and their authorities ---- */

static void extend_by_name(const struct made *made, const struct made *issuer, const char *name, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer ? issuer->cert : made->cert, made->cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf(NULL, &ctx, name, value);
    cr_assert_not_null(extension, "%s=%s", name, value);
    cr_assert_eq(X509_add_ext(made->cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void extend_all(const struct made *made, const struct made_spec *spec)
{
    static const char *const authority[][2] = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign,cRLSign"}};
    static const char *const client[][2] = {{"basicConstraints", "critical,CA:FALSE"}, {"extendedKeyUsage", "clientAuth"}};
    for (size_t i = 0; i < SK_COUNT(spec->extensions) && spec->extensions[i][0]; i++) {
        extend_by_name(made, spec->issuer, spec->extensions[i][0], spec->extensions[i][1]);
    }
    for (size_t i = 0; i < SK_COUNT(authority) && !spec->bare; i++) {
        const char *const *one = spec->authority ? authority[i] : client[i];
        if (X509_get_ext_by_NID(made->cert, OBJ_txt2nid(one[0]), -1) < 0) {
            extend_by_name(made, spec->issuer, one[0], one[1]);
        }
    }
    extend_by_name(made, spec->issuer, "subjectKeyIdentifier", "hash");
    if (spec->issuer) {
        extend_by_name(made, spec->issuer, "authorityKeyIdentifier", "keyid:always");
    }
}

void made_certificate(struct made *made, const struct made_spec *spec)
{
    static long serial = 1000;
    bool dated = spec->from || spec->to;
    made->key = spec->bits ? EVP_RSA_gen((unsigned)spec->bits) : spec->curve && strcmp(spec->curve, "ED25519") == 0
            ? EVP_PKEY_Q_keygen(NULL, NULL, spec->curve) : EVP_EC_gen(spec->curve ? spec->curve : "P-256");
    made->cert = X509_new();
    X509_NAME *name = X509_get_subject_name(made->cert);
    const struct made *signer = spec->issuer ? spec->issuer : made;
    cr_assert(made->key && X509_set_version(made->cert, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial++) == 1);
    cr_assert_eq(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec->common, -1, -1, 0), 1);
    cr_assert(X509_set_issuer_name(made->cert, X509_get_subject_name(signer->cert)) == 1 && X509_set_pubkey(made->cert, made->key) == 1);
    cr_assert(X509_gmtime_adj(X509_getm_notBefore(made->cert), dated ? spec->from : -MADE_HOUR) &&
              X509_gmtime_adj(X509_getm_notAfter(made->cert), dated ? spec->to : 24 * MADE_HOUR));
    extend_all(made, spec);
    bool pure = EVP_PKEY_is_a(signer->key, "ED25519");
    cr_assert_gt(X509_sign(made->cert, signer->key, pure ? NULL : spec->sha1 ? EVP_sha1() : EVP_sha256()), 0);
    pem(made->key_pem, sizeof(made->key_pem), write_key, made);
    pem(made->cert_pem, sizeof(made->cert_pem), write_cert, made);
}

static void add_revoked(X509_CRL *crl, const struct made *made, bool removed)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60);
    cr_assert(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(made->cert)) == 1 && X509_REVOKED_set_revocationDate(entry, now) == 1);
    if (removed) {
        ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
        cr_assert(ASN1_ENUMERATED_set(reason, CRL_REASON_REMOVE_FROM_CRL) == 1 && X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1);
        ASN1_ENUMERATED_free(reason);
    }
    cr_assert_eq(X509_CRL_add0_revoked(crl, entry), 1);
    ASN1_TIME_free(now);
}

static void add_number(X509_CRL *crl, int nid, long number)
{
    ASN1_INTEGER *value = ASN1_INTEGER_new();
    cr_assert(ASN1_INTEGER_set(value, number) == 1 && X509_CRL_add1_ext_i2d(crl, nid, value, nid == NID_delta_crl, 0) == 1);
    ASN1_INTEGER_free(value);
}

void made_list(char *out, size_t size, const struct made_list *list)
{
    X509_CRL *crl = X509_CRL_new();
    bool dated = list->from || list->to;
    ASN1_TIME *from = X509_gmtime_adj(NULL, dated ? list->from : -MADE_HOUR), *to = X509_gmtime_adj(NULL, dated ? list->to : MADE_HOUR);
    cr_assert(X509_CRL_set_version(crl, 1) == 1 && X509_CRL_set_issuer_name(crl, X509_get_subject_name(list->issuer->cert)) == 1 &&
              X509_CRL_set1_lastUpdate(crl, from) == 1 && (list->endless || X509_CRL_set1_nextUpdate(crl, to) == 1));
    if (!list->unidentified) {
        X509V3_CTX ctx;
        X509V3_set_ctx(&ctx, list->issuer->cert, NULL, NULL, crl, 0);
        X509_EXTENSION *identifier = X509V3_EXT_conf(NULL, &ctx, "authorityKeyIdentifier", "keyid:always");
        cr_assert(identifier && X509_CRL_add_ext(crl, identifier, -1) == 1);
        X509_EXTENSION_free(identifier);
    }
    if (list->number) {
        add_number(crl, NID_crl_number, list->number);
    }
    if (list->base) {
        add_number(crl, NID_delta_crl, list->base);
    }
    if (list->garbled) {
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        cr_assert_eq(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\2\5\1", 3), 1);
        X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_delta_crl, 1, value);
        cr_assert(extension && X509_CRL_add_ext(crl, extension, -1) == 1);
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(value);
    }
    if (list->revoked) {
        add_revoked(crl, list->revoked, false);
    }
    if (list->removed) {
        add_revoked(crl, list->removed, true);
    }
    cr_assert(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, list->issuer->key, list->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    cr_assert_eq(PEM_write_bio_X509_CRL(bio, crl), 1);
    size_t len = (size_t)BIO_get_mem_data(bio, &data), used = strlen(out);
    cr_assert_lt(used + len, size);
    memcpy(out + used, data, len);
    out[used + len] = '\0';
    BIO_free(bio);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
}
