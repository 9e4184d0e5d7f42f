/* The product log. Any program. */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <unistd.h>

#define LINE_SIZE ((size_t)8192)

static const char *program = "sekisho";

static const struct {
    const char *id, *level, *text;
} catalog[] = {
#define X(name, id, level, text, help) {id, #level, text},
        SK_EVENTS(X)
#undef X
};

void sk_log_init(const char *name)
{
    program = name;
}

/* Leaves out a field that does not fit, whole, and all behind it. */
static int put_fields(struct sk_buf *line, const struct sk_log_field *fields)
{
    for (; fields->name; fields++) {
        size_t before = line->end;
        int r = sk_buf_printf(line, ",\"%s\":", fields->name);
        if (r == 0 && fields->text.data) {
            r = sk_json_put_string(line, fields->text);
        } else if (r == 0) {
            r = sk_buf_printf(line, "%lld", (long long)fields->number);
        }
        if (r) {
            line->end = before;
            return r;
        }
    }
    return 0;
}

void sk_log_write(enum sk_event event, const struct sk_log_field *fields)
{
    struct sk_buf line = SK_BUF_INIT(LINE_SIZE);
    char time[32];
    sk_time_text(sk_clock_wall(), time);
    int r = sk_buf_printf(&line,
            "{\"id\":\"%s\",\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d,\"text\":\"%s\"",
            catalog[event].id, time, catalog[event].level, program, (int)getpid(), catalog[event].text);
    if (r == 0) {
        bool cut = put_fields(&line, fields) != 0;
        line.limit += 32;
        r = sk_buf_put(&line, cut ? SK_LIT(",\"cut\":true}\n") : SK_LIT("}\n"));
    }
    if (r == 0) {
        struct sk_slice text = sk_buf_peek(&line);
        ssize_t n = write(STDERR_FILENO, text.data, text.len);
        (void)n;
    }
    sk_buf_free(&line);
}
