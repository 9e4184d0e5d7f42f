/* What users and programs prove themselves with beside passwords, keys and tokens. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* login.c */
/* Has job->password tried for job->user's name and network, as a login has: right, it comes to auth_admit. */
void auth_try_login(struct job *job);
/* The password was right, and the store knows. */
void auth_admit(struct job *job);

/* passwords.c */
void auth_password(struct auth *auth, uint64_t worker, const struct sk_auth_password *m);
/* The password that the session has is right: the chosen one takes its place. */
void auth_change_password(struct job *job);
/* The hash that was right is too cheap: a new one takes its place, then auth_admit. */
void auth_renew_hash(struct job *job);
/* What the factor helper made of it; NULL: nothing. */
void auth_hashed(struct job *job, const struct sk_factor_hashed *m);

/* certificates.c */
void auth_certificate(struct auth *auth, uint64_t worker, const struct sk_auth_certificate *m);

/* challenges.c */
#define CHALLENGE_SIGN_IN SK_WEBAUTHN_PURPOSES /* the others are those of enum sk_webauthn_purpose */
#define AUTH_CHALLENGE_LONGEST (600 * SK_SECOND)

/* For this purpose, by who has this session (or none), about `what`; for `lifetime` ns, AUTH_CHALLENGE_LONGEST at most. */
void auth_challenge_make(const struct job *job, uint64_t purpose, struct sk_slice session, struct sk_slice what, uint64_t lifetime,
        uint8_t challenge[SK_AUTH_CHALLENGE_SIZE]);
/* Is it one of ours, for this, not too old, and not used? NULL, or why not. */
const char *auth_challenge_fault(const struct job *job, uint64_t purpose, struct sk_slice session, struct sk_slice what, struct sk_slice given);
/* The answer to it was right: it is used up. 0; 1 it was already; negative. */
int auth_challenge_spend(struct job *job, const uint8_t challenge[SK_AUTH_CHALLENGE_SIZE]) sk_nodiscard;
/* What the tenant's used challenges are counted in goes. */
void auth_spent_drop_tenant(struct auth *auth, const struct tenant *tenant);

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
