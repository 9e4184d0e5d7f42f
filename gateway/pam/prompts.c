/* Prompts and answers as text. Pure; runs in the PAM helpers. */
#include "pam/prompts.h"

#include "base/text.h"

/* One line in its safe form. 0, or 1 when it does not fit. */
static int put_line(struct sk_buf *out, char kind, struct sk_slice text)
{
    char line[SK_PROMPTS_LINE];
    size_t len = 0;
    line[len++] = kind;
    while (text.len && len + 5 <= sizeof(line)) {
        unsigned char c = (unsigned char)text.data[0];
        size_t bytes = sk_utf8_len(text);
        if (c < 0x20 || c == 0x7f || bytes == 0) {
            line[len++] = bytes ? ' ' : '?';
            text = sk_slice_from(text, 1);
        } else {
            memcpy(line + len, text.data, bytes);
            len += bytes;
            text = sk_slice_from(text, bytes);
        }
    }
    line[len++] = '\n';
    return sk_buf_put(out, sk_slice(line, len)) ? 1 : 0;
}

static void put_note(struct sk_buf *out, char kind, struct sk_slice line)
{
    line = sk_slice_trim(line);
    if (line.len && sk_buf_len(out) + SK_PROMPTS_LINE <= SK_PROMPTS_NOTES) {
        (void)put_line(out, kind, line);
    }
}

void sk_prompts_note(struct sk_buf *out, char kind, const char *text)
{
    struct sk_slice rest = sk_slice_str(text);
    while (rest.len) {
        put_note(out, kind, sk_slice_split(&rest, '\n'));
    }
}

int sk_prompts_ask(struct sk_buf *out, char kind, const char *text)
{
    struct sk_slice rest = sk_slice_str(text);
    while (rest.len && rest.data[rest.len - 1] == '\n') {
        rest.len--;
    }
    struct sk_slice line = sk_slice_split(&rest, '\n');
    while (rest.len) {
        put_note(out, 'i', line);
        line = sk_slice_split(&rest, '\n');
    }
    return put_line(out, kind, sk_slice_trim(line));
}

/* The last answer may end in a newline or not. */
int sk_prompts_answers(struct sk_slice text, struct sk_slice *answers, size_t count)
{
    size_t newlines = 0;
    for (size_t i = 0; i < text.len; i++) {
        newlines += text.data[i] == '\n';
    }
    bool ended = newlines == count && text.data[text.len - 1] == '\n';
    if (count == 0 || (newlines + 1 != count && !ended) || sk_slice_find(text, '\0') < text.len) {
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        answers[i] = sk_slice_split(&text, '\n');
    }
    return 0;
}
