/* sekisho new-key: a key for a program, and its entry for a tenant file; the key itself is kept nowhere. sekisho keys list: when each was last used. */
#include "tools/api.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"

#define YEAR (UINT64_C(365) * 24 * 3600 * SK_SECOND)

/* As the tenant file takes it: gateway/conf/load.c. */
static bool name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 64 && name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0';
}

static int run(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    const char *name = operands->values[0], *until = sk_tool_value(&options[0], NULL);
    uint64_t now = sk_clock_wall(), expires = (now + YEAR) / SK_SECOND * SK_SECOND;
    if (!name_ok(name)) {
        return sk_tool_usage(name, "a program's name has 1 to 64 letters, digits, '.' and '-'");
    }
    if (until && (sk_time_parse(sk_slice_str(until), &expires) || expires <= now)) {
        return sk_tool_usage(until, "--expires is a time to come, such as 2027-03-31 or 2027-03-31T09:00:00Z");
    }
    uint8_t random[32], hash[SK_SHA256_SIZE];
    char secret[SK_BASE64_SIZE(32)], hex[2 * SK_SHA256_SIZE + 1], time[32];
    sk_random(random, sizeof(random));
    size_t len = sk_base64url_encode(sk_slice(random, sizeof(random)), secret);
    sk_digest_sha256(sk_slice(secret, len), hash);
    sk_hex_encode(hash, sizeof(hash), hex);
    sk_time_text(expires, time);
    int r = printf("sekisho_%s_%.*s\n- {sha256: %s, expires: \"%.19sZ\"}\n", name, (int)len, secret, hex, time) < 0 || fflush(stdout);
    sk_wipe(random, sizeof(random));
    sk_wipe(secret, sizeof(secret));
    return r ? sk_tool_fail("standard output", "cannot be written", NULL) : SK_TOOL_OK;
}

static const struct sk_tool_option options[] = {
        {"--expires", "TIME", "when it ends, such as 2027-03-31 or 2027-03-31T09:00:00Z (else in a year)", false}, {NULL}};

const struct sk_tool_command sk_tool_new_key = {.name = "new-key",
        .operands = "NAME",
        .least = 1,
        .most = 1,
        .help = "Make a key for a program: the key on the first line, shown this once, and its entry for `keys` of the tenant file.",
        .options = options,
        .run = run};

/* ---- listed ---- */

enum { OF = SK_API_OWN_OPTIONS, OUTPUT };

static int run_list(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *list)
{
    static const struct sk_api_column columns[] = {{"user", "USER", 16, NULL}, {"used", "USED", 25, "never"}, {"expires", "EXPIRES", 25, NULL},
            {"sha256", "SHA256", 0, NULL}, {NULL}};
    const struct sk_api_request request = {.resource = "keys", .which = "", .query = {{"user", sk_tool_value(&list[OF], NULL)}}};
    return sk_api_list(list, &list[OUTPUT], &request, columns);
}

static const struct sk_tool_option list_options[] = {SK_API_OPTIONS, {"--of", "NAME", "the keys of this program alone", false},
        {"-o", "FORM", "table (default) or json", false}, {NULL}};

const struct sk_tool_command sk_tool_keys_list = {.group = "keys",
        .name = "list",
        .operands = "",
        .help = "List the keys of the server's tenant, and when each was last used.",
        .options = list_options,
        .run = run_list};
