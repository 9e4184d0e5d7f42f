/*
 * Whether a file has changed since it was read, told by its status. Files that many tenants read (a certificate, say)
 * are asked for once in a load. Runs in the supervisor.
 */
#include "supervisor/supervisor.h"

#include <stdlib.h>
#include <sys/stat.h>

uint64_t status_hash(const struct stat *info)
{
    const uint64_t facts[] = {(uint64_t)info->st_mtim.tv_sec, (uint64_t)info->st_mtim.tv_nsec, (uint64_t)info->st_ctim.tv_sec,
            (uint64_t)info->st_ctim.tv_nsec, (uint64_t)info->st_size, (uint64_t)info->st_ino, (uint64_t)info->st_dev};
    return sk_table_hash(sk_slice(facts, sizeof(facts)));
}

struct named_file *named_file_ref(struct supervisor *s, const char *path)
{
    struct sk_slice name = sk_slice_str(path);
    uint64_t hash = sk_table_hash(name);
    for (struct sk_table_node *n = sk_table_first(&s->named_files, hash); n; n = sk_table_next(n)) {
        struct named_file *known = SK_CONTAINER(n, struct named_file, node);
        if (strcmp(known->path, path) == 0) {
            known->refs++;
            return known;
        }
    }
    struct named_file *file = calloc(1, sizeof(*file) + name.len + 1);
    if (!file || sk_table_add(&s->named_files, &file->node, hash)) {
        free(file);
        return NULL;
    }
    memcpy(file->path, path, name.len);
    file->refs = 1;
    return file;
}

void named_file_unref(struct supervisor *s, struct named_file *file)
{
    if (--file->refs == 0) {
        sk_table_remove(&s->named_files, &file->node);
        free(file);
    }
}

uint64_t named_file_status(const struct supervisor *s, struct named_file *file)
{
    struct stat info;
    if (file->load != s->load) {
        file->load = s->load;
        file->status = stat(file->path, &info) ? 0 : status_hash(&info);
    }
    return file->status;
}
