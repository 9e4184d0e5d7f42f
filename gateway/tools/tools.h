/*
 * What the commands of `sekisho` share: the table of commands, reading options from one table per command (which is
 * the help, too), and errors in one form. Every command runs as the caller, alone in its process.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#include <stdio.h>

/* Exit statuses: the answer is yes; it is no, or something is wrong; the command line is. */
enum { SK_TOOL_OK = 0, SK_TOOL_FAILED = 1, SK_TOOL_USAGE = 2 };

#define SK_TOOL_VALUES 64 /* most values of an option, and most operands */

struct sk_tool_values {
    const char *values[SK_TOOL_VALUES];
    unsigned count;
};

struct sk_tool_option {
    const char *name;     /* "--server" */
    const char *argument; /* "URL", or NULL for a flag */
    const char *help;
    bool many; /* may be given more than once */
};

struct sk_tool_command {
    const char *group, *name; /* "policy", "explain"; a command alone has no group */
    const char *operands;     /* "FILE..." */
    unsigned least, most;     /* of operands */
    const char *help;
    const struct sk_tool_option *options; /* ends with a NULL name */
    /* `options` has one entry for each of the table, in its order. */
    int (*run)(const struct sk_tool_values *operands, const struct sk_tool_values *options);
};

extern const struct sk_tool_command sk_tool_hash_password, sk_tool_new_key, sk_tool_config_check, sk_tool_config_schema, sk_tool_policy_test,
        sk_tool_policy_explain, sk_tool_journal_show, sk_tool_journal_checkpoints, sk_tool_journal_key, sk_tool_session_list, sk_tool_session_revoke, sk_tool_bans_list,
        sk_tool_bans_revoke, sk_tool_authenticators_list, sk_tool_authenticators_revoke, sk_tool_enroll, sk_tool_reset_password, sk_tool_keys_list, sk_tool_audit_search, sk_tool_audit_show, sk_tool_audit_tail, sk_tool_audit_stats, sk_tool_audit_export;

/* "sekisho: what: why; what to do" on standard error. `todo` may be NULL. Returns SK_TOOL_FAILED. */
int sk_tool_fail(const char *what, const char *why, const char *todo);
/* The same for a command line: SK_TOOL_USAGE. */
int sk_tool_usage(const char *what, const char *why);

static inline const char *sk_tool_value(const struct sk_tool_values *option, const char *otherwise)
{
    return option->count ? option->values[0] : otherwise;
}

/* `-o json`: 1, table or nothing: 0, else -1 with the error said. */
int sk_tool_wants_json(const struct sk_tool_values *option) sk_nodiscard;

/*
 * A password: from the terminal without echo, asked `times` times, else one line of standard input. At most
 * 1024 bytes of UTF-8 without control characters; `out` holds 1025, the caller wipes it. 0, or 1 with the error said.
 */
int sk_tool_password(const char *prompt, int times, char out[1025], size_t *len) sk_nodiscard;
/* Writes what `buf` holds to standard output. 0, or 1 with the error said (a closed pipe says nothing). */
struct sk_buf;
int sk_tool_print(struct sk_buf *buf) sk_nodiscard;
