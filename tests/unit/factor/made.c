/* An authenticator made for one test. Tests alone. */
#include "made.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define RP SK_LIT("login.example")
#define ORIGIN "https://login.example:8443"

#define CHALLENGE SK_LIT("the bytes of a challenge")

static struct sk_slice finish(struct sk_buf *buf)
{
    return sk_buf_peek(buf);
}

static void put(struct sk_buf *buf, struct sk_slice bytes)
{
    cr_assert_eq(sk_buf_put(buf, bytes), 0);
}

static void put_byte(struct sk_buf *buf, unsigned byte)
{
    char c = (char)byte;
    put(buf, sk_slice(&c, 1));
}

static void put_number(struct sk_buf *buf, uint64_t value, size_t bytes)
{
    while (bytes-- > 0) {
        put_byte(buf, (unsigned)(value >> (8 * bytes)) & 0xff);
    }
}

static void put_head(struct sk_buf *buf, unsigned major, uint64_t value)
{
    size_t bytes = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
    put_byte(buf, major << 5 | (value < 24 ? (unsigned)value : bytes == 1 ? 24 : bytes == 2 ? 25 : 26));
    put_number(buf, value, bytes);
}

static void put_int(struct sk_buf *buf, int64_t value)
{
    put_head(buf, value < 0, value < 0 ? (uint64_t)(-1 - value) : (uint64_t)value);
}

static void put_text(struct sk_buf *buf, const char *text)
{
    put_head(buf, 3, strlen(text));
    put(buf, sk_slice_str(text));
}

static void put_bytes(struct sk_buf *buf, struct sk_slice bytes)
{
    put_head(buf, 2, bytes.len);
    put(buf, bytes);
}

static void put_sized(struct sk_buf *buf, struct sk_slice bytes)
{
    put_number(buf, bytes.len, 2);
    put(buf, bytes);
}

struct sk_slice made_join(struct sk_slice a, struct sk_slice b)
{
    struct sk_buf buf = SK_BUF_INIT(65536);
    put(&buf, a);
    put(&buf, b);
    return finish(&buf);
}

struct sk_slice made_copy(struct sk_slice bytes)
{
    return made_join(bytes, SK_SLICE_NULL);
}

static EVP_PKEY *make_key(int64_t algorithm, int bits)
{
    EVP_PKEY *key = algorithm == -35    ? EVP_EC_gen("P-384")
                    : algorithm == -257 ? EVP_RSA_gen((unsigned)(bits ? bits : 2048))
                    : algorithm == -8   ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                        : EVP_EC_gen("P-256");
    cr_assert_not_null(key);
    return key;
}

static const EVP_MD *digest_of(int64_t algorithm)
{
    return algorithm == -8 ? NULL : algorithm == -35 ? EVP_sha384() : EVP_sha256();
}

static struct sk_slice sign(EVP_PKEY *key, int64_t algorithm, struct sk_slice message)
{
    static unsigned char out[1024];
    size_t len = sizeof(out);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit(context, NULL, digest_of(algorithm), NULL, key), 1);
    cr_assert_eq(EVP_DigestSign(context, out, &len, (const unsigned char *)message.data, message.len), 1);
    EVP_MD_CTX_free(context);
    return made_copy(sk_slice(out, len));
}

/* ---- certificates */

static void extend(X509 *cert, X509_EXTENSION *extension)
{
    cr_assert(extension && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void put_name(X509_NAME *name, const char *part, const char *value, const char *usual)
{
    value = value ? value : usual;
    if (*value) {
        cr_assert_eq(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0), 1);
    }
}

static void put_tpm_parts(X509 *cert, const struct made_cert_spec *spec)
{
    /* OpenSSL drops what stands before the first dot. */
    static const char parts[] = "1.2.23.133.2.1=id:414D4400\n1.2.23.133.2.2=model\n1.2.23.133.2.3=id:00010000\n";
    char text[512];
    (void)snprintf(text, sizeof(text), "[tpm]\n%s", spec->tpm_name ? spec->tpm_name : parts);
    BIO *bio = BIO_new_mem_buf(text, -1);
    CONF *conf = NCONF_new(NULL);
    long line;
    X509V3_CTX context;
    cr_assert(NCONF_load_bio(conf, bio, &line) > 0);
    X509V3_set_ctx_nodb(&context);
    X509V3_set_nconf(&context, conf);
    extend(cert, X509V3_EXT_nconf_nid(conf, &context, NID_subject_alt_name, spec->name_not_critical ? "dirName:tpm" : "critical,dirName:tpm"));
    extend(cert, X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, spec->purpose ? spec->purpose : "2.23.133.8.3"));
    NCONF_free(conf);
    BIO_free(bio);
}

static void put_aaguid(X509 *cert, const struct made_cert_spec *spec)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    cr_assert_eq(ASN1_OCTET_STRING_set(value, (const unsigned char *)spec->aaguid.data, (int)spec->aaguid.len), 1);
    extend(cert, X509_EXTENSION_create_by_OBJ(NULL, oid, spec->aaguid_critical, value));
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

void made_cert(struct made_cert *out, const struct made_cert_spec *spec)
{
    static long serial = 1;
    X509_NAME *name = X509_NAME_new();
    out->key = make_key(spec->algorithm, spec->bits);
    out->cert = X509_new();
    if (!spec->tpm) {
        put_name(name, "C", spec->country, "JP");
        put_name(name, "O", spec->organization, "Maker");
        put_name(name, "OU", spec->unit, spec->authority == 1 ? "Authority" : "Authenticator Attestation");
        put_name(name, "CN", spec->common, spec->authority == 1 ? (spec->issuer ? "Between" : "Root") : "Model");
    }
    cr_assert(X509_set_version(out->cert, spec->version ? spec->version - 1 : 2) && ASN1_INTEGER_set(X509_get_serialNumber(out->cert), serial++));
    cr_assert(X509_set_subject_name(out->cert, name) && X509_set_pubkey(out->cert, out->key));
    cr_assert(X509_set_issuer_name(out->cert, spec->issuer ? X509_get_subject_name(spec->issuer->cert) : name));
    cr_assert(ASN1_TIME_set(X509_getm_notBefore(out->cert), (time_t)MADE_NOW - 1000));
    cr_assert(ASN1_TIME_set(X509_getm_notAfter(out->cert), (time_t)MADE_NOW + (spec->expired ? -500 : 1000)));
    if (spec->authority >= 0) {
        extend(out->cert, X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, spec->authority ? "critical,CA:TRUE" : "critical,CA:FALSE"));
    }
    if (spec->tpm) {
        put_tpm_parts(out->cert, spec);
    }
    for (int i = 0; i < (spec->aaguid.len == 0 ? 0 : spec->aaguid_twice ? 2 : 1); i++) {
        put_aaguid(out->cert, spec);
    }
    EVP_PKEY *signer = spec->issuer ? spec->issuer->key : out->key;
    cr_assert_gt(X509_sign(out->cert, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()), 0);
    X509_NAME_free(name);
}

struct sk_slice made_der(const struct made_cert *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert->cert, &der);
    cr_assert_gt(len, 0);
    return sk_slice(der, (size_t)len);
}

struct sk_slice made_pem(const struct made_cert *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    cr_assert_eq(PEM_write_bio_X509(bio, cert->cert), 1);
    long len = BIO_get_mem_data(bio, &data);
    return made_copy(sk_slice(data, (size_t)len));
}

/* ---- the authenticator */

void made_init(struct made *made)
{
    *made = (struct made){.algorithm = -7, .format = "none", .members = ",\"crossOrigin\":false", .statement_algorithm = -7, .flags = 0x41, .id_len = 32};
    memcpy(made->aaguid, "0123456789abcdef", 16);
}

static struct sk_slice number_of(const EVP_PKEY *key, const char *name, size_t pad)
{
    static unsigned char bytes[1024];
    BIGNUM *number = NULL;
    cr_assert_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int len = BN_bn2binpad(number, bytes, (int)(pad ? pad : (size_t)BN_num_bytes(number)));
    BN_free(number);
    cr_assert_gt(len, 0);
    return made_copy(sk_slice(bytes, (size_t)len));
}

struct sk_slice made_cbor_key(struct made *made)
{
    struct sk_buf buf = SK_BUF_INIT(2048);
    bool rsa = made->algorithm == -257, edwards = made->algorithm == -8;
    size_t size = made->algorithm == -35 ? 48 : 32;
    put_head(&buf, 5, rsa || edwards ? 4 : 5);
    put_int(&buf, 1);
    put_int(&buf, rsa ? 3 : edwards ? 1 : 2);
    put_int(&buf, 3);
    put_int(&buf, made->algorithm);
    put_int(&buf, -1);
    if (rsa) {
        put_bytes(&buf, number_of(made->key, OSSL_PKEY_PARAM_RSA_N, 0));
        put_int(&buf, -2);
        put_bytes(&buf, number_of(made->key, OSSL_PKEY_PARAM_RSA_E, 0));
        return finish(&buf);
    }
    put_int(&buf, edwards ? 6 : size == 48 ? 2 : 1);
    put_int(&buf, -2);
    if (edwards) {
        unsigned char raw[32];
        size_t len = sizeof(raw);
        cr_assert_eq(EVP_PKEY_get_raw_public_key(made->key, raw, &len), 1);
        put_bytes(&buf, sk_slice(raw, len));
        return finish(&buf);
    }
    put_bytes(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_X, size));
    put_int(&buf, -3);
    put_bytes(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_Y, size));
    return finish(&buf);
}

static struct sk_slice authenticator_data(struct made *made, bool registers)
{
    struct sk_buf buf = SK_BUF_INIT(65536);
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(RP, hash);
    put(&buf, sk_slice(hash, sizeof(hash)));
    put_byte(&buf, made->flags);
    put_number(&buf, made->counter, 4);
    if (registers) {
        put(&buf, sk_slice(made->aaguid, sizeof(made->aaguid)));
        put_number(&buf, made->id_len, 2);
        for (size_t i = 0; i < made->id_len; i++) {
            put_byte(&buf, (unsigned)i & 0xff);
        }
        put(&buf, made->key_cbor.len ? made->key_cbor : made_cbor_key(made));
    }
    put(&buf, made->extensions);
    put(&buf, made->trailing);
    return finish(&buf);
}

static struct sk_slice client_data(struct made *made, const char *type)
{
    char text[64];
    struct sk_buf buf = SK_BUF_INIT(4096);
    if (made->client_data.len) {
        return made->client_data;
    }
    (void)sk_base64url_encode(CHALLENGE, text);
    cr_assert_eq(sk_buf_printf(&buf, "{\"type\":\"webauthn.%s\",\"challenge\":\"%s\",\"origin\":\"" ORIGIN "\"%s}", type, text, made->members), 0);
    return finish(&buf);
}

static struct sk_slice hash_of(struct sk_slice bytes)
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(bytes, hash);
    return made_copy(sk_slice(hash, sizeof(hash)));
}

static struct sk_slice make_area(struct made *made)
{
    struct sk_buf buf = SK_BUF_INIT(2048);
    bool rsa = made->algorithm == -257;
    if (made->pub_area.len) {
        return made->pub_area;
    }
    put(&buf, rsa ? SK_LIT("\x00\x01\x00\x0b") : SK_LIT("\x00\x23\x00\x0b"));
    put_number(&buf, 0x00060472, 4);
    put_sized(&buf, SK_LIT("a policy of a length of its own"));
    if (rsa) {
        put(&buf, SK_LIT("\x00\x10\x00\x14\x00\x0b")); /* no symmetric one; RSASSA with SHA-256 */
        put_number(&buf, (uint64_t)EVP_PKEY_get_bits(made->key), 2);
        put_number(&buf, 0, 4);
        put_sized(&buf, number_of(made->key, OSSL_PKEY_PARAM_RSA_N, 0));
        return finish(&buf);
    }
    size_t size = made->algorithm == -35 ? 48 : 32;
    put(&buf, size == 48 ? SK_LIT("\x00\x10\x00\x10\x00\x04\x00\x10") : SK_LIT("\x00\x10\x00\x10\x00\x03\x00\x10"));
    put_sized(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_X, size));
    put_sized(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_Y, size));
    return finish(&buf);
}

static struct sk_slice make_info(struct made *made, struct sk_slice signed_hash, struct sk_slice area)
{
    struct sk_buf buf = SK_BUF_INIT(2048);
    if (made->cert_info.len) {
        return made->cert_info;
    }
    put(&buf, SK_LIT("\xff\x54\x43\x47\x80\x17"));
    put_sized(&buf, SK_LIT("a signer"));
    put_sized(&buf, signed_hash);
    put(&buf, SK_LIT("seventeen bytes..and eight"));
    buf.end--; /* twenty-five */
    put_sized(&buf, made_join(SK_LIT("\x00\x0b"), hash_of(area)));
    put_sized(&buf, SK_LIT("a qualified name"));
    return finish(&buf);
}

static void put_chain(struct sk_buf *buf, struct made *made)
{
    put_text(buf, "x5c");
    put_head(buf, 4, made->chain_count);
    for (size_t i = 0; i < made->chain_count; i++) {
        put_bytes(buf, made_join(made_der(made->chain[i]), made->chain_tail));
    }
}

/* What fido-u2f signs. */
static struct sk_slice u2f_message(struct made *made, struct sk_slice data, struct sk_slice client_hash)
{
    struct sk_buf buf = SK_BUF_INIT(4096);
    put_byte(&buf, 0);
    put(&buf, sk_slice_cut(data, 32));
    put(&buf, client_hash);
    put(&buf, sk_slice_cut(sk_slice_from(data, 55), made->id_len));
    put_byte(&buf, 4);
    put(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_X, 32));
    put(&buf, number_of(made->key, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    return finish(&buf);
}

static struct sk_slice make_statement(struct made *made, struct sk_slice data, struct sk_slice client_hash)
{
    struct sk_buf buf = SK_BUF_INIT(65536);
    struct sk_slice message = made_join(data, client_hash);
    EVP_PKEY *signer = made->chain_count ? made->chain[0]->key : made->key;
    bool tpm = strcmp(made->format, "tpm") == 0, u2f = strcmp(made->format, "fido-u2f") == 0, packed = strcmp(made->format, "packed") == 0;
    if (made->statement.len) {
        return made->statement;
    }
    if (!tpm && !u2f && !packed) {
        return SK_LIT("\xa0");
    }
    struct sk_slice area = tpm ? make_area(made) : SK_SLICE_NULL, info = tpm ? make_info(made, hash_of(message), area) : SK_SLICE_NULL;
    message = tpm ? info : u2f ? u2f_message(made, data, client_hash) : message;
    put_head(&buf, 5, tpm ? 6 : u2f ? 2 : made->chain_count ? 3 : 2);
    if (!u2f) {
        put_text(&buf, "alg");
        put_int(&buf, made->statement_algorithm);
    }
    put_text(&buf, "sig");
    put_bytes(&buf, sign(signer, made->statement_algorithm, message));
    if (tpm) {
        put_text(&buf, "ver");
        put_text(&buf, "2.0");
    }
    if (made->chain_count) {
        put_chain(&buf, made);
    }
    if (tpm) {
        put_text(&buf, "pubArea");
        put_bytes(&buf, area);
        put_text(&buf, "certInfo");
        put_bytes(&buf, info);
    }
    return finish(&buf);
}

struct sk_factor_register made_registration(struct made *made)
{
    struct sk_buf buf = SK_BUF_INIT(65536);
    made->key = made->key ? made->key : make_key(made->algorithm, made->bits);
    struct sk_slice data = authenticator_data(made, true), client = client_data(made, "create");
    put_head(&buf, 5, 3);
    put_text(&buf, "fmt");
    put_text(&buf, made->format);
    put_text(&buf, "attStmt");
    put(&buf, make_statement(made, data, hash_of(client)));
    put_text(&buf, "authData");
    put_bytes(&buf, data);
    return (struct sk_factor_register){.rp_id = RP,
            .origins = SK_LIT("https://other.example\n" ORIGIN),
            .challenge = CHALLENGE,
            .now = MADE_NOW,
            .client_data = client,
            .attestation = finish(&buf)};
}

struct sk_factor_assert made_assertion(struct made *made)
{
    made->flags &= (uint8_t)~0x40;
    struct sk_slice data = authenticator_data(made, false), client = client_data(made, "get");
    return (struct sk_factor_assert){.rp_id = RP,
            .origins = SK_LIT(ORIGIN "\nhttps://other.example"),
            .challenge = CHALLENGE,
            .key = made_cbor_key(made),
            .eligible = (made->flags & SK_FACTOR_BE) != 0,
            .client_data = client,
            .authenticator = data,
            .signature = sign(made->key, made->algorithm, made_join(data, hash_of(client)))};
}
