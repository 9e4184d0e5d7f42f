/* Client certificates: whose are taken, and the verification of a chain, by libcrypto alone. Runs in the workers; the supervisor checks a
 * configuration with it. */
#include "tls/identity.h"
#include "tls/lists.h"

#include "base/clock.h"
#include "base/table.h"
#include "crypto/digest.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REMEMBERED_MAX 1024
#define REMEMBER_SECONDS 3600U
#define DEPTH_MAX 6

/* A chain that was right. */
struct remembered {
    struct sk_table_node node;
    struct remembered *next; /* by age */
    uint8_t chain[SK_SHA256_SIZE];
    uint64_t until; /* Unix seconds */
};

struct sk_tls_trust {
    unsigned refs;
    uint8_t id[SK_SHA256_SIZE]; /* of all that it was made of */
    X509_STORE *store;
    STACK_OF(X509_NAME) * names;
    STACK_OF(X509) * authorities;
    struct sk_tls_lists *lists;
    bool stale; /* lists that are past their time count */
    struct sk_table chains;
    struct remembered *oldest, **last;
};

/* ---- made ---- */

uint64_t sk_tls_seconds(const ASN1_TIME *time)
{
    struct tm tm;
    time_t at = time && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
    return at > 0 ? (uint64_t)at : 0;
}

const char *sk_tls_name_text(const X509_NAME *name, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int len = bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) > 0 ? BIO_read(bio, text, (int)size - 1) : 0;
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
    return text;
}

bool sk_tls_pem_ended(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static bool refuse(X509 *certificate, const char *before, const char *after, char why[SK_TLS_WHY])
{
    char name[SK_TLS_WHY / 2];
    (void)snprintf(why, SK_TLS_WHY, "ca_file: %s%s%s", before, sk_tls_name_text(X509_get_subject_name(certificate), name, sizeof(name)), after);
    return false;
}

static bool add_authority(struct sk_tls_trust *trust, X509 *certificate, char why[SK_TLS_WHY])
{
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));
    if (X509_check_ca(certificate) != 1) {
        X509_NAME_free(name);
        return refuse(certificate, "", " is no authority (basicConstraints CA:TRUE)", why);
    }
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        X509_NAME_free(name);
        return refuse(certificate, "", " has expired", why);
    }
    if (!name || sk_X509_NAME_push(trust->names, name) <= 0) {
        X509_NAME_free(name);
        return refuse(certificate, "no memory for ", "", why);
    }
    return (X509_STORE_add_cert(trust->store, certificate) == 1 && X509_add_cert(trust->authorities, certificate, X509_ADD_FLAG_UP_REF) == 1) ||
           refuse(certificate, "", " cannot be used", why);
}

/* Chains end at roots: without one below which an authority is, nobody of it gets in. */
static bool has_issuer(const struct sk_tls_trust *trust, X509 *certificate, char why[SK_TLS_WHY])
{
    bool found = X509_self_signed(certificate, 0) == 1;
    for (int i = 0; i < sk_X509_num(trust->authorities) && !found; i++) {
        X509 *other = sk_X509_value(trust->authorities, i);
        found = other != certificate && X509_check_issued(other, certificate) == X509_V_OK;
    }
    return found || refuse(certificate, "nothing vouches for ", ": its root is needed too", why);
}

static bool read_authorities(struct sk_tls_trust *trust, struct sk_slice pem, char why[SK_TLS_WHY])
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate;
    bool good = bio != NULL;
    (void)snprintf(why, SK_TLS_WHY, "ca_file: no certificate in PEM");
    ERR_clear_error();
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, SK_TLS_NO_PASSWORD)) != NULL) {
        good = add_authority(trust, certificate, why);
        X509_free(certificate);
    }
    BIO_free(bio);
    if (good && !sk_tls_pem_ended()) {
        (void)snprintf(why, SK_TLS_WHY, "ca_file: a certificate in it cannot be read");
        return false;
    }
    for (int i = 0; i < sk_X509_num(trust->authorities) && good; i++) {
        good = has_issuer(trust, sk_X509_value(trust->authorities, i), why);
    }
    return good && sk_X509_num(trust->authorities) > 0;
}

static bool set_rules(struct sk_tls_trust *trust, bool lists)
{
    X509_VERIFY_PARAM *rules = X509_STORE_get0_param(trust->store);
    unsigned long flags = X509_V_FLAG_TRUSTED_FIRST | (lists ? X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL : 0);
    X509_VERIFY_PARAM_set_depth(rules, DEPTH_MAX);
    return X509_VERIFY_PARAM_set_flags(rules, flags) == 1 && X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT) == 1;
}

static bool read_lists(struct sk_tls_trust *trust, struct sk_slice pem, char why[SK_TLS_WHY])
{
    trust->lists = pem.len ? sk_tls_lists_new(pem, trust->store, trust->authorities, why) : NULL;
    return !pem.len || trust->lists;
}

struct sk_tls_trust *sk_tls_trust_new(struct sk_slice authorities, struct sk_slice crls, unsigned rules, char why[SK_TLS_WHY])
{
    const uint8_t byte = (uint8_t)rules;
    struct sk_tls_trust *trust = calloc(1, sizeof(*trust));
    const struct sk_slice parts[] = {authorities, SK_LIT("\n"), crls, sk_slice(&byte, 1)};
    (void)snprintf(why, SK_TLS_WHY, "no memory");
    if (!trust || authorities.len > INT_MAX) {
        free(trust);
        return NULL;
    }
    sk_digest_sha256_parts(parts, SK_COUNT(parts), trust->id);
    trust->refs = 1;
    trust->stale = (rules & SK_TLS_STALE) != 0;
    trust->last = &trust->oldest;
    trust->store = X509_STORE_new();
    trust->names = sk_X509_NAME_new_null();
    trust->authorities = sk_X509_new_null();
    bool good = trust->store && trust->names && trust->authorities && set_rules(trust, (rules & SK_TLS_LISTS) != 0) && read_authorities(trust, authorities, why) &&
                read_lists(trust, crls, why);
    ERR_clear_error();
    return good ? trust : sk_tls_trust_unref(trust);
}

struct sk_tls_trust *sk_tls_trust_ref(struct sk_tls_trust *trust)
{
    if (trust) {
        trust->refs++;
    }
    return trust;
}

struct sk_tls_trust *sk_tls_trust_unref(struct sk_tls_trust *trust)
{
    if (!trust || --trust->refs > 0) {
        return NULL;
    }
    while (trust->oldest) {
        struct remembered *old = trust->oldest;
        trust->oldest = old->next;
        sk_table_remove(&trust->chains, &old->node);
        free(old);
    }
    sk_table_free(&trust->chains);
    (void)sk_tls_lists_free(trust->lists);
    X509_STORE_free(trust->store);
    sk_X509_pop_free(trust->authorities, X509_free);
    sk_X509_NAME_pop_free(trust->names, X509_NAME_free);
    free(trust);
    return NULL;
}

bool sk_tls_trust_takes(const struct sk_tls_trust *trust, struct sk_slice crls, char why[SK_TLS_WHY])
{
    struct sk_tls_lists *lists = sk_tls_lists_read(crls, trust->authorities, why);
    bool takes = lists != NULL;
    (void)sk_tls_lists_free(lists);
    ERR_clear_error();
    return takes;
}

bool sk_tls_trust_same(const struct sk_tls_trust *a, const struct sk_tls_trust *b)
{
    return a == b || (a && b && memcmp(a->id, b->id, sizeof(a->id)) == 0);
}

X509_STORE *sk_tls_trust_store(const struct sk_tls_trust *trust)
{
    return trust->store;
}

STACK_OF(X509_NAME) *sk_tls_trust_names(const struct sk_tls_trust *trust)
{
    return sk_X509_NAME_deep_copy(trust->names, X509_NAME_dup, X509_NAME_free);
}

/* ---- verified ---- */

static const char *fault(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "certificate-expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "certificate-not-yet-valid";
    case X509_V_ERR_CERT_REVOKED:
        return "certificate-revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "revocation-list-missing";
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return "revocation-list-stale";
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        return "revocation-list-invalid";
    case X509_V_ERR_INVALID_PURPOSE:
        return "certificate-wrong-purpose";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return "certificate-too-weak";
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
        return "certificate-name-constraints";
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return "certificate-path";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "certificate-bad-signature";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "certificate-untrusted";
    default:
        return "certificate-invalid";
    }
}

static bool key_good(X509 *certificate)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    char curve[32];
    size_t len;
    if (key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), &len) == 1) {
        for (size_t i = 0; i < SK_COUNT(curves); i++) {
            if (strcmp(curve, curves[i]) == 0) {
                return true;
            }
        }
        return false;
    }
    return key && (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS") || EVP_PKEY_is_a(key, "ED25519"));
}

/* What X509_verify_cert does not ask for: it takes for an authority what only may sign certificates, and for a client what is for anything. */
static int chain_error(const STACK_OF(X509) *chain)
{
    X509 *leaf = sk_X509_value(chain, 0);
    uint32_t use = X509_get_extended_key_usage(leaf);
    if ((X509_get_extension_flags(leaf) & EXFLAG_CA) || use == UINT32_MAX || !(use & XKU_SSL_CLIENT)) {
        return X509_V_ERR_INVALID_PURPOSE;
    }
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (i > 0 && X509_check_ca(sk_X509_value(chain, i)) != 1) {
            return X509_V_ERR_INVALID_CA;
        }
        if (!key_good(sk_X509_value(chain, i))) {
            return X509_V_ERR_EE_KEY_TOO_SMALL;
        }
    }
    return X509_V_OK;
}

static bool chain_digest(const X509_STORE_CTX *ctx, uint8_t out[SK_SHA256_SIZE])
{
    STACK_OF(X509) *more = X509_STORE_CTX_get0_untrusted(ctx);
    uint8_t digests[(DEPTH_MAX + 1) * SK_SHA256_SIZE];
    unsigned len = SK_SHA256_SIZE;
    size_t at = 0;
    int i = sk_X509_num(more) > 0 && sk_X509_value(more, 0) == X509_STORE_CTX_get0_cert(ctx); /* the handshake has it there, too */
    if (sk_X509_num(more) - i > DEPTH_MAX || X509_digest(X509_STORE_CTX_get0_cert(ctx), EVP_sha256(), digests, &len) != 1) {
        return false;
    }
    for (; i < sk_X509_num(more); i++) {
        at += SK_SHA256_SIZE;
        if (X509_digest(sk_X509_value(more, i), EVP_sha256(), digests + at, &len) != 1) {
            return false;
        }
    }
    sk_digest_sha256(sk_slice(digests, at + SK_SHA256_SIZE), out);
    return true;
}

static uint64_t hash_of(const uint8_t chain[SK_SHA256_SIZE])
{
    uint64_t hash;
    memcpy(&hash, chain, sizeof(hash));
    return hash;
}

/* Until when the chain is known to be right; 0: it is not. */
static uint64_t recall(struct sk_tls_trust *trust, const uint8_t chain[SK_SHA256_SIZE], uint64_t now)
{
    for (struct sk_table_node *n = sk_table_first(&trust->chains, hash_of(chain)); n; n = sk_table_next(n)) {
        const struct remembered *r = SK_CONTAINER(n, struct remembered, node);
        if (memcmp(r->chain, chain, SK_SHA256_SIZE) == 0 && now < r->until) {
            return r->until;
        }
    }
    return 0;
}

static void remember(struct sk_tls_trust *trust, const uint8_t chain[SK_SHA256_SIZE], uint64_t until)
{
    struct remembered *r = trust->oldest;
    if (trust->chains.count >= REMEMBERED_MAX) {
        trust->oldest = r->next;
        sk_table_remove(&trust->chains, &r->node);
        free(r);
    }
    r = calloc(1, sizeof(*r));
    if (!r || sk_table_add(&trust->chains, &r->node, hash_of(chain))) {
        free(r); /* it is verified again the next time */
        return;
    }
    memcpy(r->chain, chain, SK_SHA256_SIZE);
    r->until = until;
    trust->last = trust->oldest ? trust->last : &trust->oldest;
    *trust->last = r;
    trust->last = &r->next;
}

/* When the first of what makes it right ends. */
static uint64_t chain_until(const struct sk_tls_trust *trust, const STACK_OF(X509) *chain, uint64_t now)
{
    uint64_t until = trust->stale ? UINT64_MAX : sk_tls_lists_until(trust->lists, chain);
    until = now + REMEMBER_SECONDS < until ? now + REMEMBER_SECONDS : until;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        uint64_t end = sk_tls_seconds(X509_get0_notAfter(sk_X509_value(chain, i)));
        until = end < until ? end : until;
    }
    return until;
}

static int stale_counts(int ok, X509_STORE_CTX *ctx)
{
    return ok || X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CRL_HAS_EXPIRED;
}

const char *sk_tls_trust_verify(struct sk_tls_trust *trust, X509_STORE_CTX *ctx, uint64_t *until)
{
    uint64_t now = sk_clock_wall() / SK_SECOND;
    uint8_t digest[SK_SHA256_SIZE];
    bool digested = chain_digest(ctx, digest);
    *until = digested ? recall(trust, digest, now) : 0;
    if (*until) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return NULL;
    }
    if (trust->stale) {
        X509_STORE_CTX_set_verify_cb(ctx, stale_counts);
    }
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), 2); /* 112 bits: RSA from 2048, no SHA-1 */
    int error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    error = error == X509_V_OK ? chain_error(chain) : error;
    error = error == X509_V_OK ? sk_tls_lists_judge(trust->lists, chain, trust->stale, now) : error;
    X509_STORE_CTX_set_error(ctx, error);
    if (error != X509_V_OK) {
        return fault(error);
    }
    *until = chain_until(trust, chain, now);
    if (digested && *until > now) {
        remember(trust, digest, *until);
    }
    return NULL;
}
