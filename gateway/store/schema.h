/* The SQL of the current schema, embedded from schema/ at build. */
#pragma once

extern const char sk_schema_operator[];
extern const char sk_schema_tenant[];
