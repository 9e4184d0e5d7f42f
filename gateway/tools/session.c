/* sekisho session list and session revoke. */
#include "tools/api.h"

enum { OF = SK_API_OWN_OPTIONS, OUTPUT };

static int run_list(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    static const struct sk_api_column columns[] = {{"subject", "USER", 16, NULL}, {"address", "ADDRESS", 16, NULL},
            {"started", "STARTED", 25, NULL}, {"used", "USED", 25, NULL}, {"id", "ID", 0, NULL}, {NULL}};
    const struct sk_api_request request = {.resource = "sessions", .which = "the last used ", .query = {{"user", sk_tool_value(&options[OF], NULL)}}};
    return sk_api_list(options, &options[OUTPUT], &request, columns);
}

static int run_revoke(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    if (operands->count == options[OF].count) {
        return sk_tool_usage("session revoke", "give the id of one session, or --of NAME for all of a user");
    }
    if (operands->count && !operands->values[0][0]) {
        return sk_tool_usage("session revoke", "the id is empty");
    }
    const struct sk_api_request request = {.resource = "sessions", .id = sk_tool_value(operands, NULL),
            .query = {{"user", sk_tool_value(&options[OF], NULL)}}};
    return sk_api_end(options, &request);
}

static const struct sk_tool_option list_options[] = {SK_API_OPTIONS, {"--of", "NAME", "the sessions of this user alone", false},
        {"-o", "FORM", "table (default) or json", false}, {NULL}};
static const struct sk_tool_option revoke_options[] = {SK_API_OPTIONS, {"--of", "NAME", "all sessions of this user", false}, {NULL}};

const struct sk_tool_command sk_tool_session_list = {.group = "session",
        .name = "list",
        .operands = "",
        .help = "List the sessions of the server's tenant.",
        .options = list_options,
        .run = run_list};

const struct sk_tool_command sk_tool_session_revoke = {.group = "session",
        .name = "revoke",
        .operands = "[ID]",
        .most = 1,
        .help = "End one session by its id, or all of a user; open streams are cut.",
        .options = revoke_options,
        .run = run_revoke};
