/* Identity providers as the tenant files name them, and the users they bring. */
#include "auth/providers.h"
#include "auth/programs.h"

#include "base/text.h"

#include <stdlib.h>

static struct issuer *find(struct tenant *tenant, struct sk_slice name)
{
    struct issuer *i = tenant ? tenant->issuers : NULL;
    while (i && !(i->kind == SK_ISSUER_PROVIDER && i->seen && sk_slice_eq(i->name, name))) {
        i = i->next;
    }
    return i;
}

static void make_id(struct issuer *i)
{
    uint8_t hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {i->name, SK_LIT("\n"), i->issuer, SK_LIT("\n"), i->audience, SK_LIT("\n"), i->provider->user_claim};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    sk_hex_encode(hash, sizeof(i->id) / 2, i->id);
}

void auth_set_provider(struct auth *auth, const struct sk_control_provider *m)
{
    struct issuer *issuer = find(auth_tenant(auth, m->tenant), m->name);
    const struct sk_slice from[] = {m->user_claim, m->scopes, m->acr_values, m->factors, m->authorization, m->end_session};
    size_t size = sizeof(struct provider) + auth_texts_size(from, SK_COUNT(from));
    struct provider *provider = issuer ? malloc(size) : NULL;
    if (!provider) {
        return; /* nobody signs in there */
    }
    struct sk_slice *const to[] = {&provider->user_claim, &provider->scopes, &provider->acr_values, &provider->factors, &provider->authorization,
            &provider->end_session};
    auth_texts_copy((char *)(provider + 1), from, to, SK_COUNT(from));
    provider->iss = m->iss;
    bool other = issuer->provider && !sk_slice_eq(issuer->provider->factors, provider->factors);
    free(issuer->provider);
    issuer->provider = provider;
    make_id(issuer);
    if (other) {
        auth_revoke(auth, m->tenant, SK_SLICE_NULL, SK_SLICE_NULL); /* what its people have proven is asked for anew */
    }
}

bool auth_provider_keys(struct issuer *provider, struct sk_slice jwks)
{
    char *keys = malloc(jwks.len + 1);
    if (!keys) {
        return false;
    }
    if (jwks.len) {
        memcpy(keys, jwks.data, jwks.len);
    }
    free(provider->keys);
    provider->keys = keys;
    provider->jwks = sk_slice(keys, jwks.len);
    return true;
}

const struct issuer *auth_provider(const struct tenant *tenant, struct sk_slice name)
{
    const struct issuer *i = tenant->issuers;
    while (i && !(i->provider && sk_slice_eq(i->name, name))) {
        i = i->next;
    }
    return i;
}

const struct issuer *auth_provider_with(const struct tenant *tenant, struct sk_slice id)
{
    const struct issuer *i = tenant->issuers;
    while (i && !(i->provider && sk_slice_eq(sk_slice_str(i->id), id))) {
        i = i->next;
    }
    return i;
}

static bool vouches_for(const struct provider *provider, enum sk_policy_factor factor)
{
    bool found = factor == SK_POLICY_FACTOR_OIDC;
    for (struct sk_slice rest = provider->factors; rest.len && !found;) {
        struct sk_slice name = sk_slice_split(&rest, '\n');
        (void)sk_slice_split(&name, ',');
        found = sk_policy_find_factor(name) == (int)factor;
    }
    return found;
}

int auth_provider_user(struct job *job, const struct issuer *provider, struct sk_slice claims)
{
    struct sk_buf roles SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    if (!provider || auth_map_roles(provider, claims, &roles)) {
        return 1;
    }
    for (int factor = 0; factor < SK_POLICY_FACTORS; factor++) {
        job->proven[factor] = vouches_for(provider->provider, (enum sk_policy_factor)factor) ? job->proven[factor] : 0;
    }
    const struct sk_store_got_user user = {.known = 1, .name = sk_slice_str(job->name), .roles = sk_buf_peek(&roles), .networks = provider->networks,
            .restricted = provider->restricted};
    return auth_take_user(job, &user);
}

/* OpenID Connect RP-Initiated Logout 1.0. The ID token, which would be the hint, was not kept: the provider may ask its user. */
bool auth_provider_end(const struct job *job, struct sk_buf *url)
{
    const struct issuer *i = job->issuer;
    struct sk_slice at = i && i->provider ? i->provider->end_session : SK_SLICE_NULL;
    if (at.len == 0) {
        return true;
    }
    int r = sk_buf_put(url, at);
    r = r ? r : sk_buf_printf(url, "%sclient_id=", sk_slice_find(at, '?') < at.len ? "&" : "?");
    r = r ? r : sk_percent_put(url, i->audience);
    r = r ? r : sk_buf_printf(url, "&post_logout_redirect_uri=https%%3A//");
    r = r ? r : sk_percent_put(url, sk_slice_str(job->authority));
    return (r ? r : sk_buf_put(url, SK_LIT("/.sekisho/logout"))) == 0;
}
