/* Header field rules. Pure. */
#include "http/fields.h"

static const struct {
    uint16_t status;
    struct sk_slice text;
} refusals[] = {
#define X(name, status, text) {status, {text, sizeof(text) - 1}},
        SK_REFUSALS(X)
#undef X
};

uint16_t sk_refusal_status(enum sk_refusal refusal)
{
    return refusals[refusal].status;
}

struct sk_slice sk_refusal_text(enum sk_refusal refusal)
{
    return refusals[refusal].text;
}

const struct sk_slice *sk_field_find(const struct sk_field *fields, size_t count, struct sk_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (sk_slice_eq(fields[i].name, name)) {
            return &fields[i].value;
        }
    }
    return NULL;
}

bool sk_field_is_token(struct sk_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !memchr("!#$%&'*+-.^_`|~", c, 15))) {
            return false;
        }
    }
    return text.len > 0;
}

bool sk_field_value_ok(struct sk_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool sk_field_list_has(struct sk_slice list, struct sk_slice token)
{
    while (list.len) {
        if (sk_slice_eq_nocase(sk_slice_trim(sk_slice_split(&list, ',')), token)) {
            return true;
        }
    }
    return false;
}

bool sk_field_is_hop_by_hop(struct sk_slice name)
{
    static const struct sk_slice names[] = {{"connection", 10}, {"keep-alive", 10}, {"proxy-connection", 16}, {"te", 2},
            {"transfer-encoding", 17}, {"upgrade", 7}, {"trailer", 7}, {"proxy-authenticate", 18},
            {"proxy-authorization", 19}, {"proxy-authentication-info", 25}, {"http2-settings", 14}};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        if (sk_slice_eq(name, names[i])) {
            return true;
        }
    }
    return false;
}

static char fold(char c)
{
    c = sk_ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

bool sk_field_folds_to(struct sk_slice name, struct sk_slice other)
{
    if (name.len != other.len) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (fold(name.data[i]) != fold(other.data[i])) {
            return false;
        }
    }
    return true;
}

static bool folds_to_prefix(struct sk_slice name, struct sk_slice prefix)
{
    return name.len >= prefix.len && sk_field_folds_to(sk_slice_cut(name, prefix.len), prefix);
}

enum sk_reserved sk_field_reserved(struct sk_slice name)
{
    static const struct sk_slice identity_prefixes[] = {{"x-sekisho-", 10}, {"x-auth-request-", 15}, {"x-consumer-", 11},
            {"remote-", 7}, {"x-remote-", 9}, {"x-client-cert", 13}, {"x-ssl-", 6}, {"ssl-client-", 11}};
    static const struct sk_slice identity[] = {{"x-forwarded-user", 16}, {"x-forwarded-email", 17}, {"x-forwarded-groups", 18},
            {"x-forwarded-preferred-username", 30}, {"x-forwarded-access-token", 24}, {"x-forwarded-client-cert", 23},
            {"x-credential-identifier", 23}, {"x-anonymous-consumer", 20}, {"client-cert", 11}, {"client-cert-chain", 17},
            {"x-user", 6}, {"x-webauth-user", 14}, {"x-original-url", 14}, {"x-rewrite-url", 13}, {"x-original-uri", 14},
            {"x-http-method-override", 22}, {"x-http-method", 13}, {"x-method-override", 17}, {"proxy", 5}};
    static const struct sk_slice forwarding[] = {{"forwarded", 9}, {"x-forwarded-for", 15}, {"x-forwarded-proto", 17},
            {"x-forwarded-host", 16}, {"x-forwarded-port", 16}, {"x-forwarded-server", 18}, {"x-forwarded-prefix", 18},
            {"x-forwarded-scheme", 18}, {"x-forwarded-ssl", 15}, {"x-forwarded-uri", 15}, {"x-forwarded-method", 18},
            {"x-real-ip", 9}, {"x-client-ip", 11}, {"x-cluster-client-ip", 19}, {"true-client-ip", 14}, {"via", 3}};
    /* To a folding server these are the framing itself; their own spelling never gets here. */
    static const struct sk_slice framing[] = {{"transfer-encoding", 17}, {"content-length", 14}};
    for (size_t i = 0; i < SK_COUNT(framing); i++) {
        if (sk_field_folds_to(name, framing[i]) && !sk_slice_eq(name, framing[i])) {
            return SK_RESERVED_IDENTITY;
        }
    }
    char first = fold(name.len ? name.data[0] : '-');
    if (first != 'x' && first != 'f' && first != 'r' && first != 'c' && first != 's' && first != 't' && first != 'v' && first != 'p') {
        return SK_RESERVED_NO;
    }
    for (size_t i = 0; i < SK_COUNT(identity_prefixes); i++) {
        if (folds_to_prefix(name, identity_prefixes[i])) {
            return SK_RESERVED_IDENTITY;
        }
    }
    for (size_t i = 0; i < SK_COUNT(identity); i++) {
        if (sk_field_folds_to(name, identity[i])) {
            return SK_RESERVED_IDENTITY;
        }
    }
    for (size_t i = 0; i < SK_COUNT(forwarding); i++) {
        if (sk_field_folds_to(name, forwarding[i])) {
            return sk_slice_eq(name, forwarding[i]) ? SK_RESERVED_FORWARDING : SK_RESERVED_IDENTITY;
        }
    }
    return SK_RESERVED_NO;
}

bool sk_field_trailer_ok(struct sk_slice name)
{
    static const struct sk_slice refused[] = {{"host", 4}, {"content-length", 14}, {"content-encoding", 16},
            {"content-type", 12}, {"content-range", 13}, {"authorization", 13}, {"cookie", 6}, {"set-cookie", 10},
            {"expect", 6}, {"range", 5}, {"max-forwards", 12}, {"cache-control", 13}, {"location", 8},
            {"www-authenticate", 16}, {"transfer-encoding", 17}, {"te", 2}, {"trailer", 7}, {"connection", 10}, {"keep-alive", 10}, {"upgrade", 7}};
    for (size_t i = 0; i < SK_COUNT(refused); i++) {
        if (sk_field_folds_to(name, refused[i])) {
            return false;
        }
    }
    return !sk_field_is_hop_by_hop(name) && sk_field_reserved(name) == SK_RESERVED_NO;
}
