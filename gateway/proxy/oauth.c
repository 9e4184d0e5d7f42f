/*
 * The token endpoint (RFC 6749): a program gets an access token for its key, for what it signs with one, or for its client certificate. What it asks is a form of no page, so the program's own credential
 * alone counts, never a cookie. It has its tokens revoked (RFC 7009) and looked at (RFC 7662) here too. Runs in the workers; auth decides.
 */
#include "proxy/certificate.h"
#include "proxy/reserved.h"

#include "base/clock.h"
#include "base/text.h"
#include "tls/peer.h"

#define FORM_MAX ((size_t)24 << 10)
#define TOKEN "/.sekisho/oauth/token"
#define REVOKE "/.sekisho/oauth/revoke"
#define INTROSPECT "/.sekisho/oauth/introspect"
#define METADATA "/.well-known/oauth-authorization-server"
#define KEY_PREFIX "sekisho_"
#define SECRET_SIZE 43
#define USER_MAX 64
#define TOKEN_MAX 8192

static bool is(const struct sk_exchange *x, const char *path)
{
    return sk_slice_eq(x->stream->request.path, sk_slice_str(path));
}

bool sk_oauth_path(struct sk_slice path)
{
    return sk_slice_eq(path, SK_LIT(TOKEN)) || sk_slice_eq(path, SK_LIT(REVOKE)) || sk_slice_eq(path, SK_LIT(INTROSPECT)) ||
           sk_slice_eq(path, SK_LIT(METADATA));
}

bool sk_oauth_is_metadata(const struct sk_exchange *x)
{
    return x->site->set.programs && is(x, METADATA);
}

/* ---- errors ---- */

/* RFC 6749 section 5.2: what is said for what was found; the record has the reason. */
struct fault {
    const char *found, *error, *reason;
    uint16_t status;
};

static const struct fault faults[] = {{"invalid_client", "invalid_client", "invalid-client", 401},
        {"invalid_request", "invalid_request", "invalid-request", 400}, {"invalid_scope", "invalid_scope", "invalid-scope", 400},
        {"invalid_dpop_proof", "invalid_dpop_proof", "invalid-dpop-proof", 400}, {"unsupported_grant_type", "unsupported_grant_type", "unsupported-grant-type", 400},
        {"wrong_network", "unauthorized_client", "user-network-not-allowed", 400},
        {"not_its_token", "unauthorized_client", "token-of-another", 400}};

static void answer(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason, struct sk_slice json)
{
    struct sk_field *fields = sk_arena_zalloc(x->arena, sizeof(*fields) * 4);
    size_t count = 0;
    if (!fields || !json.data) {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
        return;
    }
    fields[count++] = (struct sk_field){SK_LIT("content-type"), SK_LIT("application/json")};
    fields[count++] = (struct sk_field){SK_LIT("pragma"), SK_LIT("no-cache")};
    if (status == 401) {
        fields[count++] = (struct sk_field){SK_LIT("www-authenticate"), SK_LIT("Basic realm=\"Sekisho\", charset=\"UTF-8\"")};
    }
    count += sk_exchange_retry_after(x, status, &fields[count]);
    sk_exchange_answer(x, status, decision, reason, fields, count, json);
}

static void unavailable(struct sk_exchange *x, struct sk_slice reason)
{
    answer(x, 503, SK_AUDIT_DECISION_ERROR, sk_arena_copy(x->arena, reason), SK_LIT("{\"error\":\"temporarily_unavailable\"}\n"));
}

/* Any other reason than one of the faults is none of the program's. */
static void refuse(struct sk_exchange *x, struct sk_slice found)
{
    for (size_t i = 0; i < SK_COUNT(faults); i++) {
        const struct fault *f = &faults[i];
        if (sk_slice_eq(found, sk_slice_str(f->found))) {
            answer(x, f->status, SK_AUDIT_DECISION_DENY, sk_slice_str(f->reason), sk_arena_printf(x->arena, "{\"error\":\"%s\"}\n", f->error));
            return;
        }
    }
    unavailable(x, found);
}

/* ---- the form ---- */

static struct sk_slice value(struct sk_exchange *x, const char *name)
{
    return sk_form_value(x->arena, sk_buf_peek(&x->form), name, 0);
}

/* A parameter that stands there twice would be another for whoever reads the last. */
static bool is_twice(struct sk_exchange *x)
{
    static const char *const names[] = {"grant_type", "scope", "token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"};
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        if (sk_form_value(x->arena, sk_buf_peek(&x->form), names[i], 1).data) {
            return true;
        }
    }
    return false;
}

/* ---- metadata ---- */

#define METHODS "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\"%s]"
#define ALGORITHMS "[\"RS256\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"
#define ENDPOINT(name) \
    ",\"" name "_endpoint_auth_methods_supported\":" METHODS ",\"" name "_endpoint_auth_signing_alg_values_supported\":" ALGORITHMS

/* RFC 8414, of this host. Where clients are asked for certificates, they are at each of its endpoints: there are no others for them (mtls_endpoint_aliases). */
static void show_metadata(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    struct sk_slice at = r->authority;
    int len = (int)at.len;
    const char *by_certificate = x->site->clients.map.len ? ",\"tls_client_auth\"" : "";
    if (!sk_slice_eq(r->method, SK_LIT("GET")) && !sk_slice_eq(r->method, SK_LIT("HEAD"))) {
        sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
        return;
    }
    struct sk_slice json = sk_arena_printf(x->arena,
            "{\"issuer\":\"https://%.*s\",\"token_endpoint\":\"https://%.*s" TOKEN "\",\"revocation_endpoint\":\"https://%.*s" REVOKE
            "\",\"introspection_endpoint\":\"https://%.*s" INTROSPECT "\",\"jwks_uri\":\"https://%.*s/.well-known/sekisho/jwks.json\""
            ",\"response_types_supported\":[],\"grant_types_supported\":[\"client_credentials\"]"
            ENDPOINT("token") ENDPOINT("revocation") ENDPOINT("introspection")
            ",\"dpop_signing_alg_values_supported\":" ALGORITHMS "%s}\n",
            len, at.data, len, at.data, len, at.data, len, at.data, len, at.data, by_certificate, by_certificate, by_certificate,
            x->site->clients.ca.len ? ",\"tls_client_certificate_bound_access_tokens\":true" : "");
    x->reason = SK_LIT("oauth-metadata");
    if (json.data) {
        sk_reserved_json(x, json);
    } else {
        sk_exchange_deny(x, 500, SK_AUDIT_DECISION_ERROR, SK_LIT("internal-error"));
    }
}

enum sk_go sk_oauth_serve(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *type = sk_field_find(r->fields, r->fields_count, SK_LIT("content-type"));
    struct sk_slice rest = type ? *type : SK_SLICE_NULL;
    if (is(x, METADATA)) {
        show_metadata(x);
        return SK_GO_WAIT;
    }
    if (!sk_slice_eq(r->method, SK_LIT("POST"))) {
        sk_exchange_deny(x, 405, SK_AUDIT_DECISION_DENY, SK_LIT("method-not-allowed"));
        return SK_GO_WAIT;
    }
    if (!sk_slice_eq_nocase(sk_slice_trim(sk_slice_split(&rest, ';')), SK_LIT("application/x-www-form-urlencoded"))) {
        refuse(x, SK_LIT("invalid_request"));
        return SK_GO_WAIT;
    }
    return sk_reserved_wait_for_form(x, FORM_MAX);
}

/* ---- the program ---- */

enum client { CLIENT_ASKED, CLIENT_WRONG, CLIENT_MALFORMED };

/* Form-encoded within, as RFC 6749 section 2.3.1 has it. */
static struct sk_slice decoded(struct sk_exchange *x, struct sk_slice text)
{
    struct sk_slice form = sk_arena_printf(x->arena, "v=%.*s", (int)text.len, text.data ? text.data : "");
    return sk_form_value(x->arena, form, "v", 0);
}

/* Name and secret of a Basic header. False: it is none. */
static bool read_basic(struct sk_exchange *x, struct sk_slice header, struct sk_slice *name, struct sk_slice *secret)
{
    struct sk_slice scheme = SK_LIT("basic "), encoded = sk_slice_trim(sk_slice_from(header, scheme.len));
    uint8_t *plain = sk_arena_alloc(x->arena, encoded.len + 1);
    size_t len;
    if (!plain || !sk_slice_eq_nocase(sk_slice_cut(header, scheme.len), scheme) || sk_base64_decode(encoded, plain, encoded.len, &len)) {
        return false;
    }
    struct sk_slice rest = sk_slice(plain, len);
    *name = decoded(x, sk_slice_split(&rest, ':'));
    *secret = decoded(x, rest);
    return true;
}

/* The secret alone, or the key that it is part of, of which the name is part too. */
static enum client ask_secret(struct sk_exchange *x, struct sk_slice name, struct sk_slice secret)
{
    struct sk_slice prefix = sk_arena_printf(x->arena, KEY_PREFIX "%.*s_", (int)name.len, name.data ? name.data : "");
    if (prefix.data && sk_slice_starts(secret, prefix)) {
        secret = sk_slice_from(secret, prefix.len);
    }
    if (name.len == 0 || name.len > USER_MAX || secret.len != SECRET_SIZE) {
        return CLIENT_WRONG;
    }
    struct sk_slice key = sk_arena_printf(x->arena, "%.*s%.*s", (int)prefix.len, prefix.data, (int)secret.len, secret.data);
    return sk_grant_key(x, key, name, secret) ? CLIENT_ASKED : CLIENT_WRONG;
}

static enum client ask_assertion(struct sk_exchange *x, struct sk_slice name, struct sk_slice assertion)
{
    if (name.len == 0 || !sk_slice_eq(value(x, "client_assertion_type"), SK_LIT("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))) {
        return CLIENT_MALFORMED;
    }
    bool fits = name.len <= USER_MAX && assertion.len && assertion.len <= TOKEN_MAX;
    return fits && sk_grant_client(x, name, assertion) ? CLIENT_ASKED : CLIENT_WRONG;
}

/* tls_client_auth (RFC 8705 section 2.1): whose the connection's certificate is, the tenant's map says. */
static enum client ask_certificate(struct sk_exchange *x, struct sk_slice name)
{
    struct sk_slice holder = sk_certificate_holder(x->conn);
    if (!sk_slice_eq(name, holder)) {
        x->detail = holder.len ? SK_LIT("certificate-of-another") : SK_LIT("certificate-of-nobody");
        return CLIENT_WRONG;
    }
    return sk_certificate_grant(x) ? CLIENT_ASKED : CLIENT_WRONG;
}

/* Has the program's grant in x->grant, or asked for. It proves itself in one way, not two: a certificate counts where nothing else is there. */
static enum client ask_client(struct sk_exchange *x)
{
    const struct sk_request *r = &x->stream->request;
    const struct sk_slice *header = sk_field_find(r->fields, r->fields_count, SK_LIT("authorization"));
    struct sk_slice given = value(x, "client_id"), secret = value(x, "client_secret"), assertion = value(x, "client_assertion"), name = given;
    if ((header != NULL) + (secret.data != NULL) + (assertion.data != NULL) > 1) {
        return CLIENT_MALFORMED;
    }
    if (assertion.data) {
        return ask_assertion(x, name, assertion);
    }
    if (!header && !secret.data && name.len && sk_tls_has_certificate(x->conn->tls)) {
        return ask_certificate(x, name);
    }
    if (!header) {
        return ask_secret(x, name, secret);
    }
    if (!read_basic(x, *header, &name, &secret)) {
        return CLIENT_WRONG;
    }
    return given.data && !sk_slice_eq(given, name) ? CLIENT_MALFORMED : ask_secret(x, name, secret);
}

/* True: the program is who it says, and comes from where it may. Else it was refused, or auth is being asked and the form comes again. */
static bool has_client(struct sk_exchange *x)
{
    if (!x->grant) {
        enum client client = ask_client(x);
        if (client != CLIENT_ASKED) {
            refuse(x, client == CLIENT_MALFORMED ? SK_LIT("invalid_request") : SK_LIT("invalid_client"));
            return false;
        }
    }
    if (x->grant->state == SK_GRANT_ASKING) {
        return false;
    }
    if (x->grant->state != SK_GRANT_GOOD) {
        bool wrong = strcmp(x->grant->reason, "login-failed") == 0;
        sk_grant_release(x);
        refuse(x, wrong ? SK_LIT("invalid_client") : SK_LIT("auth-unavailable"));
        return false;
    }
    x->verdict = sk_exchange_decide(x, SK_LIT(SK_POLICY_BUILTIN_PATH), sk_grant_subject(x->grant, x->site));
    if (x->verdict.reason == SK_POLICY_USER_NETWORK_NOT_ALLOWED) {
        refuse(x, SK_LIT("wrong_network"));
        return false;
    }
    return true;
}

/* ---- the token ---- */

/* "APP:METHOD", a space between: all of the tenant's, and no more than a grant can have. */
static bool is_scope(struct sk_exchange *x, struct sk_slice scope)
{
    struct sk_policy_subject subject = {.scoped = false};
    while (scope.len) {
        struct sk_slice method = sk_slice_split(&scope, ' '), app = sk_slice_split(&method, ':');
        struct sk_slice entry = sk_arena_printf(x->arena, "%.*s %.*s", (int)app.len, app.data, (int)method.len, method.data);
        if (!entry.data || sk_slice_find(method, ',') < method.len || sk_policy_scope_add(&x->site->image.policy, entry, &subject)) {
            return false;
        }
    }
    return true;
}

static void ask_token(struct sk_exchange *x)
{
    struct sk_slice type = value(x, "grant_type"), scope = value(x, "scope");
    uint8_t digest[32];
    struct sk_auth_issue m = {.authority = x->stream->request.authority, .session = x->grant->session, .proof = x->grant->proof, .scope = scope,
            .dpop = sk_identify_proof(&x->stream->request), .fingerprint = sk_certificate_fingerprint(x->conn, digest)};
    if (!m.dpop.len && sk_field_find(x->stream->request.fields, x->stream->request.fields_count, SK_LIT("dpop"))) {
        refuse(x, SK_LIT("invalid_dpop_proof"));
    } else if (!type.data) {
        refuse(x, SK_LIT("invalid_request"));
    } else if (!sk_slice_eq(type, SK_LIT("client_credentials"))) {
        refuse(x, SK_LIT("unsupported_grant_type"));
    } else if (scope.len > 2048 || !is_scope(x, scope)) {
        refuse(x, SK_LIT("invalid_scope"));
    } else {
        SK_FILL_ORIGIN(&m, x);
        sk_reserved_ask(x, SK_AUTH_ISSUE, &m);
    }
}

/* ---- about a token ---- */

static void inspect(struct sk_exchange *x)
{
    struct sk_slice token = value(x, "token");
    struct sk_auth_revoke_token revoke = {.authority = x->stream->request.authority, .session = x->grant->session, .proof = x->grant->proof, .bearer = token};
    struct sk_auth_introspect ask = {.authority = revoke.authority, .session = revoke.session, .proof = revoke.proof, .bearer = token};
    if (token.len == 0 || token.len > TOKEN_MAX) {
        refuse(x, SK_LIT("invalid_request"));
    } else if (is(x, REVOKE)) {
        SK_FILL_ORIGIN(&revoke, x);
        sk_reserved_ask(x, SK_AUTH_REVOKE_TOKEN, &revoke);
    } else {
        SK_FILL_ORIGIN(&ask, x);
        sk_reserved_ask(x, SK_AUTH_INTROSPECT, &ask);
    }
}

void sk_oauth_form(struct sk_exchange *x)
{
    if (is_twice(x)) {
        refuse(x, SK_LIT("invalid_request"));
    } else if (has_client(x)) {
        (is(x, TOKEN) ? ask_token : inspect)(x);
    }
}

/* ---- what auth said ---- */

static void told_issued(struct sk_exchange *x, const struct sk_auth_issued *m)
{
    struct sk_buf json SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    int r = sk_buf_put(&json, SK_LIT("{\"access_token\":"));
    r = r ? r : sk_json_put_string(&json, m->token);
    r = r ? r : sk_buf_printf(&json, ",\"token_type\":\"%s\",\"expires_in\":%llu", m->bound ? "DPoP" : "Bearer", (unsigned long long)m->lifetime);
    if (m->scope.len) {
        r = r ? r : sk_buf_put(&json, SK_LIT(",\"scope\":"));
        r = r ? r : sk_json_put_string(&json, m->scope);
    }
    r = r ? r : sk_buf_put(&json, SK_LIT("}\n"));
    answer(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("token-issued"), r ? SK_SLICE_NULL : sk_arena_copy(x->arena, sk_buf_peek(&json)));
    sk_wipe(json.data, json.size);
}

static int put_thumbprint(struct sk_buf *json, const char *name, struct sk_slice thumbprint)
{
    return thumbprint.len ? sk_buf_printf(json, "\"%s\":\"%.*s\"", name, (int)thumbprint.len, thumbprint.data) : 0;
}

static void told_introspected(struct sk_exchange *x, const struct sk_auth_introspected *m)
{
    struct sk_buf json SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16384);
    struct sk_slice at = x->stream->request.authority;
    if (!m->active) {
        answer(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("token-inactive"), SK_LIT("{\"active\":false}\n"));
        return;
    }
    int r = sk_buf_printf(&json, "{\"active\":true,\"token_type\":\"%s\",\"iss\":\"https://%.*s\",\"jti\":\"%.*s\",\"exp\":%llu", m->thumbprint.len ? "DPoP" : "Bearer", (int)at.len, at.data,
            (int)m->id.len, m->id.data, (unsigned long long)m->expires);
    if (m->thumbprint.len || m->certificate.len) {
        r = r ? r : sk_buf_put(&json, SK_LIT(",\"cnf\":{"));
        r = r ? r : put_thumbprint(&json, "jkt", m->thumbprint);
        r = r || !m->thumbprint.len || !m->certificate.len ? r : sk_buf_put(&json, SK_LIT(","));
        r = r ? r : put_thumbprint(&json, "x5t#S256", m->certificate);
        r = r ? r : sk_buf_put(&json, SK_LIT("}"));
    }
    r = r ? r : sk_buf_put(&json, SK_LIT(",\"sub\":"));
    r = r ? r : sk_json_put_string(&json, m->subject);
    r = r ? r : sk_buf_put(&json, SK_LIT(",\"client_id\":"));
    r = r ? r : sk_json_put_string(&json, m->subject);
    if (m->scope.len) {
        r = r ? r : sk_buf_put(&json, SK_LIT(",\"scope\":"));
        r = r ? r : sk_json_put_string(&json, m->scope);
    }
    r = r ? r : sk_buf_put(&json, SK_LIT("}\n"));
    answer(x, 200, SK_AUDIT_DECISION_ALLOW, SK_LIT("token-active"), r ? SK_SLICE_NULL : sk_arena_copy(x->arena, sk_buf_peek(&json)));
}

void sk_oauth_told(struct sk_exchange *x, uint16_t code, const void *message)
{
    switch (code) {
    case SK_AUTH_INTROSPECTED:
        told_introspected(x, message);
        break;
    case SK_AUTH_DONE:
        answer(x, 200, SK_AUDIT_DECISION_ALLOW, ((const struct sk_auth_done *)message)->count ? SK_LIT("token-revoked") : SK_LIT("token-inactive"), SK_LIT("{}\n"));
        break;
    case SK_AUTH_ISSUED:
        told_issued(x, message);
        break;
    case SK_AUTH_REFUSED:
        refuse(x, ((const struct sk_auth_refused *)message)->reason);
        break;
    default:
        break;
    }
}
