/*
 * What a process gives up before it reads its first message: its identity, its way back to privilege, the file
 * system, starting programs, and system calls no part of the gateway needs. One way only.
 */
#pragma once

#include "sekisho/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct sk_sandbox {
    uid_t uid; /* 0 keeps root (pam alone) */
    gid_t gid;
    bool files;   /* keeps files: pam, whose modules read their own */
    bool exec;    /* keeps starting programs, and signalling them: pam, whose modules start helpers */
    bool network; /* keeps making Internet sockets: a worker's upstream connections. With files, any: pam's modules */
    bool lookups; /* keeps reading what names and authorities are looked up in: /etc, and the libraries for it */
    const char *folder; /* the one folder that stays readable and writable, or NULL */
};

/* 0; 1 when the kernel lacks Landlock (everything else holds); negative: do not go on. */
int sk_sandbox_enter(const struct sk_sandbox *sandbox) sk_nodiscard;
