/* The two ceremonies, step by step. Runs in the factor helpers. */
#include "factor/webauthn.h"

#include "crypto/digest.h"
#include "factor/attestation.h"
#include "factor/cbor_item.h"
#include "factor/client_data.h"

#include <errno.h>
#include <fido.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <time.h>

#define CHALLENGE_MIN 16 /* bytes: WebAuthn Level 3, section 13.4.3 */

/* One ceremony's common part: what both messages ask with. */
struct ceremony {
    struct sk_slice type;
    struct sk_slice rp_id, origins, challenge, client_data;
    uint64_t policy;
};

int sk_webauthn_warm(void)
{
    fido_init(FIDO_DISABLE_U2F_FALLBACK);
    json_object_seed(0);
    tzset(); /* gmtime asks for the zone */
    return OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) == 1 ? 0 : -ENOMEM;
}

static struct sk_slice reason_of(enum sk_webauthn_outcome outcome)
{
#define CASE(NAME, text)                                                                                     \
    case SK_WEBAUTHN_##NAME:                                                                                 \
        return SK_LIT(text);
    switch (outcome) {
        SK_WEBAUTHN_REASONS(CASE)
    default:
        return SK_SLICE_NULL;
    }
#undef CASE
}

/* What the browser said, and who asks: before anything of the authenticator is read. */
static enum sk_webauthn_outcome check_client(const struct ceremony *c, uint8_t hash[SK_SHA256_SIZE])
{
    if (c->rp_id.len == 0 || sk_slice_find(c->rp_id, '\0') < c->rp_id.len || c->origins.len == 0 || c->challenge.len < CHALLENGE_MIN) {
        return SK_WEBAUTHN_QUESTION;
    }
    sk_digest_sha256(c->client_data, hash);
    const struct sk_client_data expected = {.type = c->type, .challenge = c->challenge, .origins = c->origins};
    return sk_client_data_check(&expected, c->client_data);
}

static enum sk_webauthn_outcome check_authenticator(const struct ceremony *c, const struct sk_authenticator *a)
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(c->rp_id, hash);
    if (!sk_slice_eq(a->rp_hash, sk_slice(hash, sizeof(hash)))) {
        return SK_WEBAUTHN_RP;
    }
    if (!(a->flags & SK_FLAG_PRESENT)) {
        return SK_WEBAUTHN_ABSENT;
    }
    if ((c->policy & SK_FACTOR_USER_VERIFIED) && !(a->flags & SK_FACTOR_UV)) {
        return SK_WEBAUTHN_UNVERIFIED;
    }
    return (c->policy & SK_FACTOR_NOT_SYNCED) && (a->flags & SK_FACTOR_BE) ? SK_WEBAUTHN_SYNCED : SK_WEBAUTHN_GOOD;
}

static enum sk_webauthn_outcome check_registration(const struct sk_factor_register *ask, const struct ceremony *c,
        struct sk_authenticator *a, struct sk_cose_key *key, struct sk_attestation *attestation)
{
    uint8_t client_hash[SK_SHA256_SIZE];
    struct sk_attestation_parts parts;
    if (ask->allow.len % SK_AAGUID_SIZE || ask->deny.len % SK_AAGUID_SIZE || ask->now > INT64_MAX) {
        return SK_WEBAUTHN_QUESTION;
    }
    enum sk_webauthn_outcome r = check_client(c, client_hash);
    r = r ? r : sk_attestation_split(ask->attestation, &parts);
    r = r ? r : sk_authenticator_parse(parts.authenticator_data, true, a);
    r = r ? r : check_authenticator(c, a);
    r = r ? r : sk_cose_key_load(a->key, key);
    if (r != SK_WEBAUTHN_GOOD) {
        return r;
    }
    const struct sk_signed what = {
            .rp_id = c->rp_id, .authenticator = a, .client_hash = sk_slice(client_hash, sizeof(client_hash)), .key = key};
    return sk_attestation_check(ask, &what, &parts, attestation);
}

enum sk_webauthn_outcome sk_webauthn_register(const struct sk_factor_register *ask, struct sk_factor_registered *said)
{
    const struct ceremony c = {.type = SK_LIT("webauthn.create"),
            .rp_id = ask->rp_id,
            .origins = ask->origins,
            .challenge = ask->challenge,
            .client_data = ask->client_data,
            .policy = ask->policy};
    struct sk_authenticator a = {.counter = 0};
    SK_CLEANUP(sk_cose_key_free) struct sk_cose_key key = {.pkey = NULL};
    struct sk_attestation attestation = {.attested = false};
    enum sk_webauthn_outcome r = check_registration(ask, &c, &a, &key, &attestation);
    *said = (struct sk_factor_registered){.ticket = ask->ticket, .reason = reason_of(r)};
    if (r == SK_WEBAUTHN_GOOD) {
        said->credential = a.id;
        said->key = a.key;
        said->algorithm = (uint64_t)key.algorithm;
        said->counter = a.counter;
        said->flags = a.flags & (SK_FACTOR_UV | SK_FACTOR_BE | SK_FACTOR_BS);
        said->attested = attestation.attested;
        said->format = attestation.format;
        memcpy(said->aaguid, attestation.aaguid.data, sizeof(said->aaguid));
    }
    return r;
}

static enum sk_webauthn_outcome load_stored(struct sk_slice raw, struct sk_cose_key *key)
{
    struct sk_slice item;
    if (sk_cbor_take(&raw, &item) != SK_WEBAUTHN_GOOD || raw.len > 0) {
        return SK_WEBAUTHN_QUESTION;
    }
    enum sk_webauthn_outcome r = sk_cose_key_load(item, key);
    return r == SK_WEBAUTHN_GOOD || r == SK_WEBAUTHN_BROKEN ? r : SK_WEBAUTHN_QUESTION;
}

static enum sk_webauthn_outcome check_assertion(const struct sk_factor_assert *ask, const struct ceremony *c, struct sk_authenticator *a)
{
    uint8_t client_hash[SK_SHA256_SIZE];
    SK_CLEANUP(sk_cose_key_free) struct sk_cose_key key = {.pkey = NULL};
    enum sk_webauthn_outcome r = check_client(c, client_hash);
    r = r ? r : load_stored(ask->key, &key);
    r = r ? r : sk_authenticator_parse(ask->authenticator, false, a);
    r = r ? r : check_authenticator(c, a);
    if (r != SK_WEBAUTHN_GOOD) {
        return r;
    }
    const struct sk_signed what = {
            .rp_id = c->rp_id, .authenticator = a, .client_hash = sk_slice(client_hash, sizeof(client_hash)), .key = &key};
    r = sk_signature_of_assertion(&what, ask->signature);
    if (r == SK_WEBAUTHN_GOOD && !(a->flags & SK_FACTOR_BE) != !ask->eligible) {
        return SK_WEBAUTHN_BACKUP;
    }
    return r == SK_WEBAUTHN_GOOD && (a->counter || ask->counter) && a->counter <= ask->counter ? SK_WEBAUTHN_COUNTER : r;
}

enum sk_webauthn_outcome sk_webauthn_assert(const struct sk_factor_assert *ask, struct sk_factor_asserted *said)
{
    const struct ceremony c = {.type = SK_LIT("webauthn.get"),
            .rp_id = ask->rp_id,
            .origins = ask->origins,
            .challenge = ask->challenge,
            .client_data = ask->client_data,
            .policy = ask->policy};
    struct sk_authenticator a = {.counter = 0};
    enum sk_webauthn_outcome r = check_assertion(ask, &c, &a);
    *said = (struct sk_factor_asserted){.ticket = ask->ticket, .reason = reason_of(r)};
    if (r == SK_WEBAUTHN_GOOD) {
        said->counter = a.counter;
        said->flags = a.flags & (SK_FACTOR_UV | SK_FACTOR_BE | SK_FACTOR_BS);
    }
    return r;
}
