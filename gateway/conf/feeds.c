/* What sekisho.yaml says of feeds, checked. Runs wherever configuration is read. */
#include "conf/yaml.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* It names files of a folder. */
static bool feed_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= 48 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* HOST:PORT, or HOST alone where there is a usual port; of an IPv6 address in brackets. */
static bool is_host(struct sk_slice host, bool port_needed)
{
    size_t colon = host.len;
    uint64_t port = 0;
    while (colon && host.data[colon - 1] != ':' && host.data[colon - 1] != ']') {
        colon--;
    }
    bool has_port = colon && host.data[colon - 1] == ':';
    bool plain = has_port ? colon > 1 && sk_slice_u64(sk_slice_from(host, colon), UINT16_MAX, &port) == 0 && port : host.len && !port_needed;
    for (size_t i = 0; plain && i < host.len; i++) {
        plain = host.data[i] > ' ' && host.data[i] < 0x7f && !strchr("/@?#\\", host.data[i]);
    }
    return plain;
}

/* What is behind a feed's scheme. An index has a name and nothing else; a path may be any. */
static bool is_receiver(struct sk_slice to)
{
    static const struct {
        struct sk_slice scheme;
        bool port, index, path;
    } kinds[] = {{{"syslog+tls://", 13}, true, false, false}, {{"https://", 8}, false, false, true}, {{"elastic+https://", 16}, false, true, false}, {{"splunk+https://", 15}, false, false, false}};
    for (size_t i = 0; i < SK_COUNT(kinds); i++) {
        struct sk_slice rest = sk_slice_from(to, kinds[i].scheme.len), host = sk_slice_split(&rest, '/');
        if (!sk_slice_starts(to, kinds[i].scheme)) {
            continue;
        }
        bool slash = host.len < to.len - kinds[i].scheme.len;
        bool good = is_host(host, kinds[i].port) && (kinds[i].index ? rest.len > 0 : kinds[i].path || !slash);
        for (size_t j = 0; good && j < rest.len; j++) {
            good = rest.data[j] > ' ' && rest.data[j] < 0x7f && rest.data[j] != '#' && (kinds[i].path || !strchr("/?%", rest.data[j]));
        }
        return good && to.len < 380;
    }
    return sk_slice_eq(to, SK_LIT("file"));
}

/* A file that the feed names, relative to the configuration's. */
static int feed_file(const struct sk_conf_loading *l, unsigned i, const char *key, const char *name, size_t most)
{
    char where[96], path[4096];
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CONF_FILE_MAX * 2);
    int r = !name ? 0 : sk_conf_path(l->file, name, path) ? -ENAMETOOLONG : sk_conf_read_file(path, &text);
    size_t len = sk_buf_len(&text);
    sk_wipe(text.data, text.size);
    (void)snprintf(where, sizeof(where), "feeds[%u].%s", i, key);
    return r            ? sk_conf_refuse(l->error, l->file, l->text, where, "'%s' cannot be read: %s", name, strerror(-r))
           : len > most ? sk_conf_refuse(l->error, l->file, l->text, where, "'%s' is larger than %zu bytes", name, most)
                        : 0;
}

static int feed(const struct sk_conf_loading *l, const struct sk_conf *conf, unsigned i)
{
    const struct sk_conf_feed *feed = &conf->feeds[i];
    char path[96];
    bool twice = false, https = strstr(feed->to, "https://") != NULL;
    for (unsigned j = 0; j < i; j++) {
        twice |= strcmp(feed->name, conf->feeds[j].name) == 0;
    }
    (void)snprintf(path, sizeof(path), "feeds[%u].name", i);
    if (!feed_name_ok(feed->name) || twice) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "a feed's name is its own and has 1 to 48 lower-case letters, digits and hyphens");
    }
    (void)snprintf(path, sizeof(path), "feeds[%u].to", i);
    if (!is_receiver(sk_slice_str(feed->to))) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "file, syslog+tls://HOST:PORT, https://HOST/PATH, elastic+https://HOST/INDEX or splunk+https://HOST");
    }
    (void)snprintf(path, sizeof(path), "feeds[%u].form", i);
    if (https && feed->form != SK_FORM_OCSF && feed->form != SK_FORM_ECS) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "over HTTPS the form is ocsf or ecs");
    }
    (void)snprintf(path, sizeof(path), "feeds[%u].key_file", i);
    if (!feed->cert_file != !feed->key_file) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "cert_file and key_file go together");
    }
    (void)snprintf(path, sizeof(path), "feeds[%u].authorization_file", i);
    if (feed->authorization_file && !https) {
        return sk_conf_refuse(l->error, l->file, l->text, path, "that is for HTTPS alone");
    }
    for (unsigned j = 0; j < feed->tenants_count; j++) {
        const char *at = strchr(feed->tenants[j], '@');
        (void)snprintf(path, sizeof(path), "feeds[%u].tenants[%u]", i, j);
        if (!at || at == feed->tenants[j] || at - feed->tenants[j] > 64 || !sk_conf_name_ok(at + 1) || j == SK_CONF_FEED_TENANTS) {
            return sk_conf_refuse(l->error, l->file, l->text, path, "NAME@SERVICE, such as acme@dns, of at most %u tenants", SK_CONF_FEED_TENANTS);
        }
    }
    int r = feed_file(l, i, "ca_file", feed->ca_file, 24576);
    r = r ? r : feed_file(l, i, "authorization_file", feed->authorization_file, 4000);
    r = r ? r : feed_file(l, i, "cert_file", feed->cert_file, 16384);
    return r ? r : feed_file(l, i, "key_file", feed->key_file, 8192);
}

int sk_conf_feeds(const struct sk_conf_loading *l, const struct sk_conf *conf)
{
    int r = conf->feeds_count > SK_CONF_FEEDS_MAX ? sk_conf_refuse(l->error, l->file, l->text, "feeds", "at most %u", SK_CONF_FEEDS_MAX) : 0;
    for (unsigned i = 0; r == 0 && i < conf->feeds_count; i++) {
        r = feed(l, conf, i);
    }
    return r;
}
