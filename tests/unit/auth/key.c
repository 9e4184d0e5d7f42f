/* gateway/auth/key.c: the key is the store's, and auth asks until it has it. */
#include "rig.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

Test(auth_key, it_is_asked_for_until_it_is_there_and_none_signs_that_is_not_kept, .timeout = 60)
{
    struct rig rig;
    rig_begin(&rig);
    rig.worker[0] = rig_peer(&rig, SK_PEER_WORKER, 0);
    cr_assert(!((const struct sk_auth_state *)rig_at_worker(&rig, 0, SK_AUTH_STATE))->open);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_KEY), 2, 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_KEY), 1, 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_PUT_KEY), 2, 0);
    uint64_t again = rig_asked(&rig, SK_STORE_GET_KEY);
    struct pollfd nothing = {.fd = rig.worker[0], .events = POLLIN};
    cr_assert_eq(poll(&nothing, 1, 0), 0, "auth is open without a key");
    rig_result(&rig, again, 1, 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_PUT_KEY), 0, 0);
    cr_assert(((const struct sk_auth_state *)rig_at_worker(&rig, 0, SK_AUTH_STATE))->open);
    (void)rig_at_worker(&rig, 0, SK_AUTH_KEYS);
    (void)rig_hear(rig.control, &sk_control_interface, SK_CONTROL_READY);
    rig.worker[1] = rig_peer(&rig, SK_PEER_WORKER, 1);
    rig_stop(&rig);
}

Test(auth_key, another_stores_key_counts, .timeout = 60)
{
    struct rig rig;
    rig_start(&rig);
    int before = rig.store;
    rig.store = rig_peer(&rig, SK_PEER_STORE, 0);
    rig_result(&rig, rig_asked(&rig, SK_STORE_GET_KEY), 1, 0);
    cr_assert(!((const struct sk_auth_state *)rig_at_worker(&rig, 0, SK_AUTH_STATE))->open);
    (void)rig_at_worker(&rig, 0, SK_AUTH_KEYS);
    (void)rig_at_store(&rig, SK_STORE_PUT_KEY);
    struct pollfd nothing = {.fd = rig.worker[0], .events = POLLIN};
    cr_assert_eq(poll(&nothing, 1, 0), 0);
    (void)close(before);
    rig_stop(&rig);
}
