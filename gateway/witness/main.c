/*
 * sekisho-witness: cosigns the checkpoints of gateways, or of any log of C2SP's, on another machine than theirs. Who verifies a trail and wants this
 * witness's word cannot be shown another past than the one that it saw, whoever has come to own the gateway.
 */
#include "witness/serving.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OK = 0, FAILED = 1, USAGE = 2 };

#define LOGS_MOST 256U

struct settings {
    const char *key, *name, *folder, *listen;
    const char *logs[LOGS_MOST];
    size_t logs_count;
    bool make;
};

static int usage(FILE *out, int status)
{
    (void)fputs("Usage: sekisho-witness --make-key --key FILE --name NAME\n"
                "       sekisho-witness --key FILE --name NAME --folder FOLDER --listen ADDRESS:PORT --log KEY...\n"
                "Cosign checkpoints of logs, each only when it goes on from the one that was cosigned before (C2SP tlog-witness).\n\nOptions:\n"
                "  --make-key\n        make the key, in a file that is not there yet, and end\n"
                "  --key FILE\n        the key that cosigns: 32 bytes, for its owner alone\n"
                "  --name NAME\n        the witness's name, such as witness.example.com/1; its public key, which begins with it, is printed at each start\n"
                "  --folder FOLDER\n        where the newest checkpoint of each log is kept: whoever loses it makes a new key, under a new name\n"
                "  --listen ADDRESS:PORT\n        for requests, over HTTP: POST /add-checkpoint\n"
                "  --log KEY\n        a log to cosign, by its public key, as `sekisho journal key` prints a gateway's; may be given many times\n"
                "  --version\n        print the version\n"
                "  --help\n        print this\n\n"
                "Exit status: 0 ended by a signal, 1 it could not begin, 2 wrong usage.\n",
            out);
    return status;
}

static int fail(const char *what, int error)
{
    (void)fprintf(stderr, "sekisho-witness: %s: %s\n", what, error == -EWOULDBLOCK ? "another witness uses it" : strerror(-error));
    return FAILED;
}

static int fail_key(const char *file, int error)
{
    const char *why = error == -EPERM ? "others than its owner may read it: chmod 400" : error == -EINVAL ? "not a key of 32 bytes" : strerror(-error);
    (void)fprintf(stderr, "sekisho-witness: %s: %s\n", file, why);
    return FAILED;
}

static int wrong(const char *what, const char *why)
{
    (void)fprintf(stderr, "sekisho-witness: %s: %s\n", what, why);
    return USAGE;
}

/* The public key, for those who verify. 0 or a status. */
static int print_vkey(const struct sk_note_key *key, const char *name)
{
    struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    int r = key ? sk_note_cosigner(key, sk_slice_str(name), &vkey) : -ENOMEM;
    if (r) {
        return r > 0 ? wrong(name, "a name has no spaces and no '+', and 256 bytes at most") : fail(name, r);
    }
    struct sk_slice text = sk_buf_peek(&vkey);
    return printf("%.*s\n", (int)text.len, text.data) < 0 || fflush(stdout) ? fail("standard output", -errno) : OK;
}

/* Negative: it was said. */
static int listen_on(const char *text)
{
    struct sk_addr addr;
    struct sockaddr_storage to;
    const int on = 1;
    if (sk_addr_parse_port(sk_slice_str(text), &addr)) {
        return -wrong(text, "an address and its port, such as 127.0.0.1:8090 or [::1]:8090");
    }
    socklen_t len = sk_addr_to_sockaddr(&addr, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) || bind(fd, (struct sockaddr *)&to, len) || listen(fd, 128)) {
        int status = fail(text, -errno);
        if (fd >= 0) {
            (void)close(fd);
        }
        return -status;
    }
    return fd;
}

static struct sk_loop *loop;

static void on_end(struct sk_signal *signal sk_unused)
{
    sk_loop_stop(loop);
}

static int serve(const struct witness *witness, int listener)
{
    static struct serving serving;
    static struct sk_signal term, interrupted;
    loop = sk_loop_new();
    if (!loop) {
        return fail("the event loop", -ENOMEM);
    }
    sk_signal_start(&term, loop, SIGTERM, on_end);
    sk_signal_start(&interrupted, loop, SIGINT, on_end);
    serving_begin(&serving, loop, witness, listener);
    sk_log(SK_EVENT_WITNESS_STARTED, SK_TEXT("name", witness->name), SK_NUMBER("logs", witness->logs_count));
    sk_loop_run(loop);
    serving_end(&serving);
    loop = sk_loop_free(loop);
    return OK;
}

static int run(const struct settings *s, struct witness *witness)
{
    const struct sk_sandbox sandbox = {.uid = 0, .folder = s->folder};
    if (!s->folder || !s->listen) {
        return usage(stderr, USAGE);
    }
    witness->folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (witness->folder < 0 || flock(witness->folder, LOCK_EX | LOCK_NB)) {
        return fail(s->folder, -errno); /* two would not see what the other cosigns */
    }
    int listener = listen_on(s->listen);
    if (listener < 0) {
        return -listener;
    }
    int status = print_vkey(witness->key, s->name);
    int r = status ? 0 : sk_sandbox_enter(&sandbox);
    status = status ? status : r < 0 ? fail("the sandbox", r) : serve(witness, listener);
    (void)close(listener);
    (void)close(witness->folder);
    return status;
}

/* 0 or a status. */
static int check(const struct settings *s)
{
    if (!s->key || !s->name || (!s->make && !s->logs_count)) {
        return usage(stderr, USAGE);
    }
    for (size_t i = 0; i < s->logs_count; i++) {
        struct sk_buf same SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
        struct sk_slice vkey = sk_slice_str(s->logs[i]), rest = vkey;
        if (sk_note_vkey_as(vkey, sk_slice_split(&rest, '+'), &same)) {
            return wrong(s->logs[i], "not the public key of a log: NAME+HASH+KEY");
        }
    }
    return OK;
}

/* OK, or a status; FAILED + USAGE: it is done. */
static int read_options(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {{"key", required_argument, NULL, 'k'}, {"name", required_argument, NULL, 'n'}, {"folder", required_argument, NULL, 'f'},
            {"listen", required_argument, NULL, 'l'}, {"log", required_argument, NULL, 'g'}, {"make-key", no_argument, NULL, 'm'}, {"version", no_argument, NULL, 'v'},
            {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'k': s->key = optarg; break;
        case 'n': s->name = optarg; break;
        case 'f': s->folder = optarg; break;
        case 'l': s->listen = optarg; break;
        case 'm': s->make = true; break;
        case 'g':
            if (s->logs_count == LOGS_MOST) {
                return wrong("--log", "256 at most");
            }
            s->logs[s->logs_count++] = optarg;
            break;
        case 'v': (void)puts("sekisho-witness " SEKISHO_VERSION); return FAILED + USAGE;
        case 'h': (void)usage(stdout, OK); return FAILED + USAGE;
        default: return usage(stderr, USAGE);
        }
    }
    return optind < argc ? usage(stderr, USAGE) : check(s);
}

int main(int argc, char **argv)
{
    struct settings s = {.key = NULL};
    uint8_t secret[SK_NOTE_KEY];
    int status = read_options(argc, argv, &s);
    if (status) {
        return status == FAILED + USAGE ? OK : status;
    }
    sk_log_init("sekisho-witness");
    int r = s.make ? witness_make_key(s.key) : 0;
    r = r ? r : witness_read_key(s.key, secret);
    if (r) {
        return fail_key(s.key, r);
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the key is in no core */
    struct witness witness = {.key = sk_note_key_new(secret), .name = s.name, .logs = s.logs, .logs_count = s.logs_count};
    sk_wipe(secret, sizeof(secret));
    status = s.make ? print_vkey(witness.key, s.name) : run(&s, &witness);
    if (s.make && status) {
        (void)unlink(s.key); /* nobody was told of it */
    }
    witness.key = sk_note_key_free(witness.key);
    return status;
}
