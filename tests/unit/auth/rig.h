/*
 * sekisho-auth as a process, with everything it talks to played by the test: each answer comes when the test says so,
 * so that what meets by chance elsewhere meets here every time. Plain blocking calls; nothing is waited for but messages.
 */
#pragma once

#include "ipc/auth.h"
#include "ipc/control.h"
#include "ipc/factor.h"
#include "ipc/pam.h"
#include "ipc/ring.h"
#include "ipc/store.h"

#include <sys/types.h>

#define RIG_WORKERS 2
#define RIG_ADDRESS SK_LIT("\x7f\0\0\1")

struct rig {
    pid_t pid;
    int control, store, factor, worker[RIG_WORKERS]; /* this side's ends */
    struct sk_ring ring;
    uint64_t taken; /* records */
};

/* Starts auth with store, factor helper and audit, two tenants and no worker; the store is asked for the key next. */
void rig_begin(struct rig *rig);
/* Tenant 1 is "one" with the host one.test, tenant 2 is "two" with two.test; client certificates stand for users of the first. Starts auth, open, with all its peers. */
void rig_start(struct rig *rig);
/* Ends it; it must not have ended before. */
void rig_stop(struct rig *rig);
/* As when the worker's process was replaced: a new channel for the index. */
void rig_new_worker(struct rig *rig, unsigned index);
/* Makes a channel of auth to a peer of that kind; this side's end. */
int rig_peer(struct rig *rig, enum sk_peer kind, uint64_t index);
void rig_tenant(unsigned n, uint8_t id[SK_ID_SIZE]);

void rig_tell(int fd, const struct sk_ipc_interface *interface, uint16_t code, const void *message);
/* The next message, which must be of that code. Texts live until the next call. Fails the test after 20 s. */
const void *rig_hear(int fd, const struct sk_ipc_interface *interface, uint16_t code);

#define rig_from_worker(rig, i, CODE, m) rig_tell((rig)->worker[i], &sk_auth_interface, CODE, m)
#define rig_at_worker(rig, i, CODE) rig_hear((rig)->worker[i], &sk_auth_interface, CODE)
#define rig_from_store(rig, CODE, m) rig_tell((rig)->store, &sk_store_interface, CODE, m)
#define rig_at_store(rig, CODE) rig_hear((rig)->store, &sk_store_interface, CODE)

/* The worker gets REFUSED with this ticket and reason. */
void rig_refused(struct rig *rig, unsigned worker, uint64_t ticket, const char *reason);
/* The worker gets GRANT with this ticket, of this subject. */
const struct sk_auth_grant *rig_granted(struct rig *rig, unsigned worker, uint64_t ticket, const char *subject);

/* The store answers. */
void rig_result(struct rig *rig, uint64_t ticket, uint64_t status, uint64_t count);
void rig_user(struct rig *rig, uint64_t ticket, const char *name, const char *roles);
void rig_session(struct rig *rig, uint64_t ticket, const char *key, const char *subject);
/* The store is asked this, and of that tenant; its ticket. */
uint64_t rig_asked(struct rig *rig, uint16_t code);
void rig_changed(struct rig *rig, unsigned tenant, const char *names);

/* The factor helper is asked; the ticket. */
uint64_t rig_verify(struct rig *rig);
void rig_verdict(struct rig *rig, uint64_t ticket, uint64_t result);

/* Waits for so many records; says that all that came are durable. */
void rig_records(struct rig *rig, unsigned count);
void rig_durable(struct rig *rig);

/* What the worker asks. */
void rig_login(struct rig *rig, unsigned worker, uint16_t code, uint64_t ticket, unsigned tenant, const char *user);
/* Each ticket has a token, and so a session, of its own. */
void rig_check(struct rig *rig, unsigned worker, uint64_t ticket, unsigned tenant);

/* A grant by a session, as the worker keeps it. */
struct rig_grant {
    char session[65], proof[64];
    struct sk_slice session_text, proof_text;
};
void rig_admit(struct rig *rig, unsigned worker, uint64_t ticket, unsigned tenant, const char *user, struct rig_grant *grant);
/* The claims of an assertion, as JSON. */
const char *rig_claims(struct sk_slice assertion);
