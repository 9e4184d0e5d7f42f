/* An authority that is the same in every run, one of its clients, and lists that it signs. Fuzzers alone. */
#pragma once

#include "base/buf.h"

#include <openssl/x509.h>

struct fuzz_authority {
    EVP_PKEY *key; /* the client has the same */
    X509 *root, *client;
    struct sk_buf pem; /* of the root */
};

/* From then on nobody is asked for a password: whoever would be, ends the run. */
const struct fuzz_authority *fuzz_authority(void);
/* Its list as PEM, of this number, from the first day of `year` to the end of 2099; a delta list when `base` is not 0. */
void fuzz_list(long number, long base, unsigned year, bool revoked, struct sk_buf *pem);
/* Has the list signed by the authority, in its name, whatever it says. NULL: it cannot be. */
X509_CRL *fuzz_signed(struct sk_slice der);
void fuzz_put_pem(X509_CRL *list, struct sk_buf *pem);
/* The DER of the first list in PEM. The caller's. */
struct sk_buf fuzz_der(struct sk_slice pem);
