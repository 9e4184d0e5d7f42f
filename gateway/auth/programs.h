/* How programs come in: keys, their own tokens and somebody else's. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* scope.c: 0 or negative */
/* Is this method of the app in it? */
bool auth_scope_allows(struct sk_slice scope, struct sk_slice app, struct sk_slice method);
int auth_scope_write(struct sk_slice scope, struct sk_buf *out) sk_nodiscard;
/* 1: it is malformed. */
int auth_scope_read(struct sk_slice text, struct sk_buf *out) sk_nodiscard;
/* Puts what of `wanted` is in `scope`; 1: that is not all of it. */
int auth_scope_within(struct sk_slice wanted, struct sk_slice scope, struct sk_buf *out) sk_nodiscard;

/* clients.c */
void auth_client(struct auth *auth, uint64_t worker, const struct sk_auth_client *m);
/* What the tenant's file says of the program beside its user: keys it signs with (or none), and whether its tokens are bound; NULL: nothing. */
const struct issuer *auth_client_entry(const struct tenant *tenant, struct sk_slice name);
/* What tokens are tied to that it asks for with those keys. */
void auth_client_credential(const struct issuer *client, uint8_t credential[SK_SHA256_SIZE]);
/* Asks the factor helper. 0 or negative. */
int auth_client_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
void auth_client_claims(struct job *job, const struct sk_factor_claims *m);

/* oauth.c */
void auth_issue(struct auth *auth, uint64_t worker, const struct sk_auth_issue *m);
/* False: it is not the job's host, with or without a port, and the job is refused. */
bool auth_take_authority(struct job *job, struct sk_slice authority) sk_nodiscard;
/* A copy. 0 or -ENOMEM. */
int auth_set_scope(struct job *job, struct sk_slice scope) sk_nodiscard;
/* auth_take_user within the job's scope, if it has one. 1: nothing is left of that. */
int auth_take_narrowed(struct job *job, const struct sk_store_got_user *got) sk_nodiscard;
/* By its header: whether it is right, the factor helper says. */
bool auth_is_own_token(const struct auth *auth, struct sk_slice bearer);
/* Asks the factor helper. 0 or negative. */
int auth_own_token_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
/* The program whose key or certificate the session is of. False: it is of none, and the job is refused. */
bool auth_take_program(struct job *job) sk_nodiscard;
/* What the helper read of a token that is right: whose it is, its session, scope and end. 0; 1 auth did not sign that. */
int auth_take_claims(struct job *job, const struct sk_factor_claims *m) sk_nodiscard;
struct sk_slice auth_token_id(const struct job *job);
/* Whether what the token stands for is still there, and it was not revoked: `then` hears why not, or NULL. */
void auth_token_holds(struct job *job, void (*then)(struct job *job, const char *fault));
void auth_own_claims(struct job *job, const struct sk_factor_claims *m);

/* inspect.c */
void auth_revoke_token(struct auth *auth, uint64_t worker, const struct sk_auth_revoke_token *m);
void auth_introspect(struct auth *auth, uint64_t worker, const struct sk_auth_introspect *m);
void auth_inspect_claims(struct job *job, const struct sk_factor_claims *m);

/* certificates.c */
/* The certificate of the job's connection, by its SHA-256; empty: none. */
void auth_take_certificate(struct job *job, struct sk_slice fingerprint);
/* Is this thumbprint of the certificate with that fingerprint, in hexadecimal digits? */
bool auth_certificate_is(const char thumbprint[SK_FACTOR_THUMBPRINT + 1], struct sk_slice digits);
/* What tokens are tied to that a program asks for with that certificate alone. */
void auth_certificate_credential(const char thumbprint[SK_FACTOR_THUMBPRINT + 1], uint8_t credential[SK_SHA256_SIZE]);
/* What the factor helper says that the token is bound to. */
void auth_take_binding(struct job *job, const struct sk_factor_claims *m);
/* Why a token of `name` that is bound so may not be presented as the job does; NULL: it may, and the job's proof is used up. */
const char *auth_binding_fault(struct job *job, const struct binding *binding, const char *name);

/* proofs.c */
typedef void auth_proof_then(struct job *job, const char *fault);
/* Has the proof of the job's request verified: `then` hears why it is wrong, or NULL. `token` empty: it brings none. */
void auth_prove(struct job *job, struct sk_slice proof, struct sk_slice method, struct sk_slice path, struct sk_slice token, auth_proof_then *then);
/* Why a token that is bound to this key (empty: to none) may not be presented as the job does; NULL: it may, and its proof is used up. */
const char *auth_proof_fault(struct job *job, struct sk_slice thumbprint);
/* Refuses the job's token for that. */
void auth_deny_token(struct job *job, const char *fault);
/* Of the key that made the job's proof; empty: there is none. */
struct sk_slice auth_proof_thumbprint(const struct job *job);
/* Asks the factor helper. 0 or negative. */
int auth_proof_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
/* NULL: nothing could be found out. */
void auth_proof_told(struct job *job, const struct sk_factor_proved *m);
void auth_proof_free(struct job *job);
void auth_proofs_drop_tenant(struct auth *auth, const struct tenant *tenant);

/* keys.c */
/* Takes the next of a program's keys, as the store has them; `bound`: to a certificate with this fingerprint, or empty. 0; 1 there are no more. */
int auth_next_key(struct sk_slice *keys, uint8_t hash[SK_SHA256_SIZE], uint64_t *until, struct sk_slice *bound) sk_nodiscard;
void auth_key(struct auth *auth, uint64_t worker, const struct sk_auth_key *m);
/* The key that is remembered so is used now: the store will know it, to some minutes. */
void auth_key_used(struct auth *auth, struct remembered *r);
void auth_list_api_keys(struct auth *auth, uint64_t worker, const struct sk_auth_list_api_keys *m);

/* issuers.c */
#define AUTH_NAME 257
/* By the issuer's map, a role for each value that the claims have; and those that all it knows have. 0 or negative. */
int auth_map_roles(const struct issuer *issuer, struct sk_slice values, struct sk_buf *roles) sk_nodiscard;
/* What its `subject` is called here: ISSUER:SUBJECT. False: that is too long. */
bool auth_name_of(const struct issuer *issuer, struct sk_slice subject, char name[AUTH_NAME]) sk_nodiscard;
/* Its keys may have changed: who comes again finds those in force. */
void auth_fetch_newer(struct auth *auth, const struct issuer *issuer);
void auth_token(struct auth *auth, uint64_t worker, const struct sk_auth_token *m);
/* Keeps a copy of the token to be verified. 0; 1 the job was refused. */
int auth_take_bearer(struct job *job, struct sk_slice bearer) sk_nodiscard;
/* Asks the factor helper about it. 0 or negative. */
int auth_token_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
/* What the factor helper says of the job's token; NULL: nothing could be found out. */
void auth_claims(struct job *job, const struct sk_factor_claims *m);
