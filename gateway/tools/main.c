/*
 * sekisho: the command line. Offline it checks and explains configuration and shows journals; the rest is a client of
 * the gateway's own API, with the caller's rights there and no others.
 */
#include "tools/tools.h"

#include <signal.h>

static const struct sk_tool_command *const commands[] = {&sk_tool_hash_password, &sk_tool_new_key, &sk_tool_config_check, &sk_tool_config_schema,
        &sk_tool_policy_test, &sk_tool_policy_explain, &sk_tool_journal_show, &sk_tool_journal_checkpoints, &sk_tool_journal_key, &sk_tool_session_list, &sk_tool_session_revoke,
        &sk_tool_bans_list, &sk_tool_bans_revoke, &sk_tool_enroll, &sk_tool_reset_password, &sk_tool_authenticators_list, &sk_tool_authenticators_revoke,
        &sk_tool_keys_list, &sk_tool_audit_search, &sk_tool_audit_show, &sk_tool_audit_tail, &sk_tool_audit_stats, &sk_tool_audit_export};

#define OPTIONS_MAX 32

static void print_usage(FILE *out, const struct sk_tool_command *c)
{
    (void)fprintf(out, "%s%s%s%s%s%s", c->group ? c->group : "", c->group ? " " : "", c->name, c->options[0].name ? " [OPTION...]" : "",
            c->operands[0] ? " " : "", c->operands);
}

static int help_all(FILE *out, int status)
{
    (void)fprintf(out, "Usage: sekisho COMMAND\n\nCommands:\n");
    for (size_t i = 0; i < SK_COUNT(commands); i++) {
        (void)fprintf(out, "  ");
        print_usage(out, commands[i]);
        (void)fprintf(out, "\n        %s\n", commands[i]->help);
    }
    (void)fprintf(out, "\nEach command has --help. --version prints the version. Exit status: 0 yes, 1 no or failed, 2 wrong usage.\n");
    return status;
}

static int help_one(const struct sk_tool_command *c)
{
    (void)printf("Usage: sekisho ");
    print_usage(stdout, c);
    (void)printf("\n%s\n\nOptions:\n", c->help);
    for (const struct sk_tool_option *o = c->options; o->name; o++) {
        (void)printf("  %s%s%s\n        %s%s\n", o->name, o->argument ? " " : "", o->argument ? o->argument : "", o->help,
                o->many ? " (may be repeated)" : "");
    }
    (void)printf("  --help\n        print this\n");
    return SK_TOOL_OK;
}

/* Index of an option in the table, or -1. "--name=value" sets `value`. */
static int find_option(const struct sk_tool_command *c, const char *word, const char **value)
{
    struct sk_slice text = sk_slice_str(word);
    size_t equals = sk_slice_starts(text, SK_LIT("--")) ? sk_slice_find(text, '=') : text.len;
    *value = equals < text.len ? word + equals + 1 : NULL;
    for (int i = 0; c->options[i].name; i++) {
        if (sk_slice_eq(sk_slice_cut(text, equals), sk_slice_str(c->options[i].name))) {
            return i;
        }
    }
    return -1;
}

static int add_value(struct sk_tool_values *values, unsigned most, const char *value, const char *what)
{
    if (values->count == most) {
        return sk_tool_usage(what, most == 1 ? "given more than once" : "too many");
    }
    values->values[values->count++] = value;
    return 0;
}

static int read_option(const struct sk_tool_command *c, char **words, int count, int *at, struct sk_tool_values *options)
{
    const char *word = words[*at], *value;
    int i = find_option(c, word, &value);
    if (i < 0 || (!c->options[i].argument && value)) {
        return sk_tool_usage(word, "unknown option");
    }
    if (c->options[i].argument && !value) {
        if (*at + 1 == count) {
            return sk_tool_usage(word, "a value is missing");
        }
        value = words[++*at];
    }
    return add_value(&options[i], c->options[i].many ? SK_TOOL_VALUES : 1, value ? value : "", word);
}

static int run(const struct sk_tool_command *c, char **words, int count)
{
    static struct sk_tool_values options[OPTIONS_MAX], operands;
    bool only_operands = false;
    for (int i = 0; i < count; i++) {
        bool option = !only_operands && words[i][0] == '-' && words[i][1] != '\0';
        int r = 0;
        if (option && strcmp(words[i], "--help") == 0) {
            return help_one(c);
        }
        if (option && strcmp(words[i], "--") == 0) {
            only_operands = true;
        } else if (option) {
            r = read_option(c, words, count, &i, options);
        } else {
            r = add_value(&operands, SK_TOOL_VALUES, words[i], words[i]);
        }
        if (r) {
            return r;
        }
    }
    if (operands.count < c->least) {
        return sk_tool_usage(c->operands, "missing");
    }
    if (operands.count > c->most) {
        return sk_tool_usage(operands.values[c->most], "too much");
    }
    return c->run(&operands, options);
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        return help_all(stderr, SK_TOOL_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        return help_all(stdout, SK_TOOL_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("sekisho %s\n", SEKISHO_VERSION);
        return SK_TOOL_OK;
    }
    bool group = false;
    for (size_t i = 0; i < SK_COUNT(commands); i++) {
        const struct sk_tool_command *c = commands[i];
        if (!c->group && strcmp(c->name, argv[1]) == 0) {
            return run(c, argv + 2, argc - 2);
        }
        if (c->group && strcmp(c->group, argv[1]) == 0) {
            group = true;
            if (argc > 2 && strcmp(c->name, argv[2]) == 0) {
                return run(c, argv + 3, argc - 3);
            }
        }
    }
    if (group && argc > 2 && strcmp(argv[2], "--help") == 0) {
        return help_all(stdout, SK_TOOL_OK);
    }
    return sk_tool_usage(group && argc > 2 ? argv[2] : argv[1], group ? "no such command in this group" : "no such command");
}
