/*
 * Any proof is refused, or says whose and when, within bounds. The input is 'T' and a proof, or 'S', a header, a NUL and claims, which are
 * signed here: else no change would get past the signature. The key is that of RFC 8037 A.1.
 */
#include "factor/proof.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define NOW UINT64_C(1700000000)

static const uint8_t secret[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
        0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};

/* The token's length. `out` holds twice what a header and claims of `size` bytes need. */
static size_t sign(struct sk_slice header, struct sk_slice claims, char *out)
{
    static EVP_PKEY *pkey;
    uint8_t signature[64];
    size_t len = sk_base64url_encode(header, out), signature_len = sizeof(signature);
    out[len++] = '.';
    len += sk_base64url_encode(claims, out + len);
    pkey = pkey ? pkey : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!pkey || !ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) <= 0 ||
            EVP_DigestSign(ctx, signature, &signature_len, (const uint8_t *)out, len) <= 0) {
        abort();
    }
    EVP_MD_CTX_free(ctx);
    out[len++] = '.';
    return len + sk_base64url_encode(sk_slice(signature, sizeof(signature)), out + len);
}

static void verify(struct sk_slice proof, struct sk_slice hash)
{
    const struct sk_factor_proof ask = {
            .proof = proof, .method = SK_LIT("GET"), .uri = SK_LIT("https://a.test/x"), .hash = hash, .now = NOW, .back = 60, .ahead = 10};
    struct sk_proof found;
    enum sk_proof_refusal refusal = sk_proof_verify(&ask, &found);
    bool good = strlen(found.thumbprint) == SK_FACTOR_THUMBPRINT && found.id[0] && found.issued >= NOW - 60 && found.issued <= NOW + 10;
    if (refusal == SK_PROOF_NONE ? !good : !sk_proof_reason(refusal)[0]) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rest = sk_slice_from(sk_slice(data, size), 1);
    if (size && data[0] == 'T') {
        verify(rest, SK_LIT("h"));
    } else if (size && data[0] == 'S') {
        struct sk_slice header = sk_slice_split(&rest, '\0');
        char *proof = malloc(2 * size + 256);
        if (!proof) {
            abort();
        }
        size_t len = sign(header, rest, proof);
        verify(sk_slice(proof, len), SK_LIT("h"));
        verify(sk_slice(proof, len), SK_SLICE_NULL);
        free(proof);
    }
    return 0;
}
