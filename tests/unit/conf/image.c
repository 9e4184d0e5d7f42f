/* gateway/conf/{image,image_read}.c: what a tenant file says comes out of its image, and no damaged image
 * reads behind itself. */
#include "conf/image.h"

#include "base/clock.h"

#include "files.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct sk_conf *conf;
static struct sk_conf_error error;

static void begin(void)
{
    files_begin();
    cr_assert_eq(files_load(files_conf, &conf, &error), 0, "%s", error.text);
}

static void end(void)
{
    conf = sk_conf_free(conf);
    files_end();
}

TestSuite(conf_image, .init = begin, .fini = end, .timeout = 100);

static int compile(const char *text, struct sk_buf *image)
{
    struct sk_conf_tenant *tenant;
    *image = SK_BUF_INIT((size_t)16 << 20);
    int r = files_load_tenant(text, &tenant, &error);
    if (r) {
        return r;
    }
    r = sk_image_compile(conf, tenant, files_path("acme.yaml"), sk_slice_str(text), image, &error);
    (void)sk_conf_tenant_free(tenant);
    return r;
}

/* An aligned copy of exactly these bytes. */
static uint8_t *exact(struct sk_slice bytes)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    cr_assert_neq(copy, NULL);
    if (bytes.len) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}

/* All messages, each as one word; and the policy asked something, so that all of it is used. */
static int read_all(const uint8_t *bytes, size_t len, char *out, size_t size)
{
    struct sk_image image;
    union sk_ipc_any m;
    uint16_t code;
    size_t at = 0;
    if (sk_image_open(&image, sk_slice(bytes, len))) {
        return 1;
    }
    struct sk_slice rest = image.rest;
    while (sk_image_next(&rest, &m, &code) == 0 && at < size) {
        int n = 0;
        switch (code) {
        case SK_TENANT_SETTINGS: {
            const struct sk_tenant_settings *s = (const void *)&m;
            n = snprintf(out + at, size - at, "settings %.*s %.*s %lu %lu %lu %lu %lu\n", (int)s->name.len,
                    s->name.data, (int)s->service.len, s->service.data, (unsigned long)s->connections,
                    (unsigned long)s->body, (unsigned long)(s->inactivity / SK_SECOND),
                    (unsigned long)(s->expiration / SK_SECOND), (unsigned long)s->checked);
            break;
        }
        case SK_TENANT_HOST: {
            const struct sk_tenant_host *h = (const void *)&m;
            n = snprintf(out + at, size - at, "host %.*s\n", (int)h->name.len, h->name.data);
            break;
        }
        case SK_TENANT_CERTIFICATE: {
            const struct sk_tenant_certificate *c = (const void *)&m;
            n = snprintf(out + at, size - at, "certificate %.*s%.*s", (int)c->chain.len, c->chain.data,
                    (int)c->key.len, c->key.data);
            break;
        }
        case SK_TENANT_APP: {
            const struct sk_tenant_app *a = (const void *)&m;
            n = snprintf(out + at, size - at, "app %lu %.*s %.*s %lu %.*s\n", (unsigned long)a->identity,
                    (int)a->inject.len, a->inject.data, (int)a->health.len, a->health.data,
                    (unsigned long)(a->interval / SK_SECOND), (int)a->ca.len, a->ca.data);
            break;
        }
        case SK_TENANT_UPSTREAM: {
            const struct sk_tenant_upstream *u = (const void *)&m;
            n = snprintf(out + at, size - at, "upstream %lu %.*s %.*s\n", (unsigned long)u->tls,
                    (int)u->name.len, u->name.data, (int)u->address.len, u->address.data);
            break;
        }
        case SK_TENANT_FIDO2: {
            const struct sk_tenant_fido2 *f = (const void *)&m;
            n = snprintf(out + at, size - at, "fido2 %.*s %lu %lu %.*s %zu %zu %lu\n", (int)f->rp_id.len, f->rp_id.data, (unsigned long)f->policy,
                    (unsigned long)f->verification, (int)f->roots.len, f->roots.data, f->allow.len, f->deny.len, (unsigned long)f->most);
            break;
        }
        default:
            return 1;
        }
        at += (size_t)n;
    }
    return rest.len ? 1 : 0;
}

Test(conf_image, what_the_file_says_comes_out)
{
    struct sk_buf image;
    char out[4096] = "";
    cr_assert_eq(compile(files_tenant, &image), 0, "%s", error.text);
    uint8_t *bytes = exact(sk_buf_peek(&image));
    cr_assert_eq(read_all(bytes, sk_buf_len(&image), out, sizeof(out)), 0);
    cr_assert_str_eq(out,
            "settings acme dns 9 16777216 300 3600 1\nhost api.acme.example\nhost panel.acme.example\n"
            "certificate THE CHAIN\nTHE KEY\napp 9 x-api-key /health 3 \nupstream 0  127.0.0.1:8081\n"
            "fido2 api.acme.example 0 0  0 0 10\n");
    free(bytes);
    sk_buf_free(&image);
}

Test(conf_image, the_tenants_own_word_wins_over_its_services)
{
    struct sk_buf image;
    char out[4096] = "";
    char text[4096];
    (void)snprintf(text, sizeof(text), "%s",
            files_with(files_tenant, "sessions: {inactivity: 5m, expiration: 1h}\n", ""));
    cr_assert_eq(compile(files_with(text, "connections: 9", "body: 1k"), &image), 0, "%s", error.text);
    uint8_t *bytes = exact(sk_buf_peek(&image));
    cr_assert_eq(read_all(bytes, sk_buf_len(&image), out, sizeof(out)), 0);
    cr_assert_eq(strncmp(out, "settings acme dns 5 1024 1200 43200 1\n", 38), 0, "%s", out);
    free(bytes);
    sk_buf_free(&image);
}

Test(conf_image, a_level_named_anywhere_shortens_all_sessions)
{
    static const struct {
        const char *from, *to, *settings;
    } cases[] = {{"from: [office]", "from: [office]\nfactors: aal3 | key", "settings acme dns 9 16777216 300 3600 1\n"},
            {"sessions: {inactivity: 5m, expiration: 1h}\n", "sessions: {inactivity: 5h, expiration: 9d}\nfactors: aal3 | key\n",
                    "settings acme dns 9 16777216 900 43200 1\n"},
            {"sessions: {inactivity: 5m, expiration: 1h}\n", "sessions: {inactivity: 5h, expiration: 9d}\nfactors: password\n",
                    "settings acme dns 9 16777216 18000 777600 1\n"}};
    for (size_t i = 0; i < SK_COUNT(cases); i++) {
        struct sk_buf image;
        char out[4096] = "";
        cr_assert_eq(compile(files_with(files_tenant, cases[i].from, cases[i].to), &image), 0, "%s", error.text);
        uint8_t *bytes = exact(sk_buf_peek(&image));
        cr_assert_eq(read_all(bytes, sk_buf_len(&image), out, sizeof(out)), 0);
        cr_expect_eq(strncmp(out, cases[i].settings, strlen(cases[i].settings)), 0, "%zu: %s", i, out);
        free(bytes);
        sk_buf_free(&image);
    }
}

Test(conf_image, a_tenant_whose_apps_are_not_checked_says_so)
{
    struct sk_buf image;
    char out[4096] = "";
    cr_assert_eq(compile(files_with(files_tenant, "    health: {path: /health, interval: 3s}\n", ""), &image), 0, "%s", error.text);
    uint8_t *bytes = exact(sk_buf_peek(&image));
    cr_assert_eq(read_all(bytes, sk_buf_len(&image), out, sizeof(out)), 0);
    cr_assert_eq(strncmp(out, "settings acme dns 9 16777216 300 3600 0\n", 40), 0, "%s", out);
    free(bytes);
    sk_buf_free(&image);
}

static void refused(const char *from, const char *to, unsigned line, const char *why)
{
    struct sk_buf image;
    memset(&error, 0, sizeof(error));
    int r = compile(files_with(files_tenant, from, to), &image);
    cr_assert_eq(r, 1, "'%s' gives %d", to, r);
    cr_assert_eq(error.line, line, "'%s' says line %u, it is %u", error.text, error.line, line);
    cr_assert(strstr(error.text, why) != NULL, "'%s' says nothing of '%s'", error.text, why);
    sk_buf_free(&image);
}

Test(conf_image, what_cannot_be_compiled_is_refused_with_its_line)
{
    refused("service: dns", "service: mail", 2, "mail");
    refused("from: [office]", "from: [office]\nfido2: {rp_id: other.example}", 11, "neither one of the tenant's hosts");
    refused("from: [office]", "from: [office]\nfido2: {rp_id: example}", 11, "neither one of the tenant's hosts");
    refused("from: [office]", "from: [office]\nfido2: {rp_id: me.example}", 11, "neither one of the tenant's hosts");
    refused("from: [office]", "from: [office]\nfido2: {most: 17}", 11, "at most 16");
    refused("from: [office]", "from: [office]\nfido2: {attestation: true}", 11, "roots_file");
    refused("from: [office]", "from: [office]\nfido2: {deny_aaguids: [2fc0579f-8113-47ea-b116-bb5a8db9202a]}", 11, "roots_file");
    refused("from: [office]", "from: [office]\nfido2: {roots_file: cert.pem, deny_aaguids: [2fc0579f811347eab116bb5a8db9202a]}", 11, "AAGUID");
    refused("from: [office]", "from: [office]\nfactors: pasword", 11, "no factor");
    refused("    path: /\n", "    path: /\n    step_up: [\"GET /x\"]\n", 15, "a step-up is");
    refused("cert_file: cert.pem", "cert_file: none.pem", 6, "none.pem");
    refused("key_file: key.pem", "key_file: none.pem", 6, "none.pem");
    refused("http://127.0.0.1:8081", "127.0.0.1:8081", 15, "apps[0].upstreams[0]");
    refused("http://127.0.0.1:8081", "http://localhost:8081", 15, "addresses are numbers");
    refused("http://127.0.0.1:8081", "http://name@127.0.0.1:8081", 15, "upstream");
    refused("http://127.0.0.1:8081", "https://name@127.0.0.1:8081", 12, "ca_file");
    refused("    path: /\n", "    path: /\n    ca_file: none.pem\n", 15, "none.pem");
    refused("api GET /**", "apo GET /**", 22, "roles[0].allow[0]");
}

Test(conf_image, tokens_are_bound_where_certificates_are_asked_for)
{
    struct sk_buf image;
    refused("backend: pam", "backend: pam\n    certificate_bound: true", 28, "backend: key");
    refused("backend: pam", "backend: key\n    certificate_bound: true", 31, "client_certificates");
    const char *bound = "backend: key\n    certificate_bound: true\nclient_certificates: {ca_file: cert.pem}";
    cr_assert_eq(compile(files_with(files_tenant, "backend: pam", bound), &image), 0, "%s", error.text);
    struct sk_image read;
    union sk_ipc_any m;
    uint16_t code = 0;
    cr_assert_eq(sk_image_open(&read, sk_buf_peek(&image)), 0);
    while (code != SK_TENANT_ISSUER) {
        cr_assert_eq(sk_image_next(&read.rest, &m, &code), 0);
    }
    const struct sk_tenant_issuer *entry = (const void *)&m;
    cr_expect(sk_slice_eq(entry->name, SK_LIT("jiro")) && entry->kind == SK_ISSUER_CLIENT && entry->bound && entry->jwks.len == 0);
    sk_buf_free(&image);
}

/* The system's bundle of authorities is larger than this: whoever names it must read why it is not taken. */
Test(conf_image, files_that_are_too_long_are_refused_with_their_line)
{
    static char large[70001];
    memset(large, 'x', sizeof(large) - 1);
    files_put("large.pem", large);
    refused("    path: /\n", "    path: /\n    ca_file: large.pem\n", 15, "ca_file");
    refused("cert_file: cert.pem", "cert_file: large.pem", 6, "64k");
    refused("key_file: key.pem", "key_file: large.pem", 6, "16k");
}

Test(conf_image, too_many_injected_headers_are_refused_with_their_line)
{
    static char many[8192];
    (void)snprintf(many, sizeof(many), "    inject:\n");
    for (int i = 0; i < 30; i++) {
        size_t len = strlen(many);
        (void)snprintf(many + len, sizeof(many) - len,
                "      - {header: x-a-header-of-some-length-for-the-upstream-%02d, value_file: key.pem}\n",
                i);
    }
    refused("    inject:\n      - {header: x-api-key, value_file: key.pem}\n", many, 19, "inject");
}

/* Their names stand in a list with commas, and in a message's head. */
Test(conf_image, an_injected_header_has_a_headers_name)
{
    static const char *const bad[] = {"\"x-a,x-b\"", "\"x a\"", "\"x-a: b\"", "\"x-a\\r\\nhost: b\"", "\"\""};
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        char to[64];
        (void)snprintf(to, sizeof(to), "header: %s", bad[i]);
        refused("header: x-api-key", to, 19, "header");
    }
}

Test(conf_image, a_tenants_id_is_its_own)
{
    uint8_t a[SK_ID_SIZE], b[SK_ID_SIZE];
    sk_image_tenant_id("dns", "acme", a);
    sk_image_tenant_id("dns", "acme", b);
    cr_assert_eq(memcmp(a, b, SK_ID_SIZE), 0);
    sk_image_tenant_id("dnsa", "cme", b);
    cr_assert_neq(memcmp(a, b, SK_ID_SIZE), 0);
    sk_image_tenant_id("mail", "acme", b);
    cr_assert_neq(memcmp(a, b, SK_ID_SIZE), 0);
}

Test(conf_image, every_cut_of_an_image_is_refused)
{
    struct sk_buf image;
    static char out[1 << 16];
    cr_assert_eq(compile(files_tenant, &image), 0, "%s", error.text);
    struct sk_slice whole = sk_buf_peek(&image);
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *bytes = exact(sk_slice_cut(whole, len));
        cr_assert_eq(read_all(bytes, len, out, sizeof(out)), 1, "%zu of %zu bytes", len, whole.len);
        free(bytes);
    }
    sk_buf_free(&image);
}

Test(conf_image, no_changed_byte_reads_behind_the_image)
{
    struct sk_buf image;
    static char out[1 << 16];
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    cr_assert_eq(compile(files_tenant, &image), 0, "%s", error.text);
    struct sk_slice whole = sk_buf_peek(&image);
    for (size_t i = 0; i < whole.len; i++) {
        for (size_t v = 0; v < SK_COUNT(values); v++) {
            uint8_t *bytes = exact(whole);
            bytes[i] = values[v];
            (void)!read_all(bytes, whole.len, out, sizeof(out));
            free(bytes);
        }
    }
    sk_buf_free(&image);
}

Test(conf_image, sizes_that_lie_are_refused)
{
    static const uint32_t sizes[] = {0, 1, 15, 16, 17, 1000, 0x7fffffff, 0x80000000, 0xffffffff};
    static char out[1 << 16];
    for (size_t i = 0; i < SK_COUNT(sizes); i++) {
        for (size_t j = 0; j < SK_COUNT(sizes); j++) {
            struct sk_image_header header = {SK_TENANT_IMAGE_MAGIC, sizes[i], sizes[j], 0};
            uint8_t *bytes = exact(sk_slice(&header, sizeof(header)));
            cr_assert_eq(read_all(bytes, sizeof(header), out, sizeof(out)), 1, "size %u, policy %u", sizes[i],
                    sizes[j]);
            free(bytes);
        }
    }
}

static struct sk_slice find_once(void *context, const uint8_t id[SK_ID_SIZE])
{
    char *asked = context;
    memcpy(asked, id, SK_ID_SIZE);
    return SK_LIT("list");
}

Test(conf_image, a_document_is_asked_for_by_a_whole_id_alone)
{
    static const char ids[] = "0123456789abcdef0123";
    for (size_t len = SK_ID_SIZE; len < sizeof(ids); len += 4) {
        struct sk_buf image, filled SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 20);
        char asked[64] = "";
        const struct sk_image_documents documents = {find_once, asked};
        struct sk_tenant_clients m = {.ca = SK_LIT("ca"), .sources = sk_slice(ids, len)};
        uint8_t bytes[256];
        cr_assert_eq(compile(files_tenant, &image), 0, "%s", error.text);
        uint32_t size = (uint32_t)sk_ipc_encode(&sk_tenant_interface, SK_TENANT_CLIENTS, &m, bytes, sizeof(bytes));
        cr_assert(!sk_buf_put(&image, sk_slice(&size, sizeof(size))) && !sk_buf_put(&image, sk_slice(bytes, size)));
        size = (uint32_t)sk_buf_len(&image);
        memcpy(image.data + image.start + offsetof(struct sk_image_header, size), &size, sizeof(size));
        cr_expect_eq(sk_image_fill(sk_buf_peek(&image), &documents, &filled), len == SK_ID_SIZE ? 0 : -EINVAL, "%zu bytes", len);
        cr_expect_str_eq(asked, len == SK_ID_SIZE ? "0123456789abcdef" : "");
        sk_buf_free(&image);
    }
}
