/* Judging documents. Runs in fetch. */
#include "fetch/document.h"

#include "tls/trust.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON ---- */

static json_t *read_object(struct sk_slice body, char why[DOCUMENT_WHY])
{
    json_error_t error;
    json_t *object = json_loadb(body.data ? body.data : "", body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        (void)snprintf(why, DOCUMENT_WHY, "not a JSON object: %s", object ? "it is something else" : error.text);
        json_decref(object);
        return NULL;
    }
    return object;
}

int document_keys(struct sk_slice body, char why[DOCUMENT_WHY])
{
    json_t *object = body.len <= SK_FETCH_KEYS_MAX ? read_object(body, why) : NULL;
    bool good = json_is_array(json_object_get(object, "keys"));
    if (body.len > SK_FETCH_KEYS_MAX) {
        (void)snprintf(why, DOCUMENT_WHY, "a key set has at most %u bytes", SK_FETCH_KEYS_MAX);
    } else if (object && !good) {
        (void)snprintf(why, DOCUMENT_WHY, "not a JWK Set: it has no array 'keys'");
    }
    json_decref(object);
    return good ? 0 : 1;
}

/* An https URL; a member that is missing is the empty text. */
static bool take_url(const json_t *object, const char *name, char out[SK_FETCH_URL_MAX + 1], char why[DOCUMENT_WHY])
{
    const json_t *member = json_object_get(object, name);
    size_t len = json_string_length(member);
    const char *text = json_string_value(member);
    out[0] = '\0';
    if (!member) {
        return true;
    }
    bool good = text && len <= SK_FETCH_URL_MAX && strncmp(text, "https://", 8) == 0;
    for (size_t i = 0; good && i < len; i++) {
        good = text[i] > 0x20 && text[i] < 0x7f && text[i] != '#' && text[i] != '"' && text[i] != '\\';
    }
    if (!good) {
        (void)snprintf(why, DOCUMENT_WHY, "'%s' is not an https URL", name);
        return false;
    }
    memcpy(out, text, len + 1);
    return true;
}

int document_provider(struct sk_slice body, struct sk_slice issuer, struct document_provider *out, char why[DOCUMENT_WHY])
{
    json_t *object = read_object(body, why);
    const json_t *member = json_object_get(object, "issuer");
    if (!object) {
        return 1;
    }
    struct sk_slice name = sk_slice(json_string_value(member), json_string_length(member));
    bool good = name.len > 0 && sk_slice_eq(name, issuer);
    if (!good) {
        (void)snprintf(why, DOCUMENT_WHY, "it is the metadata of another issuer: '%.*s'", (int)(name.len < 128 ? name.len : 128), name.data ? name.data : "");
    }
    good = good && take_url(object, "authorization_endpoint", out->authorization, why) && take_url(object, "token_endpoint", out->token, why) &&
           take_url(object, "jwks_uri", out->jwks, why) && take_url(object, "end_session_endpoint", out->end_session, why);
    out->iss = json_is_true(json_object_get(object, "authorization_response_iss_parameter_supported"));
    if (good && (!out->authorization[0] || !out->token[0] || !out->jwks[0])) {
        (void)snprintf(why, DOCUMENT_WHY, "authorization_endpoint, token_endpoint or jwks_uri is missing");
        good = false;
    }
    json_decref(object);
    return good ? 0 : 1;
}

/* ---- revocation lists ---- */

static X509_CRL *read_list(struct sk_slice body)
{
    const unsigned char *der = (const unsigned char *)body.data;
    if (body.len == 0 || body.len > SK_FETCH_LIST_MAX) {
        return NULL;
    }
    if (der[0] == 0x30) {
        return d2i_X509_CRL(NULL, &der, (long)body.len);
    }
    BIO *bio = BIO_new_mem_buf(body.data, (int)body.len);
    /* Without a password of its own OpenSSL would ask for one at the terminal when the server says that the list is encrypted. */
    X509_CRL *list = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    BIO_free(bio);
    return list;
}

/* Does it go on from the one that is known: by the same authority, and not older? */
static bool goes_on(const X509_CRL *list, struct sk_slice before)
{
    X509_CRL *known = read_list(before);
    int days = 0, seconds = 0;
    bool good = !known || (X509_NAME_cmp(X509_CRL_get_issuer(known), X509_CRL_get_issuer(list)) == 0 &&
                                  ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(known), X509_CRL_get0_lastUpdate(list)) == 1 && days >= 0 && seconds >= 0);
    X509_CRL_free(known);
    return good;
}

static int put_pem(X509_CRL *list, struct sk_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    long len = bio && PEM_write_bio_X509_CRL(bio, list) == 1 ? BIO_get_mem_data(bio, &bytes) : 0;
    int r = len > 0 ? sk_buf_put(out, sk_slice(bytes, (size_t)len)) : -ENOMEM;
    BIO_free(bio);
    return r;
}

int document_list(struct sk_slice body, struct sk_slice authorities, struct sk_slice before, struct sk_buf *out, char why[DOCUMENT_WHY])
{
    X509_CRL *list = read_list(body);
    if (!list) {
        (void)snprintf(why, DOCUMENT_WHY, "not a revocation list in DER or PEM");
        return 1;
    }
    bool good = goes_on(list, before);
    if (!good) {
        (void)snprintf(why, DOCUMENT_WHY, "it is older than the list that is known, or another authority's");
    }
    if (good && put_pem(list, out)) {
        (void)snprintf(why, DOCUMENT_WHY, "a revocation list has at most %u bytes", SK_FETCH_LIST_MAX);
        good = false;
    }
    X509_CRL_free(list);
    if (good) {
        struct sk_tls_trust *trust = sk_tls_trust_new(authorities, SK_SLICE_NULL, 0, why);
        good = trust && sk_tls_trust_takes(trust, sk_buf_peek(out), why);
        (void)sk_tls_trust_unref(trust);
    }
    return good ? 0 : 1;
}
