/*
 * Fetch: speaks to the servers that tenant files name and that are no upstreams, where keys, revocation lists and identity providers are.
 * Own uid, the network, a folder of its own; it holds nothing secret for longer than a transfer takes. What it brings is judged again by
 * who uses it.
 */
#include "fetch/fetch.h"

#include "base/log.h"

#include <errno.h>
#include <unistd.h>

static void from_auth(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    if (code == SK_FETCH_REFRESH) {
        fetch_refresh(context, ((const struct sk_fetch_refresh *)message)->source);
    } else if (code == SK_FETCH_EXCHANGE) {
        fetch_exchange(context, message);
    }
}

static void auth_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct fetch *fetch = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "auth"));
    fetch->auth = sk_channel_free(channel);
    fetch_exchanges_end(fetch);
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct fetch *fetch = child->context;
    if (hello->folder.len >= sizeof(fetch->folder)) {
        return -EINVAL;
    }
    memcpy(fetch->folder, hello->folder.data, hello->folder.len);
    fetch->transfers = transfers_new(child->loop);
    return fetch->transfers ? 0 : -ENOMEM;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    static const struct sk_channel_handler handler = {&sk_fetch_interface, SK_FETCH_FROM_FETCH, SK_FETCH_FROM_AUTH, from_auth, auth_ended};
    struct fetch *fetch = child->context;
    switch (code) {
    case SK_CONTROL_PEER:
        if (((const struct sk_control_peer *)message)->peer != SK_PEER_AUTH) {
            (void)close(fds[0]);
            break;
        }
        fetch->auth = sk_channel_free(fetch->auth);
        fetch_exchanges_end(fetch);
        fetch->auth = sk_channel_new(child->loop, fds[0], &handler, fetch);
        break;
    case SK_CONTROL_SOURCE:
        fetch_source(fetch, message);
        break;
    case SK_CONTROL_UNSOURCE:
        fetch_unsource(fetch, ((const struct sk_control_unsource *)message)->id);
        break;
    case SK_CONTROL_LOADED: {
        uint64_t generation = ((const struct sk_control_loaded *)message)->generation;
        /* A reload asks for all anew; the same configuration, with what was fetched in it, does not. */
        if (generation != fetch->generation) {
            fetch_clear_folder(fetch);
            fetch_refresh_all(fetch);
        }
        fetch->generation = generation;
        sk_child_ready(child, generation);
        break;
    }
    default:
        break;
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "fetch", .network = true, .lookups = true, .hello = on_hello, .told = on_told};
    static struct fetch fetch;
    sk_log_init("sekisho-fetch");
    return sk_child_run(&fetch.child, &program, &fetch);
}
