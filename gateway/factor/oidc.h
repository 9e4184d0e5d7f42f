/*
 * What an identity provider's tokens say beside being right (token.h): ID tokens (OpenID Connect Core 1.0 section 3.1.3.7) and logout tokens
 * (Back-Channel Logout 1.0 section 2.6). Pure.
 */
#pragma once

#include "factor/token.h"

/* SK_TOKEN_NONE: the claims, of a token that sk_token_verify found right, are such a token's; else why not. */
enum sk_token_refusal sk_oidc_check(const struct sk_token_claims *claims, const struct sk_token_expected *expected) sk_nodiscard;

/* Who it is by the claim of this name, by which the tenant knows its people: 1 to SK_TOKEN_SUBJECT_MAX bytes, no control characters. The empty
 * text when there is none; so is an e-mail address that the provider does not say to have verified. */
struct sk_slice sk_oidc_user(const struct sk_token_claims *claims, struct sk_slice name);
/* When the provider saw its user prove it, in Unix seconds; 0: it does not say, or nothing that could be. */
uint64_t sk_oidc_authenticated(const struct sk_token_claims *claims);
/* The session at the provider; empty: it does not say, or more than SK_TOKEN_SUBJECT_MAX bytes. */
struct sk_slice sk_oidc_session(const struct sk_token_claims *claims);
