/* Records for the tests of views, and readers of the forms. */
#include "views.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

const struct sk_view_context view_context = {.node = SK_LIT("gw1.example.net"), .version = SK_LIT("0.1.0"), .tenant = SK_LIT("acme")};

const enum sk_audit_op view_ops[] = {
#define X(name, code, text) SK_AUDIT_##name,
        SK_AUDIT_OPS(X)
#undef X
};
const size_t view_ops_count = SK_COUNT(view_ops);

struct sk_audit_record view_full(void)
{
    return (struct sk_audit_record){
            .seq = 4711,
            .id = {[15] = 9},
            .wall = UINT64_C(1795230245678999123),
            .boot = 65536,
            .tenant = {1, 2, 3},
            .op = SK_AUDIT_REQUEST,
            .stage = SK_AUDIT_STAGE_OUTCOME,
            .decision = SK_AUDIT_DECISION_DENY,
            .reason = SK_LIT("denied-by-rule"),
            .rule = SK_LIT("role reader: deny panel DELETE /x"),
            .subject = SK_LIT("hanako"),
            .session = SK_LIT("0123456789abcdef"),
            .factors = SK_LIT("pwd,hwk,mfa"),
            .address = SK_LIT("\x0a\x01\x02\x03"),
            .port = 51234,
            .tls = SK_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384 resumed"),
            .request = SK_LIT("0123456789abcdef"),
            .method = SK_LIT("DELETE"),
            .host = SK_LIT("panel.acme.example"),
            .path = SK_LIT("/zones/1"),
            .app = SK_LIT("panel"),
            .agent = SK_LIT("curl/8"),
            .upstream = SK_LIT("10.0.0.1:8081"),
            .status = 403,
            .bytes_in = 23,
            .bytes_out = 24,
            .duration = UINT64_C(4294967296),
            .detail = SK_LIT("zone 1"),
            .count = 7,
            .redacted = SK_LIT("agent"),
    };
}

struct sk_audit_record view_least(void)
{
    return (struct sk_audit_record){.op = SK_AUDIT_REQUEST, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
}

char *view_text(view_function *view, const struct sk_audit_record *record)
{
    struct sk_buf out = SK_BUF_INIT((size_t)1 << 20);
    cr_assert_eq(view(record, &view_context, &out), 0);
    struct sk_slice text = sk_buf_peek(&out);
    for (struct sk_slice rest = text; rest.len; rest = sk_slice_from(rest, sk_utf8_len(rest))) {
        cr_assert_gt(sk_utf8_len(rest), 0, "not UTF-8: %.*s", (int)text.len, text.data);
        cr_assert((uint8_t)rest.data[0] >= 0x20 && rest.data[0] != 0x7f, "a control character: %.*s", (int)text.len, text.data);
    }
    char *copy = strndup(text.data, text.len);
    cr_assert_not_null(copy);
    sk_buf_free(&out);
    return copy;
}

/* ---- names and values ---- */

void pairs_free(struct pairs *pairs)
{
    for (unsigned i = 0; i < pairs->count; i++) {
        free(pairs->all[i].name);
        free(pairs->all[i].value);
    }
    pairs->count = 0;
}

const char *pairs_get(const struct pairs *pairs, const char *name)
{
    for (unsigned i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->all[i].name, name) == 0) {
            return pairs->all[i].value;
        }
    }
    return NULL;
}

static void add(struct pairs *pairs, const char *name, size_t name_len, const char *value, size_t value_len)
{
    cr_assert_lt(pairs->count, PAIRS_MAX);
    char *copy = strndup(name, name_len);
    cr_assert_null(pairs_get(pairs, copy), "%s is there twice", copy);
    pairs->all[pairs->count].name = copy;
    pairs->all[pairs->count++].value = strndup(value, value_len);
}

/* ---- RFC 5424 ---- */

/* The next word of the header, of at most so many printable characters. */
static const char *read_word(struct pairs *pairs, const char *p, const char *name, size_t most)
{
    size_t len = strcspn(p, " ");
    cr_assert(len > 0 && len <= most && p[len] == ' ', "%s: %s", name, p);
    for (size_t i = 0; i < len; i++) {
        cr_assert(p[i] >= 33 && p[i] <= 126, "%s has a character that is not printable ASCII", name);
    }
    add(pairs, name, strlen(name), p, len);
    return p + len + 1;
}

/* A name of SD-NAME, up to `end`. */
static size_t name_len(const char *p, char end)
{
    size_t len = 0;
    while (p[len] && p[len] != end && p[len] > 32 && p[len] < 127 && !strchr("=]\"", p[len])) {
        len++;
    }
    cr_assert(len > 0 && len <= 32 && p[len] == end, "no name: %s", p);
    return len;
}

static const char *read_param(struct pairs *pairs, const char *p, const char *prefix)
{
    char name[64], value[VALUE_MAX];
    size_t len = name_len(p, '='), at = 0;
    (void)snprintf(name, sizeof(name), "%s%.*s", prefix, (int)len, p);
    p += len + 1;
    cr_assert_eq(*p++, '"');
    while (*p != '"') {
        cr_assert(*p && *p != ']', "a value does not end, or has a bare bracket: %s", p);
        p += *p == '\\' && p[1] && strchr("\"\\]", p[1]) ? 1 : 0;
        value[at++] = *p++;
        cr_assert_lt(at, sizeof(value));
    }
    add(pairs, name, strlen(name), value, at);
    return p + 1;
}

struct pairs view_read_syslog(const char *text)
{
    struct pairs pairs = {.count = 0};
    const char *p = text;
    char *end = NULL;
    cr_assert_eq(*p, '<');
    unsigned long priority = strtoul(p + 1, &end, 10);
    cr_assert(priority <= 191 && strncmp(end, ">1 ", 3) == 0, "%s", text);
    add(&pairs, "PRI", 3, p + 1, (size_t)(end - p - 1));
    p = read_word(&pairs, end + 3, "TIMESTAMP", 32);
    p = read_word(&pairs, p, "HOSTNAME", 255);
    p = read_word(&pairs, p, "APP-NAME", 48);
    p = read_word(&pairs, p, "PROCID", 128);
    p = read_word(&pairs, p, "MSGID", 32);
    for (bool own = true; *p == '['; own = false) {
        const char *id = own ? "sekisho@32473" : "origin";
        cr_assert_eq(strncmp(++p, id, strlen(id)), 0, "%s", p);
        p += strlen(id);
        while (*p == ' ') {
            p = read_param(&pairs, p + 1, own ? "" : "origin.");
        }
        cr_assert_eq(*p++, ']', "an element does not end: %s", p);
    }
    cr_assert_eq(*p++, ' ');
    bool marked = strncmp(p, "\xef\xbb\xbf", 3) == 0, ascii = true;
    p += marked ? 3 : 0;
    for (const char *c = p; *c; c++) {
        ascii = ascii && (uint8_t)*c < 0x80;
    }
    cr_assert(ascii != marked, "a byte order mark is for what is not ASCII");
    add(&pairs, "MSG", 3, p, strlen(p));
    return pairs;
}

/* ---- CEF ---- */

static const char *read_cef_header(struct pairs *pairs, const char *p)
{
    static const char *const names[] = {"Version", "Device Vendor", "Device Product", "Device Version", "Signature ID", "Name", "Severity"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        char value[VALUE_MAX];
        size_t at = 0;
        while (*p != '|') {
            cr_assert(*p, "the header ends in %s", names[i]);
            cr_assert(*p != '\\' || p[1] == '\\' || p[1] == '|');
            p += *p == '\\';
            value[at++] = *p++;
        }
        add(pairs, names[i], strlen(names[i]), value, at);
        p++;
    }
    return p;
}

/* A key is the word before an equals sign that no backslash escapes; a value ends at the blank before the next key, or at the end. */
struct pairs view_read_cef(const char *text)
{
    struct pairs pairs = {.count = 0};
    cr_assert_eq(strncmp(text, "CEF:", 4), 0);
    const char *p = read_cef_header(&pairs, text + 4);
    while (*p) {
        const char *equals = strchr(p, '=');
        cr_assert_not_null(equals, "no key: %s", p);
        for (const char *c = p; c < equals; c++) {
            cr_assert(isalnum((unsigned char)*c), "no key: %s", p);
        }
        char value[VALUE_MAX];
        size_t at = 0, blank = SIZE_MAX;
        const char *behind = NULL, *c = equals + 1;
        for (; *c && *c != '='; c++) {
            bool escaped = *c == '\\';
            cr_assert(!escaped || (c[1] && strchr("\\=nr", c[1])), "an unknown escape: %s", c);
            if (*c == ' ') {
                blank = at;
                behind = c + 1;
            }
            c += escaped;
            value[at++] = escaped && *c == 'n' ? '\n' : escaped && *c == 'r' ? '\r' : *c;
            cr_assert_lt(at, sizeof(value));
        }
        cr_assert(*c == '\0' || behind, "no blank before a key: %s", equals);
        add(&pairs, p, (size_t)(equals - p), value, *c ? blank : at);
        p = *c ? behind : c;
    }
    return pairs;
}

/* ---- JSON ---- */

json_t *view_read_json(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    cr_assert_not_null(json, "%s at %d in %s", error.text, error.position, text);
    return json;
}

const json_t *view_at(const json_t *json, const char *path)
{
    struct sk_slice rest = sk_slice_str(path);
    while (json && rest.len) {
        struct sk_slice segment = sk_slice_split(&rest, '.');
        bool array = segment.len > 2 && segment.data[segment.len - 1] == ']';
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", (int)(segment.len - (array ? 2 : 0)), segment.data);
        json = json_object_get(json, name);
        json = array ? json_array_get(json, 0) : json;
    }
    return json;
}

const char *view_value(const json_t *json, const char *path)
{
    static char number[32];
    const json_t *value = view_at(json, path);
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        return number;
    }
    return value ? json_string_value(value) : NULL;
}
