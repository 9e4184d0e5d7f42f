/* What the commands that ask a gateway share: options, the question, and how its answer is shown. */
#pragma once

#include "tools/tools.h"

#include <jansson.h>

/* The first options of each such command, in this order. */
enum { SK_API_SERVER, SK_API_USER, SK_API_PASSWORD_FILE, SK_API_CACERT, SK_API_RESOLVE, SK_API_OWN_OPTIONS };

#define SK_API_OPTIONS                                                                                       \
    {"--server", "URL", "the gateway, https://HOST (else SEKISHO_SERVER)", false},                           \
            {"--user", "NAME", "who asks (else SEKISHO_USER)", false},                                       \
            {"--password-file", "FILE", "the password (else SEKISHO_PASSWORD, else it is asked for)", false}, \
            {"--cacert", "FILE", "trust these authorities, instead of the system's", false},                 \
    {                                                                                                        \
        "--resolve", "HOST:PORT:ADDRESS", "find the host at this address", true                              \
    }

struct sk_api_query {
    const char *name, *value; /* without a value it is not sent */
};

struct sk_api_request {
    const char *resource; /* "sessions" */
    const char *which;    /* of a list that is not whole: "the last used " */
    const char *id;       /* below it, or NULL */
    struct sk_api_query query[2];
    const struct sk_api_query *more; /* behind these */
    size_t more_count;
};

/* A column of a table; the last one's name is NULL. `otherwise`: for what is null, or NULL. */
struct sk_api_column {
    const char *name, *title;
    int width;
    const char *otherwise;
};

/* A caller at a gateway, for as many questions as it has. */
struct sk_api;
/* From the options; the password is asked for if it must be. 0, else the command's exit status, with the error said. */
int sk_api_open(const struct sk_tool_values *options, struct sk_api **api) sk_nodiscard;
struct sk_api *sk_api_close(struct sk_api *api);
/* The answer to a GET, the caller's to json_decref. 0, else the exit status, with the error said. `status`: HTTP's, or 0. */
int sk_api_get(struct sk_api *api, const struct sk_api_request *request, json_t **answer, long *status) sk_nodiscard;
/* One line, whatever the server sent: control bytes could move a terminal's cursor. */
void sk_api_print(FILE *out, const char *text, int width);

/* These ask, print the answer or say what is wrong, and return the command's exit status. `form`: of -o. */
int sk_api_list(const struct sk_tool_values *options, const struct sk_tool_values *form, const struct sk_api_request *request, const struct sk_api_column *columns);
int sk_api_end(const struct sk_tool_values *options, const struct sk_api_request *request);
/* Prints that member of what was made. */
int sk_api_make(const struct sk_tool_values *options, const struct sk_api_request *request, const char *name);
