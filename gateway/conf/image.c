/* Compiles tenant images. Runs in the supervisor and in the tools. */
#include "conf/image.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/password.h"
#include "ipc/factor.h"
#include "ipc/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRIES_DEFAULT 5
#define AUTHENTICATORS_DEFAULT 10

struct compiling {
    const struct sk_conf *conf;
    const struct sk_conf_tenant *tenant;
    const char *file;
    struct sk_slice text;
    struct sk_buf *image;
    struct sk_conf_error *error;
};

void sk_image_tenant_id(const char *service, const char *tenant, uint8_t id[SK_ID_SIZE])
{
    uint8_t hash[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {sk_slice_str(service), SK_LIT("\n"), sk_slice_str(tenant)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    memcpy(id, hash, SK_ID_SIZE);
}

static int put_message(struct sk_buf *image, uint16_t code, const void *message)
{
    size_t most = (code == SK_TENANT_CLIENTS ? (size_t)9472 : (size_t)160) << 10;
    uint32_t len = 0;
    char *to = sk_buf_reserve(image, most);
    if (!to) {
        return -ENOBUFS;
    }
    int n = sk_ipc_encode(&sk_tenant_interface, code, message, (uint8_t *)to + sizeof(len), most - sizeof(len));
    if (n < 0) {
        return n;
    }
    len = (uint32_t)n;
    memcpy(to, &len, sizeof(len));
    sk_buf_commit(image, sizeof(len) + len);
    return 0;
}

static const struct sk_conf_service *find_service(const struct sk_conf *conf, const char *name)
{
    for (unsigned i = 0; i < conf->services_count; i++) {
        if (strcmp(conf->services[i].name, name) == 0) {
            return &conf->services[i];
        }
    }
    return NULL;
}

/* The tenant's own word, else its service's, else the default. Texts were checked when they were read. */
static uint64_t pick_duration(const char *own, const char *service, const char *otherwise)
{
    uint64_t value = 0;
    (void)!sk_duration_parse(sk_slice_str(own ? own : service ? service : otherwise), &value);
    return value;
}

static void cap(struct sk_tenant_settings *m, const char *demand)
{
    uint64_t idle, life;
    sk_policy_level_limits(demand, &idle, &life);
    m->inactivity = idle < m->inactivity / SK_SECOND ? idle * SK_SECOND : m->inactivity;
    m->expiration = life < m->expiration / SK_SECOND ? life * SK_SECOND : m->expiration;
}

/* A tenant that names a level of SP 800-63B anywhere keeps its sessions within the level's limits everywhere. */
static void cap_sessions(const struct sk_conf_tenant *t, struct sk_tenant_settings *m)
{
    cap(m, t->factors);
    for (unsigned i = 0; i < t->apps_count; i++) {
        cap(m, t->apps[i].factors);
        for (unsigned k = 0; k < t->apps[i].step_up_count; k++) {
            const char *demand = strchr(t->apps[i].step_up[k], '/');
            cap(m, demand ? strchr(demand, ' ') : NULL);
        }
    }
    for (unsigned i = 0; i < t->roles_count; i++) {
        cap(m, t->roles[i].factors);
    }
}

static int put_settings(struct compiling *c)
{
    const struct sk_conf_tenant *t = c->tenant;
    const struct sk_conf_service *service = find_service(c->conf, t->service);
    if (!service) {
        return sk_conf_refuse(c->error, c->file, c->text, "service", "sekisho.yaml has no service named '%s'", t->service);
    }
    uint64_t body = 0;
    const char *text = t->limits.body ? t->limits.body : service->limits.body;
    (void)!sk_size_parse(sk_slice_str(text ? text : "0"), &body);
    struct sk_tenant_settings m = {.name = sk_slice_str(t->tenant),
            .service = sk_slice_str(t->service),
            .connections = t->limits.connections ? t->limits.connections : service->limits.connections,
            .requests = t->limits.requests_per_second ? t->limits.requests_per_second : service->limits.requests_per_second,
            .body = body,
            .inactivity = pick_duration(t->sessions.inactivity, service->sessions.inactivity, "15m"),
            .expiration = pick_duration(t->sessions.expiration, service->sessions.expiration, "12h"),
            .max_retries = t->regulation.max_retries ? t->regulation.max_retries : service->regulation.max_retries,
            .find_time = pick_duration(t->regulation.find_time, service->regulation.find_time, "2m"),
            .ban_time = pick_duration(t->regulation.ban_time, service->regulation.ban_time, "5m")};
    m.max_retries = m.max_retries ? m.max_retries : RETRIES_DEFAULT;
    m.password_least = sk_policy_password_alone(t->factors) ? SK_PASSWORD_ALONE : SK_PASSWORD_SECOND;
    cap_sessions(t, &m);
    for (unsigned i = 0; i < t->apps_count; i++) {
        m.checked |= t->apps[i].health.path != NULL;
    }
    for (unsigned i = 0; i < t->users_count; i++) {
        m.programs |= t->users[i].backend == SK_BACKEND_KEY;
    }
    int r = put_message(c->image, SK_TENANT_SETTINGS, &m);
    for (unsigned i = 0; r == 0 && i < t->hosts_count; i++) {
        struct sk_tenant_host host = {.name = sk_slice_str(t->hosts[i])};
        r = put_message(c->image, SK_TENANT_HOST, &host);
    }
    return r;
}

static int read_named(struct compiling *c, const char *where, const char *name, struct sk_buf *out)
{
    char path[4096];
    int r = sk_conf_path(c->file, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, out);
    return r < 0 ? sk_conf_refuse(c->error, c->file, c->text, where, "'%s' cannot be read: %s", name, strerror(-r)) : 0;
}

static int put_certificates(struct compiling *c)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < c->tenant->certificates_count; i++) {
        struct sk_buf chain SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
        struct sk_buf key SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
        char where[64];
        (void)snprintf(where, sizeof(where), "certificates[%u].cert_file", i);
        r = read_named(c, where, c->tenant->certificates[i].cert_file, &chain);
        (void)snprintf(where, sizeof(where), "certificates[%u].key_file", i);
        r = r ? r : read_named(c, where, c->tenant->certificates[i].key_file, &key);
        struct sk_tenant_certificate m = {.chain = sk_buf_peek(&chain), .key = sk_buf_peek(&key)};
        r = r ? r : put_message(c->image, SK_TENANT_CERTIFICATE, &m);
        if (r == -EMSGSIZE) {
            (void)snprintf(where, sizeof(where), "certificates[%u]", i);
            r = sk_conf_refuse(c->error, c->file, c->text, where, "a chain has at most 64k, a key 16k");
        }
    }
    return r;
}

static int put_upstream(struct compiling *c, const char *where, const char *url)
{
    struct sk_slice rest = sk_slice_str(url);
    struct sk_addr address;
    char text[SK_ADDR_TEXT];
    bool tls = sk_slice_starts(rest, SK_LIT("https://"));
    if (!tls && !sk_slice_starts(rest, SK_LIT("http://"))) {
        return sk_conf_refuse(c->error, c->file, c->text, where, "'%s' is not http://ADDRESS:PORT or https://NAME@ADDRESS:PORT", url);
    }
    rest = sk_slice_from(rest, tls ? 8 : 7);
    size_t at = sk_slice_find(rest, '@');
    struct sk_slice name = at < rest.len ? sk_slice_cut(rest, at) : SK_SLICE_NULL;
    rest = at < rest.len ? sk_slice_from(rest, at + 1) : rest;
    if (sk_addr_parse_port(rest, &address) || (tls && name.len == 0) || (!tls && name.len)) {
        return sk_conf_refuse(c->error, c->file, c->text, where,
                "'%s': an upstream is http://ADDRESS:PORT, or https://NAME@ADDRESS:PORT with the name its certificate must say; "
                "addresses are numbers, a worker resolves no names",
                url);
    }
    (void)sk_addr_text_port(&address, text);
    struct sk_tenant_upstream m = {.tls = tls, .name = name, .address = sk_slice_str(text)};
    return put_message(c->image, SK_TENANT_UPSTREAM, &m);
}

static int put_app(struct compiling *c, unsigned n)
{
    const struct sk_conf_app *app = &c->tenant->apps[n];
    struct sk_buf ca SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_buf inject SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    char where[64];
    int r = 0;
    bool tls = false;
    for (unsigned i = 0; i < app->upstreams_count; i++) {
        tls = tls || strncmp(app->upstreams[i], "https://", 8) == 0;
    }
    (void)snprintf(where, sizeof(where), "apps[%u].ca_file", n);
    if (tls && !app->ca_file) {
        return sk_conf_refuse(c->error, c->file, c->text, where, "an https upstream needs ca_file: whose certificates to trust");
    }
    if (app->ca_file) {
        r = read_named(c, where, app->ca_file, &ca);
    }
    for (unsigned i = 0; r == 0 && i < app->inject_count; i++) {
        r = sk_buf_printf(&inject, "%s%s", i ? "," : "", app->inject[i].header);
    }
    struct sk_tenant_app m = {.identity = app->identity,
            .inject = sk_buf_peek(&inject),
            .health = sk_slice_str(app->health.path),
            .interval = app->health.path ? pick_duration(app->health.interval, NULL, "5s") : 0,
            .ca = sk_buf_peek(&ca)};
    r = r ? r : put_message(c->image, SK_TENANT_APP, &m);
    if (r == -EMSGSIZE) {
        return sk_conf_refuse(c->error, c->file, c->text, where, "at most 64k of certificates");
    }
    for (unsigned i = 0; r == 0 && i < app->upstreams_count; i++) {
        (void)snprintf(where, sizeof(where), "apps[%u].upstreams[%u]", n, i);
        r = put_upstream(c, where, app->upstreams[i]);
    }
    return r;
}

/* What is to be fetched for the tenant. Its id is that of all that matters of it: another URL, or another authority, is another source. */
static int put_source(struct compiling *c, const char *where, enum sk_source kind, const char *url, struct sk_slice ca, uint8_t id[SK_ID_SIZE])
{
    uint8_t hash[SK_SHA256_SIZE], number = (uint8_t)kind;
    struct sk_tenant_source m = {.kind = kind, .url = sk_slice_str(url), .ca = ca};
    sk_image_tenant_id(c->tenant->service, c->tenant->tenant, m.tenant);
    const struct sk_slice parts[] = {sk_slice(m.tenant, SK_ID_SIZE), sk_slice(&number, 1), m.url, SK_LIT("\n"), ca};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), hash);
    memcpy(m.id, hash, SK_ID_SIZE);
    memcpy(id, hash, SK_ID_SIZE);
    int r = put_message(c->image, SK_TENANT_SOURCE, &m);
    return r == -EMSGSIZE ? sk_conf_refuse(c->error, c->file, c->text, where, "for what is fetched there are at most 32k of authorities") : r;
}

static int join(struct sk_buf *out, char between, const char **words, unsigned count)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < count; i++) {
        r = i ? sk_buf_put(out, sk_slice(&between, 1)) : 0;
        r = r ? r : sk_buf_put(out, sk_slice_str(words[i]));
    }
    return r;
}

/* Lengths were checked when the file was read, but those of the keys. Of a provider, `source` is where its metadata is. */
static int put_issuer(struct compiling *c, const struct sk_conf_issuer *issuer, const char *list, unsigned n, uint8_t source[SK_ID_SIZE])
{
    enum { TYPES, CLAIM, ROLES, NETWORKS, SCOPE, MAP, JWKS, CA, TEXTS };
    struct sk_buf texts[TEXTS] = {[0 ... TEXTS - 1] = SK_BUF_INIT((size_t)1 << 20)};
    bool provider = issuer->client_secret_file != NULL;
    const char *url = provider ? issuer->issuer : issuer->jwks_url;
    char where[64];
    memset(source, 0, SK_ID_SIZE);
    (void)snprintf(where, sizeof(where), "%s[%u].ca_file", list, n);
    int r = issuer->ca_file ? read_named(c, where, issuer->ca_file, &texts[CA]) : 0;
    r = r || !url ? r : put_source(c, where, provider ? SK_SOURCE_PROVIDER : SK_SOURCE_KEYS, url, sk_buf_peek(&texts[CA]), source);
    (void)snprintf(where, sizeof(where), "%s[%u].jwks_file", list, n);
    r = r || !issuer->jwks_file ? r : read_named(c, where, issuer->jwks_file, &texts[JWKS]);
    r = r ? r : join(&texts[TYPES], ',', issuer->types, issuer->types_count);
    r = r ? r : join(&texts[CLAIM], '\n', issuer->roles_claim, issuer->roles_claim_count);
    r = r ? r : join(&texts[ROLES], ',', issuer->roles, issuer->roles_count);
    r = r ? r : join(&texts[NETWORKS], ',', issuer->from, issuer->from_count);
    r = r ? r : join(&texts[SCOPE], ';', issuer->scope, issuer->scope_count);
    for (unsigned i = 0; r == 0 && i < issuer->map_count; i++) {
        r = sk_buf_printf(&texts[MAP], "%s%s,%s", i ? "\n" : "", issuer->map[i].value, issuer->map[i].role);
    }
    struct sk_tenant_issuer m = {.name = sk_slice_str(issuer->name), .issuer = sk_slice_str(issuer->issuer), .audience = sk_slice_str(issuer->audience),
            .types = issuer->types_count ? sk_buf_peek(&texts[TYPES]) : provider ? SK_LIT("JWT") : SK_LIT("JWT,at+jwt"),
            .roles_claim = sk_buf_peek(&texts[CLAIM]), .map = sk_buf_peek(&texts[MAP]), .roles = sk_buf_peek(&texts[ROLES]),
            .networks = sk_buf_peek(&texts[NETWORKS]), .scope = sk_buf_peek(&texts[SCOPE]), .restricted = issuer->from_count > 0,
            .kind = provider ? SK_ISSUER_PROVIDER : SK_ISSUER_FOREIGN, .jwks = sk_buf_peek(&texts[JWKS])};
    memcpy(m.source, source, SK_ID_SIZE);
    r = r ? r : put_message(c->image, SK_TENANT_ISSUER, &m);
    for (int i = 0; i < TEXTS; i++) {
        sk_buf_free(&texts[i]);
    }
    return r == -EMSGSIZE ? sk_conf_refuse(c->error, c->file, c->text, where, "a key set has at most 48k") : r;
}

/* Where people sign in. What its metadata says comes later: sk_image_fill. */
static int put_provider(struct compiling *c, unsigned n)
{
    const struct sk_conf_issuer *provider = &c->tenant->sign_in[n];
    struct sk_buf scopes SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024), acr_values SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_buf factors SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(2048), secret SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
    struct sk_tenant_provider m = {.name = sk_slice_str(provider->name), .user_claim = sk_slice_str(provider->user_claim ? provider->user_claim : "sub")};
    char where[64];
    (void)snprintf(where, sizeof(where), "sign_in[%u].client_secret_file", n);
    int r = read_named(c, where, provider->client_secret_file, &secret);
    if (r == 0 && (sk_buf_len(&secret) < 2 || sk_buf_len(&secret) > SK_CONF_CLIENT_SECRET_MAX)) {
        r = sk_conf_refuse(c->error, c->file, c->text, where, "a client secret is one line of at most %u bytes", SK_CONF_CLIENT_SECRET_MAX);
    }
    sk_wipe(secret.data, secret.size);
    r = r ? r : put_issuer(c, provider, "sign_in", n, m.source);
    r = r ? r : sk_buf_put(&scopes, provider->scopes_count ? SK_LIT("openid ") : SK_LIT("openid"));
    r = r ? r : join(&scopes, ' ', provider->scopes, provider->scopes_count);
    r = r ? r : join(&acr_values, ' ', provider->acr_values, provider->acr_values_count);
    for (unsigned i = 0; r == 0 && i < provider->factors_count; i++) {
        r = sk_buf_printf(&factors, "%s%s,%s", i ? "\n" : "", provider->factors[i].value, provider->factors[i].factor);
    }
    m.scopes = sk_buf_peek(&scopes);
    m.acr_values = sk_buf_peek(&acr_values);
    m.factors = sk_buf_peek(&factors);
    return r ? r : put_message(c->image, SK_TENANT_PROVIDER, &m);
}

/* The keys of a program that signs, and whether its tokens are bound. */
static int put_client(struct compiling *c, unsigned n)
{
    const struct sk_conf_user *user = &c->tenant->users[n];
    struct sk_buf jwks SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    char where[64];
    (void)snprintf(where, sizeof(where), "users[%u].jwks_file", n);
    int r = user->jwks_file ? read_named(c, where, user->jwks_file, &jwks) : 0;
    struct sk_tenant_issuer m = {.name = sk_slice_str(user->name), .kind = SK_ISSUER_CLIENT, .bound = user->certificate_bound, .jwks = sk_buf_peek(&jwks)};
    r = r ? r : put_message(c->image, SK_TENANT_ISSUER, &m);
    return r == -EMSGSIZE ? sk_conf_refuse(c->error, c->file, c->text, where, "a key set has at most 48k") : r;
}

/* AAGUIDs as text, eight, four, four, four and twelve digits, to sixteen bytes each. */
static int read_aaguids(struct compiling *c, const char *member, const char **texts, unsigned count, struct sk_buf *out)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < count; i++) {
        char digits[33], where[64];
        uint8_t bytes[16];
        size_t len = 0;
        for (const char *at = texts[i]; *at && len < 32; at++) {
            bool dash = *at == '-' && (len == 8 || len == 12 || len == 16 || len == 20);
            digits[len] = *at;
            len += !dash;
        }
        digits[len] = '\0';
        (void)snprintf(where, sizeof(where), "fido2.%s[%u]", member, i);
        if (len != 32 || strlen(texts[i]) != 36 || sk_hex_decode(sk_slice(digits, 32), bytes, sizeof(bytes))) {
            return sk_conf_refuse(c->error, c->file, c->text, where, "'%s' is not an AAGUID such as 2fc0579f-8113-47ea-b116-bb5a8db9202a", texts[i]);
        }
        r = sk_buf_put(out, sk_slice(bytes, sizeof(bytes)));
    }
    return r;
}

static bool is_under(const char *host, const char *domain)
{
    size_t h = strlen(host), d = strlen(domain);
    return h >= d && strcmp(host + h - d, domain) == 0 && (h == d || host[h - d - 1] == '.');
}

static int put_fido2(struct compiling *c)
{
    const struct sk_conf_fido2 *f = &c->tenant->fido2;
    struct sk_buf roots SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_buf allow SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096), deny SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    const char *rp_id = f->rp_id ? f->rp_id : c->tenant->hosts_count ? c->tenant->hosts[0] : "";
    bool covers = false;
    for (unsigned i = 0; i < c->tenant->hosts_count; i++) {
        covers = covers || is_under(c->tenant->hosts[i], rp_id);
    }
    if (f->rp_id && (!covers || !strchr(rp_id, '.'))) {
        return sk_conf_refuse(c->error, c->file, c->text, "fido2.rp_id", "'%s' is neither one of the tenant's hosts nor a domain that one is in", rp_id);
    }
    if (f->most > SK_CONF_AUTHENTICATORS_MAX) {
        return sk_conf_refuse(c->error, c->file, c->text, "fido2.most", "a user has at most %u authenticators", SK_CONF_AUTHENTICATORS_MAX);
    }
    if ((f->attestation || f->allow_aaguids_count || f->deny_aaguids_count) && !f->roots_file) {
        return sk_conf_refuse(c->error, c->file, c->text, "fido2", "attestation and lists of AAGUIDs need roots_file: whose statements to trust");
    }
    int r = f->roots_file ? read_named(c, "fido2.roots_file", f->roots_file, &roots) : 0;
    r = r ? r : read_aaguids(c, "allow_aaguids", f->allow_aaguids, f->allow_aaguids_count, &allow);
    r = r ? r : read_aaguids(c, "deny_aaguids", f->deny_aaguids, f->deny_aaguids_count, &deny);
    struct sk_tenant_fido2 m = {.rp_id = sk_slice_str(rp_id),
            .policy = (f->user_verification == SK_VERIFICATION_REQUIRED ? SK_FACTOR_USER_VERIFIED : 0U) |
                      (f->attestation ? SK_FACTOR_ATTESTED : 0U) | (f->device_bound ? SK_FACTOR_NOT_SYNCED : 0U),
            .verification = f->user_verification,
            .roots = sk_buf_peek(&roots), .allow = sk_buf_peek(&allow), .deny = sk_buf_peek(&deny),
            .most = f->most ? f->most : AUTHENTICATORS_DEFAULT};
    r = r ? r : put_message(c->image, SK_TENANT_FIDO2, &m);
    return r == -EMSGSIZE || r == -ENOBUFS
                   ? sk_conf_refuse(c->error, c->file, c->text, "fido2", "at most 24k of roots, and 256 AAGUIDs in a list")
                   : r;
}

/* Who is who: a rule a line, then its user. */
static int put_map(struct compiling *c, struct sk_buf *out)
{
    const struct sk_conf_clients *clients = &c->tenant->client_certificates;
    int r = 0;
    for (unsigned i = 0; r == 0 && i < clients->map_count; i++) {
        const struct sk_conf_named *m = &clients->map[i];
        char where[64];
        (void)snprintf(where, sizeof(where), "client_certificates.map[%u]", i);
        bool known = !m->user;
        for (unsigned k = 0; !known && k < c->tenant->users_count; k++) {
            known = strcmp(c->tenant->users[k].name, m->user) == 0;
        }
        if ((m->value == NULL) != (m->user == NULL) || (m->by == SK_NAMED_BY_FINGERPRINT && !m->value)) {
            return sk_conf_refuse(c->error, c->file, c->text, where, "a value and the user that it stands for, or neither; a fingerprint always stands for a user");
        }
        if (!known) {
            return sk_conf_refuse(c->error, c->file, c->text, where, "no user is named '%s'", m->user);
        }
        if (m->by == SK_NAMED_BY_FINGERPRINT && (strlen(m->value) != 64 || strspn(m->value, "0123456789abcdef") != 64)) {
            return sk_conf_refuse(c->error, c->file, c->text, where, "a fingerprint is the SHA-256 of the certificate, 64 digits, a to f in lower case");
        }
        if (m->value && (!m->value[0] || strchr(m->value, '\n'))) {
            return sk_conf_refuse(c->error, c->file, c->text, where, "a value is one line");
        }
        r = sk_buf_printf(out, "%d%s%s\n%s\n", (int)m->by, m->value ? " " : "", m->value ? m->value : "", m->user ? m->user : "");
    }
    return r;
}

static int put_clients(struct compiling *c)
{
    const struct sk_conf_clients *clients = &c->tenant->client_certificates;
    struct sk_buf ca SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20), crls SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)4 << 20);
    struct sk_buf map SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    if (!clients->ca_file) {
        return 0;
    }
    int r = read_named(c, "client_certificates.ca_file", clients->ca_file, &ca);
    for (unsigned i = 0; r == 0 && i < clients->crl_files_count; i++) {
        char where[64];
        (void)snprintf(where, sizeof(where), "client_certificates.crl_files[%u]", i);
        r = read_named(c, where, clients->crl_files[i], &crls);
        r = r ? r : sk_buf_put(&crls, SK_LIT("\n"));
    }
    uint8_t sources[SK_CONF_CRL_URLS_MAX * SK_ID_SIZE];
    for (unsigned i = 0; r == 0 && i < clients->crl_urls_count; i++) {
        char where[64];
        (void)snprintf(where, sizeof(where), "client_certificates.crl_urls[%u]", i);
        r = put_source(c, where, SK_SOURCE_LIST, clients->crl_urls[i], sk_buf_peek(&ca), sources + (size_t)i * SK_ID_SIZE);
    }
    r = r ? r : put_map(c, &map);
    struct sk_tenant_clients m = {.sources = sk_slice(sources, (size_t)clients->crl_urls_count * SK_ID_SIZE), .ca = sk_buf_peek(&ca), .crls = sk_buf_peek(&crls), .required = clients->required,
            .stale_crl = clients->stale_crl, .map = sk_buf_peek(&map)};
    r = r ? r : put_message(c->image, SK_TENANT_CLIENTS, &m);
    return r == -EMSGSIZE || r == -ENOBUFS
                   ? sk_conf_refuse(c->error, c->file, c->text, "client_certificates", "at most 64k of authorities, 1M of revocation lists, 64k of map")
                   : r;
}

static int put_policy(struct compiling *c)
{
    struct sk_policy_app_source *apps = calloc(c->tenant->apps_count + 1U, sizeof(*apps));
    struct sk_policy_source source;
    struct sk_policy_error error;
    if (!apps) {
        return -ENOMEM;
    }
    sk_conf_policy(c->tenant, apps, &source);
    int r = sk_policy_compile(&source, c->image, &error);
    free(apps);
    return r == 1 ? sk_conf_refuse(c->error, c->file, c->text, error.path, "%s", error.text) : r;
}

int sk_image_compile(const struct sk_conf *conf, const struct sk_conf_tenant *tenant, const char *file, struct sk_slice text,
        struct sk_buf *image, struct sk_conf_error *error)
{
    struct compiling c = {.conf = conf, .tenant = tenant, .file = file, .text = text, .image = image, .error = error};
    struct sk_image_header header = {.magic = SK_TENANT_IMAGE_MAGIC};
    int r = sk_buf_put(image, sk_slice(&header, sizeof(header)));
    r = r ? r : put_policy(&c);
    header.policy = (uint32_t)(sk_buf_len(image) - sizeof(header));
    r = r ? r : put_settings(&c);
    r = r ? r : put_certificates(&c);
    r = r ? r : put_clients(&c);
    for (unsigned i = 0; r == 0 && i < tenant->apps_count; i++) {
        r = put_app(&c, i);
    }
    for (unsigned i = 0; r == 0 && i < tenant->issuers_count; i++) {
        uint8_t source[SK_ID_SIZE];
        r = put_issuer(&c, &tenant->issuers[i], "issuers", i, source);
    }
    for (unsigned i = 0; r == 0 && i < tenant->sign_in_count; i++) {
        r = put_provider(&c, i);
    }
    for (unsigned i = 0; r == 0 && i < tenant->users_count; i++) {
        r = tenant->users[i].jwks_file || tenant->users[i].certificate_bound ? put_client(&c, i) : 0;
    }
    r = r ? r : put_fido2(&c);
    header.size = (uint32_t)sk_buf_len(image);
    if (r == 0) {
        memcpy(image->data + image->start, &header, sizeof(header));
    }
    return r;
}

/* ---- filled ---- */

static int fill_clients(struct sk_tenant_clients *m, const struct sk_image_documents *documents, struct sk_buf *lists)
{
    int r = m->sources.len % SK_ID_SIZE ? -EINVAL : 0;
    for (struct sk_slice ids = m->sources; r == 0 && ids.len; ids = sk_slice_from(ids, SK_ID_SIZE)) {
        r = sk_buf_put(lists, documents->find(documents->context, (const uint8_t *)ids.data));
    }
    m->fetched = sk_buf_peek(lists);
    return r;
}

/* What was fetched of a provider: false when nothing was, or it is no such thing. */
static bool find_provider(const struct sk_image_documents *documents, const uint8_t source[SK_ID_SIZE], union sk_ipc_any *found)
{
    struct sk_slice document = documents->find(documents->context, source);
    const struct sk_ipc_layout *layout;
    return document.len && sk_ipc_decode(&sk_fetch_interface, SK_FETCH_IN_DOCUMENT, document, found, &layout) == 0 && layout->code == SK_FETCH_PROVIDER;
}

static void fill_issuer(struct sk_tenant_issuer *m, const struct sk_image_documents *documents)
{
    union sk_ipc_any found;
    if (m->kind != SK_ISSUER_PROVIDER) {
        struct sk_slice document = documents->find(documents->context, m->source);
        m->jwks = document.len <= SK_FETCH_KEYS_MAX ? document : SK_SLICE_NULL; /* who fetched it may have been taken over */
    } else if (find_provider(documents, m->source, &found)) {
        m->jwks = ((const struct sk_fetch_provider *)(const void *)&found)->jwks;
    }
}

static void fill_provider(struct sk_tenant_provider *m, const struct sk_image_documents *documents)
{
    union sk_ipc_any found;
    const struct sk_fetch_provider *p = (const void *)&found;
    if (find_provider(documents, m->source, &found)) {
        m->authorization = p->authorization;
        m->end_session = p->end_session;
        m->iss = p->iss;
    }
}

int sk_image_fill(struct sk_slice bytes, const struct sk_image_documents *documents, struct sk_buf *image)
{
    static const uint8_t none[SK_ID_SIZE];
    struct sk_buf lists SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)8 << 20);
    struct sk_image from;
    union sk_ipc_any message;
    uint16_t code;
    if (sk_image_open(&from, bytes)) {
        return -EINVAL;
    }
    int r = sk_buf_put(image, sk_slice_cut(from.bytes, from.bytes.len - from.rest.len));
    for (struct sk_slice before = from.rest; r == 0 && sk_image_next(&from.rest, &message, &code) == 0; before = from.rest) {
        struct sk_tenant_issuer *issuer = (void *)&message;
        if (code == SK_TENANT_ISSUER && memcmp(issuer->source, none, SK_ID_SIZE) != 0) {
            fill_issuer(issuer, documents);
            r = put_message(image, code, &message);
        } else if (code == SK_TENANT_PROVIDER) {
            fill_provider((void *)&message, documents);
            r = put_message(image, code, &message);
        } else if (code == SK_TENANT_CLIENTS) {
            r = fill_clients((void *)&message, documents, &lists);
            r = r ? r : put_message(image, code, &message);
        } else {
            r = sk_buf_put(image, sk_slice_cut(before, before.len - from.rest.len));
        }
    }
    if (r == 0) {
        const uint32_t size = (uint32_t)sk_buf_len(image);
        memcpy(image->data + image->start + offsetof(struct sk_image_header, size), &size, sizeof(size));
    }
    return r;
}
