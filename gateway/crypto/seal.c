/* Sealing at rest. Runs in store and audit, and in the tools that read a journal. */
#include "crypto/seal.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* OpenSSL keeps the key's schedule apart for each direction. */
struct sk_sealer {
    EVP_CIPHER_CTX *seal, *open;
};

struct sk_sealer *sk_sealer_free(struct sk_sealer *sealer)
{
    if (sealer) {
        EVP_CIPHER_CTX_free(sealer->seal);
        EVP_CIPHER_CTX_free(sealer->open);
        free(sealer);
    }
    return NULL;
}

struct sk_sealer *sk_sealer_new(const uint8_t key[SK_SEAL_KEY])
{
    struct sk_sealer *sealer = calloc(1, sizeof(*sealer));
    if (!sealer) {
        return NULL;
    }
    sealer->seal = EVP_CIPHER_CTX_new();
    sealer->open = EVP_CIPHER_CTX_new();
    bool ok = sealer->seal && sealer->open && EVP_EncryptInit_ex2(sealer->seal, EVP_aes_256_gcm(), key, NULL, NULL) > 0 &&
              EVP_DecryptInit_ex2(sealer->open, EVP_aes_256_gcm(), key, NULL, NULL) > 0;
    return ok ? sealer : sk_sealer_free(sealer);
}

int sk_sealer_seal(struct sk_sealer *sealer, const uint8_t nonce[SK_SEAL_NONCE], struct sk_slice place, struct sk_slice plain, uint8_t *out)
{
    int len;
    if (plain.len > INT_MAX || place.len > INT_MAX) {
        return -EMSGSIZE;
    }
    bool ok = EVP_EncryptInit_ex2(sealer->seal, NULL, NULL, nonce, NULL) > 0 &&
              EVP_EncryptUpdate(sealer->seal, NULL, &len, (const uint8_t *)place.data, (int)place.len) > 0 &&
              EVP_EncryptUpdate(sealer->seal, out, &len, (const uint8_t *)plain.data, (int)plain.len) > 0 &&
              EVP_EncryptFinal_ex(sealer->seal, out + plain.len, &len) > 0 &&
              EVP_CIPHER_CTX_ctrl(sealer->seal, EVP_CTRL_AEAD_GET_TAG, SK_SEAL_TAG, out + plain.len) > 0;
    return ok ? 0 : -EIO;
}

int sk_sealer_open(struct sk_sealer *sealer, const uint8_t nonce[SK_SEAL_NONCE], struct sk_slice place, struct sk_slice sealed, uint8_t *out)
{
    int len;
    uint8_t tag[SK_SEAL_TAG];
    if (sealed.len < SK_SEAL_TAG || sealed.len > INT_MAX || place.len > INT_MAX) {
        return 1;
    }
    size_t plain = sealed.len - SK_SEAL_TAG;
    const uint8_t *from = (const uint8_t *)sealed.data;
    memcpy(tag, from + plain, SK_SEAL_TAG);
    bool set = EVP_DecryptInit_ex2(sealer->open, NULL, NULL, nonce, NULL) > 0 &&
               EVP_DecryptUpdate(sealer->open, NULL, &len, (const uint8_t *)place.data, (int)place.len) > 0 &&
               EVP_DecryptUpdate(sealer->open, out, &len, from, (int)plain) > 0 &&
               EVP_CIPHER_CTX_ctrl(sealer->open, EVP_CTRL_AEAD_SET_TAG, SK_SEAL_TAG, tag) > 0;
    if (!set) {
        return -EIO;
    }
    if (EVP_DecryptFinal_ex(sealer->open, out + plain, &len) <= 0) {
        sk_wipe(out, plain);
        return 1;
    }
    return 0;
}

/* ---- blocks ---- */

struct sk_block {
    EVP_CIPHER_CTX *ctx;
};

struct sk_block *sk_block_free(struct sk_block *block)
{
    if (block) {
        EVP_CIPHER_CTX_free(block->ctx);
        free(block);
    }
    return NULL;
}

struct sk_block *sk_block_new(const uint8_t key[SK_SEAL_KEY])
{
    struct sk_block *block = calloc(1, sizeof(*block));
    if (!block) {
        return NULL;
    }
    block->ctx = EVP_CIPHER_CTX_new();
    bool ok = block->ctx && EVP_EncryptInit_ex2(block->ctx, EVP_aes_256_ecb(), key, NULL, NULL) > 0 && EVP_CIPHER_CTX_set_padding(block->ctx, 0) > 0;
    return ok ? block : sk_block_free(block);
}

int sk_block_of(struct sk_block *block, const uint8_t in[SK_BLOCK], uint8_t out[SK_BLOCK])
{
    int len = 0;
    return EVP_EncryptUpdate(block->ctx, out, &len, in, SK_BLOCK) > 0 && len == SK_BLOCK ? 0 : -EIO;
}

/* ---- with nonces of chance ---- */

int sk_seal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice plain, struct sk_buf *out)
{
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, plain.len + SK_SEAL_OVERHEAD);
    struct sk_sealer *sealer = to ? sk_sealer_new(key) : NULL;
    if (!sealer) {
        return -ENOMEM;
    }
    sk_random(to, SK_SEAL_NONCE);
    int r = sk_sealer_seal(sealer, to, place, plain, to + SK_SEAL_NONCE);
    (void)sk_sealer_free(sealer);
    if (r == 0) {
        sk_buf_commit(out, plain.len + SK_SEAL_OVERHEAD);
    }
    return r;
}

int sk_unseal(const uint8_t key[SK_SEAL_KEY], struct sk_slice place, struct sk_slice sealed, struct sk_buf *out)
{
    if (sealed.len < SK_SEAL_OVERHEAD || sealed.len > INT_MAX) {
        return 1;
    }
    uint8_t *to = (uint8_t *)sk_buf_reserve(out, sealed.len - SK_SEAL_OVERHEAD);
    struct sk_sealer *sealer = to ? sk_sealer_new(key) : NULL;
    if (!sealer) {
        return -ENOMEM;
    }
    int r = sk_sealer_open(sealer, (const uint8_t *)sealed.data, place, sk_slice_from(sealed, SK_SEAL_NONCE), to);
    (void)sk_sealer_free(sealer);
    if (r == 0) {
        sk_buf_commit(out, sealed.len - SK_SEAL_OVERHEAD);
    }
    return r;
}
