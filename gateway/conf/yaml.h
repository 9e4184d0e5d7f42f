/* Between conf's own files: loading by schema. */
#pragma once

#include "conf/conf.h"

#include <cyaml/cyaml.h>

extern const cyaml_schema_value_t sk_conf_schema;
extern const cyaml_schema_value_t sk_conf_tenant_schema;

/* 0; 1 refused, with `error` filled; negative. */
int sk_conf_yaml(const char *file, struct sk_slice text, const cyaml_schema_value_t *schema, void **data, struct sk_conf_error *error) sk_nodiscard;
void sk_conf_yaml_free(const cyaml_schema_value_t *schema, void *data);
