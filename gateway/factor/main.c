/*
 * A factor helper: verifies one password, token, proof, or answer of a FIDO2 authenticator at a time for auth, so that auth never waits
 * for Argon2id nor reads JSON, CBOR and certificates. Holds no secret key and no file, keeps nothing between two but public
 * keys, runs as its own uid. The pool's size is what bounds the memory and the cores that logins can take.
 */
#include "factor/hash.h"
#include "factor/oidc.h"
#include "factor/proof.h"
#include "factor/recent.h"
#include "factor/token.h"
#include "factor/webauthn.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/password.h"
#include "ipc/child.h"
#include "ipc/factor.h"

#include <malloc.h>
#include <unistd.h>

#define METHODS_MAX 1024

struct helper {
    struct sk_child child;
    struct sk_channel *auth; /* NULL until PEER, and while auth is away */
    struct sk_recent keys;
};

static void answer(struct helper *helper, uint16_t code, const void *message)
{
    if (sk_channel_send(helper->auth, code, message, NULL) < 0) {
        helper->auth = sk_channel_free(helper->auth);
    }
}

static void verify_password(struct helper *helper, const struct sk_factor_verify *verify)
{
    struct sk_factor_verdict verdict = {.ticket = verify->ticket};
    verdict.result = (uint64_t)sk_hash_verify(verify->hash, verify->password);
    verdict.cheap = sk_hash_is_cheap(verify->hash);
    answer(helper, SK_FACTOR_VERDICT, &verdict);
}

static void hash_password(struct helper *helper, const struct sk_factor_hash *m)
{
    struct sk_factor_hashed said = {.ticket = m->ticket};
    char hash[SK_HASH_TEXT];
    enum sk_password_fault fault = m->least ? sk_password_check(m->password, m->least, m->context) : SK_PASSWORD_GOOD;
    said.reason = sk_slice_str(sk_password_reason(fault));
    if (fault == SK_PASSWORD_GOOD) {
        if (sk_hash_make(m->password, hash)) {
            said.reason = SK_LIT("busy");
        } else {
            said.hash = sk_slice_str(hash);
        }
    }
    answer(helper, SK_FACTOR_HASHED, &said);
    sk_wipe(hash, sizeof(hash));
}

/* Whether it can stand among others with commas between. No role is left out for want of room: a token has no more. */
static bool is_name(struct sk_slice name, size_t room)
{
    for (size_t i = 0; i < name.len; i++) {
        if ((uint8_t)name.data[i] < 0x20 || name.data[i] == 0x7f || name.data[i] == ',') {
            return false;
        }
    }
    return name.len && name.len <= SK_FACTOR_ROLE_MAX && name.len + 1 < room;
}

/* The names at `path` behind those that are there already, `len` bytes. */
static struct sk_slice join_names(const struct sk_token_claims *claims, struct sk_slice path, size_t len, char *out, size_t size)
{
    struct sk_slice name;
    for (size_t i = 0; sk_token_text(claims, path, i, &name) == 0; i++) {
        if (is_name(name, size - len)) {
            if (len) {
                out[len++] = ',';
            }
            memcpy(out + len, name.data, name.len);
            len += name.len;
        }
    }
    return sk_slice(out, len);
}

/* A member that is a text of that length at most. */
static struct sk_slice text_of(const struct sk_token_claims *claims, struct sk_slice path, size_t most)
{
    struct sk_slice text;
    return sk_token_text(claims, path, 0, &text) == 0 && text.len <= most ? text : SK_SLICE_NULL;
}

static enum sk_token_refusal verify(const struct sk_factor_token *m, const struct sk_jwk_set *keys, struct sk_token_claims *claims)
{
    const struct sk_token_expected expected = {.issuer = m->issuer, .audience = m->audience, .types = m->types, .now = m->now, .leeway = m->leeway,
            .max_age = m->max_age, .use = (enum sk_token_use)m->use, .nonce = m->nonce};
    enum sk_token_refusal refusal = sk_token_verify(m->token, keys, &expected, claims);
    return refusal ? refusal : sk_oidc_check(claims, &expected);
}

/* What a provider says of its user, beside who it is. */
static void take_provider(const struct sk_token_claims *claims, const struct sk_factor_token *m, struct sk_factor_claims *told, char methods[METHODS_MAX])
{
    size_t amr = join_names(claims, SK_LIT("amr"), 0, methods, METHODS_MAX).len;
    told->methods = join_names(claims, SK_LIT("acr"), amr, methods, METHODS_MAX);
    told->user = sk_oidc_user(claims, m->user_claim);
    told->authenticated = sk_oidc_authenticated(claims);
    told->sid = sk_oidc_session(claims);
}

static void verify_token(struct helper *helper, const struct sk_factor_token *m)
{
    const struct sk_jwk_set *keys = sk_recent_keys(&helper->keys, m->jwks);
    struct sk_token_claims claims = SK_TOKEN_CLAIMS_INIT;
    char roles[SK_FACTOR_TOKEN_MAX], methods[METHODS_MAX];
    enum sk_token_refusal refusal = keys ? verify(m, keys, &claims) : SK_TOKEN_KEYS;
    struct sk_factor_claims told = {.ticket = m->ticket, .reason = sk_slice_str(sk_token_reason(refusal))};
    if (refusal == SK_TOKEN_NONE) {
        told.subject = claims.subject;
        told.roles = join_names(&claims, m->roles, 0, roles, sizeof(roles));
        told.expires = claims.expires;
        told.id = text_of(&claims, SK_LIT("jti"), SK_FACTOR_TOKEN_ID_MAX);
        told.scope = text_of(&claims, SK_LIT("scope"), SK_FACTOR_TOKEN_MAX);
        told.thumbprint = sk_token_thumbprint(&claims);
        told.certificate = sk_token_certificate(&claims);
        if (m->use != SK_TOKEN_USE_ACCESS) {
            take_provider(&claims, m, &told, methods);
        }
    }
    answer(helper, SK_FACTOR_CLAIMS, &told);
    sk_token_claims_free(&claims);
}

static void verify_proof(struct helper *helper, const struct sk_factor_proof *m)
{
    struct sk_proof proof;
    enum sk_proof_refusal refusal = sk_proof_verify(m, &proof);
    struct sk_factor_proved told = {.ticket = m->ticket, .reason = sk_slice_str(sk_proof_reason(refusal))};
    if (refusal == SK_PROOF_NONE) {
        told.thumbprint = sk_slice_str(proof.thumbprint);
        told.id = sk_slice_str(proof.id);
        told.issued = proof.issued;
    }
    answer(helper, SK_FACTOR_PROVED, &told);
}

static void verify_registration(struct helper *helper, const struct sk_factor_register *ask)
{
    struct sk_factor_registered said;
    (void)sk_webauthn_register(ask, &said);
    answer(helper, SK_FACTOR_REGISTERED, &said);
}

static void verify_assertion(struct helper *helper, const struct sk_factor_assert *ask)
{
    struct sk_factor_asserted said;
    (void)sk_webauthn_assert(ask, &said);
    answer(helper, SK_FACTOR_ASSERTED, &said);
}

static void auth_received(
        struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    switch (code) {
    case SK_FACTOR_TOKEN:
        verify_token(context, message);
        break;
    case SK_FACTOR_HASH:
        hash_password(context, message);
        break;
    case SK_FACTOR_PROOF:
        verify_proof(context, message);
        break;
    case SK_FACTOR_REGISTER:
        verify_registration(context, message);
        break;
    case SK_FACTOR_ASSERT:
        verify_assertion(context, message);
        break;
    default:
        verify_password(context, message);
    }
}

static void auth_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct helper *helper = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_NUMBER("peer", SK_PEER_AUTH));
    helper->auth = sk_channel_free(channel);
}

static int on_hello(struct sk_child *child sk_unused, const struct sk_control_hello *hello sk_unused)
{
    int r = sk_hash_warm();
    r = r ? r : sk_jwk_warm();
    return r ? r : sk_webauthn_warm();
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    static const struct sk_channel_handler handler = {
            &sk_factor_interface, SK_FACTOR_FROM_HELPER, SK_FACTOR_FROM_AUTH, auth_received, auth_ended};
    struct helper *helper = child->context;
    if (code == SK_CONTROL_PEER && ((const struct sk_control_peer *)message)->peer == SK_PEER_AUTH) {
        helper->auth = sk_channel_free(helper->auth);
        helper->auth = sk_channel_new(child->loop, fds[0], &handler, helper);
    } else if (code == SK_CONTROL_PEER) {
        (void)close(fds[0]);
    } else if (code == SK_CONTROL_LOADED) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "factor", .hello = on_hello, .told = on_told};
    static struct helper helper;
    sk_log_init("sekisho-factor");
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20); /* what Argon2id fills goes back to the system after each password */
    return sk_child_run(&helper.child, &program, &helper);
}
