/*
 * gateway/factor/: no byte of an answer can be changed, and no part of it is enough. What no signature covers is named here:
 * in a registration of the format none everything but what is compared (type, challenge, origin, rp id); of fido-u2f the
 * AAGUID; of every format a certificate's bytes, unless the policy wants it attested.
 */
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char *const signed_ones[] = {"packed-self.ES256", "packed.ES256", "packed.ES384", "packed.RS256", "packed.EdDSA", "tpm.ES256",
        "fido-u2f.ES256"};

/* The rest of the page behind is not ours: a byte read too far is seen by the sanitizers. */
static struct sk_slice exact(struct sk_slice bytes, size_t len)
{
    char *copy = malloc(len);
    memcpy(copy, bytes.data, len);
    return sk_slice(copy, len);
}

static bool registers(const void *ask)
{
    struct sk_factor_registered said;
    return sk_webauthn_register(ask, &said) == SK_WEBAUTHN_GOOD;
}

static bool asserts(const void *ask)
{
    struct sk_factor_asserted said;
    return sk_webauthn_assert(ask, &said) == SK_WEBAUTHN_GOOD;
}

static struct sk_factor_register attested(const char *name)
{
    struct sk_factor_register ask = vector_registration(vector_named(name));
    ask.policy = strcmp(name, "packed-self.ES256") && strcmp(name, "none.ES256") ? SK_FACTOR_ATTESTED : 0;
    return ask;
}

/* With any byte of `part` of `ask` changed, from byte `from` on to before `to`, by one bit or by all, it is not good; without, it is. */
static void flip(bool (*good)(const void *ask), const void *ask, struct sk_slice *part, size_t from, size_t to, const char *what)
{
    struct sk_slice right = *part;
    char *spoilt = malloc(right.len);
    memcpy(spoilt, right.data, right.len);
    *part = sk_slice(spoilt, right.len);
    for (size_t i = from; i < to; i++) {
        spoilt[i] ^= (char)(1 << i % 8);
        cr_expect_not(good(ask), "%s: bit %zu of byte %zu of %zu", what, i % 8, i, right.len);
        spoilt[i] = (char)~right.data[i];
        cr_expect_not(good(ask), "%s: byte %zu of %zu", what, i, right.len);
        spoilt[i] = right.data[i];
    }
    cr_assert(good(ask), "%s", what);
    free(spoilt);
    *part = right;
}

static void flip_all(bool (*good)(const void *ask), const void *ask, struct sk_slice *part, const char *what)
{
    flip(good, ask, part, 0, part->len, what);
}

static void cut(bool (*good)(const void *ask), const void *ask, struct sk_slice *part, const char *what)
{
    struct sk_slice right = *part;
    for (size_t len = 0; len < right.len; len++) {
        *part = exact(right, len);
        cr_expect_not(good(ask), "%s: %zu bytes of %zu", what, len, right.len);
        free((char *)(uintptr_t)part->data);
    }
    *part = right;
}

Test(webauthn_bytes, a_part_of_a_registration_is_none, .timeout = 120)
{
    for (size_t i = 0; i < vectors_count; i++) {
        struct sk_factor_register ask = vector_registration(&vectors[i]);
        cut(registers, &ask, &ask.client_data, vectors[i].name);
        cut(registers, &ask, &ask.attestation, vectors[i].name);
    }
}

Test(webauthn_bytes, a_part_of_an_assertion_is_none, .timeout = 120)
{
    for (size_t i = 0; i < SK_COUNT(signed_ones); i++) {
        struct sk_factor_assert ask = vector_assertion_of(vector_named(signed_ones[i]));
        cut(asserts, &ask, &ask.client_data, signed_ones[i]);
        cut(asserts, &ask, &ask.authenticator, signed_ones[i]);
        cut(asserts, &ask, &ask.signature, signed_ones[i]);
        cut(asserts, &ask, &ask.key, signed_ones[i]);
    }
}

Test(webauthn_bytes, no_byte_of_an_assertion_can_be_changed, .timeout = 120)
{
    for (size_t i = 0; i < SK_COUNT(signed_ones); i++) {
        struct sk_factor_assert ask = vector_assertion_of(vector_named(signed_ones[i]));
        flip_all(asserts, &ask, &ask.client_data, signed_ones[i]);
        flip_all(asserts, &ask, &ask.authenticator, signed_ones[i]);
        flip_all(asserts, &ask, &ask.signature, signed_ones[i]);
        flip_all(asserts, &ask, &ask.key, signed_ones[i]);
    }
}

Test(webauthn_bytes, no_byte_of_an_attested_registration_can_be_changed, .timeout = 300)
{
    for (size_t i = 0; i < SK_COUNT(signed_ones); i++) {
        struct sk_factor_register ask = attested(signed_ones[i]);
        struct sk_factor_registered said;
        cr_assert_eq(sk_webauthn_register(&ask, &said), SK_WEBAUTHN_GOOD);
        size_t aaguid = (size_t)(said.credential.data - 18 - ask.attestation.data);
        bool u2f = strcmp(signed_ones[i], "fido-u2f.ES256") == 0;
        flip_all(registers, &ask, &ask.client_data, signed_ones[i]);
        flip(registers, &ask, &ask.attestation, 0, u2f ? aaguid : ask.attestation.len, signed_ones[i]);
        flip(registers, &ask, &ask.attestation, aaguid + 16, ask.attestation.len, signed_ones[i]);
    }
}

/* What a signature does not cover is still compared. */
Test(webauthn_bytes, of_a_registration_without_statement_what_is_compared_cannot_be_changed)
{
    struct sk_factor_register ask = attested("none.ES256");
    const char *data = strstr(ask.attestation.data + 30, "\xbf\xab\xc3\x74");
    size_t hash = (size_t)(data - ask.attestation.data);
    size_t compared = sizeof("{\"type\":\"webauthn.create\",\"challenge\":\"\",\"origin\":\"https://example.org\"") - 1 + 43;
    flip(registers, &ask, &ask.attestation, 0, hash + 32, "none.ES256");
    flip(registers, &ask, &ask.client_data, 0, compared, "none.ES256");
}
