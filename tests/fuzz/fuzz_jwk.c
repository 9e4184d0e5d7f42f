/* Any text is refused as a key set, or gives keys within their bounds, no id twice, of which none takes nonsense for its signature. */
#include "factor/jwk.h"

#include <openssl/evp.h>
#include <stdlib.h>

static void check(const struct sk_jwk_set *set, size_t i)
{
    static const uint8_t nonsense[512] = {[0 ... 511] = 0xff};
    static const size_t sizes[] = {[SK_JWK_RS256] = 0, [SK_JWK_PS256] = 0, [SK_JWK_ES256] = 64, [SK_JWK_ES384] = 96, [SK_JWK_EDDSA] = 64};
    const struct sk_jwk *key = &set->keys[i];
    int bits = EVP_PKEY_get_bits(key->pkey);
    bool rsa = key->algorithm == SK_JWK_RS256 || key->algorithm == SK_JWK_PS256;
    if (key->algorithm < SK_JWK_RS256 || key->algorithm > SK_JWK_EDDSA || (rsa && (bits < 2048 || bits > 4096))) {
        abort();
    }
    for (size_t other = 0; key->id.data && other < i; other++) {
        if (set->keys[other].id.data && sk_slice_eq(set->keys[other].id, key->id)) {
            abort();
        }
    }
    size_t len = rsa ? (size_t)(bits + 7) / 8 : sizes[key->algorithm];
    if (i < 4 && sk_jwk_verify(key, SK_LIT("a.b"), sk_slice(nonsense, len)) == 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_jwk_set *set, *again;
    if (sk_jwk_set_parse(sk_slice(data, size), &set)) {
        return 0;
    }
    if (sk_jwk_set_parse(sk_slice(data, size), &again) || set->count != again->count || set->count > SK_JWK_KEYS_MAX) {
        abort();
    }
    for (size_t i = 0; i < set->count; i++) {
        check(set, i);
    }
    (void)sk_jwk_set_free(set);
    (void)sk_jwk_set_free(again);
    return 0;
}
