/*
 * The gate: everything one worker holds. Client connections carry streams; each stream is served by one exchange,
 * which goes through the steps of steps.def; upstream connections are pooled for each address of an app.
 *
 *   tenant   one customer, for as long as this worker knows it
 *   site     one version of a tenant's image; whoever uses it holds a reference
 *   grant    auth's statement that a credential is good, for a short time
 */
#pragma once

#include "base/addr.h"
#include "base/table.h"
#include "conf/image.h"
#include "event/loop.h"
#include "http/client.h"
#include "http/server.h"
#include "ipc/auth.h"
#include "ipc/channel.h"
#include "ipc/control.h"
#include "ipc/recorder.h"
#include "proxy/app.h"
#include "proxy/prefix.h"
#include "proxy/shared.h"
#include "tls/tls.h"

#define SK_COOKIE "__Host-sekisho"
#define SK_FORM_COOKIE "__Host-sekisho-form"

struct sk_gate;
struct sk_exchange;
struct sk_grant;

struct sk_tenant {
    struct sk_table_node node;
    struct sk_gate *gate;
    uint8_t id[SK_ID_SIZE];
    uint64_t slot; /* of its usage in sk_shared */
    struct sk_site *site; /* the current one; NULL: the tenant is gone */
    unsigned refs;
};

struct sk_host {
    struct sk_table_node node;
    struct sk_site *site; /* borrowed: a site takes its hosts out before it dies */
    struct sk_slice name; /* in the site's image */
    struct sk_host *next; /* of the site */
};

struct sk_site_identity {
    struct sk_site_identity *next;
    struct sk_tls_identity *identity;
};

struct sk_site {
    unsigned refs;
    uint64_t serial; /* of this worker, never used again */
    struct sk_tenant *tenant;
    void *map;
    size_t map_size;
    struct sk_image image;
    struct sk_tenant_settings set; /* texts in the image */
    struct sk_host *hosts;
    struct sk_tls_trust *trust;       /* of clients' certificates; NULL: none is asked for, or not read yet */
    struct sk_tenant_clients clients; /* texts in the image */
    struct sk_site_identity *identities; /* in the order of the file */
    bool identities_parsed;
    struct sk_app *apps; /* by policy index, 0 the gateway's own; NULL until sk_site_prepare */
    unsigned apps_count;
    struct sk_slice providers[SK_CONF_ISSUERS_MAX]; /* where its people sign in, by name; in the image */
    unsigned providers_count;
};

enum sk_grant_state { SK_GRANT_ASKING, SK_GRANT_GOOD, SK_GRANT_DEAD };

struct sk_grant {
    struct sk_table_node node;
    struct sk_gate *gate;
    struct sk_tenant *tenant;
    uint8_t key[32];
    enum sk_grant_state state;
    unsigned refs; /* exchanges; the cache itself holds none */
    bool cached;
    bool asking;
    uint64_t ticket;
    uint64_t until, used, reported; /* boot ns */
    char host[262];
    char *texts; /* one allocation, wiped when it goes */
    size_t texts_size;
    struct sk_slice session, proof, subject, roles, networks, scope, factors, assertion;
    uint64_t proven[SK_POLICY_FACTORS];
    bool restricted;
    uint64_t resolved; /* serial of the site its indexes are of; 0 none. Not its address: that may be used again */
    struct sk_policy_subject subject_sets;
    struct sk_exchange *waiting; /* through waiting_next */
    struct sk_exchange *users;   /* through grant_next: to be cut when it ends */
    const char *reason;
    uint64_t retry_after; /* s, of a refusal */
};

struct sk_conn {
    struct sk_gate *gate;
    struct sk_conn *next, **link; /* all */
    struct sk_conn *young_next, **young_link; /* those whose handshake is not done, oldest first */
    struct sk_conn *dirty_next;
    struct sk_io io;
    struct sk_timer timer;
    struct sk_tls *tls; /* NULL on the observe listener */
    struct sk_server *server;
    struct sk_tenant *tenant;
    struct sk_addr address;
    uint8_t address_bytes_len;
    char address_text[SK_ADDR_TEXT]; /* empty until somebody needs it */
    const char *why; /* the gateway ends it; NULL: the client does */
    char *holder; /* of the client's certificate, as the tenant's map names it; NULL: nobody in particular */
    uint64_t mapped; /* serial of the site whose map it was */
    bool dirty, observe, handshaken, proxied, closing, counted, freed, in_callback;
    bool unread; /* an exchange ended before its request's body */
    enum sk_conn_phase { SK_CONN_HANDSHAKE, SK_CONN_HEAD, SK_CONN_OPEN } phase;
    uint64_t phase_began; /* boot ns */
    uint8_t prefix[SK_PREFIX_MAX]; /* a PROXY header as it comes */
    size_t prefix_len;
    uint64_t activity; /* boot ns, of the loop's turn */
};

struct sk_gate {
    struct sk_loop *loop;
    uint64_t index, workers;
    struct sk_control_limits limits;
    uint8_t secret[32];
    struct sk_tls_server *tls;
    struct sk_recorder recorder;
    struct sk_channel *auth;
    bool auth_open, loaded, draining;
    unsigned forsaken; /* seconds since auth alone ended the channel: nobody will make another */
    void (*abandoned)(struct sk_gate *gate); /* that was some seconds ago: only a new process will be served */
    struct sk_shared *shared;
    struct sk_counters *counters;
    struct sk_table tenants, hosts, grants;
    struct sk_conn *conns, *dirty;
    struct sk_conn *young, **young_last;
    size_t conns_count, ups_count, conns_most; /* the last: of each of the two, that neither takes the other's descriptors */
    struct sk_exchange *exchanges;
    struct sk_listener *listeners;
    struct sk_cidr balancers[64];
    size_t balancers_count;
    struct sk_ask *asks;
    uint64_t next_ticket, next_serial, next_probe; /* the last: boot ns, free for another address's first probe */
    struct sk_buf jwks;
    struct sk_idle idle;
    struct sk_timer tick;
    void (*drained)(struct sk_gate *gate); /* the last connection is gone while draining */
    void (*upstream_changed)(struct sk_gate *gate, const struct sk_upstream *upstream, bool up);
};

/* gate.c */
int sk_gate_init(struct sk_gate *gate, struct sk_loop *loop, const uint8_t secret[32], uint64_t index) sk_nodiscard;
/* Takes a listening socket over. */
int sk_gate_listen(struct sk_gate *gate, int fd, bool observe) sk_nodiscard;
int sk_gate_share(struct sk_gate *gate, int fd) sk_nodiscard;
void sk_gate_balancers(struct sk_gate *gate, struct sk_slice cidrs);
/* Stops accepting, lets open requests finish. */
void sk_gate_drain(struct sk_gate *gate);
/* Accepts nobody there until the next second. */
void sk_gate_rest(struct sk_gate *gate, int fd);
/* May a request pass at all? Without auth or audit the gate is shut. */
bool sk_gate_open(const struct sk_gate *gate);

/* tenants.c */
/* A new version of a tenant, or a new tenant. Takes the descriptor over. 0 or negative: the old version stays. */
int sk_tenant_update(struct sk_gate *gate, const struct sk_control_image *m, int fd) sk_nodiscard;
void sk_tenant_gone(struct sk_gate *gate, const uint8_t id[SK_ID_SIZE]);
struct sk_tenant *sk_tenant_unref(struct sk_tenant *tenant);
struct sk_site *sk_site_of_host(struct sk_gate *gate, struct sk_slice host);
struct sk_site *sk_site_ref(struct sk_site *site);
struct sk_site *sk_site_unref(struct sk_site *site);
/* The certificate for the host; NULL when none can be read. */
struct sk_tls_identity *sk_site_identity(struct sk_site *site, struct sk_slice host);
/* The rules for clients' certificates are read: site->trust. False: they cannot be, and nobody gets in. */
bool sk_site_clients(struct sk_site *site);
struct sk_usage *sk_tenant_usage(struct sk_tenant *tenant);
/* One connection more (1) or less (-1) at this worker. The number open at all workers after it. */
uint64_t sk_tenant_connections(struct sk_tenant *tenant, int more);

/* grants.c */
int sk_auth_connect(struct sk_gate *gate, int fd) sk_nodiscard;
void sk_auth_lost(struct sk_gate *gate);
/* Once a second: renews what open streams need, forgets what nobody does. */
void sk_grants_tick(struct sk_gate *gate);
