/* Tenant files for the commands: one loaded and compiled, and the walk over a folder of them. */
#pragma once

#include "base/buf.h"
#include "conf/conf.h"

struct sk_tenant_file {
    char path[4096];
    struct sk_buf text;
    struct sk_conf_tenant *tenant;
};

/* "file:line: what" on standard error. */
void sk_tenant_complain(const struct sk_conf_error *error);

/* 0, or 1 with the error said. The file is freed by sk_tenant_file_free in either case. */
int sk_tenant_file_load(struct sk_tenant_file *file, const char *path) sk_nodiscard;
void sk_tenant_file_free(struct sk_tenant_file *file);
/* Compiles the tenant's policy alone into `image` and opens it. 0, or 1 with the error said. */
int sk_tenant_policy(const struct sk_tenant_file *file, struct sk_buf *image, struct sk_policy *policy) sk_nodiscard;

/*
 * The paths of a folder's tenant files, "*.yaml" by name; hidden files are none. `paths` is for sk_tenant_paths_free.
 * 0, or negative.
 */
int sk_tenant_paths(const char *folder, char ***paths, size_t *count) sk_nodiscard;
char **sk_tenant_paths_free(char **paths, size_t count);
