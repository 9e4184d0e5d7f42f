/* gateway/auth/certificates.c: a worker's word that a certificate is somebody's, and how far it goes. */
#include "rig.h"

#include <criterion/criterion.h>

static struct rig rig;

static void begin(void)
{
    rig_start(&rig);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_certificates, .init = begin, .fini = end, .timeout = 60);

static void show(uint64_t ticket, unsigned tenant, const char *user, char first)
{
    char fingerprint[32] = {first};
    struct sk_auth_certificate m = {.ticket = ticket, .host = tenant == 1 ? SK_LIT("one.test") : SK_LIT("two.test"), .address = RIG_ADDRESS,
            .user = sk_slice_str(user), .fingerprint = sk_slice(fingerprint, sizeof(fingerprint))};
    rig_tenant(tenant, m.tenant);
    rig_from_worker(&rig, 0, SK_AUTH_CERTIFICATE, &m);
}

static void recorded(void)
{
    rig_records(&rig, 1);
    rig_durable(&rig);
}

Test(auth_certificates, one_that_was_right_is_remembered_and_no_other)
{
    show(1, 1, "robot", 'a');
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "robot", "all");
    recorded();
    cr_assert(sk_slice_eq(rig_granted(&rig, 0, 1, "robot")->factors, SK_LIT("x5c")));
    show(2, 1, "robot", 'a');
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "robot", "all");
    (void)rig_granted(&rig, 0, 2, "robot"); /* no login that would be on record */
    show(3, 1, "robot", 'b');
    rig_user(&rig, rig_asked(&rig, SK_STORE_GET_USER), "robot", "all");
    recorded();
    (void)rig_granted(&rig, 0, 3, "robot");
}

/* Or a worker in somebody's hands would be whoever it likes, at tenants that never heard of certificates. */
Test(auth_certificates, stand_for_nobody_where_no_map_says_whose_they_are)
{
    show(1, 2, "owner", 'a');
    recorded();
    rig_refused(&rig, 0, 1, "login-failed");
    show(2, 1, "robot", 'a');
    (void)rig_asked(&rig, SK_STORE_GET_USER);
}

static void answered_with(struct sk_store_got_user m)
{
    show(1, 1, "robot", 'a');
    m.ticket = rig_asked(&rig, SK_STORE_GET_USER);
    m.name = SK_LIT("robot");
    rig_from_store(&rig, SK_STORE_GOT_USER, &m);
    recorded();
    rig_refused(&rig, 0, 1, "login-failed");
}

Test(auth_certificates, stand_for_no_user_that_there_is_not)
{
    answered_with((struct sk_store_got_user){.known = 0});
}

Test(auth_certificates, stand_for_no_user_that_is_disabled)
{
    answered_with((struct sk_store_got_user){.known = 1, .disabled = 1});
}

Test(auth_certificates, stand_for_no_user_of_PAM)
{
    answered_with((struct sk_store_got_user){.known = 1, .backend = 1});
}
