/* Attestation statements. Runs in the factor helpers. */
#include "factor/attestation.h"

#include "factor/cbor_item.h"
#include "factor/certificate.h"
#include "factor/tpm.h"

static const uint8_t no_aaguid[SK_AAGUID_SIZE];

struct work {
    const struct sk_signed *what;
    struct sk_attestation_parts parts;
    const cbor_item_t *statement;
    struct sk_x5c x5c;
    struct sk_slice aaguid; /* that the statement is about */
};

/* The next item of an object whose form is already known to be right: a key, which must be this. */
static int take_key(struct sk_slice *rest, struct sk_slice name)
{
    struct sk_slice key;
    return sk_cbor_take(rest, &key) != SK_WEBAUTHN_GOOD || !sk_slice_eq(sk_slice_from(key, 1), name) ||
           (uint8_t)key.data[0] != (0x60 | name.len);
}

/* Without its head, which ends where the content begins: it has as many bytes as are left over. */
static struct sk_slice content(struct sk_slice item, uint8_t major)
{
    uint8_t first = (uint8_t)item.data[0], more = first & 31;
    size_t head = 1 + (more < 24 ? 0 : (size_t)1 << (more - 24));
    return first >> 5 == major ? sk_slice_from(item, head) : SK_SLICE_NULL;
}

enum sk_webauthn_outcome sk_attestation_split(struct sk_slice object, struct sk_attestation_parts *parts)
{
    struct sk_slice rest = object, whole, format, data;
    enum sk_webauthn_outcome r = sk_cbor_take(&rest, &whole);
    if (r != SK_WEBAUTHN_GOOD || rest.len > 0) {
        return r != SK_WEBAUTHN_GOOD ? r : SK_WEBAUTHN_CBOR;
    }
    rest = sk_slice_from(object, 1);
    if ((uint8_t)object.data[0] != 0xa3 || take_key(&rest, SK_LIT("fmt")) || sk_cbor_take(&rest, &format) ||
            take_key(&rest, SK_LIT("attStmt")) || sk_cbor_take(&rest, &parts->statement) || take_key(&rest, SK_LIT("authData")) ||
            sk_cbor_take(&rest, &data)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    parts->format = content(format, 3);
    parts->authenticator_data = content(data, 2);
    return parts->format.len && parts->authenticator_data.len ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_MALFORMED;
}

static enum sk_webauthn_outcome check_none(struct work *work)
{
    return sk_cbor_map_size(work->statement) == 0 ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_MALFORMED;
}

/* `alg`, `sig` and, where there is one, the certificate with a key of that algorithm. */
static enum sk_webauthn_outcome read_statement(struct work *work, struct sk_statement *statement)
{
    const cbor_item_t *x5c = sk_cbor_named(work->statement, SK_LIT("x5c"));
    statement->signature = sk_cbor_bytes(sk_cbor_named(work->statement, SK_LIT("sig")));
    if (statement->signature.len == 0) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (!x5c) {
        return SK_WEBAUTHN_GOOD;
    }
    enum sk_webauthn_outcome r = sk_x5c_load(x5c, &work->x5c);
    if (r != SK_WEBAUTHN_GOOD) {
        return r;
    }
    statement->pkey = X509_get0_pubkey(work->x5c.chain[0]);
    if (!statement->pkey) {
        return SK_WEBAUTHN_MALFORMED;
    }
    return sk_cose_fits(statement->algorithm, statement->pkey) ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_ALGORITHM;
}

static enum sk_webauthn_outcome check_packed(struct work *work)
{
    struct sk_statement statement = {.format = work->parts.format, .raw = work->parts.statement};
    if (sk_cbor_int(sk_cbor_named(work->statement, SK_LIT("alg")), &statement.algorithm)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    enum sk_webauthn_outcome r = read_statement(work, &statement);
    if (r == SK_WEBAUTHN_GOOD && sk_cbor_map_size(work->statement) != (statement.pkey ? 3U : 2U)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (r == SK_WEBAUTHN_GOOD && !statement.pkey && statement.algorithm != work->what->key->algorithm) {
        return SK_WEBAUTHN_ALGORITHM;
    }
    if (r == SK_WEBAUTHN_GOOD) {
        r = sk_signature_of_statement(work->what, &statement);
    }
    return r == SK_WEBAUTHN_GOOD && statement.pkey ? sk_x5c_fits_packed(&work->x5c, work->aaguid) : r;
}

/* Such a key has no user verification, no backup and no counter yet, and its signature covers none of that. */
static enum sk_webauthn_outcome check_u2f(struct work *work)
{
    const struct sk_authenticator *a = work->what->authenticator;
    struct sk_statement statement = {.format = work->parts.format, .raw = work->parts.statement, .algorithm = SK_COSE_ES256};
    if (sk_cbor_map_size(work->statement) != 2 || a->flags != (SK_FLAG_PRESENT | SK_FLAG_CREDENTIAL) || a->counter != 0) {
        return SK_WEBAUTHN_MALFORMED;
    }
    if (work->what->key->algorithm != SK_COSE_ES256) {
        return SK_WEBAUTHN_ALGORITHM;
    }
    work->aaguid = sk_slice(no_aaguid, sizeof(no_aaguid));
    enum sk_webauthn_outcome r = read_statement(work, &statement);
    if (r == SK_WEBAUTHN_GOOD && work->x5c.count != 1) {
        return SK_WEBAUTHN_MALFORMED;
    }
    return r == SK_WEBAUTHN_GOOD ? sk_signature_of_statement(work->what, &statement) : r;
}

static enum sk_webauthn_outcome check_tpm(struct work *work)
{
    struct sk_statement statement = {.algorithm = 0};
    if (sk_cbor_map_size(work->statement) != 6 ||
            !sk_slice_eq(sk_cbor_text(sk_cbor_named(work->statement, SK_LIT("ver"))), SK_LIT("2.0")) ||
            sk_cbor_int(sk_cbor_named(work->statement, SK_LIT("alg")), &statement.algorithm)) {
        return SK_WEBAUTHN_MALFORMED;
    }
    enum sk_webauthn_outcome r = read_statement(work, &statement);
    if (r != SK_WEBAUTHN_GOOD || work->x5c.count == 0) {
        return r != SK_WEBAUTHN_GOOD ? r : SK_WEBAUTHN_MALFORMED;
    }
    const struct sk_tpm_statement tpm = {.signature = statement.signature,
            .cert_info = sk_cbor_bytes(sk_cbor_named(work->statement, SK_LIT("certInfo"))),
            .pub_area = sk_cbor_bytes(sk_cbor_named(work->statement, SK_LIT("pubArea"))),
            .algorithm = statement.algorithm,
            .pkey = statement.pkey};
    r = sk_tpm_check(work->what, &tpm);
    return r == SK_WEBAUTHN_GOOD ? sk_x5c_fits_tpm(&work->x5c, work->aaguid) : r;
}

static const struct format {
    struct sk_slice name;
    enum sk_webauthn_outcome (*check)(struct work *work);
} formats[] = {
        {SK_LIT("none"), check_none}, {SK_LIT("packed"), check_packed}, {SK_LIT("fido-u2f"), check_u2f}, {SK_LIT("tpm"), check_tpm}};

static bool lists(struct sk_slice aaguids, struct sk_slice aaguid)
{
    for (; aaguids.len > 0; aaguids = sk_slice_from(aaguids, SK_AAGUID_SIZE)) {
        if (sk_slice_eq(sk_slice_cut(aaguids, SK_AAGUID_SIZE), aaguid)) {
            return true;
        }
    }
    return false;
}

/* Sixteen zeros name no model, so a list of those denied cannot know it: it passes when it is allowed by name. */
static bool is_allowed(const struct sk_factor_register *ask, struct sk_slice aaguid)
{
    bool named = !sk_slice_eq(aaguid, sk_slice(no_aaguid, sizeof(no_aaguid)));
    bool allowed = ask->allow.len > 0 ? lists(ask->allow, aaguid) : named || ask->deny.len == 0;
    return allowed && !lists(ask->deny, aaguid);
}

/* An AAGUID that nobody vouches for is what the client likes it to be: it is never compared with a list. */
static enum sk_webauthn_outcome ask_policy(const struct sk_factor_register *ask, struct sk_slice aaguid, bool certified, bool attested)
{
    bool required = ask->allow.len > 0 || ask->deny.len > 0 || (ask->policy & SK_FACTOR_ATTESTED);
    if (required && !attested) {
        return certified ? SK_WEBAUTHN_UNTRUSTED : SK_WEBAUTHN_UNATTESTED;
    }
    return !attested || is_allowed(ask, aaguid) ? SK_WEBAUTHN_GOOD : SK_WEBAUTHN_AUTHENTICATOR;
}

static enum sk_webauthn_outcome check(const struct sk_factor_register *ask, const struct format *format, struct work *work, bool *attested)
{
    enum sk_webauthn_outcome r = format->check(work);
    if (r != SK_WEBAUTHN_GOOD) {
        return r;
    }
    bool certified = work->x5c.count > 0;
    r = certified && ask->roots.len > 0 ? sk_x5c_trusted(&work->x5c, ask->roots, ask->now) : SK_WEBAUTHN_UNTRUSTED;
    if (r != SK_WEBAUTHN_GOOD && r != SK_WEBAUTHN_UNTRUSTED) {
        return r;
    }
    *attested = r == SK_WEBAUTHN_GOOD;
    return ask_policy(ask, work->aaguid, certified, *attested);
}

enum sk_webauthn_outcome sk_attestation_check(const struct sk_factor_register *ask, const struct sk_signed *what,
        const struct sk_attestation_parts *parts, struct sk_attestation *attestation)
{
    const struct format *format = NULL;
    for (size_t i = 0; i < SK_COUNT(formats) && !format; i++) {
        format = sk_slice_eq(formats[i].name, parts->format) ? &formats[i] : NULL;
    }
    if (!format) {
        return SK_WEBAUTHN_FORMAT;
    }
    SK_CBOR_ITEM statement = sk_cbor_load(parts->statement);
    if (!statement) {
        return SK_WEBAUTHN_BROKEN;
    }
    struct work work = {.what = what, .parts = *parts, .statement = statement, .aaguid = what->authenticator->aaguid};
    enum sk_webauthn_outcome r = check(ask, format, &work, &attestation->attested);
    attestation->format = format->name;
    attestation->aaguid = work.aaguid;
    sk_x5c_free(&work.x5c);
    return r;
}
