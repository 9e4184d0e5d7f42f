/* The API below /.sekisho/api, an app of its own that the policy has judged: sessions, bans, authenticators, keys, links, and
 * the audit trail (trail.c). Runs in the workers. */
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "ipc/store.h"

#define LIST_MAX ((size_t)64 << 10) /* bytes of a list: its copy fits in the arena */
#define SESSIONS SK_POLICY_BUILTIN_PATH "/v1/sessions"
#define BANS SK_POLICY_BUILTIN_PATH "/v1/bans"
#define AUTHENTICATORS SK_POLICY_BUILTIN_PATH "/v1/authenticators"
#define KEYS SK_POLICY_BUILTIN_PATH "/v1/keys"
#define LINKS SK_POLICY_BUILTIN_PATH "/v1/links"

static bool under(struct sk_slice path, struct sk_slice resource)
{
    return sk_slice_starts(path, resource) && (path.len == resource.len || path.data[resource.len] == '/');
}

/* ---- asking ---- */

static void no_such_method(struct sk_exchange *x)
{
    sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
}

static void sessions(struct sk_exchange *x, struct sk_slice user)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_slice id = sk_slice_from(r->path, sizeof(SESSIONS));
    if (sk_slice_eq(r->method, SK_LIT("GET")) && id.len == 0) {
        struct sk_auth_list m = {.session = x->grant->session, .proof = x->grant->proof, .user = user};
        memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
        sk_reserved_ask(x, SK_AUTH_LIST, &m);
    } else if (sk_slice_eq(r->method, SK_LIT("DELETE")) && (id.len || user.len) && id.len <= 64) {
        struct sk_auth_revoke m = {.session = x->grant->session, .proof = x->grant->proof, .target = id, .user = id.len ? SK_SLICE_NULL : user};
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_REVOKE, &m);
    } else {
        no_such_method(x);
    }
}

/* What bans are of: an address, or the /64 that an IPv6 one is in; or the site around it, /24 or /48. False when it is none. */
static bool read_network(struct sk_slice text, uint8_t bytes[16], struct sk_slice *network)
{
    struct sk_cidr cidr;
    *network = SK_SLICE_NULL;
    if (text.len == 0) {
        return true;
    }
    if (sk_cidr_parse(text, &cidr)) {
        return false;
    }
    bool v4 = cidr.addr.family == SK_FAMILY_V4, site = cidr.bits == (v4 ? 24 : 48);
    memcpy(bytes, cidr.addr.bytes, 16);
    *network = sk_slice(bytes, v4 ? (site ? 3 : 4) : site ? 6 : 8);
    return site || cidr.bits == (v4 ? 32 : 128) || (!v4 && cidr.bits == 64);
}

static void bans(struct sk_exchange *x, struct sk_slice user)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_slice given = sk_form_value(x->arena, sk_slice_from(r->query, 1), "network", 0), network;
    uint8_t bytes[16];
    if (r->path.len != sizeof(BANS) - 1) {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-resource"));
    } else if (!read_network(given, bytes, &network)) {
        sk_exchange_deny(x, 400, SK_AUDIT_DECISION_DENY, SK_LIT("bad-network"));
    } else if (sk_slice_eq(r->method, SK_LIT("GET")) && network.len == 0) {
        struct sk_auth_list_bans m = {.session = x->grant->session, .proof = x->grant->proof, .user = user};
        memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
        sk_reserved_ask(x, SK_AUTH_LIST_BANS, &m);
    } else if (sk_slice_eq(r->method, SK_LIT("DELETE")) && (user.len || network.len)) {
        struct sk_auth_end_bans m = {.session = x->grant->session, .proof = x->grant->proof, .user = user, .network = network};
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_END_BANS, &m);
    } else {
        no_such_method(x);
    }
}

static void authenticators(struct sk_exchange *x, struct sk_slice user)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_slice text = sk_slice_from(r->path, sizeof(AUTHENTICATORS));
    uint8_t id[SK_ID_SIZE];
    bool one = text.len == sizeof(id) * 2 && sk_hex_decode(text, id, sizeof(id)) == 0;
    if (user.len == 0 || (text.len && !one)) {
        sk_exchange_deny(x, user.len ? 404 : 400, SK_AUDIT_DECISION_DENY, user.len ? SK_LIT("no-such-resource") : SK_LIT("user-missing"));
    } else if (sk_slice_eq(r->method, SK_LIT("GET")) && !one) {
        struct sk_auth_list_authenticators m = {.session = x->grant->session, .proof = x->grant->proof, .user = user};
        memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
        sk_reserved_ask(x, SK_AUTH_LIST_AUTHENTICATORS, &m);
    } else if (sk_slice_eq(r->method, SK_LIT("DELETE"))) {
        struct sk_auth_drop_authenticators m = {.session = x->grant->session, .proof = x->grant->proof, .user = user, .id = sk_slice(id, one ? sizeof(id) : 0)};
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_DROP_AUTHENTICATORS, &m);
    } else {
        no_such_method(x);
    }
}

/* They are made and ended in the tenant's file. */
static void keys(struct sk_exchange *x, struct sk_slice user)
{
    const struct sk_request *r = &x->stream->request;
    if (r->path.len != sizeof(KEYS) - 1) {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-resource"));
    } else if (sk_slice_eq(r->method, SK_LIT("GET"))) {
        struct sk_auth_list_api_keys m = {.session = x->grant->session, .proof = x->grant->proof, .user = user};
        memcpy(m.tenant, x->site->tenant->id, SK_ID_SIZE);
        sk_reserved_ask(x, SK_AUTH_LIST_API_KEYS, &m);
    } else {
        no_such_method(x);
    }
}

static void links(struct sk_exchange *x, struct sk_slice user)
{
    const struct sk_request *r = &x->stream->request;
    if (r->path.len != sizeof(LINKS) - 1 || user.len == 0) {
        sk_exchange_deny(x, user.len ? 404 : 400, SK_AUDIT_DECISION_DENY, user.len ? SK_LIT("no-such-resource") : SK_LIT("user-missing"));
    } else if (!sk_reserved_own_page(x)) {
        /* A browser sends a password that it knows with another site's form. */
        sk_exchange_deny(x, 403, SK_AUDIT_DECISION_DENY, SK_LIT("origin-not-allowed"));
    } else if (sk_slice_eq(r->method, SK_LIT("POST"))) {
        bool password = sk_slice_eq(sk_form_value(x->arena, sk_slice_from(r->query, 1), "for", 0), SK_LIT("password"));
        struct sk_auth_make_link m = {.session = x->grant->session, .proof = x->grant->proof, .user = user,
                .kind = password ? SK_VOUCHER_PASSWORD : SK_VOUCHER_LINK};
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_MAKE_LINK, &m);
    } else {
        no_such_method(x);
    }
}

void sk_api_serve(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_slice user = sk_form_value(x->arena, sk_slice_from(r->query, 1), "user", 0);
    if (sk_trail_path(r->path)) {
        sk_trail_serve(x);
    } else if (under(r->path, SK_LIT(SESSIONS)) && user.len <= 256) {
        sessions(x, user);
    } else if (under(r->path, SK_LIT(BANS)) && user.len <= 256) {
        bans(x, user);
    } else if (under(r->path, SK_LIT(AUTHENTICATORS)) && user.len <= 256) {
        authenticators(x, user);
    } else if (under(r->path, SK_LIT(KEYS)) && user.len <= 256) {
        keys(x, user);
    } else if (under(r->path, SK_LIT(LINKS)) && user.len <= 256) {
        links(x, user);
    } else {
        sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("no-such-resource"));
    }
}

/* ---- answering ---- */

/* One more of a list; what does not fit is counted alone. */
static void gather(struct sk_exchange *x, const struct sk_buf *row, int failed)
{
    if (failed == 0 && sk_buf_len(&x->told) + sk_buf_len(row) + 1 <= LIST_MAX) {
        (void)!(sk_buf_len(&x->told) ? sk_buf_put(&x->told, SK_LIT(",")) : 0);
        (void)!sk_buf_put(&x->told, sk_buf_peek(row));
    }
}

static void gather_session(struct sk_exchange *x, const struct sk_auth_session *m)
{
    struct sk_buf row SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    struct sk_addr address = {.family = m->address.len == 4 ? SK_FAMILY_V4 : SK_FAMILY_V6};
    char text[SK_ADDR_TEXT], started[32], used[32];
    memcpy(address.bytes, m->address.data, m->address.len);
    (void)sk_addr_text(&address, text);
    sk_time_text(m->started, started);
    sk_time_text(m->used, used);
    int r = sk_buf_printf(&row, "{\"id\":\"%.*s\",\"subject\":", (int)m->session.len, m->session.data);
    r = r ? r : sk_json_put_string(&row, m->subject);
    r = r ? r : sk_buf_printf(&row, ",\"address\":\"%s\",\"started\":\"%s\",\"used\":\"%s\"}", text, started, used);
    gather(x, &row, r);
}

static void gather_ban(struct sk_exchange *x, const struct sk_auth_ban *m)
{
    static const char *const scopes[SK_BAN_SCOPES] = {[SK_BAN_PAIR] = "user-from-network", [SK_BAN_PLACE] = "network",
            [SK_BAN_ELSEWHERE] = "user-from-new-networks", [SK_BAN_HOME] = "user-from-known-networks", [SK_BAN_KNOWN] = "", [SK_BAN_SITE] = "networks-around"};
    struct sk_buf row SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    struct sk_addr address = {.family = m->network.len <= 4 ? SK_FAMILY_V4 : SK_FAMILY_V6};
    static const char *const prefixes[9] = {[3] = "/24", [6] = "/48", [8] = "/64"};
    const char *prefix = m->network.len <= 8 ? prefixes[m->network.len] : NULL;
    char text[SK_ADDR_TEXT] = "", until[32];
    int r = sk_buf_printf(&row, "{\"scope\":\"%s\",\"user\":", m->scope < SK_BAN_SCOPES ? scopes[m->scope] : "");
    r = r ? r : m->user.len ? sk_json_put_string(&row, m->user) : sk_buf_put(&row, SK_LIT("null"));
    if (m->network.len) {
        memcpy(address.bytes, m->network.data, m->network.len);
        (void)sk_addr_text(&address, text);
        r = r ? r : sk_buf_printf(&row, ",\"network\":\"%s%s\"", text, prefix ? prefix : "");
    } else {
        r = r ? r : sk_buf_put(&row, SK_LIT(",\"network\":null"));
    }
    sk_time_text(m->until, until);
    r = r ? r : m->until ? sk_buf_printf(&row, ",\"until\":\"%s\"}", until) : sk_buf_put(&row, SK_LIT(",\"until\":null}"));
    gather(x, &row, r);
}

static void gather_authenticator(struct sk_exchange *x, const struct sk_auth_authenticator *m)
{
    struct sk_buf row SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    char created[32], used[32], id[2 * SK_ID_SIZE + 1], aaguid[2 * SK_ID_SIZE + 1];
    sk_time_text(m->created, created);
    sk_time_text(m->used, used);
    sk_hex_encode(m->id, SK_ID_SIZE, id);
    sk_hex_encode(m->aaguid, SK_ID_SIZE, aaguid);
    int r = sk_buf_printf(&row, "{\"id\":\"%s\",\"name\":", id);
    r = r ? r : sk_json_put_string(&row, m->label);
    r = r ? r : sk_buf_printf(&row, ",\"aaguid\":\"%.8s-%.4s-%.4s-%.4s-%.12s\",\"format\":\"%.*s\",\"attested\":%s,\"synced\":%s,\"created\":\"%s\",\"used\":",
                        aaguid, aaguid + 8, aaguid + 12, aaguid + 16, aaguid + 20, (int)m->format.len, m->format.data, m->attested ? "true" : "false",
                        m->synced ? "true" : "false", created);
    r = r ? r : m->used ? sk_buf_printf(&row, "\"%s\"}", used) : sk_buf_put(&row, SK_LIT("null}"));
    gather(x, &row, r);
}

static void gather_key(struct sk_exchange *x, const struct sk_auth_api_key *m)
{
    struct sk_buf row SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    char expires[32], used[32], sha256[2 * 32 + 1];
    sk_time_text(m->expires, expires);
    sk_time_text(m->used, used);
    sk_hex_encode((const uint8_t *)m->sha256.data, m->sha256.len, sha256);
    int r = sk_buf_put(&row, SK_LIT("{\"user\":"));
    r = r ? r : sk_json_put_string(&row, m->user);
    r = r ? r : sk_buf_printf(&row, ",\"sha256\":\"%s\",\"expires\":\"%s\",\"certificate\":", sha256, expires);
    r = r ? r : m->certificate.len ? sk_json_put_string(&row, m->certificate) : sk_buf_put(&row, SK_LIT("null"));
    r = r ? r : m->used ? sk_buf_printf(&row, ",\"used\":\"%s\"}", used) : sk_buf_put(&row, SK_LIT(",\"used\":null}"));
    gather(x, &row, r);
}

/* Where its user registers: at this host, as the asker has come to it. */
static void told_link(struct sk_exchange *x, const struct sk_auth_told *m)
{
    struct sk_slice authority = x->stream->request.authority;
    bool password = sk_slice_eq(sk_form_value(x->arena, sk_slice_from(x->stream->request.query, 1), "for", 0), SK_LIT("password"));
    struct sk_slice body = sk_arena_printf(x->arena, "{\"url\":\"https://%.*s/.sekisho/%s?link=%.*s\"}\n", (int)authority.len, authority.data,
            password ? "password" : "enroll", (int)m->text.len, m->text.data);
    if (body.data) {
        sk_reserved_json(x, body);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

static void done(struct sk_exchange *x, const struct sk_auth_done *m)
{
    const struct sk_request *r = &x->stream->request;
    const char *name = under(r->path, SK_LIT(BANS))             ? "bans"
                       : under(r->path, SK_LIT(AUTHENTICATORS)) ? "authenticators"
                       : under(r->path, SK_LIT(KEYS))           ? "keys"
                                                                : "sessions";
    unsigned long long count = (unsigned long long)m->count;
    struct sk_slice list = sk_buf_peek(&x->told);
    struct sk_slice body = sk_slice_eq(r->method, SK_LIT("GET"))
                                   ? sk_arena_printf(x->arena, "{\"%s\":[%.*s],\"total\":%llu}\n", name, (int)list.len, list.data ? list.data : "", count)
                                   : sk_arena_printf(x->arena, "{\"ended\":%llu}\n", count);
    if (body.data) {
        sk_reserved_json(x, body);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

void sk_api_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    if (sk_trail_path(x->stream->request.path)) {
        sk_trail_told(x, code, message);
        return;
    }
    switch (code) {
    case SK_AUTH_SESSION:
        gather_session(x, message);
        break;
    case SK_AUTH_BAN:
        gather_ban(x, message);
        break;
    case SK_AUTH_DONE:
        done(x, message);
        break;
    case SK_AUTH_AUTHENTICATOR:
        gather_authenticator(x, message);
        break;
    case SK_AUTH_API_KEY:
        gather_key(x, message);
        break;
    case SK_AUTH_TOLD:
        told_link(x, message);
        break;
    case SK_AUTH_REFUSED:
        if (sk_slice_eq(((const struct sk_auth_refused *)message)->reason, SK_LIT("unknown-user"))) {
            sk_exchange_deny(x, 404, SK_AUDIT_DECISION_DENY, SK_LIT("unknown-user"));
            break;
        }
        sk_exchange_deny(x, 503, SK_AUDIT_DECISION_ERROR, sk_arena_copy(x->arena, ((const struct sk_auth_refused *)message)->reason));
        break;
    default:
        break;
    }
}
