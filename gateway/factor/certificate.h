/* The certificates of a statement: the forms that WebAuthn Level 3 asks of them (8.2.1, 8.3.1, 8.6), and who is above them. */
#pragma once

#include "factor/webauthn.h"

#include <cbor.h>
#include <openssl/x509.h>

#define SK_X5C_MAX 5
#define SK_CERTIFICATE_MAX 4096

/* `x5c`: an array of DER, the attestation's own first; that one is chain[0]. Free also what a refusal leaves. */
struct sk_x5c {
    X509 *chain[SK_X5C_MAX];
    size_t count;
};

enum sk_webauthn_outcome sk_x5c_load(const cbor_item_t *array, struct sk_x5c *x5c) sk_nodiscard;
void sk_x5c_free(struct sk_x5c *x5c);

/* `aaguid` must be that of the certificate, when it names one. GOOD or UNTRUSTED. */
enum sk_webauthn_outcome sk_x5c_fits_packed(const struct sk_x5c *x5c, struct sk_slice aaguid) sk_nodiscard;
enum sk_webauthn_outcome sk_x5c_fits_tpm(const struct sk_x5c *x5c, struct sk_slice aaguid) sk_nodiscard;

/*
 * Whether one of `roots` (PEM or DER) is above it, or is it, at `now`. Whoever is listed is believed, self-signed or not.
 * Nothing below 112 bits of strength is. GOOD, UNTRUSTED, QUESTION when `roots` is no list of certificates, BROKEN.
 */
enum sk_webauthn_outcome sk_x5c_trusted(const struct sk_x5c *x5c, struct sk_slice roots, uint64_t now) sk_nodiscard;
