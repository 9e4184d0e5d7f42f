/* Questions about a tenant's records, and who asks. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* asker.c */
/* Who asks becomes the job's user; `then` looks whether there is one, and whether it may. Else the job is refused. */
void auth_find_asker(struct job *job, void (*then)(struct job *job));
/* Has the job's user one of these roles? `names`: comma between. */
bool auth_asker_has(const struct job *job, struct sk_slice names);

/* trail.c */
void auth_search(struct auth *auth, uint64_t worker, const struct sk_auth_search *m);
/* The worker has taken its answer, or does not wait for it any more. */
void auth_search_over(struct auth *auth, uint64_t worker, uint64_t ticket);
/* Is the reader asked for this job? */
bool auth_is_reading(const struct job *job);
/* An answer to such a job. */
void auth_from_reader(struct job *job, uint16_t code, const void *message);
void auth_reader_lost(struct auth *auth);
/* Jobs that a revocation made stale read no further. */
void auth_search_revoked(struct auth *auth);
void auth_search_free(struct job *job);
struct sk_slice auth_search_question(const struct job *job);
