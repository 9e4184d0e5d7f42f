/* Between conf's own files: loading by schema. */
#pragma once

#include "conf/conf.h"

#include <cyaml/cyaml.h>

#define SK_CONF_FILE_MAX ((size_t)16 << 20)

/* A file that is read, and where its first mistake is put. */
struct sk_conf_loading {
    const char *file;
    struct sk_slice text;
    struct sk_conf_error *error;
};

/* Has it 1 to 64 bytes, none of them a control byte? */
bool sk_conf_name_ok(const char *name);
/* 0; 1 refused. */
int sk_conf_feeds(const struct sk_conf_loading *l, const struct sk_conf *conf) sk_nodiscard;

extern const cyaml_schema_value_t sk_conf_schema;
extern const cyaml_schema_value_t sk_conf_tenant_schema;

/* 0; 1 refused, with `error` filled; negative. */
int sk_conf_yaml(const char *file, struct sk_slice text, const cyaml_schema_value_t *schema, void **data, struct sk_conf_error *error) sk_nodiscard;
void sk_conf_yaml_free(const cyaml_schema_value_t *schema, void *data);
