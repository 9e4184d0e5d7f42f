/* What the supervisor's own files share. */
#pragma once

#include "crypto/digest.h"
#include "ipc/channel.h"
#include "ipc/control.h"
#include "ipc/store.h"
#include "proxy/shared.h"
#include "supervisor/tenant.h"

#include <sys/types.h>

#define WORKERS_MAX SK_SHARED_WORKERS
#define HELPERS_MAX 64
#define LISTENERS_MAX 17 /* 16 addresses and the observe listener */

enum kind { KIND_AUDIT, KIND_STORE, KIND_AUTH, KIND_FACTOR, KIND_PAM, KIND_WORKER, KIND_FETCH, KIND_SIGNER, KIND_READER, KIND_FEED, KIND_COUNT };

struct process {
    enum kind kind;
    uint64_t index;
    pid_t pid;
    struct sk_channel *control;
    uint64_t started; /* boot ns */
    uint64_t delay;   /* before the next start */
    struct sk_timer restart;
    uint64_t ready; /* generation it serves */
    bool asked;       /* watch.c: a PING is not answered yet */
    unsigned silent;  /* turns since then */
    struct supervisor *supervisor;
};

struct supervisor {
    struct sk_loop *loop;
    const char *conf_file;
    struct sk_conf *conf;
    void (*complain)(const struct sk_conf_error *error); /* of each mistake found */
    uint8_t root_key[32];
    char programs[4096]; /* folder, or empty for the build tree's layout */
    struct process processes[6 + 2 * HELPERS_MAX + WORKERS_MAX + SK_CONF_FEEDS_MAX];
    size_t processes_count;
    uint64_t workers;
    int listeners[WORKERS_MAX][LISTENERS_MAX]; /* of each worker; -1 none */
    bool listener_shared;
    int shared_fd;
    struct sk_shared *shared;
    struct sk_table tenants, files;
    struct sk_table fresh; /* by id: loaded and not yet in force */
    struct sk_table named_files, sources;
    uint64_t load; /* how many times the tenants folder was read */
    struct tenant *list, **tail; /* what was loaded last stands behind what is in force */
    uint64_t next_slot;
    uint64_t generation;
    struct sk_channel *store;
    struct tenant *syncing;
    uint64_t sync_ticket; /* of the last question: no other answer counts */
    bool sync_ending;     /* that question was END */
    struct sk_timer sync_retry;
    uint64_t sync_delay;
    bool synced, ready, stopping, killed;
    bool reloading; /* a reload is in force when the store has it too */
    unsigned changed, gone;
    struct sk_buf unsaid; /* own records, while audit is away or about to be: length, CBOR */
    struct over *over, *over_fresh; /* the latter as they are loaded */
    struct sk_signal terminate, interrupt, reload, child;
    struct sk_timer kill, watch, contracts;
};

/* processes.c */
int processes_start(struct supervisor *s) sk_nodiscard;
/* The PAM helpers too, from when a tenant in force has a user for them; and fetch, from when something is to be fetched. */
void processes_start_wanted(struct supervisor *s);
/* Asks those whose turn it is to finish; again after each death, until all are gone. */
void processes_stop(struct supervisor *s);
void processes_kill(struct supervisor *s);
void process_died(struct supervisor *s, pid_t pid, int status);
bool processes_gone(const struct supervisor *s);
struct process *process_of(struct supervisor *s, enum kind kind, uint64_t index);
/* At once; without the right to kill it (CAP_KILL) by closing its channel, upon which it ends itself. */
void process_kill(struct process *p);
const char *process_name(const struct process *p);
void process_send(struct process *p, uint16_t code, const void *message, const int *fds);
/* Tells a worker, auth or audit of a tenant. */
void announce_tenant(struct supervisor *s, struct process *p, const struct tenant *t);
/* To all, as soon as it is synced. */
void announce_everywhere(struct supervisor *s, struct tenant *t);
void announce_loaded(struct supervisor *s);
void announce_settings(struct supervisor *s);
void announce_gone(struct supervisor *s, const uint8_t id[SK_ID_SIZE]);
void record_own(struct supervisor *s, enum sk_audit_op op, const char *detail);
/* The same for a tenant's own trail: what an operator does to it, it can see. */
void record_for(struct supervisor *s, const struct tenant *tenant, enum sk_audit_op op, const char *detail);
/* Everybody serves the current generation: says so. */
void check_ready(struct supervisor *s);

/* watch.c: from now on a process that hangs is killed */
void watch_start(struct supervisor *s);

/* main.c */
void supervisor_reload(struct supervisor *s);
void note_reload(struct supervisor *s, bool good);
/* The store has what a reload brought. */
void reload_done(struct supervisor *s);

/* sync.c: what tenant files say of users and secrets goes to the store */
void sync_init(struct supervisor *s);
void sync_connect(struct supervisor *s, int fd);
/* Brings what the store does not have yet. */
void sync_start(struct supervisor *s);
