/* Who asks: the user of the session, or the program of the remembered credential, under whose grant a question came. */
#include "auth/providers.h"
#include "auth/trail.h"

static void known(struct job *job)
{
    void (*then)(struct job *job) = job->asker_then;
    job->asker_then = NULL;
    then(job);
}

static void found(struct job *job, uint16_t code, const void *message)
{
    if (code != SK_STORE_GOT_USER) {
        auth_refuse(job, "store-unavailable");
    } else if (auth_take_user(job, message)) {
        auth_refuse(job, "internal-error");
    } else {
        known(job);
    }
}

static void ask_user(struct job *job)
{
    if (job->user.known) {
        known(job); /* the session's provider said who it is: the store has no such user */
    } else {
        auth_ask_user(job, sk_slice_str(job->name), found);
    }
}

void auth_find_asker(struct job *job, void (*then)(struct job *job))
{
    const struct remembered *r = auth_remembered_session(job->auth, job->tenant->id, sk_slice_str(job->session));
    job->asker_then = then;
    if (!sk_slice_starts(sk_slice_str(job->session), SK_LIT("basic-"))) {
        auth_ask_session(job, ask_user);
    } else if (!r) {
        auth_refuse(job, "not-granted");
    } else if (!r->issuer) {
        auth_copy(job->name, sizeof(job->name), sk_slice_str(r->name));
        ask_user(job);
    } else if (auth_user_copy(&job->user, &r->user)) {
        auth_refuse(job, "internal-error");
    } else {
        known(job);
    }
}

bool auth_asker_has(const struct job *job, struct sk_slice names)
{
    while (names.len) {
        struct sk_slice name = sk_slice_split(&names, ',');
        for (struct sk_slice roles = job->user.roles; roles.len;) {
            if (sk_slice_eq(sk_slice_split(&roles, ','), name)) {
                return true;
            }
        }
    }
    return false;
}
