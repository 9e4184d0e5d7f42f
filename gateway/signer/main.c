/*
 * The signer: signs where each tenant's tree of records stands, so that nobody can change, cut off or reorder afterwards what was recorded,
 * whoever may write in the journal. Own uid, no network, its folder; it alone holds the key, and signs what audit tells it. The reader may ask what is signed.
 */
#include "signer/trees.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/note.h"
#include "ipc/child.h"
#include "ipc/notes.h"

#include <errno.h>

struct signer {
    struct sk_child child;
    struct sk_channel *audit, *reader;
    struct sk_trees *trees;
    char folder[4097];
    uint8_t node[SK_ID_SIZE], secret[SK_NOTE_KEY];
    bool failed; /* and said so */
};

/* Said once, until it works again. */
static void said_failed(struct signer *signer, int error)
{
    if (!signer->failed) {
        sk_log(SK_EVENT_SIGNING_FAILED, SK_TEXT("folder", signer->folder), SK_TEXT("error", error == -ESTALE ? "the file is no longer there, or another" : strerror(-error)));
    }
    signer->failed = true;
}

static void say_damaged(const struct signer *signer, const char *what)
{
    sk_log(SK_EVENT_CHECKPOINTS_DAMAGED, SK_TEXT("file", SK_CHECKPOINTS_FILE), SK_TEXT("folder", signer->folder), SK_TEXT("what", what));
}

static void tell_serves(struct signer *signer)
{
    struct sk_signer_serves m = {.fresh = sk_trees_fresh(signer->trees)};
    memcpy(m.epoch, sk_trees_epoch(signer->trees), SK_ID_SIZE);
    if (sk_channel_send(signer->audit, SK_SIGNER_SERVES, &m, NULL) < 0) {
        sk_loop_stop(signer->child.loop);
    }
}

static void begin(struct signer *signer)
{
    int r = sk_trees_fresh(signer->trees) ? sk_trees_begin(signer->trees) : 0;
    if (r < 0) {
        said_failed(signer, r);
    } else {
        signer->failed = false;
        tell_serves(signer);
    }
    if (r == -EEXIST) {
        sk_loop_stop(signer->child.loop); /* somebody brought one back: the next signer reads it */
    }
}

static void take(struct signer *signer, struct sk_slice leaves)
{
    int r = sk_trees_add(signer->trees, leaves);
    if (r > 0) {
        say_damaged(signer, "what audit tells does not go on from what is signed");
    }
    if (r) {
        sk_loop_stop(signer->child.loop); /* audit begins anew with the one that comes next */
    }
}

static void sign(struct signer *signer, uint64_t ticket)
{
    int r = sk_trees_sign(signer->trees);
    struct sk_signer_signed done = {.ticket = ticket, .failed = r != 0};
    if (r) {
        said_failed(signer, r);
    } else {
        signer->failed = false;
    }
    if (r == -ESTALE || sk_channel_send(signer->audit, SK_SIGNER_SIGNED, &done, NULL) < 0) {
        sk_loop_stop(signer->child.loop);
    }
}

static void certify(struct signer *signer, const struct sk_signer_erased *m)
{
    int r = sk_trees_certify(signer->trees, m->tenant, m->contract);
    if (r < 0) {
        said_failed(signer, r); /* audit says it again after a start */
    }
}

static void from_audit(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context)
{
    struct signer *signer = context;
    if (code == SK_SIGNER_LEAVES) {
        take(signer, ((const struct sk_signer_leaves *)message)->leaves);
    } else if (code == SK_SIGNER_BEGIN) {
        begin(signer);
    } else if (code == SK_SIGNER_ERASED) {
        certify(signer, message);
    } else if (code == SK_SIGNER_SIGN) {
        sign(signer, ((const struct sk_signer_sign *)message)->ticket);
    }
}

static void audit_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct signer *signer = context;
    sk_log(bad ? SK_EVENT_PEER_BAD : SK_EVENT_PEER_ENDED, SK_TEXT("peer", "audit"));
    signer->audit = sk_channel_free(channel);
    if (signer->child.stopping) {
        sk_loop_stop(signer->child.loop);
    }
}

static void tell_stand(void *context, const uint8_t tenant[SK_ID_SIZE], uint64_t size, const uint8_t root[SK_TREE_HASH])
{
    struct signer *signer = context;
    struct sk_signer_stands m = {.size = size, .root = sk_slice(root, SK_TREE_HASH)};
    memcpy(m.tenant, tenant, SK_ID_SIZE);
    if (sk_channel_send(signer->audit, SK_SIGNER_STANDS, &m, NULL) < 0) {
        sk_loop_stop(signer->child.loop);
    }
}

static int on_hello(struct sk_child *child, const struct sk_control_hello *hello)
{
    struct signer *signer = child->context;
    if (hello->folder.len >= sizeof(signer->folder) || hello->secret.len != sizeof(signer->secret)) {
        return -EINVAL;
    }
    memcpy(signer->folder, hello->folder.data, hello->folder.len);
    memcpy(signer->node, hello->node, SK_ID_SIZE);
    memcpy(signer->secret, hello->secret.data, sizeof(signer->secret));
    return 0;
}

/* In the sandbox: the file is this account's. False: it cannot be used, and the program ends. */
static bool open_trees(struct signer *signer)
{
    char why[200] = "";
    signer->trees = sk_trees_free(signer->trees);
    int r = sk_trees_open(signer->folder, signer->node, signer->secret, &signer->trees, why);
    if (r > 0) {
        say_damaged(signer, why);
    } else if (r < 0) {
        said_failed(signer, r);
    }
    if (r) {
        sk_loop_stop(signer->child.loop);
    }
    return r == 0;
}

static void connect_audit(struct signer *signer, int fd)
{
    static const struct sk_channel_handler handler = {&sk_signer_interface, SK_SIGNER_FROM_SIGNER, SK_SIGNER_FROM_AUDIT, from_audit, audit_ended};
    signer->audit = sk_channel_free(signer->audit);
    signer->audit = sk_channel_new(signer->child.loop, fd, &handler, signer);
    if (!signer->audit) {
        sk_loop_stop(signer->child.loop);
        return;
    }
    /* Somebody may have brought another file meanwhile, which goes with the journal. What was told and not signed is told again. */
    if (!open_trees(signer)) {
        return;
    }
    sk_channel_allow(signer->audit, SIZE_MAX); /* as many tenants as there are */
    sk_trees_each(signer->trees, tell_stand, signer);
    tell_serves(signer);
}

/* ---- reader ---- */

static void from_reader(struct sk_channel *channel sk_unused, uint16_t code sk_unused, const void *message, const int *fds sk_unused, void *context)
{
    struct signer *signer = context;
    const struct sk_notes_ask *ask = message;
    struct sk_buf note SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINTS_NOTE);
    struct sk_notes_note m = {.ticket = ask->ticket};
    if (signer->trees && sk_trees_note(signer->trees, ask->tenant, &note) == 0) {
        m.note = sk_buf_peek(&note);
    }
    if (sk_channel_send(signer->reader, SK_NOTES_NOTE, &m, NULL) < 0) {
        signer->reader = sk_channel_free(signer->reader);
    }
}

static void reader_ended(struct sk_channel *channel, bool bad, void *context)
{
    struct signer *signer = context;
    if (bad) {
        sk_log(SK_EVENT_PEER_BAD, SK_TEXT("peer", "reader"));
    }
    signer->reader = sk_channel_free(channel);
}

static void connect_reader(struct signer *signer, int fd)
{
    static const struct sk_channel_handler handler = {&sk_notes_interface, SK_NOTES_FROM_SIGNER, SK_NOTES_FROM_READER, from_reader, reader_ended};
    signer->reader = sk_channel_free(signer->reader);
    signer->reader = sk_channel_new(signer->child.loop, fd, &handler, signer);
}

static void on_told(struct sk_child *child, uint16_t code, const void *message, const int *fds)
{
    struct signer *signer = child->context;
    if (code == SK_CONTROL_LIMITS && !signer->trees) {
        (void)open_trees(signer);
    } else if (code == SK_CONTROL_PEER && ((const struct sk_control_peer *)message)->peer == SK_PEER_READER) {
        connect_reader(signer, fds[0]);
    } else if (code == SK_CONTROL_PEER && signer->trees) {
        connect_audit(signer, fds[0]);
    } else if (code == SK_CONTROL_LOADED && signer->trees) {
        sk_child_ready(child, ((const struct sk_control_loaded *)message)->generation);
    }
}

/* Audit has the rest signed, and ends first. */
static void on_stop(struct sk_child *child)
{
    if (!((struct signer *)child->context)->audit) {
        sk_loop_stop(child->loop);
    }
}

int main(void)
{
    static const struct sk_child_program program = {.name = "signer", .hello = on_hello, .told = on_told, .stop = on_stop};
    static struct signer signer;
    sk_log_init("sekisho-signer");
    int status = sk_child_run(&signer.child, &program, &signer);
    (void)sk_trees_free(signer.trees);
    sk_wipe(signer.secret, sizeof(signer.secret));
    return status;
}
