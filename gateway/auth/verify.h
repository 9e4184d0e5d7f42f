/* Asking helpers whether a password or a token is right. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

#define AUTH_TOKEN_LEEWAY 30U /* s by which an issuer's clock may be wrong */

enum verdict { VERDICT_RIGHT, VERDICT_WRONG, VERDICT_DISABLED, VERDICT_EXPIRED, VERDICT_BROKEN };
void auth_verify(struct job *job);
/* login.c: the password's verdict comes back through these. */
void auth_verified(struct job *job, enum verdict verdict);
void auth_prompt(struct job *job, struct sk_slice prompts);
void auth_continue(struct job *job, struct sk_slice answers);
void auth_verify_cancel(struct job *job);
void auth_helper_add(struct auth *auth, bool pam, uint64_t index, int fd);
