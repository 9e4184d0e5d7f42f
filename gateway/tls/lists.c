/* Revocation lists: read, and what OpenSSL does not look at. Runs in the workers; the supervisor checks a configuration with it. */
#include "tls/lists.h"

#include "tls/identity.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct sk_tls_lists {
    struct sk_tls_lists *next;
    X509_CRL *crl;
    AUTHORITY_KEYID *signer; /* NULL: it does not say */
    ASN1_INTEGER *number;    /* NULL: it has none */
    ASN1_INTEGER *base;      /* of a delta list; NULL: a full one */
    uint64_t from, until;    /* Unix seconds */
    bool replaced;           /* another says all that it does */
    bool garbled;            /* one of these is there and cannot be read, or is there twice: it does not say what it seems to */
};

struct sk_tls_lists *sk_tls_lists_free(struct sk_tls_lists *lists)
{
    while (lists) {
        struct sk_tls_lists *l = lists;
        lists = l->next;
        X509_CRL_free(l->crl);
        AUTHORITY_KEYID_free(l->signer);
        ASN1_INTEGER_free(l->number);
        ASN1_INTEGER_free(l->base);
        free(l);
    }
    return NULL;
}

/* ---- read ---- */

static bool extension_same(const X509_CRL *a, const X509_CRL *b, int nid)
{
    int at = X509_CRL_get_ext_by_NID(a, nid, -1), bt = X509_CRL_get_ext_by_NID(b, nid, -1);
    return at < 0 || bt < 0 ? at < 0 && bt < 0
                            : ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_CRL_get_ext(a, at)), X509_EXTENSION_get_data(X509_CRL_get_ext(b, bt))) == 0;
}

/* Do both speak of the same certificates, by the same key? */
static bool scope_same(const struct sk_tls_lists *a, const struct sk_tls_lists *b)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(a->crl), X509_CRL_get_issuer(b->crl)) == 0 && extension_same(a->crl, b->crl, NID_authority_key_identifier) &&
           extension_same(a->crl, b->crl, NID_issuing_distribution_point);
}

static bool weak(const X509_CRL *crl)
{
    int digest = NID_undef, key;
    (void)OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, &key);
    return digest == NID_sha1 || digest == NID_md5;
}

/* A critical extension that nobody here knows: a delta list must not be read without it. */
static bool strange(const X509_CRL *crl)
{
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (X509_EXTENSION_get_critical(extension) && nid != NID_delta_crl && nid != NID_issuing_distribution_point) {
            return true;
        }
    }
    return false;
}

/* False: authorities of its issuer's name are known, and none of them signed it. */
static bool signed_well(X509_CRL *crl, const STACK_OF(X509) *authorities)
{
    bool known = false;
    for (int i = 0; i < sk_X509_num(authorities); i++) {
        X509 *authority = sk_X509_value(authorities, i);
        bool named = X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(crl)) == 0;
        known = known || named;
        if (named && X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1) {
            return true;
        }
    }
    return !known;
}

static const char *list_fault(const struct sk_tls_lists *l, const STACK_OF(X509) *authorities)
{
    if (l->garbled) {
        return "has an extension that cannot be read";
    }
    if (l->from == 0) {
        return "does not say since when it holds (thisUpdate)";
    }
    if (l->until == 0) {
        return "does not say when the next comes (nextUpdate)";
    }
    if (weak(l->crl)) {
        return "is signed with SHA-1 or MD5";
    }
    if (!signed_well(l->crl, authorities)) {
        return "is not signed by it";
    }
    if (l->base && strange(l->crl)) {
        return "has a critical extension that is not known";
    }
    return NULL;
}

/* NULL: it has none, or `garbled` is set. */
static void *read_extension(const X509_CRL *crl, int nid, bool *garbled)
{
    int critical;
    void *value = X509_CRL_get_ext_d2i(crl, nid, &critical, NULL);
    *garbled |= !value && critical != -1;
    return value;
}

/* The list is the caller's, in whatever case. */
static struct sk_tls_lists *list_of(X509_CRL *crl)
{
    struct sk_tls_lists *l = calloc(1, sizeof(*l));
    if (l && X509_CRL_up_ref(crl) == 1) {
        l->crl = crl;
        l->signer = read_extension(crl, NID_authority_key_identifier, &l->garbled);
        l->number = read_extension(crl, NID_crl_number, &l->garbled);
        l->base = read_extension(crl, NID_delta_crl, &l->garbled);
        l->from = sk_tls_seconds(X509_CRL_get0_lastUpdate(crl));
        l->until = sk_tls_seconds(X509_CRL_get0_nextUpdate(crl));
    }
    return l;
}

static bool refuse(const X509_CRL *crl, const char *fault, char why[SK_TLS_WHY])
{
    char name[SK_TLS_WHY / 2];
    (void)snprintf(why, SK_TLS_WHY, "crl_files: a list of %s %s", sk_tls_name_text(X509_CRL_get_issuer(crl), name, sizeof(name)), fault);
    return false;
}

/* A delta list says nothing more when a list of its scope is newer; else the full list that it continues must be there. */
static bool place_delta(const struct sk_tls_lists *lists, struct sk_tls_lists *delta, char why[SK_TLS_WHY])
{
    bool continues = false;
    for (const struct sk_tls_lists *l = lists; l; l = l->next) {
        if (l == delta || !l->number || !delta->number || !scope_same(l, delta)) {
            continue;
        }
        int newer = ASN1_INTEGER_cmp(l->number, delta->number);
        delta->replaced |= newer > 0 || (newer == 0 && (!l->base || !l->replaced));
        continues |= !l->base && ASN1_INTEGER_cmp(l->number, delta->base) >= 0;
    }
    return continues || refuse(delta->crl, "has no full list here that it continues: it is for a newer one", why);
}

/* Of full lists of one scope OpenSSL looks for one that is not stale. */
static void place_full(const struct sk_tls_lists *lists, struct sk_tls_lists *full)
{
    for (const struct sk_tls_lists *l = lists; l && !full->replaced; l = l->next) {
        full->replaced = l != full && !l->base && l->until > full->until && scope_same(l, full);
    }
}

static bool place(struct sk_tls_lists *lists, X509_STORE *store, char why[SK_TLS_WHY])
{
    for (struct sk_tls_lists *l = lists; l; l = l->next) {
        if (l->base ? !place_delta(lists, l, why) : X509_STORE_add_crl(store, l->crl) != 1) {
            return false;
        }
    }
    for (struct sk_tls_lists *l = lists; l; l = l->next) {
        if (!l->base) {
            place_full(lists, l);
        }
    }
    return true;
}

struct sk_tls_lists *sk_tls_lists_read(struct sk_slice pem, const STACK_OF(X509) *authorities, char why[SK_TLS_WHY])
{
    struct sk_tls_lists *lists = NULL, **last = &lists;
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    X509_CRL *crl;
    bool good = bio != NULL;
    (void)snprintf(why, SK_TLS_WHY, "crl_files: no revocation list in PEM");
    ERR_clear_error();
    while (good && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, SK_TLS_NO_PASSWORD)) != NULL) {
        *last = list_of(crl);
        const char *fault = *last ? list_fault(*last, authorities) : "is too much: no memory";
        good = !fault || refuse(crl, fault, why);
        last = *last ? &(*last)->next : last;
        X509_CRL_free(crl);
    }
    BIO_free(bio);
    if (good && !sk_tls_pem_ended()) {
        (void)snprintf(why, SK_TLS_WHY, "crl_files: a revocation list in it cannot be read");
        good = false;
    }
    return good ? lists : sk_tls_lists_free(lists);
}

struct sk_tls_lists *sk_tls_lists_new(struct sk_slice pem, X509_STORE *store, const STACK_OF(X509) *authorities, char why[SK_TLS_WHY])
{
    struct sk_tls_lists *lists = sk_tls_lists_read(pem, authorities, why);
    return lists && place(lists, store, why) ? lists : sk_tls_lists_free(lists);
}

/* ---- looked into ---- */

static bool is_of(const struct sk_tls_lists *l, X509 *authority)
{
    return X509_NAME_cmp(X509_CRL_get_issuer(l->crl), X509_get_subject_name(authority)) == 0 && X509_check_akid(authority, l->signer) == X509_V_OK;
}

static int judge_one(const struct sk_tls_lists *delta, X509 *certificate, X509 *authority, bool stale, uint64_t now)
{
    X509_REVOKED *entry;
    if (X509_CRL_verify(delta->crl, X509_get0_pubkey(authority)) != 1) {
        return X509_V_ERR_CRL_SIGNATURE_FAILURE;
    }
    if (now < delta->from) {
        return X509_V_ERR_CRL_NOT_YET_VALID;
    }
    if (now > delta->until && !stale) {
        return X509_V_ERR_CRL_HAS_EXPIRED;
    }
    return X509_CRL_get0_by_cert(delta->crl, &entry, certificate) == 1 ? X509_V_ERR_CERT_REVOKED : X509_V_OK;
}

int sk_tls_lists_judge(const struct sk_tls_lists *lists, const STACK_OF(X509) *chain, bool stale, uint64_t now)
{
    int error = X509_V_OK;
    for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
        for (const struct sk_tls_lists *l = lists; l && error == X509_V_OK; l = l->next) {
            if (l->base && !l->replaced && is_of(l, sk_X509_value(chain, i + 1))) {
                error = judge_one(l, sk_X509_value(chain, i), sk_X509_value(chain, i + 1), stale, now);
            }
        }
    }
    return error;
}

uint64_t sk_tls_lists_until(const struct sk_tls_lists *lists, const STACK_OF(X509) *chain)
{
    uint64_t until = UINT64_MAX;
    for (int i = 1; i < sk_X509_num(chain); i++) {
        for (const struct sk_tls_lists *l = lists; l; l = l->next) {
            if (!l->replaced && l->until < until && is_of(l, sk_X509_value(chain, i))) {
                until = l->until;
            }
        }
    }
    return until;
}
