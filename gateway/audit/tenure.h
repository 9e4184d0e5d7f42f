/*
 * For how long what is kept, as the supervisor said it: each service's days, and each tenant's hold and the end of its contract. What is said of days and
 * holds goes to disk with the keys, and holds until something else is said.
 */
#pragma once

#include "audit/writer.h"
#include "base/table.h"

#define TENURE_NAME 130 /* bytes of NAME@SERVICE, with a NUL */

struct tenure_service {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE]; /* the operator's own: zeros */
    char name[TENURE_NAME];
    uint32_t days;
    uint64_t not_before; /* wall time: some of what is to be erased next is younger than its day */
};

struct tenure_terms {
    bool hold;            /* what it recorded is kept whatever its service says */
    uint64_t ends;        /* its contract (wall ns); UINT64_MAX: it goes on */
    uint64_t recoverable; /* until then (wall ns), with the recovery key */
};

struct tenure_tenant {
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    char name[TENURE_NAME];
    struct tenure_terms terms;
    uint64_t since;     /* boot time when the end was told */
    uint64_t certified; /* boot time when its erasure last was; 0: not since the start */
};

struct tenure {
    struct sk_table services, tenants;
    struct sk_wrap_key *recovery; /* copies are left for it; NULL: none are */
    uint8_t recovery_hash[32]; /* SHA-256 of its text */
    uint64_t changes; /* how often something else was said */
    bool told;        /* all that is to be known before something is erased */
    bool unsaid;      /* some of it is not on disk yet */
};

void tenure_free(struct tenure *tenure);

/* Copies are left for this public key, in PEM; empty: none are. 0; 1 it is none. */
int tenure_recovery(struct tenure *tenure, struct sk_slice pem) sk_nodiscard;
/* A service's records are kept for so many days; the operator's own, without a name, are said last. 0 or -ENOMEM. */
int tenure_service(struct tenure *tenure, struct sk_slice name, uint32_t days) sk_nodiscard;
/* `name` with its service: NAME@SERVICE. 0 or -ENOMEM. */
int tenure_tenant(struct tenure *tenure, const uint8_t id[SK_ID_SIZE], struct sk_slice name, const struct tenure_terms *terms) sk_nodiscard;
/* Gives the writer holds, and the days of who never had some. 0 or negative. */
int tenure_say(struct tenure *tenure, struct sk_writer *writer) sk_nodiscard;

/* What was told, or NULL. */
struct tenure_service *tenure_find_service(const struct tenure *tenure, const uint8_t id[SK_ID_SIZE]);
struct tenure_tenant *tenure_find_tenant(const struct tenure *tenure, const uint8_t id[SK_ID_SIZE]);
/* What was told, or said before; 0 days: nobody ever did. */
uint32_t tenure_days(const struct tenure *tenure, const struct sk_keys *keys, const uint8_t service[SK_ID_SIZE]);
bool tenure_is_held(const struct tenure *tenure, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE]);
