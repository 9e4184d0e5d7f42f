/* The SQL that leads to each version of a file's schema, embedded from schema/ at build: operator-N.sql, tenant-N.sql. */
#pragma once

extern const char sk_schema_operator_1[];
extern const char sk_schema_operator_2[];
extern const char sk_schema_tenant_1[];
extern const char sk_schema_tenant_2[];
extern const char sk_schema_tenant_3[];
extern const char sk_schema_tenant_4[];
extern const char sk_schema_tenant_5[];
extern const char sk_schema_tenant_6[];
extern const char sk_schema_tenant_7[];
