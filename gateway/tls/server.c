/* TLS towards clients. Runs in the workers. */
#include "tls/identity.h"

#include "base/clock.h"
#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define CERTIFICATES_MAX 32768 /* bytes of a client's chain */
#define TICKET_EPOCH (UINT64_C(12) * 3600 * SK_SECOND)

struct sk_tls_server {
    SSL_CTX *ctx;
    uint8_t ticket_secret[32];
    int (*choose)(void *context, struct sk_slice host, struct sk_tls_choice *choice);
    void *context;
};

static struct sk_tls *of(SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* RFC 6066 section 3: a list with one host_name. */
static bool read_server_name(const uint8_t *ext, size_t len, struct sk_slice *name)
{
    if (len < 5 || (size_t)(ext[0] << 8 | ext[1]) != len - 2 || ext[2] != TLSEXT_NAMETYPE_host_name) {
        return false;
    }
    size_t name_len = (size_t)(ext[3] << 8 | ext[4]);
    *name = sk_slice(ext + 5, name_len);
    return name_len == len - 5 && name_len > 0 && name_len < 256;
}

/* The client is asked for a certificate, as the choice says. False without memory. */
static bool ask_certificate(struct sk_tls *tls)
{
    STACK_OF(X509_NAME) *names = sk_tls_trust_names(tls->choice.trust);
    if (!names || SSL_set1_verify_cert_store(tls->ssl, sk_tls_trust_store(tls->choice.trust)) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return false;
    }
    SSL_set0_CA_list(tls->ssl, names);
    SSL_set_verify(tls->ssl, SSL_VERIFY_PEER | (tls->choice.certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    /* A resumed session would bring a certificate that nobody looks at again: there is none. */
    SSL_set_options(tls->ssl, SSL_OP_NO_TICKET);
    return SSL_set_num_tickets(tls->ssl, 0) == 1;
}

static int verify_certificate(X509_STORE_CTX *ctx, void *context sk_unused)
{
    struct sk_tls *tls = of(X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx()));
    tls->error = sk_tls_trust_verify(tls->choice.trust, ctx, &tls->certificate_until);
    return tls->error == NULL;
}

static int hello(SSL *ssl, int *alert, void *context sk_unused)
{
    struct sk_tls *tls = of(ssl);
    const unsigned char *ext;
    size_t len;
    struct sk_slice name;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len) || !read_server_name(ext, len, &name)) {
        tls->error = "no-host";
        return SSL_CLIENT_HELLO_ERROR;
    }
    /* A second hello follows a retry request: it chose already, and must not choose another. */
    if (tls->choice.identity) {
        bool same = sk_slice_eq_nocase(name, sk_slice(tls->host, tls->host_len));
        tls->error = same ? NULL : "host-changed";
        return same ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
    }
    for (size_t i = 0; i < name.len; i++) {
        tls->host[i] = sk_ascii_lower(name.data[i]);
    }
    tls->host_len = name.len;
    if (tls->server->choose(tls->server->context, sk_slice(tls->host, tls->host_len), &tls->choice)) {
        tls->error = "unknown-host";
        return SSL_CLIENT_HELLO_ERROR;
    }
    /* What was agreed for one tenant is no agreement for another. */
    if (SSL_set_session_id_context(ssl, tls->choice.tenant, SK_ID_SIZE) != 1) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (tls->choice.trust && !ask_certificate(tls)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int give_certificate(SSL *ssl, void *context sk_unused)
{
    const struct sk_tls_identity *identity = of(ssl)->choice.identity;
    return identity && SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1) == 1;
}

static int choose_alpn(SSL *ssl sk_unused, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
        unsigned int in_len, void *context sk_unused)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct ticket_keys {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
};

static void derive_ticket_keys(const struct sk_tls *tls, uint64_t epoch, struct ticket_keys *keys)
{
    uint8_t context[SK_ID_SIZE + sizeof(epoch)], name[SK_SHA256_SIZE];
    struct sk_slice secret = sk_slice(tls->server->ticket_secret, sizeof(tls->server->ticket_secret));
    memcpy(context, tls->choice.tenant, SK_ID_SIZE);
    memcpy(context + SK_ID_SIZE, &epoch, sizeof(epoch));
    struct sk_slice bytes = sk_slice(context, sizeof(context));
    sk_digest_derive(secret, "ticket name", bytes, name);
    sk_digest_derive(secret, "ticket cipher", bytes, keys->cipher);
    sk_digest_derive(secret, "ticket mac", bytes, keys->mac);
    memcpy(keys->name, name, sizeof(keys->name));
}

static bool set_ticket_keys(const struct ticket_keys *keys, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)keys->mac, sizeof(keys->mac)),
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1 && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys->cipher, iv, enc) == 1;
}

/* Issues under this epoch's key of the tenant, accepts this one's and the last one's. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
    const struct sk_tls *tls = of(ssl);
    uint64_t epoch = sk_clock_wall() / TICKET_EPOCH;
    struct ticket_keys keys;
    int result = 0;
    derive_ticket_keys(tls, epoch, &keys);
    if (enc) {
        memcpy(name, keys.name, sizeof(keys.name));
        result = RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && set_ticket_keys(&keys, iv, cipher, mac, 1) ? 1 : -1;
    } else if (memcmp(name, keys.name, sizeof(keys.name)) == 0) {
        /* A ticket of TLS 1.3 is for one use: its use brings a new one. */
        result = !set_ticket_keys(&keys, iv, cipher, mac, 0) ? -1 : SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
    } else {
        derive_ticket_keys(tls, epoch - 1, &keys);
        if (memcmp(name, keys.name, sizeof(keys.name)) == 0) {
            result = set_ticket_keys(&keys, iv, cipher, mac, 0) ? 2 : -1;
        }
    }
    sk_wipe(&keys, sizeof(keys));
    return result;
}

bool sk_tls_harden(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(ctx, 1);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, SK_TLS_CIPHERS) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, SK_TLS_SUITES) == 1 && SSL_CTX_set1_groups_list(ctx, SK_TLS_GROUPS) == 1;
}

struct sk_tls_server *sk_tls_server_new(
        const uint8_t ticket_secret[32], int (*choose)(void *context, struct sk_slice host, struct sk_tls_choice *choice), void *context)
{
    struct sk_tls_server *server = calloc(1, sizeof(*server));
    if (!server) {
        return NULL;
    }
    memcpy(server->ticket_secret, ticket_secret, sizeof(server->ticket_secret));
    server->choose = choose;
    server->context = context;
    server->ctx = SSL_CTX_new(TLS_server_method());
    if (!server->ctx || !sk_tls_harden(server->ctx) || SSL_CTX_set_tlsext_ticket_key_evp_cb(server->ctx, ticket_key) != 1) {
        return sk_tls_server_free(server);
    }
    SSL_CTX_set_client_hello_cb(server->ctx, hello, NULL);
    SSL_CTX_set_cert_verify_callback(server->ctx, verify_certificate, NULL);
    SSL_CTX_set_cert_cb(server->ctx, give_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(server->ctx, choose_alpn, NULL);
    SSL_CTX_set_session_cache_mode(server->ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(server->ctx, 1);
    SSL_CTX_set_max_cert_list(server->ctx, CERTIFICATES_MAX);
    (void)SSL_CTX_set_max_early_data(server->ctx, 0);
    return server;
}

struct sk_tls_server *sk_tls_server_free(struct sk_tls_server *server)
{
    if (server) {
        SSL_CTX_free(server->ctx);
        sk_wipe(server, sizeof(*server));
        free(server);
    }
    return NULL;
}

struct sk_tls *sk_tls_accept(struct sk_tls_server *server, int fd)
{
    struct sk_tls *tls = calloc(1, sizeof(*tls));
    if (!tls) {
        return NULL;
    }
    tls->server = server;
    tls->ssl = SSL_new(server->ctx);
    if (!tls->ssl || !sk_tls_attach(tls, fd)) {
        return sk_tls_free(tls);
    }
    SSL_set_app_data(tls->ssl, tls);
    SSL_set_accept_state(tls->ssl);
    return tls;
}
