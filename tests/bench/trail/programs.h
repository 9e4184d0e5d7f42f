/* The real audit program and signer, started as the supervisor does, in folders of their own. Whatever fails ends the benchmark with a word. */
#pragma once

#include "crypto/digest.h"
#include "ipc/ring.h"
#include "records.h"
#include "row.h"

#include <sys/types.h>

#define PROGRAMS_RINGS 4U

struct programs {
    char journal[4096], signer[4096];
    pid_t audit, sign;
    int control, sign_control;
    struct sk_ring rings[PROGRAMS_RINGS];
    unsigned rings_count;
};

/* Folders below `folder`; made, if they are not there. */
void programs_init(struct programs *programs, const char *folder);
/* What a program of that kind has of the root key. */
void programs_secret(const char *kind, uint8_t secret[SK_SHA256_SIZE]);
/* Writes the root key into a file. */
void programs_root_key(const struct programs *programs, char path[4200]);
/* Starts both from `build`; returns when the journal is open, for this many tenants of `records`, with this many rings. Seconds that took. */
double programs_start(struct programs *programs, const char *build, unsigned tenants, unsigned rings);
void programs_kill(struct programs *programs);
void programs_stop(struct programs *programs);
/* User and system time of audit and signer together, in seconds. */
double programs_time(const struct programs *programs);
