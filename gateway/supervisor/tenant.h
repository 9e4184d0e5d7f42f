/* The supervisor's tenants: what their files say, and what they name. */
#pragma once

#include "base/table.h"
#include "conf/image.h"

#include <sys/stat.h>

struct process;
struct supervisor;

/* A tenant as its file last said and the processes were told. */
struct tenant {
    struct sk_table_node node;    /* by id */
    struct sk_table_node by_file; /* of those in force */
    struct tenant *next;
    uint8_t id[SK_ID_SIZE];
    char *file;     /* path of the tenant file */
    struct source **sources; /* what is fetched for it */
    size_t sources_count;
    struct named_file **reads; /* other files it reads: certificates, keys, values */
    size_t reads_count;
    char name[65], service[65];
    char digest[65];
    char file_hash[65]; /* SHA-256 of the file */
    uint64_t status; /* of all its files, as they were when they were read */
    uint64_t slot;
    struct memory *memory; /* where its image is */
    uint64_t offset, size;
    struct sk_buf image; /* compiled and not yet in shared memory */
    uint64_t inactivity, expiration;
    uint64_t max_retries, find_time, ban_time, password_least;
    struct sk_buf managers; /* names of roles that may make links for others, comma between */
    struct sk_buf auditors; /* of those that may read the audit trail: its records; counts; proofs */
    bool certificates; /* of clients may stand for users */
    uint64_t over; /* wall time when its contract is */
    uint64_t recoverable; /* until then its records can be had with the recovery key; 0: they cannot */
    bool hold;     /* its records are kept, however old */
    struct sk_buf for_auth; /* as the image has them */
    char **hosts;
    size_t hosts_count;
    bool seen, changed, synced;
    bool failed; /* the store would not take it; it is tried again */
    bool untold; /* in force, and announced as soon as the store has what it says of users and secrets */
    bool pam; /* a user's password is PAM's to know */
};

/* A file that tenant files name. */
struct named_file {
    struct sk_table_node node;
    unsigned refs; /* tenants that read it */
    uint64_t load, status; /* as the load with this number found it */
    char path[];
};

/* A document that tenants name by URL (ipc/tenant.h, TENANT_SOURCE). The texts stand behind it. */
struct source {
    struct sk_table_node node;
    unsigned refs; /* tenants that want it */
    uint8_t id[SK_ID_SIZE], tenant[SK_ID_SIZE];
    uint64_t kind;
    struct sk_slice url, ca;
    struct sk_buf text; /* as it was fetched last; empty: not yet */
};

/* A sealed memfd with images, alive while a tenant is in it. */
struct memory {
    int fd;
    unsigned refs;
};

/* tenants.c */
/* Reads the tenants folder; unchanged files are not read again. 0; 1 refused, each file's first mistake was complained
 * of, and nothing changed; negative. */
int tenants_load(struct supervisor *s, const struct sk_conf *conf) sk_nodiscard;
/* Puts what was loaded in force: images to shared memory. Counts changed and gone tenants. 0 or negative. */
int tenants_commit(struct supervisor *s, unsigned *changed, unsigned *gone) sk_nodiscard;
void tenants_rollback(struct supervisor *s);
/* Takes a tenant out of force, and frees it; sync_start goes on when it was the one that was synced. */
void tenant_end(struct supervisor *s, struct tenant *t, const char *detail);
/* Reads a tenant's file again as it was committed. 0; 1 it is no longer the same. */
int tenant_reread(struct tenant *t, struct sk_buf *text, struct sk_conf_tenant **parsed) sk_nodiscard;

/* Images of the tenants that want it get the document, and are told everywhere. */
void tenants_refill(struct supervisor *s, const struct source *source);

/* sources.c */
#define FETCHED_FOLDER "fetched"
/* NULL: no memory. */
struct source *source_ref(struct supervisor *s, const struct sk_conf *conf, const struct sk_tenant_source *m);
void source_unref(struct supervisor *s, struct source *source);
/* Tells fetch of all. */
void sources_announce(struct supervisor *s, struct process *fetch);
/* Puts the image with the documents in it. 0 or negative. */
int sources_fill(struct supervisor *s, struct sk_slice image, struct sk_buf *out) sk_nodiscard;
/* fetch has a new one. */
void source_changed(struct supervisor *s, const uint8_t id[SK_ID_SIZE]);

/* status.c */
/* A number that changes when the file's content does. */
uint64_t status_hash(const struct stat *info);
/* NULL: no memory. */
struct named_file *named_file_ref(struct supervisor *s, const char *path);
void named_file_unref(struct supervisor *s, struct named_file *file);
/* Asked of the kernel once in a load; 0 when it cannot be had. */
uint64_t named_file_status(const struct supervisor *s, struct named_file *file);
