/* What users and programs prove themselves with beside passwords, keys and tokens. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* certificates.c */
void auth_certificate(struct auth *auth, uint64_t worker, const struct sk_auth_certificate *m);

/* webauthn.c */
void auth_begin(struct auth *auth, uint64_t worker, const struct sk_auth_begin *m);
void auth_assert(struct auth *auth, uint64_t worker, const struct sk_auth_assert *m);
void auth_register(struct auth *auth, uint64_t worker, const struct sk_auth_register *m);
/* Asks the factor helper. 0 or negative. */
int auth_ceremony_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
/* What it found; NULL: nothing could be found out. */
void auth_ceremony_told(struct job *job, const void *message);
void auth_ceremony_free(struct job *job);
/* A proof by an authenticator, or by a recovery code, that is fresh enough to change what the user proves himself with. */
bool auth_fresh(const struct job *job);

/* authenticators.c */
void auth_list_authenticators(struct auth *auth, uint64_t worker, const struct sk_auth_list_authenticators *m);
void auth_drop_authenticators(struct auth *auth, uint64_t worker, const struct sk_auth_drop_authenticators *m);
void auth_make_codes(struct auth *auth, uint64_t worker, const struct sk_auth_make_codes *m);
void auth_recover(struct auth *auth, uint64_t worker, const struct sk_auth_recover *m);
void auth_make_link(struct auth *auth, uint64_t worker, const struct sk_auth_make_link *m);
