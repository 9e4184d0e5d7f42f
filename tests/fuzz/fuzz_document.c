/*
 * Any bytes of a server are no key set, no metadata and no revocation list, or one within bounds; what the helpers can use of keys is a key set;
 * nobody but the authority makes lists in its name, and one that was taken is put as it is, again and again, and by none that is older replaced.
 * The input is 'K', 'P', 'L' or 'S' and the bytes; 'S': a list that the authority signs, for else no change would get past the signature.
 */
#include "authority.h"
#include "factor/jwk.h"
#include "fetch/document.h"

#include <openssl/err.h>
#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Zeros at first, so that what ends it is seen; and read, so that what it holds is. */
static void require_why(const char why[DOCUMENT_WHY])
{
    require(why[0] && strnlen(why, DOCUMENT_WHY) < DOCUMENT_WHY);
}

static void check_keys(struct sk_slice body)
{
    char why[DOCUMENT_WHY] = "";
    struct sk_jwk_set *set;
    bool good = document_keys(body, why) == 0;
    if (sk_jwk_set_parse(body, &set) == 0) {
        (void)sk_jwk_set_free(set);
        require(good || body.len > SK_FETCH_KEYS_MAX);
    }
    if (!good) {
        require_why(why);
    }
}

static void check_url(const char url[SK_FETCH_URL_MAX + 1], bool may_lack)
{
    size_t len = strnlen(url, SK_FETCH_URL_MAX + 1);
    require(len <= SK_FETCH_URL_MAX && ((may_lack && len == 0) || strncmp(url, "https://", 8) == 0));
    for (size_t i = 0; i < len; i++) {
        require(url[i] > 0x20 && url[i] < 0x7f && !strchr("#\"\\", url[i]));
    }
}

static void check_provider(struct sk_slice body)
{
    char why[DOCUMENT_WHY] = "";
    struct document_provider provider = {.iss = false};
    if (document_provider(body, SK_LIT("https://i"), &provider, why)) {
        require_why(why);
        return;
    }
    check_url(provider.authorization, false);
    check_url(provider.token, false);
    check_url(provider.jwks, false);
    check_url(provider.end_session, true);
}

static const X509_CRL *list_of(struct sk_slice der)
{
    static X509_CRL *list; /* the last one */
    const unsigned char *p = (const unsigned char *)der.data;
    X509_CRL_free(list);
    list = d2i_X509_CRL(NULL, &p, (long)der.len);
    require(list != NULL);
    return list;
}

static void check_list(struct sk_slice body)
{
    const struct fuzz_authority *a = fuzz_authority();
    struct sk_buf once SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX), twice SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    struct sk_buf known SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX), other SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    char why[DOCUMENT_WHY] = "";
    fuzz_list(5, 0, 2025, true, &known);
    if (document_list(body, sk_buf_peek(&a->pem), SK_SLICE_NULL, &once, why)) {
        require_why(why);
        return;
    }
    struct sk_buf der SK_CLEANUP(sk_buf_free) = fuzz_der(sk_buf_peek(&once)), before SK_CLEANUP(sk_buf_free) = fuzz_der(sk_buf_peek(&known));
    X509_CRL *taken = X509_CRL_dup(list_of(sk_buf_peek(&der)));
    bool own = X509_NAME_cmp(X509_CRL_get_issuer(taken), X509_get_subject_name(a->root)) == 0;
    require(!own || X509_CRL_verify(taken, a->key) == 1);
    require(document_list(sk_buf_peek(&once), sk_buf_peek(&a->pem), sk_buf_peek(&once), &twice, why) == 0 && sk_slice_eq(sk_buf_peek(&once), sk_buf_peek(&twice)));
    int order = ASN1_TIME_compare(X509_CRL_get0_lastUpdate(taken), X509_CRL_get0_lastUpdate(list_of(sk_buf_peek(&before))));
    sk_buf_take(&twice, sk_buf_len(&twice));
    require((document_list(body, sk_buf_peek(&a->pem), sk_buf_peek(&known), &twice, why) == 0) == (own && (order == 0 || order == 1)));
    require((document_list(sk_buf_peek(&known), sk_buf_peek(&a->pem), sk_buf_peek(&once), &other, why) == 0) == (own && (order == 0 || order == -1)));
    X509_CRL_free(taken);
}

static void check_signed(struct sk_slice body)
{
    X509_CRL *list = fuzz_signed(body);
    unsigned char *der = NULL;
    int len = list ? i2d_X509_CRL(list, &der) : -1;
    if (len > 0) {
        check_list(sk_slice(der, (size_t)len));
    }
    OPENSSL_free(der);
    X509_CRL_free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice body = sk_slice_from(sk_slice(data, size), 1);
    (void)fuzz_authority();
    switch (size ? data[0] : 0) {
    case 'K':
        check_keys(body);
        break;
    case 'P':
        check_provider(body);
        break;
    case 'L':
        check_list(body);
        break;
    case 'S':
        check_signed(body);
        break;
    default:
        break;
    }
    ERR_clear_error();
    return 0;
}
