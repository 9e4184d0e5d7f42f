/* sekisho bans list and bans revoke. */
#include "tools/api.h"

enum { OF = SK_API_OWN_OPTIONS, OUTPUT, NETWORK = OUTPUT };

static int run_list(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    static const struct sk_api_column columns[] = {{"user", "USER", 16, "any"}, {"network", "NETWORK", 24, "-"},
            {"until", "UNTIL", 25, "it is revoked"}, {"scope", "SCOPE", 0, NULL}, {NULL}};
    const struct sk_api_request request = {.resource = "bans", .which = "", .query = {{"user", sk_tool_value(&options[OF], NULL)}}};
    return sk_api_list(options, &options[OUTPUT], &request, columns);
}

static int run_revoke(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    const char *user = sk_tool_value(&options[OF], NULL), *network = sk_tool_value(&options[NETWORK], NULL);
    const struct sk_api_request request = {.resource = "bans", .query = {{"user", user}, {"network", network}}};
    bool nothing = (!user && !network) || (user && !user[0]) || (network && !network[0]);
    return nothing ? sk_tool_usage("bans revoke", "give --of NAME, --network ADDRESS, or both") : sk_api_end(options, &request);
}

static const struct sk_tool_option list_options[] = {SK_API_OPTIONS, {"--of", "NAME", "the bans of this user alone", false},
        {"-o", "FORM", "table (default) or json", false}, {NULL}};
static const struct sk_tool_option revoke_options[] = {SK_API_OPTIONS, {"--of", "NAME", "those of this user", false},
        {"--network", "ADDRESS", "those of this address, or of its /64 if it is IPv6, and of what is around it; or of a whole /24 or /48", false}, {NULL}};

const struct sk_tool_command sk_tool_bans_list = {.group = "bans",
        .name = "list",
        .operands = "",
        .help = "List who may not try a password at present, after too many wrong ones.",
        .options = list_options,
        .run = run_list};

const struct sk_tool_command sk_tool_bans_revoke = {.group = "bans",
        .name = "revoke",
        .operands = "",
        .help = "End bans of a user, of a network, or of a user from a network; its counts begin anew.",
        .options = revoke_options,
        .run = run_revoke};
