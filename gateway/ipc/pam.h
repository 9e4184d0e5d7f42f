/* Auth ↔ a PAM helper: one conversation at a time. The helper ends itself when a conversation takes too long. */
#pragma once

#include "ipc/interface.h"

enum { SK_PAM_FROM_AUTH = 1, SK_PAM_FROM_HELPER = 2 };

/* `answer` is for the first prompt without echo. */
#define SK_PAM_START_FIELDS(U, I, T) U(ticket) T(user, 256) T(address, 64) T(answer, 1024)
/* Prompts, one a line: first byte 'h' hidden, 'v' visible, 'i' information, 'e' error. */
#define SK_PAM_ASK_FIELDS(U, I, T) U(ticket) T(prompts, 4096)
/* Answers for the 'h' and 'v' lines in order, one a line. */
#define SK_PAM_TELL_FIELDS(U, I, T) U(ticket) T(answers, 4096)
#define SK_PAM_CANCEL_FIELDS(U, I, T) U(ticket)
/* `result`: enum sk_pam_result. */
#define SK_PAM_END_FIELDS(U, I, T) U(ticket) U(result)

enum sk_pam_result { SK_PAM_RIGHT = 0, SK_PAM_WRONG, SK_PAM_UNKNOWN, SK_PAM_EXPIRED, SK_PAM_DISABLED, SK_PAM_BROKEN };

#define SK_PAM_MESSAGES(M)                                                                                   \
    M(PAM_START, pam_start, 1, SK_PAM_FROM_AUTH, 0, SK_PAM_START_FIELDS)                                     \
    M(PAM_TELL, pam_tell, 2, SK_PAM_FROM_AUTH, 0, SK_PAM_TELL_FIELDS)                                        \
    M(PAM_CANCEL, pam_cancel, 3, SK_PAM_FROM_AUTH, 0, SK_PAM_CANCEL_FIELDS)                                  \
    M(PAM_ASK, pam_ask, 4, SK_PAM_FROM_HELPER, 0, SK_PAM_ASK_FIELDS)                                         \
    M(PAM_END, pam_end, 5, SK_PAM_FROM_HELPER, 0, SK_PAM_END_FIELDS)

SK_IPC_DECLARE(pam, SK_PAM_MESSAGES)
