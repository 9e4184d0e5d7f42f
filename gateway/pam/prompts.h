/*
 * The text form in which prompts go to auth and answers come back (ipc/pam.h). Modules write what they like: control
 * bytes become spaces, what is not UTF-8 becomes '?', a text of several lines becomes several lines of information,
 * and every line and the whole are bounded.
 */
#pragma once

#include "base/buf.h"

#define SK_PROMPTS_TEXT ((size_t)4096) /* of a message; as in ipc/pam.h */
#define SK_PROMPTS_LINE ((size_t)512)
#define SK_PROMPTS_NOTES ((size_t)2048) /* information, so that it never crowds out a prompt */

/* Puts information ('i') or an error ('e'). What does not fit is left out. */
void sk_prompts_note(struct sk_buf *out, char kind, const char *text);
/* Puts a prompt, 'h' or 'v', with what stands before its last line as information. 0, or 1 when it does not fit. */
int sk_prompts_ask(struct sk_buf *out, char kind, const char *text) sk_nodiscard;

/* Splits `text` into exactly `count` answers, which borrow. 0, or 1 when there are more or fewer, or one holds a NUL. */
int sk_prompts_answers(struct sk_slice text, struct sk_slice *answers, size_t count) sk_nodiscard;
