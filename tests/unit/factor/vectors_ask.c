/* Questions made of the published vectors. Tests alone. */
#include "vectors.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>

const struct vector *vector_named(const char *name)
{
    size_t i = 0;
    while (i < vectors_count && strcmp(vectors[i].name, name) != 0) {
        i++;
    }
    cr_assert_lt(i, vectors_count, "no vector %s", name);
    return &vectors[i];
}

struct sk_slice vector_bytes(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len);
    cr_assert(bytes && sk_hex_decode(sk_slice_str(hex), bytes, len) == 0);
    return sk_slice(bytes, len);
}

struct sk_factor_register vector_registration(const struct vector *vector)
{
    return (struct sk_factor_register){.ticket = 7,
            .rp_id = SK_LIT("example.org"),
            .origins = SK_LIT("https://example.org"),
            .challenge = vector_bytes(vector->challenge),
            .now = VECTORS_NOW,
            .roots = vector_bytes(vectors_root),
            .client_data = vector_bytes(vector->client_data),
            .attestation = vector_bytes(vector->attestation)};
}

struct sk_factor_assert vector_assertion(const struct vector *vector, struct sk_slice key, uint64_t flags)
{
    return (struct sk_factor_assert){.ticket = 8,
            .rp_id = SK_LIT("example.org"),
            .origins = SK_LIT("https://example.org"),
            .challenge = vector_bytes(vector->get_challenge),
            .key = key,
            .eligible = (flags & SK_FACTOR_BE) != 0,
            .client_data = vector_bytes(vector->get_client_data),
            .authenticator = vector_bytes(vector->authenticator),
            .signature = vector_bytes(vector->signature)};
}

struct sk_factor_assert vector_assertion_of(const struct vector *vector)
{
    struct sk_factor_register ask = vector_registration(vector);
    struct sk_factor_registered said;
    cr_assert_eq(sk_webauthn_register(&ask, &said), SK_WEBAUTHN_GOOD, "%s", vector->name);
    return vector_assertion(vector, said.key, said.flags);
}
