/* What a client's certificate is for: whose it is by the tenant's map, as a program's credential, as a factor. Runs in the workers. */
#include "proxy/certificate.h"

#include "base/text.h"
#include "conf/tenant_file.h"
#include "tls/peer.h"

#include <errno.h>
#include <stdlib.h>

#define USER_MAX 256 /* bytes of a user's name */

/* What the certificate says by that rule: "BY" or "BY VALUE". False: nothing, or not that. */
static bool says(const struct sk_conn *conn, struct sk_slice rule, struct sk_buf *name)
{
    static const enum sk_tls_name names[] = {[SK_NAMED_BY_EMAIL] = SK_TLS_EMAIL, [SK_NAMED_BY_UPN] = SK_TLS_UPN, [SK_NAMED_BY_URI] = SK_TLS_URI,
            [SK_NAMED_BY_SUBJECT] = SK_TLS_SUBJECT};
    struct sk_slice value = rule, number = sk_slice_split(&value, ' ');
    uint64_t by;
    sk_buf_take(name, sk_buf_len(name));
    if (sk_slice_u64(number, SK_NAMED_BY_FINGERPRINT, &by)) {
        return false;
    }
    if (by == SK_NAMED_BY_FINGERPRINT) {
        uint8_t digest[32];
        char hex[sizeof(digest) * 2 + 1];
        sk_tls_certificate_fingerprint(conn->tls, digest);
        sk_hex_encode(digest, sizeof(digest), hex);
        return sk_slice_eq(value, sk_slice_str(hex));
    }
    return sk_tls_certificate_name(conn->tls, names[by], name) == 0 && (value.len == 0 || sk_slice_eq(value, sk_buf_peek(name)));
}

/* Whose it is by the site's map, in the image or in `name`; the null slice: nobody's in particular. */
static struct sk_slice holder_of(const struct sk_conn *conn, const struct sk_site *site, struct sk_buf *name)
{
    for (struct sk_slice map = site->clients.map; map.len;) {
        struct sk_slice rule = sk_slice_split(&map, '\n'), user = sk_slice_split(&map, '\n');
        if (!says(conn, rule, name)) {
            continue;
        }
        user = user.len ? user : sk_buf_peek(name);
        if (user.len && user.len <= USER_MAX) {
            return user;
        }
    }
    return SK_SLICE_NULL;
}

int sk_certificate_read(struct sk_conn *conn, struct sk_site *site)
{
    struct sk_buf name SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    if (!sk_tls_has_certificate(conn->tls)) {
        return 0;
    }
    struct sk_slice user = holder_of(conn, site, &name);
    conn->mapped = site->serial;
    conn->holder = user.len ? strndup(user.data, user.len) : NULL;
    return user.len && !conn->holder ? -ENOMEM : 0;
}

static bool holder_same(struct sk_conn *conn, const struct sk_site *site)
{
    struct sk_buf name SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    if (conn->mapped != site->serial) {
        struct sk_slice user = holder_of(conn, site, &name);
        if (!sk_slice_eq(user, conn->holder ? sk_slice_str(conn->holder) : SK_SLICE_NULL)) {
            return false;
        }
        conn->mapped = site->serial;
    }
    return true;
}

bool sk_certificate_agrees(struct sk_conn *conn, struct sk_site *site)
{
    if (!conn->tls || !sk_site_clients(site)) {
        return !conn->tls;
    }
    if (!sk_tls_has_certificate(conn->tls)) {
        return !site->clients.required;
    }
    return sk_tls_certificate_holds(conn->tls, site->trust) && holder_same(conn, site);
}

void sk_certificates_tick(struct sk_gate *gate)
{
    for (struct sk_exchange *x = gate->exchanges, *next; x; x = next) {
        struct sk_site *site = x->conn->tenant ? x->conn->tenant->site : NULL;
        next = x->next;
        if (x->step == SK_STEP_RELAY && !x->finished && site && x->conn->tls && sk_tls_has_certificate(x->conn->tls) && !sk_certificate_agrees(x->conn, site)) {
            sk_exchange_cut(x, "certificate-changed");
        }
    }
}

bool sk_certificate_is_of(const struct sk_conn *conn, struct sk_slice subject)
{
    return sk_tls_has_certificate(conn->tls) && (!conn->holder || sk_slice_eq(sk_slice_str(conn->holder), subject));
}

struct sk_slice sk_certificate_fingerprint(const struct sk_conn *conn, uint8_t digest[32])
{
    if (!sk_tls_has_certificate(conn->tls)) {
        return SK_SLICE_NULL;
    }
    sk_tls_certificate_fingerprint(conn->tls, digest);
    return sk_slice(digest, 32);
}

struct sk_slice sk_certificate_holder(const struct sk_conn *conn)
{
    return conn->holder ? sk_slice_str(conn->holder) : SK_SLICE_NULL;
}

struct sk_grant *sk_certificate_grant(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *site = sk_field_find(r->fields, r->fields_count, SK_LIT("sec-fetch-site"));
    uint8_t digest[32];
    /* A browser shows its certificate whatever page makes it ask. */
    if (!sk_exchange_of_own_page(r) || (site && !sk_slice_eq(*site, SK_LIT("same-origin")) && !sk_slice_eq(*site, SK_LIT("none")))) {
        return NULL;
    }
    return sk_grant_certificate(x, sk_certificate_holder(x->conn), sk_certificate_fingerprint(x->conn, digest));
}

/* A byte sequence of RFC 8941, behind a comma when it is not the first. */
static int put_sequence(void *context, struct sk_slice der)
{
    struct sk_buf *out = context;
    char *text = malloc(SK_BASE64_SIZE(der.len));
    int r = text ? 0 : -ENOMEM;
    if (r == 0) {
        struct sk_slice base64 = sk_slice(text, sk_base64_encode(der, text));
        r = sk_buf_printf(out, "%s:%.*s:", sk_buf_len(out) ? ", " : "", (int)base64.len, base64.data);
    }
    free(text);
    return r;
}

struct sk_slice sk_certificate_field(struct sk_exchange *x, bool chain)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)64 << 10);
    if (!sk_tls_has_certificate(x->conn->tls) || sk_tls_certificate_each(x->conn->tls, chain, put_sequence, &text)) {
        return SK_SLICE_NULL;
    }
    return sk_buf_len(&text) ? sk_arena_copy(x->arena, sk_buf_peek(&text)) : SK_SLICE_NULL;
}
