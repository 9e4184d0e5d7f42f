/* Attestation certificates. Runs in the factor helpers. */
#include "factor/certificate.h"

#include "factor/authenticator.h"
#include "factor/cbor_item.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define AUTH_LEVEL 2 /* 112 bits */

enum sk_webauthn_outcome sk_x5c_load(const cbor_item_t *array, struct sk_x5c *x5c)
{
    size_t count = sk_cbor_array_size(array);
    *x5c = (struct sk_x5c){.count = 0};
    if (count == 0 || count > SK_X5C_MAX) {
        return SK_WEBAUTHN_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        struct sk_slice der = sk_cbor_bytes(cbor_array_handle(array)[i]);
        const unsigned char *p = (const unsigned char *)der.data;
        if (der.len == 0 || der.len > SK_CERTIFICATE_MAX || !(x5c->chain[i] = d2i_X509(NULL, &p, (long)der.len))) {
            return SK_WEBAUTHN_MALFORMED;
        }
        x5c->count++;
        if ((const char *)p != der.data + der.len) {
            return SK_WEBAUTHN_MALFORMED;
        }
    }
    return SK_WEBAUTHN_GOOD;
}

void sk_x5c_free(struct sk_x5c *x5c)
{
    for (size_t i = 0; i < x5c->count; i++) {
        X509_free(x5c->chain[i]);
    }
    x5c->count = 0;
}

static bool is_no_authority(const X509 *cert)
{
    BASIC_CONSTRAINTS *basic = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);
    bool fits = basic && !basic->ca;
    BASIC_CONSTRAINTS_free(basic);
    return fits;
}

/* id-fido-gen-ce-aaguid, when it is there: once, not critical, and an OCTET STRING with this AAGUID. */
static bool names_aaguid(const X509 *cert, struct sk_slice aaguid)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
    int at = X509_get_ext_by_OBJ(cert, oid, -1);
    bool fits = oid && (at < 0 || X509_get_ext_by_OBJ(cert, oid, at) < 0);
    ASN1_OBJECT_free(oid);
    if (!fits || at < 0) {
        return fits;
    }
    X509_EXTENSION *extension = X509_get_ext(cert, at);
    const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
    struct sk_slice value = sk_slice(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
    return !X509_EXTENSION_get_critical(extension) && value.len == 2 + SK_AAGUID_SIZE && sk_slice_starts(value, SK_LIT("\x04\x10")) &&
           sk_slice_eq(sk_slice_from(value, 2), aaguid);
}

/* The subject's only entry of that kind. */
static struct sk_slice subject_part(const X509 *cert, int nid)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, nid, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0) {
        return SK_SLICE_NULL;
    }
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    return sk_slice(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

enum sk_webauthn_outcome sk_x5c_fits_packed(const struct sk_x5c *x5c, struct sk_slice aaguid)
{
    const X509 *cert = x5c->chain[0];
    bool fits = X509_get_version(cert) == X509_VERSION_3 && subject_part(cert, NID_countryName).len == 2 &&
                subject_part(cert, NID_organizationName).len > 0 && subject_part(cert, NID_commonName).len > 0 &&
                sk_slice_eq(subject_part(cert, NID_organizationalUnitName), SK_LIT("Authenticator Attestation")) &&
                is_no_authority(cert) && names_aaguid(cert, aaguid);
    return fits ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_UNTRUSTED;
}

static bool has_tpm_purpose(const X509 *cert)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    ASN1_OBJECT *aik = OBJ_txt2obj("2.23.133.8.3", 1);
    bool found = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
        found |= OBJ_cmp(sk_ASN1_OBJECT_value(usage, i), aik) == 0;
    }
    ASN1_OBJECT_free(aik);
    EXTENDED_KEY_USAGE_free(usage);
    return found;
}

/* A directory name that says manufacturer, model and version (TPM EK profile 3.2.9). */
static bool is_tpm_name(const GENERAL_NAME *name)
{
    static const char *const parts[] = {"2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3"};
    size_t found = 0;
    for (size_t i = 0; name->type == GEN_DIRNAME && i < SK_COUNT(parts); i++) {
        ASN1_OBJECT *oid = OBJ_txt2obj(parts[i], 1);
        found += oid && X509_NAME_get_index_by_OBJ(name->d.directoryName, oid, -1) >= 0;
        ASN1_OBJECT_free(oid);
    }
    return found == SK_COUNT(parts);
}

static bool has_tpm_name(const X509 *cert)
{
    int critical = 0;
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        found |= is_tpm_name(sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    return found && critical == 1;
}

enum sk_webauthn_outcome sk_x5c_fits_tpm(const struct sk_x5c *x5c, struct sk_slice aaguid)
{
    const X509 *cert = x5c->chain[0];
    bool fits = X509_get_version(cert) == X509_VERSION_3 && X509_NAME_entry_count(X509_get_subject_name(cert)) == 0 &&
                has_tpm_name(cert) && has_tpm_purpose(cert) && is_no_authority(cert) && names_aaguid(cert, aaguid);
    return fits ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_UNTRUSTED;
}

static int no_password(char *out sk_unused, int size sk_unused, int writing sk_unused, void *context sk_unused)
{
    return 0;
}

/* One certificate off `bio`, or off `der`: NULL at the end, and when it is none. */
static X509 *next_root(BIO *bio, struct sk_slice *der)
{
    if (bio) {
        return PEM_read_bio_X509(bio, NULL, no_password, NULL);
    }
    const unsigned char *p = (const unsigned char *)der->data;
    X509 *cert = der->len ? d2i_X509(NULL, &p, (long)der->len) : NULL;
    if (cert) {
        *der = sk_slice_from(*der, (size_t)((const char *)p - der->data));
    }
    return cert;
}

static enum sk_webauthn_outcome load_roots(struct sk_slice roots, X509_STORE *store)
{
    bool pem = roots.len > 0 && roots.data[0] != 0x30; /* DER begins with a SEQUENCE */
    BIO *bio = pem ? BIO_new_mem_buf(roots.data, (int)roots.len) : NULL;
    size_t count = 0;
    X509 *cert;
    if (pem && !bio) {
        return SK_WEBAUTHN_BROKEN;
    }
    ERR_clear_error();
    while ((cert = next_root(bio, &roots)) != NULL) {
        count += X509_STORE_add_cert(store, cert) == 1;
        X509_free(cert);
    }
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    bool whole = pem ? count > 0 && end : roots.len == 0;
    BIO_free(bio);
    return whole ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_QUESTION;
}

static int verify(X509_STORE *store, X509_STORE_CTX *context, STACK_OF(X509) *between, const struct sk_x5c *x5c, uint64_t now)
{
    for (size_t i = 1; i < x5c->count; i++) {
        if (sk_X509_push(between, x5c->chain[i]) <= 0) {
            return -1;
        }
    }
    if (X509_STORE_CTX_init(context, store, x5c->chain[0], between) != 1) {
        return -1;
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_VERIFY_PARAM_set_depth(param, SK_X5C_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    return X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) == 1 ? X509_verify_cert(context) : -1;
}

enum sk_webauthn_outcome sk_x5c_trusted(const struct sk_x5c *x5c, struct sk_slice roots, uint64_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    enum sk_webauthn_outcome r = store && context && between ? load_roots(roots, store) : SK_WEBAUTHN_BROKEN;
    if (r == SK_WEBAUTHN_GOOD) {
        r = verify(store, context, between, x5c, now) == 1 ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_UNTRUSTED;
    }
    sk_X509_free(between);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return r;
}
