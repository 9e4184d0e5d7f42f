/* Errors, passwords and output of the commands. */
#include "tools/tools.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX ((size_t)1024)

int sk_tool_fail(const char *what, const char *why, const char *todo)
{
    (void)fprintf(stderr, "sekisho: %s: %s%s%s\n", what, why, todo ? "; " : "", todo ? todo : "");
    return SK_TOOL_FAILED;
}

int sk_tool_usage(const char *what, const char *why)
{
    (void)sk_tool_fail(what, why, "see sekisho --help");
    return SK_TOOL_USAGE;
}

int sk_tool_wants_json(const struct sk_tool_values *option)
{
    const char *form = sk_tool_value(option, "table");
    if (strcmp(form, "json") != 0 && strcmp(form, "table") != 0) {
        (void)sk_tool_usage("-o", "the output is json or table");
        return -1;
    }
    return strcmp(form, "json") == 0;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* One line without its newline. 0; 1 at the end, when it is too long, or at a signal. */
static int read_line(int fd, char out[1025], size_t *len)
{
    *len = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR && !interrupted) {
            continue;
        }
        if (n <= 0 || c == '\n') {
            out[*len] = '\0';
            return n < 0 || (n == 0 && *len == 0);
        }
        if (*len == PASSWORD_MAX) {
            return 1;
        }
        out[(*len)++] = c;
    }
}

/* Without echo, and with the terminal as it was whatever ends it. */
static int ask_terminal(int tty, const char *prompt, char out[1025], size_t *len)
{
    struct termios before, silent;
    struct sigaction catch = {.sa_handler = on_signal}, old[2];
    if (tcgetattr(tty, &before)) {
        return 1;
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigaction(SIGINT, &catch, &old[0]);
    (void)sigaction(SIGTERM, &catch, &old[1]);
    (void)tcsetattr(tty, TCSAFLUSH, &silent);
    (void)dprintf(tty, "%s: ", prompt);
    int r = read_line(tty, out, len);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)dprintf(tty, "\n");
    (void)sigaction(SIGINT, &old[0], NULL);
    (void)sigaction(SIGTERM, &old[1], NULL);
    if (interrupted) {
        sk_wipe(out, PASSWORD_MAX);
        (void)raise(interrupted);
    }
    return r;
}

static int ask_times(int tty, const char *prompt, int times, char out[1025], size_t *len)
{
    char again[1025];
    size_t again_len;
    int r = ask_terminal(tty, prompt, out, len);
    for (int i = 1; r == 0 && i < times; i++) {
        r = ask_terminal(tty, "Again", again, &again_len);
        if (r == 0 && !sk_slice_eq(sk_slice(out, *len), sk_slice(again, again_len))) {
            r = sk_tool_fail("password", "the two differ", "type it again");
        }
        sk_wipe(again, sizeof(again));
    }
    return r;
}

/* Whatever types or sends the password later must be able to send the same bytes. */
static int check_text(struct sk_slice text)
{
    while (text.len) {
        size_t bytes = sk_utf8_len(text);
        if (bytes == 0) {
            return sk_tool_fail("password", "it is not UTF-8", NULL);
        }
        if ((unsigned char)text.data[0] < 0x20 || text.data[0] == 0x7f) {
            return sk_tool_fail("password", "it holds a control character", "a login page cannot send one");
        }
        text = sk_slice_from(text, bytes);
    }
    return 0;
}

int sk_tool_password(const char *prompt, int times, char out[1025], size_t *len)
{
    int r;
    *len = 0;
    if (isatty(STDIN_FILENO)) {
        int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
        r = ask_times(tty >= 0 ? tty : STDIN_FILENO, prompt, times, out, len);
        if (tty >= 0) {
            (void)close(tty);
        }
    } else {
        r = read_line(STDIN_FILENO, out, len);
        r = r ? sk_tool_fail("password", "standard input holds no line of at most 1024 bytes", NULL) : 0;
    }
    r = r ? r : check_text(sk_slice(out, *len));
    if (r) {
        sk_wipe(out, PASSWORD_MAX + 1);
    }
    return r ? 1 : 0;
}

int sk_tool_print(struct sk_buf *buf)
{
    struct sk_slice text = sk_buf_peek(buf);
    bool bad = fwrite(text.data ? text.data : "", 1, text.len, stdout) != text.len;
    sk_buf_take(buf, text.len);
    if (bad && errno != EPIPE) {
        return sk_tool_fail("standard output", strerror(errno), NULL);
    }
    return bad ? 1 : 0;
}
