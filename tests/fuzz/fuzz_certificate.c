/*
 * What a client's certificate names its holder by, and what texts of authorities and lists are taken for. The input is
 * 'C' a certificate: any has a name of each kind, or none, which is text, and by the tenant's map is of whom it names alone;
 * 'N' a kind and two texts, a NUL between: whoever an authority names so is known by exactly that, and by nothing when it names two;
 * 'A' or 'R' a text behind a good one, of authorities or of lists: all of it is taken or nothing, and no text takes a revocation back;
 * 'S' a list that the authority signs: whom it revokes is refused, unless the list is, and no delta list takes a revocation back.
 */
#include "authority.h"
#include "base/text.h"
#include "conf/tenant_file.h"
#include "proxy/certificate.h"
#include "tls/identity.h"
#include "tls/names.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- what proxy/certificate.c asks of a connection: this one shows `shown` ---- */

static X509 *shown;

bool sk_tls_has_certificate(const struct sk_tls *tls sk_unused)
{
    return true;
}

int sk_tls_certificate_name(const struct sk_tls *tls sk_unused, enum sk_tls_name which, struct sk_buf *out)
{
    return sk_tls_name_of(shown, which, out);
}

void sk_tls_certificate_fingerprint(const struct sk_tls *tls sk_unused, uint8_t out[32])
{
    unsigned len;
    require(X509_digest(shown, EVP_sha256(), out, &len) == 1);
}

bool sk_tls_certificate_holds(struct sk_tls *tls sk_unused, struct sk_tls_trust *trust sk_unused)
{
    return true;
}

int sk_tls_certificate_each(const struct sk_tls *tls sk_unused, bool chain sk_unused, int (*each)(void *context, struct sk_slice der) sk_unused, void *context sk_unused)
{
    abort();
}

bool sk_site_clients(struct sk_site *site sk_unused)
{
    abort();
}

bool sk_exchange_of_own_page(const struct sk_request *request sk_unused)
{
    abort();
}

void sk_exchange_cut(struct sk_exchange *x sk_unused, const char *why sk_unused)
{
    abort();
}

struct sk_grant *sk_grant_certificate(struct sk_exchange *x sk_unused, struct sk_slice subject sk_unused, struct sk_slice fingerprint sk_unused)
{
    abort();
}

/* ---- names ---- */

static bool is_text(struct sk_slice text)
{
    for (size_t len; text.len; text = sk_slice_from(text, len)) {
        len = sk_utf8_len(text);
        if (len == 0 || (uint8_t)text.data[0] < 0x20 || text.data[0] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Whose the shown certificate is by this map; the null slice: nobody's. */
static struct sk_slice holder(struct sk_slice map, char out[257])
{
    struct sk_site site = {.serial = 1, .clients = {.map = map}};
    struct sk_conn conn = {.tls = NULL};
    require(sk_certificate_read(&conn, &site) == 0 && conn.mapped == 1);
    if (!conn.holder) {
        return SK_SLICE_NULL;
    }
    struct sk_slice found = sk_slice_str(conn.holder);
    require(found.len > 0 && found.len <= 256);
    memcpy(out, conn.holder, found.len + 1);
    require(sk_slice_eq(sk_certificate_holder(&conn), found) && sk_certificate_is_of(&conn, found) && !sk_certificate_is_of(&conn, SK_LIT("somebody else")));
    free(conn.holder);
    return sk_slice_str(out);
}

/* By one name: as it says itself, as the map says of exactly that name, and never by another value. */
static void check_map(enum sk_conf_named_by by, struct sk_slice name)
{
    struct sk_buf map SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    char out[257];
    require(sk_buf_printf(&map, "%d\n\n", (int)by) == 0);
    struct sk_slice found = holder(sk_buf_peek(&map), out);
    require(name.len && name.len <= 256 ? sk_slice_eq(found, name) : !found.data);
    sk_buf_take(&map, sk_buf_len(&map));
    require(!sk_buf_printf(&map, "%d x", (int)by) && !sk_buf_put(&map, name) && !sk_buf_put(&map, SK_LIT("\nmallory\n")));
    require(!holder(sk_buf_peek(&map), out).data);
    require(!sk_buf_printf(&map, "%d ", (int)by) && !sk_buf_put(&map, name.len ? name : SK_LIT("x")) && !sk_buf_put(&map, SK_LIT("\nhanako\n")));
    found = holder(sk_buf_peek(&map), out);
    require(name.len ? sk_slice_eq(found, SK_LIT("hanako")) : !found.data);
}

static const enum sk_conf_named_by named_by[] = {[SK_TLS_EMAIL] = SK_NAMED_BY_EMAIL, [SK_TLS_UPN] = SK_NAMED_BY_UPN, [SK_TLS_URI] = SK_NAMED_BY_URI,
        [SK_TLS_SUBJECT] = SK_NAMED_BY_SUBJECT};

static void check_certificate(struct sk_slice der)
{
    const unsigned char *p = (const unsigned char *)der.data;
    shown = der.len ? d2i_X509(NULL, &p, (long)der.len) : NULL;
    for (enum sk_tls_name which = SK_TLS_EMAIL; shown && which <= SK_TLS_SUBJECT; which++) {
        struct sk_buf name SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
        bool named = sk_tls_name_of(shown, which, &name) == 0;
        require(is_text(sk_buf_peek(&name)) && (named || sk_buf_len(&name) == 0));
        check_map(named_by[which], sk_buf_peek(&name));
    }
    X509_free(shown);
}

static bool add_name(GENERAL_NAMES *names, unsigned kind, struct sk_slice text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *string = kind == SK_TLS_UPN ? ASN1_UTF8STRING_new() : ASN1_IA5STRING_new();
    require(name && string && ASN1_STRING_set(string, text.data ? text.data : "", (int)text.len) == 1);
    if (kind == SK_TLS_UPN) {
        ASN1_TYPE *value = ASN1_TYPE_new();
        require(value != NULL);
        ASN1_TYPE_set(value, V_ASN1_UTF8STRING, string);
        require(GENERAL_NAME_set0_othername(name, OBJ_nid2obj(NID_ms_upn), value) == 1);
    } else {
        GENERAL_NAME_set0_value(name, kind == SK_TLS_EMAIL ? GEN_EMAIL : GEN_URI, string);
    }
    return sk_GENERAL_NAME_push(names, name) > 0;
}

/* `text` as an IA5String is of ASCII; whatever else there is in one is taken for Latin-1. */
static struct sk_slice spelled(unsigned kind, struct sk_slice text, struct sk_buf *out)
{
    for (size_t i = 0; kind != SK_TLS_UPN && i < text.len; i++) {
        uint8_t c = (uint8_t)text.data[i];
        const char two[] = {(char)(c < 0x80 ? c : 0xc0 | c >> 6), (char)(0x80 | (c & 63))};
        require(sk_buf_put(out, sk_slice(two, c < 0x80 ? 1 : 2)) == 0);
    }
    return kind == SK_TLS_UPN ? text : sk_buf_peek(out);
}

static void check_named(struct sk_slice input)
{
    unsigned kind = input.len ? (uint8_t)input.data[0] % 3 : 0; /* SK_TLS_EMAIL, SK_TLS_UPN, SK_TLS_URI */
    struct sk_slice other = sk_slice_from(input, 1), text = sk_slice_split(&other, '\0');
    struct sk_buf name SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20), latin SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    X509 *certificate = X509_new();
    require(names && certificate && add_name(names, kind, text) && (!other.len || add_name(names, kind, other)));
    require(add_name(names, (kind + 1) % 3, SK_LIT("of another kind")) && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
    bool good = sk_tls_name_of(certificate, (enum sk_tls_name)kind, &name) == 0;
    struct sk_slice right = spelled(kind, text, &latin);
    require(good == (!other.len && right.len > 0 && is_text(right)) && (!good || sk_slice_eq(sk_buf_peek(&name), right)));
    GENERAL_NAMES_free(names);
    X509_free(certificate);
}

/* ---- authorities and lists ---- */

/* What comes of the client; NULL: it is let in. */
static const char *judge(struct sk_tls_trust *trust)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    uint64_t until;
    require(ctx && X509_STORE_CTX_init(ctx, sk_tls_trust_store(trust), fuzz_authority()->client, NULL) == 1);
    const char *reason = sk_tls_trust_verify(trust, ctx, &until);
    X509_STORE_CTX_free(ctx);
    return reason;
}

/* With these lists, if they are taken; true: it is let in. */
static bool lets_in(struct sk_slice lists, unsigned rules)
{
    char why[SK_TLS_WHY] = "";
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_buf_peek(&fuzz_authority()->pem), lists, rules, why);
    bool good = trust && !judge(trust);
    require(trust || why[0]);
    (void)sk_tls_trust_unref(trust);
    return good;
}

/* How many lines begin a block of that name; 0 when others begin, too: what stands within those is theirs. */
static int begun(struct sk_slice text, struct sk_slice line)
{
    int count = 0;
    while (text.len) {
        struct sk_slice one = sk_slice_split(&text, '\n');
        if (sk_slice_starts(one, SK_LIT("-----BEGIN "))) {
            if (!sk_slice_eq(one, line)) {
                return 0;
            }
            count++;
        }
    }
    return count;
}

static void check_authorities(struct sk_slice body)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    char why[SK_TLS_WHY] = "";
    require(!sk_buf_put(&text, sk_buf_peek(&fuzz_authority()->pem)) && !sk_buf_put(&text, body));
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_buf_peek(&text), SK_SLICE_NULL, 0, why);
    if (trust) {
        STACK_OF(X509_NAME) *names = sk_tls_trust_names(trust);
        require(sk_X509_NAME_num(names) > begun(body, SK_LIT("-----BEGIN CERTIFICATE-----")));
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        require(!judge(trust));
    } else {
        require(why[0]);
    }
    (void)sk_tls_trust_unref(trust);
}

static bool takes(const struct sk_tls_trust *trust, struct sk_slice lists)
{
    char why[SK_TLS_WHY] = "";
    bool good = sk_tls_trust_takes(trust, lists, why);
    require(good || why[0]);
    return good;
}

static void check_lists(struct sk_slice body)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    char why[SK_TLS_WHY];
    struct sk_tls_trust *trust = sk_tls_trust_new(sk_buf_peek(&fuzz_authority()->pem), SK_SLICE_NULL, 0, why);
    fuzz_list(5, 0, 2025, true, &text);
    require(trust && sk_buf_put(&text, body) == 0);
    bool both = takes(trust, sk_buf_peek(&text)), alone = takes(trust, body);
    require(!both || alone || !begun(body, SK_LIT("-----BEGIN X509 CRL-----")));
    require(!lets_in(sk_buf_peek(&text), SK_TLS_LISTS) && !lets_in(sk_buf_peek(&text), SK_TLS_LISTS | SK_TLS_STALE));
    (void)sk_tls_trust_unref(trust);
}

/* Is the delta list the newest of the authority's, beside the full list with number 5? One that says no number, or another scope, is not. */
static bool is_newest(X509_CRL *list)
{
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(list, NID_crl_number, NULL, NULL), *five = ASN1_INTEGER_new();
    require(five && ASN1_INTEGER_set(five, 5) == 1);
    bool newest = number && ASN1_INTEGER_cmp(number, five) > 0;
    ASN1_INTEGER_free(number);
    ASN1_INTEGER_free(five);
    return newest;
}

static void check_signed(struct sk_slice body)
{
    const struct fuzz_authority *a = fuzz_authority();
    struct sk_buf own SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20), revoking SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    struct sk_buf full SK_CLEANUP(sk_buf_free) = SK_BUF_INIT((size_t)1 << 20);
    X509_CRL *list = fuzz_signed(body);
    X509_REVOKED *entry;
    if (!list) {
        return;
    }
    fuzz_put_pem(list, &own);
    fuzz_list(5, 0, 2025, true, &revoking);
    fuzz_list(5, 0, 2025, false, &full);
    AUTHORITY_KEYID *signer = X509_CRL_get_ext_d2i(list, NID_authority_key_identifier, NULL, NULL);
    bool of_key = X509_check_akid(a->root, signer) == X509_V_OK, delta = X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0;
    bool revoked = X509_CRL_get0_by_cert(list, &entry, a->client) == 1;
    AUTHORITY_KEYID_free(signer);
    X509_CRL_free(list);
    /* Alone: it is all there is. */
    require(!lets_in(sk_buf_peek(&own), SK_TLS_LISTS) || (!revoked && !delta));
    require(!sk_buf_put(&revoking, sk_buf_peek(&own)) && !sk_buf_put(&full, sk_buf_peek(&own)));
    if (delta) {
        require(!lets_in(sk_buf_peek(&revoking), SK_TLS_LISTS) && !lets_in(sk_buf_peek(&revoking), SK_TLS_LISTS | SK_TLS_STALE));
        list = fuzz_signed(body);
        require(!revoked || !of_key || !is_newest(list) || !lets_in(sk_buf_peek(&full), SK_TLS_LISTS | SK_TLS_STALE));
        X509_CRL_free(list);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rest = sk_slice_from(sk_slice(data, size), 1);
    (void)fuzz_authority();
    switch (size ? data[0] : 0) {
    case 'C':
        check_certificate(rest);
        break;
    case 'N':
        check_named(rest);
        break;
    case 'A':
        check_authorities(rest);
        break;
    case 'R':
        check_lists(rest);
        break;
    case 'S':
        check_signed(rest);
        break;
    default:
        break;
    }
    ERR_clear_error();
    return 0;
}
