/*
 * A factor helper: verifies one password at a time for auth, so that auth never waits for Argon2id. Holds no key and
 * no file, keeps nothing between two passwords, runs as its own uid. The pool's size is what bounds the memory and the
 * cores that logins can take.
 */
#include "factor/hash.h"

#include "base/log.h"
#include "ipc/child.h"
#include "ipc/factor.h"

#include <malloc.h>
#include <unistd.h>

struct helper {
    struct sk_child child;
    struct sk_channel *auth; /* NULL until PEER, and while auth is away */
};

static void auth_received(
        struct sk_channel *channel, uint16_t code sk_unused, const void *message, const int *fds sk_unused, void *context)
{
    struct helper *helper = context;
    const struct sk_factor_verify *verify = message;
    struct sk_factor_verdict verdict = {.ticket = verify->ticket};
    verdict.result = (uint64_t)sk_hash_verify(verify->hash, verify->password);
    if (sk_channel_send(channel, SK_FACTOR_VERDICT, &verdict, NULL) < 0) {
        helper->auth = sk_channel_free(channel);
    }
}

static void auth_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct helper *helper = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_NUMBER("peer", SK_PEER_AUTH));
    helper->auth = sk_channel_free(channel);
}

static int on_hello(struct sk_child *child sk_unused, const struct sk_control_hello *hello sk_unused)
{
    return sk_hash_warm();
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    static const struct sk_channel_handler handler = {
            &sk_factor_interface, SK_FACTOR_FROM_HELPER, SK_FACTOR_FROM_AUTH, auth_received, auth_ended};
    struct helper *helper = child->context;
    if (code == SK_CONTROL_PEER && ((const struct sk_control_peer *)message)->peer == SK_PEER_AUTH) {
        helper->auth = sk_channel_free(helper->auth);
        helper->auth = sk_channel_new(child->loop, fds[0], &handler, helper);
    } else if (code == SK_CONTROL_PEER) {
        (void)close(fds[0]);
    } else if (code == SK_CONTROL_LOADED) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "factor", .hello = on_hello, .told = on_told};
    static struct helper helper;
    sk_log_init("sekisho-factor");
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20); /* what Argon2id fills goes back to the system after each password */
    return sk_child_run(&helper.child, &program, &helper);
}
