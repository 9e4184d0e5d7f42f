/* A login over libpam. Runs in the PAM helpers, as root: pam_unix reads the shadow file. */
#include "pam/talk.h"

#include "base/clock.h"
#include "base/log.h"
#include "pam/prompts.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS_MAX 64U /* calls of the conversation function */
#define ASKS_MAX 16U   /* of those, the ones that put something to the person */

struct conversation {
    const struct sk_talk *talk;
    struct sk_buf text; /* information waits here for the next prompt: it needs no answer of its own */
    unsigned rounds, asks;
    bool answered; /* the first prompt without echo was answered */
    bool ended;    /* no answer will come any more */
};

static struct pam_response *responses_free(struct pam_response *responses, int count)
{
    for (int i = 0; responses && i < count; i++) {
        if (responses[i].resp) {
            sk_wipe(responses[i].resp, strlen(responses[i].resp));
            free(responses[i].resp);
        }
    }
    free(responses);
    return NULL;
}

/* Answers what can be answered without the person, writes the rest to `text`; `open` counts and marks the rest. */
static int gather(struct conversation *c, int count, const struct pam_message **messages, struct pam_response *responses,
        bool open[PAM_MAX_NUM_MSG], size_t *open_count)
{
    for (int i = 0; i < count; i++) {
        bool hidden = messages[i]->msg_style == PAM_PROMPT_ECHO_OFF;
        if (hidden && !c->answered) {
            c->answered = true;
            responses[i].resp = strdup(c->talk->answer);
            if (!responses[i].resp) {
                return PAM_BUF_ERR;
            }
        } else if (hidden || messages[i]->msg_style == PAM_PROMPT_ECHO_ON) {
            open[i] = true;
            ++*open_count;
            if (sk_prompts_ask(&c->text, hidden ? 'h' : 'v', messages[i]->msg)) {
                return PAM_CONV_ERR;
            }
        } else if (messages[i]->msg_style == PAM_TEXT_INFO || messages[i]->msg_style == PAM_ERROR_MSG) {
            sk_prompts_note(&c->text, messages[i]->msg_style == PAM_ERROR_MSG ? 'e' : 'i', messages[i]->msg);
        } else {
            return PAM_CONV_ERR;
        }
    }
    return PAM_SUCCESS;
}

/* Puts the open prompts to the person and fills in what they say. */
static int ask(struct conversation *c, int count, struct pam_response *responses, const bool *open, size_t open_count)
{
    struct sk_slice text, answers[PAM_MAX_NUM_MSG];
    size_t next = 0;
    if (c->asks++ == ASKS_MAX || c->talk->ask(c->talk->context, sk_buf_peek(&c->text), &text) ||
            sk_prompts_answers(text, answers, open_count)) {
        c->ended = true;
        return PAM_CONV_ERR;
    }
    sk_buf_take(&c->text, sk_buf_len(&c->text));
    for (int i = 0; i < count; i++) {
        if (!open[i]) {
            continue;
        }
        struct sk_slice answer = answers[next++];
        if (answer.len >= SK_TALK_ANSWER) {
            c->ended = true;
            return PAM_CONV_ERR;
        }
        responses[i].resp = strndup(answer.len ? answer.data : "", answer.len);
        if (!responses[i].resp) {
            return PAM_BUF_ERR;
        }
    }
    return PAM_SUCCESS;
}

static int converse(int count, const struct pam_message **messages, struct pam_response **out, void *context)
{
    struct conversation *c = context;
    bool open[PAM_MAX_NUM_MSG] = {false};
    size_t open_count = 0;
    if (count <= 0 || count > PAM_MAX_NUM_MSG || c->ended || c->rounds++ == ROUNDS_MAX) {
        c->ended = true;
        return PAM_CONV_ERR;
    }
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));
    if (!responses) {
        return PAM_BUF_ERR;
    }
    int r = gather(c, count, messages, responses, open, &open_count);
    if (r == PAM_SUCCESS && open_count) {
        r = ask(c, count, responses, open, open_count);
    }
    if (r != PAM_SUCCESS) {
        responses = responses_free(responses, count);
    }
    *out = responses;
    return r;
}

static enum sk_pam_result authentication_result(int status)
{
    switch (status) {
    case PAM_SUCCESS:
        return SK_PAM_RIGHT;
    case PAM_AUTH_ERR:
    case PAM_MAXTRIES:
        return SK_PAM_WRONG;
    case PAM_USER_UNKNOWN:
        return SK_PAM_UNKNOWN;
    case PAM_AUTHTOK_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
        return SK_PAM_EXPIRED;
    case PAM_ACCT_EXPIRED:
    case PAM_PERM_DENIED:
        return SK_PAM_DISABLED;
    default:
        return SK_PAM_BROKEN;
    }
}

/* The password was right already: an account module that says "authentication error" means that this account may not. */
static enum sk_pam_result account_result(int status)
{
    return status == PAM_AUTH_ERR ? SK_PAM_DISABLED : authentication_result(status);
}

/* The delay after a failure stays libpam's: it is what slows guessing down. */
static int set_items(pam_handle_t *pam, const struct sk_talk *talk)
{
    int status = pam_set_item(pam, PAM_RHOST, talk->address);
    return status ? status : pam_set_item(pam, PAM_TTY, SK_TALK_SERVICE);
}

/* The three phases; `status` is libpam's last word. */
static enum sk_pam_result phases(pam_handle_t *pam, struct conversation *c, int *status)
{
    *status = set_items(pam, c->talk);
    if (*status != PAM_SUCCESS) {
        return SK_PAM_BROKEN;
    }
    *status = pam_authenticate(pam, PAM_DISALLOW_NULL_AUTHTOK);
    if (*status != PAM_SUCCESS) {
        return authentication_result(*status);
    }
    *status = pam_acct_mgmt(pam, PAM_DISALLOW_NULL_AUTHTOK);
    if (*status != PAM_NEW_AUTHTOK_REQD) {
        return account_result(*status);
    }
    c->answered = true; /* the login password answers no prompt of a change */
    *status = pam_chauthtok(pam, PAM_CHANGE_EXPIRED_AUTHTOK);
    return *status == PAM_SUCCESS ? SK_PAM_RIGHT : SK_PAM_EXPIRED;
}

/* Without a file of its own the service would get the rules of "other": nobody meant those for the gateway. */
static bool service_there(const char *folder)
{
    const char *const folders[] = {folder ? folder : "/etc/pam.d", "/usr/lib/pam.d"};
    char path[4200];
    for (size_t i = 0; i < (folder ? 1 : SK_COUNT(folders)); i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", folders[i], SK_TALK_SERVICE);
        if (len > 0 && (size_t)len < sizeof(path) && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

enum sk_pam_result sk_talk_run(const struct sk_talk *talk)
{
    struct conversation c = {.talk = talk, .text = SK_BUF_INIT(SK_PROMPTS_TEXT)};
    const struct pam_conv conv = {converse, &c};
    pam_handle_t *pam = NULL;
    if (!service_there(talk->folder)) {
        sk_log(SK_EVENT_PAM_FAILED, SK_TEXT("what", "there is no service file"), SK_TEXT("service", SK_TALK_SERVICE));
        return SK_PAM_BROKEN;
    }
    int status = pam_start_confdir(SK_TALK_SERVICE, talk->user, &conv, talk->folder, &pam);
    enum sk_pam_result result = status == PAM_SUCCESS ? phases(pam, &c, &status) : SK_PAM_BROKEN;
    if (result == SK_PAM_BROKEN && !c.ended) {
        sk_log(SK_EVENT_PAM_FAILED, SK_TEXT("what", pam_strerror(pam, status)), SK_NUMBER("status", status));
    }
    if (pam) {
        (void)pam_end(pam, status);
    }
    sk_buf_free(&c.text);
    return c.ended && result != SK_PAM_RIGHT ? SK_PAM_BROKEN : result;
}
