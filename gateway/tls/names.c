/* What names stand in a certificate. Runs in the workers. */
#include "tls/names.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* As UTF-8; false when it is not that, or has a control character in it. */
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

int sk_tls_name_of(X509 *certificate, enum sk_tls_name which, struct sk_buf *out)
{
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
