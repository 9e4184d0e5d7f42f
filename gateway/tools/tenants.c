/* Loading tenant files in the tools. */
#include "tools/tenants.h"

#include "tools/tools.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#define IMAGE_MAX ((size_t)64 << 20)
#define TEXT_MAX ((size_t)32 << 20)

void sk_tenant_complain(const struct sk_conf_error *error)
{
    if (error->line) {
        (void)fprintf(stderr, "%s:%u: %s\n", error->file, error->line, error->text);
    } else {
        (void)fprintf(stderr, "%s: %s\n", error->file, error->text);
    }
}

int sk_tenant_file_load(struct sk_tenant_file *file, const char *path)
{
    struct sk_conf_error error;
    *file = (struct sk_tenant_file){.text = SK_BUF_INIT(TEXT_MAX)};
    if ((size_t)snprintf(file->path, sizeof(file->path), "%s", path) >= sizeof(file->path)) {
        return sk_tool_fail(path, strerror(ENAMETOOLONG), NULL);
    }
    int r = sk_conf_read_file(path, &file->text);
    if (r < 0) {
        return sk_tool_fail(path, strerror(-r), NULL);
    }
    r = sk_conf_tenant_load(file->path, sk_buf_peek(&file->text), &file->tenant, &error);
    if (r == 1) {
        sk_tenant_complain(&error);
    }
    return r < 0 ? sk_tool_fail(path, strerror(-r), NULL) : r;
}

void sk_tenant_file_free(struct sk_tenant_file *file)
{
    file->tenant = sk_conf_tenant_free(file->tenant);
    sk_buf_free(&file->text);
}

int sk_tenant_policy(const struct sk_tenant_file *file, struct sk_buf *image, struct sk_policy *policy)
{
    struct sk_policy_app_source *apps = calloc(file->tenant->apps_count + 1U, sizeof(*apps));
    struct sk_policy_source source;
    struct sk_policy_error why;
    struct sk_conf_error error;
    *image = SK_BUF_INIT(IMAGE_MAX);
    if (!apps) {
        return sk_tool_fail(file->path, strerror(ENOMEM), NULL);
    }
    sk_conf_policy(file->tenant, apps, &source);
    int r = sk_policy_compile(&source, image, &why);
    free(apps);
    if (r == 1) {
        (void)sk_conf_refuse(&error, file->path, sk_buf_peek(&file->text), why.path, "%s", why.text);
        sk_tenant_complain(&error);
        return 1;
    }
    r = r ? r : sk_policy_open(policy, sk_buf_peek(image));
    return r ? sk_tool_fail(file->path, "its policy cannot be compiled", NULL) : 0;
}

static int is_tenant_file(const struct dirent *entry)
{
    struct sk_slice name = sk_slice_str(entry->d_name);
    return name.len > 5 && name.data[0] != '.' && strcmp(entry->d_name + name.len - 5, ".yaml") == 0;
}

int sk_tenant_paths(const char *folder, char ***out, size_t *count)
{
    struct dirent **entries;
    *out = NULL;
    *count = 0;
    int found = scandir(folder, &entries, is_tenant_file, alphasort);
    if (found < 0) {
        return -errno;
    }
    char **paths = calloc((size_t)found + 1, sizeof(*paths));
    int r = paths ? 0 : -ENOMEM;
    for (int i = 0; i < found; i++) {
        if (r == 0 && asprintf(&paths[*count], "%s/%s", folder, entries[i]->d_name) < 0) {
            r = -ENOMEM;
        }
        *count += r == 0;
        free(entries[i]);
    }
    free(entries);
    if (r) {
        paths = sk_tenant_paths_free(paths, *count);
        *count = 0;
    }
    *out = paths;
    return r;
}

char **sk_tenant_paths_free(char **paths, size_t count)
{
    for (size_t i = 0; paths && i < count; i++) {
        free(paths[i]);
    }
    free(paths);
    return NULL;
}
