/*
 * A PAM helper: holds one conversation at a time for auth, so that a slow module delays nobody else. Runs as root and
 * keeps files, exec and network, because the modules do the work: it is the one process whose code the gateway does
 * not choose. So it speaks typed messages alone, sees no network byte, and ends after a number of conversations; one
 * that hangs ends the process, and the supervisor starts another.
 *
 * libpam blocks. A conversation therefore runs outside the loop: START stops the loop, and while a prompt waits for
 * its answer the loop runs again, until TELL, CANCEL or an end stops it. No callback is ever below another.
 */
#include "pam/talk.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "ipc/child.h"
#include "pam/prompts.h"

#include <signal.h>
#include <unistd.h>

/* What modules leak or leave behind ends with the process: after this many conversations, at the first moment of rest, so
 * that no START meets an ending process; after the most at once. */
#define CONVERSATIONS_ENOUGH 100U
#define CONVERSATIONS_MOST 1000U
#define REST (200 * SK_MILLISECOND)
#define HANG_SECONDS 90U      /* a whole conversation: then SIGALRM ends the process */
#define PATIENCE (75 * SK_SECOND) /* for the person's part of it: a slow person is no reason to end the process */

enum state { IDLE, STARTED, WAITING, TOLD, CANCELLED };

struct helper {
    struct sk_child child;
    struct sk_channel *auth; /* NULL until PEER, and while auth is away */
    struct sk_timer patience, rest;
    enum state state;
    bool orphaned; /* the auth that asked is gone: nobody wants the END */
    bool stopping;
    unsigned conversations;
    char folder[4097];
    uint64_t ticket;
    char user[257], address[65], answer[1025]; /* of START */
    char answers[SK_PROMPTS_TEXT + 1];         /* of TELL */
    size_t answers_len;
};

static bool copy_text(struct sk_slice text, char *to, size_t size)
{
    if (text.len >= size || sk_slice_find(text, '\0') < text.len) {
        return false;
    }
    if (text.len) {
        memcpy(to, text.data, text.len);
    }
    to[text.len] = '\0';
    return true;
}

static bool name_ok(struct sk_slice user)
{
    for (size_t i = 0; i < user.len; i++) {
        unsigned char c = (unsigned char)user.data[i];
        if (c < 0x20 || c == 0x7f) {
            return false;
        }
    }
    return user.len != 0;
}

static void end(struct helper *helper, uint64_t ticket, enum sk_pam_result result)
{
    struct sk_pam_end m = {.ticket = ticket, .result = (uint64_t)result};
    if (helper->auth && sk_channel_send(helper->auth, SK_PAM_END, &m, NULL) < 0) {
        helper->auth = sk_channel_free(helper->auth);
    }
}

/* What PAM need not be asked: no account has a name with control bytes, no module takes so long a password. */
static void on_start(struct helper *helper, const struct sk_pam_start *start)
{
    struct sk_addr address;
    if (helper->state != IDLE) {
        end(helper, start->ticket, SK_PAM_BROKEN);
    } else if (sk_addr_parse(start->address, &address) || !copy_text(start->address, helper->address, sizeof(helper->address))) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("what", "address"), SK_NUMBER("peer", SK_PEER_AUTH));
        end(helper, start->ticket, SK_PAM_BROKEN);
    } else if (!name_ok(start->user) || !copy_text(start->user, helper->user, sizeof(helper->user))) {
        end(helper, start->ticket, SK_PAM_UNKNOWN);
    } else if (start->answer.len >= SK_TALK_ANSWER || !copy_text(start->answer, helper->answer, sizeof(helper->answer))) {
        end(helper, start->ticket, SK_PAM_WRONG);
    } else {
        helper->ticket = start->ticket;
        helper->orphaned = false;
        helper->state = STARTED;
        sk_loop_stop(helper->child.loop);
    }
}

static void cancel(struct helper *helper)
{
    if (helper->state != IDLE) {
        helper->state = CANCELLED;
        sk_loop_stop(helper->child.loop);
    }
}

static void on_tell(struct helper *helper, const struct sk_pam_tell *tell)
{
    if (helper->state == WAITING && tell->ticket == helper->ticket && tell->answers.len <= SK_PROMPTS_TEXT) {
        memcpy(helper->answers, tell->answers.len ? tell->answers.data : "", tell->answers.len);
        helper->answers_len = tell->answers.len;
        helper->state = TOLD;
        sk_loop_stop(helper->child.loop);
    }
}

static void auth_received(
        struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct helper *helper = context;
    if (code == SK_PAM_START) {
        on_start(helper, message);
    } else if (code == SK_PAM_TELL) {
        on_tell(helper, message);
    } else if (code == SK_PAM_CANCEL && ((const struct sk_pam_cancel *)message)->ticket == helper->ticket) {
        cancel(helper);
    }
}

static void auth_gone(struct helper *helper)
{
    helper->auth = sk_channel_free(helper->auth);
    helper->orphaned = true;
    cancel(helper);
}

static void auth_ended(struct sk_channel *channel sk_unused, bool bad, void *context)
{
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_NUMBER("peer", SK_PEER_AUTH));
    auth_gone(context);
}

/* Waits for the person, while the loop serves the supervisor too. */
static int ask(void *context, struct sk_slice prompts, struct sk_slice *answers)
{
    struct helper *helper = context;
    struct sk_pam_ask m = {.ticket = helper->ticket, .prompts = prompts};
    if (helper->state == CANCELLED || !helper->auth || sk_channel_send(helper->auth, SK_PAM_ASK, &m, NULL) < 0) {
        return 1;
    }
    helper->state = WAITING;
    sk_loop_run(helper->child.loop);
    if (helper->state != TOLD) {
        helper->state = CANCELLED;
        return 1;
    }
    *answers = sk_slice(helper->answers, helper->answers_len);
    return 0;
}

static void on_patience_end(struct sk_timer *timer)
{
    cancel(SK_CONTAINER(timer, struct helper, patience));
}

static void on_rest(struct sk_timer *timer)
{
    sk_loop_stop(timer->loop); /* nothing is STARTED: the process ends */
}

/* One conversation, from START to END. */
static void converse(struct helper *helper)
{
    const struct sk_talk talk = {.folder = helper->folder[0] ? helper->folder : NULL,
            .user = helper->user,
            .address = helper->address,
            .answer = helper->answer,
            .ask = ask,
            .context = helper};
    bool wanted = helper->state == STARTED;
    sk_timer_stop(&helper->rest);
    (void)alarm(HANG_SECONDS);
    sk_timer_set(&helper->patience, PATIENCE);
    enum sk_pam_result result = wanted ? sk_talk_run(&talk) : SK_PAM_BROKEN;
    sk_timer_stop(&helper->patience);
    (void)alarm(0);
    sk_wipe(helper->answer, sizeof(helper->answer));
    sk_wipe(helper->answers, sizeof(helper->answers));
    if (!helper->orphaned) {
        end(helper, helper->ticket, helper->state == CANCELLED ? SK_PAM_BROKEN : result);
    }
    helper->state = IDLE;
    helper->conversations++;
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct helper *helper = child->context;
    sk_timer_init(&helper->patience, child->loop, on_patience_end);
    sk_timer_init(&helper->rest, child->loop, on_rest);
    return copy_text(hello->folder, helper->folder, sizeof(helper->folder)) ? 0 : -1;
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    static const struct sk_channel_handler handler = {
            &sk_pam_interface, SK_PAM_FROM_HELPER, SK_PAM_FROM_AUTH, auth_received, auth_ended};
    struct helper *helper = child->context;
    if (code == SK_CONTROL_PEER && ((const struct sk_control_peer *)message)->peer == SK_PEER_AUTH) {
        auth_gone(helper);
        helper->auth = sk_channel_new(child->loop, fds[0], &handler, helper);
    } else if (code == SK_CONTROL_PEER) {
        (void)close(fds[0]);
    } else if (code == SK_CONTROL_LOADED) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

static void on_stop(struct sk_child *child)
{
    struct helper *helper = child->context;
    helper->stopping = true;
    cancel(helper);
    sk_loop_stop(child->loop);
}

int main(void)
{
    static const struct sk_child_program program = {.name = "pam",
            .root = true,
            .files = true,
            .exec = true,
            .network = true,
            .hello = on_hello,
            .told = on_told,
            .stop = on_stop};
    static struct helper helper;
    sk_log_init("sekisho-pam");
    (void)signal(SIGALRM, SIG_DFL);
    int status = sk_child_run(&helper.child, &program, &helper);
    while (helper.state != IDLE && !helper.stopping) {
        converse(&helper);
        if (helper.conversations >= CONVERSATIONS_ENOUGH) {
            sk_timer_set(&helper.rest, REST);
        }
        if (helper.conversations < CONVERSATIONS_MOST && !helper.stopping) {
            sk_loop_run(helper.child.loop);
        }
    }
    return status;
}
