/* What auth's own files share. */
#pragma once

#include "base/addr.h"
#include "base/table.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "ipc/auth.h"
#include "ipc/child.h"
#include "ipc/factor.h"
#include "ipc/fetch.h"
#include "ipc/pam.h"
#include "ipc/reader.h"
#include "ipc/recorder.h"
#include "ipc/store.h"
#include "ipc/tenant.h"
#include "sekisho/policy.h"

#define WORKERS_MAX 64
#define HELPERS_MAX 64
#define JOBS_MAX 16384 /* logins and look-ups under way; more are refused, but for tenants that have */
#define JOBS_ALWAYS 16 /* less than this: no others fill the place of all */
#define JOBS_OF_TENANT 1024
#define GRANT_LIFETIME (30 * SK_SECOND)
#define CONVERSATION_LIFETIME (60 * SK_SECOND)
#define STORE_DEADLINE (5 * SK_SECOND) /* a store that hangs is a store that is away */

struct auth;
struct job;

/* A user as the store knows it, or a token says; texts owned. */
struct user {
    char *texts; /* one allocation for all */
    struct sk_slice name, hash, roles, networks, scope;
    uint64_t backend;
    bool restricted, disabled, known;
};

/* Somebody else who signs tokens for a tenant, or a program that signs its own requests for them (ipc/tenant.h). The texts stand behind it. */
struct issuer {
    struct issuer *next;
    bool seen; /* since the last LOADED it was named again */
    bool restricted;
    enum sk_issuer_kind kind;
    struct provider *provider; /* of a PROVIDER, owned; NULL: nobody signs in there */
    char *keys;                /* of a PROVIDER, owned: where `jwks` is then, for they change while all else stays */
    char id[33];               /* of a PROVIDER: who vouches for whom, so that no other of the same name takes its sessions over */
    uint8_t source[SK_ID_SIZE]; /* of its keys, when they are fetched; else zeros */
    bool bound; /* a program whose access tokens are bound to its client certificate */
    struct sk_slice name, issuer, audience, types, roles_claim, map, roles, networks, scope, jwks;
};

/* Those of a tenant who wait for a helper of one pool. */
struct line {
    struct job *first, **last;
    size_t count;
    struct line *next; /* the next tenant's turn */
};

/* Which authenticators a tenant takes (ipc/tenant.h). The texts stand behind it. */
struct fido2 {
    struct sk_slice rp_id, roots, allow, deny;
    uint64_t policy, verification, most;
};

/* A host that a tenant may be asked for. */
struct host {
    struct sk_table_node node;
    struct host *next; /* of the same tenant */
    struct tenant *tenant;
    struct sk_slice name;
};

struct tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    char name[130]; /* NAME@SERVICE */
    struct host *hosts;
    uint64_t inactivity, expiration; /* ns */
    uint64_t max_retries, find_time, ban_time; /* of passwords: store/budget.h */
    uint64_t password_least; /* characters of a new one */
    char *managers; /* names of roles that may make links for others, comma between */
    char *auditors; /* of those that may read the audit trail */
    bool certificates; /* may stand for users */
    struct issuer *issuers;
    struct fido2 *fido2; /* NULL: nothing is known of it yet */
    size_t jobs_count;
    size_t proofs_count, spent_count; /* used, and kept */
    struct remembered *newest, *oldest;
    size_t remembered_count;
    struct line lines[2]; /* factor, pam */
};

/* A worker's channel. `number` is this channel's alone: the next process of the same index gets another. */
struct worker {
    struct sk_channel *channel; /* NULL: none */
    uint64_t number;
};

struct helper {
    struct sk_channel *channel;
    struct job *job; /* NULL while busy: its asker is gone, its END is still to come */
    bool busy;
};

struct pool {
    struct auth *auth;
    bool pam;
    struct helper helpers[HELPERS_MAX];
    struct line *first, **last; /* tenants take turns: nobody's guesses keep another's users waiting */
};

/* What a token is bound to, as thumbprints; empty: nothing of that kind. */
struct binding {
    char key[SK_FACTOR_THUMBPRINT + 1];         /* of whoever proves his requests: RFC 9449 */
    char certificate[SK_FACTOR_THUMBPRINT + 1]; /* of the client's connection: RFC 8705 */
    bool held; /* the program proved itself with that certificate alone: it must be the program's still */
};

struct auth {
    struct sk_child child;
    uint8_t secret[32];
    struct sk_recorder recorder;
    uint64_t flush_deadline;
    struct worker workers[WORKERS_MAX];
    uint64_t last_number; /* of a worker's channel */
    struct sk_timer reap; /* jobs of workers that are gone end in a turn of their own */
    struct sk_channel *store;
    struct sk_channel *fetch; /* NULL: nothing is to be fetched, or it is away */
    struct sk_channel *reader; /* NULL: it is away */
    struct pool factor, pam;
    struct sk_table tenants, hosts;
    struct sk_table remembered_by_key, remembered_by_session;
    struct sk_table spent; /* challenges that were used, until they are void anyway */
    struct spent *spent_first, **spent_last;
    struct sk_table proofs; /* DPoP's that were used, until they are void anyway */
    struct used_proof *proofs_first, **proofs_last;
    uint64_t began;             /* Unix seconds */
    uint8_t life[16];           /* this process's: no challenge outlives it */
    char ports[129];            /* where clients come in */
    struct sk_table touched;
    struct touched *touched_newest, *touched_oldest;
    struct sk_timer touched_due;
    struct job *jobs;
    struct sk_table jobs_by_id;
    struct sk_table leaders; /* jobs whose passwords are being verified */
    uint64_t next_id;
    struct sk_sign_key *key;
    struct sk_sign_key *made; /* the store is to keep it first */
    struct sk_timer key_due;
    uint64_t generation; /* last LOADED; 0: tenants are still to come */
    bool open;           /* as the workers were told */
};

/* texts.c: what stands behind a struct, or in an allocation of its own. */
size_t auth_texts_size(const struct sk_slice *from, size_t count);
/* Copies them to `at`, one behind the other; each of `to` is where. */
void auth_texts_copy(char *at, const struct sk_slice *from, struct sk_slice *const *to, size_t count);

/* main.c */
/* The worker with that number; NULL when its channel is gone. */
struct worker *auth_worker(struct auth *auth, uint64_t number);
/* 0; -EPIPE when the asker is gone; -EMSGSIZE when it was too large and nothing was sent. A worker that takes no more
 * loses its channel. */
int auth_answer(struct auth *auth, uint64_t worker, uint16_t code, const void *message);
void auth_broadcast(struct auth *auth, uint16_t code, const void *message);
/* Recomputes whether auth can decide, and tells the workers when that changed. */
void auth_state(struct auth *auth);

/* key.c */
#define AUTH_TICKET_LAST 2 /* of key.c's own towards the store */
/* Of a new store, or again. */
void auth_key_ask(struct auth *auth);
/* Was it an answer to key.c? */
bool auth_key_told(struct auth *auth, uint16_t code, const void *message);

/* tenants.c */
struct tenant *auth_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE]);
bool auth_tenant_has(struct auth *auth, const struct tenant *tenant, struct sk_slice host);
void auth_set_tenant(struct auth *auth, const struct sk_control_tenant *m);
void auth_drop_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE]);

void auth_set_fido2(struct auth *auth, const struct sk_control_fido2 *m);

/* issuers.c */
void auth_set_issuer(struct auth *auth, const struct sk_control_issuer *m);
/* All of a tenant are to be named again. */
void auth_begin_issuers(struct tenant *tenant);
/* Those that were not named again are gone: of this tenant, or of all. */
void auth_drop_issuers(struct auth *auth, struct tenant *tenant);

/* used.c */
/* The session was used at that wall time: the store will know it within some seconds. */
void auth_used_now(struct auth *auth, const struct tenant *tenant, struct sk_slice session, uint64_t used);
/* 0: the store knows. */
uint64_t auth_used_last(struct auth *auth, const struct tenant *tenant, struct sk_slice session);
void auth_used_due(struct auth *auth);
