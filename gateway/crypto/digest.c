/* Hashing. Any process that links libcrypto. */
#include "crypto/digest.h"

#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <threads.h>

#define CHECK(holds)                                                                                         \
    do {                                                                                                     \
        if (!(holds)) {                                                                                      \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* Threads hash as well: each has a context of its own, until it ends. */
static const EVP_MD *sha256;
static tss_t contexts;

static void free_context(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void prepare(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    CHECK(sha256 && tss_create(&contexts, free_context) == thrd_success);
}

static EVP_MD_CTX *context(void)
{
    static once_flag once = ONCE_FLAG_INIT;
    static _Thread_local EVP_MD_CTX *ctx;
    if (!ctx) {
        call_once(&once, prepare);
        ctx = EVP_MD_CTX_new();
        CHECK(ctx && tss_set(contexts, ctx) == thrd_success);
    }
    return ctx;
}

void sk_digest_sha256(struct sk_slice bytes, uint8_t out[SK_SHA256_SIZE])
{
    sk_digest_sha256_parts(&bytes, 1, out);
}

void sk_digest_sha256_parts(const struct sk_slice *parts, size_t count, uint8_t out[SK_SHA256_SIZE])
{
    EVP_MD_CTX *ctx = context();
    CHECK(EVP_DigestInit_ex2(ctx, sha256, NULL) > 0);
    for (size_t i = 0; i < count; i++) {
        CHECK(EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) > 0);
    }
    CHECK(EVP_DigestFinal_ex(ctx, out, NULL) > 0);
}

/* HMAC by its definition (RFC 2104): keys here are at most a block, and two plain digests cost less than a MAC object. */
void sk_digest_hmac(struct sk_slice key, struct sk_slice bytes, uint8_t out[SK_SHA256_SIZE])
{
    uint8_t pad[64] = {0};
    uint8_t inner[SK_SHA256_SIZE];
    if (key.len > sizeof(pad)) {
        sk_digest_sha256(key, pad);
    } else if (key.len) {
        memcpy(pad, key.data, key.len);
    }
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36;
    }
    sk_digest_sha256_parts((const struct sk_slice[]){sk_slice(pad, sizeof(pad)), bytes}, 2, inner);
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    sk_digest_sha256_parts((const struct sk_slice[]){sk_slice(pad, sizeof(pad)), sk_slice(inner, sizeof(inner))}, 2, out);
    OPENSSL_cleanse(pad, sizeof(pad));
}

void sk_digest_derive(struct sk_slice key, const char *label, struct sk_slice context_bytes, uint8_t out[SK_SHA256_SIZE])
{
    uint8_t info[256];
    size_t label_len = strlen(label) + 1;
    CHECK(label_len + context_bytes.len + 1 <= sizeof(info));
    memcpy(info, label, label_len);
    if (context_bytes.len) {
        memcpy(info + label_len, context_bytes.data, context_bytes.len);
    }
    info[label_len + context_bytes.len] = 1;
    sk_digest_hmac(key, sk_slice(info, label_len + context_bytes.len + 1), out);
}

void sk_digest_websocket_accept(struct sk_slice key, char out[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t hash[20];
    EVP_MD_CTX *ctx = context();
    CHECK(EVP_DigestInit_ex2(ctx, EVP_sha1(), NULL) > 0);
    CHECK(EVP_DigestUpdate(ctx, key.data, key.len) > 0);
    CHECK(EVP_DigestUpdate(ctx, guid, sizeof(guid) - 1) > 0);
    CHECK(EVP_DigestFinal_ex(ctx, hash, NULL) > 0);
    (void)sk_base64_encode(sk_slice(hash, sizeof(hash)), out);
}

bool sk_digest_equal(struct sk_slice a, struct sk_slice b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}
