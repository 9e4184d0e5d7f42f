/* sekisho authenticators list and revoke; sekisho enroll and reset-password, which make links. */
#include "tools/api.h"

enum { OUTPUT = SK_API_OWN_OPTIONS };

static int run_list(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    static const struct sk_api_column columns[] = {{"id", "ID", 33, NULL}, {"created", "CREATED", 25, NULL}, {"used", "USED", 25, "never"},
            {"format", "ATTESTATION", 12, NULL}, {"name", "NAME", 0, NULL}, {NULL}};
    const struct sk_api_request request = {.resource = "authenticators", .which = "", .query = {{"user", operands->values[0]}}};
    return sk_api_list(options, &options[OUTPUT], &request, columns);
}

static int run_revoke(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    const struct sk_api_request request = {.resource = "authenticators",
            .id = operands->count > 1 ? operands->values[1] : NULL,
            .query = {{"user", operands->values[0]}}};
    return sk_api_end(options, &request);
}

static int run_enroll(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    const struct sk_api_request request = {.resource = "links", .query = {{"user", operands->values[0]}}};
    return sk_api_make(options, &request, "url");
}

static int run_reset(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    const struct sk_api_request request = {.resource = "links", .query = {{"user", operands->values[0]}, {"for", "password"}}};
    return sk_api_make(options, &request, "url");
}

static const struct sk_tool_option list_options[] = {SK_API_OPTIONS, {"-o", "FORM", "table (default) or json", false}, {NULL}};
static const struct sk_tool_option options[] = {SK_API_OPTIONS, {NULL}};

const struct sk_tool_command sk_tool_authenticators_list = {.group = "authenticators",
        .name = "list",
        .operands = "NAME",
        .least = 1,
        .most = 1,
        .help = "List the passkeys and security keys of a user.",
        .options = list_options,
        .run = run_list};

const struct sk_tool_command sk_tool_authenticators_revoke = {.group = "authenticators",
        .name = "revoke",
        .operands = "NAME [ID]",
        .least = 1,
        .most = 2,
        .help = "Remove one of a user, or all and recovery codes; the user's sessions end.",
        .options = options,
        .run = run_revoke};

const struct sk_tool_command sk_tool_enroll = {.name = "enroll",
        .operands = "NAME",
        .least = 1,
        .most = 1,
        .help = "Make a link by which a user registers a first passkey, once, within a day.",
        .options = options,
        .run = run_enroll};

const struct sk_tool_command sk_tool_reset_password = {.name = "reset-password",
        .operands = "NAME",
        .least = 1,
        .most = 1,
        .help = "Make a link by which a user sets a new password, once, within a day.",
        .options = options,
        .run = run_reset};
