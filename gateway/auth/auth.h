/* What auth's own files share. */
#pragma once

#include "base/addr.h"
#include "base/table.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "ipc/auth.h"
#include "ipc/child.h"
#include "ipc/factor.h"
#include "ipc/pam.h"
#include "ipc/recorder.h"
#include "ipc/store.h"

#define WORKERS_MAX 64
#define HELPERS_MAX 64
#define JOBS_MAX 4096 /* logins and look-ups under way; more are refused */
#define GRANT_LIFETIME (30 * SK_SECOND)
#define REMEMBER_LIFETIME (300 * SK_SECOND)
#define CONVERSATION_LIFETIME (60 * SK_SECOND)
#define STORE_DEADLINE (5 * SK_SECOND) /* a store that hangs is a store that is away */

struct auth;
struct job;

struct tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    uint64_t inactivity, expiration; /* ns */
};

/* A user as the store knows it; texts owned. */
struct user {
    char *texts; /* one allocation for all */
    struct sk_slice name, hash, roles, networks;
    uint64_t backend;
    bool restricted, disabled, known;
};

/* One request of a worker, from its arrival to its answer. */
struct job {
    struct auth *auth;
    struct job *next, **link; /* all jobs */
    uint64_t id;              /* ticket towards store and helpers */
    uint16_t kind;            /* SK_AUTH_LOGIN … */
    uint64_t worker, ticket;
    uint8_t tenant[SK_ID_SIZE], request[SK_ID_SIZE];
    uint8_t address[16];
    uint8_t address_len;
    uint16_t port;
    char host[262], agent[257];
    char name[257];     /* user asked for */
    char password[1025]; /* wiped as soon as it was used */
    size_t password_len;
    char session[65];   /* id asked for, or made */
    char target[65];
    char app[65];
    uint64_t used;      /* boot ns */
    char token[45];     /* of a new session */
    char state[33];     /* of a PAM conversation */
    struct user user;
    uint64_t started; /* of the session, wall */
    char factors[65];
    const char *reason; /* of a refusal */
    void (*store_done)(struct job *job, uint16_t code, const void *message);
    struct helper *helper;
    struct job *queue_next; /* waits for a helper */
    struct sk_record_wait wait;
    struct sk_timer timer;
    bool basic_hit, retried, stale;
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
    struct job *first, **last;
    size_t queued;
};

/* A verified password, as a keyed hash, for a short time. */
struct remembered {
    struct sk_table_node by_key, by_session;
    struct remembered *newer, *older;
    uint8_t tenant[SK_ID_SIZE];
    uint8_t key[SK_SHA256_SIZE];
    char session[65];
    char name[257];
    uint64_t until; /* boot ns */
};

struct auth {
    struct sk_child child;
    uint8_t secret[32];
    struct sk_recorder recorder;
    uint64_t flush_deadline;
    struct sk_channel *workers[WORKERS_MAX];
    struct sk_channel *store;
    struct pool factor, pam;
    struct sk_table tenants;
    struct sk_table remembered_by_key, remembered_by_session;
    struct remembered *newest, *oldest;
    struct job *jobs;
    size_t jobs_count;
    uint64_t next_id;
    struct sk_sign_key *key;
    uint64_t generation; /* last LOADED */
    bool open;           /* as the workers were told */
};

/* main.c */
void auth_answer(struct auth *auth, uint64_t worker, uint16_t code, const void *message);
void auth_broadcast(struct auth *auth, uint16_t code, const void *message);
/* Recomputes whether auth can decide, and tells the workers when that changed. */
void auth_state(struct auth *auth);

/* jobs.c */
void auth_from_worker(struct auth *auth, uint64_t worker, uint16_t code, const void *message);
void auth_from_store(struct auth *auth, uint16_t code, const void *message);
/* Every job that waits for the store is refused. */
void auth_store_lost(struct auth *auth);
void auth_worker_lost(struct auth *auth, uint64_t worker);
struct tenant *auth_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE]);
void auth_drop_tenant(struct auth *auth, const uint8_t id[SK_ID_SIZE]);
/* Drops what is remembered and every worker's grants; either text may be empty. */
void auth_revoke(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice subject);

/* verify.c: the password's verdict comes back through these. */
enum verdict { VERDICT_RIGHT, VERDICT_WRONG, VERDICT_DISABLED, VERDICT_EXPIRED, VERDICT_BROKEN };
void auth_verify(struct job *job);
void auth_verified(struct job *job, enum verdict verdict);
void auth_prompt(struct job *job, struct sk_slice prompts);
void auth_continue(struct job *job, struct sk_slice answers);
void auth_verify_cancel(struct job *job);
void auth_helper_add(struct auth *auth, bool pam, uint64_t index, int fd);

/* remember.c */
void auth_remember_key(const struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice name, struct sk_slice password,
        uint8_t key[SK_SHA256_SIZE]);
struct remembered *auth_remembered(struct auth *auth, const uint8_t key[SK_SHA256_SIZE]);
struct remembered *auth_remembered_session(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session);
struct remembered *auth_remember(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice name, const uint8_t key[SK_SHA256_SIZE]);
void auth_forget(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice subject);
