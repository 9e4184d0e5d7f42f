/* People who sign in at a tenant's own identity provider. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* What of a provider its issuer's entry does not say (ipc/tenant.h). The texts stand behind it. */
struct provider {
    struct sk_slice user_claim, scopes, acr_values, factors, authorization, end_session;
    bool iss;
};

/* providers.c */
void auth_set_provider(struct auth *auth, const struct sk_control_provider *m);
/* NULL: the tenant has none of that name, or with that id. */
const struct issuer *auth_provider(const struct tenant *tenant, struct sk_slice name);
const struct issuer *auth_provider_with(const struct tenant *tenant, struct sk_slice id);
/* The job's user, by what the provider's claims said of roles: as the store would tell of one it has. What the provider vouches for no more is proven
 * no more. 0; 1 there is no such provider any more, or too much; negative. */
int auth_provider_user(struct job *job, const struct issuer *provider, struct sk_slice claims) sk_nodiscard;
/* Only its keys changed: these are in force, and all else goes on. False: there is no such provider. */
bool auth_provider_keys(struct issuer *provider, struct sk_slice jwks);
/* Where a browser is sent to end its session there, too; empty: nowhere. False when there is no memory. */
bool auth_provider_end(const struct job *job, struct sk_buf *url);

/* sign_in.c */
void auth_sign_in(struct auth *auth, uint64_t worker, const struct sk_auth_sign_in *m);
void auth_signed_in(struct auth *auth, uint64_t worker, const struct sk_auth_signed_in *m);
bool auth_is_exchanging(const struct job *job);
/* What came of the code; NULL: fetch is away. */
void auth_exchanged(struct job *job, const struct sk_fetch_exchanged *m);
/* Asks the factor helper. 0 or negative. */
int auth_sign_in_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
void auth_sign_in_claims(struct job *job, const struct sk_factor_claims *m);
/* What the session's row says of it; nothing when the job is no sign-in. */
void auth_sign_in_row(const struct job *job, struct sk_store_put_session *put);
/* The session that it replaces was somebody else's: that is on record, too. */
void auth_sign_in_took_over(struct job *job);
void auth_sign_in_free(struct job *job);

/* provider_logout.c */
void auth_provider_logout(struct auth *auth, uint64_t worker, const struct sk_auth_provider_logout *m);
int auth_provider_logout_ask(const struct job *job, struct sk_channel *helper) sk_nodiscard;
void auth_provider_logout_claims(struct job *job, const struct sk_factor_claims *m);
