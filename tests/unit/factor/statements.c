/* gateway/factor/{attestation,certificate,signature,tpm,authenticator}.c: formats, certificates, keys and extensions that no vector has. */
#include "factor/authenticator.h"
#include "made.h"

#include <criterion/criterion.h>

static struct made_cert root, leaf;

static void begin(void)
{
    made_cert(&root, &(struct made_cert_spec){.authority = 1});
    made_cert(&leaf, &(struct made_cert_spec){.issuer = &root});
}

TestSuite(webauthn_statements, .init = begin);

static struct made with(const char *format, const struct made_cert *cert)
{
    struct made made;
    made_init(&made);
    made.format = format;
    made.chain[0] = cert;
    made.chain_count = cert != NULL;
    return made;
}

static const char *outcome_of(const struct sk_factor_register *ask, struct sk_factor_registered *said)
{
    static char text[65];
    (void)sk_webauthn_register(ask, said);
    (void)snprintf(text, sizeof(text), "%.*s", (int)said->reason.len, said->reason.len ? said->reason.data : "");
    return text;
}

/* The reason of a registration that the policy wants attested by the root. */
static const char *refused(struct made *made)
{
    struct sk_factor_registered said;
    struct sk_factor_register ask = made_registration(made);
    ask.roots = made_der(&root);
    ask.policy = SK_FACTOR_ATTESTED;
    return outcome_of(&ask, &said);
}

static const char *refused_plain(struct made *made)
{
    struct sk_factor_registered said;
    struct sk_factor_register ask = made_registration(made);
    return outcome_of(&ask, &said);
}

static const char *refused_assertion(struct made *made)
{
    static char text[65];
    struct sk_factor_asserted said;
    struct sk_factor_assert ask = made_assertion(made);
    (void)sk_webauthn_assert(&ask, &said);
    (void)snprintf(text, sizeof(text), "%.*s", (int)said.reason.len, said.reason.len ? said.reason.data : "");
    return text;
}

static const char *with_cert(const char *format, const struct made_cert_spec *spec)
{
    struct made_cert cert;
    struct made_cert_spec issued = *spec;
    issued.issuer = &root;
    made_cert(&cert, &issued);
    struct made made = with(format, &cert);
    made.statement_algorithm = spec->algorithm ? spec->algorithm : -7;
    return refused(&made);
}

Test(webauthn_statements, every_algorithm_attests_itself_and_asserts)
{
    static const int64_t algorithms[] = {-7, -8, -35, -257};
    for (size_t i = 0; i < SK_COUNT(algorithms); i++) {
        struct made made = with("packed", NULL);
        made.algorithm = made.statement_algorithm = algorithms[i];
        cr_expect_str_eq(refused_plain(&made), "", "%d", (int)algorithms[i]);
        cr_expect_str_eq(refused(&made), "attestation-required", "%d", (int)algorithms[i]);
        cr_expect_str_eq(refused_assertion(&made), "", "%d", (int)algorithms[i]);
    }
    struct made made = with("packed", NULL);
    made.algorithm = -35;
    made.statement_algorithm = -7;
    cr_expect_str_eq(refused_plain(&made), "algorithm-not-allowed", "a key of one, a statement of another");
}

Test(webauthn_statements, every_algorithm_attests_another)
{
    static const int64_t algorithms[] = {-7, -8, -35, -257};
    for (size_t i = 0; i < SK_COUNT(algorithms); i++) {
        cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.algorithm = algorithms[i]}), "", "%d", (int)algorithms[i]);
    }
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.algorithm = -257, .bits = 2056}), "");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.algorithm = -257, .bits = 1024}), "algorithm-not-allowed");
}

/* libfido2 has room for 2048 bits alone, and for a kilobyte that EdDSA signs. */
Test(webauthn_statements, what_libfido2_has_no_room_for_is_verified_too)
{
    static const int bits[] = {2048, 4096};
    for (size_t i = 0; i < SK_COUNT(bits); i++) {
        struct made made = with("packed", NULL);
        made.algorithm = made.statement_algorithm = -257;
        made.bits = bits[i];
        cr_expect_str_eq(refused_plain(&made), "", "%d bits", bits[i]);
        cr_expect_str_eq(refused_assertion(&made), "", "%d bits", bits[i]);
        struct sk_factor_assert ask = made_assertion(&made);
        struct sk_factor_asserted said;
        made.counter = 1;
        ask.authenticator = made_assertion(&made).authenticator;
        cr_expect_eq(sk_webauthn_assert(&ask, &said), SK_WEBAUTHN_SIGNATURE, "%d bits", bits[i]);
    }
    for (size_t len = 1023; len > 800; len -= 37) {
        struct made made = with("packed", NULL);
        made.algorithm = made.statement_algorithm = -8;
        made.id_len = len;
        cr_expect_str_eq(refused_plain(&made), "", "%zu", len);
    }
}

/* A modulus of so many bits, odd, and an exponent: nobody asks whether they make a key. */
static struct sk_slice rsa_key(size_t bits, struct sk_slice exponent, unsigned last)
{
    static char modulus[520];
    char head[] = "\xa4\x01\x03\x03\x39\x01\x00\x20\x59LL", between[] = "\x21\x4L";
    size_t len = (bits + 7) / 8;
    memset(modulus, 0x5a, len);
    modulus[0] = (char)(1 << (bits - 1) % 8);
    modulus[len - 1] = (char)last;
    head[9] = (char)(len >> 8);
    head[10] = (char)len;
    between[1] = (char)(0x40 | exponent.len);
    return made_join(made_join(sk_slice(head, 11), sk_slice(modulus, len)), made_join(sk_slice(between, 2), exponent));
}

Test(webauthn_statements, an_rsa_key_of_another_size_or_exponent_is_refused)
{
    static const struct sk_slice usual = SK_LIT("\x01\x00\x01");
    static const struct {
        size_t bits;
        struct sk_slice exponent;
        unsigned last;
        const char *reason;
    } keys[] = {{2048, usual, 1, ""}, {2049, usual, 1, ""}, {4096, usual, 1, ""}, {2047, usual, 1, "algorithm-not-allowed"},
            {4097, usual, 1, "algorithm-not-allowed"}, {2048, usual, 2, "malformed"}, {2048, SK_LIT("\x03"), 1, "malformed"},
            {2048, SK_LIT("\x01\x00\x01\x00"), 1, "malformed"}, {2048, SK_LIT("\x00\x01\x00\x01"), 1, "malformed"}, {2048, SK_LIT(""), 1, "malformed"}};
    for (size_t i = 0; i < SK_COUNT(keys); i++) {
        struct made made = with("none", NULL);
        made.key_cbor = rsa_key(keys[i].bits, keys[i].exponent, keys[i].last);
        cr_expect_str_eq(refused_plain(&made), keys[i].reason, "%zu", i);
    }
}

Test(webauthn_statements, keys_that_are_none)
{
    static const struct {
        struct sk_slice key;
        const char *reason;
    } keys[] = {
            {SK_LIT("\xa0"), "malformed"},
            {SK_LIT("\x01"), "malformed"},
            {SK_LIT("\xa1\x03\x26"), "malformed"},                                 /* an algorithm alone */
            {SK_LIT("\xa2\x01\x02\x03\x38\x24"), "algorithm-not-allowed"},         /* PS256 */
            {SK_LIT("\xa2\x01\x02\x03\x39\xff\xfe"), "algorithm-not-allowed"},     /* RS1 */
            {SK_LIT("\xa3\x01\x01\x03\x26\x20\x01"), "malformed"},                 /* ES256 of an octet key */
            {SK_LIT("\xa3\x01\x02\x03\x26\x20\x02"), "malformed"},                 /* ES256 on P-384 */
            {SK_LIT("\xa4\x01\x01\x03\x27\x20\x06\x21\x41\x00"), "malformed"},     /* Ed25519 of one byte */
            {SK_LIT("\xa4\x01\x03\x03\x39\x01\x00\x20\x40\x21\x43\x01\x00\x01"), "malformed"},
    };
    for (size_t i = 0; i < SK_COUNT(keys); i++) {
        struct made made = with("none", NULL);
        made.key_cbor = keys[i].key;
        cr_expect_str_eq(refused_plain(&made), keys[i].reason, "%zu", i);
    }
}

Test(webauthn_statements, a_point_off_the_curve_and_a_key_with_more_in_it_are_refused)
{
    struct made made = with("none", NULL);
    (void)made_registration(&made);
    struct sk_slice key = made_copy(made_cbor_key(&made));
    ((char *)(uintptr_t)key.data)[key.len - 1] ^= 1;
    made.key_cbor = key;
    cr_expect_str_eq(refused_plain(&made), "malformed");
    key = made_join(made_cbor_key(&made), SK_LIT("\x23\x40"));
    ((char *)(uintptr_t)key.data)[0] = '\xa6';
    made.key_cbor = key;
    cr_expect_str_eq(refused_plain(&made), "malformed");
}

Test(webauthn_statements, a_packed_certificate_has_its_form)
{
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.country = "JP"}), "");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.version = 1, .authority = -1}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.country = ""}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.organization = ""}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.common = ""}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.unit = "authenticator attestation"}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.authority = -1}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.authority = 1, .unit = "Authenticator Attestation"}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.expired = true}), "attestation-untrusted");
    /* And its form counts too where the policy asks for no attestation. */
    struct made_cert cert;
    made_cert(&cert, &(struct made_cert_spec){.unit = "Server"});
    struct made made = with("packed", &cert);
    cr_expect_str_eq(refused_plain(&made), "attestation-untrusted");
    made_cert(&cert, &(struct made_cert_spec){.aaguid = SK_LIT("\x04\x10" "0123456789abcdef"), .aaguid_critical = true});
    cr_expect_str_eq(refused_plain(&made), "attestation-untrusted");
}

Test(webauthn_statements, a_certificate_ends_where_it_ends)
{
    struct made made = with("packed", &leaf);
    made.chain_tail = SK_LIT("x");
    cr_expect_str_eq(refused_plain(&made), "malformed");
}

Test(webauthn_statements, an_aaguid_in_the_certificate_is_the_authenticators)
{
    static const struct sk_slice right = SK_LIT("\x04\x10" "0123456789abcdef"), wrong = SK_LIT("\x04\x10" "0123456789abcdeg"),
                                 bare = SK_LIT("0123456789abcdef");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.aaguid = right}), "");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.aaguid = wrong}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.aaguid = bare}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.aaguid = right, .aaguid_critical = true}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("packed", &(struct made_cert_spec){.aaguid = right, .aaguid_twice = true}), "attestation-untrusted");
    cr_expect_str_eq(with_cert("tpm", &(struct made_cert_spec){.tpm = true, .aaguid = wrong}), "attestation-untrusted");
}

Test(webauthn_statements, a_chain_leads_over_what_stands_between_to_any_of_the_roots)
{
    struct made_cert between, under, other;
    struct sk_factor_registered said;
    made_cert(&between, &(struct made_cert_spec){.authority = 1, .issuer = &root});
    made_cert(&under, &(struct made_cert_spec){.issuer = &between});
    made_cert(&other, &(struct made_cert_spec){.authority = 1, .common = "Other"});
    struct made made = with("packed", &under);
    cr_expect_str_eq(refused(&made), "attestation-untrusted", "the one between is missing");
    made.chain[1] = &between;
    made.chain_count = 2;
    cr_expect_str_eq(refused(&made), "");
    struct sk_factor_register ask = made_registration(&made);
    ask.policy = SK_FACTOR_ATTESTED;
    const struct sk_slice good[] = {made_pem(&root), made_join(made_pem(&other), made_pem(&root)), made_join(made_der(&other), made_der(&root)),
            made_der(&between), made_der(&under), made_join(SK_LIT("the maker's\n"), made_pem(&root))};
    for (size_t i = 0; i < SK_COUNT(good); i++) {
        ask.roots = good[i];
        cr_expect_str_eq(outcome_of(&ask, &said), "", "%zu", i);
        cr_expect_eq(said.attested, 1);
    }
    ask.roots = made_der(&other);
    cr_expect_str_eq(outcome_of(&ask, &said), "attestation-untrusted");
    ask.policy = 0;
    cr_expect_str_eq(outcome_of(&ask, &said), "");
    cr_expect_eq(said.attested, 0, "nobody vouches for it");
}

Test(webauthn_statements, a_weak_key_between_vouches_for_nobody)
{
    static const int bits[] = {1024, 2048};
    for (size_t i = 0; i < SK_COUNT(bits); i++) {
        struct made_cert between, under;
        made_cert(&between, &(struct made_cert_spec){.authority = 1, .issuer = &root, .algorithm = -257, .bits = bits[i]});
        made_cert(&under, &(struct made_cert_spec){.issuer = &between});
        struct made made = with("packed", &under);
        made.chain[1] = &between;
        made.chain_count = 2;
        cr_expect_str_eq(refused(&made), i == 0 ? "attestation-untrusted" : "", "%d bits", bits[i]);
    }
}

Test(webauthn_statements, a_leaf_is_no_authority)
{
    struct made_cert under;
    made_cert(&under, &(struct made_cert_spec){.issuer = &leaf});
    struct made made = with("packed", &under);
    made.chain[1] = &leaf;
    made.chain_count = 2;
    cr_expect_str_eq(refused(&made), "attestation-untrusted");
}

Test(webauthn_statements, at_most_five_certificates)
{
    struct made made = with("packed", &leaf);
    for (size_t i = 1; i < 6; i++) {
        made.chain[i] = &root;
    }
    made.chain_count = 5;
    cr_expect_str_eq(refused(&made), "");
    made.chain_count = 6;
    cr_expect_str_eq(refused(&made), "malformed");
}

Test(webauthn_statements, statements_that_have_not_their_form)
{
    static const struct {
        const char *format;
        struct sk_slice statement;
        const char *reason;
    } statements[] = {
            {"none", SK_LIT("\xa1\x61x\x01"), "malformed"},
            {"none", SK_LIT("\x80"), "malformed"},
            {"packed", SK_LIT("\xa0"), "malformed"},
            {"packed", SK_LIT("\xf6"), "malformed"},
            {"packed", SK_LIT("\xa2\x63" "alg\x26\x63" "sig\x40"), "malformed"},
            {"packed", SK_LIT("\xa2\x63" "alg\x63" "xyz\x63" "sig\x41x"), "malformed"},
            {"packed", SK_LIT("\xa2\x63" "alg\x26\x63" "sig\x41x"), "bad-signature"},
            {"packed", SK_LIT("\xa3\x63" "alg\x26\x63" "sig\x41x\x63" "x5c\x80"), "malformed"},
            {"packed", SK_LIT("\xa3\x63" "alg\x26\x63" "sig\x41x\x63" "x5c\x41x"), "malformed"},
            {"packed", SK_LIT("\xa3\x63" "alg\x26\x63" "sig\x41x\x63" "x5c\x81\x41x"), "malformed"},
            {"packed", SK_LIT("\xa3\x63" "alg\x26\x63" "sig\x41x\x6a" "ecdaaKeyId\x41x"), "malformed"},
            {"fido-u2f", SK_LIT("\xa1\x63" "sig\x41x"), "malformed"},
            {"fido-u2f", SK_LIT("\xa2\x63" "alg\x26\x63" "sig\x41x"), "malformed"},
            {"tpm", SK_LIT("\xa0"), "malformed"},
            {"tpm", SK_LIT("\xa6\x61" "a\x01\x63" "alg\x26\x63" "sig\x41x\x63" "ver\x63" "1.2\x67" "pubArea\x41x\x68" "certInfo\x41x"), "malformed"},
            {"tpm", SK_LIT("\xa6\x61" "a\x01\x63" "alg\x26\x63" "sig\x41x\x63" "ver\x63" "2.0\x67" "pubArea\x41x\x68" "certInfo\x41x"), "malformed"},
            {"compound", SK_LIT("\x80"), "attestation-format-not-allowed"},
    };
    for (size_t i = 0; i < SK_COUNT(statements); i++) {
        struct made made = with(statements[i].format, NULL);
        made.statement = statements[i].statement;
        cr_expect_str_eq(refused_plain(&made), statements[i].reason, "%zu", i);
    }
}

Test(webauthn_statements, a_fido_u2f_key_says_nothing_that_its_signature_does_not_cover)
{
    static const uint8_t flags[] = {0x45, 0x49, 0x59, 0x43, 0x61};
    struct made made = with("fido-u2f", &leaf);
    cr_expect_str_eq(refused(&made), "");
    made.counter = 1;
    cr_expect_str_eq(refused(&made), "malformed");
    made.counter = 0;
    for (size_t i = 0; i < SK_COUNT(flags); i++) {
        made.flags = flags[i];
        cr_expect_str_eq(refused(&made), "malformed", "%x", flags[i]);
    }
    made.flags = 0xc1;
    made.extensions = SK_LIT("\xa0");
    cr_expect_str_eq(refused(&made), "malformed");
    made = with("fido-u2f", &leaf);
    made.chain[1] = &root;
    made.chain_count = 2;
    cr_expect_str_eq(refused(&made), "malformed", "one certificate");
    cr_expect_str_eq(with_cert("fido-u2f", &(struct made_cert_spec){.algorithm = -35}), "algorithm-not-allowed");
}

/* Or a model that is denied would pass as a key of the older protocol, in which it has no name. */
Test(webauthn_statements, a_fido_u2f_key_passes_a_list_by_its_zeros_alone)
{
    static const uint8_t zeros[16];
    static const struct sk_slice none = SK_LIT(""), other = SK_LIT("another aaguid.."), its = SK_LIT("0123456789abcdef");
    const struct sk_slice nobody = sk_slice(zeros, sizeof(zeros));
    const struct {
        struct sk_slice allow, deny;
        const char *reason;
    } lists[] = {{none, none, ""}, {none, other, "authenticator-not-allowed"}, {nobody, other, ""}, {nobody, none, ""}, {its, none, "authenticator-not-allowed"},
            {none, nobody, "authenticator-not-allowed"}, {nobody, nobody, "authenticator-not-allowed"}};
    struct made made = with("fido-u2f", &leaf);
    struct sk_factor_register ask = made_registration(&made);
    ask.roots = made_der(&root);
    for (size_t i = 0; i < SK_COUNT(lists); i++) {
        struct sk_factor_registered said;
        ask.allow = lists[i].allow;
        ask.deny = lists[i].deny;
        cr_expect_str_eq(outcome_of(&ask, &said), lists[i].reason, "%zu", i);
        cr_expect_arr_eq(said.aaguid, zeros, sizeof(zeros));
    }
}

Test(webauthn_statements, a_tpm_vouches_for_rsa_and_ec_keys_with_either)
{
    static const int64_t keys[] = {-7, -35, -257}, statements[] = {-7, -257};
    for (size_t i = 0; i < SK_COUNT(keys) * SK_COUNT(statements); i++) {
        struct made_cert cert;
        int64_t statement = statements[i / SK_COUNT(keys)];
        made_cert(&cert, &(struct made_cert_spec){.issuer = &root, .tpm = true, .algorithm = statement});
        struct made made = with("tpm", &cert);
        made.algorithm = keys[i % SK_COUNT(keys)];
        made.statement_algorithm = statement;
        cr_expect_str_eq(refused(&made), "", "%d by %d", (int)made.algorithm, (int)statement);
        cr_expect_str_eq(refused_assertion(&made), "");
    }
    cr_expect_str_eq(with_cert("tpm", &(struct made_cert_spec){.tpm = true, .algorithm = -35}), "algorithm-not-allowed");
    cr_expect_str_eq(with_cert("tpm", &(struct made_cert_spec){.tpm = true, .algorithm = -8}), "algorithm-not-allowed");
}

Test(webauthn_statements, a_tpm_certificate_has_its_form)
{
    const struct made_cert_spec right = {.tpm = true};
    struct made_cert_spec spec;
    cr_expect_str_eq(with_cert("tpm", &right), "");
    cr_expect_str_eq(with_cert("tpm", &(struct made_cert_spec){.country = "JP"}), "attestation-untrusted", "a subject, and no such name");
    spec = right, spec.purpose = "serverAuth";
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
    spec = right, spec.tpm_name = "1.2.23.133.2.1=id:414D4400\n1.2.23.133.2.2=model\n";
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
    spec = right, spec.name_not_critical = true;
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
    spec = right, spec.authority = -1;
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
    spec = right, spec.authority = 1;
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
    spec = right, spec.version = 1, spec.authority = -1;
    cr_expect_str_eq(with_cert("tpm", &spec), "attestation-untrusted");
}

/* The byte string behind a name in CBOR. */
static struct sk_slice bytes_named(struct sk_slice object, struct sk_slice name)
{
    while (!sk_slice_starts(object, name)) {
        cr_assert_gt(object.len, name.len + 3);
        object = sk_slice_from(object, 1);
    }
    const uint8_t *head = (const uint8_t *)object.data + name.len;
    bool two = head[0] == 0x59;
    cr_assert(two || head[0] == 0x58);
    return made_copy(sk_slice_cut(sk_slice_from(object, name.len + (two ? 3 : 2)), two ? (size_t)head[1] << 8 | head[2] : head[1]));
}

static void change(struct sk_slice bytes, size_t at)
{
    ((char *)(uintptr_t)bytes.data)[at] ^= 1;
}

/* Each byte of the area, changed under a signature that holds. `own_scheme`: an algorithm named in it is the TPM's own business. */
static void change_area(int64_t algorithm, bool own_scheme)
{
    struct made_cert cert;
    made_cert(&cert, &(struct made_cert_spec){.issuer = &root, .tpm = true});
    struct made made = with("tpm", &cert);
    made.algorithm = algorithm;
    struct sk_slice object = made_registration(&made).attestation;
    struct sk_slice area = bytes_named(object, SK_LIT("pubArea")), info = bytes_named(object, SK_LIT("certInfo"));
    made.pub_area = area;
    for (size_t i = 0; i < area.len; i++) {
        change(area, i);
        made.cert_info = info;
        cr_expect_str_neq(refused(&made), "", "byte %zu, and the name is another's", i);
        made.cert_info = SK_SLICE_NULL;
        bool own = (i >= 4 && i < 8) || (i >= 10 && i < 41) || (own_scheme && i >= 43 && i < 47); /* attributes, policy, scheme */
        cr_expect_eq(strcmp(refused(&made), "") == 0, own, "byte %zu", i);
        change(area, i);
    }
    for (size_t len = 1; len < area.len; len++) {
        made.pub_area = sk_slice_cut(area, len);
        cr_expect_str_eq(refused(&made), "malformed", "%zu bytes", len);
    }
    made.pub_area = made_join(area, SK_LIT("x"));
    cr_expect_str_eq(refused(&made), "malformed");
}

Test(webauthn_statements, a_tpm_vouches_for_this_key)
{
    change_area(-7, false);
    change_area(-257, true);
}

Test(webauthn_statements, a_tpm_vouches_for_this_registration)
{
    struct made_cert cert;
    made_cert(&cert, &(struct made_cert_spec){.issuer = &root, .tpm = true});
    struct made made = with("tpm", &cert);
    struct sk_slice info = bytes_named(made_registration(&made).attestation, SK_LIT("certInfo"));
    made.cert_info = info;
    for (size_t i = 0; i < info.len; i++) {
        change(info, i);
        bool own = (i >= 8 && i < 16) || (i >= 50 && i < 75) || i >= 113; /* signer, clock and firmware, qualified name */
        cr_expect_eq(strcmp(refused(&made), "") == 0, own, "byte %zu", i);
        change(info, i);
    }
    for (size_t len = 1; len < info.len; len++) {
        made.cert_info = sk_slice_cut(info, len);
        cr_expect_str_eq(refused(&made), "malformed", "%zu bytes", len);
    }
    made.cert_info = made_join(info, SK_LIT("x"));
    cr_expect_str_eq(refused(&made), "malformed");
}

Test(webauthn_statements, outputs_of_extensions_are_known_or_let_be)
{
    static const struct {
        struct sk_slice extensions;
        const char *reason;
    } outputs[] = {
            {SK_LIT("\xa0"), ""},
            {SK_LIT("\xa1\x6b" "credProtect\x02"), ""},
            {SK_LIT("\xa1\x6b" "credProtect\x04"), "malformed"},
            {SK_LIT("\xa1\x6b" "credProtect\xf5"), "malformed"},
            {SK_LIT("\xa1\x6b" "hmac-secret\xf5"), ""},
            {SK_LIT("\xa1\x6b" "hmac-secret\xf4"), ""},
            {SK_LIT("\xa1\x6b" "hmac-secret\x01"), "malformed"},
            {SK_LIT("\xa2\x68" "credBlob\xf5\x6b" "hmac-secret\xf5"), ""},
            {SK_LIT("\xa2\x6b" "credProtect\x03\x6c" "minPinLength\x08"), ""},
            {SK_LIT("\xa1\x6c" "minPinLength\x19\x01\x00"), "malformed"},
            {SK_LIT("\xa1\x65" "other\x82\x01\x02"), ""},
            {SK_LIT("\xa1\x01\x02"), ""},
            {SK_LIT("\x80"), "malformed"},
            {SK_LIT("\xa1\x18\x01\x02"), "cbor-not-canonical"},
            {SK_LIT("\xa0\xa0"), "malformed"},
            {SK_LIT(""), "malformed"},
    };
    for (size_t i = 0; i < SK_COUNT(outputs); i++) {
        struct made made = with("packed", i % 2 ? &leaf : NULL);
        made.flags = 0xc1;
        made.extensions = outputs[i].extensions;
        cr_expect_str_eq(refused_plain(&made), outputs[i].reason, "%zu", i);
    }
    struct made made = with("packed", NULL);
    (void)made_registration(&made);
    made.flags = 0x81;
    made.extensions = SK_LIT("\xa2\x68" "credBlob\x41x\x6b" "hmac-secret\x42xy");
    cr_expect_str_eq(refused_assertion(&made), "");
    made.extensions = SK_LIT("\xa1\x6b" "hmac-secret\xf5");
    cr_expect_str_eq(refused_assertion(&made), "malformed");
    made.extensions = SK_LIT("\xa1\x65" "other\xf5");
    cr_expect_str_eq(refused_assertion(&made), "");
    made.flags = 1;
    cr_expect_str_eq(refused_assertion(&made), "malformed", "extensions without their flag");
}

Test(webauthn_statements, authenticator_data_has_its_form)
{
    struct made made = with("none", NULL);
    made.trailing = SK_LIT("\x00");
    cr_expect_str_eq(refused_plain(&made), "malformed");
    made = with("none", NULL);
    made.flags = 0x01;
    cr_expect_str_eq(refused_plain(&made), "malformed", "a credential without its flag");
    made = with("none", NULL);
    made.id_len = 0;
    cr_expect_str_eq(refused_plain(&made), "malformed");
    made.id_len = 1;
    cr_expect_str_eq(refused_plain(&made), "");
    made.id_len = 1023;
    cr_expect_str_eq(refused_plain(&made), "");
    made.id_len = 1024;
    cr_expect_str_eq(refused_plain(&made), "malformed");
    made = with("none", NULL);
    (void)made_registration(&made);
    struct sk_slice data = made_copy(made_assertion(&made).authenticator);
    struct sk_authenticator parsed;
    cr_expect_eq(sk_authenticator_parse(data, false, &parsed), SK_WEBAUTHN_GOOD);
    ((char *)(uintptr_t)data.data)[32] |= 0x40;
    cr_expect_eq(sk_authenticator_parse(data, false, &parsed), SK_WEBAUTHN_MALFORMED, "a credential's flag in an assertion");
}
