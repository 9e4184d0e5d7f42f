/*
 * How long records are kept: so many days as their service says, each day from its end on, and not a day longer. Then the days' keys are erased, which
 * makes what was recorded on them unreadable wherever it stands, and the files are removed that hold nothing else. What is to be erased is on record
 * first, in each tenant's trail, and signed.
 *
 * A tenant under legal hold is kept whole until that is lifted. A tenant whose contract is over is erased with its key; a copy of that, which only a
 * recovery key opens that no gateway has, may be left for some days.
 *
 * It is the clock that erases. When that jumps ahead nobody knows which time is right, so that for an hour nothing is erased, also not by the next audit.
 */
#pragma once

#include "audit/survey.h"
#include "audit/tenure.h"

#include <pthread.h>
#include <stdatomic.h>

#define RETENTION_UNNAMED 16U

enum retention_state {
    RETENTION_IDLE,
    RETENTION_SURVEYS, /* in a thread */
    RETENTION_HOLDS,   /* what is kept of it nevertheless */
    RETENTION_RECORDS, /* what is to be erased */
    RETENTION_SIGNS,   /* waits until that is signed */
    RETENTION_ERASES,
    RETENTION_SWEEPS, /* in a thread */
};

enum retention_what {
    RETENTION_SERVICE,  /* days of a service are over */
    RETENTION_RELEASED, /* days of a tenant that was on hold */
    RETENTION_TENANT,   /* a contract is over */
    RETENTION_COPY,     /* a copy for recovery is due */
    RETENTION_KEPT,     /* a service's records are kept for another number of days: nothing is erased */
};

/* What is being done. */
struct retention_job {
    enum retention_what what;
    uint8_t id[SK_ID_SIZE]; /* of the service, or the tenant */
    uint32_t from, to;      /* days; `to` too */
    uint32_t next;          /* of them, to hold or to erase */
    uint32_t days;          /* that they are kept */
    uint64_t changes;       /* of what was told, when it began */
    struct survey survey;
    struct survey_tenants found, held; /* whom it concerns; those of a service's tenants that are on hold */
    const struct sk_table_node *at; /* of `found`: on record up to here */
    bool copied;                    /* the tenant's key */
    uint64_t last, mark, first;
    uint32_t oldest; /* days that are left begin here */
};

struct retention {
    struct sk_writer *writer;
    struct tenure tenure; /* what it is told; nothing is erased before all is */
    enum retention_state state;
    struct retention_job job;
    pthread_t thread;
    atomic_int done; /* the thread is: 1 */
    int result;      /* its */
    uint64_t wall, boot; /* when it last looked */
    uint64_t doubt;      /* boot time until which the clock is not believed */
    struct {
        uint8_t id[SK_ID_SIZE];
        uint64_t not_before;
    } unnamed[RETENTION_UNNAMED]; /* services that nobody names any more, as tenure_service has it of others; the one that was put there longest ago goes */
    unsigned unnamed_next;
    uint64_t again;      /* boot time before which nothing is tried: it failed */
    bool swept;          /* once since the start */
    void (*doubted)(struct retention *retention); /* the clock jumped */
    void (*erased)(struct retention *retention, const uint8_t tenant[SK_ID_SIZE], const char *contract); /* all of a tenant, copies too; again each hour */
    void (*failed)(struct retention *retention, int error); /* it is tried again in ten seconds */
};

void retention_init(struct retention *retention, struct sk_writer *writer, int folder);
/* Waits for its thread. */
void retention_free(struct retention *retention);

/* Goes a step on, as far as that is possible without waiting for long. Once a second, and more often while there is something to do, as long as records are committed and signed. */
void retention_step(struct retention *retention);
