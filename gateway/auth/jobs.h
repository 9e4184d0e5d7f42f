/* A question under way, and what its steps share. Between auth's own files. */
#pragma once

#include "auth/remember.h"

typedef void auth_then(struct job *job, uint16_t code, const void *message);

/* One request of a worker, from its arrival to its answer. */
struct job {
    struct auth *auth;
    struct tenant *tenant;
    struct job *next, **link; /* all jobs */
    struct sk_table_node by_id;
    uint64_t id;              /* ticket towards store and helpers */
    uint16_t kind;            /* SK_AUTH_LOGIN … */
    uint64_t worker, ticket;  /* the worker's number; 0: nobody waits at present */
    uint8_t request[SK_ID_SIZE];
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
    struct ceremony *ceremony; /* owned; NULL: it is none */
    bool foreign;              /* its session is of somebody who signed in at a provider: the store has no such user */
    struct sign_in *sign_in;   /* at an identity provider, owned; NULL: it is none */
    char *bearer;       /* a token to verify, owned */
    size_t bearer_len;
    const struct issuer *issuer; /* by whose keys it is verified now; NULL: by auth's own */
    char authority[262]; /* the host with its port, as the client has it */
    struct dpop *dpop;  /* owned; NULL: no proof goes with it */
    bool proving;       /* that is being verified now */
    struct binding binding; /* of a token, brought or to be issued */
    char *scope;        /* of an access token, owned: "APP METHODS", semicolon between; NULL: of anything else */
    uint8_t credential[SK_SHA256_SIZE]; /* of a program: what tokens that it asks for are tied to */
    char certificate[SK_FACTOR_THUMBPRINT + 1]; /* of the connection: its thumbprint; empty: none */
    char holder[257];   /* whose that is by the tenant's map; empty: nobody's in particular; of a logout at a provider: the session there */
    char why[65];       /* it was refused */
    uint64_t used;      /* boot ns */
    char token[45];     /* of a new session */
    char state[33];     /* of a PAM conversation */
    struct user user;
    uint64_t started; /* of the session, wall; of one to be made: 0 for now */
    char replaces[65]; /* a session that ends when this one is granted */
    uint64_t proven[SK_POLICY_FACTORS]; /* Unix seconds */
    uint64_t expires; /* wall ns, of a key; 0: never */
    uint8_t network[16]; /* of an attempt, or of bans to end */
    uint8_t network_len;
    uint8_t row[SK_ID_SIZE]; /* an authenticator's */
    uint8_t row_len;
    enum sk_voucher voucher; /* a link's kind */
    char whom[257];     /* it is for; of a logout at a provider: its user there */
    char chosen[1025];  /* a new password, wiped with the job */
    size_t chosen_len;
    bool hashes;        /* the factor helper is asked for a hash of it */
    bool cheap;         /* the hash that was right costs less than new ones */
    uint64_t retry_after; /* s, of a refusal */
    uint64_t bans;        /* listed or ended so far */
    const char *reason; /* of a refusal */
    const char *detail; /* the same for the record, which may say more */
    enum sk_audit_op denied_op; /* what it is a record of; 0: of a login */
    bool undecided;     /* it is refused without being wrong */
    /* The same name and password from one network at one time are one attempt, of the job that came first. */
    uint8_t key[SK_SHA256_SIZE];
    struct sk_table_node by_key; /* of a leader */
    bool leads;
    struct job *leader, *followers, *next_follower;
    auth_then *store_done;
    auth_then *user_then; /* of an attempt: gets the user */
    void (*session_then)(struct job *job);
    void (*token_then)(struct job *job, const char *fault);
    void (*asker_then)(struct job *job);
    struct search *search; /* owned; NULL: it asks for no records */
    void (*again)(struct job *job); /* reads the facts anew when a revocation made them old; NULL: it is refused then */
    struct helper *helper;
    struct line *line; /* waits there for a helper */
    struct job *line_next;
    struct sk_record_wait wait;
    struct sk_timer timer;
    bool basic_hit, retried;
    bool stale;  /* of its user or session something was revoked since it began */
    bool stored; /* the store was given a session that nobody was granted yet */
};

/* jobs.c */
void auth_from_worker(struct auth *auth, uint64_t worker, uint16_t code, const void *message);
/* Every message of the reader begins with the ticket of what was asked. */
void auth_reader_told(struct auth *auth, uint16_t code, const void *message);
void auth_from_fetch(struct auth *auth, const struct sk_fetch_exchanged *m);
/* Nobody brings what jobs wait for. */
void auth_fetch_lost(struct auth *auth);
void auth_from_store(struct auth *auth, uint16_t code, const void *message);
/* Every job is refused: what it was told may have changed before the next store is there. */
void auth_store_lost(struct auth *auth);
/* Jobs whose asker is gone end without an answer. */
void auth_reap(struct auth *auth);
/* A question of a worker for a tenant, at one of its hosts; `host` empty where none matters. NULL: it was refused. */
struct job *auth_job(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE], struct sk_slice host);
/* The same about a session or in its name: only with the proof that this worker has a grant of it. */
struct job *auth_job_under(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE],
        struct sk_slice host, struct sk_slice session, struct sk_slice proof);
/* With a session the one, without it the other. */
struct job *auth_job_of(struct auth *auth, uint64_t worker, uint64_t ticket, uint16_t kind, const uint8_t tenant[SK_ID_SIZE],
        struct sk_slice host, struct sk_slice session, struct sk_slice proof);
/* These end the job: it is freed. */
void auth_refuse(struct job *job, const char *reason);
void auth_done(struct job *job, uint64_t count);
/* What the store said behind its rows: their number, or that it could not. */
void auth_done_rows(struct job *job, uint16_t code, const void *message);
void auth_job_free(struct job *job);
/* Asks; `then` gets the answer. Every message to the store begins with the job's id as its ticket. */
void auth_ask_store(struct job *job, uint16_t code, const void *message, auth_then *then);
void auth_ask_user(struct job *job, struct sk_slice name, auth_then *then);
void auth_record(struct job *job, enum sk_audit_op op, enum sk_audit_decision decision, const char *reason,
        void (*then)(struct sk_record_wait *wait, bool durable));
/* A session ended by what the job has on record already: nobody waits for this one. */
void auth_note_ended(struct job *job, const char *reason, struct sk_slice subject, struct sk_slice session);
/* Drops what is remembered and every worker's grants, and marks jobs under way; either text may be empty. */
void auth_revoke(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice subject);
void auth_copy(char *to, size_t size, struct sk_slice from);

/* How the client came, from a message that says it. */
#define TAKE_ORIGIN(job, m)                                                                                  \
    do {                                                                                                     \
        memcpy((job)->request, (m)->request, SK_ID_SIZE);                                                    \
        (job)->address_len = (uint8_t)((m)->address.len);                                                    \
        memcpy((job)->address, (m)->address.data, (m)->address.len);                                         \
        (job)->port = (uint16_t)(m)->port;                                                                   \
        auth_copy((job)->host, sizeof((job)->host), (m)->host);                                              \
        auth_copy((job)->agent, sizeof((job)->agent), (m)->agent);                                           \
    } while (0)

#define AUTH_AMR_TEXT 65

/* sessions.c */
/* Reads the job's session: its user is job->name, what was proven and since when stand in the job. Refused when there is none. */
void auth_ask_session(struct job *job, void (*then)(struct job *job));

/* grants.c */
/* What was proven, in the names of RFC 8176, comma between. */
struct sk_slice auth_amr(const struct job *job, char out[AUTH_AMR_TEXT]);
int auth_take_user(struct job *job, const struct sk_store_got_user *got) sk_nodiscard;
/* Texts of `to` are freed first. 0 or -ENOMEM. */
int auth_user_copy(struct user *to, const struct user *from) sk_nodiscard;
/* Was the worker granted this session, a short time ago at most? */
bool auth_proven(struct auth *auth, uint64_t worker, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session, struct sk_slice proof);
/* The one place that grants. Ends the job, or has it begin again. */
void auth_grant(struct job *job, uint64_t lifetime);

/* login.c */
/* A session of job->user, with what job->proven says: stored, recorded as `reason`, granted. */
void auth_new_session(struct job *job, const char *reason);
/* A program is who it says, by job->key, which is remembered: recorded, then granted. */
void auth_admit_program(struct job *job, enum sk_policy_factor factor);
/* Refused with job->reason, once that is recorded with `detail`. */
void auth_deny(struct job *job, const char *reason, const char *detail);
void auth_login(struct auth *auth, uint64_t worker, const struct sk_auth_login *m);
void auth_login_answer(struct auth *auth, uint64_t worker, const struct sk_auth_answer *m);
void auth_basic(struct auth *auth, uint64_t worker, const struct sk_auth_basic *m);


/* attempts.c */
/* Who is tried with what, from the network that the job came from: the job's name, network and key. */
void auth_attempt(struct job *job, struct sk_slice user, struct sk_slice password);
/* True: another job verifies the same password already, and this one waits for what comes of it. */
bool auth_follow(struct job *job);
/* It leads no more. Its followers, through next_follower: each is the caller's to end. */
struct job *auth_followers(struct job *job);
/* The job dies: who followed it is refused, whom it followed forgets it. */
void auth_leave(struct job *job);
/* Has the password counted and its user looked up: auth_then gets the user, else the job is refused. */
void auth_try(struct job *job, auth_then *then);
/* Says what came of it; `then` when the store knows. */
void auth_tried(struct job *job, enum sk_tried verdict, auth_then *then);
void auth_list_bans(struct auth *auth, uint64_t worker, const struct sk_auth_list_bans *m);
void auth_end_bans(struct auth *auth, uint64_t worker, const struct sk_auth_end_bans *m);

/* sessions.c */
/* The session's id is a keyed hash of its token: who reads a record or the store cannot make the token of it. */
void auth_session_id(const struct auth *auth, const struct tenant *tenant, struct sk_slice token, char out[65]);
void auth_check(struct auth *auth, uint64_t worker, const struct sk_auth_check *m);
void auth_renew(struct auth *auth, uint64_t worker, const struct sk_auth_renew *m);
void auth_used(struct auth *auth, uint64_t worker, const struct sk_auth_used *m);
void auth_logout(struct auth *auth, uint64_t worker, const struct sk_auth_logout *m);
void auth_list(struct auth *auth, uint64_t worker, const struct sk_auth_list *m);
void auth_revoke_sessions(struct auth *auth, uint64_t worker, const struct sk_auth_revoke *m);
/* Grants by a password that was verified before: the user alone is looked up. */
void auth_renew_remembered(struct job *job, struct remembered *r);
