/*
 * Programs that prove themselves with a signature instead of a secret (RFC 7523, private_key_jwt): each assertion is for the token endpoint alone,
 * short-lived, and good once, over a restart too. A factor helper verifies it with the keys that the tenant's file has for that program.
 */
#include "auth/programs.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/text.h"
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

#define LIFETIME_MAX 300U /* s that an assertion may have left */

const struct issuer *auth_client_entry(const struct tenant *tenant, struct sk_slice name)
{
    const struct issuer *i = tenant->issuers;
    while (i && !(i->kind == SK_ISSUER_CLIENT && sk_slice_eq(i->name, name))) {
        i = i->next;
    }
    return i;
}

void auth_client_credential(const struct issuer *client, uint8_t credential[SK_SHA256_SIZE])
{
    const struct sk_slice parts[] = {SK_LIT("jwks\n"), client->jwks};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), credential);
}

int auth_client_ask(const struct job *job, struct sk_channel *helper)
{
    const struct issuer *i = job->issuer;
    char audiences[2 * sizeof(job->authority) + 64];
    int len = snprintf(audiences, sizeof(audiences), "https://%s\nhttps://%s/.sekisho/oauth/token", job->authority, job->authority);
    struct sk_factor_token m = {.ticket = job->id, .token = sk_slice(job->bearer, job->bearer_len), .jwks = i->jwks, .issuer = i->name,
            .audience = sk_slice(audiences, (size_t)len), .types = SK_LIT("JWT,client-authentication+jwt"),
            .now = sk_clock_wall() / SK_SECOND, .leeway = AUTH_TOKEN_LEEWAY};
    return sk_channel_send(helper, SK_FACTOR_TOKEN, &m, NULL);
}

static void client_user(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else if (!job->user.known || job->user.backend != SK_BACKEND_KEY) {
        auth_deny(job, "login-failed", job->user.known ? "no-program" : "unknown-user");
    } else if (job->user.disabled) {
        auth_deny(job, "login-failed", "account-disabled");
    } else {
        auth_client_credential(job->issuer, job->credential);
        job->issuer = NULL;
        auth_admit_program(job, SK_POLICY_FACTOR_KEY);
    }
}

static void spent(struct job *job, uint16_t code, const void *message)
{
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->status == 1 || result->status == 2) {
        auth_refuse(job, "store-unavailable");
    } else if (result->status == 3) {
        auth_refuse(job, "busy");
    } else if (result->status == 4) {
        auth_deny(job, "login-failed", "token-used");
    } else {
        auth_ask_user(job, sk_slice_str(job->name), client_user);
    }
}

/* Why an assertion is refused whose signature is right; NULL: it is not. */
static const char *fault(const struct job *job, const struct sk_factor_claims *m)
{
    if (!sk_slice_eq(m->subject, sk_slice_str(job->name))) {
        return "token-subject";
    }
    if (m->expires > sk_clock_wall() / SK_SECOND + LIFETIME_MAX + AUTH_TOKEN_LEEWAY) {
        return "token-lifetime";
    }
    return m->id.len ? NULL : "token-no-id";
}

void auth_client_claims(struct job *job, const struct sk_factor_claims *m)
{
    const char *why = m->reason.len ? NULL : fault(job, m);
    if (m->reason.len || why) {
        auth_copy(job->why, sizeof(job->why), why ? sk_slice_str(why) : m->reason);
        auth_deny(job, "login-failed", job->why);
        return;
    }
    uint8_t hash[SK_SHA256_SIZE];
    char id[2 * SK_SHA256_SIZE + 1];
    const struct sk_slice parts[] = {SK_LIT("assertion\n"), sk_slice_str(job->name), SK_LIT("\n"), m->id};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    sk_hex_encode(hash, sizeof(hash), id);
    struct sk_store_spend spend = {.ticket = job->id, .id = sk_slice_str(id), .ends = (m->expires + AUTH_TOKEN_LEEWAY) * SK_SECOND, .now = sk_clock_wall()};
    memcpy(spend.tenant, job->tenant->id, SK_ID_SIZE);
    auth_ask_store(job, SK_STORE_SPEND, &spend, spent);
}

void auth_client(struct auth *auth, uint64_t worker, const struct sk_auth_client *m)
{
    struct job *job = auth_job(auth, worker, m->ticket, SK_AUTH_CLIENT, m->tenant, m->host);
    if (!job) {
        return;
    }
    TAKE_ORIGIN(job, m);
    auth_copy(job->name, sizeof(job->name), m->user);
    sk_random(job->key, sizeof(job->key)); /* nothing is found by it again */
    if (!auth_take_authority(job, m->authority)) {
        return;
    }
    const struct issuer *entry = auth_client_entry(job->tenant, m->user);
    job->issuer = entry && entry->jwks.len ? entry : NULL;
    if (!job->issuer) {
        auth_deny(job, "login-failed", "no-client-keys");
    } else if (auth_take_bearer(job, m->bearer) == 0) {
        auth_verify(job);
    }
}
