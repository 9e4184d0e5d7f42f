/* gateway/auth/jobs.c: one answer to each question, to its asker and nobody else. */
#include "rig.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct rig rig;

static void begin(void)
{
    rig_start(&rig);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_jobs, .init = begin, .fini = end, .timeout = 60);

Test(auth_jobs, a_tenant_that_auth_does_not_know_gets_nothing)
{
    rig_check(&rig, 0, 1, 9);
    rig_refused(&rig, 0, 1, "tenant-unknown");
    rig_login(&rig, 0, SK_AUTH_BASIC, 2, 9, "hanako");
    rig_refused(&rig, 0, 2, "tenant-unknown");
    rig_check(&rig, 0, 3, 1);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), 1, 0);
    rig_refused(&rig, 0, 3, "login-required");
}

/* The next process of the same index counts its tickets from 1, as the one before. */
Test(auth_jobs, what_a_dead_worker_asked_is_not_answered_to_the_next_of_its_index)
{
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "mallory");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "mallory", "owner");
    uint64_t old = rig_verify(&rig);
    rig_new_worker(&rig, 0);
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 2, "victim");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "victim", "owner");
    rig_verdict(&rig, old, 0);
    rig_verdict(&rig, rig_verify(&rig), 1);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "login-failed");
}

/* It is auth that ends the channel here, in the middle of telling all workers something. */
Test(auth_jobs, what_a_worker_asked_that_takes_no_more_is_not_answered_to_the_next)
{
    static char value[4096];
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 1, "mallory");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "mallory", "owner");
    uint64_t old = rig_verify(&rig);
    struct sk_auth_secrets ask = {.ticket = 2, .app = SK_LIT("api")};
    rig_tenant(1, ask.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_SECRETS, &ask);
    uint64_t ticket = rig_asked(&rig, SK_STORE_GET_SECRETS);
    memset(value, 'v', sizeof(value));
    struct sk_store_got_secret secret = {.ticket = ticket, .header = SK_LIT("x"), .value = sk_slice(value, sizeof(value))};
    for (int i = 0; i < 1400; i++) {
        rig_from_store(&rig, SK_STORE_GOT_SECRET, &secret); /* more than a channel's queue holds */
    }
    rig_changed(&rig, 1, "somebody");
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    rig_new_worker(&rig, 0);
    rig_login(&rig, 0, SK_AUTH_BASIC, 1, 2, "victim");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "victim", "owner");
    rig_verdict(&rig, old, 0);
    rig_verdict(&rig, rig_verify(&rig), 1);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, 1, "login-failed");
}

Test(auth_jobs, a_session_made_for_a_worker_that_died_does_not_stay)
{
    rig_login(&rig, 0, SK_AUTH_LOGIN, 1, 1, "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "hanako", "all");
    rig_verdict(&rig, rig_verify(&rig), 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    const struct sk_store_put_session *put = rig_at_store(&rig, SK_STORE_PUT_SESSION);
    uint64_t ticket = put->ticket;
    char key[65];
    (void)snprintf(key, sizeof(key), "%.*s", (int)put->key.len, put->key.data);
    rig_new_worker(&rig, 0);
    rig_result(&rig, ticket, 0, 0);
    const struct sk_store_drop_sessions *drop = rig_at_store(&rig, SK_STORE_DROP_SESSIONS);
    cr_assert(sk_slice_eq(drop->key, sk_slice_str(key)));
}

Test(auth_jobs, a_grant_names_its_tenant)
{
    uint8_t id[SK_ID_SIZE];
    rig_tenant(2, id);
    rig_check(&rig, 0, 1, 2);
    rig_session(&rig, rig_asked(&rig, SK_STORE_GET_SESSION), "k", "hanako");
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "hanako", "all");
    cr_assert_arr_eq(rig_granted(&rig, 0, 1, "hanako")->tenant, id, SK_ID_SIZE);
}
