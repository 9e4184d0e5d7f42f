/* What the commands that ask a gateway share: options, the question, and how its answer is shown. */
#pragma once

#include "tools/tools.h"

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
};

/* A column of a table; the last one's name is NULL. `otherwise`: for what is null, or NULL. */
struct sk_api_column {
    const char *name, *title;
    int width;
    const char *otherwise;
};

/* These ask, print the answer or say what is wrong, and return the command's exit status. `form`: of -o. */
int sk_api_list(const struct sk_tool_values *options, const struct sk_tool_values *form, const struct sk_api_request *request, const struct sk_api_column *columns);
int sk_api_end(const struct sk_tool_values *options, const struct sk_api_request *request);
/* Prints that member of what was made. */
int sk_api_make(const struct sk_tool_values *options, const struct sk_api_request *request, const char *name);
