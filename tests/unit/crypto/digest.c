/* gateway/crypto/digest.c against the published vectors. */
#include "crypto/digest.h"

#include "base/text.h"
#include "sekisho/error.h"

#include <criterion/criterion.h>
#include <pthread.h>

static bool is_hex(const uint8_t out[SK_SHA256_SIZE], const char *want)
{
    char hex[2 * SK_SHA256_SIZE + 1];
    sk_hex_encode(out, SK_SHA256_SIZE, hex);
    return strcmp(hex, want) == 0;
}

static void *hash_often(void *wrong)
{
    const struct sk_slice text = SK_LIT("abc");
    for (size_t i = 0; i < 20000; i++) {
        uint8_t out[SK_SHA256_SIZE];
        sk_digest_sha256(text, out);
        *(size_t *)wrong += !is_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
    return NULL;
}

Test(crypto_digest, threads_that_hash_at_once_each_get_what_they_hashed)
{
    pthread_t threads[4];
    size_t wrong[SK_COUNT(threads)] = {0};
    for (size_t i = 0; i < SK_COUNT(threads); i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, hash_often, &wrong[i]), 0);
    }
    for (size_t i = 0; i < SK_COUNT(threads); i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_expect_eq(wrong[i], 0, "thread %zu: %zu", i, wrong[i]);
    }
}

/* FIPS 180-4, the examples of its publishers. */
static const struct {
    const char *text, *hash;
} sha256[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

Test(crypto_digest, sha256_is_that_of_fips_180)
{
    for (size_t i = 0; i < SK_COUNT(sha256); i++) {
        uint8_t out[SK_SHA256_SIZE];
        sk_digest_sha256(sk_slice_str(sha256[i].text), out);
        cr_expect(is_hex(out, sha256[i].hash), "%s", sha256[i].text);
    }
    uint8_t out[SK_SHA256_SIZE];
    sk_digest_sha256(SK_SLICE_NULL, out);
    cr_expect(is_hex(out, sha256[0].hash));
}

Test(crypto_digest, parts_hash_like_the_whole_wherever_they_are_cut)
{
    struct sk_slice whole = sk_slice_str(sha256[2].text);
    for (size_t a = 0; a <= whole.len; a++) {
        for (size_t b = a; b <= whole.len; b++) {
            struct sk_slice parts[] = {sk_slice_cut(whole, a), sk_slice(whole.data + a, b - a), sk_slice_from(whole, b)};
            uint8_t out[SK_SHA256_SIZE];
            sk_digest_sha256_parts(parts, SK_COUNT(parts), out);
            cr_assert(is_hex(out, sha256[2].hash));
        }
    }
}

Test(crypto_digest, a_part_may_be_where_the_hash_goes)
{
    uint8_t chained[SK_SHA256_SIZE], apart[SK_SHA256_SIZE], copy[SK_SHA256_SIZE];
    memset(chained, 7, sizeof(chained));
    memcpy(copy, chained, sizeof(copy));
    sk_digest_sha256(sk_slice(copy, sizeof(copy)), apart);
    sk_digest_sha256(sk_slice(chained, sizeof(chained)), chained);
    cr_assert_eq(memcmp(chained, apart, sizeof(apart)), 0);
}

static void fill(uint8_t *bytes, size_t len, uint8_t value)
{
    memset(bytes, value, len);
}

/* RFC 4231 section 4; case 5 is about truncation, which is not offered. */
Test(crypto_digest, hmac_is_that_of_rfc_4231)
{
    uint8_t key[131], data[50], out[SK_SHA256_SIZE];
    fill(key, 20, 0x0b);
    sk_digest_hmac(sk_slice(key, 20), SK_LIT("Hi There"), out);
    cr_expect(is_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    sk_digest_hmac(SK_LIT("Jefe"), SK_LIT("what do ya want for nothing?"), out);
    cr_expect(is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    fill(key, 20, 0xaa);
    fill(data, 50, 0xdd);
    sk_digest_hmac(sk_slice(key, 20), sk_slice(data, 50), out);
    cr_expect(is_hex(out, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
    for (uint8_t i = 0; i < 25; i++) {
        key[i] = (uint8_t)(i + 1);
    }
    fill(data, 50, 0xcd);
    sk_digest_hmac(sk_slice(key, 25), sk_slice(data, 50), out);
    cr_expect(is_hex(out, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"));
    fill(key, 131, 0xaa);
    sk_digest_hmac(sk_slice(key, 131), SK_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    cr_expect(is_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    sk_digest_hmac(sk_slice(key, 131),
            SK_LIT("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
                   "hashed before being used by the HMAC algorithm."),
            out);
    cr_expect(is_hex(out, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"));
}

Test(crypto_digest, an_empty_key_and_an_empty_message_have_their_mac)
{
    uint8_t out[SK_SHA256_SIZE];
    sk_digest_hmac(SK_SLICE_NULL, SK_SLICE_NULL, out);
    cr_assert(is_hex(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

/* RFC 5869, test case 1: the first block of its output is HMAC(PRK, info || 0x01). */
Test(crypto_digest, derivation_is_hkdf_expand_with_label_and_context_as_info)
{
    uint8_t prk[SK_SHA256_SIZE], out[SK_SHA256_SIZE], want[SK_SHA256_SIZE];
    cr_assert_eq(sk_hex_decode(SK_LIT("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"), prk, sizeof(prk)), 0);
    sk_digest_hmac(sk_slice(prk, sizeof(prk)), SK_LIT("\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\x01"), out);
    cr_expect(is_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    sk_digest_derive(sk_slice(prk, sizeof(prk)), "label", SK_LIT("context"), out);
    sk_digest_hmac(sk_slice(prk, sizeof(prk)), SK_LIT("label\0context\x01"), want);
    cr_expect_eq(memcmp(out, want, sizeof(out)), 0);
}

Test(crypto_digest, no_two_labels_and_contexts_share_a_key)
{
    static const struct {
        const char *label;
        struct sk_slice context;
    } uses[] = {{"a", {"bc", 2}}, {"ab", {"c", 1}}, {"abc", {"", 0}}, {"", {"abc", 3}}, {"a", {"b", 1}}, {"a", {"b\1", 2}}, {"a", {NULL, 0}}};
    uint8_t out[SK_COUNT(uses)][SK_SHA256_SIZE];
    for (size_t i = 0; i < SK_COUNT(uses); i++) {
        sk_digest_derive(SK_LIT("key"), uses[i].label, uses[i].context, out[i]);
        for (size_t j = 0; j < i; j++) {
            cr_expect_neq(memcmp(out[i], out[j], SK_SHA256_SIZE), 0, "%zu and %zu", i, j);
        }
    }
}

Test(crypto_digest, websocket_accept_is_that_of_rfc_6455)
{
    char out[29];
    sk_digest_websocket_accept(SK_LIT("dGhlIHNhbXBsZSBub25jZQ=="), out);
    cr_assert_str_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(SK_LIT("abc"), hash);
    cr_assert(is_hex(hash, sha256[1].hash), "one hashing context serves both");
}

Test(crypto_digest, equality_needs_the_same_length)
{
    cr_expect(sk_digest_equal(SK_LIT("ab"), SK_LIT("ab")));
    cr_expect_not(sk_digest_equal(SK_LIT("ab"), SK_LIT("ac")));
    cr_expect_not(sk_digest_equal(SK_LIT("ab"), SK_LIT("a")));
    cr_expect_not(sk_digest_equal(SK_LIT("ab"), SK_SLICE_NULL));
}
