/* Certificates and keys made for one test, in PEM. Tests alone. */
#pragma once

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
