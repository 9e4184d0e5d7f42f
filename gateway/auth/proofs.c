/*
 * DPoP (RFC 9449): who presents a bound token proves with each request that he has its key. A factor helper verifies the proof; that it is used once is
 * known here, for all workers, as long as it could be used again. None outlives this process: one that could have been used before it began is refused.
 */
#include "auth/programs.h"
#include "auth/verify.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define BACK 60U  /* s that a proof may be old */
#define AHEAD 5U /* s by which the program's clock may be ahead */
#define KEPT ((BACK + AHEAD + 1) * SK_SECOND)
#define USED_OF_TENANT 65536 /* at a thousand requests a second */

/* A proof that was used. */
struct used_proof {
    struct sk_table_node node;
    struct used_proof *next; /* used later */
    struct tenant *tenant;   /* whose count it is in; NULL: that is gone */
    uint64_t until;          /* boot ns */
    uint8_t key[16];
};

/* What a proof is to be of, and what it proved. One allocation; the texts stand behind it. */
struct dpop {
    struct sk_slice proof, method, uri;
    struct sk_slice hash; /* in `hash_text`; empty: of no token */
    char hash_text[SK_BASE64_SIZE(SK_SHA256_SIZE)];
    char thumbprint[SK_FACTOR_THUMBPRINT + 1];
    char id[SK_FACTOR_TOKEN_ID_MAX + 1];
    uint64_t issued; /* Unix seconds */
    auth_proof_then *then;
};

void auth_proof_free(struct job *job)
{
    free(job->dpop);
    job->dpop = NULL;
}

/* ---- used once ---- */

static void drop_first(struct auth *auth)
{
    struct used_proof *old = auth->proofs_first;
    auth->proofs_first = old->next;
    auth->proofs_last = old->next ? auth->proofs_last : &auth->proofs_first;
    if (old->tenant) {
        old->tenant->proofs_count--;
    }
    sk_table_remove(&auth->proofs, &old->node);
    free(old);
}

void auth_proofs_drop_tenant(struct auth *auth, const struct tenant *tenant)
{
    for (struct used_proof *p = auth->proofs_first; p; p = p->next) {
        p->tenant = p->tenant == tenant ? NULL : p->tenant;
    }
}

static bool is_used(struct auth *auth, const uint8_t key[16])
{
    for (struct sk_table_node *n = sk_table_first(&auth->proofs, sk_table_hash(sk_slice(key, 16))); n; n = sk_table_next(n)) {
        if (memcmp(SK_CONTAINER(n, struct used_proof, node)->key, key, 16) == 0) {
            return true;
        }
    }
    return false;
}

/* 0; 1 it was used already; 2 there is no room for it. */
static int use(struct job *job)
{
    struct auth *auth = job->auth;
    uint64_t now = sk_clock_boot();
    uint8_t key[SK_SHA256_SIZE];
    const struct sk_slice parts[] = {sk_slice(job->tenant->id, SK_ID_SIZE), sk_slice_str(job->dpop->thumbprint), sk_slice_str(job->dpop->id)};
    sk_digest_sha256_parts(parts, SK_COUNT(parts), key);
    while (auth->proofs_first && auth->proofs_first->until <= now) {
        drop_first(auth);
    }
    if (is_used(auth, key)) {
        return 1;
    }
    struct used_proof *p = job->tenant->proofs_count < USED_OF_TENANT ? calloc(1, sizeof(*p)) : NULL;
    if (!p || sk_table_add(&auth->proofs, &p->node, sk_table_hash(sk_slice(key, 16)))) {
        free(p);
        return 2;
    }
    memcpy(p->key, key, sizeof(p->key));
    p->until = now + KEPT;
    p->tenant = job->tenant;
    p->tenant->proofs_count++;
    *auth->proofs_last = p;
    auth->proofs_last = &p->next;
    return 0;
}

const char *auth_proof_fault(struct job *job, struct sk_slice thumbprint)
{
    if (thumbprint.len == 0) {
        return job->dpop ? "token-not-bound" : NULL;
    }
    if (!job->dpop) {
        return "token-bound";
    }
    if (!sk_slice_eq(thumbprint, sk_slice_str(job->dpop->thumbprint))) {
        return "proof-key-of-another";
    }
    if (job->dpop->issued <= job->auth->began + AHEAD) {
        return "proof-too-old";
    }
    int r = use(job);
    return r == 2 ? "too-many-proofs" : r ? "proof-used" : NULL;
}

void auth_deny_token(struct job *job, const char *fault)
{
    job->undecided = strcmp(fault, "too-many-proofs") == 0;
    auth_deny(job, job->undecided ? "busy" : "login-failed", fault);
}

struct sk_slice auth_proof_thumbprint(const struct job *job)
{
    return sk_slice_str(job->dpop ? job->dpop->thumbprint : "");
}

/* ---- verified ---- */

int auth_proof_ask(const struct job *job, struct sk_channel *helper)
{
    const struct dpop *d = job->dpop;
    struct sk_factor_proof m = {.ticket = job->id, .proof = d->proof, .method = d->method, .uri = d->uri, .hash = d->hash,
            .now = sk_clock_wall() / SK_SECOND, .back = BACK, .ahead = AHEAD};
    return sk_channel_send(helper, SK_FACTOR_PROOF, &m, NULL);
}

void auth_proof_told(struct job *job, const struct sk_factor_proved *m)
{
    struct dpop *d = job->dpop;
    job->proving = false;
    if (!m) {
        job->undecided = true;
        auth_deny(job, "verification-failed", "verification-failed");
        return;
    }
    auth_copy(job->why, sizeof(job->why), m->reason);
    auth_copy(d->thumbprint, sizeof(d->thumbprint), m->thumbprint);
    auth_copy(d->id, sizeof(d->id), m->id);
    d->issued = m->issued;
    d->then(job, m->reason.len ? job->why : NULL);
}

void auth_prove(struct job *job, struct sk_slice proof, struct sk_slice method, struct sk_slice path, struct sk_slice token, auth_proof_then *then)
{
    size_t uri_most = sizeof("https://") + sizeof(job->authority) + path.len;
    struct dpop *d = calloc(1, sizeof(*d) + proof.len + method.len + uri_most);
    if (!d) {
        auth_refuse(job, "internal-error");
        return;
    }
    char *at = (char *)(d + 1);
    memcpy(at, proof.data, proof.len);
    d->proof = sk_slice(at, proof.len);
    at += proof.len;
    memcpy(at, method.data, method.len);
    d->method = sk_slice(at, method.len);
    at += method.len;
    int len = snprintf(at, uri_most, "https://%s%.*s", job->authority, (int)path.len, path.data);
    d->uri = sk_slice(at, (size_t)len);
    if (token.len) {
        uint8_t hash[SK_SHA256_SIZE];
        sk_digest_sha256(token, hash);
        d->hash = sk_slice(d->hash_text, sk_base64url_encode(sk_slice(hash, sizeof(hash)), d->hash_text));
    }
    d->then = then;
    job->dpop = d;
    job->proving = true;
    auth_verify(job);
}
