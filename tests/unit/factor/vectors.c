/* gateway/factor/webauthn.c on the published vectors: each is taken, and told right, or refused for what this does not speak. */
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct expected {
    const char *name;
    int64_t algorithm;
    const char *format;
    enum sk_webauthn_outcome outcome;
    bool attested;
} expectations[] = {
        {"none.ES256", -7, "none", SK_WEBAUTHN_GOOD, false},
        {"packed-self.ES256", -7, "packed", SK_WEBAUTHN_GOOD, false},
        {"none.ES256.crossOrigin", 0, "", SK_WEBAUTHN_CROSS_ORIGIN, false},
        {"none.ES256.topOrigin", 0, "", SK_WEBAUTHN_CROSS_ORIGIN, false},
        {"none.ES256.long-credential-id", -7, "none", SK_WEBAUTHN_GOOD, false},
        {"packed.ES256", -7, "packed", SK_WEBAUTHN_GOOD, true},
        {"packed.ES384", -35, "packed", SK_WEBAUTHN_GOOD, true},
        {"packed.ES512", 0, "", SK_WEBAUTHN_ALGORITHM, false},
        {"packed.RS256", -257, "packed", SK_WEBAUTHN_GOOD, true},
        {"packed.EdDSA", -8, "packed", SK_WEBAUTHN_GOOD, true},
        {"packed.Ed448", 0, "", SK_WEBAUTHN_ALGORITHM, false},
        {"tpm.ES256", -7, "tpm", SK_WEBAUTHN_GOOD, true},
        {"android-key.ES256", 0, "", SK_WEBAUTHN_FORMAT, false},
        {"apple.ES256", 0, "", SK_WEBAUTHN_FORMAT, false},
        {"fido-u2f.ES256", -7, "fido-u2f", SK_WEBAUTHN_GOOD, true},
};

/* Where a credential's parts stand in the authenticator data, which stands last in the object. */
static void expect_told(const struct vector *vector, const struct expected *expected, const struct sk_factor_register *ask,
        const struct sk_factor_registered *said)
{
    static const uint8_t zeros[16];
    struct sk_slice after_key = sk_slice_from(ask->attestation, (size_t)(said->key.data + said->key.len - ask->attestation.data));
    const uint8_t *id = (const uint8_t *)said->credential.data, *aaguid = id - 18;
    cr_expect_eq(after_key.len, 0, "%s", vector->name);
    cr_expect_eq((size_t)id[-2] << 8 | id[-1], said->credential.len, "%s", vector->name);
    cr_expect_eq(said->key.data, said->credential.data + said->credential.len, "%s", vector->name);
    cr_expect_eq((int64_t)said->algorithm, expected->algorithm, "%s", vector->name);
    cr_expect_eq(said->counter, 0, "%s", vector->name);
    cr_expect_eq(said->flags, aaguid[-5] & 0x1c, "%s", vector->name);
    cr_expect_eq(said->attested, expected->attested, "%s", vector->name);
    cr_expect(sk_slice_eq(said->format, sk_slice_str(expected->format)), "%s", vector->name);
    bool u2f = strcmp(expected->format, "fido-u2f") == 0;
    cr_expect_arr_eq(said->aaguid, u2f ? zeros : aaguid, 16, "%s", vector->name);
}

Test(webauthn_vectors, registrations)
{
    cr_assert_eq(vectors_count, SK_COUNT(expectations));
    for (size_t i = 0; i < vectors_count; i++) {
        const struct expected *expected = &expectations[i];
        struct sk_factor_register ask = vector_registration(&vectors[i]);
        struct sk_factor_registered said;
        enum sk_webauthn_outcome r = sk_webauthn_register(&ask, &said);
        cr_expect_str_eq(vectors[i].name, expected->name);
        cr_expect_eq(r, expected->outcome, "%s: %.*s", vectors[i].name, (int)said.reason.len, said.reason.data);
        cr_expect_eq(said.ticket, 7);
        cr_expect_eq(r == SK_WEBAUTHN_GOOD, said.reason.len == 0);
        if (r == SK_WEBAUTHN_GOOD) {
            expect_told(&vectors[i], expected, &ask, &said);
        }
    }
}

Test(webauthn_vectors, assertions)
{
    size_t count = 0;
    for (size_t i = 0; i < vectors_count; i++) {
        if (expectations[i].outcome != SK_WEBAUTHN_GOOD) {
            continue;
        }
        struct sk_factor_assert ask = vector_assertion_of(&vectors[i]);
        struct sk_factor_asserted said;
        enum sk_webauthn_outcome r = sk_webauthn_assert(&ask, &said);
        cr_expect_eq(r, SK_WEBAUTHN_GOOD, "%s: %.*s", vectors[i].name, (int)said.reason.len, said.reason.data);
        cr_expect(said.ticket == 8 && said.reason.len == 0 && said.counter == 0);
        cr_expect_eq(said.flags, (uint8_t)ask.authenticator.data[32] & 0x1c, "%s", vectors[i].name);
        count++;
    }
    cr_expect_eq(count, 9);
}

Test(webauthn_vectors, another_ones_assertion_is_nobodys)
{
    struct sk_factor_assert ask = vector_assertion_of(vector_named("packed.ES256"));
    struct sk_factor_assert other = vector_assertion_of(vector_named("none.ES256"));
    struct sk_factor_asserted said;
    ask.key = other.key;
    cr_expect_eq(sk_webauthn_assert(&ask, &said), SK_WEBAUTHN_SIGNATURE);
    cr_expect(said.flags == 0 && sk_slice_eq(said.reason, SK_LIT("bad-signature")));
}
