/* gateway/crypto/wrap.c: what is wrapped comes back with the one private key, for the one use, whole, or not at all. */
#include "crypto/wrap.h"

#include "rsa.h"

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LABEL "a use"
#define SECRET SK_LIT("a secret of thirty-two bytes, so")
#define WRAPPED ((size_t)384)      /* bytes, with 3072 bits */
#define MOST (WRAPPED - 2 * 32 - 2) /* of a secret: RFC 8017 section 7.1.1 */

static struct rsa pem;
static struct sk_wrap_key *public, *private;
static struct sk_buf wrapped, out;

static void setup(void)
{
    wrapped = out = SK_BUF_INIT(2 * SK_WRAP_SIZE);
    rsa_make(&pem, 3072);
    public = sk_wrap_public(sk_slice_str(pem.public));
    private = sk_wrap_private(sk_slice_str(pem.private));
    cr_assert(public && private);
}

static void teardown(void)
{
    public = sk_wrap_free(public);
    private = sk_wrap_free(private);
    sk_buf_free(&wrapped);
    sk_buf_free(&out);
}

TestSuite(crypto_wrap, .init = setup, .fini = teardown, .timeout = 60);

static struct sk_slice wrap(struct sk_slice secret)
{
    sk_buf_take(&wrapped, sk_buf_len(&wrapped));
    cr_assert_eq(sk_wrap(public, LABEL, secret, &wrapped), 0);
    return sk_buf_peek(&wrapped);
}

Test(crypto_wrap, a_secret_of_any_length_that_fits_comes_back)
{
    static char secret[MOST + 1];
    for (size_t len = 1; len <= MOST; len += len < MOST - 20 ? 20 : 1) {
        memset(secret, (int)len, len);
        struct sk_slice s = wrap(sk_slice(secret, len));
        cr_assert_eq(s.len, WRAPPED);
        cr_assert_eq(sk_unwrap(private, LABEL, s, &out), 0, "%zu bytes", len);
        cr_assert(sk_slice_eq(sk_buf_peek(&out), sk_slice(secret, len)), "%zu bytes", len);
        sk_buf_take(&out, len);
    }
    cr_expect_lt(sk_wrap(public, LABEL, sk_slice(secret, MOST + 1), &out), 0);
    cr_expect_eq(sk_buf_len(&out), 0);
}

Test(crypto_wrap, what_is_wrapped_shows_nothing_and_is_another_each_time)
{
    char first[WRAPPED];
    struct sk_slice s = wrap(SECRET);
    cr_expect_null(memmem(s.data, s.len, "secret", 6));
    memcpy(first, s.data, sizeof(first));
    s = wrap(SECRET);
    cr_expect_arr_neq(first, s.data, sizeof(first));
}

Test(crypto_wrap, it_goes_behind_what_the_buffer_holds)
{
    cr_assert_eq(sk_buf_put(&out, SK_LIT("before ")), 0);
    cr_assert_eq(sk_unwrap(private, LABEL, wrap(SECRET), &out), 0);
    cr_expect(sk_slice_eq(sk_buf_peek(&out), SK_LIT("before a secret of thirty-two bytes, so")));
    cr_assert_eq(sk_wrap(public, LABEL, SECRET, &out), 0);
    cr_expect_eq(sk_buf_len(&out), 7 + SECRET.len + WRAPPED);
    cr_expect(sk_slice_starts(sk_buf_peek(&out), SK_LIT("before a secret of thirty-two bytes, so")));
}

Test(crypto_wrap, it_is_for_the_use_that_the_label_names_alone)
{
    static const char *const others[] = {"another use", "a us", "a use ", "A use", ""};
    struct sk_slice s = wrap(SECRET);
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        cr_expect_eq(sk_unwrap(private, others[i], s, &out), 1, "'%s'", others[i]);
    }
    cr_expect_eq(sk_buf_len(&out), 0);
    cr_expect_eq(sk_unwrap(private, LABEL, s, &out), 0);
}

Test(crypto_wrap, no_other_key_opens_it_nor_the_public_one)
{
    struct rsa other;
    struct sk_slice s = wrap(SECRET);
    rsa_make(&other, 3072);
    struct sk_wrap_key *key = sk_wrap_private(sk_slice_str(other.private));
    cr_assert_not_null(key);
    cr_expect_eq(sk_unwrap(key, LABEL, s, &out), 1);
    cr_expect_eq(sk_unwrap(public, LABEL, s, &out), 1);
    cr_expect_eq(sk_buf_len(&out), 0);
    (void)sk_wrap_free(key);
}

Test(crypto_wrap, no_byte_may_be_changed_missing_or_too_many)
{
    char bytes[WRAPPED + 1] = "";
    struct sk_slice s = wrap(SECRET);
    memcpy(bytes, s.data, s.len);
    for (size_t i = 0; i < WRAPPED; i++) {
        bytes[i] ^= (char)(1 << i % 8);
        cr_assert_eq(sk_unwrap(private, LABEL, sk_slice(bytes, WRAPPED), &out), 1, "byte %zu", i);
        bytes[i] ^= (char)(1 << i % 8);
        cr_assert_eq(sk_unwrap(private, LABEL, sk_slice(bytes, i), &out), 1, "cut at %zu", i);
    }
    cr_expect_eq(sk_unwrap(private, LABEL, sk_slice(bytes, WRAPPED + 1), &out), 1);
    cr_expect_eq(sk_unwrap(private, LABEL, SK_SLICE_NULL, &out), 1);
    cr_expect_eq(sk_buf_len(&out), 0);
    cr_expect_eq(sk_unwrap(private, LABEL, sk_slice(bytes, WRAPPED), &out), 0);
}

/* ---- what is a key ---- */

static bool is_public(const char *text)
{
    struct sk_wrap_key *key = sk_wrap_public(sk_slice_str(text));
    bool is = key != NULL;
    (void)sk_wrap_free(key);
    return is;
}

static bool is_private(const char *text)
{
    struct sk_wrap_key *key = sk_wrap_private(sk_slice_str(text));
    bool is = key != NULL;
    (void)sk_wrap_free(key);
    return is;
}

/* Without keys: these tests make their own. */
TestSuite(crypto_wrap_key, .timeout = 60);

Test(crypto_wrap_key, has_3072_bits)
{
    static char text[RSA_PEM];
    static const struct {
        unsigned bits;
        bool is;
    } sizes[] = {{1024, false}, {2048, false}, {3071, false}, {3072, true}, {3073, false}, {4096, false}, {8192, false}, {8193, false}, {16384, false}};
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        rsa_public(sizes[i].bits, text);
        cr_expect_eq(is_public(text), sizes[i].is, "%u bits", sizes[i].bits);
    }
    rsa_make(&pem, 2048);
    cr_expect_not(is_public(pem.public));
    cr_expect_not(is_private(pem.private));
}

Test(crypto_wrap_key, it_wraps_just_as_many_bytes_as_it_has)
{
    static char text[RSA_PEM];
    struct sk_buf exact SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_WRAP_SIZE), short_of_one SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_WRAP_SIZE - 1);
    rsa_public(3072, text);
    struct sk_wrap_key *key = sk_wrap_public(sk_slice_str(text));
    cr_assert_not_null(key);
    cr_expect_eq(sk_wrap(key, LABEL, SECRET, &exact), 0);
    cr_expect_eq(sk_buf_len(&exact), SK_WRAP_SIZE);
    cr_expect_lt(sk_wrap(key, LABEL, SECRET, &short_of_one), 0);
    cr_expect_eq(sk_buf_len(&short_of_one), 0);
    (void)sk_wrap_free(key);
}

Test(crypto_wrap_key, is_the_half_that_it_is_taken_for)
{
    rsa_make(&pem, 3072);
    cr_expect(is_public(pem.public));
    cr_expect(is_private(pem.private));
    cr_expect_not(is_public(pem.private));
    cr_expect_not(is_private(pem.public));
}

Test(crypto_wrap_key, is_of_rsa_and_not_for_signatures)
{
    rsa_make_curve(&pem);
    cr_expect_not(is_public(pem.public));
    cr_expect_not(is_private(pem.private));
    rsa_make_pss(&pem);
    cr_expect_not(is_public(pem.public));
    cr_expect_not(is_private(pem.private));
}

Test(crypto_wrap_key, is_whole_and_nothing_else_is_one)
{
    static const char *const none[] = {"", "\n", "a key", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n"};
    static char text[RSA_PEM];
    for (size_t i = 0; i < SK_COUNT(none); i++) {
        cr_expect_not(is_public(none[i]), "%zu", i);
        cr_expect_not(is_private(none[i]), "%zu", i);
    }
    cr_expect_null(sk_wrap_public(SK_SLICE_NULL));
    cr_expect_null(sk_wrap_private(SK_SLICE_NULL));
    cr_expect_null(sk_wrap_free(NULL));
    rsa_public(3072, text);
    cr_assert(is_public(text));
    for (size_t len = strlen(text) - 2; len > 0; len--) { /* the last line feed may be missing */
        text[len] = '\0';
        cr_assert_not(is_public(text), "cut at %zu", len);
    }
}

/* What comes of a file for somebody who types this; without a terminal of its own OpenSSL reads standard input. */
enum { KEY = 1, ASKED = 2 };
static int typed(const char *text, struct sk_wrap_key *(*load)(struct sk_slice), const char *answer)
{
    int status, in = memfd_create("in", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    cr_assert(in >= 0 && err >= 0 && write(in, answer, strlen(answer)) == (ssize_t)strlen(answer) && lseek(in, 0, SEEK_SET) == 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        bool ready = setsid() > 0 && dup2(in, STDIN_FILENO) == STDIN_FILENO && dup2(err, STDERR_FILENO) == STDERR_FILENO;
        struct sk_wrap_key *key = ready ? load(sk_slice_str(text)) : NULL;
        int said = (key ? KEY : 0) | (lseek(in, 0, SEEK_CUR) || lseek(err, 0, SEEK_CUR) ? ASKED : 0);
        (void)sk_wrap_free(key);
        _exit(ready ? said : 99);
    }
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    (void)close(in);
    (void)close(err);
    return WEXITSTATUS(status);
}

Test(crypto_wrap_key, that_is_encrypted_is_opened_with_its_passphrase_alone)
{
    static char text[RSA_PEM];
    rsa_make(&pem, 3072);
    rsa_encrypt(&pem, "correct horse", text);
    cr_expect_eq(typed(text, sk_wrap_private, "correct horse\n"), KEY | ASKED);
    cr_expect_eq(typed(text, sk_wrap_private, "correct hors\n"), ASKED);
    cr_expect_eq(typed(pem.private, sk_wrap_private, "correct horse\n"), KEY, "what is not encrypted asks nobody");
}

/* Who has a public key has no passphrase: a gateway's start would wait for one. */
Test(crypto_wrap_key, that_is_to_be_public_asks_nobody)
{
    static char text[RSA_PEM];
    rsa_make(&pem, 3072);
    rsa_encrypt(&pem, "correct horse", text);
    cr_expect_eq(typed(text, sk_wrap_public, "correct horse\n"), 0);
}
