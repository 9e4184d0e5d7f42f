/* gateway/auth/verify.c: tenants take turns, and whether a user is known is not told by what the password is compared
 * with. */
#include "rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define LINE 256 /* of one tenant may wait */

static struct rig rig;

static void begin(void)
{
    rig_start(&rig);
}

static void end(void)
{
    rig_stop(&rig);
}

TestSuite(auth_verify, .init = begin, .fini = end, .timeout = 60);

static uint64_t guess(uint64_t ticket, unsigned tenant)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "user%lu", (unsigned long)ticket);
    rig_login(&rig, 0, SK_AUTH_BASIC, ticket, tenant, name);
    uint64_t id = rig_asked(&rig, SK_STORE_TRY);
    rig_user(&rig, id, name, "all");
    return id;
}

Test(auth_verify, guesses_at_one_tenant_keep_nobody_else_waiting)
{
    uint64_t first = guess(1, 1), ticket = 1;
    for (int i = 0; i < LINE; i++) {
        (void)guess(++ticket, 1);
    }
    (void)guess(++ticket, 1);
    const struct sk_store_tried *tried = rig_at_store(&rig, SK_STORE_TRIED);
    cr_assert_eq(tried->verdict, SK_TRIED_UNDECIDED);
    rig_result(&rig, tried->ticket, 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
    rig_refused(&rig, 0, ticket, "verification-failed");
    uint64_t other = guess(++ticket, 2);
    rig_changed(&rig, 2, "somebody");
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED); /* auth has read what the store said before */
    cr_assert_eq(rig_verify(&rig), first);
    rig_verdict(&rig, first, 1);
    uint64_t second = rig_verify(&rig);
    rig_verdict(&rig, second, 1);
    cr_assert_eq(rig_verify(&rig), other, "the other tenant has its turn after one more");
    rig_verdict(&rig, other, 0);
    (void)rig_verify(&rig);
}

Test(auth_verify, who_gives_up_leaves_the_line)
{
    uint64_t first = guess(1, 1);
    rig_login(&rig, 1, SK_AUTH_BASIC, 1, 2, "jiro");
    rig_user(&rig, rig_asked(&rig, SK_STORE_TRY), "jiro", "all");
    uint64_t third = guess(3, 2);
    rig_changed(&rig, 2, "somebody");
    (void)rig_at_worker(&rig, 1, SK_AUTH_REVOKED);
    rig_new_worker(&rig, 1);
    rig_check(&rig, 0, 9, 1);
    (void)rig_asked(&rig, SK_STORE_GET_SESSION); /* a turn later */
    cr_assert_eq(rig_verify(&rig), first);
    rig_verdict(&rig, first, 1);
    cr_assert_eq(rig_verify(&rig), third);
}

static void unknown(uint64_t ticket, const char *hash)
{
    struct sk_store_got_user none = {.hash = sk_slice_str(hash)};
    rig_login(&rig, 0, SK_AUTH_BASIC, ticket, 1, "nobody");
    none.ticket = rig_asked(&rig, SK_STORE_TRY);
    rig_from_store(&rig, SK_STORE_GOT_USER, &none);
}

static void is_compared_with(const char *begins)
{
    const struct sk_factor_verify *m = rig_hear(rig.factor, &sk_factor_interface, SK_FACTOR_VERIFY);
    cr_assert(sk_slice_starts(m->hash, sk_slice_str(begins)), "%.*s", (int)m->hash.len, m->hash.data);
    rig_verdict(&rig, m->ticket, 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_TRIED), 0, 0);
    rig_records(&rig, 1);
    rig_durable(&rig);
}

Test(auth_verify, who_is_unknown_costs_what_the_store_says_and_is_refused_whatever_comes_of_it)
{
    unknown(1, "$argon2id$v=19$m=65536,t=3,p=4$salt$hash");
    is_compared_with("$argon2id$v=19$m=65536,t=3,p=4$");
    rig_refused(&rig, 0, 1, "login-failed");
    unknown(2, "");
    is_compared_with("$argon2id$v=19$m=19456,t=2,p=1$");
    rig_refused(&rig, 0, 2, "login-failed");
}
