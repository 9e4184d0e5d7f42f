/*
 * Worker ↔ auth. A worker asks; auth re-derives every fact from what it holds and answers by ticket. A credential
 * goes one way only, except the new cookie of a login. Every answer to an unknown or dead ticket is dropped.
 * auth decides for tenants and hosts that the supervisor named to it, and for no others. What a worker asks about a
 * session, or in its name, it asks with the `proof` of its grant: it can have none for a session it was not granted.
 */
#pragma once

#include "ipc/auth_trail.h"
#include "ipc/interface.h"

enum { SK_AUTH_FROM_WORKER = 1, SK_AUTH_FROM_AUTH = 2 };

/* How the client came, for the record: address (4 or 16 bytes), port, host, request id, agent. */
#define SK_AUTH_ORIGIN(U, I, T) I(tenant) I(request) T(address, 16) U(port) T(host, 261) T(agent, 256)

#define SK_AUTH_LOGIN_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(user, 256) T(password, 1024)
#define SK_AUTH_ANSWER_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(state, 64) T(answers, 4096)
#define SK_AUTH_BASIC_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(user, 256) T(password, 1024)
/* A program's key, sekisho_NAME_SECRET: its two parts. `fingerprint`: of the client certificate that it came with, or empty. */
#define SK_AUTH_KEY_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(user, 64) T(secret, 64) T(fingerprint, 32)
/* The holder of a client certificate, who has just proven its key: as the tenant's map names it, and the certificate's SHA-256. */
#define SK_AUTH_CERTIFICATE_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(user, 256) T(fingerprint, 32)
/* A token that somebody else signed, or auth itself. `authority`: the host as the client wrote it, with its port. `bound` 1: as
 * DPoP (RFC 9449), with this `proof` of the request. `fingerprint`: of the client certificate that it came with, or empty; `holder`: whose that is by the
 * tenant's map, or empty. */
#define SK_AUTH_TOKEN_FIELDS(U, I, T)                                                                        \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(bearer, 8192) U(bound) T(proof, 4096) T(method, 64) T(path, 8192) \
    T(fingerprint, 32) T(holder, 256)
/* An access token for the program whose key or certificate the session is of. `scope`: "APP METHODS", semicolon between; empty: all that the program may.
 * `dpop`: a proof, to whose key it is to be bound. `fingerprint`: of the connection's client certificate, or empty. */
#define SK_AUTH_ISSUE_FIELDS(U, I, T)                                                                        \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(session, 64) T(proof, 64) T(scope, 2048) T(dpop, 4096) T(fingerprint, 32)
/* `used`: boot time of the last request under the grant that this one renews, or 0. */
#define SK_AUTH_CHECK_FIELDS(U, I, T) U(ticket) I(tenant) T(host, 261) T(token, 64) U(used)
/* Renews a grant by its session where the worker holds no token any more: open streams. */
#define SK_AUTH_RENEW_FIELDS(U, I, T) U(ticket) I(tenant) T(host, 261) T(session, 64) T(proof, 64) U(used)
/* A session was used under a grant that still holds. `used`: boot time. No answer. */
#define SK_AUTH_USED_FIELDS(U, I, T) U(ticket) I(tenant) T(session, 64) T(proof, 64) U(used)
/* DONE; or REDIRECT to the identity provider that the session is from, to end the one there. */
#define SK_AUTH_LOGOUT_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(session, 64) T(proof, 64)
/* The sessions of one user, or of all when `user` is empty: some of them, those used last; DONE's count says how many
 * there are. `session` is the asker's own. */
#define SK_AUTH_LIST_FIELDS(U, I, T) U(ticket) I(tenant) T(session, 64) T(proof, 64) T(user, 256)
/* Ends one session, or all of a user when `target` is empty. `session` is the asker's own. */
#define SK_AUTH_REVOKE_FIELDS(U, I, T)                                                                       \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(target, 64) T(user, 256)
/* Bans in force of one user, or of all when `user` is empty: some of them, and DONE's count says how many there are. */
#define SK_AUTH_LIST_BANS_FIELDS(U, I, T) U(ticket) I(tenant) T(session, 64) T(proof, 64) T(user, 256)
/* Ends those of this user, of this network (an IPv4 address, or 8 bytes of an IPv6 one), or of both together. */
#define SK_AUTH_END_BANS_FIELDS(U, I, T)                                                                     \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(user, 256) T(network, 16)
/*
 * WebAuthn: a browser is offered a ceremony, and its answer verified (gateway/factor/webauthn.h). With a session it is about the session's user:
 * another proof, or another authenticator, which needs a fresh proof by one the user has. With a `link` it registers the first of the
 * user that the link is for. With neither it is a login, by whoever's authenticator it is. `challenge`: as it was offered.
 */
enum sk_webauthn_purpose { SK_WEBAUTHN_PROVE, SK_WEBAUTHN_REGISTER, SK_WEBAUTHN_PURPOSES };

#define SK_AUTH_CHALLENGE_SIZE 40U
#define SK_AUTH_HANDLE_SIZE 32U
#define SK_AUTH_CEREMONY(U, I, T) T(session, 64) T(proof, 64) T(link, 64)
#define SK_AUTH_BEGIN_FIELDS(U, I, T) U(ticket) I(tenant) T(host, 261) SK_AUTH_CEREMONY(U, I, T) U(purpose)
#define SK_AUTH_ASSERT_FIELDS(U, I, T)                                                                       \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) SK_AUTH_CEREMONY(U, I, T) T(challenge, 64)           \
    T(credential, 1023) T(handle, 64) T(client_data, 4096) T(authenticator, 1024) T(signature, 512)
#define SK_AUTH_REGISTER_FIELDS(U, I, T)                                                                     \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) SK_AUTH_CEREMONY(U, I, T) T(challenge, 64)           \
    T(client_data, 4096) T(attestation, 16384) T(label, 64)
/* Authenticators of a user. Removed: one by its id, or all with links and recovery codes when that is empty, and the user's sessions with it;
 * without a `user` one of the session's own, who must have proven one freshly, and keeps the sessions. */
#define SK_AUTH_LIST_AUTHENTICATORS_FIELDS(U, I, T) U(ticket) I(tenant) T(session, 64) T(proof, 64) T(user, 256)
#define SK_AUTH_DROP_AUTHENTICATORS_FIELDS(U, I, T)                                                          \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(user, 256) T(id, 16)
/* Keys of one program, or of all when `user` is empty: some of them, and DONE's count says how many there are. */
#define SK_AUTH_LIST_API_KEYS_FIELDS(U, I, T) U(ticket) I(tenant) T(session, 64) T(proof, 64) T(user, 256)
/* New recovery codes for the session's user, who must have proven an authenticator freshly; and one of them used. */
#define SK_AUTH_MAKE_CODES_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64)
#define SK_AUTH_RECOVER_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(code, 64)
/* A link by which this user registers an authenticator, or sets a password, once. `kind`: enum sk_voucher of ipc/store.h. */
#define SK_AUTH_MAKE_LINK_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(session, 64) T(proof, 64) T(user, 256) U(kind)
/* A new password: of the session's user, whose password it is now; or by a link. With it all of the user's sessions end; GRANT of a new one, or
 * DONE by a link. REFUSED also for the reasons of crypto/password.h. */
#define SK_AUTH_PASSWORD_FIELDS(U, I, T)                                                                     \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) SK_AUTH_CEREMONY(U, I, T) T(password, 1024) T(chosen, 1024)
/* Somebody wants to sign in at the tenant's identity provider of that name: REDIRECT there. Who has a session proves it again. */
#define SK_AUTH_SIGN_IN_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(session, 64) T(proof, 64) T(provider, 64)
/* And comes back, with what the provider says and what of REDIRECT the browser kept. A session that there is ends when this is granted. */
#define SK_AUTH_SIGNED_IN_FIELDS(U, I, T)                                                                    \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(session, 64) T(proof, 64) T(provider, 64) T(begun, 64) T(state, 64) \
    T(code, 4096) T(iss, 512) T(error, 64)
/* The provider says that somebody logged out there. */
#define SK_AUTH_PROVIDER_LOGOUT_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(provider, 64) T(bearer, 8192)
#define SK_AUTH_SECRETS_FIELDS(U, I, T) U(ticket) I(tenant) T(app, 64)

/* `factors`: how it was proven, as RFC 8176 names it. `proofs`: the same for the policy (sk_policy_proofs_text). `token`: after a login alone. `roles`, `networks`: names, comma between. `lifetime`: ns until it must be renewed. */
#define SK_AUTH_GRANT_FIELDS(U, I, T)                                                                        \
    U(ticket) I(tenant) T(token, 64) T(session, 64) T(proof, 64) T(subject, 256) T(roles, 8192) T(networks, 8192) T(scope, 2048) U(restricted)     \
    U(lifetime) T(factors, 128) T(proofs, 320) T(assertion, 32768)
/* `begun`: what the browser keeps until it is back, and `state` what the provider is to say then: text that may stand in a cookie. */
#define SK_AUTH_REDIRECT_FIELDS(U, I, T) U(ticket) T(url, 16384) T(begun, 64) T(state, 64)
/* `retry_after`: s; 0: that is not known, or it would not help. */
#define SK_AUTH_REFUSED_FIELDS(U, I, T) U(ticket) T(reason, 64) U(retry_after)
/* More is asked before the login is decided. `prompts`: one a line, "h" hidden or "v" visible before each, "i"/"e" text. */
#define SK_AUTH_PROMPT_FIELDS(U, I, T) U(ticket) T(state, 64) T(prompts, 4096)
/* `credentials`: each with its length before it, two bytes, the low one first: those to prove one of, or those that may not be registered again.
 * `verification`: enum sk_conf_verification. `attestation` 1: a statement is asked for. */
#define SK_AUTH_OFFER_FIELDS(U, I, T)                                                                        \
    U(ticket) T(challenge, 64) T(rp_id, 253) T(handle, 64) T(user, 256) T(credentials, 16500) U(verification) U(attestation)
#define SK_AUTH_AUTHENTICATOR_FIELDS(U, I, T)                                                                \
    U(ticket) I(id) T(label, 64) T(format, 32) U(synced) U(attested) I(aaguid) U(created) U(used)
/* As GOT_API_KEY of ipc/store.h. */
#define SK_AUTH_API_KEY_FIELDS(U, I, T) U(ticket) T(user, 256) T(sha256, 32) U(expires) T(certificate, 64) U(used)
/* Recovery codes, one a line, or a link's secret: told once, kept nowhere. */
#define SK_AUTH_TOLD_FIELDS(U, I, T) U(ticket) T(text, 1024)
/* A program that proves itself with a signature, good once (RFC 7523), to the token endpoint. */
#define SK_AUTH_CLIENT_FIELDS(U, I, T) U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(user, 64) T(bearer, 8192)
/* An access token of the program whose key or certificate the session is of: it is to end (DONE; `count` 0: there was none), or is it good? */
#define SK_AUTH_INSPECT_FIELDS(U, I, T)                                                                      \
    U(ticket) SK_AUTH_ORIGIN(U, I, T) T(authority, 261) T(session, 64) T(proof, 64) T(bearer, 8192)
/* `scope`: as OAuth writes it. `lifetime`: s. */
#define SK_AUTH_ISSUED_FIELDS(U, I, T) U(ticket) T(token, 8192) T(scope, 4096) U(lifetime) U(bound)
/* `active` 0: it is not, and the rest says nothing. `expires`: Unix seconds. `thumbprint`, `certificate`: as in CLAIMS of ipc/factor.h. */
#define SK_AUTH_INTROSPECTED_FIELDS(U, I, T) U(ticket) U(active) T(subject, 256) T(scope, 4096) T(id, 64) U(expires) T(thumbprint, 64) T(certificate, 64)
#define SK_AUTH_DONE_FIELDS(U, I, T) U(ticket) U(count)
#define SK_AUTH_SESSION_FIELDS(U, I, T) U(ticket) T(session, 64) T(subject, 256) U(started) U(used) T(address, 16)
/* `scope`: enum sk_ban_scope of ipc/store.h. `until`: wall ns; 0: until it is ended. */
#define SK_AUTH_BAN_FIELDS(U, I, T) U(ticket) U(scope) T(user, 256) T(network, 16) U(until)
#define SK_AUTH_SECRET_FIELDS(U, I, T) U(ticket) T(header, 128) T(value, 4096)
/* Drop every grant of this session, or of this subject, or of the tenant when both are empty. */
#define SK_AUTH_REVOKED_FIELDS(U, I, T) I(tenant) T(session, 64) T(subject, 256)
/* auth can decide (1) or cannot (0): without a store it cannot. */
#define SK_AUTH_STATE_FIELDS(U, I, T) U(open)
#define SK_AUTH_KEYS_FIELDS(U, I, T) T(jwks, 8192)

#define SK_AUTH_MESSAGES(M)                                                                                  \
    M(AUTH_LOGIN, auth_login, 1, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LOGIN_FIELDS)                               \
    M(AUTH_ANSWER, auth_answer, 2, SK_AUTH_FROM_WORKER, 0, SK_AUTH_ANSWER_FIELDS)                            \
    M(AUTH_BASIC, auth_basic, 3, SK_AUTH_FROM_WORKER, 0, SK_AUTH_BASIC_FIELDS)                               \
    M(AUTH_CHECK, auth_check, 4, SK_AUTH_FROM_WORKER, 0, SK_AUTH_CHECK_FIELDS)                               \
    M(AUTH_RENEW, auth_renew, 5, SK_AUTH_FROM_WORKER, 0, SK_AUTH_RENEW_FIELDS)                               \
    M(AUTH_LOGOUT, auth_logout, 6, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LOGOUT_FIELDS)                            \
    M(AUTH_LIST, auth_list, 7, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LIST_FIELDS)                                  \
    M(AUTH_REVOKE, auth_revoke, 8, SK_AUTH_FROM_WORKER, 0, SK_AUTH_REVOKE_FIELDS)                            \
    M(AUTH_SECRETS, auth_secrets, 9, SK_AUTH_FROM_WORKER, 0, SK_AUTH_SECRETS_FIELDS)                         \
    M(AUTH_USED, auth_used, 10, SK_AUTH_FROM_WORKER, 0, SK_AUTH_USED_FIELDS)                                 \
    M(AUTH_LIST_BANS, auth_list_bans, 11, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LIST_BANS_FIELDS)                  \
    M(AUTH_END_BANS, auth_end_bans, 12, SK_AUTH_FROM_WORKER, 0, SK_AUTH_END_BANS_FIELDS)                     \
    M(AUTH_KEY, auth_key, 13, SK_AUTH_FROM_WORKER, 0, SK_AUTH_KEY_FIELDS)                                    \
    M(AUTH_TOKEN, auth_token, 14, SK_AUTH_FROM_WORKER, 0, SK_AUTH_TOKEN_FIELDS)                              \
    M(AUTH_SIGN_IN, auth_sign_in, 70, SK_AUTH_FROM_WORKER, 0, SK_AUTH_SIGN_IN_FIELDS)                        \
    M(AUTH_SIGNED_IN, auth_signed_in, 71, SK_AUTH_FROM_WORKER, 0, SK_AUTH_SIGNED_IN_FIELDS)                  \
    M(AUTH_PROVIDER_LOGOUT, auth_provider_logout, 72, SK_AUTH_FROM_WORKER, 0, SK_AUTH_PROVIDER_LOGOUT_FIELDS) \
    M(AUTH_REDIRECT, auth_redirect, 73, SK_AUTH_FROM_AUTH, 0, SK_AUTH_REDIRECT_FIELDS)                       \
    M(AUTH_BEGIN, auth_begin, 40, SK_AUTH_FROM_WORKER, 0, SK_AUTH_BEGIN_FIELDS)                              \
    M(AUTH_ASSERT, auth_assert, 41, SK_AUTH_FROM_WORKER, 0, SK_AUTH_ASSERT_FIELDS)                           \
    M(AUTH_REGISTER, auth_register, 42, SK_AUTH_FROM_WORKER, 0, SK_AUTH_REGISTER_FIELDS)                     \
    M(AUTH_LIST_AUTHENTICATORS, auth_list_authenticators, 43, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LIST_AUTHENTICATORS_FIELDS) \
    M(AUTH_DROP_AUTHENTICATORS, auth_drop_authenticators, 44, SK_AUTH_FROM_WORKER, 0, SK_AUTH_DROP_AUTHENTICATORS_FIELDS) \
    M(AUTH_MAKE_CODES, auth_make_codes, 45, SK_AUTH_FROM_WORKER, 0, SK_AUTH_MAKE_CODES_FIELDS)               \
    M(AUTH_RECOVER, auth_recover, 46, SK_AUTH_FROM_WORKER, 0, SK_AUTH_RECOVER_FIELDS)                        \
    M(AUTH_MAKE_LINK, auth_make_link, 47, SK_AUTH_FROM_WORKER, 0, SK_AUTH_MAKE_LINK_FIELDS)                  \
    M(AUTH_PASSWORD, auth_password, 48, SK_AUTH_FROM_WORKER, 0, SK_AUTH_PASSWORD_FIELDS)                     \
    M(AUTH_SEARCH, auth_search, 80, SK_AUTH_FROM_WORKER, 0, SK_AUTH_SEARCH_FIELDS)                           \
    M(AUTH_TAKEN, auth_taken, 81, SK_AUTH_FROM_WORKER, 0, SK_AUTH_TAKEN_FIELDS)                              \
    M(AUTH_CANCEL, auth_cancel, 85, SK_AUTH_FROM_WORKER, 0, SK_AUTH_CANCEL_FIELDS)                           \
    M(AUTH_PROOF, auth_proof, 86, SK_AUTH_FROM_AUTH, 0, SK_AUTH_PROOF_FIELDS)                                \
    M(AUTH_RECORD, auth_record, 82, SK_AUTH_FROM_AUTH, 0, SK_AUTH_RECORD_FIELDS)                             \
    M(AUTH_COUNT, auth_count, 83, SK_AUTH_FROM_AUTH, 0, SK_AUTH_COUNT_FIELDS)                                \
    M(AUTH_FOUND, auth_found, 84, SK_AUTH_FROM_AUTH, 0, SK_AUTH_FOUND_FIELDS)                                \
    M(AUTH_ISSUE, auth_issue, 60, SK_AUTH_FROM_WORKER, 0, SK_AUTH_ISSUE_FIELDS)                              \
    M(AUTH_CLIENT, auth_client, 61, SK_AUTH_FROM_WORKER, 0, SK_AUTH_CLIENT_FIELDS)                           \
    M(AUTH_REVOKE_TOKEN, auth_revoke_token, 62, SK_AUTH_FROM_WORKER, 0, SK_AUTH_INSPECT_FIELDS)              \
    M(AUTH_INTROSPECT, auth_introspect, 63, SK_AUTH_FROM_WORKER, 0, SK_AUTH_INSPECT_FIELDS)                  \
    M(AUTH_INTROSPECTED, auth_introspected, 66, SK_AUTH_FROM_AUTH, 0, SK_AUTH_INTROSPECTED_FIELDS)           \
    M(AUTH_ISSUED, auth_issued, 65, SK_AUTH_FROM_AUTH, 0, SK_AUTH_ISSUED_FIELDS)                             \
    M(AUTH_LIST_API_KEYS, auth_list_api_keys, 16, SK_AUTH_FROM_WORKER, 0, SK_AUTH_LIST_API_KEYS_FIELDS)      \
    M(AUTH_API_KEY, auth_api_key, 53, SK_AUTH_FROM_AUTH, 0, SK_AUTH_API_KEY_FIELDS)                          \
    M(AUTH_OFFER, auth_offer, 50, SK_AUTH_FROM_AUTH, 0, SK_AUTH_OFFER_FIELDS)                                \
    M(AUTH_AUTHENTICATOR, auth_authenticator, 51, SK_AUTH_FROM_AUTH, 0, SK_AUTH_AUTHENTICATOR_FIELDS)        \
    M(AUTH_TOLD, auth_told, 52, SK_AUTH_FROM_AUTH, 0, SK_AUTH_TOLD_FIELDS)                                   \
    M(AUTH_CERTIFICATE, auth_certificate, 15, SK_AUTH_FROM_WORKER, 0, SK_AUTH_CERTIFICATE_FIELDS)            \
    M(AUTH_GRANT, auth_grant, 20, SK_AUTH_FROM_AUTH, 0, SK_AUTH_GRANT_FIELDS)                                \
    M(AUTH_REFUSED, auth_refused, 21, SK_AUTH_FROM_AUTH, 0, SK_AUTH_REFUSED_FIELDS)                          \
    M(AUTH_PROMPT, auth_prompt, 22, SK_AUTH_FROM_AUTH, 0, SK_AUTH_PROMPT_FIELDS)                             \
    M(AUTH_DONE, auth_done, 23, SK_AUTH_FROM_AUTH, 0, SK_AUTH_DONE_FIELDS)                                   \
    M(AUTH_SESSION, auth_session, 24, SK_AUTH_FROM_AUTH, 0, SK_AUTH_SESSION_FIELDS)                          \
    M(AUTH_SECRET, auth_secret, 25, SK_AUTH_FROM_AUTH, 0, SK_AUTH_SECRET_FIELDS)                             \
    M(AUTH_REVOKED, auth_revoked, 26, SK_AUTH_FROM_AUTH, 0, SK_AUTH_REVOKED_FIELDS)                          \
    M(AUTH_STATE, auth_state, 27, SK_AUTH_FROM_AUTH, 0, SK_AUTH_STATE_FIELDS)                                \
    M(AUTH_KEYS, auth_keys, 28, SK_AUTH_FROM_AUTH, 0, SK_AUTH_KEYS_FIELDS)                                   \
    M(AUTH_BAN, auth_ban, 29, SK_AUTH_FROM_AUTH, 0, SK_AUTH_BAN_FIELDS)

SK_IPC_DECLARE(auth, SK_AUTH_MESSAGES)
