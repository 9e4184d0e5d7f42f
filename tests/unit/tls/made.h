/* Certificates and keys made for one test, in PEM. Tests alone. */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

struct made {
    EVP_PKEY *key;
    X509 *cert;
    char key_pem[8192], cert_pem[8192];
};

/* `names`: "DNS:a.test,DNS:b.test". `bits`: of an RSA key; 0 for P-256. Signed by `issuer`, or by itself. */
void made_make(struct made *made, const char *common, const char *names, int bits, const struct made *issuer);
void made_free(struct made *made);

#define MADE_HOUR 3600L

/* What is particular about a certificate of a client or an authority; all else is as it should be. */
struct made_spec {
    const char *common;
    const struct made *issuer;  /* NULL: itself */
    const char *extensions[5][2]; /* name and value, as openssl x509v3_config(5) has them, before those by default */
    const char *curve;          /* NULL: P-256 */
    int bits;                   /* of an RSA key; 0: none */
    bool authority, bare;       /* `bare`: only the extensions given */
    bool sha1;
    long from, to; /* seconds from now; both 0: an hour ago, in a day */
};

void made_certificate(struct made *made, const struct made_spec *spec);

/* A revocation list by an authority, appended as PEM. */
struct made_list {
    const struct made *issuer, *revoked, *removed; /* NULL: nobody */
    long number, base;                             /* `base`: of a delta list; 0: a full one */
    long from, to;                                 /* as above; `endless`: names no time for the next */
    bool endless, sha1, unidentified;              /* `unidentified`: does not say by which key */
    bool garbled;                                  /* says that it is a delta list, of what nobody can read */
};

void made_list(char *out, size_t size, const struct made_list *list);
