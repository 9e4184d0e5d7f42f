/* gateway/crypto/note.c: the note that implementations of C2SP's signed notes agree on, and whatever is not exactly one. */
#include "crypto/note.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the Go implementation's documentation. */
#define VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define SECRET "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
#define TEXT "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
#define SIGNATURE "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define NOTE TEXT "\n" SIGNATURE
#define OTHER "\xe2\x80\x94 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

static struct sk_note_key *peter(void)
{
    uint8_t bytes[33];
    size_t len;
    cr_assert_eq(sk_base64_decode(SK_LIT(SECRET), bytes, sizeof(bytes), &len), 0);
    cr_assert_eq(len, 33);
    struct sk_note_key *key = sk_note_key_new(bytes + 1);
    cr_assert_not_null(key);
    return key;
}

static int verify(const char *note)
{
    struct sk_slice text;
    return sk_note_verify(SK_LIT(VKEY), sk_slice_str(note), &text);
}

Test(crypto_note, is_as_others_make_it)
{
    struct sk_buf out = SK_BUF_INIT(4096);
    struct sk_note_key *key = peter();
    cr_assert_eq(sk_note_vkey(key, SK_LIT("PeterNeumann"), &out), 0);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), SK_LIT(VKEY)), "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
    sk_buf_take(&out, sk_buf_len(&out));
    cr_assert_eq(sk_note_sign(key, SK_LIT("PeterNeumann"), SK_LIT(TEXT), &out), 0);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), SK_LIT(NOTE)), "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
    sk_buf_free(&out);
    (void)sk_note_key_free(key);
}

Test(crypto_note, is_verified_by_its_key_alone_whoever_else_signed)
{
    struct sk_slice text;
    cr_assert_eq(sk_note_verify(SK_LIT(VKEY), SK_LIT(NOTE), &text), 0);
    cr_expect(sk_slice_eq(text, SK_LIT(TEXT)));
    cr_expect_eq(verify(TEXT "\n" OTHER SIGNATURE), 0);
    cr_expect_eq(verify(TEXT "\n" SIGNATURE OTHER), 0);
    cr_expect_eq(verify(TEXT "\n" OTHER), 1);
}

Test(crypto_note, any_other_byte_is_another_note)
{
    for (size_t i = 0; i < sizeof(NOTE) - 1; i++) {
        char note[] = NOTE;
        note[i] ^= 1;
        cr_expect_eq(verify(note), 1, "byte %zu", i);
    }
    for (size_t len = 0; len < sizeof(NOTE) - 1; len++) {
        char note[] = NOTE;
        note[len] = '\0';
        cr_expect_eq(verify(note), 1, "cut at %zu", len);
    }
    for (size_t i = 0; i < sizeof(VKEY) - 1; i++) {
        struct sk_slice text;
        char vkey[] = VKEY;
        vkey[i] ^= 1;
        cr_expect_eq(sk_note_verify(sk_slice_str(vkey), SK_LIT(NOTE), &text), 1, "byte %zu of the key", i);
    }
}

Test(crypto_note, what_could_be_read_in_two_ways_is_none)
{
    cr_expect_eq(verify(TEXT "\n" SIGNATURE SIGNATURE), 1, "twice");
    cr_expect_eq(verify(TEXT "\n\n" SIGNATURE), 1);
    cr_expect_eq(verify(TEXT "\n" SIGNATURE "\n"), 1);
    cr_expect_eq(verify(TEXT "\nno signature\n" SIGNATURE), 1);
    cr_expect_eq(verify("\n" SIGNATURE), 1);
    cr_expect_eq(verify(""), 1);
}

/* Such as are of kinds to come, which are longer. */
Test(crypto_note, what_others_signed_may_be_of_any_length)
{
    char note[5000];
    (void)snprintf(note, sizeof(note), "%s\n\xe2\x80\x94 other %0*d\n%s", TEXT, 3300, 0, SIGNATURE);
    cr_expect_eq(verify(note), 0);
}

Test(crypto_note, neither_a_text_nor_a_name_that_is_none_is_signed)
{
    static const char *const texts[] = {"", "a", "\n", "a\n\nb\n", "a\n\n", "a\r\n", "\xff\n", "a\tb\n"}, *const names[] = {"", "a b", "a+b", "a\nb", "\xff"};
    struct sk_buf out = SK_BUF_INIT(4096);
    struct sk_note_key *key = peter();
    for (size_t i = 0; i < SK_COUNT(texts); i++) {
        cr_expect_eq(sk_note_sign(key, SK_LIT("PeterNeumann"), sk_slice_str(texts[i]), &out), 1, "%zu", i);
    }
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        cr_expect_eq(sk_note_sign(key, sk_slice_str(names[i]), SK_LIT(TEXT), &out), 1, "%zu", i);
        cr_expect_eq(sk_note_vkey(key, sk_slice_str(names[i]), &out), 1, "%zu", i);
    }
    sk_buf_free(&out);
    (void)sk_note_key_free(key);
}

static int vkey_as(const char *vkey, const char *name, const char *expected)
{
    struct sk_buf out = SK_BUF_INIT(4096);
    int r = sk_note_vkey_as(sk_slice_str(vkey), sk_slice_str(name), &out);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), sk_slice_str(expected)), "%.*s", (int)sk_buf_len(&out), sk_buf_peek(&out).data);
    sk_buf_free(&out);
    return r;
}

Test(crypto_note, a_key_has_another_id_under_another_name)
{
    cr_expect_eq(vkey_as(VKEY, "PeterNeumann", VKEY), 0);
    struct sk_buf own = SK_BUF_INIT(4096);
    uint8_t bytes[33];
    size_t len;
    cr_assert_eq(sk_base64_decode(SK_LIT(SECRET), bytes, sizeof(bytes), &len), 0);
    struct sk_note_key *key = sk_note_key_new(bytes + 1);
    cr_assert_eq(sk_note_vkey(key, SK_LIT("other"), &own) || sk_buf_put(&own, sk_slice("", 1)), 0);
    cr_expect_eq(vkey_as(VKEY, "other", sk_buf_peek(&own).data), 0);
    (void)sk_note_key_free(key);
    sk_buf_free(&own);
    cr_expect_eq(vkey_as(VKEY, "a name", ""), 1);
    cr_expect_eq(vkey_as(VKEY, "", ""), 1);
    cr_expect_eq(vkey_as("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "x", ""), 1);
}

Test(crypto_note, its_text_is_read_whoever_signed)
{
    cr_expect(sk_slice_eq(sk_note_text(SK_LIT(TEXT "\n" OTHER)), SK_LIT(TEXT)));
    cr_expect(sk_slice_eq(sk_note_text(SK_LIT("a\n\n")), SK_LIT("a\n")));
    static const char *const none[] = {"", "\n", "\n\n", "\n\n\n", "a", "a\n", "a\n\nb\n\n", "a\n\n\nb\n"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        cr_expect_eq(sk_note_text(sk_slice_str(none[i])).len, 0, "%zu", i);
    }
}

#define COSIGNED "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

/* The note with one more line. */
static void put_cosigned(struct sk_buf *out, const char *vkey_of, uint64_t time)
{
    struct sk_note_key *key = peter();
    cr_assert_eq(sk_buf_put(out, SK_LIT(COSIGNED "\n")), 0);
    cr_assert_eq(sk_note_cosign(key, sk_slice_str(vkey_of), SK_LIT(COSIGNED), time, out), 0);
    (void)sk_note_key_free(key);
}

Test(crypto_note, a_cosignature_says_when_and_is_verified_by_its_cosigner_alone)
{
    struct sk_buf vkey = SK_BUF_INIT(4096), other = SK_BUF_INIT(4096), note = SK_BUF_INIT(8192);
    struct sk_note_key *key = peter();
    struct sk_slice text;
    uint64_t time = 0;
    cr_assert_eq(sk_note_cosigner(key, SK_LIT("witness.example/w1"), &vkey), 0);
    cr_assert_eq(sk_note_cosigner(key, SK_LIT("witness.example/w2"), &other), 0);
    put_cosigned(&note, "witness.example/w1", 1679315147);
    cr_assert_eq(sk_note_verify_cosigned(sk_buf_peek(&vkey), sk_buf_peek(&note), &text, &time), 0);
    cr_expect(sk_slice_eq(text, SK_LIT(COSIGNED)) && time == 1679315147);
    cr_expect_eq(sk_note_verify_cosigned(sk_buf_peek(&other), sk_buf_peek(&note), &text, &time), 1, "another name");
    cr_expect_eq(sk_note_verify_cosigned(SK_LIT(VKEY), sk_buf_peek(&note), &text, &time), 1, "a signer's key");
    cr_expect_eq(sk_note_verify(sk_buf_peek(&vkey), sk_buf_peek(&note), &text), 1, "a cosigner signs no note");
    char *bytes = note.data + note.start;
    for (size_t i = 0; i < sk_buf_len(&note); i++) {
        bytes[i] ^= 1;
        cr_expect_eq(sk_note_verify_cosigned(sk_buf_peek(&vkey), sk_buf_peek(&note), &text, &time), 1, "byte %zu", i);
        bytes[i] ^= 1;
    }
    (void)sk_note_key_free(key);
    sk_buf_free(&vkey);
    sk_buf_free(&other);
    sk_buf_free(&note);
}

/* The example of C2SP's tlog-cosignature: a log's signature and a witness's, of keys that it does not tell; both are lines of a note. */
Test(crypto_note, signatures_of_others_beside_it_do_not_matter)
{
    struct sk_buf vkey = SK_BUF_INIT(4096), note = SK_BUF_INIT(8192);
    struct sk_note_key *key = peter();
    struct sk_slice text;
    uint64_t time = 0;
    cr_assert_eq(sk_note_cosigner(key, SK_LIT("witness.example/w1"), &vkey), 0);
    put_cosigned(&note, "witness.example/w1", 5);
    cr_assert_eq(sk_buf_put(&note, SK_LIT("\xe2\x80\x94 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n")), 0);
    cr_assert_eq(sk_note_verify_cosigned(sk_buf_peek(&vkey), sk_buf_peek(&note), &text, &time), 0);
    cr_expect_eq(time, 5);
    (void)sk_note_key_free(key);
    sk_buf_free(&vkey);
    sk_buf_free(&note);
}
