/* gateway/tls/{trust,lists}.c: which chains are right, by which lists, and until when. */
#include "made.h"
#include "tls/identity.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct made root, inner, leaf;
static char lists[65536];

static void begin(void)
{
    made_certificate(&root, &(struct made_spec){.common = "root", .authority = true});
    made_certificate(&inner, &(struct made_spec){.common = "inner", .issuer = &root, .authority = true});
    made_certificate(&leaf, &(struct made_spec){.common = "leaf", .issuer = &inner});
    lists[0] = '\0';
}

static void end(void)
{
    made_free(&root);
    made_free(&inner);
    made_free(&leaf);
}

TestSuite(tls_trust, .init = begin, .fini = end, .timeout = 60);

static struct sk_tls_trust *trust_in(const struct made *authority, bool stale)
{
    char why[SK_TLS_WHY];
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_slice_str(authority->cert_pem), sk_slice_str(lists), (lists[0] ? SK_TLS_LISTS : 0U) | (stale ? SK_TLS_STALE : 0U), why);
    cr_assert_not_null(trust, "%s", why);
    return trust;
}

/* As a client's handshake has it: its own certificate first among those it sends. */
static const char *judge(struct sk_tls_trust *trust, const struct made *client, const struct made *const *between, uint64_t *until)
{
    STACK_OF(X509) *sent = sk_X509_new_null();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    cr_assert(sk_X509_push(sent, client->cert) > 0);
    while (between && *between) {
        cr_assert(sk_X509_push(sent, (*between++)->cert) > 0);
    }
    cr_assert(ctx && X509_STORE_CTX_init(ctx, sk_tls_trust_store(trust), client->cert, sent) == 1);
    const char *reason = sk_tls_trust_verify(trust, ctx, until);
    X509_STORE_CTX_free(ctx);
    sk_X509_free(sent);
    return reason ? reason : "";
}

static const struct made *const by_inner[] = {&inner, NULL};

/* What comes of the leaf under inner and root with the lists made so far. */
static const char *verdict(bool stale)
{
    uint64_t until;
    struct sk_tls_trust *trust = trust_in(&root, stale);
    const char *reason = judge(trust, &leaf, by_inner, &until);
    (void)sk_tls_trust_unref(trust);
    return reason;
}

#define LIST(...) made_list(lists, sizeof(lists), &(struct made_list){__VA_ARGS__})

/* ---- chains ---- */

/* A client's certificate that differs in one thing, straight below the root. */
static const char *client_verdict(struct made_spec spec)
{
    struct made client;
    uint64_t until;
    spec.common = "client";
    spec.issuer = &root;
    made_certificate(&client, &spec);
    struct sk_tls_trust *trust = trust_in(&root, false);
    const char *reason = judge(trust, &client, NULL, &until);
    (void)sk_tls_trust_unref(trust);
    made_free(&client);
    return reason;
}

Test(tls_trust, takes_a_client_with_a_good_key_alone)
{
    cr_expect_str_empty(client_verdict((struct made_spec){.curve = NULL}));
    cr_expect_str_empty(client_verdict((struct made_spec){.curve = "P-384"}));
    cr_expect_str_empty(client_verdict((struct made_spec){.curve = "P-521"}));
    cr_expect_str_empty(client_verdict((struct made_spec){.curve = "ED25519"}));
    cr_expect_str_empty(client_verdict((struct made_spec){.bits = 2048}));
    cr_expect_str_eq(client_verdict((struct made_spec){.bits = 1024}), "certificate-too-weak");
    cr_expect_str_eq(client_verdict((struct made_spec){.curve = "secp224r1"}), "certificate-too-weak");
    cr_expect_str_eq(client_verdict((struct made_spec){.curve = "secp256k1"}), "certificate-too-weak");
    cr_expect_str_eq(client_verdict((struct made_spec){.curve = "brainpoolP256r1"}), "certificate-too-weak");
    cr_expect_str_eq(client_verdict((struct made_spec){.sha1 = true}), "certificate-too-weak");
}

Test(tls_trust, takes_a_client_for_its_purpose_alone)
{
    cr_expect_str_empty(client_verdict((struct made_spec){.extensions = {{"extendedKeyUsage", "serverAuth,clientAuth"}}}));
    cr_expect_str_eq(client_verdict((struct made_spec){.extensions = {{"extendedKeyUsage", "serverAuth"}}}), "certificate-wrong-purpose");
    cr_expect_str_eq(client_verdict((struct made_spec){.extensions = {{"extendedKeyUsage", "2.5.29.37.0"}}}), "certificate-wrong-purpose");
    cr_expect_str_eq(client_verdict((struct made_spec){.bare = true}), "certificate-wrong-purpose");
    cr_expect_str_eq(client_verdict((struct made_spec){.extensions = {{"basicConstraints", "CA:TRUE"}}}), "certificate-wrong-purpose");
    cr_expect_str_eq(client_verdict((struct made_spec){.extensions = {{"keyUsage", "critical,keyEncipherment"}}}), "certificate-wrong-purpose");
    cr_expect_str_eq(client_verdict((struct made_spec){.extensions = {{"1.2.3.4", "critical,ASN1:NULL"}}}), "certificate-invalid");
    cr_expect_str_eq(client_verdict((struct made_spec){.from = -2 * MADE_HOUR, .to = -1}), "certificate-expired");
    cr_expect_str_eq(client_verdict((struct made_spec){.from = MADE_HOUR, .to = 2 * MADE_HOUR}), "certificate-not-yet-valid");
}

/* A client below an authority that differs in one thing. */
static const char *below(struct made_spec spec)
{
    struct made middle, client;
    const struct made *const sent[] = {&middle, NULL};
    uint64_t until;
    spec.common = "middle";
    spec.issuer = &root;
    made_certificate(&middle, &spec);
    made_certificate(&client, &(struct made_spec){.common = "client", .issuer = &middle, .extensions = {{"subjectAltName", "email:taro@acme.test"}}});
    struct sk_tls_trust *trust = trust_in(&root, false);
    const char *reason = judge(trust, &client, sent, &until);
    (void)sk_tls_trust_unref(trust);
    made_free(&middle);
    made_free(&client);
    return reason;
}

Test(tls_trust, takes_for_an_authority_what_is_one_by_its_basic_constraints)
{
    cr_expect_str_empty(below((struct made_spec){.authority = true}));
    cr_expect_str_eq(below((struct made_spec){.authority = false}), "certificate-path");
    cr_expect_str_eq(below((struct made_spec){.bare = true, .extensions = {{"keyUsage", "critical,keyCertSign"}}}), "certificate-path");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .extensions = {{"keyUsage", "critical,cRLSign"}}}), "certificate-path");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .extensions = {{"extendedKeyUsage", "serverAuth"}}}), "certificate-wrong-purpose");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .curve = "secp224r1"}), "certificate-too-weak");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .bits = 1024}), "certificate-too-weak");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .sha1 = true}), "certificate-too-weak");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .from = -2 * MADE_HOUR, .to = -1}), "certificate-expired");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .extensions = {{"nameConstraints", "critical,permitted;email:only.test"}}}), "certificate-name-constraints");
    cr_expect_str_eq(below((struct made_spec){.authority = true, .extensions = {{"nameConstraints", "critical,excluded;email:acme.test"}}}), "certificate-name-constraints");
    cr_expect_str_empty(below((struct made_spec){.authority = true, .extensions = {{"nameConstraints", "critical,permitted;email:acme.test"}}}));
}

Test(tls_trust, takes_no_chain_that_is_too_long_or_ends_elsewhere)
{
    struct made more[8];
    const struct made *sent[SK_COUNT(more)] = {NULL};
    uint64_t until;
    struct sk_tls_trust *trust = trust_in(&root, false);
    for (size_t i = 0; i < SK_COUNT(more); i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "more%zu", i);
        made_certificate(&more[i], &(struct made_spec){.common = name, .issuer = i ? &more[i - 1] : &root, .authority = i + 1 < SK_COUNT(more)});
    }
    for (size_t i = 0; i + 1 < SK_COUNT(more); i++) {
        sent[i] = &more[SK_COUNT(more) - 2 - i];
    }
    cr_expect_str_eq(judge(trust, &more[SK_COUNT(more) - 1], sent, &until), "certificate-path");
    cr_expect_str_eq(judge(trust, &leaf, NULL, &until), "certificate-untrusted");
    cr_expect_str_eq(judge(trust, &root, NULL, &until), "certificate-wrong-purpose");
    struct made alone;
    made_certificate(&alone, &(struct made_spec){.common = "alone"});
    cr_expect_str_eq(judge(trust, &alone, NULL, &until), "certificate-untrusted");
    made_free(&alone);
    for (size_t i = 0; i < SK_COUNT(more); i++) {
        made_free(&more[i]);
    }
    (void)sk_tls_trust_unref(trust);
}

/* ---- lists ---- */

Test(tls_trust, needs_a_current_list_of_every_authority_in_the_chain)
{
    cr_expect_str_empty(verdict(false));
    LIST(.issuer = &inner, .number = 1);
    cr_expect_str_eq(verdict(false), "revocation-list-missing");
    LIST(.issuer = &root, .number = 1);
    cr_expect_str_empty(verdict(false));
    LIST(.issuer = &root, .number = 2, .revoked = &inner, .from = -60, .to = MADE_HOUR);
    cr_expect_str_eq(verdict(false), "certificate-revoked", "the newer list counts");
}

Test(tls_trust, takes_a_stale_list_only_where_it_may)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1, .from = -2 * MADE_HOUR, .to = -60);
    cr_expect_str_eq(verdict(false), "revocation-list-stale");
    cr_expect_str_empty(verdict(true));
    LIST(.issuer = &inner, .number = 2, .revoked = &leaf, .from = -90 * 60, .to = -50);
    cr_expect_str_eq(verdict(true), "certificate-revoked");
}

Test(tls_trust, takes_no_list_from_tomorrow)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1, .from = MADE_HOUR, .to = 2 * MADE_HOUR);
    cr_expect_str_eq(verdict(true), "revocation-list-invalid");
}

/* No list here says where its delta lists are (freshestCRL): that they are in the files says enough. */
Test(tls_trust, looks_into_delta_lists)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 5);
    LIST(.issuer = &inner, .number = 6, .base = 5);
    cr_expect_str_empty(verdict(false));
    LIST(.issuer = &inner, .number = 7, .base = 5, .revoked = &leaf);
    cr_expect_str_eq(verdict(false), "certificate-revoked", "the newest delta list counts");
    LIST(.issuer = &inner, .number = 8, .from = -60, .to = MADE_HOUR);
    cr_expect_str_empty(verdict(false), "a newer full list takes its place");
}

Test(tls_trust, looks_into_delta_lists_whatever_their_order_and_for_authorities_too)
{
    LIST(.issuer = &root, .number = 3, .base = 1, .revoked = &inner);
    LIST(.issuer = &root, .number = 2, .base = 1);
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1);
    cr_expect_str_eq(verdict(false), "certificate-revoked");
}

Test(tls_trust, takes_no_stale_delta_list)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1);
    LIST(.issuer = &inner, .number = 2, .base = 1, .from = -2 * MADE_HOUR, .to = -60);
    cr_expect_str_eq(verdict(false), "revocation-list-stale");
    cr_expect_str_empty(verdict(true));
}

Test(tls_trust, takes_back_no_revocation_by_a_delta_list)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1, .revoked = &leaf);
    LIST(.issuer = &inner, .number = 2, .base = 1, .removed = &leaf);
    cr_expect_str_eq(verdict(false), "certificate-revoked");
}

/* OpenSSL 3.0 takes a newer delta list for a full one, on which nobody is. */
Test(tls_trust, forgets_no_full_list_for_a_delta_list)
{
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1, .revoked = &leaf);
    LIST(.issuer = &inner, .number = 2, .base = 1, .from = -60, .to = MADE_HOUR);
    cr_expect_str_eq(verdict(false), "certificate-revoked");
}

/* Another key under the authority's name. */
Test(tls_trust, takes_no_list_that_somebody_else_signed)
{
    struct made false_inner;
    made_certificate(&false_inner, &(struct made_spec){.common = "inner", .authority = true});
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &false_inner, .number = 1, .unidentified = true);
    cr_expect_str_eq(verdict(false), "revocation-list-invalid");
    lists[0] = '\0';
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &inner, .number = 1, .unidentified = true);
    LIST(.issuer = &false_inner, .number = 2, .base = 1, .unidentified = true);
    cr_expect_str_eq(verdict(false), "revocation-list-invalid");
    made_free(&false_inner);
}

/* ---- until when ---- */

static uint64_t seconds_left(struct sk_tls_trust *trust)
{
    uint64_t until, now = sk_clock_wall() / SK_SECOND;
    cr_assert_str_empty(judge(trust, &leaf, by_inner, &until));
    return until > now ? until - now : 0;
}

static void between(uint64_t seconds, long low, long high)
{
    cr_expect(seconds > (uint64_t)low && seconds <= (uint64_t)high, "%llu seconds", (unsigned long long)seconds);
}

Test(tls_trust, remembers_a_chain_until_the_first_of_what_it_stands_on_ends)
{
    struct sk_tls_trust *trust = trust_in(&root, false);
    uint64_t left = seconds_left(trust);
    between(left, MADE_HOUR - 60, MADE_HOUR);
    cr_expect_leq(seconds_left(trust), left, "what is remembered is not remembered longer");
    (void)sk_tls_trust_unref(trust);
    LIST(.issuer = &root, .number = 1, .from = -60, .to = 600);
    LIST(.issuer = &inner, .number = 1, .from = -60, .to = 1200);
    trust = trust_in(&root, false);
    left = seconds_left(trust);
    between(left, 540, 600);
    (void)sk_tls_trust_unref(trust);
    LIST(.issuer = &inner, .number = 2, .base = 1, .from = -60, .to = 300);
    trust = trust_in(&root, false);
    left = seconds_left(trust);
    between(left, 240, 300);
    (void)sk_tls_trust_unref(trust);
    trust = trust_in(&root, true);
    left = seconds_left(trust);
    between(left, MADE_HOUR - 60, MADE_HOUR);
    (void)sk_tls_trust_unref(trust);
}

/* A list that another took the place of, or of an authority that the chain has nothing to do with, shortens nothing. */
Test(tls_trust, remembers_by_the_lists_of_the_chain_alone)
{
    struct made other;
    char both[sizeof(root.cert_pem) * 2], why[SK_TLS_WHY];
    made_certificate(&other, &(struct made_spec){.common = "other", .authority = true});
    LIST(.issuer = &root, .number = 1, .from = -MADE_HOUR, .to = -60);
    LIST(.issuer = &root, .number = 2);
    LIST(.issuer = &inner, .number = 1);
    LIST(.issuer = &other, .number = 1, .from = -MADE_HOUR, .to = -60);
    (void)snprintf(both, sizeof(both), "%s%s", root.cert_pem, other.cert_pem);
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_slice_str(both), sk_slice_str(lists), lists[0] ? SK_TLS_LISTS : 0U, why);
    cr_assert_not_null(trust, "%s", why);
    uint64_t left = seconds_left(trust);
    between(left, MADE_HOUR - 60, MADE_HOUR);
    (void)sk_tls_trust_unref(trust);
    made_free(&other);
}

/* ---- what is no trust at all ---- */

static void refused(struct sk_slice authorities, const char *expected)
{
    char why[SK_TLS_WHY];
    cr_expect_null(sk_tls_trust_new(authorities, sk_slice_str(lists), lists[0] ? SK_TLS_LISTS : 0U, why));
    cr_expect_not_null(strstr(why, expected), "'%s' in '%s'", expected, why);
}

Test(tls_trust, is_made_of_authorities_alone_whose_roots_are_there)
{
    struct made old, first;
    refused(SK_LIT(""), "ca_file: no certificate");
    refused(sk_slice_str(root.key_pem), "ca_file: no certificate");
    refused(sk_slice_str(leaf.cert_pem), "CN=leaf is no authority");
    refused(sk_slice_str(inner.cert_pem), "nothing vouches for CN=inner");
    made_certificate(&old, &(struct made_spec){.common = "old", .authority = true, .from = -2 * MADE_HOUR, .to = -1});
    refused(sk_slice_str(old.cert_pem), "CN=old has expired");
    made_free(&old);
    made_certificate(&first, &(struct made_spec){.common = "first", .bare = true, .extensions = {{"keyUsage", "critical,keyCertSign"}}});
    refused(sk_slice_str(first.cert_pem), "CN=first is no authority");
    made_free(&first);
}

static void list_refused(const char *expected, const struct made_list *list)
{
    lists[0] = '\0';
    made_list(lists, sizeof(lists), list);
    refused(sk_slice_str(root.cert_pem), expected);
}

Test(tls_trust, is_made_of_lists_alone_that_could_say_something)
{
    struct made false_root;
    made_certificate(&false_root, &(struct made_spec){.common = "root", .authority = true});
    list_refused("of CN=root is not signed by it", &(struct made_list){.issuer = &false_root, .number = 1});
    made_free(&false_root);
    list_refused("of CN=root has an extension that cannot be read", &(struct made_list){.issuer = &root, .number = 2, .garbled = true});
    list_refused("of CN=root does not say since when it holds", &(struct made_list){.issuer = &root, .number = 1, .from = -70 * 366 * 24 * MADE_HOUR, .to = MADE_HOUR});
    list_refused("of CN=root does not say when the next comes", &(struct made_list){.issuer = &root, .number = 1, .endless = true});
    list_refused("of CN=root is signed with SHA-1", &(struct made_list){.issuer = &root, .number = 1, .sha1 = true});
    list_refused("of CN=root has no full list", &(struct made_list){.issuer = &root, .number = 2, .base = 1});
    LIST(.issuer = &root, .number = 1);
    LIST(.issuer = &root, .number = 3, .base = 2);
    refused(sk_slice_str(root.cert_pem), "of CN=root has no full list");
    (void)snprintf(lists, sizeof(lists), "%s", root.cert_pem);
    refused(sk_slice_str(root.cert_pem), "crl_files: no revocation list");
}

Test(tls_trust, is_made_of_a_whole_text_or_not_at_all)
{
    static const char *const bad[] = {"-----BEGIN X509 CRL-----\nMIHi\n-----END X509 CRL-----\n", "-----BEGIN X509 CRL-----\nMIHi\n",
            "-----BEGIN X509 CRL-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END X509 CRL-----\n"};
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nMIHi\n-----END CERTIFICATE-----\n";
    char authorities[16384];
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        lists[0] = '\0';
        LIST(.issuer = &root, .number = 1);
        (void)snprintf(lists + strlen(lists), sizeof(lists) - strlen(lists), "%s", bad[i]);
        refused(sk_slice_str(root.cert_pem), "crl_files: a revocation list in it cannot be read");
    }
    lists[0] = '\0';
    (void)snprintf(authorities, sizeof(authorities), "%s%s", root.cert_pem, broken);
    refused(sk_slice_str(authorities), "ca_file: a certificate in it cannot be read");
    (void)snprintf(authorities, sizeof(authorities), "for all:\n%s\nthat is it\n", root.cert_pem);
    (void)sk_tls_trust_unref(trust_in(&root, false));
    struct made said = {.cert = NULL};
    memcpy(said.cert_pem, authorities, sizeof(said.cert_pem));
    (void)sk_tls_trust_unref(trust_in(&said, false));
}
