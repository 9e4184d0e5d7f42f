/* gateway/tls/identity.c: which certificates and keys are taken, and which names they cover. */
#include "made.h"
#include "tls/tls.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct made ca, leaf, other;

static void begin(void)
{
    made_make(&ca, "ca", NULL, 0, NULL);
    made_make(&leaf, "leaf", "DNS:a.test,DNS:*.wild.test,DNS:part*.some.test", 0, &ca);
    made_make(&other, "other", "DNS:other.test", 0, &ca);
}

static void end(void)
{
    made_free(&ca);
    made_free(&leaf);
    made_free(&other);
}

TestSuite(tls_identity, .init = begin, .fini = end);

static const char *refused(const char *chain, const char *key)
{
    const char *why = NULL;
    struct sk_tls_identity *identity = sk_tls_identity_new(sk_slice_str(chain), sk_slice_str(key), &why);
    cr_assert_eq(identity == NULL, why != NULL);
    (void)sk_tls_identity_free(identity);
    return why ? why : "";
}

Test(tls_identity, a_certificate_with_its_key_is_taken_alone_and_with_its_chain)
{
    char chain[sizeof(leaf.cert_pem) * 2 + 32];
    (void)snprintf(chain, sizeof(chain), "some text before\n%s%s", leaf.cert_pem, ca.cert_pem);
    cr_expect_str_eq(refused(leaf.cert_pem, leaf.key_pem), "");
    cr_expect_str_eq(refused(chain, leaf.key_pem), "");
    cr_assert_null(sk_tls_identity_free(NULL));
}

Test(tls_identity, what_does_not_belong_together_or_is_none_is_refused_with_a_reason)
{
    char upside_down[sizeof(leaf.cert_pem) * 2], locked[8192];
    (void)snprintf(upside_down, sizeof(upside_down), "%s%s", ca.cert_pem, leaf.cert_pem);
    (void)snprintf(locked, sizeof(locked), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjME8GCSqGSIb3DQEFDTBCMA==\n-----END ENCRYPTED PRIVATE KEY-----\n");
    cr_expect_str_eq(refused(leaf.cert_pem, other.key_pem), "the key does not belong to the certificate");
    cr_expect_str_eq(refused(upside_down, leaf.key_pem), "the key does not belong to the certificate", "the leaf stands first");
    cr_expect_str_eq(refused("", leaf.key_pem), "the chain holds no certificate in PEM");
    cr_expect_str_eq(refused(leaf.key_pem, leaf.key_pem), "the chain holds no certificate in PEM");
    cr_expect_str_eq(refused(leaf.cert_pem, ""), "the key is not an unencrypted private key in PEM");
    cr_expect_str_eq(refused(leaf.cert_pem, leaf.cert_pem), "the key is not an unencrypted private key in PEM");
    cr_expect_str_eq(refused(leaf.cert_pem, locked), "the key is not an unencrypted private key in PEM");
}

Test(tls_identity, a_weak_rsa_key_is_refused)
{
    struct made weak, strong;
    made_make(&weak, "weak", "DNS:a.test", 1024, NULL);
    made_make(&strong, "strong", "DNS:a.test", 2048, NULL);
    cr_expect_str_eq(refused(weak.cert_pem, weak.key_pem), "an RSA key needs at least 2048 bits");
    cr_expect_str_eq(refused(strong.cert_pem, strong.key_pem), "");
    made_free(&weak);
    made_free(&strong);
}

Test(tls_identity, a_name_is_covered_whole_or_by_one_whole_label)
{
    const char *why;
    struct sk_tls_identity *identity = sk_tls_identity_new(sk_slice_str(leaf.cert_pem), sk_slice_str(leaf.key_pem), &why);
    static const char *const covered[] = {"a.test", "x.wild.test", "y-z.wild.test"};
    static const char *const uncovered[] = {"b.test", "wild.test", "x.y.wild.test", "partial.some.test", "leaf", "", "a.test.", "xa.test"};
    for (size_t i = 0; i < SK_COUNT(covered); i++) {
        cr_expect(sk_tls_identity_covers(identity, sk_slice_str(covered[i])), "%s", covered[i]);
    }
    for (size_t i = 0; i < SK_COUNT(uncovered); i++) {
        cr_expect_not(sk_tls_identity_covers(identity, sk_slice_str(uncovered[i])), "%s", uncovered[i]);
    }
    (void)sk_tls_identity_free(identity);
}
