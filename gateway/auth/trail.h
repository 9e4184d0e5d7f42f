/* Questions about a tenant's records, and who asks. Between auth's own files. */
#pragma once

#include "auth/jobs.h"

/* asker.c */
/* Who asks becomes the job's user; `then` looks whether there is one, and whether it may. Else the job is refused. */
void auth_find_asker(struct job *job, void (*then)(struct job *job));
/* Has the job's user one of these roles? `names`: comma between. */
bool auth_asker_has(const struct job *job, const char *names);

/* trail.c */
void auth_find(struct auth *auth, uint64_t worker, const struct sk_auth_find *m);
void auth_prove_trail(struct auth *auth, uint64_t worker, const struct sk_auth_prove *m);
void auth_counts(struct auth *auth, uint64_t worker, const struct sk_auth_counts *m);
/* An answer to a job that the reader was asked for. */
void auth_from_reader(struct job *job, uint16_t code, const void *message);
void auth_reader_lost(struct auth *auth);
void auth_search_free(struct job *job);
struct sk_slice auth_search_question(const struct job *job);
