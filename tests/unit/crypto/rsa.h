/* RSA keys made for one test, as PEM. Tests alone. */
#pragma once

#define RSA_PEM 8192

struct rsa {
    char public[RSA_PEM], private[RSA_PEM];
};

/* By chance. It takes long: one or two of 3072 bits for a test are enough. */
void rsa_make(struct rsa *rsa, unsigned bits);
/* A public key of just so many bits, at once, for which there is no private one. */
void rsa_public(unsigned bits, char pem[RSA_PEM]);
/* None of RSA, which is one all the same: of the curve P-256. */
void rsa_make_curve(struct rsa *rsa);
/* None of RSA as it is used here: one that is for signatures of PSS alone, of 3072 bits. */
void rsa_make_pss(struct rsa *rsa);
/* The private key as a file has it that is opened with a passphrase. */
void rsa_encrypt(const struct rsa *rsa, const char *passphrase, char pem[RSA_PEM]);
