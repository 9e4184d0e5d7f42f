/* Wrapping for an RSA key. Runs in audit, and in the tools that read a journal. */
#include "crypto/wrap.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

struct sk_wrap_key {
    EVP_PKEY *pkey;
};

typedef EVP_PKEY *(*read_pem)(BIO *bio, EVP_PKEY **out, pem_password_cb *ask, void *context);

/* Who has a public key has no passphrase. */
static int ask_nobody(char *to sk_unused, int size sk_unused, int writes sk_unused, void *context sk_unused)
{
    return -1;
}

static struct sk_wrap_key *load(struct sk_slice pem, read_pem read, pem_password_cb *ask)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    EVP_PKEY *pkey = bio ? read(bio, NULL, ask, NULL) : NULL;
    bool fit = pkey && EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) == SK_WRAP_BITS;
    struct sk_wrap_key *key = fit ? malloc(sizeof(*key)) : NULL;
    BIO_free(bio);
    if (!key) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    key->pkey = pkey;
    return key;
}

struct sk_wrap_key *sk_wrap_public(struct sk_slice pem)
{
    return load(pem, PEM_read_bio_PUBKEY, ask_nobody);
}

struct sk_wrap_key *sk_wrap_private(struct sk_slice pem)
{
    return load(pem, PEM_read_bio_PrivateKey, NULL);
}

struct sk_wrap_key *sk_wrap_free(struct sk_wrap_key *key)
{
    if (key) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
    return NULL;
}

static bool set_oaep(EVP_PKEY_CTX *ctx, const char *label)
{
    char *own = OPENSSL_strdup(label);
    bool ok = own && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 && EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
    if (ok && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, own, (int)strlen(label)) > 0) {
        return true; /* the label is its own now */
    }
    OPENSSL_free(own);
    return false;
}

int sk_wrap(const struct sk_wrap_key *key, const char *label, struct sk_slice secret, struct sk_buf *out)
{
    size_t len = SK_WRAP_SIZE;
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, SK_WRAP_SIZE);
    EVP_PKEY_CTX *ctx = to ? EVP_PKEY_CTX_new(key->pkey, NULL) : NULL;
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) > 0 && set_oaep(ctx, label) && EVP_PKEY_encrypt(ctx, to, &len, (const uint8_t *)secret.data, secret.len) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (ok) {
        sk_buf_commit(out, len);
    }
    return ok ? 0 : to ? -EIO : -ENOMEM;
}

int sk_unwrap(const struct sk_wrap_key *key, const char *label, struct sk_slice wrapped, struct sk_buf *out)
{
    size_t len = SK_WRAP_SIZE;
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, SK_WRAP_SIZE);
    EVP_PKEY_CTX *ctx = to ? EVP_PKEY_CTX_new(key->pkey, NULL) : NULL;
    bool ready = ctx && EVP_PKEY_decrypt_init(ctx) > 0 && set_oaep(ctx, label);
    bool ok = ready && EVP_PKEY_decrypt(ctx, to, &len, (const uint8_t *)wrapped.data, wrapped.len) > 0;
    EVP_PKEY_CTX_free(ctx);
    if (ok) {
        sk_buf_commit(out, len);
    }
    return ok ? 0 : ready ? 1 : -ENOMEM;
}
