/*
 * One login by PAM: authentication, then the account phase, then a new password where the account asks for one. It
 * blocks as long as the modules do; the only way back to the caller meanwhile is `ask`.
 */
#pragma once

#include "ipc/pam.h"

#define SK_TALK_SERVICE "sekisho"
/* Modules may keep an answer in a field of this size, its NUL included. */
#define SK_TALK_ANSWER ((size_t)512)

struct sk_talk {
    const char *folder;  /* of the service files, or NULL for the system's */
    const char *user;
    const char *address; /* where the user is */
    const char *answer;  /* for the first prompt without echo */
    /*
     * Shows `prompts` (pam/prompts.h) and waits. `answers` borrows until the next call, and may be wiped.
     * 0, or 1 when no answer will come.
     */
    int (*ask)(void *context, struct sk_slice prompts, struct sk_slice *answers);
    void *context;
};

/* Logs what is broken, never what was answered. */
enum sk_pam_result sk_talk_run(const struct sk_talk *talk) sk_nodiscard;
