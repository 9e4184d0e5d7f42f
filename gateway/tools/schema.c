/* sekisho config schema: the JSON Schema of the configuration, for editors and for whoever writes files by program. */
#include "tools/tools.h"

#include "conf/conf.h"

#include <errno.h>
#include <jansson.h>

#define SCHEMA_MAX ((size_t)1 << 20)

static int run(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SCHEMA_MAX);
    int r = sk_conf_json_schema(options[0].count != 0, &text);
    json_t *schema = r ? NULL : json_loadb(sk_buf_peek(&text).data, sk_buf_len(&text), 0, NULL);
    if (!schema) {
        return sk_tool_fail("config schema", strerror(r ? -r : EINVAL), NULL);
    }
    bool bad = json_dumpf(schema, stdout, JSON_INDENT(2)) || putchar('\n') == EOF || fflush(stdout);
    json_decref(schema);
    if (bad && errno != EPIPE) {
        return sk_tool_fail("standard output", strerror(errno), NULL);
    }
    return bad ? SK_TOOL_FAILED : SK_TOOL_OK;
}

static const struct sk_tool_option options[] = {{"--tenant", NULL, "of a tenant file, instead of sekisho.yaml", false}, {NULL}};

const struct sk_tool_command sk_tool_config_schema = {.group = "config",
        .name = "schema",
        .operands = "",
        .help = "Print the JSON Schema of sekisho.yaml, for editors and programs.",
        .options = options,
        .run = run};
