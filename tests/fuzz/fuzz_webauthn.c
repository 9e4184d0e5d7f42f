/*
 * A part of a published registration or assertion replaced by the input: nothing is read that is not there, what is told lies
 * in the question, libcbor ends where the canonical form ends, and nobody signs for the authenticator or its maker.
 * The first byte says which part, the second of which vector; for a part of its own the second is let be.
 */
#include "base/text.h"
#include "factor/cbor_item.h"
#include "tests/unit/factor/vectors.h"

#include <stdlib.h>

enum part { ATTESTATION, CLIENT_DATA, ROOTS, GET_CLIENT_DATA, AUTHENTICATOR, SIGNATURE, KEY, CBOR, PARTS };

struct answers {
    struct sk_factor_register registration;
    struct sk_factor_assert assertion;
};

static struct sk_slice decode(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len);
    if (sk_hex_decode(sk_slice_str(hex), bytes, len)) {
        abort();
    }
    return sk_slice(bytes, len);
}

/* Of the n-th vector, decoded once. A vector that is refused keeps its assertion without a key. */
static struct answers *answers_of(size_t n)
{
    static struct answers all[32], *answers;
    const struct vector *v = &vectors[n];
    answers = &all[n];
    if (answers->registration.rp_id.len == 0) {
        struct sk_slice rp_id = SK_LIT("example.org"), origins = SK_LIT("https://example.org");
        struct sk_factor_registered said;
        answers->registration = (struct sk_factor_register){.rp_id = rp_id, .origins = origins, .now = VECTORS_NOW,
                .challenge = decode(v->challenge), .roots = decode(vectors_root), .client_data = decode(v->client_data),
                .attestation = decode(v->attestation)};
        (void)sk_webauthn_register(&answers->registration, &said);
        answers->assertion = (struct sk_factor_assert){.rp_id = rp_id, .origins = origins, .challenge = decode(v->get_challenge),
                .key = said.key, .eligible = (said.flags & SK_FACTOR_BE) != 0, .client_data = decode(v->get_client_data),
                .authenticator = decode(v->authenticator), .signature = decode(v->signature)};
    }
    return answers;
}

static void within(struct sk_slice part, struct sk_slice whole)
{
    if (part.len == 0 || part.data < whole.data || part.data + part.len > whole.data + whole.len) {
        abort();
    }
}

static void registers(const struct answers *right, struct sk_factor_register ask)
{
    static const uint64_t policies[] = {0, SK_FACTOR_ATTESTED, SK_FACTOR_USER_VERIFIED | SK_FACTOR_NOT_SYNCED};
    for (size_t i = 0; i < SK_COUNT(policies); i++) {
        struct sk_factor_registered said;
        ask.policy = policies[i];
        if (sk_webauthn_register(&ask, &said) != SK_WEBAUTHN_GOOD) {
            continue;
        }
        within(said.credential, ask.attestation);
        within(said.key, ask.attestation);
        bool same_roots = sk_slice_eq(ask.roots, right->registration.roots);
        if (same_roots && said.attested && !sk_slice_eq(said.key, right->assertion.key)) {
            abort();
        }
        if ((policies[i] == SK_FACTOR_ATTESTED && !said.attested) || ((policies[i] & SK_FACTOR_NOT_SYNCED) && (said.flags & SK_FACTOR_BE))) {
            abort();
        }
    }
}

static void asserts(const struct answers *right, const struct sk_factor_assert *ask)
{
    struct sk_factor_asserted said;
    if (sk_webauthn_assert(ask, &said) == SK_WEBAUTHN_GOOD && sk_slice_eq(ask->key, right->assertion.key) &&
            (!sk_slice_eq(ask->client_data, right->assertion.client_data) || !sk_slice_eq(ask->authenticator, right->assertion.authenticator))) {
        abort();
    }
}

static void take(struct sk_slice bytes)
{
    struct sk_slice rest = bytes, item;
    struct cbor_load_result result;
    if (sk_cbor_take(&rest, &item) != SK_WEBAUTHN_GOOD) {
        return;
    }
    cbor_item_t *loaded = cbor_load((cbor_data)bytes.data, bytes.len, &result);
    if (!loaded || result.read != item.len || item.data != bytes.data) {
        abort();
    }
    cbor_decref(&loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    char *copy = malloc(size - 2); /* of its length, for the sanitizers */
    memcpy(copy, data + 2, size - 2);
    struct sk_slice bytes = sk_slice(copy, size - 2);
    const struct answers *right = answers_of(data[1] % vectors_count);
    struct answers spoilt = *right;
    enum part part = data[0] % PARTS;
    struct sk_slice *parts[PARTS] = {&spoilt.registration.attestation, &spoilt.registration.client_data, &spoilt.registration.roots,
            &spoilt.assertion.client_data, &spoilt.assertion.authenticator, &spoilt.assertion.signature, &spoilt.assertion.key};
    if (part == CBOR) {
        take(bytes);
    } else {
        *parts[part] = bytes;
        part <= ROOTS ? registers(right, spoilt.registration) : asserts(right, &spoilt.assertion);
    }
    free(copy);
    return 0;
}
