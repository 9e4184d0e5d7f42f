/* One TLS connection, either side. Runs in the workers. */
#include "tls/identity.h"
#include "tls/peer.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct sk_tls *sk_tls_free(struct sk_tls *tls)
{
    if (tls) {
        SSL_free(tls->ssl);
        (void)sk_tls_trust_unref(tls->choice.trust);
        free(tls);
    }
    return NULL;
}

/* OpenSSL's answer as ours. Its error queue is per thread, so it must be empty before each call that may fill it. */
static int result(struct sk_tls *tls, int n)
{
    if (n > 0) {
        return n;
    }
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        tls->wants_write = false;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        tls->wants_write = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    unsigned long code = ERR_peek_error();
    if (!tls->error && ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        tls->error = "certificate-required";
    } else if (!tls->error && code) {
        const char *reason = ERR_reason_error_string(code);
        (void)snprintf(tls->error_text, sizeof(tls->error_text), "%s", reason ? reason : "tls");
        tls->error = tls->error_text;
    }
    ERR_clear_error();
    return -ECONNRESET;
}

int sk_tls_handshake(struct sk_tls *tls)
{
    tls->emptied = false;
    int n = result(tls, SSL_do_handshake(tls->ssl));
    return n == 0 ? -ECONNRESET : n;
}

int sk_tls_read(struct sk_tls *tls, void *to, size_t size)
{
    tls->emptied = false;
    int n = result(tls, SSL_read(tls->ssl, to, size > INT_MAX ? INT_MAX : (int)size));
    tls->drained = n == -EAGAIN;
    return n;
}

int sk_tls_write(struct sk_tls *tls, struct sk_slice bytes, bool more)
{
    tls->more = more || bytes.len > SSL3_RT_MAX_PLAIN_LENGTH;
    int n = result(tls, SSL_write(tls->ssl, bytes.data, bytes.len > INT_MAX ? INT_MAX : (int)bytes.len));
    tls->more = false;
    return n;
}

void sk_tls_close(struct sk_tls *tls)
{
    if (SSL_is_init_finished(tls->ssl)) {
        tls->more = true;
        (void)SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
}

bool sk_tls_wants_write(const struct sk_tls *tls)
{
    return tls->wants_write;
}

bool sk_tls_pending(const struct sk_tls *tls)
{
    return !tls->drained && SSL_has_pending(tls->ssl) == 1;
}

void *sk_tls_owner(const struct sk_tls *tls)
{
    return tls->choice.owner;
}

bool sk_tls_is_h2(const struct sk_tls *tls)
{
    const unsigned char *name;
    unsigned int len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

struct sk_slice sk_tls_host(const struct sk_tls *tls)
{
    return sk_slice(tls->host, tls->host_len);
}

static void put_fingerprint(const struct sk_tls *tls, char *out, size_t size)
{
    uint8_t digest[32];
    char hex[sizeof(digest) * 2 + 1];
    sk_tls_certificate_fingerprint(tls, digest);
    sk_hex_encode(digest, sizeof(digest), hex);
    (void)snprintf(out, size, " certificate %s", hex);
}

struct sk_slice sk_tls_text(struct sk_tls *tls)
{
    if (tls->text[0] == '\0') {
        int len = snprintf(tls->text, sizeof(tls->text), "%s %s%s", SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl),
                SSL_session_reused(tls->ssl) ? " resumed" : "");
        if (tls->certificate_until) {
            put_fingerprint(tls, tls->text + len, sizeof(tls->text) - (size_t)len);
        }
    }
    return sk_slice_str(tls->text);
}

const char *sk_tls_error(const struct sk_tls *tls)
{
    return tls->error ? tls->error : "closed";
}
