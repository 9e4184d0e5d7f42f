/* gateway/crypto/seal.c: a sealed value opens with its key at its place, unchanged, or not at all. */
#include "crypto/seal.h"

#include "base/text.h"

#include <criterion/criterion.h>

static const uint8_t key[SK_SEAL_KEY] = {1, 2, 3};
static const uint8_t other[SK_SEAL_KEY] = {1, 2, 4};
#define PLACE SK_LIT("tenant 1, table users, column mail")

static struct sk_slice sealed(struct sk_buf *buf, struct sk_slice plain)
{
    *buf = SK_BUF_INIT(1 << 20);
    cr_assert_eq(sk_seal(key, PLACE, plain, buf), 0);
    cr_assert_eq(sk_buf_len(buf), plain.len + SK_SEAL_OVERHEAD);
    return sk_buf_peek(buf);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;
    cr_assert_eq(sk_hex_decode(sk_slice_str(hex), out, len), 0);
    return len;
}

/* The 256-bit cases 13, 14 and 16 of the GCM specification (McGrew, Viega), as nonce || ciphertext || tag. */
static const struct {
    const char *key, *place, *sealed, *plain;
} vectors[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "",
                "000000000000000000000000"
                "530f8afbc74536b9a963b4f1c4cb738b",
                ""},
        {"0000000000000000000000000000000000000000000000000000000000000000", "",
                "000000000000000000000000"
                "cea7403d4d606b6e074ec5d3baf39d18"
                "d0d1c8a799996bf0265b98b5d48ab919",
                "00000000000000000000000000000000"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "cafebabefacedbaddecaf888"
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                "76fc6ece0f4e1768cddf8853bb2d551b",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"},
};

Test(crypto_seal, the_vectors_of_the_gcm_specification_open)
{
    for (size_t i = 0; i < SK_COUNT(vectors); i++) {
        uint8_t k[SK_SEAL_KEY], place[32], box[128], plain[64];
        struct sk_buf out = SK_BUF_INIT(1000);
        (void)from_hex(vectors[i].key, k);
        struct sk_slice at = sk_slice(place, from_hex(vectors[i].place, place));
        struct sk_slice want = sk_slice(plain, from_hex(vectors[i].plain, plain));
        cr_expect_eq(sk_unseal(k, at, sk_slice(box, from_hex(vectors[i].sealed, box)), &out), 0, "%zu", i);
        cr_expect(sk_slice_eq(sk_buf_peek(&out), want), "%zu", i);
        sk_buf_free(&out);
    }
}

Test(crypto_seal, every_length_makes_the_round_trip)
{
    uint8_t plain[70];
    for (size_t len = 0; len <= sizeof(plain); len++) {
        struct sk_buf box, out = SK_BUF_INIT(100);
        memset(plain, (int)len, sizeof(plain));
        struct sk_slice s = sealed(&box, sk_slice(plain, len));
        cr_assert_eq(sk_unseal(key, PLACE, s, &out), 0);
        cr_assert(sk_slice_eq(sk_buf_peek(&out), sk_slice(plain, len)));
        sk_buf_free(&box);
        sk_buf_free(&out);
    }
}

Test(crypto_seal, the_plain_form_goes_behind_what_the_buffer_holds)
{
    struct sk_buf box, out = SK_BUF_INIT(100);
    struct sk_slice s = sealed(&box, SK_LIT("secret"));
    cr_assert_eq(sk_buf_put(&out, SK_LIT("before ")), 0);
    cr_assert_eq(sk_unseal(key, PLACE, s, &out), 0);
    cr_assert(sk_slice_eq(sk_buf_peek(&out), SK_LIT("before secret")));
    sk_buf_free(&box);
    sk_buf_free(&out);
}

Test(crypto_seal, no_byte_may_be_changed)
{
    struct sk_buf box, out = SK_BUF_INIT(100);
    struct sk_slice s = sealed(&box, SK_LIT("a secret"));
    for (size_t i = 0; i < s.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            box.data[box.start + i] ^= (char)(1 << bit);
            cr_assert_eq(sk_unseal(key, PLACE, s, &out), 1, "byte %zu", i);
            box.data[box.start + i] ^= (char)(1 << bit);
        }
    }
    cr_assert_eq(sk_buf_len(&out), 0);
    cr_assert_eq(sk_unseal(key, PLACE, s, &out), 0);
    sk_buf_free(&box);
    sk_buf_free(&out);
}

Test(crypto_seal, what_is_refused_leaves_no_plain_byte)
{
    struct sk_buf box, out = SK_BUF_INIT(100);
    struct sk_slice s = sealed(&box, SK_LIT("a secret"));
    char *room = sk_buf_reserve(&out, 50);
    cr_assert_not_null(room);
    memset(room, 0, 50);
    box.data[box.start + s.len - 1] ^= 1;
    cr_assert_eq(sk_unseal(key, PLACE, s, &out), 1);
    for (size_t i = 0; i < 50; i++) {
        cr_assert_eq(out.data[i], 0);
    }
    sk_buf_free(&box);
    sk_buf_free(&out);
}

Test(crypto_seal, a_shorter_or_longer_value_is_refused)
{
    struct sk_buf box, out = SK_BUF_INIT(100);
    struct sk_slice s = sealed(&box, SK_LIT("a secret"));
    for (size_t len = 0; len < s.len; len++) {
        cr_assert_eq(sk_unseal(key, PLACE, sk_slice_cut(s, len), &out), 1, "%zu", len);
        cr_assert_eq(sk_unseal(key, PLACE, sk_slice(s.data + len + 1, s.len - len - 1), &out), 1, "%zu", len);
    }
    cr_assert_eq(sk_unseal(key, PLACE, SK_SLICE_NULL, &out), 1);
    cr_assert_eq(sk_buf_put(&box, SK_LIT("x")), 0);
    cr_assert_eq(sk_unseal(key, PLACE, sk_buf_peek(&box), &out), 1);
    sk_buf_free(&box);
    sk_buf_free(&out);
}

Test(crypto_seal, another_key_or_place_does_not_open_it)
{
    struct sk_buf box, out = SK_BUF_INIT(100);
    struct sk_slice s = sealed(&box, SK_LIT("a secret"));
    cr_expect_eq(sk_unseal(other, PLACE, s, &out), 1);
    cr_expect_eq(sk_unseal(key, SK_LIT("tenant 2, table users, column mail"), s, &out), 1);
    cr_expect_eq(sk_unseal(key, SK_SLICE_NULL, s, &out), 1);
    cr_expect_eq(sk_buf_len(&out), 0);
    sk_buf_free(&box);
    sk_buf_free(&out);
}

Test(crypto_seal, the_same_value_never_looks_the_same)
{
    struct sk_buf a, b;
    struct sk_slice first = sealed(&a, SK_LIT("x")), second = sealed(&b, SK_LIT("x"));
    cr_assert_neq(memcmp(first.data, second.data, 12), 0);
    sk_buf_free(&a);
    sk_buf_free(&b);
}

Test(crypto_seal, a_value_that_fits_its_buffer_exactly_opens)
{
    struct sk_buf box, out = SK_BUF_INIT(8), small = SK_BUF_INIT(7);
    struct sk_slice s = sealed(&box, SK_LIT("a secret"));
    cr_expect_eq(sk_unseal(key, PLACE, s, &out), 0);
    cr_expect_lt(sk_unseal(key, PLACE, s, &small), 0);
    cr_expect_lt(sk_seal(key, PLACE, SK_LIT("a secret"), &small), 0);
    sk_buf_free(&box);
    sk_buf_free(&out);
    sk_buf_free(&small);
}

/* FIPS 197, appendix C.3. */
Test(crypto_seal, a_block_is_aes_256s)
{
    uint8_t own[SK_SEAL_KEY], in[SK_BLOCK], out[SK_BLOCK];
    static const uint8_t expected[SK_BLOCK] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
    for (uint8_t i = 0; i < sizeof(own); i++) {
        own[i] = i;
    }
    for (uint8_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 0x11);
    }
    struct sk_block *block = sk_block_new(own);
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(sk_block_of(block, in, out), 0);
        cr_expect_arr_eq(out, expected, sizeof(expected));
    }
    (void)sk_block_free(block);
}

Test(crypto_seal, a_sealer_opens_what_it_sealed_with_that_nonce_for_that_place)
{
    const uint8_t own[SK_SEAL_KEY] = {1}, nonce[SK_SEAL_NONCE] = {2}, wrong[SK_SEAL_NONCE] = {3};
    uint8_t sealed[5 + SK_SEAL_TAG], opened[5];
    struct sk_sealer *sealer = sk_sealer_new(own);
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(sk_sealer_seal(sealer, nonce, SK_LIT("place"), SK_LIT("plain"), sealed), 0);
        cr_expect_eq(sk_sealer_open(sealer, wrong, SK_LIT("place"), sk_slice(sealed, sizeof(sealed)), opened), 1);
        cr_expect_eq(sk_sealer_open(sealer, nonce, SK_LIT("palce"), sk_slice(sealed, sizeof(sealed)), opened), 1);
        cr_expect_eq(sk_sealer_open(sealer, nonce, SK_LIT("place"), sk_slice(sealed, SK_SEAL_TAG - 1), opened), 1);
        cr_assert_eq(sk_sealer_open(sealer, nonce, SK_LIT("place"), sk_slice(sealed, sizeof(sealed)), opened), 0);
        cr_expect_arr_eq(opened, "plain", 5);
    }
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        cr_expect_eq(sk_sealer_open(sealer, nonce, SK_LIT("place"), sk_slice(sealed, sizeof(sealed)), opened), 1, "byte %zu", i);
        sealed[i] ^= 1;
    }
    (void)sk_sealer_free(sealer);
}
