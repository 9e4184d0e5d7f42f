/* Sealing at rest. Runs in store. */
#include "crypto/seal.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>

#define NONCE 12
#define TAG 16

static void cipher_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

int sk_seal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice plain, struct sk_buf *out)
{
    EVP_CIPHER_CTX *ctx SK_CLEANUP(cipher_free) = EVP_CIPHER_CTX_new();
    int len;
    if (plain.len > INT_MAX || place.len > INT_MAX) {
        return -EMSGSIZE;
    }
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, plain.len + SK_SEAL_OVERHEAD);
    if (!to || !ctx) {
        return -ENOMEM;
    }
    sk_random(to, NONCE);
    bool ok = EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, to, NULL) > 0 &&
              EVP_EncryptUpdate(ctx, NULL, &len, (const uint8_t *)place.data, (int)place.len) > 0 &&
              EVP_EncryptUpdate(ctx, to + NONCE, &len, (const uint8_t *)plain.data, (int)plain.len) > 0 &&
              EVP_EncryptFinal_ex(ctx, to + NONCE + plain.len, &len) > 0 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + NONCE + plain.len) > 0;
    if (!ok) {
        return -EIO;
    }
    sk_buf_commit(out, plain.len + SK_SEAL_OVERHEAD);
    return 0;
}

int sk_unseal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice sealed, struct sk_buf *out)
{
    EVP_CIPHER_CTX *ctx SK_CLEANUP(cipher_free) = EVP_CIPHER_CTX_new();
    int len;
    if (sealed.len < SK_SEAL_OVERHEAD || sealed.len > INT_MAX) {
        return 1;
    }
    size_t plain = sealed.len - SK_SEAL_OVERHEAD;
    const uint8_t *from = (const uint8_t *)sealed.data;
    uint8_t tag[TAG];
    memcpy(tag, from + NONCE + plain, TAG);
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, plain);
    if (!to || !ctx) {
        return -ENOMEM;
    }
    bool set = EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, from, NULL) > 0 &&
               EVP_DecryptUpdate(ctx, NULL, &len, (const uint8_t *)place.data, (int)place.len) > 0 &&
               EVP_DecryptUpdate(ctx, to, &len, from + NONCE, (int)plain) > 0 &&
               EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) > 0;
    if (!set) {
        return -EIO;
    }
    if (EVP_DecryptFinal_ex(ctx, to + plain, &len) <= 0) {
        sk_wipe(to, plain);
        return 1;
    }
    sk_buf_commit(out, plain);
    return 0;
}
