/* The signing key. It is the store's: auth signs with none that is not kept there, and asks until it has it, one question
 * at a time. */
#include "auth/jobs.h"

#include "base/clock.h"
#include "base/log.h"

#define ASK_AGAIN SK_SECOND

/* Tickets of these two questions; jobs count on from there. */
enum { TICKET_GET = 1, TICKET_PUT = AUTH_TICKET_LAST };

void auth_key_ask(struct auth *auth)
{
    struct sk_store_get_key get = {.ticket = TICKET_GET};
    auth->key = sk_sign_free(auth->key);
    auth->made = sk_sign_free(auth->made);
    sk_timer_stop(&auth->key_due);
    if (auth->store && sk_channel_send(auth->store, SK_STORE_GET_KEY, &get, NULL) < 0) {
        sk_timer_set(&auth->key_due, ASK_AGAIN);
    }
}

static void make(struct auth *auth)
{
    struct sk_buf der SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_store_put_key put = {.ticket = TICKET_PUT};
    auth->made = sk_sign_generate();
    int r = auth->made ? sk_sign_store(auth->made, &der) : -1;
    put.der = sk_buf_peek(&der);
    r = r ? r : sk_channel_send(auth->store, SK_STORE_PUT_KEY, &put, NULL);
    if (r < 0) {
        sk_timer_set(&auth->key_due, ASK_AGAIN);
    }
    sk_wipe(der.data, der.size);
}

bool auth_key_told(struct auth *auth, uint16_t code, const void *message)
{
    if (code == SK_STORE_GOT_KEY) {
        auth->key = sk_sign_free(auth->key);
        auth->key = sk_sign_load(((const struct sk_store_got_key *)message)->der);
        if (!auth->key) {
            sk_log(SK_EVENT_FATAL, SK_TEXT("what", "the signing key in the store is not a P-256 key"));
            sk_loop_stop(auth->child.loop);
        }
        auth_state(auth);
        return true;
    }
    const struct sk_store_result *result = message;
    if (code != SK_STORE_RESULT || result->ticket == 0 || result->ticket > TICKET_PUT) {
        return false;
    }
    if (result->ticket == TICKET_GET && result->status == 1) {
        make(auth); /* a store that has none yet */
    } else if (result->ticket == TICKET_PUT && result->status == 0 && auth->made) {
        auth->key = auth->made;
        auth->made = NULL;
        auth_state(auth);
    } else {
        sk_timer_set(&auth->key_due, ASK_AGAIN);
    }
    return true;
}
