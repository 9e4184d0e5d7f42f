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

void auth_set_provider(struct auth *auth, const struct sk_control_provider *m)
{
    struct issuer *issuer = find(auth_tenant(auth, m->tenant), m->name);
    const struct sk_slice from[] = {m->user_claim, m->scopes, m->acr_values, m->factors, m->authorization, m->end_session};
    size_t size = 0;
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        size += from[i].len;
    }
    struct provider *provider = issuer ? malloc(sizeof(*provider) + size) : NULL;
    if (!provider) {
        return; /* nobody signs in there */
    }
    struct sk_slice *const to[] = {&provider->user_claim, &provider->scopes, &provider->acr_values, &provider->factors, &provider->authorization,
            &provider->end_session};
    char *at = (char *)(provider + 1);
    for (size_t i = 0; i < SK_COUNT(from); i++) {
        if (from[i].len) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = sk_slice(at, from[i].len);
        at += from[i].len;
    }
    provider->iss = m->iss;
    free(issuer->provider);
    issuer->provider = provider;
}

const struct issuer *auth_provider(const struct tenant *tenant, struct sk_slice name)
{
    const struct issuer *i = tenant->issuers;
    while (i && !(i->provider && sk_slice_eq(i->name, name))) {
        i = i->next;
    }
    return i;
}

int auth_provider_user(struct job *job, struct sk_slice name, struct sk_slice claims)
{
    struct sk_buf roles SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(8192);
    const struct issuer *provider = auth_provider(job->tenant, name);
    if (!provider || auth_map_roles(provider, claims, &roles)) {
        return 1;
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
