/*
 * Any bytes of a server are no key set, no metadata and no revocation list, or one within bounds; any certificate has a name of each kind, or
 * none, and that is text. The input is 'K', 'P', 'L' or 'C' and the bytes.
 */
#include "base/text.h"
#include "fetch/document.h"
#include "tls/names.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

static void check_url(const char *url, bool may_lack)
{
    if (!(may_lack && !url[0]) && strncmp(url, "https://", 8) != 0) {
        abort();
    }
    for (; *url; url++) {
        if (*url <= 0x20 || *url >= 0x7f) {
            abort();
        }
    }
}

static void check_provider(struct sk_slice body, char why[DOCUMENT_WHY])
{
    struct document_provider provider = {.iss = false};
    if (document_provider(body, SK_LIT("https://i"), &provider, why) == 0) {
        check_url(provider.authorization, false);
        check_url(provider.token, false);
        check_url(provider.jwks, false);
        check_url(provider.end_session, true);
    } else if (!why[0]) {
        abort();
    }
}

static void check_names(struct sk_slice der)
{
    const unsigned char *p = (const unsigned char *)der.data;
    X509 *certificate = d2i_X509(NULL, &p, (long)der.len);
    for (int which = SK_TLS_EMAIL; certificate && which <= SK_TLS_SUBJECT; which++) {
        struct sk_buf name SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
        if (sk_tls_name_of(certificate, (enum sk_tls_name)which, &name) == 0) {
            struct sk_slice text = sk_buf_peek(&name);
            for (size_t len; text.len; text = sk_slice_from(text, len)) {
                len = sk_utf8_len(text);
                if (len == 0 || (uint8_t)text.data[0] < 0x20 || text.data[0] == 0x7f) {
                    abort();
                }
            }
        }
    }
    X509_free(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice body = sk_slice_from(sk_slice(data, size), 1);
    struct sk_buf pem SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    char why[DOCUMENT_WHY] = "";
    switch (size ? data[0] : 0) {
    case 'K':
        if (document_keys(body, why) && !why[0]) {
            abort();
        }
        break;
    case 'P':
        check_provider(body, why);
        break;
    case 'L':
        if (document_list(body, SK_SLICE_NULL, body, &pem, why) == 0) {
            abort(); /* nobody may sign it */
        }
        break;
    case 'C':
        check_names(body);
        break;
    default:
        break;
    }
    ERR_clear_error();
    return 0;
}
