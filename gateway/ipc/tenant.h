/*
 * What a tenant's image holds beside its policy, as messages one behind the other (conf/image.h). Never sent over a
 * channel: the codec is used for its bounds.
 */
#pragma once

#include "ipc/interface.h"

enum { SK_TENANT_IN_IMAGE = 1 };

/* Bits of APP.identity: which headers name the subject to the upstream. */
enum {
    SK_IDENTITY_ASSERTION = 1,      /* X-Sekisho-Jwt-Assertion */
    SK_IDENTITY_FORWARDED_USER = 2, /* X-Forwarded-User, -Groups */
    SK_IDENTITY_AUTH_REQUEST = 4,   /* X-Auth-Request-User, -Groups */
    SK_IDENTITY_REMOTE = 8,         /* Remote-User, -Groups */
    SK_IDENTITY_CLIENT_CERT = 16,   /* Client-Cert (RFC 9440) */
    SK_IDENTITY_CLIENT_CERT_CHAIN = 32,
};

/* `checked`: an app has a health check, so that the apps are needed before the first request. `programs`: there are some. */
#define SK_TENANT_SETTINGS_FIELDS(U, I, T)                                                                   \
    T(name, 64) T(service, 64) U(connections) U(requests) U(body) U(inactivity) U(expiration) U(checked) \
    U(max_retries) U(find_time) U(ban_time) U(password_least) U(programs)
#define SK_TENANT_HOST_FIELDS(U, I, T) T(name, 255)
#define SK_TENANT_CERTIFICATE_FIELDS(U, I, T) T(chain, 65536) T(key, 16384)
/* Clients are asked for a certificate (tls/trust.h). `map`: who is who by it, "BY VALUE" or "BY", of numbers of enum sk_conf_named_by, then a
 * line feed and the user, one after the other with a line feed between; no user: as the certificate says. `sources`: ids of those whose lists
 * are to be `fetched`, 16 bytes each. Before the apps. */
#define SK_TENANT_CLIENTS_FIELDS(U, I, T) T(ca, 65536) T(crls, 1048576) U(required) U(stale_crl) T(map, 65536)                                     \
    T(sources, 128) T(fetched, 8388608)
/* In the order of the policy's apps, from index 1. `inject`: names of headers whose values the store holds. */
#define SK_TENANT_APP_FIELDS(U, I, T) U(identity) T(inject, 1024) T(health, 1024) U(interval) T(ca, 65536)
/* Somebody else who signs tokens. Lists with a byte between: types and roles and networks a comma, roles_claim and map ("VALUE,ROLE")
 * a line feed, scope a semicolon. For auth alone. CLIENT: a program of the tenant, of which name and jwks (which may be empty) say how it proves itself,
 * `bound` that its access tokens are bound to its client certificate, and nothing else says anything. PROVIDER: where people sign in; its own
 * message follows.
 * `source`: of the keys, when they are fetched; else zeros. */
enum sk_issuer_kind { SK_ISSUER_FOREIGN, SK_ISSUER_CLIENT, SK_ISSUER_PROVIDER };

#define SK_TENANT_ISSUER_FIELDS(U, I, T)                                                                     \
    T(name, 64) T(issuer, 512) T(audience, 1024) T(types, 256) T(roles_claim, 512) T(map, 4096)              \
    T(roles, 2048) T(networks, 2048) T(scope, 1024) U(restricted) U(kind) U(bound) I(source) T(jwks, 49152)
/* Of the PROVIDER before it. `scopes` and `acr_values`: as the request to it has them. `factors`: "VALUE,FACTOR", a line feed between: what its amr and
 * acr count as. The rest its metadata said; empty: it is not known yet.
 * `iss` 1: its answers always name it (RFC 9207). For auth; the workers read its name. */
#define SK_TENANT_PROVIDER_FIELDS(U, I, T)                                                                   \
    T(name, 64) I(source) T(user_claim, 64) T(scopes, 520) T(acr_values, 512) T(factors, 1024) \
    T(authorization, 2048) T(end_session, 2048) U(iss)
/* What is to be fetched for the tenant (ipc/fetch.h). `kind`: enum sk_source. `ca`: of keys and providers, whose certificates their server may have
 * (empty: the system's authorities); of lists, who may sign them. For the supervisor alone. */
#define SK_TENANT_SOURCE_FIELDS(U, I, T) I(id) I(tenant) U(kind) T(url, 2048) T(ca, 32768)
/* FIDO2: `policy` bits of enum sk_factor_policy, and whether a user is to be verified (enum sk_conf_verification); `allow` and `deny` AAGUIDs
 * of 16 bytes; `most` authenticators of one user. For auth alone. */
#define SK_TENANT_FIDO2_FIELDS(U, I, T)                                                                      \
    T(rp_id, 253) U(policy) U(verification) T(roots, 24576) T(allow, 4096) T(deny, 4096) U(most)
/* Belongs to the app before it. `name`: what the certificate must say, for tls. */
#define SK_TENANT_UPSTREAM_FIELDS(U, I, T) U(tls) T(name, 255) T(address, 64)

#define SK_TENANT_MESSAGES(M)                                                                                \
    M(TENANT_SETTINGS, tenant_settings, 1, SK_TENANT_IN_IMAGE, 0, SK_TENANT_SETTINGS_FIELDS)                 \
    M(TENANT_HOST, tenant_host, 2, SK_TENANT_IN_IMAGE, 0, SK_TENANT_HOST_FIELDS)                             \
    M(TENANT_CERTIFICATE, tenant_certificate, 3, SK_TENANT_IN_IMAGE, 0, SK_TENANT_CERTIFICATE_FIELDS)        \
    M(TENANT_APP, tenant_app, 4, SK_TENANT_IN_IMAGE, 0, SK_TENANT_APP_FIELDS)                                \
    M(TENANT_UPSTREAM, tenant_upstream, 5, SK_TENANT_IN_IMAGE, 0, SK_TENANT_UPSTREAM_FIELDS)                 \
    M(TENANT_ISSUER, tenant_issuer, 6, SK_TENANT_IN_IMAGE, 0, SK_TENANT_ISSUER_FIELDS)                       \
    M(TENANT_FIDO2, tenant_fido2, 8, SK_TENANT_IN_IMAGE, 0, SK_TENANT_FIDO2_FIELDS)                          \
    M(TENANT_CLIENTS, tenant_clients, 9, SK_TENANT_IN_IMAGE, 0, SK_TENANT_CLIENTS_FIELDS)                    \
    M(TENANT_SOURCE, tenant_source, 10, SK_TENANT_IN_IMAGE, 0, SK_TENANT_SOURCE_FIELDS)                      \
    M(TENANT_PROVIDER, tenant_provider, 11, SK_TENANT_IN_IMAGE, 0, SK_TENANT_PROVIDER_FIELDS)

SK_IPC_DECLARE(tenant, SK_TENANT_MESSAGES)
