/* RSA keys made for one test, as PEM. Tests alone. */
#include "rsa.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static void put(BIO *bio, int written, char pem[RSA_PEM])
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    cr_assert(written == 1 && len > 0 && len < RSA_PEM);
    memcpy(pem, data, (size_t)len);
    pem[len] = '\0';
    BIO_free(bio);
}

static void put_public(EVP_PKEY *key, char pem[RSA_PEM])
{
    BIO *bio = BIO_new(BIO_s_mem());
    put(bio, PEM_write_bio_PUBKEY(bio, key), pem);
}

/* Takes the key. */
static void put_both(EVP_PKEY *key, struct rsa *rsa)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert_not_null(key);
    put_public(key, rsa->public);
    put(bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), rsa->private);
    EVP_PKEY_free(key);
}

void rsa_make(struct rsa *rsa, unsigned bits)
{
    put_both(EVP_RSA_gen(bits), rsa);
}

void rsa_make_curve(struct rsa *rsa)
{
    put_both(EVP_EC_gen("P-256"), rsa);
}

void rsa_make_pss(struct rsa *rsa)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    cr_assert(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    put_both(key, rsa);
}

/* The modulus is 2^bits - 1. */
void rsa_public(unsigned bits, char pem[RSA_PEM])
{
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_new();
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    cr_assert(n && BN_set_bit(n, (int)bits) == 1 && BN_sub_word(n, 1) == 1);
    cr_assert(build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 && OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, 65537) == 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    cr_assert(ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
    put_public(key, pem);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
}

void rsa_encrypt(const struct rsa *rsa, const char *passphrase, char pem[RSA_PEM])
{
    BIO *in = BIO_new_mem_buf(rsa->private, -1), *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    cr_assert_not_null(key);
    put(bio, PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), passphrase, (int)strlen(passphrase), NULL, NULL), pem);
    EVP_PKEY_free(key);
    BIO_free(in);
}
